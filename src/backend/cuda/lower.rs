//! From the kernels of a program to launches, for the rows that are now active.
//!
//! Each kernel becomes one launch, or two where it sums over rows (parts first, then their total). A dense layer whose result goes
//! into a cheap function next takes it along.

use super::driver::{Function, Memory};
use super::error::CudaError;
use super::functions::number;
use super::kernels::Kernels;
use super::launch::{Changes, Launch, THREADS};
use crate::backend::kernel::{Divisor, Kernel, Target, Unary, UpdateRule, Write};
use crate::backend::program::{BufferId, Program, Segment};

/// What lowering a kernel gives: its launches are appended.
pub(super) type Lowered = Result<(), CudaError>;

/// A buffer on the device, `[copies, rows, cols]` and packed for the active rows.
#[derive(Clone, Copy)]
pub(super) struct View {
    pub(super) address: u64,
    /// Whether each replica has its own.
    pub(super) own: bool,
    pub(super) copies: usize,
    pub(super) rows: usize,
    pub(super) cols: usize,
}

impl View {
    pub(super) fn all_rows(self) -> usize {
        self.copies * self.rows
    }

    pub(super) fn elements(self) -> usize {
        self.all_rows() * self.cols
    }

    /// Rows from a replica's to the next one's: 0 where they share them.
    pub(super) fn stride(self) -> usize {
        if self.own { self.rows } else { 0 }
    }
}

/// What lowering needs and what it makes.
pub(super) struct Lowering<'a> {
    pub(super) program: &'a Program,
    pub(super) active: &'a [usize],
    pub(super) buffers: &'a [Memory],
    pub(super) kernels: &'a Kernels,
    /// Constants of kernels, in the order in which the kernels come that have some.
    pub(super) constants: &'a [Memory],
    /// Where sums wait for their second stage.
    pub(super) workspace: u64,
    /// Bytes that they take.
    pub(super) workspace_bytes: usize,
    /// Constants that have been used.
    pub(super) used: usize,
    pub(super) launches: Vec<Launch>,
}

/// The constants of a program's kernels, in order.
pub(super) fn constants(program: &Program) -> Vec<&[f64]> {
    let kernels = program.entries.iter().flatten().flat_map(|segment| &segment.kernels);
    kernels
        .filter_map(|kernel| match kernel {
            Kernel::LogitPenalty { centres, .. } | Kernel::LogitPenaltyGrad { centres, .. } => Some(centres.as_slice()),
            _ => None,
        })
        .collect()
}

