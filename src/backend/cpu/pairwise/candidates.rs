//! Candidates for the k nearest of each row, and which of them these are.
//!
//! f32 decides who may be a neighbour, with room for what it may be wrong by; f64 decides who is one.

use std::sync::Mutex;

use super::super::Cpu;
use super::super::slab::Slab;
use super::memory;
use super::rounds::BLOCK;
use super::wide::{self, Side};
use crate::backend::pairwise::{Metric, PairwiseError, Values};

/// Candidates that a row's buffer holds beside its k: selecting the k smallest of more at once costs less each.
const ROOM: usize = 64;

/// By how much distances of the direct form may be wrong.
#[derive(Clone, Copy)]
pub(super) struct Slack {
    /// Relative to the sum over the coordinates.
    pub(super) relative: f64,
    /// Of the distance, by the rounding of coordinates when they are packed; 0 for f32 coordinates.
    pub(super) absolute: f64,
    /// The sum is of squares.
    pub(super) squared: bool,
}

impl Slack {
    /// What a sum's computed value cannot pass if its exact value is no larger than that of one computed as `sum`.
    pub(super) fn above(self, sum: f32) -> f32 {
        let sum = f64::from(sum);
        let moved = if self.squared {
            (sum.sqrt() + 2.0 * self.absolute).powi(2)
        } else {
            sum + 2.0 * self.absolute
        };
        // Twice the error, terms of second order, and this rounding.
        (moved * (1.0 + 3.0 * self.relative)) as f32
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
        distance(self.metric, self.sum(i, j, &|pairs| pairs.sum()))
    }

    /// The sum over the coordinates of two rows; not in order, but sooner.
    pub(super) fn quick(&self, i: usize, j: usize) -> f32 {
        self.sum(i, j, &|pairs| {
            let mut lanes = [0.0f64; 8];
            pairs.enumerate().for_each(|(n, x)| lanes[n % 8] += x);
            lanes.iter().sum()
        }) as f32
    }

    pub(super) fn sum(&self, i: usize, j: usize, add: &dyn Fn(&mut dyn Iterator<Item = f64>) -> f64) -> f64 {
        let absolute = self.metric == Metric::L1;
        let term = |x: f64, y: f64| if absolute { (x - y).abs() } else { (x - y) * (x - y) };
        let at = |side: &Side, row: usize| (side.replica * side.points.rows() + row) * side.dim();
        let (a, b, dim) = (at(&self.rows, i), at(&self.columns, j), self.rows.dim());
        let cosine = self.metric == Metric::Cosine;
        match (self.rows.points.values(), self.columns.points.values()) {
            (Values::F32(x), Values::F32(y)) if !cosine => {
                let pairs = x[a..a + dim].iter().zip(&y[b..b + dim]);
                add(&mut pairs.map(|(x, y)| term(f64::from(*x), f64::from(*y))))
            }
            (Values::F64(x), Values::F64(y)) if !cosine => {
                let pairs = x[a..a + dim].iter().zip(&y[b..b + dim]);
                add(&mut pairs.map(|(x, y)| term(*x, *y)))
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
                add(&mut x.iter().zip(&y).map(|(x, y)| term(*x, *y)))
            }
        }
    }
}

/// The candidates of all rows of a set.
pub(super) struct Heaps<'a> {
    pub(super) k: usize,
    /// `[position][k + ROOM]`
    pub(super) keys: Slab<u64>,
    pub(super) lengths: Slab<u32>,
    /// Sums over the coordinates that a candidate may have.
    pub(super) thresholds: Slab<f32>,
    pub(super) slack: Slack,
    pub(super) exact: &'a Exact<'a>,
}

pub(super) fn key(sum: f32, index: u32) -> u64 {
    u64::from(sum.to_bits()) << 32 | u64::from(index)
}

pub(super) fn sum_of(key: u64) -> f32 {
    f32::from_bits((key >> 32) as u32)
}

impl<'a> Heaps<'a> {
    pub(super) fn new(
        positions: usize,
        k: usize,
        slack: Slack,
        exact: &'a Exact<'a>,
    ) -> Result<Heaps<'a>, PairwiseError> {
        let mut thresholds: Slab<f32> = Slab::new("thresholds", positions).map_err(memory)?;
        thresholds.all_mut().fill(f32::INFINITY);
        Ok(Heaps {
            k,
            keys: Slab::new("candidates", positions * (k + ROOM)).map_err(memory)?,
            lengths: Slab::new("candidates", positions).map_err(memory)?,
            thresholds,
            slack,
            exact,
        })
    }

    /// Offers a candidate to a row.
    ///
    /// # Safety
    /// The caller's task alone has this position.
    #[inline]
    pub(super) unsafe fn offer(&self, position: usize, sum: f32, index: u32) {
        let room = self.k + ROOM;
        // SAFETY: the caller's promise.
        let (keys, length, threshold) = unsafe {
            (
                self.keys.part_mut(position * room, room),
                &mut self.lengths.part_mut(position, 1)[0],
                &mut self.thresholds.part_mut(position, 1)[0],
            )
        };
        if sum > *threshold {
            return;
        }
        keys[*length as usize] = key(sum, index);
        *length += 1;
        if *length as usize == room {
            let (_, last, _) = keys.select_nth_unstable(self.k - 1);
            *threshold = threshold.min(self.slack.above(sum_of(*last)));
            let mut kept = 0;
            for n in 0..room {
                if sum_of(keys[n]) <= *threshold {
                    keys.swap(n, kept);
                    kept += 1;
                }
            }
            if kept > self.k + ROOM / 2 {
                // So many within a rounding: exact distances tell them apart, and equal ones their indices.
                self.sort(position, &mut keys[..kept]);
                kept = self.k;
            }
            *length = kept as u32;
        }
    }

    /// By exact distances, of equal ones by index. A distance is not negative, so its bits are in its order; each is asked for
    /// once.
    fn sort(&self, position: usize, keys: &mut [u64]) {
        let distance = |key: u64| self.exact.distance(position, key as u32 as usize);
        keys.sort_by_cached_key(|&key| (distance(key).to_bits(), key as u32));
    }

    /// Lowers a row's threshold by the k-th smallest of some distances, if there are as many.
    ///
    /// # Safety
    /// As for `offer`.
    pub(super) unsafe fn seed(&self, position: usize, sums: &mut [f32]) {
        if sums.len() >= self.k {
            let (_, last, _) = sums.select_nth_unstable_by(self.k - 1, f32::total_cmp);
            // SAFETY: the caller's promise.
            unsafe { self.thresholds.part_mut(position, 1)[0] = self.slack.above(*last) };
        }
    }
}

impl Heaps<'_> {
    /// Distances and indices of the k nearest of the first `rows` positions, `[position][k]`.
    pub(super) fn finish(&self, cpu: &Cpu, rows: usize) -> Result<(Slab<f64>, Slab<u32>), PairwiseError> {
        let (k, room) = (self.k, self.k + ROOM);
        let distances: Slab<f64> = Slab::new("neighbours", rows * k).map_err(memory)?;
        let indices: Slab<u32> = Slab::new("neighbours", rows * k).map_err(memory)?;
        cpu.pool.run(rows.div_ceil(BLOCK), &|_, block| {
            let mut found = Vec::with_capacity(room);
            for position in block * BLOCK..((block + 1) * BLOCK).min(rows) {
                // SAFETY: a position is in one block.
                let (distances, indices) =
                    unsafe { (distances.part_mut(position * k, k), indices.part_mut(position * k, k)) };
                let keys = &self.keys.all()[position * room..][..self.lengths.all()[position] as usize];
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
