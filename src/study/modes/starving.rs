//! Starvation by training: networks and logistic regressions that stop at a tolerance, a replica per frequency of the second
//! feature; and the toy of two coupled features with weight decay and with spectral decoupling.

use super::decoupling::Toy;
use super::descent::{Descent, Objective, PLAIN, Problem, Rows};
use super::neurons::{Crossings, follow, loss_of, problem, two_layers};
use super::scalar::{Pull, probability};
use super::starvation::{Learner, Pair};
use crate::backend::Backend;
use crate::backend::kernel::UpdateRule;
use crate::nn::{Activation, Architecture, Loss};
use crate::study::StudyError;
use super::findings::{Axis, Curve, Distance, Figure, Findings, Source, Table};

/// What to train.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// lambda of each replica, in (0, 1).
    pub frequencies: Vec<f64>,
    /// delta: training stops with P >= 1 - delta on the class. In (0, 1/2).
    pub tolerances: Vec<f64>,
    /// rho_1, rho_2
    pub norms: [f64; 2],
    /// Hidden neurons.
    pub width: usize,
    /// Output weights at the start; the theory's limit is 0.
    pub scale: f64,
    /// Learning rate: the step of Euler's method in time.
    pub dt: f64,
}

/// What was measured when training stopped.
#[derive(Clone, Debug, PartialEq)]
pub struct Starved {
    /// P(x_2), `[frequencies, tolerances]`.
    pub probabilities: Vec<Vec<f64>>,
}

/// The rows of the class, x_1 and x_1 + x_2, and x_2 alone with frequency 0: it is looked at and not learnt.
fn rows(plan: &Plan) -> (Vec<f64>, Vec<f64>) {
    let [one, two] = plan.norms;
    let frequencies = plan.frequencies.iter().flat_map(|lambda| [1.0 - lambda, *lambda, 0.0]);
    (vec![one, 0.0, one, two, 0.0, two], frequencies.collect())
}

fn weights(plan: &Plan) -> crate::nn::network::Parameters {
    let replicas = plan.frequencies.len();
    // All along x_1 and balanced: |w| = z.
    let share = plan.scale / (plan.width as f64).sqrt();
    let neuron = [share, 0.0].repeat(plan.width);
    two_layers(neuron.repeat(replicas), vec![share; plan.width * replicas])
}

/// Trains until every replica has passed every tolerance.
///
/// # Errors
/// Those of training; [`StudyError::Option`] if a replica does not come to the smallest tolerance.
pub fn train(plan: &Plan, learner: Learner, backend: &dyn Backend) -> Result<Starved, StudyError> {
    let (features, frequencies) = rows(plan);
    let replicas = plan.frequencies.len();
    let rows = Rows {
        features: &features,
        labels: &[1, 1, 1],
        frequencies: Some(&frequencies),
    };
    let (problem, initial) = match learner {
        Learner::CrossEntropy => (problem(2, &[plan.width], 1, Loss::Logistic, 2, replicas), weights(plan)),
        Learner::Logistic => (
            problem(2, &[], 1, Loss::Logistic, 2, replicas),
            vec![("0.weight".into(), vec![0.0; 2 * replicas])],
        ),
    };
    let mut descent = Descent::new(&problem, rows, &[], &initial, backend)?;
    let tolerances = plan.tolerances.len();
    // At the stop u_1 is at its level; u_2 is read off on the straight line between two looks.
    let levels: Vec<f64> = plan.tolerances.iter().map(|&delta| Pair::stop(delta)).collect();
    let mut found = vec![vec![f64::NAN; tolerances]; replicas];
    let mut last: Vec<(f64, f64)> = vec![(0.0, 0.0); replicas];
    let slowest = plan.norms[0].min(1.0);
    let hardest = levels.iter().copied().fold(0.0, f64::max);
    // Early growth, then e^u / u of the cross-entropy's tail, with room for the slowest frequency.
    let time = (4.0 * (1.0 / plan.scale).ln() + 4.0 * hardest.exp()) / (slowest * slowest);
    follow(&mut descent, plan.dt, ((time / plan.dt) as u64, 4), |_, descent| {
        let outputs = descent.outputs(0)?;
        for (r, row) in outputs.chunks_exact(3).enumerate() {
            let (one, two) = (row[0], row[2]);
            for (found, &level) in found[r].iter_mut().zip(&levels) {
                let (before, at) = last[r];
                if found.is_nan() && one >= level {
                    let part = if one > before {
                        (level - before) / (one - before)
                    } else {
                        1.0
                    };
                    *found = probability(at + part * (two - at));
                }
            }
            last[r] = (one, two);
        }
        Ok(found.iter().flatten().any(|p| p.is_nan()))
    })?;
    if found.iter().flatten().any(|p| p.is_nan()) {
        return Err(StudyError::Option {
            detail: format!("a network did not come to its tolerance within {time:.0} units of time"),
        });
    }
    Ok(Starved { probabilities: found })
}

