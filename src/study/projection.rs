//! Planes to look at points on: principal axes, and the plane of the class centroids.

use std::cmp::Ordering;

/// Iterations of [`principal_axes`] at most, and the multiplications they may take in all.
const ITERATIONS: usize = 2000;
const MULTIPLICATIONS: usize = 4_000_000_000;

/// What is left of an eigenvector's equation, |A v - lambda v| <= TOLERANCE * largest eigenvalue, when it counts as found.
const TOLERANCE: f64 = 1e-10;

/// Weighted mean and covariance of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Sum of the weights.
    pub weight: f64,
    /// `[cols]`
    pub mean: Vec<f64>,
    /// `[cols, cols]`: sum w (x - m)(x - m)^T / sum w.
    pub covariance: Vec<f64>,
}

/// Mean and covariance of rows `[n, cols]` with a weight each, in f64, the mean first.
pub fn moments<'a>(rows: impl Iterator<Item = (&'a [f32], f64)> + Clone, cols: usize) -> Moments {
    let (weight, mean) = mean(rows.clone(), cols);
    let mut covariance = vec![0.0; cols * cols];
    let mut centred = vec![0.0; cols];
    for (row, w) in rows {
        for ((c, &x), m) in centred.iter_mut().zip(row).zip(&mean) {
            *c = f64::from(x) - m;
        }
        for (line, &a) in covariance.chunks_exact_mut(cols).zip(&centred) {
            line.iter_mut().zip(&centred).for_each(|(sum, &b)| *sum += w * a * b);
        }
    }
    covariance.iter_mut().for_each(|sum| *sum /= weight);
    Moments {
        weight,
        mean,
        covariance,
    }
}

/// Sum of the weights and weighted mean of rows.
pub fn mean<'a>(rows: impl Iterator<Item = (&'a [f32], f64)>, cols: usize) -> (f64, Vec<f64>) {
    let (mut weight, mut sum) = (0.0, vec![0.0; cols]);
    for (row, w) in rows {
        weight += w;
        sum.iter_mut().zip(row).for_each(|(sum, &x)| *sum += w * f64::from(x));
    }
    sum.iter_mut().for_each(|s| *s /= weight);
    (weight, sum)
}

/// The `count` leading eigenvectors of a symmetric positive semidefinite `[n, n]` matrix, by orthogonal iteration (Golub
/// and Van Loan, Matrix Computations, 4th ed., section 8.2.4) from a fixed start. Each has length 1 and its largest
/// component positive; those of eigenvalue 0 are zero.
pub fn principal_axes(matrix: &[f64], n: usize, count: usize) -> Vec<Vec<f64>> {
    let block = (count + 4).min(n);
    let mut axes: Vec<Vec<f64>> = (0..block).map(|k| start(k, n)).collect();
    orthonormalise(&mut axes, 0.0);
    let trace: f64 = (0..n).map(|i| matrix[i * n + i]).sum();
    let iterations = (MULTIPLICATIONS / (n * n * block).max(1)).clamp(1, ITERATIONS);
    for _ in 0..iterations {
        let images: Vec<Vec<f64>> = axes.iter().map(|axis| apply(matrix, axis)).collect();
        let largest = axes
            .iter()
            .zip(&images)
            .map(|(v, image)| dot(v, image))
            .fold(0.0, f64::max);
        let residual = |(v, image): (&Vec<f64>, &Vec<f64>)| {
            let value = dot(v, image);
            let left: f64 = v.iter().zip(image).map(|(v, i)| (i - value * v).powi(2)).sum();
            left.sqrt()
        };
        let found = axes
            .iter()
            .zip(&images)
            .take(count)
            .all(|pair| residual(pair) <= TOLERANCE * largest);
        axes = images;
        // Below this a direction is rounding.
        orthonormalise(&mut axes, n as f64 * f64::EPSILON * trace);
        if found {
            break;
        }
    }
    axes.resize(axes.len().max(count), vec![0.0; n]);
    axes.truncate(count);
    axes.iter_mut().for_each(|axis| orient(axis));
    axes
}

/// Removes what `matrix` has along a unit vector: (1 - v v^T) A (1 - v v^T).
pub fn deflated(matrix: &[f64], v: &[f64]) -> Vec<f64> {
    let n = v.len();
    let image = apply(matrix, v);
    let along = dot(v, &image);
    let entry = |(i, a): (usize, &f64)| {
        let (row, col) = (i / n, i % n);
        a - v[row] * image[col] - image[row] * v[col] + along * v[row] * v[col]
    };
    matrix.iter().enumerate().map(entry).collect()
}

/// v^T A v / trace A: the share of the variance along a unit vector; 0 for a matrix of zeros.
pub fn share(matrix: &[f64], v: &[f64]) -> f64 {
    let n = v.len();
    let trace: f64 = (0..n).map(|i| matrix[i * n + i]).sum();
    if trace > 0.0 {
        dot(v, &apply(matrix, v)) / trace
    } else {
        0.0
    }
}

