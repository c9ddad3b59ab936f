//! Labelled rows that metrics are taken of: finite, of one width, every class with at least one member.
//!
//! ```
//! use disentangle::geometry::cloud::{center_rows, check_rows, mean_row};
//!
//! // Three points in the plane.
//! let mut rows = [0.0, 1.0, 3.0, 1.0, 6.0, 4.0];
//! assert_eq!(mean_row(&rows, 2), [3.0, 2.0]);
//! center_rows(&mut rows, 2);
//! assert_eq!(rows, [-3.0, -1.0, 0.0, -1.0, 3.0, 2.0]);
//! rows[3] = f64::NAN;
//! let wrong = check_rows("activations", &rows, 3, 2).map_err(|error| error.to_string());
//! assert_eq!(wrong, Err("activations: row 1, column 1 is NaN, expected finite numbers".into()));
//! ```

use super::error::GeometryError;

/// N points of D coordinates, each of one of C classes.
///
/// ```
/// use disentangle::geometry::{Cloud, GeometryError};
///
/// // Three points in the plane, the second of a class of its own.
/// let cloud = Cloud::new(vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 2, vec![0, 1, 0], 2)?;
/// assert_eq!((cloud.len(), cloud.cols(), cloud.classes()), (3, 2, 2));
/// assert_eq!((cloud.labels(), cloud.counts()), (&[0, 1, 0][..], &[2, 1][..]));
/// assert_eq!(cloud.points().nth(2), Some(&[4.0, 5.0][..]));
/// assert!(cloud.members(0).eq([[0.0, 1.0], [4.0, 5.0]]));
/// // The same points and classes on a line.
/// let sums = cloud.points().map(|row| row.iter().sum()).collect();
/// assert_eq!(cloud.with_rows(sums, 1)?.rows(), [1.0, 5.0, 9.0]);
/// // Enough classes for a distance between two, too few members for one within each.
/// cloud.several_classes()?;
/// let few = GeometryError::ClassSize { class: 1, members: 1, expected: 2 };
/// assert_eq!(cloud.members_at_least(2), Err(few));
/// # Ok::<(), GeometryError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Cloud {
    rows: Vec<f64>,
    cols: usize,
    labels: Vec<u32>,
    counts: Vec<usize>,
}

impl Cloud {
    /// Of `rows` `[labels.len(), cols]`, row-major, with class indices below `classes`.
    ///
    /// # Errors
    /// [`GeometryError::Shape`] for no rows, no columns or another number of values; [`GeometryError::NotFinite`],
    /// [`GeometryError::Label`]; [`GeometryError::ClassSize`] for a class without members.
    pub fn new(rows: Vec<f64>, cols: usize, labels: Vec<u32>, classes: usize) -> Result<Cloud, GeometryError> {
        check_rows("activations", &rows, labels.len(), cols)?;
        let mut counts = vec![0usize; classes];
        for (row, &label) in labels.iter().enumerate() {
            match counts.get_mut(label as usize) {
                Some(count) => *count += 1,
                None => return Err(GeometryError::Label { row, label, classes }),
            }
        }
        if let Some(class) = counts.iter().position(|&count| count == 0) {
            return Err(GeometryError::ClassSize {
                class,
                members: 0,
                expected: 1,
            });
        }
        Ok(Cloud {
            rows,
            cols,
            labels,
            counts,
        })
    }

    /// The points, `[len, cols]`.
    pub fn rows(&self) -> &[f64] {
        &self.rows
    }

    /// Coordinates of a point.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Points.
    #[allow(clippy::len_without_is_empty)] // never empty
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Class of each point.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Classes.
    pub fn classes(&self) -> usize {
        self.counts.len()
    }

    /// Members of each class.
    pub fn counts(&self) -> &[usize] {
        &self.counts
    }

    /// Point after point.
    pub fn points(&self) -> impl Iterator<Item = &[f64]> {
        self.rows.chunks_exact(self.cols)
    }

    /// The points of a class.
    pub fn members(&self, class: usize) -> impl Iterator<Item = &[f64]> {
        let own = move |&(_, &label): &(&[f64], &u32)| label as usize == class;
        self.points().zip(&self.labels).filter(own).map(|(row, _)| row)
    }

    /// The same points and classes with other coordinates, `[len, cols]`.
    ///
    /// # Errors
    /// Those of [`Cloud::new`].
    pub fn with_rows(&self, rows: Vec<f64>, cols: usize) -> Result<Cloud, GeometryError> {
        Cloud::new(rows, cols, self.labels.clone(), self.classes())
    }

    /// At least two classes.
    ///
    /// # Errors
    /// [`GeometryError::OneClass`]
    pub fn several_classes(&self) -> Result<(), GeometryError> {
        if self.classes() < 2 {
            return Err(GeometryError::OneClass);
        }
        Ok(())
    }

    /// At least so many members in each class.
    ///
    /// # Errors
    /// [`GeometryError::ClassSize`]
    pub fn members_at_least(&self, expected: usize) -> Result<(), GeometryError> {
        match self.counts.iter().enumerate().find(|&(_, &count)| count < expected) {
            Some((class, &members)) => Err(GeometryError::ClassSize {
                class,
                members,
                expected,
            }),
            None => Ok(()),
        }
    }
}

