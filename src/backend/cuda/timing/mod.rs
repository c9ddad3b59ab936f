//! What `bench` needs of a device: times by its own clock, what it can do, and a peer.
//!
//! | file | what it does |
//! |---|---|
//! | `events` | a stopwatch: the cache overwritten, an event, the work, an event |
//! | `peak` | multiply-adds in registers and a copy in memory |
//! | `cublas` | the products of NVIDIA's library |
//! | `gemm` | a row-major product in the words of a column-major library |

mod cublas;
mod events;
mod gemm;
mod peak;

pub(crate) use cublas::{Cublas, Peer};
pub(crate) use events::Stopwatch;
pub(crate) use gemm::RowMajor;
pub use peak::DevicePeak;

use super::{Cuda, CudaError};

impl Cuda {
    /// What takes times on the device.
    pub(crate) fn stopwatch(&self) -> Result<Stopwatch, CudaError> {
        Stopwatch::new(&self.context)
    }

    /// What the device can do, measured now.
    pub(crate) fn peak(&self, watch: &mut Stopwatch) -> Result<DevicePeak, CudaError> {
        DevicePeak::measure(&self.context, &self.kernels, watch)
    }

    /// NVIDIA's products, where they are installed.
    pub(crate) fn cublas(&self) -> Result<Cublas, CudaError> {
        Cublas::load(&self.context)
    }
}
