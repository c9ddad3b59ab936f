//! Normalisation, sums over rows, sums of squares, gathers, probes.

use disentangle::backend::Backend;
use disentangle::backend::kernel::{Divisor, Kernel, Write};

use crate::case::{Case, ETA, Results, U, divisor};
use crate::data::Data;
use crate::judge::{Report, View, finite};

/// Sums of `terms` in f64 err by terms 2^-53 of their magnitude.
pub fn in_f64(terms: usize, magnitude: f64) -> f64 {
    terms as f64 * f64::EPSILON * magnitude
}

/// Norms and rows are computed in f64 and rounded once.
pub fn row_normalize(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
    let (cols, own) = (case.cols, case.flag());
    let x = case.x(cols, own);
    let y = case.result(cols, own);
    let norms = case.result(1, own);
    case.push(Kernel::RowNormalize { x, y, norms });
    let results = case.results(tested);
    for (what, id) in [("row_normalize", y), ("row_normalize: norms", norms)] {
        let exact = results.exact(id);
        report.judge(what, &results, case, id, |r, i, j| {
            let size = exact.at(r, i, j).abs();
            U * size + in_f64(cols, size) + ETA
        });
    }
}

/// (dy - y (y . dy)) / n in f64, rounded once; y and n come rounded (n may be subnormal). With A = sum |y||dy|: y's
/// rounding counts twice in |y| A, n's once, the result's once: (2 |y| A + 2 (|dy| + |y| A)) u / n.
pub fn row_normalize_grad(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
    let cols = case.cols;
    let x = case.x(cols, true);
    let dy = case.x(cols, true);
    let y = case.result(cols, true);
    let norms = case.result(1, true);
    let dx = case.target(cols);
    case.push(Kernel::RowNormalize { x, y, norms });
    case.push(Kernel::RowNormalizeGrad { y, norms, dy, dx });
    let results = case.results(tested);
    let (y, norms) = (results.exact(y), results.exact(norms));
    let (dy, old) = (case.given(dy), case.given(dx.buffer));
    report.judge("row_normalize grad", &results, case, dx.buffer, |r, i, j| {
        // A rounded y below the normal numbers errs by half a step.
        let rounded = |y: f64| U * y.abs() + 0.5 * ETA;
        let pairs = || y.row(r, i).iter().zip(dy.row(r, i));
        let along: f64 = pairs().map(|(y, dy)| (y * dy).abs()).sum();
        let along_error: f64 = pairs().map(|(y, dy)| rounded(*y) * dy.abs()).sum();
        let (y, dy, norm) = (y.at(r, i, j).abs(), dy.at(r, i, j).abs(), norms.at(r, i, 0));
        let old = if dx.write == Write::Add {
            old.at(r, i, j).abs()
        } else {
            0.0
        };
        if norm == 0.0 {
            return 0.0;
        }
        let u_norm = U.max(0.5 * ETA / norm);
        let value = (dy + y * along) / norm;
        let error = (rounded(y) * along + (y + ETA) * along_error) / norm + (u_norm + U) * value;
        let tiny = ETA + in_f64(cols, value);
        finite(
            (error + tiny) * (1.0 + 8.0 * u_norm) + 2.0 * U * (old + value),
            old + value,
        )
    });
}

/// The sum in f64, the quotient rounded once. Integers: by 4 or 1 or (a sum rounded once) the number of rows.
pub fn row_sum(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
    let own = case.flag();
    let x = case.x(1, own);
    let weights_own = own && case.flag();
    let weights = case.flag().then(|| case.weights(weights_own));
    let total_own = own && case.flag();
    let divisor = divisor(case, total_own);
    let y = case.scalar(own);
    if let Some(weights) = weights {
        // A masked row may hold anything.
        let mask = case.given(weights);
        let rows = case.rows;
        case.map(x, |n, v| {
            if mask.at(n / rows, n % rows, 0) == 0.0 {
                f64::NAN
            } else {
                v
            }
        });
    }
    case.push(Kernel::RowSum { x, weights, divisor, y });
    let results = case.results(tested);
    let (exact, magnitude) = (results.exact(y), results.magnitude(y));
    report.judge("row_sum", &results, case, y, |r, i, j| {
        if case.data == Data::Integers && divisor != Divisor::Rows {
            return 0.0;
        }
        let m = magnitude.at(r, i, j);
        finite(U * exact.at(r, i, j).abs() + in_f64(case.rows, m) + ETA, m)
    });
}

