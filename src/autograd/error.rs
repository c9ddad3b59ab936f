//! What can be wrong with a recorded graph, found when it is recorded or planned.

use std::fmt;

use crate::backend::BackendError;

/// An error of recording, planning or replaying, one line each.
///
/// ```
/// use disentangle::autograd::{AutogradError, Entry, Graph, Plan, Training};
///
/// // A number for each row is no objective, and one name is one parameter.
/// let mut graph = Graph::new(1)?;
/// let rows = graph.rows(2)?;
/// let x = graph.input("x", rows, 1, false)?;
/// let w = graph.parameter("w", 1, 1)?;
/// let y = graph.dense(x, w, None)?;
/// let training = Some(Training { objective: y, rule: None });
/// let error = Plan::new(&graph, &[Entry { outputs: vec![], training }]).err().ok_or("it was planned")?;
/// assert!(matches!(error, AutogradError::NotScalar { .. }));
/// let text = "objective: [R, rows of space 0, 1], expected one number per replica (reduce over rows first)";
/// assert_eq!(error.to_string(), text);
/// assert_eq!(graph.parameter("w", 1, 1), Err(AutogradError::DuplicateName { name: "w".into() }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AutogradError {
    /// A row space, input or parameter without rows, columns or replicas.
    Empty {
        /// What has no elements.
        what: String,
    },
    /// Operands that do not fit each other.
    Shape {
        /// The op.
        op: &'static str,
        /// What was found and what was expected.
        detail: String,
    },
    /// A number that the op does not take: a constant that is not finite.
    Constant {
        /// The op.
        op: &'static str,
        /// What was found and what was expected.
        detail: String,
    },
    /// An op without derivative on something that needs one.
    NoDerivative {
        /// The op.
        op: &'static str,
        /// The operand that depends on a parameter.
        operand: &'static str,
    },
    /// Two parameters or inputs of one name.
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A trainable parameter that the objective does not depend on.
    NoGradient {
        /// The parameter's name.
        parameter: String,
    },
    /// An objective that is not one number per replica.
    NotScalar {
        /// Its shape in words.
        found: String,
    },
    /// A value that is not what the call needs: not a parameter, not an output, from another graph.
    UnknownValue {
        /// What was expected.
        expected: &'static str,
    },
    /// From the backend.
    Backend(BackendError),
}

impl fmt::Display for AutogradError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AutogradError::Empty { what } => write!(f, "{what}: size 0, expected at least 1"),
            AutogradError::Shape { op, detail } | AutogradError::Constant { op, detail } => write!(f, "{op}: {detail}"),
            AutogradError::NoDerivative { op, operand } => {
                write!(
                    f,
                    "{op}: its {operand} depends on a parameter, but {op} has no derivative by it"
                )
            }
            AutogradError::DuplicateName { name } => write!(f, "'{name}': recorded twice, expected one of each name"),
            AutogradError::NoGradient { parameter } => write!(
                f,
                "parameter '{parameter}' receives no gradient: expected the objective to depend on every trainable parameter"
            ),
            AutogradError::NotScalar { found } => {
                write!(
                    f,
                    "objective: {found}, expected one number per replica (reduce over rows first)"
                )
            }
            AutogradError::UnknownValue { expected } => write!(f, "value: expected {expected}"),
            AutogradError::Backend(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AutogradError {}

impl From<BackendError> for AutogradError {
    fn from(error: BackendError) -> Self {
        AutogradError::Backend(error)
    }
}
