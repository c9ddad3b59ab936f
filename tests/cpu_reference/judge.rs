//! Errors in units of their bounds.

use std::collections::{BTreeMap, BTreeSet};

use crate::case::{Case, ETA, Results, U};
use crate::data::Data;
use disentangle::backend::BufferId;

/// Values `[copies, rows, cols]`; a shared buffer answers the same for every replica.
#[derive(Clone)]
pub struct View {
    pub values: Vec<f64>,
    pub copies: usize,
    pub rows: usize,
    pub cols: usize,
}

impl View {
    /// Row `i` of replica `r`.
    pub fn row(&self, r: usize, i: usize) -> &[f64] {
        let copy = if self.copies == 1 { 0 } else { r };
        &self.values[(copy * self.rows + i) * self.cols..][..self.cols]
    }

    pub fn at(&self, r: usize, i: usize, j: usize) -> f64 {
        self.row(r, i)[j]
    }
}

/// The worst error of a check.
struct Worst {
    ratio: f64,
    failures: u64,
    judged: u64,
    seed: u64,
}

/// What the checks of a test found.
#[derive(Default)]
pub struct Report {
    worst: BTreeMap<String, Worst>,
    failures: Vec<String>,
    pub kernels: BTreeSet<&'static str>,
}

impl Report {
    /// Compares what the tested backend and the reference left in `id`: |got - exact| <= bound(r, i, j). An infinite bound says that
    /// a result or what leads to it is no finite f32, so there is nothing to compare.
    pub fn judge(
        &mut self,
        what: &str,
        results: &Results,
        case: &Case,
        id: BufferId,
        bound: impl Fn(usize, usize, usize) -> f64,
    ) {
        let (got, exact) = (results.got(id), results.exact(id));
        self.kernels.extend(case.kernel_names());
        let worst = self.worst.entry(what.into()).or_insert(Worst {
            ratio: 0.0,
            failures: 0,
            judged: 0,
            seed: 0,
        });
        for n in 0..got.values.len() {
            let (r, i, j) = (n / (got.rows * got.cols), n / got.cols % got.rows, n % got.cols);
            let (value, want, bound) = (got.values[n], exact.values[n], bound(r, i, j));
            if bound == f64::INFINITY || want.abs() > f64::from(f32::MAX) {
                continue;
            }
            worst.judged += 1;
            let error = (value - want).abs();
            let ratio = if error == 0.0 {
                0.0
            } else if bound > 0.0 && error.is_finite() {
                error / bound
            } else {
                f64::INFINITY
            };
            if ratio > worst.ratio {
                (worst.ratio, worst.seed) = (ratio, case.seed);
            }
            if ratio > 1.0 {
                worst.failures += 1;
                // The first few tell the story.
                if worst.failures > 3 {
                    continue;
                }
                let Case {
                    seed,
                    rows,
                    cols,
                    replicas,
                    data,
                    ..
                } = case;
                self.failures.push(format!(
                    "{what}: seed {seed} ({rows} rows, {cols} columns, {replicas} replicas, {data:?}) at replica {r}, row {i}, \
                     column {j}: got {value:e}, expected {want:e}, {ratio:.3} of the bound {bound:e}"
                ));
            }
        }
    }

    /// As [`Report::judge`] with the bound c u |a||b|, where |a||b| is the result from absolute values; integers must be
    /// exact. `terms` products may each underflow.
    pub fn sum(&mut self, what: &str, results: &Results, case: &Case, id: BufferId, c: usize, terms: usize) {
        let magnitude = results.magnitude(id);
        self.judge(what, results, case, id, |r, i, j| {
            if case.data == Data::Integers {
                return 0.0;
            }
            finite(
                c as f64 * U * magnitude.at(r, i, j) + terms as f64 * ETA,
                magnitude.at(r, i, j),
            )
        });
    }

    /// Results that must be equal.
    pub fn equal(&mut self, what: &str, results: &Results, case: &Case, id: BufferId) {
        self.judge(what, results, case, id, |_, _, _| 0.0);
    }

    /// Prints the worst ratios and fails if one is above 1 or a check judged nothing.
    pub fn finish(self) {
        for (what, worst) in &self.worst {
            let Worst {
                ratio,
                judged,
                seed,
                failures,
            } = worst;
            println!("{what:<36} worst {ratio:.3} of its bound (seed {seed}), {failures} of {judged} above it");
            assert!(*judged > 0, "{what}: nothing was compared");
        }
        assert!(self.failures.is_empty(), "\n{}", self.failures.join("\n"));
    }
}

/// The bound, or infinity if numbers on the way are near the end of f32.
pub fn finite(bound: f64, magnitude: f64) -> f64 {
    if magnitude < 0.25 * f64::from(f32::MAX) {
        bound
    } else {
        f64::INFINITY
    }
}
