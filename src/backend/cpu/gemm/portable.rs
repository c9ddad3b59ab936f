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
//! the tile's last are zeros that are computed with and not stored.

use super::tile::{Microkernel, Tile};

/// Columns of the largest tile.
const COLUMNS: usize = 8;

pub(super) static MICROKERNEL: Microkernel = Microkernel {
    max_rows: 4,
    max_columns: COLUMNS,
    run,
};

unsafe fn run(tile: &Tile) {
    let kernels: [unsafe fn(&Tile); 8] = [
        rows::<1, false>,
        rows::<2, false>,
        rows::<3, false>,
        rows::<4, false>,
        rows::<1, true>,
        rows::<2, true>,
        rows::<3, true>,
        rows::<4, true>,
    ];
    let partial = if tile.columns == COLUMNS { 0 } else { 4 };
    // SAFETY: the caller has the matrices; rows are within the table.
    unsafe { kernels[partial + tile.rows - 1](tile) }
}

/// A tile of `ROWS` rows and eight columns, or fewer if `PARTIAL`.
unsafe fn rows<const ROWS: usize, const PARTIAL: bool>(tile: &Tile) {
    let columns = if PARTIAL { tile.columns } else { COLUMNS };
    let mut sums = [[0.0f32; COLUMNS]; ROWS];
    for p in 0..tile.depth {
        let mut b = [0.0f32; COLUMNS];
        // SAFETY: row p of B has `columns` numbers.
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
        let c = unsafe { std::slice::from_raw_parts_mut(tile.c.ptr.add(i * tile.c.row_stride), columns) };
        for (c, sum) in c.iter_mut().zip(sums) {
            *c = if tile.add { *c + sum } else { *sum };
        }
    }
}
