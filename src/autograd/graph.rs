//! The recorded graph: a flat list of nodes in execution order. Ops append to it (their methods stand in `ops/`).

use std::fmt;

use super::error::AutogradError;
use super::lowering::Lowering;
use crate::backend::RowSpace;
use crate::backend::program::{Element, Extent};

/// A value of a graph: the index of the node that makes it. It carries no mark of its graph: another graph takes it for
/// its own value of that number, and answers [`AutogradError::UnknownValue`] only if it has none.
///
/// ```
/// use disentangle::autograd::{AutogradError, Graph, Value};
///
/// let mut graph = Graph::new(1)?;
/// let w: Value = graph.parameter("w", 2, 3)?;
/// let twice = graph.scale(w, 2.0)?;
/// // In the order recorded; and another graph, which has recorded nothing, has no such value.
/// assert!(w < twice);
/// let expected = "a value of this graph";
/// assert_eq!(Graph::new(1)?.shape(twice), Err(AutogradError::UnknownValue { expected }));
/// # Ok::<(), AutogradError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(pub(crate) usize);

/// The shape of a value: `[replicas or 1, rows, cols]`.
///
/// ```
/// use disentangle::autograd::{Graph, Shape};
/// use disentangle::backend::program::{Element, Extent};
///
/// // Rows of 4 numbers that 3 networks share; each network makes 2 numbers of its own of a row.
/// let mut graph = Graph::new(3)?;
/// let rows = graph.rows(5)?;
/// let x = graph.input("x", rows, 4, false)?;
/// let w = graph.parameter("w", 2, 4)?;
/// let y = graph.dense(x, w, None)?;
/// let expected = Shape { element: Element::Real, replicated: true, extent: Extent::Rows(rows), cols: 2 };
/// assert_eq!(graph.shape(y)?, expected);
/// // In a message R stands for the networks.
/// assert_eq!(graph.shape(x)?.to_string(), "[1, rows of space 0, 4]");
/// assert_eq!(graph.shape(w)?.to_string(), "[R, 2, 4]");
/// # Ok::<(), disentangle::autograd::AutogradError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// What it holds.
    pub element: Element,
    /// One copy per replica, or one that all share.
    pub replicated: bool,
    /// Its rows: those of a row space, or a fixed number.
    pub extent: Extent,
    /// Its columns.
    pub cols: usize,
}

impl Shape {
    /// One number per replica.
    pub(crate) fn scalar() -> Shape {
        Shape {
            element: Element::Real,
            replicated: true,
            extent: Extent::Whole { rows: 1 },
            cols: 1,
        }
    }

    /// The shape of one column beside this value's rows.
    pub(crate) fn column(self) -> Shape {
        Shape { cols: 1, ..self }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let copies = if self.replicated { "R" } else { "1" };
        match self.extent {
            Extent::Rows(space) => write!(f, "[{copies}, rows of space {}, {}]", space.0, self.cols),
            Extent::Whole { rows } => write!(f, "[{copies}, {rows}, {}]", self.cols),
        }
    }
}

/// One op: a page of `ops/`.
pub(crate) trait Op: fmt::Debug + Send + Sync {
    /// For messages.
    fn name(&self) -> &'static str;

    /// The values it reads.
    fn inputs(&self) -> Vec<Value>;

    /// Appends the kernels that compute `y` from the inputs.
    fn forward(&self, y: Value, lowering: &mut Lowering);

    /// Appends the kernels that turn the gradient of `y` into the gradients of those inputs that want one.
    fn backward(&self, y: Value, lowering: &mut Lowering);

    /// Where the op is not differentiable: the input to look at, and which smooth piece each of its rows lies on. Two
    /// rows on the same piece have a smooth path between them; `None` is a row on the kink itself.
    fn kink(&self) -> Option<Kink> {
        None
    }
}

/// From a row and its label to the smooth pieces on which its elements lie.
pub(crate) type Pieces = Box<dyn Fn(&[f64], usize) -> Vec<Option<usize>>>;

/// A kink of an op, for the gradient check.
pub(crate) struct Kink {
    /// The input that decides.
    pub(crate) input: Value,
    /// Labels that belong to its rows, if the kink depends on them.
    pub(crate) labels: Option<Value>,
    /// The pieces of a row of the input, one per number that decides.
    pub(crate) pieces: Pieces,
}

/// What a node is.
#[derive(Debug)]
pub(crate) enum Source {
    /// Written by the host.
    Input,
    /// Written by the host once.
    Samples,
    /// Written by the host once, then trained.
    Parameter,
    /// Computed.
    Op(Box<dyn Op>),
}

/// One node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) source: Source,
    pub(crate) shape: Shape,
    /// Depends on a parameter through ops that have a derivative.
    pub(crate) differentiable: bool,
}

