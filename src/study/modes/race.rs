//! The race by training: from the same u0 one neuron learns under the cross-entropy, another under the hinge.

use super::descent::{Descent, Rows};
use super::findings::{Axis, Curve, Distance, Figure, Findings, Table};
use super::neurons::{Crossings, follow, loss_of, problem, two_layers};
use super::theory::race::Race;
use super::theory::scalar::Pull;
use crate::backend::Backend;
use crate::study::StudyError;

/// What to train.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// u0 of each pair, in (0, 1).
    pub initial: Vec<f64>,
    /// Learning rate: the step of Euler's method, in units of 1 / (p rho).
    pub dt: f64,
}

/// One pair after the race.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finish {
    /// When the hinge network came to u = 1.
    pub hinge_time: f64,
    /// When the other one did.
    pub cross_entropy_time: f64,
    /// Its output at the theory's finishing time of the hinge.
    pub output: f64,
}

/// Trains all pairs, a replica each.
///
/// # Errors
/// Those of training.
pub fn train(plan: &Plan, races: &[Race], backend: &dyn Backend) -> Result<Vec<Finish>, StudyError> {
    let starts: Vec<f64> = plan.initial.iter().map(|u| u.sqrt()).collect();
    let rows = Rows {
        features: &[1.0],
        labels: &[1],
        frequencies: None,
    };
    let run = |pull: Pull, longest: f64| -> Result<(Vec<f64>, Vec<f64>), StudyError> {
        let initial = two_layers(starts.clone(), starts.clone());
        let problem = problem(1, &[1], 1, loss_of(pull), 2, starts.len());
        let mut descent = Descent::new(&problem, rows, &[], &initial, backend)?;
        let mut crossings = Crossings::new(vec![1.0; starts.len()]);
        // The output where the clock passes the theory's finishing time, on a straight line.
        let mut at_finish = vec![f64::NAN; starts.len()];
        let mut last: Option<(f64, Vec<f64>)> = None;
        follow(
            &mut descent,
            plan.dt,
            ((1.1 * longest / plan.dt) as u64 + 2, 1),
            |t, descent| {
                let outputs = descent.outputs(0)?;
                if let Some((before, values)) = &last {
                    for (n, race) in races.iter().enumerate() {
                        if *before < race.hinge_time && race.hinge_time <= t {
                            let part = (race.hinge_time - before) / (t - before);
                            at_finish[n] = values[n] + part * (outputs[n] - values[n]);
                        }
                    }
                }
                last = Some((t, outputs.clone()));
                Ok(crossings.see(t, outputs))
            },
        )?;
        Ok((crossings.times(), at_finish))
    };
    let longest = |f: fn(&Race) -> f64| races.iter().map(f).fold(0.0, f64::max);
    let (hinge, _) = run(Pull::Hinge, longest(|race| race.hinge_time))?;
    let (cross_entropy, outputs) = run(Pull::CrossEntropy, longest(|race| race.cross_entropy_time))?;
    Ok((0..starts.len())
        .map(|n| Finish {
            hinge_time: hinge[n],
            cross_entropy_time: cross_entropy[n],
            output: outputs[n],
        })
        .collect())
}

/// The whole experiment.
///
/// # Errors
/// Those of training and of the theory's solver.
pub fn run(plan: &Plan, backend: &dyn Backend, tell: &mut dyn FnMut(&str)) -> Result<Findings, StudyError> {
    tell(&format!("{} pairs of networks", plan.initial.len()));
    let races: Vec<Race> = plan.initial.iter().map(|&u| Race::from(u)).collect::<Result<_, _>>()?;
    let finishes = train(plan, &races, backend)?;
    let columns = [
        "u0",
        "t_hinge",
        "t_hinge_theory",
        "t_cross_entropy",
        "t_cross_entropy_theory",
        "ratio",
        "ratio_theory",
        "progress",
        "progress_theory",
    ];
    let mut table = Table::new("race", &columns, true);
    let (mut ratios, mut progress) = (Vec::new(), Vec::new());
    let mut distances = Vec::new();
    for (race, finish) in races.iter().zip(&finishes) {
        let ratio = finish.cross_entropy_time / finish.hinge_time;
        let reached = finish.output / race.initial.sqrt();
        let row = [
            race.initial,
            finish.hinge_time,
            race.hinge_time,
            finish.cross_entropy_time,
            race.cross_entropy_time,
            ratio,
            race.ratio(),
            reached,
            race.progress(),
        ];
        table.rows.push(row.into_iter().map(Into::into).collect());
        ratios.push(ratio);
        progress.push(reached);
        let mut add = |what: String, value: f64, tolerance: f64| {
            distances.push(Distance::derived(what, "difference".into(), value, tolerance));
        };
        let u0 = race.initial;
        add(
            format!("finishing time of the hinge from u0 = {u0}"),
            (finish.hinge_time - race.hinge_time).abs(),
            // Two steps, and Euler's clock: (1 + dt)^n for e^(n dt) is late by a part dt / 2.
            2.0 * plan.dt + 0.5 * plan.dt * race.hinge_time,
        );
        add(
            format!("ratio of the times from u0 = {u0}"),
            (ratio - race.ratio()).abs(),
            // 1e-3 at dt = 5e-4.
            2.0 * plan.dt,
        );
        add(
            format!("u_CE(t*_H) / sqrt(u0) from u0 = {u0}"),
            (reached - race.progress()).abs(),
            // Euler's exponent is short by a part dt / 4, of ln(1 / u0) / 2; and as much for roundings.
            0.25 * plan.dt * (1.0 / u0).ln() + 1e-4,
        );
    }
    let figure = |name: &str, title: &str, y: &str, limit: &str, theory: Vec<f64>, trained: &[f64]| {
        let mut curve = Curve::compared("from the same u0", &plan.initial, &theory, trained);
        curve.theory.sort_by(|a, b| a.0.total_cmp(&b.0));
        Figure {
            name: name.into(),
            title: title.into(),
            caption: format!(
                "Line, derived; {limit} for u0 -> 0. Points: one neuron each, balanced, p rho = 1, dt = {}, {}.",
                plan.dt,
                backend.name()
            ),
            x: Axis::log("initial output u0"),
            y: Axis::linear(y),
            residual: Some("trained - theory".into()),
            curves: vec![curve],
        }
    };
    let figures = vec![
        figure(
            "race",
            "Cross-entropy against hinge",
            "t_CE / t*_H",
            "t_CE(u = 1) / t*_H -> 2",
            races.iter().map(Race::ratio).collect(),
            &ratios,
        ),
        figure(
            "race-progress",
            "Cross-entropy at t*_H",
            "u / sqrt(u0)",
            "u_CE(t*_H) / sqrt(u0) -> 1",
            races.iter().map(Race::progress).collect(),
            &progress,
        ),
    ];
    let first = plan.initial.iter().zip(&ratios).min_by(|a, b| a.0.total_cmp(b.0));
    Ok(Findings {
        title: "Cross-entropy against hinge".into(),
        headline: first.map_or(String::new(), |(u0, ratio)| {
            format!("From u0 = {u0} the cross-entropy takes {ratio:.3} times as long as the hinge to u = 1.")
        }),
        figures,
        distances,
        tables: vec![table],
        ..Findings::default()
    })
}
