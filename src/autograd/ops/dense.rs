//! The dense layer.
//!
//! Forward: y_i = W x_i + b for every row i, with W `[out, in]` and b `[1, out]` as in PyTorch's `nn.Linear`.
//!
//! Backward: dx_i = W^T dy_i;  dW = sum_i dy_i x_i^T;  db = sum_i dy_i.
//!
//! Saves nothing beyond its operands. x may be shared by the replicas while W is not: then the layer is one wide product
//! with all replicas' units side by side, and x is read once.

use crate::autograd::error::AutogradError;
use crate::autograd::graph::{Graph, Op, Shape, Value};
use crate::autograd::lowering::Lowering;
use crate::backend::kernel::Kernel;
use crate::backend::program::Extent;

#[derive(Debug)]
struct Dense {
    x: Value,
    weight: Value,
    bias: Option<Value>,
}

impl Op for Dense {
    fn name(&self) -> &'static str {
        "dense"
    }

    fn inputs(&self) -> Vec<Value> {
        [self.x, self.weight].into_iter().chain(self.bias).collect()
    }

    fn forward(&self, y: Value, lowering: &mut Lowering) {
        let (x, weight) = (lowering.value(self.x), lowering.value(self.weight));
        let bias = self.bias.map(|b| lowering.value(b));
        let y = lowering.value(y);
        lowering.push(Kernel::Dense { x, weight, bias, y });
    }

    fn backward(&self, y: Value, lowering: &mut Lowering) {
        let dy = lowering.gradient(y);
        let (x, weight) = (lowering.value(self.x), lowering.value(self.weight));
        let dweight = lowering.sink(self.weight);
        let dbias = self.bias.and_then(|b| lowering.sink(b));
        if dweight.is_some() || dbias.is_some() {
            lowering.push(Kernel::DenseWeightGrad { dy, x, dweight, dbias });
        }
        if let Some(dx) = lowering.sink(self.x) {
            lowering.push(Kernel::DenseInputGrad { dy, weight, dx });
        }
    }
}

impl Graph {
    /// y_i = W x_i + b: x `[rows, in]`, weight `[out, in]`, bias `[1, out]`.
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// let mut graph = Graph::new(1)?;
    /// let rows = graph.rows(1)?;
    /// let x = graph.input("x", rows, 2, false)?;
    /// let (w, b) = (graph.parameter("w", 3, 2)?, graph.parameter("b", 1, 3)?);
    /// let y = graph.dense(x, w, Some(b))?;
    /// let entry = Entry { outputs: vec![y], training: None };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(x, &[1.0, 10.0])?;
    /// session.write(w, &[1.0, 0.0, 0.0, 1.0, 1.0, 1.0])?;
    /// session.write(b, &[0.0, 0.0, 100.0])?;
    /// session.evaluate(EntryId(0))?;
    /// // Three units: the first input, the second, and both and 100.
    /// assert_eq!(session.read(y)?, [1.0, 10.0, 111.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AutogradError::Shape`] for operands that do not fit, or a weight that is no whole value of every replica.
    pub fn dense(&mut self, x: Value, weight: Value, bias: Option<Value>) -> Result<Value, AutogradError> {
        const OP: &str = "dense";
        let (sx, sw) = (self.real_rows(OP, x)?, self.real(OP, weight)?);
        let Extent::Whole { rows: out } = sw.extent else {
            return Err(AutogradError::Shape {
                op: OP,
                detail: format!("weight {sw} has rows of data, expected [R, out, in]"),
            });
        };
        if sw.cols != sx.cols || !sw.replicated {
            let detail = format!("weight {sw} for {sx}: expected [R, out, {}]", sx.cols);
            return Err(AutogradError::Shape { op: OP, detail });
        }
        if let Some(bias) = bias {
            let sb = self.real(OP, bias)?;
            if sb.extent != (Extent::Whole { rows: 1 }) || sb.cols != out || !sb.replicated {
                return Err(AutogradError::Shape {
                    op: OP,
                    detail: format!("bias {sb}, expected [R, 1, {out}]"),
                });
            }
        }
        let shape = Shape {
            replicated: true,
            cols: out,
            ..sx
        };
        Ok(self.push(shape, Dense { x, weight, bias }))
    }
}
