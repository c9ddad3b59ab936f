//! The loop around the kernels: tiles, lanes, threads, and the sums over rows.
//!
//! ```text
//!   rows      0 ........................................................ n
//!   tiles     |  256  |  256  |  256  |  256  |  256  |  256  |  256  |..|
//!   lanes     |   lane 0      |   lane 1      |   lane 2      | lane 3   |    fixed by n, one task each
//!   sums          s0      +       s1      ,       s2      +      s3
//!                         +-------------------------+                         fixed pairwise tree
//! ```

use std::ops::Range;
use std::sync::Arc;

use super::gemm::Workspace;
use super::isa::Isa;
use super::pool::Pool;
use super::slab::{Plain, Slab};
use super::tile::{Partials, Place, Reduction, Scratch, Tile};
use super::{dense, elementwise, loss, optimizer, probe, rows};
use crate::backend::kernel::{Divisor, Kernel, Write};
use crate::backend::program::{BufferId, Domain, Element, EntryId, Extent, Program, RowSpace, Segment, Storage};
use crate::backend::{BackendError, Executable, Step, check_access, check_indices, check_rows};

/// Rows of a tile: its part of a 784-wide data block (800 KB) stays in a second-level cache between forward and backward.
pub(super) const TILE_ROWS: usize = 256;

/// Lanes at most: enough for the threads of a desktop, few enough that their partial sums stay small.
const MAX_LANES: usize = 16;

/// Elements of a sum that one task adds up over the lanes: with [`MAX_LANES`] lanes 128 KB of f32, so that the tree's rounds
/// after the first find them in a second-level cache.
const PIECE: usize = 2048;

fn tiles(rows: usize) -> usize {
    rows.div_ceil(TILE_ROWS)
}

fn lanes(rows: usize) -> usize {
    tiles(rows).min(MAX_LANES)
}

/// A segment with its sums over rows.
struct Prepared {
    domain: Domain,
    kernels: Vec<Kernel>,
    reductions: Vec<Reduction>,
    /// Elements of one lane's partial sums.
    real_sums: usize,
    wide_sums: usize,
}

/// A program with its buffers.
pub(super) struct Machine {
    program: Program,
    isa: Isa,
    pool: Arc<Pool>,
    active: Vec<usize>,
    places: Vec<Place>,
    entries: Vec<Vec<Prepared>>,
    scratch: Vec<WorkerCell>,
    /// `[lanes, sums of the largest segment]`
    real_sums: Slab<f32>,
    wide_sums: Slab<f64>,
    /// `[lanes, reductions of the largest segment]`, as u32 flags.
    fresh: Slab<u32>,
}

/// One worker's scratch, reached only by that worker while a segment runs.
struct WorkerCell(std::cell::UnsafeCell<Scratch>);

// SAFETY: a region hands each worker number to one thread at a time, and a worker opens only its own cell.
unsafe impl Sync for WorkerCell {}

impl Machine {
    pub(super) fn new(program: Program, isa: Isa, pool: Arc<Pool>) -> Result<Machine, BackendError> {
        let active = program.spaces.clone();
        let (mut tile_reals, mut tile_indices) = (0, 0);
        let mut places = Vec::new();
        for id in (0..program.buffers.len()).map(BufferId) {
            let buffer = program.buffer(id);
            let length = program.len(id, &active);
            let tile = program.copies(id) * buffer.cols * TILE_ROWS.min(program.rows(id, &active));
            let offset = |total: &mut usize| {
                // Tiles of different buffers start on different cache lines.
                let start = total.next_multiple_of(16);
                *total = start + tile;
                start
            };
            places.push(match (buffer.storage, buffer.element) {
                (Storage::Persistent, Element::Real) => Place::Real(Slab::new(&buffer.name, length)?),
                (_, Element::Wide) => Place::Wide(Slab::new(&buffer.name, length)?),
                (Storage::Persistent, Element::Index { .. }) => Place::Index(Slab::new(&buffer.name, length)?),
                (Storage::Tile, Element::Real) => Place::RealTile(offset(&mut tile_reals)),
                (Storage::Tile, Element::Index { .. }) => Place::IndexTile(offset(&mut tile_indices)),
            });
        }
        let entries: Vec<Vec<Prepared>> = program
            .entries
            .iter()
            .map(|segments| segments.iter().map(|s| prepare(&program, s)).collect())
            .collect();
        let all = || entries.iter().flatten();
        let widest = |f: fn(&Prepared) -> usize| all().map(f).max().unwrap_or(0);
        let lanes = program.spaces.iter().map(|&rows| lanes(rows)).max().unwrap_or(1);
        let real_sums = Slab::new("sums of gradients", lanes * widest(|s| s.real_sums))?;
        let wide_sums = Slab::new("sums of probes", lanes * widest(|s| s.wide_sums))?;
        let fresh = Slab::new("flags of sums", lanes * widest(|s| s.reductions.len()))?;
        let widest_bias = all()
            .flat_map(|s| &s.kernels)
            .filter_map(|k| match k {
                Kernel::DenseWeightGrad { dbias: Some(dbias), .. } => Some(program.len(dbias.buffer, &active)),
                _ => None,
            })
            .max();
        let worker = |_| -> Result<WorkerCell, BackendError> {
            let mut workspace = Workspace::new();
            for kernel in all().flat_map(|s| &s.kernels) {
                reserve(&program, &mut workspace, kernel);
            }
            Ok(WorkerCell(std::cell::UnsafeCell::new(Scratch {
                reals: Slab::new("tiles of a thread", tile_reals)?,
                indices: Slab::new("tiles of a thread", tile_indices)?,
                column_sums: vec![0.0; widest_bias.unwrap_or(0)],
                workspace,
            })))
        };
        let scratch = (0..pool.threads()).map(worker).collect::<Result<_, _>>()?;
        Ok(Machine {
            program,
            isa,
            pool,
            active,
            places,
            entries,
            scratch,
            real_sums,
            wide_sums,
            fresh,
        })
    }