/// u(x_2) when the hinge has come to rest, by frequency.
///
/// # Errors
/// Those of training.
pub fn train_hinge(plan: &Plan, backend: &dyn Backend) -> Result<Vec<f64>, StudyError> {
    let (features, frequencies) = rows(plan);
    let replicas = plan.frequencies.len();
    let rows = Rows {
        features: &features,
        labels: &[1, 1, 1],
        frequencies: Some(&frequencies),
    };
    let problem = problem(2, &[plan.width], 1, loss_of(Pull::Hinge), 2, replicas);
    let mut descent = Descent::new(&problem, rows, &[], &weights(plan), backend)?;
    // The hinge's overshoot is a part dt of the output: finer than for the cross-entropy.
    let dt = plan.dt / 50.0;
    let rarest = plan.frequencies.iter().copied().fold(1.0, f64::max);
    let time = 4.0 * (1.0 / plan.scale).ln() / ((1.0 - rarest).max(0.05) * plan.norms[0].min(1.0));
    let mut crossings = Crossings::new(vec![1.0; replicas]);
    let mut seconds = vec![f64::NAN; replicas];
    follow(&mut descent, dt, ((time / dt) as u64, 20), |t, descent| {
        let outputs = descent.outputs(0)?;
        seconds = outputs.chunks_exact(3).map(|row| row[2]).collect();
        Ok(crossings.see(t, outputs.chunks_exact(3).map(|row| row[0]).collect()))
    })?;
    Ok(seconds)
}

/// The toy of two coupled features: strengths of the first, (theory, trained) z with weight decay, then with decoupling.
pub type Coupled = Vec<(f64, [[f64; 2]; 2], [[f64; 2]; 2])>;

/// Weight decay of the toy, lambda.
const DECAY: f64 = 0.01;
/// Its penalty on the outputs, per example; the fixed point has twice as much.
const PENALTY: f64 = 1e-3;

/// Trains the toy as its authors' script does: learning rate 0.05, 5,000 steps, a replica per strength.
///
/// # Errors
/// Those of training and of the theory's fixed point.
pub fn train_toy(strengths: &[f64], backend: &dyn Backend) -> Result<Coupled, StudyError> {
    let toys: Vec<Toy> = strengths
        .iter()
        .map(|&s| Toy {
            sine: 0.5,
            strengths: [s, 2.0],
        })
        .collect();
    let features: Vec<f64> = toys.iter().flat_map(Toy::features).collect();
    let arm = |decay: f64, penalty: f64| -> Result<Vec<[f64; 2]>, StudyError> {
        let problem = Problem {
            architecture: Architecture {
                inputs: 2,
                hidden: vec![],
                outputs: 1,
                activation: Activation::Identity,
                bias: false,
            },
            loss: Loss::Logistic,
            classes: 2,
            rule: match PLAIN {
                UpdateRule::Sgd { momentum, nesterov, .. } => UpdateRule::Sgd {
                    momentum,
                    nesterov,
                    weight_decay: decay,
                },
                other => other,
            },
            replicas: toys.len(),
            objectives: vec![Objective::decoupled(1.0, penalty, 2, 1)],
        };
        let rows = Rows {
            features: &features,
            labels: &[1, 1],
            frequencies: Some(&[1.0, 1.0]),
        };
        let initial = vec![("0.weight".into(), vec![0.0; 2 * toys.len()])];
        let mut descent = Descent::new(&problem, rows, &[], &initial, backend)?;
        for _ in 0..5000 {
            descent.step(0, 0.05)?;
        }
        let margins = descent.outputs(0)?;
        Ok(margins
            .chunks_exact(2)
            .zip(&toys)
            .map(|(m, toy)| toy.rotated([m[0], m[1]]))
            .collect())
    };
    let (decayed, decoupled) = (arm(DECAY, 0.0)?, arm(0.0, PENALTY)?);
    let mut all = Vec::new();
    for (n, toy) in toys.iter().enumerate() {
        let with_decay = [toy.decayed(DECAY)?, decayed[n]];
        let without = [toy.decoupled(2.0 * PENALTY), decoupled[n]];
        all.push((toy.strengths[0], with_decay, without));
    }
    Ok(all)
}

