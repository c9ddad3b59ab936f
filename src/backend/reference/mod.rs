//! The reference: every kernel in f64 with plain loops, one kernel after the other over all rows. It is the definition of
//! each op, so it is written to be read and checked by eye, not to be fast, and it shares no code with another backend.

mod dense;
mod loss;
mod optimizer;
mod pairwise;
mod probe;
mod rows;
mod soft_nearest_neighbor;
mod unary;

use std::collections::TryReserveError;

use super::kernel::{Kernel, Target, Write};
use super::program::{BufferId, Element, EntryId, Program, RowSpace};
use super::{Backend, BackendError, Executable, Pairwise, Step, check_access, check_indices, check_rows, check_sizes};

/// The f64 backend that defines what the others must compute.
///
/// ```
/// use disentangle::autograd::{Entry, Graph, Plan};
/// use disentangle::backend::{Cpu, EntryId, Reference};
///
/// // A third of 1 is that of f64, and elsewhere that of f32.
/// let mut graph = Graph::new(1)?;
/// let w = graph.parameter("w", 1, 1)?;
/// let y = graph.scale(w, 1.0 / 3.0)?;
/// let plan = Plan::new(&graph, &[Entry { outputs: vec![y], training: None }])?;
/// for (mut session, third) in [
///     (plan.clone().start(&Reference)?, 1.0 / 3.0),
///     (plan.start(&Cpu::new(1)?)?, f64::from(1.0f32 / 3.0)),
/// ] {
///     session.write(w, &[1.0])?;
///     session.evaluate(EntryId(0))?;
///     assert_eq!(session.read(y)?, [third]);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference;

impl Backend for Reference {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn load(&self, program: Program) -> Result<Box<dyn Executable>, BackendError> {
        check_sizes(&program)?;
        let active = program.spaces.clone();
        let mut reals = Vec::new();
        let mut indices = Vec::new();
        for id in (0..program.buffers.len()).map(BufferId) {
            let length = program.len(id, &active);
            let is_index = matches!(program.buffer(id).element, Element::Index { .. });
            let hold = |_| BackendError::TooLarge {
                buffer: program.buffer(id).name.clone(),
                rows: program.rows(id, &active),
                cols: program.buffer(id).cols,
                copies: program.copies(id),
            };
            reals.push(zeros(if is_index { 0 } else { length }).map_err(hold)?);
            indices.push(zeros(if is_index { length } else { 0 }).map_err(hold)?);
        }
        Ok(Box::new(Machine {
            program,
            active,
            reals,
            indices,
            step: Step {
                learning_rate: 0.0,
                number: 1,
            },
        }))
    }

    fn pairs(&self) -> &dyn Pairwise {
        self
    }
}

/// `length` zeros, or an error where the memory for them is not to be had.
fn zeros<T: Clone + Default>(length: usize) -> Result<Vec<T>, TryReserveError> {
    let mut values = Vec::new();
    values.try_reserve_exact(length)?;
    values.resize(length, T::default());
    Ok(values)
}

/// A program with its buffers, each `[copies, rows, cols]` and packed for the rows now active.
struct Machine {
    program: Program,
    active: Vec<usize>,
    reals: Vec<Vec<f64>>,
    indices: Vec<Vec<u32>>,
    step: Step,
}

/// A buffer seen as `[replicas, rows, cols]`; a shared one answers the same for every replica.
#[derive(Clone, Copy)]
struct View<'a, T> {
    data: &'a [T],
    shared: bool,
    rows: usize,
    cols: usize,
}

impl<'a, T> View<'a, T> {
    /// Row `i` of replica `r`.
    fn row(&self, r: usize, i: usize) -> &'a [T] {
        let copy = if self.shared { 0 } else { r };
        let start = (copy * self.rows + i) * self.cols;
        &self.data[start..start + self.cols]
    }
}

