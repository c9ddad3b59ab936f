//! A network's states beside the theory's, and how far they are from each other.
//!
//! | distance | at each recorded time | of a run: the largest, over t > 0 |
//! |---|---|---|
//! | gamma | abs(gamma_sim - gamma) / gamma | until t_c, and until the end |
//! | nodes | L2 norm of all (a_i, w_par,i) minus the theory's, over the theory's | the same |
//! | curve | the same with the theory's nodes at the network's own gamma_sim: the curve in the plane, whatever the clock | the same |
//! | unsatisfied | abs(p_sim - p_u) | the same |
//! | loss | abs(L_sim - L) alpha / h | the same |
//! | w_par invariant | mean abs of the change of a^2 - w_par^2, over the mean of a^2 + w_par^2 | until t_c |
//! | norm invariant | mean abs of the change of a^2 - abs(w)^2, over the mean of a^2 + abs(w)^2 | until the end |
//!
//! Until t_c, since from then on finitely many examples overfit ([`finite_examples`](super::finite_examples)), which the mean
//! field does not know; with fresh examples in every step t_c is infinite.

use super::clock::Clock;
use super::finite_examples::overfits_from;
use super::finite_nodes;
use super::model::Amplitude;
use super::nodes::trajectory;
use super::observables::Observables;
use super::simulation::{Outcome, Record};
use crate::study::StudyError;

/// Which initial moments the theory begins from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// Those of the network's own nodes: what is left is not the luck of the draw.
    Measured,
    /// Those of the distribution: A0 = B0 = 1, C0 = 0.
    Population,
}

/// The theory at a recorded time, and the distance there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Time: steps done.
    pub t: f64,
    /// The theory's gamma.
    pub gamma: f64,
    /// The theory's X.
    pub projection: f64,
    /// The theory's training set.
    pub observables: Observables,
    /// eps(gamma), the test error of so many nodes.
    pub test_error: f64,
    /// Relative distance of gamma; NaN at t = 0.
    pub gamma_distance: f64,
    /// Relative distance of all nodes.
    pub nodes_distance: f64,
    /// Relative distance of all nodes from the theory's at the network's own gamma.
    pub curve_distance: f64,
}

/// Largest distances of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Distances {
    /// Of gamma, relative.
    pub gamma: f64,
    /// Of all (a_i, w_par,i), relative in L2.
    pub nodes: f64,
    /// The same at equal gamma instead of equal time.
    pub curve: f64,
    /// Of the unsatisfied fraction, absolute.
    pub unsatisfied: f64,
    /// Of the loss, in units of h / alpha.
    pub loss: f64,
}

/// First satisfaction times of examples of about one projection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Satisfaction {
    /// The projection; examples within 5 % of it count.
    pub projection: f64,
    /// How many.
    pub examples: usize,
    /// The theory's time.
    pub theory: f64,
    /// 16 %, 50 % and 84 % quantiles of the times; examples that were never satisfied count as later than all.
    pub quantiles: [f64; 3],
}

/// A network beside its theory.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The theory.
    pub clock: Clock,
    /// Whether the theory is the mean field of isotropic data. If not it is the first stage on given data, in which gamma grows in
    /// proportion to time, and the clock's other formulas mean nothing.
    pub mean_field: bool,
    /// Growth of gamma per step in that first stage.
    pub first_stage_rate: f64,
    /// One row per record.
    pub rows: Vec<Row>,
    /// t_c, from when on examples are overfitted; infinite with fresh examples.
    pub overfits_from: f64,
    /// Until t_c; `None` if no record after the first is that early.
    pub until_overfitting: Option<Distances>,
    /// Until the end.
    pub until_end: Distances,
    /// Of a^2 - w_par^2, until t_c; `None` as above.
    pub plane_invariant: Option<f64>,
    /// Of a^2 - |w|^2, until the end.
    pub norm_invariant: f64,
    /// By projection, from large to small; empty for fresh examples.
    pub satisfaction: Vec<Satisfaction>,
}

/// Projections at which satisfaction times are compared, in units of the deviation of a coordinate.
pub const PROJECTIONS: [f64; 9] = [3.0, 2.0, 1.0, 0.5, 0.3, 0.2, 0.1, 0.05, 0.03];

impl Comparison {
    /// Takes note of the distances, and of the change of a^2 - w_par^2, at a time before t_c.
    pub(super) fn include_early(&mut self, here: Distances, plane: f64) {
        self.until_overfitting.get_or_insert_default().include(here);
        self.plane_invariant = Some(largest(self.plane_invariant.unwrap_or(0.0), plane));
    }

    /// The theory's gamma at each of `times`, which must not decrease.
    ///
    /// # Errors
    /// [`StudyError::Theory`] if the equations cannot be solved.
    pub fn gamma(&self, times: &[f64]) -> Result<Vec<f64>, StudyError> {
        if self.mean_field {
            self.clock.gamma(times)
        } else {
            Ok(times.iter().map(|t| self.first_stage_rate * t).collect())
        }
    }
}

