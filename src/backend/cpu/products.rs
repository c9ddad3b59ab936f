//! The matrix products that a dense layer is.
//!
//! Rows lie as `[rows, copies, cols]`. With x shared the replicas' layers are one product: Y `[T, R out]` is X `[T, in]`
//! times all weights `[R out, in]` transposed, and the weight gradients are one product too. With x of every replica's own
//! it is one product per replica on strided rows. Either way an element's bits are the same (see `gemm`).

use std::ops::Range;

use super::gemm::{MatMut, MatRef, Product, Workspace};
use super::isa::Isa;
use super::tile::Rows;
use crate::backend::kernel::Write;

/// Products of one shape at equal distances in memory: one for all replicas, or one for each.
pub(super) struct Products {
    /// The first replica's, or the only one.
    pub(super) first: Product,
    pub(super) count: usize,
    /// Whether the result's rows are units, as those of the weights are.
    pub(super) units_are_rows: bool,
    /// From the operands of one to those of the next.
    step: Step,
}

#[derive(Clone, Copy)]
struct Step {
    a: usize,
    b: usize,
    c: usize,
}

/// With x shared one product of all units, with x of each replica's own one product of its own units: how many, of how
/// many units, and how far their rows of x are apart.
fn split(x: Rows<f32>, outputs: usize) -> (usize, usize, usize) {
    if x.copies == 1 {
        (1, outputs, 0)
    } else {
        (x.copies, outputs / x.copies, x.cols)
    }
}

fn rows_of(x: Rows<f32>) -> MatRef {
    MatRef {
        ptr: x.data.as_ptr(),
        row_stride: x.copies * x.cols,
        col_stride: 1,
    }
}

impl Products {
    /// Y = X W^T: weight `[R, out, in]`, y `[rows, R, out]`.
    pub(super) fn forward(isa: Isa, x: Rows<f32>, weight: &[f32], y: &mut [f32]) -> Products {
        let (rows, inputs) = (x.rows(), x.cols);
        let outputs = weight.len() / inputs;
        assert!(weight.len() == outputs * inputs && y.len() == rows * outputs);
        let (count, units, apart) = split(x, outputs);
        let first = Product {
            isa,
            m: rows,
            k: inputs,
            n: units,
            a: rows_of(x),
            b: MatRef {
                ptr: weight.as_ptr(),
                row_stride: 1,
                col_stride: inputs,
            },
            c: MatMut {
                ptr: y.as_mut_ptr(),
                row_stride: outputs,
            },
            accumulate: false,
        };
        let step = Step {
            a: apart,
            b: units * inputs,
            c: units,
        };
        Products {
            first,
            count,
            units_are_rows: false,
            step,
        }
    }

    /// dX (=, +=) dY W, one product per replica: dx `[rows, R, in]`.
    pub(super) fn input_grad(isa: Isa, dy: Rows<f32>, weight: &[f32], dx: &mut [f32], write: Write) -> Products {
        let (rows, out, copies) = (dy.rows(), dy.cols, dy.copies);
        let inputs = weight.len() / (copies * out);
        assert!(weight.len() == copies * out * inputs && dx.len() == rows * copies * inputs);
        let first = Product {
            isa,
            m: rows,
            k: out,
            n: inputs,
            a: rows_of(dy),
            b: MatRef {
                ptr: weight.as_ptr(),
                row_stride: inputs,
                col_stride: 1,
            },
            c: MatMut {
                ptr: dx.as_mut_ptr(),
                row_stride: copies * inputs,
            },
            accumulate: write == Write::Add,
        };
        let step = Step {
            a: out,
            b: out * inputs,
            c: inputs,
        };
        Products {
            first,
            count: copies,
            units_are_rows: false,
            step,
        }
    }

    /// dW (=, +=) dY^T X: dweight `[R, out, in]`.
    pub(super) fn weight_grad(isa: Isa, dy: Rows<f32>, x: Rows<f32>, dweight: &mut [f32], write: Write) -> Products {
        let (rows, inputs, outputs) = (x.rows(), x.cols, dy.copies * dy.cols);
        assert!(dy.rows() == rows && dweight.len() == outputs * inputs);
        let (count, units, apart) = split(x, outputs);
        let first = Product {
            isa,
            m: units,
            k: rows,
            n: inputs,
            a: rows_of(dy).transposed(),
            b: rows_of(x),
            c: MatMut {
                ptr: dweight.as_mut_ptr(),
                row_stride: inputs,
            },
            accumulate: write == Write::Add,
        };
        let step = Step {
            a: units,
            b: apart,
            c: units * inputs,
        };
        Products {
            first,
            count,
            units_are_rows: true,
            step,
        }
    }

    /// The rows and columns of product `number`'s result.
    pub(super) fn part(&self, number: usize, rows: Range<usize>, columns: Range<usize>) -> Product {
        let Product { a, b, c, .. } = self.first;
        let product = Product {
            a: MatRef {
                ptr: a.ptr.wrapping_add(number * self.step.a),
                ..a
            },
            b: MatRef {
                ptr: b.ptr.wrapping_add(number * self.step.b),
                ..b
            },
            c: MatMut {
                ptr: c.ptr.wrapping_add(number * self.step.c),
                ..c
            },
            ..self.first
        };
        product.part(rows, columns)
    }

    /// All of them, on this thread.
    ///
    /// # Safety
    /// The slices that they were made from are still there, and nobody else uses the result.
    pub(super) unsafe fn run(&self, workspace: &mut Workspace) {
        for number in 0..self.count {
            let product = self.part(number, 0..self.first.m, 0..self.first.n);
            // SAFETY: the last element of each operand is in its slice: the constructors have compared the lengths.
            unsafe { product.run(workspace) };
        }
    }
}
