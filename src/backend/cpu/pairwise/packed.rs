//! Rows as the kernels read them: panels of columns `[dim][width]` and strips of rows `[dim][strip]`, and for gradients
//! the rows themselves.
//!
//! ```text
//!              width columns                         strip rows
//!           +-----------------+                      +-----+
//!   panel   | x_0k  x_1k  ... |  k = 0       strip   | ... |  k = 0      a tile of pairs reads both in order
//!           |                 |  k = 1               |     |  k = 1
//! ```
//!
//! Coordinates are rounded to f32 here, once. f32 coordinates stay as they are in the direct form: the difference of
//! close ones is exact. Of f64 coordinates the first row is subtracted before, so that what a far away origin costs is
//! not lost; in the centred form the mean of all rows.

use std::sync::Mutex;

use super::super::isa::Isa;
use super::super::pool::Pool;
use super::super::slab::Slab;
use super::gradient::NARROW;
use super::memory;
use super::order::{Order, Panel};
use super::rounds::BLOCK;
use super::tile::{DEPTH, shape};
use crate::backend::pairwise::{Form, PairwiseError, Points, Values, normalize};

/// Bytes of one copy of the rows that are packed at a time; larger sets are packed part by part.
const PART: usize = 32 << 20;

/// Rows whose sum one task makes.
const MEAN_ROWS: usize = 256;

/// What becomes of a row before it is packed.
pub(super) struct Frame {
    /// Divide by the norm; a zero row gets a coordinate of its own instead.
    normalize: bool,
    /// Subtracted from the rows that are compared.
    origin: Option<Vec<f64>>,
    /// Subtracted from the rows that are summed up in gradients.
    mean: Vec<f64>,
    /// Numbers of a packed row.
    pub(super) dim: usize,
    raw: usize,
}

impl Frame {
    /// The frame of one replica of a set, or of two.
    pub(super) fn new(
        pool: &Pool,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        cosine: bool,
        form: Form,
        gradient: bool,
    ) -> Result<Frame, PairwiseError> {
        let raw = points.dim();
        let mut frame = Frame {
            normalize: cosine,
            origin: None,
            mean: vec![],
            dim: raw + usize::from(cosine),
            raw,
        };
        if form == Form::Centered || gradient {
            frame.mean = frame.mean_of(pool, points, others, replica)?;
        }
        let exact = !cosine && points.is_f32() && others.is_none_or(Points::is_f32);
        frame.origin = match form {
            Form::Centered => Some(frame.mean.clone()),
            _ if exact || cosine => None,
            _ => {
                let mut first = vec![0.0; raw];
                points.row(replica, 0, &mut first)?;
                Some(first)
            }
        };
        Ok(frame)
    }

    /// The mean of all rows: sums of blocks of rows, and their sum in order.
    fn mean_of(
        &self,
        pool: &Pool,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
    ) -> Result<Vec<f64>, PairwiseError> {
        let (dim, mut mean, mut count) = (self.dim, vec![0.0; self.dim], 0);
        for set in [Some(points), others].into_iter().flatten() {
            let blocks = set.rows().div_ceil(MEAN_ROWS);
            let sums: Slab<f64> = Slab::new("sums of rows", blocks * dim).map_err(memory)?;
            let failed = Mutex::new(None);
            pool.run(blocks, &|_, block| {
                // SAFETY: one task has a block.
                let sums = unsafe { sums.part_mut(block * dim, dim) };
                let mut row = vec![0.0; dim];
                for i in block * MEAN_ROWS..((block + 1) * MEAN_ROWS).min(set.rows()) {
                    if let Err(error) = set.row(replica, i, &mut row[..self.raw]) {
                        if let Ok(mut failed) = failed.lock() {
                            failed.get_or_insert(error);
                        }
                        return;
                    }
                    if self.normalize {
                        normalize(&mut row, self.raw);
                    }
                    sums.iter_mut().zip(&row).for_each(|(sum, x)| *sum += x);
                }
            });
            if let Ok(Some(error)) = failed.into_inner() {
                return Err(error);
            }
            for sums in sums.all().chunks_exact(dim) {
                mean.iter_mut().zip(sums).for_each(|(mean, sum)| *mean += sum);
            }
            count += set.rows();
        }
        mean.iter_mut().for_each(|m| *m /= count as f64);
        Ok(mean)
    }

