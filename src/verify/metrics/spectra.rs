//! Metrics of second moments.

use super::collapse::eigenvalue_roundings;
use super::estimate::{Estimate, W};
use super::sample::{Sample, centered};

/// X^T Y `[p, q]` of `x` `[n, p]` and `y` `[n, q]`.
fn transposed_product(x: &[Estimate], p: usize, y: &[Estimate], q: usize) -> Vec<Estimate> {
    let element = |i: usize, j: usize| {
        let rows = x.chunks_exact(p).zip(y.chunks_exact(q));
        Estimate::sum(rows.map(|(x, y)| x[i] * y[j]))
    };
    (0..p * q).map(|ij| element(ij / q, ij % q)).collect()
}

fn square_sum(values: &[Estimate]) -> Estimate {
    Estimate::sum(values.iter().map(|x| x.square()))
}

/// |A|_F
pub(super) fn frobenius(matrix: &[f64]) -> f64 {
    matrix.iter().map(|a| a * a).sum::<f64>().sqrt()
}

/// The smaller of the two matrices of second moments, and its order.
fn second_moments(sample: &Sample) -> (Vec<Estimate>, usize) {
    let (x, rows, cols) = (sample.centered(), sample.labels.len(), sample.cols);
    let (matrix, order) = if cols <= rows {
        (transposed_product(&x, cols, &x, cols), cols)
    } else {
        let turned: Vec<Estimate> = (0..cols)
            .flat_map(|j| x.iter().skip(j).step_by(cols).copied())
            .collect();
        (transposed_product(&turned, rows, &turned, rows), rows)
    };
    (matrix.into_iter().map(|s| s / rows as f64).collect(), order)
}

/// (tr S)^2 / tr S^2
pub(super) fn participation_ratio(sample: &Sample) -> Option<Vec<Estimate>> {
    let (matrix, order) = second_moments(sample);
    let trace = Estimate::sum(matrix.iter().step_by(order + 1).copied());
    Some(vec![Estimate::given(1.0) / (square_sum(&matrix) / trace / trace)])
}

/// Eigenvalues of a symmetric matrix, largest first, by Jacobi's rotations (G. Golub and C. Van Loan, Matrix Computations, ch. 8.5): another
/// way than that of `geometry`.
pub(super) fn eigenvalues(mut a: Vec<f64>, n: usize) -> Vec<f64> {
    const SWEEPS: usize = 30;
    for _ in 0..SWEEPS {
        for p in 0..n {
            for q in p + 1..n {
                let off = a[p * n + q];
                if off == 0.0 {
                    continue;
                }
                let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * off);
                let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let c = 1.0 / t.hypot(1.0);
                let s = t * c;
                for k in 0..n {
                    let (x, y) = (a[k * n + p], a[k * n + q]);
                    (a[k * n + p], a[k * n + q]) = (c * x - s * y, s * x + c * y);
                }
                for k in 0..n {
                    let (x, y) = (a[p * n + k], a[q * n + k]);
                    (a[p * n + k], a[q * n + k]) = (c * x - s * y, s * x + c * y);
                }
            }
        }
    }
    let mut values: Vec<f64> = a.into_iter().step_by(n + 1).collect();
    values.sort_by(|x, y| y.total_cmp(x));
    values
}

/// The axes that hold the share of the variance; open if a sum of variances is within its error of the share. Each variance errs by
/// the roundings of both ways to find it, and by the matrix's own error (H. Weyl: no more than its norm).
pub(super) fn explained_variance(sample: &Sample) -> Option<Vec<Estimate>> {
    let (matrix, order) = second_moments(sample);
    let numbers: Vec<f64> = matrix.iter().map(|x| x.value()).collect();
    let own = frobenius(&matrix.iter().map(|x| x.error).collect::<Vec<_>>());
    let each = 2.0 * eigenvalue_roundings(order) * W * frobenius(&numbers) + own;
    let variances: Vec<f64> = eigenvalues(numbers, order).into_iter().map(|w| w.max(0.0)).collect();
    let total: f64 = variances.iter().sum();
    if total <= each * order as f64 {
        return None;
    }
    let enough = |slack: f64| {
        let mut sum = 0.0;
        let place = variances.iter().enumerate().position(|(k, w)| {
            sum += w;
            let error = (k + 1 + order) as f64 * each;
            sum + slack * error >= sample.settings.explained * total
        });
        place.map_or(variances.len(), |k| k + 1) as f64
    };
    let (least, value, most) = (enough(1.0), enough(0.0), enough(-1.0));
    Some(vec![Estimate::about(value, (value - least).max(most - value), 0)])
}

/// The smallest n for which HSIC_1 is defined.
const FEWEST: usize = 4;

/// |X^T Y|^2 of centred rows, and HSIC_1.
fn overlaps(x: &[Estimate], p: usize, y: &[Estimate], q: usize) -> [Estimate; 2] {
    let square = square_sum(&transposed_product(x, p, y, q));
    let n = x.len() / p;
    let sums = |rows: &[Estimate], cols: usize| -> Vec<Estimate> {
        (0..cols)
            .map(|j| Estimate::sum(rows.iter().skip(j).step_by(cols).copied()))
            .collect()
    };
    let dot = |a: &[Estimate], b: &[Estimate]| Estimate::sum(a.iter().zip(b).map(|(a, b)| *a * *b));
    let (sx, sy) = (sums(x, p), sums(y, q));
    let norms: Vec<[Estimate; 2]> = x
        .chunks(p)
        .zip(y.chunks(q))
        .map(|(u, v)| [dot(u, u), dot(v, v)])
        .collect();
    let rows: Vec<[Estimate; 2]> = x
        .chunks(p)
        .zip(y.chunks(q))
        .zip(&norms)
        .map(|((u, v), [uu, vv])| [dot(u, &sx) - *uu, dot(v, &sy) - *vv])
        .collect();
    let of = |side: usize| Estimate::sum(rows.iter().map(|row| row[side]));
    let n = n as f64;
    let diagonal = Estimate::sum(norms.iter().map(|[uu, vv]| *uu * *vv));
    let chain = Estimate::sum(rows.iter().map(|[u, v]| *u * *v));
    let middle = of(0) * of(1) / ((n - 1.0) * (n - 2.0));
    let hsic = (square - diagonal + middle - chain * (Estimate::given(2.0) / (n - 2.0))) / (n * (n - 3.0));
    [square, hsic]
}

fn alignment(sample: &Sample, form: usize) -> Estimate {
    let (x, y) = (sample.centered(), centered(&sample.second, sample.second_cols));
    let (p, q) = (sample.cols, sample.second_cols);
    let of = |a: &[Estimate], p: usize, b: &[Estimate], q: usize| overlaps(a, p, b, q)[form];
    of(&x, p, &y, q) / (of(&x, p, &x, p).sqrt() * of(&y, q, &y, q).sqrt())
}

/// CKA with HSIC_0.
pub(super) fn linear_cka(sample: &Sample) -> Option<Vec<Estimate>> {
    Some(vec![alignment(sample, 0)])
}

/// CKA with HSIC_1. That of a representation with itself may come out negative, which leaves no root.
pub(super) fn linear_cka_unbiased(sample: &Sample) -> Option<Vec<Estimate>> {
    (sample.labels.len() >= FEWEST).then(|| vec![alignment(sample, 1)])
}
