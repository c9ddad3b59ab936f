//! How the nearest neighbour classifies each point, and by what margin.
//!
//! ```text
//!   error  = 1/N #{ i : y_nn(i) != y_i },   nn(i): the nearest other point, ties to the lowest row
//!   margin_i = ( |x_i - nearest of another class| - |x_i - nearest other of its own| ) / 2
//! ```
//! Error: leave one out (T. Cover and P. Hart, IEEE Trans. Inf. Theory 13, 21 (1967)), a fraction. Margin: the hypothesis margin of K. Crammer,
//! R. Gilad-Bachrach, A. Navot and N. Tishby, NIPS 2002, in the units of the rows: positive exactly where the neighbour is right, and as far as the
//! point may move before it is not. Duplicates of another class: at most 0. A point alone in its class has no margin: NaN, left out of the mean.
//!
//! ```
//! use disentangle::backend::Reference;
//! use disentangle::backend::pairwise::Form;
//! use disentangle::geometry::Cloud;
//! use disentangle::geometry::nearest_neighbor::{Margins, margins, nearest_neighbor_error};
//!
//! // On a line: 0 and 1 of class 0, 3 and 7 of class 1. The 3 is nearer to the 1 than to the 7.
//! let cloud = Cloud::new(vec![0.0, 1.0, 3.0, 7.0], 1, vec![0, 0, 1, 1], 2)?;
//! let found: Margins = margins(&cloud, cloud.rows(), &Reference, Form::Direct)?;
//! assert_eq!(found.own, [1.0, 1.0, 4.0, 4.0]);
//! assert_eq!(found.other, [3.0, 2.0, 2.0, 6.0]);
//! assert!(found.of_rows().eq([1.0, 0.5, -1.0, 1.0]));
//! assert_eq!(found.mean(), 1.5 / 4.0);
//! // The classes of the nearest neighbours, one stored for each row: the third is wrong.
//! assert_eq!(nearest_neighbor_error(&[0, 0, 0, 1], 1, cloud.labels()), 0.25);
//! # Ok::<(), disentangle::geometry::GeometryError>(())
//! ```

use super::cloud::{Cloud, check_rows};
use super::error::GeometryError;
use crate::backend::pairwise::{Form, Metric, Pairwise, PairwiseError, Points};

/// What is known of each row.
#[derive(Clone, Debug, PartialEq)]
pub struct Margins {
    /// Distance to the nearest other member of its class; NaN without one.
    pub own: Vec<f64>,
    /// Distance to the nearest point of another class.
    pub other: Vec<f64>,
}

impl Margins {
    /// margin_i
    pub fn of_rows(&self) -> impl Iterator<Item = f64> {
        self.own.iter().zip(&self.other).map(|(own, other)| (other - own) / 2.0)
    }

    /// Mean over the rows that have one; NaN if none has.
    pub fn mean(&self) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for margin in self.of_rows().filter(|margin| !margin.is_nan()) {
            sum += margin;
            count += 1.0;
        }
        sum / count
    }
}

/// Fraction of rows whose nearest neighbour, the first of `neighbors` `[N, stored]` (labels), is of another class. NaN if none is stored.
pub fn nearest_neighbor_error(neighbors: &[u32], stored: usize, labels: &[u32]) -> f64 {
    if stored == 0 {
        return f64::NAN;
    }
    let wrong = neighbors
        .chunks_exact(stored)
        .zip(labels)
        .filter(|(row, label)| row[0] != **label);
    wrong.count() as f64 / labels.len() as f64
}

/// Margins of a cloud with coordinates `rows`: each class against itself and against all others.
///
/// # Errors
/// [`GeometryError::OneClass`]; [`GeometryError::Shape`] for other numbers of rows; [`GeometryError::Pairs`]
pub fn margins(cloud: &Cloud, rows: &[f64], pairs: &dyn Pairwise, form: Form) -> Result<Margins, GeometryError> {
    cloud.several_classes()?;
    let cols = cloud.cols();
    let n = cloud.len();
    check_rows("coordinates", rows, n, cols)?;
    let mut margins = Margins {
        own: vec![f64::NAN; n],
        other: vec![f64::NAN; n],
    };
    let failed = |error: PairwiseError| GeometryError::Pairs {
        detail: error.to_string(),
    };
    for class in 0..cloud.classes() as u32 {
        let (mut places, mut inside, mut outside) = (Vec::new(), Vec::new(), Vec::new());
        for (i, (row, &label)) in rows.chunks_exact(cols).zip(cloud.labels()).enumerate() {
            if label == class {
                places.push(i);
                inside.extend_from_slice(row);
            } else {
                outside.extend_from_slice(row);
            }
        }
        let members = Points::new(&inside, cols).map_err(failed)?;
        let others = Points::new(&outside, cols).map_err(failed)?;
        let nearest = |other: Option<&Points>| {
            pairs
                .nearest(&members, other, Metric::Euclidean, 1, form)
                .map_err(failed)
        };
        let other = nearest(Some(&others))?;
        for (&i, distance) in places.iter().zip(other.distances) {
            margins.other[i] = distance;
        }
        if places.len() > 1 {
            for (&i, distance) in places.iter().zip(nearest(None)?.distances) {
                margins.own[i] = distance;
            }
        }
    }
    Ok(margins)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Reference;
    use crate::data::synthetic::gaussian_classes;
    use crate::geometry::class_summary::squared_distance;

    #[test]
    fn plain_loops_say_the_same() {
        let (mut rows, mut labels) = gaussian_classes(8, 3, 8, 3, 1.0);
        rows.extend([9.0, 9.0, 9.0]);
        labels.push(3);
        let cloud = Cloud::new(rows.clone(), 3, labels.clone(), 4).unwrap();
        let found = margins(&cloud, &rows, &Reference, Form::Direct).unwrap();
        for (i, x) in cloud.points().enumerate() {
            let nearest = |same: bool| {
                let others = cloud
                    .points()
                    .enumerate()
                    .filter(|&(j, _)| j != i && (labels[j] == labels[i]) == same);
                others
                    .map(|(_, y)| squared_distance(x, y).sqrt())
                    .fold(f64::INFINITY, f64::min)
            };
            assert!((found.other[i] - nearest(false)).abs() < 1e-14);
            assert!(i == 24 || (found.own[i] - nearest(true)).abs() < 1e-14);
        }
        assert!(found.own[24].is_nan());
        assert_eq!(found.mean(), found.of_rows().take(24).sum::<f64>() / 24.0);
    }

    #[test]
    fn the_sign_of_a_margin_is_the_neighbours_verdict() {
        let (rows, labels) = gaussian_classes(9, 2, 30, 2, 1.0);
        let cloud = Cloud::new(rows.clone(), 2, labels.clone(), 2).unwrap();
        let points = Points::new(&rows, 2).unwrap().labels(&labels, 2).unwrap();
        let nearest = Reference
            .nearest(&points, None, Metric::Euclidean, 3, Form::Direct)
            .unwrap();
        let error = nearest_neighbor_error(&nearest.labels, 3, &labels);
        let margins = margins(&cloud, &rows, &Reference, Form::Direct).unwrap();
        let negative = margins.of_rows().filter(|m| *m < 0.0).count();
        assert!(negative > 0);
        assert_eq!(error, negative as f64 / 60.0);
    }
}
