//! The k nearest of each row: reduction C.
//!
//! A candidate is a key of 64 bits, the bits of its squared distance above its index: numbers order as the pairs do, ties go to
//! the lowest index, and the k smallest keys are the same in whatever order candidates come. Each row keeps a buffer of
//! candidates and a threshold that its k-th nearest is known not to pass; a tile of pairs is looked at only if one of its
//! distances is at most the threshold of its row or its column. Pairs of one set are visited once, for both.
//!
//! Thresholds are seeded: before anything else each block is compared with itself, and a row's k-th smallest distance
//! there is its first threshold.
//!
//! In the centred form a distance is known within a bound, [`error_of_products`]. What could be among the k nearest is
//! computed again as differences in f64, so that the result is that of exact distances, rounded once.

use std::ops::Range;

use super::super::Cpu;
use super::super::simd::{Simd, Vectorized, dispatch};
use super::super::slab::Slab;
use super::memory;
use super::reduce::{all, side};
use super::rounds::{BLOCK, Meeting};
use super::stage::{Needs, Stage};
use super::sums::Pairs;
use super::tile::{Absolutes, DEPTH, Differences, Extent, Pairing, Products, Sums, distances, sums};
use super::wide;
use crate::backend::pairwise::{Form, Metric, Nearest, PairwiseError, Points};

/// Candidates that a row's buffer holds beside its k: selecting the k smallest of more at once costs less each.
const ROOM: usize = 64;

/// Relative to |x|^2 + |y|^2: how far |x|^2 + |y|^2 - 2 x.y may be from the squared distance of the packed coordinates.
/// A product's chain rounds at most `DEPTH` times, the sum of chains once for each, and 2 |x.y| <= |x|^2 + |y|^2; norms and what
/// is made of them take 6 roundings, coordinates rounded when they are packed 8, the threshold 2. A factor of 1.01 covers the
/// terms of second order.
fn error_of_products(dim: usize) -> f32 {
    let roundings = dim.min(DEPTH) + dim.div_ceil(DEPTH) + 16;
    1.01 * roundings as f32 * f32::EPSILON / 2.0
}

/// The candidates of all rows of a set.
struct Heaps {
    k: usize,
    /// `[position][k + ROOM]`
    keys: Slab<u64>,
    lengths: Slab<u32>,
    /// Squared distances.
    thresholds: Slab<f32>,
}

impl Heaps {
    fn new(positions: usize, k: usize) -> Result<Heaps, PairwiseError> {
        let mut thresholds: Slab<f32> = Slab::new("thresholds", positions).map_err(memory)?;
        thresholds.all_mut().fill(f32::INFINITY);
        Ok(Heaps {
            k,
            keys: Slab::new("candidates", positions * (k + ROOM)).map_err(memory)?,
            lengths: Slab::new("candidates", positions).map_err(memory)?,
            thresholds,
        })
    }

    /// Offers a candidate to a row.
    ///
    /// # Safety
    /// The caller's task alone has this position.
    #[inline]
    unsafe fn offer(&self, position: usize, squared: f32, index: u32) {
        let room = self.k + ROOM;
        // SAFETY: the caller's promise.
        let (keys, length, threshold) = unsafe {
            (
                self.keys.part_mut(position * room, room),
                &mut self.lengths.part_mut(position, 1)[0],
                &mut self.thresholds.part_mut(position, 1)[0],
            )
        };
        if squared > *threshold {
            return;
        }
        keys[*length as usize] = u64::from(squared.to_bits()) << 32 | u64::from(index);
        *length += 1;
        if *length as usize == room {
            let (_, last, _) = keys.select_nth_unstable(self.k - 1);
            *threshold = threshold.min(f32::from_bits((*last >> 32) as u32));
            *length = self.k as u32;
        }
    }

    /// Lowers a row's threshold to the k-th smallest of some distances, if there are as many.
    ///
    /// # Safety
    /// As for `offer`.
    unsafe fn seed(&self, position: usize, squares: &mut [f32]) {
        if squares.len() >= self.k {
            let (_, last, _) = squares.select_nth_unstable_by(self.k - 1, f32::total_cmp);
            // SAFETY: the caller's promise.
            unsafe { self.thresholds.part_mut(position, 1)[0] = *last };
        }
    }
}

/// What a task needs.
#[derive(Clone, Copy)]
struct Search<'a> {
    pairs: Pairs<'a>,
    rows: &'a Heaps,
    /// None for two sets: there the columns look for nothing.
    columns: Option<&'a Heaps>,
    /// Of products only.
    recheck: Option<&'a Recheck>,
}

