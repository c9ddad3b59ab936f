//! A program of one kernel (or of a forward and its backward kernel) on random operands, run on both backends.
//!
//! Everything comes from the seed: the shape, which operands the replicas share, whether a target is overwritten or added
//! to, whether row buffers live in tile storage, whether fewer rows are active than there is room for. Memory that the
//! kernel must not read is NaN: rows past the active ones, and targets that are to be overwritten.

mod tables;
mod trees;

use std::collections::HashMap;

use crate::backend::kernel::{Divisor, Kernel, Target, Write};
use crate::backend::program::Storage;
use crate::backend::program::{Buffer, BufferId, Domain, Element, EntryId, Extent, Program, RowSpace};
use crate::backend::{Backend, BackendError, Executable, Reference, Step};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use super::inputs::Inputs;
use super::kernels::{absolute_factor, copy};
use super::report::View;

/// Unit roundoff of f32.
pub(super) const U: f64 = 1.0 / (1u64 << 24) as f64;
/// The smallest f32 above 0: a rounding of a subnormal result errs by at most half of it.
pub(super) const ETA: f64 = 1.401_298_464_324_817e-45;

const SPACE: RowSpace = RowSpace(0);

/// See the [module](self).
#[derive(Clone)]
pub(super) struct Case {
    pub(super) seed: u64,
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) replicas: usize,
    pub(super) inputs: Inputs,
    pub(super) step: Step,
    /// Whether the program has a wide layer.
    wide: bool,
    rng: ChaCha8Rng,
    program: Program,
    before: Vec<Kernel>,
    kernels: Vec<Kernel>,
    after: Vec<Kernel>,
    reals: Vec<(BufferId, Vec<f64>)>,
    indices: Vec<(BufferId, Vec<u32>)>,
    /// The persistent twin of a buffer in tile storage.
    hosts: HashMap<BufferId, BufferId>,
    derivative: Option<Derivative>,
}

/// The claim that `gradient` is the gradient of sum dy y by `by`, where `forward` makes y.
#[derive(Clone)]
pub(super) struct Derivative {
    pub(super) forward: Kernel,
    pub(super) y: BufferId,
    pub(super) by: BufferId,
    pub(super) dy: BufferId,
    pub(super) gradient: Target,
}

impl Case {
    /// The case of a seed: rows 1..=600, columns 1..=70 and 1..=5 replicas, every tenth with up to 9,000 rows of few columns
    /// and, for products, another tenth with up to 600 columns.
    pub(super) fn new(seed: u64) -> Case {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut between = |low: usize, high: usize| low + (rng.next_u64() % (high - low + 1) as u64) as usize;
        let edges = [1, 2, 255, 256, 257, 511, 512, 513, 600];
        let long = seed % 10 == 9;
        let rows = match between(0, 3) {
            _ if long => between(4000, 9000),
            0 => edges[between(0, edges.len() - 1)],
            _ => between(1, 600),
        };
        let cols = if long { between(1, 5) } else { between(1, 70) };
        let replicas = between(1, if long { 2 } else { 5 });
        let spare = between(0, 1) * between(1, 300);
        Case::of(seed, rng, [rows, rows + spare, cols, replicas])
    }

    /// As [`Case::new`], always of standard normal numbers and at most 600 rows.
    pub(super) fn smooth(seed: u64) -> Case {
        // Every eighth seed has normal numbers; long cases have odd ones.
        Case {
            seed,
            ..Case::new(8 * seed)
        }
    }

    /// A case of a shape of one's choice, for operands of one's own.
    pub(super) fn shaped(rows: usize, cols: usize, replicas: usize) -> Case {
        Case::of(0, ChaCha8Rng::seed_from_u64(0), [rows, rows, cols, replicas])
    }

    fn of(seed: u64, rng: ChaCha8Rng, [rows, capacity, cols, replicas]: [usize; 4]) -> Case {
        Case {
            seed,
            rows,
            cols,
            replicas,
            inputs: Inputs::ALL[seed as usize % Inputs::ALL.len()],
            step: Step {
                learning_rate: 0.125,
                number: 1 + seed % 5,
            },
            wide: seed % 3 == 1,
            rng,
            program: Program {
                replicas,
                spaces: vec![capacity],
                buffers: vec![],
                entries: vec![],
            },
            before: vec![],
            kernels: vec![],
            after: vec![],
            reals: vec![],
            indices: vec![],
            hosts: HashMap::new(),
            derivative: None,
        }
    }

