//! What is measured while training, on a tile, in f64: class moments, misclassified rows, rows of norm zero.

use super::isa::Isa;
use super::math::vectorize;
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
    vectorize(
        isa,
        #[inline(always)]
        || {
            for (n, row) in x.data.chunks_exact(x.cols).enumerate() {
                let (i, r) = (n / x.copies, n % x.copies);
                if weights.is_some_and(|w| w.at(i, r)[0] == 0.0) {
                    continue;
                }
                let class = labels.at(i, r)[0] as usize;
                let (head, sums) = moments[(r * classes + class) * width..][..width].split_at_mut(2);
                head[0] += 1.0;
                head[1] += row.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>();
                sums.iter_mut().zip(row).for_each(|(sum, &v)| *sum += f64::from(v));
            }
        },
    );
}

/// counts[r] += (misclassified, rows); a row with NaN is misclassified.
pub(super) fn error_count(x: Rows<f32>, labels: Rows<u32>, weights: Option<Rows<f32>>, counts: &mut [f64]) {
    for (n, row) in x.data.chunks_exact(x.cols).enumerate() {
        let (i, r) = (n / x.copies, n % x.copies);
        if weights.is_some_and(|w| w.at(i, r)[0] == 0.0) {
            continue;
        }
        let label = labels.at(i, r)[0] as usize;
        let right = if x.cols == 1 {
            if label == 1 { row[0] > 0.0 } else { row[0] < 0.0 }
        } else {
            // Above every class before it and not below any after it; a row with NaN has no right answer.
            let (before, after) = row.split_at(label);
            before.iter().all(|v| row[label] > *v) && after.iter().all(|v| row[label] >= *v)
        };
        counts[2 * r] += f64::from(u8::from(!right));
        counts[2 * r + 1] += 1.0;
    }
}

/// count[r] += rows of norm 0
pub(super) fn zero_rows(norms: Rows<f32>, count: &mut [f64]) {
    for (n, norm) in norms.data.iter().enumerate() {
        count[n % norms.copies] += f64::from(u8::from(*norm == 0.0));
    }
}