/// A recorded computation of R networks side by side.
///
/// ```
/// use disentangle::autograd::Graph;
///
/// // Two networks of one layer, of which the weights are trained and the biases are not, and their mean losses.
/// let mut graph = Graph::new(2)?;
/// let rows = graph.rows(10)?;
/// let x = graph.samples("x", rows, 3)?;
/// let labels = graph.index("labels", rows, 4, false)?;
/// let w = graph.parameter("w", 4, 3)?;
/// let b = graph.frozen_parameter("b", 1, 4)?;
/// let logits = graph.dense(x, w, Some(b))?;
/// let losses = graph.softmax_cross_entropy(logits, labels)?;
/// let loss = graph.mean_over_rows(losses, None)?;
/// assert_eq!(graph.replicas(), 2);
/// assert_eq!((graph.shape(logits)?.cols, graph.shape(losses)?.cols), (4, 1));
/// assert_eq!(graph.shape(loss)?.to_string(), "[R, 1, 1]");
/// assert_eq!(graph.parameters().collect::<Vec<_>>(), [(w, "w")]);
/// # Ok::<(), disentangle::autograd::AutogradError>(())
/// ```
#[derive(Debug)]
pub struct Graph {
    pub(crate) replicas: usize,
    pub(crate) spaces: Vec<usize>,
    pub(crate) nodes: Vec<Node>,
}

impl Graph {
    /// An empty graph of `replicas` networks.
    ///
    /// # Errors
    /// [`AutogradError::Empty`] for none.
    pub fn new(replicas: usize) -> Result<Graph, AutogradError> {
        nonzero(replicas, || "replicas".into())?;
        Ok(Graph {
            replicas,
            spaces: Vec::new(),
            nodes: Vec::new(),
        })
    }

    /// Number of networks.
    pub fn replicas(&self) -> usize {
        self.replicas
    }

    /// A new row space with room for `rows` rows.
    ///
    /// # Errors
    /// [`AutogradError::Empty`] for none.
    pub fn rows(&mut self, rows: usize) -> Result<RowSpace, AutogradError> {
        nonzero(rows, || "row space".into())?;
        self.spaces.push(rows);
        Ok(RowSpace(self.spaces.len() - 1))
    }

    /// Real rows that the host writes: `[replicas, rows, cols]`, or `[1, rows, cols]` if shared.
    ///
    /// # Errors
    /// [`AutogradError::Empty`] for width 0, [`AutogradError::DuplicateName`].
    pub fn input(
        &mut self,
        name: &str,
        space: RowSpace,
        cols: usize,
        replicated: bool,
    ) -> Result<Value, AutogradError> {
        self.leaf(
            name,
            Shape {
                element: Element::Real,
                replicated,
                extent: Extent::Rows(space),
                cols,
            },
            Source::Input,
        )
    }

    /// As [`Graph::input`], shared by the replicas, for rows that are written once and read in many runs: samples. A backend
    /// may spend time on them when they are written (the CPU looks for zeros that dense layers can skip).
    ///
    /// # Errors
    /// As [`Graph::input`].
    pub fn samples(&mut self, name: &str, space: RowSpace, cols: usize) -> Result<Value, AutogradError> {
        let value = self.input(name, space, cols, false)?;
        self.nodes[value.0].source = Source::Samples;
        Ok(value)
    }

    /// One index per row below `bound` that the host writes: class labels (bound: classes), rows to gather (bound: rows).
    ///
    /// # Errors
    /// As [`Graph::input`], for bound 0 too.
    pub fn index(
        &mut self,
        name: &str,
        space: RowSpace,
        bound: usize,
        replicated: bool,
    ) -> Result<Value, AutogradError> {
        nonzero(bound, || format!("bound of '{name}'"))?;
        let bound = u32::try_from(bound).unwrap_or(u32::MAX);
        let shape = Shape {
            element: Element::Index { bound },
            replicated,
            extent: Extent::Rows(space),
            cols: 1,
        };
        self.leaf(name, shape, Source::Input)
    }

    /// A trainable parameter `[replicas, rows, cols]`; a dense weight is `[out, in]`, its bias `[1, out]`.
    ///
    /// # Errors
    /// [`AutogradError::Empty`], [`AutogradError::DuplicateName`].
    pub fn parameter(&mut self, name: &str, rows: usize, cols: usize) -> Result<Value, AutogradError> {
        nonzero(rows, || format!("rows of '{name}'"))?;
        let shape = Shape {
            element: Element::Real,
            replicated: true,
            extent: Extent::Whole { rows },
            cols,
        };
        let value = self.leaf(name, shape, Source::Parameter)?;
        self.nodes[value.0].differentiable = true;
        Ok(value)
    }

    /// As [`Graph::parameter`], but training leaves it as it was written.
    ///
    /// # Errors
    /// As [`Graph::parameter`].
    pub fn frozen_parameter(&mut self, name: &str, rows: usize, cols: usize) -> Result<Value, AutogradError> {
        let value = self.parameter(name, rows, cols)?;
        self.nodes[value.0].differentiable = false;
        Ok(value)
    }

