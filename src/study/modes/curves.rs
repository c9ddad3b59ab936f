//! Learning curves of networks beside the theory's: two classes, K classes, depth, and the sweep of norm and frequency.

use super::depth::DeepMode;
use super::descent::{Descent, Rows};
use super::multiclass::ClassMode;
use super::neurons::{Crossings, TwoGroups, follow, loss_of, problem, two_layers};
use super::scalar::{Mode, PULLS, Pull, probability};
use crate::backend::Backend;
use crate::nn::Loss;
use crate::nn::network::Parameters;
use crate::study::StudyError;
use super::findings::{Axis, Curve, Distance, Figure, Findings, Source, Table};

/// What to train.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// p of the two classes.
    pub frequencies: [f64; 2],
    /// rho of the two classes.
    pub norms: [f64; 2],
    /// Hidden neurons, half for each class.
    pub width: usize,
    /// Size of the initial weights: U(0.5, 1.5) times this.
    pub scale: f64,
    /// Numbers of classes under the softmax.
    pub classes: Vec<usize>,
    /// Numbers of layers.
    pub depths: Vec<u32>,
    /// p of the sweep.
    pub sweep_frequencies: Vec<f64>,
    /// rho of the sweep.
    pub sweep_norms: Vec<f64>,
    /// Learning rate: the step of Euler's method in time.
    pub dt: f64,
    /// How long the curves of two classes are followed, in units of time.
    pub time: f64,
    /// Seed of the initial weights.
    pub seed: u64,
}

/// Points of a curve that a figure shows.
const POINTS: u64 = 60;

/// Records of a run of `time`: steps, and steps between two records.
fn schedule(time: f64, dt: f64) -> (u64, u64) {
    let steps = (time / dt).round().max(1.0) as u64;
    let every = steps.div_ceil(POINTS);
    (every * steps.div_ceil(every), every)
}

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
    /// When the hinge stops, by variant and class.
    pub hinge_times: [[f64; 2]; 2],
    /// When the trained margins reached 1, likewise.
    pub reached: [[f64; 2]; 2],
}

