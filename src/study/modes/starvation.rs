//! Starvation by training: networks and logistic regressions that stop at a tolerance, a replica per frequency of the second
//! feature.
//!
//! Training stops on the points that have x_1 alone, whose pull falls as delta, while the flow's path does not depend on how
//! fast it is run. So every replica runs at 1 / (1 - lambda) of the flow's speed, at which x_1 alone has frequency 1, and the
//! learning rate grows as the pull falls: dt / max sum_x p_x g(x) |x| over the replicas.

use super::coupled;
use super::descent::{Descent, Rows};
use super::findings::{Axis, Curve, Distance, Figure, Findings, Table, largest};
use super::neurons::{loss_of, problem, two_layers};
use super::theory::scalar::{Pull, probability};
use super::theory::starvation::{Learner, Pair};
use crate::backend::Backend;
use crate::nn::Loss;
use crate::nn::network::Parameters;
use crate::study::StudyError;

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
    /// Norm of the output weights at the start; the theory's limit is 0.
    pub scale: f64,
    /// Euler's step: learning rate times pull.
    pub dt: f64,
}

/// Steps between two looks at the outputs.
const LOOK: u64 = 4;
/// The hinge does not slow down towards its end: its steps are shorter by so much.
const FINER: f64 = 50.0;
/// Steps after which a run is given up.
const STEPS: u64 = 20_000_000;

/// The rows of the class, x_1 and x_1 + x_2, and x_2 alone with frequency 0: it is looked at and not learnt.
struct Class {
    features: Vec<f64>,
    /// Frequencies `[frequencies, 3]`.
    frequencies: Vec<f64>,
    /// |x|, or |x|^2 if that is more: how fast a row moves logarithms of weights, and outputs, per p g.
    reach: [f64; 3],
}

impl Class {
    fn new(plan: &Plan) -> Class {
        let [one, two] = plan.norms;
        let frequencies = plan.frequencies.iter();
        Class {
            features: vec![one, 0.0, one, two, 0.0, two],
            frequencies: frequencies.flat_map(|l| [1.0, l / (1.0 - l), 0.0]).collect(),
            reach: [one, one.hypot(two), two].map(|norm| norm.max(norm * norm)),
        }
    }

    fn rows(&self) -> Rows<'_> {
        Rows {
            features: &self.features,
            labels: &[1, 1, 1],
            frequencies: Some(&self.frequencies),
        }
    }

    /// The largest pull on a replica, sum_x p_x g(x) reach(x).
    fn pull(&self, pull: Pull, outputs: &[f64]) -> f64 {
        let replicas = outputs.chunks_exact(3).zip(self.frequencies.chunks_exact(3));
        let of = |(u, p): (&[f64], &[f64])| -> f64 {
            let rows = u.iter().zip(p).zip(self.reach);
            rows.map(|((&u, p), reach)| p * pull.strength(u) * reach).sum()
        };
        replicas.map(of).fold(0.0, f64::max)
    }
}

/// A network whose weights are all along x_1 and balanced: |w| = z.
fn weights(plan: &Plan) -> Parameters {
    let replicas = plan.frequencies.len();
    let share = plan.scale / (plan.width as f64).sqrt();
    let neuron = [share, 0.0].repeat(plan.width);
    two_layers(neuron.repeat(replicas), vec![share; plan.width * replicas])
}

/// Descends until `see(outputs)` answers `false`; outputs are `[replicas, 3]`.
fn follow(
    descent: &mut Descent,
    (class, pull, dt): (&Class, Pull, f64),
    mut see: impl FnMut(&[f64]) -> bool,
) -> Result<(), StudyError> {
    let mut rate = 0.0;
    for step in 0..STEPS {
        if step.is_multiple_of(LOOK) {
            let outputs = descent.outputs(0)?;
            if !see(&outputs) {
                return Ok(());
            }
            // Pulls only fall, so that the rate of a look is small enough for the steps up to the next.
            let strongest = class.pull(pull, &outputs);
            if !strongest.is_finite() || strongest <= 0.0 {
                break;
            }
            rate = dt / strongest;
        }
        descent.step(0, rate)?;
    }
    Err(StudyError::Option {
        detail: format!("a network did not come to its tolerance within {STEPS} steps of {dt}"),
    })
}

