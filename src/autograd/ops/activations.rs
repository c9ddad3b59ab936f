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
    /// # Errors
    /// [`AutogradError::Shape`] for an operand that holds no reals.
    pub fn tanh(&mut self, x: Value) -> Result<Value, AutogradError> {
        self.unary("tanh", Unary::Tanh, x)
    }

    /// max(x, 0) of every element.
    ///
    /// # Errors
    /// As [`Graph::tanh`].
    pub fn relu(&mut self, x: Value) -> Result<Value, AutogradError> {
        self.unary("relu", Unary::Relu, x)
    }

    /// x (1 + erf(x / sqrt 2)) / 2 of every element.
    ///
    /// # Errors
    /// As [`Graph::tanh`].
    pub fn gelu(&mut self, x: Value) -> Result<Value, AutogradError> {
        self.unary("gelu", Unary::Gelu, x)
    }

    /// 1 / (1 + exp(-x)) of every element.
    ///
    /// # Errors
    /// As [`Graph::tanh`].
    pub fn sigmoid(&mut self, x: Value) -> Result<Value, AutogradError> {
        self.unary("sigmoid", Unary::Sigmoid, x)
    }

    /// x itself: the activation of a linear network. Records nothing.
    ///
    /// # Errors
    /// As [`Graph::tanh`].
    pub fn identity(&mut self, x: Value) -> Result<Value, AutogradError> {
        self.real("identity", x).map(|_| x)
    }
}
