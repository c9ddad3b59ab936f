//! Distance between the means of two classes: D_ab = |mu_a - mu_b|.
//!
//! In the units of the rows, not squared. On the unit sphere D <= 2 (Ciceri et al., Nat. Mach. Intell. 2024). With the mean
//! squared distance of their members it obeys mean |x_i - y_j|^2 = R_a^2 + R_b^2 + D_ab^2. A class without members: NaN.

use super::class_summary::{ClassSummary, squared_distance};
use super::moments::ClassMoments;

/// D of two classes by their moments.
///
/// ```
/// use disentangle::geometry::{ClassMoments, centroid_distance};
///
/// // Means (0, 1) and (3, 5): they differ by (3, 4).
/// let rows = [0.0, 0.0, 0.0, 2.0, 3.0, 4.0, 3.0, 6.0];
/// let of = |class| ClassMoments::of_class(&rows, 2, &[0, 0, 1, 1], class);
/// assert_eq!(centroid_distance(&of(0), &of(1)), 5.0);
/// ```
pub fn centroid_distance(a: &ClassMoments, b: &ClassMoments) -> f64 {
    a.centroid()
        .zip(b.centroid())
        .map(|(a, b)| (a - b) * (a - b))
        .sum::<f64>()
        .sqrt()
}

/// D of two classes by their summaries.
///
/// ```
/// use disentangle::geometry::centroid_distance::centroid_distance_of;
/// use disentangle::geometry::{ClassSummary, Cloud};
///
/// // Means 1 and 11 on a line.
/// let cloud = Cloud::new(vec![0.0, 2.0, 10.0, 12.0], 1, vec![0, 0, 1, 1], 2)?;
/// let classes = ClassSummary::of(&cloud);
/// assert_eq!(centroid_distance_of(&classes[0], &classes[1]), 10.0);
/// # Ok::<(), disentangle::geometry::GeometryError>(())
/// ```
pub fn centroid_distance_of(a: &ClassSummary, b: &ClassSummary) -> f64 {
    squared_distance(&a.mean, &b.mean).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synthetic::gaussian_classes;
    use crate::geometry::gyration_radius;

    #[test]
    fn obeys_the_identity_of_mean_squared_distances() {
        let (rows, labels) = gaussian_classes(5, 2, 30, 4, 3.0);
        let moments = [0, 1].map(|class| ClassMoments::of_class(&rows, 4, &labels, class));
        let members = |class| {
            rows.chunks_exact(4)
                .zip(&labels)
                .filter(move |(_, l)| **l == class)
                .map(|(r, _)| r)
        };
        let square = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
        let cross: f64 = members(0)
            .flat_map(|a| members(1).map(move |b| square(a, b)))
            .sum::<f64>()
            / 900.0;
        let [r0, r1] = [0, 1].map(|class: usize| gyration_radius(&moments[class]));
        let by_moments = r0 * r0 + r1 * r1 + centroid_distance(&moments[0], &moments[1]).powi(2);
        // 900 positive terms on one side, cancellation by less than 10 on the other.
        assert!(
            (cross - by_moments).abs() < 900.0 * f64::EPSILON * cross,
            "{cross} {by_moments}"
        );
    }
}