/// To compute a squared distance again: coordinates in f64, and the error of the first time.
struct Recheck {
    rows: Vec<f64>,
    /// Empty: those of the rows.
    columns: Vec<f64>,
    dim: usize,
    error: f32,
}

impl Recheck {
    fn squared(&self, i: usize, j: usize) -> f32 {
        let columns = if self.columns.is_empty() {
            &self.rows
        } else {
            &self.columns
        };
        let (x, y) = (
            &self.rows[i * self.dim..(i + 1) * self.dim],
            &columns[j * self.dim..(j + 1) * self.dim],
        );
        let mut lanes = [0.0f64; 16];
        let (whole, rest) = x.as_chunks::<16>();
        let (whole_y, rest_y) = y.as_chunks::<16>();
        for (x, y) in whole.iter().zip(whole_y) {
            for l in 0..16 {
                lanes[l] += (x[l] - y[l]) * (x[l] - y[l]);
            }
        }
        let rest: f64 = rest.iter().zip(rest_y).map(|(x, y)| (x - y) * (x - y)).sum();
        (lanes.iter().sum::<f64>() + rest) as f32
    }
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
        let Some(recheck) = search.recheck.filter(|_| P::PRODUCTS) else {
            return distances::<S, P, R>(rows, at, columns, q);
        };
        let mut values = sums::<S, P, R>(rows.strip(at.0, at.1), columns.columns(q), rows.dim);
        let (row_norms, norms) = (rows.norms(at.0).add(at.1 * R), columns.norms(q));
        let column_norms = [S::load(norms), S::load(norms.add(S::LANES))];
        let (share, factor) = (S::splat(1.0 + sign * recheck.error), S::splat(-2.0));
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
                    let squared = match search.recheck {
                        Some(recheck) => recheck.squared(i, j),
                        None => numbers[lane],
                    };
                    // SAFETY: the caller's promise.
                    unsafe {
                        search.rows.offer(i, squared, j as u32);
                        if let Some(heaps) = search.columns {
                            heaps.offer(j, squared, i as u32);
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
        let heaps = Heaps::new(stage.rows().positions(), k)?;
        let recheck = match form {
            Form::Centered => Some(Recheck {
                rows: coordinates(points, replica, cosine)?,
                columns: others.map_or(Ok(vec![]), |others| coordinates(others, replica, cosine))?,
                dim: stage.dim(),
                error: error_of_products(stage.dim()),
            }),
            Form::Direct | Form::F64 => None,
        };
        stage.visit(|pairs| {
            let wanted = Search {
                pairs,
                rows: &heaps,
                columns: others.is_none().then_some(&heaps),
                recheck: recheck.as_ref(),
            };
            match (form, metric) {
                (Form::Centered, _) => search::<Products>(wanted),
                (_, Metric::L1) => search::<Absolutes>(wanted),
                _ => search::<Differences>(wanted),
            }
        })?;
        heaps.sort(self, points.rows());
        let room = k + ROOM;
        for keys in heaps.keys.all().chunks_exact(room).take(points.rows()) {
            for key in &keys[..k] {
                let (squared, j) = (f64::from(f32::from_bits((key >> 32) as u32)), *key as u32);
                nearest.distances.push(distance(metric, squared));
                nearest.indices.push(j);
                nearest.labels.push(set.label(replica, j as usize) as u32);
            }
        }
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

impl Heaps {
    /// Brings the k smallest keys of each of the first `rows` positions to the front, in order.
    fn sort(&self, cpu: &Cpu, rows: usize) {
        let room = self.k + ROOM;
        cpu.pool.run(rows.div_ceil(BLOCK), &|_, block| {
            for position in block * BLOCK..((block + 1) * BLOCK).min(rows) {
                // SAFETY: a position is in one block.
                let keys = unsafe { self.keys.part_mut(position * room, room) };
                let keys = &mut keys[..self.lengths.all()[position] as usize];
                if keys.len() > self.k {
                    keys.select_nth_unstable(self.k - 1);
                }
                let k = self.k.min(keys.len());
                keys[..k].sort_unstable();
            }
        });
    }
}

/// A distance of the metric from what was summed.
fn distance(metric: Metric, sum: f64) -> f64 {
    wide::value(metric.function(), sum)
}

/// All rows of a replica in f64, as they are compared.
fn coordinates(points: &Points, replica: usize, cosine: bool) -> Result<Vec<f64>, PairwiseError> {
    let side = side(points, replica, &[], cosine);
    let mut rows = vec![0.0; points.rows() * side.dim()];
    for (i, row) in rows.chunks_exact_mut(side.dim()).enumerate() {
        side.fetch(i, row)?;
    }
    Ok(rows)
}
