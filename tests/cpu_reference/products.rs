//! The dense layer and its gradients.

use disentangle::backend::Backend;
use disentangle::backend::cpu::gemm::chain_length;
use disentangle::backend::kernel::{Kernel, Target, Write};

use crate::case::Case;
use crate::judge::Report;

/// x W^T + b: the product's chain over the inputs, then the bias.
pub fn dense(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
    let (inputs, out, shared) = (case.cols, case.between(1, 70), case.flag());
    let x = case.x(inputs, !shared);
    let weight = case.parameter(out, inputs);
    let bias = case.flag().then(|| case.parameter(1, out));
    let y = case.result(out, true);
    case.push(Kernel::Dense { x, weight, bias, y });
    report.sum(
        "dense",
        &case.results(tested),
        case,
        y,
        chain_length(inputs) + 1,
        inputs,
    );
}

/// dy W: the product's chain over the units, which includes meeting the old value.
pub fn dense_input_grad(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
    let (inputs, out) = (case.between(1, 70), case.cols);
    let dy = case.x(out, true);
    let weight = case.parameter(out, inputs);
    let dx = case.target(inputs);
    case.push(Kernel::DenseInputGrad { dy, weight, dx });
    let results = case.results(tested);
    report.sum("dense_input_grad", &results, case, dx.buffer, chain_length(out), out);
}

/// dy^T x: the product's chain over the rows of a tile or block (with meeting the sum of the tiles before), the tiles of a lane,
/// the tree over the lanes, and the target. The bias: the same tree, with sums along the tile. Once in three the same
/// parameters get a second gradient (tied weights), which doubles what a lane adds.
pub fn dense_weight_grad(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
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
    }
    let times = 1 + usize::from(tied);
    let lanes = times * case.lane_chain() + 1;
    let results = case.results(tested);
    let rows = case.rows;
    if let Some(t) = dweight {
        let c = chain_length(case.product_rows()) + lanes;
        report.sum("dense_weight_grad: weight", &results, case, t.buffer, c, times * rows);
    }
    if let Some(t) = dbias {
        report.sum(
            "dense_weight_grad: bias",
            &results,
            case,
            t.buffer,
            case.tile_rows() + lanes,
            rows,
        );
    }
}

/// A parameter that is the weight of one layer, of one unit, and the bias of another: both gradients meet in one sum.
pub fn weight_and_bias_in_one(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
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
    let (results, rows) = (case.results(tested), case.rows);
    report.sum("weight and bias in one", &results, case, target.buffer, c, 2 * rows);
}
