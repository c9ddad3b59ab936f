//! What can be wrong with a network's description.

use std::fmt;

use crate::autograd::AutogradError;

/// An error of this room, one line each.
///
/// ```
/// use disentangle::nn::{Activation, Loss, NnError};
///
/// // A name that stands for nothing, with those that stand for something.
/// let unknown = "swish".parse::<Activation>().map_err(|error| error.to_string());
/// assert_eq!(unknown, Err("activation 'swish': expected tanh, relu, gelu, sigmoid or identity".into()));
/// // A name that does, with a number that it does not take.
/// let wrong = "hinge:-1".parse::<Loss>();
/// assert!(matches!(wrong, Err(NnError::Range { what: "hinge threshold", .. })));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NnError {
    /// A name that stands for nothing.
    Unknown {
        /// What kind of thing was named: `activation`, `loss`, ...
        what: &'static str,
        /// The name.
        found: String,
        /// The names there are.
        expected: &'static str,
    },
    /// A number outside its range.
    Range {
        /// What it is.
        what: &'static str,
        /// What it was.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// Initial parameters that do not fit the network.
    Parameters {
        /// What was found and what was expected.
        detail: String,
    },
    /// From recording.
    Autograd(AutogradError),
}

impl fmt::Display for NnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NnError::Unknown { what, found, expected } => write!(f, "{what} '{found}': expected {expected}"),
            NnError::Range { what, found, expected } => write!(f, "{what} {found}: expected {expected}"),
            NnError::Parameters { detail } => write!(f, "initial parameters: {detail}"),
            NnError::Autograd(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NnError {}

impl From<AutogradError> for NnError {
    fn from(error: AutogradError) -> Self {
        NnError::Autograd(error)
    }
}

/// `value` if it satisfies `fits`, else a range error.
pub(crate) fn check(
    what: &'static str,
    value: f64,
    expected: &'static str,
    fits: impl Fn(f64) -> bool,
) -> Result<f64, NnError> {
    if value.is_finite() && fits(value) {
        Ok(value)
    } else {
        Err(NnError::Range {
            what,
            found: value.to_string(),
            expected,
        })
    }
}
