//! Softmax cross-entropy of each row.
//!
//! Forward: y_i = log sum_j exp x_ij - x_i,label. The largest logit is taken out of the sum, so that nothing overflows,
//! and the rest goes through log(1 + .), so that a loss far below 1 keeps its digits.
//!
//! Backward: dx_ij = dy_i (p_ij - [j = label]) with p = softmax(x_i), recomputed: nothing is saved. The label's entry is
//! minus the sum of the other p, so that it keeps its digits too.

use crate::autograd::error::AutogradError;
use crate::autograd::graph::{Graph, Op, Value};
use crate::autograd::lowering::Lowering;
use crate::backend::kernel::Kernel;

#[derive(Debug)]
struct SoftmaxCrossEntropy {
    x: Value,
    labels: Value,
}

impl Op for SoftmaxCrossEntropy {
    fn name(&self) -> &'static str {
        "softmax_cross_entropy"
    }

    fn inputs(&self) -> Vec<Value> {
        vec![self.x, self.labels]
    }

    fn forward(&self, y: Value, lowering: &mut Lowering) {
        let (x, labels, y) = (lowering.value(self.x), lowering.value(self.labels), lowering.value(y));
        lowering.push(Kernel::SoftmaxCrossEntropy { x, labels, y });
    }

    fn backward(&self, y: Value, lowering: &mut Lowering) {
        let dy = lowering.gradient(y);
        if let Some(dx) = lowering.sink(self.x) {
            let (x, labels) = (lowering.value(self.x), lowering.value(self.labels));
            lowering.push(Kernel::SoftmaxCrossEntropyGrad { x, labels, dy, dx });
        }
    }
}

impl Graph {
    /// Loss of each row, `[rows, 1]`, from logits `[rows, classes]` and labels below the number of classes.
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
    /// let y = graph.softmax_cross_entropy(outputs, labels)?;
    /// let sum = graph.sum_over_rows(y, None)?;
    /// let entry = Entry { outputs: vec![y], training: Some(Training { objective: sum, rule: None }) };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(one, &[1.0])?;
    /// session.write(x, &[0.0, 0.0])?;
    /// session.write_index(labels, &[1])?;
    /// session.evaluate(EntryId(0))?;
    /// // Two equal outputs have probability 1/2 each: the loss is log 2, the gradient p - [j = label].
    /// assert!((session.read(y)?[0] - 2f64.ln()).abs() < 1e-15);
    /// assert_eq!(session.gradient(x)?, [0.5, -0.5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AutogradError::Shape`] for fewer than two classes or labels that do not fit.
    pub fn softmax_cross_entropy(&mut self, logits: Value, labels: Value) -> Result<Value, AutogradError> {
        const OP: &str = "softmax_cross_entropy";
        let shape = self.real_rows(OP, logits)?;
        if shape.cols < 2 {
            return Err(AutogradError::Shape {
                op: OP,
                detail: format!("logits {shape}, expected at least 2 classes"),
            });
        }
        self.check_labels(OP, shape, labels, shape.cols)?;
        Ok(self.push(shape.column(), SoftmaxCrossEntropy { x: logits, labels }))
    }
}
