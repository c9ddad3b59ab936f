//! Kernel after kernel on a block of rows, each on all threads: for wide layers and for small batches.
//!
//! A tile of rows goes through a narrow network while it and the weights are in a second-level cache. Wide weights do not
//! fit beside a tile: they would be read, and copied for the product, again for every tile. And a batch of at most a tile's
//! rows would be one thread's. Such row spaces are run the other way round:
//!
//! ```text
//!   rows     0 ................................................. n
//!   blocks   |        4096         |        4096         |  ...  |     one after the other
//!   kernel   | 0 | 1 | 2 | ... |15 |                                   a row kernel: 16 lanes of 256 rows
//!   kernel   |   C, piece by piece |                                   a product: pieces of its result, all rows
//! ```
//!
//! A lane is what it is for tiles: it sums what it reduces over its rows, block after block, and the lanes are summed in a
//! fixed tree. A product sums over rows by itself and writes the gradient where it belongs. How a product is cut, and which
//! kernels stay on the caller's thread because they are small, depends on threads and replicas, which no bit does (see `gemm`).

use std::ops::Range;

use super::dense::{add_bias, all_units, is_skinny, skinny_dense};
use super::machine::{MAX_LANES, Machine, Prepared, TILE_ROWS};
use super::products::Products;
use super::tile::Place;
use crate::backend::kernel::{Kernel, Write};
use crate::backend::program::{BufferId, Program, RowSpace};

/// Weights of a layer, per replica, from which it is wide: 256 KB.
const WIDE: usize = 1 << 16;

/// Rows of a block: a full lane is a tile.
pub const BLOCK_ROWS: usize = TILE_ROWS * MAX_LANES;

/// Rows of a lane when there are not enough for full ones.
const FEW_ROWS: usize = 16;

/// Operations below which a kernel stays on the caller's thread: about 20 us, some hand-overs' worth.
const SMALL: f64 = 2e6;

/// Operations of a product that take as long as a number of an elementwise kernel, by `disentangle bench --threads 1 --filter tanh`
/// between that of a tanh and that of its slope, at the 0.01 ns that [`SMALL`] takes for an operation.
const ELEMENT: f64 = 64.0;

/// Operations that take as long as a coordinate of a pair, whose difference, square and sum are in f64.
const PAIR: f64 = 6.0;

/// Operations from which a product is cut into more pieces than threads, so that a slow thread holds nobody up.
const LARGE: f64 = 5e8;

/// Columns of a piece come in whole registers.
const REGISTER: usize = 16;

/// Whether a layer of one replica is wide, so that its program holds [`BLOCK_ROWS`] rows at a time.
pub fn is_wide(inputs: usize, units: usize) -> bool {
    !is_skinny(units) && inputs.saturating_mul(units) >= WIDE
}

/// By row space: whether its segments run on blocks of rows. If the program has a wide layer all do, else those of at most a
/// tile's rows. By a replica's own weights: a network is treated alone as beside others.
pub(super) fn in_blocks(program: &Program) -> Vec<bool> {
    let mut kernels = program.entries.iter().flatten().flat_map(|s| &s.kernels);
    let wide = kernels.any(|kernel| {
        layer(kernel).is_some_and(|(x, y)| {
            let (inputs, units) = (program.buffer(x).cols, program.buffer(y).cols);
            is_wide(inputs, units)
        })
    });
    program.spaces.iter().map(|&rows| wide || rows <= TILE_ROWS).collect()
}

/// The inputs and outputs of a kernel of a dense layer.
fn layer(kernel: &Kernel) -> Option<(BufferId, BufferId)> {
    match kernel {
        Kernel::Dense { x, y, .. } => Some((*x, *y)),
        Kernel::DenseInputGrad { dy, dx, .. } => Some((dx.buffer, *dy)),
        Kernel::DenseWeightGrad { dy, x, .. } => Some((*x, *dy)),
        _ => None,
    }
}

/// Operations of a kernel on a row of all replicas, roughly.
pub(super) fn work_of_row(program: &Program, kernel: &Kernel) -> f64 {
    let numbers = |id: BufferId| (program.copies(id) * program.buffer(id).cols) as f64;
    match (layer(kernel), kernel) {
        (Some((x, y)), _) => 2.0 * program.buffer(x).cols as f64 * numbers(y),
        (None, Kernel::SoftNearestNeighbor { x, .. } | Kernel::SoftNearestNeighborGrad { x, .. }) => {
            PAIR * program.rows(*x, &program.spaces) as f64 * numbers(*x)
        }
        (None, _) => kernel
            .operands()
            .writes
            .iter()
            .map(|target| ELEMENT * numbers(target.buffer))
            .sum(),
    }
}