/// Checks that `values` are `[rows, cols]`, not empty and finite.
///
/// # Errors
/// [`GeometryError::Shape`], [`GeometryError::NotFinite`]
pub fn check_rows(what: &'static str, values: &[f64], rows: usize, cols: usize) -> Result<(), GeometryError> {
    if rows == 0 || cols == 0 || rows.checked_mul(cols) != Some(values.len()) {
        return Err(GeometryError::Shape {
            detail: format!(
                "{what}: {} numbers for {rows} rows of {cols} columns, expected as many as rows times columns, at least one",
                values.len()
            ),
        });
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(place) => Err(GeometryError::NotFinite {
            what,
            row: place / cols,
            column: place % cols,
            value: values[place],
        }),
        None => Ok(()),
    }
}

/// Divides each row of `rows` `[n, cols]` by its Euclidean norm; a row of zeros stays. Returns how many those are.
///
/// ```
/// use disentangle::geometry::normalize_rows;
///
/// // A right triangle of sides 3, 4 and 5; zeros have no direction.
/// let mut rows = [3.0, 4.0, 0.0, 0.0];
/// assert_eq!(normalize_rows(&mut rows, 2), 1);
/// assert!((rows[0] - 0.6).abs() < 1e-15 && (rows[1] - 0.8).abs() < 1e-15);
/// assert_eq!(rows[2..], [0.0, 0.0]);
/// ```
pub fn normalize_rows(rows: &mut [f64], cols: usize) -> usize {
    let mut zeros = 0;
    for row in rows.chunks_exact_mut(cols.max(1)) {
        // Scaled first, so that no square overflows or vanishes.
        let largest = row.iter().fold(0.0f64, |most, v| most.max(v.abs()));
        if largest == 0.0 {
            zeros += 1;
            continue;
        }
        let norm = largest * row.iter().map(|v| (v / largest) * (v / largest)).sum::<f64>().sqrt();
        row.iter_mut().for_each(|v| *v /= norm);
    }
    zeros
}

/// Subtracts the mean of the rows of `rows` `[n, cols]`, n > 0, from each. Two passes: what is left of the mean after the
/// first is a rounding of the coordinates' size, and the second takes it away.
pub fn center_rows(rows: &mut [f64], cols: usize) {
    for _ in 0..2 {
        let mean = mean_row(rows, cols);
        for row in rows.chunks_exact_mut(cols.max(1)) {
            row.iter_mut().zip(&mean).for_each(|(v, m)| *v -= m);
        }
    }
}

/// The mean of the rows of `rows` `[n, cols]`.
pub fn mean_row(rows: &[f64], cols: usize) -> Vec<f64> {
    let mut sum = vec![0.0; cols];
    for row in rows.chunks_exact(cols.max(1)) {
        sum.iter_mut().zip(row).for_each(|(s, v)| *s += v);
    }
    let n = (rows.len() / cols.max(1)) as f64;
    sum.iter_mut().for_each(|s| *s /= n);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_has_its_own_error() {
        let cloud = |rows: &[f64], cols, labels: &[u32]| Cloud::new(rows.to_vec(), cols, labels.to_vec(), 2);
        assert!(cloud(&[1.0, 2.0], 1, &[0, 1]).is_ok());
        assert!(matches!(cloud(&[], 1, &[]), Err(GeometryError::Shape { .. })));
        assert!(matches!(cloud(&[], 0, &[0, 1]), Err(GeometryError::Shape { .. })));
        assert!(matches!(cloud(&[1.0; 3], 1, &[0, 1]), Err(GeometryError::Shape { .. })));
        let line = cloud(&[1.0, 2.0, 3.0, f64::NAN], 2, &[0, 1]).unwrap_err().to_string();
        assert_eq!(line, "activations: row 1, column 1 is NaN, expected finite numbers");
        assert!(matches!(
            cloud(&[1.0, 2.0], 1, &[0, 2]),
            Err(GeometryError::Label { row: 1, .. })
        ));
        assert!(matches!(
            cloud(&[1.0, 2.0], 1, &[0, 0]),
            Err(GeometryError::ClassSize { class: 1, .. })
        ));
    }

    #[test]
    fn rows_of_any_size_become_unit_and_zeros_stay() {
        let mut rows = vec![3e200, 4e200, 0.0, 0.0, 3e-200, -4e-200];
        assert_eq!(normalize_rows(&mut rows, 2), 1);
        for (found, expected) in rows.iter().zip([0.6, 0.8, 0.0, 0.0, 0.6, -0.8]) {
            // A division, a square root and two products: four roundings.
            assert!((found - expected).abs() <= 4.0 * f64::EPSILON, "{found} {expected}");
        }
    }

    #[test]
    fn centring_is_exact_to_the_last_digits_of_the_cloud() {
        let mut rows: Vec<f64> = (0..1000).map(|i| 1e8 + f64::from(i % 7)).collect();
        center_rows(&mut rows, 1);
        // The remaining mean is a rounding of numbers below 7, of which 1000 are summed.
        assert!(mean_row(&rows, 1)[0].abs() < 1000.0 * 7.0 * f64::EPSILON);
    }
}
