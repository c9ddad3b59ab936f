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
//! A multiply-add can spread a number of A itself, as it reads it. That saves an instruction and costs a load more, since the number is
//! read once for each register of the row. Two loads fit into a cycle, as two multiply-adds do, so all but [`SPREAD_ONCE`] rows can do
//! without the instruction. `benches/src/bin/microkernels.rs` compares tiles of other shapes, and of more and fewer such rows.
//!
//! Lanes past the last column are computed with, and masked off when C is read and written, and when B may not be read
//! past its last column.

#![expect(
    clippy::needless_range_loop,
    reason = "an index that names the register is clearer, and unrolls"
)]

use super::tile::{AHEAD, Microkernel, Tile};
use std::arch::x86_64::*;
use std::hint::black_box;

/// Numbers in a register.
const LANES: usize = 16;

/// For any strides the address of row i of A is computed as that of row 3 (i / 3) plus 0, 1 or 2 row strides: five
/// pointers serve 14 rows, where 14 would not fit in the general registers.
const GROUP: usize = 3;

/// Rows of which a number is spread by an instruction of its own: 14 rows then need 2 * 9 + 5 loads of A, 2 of B and 2 that ask for
/// B ahead, in the time of 28.
const SPREAD_ONCE: usize = 5;

pub(super) static MICROKERNEL: Microkernel = Microkernel {
    max_rows: 14,
    max_columns: 2 * LANES,
    lanes: LANES,
    run,
};

/// Kernels by rows - 1; for each, one register per row and two.
type Kernels = [[unsafe fn(&Tile); 2]; 14];

static UNIT_ROW_STRIDE: Kernels = kernels::<true, false>();
static ANY_STRIDES: Kernels = kernels::<false, false>();
static MASKED: Kernels = kernels::<false, true>();

#[rustfmt::skip]
const fn kernels<const UNIT: bool, const MASK: bool>() -> Kernels {
    [
        [tile::<1, 1, UNIT, MASK>, tile::<1, 2, UNIT, MASK>], [tile::<2, 1, UNIT, MASK>, tile::<2, 2, UNIT, MASK>],
        [tile::<3, 1, UNIT, MASK>, tile::<3, 2, UNIT, MASK>], [tile::<4, 1, UNIT, MASK>, tile::<4, 2, UNIT, MASK>],
        [tile::<5, 1, UNIT, MASK>, tile::<5, 2, UNIT, MASK>], [tile::<6, 1, UNIT, MASK>, tile::<6, 2, UNIT, MASK>],
        [tile::<7, 1, UNIT, MASK>, tile::<7, 2, UNIT, MASK>], [tile::<8, 1, UNIT, MASK>, tile::<8, 2, UNIT, MASK>],
        [tile::<9, 1, UNIT, MASK>, tile::<9, 2, UNIT, MASK>], [tile::<10, 1, UNIT, MASK>, tile::<10, 2, UNIT, MASK>],
        [tile::<11, 1, UNIT, MASK>, tile::<11, 2, UNIT, MASK>], [tile::<12, 1, UNIT, MASK>, tile::<12, 2, UNIT, MASK>],
        [tile::<13, 1, UNIT, MASK>, tile::<13, 2, UNIT, MASK>], [tile::<14, 1, UNIT, MASK>, tile::<14, 2, UNIT, MASK>],
    ]
}

unsafe fn run(tile: &Tile) {
    let kernels = match (tile.whole, tile.a.row_stride) {
        (false, _) => &MASKED,
        (true, 1) => &UNIT_ROW_STRIDE,
        (true, _) => &ANY_STRIDES,
    };
    // SAFETY: the caller has AVX-512 and the matrices; rows and columns are within the table.
    unsafe { kernels[tile.rows - 1][tile.columns.div_ceil(LANES) - 1](tile) }
}

/// A tile of `ROWS` rows and `REGISTERS` registers per row: A's row stride is 1 if `UNIT`, B is masked if `MASK`.
#[target_feature(enable = "avx512f")]
unsafe fn tile<const ROWS: usize, const REGISTERS: usize, const UNIT: bool, const MASK: bool>(tile: &Tile) {
    let mut masks: [__mmask16; REGISTERS] = [0; REGISTERS];
    for v in 0..REGISTERS {
        masks[v] = 0xffff >> (LANES - (tile.columns - v * LANES).min(LANES));
    }
    let a_stride = if UNIT { 1 } else { tile.a.row_stride };
    let mut groups = [tile.a.ptr; 5];
    for g in 0..5 {
        groups[g] = tile.a.ptr.wrapping_add(g * GROUP * a_stride);
    }
    let mut again = (tile.a.ptr, tile.a.col_stride);
    if UNIT && REGISTERS > 1 && ROWS > SPREAD_ONCE {
        // The same numbers at an address that the compiler cannot know to be the same: it would read them once, and spread them.
        again = black_box(again);
    }
    // C is needed last; by then it has arrived.
    for i in 0..ROWS {
        for v in 0..REGISTERS {
            _mm_prefetch::<_MM_HINT_T0>(tile.c.at(i, v * LANES).cast_const().cast());
        }
    }
    let mut b = tile.b;
    let mut sums = [[_mm512_setzero_ps(); REGISTERS]; ROWS];
    for _ in 0..tile.depth {
        let mut row = [_mm512_setzero_ps(); REGISTERS];
        for v in 0..REGISTERS {
            let from = b.wrapping_add(v * LANES);
            _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(AHEAD * tile.b_stride).cast());
            // SAFETY: row p < depth of B, in whole registers or with the mask within its columns.
            row[v] = unsafe {
                if MASK {
                    _mm512_maskz_loadu_ps(masks[v], from)
                } else {
                    _mm512_loadu_ps(from)
                }
            };
        }
        for g in 0..5 {
            for r in 0..GROUP {
                let i = g * GROUP + r;
                if i < ROWS {
                    // SAFETY: row i < rows and column p < depth of A.
                    let spread = _mm512_set1_ps(unsafe { *groups[g].wrapping_add(r * a_stride) });
                    for v in 0..REGISTERS {
                        let spread = if UNIT && v > 0 && i + SPREAD_ONCE < ROWS {
                            // SAFETY: the number that `spread` has, since A's row stride is 1.
                            _mm512_set1_ps(unsafe { *again.0.wrapping_add(i) })
                        } else {
                            spread
                        };
                        sums[i][v] = _mm512_fmadd_ps(spread, row[v], sums[i][v]);
                    }
                }
            }
            groups[g] = groups[g].wrapping_add(tile.a.col_stride);
        }
        b = b.wrapping_add(tile.b_stride);
        again.0 = again.0.wrapping_add(again.1);
    }
    if tile.add {
        for i in 0..ROWS {
            for v in 0..REGISTERS {
                // SAFETY: the mask keeps the load within row i of C.
                let old = unsafe { _mm512_maskz_loadu_ps(masks[v], tile.c.at(i, v * LANES)) };
                sums[i][v] = _mm512_add_ps(old, sums[i][v]);
            }
        }
    }
    for i in 0..ROWS {
        for v in 0..REGISTERS {
            // SAFETY: the mask keeps the store within row i of C.
            unsafe { _mm512_mask_storeu_ps(tile.c.at(i, v * LANES), masks[v], sums[i][v]) }
        }
    }
}
