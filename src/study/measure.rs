//! Metrics of representations that others made: labels to classes, arrays to rows, and every metric's values or why it has none.
//!
//! An array whose first size is the number of labels is one representation `[N, ...]`, its other sizes taken together. One `[R, N, D]` whose
//! second size it is, is R replicas, as a run saves its hidden layers; R = N is read as the first.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

use std::collections::BTreeSet;

use super::error::StudyError;
use crate::data::Array;
use crate::geometry::{Classifier, Cloud, GeometryError, Metric, Rows, Survey, normalize_rows};

/// Most classes.
pub const MOST_CLASSES: usize = 1024;

/// Labels as classes: their different values, in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelClasses {
    /// The values, as text: the keys of results.
    pub names: Vec<String>,
    /// Class of each row.
    pub indices: Vec<u32>,
}

impl LabelClasses {
    /// Of labels of any values.
    ///
    /// # Errors
    /// [`StudyError::Option`] for none, or more than [`MOST_CLASSES`] different ones.
    pub fn new(labels: &[i64]) -> Result<LabelClasses, StudyError> {
        let values: Vec<i64> = labels.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        if !(1..=MOST_CLASSES).contains(&values.len()) {
            return Err(StudyError::Option {
                detail: format!("{} different labels, expected 1 to {MOST_CLASSES}", values.len()),
            });
        }
        let index = |label: &i64| values.binary_search(label).unwrap_or_default() as u32;
        Ok(LabelClasses {
            indices: labels.iter().map(index).collect(),
            names: values.iter().map(ToString::to_string).collect(),
        })
    }
}

/// Rows `[n, cols]` of one representation.
#[derive(Clone, Debug, PartialEq)]
pub struct Representation {
    /// Row-major.
    pub rows: Vec<f64>,
    /// Their width.
    pub cols: usize,
    /// Which replica it is, if the array had such an axis.
    pub replica: Option<usize>,
}

impl Representation {
    /// What an array holds for `samples` labels.
    ///
    /// # Errors
    /// [`StudyError::Option`] for an array of other sizes.
    pub fn of(array: Array, samples: usize) -> Result<Vec<Representation>, StudyError> {
        let Array { shape, values } = array;
        let misfit = || StudyError::Option {
            detail: format!(
                "an array of shape {shape:?}, expected {samples} rows (one per label) or replicas of as many"
            ),
        };
        match shape[..] {
            [rows, ref rest @ ..] if rows == samples && !rest.is_empty() => {
                let cols = rest.iter().product();
                if cols == 0 {
                    return Err(misfit());
                }
                Ok(vec![Representation {
                    rows: values,
                    cols,
                    replica: None,
                }])
            }
            [replicas, rows, cols] if rows == samples && replicas > 0 && cols > 0 => {
                let of = |(replica, rows): (usize, &[f64])| Representation {
                    rows: rows.to_vec(),
                    cols,
                    replica: Some(replica),
                };
                Ok(values.chunks_exact(rows * cols).enumerate().map(of).collect())
            }
            _ => Err(misfit()),
        }
    }

    /// Puts every row on the unit sphere; rows of zeros stay. Returns how many these are.
    pub fn normalize(&mut self) -> usize {
        normalize_rows(&mut self.rows, self.cols)
    }
}

/// A metric's values in the order of its keys, or in one line why there are none.
pub type Reading = Result<Vec<f64>, String>;

/// One representation, measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// What it is called.
    pub name: String,
    /// Its replica, if it has an axis of them.
    pub replica: Option<usize>,
    /// One per metric asked for.
    pub readings: Vec<Reading>,
    /// What is known of each row, by name, if it was asked for: NaN where a row has none.
    pub samples: Vec<(&'static str, Vec<f64>)>,
}

/// What is measured, beside the rows.
#[derive(Clone, Copy)]
pub struct Measurer<'a> {
    /// Which metrics.
    pub metrics: &'a [&'static Metric],
    /// The classes.
    pub classes: &'a LabelClasses,
    /// Who sums over pairs.
    pub pairs: &'a dyn crate::backend::Pairwise,
    /// What metrics are told.
    pub settings: crate::geometry::Settings,
}

