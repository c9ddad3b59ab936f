//! The dense layer and its weight gradient on samples that are mostly one number per column, which the CPU skips.
//!
//! With x = c + r (c the column's commonest number, r mostly zero) the products are sums of w r and w c, so the bound is that
//! of a sum of |w| (|r| + |c|): larger than |w| |x| where r and c cancel.

use disentangle::backend::kernel::{Kernel, Target, Write};
use disentangle::backend::{Backend, BufferId, Cpu};
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

/// Compares results with their bound.
type Judge = Box<dyn Fn(&Case, &Results, &mut Report)>;

/// A layer on samples, and the commonest number of each column.
struct Dense {
    x: BufferId,
    weight: BufferId,
    y: BufferId,
    commonest: Vec<f64>,
}

fn record_dense(case: &mut Case, out: usize) -> Dense {
    let (x, commonest) = samples(case, case.cols);
    let weight = case.parameter(out, case.cols);
    let y = case.result(out, true);
    case.push(Kernel::Dense {
        x,
        weight,
        bias: None,
        y,
    });
    Dense {
        x,
        weight,
        y,
        commonest,
    }
}

impl Dense {
    /// Four chains over at most all columns, two additions of them, the folded bias and its rounding, r's own rounding, and
    /// one to cover the terms of second order.
    fn judge(&self, case: &Case, results: &Results, report: &mut Report) {
        let (parts, weight) = (parts(&case.given(self.x), &self.commonest), case.given(self.weight));
        let c = case.cols.div_ceil(4) + 2 + 2 + 1 + 1;
        report.judge("dense without zeros", results, case, self.y, |r, i, u| {
            let products = parts.row(0, i).iter().zip(weight.row(r, u));
            let magnitude: f64 = products.map(|(x, w)| x * w.abs()).sum();
            bound(case, c, magnitude, case.cols)
        });
    }
}

pub fn dense(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
    let out = case.between(1, 100);
    let dense = record_dense(case, out);
    dense.judge(case, &case.results(tested), report);
}

/// A layer's weight gradient on samples, and the commonest number of each column.
struct WeightGrad {
    x: BufferId,
    dy: BufferId,
    dweight: Target,
    dbias: Option<Target>,
    commonest: Vec<f64>,
}

fn record_weight_grad(case: &mut Case, out: usize) -> WeightGrad {
    let (x, commonest) = samples(case, case.cols);
    let dy = case.x(out, true);
    let dweight = case.whole_target(out, case.cols);
    let dbias = case.flag().then(|| case.whole_target(1, out));
    case.push(Kernel::DenseWeightGrad {
        dy,
        x,
        dweight: Some(dweight),
        dbias,
    });
    WeightGrad {
        x,
        dy,
        dweight,
        dbias,
        commonest,
    }
}

impl WeightGrad {
    /// Four chains over at most a tile's rows, two additions of them, one to the sum of the tiles before, the tiles of a lane
    /// and the tree over the lanes, the correction's rounding, the target, r's rounding, and one for the second order.
    fn judge(&self, case: &Case, results: &Results, report: &mut Report) {
        let (parts, dy) = (parts(&case.given(self.x), &self.commonest), case.given(self.dy));
        let old = case.given(self.dweight.buffer);
        let c = case.tile_rows().div_ceil(4) + 2 + 1 + case.lane_chain() + 1 + 1 + 1 + 1;
        let rows = case.rows;
        let what = "weight gradient without zeros";
        report.judge(what, results, case, self.dweight.buffer, |r, u, j| {
            let products = (0..rows).map(|i| parts.at(0, i, j) * dy.at(r, i, u).abs());
            let adds = self.dweight.write == Write::Add;
            let old = if adds { old.at(r, u, j).abs() } else { 0.0 };
            bound(case, c, products.sum::<f64>() + old, rows)
        });
        if let Some(dbias) = self.dbias {
            let c = case.tile_rows() + case.lane_chain() + 1;
            report.sum("dense_weight_grad: bias", results, case, dbias.buffer, c, rows);
        }
    }
}

pub fn dense_weight_grad(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
    let out = case.between(1, 100);
    let gradient = record_weight_grad(case, out);
    gradient.judge(case, &case.results(tested), report);
}

/// Runs a case with and without skipping: both within the bound, and not the same bits.
fn compare(mut case: Case, record: impl Fn(&mut Case) -> (BufferId, Judge)) {
    let (result, judge) = record(&mut case);
    let mut report = Report::default();
    let ways = [true, false].map(|skip| Cpu::new(2).unwrap().skip_zeros(skip));
    let outputs = ways.map(|cpu| {
        let results = case.results(&cpu);
        judge(&case, &results, &mut report);
        results.got(result).values
    });
    assert_ne!(outputs[0], outputs[1], "nothing was skipped");
    report.finish();
}

/// 300 standard normal samples of 60 columns, two networks of 20 units: sums long enough that some rounding differs.
#[test]
fn zeros_are_skipped_and_only_roundings_change() {
    compare(Case::shaped(300, 60, 2), |case| {
        let dense = record_dense(case, 20);
        (
            dense.y,
            Box::new(move |case, results, report| dense.judge(case, results, report)),
        )
    });
    compare(Case::shaped(300, 60, 2), |case| {
        let gradient = record_weight_grad(case, 20);
        let result = gradient.dweight.buffer;
        (
            result,
            Box::new(move |case, results, report| gradient.judge(case, results, report)),
        )
    });
}