/// Lays the theory beside an outcome.
///
/// # Errors
/// [`StudyError::Theory`] if the equations cannot be solved.
pub fn compare(outcome: &Outcome, from: From) -> Result<Comparison, StudyError> {
    let setting = &outcome.setting;
    let mut amplitude = Amplitude {
        subtracted: setting.subtract,
        ..Amplitude::POPULATION
    };
    if from == From::Measured {
        amplitude.moments = outcome.moments;
    }
    let clock = Clock {
        model: setting.model,
        amplitude,
    };
    let times: Vec<f64> = outcome.records.iter().map(|record| record.step as f64).collect();
    let gammas = clock.gamma(&times)?;
    let overfits_from = if setting.fresh {
        f64::INFINITY
    } else {
        overfits_from(&clock, setting.examples)?
    };
    let mut comparison = Comparison {
        clock,
        mean_field: true,
        first_stage_rate: setting.model.rate(),
        rows: Vec::new(),
        overfits_from,
        until_overfitting: None,
        until_end: Distances::default(),
        plane_invariant: None,
        norm_invariant: 0.0,
        satisfaction: satisfaction(outcome, &clock)?,
    };
    let level = Some(setting.model.threshold / setting.model.alpha);
    for ((record, t), gamma) in outcome.records.iter().zip(times).zip(gammas) {
        let observables = clock.observables(gamma);
        let row = Row {
            t,
            gamma,
            projection: clock.satisfied_from(gamma),
            observables,
            test_error: finite_nodes::test_error(&setting.model, setting.nodes, gamma),
            gamma_distance: (record.gamma - gamma).abs() / gamma,
            nodes_distance: nodes_distance(outcome, record, gamma),
            curve_distance: nodes_distance(outcome, record, record.gamma),
        };
        comparison.rows.push(row);
        if record.step == 0 {
            continue;
        }
        let here = distances_at(record, &row, level);
        comparison.until_end.include(here);
        let (plane, norm) = invariants(outcome, record);
        comparison.norm_invariant = largest(comparison.norm_invariant, norm);
        if t <= overfits_from {
            comparison.include_early(here, plane);
        }
    }
    Ok(comparison)
}

/// The distances at a time; `level` is h / alpha, `None` where the training set's state has no theory: NaN.
pub(super) fn distances_at(record: &Record, row: &Row, level: Option<f64>) -> Distances {
    let level = level.unwrap_or(f64::NAN);
    Distances {
        gamma: row.gamma_distance,
        nodes: row.nodes_distance,
        curve: row.curve_distance,
        unsatisfied: (record.unsatisfied - row.observables.unsatisfied).abs(),
        loss: (record.loss - row.observables.loss).abs() / level,
    }
}

/// The larger of two, or what is no number.
pub(super) fn largest(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

impl Distances {
    /// The larger of each.
    pub fn include(&mut self, other: Distances) {
        self.gamma = largest(self.gamma, other.gamma);
        self.nodes = largest(self.nodes, other.nodes);
        self.curve = largest(self.curve, other.curve);
        self.unsatisfied = largest(self.unsatisfied, other.unsatisfied);
        self.loss = largest(self.loss, other.loss);
    }
}

/// Where the nodes began.
fn start(outcome: &Outcome) -> &[(f64, f64)] {
    outcome.records.first().map_or(&[], |record| &record.plane)
}

/// Relative L2 distance of all nodes from where the theory has them at `gamma`.
pub(super) fn nodes_distance(outcome: &Outcome, record: &Record, gamma: f64) -> f64 {
    let (mut apart, mut length) = (0.0, 0.0);
    for (&start, now) in start(outcome).iter().zip(&record.plane) {
        let (a, w) = trajectory(start, gamma);
        apart += (now.0 - a).powi(2) + (now.1 - w).powi(2);
        length += a * a + w * w;
    }
    (apart / length).sqrt()
}

/// Changes of a^2 - w_par^2 and of a^2 - |w|^2.
pub(super) fn invariants(outcome: &Outcome, record: &Record) -> (f64, f64) {
    let Some(first) = outcome.records.first() else {
        return (f64::NAN, f64::NAN);
    };
    let (mut plane, mut norm) = ((0.0, 0.0), (0.0, 0.0));
    let before = first.plane.iter().zip(&first.squared_norms);
    let after = record.plane.iter().zip(&record.squared_norms);
    for ((b, norm_b), (a, norm_a)) in before.zip(after) {
        plane.0 += ((a.0 * a.0 - a.1 * a.1) - (b.0 * b.0 - b.1 * b.1)).abs();
        plane.1 += a.0 * a.0 + a.1 * a.1;
        norm.0 += ((a.0 * a.0 - norm_a) - (b.0 * b.0 - norm_b)).abs();
        norm.1 += a.0 * a.0 + norm_a;
    }
    (plane.0 / plane.1, norm.0 / norm.1)
}

fn satisfaction(outcome: &Outcome, clock: &Clock) -> Result<Vec<Satisfaction>, StudyError> {
    let model = &outcome.setting.model;
    let scale = model.distribution.variance(model.dimension).sqrt();
    let projections: Vec<f64> = PROJECTIONS.iter().map(|s| s * scale).collect();
    let times = clock.satisfaction_times(&projections)?;
    let mut bins = Vec::new();
    for (&projection, &theory) in projections.iter().zip(&times) {
        let near = |(s, _): &&(f64, f64)| (s / projection - 1.0).abs() <= 0.05;
        let mut found: Vec<f64> = outcome
            .satisfied
            .iter()
            .filter(near)
            .map(|&(_, t)| if t.is_nan() { f64::INFINITY } else { t })
            .collect();
        found.sort_by(f64::total_cmp);
        let quantile = |part: f64| {
            let place = (part * found.len() as f64) as usize;
            found.get(place).copied().unwrap_or(f64::NAN)
        };
        if !found.is_empty() {
            bins.push(Satisfaction {
                projection,
                examples: found.len(),
                theory,
                quantiles: [0.16, 0.5, 0.84].map(quantile),
            });
        }
    }
    Ok(bins)
}

/// One of the networks of an experiment.
#[derive(Clone, Debug)]
pub struct Case {
    /// What tells it from the others: `alpha 0.1`. Empty if it is the only one.
    pub label: String,
    /// The network.
    pub outcome: Outcome,
    /// The theory.
    pub comparison: Comparison,
}

/// Nodes that are followed: the first so many.
pub const FOLLOWED: usize = 10;
