//! Gradients of sums over pairs, the distances recomputed.
//!
//! With w_ij = k(d_ij) (a_i + b_j), where k(d) (x_i - x_j) is the gradient of f(d_ij) by x_i up to a factor,
//!
//! ```text
//! dx_i = sum_j w_ij (x_i - x_j) = x_i sum_j w_ij - sum_j w_ij x_j,      dx_j = sum_i w_ij (x_j - x_i)
//! ```
//!
//! A task makes the weights of a block of rows and a block of columns, which fit into the second-level cache, and two
//! products of them with the blocks' rows (few coordinates: see `narrow`); a column of ones beside the coordinates gives the sums of the weights. The mean of all
//! points is subtracted before, so that what cancels between the two terms is as small as the cloud, wherever it lies:
//! the error is about 300 u sum_j |w_ij| (|x_i - mean| + |x_j - mean|). Blocks are added up in f64.

use std::ops::Range;

use super::super::gemm::{MatMut, MatRef, Product, Workspace};
use super::super::simd::Simd;
use super::super::slab::Slab;
use super::order::Order;
use super::packed::Packed;
use super::rounds::BLOCK;
use super::sums::Pairs;
use super::tile::{self, Extent, Map, Pairing, Sums, Tiled, Tiles, load, store};
use super::{memory, narrow};
use crate::backend::pairwise::PairwiseError;

/// Rows with fewer coordinates have kernels of their own, in `narrow`: the copies of a matrix product would cost too much.
pub(super) const NARROW: usize = 64;

/// Coefficients `[class of the other side][position]`.
pub(super) struct Coefficients {
    pub(super) values: Slab<f32>,
    pub(super) positions: usize,
}

impl Coefficients {
    pub(super) fn new(classes: usize, positions: usize) -> Result<Coefficients, PairwiseError> {
        let values = Slab::new("coefficients of a gradient", classes * positions).map_err(memory)?;
        Ok(Coefficients { values, positions })
    }

    fn from(&self, class: u32, position: usize) -> *const f32 {
        self.values.all()[class as usize * self.positions + position..].as_ptr()
    }
}

/// A gradient `[row][dim]` that tasks add to, each to its own rows.
pub(super) struct Sink<'a> {
    to: *mut f64,
    length: usize,
    dim: usize,
    order: &'a Order,
}

// SAFETY: tasks write disjoint rows (see `rounds`), within the slice that is borrowed as long as the sink lives.
unsafe impl Sync for Sink<'_> {}

impl<'a> Sink<'a> {
    pub(super) fn new(to: &'a mut [f64], dim: usize, order: &'a Order) -> Sink<'a> {
        Sink {
            to: to.as_mut_ptr(),
            length: to.len(),
            dim,
            order,
        }
    }

    /// # Safety
    /// One task at a time for each position.
    #[expect(clippy::mut_from_ref, reason = "each position is one task's own")]
    pub(super) unsafe fn row(&self, position: usize) -> Option<&mut [f64]> {
        let start = self.order.row(position)? * self.dim;
        // SAFETY: within the slice; the caller's promise.
        (start + self.dim <= self.length)
            .then(|| unsafe { std::slice::from_raw_parts_mut(self.to.add(start), self.dim) })
    }
}

/// Roundings of the products behind a gradient, at most: a column's along the rows of a block, a multiply-add for each, and what is left for
/// coordinates that were rounded when they were packed, sums of weights and trees.
pub const GRADIENT_ROUNDINGS: usize = BLOCK + 44;

/// What the threads need to compute gradients.
pub(super) struct Rooms {
    /// Weights of a block of pairs; for narrow rows those of a strip.
    pub(super) weights: Slab<f32>,
    /// Numbers of a thread.
    pub(super) weights_each: usize,
    /// Sums over the rows of a block for each column and coordinate.
    pub(super) products: Slab<f32>,
    workspaces: Vec<std::sync::Mutex<Workspace>>,
    pub(super) dim: usize,
}

