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

use super::super::gemm::MatRef;
use super::super::gemm::packing::{self, Panel};
use super::super::isa::Isa;
#[cfg(target_arch = "x86_64")]
use super::super::simd::{Avx2, Avx512};
use super::super::simd::{Portable, Simd};

/// Chains per sum.
pub(super) const CHAINS: usize = 4;

/// Lists of pairs (index, value), each of a length that is a multiple of [`CHAINS`].
pub(super) struct Lists {
    /// Where list i begins in the others, and after the last list where it ends.
    pub starts: Vec<u32>,
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
    fn of<S: Simd>() -> (usize, usize) {
        (S::LANES, S::SUMS / CHAINS)
    }
    match isa {
        Isa::Portable => of::<Portable>(),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => of::<Avx2>(),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => of::<Avx512>(),
        #[cfg(not(target_arch = "x86_64"))]
        _ => of::<Portable>(),
    }
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
/// The instruction set is present; the lists' indices are rows of the table; the base can be read and the output written
/// for as many rows as there are lists, in the chunk's units.
pub(super) unsafe fn weighted_rows(isa: Isa, lists: &Lists, table: Table, base: Option<Base>, output: Output) {
    let tail = match table.chunk.tail {
        0 => 0,
        4 => 1,
        8 => 2,
        _ => 3,
    };
    let kernels = match isa {
        Isa::Portable => &PORTABLE,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => &AVX2,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => &AVX512,
        #[cfg(not(target_arch = "x86_64"))]
        _ => &PORTABLE,
    };
    // SAFETY: the caller's promise; a chunk has at most 5 whole vectors.
    unsafe { kernels[table.chunk.full][tail](lists, table, base, output) }
}

/// By whole vectors, and tails of 0, 4, 8, 16.
type Kernels = [[unsafe fn(&Lists, Table, Option<Base>, Output); 4]; 6];

static PORTABLE: Kernels = [
    [
        sums::<Portable, 0, 0>,
        sums::<Portable, 0, 4>,
        sums::<Portable, 0, 4>,
        sums::<Portable, 0, 4>,
    ],
    [
        sums::<Portable, 1, 0>,
        sums::<Portable, 1, 4>,
        sums::<Portable, 1, 4>,
        sums::<Portable, 1, 4>,
    ],
    [
        sums::<Portable, 2, 0>,
        sums::<Portable, 2, 4>,
        sums::<Portable, 2, 4>,
        sums::<Portable, 2, 4>,
    ],
    [sums::<Portable, 3, 0>; 4],
    [sums::<Portable, 3, 0>; 4],
    [sums::<Portable, 3, 0>; 4],
];

#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
static AVX2: Kernels = [
    [on_avx2::<0, 0>, on_avx2::<0, 4>, on_avx2::<0, 8>, on_avx2::<0, 8>],
    [on_avx2::<1, 0>, on_avx2::<1, 4>, on_avx2::<1, 8>, on_avx2::<1, 8>],
    [on_avx2::<2, 0>, on_avx2::<2, 4>, on_avx2::<2, 8>, on_avx2::<2, 8>],
    [on_avx2::<3, 0>; 4],
    [on_avx2::<3, 0>; 4],
    [on_avx2::<3, 0>; 4],
];

#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
static AVX512: Kernels = [
    [on_avx512::<0, 0>, on_avx512::<0, 4>, on_avx512::<0, 8>, on_avx512::<0, 16>],
    [on_avx512::<1, 0>, on_avx512::<1, 4>, on_avx512::<1, 8>, on_avx512::<1, 16>],
    [on_avx512::<2, 0>, on_avx512::<2, 4>, on_avx512::<2, 8>, on_avx512::<2, 16>],
    [on_avx512::<3, 0>, on_avx512::<3, 4>, on_avx512::<3, 8>, on_avx512::<3, 16>],
    [on_avx512::<4, 0>, on_avx512::<4, 4>, on_avx512::<4, 8>, on_avx512::<4, 16>],
    [on_avx512::<5, 0>; 4],
];

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn on_avx2<const FULL: usize, const TAIL: usize>(
    lists: &Lists,
    table: Table,
    base: Option<Base>,
    output: Output,
) {
    // SAFETY: the caller's promise.
    unsafe { sums::<Avx2, FULL, TAIL>(lists, table, base, output) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn on_avx512<const FULL: usize, const TAIL: usize>(
    lists: &Lists,
    table: Table,
    base: Option<Base>,
    output: Output,
) {
    // SAFETY: the caller's promise.
    unsafe { sums::<Avx512, FULL, TAIL>(lists, table, base, output) }
}

/// The sums of `FULL` whole vectors and a tail of `TAIL` columns.
#[inline(always)]
unsafe fn sums<S: Simd, const FULL: usize, const TAIL: usize>(
    lists: &Lists,
    table: Table,
    base: Option<Base>,
    output: Output,
) {
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
                    let (row, value) = (usize::from(indices[q]), S::splat(values[q]));
                    for v in 0..FULL {
                        let from = whole.add((row * FULL + v) * S::LANES);
                        sums[q][v] = S::multiply_add(value, S::load(from), sums[q][v]);
                    }
                    if TAIL > 0 {
                        let from = S::load_repeated::<TAIL>(tail.add(row * TAIL));
                        tails[q] = S::multiply_add(value, from, tails[q]);
                    }
                }
            }
            let y = output.numbers.wrapping_add(i * output.stride);
            let finish = |start: usize, count: usize, [a, b, c, d]: [S::V; CHAINS]| {
                let mut sum = S::add(S::add(a, b), S::add(c, d));
                if let Some(base) = base {
                    let from = base.numbers.wrapping_add(i * base.stride + start);
                    sum = S::add(S::load_first(from, count), sum);
                }
                S::store_first(y.wrapping_add(start), count, sum);
            };
            for v in 0..FULL {
                finish(v * S::LANES, S::LANES, std::array::from_fn(|q| sums[q][v]));
            }
            if TAIL > 0 {
                finish(FULL * S::LANES, rest, tails);
            }
        }
    }
}
