//! The dense layer on a tile of rows.

use super::gemm::{MatMut, Workspace};
use super::isa::Isa;
use super::math::vectorize;
use super::products::Products;
use super::skinny;
use super::tile::Rows;
use crate::backend::kernel::Write;

/// y_i = W x_i + b, for all replicas: weight `[R, out, in]`, bias `[R, 1, out]`, y `[rows, R, out]`.
pub(super) fn dense(
    isa: Isa,
    workspace: &mut Workspace,
    x: Rows<f32>,
    weight: Rows<f32>,
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    let outputs = weight.data.len() / x.cols;
    if is_skinny(outputs / weight.copies) {
        let y = all_units(x.rows(), outputs, y);
        for r in 0..weight.copies {
            // SAFETY: y is borrowed for writing, and long enough.
            unsafe { skinny_dense(isa, x, weight, bias, r, y) };
        }
        return;
    }
    // SAFETY: the operands are alive, and y is borrowed for writing.
    unsafe { Products::forward(isa, x, weight.data, y).run(workspace) };
    if let Some(bias) = bias {
        for y in y.chunks_exact_mut(outputs) {
            add_bias(isa, y, bias);
        }
    }
}

/// y `[rows, units]` of all replicas.
pub(super) fn all_units(rows: usize, units: usize, y: &mut [f32]) -> MatMut {
    assert_eq!(y.len(), rows * units);
    MatMut {
        ptr: y.as_mut_ptr(),
        row_stride: units,
    }
}

/// The skinny layer of one replica: y of all replicas as in [`dense`].
///
/// # Safety
/// y can be written, and nobody else uses this replica's numbers of it meanwhile.
pub(super) unsafe fn skinny_dense(
    isa: Isa,
    x: Rows<f32>,
    weight: Rows<f32>,
    bias: Option<&[f32]>,
    r: usize,
    y: MatMut,
) {
    let inputs = x.cols;
    let own = weight.data.len() / inputs / weight.copies;
    let layer = skinny::Layer {
        isa,
        rows: x.rows(),
        x: &x.data[if x.copies == 1 { 0 } else { r * inputs }..],
        x_step: x.copies * inputs,
        weight: &weight.data[r * own * inputs..][..own * inputs],
        inputs,
        bias: bias.map(|bias| &bias[r * own..][..own]),
        y: MatMut {
            ptr: y.ptr.wrapping_add(r * own),
            ..y
        },
    };
    // SAFETY: the caller's promise.
    unsafe { layer.run() };
}

/// Whether a layer with so many units per replica is computed as dots along k. Not all replicas' units: a network is
/// treated alone as beside others.
pub(super) fn is_skinny(units: usize) -> bool {
    units <= skinny::MOST_UNITS
}

/// y += b, for units of one row.
pub(super) fn add_bias(isa: Isa, y: &mut [f32], bias: &[f32]) {
    vectorize(
        isa,
        #[inline(always)]
        || y.iter_mut().zip(bias).for_each(|(y, b)| *y += b),
    );
}

/// dx_i (=, +=) W^T dy_i: dx `[rows, R, in]`.
pub(super) fn dense_input_grad(
    isa: Isa,
    workspace: &mut Workspace,
    dy: Rows<f32>,
    weight: &[f32],
    dx: &mut [f32],
    write: Write,
) {
    // SAFETY: the operands are alive, and dx is borrowed for writing.
    unsafe { Products::input_grad(isa, dy, weight, dx, write).run(workspace) };
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
    // SAFETY: the operands are alive, and dweight is borrowed for writing.
    unsafe { Products::weight_grad(isa, dy, x, dweight, write).run(workspace) };
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
