//! Neural collapse NC1 to NC4: how far the last layer is from one point per class at the corners of a simplex.
//!
//! ```text
//!   mu_G = 1/C sum mu_c       m_c = mu_c - mu_G       S_B = 1/C sum m_c m_c^T       S_W = 1/N sum_i (x_i - mu_y)(x_i - mu_y)^T
//!   NC1  tr(S_W S_B^+) / C
//!   NC2  sd_c |m_c| / mean_c |m_c|     and     mean_{a != b} | cos(m_a, m_b) + 1/(C - 1) |
//!   NC3  | W / |W|_F - M / |M|_F |_F^2,   M with the rows m_c, W [C, D] the classifier
//!   NC4  fraction of rows with  argmax_c (w_c x + b_c)  !=  argmin_c |x - mu_c|
//! ```
//! Papyan, Han and Donoho, PNAS 117, 24652 (2020). As in the authors' notebook the deviation has n - 1 and mu_G counts each class
//! once; unlike it, NC1 is divided by C as in the paper. All have no unit, are 0 at full collapse, and translations, rotations
//! and a common scale change nothing (NC3 and NC4: of the rows and the classifier together). Ties go to the lowest class.
//!
//! S_B has rank C - 1, so S_B^+ comes from the C x C matrix G of the products m_a m_b: with M^T the columns m_c, tr(S_W S_B^+) =
//! C tr(G^+ M S_W M^T G^+). Eigenvalues of G below 1e-12 of the largest count as zero. Class means that all coincide: NaN.
//!
//! ```
//! use disentangle::geometry::neural_collapse::{nearest_mean_mismatch, self_duality, simplex, variability_collapse};
//! use disentangle::geometry::{ClassSummary, Classifier, Cloud};
//!
//! // Means (1, 0) and (-1, 0): S_B has 1 along the first axis, where S_W has 1/4 (1/4 + 1/4 + 0 + 0) = 1/8.
//! let rows = vec![0.5, 0.0, 1.5, 0.0, -1.0, 1.0, -1.0, -1.0];
//! let cloud = Cloud::new(rows, 2, vec![0, 0, 1, 1], 2)?;
//! let classes = ClassSummary::of(&cloud);
//! assert!((variability_collapse(&cloud, &classes)? - 1.0 / 16.0).abs() < 1e-12);
//! // Two means are always as long as each other and opposite.
//! assert_eq!(simplex(&classes)?, [0.0, 0.0]);
//! // Weights along the means; a bias so large that (1/2, 0) goes to class 1.
//! let classifier = Classifier { weight: vec![3.0, 0.0, -3.0, 0.0], bias: Some(vec![0.0, 4.0]) };
//! assert!(self_duality(&cloud, &classes, &classifier)? < 1e-12);
//! assert_eq!(nearest_mean_mismatch(&cloud, &classes, &classifier)?, 0.25);
//! # Ok::<(), disentangle::geometry::GeometryError>(())
//! ```

use super::class_summary::{ClassSummary, check_summaries, mean_of_means, squared_distance};
use super::cloud::{Cloud, check_rows};
use super::eigen::{dot, eigenvectors};
use super::error::GeometryError;

/// What reads the rows: o = W x + b.
///
/// ```
/// use disentangle::geometry::{Classifier, Cloud};
///
/// // Points of two coordinates, read by weights for three.
/// let cloud = Cloud::new(vec![0.0, 1.0, 1.0, 0.0], 2, vec![0, 1], 2)?;
/// let classifier = Classifier { weight: vec![1.0; 6], bias: None };
/// let wrong = classifier.check(&cloud).map_err(|error| error.to_string());
/// assert_eq!(wrong, Err("weights of 3 columns, expected 2 (those of the rows)".into()));
/// # Ok::<(), disentangle::geometry::GeometryError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    /// `[classes, cols]`
    pub weight: Vec<f64>,
    /// `[classes]`; none counts as zeros.
    pub bias: Option<Vec<f64>>,
}

