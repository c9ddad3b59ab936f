//! Two kernels of a program in one launch: what a product's last step does with its numbers while they are in registers.
//!
//! | kernel | and the next | in `kernels/dense.cu` |
//! |---|---|---|
//! | a dense layer | tanh, ReLU or sigmoid of its result | `dense_forward` |
//! | the gradient of a layer's inputs | the derivative of the function that they come from, times it | `dense_input_grad` |
//!
//! Both write what the first alone would have written, too: other kernels may read it. Bits are those of two launches.

use super::functions::{CHEAP, number};
use super::lower::{Lowered, Lowering};
use crate::backend::kernel::{Kernel, Unary, Write};

impl Lowering<'_> {
    /// A layer and the function of its result that comes next, or backwards the gradient of a layer's inputs and the derivative of the
    /// function that they come from, in one launch.
    pub(super) fn fused(&mut self, kernel: &Kernel, next: &Kernel) -> Option<Lowered> {
        match (kernel, next) {
            (
                Kernel::Dense { x, weight, bias, y },
                Kernel::Unary {
                    function,
                    x: of,
                    y: activated,
                },
            ) if of == y && CHEAP.contains(function) && self.view(*y).copies == self.view(*activated).copies => {
                Some(self.dense(*x, *weight, *bias, *y, Some((number(*function).0, *activated))))
            }
            (
                Kernel::DenseInputGrad { dy, weight, dx },
                Kernel::UnaryGrad {
                    function,
                    x,
                    y,
                    dy: of,
                    dx: sloped,
                },
            ) if *of == dx.buffer
                && CHEAP.contains(function)
                && sloped.write == Write::Set
                && [x, y, &sloped.buffer]
                    .iter()
                    .all(|id| self.view(**id).copies == self.view(dx.buffer).copies) =>
            {
                // What `cheap_slope_of` of the kernels takes.
                let z = if *function == Unary::Tanh { *y } else { *x };
                Some(self.dense_input_grad(*dy, *weight, *dx, Some((number(*function).0, z, sloped.buffer))))
            }
            _ => None,
        }
    }
}
