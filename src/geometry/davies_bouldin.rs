//! Davies-Bouldin index: how wide classes are against how far apart they lie, for each class against its worst neighbour.
//!
//! ```text
//!   DB = 1/C sum_a max_{b != a} (s_a + s_b) / |mu_a - mu_b|        s_a = 1/n_a sum_{i in a} |x_i - mu_a|
//! ```
//! Davies and Bouldin, IEEE Trans. PAMI 1, 224 (1979), with q = 1 and p = 2 as in scikit-learn. No unit; the smaller, the better
//! separated. As there, pairs of coincident means are left out, and if all means coincide or all classes are points it is 0 (there, up to
//! 1e-8 in the rows' units; here exactly). One class: an error.

use super::class_summary::{ClassSummary, check_summaries, squared_distance};
use super::cloud::Cloud;
use super::error::GeometryError;

/// DB of a cloud whose class summaries are given.
///
/// ```
/// use disentangle::geometry::davies_bouldin::davies_bouldin;
/// use disentangle::geometry::{ClassSummary, Cloud};
///
/// // On a line: 0 and 2 around 1, 10 and 12 around 11. Both are at 1 from their mean, and the means are 10 apart.
/// let cloud = Cloud::new(vec![0.0, 2.0, 10.0, 12.0], 1, vec![0, 0, 1, 1], 2)?;
/// assert_eq!(davies_bouldin(&cloud, &ClassSummary::of(&cloud))?, (1.0 + 1.0) / 10.0);
/// # Ok::<(), disentangle::geometry::GeometryError>(())
/// ```
///
/// # Errors
/// [`GeometryError::OneClass`]; [`GeometryError::Shape`] for the summaries of other rows.
pub fn davies_bouldin(cloud: &Cloud, classes: &[ClassSummary]) -> Result<f64, GeometryError> {
    cloud.several_classes()?;
    check_summaries(cloud, classes)?;
    let mut spread = vec![0.0; classes.len()];
    for (row, &label) in cloud.points().zip(cloud.labels()) {
        let class = &classes[label as usize];
        spread[label as usize] += squared_distance(row, &class.mean).sqrt() / class.count;
    }
    let worst = |a: usize| {
        (0..classes.len())
            .filter(|&b| b != a)
            .map(|b| {
                let distance = squared_distance(&classes[a].mean, &classes[b].mean).sqrt();
                if distance > 0.0 {
                    (spread[a] + spread[b]) / distance
                } else {
                    0.0
                }
            })
            .fold(0.0, f64::max)
    };
    Ok((0..classes.len()).map(worst).sum::<f64>() / classes.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_cases_by_hand() {
        let of = |rows: &[f64], labels: &[u32], classes| {
            let cloud = Cloud::new(rows.to_vec(), 1, labels.to_vec(), classes).unwrap();
            davies_bouldin(&cloud, &ClassSummary::of(&cloud))
        };
        // Means 1, 4, 11 with s = 1, 1, 2: the worst neighbours give 2/3, 2/3 and 3/7.
        let rows = [0.0, 2.0, 3.0, 5.0, 9.0, 13.0];
        let found = of(&rows, &[0, 0, 1, 1, 2, 2], 3).unwrap();
        let expected = (2.0 / 3.0 + 2.0 / 3.0 + 3.0 / 7.0) / 3.0;
        assert!((found - expected).abs() < 8.0 * f64::EPSILON, "{found}");
        assert_eq!(of(&[1.0, 2.0], &[0, 1], 2), Ok(0.0));
        assert_eq!(of(&[1.0, 3.0, 2.0], &[0, 0, 1], 2), Ok(0.0));
        assert_eq!(of(&[1.0, 3.0], &[0, 0], 1), Err(GeometryError::OneClass));
    }
}