impl Classifier {
    /// Checks the sizes against a cloud.
    ///
    /// # Errors
    /// [`GeometryError::Shape`], [`GeometryError::NotFinite`]
    pub fn check(&self, cloud: &Cloud) -> Result<(), GeometryError> {
        let (classes, cols) = (cloud.classes(), cloud.cols());
        if self.weight.len() != classes * cols {
            let found = self.weight.len();
            return Err(GeometryError::Shape {
                detail: if found.is_multiple_of(classes) {
                    format!(
                        "weights of {} columns, expected {cols} (those of the rows)",
                        found / classes
                    )
                } else {
                    format!("{found} weights, expected {cols} for each of {classes} classes")
                },
            });
        }
        check_rows("weights", &self.weight, cloud.classes(), cloud.cols())?;
        match &self.bias {
            Some(bias) => check_rows("bias", bias, cloud.classes(), 1),
            None => Ok(()),
        }
    }
}

/// m_c, one after the other.
fn centred_means(classes: &[ClassSummary]) -> Vec<Vec<f64>> {
    let middle = mean_of_means(classes);
    let centred = |class: &ClassSummary| class.mean.iter().zip(&middle).map(|(m, g)| m - g).collect();
    classes.iter().map(centred).collect()
}

/// NC1, the variability within classes.
///
/// # Errors
/// [`GeometryError::OneClass`]; [`GeometryError::Shape`] for the summaries of other rows; [`GeometryError::Diverged`] from the eigenvalues.
pub fn variability_collapse(cloud: &Cloud, classes: &[ClassSummary]) -> Result<f64, GeometryError> {
    const CUT: f64 = 1e-12;
    cloud.several_classes()?;
    check_summaries(cloud, classes)?;
    let means = centred_means(classes);
    let c = means.len();
    let products: Vec<f64> = (0..c * c).map(|ab| dot(&means[ab / c], &means[ab % c])).collect();
    let (values, vectors) = eigenvectors(products, c)?;
    let largest = values.last().copied().unwrap_or(0.0);
    if largest <= 0.0 {
        return Ok(f64::NAN);
    }
    // Axis k of S_B: unit vector u_k = sum_c v_kc m_c / sqrt(g_k), with the eigenvalue g_k / C.
    let axes: Vec<(f64, Vec<f64>)> = values
        .iter()
        .zip(vectors.chunks_exact(c))
        .filter(|(g, _)| **g > CUT * largest)
        .map(|(g, v)| {
            let mut axis = vec![0.0; cloud.cols()];
            for (mean, weight) in means.iter().zip(v) {
                axis.iter_mut().zip(mean).for_each(|(a, m)| *a += weight * m / g.sqrt());
            }
            (*g, axis)
        })
        .collect();
    let mut total = 0.0;
    let mut deviation = vec![0.0; cloud.cols()];
    for (row, &label) in cloud.points().zip(cloud.labels()) {
        let mean = &classes[label as usize].mean;
        for ((d, v), m) in deviation.iter_mut().zip(row).zip(mean) {
            *d = v - m;
        }
        for (g, axis) in &axes {
            let along = dot(axis, &deviation);
            total += along * along / g;
        }
    }
    // S_B^+ has C / g on its axes; the sum is over N rows, and NC1 divides by C.
    Ok(total / cloud.len() as f64)
}

/// NC2, the simplex: relative spread of the lengths of m_c, and mean deviation of their cosines from -1/(C - 1).
///
/// # Errors
/// [`GeometryError::OneClass`]
pub fn simplex(classes: &[ClassSummary]) -> Result<[f64; 2], GeometryError> {
    if classes.len() < 2 {
        return Err(GeometryError::OneClass);
    }
    let means = centred_means(classes);
    let count = means.len() as f64;
    let norms: Vec<f64> = means.iter().map(|m| dot(m, m).sqrt()).collect();
    let mean = norms.iter().sum::<f64>() / count;
    let variance = norms.iter().map(|n| (n - mean) * (n - mean)).sum::<f64>() / (count - 1.0);
    let mut angles = 0.0;
    for a in 0..means.len() {
        for b in (0..means.len()).filter(|&b| b != a) {
            angles += (dot(&means[a], &means[b]) / (norms[a] * norms[b]) + 1.0 / (count - 1.0)).abs();
        }
    }
    Ok([variance.sqrt() / mean, angles / (count * (count - 1.0))])
}

