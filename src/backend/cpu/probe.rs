//! What is measured while training, on a tile, in f64: class moments, misclassified rows, rows of norm zero.

use super::isa::Isa;
use super::math::{sum_of_squares, vectorize};
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
    let width = x.cols + 2;
    let replicas = moments.len() / (classes * width);
    vectorize(
        isa,
        #[inline(always)]
        || {
            for i in 0..x.rows() {
                for r in 0..replicas {
                    if weights.is_some_and(|w| w.at(i, r)[0] == 0.0) {
                        continue;
                    }
                    let (row, class) = (x.at(i, r), labels.at(i, r)[0] as usize);
                    let (head, sums) = moments[(r * classes + class) * width..][..width].split_at_mut(2);
                    head[0] += 1.0;
                    head[1] += sum_of_squares(row);
                    sums.iter_mut().zip(row).for_each(|(sum, &v)| *sum += f64::from(v));
                }
            }
        },
    );
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
        // Two classes without a branch on the label.
        [first, second] => ((label == 0) & (first >= second)) | ((label == 1) & (second > first)),
        // Above every class before it and not below any after it; a row with NaN has no right answer.
        _ => {
            let (before, after) = row.split_at(label);
            before.iter().all(|v| row[label] > *v) && after.iter().all(|v| row[label] >= *v)
        }
    };
    for (r, count) in counts.chunks_exact_mut(2).enumerate() {
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