/// P(x_2) when training stopped, `[frequencies, tolerances]`.
///
/// # Errors
/// Those of training; [`StudyError::Option`] if a replica does not come to the smallest tolerance.
pub fn train(plan: &Plan, learner: Learner, backend: &dyn Backend) -> Result<Vec<Vec<f64>>, StudyError> {
    let class = Class::new(plan);
    let replicas = plan.frequencies.len();
    let (hidden, initial) = match learner {
        Learner::CrossEntropy => (vec![plan.width], weights(plan)),
        Learner::Logistic => (vec![], vec![("0.weight".into(), vec![0.0; 2 * replicas])]),
    };
    let problem = problem(2, &hidden, 1, Loss::Logistic, 2, replicas);
    let mut descent = Descent::new(&problem, class.rows(), &[], &initial, backend)?;
    // At the stop u_1 is at its level; u_2 is read off on the straight line between two looks.
    let levels: Vec<f64> = plan.tolerances.iter().map(|&delta| Pair::stop(delta)).collect();
    let mut found = vec![vec![f64::NAN; levels.len()]; replicas];
    let mut last: Vec<(f64, f64)> = vec![(0.0, 0.0); replicas];
    follow(&mut descent, (&class, Pull::CrossEntropy, plan.dt), |outputs| {
        for (r, row) in outputs.chunks_exact(3).enumerate() {
            let ((before, at), (one, two)) = (last[r], (row[0], row[2]));
            for (found, &level) in found[r].iter_mut().zip(&levels) {
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
        found.iter().flatten().any(|p| p.is_nan())
    })?;
    Ok(found)
}

/// u(x_2) when the hinge has come to rest, by frequency.
///
/// # Errors
/// Those of training.
pub fn train_hinge(plan: &Plan, backend: &dyn Backend) -> Result<Vec<f64>, StudyError> {
    let class = Class::new(plan);
    let replicas = plan.frequencies.len();
    let problem = problem(2, &[plan.width], 1, loss_of(Pull::Hinge), 2, replicas);
    let mut descent = Descent::new(&problem, class.rows(), &[], &weights(plan), backend)?;
    let mut seconds = vec![f64::NAN; replicas];
    follow(&mut descent, (&class, Pull::Hinge, plan.dt / FINER), |outputs| {
        seconds = outputs.chunks_exact(3).map(|row| row[2]).collect();
        outputs.chunks_exact(3).any(|row| row[0] < 1.0)
    })?;
    Ok(seconds)
}

/// The whole experiment.
///
/// # Errors
/// Those of training and of the theory's solver.
pub fn run(plan: &Plan, backend: &dyn Backend, tell: &mut dyn FnMut(&str)) -> Result<Findings, StudyError> {
    let mut frequencies = plan.frequencies.clone();
    frequencies.sort_by(f64::total_cmp);
    let plan = &Plan {
        frequencies,
        ..plan.clone()
    };
    let pair = |&frequency: &f64| Pair {
        frequency,
        first_norm: plan.norms[0],
        second_norm: plan.norms[1],
    };
    let pairs: Vec<Pair> = plan.frequencies.iter().map(pair).collect();
    let columns = ["learner", "lambda", "delta", "trained", "theory", "bound"];
    let mut table = Table::new("starvation", &columns, true);
    let mut findings = Findings {
        title: "Gradient starvation".into(),
        ..Findings::default()
    };
    let (mut violated, mut learners) = (0u64, 0);
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
        let trained = train(plan, learner, backend)?;
        let exact: Vec<Vec<f64>> = pairs
            .iter()
            .map(|pair| pair.exact(learner, &plan.tolerances))
            .collect::<Result<_, _>>()?;
        let (mut curves, mut worst) = (Vec::new(), 0.0f64);
        for (n, &delta) in plan.tolerances.iter().enumerate() {
            let column = |values: &[Vec<f64>]| -> Vec<f64> { values.iter().map(|row| row[n]).collect() };
            let (trained, exact) = (column(&trained), column(&exact));
            worst = worst.max(largest(&trained, &exact, false));
            for ((pair, &trained), &exact) in pairs.iter().zip(&trained).zip(&exact) {
                let bound = pair.bound(delta);
                let row = [pair.frequency, delta, trained, exact, bound];
                let cells = std::iter::once(name.into()).chain(row.map(Into::into));
                table.rows.push(cells.collect());
                learners += 1;
                // Steps keep the inequality as the flow does; outputs of about 1 are rounded to 24 bits.
                violated += u64::from(trained > bound + 1e-6);
            }
            curves.push(Curve::compared(
                format!("delta = {delta}"),
                &plan.frequencies,
                &exact,
                &trained,
            ));
        }
        // The bound as a line of its own, at the smallest tolerance.
        if let Some(&delta) = plan.tolerances.iter().min_by(|a, b| a.total_cmp(b)) {
            curves.push(Curve {
                label: format!("bound, delta = {delta}"),
                theory: pairs.iter().map(|p| (p.frequency, p.bound(delta))).collect(),
                ..Curve::default()
            });
        }
        findings.distances.push(Distance::derived(
            format!("{name}: P(x_2) at the stop"),
            "largest difference".into(),
            worst,
            0.002,
        ));
        findings.figures.push(Figure {
            name: format!("starvation-{name}"),
            title: format!("What x_2 alone would get, {name}"),
            caption: format!(
                "Lines: the integrated equations and the bound 1 / (1 + (delta / (1 - delta))^(lambda rho_2^2 / rho_1^2)) \
                 (derived). Points: one learner each that stops with P >= 1 - delta on its class; {parameters}."
            ),
            x: Axis::linear("frequency lambda of the second feature"),
            y: Axis::linear("P(x_2)"),
            residual: Some("trained - theory".into()),
            curves,
        });
    }
    findings.distances.push(Distance::derived(
        "bound on P(x_2)".into(),
        format!("how many of {learners} learners violate it"),
        violated as f64,
        0.0,
    ));
    tell("hinge");
    let trained = train_hinge(plan, backend)?;
    let exact: Vec<f64> = pairs.iter().map(Pair::hinge).collect();
    for ((pair, &trained), &exact) in pairs.iter().zip(&trained).zip(&exact) {
        table.rows.push(vec![
            "hinge".into(),
            pair.frequency.into(),
            "".into(),
            trained.into(),
            exact.into(),
            "".into(),
        ]);
    }
    findings.distances.push(Distance::derived(
        "hinge: u(x_2) at rest".into(),
        "largest difference".into(),
        largest(&trained, &exact, false),
        5e-4,
    ));
    findings.figures.push(Figure {
        name: "starvation-hinge".into(),
        title: "Output on x_2 alone, hinge".into(),
        caption: format!(
            "Line: closed form (derived). Points: one network each, at rest; {parameters}, dt shorter by {FINER}."
        ),
        x: Axis::linear("frequency lambda of the second feature"),
        y: Axis::linear("u(x_2)"),
        residual: Some("trained - theory".into()),
        curves: vec![Curve::compared("hinge", &plan.frequencies, &exact, &trained)],
    });
    findings.tables.push(table);
    tell("two coupled features");
    coupled::findings(&mut findings, backend)?;
    findings.headline = format!(
        "In {} of {learners} learners x_2 gets no more than the bound allows.",
        learners - violated
    );
    Ok(findings)
}
