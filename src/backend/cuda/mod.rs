//! The CUDA backend: f32 on an NVIDIA device, kernel after kernel on one stream, an entry of a program as one graph. The kernels are `kernels/*.cu`, embedded as PTX.
//!
//! Buffers lie on the device as hosts see them, `[replicas, rows, cols]`, packed for the active rows, and stay there: a step moves
//! nothing between host and device. Sums over rows have two stages in a fixed order, so that no bit depends on the device or on
//! the number of replicas. Nothing here needs a toolkit, or a driver before [`Cuda::new`] is called.
//!
//! | file | what it does |
//! |---|---|
//! | `driver` | the driver's functions, safe: context, memory, modules, launches |
//! | `symbols` | their names, looked for before the first call |
//! | `kernels` | the kernels by name |
//! | `launch` | a launch written down once and replayed |
//! | `graph` | all launches of an entry as one call to the driver |
//! | `lower`, `fused`, `product`, `sums`, `functions` | from a program's kernels to launches |
//! | `machine` | a program with its buffers |
//! | `pairs/` | reductions over pairs: hosts' arrays in, hosts' arrays out |
//! | `timing/` | for `bench`: times by the device's clock, what it can do, NVIDIA's products |

mod driver;
mod error;
mod functions;
mod fused;
mod graph;
mod kernels;
mod launch;
mod lower;
mod machine;
mod pairs;
mod product;
mod sums;
mod symbols;
#[cfg(feature = "verify")]
pub(crate) mod timing;

use std::sync::Arc;

use super::program::Program;
use super::{Backend, BackendError, Executable, Pairwise, check_sizes};
use driver::Context;
pub use driver::{Device, devices};
pub use error::{CudaError, OLDEST_DEVICE, OLDEST_DRIVER};
use kernels::Kernels;
#[cfg(feature = "verify")]
pub use timing::DevicePeak;

/// The f32 backend on one device. Its programs share the device's primary context and its default stream.
pub struct Cuda {
    kernels: Arc<Kernels>,
    context: Arc<Context>,
}

impl Cuda {
    /// A backend on device `ordinal`.
    ///
    /// # Errors
    /// [`BackendError::Cuda`] where there is no driver, it is too old, the device is not there or too old.
    pub fn new(ordinal: usize) -> Result<Cuda, BackendError> {
        let context = Context::open(ordinal)?;
        let kernels = Arc::new(Kernels::load(&context)?);
        Ok(Cuda { kernels, context })
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.context.described
    }

    /// The CUDA version that the driver is for.
    pub fn driver(&self) -> (i32, i32) {
        self.context.driver
    }
}

impl Backend for Cuda {
    fn name(&self) -> &'static str {
        "cuda"
    }

    fn load(&self, program: Program) -> Result<Box<dyn Executable>, BackendError> {
        check_sizes(&program)?;
        let machine = machine::Machine::new(program, self.context.clone(), self.kernels.clone())?;
        Ok(Box::new(machine))
    }

    fn pairs(&self) -> &dyn Pairwise {
        self
    }
}
