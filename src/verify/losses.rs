//! Losses per row and their gradients.

use crate::backend::BufferId;
use crate::backend::kernel::{Kernel, Target, Write};

use crate::backend::cpu::math::EXP_ULP;

use super::Judge;
use super::case::{Case, ETA, U};
use super::inputs::Inputs;
use super::report::finite;
use super::rows::in_f64;

/// The exponential's error in u: half a unit in the last place is at most 1 u.
const EXP: f64 = 2.0 * EXP_ULP;

/// With d_j = x_j - top (one rounding, which exp magnifies by |d_j|) and exp 5 u ([`EXP_ULP`]): e_j errs by (|d_j| + 5) e_j u. They are
/// summed in f64 and rounded once; ln_1p damps an error of its argument s by 1 + s and errs by 2 u; the difference to the
/// label's and the sum of both are rounded.
pub(super) fn softmax_cross_entropy(case: &mut Case) -> Judge {
    let (cols, own) = (case.cols, case.flag());
    let x = case.x(cols, own);
    let labels_own = own && case.flag();
    let labels = case.index(cols, labels_own);
    let y = case.result(1, own);
    case.push(Kernel::SoftmaxCrossEntropy { x, labels, y });
    Box::new(move |case, results, report| {
        let (x, labels) = (case.given(x), case.given_index(labels));
        report.judge("softmax_cross_entropy", results, case, y, |r, i, _| {
            let row = x.row(r, i);
            let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let at_top = row.iter().position(|v| *v == top);
            let others = || {
                row.iter()
                    .enumerate()
                    .filter(|(k, _)| Some(*k) != at_top)
                    .map(|(_, v)| top - v)
            };
            let rest: f64 = others().map(|d| (-d).exp()).sum();
            let rest_error: f64 = others().map(|d| (-d).exp() * (d + EXP + 1.0)).sum();
            let (tail, gap) = (rest.ln_1p(), top - row[labels.at(r, i, 0) as usize]);
            let error = U * (rest_error / (1.0 + rest) + 2.0 * tail + gap + (tail + gap));
            finite(error * (1.0 + 8.0 * U) + cols as f64 * ETA, gap.max(top.abs()))
        });
    })
}

/// p_j = e_j / sum e: the error of e_j, that of the sum (the mean of theirs), the quotient and the product with dy, which
/// are in f64 and rounded once; the label's slope -sum of the others / sum e likewise.
pub(super) fn softmax_cross_entropy_grad(case: &mut Case) -> Judge {
    let cols = case.cols;
    let x = case.x(cols, true);
    let labels_own = case.flag();
    let labels = case.index(cols, labels_own);
    let dy = case.x(1, true);
    let dx = case.target(cols);
    case.push(Kernel::SoftmaxCrossEntropyGrad { x, labels, dy, dx });
    let y = case.spare(1);
    case.derivative(Kernel::SoftmaxCrossEntropy { x, labels, y }, y, x, dy, dx);
    Box::new(move |case, results, report| {
        let (x, labels, dy, old) = (
            case.given(x),
            case.given_index(labels),
            case.given(dy),
            case.given(dx.buffer),
        );
        report.judge("softmax_cross_entropy_grad", results, case, dx.buffer, |r, i, j| {
            let (row, label) = (x.row(r, i), labels.at(r, i, 0) as usize);
            let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let term = |k: usize| {
                let d = top - row[k];
                ((-d).exp(), (-d).exp() * (d + EXP))
            };
            let sum = |skip: Option<usize>| {
                let kept = (0..cols).filter(|&k| Some(k) != skip).map(term);
                kept.fold((0.0, 0.0), |(a, b), (e, error)| (a + e, b + error))
            };
            let (total, total_error) = sum(None);
            let (part, part_error) = if j == label { sum(Some(label)) } else { term(j) };
            let p = part / total;
            let dy = dy.at(r, i, 0).abs();
            let set = dy * (U * (part_error / total + p * total_error / total + p) + cols as f64 * ETA) + ETA;
            let old = if dx.write == Write::Add {
                old.at(r, i, j).abs()
            } else {
                0.0
            };
            let add = if dx.write == Write::Add {
                U * (old + dy * p)
            } else {
                0.0
            };
            finite((set + add) * (1.0 + 8.0 * U), old + dy + top.abs())
        });
    })
}

