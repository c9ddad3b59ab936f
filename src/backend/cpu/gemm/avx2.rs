//! The AVX2 microkernel: a tile of up to 6 x 16 sums in 12 of the 16 registers.
//!
//! ```text
//!                 lanes 0..8      lanes 8..16
//!               +---------------+---------------+
//!         row p |      b0       |      b1       |    2 loads
//!               +---------------+---------------+
//!  a_0p spread  | s_0,0 += a b0 | s_0,1 += a b1 |    6 x (1 spread, 2 fused multiply-adds)
//!     ...       |     ...       |     ...       |
//!  a_5p         | s_5,0         | s_5,1         |
//!               +---------------+---------------+
//! ```
//!
//! A tile whose last register is not full is masked: lanes past the last column are neither read nor written. Masked
//! stores are slow on some processors, so full tiles have kernels of their own.

#![expect(
    clippy::needless_range_loop,
    reason = "an index that names the register is clearer, and unrolls"
)]

use super::tile::{Microkernel, Tile};
use std::arch::x86_64::*;

/// Lanes of a register.
const LANES: usize = 8;

pub(super) static MICROKERNEL: Microkernel = Microkernel {
    max_rows: 6,
    max_columns: 2 * LANES,
    run,
};

/// Kernels by rows - 1 and registers per row - 1: full ones and masked ones.
#[rustfmt::skip]
static FULL: [[unsafe fn(&Tile); 2]; 6] = [
    [tile::<1, 1, false>, tile::<1, 2, false>], [tile::<2, 1, false>, tile::<2, 2, false>],
    [tile::<3, 1, false>, tile::<3, 2, false>], [tile::<4, 1, false>, tile::<4, 2, false>],
    [tile::<5, 1, false>, tile::<5, 2, false>], [tile::<6, 1, false>, tile::<6, 2, false>],
];
#[rustfmt::skip]
static MASKED: [[unsafe fn(&Tile); 2]; 6] = [
    [tile::<1, 1, true>, tile::<1, 2, true>], [tile::<2, 1, true>, tile::<2, 2, true>],
    [tile::<3, 1, true>, tile::<3, 2, true>], [tile::<4, 1, true>, tile::<4, 2, true>],
    [tile::<5, 1, true>, tile::<5, 2, true>], [tile::<6, 1, true>, tile::<6, 2, true>],
];

unsafe fn run(tile: &Tile) {
    let kernels = if tile.columns.is_multiple_of(LANES) {
        &FULL
    } else {
        &MASKED
    };
    // SAFETY: the caller has AVX2 with FMA and the matrices; rows and columns are within the table.
    unsafe { kernels[tile.rows - 1][tile.columns.div_ceil(LANES) - 1](tile) }
}

/// A tile of `ROWS` rows and `VECTORS` registers per row, the last of them partly used if `MASKED`.
#[target_feature(enable = "avx2,fma")]
unsafe fn tile<const ROWS: usize, const VECTORS: usize, const MASKED: bool>(tile: &Tile) {
    let (a_stride, c_stride) = (tile.a.row_stride, tile.c.row_stride);
    let last = tile.columns - (VECTORS - 1) * LANES;
    // Lane l is on where last > l.
    let mask = _mm256_cmpgt_epi32(
        _mm256_set1_epi32(last as i32),
        _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
    );
    let (mut a, mut b) = (tile.a.ptr, tile.b);
    let mut sums = [[_mm256_setzero_ps(); VECTORS]; ROWS];
    for _ in 0..tile.depth {
        let mut row = [_mm256_setzero_ps(); VECTORS];
        for v in 0..VECTORS {
            // SAFETY: the mask keeps the load within row p of B.
            row[v] = unsafe { load(b.wrapping_add(v * LANES), MASKED && v + 1 == VECTORS, mask) };
        }
        for i in 0..ROWS {
            // SAFETY: row i < rows and column p < depth of A.
            let spread = _mm256_set1_ps(unsafe { *a.wrapping_add(i * a_stride) });
            for v in 0..VECTORS {
                sums[i][v] = _mm256_fmadd_ps(spread, row[v], sums[i][v]);
            }
        }
        a = a.wrapping_add(tile.a.col_stride);
        b = b.wrapping_add(tile.b_stride);
    }
    for i in 0..ROWS {
        for v in 0..VECTORS {
            let masked = MASKED && v + 1 == VECTORS;
            let c = tile.c.ptr.wrapping_add(i * c_stride + v * LANES);
            // SAFETY: the mask keeps loads and stores within row i of C.
            unsafe {
                let sum = if tile.add {
                    _mm256_add_ps(load(c, masked, mask), sums[i][v])
                } else {
                    sums[i][v]
                };
                if masked {
                    _mm256_maskstore_ps(c, mask, sum);
                } else {
                    _mm256_storeu_ps(c, sum);
                }
            }
        }
    }
}

/// Eight lanes, or with `masked` those that `mask` has on and zeros.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn load(source: *const f32, masked: bool, mask: __m256i) -> __m256 {
    // SAFETY: the caller can read the lanes.
    unsafe {
        if masked {
            _mm256_maskload_ps(source, mask)
        } else {
            _mm256_loadu_ps(source)
        }
    }
}
