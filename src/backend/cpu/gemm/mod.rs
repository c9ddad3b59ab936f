//! Matrix product in f32: `C = A B` or `C += A B`, one thread, hand-written kernels.
//!
//! | file | what it shows |
//! |---|---|
//! | `loops` | the five loops of BLIS: which piece of A and B is in which cache, and when a piece is copied |
//! | `packing`, `packing_avx2` | how a piece is copied so that the microkernel reads it in order |
//! | `turned` | few rows times the transpose of a big matrix: the transposed product |
//! | `tile` | what a microkernel is asked for |
//! | `avx512`, `avx2`, `portable` | the microkernels: one tile of C in registers |
//! | `workspace` | the memory for the copies |
//!
//! # The bits of an element
//! `c_ij` is a function of k, row i of A, column j of B, the instruction set and, when accumulating, the old `c_ij`. It
//! does not depend on m, n, strides, where in a tile (i, j) lies, or which operand was copied. So a network has the
//! same bits alone as beside others in one wide product. The order of roundings, everywhere:
//!
//! ```text
//! k is cut into equal blocks of at most 256;
//! s_b  = fma(a_ip, b_pj, s_b)   for p in block b, in order, from 0     (portable: multiply, round, add, round)
//! s    = ((s_0 + s_1) + s_2) + ...
//! c_ij = s, or c_ij + s
//! ```
//!
//! (Which NaN comes out where two meet is left to the processor.)
//!
//! Serial chains of f32 additions grow their error with their length, hence the blocks and the product's own sum that
//! meets the old value once: [`chain_length`] is what enters the bound `|got - exact| <= chain_length u sum|a||b|`.
//!
//! Source: Goto and van de Geijn, Anatomy of high-performance matrix multiplication, ACM TOMS 34 (2008); Van Zee and
//! van de Geijn, BLIS, ACM TOMS 41 (2015).
//!
//! ```
//! use disentangle::backend::cpu::gemm::{GemmError, Workspace, chain_length, gemm_slices};
//! use disentangle::backend::cpu::isa::Isa;
//!
//! // Rows (1, 2) and (3, 4) times the column (1, 10), which is then added once more.
//! let (a, b, mut c) = ([1.0, 2.0, 3.0, 4.0], [1.0, 10.0], [0.0; 2]);
//! let mut workspace = Workspace::new();
//! gemm_slices(Isa::detect(), (2, 2, 1), &a, &b, &mut c, false, &mut workspace)?;
//! assert_eq!(c, [21.0, 43.0]);
//! gemm_slices(Isa::detect(), (2, 2, 1), &a, &b, &mut c, true, &mut workspace)?;
//! assert_eq!(c, [42.0, 86.0]);
//! // Three rows need more than four numbers.
//! let error = gemm_slices(Isa::detect(), (3, 2, 1), &a, &b, &mut [0.0; 3], false, &mut workspace);
//! assert_eq!(error, Err(GemmError::Length { operand: "a", shape: (3, 2), got: 4 }));
//! // k = 784 is four blocks of 200 or less: a block's depth, a sum of four, and one.
//! assert_eq!(chain_length(784), 200 + 4 + 1);
//! # Ok::<(), GemmError>(())
//! ```

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod loops;
pub(super) mod packing;
#[cfg(target_arch = "x86_64")]
mod packing_avx2;
mod portable;
mod tile;
mod turned;
mod workspace;

#[cfg(test)]
mod tests;

use super::isa::Isa;
use std::fmt;
use std::ops::Range;
pub use workspace::Workspace;

/// Longest serial chain of products: the depth of a block of k.
const MAX_BLOCK_DEPTH: usize = 256;

/// A matrix that is read: element (i, j) is at `ptr + i row_stride + j col_stride`. A transposed view swaps the
/// strides.
///
/// ```
/// use disentangle::backend::cpu::gemm::MatRef;
///
/// // Two rows of three numbers, then three rows of two: the same numbers in the same place.
/// let numbers = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0];
/// let a = MatRef { ptr: numbers.as_ptr(), row_stride: 3, col_stride: 1 };
/// let turned = a.transposed();
/// assert_eq!((turned.ptr, turned.row_stride, turned.col_stride), (a.ptr, 1, 3));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct MatRef {
    /// Element (0, 0).
    pub ptr: *const f32,
    /// Elements from one row to the next.
    pub row_stride: usize,
    /// Elements from one column to the next.
    pub col_stride: usize,
}

