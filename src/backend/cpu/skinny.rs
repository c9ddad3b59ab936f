//! The dense layer with few units: y_iu = b_u + sum_k x_ik w_uk as dots along k.
//!
//! A tile of columns of the general product is 32 wide, of which 20 units fill 20, and 2 units fill 2. Along k every lane
//! works, and neither operand is copied:
//!
//! ```text
//!                  k 0..16        k 16..32            the lanes' sums
//!   w_0       | load         | load         | ...
//!   w_1       |              |              |
//!    ...
//!   x_0  x    | s_0u += x w  |              | ...     y_0u = b_u + tree of s_0u
//!   x_1       | s_1u += x w  |              |         y_1u = b_u + tree of s_1u
//! ```
//!
//! Four rows by five units are 20 sums in registers (AVX-512), fed by 9 loads: the multipliers are the limit. Five units of
//! 784 weights (16 KB) stay in a first-level cache of 32 KB while a block of rows passes; ten (31 KB) by two rows, with 12
//! loads, would not: 1.2 times as long on a processor of that kind. An element's bits depend on its own row and unit, not
//! on which others are beside it.
//!
//! Every group of units reads all rows, but only the first has to wait for memory. So rows go block by block, and while the
//! groups are at one block they ask for the next, each for a part of it: memory and multipliers work at the same time.
//!
//! ```text
//!   rows 0..64       | group 0 | group 1 | group 2 | group 3 |   from the second-level cache
//!   rows 64..80         asked                                      (0.8 of the time of an epoch that reads its rows from
//!   rows 80..96                   asked                             memory, one network of 784-20-2)
//!   rows 96..112                            asked
//!   rows 112..128                                     asked
//! ```
//!
//! Roundings on the longest way: k / lanes, the tree over the lanes, the bias.

#![expect(
    clippy::needless_range_loop,
    reason = "an index that names the register is clearer, and unrolls; closures over registers may be left as calls"
)]

use super::gemm::MatMut;
use super::isa::Isa;
use super::simd::{Simd, Vectorized, dispatch, registers};

/// Most units per replica for which this is faster than the general product.
pub(super) const MOST_UNITS: usize = 32;

/// Rows of a block: two of 784 numbers are 400 KB. With 32 or 128 rows the epoch took 1.05 times as long.
const BLOCK: usize = 64;

/// Rows and units at a time, at most, where so many sums fit. With 32 registers the fewest loads; with 16 three rows by four
/// units were no faster on AVX2, and without multiply-adds, whose products need a register too, 1.5 times slower.
const fn rows_by_units(sums: usize) -> (usize, usize) {
    let rows = if sums < 20 { 2 } else { 4 };
    (rows, sums / rows)
}

/// One replica's layer on a tile of rows.
pub(super) struct Layer<'a> {
    pub isa: Isa,
    pub rows: usize,
    /// x: row i begins at `x_step * i` and has as many numbers as the weights of a unit.
    pub x: &'a [f32],
    pub x_step: usize,
    /// `[units, inputs]`
    pub weight: &'a [f32],
    pub inputs: usize,
    pub bias: Option<&'a [f32]>,
    /// `[rows, units]`; other replicas' units lie between the rows.
    pub y: MatMut,
}

