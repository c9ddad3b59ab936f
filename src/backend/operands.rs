//! Which buffers a kernel reads and writes, and what it loops over.

use super::kernel::{Divisor, Kernel, Target, Write};
use super::program::{BufferId, Domain, Extent, Program};

/// The buffers of a kernel by role.
#[derive(Clone, Debug, Default)]
pub struct Operands {
    /// Read at the row at hand (row buffers) or anywhere (whole buffers).
    pub reads: Vec<BufferId>,
    /// Row buffers that are read at any row.
    pub tables: Vec<BufferId>,
    /// Written.
    pub writes: Vec<Target>,
}

fn set(buffer: BufferId) -> Target {
    Target {
        buffer,
        write: Write::Set,
    }
}

impl Kernel {
    /// The buffers it touches.
    pub fn operands(&self) -> Operands {
        let (reads, writes) = match self {
            Kernel::Fill { y, .. } => (vec![], vec![set(*y)]),
            Kernel::Add { a, b, y, .. } => (vec![*a, *b], vec![set(*y)]),
            Kernel::Accumulate { x, y, .. } => (vec![*x], vec![*y]),
            Kernel::Unary { x, y, .. } => (vec![*x], vec![set(*y)]),
            Kernel::UnaryGrad { x, y, dy, dx, .. } => (vec![*x, *y, *dy], vec![*dx]),
            Kernel::Dense { x, weight, bias, y } => ([*x, *weight].into_iter().chain(*bias).collect(), vec![set(*y)]),
            Kernel::DenseInputGrad { dy, weight, dx } => (vec![*dy, *weight], vec![*dx]),
            Kernel::DenseWeightGrad { dy, x, dweight, dbias } => {
                (vec![*dy, *x], dweight.iter().chain(dbias).copied().collect())
            }
            Kernel::RowNormalize { x, y, norms } => (vec![*x], vec![set(*y), set(*norms)]),
            Kernel::RowNormalizeGrad { y, norms, dy, dx } => (vec![*y, *norms, *dy], vec![*dx]),
            Kernel::SoftmaxCrossEntropy { x, labels, y } | Kernel::Margin { x, labels, y } => {
                (vec![*x, *labels], vec![set(*y)])
            }
            Kernel::SoftmaxCrossEntropyGrad { x, labels, dy, dx } | Kernel::MarginGrad { x, labels, dy, dx } => {
                (vec![*x, *labels, *dy], vec![*dx])
            }
            Kernel::SquaredError { x, target, y } => (vec![*x, *target], vec![set(*y)]),
            Kernel::SquaredErrorGrad { x, target, dy, dx } => (vec![*x, *target, *dy], vec![*dx]),
            Kernel::LogitPenalty { x, labels, y, .. } => (vec![*x, *labels], vec![set(*y)]),
            Kernel::LogitPenaltyGrad { x, labels, dy, dx, .. } => (vec![*x, *labels, *dy], vec![*dx]),
            Kernel::RowSum { x, weights, divisor, y } => (
                [*x].into_iter().chain(*weights).chain(divisor.total()).collect(),
                vec![set(*y)],
            ),
            Kernel::RowSumGrad {
                dy,
                weights,
                divisor,
                dx,
            } => (
                [*dy].into_iter().chain(*weights).chain(divisor.total()).collect(),
                vec![*dx],
            ),
            Kernel::SumSquares { x, y } => (vec![*x], vec![set(*y)]),
            Kernel::SumSquaresGrad { x, dy, dx } => (vec![*x, *dy], vec![*dx]),
            Kernel::Gather { table, index, y } => {
                return Operands {
                    reads: vec![*index],
                    tables: vec![*table],
                    writes: vec![set(*y)],
                };
            }
            Kernel::SoftNearestNeighbor {
                x,
                labels,
                weights,
                y,
                counts,
                slopes,
                ..
            } => {
                return Operands {
                    reads: vec![],
                    tables: [*x, *labels].into_iter().chain(*weights).collect(),
                    writes: vec![set(*y), set(*counts), set(*slopes)],
                };
            }
            Kernel::SoftNearestNeighborGrad {
                x,
                labels,
                weights,
                slopes,
                dy,
                dx,
                ..
            } => {
                return Operands {
                    reads: vec![],
                    tables: [*x, *labels, *slopes, *dy].into_iter().chain(*weights).collect(),
                    writes: vec![*dx],
                };
            }
            Kernel::ClassMoments {
                x,
                labels,
                weights,
                moments,
            } => ([*x, *labels].into_iter().chain(*weights).collect(), vec![set(*moments)]),
            Kernel::ErrorCount {
                x,
                labels,
                weights,
                counts,
            } => ([*x, *labels].into_iter().chain(*weights).collect(), vec![set(*counts)]),
            Kernel::ZeroRows { norms, count } => (vec![*norms], vec![set(*count)]),
            Kernel::Update {
                parameter,
                gradient,
                states,
                ..
            } => (
                [*parameter, *gradient].iter().chain(states).copied().collect(),
                [*parameter].iter().chain(states).map(|&b| set(b)).collect(),
            ),
        };
        Operands {
            reads,
            tables: vec![],
            writes,
        }
    }

    /// Over what it loops: the row space of its row operands, or nothing.
    pub fn domain(&self, program: &Program) -> Domain {
        let operands = self.operands();
        let touched = operands
            .reads
            .iter()
            .copied()
            .chain(operands.writes.iter().map(|t| t.buffer));
        touched
            .filter_map(|id| match program.buffer(id).extent {
                Extent::Rows(space) => Some(Domain::Rows(space)),
                Extent::Whole { .. } => None,
            })
            .next()
            .unwrap_or(Domain::Whole)
    }
}

impl Divisor {
    fn total(self) -> Option<BufferId> {
        match self {
            Divisor::Total(buffer) => Some(buffer),
            Divisor::One | Divisor::Rows => None,
        }
    }
}