/// Rows of a lane in a block, fixed by the number of rows.
pub(super) fn lane_rows(rows: usize) -> usize {
    if rows <= FEW_ROWS * MAX_LANES {
        FEW_ROWS
    } else {
        TILE_ROWS
    }
}

impl Machine {
    /// A row segment, block by block.
    pub(super) fn run_blocks(&self, segment: &Prepared, space: RowSpace) {
        let rows = self.active[space.0];
        let lane_rows = lane_rows(rows);
        let lanes = rows.div_ceil(lane_rows).min(MAX_LANES);
        for lane in 0..lanes {
            // SAFETY: no region is running.
            unsafe { self.partials(segment, lane) }.fresh.fill(1);
        }
        for first in (0..rows).step_by(lane_rows * MAX_LANES) {
            let block = first..rows.min(first + lane_rows * MAX_LANES);
            for (kernel, work) in segment.kernels.iter().zip(&segment.work) {
                let work = work * block.len() as f64;
                match (self.products(segment, kernel, &block), kernel) {
                    (Some((products, bias)), _) => self.run_products(&products, bias),
                    (None, &Kernel::Dense { x, weight, bias, y })
                        if self.program.copies(weight) >= self.pool.threads().max(2)
                            && !self.skips(x, weight, bias) =>
                    {
                        self.run_replicas([x, weight, y], bias, &block, work);
                    }
                    _ => self.run_lanes(segment, kernel, &block, lane_rows, work),
                }
                if let Kernel::DenseWeightGrad { dy, x, dweight, dbias } = kernel
                    && dweight.is_some_and(|target| self.is_direct(segment, target.buffer))
                    && dbias.is_some()
                {
                    let bias_alone = Kernel::DenseWeightGrad {
                        dy: *dy,
                        x: *x,
                        dweight: None,
                        dbias: *dbias,
                    };
                    let additions = (self.program.copies(*dy) * self.program.buffer(*dy).cols * block.len()) as f64;
                    self.run_lanes(segment, &bias_alone, &block, lane_rows, additions);
                }
            }
        }
        self.combine(segment, lanes, rows);
    }

    /// A row kernel: a lane of the block to a task.
    fn run_lanes(&self, segment: &Prepared, kernel: &Kernel, block: &Range<usize>, lane_rows: usize, work: f64) {
        let task = |worker: usize, lane: usize| {
            let first = block.start + lane * lane_rows;
            let rows = first..block.end.min(first + lane_rows);
            // SAFETY: worker numbers are exclusive within a region, and one task has a lane.
            let (scratch, mut partials) = unsafe { (self.scratch(worker), self.partials(segment, lane)) };
            self.execute(kernel, rows, scratch, &mut partials);
        };
        self.run_tasks(block.len().div_ceil(lane_rows), work, &task);
    }

    /// A skinny layer of several replicas: one to a task. A replica's weights stay with the thread that made their gradient and
    /// updated them; cut by rows, every thread would fetch all weights from the others in each step.
    fn run_replicas(&self, [x, weight, y]: [BufferId; 3], bias: Option<BufferId>, block: &Range<usize>, work: f64) {
        // SAFETY: no region is running.
        let scratch = unsafe { self.scratch(0) };
        let t = self.tile(block.clone(), &scratch.tile);
        let (x, weight, bias) = (t.real(x), t.real(weight), bias.map(|bias| t.real(bias).data));
        let y = all_units(block.len(), weight.data.len() / x.cols, t.write(y));
        self.run_tasks(weight.copies, work, &|_, r| {
            // SAFETY: y has all these rows of all replicas, and one task has a replica.
            unsafe { skinny_dense(self.isa, x, weight, bias, r, y) };
        });
    }

    /// Whether a layer skips zeros of its samples.
    fn skips(&self, x: BufferId, weight: BufferId, bias: Option<BufferId>) -> bool {
        self.skipping[x.0]
            .as_ref()
            .is_some_and(|s| s.layer(weight, bias).is_some())
    }

    /// Tasks on all threads, or on the caller's if all together are little work.
    fn run_tasks(&self, tasks: usize, work: f64, task: &(dyn Fn(usize, usize) + Sync)) {
        if work < SMALL {
            (0..tasks).for_each(|t| task(0, t));
        } else {
            self.pool.run_in_shares(tasks, task);
        }
    }

