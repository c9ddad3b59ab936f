//! Losses by name: which ops they are and how many outputs they want. The formulas stand in `autograd/ops`.
//!
//! | name | outputs for 2 classes | for more | what is averaged over the samples |
//! |---|---|---|---|
//! | `cross-entropy` | 2 | C | softmax cross-entropy |
//! | `logistic` | 1 | C | log(1 + e^-m) of the margin m |
//! | `hinge`, `hinge:h` | 1 | C | max(h - m, 0), threshold h = 1 unless given |
//! | `squared-hinge`, `squared-hinge:h` | 1 | C | max(h - m, 0)^2 |
//! | `mse` | 1 | C | squared error against -1 and +1, or against the label's unit vector, averaged over outputs |

use std::fmt;
use std::str::FromStr;

use super::error::{NnError, check};
use crate::autograd::{AutogradError, Graph, Value};
use crate::backend::RowSpace;

/// What is minimised.
///
/// ```
/// use disentangle::autograd::{Entry, Graph, Plan};
/// use disentangle::backend::{EntryId, Reference};
/// use disentangle::nn::Loss;
///
/// let hinge: Loss = "hinge:1".parse()?;
/// // Two classes need one output, more need one each; the softmax has one of each class always.
/// assert_eq!((hinge.outputs(2), hinge.outputs(3), Loss::CrossEntropy.outputs(2)), (1, 3, 2));
/// // Outputs 0.25 and 2 of two samples of class 1: the first lacks 0.75 of the margin.
/// let mut graph = Graph::new(1)?;
/// let rows = graph.rows(2)?;
/// let outputs = graph.input("outputs", rows, 1, false)?;
/// let labels = graph.index("labels", rows, 2, false)?;
/// let truth = hinge.truth(&mut graph, "targets", rows, labels, 2)?;
/// let loss = hinge.of_rows(&mut graph, outputs, truth)?;
/// let mut session = Plan::new(&graph, &[Entry { outputs: vec![loss], training: None }])?.start(&Reference)?;
/// session.write(outputs, &[0.25, 2.0])?;
/// session.write_index(labels, &[1, 1])?;
/// session.evaluate(EntryId(0))?;
/// assert_eq!(session.read(loss)?, [0.75, 0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Loss {
    /// Softmax cross-entropy.
    #[default]
    CrossEntropy,
    /// Logistic loss of the margin.
    Logistic,
    /// Hinge loss of the margin.
    Hinge {
        /// The margin from which on a sample costs nothing.
        threshold: f64,
    },
    /// Square of the hinge loss.
    SquaredHinge {
        /// The margin from which on a sample costs nothing.
        threshold: f64,
    },
    /// Mean squared error.
    SquaredError,
}

/// What the host writes so that a loss knows the labels.
///
/// ```
/// use disentangle::autograd::Graph;
/// use disentangle::nn::Loss;
/// use disentangle::nn::loss::Truth;
///
/// let mut graph = Graph::new(1)?;
/// let rows = graph.rows(4)?;
/// let labels = graph.index("labels", rows, 3, false)?;
/// // Three classes: the softmax reads their labels, the squared error a row of three targets.
/// let truth = Loss::CrossEntropy.truth(&mut graph, "targets", rows, labels, 3)?;
/// assert_eq!(truth, Truth::Labels(labels));
/// let truth = Loss::SquaredError.truth(&mut graph, "targets", rows, labels, 3)?;
/// assert!(matches!(truth, Truth::Targets(targets) if graph.shape(targets).is_ok_and(|shape| shape.cols == 3)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// Class labels.
    Labels(Value),
    /// Target outputs.
    Targets(Value),
}

impl Loss {
    /// Outputs of a network that tells `classes` classes apart.
    pub fn outputs(self, classes: usize) -> usize {
        if classes == 2 && self != Loss::CrossEntropy {
            1
        } else {
            classes
        }
    }

