//! Sums of f(d) per row and class: reduction B, and A as its sum over the rows.
//!
//! A task is a block of rows against a block of columns. A strip's row sums stay in registers along the panels of one
//! class, column sums in the first-level cache along the strips of one class; both are f32 sums of at most a block, which
//! then are added to sums in f64. The longest chain of f32 roundings is [`SUM_ROUNDINGS`].

use std::ops::Range;

use super::super::isa::Isa;
use super::super::pool::Pool;
use super::super::simd::Simd;
use super::super::slab::Slab;
use super::order::Panel;
use super::packed::Packed;
use super::rounds::{BLOCK, Blocks, Meeting, meet};
use super::tile::{self, Extent, Map, Pairing, Sums, Tiled, Tiles, across};

/// Roundings between f of a pair and its sum in f64, at most: a column's along the strips of a block, of four rows at least, and two in the
/// tree of a strip's. A row's are half as many: along panels of eight columns at least, one in each, and two over the lanes of four.
pub const SUM_ROUNDINGS: usize = BLOCK / 4 + 2;

/// Sums `[class of the other side][position]`.
pub(super) struct Totals {
    pub(super) sums: Slab<f64>,
    pub(super) positions: usize,
}

impl Totals {
    /// Adds to positions `first..first + values.len()` of a class.
    ///
    /// # Safety
    /// Nobody else touches them meanwhile.
    #[inline(always)]
    unsafe fn add(&self, class: u32, first: usize, values: &[f32]) {
        // SAFETY: the caller's promise.
        let sums = unsafe {
            self.sums
                .part_mut(class as usize * self.positions + first, values.len())
        };
        sums.iter_mut().zip(values).for_each(|(s, v)| *s += f64::from(*v));
    }
}

/// Two packed sets, and how they meet.
#[derive(Clone, Copy)]
pub(super) struct Pairs<'a> {
    pub(super) isa: Isa,
    pub(super) pool: &'a Pool,
    pub(super) rows: &'a Packed,
    pub(super) columns: &'a Packed,
    pub(super) meeting: Meeting,
}

impl Pairs<'_> {
    /// Calls `task(worker, panels of rows, panels of columns, whether they are the same)` once for each block of rows.
    pub(super) fn each_once(&self, task: &(dyn Fn(usize, Range<usize>, Range<usize>, bool) + Sync)) {
        let (rows, columns) = (self.rows, self.columns);
        let blocks = |packed: &Packed| Blocks::new(packed.panels.len(), packed.width);
        let (a, b) = (blocks(rows), blocks(columns));
        let shift = |range: Range<usize>, first: usize| range.start + first..range.end + first;
        self.pool.run(a.count(), &|worker, i| {
            let (i, j) = (
                shift(a.panels(i), rows.first),
                shift(b.panels(i % b.count()), columns.first),
            );
            task(worker, i, j, self.meeting == Meeting::Itself);
        });
    }

    /// Calls `task(worker, panels of rows, panels of columns, whether they are the same)` for all pairs of blocks.
    pub(super) fn each(&self, task: &(dyn Fn(usize, Range<usize>, Range<usize>, bool) + Sync)) {
        let (rows, columns) = (self.rows, self.columns);
        let blocks = |packed: &Packed| Blocks::new(packed.panels.len(), packed.width);
        let (a, b) = (blocks(rows), blocks(columns));
        let shift = |range: Range<usize>, first: usize| range.start + first..range.end + first;
        meet(self.pool, self.meeting, a.count(), b.count(), &|worker, i, j| {
            let same = self.meeting == Meeting::Itself && i == j;
            task(
                worker,
                shift(a.panels(i), rows.first),
                shift(b.panels(j), columns.first),
                same,
            );
        });
    }
}