/// Trains the two-class networks: unbalanced, balanced, and unbalanced with class 2 deleted.
///
/// # Errors
/// Those of training and of the theory's solver.
pub fn two_classes(plan: &Plan, pull: Pull, backend: &dyn Backend) -> Result<TwoClasses, StudyError> {
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
        hinge_times: modes.map(|of| of.map(|mode| mode.hinge_time())),
        reached: [[f64::NAN; 2]; 2],
    };
    let signs = signs_of(&descent.parameters()?);
    let mut crossings = Crossings::new(vec![1.0; 4]);
    let (steps, every) = schedule(plan.time, plan.dt);
    // The crossing is looked for at every tenth step, the rest at records.
    let fine = if every.is_multiple_of(10) { 10 } else { 1 };
    follow(&mut descent, plan.dt, (steps, fine), |t, descent| {
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

/// The margins of K classes: (times, per class the trained and the theory's).
pub type KClasses = (Vec<f64>, Vec<(Vec<f64>, Vec<f64>)>);

/// Trains K orthogonal classes under the softmax until the theory says P = 0.99, one neuron per class, rho = 1, p = 1 / K.
///
/// # Errors
/// Those of training and of the theory's solver.
pub fn k_classes(classes: usize, plan: &Plan, backend: &dyn Backend) -> Result<KClasses, StudyError> {
    let k = classes;
    let (frequency, norm) = (1.0 / k as f64, 1.0);
    // Different sizes, so that the classes have curves of their own.
    let modes: Vec<ClassMode> = (0..k)
        .map(|class| ClassMode {
            classes,
            frequency,
            norm,
            projection: (6.0 + 2.0 * class as f64 / k as f64) * plan.scale,
        })
        .collect();
    let (mut weights, mut outputs) = (vec![0.0; k * k], vec![0.0; k * k]);
    for (class, mode) in modes.iter().enumerate() {
        weights[class * k + class] = mode.projection;
        let (own, other) = mode.output_weights();
        for o in 0..k {
            outputs[o * k + class] = if o == class { own } else { other };
        }
    }
    let features: Vec<f64> = (0..k * k).map(|n| f64::from(u8::from(n / k == n % k))).collect();
    let labels: Vec<u32> = (0..k as u32).collect();
    let rows = Rows {
        features: &features,
        labels: &labels,
        frequencies: None,
    };
    let mut descent = Descent::new(
        &problem(k, &[k], k, Loss::CrossEntropy, k, 1),
        rows,
        &[],
        &two_layers(weights, outputs),
        backend,
    )?;
    let initial = modes.first().map_or(0.1, ClassMode::initial);
    let rate = 2.0 * frequency * (k as f64 / (k as f64 - 1.0)).sqrt();
    let time = (2.0 * (1.0 / initial).max(1.0).ln() + 12.0) / rate;
    // The theory's relative error of Euler's method is (rate / 2)^2 dt t / 2 in the exponent: a tenth of 1e-3.
    let dt = (plan.dt / 2.0) * (1.0 / rate).min(k as f64);
    let (steps, every) = schedule(time, dt);
    let mut times = Vec::new();
    let mut margins = vec![Vec::new(); k];
    follow(&mut descent, dt, (steps, every), |t, descent| {
        let outputs = descent.outputs(0)?;
        times.push(t);
        for (class, margins) in margins.iter_mut().enumerate() {
            let row = &outputs[class * k..][..k];
            let other = if class == 0 { 1 } else { 0 };
            margins.push(row[class] - row[other]);
        }
        Ok(true)
    })?;
    let mut pairs = Vec::new();
    for (mode, trained) in modes.iter().zip(margins) {
        let theory = mode.curve(&times)?;
        pairs.push((trained, theory));
    }
    Ok((times, pairs))
}

/// Trains a network of N layers from singular values s: (times, trained, theory).
///
/// # Errors
/// Those of training and of the theory's solver.
pub fn deep(
    (mode, s): (DeepMode, f64),
    (width, time, dt): (usize, f64, f64),
    backend: &dyn Backend,
) -> Result<(Vec<f64>, Vec<f64>, Vec<f64>), StudyError> {
    let layers = mode.layers as usize;
    let root = (width as f64).sqrt();
    let hidden = vec![width; layers - 1];
    let mut initial: Parameters = Vec::new();
    for layer in 0..layers {
        let (count, value) = match layer {
            0 => (width, s / root),
            _ if layer + 1 == layers => (width, s / root),
            _ => (width * width, s / width as f64),
        };
        initial.push((format!("{}.weight", 2 * layer), vec![value; count]));
    }
    let rows = Rows {
        features: &[mode.norm],
        labels: &[1],
        frequencies: Some(&[mode.frequency]),
    };
    let problem = problem(1, &hidden, 1, Loss::Logistic, 2, 1);
    let mut descent = Descent::new(&problem, rows, &[], &initial, backend)?;
    let (steps, every) = schedule(time, dt);
    let (mut times, mut outputs) = (Vec::new(), Vec::new());
    follow(&mut descent, dt, (steps, every), |t, descent| {
        times.push(t);
        outputs.push(descent.outputs(0)?.first().copied().unwrap_or(f64::NAN));
        Ok(true)
    })?;
    let theory = mode.curve(Pull::CrossEntropy, &times)?;
    Ok((times, outputs, theory))
}

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
pub fn sweep(plan: &Plan, backend: &dyn Backend) -> Result<Sweep, StudyError> {
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

/// The largest difference of two series, or of their ratio from 1.
pub fn largest(a: &[f64], b: &[f64], relative: bool) -> f64 {
    let difference = |(a, b): (&f64, &f64)| if relative { (a / b - 1.0).abs() } else { (a - b).abs() };
    // A NaN must not vanish in a maximum.
    a.iter()
        .zip(b)
        .map(difference)
        .fold(0.0, |m, d| if d > m || d.is_nan() { d } else { m })
}

/// (max - min) / mean of the products t * factor.
fn spread(times: &[f64], factors: impl Iterator<Item = f64>) -> f64 {
    let products: Vec<f64> = times.iter().zip(factors).map(|(t, f)| t * f).collect();
    let (low, high) = products
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &x| (l.min(x), h.max(x)));
    (high - low) * products.len() as f64 / products.iter().sum::<f64>()
}

/// The whole experiment.
///
/// # Errors
/// Those of training and of the theory's solver.
pub fn run(plan: &Plan, backend: &dyn Backend, tell: &mut dyn FnMut(&str)) -> Result<Findings, StudyError> {
    let mut findings = Findings {
        title: "Independent modes".into(),
        ..Findings::default()
    };
    let device = backend.name();
    let [p, rho] = [plan.frequencies, plan.norms];
    let parameters = format!(
        "p = {}, {}; rho = {}, {}; {} neurons; initial weights {} U(0.5, 1.5); dt = {}; {device}",
        p[0], p[1], rho[0], rho[1], plan.width, plan.scale, plan.dt
    );
    for pull in PULLS {
        tell(&format!("two classes, {}", pull.name()));
        let found = two_classes(plan, pull, backend)?;
        two_classes_findings(&mut findings, plan, pull, &found, &parameters);
    }
    if !plan.classes.is_empty() {
        classes_findings(&mut findings, plan, backend, tell)?;
    }
    if !plan.depths.is_empty() {
        depth_findings(&mut findings, plan, backend, tell)?;
    }
    if !plan.sweep_frequencies.is_empty() && !plan.sweep_norms.is_empty() {
        tell("norm and frequency");
        sweep_findings(&mut findings, &sweep(plan, backend)?);
    }
    let judged = findings.distances.iter().filter(|d| d.tolerance.is_some()).count();
    findings.headline = format!(
        "{} of {judged} distances between networks and theory are within what is expected.",
        judged - findings.failures()
    );
    findings
        .tables
        .extend(findings.figures.iter().map(Table::of_figure).collect::<Vec<_>>());
    Ok(findings)
}

fn two_classes_findings(findings: &mut Findings, plan: &Plan, pull: Pull, found: &TwoClasses, parameters: &str) {
    let name = pull.name();
    let mut curves = Vec::new();
    for (variant, word) in ["unbalanced", "balanced"].into_iter().enumerate() {
        for class in 0..2 {
            let (trained, theory) = (&found.margins[variant][class], &found.theory[variant][class]);
            curves.push(Curve::compared(
                format!("class {}, {word}", class + 1),
                &found.times,
                theory,
                trained,
            ));
            let speed = plan.frequencies[class] * plan.norms[class];
            let distance = Distance {
                what: format!("{name}: u(t) of class {}, {word}", class + 1),
                measure: format!("largest difference, dt = {}", plan.dt),
                source: Source::Derived,
                value: largest(trained, theory, false),
                // 2e-3 at dt = 1e-3: Euler's error of order dt, and for the hinge the last step's overshoot 2 p rho dt.
                tolerance: Some(2.0 * plan.dt * (speed / 0.91).max(1.0).powi(2)),
            };
            findings.distances.push(distance);
            if pull == Pull::Hinge && found.hinge_times[variant][class] < plan.time {
                let (time, theory) = (found.reached[variant][class], found.hinge_times[variant][class]);
                findings.distances.push(Distance {
                    what: format!("hinge: finishing time of class {}, {word}", class + 1),
                    measure: format!("difference; theory {theory:.4}"),
                    source: Source::Derived,
                    value: (time - theory).abs(),
                    // Two steps and the ten between two looks.
                    tolerance: Some(12.0 * plan.dt),
                });
            }
        }
    }
    findings.distances.push(Distance {
        what: format!("{name}: class 1 with class 2 deleted"),
        measure: "largest difference to both together".into(),
        source: Source::Paper,
        value: largest(&found.alone, &found.margins[0][0], false),
        tolerance: Some(0.0),
    });
    findings.distances.push(Distance {
        what: format!("{name}: signs of W x and Z"),
        measure: "how many change".into(),
        source: Source::Paper,
        value: found.flips as f64,
        tolerance: Some(0.0),
    });
    let as_probability = |points: &[(f64, f64)]| points.iter().map(|&(t, u)| (t, probability(u))).collect::<Vec<_>>();
    let figure = |name: String, title: String, y: &str, curves: Vec<Curve>| Figure {
        name,
        title,
        caption: format!("Lines: the scalar equation (derived). Points: one network each. {parameters}."),
        x: Axis::linear("time t = steps * dt"),
        y: Axis::linear(y),
        residual: Some("trained - theory".into()),
        curves,
    };
    if pull == Pull::CrossEntropy {
        let sigmoids = curves
            .iter()
            .map(|curve| {
                let (theory, simulation) = (as_probability(&curve.theory), as_probability(&curve.simulation));
                let residual = simulation.iter().zip(&theory).map(|(s, t)| (s.0, s.1 - t.1)).collect();
                Curve {
                    label: curve.label.clone(),
                    theory,
                    simulation,
                    residual,
                }
            })
            .collect();
        findings.figures.push(figure(
            "sigmoids".into(),
            "Probability of the right class, cross-entropy".into(),
            "P = 1 / (1 + exp(-u))",
            sigmoids,
        ));
    }
    findings.figures.push(figure(
        format!("modes-{name}"),
        format!("Output of two classes, {name}"),
        "margin u",
        curves,
    ));
}

fn classes_findings(
    findings: &mut Findings,
    plan: &Plan,
    backend: &dyn Backend,
    tell: &mut dyn FnMut(&str),
) -> Result<(), StudyError> {
    let mut curves = Vec::new();
    for &k in &plan.classes {
        tell(&format!("{k} classes"));
        let (times, pairs) = k_classes(k, plan, backend)?;
        let worst = pairs.iter().map(|(trained, theory)| largest(trained, theory, true));
        findings.distances.push(Distance {
            what: format!("softmax: margins of {k} classes"),
            measure: "largest relative difference".into(),
            source: Source::Derived,
            value: worst.fold(0.0, f64::max),
            tolerance: Some(1e-3),
        });
        // Times in units of 1 / p, so that the curves of different K lie in one figure.
        let scaled: Vec<f64> = times.iter().map(|t| t / k as f64).collect();
        if let Some((trained, theory)) = pairs.first() {
            let mut curve = Curve::compared(format!("K = {k}"), &scaled, theory, trained);
            let relative = curve.simulation.iter().zip(&curve.theory);
            curve.residual = relative.map(|(s, t)| (s.0, s.1 / t.1 - 1.0)).collect();
            curves.push(curve);
        }
    }
    findings.figures.push(Figure {
        name: "classes".into(),
        title: "Margin of the first of K classes, softmax".into(),
        caption: format!(
            "Lines: dm/dt = 2 p rho sqrt(K/(K-1)) m (K-1)/(K-1+e^m) (derived). Points: one neuron per class, rho = 1, p = 1/K, \
             {}.",
            backend.name()
        ),
        x: Axis::linear("p t"),
        y: Axis::linear("margin m"),
        residual: Some("trained / theory - 1".into()),
        curves,
    });
    Ok(())
}

fn depth_findings(
    findings: &mut Findings,
    plan: &Plan,
    backend: &dyn Backend,
    tell: &mut dyn FnMut(&str),
) -> Result<(), StudyError> {
    const S: f64 = 0.3;
    const TIME: f64 = 24.0;
    let (frequency, norm) = (0.5, 1.5);
    let dt = 0.25 * plan.dt;
    let mut curves = Vec::new();
    for &layers in &plan.depths {
        tell(&format!("{layers} layers"));
        let mode = DeepMode::of_singular_value(layers, frequency, norm, S);
        let (times, trained, theory) = deep((mode, S), (4, TIME, dt), backend)?;
        findings.distances.push(Distance {
            what: format!("depth: u(t) of {layers} layers"),
            measure: format!("largest relative difference, dt = {dt}"),
            source: Source::Derived,
            value: largest(&trained, &theory, true),
            tolerance: Some(1e-3 * (plan.dt / 1e-3).max(1.0)),
        });
        let mut curve = Curve::compared(format!("{layers} layers"), &times, &theory, &trained);
        let relative = curve.simulation.iter().zip(&curve.theory);
        curve.residual = relative.map(|(s, t)| (s.0, s.1 / t.1 - 1.0)).collect();
        curves.push(curve);
    }
    findings.figures.push(Figure {
        name: "depth".into(),
        title: "Output of networks of different depth, cross-entropy".into(),
        caption: format!(
            "Lines: du/dt = N p rho^(2/N) u^(2-2/N) / (1 + e^u) (derived). Points: balanced networks of rank one, 4 neurons a \
             layer, p = {frequency}, rho = {norm}, singular values {S}, dt = {dt}, {}.",
            backend.name()
        ),
        x: Axis::linear("time t = steps * dt"),
        y: Axis::log("margin u"),
        residual: Some("trained / theory - 1".into()),
        curves,
    });
    Ok(())
}

fn sweep_findings(findings: &mut Findings, found: &Sweep) {
    let mut table = Table::new(
        "sweep",
        &[
            "p",
            "rho",
            "t_equal_u0",
            "theory_equal_u0",
            "t_equal_weights",
            "theory_equal_weights",
        ],
        true,
    );
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
    let products = found.points.iter().map(|&(p, rho)| p * rho);
    findings.distances.push(Distance {
        what: "time to P = 0.9 times p rho, from equal u0".into(),
        measure: "(max - min) / mean over the sweep".into(),
        source: Source::Derived,
        value: spread(&found.equal_output, products),
        tolerance: Some(0.01),
    });
    let mut norms: Vec<f64> = found.points.iter().map(|&(_, rho)| rho).collect();
    norms.dedup();
    let mut curves = Vec::new();
    for rho in norms {
        let own: Vec<usize> = (0..found.points.len()).filter(|&n| found.points[n].1 == rho).collect();
        let of = |values: &[f64]| -> Vec<f64> { own.iter().map(|&n| values[n]).collect() };
        let ps: Vec<f64> = own.iter().map(|&n| found.points[n].0).collect();
        let (trained, theory) = (of(&found.equal_weights), of(&found.equal_weights_theory));
        findings.distances.push(Distance {
            what: format!("time to P = 0.9 times p at rho = {rho}, from equal weights"),
            measure: "(max - min) / mean over p".into(),
            source: Source::Derived,
            value: spread(&trained, ps.iter().copied()),
            tolerance: Some(0.01),
        });
        let mut curve = Curve::compared(format!("rho = {rho}"), &ps, &theory, &trained);
        curve.residual = ps
            .iter()
            .zip(trained.iter().zip(&theory))
            .map(|(&p, (s, t))| (p, s / t - 1.0))
            .collect();
        curves.push(curve);
    }
    findings.figures.push(Figure {
        name: "norm-and-frequency".into(),
        title: "Time to P = 0.9, from equal weights".into(),
        caption:
            "Lines: (ln u + Ei(u) - ln u0 - Ei(u0)) / (2 p rho) with u = ln 9, u0 = 0.01 rho (derived). Points: one \
                  neuron each, a replica per point."
                .into(),
        x: Axis::log("frequency p"),
        y: Axis::log("time"),
        residual: Some("trained / theory - 1".into()),
        curves,
    });
}
