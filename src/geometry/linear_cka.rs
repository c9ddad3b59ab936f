//! Linear centred kernel alignment of two representations of the same samples.
//!
//! ```text
//!   CKA = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)),   K = X X^T, L = Y Y^T
//!   biased    HSIC_0 = |Xc^T Yc|_F^2,   Xc, Yc centred
//!   unbiased  HSIC_1 = 1/(n(n-3)) [ tr K'L' + 1'K'1 1'L'1 / ((n-1)(n-2)) - 2/(n-2) 1'K'L'1 ],   K', L' with zero diagonals
//! ```
//! Kornblith, Norouzi, Lee and Hinton, ICML 2019 (arXiv 1905.00414); HSIC_1: Song et al., JMLR 13, 1393 (2012), eq. 5. Of N x N
//! matrices only these contractions are needed: tr K'L' = |X^T Y|_F^2 - sum_i |x_i|^2 |y_i|^2, and (K'1)_i = x_i s_x - |x_i|^2 with
//! s_x = sum x, so the cost is O(N D D'). No unit; rotations, translations and one common scale of either change nothing.
//! The biased form lies in 0..1; the unbiased one may be negative. A representation whose rows all coincide: NaN.

use super::cloud::{center_rows, check_rows};
use super::eigen::dot;
use super::error::GeometryError;
use super::products::{square_sum, transposed_product};
use super::spectrum::check_order;

/// Rows `[n, cols]` of one representation.
///
/// ```
/// use disentangle::backend::Reference;
/// use disentangle::geometry::{Cloud, Rows, Settings, Survey};
///
/// // Three samples in the plane, and beside them the same samples on a line: as many rows, of another width.
/// let cloud = Cloud::new(vec![0.0, 0.0, 1.0, 0.0, 0.0, 5.0], 2, vec![0, 0, 1], 2)?;
/// let line = Rows { values: &[7.0, 8.0, 1.0], cols: 1 };
/// let survey = Survey::new(&cloud, &Reference, Settings::default()).with_second(Some(line));
/// // Nearest to the last sample is the first, in the plane as on the line.
/// assert_eq!(survey.nearest()?.indices[4..], [0, 1]);
/// assert_eq!(survey.nearest_in_second()?.indices[4..], [0, 1]);
/// # Ok::<(), disentangle::geometry::GeometryError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// Row-major.
    pub values: &'a [f64],
    /// Their width.
    pub cols: usize,
}

/// Both forms.
///
/// ```
/// use disentangle::geometry::Rows;
/// use disentangle::geometry::linear_cka::{LinearCka, linear_cka};
///
/// // Corners of a square, seen along one side and along the other: the coordinates are uncorrelated.
/// let of = |values| Rows { values, cols: 1 };
/// let LinearCka { biased, unbiased } = linear_cka(of(&[0.0, 0.0, 1.0, 1.0]), of(&[0.0, 1.0, 0.0, 1.0]), 1)?;
/// assert_eq!(biased, 0.0);
/// // With zero diagonals: HSIC_1(K, L) = (-1/4 + 1/6 - 1/4) / 4 and HSIC_1(K, K) = (3/4 + 1/6 - 1/4) / 4.
/// assert!((unbiased + 0.5).abs() < 1e-12);
/// # Ok::<(), disentangle::geometry::GeometryError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearCka {
    /// With HSIC_0.
    pub biased: f64,
    /// With HSIC_1; NaN below 4 rows.
    pub unbiased: f64,
}

/// CKA of two representations of as many samples.
///
/// # Errors
/// [`GeometryError::Shape`] for different numbers of rows; [`GeometryError::TooLarge`], [`GeometryError::NotFinite`].
///
/// ```
/// use disentangle::geometry::Rows;
/// use disentangle::geometry::linear_cka::linear_cka;
///
/// // Four samples in the plane, and the same turned by 90 degrees and enlarged.
/// let a = [0.0, 0.0, 1.0, 0.0, 0.0, 2.0, 3.0, 1.0];
/// let b = [0.0, 0.0, 0.0, 5.0, -10.0, 0.0, -5.0, 15.0];
/// let of = |values| Rows { values, cols: 2 };
/// assert!((linear_cka(of(&a), of(&b), 1)?.biased - 1.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn linear_cka(a: Rows, b: Rows, threads: usize) -> Result<LinearCka, GeometryError> {
    let n = a.values.len() / a.cols.max(1);
    check_rows("activations", a.values, n, a.cols)?;
    check_rows("second representation", b.values, n, b.cols)?;
    check_order(a.cols.max(b.cols))?;
    let centred = |rows: Rows| {
        let mut values = rows.values.to_vec();
        center_rows(&mut values, rows.cols);
        values
    };
    let (x, y) = (centred(a), centred(b));
    let overlap = |x: &[f64], p: usize, y: &[f64], q: usize| {
        let biased = square_sum(&transposed_product(x, p, y, q, threads));
        (biased, unbiased(biased, x, p, y, q))
    };
    let (xy, xx, yy) = (
        overlap(&x, a.cols, &y, b.cols),
        overlap(&x, a.cols, &x, a.cols),
        overlap(&y, b.cols, &y, b.cols),
    );
    let ratio = |xy: f64, xx: f64, yy: f64| xy / (xx.sqrt() * yy.sqrt());
    Ok(LinearCka {
        biased: ratio(xy.0, xx.0, yy.0),
        unbiased: ratio(xy.1, xx.1, yy.1),
    })
}

