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
//! Products take half the time of differences, and leave a squared distance open within a bound, [`error_of_products`]. Since exact
//! distances decide in the end, they serve every form where they tell points apart: lower ends are compared with thresholds
//! made of upper ends. Where the seeds show that they do not (tight clusters far from each other), the direct form takes differences.

use std::ops::Range;
use std::sync::Mutex;

use super::super::Cpu;
use super::super::simd::Simd;
use super::super::slab::Slab;
use super::candidates::{Exact, Heaps, Slack, distance};
use super::memory;
use super::packed::Packed;
use super::reduce::{all, side};
use super::rounds::{BLOCK, Meeting};
use super::stage::{Needs, Stage};
use super::sums::Pairs;
use super::tile::{
    self, Absolutes, DEPTH, Differences, Extent, MOST_COLUMNS, Pairing, Products, Sums, Tiled, Tiles, load, store,
};
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

/// Coordinates from which on the direct form tries products first.
const WIDE: usize = 48;

/// Distances of a long row that are a seed, at least.
const SAMPLE: usize = 48;

/// What a task needs.
#[derive(Clone, Copy)]
struct Search<'a> {
    pairs: Pairs<'a>,
    rows: &'a Heaps<'a>,
    /// None for two sets: there the columns look for nothing.
    columns: Option<&'a Heaps<'a>>,
    /// Of products: what they may be wrong by.
    error: f32,
}

impl Search<'_> {
    /// Squared distances, or with products what they are at least.
    ///
    /// # Safety
    /// As for [`Tiles::distances`].
    #[inline(always)]
    unsafe fn sums<S: Simd, P: Pairing, const R: usize, const C: usize>(
        &self,
        tiles: &Tiles,
        at: (usize, usize),
        q: usize,
    ) -> Sums<S, R, C> {
        let (rows, columns) = (self.pairs.rows, self.pairs.columns);
        // SAFETY: the caller's promise.
        unsafe {
            if !P::PRODUCTS {
                return tiles.distances::<S, P, R, C>(at, q);
            }
            let mut values = tiles.sums::<S, P, R, C>(at, q);
            let (row_norms, norms) = (rows.norms(at.0).add(at.1 * R), columns.norms(q));
            let (share, factor) = (S::splat(1.0 - self.error), S::splat(-2.0));
            let column_norms = load::<S, C>(norms);
            for (r, values) in values.iter_mut().enumerate() {
                let row = S::splat(*row_norms.add(r));
                for v in 0..C {
                    let both = S::multiply(S::add(row, column_norms[v]), share);
                    values[v] = S::maximum(S::multiply_add(values[v], factor, both), S::splat(0.0));
                }
            }
            values
        }
    }
}

/// |x|^2 of a position, 0 where only differences are taken.
///
/// # Safety
/// The panel is packed.
#[inline(always)]
unsafe fn norm<P: Pairing>(packed: &Packed, panel: usize, place: usize) -> f32 {
    if P::PRODUCTS {
        // SAFETY: the caller's promise.
        unsafe { *packed.norms(panel).add(place) }
    } else {
        0.0
    }
}

/// Lowers the thresholds of a block of rows by its distances to a block of columns.
struct Seed<'a, P> {
    search: Search<'a>,
    worker: usize,
    i: Range<usize>,
    j: Range<usize>,
    same: bool,
    pairing: std::marker::PhantomData<P>,
}

impl<P: Pairing> Tiled for Seed<'_, P> {
    /// # Safety
    /// The processor has the instruction set, `R` and `C` are its `PAIR_ROWS` and `PAIR_COLUMNS`, and the task alone has these rows.
    #[inline(always)]
    unsafe fn tiles<S: Simd, const R: usize, const C: usize>(self) {
        let (pairs, columns) = (self.search.pairs, self.search.pairs.columns);
        let rows = pairs.rows;
        let width = C * S::LANES;
        let parts = self.search.rows.parts().next_multiple_of(width).min(BLOCK);
        let valid: usize = self.j.clone().map(|q| columns.panel(q).valid as usize).sum();
        // Of some columns only these places are used.
        let used = self.j.len() * width;
        let (mut squares, mut least) = ([[0.0f32; BLOCK]; R], [f32::INFINITY; BLOCK]);
        for p in self.i.clone() {
            let mut tiles = Tiles::new(pairs, self.worker, p..p + 1, self.j.clone(), false);
            // SAFETY: the caller's promise.
            unsafe { tiles.fill::<S, P, R, C>(self.j.clone()) };
            for s in 0..(rows.panel(p).valid as usize).div_ceil(R) {
                for q in self.j.clone() {
                    // SAFETY: the caller's promise; a block has at most `BLOCK` columns.
                    unsafe {
                        let values: Sums<S, R, C> = self.search.sums::<S, P, R, C>(&tiles, (p, s), q);
                        for (squares, values) in squares.iter_mut().zip(&values) {
                            let to = squares.as_mut_ptr().add((q - self.j.start) * width);
                            store::<S, C>(to, values);
                        }
                    }
                }
                for (r, squares) in squares.iter_mut().enumerate() {
                    let (position, mut count) = (p * width + s * R + r, valid);
                    if s * R + r >= rows.panel(p).valid as usize {
                        break;
                    }
                    if self.same && self.j.contains(&p) {
                        // Not itself: the last takes its place. Only the last panel of a set is not full.
                        count -= 1;
                        squares[position - self.j.start * width] = squares[count];
                    }
                    let squares = &mut squares[..used];
                    squares[count..].fill(f32::INFINITY);
                    // The smallest of every `parts`-th.
                    // SAFETY: the caller's promise; a block is whole registers, and so are the parts.
                    unsafe {
                        for part in (0..parts).step_by(S::LANES) {
                            let mut smallest = S::splat(f32::INFINITY);
                            for place in (part..count).step_by(parts) {
                                smallest = S::minimum(smallest, S::load(squares.as_ptr().add(place)));
                            }
                            S::store(least.as_mut_ptr().add(part), smallest);
                        }
                        let norm = norm::<P>(rows, p, s * R + r);
                        let heaps = self.search.rows;
                        if count >= heaps.k() {
                            heaps.seed::<S>(position, norm, squares, &least[..parts]);
                        }
                    }
                }
            }
        }
    }
}

