//! The soft nearest neighbour loss of each row: how entangled its class is with the others, seen from there.
//!
//! Forward: with d_ij^2 = |x_i - x_j|^2, S_i = sum e^(-d_ij^2 / T) over the other rows j of the class of i, and O_i the same over the rows of
//! all other classes,
//!
//! ```text
//! l_i = log(S_i + O_i) - log S_i = log(1 + O_i / S_i)
//! ```
//!
//! The loss of a set of rows is the mean of l_i over the rows whose class has another row there; the others have no S_i, count among
//! the others' neighbours, and get l_i = 0. Which rows count is a value of its own, 1 or 0, made to be the weights of
//! [`Graph::mean_over_rows`]. Rows of weight 0 are absent: neither counted nor neighbours.
//!
//! Saves four numbers per row in f64: m_i near the smallest d_ij^2 of S_i, and h_i / (S_i e^(m_i / T)) with h_i = O_i / (S_i + O_i); and the same of O_i.
//! With them each exponential below is taken relative to its own sum, so nothing overflows or vanishes at any temperature.
//!
//! Backward: dl_i / dd_ij^2 = h_i e^(-d_ij^2 / T) / (T S_i) within the class, and -h_i e^(-d_ij^2 / T) / (T O_i) between classes (no
//! difference of two near numbers is left). With w_ij that derivative,
//!
//! ```text
//! dx_i = sum_j 2 (dy_i w_ij + dy_j w_ji) (x_i - x_j)
//! ```
//!
//! Every row looks at all rows, so each element has one owner and one order of summation; distances and exponentials are computed
//! again. Equal rows push each other nowhere. Smooth everywhere; labels, weights and temperature get no gradient.
//!
//! Source: N. Frosst, N. Papernot and G. Hinton, Analyzing and improving representations with the soft nearest neighbor loss, ICML 2019
//! (arXiv 1902.01889), eq. 1. [`crate::backend::Pairwise`] has the same loss of stored points.

use crate::autograd::error::AutogradError;
use crate::autograd::graph::{Graph, Op, Shape, Value};
use crate::autograd::lowering::Lowering;
use crate::backend::kernel::Kernel;
use crate::backend::program::Element;

/// The temperatures of [`Graph::soft_nearest_neighbor`]: squared distances of f32 over them are numbers of f64.
///
/// ```
/// use disentangle::autograd::{Graph, TEMPERATURES};
///
/// // A temperature is a squared distance, so 0 is none.
/// assert!(TEMPERATURES.contains(&1.0) && !TEMPERATURES.contains(&0.0));
/// let mut graph = Graph::new(1)?;
/// let rows = graph.rows(3)?;
/// let x = graph.input("x", rows, 1, false)?;
/// let labels = graph.index("labels", rows, 2, false)?;
/// let error = graph.soft_nearest_neighbor(x, labels, None, 0.0).err().map(|error| error.to_string());
/// let text = "soft_nearest_neighbor: temperature 0, expected a number from 1e-30 to 1e30";
/// assert_eq!(error.as_deref(), Some(text));
/// # Ok::<(), disentangle::autograd::AutogradError>(())
/// ```
pub const TEMPERATURES: std::ops::RangeInclusive<f64> = 1e-30..=1e30;

#[derive(Debug)]
struct SoftNearestNeighbor {
    x: Value,
    labels: Value,
    weights: Option<Value>,
    temperature: f64,
    /// Which rows count: a node that this one's kernel writes.
    counts: Value,
    slopes: Shape,
}

