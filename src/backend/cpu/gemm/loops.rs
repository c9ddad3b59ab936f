//! The five loops around the microkernel, outermost first:
//!
//! ```text
//! loop  over               piece                        where it stays
//! 1     columns of C       COLUMN_BLOCK columns of B
//! 2     k                  depth x COLUMN_BLOCK of B    last-level cache; copied as panels
//! 3     rows of C          ROW_BLOCK x depth of A       second-level cache; copied as panels
//! 4     panels of B        depth x tile columns         first-level cache, read once per panel of A
//! 5     panels of A        tile rows x depth            streams from the second-level cache
//!       the microkernel    a tile of C                  registers
//! ```
//!
//! Loop 2 goes in order over the blocks of k that the [module](super) defines: the first overwrites C, the others add.

use super::super::isa::Isa;
use super::tile::{Microkernel, Tile};
use super::workspace::Workspace;
use super::{MatMut, MatRef, block_depth, packing};

/// Rows of A in a block: with a depth of 256, 344 KB.
const ROW_BLOCK: usize = 336;
/// Columns of B in a block: with a depth of 256, 2 MB.
const COLUMN_BLOCK: usize = 2048;
/// Rows and columns of a product that is added to C in one piece.
const PARTIAL_ROWS: usize = 1024;
const PARTIAL_COLUMNS: usize = 512;

/// Numbers of a workspace.
pub(super) struct Need {
    pub a: usize,
    pub b: usize,
    pub partial: usize,
}

/// What products of these sizes need, with any strides.
pub(super) fn need(m: usize, k: usize, n: usize) -> Need {
    let depth = block_depth(k).min(k);
    Need {
        a: m.min(ROW_BLOCK) * depth + 7,
        b: n.next_multiple_of(16).min(COLUMN_BLOCK) * depth,
        partial: if depth < k {
            m.min(PARTIAL_ROWS) * n.min(PARTIAL_COLUMNS)
        } else {
            0
        },
    }
}

/// See [`super::gemm`].
pub(super) unsafe fn product(
    isa: Isa,
    m: usize,
    k: usize,
    n: usize,
    a: MatRef,
    b: MatRef,
    c: MatMut,
    accumulate: bool,
    workspace: &mut Workspace,
) {
    let depth = block_depth(k);
    if k == 0 && !accumulate {
        for i in 0..m {
            // SAFETY: row i of C.
            unsafe { c.from(i, 0).ptr.write_bytes(0, n) };
        }
    }
    if k <= depth || !accumulate {
        // SAFETY: the caller's promise.
        return unsafe { blocks(isa, m, k, n, a, b, c, accumulate, workspace) };
    }
    // Several blocks would meet the old C one by one, each with a rounding of C's size: sum them first.
    for j in (0..n).step_by(PARTIAL_COLUMNS) {
        let columns = (n - j).min(PARTIAL_COLUMNS);
        for i in (0..m).step_by(PARTIAL_ROWS) {
            let rows = (m - i).min(PARTIAL_ROWS);
            let partial = MatMut {
                ptr: workspace.partial.get(rows * columns),
                row_stride: columns,
            };
            // SAFETY: a part of the product, into memory of its size; then that part of C.
            unsafe {
                blocks(
                    isa,
                    rows,
                    k,
                    columns,
                    a.from(i, 0),
                    b.from(0, j),
                    partial,
                    false,
                    workspace,
                );
                add(rows, columns, partial, c.from(i, j));
            }
        }
    }
}

unsafe fn add(rows: usize, columns: usize, from: MatMut, to: MatMut) {
    for i in 0..rows {
        // SAFETY: row i of two matrices that do not overlap.
        let (from, to) = unsafe {
            let from = std::slice::from_raw_parts(from.from(i, 0).ptr, columns);
            (from, std::slice::from_raw_parts_mut(to.from(i, 0).ptr, columns))
        };
        for (to, from) in to.iter_mut().zip(from) {
            *to += from;
        }
    }
}

unsafe fn blocks(
    isa: Isa,
    m: usize,
    k: usize,
    n: usize,
    a: MatRef,
    b: MatRef,
    c: MatMut,
    accumulate: bool,
    workspace: &mut Workspace,
) {
    let kernel = Microkernel::of(isa);
    let (pa, pb) = unsafe { PACK };
    let pack_a = if pa == 2 { n > 2 * kernel.max_columns } else { pa == 1 };
    let pack_b = b.col_stride != 1 || if pb == 2 { m > 3 * kernel.max_rows } else { pb == 1 };
    for column in (0..n).step_by(COLUMN_BLOCK) {
        let columns = (n - column).min(COLUMN_BLOCK);
        for start in (0..k).step_by(block_depth(k)) {
            let depth = (k - start).min(block_depth(k));
            let b_block = b.from(start, column);
            let b_copy = if pack_b {
                workspace.b.get(depth * columns.next_multiple_of(16))
            } else {
                std::ptr::null_mut()
            };
            if pack_b {
                for j in (0..columns).step_by(kernel.max_columns) {
                    let wide = (columns - j).min(kernel.max_columns);
                    unsafe {
                        packing::panel(
                            kernel,
                            b_block.from(0, j),
                            depth,
                            wide,
                            b_copy.add(j * depth),
                            wide.next_multiple_of(8),
                        )
                    }
                }
            }
            for row in (0..m).step_by(ROW_BLOCK) {
                let rows = (m - row).min(ROW_BLOCK);
                let height = rows.div_ceil(rows.div_ceil(kernel.max_rows));
                let a_block = a.from(row, start);
                let a_copy = if pack_a {
                    workspace.a.get(depth * rows + 7)
                } else {
                    std::ptr::null_mut()
                };
                for j in (0..columns).step_by(kernel.max_columns) {
                    let wide = (columns - j).min(kernel.max_columns);
                    for i in (0..rows).step_by(height) {
                        let high = (rows - i).min(height);
                        let a_panel = if pack_a {
                            let to = unsafe { a_copy.add(i * depth) };
                            if j == 0 {
                                unsafe {
                                    packing::panel(kernel, a_block.from(i, 0).transposed(), depth, high, to, high)
                                }
                            }
                            MatRef {
                                ptr: to,
                                row_stride: 1,
                                col_stride: high,
                            }
                        } else {
                            a_block.from(i, 0)
                        };
                        let tile = Tile {
                            rows: high,
                            columns: wide,
                            depth,
                            a: a_panel,
                            b: if pack_b {
                                unsafe { b_copy.add(j * depth) }
                            } else {
                                b_block.at(0, j)
                            },
                            b_stride: if pack_b { wide.next_multiple_of(8) } else { b.row_stride },
                            c: c.from(row + i, column + j),
                            a_ahead: if pack_a { 32 * high } else { 0 },
                            b_ahead: if pack_b { 0 } else { 32 },
                            add: accumulate || start > 0,
                        };
                        unsafe { (kernel.run)(&tile) };
                    }
                }
            }
        }
    }
}
pub static mut PACK: (u8, u8) = (2, 2);
