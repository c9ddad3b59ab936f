//! Eigenvalues and eigenvectors of a symmetric matrix: Householder tridiagonalisation, then QL with implicit shifts.
//!
//! ```text
//!   A = Q T Q^T, T tridiagonal: one reflection per column        T = R diag(w) R^T: plane rotations, cubically convergent
//! ```
//! Martin, Reinsch and Wilkinson, Numer. Math. 11, 181 (1968); Bowdler et al., ibid. 11, 293 (EISPACK's tred2 and tql2). About 4/3 n^3
//! multiply-adds for the eigenvalues, 3 n^3 more for the vectors. Backward stable: each eigenvalue is off by some n u |A| at
//! most. A is finite; a matrix of order 0 has none. One page by hand, since the core takes no linear algebra crate.
//!
//! ```
//! use disentangle::geometry::eigen::{eigenvalues, eigenvectors};
//!
//! // 2 on the diagonal and 1 beside it: 2 - 1 along (1, -1) and 2 + 1 along (1, 1).
//! let matrix = vec![2.0, 1.0, 1.0, 2.0];
//! let values = eigenvalues(matrix.clone(), 2)?;
//! assert!((values[0] - 1.0).abs() < 1e-12 && (values[1] - 3.0).abs() < 1e-12);
//! let (_, vectors) = eigenvectors(matrix, 2)?;
//! assert!((vectors[0] + vectors[1]).abs() < 1e-12 && (vectors[2] - vectors[3]).abs() < 1e-12);
//! // Of length 1; the sign is not fixed.
//! assert!((vectors[2].abs() - 0.5f64.sqrt()).abs() < 1e-12);
//! # Ok::<(), disentangle::geometry::GeometryError>(())
//! ```

use super::error::GeometryError;

/// Ascending eigenvalues of the symmetric `matrix` `[n, n]`, of which the lower triangle is read.
///
/// # Errors
/// [`GeometryError::Shape`] for another number of elements; [`GeometryError::Diverged`] (a matrix of finite numbers does not).
pub fn eigenvalues(matrix: Vec<f64>, n: usize) -> Result<Vec<f64>, GeometryError> {
    decompose(matrix, n, false).map(|(values, _)| values)
}

/// Ascending eigenvalues, and unit eigenvectors as the rows of `[n, n]`.
///
/// # Errors
/// As [`eigenvalues`].
pub fn eigenvectors(matrix: Vec<f64>, n: usize) -> Result<(Vec<f64>, Vec<f64>), GeometryError> {
    decompose(matrix, n, true)
}

fn decompose(mut a: Vec<f64>, n: usize, with_vectors: bool) -> Result<(Vec<f64>, Vec<f64>), GeometryError> {
    if n.checked_mul(n) != Some(a.len()) {
        return Err(GeometryError::Shape {
            detail: format!("a matrix of {} elements, expected {n} x {n}", a.len()),
        });
    }
    for i in 0..n {
        for j in 0..i {
            a[j * n + i] = a[i * n + j];
        }
    }
    let (mut diagonal, mut below) = (vec![0.0; n], vec![0.0; n]);
    // Rows of `basis` are transformed as A's columns are: at the end A = basis^T T basis.
    let mut basis = if with_vectors { identity(n) } else { Vec::new() };
    tridiagonalize(&mut a, n, &mut diagonal, &mut below, &mut basis);
    implicit_ql(&mut diagonal, &mut below, &mut basis)?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| diagonal[i].total_cmp(&diagonal[j]));
    let values = order.iter().map(|&i| diagonal[i]).collect();
    let vectors = if with_vectors {
        order.iter().flat_map(|&i| basis[i * n..(i + 1) * n].to_vec()).collect()
    } else {
        Vec::new()
    };
    Ok((values, vectors))
}

fn identity(n: usize) -> Vec<f64> {
    let mut identity = vec![0.0; n * n];
    (0..n).for_each(|i| identity[i * n + i] = 1.0);
    identity
}

