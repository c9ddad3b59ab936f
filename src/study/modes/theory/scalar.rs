//! One mode: the output u = Z (W x)_+ on a class that is one direction (norm rho, frequency p), as one number in time.
//!
//! Under the paper's assumptions (classes apart: x . x' > 0 within, <= 0 across; neurons that start active on one class
//! alone, with the right sign) the classes do not see each other. With v_i = w_i . x / rho, the flow of L = p l(u) is
//! ```text
//!   z_i +- v_i = (z_i0 +- v_i0) e^(+-tau),   d tau / dt = p rho g(u),   g = -dl/du,
//!   u = (rho / 4) (S+ e^(2 tau) - S- e^(-2 tau)),   S+- = sum_i (z_i0 +- v_i0)^2,
//!   du / dt = p rho sqrt(4 u^2 + rho^2 S+ S-) g(u);   balanced (S- = 0): du / dt = 2 p rho u g(u).
//! ```
//! Cross-entropy: g = 1 / (1 + e^u). Hinge: g = 1 for u < 1, else 0. Derived from the setting of Tachet des Combes et al.
//! (2018); the balanced equation is the one that their abstract's sigmoids follow.
//!
//! | | cross-entropy, balanced | hinge |
//! |---|---|---|
//! | solution | ln u + Ei(u) = ln u0 + Ei(u0) + 2 p rho t | tau = p rho t until u = 1, then at rest |
//! | ends | never: 1 - P falls as 1 / (2 p rho t ln t) | t* = ln[(2 + sqrt(4 + rho^2 S+ S-)) / (rho S+)] / (2 p rho) |

use super::exponential_integral::ei;
use crate::study::StudyError;
use crate::study::ode::integrate;

/// By which loss a mode is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    /// log(1 + e^-u)
    CrossEntropy,
    /// max(1 - u, 0)
    Hinge,
}

/// Both.
pub const PULLS: [Pull; 2] = [Pull::CrossEntropy, Pull::Hinge];

impl Pull {
    /// g(u) = -dl/du.
    pub fn strength(self, u: f64) -> f64 {
        match self {
            Pull::CrossEntropy => 1.0 / (1.0 + u.exp()),
            Pull::Hinge => f64::from(u < 1.0),
        }
    }

    /// `cross-entropy` or `hinge`.
    pub fn name(self) -> &'static str {
        match self {
            Pull::CrossEntropy => "cross-entropy",
            Pull::Hinge => "hinge",
        }
    }
}

/// A class and the neurons that are active on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mode {
    /// p
    pub frequency: f64,
    /// rho
    pub norm: f64,
    /// S+
    pub plus: f64,
    /// S-
    pub minus: f64,
}

impl Mode {
    /// The mode of neurons with these output weights and projections w . x / rho.
    pub fn of_neurons(frequency: f64, norm: f64, neurons: &[(f64, f64)]) -> Mode {
        Mode {
            frequency,
            norm,
            plus: neurons.iter().map(|(z, v)| (z + v).powi(2)).sum(),
            minus: neurons.iter().map(|(z, v)| (z - v).powi(2)).sum(),
        }
    }

    /// Balanced neurons (z = v) with output u0 > 0.
    pub fn balanced(frequency: f64, norm: f64, u0: f64) -> Mode {
        Mode {
            frequency,
            norm,
            plus: 4.0 * u0 / norm,
            minus: 0.0,
        }
    }

    /// u(tau).
    pub fn output(&self, tau: f64) -> f64 {
        self.norm / 4.0 * (self.plus * (2.0 * tau).exp() - self.minus * (-2.0 * tau).exp())
    }

    /// p rho: what times go as the inverse of.
    pub fn rate(&self) -> f64 {
        self.frequency * self.norm
    }

    /// du/dt at output u.
    pub fn speed(&self, u: f64, pull: Pull) -> f64 {
        let root = (4.0 * u * u + self.norm.powi(2) * self.plus * self.minus).sqrt();
        self.rate() * root * pull.strength(u)
    }

