//! Sum of the squares of a parameter: y = sum w^2, dw = 2 w dy. Scaled by lambda / 2 and added to the loss it is L2 decay.
//!
//! Saves nothing. (The optimisers' weight decay is the same gradient for plain descent, and another thing for Adam:
//! Loshchilov and Hutter 2019, arXiv:1711.05101.)

use crate::autograd::error::AutogradError;
use crate::autograd::graph::{Graph, Op, Shape, Value};
use crate::autograd::lowering::Lowering;
use crate::backend::kernel::{Kernel, Unary};
use crate::backend::program::Extent;

#[derive(Debug)]
struct SumSquares {
    x: Value,
}

impl Op for SumSquares {
    fn name(&self) -> &'static str {
        "sum_squares"
    }

    fn inputs(&self) -> Vec<Value> {
        vec![self.x]
    }

    fn forward(&self, y: Value, lowering: &mut Lowering) {
        let (x, y) = (lowering.value(self.x), lowering.value(y));
        lowering.push(Kernel::SumSquares { x, y });
    }

    fn backward(&self, y: Value, lowering: &mut Lowering) {
        let dy = lowering.gradient(y);
        if let Some(dx) = lowering.sink(self.x) {
            let x = lowering.value(self.x);
            lowering.push(Kernel::SumSquaresGrad { x, dy, dx });
        }
    }
}

impl Graph {
    /// Sum of the squares of all elements of a parameter or another whole value: one number per replica.
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan, Training};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// let mut graph = Graph::new(1)?;
    /// let x = graph.parameter("x", 1, 3)?;
    /// let y = graph.sum_squares(x)?;
    /// let entry = Entry { outputs: vec![y], training: Some(Training { objective: y, rule: None }) };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(x, &[1.0, 2.0, 3.0])?;
    /// session.evaluate(EntryId(0))?;
    /// // 1 + 4 + 9, and 2 x.
    /// assert_eq!((session.read(y)?, session.gradient(x)?), (vec![14.0], vec![2.0, 4.0, 6.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AutogradError::Shape`] for a value with rows of data.
    pub fn sum_squares(&mut self, x: Value) -> Result<Value, AutogradError> {
        let shape = self.real("sum_squares", x)?;
        if matches!(shape.extent, Extent::Rows(_)) {
            let detail = format!("{shape} has rows of data, expected a parameter");
            return Err(AutogradError::Shape {
                op: "sum_squares",
                detail,
            });
        }
        Ok(self.push(
            Shape {
                replicated: shape.replicated,
                ..Shape::scalar()
            },
            SumSquares { x },
        ))
    }

    /// L2 decay: lambda / 2 times the sum of the squares of all these parameters, one number per replica.
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan, Training};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// let mut graph = Graph::new(1)?;
    /// let (w, b) = (graph.parameter("w", 1, 2)?, graph.parameter("b", 1, 1)?);
    /// let y = graph.l2_decay(&[w, b], 0.5)?;
    /// let entry = Entry { outputs: vec![y], training: Some(Training { objective: y, rule: None }) };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(w, &[1.0, 2.0])?;
    /// session.write(b, &[3.0])?;
    /// session.evaluate(EntryId(0))?;
    /// // 0.5 / 2 (1 + 4 + 9), and lambda times each parameter.
    /// assert_eq!(session.read(y)?, [3.5]);
    /// assert_eq!((session.gradient(w)?, session.gradient(b)?), (vec![0.5, 1.0], vec![1.5]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Graph::sum_squares`]; [`AutogradError::Empty`] for no parameters;
    /// [`AutogradError::Constant`] for a lambda that is not finite.
    pub fn l2_decay(&mut self, parameters: &[Value], lambda: f64) -> Result<Value, AutogradError> {
        let mut total = None;
        for &parameter in parameters {
            let squares = self.sum_squares(parameter)?;
            total = Some(match total {
                None => squares,
                Some(sum) => self.add(sum, squares)?,
            });
        }
        let total = total.ok_or(AutogradError::Empty {
            what: "parameters of l2_decay".into(),
        })?;
        self.unary_with("l2_decay", 0.5 * lambda, Unary::Scale(0.5 * lambda), total)
    }
}
