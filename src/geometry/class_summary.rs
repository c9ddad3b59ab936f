//! Mean and mean squared deviation of each class, in two passes: nothing cancels, however far the cloud is from the origin.
//!
//! ```text
//!   mu_c = 1/n_c sum_{i in c} x_i        v_c = 1/n_c sum_{i in c} |x_i - mu_c|^2  (= R_c^2, the gyration radius squared)
//! ```
//!
//! ```
//! use disentangle::geometry::class_summary::{check_summaries, mean_of_means, scatter, squared_distance, total_mean};
//! use disentangle::geometry::{ClassSummary, Cloud};
//!
//! // On a line: 0 alone, and 3, 4, 5 with the mean 4.
//! let cloud = Cloud::new(vec![0.0, 3.0, 4.0, 5.0], 1, vec![0, 1, 1, 1], 2)?;
//! let classes = ClassSummary::of(&cloud);
//! // 12 / 4, and (0 + 4) / 2.
//! assert_eq!(total_mean(&classes), [3.0]);
//! assert_eq!(mean_of_means(&classes), [2.0]);
//! assert_eq!(squared_distance(&classes[0].mean, &classes[1].mean), 16.0);
//! // Between: 1 * 3^2 + 3 * 1^2. Within: 1 + 0 + 1.
//! let (between, within) = scatter(&classes);
//! assert!(between == 12.0 && (within - 2.0).abs() < 1e-12);
//! // Summaries belong to their cloud.
//! let wrong = check_summaries(&cloud, &classes[1..]).map_err(|error| error.to_string());
//! assert_eq!(wrong, Err("1 class summaries, expected 2 of 1 columns (those of the rows)".into()));
//! # Ok::<(), disentangle::geometry::GeometryError>(())
//! ```

use super::cloud::Cloud;
use super::error::GeometryError;
use super::moments::ClassMoments;

/// What is known of a class from its moments.
///
/// ```
/// use disentangle::geometry::{ClassSummary, Cloud};
///
/// // Two points, each 1 from their mean (0, 1), and one that is its own mean.
/// let cloud = Cloud::new(vec![0.0, 0.0, 0.0, 2.0, 9.0, 9.0], 2, vec![0, 0, 1], 2)?;
/// let classes = ClassSummary::of(&cloud);
/// assert_eq!(classes[0], ClassSummary { count: 2.0, mean: vec![0.0, 1.0], variance: 1.0 });
/// assert_eq!(classes[1].variance, 0.0);
/// # Ok::<(), disentangle::geometry::GeometryError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ClassSummary {
    /// Members.
    pub count: f64,
    /// mu_c, in the units of the rows.
    pub mean: Vec<f64>,
    /// v_c, in those units squared.
    pub variance: f64,
}

impl ClassSummary {
    /// Of every class of a cloud.
    pub fn of(cloud: &Cloud) -> Vec<ClassSummary> {
        let cols = cloud.cols();
        let mut means = vec![vec![0.0; cols]; cloud.classes()];
        // The second round takes away what the first one's rounding left.
        for _ in 0..2 {
            let mut sums = vec![vec![0.0; cols]; cloud.classes()];
            for (row, &label) in cloud.points().zip(cloud.labels()) {
                let mean = &means[label as usize];
                let sum = &mut sums[label as usize];
                for ((s, v), m) in sum.iter_mut().zip(row).zip(mean) {
                    *s += v - m;
                }
            }
            for ((mean, sum), &count) in means.iter_mut().zip(&sums).zip(cloud.counts()) {
                mean.iter_mut().zip(sum).for_each(|(m, s)| *m += s / count as f64);
            }
        }
        let mut squares = vec![0.0; cloud.classes()];
        for (row, &label) in cloud.points().zip(cloud.labels()) {
            squares[label as usize] += squared_distance(row, &means[label as usize]);
        }
        let summary = |((mean, square), &count): ((Vec<f64>, f64), &usize)| ClassSummary {
            count: count as f64,
            mean,
            variance: square / count as f64,
        };
        means
            .into_iter()
            .zip(squares)
            .zip(cloud.counts())
            .map(summary)
            .collect()
    }
}

