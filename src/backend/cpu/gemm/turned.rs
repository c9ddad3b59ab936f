//! Few rows times the transpose of a big matrix: `C^T = B^T A^T` instead of `C = A B`.
//!
//! A layer's outputs are rows of samples times its weights transposed, so the columns of B are contiguous, and B has to be
//! copied before its rows can be loaded as vectors. With 64 samples that copy costs as much as the product. Turned round,
//! the weights are read number by number where they lie, and what is copied is the samples:
//!
//! ```text
//!          k            n                            k           m              m
//!      +-------+     +-----+ contiguous         +---------+    +---+          +---+
//!   m  |   A   |  x  |  B  |    down          n |   B^T   |  x |A^T| k  =   n |C^T|  -> C, 16 x 16 at a time
//!      +-------+     |  |  |                    |  ---->  |    |   |          |   |
//!                    +-----+                    +---------+    +---+          +---+
//! ```
//!
//! An element is the same sum of the same products in the same order, so no bit depends on the choice.

use super::workspace::Workspace;
use super::{MatMut, Product};

/// Most rows for which turning pays: as many panels of B^T's tile rows as are read without a copy.
pub(super) const MOST_ROWS: usize = 256;
/// Columns of C at a time: C^T of 64 rows and 256 columns is 64 KB.
pub(super) const COLUMNS: usize = 256;
/// Rows and columns that are transposed together: a cache line of each.
const SQUARE: usize = 16;

/// Whether B would have to be copied by transposing, and is bigger than A.
pub(super) fn pays(product: &Product) -> bool {
    product.m <= MOST_ROWS && product.m < product.n && product.b.col_stride != 1 && product.b.row_stride == 1
}

/// See the [module](self).
///
/// # Safety
/// That of [`Product::run`].
pub(super) unsafe fn run(product: &Product, workspace: &mut Workspace) {
    let m = product.m;
    for j in (0..product.n).step_by(COLUMNS) {
        let columns = (product.n - j).min(COLUMNS);
        let sums = MatMut {
            ptr: workspace.partial.get(m * columns),
            row_stride: m,
        };
        let turned = Product {
            m: columns,
            n: m,
            a: product.b.from(0, j).transposed(),
            b: product.a.transposed(),
            c: sums,
            accumulate: false,
            ..*product
        };
        // SAFETY: the caller's operands, and memory of the size of this part of C.
        unsafe { turned.loops(workspace) };
        for first in (0..columns).step_by(SQUARE) {
            for i in 0..m {
                for l in first..columns.min(first + SQUARE) {
                    // SAFETY: an element of C and its sum.
                    unsafe {
                        let (sum, c) = (*sums.at(l, i), product.c.at(i, j + l));
                        *c = if product.accumulate { *c + sum } else { sum };
                    }
                }
            }
        }
    }
}
