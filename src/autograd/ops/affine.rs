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
    /// # Errors
    /// [`AutogradError::Shape`] unless both have one extent and width.
    pub fn add(&mut self, a: Value, b: Value) -> Result<Value, AutogradError> {
        self.sum("add", a, b, 1.0)
    }

    /// a - b
    ///
    /// # Errors
    /// As [`Graph::add`].
    pub fn subtract(&mut self, a: Value, b: Value) -> Result<Value, AutogradError> {
        self.sum("subtract", a, b, -1.0)
    }

    /// c x
    ///
    /// # Errors
    /// [`AutogradError::Constant`] for a factor that is not finite.
    pub fn scale(&mut self, x: Value, factor: f64) -> Result<Value, AutogradError> {
        self.unary_with("scale", factor, Unary::Scale(factor), x)
    }

    /// x - c
    ///
    /// # Errors
    /// [`AutogradError::Constant`] for a constant that is not finite.
    pub fn subtract_constant(&mut self, x: Value, constant: f64) -> Result<Value, AutogradError> {
        self.unary_with("subtract_constant", constant, Unary::SubtractConstant(constant), x)
    }
}
