//! A tile of pairs: a strip of rows against a panel of columns, sums over the coordinates in registers.
//!
//! ```text
//!                    lanes          lanes            AVX-512: 8 rows x 2 registers of 16,
//!                 +-------------+-------------+      16 sums, 2 columns, 1 spread row, 1 difference
//!   row 0, spread | s_00 += d^2 | s_01 += d^2 |
//!   row 1         | s_10        | s_11        |      per coordinate: 2 loads, 8 spreads,
//!     ...         |             |             |      16 subtractions, 16 multiply-adds
//!                 +-------------+-------------+
//! ```
//!
//! The chain of roundings of a pair is as long as the coordinates, but not longer than [`DEPTH`]: then the sums are added
//! to those before and begin again. A pair's bits depend on its two rows alone, not on where in a tile they meet.
//!
//! Rows of more than [`DEPTH`] coordinates meet slice by slice:
//!
//! ```text
//!              panel q
//!              slice 0 (16 KB)      slice 1
//!   strip 0    s_0  = chain         s_0 += chain         the sums of a block's tiles wait in a room of the thread
//!   strip 1    s_1  = chain         s_1 += chain
//!    ...
//! ```
//!
//! Strip after strip would read all of the panel again, and 32 columns of 512 numbers are 64 KB, more than a first-level cache.

use std::ops::Range;

use super::super::simd::Simd;
use super::packed::Packed;
use super::sums::Pairs;

/// Coordinates in one chain of roundings.
pub(super) const DEPTH: usize = 128;

/// What is summed over the coordinates of a pair.
pub(super) trait Pairing: Copy + Sync + Send {
    /// The sums are products x.y, of which squared distances are made with the norms.
    const PRODUCTS: bool;
    /// One coordinate more.
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn step<S: Simd>(x: S::V, y: S::V, sum: S::V) -> S::V;
}

/// (x - y)^2
#[derive(Clone, Copy)]
pub(super) struct Differences;

/// |x - y|
#[derive(Clone, Copy)]
pub(super) struct Absolutes;

/// x y
#[derive(Clone, Copy)]
pub(super) struct Products;

impl Pairing for Differences {
    const PRODUCTS: bool = false;

    #[inline(always)]
    unsafe fn step<S: Simd>(x: S::V, y: S::V, sum: S::V) -> S::V {
        // SAFETY: the caller's promise.
        unsafe {
            let difference = S::subtract(x, y);
            S::multiply_add(difference, difference, sum)
        }
    }
}

impl Pairing for Absolutes {
    const PRODUCTS: bool = false;

    #[inline(always)]
    unsafe fn step<S: Simd>(x: S::V, y: S::V, sum: S::V) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::add(sum, S::absolute(S::subtract(x, y))) }
    }
}

impl Pairing for Products {
    const PRODUCTS: bool = true;

    #[inline(always)]
    unsafe fn step<S: Simd>(x: S::V, y: S::V, sum: S::V) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::multiply_add(x, y, sum) }
    }
}

/// Sums of `R` rows and two registers of columns.
pub(super) type Sums<S, const R: usize> = [[<S as Simd>::V; 2]; R];

/// The sums of `depth` coordinates of a strip and a panel.
///
/// # Safety
/// The processor has the instruction set; strip and panel have `depth` x `R` and `depth` x 2 `LANES` numbers.
#[inline(always)]
unsafe fn chain<S: Simd, P: Pairing, const R: usize>(
    mut strip: *const f32,
    mut panel: *const f32,
    depth: usize,
) -> Sums<S, R> {
    // SAFETY: the caller's promise; the pointers end one past the last number.
    unsafe {
        let mut sums = [[S::splat(0.0); 2]; R];
        for _ in 0..depth {
            let columns = [S::load(panel), S::load(panel.add(S::LANES))];
            for (r, sums) in sums.iter_mut().enumerate() {
                let x = S::splat(*strip.add(r));
                sums[0] = P::step::<S>(x, columns[0], sums[0]);
                sums[1] = P::step::<S>(x, columns[1], sums[1]);
            }
            strip = strip.add(R);
            panel = panel.add(2 * S::LANES);
        }
        sums
    }
}

/// The tiles of a block of rows and a block of columns.
pub(super) struct Tiles<'a> {
    rows: &'a Packed,
    columns: &'a Packed,
    i: Range<usize>,
    j: Range<usize>,
    /// The thread's room, `[panel of rows][strip][panel of columns]` tiles, filled if rows have more than [`DEPTH`] coordinates.
    room: *mut f32,
}

