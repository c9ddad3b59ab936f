//! From rows to one number per replica: sum_i w_i x_i, or the mean (sum_i w_i x_i) / (sum_i w_i).
//!
//! Backward: dx_i = w_i dy, or w_i dy / sum w. Nothing is saved but the sum of the weights, which is computed before.
//!
//! Without weights w = 1 and the mean divides by the number of active rows. A row of weight 0 is masked: the result does
//! not read x_i, which may be anything, even NaN, and dx_i = 0. What comes before multiplies that 0 by its own derivatives
//! and data, and 0 * NaN = NaN: where gradients are wanted a masked row holds any *finite* data (and a NaN there shows up
//! in the gradient of every weight). If the weights of a replica sum to 0, its mean and gradient are 0. Weights get no
//! gradient.

use crate::autograd::error::AutogradError;
use crate::autograd::graph::{Graph, Op, Shape, Value};
use crate::autograd::lowering::Lowering;
use crate::backend::kernel::{Divisor, Kernel};
use crate::backend::program::BufferId;

#[derive(Debug)]
struct RowSum {
    name: &'static str,
    x: Value,
    weights: Option<Value>,
    mean: bool,
    total: Shape,
}

impl RowSum {
    /// The divisor and the buffer of the weights.
    fn operands(&self, y: Value, lowering: &mut Lowering) -> (Divisor, Option<BufferId>) {
        let weights = self.weights.map(|w| lowering.value(w));
        let divisor = match (self.mean, weights) {
            (false, _) => Divisor::One,
            (true, None) => Divisor::Rows,
            (true, Some(_)) => Divisor::Total(lowering.saved(y, self.total)),
        };
        (divisor, weights)
    }
}

impl Op for RowSum {
    fn name(&self) -> &'static str {
        self.name
    }

    fn inputs(&self) -> Vec<Value> {
        [self.x].into_iter().chain(self.weights).collect()
    }

    fn forward(&self, y: Value, lowering: &mut Lowering) {
        let (divisor, weights) = self.operands(y, lowering);
        if let (Divisor::Total(total), Some(x)) = (divisor, weights) {
            lowering.push(Kernel::RowSum {
                x,
                weights: None,
                divisor: Divisor::One,
                y: total,
            });
        }
        let (x, y) = (lowering.value(self.x), lowering.value(y));
        lowering.push(Kernel::RowSum { x, weights, divisor, y });
    }

    fn backward(&self, y: Value, lowering: &mut Lowering) {
        let dy = lowering.gradient(y);
        if let Some(dx) = lowering.sink(self.x) {
            let (divisor, weights) = self.operands(y, lowering);
            lowering.push(Kernel::RowSumGrad {
                dy,
                weights,
                divisor,
                dx,
            });
        }
    }
}

impl Graph {
    fn row_sum(
        &mut self,
        name: &'static str,
        x: Value,
        weights: Option<Value>,
        mean: bool,
    ) -> Result<Value, AutogradError> {
        let shape = self.real_rows(name, x)?;
        if shape.cols != 1 {
            let detail = format!("{shape}, expected one number per row");
            return Err(AutogradError::Shape { op: name, detail });
        }
        self.check_weights(name, shape, weights)?;
        let replicated = weights.is_some_and(|w| self.nodes[w.0].shape.replicated);
        let total = Shape {
            replicated,
            ..Shape::scalar()
        };
        let scalar = Shape {
            replicated: shape.replicated,
            ..Shape::scalar()
        };
        Ok(self.push(
            scalar,
            RowSum {
                name,
                x,
                weights,
                mean,
                total,
            },
        ))
    }

    /// Weighted mean over the active rows of `[rows, 1]`: one number per replica.
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// let mut graph = Graph::new(1)?;
    /// let rows = graph.rows(2)?;
    /// let x = graph.input("x", rows, 1, false)?;
    /// let weights = graph.input("weights", rows, 1, false)?;
    /// let mean = graph.mean_over_rows(x, Some(weights))?;
    /// let entry = Entry { outputs: vec![mean], training: None };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(x, &[1.0, 5.0])?;
    /// session.write(weights, &[3.0, 1.0])?;
    /// session.evaluate(EntryId(0))?;
    /// // (3 * 1 + 1 * 5) / (3 + 1)
    /// assert_eq!(session.read(mean)?, [2.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AutogradError::Shape`] unless `x` and the weights have one column;
    /// [`AutogradError::NoDerivative`] for weights that depend on a parameter.
    pub fn mean_over_rows(&mut self, x: Value, weights: Option<Value>) -> Result<Value, AutogradError> {
        self.row_sum("mean_over_rows", x, weights, true)
    }

    /// Weighted sum over the active rows of `[rows, 1]`: one number per replica.
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// let mut graph = Graph::new(1)?;
    /// let rows = graph.rows(3)?;
    /// let x = graph.input("x", rows, 1, false)?;
    /// let weights = graph.input("weights", rows, 1, false)?;
    /// let sum = graph.sum_over_rows(x, Some(weights))?;
    /// let entry = Entry { outputs: vec![sum], training: None };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(x, &[1.0, f64::NAN, 3.0])?;
    /// session.write(weights, &[1.0, 0.0, 2.0])?;
    /// session.evaluate(EntryId(0))?;
    /// // 1 * 1 + 2 * 3: the row of weight 0 is not read.
    /// assert_eq!(session.read(sum)?, [7.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Graph::mean_over_rows`].
    pub fn sum_over_rows(&mut self, x: Value, weights: Option<Value>) -> Result<Value, AutogradError> {
        self.row_sum("sum_over_rows", x, weights, false)
    }
}
