//! A product of matrices as they lie here, in the words of a library that thinks in columns.
//!
//! A row-major matrix, read column by column, is its transpose. So C = op(A) op(B) is asked for as C^T = op(B)^T op(A)^T: B is the
//! first operand, and an operand that lies transposed here is the one that must be transposed there.

/// C = op(A) op(B) of row-major matrices, once for each replica.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RowMajor {
    /// Rows of C.
    pub(crate) rows: usize,
    /// Columns of C.
    pub(crate) cols: usize,
    /// What is summed over.
    pub(crate) inner: usize,
    /// Whether A lies as inner x rows, and B as cols x inner.
    pub(crate) transposed: [bool; 2],
    /// Whether all replicas have the same A, and the same B.
    pub(crate) shared: [bool; 2],
    /// How many products.
    pub(crate) replicas: usize,
}

/// The arguments of a column-major product C = op(A) op(B), C of m x n: of A and B, in this order, then of C where there are three.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Gemm {
    /// Whether each of the two is transposed.
    pub(crate) transposed: [bool; 2],
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    /// From a column to the next, in numbers.
    pub(crate) leading: [usize; 3],
    /// From a replica to the next, in numbers; 0 for what is shared.
    pub(crate) strides: [usize; 3],
    pub(crate) replicas: usize,
}

impl RowMajor {
    /// Numbers of A, B and C, of all replicas.
    pub(crate) fn lengths(&self) -> [usize; 3] {
        let of = |each: usize, shared: bool| each * if shared { 1 } else { self.replicas };
        [
            of(self.rows * self.inner, self.shared[0]),
            of(self.inner * self.cols, self.shared[1]),
            of(self.rows * self.cols, false),
        ]
    }

    /// In columns; its first operand is B here, its second A, its third C.
    pub(crate) fn in_columns(&self) -> Gemm {
        let RowMajor { rows, cols, inner, .. } = *self;
        let [a, b] = self.transposed;
        let stride = |each: usize, shared: bool| if shared { 0 } else { each };
        Gemm {
            transposed: [b, a],
            m: cols,
            n: rows,
            k: inner,
            leading: [if b { inner } else { cols }, if a { rows } else { inner }, cols],
            strides: [
                stride(inner * cols, self.shared[1]),
                stride(rows * inner, self.shared[0]),
                rows * cols,
            ],
            replicas: self.replicas,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition in columns: element (i, j) of a matrix is at i + j times the leading number.
    fn in_columns(gemm: &Gemm, first: &[f64], second: &[f64], result: &mut [f64]) {
        for replica in 0..gemm.replicas {
            for i in 0..gemm.m {
                for j in 0..gemm.n {
                    let of = |matrix: &[f64], which: usize, row: usize, col: usize| {
                        let (row, col) = if gemm.transposed[which] { (col, row) } else { (row, col) };
                        matrix[replica * gemm.strides[which] + row + col * gemm.leading[which]]
                    };
                    let products = (0..gemm.k).map(|l| of(first, 0, i, l) * of(second, 1, l, j));
                    result[replica * gemm.strides[2] + i + j * gemm.leading[2]] = products.sum();
                }
            }
        }
    }

    /// The definition in rows: element (i, j) is at i times the columns + j.
    fn in_rows(product: &RowMajor, a: &[f64], b: &[f64], c: &mut [f64]) {
        let RowMajor { rows, cols, inner, .. } = *product;
        for replica in 0..product.replicas {
            let start = |each: usize, shared: bool| if shared { 0 } else { replica * each };
            let a = &a[start(rows * inner, product.shared[0])..];
            let b = &b[start(inner * cols, product.shared[1])..];
            for i in 0..rows {
                for j in 0..cols {
                    let left = |l: usize| {
                        if product.transposed[0] {
                            a[l * rows + i]
                        } else {
                            a[i * inner + l]
                        }
                    };
                    let right = |l: usize| {
                        if product.transposed[1] {
                            b[j * inner + l]
                        } else {
                            b[l * cols + j]
                        }
                    };
                    c[replica * rows * cols + i * cols + j] = (0..inner).map(|l| left(l) * right(l)).sum();
                }
            }
        }
    }

    #[test]
    fn columns_and_rows_have_the_same_product() {
        let flags = [[false, false], [false, true], [true, false], [true, true]];
        for (rows, cols, inner, replicas) in [(3, 5, 4, 1), (1, 7, 2, 3), (6, 1, 5, 2), (4, 4, 4, 2), (2, 3, 1, 1)] {
            for transposed in flags {
                for shared in flags {
                    let product = RowMajor {
                        rows,
                        cols,
                        inner,
                        transposed,
                        shared,
                        replicas,
                    };
                    // Whole numbers: the order of a sum does not matter.
                    let numbers = |count: usize, seed: usize| -> Vec<f64> {
                        (0..count).map(|n| ((n * 7 + seed) % 11) as f64 - 5.0).collect()
                    };
                    let [of_a, of_b, of_c] = product.lengths();
                    let (a, b) = (numbers(of_a, 1), numbers(of_b, 4));
                    let (mut expected, mut found) = (vec![f64::NAN; of_c], vec![f64::NAN; of_c]);
                    in_rows(&product, &a, &b, &mut expected);
                    in_columns(&product.in_columns(), &b, &a, &mut found);
                    assert_eq!(found, expected, "{product:?}");
                }
            }
        }
    }
}