impl<'a> Tiles<'a> {
    /// The tiles of panels `i` and `j`; where these are the `same` block, only those with columns not before the rows.
    ///
    /// # Safety
    /// The processor has the instruction set, `R` is its `PAIR_ROWS`, the panels are packed, and one thread at a time has the worker's
    /// number, for as long as the tiles are looked at.
    #[inline(always)]
    pub(super) unsafe fn new<S: Simd, P: Pairing, const R: usize>(
        pairs: Pairs<'a>,
        worker: usize,
        (i, j): (&Range<usize>, &Range<usize>),
        same: bool,
    ) -> Tiles<'a> {
        let tiles = Tiles {
            rows: pairs.rows,
            columns: pairs.columns,
            i: i.clone(),
            j: j.clone(),
            room: pairs.rows.room(worker),
        };
        let dim = tiles.rows.dim;
        if dim > DEPTH {
            for q in j.clone() {
                for done in (0..dim).step_by(DEPTH) {
                    let end = if same { q + 1 } else { i.end };
                    // SAFETY: the caller's promise.
                    unsafe { tiles.slice::<S, P, R>(i.start..end, q, done) };
                }
            }
        }
        tiles
    }

    /// Adds a slice of panel `q` to the sums of its tiles with the strips of panels `i`.
    ///
    /// # Safety
    /// As for `new`.
    #[inline(always)]
    unsafe fn slice<S: Simd, P: Pairing, const R: usize>(&self, i: Range<usize>, q: usize, done: usize) {
        let dim = self.rows.dim;
        let depth = (dim - done).min(DEPTH);
        let width = 2 * S::LANES;
        // SAFETY: the caller's promise.
        unsafe {
            let panel = self.columns.columns(q).add(done * width);
            for p in i {
                for s in 0..width / R {
                    let mut sums = chain::<S, P, R>(self.rows.strip(p, s).add(done * R), panel, depth);
                    let place = self.place::<S, R>((p, s), q);
                    for (r, sums) in sums.iter_mut().enumerate() {
                        for (v, sum) in sums.iter_mut().enumerate() {
                            let to = place.add((2 * r + v) * S::LANES);
                            if done > 0 {
                                *sum = S::add(S::load(to), *sum);
                            }
                            S::store(to, *sum);
                        }
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn place<S: Simd, const R: usize>(&self, (p, s): (usize, usize), q: usize) -> *mut f32 {
        let width = 2 * S::LANES;
        let strip = (p - self.i.start) * (width / R) + s;
        self.room
            .wrapping_add((strip * self.j.len() + q - self.j.start) * R * width)
    }

    /// The sums of strip `s` of panel `p` and panel `q`.
    ///
    /// # Safety
    /// As for `new`, for the same `S`, `P` and `R`.
    #[inline(always)]
    pub(super) unsafe fn sums<S: Simd, P: Pairing, const R: usize>(&self, at: (usize, usize), q: usize) -> Sums<S, R> {
        // SAFETY: the caller's promise.
        unsafe {
            if self.rows.dim <= DEPTH {
                return chain::<S, P, R>(self.rows.strip(at.0, at.1), self.columns.columns(q), self.rows.dim);
            }
            let place = self.place::<S, R>(at, q);
            let mut sums = [[S::splat(0.0); 2]; R];
            for (r, sums) in sums.iter_mut().enumerate() {
                let from = place.add(2 * r * S::LANES);
                *sums = [S::load(from), S::load(from.add(S::LANES))];
            }
            sums
        }
    }

    /// Squared distances (or L1 distances) of strip `s` of panel `p` and panel `q`.
    ///
    /// # Safety
    /// As for `sums`; for products the panels have norms.
    #[inline(always)]
    pub(super) unsafe fn distances<S: Simd, P: Pairing, const R: usize>(
        &self,
        (p, s): (usize, usize),
        q: usize,
    ) -> Sums<S, R> {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = self.sums::<S, P, R>((p, s), q);
            if P::PRODUCTS {
                let (row_norms, norms) = (self.rows.norms(p).add(s * R), self.columns.norms(q));
                let column_norms = [S::load(norms), S::load(norms.add(S::LANES))];
                let (zero, factor) = (S::splat(0.0), S::splat(-2.0));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let row = S::splat(*row_norms.add(r));
                    for v in 0..2 {
                        let both = S::add(row, column_norms[v]);
                        sums[v] = S::maximum(S::multiply_add(sums[v], factor, both), zero);
                    }
                }
            }
            sums
        }
    }
}

/// A function of a squared distance.
pub(super) trait Map: Copy + Sync + Send {
    /// f of each lane.
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn of<S: Simd>(self, distance: S::V) -> S::V;
}

/// d^2, or what else was summed.
#[derive(Clone, Copy)]
pub(super) struct Itself;

/// d
#[derive(Clone, Copy)]
pub(super) struct Root;

/// 2^(rate d^2): rate = -log2(e) / T.
#[derive(Clone, Copy)]
pub(super) struct Exponential {
    pub(super) rate: f32,
}

/// 1 if d^2 < square.
#[derive(Clone, Copy)]
pub(super) struct Below {
    pub(super) square: f32,
}

/// 1 / d, and 0 for d = 0.
#[derive(Clone, Copy)]
pub(super) struct ReciprocalRoot;

/// 1
#[derive(Clone, Copy)]
pub(super) struct One;

impl Map for Itself {
    #[inline(always)]
    unsafe fn of<S: Simd>(self, distance: S::V) -> S::V {
        distance
    }
}

impl Map for Root {
    #[inline(always)]
    unsafe fn of<S: Simd>(self, distance: S::V) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::square_root(distance) }
    }
}

