//! Candidates for the k nearest of each row, and which of them these are.
//!
//! f32 decides who may be a neighbour, with room for what it may be wrong by; f64 decides who is one.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::super::Cpu;
use super::super::slab::Slab;
use super::memory;
use super::rounds::BLOCK;
use super::wide::{self, Side};
use crate::backend::pairwise::{Metric, PairwiseError, Values};

/// Candidates that a row's buffer holds: its k and as many again, for which the threshold stays as it is. With few of them the
/// threshold follows closely, and a buffer is few cache lines.
fn room(k: usize) -> usize {
    k + k.max(14)
}

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

impl Exact<'_> {
    /// The distance of two rows, as the reference adds it up.
    pub(super) fn distance(&self, i: usize, j: usize) -> f64 {
        distance(self.metric, self.sum(i, j))
    }

    /// What the metric sums over the coordinates.
    fn sum(&self, i: usize, j: usize) -> f64 {
        let absolute = self.metric == Metric::L1;
        let term = |x: f64, y: f64| if absolute { (x - y).abs() } else { (x - y) * (x - y) };
        let at = |side: &Side, row: usize| (side.replica * side.points.rows() + row) * side.dim();
        let (a, b, dim) = (at(&self.rows, i), at(&self.columns, j), self.rows.dim());
        let cosine = self.metric == Metric::Cosine;
        match (self.rows.points.values(), self.columns.points.values()) {
            (Values::F32(x), Values::F32(y)) if !cosine => {
                let pairs = x[a..a + dim].iter().zip(&y[b..b + dim]);
                pairs.map(|(x, y)| term(f64::from(*x), f64::from(*y))).sum()
            }
            (Values::F64(x), Values::F64(y)) if !cosine => {
                let pairs = x[a..a + dim].iter().zip(&y[b..b + dim]);
                pairs.map(|(x, y)| term(*x, *y)).sum()
            }
            _ => {
                let (mut x, mut y) = (vec![0.0; dim], vec![0.0; dim]);
                for (side, row, to) in [(&self.rows, i, &mut x), (&self.columns, j, &mut y)] {
                    if let Err(error) = side.fetch(row, to)
                        && let Ok(mut failed) = self.failed.lock()
                    {
                        failed.get_or_insert(error);
                    }
                }
                x.iter().zip(&y).map(|(x, y)| term(*x, *y)).sum()
            }
        }
    }
}

/// The candidates of all rows of a set.
pub(super) struct Heaps<'a> {
    k: usize,
    /// `[position][room]`
    keys: Slab<u64>,
    lengths: Slab<u32>,
    /// Sums over the coordinates that a candidate may have.
    pub(super) thresholds: Slab<f32>,
    /// |x|^2 of the positions that have a candidate, for products.
    norms: Slab<f32>,
    slack: Slack,
    exact: &'a Exact<'a>,
    /// Rows that were seeded, and how many distances of theirs were within the thresholds that came out.
    seeded: AtomicUsize,
    within: AtomicUsize,
}

fn key(sum: f32, index: u32) -> u64 {
    u64::from(sum.to_bits()) << 32 | u64::from(index)
}

fn sum_of(key: u64) -> f32 {
    f32::from_bits((key >> 32) as u32)
}

