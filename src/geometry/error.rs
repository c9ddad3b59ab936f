//! What can be wrong with rows, classes or the inputs of a metric.

use std::fmt;

/// An error of this room, one line each.
///
/// ```
/// use disentangle::geometry::{Cloud, GeometryError};
///
/// // Labels that count from 1 leave class 0 empty, and the last of them is one too many.
/// let cloud = Cloud::new(vec![0.5, 1.5], 1, vec![1, 2], 2);
/// assert!(matches!(cloud, Err(GeometryError::Label { row: 1, label: 2, classes: 2 })));
/// let line = cloud.map_err(|error| error.to_string());
/// assert_eq!(line, Err("labels: row 1 has class 2, expected below 2".into()));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum GeometryError {
    /// Arrays whose sizes do not fit each other, or that are empty.
    Shape {
        /// What was found and what was expected.
        detail: String,
    },
    /// A number that is not finite.
    NotFinite {
        /// Which array.
        what: &'static str,
        /// Its row, from 0.
        row: usize,
        /// Its column, from 0.
        column: usize,
        /// The number.
        value: f64,
    },
    /// A class index that is too large.
    Label {
        /// Its row, from 0.
        row: usize,
        /// The index.
        label: u32,
        /// The number of classes.
        classes: usize,
    },
    /// A class with too few members.
    ClassSize {
        /// The class, from 0.
        class: usize,
        /// Its members.
        members: usize,
        /// How many the metric takes at least.
        expected: usize,
    },
    /// Too few rows.
    Rows {
        /// Rows.
        found: usize,
        /// How many the metric takes at least.
        expected: usize,
    },
    /// Only one class.
    OneClass,
    /// Something that the metric takes and that was not given.
    Needs {
        /// What: the classifier's weights, a second representation.
        what: Need,
    },
    /// A value that the rows do not determine.
    Undefined {
        /// Why.
        detail: &'static str,
    },
    /// A matrix that would not fit into memory.
    TooLarge {
        /// Its order.
        order: usize,
        /// The largest that is taken.
        expected: usize,
    },
    /// An iteration that did not converge.
    Diverged {
        /// Which, and after how many steps.
        detail: String,
    },
    /// A number of neighbours, a temperature or a fraction outside its range.
    Setting {
        /// What was found and what was expected.
        detail: String,
    },
    /// A metric of another name.
    Unknown {
        /// The name.
        found: String,
    },
    /// From the backend that sums over pairs.
    Pairs {
        /// Its line.
        detail: String,
    },
}

/// What some metrics take beside labelled rows.
///
/// ```
/// use disentangle::geometry::{GeometryError, Need, metric::named};
///
/// assert_eq!(named("nc3")?.needs, Some(Need::Weights));
/// assert_eq!(named("linear-cka")?.needs, Some(Need::Second));
/// assert_eq!(named("fisher-ratio")?.needs, None);
/// // In messages it has the name of the command's option.
/// assert_eq!(GeometryError::Needs { what: Need::Weights }.to_string(), "needs --weights");
/// # Ok::<(), GeometryError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Weights of the classifier that reads the rows.
    Weights,
    /// Another representation of the same samples.
    Second,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Need::Weights => "--weights",
            Need::Second => "--second",
        })
    }
}

impl fmt::Display for GeometryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GeometryError::Shape { detail }
            | GeometryError::Setting { detail }
            | GeometryError::Diverged { detail }
            | GeometryError::Pairs { detail } => f.write_str(detail),
            GeometryError::NotFinite {
                what,
                row,
                column,
                value,
            } => write!(
                f,
                "{what}: row {row}, column {column} is {value}, expected finite numbers"
            ),
            GeometryError::Label { row, label, classes } => {
                write!(f, "labels: row {row} has class {label}, expected below {classes}")
            }
            GeometryError::ClassSize {
                class,
                members,
                expected,
            } => {
                let plural = if *members == 1 { "" } else { "s" };
                write!(
                    f,
                    "class number {class} has {members} member{plural}, expected at least {expected}"
                )
            }
            GeometryError::Rows { found, expected } => write!(f, "{found} rows, expected at least {expected}"),
            GeometryError::OneClass => f.write_str("one class, expected at least 2"),
            GeometryError::Needs { what } => write!(f, "needs {what}"),
            GeometryError::Undefined { detail } => f.write_str(detail),
            GeometryError::TooLarge { order, expected } => {
                write!(f, "a matrix of order {order}, expected at most {expected}")
            }
            GeometryError::Unknown { found } => {
                let names: Vec<&str> = super::metric::METRICS.iter().map(|metric| metric.name).collect();
                write!(f, "no metric '{found}', expected all or some of {}", names.join(", "))
            }
        }
    }
}

impl std::error::Error for GeometryError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_metric_needs_is_named_by_its_option() {
        for (what, line) in [(Need::Weights, "needs --weights"), (Need::Second, "needs --second")] {
            assert_eq!(GeometryError::Needs { what }.to_string(), line);
        }
    }
}
