//! Cross-entropy against hinge from the same small output u0 (derived): one mode, balanced, p rho = 1.
//!
//! ```text
//!   t_CE(u = 1) / t*_H = (ln(1 / u0) + Ei(1) - Ei(u0)) / ln(1 / u0) -> 2,     u_CE(t*_H) / sqrt(u0) -> 1   (u0 -> 0)
//! ```
//! The pull of the cross-entropy at u = 0 is half that of the hinge: it needs twice the time, and when the hinge has learnt
//! the class it has come to the square root of where it began.

use super::scalar::{Mode, Pull};
use crate::study::StudyError;

/// What the theory says of one u0 in (0, 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Race {
    /// u0
    pub initial: f64,
    /// t*_H in units of 1 / (p rho).
    pub hinge_time: f64,
    /// t_CE(u = 1) in the same units.
    pub cross_entropy_time: f64,
    /// u_CE(t*_H)
    pub output: f64,
}

impl Race {
    /// The race from u0.
    ///
    /// # Errors
    /// [`StudyError::Theory`] if the solver gives up.
    pub fn from(initial: f64) -> Result<Race, StudyError> {
        let mode = Mode::balanced(1.0, 1.0, initial);
        let hinge_time = mode.hinge_time();
        let output = mode.curve(Pull::CrossEntropy, &[hinge_time])?;
        Ok(Race {
            initial,
            hinge_time,
            cross_entropy_time: mode.implicit_time(1.0),
            output: output.first().copied().unwrap_or(f64::NAN),
        })
    }

    /// t_CE(u = 1) / t*_H
    pub fn ratio(&self) -> f64 {
        self.cross_entropy_time / self.hinge_time
    }

    /// u_CE(t*_H) / sqrt(u0)
    pub fn progress(&self) -> f64 {
        self.output / self.initial.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B-T4, the theory's half.
    #[test]
    fn ratios_of_the_note() {
        let known = [
            (1e-1, 2.528),
            (1e-2, 2.284),
            (1e-3, 2.191),
            (1e-4, 2.143),
            (1e-6, 2.095),
        ];
        let mut last = 0.9;
        for (u0, ratio) in known {
            let race = Race::from(u0).unwrap();
            assert!((race.ratio() - ratio).abs() <= 1e-3, "{u0}: {}", race.ratio());
            assert!((0.90..=1.0).contains(&race.progress()), "{u0}: {}", race.progress());
            assert!(race.progress() >= last, "{u0}: {}", race.progress());
            last = race.progress();
        }
        assert!((Race::from(0.1).unwrap().progress() - 0.903).abs() < 1e-3);
    }
}
