//! Dense layers on samples that are mostly one number per column: the products skip it.
//!
//! With x_ij = c_j + s_j k_ij (see `compressed`), k mostly zero:
//!
//! ```text
//! forward     z_iu  = sum_j k_ij (s_j w_uj) + (b_u + sum_j w_uj c_j)    both brackets once per run, the second in f64
//! gradient    dW_uj = s_j sum_i dz_iu k_ij + c_j sum_i dz_iu            the factors once per run, in f64
//! ```
//!
//! | file | what it shows |
//! |---|---|
//! | `compressed` | k by rows and by columns, when it pays |
//! | `codes` | k as bytes, when samples are standardised pixels |
//! | `grouping` | which rows, and which columns, are taken four at a time |
//! | `weighted_rows` | the one kernel: for every list of pairs (k, v) the sum of v times row k of a table |
//!
//! Forward, a list is a row of samples and the table is s W transposed; backward, a list is a column of samples and the table is
//! the tile's dz. It is the same product with a larger sum of absolute values, and the bound says so: with n the longest
//! list and r = s k, `|z - exact| <= (n + 4) EPS sum_j |w_uj| (|r_ij| + |c_j|)` and the like for dW, where EPS = 2^-24, whose
//! partial sums over tiles and lanes add their own few roundings. A weight or sample that is not finite gives something that is not
//! finite, though not always the same as the dense product: infinity minus infinity is NaN.

mod codes;
mod compressed;
mod grouping;
mod weighted_rows;

use super::gemm::MatRef;
use super::isa::Isa;
use super::math::vectorize;
use super::pool::Pool;
use super::slab::Slab;
use super::tile::Rows;
use crate::backend::BackendError;
use crate::backend::kernel::Write;
use crate::backend::program::BufferId;
use compressed::Compressed;
use grouping::GROUP;
use weighted_rows::{Base, Chunk, Output, Table, chunks, table_room, weighted_rows, widest};

/// Compressed samples, and for each layer that reads them its weights as a table.
pub(super) struct Skipping {
    samples: Compressed,
    layers: Vec<Layer>,
}

/// The weights of one layer, of all replicas: `units` = R x out.
pub(super) struct Layer {
    weight: BufferId,
    bias: Option<BufferId>,
    units: usize,
    chunks: Vec<Chunk>,
    /// W transposed, `[in, units]` in chunks.
    table: Slab<f32>,
    /// b + W c
    folded: Slab<f32>,
}

/// Numbers of a worker's room for tiles of `rows` samples with `cols` columns: the values of a group, and a chunk of dz.
pub(super) fn room(isa: Isa, rows: usize, cols: usize) -> usize {
    values_room(rows, cols) + table_room(rows, chunks(isa, widest(isa)))
}

/// A group has at most an entry for every index: a column, or a row of the tile.
fn values_room(rows: usize, cols: usize) -> usize {
    GROUP * rows.max(cols).next_multiple_of(GROUP)
}

impl Layer {
    /// How many tasks [`Skipping::fold`] has.
    pub(super) fn chunks(&self) -> usize {
        self.chunks.len()
    }
}

impl Skipping {
    /// Compresses samples `[rows, cols]`, if that pays, for layers of (weight, bias, units).
    ///
    /// # Errors
    /// [`BackendError::OutOfMemory`]
    pub(super) fn new(
        isa: Isa,
        pool: &Pool,
        values: &[f64],
        cols: usize,
        tile_rows: usize,
        layers: Vec<(BufferId, Option<BufferId>, usize)>,
    ) -> Result<Option<Skipping>, BackendError> {
        let Some(samples) = Compressed::new(isa, pool, values, cols, tile_rows) else {
            return Ok(None);
        };
        let layer = |(weight, bias, units)| -> Result<Layer, BackendError> {
            let chunks: Vec<_> = chunks(isa, units).collect();
            Ok(Layer {
                weight,
                bias,
                units,
                table: Slab::new("transposed weights", table_room(cols, chunks.iter().copied()))?,
                chunks,
                folded: Slab::new("folded bias", units)?,
            })
        };
        let layers = layers.into_iter().map(layer).collect::<Result<_, _>>()?;
        Ok(Some(Skipping { samples, layers }))
    }

    /// The layer with these parameters.
    pub(super) fn layer(&self, weight: BufferId, bias: Option<BufferId>) -> Option<&Layer> {
        self.layers.iter().find(|l| l.weight == weight && l.bias == bias)
    }

    /// c
    pub(super) fn offsets(&self) -> &[f64] {
        &self.samples.offsets
    }

    /// s
    pub(super) fn scales(&self) -> &[f64] {
        &self.samples.scales
    }

