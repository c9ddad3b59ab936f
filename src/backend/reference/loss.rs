//! Losses per row: softmax cross-entropy, the margin of the label over the others, squared error, penalty on the outputs.

use super::Machine;
use crate::backend::kernel::Target;
use crate::backend::program::BufferId;

/// Index of the largest element outside `skip`, lowest index on ties; `None` if there is none. NaN counts as largest, so
/// that a margin over it is NaN.
fn best_other(x: &[f64], skip: usize) -> Option<usize> {
    (0..x.len())
        .filter(|&j| j != skip)
        .reduce(|best, j| if x[j] > x[best] || x[j].is_nan() { j } else { best })
}

impl Machine {
    pub(super) fn softmax_cross_entropy(&mut self, x: BufferId, labels: BufferId, y: BufferId) {
        self.fill(y, |m, values| {
            let (x, labels) = (m.real(x), m.index(labels));
            for r in 0..m.copies(y) {
                for i in 0..x.rows {
                    let row = x.row(r, i);
                    let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    // The largest term is exactly 1: taking it out keeps the digits of a small loss (ln_1p).
                    let at_top = row.iter().position(|&v| v == top).unwrap_or(0);
                    let rest: f64 = row
                        .iter()
                        .enumerate()
                        .filter(|&(j, _)| j != at_top)
                        .map(|(_, v)| (v - top).exp())
                        .sum();
                    values[r * x.rows + i] = rest.ln_1p() + (top - row[labels.row(r, i)[0] as usize]);
                }
            }
        });
    }

    pub(super) fn softmax_cross_entropy_grad(&mut self, x: BufferId, labels: BufferId, dy: BufferId, dx: Target) {
        self.fill_target(dx, |m, values| {
            let (x, labels, dy) = (m.real(x), m.index(labels), m.real(dy));
            for r in 0..m.copies(dx.buffer) {
                for i in 0..x.rows {
                    let row = x.row(r, i);
                    let label = labels.row(r, i)[0] as usize;
                    let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let total: f64 = row.iter().map(|v| (v - top).exp()).sum();
                    let others: f64 = row
                        .iter()
                        .enumerate()
                        .filter(|&(j, _)| j != label)
                        .map(|(_, v)| (v - top).exp())
                        .sum();
                    for (j, v) in row.iter().enumerate() {
                        // softmax - 1 as minus the sum of the others: no cancellation when the row is learnt.
                        let slope = if j == label {
                            -others / total
                        } else {
                            (v - top).exp() / total
                        };
                        values[(r * x.rows + i) * x.cols + j] = dy.row(r, i)[0] * slope;
                    }
                }
            }
        });
    }

    pub(super) fn margin(&mut self, x: BufferId, labels: BufferId, y: BufferId) {
        self.fill(y, |m, values| {
            let (x, labels) = (m.real(x), m.index(labels));
            for r in 0..m.copies(y) {
                for i in 0..x.rows {
                    let (row, label) = (x.row(r, i), labels.row(r, i)[0] as usize);
                    values[r * x.rows + i] = match best_other(row, label) {
                        _ if x.cols == 1 => row[0] * sign(label),
                        Some(other) => row[label] - row[other],
                        None => row[label],
                    };
                }
            }
        });
    }

    pub(super) fn margin_grad(&mut self, x: BufferId, labels: BufferId, dy: BufferId, dx: Target) {
        self.fill_target(dx, |m, values| {
            let (x, labels, dy) = (m.real(x), m.index(labels), m.real(dy));
            for r in 0..m.copies(dx.buffer) {
                for i in 0..x.rows {
                    let (row, label, dy) = (x.row(r, i), labels.row(r, i)[0] as usize, dy.row(r, i)[0]);
                    let dx = &mut values[(r * x.rows + i) * x.cols..][..x.cols];
                    if x.cols == 1 {
                        dx[0] = dy * sign(label);
                    } else {
                        dx[label] = dy;
                        if let Some(other) = best_other(row, label) {
                            dx[other] = -dy;
                        }
                    }
                }
            }
        });
    }

    pub(super) fn squared_error(&mut self, x: BufferId, target: BufferId, y: BufferId) {
        self.fill(y, |m, values| {
            let (x, target) = (m.real(x), m.real(target));
            for r in 0..m.copies(y) {
                for i in 0..x.rows {
                    let sum: f64 = x
                        .row(r, i)
                        .iter()
                        .zip(target.row(r, i))
                        .map(|(x, t)| (x - t) * (x - t))
                        .sum();
                    values[r * x.rows + i] = sum / x.cols as f64;
                }
            }
        });
    }

    pub(super) fn squared_error_grad(&mut self, x: BufferId, target: BufferId, dy: BufferId, dx: Target) {
        self.fill_target(dx, |m, values| {
            let (x, target, dy) = (m.real(x), m.real(target), m.real(dy));
            for r in 0..m.copies(dx.buffer) {
                for i in 0..x.rows {
                    for j in 0..x.cols {
                        let difference = x.row(r, i)[j] - target.row(r, i)[j];
                        values[(r * x.rows + i) * x.cols + j] = 2.0 * dy.row(r, i)[0] * difference / x.cols as f64;
                    }
                }
            }
        });
    }

    pub(super) fn logit_penalty(&mut self, x: BufferId, labels: BufferId, centres: &[f64], y: BufferId) {
        self.fill(y, |m, values| {
            let (x, labels) = (m.real(x), m.index(labels));
            for r in 0..m.copies(y) {
                for i in 0..x.rows {
                    let centre = &centres[labels.row(r, i)[0] as usize * x.cols..][..x.cols];
                    let differences = x.row(r, i).iter().zip(centre);
                    values[r * x.rows + i] = differences.map(|(x, c)| (x - c) * (x - c)).sum();
                }
            }
        });
    }

    pub(super) fn logit_penalty_grad(
        &mut self,
        x: BufferId,
        labels: BufferId,
        centres: &[f64],
        dy: BufferId,
        dx: Target,
    ) {
        self.fill_target(dx, |m, values| {
            let (x, labels, dy) = (m.real(x), m.index(labels), m.real(dy));
            for r in 0..m.copies(dx.buffer) {
                for i in 0..x.rows {
                    let label = labels.row(r, i)[0] as usize;
                    for j in 0..x.cols {
                        let difference = x.row(r, i)[j] - centres[label * x.cols + j];
                        values[(r * x.rows + i) * x.cols + j] = 2.0 * dy.row(r, i)[0] * difference;
                    }
                }
            }
        });
    }
}

/// Label 1 wants a positive output, label 0 a negative one.
fn sign(label: usize) -> f64 {
    if label == 1 { 1.0 } else { -1.0 }
}
