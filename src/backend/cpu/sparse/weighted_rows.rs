//! The kernel: y_i = base_i + sum_p v_p T[k_p], a weighted sum of rows of a table for every list i of pairs (k, v).
//!
//! ```text
//!   list i    (k_0, v_0)   (k_1, v_1)   (k_2, v_2)   (k_3, v_3)   (k_4, v_4) ...
//!                 |            |            |            |            |
//!               sum 0        sum 1        sum 2        sum 3        sum 0   ...      four chains, in registers
//!
//!   y_i = base_i + ((sum 0 + sum 1) + (sum 2 + sum 3))
//! ```
//!
//! It only gathers: nothing is scattered, sums stay in registers. The order of roundings is the same for every width
//! of the table, so a unit has the same bits alone as beside others. A list's length is a multiple of four ([`Lists`] pads
//! with v = 0). Per pair it issues a load of k, a broadcast of v, and one multiply-add from memory per vector: two loads
//! per cycle bound it.
//!
//! A table of `units` columns is cut into chunks whose sums fit in the registers:
//!
//! ```text
//!   AVX-512, 20 units: one chunk           [rows][16]  [rows][4]      one vector, and a tail of 4, which is repeated
//!   AVX-512, 320 units: four chunks        [rows][80]  [rows][80]  [rows][80]  [rows][80]         over the lanes
//! ```
//!
//! A row of 20 in one piece would straddle two cache lines most of the time, and a row padded to 32 fill them with zeros.

#![expect(
    clippy::needless_range_loop,
    reason = "an index that names the register is clearer, and unrolls"
)]

use super::super::gemm::MatRef;
use super::super::gemm::packing::{self, Panel};
use super::super::isa::Isa;
use super::super::simd::{Simd, Vectorized, dispatch};

/// Indices are kept times this: an address may be a base plus an index times 1, 2, 4 or 8, and so needs no arithmetic in
/// the commonest case (rows of 16 bytes and of 64).
pub(super) const SCALE: usize = 8;

/// Most rows of a table.
pub(super) const MOST_ROWS: usize = u16::MAX as usize / SCALE + 1;

/// Chains per sum.
pub(super) const CHAINS: usize = 4;

/// Lists of pairs (index, value), each of a length that is a multiple of [`CHAINS`].
pub(super) struct Lists {
    /// Where list i begins in the others, and after the last list where it ends.
    pub starts: Vec<u32>,
    /// Times [`SCALE`].
    pub indices: Vec<u16>,
    pub values: Vec<f32>,
}

/// Columns of a table that are summed together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Chunk {
    /// First column, and how many.
    pub first: usize,
    pub units: usize,
    /// Whole vectors.
    pub full: usize,
    /// Columns of the tail's table: 0, 4, 8 or 16.
    pub tail: usize,
    lanes: usize,
}

/// Numbers in a vector, and vectors in a chunk at most.
fn vectors(isa: Isa) -> (usize, usize) {
    struct Size;
    impl Vectorized for Size {
        type Result = (usize, usize);
        #[inline(always)]
        unsafe fn run<S: Simd>(self) -> (usize, usize) {
            (S::LANES, S::SUMS / CHAINS)
        }
    }
    dispatch(isa, Size)
}

/// How many chunks a table of `units` columns has.
pub(super) fn chunks(isa: Isa, units: usize) -> usize {
    let (lanes, most) = vectors(isa);
    units.div_ceil(lanes * most)
}

/// Chunk number `number` of a table of `units` columns.
pub(super) fn chunk(isa: Isa, units: usize, number: usize) -> Chunk {
    let (lanes, most) = vectors(isa);
    let first = number * lanes * most;
    let units = (units - first).min(lanes * most);
    let rest = units % lanes;
    Chunk {
        first,
        units,
        full: units / lanes,
        tail: if rest == 0 { 0 } else { rest.next_power_of_two().max(4) },
        lanes,
    }
}

/// Numbers of a table of that many rows and units, with what the copying may overwrite after it.
pub(super) fn table_room(isa: Isa, rows: usize, units: usize) -> usize {
    let last = chunk(isa, units, chunks(isa, units) - 1);
    rows * (last.first + last.width()) + packing::EIGHT
}

impl Chunk {
    /// Columns of the chunk's copy.
    pub fn width(&self) -> usize {
        self.full * self.lanes + self.tail
    }

    /// Copies the chunk's columns of `from` (`rows` rows) to `to`.
    ///
    /// # Safety
    /// The instruction set is present, those columns can be read, and rows x width numbers and, if there is a tail, seven
    /// more can be written.
    pub unsafe fn copy(&self, isa: Isa, from: MatRef, rows: usize, to: *mut f32) {
        let full = self.full * self.lanes;
        for (start, lanes, width) in [(0, full, full), (full, self.units - full, self.tail)] {
            if lanes > 0 {
                let panel = Panel {
                    from: from.from(0, self.first + start),
                    depth: rows,
                    lanes,
                    to: to.wrapping_add(rows * start),
                    width,
                };
                // SAFETY: the caller's promise; whole vectors are whole eights, or copied number by number.
                unsafe { packing::pack(isa, &panel) };
            }
        }
    }
}