    /// Brings chunk `number` of a layer up to date: weight `[units, in]`, bias `[units]`.
    ///
    /// # Safety
    /// Nobody else uses this chunk of the layer meanwhile.
    pub(super) unsafe fn fold(&self, isa: Isa, layer: &Layer, number: usize, weight: &[f32], bias: Option<&[f32]>) {
        let offsets = self.offsets();
        let cols = offsets.len();
        let chunk = layer.chunks[number];
        let transposed = MatRef {
            ptr: weight.as_ptr(),
            row_stride: 1,
            col_stride: cols,
        };
        // SAFETY: the chunk's part of the table and of the bias, which are this task's by the caller's promise; the weight
        // has `units` rows of `cols`.
        let folded = unsafe {
            // Only the last chunk has a tail, which may be overshot.
            let room = if number + 1 == layer.chunks() {
                table_room(cols, [chunk])
            } else {
                cols * chunk.units
            };
            let to = layer.table.part_mut(cols * chunk.first, room);
            chunk.copy(isa, transposed, cols, to.as_mut_ptr());
            chunk.scale(isa, to, self.scales());
            layer.folded.part_mut(chunk.first, chunk.units)
        };
        for (u, folded) in (chunk.first..).zip(folded) {
            let row = &weight[u * cols..][..cols];
            *folded = (bias.map_or(0.0, |b| f64::from(b[u])) + dot(isa, row, offsets)) as f32;
        }
    }

    /// z of the tile that begins with row `first`: `[rows, units]`; `room` as [`room`] says.
    pub(super) fn dense(&self, isa: Isa, layer: &Layer, first: usize, z: &mut [f32], room: &mut [f32]) {
        let lists = &self.samples.tile(first).rows;
        let values = room.as_chunks_mut().0;
        let (cols, units) = (self.offsets().len(), layer.units);
        assert_eq!(z.len(), lists.order.len() * units);
        let table = Table {
            chunks: &layer.chunks,
            rows: cols,
            numbers: layer.table.all().as_ptr(),
        };
        let base = Base {
            numbers: layer.folded.all().as_ptr(),
            stride: 0,
        };
        let output = Output {
            numbers: z.as_mut_ptr(),
            stride: units,
        };
        // SAFETY: the indices are columns, of which the table has a row each; z has a row per list.
        unsafe { weighted_rows(isa, lists, table, Some(base), output, values) };
    }

    /// sums (=, +=) the part of the tile that begins with row `first`: sum_i dz_iu r_ij as `[in + 1, units]`, where the last
    /// r_ij is 1; `room` as [`room`] says.
    pub(super) fn weight_grad(
        &self,
        isa: Isa,
        first: usize,
        dz: Rows<f32>,
        sums: &mut [f32],
        write: Write,
        room: &mut [f32],
    ) {
        let tile = self.samples.tile(first);
        let lists = &tile.columns;
        let (rows, units) = (dz.rows(), dz.copies * dz.cols);
        let cols = self.offsets().len();
        assert_eq!(rows, tile.rows.order.len());
        assert_eq!(sums.len(), (cols + 1) * units);
        let (values, room) = room.split_at_mut(values_room(rows, cols));
        let values = values.as_chunks_mut().0;
        for chunk in chunks(isa, units) {
            let from = MatRef {
                ptr: dz.data.as_ptr(),
                row_stride: units,
                col_stride: 1,
            };
            assert!(room.len() >= table_room(rows, [chunk]));
            // SAFETY: dz has `rows` rows of `units`, and the room is large enough.
            unsafe { chunk.copy(isa, from, rows, room.as_mut_ptr()) };
            let table = Table {
                chunks: &[chunk],
                rows,
                numbers: room.as_ptr(),
            };
            let output = Output {
                numbers: sums[chunk.first..].as_mut_ptr(),
                stride: units,
            };
            let base = (write == Write::Add).then_some(Base {
                numbers: output.numbers.cast_const(),
                stride: units,
            });
            // SAFETY: the indices are the tile's rows, of which the table has one each; the sums have a row per column.
            unsafe { weighted_rows(isa, lists, table, base, output, values) };
        }
    }
}

/// sum_j w_j c_j in f64: products of f32 and f64 rounded once, eight partial sums.
fn dot(isa: Isa, w: &[f32], c: &[f64]) -> f64 {
    vectorize(
        isa,
        #[inline(always)]
        || {
            let mut sums = [0.0; 8];
            let (w8, w1) = w.as_chunks::<8>();
            let (c8, c1) = c.as_chunks::<8>();
            for (w, c) in w8.iter().zip(c8) {
                for l in 0..8 {
                    sums[l] += f64::from(w[l]) * c[l];
                }
            }
            let rest: f64 = w1.iter().zip(c1).map(|(&w, c)| f64::from(w) * c).sum();
            sums.iter().sum::<f64>() + rest
        },
    )
}
