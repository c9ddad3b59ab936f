//! K orthogonal classes under the softmax, one neuron each.

use super::{Plan, schedule};
use crate::backend::Backend;
use crate::nn::Loss;
use crate::study::StudyError;
use crate::study::modes::descent::{Descent, Rows};
use crate::study::modes::findings::{Axis, Curve, Distance, Figure, Findings, largest};
use crate::study::modes::neurons::{follow, problem, two_layers};
use crate::study::modes::theory::multiclass::ClassMode;
use crate::study::number::significant;

/// The margins of K classes: (times, per class the trained and the theory's).
pub type KClasses = (Vec<f64>, Vec<(Vec<f64>, Vec<f64>)>);

/// Trains K orthogonal classes under the softmax until the theory says P = 0.99, one neuron per class, rho = 1, p = 1 / K.
///
/// # Errors
/// Those of training and of the theory's solver.
pub fn train(classes: usize, plan: &Plan, backend: &dyn Backend) -> Result<KClasses, StudyError> {
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
    let mut curves = Vec::new();
    for &k in &plan.classes {
        tell(&format!("{k} classes"));
        let (times, pairs) = train(k, plan, backend)?;
        let worst = pairs.iter().map(|(trained, theory)| largest(trained, theory, true));
        findings.distances.push(Distance::derived(
            format!("softmax: margins of {k} classes"),
            "largest relative difference".into(),
            worst.fold(0.0, f64::max),
            1e-3 * (plan.dt / 1e-3).max(1.0),
        ));
        // Times in units of 1 / p, so that the curves of different K lie in one figure.
        let scaled: Vec<f64> = times.iter().map(|t| t / k as f64).collect();
        if let Some((trained, theory)) = pairs.first() {
            curves.push(Curve::relative(format!("K = {k}"), &scaled, theory, trained));
        }
    }
    findings.figures.push(Figure {
        name: "classes".into(),
        title: "First of K classes, softmax".into(),
        caption: format!(
            "Lines: dm/dt = 2 p rho sqrt(K/(K-1)) m (K-1)/(K-1+e^m) (derived). Points: one neuron per class, rho = 1, p = 1/K, \
             projections from {} on the class, {}.",
            significant(6.0 * plan.scale, 3),
            backend.name()
        ),
        x: Axis::linear("p t"),
        y: Axis::linear("margin m"),
        residual: Some("trained / theory - 1".into()),
        curves,
    });
    Ok(())
}
