//! Errors in units of their bounds, and in steps of f32.

use std::collections::BTreeSet;

use super::case::{Case, ETA, Results, U};
use super::inputs::Inputs;
use super::kernels::name;
use super::ulps::Ulps;
use crate::backend::BufferId;

/// Values `[copies, rows, cols]`; a shared buffer answers the same for every replica.
#[derive(Clone)]
pub(super) struct View {
    pub(super) values: Vec<f64>,
    pub(super) copies: usize,
    pub(super) rows: usize,
    pub(super) cols: usize,
}

impl View {
    /// Row `i` of replica `r`.
    pub(super) fn row(&self, r: usize, i: usize) -> &[f64] {
        let copy = if self.copies == 1 { 0 } else { r };
        &self.values[(copy * self.rows + i) * self.cols..][..self.cols]
    }

    pub(super) fn at(&self, r: usize, i: usize, j: usize) -> f64 {
        self.row(r, i)[j]
    }
}

/// A case by the operation and the seed that make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaseName {
    /// The operation's name.
    pub op: &'static str,
    /// Its seed.
    pub seed: u64,
}

impl std::fmt::Display for CaseName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.op, self.seed)
    }
}

/// One result of one operation, over all its cases.
#[derive(Clone, Debug)]
pub struct Check {
    /// What is compared: the operation's name, with the result's where it has several.
    pub what: String,
    /// Cases in which something was compared.
    pub cases: u64,
    /// Those of them in which every number was within its bound.
    pub within: u64,
    /// Numbers compared.
    pub judged: u64,
    /// The largest error in units of its bound: right if this is at most 1.
    pub worst: f64,
    /// The case that gave it; none if nothing was wrong by anything.
    pub worst_case: Option<CaseName>,
    /// The longest chain of roundings in a bound c u sum |a||b|; none where the bound has another form.
    pub chain: Option<usize>,
    /// Errors in steps of f32.
    pub ulps: Ulps,
    /// The first few numbers beyond their bounds, in words.
    pub failures: Vec<String>,
}

impl Check {
    /// A number beyond its bound.
    fn fail(&mut self, case: Option<CaseName>, ratio: f64, told: impl FnOnce() -> String) {
        if ratio > self.worst {
            (self.worst, self.worst_case) = (ratio, case);
        }
        if self.failures.len() < TOLD {
            let case = case.map_or(String::new(), |case| format!("{case} "));
            self.failures.push(format!("{}: {case}{}", self.what, told()));
        }
    }

    /// A case of so many numbers, some of them beyond their bounds.
    fn count(&mut self, judged: u64, above: u64) {
        self.judged += judged;
        self.cases += u64::from(judged > 0);
        self.within += u64::from(judged > 0 && above == 0);
    }
}

/// How many numbers beyond their bounds are told; the first few tell the story.
const TOLD: usize = 3;

/// What a comparison found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// In the order in which they first came up.
    pub checks: Vec<Check>,
    kernels: BTreeSet<&'static str>,
    now: Option<CaseName>,
}

impl Report {
    /// Cases compared: a case counts once for every result that it has.
    pub fn cases(&self) -> u64 {
        self.checks.iter().map(|check| check.cases).sum()
    }

    /// Those within their bound.
    pub fn within(&self) -> u64 {
        self.checks.iter().map(|check| check.within).sum()
    }

