//! Flipped labels (derived; the subject of the paper's Sec. 3.4).
//!
//! A fraction eta of labels is flipped once and for all. Flipped examples pull back with full force while the others become
//! satisfied one by one, so that gamma stops where (1 - eta) F(X) = eta: for Gaussian data at
//! X_inf = sqrt(-2 ln((1 - 2 eta) / (1 - eta))), on the unit sphere at 1 - X^2 = ((1 - 2 eta) / (1 - eta))^{2/(d-1)}.
//! Near there gamma - gamma_inf falls with the rate 2 r (1 - 2 eta) X_inf^2 coth(2 gamma_inf) (Gaussian data).

use super::clock::Clock;
use super::model::{Distribution, Model};

/// X_inf; `None` without noise, when gamma never stops.
pub fn final_projection(model: &Model) -> Option<f64> {
    if model.noise <= 0.0 {
        return None;
    }
    // ln of (1 - 2 eta) / (1 - eta), with its digits where eta is small.
    let ln_ratio = (-2.0 * model.noise).ln_1p() - (-model.noise).ln_1p();
    Some(match model.distribution {
        Distribution::Gaussian => (-2.0 * ln_ratio).sqrt(),
        Distribution::Sphere => (-(2.0 * ln_ratio / (model.dimension as f64 - 1.0)).exp_m1()).sqrt(),
    })
}

/// The rate at which gamma comes to rest: minus the derivative of its speed there, by differences.
pub fn relaxation_rate(clock: &Clock) -> Option<f64> {
    let stop = clock.final_gamma()?;
    let step = 1e-5 * stop.max(1e-3);
    Some((clock.speed(stop - step) - clock.speed(stop + step)) / (2.0 * step))
}

#[cfg(test)]
mod tests {
    use super::super::model::Unit;
    use super::*;

    #[test]
    fn the_stop_has_the_reference_numbers_and_the_flow_comes_to_it() {
        let expected = [
            (0.01, 0.1425, 2.8187, 0.1222),
            (0.05, 0.3288, 2.4006, 0.2948),
            (0.1, 0.4854, 2.2060, 0.4353),
            (0.2, 0.7585, 1.9828, 0.6415),
        ];
        for (noise, x, gamma, unsatisfied) in expected {
            let model = Model {
                unit: Unit::Relu,
                distribution: Distribution::Gaussian,
                dimension: 100,
                alpha: 1.0,
                threshold: 1.0,
                beta: 2.5,
                noise,
            };
            let clock = Clock::population(model);
            let stop = clock.final_gamma().unwrap();
            assert!((final_projection(&model).unwrap() - x).abs() < 1e-4);
            assert!((stop - gamma).abs() < 1e-4, "{stop}");
            assert!((clock.observables(stop).unsatisfied - unsatisfied).abs() < 1e-4);
            let rate = relaxation_rate(&clock).unwrap();
            let x = final_projection(&model).unwrap();
            let derived = 2.0 * model.rate() * (1.0 - 2.0 * noise) * x * x / (2.0 * stop).tanh();
            // Differences over 1e-5 of a function of order 1: relative errors of 1e-9.
            assert!((rate / derived - 1.0).abs() < 1e-6, "{rate} {derived}");
            // 40 relaxation times after the stop's scale is reached: e^-40 is nothing.
            let reached = clock.gamma(&[100.0 + 40.0 / rate]).unwrap()[0];
            assert!((reached - stop).abs() < 1e-8, "{reached} {stop}");
            let sphere = Model {
                distribution: Distribution::Sphere,
                ..model
            };
            let x = final_projection(&sphere).unwrap();
            assert!(((1.0 - noise) * sphere.share_below(x) - noise).abs() < 1e-12);
            let hard = clock
                .satisfaction_times(&[0.9 * final_projection(&model).unwrap()])
                .unwrap();
            assert_eq!(hard, [f64::INFINITY]);
        }
    }
}