/// Reflections H = 1 - 2 v v^T, one per column, that leave T: `diagonal`, and `below[i]` = T[i][i - 1].
fn tridiagonalize(a: &mut [f64], n: usize, diagonal: &mut [f64], below: &mut [f64], basis: &mut [f64]) {
    let mut image = vec![0.0; n];
    for k in 0..n {
        diagonal[k] = a[k * n + k];
        if k + 1 == n {
            break;
        }
        // The column under the diagonal is mapped onto its first place. By symmetry it is the row k.
        let mut v: Vec<f64> = a[k * n + k + 1..(k + 1) * n].to_vec();
        let largest = v.iter().fold(0.0f64, |most, x| most.max(x.abs()));
        let norm = if largest == 0.0 {
            0.0
        } else {
            largest * v.iter().map(|x| (x / largest) * (x / largest)).sum::<f64>().sqrt()
        };
        let alpha = if v[0] > 0.0 { -norm } else { norm };
        below[k + 1] = alpha;
        v[0] -= alpha;
        let length = v.iter().map(|x| (x / norm) * (x / norm)).sum::<f64>().sqrt() * norm;
        // A column that is zero already, or only its first place: nothing to reflect.
        if length.is_nan() || length <= 0.0 || v[1..].iter().all(|x| *x == 0.0) {
            below[k + 1] = alpha + v[0];
            continue;
        }
        v.iter_mut().for_each(|x| *x /= length);
        let m = v.len();
        // H A H = A - v w^T - w v^T with p = 2 A v, w = p - (v^T p) v.
        let image = &mut image[..m];
        for (i, p) in image.iter_mut().enumerate() {
            let row = &a[(k + 1 + i) * n + k + 1..(k + 2 + i) * n];
            *p = 2.0 * dot(row, &v);
        }
        let overlap = dot(&v, image);
        image.iter_mut().zip(&v).for_each(|(p, x)| *p -= overlap * x);
        for i in 0..m {
            let (vi, wi) = (v[i], image[i]);
            let row = &mut a[(k + 1 + i) * n + k + 1..(k + 2 + i) * n];
            for ((x, w), y) in row.iter_mut().zip(image.iter()).zip(&v) {
                *x -= vi * w + wi * y;
            }
        }
        // basis <- H basis: its rows k + 1 .. n.
        if !basis.is_empty() {
            let mut projection = vec![0.0; n];
            for (row, x) in basis[(k + 1) * n..].chunks_exact(n).zip(&v) {
                projection.iter_mut().zip(row).for_each(|(p, b)| *p += x * b);
            }
            for (row, x) in basis[(k + 1) * n..].chunks_exact_mut(n).zip(&v) {
                row.iter_mut().zip(&projection).for_each(|(b, p)| *b -= 2.0 * x * p);
            }
        }
    }
}

/// Four partial sums: a chain a quarter as long, and room for vector instructions.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (heads, tail) = a.as_chunks::<4>();
    let (others, rest) = b.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for (x, y) in heads.iter().zip(others) {
        for lane in 0..4 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let last: f64 = tail.iter().zip(rest).map(|(x, y)| x * y).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + last
}

