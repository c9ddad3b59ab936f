//! A tile of pairs: a strip of rows against a panel of columns, sums over the coordinates in registers.
//!
//! ```text
//!                    lanes          lanes          lanes
//!                 +-------------+-------------+-------------+   AVX-512: 8 rows x 3 registers of 16,
//!   row 0, spread | s_00 += d^2 | s_01 += d^2 | s_02 += d^2 |   24 sums, 3 columns, 1 spread row, 1 difference
//!   row 1         | s_10        | s_11        | s_12        |
//!     ...         |             |             |             |   per coordinate: 3 loads, 8 spreads,
//!                 +-------------+-------------+-------------+   24 subtractions, 24 multiply-adds
//! ```
//!
//! With two registers of columns there would be as many spreads for a third less work. AVX2, with half as many registers, has
//! 4 rows x 2 of them.
//!
//! The chain of roundings of a pair is as long as the coordinates, but not longer than [`DEPTH`]: then the sums are added
//! to those before and begin again. A pair's bits depend on its two rows alone, not on where in a tile they meet.
//!
//! Rows of more than [`DEPTH`] coordinates meet panel by panel of the columns, slice by slice:
//!
//! ```text
//!   panel q     slice 0      strip 0, strip 1, ... of all panels of the block:  s  = chain
//!               slice 1      strip 0, strip 1, ...                              s += chain
//!                 ...
//! ```
//!
//! A slice of a panel, 24 KB, stays in the first-level cache while all strips of a block of rows pass by, each read in order from the
//! second level, which holds the block; and meanwhile the next panel comes to it from the third. The sums of the panel's tiles wait in
//! a room of the thread. Strip after strip would read all of each panel again, and 48 columns of 512 numbers are 96 KB.

use std::ops::Range;

use super::super::isa::Isa;
use super::super::simd::{Simd, Vectorized, dispatch};
use super::packed::Packed;
use super::sums::Pairs;

/// A kernel over tiles of pairs.
pub(super) trait Tiled {
    /// Runs it.
    ///
    /// # Safety
    /// The processor has the instruction set of `S`, and `R` and `C` are its `PAIR_ROWS` and `PAIR_COLUMNS`.
    unsafe fn tiles<S: Simd, const R: usize, const C: usize>(self);
}

/// Runs a kernel with tiles of the instruction set's shape.
pub(super) fn run<K: Tiled>(isa: Isa, kernel: K) {
    struct Shaped<K>(K);
    impl<K: Tiled> Vectorized for Shaped<K> {
        type Result = ();

        #[inline(always)]
        unsafe fn run<S: Simd>(self) {
            // SAFETY: the caller's promise; there are these two shapes.
            unsafe {
                match (S::PAIR_ROWS, S::PAIR_COLUMNS) {
                    (8, 3) => self.0.tiles::<S, 8, 3>(),
                    _ => self.0.tiles::<S, 4, 2>(),
                }
            }
        }
    }
    dispatch(isa, Shaped(kernel));
}

/// Rows and columns of a tile of the instruction set's shape.
pub(super) fn shape(isa: Isa) -> (usize, usize) {
    struct Shape;
    impl Vectorized for Shape {
        type Result = (usize, usize);

        #[inline(always)]
        unsafe fn run<S: Simd>(self) -> (usize, usize) {
            (S::PAIR_ROWS, S::PAIR_COLUMNS * S::LANES)
        }
    }
    dispatch(isa, Shape)
}

/// Columns of the widest tile.
pub(super) const MOST_COLUMNS: usize = 48;

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

/// Sums of `R` rows and `C` registers of columns.
pub(super) type Sums<S, const R: usize, const C: usize> = [[<S as Simd>::V; C]; R];

/// The registers of a row of a tile, from memory.
///
/// # Safety
/// The processor has the instruction set, and `from` has these numbers.
#[inline(always)]
pub(super) unsafe fn load<S: Simd, const C: usize>(from: *const f32) -> [S::V; C] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut registers = [S::splat(0.0); C];
        for (v, register) in registers.iter_mut().enumerate() {
            *register = S::load(from.add(v * S::LANES));
        }
        registers
    }
}

/// The registers of a row of a tile, to memory.
///
/// # Safety
/// As for [`load`], and nobody else reads or writes there.
#[inline(always)]
pub(super) unsafe fn store<S: Simd, const C: usize>(to: *mut f32, registers: &[S::V; C]) {
    for (v, &register) in registers.iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { S::store(to.add(v * S::LANES), register) };
    }
}

