//! Gradients of points with few coordinates: the products of a strip's weights while they are in registers.
//!
//! ```text
//! sum_i w_ij x_i, for the columns    per coordinate: 16 multiply-adds, the weights in registers, sums in the first-level cache
//! sum_j w_ij x_j, for the rows       per 3 coordinates: 24 sums in registers along a block of columns, lanes added at its end
//! ```

use std::ops::Range;

use super::super::simd::Simd;
use super::gradient::{Weighing, weights};
use super::rounds::BLOCK;
use super::sums::{Pairs, down, lanes};
use super::tile::{self, Map, Pairing, Sums, Tiled, Tiles, across, load, store};

/// Coordinates whose sums for a strip are in registers together.
const TOGETHER: usize = 3;

/// Adds the gradients of all pairs.
pub(super) fn add<P: Pairing, M: Map>(pairs: Pairs, map: M, weighing: &Weighing) {
    pairs.each(&|worker, i, j, same| {
        let rooms = weighing.rooms;
        // SAFETY: one thread at a time has a worker's number.
        let (strip_weights, products) = unsafe {
            (
                rooms.weights.part_mut(worker * rooms.weights_each, rooms.weights_each),
                rooms
                    .products
                    .part_mut(worker * BLOCK * (rooms.dim + 1), BLOCK * (rooms.dim + 1)),
            )
        };
        let task = Task::<P, M> {
            pairs,
            worker,
            i,
            j,
            same,
            map,
            weighing,
            strip_weights,
            products,
            pairing: std::marker::PhantomData,
        };
        tile::run(pairs.isa, task);
    });
}

struct Task<'a, P, M> {
    pairs: Pairs<'a>,
    worker: usize,
    i: Range<usize>,
    j: Range<usize>,
    same: bool,
    map: M,
    weighing: &'a Weighing<'a>,
    /// `[strip][columns of the block]`
    strip_weights: &'a mut [f32],
    /// `[panel][dim][width]`, then `[panel][width]`: sums over the rows of w x and of w.
    products: &'a mut [f32],
    pairing: std::marker::PhantomData<P>,
}

impl<P: Pairing, M: Map> Tiled for Task<'_, P, M> {
    /// # Safety
    /// The processor has the instruction set, `R` and `C` are its `PAIR_ROWS` and `PAIR_COLUMNS`, and the task alone has these rows, columns and rooms.
    #[inline(always)]
    unsafe fn tiles<S: Simd, const R: usize, const C: usize>(mut self) {
        let (rows, dim, width) = (self.pairs.rows, self.pairs.rows.dim, C * S::LANES);
        let used = self.j.len() * width;
        self.products[..used * (dim + 1)].fill(0.0);
        for p in self.i.clone() {
            for s in 0..(rows.panel(p).valid as usize).div_ceil(R) {
                // SAFETY: the caller's promise.
                unsafe {
                    let first = if self.same { p } else { self.j.start };
                    let totals = self.columns::<S, R, C>((p, s), first);
                    self.rows::<S, R, C>((p, s), first, totals);
                }
            }
        }
        let (products, totals) = self.products.split_at(used * dim);
        let columns = self.pairs.columns;
        for (n, q) in self.j.clone().enumerate() {
            let x = columns.centered_columns(q);
            for c in 0..width {
                // SAFETY: the caller's promise.
                if let Some(to) = unsafe { self.weighing.column_sink.row(q * width + c) } {
                    let total = f64::from(totals[n * width + c]);
                    for (k, to) in to.iter_mut().enumerate() {
                        let product = f64::from(products[(n * dim + k) * width + c]);
                        *to += self.weighing.factor * (f64::from(x[k * width + c]) * total - product);
                    }
                }
            }
        }
    }
}