    fn run_rows(&self, segment: &Prepared, space: RowSpace, step: Step) {
        let rows = self.active[space.0];
        let (lanes, tiles) = (lanes(rows), tiles(rows));
        self.pool.run(lanes, &|worker, lane| {
            // SAFETY: worker numbers are exclusive within a region (see WorkerCell).
            let scratch = unsafe { &mut *self.scratch[worker].0.get() };
            let count = segment.reductions.len();
            // SAFETY: the parts of different lanes do not overlap, and one task has a lane.
            let (reals, wides, fresh) = unsafe {
                (
                    self.real_sums.part_mut(lane * segment.real_sums, segment.real_sums),
                    self.wide_sums.part_mut(lane * segment.wide_sums, segment.wide_sums),
                    self.fresh.part_mut(lane * count, count),
                )
            };
            fresh.fill(1);
            let mut partials = Partials {
                reductions: &segment.reductions,
                reals,
                wides,
                fresh,
            };
            for tile in lane * tiles / lanes..(lane + 1) * tiles / lanes {
                let range = tile * TILE_ROWS..((tile + 1) * TILE_ROWS).min(rows);
                for kernel in &segment.kernels {
                    self.execute(kernel, range.clone(), scratch, &mut partials, step);
                }
            }
        });
        self.combine(segment, lanes, rows);
    }

    /// Sums the lanes in a fixed tree and writes the result; long sums (gradients) in pieces, a task each.
    fn combine(&self, segment: &Prepared, lanes: usize, rows: usize) {
        for (number, reduction) in segment.reductions.iter().enumerate() {
            debug_assert!((0..lanes).all(|l| self.fresh.all()[l * segment.reductions.len() + number] == 0));
            let length = reduction.length;
            let piece = |start: usize| start..(start + PIECE).min(length);
            if reduction.wide {
                for start in (0..length).step_by(PIECE) {
                    self.combine_wide(segment, reduction, lanes, rows, piece(start));
                }
            } else {
                self.pool.run(length.div_ceil(PIECE), &|_, task| {
                    self.combine_real(segment, reduction, lanes, piece(task * PIECE));
                });
            }
        }
    }

    /// A piece of a gradient: the sum of all lanes goes to its buffer.
    fn combine_real(&self, segment: &Prepared, reduction: &Reduction, lanes: usize, piece: Range<usize>) {
        let Place::Real(slab) = &self.places[reduction.target.buffer.0] else {
            unreachable!("gradients are real")
        };
        // SAFETY: the lanes' tasks have ended; this task alone touches this piece of the sums and of the target.
        let (total, y) = unsafe {
            let start = reduction.offset + piece.start;
            let total = sum_lanes(&self.real_sums, lanes, segment.real_sums, start, piece.len());
            (total, slab.part_mut(piece.start, piece.len()))
        };
        match reduction.target.write {
            Write::Set => y.copy_from_slice(total),
            Write::Add => y.iter_mut().zip(total).for_each(|(y, s)| *y += *s),
        }
    }