/// w dy / total in f64, rounded once, and the old value.
pub fn row_sum_grad(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
    let weights_own = case.flag();
    let weights = case.flag().then(|| case.weights(weights_own));
    let total_own = case.flag();
    let divisor = divisor(case, total_own);
    let data = case.data;
    let dy = case.whole(1, 1, true, |rng, n| data.draw(rng, n, 1));
    let dx = case.target(1);
    case.push(Kernel::RowSumGrad {
        dy,
        weights,
        divisor,
        dx,
    });
    let results = case.results(tested);
    let magnitude = results.magnitude(dx.buffer);
    report.judge("row_sum grad", &results, case, dx.buffer, |r, i, j| {
        let m = magnitude.at(r, i, j);
        let roundings = if dx.write == Write::Add { 2.0 } else { 1.0 };
        finite(roundings * U * m + in_f64(4, m) + ETA, m)
    });
}

/// In f64, rounded once.
pub fn sum_squares(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
    let (rows, own) = (case.between(1, 90), case.flag());
    let (data, cols) = (case.data, case.cols);
    let x = case.whole(rows, cols, own, |rng, n| data.draw(rng, n, cols));
    let y = case.scalar(own);
    case.push(Kernel::SumSquares { x, y });
    let results = case.results(tested);
    let exact = results.exact(y);
    report.judge("sum_squares", &results, case, y, |r, i, j| {
        let size = exact.at(r, i, j);
        match case.data {
            Data::Integers => 0.0,
            _ => finite(U * size + in_f64(rows * cols, size) + ETA, size),
        }
    });
}

/// 2 dy is exact; the product and the old value are rounded.
pub fn sum_squares_grad(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
    let (rows, cols, data) = (case.between(1, 90), case.cols, case.data);
    let x = case.parameter(rows, cols);
    let dy = case.whole(1, 1, true, |rng, n| data.draw(rng, n, 1));
    let dx = case.whole_target(rows, cols);
    case.push(Kernel::SumSquaresGrad { x, dy, dx });
    report.sum("sum_squares grad", &case.results(tested), case, dx.buffer, 2, 1);
}

/// Exact, for reals and indices.
pub fn gather(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
    let (own, rows) = (case.flag(), case.between(1, 300));
    let index = case.index(rows, own);
    let cols = case.cols;
    let table = case.table(rows, cols, None);
    let y = case.result(cols, own);
    case.push(Kernel::Gather { table, index, y });
    let labels = case.table(rows, 1, Some(10));
    let label = case.index_result(10, own);
    case.push(Kernel::Gather {
        table: labels,
        index,
        y: label,
    });
    let results = case.results(tested);
    report.equal("gather", &results, case, y);
    report.equal("gather: indices", &results, case, label);
}

/// Sums in f64 on both sides (squares of f32 are exact there), in different orders.
pub fn class_moments(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
    let (own, classes, cols) = (case.flag(), case.between(1, 7), case.cols);
    let x = case.x(cols, own);
    let labels_own = own && case.flag();
    let labels = case.index(classes, labels_own);
    let weights_own = own && case.flag();
    let weights = case.flag().then(|| case.weights(weights_own));
    // One class more than there are labels: it stays empty.
    let moments = case.wide(classes + 1, cols + 2, own);
    if let Some(weights) = weights {
        poison(case, x, &case.given(weights));
    }
    case.push(Kernel::ClassMoments {
        x,
        labels,
        weights,
        moments,
    });
    let results = case.results(tested);
    let magnitude = results.magnitude(moments);
    report.judge("class_moments", &results, case, moments, |r, i, j| match case.data {
        Data::Integers => 0.0,
        _ if j == 0 => 0.0,
        _ => in_f64(case.rows * cols, magnitude.at(r, i, j)),
    });
}

/// A masked row may hold anything.
fn poison(case: &mut Case, x: disentangle::backend::BufferId, mask: &View) {
    let (rows, cols) = (case.rows, case.cols);
    case.map(x, |n, v| {
        let row = n / cols;
        if mask.at(row / rows, row % rows, 0) == 0.0 {
            f64::NAN
        } else {
            v
        }
    });
}

/// Counts are exact. Duplicates give ties, zero rows give undecided outputs.
pub fn error_count_and_zero_rows(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
    let (own, cols) = (case.flag(), case.cols);
    let x = case.x(cols, own);
    let labels_own = own && case.flag();
    let labels = case.index(cols.max(2), labels_own);
    let weights_own = own && case.flag();
    let weights = case.flag().then(|| case.weights(weights_own));
    let counts = case.wide(1, 2, own);
    case.push(Kernel::ErrorCount {
        x,
        labels,
        weights,
        counts,
    });
    let y = case.result(cols, own);
    let norms = case.result(1, own);
    let count = case.wide(1, 1, own);
    case.push(Kernel::RowNormalize { x, y, norms });
    case.push(Kernel::ZeroRows { norms, count });
    let results: Results = case.results(tested);
    report.equal("error_count", &results, case, counts);
    report.equal("zero_rows", &results, case, count);
}