    /// The largest norm of a row whose coordinates are rounded when it is packed; 0 if none is.
    pub(super) fn largest_norm(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
    ) -> Result<f64, PairwiseError> {
        let Some(origin) = self.origin.as_ref().filter(|_| !self.normalize) else {
            return Ok(if self.normalize { 1.0 } else { 0.0 });
        };
        let (mut row, mut largest) = (vec![0.0; self.raw], 0.0f64);
        for set in [Some(points), others].into_iter().flatten() {
            for i in 0..set.rows() {
                set.row(replica, i, &mut row)?;
                let square: f64 = row.iter().zip(origin).map(|(x, o)| (x - o) * (x - o)).sum();
                largest = largest.max(square);
            }
        }
        Ok(largest.sqrt())
    }

    /// Fetches a row, minus `origin`, in f32; `wide` has room for it in f64.
    fn fetch(
        &self,
        points: &Points,
        (replica, row): (usize, usize),
        origin: Option<&[f64]>,
        wide: &mut [f64],
        to: &mut [f32],
    ) -> Result<(), PairwiseError> {
        if let (Values::F32(values), false) = (points.values(), self.normalize) {
            let start = (replica * points.rows() + row) * self.raw;
            let row = &values[start..start + self.raw];
            match origin {
                Some(origin) => {
                    for ((t, x), o) in to.iter_mut().zip(row).zip(origin) {
                        *t = (f64::from(*x) - o) as f32;
                    }
                }
                None => to.copy_from_slice(row),
            }
            return Ok(());
        }
        points.row(replica, row, &mut wide[..self.raw])?;
        if self.normalize {
            normalize(wide, self.raw);
        }
        match origin {
            Some(origin) => {
                for ((t, x), o) in to.iter_mut().zip(&*wide).zip(origin) {
                    *t = (x - o) as f32;
                }
            }
            None => to.iter_mut().zip(&*wide).for_each(|(t, x)| *t = *x as f32),
        }
        Ok(())
    }
}

/// What to pack beside panels and strips.
#[derive(Clone, Copy, Default)]
pub(super) struct Wants {
    /// |x|^2 of the packed coordinates.
    pub(super) norms: bool,
    /// Rows minus their mean: as `[position][dim + 1]` with a 1 at the end, or below [`NARROW`] coordinates as panels and strips.
    pub(super) rows: bool,
}

/// Some panels of a set, packed.
pub(super) struct Packed {
    pub(super) dim: usize,
    pub(super) width: usize,
    pub(super) strip: usize,
    /// The number of the first panel among all of the set.
    pub(super) first: usize,
    /// Those that are packed.
    pub(super) panels: Vec<Panel>,
    columns: Slab<f32>,
    strips: Slab<f32>,
    rows: Slab<f32>,
    centered_columns: Slab<f32>,
    centered_strips: Slab<f32>,
    norms: Slab<f32>,
    /// Per thread: the sums of a panel and a block, if they are made slice by slice.
    sums: Slab<f32>,
    /// Per thread: the rows of a panel, and one in f64.
    rooms: Slab<f32>,
    wides: Slab<f64>,
    wants: Wants,
}

/// Panels that are packed at a time.
pub(super) fn part(isa: Isa, dim: usize, panels: usize) -> usize {
    (PART / (4 * dim * shape(isa).1)).clamp(1, panels.max(1))
}

