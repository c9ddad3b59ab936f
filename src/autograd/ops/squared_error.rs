//! Mean squared error of each row: y_i = sum_j (x_ij - t_ij)^2 / cols. Backward: dx_ij = 2 dy_i (x_ij - t_ij) / cols.
//!
//! Saves nothing. Averaged over rows it is PyTorch's `MSELoss`, the mean over all elements. The targets get no gradient.

use crate::autograd::error::AutogradError;
use crate::autograd::graph::{Graph, Op, Value};
use crate::autograd::lowering::Lowering;
use crate::backend::kernel::Kernel;

#[derive(Debug)]
struct SquaredError {
    x: Value,
    target: Value,
}

impl Op for SquaredError {
    fn name(&self) -> &'static str {
        "squared_error"
    }

    fn inputs(&self) -> Vec<Value> {
        vec![self.x, self.target]
    }

    fn forward(&self, y: Value, lowering: &mut Lowering) {
        let (x, target, y) = (lowering.value(self.x), lowering.value(self.target), lowering.value(y));
        lowering.push(Kernel::SquaredError { x, target, y });
    }

    fn backward(&self, y: Value, lowering: &mut Lowering) {
        let dy = lowering.gradient(y);
        if let Some(dx) = lowering.sink(self.x) {
            let (x, target) = (lowering.value(self.x), lowering.value(self.target));
            lowering.push(Kernel::SquaredErrorGrad { x, target, dy, dx });
        }
    }
}

impl Graph {
    /// Loss of each row, `[rows, 1]`, of outputs `[rows, cols]` against targets of the same shape.
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan, Training};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// // One row whose outputs are parameters: weights of an input that is 1.
    /// let mut graph = Graph::new(1)?;
    /// let rows = graph.rows(1)?;
    /// let one = graph.input("one", rows, 1, false)?;
    /// let x = graph.parameter("x", 2, 1)?;
    /// let outputs = graph.dense(one, x, None)?;
    /// let targets = graph.input("targets", rows, 2, false)?;
    /// let y = graph.squared_error(outputs, targets)?;
    /// let sum = graph.sum_over_rows(y, None)?;
    /// let entry = Entry { outputs: vec![y], training: Some(Training { objective: sum, rule: None }) };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(one, &[1.0])?;
    /// session.write(x, &[1.0, 4.0])?;
    /// session.write(targets, &[1.0, 1.0])?;
    /// session.evaluate(EntryId(0))?;
    /// // (0^2 + 3^2) / 2 over two columns; 2 (x - t) / 2 by each.
    /// assert_eq!((session.read(y)?, session.gradient(x)?), (vec![4.5], vec![0.0, 3.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AutogradError::Shape`] for shapes that differ; [`AutogradError::NoDerivative`] for targets that depend on a
    /// parameter.
    pub fn squared_error(&mut self, outputs: Value, targets: Value) -> Result<Value, AutogradError> {
        const OP: &str = "squared_error";
        let (shape, target) = (self.real_rows(OP, outputs)?, self.real_rows(OP, targets)?);
        if shape.extent != target.extent || shape.cols != target.cols || (target.replicated && !shape.replicated) {
            let detail = format!("targets {target} for outputs {shape}: expected one shape");
            return Err(AutogradError::Shape { op: OP, detail });
        }
        if self.differentiable(targets) {
            return Err(AutogradError::NoDerivative {
                op: OP,
                operand: "targets",
            });
        }
        Ok(self.push(
            shape.column(),
            SquaredError {
                x: outputs,
                target: targets,
            },
        ))
    }
}
