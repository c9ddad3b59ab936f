//! Early, late and lazy limits of gamma(t), without label noise (derived; the paper has the first "linear approximation near
//! t = 0" and the slope log(t) / 4, whose additive constant it fits).
//!
//! | when | gamma | X | t_sat(s) |
//! |---|---|---|---|
//! | nothing satisfied | r t | | |
//! | late, gamma >> 1, X << 1 | (1/4) ln(8 r rho k^2 t) | 1 / sqrt(2 r rho t) | 1 / (2 r rho s^2) |
//! | lazy plateau, gamma << 1, X << 1 | ((3/8) r rho k^2 t)^{1/3} | k / (2 gamma) | k / (3 r rho s^3) |
//!
//! with F(X) = rho X^2 / 2 for small X: rho = 1 for Gaussian data, d - 1 on the unit sphere. The last two rows are one
//! expression: for X << 1, d gamma / dt = r rho k^2 / (2 sinh^2 2 gamma), so that sinh(4 gamma) / 4 - gamma = r rho k^2 t.
//! Sequence at fixed alpha: linear; t^{1/3} if k << 1; log(t) / 4 once gamma ~ 1/2. Every lazy run becomes rich if hard
//! examples remain.

use super::model::{Distribution, Model};

/// rho: curvature of F at 0.
fn curvature(model: &Model) -> f64 {
    match model.distribution {
        Distribution::Gaussian => 1.0,
        Distribution::Sphere => model.dimension as f64 - 1.0,
    }
}

/// gamma = r t.
pub fn early(model: &Model, t: f64) -> f64 {
    model.rate() * t
}

/// gamma = (1/4) ln(8 r rho k^2 t).
pub fn late(model: &Model, t: f64) -> f64 {
    0.25 * (8.0 * model.rate() * curvature(model) * model.crossover().powi(2) * t).ln()
}

/// gamma = ((3/8) r rho k^2 t)^{1/3}.
pub fn lazy(model: &Model, t: f64) -> f64 {
    (0.375 * model.rate() * curvature(model) * model.crossover().powi(2) * t).cbrt()
}

/// t_sat(s) -> 1 / (2 r rho s^2), independent of h and alpha.
pub fn late_satisfaction_time(model: &Model, s: f64) -> f64 {
    1.0 / (2.0 * model.rate() * curvature(model) * s * s)
}

/// t_sat(s) -> k / (3 r rho s^3) on the lazy plateau.
pub fn lazy_satisfaction_time(model: &Model, s: f64) -> f64 {
    model.crossover() / (3.0 * model.rate() * curvature(model) * s.powi(3))
}

/// When a lazy run turns rich, gamma ~ 1/2: t = 1 / (3 r rho k^2).
pub fn rich_from(model: &Model) -> f64 {
    1.0 / (3.0 * model.rate() * curvature(model) * model.crossover().powi(2))
}

/// How far parameters have moved when an example of projection `s` is satisfied: (1/2) asinh(k / s). Trajectories in the
/// plane of (a, w_par) are short straight segments below about 1/2 and hyperbolas above.
pub fn movement(model: &Model, s: f64) -> f64 {
    0.5 * (model.crossover() / s).asinh()
}

#[cfg(test)]
mod tests {
    use super::super::clock::Clock;
    use super::super::equations::reference_model as model;
    use super::*;

