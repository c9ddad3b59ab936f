//! The second moments of all rows about their mean, as the smaller of the two matrices that hold them.
//!
//! ```text
//!   S = 1/N X^T X  [D, D]   or   G = 1/N X X^T  [N, N],   X centred: the same nonzero eigenvalues
//! ```
//! Symmetric and positive semidefinite; its trace is the mean squared distance from the mean, in the rows' units squared. The
//! trace of its square is the sum of all squared elements. Up to an order of 8192 (512 MiB) it is held.

use super::cloud::{Cloud, center_rows};
use super::eigen::eigenvalues;
use super::error::GeometryError;
use super::products::{row_products, square_sum, transposed_product};

/// The largest order.
///
/// ```
/// use disentangle::geometry::linear_cka::linear_cka;
/// use disentangle::geometry::{GeometryError, Rows, spectrum::LARGEST_ORDER};
///
/// // Linear centred kernel alignment takes a matrix of the order of the columns, however few rows there are.
/// let cols = LARGEST_ORDER + 1;
/// let rows = Rows { values: &vec![1.0; 2 * cols], cols };
/// let found = linear_cka(rows, rows, 1);
/// assert_eq!(found, Err(GeometryError::TooLarge { order: 8193, expected: 8192 }));
/// ```
pub const LARGEST_ORDER: usize = 8192;

/// Second moments of a cloud.
///
/// ```
/// use disentangle::geometry::{Cloud, SecondMoments};
///
/// // A cross of arms 3 and 1: variances 18 / 4 and 2 / 4 along its axes.
/// let cloud = Cloud::new(vec![3.0, 0.0, -3.0, 0.0, 0.0, 1.0, 0.0, -1.0], 2, vec![0; 4], 1)?;
/// let moments = SecondMoments::of(&cloud, 1)?;
/// assert_eq!(moments.variances()?, [4.5, 0.5]);
/// assert_eq!(moments.trace(), 4.5 + 0.5);
/// assert_eq!(moments.square_trace(), 4.5 * 4.5 + 0.5 * 0.5);
/// # Ok::<(), disentangle::geometry::GeometryError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SecondMoments {
    order: usize,
    matrix: Vec<f64>,
}

/// Refuses a matrix that is too large.
///
/// # Errors
/// [`GeometryError::TooLarge`]
pub(super) fn check_order(order: usize) -> Result<(), GeometryError> {
    if order > LARGEST_ORDER {
        return Err(GeometryError::TooLarge {
            order,
            expected: LARGEST_ORDER,
        });
    }
    Ok(())
}

impl SecondMoments {
    /// Of all rows, classes aside.
    ///
    /// # Errors
    /// [`GeometryError::TooLarge`]
    pub fn of(cloud: &Cloud, threads: usize) -> Result<SecondMoments, GeometryError> {
        let (n, d) = (cloud.len(), cloud.cols());
        let order = n.min(d);
        check_order(order)?;
        let mut x = cloud.rows().to_vec();
        center_rows(&mut x, d);
        let mut matrix = if d <= n {
            transposed_product(&x, d, &x, d, threads)
        } else {
            row_products(&x, d, threads)
        };
        matrix.iter_mut().for_each(|s| *s /= n as f64);
        Ok(SecondMoments { order, matrix })
    }

    /// tr S
    pub fn trace(&self) -> f64 {
        self.matrix.iter().step_by(self.order + 1).sum()
    }

    /// tr S^2
    pub fn square_trace(&self) -> f64 {
        square_sum(&self.matrix)
    }

    /// Variances along the principal axes, largest first; what rounding left below zero is zero.
    ///
    /// # Errors
    /// [`GeometryError::Diverged`]
    pub fn variances(&self) -> Result<Vec<f64>, GeometryError> {
        let mut values = eigenvalues(self.matrix.clone(), self.order)?;
        values.reverse();
        values.iter_mut().for_each(|w| *w = w.max(0.0));
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synthetic::gaussian_classes;

    #[test]
    fn the_largest_order_is_still_one() {
        assert_eq!(check_order(LARGEST_ORDER), Ok(()));
        let (order, expected) = (LARGEST_ORDER + 1, LARGEST_ORDER);
        assert_eq!(check_order(order), Err(GeometryError::TooLarge { order, expected }));
    }

    #[test]
    fn the_two_matrices_have_the_same_spectrum() {
        // 12 points in 30 dimensions: once as they are (G), once each repeated three times (S, with the same moments).
        let (rows, labels) = gaussian_classes(6, 2, 6, 30, 2.0);
        let few = Cloud::new(rows.clone(), 30, labels.clone(), 2).unwrap();
        let many = Cloud::new(rows.repeat(3), 30, labels.repeat(3), 2).unwrap();
        let (few, many) = (
            SecondMoments::of(&few, 2).unwrap(),
            SecondMoments::of(&many, 1).unwrap(),
        );
        assert_eq!((few.order, many.order), (12, 30));
        // Sums of at most 36 x 30 products, and the eigenvalues' n u |S|.
        let bound = 1200.0 * f64::EPSILON * few.trace();
        assert!((few.trace() - many.trace()).abs() < bound);
        assert!((few.square_trace() - many.square_trace()).abs() < bound * few.trace());
        let (few, many) = (few.variances().unwrap(), many.variances().unwrap());
        for (k, w) in many.iter().enumerate() {
            assert!((w - few.get(k).unwrap_or(&0.0)).abs() < bound, "{k}");
        }
    }
}
