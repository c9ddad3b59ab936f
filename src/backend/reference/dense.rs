//! The dense layer y = W x + b and its gradients dx = W^T dy, dW = sum_i dy_i x_i^T, db = sum_i dy_i.

use super::Machine;
use crate::backend::kernel::Target;
use crate::backend::program::BufferId;

impl Machine {
    pub(super) fn dense(&mut self, x: BufferId, weight: BufferId, bias: Option<BufferId>, y: BufferId) {
        self.fill(y, |m, values| {
            let (x, weight, bias) = (m.real(x), m.real(weight), bias.map(|b| m.real(b)));
            let (rows, out) = (m.rows_of(y), weight.rows);
            for r in 0..m.copies(y) {
                for i in 0..rows {
                    for o in 0..out {
                        let mut sum = 0.0;
                        for (w, x) in weight.row(r, o).iter().zip(x.row(r, i)) {
                            sum += w * x;
                        }
                        values[(r * rows + i) * out + o] = sum + bias.map_or(0.0, |b| b.row(r, 0)[o]);
                    }
                }
            }
        });
    }

    pub(super) fn dense_input_grad(&mut self, dy: BufferId, weight: BufferId, dx: Target) {
        self.fill_target(dx, |m, values| {
            let (dy, weight) = (m.real(dy), m.real(weight));
            let rows = dy.rows;
            for r in 0..m.copies(dx.buffer) {
                for i in 0..rows {
                    for j in 0..weight.cols {
                        let mut sum = 0.0;
                        for (o, dy) in dy.row(r, i).iter().enumerate() {
                            sum += dy * weight.row(r, o)[j];
                        }
                        values[(r * rows + i) * weight.cols + j] = sum;
                    }
                }
            }
        });
    }

    pub(super) fn dense_weight_grad(
        &mut self,
        dy: BufferId,
        x: BufferId,
        dweight: Option<Target>,
        dbias: Option<Target>,
    ) {
        if let Some(dweight) = dweight {
            self.fill_target(dweight, |m, values| {
                let (dy, x) = (m.real(dy), m.real(x));
                for r in 0..m.copies(dweight.buffer) {
                    for i in 0..dy.rows {
                        for (o, dy_o) in dy.row(r, i).iter().enumerate() {
                            for (j, x_j) in x.row(r, i).iter().enumerate() {
                                values[(r * dy.cols + o) * x.cols + j] += dy_o * x_j;
                            }
                        }
                    }
                }
            });
        }
        if let Some(dbias) = dbias {
            self.fill_target(dbias, |m, values| {
                let dy = m.real(dy);
                for r in 0..m.copies(dbias.buffer) {
                    for i in 0..dy.rows {
                        for (o, dy_o) in dy.row(r, i).iter().enumerate() {
                            values[r * dy.cols + o] += dy_o;
                        }
                    }
                }
            });
        }
    }
}
