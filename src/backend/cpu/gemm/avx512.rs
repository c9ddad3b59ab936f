//! The AVX-512 microkernel: a tile of up to 14 x 32 sums in 28 of the 32 registers.
//!
//! ```text
//!                 lanes 0..16     lanes 16..32
//!               +---------------+---------------+
//!         row p |      b0       |      b1       |    2 loads
//!               +---------------+---------------+
//!  a_0p spread  | s_0,0 += a b0 | s_0,1 += a b1 |    14 x (1 spread, 2 fused multiply-adds)
//!  a_1p spread  | s_1,0         | s_1,1         |
//!     ...       |     ...       |     ...       |    28 independent chains: two units with a latency of four
//!  a_13,p       | s_13,0        | s_13,1        |    cycles need at least 8
//!               +---------------+---------------+
//! ```
//!
//! Lanes past the last column are masked off: they are neither read nor written, so B and C need no padding.

#![expect(
    clippy::needless_range_loop,
    reason = "an index that names the register is clearer, and unrolls"
)]

use super::tile::{Microkernel, Tile};
use std::arch::x86_64::*;

/// Lanes of a register.
const LANES: usize = 16;

/// The address of row i of A is computed as that of row 3 (i / 3) plus 0, 1 or 2 row strides: five pointers serve 14
/// rows, where 14 would not fit in the general registers.
const GROUP: usize = 3;

pub(super) static MICROKERNEL: Microkernel = Microkernel {
    max_rows: 14,
    max_columns: 2 * LANES,
    run,
};

/// Kernels by rows - 1 and registers per row - 1.
#[rustfmt::skip]
static KERNELS: [[unsafe fn(&Tile); 2]; 14] = [
    [tile::<1, 1>, tile::<1, 2>], [tile::<2, 1>, tile::<2, 2>], [tile::<3, 1>, tile::<3, 2>],
    [tile::<4, 1>, tile::<4, 2>], [tile::<5, 1>, tile::<5, 2>], [tile::<6, 1>, tile::<6, 2>],
    [tile::<7, 1>, tile::<7, 2>], [tile::<8, 1>, tile::<8, 2>], [tile::<9, 1>, tile::<9, 2>],
    [tile::<10, 1>, tile::<10, 2>], [tile::<11, 1>, tile::<11, 2>], [tile::<12, 1>, tile::<12, 2>],
    [tile::<13, 1>, tile::<13, 2>], [tile::<14, 1>, tile::<14, 2>],
];

unsafe fn run(tile: &Tile) {
    // SAFETY: the caller has AVX-512 and the matrices; rows and columns are within the table.
    unsafe { KERNELS[tile.rows - 1][tile.columns.div_ceil(LANES) - 1](tile) }
}

/// A tile of `ROWS` rows and `VECTORS` registers per row.
#[target_feature(enable = "avx512f")]
unsafe fn tile<const ROWS: usize, const VECTORS: usize>(tile: &Tile) {
    let (a_stride, c_stride) = (tile.a.row_stride, tile.c.row_stride);
    let mut masks: [__mmask16; VECTORS] = [0; VECTORS];
    for v in 0..VECTORS {
        masks[v] = 0xffff >> (LANES - (tile.columns - v * LANES).min(LANES));
    }
    let mut groups = [tile.a.ptr; 5];
    for g in 0..5 {
        groups[g] = tile.a.ptr.wrapping_add(g * GROUP * a_stride);
    }
    let mut b = tile.b;
    for i in 0..ROWS {
        for v in 0..VECTORS {
            _mm_prefetch::<_MM_HINT_T0>(tile.c.ptr.wrapping_add(i * c_stride + v * LANES).cast());
        }
    }
    let mut sums = [[_mm512_setzero_ps(); VECTORS]; ROWS];
    for _ in 0..tile.depth {
        let mut row = [_mm512_setzero_ps(); VECTORS];
        for v in 0..VECTORS {
            // SAFETY: the mask keeps the load within row p of B.
            row[v] = unsafe { _mm512_maskz_loadu_ps(masks[v], b.wrapping_add(v * LANES)) };
        }
        for g in 0..5 {
            for r in 0..GROUP {
                let i = g * GROUP + r;
                if i < ROWS {
                    // SAFETY: row i < rows and column p < depth of A.
                    let spread = _mm512_set1_ps(unsafe { *groups[g].wrapping_add(r * a_stride) });
                    for v in 0..VECTORS {
                        sums[i][v] = _mm512_fmadd_ps(spread, row[v], sums[i][v]);
                    }
                }
            }
            groups[g] = groups[g].wrapping_add(tile.a.col_stride);
        }
        b = b.wrapping_add(tile.b_stride);
    }
    if tile.add {
        for i in 0..ROWS {
            for v in 0..VECTORS {
                // SAFETY: the mask keeps the load within row i of C.
                let old = unsafe { _mm512_maskz_loadu_ps(masks[v], tile.c.ptr.add(i * c_stride + v * LANES)) };
                sums[i][v] = _mm512_add_ps(old, sums[i][v]);
            }
        }
    }
    for i in 0..ROWS {
        for v in 0..VECTORS {
            // SAFETY: the mask keeps the store within row i of C.
            unsafe { _mm512_mask_storeu_ps(tile.c.ptr.add(i * c_stride + v * LANES), masks[v], sums[i][v]) }
        }
    }
}
