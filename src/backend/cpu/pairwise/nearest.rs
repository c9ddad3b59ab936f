//! The k nearest of each row: reduction C.
//!
//! Each row keeps a buffer of candidates, keys of 64 bits with the bits of the distance above the index, and a threshold
//! that the distances of its k nearest cannot pass: the k-th smallest so far and what it and another may be wrong by. A tile
//! of pairs is looked at only if one of its distances is at most the threshold of its row or its column. Pairs of one set
//! are visited once, for both. At the end the distances of what is left are computed in f64, in the reference's order:
//! so the k nearest are those of exact distances, ties go to the lowest index, and the order in which candidates came
//! does not matter.
//!
//! Thresholds are seeded: before anything else each block is compared with itself, and a row's k-th smallest distance
//! there gives its first threshold.
//!
//! In the centred form a distance is known within a bound, [`error_of_products`]. What by its lower end could be among the
//! k nearest is computed again as differences before it becomes a candidate.

use std::ops::Range;
use std::sync::Mutex;

use super::super::Cpu;
use super::super::simd::{Simd, Vectorized, dispatch};
use super::super::slab::Slab;
use super::candidates::{Exact, Heaps, Slack, distance};
use super::memory;
use super::reduce::{all, side};
use super::rounds::{BLOCK, Meeting};
use super::stage::{Needs, Stage};
use super::sums::Pairs;
use super::tile::{Absolutes, DEPTH, Differences, Extent, Pairing, Products, Sums, distances, sums};
use super::wide;
use crate::backend::pairwise::{Form, Metric, Nearest, PairwiseError, Points};

/// Relative to |x|^2 + |y|^2: how far |x|^2 + |y|^2 - 2 x.y may be from the squared distance of the packed coordinates.
/// A product's chain rounds at most `DEPTH` times, the sum of chains once for each, and 2 |x.y| <= |x|^2 + |y|^2; norms and what
/// is made of them take 6 roundings, coordinates rounded when they are packed 8, the threshold 2. A factor of 1.01 covers the
/// terms of second order.
fn error_of_products(dim: usize) -> f32 {
    let roundings = dim.min(DEPTH) + dim.div_ceil(DEPTH) + 16;
    1.01 * roundings as f32 * f32::EPSILON / 2.0
}

/// What a task needs.
#[derive(Clone, Copy)]
struct Search<'a> {
    pairs: Pairs<'a>,
    rows: &'a Heaps<'a>,
    /// None for two sets: there the columns look for nothing.
    columns: Option<&'a Heaps<'a>>,
    /// Of products: what they may be wrong by.
    error: Option<f32>,
}

/// Squared distances, or with products what they are at least (`sign` -1) or at most (`sign` 1).
///
/// # Safety
/// As for `distances`.
#[inline(always)]
unsafe fn bounds<S: Simd, P: Pairing, const R: usize>(
    search: &Search,
    at: (usize, usize),
    q: usize,
    sign: f32,
) -> Sums<S, R> {
    let (rows, columns) = (search.pairs.rows, search.pairs.columns);
    // SAFETY: the caller's promise.
    unsafe {
        let Some(error) = search.error.filter(|_| P::PRODUCTS) else {
            return distances::<S, P, R>(rows, at, columns, q);
        };
        let mut values = sums::<S, P, R>(rows.strip(at.0, at.1), columns.columns(q), rows.dim);
        let (row_norms, norms) = (rows.norms(at.0).add(at.1 * R), columns.norms(q));
        let column_norms = [S::load(norms), S::load(norms.add(S::LANES))];
        let (share, factor) = (S::splat(1.0 + sign * error), S::splat(-2.0));
        for (r, values) in values.iter_mut().enumerate() {
            let row = S::splat(*row_norms.add(r));
            for v in 0..2 {
                let both = S::multiply(S::add(row, column_norms[v]), share);
                values[v] = S::maximum(S::multiply_add(values[v], factor, both), S::splat(0.0));
            }
        }
        values
    }
}

/// Lowers the thresholds of a block of rows by its distances to a block of columns.
struct Seed<'a, P> {
    search: Search<'a>,
    i: Range<usize>,
    j: Range<usize>,
    same: bool,
    pairing: std::marker::PhantomData<P>,
}

impl<P: Pairing> Vectorized for Seed<'_, P> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the caller's promise; one of two numbers of rows is the instruction set's.
        unsafe {
            if S::PAIR_ROWS == 8 {
                self.strips::<S, 8>();
            } else {
                self.strips::<S, 4>();
            }
        }
    }
}

