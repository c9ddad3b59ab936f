//! Copies of pieces of A and B that the microkernel reads front to back.
//!
//! A piece of a big matrix lies on as many pages as it has rows, and rows whose distance is a power of two compete for
//! the same few places of a cache. A copy of the piece has neither trouble. And the rows of B must be contiguous,
//! because the microkernel loads them as vectors.
//!
//! ```text
//! B, depth x columns, in panels as wide as a tile.      A, rows x depth, in panels as high as a tile.
//! Row p of a panel is what the microkernel loads at     Column p of a panel is what the microkernel reads, number
//! step p; rows follow each other.                       by number, at step p; columns follow each other.
//!
//!                             +-----+                           +-------+        +-----+
//!     +-----+-----+--+        |  0  |                           |   0   |        | 0^T |
//!     |  0  |  1  | 2|        +-----+                           +-------+        +-----+
//!     |     |     |  |   ->   |  1  |                           |   1   |   ->   | 1^T |
//!     +-----+-----+--+        +--+--+                           +-------+        +---+-+
//!                             | 2|                              |   2   |        |2^T|
//!                             +--+                              +-------+        +---+
//! ```
//!
//! So a panel of A is one of B of the transposed matrix, and one function copies both: row by row if the source's rows
//! are contiguous, by transposing if its columns are, and number by number if neither.

use super::super::isa::Isa;
use super::MatRef;
#[cfg(target_arch = "x86_64")]
use super::packing_avx2;

/// Rows are written in whole eights.
pub(in super::super) const EIGHT: usize = 8;

/// A piece `depth x lanes` of a matrix, and the place for its copy.
pub(in super::super) struct Panel {
    /// The piece: element (p, l).
    pub from: MatRef,
    /// Rows.
    pub depth: usize,
    /// Columns.
    pub lanes: usize,
    /// The copy: element (p, l) goes to `to + p width + l`.
    pub to: *mut f32,
    /// Elements from one row of the copy to the next: at least `lanes`.
    pub width: usize,
}

/// Numbers that a copy may write: its own, and up to seven after the last row, whose eights may stand out.
pub(in super::super) fn room(depth: usize, width: usize) -> usize {
    depth * width + EIGHT - 1
}

/// Copies a panel. Between `lanes` and `width` comes what is computed with but not used: zeros or the last lane again.
/// Up to seven numbers after the copy are overwritten.
///
/// # Safety
/// The instruction set is present, the piece can be read, and [`room`] for the copy can be written.
pub(in super::super) unsafe fn pack(isa: Isa, panel: &Panel) {
    let contiguous = panel.from.row_stride == 1 || panel.from.col_stride == 1;
    #[cfg(target_arch = "x86_64")]
    if isa >= Isa::Avx2 && contiguous {
        // SAFETY: the caller's promise.
        return unsafe { packing_avx2::pack(panel) };
    }
    let _ = (isa, contiguous);
    for p in 0..panel.depth {
        for l in 0..panel.width {
            // SAFETY: p < depth, and l < lanes or the last lane.
            unsafe { *panel.to.add(p * panel.width + l) = *panel.from.at(p, l.min(panel.lanes - 1)) };
        }
    }
}