    /// The products that a kernel is on a block, if it is, and the bias that is added to them.
    fn products(
        &self,
        segment: &Prepared,
        kernel: &Kernel,
        block: &Range<usize>,
    ) -> Option<(Products, Option<&[f32]>)> {
        let isa = self.isa;
        // SAFETY: no region is running.
        let scratch = unsafe { self.scratch(0) };
        let t = self.tile(block.clone(), &scratch.tile);
        match kernel {
            Kernel::Dense { x, weight, bias, y } => {
                if self.skips(*x, *weight, *bias) || is_skinny(self.program.buffer(*y).cols) {
                    return None;
                }
                let products = Products::forward(isa, t.real(*x), t.real(*weight).data, t.write(*y));
                Some((products, bias.map(|b| t.real(b).data)))
            }
            Kernel::DenseInputGrad { dy, weight, dx } => {
                let (dy, weight) = (t.real(*dy), t.real(*weight).data);
                Some((
                    Products::input_grad(isa, dy, weight, t.write(dx.buffer), dx.write),
                    None,
                ))
            }
            Kernel::DenseWeightGrad {
                dy,
                x,
                dweight: Some(target),
                ..
            } if self.is_direct(segment, target.buffer) => {
                // SAFETY: no region is running.
                let mut partials = unsafe { self.partials(segment, 0) };
                let (reduction, fresh) = partials.find(target.buffer);
                let Place::Real(slab) = &self.places[target.buffer.0] else {
                    unreachable!("gradients are real")
                };
                // SAFETY: nothing in the segment reads a sum over rows, and this kernel alone runs.
                let dweight = unsafe { slab.part_mut(0, reduction.length) };
                let write = if fresh { reduction.target.write } else { Write::Add };
                Some((
                    Products::weight_grad(isa, t.real(*dy), t.real(*x), dweight, write),
                    None,
                ))
            }
            _ => None,
        }
    }

    /// Whether a product writes a weight's gradient where it belongs, without lanes.
    pub(super) fn is_direct(&self, segment: &Prepared, gradient: BufferId) -> bool {
        let reduction = segment.reductions.iter().find(|r| r.target.buffer == gradient);
        reduction.is_some_and(|r| r.of_products && self.skipping(r).is_none())
    }

    /// Products in pieces, a task each.
    fn run_products(&self, products: &Products, bias: Option<&[f32]>) {
        let &(m, n, isa) = &(products.first.m, products.first.n, products.first.isa);
        let (rows, columns) = piece(products, self.pool.threads());
        let (down, across) = (m.div_ceil(rows), n.div_ceil(columns));
        let task = |worker: usize, task: usize| {
            let (number, piece) = (task / (down * across), task % (down * across));
            let (i, j) = (piece / across * rows, piece % across * columns);
            let columns = j..n.min(j + columns);
            let part = products.part(number, i..m.min(i + rows), columns.clone());
            // SAFETY: worker numbers are exclusive within a region.
            let scratch = unsafe { self.scratch(worker) };
            // SAFETY: the operands belong to this machine, and this piece of the result to this task.
            unsafe { part.run(&mut scratch.workspace) };
            if let Some(bias) = bias {
                let bias = &bias[number * n..][columns];
                for i in 0..part.m {
                    // SAFETY: as above.
                    add_bias(isa, unsafe { part.row(i) }, bias);
                }
            }
        };
        self.run_tasks(products.count * down * across, operations(products), &task);
    }
}

fn operations(products: &Products) -> f64 {
    let first = &products.first;
    2.0 * products.count as f64 * first.m as f64 * first.k as f64 * first.n as f64
}

/// Rows and columns of a piece of the results: all of them for a product that stays on the caller's thread.
///
/// A piece copies its rows of A and its columns of B, so products are cut where that is the fewest. The gradient of a small layer's
/// weights is cut by units: their thread has those weights in its cache since it went forward, and is to update them.
fn piece(products: &Products, threads: usize) -> (usize, usize) {
    let (m, n) = (products.first.m, products.first.n);
    let work = operations(products);
    let of_all = if work < SMALL {
        1
    } else if work < LARGE {
        threads
    } else {
        2 * threads
    };
    let pieces = of_all.div_ceil(products.count);
    if products.units_are_rows && work < LARGE {
        return (m.div_ceil(pieces), n);
    }
    let cut = |down: usize| {
        let columns = n.div_ceil(pieces / down).next_multiple_of(REGISTER);
        (m.div_ceil(down), columns)
    };
    let divisors = (1..=pieces).filter(|down| pieces.is_multiple_of(*down));
    let fewest = divisors.map(cut).min_by_key(|(rows, columns)| rows + columns);
    fewest.unwrap_or((m, n))
}
