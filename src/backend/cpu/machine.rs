//! The loop around the kernels: tiles, lanes, threads, and the sums over rows.
//!
//! ```text
//!   rows      0 ........................................................ n
//!   tiles     |  256  |  256  |  256  |  256  |  256  |  256  |  256  |..|
//!   lanes     |   lane 0      |   lane 1      |   lane 2      | lane 3   |    fixed by n, one task each
//!   sums          s0      +       s1      ,       s2      +      s3
//!                         +-------------------------+                         fixed pairwise tree
//! ```

use std::sync::Arc;

use super::blocks::{self, BLOCK_ROWS};
use super::dense::ROWS_APART;
use super::gemm::Workspace;
use super::isa::Isa;
use super::loss::EXPONENTIALS;
use super::optimizer;
use super::order::Order;
use super::pool::Pool;
use super::slab::Slab;
use super::soft_nearest_neighbor;
use super::sparse::{self, Skipping};
use super::sums::prepare;
use super::tile::{Partials, Place, Reduction, Scratch, Spot, TileStorage};
use crate::backend::kernel::{Kernel, UpdateRule};
use crate::backend::program::{BufferId, Domain, Element, EntryId, Extent, Program, RowSpace, Storage};
use crate::backend::{BackendError, Executable, Step, check_access, check_indices, check_rows};

/// Rows of a tile: its part of a 784-wide data block (800 KB) stays in a second-level cache between forward and backward.
pub const TILE_ROWS: usize = 256;

/// Lanes at most: enough for the threads of a desktop, few enough that their partial sums stay small.
pub const MAX_LANES: usize = 16;

/// Elements of a parameter that one task updates: less is not worth a hand-over.
const UPDATE_PIECE: usize = 1 << 15;

fn tiles(rows: usize) -> usize {
    rows.div_ceil(TILE_ROWS)
}

fn lanes(rows: usize) -> usize {
    tiles(rows).min(MAX_LANES)
}

/// A segment with its sums over rows.
pub(super) struct Prepared {
    pub(super) domain: Domain,
    pub(super) kernels: Vec<Kernel>,
    /// Operations of each kernel on a row, roughly.
    pub(super) work: Vec<f64>,
    pub(super) reductions: Vec<Reduction>,
    /// Elements of one lane's partial sums.
    pub(super) real_sums: usize,
    pub(super) wide_sums: usize,
}

/// A program with its buffers.
pub(super) struct Machine {
    pub(super) program: Program,
    pub(super) isa: Isa,
    pub(super) pool: Arc<Pool>,
    pub(super) active: Vec<usize>,
    pub(super) places: Vec<Place>,
    entries: Vec<Vec<Prepared>>,
    scratch: Vec<WorkerCell>,
    /// By row space: whether its segments run on blocks of rows.
    pub(super) in_blocks: Vec<bool>,
    /// Tile storage of a block.
    pub(super) block: TileStorage,
    /// `[lanes, sums of the largest segment]`
    pub(super) real_sums: Slab<f32>,
    pub(super) wide_sums: Slab<f64>,
    /// `[lanes, reductions of the largest segment]`, as u32 flags.
    pub(super) fresh: Slab<u32>,
    /// By buffer: samples whose commonest numbers the dense layers skip.
    pub(super) skipping: Vec<Option<Skipping>>,
    /// By buffer: whether it may be such.
    may_skip: Vec<bool>,
}

/// One worker's scratch, reached only by that worker while a segment runs.
struct WorkerCell(std::cell::UnsafeCell<Scratch>);

// SAFETY: a region hands each worker number to one thread at a time, and a worker opens only its own cell.
unsafe impl Sync for WorkerCell {}

