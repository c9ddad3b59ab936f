//! Functions of one number and their derivatives, sums of two buffers.

use super::Machine;
use crate::backend::kernel::{Target, Unary};
use crate::backend::program::BufferId;

/// f(x)
fn value(function: Unary, x: f64) -> f64 {
    match function {
        Unary::Tanh => x.tanh(),
        Unary::Relu => positive_part(x),
        Unary::Gelu => x * normal_cdf(x),
        // The exponential of the side on which it is at most 1, so that the left tail ends with e^x itself.
        Unary::Sigmoid if x < 0.0 => x.exp() / (1.0 + x.exp()),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Scale(a) => a * x,
        Unary::SubtractConstant(c) => x - c,
        // log(1 + e^-x) without overflow for x << 0 and without loss of digits for x >> 0.
        Unary::Logistic => (-x).max(0.0) + (-x.abs()).exp().ln_1p(),
        Unary::Hinge(h) => positive_part(h - x),
        Unary::SquaredHinge(h) => positive_part(h - x).powi(2),
    }
}

/// max(x, 0), but NaN for NaN: `f64::max` would turn it into 0, and a diverged network would look healthy.
fn positive_part(x: f64) -> f64 {
    if x <= 0.0 { 0.0 } else { x }
}

/// f'(x); at a kink the derivative from the flat side.
fn derivative(function: Unary, x: f64) -> f64 {
    match function {
        Unary::Tanh => 1.0 - x.tanh().powi(2),
        Unary::Relu => f64::from(u8::from(x > 0.0)),
        Unary::Gelu => normal_cdf(x) + x * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt(),
        Unary::Sigmoid => value(Unary::Sigmoid, x) * value(Unary::Sigmoid, -x),
        Unary::Scale(a) => a,
        Unary::SubtractConstant(_) => 1.0,
        Unary::Logistic => -value(Unary::Sigmoid, -x),
        Unary::Hinge(h) => -f64::from(u8::from(x < h)),
        Unary::SquaredHinge(h) => -2.0 * positive_part(h - x),
    }
}

/// Probability that a standard normal variable is below x, by erfc so that the left tail keeps its digits.
fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

impl Machine {
    pub(super) fn unary(&mut self, function: Unary, x: BufferId, y: BufferId) {
        self.fill(y, |m, values| {
            for (y, &x) in values.iter_mut().zip(m.real(x).data) {
                *y = value(function, x);
            }
        });
    }

    pub(super) fn unary_grad(&mut self, function: Unary, x: BufferId, dy: BufferId, dx: Target) {
        self.fill_target(dx, |m, values| {
            for ((dx, &x), &dy) in values.iter_mut().zip(m.real(x).data).zip(m.real(dy).data) {
                *dx = derivative(function, x) * dy;
            }
        });
    }

    pub(super) fn add(&mut self, a: BufferId, b: BufferId, factor: f64, y: BufferId) {
        self.fill(y, |m, values| {
            let (a, b, rows, cols) = (m.real(a), m.real(b), m.rows_of(y), m.real(a).cols);
            for r in 0..m.copies(y) {
                for i in 0..rows {
                    for j in 0..cols {
                        values[(r * rows + i) * cols + j] = a.row(r, i)[j] + factor * b.row(r, i)[j];
                    }
                }
            }
        });
    }

    pub(super) fn accumulate(&mut self, x: BufferId, factor: f64, y: Target) {
        self.fill_target(y, |m, values| {
            for (y, x) in values.iter_mut().zip(m.real(x).data) {
                *y = factor * x;
            }
        });
    }
}