impl<P: Pairing> Seed<'_, P> {
    /// # Safety
    /// The processor has the instruction set, `R` is its `PAIR_ROWS`, and the task alone has these rows.
    #[inline(always)]
    unsafe fn strips<S: Simd, const R: usize>(self) {
        let (rows, columns) = (self.search.pairs.rows, self.search.pairs.columns);
        let width = 2 * S::LANES;
        let valid: usize = self.j.clone().map(|q| columns.panel(q).valid as usize).sum();
        for p in self.i.clone() {
            for s in 0..(rows.panel(p).valid as usize).div_ceil(R) {
                let mut squares = [[0.0f32; BLOCK]; R];
                for q in self.j.clone() {
                    // SAFETY: the caller's promise; a block has at most `BLOCK` columns.
                    unsafe {
                        let values: Sums<S, R> = bounds::<S, P, R>(&self.search, (p, s), q, 1.0);
                        for (squares, values) in squares.iter_mut().zip(&values) {
                            let to = squares.as_mut_ptr().add((q - self.j.start) * width);
                            S::store(to, values[0]);
                            S::store(to.add(S::LANES), values[1]);
                        }
                    }
                }
                for (r, squares) in squares.iter_mut().enumerate() {
                    let (position, mut count) = (p * width + s * R + r, valid);
                    if s * R + r >= rows.panel(p).valid as usize {
                        break;
                    }
                    if self.same {
                        // Not itself: the last takes its place. Only the last panel of a set is not full.
                        count -= 1;
                        squares[position - self.j.start * width] = squares[count];
                    }
                    // SAFETY: the caller's promise.
                    unsafe { self.search.rows.seed(position, &mut squares[..count]) };
                }
            }
        }
    }
}

/// Offers what a block of rows and a block of columns have for each other.
struct Offer<'a, P> {
    search: Search<'a>,
    i: Range<usize>,
    j: Range<usize>,
    same: bool,
    pairing: std::marker::PhantomData<P>,
}

impl<P: Pairing> Vectorized for Offer<'_, P> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the caller's promise; one of two numbers of rows is the instruction set's.
        unsafe {
            if S::PAIR_ROWS == 8 {
                self.tiles::<S, 8>();
            } else {
                self.tiles::<S, 4>();
            }
        }
    }
}

impl<P: Pairing> Offer<'_, P> {
    /// # Safety
    /// The processor has the instruction set, `R` is its `PAIR_ROWS`, and the task alone has these rows and columns.
    #[inline(always)]
    unsafe fn tiles<S: Simd, const R: usize>(self) {
        let rows = self.search.pairs.rows;
        let width = 2 * S::LANES;
        for p in self.i.clone() {
            for s in 0..(rows.panel(p).valid as usize).div_ceil(R) {
                let first = if self.same { p } else { self.j.start };
                for q in first..self.j.end {
                    // SAFETY: the caller's promise; thresholds cover whole panels.
                    unsafe {
                        let values: Sums<S, R> = bounds::<S, P, R>(&self.search, (p, s), q, -1.0);
                        let by_row = self.search.rows.thresholds.all().as_ptr().add(p * width + s * R);
                        let mut hits = 0;
                        let mut least = values[0];
                        for (r, values) in values.iter().enumerate() {
                            hits |= S::at_most(S::minimum(values[0], values[1]), S::splat(*by_row.add(r)));
                            least = [S::minimum(least[0], values[0]), S::minimum(least[1], values[1])];
                        }
                        if let Some(heaps) = self.search.columns {
                            let by_column = heaps.thresholds.all().as_ptr().add(q * width);
                            hits |= S::at_most(least[0], S::load(by_column));
                            hits |= S::at_most(least[1], S::load(by_column.add(S::LANES)));
                        }
                        if hits != 0 {
                            self.offer::<S, R>((p, s), q, &values);
                        }
                    }
                }
            }
        }
    }

    /// Looks at each pair of a tile.
    ///
    /// # Safety
    /// As for `tiles`.
    #[inline(always)]
    unsafe fn offer<S: Simd, const R: usize>(&self, (p, s): (usize, usize), q: usize, values: &Sums<S, R>) {
        let search = &self.search;
        let width = 2 * S::LANES;
        let extent = Extent::of(search.pairs.rows, (p, s), search.pairs.columns, q, self.same && p == q);
        for (r, values) in values.iter().enumerate() {
            let i = p * width + s * R + r;
            for (v, values) in values.iter().enumerate() {
                let start = q * width + v * S::LANES;
                // SAFETY: the caller's promise; thresholds cover whole panels.
                let mut hits = unsafe {
                    let row = S::splat(search.rows.thresholds.all()[i]);
                    let limit = match search.columns {
                        Some(heaps) => S::maximum(row, S::load(heaps.thresholds.all().as_ptr().add(start))),
                        None => row,
                    };
                    S::at_most(*values, limit)
                };
                if hits == 0 {
                    continue;
                }
                let mut numbers = [0.0f32; 16];
                // SAFETY: a register has at most 16 numbers.
                unsafe { S::store(numbers.as_mut_ptr(), *values) };
                while hits != 0 {
                    let lane = hits.trailing_zeros() as usize;
                    hits &= hits - 1;
                    let j = start + lane;
                    if !extent.has(r, v * S::LANES + lane) {
                        continue;
                    }
                    let sum = match search.error {
                        Some(_) => search.rows.exact.quick(i, j),
                        None => numbers[lane],
                    };
                    // SAFETY: the caller's promise.
                    unsafe {
                        search.rows.offer(i, sum, j as u32);
                        if let Some(heaps) = search.columns {
                            heaps.offer(j, sum, i as u32);
                        }
                    }
                }
            }
        }
    }
}