impl Measurer<'_> {
    /// Takes every metric of a representation. What cannot be computed is a reading that says why; rows that are not finite make all of
    /// them so.
    pub fn measure(
        &self,
        name: String,
        representation: Representation,
        classifier: Option<&Classifier>,
        second: Option<&Representation>,
    ) -> Measured {
        let Representation { rows, cols, replica } = representation;
        let labels = self.classes.indices.clone();
        let cloud = match Cloud::new(rows, cols, labels, self.classes.names.len()) {
            Ok(cloud) => cloud,
            Err(error) => {
                let reason = self.told(&error);
                return Measured {
                    name,
                    replica,
                    readings: self.metrics.iter().map(|_| Err(reason.clone())).collect(),
                    samples: Vec::new(),
                };
            }
        };
        let second = second.map(|second| Rows {
            values: &second.rows,
            cols: second.cols,
        });
        let survey = Survey::new(&cloud, self.pairs, self.settings)
            .with_classifier(classifier)
            .with_second(second);
        let reading = |metric: &&'static Metric| metric.of(&survey).map_err(|error| self.told(&error));
        let readings = self.metrics.iter().map(reading).collect();
        let asked = |name: &str| self.metrics.iter().any(|metric| metric.name == name);
        let mut samples = Vec::new();
        if asked("silhouette")
            && let Ok(all) = survey.silhouettes()
        {
            samples.push(("silhouette", all.to_vec()));
        }
        if (asked("nearest-neighbor-error") || asked("nearest-neighbor-margin"))
            && let (Ok(nearest), Ok(margins)) = (survey.nearest(), survey.margins())
        {
            let first = nearest.indices.iter().step_by(nearest.k).map(|&row| f64::from(row));
            samples.push(("nearest", first.collect()));
            samples.push(("own_distance", margins.own.clone()));
            samples.push(("other_distance", margins.other.clone()));
            samples.push(("margin", margins.of_rows().collect()));
        }
        Measured {
            name,
            replica,
            readings,
            samples,
        }
    }

    /// An error's line, with the label of the class it is about.
    fn told(&self, error: &GeometryError) -> String {
        match error {
            GeometryError::ClassSize {
                class,
                members,
                expected,
            } if let Some(name) = self.classes.names.get(*class) => {
                let plural = if *members == 1 { "" } else { "s" };
                format!("class {name} has {members} member{plural}, expected at least {expected}")
            }
            other => other.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Reference;
    use crate::geometry::{Settings, metric};

    #[test]
    fn labels_of_any_values_are_classes_in_order() {
        let classes = LabelClasses::new(&[7, -1, 7, 300]).unwrap();
        assert_eq!(classes.names, ["-1", "7", "300"]);
        assert_eq!(classes.indices, [1, 0, 1, 2]);
        assert!(LabelClasses::new(&[]).is_err());
        let many: Vec<i64> = (0..1025).collect();
        let line = LabelClasses::new(&many).unwrap_err().to_string();
        assert!(line.contains("1025 different labels, expected 1 to 1024"), "{line}");
    }

    #[test]
    fn arrays_are_rows_replicas_or_a_misfit() {
        let of = |shape: &[usize], samples| {
            let values = (0..shape.iter().product()).map(|i: usize| i as f64).collect();
            Representation::of(
                Array {
                    shape: shape.to_vec(),
                    values,
                },
                samples,
            )
        };
        assert_eq!(of(&[4, 3], 4).unwrap()[0].cols, 3);
        assert_eq!(of(&[4, 3, 2, 2], 4).unwrap()[0].cols, 12);
        let replicas = of(&[2, 4, 3], 4).unwrap();
        assert_eq!(
            (replicas.len(), replicas[1].replica, replicas[1].rows[0]),
            (2, Some(1), 12.0)
        );
        assert_eq!(of(&[4, 4, 3], 4).unwrap()[0].cols, 12);
        for shape in [&[3, 3][..], &[4], &[], &[4, 0], &[0, 4, 3], &[2, 3, 4]] {
            let line = of(shape, 4).unwrap_err().to_string();
            assert!(line.contains("expected 4 rows (one per label)"), "{line}");
        }
    }

    #[test]
    fn what_cannot_be_computed_says_why() {
        let classes = LabelClasses::new(&[5, 5, 9]).unwrap();
        let metrics = metric::listed("fisher-ratio,mmd,nc3").unwrap();
        let measurer = Measurer {
            metrics: &metrics,
            classes: &classes,
            pairs: &Reference,
            settings: Settings::default(),
        };
        let rows = |rows: &[f64]| Representation {
            rows: rows.to_vec(),
            cols: 1,
            replica: None,
        };
        let found = measurer
            .measure("a".into(), rows(&[0.0, 2.0, 4.0]), None, None)
            .readings;
        // Means 1 and 4, total mean 2: S_B = 2 + 4, S_W = 2.
        let alone = || Err("class 9 has 1 member, expected at least 2".into());
        assert_eq!(found, [alone(), Ok(vec![3.0]), Err("needs --weights".into())]);
        let broken = measurer
            .measure("a".into(), rows(&[0.0, f64::NAN, 4.0]), None, None)
            .readings;
        assert!(
            broken
                .iter()
                .all(|r| r.as_ref().is_err_and(|line| line.contains("row 1, column 0 is NaN")))
        );
    }
}