    /// The time at which the hinge loss reaches u = 1 and everything stops; 0 from there on, infinite without neurons that
    /// grow (S+ = 0).
    pub fn hinge_time(&self) -> f64 {
        let Mode { norm, plus, minus, .. } = *self;
        let tau = 0.5 * ((2.0 + (4.0 + norm * norm * plus * minus).sqrt()) / (norm * plus)).ln();
        (tau / self.rate()).max(0.0)
    }

    /// u at each of `times`, which must not decrease.
    ///
    /// # Errors
    /// [`StudyError::Theory`] if the solver gives up.
    pub fn curve(&self, pull: Pull, times: &[f64]) -> Result<Vec<f64>, StudyError> {
        match pull {
            Pull::Hinge => {
                let end = self.hinge_time();
                Ok(times.iter().map(|t| self.output(self.rate() * t.min(end))).collect())
            }
            Pull::CrossEntropy => {
                let speed = |_: f64, tau: &[f64; 1]| [self.rate() * pull.strength(self.output(tau[0]))];
                let taus = integrate(speed, [0.0], times)?;
                Ok(taus.into_iter().map(|[tau]| self.output(tau)).collect())
            }
        }
    }

    /// The time at which the output reaches u under the cross-entropy, from u0 > 0, balanced:
    /// (ln u + Ei(u) - ln u0 - Ei(u0)) / (2 p rho).
    pub fn implicit_time(&self, u: f64) -> f64 {
        let sum = |u: f64| u.ln() + ei(u);
        (sum(u) - sum(self.output(0.0))) / (2.0 * self.rate())
    }
}

/// P = 1 / (1 + e^-u), the probability of the right class.
pub fn probability(u: f64) -> f64 {
    1.0 / (1.0 + (-u).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B-T2: the implicit solution of the balanced cross-entropy against the integrated one, 1e-6 relative.
    #[test]
    fn the_implicit_solution_is_the_integrated_one() {
        for (p, rho, u0) in [(1.0, 1.0, 0.1), (0.7, 1.3, 1e-3), (0.3, 0.7, 1e-6), (0.5, 2.0, 0.9)] {
            let mode = Mode::balanced(p, rho, u0);
            let times: Vec<f64> = (0..40).map(f64::from).collect();
            for (&t, u) in times.iter().zip(mode.curve(Pull::CrossEntropy, &times).unwrap()) {
                let back = mode.implicit_time(u);
                assert!((back - t).abs() <= 1e-6 * t.max(1e-3), "{p} {rho} {u0}: {t} {back}");
            }
        }
    }

    #[test]
    fn the_hinge_stops_at_1_and_not_before() {
        let neurons = [(0.1, 0.05), (0.02, 0.2), (0.03, 0.03)];
        for mode in [Mode::of_neurons(0.7, 1.3, &neurons), Mode::balanced(0.4, 0.7, 1e-4)] {
            let end = mode.hinge_time();
            let curve = mode.curve(Pull::Hinge, &[0.0, 0.999 * end, end, 2.0 * end]).unwrap();
            assert!(
                curve[1] < 1.0 && (curve[2] - 1.0).abs() < 1e-12 && curve[3] == curve[2],
                "{curve:?}"
            );
            // The closed form is the solution of du/dt: its difference quotient, whose error is the third derivative's,
            // below (2 p rho)^3 h^2 / 6 of a value below 1 with h = 1e-4 of a time scale.
            let h = 1e-4 / mode.rate();
            let around = mode
                .curve(Pull::Hinge, &[0.5 * end - h, 0.5 * end, 0.5 * end + h])
                .unwrap();
            let quotient = (around[2] - around[0]) / (2.0 * h);
            let speed = mode.speed(around[1], Pull::Hinge);
            assert!((quotient - speed).abs() <= 1e-7 * speed, "{quotient} {speed}");
        }
        assert_eq!(Mode::balanced(1.0, 1.0, 2.0).hinge_time(), 0.0);
        assert_eq!(Mode::of_neurons(1.0, 1.0, &[(-1.0, 1.0)]).hinge_time(), f64::INFINITY);
    }
}
