//! Kernels by name, exact copies, absolute factors.

use crate::backend::BufferId;
use crate::backend::kernel::{Kernel, Target, Write};

/// y = x, exactly.
pub(super) fn copy(x: BufferId, y: BufferId) -> Kernel {
    let y = Target {
        buffer: y,
        write: Write::Set,
    };
    Kernel::Accumulate { x, factor: 1.0, y }
}

/// The kernel with the absolute value of its factor.
pub(super) fn absolute_factor(kernel: &Kernel) -> Kernel {
    let mut kernel = kernel.clone();
    match &mut kernel {
        Kernel::Add { factor, .. } | Kernel::Accumulate { factor, .. } => *factor = factor.abs(),
        _ => {}
    }
    kernel
}

/// Every kernel by name. A new variant does not compile until it has a name here, and the test fails until a check runs it.
pub(super) fn name(kernel: &Kernel) -> &'static str {
    match kernel {
        Kernel::Fill { .. } => "Fill",
        Kernel::Add { .. } => "Add",
        Kernel::Accumulate { .. } => "Accumulate",
        Kernel::Unary { .. } => "Unary",
        Kernel::UnaryGrad { .. } => "UnaryGrad",
        Kernel::Dense { .. } => "Dense",
        Kernel::DenseInputGrad { .. } => "DenseInputGrad",
        Kernel::DenseWeightGrad { .. } => "DenseWeightGrad",
        Kernel::RowNormalize { .. } => "RowNormalize",
        Kernel::RowNormalizeGrad { .. } => "RowNormalizeGrad",
        Kernel::SoftmaxCrossEntropy { .. } => "SoftmaxCrossEntropy",
        Kernel::SoftmaxCrossEntropyGrad { .. } => "SoftmaxCrossEntropyGrad",
        Kernel::Margin { .. } => "Margin",
        Kernel::MarginGrad { .. } => "MarginGrad",
        Kernel::SquaredError { .. } => "SquaredError",
        Kernel::SquaredErrorGrad { .. } => "SquaredErrorGrad",
        Kernel::LogitPenalty { .. } => "LogitPenalty",
        Kernel::LogitPenaltyGrad { .. } => "LogitPenaltyGrad",
        Kernel::SoftNearestNeighbor { .. } => "SoftNearestNeighbor",
        Kernel::SoftNearestNeighborGrad { .. } => "SoftNearestNeighborGrad",
        Kernel::RowSum { .. } => "RowSum",
        Kernel::RowSumGrad { .. } => "RowSumGrad",
        Kernel::SumSquares { .. } => "SumSquares",
        Kernel::SumSquaresGrad { .. } => "SumSquaresGrad",
        Kernel::Gather { .. } => "Gather",
        Kernel::ClassMoments { .. } => "ClassMoments",
        Kernel::ErrorCount { .. } => "ErrorCount",
        Kernel::ZeroRows { .. } => "ZeroRows",
        Kernel::Update { .. } => "Update",
    }
}

/// How many names [`name`] gives.
#[cfg(test)]
pub(super) const KERNELS: usize = 29;