/// The unit vector from `a` to `b`; `None` if they are the same point.
pub fn direction(a: &[f64], b: &[f64]) -> Option<Vec<f64>> {
    let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| b - a).collect();
    let length = dot(&difference, &difference).sqrt();
    (length > 0.0).then(|| difference.iter().map(|d| d / length).collect())
}

/// a . b
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn apply(matrix: &[f64], v: &[f64]) -> Vec<f64> {
    matrix.chunks_exact(v.len()).map(|row| dot(row, v)).collect()
}

/// Start vector k: components that look random and are the same everywhere (SplitMix64).
fn start(k: usize, n: usize) -> Vec<f64> {
    let component = |i: usize| {
        let mut x = ((k * n + i + 1) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..n).map(component).collect()
}

/// Gram and Schmidt, modified and done twice; what is no longer than `least` becomes zero.
fn orthonormalise(vectors: &mut [Vec<f64>], least: f64) {
    for k in 0..vectors.len() {
        let (before, rest) = vectors.split_at_mut(k);
        let Some(v) = rest.first_mut() else { return };
        let mut length = 0.0;
        for _ in 0..2 {
            for other in before.iter() {
                let along = dot(other, v);
                v.iter_mut().zip(other).for_each(|(v, o)| *v -= along * o);
            }
            if length == 0.0 {
                length = dot(v, v).sqrt();
            }
            let norm = dot(v, v).sqrt();
            let scale = if length > least && norm > 0.0 { 1.0 / norm } else { 0.0 };
            v.iter_mut().for_each(|v| *v *= scale);
        }
    }
}

/// Turns a vector so that its largest component, the first of equals, is positive.
fn orient(v: &mut [f64]) {
    let larger = |best: &f64, v: &f64| v.abs().partial_cmp(&best.abs()) == Some(Ordering::Greater);
    let largest = v
        .iter()
        .copied()
        .fold(0.0, |best, v| if larger(&best, &v) { v } else { best });
    if largest < 0.0 {
        v.iter_mut().for_each(|v| *v = -*v);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A = Q diag(values) Q^T with Q a product of rotations.
    fn matrix(values: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let n = values.len();
        let mut q: Vec<Vec<f64>> = (0..n)
            .map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect())
            .collect();
        for i in 0..n - 1 {
            let (c, s) = (0.8, 0.6);
            let (a, b) = (q[i].clone(), q[i + 1].clone());
            for j in 0..n {
                (q[i][j], q[i + 1][j]) = (c * a[j] - s * b[j], s * a[j] + c * b[j]);
            }
        }
        let entry = |i: usize, j: usize| (0..n).map(|k| values[k] * q[k][i] * q[k][j]).sum();
        ((0..n * n).map(|at| entry(at / n, at % n)).collect(), q)
    }

    #[test]
    fn the_axes_are_the_eigenvectors_in_order_with_a_fixed_sign() {
        let values = [9.0, 5.0, 4.9, 1.0, 0.5, 0.1, 0.0, 0.0];
        let (a, q) = matrix(&values);
        let axes = principal_axes(&a, 8, 3);
        for ((axis, expected), value) in axes.iter().zip(&q).zip(values) {
            // |A v - lambda v| <= 9e-10 turns v by at most 9e-10 over the gap of 0.1.
            assert!((dot(axis, expected).abs() - 1.0).abs() < 1e-8, "{value}");
            assert!((share(&a, axis) - value / 20.5).abs() < 1e-8);
            assert!(
                axis.iter()
                    .copied()
                    .fold(0.0, |b: f64, v| if v.abs() > b.abs() { v } else { b })
                    > 0.0
            );
        }
        assert_eq!(axes, principal_axes(&a, 8, 3));
    }

    #[test]
    fn what_is_not_there_is_zero() {
        let (a, _) = matrix(&[3.0, 0.0, 0.0]);
        assert_eq!(principal_axes(&a, 3, 2)[1], [0.0; 3]);
        assert_eq!(principal_axes(&[2.0], 1, 2), [vec![1.0], vec![0.0]]);
        assert_eq!(principal_axes(&[0.0; 4], 2, 2), [[0.0; 2], [0.0; 2]]);
    }

    #[test]
    fn deflation_leaves_the_rest() {
        let (a, q) = matrix(&[9.0, 5.0, 1.0]);
        let rest = deflated(&a, &q[0]);
        assert!(share(&rest, &q[0]).abs() < 1e-14);
        assert!((dot(&principal_axes(&rest, 3, 1)[0], &q[1]).abs() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn weights_count_rows() {
        let rows: [&[f32]; 3] = [&[1.0, 2.0], &[3.0, -2.0], &[0.0, 1.0]];
        let weighted = moments(rows.into_iter().zip([2.0, 1.0, 1.0]), 2);
        let repeated = moments([rows[0], rows[0], rows[1], rows[2]].into_iter().zip([1.0; 4]), 2);
        // Small integers and quarters: exact in f64.
        assert_eq!(weighted, repeated);
        assert_eq!(weighted.mean, [1.25, 0.75]);
    }
}