    /// A piece of a loss or a probe: the sum of all lanes goes to its buffer, divided if it is a mean.
    fn combine_wide(&self, segment: &Prepared, reduction: &Reduction, lanes: usize, rows: usize, piece: Range<usize>) {
        let start = reduction.offset + piece.start;
        // SAFETY: as in `combine_real`.
        let total = unsafe { sum_lanes(&self.wide_sums, lanes, segment.wide_sums, start, piece.len()) };
        match &self.places[reduction.target.buffer.0] {
            Place::Wide(slab) => {
                // SAFETY: as in `combine_real`.
                unsafe { slab.part_mut(piece.start, piece.len()) }.copy_from_slice(total);
            }
            Place::Real(slab) => {
                // SAFETY: as in `combine_real`.
                let y = unsafe { slab.part_mut(piece.start, piece.len()) };
                for ((r, y), sum) in piece.zip(y).zip(total) {
                    let divisor = self.divisor(reduction.divisor, r, rows);
                    *y = if divisor == 0.0 { 0.0 } else { (*sum / divisor) as f32 };
                }
            }
            _ => unreachable!("sums over rows are real or wide and persistent"),
        }
    }

    /// By what a sum over rows is divided in replica `r`.
    fn divisor(&self, divisor: Divisor, r: usize, rows: usize) -> f64 {
        match divisor {
            Divisor::One => 1.0,
            Divisor::Rows => rows as f64,
            Divisor::Total(total) => {
                let Place::Real(slab) = &self.places[total.0] else {
                    unreachable!("sums of weights are real")
                };
                let copies = self.program.copies(total);
                f64::from(slab.all()[if copies == 1 { 0 } else { r }])
            }
        }
    }

    fn run_whole(&self, segment: &Prepared, step: Step) {
        // SAFETY: no region is running, so worker 0's scratch is free.
        let scratch = unsafe { &mut *self.scratch[0].0.get() };
        let mut none = Partials {
            reductions: &[],
            reals: &mut [],
            wides: &mut [],
            fresh: &mut [],
        };
        for kernel in &segment.kernels {
            self.execute(kernel, 0..0, scratch, &mut none, step);
        }
    }