    /// Low..=high
    pub(super) fn between(&mut self, low: usize, high: usize) -> usize {
        low + (self.rng.next_u64() % (high - low + 1) as u64) as usize
    }

    /// Columns that a product sums over: the case's, or in one of ten more than a block of sums has.
    pub(super) fn summed(&mut self) -> usize {
        if self.seed % 10 == 4 {
            self.between(300, 600)
        } else {
            self.cols
        }
    }

    pub(super) fn flag(&mut self) -> bool {
        self.between(0, 1) == 1
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.between(0, from.len() - 1)]
    }

    fn buffer(
        &mut self,
        element: Element,
        replicated: bool,
        extent: Extent,
        cols: usize,
        storage: Storage,
    ) -> BufferId {
        self.program.buffers.push(Buffer {
            name: format!("buffer {}", self.program.buffers.len()),
            element,
            replicated,
            extent,
            cols,
            storage,
            lasting: false,
        });
        BufferId(self.program.buffers.len() - 1)
    }

    fn elements(&self, id: BufferId) -> usize {
        let mut active = self.program.spaces.clone();
        active[SPACE.0] = self.rows;
        self.program.len(id, &active)
    }

    /// Numbers of the case's kind of inputs.
    pub(super) fn numbers(&mut self, n: usize) -> Vec<f64> {
        self.inputs.draw(&mut self.rng, n, n)
    }

    /// Shared real rows `[rows, cols]` that are written once for many runs.
    pub(super) fn samples(&mut self, cols: usize, values: impl FnOnce(&mut ChaCha8Rng, usize) -> Vec<f64>) -> BufferId {
        let id = self.given_rows(cols, false, values);
        self.program.buffers[id.0].lasting = true;
        id
    }

    /// Real rows in persistent storage, as what is read at any row must be.
    pub(super) fn given_rows(
        &mut self,
        cols: usize,
        replicated: bool,
        values: impl FnOnce(&mut ChaCha8Rng, usize) -> Vec<f64>,
    ) -> BufferId {
        let host = self.buffer(
            Element::Real,
            replicated,
            Extent::Rows(SPACE),
            cols,
            Storage::Persistent,
        );
        let n = self.elements(host);
        let values = values(&mut self.rng, n);
        self.reals.push((host, values));
        host
    }

    /// Real rows `[rows, cols]` that the kernel reads, in persistent or in tile storage.
    pub(super) fn rows_of(
        &mut self,
        cols: usize,
        replicated: bool,
        values: impl FnOnce(&mut ChaCha8Rng, usize) -> Vec<f64>,
    ) -> BufferId {
        let host = self.given_rows(cols, replicated, values);
        if !self.flag() {
            return host;
        }
        let tile = self.buffer(Element::Real, replicated, Extent::Rows(SPACE), cols, Storage::Tile);
        self.before.push(copy(host, tile));
        self.hosts.insert(tile, host);
        tile
    }

    /// Rows of the case's kind of inputs.
    pub(super) fn x(&mut self, cols: usize, replicated: bool) -> BufferId {
        let inputs = self.inputs;
        self.rows_of(cols, replicated, |rng, n| inputs.draw(rng, n, cols))
    }

    /// One number per row, every third 0.
    pub(super) fn weights(&mut self, replicated: bool) -> BufferId {
        let integers = self.inputs == Inputs::Integers;
        self.rows_of(1, replicated, |rng, n| {
            let weight = |i: usize, z: f64| match i % 3 {
                1 => 0.0,
                _ if integers => (1 + i % 2) as f64,
                _ => f64::from((0.01 + z.abs()) as f32),
            };
            (0..n).map(|i| weight(i, StandardNormal.sample(rng))).collect()
        })
    }

    /// A whole real buffer that the kernel reads.
    pub(super) fn whole(
        &mut self,
        rows: usize,
        cols: usize,
        replicated: bool,
        values: impl FnOnce(&mut ChaCha8Rng, usize) -> Vec<f64>,
    ) -> BufferId {
        let id = self.buffer(
            Element::Real,
            replicated,
            Extent::Whole { rows },
            cols,
            Storage::Persistent,
        );
        let n = self.elements(id);
        let values = values(&mut self.rng, n);
        self.reals.push((id, values));
        id
    }

    /// A parameter of the case's kind of inputs.
    pub(super) fn parameter(&mut self, rows: usize, cols: usize) -> BufferId {
        let inputs = self.inputs;
        self.whole(rows, cols, true, |rng, n| inputs.draw(rng, n, cols))
    }

    /// Indices below `bound`, one per row.
    pub(super) fn index(&mut self, bound: usize, replicated: bool) -> BufferId {
        let element = Element::Index { bound: bound as u32 };
        let id = self.buffer(element, replicated, Extent::Rows(SPACE), 1, Storage::Persistent);
        let values = (0..self.elements(id))
            .map(|_| self.rng.next_u32() % bound as u32)
            .collect();
        self.indices.push((id, values));
        id
    }

    /// A shared table in a row space of its own, real or of indices below `bound`.
    pub(super) fn table(&mut self, rows: usize, cols: usize, bound: Option<u32>) -> BufferId {
        self.program.spaces.push(rows);
        let extent = Extent::Rows(RowSpace(self.program.spaces.len() - 1));
        let element = bound.map_or(Element::Real, |bound| Element::Index { bound });
        let id = self.buffer(element, false, extent, cols, Storage::Persistent);
        match bound {
            None => {
                let values = self.inputs.draw(&mut self.rng, rows * cols, cols);
                self.reals.push((id, values));
            }
            Some(bound) => {
                let values = (0..rows * cols).map(|_| self.rng.next_u32() % bound).collect();
                self.indices.push((id, values));
            }
        }
        id
    }

    /// Indices that the kernel writes.
    pub(super) fn index_result(&mut self, bound: u32, replicated: bool) -> BufferId {
        self.buffer(
            Element::Index { bound },
            replicated,
            Extent::Rows(SPACE),
            1,
            Storage::Persistent,
        )
    }

    /// Real rows that the kernel overwrites.
    pub(super) fn result(&mut self, cols: usize, replicated: bool) -> BufferId {
        self.result_of(Extent::Rows(SPACE), cols, replicated, Write::Set).buffer
    }

    /// Real rows that the kernel overwrites or adds to.
    pub(super) fn target(&mut self, cols: usize) -> Target {
        let write = self.pick(&[Write::Set, Write::Add]);
        self.result_of(Extent::Rows(SPACE), cols, true, write)
    }

    /// A whole buffer that the kernel overwrites or adds to.
    pub(super) fn whole_target(&mut self, rows: usize, cols: usize) -> Target {
        let write = self.pick(&[Write::Set, Write::Add]);
        self.result_of(Extent::Whole { rows }, cols, true, write)
    }

    /// One number per replica that the kernel overwrites.
    pub(super) fn scalar(&mut self, replicated: bool) -> BufferId {
        self.result_of(Extent::Whole { rows: 1 }, 1, replicated, Write::Set)
            .buffer
    }

    fn result_of(&mut self, extent: Extent, cols: usize, replicated: bool, write: Write) -> Target {
        let host = self.buffer(Element::Real, replicated, extent, cols, Storage::Persistent);
        let n = self.elements(host);
        let values = match write {
            Write::Set => vec![f64::NAN; n],
            Write::Add => self.inputs.draw(&mut self.rng, n, cols),
        };
        self.reals.push((host, values));
        if matches!(extent, Extent::Whole { .. }) || !self.flag() {
            return Target { buffer: host, write };
        }
        let tile = self.buffer(Element::Real, replicated, extent, cols, Storage::Tile);
        self.before.push(copy(host, tile));
        self.after.push(copy(tile, host));
        self.hosts.insert(tile, host);
        Target { buffer: tile, write }
    }

    /// Counts and class sums.
    pub(super) fn wide(&mut self, rows: usize, cols: usize, replicated: bool) -> BufferId {
        self.buffer(
            Element::Wide,
            replicated,
            Extent::Whole { rows },
            cols,
            Storage::Persistent,
        )
    }

    pub(super) fn push(&mut self, kernel: Kernel) {
        self.kernels.push(kernel);
    }

    /// Says what the kernels pushed so far compute a gradient of.
    pub(super) fn derivative(&mut self, forward: Kernel, y: BufferId, by: BufferId, dy: BufferId, gradient: Target) {
        self.derivative = Some(Derivative {
            forward,
            y,
            by,
            dy,
            gradient,
        });
    }

    /// See [`Case::derivative`].
    pub(super) fn claim(&self) -> Option<&Derivative> {
        self.derivative.as_ref()
    }

    /// Real rows in persistent storage that only the forward kernel of a derivative touches.
    pub(super) fn spare(&mut self, cols: usize) -> BufferId {
        let inputs = self.inputs;
        self.given_rows(cols, true, |rng, n| inputs.draw(rng, n, cols))
    }

    /// Overwrites an operand's numbers, element by element.
    pub(super) fn map(&mut self, id: BufferId, f: impl Fn(usize, f64) -> f64) {
        let host = self.host(id);
        for (_, values) in self.reals.iter_mut().filter(|(own, _)| *own == host) {
            values.iter_mut().enumerate().for_each(|(n, v)| *v = f(n, *v));
        }
    }

    /// Overwrites an index operand.
    pub(super) fn set_index(&mut self, id: BufferId, indices: Vec<u32>) {
        for (_, values) in self.indices.iter_mut().filter(|(own, _)| *own == id) {
            values.clone_from(&indices);
        }
    }

    fn host(&self, id: BufferId) -> BufferId {
        self.hosts.get(&id).copied().unwrap_or(id)
    }

    /// What was written into an operand.
    pub(super) fn given(&self, id: BufferId) -> View {
        let host = self.host(id);
        let values = self.reals.iter().find(|(own, _)| *own == host);
        self.view(host, values.map(|(_, v)| v.clone()).unwrap_or_default())
    }

    /// What was written into an index operand.
    pub(super) fn given_index(&self, id: BufferId) -> View {
        let values = self.indices.iter().find(|(own, _)| *own == id);
        self.view(
            id,
            values
                .map(|(_, v)| v.iter().map(|&v| f64::from(v)).collect())
                .unwrap_or_default(),
        )
    }

    fn view(&self, id: BufferId, values: Vec<f64>) -> View {
        let mut active = self.program.spaces.clone();
        active[SPACE.0] = self.rows;
        View {
            values,
            copies: self.program.copies(id),
            rows: self.program.rows(id, &active),
            cols: self.program.buffer(id).cols,
        }
    }

    /// The kernels under test.
    pub(super) fn kernels(&self) -> &[Kernel] {
        &self.kernels
    }

    /// Runs on a backend. With `absolute`, on the absolute values of all operands and factors, with the learning rate
    /// negated: what a product or sum then gives is the sum of the absolute values of its terms.
    fn run(&self, backend: &dyn Backend, absolute: bool) -> Result<Vec<View>, BackendError> {
        let (mut executable, step) = self.load(backend, absolute)?;
        executable.run(EntryId(0), step)?;
        let buffers = (0..self.program.buffers.len()).map(BufferId);
        buffers.map(|id| self.read(&*executable, id)).collect()
    }

    /// The program with its operands, and its step.
    ///
    /// # Errors
    /// What the backend refuses.
    fn load(&self, backend: &dyn Backend, absolute: bool) -> Result<(Box<dyn Executable>, Step), BackendError> {
        let mut program = self.program.clone();
        let kernels = self.before.iter().chain(&self.kernels).chain(&self.after);
        let kernels: Vec<Kernel> = kernels
            .map(|k| if absolute { absolute_factor(k) } else { k.clone() })
            .collect();
        let domain = kernels.iter().map(|k| k.domain(&program)).find(|d| *d != Domain::Whole);
        let domain = domain.unwrap_or(Domain::Whole);
        program.entries = vec![tables::segments(domain, kernels)];
        if self.wide {
            program.entries.push(vec![trees::wide_layer(&mut program.buffers)]);
        }
        let mut executable = backend.load(program)?;
        for (id, _) in &self.reals {
            let poison = vec![f64::NAN; self.program.len(*id, &self.program.spaces)];
            executable.write(*id, &poison)?;
        }
        executable.set_rows(SPACE, self.rows)?;
        for (id, values) in &self.reals {
            let values: Vec<f64> = values.iter().map(|v| if absolute { v.abs() } else { *v }).collect();
            executable.write(*id, &values)?;
        }
        for (id, values) in &self.indices {
            executable.write_index(*id, values)?;
        }
        let mut step = self.step;
        if absolute {
            step.learning_rate = -step.learning_rate;
        }
        Ok((executable, step))
    }

    /// What a buffer, or its persistent twin, holds.
    fn read(&self, from: &dyn Executable, id: BufferId) -> Result<View, BackendError> {
        let host = self.host(id);
        let n = self.elements(host);
        let values = if matches!(self.program.buffer(host).element, Element::Index { .. }) {
            let mut values = vec![0; n];
            from.read_index(host, &mut values)?;
            values.into_iter().map(f64::from).collect()
        } else {
            let mut values = vec![0.0; n];
            from.read(host, &mut values)?;
            values
        };
        Ok(self.view(host, values))
    }

    /// Runs on a backend, on the reference, and on the reference with absolute values.
    ///
    /// # Errors
    /// What a backend refuses.
    pub(super) fn results(&self, backend: &dyn Backend) -> Result<Results, BackendError> {
        Ok(Results {
            got: self.run(backend, false)?,
            exact: self.run(&Reference, false)?,
            magnitude: self.run(&Reference, true)?,
        })
    }

    /// A run that can be repeated, and timed.
    ///
    /// # Errors
    /// What the backend refuses.
    pub(super) fn ready(
        &self,
        backend: &dyn Backend,
    ) -> Result<impl FnMut() -> Result<(), BackendError> + use<>, BackendError> {
        let (mut executable, step) = self.load(backend, false)?;
        Ok(move || executable.run(EntryId(0), step))
    }

    /// The case with other kernels under test.
    pub(super) fn only(&self, kernel: &Kernel) -> Case {
        Case {
            kernels: vec![kernel.clone()],
            ..self.clone()
        }
    }

    /// Buffers after a run on the reference.
    ///
    /// # Errors
    /// What it refuses.
    pub(super) fn exactly(&self) -> Result<Vec<View>, BackendError> {
        self.run(&Reference, false)
    }
}

