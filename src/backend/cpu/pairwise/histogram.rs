//! Histograms of Euclidean distance per class pair: reduction A with a bin for f.
//!
//! Each worker has histograms of its own; they are counts, whose sum does not depend on the order. What is compared with the
//! bins' edges is the distance in the precision of the form, so that one within its rounding of an edge may fall on either side.

use std::ops::Range;

use super::super::Cpu;
use super::super::simd::Simd;
use super::super::slab::Slab;
use super::memory;
use super::reduce::{all, side};
use super::stage::{Needs, Stage};
use super::sums::Pairs;
use super::tile::{self, Differences, Extent, MOST_COLUMNS, Pairing, Products, Sums, Tiled, Tiles};
use super::wide;
use crate::backend::pairwise::{Bins, Form, PairwiseError, Points, add_other_order};

/// Counts of all workers, `[worker][C][C'][bins + 1]`.
struct Counts {
    counts: Slab<u64>,
    classes: usize,
    bins: usize,
    size: usize,
}

impl Counts {
    fn new(workers: usize, first: usize, second: usize, bins: usize) -> Result<Counts, PairwiseError> {
        let size = first * second * (bins + 1);
        Ok(Counts {
            counts: Slab::new("histograms", workers * size).map_err(memory)?,
            classes: second,
            bins,
            size,
        })
    }

    /// One worker's counts of a class pair.
    ///
    /// # Safety
    /// One thread at a time has a worker's number.
    #[expect(clippy::mut_from_ref, reason = "each worker has counts of its own")]
    unsafe fn of(&self, worker: usize, (a, b): (u32, u32)) -> &mut [u64] {
        let pair = a as usize * self.classes + b as usize;
        let start = worker * self.size + pair * (self.bins + 1);
        // SAFETY: the caller's promise.
        unsafe { self.counts.part_mut(start, self.bins + 1) }
    }

    fn total(&self) -> Vec<u64> {
        let mut total = vec![0; self.size];
        for counts in self.counts.all().chunks_exact(self.size) {
            total.iter_mut().zip(counts).for_each(|(t, c)| *t += c);
        }
        total
    }
}

struct Task<'a, P> {
    pairs: Pairs<'a>,
    i: Range<usize>,
    j: Range<usize>,
    same: bool,
    worker: usize,
    rate: f32,
    counts: &'a Counts,
    pairing: std::marker::PhantomData<P>,
}

impl<P: Pairing> Tiled for Task<'_, P> {
    /// # Safety
    /// The processor has the instruction set, `R` and `C` are its `PAIR_ROWS` and `PAIR_COLUMNS`, and the task has its worker's counts.
    #[inline(always)]
    unsafe fn tiles<S: Simd, const R: usize, const C: usize>(self) {
        let (rows, columns) = (self.pairs.rows, self.pairs.columns);
        let mut tiles = Tiles::new(self.pairs, self.worker, self.i.clone(), self.j.clone(), self.same);
        for group in tiles.groups() {
            // SAFETY: the caller's promise.
            unsafe { tiles.fill::<S, P, R, C>(group.clone()) };
            for p in self.i.clone() {
                for s in 0..(rows.panel(p).valid as usize).div_ceil(R) {
                    for q in tiles.first(p, &group)..group.end {
                        let classes = (rows.panel(p).class, columns.panel(q).class);
                        let extent = Extent::of(rows, (p, s), columns, q, self.same && p == q);
                        // SAFETY: the caller's promise; a tile has at most as many columns.
                        unsafe {
                            let counts = self.counts.of(self.worker, classes);
                            let values: Sums<S, R, C> = tiles.distances::<S, P, R, C>((p, s), q);
                            for (r, values) in values.iter().enumerate() {
                                let mut numbers = [0.0f32; MOST_COLUMNS];
                                for (v, values) in values.iter().enumerate() {
                                    let bins = S::multiply(S::square_root(*values), S::splat(self.rate));
                                    S::store(numbers.as_mut_ptr().add(v * S::LANES), bins);
                                }
                                for (c, bin) in numbers[..C * S::LANES].iter().enumerate() {
                                    if extent.has(r, c) {
                                        // The cast saturates: beyond all bins is the last.
                                        counts[(*bin as usize).min(self.counts.bins)] += 1;
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Cpu {
    /// The histograms of one replica, `[C, C', bins + 1]`.
    pub(super) fn histograms(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        bins: Bins,
        form: Form,
    ) -> Result<Vec<u64>, PairwiseError> {
        let set = others.unwrap_or(points);
        let (first, second) = (points.classes(), set.classes());
        let counts = Counts::new(self.pool.threads(), first, second, bins.count)?;
        if form == Form::F64 {
            let (rows, columns) = (all(points.rows()), all(set.rows()));
            let (x, y) = (side(points, replica, &rows, false), side(set, replica, &columns, false));
            wide::scan((self.isa, &self.pool), x, y, false, &|few| {
                let a = points.label(replica, few.place) as u32;
                for (&j, &d) in few.columns.iter().zip(few.distances) {
                    if others.is_some() || j != few.place {
                        let b = set.label(replica, j) as u32;
                        let bin = ((d.sqrt() / bins.width) as usize).min(bins.count);
                        // SAFETY: one thread at a time has a worker's number.
                        let counts = unsafe { counts.of(few.worker, (a, b)) };
                        counts[bin] += 1;
                    }
                }
            })?;
            return Ok(counts.total());
        }
        let needs = Needs {
            form,
            cosine: false,
            by_class: true,
            gradient: false,
        };
        let stage = Stage::new((self.isa, &self.pool), points, others, replica, needs)?;
        let rate = (1.0 / bins.width) as f32;
        stage.visit(|pairs| {
            pairs.each(&|worker, i, j, same| match form {
                Form::Centered => tile::run(pairs.isa, task::<Products>(pairs, (i, j, same), worker, rate, &counts)),
                _ => tile::run(
                    pairs.isa,
                    task::<Differences>(pairs, (i, j, same), worker, rate, &counts),
                ),
            });
        })?;
        let mut total = counts.total();
        if others.is_none() {
            add_other_order(&mut total, first, bins.count + 1);
        }
        Ok(total)
    }
}

fn task<'a, P: Pairing>(
    pairs: Pairs<'a>,
    (i, j, same): (Range<usize>, Range<usize>, bool),
    worker: usize,
    rate: f32,
    counts: &'a Counts,
) -> Task<'a, P> {
    Task {
        pairs,
        i,
        j,
        same,
        worker,
        rate,
        counts,
        pairing: std::marker::PhantomData,
    }
}
