//! The dense layer and its weight gradient on samples that are mostly one number per column, which the CPU skips.
//!
//! With x = c + r (c the column's commonest number, r mostly zero) the products are sums of w r and w c, so the bound is that
//! of a sum of |w| (|r| + |c|): larger than |w| |x| where r and c cancel.

use disentangle::backend::kernel::{Kernel, Write};
use disentangle::backend::{BufferId, Cpu};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use crate::case::{Case, ETA, Results, U};
use crate::data::Data;
use crate::judge::{Report, View, finite};

/// One number in five is the case's kind of data, the others are their column's own.
fn samples(case: &mut Case, cols: usize) -> (BufferId, Vec<f64>) {
    let data = case.data;
    let commonest = case.numbers(cols);
    let own = commonest.clone();
    let draw = move |rng: &mut ChaCha8Rng, n: usize| {
        let mut values = data.draw(rng, n, cols);
        for (n, value) in values.iter_mut().enumerate() {
            if !rng.next_u32().is_multiple_of(5) {
                *value = own[n % cols];
            }
        }
        values
    };
    (case.samples(cols, draw), commonest)
}

/// |r| + |c| for every sample.
fn parts(x: &View, commonest: &[f64]) -> View {
    let mut parts = x.clone();
    for (n, value) in parts.values.iter_mut().enumerate() {
        let c = commonest[n % commonest.len()];
        *value = (*value - c).abs() + c.abs();
    }
    parts
}

/// The bound: zero for integers.
fn bound(case: &Case, c: usize, magnitude: f64, terms: usize) -> f64 {
    if case.data == Data::Integers {
        return 0.0;
    }
    finite(c as f64 * U * magnitude + terms as f64 * ETA, magnitude)
}

/// Four chains over at most all columns, two additions of them, the folded bias and its rounding, r's own rounding, and one
/// to cover the terms of second order.
fn judge_dense(case: &Case, results: &Results, report: &mut Report, operands: [BufferId; 3], commonest: &[f64]) {
    let [x, weight, y] = operands;
    let (parts, weight) = (parts(&case.given(x), commonest), case.given(weight));
    let c = case.cols.div_ceil(4) + 2 + 2 + 1 + 1;
    report.judge("dense without zeros", results, case, y, |r, i, u| {
        let products = parts.row(0, i).iter().zip(weight.row(r, u));
        let magnitude: f64 = products.map(|(x, w)| x * w.abs()).sum();
        bound(case, c, magnitude, case.cols)
    });
}

pub fn dense(case: &mut Case, cpu: &Cpu, report: &mut Report) {
    let (inputs, out) = (case.cols, case.between(1, 100));
    let (x, commonest) = samples(case, inputs);
    let weight = case.parameter(out, inputs);
    let y = case.result(out, true);
    case.push(Kernel::Dense {
        x,
        weight,
        bias: None,
        y,
    });
    let results = case.results(cpu);
    judge_dense(case, &results, report, [x, weight, y], &commonest);
}

/// Four chains over at most a tile's rows, two additions of them, one to the sum of the tiles before, the tiles of a lane and
/// the tree over the lanes, the correction's rounding, the target, r's rounding, and one for the second order.
pub fn dense_weight_grad(case: &mut Case, cpu: &Cpu, report: &mut Report) {
    let (inputs, out) = (case.cols, case.between(1, 100));
    let (x, commonest) = samples(case, inputs);
    let dy = case.x(out, true);
    let target = case.whole_target(out, inputs);
    let dbias = case.flag().then(|| case.whole_target(1, out));
    case.push(Kernel::DenseWeightGrad {
        dy,
        x,
        dweight: Some(target),
        dbias,
    });
    let results = case.results(cpu);
    let (parts, dy) = (parts(&case.given(x), &commonest), case.given(dy));
    let old = case.given(target.buffer);
    let c = case.tile_rows().div_ceil(4) + 2 + 1 + case.lane_chain() + 1 + 1 + 1 + 1;
    let rows = case.rows;
    report.judge(
        "weight gradient without zeros",
        &results,
        case,
        target.buffer,
        |r, u, j| {
            let products = (0..rows).map(|i| parts.at(0, i, j) * dy.at(r, i, u).abs());
            let old = if target.write == Write::Add {
                old.at(r, u, j).abs()
            } else {
                0.0
            };
            bound(case, c, products.sum::<f64>() + old, rows)
        },
    );
    if let Some(dbias) = dbias {
        let c = case.tile_rows() + case.lane_chain() + 1;
        report.sum("dense_weight_grad: bias", &results, case, dbias.buffer, c, rows);
    }
}

#[test]
fn zeros_are_skipped_and_only_roundings_change() {
    // 300 standard normal samples of 60 columns, a network of 20 units: sums long enough that some rounding differs.
    let mut case = Case::shaped(300, 60, 2);
    let (x, commonest) = samples(&mut case, 60);
    let weight = case.parameter(20, 60);
    let y = case.result(20, true);
    case.push(Kernel::Dense {
        x,
        weight,
        bias: None,
        y,
    });
    let mut report = Report::default();
    let ways = [true, false].map(|skip| Cpu::new(2).unwrap().skip_zeros(skip));
    let outputs = ways.map(|cpu| {
        let results = case.results(&cpu);
        judge_dense(&case, &results, &mut report, [x, weight, y], &commonest);
        results.cpu(y).values
    });
    assert_ne!(outputs[0], outputs[1], "nothing was skipped");
    report.finish();
}