/// HSIC_1 from |X^T Y|_F^2 and centred rows.
fn unbiased(square: f64, x: &[f64], p: usize, y: &[f64], q: usize) -> f64 {
    let n = x.len() / p;
    if n < 4 {
        return f64::NAN;
    }
    // What centring left of the sums is far below the rounding of the products, but costs nothing to count.
    let sum = |rows: &[f64], cols: usize| {
        let mut sum = vec![0.0; cols];
        for row in rows.chunks_exact(cols) {
            sum.iter_mut().zip(row).for_each(|(s, v)| *s += v);
        }
        sum
    };
    let (sx, sy) = (sum(x, p), sum(y, q));
    let (mut diagonal, mut chain, mut all_x, mut all_y) = (0.0, 0.0, 0.0, 0.0);
    for (u, v) in x.chunks_exact(p).zip(y.chunks_exact(q)) {
        let (uu, vv) = (dot(u, u), dot(v, v));
        let (row_x, row_y) = (dot(u, &sx) - uu, dot(v, &sy) - vv);
        diagonal += uu * vv;
        chain += row_x * row_y;
        all_x += row_x;
        all_y += row_y;
    }
    let n = n as f64;
    let middle = all_x * all_y / ((n - 1.0) * (n - 2.0));
    (square - diagonal + middle - 2.0 / (n - 2.0) * chain) / (n * (n - 3.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synthetic::gaussian_classes;

    /// By whole kernel matrices, as the definitions say.
    fn by_kernels(x: &[f64], p: usize, y: &[f64], q: usize) -> LinearCka {
        let n = x.len() / p;
        let kernel = |x: &[f64], p: usize| -> Vec<f64> {
            let row = |i: usize| &x[i * p..(i + 1) * p];
            (0..n * n)
                .map(|ij| row(ij / n).iter().zip(row(ij % n)).map(|(a, b)| a * b).sum())
                .collect()
        };
        let centred = |k: &[f64]| -> Vec<f64> {
            let mean = |i: usize| k[i * n..(i + 1) * n].iter().sum::<f64>() / n as f64;
            let means: Vec<f64> = (0..n).map(mean).collect();
            let all = means.iter().sum::<f64>() / n as f64;
            (0..n * n)
                .map(|ij| k[ij] - means[ij / n] - means[ij % n] + all)
                .collect()
        };
        let hollow = |k: &[f64]| -> Vec<f64> {
            (0..n * n)
                .map(|ij| if ij / n == ij % n { 0.0 } else { k[ij] })
                .collect()
        };
        let hsic_0 = |k: &[f64], l: &[f64]| -> f64 { centred(k).iter().zip(centred(l)).map(|(a, b)| a * b).sum() };
        let hsic_1 = |k: &[f64], l: &[f64]| -> f64 {
            let (k, l, m) = (hollow(k), hollow(l), n as f64);
            let trace: f64 = k.iter().zip(&l).map(|(a, b)| a * b).sum();
            let (all_k, all_l): (f64, f64) = (k.iter().sum(), l.iter().sum());
            let mut chain = 0.0;
            for i in 0..n {
                for j in 0..n {
                    chain += (0..n).map(|h| k[i * n + h] * l[h * n + j]).sum::<f64>();
                }
            }
            (trace + all_k * all_l / ((m - 1.0) * (m - 2.0)) - 2.0 / (m - 2.0) * chain) / (m * (m - 3.0))
        };
        let (k, l) = (kernel(x, p), kernel(y, q));
        let of = |hsic: &dyn Fn(&[f64], &[f64]) -> f64| hsic(&k, &l) / (hsic(&k, &k) * hsic(&l, &l)).sqrt();
        LinearCka {
            biased: of(&hsic_0),
            unbiased: of(&hsic_1),
        }
    }

    #[test]
    fn whole_kernels_say_the_same() {
        let (x, _) = gaussian_classes(1, 3, 7, 5, 3.0);
        let (noise, _) = gaussian_classes(2, 3, 7, 4, 1.0);
        // A second representation that shares some of the first.
        let y: Vec<f64> = (0..21 * 4).map(|i| noise[i] + x[i / 4 * 5 + i % 4]).collect();
        let rows = |values, cols| Rows { values, cols };
        let found = linear_cka(rows(&x, 5), rows(&y, 4), 2).unwrap();
        let expected = by_kernels(&x, 5, &y, 4);
        // 21^3 products a side, and the unbiased form cancels by less than 10.
        for (f, e) in [(found.biased, expected.biased), (found.unbiased, expected.unbiased)] {
            assert!((f - e).abs() < 1e5 * f64::EPSILON, "{f} {e}");
        }
        let itself = linear_cka(rows(&x, 5), rows(&x, 5), 1).unwrap();
        assert!((itself.biased - 1.0).abs() < 1e-13 && (itself.unbiased - 1.0).abs() < 1e-13);
    }

    #[test]
    fn edge_cases_have_stated_values() {
        let rows = |values, cols| Rows { values, cols };
        let short = linear_cka(rows(&[1.0, 2.0, 4.0], 1), rows(&[1.0, 0.0, 4.0], 1), 1).unwrap();
        assert!(short.biased > 0.0 && short.unbiased.is_nan());
        let flat = linear_cka(rows(&[1.0, 1.0, 1.0, 1.0], 1), rows(&[1.0, 0.0, 4.0, 2.0], 1), 1).unwrap();
        assert!(flat.biased.is_nan() && flat.unbiased.is_nan());
        assert!(matches!(
            linear_cka(rows(&[1.0, 2.0], 1), rows(&[1.0], 1), 1),
            Err(GeometryError::Shape { .. })
        ));
    }
}