/// Adds f of all pairs to the sums of the rows, and to those of the columns if they are asked for. Pairs of a set with
/// itself are visited once: without sums of columns, only the earlier position of each gets it.
pub(super) fn add<P: Pairing, M: Map>(pairs: Pairs, pairing: P, map: M, rows: &Totals, columns: Option<&Totals>) {
    pairs.each(&|worker, i, j, same| {
        let task = Task {
            pairs,
            worker,
            i,
            j,
            same,
            pairing,
            map,
            row_totals: rows,
            column_totals: columns,
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
    pairing: P,
    map: M,
    row_totals: &'a Totals,
    column_totals: Option<&'a Totals>,
}

impl<P: Pairing, M: Map> Tiled for Task<'_, P, M> {
    /// # Safety
    /// The processor has the instruction set, `R` and `C` are its `PAIR_ROWS` and `PAIR_COLUMNS`; no other task has these blocks' totals or the worker's number.
    #[inline(always)]
    unsafe fn tiles<S: Simd, const R: usize, const C: usize>(self) {
        let _ = self.pairing;
        let (rows, columns) = (self.pairs.rows, self.pairs.columns);
        let width = C * S::LANES;
        let mut column_sums = [0.0f32; BLOCK];
        let mut tiles = Tiles::new(self.pairs, self.worker, self.i.clone(), self.j.clone(), self.same);
        for group in tiles.groups() {
            // SAFETY: the caller's promise.
            unsafe { tiles.fill::<S, P, R, C>(group.clone()) };
            let used = group.len() * width;
            for p in self.i.clone() {
                let Panel { class, valid } = rows.panel(p);
                for s in 0..(valid as usize).div_ceil(R) {
                    let mut q = tiles.first(p, &group);
                    while q < group.end {
                        let other = columns.panel(q).class;
                        // SAFETY: the caller's promise.
                        let mut row_sums = [unsafe { S::splat(0.0) }; R];
                        while q < group.end && columns.panel(q).class == other {
                            // SAFETY: the caller's promise; the panels are packed.
                            unsafe {
                                let mut values: Sums<S, R, C> = tiles.distances::<S, P, R, C>((p, s), q);
                                for values in &mut values {
                                    for value in values {
                                        *value = self.map.of::<S>(*value);
                                    }
                                }
                                let extent = Extent::of(rows, (p, s), columns, q, self.same && p == q);
                                extent.clear::<S, R, C>(&mut values);
                                for (sum, values) in row_sums.iter_mut().zip(&values) {
                                    *sum = S::add(*sum, across::<S, C>(values));
                                }
                                if self.column_totals.is_some() {
                                    let sums = column_sums.as_mut_ptr().add((q - group.start) * width);
                                    for v in 0..C {
                                        let sums = sums.add(v * S::LANES);
                                        S::store(sums, S::add(S::load(sums), down::<S, R, C>(&values, v)));
                                    }
                                }
                            }
                            q += 1;
                        }
                        // SAFETY: the caller's promise.
                        unsafe {
                            let totals = lanes::<S, R>(&row_sums);
                            self.row_totals.add(other, p * width + s * R, &totals);
                        }
                    }
                }
                if let Some(totals) = self.column_totals
                    && (p + 1 == self.i.end || rows.panel(p + 1).class != class)
                {
                    // SAFETY: the caller's promise.
                    unsafe { totals.add(class, group.start * width, &column_sums[..used]) };
                    column_sums[..used].fill(0.0);
                }
            }
        }
    }
}

/// The sum over the rows of one register's columns, as a tree.
///
/// # Safety
/// The processor has the instruction set.
#[inline(always)]
pub(super) unsafe fn down<S: Simd, const R: usize, const C: usize>(values: &Sums<S, R, C>, v: usize) -> S::V {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = values.map(|pair| pair[v]);
        let mut half = R / 2;
        while half > 0 {
            for r in 0..half {
                sums[r] = S::add(sums[r], sums[r + half]);
            }
            half /= 2;
        }
        sums[0]
    }
}

/// The sum over the lanes of each register.
///
/// # Safety
/// The processor has the instruction set.
#[inline(always)]
pub(super) unsafe fn lanes<S: Simd, const R: usize>(sums: &[S::V; R]) -> [f32; R] {
    let mut totals = [0.0; R];
    for (four, totals) in sums.as_chunks::<4>().0.iter().zip(totals.as_chunks_mut::<4>().0) {
        // SAFETY: the caller's promise.
        *totals = unsafe { S::totals_of_four(*four) };
    }
    totals
}
