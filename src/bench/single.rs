//! A program of one kernel, on operands of fixed random numbers.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use super::{BenchError, Ready};
use crate::backend::kernel::{Kernel, Target, Write};
use crate::backend::program::{Buffer, BufferId, Element, EntryId, Extent, Program, RowSpace, Segment, Storage};
use crate::backend::{Backend, Step};

/// A kernel's operands, one after the other.
pub(super) struct Operands {
    program: Program,
    reals: Vec<(BufferId, Vec<f64>)>,
    indices: Vec<(BufferId, Vec<u32>)>,
    rng: ChaCha8Rng,
    /// Whether numbers are drawn.
    filled: bool,
}

impl Operands {
    pub(super) fn new(replicas: usize, rows: usize) -> Operands {
        Operands {
            filled: true,
            ..Operands::sizes(replicas, rows)
        }
    }

    /// Operands without numbers, to ask for their [`Operands::bytes`].
    pub(super) fn sizes(replicas: usize, rows: usize) -> Operands {
        Operands {
            filled: false,
            program: Program {
                replicas,
                spaces: vec![rows],
                buffers: vec![],
                entries: vec![],
            },
            reals: vec![],
            indices: vec![],
            rng: ChaCha8Rng::seed_from_u64(1),
        }
    }

    fn buffer(&mut self, element: Element, replicated: bool, extent: Extent, cols: usize) -> BufferId {
        self.program.buffers.push(Buffer {
            name: format!("operand {}", self.program.buffers.len()),
            element,
            replicated,
            extent,
            cols,
            storage: Storage::Persistent,
            lasting: false,
        });
        BufferId(self.program.buffers.len() - 1)
    }

    fn normal(&mut self, id: BufferId) {
        if !self.filled {
            return;
        }
        let n = self.program.len(id, &self.program.spaces);
        let values = (0..n).map(|_| StandardNormal.sample(&mut self.rng)).collect();
        self.reals.push((id, values));
    }

    /// Standard normal rows, of each replica's own or shared.
    pub(super) fn rows(&mut self, cols: usize, replicated: bool) -> BufferId {
        let id = self.buffer(Element::Real, replicated, Extent::Rows(RowSpace(0)), cols);
        self.normal(id);
        id
    }

    /// Shared rows, standard normal, or with `zeros` lasting ones, [`rings`].
    pub(super) fn samples(&mut self, cols: usize, zeros: bool) -> BufferId {
        let id = self.rows(cols, false);
        if !zeros {
            return id;
        }
        self.program.buffers[id.0].lasting = true;
        if let Some((_, values)) = self.reals.last_mut() {
            rings(values, cols);
        }
        id
    }

    /// A standard normal parameter of each replica.
    pub(super) fn parameter(&mut self, rows: usize, cols: usize) -> BufferId {
        let id = self.buffer(Element::Real, true, Extent::Whole { rows }, cols);
        self.normal(id);
        id
    }

    /// Shared labels 0, 1, ..., classes - 1, 0, 1, ...
    pub(super) fn labels(&mut self, classes: u32) -> BufferId {
        let element = Element::Index { bound: classes };
        let id = self.buffer(element, false, Extent::Rows(RowSpace(0)), 1);
        let rows = self.program.spaces[0];
        self.indices.push((id, (0..rows).map(|i| i as u32 % classes).collect()));
        id
    }

    /// Counts and sums in f64, of each replica.
    pub(super) fn wide(&mut self, rows: usize, cols: usize) -> BufferId {
        self.buffer(Element::Wide, true, Extent::Whole { rows }, cols)
    }

    /// Bytes of all operands in f32, indices in u32, sums in f64: what a run must at least read or write.
    pub(super) fn bytes(&self) -> f64 {
        let bytes = |(n, buffer): (usize, &Buffer)| {
            let elements = self.program.len(BufferId(n), &self.program.spaces);
            elements as f64 * if buffer.element == Element::Wide { 8.0 } else { 4.0 }
        };
        self.program.buffers.iter().enumerate().map(bytes).sum()
    }

    /// The kernel, ready to run on a backend.
    pub(super) fn ready(self, backend: &dyn Backend, kernel: Kernel) -> Result<Ready<'static>, BenchError> {
        let mut program = self.program;
        let domain = kernel.domain(&program);
        program.entries = vec![vec![Segment {
            domain,
            kernels: vec![kernel],
        }]];
        let mut executable = backend.load(program)?;
        for (id, values) in &self.reals {
            executable.write(*id, values)?;
        }
        for (id, values) in &self.indices {
            executable.write_index(*id, values)?;
        }
        // So small that no parameter runs away, however often it is updated.
        let step = Step {
            learning_rate: 1e-9,
            number: 1,
        };
        Ok(Box::new(move || Ok(executable.run(EntryId(0), step)?)))
    }
}

/// Pictures of rings, in bytes: strokes as in MNIST, of 28 x 28 pixels one in five is not black, and neighbours and pictures are alike.
pub(super) fn rings(values: &mut [f64], cols: usize) {
    const HALF_A_STROKE: f64 = 1.8;
    let side = cols.isqrt();
    for (i, row) in values.chunks_exact_mut(cols).enumerate() {
        // Three sequences that fill (0, 1) evenly: powers of 1 / 1.2207, whose third and fourth add up to 1.
        let [radius, x, y] = [0.819_172_513_4, 0.671_043_606_7, 0.549_700_477_9].map(|step| (i as f64 * step).fract());
        let (radius, x, y) = (0.15 + 0.2 * radius, 0.4 + 0.2 * x, 0.4 + 0.2 * y);
        for (j, value) in row.iter_mut().enumerate() {
            let apart = |at: usize, centre: f64| at as f64 - centre * side as f64;
            let distance = apart(j % side, x).hypot(apart(j / side, y)) - radius * side as f64;
            *value = (255.0 * (HALF_A_STROKE - distance.abs()).clamp(0.0, 1.0)).ceil();
        }
    }
}

/// The buffer, overwritten.
pub(super) fn set(buffer: BufferId) -> Target {
    Target {
        buffer,
        write: Write::Set,
    }
}
