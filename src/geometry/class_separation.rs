//! Class separation R^2: how much of the spread of directions is between classes.
//!
//! ```text
//!   R^2 = 1 - d_within / d_total
//!   d_within = sum_k 1/(C n_k^2) sum_{m,n in k} (1 - cos(x_m, x_n))
//!   d_total  = sum_{j,k} 1/(C^2 n_j n_k) sum_{m in j, n in k} (1 - cos(x_m, x_n))
//! ```
//! Kornblith, Chen, Lee and Norouzi, NeurIPS 2021 (arXiv 2010.16402), eq. 11. With m_k the mean of the unit rows of class k, the sums
//! are d_within = 1 - 1/C sum |m_k|^2 and d_total = 1 - |1/C sum m_k|^2, which costs O(N D). No unit, at most 1; every class counts the
//! same. The cosine with a row of zeros is taken as 0. Directions that are all the same: NaN. One class: an error.

use super::class_summary::{ClassSummary, mean_of_means, squared_distance};
use super::cloud::{Cloud, normalize_rows};
use super::error::GeometryError;

/// R^2 of a cloud; its rows need not be normalised.
///
/// ```
/// use disentangle::geometry::Cloud;
/// use disentangle::geometry::class_separation::class_separation;
///
/// // Right and up against left and down: m_0 = (1/2, 1/2) = -m_1, so that d_within = 1 - 1/2 and d_total = 1 - 0.
/// let rows = vec![1.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0, -1.0];
/// let cloud = Cloud::new(rows, 2, vec![0, 0, 1, 1], 2)?;
/// assert_eq!(class_separation(&cloud)?, 0.5);
/// # Ok::<(), disentangle::geometry::GeometryError>(())
/// ```
///
/// # Errors
/// [`GeometryError::OneClass`]
pub fn class_separation(cloud: &Cloud) -> Result<f64, GeometryError> {
    cloud.several_classes()?;
    let mut rows = cloud.rows().to_vec();
    normalize_rows(&mut rows, cloud.cols());
    let unit = cloud.with_rows(rows, cloud.cols())?;
    let classes = ClassSummary::of(&unit);
    let count = classes.len() as f64;
    // The mean squared norm of a class is 1 less its share of rows of zeros, so that 1 - |m_k|^2 is the variance and that share, a sum in
    // which nothing cancels.
    let lost = |class: usize| {
        let zeros = unit.members(class).filter(|row| row.iter().all(|v| *v == 0.0)).count();
        zeros as f64 / unit.counts()[class] as f64
    };
    let within: f64 = classes
        .iter()
        .enumerate()
        .map(|(k, class)| class.variance + lost(k))
        .sum::<f64>()
        / count;
    let middle = mean_of_means(&classes);
    let between: f64 = classes
        .iter()
        .map(|class| squared_distance(&class.mean, &middle))
        .sum::<f64>()
        / count;
    // d_total - d_within = 1/C sum |m_k|^2 - |m|^2, the spread of the class means.
    Ok(between / (within + between))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synthetic::gaussian_classes;

    fn by_pairs(cloud: &Cloud) -> f64 {
        let c = cloud.classes();
        let members: Vec<Vec<&[f64]>> = (0..c).map(|k| cloud.members(k).collect()).collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let cosine = |a: &[f64], b: &[f64]| {
            let norms = dot(a, a).sqrt() * dot(b, b).sqrt();
            if norms == 0.0 { 0.0 } else { dot(a, b) / norms }
        };
        let mean = |j: usize, k: usize| {
            let pairs = members[j].iter().flat_map(|a| members[k].iter().map(move |b| (a, b)));
            pairs.map(|(a, b)| 1.0 - cosine(a, b)).sum::<f64>() / (members[j].len() * members[k].len()) as f64
        };
        let within: f64 = (0..c).map(|k| mean(k, k)).sum::<f64>() / c as f64;
        let total: f64 = (0..c)
            .flat_map(|j| (0..c).map(move |k| (j, k)))
            .map(|(j, k)| mean(j, k))
            .sum();
        1.0 - within / (total / (c * c) as f64)
    }

    #[test]
    fn the_sum_over_pairs_of_cosines_says_the_same() {
        let (mut rows, mut labels) = gaussian_classes(4, 3, 15, 5, 2.0);
        for zeros in [false, true] {
            if zeros {
                rows.extend([0.0; 5]);
                labels.push(1);
            }
            let cloud = Cloud::new(rows.clone(), 5, labels.clone(), 3).unwrap();
            let (found, expected) = (class_separation(&cloud).unwrap(), by_pairs(&cloud));
            // 46^2 pairs of terms below 2, with a few roundings each; d_total is above 0.5.
            assert!(
                (found - expected).abs() < 4.0 * 46.0 * 46.0 * f64::EPSILON,
                "{found} {expected}"
            );
        }
    }

    #[test]
    fn edge_cases_have_stated_values() {
        let of = |rows: &[f64], labels: &[u32], classes| {
            class_separation(&Cloud::new(rows.to_vec(), 2, labels.to_vec(), classes).unwrap())
        };
        assert_eq!(of(&[1.0, 0.0, 0.0, 3.0], &[0, 1], 2), Ok(1.0));
        assert!(of(&[1.0, 0.0, 3.0, 0.0], &[0, 1], 2).unwrap().is_nan());
        assert_eq!(of(&[1.0, 0.0], &[0], 1), Err(GeometryError::OneClass));
    }
}
