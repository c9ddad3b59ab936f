//! Maximum mean discrepancy of two classes: the distance of their means in a space of Gaussian features.
//!
//! ```text
//!   MMD^2_ab = k_aa + k_bb - 2 k_ab,     k(x, y) = e^(-|x - y|^2 / T)
//!   k_aa: mean over pairs i != j of a,   k_ab: mean over all pairs,   T: mean |x_i - x_j|^2 over all pairs of all classes
//! ```
//! A. Gretton et al., JMLR 13, 723 (2012), eq. 3: the unbiased estimate of the *squared* discrepancy, which may fall below 0. No unit, at
//! most 2; translations, rotations and one common scale change nothing, since T goes with them. All points coincident: 0.
//! A class of one member has no k_aa: an error. It is a difference of numbers below 1: in f32 good to 1e-6 of those.
//!
//! ```
//! use disentangle::backend::Reference;
//! use disentangle::geometry::mean_discrepancy::{bandwidth, mean_discrepancy};
//! use disentangle::geometry::{Cloud, Settings, Survey};
//!
//! // Two classes, each a point that is there twice, 2 apart: half of all 16 pairs have |x_i - x_j|^2 = 4.
//! let cloud = Cloud::new(vec![0.0, 0.0, 2.0, 2.0], 1, vec![0, 0, 1, 1], 2)?;
//! let survey = Survey::new(&cloud, &Reference, Settings::default());
//! assert_eq!(bandwidth(survey.classes()), 2.0);
//! // k_aa = k_bb = 1 and k_ab = e^(-4 / 2).
//! let squared = mean_discrepancy(survey.kernels()?, cloud.counts(), 0, 1)?;
//! assert!((squared - (2.0 - 2.0 * (-2.0f64).exp())).abs() < 1e-12);
//! # Ok::<(), disentangle::geometry::GeometryError>(())
//! ```

use super::class_summary::{ClassSummary, scatter};
use super::error::GeometryError;
use crate::backend::pairwise::ClassSums;

/// T: twice the mean squared distance from the mean.
pub fn bandwidth(classes: &[ClassSummary]) -> f64 {
    let (between, within) = scatter(classes);
    let rows: f64 = classes.iter().map(|class| class.count).sum();
    2.0 * (between + within) / rows
}

/// MMD^2 of classes `a` and `b` by the sums of k over pairs, a pair with itself left out; `sizes`: members of each class.
///
/// # Errors
/// [`GeometryError::ClassSize`]; [`GeometryError::Shape`] for other numbers of sums.
pub fn mean_discrepancy(kernels: &ClassSums, sizes: &[usize], a: usize, b: usize) -> Result<f64, GeometryError> {
    let c = sizes.len();
    let size = |a: usize| sizes.get(a).copied().unwrap_or(0);
    let sum = |a: usize, b: usize| {
        let sum = kernels.sums.get(a * c + b).copied();
        sum.ok_or_else(|| GeometryError::Shape {
            detail: format!("{} sums over pairs, expected {c} x {c}", kernels.sums.len()),
        })
    };
    let within = |a: usize| match size(a) {
        members @ (0 | 1) => Err(GeometryError::ClassSize {
            class: a,
            members,
            expected: 2,
        }),
        n => Ok(sum(a, a)? / (n as f64 * (n as f64 - 1.0))),
    };
    let (own, other) = (within(a)?, within(b)?);
    let between = sum(a, b)? / (size(a) as f64 * size(b) as f64);
    Ok(own + other - 2.0 * between)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Reference;
    use crate::data::synthetic::gaussian_classes;
    use crate::geometry::class_summary::squared_distance;
    use crate::geometry::{Cloud, Settings, Survey, metric};

    /// Gretton's h: the mean of h = k(x, x') + k(y, y') - k(x, y') - k(x', y) over pairs of pairs, for classes of one size.
    #[test]
    fn the_mean_over_quadruples_says_the_same() {
        let n = 12;
        let (rows, labels) = gaussian_classes(7, 2, n, 3, 2.0);
        let cloud = Cloud::new(rows, 3, labels, 2).unwrap();
        let survey = Survey::new(&cloud, &Reference, Settings::default());
        let found = metric::named("mmd").unwrap().of(&survey).unwrap()[0];
        let points: Vec<&[f64]> = cloud.points().collect();
        let all = points
            .iter()
            .flat_map(|x| points.iter().map(|y| squared_distance(x, y)));
        let t = all.sum::<f64>() / (points.len() * points.len()) as f64;
        let k = |x: &[f64], y: &[f64]| (-squared_distance(x, y) / t).exp();
        let (x, y) = points.split_at(n);
        let (mut within, mut between) = (0.0, 0.0);
        for i in 0..n {
            for j in 0..n {
                between += 2.0 * k(x[i], y[j]) / (n * n) as f64;
                if i != j {
                    within += (k(x[i], x[j]) + k(y[i], y[j])) / (n * (n - 1)) as f64;
                }
            }
        }
        assert!((found - (within - between)).abs() < 1000.0 * f64::EPSILON, "{found}");
    }

    #[test]
    fn edge_cases_have_stated_values() {
        let of = |rows: &[f64], labels: &[u32]| {
            let cloud = Cloud::new(rows.to_vec(), 1, labels.to_vec(), 2).unwrap();
            let survey = Survey::new(&cloud, &Reference, Settings::default());
            metric::named("mmd").unwrap().of(&survey)
        };
        assert_eq!(of(&[1.0; 4], &[0, 0, 1, 1]), Ok(vec![0.0]));
        assert!(matches!(
            of(&[1.0, 2.0, 3.0], &[0, 1, 1]),
            Err(GeometryError::ClassSize { .. })
        ));
    }
}
