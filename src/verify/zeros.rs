//! The dense layer and its weight gradient on samples that are mostly one number per column, which the CPU skips.
//!
//! With x = c + r (c the column's commonest number, r mostly zero) the products are sums of w r and w c, so the bound is that
//! of a sum of |w| (|r| + |c|): larger than |w| |x| where r and c cancel.

use crate::backend::BufferId;
use crate::backend::kernel::{Kernel, Write};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::Judge;
use super::case::{Case, ETA, U};
use super::inputs::Inputs;
use super::report::{View, finite};

/// One number in eight is the case's kind of data, the others are their column's own; or that one is a byte in the scale of its
/// column, added to the column's own.
fn samples(case: &mut Case, cols: usize) -> (BufferId, Vec<f64>) {
    let inputs = case.inputs;
    let commonest = case.numbers(cols);
    let own = commonest.clone();
    let scales = case.flag().then(|| case.numbers(cols));
    let draw = move |rng: &mut ChaCha8Rng, n: usize| {
        let mut values = inputs.draw(rng, n, cols);
        for (n, value) in values.iter_mut().enumerate() {
            if !rng.next_u32().is_multiple_of(8) {
                *value = own[n % cols];
            } else if let Some(scales) = &scales {
                *value = own[n % cols] + scales[n % cols] * f64::from(rng.next_u32() % 256);
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
    if case.inputs == Inputs::Integers {
        return 0.0;
    }
    finite(c as f64 * U * magnitude + terms as f64 * ETA, magnitude)
}

/// A layer on samples.
///
/// A chain over at most all columns, the folded bias and its rounding, the rounding of r or of the scaled weight, and one to
/// cover the terms of second order.
pub(super) fn dense_skipping(case: &mut Case) -> Judge {
    let units = case.between(1, 100);
    let (x, commonest) = samples(case, case.cols);
    let weight = case.parameter(units, case.cols);
    let y = case.result(units, true);
    case.push(Kernel::Dense {
        x,
        weight,
        bias: None,
        y,
    });
    Box::new(move |case, results, report| {
        let (parts, weight) = (parts(&case.given(x), &commonest), case.given(weight));
        let c = case.cols + 2 + 1 + 1;
        report.judge("dense_skipping", results, case, y, |r, i, u| {
            let products = parts.row(0, i).iter().zip(weight.row(r, u));
            let magnitude: f64 = products.map(|(x, w)| x * w.abs()).sum();
            // A scaled weight that is denormal errs by half the smallest number, which counts up to 255 times.
            bound(case, c, magnitude, 128 * case.cols)
        });
        report.chain("dense_skipping", c);
    })
}

/// A layer's weight gradient on samples.
///
/// A chain over at most a tile's rows, one addition to the sum of the tiles before, the tiles of a lane and the
/// tree over the lanes, the correction's rounding, the target, r's rounding, and one for the second order.
pub(super) fn dense_weight_grad_skipping(case: &mut Case) -> Judge {
    let units = case.between(1, 100);
    let (x, commonest) = samples(case, case.cols);
    let dy = case.x(units, true);
    let dweight = case.whole_target(units, case.cols);
    let dbias = case.flag().then(|| case.whole_target(1, units));
    case.push(Kernel::DenseWeightGrad {
        dy,
        x,
        dweight: Some(dweight),
        dbias,
    });
    Box::new(move |case, results, report| {
        let (parts, dy) = (parts(&case.given(x), &commonest), case.given(dy));
        let old = case.given(dweight.buffer);
        let c = case.tile_rows() + 1 + case.lane_chain() + 1 + 1 + 1 + 1;
        let rows = case.rows;
        let what = "dense_weight_grad_skipping";
        report.judge(what, results, case, dweight.buffer, |r, u, j| {
            let products = (0..rows).map(|i| parts.at(0, i, j) * dy.at(r, i, u).abs());
            let adds = dweight.write == Write::Add;
            let old = if adds { old.at(r, u, j).abs() } else { 0.0 };
            bound(case, c, products.sum::<f64>() + old, rows)
        });
        report.chain(what, c);
        if let Some(dbias) = dbias {
            let c = case.tile_rows() + case.lane_chain() + 1;
            report.sum("dense_weight_grad_skipping: bias", results, case, dbias.buffer, c, rows);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::report::Report;
    use super::*;
    use crate::backend::Cpu;

    /// 300 samples of 60 columns: sums long enough that some rounding differs between the two ways, both within the bound.
    #[test]
    fn zeros_are_skipped_and_only_roundings_change() {
        for record in [dense_skipping, dense_weight_grad_skipping] {
            let mut case = Case::shaped(300, 60, 2);
            let judge = record(&mut case);
            let mut report = Report::default();
            let ways = [true, false].map(|skip| {
                let results = case.results(&Cpu::new(2).unwrap().skip_zeros(skip)).unwrap();
                judge(&case, &results, &mut report);
                results
            });
            assert!(!ways[0].same_bits(&ways[1]), "nothing was skipped");
            assert_eq!(report.within(), report.cases());
            assert!(report.cases() >= 2);
        }
    }
}