/// A matrix that is written: element (i, j) is at `ptr + i row_stride + j`.
///
/// ```
/// use disentangle::backend::cpu::gemm::{MatMut, MatRef, Product, Workspace};
/// use disentangle::backend::cpu::isa::Isa;
///
/// // 2 times (1, 10), a column of two numbers, into the last column of two rows of three.
/// let (a, b, mut wide) = ([1.0f32, 10.0], [2.0f32], [0.0f32; 6]);
/// let a = MatRef { ptr: a.as_ptr(), row_stride: 1, col_stride: 1 };
/// let b = MatRef { ptr: b.as_ptr(), row_stride: 1, col_stride: 1 };
/// let c = MatMut { ptr: wide[2..].as_mut_ptr(), row_stride: 3 };
/// let product = Product { isa: Isa::detect(), m: 2, k: 1, n: 1, a, b, c, accumulate: false };
/// // SAFETY: elements 0 and 1 of A, 0 of B, 2 and 5 of `wide` are there; the instruction set is this processor's.
/// unsafe { product.run(&mut Workspace::new()) };
/// assert_eq!(wide, [0.0, 0.0, 2.0, 0.0, 0.0, 20.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct MatMut {
    /// Element (0, 0).
    pub ptr: *mut f32,
    /// Elements from one row to the next.
    pub row_stride: usize,
}

// SAFETY: an address and strides; reading through them is what is unsafe, and [`Product::run`] says so.
unsafe impl Send for MatRef {}
// SAFETY: as above.
unsafe impl Sync for MatRef {}
// SAFETY: as above.
unsafe impl Send for MatMut {}
// SAFETY: as above.
unsafe impl Sync for MatMut {}

/// Why a product of slices was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GemmError {
    /// A slice has not rows x columns elements.
    Length {
        /// "a", "b" or "c".
        operand: &'static str,
        /// Rows, columns.
        shape: (usize, usize),
        /// Elements in the slice.
        got: usize,
    },
    /// This processor lacks the instruction set.
    Isa(Isa),
}

impl fmt::Display for GemmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GemmError::Length {
                operand,
                shape: (rows, columns),
                got,
            } => {
                write!(
                    f,
                    "matrix product: {operand} has {got} elements, expected {rows} x {columns}"
                )
            }
            GemmError::Isa(isa) => write!(f, "matrix product: this processor has no {isa}"),
        }
    }
}

impl std::error::Error for GemmError {}

impl MatRef {
    /// Element (i, j)'s address.
    #[inline(always)]
    fn at(self, i: usize, j: usize) -> *const f32 {
        self.ptr.wrapping_add(i * self.row_stride + j * self.col_stride)
    }

    /// The matrix that starts at element (i, j).
    pub(super) fn from(self, i: usize, j: usize) -> MatRef {
        MatRef {
            ptr: self.at(i, j),
            ..self
        }
    }

    /// The transposed view.
    pub fn transposed(self) -> MatRef {
        MatRef {
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }
}

impl MatMut {
    /// Element (i, j)'s address.
    #[inline(always)]
    fn at(self, i: usize, j: usize) -> *mut f32 {
        self.ptr.wrapping_add(i * self.row_stride + j)
    }

