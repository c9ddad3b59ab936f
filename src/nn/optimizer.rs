//! Optimisers, as PyTorch defines them. g is the gradient of parameter w, t the step number from 1, e the learning rate.
//!
//! `sgd` with momentum m, weight decay d:
//! ```text
//!   g += d w;  v = m v + g (v = 0 at first);  w -= e v      Nesterov: w -= e (g + m v)
//! ```
//! `adam`, `adamw` (Kingma and Ba 2015; Loshchilov and Hutter 2019), betas 0.9 and 0.999, epsilon 1e-8:
//! ```text
//!   adam: g += d w      adamw: w -= e d w
//!   m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  w -= e (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)
//! ```
//! `rmsprop` (Hinton 2012), alpha 0.99, epsilon 1e-8, momentum m:
//! ```text
//!   g += d w;  v = alpha v + (1 - alpha) g^2;  b = m b + g / (sqrt v + epsilon);  w -= e b
//! ```

use std::fmt;
use std::str::FromStr;

use super::error::{NnError, check};
use crate::backend::kernel::UpdateRule;

/// Which rule; its numbers are in [`Optimizer::rule`].
///
/// ```
/// use disentangle::backend::kernel::UpdateRule;
/// use disentangle::nn::Optimizer;
///
/// // Momentum 0.9 and no weight decay.
/// let expected = UpdateRule::Sgd { momentum: 0.9, nesterov: true, weight_decay: 0.0 };
/// assert_eq!("nesterov".parse::<Optimizer>()?.rule(0.9, 0.0)?, expected);
/// let wrong = Optimizer::Adam.rule(0.9, 0.0).map_err(|error| error.to_string());
/// assert_eq!(wrong, Err("momentum 0.9: expected 0 for adam and adamw, which have their own".into()));
/// # Ok::<(), disentangle::nn::NnError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Optimizer {
    /// Gradient descent, with momentum if given.
    #[default]
    Sgd,
    /// Gradient descent with Nesterov's momentum.
    Nesterov,
    /// Adam.
    Adam,
    /// Adam with decoupled weight decay.
    AdamW,
    /// RMSprop.
    RmsProp,
}

const ALL: [(&str, Optimizer); 5] = [
    ("sgd", Optimizer::Sgd),
    ("nesterov", Optimizer::Nesterov),
    ("adam", Optimizer::Adam),
    ("adamw", Optimizer::AdamW),
    ("rmsprop", Optimizer::RmsProp),
];

impl Optimizer {
    /// The rule with its numbers. `momentum` belongs to sgd, nesterov and rmsprop.
    ///
    /// # Errors
    /// [`NnError::Range`] for a momentum outside [0, 1), none for Nesterov, one for Adam; for a negative weight decay.
    pub fn rule(self, momentum: f64, weight_decay: f64) -> Result<UpdateRule, NnError> {
        let momentum = check("momentum", momentum, "at least 0 and below 1", |m| {
            (0.0..1.0).contains(&m)
        })?;
        let weight_decay = check("weight decay", weight_decay, "at least 0", |d| d >= 0.0)?;
        let misfit = |expected| {
            Err(NnError::Range {
                what: "momentum",
                found: momentum.to_string(),
                expected,
            })
        };
        match self {
            Optimizer::Sgd => Ok(UpdateRule::Sgd {
                momentum,
                nesterov: false,
                weight_decay,
            }),
            Optimizer::Nesterov if momentum == 0.0 => misfit("above 0 for nesterov"),
            Optimizer::Nesterov => Ok(UpdateRule::Sgd {
                momentum,
                nesterov: true,
                weight_decay,
            }),
            Optimizer::RmsProp => Ok(UpdateRule::RmsProp {
                alpha: 0.99,
                epsilon: 1e-8,
                momentum,
                weight_decay,
            }),
            Optimizer::Adam | Optimizer::AdamW if momentum != 0.0 => {
                misfit("0 for adam and adamw, which have their own")
            }
            Optimizer::Adam | Optimizer::AdamW => Ok(UpdateRule::Adam {
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-8,
                weight_decay,
                decoupled: self == Optimizer::AdamW,
            }),
        }
    }
}

impl FromStr for Optimizer {
    type Err = NnError;

    fn from_str(text: &str) -> Result<Self, NnError> {
        let unknown = NnError::Unknown {
            what: "optimizer",
            found: text.into(),
            expected: "sgd, nesterov, adam, adamw or rmsprop",
        };
        ALL.iter()
            .find(|(name, _)| *name == text)
            .map(|(_, optimizer)| *optimizer)
            .ok_or(unknown)
    }
}

impl fmt::Display for Optimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ALL.iter().find(|(_, o)| o == self).map_or("", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_alike() {
        for (name, optimizer) in ALL {
            assert_eq!(name.parse(), Ok(optimizer));
            assert_eq!(optimizer.to_string(), name);
        }
        let error = "rms".parse::<Optimizer>().unwrap_err().to_string();
        assert!(error.contains("rms") && error.contains("rmsprop"), "{error}");
    }

    #[test]
    fn nesterov_needs_a_momentum_and_adam_has_its_own() {
        let sgd = |momentum, nesterov| UpdateRule::Sgd {
            momentum,
            nesterov,
            weight_decay: 0.1,
        };
        assert_eq!(Optimizer::Sgd.rule(0.0, 0.1), Ok(sgd(0.0, false)));
        assert_eq!(Optimizer::Nesterov.rule(0.9, 0.1), Ok(sgd(0.9, true)));
        for refused in [
            Optimizer::Nesterov.rule(0.0, 0.1),
            Optimizer::Adam.rule(0.9, 0.1),
            Optimizer::AdamW.rule(0.9, 0.1),
        ] {
            assert!(
                matches!(refused, Err(NnError::Range { what: "momentum", .. })),
                "{refused:?}"
            );
        }
        for (optimizer, expected) in [(Optimizer::Adam, false), (Optimizer::AdamW, true)] {
            let rule = optimizer.rule(0.0, 0.1);
            assert!(
                matches!(rule, Ok(UpdateRule::Adam { decoupled, .. }) if decoupled == expected),
                "{rule:?}"
            );
        }
    }
}
