//! Probes: what is measured on the training forward pass. They have no derivative; they are read, in f64.
//!
//! `class_moments`: for every class c the number of rows n_c, sum |x|^2 and sum x, from which the centroid, the gyration
//! radius and every distance between centroids follow (`geometry/moments.rs`).
//!
//! `error_count`: how many rows are misclassified, and how many rows there are. The predicted class is that of the
//! largest output, the lowest index on ties; with one output, label 1 needs x > 0 and label 0 needs x < 0. A row with NaN
//! among its outputs is misclassified, whatever its label.
//!
//! Rows of weight 0 are left out of both.

use crate::autograd::error::AutogradError;
use crate::autograd::graph::{Graph, Op, Shape, Value};
use crate::autograd::lowering::Lowering;
use crate::backend::kernel::Kernel;
use crate::backend::program::{Element, Extent};

#[derive(Clone, Copy, Debug)]
enum What {
    ClassMoments,
    ErrorCount,
}

#[derive(Debug)]
struct Probe {
    what: What,
    x: Value,
    labels: Value,
    weights: Option<Value>,
}

impl Op for Probe {
    fn name(&self) -> &'static str {
        match self.what {
            What::ClassMoments => "class_moments",
            What::ErrorCount => "error_count",
        }
    }

    fn inputs(&self) -> Vec<Value> {
        [self.x, self.labels].into_iter().chain(self.weights).collect()
    }

    fn forward(&self, y: Value, lowering: &mut Lowering) {
        let (x, labels) = (lowering.value(self.x), lowering.value(self.labels));
        let weights = self.weights.map(|w| lowering.value(w));
        let y = lowering.value(y);
        lowering.push(match self.what {
            What::ClassMoments => Kernel::ClassMoments {
                x,
                labels,
                weights,
                moments: y,
            },
            What::ErrorCount => Kernel::ErrorCount {
                x,
                labels,
                weights,
                counts: y,
            },
        });
    }

    fn backward(&self, _: Value, _: &mut Lowering) {}
}

impl Graph {
    /// `[classes, 2 + cols]` per replica: n_c, sum |x|^2, sum x over the rows of class c.
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// let mut graph = Graph::new(1)?;
    /// let rows = graph.rows(3)?;
    /// let x = graph.input("x", rows, 2, false)?;
    /// let labels = graph.index("labels", rows, 2, false)?;
    /// let moments = graph.class_moments(x, labels, 2, None)?;
    /// let entry = Entry { outputs: vec![moments], training: None };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(x, &[3.0, 4.0, 1.0, 0.0, 0.0, 2.0])?;
    /// session.write_index(labels, &[0, 0, 1])?;
    /// session.evaluate(EntryId(0))?;
    /// // Class 0 has (3, 4) and (1, 0): two rows, 25 + 1, and their sum; class 1 has (0, 2).
    /// assert_eq!(session.read(moments)?, [2.0, 26.0, 4.0, 4.0, 1.0, 4.0, 0.0, 2.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AutogradError::Shape`] for labels or weights that do not fit.
    pub fn class_moments(
        &mut self,
        x: Value,
        labels: Value,
        classes: usize,
        weights: Option<Value>,
    ) -> Result<Value, AutogradError> {
        let shape = self.real_rows("class_moments", x)?;
        self.check_labels("class_moments", shape, labels, classes)?;
        self.check_weights("class_moments", shape, weights)?;
        let extent = Extent::Whole { rows: classes };
        let moments = Shape {
            element: Element::Wide,
            extent,
            cols: shape.cols + 2,
            ..shape
        };
        Ok(self.push(
            moments,
            Probe {
                what: What::ClassMoments,
                x,
                labels,
                weights,
            },
        ))
    }

    /// `[1, 2]` per replica: misclassified rows, rows.
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// let mut graph = Graph::new(1)?;
    /// let rows = graph.rows(3)?;
    /// let x = graph.input("x", rows, 2, false)?;
    /// let labels = graph.index("labels", rows, 2, false)?;
    /// let counts = graph.error_count(x, labels, None)?;
    /// let entry = Entry { outputs: vec![counts], training: None };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(x, &[2.0, 1.0, 0.0, 3.0, 1.0, 1.0])?;
    /// session.write_index(labels, &[0, 0, 0])?;
    /// session.evaluate(EntryId(0))?;
    /// // The second of three rows has its larger output in class 1; the tie of the third goes to class 0.
    /// assert_eq!(session.read(counts)?, [1.0, 3.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Graph::class_moments`].
    pub fn error_count(
        &mut self,
        outputs: Value,
        labels: Value,
        weights: Option<Value>,
    ) -> Result<Value, AutogradError> {
        let shape = self.real_rows("error_count", outputs)?;
        self.check_labels("error_count", shape, labels, shape.cols.max(2))?;
        self.check_weights("error_count", shape, weights)?;
        let extent = Extent::Whole { rows: 1 };
        let counts = Shape {
            element: Element::Wide,
            extent,
            cols: 2,
            ..shape
        };
        Ok(self.push(
            counts,
            Probe {
                what: What::ErrorCount,
                x: outputs,
                labels,
                weights,
            },
        ))
    }
}
