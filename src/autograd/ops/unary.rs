//! What all functions of one number share: y = f(x), dx = f'(x) dy. Nothing is saved beyond x and y.

use crate::autograd::error::AutogradError;
use crate::autograd::graph::{Graph, Kink, Op, Value};
use crate::autograd::lowering::Lowering;
use crate::backend::kernel::{Kernel, Unary};

#[derive(Debug)]
struct UnaryOp {
    name: &'static str,
    function: Unary,
    x: Value,
}

impl Op for UnaryOp {
    fn name(&self) -> &'static str {
        self.name
    }

    fn inputs(&self) -> Vec<Value> {
        vec![self.x]
    }

    fn forward(&self, y: Value, lowering: &mut Lowering) {
        let (x, y) = (lowering.value(self.x), lowering.value(y));
        lowering.push(Kernel::Unary {
            function: self.function,
            x,
            y,
        });
    }

    fn backward(&self, y: Value, lowering: &mut Lowering) {
        let dy = lowering.gradient(y);
        let Some(dx) = lowering.sink(self.x) else { return };
        // A linear function's gradient needs neither x nor y, and must not wait for them: a scaled mean is still one
        // segment.
        let linear = |factor| Kernel::Accumulate { x: dy, factor, y: dx };
        let kernel = match self.function {
            Unary::Scale(factor) => linear(factor),
            Unary::SubtractConstant(_) => linear(1.0),
            function => {
                let (x, y) = (lowering.value(self.x), lowering.value(y));
                Kernel::UnaryGrad { function, x, y, dy, dx }
            }
        };
        lowering.push(kernel);
    }

    fn kink(&self) -> Option<Kink> {
        let at = match self.function {
            Unary::Relu => 0.0,
            // The squared hinge has a continuous first but no second derivative: differences see that at order eps.
            Unary::Hinge(h) | Unary::SquaredHinge(h) => h,
            _ => return None,
        };
        let piece = move |x: &f64| if *x == at { None } else { Some(usize::from(*x > at)) };
        Some(Kink {
            input: self.x,
            labels: None,
            pieces: Box::new(move |row, _| row.iter().map(piece).collect()),
        })
    }
}

impl Graph {
    /// Records y = f(x) for a real x of any extent.
    pub(super) fn unary(&mut self, name: &'static str, function: Unary, x: Value) -> Result<Value, AutogradError> {
        let shape = self.real(name, x)?;
        Ok(self.push(shape, UnaryOp { name, function, x }))
    }

    /// As [`Graph::unary`] for a function with a constant, which must be finite.
    pub(super) fn unary_with(
        &mut self,
        name: &'static str,
        constant: f64,
        function: Unary,
        x: Value,
    ) -> Result<Value, AutogradError> {
        if !constant.is_finite() {
            let detail = format!("constant {constant}, expected a finite number");
            return Err(AutogradError::Constant { op: name, detail });
        }
        self.unary(name, function, x)
    }
}
