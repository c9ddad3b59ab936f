//! Timings of every kernel of a backend, as percent of what this machine can do.
//!
//! A [`Case`] is a piece of work that can be run again and again: one kernel on one shape, or a whole training step. The
//! list is [`cases::all`]; the command `disentangle bench` prints it as a table, and the criterion benches run it too.
//! What the machine can do is measured on the spot by [`peak`]: multiply-adds and copied bytes per second.
//!
//! A time is the median of samples, by whose clock it is fit for: the host's ([`median_time`]), or that of a device (`device`, with the
//! feature `cuda`), where cuBLAS is timed beside the products.

pub mod cases;
mod clock;
#[cfg(feature = "cuda")]
pub mod device;
mod pairs;
pub mod peak;
mod product;
mod single;
mod step;

use std::fmt;
use std::time::Duration;

pub use clock::median_time;
use product::Product;

use crate::autograd::AutogradError;
use crate::backend::pairwise::PairwiseError;
use crate::backend::{Backend, BackendError};
use crate::nn::NnError;

/// Why a case cannot be prepared or run.
#[derive(Debug)]
pub enum BenchError {
    /// The backend refuses.
    Backend(BackendError),
    /// The graph or its plan refuses.
    Graph(AutogradError),
    /// The network refuses.
    Network(NnError),
    /// A reduction over pairs refuses.
    Pairs(PairwiseError),
}

impl fmt::Display for BenchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BenchError::Backend(error) => error.fmt(f),
            BenchError::Graph(error) => error.fmt(f),
            BenchError::Network(error) => error.fmt(f),
            BenchError::Pairs(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BenchError {}

impl From<BackendError> for BenchError {
    fn from(error: BackendError) -> Self {
        BenchError::Backend(error)
    }
}

impl From<AutogradError> for BenchError {
    fn from(error: AutogradError) -> Self {
        BenchError::Graph(error)
    }
}

impl From<PairwiseError> for BenchError {
    fn from(error: PairwiseError) -> Self {
        BenchError::Pairs(error)
    }
}

impl From<NnError> for BenchError {
    fn from(error: NnError) -> Self {
        BenchError::Network(error)
    }
}

/// Work that is ready to run, as long as its backend lives.
pub type Ready<'a> = Box<dyn FnMut() -> Result<(), BenchError> + 'a>;

/// Loads work into a backend.
type Prepare = Box<dyn for<'a> Fn(&'a dyn Backend) -> Result<Ready<'a>, BenchError>>;

/// One line of the table.
pub struct Case {
    /// What runs: a kernel's name, or `step`.
    pub kernel: &'static str,
    /// On what, in words: rows x columns, replicas.
    pub shape: String,
    /// Floating-point operations of one run; a multiply-add counts as two. `None` where they are not what bounds it.
    pub flops: Option<f64>,
    /// Bytes that one run must read and write at least, each operand once. `None` for a whole step.
    pub bytes: Option<f64>,
    /// The part of each run that is waiting, known in advance and not counted.
    pub pause: Duration,
    /// Whether it is the host's own, and says nothing about a backend.
    pub host: bool,
    /// The product that it is, for a library that has products.
    #[cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "only a device has a peer"))]
    product: Option<Product>,
    prepare: Prepare,
}

impl Case {
    /// Allocates and fills the operands.
    ///
    /// # Errors
    /// [`BenchError`]
    pub fn prepare<'a>(&self, backend: &'a dyn Backend) -> Result<Ready<'a>, BenchError> {
        (self.prepare)(backend)
    }

    /// Kernel and shape: unique in the list.
    pub fn name(&self) -> String {
        format!("{} {}", self.kernel, self.shape)
    }
}
