//! Linear separability, enclosed: no point of the hulls is nearer than a hyperplane proves, and two points of them are as near as stated.
//!
//! The nearest point x of the hull of all differences to the origin is approached by steps between two corners (pairwise Frank-Wolfe,
//! S. Lacoste-Julien and M. Jaggi, NIPS 2015): another way than Wolfe's in `geometry`. Any x of the hull bounds the distance from
//! above, |x|, and min_v x v / |x| over the corners v from below.

use super::estimate::{Estimate, W};
use super::sample::Sample;

/// Steps at most; the enclosure is as wide as they leave it.
const STEPS: usize = 4000;
/// The relative gap of `geometry` in the squared distance, and what counts as zero there, in units of the largest difference.
const GAP: f64 = 1e-12;
const ZERO: f64 = 1e-8;

/// delta of every pair of classes.
pub(super) fn linear_separability(sample: &Sample) -> Option<Vec<Estimate>> {
    Some(sample.class_pairs().map(|(a, b)| distance(sample, a, b)).collect())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn distance(sample: &Sample, a: usize, b: usize) -> Estimate {
    let of = |class: usize| (0..sample.labels.len()).filter(move |&i| sample.label(i) == class);
    let corners: Vec<Vec<f64>> = of(a)
        .flat_map(|i| of(b).map(move |j| (i, j)))
        .map(|(i, j)| sample.row(i).iter().zip(sample.row(j)).map(|(x, y)| x - y).collect())
        .collect();
    let largest = corners.iter().map(|v| dot(v, v)).fold(0.0, f64::max).sqrt();
    let mut weights = vec![0.0; corners.len()];
    weights[0] = 1.0;
    let mut x = corners[0].clone();
    let (mut low, mut high) = (0.0f64, f64::INFINITY);
    for _ in 0..STEPS {
        let products: Vec<f64> = corners.iter().map(|v| dot(v, &x)).collect();
        let square = dot(&x, &x);
        high = high.min(square.sqrt());
        let towards = lowest(&products, |_| true);
        low = low.max(products[towards] / square.sqrt());
        if high - low <= GAP * high || high <= ZERO * largest {
            break;
        }
        // From the worst corner that has weight to the best of all.
        let away = lowest(&products.iter().map(|p| -p).collect::<Vec<_>>(), |n| weights[n] > 0.0);
        let direction: Vec<f64> = corners[towards]
            .iter()
            .zip(&corners[away])
            .map(|(t, a)| t - a)
            .collect();
        let length = dot(&direction, &direction);
        if length == 0.0 {
            break;
        }
        let step = (-dot(&x, &direction) / length).clamp(0.0, weights[away]);
        weights[towards] += step;
        weights[away] -= step;
        x.iter_mut().zip(&direction).for_each(|(x, d)| *x += step * d);
    }
    // What the rows' mean costs when it is subtracted, and every product.
    let size = sample.rows.iter().fold(0.0f64, |top, x| top.max(x.abs()));
    let rounding = 8.0 * (sample.cols as f64).sqrt() * W * size + (sample.cols as f64 + 8.0) * W * largest;
    let middle = 0.5 * (low.max(0.0) + high);
    // A distance that counts as zero: anything up to it may be 0.
    let zero = if low <= 2.0 * ZERO * largest {
        high.min(2.0 * ZERO * largest)
    } else {
        0.0
    };
    let error = 0.5 * (high - low.max(0.0)) + GAP * high + rounding + zero;
    Estimate::about(middle, error, 0)
}

fn lowest(values: &[f64], counts: impl Fn(usize) -> bool) -> usize {
    let mut best = (0, f64::INFINITY);
    for (n, &value) in values.iter().enumerate() {
        if counts(n) && value < best.1 {
            best = (n, value);
        }
    }
    best.0
}