    /// Target outputs `[rows, outputs]` of labels, for the squared error.
    ///
    /// ```
    /// use disentangle::nn::Loss;
    ///
    /// // Of two classes one number, of three a unit vector.
    /// assert_eq!(Loss::SquaredError.targets(&[0, 1], 2), [-1.0, 1.0]);
    /// assert_eq!(Loss::SquaredError.targets(&[2, 0], 3), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    /// ```
    pub fn targets(self, labels: &[u32], classes: usize) -> Vec<f64> {
        match self.outputs(classes) {
            1 => labels
                .iter()
                .map(|&label| if label == 1 { 1.0 } else { -1.0 })
                .collect(),
            n => labels
                .iter()
                .flat_map(|&l| (0..n).map(move |j| f64::from(u8::from(j == l as usize))))
                .collect(),
        }
    }

    /// Records what the host must write beside the labels: the targets of a squared error, as input `name`, of each
    /// replica if the labels are.
    ///
    /// # Errors
    /// Those of recording.
    pub fn truth(
        self,
        graph: &mut Graph,
        name: &str,
        space: RowSpace,
        labels: Value,
        classes: usize,
    ) -> Result<Truth, AutogradError> {
        match self {
            Loss::SquaredError => Ok(Truth::Targets(graph.input(
                name,
                space,
                self.outputs(classes),
                graph.shape(labels)?.replicated,
            )?)),
            _ => Ok(Truth::Labels(labels)),
        }
    }

    /// Records the loss of each row of `outputs`: `[rows, 1]`.
    ///
    /// # Errors
    /// Those of recording.
    pub fn of_rows(self, graph: &mut Graph, outputs: Value, truth: Truth) -> Result<Value, AutogradError> {
        let truth = match truth {
            Truth::Targets(targets) => return graph.squared_error(outputs, targets),
            Truth::Labels(labels) => labels,
        };
        if matches!(self, Loss::CrossEntropy | Loss::SquaredError) {
            return graph.softmax_cross_entropy(outputs, truth);
        }
        let margin = graph.margin(outputs, truth)?;
        match self {
            Loss::Hinge { threshold } => graph.hinge(margin, threshold),
            Loss::SquaredHinge { threshold } => graph.squared_hinge(margin, threshold),
            _ => graph.logistic(margin),
        }
    }
}

impl FromStr for Loss {
    type Err = NnError;

    fn from_str(text: &str) -> Result<Self, NnError> {
        let unknown = || NnError::Unknown {
            what: "loss",
            found: text.into(),
            expected: "cross-entropy, logistic, hinge[:THRESHOLD], squared-hinge[:THRESHOLD] or mse",
        };
        let (name, threshold) = match text.split_once(':') {
            None => (text, None),
            Some((name, number)) => (name, Some(number.parse::<f64>().map_err(|_| unknown())?)),
        };
        let of_hinge = check("hinge threshold", threshold.unwrap_or(1.0), "a positive number", |h| {
            h > 0.0
        });
        match (name, threshold) {
            ("cross-entropy", None) => Ok(Loss::CrossEntropy),
            ("logistic", None) => Ok(Loss::Logistic),
            ("mse", None) => Ok(Loss::SquaredError),
            ("hinge", _) => Ok(Loss::Hinge { threshold: of_hinge? }),
            ("squared-hinge", _) => Ok(Loss::SquaredHinge { threshold: of_hinge? }),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Loss::CrossEntropy => write!(f, "cross-entropy"),
            Loss::Logistic => write!(f, "logistic"),
            Loss::Hinge { threshold } => write!(f, "hinge:{threshold}"),
            Loss::SquaredHinge { threshold } => write!(f, "squared-hinge:{threshold}"),
            Loss::SquaredError => write!(f, "mse"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_alike() {
        let all = [
            ("cross-entropy", Loss::CrossEntropy),
            ("logistic", Loss::Logistic),
            ("hinge:0.5", Loss::Hinge { threshold: 0.5 }),
            ("squared-hinge:2", Loss::SquaredHinge { threshold: 2.0 }),
            ("mse", Loss::SquaredError),
        ];
        for (name, loss) in all {
            assert_eq!(name.parse(), Ok(loss));
            assert_eq!(loss.to_string(), name);
        }
        assert_eq!("hinge".parse(), Ok(Loss::Hinge { threshold: 1.0 }));
        for refused in ["hinge:0", "hinge:-1", "hinge:nan", "hinge:x", "mse:1", "Hinge", ""] {
            assert!(refused.parse::<Loss>().is_err(), "{refused}");
        }
    }
}
