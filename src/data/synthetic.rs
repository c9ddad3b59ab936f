//! Data without a file: Gaussian clouds, one per class.

use rand_distr::{Distribution, StandardNormal};

use super::streams::{Stream, generator};

/// `classes` clouds of `per_class` points each in `dimension` dimensions: unit variance in every direction, around
/// centres that are `separation` times a uniformly random unit vector.
///
/// Returns the points, `[classes * per_class, dimension]`, class after class, and their class indices. The normal
/// numbers come from the stream [`GaussianClasses`](Stream::GaussianClasses) of `seed`: first those of all centres,
/// then those of the points in the order returned. Equal arguments give equal bits on one kind of processor.
///
/// ```
/// use disentangle::data::synthetic::gaussian_classes;
///
/// // Two classes of 1000 points in the plane, class after class.
/// let (points, labels) = gaussian_classes(0, 2, 1000, 2, 10.0);
/// assert_eq!((points.len(), labels[999], labels[1000]), (4000, 0, 1));
/// // The mean of class 0 is its centre, 10 from the origin, with a deviation of sqrt(1 / 1000): within five of these.
/// let mean = |axis: usize| points[..2000].iter().skip(axis).step_by(2).sum::<f64>() / 1000.0;
/// assert!((mean(0).hypot(mean(1)) - 10.0).abs() < 5.0 / 1000f64.sqrt());
/// // The same seed gives the same points.
/// assert_eq!(gaussian_classes(0, 2, 1000, 2, 10.0).0, points);
/// ```
pub fn gaussian_classes(
    seed: u64,
    classes: u32,
    per_class: usize,
    dimension: usize,
    separation: f64,
) -> (Vec<f64>, Vec<u32>) {
    let mut rng = generator(seed, Stream::GaussianClasses);
    let mut normals = || -> Vec<f64> { (0..dimension).map(|_| StandardNormal.sample(&mut rng)).collect() };
    let centres: Vec<Vec<f64>> = (0..classes)
        .map(|_| {
            let direction = normals();
            let norm = direction.iter().map(|x: &f64| x * x).sum::<f64>().sqrt();
            direction.into_iter().map(|x| separation * x / norm).collect()
        })
        .collect();
    let (mut points, mut labels) = (Vec::new(), Vec::new());
    for (label, centre) in (0..classes).zip(&centres) {
        for _ in 0..per_class {
            points.extend(normals().iter().zip(centre).map(|(x, c)| c + x));
            labels.push(label);
        }
    }
    (points, labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clouds_have_their_centres_and_unit_variance() {
        let (classes, n, dimension, separation) = (3, 4000, 5, 7.0);
        let (points, labels) = gaussian_classes(11, classes, n, dimension, separation);
        assert_eq!((points.len(), labels.len()), (3 * n * dimension, 3 * n));
        for class in 0..classes {
            let rows: Vec<&[f64]> = points
                .chunks(dimension)
                .zip(&labels)
                .filter(|&(_, &l)| l == class)
                .map(|(row, _)| row)
                .collect();
            assert_eq!(rows.len(), n);
            let mean: Vec<f64> = (0..dimension)
                .map(|d| rows.iter().map(|r| r[d]).sum::<f64>() / n as f64)
                .collect();
            // A coordinate of the mean has the deviation 1/sqrt(n) = 0.016, so the norm of the mean is off by at most
            // six deviations in each of 5 coordinates: 6 * 0.016 * sqrt(5) = 0.21.
            let norm = mean.iter().map(|m| m * m).sum::<f64>().sqrt();
            assert!((norm - separation).abs() < 0.21, "{norm}");
            for d in 0..dimension {
                let variance = rows.iter().map(|r| (r[d] - mean[d]).powi(2)).sum::<f64>() / (n - 1) as f64;
                // The deviation of a variance is sqrt(2/n) = 0.022; six of them.
                assert!((variance - 1.0).abs() < 0.134, "{variance}");
            }
        }
    }

    #[test]
    fn equal_arguments_give_equal_bits() {
        let bits = |seed| {
            gaussian_classes(seed, 2, 5, 3, 1.5)
                .0
                .iter()
                .map(|x| x.to_bits())
                .collect::<Vec<_>>()
        };
        assert_eq!(bits(4), bits(4));
        assert_ne!(bits(4), bits(5));
        assert_eq!(gaussian_classes(1, 0, 5, 3, 1.0), (vec![], vec![]));
        assert_eq!(gaussian_classes(1, 2, 1, 0, 1.0), (vec![], vec![0, 1]));
    }
}
