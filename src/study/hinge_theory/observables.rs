//! What the theory says of the training set as a whole, at a given gamma (derived).
//!
//! Unsatisfied fraction: p_u = (1 - eta) P(X) + eta; flipped labels are never satisfied.
//!
//! Loss: with slope S = h / (alpha X) of the output along w*, a correct label costs h / alpha - S s up to s = X, a flipped one
//! h / alpha + S s, so L = (1 - eta) (h / alpha) (P(X) - G F(X) / X) + eta (h / alpha + S G).
//!
//! For Gaussian data and eta = 0: p_u = erf(X / sqrt 2), L = (h / alpha) (erf(X / sqrt 2) - sqrt(2/pi) (1 - e^{-X^2/2}) / X).
//!
//! The direction of the output is exact for t > 0, so that the theory's own test error is 0; errors come from finitely many
//! nodes ([`finite_nodes`](super::finite_nodes)), finitely many examples ([`finite_examples`](super::finite_examples)) and
//! noise.

use super::clock::Clock;

/// The state of the training set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observables {
    /// p_u
    pub unsatisfied: f64,
    /// L
    pub loss: f64,
}

impl Clock {
    /// The state at `gamma`.
    pub fn observables(&self, gamma: f64) -> Observables {
        let x = self.satisfied_from(gamma);
        let model = &self.model;
        let level = model.threshold / model.alpha;
        // q may be negative at first if the initial output is left in: then everything is unsatisfied.
        let slope = self.amplitude.at(gamma) * model.threshold / (model.alpha * model.crossover());
        let (below, mean) = (model.below(x), model.mean_projection());
        let clean = level * below - slope * mean * model.share_below(x);
        let flipped = level + slope * mean;
        Observables {
            unsatisfied: (1.0 - model.noise) * below + model.noise,
            loss: (1.0 - model.noise) * clean + model.noise * flipped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::{Distribution, Model, Unit};
    use super::*;

    #[test]
    fn the_loss_falls_by_the_power_of_the_gradient() {
        // Along gradient flow dL/dt = -(1/beta) sum of squared speeds: for N, M -> infinity dL/dgamma is
        // -(A + B) (gradient per node), that is -(cosh 2 gamma) 2 (dgamma/dt) / beta. An identity that the loss formula,
        // the speed and their constants satisfy together only if all are right.
        for distribution in [Distribution::Gaussian, Distribution::Sphere] {
            for (unit, noise) in [(Unit::Relu, 0.0), (Unit::Linear, 0.0), (Unit::Relu, 0.07)] {
                let model = Model {
                    unit,
                    distribution,
                    dimension: 30,
                    alpha: 0.7,
                    threshold: 1.3,
                    beta: 0.4,
                    noise,
                };
                let clock = Clock::population(model);
                for gamma in [0.05, 0.5, 1.0, 2.0] {
                    let step = 1e-5;
                    let loss = |gamma| clock.observables(gamma).loss;
                    let slope = (loss(gamma + step) - loss(gamma - step)) / (2.0 * step);
                    let expected = -2.0 * (2.0 * gamma).cosh() * clock.speed(gamma) / model.beta;
                    // Differences err by step^2 / 6 L''' and round-off / step: some 1e-9 of numbers of order 1.
                    let error = (slope - expected).abs();
                    assert!(
                        error < 1e-7 * (1.0 + expected.abs()),
                        "{model:?} {gamma} {slope} {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn everything_is_unsatisfied_at_the_start() {
        let model = Model {
            unit: Unit::Relu,
            distribution: Distribution::Gaussian,
            dimension: 100,
            alpha: 2.0,
            threshold: 3.0,
            beta: 1.0,
            noise: 0.1,
        };
        let start = Clock::population(model).observables(0.0);
        assert_eq!(start.unsatisfied, 1.0);
        assert!((start.loss - 1.5).abs() < 1e-15);
    }
}
