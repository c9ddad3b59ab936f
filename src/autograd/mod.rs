//! Record once, replay for ever.
//!
//! A [`Graph`] is a flat list of nodes in execution order, their ids are indices. A [`Plan`] walks it forwards and, for
//! training, backwards (the same list read from the end, no recursion), gives every value and gradient a buffer and
//! every parameter its update, and cuts the kernels into segments. A [`Session`] replays it on a backend.
//!
//! An op is one file in `ops/`: formula, what it saves, shape rule, forward, backward. Both are lists of kernels, so an op
//! added there runs on every backend that has the kernels.
//!
//! ```
//! use disentangle::autograd::{Entry, Graph, Plan, Training};
//! use disentangle::backend::{EntryId, Reference};
//!
//! // The mean over two rows of w x, and its gradient by w.
//! let mut graph = Graph::new(1)?;
//! let rows = graph.rows(2)?;
//! let x = graph.input("x", rows, 1, false)?;
//! let w = graph.parameter("w", 1, 1)?;
//! let y = graph.dense(x, w, None)?;
//! let mean = graph.mean_over_rows(y, None)?;
//! let entry = Entry {
//!     outputs: vec![mean],
//!     training: Some(Training { objective: mean, rule: None }),
//! };
//! let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
//! session.write(x, &[1.0, 3.0])?;
//! session.write(w, &[5.0])?;
//! session.evaluate(EntryId(0))?;
//! assert_eq!(session.read(mean)?, [10.0]);
//! assert_eq!(session.gradient(w)?, [2.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
pub mod gradient_check;
mod graph;
mod lowering;
mod ops;
mod plan;
mod schedule;
mod session;

pub use error::AutogradError;
pub use graph::{Graph, Shape, Value};
pub use ops::TEMPERATURES;
pub use plan::{Entry, Plan, Training};
pub use session::{OptimizerStates, Session};