    /// Runs one kernel on a tile (or, for a whole kernel, on everything).
    fn execute(&self, kernel: &Kernel, rows: Range<usize>, scratch: &mut Scratch, sums: &mut Partials, step: Step) {
        let Scratch {
            reals,
            indices,
            column_sums,
            workspace,
        } = scratch;
        let t = Tile {
            program: &self.program,
            places: &self.places,
            active: &self.active,
            rows,
            reals,
            indices,
        };
        let isa = self.isa;
        match kernel {
            Kernel::Fill { y, value } => t.write(*y).fill(*value as f32),
            Kernel::Add { a, b, factor, y } => elementwise::add(isa, t.real(*a), t.real(*b), *factor, t.write(*y)),
            Kernel::Accumulate { x, factor, y } => {
                elementwise::accumulate(isa, t.real(*x).data, *factor, t.write(y.buffer), y.write);
            }
            Kernel::Unary { function, x, y } => elementwise::unary(isa, *function, t.real(*x).data, t.write(*y)),
            Kernel::UnaryGrad { function, x, y, dy, dx } => {
                let (x, y, dy) = (t.real(*x).data, t.real(*y).data, t.real(*dy).data);
                elementwise::unary_grad(isa, *function, x, y, dy, t.write(dx.buffer), dx.write);
            }
            Kernel::Dense { x, weight, bias, y } => {
                let bias = bias.map(|b| t.real(b).data);
                dense::dense(isa, workspace, t.real(*x), t.real(*weight).data, bias, t.write(*y));
            }
            Kernel::DenseInputGrad { dy, weight, dx } => {
                let (dy, weight) = (t.real(*dy), t.real(*weight).data);
                dense::dense_input_grad(isa, workspace, dy, weight, t.write(dx.buffer), dx.write);
            }
            Kernel::DenseWeightGrad { dy, x, dweight, dbias } => {
                let (dy, x) = (t.real(*dy), t.real(*x));
                let write = |fresh| if fresh { Write::Set } else { Write::Add };
                if let Some(dweight) = dweight {
                    let (sum, fresh) = sums.real(dweight.buffer);
                    dense::dense_weight_grad(isa, workspace, dy, x, sum, write(fresh));
                }
                if let Some(dbias) = dbias {
                    let (sum, fresh) = sums.real(dbias.buffer);
                    dense::dense_bias_grad(isa, dy, sum, write(fresh), column_sums);
                }
            }
            Kernel::RowNormalize { x, y, norms } => {
                rows::row_normalize(isa, t.real(*x), t.write(*y), t.write(*norms));
            }
            Kernel::RowNormalizeGrad { y, norms, dy, dx } => {
                let (y, norms, dy) = (t.real(*y), t.real(*norms), t.real(*dy));
                rows::row_normalize_grad(y, norms, dy, t.write(dx.buffer), dx.write);
            }
            Kernel::SoftmaxCrossEntropy { x, labels, y } => {
                loss::softmax_cross_entropy(isa, t.real(*x), t.index(*labels), t.write(*y));
            }
            Kernel::SoftmaxCrossEntropyGrad { x, labels, dy, dx } => {
                let (x, labels, dy) = (t.real(*x), t.index(*labels), t.real(*dy));
                loss::softmax_cross_entropy_grad(isa, x, labels, dy, t.write(dx.buffer), dx.write);
            }
            Kernel::Margin { x, labels, y } => loss::margin(t.real(*x), t.index(*labels), t.write(*y)),
            Kernel::MarginGrad { x, labels, dy, dx } => {
                loss::margin_grad(t.real(*x), t.index(*labels), t.real(*dy), t.write(dx.buffer), dx.write);
            }
            Kernel::SquaredError { x, target, y } => loss::squared_error(t.real(*x), t.real(*target), t.write(*y)),
            Kernel::SquaredErrorGrad { x, target, dy, dx } => {
                let (x, target, dy) = (t.real(*x), t.real(*target), t.real(*dy));
                loss::squared_error_grad(x, target, dy, t.write(dx.buffer), dx.write);
            }
            Kernel::RowSum { x, weights, y, .. } => {
                rows::row_sum(t.real(*x), weights.map(|w| t.real(w)), sums.wide(*y));
            }
            Kernel::RowSumGrad {
                dy,
                weights,
                divisor,
                dx,
            } => {
                let (dy, active) = (t.real(*dy), t.active_rows(dx.buffer));
                let scale = |r: usize| {
                    let divisor = self.divisor(*divisor, r, active);
                    if divisor == 0.0 {
                        0.0
                    } else {
                        f64::from(dy.at(0, r)[0]) / divisor
                    }
                };
                let copies = self.program.copies(dx.buffer);
                rows::row_sum_grad(scale, weights.map(|w| t.real(w)), copies, t.write(dx.buffer), dx.write);
            }
            Kernel::SumSquares { x, y } => rows::sum_squares(t.real(*x).data, t.write(*y)),
            Kernel::SumSquaresGrad { x, dy, dx } => {
                rows::sum_squares_grad(t.real(*x).data, t.real(*dy).data, t.write(dx.buffer), dx.write);
            }
            Kernel::Gather { table, index, y } => match self.program.buffer(*y).element {
                Element::Index { .. } => rows::gather(t.index_table(*table), t.index(*index), t.write_index(*y)),
                _ => rows::gather(t.table(*table), t.index(*index), t.write(*y)),
            },
            Kernel::ClassMoments {
                x,
                labels,
                weights,
                moments,
            } => {
                let Extent::Whole { rows: classes } = self.program.buffer(*moments).extent else {
                    unreachable!("moments are a whole buffer")
                };
                let weights = weights.map(|w| t.real(w));
                probe::class_moments(isa, t.real(*x), t.index(*labels), weights, classes, sums.wide(*moments));
            }
            Kernel::ErrorCount {
                x,
                labels,
                weights,
                counts,
            } => {
                let weights = weights.map(|w| t.real(w));
                probe::error_count(t.real(*x), t.index(*labels), weights, sums.wide(*counts));
            }
            Kernel::ZeroRows { norms, count } => probe::zero_rows(t.real(*norms), sums.wide(*count)),
            Kernel::Update {
                rule,
                parameter,
                gradient,
                states,
            } => {
                let state = |k: usize| states.get(k).map_or(&mut [][..], |&id| t.write(id));
                let states = [state(0), state(1)];
                optimizer::update(isa, *rule, step, t.write(*parameter), t.real(*gradient).data, states);
            }
        }
    }
}