/// What every buffer of a case held after the run.
pub(super) struct Results {
    got: Vec<View>,
    exact: Vec<View>,
    magnitude: Vec<View>,
}

impl Results {
    /// Whether the backend left the same bits.
    #[cfg(test)]
    pub(super) fn same_bits(&self, other: &Results) -> bool {
        let bits = |views: &[View]| -> Vec<u64> {
            let values = views.iter().flat_map(|view| &view.values);
            values.map(|value| value.to_bits()).collect()
        };
        bits(&self.got) == bits(&other.got)
    }

    /// What the backend computed.
    pub(super) fn got(&self, id: BufferId) -> &View {
        &self.got[id.0]
    }

    /// What the reference computed.
    pub(super) fn exact(&self, id: BufferId) -> &View {
        &self.exact[id.0]
    }

    /// What the reference computed from absolute values.
    pub(super) fn magnitude(&self, id: BufferId) -> &View {
        &self.magnitude[id.0]
    }
}

/// One of the three divisors of a sum over rows, with the buffer of the total.
pub(super) fn divisor(case: &mut Case, replicated: bool) -> Divisor {
    match case.between(0, 2) {
        0 => Divisor::One,
        1 => Divisor::Rows,
        _ => {
            let total = if case.inputs == Inputs::Integers { 4.0 } else { 37.3f32 };
            Divisor::Total(case.whole(1, 1, replicated, |_, n| vec![f64::from(total); n]))
        }
    }
}
