//! Kernels on rows of a tile: normalisation to the unit sphere, weighted sums, sums of squares, gathers.

use super::isa::Isa;
use super::simd::{Simd, Vectorized, dispatch};
use super::tile::Rows;
use crate::backend::kernel::Write;

/// norms_i = |x_i|, y_i = x_i / |x_i|. The squares are summed in f64, where squares of f32 neither overflow nor vanish, so
/// only a row of zeros has norm 0.
pub(super) fn row_normalize(isa: Isa, x: Rows<f32>, y: &mut [f32], norms: &mut [f32]) {
    assert!(y.len() == x.data.len() && norms.len() == x.rows() * x.copies);
    dispatch(isa, RowNormalize { x, y, norms });
}

struct RowNormalize<'a> {
    x: Rows<'a, f32>,
    y: &'a mut [f32],
    norms: &'a mut [f32],
}

impl Vectorized for RowNormalize<'_> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let cols = self.x.cols;
        let rows = self.x.data.chunks_exact(cols).zip(self.y.chunks_exact_mut(cols));
        for ((x, y), norm) in rows.zip(self.norms) {
            // SAFETY: the instruction set is the caller's promise; every part is within its row.
            unsafe {
                let length = squares::<S>(x).sqrt();
                let inverse = if length == 0.0 { 0.0 } else { 1.0 / length };
                *norm = length as f32;
                let inverse = S::wide_splat(inverse);
                for start in (0..cols).step_by(S::LANES) {
                    let count = (cols - start).min(S::LANES);
                    let part = S::widen(S::load_first(x.as_ptr().add(start), count));
                    let part = S::narrow(S::wide_multiply(part, inverse));
                    S::store_first(y.as_mut_ptr().add(start), count, part);
                }
            }
        }
    }
}

/// sum of x^2 in f64: a partial sum per lane, then a tree.
///
/// # Safety
/// The processor has the instruction set of `S`.
#[inline(always)]
pub(super) unsafe fn squares<S: Simd>(x: &[f32]) -> f64 {
    // SAFETY: the instruction set is the caller's promise; every part is within the row.
    unsafe {
        let mut sums = S::wide_splat(0.0);
        for start in (0..x.len()).step_by(S::LANES) {
            let part = S::widen(S::load_first(x.as_ptr().add(start), (x.len() - start).min(S::LANES)));
            sums = S::wide_add(sums, S::wide_multiply(part, part));
        }
        S::wide_total(sums)
    }
}

/// dx_i (=, +=) (dy_i - y_i (y_i . dy_i)) / norms_i, in f64: products of f32 are exact there, and no error grows with the
/// width.
pub(super) fn row_normalize_grad(y: Rows<f32>, norms: Rows<f32>, dy: Rows<f32>, dx: &mut [f32], write: Write) {
    let rows = y
        .data
        .chunks_exact(y.cols)
        .zip(dy.data.chunks_exact(y.cols))
        .zip(norms.data);
    for (dx, ((y, dy), &norm)) in dx.chunks_exact_mut(y.cols).zip(rows) {
        let along: f64 = y.iter().zip(dy).map(|(&y, &dy)| f64::from(y) * f64::from(dy)).sum();
        for ((dx, &y), &dy) in dx.iter_mut().zip(y).zip(dy) {
            let value = if norm == 0.0 {
                0.0
            } else {
                ((f64::from(dy) - f64::from(y) * along) / f64::from(norm)) as f32
            };
            match write {
                Write::Set => *dx = value,
                Write::Add => *dx += value,
            }
        }
    }
}

/// sum_r += sum_i w_i x_i over the tile, in f64. A row of weight 0 is masked: it may hold anything.
pub(super) fn row_sum(x: Rows<f32>, weights: Option<Rows<f32>>, sums: &mut [f64]) {
    for (r, sum) in sums.iter_mut().enumerate() {
        for i in 0..x.rows() {
            let weight = weights.map_or(1.0, |w| w.at(i, r)[0]);
            if weight != 0.0 {
                *sum += f64::from(weight) * f64::from(x.at(i, r)[0]);
            }
        }
    }
}

/// dx_i (=, +=) w_i scale_r, with scale = dy / divisor for every replica: in f64, since weights that are small beside
/// each other's sum may be small beside everything.
pub(super) fn row_sum_grad(
    scale: impl Fn(usize) -> f64,
    weights: Option<Rows<f32>>,
    copies: usize,
    dx: &mut [f32],
    write: Write,
) {
    for r in 0..copies {
        let scale = scale(r);
        for (i, dx) in dx[r..].iter_mut().step_by(copies).enumerate() {
            let value = (scale * weights.map_or(1.0, |w| f64::from(w.at(i, r)[0]))) as f32;
            match write {
                Write::Set => *dx = value,
                Write::Add => *dx += value,
            }
        }
    }
}

/// y_r = sum of the squares of x of replica r, in f64.
pub(super) fn sum_squares(x: &[f32], y: &mut [f32]) {
    let per_replica = x.len() / y.len();
    for (y, x) in y.iter_mut().zip(x.chunks_exact(per_replica)) {
        *y = x.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>() as f32;
    }
}

/// dx (=, +=) 2 dy_r x
pub(super) fn sum_squares_grad(x: &[f32], dy: &[f32], dx: &mut [f32], write: Write) {
    let per_replica = x.len() / dy.len();
    let replicas = dx
        .chunks_exact_mut(per_replica)
        .zip(x.chunks_exact(per_replica))
        .zip(dy);
    for ((dx, x), dy) in replicas {
        for (dx, x) in dx.iter_mut().zip(x) {
            match write {
                Write::Set => *dx = 2.0 * dy * x,
                Write::Add => *dx += 2.0 * dy * x,
            }
        }
    }
}

/// y_i = table[index_i]
pub(super) fn gather<T: Copy>(table: Rows<T>, index: Rows<u32>, y: &mut [T]) {
    for (y, &i) in y.chunks_exact_mut(table.cols).zip(index.data) {
        y.copy_from_slice(table.at(i as usize, 0));
    }
}
