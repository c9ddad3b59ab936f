//! The dense layer on a tile of rows.
//!
//! Rows lie as `[rows, copies, cols]`. With x shared the replicas' layers are one product: Y `[T, R out]` is X `[T, in]`
//! times all weights `[R out, in]` transposed, and the weight gradients are one product too. With x of every replica's own
//! it is one product per replica on strided rows. Either way an element's bits are the same (see `gemm`).

use super::gemm::{MatMut, MatRef, Workspace, gemm};
use super::isa::Isa;
use super::math::vectorize;
use super::skinny;
use super::tile::Rows;
use crate::backend::kernel::Write;

/// How the replica axis is cut into products: their number, and each one's units and offsets.
struct Split {
    products: usize,
    units: usize,
    /// From one product's x row to the next one's.
    x_step: usize,
}

/// `outputs` is R x out, the units of all replicas.
fn split(x: Rows<f32>, outputs: usize) -> Split {
    if x.copies == 1 {
        Split {
            products: 1,
            units: outputs,
            x_step: 0,
        }
    } else {
        Split {
            products: x.copies,
            units: outputs / x.copies,
            x_step: x.cols,
        }
    }
}

/// y_i = W x_i + b, for all replicas: weight `[R, out, in]`, bias `[R, 1, out]`, y `[rows, R, out]`.
pub(super) fn dense(
    isa: Isa,
    workspace: &mut Workspace,
    x: Rows<f32>,
    weight: Rows<f32>,
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    let (rows, inputs, replicas) = (x.rows(), x.cols, weight.copies);
    let outputs = weight.data.len() / inputs;
    // By a replica's own units, so that a network is treated alone as beside others.
    if outputs / replicas <= skinny::MOST_UNITS {
        let own = outputs / replicas;
        for r in 0..replicas {
            let layer = skinny::Layer {
                isa,
                rows,
                x: &x.data[if x.copies == 1 { 0 } else { r * inputs }..],
                x_step: x.copies * inputs,
                weight: &weight.data[r * own * inputs..][..own * inputs],
                inputs,
                bias: bias.map(|bias| &bias[r * own..][..own]),
                y: &mut y[r * own..],
                y_step: outputs,
            };
            layer.run();
        }
        return;
    }
    let weight = weight.data;
    let Split {
        products,
        units,
        x_step,
    } = split(x, outputs);
    for p in 0..products {
        let a = MatRef {
            ptr: x.data[p * x_step..].as_ptr(),
            row_stride: x.copies * inputs,
            col_stride: 1,
        };
        let b = MatRef {
            ptr: weight[p * units * inputs..].as_ptr(),
            row_stride: 1,
            col_stride: inputs,
        };
        let c = MatMut {
            ptr: y[p * units..].as_mut_ptr(),
            row_stride: outputs,
        };
        // SAFETY: x has `rows` rows of stride copies * inputs, the weight units * inputs elements from the offset, y `rows`
        // rows of stride `outputs` with units elements from the offset: the last element of each is in its slice.
        unsafe { gemm(isa, rows, inputs, units, a, b, c, false, workspace) };
    }
    if let Some(bias) = bias {
        vectorize(
            isa,
            #[inline(always)]
            || {
                y.chunks_exact_mut(outputs)
                    .for_each(|y| y.iter_mut().zip(bias).for_each(|(y, b)| *y += b))
            },
        );
    }
}

/// dx_i (=, +=) W^T dy_i, one product per replica: dx `[rows, R, in]`.
pub(super) fn dense_input_grad(
    isa: Isa,
    workspace: &mut Workspace,
    dy: Rows<f32>,
    weight: &[f32],
    dx: &mut [f32],
    write: Write,
) {
    let (rows, out, copies) = (dy.rows(), dy.cols, dy.copies);
    let inputs = weight.len() / (copies * out);
    for r in 0..copies {
        let a = MatRef {
            ptr: dy.data[r * out..].as_ptr(),
            row_stride: copies * out,
            col_stride: 1,
        };
        let b = MatRef {
            ptr: weight[r * out * inputs..].as_ptr(),
            row_stride: inputs,
            col_stride: 1,
        };
        let c = MatMut {
            ptr: dx[r * inputs..].as_mut_ptr(),
            row_stride: copies * inputs,
        };
        // SAFETY: as in `dense`: every operand has `rows` (the weight: `out`) rows of its stride from the offset.
        unsafe { gemm(isa, rows, out, inputs, a, b, c, write == Write::Add, workspace) };
    }
}

/// dW (=, +=) sum_i dy_i x_i^T over the tile's rows: dweight `[R, out, in]`.
pub(super) fn dense_weight_grad(
    isa: Isa,
    workspace: &mut Workspace,
    dy: Rows<f32>,
    x: Rows<f32>,
    dweight: &mut [f32],
    write: Write,
) {
    let (rows, inputs, outputs) = (x.rows(), x.cols, dy.copies * dy.cols);
    let Split {
        products,
        units,
        x_step,
    } = split(x, outputs);
    for p in 0..products {
        let a = MatRef {
            ptr: dy.data[p * units..].as_ptr(),
            row_stride: 1,
            col_stride: outputs,
        };
        let b = MatRef {
            ptr: x.data[p * x_step..].as_ptr(),
            row_stride: x.copies * inputs,
            col_stride: 1,
        };
        let c = MatMut {
            ptr: dweight[p * units * inputs..].as_mut_ptr(),
            row_stride: inputs,
        };
        // SAFETY: as in `dense`.
        unsafe { gemm(isa, units, rows, inputs, a, b, c, write == Write::Add, workspace) };
    }
}

/// Rows whose sums are kept apart: eight rows of one unit fill half a vector, and no addition waits for the last.
pub(super) const ROWS_APART: usize = 8;

/// db (=, +=) sum_i dy_i over the tile's rows: dbias `[R, 1, out]`. The tile's own sums start at zero in `sums`, [`ROWS_APART`]
/// for each unit, so that no chain of additions is longer than an eighth of a tile.
pub(super) fn dense_bias_grad(isa: Isa, dy: Rows<f32>, dbias: &mut [f32], write: Write, sums: &mut [f32]) {
    let units = dbias.len();
    let sums = &mut sums[..ROWS_APART * units];
    sums.fill(0.0);
    vectorize(
        isa,
        #[inline(always)]
        || {
            for rows in dy.data.chunks(ROWS_APART * units) {
                sums.iter_mut().zip(rows).for_each(|(sum, dy)| *sum += dy);
            }
            // Eight rows of sums become four, two, one.
            let mut rows = ROWS_APART;
            while rows > 1 {
                rows /= 2;
                let (into, from) = sums[..2 * rows * units].split_at_mut(rows * units);
                into.iter_mut().zip(from).for_each(|(a, b)| *a += *b);
            }
        },
    );
    for (dbias, sum) in dbias.iter_mut().zip(sums) {
        match write {
            Write::Set => *dbias = *sum,
            Write::Add => *dbias += *sum,
        }
    }
}
