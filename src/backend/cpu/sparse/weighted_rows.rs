//! The kernel: y_i = base_i + sum_p v_ip T[k_p], weighted sums of rows of a table, for four lists i at a time (a group,
//! see `grouping`) that share the indices k and have values of their own, zeros where a list lacks an index.
//!
//! ```text
//!   group       k_0          k_1          k_2     ...
//!            v00 . T[k_0]  v01 . T[k_1]  v02 . T[k_2]      -> y of the group's first list
//!            v10 . T[k_0]  v11 . T[k_1]  v12 . T[k_2]      -> second              a row of the table is loaded once,
//!            v20 . T[k_0]  v21 . T[k_1]  v22 . T[k_2]      -> third               and used four times
//!            v30 . T[k_0]  v31 . T[k_1]  v32 . T[k_2]      -> fourth
//! ```
//!
//! It only gathers: nothing is scattered, sums stay in registers. Of the chunks that R networks make most rows of the table come
//! from the second-level cache, which has one ready every other cycle at best; they are asked for some entries ahead, since no
//! prefetcher can guess them. A list for itself would have fewer products, none of them with a zero of its group, but wait for that
//! cache at each. A list's sum is one chain in the order of the indices, and adding zero rounds nothing, so a list has the same bits
//! in any group, and a unit the same bits alone as beside others.
//!
//! A table of `units` columns is cut into chunks whose sums fit in the registers:
//!
//! ```text
//!   AVX-512, 20 units: one chunk           [rows][16]  [rows][4]      one vector, and a tail of 4
//!   AVX-512, 320 units: four chunks        [rows][80]  [rows][80]  [rows][80]  [rows][80]
//!
//!   T[k], tail:   t0 t1 t2 t3   t0 t1 t2 t3   t0 t1 t2 t3   t0 t1 t2 t3       four columns, repeated,
//!   values:       v0 v0 v0 v0   v1 v1 v1 v1   v2 v2 v2 v2   v3 v3 v3 v3       serve four lists in one register
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
use super::super::math::vectorize;
use super::super::simd::{Simd, Vectorized, dispatch, registers};
use super::codes::Values;
use super::grouping::GROUP;

/// Indices are kept times this: an address may be a base plus an index times 1, 2, 4 or 8, and so needs no arithmetic in
/// the commonest case (rows of 16 bytes and of 64).
pub(super) const SCALE: usize = 8;

/// How many entries ahead a group asks for rows of a wide chunk.
pub(super) const AHEAD: usize = 8;

/// Most rows of a table.
pub(super) const MOST_ROWS: usize = u16::MAX as usize / SCALE + 1;

/// Lists of pairs (index, value), in groups.
pub(super) struct Lists {
    /// Every list's number, [`GROUP`] to a group.
    pub order: Vec<u16>,
    /// Where group g begins in the others, and after the last group where it ends.
    pub starts: Vec<u32>,
    /// Times [`SCALE`]; after those of the last group [`AHEAD`] more, which belong to none.
    pub indices: Vec<u16>,
    /// Of each list of the group; 0 where it lacks the index.
    pub values: Values,
}

impl Lists {
    /// Indices of all groups.
    pub fn entries(&self) -> usize {
        self.indices.len() - AHEAD
    }
}

/// Columns of a short tail, and the mark of one that is a whole vector, of which none has more numbers.
const SHORT: usize = 4;
const WHOLE: usize = 16;

/// Columns of the widest chunk of any instruction set.
const WIDTH: usize = 5 * WHOLE;

/// Columns of a table that are summed together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Chunk {
    /// First column, and how many.
    pub first: usize,
    pub units: usize,
    /// Whole vectors.
    pub full: usize,
    /// Columns of the tail's table: 0, 4 or a whole vector's.
    pub tail: usize,
    lanes: usize,
}