/// `sums` is `[lanes, stride]`; adds the lanes' elements `start..start + length` pairwise into lane 0 and returns them.
///
/// # Safety
/// Nobody else touches these elements of any lane while the slice lives.
unsafe fn sum_lanes<T: Plain + std::ops::AddAssign>(
    sums: &Slab<T>,
    lanes: usize,
    stride: usize,
    start: usize,
    length: usize,
) -> &[T] {
    let mut gap = 1;
    while gap < lanes {
        for lane in (0..lanes - gap).step_by(2 * gap) {
            // SAFETY: parts of two different lanes, by the caller's promise nobody else's.
            let (into, from) = unsafe {
                let into = sums.part_mut(lane * stride + start, length);
                (into, sums.part((lane + gap) * stride + start, length))
            };
            into.iter_mut().zip(from).for_each(|(a, b)| *a += *b);
        }
        gap *= 2;
    }
    // SAFETY: the caller's promise.
    unsafe { sums.part(start, length) }
}

/// Lists what a segment reduces over rows.
fn prepare(program: &Program, segment: &Segment) -> Prepared {
    let mut prepared = Prepared {
        domain: segment.domain,
        kernels: segment.kernels.clone(),
        reductions: Vec::new(),
        real_sums: 0,
        wide_sums: 0,
    };
    if segment.domain == Domain::Whole {
        return prepared;
    }
    for kernel in &segment.kernels {
        for target in kernel.operands().writes {
            let whole = matches!(program.buffer(target.buffer).extent, Extent::Whole { .. });
            if !whole || prepared.reductions.iter().any(|r| r.target.buffer == target.buffer) {
                continue;
            }
            let length = program.len(target.buffer, &program.spaces);
            let wide = !matches!(kernel, Kernel::DenseWeightGrad { .. });
            let total = if wide {
                &mut prepared.wide_sums
            } else {
                &mut prepared.real_sums
            };
            let divisor = match kernel {
                Kernel::RowSum { divisor, .. } => *divisor,
                _ => Divisor::One,
            };
            prepared.reductions.push(Reduction {
                target,
                offset: *total,
                length,
                wide,
                divisor,
            });
            *total += length;
        }
    }
    prepared
}

/// Makes room for packing the products of a kernel, so that a run allocates nothing.
fn reserve(program: &Program, workspace: &mut Workspace, kernel: &Kernel) {
    let units = |id: BufferId| program.copies(id) * program.buffer(id).cols;
    match kernel {
        Kernel::Dense { x, y, .. } => workspace.reserve(TILE_ROWS, program.buffer(*x).cols, units(*y)),
        Kernel::DenseInputGrad { dy, dx, .. } => {
            workspace.reserve(TILE_ROWS, program.buffer(*dy).cols, program.buffer(dx.buffer).cols);
        }
        Kernel::DenseWeightGrad { dy, x, .. } => workspace.reserve(units(*dy), TILE_ROWS, program.buffer(*x).cols),
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
                Domain::Rows(space) => self.run_rows(segment, space, step),
                Domain::Whole => self.run_whole(segment, step),
            }
        }
        Ok(())
    }
}

/// From the host's order `[copies, rows, cols]` to the layout of a row buffer, `[rows, copies, cols]`, and back.
struct Order {
    copies: usize,
    rows: usize,
    cols: usize,
}

impl Order {
    fn of(program: &Program, active: &[usize], id: BufferId) -> Order {
        let buffer = program.buffer(id);
        match buffer.extent {
            Extent::Rows(space) => Order {
                copies: program.copies(id),
                rows: active[space.0],
                cols: buffer.cols,
            },
            // A whole buffer has the host's own order: one copy of everything.
            Extent::Whole { .. } => Order {
                copies: 1,
                rows: 1,
                cols: program.len(id, active),
            },
        }
    }

    fn scatter<A: Copy, B>(&self, host: &[A], device: &mut [B], convert: impl Fn(A) -> B) {
        for (n, row) in host.chunks_exact(self.cols).enumerate() {
            let (copy, i) = (n / self.rows, n % self.rows);
            let place = &mut device[(i * self.copies + copy) * self.cols..][..self.cols];
            place.iter_mut().zip(row).for_each(|(d, &h)| *d = convert(h));
        }
    }

    fn collect<A, B: Copy>(&self, device: &[B], host: &mut [A], convert: impl Fn(B) -> A) {
        for (n, row) in host.chunks_exact_mut(self.cols).enumerate() {
            let (copy, i) = (n / self.rows, n % self.rows);
            let place = &device[(i * self.copies + copy) * self.cols..][..self.cols];
            row.iter_mut().zip(place).for_each(|(h, &d)| *h = convert(d));
        }
    }
}