/// One chunk of a table: `table` has `rows` rows.
#[derive(Clone, Copy)]
pub(super) struct Table {
    pub chunk: Chunk,
    pub rows: usize,
    pub numbers: *const f32,
}

/// What is added to the sums: row i at `numbers + i stride`.
#[derive(Clone, Copy)]
pub(super) struct Base {
    pub numbers: *const f32,
    pub stride: usize,
}

/// The results: row i at `numbers + i stride`. It may be the base's own memory.
#[derive(Clone, Copy)]
pub(super) struct Output {
    pub numbers: *mut f32,
    pub stride: usize,
}

/// See the [module](self). Base and output point to the chunk's first unit.
///
/// # Safety
/// The lists' indices are rows of the table; base and output can be read and written in the rows that the lists name, in
/// the chunk's units.
pub(super) unsafe fn weighted_rows(isa: Isa, lists: &Lists, table: Table, base: Option<Base>, output: Output) {
    let operands = Operands {
        lists,
        table,
        base,
        output,
    };
    match table.chunk.full {
        0 => with_tail::<0>(isa, operands),
        1 => with_tail::<1>(isa, operands),
        2 => with_tail::<2>(isa, operands),
        3 => with_tail::<3>(isa, operands),
        4 => with_tail::<4>(isa, operands),
        _ => dispatch(isa, Sums::<5, 0>(operands)),
    }
}

struct Operands<'a> {
    lists: &'a Lists,
    table: Table,
    base: Option<Base>,
    output: Output,
}

fn with_tail<const FULL: usize>(isa: Isa, operands: Operands) {
    match operands.table.chunk.tail {
        0 => dispatch(isa, Sums::<FULL, 0>(operands)),
        4 => dispatch(isa, Sums::<FULL, 4>(operands)),
        8 => dispatch(isa, Sums::<FULL, 8>(operands)),
        _ => dispatch(isa, Sums::<FULL, 16>(operands)),
    }
}

/// The sums of `FULL` whole vectors and a tail of `TAIL` columns: a function for each pair, so that the sums are registers.
struct Sums<'a, const FULL: usize, const TAIL: usize>(Operands<'a>);

impl<const FULL: usize, const TAIL: usize> Vectorized for Sums<'_, FULL, TAIL> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Operands {
            lists,
            table,
            base,
            output,
        } = self.0;
        let whole = table.numbers;
        let tail = whole.wrapping_add(table.rows * FULL * S::LANES);
        let rest = table.chunk.units - FULL * S::LANES;
        for (i, ends) in lists.starts.windows(2).enumerate() {
            let pairs = ends[0] as usize..ends[1] as usize;
            let indices = lists.indices[pairs.clone()].as_chunks::<CHAINS>().0;
            let values = lists.values[pairs].as_chunks::<CHAINS>().0;
            // SAFETY: the caller's promise: every pointer is into a row of the table, of the base or of the output.
            unsafe {
                let mut sums = [[S::splat(0.0); FULL]; CHAINS];
                let mut tails = [S::splat(0.0); CHAINS];
                for (indices, values) in indices.iter().zip(values) {
                    for q in 0..CHAINS {
                        let (index, value) = (usize::from(indices[q]), S::splat(values[q]));
                        for v in 0..FULL {
                            let row = whole.byte_add(index * (FULL * S::LANES * 4 / SCALE));
                            sums[q][v] = S::multiply_add(value, S::load(row.add(v * S::LANES)), sums[q][v]);
                        }
                        if TAIL > 0 {
                            let row = S::load_repeated::<TAIL>(tail.byte_add(index * (TAIL * 4 / SCALE)));
                            tails[q] = S::multiply_add(value, row, tails[q]);
                        }
                    }
                }
                let place = Place {
                    from: base.map(|base| base.numbers.wrapping_add(i * base.stride)),
                    to: output.numbers.wrapping_add(i * output.stride),
                };
                for v in 0..FULL {
                    let mut chains = [S::splat(0.0); CHAINS];
                    for q in 0..CHAINS {
                        chains[q] = sums[q][v];
                    }
                    place.finish::<S>(v * S::LANES, S::LANES, chains);
                }
                if TAIL > 0 {
                    place.finish::<S>(FULL * S::LANES, rest, tails);
                }
            }
        }
    }
}

/// Where a list's sums go.
struct Place {
    from: Option<*const f32>,
    to: *mut f32,
}

impl Place {
    /// Adds up the chains of `count` columns from `start` on.
    ///
    /// # Safety
    /// The processor has the instruction set, and the columns are there.
    #[inline(always)]
    unsafe fn finish<S: Simd>(&self, start: usize, count: usize, [a, b, c, d]: [S::V; CHAINS]) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sum = S::add(S::add(a, b), S::add(c, d));
            if let Some(from) = self.from {
                sum = S::add(S::load_first(from.wrapping_add(start), count), sum);
            }
            S::store_first(self.to.wrapping_add(start), count, sum);
        }
    }
}