impl Machine {
    fn view<'a, T>(&self, id: BufferId, data: &'a [T]) -> View<'a, T> {
        let buffer = self.program.buffer(id);
        let rows = self.program.rows(id, &self.active);
        View {
            data,
            shared: !buffer.replicated,
            rows,
            cols: buffer.cols,
        }
    }

    fn real(&self, id: BufferId) -> View<'_, f64> {
        self.view(id, &self.reals[id.0])
    }

    fn index(&self, id: BufferId) -> View<'_, u32> {
        self.view(id, &self.indices[id.0])
    }

    /// Rows over which a row buffer is looped.
    fn rows_of(&self, id: BufferId) -> usize {
        self.program.rows(id, &self.active)
    }

    /// Copies of a buffer: the replicas a kernel that writes it loops over.
    fn copies(&self, id: BufferId) -> usize {
        self.program.copies(id)
    }

    /// Computes a buffer from the others: `f` gets the machine and the buffer's values, `[copies, rows, cols]`.
    fn fill(&mut self, id: BufferId, f: impl FnOnce(&Machine, &mut [f64])) {
        let length = self.program.len(id, &self.active);
        let mut values = std::mem::take(&mut self.reals[id.0]);
        f(self, &mut values[..length]);
        self.reals[id.0] = values;
    }

    /// As [`Machine::fill`] for a target: `f` computes the values, which then replace or add to what is there.
    fn fill_target(&mut self, target: Target, f: impl FnOnce(&Machine, &mut [f64])) {
        self.fill(target.buffer, |machine, values| {
            let mut fresh = vec![0.0; values.len()];
            f(machine, &mut fresh);
            for (value, new) in values.iter_mut().zip(fresh) {
                match target.write {
                    Write::Set => *value = new,
                    Write::Add => *value += new,
                }
            }
        });
    }

    fn execute(&mut self, kernel: &Kernel) {
        match kernel {
            Kernel::Fill { y, value } => self.fill(*y, |_, values| values.fill(*value)),
            Kernel::Add { a, b, factor, y } => self.add(*a, *b, *factor, *y),
            Kernel::Accumulate { x, factor, y } => self.accumulate(*x, *factor, *y),
            Kernel::Unary { function, x, y } => self.unary(*function, *x, *y),
            Kernel::UnaryGrad {
                function, x, dy, dx, ..
            } => self.unary_grad(*function, *x, *dy, *dx),
            Kernel::Dense { x, weight, bias, y } => self.dense(*x, *weight, *bias, *y),
            Kernel::DenseInputGrad { dy, weight, dx } => self.dense_input_grad(*dy, *weight, *dx),
            Kernel::DenseWeightGrad { dy, x, dweight, dbias } => self.dense_weight_grad(*dy, *x, *dweight, *dbias),
            Kernel::RowNormalize { x, y, norms } => self.row_normalize(*x, *y, *norms),
            Kernel::RowNormalizeGrad { y, norms, dy, dx } => self.row_normalize_grad(*y, *norms, *dy, *dx),
            Kernel::SoftmaxCrossEntropy { x, labels, y } => self.softmax_cross_entropy(*x, *labels, *y),
            Kernel::SoftmaxCrossEntropyGrad { x, labels, dy, dx } => {
                self.softmax_cross_entropy_grad(*x, *labels, *dy, *dx);
            }
            Kernel::Margin { x, labels, y } => self.margin(*x, *labels, *y),
            Kernel::MarginGrad { x, labels, dy, dx } => self.margin_grad(*x, *labels, *dy, *dx),
            Kernel::SquaredError { x, target, y } => self.squared_error(*x, *target, *y),
            Kernel::SquaredErrorGrad { x, target, dy, dx } => self.squared_error_grad(*x, *target, *dy, *dx),
            Kernel::LogitPenalty { x, labels, centres, y } => self.logit_penalty(*x, *labels, centres, *y),
            Kernel::LogitPenaltyGrad {
                x,
                labels,
                centres,
                dy,
                dx,
            } => self.logit_penalty_grad(*x, *labels, centres, *dy, *dx),
            Kernel::SoftNearestNeighbor {
                x,
                labels,
                weights,
                temperature,
                y,
                counts,
                slopes,
            } => self.soft_nearest_neighbor((*x, *labels, *weights), *temperature, [*y, *counts, *slopes]),
            Kernel::SoftNearestNeighborGrad {
                x,
                labels,
                weights,
                temperature,
                slopes,
                dy,
                dx,
            } => self.soft_nearest_neighbor_grad((*x, *labels, *weights), *temperature, *slopes, *dy, *dx),
            Kernel::RowSum { x, weights, divisor, y } => self.row_sum(*x, *weights, *divisor, *y),
            Kernel::RowSumGrad {
                dy,
                weights,
                divisor,
                dx,
            } => self.row_sum_grad(*dy, *weights, *divisor, *dx),
            Kernel::SumSquares { x, y } => self.sum_squares(*x, *y),
            Kernel::SumSquaresGrad { x, dy, dx } => self.sum_squares_grad(*x, *dy, *dx),
            Kernel::Gather { table, index, y } => self.gather(*table, *index, *y),
            Kernel::ClassMoments {
                x,
                labels,
                weights,
                moments,
            } => {
                self.class_moments(*x, *labels, *weights, *moments);
            }
            Kernel::ErrorCount {
                x,
                labels,
                weights,
                counts,
            } => self.error_count(*x, *labels, *weights, *counts),
            Kernel::ZeroRows { norms, count } => self.zero_rows(*norms, *count),
            Kernel::Update {
                rule,
                parameter,
                gradient,
                states,
            } => {
                self.update(*rule, *parameter, *gradient, states);
            }
        }
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
        self.reals[buffer.0][..values.len()].copy_from_slice(values);
        Ok(())
    }

    fn write_index(&mut self, buffer: BufferId, values: &[u32]) -> Result<(), BackendError> {
        check_access(&self.program, &self.active, buffer, values.len(), true)?;
        check_indices(&self.program, buffer, values)?;
        self.indices[buffer.0][..values.len()].copy_from_slice(values);
        Ok(())
    }

    fn read(&self, buffer: BufferId, values: &mut [f64]) -> Result<(), BackendError> {
        check_access(&self.program, &self.active, buffer, values.len(), false)?;
        values.copy_from_slice(&self.reals[buffer.0][..values.len()]);
        Ok(())
    }

    fn read_index(&self, buffer: BufferId, values: &mut [u32]) -> Result<(), BackendError> {
        check_access(&self.program, &self.active, buffer, values.len(), true)?;
        values.copy_from_slice(&self.indices[buffer.0][..values.len()]);
        Ok(())
    }

    fn run(&mut self, entry: EntryId, step: Step) -> Result<(), BackendError> {
        let Some(slot) = self.program.entries.get_mut(entry.0) else {
            return Err(BackendError::UnknownEntry { id: entry.0 });
        };
        // The segments are lent out for the run, because executing a kernel borrows the machine.
        let segments = std::mem::take(slot);
        self.step = step;
        for kernel in segments.iter().flat_map(|segment| &segment.kernels) {
            self.execute(kernel);
        }
        self.program.entries[entry.0] = segments;
        Ok(())
    }
}