fn search<P: Pairing>(search: Search) {
    let pairs = search.pairs;
    // Each block of rows is compared with one of columns, its own where there is one set.
    if pairs.meeting != Meeting::Parts {
        pairs.each_once(&|i, j, same| {
            let pairing = std::marker::PhantomData::<P>;
            dispatch(
                pairs.isa,
                Seed {
                    search,
                    i,
                    j,
                    same,
                    pairing,
                },
            );
        });
    }
    pairs.each(&|_, i, j, same| {
        let pairing = std::marker::PhantomData::<P>;
        dispatch(
            pairs.isa,
            Offer {
                search,
                i,
                j,
                same,
                pairing,
            },
        );
    });
}

impl Cpu {
    /// One replica's neighbours are appended.
    pub(super) fn nearest_of_replica(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        (metric, form): (Metric, Form),
        nearest: &mut Nearest,
    ) -> Result<(), PairwiseError> {
        if form == Form::F64 {
            return self.wide_nearest(points, others, replica, metric, nearest);
        }
        let cosine = metric == Metric::Cosine;
        let needs = Needs {
            form,
            cosine,
            by_class: false,
            gradient: false,
        };
        let stage = Stage::new((self.isa, &self.pool), points, others, replica, needs)?;
        let (set, k) = (others.unwrap_or(points), nearest.k);
        let dim = stage.dim();
        let exact = Exact {
            rows: side(points, replica, &[], cosine),
            columns: side(set, replica, &[], cosine),
            metric,
            failed: Mutex::new(None),
        };
        let slack = Slack {
            relative: f64::from(error_of_products(dim)),
            absolute: 2.1 * f64::from(f32::EPSILON) / 2.0
                * stage.largest_norm()?
                * if metric == Metric::L1 { (dim as f64).sqrt() } else { 1.0 },
            squared: metric != Metric::L1,
        };
        let heaps = Heaps::new(stage.rows().positions(), k, slack, &exact)?;
        stage.visit(|pairs| {
            let wanted = Search {
                pairs,
                rows: &heaps,
                columns: others.is_none().then_some(&heaps),
                error: (form == Form::Centered).then(|| error_of_products(dim)),
            };
            match (form, metric) {
                (Form::Centered, _) => search::<Products>(wanted),
                (_, Metric::L1) => search::<Absolutes>(wanted),
                _ => search::<Differences>(wanted),
            }
        })?;
        let (distances, indices) = heaps.finish(self, points.rows())?;
        if let Ok(Some(error)) = exact.failed.into_inner() {
            return Err(error);
        }
        nearest.distances.extend_from_slice(distances.all());
        nearest.indices.extend_from_slice(indices.all());
        let labels = indices.all().iter().map(|&j| set.label(replica, j as usize) as u32);
        nearest.labels.extend(labels);
        Ok(())
    }

    fn wide_nearest(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        metric: Metric,
        nearest: &mut Nearest,
    ) -> Result<(), PairwiseError> {
        let (set, k) = (others.unwrap_or(points), nearest.k);
        let (rows, columns) = (all(points.rows()), all(set.rows()));
        let cosine = metric == Metric::Cosine;
        let (first, second) = (
            side(points, replica, &rows, cosine),
            side(set, replica, &columns, cosine),
        );
        let mut squares: Slab<f64> = Slab::new("neighbours", rows.len() * k).map_err(memory)?;
        squares.all_mut().fill(f64::INFINITY);
        let indices: Slab<u32> = Slab::new("neighbours", rows.len() * k).map_err(memory)?;
        wide::scan((self.isa, &self.pool), first, second, metric == Metric::L1, &|few| {
            // SAFETY: calls for one row do not overlap.
            let (squares, indices) =
                unsafe { (squares.part_mut(few.place * k, k), indices.part_mut(few.place * k, k)) };
            for (&j, &d) in few.columns.iter().zip(few.distances) {
                // Columns come in order, so an equal distance comes too late.
                if d >= squares[k - 1] || (others.is_none() && j == few.place) {
                    continue;
                }
                let at = squares.partition_point(|&s| s <= d);
                squares.copy_within(at..k - 1, at + 1);
                indices.copy_within(at..k - 1, at + 1);
                (squares[at], indices[at]) = (d, j as u32);
            }
        })?;
        for (&squared, &j) in squares.all().iter().zip(indices.all()) {
            nearest.distances.push(distance(metric, squared));
            nearest.indices.push(j);
            nearest.labels.push(set.label(replica, j as usize) as u32);
        }
        Ok(())
    }
}