impl Layer<'_> {
    /// Writes y.
    ///
    /// # Safety
    /// y can be written, and nobody else uses its numbers meanwhile.
    pub unsafe fn run(self) {
        let units = self.weight.len() / self.inputs;
        assert!(self.rows > 0 && (self.rows - 1) * self.x_step + self.inputs <= self.x.len());
        assert!(self.bias.is_none_or(|bias| bias.len() == units));
        // Groups as equal as possible: small ones waste loads of x.
        let (_, sums) = registers(self.isa);
        let (_, most) = rows_by_units(sums);
        let size = units.div_ceil(units.div_ceil(most));
        for row in (0..self.rows).step_by(BLOCK) {
            for first in (0..units).step_by(size) {
                let dots = Operands {
                    rows: BLOCK.min(self.rows - row),
                    inputs: self.inputs,
                    x: self.x.as_ptr().wrapping_add(row * self.x_step),
                    x_step: self.x_step,
                    weight: self.weight[first * self.inputs..].as_ptr(),
                    bias: self.bias.map(|bias| bias[first..].as_ptr()),
                    y: self.y.ptr.wrapping_add(row * self.y.row_stride + first),
                    y_step: self.y.row_stride,
                    group: first / size,
                    only: size >= units,
                };
                match size.min(units - first) {
                    1 => dispatch(self.isa, Dots::<1>(dots)),
                    2 => dispatch(self.isa, Dots::<2>(dots)),
                    3 => dispatch(self.isa, Dots::<3>(dots)),
                    4 => dispatch(self.isa, Dots::<4>(dots)),
                    5 => dispatch(self.isa, Dots::<5>(dots)),
                    6 => dispatch(self.isa, Dots::<6>(dots)),
                    _ => unreachable!("no instruction set has sums for more units"),
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Operands {
    rows: usize,
    inputs: usize,
    x: *const f32,
    x_step: usize,
    weight: *const f32,
    bias: Option<*const f32>,
    y: *mut f32,
    y_step: usize,
    /// Which group of units this is: says what part of the next block it asks for.
    group: usize,
    /// And there is no other.
    only: bool,
}

/// All rows of a block with `UNITS` units.
struct Dots<const UNITS: usize>(Operands);

impl<const UNITS: usize> Vectorized for Dots<UNITS> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the caller's promise.
        unsafe {
            match rows_by_units(S::SUMS) {
                // No group has so many units: nothing to compile.
                (_, most) if UNITS > most => unreachable!("groups have the units whose sums fit"),
                (4, _) => all_rows::<S, 4, UNITS>(self.0),
                _ => all_rows::<S, 2, UNITS>(self.0),
            }
        }
    }
}

/// `ROWS` at a time, and the rest one by one.
///
/// # Safety
/// The processor has the instruction set, and the rows are there.
#[inline(always)]
unsafe fn all_rows<S: Simd, const ROWS: usize, const UNITS: usize>(operands: Operands) {
    let whole = operands.rows / ROWS * ROWS;
    // SAFETY: the caller's promise.
    unsafe {
        for first in (0..whole).step_by(ROWS) {
            rows::<S, ROWS, UNITS>(operands, first);
        }
        for first in whole..operands.rows {
            rows::<S, 1, UNITS>(operands, first);
        }
    }
}

/// Rows `first..first + ROWS`.
///
/// # Safety
/// The processor has the instruction set, and the rows are there.
#[inline(always)]
unsafe fn rows<S: Simd, const ROWS: usize, const UNITS: usize>(operands: Operands, first: usize) {
    let Operands { inputs, x_step, .. } = operands;
    let x = operands.x.wrapping_add(first * x_step);
    // One row for each `ROWS`: as many groups as that ask for all. Past the last block it is most often the thread's next tile.
    let ahead = BLOCK + operands.group % ROWS * (BLOCK / ROWS) + first / ROWS;
    let ahead = operands.x.wrapping_add(ahead * x_step);
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[S::splat(0.0); UNITS]; ROWS];
        // The address of a unit's weights is one of two pointers plus 0, 1 or 2 strides: with one for each unit the general
        // registers would not do.
        let mut weights = [operands.weight; 2];
        for g in 0..2 {
            weights[g] = operands.weight.wrapping_add(3 * g * inputs);
        }
        let whole = inputs / S::LANES * S::LANES;
        for k in (0..whole).step_by(S::LANES) {
            let mut row = [S::splat(0.0); ROWS];
            if !operands.only {
                S::prefetch_far(ahead.wrapping_add(k));
            }
            for i in 0..ROWS {
                if operands.only {
                    S::prefetch(x.wrapping_add((i + ROWS) * x_step + k));
                }
                row[i] = S::load(x.wrapping_add(i * x_step + k));
            }
            for u in 0..UNITS {
                let w = S::load(weights[u / 3].wrapping_add(u % 3 * inputs));
                for i in 0..ROWS {
                    sums[i][u] = S::multiply_add(w, row[i], sums[i][u]);
                }
            }
            for pointer in &mut weights {
                *pointer = pointer.wrapping_add(S::LANES);
            }
        }
        let rest = inputs - whole;
        if rest > 0 {
            let mut row = [S::splat(0.0); ROWS];
            for i in 0..ROWS {
                row[i] = S::load_first(x.wrapping_add(i * x_step + whole), rest);
            }
            for u in 0..UNITS {
                let w = S::load_first(weights[u / 3].wrapping_add(u % 3 * inputs), rest);
                for i in 0..ROWS {
                    sums[i][u] = S::multiply_add(w, row[i], sums[i][u]);
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            let y = operands.y.wrapping_add((first + i) * operands.y_step);
            for start in (0..UNITS).step_by(4) {
                let mut four = [S::splat(0.0); 4];
                for q in 0..4 {
                    four[q] = sums[(start + q).min(UNITS - 1)];
                }
                let totals = S::totals_of_four(four);
                for q in 0..4.min(UNITS - start) {
                    let bias = operands.bias.map_or(0.0, |bias| *bias.add(start + q));
                    *y.add(start + q) = totals[q] + bias;
                }
            }
        }
    }
}
