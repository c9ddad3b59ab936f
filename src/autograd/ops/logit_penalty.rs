//! Squares of the outputs of each row, taken from a centre of the row's class: y_i = sum_j (x_ij - c_{l_i, j})^2.
//!
//! Backward: dx_ij = 2 dy_i (x_ij - c_{l_i, j}). Saves nothing; the centres c `[classes, outputs]` are constants.
//!
//! Averaged over rows and scaled it is the *spectral decoupling* of Pezeshki et al. (2021, arXiv:2011.09468), a penalty on
//! the logits in place of one on the weights: coefficient * mean y with c = 0. With a centre per class it is the variant
//! that their experiments use where the classes are not balanced.

use crate::autograd::error::AutogradError;
use crate::autograd::graph::{Graph, Op, Value};
use crate::autograd::lowering::Lowering;
use crate::backend::kernel::Kernel;

#[derive(Debug)]
struct LogitPenalty {
    x: Value,
    labels: Value,
    centres: Vec<f64>,
}

impl Op for LogitPenalty {
    fn name(&self) -> &'static str {
        "logit_penalty"
    }

    fn inputs(&self) -> Vec<Value> {
        vec![self.x, self.labels]
    }

    fn forward(&self, y: Value, lowering: &mut Lowering) {
        let (x, labels, y) = (lowering.value(self.x), lowering.value(self.labels), lowering.value(y));
        let centres = self.centres.clone();
        lowering.push(Kernel::LogitPenalty { x, labels, centres, y });
    }

    fn backward(&self, y: Value, lowering: &mut Lowering) {
        let dy = lowering.gradient(y);
        if let Some(dx) = lowering.sink(self.x) {
            let (x, labels) = (lowering.value(self.x), lowering.value(self.labels));
            let centres = self.centres.clone();
            lowering.push(Kernel::LogitPenaltyGrad {
                x,
                labels,
                centres,
                dy,
                dx,
            });
        }
    }
}

impl Graph {
    /// Penalty of each row, `[rows, 1]`, from outputs `[rows, outputs]`, the class of each row and the centres
    /// `[classes, outputs]` in row-major order.
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
    /// let labels = graph.index("labels", rows, 2, false)?;
    /// let y = graph.logit_penalty(outputs, labels, &[0.0, 0.0, 1.0, 0.0])?;
    /// let sum = graph.sum_over_rows(y, None)?;
    /// let entry = Entry { outputs: vec![y], training: Some(Training { objective: sum, rule: None }) };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(one, &[1.0])?;
    /// session.write(x, &[1.0, 2.0])?;
    /// session.write_index(labels, &[1])?;
    /// session.evaluate(EntryId(0))?;
    /// // Class 1 has the centre (1, 0): the outputs (1, 2) are (0, 2) away from it.
    /// assert_eq!((session.read(y)?, session.gradient(x)?), (vec![4.0], vec![0.0, 4.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AutogradError::Shape`] unless there is one centre of that width for each class that the labels may name;
    /// [`AutogradError::Constant`] for a centre that is not finite.
    pub fn logit_penalty(&mut self, outputs: Value, labels: Value, centres: &[f64]) -> Result<Value, AutogradError> {
        const OP: &str = "logit_penalty";
        let shape = self.real_rows(OP, outputs)?;
        let classes = centres.len() / shape.cols;
        if classes == 0 || !centres.len().is_multiple_of(shape.cols) {
            let detail = format!(
                "{} centres for outputs {shape}: expected {} per class",
                centres.len(),
                shape.cols
            );
            return Err(AutogradError::Shape { op: OP, detail });
        }
        self.check_labels(OP, shape, labels, classes)?;
        if let Some(centre) = centres.iter().find(|c| !c.is_finite()) {
            let detail = format!("centre {centre}, expected a finite number");
            return Err(AutogradError::Constant { op: OP, detail });
        }
        Ok(self.push(
            shape.column(),
            LogitPenalty {
                x: outputs,
                labels,
                centres: centres.to_vec(),
            },
        ))
    }
}