    /// Names of the kernels that ran.
    pub fn kernels(&self) -> &BTreeSet<&'static str> {
        &self.kernels
    }

    /// What is judged from here on belongs to this case.
    pub(super) fn begin(&mut self, case: CaseName) {
        self.now = Some(case);
    }

    fn check(&mut self, what: &str) -> &mut Check {
        let known = self.checks.iter().position(|check| check.what == what);
        let place = known.unwrap_or_else(|| {
            self.checks.push(Check {
                what: what.into(),
                cases: 0,
                within: 0,
                judged: 0,
                worst: 0.0,
                worst_case: None,
                chain: None,
                ulps: Ulps::default(),
                failures: vec![],
            });
            self.checks.len() - 1
        });
        &mut self.checks[place]
    }

    /// Compares numbers: |got - exact| <= bound(n). An infinite bound says that a result or what leads to it is no finite
    /// f32, so there is nothing to compare. `place` says in words where number n is.
    pub(super) fn compare(
        &mut self,
        what: &str,
        (got, exact): (&[f64], &[f64]),
        bound: impl Fn(usize) -> f64,
        place: impl Fn(usize) -> String,
    ) {
        let now = self.now;
        let check = self.check(what);
        let (mut judged, mut above) = (0, 0);
        for (n, (&value, &want)) in got.iter().zip(exact).enumerate() {
            let bound = bound(n);
            if bound == f64::INFINITY || want.abs() > f64::from(f32::MAX) {
                continue;
            }
            judged += 1;
            let error = (value - want).abs();
            // Two infinities of one sign are equal, and their difference is no number.
            let ratio = if error == 0.0 || value == want {
                0.0
            } else if bound > 0.0 && error.is_finite() {
                error / bound
            } else {
                f64::INFINITY
            };
            check.ulps.add(value, want);
            if ratio > 1.0 {
                above += 1;
                check.fail(now, ratio, || {
                    format!(
                        "{}: got {value:e}, expected {want:e}, {ratio:.3} of the bound {bound:e}",
                        place(n)
                    )
                });
            } else if ratio > check.worst {
                (check.worst, check.worst_case) = (ratio, now);
            }
        }
        check.count(judged, above);
    }

    /// Asks of each number whether it is what it should be, where errors have no bound of one form.
    pub(super) fn hold(
        &mut self,
        what: &str,
        (got, exact): (&[f64], &[f64]),
        holds: impl Fn(usize, f64, f64) -> bool,
        place: impl Fn(usize) -> String,
    ) {
        let now = self.now;
        let check = self.check(what);
        let mut above = 0;
        for (n, (&value, &want)) in got.iter().zip(exact).enumerate() {
            if !holds(n, value, want) {
                above += 1;
                check.fail(now, f64::INFINITY, || {
                    format!("{}: got {value:e}, expected {want:e}", place(n))
                });
            }
        }
        check.count(got.len() as u64, above);
    }

    /// Compares what the backend and the reference left in `id`, with a bound for replica, row and column.
    pub(super) fn judge(
        &mut self,
        what: &str,
        results: &Results,
        case: &Case,
        id: BufferId,
        bound: impl Fn(usize, usize, usize) -> f64,
    ) {
        self.kernels.extend(case.kernels().iter().map(name));
        let (got, exact) = (results.got(id), results.exact(id));
        let at = |n: usize| (n / (got.rows * got.cols), n / got.cols % got.rows, n % got.cols);
        self.compare(
            what,
            (&got.values, &exact.values),
            |n| {
                let (r, i, j) = at(n);
                bound(r, i, j)
            },
            |n| {
                let (r, i, j) = at(n);
                let Case {
                    rows, cols, replicas, ..
                } = case;
                let inputs = case.inputs.name();
                format!(
                    "({rows} rows, {cols} columns, {replicas} replicas, {inputs}) at replica {r}, row {i}, column {j}"
                )
            },
        );
    }

    /// As [`Report::judge`] with the bound c u |a||b|, where |a||b| is the result from absolute values; integers must be
    /// exact. `terms` products may each underflow.
    pub(super) fn sum(&mut self, what: &str, results: &Results, case: &Case, id: BufferId, c: usize, terms: usize) {
        let magnitude = results.magnitude(id);
        self.judge(what, results, case, id, |r, i, j| {
            if case.inputs == Inputs::Integers {
                return 0.0;
            }
            finite(
                c as f64 * U * magnitude.at(r, i, j) + terms as f64 * ETA,
                magnitude.at(r, i, j),
            )
        });
        let check = self.check(what);
        check.chain = check.chain.max(Some(c));
    }

    /// Results that must be equal.
    pub(super) fn equal(&mut self, what: &str, results: &Results, case: &Case, id: BufferId) {
        self.judge(what, results, case, id, |_, _, _| 0.0);
    }

    /// Notes the chain of roundings behind a result's bound.
    pub(super) fn chain(&mut self, what: &str, c: usize) {
        let check = self.check(what);
        check.chain = check.chain.max(Some(c));
    }
}

/// The bound, or infinity if numbers on the way are near the end of f32.
pub(super) fn finite(bound: f64, magnitude: f64) -> f64 {
    if magnitude < 0.25 * f64::from(f32::MAX) {
        bound
    } else {
        f64::INFINITY
    }
}