impl Packed {
    /// Room for up to `panels` panels.
    ///
    /// # Errors
    /// [`PairwiseError::OutOfMemory`].
    pub(super) fn new(
        isa: Isa,
        threads: usize,
        dim: usize,
        panels: usize,
        wants: Wants,
    ) -> Result<Packed, PairwiseError> {
        let (strip, width) = shape(isa);
        let positions = panels * width;
        let narrow = dim < NARROW;
        let real = |length| Slab::new("packed points", length).map_err(memory);
        Ok(Packed {
            dim,
            width,
            strip,
            first: 0,
            panels: Vec::with_capacity(panels),
            columns: real(positions * dim)?,
            strips: real(positions * dim)?,
            rows: real(if wants.rows && !narrow {
                positions * (dim + 1)
            } else {
                0
            })?,
            centered_columns: real(if wants.rows && narrow { positions * dim } else { 0 })?,
            centered_strips: real(if wants.rows && narrow { positions * dim } else { 0 })?,
            norms: real(if wants.norms { positions } else { 0 })?,
            sums: real(if dim > DEPTH { threads * width * BLOCK } else { 0 })?,
            rooms: real(threads * width * dim)?,
            wides: Slab::new("packed points", threads * dim).map_err(memory)?,
            wants,
        })
    }

