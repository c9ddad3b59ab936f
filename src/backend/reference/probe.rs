//! What is measured while training: class moments, misclassified rows, rows of norm zero.

use super::Machine;
use crate::backend::program::BufferId;

impl Machine {
    pub(super) fn class_moments(
        &mut self,
        x: BufferId,
        labels: BufferId,
        weights: Option<BufferId>,
        moments: BufferId,
    ) {
        self.fill(moments, |m, values| {
            let (x, labels, weights) = (m.real(x), m.index(labels), weights.map(|w| m.real(w)));
            let (classes, width) = (m.rows_of(moments), x.cols + 2);
            values.fill(0.0);
            for r in 0..m.copies(moments) {
                for i in (0..x.rows).filter(|&i| weights.is_none_or(|w| w.row(r, i)[0] != 0.0)) {
                    let class = labels.row(r, i)[0] as usize;
                    let moment = &mut values[(r * classes + class) * width..][..width];
                    moment[0] += 1.0;
                    for (j, v) in x.row(r, i).iter().enumerate() {
                        moment[1] += v * v;
                        moment[2 + j] += v;
                    }
                }
            }
        });
    }

    pub(super) fn error_count(&mut self, x: BufferId, labels: BufferId, weights: Option<BufferId>, counts: BufferId) {
        self.fill(counts, |m, values| {
            let (x, labels, weights) = (m.real(x), m.index(labels), weights.map(|w| m.real(w)));
            values.fill(0.0);
            for r in 0..m.copies(counts) {
                for i in (0..x.rows).filter(|&i| weights.is_none_or(|w| w.row(r, i)[0] != 0.0)) {
                    let (row, label) = (x.row(r, i), labels.row(r, i)[0] as usize);
                    let right = if x.cols == 1 {
                        if label == 1 { row[0] > 0.0 } else { row[0] < 0.0 }
                    } else {
                        // Above every class before it and not below any after it; a row with NaN has no right answer.
                        let (before, after) = row.split_at(label);
                        before.iter().all(|v| row[label] > *v) && after.iter().all(|v| row[label] >= *v)
                    };
                    values[2 * r] += f64::from(u8::from(!right));
                    values[2 * r + 1] += 1.0;
                }
            }
        });
    }

    pub(super) fn zero_rows(&mut self, norms: BufferId, count: BufferId) {
        self.fill(count, |m, values| {
            let norms = m.real(norms);
            for (r, value) in values.iter_mut().enumerate() {
                *value = (0..norms.rows).filter(|&i| norms.row(r, i)[0] == 0.0).count() as f64;
            }
        });
    }
}