impl<P: Pairing, M: Map> Task<'_, P, M> {
    /// Makes a strip's weights from panel `first` on, adds them and their products to the columns' sums, and returns the sums over
    /// the columns.
    ///
    /// # Safety
    /// As for `strips`.
    #[inline(always)]
    unsafe fn columns<S: Simd, const R: usize, const C: usize>(
        &mut self,
        (p, s): (usize, usize),
        first: usize,
    ) -> [f32; R] {
        let (dim, width) = (self.pairs.rows.dim, C * S::LANES);
        let used = self.j.len() * width;
        let x = self.pairs.rows.centered_strip(p, s).as_ptr();
        // SAFETY: the caller's promise; the rooms have these numbers.
        unsafe {
            // Rows are short, so that there is nothing to fill.
            let tiles = Tiles::new(self.pairs, self.worker, p..p + 1, first..self.j.end, self.same);
            let mut row_sums = [S::splat(0.0); R];
            for q in first..self.j.end {
                let n = q - self.j.start;
                let w: Sums<S, R, C> =
                    weights::<S, P, M, R, C>(self.pairs, &tiles, ((p, s), q), self.same, self.map, self.weighing);
                for (r, (sum, w)) in row_sums.iter_mut().zip(&w).enumerate() {
                    *sum = S::add(*sum, across::<S, C>(w));
                    let to = self.strip_weights.as_mut_ptr().add(r * used + n * width);
                    store::<S, C>(to, w);
                }
                let totals = self.products.as_mut_ptr().add(used * dim + n * width);
                for v in 0..C {
                    let to = totals.add(v * S::LANES);
                    S::store(to, S::add(S::load(to), down::<S, R, C>(&w, v)));
                }
                let products = self.products.as_mut_ptr().add(n * dim * width);
                for k in 0..dim {
                    let to = products.add(k * width);
                    let mut sums = load::<S, C>(to);
                    for (r, w) in w.iter().enumerate() {
                        let x = S::splat(*x.add(k * R + r));
                        for (sum, &w) in sums.iter_mut().zip(w) {
                            *sum = S::multiply_add(x, w, *sum);
                        }
                    }
                    store::<S, C>(to, &sums);
                }
            }
            lanes::<S, R>(&row_sums)
        }
    }

    /// Adds what the columns give to a strip's rows.
    ///
    /// # Safety
    /// As for `strips`.
    #[inline(always)]
    unsafe fn rows<S: Simd, const R: usize, const C: usize>(
        &self,
        (p, s): (usize, usize),
        first: usize,
        totals: [f32; R],
    ) {
        let (rows, dim, width) = (self.pairs.rows, self.pairs.rows.dim, C * S::LANES);
        let used = self.j.len() * width;
        let mut products = [[0.0f32; R]; super::gradient::NARROW + TOGETHER];
        for start in (0..dim).step_by(TOGETHER) {
            // Past the last coordinate it is repeated, and what comes of it overwritten or not read.
            let at: [usize; TOGETHER] = std::array::from_fn(|t| (start + t).min(dim - 1) * width);
            // SAFETY: the caller's promise; the strip's weights have been made from panel `first` on.
            unsafe {
                let mut sums = [[S::splat(0.0); TOGETHER]; R];
                for q in first..self.j.end {
                    let panel = self.pairs.columns.centered_columns(q).as_ptr();
                    let weights = self.strip_weights.as_ptr().add((q - self.j.start) * width);
                    for lane in (0..width).step_by(S::LANES) {
                        let x = at.map(|at| S::load(panel.add(at + lane)));
                        for (r, sums) in sums.iter_mut().enumerate() {
                            let w = S::load(weights.add(r * used + lane));
                            for (sum, x) in sums.iter_mut().zip(&x) {
                                *sum = S::multiply_add(w, *x, *sum);
                            }
                        }
                    }
                }
                for t in 0..TOGETHER {
                    products[start + t] = lanes::<S, R>(&sums.map(|sums| sums[t]));
                }
            }
        }
        let x = rows.centered_strip(p, s);
        for (r, total) in totals.iter().enumerate() {
            // SAFETY: the caller's promise.
            if let Some(to) = unsafe { self.weighing.row_sink.row(p * width + s * R + r) } {
                for (k, to) in to.iter_mut().enumerate() {
                    let product = f64::from(products[k][r]);
                    *to += self.weighing.factor * (f64::from(x[k * R + r]) * f64::from(*total) - product);
                }
            }
        }
    }
}
