//! Projection of every row on the unit sphere.
//!
//! Forward: y_i = x_i / |x_i|, and 0 where x_i = 0 (such rows are counted: [`Graph::zero_rows`]).
//!
//! Saves the norms |x_i|, one per row.
//!
//! Backward: dx_i = (dy_i - y_i (y_i . dy_i)) / |x_i|, and 0 where x_i = 0, which is a choice: y jumps there.
//!
//! The radii and distances of Ciceri et al. (Nat. Mach. Intell. 2024) are of rows normalised like this.

use crate::autograd::error::AutogradError;
use crate::autograd::graph::{Graph, Kink, Op, Shape, Source, Value};
use crate::autograd::lowering::Lowering;
use crate::backend::kernel::Kernel;
use crate::backend::program::{Element, Extent};

#[derive(Debug)]
struct RowNormalize {
    x: Value,
    shape: Shape,
}

impl Op for RowNormalize {
    fn name(&self) -> &'static str {
        "row_normalize"
    }

    fn inputs(&self) -> Vec<Value> {
        vec![self.x]
    }

    fn forward(&self, y: Value, lowering: &mut Lowering) {
        let norms = lowering.saved(y, self.shape.column());
        let (x, y) = (lowering.value(self.x), lowering.value(y));
        lowering.push(Kernel::RowNormalize { x, y, norms });
    }

    fn backward(&self, y: Value, lowering: &mut Lowering) {
        let dy = lowering.gradient(y);
        if let Some(dx) = lowering.sink(self.x) {
            let (norms, y) = (lowering.saved(y, self.shape.column()), lowering.value(y));
            lowering.push(Kernel::RowNormalizeGrad { y, norms, dy, dx });
        }
    }

    fn kink(&self) -> Option<Kink> {
        // A zero row is a piece of its own: y = 0 there and nowhere near it. With one column y = sign x.
        let piece = |row: &[f64]| match row {
            _ if row.iter().all(|v| *v == 0.0) => 0,
            [x] if *x < 0.0 => 1,
            _ => 2,
        };
        Some(Kink {
            input: self.x,
            labels: None,
            pieces: Box::new(move |row, _| vec![Some(piece(row))]),
        })
    }
}

/// Counts the rows that [`RowNormalize`] left at zero.
#[derive(Debug)]
struct ZeroRows {
    normalized: Value,
    shape: Shape,
}

impl Op for ZeroRows {
    fn name(&self) -> &'static str {
        "zero_rows"
    }

    fn inputs(&self) -> Vec<Value> {
        vec![self.normalized]
    }

    fn forward(&self, y: Value, lowering: &mut Lowering) {
        let norms = lowering.saved(self.normalized, self.shape.column());
        let count = lowering.value(y);
        lowering.push(Kernel::ZeroRows { norms, count });
    }

    fn backward(&self, _: Value, _: &mut Lowering) {}
}

impl Graph {
    /// Every row divided by its Euclidean norm; a zero row stays zero.
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// let mut graph = Graph::new(1)?;
    /// let rows = graph.rows(2)?;
    /// let x = graph.input("x", rows, 2, false)?;
    /// let y = graph.row_normalize(x)?;
    /// let entry = Entry { outputs: vec![y], training: None };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(x, &[3.0, 4.0, 0.0, 0.0])?;
    /// session.evaluate(EntryId(0))?;
    /// // (3, 4) has norm 5.
    /// let y = session.read(y)?;
    /// assert!((y[0] - 0.6).abs() < 1e-15 && (y[1] - 0.8).abs() < 1e-15);
    /// assert_eq!(y[2..], [0.0, 0.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AutogradError::Shape`] for a value without rows.
    pub fn row_normalize(&mut self, x: Value) -> Result<Value, AutogradError> {
        let shape = self.real_rows("row_normalize", x)?;
        Ok(self.push(shape, RowNormalize { x, shape }))
    }

    /// How many zero rows a `row_normalize` met: `[R, 1, 1]`.
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// let mut graph = Graph::new(1)?;
    /// let rows = graph.rows(3)?;
    /// let x = graph.input("x", rows, 2, false)?;
    /// let y = graph.row_normalize(x)?;
    /// let zeros = graph.zero_rows(y)?;
    /// let entry = Entry { outputs: vec![zeros], training: None };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(x, &[3.0, 4.0, 0.0, 0.0, 0.0, 1.0])?;
    /// session.evaluate(EntryId(0))?;
    /// // The second row has no direction.
    /// assert_eq!(session.read(zeros)?, [1.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AutogradError::UnknownValue`] for a value that no `row_normalize` made.
    pub fn zero_rows(&mut self, normalized: Value) -> Result<Value, AutogradError> {
        let shape = self.real_rows("zero_rows", normalized)?;
        let made_here = matches!(&self.nodes[normalized.0].source, Source::Op(op) if op.name() == "row_normalize");
        if !made_here {
            return Err(AutogradError::UnknownValue {
                expected: "the result of row_normalize",
            });
        }
        let count = Shape {
            element: Element::Wide,
            extent: Extent::Whole { rows: 1 },
            cols: 1,
            ..shape
        };
        Ok(self.push(count, ZeroRows { normalized, shape }))
    }
}
