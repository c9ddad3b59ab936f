//! Participation ratio: over how many directions the variance is spread.
//!
//! ```text
//!   PR = (tr S)^2 / tr S^2 = (sum w)^2 / sum w^2,   w: eigenvalues of the covariance of all rows
//! ```
//! Gao et al., bioRxiv 214262 (2017); Recanatesi et al., Patterns 3, 100555 (2022). Between 1 and the rank, no unit; no
//! eigenvalue is computed. Rows that all coincide: NaN.

use super::spectrum::SecondMoments;

/// PR by the second moments.
///
/// ```
/// use disentangle::geometry::participation_ratio::participation_ratio;
/// use disentangle::geometry::{Cloud, SecondMoments};
///
/// let of = |rows: [f64; 8]| -> Result<f64, disentangle::geometry::GeometryError> {
///     let cloud = Cloud::new(rows.to_vec(), 2, vec![0; 4], 1)?;
///     Ok(participation_ratio(&SecondMoments::of(&cloud, 1)?))
/// };
/// // As wide along one axis as along the other: two directions. All on one axis: one.
/// assert_eq!(of([1.0, 0.0, -1.0, 0.0, 0.0, 1.0, 0.0, -1.0])?, 2.0);
/// assert_eq!(of([1.0, 0.0, -1.0, 0.0, 1.0, 0.0, -1.0, 0.0])?, 1.0);
/// # Ok::<(), disentangle::geometry::GeometryError>(())
/// ```
pub fn participation_ratio(moments: &SecondMoments) -> f64 {
    let trace = moments.trace();
    // Divided before it is squared: neither overflows.
    if trace == 0.0 {
        return f64::NAN;
    }
    1.0 / (moments.square_trace() / trace / trace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synthetic::gaussian_classes;
    use crate::geometry::Cloud;

    #[test]
    fn eigenvalues_say_the_same() {
        let (rows, labels) = gaussian_classes(2, 2, 30, 7, 3.0);
        let moments = SecondMoments::of(&Cloud::new(rows, 7, labels, 2).unwrap(), 1).unwrap();
        let w = moments.variances().unwrap();
        let expected = w.iter().sum::<f64>().powi(2) / w.iter().map(|w| w * w).sum::<f64>();
        let found = participation_ratio(&moments);
        // 7 eigenvalues, each off by 7 u of the largest, a few times over.
        assert!(
            (found - expected).abs() < 500.0 * f64::EPSILON * expected,
            "{found} {expected}"
        );
    }

    #[test]
    fn edge_cases_have_stated_values() {
        let of = |rows: &[f64], cols: usize| {
            let labels = vec![0; rows.len() / cols];
            participation_ratio(&SecondMoments::of(&Cloud::new(rows.to_vec(), cols, labels, 1).unwrap(), 1).unwrap())
        };
        // A cross in the plane, a line, a point.
        assert_eq!(of(&[1.0, 0.0, -1.0, 0.0, 0.0, 1.0, 0.0, -1.0], 2), 2.0);
        assert_eq!(of(&[1.0, 0.0, -1.0, 0.0], 2), 1.0);
        assert!(of(&[2.0, 2.0, 2.0, 2.0], 2).is_nan());
    }
}
