//! Candidates for the k nearest of each row, and which of them these are.
//!
//! f32 decides who may be a neighbour, with room for what it may be wrong by; f64 decides who is one.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::super::Cpu;
use super::super::isa::Isa;
use super::super::simd::{Simd, Vectorized, dispatch};
use super::super::slab::Slab;
use super::memory;
use super::rounds::BLOCK;
use super::wide::{self, Side};
use crate::backend::pairwise::{MOST_NEIGHBORS, Metric, PairwiseError, Values};

/// Candidates that a row's buffer holds: its k and as many again, for which the threshold stays as it is. With few of them the
/// threshold follows closely, and a buffer is few cache lines.
fn room(k: usize) -> usize {
    k + k.max(14)
}

/// Room for the most neighbours, in whole registers.
const ROOM: usize = 2 * MOST_NEIGHBORS;

/// So many times more parts than neighbours, and the smallest distances of the parts are a good seed.
const SHARE: usize = 4;

/// More than what underflow takes from a sum of fewer than 10^9 coordinates: bounds relative to it do not hold there, and exact
/// distances decide.
const UNDERFLOW: f64 = 1e-35;

/// By how much computed sums may be wrong.
#[derive(Clone, Copy)]
pub(super) enum Slack {
    /// Sums of differences.
    Differences {
        /// Relative to the sum over the coordinates.
        relative: f64,
        /// Of the distance, by the rounding of coordinates when they are packed; 0 for f32 coordinates.
        absolute: f64,
        /// The sum is of squares.
        squared: bool,
    },
    /// Lower ends of what products leave open: e (|x|^2 + |y|^2) below them, and as much above.
    Products {
        /// e
        error: f64,
    },
}

impl Slack {
    /// What a sum's computed value cannot pass if its exact value is no larger than that of one computed as `sum`. `norm` is |x|^2
    /// of the row whose sums they are, for products.
    ///
    /// Of products the exact sum s is at most `sum` + 2 e (|x|^2 + |y|^2), and |y| <= |x| + sqrt s gives |y|^2 <= 2 |x|^2 + 2 s; so
    /// s (1 - 4 e) <= `sum` + 6 e |x|^2.
    pub(super) fn above(self, sum: f32, norm: f32) -> f32 {
        let sum = f64::from(sum);
        match self {
            Slack::Differences {
                relative,
                absolute,
                squared,
            } => {
                let moved = if squared {
                    (sum.sqrt() + 2.0 * absolute).powi(2)
                } else {
                    sum + 2.0 * absolute
                };
                // Twice the error, terms of second order, and this rounding.
                (moved * (1.0 + 3.0 * relative) + UNDERFLOW) as f32
            }
            // Once more e, for terms of second order and this rounding.
            Slack::Products { error } => {
                ((sum + 6.0 * error * f64::from(norm)) * (1.0 + 5.0 * error) + UNDERFLOW) as f32
            }
        }
    }
}

/// Exact distances, from the coordinates as they were given.
pub(super) struct Exact<'a> {
    pub(super) rows: Side<'a>,
    pub(super) columns: Side<'a>,
    pub(super) metric: Metric,
    pub(super) failed: Mutex<Option<PairwiseError>>,
}

/// Distances that are summed side by side: a chain of additions alone would wait for each.
const CHAINS: usize = 4;

/// The sums over the coordinates of `term(x, y)` for some y, each in order.
#[inline(always)]
fn chains<T: Copy + Into<f64>>(x: &[T], y: [&[T]; CHAINS], term: impl Fn(f64, f64) -> f64) -> [f64; CHAINS] {
    let y = y.map(|y| &y[..x.len()]);
    let mut sums = [0.0; CHAINS];
    for (n, &x) in x.iter().enumerate() {
        sums = std::array::from_fn(|chain| sums[chain] + term(x.into(), y[chain][n].into()));
    }
    sums
}