impl<'a> Heaps<'a> {
    pub(super) fn new(
        positions: usize,
        k: usize,
        slack: Slack,
        exact: &'a Exact<'a>,
    ) -> Result<Heaps<'a>, PairwiseError> {
        let per_position = |name| Slab::new(name, positions).map_err(memory);
        let mut thresholds: Slab<f32> = per_position("thresholds")?;
        thresholds.all_mut().fill(f32::INFINITY);
        Ok(Heaps {
            k,
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

    /// Offers a candidate to a row whose |x|^2 is `norm` (for products).
    ///
    /// # Safety
    /// The caller's task alone has this position.
    #[inline]
    pub(super) unsafe fn offer(&self, position: usize, norm: f32, sum: f32, index: u32) {
        // SAFETY: the caller's promise.
        let threshold = unsafe { &mut self.thresholds.part_mut(position, 1)[0] };
        // Of a pair mostly one side wants the other.
        if sum > *threshold {
            return;
        }
        let room = room(self.k);
        // SAFETY: the caller's promise.
        let (keys, length) = unsafe {
            (
                self.keys.part_mut(position * room, room),
                &mut self.lengths.part_mut(position, 1)[0],
            )
        };
        keys[*length as usize] = key(sum, index);
        *length += 1;
        // SAFETY: the caller's promise.
        unsafe { self.norms.part_mut(position, 1)[0] = norm };
        if *length as usize == room {
            let mut kept = self.select(norm, threshold, keys);
            if kept > self.k + (room - self.k) / 2 {
                // So many within a rounding: exact distances tell them apart, and equal ones their indices.
                self.sort(position, &mut keys[..kept]);
                kept = self.k;
            }
            *length = kept as u32;
        }
    }

    /// Lowers a threshold by the k-th smallest of at least k candidates; those within it come first, and are counted.
    fn select(&self, norm: f32, threshold: &mut f32, keys: &mut [u64]) -> usize {
        let (_, last, _) = keys.select_nth_unstable(self.k - 1);
        *threshold = threshold.min(self.slack.above(sum_of(*last), norm));
        let mut kept = 0;
        for n in 0..keys.len() {
            if sum_of(keys[n]) <= *threshold {
                keys.swap(n, kept);
                kept += 1;
            }
        }
        kept
    }

    /// By exact distances, of equal ones by index. A distance is not negative, so its bits are in its order; each is asked for
    /// once.
    fn sort(&self, position: usize, keys: &mut [u64]) {
        let distance = |key: u64| self.exact.distance(position, key as u32 as usize);
        keys.sort_by_cached_key(|&key| (distance(key).to_bits(), key as u32));
    }

    /// In how many parts distances make a good seed.
    pub(super) fn parts(&self) -> usize {
        SHARE * self.k
    }

    /// Lowers a row's threshold by the k-th smallest of some of its distances, if there are as many. `least` are the smallest ones of as
    /// many disjoint parts of them: their k-th smallest is not below that of all, and of many parts mostly is it.
    ///
    /// # Safety
    /// As for `offer`.
    pub(super) unsafe fn seed(&self, position: usize, norm: f32, sums: &[f32], least: &mut [f32]) {
        if sums.len() < self.k {
            return;
        }
        let (_, last, _) = least.select_nth_unstable_by(self.k - 1, f32::total_cmp);
        let threshold = self.slack.above(*last, norm);
        self.seeded.fetch_add(1, Relaxed);
        self.within
            .fetch_add(sums.iter().filter(|&&sum| sum <= threshold).count(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { self.thresholds.part_mut(position, 1)[0] = threshold };
    }

    /// Whether the seeds leave many more candidates than neighbours: then what sums leave open is no less than what they tell apart.
    pub(super) fn is_blind(&self) -> bool {
        self.within.load(Relaxed) > (self.k + room(self.k)) * self.seeded.load(Relaxed)
    }

    /// Distances and indices of the k nearest of the first `rows` positions, `[position][k]`.
    pub(super) fn finish(&self, cpu: &Cpu, rows: usize) -> Result<(Slab<f64>, Slab<u32>), PairwiseError> {
        let (k, room) = (self.k, room(self.k));
        let distances: Slab<f64> = Slab::new("neighbours", rows * k).map_err(memory)?;
        let indices: Slab<u32> = Slab::new("neighbours", rows * k).map_err(memory)?;
        cpu.pool.run(rows.div_ceil(BLOCK), &|_, block| {
            let mut found = Vec::with_capacity(room);
            for position in block * BLOCK..((block + 1) * BLOCK).min(rows) {
                // SAFETY: a position is in one block.
                let (distances, indices, keys) = unsafe {
                    (
                        distances.part_mut(position * k, k),
                        indices.part_mut(position * k, k),
                        self.keys.part_mut(position * room, room),
                    )
                };
                let mut keys = &mut keys[..self.lengths.all()[position] as usize];
                if keys.len() > k {
                    let mut threshold = self.thresholds.all()[position];
                    let kept = self.select(self.norms.all()[position], &mut threshold, keys);
                    keys = &mut keys[..kept];
                }
                found.clear();
                found.extend(keys.iter().map(|&key| {
                    let j = key as u32;
                    (self.exact.distance(position, j as usize), j)
                }));
                found.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                for ((d, j), found) in distances.iter_mut().zip(indices).zip(&found) {
                    (*d, *j) = *found;
                }
            }
        });
        Ok((distances, indices))
    }
}

/// A distance of the metric from what was summed.
pub(super) fn distance(metric: Metric, sum: f64) -> f64 {
    wide::value(metric.function(), sum)
}