/// Offers what a block of rows and a block of columns have for each other.
struct Offer<'a, P> {
    search: Search<'a>,
    worker: usize,
    i: Range<usize>,
    j: Range<usize>,
    same: bool,
    pairing: std::marker::PhantomData<P>,
}

impl<P: Pairing> Tiled for Offer<'_, P> {
    /// # Safety
    /// The processor has the instruction set, `R` and `C` are its `PAIR_ROWS` and `PAIR_COLUMNS`, and the task alone has these rows and columns.
    #[inline(always)]
    unsafe fn tiles<S: Simd, const R: usize, const C: usize>(self) {
        let (rows, columns) = (self.search.pairs.rows, self.search.pairs.columns);
        let width = C * S::LANES;
        if P::PRODUCTS {
            // SAFETY: the caller's promise; the panels are packed.
            unsafe {
                let norms = |packed: &Packed, panels: &Range<usize>| {
                    std::slice::from_raw_parts(packed.norms(panels.start), panels.len() * width)
                };
                self.search.rows.set_norms(self.i.start * width, norms(rows, &self.i));
                if let Some(heaps) = self.search.columns {
                    heaps.set_norms(self.j.start * width, norms(columns, &self.j));
                }
            }
        }
        let mut tiles = Tiles::new(
            self.search.pairs,
            self.worker,
            self.i.clone(),
            self.j.clone(),
            self.same,
        );
        for group in tiles.groups() {
            // SAFETY: the caller's promise.
            unsafe { tiles.fill::<S, P, R, C>(group.clone()) };
            for p in self.i.clone() {
                for s in 0..(rows.panel(p).valid as usize).div_ceil(R) {
                    for q in tiles.first(p, &group)..group.end {
                        // SAFETY: the caller's promise; thresholds cover whole panels.
                        unsafe {
                            let values: Sums<S, R, C> = self.search.sums::<S, P, R, C>(&tiles, (p, s), q);
                            let by_row = self.search.rows.thresholds.all().as_ptr().add(p * width + s * R);
                            let limits = match self.search.columns {
                                Some(heaps) => {
                                    let by_column = heaps.thresholds.all().as_ptr().add(q * width);
                                    load::<S, C>(by_column)
                                }
                                None => [S::splat(f32::NEG_INFINITY); C],
                            };
                            let mut any = 0;
                            for (r, values) in values.iter().enumerate() {
                                let row = S::splat(*by_row.add(r));
                                for v in 0..C {
                                    any |= S::at_most(values[v], S::maximum(row, limits[v]));
                                }
                            }
                            if any != 0 {
                                self.offer::<S, R, C>((p, s), q, &values, (by_row, limits));
                            }
                        }
                    }
                }
            }
        }
    }
}

impl<P: Pairing> Offer<'_, P> {
    /// Offers the pairs of a tile that are within the thresholds of their rows or columns.
    ///
    /// # Safety
    /// As for `tiles`.
    #[inline(always)]
    unsafe fn offer<S: Simd, const R: usize, const C: usize>(
        &self,
        (p, s): (usize, usize),
        q: usize,
        values: &Sums<S, R, C>,
        (by_row, limits): (*const f32, [S::V; C]),
    ) {
        let width = C * S::LANES;
        let extent = Extent::of(
            self.search.pairs.rows,
            (p, s),
            self.search.pairs.columns,
            q,
            self.same && p == q,
        );
        let whole = extent.is_whole(R, width);
        for (r, values) in values.iter().enumerate() {
            let (i, pairs) = (p * width + s * R + r, if whole { u64::MAX } else { extent.bits(r) });
            let mut numbers = [0.0f32; MOST_COLUMNS];
            // SAFETY: a tile has at most as many columns; else the caller's promise.
            unsafe {
                let row = S::splat(*by_row.add(r));
                let (mut wanted, mut wanting) = (0u64, 0u64);
                store::<S, C>(numbers.as_mut_ptr(), values);
                for (v, &values) in values.iter().enumerate() {
                    wanted |= u64::from(S::at_most(values, row)) << (v * S::LANES);
                    wanting |= u64::from(S::at_most(values, limits[v])) << (v * S::LANES);
                }
                for c in places(wanted & pairs) {
                    self.search.rows.offer(i, numbers[c], (q * width + c) as u32);
                }
                if let Some(heaps) = self.search.columns {
                    for c in places(wanting & pairs) {
                        heaps.offer(q * width + c, numbers[c], i as u32);
                    }
                }
            }
        }
    }
}