impl Op for SoftNearestNeighbor {
    fn name(&self) -> &'static str {
        "soft_nearest_neighbor"
    }

    fn inputs(&self) -> Vec<Value> {
        [self.x, self.labels].into_iter().chain(self.weights).collect()
    }

    fn forward(&self, y: Value, lowering: &mut Lowering) {
        let slopes = lowering.saved(y, self.slopes);
        let kernel = Kernel::SoftNearestNeighbor {
            x: lowering.value(self.x),
            labels: lowering.value(self.labels),
            weights: self.weights.map(|w| lowering.value(w)),
            temperature: self.temperature,
            y: lowering.value(y),
            counts: lowering.value(self.counts),
            slopes,
        };
        lowering.push(kernel);
    }

    fn backward(&self, y: Value, lowering: &mut Lowering) {
        let dy = lowering.gradient(y);
        if let Some(dx) = lowering.sink(self.x) {
            let kernel = Kernel::SoftNearestNeighborGrad {
                x: lowering.value(self.x),
                labels: lowering.value(self.labels),
                weights: self.weights.map(|w| lowering.value(w)),
                temperature: self.temperature,
                slopes: lowering.saved(y, self.slopes),
                dy,
                dx,
            };
            lowering.push(kernel);
        }
    }
}

/// Which rows count, written by [`SoftNearestNeighbor`].
#[derive(Debug)]
struct Counts {
    losses: Value,
}

impl Op for Counts {
    fn name(&self) -> &'static str {
        "soft_nearest_neighbor counts"
    }

    fn inputs(&self) -> Vec<Value> {
        vec![self.losses]
    }

    fn forward(&self, _: Value, _: &mut Lowering) {}

    fn backward(&self, _: Value, _: &mut Lowering) {}
}

impl Graph {
    /// Soft nearest neighbour loss of each row among all active rows at a temperature in units of squared distance, and which rows
    /// count, both `[rows, 1]`: the loss is [`Graph::mean_over_rows`] of the first with the second as weights. Rows of weight 0 are
    /// left out.
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// let mut graph = Graph::new(1)?;
    /// let rows = graph.rows(3)?;
    /// let x = graph.input("x", rows, 1, false)?;
    /// let labels = graph.index("labels", rows, 2, false)?;
    /// let (losses, counts) = graph.soft_nearest_neighbor(x, labels, None, 1.0)?;
    /// let loss = graph.mean_over_rows(losses, Some(counts))?;
    /// let entry = Entry { outputs: vec![losses, counts, loss], training: None };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(x, &[0.0, 1.0, -1.0])?;
    /// session.write_index(labels, &[0, 0, 1])?;
    /// session.evaluate(EntryId(0))?;
    /// // The point at 0 is as near to its class as to the other: log 2. That at 1 has S = e^-1 and O = e^-4.
    /// // The third is alone in its class.
    /// let expected = [2f64.ln(), (-3f64).exp().ln_1p(), 0.0];
    /// assert!(session.read(losses)?.iter().zip(expected).all(|(l, e)| (l - e).abs() < 1e-14));
    /// assert_eq!(session.read(counts)?, [1.0, 1.0, 0.0]);
    /// assert!((session.read(loss)?[0] - (expected[0] + expected[1]) / 2.0).abs() < 1e-14);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AutogradError::Shape`] for labels or weights that do not fit; [`AutogradError::NoDerivative`] for weights that depend on a
    /// parameter; [`AutogradError::Constant`] for a temperature outside of [`TEMPERATURES`](crate::autograd::TEMPERATURES).
    pub fn soft_nearest_neighbor(
        &mut self,
        x: Value,
        labels: Value,
        weights: Option<Value>,
        temperature: f64,
    ) -> Result<(Value, Value), AutogradError> {
        let op = "soft_nearest_neighbor";
        let shape = self.real_rows(op, x)?;
        self.check_labels(op, shape, labels, u32::MAX as usize)?;
        self.check_weights(op, shape, weights)?;
        if !TEMPERATURES.contains(&temperature) {
            let (least, most) = (TEMPERATURES.start(), TEMPERATURES.end());
            let detail = format!("temperature {temperature}, expected a number from {least:e} to {most:e}");
            return Err(AutogradError::Constant { op, detail });
        }
        let slopes = Shape {
            element: Element::Wide,
            cols: 4,
            ..shape
        };
        let counts = Value(self.nodes.len() + 1);
        let losses = self.push(
            shape.column(),
            SoftNearestNeighbor {
                x,
                labels,
                weights,
                temperature,
                counts,
                slopes,
            },
        );
        let counts = self.push(shape.column(), Counts { losses });
        // A step function of nothing that is trained.
        self.nodes[counts.0].differentiable = false;
        Ok((losses, counts))
    }
}
