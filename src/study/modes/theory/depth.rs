//! Depth: the mode of N layers whose weights are balanced and of rank one (derived).
//!
//! With every layer's singular value at s the output is u = rho s^N, and the flow of L = p l(u) gives
//! ```text
//!   du / dt = N p rho^(2 / N) u^(2 - 2 / N) g(u),
//! ```
//! which for N = 2 is the balanced equation of [`super::scalar`]. The hinge stops at
//! t* = (u0^(-(N - 2) / N) - 1) / ((N - 2) p rho^(2 / N)) for N > 2. At equal small u0 depth lengthens the plateau and
//! sharpens the rise.

use super::scalar::Pull;
use crate::study::StudyError;
use crate::study::ode::integrate;

/// A mode of a deep network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeepMode {
    /// N, at least 2.
    pub layers: u32,
    /// p
    pub frequency: f64,
    /// rho
    pub norm: f64,
    /// u0 > 0
    pub initial: f64,
}

impl DeepMode {
    /// All layers at singular value s.
    pub fn of_singular_value(layers: u32, frequency: f64, norm: f64, s: f64) -> DeepMode {
        DeepMode {
            layers,
            frequency,
            norm,
            initial: norm * s.powi(layers as i32),
        }
    }

    /// du/dt at output u.
    pub fn speed(&self, u: f64, pull: Pull) -> f64 {
        let n = f64::from(self.layers);
        n * self.frequency * self.norm.powf(2.0 / n) * u.powf(2.0 - 2.0 / n) * pull.strength(u)
    }

    /// The time at which the hinge loss stops.
    pub fn hinge_time(&self) -> f64 {
        let n = f64::from(self.layers);
        let time = if self.layers == 2 {
            -self.initial.ln() / (2.0 * self.frequency * self.norm)
        } else {
            (self.initial.powf(-(n - 2.0) / n) - 1.0) / ((n - 2.0) * self.frequency * self.norm.powf(2.0 / n))
        };
        time.max(0.0)
    }

    /// u at each of `times`, which must not decrease.
    ///
    /// # Errors
    /// [`StudyError::Theory`] if the solver gives up.
    pub fn curve(&self, pull: Pull, times: &[f64]) -> Result<Vec<f64>, StudyError> {
        let end = self.hinge_time();
        match pull {
            // Free growth up to the stop, which a solver of smooth equations must not cross.
            Pull::Hinge => {
                let n = f64::from(self.layers);
                let free = |t: f64| {
                    let rate = self.frequency * self.norm.powf(2.0 / n);
                    if self.layers == 2 {
                        self.initial * (2.0 * rate * t).exp()
                    } else {
                        let power = self.initial.powf(-(n - 2.0) / n) - (n - 2.0) * rate * t;
                        power.powf(-n / (n - 2.0))
                    }
                };
                Ok(times.iter().map(|&t| free(t.min(end))).collect())
            }
            // In ln u, so that a plateau of 1e-6 keeps its digits.
            Pull::CrossEntropy => {
                let speed = |_: f64, ln: &[f64; 1]| [self.speed(ln[0].exp(), pull) / ln[0].exp()];
                let curve = integrate(speed, [self.initial.ln()], times)?;
                Ok(curve.into_iter().map(|[ln]| ln.exp()).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B-T6, the theory's half: the note's numbers at t = 12.
    #[test]
    fn the_numbers_of_the_note() {
        // The note's are those of a chain of layers trained with dt = 1e-3, and promised to 1e-3 relative. Beside them, the
        // equation solved by SciPy's DOP853 with a relative tolerance of 1e-12, of which some hundred steps are 1e-10.
        let known = [
            (2, 3.4515, 3.451_375_989_129),
            (3, 3.5561, 3.556_152_069_789),
            (4, 0.2660, 0.266_114_428_709),
        ];
        for (layers, chain, solved) in known {
            let mode = DeepMode::of_singular_value(layers, 0.5, 1.5, 0.3);
            let got: f64 = mode.curve(Pull::CrossEntropy, &[12.0]).unwrap()[0];
            assert!((got / chain - 1.0).abs() <= 1e-3, "{layers}: {got}");
            assert!((got / solved - 1.0).abs() <= 1e-9, "{layers}: {got}");
        }
        // Time to P = 0.99 from u0 = 0.1 with p rho = 1, in the note to two places.
        for (layers, time) in [(2, 17.68), (3, 9.56), (4, 6.81), (6, 4.51), (10, 2.78)] {
            let mode = DeepMode {
                layers,
                frequency: 1.0,
                norm: 1.0,
                initial: 0.1,
            };
            let u = mode.curve(Pull::CrossEntropy, &[time - 0.006, time + 0.006]).unwrap();
            let target = 99f64.ln();
            assert!(u[0] < target && target < u[1], "{layers}: {u:?}");
        }
    }

    #[test]
    fn the_hinge_stops_at_1_at_every_depth() {
        for layers in 2..8 {
            let mode = DeepMode {
                layers,
                frequency: 0.4,
                norm: 1.7,
                initial: 0.02,
            };
            let end = mode.hinge_time();
            let curve = mode.curve(Pull::Hinge, &[0.0, 0.5 * end, end, 9.0 * end]).unwrap();
            assert!(
                (curve[0] - 0.02).abs() < 1e-14 && (curve[2] - 1.0).abs() < 1e-12,
                "{curve:?}"
            );
            let slow = integrate(|_, u: &[f64; 1]| [mode.speed(u[0], Pull::Hinge)], [0.02], &[0.5 * end]).unwrap();
            assert!((slow[0][0] - curve[1]).abs() < 1e-9, "{layers}: {slow:?} {curve:?}");
        }
    }
}