/// One difference; its gradient is dy, -dy or 0. Duplicates have ties for the best other.
pub(super) fn margin(case: &mut Case) -> Judge {
    let cols = if case.between(0, 4) == 0 { 1 } else { case.cols };
    let x = case.x(cols, true);
    let labels_own = case.flag();
    let labels = case.index(cols.max(2), labels_own);
    let y = case.result(1, true);
    let dy = case.x(1, true);
    let dx = case.target(cols);
    case.push(Kernel::Margin { x, labels, y });
    case.push(Kernel::MarginGrad { x, labels, dy, dx });
    case.derivative(Kernel::Margin { x, labels, y }, y, x, dy, dx);
    Box::new(move |case, results, report| {
        let (exact, slopes) = (results.exact(y), results.exact(dx.buffer));
        let integers = case.inputs == Inputs::Integers;
        report.judge("margin", results, case, y, |r, i, j| match integers {
            true => 0.0,
            false => finite(U * exact.at(r, i, j).abs(), exact.at(r, i, j).abs()),
        });
        report.judge("margin_grad", results, case, dx.buffer, |r, i, j| match dx.write {
            Write::Add if !integers => U * slopes.at(r, i, j).abs(),
            _ => 0.0,
        });
    })
}

/// In f64, rounded once; the gradient meets the old value. Integers in a power of two of columns are exact.
pub(super) fn squared_error(case: &mut Case) -> Judge {
    let integers = case.inputs == Inputs::Integers;
    let cols = if integers {
        case.pick(&[1, 2, 4, 16, 64])
    } else {
        case.cols
    };
    let x = case.x(cols, true);
    let target_own = case.flag();
    let target = case.x(cols, target_own);
    let y = case.result(1, true);
    let dy = case.x(1, true);
    let dx = case.target(cols);
    case.push(Kernel::SquaredError { x, target, y });
    case.push(Kernel::SquaredErrorGrad { x, target, dy, dx });
    case.derivative(Kernel::SquaredError { x, target, y }, y, x, dy, dx);
    squares(["squared_error", "squared_error_grad"], y, dx, cols)
}

/// In f64, rounded once; the gradient meets the old value. Integers with integer centres are exact.
pub(super) fn logit_penalty(case: &mut Case) -> Judge {
    let integers = case.inputs == Inputs::Integers;
    let (cols, classes) = (case.cols, case.between(1, 4));
    let x = case.x(cols, true);
    let labels_own = case.flag();
    let labels = case.index(classes, labels_own);
    let y = case.result(1, true);
    let dy = case.x(1, true);
    let dx = case.target(cols);
    let step = if integers { 1.0 } else { 0.37 };
    let centres: Vec<f64> = (0..classes * cols)
        .map(|k| step * (k % 7) as f64 - 2.0 * step)
        .collect();
    let forward = Kernel::LogitPenalty {
        x,
        labels,
        centres: centres.clone(),
        y,
    };
    case.push(forward.clone());
    case.push(Kernel::LogitPenaltyGrad {
        x,
        labels,
        centres,
        dy,
        dx,
    });
    case.derivative(forward, y, x, dy, dx);
    squares(["logit_penalty", "logit_penalty_grad"], y, dx, cols)
}

/// Sums of `cols` squares of differences and their gradient, in f64 and rounded once; the gradient meets the old value.
fn squares(names: [&'static str; 2], y: BufferId, dx: Target, cols: usize) -> Judge {
    Box::new(move |case, results, report| {
        let integers = case.inputs == Inputs::Integers;
        let (exact, slopes, old) = (results.exact(y), results.exact(dx.buffer), case.given(dx.buffer));
        report.judge(names[0], results, case, y, |r, i, j| match integers {
            true => 0.0,
            false => {
                let size = exact.at(r, i, j);
                finite(U * size + in_f64(cols, size) + ETA, size)
            }
        });
        report.judge(names[1], results, case, dx.buffer, |r, i, j| {
            let sum = slopes.at(r, i, j);
            let old = if dx.write == Write::Add { old.at(r, i, j) } else { 0.0 };
            let slope = (sum - old).abs();
            match (integers, dx.write) {
                (true, _) => 0.0,
                (_, Write::Set) => finite(U * slope + in_f64(4, slope) + ETA, slope),
                (_, Write::Add) => finite(
                    U * slope + U * sum.abs() + in_f64(4, slope + old.abs()) + ETA,
                    slope + old.abs(),
                ),
            }
        });
    })
}