/// NC3, self-duality.
///
/// # Errors
/// [`GeometryError::OneClass`]; [`GeometryError::Shape`] for the summaries of other rows; those of [`Classifier::check`].
pub fn self_duality(cloud: &Cloud, classes: &[ClassSummary], classifier: &Classifier) -> Result<f64, GeometryError> {
    cloud.several_classes()?;
    check_summaries(cloud, classes)?;
    classifier.check(cloud)?;
    let means = centred_means(classes).concat();
    let weight = &classifier.weight;
    let (w, m) = (dot(weight, weight).sqrt(), dot(&means, &means).sqrt());
    Ok(weight.iter().zip(&means).map(|(a, b)| (a / w - b / m).powi(2)).sum())
}

/// NC4, the fraction of rows that the classifier and the nearest class mean put into different classes.
///
/// # Errors
/// [`GeometryError::OneClass`]; [`GeometryError::Shape`] for the summaries of other rows; those of [`Classifier::check`].
pub fn nearest_mean_mismatch(
    cloud: &Cloud,
    classes: &[ClassSummary],
    classifier: &Classifier,
) -> Result<f64, GeometryError> {
    cloud.several_classes()?;
    check_summaries(cloud, classes)?;
    classifier.check(cloud)?;
    let differs = |row: &&[f64]| {
        let outputs = classifier.weight.chunks_exact(cloud.cols()).enumerate().map(|(c, w)| {
            let bias = classifier.bias.as_ref().map_or(0.0, |bias| bias[c]);
            dot(w, row) + bias
        });
        let nearest = classes.iter().map(|class| -squared_distance(row, &class.mean));
        first_largest(outputs) != first_largest(nearest)
    };
    Ok(cloud.points().filter(differs).count() as f64 / cloud.len() as f64)
}