impl Machine {
    /// With `skip_zeros` false every dense layer reads every number.
    pub(super) fn new(program: Program, isa: Isa, pool: Arc<Pool>, skip_zeros: bool) -> Result<Machine, BackendError> {
        let active = program.spaces.clone();
        let in_blocks = blocks::in_blocks(&program);
        let rows_at_a_time = |space: RowSpace| if in_blocks[space.0] { BLOCK_ROWS } else { TILE_ROWS };
        // Of a tile, and of a block.
        let (mut reals, mut indices) = ([0; 2], [0; 2]);
        let mut places = Vec::new();
        for id in (0..program.buffers.len()).map(BufferId) {
            let buffer = program.buffer(id);
            let length = program.len(id, &active);
            let spot = |totals: &mut [usize; 2]| {
                let Extent::Rows(space) = buffer.extent else {
                    unreachable!("tile storage is for rows")
                };
                let in_block = in_blocks[space.0];
                let rows = rows_at_a_time(space).min(active[space.0]);
                let total = &mut totals[usize::from(in_block)];
                // Different buffers start on different cache lines.
                let offset = total.next_multiple_of(16);
                *total = offset + program.copies(id) * buffer.cols * rows;
                Spot { offset, in_block }
            };
            places.push(match (buffer.storage, buffer.element) {
                (Storage::Persistent, Element::Real) => Place::Real(Slab::new(&buffer.name, length)?),
                (_, Element::Wide) => Place::Wide(Slab::new(&buffer.name, length)?),
                (Storage::Persistent, Element::Index { .. }) => Place::Index(Slab::new(&buffer.name, length)?),
                (Storage::Tile, Element::Real) => Place::RealTile(spot(&mut reals)),
                (Storage::Tile, Element::Index { .. }) => Place::IndexTile(spot(&mut indices)),
            });
        }
        let may_skip: Vec<bool> = (0..program.buffers.len())
            .map(|id| skip_zeros && are_samples(&program, BufferId(id)))
            .collect();
        let entries: Vec<Vec<Prepared>> = program
            .entries
            .iter()
            .map(|segments| {
                segments
                    .iter()
                    .map(|s| prepare(&program, &may_skip, &in_blocks, s))
                    .collect()
            })
            .collect();
        let all = || entries.iter().flatten();
        let widest = |f: fn(&Prepared) -> usize| all().map(f).max().unwrap_or(0);
        let most_lanes = |(rows, in_blocks): (&usize, &bool)| if *in_blocks { MAX_LANES } else { lanes(*rows) };
        let lanes = program.spaces.iter().zip(&in_blocks).map(most_lanes).max().unwrap_or(1);
        let real_sums = Slab::new("sums of gradients", lanes * widest(|s| s.real_sums))?;
        let wide_sums = Slab::new("sums of probes", lanes * widest(|s| s.wide_sums))?;
        let fresh = Slab::new("flags of sums", lanes * widest(|s| s.reductions.len()))?;
        let numbers = all()
            .flat_map(|s| &s.kernels)
            .map(|kernel| match kernel {
                Kernel::DenseWeightGrad { dy, .. } => ROWS_APART * program.copies(*dy) * program.buffer(*dy).cols,
                Kernel::SoftmaxCrossEntropy { x, .. } | Kernel::SoftmaxCrossEntropyGrad { x, .. } => {
                    EXPONENTIALS.max(program.buffer(*x).cols)
                }
                _ => 0,
            })
            .max();
        let pairs = all()
            .flat_map(|s| &s.kernels)
            .map(|kernel| match kernel {
                Kernel::SoftNearestNeighbor { x, .. } | Kernel::SoftNearestNeighborGrad { x, .. } => {
                    soft_nearest_neighbor::room(program.buffer(*x).cols)
                }
                _ => 0,
            })
            .max();
        let samples = program.buffers.iter().zip(&may_skip).filter(|(_, may)| **may);
        let skipped = samples
            .map(|(buffer, _)| sparse::room(isa, TILE_ROWS, buffer.cols))
            .max();
        let storage = |which: usize| -> Result<TileStorage, BackendError> {
            Ok(TileStorage {
                reals: Slab::new("tiles", reals[which])?,
                indices: Slab::new("tiles", indices[which])?,
            })
        };
        let worker = |_| -> Result<WorkerCell, BackendError> {
            let mut workspace = Workspace::new();
            for kernel in all().flat_map(|s| &s.kernels) {
                reserve(&program, &mut workspace, kernel, BLOCK_ROWS);
            }
            Ok(WorkerCell(std::cell::UnsafeCell::new(Scratch {
                tile: storage(0)?,
                numbers: vec![0.0; numbers.unwrap_or(0)],
                workspace,
                skipped: Slab::new("skipped samples of a thread", skipped.unwrap_or(0))?,
                pairs: Slab::new("pairs of a thread", pairs.unwrap_or(0))?,
            })))
        };
        let scratch = (0..pool.threads()).map(worker).collect::<Result<_, _>>()?;
        let block = storage(1)?;
        Ok(Machine {
            skipping: may_skip.iter().map(|_| None).collect(),
            may_skip,
            program,
            isa,
            pool,
            active,
            places,
            entries,
            scratch,
            in_blocks,
            block,
            real_sums,
            wide_sums,
            fresh,
        })
    }