impl Map for Exponential {
    #[inline(always)]
    unsafe fn of<S: Simd>(self, distance: S::V) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::exp2(S::multiply(distance, S::splat(self.rate))) }
    }
}

impl Map for Below {
    #[inline(always)]
    unsafe fn of<S: Simd>(self, distance: S::V) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::below(distance, S::splat(self.square)) }
    }
}

impl Map for ReciprocalRoot {
    #[inline(always)]
    unsafe fn of<S: Simd>(self, distance: S::V) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::reciprocal_root(distance) }
    }
}

impl Map for One {
    #[inline(always)]
    unsafe fn of<S: Simd>(self, _: S::V) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::splat(1.0) }
    }
}

/// Which pairs of a tile count.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    /// Rows of the strip that have a point.
    rows: usize,
    /// Columns of the panel that have one.
    columns: usize,
    /// Rows and columns are the same panel: row r is column `diagonal + r`, and only later columns count.
    diagonal: Option<usize>,
}

impl Extent {
    /// Of strip `s` of panel `p` and panel `q`, which is the same panel if `same`.
    #[inline(always)]
    pub(super) fn of(rows: &Packed, (p, s): (usize, usize), columns: &Packed, q: usize, same: bool) -> Extent {
        Extent {
            rows: (rows.panel(p).valid as usize)
                .saturating_sub(s * rows.strip)
                .min(rows.strip),
            columns: columns.panel(q).valid as usize,
            diagonal: same.then_some(s * rows.strip),
        }
    }

    /// Whether a row and a column are a pair.
    pub(super) fn has(self, r: usize, c: usize) -> bool {
        let first = self.diagonal.map_or(0, |diagonal| diagonal + r + 1);
        r < self.rows && (first..self.columns).contains(&c)
    }

    /// Puts 0 where no pair is.
    ///
    /// # Safety
    /// The processor has the instruction set.
    #[inline(always)]
    pub(super) unsafe fn clear<S: Simd, const R: usize>(self, values: &mut Sums<S, R>) {
        if self.rows == R && self.columns == 2 * S::LANES && self.diagonal.is_none() {
            return;
        }
        for (r, values) in values.iter_mut().enumerate() {
            let first = self.diagonal.map_or(0, |diagonal| diagonal + r + 1);
            let end = if r < self.rows { self.columns } else { 0 };
            let mut numbers = [0.0f32; 32];
            // SAFETY: two registers have at most 32 numbers.
            unsafe {
                S::store(numbers.as_mut_ptr(), values[0]);
                S::store(numbers.as_mut_ptr().add(S::LANES), values[1]);
                for (c, number) in numbers.iter_mut().enumerate() {
                    if c < first || c >= end {
                        *number = 0.0;
                    }
                }
                *values = [S::load(numbers.as_ptr()), S::load(numbers.as_ptr().add(S::LANES))];
            }
        }
    }
}
