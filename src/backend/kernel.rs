//! The kernels: everything a backend must be able to do, as plain data.
//!
//! [`crate::backend::reference`] is the definition of each; the comment here gives the formula. `x[i]` is row i of a
//! replica; shared buffers are the same for every replica. A kernel with a row-extent operand is *row-local*: row i of
//! what it writes depends on row i of what it reads, except that it may reduce over all rows into a whole buffer, and that
//! it may read tables anywhere: a gather's, or the rows themselves for a loss of pairs.
//!
//! ```
//! # use disentangle::backend::program::{Buffer, BufferId, Domain, Element, Extent, Program, RowSpace, Storage};
//! use disentangle::backend::kernel::{Divisor, Kernel, Operands, Target, Unary, UpdateRule, Write};
//! # let (element, extent, storage) = (Element::Real, Extent::Rows(RowSpace(0)), Storage::Persistent);
//! # let x = Buffer { name: "x".into(), element, replicated: true, extent, cols: 1, storage, lasting: false };
//! # let y = Buffer { extent: Extent::Whole { rows: 1 }, ..x.clone() };
//! # let program = Program { replicas: 1, spaces: vec![2], buffers: vec![x, y], entries: vec![] };
//! // The mean over the rows of buffer 0 loops over them; a function of the mean, buffer 1, runs once.
//! let (x, y) = (BufferId(0), BufferId(1));
//! let mean = Kernel::RowSum { x, weights: None, divisor: Divisor::Rows, y };
//! let Operands { reads, writes, .. } = mean.operands();
//! assert_eq!((reads, writes), (vec![x], vec![Target { buffer: y, write: Write::Set }]));
//! assert_eq!(mean.domain(&program), Domain::Rows(RowSpace(0)));
//! assert_eq!(Kernel::Unary { function: Unary::Tanh, x: y, y }.domain(&program), Domain::Whole);
//! // Plain descent carries nothing from step to step, momentum a buffer of the parameter's shape.
//! let descent = |momentum| UpdateRule::Sgd { momentum, nesterov: false, weight_decay: 0.0 };
//! assert_eq!((descent(0.0).states(), descent(0.9).states()), (0, 1));
//! ```

pub use super::operands::Operands;
use super::program::BufferId;

/// Overwrite or accumulate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// y = value
    Set,
    /// y += value
    Add,
}

/// A buffer to write and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The buffer.
    pub buffer: BufferId,
    /// Overwrite or accumulate.
    pub write: Write,
}

/// A function of one number, applied to every element; NaN stays NaN. Formulas and derivatives: one file each in `autograd/ops`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unary {
    /// tanh x
    Tanh,
    /// max(x, 0)
    Relu,
    /// x (1 + erf(x / sqrt 2)) / 2
    Gelu,
    /// 1 / (1 + e^-x)
    Sigmoid,
    /// a x
    Scale(f64),
    /// x - c
    SubtractConstant(f64),
    /// log(1 + e^-x): logistic loss of a margin
    Logistic,
    /// max(h - x, 0): linear hinge loss of a margin
    Hinge(f64),
    /// max(h - x, 0)^2: squared hinge loss of a margin
    SquaredHinge(f64),
}

/// How a parameter follows its gradient. Formulas: one file each in `nn/optimizer`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UpdateRule {
    /// g += decay w; v = momentum v + g; w -= lr (nesterov: g + momentum v, else v)
    Sgd {
        /// Momentum, 0 for plain gradient descent.
        momentum: f64,
        /// Nesterov's form of it.
        nesterov: bool,
        /// Added to the gradient: decay * w.
        weight_decay: f64,
    },
    /// Moments of first and second order with bias correction.
    Adam {
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// Added to the root of the second moment.
        epsilon: f64,
        /// Weight decay.
        weight_decay: f64,
        /// True: AdamW (w -= lr decay w); false: added to the gradient.
        decoupled: bool,
    },
    /// Gradient over the root of its running mean square.
    RmsProp {
        /// Decay of the mean square.
        alpha: f64,
        /// Added to the root.
        epsilon: f64,
        /// Momentum on the scaled gradient.
        momentum: f64,
        /// Added to the gradient: decay * w.
        weight_decay: f64,
    },
}

impl UpdateRule {
    /// How many buffers of the parameter's shape the rule carries from step to step.
    pub fn states(&self) -> usize {
        match *self {
            UpdateRule::Sgd { momentum, .. } => usize::from(momentum != 0.0),
            UpdateRule::Adam { .. } => 2,
            UpdateRule::RmsProp { momentum, .. } => 1 + usize::from(momentum != 0.0),
        }
    }
}

