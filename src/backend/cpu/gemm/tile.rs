//! What a microkernel is asked to do, and which microkernel an instruction set has.

use super::super::isa::Isa;
use super::{MatMut, MatRef};

/// Rows of B that are asked for ahead of their use. Where B is not a copy, each is on a cache line, and often on a page, of its
/// own, which the processor does not foresee: the weight gradient of 20 units on 784 inputs was 1.6 times faster. For a copy
/// it changes nothing.
pub(super) const AHEAD: usize = 16;

/// One tile of C: `rows x columns` sums over `depth` products each.
///
/// ```text
///                         columns (lanes of the registers)
///                     b +---------------------+
///        depth          |   |   |   |   |   | |  depth   row p is at b + p b_stride
///    a +------+         +---------------------+
/// rows |-     |       c +---------------------+
///      |-     |         | sums in registers   |  rows
///      +------+         +---------------------+
/// ```
///
/// For each p: load row p of B, and for each row i of A multiply it by the one number a_ip, spread over all lanes. A is
/// read number by number, so it may have any strides; with a row stride of 1 the addresses cost the least. B is read
/// along its rows, in whole registers where that is allowed, because masks cost a tenth of the multipliers' time.
pub(super) struct Tile {
    /// Rows of A and C: 1..=`Microkernel::max_rows`.
    pub rows: usize,
    /// Columns of B and C: 1..=`Microkernel::max_columns`.
    pub columns: usize,
    /// Columns of A, rows of B.
    pub depth: usize,
    /// Element (0, 0) is the tile's first row.
    pub a: MatRef,
    /// Row 0 of B at the tile's first column.
    pub b: *const f32,
    /// Elements from one row of B to the next.
    pub b_stride: usize,
    /// The rows of B can be read up to [`Microkernel::width`] of `columns`: B is a copy, or fills its registers.
    pub whole: bool,
    /// Element (0, 0) is the tile's first.
    pub c: MatMut,
    /// Add to C instead of overwriting it.
    pub add: bool,
}

/// A microkernel and the largest tile whose sums fit in its registers.
pub(super) struct Microkernel {
    /// Largest `Tile::rows`.
    pub max_rows: usize,
    /// Largest `Tile::columns`.
    pub max_columns: usize,
    /// Numbers in a register; divides `max_columns`.
    pub lanes: usize,
    /// Computes a tile. Unsafe as `gemm` is: the instructions exist, A and B can be read and C written.
    pub run: unsafe fn(&Tile),
}

impl Microkernel {
    /// The microkernel of an instruction set.
    pub fn of(isa: Isa) -> &'static Microkernel {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => &super::avx512::MICROKERNEL,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => &super::avx2::MICROKERNEL,
            _ => &super::portable::MICROKERNEL,
        }
    }

    /// The numbers in the registers that hold that many columns.
    pub fn width(&self, columns: usize) -> usize {
        columns.next_multiple_of(self.lanes)
    }
}