impl Rooms {
    pub(super) fn new(threads: usize, dim: usize) -> Result<Rooms, PairwiseError> {
        let narrow = dim < NARROW;
        let workspace = |_| {
            let mut workspace = Workspace::new();
            if !narrow {
                workspace.reserve(BLOCK, BLOCK, dim + 1);
            }
            std::sync::Mutex::new(workspace)
        };
        let weights_each = BLOCK * if narrow { 8 } else { BLOCK };
        Ok(Rooms {
            weights: Slab::new("weights of pairs", threads * weights_each).map_err(memory)?,
            weights_each,
            products: Slab::new("products of weights", threads * BLOCK * (dim + 1)).map_err(memory)?,
            workspaces: (0..threads).map(workspace).collect(),
            dim,
        })
    }
}

/// Where the gradients of both sides go, and what weighs the pairs.
pub(super) struct Weighing<'a> {
    /// a_i by the class of j.
    pub(super) rows: &'a Coefficients,
    /// b_j by the class of i.
    pub(super) columns: Option<&'a Coefficients>,
    /// Multiplies all.
    pub(super) factor: f64,
    pub(super) row_sink: &'a Sink<'a>,
    pub(super) column_sink: &'a Sink<'a>,
    pub(super) rooms: &'a Rooms,
}

/// Adds the gradients of all pairs.
pub(super) fn add_gradients<P: Pairing, M: Map>(pairs: Pairs, _: P, map: M, weighing: &Weighing) {
    if weighing.rooms.dim < NARROW {
        return narrow::add::<P, M>(pairs, map, weighing);
    }
    pairs.each(&|worker, i, j, same| {
        // SAFETY: one thread at a time has a worker's number.
        let weights = unsafe { weighing.rooms.weights.part_mut(worker * BLOCK * BLOCK, BLOCK * BLOCK) };
        let task = Task::<P, M> {
            pairs,
            worker,
            i: i.clone(),
            j: j.clone(),
            same,
            map,
            weighing,
            weights,
            pairing: std::marker::PhantomData,
        };
        tile::run(pairs.isa, task);
        let width = pairs.rows.width;
        let n = j.len() * width;
        let weights = MatRef {
            ptr: weights.as_ptr(),
            row_stride: n,
            col_stride: 1,
        };
        // SAFETY: this task alone has these blocks and this worker's rooms; the weights are m x n.
        unsafe {
            weighing.side(
                pairs,
                worker,
                (pairs.rows, &i),
                (pairs.columns, &j),
                weights,
                weighing.row_sink,
            );
            let weights = weights.transposed();
            weighing.side(
                pairs,
                worker,
                (pairs.columns, &j),
                (pairs.rows, &i),
                weights,
                weighing.column_sink,
            );
        }
    });
}

impl Weighing<'_> {
    /// Adds what one side's rows get: `weights` is `[own positions, other positions]`.
    ///
    /// # Safety
    /// The caller's task alone has the own positions and the worker's rooms.
    unsafe fn side(
        &self,
        pairs: Pairs,
        worker: usize,
        (own, mine): (&Packed, &Range<usize>),
        (other, theirs): (&Packed, &Range<usize>),
        weights: MatRef,
        sink: &Sink,
    ) {
        let (dim, width) = (self.rooms.dim, own.width);
        let (m, k, n) = (mine.len() * width, theirs.len() * width, dim + 1);
        // SAFETY: the caller's promise.
        let products = unsafe { self.rooms.products.part_mut(worker * BLOCK * n, m * n) };
        let rows = MatRef {
            ptr: other.rows(theirs.start).as_ptr(),
            row_stride: n,
            col_stride: 1,
        };
        let sums = MatMut {
            ptr: products.as_mut_ptr(),
            row_stride: n,
        };
        let Ok(mut workspace) = self.rooms.workspaces[worker].lock() else {
            return;
        };
        let product = Product {
            isa: pairs.isa,
            m,
            k,
            n,
            a: weights,
            b: rows,
            c: sums,
            accumulate: false,
        };
        // SAFETY: the instruction set is the backend's; the weights are m x k, the rows k x n, the product has m n numbers.
        unsafe { product.run(&mut workspace) };
        let rows = own.rows(mine.start).chunks_exact(n).zip(products.chunks_exact(n));
        for (r, (x, products)) in rows.enumerate() {
            // SAFETY: the caller's promise.
            if let Some(to) = unsafe { sink.row(mine.start * width + r) } {
                let total = f64::from(products[dim]);
                for ((to, x), product) in to.iter_mut().zip(x).zip(products) {
                    *to += self.factor * (f64::from(*x) * total - f64::from(*product));
                }
            }
        }
    }
}

