//! Copies of pieces of A and B that the microkernel reads front to back.
//!
//! A piece of a big matrix lies on as many pages as it has rows, and rows whose distance is a power of two compete for the
//! same few places of the first-level cache. A copy of the piece has neither trouble. It pays when the piece is read
//! several times, and it must be made when the rows of B are not contiguous, because the microkernel loads them as
//! vectors.
//!
//! ```text
//! B, depth x columns, in panels as wide as a tile.         A, rows x depth, in panels as high as a tile. The microkernel
//! Row p of a panel is what the microkernel loads at        spreads the `rows` numbers of column p one after the other,
//! step p; rows follow each other.                          so columns follow each other.
//!
//!     +-----+-----+--+        +-----+                          +-------+        +-----+-----+--+
//!     |  0  |  1  | 2|   ->   |  0  |  1  2                    |   0   |        | 0^T | 1^T | 2|^T
//!     +-----+-----+--+        +-----+                          +-------+   ->   +-----+-----+--+
//!                                                              |   1   |
//!                                                              +-------+
//!                                                              |   2   |
//! ```
//!
//! So a panel of A is one of B of the transposed matrix, and one function copies both.

use super::MatRef;
use super::tile::{Microkernel, Strip};

/// Copies a panel `depth x lanes` to `depth` rows of `width >= lanes` numbers, one row after the other. Up to seven
/// numbers past its end are overwritten.
///
/// # Safety
/// The panel can be read and `depth width + 7` numbers written.
pub(super) unsafe fn panel(kernel: &Microkernel, from: MatRef, depth: usize, lanes: usize, to: *mut f32, width: usize) {
    if from.row_stride == 1 && from.col_stride != 1 {
        // Each strip writes whole eights: the last one spills into the next row's first lanes, which the first strip
        // then puts right. So the strips go from last to first.
        for first in (0..lanes).step_by(8).rev() {
            let strip = Strip {
                rows: (lanes - first).min(8),
                length: depth,
                from: from.at(0, first),
                from_stride: from.col_stride,
                to: to.wrapping_add(first),
                to_stride: width,
            };
            // SAFETY: these lanes of the panel can be read; the spill is within the caller's promise.
            unsafe { (kernel.transpose)(&strip) };
        }
        return;
    }
    for p in 0..depth {
        let (row, to) = (from.at(p, 0), to.wrapping_add(p * width));
        if from.col_stride == 1 {
            // SAFETY: row p has `lanes` contiguous numbers.
            unsafe { to.copy_from_nonoverlapping(row, lanes) };
        } else {
            for l in 0..lanes {
                // SAFETY: l < lanes.
                unsafe { *to.add(l) = *row.add(l * from.col_stride) };
            }
        }
    }
}