/// The chunks of a table of `units` columns.
pub(super) fn chunks(isa: Isa, units: usize) -> impl Iterator<Item = Chunk> {
    let widest = widest(isa);
    let (lanes, _) = registers(isa);
    let chunk = move |first: usize| {
        let units = (units - first).min(widest);
        let rest = units % lanes;
        Chunk {
            first,
            units,
            full: units / lanes,
            tail: if rest == 0 {
                0
            } else if rest <= SHORT {
                SHORT
            } else {
                lanes
            },
            lanes,
        }
    };
    (0..units).step_by(widest).map(chunk)
}

/// Columns of the widest chunk.
pub(super) fn widest(isa: Isa) -> usize {
    let (lanes, sums) = registers(isa);
    lanes * (sums / GROUP)
}

/// Numbers of a table of that many rows in some chunks, with what the copying may overwrite after it.
pub(super) fn table_room(rows: usize, chunks: impl IntoIterator<Item = Chunk>) -> usize {
    rows * chunks.into_iter().map(|chunk| chunk.width()).sum::<usize>() + packing::EIGHT
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

    /// Multiplies row j of a copy by `factors[j]`, each number rounded once; what would be infinite becomes the largest number, since
    /// zero times infinity would reach lists of the group that do not have the row.
    pub fn scale(&self, isa: Isa, copy: &mut [f32], factors: &[f64]) {
        const LARGEST: f64 = f32::MAX as f64;
        let (full, tail) = copy.split_at_mut(factors.len() * self.full * self.lanes);
        for (part, width) in [(full, self.full * self.lanes), (tail, self.tail)] {
            vectorize(
                isa,
                #[inline(always)]
                || {
                    for (row, factor) in part.chunks_exact_mut(width.max(1)).zip(factors) {
                        row.iter_mut()
                            .for_each(|w| *w = (f64::from(*w) * factor).clamp(-LARGEST, LARGEST) as f32);
                    }
                },
            );
        }
    }
}

/// Some chunks of a table of `rows` rows, one after the other.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    pub chunks: &'a [Chunk],
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

/// See the [module](self). Base and output point to the first chunk's first unit; `room` is for the values of the longest
/// group.
///
/// # Safety
/// The lists' indices are rows of the table; base and output can be read and written in the rows that the lists name, in
/// the chunks' units.
pub(super) unsafe fn weighted_rows(
    isa: Isa,
    lists: &Lists,
    table: Table,
    base: Option<Base>,
    output: Output,
    room: &mut [[f32; GROUP]],
) {
    let zeros = [0.0; WIDTH];
    let mut nowhere = [0.0; WIDTH];
    for (group, ends) in lists.order.chunks(GROUP).zip(lists.starts.windows(2)) {
        let entries = ends[0] as usize..ends[1] as usize;
        let indices = &lists.indices[entries.start..entries.end + AHEAD];
        let values = lists.values.decode(isa, entries, room);
        let mut first = 0;
        for &chunk in table.chunks {
            let list = |q: usize| group.get(q).map(|&list| usize::from(list));
            let from = |q: usize| {
                list(q)
                    .zip(base)
                    .map(|(i, base)| base.numbers.wrapping_add(i * base.stride + first))
            };
            let to = |q: usize| list(q).map(|i| output.numbers.wrapping_add(i * output.stride + first));
            let sum = SumOfGroup {
                indices,
                values,
                chunk,
                rows: table.rows,
                numbers: table.numbers.wrapping_add(table.rows * first),
                from: std::array::from_fn(|q| from(q).unwrap_or(zeros.as_ptr())),
                to: std::array::from_fn(|q| to(q).unwrap_or(nowhere.as_mut_ptr())),
            };
            match chunk.full {
                0 => sum.with_tail::<0>(isa),
                1 => sum.with_tail::<1>(isa),
                2 => sum.with_tail::<2>(isa),
                3 => sum.with_tail::<3>(isa),
                4 => sum.with_tail::<4>(isa),
                _ => dispatch(isa, Registers::<5, 0>(sum)),
            }
            first += chunk.units;
        }
    }
}

/// What a group's lists add up to, in the chunk's units: `to` = `from` + sum, for each list of the group.
struct SumOfGroup<'a> {
    indices: &'a [u16],
    values: &'a [[f32; GROUP]],
    chunk: Chunk,
    /// Of the table, and the chunk's numbers in it.
    rows: usize,
    numbers: *const f32,
    from: [*const f32; GROUP],
    to: [*mut f32; GROUP],
}