/// The places of the bits that are set.
fn places(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = bits.trailing_zeros() as usize;
        let any = bits != 0;
        bits &= bits.wrapping_sub(1);
        any.then_some(place)
    })
}

/// Compares each block of rows with one of columns, its own where there is one set.
fn seed<P: Pairing>(search: Search) {
    let pairs = search.pairs;
    if pairs.meeting == Meeting::Parts {
        return;
    }
    // The distances of long rows are worth more than a close threshold.
    let panels = if pairs.rows.dim > DEPTH {
        search.rows.parts().max(SAMPLE).div_ceil(pairs.columns.width)
    } else {
        BLOCK
    };
    pairs.each_once(&|worker, i, j, same| {
        let pairing = std::marker::PhantomData::<P>;
        let j = j.start..j.end.min(j.start + panels);
        tile::run(
            pairs.isa,
            Seed {
                search,
                worker,
                i,
                j,
                same,
                pairing,
            },
        );
    });
}

/// Compares all blocks.
fn offer<P: Pairing>(search: Search) {
    let pairs = search.pairs;
    pairs.each(&|worker, i, j, same| {
        let pairing = std::marker::PhantomData::<P>;
        tile::run(
            pairs.isa,
            Offer {
                search,
                worker,
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
        if form == Form::Centered || points.dim() >= WIDE && metric != Metric::L1 {
            let may_stop = form == Form::Direct;
            if self.search::<Products>(points, others, replica, (metric, may_stop), nearest)? {
                return Ok(());
            }
        }
        match metric {
            Metric::L1 => self.search::<Absolutes>(points, others, replica, (metric, false), nearest)?,
            _ => self.search::<Differences>(points, others, replica, (metric, false), nearest)?,
        };
        Ok(())
    }

    /// The neighbours by sums of one kind; false if they were of no use, and it may stop for that.
    fn search<P: Pairing>(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        (metric, may_stop): (Metric, bool),
        nearest: &mut Nearest,
    ) -> Result<bool, PairwiseError> {
        let cosine = metric == Metric::Cosine;
        let needs = Needs {
            form: if P::PRODUCTS { Form::Centered } else { Form::Direct },
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
        let error = error_of_products(dim);
        let slack = if P::PRODUCTS {
            Slack::Products {
                error: f64::from(error),
            }
        } else {
            Slack::Differences {
                relative: f64::from(error),
                absolute: 2.1 * f64::from(f32::EPSILON) / 2.0
                    * stage.largest_norm()?
                    * if metric == Metric::L1 { (dim as f64).sqrt() } else { 1.0 },
                squared: metric != Metric::L1,
            }
        };
        let heaps = Heaps::new((self.isa, k), stage.rows().positions(), slack, &exact)?;
        let (mut first, mut blind) = (true, false);
        stage.visit(|pairs| {
            let wanted = Search {
                pairs,
                rows: &heaps,
                columns: others.is_none().then_some(&heaps),
                error,
            };
            if blind {
                return;
            }
            seed::<P>(wanted);
            blind = may_stop && first && heaps.is_blind();
            first = false;
            if !blind {
                offer::<P>(wanted);
            }
        })?;
        if blind {
            return Ok(false);
        }
        let (distances, indices) = heaps.finish(self, points.rows())?;
        if let Ok(Some(error)) = exact.failed.into_inner() {
            return Err(error);
        }
        nearest.distances.extend_from_slice(distances.all());
        nearest.indices.extend_from_slice(indices.all());
        let labels = indices.all().iter().map(|&j| set.label(replica, j as usize) as u32);
        nearest.labels.extend(labels);
        Ok(true)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Too large an error costs time and changes no result.
    #[test]
    fn products_are_off_by_no_more_roundings_than_they_have() {
        let u = f32::EPSILON / 2.0;
        // A chain, the sums of chains, and 16 more.
        for (dim, roundings) in [(1, 1 + 1 + 16), (DEPTH, DEPTH + 1 + 16), (4 * DEPTH, DEPTH + 4 + 16)] {
            let error = error_of_products(dim) / (roundings as f32 * u);
            assert!((1.0..1.02).contains(&error), "{dim}: {error}");
        }
    }
}
