//! Learning-rate schedules: the rate of epoch t (from 0), out of T in all, for a base rate e.
//!
//! | name | rate |
//! |---|---|
//! | `constant` | e |
//! | `step:n:f` | e f^floor(t / n) |
//! | `cosine` | e (1 + cos(pi t / T)) / 2 (Loshchilov and Hutter 2017, no restarts) |

use std::fmt;
use std::str::FromStr;

use super::error::{NnError, check};

/// How the learning rate changes.
///
/// ```
/// use disentangle::nn::Schedule;
///
/// // Half as much every 10 epochs: twice in 25.
/// let steps: Schedule = "step:10:0.5".parse()?;
/// assert_eq!(steps.rate(0.8, 25, 100), 0.2);
/// // Half a cosine is at half its height half-way, up to the rounding of pi.
/// assert_eq!(Schedule::Cosine.rate(0.8, 0, 100), 0.8);
/// assert!((Schedule::Cosine.rate(0.8, 50, 100) - 0.4).abs() < 1e-12);
/// # Ok::<(), disentangle::nn::NnError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Schedule {
    /// It does not.
    #[default]
    Constant,
    /// By a factor every so many epochs.
    Step {
        /// So many, at least 1.
        every: usize,
        /// The factor, positive.
        factor: f64,
    },
    /// Down to 0 along half a cosine.
    Cosine,
}

impl Schedule {
    /// The rate of epoch `epoch` out of `epochs`.
    pub fn rate(self, base: f64, epoch: usize, epochs: usize) -> f64 {
        match self {
            Schedule::Constant => base,
            Schedule::Step { every, factor } => {
                base * factor.powi(i32::try_from(epoch / every.max(1)).unwrap_or(i32::MAX))
            }
            Schedule::Cosine => {
                let done = epoch as f64 / epochs.max(1) as f64;
                base * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
            }
        }
    }
}

impl FromStr for Schedule {
    type Err = NnError;

    fn from_str(text: &str) -> Result<Self, NnError> {
        let unknown = || NnError::Unknown {
            what: "schedule",
            found: text.into(),
            expected: "constant, step:EPOCHS:FACTOR or cosine",
        };
        match text.split(':').collect::<Vec<_>>()[..] {
            ["constant"] => Ok(Schedule::Constant),
            ["cosine"] => Ok(Schedule::Cosine),
            ["step", every, factor] => {
                let every = every.parse().ok().filter(|&n| n > 0).ok_or_else(unknown)?;
                let factor = factor.parse().map_err(|_| unknown())?;
                let factor = check("factor of schedule 'step'", factor, "a positive number", |f| f > 0.0)?;
                Ok(Schedule::Step { every, factor })
            }
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::Constant => write!(f, "constant"),
            Schedule::Step { every, factor } => write!(f, "step:{every}:{factor}"),
            Schedule::Cosine => write!(f, "cosine"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_by_hand() {
        let rates = |text: &str| -> Vec<f64> {
            let schedule: Schedule = text.parse().unwrap();
            assert_eq!(schedule.to_string(), text);
            (0..5).map(|t| schedule.rate(8.0, t, 4)).collect()
        };
        assert_eq!(rates("constant"), [8.0; 5]);
        assert_eq!(rates("step:2:0.5"), [8.0, 8.0, 4.0, 4.0, 2.0]);
        let expected = [8.0, 4.0 + 8f64.sqrt(), 4.0, 4.0 - 8f64.sqrt(), 0.0];
        // A cosine and three roundings.
        assert!(
            rates("cosine")
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() <= 8.0 * f64::EPSILON)
        );
        for bad in ["", "step", "step:0:0.5", "step:2:-1", "step:2:0.5:1", "linear"] {
            assert!(bad.parse::<Schedule>().is_err(), "{bad}");
        }
    }
}
