//! The five loops around the microkernel, outermost first.
//!
//! ```text
//!    loop over                    what it fixes                       where that stays
//! 1  blocks of columns of C       <= COLUMN_BLOCK columns of B
//! 2  spans of k                   span x columns of B, <= 1 MB        second-level cache, copied as panels
//! 3  tile rows of C               tile rows x span of A
//! 4  blocks of k in the span      tile rows x depth of A, <= 14 KB    first-level cache, copied
//! 5  panels of columns of B       depth x tile columns of B           streams from the second-level cache
//!    microkernel                  a tile of C                         registers
//! ```
//!
//! ```text
//!              k                          columns                      columns
//!        +-----------+             +-----+-----+-----+          +-----+-----+-----+
//!        |           |          k  |     |     |     |          |     |     |     |
//!      3 |--4--+--4--|             |--5--|--5--|--5--|          |-----|-----|-----| 3
//!   rows |     |     |      x      |     |     |     |    =     |     |     |     |
//!        |-----+-----|             +-----+-----+-----+          |-----|-----|-----|
//!              A                            B                            C
//! ```
//!
//! Blocks of k go in order: the first overwrites C, the others add. BLIS keeps a panel of B in the first-level cache
//! and streams A; here it is the other way round, because a panel of A is less than half as big (14 rows, 32 columns):
//! in a cache of 48 KB that leaves more room, and was 1.15 times faster on large squares. A span of several blocks of k
//! lets a narrow product read each row of A once, from its first number to its last.
//!
//! A copy costs one pass over the operand; it pays when the operand is read often enough. See [`Product::plan`].

use super::packing::{self, Panel};
use super::tile::{Microkernel, Tile};
use super::workspace::Workspace;
use super::{MAX_BLOCK_DEPTH, MatMut, MatRef, Product, block_depth, turned};

/// Columns of B in loop 1.
const COLUMN_BLOCK: usize = 1024;
/// Numbers of B that a span holds: 1 MB. At least one block of k.
const SPAN: usize = 1 << 18;
const _: () = assert!(SPAN >= COLUMN_BLOCK * MAX_BLOCK_DEPTH);
/// A piece of C that is summed apart before it is added.
const PARTIAL_ROWS: usize = 1024;
const PARTIAL_COLUMNS: usize = 512;
/// Numbers in a page of 4 KB.
const PAGE: usize = 1024;
/// Rows of a panel of A and numbers in a register, at most, over all microkernels.
const MOST_ROWS: usize = 14;
const MOST_LANES: usize = 16;

/// Numbers that a workspace holds.
pub(super) struct Need {
    pub a: usize,
    pub b: usize,
    pub partial: usize,
}

/// What a product of these sizes needs at most, for any strides and instruction set.
pub(super) fn need(m: usize, k: usize, n: usize) -> Need {
    let need = need_of_loops(m, k, n);
    // Fewer rows may come, and be turned.
    let (rows, columns) = (m.min(turned::MOST_ROWS), n.min(turned::COLUMNS));
    let turned = need_of_loops(columns, k, rows);
    Need {
        a: need.a.max(turned.a),
        b: need.b.max(turned.b),
        partial: need.partial.max(rows * columns),
    }
}

fn need_of_loops(m: usize, k: usize, n: usize) -> Need {
    let depth = block_depth(k).min(k);
    let columns = n.min(COLUMN_BLOCK).next_multiple_of(MOST_LANES);
    let partial = if depth < k {
        m.min(PARTIAL_ROWS) * n.min(PARTIAL_COLUMNS)
    } else {
        0
    };
    Need {
        a: packing::room(depth, m.min(MOST_ROWS)),
        b: packing::room(k.saturating_mul(columns).min(SPAN), 1),
        partial,
    }
}

/// What is copied, and the size of the pieces.
struct Plan {
    kernel: &'static Microkernel,
    /// Rows of a tile of C: as equal as possible, since a tile of one or two rows wastes the multipliers.
    height: usize,
    /// Depth of a block of k.
    depth: usize,
    copy_a: bool,
    copy_b: bool,
}

