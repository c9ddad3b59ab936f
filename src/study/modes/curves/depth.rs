//! Networks of N layers whose weights are balanced and of rank one, under the cross-entropy and under the hinge.

use super::{LOOK, Plan, schedule};
use crate::backend::Backend;
use crate::nn::network::Parameters;
use crate::study::StudyError;
use crate::study::modes::descent::{Descent, Rows};
use crate::study::modes::findings::{Axis, Curve, Distance, Figure, Findings, largest};
use crate::study::modes::neurons::{Crossings, follow, loss_of, problem};
use crate::study::modes::theory::depth::DeepMode;
use crate::study::modes::theory::scalar::{PULLS, Pull};

/// Neurons of a hidden layer.
pub const WIDTH: usize = 4;
/// Singular value of every layer at the start.
pub const SINGULAR_VALUE: f64 = 0.3;
/// How long the curves are followed.
const TIME: f64 = 24.0;

/// A network of N layers beside its equation.
#[derive(Clone, Debug, PartialEq)]
pub struct Deep {
    /// Times of the records.
    pub times: Vec<f64>,
    /// Outputs.
    pub trained: Vec<f64>,
    /// The theory's.
    pub theory: Vec<f64>,
    /// When the output reached 1; NaN for never.
    pub reached: f64,
}

/// Trains a network whose layers all have the singular value s.
///
/// # Errors
/// Those of training and of the theory's solver.
pub fn train(
    (mode, s): (DeepMode, f64),
    pull: Pull,
    (time, dt): (f64, f64),
    backend: &dyn Backend,
) -> Result<Deep, StudyError> {
    let layers = mode.layers as usize;
    let width = WIDTH as f64;
    let mut initial: Parameters = Vec::new();
    for layer in 0..layers {
        let (count, value) = if layer == 0 || layer + 1 == layers {
            (WIDTH, s / width.sqrt())
        } else {
            (WIDTH * WIDTH, s / width)
        };
        initial.push((format!("{}.weight", 2 * layer), vec![value; count]));
    }
    let rows = Rows {
        features: &[mode.norm],
        labels: &[1],
        frequencies: Some(&[mode.frequency]),
    };
    let problem = problem(1, &vec![WIDTH; layers - 1], 1, loss_of(pull), 2, 1);
    let mut descent = Descent::new(&problem, rows, &[], &initial, backend)?;
    let (steps, every) = schedule(time, dt);
    let (mut times, mut trained) = (Vec::new(), Vec::new());
    let mut crossings = Crossings::new(vec![1.0]);
    follow(&mut descent, dt, (steps, LOOK), |t, descent| {
        let outputs = descent.outputs(0)?;
        if ((t / dt).round() as u64).is_multiple_of(every) {
            times.push(t);
            trained.push(outputs.first().copied().unwrap_or(f64::NAN));
        }
        crossings.see(t, outputs);
        Ok(true)
    })?;
    Ok(Deep {
        theory: mode.curve(pull, &times)?,
        reached: crossings.times().first().copied().unwrap_or(f64::NAN),
        times,
        trained,
    })
}

/// Adds the curves of every depth.
///
/// # Errors
/// As [`train`].
pub fn findings(
    findings: &mut Findings,
    plan: &Plan,
    backend: &dyn Backend,
    tell: &mut dyn FnMut(&str),
) -> Result<(), StudyError> {
    let (frequency, norm) = (0.5, 1.5);
    let dt = 0.25 * plan.dt;
    for pull in PULLS {
        let name = pull.name();
        let mut curves = Vec::new();
        for &layers in &plan.depths {
            tell(&format!("{layers} layers, {name}"));
            let mode = DeepMode::of_singular_value(layers, frequency, norm, SINGULAR_VALUE);
            let deep = train((mode, SINGULAR_VALUE), pull, (TIME, dt), backend)?;
            // Euler's clock is late by (dt / 2) ln(ds/dt at the end / at the start), ds/dt = p rho s^(N - 1), u = rho s^N.
            let late = 0.5 * dt * (1.0 - 1.0 / f64::from(layers)) * (1.0 / mode.initial).max(1.0).ln();
            // Deeper networks creep along their plateau in steps of a few roundings, of 2^-25 each in all N layers at worst.
            let creeping = if layers > 4 {
                f64::from(layers) * TIME / dt * 2f64.powi(-25)
            } else {
                0.0
            };
            let tolerance = match pull {
                Pull::CrossEntropy => 1e-3 * (plan.dt / 1e-3).max(1.0) + creeping,
                // As much of u as is due to that, or the last step's overshoot; and 1e-4 for roundings of the weights.
                Pull::Hinge => mode.speed(1.0 - f64::EPSILON, pull) * late.max(dt) + 1e-4 + creeping,
            };
            findings.distances.push(Distance::derived(
                format!("depth, {name}: u(t) of {layers} layers"),
                format!("largest relative difference, dt = {dt}"),
                largest(&deep.trained, &deep.theory, true),
                tolerance,
            ));
            let stop = mode.hinge_time();
            if pull == Pull::Hinge && stop < TIME {
                findings.distances.push(Distance::derived(
                    format!("depth, hinge: finishing time of {layers} layers"),
                    format!("difference; theory {stop:.4}"),
                    (deep.reached - stop).abs(),
                    // Two steps and those between two looks, beside the late clock.
                    (2.0 + LOOK as f64) * dt + late,
                ));
            }
            curves.push(Curve::relative(
                format!("{layers} layers"),
                &deep.times,
                &deep.theory,
                &deep.trained,
            ));
        }
        let pulled = match pull {
            Pull::CrossEntropy => "1 / (1 + e^u)",
            Pull::Hinge => "1 up to u = 1",
        };
        findings.figures.push(Figure {
            name: format!("depth-{name}"),
            title: format!("Networks of N layers, {name}"),
            caption: format!(
                "Lines: du/dt = N p rho^(2/N) u^(2-2/N) g(u), g = {pulled} (derived). Points: balanced networks of rank one, \
                 {WIDTH} neurons a layer, p = {frequency}, rho = {norm}, singular values {SINGULAR_VALUE}, dt = {dt}, {}.",
                backend.name()
            ),
            x: Axis::linear("time t = steps * dt"),
            y: Axis::log("margin u"),
            residual: Some("trained / theory - 1".into()),
            curves,
        });
    }
    Ok(())
}
