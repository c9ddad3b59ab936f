//! Margins and the losses of a margin.
//!
//! The margin m_i says by how much the label wins. One output: m = s x with s = +1 for label 1 and -1 for label 0. More:
//! m = x_label - max over the other classes (lowest index on ties), which for two is s (x_1 - x_0) and for more the
//! margin of Crammer and Singer (JMLR 2, 2001).
//!
//! Backward of the margin: dy to the label's column, -dy to the best other one. Kink: two best others. Saves nothing.
//!
//! | loss | of m | derivative |
//! |---|---|---|
//! | logistic | log(1 + exp(-m)), evaluated as max(-m, 0) + log(1 + exp(-abs m)) | -1 / (1 + exp(m)) |
//! | hinge | max(h - m, 0) | -[m < h]; 0 at the kink m = h |
//! | squared hinge | max(h - m, 0)^2 | -2 max(h - m, 0) |
//!
//! The threshold h is that of Pellegrini and Biroli (2020); h = 1 is the textbook's hinge.

use crate::autograd::error::AutogradError;
use crate::autograd::graph::{Graph, Kink, Op, Value};
use crate::autograd::lowering::Lowering;
use crate::backend::kernel::{Kernel, Unary};

#[derive(Debug)]
struct Margin {
    x: Value,
    labels: Value,
    classes: usize,
}

impl Op for Margin {
    fn name(&self) -> &'static str {
        "margin"
    }

    fn inputs(&self) -> Vec<Value> {
        vec![self.x, self.labels]
    }

    fn forward(&self, y: Value, lowering: &mut Lowering) {
        let (x, labels, y) = (lowering.value(self.x), lowering.value(self.labels), lowering.value(y));
        lowering.push(Kernel::Margin { x, labels, y });
    }

    fn backward(&self, y: Value, lowering: &mut Lowering) {
        let dy = lowering.gradient(y);
        if let Some(dx) = lowering.sink(self.x) {
            let (x, labels) = (lowering.value(self.x), lowering.value(self.labels));
            lowering.push(Kernel::MarginGrad { x, labels, dy, dx });
        }
    }

    fn kink(&self) -> Option<Kink> {
        if self.classes <= 2 {
            return None;
        }
        let best_other = |row: &[f64], label: usize| {
            let others = || (0..row.len()).filter(|&j| j != label);
            let top = others().map(|j| row[j]).fold(f64::NEG_INFINITY, f64::max);
            let mut at_top = others().filter(|&j| row[j] == top);
            let first = at_top.next();
            vec![if at_top.next().is_some() { None } else { first }]
        };
        Some(Kink {
            input: self.x,
            labels: Some(self.labels),
            pieces: Box::new(best_other),
        })
    }
}

impl Graph {
    /// Margin of each row, `[rows, 1]`, from outputs `[rows, classes]`, or `[rows, 1]` with labels 0 and 1.
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan, Training};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// // One row whose outputs are parameters: weights of an input that is 1.
    /// let mut graph = Graph::new(1)?;
    /// let rows = graph.rows(1)?;
    /// let one = graph.input("one", rows, 1, false)?;
    /// let x = graph.parameter("x", 3, 1)?;
    /// let outputs = graph.dense(one, x, None)?;
    /// let labels = graph.index("labels", rows, 3, false)?;
    /// let y = graph.margin(outputs, labels)?;
    /// let sum = graph.sum_over_rows(y, None)?;
    /// let entry = Entry { outputs: vec![y], training: Some(Training { objective: sum, rule: None }) };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(one, &[1.0])?;
    /// session.write(x, &[1.0, 4.0, 2.0])?;
    /// session.write_index(labels, &[2])?;
    /// session.evaluate(EntryId(0))?;
    /// // The label's output is 2, the best other one 4; the first output has no say.
    /// assert_eq!((session.read(y)?, session.gradient(x)?), (vec![-2.0], vec![0.0, -1.0, 1.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AutogradError::Shape`] for labels that do not fit.
    pub fn margin(&mut self, outputs: Value, labels: Value) -> Result<Value, AutogradError> {
        let shape = self.real_rows("margin", outputs)?;
        self.check_labels("margin", shape, labels, shape.cols.max(2))?;
        Ok(self.push(
            shape.column(),
            Margin {
                x: outputs,
                labels,
                classes: shape.cols,
            },
        ))
    }

    /// Logistic loss log(1 + exp(-m)) of each margin.
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan, Training};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// let mut graph = Graph::new(1)?;
    /// let x = graph.parameter("x", 1, 1)?;
    /// let y = graph.logistic(x)?;
    /// let entry = Entry { outputs: vec![y], training: Some(Training { objective: y, rule: None }) };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(x, &[0.0])?;
    /// session.evaluate(EntryId(0))?;
    /// // A margin of 0 is undecided: the loss is log 2, and the sigmoid there 1/2.
    /// assert!((session.read(y)?[0] - 2f64.ln()).abs() < 1e-15);
    /// assert_eq!(session.gradient(x)?, [-0.5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AutogradError::Shape`] for an operand that holds no reals.
    pub fn logistic(&mut self, margin: Value) -> Result<Value, AutogradError> {
        self.unary("logistic", Unary::Logistic, margin)
    }

    /// Hinge loss max(h - m, 0) of each margin with threshold h.
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan, Training};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// let mut graph = Graph::new(1)?;
    /// let x = graph.parameter("x", 1, 1)?;
    /// let y = graph.hinge(x, 1.0)?;
    /// let entry = Entry { outputs: vec![y], training: Some(Training { objective: y, rule: None }) };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(x, &[0.25])?;
    /// session.evaluate(EntryId(0))?;
    /// // 3/4 short of the threshold.
    /// assert_eq!((session.read(y)?, session.gradient(x)?), (vec![0.75], vec![-1.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AutogradError::Constant`] for a threshold that is not finite.
    pub fn hinge(&mut self, margin: Value, threshold: f64) -> Result<Value, AutogradError> {
        self.unary_with("hinge", threshold, Unary::Hinge(threshold), margin)
    }

    /// Squared hinge loss max(h - m, 0)^2 of each margin with threshold h.
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan, Training};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// let mut graph = Graph::new(1)?;
    /// let x = graph.parameter("x", 1, 1)?;
    /// let y = graph.squared_hinge(x, 1.0)?;
    /// let entry = Entry { outputs: vec![y], training: Some(Training { objective: y, rule: None }) };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(x, &[0.25])?;
    /// session.evaluate(EntryId(0))?;
    /// // 3/4 short of the threshold: (3/4)^2, with slope -2 3/4.
    /// assert_eq!((session.read(y)?, session.gradient(x)?), (vec![0.5625], vec![-1.5]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Graph::hinge`].
    pub fn squared_hinge(&mut self, margin: Value, threshold: f64) -> Result<Value, AutogradError> {
        self.unary_with("squared_hinge", threshold, Unary::SquaredHinge(threshold), margin)
    }
}