    /// The matrix that starts at element (i, j).
    fn from(self, i: usize, j: usize) -> MatMut {
        MatMut {
            ptr: self.at(i, j),
            ..self
        }
    }
}

/// Depth of the blocks into which k is cut: equal ones of at most 256, in whole eights (which the packing likes), so
/// that only the last may be shorter.
pub(crate) fn block_depth(k: usize) -> usize {
    let blocks = k.div_ceil(MAX_BLOCK_DEPTH).max(1);
    k.div_ceil(blocks).next_multiple_of(8)
}

/// Roundings on the longest way from a product to its element of C: one block's depth, one per block for the sum over
/// blocks and the addition to C, and one to cover the terms of second order in u. It stays under 300 up to k = 10,000.
pub fn chain_length(k: usize) -> usize {
    let depth = block_depth(k).max(1);
    depth.min(k) + k.div_ceil(depth) + 1
}

/// `C = A B` or, with `accumulate`, `C += A B`, for A m x k, B k x n and C m x n. `C = 0` when k = 0.
///
/// ```
/// use disentangle::backend::cpu::gemm::{MatMut, MatRef, Product, Workspace};
/// use disentangle::backend::cpu::isa::Isa;
///
/// // A A^T for the rows (1, 2) and (3, 4): every row times every row.
/// let (numbers, mut products) = ([1.0f32, 2.0, 3.0, 4.0], [0.0f32; 4]);
/// let a = MatRef { ptr: numbers.as_ptr(), row_stride: 2, col_stride: 1 };
/// let c = MatMut { ptr: products.as_mut_ptr(), row_stride: 2 };
/// let product = Product { isa: Isa::detect(), m: 2, k: 2, n: 2, a, b: a.transposed(), c, accumulate: false };
/// // SAFETY: each matrix has four numbers, C none of the others', and the instruction set is this processor's.
/// unsafe { product.run(&mut Workspace::new()) };
/// assert_eq!(products, [5.0, 11.0, 11.0, 25.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Product {
    /// The instructions to use.
    pub isa: Isa,
    /// Rows of A and C.
    pub m: usize,
    /// Columns of A, rows of B.
    pub k: usize,
    /// Columns of B and C.
    pub n: usize,
    /// Left factor.
    pub a: MatRef,
    /// Right factor.
    pub b: MatRef,
    /// The result.
    pub c: MatMut,
    /// Add to C instead of overwriting it.
    pub accumulate: bool,
}

impl Product {
    /// The product that gives these rows and columns of C.
    pub(super) fn part(&self, rows: Range<usize>, columns: Range<usize>) -> Product {
        Product {
            m: rows.len(),
            n: columns.len(),
            a: self.a.from(rows.start, 0),
            b: self.b.from(0, columns.start),
            c: self.c.from(rows.start, columns.start),
            ..*self
        }
    }

    /// Row i of C.
    ///
    /// # Safety
    /// It can be written, and nobody else uses it.
    pub(super) unsafe fn row<'a>(&self, i: usize) -> &'a mut [f32] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.c.at(i, 0), self.n) }
    }
}

/// `C = A B` or `C += A B` for contiguous row-major slices: A m x k, B k x n and C m x n, with `shape = (m, k, n)`.
///
/// # Errors
/// [`GemmError::Length`] for a slice that does not have the elements of its matrix, [`GemmError::Isa`] for an
/// instruction set that is not present.
pub fn gemm_slices(
    isa: Isa,
    shape: (usize, usize, usize),
    a: &[f32],
    b: &[f32],
    c: &mut [f32],
    accumulate: bool,
    workspace: &mut Workspace,
) -> Result<(), GemmError> {
    let (m, k, n) = shape;
    for (operand, shape, got) in [("a", (m, k), a.len()), ("b", (k, n), b.len()), ("c", (m, n), c.len())] {
        if shape.0.checked_mul(shape.1) != Some(got) {
            return Err(GemmError::Length { operand, shape, got });
        }
    }
    if !isa.is_available() {
        return Err(GemmError::Isa(isa));
    }
    let a = MatRef {
        ptr: a.as_ptr(),
        row_stride: k,
        col_stride: 1,
    };
    let b = MatRef {
        ptr: b.as_ptr(),
        row_stride: n,
        col_stride: 1,
    };
    let c = MatMut {
        ptr: c.as_mut_ptr(),
        row_stride: n,
    };
    let product = Product {
        isa,
        m,
        k,
        n,
        a,
        b,
        c,
        accumulate,
    };
    // SAFETY: the instruction set is present, the slices have the elements, and a mutable slice overlaps no other.
    unsafe { product.run(workspace) };
    Ok(())
}
