//! Gyration radius of a class: the root mean square distance of its members from their mean.
//!
//! ```text
//!   R_c = sqrt( 1/n sum_{i in c} |x_i - mu_c|^2 ) = sqrt( 1/n sum |x_i|^2 - |mu_c|^2 ) = sqrt( 1/(2 n^2) sum_{i,j in c} |x_i - x_j|^2 )
//! ```
//! Ciceri et al. (Nat. Mach. Intell. 2024) take it of activations projected on the unit sphere, without renormalising the
//! mean; then R_c^2 = 1 - |mu_c|^2 and 0 <= R_c <= 1. In the units of the rows, not squared. One member: 0. None: NaN.

use super::moments::ClassMoments;

/// R of a class by its moments.
///
/// ```
/// use disentangle::geometry::{ClassMoments, gyration_radius};
///
/// // Two points, each 1 from their centroid; the third is of another class.
/// let moments = ClassMoments::of_class(&[0.0, 0.0, 0.0, 2.0, 9.0, 9.0], 2, &[0, 0, 1], 0);
/// assert_eq!(gyration_radius(&moments), 1.0);
/// ```
pub fn gyration_radius(moments: &ClassMoments) -> f64 {
    let mean_square = moments.square_sum / moments.count;
    let centroid_square: f64 = moments.centroid().map(|c| c * c).sum();
    // Rounding can leave a tight class slightly below zero; a NaN passes through.
    let square = mean_square - centroid_square;
    if square < 0.0 { 0.0 } else { square.sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synthetic::gaussian_classes;

    #[test]
    fn moments_and_pairs_agree() {
        let (rows, labels) = gaussian_classes(3, 2, 40, 5, 2.0);
        for class in 0..2 {
            let members: Vec<&[f64]> = rows
                .chunks_exact(5)
                .zip(&labels)
                .filter(|(_, l)| **l == class)
                .map(|(r, _)| r)
                .collect();
            let square = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
            let pairs: f64 = members
                .iter()
                .flat_map(|a| members.iter().map(move |b| square(a, b)))
                .sum();
            let by_pairs = (pairs / (2.0 * (members.len() * members.len()) as f64)).sqrt();
            let by_moments = gyration_radius(&ClassMoments::of_class(&rows, 5, &labels, class));
            // Sums of 1600 terms of one sign: relative error below 1600 u; the moments cancel by less than 10.
            assert!(
                (by_moments - by_pairs).abs() < 1600.0 * f64::EPSILON * by_pairs,
                "{by_moments} {by_pairs}"
            );
        }
    }

    #[test]
    fn edge_cases_have_stated_values() {
        let of = |rows: &[f64], labels: &[u32]| gyration_radius(&ClassMoments::of_class(rows, 2, labels, 0));
        assert_eq!(of(&[3.0, 4.0], &[0]), 0.0);
        // Duplicates: R^2 is the difference of two numbers near 0.5 with at most 8 roundings each.
        assert!(of(&[0.1, 0.7, 0.1, 0.7, 0.1, 0.7], &[0, 0, 0]) <= (8.0 * f64::EPSILON * 0.5).sqrt());
        assert_eq!(of(&[1.0, 0.0, -1.0, 0.0], &[0, 0]), 1.0);
        assert!(of(&[1.0, 0.0], &[1]).is_nan());
        assert!(of(&[f64::NAN, 0.0, 1.0, 1.0], &[0, 0]).is_nan());
    }
}