/// Columns `column..column + columns` and rows `first..last` of B: one turn of loop 2.
struct Span {
    column: usize,
    columns: usize,
    first: usize,
    last: usize,
    /// Columns of the copy.
    width: usize,
    /// The copy, if there is one: block after block, and in a block panel after panel.
    copy: *mut f32,
}

impl Product {
    /// Computes C. It allocates only when `workspace` is too small (see [`Workspace::reserve`]). For the order of roundings
    /// see the [module](super).
    ///
    /// # Safety
    /// - `isa.is_available()`.
    /// - Every element of A and B can be read and every element of C written; C overlaps neither.
    pub unsafe fn run(&self, workspace: &mut Workspace) {
        if self.m == 0 || self.n == 0 {
            return;
        }
        if self.k == 0 && !self.accumulate {
            for i in 0..self.m {
                // SAFETY: row i of C.
                unsafe { self.c.at(i, 0).write_bytes(0, self.n) };
            }
        } else if turned::pays(self) {
            // SAFETY: the caller's promise.
            unsafe { turned::run(self, workspace) }
        } else if self.k > block_depth(self.k) && self.accumulate {
            // SAFETY: the caller's promise.
            unsafe { self.sum_apart(workspace) }
        } else {
            // SAFETY: the caller's promise.
            unsafe { self.loops(workspace) }
        }
    }

    /// Several blocks of k would meet the old C one by one, each with a rounding of C's size: sums them first.
    unsafe fn sum_apart(&self, workspace: &mut Workspace) {
        for j in (0..self.n).step_by(PARTIAL_COLUMNS) {
            let n = (self.n - j).min(PARTIAL_COLUMNS);
            for i in (0..self.m).step_by(PARTIAL_ROWS) {
                let m = (self.m - i).min(PARTIAL_ROWS);
                let sum = MatMut {
                    ptr: workspace.partial.get(m * n),
                    row_stride: n,
                };
                let (a, b) = (self.a.from(i, 0), self.b.from(0, j));
                let part = Product {
                    isa: self.isa,
                    m,
                    k: self.k,
                    n,
                    a,
                    b,
                    c: sum,
                    accumulate: false,
                };
                // SAFETY: a part of the operands, and memory of the part's size.
                unsafe { part.loops(workspace) };
                for row in 0..m {
                    // SAFETY: row `row` of the sum and of that part of C, which do not overlap.
                    let (sum, c) = unsafe {
                        let c = self.c.at(i + row, j);
                        (
                            std::slice::from_raw_parts(sum.at(row, 0), n),
                            std::slice::from_raw_parts_mut(c, n),
                        )
                    };
                    c.iter_mut().zip(sum).for_each(|(c, sum)| *c += sum);
                }
            }
        }
    }

    /// What to copy. The figures were measured on shapes of dense layers, and change no bit of the result.
    fn plan(&self) -> Plan {
        let kernel = Microkernel::of(self.isa);
        let height = self.m.div_ceil(self.m.div_ceil(kernel.max_rows));
        // Rows (or columns) whose distance is a multiple of a page compete for the same few places of every cache.
        let a_by_pages = (self.a.row_stride.max(self.a.col_stride)).is_multiple_of(PAGE);
        let b_by_pages = self.b.row_stride.is_multiple_of(PAGE);
        // A is read once per panel of B, and B once per tile row of C.
        let (reads_of_a, reads_of_b) = (self.n.div_ceil(kernel.max_columns), self.m.div_ceil(height));
        Plan {
            kernel,
            height,
            depth: block_depth(self.k).min(self.k).max(1),
            copy_a: reads_of_a > if a_by_pages { 2 } else { 8 },
            copy_b: self.b.col_stride != 1 || reads_of_b > if b_by_pages { 1 } else { 16 },
        }
    }

