//! The dense layer's three products, as a library of matrix products would be asked for them: without bias and its gradient, which ours
//! take along, and without sums in lanes.

/// Which of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Y = X W^T
    Forward,
    /// dW = dY^T X
    WeightGrad,
    /// dX = dY W
    InputGrad,
}

/// A product of the replicas. X is shared by them, all else is each one's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "only a device has a peer"))]
pub(super) struct Product {
    pub(super) kind: Kind,
    pub(super) rows: usize,
    pub(super) inputs: usize,
    pub(super) units: usize,
    pub(super) replicas: usize,
}

#[cfg(feature = "cuda")]
impl Product {
    /// As matrices that lie row by row: X is rows x inputs, W is units x inputs, Y is rows x units.
    pub(super) fn row_major(self) -> crate::backend::cuda::timing::RowMajor {
        let Product {
            kind,
            rows,
            inputs,
            units,
            replicas,
        } = self;
        // Rows and columns of the result, what is summed over; whether each operand lies transposed, and whether it is shared.
        let ((rows, cols, inner), transposed, shared) = match kind {
            Kind::Forward => ((rows, units, inputs), [false, true], [true, false]),
            Kind::WeightGrad => ((units, inputs, rows), [true, false], [false, true]),
            Kind::InputGrad => ((rows, inputs, units), [false, false], [false, false]),
        };
        crate::backend::cuda::timing::RowMajor {
            rows,
            cols,
            inner,
            transposed,
            shared,
            replicas,
        }
    }
}

#[cfg(all(test, feature = "cuda"))]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_operands() {
        let (rows, inputs, units, replicas) = (7, 5, 3, 2);
        let lengths = |kind| {
            Product {
                kind,
                rows,
                inputs,
                units,
                replicas,
            }
            .row_major()
            .lengths()
        };
        let (x, w, y) = (rows * inputs, replicas * units * inputs, replicas * rows * units);
        assert_eq!(lengths(Kind::Forward), [x, w, y]);
        assert_eq!(lengths(Kind::WeightGrad), [y, x, w]);
        assert_eq!(lengths(Kind::InputGrad), [y, w, replicas * x]);
    }
}
