//! The tables of a `hinge-theory` run, and `summary.json`.
//!
//! | file | a row is |
//! |---|---|
//! | `states.csv` | a recorded time of a case: the network's state, the theory's, the distances |
//! | `curves.csv` | a state of a case beside the curve of the first case whose nodes begin alike; if there is one |
//! | `nodes.csv` | a followed node at a recorded time, and where the theory has it |
//! | `satisfaction.csv` | examples of about one projection: quantiles of their first satisfaction times, the theory's time |
//! | `examples.csv` | a training example: its projection and first satisfaction time (empty: never) |
//!
//! Numbers are in the shortest form that reads back to the same bits; what is not finite is `NaN`, `inf` or `-inf`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::study::hinge_theory::comparison::{Case, Distances, FOLLOWED};
use crate::study::hinge_theory::finite_examples::overfits_below;
use crate::study::hinge_theory::nodes::trajectory;
use crate::study::hinge_theory::same_curve::{apart, begin_alike, farthest};

/// `states.csv`
pub fn states(cases: &[Case]) -> String {
    let mut csv = String::from(
        "case,t,gamma,gamma_theory,unsatisfied,unsatisfied_theory,loss,loss_theory,train_error,test_error,\
         test_error_finite_nodes,gamma_distance,nodes_distance,curve_distance,looked\n",
    );
    for (c, case) in cases.iter().enumerate() {
        for (record, row) in case.outcome.records.iter().zip(&case.comparison.rows) {
            // Writing to a `String` cannot fail.
            let _ = writeln!(
                csv,
                "{c},{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
                record.step,
                record.gamma,
                row.gamma,
                record.unsatisfied,
                row.observables.unsatisfied,
                record.loss,
                row.observables.loss,
                record.train_error,
                record.test_error,
                row.test_error,
                row.gamma_distance,
                row.nodes_distance,
                row.curve_distance,
                record.looked
            );
        }
    }
    csv
}

/// `nodes.csv`
pub fn nodes(cases: &[Case]) -> String {
    let mut csv = String::from("case,node,t,a,w_par,a_theory,w_par_theory\n");
    for (c, case) in cases.iter().enumerate() {
        let records = &case.outcome.records;
        let Some(first) = records.first() else { continue };
        for (node, &start) in first.plane.iter().take(FOLLOWED).enumerate() {
            for (record, row) in records.iter().zip(&case.comparison.rows) {
                let Some((a, w)) = record.plane.get(node) else { continue };
                let (to_a, to_w) = trajectory(start, row.gamma);
                let _ = writeln!(csv, "{c},{node},{},{a},{w},{to_a},{to_w}", record.step);
            }
        }
    }
    csv
}

/// `satisfaction.csv`
pub fn satisfaction(cases: &[Case]) -> String {
    let mut csv = String::from("case,projection,examples,theory,q16,median,q84\n");
    for (c, case) in cases.iter().enumerate() {
        for bin in &case.comparison.satisfaction {
            let [low, median, high] = bin.quantiles;
            let _ = writeln!(
                csv,
                "{c},{},{},{},{low},{median},{high}",
                bin.projection, bin.examples, bin.theory
            );
        }
    }
    csv
}

/// `examples.csv`
pub fn examples(cases: &[Case]) -> String {
    let mut csv = String::from("case,example,projection,first_satisfied\n");
    for (c, case) in cases.iter().enumerate() {
        for (k, (projection, first)) in case.outcome.satisfied.iter().enumerate() {
            let _ = write!(csv, "{c},{k},{projection},");
            let _ = if first.is_nan() {
                writeln!(csv)
            } else {
                writeln!(csv, "{first}")
            };
        }
    }
    csv
}

/// `curves.csv`; empty if no two cases begin alike.
pub fn curves(cases: &[Case]) -> String {
    let mut csv = String::new();
    for (c, case) in cases.iter().enumerate() {
        let Some((first, of_first)) = beside(cases, c) else {
            continue;
        };
        if csv.is_empty() {
            csv.push_str("case,beside,t,gamma,nodes_relative_l2,worst_node\n");
        }
        for state in apart(of_first, case) {
            let (nodes, worst) = (state.nodes, state.worst);
            let _ = writeln!(csv, "{c},{first},{},{},{nodes},{worst}", state.t, state.gamma);
        }
    }
    csv
}

/// The first case whose nodes begin like those of case `c`, and its place; `None` if that is `c` itself.
pub fn beside(cases: &[Case], c: usize) -> Option<(usize, &Case)> {
    let case = cases.get(c)?;
    cases
        .iter()
        .take(c)
        .enumerate()
        .find(|(_, first)| begin_alike(first, case))
}

fn distances(distances: &Distances) -> Value {
    json!({
        "gamma_relative": distances.gamma,
        "nodes_relative_l2": distances.nodes,
        "curve_relative_l2": distances.curve,
        "unsatisfied_absolute": distances.unsatisfied,
        "loss_absolute": distances.loss,
    })
}

/// `summary.json`: per case its parameters, the theory's numbers, the last state and the distances. What is not finite is null.
pub fn summary(cases: &[Case]) -> Value {
    let of = |(c, case): (usize, &Case)| {
        let (setting, comparison) = (&case.outcome.setting, &case.comparison);
        let model = &setting.model;
        let last = case.outcome.records.last();
        let row = comparison.rows.last();
        let satisfaction: Vec<Value> = comparison
            .satisfaction
            .iter()
            .map(|bin| {
                json!({"projection": bin.projection, "examples": bin.examples, "theory": bin.theory,
                       "median": bin.quantiles[1], "q16": bin.quantiles[0], "q84": bin.quantiles[2]})
            })
            .collect();
        json!({
            "label": case.label,
            "replica": setting.replica,
            "unit": model.unit.name(),
            "distribution": model.distribution.name(),
            "dimension": model.dimension,
            "nodes": setting.nodes,
            "samples": setting.examples,
            "alpha": model.alpha,
            "threshold": model.threshold,
            "beta": model.beta,
            "noise": model.noise,
            "steps": setting.steps,
            "theory": {
                "rate": comparison.first_stage_rate,
                // The others are those of isotropic data.
                "crossover": comparison.mean_field.then(|| model.crossover()),
                "overfits_below": comparison.mean_field.then(|| overfits_below(model, setting.examples)),
                "overfits_from": comparison.overfits_from,
                "final_gamma": comparison.mean_field.then(|| comparison.clock.final_gamma()),
            },
            "final": {
                "gamma": last.map(|r| r.gamma),
                "gamma_theory": row.map(|r| r.gamma),
                "unsatisfied": last.map(|r| r.unsatisfied),
                "unsatisfied_theory": row.map(|r| r.observables.unsatisfied),
                "loss": last.map(|r| r.loss),
                "train_error": last.map(|r| r.train_error),
                "test_error": last.map(|r| r.test_error),
            },
            "distance_until_overfitting": comparison.until_overfitting.as_ref().map(distances),
            "distance_until_end": distances(&comparison.until_end),
            "curve_beside_first": beside(cases, c).and_then(|(_, first)| farthest(&apart(first, case))).map(|far| {
                json!({"nodes_relative_l2": far.nodes, "worst_node": far.worst, "until_gamma": far.gamma, "states": far.states})
            }),
            "plane_invariant_change": comparison.plane_invariant,
            "norm_invariant_change": comparison.norm_invariant,
            "satisfaction": satisfaction,
            "looks": case.outcome.looks,
        })
    };
    json!({ "experiment": "hinge-theory", "cases": cases.iter().enumerate().map(of).collect::<Vec<Value>>() })
}