/// QL steps on the tridiagonal matrix until nothing is left below its diagonal.
fn implicit_ql(diagonal: &mut [f64], below: &mut [f64], basis: &mut [f64]) -> Result<(), GeometryError> {
    const STEPS: usize = 50;
    let n = diagonal.len();
    // below[i] couples i and i + 1 from here on.
    below.rotate_left(usize::from(n > 0));
    for l in 0..n {
        let mut step = 0;
        loop {
            let negligible =
                |i: &usize| below[*i].abs() <= f64::EPSILON * (diagonal[*i].abs() + diagonal[*i + 1].abs());
            let m = (l..n - 1).find(negligible).unwrap_or(n - 1);
            if m == l {
                break;
            }
            if step == STEPS {
                return Err(GeometryError::Diverged {
                    detail: format!("no eigenvalue {l} of a matrix of order {n} after {STEPS} steps"),
                });
            }
            step += 1;
            // The shift is the eigenvalue of the leading 2 x 2 block that is nearer to its corner.
            let half = (diagonal[l + 1] - diagonal[l]) / (2.0 * below[l]);
            let length = half.hypot(1.0);
            let mut g = diagonal[m] - diagonal[l] + below[l] / (half + length.copysign(half));
            let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
            let mut cut = false;
            for i in (l..m).rev() {
                let (f, b) = (s * below[i], c * below[i]);
                let r = f.hypot(g);
                below[i + 1] = r;
                if r == 0.0 {
                    diagonal[i + 1] -= p;
                    below[m] = 0.0;
                    cut = true;
                    break;
                }
                s = f / r;
                c = g / r;
                g = diagonal[i + 1] - p;
                let t = (diagonal[i] - g) * s + 2.0 * c * b;
                p = s * t;
                diagonal[i + 1] = g + p;
                g = c * t - b;
                if !basis.is_empty() {
                    let (above, under) = basis.split_at_mut((i + 1) * n);
                    for (x, y) in above[i * n..].iter_mut().zip(&mut under[..n]) {
                        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
                    }
                }
            }
            if cut {
                continue;
            }
            diagonal[l] -= p;
            below[l] = g;
            below[m] = 0.0;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synthetic::gaussian_classes;

    /// A random symmetric matrix with a known range of sizes.
    fn symmetric(seed: u64, n: usize) -> Vec<f64> {
        let (x, _) = gaussian_classes(seed, 1, n, n, 1.0);
        (0..n * n).map(|ij| x[ij] + x[ij % n * n + ij / n]).collect()
    }

    #[test]
    fn vectors_diagonalise_and_are_orthonormal() {
        for n in [1, 2, 3, 10, 60] {
            let a = symmetric(n as u64, n);
            let norm = a.iter().map(|x| x * x).sum::<f64>().sqrt();
            let (values, vectors) = eigenvectors(a.clone(), n).unwrap();
            assert!(values.is_sorted());
            assert_eq!(
                values.len(),
                eigenvalues(a.clone(), n)
                    .unwrap()
                    .iter()
                    .zip(&values)
                    .filter(|(x, y)| (*x - *y).abs() <= 20.0 * n as f64 * f64::EPSILON * norm)
                    .count()
            );
            // Backward stability: some n u |A|.
            let bound = 20.0 * n as f64 * f64::EPSILON;
            for (w, v) in values.iter().zip(vectors.chunks_exact(n)) {
                for (row, x) in a.chunks_exact(n).zip(v) {
                    assert!((dot(row, v) - w * x).abs() <= bound * norm, "n = {n}, w = {w}");
                }
                for (u, other) in vectors.chunks_exact(n).zip(&values) {
                    let expected = f64::from(u8::from(other == w));
                    assert!((dot(u, v) - expected).abs() <= bound, "n = {n}");
                }
            }
        }
    }

    #[test]
    fn matrices_with_known_spectra() {
        // The second difference: 2 - 2 cos(k pi / (n + 1)).
        let n = 40;
        let mut a = vec![0.0; n * n];
        for i in 0..n {
            a[i * n + i] = 2.0;
            if i > 0 {
                a[i * n + i - 1] = -1.0;
            }
        }
        for (k, w) in eigenvalues(a, n).unwrap().iter().enumerate() {
            let expected = 2.0 - 2.0 * ((k + 1) as f64 * std::f64::consts::PI / (n + 1) as f64).cos();
            assert!((w - expected).abs() < 40.0 * f64::EPSILON * 4.0, "{k}: {w} {expected}");
        }
        // All ones: n, and 0 n - 1 times.
        let ones = eigenvalues(vec![1.0; 25], 5).unwrap();
        assert!((ones[4] - 5.0).abs() < 1e-14 && ones[..4].iter().all(|w| w.abs() < 1e-14));
        assert_eq!(eigenvalues(vec![0.0; 9], 3).unwrap(), [0.0; 3]);
        assert_eq!(eigenvalues(vec![3.0, 0.0, 0.0, -1.0], 2).unwrap(), [-1.0, 3.0]);
        assert_eq!(eigenvalues(vec![7.0], 1).unwrap(), [7.0]);
        assert_eq!(eigenvalues(vec![], 0).unwrap(), [0.0; 0]);
        // Sizes near the ends of the range neither overflow nor vanish.
        for scale in [1e-150, 1e150] {
            let w = eigenvalues([2.0, 1.0, 1.0, 2.0].map(|x| x * scale).to_vec(), 2).unwrap();
            assert!((w[0] / scale - 1.0).abs() < 1e-14 && (w[1] / scale - 3.0).abs() < 1e-14);
        }
    }

    /// Multiples of the smallest number, where a rotation may underflow to nothing (`r == 0`). Every rounding there is by half a unit: a unit
    /// and more for each row.
    #[test]
    fn matrices_of_the_smallest_numbers() {
        let unit = f64::from_bits(1);
        for (diagonal, below) in [([17.0, 8.0, -20.0], [1.0, 18.0]), ([12.0, -15.0, 19.0], [16.0, 3.0])] {
            let [a, b, c] = diagonal;
            let matrix = vec![a, below[0], 0.0, below[0], b, below[1], 0.0, below[1], c];
            let tiny = eigenvalues(matrix.iter().map(|x| x * unit).collect(), 3).unwrap();
            for (w, expected) in tiny.iter().zip(eigenvalues(matrix, 3).unwrap()) {
                assert!((w / unit - expected).abs() <= 3.0, "{}, expected {expected}", w / unit);
            }
        }
    }
}