/// The whole experiment.
///
/// # Errors
/// Those of training and of the theory's solver.
pub fn run(plan: &Plan, backend: &dyn Backend, tell: &mut dyn FnMut(&str)) -> Result<Findings, StudyError> {
    let pairs: Vec<Pair> = plan
        .frequencies
        .iter()
        .map(|&frequency| Pair {
            frequency,
            first_norm: plan.norms[0],
            second_norm: plan.norms[1],
        })
        .collect();
    let mut table = Table::new(
        "starvation",
        &["learner", "lambda", "delta", "trained", "theory", "bound"],
        true,
    );
    let mut findings = Findings {
        title: "Gradient starvation".into(),
        ..Findings::default()
    };
    let mut violated = 0u64;
    let parameters = format!(
        "{} neurons with initial weights {}, rho = {}, {}, dt = {}, {}",
        plan.width,
        plan.scale,
        plan.norms[0],
        plan.norms[1],
        plan.dt,
        backend.name()
    );
    for (learner, name) in [
        (Learner::CrossEntropy, "cross-entropy"),
        (Learner::Logistic, "logistic"),
    ] {
        tell(&format!("{} frequencies, {name}", pairs.len()));
        let starved = train(plan, learner, backend)?;
        let mut worst = 0.0f64;
        let mut curves: Vec<Curve> = plan
            .tolerances
            .iter()
            .map(|delta| Curve {
                label: format!("delta = {delta}"),
                ..Curve::default()
            })
            .collect();
        for (pair, trained) in pairs.iter().zip(&starved.probabilities) {
            let exact = pair.exact(learner, &plan.tolerances)?;
            for (n, &delta) in plan.tolerances.iter().enumerate() {
                let bound = pair.bound(delta);
                table.rows.push(vec![
                    name.into(),
                    pair.frequency.into(),
                    delta.into(),
                    trained[n].into(),
                    exact[n].into(),
                    bound.into(),
                ]);
                worst = worst.max((trained[n] - exact[n]).abs());
                // The bound is for weights of 0 at the start: u_1 begins at scale^2.
                violated += u64::from(trained[n] > bound + plan.scale.powi(2));
                curves[n].theory.push((pair.frequency, exact[n]));
                curves[n].simulation.push((pair.frequency, trained[n]));
                curves[n].residual.push((pair.frequency, trained[n] - exact[n]));
            }
        }
        // The bound as a line of its own, at the smallest tolerance.
        if let Some(&delta) = plan.tolerances.iter().min_by(|a, b| a.total_cmp(b)) {
            curves.push(Curve {
                label: format!("bound, delta = {delta}"),
                theory: pairs.iter().map(|p| (p.frequency, p.bound(delta))).collect(),
                ..Curve::default()
            });
        }
        for curve in &mut curves {
            curve.theory.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        findings.distances.push(Distance {
            what: format!("{name}: P(x_2) at the stop"),
            measure: "largest difference".into(),
            source: Source::Derived,
            value: worst,
            tolerance: Some(0.002),
        });
        findings.figures.push(Figure {
            name: format!("starvation-{name}"),
            title: format!("What x_2 alone would get, {name}"),
            caption: format!(
                "Lines: the integrated equations and the bound 1 / (1 + (delta / (1 - delta))^lambda) (derived). Points: one \
                 learner each that stops with P >= 1 - delta on its class; {parameters}."
            ),
            x: Axis::linear("frequency lambda of the second feature"),
            y: Axis::linear("P(x_2)"),
            residual: Some("trained - theory".into()),
            curves,
        });
    }
    findings.distances.push(Distance {
        what: "bound on P(x_2)".into(),
        measure: "how often it is violated".into(),
        source: Source::Derived,
        value: violated as f64,
        tolerance: Some(0.0),
    });
    tell("hinge");
    let trained = train_hinge(plan, backend)?;
    let exact: Vec<f64> = pairs.iter().map(Pair::hinge).collect();
    for ((pair, &trained), &exact) in pairs.iter().zip(&trained).zip(&exact) {
        let none = f64::NAN;
        table.rows.push(vec![
            "hinge".into(),
            pair.frequency.into(),
            none.into(),
            trained.into(),
            exact.into(),
            none.into(),
        ]);
    }
    findings.distances.push(Distance {
        what: "hinge: u(x_2) at rest".into(),
        measure: "largest difference".into(),
        source: Source::Derived,
        value: super::curves::largest(&trained, &exact, false),
        tolerance: Some(5e-4),
    });
    let mut curve = Curve::compared("hinge", &plan.frequencies, &exact, &trained);
    curve.theory.sort_by(|a, b| a.0.total_cmp(&b.0));
    findings.figures.push(Figure {
        name: "starvation-hinge".into(),
        title: "Output on x_2 alone, hinge".into(),
        caption: format!("Line: closed form (derived). Points: one network each, at rest; {parameters}."),
        x: Axis::linear("frequency lambda of the second feature"),
        y: Axis::linear("u(x_2)"),
        residual: Some("trained - theory".into()),
        curves: vec![curve],
    });
    tell("two coupled features");
    toy_findings(&mut findings, backend)?;
    findings.tables.insert(0, table);
    let ce = findings.tables.first().map_or(&[][..], |t| t.rows.as_slice());
    findings.headline = format!(
        "In {} learners x_2 gets no more than the bound {}.",
        ce.len() - pairs.len(),
        if violated == 0 {
            "allows"
        } else {
            "allows, except in some"
        }
    );
    Ok(findings)
}

fn toy_findings(findings: &mut Findings, backend: &dyn Backend) -> Result<(), StudyError> {
    let strengths = [2.0, 3.0, 4.0, 5.0, 6.0];
    let toy = train_toy(&strengths, backend)?;
    let mut table = Table::new(
        "coupled-features",
        &["s1", "arm", "z1", "z1_theory", "z2", "z2_theory"],
        true,
    );
    let arms = [("weight decay", 0), ("spectral decoupling", 1)];
    let mut curves = Vec::new();
    for (name, arm) in arms {
        let of = |row: &(f64, [[f64; 2]; 2], [[f64; 2]; 2])| if arm == 0 { row.1 } else { row.2 };
        for row in &toy {
            let [theory, trained] = of(row);
            table.rows.push(vec![
                row.0.into(),
                name.into(),
                trained[0].into(),
                theory[0].into(),
                trained[1].into(),
                theory[1].into(),
            ]);
        }
        for z in 0..2 {
            let theory: Vec<f64> = toy.iter().map(|row| of(row)[0][z]).collect();
            let trained: Vec<f64> = toy.iter().map(|row| of(row)[1][z]).collect();
            findings.distances.push(Distance {
                what: format!("two coupled features, {name}: z{}", z + 1),
                measure: "largest difference after 5,000 steps".into(),
                source: Source::Derived,
                value: super::curves::largest(&trained, &theory, false),
                tolerance: Some(0.01),
            });
            curves.push(Curve::compared(
                format!("z{}, {name}", z + 1),
                &strengths,
                &theory,
                &trained,
            ));
        }
    }
    findings.tables.push(table);
    findings.figures.push(Figure {
        name: "coupled-features".into(),
        title: "A stronger first feature starves the second".into(),
        caption: format!(
            "Lines: fixed points (derived). Points: the toy of Pezeshki et al., U turned by 30 degrees, s2 = 2, weight decay \
             {DECAY} or penalty {PENALTY} on the squared outputs, learning rate 0.05, 5,000 steps, {}.",
            backend.name()
        ),
        x: Axis::linear("strength s1 of the first feature"),
        y: Axis::linear("z"),
        residual: Some("trained - theory".into()),
        curves,
    });
    Ok(())
}
