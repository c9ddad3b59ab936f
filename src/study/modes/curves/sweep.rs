//! Norm and frequency: times to learn go as 1 / p at equal weights, and as 1 / (p rho) from an equal output.

use super::Plan;
use crate::backend::Backend;
use crate::nn::Loss;
use crate::study::StudyError;
use crate::study::modes::descent::{Descent, Rows};
use crate::study::modes::findings::{Axis, Curve, Distance, Figure, Findings, Table};
use crate::study::modes::neurons::{Crossings, follow, problem, two_layers};
use crate::study::modes::theory::scalar::Mode;

/// The time to P = 0.9 of one class for each (p, rho) of the sweep: from equal u0, then from equal weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// (p, rho)
    pub points: Vec<(f64, f64)>,
    /// Trained, from equal u0.
    pub equal_output: Vec<f64>,
    /// The theory's.
    pub equal_output_theory: Vec<f64>,
    /// Trained, from equal weights.
    pub equal_weights: Vec<f64>,
    /// The theory's.
    pub equal_weights_theory: Vec<f64>,
}

/// Trains the sweep: every point is a replica, with rows and frequencies of its own.
///
/// # Errors
/// Those of training.
pub fn train(plan: &Plan, backend: &dyn Backend) -> Result<Sweep, StudyError> {
    const U0: f64 = 0.01;
    let mut points = Vec::new();
    for &rho in &plan.sweep_norms {
        points.extend(plan.sweep_frequencies.iter().map(|&p| (p, rho)));
    }
    // z = v = sqrt(u0 / rho), or sqrt(u0) whatever rho is.
    let mut starts: Vec<f64> = points.iter().map(|&(_, rho)| (U0 / rho).sqrt()).collect();
    starts.extend(vec![U0.sqrt(); points.len()]);
    let twice = || points.iter().chain(&points);
    let features: Vec<f64> = twice().map(|&(_, rho)| rho).collect();
    let frequencies: Vec<f64> = twice().map(|&(p, _)| p).collect();
    let target = 9f64.ln();
    let theory: Vec<f64> = twice()
        .zip(&starts)
        .map(|(&(p, rho), v)| Mode::balanced(p, rho, rho * v * v).implicit_time(target))
        .collect();
    let rows = Rows {
        features: &features,
        labels: &[1],
        frequencies: Some(&frequencies),
    };
    let initial = two_layers(starts.clone(), starts.clone());
    let problem = problem(1, &[1], 1, Loss::Logistic, 2, starts.len());
    let mut descent = Descent::new(&problem, rows, &[], &initial, backend)?;
    let longest = theory.iter().copied().fold(0.0, f64::max);
    let fastest = twice().map(|&(p, rho)| p * rho).fold(0.0, f64::max);
    // Euler's step makes times shorter by a part p rho dt / 2 at most: a quarter of a percent.
    let dt = 0.005 / fastest;
    let mut crossings = Crossings::new(vec![target; starts.len()]);
    follow(&mut descent, dt, ((1.1 * longest / dt) as u64, 4), |t, descent| {
        Ok(crossings.see(t, descent.outputs(0)?))
    })?;
    let times = crossings.times();
    let (first, second) = times.split_at(points.len());
    let (theory_first, theory_second) = theory.split_at(points.len());
    Ok(Sweep {
        equal_output: first.to_vec(),
        equal_output_theory: theory_first.to_vec(),
        equal_weights: second.to_vec(),
        equal_weights_theory: theory_second.to_vec(),
        points,
    })
}

/// (max - min) / mean of the products t * factor.
fn spread(times: &[f64], factors: impl Iterator<Item = f64>) -> f64 {
    let products: Vec<f64> = times.iter().zip(factors).map(|(t, f)| t * f).collect();
    let (low, high) = products
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &x| (l.min(x), h.max(x)));
    (high - low) * products.len() as f64 / products.iter().sum::<f64>()
}

/// Adds what [`train`] found.
pub fn findings(findings: &mut Findings, found: &Sweep) {
    let columns = [
        "p",
        "rho",
        "t_equal_u0",
        "theory_equal_u0",
        "t_equal_weights",
        "theory_equal_weights",
    ];
    let mut table = Table::new("sweep", &columns, true);
    for (n, &(p, rho)) in found.points.iter().enumerate() {
        let row = [
            p,
            rho,
            found.equal_output[n],
            found.equal_output_theory[n],
            found.equal_weights[n],
            found.equal_weights_theory[n],
        ];
        table.rows.push(row.into_iter().map(Into::into).collect());
    }
    findings.tables.push(table);
    findings.distances.push(Distance::derived(
        "time to P = 0.9 times p rho, from equal u0".into(),
        "(max - min) / mean over the sweep".into(),
        spread(&found.equal_output, found.points.iter().map(|&(p, rho)| p * rho)),
        0.01,
    ));
    let mut norms: Vec<f64> = found.points.iter().map(|&(_, rho)| rho).collect();
    norms.dedup();
    let mut curves = Vec::new();
    for rho in norms {
        let own: Vec<usize> = (0..found.points.len()).filter(|&n| found.points[n].1 == rho).collect();
        let of = |values: &[f64]| -> Vec<f64> { own.iter().map(|&n| values[n]).collect() };
        let ps: Vec<f64> = own.iter().map(|&n| found.points[n].0).collect();
        let (trained, theory) = (of(&found.equal_weights), of(&found.equal_weights_theory));
        findings.distances.push(Distance::derived(
            format!("time to P = 0.9 times p at rho = {rho}, from equal weights"),
            "(max - min) / mean over p".into(),
            spread(&trained, ps.iter().copied()),
            0.01,
        ));
        curves.push(Curve::relative(format!("rho = {rho}"), &ps, &theory, &trained));
    }
    findings.figures.push(Figure {
        name: "norm-and-frequency".into(),
        title: "Time to P = 0.9, from equal weights".into(),
        caption: "Lines: (ln u + Ei(u) - ln u0 - Ei(u0)) / (2 p rho) with u = ln 9, u0 = 0.01 rho (derived). Points: one neuron \
                  each, a replica per point."
            .into(),
        x: Axis::log("frequency p"),
        y: Axis::log("time"),
        residual: Some("trained / theory - 1".into()),
        curves,
    });
}