/// Where the largest number is; ties go to the lowest index.
fn first_largest(values: impl Iterator<Item = f64>) -> Option<usize> {
    let better = |best: Option<(usize, f64)>, (at, value): (usize, f64)| match best {
        Some((_, most)) if value <= most => best,
        _ => Some((at, value)),
    };
    values.enumerate().fold(None, better).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synthetic::gaussian_classes;

    fn cloud(rows: &[f64], cols: usize, labels: &[u32], classes: usize) -> (Cloud, Vec<ClassSummary>) {
        let cloud = Cloud::new(rows.to_vec(), cols, labels.to_vec(), classes).unwrap();
        let summary = ClassSummary::of(&cloud);
        (cloud, summary)
    }

    /// tr(S_W S_B^+) with whole D x D matrices and S_B's own eigenvectors.
    #[test]
    fn the_pseudoinverse_of_s_b_says_the_same() {
        let (d, c) = (6, 3);
        let (rows, labels) = gaussian_classes(8, 3, 20, d, 3.0);
        let (cloud, classes) = cloud(&rows, d, &labels, c);
        let means = centred_means(&classes);
        let (mut between, mut within) = (vec![0.0; d * d], vec![0.0; d * d]);
        for i in 0..d {
            for j in 0..d {
                between[i * d + j] = means.iter().map(|m| m[i] * m[j]).sum::<f64>() / c as f64;
                within[i * d + j] = (cloud.points().zip(cloud.labels()))
                    .map(|(x, &y)| (x[i] - classes[y as usize].mean[i]) * (x[j] - classes[y as usize].mean[j]))
                    .sum::<f64>()
                    / cloud.len() as f64;
            }
        }
        let (values, vectors) = eigenvectors(between, d).unwrap();
        let mut expected = 0.0;
        for (w, u) in values.iter().zip(vectors.chunks_exact(d)).skip(d - (c - 1)) {
            let quadratic: f64 = (0..d * d).map(|ij| u[ij / d] * within[ij] * u[ij % d]).sum();
            expected += quadratic / w;
        }
        expected /= c as f64;
        let found = variability_collapse(&cloud, &classes).unwrap();
        // The eigenvectors are off by some d u |S_B| over the gap of its eigenvalues, which are of one size here.
        assert!((found - expected).abs() < 1e-12 * expected, "{found} {expected}");
    }

    #[test]
    fn a_collapsed_simplex_has_zeros() {
        // Three unit vectors of the plane's simplex, two samples each, far from the origin; the classifier is their frame.
        let (h, r) = (0.5, 0.75f64.sqrt());
        let corners = [[1.0, 0.0], [-h, r], [-h, -r]];
        let rows: Vec<f64> = corners
            .iter()
            .chain(&corners)
            .flatten()
            .map(|v| 4.0 + 2.0 * v)
            .collect();
        let (cloud, classes) = cloud(&rows, 2, &[0, 1, 2, 0, 1, 2], 3);
        let weight = corners.concat();
        let bias = corners.iter().map(|w| -4.0 * (w[0] + w[1])).collect();
        let classifier = Classifier {
            weight,
            bias: Some(bias),
        };
        let bound = 50.0 * f64::EPSILON;
        assert!(variability_collapse(&cloud, &classes).unwrap() < bound);
        let [lengths, angles] = simplex(&classes).unwrap();
        assert!(lengths < bound && angles < bound, "{lengths} {angles}");
        assert!(self_duality(&cloud, &classes, &classifier).unwrap() < bound);
        assert_eq!(nearest_mean_mismatch(&cloud, &classes, &classifier), Ok(0.0));
        // A classifier that is turned by half a turn disagrees everywhere, and is as far as two unit matrices can be.
        let turned = Classifier {
            weight: classifier.weight.iter().map(|w| -w).collect(),
            bias: classifier.bias.map(|bias| bias.iter().map(|b| -b).collect()),
        };
        assert_eq!(nearest_mean_mismatch(&cloud, &classes, &turned), Ok(1.0));
        assert!((self_duality(&cloud, &classes, &turned).unwrap() - 4.0).abs() < bound);
    }

    #[test]
    fn edge_cases_have_stated_values() {
        let (one, summary) = cloud(&[1.0, 2.0], 1, &[0, 0], 1);
        assert_eq!(variability_collapse(&one, &summary), Err(GeometryError::OneClass));
        assert_eq!(simplex(&summary), Err(GeometryError::OneClass));
        // Coincident means.
        let (same, summary) = cloud(&[1.0, 3.0, 2.0], 1, &[0, 0, 1], 2);
        assert!(variability_collapse(&same, &summary).unwrap().is_nan());
        assert!(simplex(&summary).unwrap().iter().all(|v| v.is_nan()));
        let classifier = Classifier {
            weight: vec![1.0],
            bias: None,
        };
        assert!(matches!(
            self_duality(&same, &summary, &classifier),
            Err(GeometryError::Shape { .. })
        ));
        // By hand: means 1 and 5, deviations 1; m = -2, 2; S_W = 1, S_B = 4.
        let (line, summary) = cloud(&[0.0, 2.0, 4.0, 6.0], 1, &[0, 0, 1, 1], 2);
        assert!((variability_collapse(&line, &summary).unwrap() - 1.0 / 8.0).abs() < 4.0 * f64::EPSILON);
        // Means 0, 2, 7: m = -3, -1, 4, of mean length 8/3; cosines 1, -1, -1.
        let (_, three) = cloud(&[0.0, 2.0, 7.0], 1, &[0, 1, 2], 3);
        let [lengths, angles] = simplex(&three).unwrap();
        assert!(
            (lengths - (7.0f64 / 3.0).sqrt() * 3.0 / 8.0).abs() < 8.0 * f64::EPSILON,
            "{lengths}"
        );
        assert!((angles - 5.0 / 6.0).abs() < 8.0 * f64::EPSILON, "{angles}");
        // A tie, 3 is as near to 1 as to 5, goes to class 0; w x = (0, 0) too.
        let (tie, summary) = cloud(&[0.0, 2.0, 3.0, 7.0], 1, &[0, 0, 1, 1], 2);
        let classifier = Classifier {
            weight: vec![0.0, 0.0],
            bias: None,
        };
        assert_eq!(nearest_mean_mismatch(&tie, &summary, &classifier), Ok(0.25));
    }
}