impl Exact<'_> {
    /// The distances of row `i` to the rows of some keys, each as the reference adds it up, and these rows' indices; the nearest come
    /// first, of equal ones that of the lowest index.
    #[inline(always)]
    fn nearest(&self, i: usize, keys: &[u64], found: &mut Vec<(f64, u32)>) {
        found.clear();
        for keys in keys.chunks(CHAINS) {
            // The last stands for those that are not there.
            let j = std::array::from_fn(|n| keys[n.min(keys.len() - 1)] as u32);
            let sums = if self.metric == Metric::L1 {
                self.sums(i, j, |x, y| (x - y).abs())
            } else {
                self.sums(i, j, |x, y| (x - y) * (x - y))
            };
            let distances = sums.map(|sum| distance(self.metric, sum));
            found.extend(distances.into_iter().zip(j).take(keys.len()));
        }
        found.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    }

    /// What the metric sums over the coordinates.
    #[inline(always)]
    fn sums(&self, i: usize, j: [u32; CHAINS], term: impl Fn(f64, f64) -> f64) -> [f64; CHAINS] {
        let (dim, j) = (self.rows.dim(), j.map(|j| j as usize));
        let at = |side: &Side, row: usize| {
            let start = (side.replica * side.points.rows() + row) * dim;
            start..start + dim
        };
        let cosine = self.metric == Metric::Cosine;
        match (self.rows.points.values(), self.columns.points.values()) {
            (Values::F32(x), Values::F32(y)) if !cosine => {
                chains(&x[at(&self.rows, i)], j.map(|j| &y[at(&self.columns, j)]), term)
            }
            (Values::F64(x), Values::F64(y)) if !cosine => {
                chains(&x[at(&self.rows, i)], j.map(|j| &y[at(&self.columns, j)]), term)
            }
            _ => {
                let fetched = |side: &Side, row: usize| {
                    let mut to = vec![0.0; dim];
                    if let Err(error) = side.fetch(row, &mut to)
                        && let Ok(mut failed) = self.failed.lock()
                    {
                        failed.get_or_insert(error);
                    }
                    to
                };
                let y = j.map(|j| fetched(&self.columns, j));
                chains(&fetched(&self.rows, i), y.each_ref().map(Vec::as_slice), term)
            }
        }
    }
}

/// How many numbers are at most `limit`.
///
/// # Safety
/// The processor has the instruction set; the numbers are whole registers.
#[inline(always)]
unsafe fn count<S: Simd>(numbers: &[f32], limit: f32) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let limit = S::splat(limit);
        let places = (0..numbers.len()).step_by(S::LANES);
        let bits = places.map(|at| S::at_most(S::load(numbers.as_ptr().add(at)), limit));
        bits.map(|bits| bits.count_ones() as usize).sum()
    }
}

/// A number that exactly k of some numbers do not pass, or the k-th smallest where there is none. None of them is negative, and at least k
/// are at most `limit`.
///
/// The bits of such numbers are in their order. Halving the range of bits until k numbers are below takes a few passes without
/// branches, and for some dozen numbers a tenth of the time of a selection that moves them.
///
/// # Safety
/// As for `count`.
#[inline(always)]
unsafe fn kth_smallest<S: Simd>(numbers: &[f32], k: usize, limit: f32) -> f32 {
    /// Bits between a number and a quarter of it.
    const QUARTER: u32 = 1 << 24;
    // SAFETY: the caller's promise.
    let found = |bits| unsafe { count::<S>(numbers, f32::from_bits(bits)) };
    let mut high = limit.to_bits();
    let mut low = high.saturating_sub(QUARTER);
    if found(low) >= k {
        (low, high) = (0, low);
    }
    while low < high {
        let middle = low + (high - low) / 2;
        match found(middle).cmp(&k) {
            Ordering::Less => low = middle + 1,
            Ordering::Equal => return f32::from_bits(middle),
            Ordering::Greater => high = middle,
        }
    }
    f32::from_bits(high)
}

/// The candidates of all rows of a set.
pub(super) struct Heaps<'a> {
    k: usize,
    isa: Isa,
    /// `[position][room]`
    keys: Slab<u64>,
    lengths: Slab<u32>,
    /// Sums over the coordinates that a candidate may have.
    pub(super) thresholds: Slab<f32>,
    /// |x|^2 of the positions, for products.
    norms: Slab<f32>,
    slack: Slack,
    exact: &'a Exact<'a>,
    /// Rows that were seeded, and how many distances of theirs were within the thresholds that came out.
    seeded: AtomicUsize,
    within: AtomicUsize,
}

/// What a candidate sums to with the row, and its index.
fn key(sum: f32, index: u32) -> u64 {
    u64::from(sum.to_bits()) << 32 | u64::from(index)
}

fn sum_of(key: u64) -> f32 {
    f32::from_bits((key >> 32) as u32)
}

