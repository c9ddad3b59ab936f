//! Gradient starvation (derived; the bound has the shape of the paper's): a feature that comes with a more frequent one is
//! not learnt, although it alone would do.
//!
//! Every point of a class has x_1; a fraction lambda of them has x_2 beside it, orthogonal. With w = c_1 x_1 + c_2 x_2 + ...
//! ```text
//!   dc_2/dt = z lambda g(u_12),   dc_1/dt = z ((1 - lambda) g(u_1) + lambda g(u_12)),
//!   u_1 = z c_1 rho_1^2,   u_2 = z c_2 rho_2^2,   u_12 = u_1 + u_2,   z^2 - |w|^2 constant,
//! ```
//! so dc_2/dt <= lambda dc_1/dt for any loss whose pull g decreases. When training stops with P >= 1 - delta on the class
//! (last on the points that have x_1 alone) this bounds what x_2 alone would get:
//! ```text
//!   P(x_2) <= 1 / (1 + (delta / (1 - delta))^(lambda rho_2^2 / rho_1^2))
//! ```
//! The exact value follows from integrating the equations from tiny weights, in u_1 instead of time. Without the output
//! weight z they are logistic regression, with the same bound. The hinge stops by itself, in two phases (x_1 + x_2 at u = 1,
//! then x_1), which gives a closed form.

use super::scalar::{Pull, probability};
use crate::study::StudyError;
use crate::study::ode::integrate;

/// Weights at the start: the theory's limit is 0.
const TINY: f64 = 1e-7;

/// Who is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learner {
    /// Two layers with the cross-entropy.
    CrossEntropy,
    /// One layer, w alone, with the same loss: logistic regression.
    Logistic,
}

/// Two features of one class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// lambda, the fraction of the class that has the second feature, in (0, 1).
    pub frequency: f64,
    /// rho_1
    pub first_norm: f64,
    /// rho_2
    pub second_norm: f64,
}

impl Pair {
    /// Features of norm 1.
    pub fn equal(frequency: f64) -> Pair {
        Pair {
            frequency,
            first_norm: 1.0,
            second_norm: 1.0,
        }
    }

    /// The bound on P(x_2) when training stops with P >= 1 - delta.
    pub fn bound(&self, delta: f64) -> f64 {
        let exponent = self.frequency * (self.second_norm / self.first_norm).powi(2);
        1.0 / (1.0 + (delta / (1.0 - delta)).powf(exponent))
    }

    /// The output on x_1 alone at which P = 1 - delta.
    pub fn stop(delta: f64) -> f64 {
        ((1.0 - delta) / delta).ln()
    }

    /// u_2 when u_1 has reached each of `outputs`, which must not decrease.
    ///
    /// # Errors
    /// [`StudyError::Theory`] if the solver gives up.
    pub fn second_output(&self, learner: Learner, outputs: &[f64]) -> Result<Vec<f64>, StudyError> {
        let lambda = self.frequency;
        let (one, two) = (self.first_norm.powi(2), self.second_norm.powi(2));
        let pull = |u| Pull::CrossEntropy.strength(u);
        // z from the weights: |w|^2 = c_1^2 rho_1^2 + c_2^2 rho_2^2.
        let z = |c: &[f64; 2]| match learner {
            Learner::CrossEntropy => (c[0] * c[0] * one + c[1] * c[1] * two).sqrt(),
            Learner::Logistic => 1.0,
        };
        let speed = |u1: f64, c: &[f64; 2]| {
            let u12 = u1 + z(c) * c[1] * two;
            let second = lambda * pull(u12);
            let ratio = second / ((1.0 - lambda) * pull(u1) + second);
            let by_z = match learner {
                Learner::CrossEntropy => c[0] * (c[0] * one + c[1] * two * ratio) / z(c),
                Learner::Logistic => 0.0,
            };
            let first = 1.0 / (one * (z(c) + by_z));
            [first, ratio * first]
        };
        let start = match learner {
            Learner::CrossEntropy => [TINY, 0.0],
            Learner::Logistic => [0.0, 0.0],
        };
        let begun = z(&start) * start[0] * one;
        let times: Vec<f64> = outputs.iter().map(|u| (u - begun).max(0.0)).collect();
        let states = integrate(|t, c| speed(begun + t, c), start, &times)?;
        Ok(states.iter().map(|c| z(c) * c[1] * two).collect())
    }