/// What a backend must be able to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Kernel {
    /// y = value everywhere.
    Fill {
        /// To fill.
        y: BufferId,
        /// With this.
        value: f64,
    },
    /// y = a + factor b, element by element.
    Add {
        /// First summand.
        a: BufferId,
        /// Second summand.
        b: BufferId,
        /// Its factor.
        factor: f64,
        /// The sum.
        y: BufferId,
    },
    /// y (=, +=) factor x: the gradient of `Add`.
    Accumulate {
        /// Source.
        x: BufferId,
        /// Its factor.
        factor: f64,
        /// Where to.
        y: Target,
    },
    /// y = f(x), element by element.
    Unary {
        /// f
        function: Unary,
        /// Argument.
        x: BufferId,
        /// Result.
        y: BufferId,
    },
    /// dx (=, +=) f'(x) dy; f' from x or from y = f(x), whichever is cheaper.
    UnaryGrad {
        /// f
        function: Unary,
        /// Its argument.
        x: BufferId,
        /// Its result.
        y: BufferId,
        /// Gradient of the result.
        dy: BufferId,
        /// Gradient of the argument.
        dx: Target,
    },
    /// y_i = W x_i + b with W `[out, in]`.
    Dense {
        /// `[rows, in]`
        x: BufferId,
        /// `[out, in]`
        weight: BufferId,
        /// `[1, out]`
        bias: Option<BufferId>,
        /// `[rows, out]`
        y: BufferId,
    },
    /// dx_i (=, +=) W^T dy_i.
    DenseInputGrad {
        /// `[rows, out]`
        dy: BufferId,
        /// `[out, in]`
        weight: BufferId,
        /// `[rows, in]`
        dx: Target,
    },
    /// dW (=, +=) sum_i dy_i x_i^T; db (=, +=) sum_i dy_i.
    DenseWeightGrad {
        /// `[rows, out]`
        dy: BufferId,
        /// `[rows, in]`
        x: BufferId,
        /// `[out, in]`
        dweight: Option<Target>,
        /// `[1, out]`
        dbias: Option<Target>,
    },
    /// norms_i = |x_i|; y_i = x_i / |x_i|, and 0 where x_i = 0.
    RowNormalize {
        /// `[rows, cols]`
        x: BufferId,
        /// `[rows, cols]`
        y: BufferId,
        /// `[rows, 1]`
        norms: BufferId,
    },
    /// dx_i (=, +=) (dy_i - y_i (y_i . dy_i)) / norms_i, and 0 where norms_i = 0.
    RowNormalizeGrad {
        /// `[rows, cols]`
        y: BufferId,
        /// `[rows, 1]`
        norms: BufferId,
        /// `[rows, cols]`
        dy: BufferId,
        /// `[rows, cols]`
        dx: Target,
    },
    /// y_i = log sum_j exp x_ij - x_i,label.
    SoftmaxCrossEntropy {
        /// `[rows, classes]`
        x: BufferId,
        /// `[rows, 1]`, below the number of classes
        labels: BufferId,
        /// `[rows, 1]`
        y: BufferId,
    },
    /// dx_ij (=, +=) dy_i (softmax(x_i)_j - (1 if j is the label)).
    SoftmaxCrossEntropyGrad {
        /// `[rows, classes]`
        x: BufferId,
        /// `[rows, 1]`
        labels: BufferId,
        /// `[rows, 1]`
        dy: BufferId,
        /// `[rows, classes]`
        dx: Target,
    },
    /// One column: y_i = x_i for label 1, -x_i for label 0. More: y_i = x_i,label - max over the others (lowest index wins).
    Margin {
        /// `[rows, classes]`
        x: BufferId,
        /// `[rows, 1]`
        labels: BufferId,
        /// `[rows, 1]`
        y: BufferId,
    },
    /// The gradient of `Margin`: dy to the label's column, -dy to the best other one.
    MarginGrad {
        /// `[rows, classes]`
        x: BufferId,
        /// `[rows, 1]`
        labels: BufferId,
        /// `[rows, 1]`
        dy: BufferId,
        /// `[rows, classes]`
        dx: Target,
    },
    /// y_i = sum_j (x_ij - target_ij)^2 / cols.
    SquaredError {
        /// `[rows, cols]`
        x: BufferId,
        /// `[rows, cols]`
        target: BufferId,
        /// `[rows, 1]`
        y: BufferId,
    },
    /// dx_ij (=, +=) 2 dy_i (x_ij - target_ij) / cols.
    SquaredErrorGrad {
        /// `[rows, cols]`
        x: BufferId,
        /// `[rows, cols]`
        target: BufferId,
        /// `[rows, 1]`
        dy: BufferId,
        /// `[rows, cols]`
        dx: Target,
    },
    /// y_i = sum_j (x_ij - centre_label,j)^2.
    LogitPenalty {
        /// `[rows, cols]`
        x: BufferId,
        /// `[rows, 1]`, below the number of classes
        labels: BufferId,
        /// `[classes, cols]`, row-major
        centres: Vec<f64>,
        /// `[rows, 1]`
        y: BufferId,
    },
    /// dx_ij (=, +=) 2 dy_i (x_ij - centre_label,j).
    LogitPenaltyGrad {
        /// `[rows, cols]`
        x: BufferId,
        /// `[rows, 1]`
        labels: BufferId,
        /// `[classes, cols]`, row-major
        centres: Vec<f64>,
        /// `[rows, 1]`
        dy: BufferId,
        /// `[rows, cols]`
        dx: Target,
    },
    /// Of row i, with d_ij^2 = |x_i - x_j|^2, S_i = sum e^(-d_ij^2 / T) over the other rows j of its class and O_i the same over all rows of
    /// other classes: y_i = log((S_i + O_i) / S_i) and counts_i = 1, and 0 and 0 where the class has no other row. A distance that
    /// is no finite number makes every y_i NaN. Rows of weight 0 are no neighbours, and their y and counts are 0.
    ///
    /// slopes_i = (m, h / (S_i e^(m / T)), m', h / (O_i e^(m' / T))) with h = O_i / (S_i + O_i) and m, m' of the backend's choice near the
    /// smallest d_ij^2 of S_i and of O_i, so that nothing overflows or vanishes; 0 where y_i is 0 whatever x.
    SoftNearestNeighbor {
        /// `[rows, cols]`, read at any row
        x: BufferId,
        /// `[rows, 1]`, read at any row
        labels: BufferId,
        /// Rows of weight 0 are left out; read at any row.
        weights: Option<BufferId>,
        /// T, above 0.
        temperature: f64,
        /// `[rows, 1]`
        y: BufferId,
        /// `[rows, 1]`
        counts: BufferId,
        /// `[rows, 4]`, Wide
        slopes: BufferId,
    },
    /// dx_i (=, +=) sum_j (2 / T) s_ij (dy_i w_ij + dy_j w_ji) (x_i - x_j) over the rows j of weight not 0, with s_ij = 1 and w_ij =
    /// h_i e^(-d_ij^2 / T) / S_i in a class, and s_ij = -1 and w_ij = h_i e^(-d_ij^2 / T) / O_i between classes.
    SoftNearestNeighborGrad {
        /// `[rows, cols]`, read at any row
        x: BufferId,
        /// `[rows, 1]`, read at any row
        labels: BufferId,
        /// As forward.
        weights: Option<BufferId>,
        /// T
        temperature: f64,
        /// `[rows, 4]`, Wide, read at any row
        slopes: BufferId,
        /// `[rows, 1]`, read at any row
        dy: BufferId,
        /// `[rows, cols]`
        dx: Target,
    },
    /// y = sum_i weight_i x_i / total; without weights they are 1, without `total` the divisor is 1. 0 when total is 0.
    RowSum {
        /// `[rows, 1]`
        x: BufferId,
        /// `[rows, 1]`
        weights: Option<BufferId>,
        /// By what the sum is divided.
        divisor: Divisor,
        /// `[1, 1]`
        y: BufferId,
    },
    /// dx_i (=, +=) weight_i dy / total.
    RowSumGrad {
        /// `[1, 1]`
        dy: BufferId,
        /// `[rows, 1]`
        weights: Option<BufferId>,
        /// By what the sum was divided.
        divisor: Divisor,
        /// `[rows, 1]`
        dx: Target,
    },
    /// y = sum of the squares of all elements of a whole buffer.
    SumSquares {
        /// `[rows, cols]`, whole
        x: BufferId,
        /// `[1, 1]`
        y: BufferId,
    },
    /// dx (=, +=) 2 dy x.
    SumSquaresGrad {
        /// `[rows, cols]`, whole
        x: BufferId,
        /// `[1, 1]`
        dy: BufferId,
        /// `[rows, cols]`
        dx: Target,
    },
    /// y_i = row index_i of the table; the table is shared by the replicas, the index need not be.
    Gather {
        /// `[other rows, cols]`, shared, Real or Index
        table: BufferId,
        /// `[rows, 1]`, below the table's rows
        index: BufferId,
        /// `[rows, cols]`
        y: BufferId,
    },
    /// moments_c = (n_c, sum |x|^2, sum x) over the rows of class c, in f64.
    ClassMoments {
        /// `[rows, cols]`
        x: BufferId,
        /// `[rows, 1]`
        labels: BufferId,
        /// Rows of weight 0 are left out.
        weights: Option<BufferId>,
        /// `[classes, 2 + cols]`, Wide
        moments: BufferId,
    },
    /// counts = (misclassified rows, rows): lowest index wins ties; with one column label 1 is x > 0 and label 0 is x < 0.
    /// A row with NaN is misclassified.
    ErrorCount {
        /// `[rows, classes]`
        x: BufferId,
        /// `[rows, 1]`
        labels: BufferId,
        /// Rows of weight 0 are left out.
        weights: Option<BufferId>,
        /// `[1, 2]`, Wide
        counts: BufferId,
    },
    /// count = number of rows whose norm is 0.
    ZeroRows {
        /// `[rows, 1]`
        norms: BufferId,
        /// `[1, 1]`, Wide
        count: BufferId,
    },
    /// One optimiser step of one parameter, with the run's learning rate and step number.
    Update {
        /// The rule.
        rule: UpdateRule,
        /// Its parameter.
        parameter: BufferId,
        /// The parameter's gradient.
        gradient: BufferId,
        /// `rule.states()` buffers of the parameter's shape.
        states: Vec<BufferId>,
    },
}

/// By what a sum over rows is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Divisor {
    /// 1
    One,
    /// The number of active rows.
    Rows,
    /// The value of a `[1, 1]` buffer: the sum of the weights. A sum of 0 gives 0.
    Total(BufferId),
}
