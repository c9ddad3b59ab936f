//! Functions of one number, as numbers: `enum Function` of `kernels/functions.cuh`.

use crate::backend::kernel::Unary;

/// The number of a function and its constant.
pub(super) fn number(function: Unary) -> (u32, f64) {
    match function {
        Unary::Tanh => (1, 0.0),
        Unary::Relu => (2, 0.0),
        Unary::Gelu => (3, 0.0),
        Unary::Sigmoid => (4, 0.0),
        Unary::Scale(a) => (5, a),
        Unary::SubtractConstant(c) => (6, c),
        Unary::Logistic => (7, 0.0),
        Unary::Hinge(h) => (8, h),
        Unary::SquaredHinge(h) => (9, h),
    }
}

/// Those that a dense layer takes along: a few operations of f32 (`cheap_value_of`).
pub(super) const CHEAP: [Unary; 3] = [Unary::Tanh, Unary::Relu, Unary::Sigmoid];
