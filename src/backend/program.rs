//! A program: what a plan hands to a backend. Buffers with their places, and per entry point a list of segments.
//!
//! A *row space* is a set of rows that are looped over together: the training block, the test block, a mini-batch. Its
//! row count is a capacity; fewer rows may be active in a run (a last short batch). A *row segment* is a list of kernels
//! that can run on a tile of rows [a, b) from its first kernel to its last while the tile is in cache; what it reduces
//! over rows (weight gradients, losses, class sums) is complete when the segment ends. A *whole segment* runs once.
//!
//! The replica axis is in every buffer: logically a buffer is `[replicas, rows, cols]`, or `[1, rows, cols]` when the
//! replicas share it. How a backend lays it out is its own affair; hosts always see that order, in f64.
//!
//! ```
//! use disentangle::backend::kernel::{Kernel, Unary};
//! use disentangle::backend::program::{
//!     Buffer, BufferId, Domain, Element, EntryId, Extent, Program, RowSpace, Segment, Storage,
//! };
//!
//! // A space of at most two rows, two columns of reals on it that the host sees, an entry point: y = 2 x, row by row.
//! let (space, x, y, double) = (RowSpace(0), BufferId(0), BufferId(1), EntryId(0));
//! let column = |name: &str| Buffer {
//!     name: name.into(),
//!     element: Element::Real,
//!     replicated: false,
//!     extent: Extent::Rows(space),
//!     cols: 1,
//!     storage: Storage::Persistent,
//!     lasting: false,
//! };
//! let kernels = vec![Kernel::Unary { function: Unary::Scale(2.0), x, y }];
//! let program = Program {
//!     replicas: 1,
//!     spaces: vec![2],
//!     buffers: vec![column("x"), column("y")],
//!     entries: vec![vec![Segment { domain: Domain::Rows(space), kernels }]],
//! };
//! // What a segment loops over is the rows of its kernels.
//! assert_eq!(program.entries[double.0][0].kernels[0].domain(&program), Domain::Rows(space));
//! ```

use super::kernel::Kernel;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub usize);
    };
}

id!(
    /// Index of a buffer in [`Program::buffers`].
    BufferId
);
id!(
    /// Index of a row space in [`Program::spaces`].
    RowSpace
);
id!(
    /// Index of an entry point in [`Program::entries`].
    EntryId
);

/// What a buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// The backend's working precision: f64 on the reference, f32 elsewhere.
    Real,
    /// f64 on every backend: counts and class sums, which are read and never differentiated.
    Wide,
    /// Unsigned integers below `bound`: class labels, row numbers.
    Index {
        /// Every element is smaller.
        bound: u32,
    },
}

/// How many rows a buffer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// As many as the row space has active.
    Rows(RowSpace),
    /// A fixed number: parameters and scalars.
    Whole {
        /// That number.
        rows: usize,
    },
}

/// Where a buffer lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Everywhere and always: the host or another segment sees it.
    Persistent,
    /// Only within one run of one row segment: a backend may keep just the tile at hand.
    Tile,
}

/// A buffer of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// For messages: the parameter's or input's name, or the op that makes it.
    pub name: String,
    /// What it holds.
    pub element: Element,
    /// One copy per replica, or one for all.
    pub replicated: bool,
    /// Its rows.
    pub extent: Extent,
    /// Its columns, at least 1.
    pub cols: usize,
    /// Where it lives.
    pub storage: Storage,
    /// The host writes it once for many runs, and nothing else does: a backend may spend time on it then.
    pub lasting: bool,
}

/// Over what a segment loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// Tiles of the rows of a space.
    Rows(RowSpace),
    /// Nothing: it runs once.
    Whole,
}

/// A stretch of kernels that run together.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Over what it loops.
    pub domain: Domain,
    /// In execution order.
    pub kernels: Vec<Kernel>,
}

/// What a plan hands to a backend.
///
/// ```
/// use disentangle::autograd::{Graph, Plan};
/// use disentangle::backend::{BufferId, Program};
///
/// // Two networks of a weight each, and rows that they share, of which 8 are active.
/// let mut graph = Graph::new(2)?;
/// let rows = graph.rows(10)?;
/// graph.input("x", rows, 3, false)?;
/// graph.parameter("w", 5, 3)?;
/// let plan = Plan::new(&graph, &[])?;
/// let program: &Program = plan.program();
/// let (x, w) = (BufferId(0), BufferId(1));
/// assert_eq!((program.buffer(x).name.as_str(), program.buffer(w).name.as_str()), ("x", "w"));
/// assert_eq!((program.copies(x), program.rows(x, &[8]), program.len(x, &[8])), (1, 8, 8 * 3));
/// assert_eq!((program.copies(w), program.rows(w, &[8]), program.len(w, &[8])), (2, 5, 2 * 5 * 3));
/// # Ok::<(), disentangle::autograd::AutogradError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// Number of networks trained side by side, at least 1.
    pub replicas: usize,
    /// Capacity in rows of each row space, at least 1.
    pub spaces: Vec<usize>,
    /// Every buffer.
    pub buffers: Vec<Buffer>,
    /// Every entry point: the segments that one run of it executes.
    pub entries: Vec<Vec<Segment>>,
}

impl Program {
    /// The buffer behind an id.
    pub fn buffer(&self, id: BufferId) -> &Buffer {
        &self.buffers[id.0]
    }

    /// How many copies a buffer has along the replica axis.
    pub fn copies(&self, id: BufferId) -> usize {
        if self.buffer(id).replicated { self.replicas } else { 1 }
    }

    /// Rows of a buffer when the spaces have `active` rows.
    pub fn rows(&self, id: BufferId, active: &[usize]) -> usize {
        match self.buffer(id).extent {
            Extent::Rows(space) => active[space.0],
            Extent::Whole { rows } => rows,
        }
    }

    /// Elements of a buffer when the spaces have `active` rows.
    pub fn len(&self, id: BufferId, active: &[usize]) -> usize {
        self.copies(id) * self.rows(id, active) * self.buffer(id).cols
    }
}