/// The sum of the registers of a row of a tile.
///
/// # Safety
/// The processor has the instruction set.
#[inline(always)]
pub(super) unsafe fn across<S: Simd, const C: usize>(registers: &[S::V; C]) -> S::V {
    let mut sum = registers[0];
    for &register in &registers[1..] {
        // SAFETY: the caller's promise.
        sum = unsafe { S::add(sum, register) };
    }
    sum
}

/// The sums of `depth` coordinates of a strip and a panel.
///
/// # Safety
/// The processor has the instruction set; strip and panel have `depth` x `R` and `depth` x `C` `LANES` numbers.
#[inline(always)]
unsafe fn chain<S: Simd, P: Pairing, const R: usize, const C: usize>(
    mut strip: *const f32,
    mut panel: *const f32,
    depth: usize,
) -> Sums<S, R, C> {
    // SAFETY: the caller's promise; the pointers end one past the last number.
    unsafe {
        let mut sums = [[S::splat(0.0); C]; R];
        for _ in 0..depth {
            let columns = load::<S, C>(panel);
            for (r, sums) in sums.iter_mut().enumerate() {
                let x = S::splat(*strip.add(r));
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = P::step::<S>(x, column, *sum);
                }
            }
            strip = strip.add(R);
            panel = panel.add(C * S::LANES);
        }
        sums
    }
}

/// Cache lines of the next strip that are asked for before a strip's sums: its slice begins on another page, where the processor does
/// not see the reads coming.
const LINES_AHEAD: usize = 6;

/// The tiles of a block of rows and a block of columns.
pub(super) struct Tiles<'a> {
    rows: &'a Packed,
    columns: &'a Packed,
    i: Range<usize>,
    j: Range<usize>,
    same: bool,
    /// The thread's room, `[panel of columns][panel of rows][strip]` tiles, filled if rows have more than [`DEPTH`] coordinates.
    room: *mut f32,
    filled: Range<usize>,
}

