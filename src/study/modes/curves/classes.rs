//! K orthogonal classes, one neuron each: under the softmax and under the hinge, balanced and not.

use super::{LOOK, Plan, schedule};
use crate::backend::Backend;
use crate::nn::Loss;
use crate::study::StudyError;
use crate::study::modes::descent::{Descent, Rows};
use crate::study::modes::findings::{Axis, Curve, Distance, Figure, Findings, largest};
use crate::study::modes::neurons::{Crossings, follow, loss_of, problem, two_layers};
use crate::study::modes::theory::multiclass::ClassMode;
use crate::study::modes::theory::scalar::{PULLS, Pull};
use crate::study::number::significant;

/// What q z is of v where they are not balanced.
const UNBALANCED: f64 = 0.5;

/// The margins of K classes.
#[derive(Clone, Debug, PartialEq)]
pub struct KClasses {
    /// The theory of each class.
    pub modes: Vec<ClassMode>,
    /// Euler's step.
    pub dt: f64,
    /// Times of the records.
    pub times: Vec<f64>,
    /// Per class the trained margins and the theory's.
    pub margins: Vec<(Vec<f64>, Vec<f64>)>,
    /// When each margin reached 1.
    pub reached: Vec<f64>,
}

/// Trains K orthogonal classes, one neuron per class, rho = 1, p = 1 / K: under the softmax until the theory says P = 0.99,
/// under the hinge until all have come to rest and a fifth longer.
///
/// # Errors
/// Those of training and of the theory's solver.
pub fn train(
    classes: usize,
    pull: Pull,
    balanced: bool,
    plan: &Plan,
    backend: &dyn Backend,
) -> Result<KClasses, StudyError> {
    let k = classes;
    let (frequency, norm) = (1.0 / k as f64, 1.0);
    // Different sizes, so that the classes have curves of their own.
    let modes: Vec<ClassMode> = (0..k)
        .map(|class| {
            let projection = (6.0 + 2.0 * class as f64 / k as f64) * plan.scale;
            ClassMode {
                classes,
                pull,
                frequency,
                norm,
                projection,
                output: if balanced { projection } else { UNBALANCED * projection },
            }
        })
        .collect();
    let single = modes.iter().any(ClassMode::single);
    let outputs = if single { 1 } else { k };
    let (mut weights, mut into) = (vec![0.0; k * k], vec![0.0; outputs * k]);
    for (class, mode) in modes.iter().enumerate() {
        weights[class * k + class] = mode.projection;
        let (own, other) = mode.output_weights();
        for o in 0..outputs {
            // A single output is positive for class 1.
            let right = if single { class == 1 } else { o == class };
            into[o * k + class] = if right { own } else { other };
        }
    }
    let features: Vec<f64> = (0..k * k).map(|n| f64::from(u8::from(n / k == n % k))).collect();
    let labels: Vec<u32> = (0..k as u32).collect();
    let rows = Rows {
        features: &features,
        labels: &labels,
        frequencies: None,
    };
    let loss = match pull {
        Pull::CrossEntropy => Loss::CrossEntropy,
        Pull::Hinge => loss_of(pull),
    };
    let mut descent = Descent::new(
        &problem(k, &[k], outputs, loss, k, 1),
        rows,
        &[],
        &two_layers(weights, into),
        backend,
    )?;
    let rate = 2.0 * modes.iter().map(|mode| mode.mode().rate()).fold(0.0, f64::max);
    let initial = modes.iter().map(|mode| mode.mode().output(0.0)).fold(1.0, f64::min);
    let slowest = modes.iter().map(|mode| mode.mode().hinge_time()).fold(0.0, f64::max);
    let time = match pull {
        Pull::CrossEntropy => (2.0 * (1.0 / initial).ln() + 12.0) / rate,
        Pull::Hinge => 1.2 * slowest,
    };
    // The theory's relative error of Euler's method is (rate / 2)^2 dt t / 2 in the exponent: a tenth of 1e-3.
    let dt = (plan.dt / 2.0) * (1.0 / rate).min(k as f64);
    let (steps, every) = schedule(time.max(dt), dt);
    let mut times = Vec::new();
    let mut margins = vec![Vec::new(); k];
    let mut crossings = Crossings::new(vec![1.0; k]);
    follow(&mut descent, dt, (steps, LOOK), |t, descent| {
        let values = descent.outputs(0)?;
        let margin = |class: usize| {
            if single {
                return if class == 1 { values[1] } else { -values[0] };
            }
            let row = &values[class * k..][..k];
            let others = row
                .iter()
                .enumerate()
                .filter(|&(o, _)| o != class)
                .map(|(_, &logit)| logit);
            row[class] - others.fold(f64::NEG_INFINITY, f64::max)
        };
        let now: Vec<f64> = (0..k).map(margin).collect();
        if ((t / dt).round() as u64).is_multiple_of(every) {
            times.push(t);
            margins.iter_mut().zip(&now).for_each(|(all, &m)| all.push(m));
        }
        crossings.see(t, now);
        Ok(true)
    })?;
    let mut pairs = Vec::new();
    for (mode, trained) in modes.iter().zip(margins) {
        let theory = mode.curve(&times)?;
        pairs.push((trained, theory));
    }
    Ok(KClasses {
        modes,
        dt,
        times,
        margins: pairs,
        reached: crossings.times(),
    })
}

