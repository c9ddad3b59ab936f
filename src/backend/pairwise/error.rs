//! What can be wrong with points, labels and parameters of a pairwise reduction, one line each.

use std::fmt;

/// Why a pairwise reduction is refused.
///
/// ```
/// use disentangle::backend::pairwise::{PairwiseError, Points};
///
/// // Labels count from 0, so two classes have no label 2; and five numbers are no rows of two.
/// let points = Points::new(&[0.0, 1.0, 2.0][..], 1)?;
/// let error = points.labels(&[1, 2, 2], 2).err().ok_or("they were taken")?;
/// assert_eq!(error, PairwiseError::Label { position: 1, found: 2, classes: 2 });
/// assert_eq!(error.to_string(), "labels: 2 at position 1, expected below 2");
/// let error = Points::new(&[0.0; 5][..], 2).err().ok_or("they were taken")?;
/// assert_eq!(error.to_string(), "points: 5 values, expected 6");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum PairwiseError {
    /// No rows, columns, classes or replicas.
    Empty {
        /// What has none.
        what: &'static str,
    },
    /// A slice of the wrong length.
    Length {
        /// What it holds.
        what: &'static str,
        /// Its elements.
        found: usize,
        /// Elements expected.
        expected: usize,
    },
    /// More rows or elements than can be numbered.
    TooLarge {
        /// Replicas, rows, columns.
        shape: (usize, usize, usize),
    },
    /// More classes than there can be pairs of.
    Classes {
        /// How many.
        found: usize,
    },
    /// A label that is not below the number of classes.
    Label {
        /// Where it stands.
        position: usize,
        /// The label.
        found: u32,
        /// The number of classes.
        classes: usize,
    },
    /// A coordinate that is NaN or infinite.
    NotFinite {
        /// Replica, row, column.
        at: (usize, usize, usize),
        /// The coordinate.
        value: f64,
    },
    /// A coordinate so large that squared distances overflow the precision in use.
    Magnitude {
        /// Replica, row, column.
        at: (usize, usize, usize),
        /// The coordinate.
        value: f64,
        /// Absolute values must be below.
        limit: f64,
    },
    /// A temperature, radius or bin width that is not a positive finite number.
    Parameter {
        /// Which.
        what: &'static str,
        /// Its value.
        found: f64,
    },
    /// Not 1 to [`super::MOST_NEIGHBORS`] neighbours, or more than there are other points.
    Neighbors {
        /// Asked for.
        k: usize,
        /// At most.
        most: usize,
    },
    /// Two sets of points of different widths or numbers of replicas.
    Mismatch {
        /// Replicas and columns of the first.
        first: (usize, usize),
        /// Replicas and columns of the second.
        second: (usize, usize),
    },
    /// A gradient of a function that has none.
    NoDerivative {
        /// Its name.
        function: &'static str,
    },
    /// A form in which a function cannot be computed.
    Form {
        /// The form's name.
        form: &'static str,
        /// The function's name.
        function: &'static str,
    },
    /// A loss that needs two points of one class, and no class has two.
    NoPairs,
    /// A row source could not deliver a row.
    Source {
        /// Replica and row.
        at: (usize, usize),
        /// In one line.
        reason: String,
    },
    /// Memory that the system does not give.
    OutOfMemory {
        /// What it is for.
        what: &'static str,
        /// How much.
        bytes: usize,
    },
    /// A device that did not do what it was to do.
    Device {
        /// In one line.
        reason: String,
    },
}

impl fmt::Display for PairwiseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PairwiseError::Empty { what } => write!(f, "points: no {what}, expected at least one"),
            PairwiseError::Length { what, found, expected } => {
                write!(f, "{what}: {found} values, expected {expected}")
            }
            PairwiseError::Classes { found } => {
                write!(f, "{found} classes, expected at most {}", super::points::MOST_CLASSES)
            }
            PairwiseError::TooLarge {
                shape: (replicas, rows, dim),
            } => write!(
                f,
                "points: {replicas} x {rows} x {dim} numbers are more than memory can hold"
            ),
            PairwiseError::Label {
                position,
                found,
                classes,
            } => write!(f, "labels: {found} at position {position}, expected below {classes}"),
            PairwiseError::NotFinite {
                at: (replica, row, column),
                value,
            } => write!(
                f,
                "points: {value} in replica {replica}, row {row}, column {column}: expected finite numbers"
            ),
            PairwiseError::Magnitude {
                at: (replica, row, column),
                value,
                limit,
            } => write!(
                f,
                "points: {value:e} in replica {replica}, row {row}, column {column}: squared distances would overflow, \
                 expected absolute values below {limit:e}"
            ),
            PairwiseError::Parameter { what, found } => {
                write!(f, "{what} {found}: expected a finite number above 0")
            }
            PairwiseError::Neighbors { k, most } => {
                write!(f, "{k} nearest neighbours: expected 1 to {most} for these points")
            }
            PairwiseError::Mismatch { first, second } => write!(
                f,
                "two sets of points with {} and {} replicas and {} and {} columns: expected the same of both",
                first.0, second.0, first.1, second.1
            ),
            PairwiseError::NoDerivative { function } => {
                write!(f, "{function}: piecewise constant, there is no gradient to compute")
            }
            PairwiseError::Form { form, function } => {
                write!(f, "{function} has no {form} form: use the direct one")
            }
            PairwiseError::NoPairs => {
                write!(f, "labels: no class has two points, expected at least one that has")
            }
            PairwiseError::Source {
                at: (replica, row),
                reason,
            } => {
                write!(f, "points: replica {replica}, row {row}: {reason}")
            }
            PairwiseError::OutOfMemory { what, bytes } => {
                write!(f, "'{what}': {bytes} bytes of memory are not to be had")
            }
            PairwiseError::Device { reason } => f.write_str(reason),
        }
    }
}

impl std::error::Error for PairwiseError {}
