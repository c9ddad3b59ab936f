//! What is measured while training, on a tile, in f64: class moments, misclassified rows, rows of norm zero.

use super::isa::Isa;
use super::rows::squares;
use super::simd::{Simd, Vectorized, dispatch};
use super::tile::Rows;

/// moments[r][c] += (1, |x_i|^2, x_i) for every row i of class c.
pub(super) fn class_moments(
    isa: Isa,
    x: Rows<f32>,
    labels: Rows<u32>,
    weights: Option<Rows<f32>>,
    classes: usize,
    moments: &mut [f64],
) {
    let moments = Moments {
        x,
        labels,
        weights,
        classes,
        moments,
    };
    dispatch(isa, moments);
}

struct Moments<'a> {
    x: Rows<'a, f32>,
    labels: Rows<'a, u32>,
    weights: Option<Rows<'a, f32>>,
    classes: usize,
    moments: &'a mut [f64],
}

impl Vectorized for Moments<'_> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let cols = self.x.cols;
        let (width, whole) = (cols + 2, cols / S::LANES * S::LANES);
        let replicas = self.moments.len() / (self.classes * width);
        for i in 0..self.x.rows() {
            for r in 0..replicas {
                if self.weights.is_some_and(|w| w.at(i, r)[0] == 0.0) {
                    continue;
                }
                let (row, class) = (self.x.at(i, r), self.labels.at(i, r)[0] as usize);
                let (head, sums) = self.moments[(r * self.classes + class) * width..][..width].split_at_mut(2);
                // SAFETY: the instruction set is the caller's promise; whole vectors end before `cols`.
                unsafe {
                    head[0] += 1.0;
                    head[1] += squares::<S>(row);
                    for start in (0..whole).step_by(S::LANES) {
                        let sum = sums.as_mut_ptr().add(start);
                        let part = S::widen(S::load(row.as_ptr().add(start)));
                        S::wide_store(sum, S::wide_add(S::wide_load(sum), part));
                    }
                }
                for (sum, &v) in sums[whole..].iter_mut().zip(&row[whole..]) {
                    *sum += f64::from(v);
                }
            }
        }
    }
}

/// counts[r] += (misclassified, rows); a row with NaN is misclassified.
pub(super) fn error_count(x: Rows<f32>, labels: Rows<u32>, weights: Option<Rows<f32>>, counts: &mut [f64]) {
    let right = |row: &[f32], label: usize| match row {
        [output] => {
            if label == 1 {
                *output > 0.0
            } else {
                *output < 0.0
            }
        }
        // Above every class before it and not below any after it; a row with NaN has no right answer.
        _ => {
            let (before, after) = row.split_at(label);
            before.iter().all(|v| row[label] > *v) && after.iter().all(|v| row[label] >= *v)
        }
    };
    let pairs = x.data.as_chunks::<2>().0;
    for (r, count) in counts.chunks_exact_mut(2).enumerate() {
        if x.cols == 2 && weights.is_none() {
            let own = |copies: usize| if copies == 1 { 0 } else { r };
            let outputs = pairs[own(x.copies)..].iter().step_by(x.copies);
            let labels = labels.data[own(labels.copies)..].iter().step_by(labels.copies);
            // Two classes without a branch on the label.
            let right = |(&[first, second], &label): (&[f32; 2], &u32)| {
                u32::from(((label == 0) & (first >= second)) | ((label == 1) & (second > first)))
            };
            let right: u32 = outputs.zip(labels).map(right).sum();
            count[0] += x.rows() as f64 - f64::from(right);
            count[1] += x.rows() as f64;
            continue;
        }
        let (mut wrong, mut rows) = (0u32, 0u32);
        for i in 0..x.rows() {
            let counted = u32::from(weights.is_none_or(|w| w.at(i, r)[0] != 0.0));
            wrong += counted & u32::from(!right(x.at(i, r), labels.at(i, r)[0] as usize));
            rows += counted;
        }
        count[0] += f64::from(wrong);
        count[1] += f64::from(rows);
    }
}

/// count[r] += rows of norm 0
pub(super) fn zero_rows(norms: Rows<f32>, count: &mut [f64]) {
    for row in norms.data.chunks_exact(norms.copies) {
        for (count, norm) in count.iter_mut().zip(row) {
            *count += f64::from(u8::from(*norm == 0.0));
        }
    }
}
