//! The portable microkernel: a tile of up to 4 x 8 sums in plain arrays.
//!
//! ```text
//!            columns 0..8 (two registers of 4 lanes on the smallest processors)
//!          +---------------------------------+
//!    row p |  b0 b1 b2 b3     b4 b5 b6 b7    |
//!          +---------------------------------+
//!   a_0p   |  s += a b, lane by lane         |    8 registers of sums out of 16
//!   a_1p   |                                 |
//!   a_2p   |                                 |
//!   a_3p   |                                 |
//!          +---------------------------------+
//! ```
//!
//! The loops over columns have a fixed length, which is all a compiler needs to use its vector registers. The product
//! and the sum are rounded separately: a fused multiply-add in software would be a hundred times slower. Columns past
//! the last are computed with and not stored.

use super::tile::{Microkernel, Tile};

/// Columns of a tile.
const COLUMNS: usize = 8;

pub(super) static MICROKERNEL: Microkernel = Microkernel {
    max_rows: 4,
    max_columns: COLUMNS,
    lanes: COLUMNS,
    run,
};

/// Kernels by rows - 1: for rows of B that can be read in whole eights, and for others.
static WHOLE: [unsafe fn(&Tile); 4] = [tile::<1, true>, tile::<2, true>, tile::<3, true>, tile::<4, true>];
static PARTIAL: [unsafe fn(&Tile); 4] = [tile::<1, false>, tile::<2, false>, tile::<3, false>, tile::<4, false>];

unsafe fn run(tile: &Tile) {
    let kernels = if tile.whole { &WHOLE } else { &PARTIAL };
    // SAFETY: the caller has the matrices; rows are within the table.
    unsafe { kernels[tile.rows - 1](tile) }
}

/// A tile of `ROWS` rows.
unsafe fn tile<const ROWS: usize, const WHOLE: bool>(tile: &Tile) {
    let columns = if WHOLE { COLUMNS } else { tile.columns };
    let mut sums = [[0.0f32; COLUMNS]; ROWS];
    for p in 0..tile.depth {
        let mut b = [0.0f32; COLUMNS];
        // SAFETY: row p < depth of B, in whole eights or within its columns.
        unsafe {
            tile.b
                .add(p * tile.b_stride)
                .copy_to_nonoverlapping(b.as_mut_ptr(), columns)
        };
        for (i, sums) in sums.iter_mut().enumerate() {
            // SAFETY: row i < rows and column p < depth of A.
            let a = unsafe { *tile.a.at(i, p) };
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum += a * b;
            }
        }
    }
    for (i, sums) in sums.iter().enumerate() {
        // SAFETY: row i of C has `columns` numbers.
        let c = unsafe { std::slice::from_raw_parts_mut(tile.c.at(i, 0), tile.columns) };
        for (c, sum) in c.iter_mut().zip(sums) {
            *c = if tile.add { *c + sum } else { *sum };
        }
    }
}