impl<'a> Heaps<'a> {
    pub(super) fn new(
        (isa, k): (Isa, usize),
        positions: usize,
        slack: Slack,
        exact: &'a Exact<'a>,
    ) -> Result<Heaps<'a>, PairwiseError> {
        let per_position = |name| Slab::new(name, positions).map_err(memory);
        let mut thresholds: Slab<f32> = per_position("thresholds")?;
        thresholds.all_mut().fill(f32::INFINITY);
        Ok(Heaps {
            k,
            isa,
            keys: Slab::new("candidates", positions * room(k)).map_err(memory)?,
            lengths: Slab::new("candidates", positions).map_err(memory)?,
            thresholds,
            norms: per_position("norms")?,
            slack,
            exact,
            seeded: AtomicUsize::new(0),
            within: AtomicUsize::new(0),
        })
    }

    /// Says what |x|^2 of some positions is, before candidates are offered to them.
    ///
    /// # Safety
    /// The caller's task alone has these positions.
    pub(super) unsafe fn set_norms(&self, position: usize, norms: &[f32]) {
        // SAFETY: the caller's promise.
        unsafe { self.norms.part_mut(position, norms.len()) }.copy_from_slice(norms);
    }

    /// Offers a candidate within a row's threshold to it.
    ///
    /// # Safety
    /// The caller's task alone has this position.
    #[inline(always)]
    pub(super) unsafe fn offer(&self, position: usize, sum: f32, index: u32) {
        let room = room(self.k);
        // SAFETY: the caller's promise.
        unsafe {
            let length = &mut self.lengths.part_mut(position, 1)[0];
            self.keys.part_mut(position * room + *length as usize, 1)[0] = key(sum, index);
            *length += 1;
            if *length as usize == room {
                dispatch(self.isa, Shorten { heaps: self, position });
            }
        }
    }

    /// Lowers a threshold by the k-th smallest of at least k candidates; those within it come first, and are counted.
    ///
    /// # Safety
    /// The processor has the instruction set.
    #[inline(always)]
    unsafe fn select<S: Simd>(&self, position: usize, threshold: &mut f32, keys: &mut [u64]) -> usize {
        let mut sums = [f32::INFINITY; ROOM];
        for (sum, &key) in sums.iter_mut().zip(&*keys) {
            *sum = sum_of(key);
        }
        // SAFETY: the caller's promise.
        let last = unsafe { kth_smallest::<S>(&sums[..keys.len().next_multiple_of(16)], self.k, *threshold) };
        *threshold = threshold.min(self.slack.above(last, self.norms.all()[position]));
        let mut kept = 0;
        for n in 0..keys.len() {
            keys[kept] = keys[n];
            kept += usize::from(sums[n] <= *threshold);
        }
        kept
    }

    /// How many neighbours a row wants.
    pub(super) fn k(&self) -> usize {
        self.k
    }

    /// In how many parts distances make a good seed.
    pub(super) fn parts(&self) -> usize {
        SHARE * self.k
    }

    /// Lowers a row's threshold by the k-th smallest of at least k of its distances. `least` are the smallest ones of disjoint
    /// parts of them: their k-th smallest is not below that of all, and of many parts mostly is it. Both are whole registers, filled up
    /// with infinity.
    ///
    /// # Safety
    /// As for `offer`, and the processor has the instruction set.
    #[inline(always)]
    pub(super) unsafe fn seed<S: Simd>(&self, position: usize, norm: f32, sums: &[f32], least: &[f32]) {
        // SAFETY: the caller's promise.
        unsafe {
            let threshold = self.slack.above(kth_smallest::<S>(least, self.k, f32::INFINITY), norm);
            self.seeded.fetch_add(1, Relaxed);
            self.within.fetch_add(count::<S>(sums, threshold), Relaxed);
            self.thresholds.part_mut(position, 1)[0] = threshold;
        }
    }

    /// Whether the seeds leave many more candidates than neighbours: then what sums leave open is no less than what they tell apart.
    pub(super) fn is_blind(&self) -> bool {
        self.within.load(Relaxed) > (self.k + room(self.k)) * self.seeded.load(Relaxed)
    }

    /// Distances and indices of the k nearest of the first `rows` positions, `[position][k]`.
    pub(super) fn finish(&self, cpu: &Cpu, rows: usize) -> Result<(Slab<f64>, Slab<u32>), PairwiseError> {
        let k = self.k;
        let distances: Slab<f64> = Slab::new("neighbours", rows * k).map_err(memory)?;
        let indices: Slab<u32> = Slab::new("neighbours", rows * k).map_err(memory)?;
        cpu.pool.run(rows.div_ceil(BLOCK), &|_, block| {
            let block = block * BLOCK..((block + 1) * BLOCK).min(rows);
            // SAFETY: a position is in one block.
            let (distances, indices) = unsafe {
                (
                    distances.part_mut(block.start * k, block.len() * k),
                    indices.part_mut(block.start * k, block.len() * k),
                )
            };
            let heaps = self;
            dispatch(
                self.isa,
                Finish {
                    heaps,
                    block,
                    distances,
                    indices,
                },
            );
        });
        Ok((distances, indices))
    }
}

