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
//! 784 weights (16 KB) stay in a first-level cache of 32 KB while the rows of a tile pass; ten (31 KB) by two rows, with 12
//! loads, would not: 1.2 times as long on a processor of that kind. Rows are read front to back, which the processor
//! foresees. An element's bits depend on its own row and unit, not on which others are beside it.
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
        for first in (0..units).step_by(size) {
            let dots = Operands {
                rows: self.rows,
                inputs: self.inputs,
                x: self.x.as_ptr(),
                x_step: self.x_step,
                weight: self.weight[first * self.inputs..].as_ptr(),
                bias: self.bias.map(|bias| bias[first..].as_ptr()),
                y: self.y.ptr.wrapping_add(first),
                y_step: self.y.row_stride,
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
}

/// All rows with `UNITS` units.
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
            for i in 0..ROWS {
                S::prefetch(x.wrapping_add((i + ROWS) * x_step + k));
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
