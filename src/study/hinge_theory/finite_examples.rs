//! Finitely many examples: overfitting (derived).
//!
//! Each component of the force on w_perp has a noise of variance v p_u / (c N), v the variance of a coordinate of x, beside the
//! coherent force G F(X) / c on w_par. Their ratio over all d components,
//!
//! R = sqrt(c d v p_u / N) / (G F(X)),
//!
//! grows as X falls. (With flipped labels p_u = (1 - eta) P(X) + eta, and (1 - eta) F(X) - eta stands for F(X): the force ends at
//! X_inf > 0, before which R is 1.) R = 1 at X_c, for Gaussian data and X << 1 at (5 c d / N)^{1/3}; from t_c = t_sat(X_c) on w_perp grows, the
//! unsatisfied fraction and the training error fall below mean field, and the test error stops falling. The paper obtains
//! overfitting "by analysing corrections to mean-field theory"; its formula is not known to us.

use super::clock::Clock;
use super::model::Model;
use crate::study::StudyError;

/// R at X.
pub fn noise_over_force(model: &Model, examples: usize, x: f64) -> f64 {
    let (d, clean) = (model.dimension as f64, 1.0 - model.noise);
    let unsatisfied = clean * model.below(x) + model.noise;
    let force = model.mean_projection() * (clean * model.share_below(x) - model.noise);
    if force <= 0.0 {
        return f64::INFINITY;
    }
    let variance = model.unit.c() * d * model.distribution.variance(model.dimension) * unsatisfied;
    (variance / examples as f64).sqrt() / force
}

/// X_c, where R = 1; `None` if the noise outweighs the force from the start, R(infinity) >= 1.
pub fn overfits_below(model: &Model, examples: usize) -> Option<f64> {
    let scale = model.distribution.variance(model.dimension).sqrt();
    if noise_over_force(model, examples, f64::INFINITY) >= 1.0 {
        return None;
    }
    // R falls with X from infinity to R(infinity) < 1.
    let (mut low, mut high) = (1e-9 * scale, 40.0 * scale);
    while high / low > 1.0 + 1e-12 {
        let middle = (low * high).sqrt();
        if noise_over_force(model, examples, middle) >= 1.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(high)
}

/// t_c = t_sat(X_c): 0 if there is no X_c.
///
/// # Errors
/// Those of [`Clock::satisfaction_times`].
pub fn overfits_from(clock: &Clock, examples: usize) -> Result<f64, StudyError> {
    let Some(x) = overfits_below(&clock.model, examples) else {
        return Ok(0.0);
    };
    Ok(clock.satisfaction_times(&[x])?.first().copied().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::super::model::{Distribution, Unit};
    use super::*;

    #[test]
    fn the_crossing_is_the_closed_form_where_that_holds() {
        let model = Model {
            unit: Unit::Relu,
            distribution: Distribution::Gaussian,
            dimension: 100,
            alpha: 1.0,
            threshold: 1.0,
            beta: 2.5,
            noise: 0.0,
        };
        for unit in [Unit::Relu, Unit::Linear] {
            let model = Model { unit, ..model };
            // F(X) = X^2 / 2 - X^4 / 8 and p_u = sqrt(2/pi) (X - X^3 / 6): relative errors of order X^2 / 4. And 5 stands
            // for 4 sqrt(pi / 2) = 5.013.
            let x = overfits_below(&model, 10_000_000).unwrap();
            let expected = (4.0 * (std::f64::consts::PI / 2.0).sqrt() * unit.c() * 100.0 / 1e7).cbrt();
            assert!((x / expected - 1.0).abs() < x * x / 4.0, "{x} {expected}");
        }
        // The note's X_c = .215 for Fig. 1.
        let x = overfits_below(&model, 100_000).unwrap();
        assert!((x - 0.215).abs() < 0.005, "{x}");
        assert!(overfits_below(&model, 50).is_none());
        // Flipped labels: overfitting begins before the force has gone, at a finite time.
        let noisy = Model { noise: 0.05, ..model };
        let stop = super::super::label_noise::final_projection(&noisy).unwrap();
        let crossing = overfits_below(&noisy, 100_000).unwrap();
        assert!(crossing > stop && crossing > x, "{crossing} {stop}");
        let from = overfits_from(&Clock::population(noisy), 100_000).unwrap();
        assert!(from > 0.0 && from.is_finite(), "{from}");
        // The sphere is the same data on shorter vectors: X_c is shorter by about sqrt d.
        let sphere = Model {
            distribution: Distribution::Sphere,
            ..model
        };
        let ratio = x / overfits_below(&sphere, 100_000).unwrap();
        assert!((ratio / 10.0 - 1.0).abs() < 0.02, "{ratio}");
    }
}