    /// Loops 1 and 2: C = A B, and C += A B if k is one block.
    ///
    /// # Safety
    /// That of [`Product::run`].
    pub(super) unsafe fn loops(&self, workspace: &mut Workspace) {
        let plan = self.plan();
        for column in (0..self.n).step_by(COLUMN_BLOCK) {
            let columns = (self.n - column).min(COLUMN_BLOCK);
            let width = plan.kernel.width(columns);
            let blocks = SPAN / width / plan.depth;
            for first in (0..self.k).step_by(blocks * plan.depth) {
                let last = self.k.min(first + blocks * plan.depth);
                let mut span = Span {
                    column,
                    columns,
                    first,
                    last,
                    width,
                    copy: std::ptr::null_mut(),
                };
                if plan.copy_b {
                    span.copy = workspace.b.get(packing::room(last - first, width));
                    // SAFETY: the caller's promise, and room for the copy.
                    unsafe { self.copy_b(&plan, &span) };
                }
                // SAFETY: the caller's promise, and B has been copied if it is to be.
                unsafe { self.tile_rows(&plan, &span, workspace) };
            }
        }
    }

    unsafe fn copy_b(&self, plan: &Plan, span: &Span) {
        for start in (span.first..span.last).step_by(plan.depth) {
            for j in (0..span.columns).step_by(plan.kernel.max_columns) {
                let lanes = (span.columns - j).min(plan.kernel.max_columns);
                let panel = Panel {
                    from: self.b.from(start, span.column + j),
                    depth: plan.depth.min(span.last - start),
                    lanes,
                    to: span.panel(plan, start, j),
                    width: plan.kernel.width(lanes),
                };
                // SAFETY: a panel of B and its place in the copy; they are copied in the order in which they lie.
                unsafe { packing::pack(self.isa, &panel) };
            }
        }
    }

    /// Loops 3, 4 and 5.
    unsafe fn tile_rows(&self, plan: &Plan, span: &Span, workspace: &mut Workspace) {
        let copy_of_a = workspace.a.get(packing::room(plan.depth, plan.height));
        for i in (0..self.m).step_by(plan.height) {
            let rows = (self.m - i).min(plan.height);
            for start in (span.first..span.last).step_by(plan.depth) {
                let depth = plan.depth.min(span.last - start);
                let mut a = self.a.from(i, start);
                if plan.copy_a {
                    let panel = Panel {
                        from: a.transposed(),
                        depth,
                        lanes: rows,
                        to: copy_of_a,
                        width: rows,
                    };
                    // SAFETY: a panel of A and room for its copy.
                    unsafe { packing::pack(self.isa, &panel) };
                    a = MatRef {
                        ptr: copy_of_a,
                        row_stride: 1,
                        col_stride: rows,
                    };
                }
                for j in (0..span.columns).step_by(plan.kernel.max_columns) {
                    let columns = (span.columns - j).min(plan.kernel.max_columns);
                    let (b, b_stride) = if plan.copy_b {
                        (span.panel(plan, start, j).cast_const(), plan.kernel.width(columns))
                    } else {
                        (self.b.at(start, span.column + j), self.b.row_stride)
                    };
                    let c = self.c.from(i, span.column + j);
                    let whole = plan.copy_b || columns == plan.kernel.width(columns);
                    let add = self.accumulate || start > 0;
                    let tile = Tile {
                        rows,
                        columns,
                        depth,
                        a,
                        b,
                        b_stride,
                        whole,
                        c,
                        add,
                    };
                    // SAFETY: a tile of the caller's operands or of their copies.
                    unsafe { (plan.kernel.run)(&tile) };
                }
            }
        }
    }
}

impl Span {
    /// Where the copy of the panel at row `start` and column `j` of the span begins.
    fn panel(&self, plan: &Plan, start: usize, j: usize) -> *mut f32 {
        let depth = plan.depth.min(self.last - start);
        self.copy.wrapping_add((start - self.first) * self.width + j * depth)
    }
}
