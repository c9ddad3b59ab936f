//! Products of tall matrices in f64, on which second moments rest: X^T Y and X X^T.
//!
//! Rows are taken in blocks, so that each element of the result is loaded once per block. An element is summed in the order
//! of the rows whichever thread computes it: no bit depends on the number of threads. Its error is at most n u sum |x y|.
//!
//! ```
//! use disentangle::geometry::products::{row_products, square_sum, transposed_product};
//!
//! // X with the rows (1, 2) and (3, 4), by one thread.
//! let x = [1.0, 2.0, 3.0, 4.0];
//! assert_eq!(transposed_product(&x, 2, &x, 2, 1), [10.0, 14.0, 14.0, 20.0]);
//! assert_eq!(row_products(&x, 2, 1), [5.0, 11.0, 11.0, 25.0]);
//! // |X|_F^2 = 1 + 4 + 9 + 16 is the trace of both.
//! assert_eq!(square_sum(&x), 30.0);
//! ```

use std::thread;

use super::eigen::dot;

/// Rows whose products are added at once.
const BLOCK: usize = 8;

/// X^T Y `[p, q]` of `x` `[n, p]` and `y` `[n, q]`; rows that only one of them has do not count. Without columns: empty.
pub fn transposed_product(x: &[f64], p: usize, y: &[f64], q: usize, threads: usize) -> Vec<f64> {
    if p == 0 || q == 0 {
        return Vec::new();
    }
    let rows = (x.len() / p).min(y.len() / q);
    let (x, y) = (&x[..rows * p], &y[..rows * q]);
    let mut product = vec![0.0; p * q];
    share(&mut product, q, p, threads, |first, part| {
        for (xs, ys) in x.chunks(BLOCK * p).zip(y.chunks(BLOCK * q)) {
            for (k, row) in part.chunks_exact_mut(q).enumerate() {
                let i = first + k;
                let rows = xs.len() / p;
                if rows == BLOCK {
                    let a: [f64; BLOCK] = std::array::from_fn(|r| xs[r * p + i]);
                    let of = |r: usize| &ys[r * q..(r + 1) * q];
                    let columns = of(0).iter().zip(of(1)).zip(of(2)).zip(of(3));
                    let columns = columns.zip(of(4)).zip(of(5)).zip(of(6)).zip(of(7));
                    for (s, (((((((b0, b1), b2), b3), b4), b5), b6), b7)) in row.iter_mut().zip(columns) {
                        let low = (a[0] * b0 + a[1] * b1) + (a[2] * b2 + a[3] * b3);
                        let high = (a[4] * b4 + a[5] * b5) + (a[6] * b6 + a[7] * b7);
                        *s += low + high;
                    }
                } else {
                    for r in 0..rows {
                        let a = xs[r * p + i];
                        row.iter_mut()
                            .zip(&ys[r * q..(r + 1) * q])
                            .for_each(|(s, b)| *s += a * b);
                    }
                }
            }
        }
    });
    product
}

/// X X^T `[n, n]` of `x` `[n, d]`. Without rows or columns: empty.
pub fn row_products(x: &[f64], d: usize, threads: usize) -> Vec<f64> {
    if d == 0 || x.len() < d {
        return Vec::new();
    }
    let n = x.len() / d;
    let mut product = vec![0.0; n * n];
    share(&mut product, n, n, threads, |first, part| {
        for (k, row) in part.chunks_exact_mut(n).enumerate() {
            let own = &x[(first + k) * d..(first + k + 1) * d];
            for (s, other) in row.iter_mut().zip(x.chunks_exact(d)) {
                *s = dot(own, other);
            }
        }
    });
    product
}

/// Gives each thread some of `rows` rows of width `cols` of a result, with the number of the first.
fn share(result: &mut [f64], cols: usize, rows: usize, threads: usize, work: impl Fn(usize, &mut [f64]) + Sync) {
    let each = rows.div_ceil(threads.max(1)).max(1);
    if threads <= 1 || rows <= 1 {
        return work(0, result);
    }
    thread::scope(|scope| {
        for (t, part) in result.chunks_mut(each * cols.max(1)).enumerate() {
            let work = &work;
            scope.spawn(move || work(t * each, part));
        }
    });
}

/// Sum of squares of all elements: |A|_F^2.
pub fn square_sum(a: &[f64]) -> f64 {
    dot(a, a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_come_out_exactly_for_any_number_of_threads() {
        let value = |i: usize| ((i * 7919 + 13) % 17) as f64 - 8.0;
        for (n, p, q) in [(1, 1, 1), (7, 3, 2), (8, 5, 9), (45, 4, 6)] {
            let x: Vec<f64> = (0..n * p).map(value).collect();
            let y: Vec<f64> = (0..n * q).map(|i| value(i + 3)).collect();
            for threads in [1, 2, 3, 16] {
                let found = transposed_product(&x, p, &y, q, threads);
                let rows = row_products(&x, p, threads);
                for i in 0..p {
                    for j in 0..q {
                        let expected: f64 = (0..n).map(|r| x[r * p + i] * y[r * q + j]).sum();
                        assert_eq!(found[i * q + j], expected);
                    }
                }
                for i in 0..n {
                    for j in 0..n {
                        let expected: f64 = (0..p).map(|k| x[i * p + k] * x[j * p + k]).sum();
                        assert_eq!(rows[i * n + j], expected);
                    }
                }
            }
        }
    }
}
