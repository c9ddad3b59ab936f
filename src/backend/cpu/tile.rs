//! Where the operands of a kernel are when it runs on a tile.
//!
//! Layouts: a row buffer is `[rows, copies, cols]`, so that a tile is contiguous and the replicas' units lie side by side
//! (one wide product feeds them all); a whole buffer is `[copies, rows, cols]`. A row buffer of tile storage is a piece of
//! the worker's scratch.

use std::ops::Range;

use super::gemm::Workspace;
use super::slab::Slab;
use crate::backend::kernel::Target;
use crate::backend::program::{BufferId, Extent, Program};

/// Where a buffer's elements are.
pub(super) enum Place {
    Real(Slab<f32>),
    Wide(Slab<f64>),
    Index(Slab<u32>),
    /// In the f32 tile storage.
    RealTile(Spot),
    /// In the u32 tile storage.
    IndexTile(Spot),
}

/// A place in tile storage.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    pub(super) offset: usize,
    /// In that of a block, for all workers, instead of a tile's, which is a worker's own.
    pub(super) in_block: bool,
}

/// What has tile storage.
pub(super) struct TileStorage {
    pub(super) reals: Slab<f32>,
    pub(super) indices: Slab<u32>,
}

/// One worker's own memory.
pub(super) struct Scratch {
    pub(super) tile: TileStorage,
    /// For column sums, eight times the widest gradient of a bias; for exponentials, the widest row of outputs and more.
    pub(super) numbers: Vec<f32>,
    pub(super) workspace: Workspace,
    /// For a layer that skips zeros: values of samples, and a chunk of dy.
    pub(super) skipped: Slab<f32>,
    /// For losses of pairs: coordinates of some rows.
    pub(super) pairs: Slab<f64>,
}

/// A sum over rows that a segment makes: its place in a lane's partial sums.
#[derive(Clone, Copy)]
pub(super) struct Reduction {
    pub(super) target: Target,
    /// Offset and length in the lane's f32 partials (gradients) or f64 partials (losses, counts, class sums).
    pub(super) offset: usize,
    pub(super) length: usize,
    pub(super) wide: bool,
    /// A segment on blocks, and only gradients of layers' weights in this sum: products can write it where it belongs.
    pub(super) of_products: bool,
    /// A weighted mean divides when the lanes have been summed.
    pub(super) divisor: crate::backend::kernel::Divisor,
    /// The samples of a layer's gradient that alone makes this sum, if their zeros may be skipped. Then after the sum lie the
    /// column sums of dy.
    pub(super) samples: Option<BufferId>,
}

/// The partial sums of one lane.
pub(super) struct Partials<'a> {
    pub(super) reductions: &'a [Reduction],
    pub(super) reals: &'a mut [f32],
    pub(super) wides: &'a mut [f64],
    /// Which reductions nothing has been added to yet.
    pub(super) fresh: &'a mut [u32],
}

impl Partials<'_> {
    /// A reduction, and whether nothing has been added to it yet; from now on something has.
    pub(super) fn find(&mut self, id: BufferId) -> (Reduction, bool) {
        let slot = self.reductions.iter().position(|r| r.target.buffer == id);
        let slot = slot.unwrap_or_else(|| unreachable!("a kernel's reductions are listed with its segment"));
        (self.reductions[slot], std::mem::replace(&mut self.fresh[slot], 0) != 0)
    }

    /// The f32 partial sum of a gradient, and whether it is to be overwritten.
    pub(super) fn real(&mut self, id: BufferId) -> (&mut [f32], bool) {
        let (r, fresh) = self.find(id);
        (&mut self.reals[r.offset..r.offset + r.length], fresh)
    }

    /// As [`Partials::real`], and after it room for the column sums of dy.
    pub(super) fn skipped(&mut self, id: BufferId, units: usize) -> (&mut [f32], bool) {
        let (r, fresh) = self.find(id);
        (&mut self.reals[r.offset..r.offset + r.length + units], fresh)
    }

    /// Whether zeros of the samples that lead to this sum may be skipped.
    pub(super) fn may_skip(&self, id: BufferId) -> bool {
        self.reductions
            .iter()
            .any(|r| r.target.buffer == id && r.samples.is_some())
    }

    /// The f64 partial sum of a loss or probe, zeroed when fresh.
    pub(super) fn wide(&mut self, id: BufferId) -> &mut [f64] {
        let (r, fresh) = self.find(id);
        let sum = &mut self.wides[r.offset..r.offset + r.length];
        if fresh {
            sum.fill(0.0);
        }
        sum
    }
}

/// Rows of a buffer: `[rows, copies, cols]`.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a, T> {
    pub(super) data: &'a [T],
    pub(super) copies: usize,
    pub(super) cols: usize,
}

impl<'a, T> Rows<'a, T> {
    /// Row `i` of replica `r`; a shared buffer answers the same for every replica.
    #[inline(always)]
    pub(super) fn at(&self, i: usize, r: usize) -> &'a [T] {
        let copy = if self.copies == 1 { 0 } else { r };
        &self.data[(i * self.copies + copy) * self.cols..][..self.cols]
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.data.len() / (self.copies * self.cols)
    }

    /// The first of them.
    pub(super) fn first(self, rows: usize) -> Rows<'a, T> {
        Rows {
            data: &self.data[..rows * self.copies * self.cols],
            ..self
        }
    }
}

