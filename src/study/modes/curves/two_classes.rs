//! Two classes, each one direction: the network's margins against two scalar equations that know nothing of each other.

use super::{LOOK, Plan, schedule};
use crate::backend::Backend;
use crate::nn::network::Parameters;
use crate::study::StudyError;
use crate::study::modes::descent::{Descent, Rows};
use crate::study::modes::findings::{Axis, Curve, Distance, Figure, Findings, Source, largest};
use crate::study::modes::neurons::{Crossings, TwoGroups, follow, loss_of, problem, two_layers};
use crate::study::modes::theory::scalar::{Mode, Pull, probability};

/// The curves of two classes under one loss.
#[derive(Clone, Debug, PartialEq)]
pub struct TwoClasses {
    /// Times of the records.
    pub times: Vec<f64>,
    /// Margins, by variant (unbalanced, balanced) and class.
    pub margins: [[Vec<f64>; 2]; 2],
    /// Margins of class 1 in the unbalanced network with class 2 deleted.
    pub alone: Vec<f64>,
    /// The theory's, as `margins`.
    pub theory: [[Vec<f64>; 2]; 2],
    /// Elements of W x and Z whose sign changed at any record.
    pub flips: usize,
    /// The scalar equations, by variant and class.
    pub modes: [[Mode; 2]; 2],
    /// When the trained margins reached 1, likewise; NaN for never.
    pub reached: [[f64; 2]; 2],
}

/// Trains the two-class networks: unbalanced, balanced, and unbalanced with class 2 deleted.
///
/// # Errors
/// Those of training and of the theory's solver.
pub fn train(plan: &Plan, pull: Pull, backend: &dyn Backend) -> Result<TwoClasses, StudyError> {
    let groups = [false, true].map(|balanced| TwoGroups::draw(plan.width, plan.scale, balanced, plan.seed));
    let [rho1, rho2] = plan.norms;
    let [p1, p2] = plan.frequencies;
    let variants = [&groups[0], &groups[1], &groups[0]];
    let all = |f: fn(&TwoGroups) -> &Vec<f64>| variants.iter().flat_map(|g| f(g).iter().copied()).collect();
    let initial = two_layers(all(|g| &g.weights), all(|g| &g.outputs));
    let rows = Rows {
        features: &[rho1, 0.0, 0.0, rho2],
        labels: &[1, 0],
        frequencies: Some(&[p1, p2, p1, p2, p1, 0.0]),
    };
    let mut descent = Descent::new(
        &problem(2, &[plan.width], 1, loss_of(pull), 2, variants.len()),
        rows,
        &[],
        &initial,
        backend,
    )?;
    let modes = [0, 1].map(|variant: usize| {
        [0, 1].map(|class: usize| {
            Mode::of_neurons(
                plan.frequencies[class],
                plan.norms[class],
                &groups[variant].group(class),
            )
        })
    });
    let mut found = TwoClasses {
        times: Vec::new(),
        margins: Default::default(),
        alone: Vec::new(),
        theory: Default::default(),
        flips: 0,
        modes,
        reached: [[f64::NAN; 2]; 2],
    };
    let signs = signs_of(&descent.parameters()?);
    let mut crossings = Crossings::new(vec![1.0; 4]);
    let (steps, every) = schedule(plan.time, plan.dt);
    follow(&mut descent, plan.dt, (steps, LOOK), |t, descent| {
        let outputs = descent.outputs(0)?;
        let margins = [outputs[0], -outputs[1], outputs[2], -outputs[3]];
        crossings.see(t, margins.to_vec());
        if !((t / plan.dt).round() as u64).is_multiple_of(every) {
            return Ok(true);
        }
        found.times.push(t);
        for (n, margin) in margins.into_iter().enumerate() {
            found.margins[n / 2][n % 2].push(margin);
        }
        found.alone.push(outputs[4]);
        let now = signs_of(&descent.parameters()?);
        found.flips += signs.iter().zip(&now).filter(|(a, b)| a != b).count();
        Ok(true)
    })?;
    let reached = crossings.times();
    for variant in 0..2 {
        for class in 0..2 {
            found.theory[variant][class] = modes[variant][class].curve(pull, &found.times)?;
            found.reached[variant][class] = reached[2 * variant + class];
        }
    }
    Ok(found)
}

/// On axis-parallel inputs the sign of a weight is that of W x.
fn signs_of(parameters: &Parameters) -> Vec<bool> {
    parameters
        .iter()
        .flat_map(|(_, values)| values)
        .map(|&v| v > 0.0)
        .collect()
}

