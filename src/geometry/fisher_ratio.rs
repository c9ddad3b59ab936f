//! Fisher ratio: scatter between classes over scatter within them.
//!
//! ```text
//!   F = tr S_B / tr S_W       S_B = sum_c n_c (mu_c - mu)(mu_c - mu)^T       S_W = sum_c sum_{i in c} (x_i - mu_c)(x_i - mu_c)^T
//! ```
//! Fisher, Ann. Eugen. 7 (1936), as the ratio of traces (K. Fukunaga, Introduction to Statistical Pattern Recognition, ch. 10,
//! criterion tr S_1 / tr S_2). No unit, at least 0; translations, rotations and one common scale change nothing. Points that all lie on
//! their class means give infinity; if those coincide too, NaN. One class: an error.

use super::class_summary::{ClassSummary, scatter};
use super::error::GeometryError;

/// F of at least two classes.
///
/// ```
/// use disentangle::geometry::fisher_ratio::fisher_ratio;
/// use disentangle::geometry::{ClassSummary, Cloud};
///
/// // On a line: 0 and 2 around 1, 10 and 12 around 11. The mean of all is 6: tr S_B = 4 * 5^2 and tr S_W = 4 * 1^2.
/// let cloud = Cloud::new(vec![0.0, 2.0, 10.0, 12.0], 1, vec![0, 0, 1, 1], 2)?;
/// assert_eq!(fisher_ratio(&ClassSummary::of(&cloud))?, 25.0);
/// # Ok::<(), disentangle::geometry::GeometryError>(())
/// ```
///
/// # Errors
/// [`GeometryError::OneClass`]
pub fn fisher_ratio(classes: &[ClassSummary]) -> Result<f64, GeometryError> {
    if classes.len() < 2 {
        return Err(GeometryError::OneClass);
    }
    let (between, within) = scatter(classes);
    Ok(between / within)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synthetic::gaussian_classes;
    use crate::geometry::Cloud;
    use crate::geometry::class_summary::squared_distance;

    /// By pairs alone: tr S_T = 1/(2N) sum_ij d^2, tr S_W = sum_c 1/(2 n_c) sum_{i,j in c} d^2, and S_T = S_B + S_W.
    #[test]
    fn pairs_say_the_same() {
        let (rows, labels) = gaussian_classes(1, 3, 20, 4, 2.0);
        let cloud = Cloud::new(rows, 4, labels, 3).unwrap();
        let half_sum = |points: &[&[f64]]| {
            let all: f64 = points
                .iter()
                .flat_map(|a| points.iter().map(|b| squared_distance(a, b)))
                .sum();
            all / (2.0 * points.len() as f64)
        };
        let total = half_sum(&cloud.points().collect::<Vec<_>>());
        let within: f64 = (0..3).map(|c| half_sum(&cloud.members(c).collect::<Vec<_>>())).sum();
        let found = fisher_ratio(&ClassSummary::of(&cloud)).unwrap();
        let expected = (total - within) / within;
        // Sums of 3600 terms of one sign; the difference cancels by less than 4.
        assert!((found - expected).abs() < 4.0 * 3600.0 * f64::EPSILON * expected.max(1.0));
    }

    #[test]
    fn edge_cases_have_stated_values() {
        let of = |rows: &[f64], labels: &[u32], classes| {
            fisher_ratio(&ClassSummary::of(
                &Cloud::new(rows.to_vec(), 1, labels.to_vec(), classes).unwrap(),
            ))
        };
        assert_eq!(of(&[1.0, 2.0], &[0, 1], 2), Ok(f64::INFINITY));
        assert!(of(&[1.0, 1.0, 1.0], &[0, 1, 1], 2).unwrap().is_nan());
        assert_eq!(of(&[1.0, 2.0], &[0, 0], 1), Err(GeometryError::OneClass));
        // Means 1 and 4, deviations 1: S_B = 4 * 1.5^2, S_W = 4.
        assert_eq!(of(&[0.0, 2.0, 3.0, 5.0], &[0, 0, 1, 1], 2), Ok(2.25));
    }
}
