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
//! Lanes past the last column are computed with, and masked off when C is read and written, and when B may not be read
//! past its last column.

#![expect(
    clippy::needless_range_loop,
    reason = "an index that names the register is clearer, and unrolls"
)]

use super::tile::{AHEAD, Microkernel, Tile};
use std::arch::x86_64::*;

/// Numbers in a register.
const LANES: usize = 8;

pub(super) static MICROKERNEL: Microkernel = Microkernel {
    max_rows: 6,
    max_columns: 2 * LANES,
    lanes: LANES,
    run,
};

/// Kernels by rows - 1; for each, one register per row and two.
type Kernels = [[unsafe fn(&Tile); 2]; 6];

static WHOLE: Kernels = kernels::<false>();
static MASKED: Kernels = kernels::<true>();

const fn kernels<const MASK: bool>() -> Kernels {
    [
        [tile::<1, 1, MASK>, tile::<1, 2, MASK>],
        [tile::<2, 1, MASK>, tile::<2, 2, MASK>],
        [tile::<3, 1, MASK>, tile::<3, 2, MASK>],
        [tile::<4, 1, MASK>, tile::<4, 2, MASK>],
        [tile::<5, 1, MASK>, tile::<5, 2, MASK>],
        [tile::<6, 1, MASK>, tile::<6, 2, MASK>],
    ]
}

unsafe fn run(tile: &Tile) {
    let kernels = if tile.whole { &WHOLE } else { &MASKED };
    // SAFETY: the caller has AVX2 with FMA and the matrices; rows and columns are within the table.
    unsafe { kernels[tile.rows - 1][tile.columns.div_ceil(LANES) - 1](tile) }
}

/// A tile of `ROWS` rows and `REGISTERS` registers per row, with the last of B's registers masked if `MASK`.
#[target_feature(enable = "avx2,fma")]
unsafe fn tile<const ROWS: usize, const REGISTERS: usize, const MASK: bool>(tile: &Tile) {
    let last = tile.columns - (REGISTERS - 1) * LANES;
    // Lane l is on where last > l.
    let mask = _mm256_cmpgt_epi32(
        _mm256_set1_epi32(last as i32),
        _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
    );
    // C is needed last; by then it has arrived.
    for i in 0..ROWS {
        _mm_prefetch::<_MM_HINT_T0>(tile.c.at(i, 0).cast_const().cast());
    }
    let (mut a, mut b) = (tile.a.ptr, tile.b);
    let mut sums = [[_mm256_setzero_ps(); REGISTERS]; ROWS];
    for _ in 0..tile.depth {
        let mut row = [_mm256_setzero_ps(); REGISTERS];
        for v in 0..REGISTERS {
            let (from, masked) = (b.wrapping_add(v * LANES), MASK && v + 1 == REGISTERS);
            _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(AHEAD * tile.b_stride).cast());
            // SAFETY: row p < depth of B, in whole registers or with the mask within its columns.
            row[v] = unsafe {
                if masked {
                    _mm256_maskload_ps(from, mask)
                } else {
                    _mm256_loadu_ps(from)
                }
            };
        }
        for i in 0..ROWS {
            // SAFETY: row i < rows and column p < depth of A.
            let spread = _mm256_set1_ps(unsafe { *a.wrapping_add(i * tile.a.row_stride) });
            for v in 0..REGISTERS {
                sums[i][v] = _mm256_fmadd_ps(spread, row[v], sums[i][v]);
            }
        }
        a = a.wrapping_add(tile.a.col_stride);
        b = b.wrapping_add(tile.b_stride);
    }
    // Masked stores are slow on some processors, so a full register has its own.
    for i in 0..ROWS {
        for v in 0..REGISTERS {
            let c = tile.c.at(i, v * LANES);
            let masked = v + 1 == REGISTERS && last < LANES;
            // SAFETY: the mask keeps loads and stores within row i of C.
            unsafe {
                if masked {
                    let old = _mm256_maskload_ps(c, mask);
                    let sum = if tile.add {
                        _mm256_add_ps(old, sums[i][v])
                    } else {
                        sums[i][v]
                    };
                    _mm256_maskstore_ps(c, mask, sum);
                } else {
                    let sum = if tile.add {
                        _mm256_add_ps(_mm256_loadu_ps(c), sums[i][v])
                    } else {
                        sums[i][v]
                    };
                    _mm256_storeu_ps(c, sum);
                }
            }
        }
    }
}