/// Checks that there is a summary per class of the cloud, with its columns.
///
/// # Errors
/// [`GeometryError::Shape`]
pub fn check_summaries(cloud: &Cloud, classes: &[ClassSummary]) -> Result<(), GeometryError> {
    if classes.len() != cloud.classes() || classes.iter().any(|class| class.mean.len() != cloud.cols()) {
        return Err(GeometryError::Shape {
            detail: format!(
                "{} class summaries, expected {} of {} columns (those of the rows)",
                classes.len(),
                cloud.classes(),
                cloud.cols()
            ),
        });
    }
    Ok(())
}

impl From<&ClassMoments> for ClassSummary {
    /// From sums about the origin: see [`ClassMoments`] for what cancels.
    fn from(moments: &ClassMoments) -> ClassSummary {
        let radius = super::gyration_radius(moments);
        ClassSummary {
            count: moments.count,
            mean: moments.centroid().collect(),
            variance: radius * radius,
        }
    }
}

/// |a - b|^2
pub fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// The mean of all points: the mean of the class means with the members as weights.
pub fn total_mean(classes: &[ClassSummary]) -> Vec<f64> {
    weighted_mean(classes, |class| class.count)
}

/// The mean of the class means, each class counting once.
pub fn mean_of_means(classes: &[ClassSummary]) -> Vec<f64> {
    weighted_mean(classes, |_| 1.0)
}

fn weighted_mean(classes: &[ClassSummary], weight: impl Fn(&ClassSummary) -> f64) -> Vec<f64> {
    let Some(first) = classes.first() else {
        return Vec::new();
    };
    // Differences to the first mean, so that a far origin costs nothing.
    let total: f64 = classes.iter().map(&weight).sum();
    let mut mean = first.mean.clone();
    for class in classes {
        let share = weight(class) / total;
        for ((m, own), base) in mean.iter_mut().zip(&class.mean).zip(&first.mean) {
            *m += share * (own - base);
        }
    }
    mean
}

/// tr S_B = sum n_c |mu_c - mu|^2 and tr S_W = sum n_c v_c: scatter between and within classes.
pub fn scatter(classes: &[ClassSummary]) -> (f64, f64) {
    let mean = total_mean(classes);
    let between = |class: &ClassSummary| class.count * squared_distance(&class.mean, &mean);
    (
        classes.iter().map(between).sum(),
        classes.iter().map(|class| class.count * class.variance).sum(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synthetic::gaussian_classes;

    #[test]
    fn moments_about_the_origin_agree_and_a_far_origin_changes_nothing() {
        let (rows, labels) = gaussian_classes(9, 3, 50, 6, 2.0);
        let near = ClassSummary::of(&Cloud::new(rows.clone(), 6, labels.clone(), 3).unwrap());
        for (class, summary) in near.iter().enumerate() {
            let other = ClassSummary::from(&ClassMoments::of_class(&rows, 6, &labels, class as u32));
            // 300 squares each; the moments cancel by less than 10.
            assert!((summary.variance - other.variance).abs() < 3000.0 * f64::EPSILON * summary.variance);
        }
        // 2^13 and coordinates cut to 30 bits: the shifted numbers are exact, so their deviations are too.
        let grid = |v: &f64| (v * 2f64.powi(26)).round() / 2f64.powi(26);
        let near = Cloud::new(rows.iter().map(grid).collect(), 6, labels.clone(), 3).unwrap();
        let far = near.rows().iter().map(|v| v + 8192.0).collect();
        let far = Cloud::new(far, 6, labels, 3).unwrap();
        let (near, far) = (ClassSummary::of(&near), ClassSummary::of(&far));
        for (near, far) in near.iter().zip(&far) {
            assert!((near.variance - far.variance).abs() < 1e-9 * near.variance);
        }
        assert!((scatter(&near).0 - scatter(&far).0).abs() < 1e-9 * scatter(&near).0);
    }
}
