//! Mean distances between the members of classes, from which energy distance and the generalised discrimination value follow.
//!
//! ```text
//!   m_ab = 1/(n_a n_b) sum_{i in a, j in b} |x_i - x_j|        m_aa = 1/(n_a (n_a - 1)) sum_{i != j in a} |x_i - x_j|
//! ```
//! In the units of the rows. Only the C x C sums are held. Coincident points: 0. A class of one member has no m_aa: NaN; nor has a class
//! that is not there.

use super::error::GeometryError;
use crate::backend::pairwise::ClassSums;

/// Sums of distances per class pair, and how many pairs are in each.
///
/// ```
/// use disentangle::backend::Reference;
/// use disentangle::backend::pairwise::{Form, PairFunction, Pairwise, Points};
/// use disentangle::geometry::class_distance::ClassDistances;
///
/// // 0 and 3 on a line, and 10 in a class of its own.
/// let points = Points::new(&[0.0f64, 3.0, 10.0][..], 1)?.labels(&[0, 0, 1], 2)?;
/// let sums = Reference.class_sums(&points, None, PairFunction::Euclidean, Form::Direct)?;
/// let distances = ClassDistances::new(sums, &[2, 1]);
/// assert_eq!(distances.classes(), 2);
/// // (10 + 7) / 2
/// assert_eq!(distances.between(0, 1), 8.5);
/// // Of 0 with 3 and of 3 with 0; with the two distances 0 of a point to itself it is half as much.
/// assert_eq!(distances.within(0)?, 3.0);
/// assert_eq!(distances.within_with_itself(0), 1.5);
/// let alone = distances.within(1).map_err(|error| error.to_string());
/// assert_eq!(alone, Err("class number 1 has 1 member, expected at least 2".into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ClassDistances {
    sums: Vec<f64>,
    sizes: Vec<usize>,
}

impl ClassDistances {
    /// From the sums of one replica, a pair with itself left out, and the members of each class.
    pub fn new(sums: ClassSums, sizes: &[usize]) -> ClassDistances {
        ClassDistances {
            sums: sums.sums,
            sizes: sizes.to_vec(),
        }
    }

    /// Classes.
    pub fn classes(&self) -> usize {
        self.sizes.len()
    }

    fn sum(&self, a: usize, b: usize) -> f64 {
        let known = a < self.classes() && b < self.classes();
        let sum = if known {
            self.sums.get(a * self.classes() + b)
        } else {
            None
        };
        sum.copied().unwrap_or(f64::NAN)
    }

    /// m_ab of two classes.
    pub fn between(&self, a: usize, b: usize) -> f64 {
        self.sum(a, b) / (self.size(a) as f64 * self.size(b) as f64)
    }

    /// Members; none of a class that is not there.
    fn size(&self, a: usize) -> usize {
        self.sizes.get(a).copied().unwrap_or(0)
    }

    /// m_aa.
    ///
    /// # Errors
    /// [`GeometryError::ClassSize`] for a class of one member.
    pub fn within(&self, a: usize) -> Result<f64, GeometryError> {
        let size = self.size(a);
        if size < 2 {
            return Err(GeometryError::ClassSize {
                class: a,
                members: size,
                expected: 2,
            });
        }
        Ok(self.sum(a, a) / (size as f64 * (size as f64 - 1.0)))
    }

    /// The mean over all ordered pairs of a class, those of a point with itself (0) included: V-statistics take it.
    pub fn within_with_itself(&self, a: usize) -> f64 {
        self.sum(a, a) / (self.size(a) as f64 * self.size(a) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Reference;
    use crate::data::synthetic::gaussian_classes;
    use crate::geometry::class_summary::squared_distance;
    use crate::geometry::{Cloud, Settings, Survey};

    #[test]
    fn plain_loops_say_the_same() {
        let (rows, mut labels) = gaussian_classes(3, 3, 9, 4, 2.0);
        labels[20] = 0;
        let cloud = Cloud::new(rows, 4, labels, 3).unwrap();
        let survey = Survey::new(&cloud, &Reference, Settings::default());
        let found = survey.distances().unwrap();
        for a in 0..3 {
            for b in 0..3 {
                let mut distances = Vec::new();
                for (i, x) in cloud.points().enumerate() {
                    for (j, y) in cloud.points().enumerate() {
                        if i != j && (cloud.labels()[i], cloud.labels()[j]) == (a as u32, b as u32) {
                            distances.push(squared_distance(x, y).sqrt());
                        }
                    }
                }
                let expected = distances.iter().sum::<f64>() / distances.len() as f64;
                let mean = if a == b {
                    found.within(a).unwrap()
                } else {
                    found.between(a, b)
                };
                // At most 100 terms of one sign, of rows that were centred: a rounding of their size each.
                assert!((mean - expected).abs() < 200.0 * f64::EPSILON * expected, "{a} {b}");
            }
        }
    }

    #[test]
    fn edge_cases_have_stated_values() {
        let cloud = Cloud::new(vec![1.0, 4.0, 4.0], 1, vec![0, 1, 1], 2).unwrap();
        let survey = Survey::new(&cloud, &Reference, Settings::default());
        let found = survey.distances().unwrap();
        assert_eq!((found.between(0, 1), found.within(1)), (3.0, Ok(0.0)));
        assert!(matches!(found.within(0), Err(GeometryError::ClassSize { .. })));
        assert_eq!(found.within_with_itself(0), 0.0);
    }
}