    /// Samples in the form in which dense layers skip zeros, if a layer reads them and it pays.
    fn compress(&self, samples: BufferId, values: &[f64]) -> Result<Option<Skipping>, BackendError> {
        let program = &self.program;
        let mut layers = Vec::new();
        for kernel in self.entries.iter().flatten().flat_map(|s| &s.kernels) {
            if let Kernel::Dense { x, weight, bias, y } = kernel
                && *x == samples
                && !layers.iter().any(|&(w, b, _)| (w, b) == (*weight, *bias))
            {
                layers.push((*weight, *bias, program.copies(*y) * program.buffer(*y).cols));
            }
        }
        let mut reductions = self.entries.iter().flatten().flat_map(|s| &s.reductions);
        if layers.is_empty() && !reductions.any(|r| r.samples == Some(samples)) {
            return Ok(None);
        }
        let cols = program.buffer(samples).cols;
        let rows = values.len() / cols;
        let in_blocks = matches!(program.buffer(samples).extent, Extent::Rows(space) if self.in_blocks[space.0]);
        let tile_rows = if in_blocks { blocks::lane_rows(rows) } else { TILE_ROWS };
        Skipping::new(self.isa, &self.pool, values, cols, tile_rows, layers)
    }

    /// A worker's own memory.
    ///
    /// # Safety
    /// Nobody else is that worker meanwhile: within a region a worker's number is one thread's, outside of one the caller's
    /// (see [`WorkerCell`]).
    #[expect(clippy::mut_from_ref, reason = "that is what the cell is for")]
    pub(super) unsafe fn scratch(&self, worker: usize) -> &mut Scratch {
        // SAFETY: the caller's promise.
        unsafe { &mut *self.scratch[worker].0.get() }
    }

    /// A lane's partial sums.
    ///
    /// # Safety
    /// Nobody else uses this lane's meanwhile.
    pub(super) unsafe fn partials<'a>(&'a self, segment: &'a Prepared, lane: usize) -> Partials<'a> {
        let count = segment.reductions.len();
        // SAFETY: the parts of different lanes do not overlap, and this one is the caller's.
        let (reals, wides, fresh) = unsafe {
            (
                self.real_sums.part_mut(lane * segment.real_sums, segment.real_sums),
                self.wide_sums.part_mut(lane * segment.wide_sums, segment.wide_sums),
                self.fresh.part_mut(lane * count, count),
            )
        };
        Partials {
            reductions: &segment.reductions,
            reals,
            wides,
            fresh,
        }
    }

    /// A row segment, tile by tile.
    fn run_tiles(&self, segment: &Prepared, space: RowSpace) {
        let rows = self.active[space.0];
        let (lanes, tiles) = (lanes(rows), tiles(rows));
        self.pool.run_in_shares(lanes, &|worker, lane| {
            // SAFETY: worker numbers are exclusive within a region, and one task has a lane.
            let (scratch, mut partials) = unsafe { (self.scratch(worker), self.partials(segment, lane)) };
            partials.fresh.fill(1);
            for tile in lane * tiles / lanes..(lane + 1) * tiles / lanes {
                let range = tile * TILE_ROWS..((tile + 1) * TILE_ROWS).min(rows);
                for kernel in &segment.kernels {
                    self.execute(kernel, range.clone(), scratch, &mut partials);
                }
            }
        });
        self.combine(segment, lanes, rows);
    }

    /// Brings the weights of layers that skip zeros into the order in which they are read.
    fn fold(&self, segment: &Prepared) {
        for kernel in &segment.kernels {
            if let Kernel::Dense { x, weight, bias, .. } = kernel
                && let Some(skipping) = &self.skipping[x.0]
                && let Some(layer) = skipping.layer(*weight, *bias)
            {
                let all = |id: BufferId| match &self.places[id.0] {
                    Place::Real(slab) => slab.all(),
                    _ => unreachable!("parameters are real and persistent"),
                };
                let (weight, bias) = (all(*weight), bias.map(all));
                self.pool.run(layer.chunks(), &|_, chunk| {
                    // SAFETY: no lane runs yet, and each chunk has one task.
                    unsafe { skipping.fold(self.isa, layer, chunk, weight, bias) };
                });
            }
        }
    }

    fn run_whole(&self, segment: &Prepared, step: Step) {
        // SAFETY: no region is running, so worker 0's scratch is free.
        let scratch = unsafe { self.scratch(0) };
        let mut none = Partials {
            reductions: &[],
            reals: &mut [],
            wides: &mut [],
            fresh: &mut [],
        };
        for kernel in &segment.kernels {
            match kernel {
                Kernel::Update {
                    rule,
                    parameter,
                    gradient,
                    states,
                } => self.update(*rule, *parameter, *gradient, states, step),
                _ => self.execute(kernel, 0..0, scratch, &mut none),
            }
        }
    }

