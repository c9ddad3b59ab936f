//! Real images: the first stage of training.
//!
//! The paper compares the nodes' dynamics in the first stage of training on a realistic data set with its theory (Sec. 4; which
//! data set and labels is not known to us). Here (derived): w* := ⟨y x⟩ / |⟨y x⟩| of the training set; while no example is
//! satisfied, the force on every node is about (1/c) ⟨y x⟩, exactly so for linear units and for ReLU as far as the data are
//! symmetric under x, y -> -x, -y. Then the nodes move on the same hyperbolas with gamma = (beta / (c sqrt d)) |⟨y x⟩| t.
//! Reported, not tested against a number.

use super::clock::Clock;
use super::comparison::{Comparison, Distances, Row, distances_at, invariants, largest, nodes_distance};
use super::examples::Examples;
use super::observables::Observables;
use super::simulation::{Data, Outcome};
use crate::study::StudyError;
use crate::study::prepare::Prepared;
use crate::study::projection::dot;

/// The first stage ends when so much of the training set is satisfied.
const SATISFIED: f64 = 0.01;

/// The data with their direction, and |⟨y x⟩|.
///
/// # Errors
/// [`StudyError::Option`] unless there are two classes whose means differ.
pub fn data(prepared: &Prepared) -> Result<(Data, f64), StudyError> {
    let wrong = |detail: String| StudyError::Option { detail };
    if prepared.classes.len() != 2 {
        return Err(wrong(format!(
            "--labels: {} classes, expected a rule with two",
            prepared.classes.len()
        )));
    }
    let d = prepared.inputs;
    let n = prepared.train_labels.len();
    let mut mean = vec![0.0; d];
    for (x, &label) in prepared.train_features.chunks_exact(d).zip(&prepared.train_labels) {
        let y = if label == 1 { 1.0 } else { -1.0 };
        mean.iter_mut().zip(x).for_each(|(mean, x)| *mean += y * x / n as f64);
    }
    let length = dot(&mean, &mean).sqrt();
    if !(length > 0.0 && length.is_finite()) {
        return Err(wrong(
            "the two classes have the same mean, expected a direction between them".into(),
        ));
    }
    let data = Data {
        train: Examples {
            x: prepared.train_features.clone(),
            labels: prepared.train_labels.clone(),
        },
        test: Examples {
            x: prepared.test_features.clone(),
            labels: prepared.test_labels.clone(),
        },
        direction: mean.iter().map(|m| m / length).collect(),
    };
    Ok((data, length))
}

/// Lays the first stage beside an outcome: `rate` is beta |⟨y x⟩| / (c sqrt d).
pub fn compare(outcome: &Outcome, rate: f64) -> Comparison {
    let nan = Observables {
        unsatisfied: f64::NAN,
        loss: f64::NAN,
    };
    let satisfied = outcome.records.iter().find(|r| r.unsatisfied < 1.0 - SATISFIED);
    let ends = satisfied.map_or(f64::INFINITY, |r| r.step as f64);
    let mut comparison = Comparison {
        clock: Clock::population(outcome.setting.model),
        mean_field: false,
        first_stage_rate: rate,
        rows: Vec::new(),
        overfits_from: ends,
        until_overfitting: None,
        until_end: Distances::default(),
        plane_invariant: None,
        norm_invariant: 0.0,
        satisfaction: Vec::new(),
    };
    for record in &outcome.records {
        let t = record.step as f64;
        let gamma = rate * t;
        let row = Row {
            t,
            gamma,
            projection: f64::NAN,
            observables: nan,
            test_error: f64::NAN,
            gamma_distance: (record.gamma - gamma).abs() / gamma,
            nodes_distance: nodes_distance(outcome, record, gamma),
            curve_distance: nodes_distance(outcome, record, record.gamma),
        };
        comparison.rows.push(row);
        if record.step > 0 {
            let here = distances_at(record, &row, None);
            let (plane, norm) = invariants(outcome, record);
            comparison.until_end.include(here);
            comparison.norm_invariant = largest(comparison.norm_invariant, norm);
            if t < ends {
                comparison.include_early(here, plane);
            }
        }
    }
    comparison
}
