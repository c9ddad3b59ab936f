//! Generalised discrimination value: mean distances within classes against those between, of standardised rows.
//!
//! ```text
//!   s_id = (x_id - mean_d) / (2 sd_d)
//!   GDV = 1/sqrt(D) [ 1/C sum_c intra_c - 2/(C(C-1)) sum_{a<b} inter_ab ]
//!   intra_c: mean of |s_i - s_j| over the pairs i < j of c;   inter_ab: over all pairs of a and b
//! ```
//! A. Schilling et al., Neural Networks 139, 278 (2021), eq. 1 to 6. sd with 1/N. No unit; about 0 without structure, -1 for perfectly
//! separated points; translations and a scale of each coordinate change nothing. A coordinate that never changes is 0 in every s.
//! A class of one member has no pairs: an error, as is one class.
//!
//! ```
//! use disentangle::backend::Reference;
//! use disentangle::geometry::generalized_discrimination::{generalized_discrimination, half_scores};
//! use disentangle::geometry::{Cloud, Settings, Survey};
//!
//! // Two classes, each a point that is there twice: mean 1 and sd 1, so that s is -1/2 or 1/2.
//! let cloud = Cloud::new(vec![0.0, 0.0, 2.0, 2.0], 1, vec![0, 0, 1, 1], 2)?;
//! let scores = half_scores(&cloud)?;
//! assert_eq!(scores.rows(), [-0.5, -0.5, 0.5, 0.5]);
//! // No distance within a class, 1 between them: as low as it gets.
//! let survey = Survey::new(&scores, &Reference, Settings::default());
//! assert_eq!(generalized_discrimination(survey.distances()?, 1)?, -1.0);
//! # Ok::<(), disentangle::geometry::GeometryError>(())
//! ```

use super::class_distance::ClassDistances;
use super::cloud::{Cloud, center_rows};
use super::error::GeometryError;

/// s: the rows of a cloud, standardised and halved.
///
/// # Errors
/// Those of [`Cloud::new`].
pub fn half_scores(cloud: &Cloud) -> Result<Cloud, GeometryError> {
    let cols = cloud.cols();
    let mut rows = cloud.rows().to_vec();
    center_rows(&mut rows, cols);
    let mut squares = vec![0.0; cols];
    for row in rows.chunks_exact(cols) {
        squares.iter_mut().zip(row).for_each(|(s, v)| *s += v * v);
    }
    let scale: Vec<f64> = squares
        .iter()
        .map(|square| {
            let deviation = (square / cloud.len() as f64).sqrt();
            if deviation > 0.0 { 0.5 / deviation } else { 0.0 }
        })
        .collect();
    for row in rows.chunks_exact_mut(cols) {
        row.iter_mut().zip(&scale).for_each(|(v, s)| *v *= s);
    }
    cloud.with_rows(rows, cols)
}

/// GDV by the mean distances of the standardised rows of `cols` coordinates.
///
/// # Errors
/// [`GeometryError::OneClass`]; [`GeometryError::ClassSize`] for a class of one member.
pub fn generalized_discrimination(distances: &ClassDistances, cols: usize) -> Result<f64, GeometryError> {
    let c = distances.classes();
    if c < 2 {
        return Err(GeometryError::OneClass);
    }
    let mut within = 0.0;
    for class in 0..c {
        within += distances.within(class)?;
    }
    let pairs = (0..c).flat_map(|a| (a + 1..c).map(move |b| (a, b)));
    let between: f64 = pairs.map(|(a, b)| distances.between(a, b)).sum();
    let c = c as f64;
    Ok((within / c - 2.0 * between / (c * (c - 1.0))) / (cols as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Reference;
    use crate::data::synthetic::gaussian_classes;
    use crate::geometry::class_summary::squared_distance;
    use crate::geometry::{Settings, Survey, metric};

    fn of(rows: &[f64], cols: usize, labels: &[u32], classes: usize) -> Result<f64, GeometryError> {
        let cloud = Cloud::new(rows.to_vec(), cols, labels.to_vec(), classes).unwrap();
        let survey = Survey::new(&cloud, &Reference, Settings::default());
        let metric = metric::named("generalized-discrimination-value").unwrap();
        metric.of(&survey).map(|values| values[0])
    }

    #[test]
    fn plain_loops_say_the_same_and_scales_change_nothing() {
        let (mut rows, labels) = gaussian_classes(3, 3, 10, 4, 3.0);
        rows.chunks_exact_mut(4).for_each(|row| row[2] = 7.0);
        let (n, d) = (30, 4);
        let mut scores = rows.clone();
        for k in 0..d {
            let column: Vec<f64> = rows.iter().skip(k).step_by(d).copied().collect();
            let mean = column.iter().sum::<f64>() / n as f64;
            let deviation = (column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64).sqrt();
            for (i, v) in column.iter().enumerate() {
                scores[i * d + k] = if k == 2 { 0.0 } else { 0.5 * (v - mean) / deviation };
            }
        }
        let distance = |i: usize, j: usize| squared_distance(&scores[i * d..][..d], &scores[j * d..][..d]).sqrt();
        let mean = |a: u32, b: u32| {
            let pairs = (0..n).flat_map(|i| (0..i).map(move |j| (i, j)));
            let own: Vec<f64> = pairs
                .filter(|&(i, j)| (labels[i], labels[j]) == (a, b) || (labels[j], labels[i]) == (a, b))
                .map(|(i, j)| distance(i, j))
                .collect();
            own.iter().sum::<f64>() / own.len() as f64
        };
        let within = (mean(0, 0) + mean(1, 1) + mean(2, 2)) / 3.0;
        let between = (mean(0, 1) + mean(0, 2) + mean(1, 2)) / 3.0;
        let expected = (within - between) / 2.0;
        let found = of(&rows, d, &labels, 3).unwrap();
        // 435 distances of a size of 1.
        assert!((found - expected).abs() < 2000.0 * f64::EPSILON, "{found} {expected}");
        let scaled: Vec<f64> = rows
            .chunks(4)
            .flat_map(|r| [3.0 * r[0], r[1] / 7.0, 1.0, r[3] - 5.0])
            .collect();
        assert!((of(&scaled, d, &labels, 3).unwrap() - found).abs() < 2000.0 * f64::EPSILON);
    }

    #[test]
    fn edge_cases_have_stated_values() {
        // Two points, each twice: scores -1/2 and 1/2.
        assert_eq!(of(&[1.0, 1.0, 3.0, 3.0], 1, &[0, 0, 1, 1], 2), Ok(-1.0));
        assert_eq!(of(&[1.0; 4], 1, &[0, 0, 1, 1], 2), Ok(0.0));
        assert_eq!(of(&[1.0, 3.0], 1, &[0, 0], 1), Err(GeometryError::OneClass));
        assert!(matches!(
            of(&[1.0, 3.0, 2.0], 1, &[0, 0, 1], 2),
            Err(GeometryError::ClassSize { class: 1, .. })
        ));
    }
}