impl Lowering<'_> {
    pub(super) fn kernel(&self, name: &str) -> Result<Function, CudaError> {
        self.kernels.get(name)
    }

    pub(super) fn push(&mut self, launch: Launch) {
        self.launches.push(launch);
    }

    /// Says that the workspace must have that many bytes.
    pub(super) fn reserve(&mut self, bytes: usize) {
        self.workspace_bytes = self.workspace_bytes.max(bytes);
    }

    pub(super) fn view(&self, id: BufferId) -> View {
        let buffer = self.program.buffer(id);
        View {
            address: self.buffers[id.0].address(),
            own: buffer.replicated,
            copies: self.program.copies(id),
            rows: self.program.rows(id, self.active),
            cols: buffer.cols,
        }
    }

    fn constant(&mut self) -> u64 {
        self.used += 1;
        self.constants[self.used - 1].address()
    }

    /// The launches of a list of segments.
    pub(super) fn entry(&mut self, segments: &[Segment]) -> Lowered {
        for segment in segments {
            let mut rest = segment.kernels.as_slice();
            while let [kernel, after @ ..] = rest {
                rest = match after.first().and_then(|next| self.fused(kernel, next)) {
                    Some(fused) => {
                        fused?;
                        &after[1..]
                    }
                    None => {
                        self.lower(kernel)?;
                        after
                    }
                };
            }
        }
        Ok(())
    }

    fn lower(&mut self, kernel: &Kernel) -> Lowered {
        match kernel {
            Kernel::Fill { y, value } => self.fill(*y, *value),
            Kernel::Add { a, b, factor, y } => self.add(*a, *b, *factor, *y),
            Kernel::Accumulate { x, factor, y } => self.accumulate(*x, *factor, *y),
            Kernel::Unary { function, x, y } => self.unary(*function, *x, *y),
            Kernel::UnaryGrad { function, x, y, dy, dx } => self.unary_grad(*function, *x, *y, *dy, *dx),
            Kernel::Dense { x, weight, bias, y } => self.dense(*x, *weight, *bias, *y, None),
            Kernel::DenseInputGrad { dy, weight, dx } => self.dense_input_grad(*dy, *weight, *dx, None),
            Kernel::DenseWeightGrad { dy, x, dweight, dbias } => self.dense_weight_grad(*dy, *x, *dweight, *dbias),
            Kernel::RowNormalize { x, y, norms } => self.row_normalize(*x, *y, *norms),
            Kernel::RowNormalizeGrad { y, norms, dy, dx } => self.row_normalize_grad(*y, *norms, *dy, *dx),
            Kernel::SoftmaxCrossEntropy { x, labels, y } => self.of_labels("softmax_cross_entropy", *x, *labels, *y),
            Kernel::Margin { x, labels, y } => self.of_labels("margin", *x, *labels, *y),
            Kernel::SoftmaxCrossEntropyGrad { x, labels, dy, dx } => {
                self.of_labels_grad("softmax_cross_entropy_grad", *x, *labels, *dy, *dx)
            }
            Kernel::MarginGrad { x, labels, dy, dx } => self.of_labels_grad("margin_grad", *x, *labels, *dy, *dx),
            Kernel::SquaredError { x, target, y } => self.squared_error(*x, *target, *y),
            Kernel::SquaredErrorGrad { x, target, dy, dx } => self.squared_error_grad(*x, *target, *dy, *dx),
            Kernel::LogitPenalty { x, labels, y, .. } => self.logit_penalty(*x, *labels, *y),
            Kernel::LogitPenaltyGrad { x, labels, dy, dx, .. } => self.logit_penalty_grad(*x, *labels, *dy, *dx),
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
            } => self.soft_nearest_neighbor_grad((*x, *labels, *weights), *temperature, (*slopes, *dy), *dx),
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
            } => self.class_moments(*x, *labels, *weights, *moments),
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
            } => self.update(*rule, *parameter, *gradient, states),
        }
    }

    /// A kernel that loops over `count` things.
    pub(super) fn over(&self, kernel: &str, count: usize) -> Result<Launch, CudaError> {
        Launch::over(self.kernel(kernel)?, count as u64)
    }

    fn fill(&mut self, y: BufferId, value: f64) -> Lowered {
        let y = self.view(y);
        let launch = self.over("fill", y.elements())?.pointer(y.address).float(value);
        self.push(launch.long(y.elements()));
        Ok(())
    }

    fn add(&mut self, a: BufferId, b: BufferId, factor: f64, y: BufferId) -> Lowered {
        let (a, b, y) = (self.view(a), self.view(b), self.view(y));
        let launch = self
            .over("add", y.elements())?
            .pointer(a.address)
            .long(a.elements())
            .pointer(b.address)
            .long(b.elements())
            .float(factor)
            .pointer(y.address)
            .long(y.elements());
        self.push(launch);
        Ok(())
    }

    fn accumulate(&mut self, x: BufferId, factor: f64, y: Target) -> Lowered {
        let (x, to) = (self.view(x), self.view(y.buffer));
        let launch = self
            .over("accumulate", to.elements())?
            .pointer(x.address)
            .float(factor)
            .pointer(to.address)
            .flag(y.write == Write::Add)
            .long(to.elements());
        self.push(launch);
        Ok(())
    }

    fn unary(&mut self, function: Unary, x: BufferId, y: BufferId) -> Lowered {
        let (x, y) = (self.view(x), self.view(y));
        let (function, constant) = number(function);
        let launch = self
            .over("unary", y.elements())?
            .int(function)
            .float(constant)
            .pointer(x.address)
            .pointer(y.address)
            .long(y.elements());
        self.push(launch);
        Ok(())
    }

    fn unary_grad(&mut self, function: Unary, x: BufferId, y: BufferId, dy: BufferId, dx: Target) -> Lowered {
        let [x, y, dy, to] = [x, y, dy, dx.buffer].map(|id| self.view(id));
        let (function, constant) = number(function);
        let launch = self
            .over("unary_grad", to.elements())?
            .int(function)
            .float(constant)
            .pointer(x.address)
            .pointer(y.address)
            .pointer(dy.address)
            .pointer(to.address)
            .flag(dx.write == Write::Add)
            .long(to.elements());
        self.push(launch);
        Ok(())
    }

    /// Eight lanes have a row.
    fn by_eights(&self, kernel: &str, rows: usize) -> Result<Launch, CudaError> {
        Launch::over(self.kernel(kernel)?, 8 * rows as u64)
    }

    fn row_normalize(&mut self, x: BufferId, y: BufferId, norms: BufferId) -> Lowered {
        let [x, y, norms] = [x, y, norms].map(|id| self.view(id));
        let launch = self
            .by_eights("row_normalize", x.all_rows())?
            .pointer(x.address)
            .int(x.cols as u32)
            .pointer(y.address)
            .pointer(norms.address)
            .long(x.all_rows());
        self.push(launch);
        Ok(())
    }

    fn row_normalize_grad(&mut self, y: BufferId, norms: BufferId, dy: BufferId, dx: Target) -> Lowered {
        let [y, norms, dy, to] = [y, norms, dy, dx.buffer].map(|id| self.view(id));
        let launch = self
            .by_eights("row_normalize_grad", to.all_rows())?
            .pointer(y.address)
            .pointer(norms.address)
            .pointer(dy.address)
            .int(to.cols as u32)
            .pointer(to.address)
            .flag(dx.write == Write::Add)
            .long(to.all_rows());
        self.push(launch);
        Ok(())
    }

    /// A loss of a row's outputs and its label.
    fn of_labels(&mut self, kernel: &str, x: BufferId, labels: BufferId, y: BufferId) -> Lowered {
        let [x, labels, y] = [x, labels, y].map(|id| self.view(id));
        let launch = self
            .over(kernel, y.all_rows())?
            .pointer(x.address)
            .long(x.all_rows())
            .int(x.cols as u32)
            .pointer(labels.address)
            .long(labels.all_rows())
            .pointer(y.address)
            .long(y.all_rows());
        self.push(launch);
        Ok(())
    }

    fn of_labels_grad(&mut self, kernel: &str, x: BufferId, labels: BufferId, dy: BufferId, dx: Target) -> Lowered {
        let [x, labels, dy, to] = [x, labels, dy, dx.buffer].map(|id| self.view(id));
        let launch = self
            .over(kernel, to.all_rows())?
            .pointer(x.address)
            .int(to.cols as u32)
            .pointer(labels.address)
            .long(labels.all_rows())
            .pointer(dy.address)
            .pointer(to.address)
            .flag(dx.write == Write::Add)
            .long(to.all_rows());
        self.push(launch);
        Ok(())
    }

    fn squared_error(&mut self, x: BufferId, target: BufferId, y: BufferId) -> Lowered {
        let [x, target, y] = [x, target, y].map(|id| self.view(id));
        let launch = self
            .over("squared_error", y.all_rows())?
            .pointer(x.address)
            .long(x.all_rows())
            .pointer(target.address)
            .long(target.all_rows())
            .int(x.cols as u32)
            .pointer(y.address)
            .long(y.all_rows());
        self.push(launch);
        Ok(())
    }

    fn squared_error_grad(&mut self, x: BufferId, target: BufferId, dy: BufferId, dx: Target) -> Lowered {
        let [x, target, dy, to] = [x, target, dy, dx.buffer].map(|id| self.view(id));
        let launch = self
            .over("squared_error_grad", to.elements())?
            .pointer(x.address)
            .pointer(target.address)
            .long(target.all_rows())
            .int(to.cols as u32)
            .pointer(dy.address)
            .pointer(to.address)
            .flag(dx.write == Write::Add)
            .long(to.all_rows());
        self.push(launch);
        Ok(())
    }

    fn logit_penalty(&mut self, x: BufferId, labels: BufferId, y: BufferId) -> Lowered {
        let centres = self.constant();
        let [x, labels, y] = [x, labels, y].map(|id| self.view(id));
        let launch = self
            .over("logit_penalty", y.all_rows())?
            .pointer(x.address)
            .long(x.all_rows())
            .pointer(labels.address)
            .long(labels.all_rows())
            .pointer(centres)
            .int(x.cols as u32)
            .pointer(y.address)
            .long(y.all_rows());
        self.push(launch);
        Ok(())
    }

    fn logit_penalty_grad(&mut self, x: BufferId, labels: BufferId, dy: BufferId, dx: Target) -> Lowered {
        let centres = self.constant();
        let [x, labels, dy, to] = [x, labels, dy, dx.buffer].map(|id| self.view(id));
        let launch = self
            .over("logit_penalty_grad", to.elements())?
            .pointer(x.address)
            .pointer(labels.address)
            .long(labels.all_rows())
            .pointer(centres)
            .int(to.cols as u32)
            .pointer(dy.address)
            .pointer(to.address)
            .flag(dx.write == Write::Add)
            .long(to.all_rows());
        self.push(launch);
        Ok(())
    }

    /// A launch with a block for each of `blocks`, and what both kernels of pairs begin with.
    fn of_pairs(
        &self,
        kernel: &str,
        blocks: usize,
        (x, labels, weights): (BufferId, BufferId, Option<BufferId>),
        temperature: f64,
    ) -> Result<Launch, CudaError> {
        let (x, labels, weights) = (self.view(x), self.view(labels), weights.map(|id| self.view(id)));
        Ok(Launch::over(self.kernel(kernel)?, blocks as u64 * u64::from(THREADS))?
            .pointer(x.address)
            .int(x.cols as u32)
            .pointer(labels.address)
            .long(labels.stride())
            .pointer(weights.map(|w| w.address))
            .long(weights.map_or(0, View::stride))
            .long(x.rows)
            .double(temperature))
    }

    fn soft_nearest_neighbor(
        &mut self,
        of: (BufferId, BufferId, Option<BufferId>),
        temperature: f64,
        results: [BufferId; 3],
    ) -> Lowered {
        let [y, counts, slopes] = results.map(|id| self.view(id));
        let launch = self
            .of_pairs("soft_nearest_neighbor", y.all_rows(), of, temperature)?
            .pointer(y.address)
            .pointer(counts.address)
            .pointer(slopes.address)
            .long(y.all_rows());
        self.push(launch);
        Ok(())
    }

    fn soft_nearest_neighbor_grad(
        &mut self,
        of: (BufferId, BufferId, Option<BufferId>),
        temperature: f64,
        (slopes, dy): (BufferId, BufferId),
        dx: Target,
    ) -> Lowered {
        let [slopes, dy, to] = [slopes, dy, dx.buffer].map(|id| self.view(id));
        let slabs = to.cols.div_ceil(THREADS as usize);
        let launch = self
            .of_pairs("soft_nearest_neighbor_grad", to.all_rows() * slabs, of, temperature)?
            .pointer(slopes.address)
            .pointer(dy.address)
            .pointer(to.address)
            .flag(dx.write == Write::Add)
            .int(slabs as u32)
            .long(to.all_rows());
        self.push(launch);
        Ok(())
    }

    fn row_sum_grad(&mut self, dy: BufferId, weights: Option<BufferId>, divisor: Divisor, dx: Target) -> Lowered {
        let (dy, to, weights) = (self.view(dy), self.view(dx.buffer), weights.map(|id| self.view(id)));
        let (number, total, shared) = self.divisor(divisor, to.rows);
        let launch = self
            .over("row_sum_grad", to.all_rows())?
            .pointer(dy.address)
            .flag(!dy.own)
            .pointer(weights.map(|w| w.address))
            .long(weights.map_or(0, View::stride))
            .double(number)
            .pointer(total)
            .flag(shared)
            .long(to.rows)
            .pointer(to.address)
            .flag(dx.write == Write::Add)
            .long(to.all_rows());
        self.push(launch);
        Ok(())
    }

    fn sum_squares_grad(&mut self, x: BufferId, dy: BufferId, dx: Target) -> Lowered {
        let [x, dy, to] = [x, dy, dx.buffer].map(|id| self.view(id));
        let launch = self
            .over("sum_squares_grad", to.elements())?
            .pointer(x.address)
            .pointer(dy.address)
            .long(if dy.own { to.rows * to.cols } else { to.elements() })
            .pointer(to.address)
            .flag(dx.write == Write::Add)
            .long(to.elements());
        self.push(launch);
        Ok(())
    }

    /// Rows of 4-byte words, whether they are reals or indices.
    fn gather(&mut self, table: BufferId, index: BufferId, y: BufferId) -> Lowered {
        let [table, index, y] = [table, index, y].map(|id| self.view(id));
        let launch = self
            .over("gather", y.elements())?
            .pointer(table.address)
            .pointer(index.address)
            .long(index.all_rows())
            .int(y.cols as u32)
            .pointer(y.address)
            .long(y.elements());
        self.push(launch);
        Ok(())
    }

    fn update(&mut self, rule: UpdateRule, parameter: BufferId, gradient: BufferId, states: &[BufferId]) -> Lowered {
        let (w, gradient) = (self.view(parameter), self.view(gradient));
        let count = w.elements();
        let state = |n: usize| states.get(n).map(|&id| self.view(id).address);
        // The step fills in what `changing` names.
        let launch = match rule {
            UpdateRule::Sgd {
                momentum,
                nesterov,
                weight_decay,
            } => self
                .over("sgd", count)?
                .pointer(w.address)
                .pointer(gradient.address)
                .pointer(state(0))
                .float(0.0)
                .float(momentum)
                .flag(nesterov)
                .float(weight_decay)
                .changing(Changes::Rate(3)),
            UpdateRule::Adam {
                beta1,
                beta2,
                epsilon,
                weight_decay,
                decoupled,
            } => self
                .over("adam", count)?
                .pointer(w.address)
                .pointer(gradient.address)
                .pointer(state(0))
                .pointer(state(1))
                .float(0.0)
                .float(beta1)
                .float(1.0 - beta1)
                .float(beta2)
                .float(1.0 - beta2)
                .float(1.0)
                .float(1.0)
                .float(epsilon)
                .float(weight_decay)
                .flag(decoupled)
                .changing(Changes::Adam {
                    rate: 4,
                    corrections: 9,
                    betas: (beta1, beta2),
                }),
            UpdateRule::RmsProp {
                alpha,
                epsilon,
                momentum,
                weight_decay,
            } => self
                .over("rms_prop", count)?
                .pointer(w.address)
                .pointer(gradient.address)
                .pointer(state(0))
                .pointer(state(1))
                .float(0.0)
                .float(alpha)
                .float(1.0 - alpha)
                .float(epsilon)
                .float(momentum)
                .float(weight_decay)
                .changing(Changes::Rate(4)),
        };
        self.push(launch.long(count));
        Ok(())
    }
}