    /// An optimiser step of one parameter, in pieces.
    fn update(&self, rule: UpdateRule, parameter: BufferId, gradient: BufferId, states: &[BufferId], step: Step) {
        let length = self.program.len(parameter, &self.active);
        self.pool.run_in_shares(length.div_ceil(UPDATE_PIECE), &|_, task| {
            let (start, end) = (task * UPDATE_PIECE, length.min((task + 1) * UPDATE_PIECE));
            let piece = |id: BufferId| match &self.places[id.0] {
                // SAFETY: this task alone uses this piece of the parameter and of its states, and nobody writes the gradient.
                Place::Real(slab) => unsafe { slab.part_mut(start, end - start) },
                _ => unreachable!("parameters, their gradients and states are real and persistent"),
            };
            let state = |k: usize| states.get(k).map_or(&mut [][..], |&id| piece(id));
            let states = [state(0), state(1)];
            optimizer::update(self.isa, rule, step, piece(parameter), piece(gradient), states);
        });
    }
}

/// Whether it is rows of real numbers, the same for all replicas, that last.
fn are_samples(program: &Program, id: BufferId) -> bool {
    let buffer = program.buffer(id);
    let rows = buffer.element == Element::Real && matches!(buffer.extent, Extent::Rows(_));
    buffer.lasting && rows && program.copies(id) == 1
}

/// Makes room for packing the products of a kernel, so that a run allocates nothing.
fn reserve(program: &Program, workspace: &mut Workspace, kernel: &Kernel, rows: usize) {
    let units = |id: BufferId| program.copies(id) * program.buffer(id).cols;
    match kernel {
        Kernel::Dense { x, y, .. } => workspace.reserve(rows, program.buffer(*x).cols, units(*y)),
        Kernel::DenseInputGrad { dy, dx, .. } => {
            workspace.reserve(rows, program.buffer(*dy).cols, program.buffer(dx.buffer).cols);
        }
        Kernel::DenseWeightGrad { dy, x, .. } => workspace.reserve(units(*dy), rows, program.buffer(*x).cols),
        _ => {}
    }
}

impl Executable for Machine {
    fn program(&self) -> &Program {
        &self.program
    }

    fn set_rows(&mut self, space: RowSpace, rows: usize) -> Result<(), BackendError> {
        check_rows(&self.program, space, rows)?;
        self.active[space.0] = rows;
        for (id, skipping) in self.skipping.iter_mut().enumerate() {
            if self.program.buffers[id].extent == Extent::Rows(space) {
                *skipping = None;
            }
        }
        Ok(())
    }

    fn rows(&self, space: RowSpace) -> usize {
        self.active[space.0]
    }

    fn write(&mut self, buffer: BufferId, values: &[f64]) -> Result<(), BackendError> {
        check_access(&self.program, &self.active, buffer, values.len(), false)?;
        let order = Order::of(&self.program, &self.active, buffer);
        match &mut self.places[buffer.0] {
            Place::Real(slab) => order.scatter(values, slab.all_mut(), |v| v as f32),
            Place::Wide(slab) => order.scatter(values, slab.all_mut(), |v| v),
            _ => unreachable!("checked above"),
        }
        if self.may_skip[buffer.0] {
            self.skipping[buffer.0] = self.compress(buffer, values)?;
        }
        Ok(())
    }

    fn write_index(&mut self, buffer: BufferId, values: &[u32]) -> Result<(), BackendError> {
        check_access(&self.program, &self.active, buffer, values.len(), true)?;
        check_indices(&self.program, buffer, values)?;
        let order = Order::of(&self.program, &self.active, buffer);
        if let Place::Index(slab) = &mut self.places[buffer.0] {
            order.scatter(values, slab.all_mut(), |v| v);
        }
        Ok(())
    }

    fn read(&self, buffer: BufferId, values: &mut [f64]) -> Result<(), BackendError> {
        check_access(&self.program, &self.active, buffer, values.len(), false)?;
        let order = Order::of(&self.program, &self.active, buffer);
        match &self.places[buffer.0] {
            Place::Real(slab) => order.collect(slab.all(), values, f64::from),
            Place::Wide(slab) => order.collect(slab.all(), values, |v| v),
            _ => unreachable!("checked above"),
        }
        Ok(())
    }

    fn read_index(&self, buffer: BufferId, values: &mut [u32]) -> Result<(), BackendError> {
        check_access(&self.program, &self.active, buffer, values.len(), true)?;
        let order = Order::of(&self.program, &self.active, buffer);
        if let Place::Index(slab) = &self.places[buffer.0] {
            order.collect(slab.all(), values, |v| v);
        }
        Ok(())
    }

    fn run(&mut self, entry: EntryId, step: Step) -> Result<(), BackendError> {
        let Some(segments) = self.entries.get(entry.0) else {
            return Err(BackendError::UnknownEntry { id: entry.0 });
        };
        for segment in segments {
            match segment.domain {
                Domain::Rows(space) => {
                    self.fold(segment);
                    if self.in_blocks[space.0] {
                        self.run_blocks(segment, space);
                    } else {
                        self.run_tiles(segment, space);
                    }
                }
                Domain::Whole => self.run_whole(segment, step),
            }
        }
        Ok(())
    }
}