    /// P(x_2) when training stops with P >= 1 - delta, for each delta of a list.
    ///
    /// # Errors
    /// As [`Pair::second_output`].
    pub fn exact(&self, learner: Learner, deltas: &[f64]) -> Result<Vec<f64>, StudyError> {
        let mut order: Vec<usize> = (0..deltas.len()).collect();
        order.sort_by(|&a, &b| deltas[b].total_cmp(&deltas[a]));
        let outputs: Vec<f64> = order.iter().map(|&n| Pair::stop(deltas[n])).collect();
        let mut values = vec![f64::NAN; deltas.len()];
        for (n, u) in order.into_iter().zip(self.second_output(learner, &outputs)?) {
            values[n] = probability(u);
        }
        Ok(values)
    }

    /// u(x_2) when the hinge loss has come to rest.
    pub fn hinge(&self) -> f64 {
        let Pair {
            first_norm: one,
            second_norm: two,
            ..
        } = *self;
        // In units of each feature's direction: a = c_1 rho_1, b = c_2 rho_2. First b / a = k until u_12 = 1.
        let k = self.frequency * two / one;
        let b2 = k * k / ((1.0 + k * k).sqrt() * (one + k * two));
        // Then b stays and a grows until u_1 = rho_1 a z = 1.
        let a2 = (-b2 + (b2 * b2 + 4.0 / (one * one)).sqrt()) / 2.0;
        (b2 / a2).sqrt() * two / one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELTAS: [f64; 3] = [0.1, 0.01, 0.001];

    /// B-T9, the theory's half: the note's table to its four places.
    #[test]
    fn the_table_of_the_note() {
        let table = [
            (0.01, [(0.5055, 0.5055), (0.5113, 0.5115), (0.5169, 0.5173)], 0.0100),
            (0.05, [(0.5267, 0.5274), (0.5538, 0.5572), (0.5779, 0.5855)], 0.0488),
            (0.1, [(0.5521, 0.5547), (0.6013, 0.6129), (0.6421, 0.6661)], 0.0953),
            (0.3, [(0.6430, 0.6591), (0.7463, 0.7988), (0.8113, 0.8882)], 0.2618),
            (0.5, [(0.7213, 0.7500), (0.8427, 0.9087), (0.9011, 0.9693)], 0.4007),
            (0.9, [(0.8603, 0.8784), (0.9608, 0.9843), (0.9837, 0.9980)], 0.6091),
        ];
        for (lambda, row, hinge) in table {
            let pair = Pair::equal(lambda);
            let exact = pair.exact(Learner::CrossEntropy, &DELTAS).unwrap();
            for ((delta, got), (want, bound)) in DELTAS.into_iter().zip(exact).zip(row) {
                assert!((got - want).abs() <= 1e-4, "{lambda} {delta}: {got} {want}");
                assert!(
                    (pair.bound(delta) - bound).abs() <= 6e-5,
                    "{lambda} {delta}: {}",
                    pair.bound(delta)
                );
                assert!(got <= pair.bound(delta), "{lambda} {delta}");
            }
            assert!((pair.hinge() - hinge).abs() <= 6e-5, "{lambda}: {}", pair.hinge());
        }
        let logistic = |lambda| Pair::equal(lambda).exact(Learner::Logistic, &[0.1, 0.01]).unwrap();
        for (lambda, want) in [(0.1, [0.55077, 0.59584]), (0.5, [0.70787, 0.81120])] {
            for (got, want) in logistic(lambda).into_iter().zip(want) {
                assert!((got - want).abs() <= 1e-5, "{lambda}: {got} {want}");
            }
        }
    }

    #[test]
    fn the_bound_holds_for_norms_that_differ() {
        for (first_norm, second_norm) in [(1.0, 2.0), (2.0, 1.0), (0.5, 0.7)] {
            for frequency in [0.05, 0.4, 0.8] {
                let pair = Pair {
                    frequency,
                    first_norm,
                    second_norm,
                };
                for learner in [Learner::CrossEntropy, Learner::Logistic] {
                    for (delta, exact) in DELTAS.into_iter().zip(pair.exact(learner, &DELTAS).unwrap()) {
                        assert!(exact > 0.5 && exact <= pair.bound(delta), "{pair:?} {delta}: {exact}");
                    }
                }
            }
        }
    }
}