struct Task<'a, P, M> {
    pairs: Pairs<'a>,
    worker: usize,
    i: Range<usize>,
    j: Range<usize>,
    same: bool,
    map: M,
    weighing: &'a Weighing<'a>,
    weights: &'a mut [f32],
    pairing: std::marker::PhantomData<P>,
}

impl<P: Pairing, M: Map> Tiled for Task<'_, P, M> {
    /// Writes the weights, 0 where no pair is.
    ///
    /// # Safety
    /// The processor has the instruction set and `R` and `C` are its `PAIR_ROWS` and `PAIR_COLUMNS`.
    #[inline(always)]
    unsafe fn tiles<S: Simd, const R: usize, const C: usize>(self) {
        let width = C * S::LANES;
        let stride = self.j.len() * width;
        debug_assert!(self.i.len() * width * stride <= self.weights.len());
        let mut tiles = Tiles::new(self.pairs, self.worker, self.i.clone(), self.j.clone(), self.same);
        for group in tiles.groups() {
            // SAFETY: the caller's promise.
            unsafe { tiles.fill::<S, P, R, C>(group.clone()) };
            for p in self.i.clone() {
                let begin = tiles.first(p, &group);
                for s in 0..width / R {
                    let first = ((p - self.i.start) * width + s * R) * stride;
                    for q in group.clone() {
                        let at = first + (q - self.j.start) * width;
                        // SAFETY: the caller's promise; the weights have room for all positions of the panels.
                        unsafe {
                            let mut values: Sums<S, R, C> = [[S::splat(0.0); C]; R];
                            if q >= begin {
                                let at = ((p, s), q);
                                values = weights::<S, P, M, R, C>(
                                    self.pairs,
                                    &tiles,
                                    at,
                                    self.same,
                                    self.map,
                                    self.weighing,
                                );
                            }
                            for (r, values) in values.iter().enumerate() {
                                let to = self.weights.as_mut_ptr().add(at + r * stride);
                                store::<S, C>(to, values);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The weights of strip `s` of panel `p` and panel `q`, 0 where no pair is.
///
/// # Safety
/// The processor has the instruction set and `R` and `C` are its `PAIR_ROWS` and `PAIR_COLUMNS`; the tables cover all positions of the panels.
#[inline(always)]
pub(super) unsafe fn weights<S: Simd, P: Pairing, M: Map, const R: usize, const C: usize>(
    pairs: Pairs,
    tiles: &Tiles,
    ((p, s), q): ((usize, usize), usize),
    same: bool,
    map: M,
    weighing: &Weighing,
) -> Sums<S, R, C> {
    let (rows, columns) = (pairs.rows, pairs.columns);
    let width = C * S::LANES;
    // SAFETY: the caller's promise.
    unsafe {
        let mut values: Sums<S, R, C> = tiles.distances::<S, P, R, C>((p, s), q);
        let by_row = weighing.rows.from(columns.panel(q).class, p * width + s * R);
        let by_column = match weighing.columns {
            Some(table) => {
                let from = table.from(rows.panel(p).class, q * width);
                load::<S, C>(from)
            }
            None => [S::splat(0.0); C],
        };
        for (r, values) in values.iter_mut().enumerate() {
            let a = S::splat(*by_row.add(r));
            for v in 0..C {
                values[v] = S::multiply(map.of::<S>(values[v]), S::add(a, by_column[v]));
            }
        }
        Extent::of(rows, (p, s), columns, q, same && p == q).clear::<S, R, C>(&mut values);
        values
    }
}
