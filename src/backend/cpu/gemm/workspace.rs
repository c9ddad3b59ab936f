//! Memory for the copies of A and B and for partial sums.

use super::loops::{self, Need};

/// One cache line, and one register of 16 lanes.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// f32 that start at a cache line, so that no load of a packed row straddles two.
#[derive(Default)]
pub(super) struct Buffer(Vec<Line>);

impl Buffer {
    /// A pointer to at least `length` numbers.
    pub fn get(&mut self, length: usize) -> *mut f32 {
        self.grow(length);
        self.0.as_mut_ptr().cast()
    }

    fn grow(&mut self, length: usize) {
        let lines = length.div_ceil(16);
        if self.0.len() < lines {
            self.0.resize(lines, Line([0.0; 16]));
        }
    }
}

/// What a product needs beside its operands: one per thread, used again and again.
///
/// ```
/// use disentangle::backend::cpu::gemm::{Workspace, gemm_slices};
/// use disentangle::backend::cpu::isa::Isa;
///
/// let mut workspace = Workspace::new();
/// assert_eq!(workspace.bytes(), 0);
/// // With room made for its sizes a product allocates nothing.
/// workspace.reserve(64, 300, 64);
/// let bytes = workspace.bytes();
/// let (a, b, mut c) = (vec![1.0; 64 * 300], vec![1.0; 300 * 64], vec![0.0; 64 * 64]);
/// gemm_slices(Isa::detect(), (64, 300, 64), &a, &b, &mut c, false, &mut workspace)?;
/// assert!(c.iter().all(|&c| c == 300.0) && workspace.bytes() == bytes);
/// # Ok::<(), disentangle::backend::cpu::gemm::GemmError>(())
/// ```
#[derive(Default)]
pub struct Workspace {
    /// A block of A.
    pub(super) a: Buffer,
    /// A block of B.
    pub(super) b: Buffer,
    /// A block of A B that is to be added to C.
    pub(super) partial: Buffer,
}

impl Workspace {
    /// An empty workspace: it allocates nothing yet.
    pub fn new() -> Workspace {
        Workspace::default()
    }

    /// Makes room for products of these sizes, so that they allocate nothing. A few MB at most, whatever the sizes.
    pub fn reserve(&mut self, m: usize, k: usize, n: usize) {
        let Need { a, b, partial } = loops::need(m, k, n);
        self.a.grow(a);
        self.b.grow(b);
        self.partial.grow(partial);
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        [&self.a, &self.b, &self.partial]
            .iter()
            .map(|buffer| size_of_val(buffer.0.as_slice()))
            .sum()
    }
}