    fn leaf(&mut self, name: &str, shape: Shape, source: Source) -> Result<Value, AutogradError> {
        nonzero(shape.cols, || format!("width of '{name}'"))?;
        if let Extent::Rows(space) = shape.extent
            && space.0 >= self.spaces.len()
        {
            return Err(AutogradError::UnknownValue {
                expected: "a row space of this graph",
            });
        }
        if self
            .nodes
            .iter()
            .any(|node| !matches!(node.source, Source::Op(_)) && node.name == name)
        {
            return Err(AutogradError::DuplicateName { name: name.into() });
        }
        self.nodes.push(Node {
            name: name.into(),
            source,
            shape,
            differentiable: false,
        });
        Ok(Value(self.nodes.len() - 1))
    }

    /// Appends an op whose gradient reaches its inputs.
    pub(crate) fn push(&mut self, shape: Shape, op: impl Op + 'static) -> Value {
        let differentiable = shape.element == Element::Real && op.inputs().iter().any(|v| self.differentiable(*v));
        self.nodes.push(Node {
            name: op.name().into(),
            source: Source::Op(Box::new(op)),
            shape,
            differentiable,
        });
        Value(self.nodes.len() - 1)
    }

    /// The shape of a value.
    ///
    /// # Errors
    /// [`AutogradError::UnknownValue`] for a value that this graph does not have.
    pub fn shape(&self, value: Value) -> Result<Shape, AutogradError> {
        let node = self.nodes.get(value.0).ok_or(AutogradError::UnknownValue {
            expected: "a value of this graph",
        })?;
        Ok(node.shape)
    }

    /// The trainable parameters with their names, in the order recorded.
    pub fn parameters(&self) -> impl Iterator<Item = (Value, &str)> {
        let trainable = |node: &Node| matches!(node.source, Source::Parameter) && node.differentiable;
        self.nodes
            .iter()
            .enumerate()
            .filter(move |(_, n)| trainable(n))
            .map(|(id, n)| (Value(id), n.name.as_str()))
    }

    pub(crate) fn differentiable(&self, value: Value) -> bool {
        self.nodes[value.0].differentiable
    }

    /// The shape of a real operand; ops call it first.
    pub(crate) fn real(&self, op: &'static str, value: Value) -> Result<Shape, AutogradError> {
        let shape = self.shape(value)?;
        match shape.element {
            Element::Real => Ok(shape),
            _ => Err(AutogradError::Shape {
                op,
                detail: format!("{shape} holds no reals of working precision"),
            }),
        }
    }

    /// The shape of a real operand that has rows.
    pub(crate) fn real_rows(&self, op: &'static str, value: Value) -> Result<Shape, AutogradError> {
        let shape = self.real(op, value)?;
        match shape.extent {
            Extent::Rows(_) => Ok(shape),
            Extent::Whole { .. } => Err(AutogradError::Shape {
                op,
                detail: format!("{shape} has no row space, expected rows of data"),
            }),
        }
    }

    /// Checks that `labels` gives one class of `classes` to each row of `x`; replicated labels need a replicated `x`.
    pub(crate) fn check_labels(
        &self,
        op: &'static str,
        x: Shape,
        labels: Value,
        classes: usize,
    ) -> Result<(), AutogradError> {
        let shape = self.shape(labels)?;
        let Element::Index { bound } = shape.element else {
            return Err(AutogradError::Shape {
                op,
                detail: format!("labels {shape} are not indices"),
            });
        };
        let fits = shape.extent == x.extent && (x.replicated || !shape.replicated);
        if !fits || bound as usize > classes {
            let detail = format!("labels {shape} below {bound} for {x}: expected one per row, below {classes}");
            return Err(AutogradError::Shape { op, detail });
        }
        Ok(())
    }

    /// Checks that `weights` gives one real to each row of `x` and needs no gradient.
    pub(crate) fn check_weights(
        &self,
        op: &'static str,
        x: Shape,
        weights: Option<Value>,
    ) -> Result<(), AutogradError> {
        let Some(weights) = weights else { return Ok(()) };
        let shape = self.real_rows(op, weights)?;
        if shape.extent != x.extent || shape.cols != 1 || (shape.replicated && !x.replicated) {
            return Err(AutogradError::Shape {
                op,
                detail: format!("weights {shape} for {x}: expected one per row"),
            });
        }
        if self.differentiable(weights) {
            return Err(AutogradError::NoDerivative { op, operand: "weights" });
        }
        Ok(())
    }
}

fn nonzero(size: usize, what: impl FnOnce() -> String) -> Result<(), AutogradError> {
    if size == 0 {
        Err(AutogradError::Empty { what: what() })
    } else {
        Ok(())
    }
}
