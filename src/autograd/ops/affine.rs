//! Sums and multiples.
//!
//! | op | y | gradients |
//! |---|---|---|
//! | add | a + b | da = dy, db = dy |
//! | subtract | a - b | da = dy, db = -dy |
//! | scale | c x | dx = c dy |
//! | subtract_constant | x - c | dx = dy |
//!
//! `add` and `subtract` take two values of one extent and width; one of them may be shared by the replicas (an initial
//! output that every replica subtracts, say). Nothing is saved.

use crate::autograd::error::AutogradError;
use crate::autograd::graph::{Graph, Op, Shape, Value};
use crate::autograd::lowering::Lowering;
use crate::backend::kernel::{Kernel, Unary};

#[derive(Debug)]
struct Add {
    name: &'static str,
    a: Value,
    b: Value,
    factor: f64,
}

impl Op for Add {
    fn name(&self) -> &'static str {
        self.name
    }

    fn inputs(&self) -> Vec<Value> {
        vec![self.a, self.b]
    }

    fn forward(&self, y: Value, lowering: &mut Lowering) {
        let (a, b, y) = (lowering.value(self.a), lowering.value(self.b), lowering.value(y));
        lowering.push(Kernel::Add {
            a,
            b,
            factor: self.factor,
            y,
        });
    }

    fn backward(&self, y: Value, lowering: &mut Lowering) {
        let x = lowering.gradient(y);
        for (operand, factor) in [(self.a, 1.0), (self.b, self.factor)] {
            if let Some(y) = lowering.sink(operand) {
                lowering.push(Kernel::Accumulate { x, factor, y });
            }
        }
    }
}

impl Graph {
    fn sum(&mut self, name: &'static str, a: Value, b: Value, factor: f64) -> Result<Value, AutogradError> {
        let (sa, sb) = (self.real(name, a)?, self.real(name, b)?);
        if sa.extent != sb.extent || sa.cols != sb.cols {
            let detail = format!("{sa} and {sb}: expected operands of one shape");
            return Err(AutogradError::Shape { op: name, detail });
        }
        let shape = Shape {
            replicated: sa.replicated || sb.replicated,
            ..sa
        };
        Ok(self.push(shape, Add { name, a, b, factor }))
    }

    /// a + b
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan, Training};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// let mut graph = Graph::new(1)?;
    /// let x = graph.parameter("x", 1, 1)?;
    /// let y = graph.add(x, x)?;
    /// let entry = Entry { outputs: vec![y], training: Some(Training { objective: y, rule: None }) };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(x, &[3.0])?;
    /// session.evaluate(EntryId(0))?;
    /// // A value that is used twice gets both gradients.
    /// assert_eq!((session.read(y)?, session.gradient(x)?), (vec![6.0], vec![2.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AutogradError::Shape`] unless both have one extent and width.
    pub fn add(&mut self, a: Value, b: Value) -> Result<Value, AutogradError> {
        self.sum("add", a, b, 1.0)
    }

    /// a - b
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan, Training};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// let mut graph = Graph::new(1)?;
    /// let (a, b) = (graph.parameter("a", 1, 1)?, graph.parameter("b", 1, 1)?);
    /// let y = graph.subtract(a, b)?;
    /// let entry = Entry { outputs: vec![y], training: Some(Training { objective: y, rule: None }) };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(a, &[5.0])?;
    /// session.write(b, &[3.0])?;
    /// session.evaluate(EntryId(0))?;
    /// assert_eq!(session.read(y)?, [2.0]);
    /// assert_eq!((session.gradient(a)?, session.gradient(b)?), (vec![1.0], vec![-1.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Graph::add`].
    pub fn subtract(&mut self, a: Value, b: Value) -> Result<Value, AutogradError> {
        self.sum("subtract", a, b, -1.0)
    }

    /// c x
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan, Training};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// let mut graph = Graph::new(1)?;
    /// let x = graph.parameter("x", 1, 1)?;
    /// let y = graph.scale(x, 0.5)?;
    /// let entry = Entry { outputs: vec![y], training: Some(Training { objective: y, rule: None }) };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(x, &[3.0])?;
    /// session.evaluate(EntryId(0))?;
    /// assert_eq!((session.read(y)?, session.gradient(x)?), (vec![1.5], vec![0.5]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AutogradError::Constant`] for a factor that is not finite.
    pub fn scale(&mut self, x: Value, factor: f64) -> Result<Value, AutogradError> {
        self.unary_with("scale", factor, Unary::Scale(factor), x)
    }

    /// x - c
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan, Training};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// let mut graph = Graph::new(1)?;
    /// let x = graph.parameter("x", 1, 1)?;
    /// let y = graph.subtract_constant(x, 1.0)?;
    /// let entry = Entry { outputs: vec![y], training: Some(Training { objective: y, rule: None }) };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(x, &[3.0])?;
    /// session.evaluate(EntryId(0))?;
    /// // A constant moves the value and leaves the slope.
    /// assert_eq!((session.read(y)?, session.gradient(x)?), (vec![2.0], vec![1.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AutogradError::Constant`] for a constant that is not finite.
    pub fn subtract_constant(&mut self, x: Value, constant: f64) -> Result<Value, AutogradError> {
        self.unary_with("subtract_constant", constant, Unary::SubtractConstant(constant), x)
    }
}
