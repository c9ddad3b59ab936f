//! K classes (derived): orthogonal classes, one neuron each, the other logits equal.
//!
//! A class has the frequency p and the norm rho; its neuron the projection v and the weights z into the class's own logit, and
//! -z / (K - 1) into each other. With q = sqrt(K / (K - 1)), s = q z and the margin m = o_k - o_j = rho q s v,
//! ```text
//!   s +- v = (s0 +- v0) e^(+-tau),   d tau / dt = p rho q g(m),
//!   m = (rho q / 4) (S+ e^(2 tau) - S- e^(-2 tau)),   S+- = (s0 +- v0)^2,
//!   dm / dt = p rho q sqrt(4 m^2 + rho^2 q^2 S+ S-) g(m);   balanced (s = v): dm / dt = 2 p rho q m g(m),
//! ```
//! which is [`super::scalar`] with the norm rho q. Softmax: g = (K - 1) / (K - 1 + e^m). Hinge: g = 1 up to m = 1.
//!
//! The engine's hinge of several outputs is that of Crammer and Singer: the margin is to the greatest other logit alone, and
//! only that one is pushed down. The flow cannot leave the place where all others are equal, since the one that is pushed is
//! the greatest no longer: each goes down at a part 1 / (K - 1) of the whole, as under the softmax. Two classes under the hinge
//! have one output, of which class 1 is the positive side: q = 1, and z is the neuron's weight.

use super::scalar::{Mode, Pull};
use crate::study::StudyError;
use crate::study::ode::integrate;

/// A class of K.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassMode {
    /// K, at least 2.
    pub classes: usize,
    /// By which loss.
    pub pull: Pull,
    /// p
    pub frequency: f64,
    /// rho
    pub norm: f64,
    /// v0 > 0, the neuron's projection on its class.
    pub projection: f64,
    /// s0 > 0, its weight into its own logit times q; balanced: v0.
    pub output: f64,
}

impl ClassMode {
    /// q = sqrt(K / (K - 1)), or 1 for a single output.
    pub fn root(&self) -> f64 {
        let k = self.classes as f64;
        if self.single() { 1.0 } else { (k / (k - 1.0)).sqrt() }
    }

    /// Whether both classes share one output.
    pub fn single(&self) -> bool {
        self.classes == 2 && self.pull == Pull::Hinge
    }

    /// The same mode as one of two classes, of norm rho q.
    pub fn mode(&self) -> Mode {
        Mode::of_neurons(
            self.frequency,
            self.norm * self.root(),
            &[(self.output, self.projection)],
        )
    }

    /// The neuron's weights into the logit of its own class and into each other.
    pub fn output_weights(&self) -> (f64, f64) {
        let own = self.output / self.root();
        (own, -own / (self.classes as f64 - 1.0))
    }

    /// g(m).
    pub fn strength(&self, m: f64) -> f64 {
        let others = self.classes as f64 - 1.0;
        match self.pull {
            Pull::CrossEntropy => others / (others + m.exp()),
            Pull::Hinge => self.pull.strength(m),
        }
    }

    /// m at each of `times`, which must not decrease.
    ///
    /// # Errors
    /// [`StudyError::Theory`] if the solver gives up.
    pub fn curve(&self, times: &[f64]) -> Result<Vec<f64>, StudyError> {
        let mode = self.mode();
        if self.pull == Pull::Hinge {
            return mode.curve(self.pull, times);
        }
        let speed = |_: f64, &[tau]: &[f64; 1]| [mode.rate() * self.strength(mode.output(tau))];
        let taus = integrate(speed, [0.0], times)?;
        Ok(taus.into_iter().map(|[tau]| mode.output(tau)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Balanced weights follow the equation of m alone, and the hinge stops at ln(1 / m0) / (2 p rho q).
    #[test]
    fn balanced_weights_have_the_short_equation() {
        for (classes, pull) in [
            (2, Pull::CrossEntropy),
            (7, Pull::CrossEntropy),
            (2, Pull::Hinge),
            (7, Pull::Hinge),
        ] {
            let class = ClassMode {
                classes,
                pull,
                frequency: 0.2,
                norm: 1.4,
                projection: 0.3,
                output: 0.3,
            };
            let rate = 2.0 * 0.2 * 1.4 * class.root();
            let m0 = class.mode().output(0.0);
            assert!((m0 - 1.4 * class.root() * 0.09).abs() < 1e-15);
            let end = (1.0 / m0).ln() / rate;
            // The difference quotient errs by (rate h)^2 / 6 of a value of order 1.
            let h = 1e-4 / rate;
            let around = class.curve(&[0.5 * end - h, 0.5 * end, 0.5 * end + h]).unwrap();
            let quotient = (around[2] - around[0]) / (2.0 * h);
            let speed = rate * around[1] * class.strength(around[1]);
            assert!(
                (quotient - speed).abs() <= 1e-7 * speed,
                "{class:?}: {quotient} {speed}"
            );
            if pull == Pull::Hinge {
                assert!((class.mode().hinge_time() - end).abs() < 1e-12 * end);
            }
        }
    }
}
