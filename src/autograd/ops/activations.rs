//! Activation functions, element by element.
//!
//! | op | y | dy/dx |
//! |---|---|---|
//! | tanh | tanh x | 1 - y^2 |
//! | relu | max(x, 0) | [x > 0]; 0 at the kink x = 0 |
//! | gelu | x P(x), P(x) = (1 + erf(x / sqrt 2)) / 2 | P(x) + x exp(-x^2 / 2) / sqrt(2 pi) |
//! | sigmoid | 1 / (1 + exp(-x)) | y (1 - y) |
//! | identity | x | 1 |
//!
//! GELU is the exact one with erf (Hendrycks and Gimpel 2016, arXiv:1606.08415), not its tanh approximation.

use crate::autograd::error::AutogradError;
use crate::autograd::graph::{Graph, Value};
use crate::backend::kernel::Unary;

impl Graph {
    /// Hyperbolic tangent of every element.
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan, Training};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// let mut graph = Graph::new(1)?;
    /// let x = graph.parameter("x", 1, 1)?;
    /// let y = graph.tanh(x)?;
    /// let entry = Entry { outputs: vec![y], training: Some(Training { objective: y, rule: None }) };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(x, &[0.0])?;
    /// session.evaluate(EntryId(0))?;
    /// // It passes through 0 with slope 1.
    /// assert_eq!((session.read(y)?, session.gradient(x)?), (vec![0.0], vec![1.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AutogradError::Shape`] for an operand that holds no reals.
    pub fn tanh(&mut self, x: Value) -> Result<Value, AutogradError> {
        self.unary("tanh", Unary::Tanh, x)
    }

    /// max(x, 0) of every element.
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan, Training};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// let mut graph = Graph::new(1)?;
    /// let x = graph.parameter("x", 1, 1)?;
    /// let y = graph.relu(x)?;
    /// let entry = Entry { outputs: vec![y], training: Some(Training { objective: y, rule: None }) };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// // The slope is 0 below the kink and on it.
    /// for (at, value, slope) in [(-1.0, 0.0, 0.0), (0.0, 0.0, 0.0), (2.0, 2.0, 1.0)] {
    ///     session.write(x, &[at])?;
    ///     session.evaluate(EntryId(0))?;
    ///     assert_eq!((session.read(y)?, session.gradient(x)?), (vec![value], vec![slope]));
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Graph::tanh`].
    pub fn relu(&mut self, x: Value) -> Result<Value, AutogradError> {
        self.unary("relu", Unary::Relu, x)
    }

    /// x (1 + erf(x / sqrt 2)) / 2 of every element.
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan, Training};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// let mut graph = Graph::new(1)?;
    /// let x = graph.parameter("x", 1, 1)?;
    /// let y = graph.gelu(x)?;
    /// let entry = Entry { outputs: vec![y], training: Some(Training { objective: y, rule: None }) };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(x, &[1.0])?;
    /// session.evaluate(EntryId(0))?;
    /// // P(1) = 0.841344746..., the normal distribution up to 1, and its density there is 0.241970724...
    /// assert!((session.read(y)?[0] - 0.841_344_746_069).abs() < 1e-12);
    /// assert!((session.gradient(x)?[0] - (0.841_344_746_069 + 0.241_970_724_519)).abs() < 2e-12);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Graph::tanh`].
    pub fn gelu(&mut self, x: Value) -> Result<Value, AutogradError> {
        self.unary("gelu", Unary::Gelu, x)
    }

    /// 1 / (1 + exp(-x)) of every element.
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan, Training};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// let mut graph = Graph::new(1)?;
    /// let x = graph.parameter("x", 1, 1)?;
    /// let y = graph.sigmoid(x)?;
    /// let entry = Entry { outputs: vec![y], training: Some(Training { objective: y, rule: None }) };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(x, &[0.0])?;
    /// session.evaluate(EntryId(0))?;
    /// // y = 1 / (1 + 1), with slope y (1 - y).
    /// assert_eq!((session.read(y)?, session.gradient(x)?), (vec![0.5], vec![0.25]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Graph::tanh`].
    pub fn sigmoid(&mut self, x: Value) -> Result<Value, AutogradError> {
        self.unary("sigmoid", Unary::Sigmoid, x)
    }

    /// x itself: the activation of a linear network. Records nothing.
    ///
    /// ```
    /// use disentangle::autograd::Graph;
    ///
    /// // The very value: no node, no kernel, no copy.
    /// let mut graph = Graph::new(1)?;
    /// let x = graph.parameter("x", 1, 3)?;
    /// assert_eq!(graph.identity(x)?, x);
    /// # Ok::<(), disentangle::autograd::AutogradError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Graph::tanh`].
    pub fn identity(&mut self, x: Value) -> Result<Value, AutogradError> {
        self.real("identity", x).map(|_| x)
    }
}