impl SumOfGroup<'_> {
    fn with_tail<const FULL: usize>(self, isa: Isa) {
        match self.chunk.tail {
            0 => dispatch(isa, Registers::<FULL, 0>(self)),
            SHORT => dispatch(isa, Registers::<FULL, SHORT>(self)),
            _ => dispatch(isa, Registers::<FULL, WHOLE>(self)),
        }
    }
}

/// Sums of `FULL` whole vectors and a tail of 0, [`SHORT`] or a vector's columns: a function for each pair, so that the sums are
/// registers.
struct Registers<'a, const FULL: usize, const TAIL: usize>(SumOfGroup<'a>);

impl<const FULL: usize, const TAIL: usize> Vectorized for Registers<'_, FULL, TAIL> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // No chunk of these vectors has so many, or such a tail: nothing to compile.
        if FULL + TAIL.min(1) > S::SUMS / GROUP || (TAIL == WHOLE && S::LANES <= SHORT) {
            unreachable!("chunks have the columns that fit");
        }
        let SumOfGroup {
            indices,
            values,
            chunk,
            rows,
            numbers: whole,
            from,
            to,
        } = self.0;
        let tail = whole.wrapping_add(rows * FULL * S::LANES);
        let width = if TAIL == SHORT { SHORT } else { S::LANES };
        // Short tails of several lists lie beside each other in one register.
        let beside = S::LANES / width;
        // SAFETY: the caller's promise: every pointer is into a row of the table, of the base or of the output.
        unsafe {
            let mut sums = [[S::splat(0.0); FULL]; GROUP];
            let mut tails = [S::splat(0.0); GROUP];
            for ((&index, values), &ahead) in indices.iter().zip(values).zip(&indices[AHEAD..]) {
                let row = |index: u16| whole.wrapping_byte_add(usize::from(index) * (FULL * S::LANES * 4 / SCALE));
                // One vector's rows are mostly in the first-level cache.
                if FULL > 1 {
                    (0..FULL).for_each(|v| S::prefetch(row(ahead).wrapping_add(v * S::LANES)));
                }
                let row = row(index);
                let mut columns = [S::splat(0.0); FULL];
                for v in 0..FULL {
                    columns[v] = S::load(row.add(v * S::LANES));
                }
                for q in 0..GROUP {
                    let value = S::splat(values[q]);
                    for v in 0..FULL {
                        sums[q][v] = S::multiply_add(value, columns[v], sums[q][v]);
                    }
                }
                if TAIL > 0 {
                    let last = tail.byte_add(usize::from(index) * (width * 4 / SCALE));
                    let last = if TAIL == SHORT {
                        S::repeat_four(last)
                    } else {
                        S::load(last)
                    };
                    for (t, values) in values.chunks_exact(beside).enumerate() {
                        let from = values.as_ptr();
                        let value = if TAIL == SHORT {
                            S::four_of_each(from)
                        } else {
                            S::splat(*from)
                        };
                        tails[t] = S::multiply_add(value, last, tails[t]);
                    }
                }
            }
            for q in 0..GROUP {
                for v in 0..FULL {
                    let base = S::load(from[q].add(v * S::LANES));
                    S::store(to[q].add(v * S::LANES), S::add(base, sums[q][v]));
                }
            }
            if TAIL > 0 {
                let (done, rest) = (FULL * S::LANES, chunk.units - FULL * S::LANES);
                let mut apart = [[0.0; WHOLE]; GROUP];
                let apart = apart.as_flattened_mut();
                for t in 0..GROUP / beside {
                    S::store(apart[t * S::LANES..].as_mut_ptr(), tails[t]);
                }
                for (q, tail) in apart.chunks_exact(width).take(GROUP).enumerate() {
                    let base = S::load_first(from[q].add(done), rest);
                    S::store_first(to[q].add(done), rest, S::add(base, S::load_first(tail.as_ptr(), rest)));
                }
            }
        }
    }
}
