//! The dense layer and its gradients.

use crate::backend::cpu::gemm::chain_length;
use crate::backend::kernel::{Kernel, Target, Write};

use super::Judge;
use super::case::Case;

/// x W^T + b: the product's chain over the inputs, then the bias.
pub(super) fn dense(case: &mut Case) -> Judge {
    let (inputs, out, shared) = (case.summed(), case.between(1, 70), case.flag());
    let x = case.x(inputs, !shared);
    let weight = case.parameter(out, inputs);
    let bias = case.flag().then(|| case.parameter(1, out));
    let y = case.result(out, true);
    case.push(Kernel::Dense { x, weight, bias, y });
    Box::new(move |case, results, report| {
        report.sum("dense", results, case, y, chain_length(inputs) + 1, inputs);
    })
}

/// dy W: the product's chain over the units, which includes meeting the old value.
pub(super) fn dense_input_grad(case: &mut Case) -> Judge {
    let (inputs, out) = (case.between(1, 70), case.summed());
    let dy = case.x(out, true);
    let weight = case.parameter(out, inputs);
    let dx = case.target(inputs);
    case.push(Kernel::DenseInputGrad { dy, weight, dx });
    let (x, y) = (case.spare(inputs), case.spare(out));
    case.derivative(
        Kernel::Dense {
            x,
            weight,
            bias: None,
            y,
        },
        y,
        x,
        dy,
        dx,
    );
    Box::new(move |case, results, report| {
        report.sum("dense_input_grad", results, case, dx.buffer, chain_length(out), out);
    })
}

/// dy^T x: the product's chain over the rows of a tile or block (with meeting the sum of the tiles before), the tiles of a lane,
/// the tree over the lanes, and the target. The bias: the same tree, with sums along the tile. Once in three the same
/// parameters get a second gradient (tied weights), which doubles what a lane adds.
pub(super) fn dense_weight_grad(case: &mut Case) -> Judge {
    let (inputs, out, shared) = (case.cols, case.between(1, 70), case.flag());
    let what = case.between(0, 2);
    let dweight = (what != 1).then(|| case.whole_target(out, inputs));
    let dbias = (what != 2).then(|| case.whole_target(1, out));
    let tied = case.between(0, 2) == 0;
    for again in 0..=usize::from(tied) {
        let target = |t: Option<Target>| match (t, again) {
            (Some(t), 1) => Some(Target { write: Write::Add, ..t }),
            _ => t,
        };
        let (dweight, dbias) = (target(dweight), target(dbias));
        let dy = case.x(out, true);
        let x = case.x(inputs, !shared);
        case.push(Kernel::DenseWeightGrad { dy, x, dweight, dbias });
        if let (Some(dx), false) = (dweight.or(dbias), tied) {
            let (weight, bias, y) = (case.parameter(out, inputs), case.parameter(1, out), case.spare(out));
            let by = if dweight.is_some() { weight } else { bias };
            let bias = Some(bias);
            case.derivative(Kernel::Dense { x, weight, bias, y }, y, by, dy, dx);
        }
    }
    let times = 1 + usize::from(tied);
    let lanes = times * case.lane_chain() + 1;
    Box::new(move |case, results, report| {
        let rows = case.rows;
        if let Some(t) = dweight {
            let c = chain_length(case.product_rows()) + lanes;
            report.sum("dense_weight_grad: weight", results, case, t.buffer, c, times * rows);
        }
        if let Some(t) = dbias {
            report.sum(
                "dense_weight_grad: bias",
                results,
                case,
                t.buffer,
                case.tile_rows() + lanes,
                rows,
            );
        }
    })
}

/// A parameter that is the weight of one layer, of one unit, and the bias of another: both gradients meet in one sum.
pub(super) fn dense_weight_and_bias_grad(case: &mut Case) -> Judge {
    let target = case.whole_target(1, case.cols);
    let as_weight = Kernel::DenseWeightGrad {
        dy: case.x(1, true),
        x: case.x(case.cols, true),
        dweight: Some(target),
        dbias: None,
    };
    let as_bias = Kernel::DenseWeightGrad {
        dy: case.x(case.cols, true),
        x: case.x(3, true),
        dweight: None,
        dbias: Some(Target {
            write: Write::Add,
            ..target
        }),
    };
    case.push(as_weight);
    case.push(as_bias);
    let c = chain_length(case.product_rows()) + case.tile_rows() + 2 * case.lane_chain() + 1;
    Box::new(move |case, results, report| {
        report.sum(
            "dense_weight_and_bias_grad",
            results,
            case,
            target.buffer,
            c,
            2 * case.rows,
        );
    })
}