impl<'a> Tiles<'a> {
    /// The tiles of panels `i` of the rows and `j` of the columns, at most a block each; of the `same` block only those of a panel and
    /// its later ones.
    pub(super) fn new(pairs: Pairs<'a>, worker: usize, i: Range<usize>, j: Range<usize>, same: bool) -> Tiles<'a> {
        Tiles {
            rows: pairs.rows,
            columns: pairs.columns,
            filled: j.start..j.start,
            i,
            j,
            same,
            room: pairs.rows.room(worker),
        }
    }

    /// The panels of columns in groups, each to be filled before its tiles are looked at: one by one for long rows, else all.
    pub(super) fn groups(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (first, end) = (self.j.start, self.j.end);
        let size = if self.rows.dim > DEPTH { 1 } else { self.j.len().max(1) };
        (first..end).step_by(size).map(move |q| q..(q + size).min(end))
    }

    /// The first panel of a group that meets panel `p` of the rows.
    #[inline(always)]
    pub(super) fn first(&self, p: usize, group: &Range<usize>) -> usize {
        if self.same { group.start.max(p) } else { group.start }
    }

    /// Makes the sums of a group of columns, of as many tiles as a panel and a block have at most.
    ///
    /// # Safety
    /// The processor has the instruction set, `R` and `C` are its `PAIR_ROWS` and `PAIR_COLUMNS`, the panels are packed, and one thread
    /// at a time has the worker's number, for as long as the tiles are looked at.
    #[inline(always)]
    pub(super) unsafe fn fill<S: Simd, P: Pairing, const R: usize, const C: usize>(&mut self, group: Range<usize>) {
        self.filled = group.clone();
        let dim = self.rows.dim;
        if dim > DEPTH {
            for q in group {
                for done in (0..dim).step_by(DEPTH) {
                    // SAFETY: the caller's promise.
                    unsafe { self.slice::<S, P, R, C>(q, done) };
                }
            }
        }
    }

    /// Adds a slice of panel `q` to the sums of its tiles.
    ///
    /// # Safety
    /// As for `fill`.
    #[inline(always)]
    unsafe fn slice<S: Simd, P: Pairing, const R: usize, const C: usize>(&self, q: usize, done: usize) {
        let (dim, width) = (self.rows.dim, C * S::LANES);
        let depth = (dim - done).min(DEPTH);
        let end = if self.same { self.i.end.min(q + 1) } else { self.i.end };
        let strips = (end - self.i.start) * (width / R);
        // SAFETY: the caller's promise.
        unsafe {
            let panel = self.columns.columns(q).add(done * width);
            // Meanwhile the same slice of the next panel comes to the second-level cache, some of it with each strip.
            let mut ahead = panel.wrapping_add(dim * width);
            let share = if q + 1 < self.j.end {
                (depth * C).div_ceil(strips)
            } else {
                0
            };
            for p in self.i.start..end {
                for s in 0..width / R {
                    let strip = self.rows.strip(p, s).add(done * R);
                    for line in 0..LINES_AHEAD {
                        S::prefetch(strip.wrapping_add(dim * R + line * S::LANES));
                    }
                    for _ in 0..share {
                        S::prefetch_far(ahead);
                        ahead = ahead.wrapping_add(S::LANES);
                    }
                    let mut sums = chain::<S, P, R, C>(strip, panel, depth);
                    let place = self.place::<S, R, C>((p, s), q);
                    for (r, sums) in sums.iter_mut().enumerate() {
                        let to = place.add(r * width);
                        if done > 0 {
                            let before = load::<S, C>(to);
                            for (sum, before) in sums.iter_mut().zip(before) {
                                *sum = S::add(before, *sum);
                            }
                        }
                        store::<S, C>(to, sums);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn place<S: Simd, const R: usize, const C: usize>(&self, (p, s): (usize, usize), q: usize) -> *mut f32 {
        let width = C * S::LANES;
        let panel = (q - self.filled.start) * self.i.len() + p - self.i.start;
        self.room.wrapping_add(panel * width * width + s * R * width)
    }

    /// The sums of strip `s` of panel `p` of the rows and panel `q` of the columns.
    ///
    /// # Safety
    /// As for `fill`, which was called for a group with `q` and the same `S`, `P` and `R`.
    #[inline(always)]
    pub(super) unsafe fn sums<S: Simd, P: Pairing, const R: usize, const C: usize>(
        &self,
        (p, s): (usize, usize),
        q: usize,
    ) -> Sums<S, R, C> {
        // SAFETY: the caller's promise.
        unsafe {
            if self.rows.dim <= DEPTH {
                return chain::<S, P, R, C>(self.rows.strip(p, s), self.columns.columns(q), self.rows.dim);
            }
            let place = self.place::<S, R, C>((p, s), q);
            let mut sums = [[S::splat(0.0); C]; R];
            for (r, sums) in sums.iter_mut().enumerate() {
                *sums = load::<S, C>(place.add(r * C * S::LANES));
            }
            sums
        }
    }

    /// Squared distances (or L1 distances) of strip `s` of panel `p` and panel `q`.
    ///
    /// # Safety
    /// As for `sums`; for products the panels have norms.
    #[inline(always)]
    pub(super) unsafe fn distances<S: Simd, P: Pairing, const R: usize, const C: usize>(
        &self,
        (p, s): (usize, usize),
        q: usize,
    ) -> Sums<S, R, C> {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = self.sums::<S, P, R, C>((p, s), q);
            if P::PRODUCTS {
                let (row_norms, norms) = (self.rows.norms(p).add(s * R), self.columns.norms(q));
                let column_norms = load::<S, C>(norms);
                let (zero, factor) = (S::splat(0.0), S::splat(-2.0));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let row = S::splat(*row_norms.add(r));
                    for v in 0..C {
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
        self.of_row(r).contains(&c)
    }

    /// Whether all of a tile's rows and columns are pairs.
    #[inline(always)]
    pub(super) fn is_whole(self, rows: usize, columns: usize) -> bool {
        self.rows == rows && self.columns == columns && self.diagonal.is_none()
    }

    /// The columns that are pairs with a row, as bits.
    #[inline(always)]
    pub(super) fn bits(self, r: usize) -> u64 {
        let columns = self.of_row(r);
        let below = |end: usize| (1u64 << end) - 1;
        below(columns.end) & !below(columns.start)
    }

    fn of_row(self, r: usize) -> Range<usize> {
        let first = self.diagonal.map_or(0, |diagonal| diagonal + r + 1);
        if r < self.rows { first..self.columns } else { 0..0 }
    }

    /// Puts 0 where no pair is.
    ///
    /// # Safety
    /// The processor has the instruction set.
    #[inline(always)]
    pub(super) unsafe fn clear<S: Simd, const R: usize, const C: usize>(self, values: &mut Sums<S, R, C>) {
        if self.is_whole(R, C * S::LANES) {
            return;
        }
        for (r, values) in values.iter_mut().enumerate() {
            let first = self.diagonal.map_or(0, |diagonal| diagonal + r + 1);
            let end = if r < self.rows { self.columns } else { 0 };
            let mut numbers = [0.0f32; MOST_COLUMNS];
            // SAFETY: a tile has at most as many columns.
            unsafe {
                store::<S, C>(numbers.as_mut_ptr(), values);
                for (c, number) in numbers.iter_mut().enumerate() {
                    if c < first || c >= end {
                        *number = 0.0;
                    }
                }
                *values = load::<S, C>(numbers.as_ptr());
            }
        }
    }
}