/// A kernel's surroundings: the rows it runs on and the worker it runs in.
pub(super) struct Tile<'a> {
    pub(super) program: &'a Program,
    pub(super) places: &'a [Place],
    pub(super) active: &'a [usize],
    pub(super) rows: Range<usize>,
    /// The worker's tile storage: its buffers begin with the tile's first row.
    pub(super) own: &'a TileStorage,
    /// That of the block: its buffers begin with this row.
    pub(super) block: &'a TileStorage,
    pub(super) first_of_block: usize,
}

impl<'a> Tile<'a> {
    /// Offset and length of the part of a persistent buffer that this tile sees.
    fn part(&self, id: BufferId) -> (usize, usize) {
        let buffer = self.program.buffer(id);
        let copies = self.program.copies(id);
        match buffer.extent {
            Extent::Rows(_) => {
                let stride = copies * buffer.cols;
                (self.rows.start * stride, self.rows.len() * stride)
            }
            Extent::Whole { rows } => (0, copies * rows * buffer.cols),
        }
    }

    /// The storage of a buffer, and where in it that part begins.
    fn in_tile(&self, id: BufferId, spot: Spot) -> (&'a TileStorage, usize) {
        if spot.in_block {
            let stride = self.program.copies(id) * self.program.buffer(id).cols;
            (
                self.block,
                spot.offset + (self.rows.start - self.first_of_block) * stride,
            )
        } else {
            (self.own, spot.offset)
        }
    }

    fn rows_of<T>(&self, id: BufferId, data: &'a [T]) -> Rows<'a, T> {
        Rows {
            data,
            copies: self.program.copies(id),
            cols: self.program.buffer(id).cols,
        }
    }

    /// A real operand that the kernel reads.
    pub(super) fn real(&self, id: BufferId) -> Rows<'a, f32> {
        let (start, length) = self.part(id);
        let data = match &self.places[id.0] {
            // SAFETY: other lanes write other rows; whole buffers are not written inside a row segment, scratch belongs to
            // this worker; and no kernel reads a buffer that it writes.
            Place::Real(slab) => unsafe { slab.part(start, length) },
            // SAFETY: as above.
            Place::RealTile(spot) => unsafe {
                let (storage, start) = self.in_tile(id, *spot);
                storage.reals.part(start, length)
            },
            _ => unreachable!("element types are checked when the graph is recorded"),
        };
        self.rows_of(id, data)
    }

    /// An index operand.
    pub(super) fn index(&self, id: BufferId) -> Rows<'a, u32> {
        let (start, length) = self.part(id);
        let data = match &self.places[id.0] {
            // SAFETY: as in `real`.
            Place::Index(slab) => unsafe { slab.part(start, length) },
            // SAFETY: as above.
            Place::IndexTile(spot) => unsafe {
                let (storage, start) = self.in_tile(id, *spot);
                storage.indices.part(start, length)
            },
            _ => unreachable!("element types are checked when the graph is recorded"),
        };
        self.rows_of(id, data)
    }

    /// A real buffer that the kernel writes, which is none of its operands.
    pub(super) fn write(&self, id: BufferId) -> &'a mut [f32] {
        let (start, length) = self.part(id);
        match &self.places[id.0] {
            // SAFETY: these rows belong to this lane, this scratch to this worker, and a whole buffer is written only by a
            // whole segment, which runs alone. A kernel asks for each of its results once.
            Place::Real(slab) => unsafe { slab.part_mut(start, length) },
            // SAFETY: as above.
            Place::RealTile(spot) => unsafe {
                let (storage, start) = self.in_tile(id, *spot);
                storage.reals.part_mut(start, length)
            },
            _ => unreachable!("element types are checked when the graph is recorded"),
        }
    }

    /// As [`Tile::write`] for indices.
    pub(super) fn write_index(&self, id: BufferId) -> &'a mut [u32] {
        let (start, length) = self.part(id);
        match &self.places[id.0] {
            // SAFETY: as in `write`.
            Place::Index(slab) => unsafe { slab.part_mut(start, length) },
            // SAFETY: as above.
            Place::IndexTile(spot) => unsafe {
                let (storage, start) = self.in_tile(id, *spot);
                storage.indices.part_mut(start, length)
            },
            _ => unreachable!("element types are checked when the graph is recorded"),
        }
    }

    /// All rows of a persistent buffer that nothing in the segment writes, past the active ones too.
    pub(super) fn table(&self, id: BufferId) -> Rows<'a, f32> {
        let Place::Real(slab) = &self.places[id.0] else {
            unreachable!("tables are persistent")
        };
        self.rows_of(id, slab.all())
    }

    /// As [`Tile::table`] for indices.
    pub(super) fn index_table(&self, id: BufferId) -> Rows<'a, u32> {
        let Place::Index(slab) = &self.places[id.0] else {
            unreachable!("tables are persistent")
        };
        self.rows_of(id, slab.all())
    }

    /// As [`Tile::table`] for f64.
    pub(super) fn wide_table(&self, id: BufferId) -> Rows<'a, f64> {
        let Place::Wide(slab) = &self.places[id.0] else {
            unreachable!("element types are checked when the graph is recorded")
        };
        self.rows_of(id, slab.all())
    }

    /// As [`Tile::write`] for f64.
    pub(super) fn write_wide(&self, id: BufferId) -> &'a mut [f64] {
        let (start, length) = self.part(id);
        let Place::Wide(slab) = &self.places[id.0] else {
            unreachable!("element types are checked when the graph is recorded")
        };
        // SAFETY: as in `write`.
        unsafe { slab.part_mut(start, length) }
    }

    /// Number of active rows of the space a row buffer belongs to.
    pub(super) fn active_rows(&self, id: BufferId) -> usize {
        self.program.rows(id, self.active)
    }
}