    /// Packs the panels `first..first + count` of an order.
    ///
    /// # Errors
    /// [`PairwiseError::Source`].
    pub(super) fn pack(
        &mut self,
        pool: &Pool,
        frame: &Frame,
        points: &Points,
        replica: usize,
        order: &Order,
        panels: std::ops::Range<usize>,
    ) -> Result<(), PairwiseError> {
        self.first = panels.start;
        self.panels.clear();
        self.panels.extend_from_slice(&order.panels[panels]);
        let failed = Mutex::new(None);
        let packed = &*self;
        pool.run(packed.panels.len(), &|worker, local| {
            // SAFETY: one worker has this room, and one task this panel.
            if let Err(error) = unsafe { packed.pack_panel(worker, local, frame, points, replica, order) }
                && let Ok(mut failed) = failed.lock()
            {
                failed.get_or_insert(error);
            }
        });
        match failed.into_inner() {
            Ok(Some(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// # Safety
    /// One thread at a time for each worker and each panel.
    unsafe fn pack_panel(
        &self,
        worker: usize,
        local: usize,
        frame: &Frame,
        points: &Points,
        replica: usize,
        order: &Order,
    ) -> Result<(), PairwiseError> {
        let (dim, width, strip) = (self.dim, self.width, self.strip);
        let (start, length) = (local * width * dim, width * dim);
        // SAFETY: the caller's promise.
        let (room, wide, columns, strips) = unsafe {
            (
                self.rooms.part_mut(worker * length, length),
                self.wides.part_mut(worker * dim, dim),
                self.columns.part_mut(start, length),
                self.strips.part_mut(start, length),
            )
        };
        let row_at = |c: usize| order.row((self.first + local) * width + c).map(|row| (replica, row));
        for (c, to) in room.chunks_exact_mut(dim).enumerate() {
            match row_at(c) {
                Some(at) => frame.fetch(points, at, frame.origin.as_deref(), wide, to)?,
                None => to.fill(0.0),
            }
        }
        interleave(room, dim, width, columns);
        split(columns, dim, strip, strips);
        if self.wants.norms {
            // SAFETY: the caller's promise.
            let norms = unsafe { self.norms.part_mut(local * width, width) };
            for (norm, row) in norms.iter_mut().zip(room.chunks_exact(dim)) {
                *norm = square(row) as f32;
            }
        }
        if self.wants.rows && dim < NARROW {
            for (c, to) in room.chunks_exact_mut(dim).enumerate() {
                if let Some(at) = row_at(c) {
                    frame.fetch(points, at, Some(&frame.mean), wide, to)?;
                }
            }
            // SAFETY: the caller's promise.
            let (columns, strips) = unsafe {
                (
                    self.centered_columns.part_mut(start, length),
                    self.centered_strips.part_mut(start, length),
                )
            };
            interleave(room, dim, width, columns);
            split(columns, dim, strip, strips);
        } else if self.wants.rows {
            // SAFETY: the caller's promise.
            let rows = unsafe { self.rows.part_mut(local * width * (dim + 1), width * (dim + 1)) };
            for (c, to) in rows.chunks_exact_mut(dim + 1).enumerate() {
                match row_at(c) {
                    Some(at) => frame.fetch(points, at, Some(&frame.mean), wide, &mut to[..dim])?,
                    None => to.fill(0.0),
                }
                to[dim] = 1.0;
            }
        }
        Ok(())
    }

    /// A thread's room for the sums of a panel of rows and a block of columns.
    pub(super) fn room(&self, worker: usize) -> *mut f32 {
        let room = if self.dim > DEPTH { self.width * BLOCK } else { 0 };
        self.sums.all()[worker * room..].as_ptr().cast_mut()
    }

    /// Panel `panel` of all: `[dim][width]`.
    pub(super) fn columns(&self, panel: usize) -> *const f32 {
        self.columns.all()[(panel - self.first) * self.width * self.dim..].as_ptr()
    }

    /// Strip `s` of panel `panel`: `[dim][strip]`.
    pub(super) fn strip(&self, panel: usize, s: usize) -> *const f32 {
        self.strips.all()[((panel - self.first) * self.width + s * self.strip) * self.dim..].as_ptr()
    }

    /// As [`Packed::columns`], minus the mean.
    pub(super) fn centered_columns(&self, panel: usize) -> &[f32] {
        &self.centered_columns.all()[(panel - self.first) * self.width * self.dim..]
    }

    /// As [`Packed::strip`], minus the mean.
    pub(super) fn centered_strip(&self, panel: usize, s: usize) -> &[f32] {
        &self.centered_strips.all()[((panel - self.first) * self.width + s * self.strip) * self.dim..]
    }

    /// |x|^2 from the first position of a panel on.
    pub(super) fn norms(&self, panel: usize) -> *const f32 {
        self.norms.all()[(panel - self.first) * self.width..].as_ptr()
    }

    /// Rows minus their mean, and a 1, from the first position of a panel on, `[position][dim + 1]`.
    pub(super) fn rows(&self, panel: usize) -> &[f32] {
        &self.rows.all()[(panel - self.first) * self.width * (self.dim + 1)..]
    }

    /// A panel of those that are packed.
    pub(super) fn panel(&self, panel: usize) -> Panel {
        self.panels[panel - self.first]
    }
}

/// Coordinates that are moved together: a cache line of a row.
const LINE: usize = 16;

/// From rows `[width][dim]` to a panel `[dim][width]`, line by line: a column of rows that are a power of two long would find the lines
/// of all its rows in the same place of a first-level cache.
fn interleave(rows: &[f32], dim: usize, width: usize, panel: &mut [f32]) {
    for first in (0..dim).step_by(LINE) {
        let line = first..dim.min(first + LINE);
        let to = &mut panel[first * width..];
        for (c, row) in rows.chunks_exact(dim).enumerate() {
            for (k, x) in row[line.clone()].iter().enumerate() {
                to[k * width + c] = *x;
            }
        }
    }
}

/// From a panel `[dim][width]` to its strips `[..][dim][strip]`, a strip being a multiple of four.
fn split(panel: &[f32], dim: usize, strip: usize, strips: &mut [f32]) {
    let width = panel.len() / dim;
    for (s, to) in strips.chunks_exact_mut(strip * dim).enumerate() {
        for (to, from) in to.chunks_exact_mut(strip).zip(panel.chunks_exact(width)) {
            let from = from[s * strip..][..strip].as_chunks::<4>().0;
            to.as_chunks_mut::<4>().0.copy_from_slice(from);
        }
    }
}

/// |x|^2 in f64, eight sums and then these.
fn square(row: &[f32]) -> f64 {
    let mut sums = [0.0; 8];
    let (eights, rest) = row.as_chunks::<8>();
    for eight in eights {
        for (sum, x) in sums.iter_mut().zip(eight) {
            *sum += f64::from(*x) * f64::from(*x);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_as_many_panels_as_its_bytes_allow() {
        for isa in Isa::available() {
            for dim in [1, 784, 1 << 24] {
                let (panels, bytes) = (part(isa, dim, usize::MAX), 4 * dim * shape(isa).1);
                assert!(panels == 1 || panels * bytes <= PART, "{isa:?}, {dim}: {panels}");
                assert!((panels + 1) * bytes > PART, "{isa:?}, {dim}: {panels}");
            }
            // No more than there are, and room for one even if there is none.
            assert_eq!((part(isa, 1, 5), part(isa, 1, 0)), (5, 1));
        }
    }
}