/// What is expected of |u trained - u theory| (derived). Before the hinge stops, n steps of (1 + p rho dt) for e^(n p rho dt)
/// leave u behind by a part tau p rho dt, tau = p rho t; its last step goes beyond by 2 p rho dt at most. The cross-entropy's
/// pull is weaker and falls, which closes what is open. At the defaults this is 2e-3, which is left to slow classes too: their
/// steps are so short that roundings of the weights count for more.
fn expected(plan: &Plan, mode: &Mode) -> f64 {
    let step = mode.rate() * plan.dt;
    let tau = mode.rate() * mode.hinge_time().min(plan.time);
    (step * tau.max(2.0)).max(2e-3)
}

/// Adds what [`train`] found.
pub fn findings(findings: &mut Findings, plan: &Plan, pull: Pull, found: &TwoClasses, device: &str) {
    let name = pull.name();
    let mut curves = Vec::new();
    for (variant, word) in ["unbalanced", "balanced"].into_iter().enumerate() {
        for class in 0..2 {
            let (trained, theory) = (&found.margins[variant][class], &found.theory[variant][class]);
            let mode = &found.modes[variant][class];
            let label = format!("class {}, {word}", class + 1);
            findings.distances.push(Distance::derived(
                format!("{name}: u(t) of {label}"),
                format!("largest difference, dt = {}", plan.dt),
                largest(trained, theory, false),
                expected(plan, mode),
            ));
            let (reached, stop) = (found.reached[variant][class], mode.hinge_time());
            if pull == Pull::Hinge && stop < plan.time {
                findings.distances.push(Distance::derived(
                    format!("hinge: finishing time of {label}"),
                    format!("difference; theory {stop:.4}"),
                    (reached - stop).abs(),
                    // Two steps and those between two looks; and Euler's clock, which is late by a part p rho dt / 2.
                    (2.0 + LOOK as f64 + 0.5 * mode.rate() * stop) * plan.dt,
                ));
            }
            if pull == Pull::CrossEntropy && variant == 1 {
                let times = found.times.iter().zip(theory).skip(1);
                let off = times.map(|(&t, &u)| (mode.implicit_time(u) / t - 1.0).abs());
                findings.distances.push(Distance::derived(
                    format!("ln u + Ei(u) = ln u0 + Ei(u0) + 2 p rho t, {label}"),
                    "largest relative difference of t to the integrated equation".into(),
                    off.fold(0.0, f64::max),
                    1e-6,
                ));
            }
            curves.push(Curve::compared(label, &found.times, theory, trained));
        }
    }
    let exact = |what: &str, measure: &str, value: f64| Distance {
        source: Source::Paper,
        ..Distance::derived(format!("{name}: {what}"), measure.into(), value, 0.0)
    };
    let alone = largest(&found.alone, &found.margins[0][0], false);
    findings.distances.push(exact(
        "class 1 with class 2 deleted",
        "largest difference to both together",
        alone,
    ));
    findings
        .distances
        .push(exact("signs of W x and Z", "how many change", found.flips as f64));
    let [p, rho] = [plan.frequencies, plan.norms];
    let figure = |name: String, title: String, y: &str, curves: Vec<Curve>| Figure {
        name,
        title,
        caption: format!(
            "Lines: the scalar equation (derived). Points: one network each. p = {}, {}; rho = {}, {}; {} neurons; initial \
             weights {} U(0.5, 1.5); dt = {}; seed {}; {device}.",
            p[0], p[1], rho[0], rho[1], plan.width, plan.scale, plan.dt, plan.seed
        ),
        x: Axis::linear("time t = steps * dt"),
        y: Axis::linear(y),
        residual: Some("trained - theory".into()),
        curves,
    };
    if pull == Pull::CrossEntropy {
        let as_probability = |values: &[f64]| values.iter().map(|&u| probability(u)).collect::<Vec<f64>>();
        let sigmoids = curves.iter().enumerate().map(|(n, curve)| {
            let (theory, trained) = (&found.theory[n / 2][n % 2], &found.margins[n / 2][n % 2]);
            let (theory, trained) = (as_probability(theory), as_probability(trained));
            Curve::compared(curve.label.clone(), &found.times, &theory, &trained)
        });
        findings.figures.push(figure(
            "sigmoids".into(),
            "Probability of the right class".into(),
            "P = 1 / (1 + e^-u)",
            sigmoids.collect(),
        ));
    }
    findings.figures.push(figure(
        format!("modes-{name}"),
        format!("Output of two classes, {name}"),
        "margin u",
        curves,
    ));
}
