//! Energy distance of two classes, from their mean distances.
//!
//! ```text
//!   E_ab = 2 m_ab - v_a - v_b,    m_ab: mean distance between them,    v_a: mean over all n_a^2 pairs of a, itself included
//! ```
//! G. Szekely and M. Rizzo, J. Stat. Plan. Inference 143, 1249 (2013), the V-statistic: at least 0, and 0 only if the two sets are equal.
//! In the units of the rows, not the square root. Translations and rotations change nothing. Classes of one member: 2 m_ab.
//! It is a difference: where classes are much nearer to each other than they are wide, in f32 it is good to 1e-6 of m_ab.

use super::class_distance::ClassDistances;

/// E of classes `a` and `b`.
///
/// ```
/// use disentangle::backend::Reference;
/// use disentangle::geometry::energy_distance::energy_distance;
/// use disentangle::geometry::{Cloud, Settings, Survey};
///
/// // On a line: 0 and 2 against 10 and 12. Between them the mean distance is 10, within each 1 over all four pairs.
/// let cloud = Cloud::new(vec![0.0, 2.0, 10.0, 12.0], 1, vec![0, 0, 1, 1], 2)?;
/// let survey = Survey::new(&cloud, &Reference, Settings::default());
/// assert_eq!(energy_distance(survey.distances()?, 0, 1), 2.0 * 10.0 - 1.0 - 1.0);
/// # Ok::<(), disentangle::geometry::GeometryError>(())
/// ```
pub fn energy_distance(distances: &ClassDistances, a: usize, b: usize) -> f64 {
    2.0 * distances.between(a, b) - distances.within_with_itself(a) - distances.within_with_itself(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Reference;
    use crate::data::synthetic::gaussian_classes;
    use crate::geometry::{Cloud, Settings, Survey};

    /// On a line E = 2 integral (F - G)^2, with F and G the cumulative distributions.
    #[test]
    fn on_a_line_the_cumulative_distributions_say_the_same() {
        let (rows, labels) = gaussian_classes(5, 2, 40, 1, 1.0);
        let cloud = Cloud::new(rows.clone(), 1, labels.clone(), 2).unwrap();
        let survey = Survey::new(&cloud, &Reference, Settings::default());
        let found = energy_distance(survey.distances().unwrap(), 0, 1);
        let mut points: Vec<(f64, u32)> = rows.into_iter().zip(labels).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut difference, mut expected) = (0.0, 0.0);
        for pair in points.windows(2) {
            difference += if pair[0].1 == 0 { 1.0 } else { -1.0 } / 40.0;
            expected += 2.0 * difference * difference * (pair[1].0 - pair[0].0);
        }
        // 80^2 terms of a size of 1, and their difference.
        assert!((found - expected).abs() < 6400.0 * f64::EPSILON, "{found} {expected}");
    }

    #[test]
    fn equal_sets_have_none_and_points_twice_their_distance() {
        let of = |rows: &[f64], labels: &[u32]| {
            let cloud = Cloud::new(rows.to_vec(), 1, labels.to_vec(), 2).unwrap();
            let survey = Survey::new(&cloud, &Reference, Settings::default());
            energy_distance(survey.distances().unwrap(), 0, 1)
        };
        assert_eq!(of(&[1.0, 3.0, 3.0, 1.0], &[0, 0, 1, 1]), 0.0);
        assert_eq!(of(&[1.0, 4.0], &[0, 1]), 6.0);
    }
}