impl KClasses {
    /// What is expected of |m trained / m theory - 1| under the hinge, and of its finishing time (derived).
    ///
    /// With x = p rho q dt and tau = p rho q t, steps of (1 + x) for e^x leave m behind by a part x tau. The greatest other
    /// logit is above the mean of the others by less than one step moves it, dt p (rho v)^2: a part (x / q^2) (v / s) of m, by
    /// which the margin itself is smaller; it slows v, so that m grows less by a part (x / q^2) tau 2 v / (s + v), below twice
    /// that. A single output has no others. The last step goes beyond m = 1 by a part 2 x and half of x^2. 1e-4 is for roundings
    /// of the weights.
    fn expected(&self, mode: &ClassMode) -> (f64, f64) {
        let scalar = mode.mode();
        let x = scalar.rate() * self.dt;
        let stop = scalar.hinge_time();
        let tau = scalar.rate() * stop;
        let others = if mode.single() {
            0.0
        } else {
            (2.0 * tau + mode.projection / mode.output) / mode.root().powi(2)
        };
        let late = x * (tau + others);
        let time = late / (2.0 * scalar.rate()) + (2.0 + LOOK as f64) * self.dt;
        (late + 2.0 * x + 0.5 * x * x + 1e-4, time)
    }

    /// The largest relative difference between the trained margins and the theory's, and the largest that is expected under
    /// the hinge; the same of the finishing times.
    pub fn distances(&self) -> [(f64, f64); 2] {
        let (mut of_margins, mut of_times) = ((0.0, f64::INFINITY), (0.0, f64::INFINITY));
        // The distance of the class that comes nearest to what is expected of it, or goes furthest beyond.
        let keep = |worst: &mut (f64, f64), value: f64, expected: f64| {
            if value.is_nan() || value / expected >= worst.0 / worst.1 {
                *worst = (value, expected);
            }
        };
        for ((mode, (trained, theory)), reached) in self.modes.iter().zip(&self.margins).zip(&self.reached) {
            let (margin, time) = self.expected(mode);
            keep(&mut of_margins, largest(trained, theory, true), margin);
            keep(&mut of_times, (reached - mode.mode().hinge_time()).abs(), time);
        }
        [of_margins, of_times]
    }
}

/// Adds the curves of every number of classes.
///
/// # Errors
/// As [`train`].
pub fn findings(
    findings: &mut Findings,
    plan: &Plan,
    backend: &dyn Backend,
    tell: &mut dyn FnMut(&str),
) -> Result<(), StudyError> {
    for pull in PULLS {
        let name = pull.name();
        let mut curves = Vec::new();
        for &k in &plan.classes {
            for (balanced, word) in [(true, "balanced"), (false, "unbalanced")] {
                tell(&format!("{k} classes, {name}, {word}"));
                let found = train(k, pull, balanced, plan, backend)?;
                let [margins, times] = found.distances();
                findings.distances.push(Distance::derived(
                    format!("{name}: margins of {k} classes, {word}"),
                    format!(
                        "largest relative difference, p rho dt = {}",
                        significant(found.dt / k as f64, 3)
                    ),
                    margins.0,
                    match pull {
                        Pull::CrossEntropy => 1e-3 * (plan.dt / 1e-3).max(1.0),
                        Pull::Hinge => margins.1,
                    },
                ));
                if pull == Pull::Hinge {
                    findings.distances.push(Distance::derived(
                        format!("hinge: finishing times of {k} classes, {word}"),
                        "difference".into(),
                        times.0,
                        times.1,
                    ));
                }
                // Times in units of 1 / p, so that the curves of different K lie in one figure.
                let scaled: Vec<f64> = found.times.iter().map(|t| t / k as f64).collect();
                if let Some((trained, theory)) = found.margins.first() {
                    curves.push(Curve::relative(format!("K = {k}, {word}"), &scaled, theory, trained));
                }
            }
        }
        let pulled = match pull {
            Pull::CrossEntropy => "(K-1) / (K-1+e^m)",
            Pull::Hinge => "1 up to m = 1",
        };
        findings.figures.push(Figure {
            name: format!("classes-{name}"),
            title: format!("First of K classes, {name}"),
            caption: format!(
                "Lines: dm/dt = p rho q sqrt(4 m^2 + rho^2 q^2 S+ S-) g(m), q = sqrt(K/(K-1)), g = {pulled} (derived). Points: one \
                 neuron per class, rho = 1, p = 1/K, projections from {} on the class, output weights balanced or {UNBALANCED} of \
                 that; dt = {}, {}.",
                significant(6.0 * plan.scale, 3),
                plan.dt,
                backend.name()
            ),
            x: Axis::linear("p t"),
            y: Axis::log("margin m"),
            residual: Some("trained / theory - 1".into()),
            curves,
        });
    }
    Ok(())
}
