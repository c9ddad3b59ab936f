//! Functions of one number and their derivatives, sums, multiples: one pass over contiguous slices.

use super::isa::Isa;
use super::math::{exp_of_negative, tanh, vectorize};
use super::tile::Rows;
use crate::backend::kernel::{Unary, Write};

/// y = f(x) for every element, compiled for the instruction set.
#[inline(always)]
fn map(isa: Isa, x: &[f32], y: &mut [f32], f: impl Fn(f32) -> f32) {
    vectorize(
        isa,
        #[inline(always)]
        || y.iter_mut().zip(x).for_each(|(y, &x)| *y = f(x)),
    );
}

/// dx (=, +=) f(v) dy for every element.
#[inline(always)]
fn chain(isa: Isa, v: &[f32], dy: &[f32], dx: &mut [f32], write: Write, f: impl Fn(f32) -> f32) {
    let each = dx.iter_mut().zip(v).zip(dy);
    match write {
        Write::Set => vectorize(
            isa,
            #[inline(always)]
            || each.for_each(|((dx, &v), &dy)| *dx = f(v) * dy),
        ),
        Write::Add => vectorize(
            isa,
            #[inline(always)]
            || each.for_each(|((dx, &v), &dy)| *dx += f(v) * dy),
        ),
    }
}

/// 1 / (1 + e^-x) by the exponential that is at most 1: it never overflows, and the left tail ends with e^x itself.
#[inline]
fn sigmoid(x: f32) -> f32 {
    let e = exp_of_negative(-x.abs());
    (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
}

/// Probability that a standard normal variable is below x, by erfc so that the left tail keeps its digits.
#[inline]
fn normal_cdf(x: f32) -> f32 {
    0.5 * libm::erfcf(-x * std::f32::consts::FRAC_1_SQRT_2)
}

/// y = f(x)
pub(super) fn unary(isa: Isa, function: Unary, x: &[f32], y: &mut [f32]) {
    match function {
        Unary::Tanh => map(isa, x, y, tanh),
        Unary::Relu => map(isa, x, y, |x| if x > 0.0 || x.is_nan() { x } else { 0.0 }),
        Unary::Gelu => map(isa, x, y, |x| x * normal_cdf(x)),
        Unary::Sigmoid => map(isa, x, y, sigmoid),
        Unary::Scale(a) => map(isa, x, y, |x| a as f32 * x),
        Unary::SubtractConstant(c) => map(isa, x, y, |x| x - c as f32),
        Unary::Logistic => map(isa, x, y, |x| (-x).max(0.0) + (-x.abs()).exp().ln_1p()),
        Unary::Hinge(h) => map(isa, x, y, |x| if x >= h as f32 { 0.0 } else { h as f32 - x }),
        Unary::SquaredHinge(h) => map(isa, x, y, |x| {
            if x >= h as f32 {
                0.0
            } else {
                (h as f32 - x) * (h as f32 - x)
            }
        }),
    }
}

/// dx (=, +=) f'(x) dy
pub(super) fn unary_grad(isa: Isa, function: Unary, x: &[f32], y: &[f32], dy: &[f32], dx: &mut [f32], write: Write) {
    match function {
        // 1 - y^2 as a product: 1 - y is exact near saturation.
        Unary::Tanh => chain(isa, y, dy, dx, write, |y| (1.0 - y) * (1.0 + y)),
        Unary::Relu => chain(isa, x, dy, dx, write, |x| if x > 0.0 { 1.0 } else { 0.0 }),
        Unary::Gelu => chain(isa, x, dy, dx, write, |x| {
            const DENSITY_AT_ZERO: f32 = 0.398_942_3;
            normal_cdf(x) + x * DENSITY_AT_ZERO * (-0.5 * x * x).exp()
        }),
        Unary::Sigmoid => chain(isa, x, dy, dx, write, |x| sigmoid(x) * sigmoid(-x)),
        Unary::Scale(a) => chain(isa, x, dy, dx, write, |_| a as f32),
        Unary::SubtractConstant(_) => chain(isa, x, dy, dx, write, |_| 1.0),
        Unary::Logistic => chain(isa, x, dy, dx, write, |x| -sigmoid(-x)),
        Unary::Hinge(h) => chain(isa, x, dy, dx, write, |x| if x < h as f32 { -1.0 } else { 0.0 }),
        Unary::SquaredHinge(h) => {
            chain(isa, x, dy, dx, write, |x| {
                if x >= h as f32 { 0.0 } else { -2.0 * (h as f32 - x) }
            });
        }
    }
}

/// y (=, +=) factor x
pub(super) fn accumulate(isa: Isa, x: &[f32], factor: f64, y: &mut [f32], write: Write) {
    chain(isa, x, x, y, write, |_| factor as f32);
}

/// y = a + factor b; a shared operand is repeated for every replica.
pub(super) fn add(isa: Isa, a: Rows<f32>, b: Rows<f32>, factor: f64, y: &mut [f32]) {
    let factor = factor as f32;
    let sum = |a: &[f32], b: &[f32], y: &mut [f32]| {
        vectorize(
            isa,
            #[inline(always)]
            || y.iter_mut().zip(a).zip(b).for_each(|((y, &a), &b)| *y = a + factor * b),
        );
    };
    if a.copies == b.copies {
        return sum(a.data, b.data, y);
    }
    let copies = a.copies.max(b.copies);
    for (n, y) in y.chunks_exact_mut(a.cols).enumerate() {
        sum(a.at(n / copies, n % copies), b.at(n / copies, n % copies), y);
    }
}
