//! Record once, replay for ever.
//!
//! A [`Graph`] is a flat list of nodes in execution order, their ids are indices. A [`Plan`] walks it forwards and, for
//! training, backwards (the same list read from the end, no recursion), gives every value and gradient a buffer and
//! every parameter its update, and cuts the kernels into segments. A [`Session`] replays it on a backend.
//!
//! An op is one file in `ops/`: formula, what it saves, shape rule, forward, backward. Both are lists of kernels, so an op
//! added there runs on every backend that has the kernels.

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
