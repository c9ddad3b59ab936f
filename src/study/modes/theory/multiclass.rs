//! K classes under the softmax (derived): orthogonal classes, one group of neurons each, the other logits equal.
//!
//! With the margin m = o_k - o_j of a class with frequency p and norm rho, balanced (v = sqrt(K / (K - 1)) z_k):
//! ```text
//!   dm / dt = 2 p rho sqrt(K / (K - 1)) m (K - 1) / (K - 1 + e^m),   m = rho v^2 sqrt(K / (K - 1))
//! ```
//! The neuron's weights into the logits are z_k = v sqrt((K - 1) / K) and -z_k / (K - 1) elsewhere. For K = 2 the network has
//! two outputs, and 2 p rho sqrt 2 takes the place of the 2 p rho of one output.

use crate::study::StudyError;
use crate::study::ode::integrate;

/// A class of K.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassMode {
    /// K, at least 2.
    pub classes: usize,
    /// p
    pub frequency: f64,
    /// rho
    pub norm: f64,
    /// v0 > 0, the neuron's projection on its class.
    pub projection: f64,
}

impl ClassMode {
    fn root(&self) -> f64 {
        let k = self.classes as f64;
        (k / (k - 1.0)).sqrt()
    }

    /// m at t = 0.
    pub fn initial(&self) -> f64 {
        self.norm * self.projection.powi(2) * self.root()
    }

    /// The neuron's weights into the logit of its own class and into each other.
    pub fn output_weights(&self) -> (f64, f64) {
        let own = self.projection / self.root();
        (own, -own / (self.classes as f64 - 1.0))
    }

    /// dm/dt at margin m.
    pub fn speed(&self, m: f64) -> f64 {
        let others = self.classes as f64 - 1.0;
        2.0 * self.frequency * self.norm * self.root() * m * others / (others + m.exp())
    }

    /// m at each of `times`, which must not decrease.
    ///
    /// # Errors
    /// [`StudyError::Theory`] if the solver gives up.
    pub fn curve(&self, times: &[f64]) -> Result<Vec<f64>, StudyError> {
        let curve = integrate(
            |_, ln: &[f64; 1]| [self.speed(ln[0].exp()) / ln[0].exp()],
            [self.initial().ln()],
            times,
        )?;
        Ok(curve.into_iter().map(|[ln]| ln.exp()).collect())
    }
}