    /// More reference numbers for ReLU, d = 100, h = 1; gamma and times at all scales are in [`equations`](super::super::equations).
    #[test]
    fn the_flow_gives_the_reference_numbers() {
        let close = |found: &[f64], expected: &[f64], tolerance: f64| {
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() <= tolerance, "{found} instead of {expected}");
            }
        };
        let clock = Clock::population(model(1.0, 2.5));
        let gamma = clock.gamma(&[1.0, 10.0, 100.0, 1000.0, 2000.0]).unwrap();
        let x: Vec<f64> = gamma.iter().map(|&g| clock.satisfied_from(g)).collect();
        let expected = [99.60, 5.545, 0.24955, 0.07162, 0.05036];
        for (x, expected) in x.iter().zip(expected) {
            assert!((x / expected - 1.0).abs() < 2e-4, "{x} instead of {expected}");
        }
        let late: Vec<f64> = [100.0, 1000.0, 2000.0].iter().map(|&t| late(&clock.model, t)).collect();
        close(&late, &[2.5927, 3.1684, 3.3416], 1e-4);
        let unsatisfied = |g: f64| 1e5 * clock.observables(g).unsatisfied;
        close(
            &[unsatisfied(gamma[2]), unsatisfied(gamma[3]), unsatisfied(gamma[4])],
            &[19706.0, 5709.5, 4016.7],
            1.0,
        );
        let steps = clock.gamma_of_steps(2000);
        close(&[steps[100], steps[2000]], &[2.5439, 3.3391], 1e-4);

        // At alpha = 1000 the asymptote of a time is near it.
        assert!((lazy_satisfaction_time(&model(1000.0, 2.5), 0.1) - 66.84).abs() < 0.01);
    }

    #[test]
    fn exponents_and_the_late_constant_are_those_derived() {
        for distribution in [Distribution::Gaussian, Distribution::Sphere] {
            let of = |alpha, beta| {
                Clock::population(Model {
                    distribution,
                    ..model(alpha, beta)
                })
            };
            // On the sphere typical projections are 1 / sqrt d: alpha in proportion gives the same regimes.
            let scale = (1.0 / of(1.0, 1.0).model.distribution.variance(100)).sqrt();
            let slope = |clock: &Clock, t: f64, f: &dyn Fn(&Clock, f64) -> f64| {
                let gamma = clock.gamma(&[t, 1.01 * t]).unwrap();
                (f(clock, gamma[1]) - f(clock, gamma[0])) / 1.01f64.ln()
            };
            let ln_x = |clock: &Clock, gamma: f64| clock.satisfied_from(gamma).ln();
            let rich = of(scale, 2.5);
            // 1 / X^2 = 2 r rho t - C, where C = 2 (gamma when the first example is satisfied) = asinh k and a logarithm of t:
            // about 4.4 here, so that d ln X / d ln t = -(1 + C X^2) / 2. It is within 0.005 of -1/2 for X below 0.047, and
            // -0.5053 at X = 0.049.
            for t in [2500.0, 1e5] {
                let t = t * if distribution == Distribution::Sphere {
                    scale
                } else {
                    1.0
                };
                let found = slope(&rich, t, &ln_x);
                assert!((found + 0.5).abs() < 0.005, "{distribution:?} {t} {found}");
                assert!((slope(&rich, t, &|_, gamma| gamma) - 0.25).abs() < 0.005);
                let gamma = rich.gamma(&[t]).unwrap()[0];
                assert!(rich.satisfied_from(gamma) * scale < 0.0477);
                assert!((gamma - late(&rich.model, t)).abs() < 0.01);
            }
            // The lazy plateau: gamma small, X small.
            let lazy_run = of(1e4 * scale, 0.25);
            let t = 3000.0
                * if distribution == Distribution::Sphere {
                    scale
                } else {
                    1.0
                };
            let gamma = lazy_run.gamma(&[t]).unwrap()[0];
            assert!(gamma < 0.05 && lazy_run.satisfied_from(gamma) * scale < 0.3, "{gamma}");
            assert!((slope(&lazy_run, t, &ln_x) + 1.0 / 3.0).abs() < 0.005);
            // Corrections are of order gamma^2 and X^2, some percent of gamma's third root.
            assert!((lazy(&lazy_run.model, t) / gamma - 1.0).abs() < 0.02);
            assert!((early(&rich.model, 1.0) - rich.gamma(&[1.0]).unwrap()[0]).abs() < 1e-9);
        }
    }

    #[test]
    fn a_lazy_run_turns_rich_when_said() {
        let lazy_run = Clock::population(model(1e4, 0.25));
        let gamma = lazy_run.gamma(&[rich_from(&lazy_run.model)]).unwrap()[0];
        assert!((0.3..0.7).contains(&gamma), "{gamma}");
        assert!((movement(&model(1.0, 1.0), 1.0) - 0.5 * 20f64.asinh()).abs() < 1e-15);
        let clock = Clock::population(model(1.0, 2.5));
        let time = clock.satisfaction_times(&[0.01]).unwrap()[0];
        assert!((late_satisfaction_time(&clock.model, 0.01) / time - 1.0).abs() < 1e-3);
    }
}
