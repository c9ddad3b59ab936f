//! Kernels on rows: normalisation to the unit sphere, sums over rows, sums of squares, gathers.

use super::Machine;
use crate::backend::kernel::{Divisor, Target};
use crate::backend::program::{BufferId, Element};

/// w / total, and 0 where the total is 0: a batch without weight teaches nothing.
fn share(weight: f64, total: f64) -> f64 {
    if total == 0.0 { 0.0 } else { weight / total }
}

/// A row as 2^e (scaled row) with the largest element of the scaled row in [1, 2), and the norm of the scaled row. Powers
/// of two are exact, so this changes no digit of an ordinary row; but squares neither overflow nor underflow.
fn scaled(row: &[f64]) -> (i32, Vec<f64>, f64) {
    let top = row.iter().fold(0.0, |top: f64, v| top.max(v.abs()));
    let exponent = if top > 0.0 { libm::ilogb(top) } else { 0 };
    let scaled: Vec<f64> = row.iter().map(|v| libm::scalbn(*v, -exponent)).collect();
    let norm = scaled.iter().map(|v| v * v).sum::<f64>().sqrt();
    (exponent, scaled, norm)
}

impl Machine {
    pub(super) fn row_normalize(&mut self, x: BufferId, y: BufferId, norms: BufferId) {
        self.fill(norms, |m, values| {
            let x = m.real(x);
            for r in 0..m.copies(norms) {
                for i in 0..x.rows {
                    let (exponent, _, norm) = scaled(x.row(r, i));
                    values[r * x.rows + i] = libm::scalbn(norm, exponent);
                }
            }
        });
        self.fill(y, |m, values| {
            let x = m.real(x);
            for r in 0..m.copies(y) {
                for i in 0..x.rows {
                    let (_, scaled, norm) = scaled(x.row(r, i));
                    for (j, v) in scaled.iter().enumerate() {
                        values[(r * x.rows + i) * x.cols + j] = share(*v, norm);
                    }
                }
            }
        });
    }

    pub(super) fn row_normalize_grad(&mut self, y: BufferId, norms: BufferId, dy: BufferId, dx: Target) {
        self.fill_target(dx, |m, values| {
            let (y, norms, dy) = (m.real(y), m.real(norms), m.real(dy));
            for r in 0..m.copies(dx.buffer) {
                for i in 0..y.rows {
                    let along: f64 = y.row(r, i).iter().zip(dy.row(r, i)).map(|(y, dy)| y * dy).sum();
                    for j in 0..y.cols {
                        let across = dy.row(r, i)[j] - y.row(r, i)[j] * along;
                        values[(r * y.rows + i) * y.cols + j] = share(across, norms.row(r, i)[0]);
                    }
                }
            }
        });
    }

    /// The divisor of a sum over `rows` rows in replica `r`.
    fn divide_by(&self, divisor: Divisor, r: usize, rows: usize) -> f64 {
        match divisor {
            Divisor::One => 1.0,
            Divisor::Rows => rows as f64,
            Divisor::Total(total) => self.real(total).row(r, 0)[0],
        }
    }

    pub(super) fn row_sum(&mut self, x: BufferId, weights: Option<BufferId>, divisor: Divisor, y: BufferId) {
        self.fill(y, |m, values| {
            let (x, weights) = (m.real(x), weights.map(|w| m.real(w)));
            for (r, value) in values.iter_mut().enumerate() {
                let weight = |i| weights.map_or(1.0, |w| w.row(r, i)[0]);
                let sum: f64 = (0..x.rows)
                    .filter(|&i| weight(i) != 0.0)
                    .map(|i| weight(i) * x.row(r, i)[0])
                    .sum();
                *value = share(sum, m.divide_by(divisor, r, x.rows));
            }
        });
    }

    pub(super) fn row_sum_grad(&mut self, dy: BufferId, weights: Option<BufferId>, divisor: Divisor, dx: Target) {
        self.fill_target(dx, |m, values| {
            let (dy, weights, rows) = (m.real(dy), weights.map(|w| m.real(w)), m.rows_of(dx.buffer));
            for r in 0..m.copies(dx.buffer) {
                for i in 0..rows {
                    let weight = weights.map_or(1.0, |w| w.row(r, i)[0]);
                    values[r * rows + i] = dy.row(r, 0)[0] * share(weight, m.divide_by(divisor, r, rows));
                }
            }
        });
    }

    pub(super) fn sum_squares(&mut self, x: BufferId, y: BufferId) {
        self.fill(y, |m, values| {
            let x = m.real(x);
            for (r, value) in values.iter_mut().enumerate() {
                *value = (0..x.rows).flat_map(|i| x.row(r, i)).map(|v| v * v).sum();
            }
        });
    }

    pub(super) fn sum_squares_grad(&mut self, x: BufferId, dy: BufferId, dx: Target) {
        self.fill_target(dx, |m, values| {
            let (x, dy) = (m.real(x), m.real(dy));
            let per_replica = x.rows * x.cols;
            for (n, (dx, x)) in values.iter_mut().zip(x.data).enumerate() {
                *dx = 2.0 * dy.row(n / per_replica, 0)[0] * x;
            }
        });
    }

    pub(super) fn gather(&mut self, table: BufferId, index: BufferId, y: BufferId) {
        let (rows, cols) = (self.rows_of(y), self.program.buffer(y).cols);
        let copies = self.copies(y);
        let source = |m: &Machine, r: usize, i: usize| m.index(index).row(r, i)[0] as usize;
        if matches!(self.program.buffer(y).element, Element::Index { .. }) {
            for (r, i) in (0..copies).flat_map(|r| (0..rows).map(move |i| (r, i))) {
                let row = self.index(table).row(0, source(self, r, i)).to_vec();
                self.indices[y.0][(r * rows + i) * cols..][..cols].copy_from_slice(&row);
            }
        } else {
            self.fill(y, |m, values| {
                for (r, i) in (0..copies).flat_map(|r| (0..rows).map(move |i| (r, i))) {
                    values[(r * rows + i) * cols..][..cols].copy_from_slice(m.real(table).row(0, source(m, r, i)));
                }
            });
        }
    }
}