/// Makes room in a row's buffer.
struct Shorten<'a> {
    heaps: &'a Heaps<'a>,
    position: usize,
}

impl Vectorized for Shorten<'_> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Shorten { heaps, position } = self;
        let (k, room) = (heaps.k, room(heaps.k));
        // SAFETY: the caller's task alone has this position, and the processor the instruction set.
        unsafe {
            let keys = heaps.keys.part_mut(position * room, room);
            let threshold = &mut heaps.thresholds.part_mut(position, 1)[0];
            let mut kept = heaps.select::<S>(position, threshold, keys);
            if kept > k + (room - k) / 2 {
                // So many within a rounding: exact distances tell them apart, and equal ones their indices.
                let mut nearest = Vec::with_capacity(kept);
                heaps.exact.nearest(position, &keys[..kept], &mut nearest);
                keys[..kept].sort_by_cached_key(|&key| nearest.iter().position(|&(_, j)| j == key as u32));
                kept = k;
            }
            heaps.lengths.part_mut(position, 1)[0] = kept as u32;
        }
    }
}

/// The k nearest among the candidates of a block of rows.
struct Finish<'a> {
    heaps: &'a Heaps<'a>,
    block: Range<usize>,
    distances: &'a mut [f64],
    indices: &'a mut [u32],
}

impl Vectorized for Finish<'_> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (heaps, k, room) = (self.heaps, self.heaps.k, room(self.heaps.k));
        let mut found = Vec::with_capacity(room);
        let of_rows = self.distances.chunks_exact_mut(k).zip(self.indices.chunks_exact_mut(k));
        for (position, (distances, indices)) in self.block.zip(of_rows) {
            let length = heaps.lengths.all()[position] as usize;
            // SAFETY: this task alone has the block, and the processor the instruction set.
            let mut keys = unsafe { heaps.keys.part_mut(position * room, length) };
            if length > k {
                let mut threshold = heaps.thresholds.all()[position];
                // SAFETY: as above.
                let kept = unsafe { heaps.select::<S>(position, &mut threshold, keys) };
                keys = &mut keys[..kept];
            }
            heaps.exact.nearest(position, keys, &mut found);
            for ((d, j), found) in distances.iter_mut().zip(indices).zip(&found) {
                (*d, *j) = *found;
            }
        }
    }
}

/// A distance of the metric from what was summed.
pub(super) fn distance(metric: Metric, sum: f64) -> f64 {
    wide::value(metric.function(), sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A threshold that is too low loses neighbours, one that is too high only costs time, so that no result would tell.
    #[test]
    fn what_a_sum_cannot_pass_is_little_above_it() {
        let (sum, relative) = (4.0f32, 1e-5);
        let differences = |absolute, squared| Slack::Differences {
            relative,
            absolute,
            squared,
        };
        // What is computed is off by `relative`, once for each of the two sums; a third for the rest is room enough.
        for (squared, absolute, moved) in [(true, 0.0, 4.0), (false, 0.0, 4.0), (true, 0.5, 9.0), (false, 0.5, 5.0)] {
            let above = f64::from(differences(absolute, squared).above(sum, 0.0));
            let (low, high) = (moved * (1.0 + 2.0 * relative), moved * (1.0 + 3.5 * relative));
            assert!((low..=high).contains(&above), "{squared}, {absolute}: {above}");
        }
        // s (1 - 4 e) <= sum + 6 e |x|^2
        let (error, norm) = (1e-5, 100.0f32);
        let above = f64::from(Slack::Products { error }.above(sum, norm));
        let low = (4.0 + 6.0 * error * 100.0) / (1.0 - 4.0 * error);
        assert!((low..=low * (1.0 + 2.0 * error)).contains(&above), "{above}");
        // A sum that underflowed to nothing is still passed by one that did not.
        for slack in [differences(0.0, true), Slack::Products { error }] {
            assert!(slack.above(0.0, 0.0) > 0.0);
        }
    }
}
