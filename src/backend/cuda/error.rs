//! What can go wrong between this program, the driver and the device: what, where, what to do.

use std::fmt;

/// The oldest driver that reads the kernels: they are PTX 8.0.
pub const OLDEST_DRIVER: (i32, i32) = (12, 0);

/// The oldest device that they run on.
pub const OLDEST_DEVICE: (i32, i32) = (8, 0);

/// An error of the CUDA backend, one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CudaError {
    /// No library of the driver.
    NoDriver,
    /// A driver that does not know the kernels' PTX.
    DriverTooOld {
        /// The CUDA version that it is for.
        found: (i32, i32),
    },
    /// A driver's library without a function that is needed.
    Symbol {
        /// The function.
        name: &'static str,
    },
    /// A driver without a device.
    NoDevice,
    /// A device number that is not there.
    Ordinal {
        /// Asked for.
        ordinal: usize,
        /// How many devices there are.
        devices: usize,
    },
    /// A device that is too old.
    Capability {
        /// Its number.
        ordinal: usize,
        /// Its name.
        name: String,
        /// Its compute capability.
        found: (i32, i32),
    },
    /// Memory that the device does not have.
    OutOfMemory {
        /// What it is for.
        buffer: String,
        /// How much, in bytes.
        bytes: usize,
        /// Bytes that are free.
        free: usize,
        /// Bytes that the device has.
        total: usize,
    },
    /// More blocks than a launch can have.
    Grid {
        /// The kernel.
        kernel: &'static str,
        /// Blocks that it takes.
        blocks: u64,
    },
    /// A kernel that could not be launched or, with `CUDA_LAUNCH_BLOCKING=1`, that failed.
    Launch {
        /// The kernel.
        kernel: &'static str,
        /// The driver's name of the error and its words.
        error: String,
    },
    /// A kernel whose numbers are not what they must be, whatever the device.
    Wrong {
        /// The kernel.
        kernel: &'static str,
    },
    /// No cuBLAS, which `bench` compares with.
    NoCublas {
        /// The function that the library lacks; `None` where there is no library.
        missing: Option<&'static str>,
    },
    /// Any other call.
    Call {
        /// What was to be done.
        what: String,
        /// The driver's name of the error and its words.
        error: String,
    },
}

impl fmt::Display for CudaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (driver, device) = (OLDEST_DRIVER, OLDEST_DEVICE);
        let mebibytes = |bytes: usize| bytes.div_ceil(1 << 20);
        match self {
            CudaError::NoDriver => f.write_str("no CUDA, as no NVIDIA driver (libcuda) was found"),
            CudaError::DriverTooOld { found } => write!(
                f,
                "no CUDA, as the NVIDIA driver is for CUDA {}.{} and the kernels need {}.{} or later",
                found.0, found.1, driver.0, driver.1
            ),
            CudaError::Symbol { name } => write!(
                f,
                "no CUDA, as the NVIDIA driver (libcuda) has no function {name}, which drivers for CUDA {}.{} and later have: reinstall it",
                driver.0, driver.1
            ),
            CudaError::NoDevice => f.write_str("no CUDA, as the NVIDIA driver finds no device"),
            CudaError::Ordinal { ordinal, devices: 1 } => {
                write!(f, "no CUDA device {ordinal}, expected 0, the only one")
            }
            CudaError::Ordinal { ordinal, devices } => {
                write!(
                    f,
                    "no CUDA device {ordinal}, expected 0 to {}",
                    devices.saturating_sub(1)
                )
            }
            CudaError::Capability { ordinal, name, found } => write!(
                f,
                "CUDA device {ordinal} ({name}) has compute capability {}.{}, expected {}.{} or later",
                found.0, found.1, device.0, device.1
            ),
            CudaError::OutOfMemory {
                buffer,
                bytes,
                free,
                total,
            } => write!(
                f,
                "'{buffer}' takes {} MiB of the CUDA device's memory, of which {} of {} MiB are free: take fewer rows or \
                 replicas, or a smaller batch",
                mebibytes(*bytes),
                free >> 20,
                total >> 20
            ),
            CudaError::Grid { kernel, blocks } => write!(
                f,
                "CUDA kernel {kernel} would take {blocks} blocks, expected at most {}: take fewer rows or replicas, or a smaller batch",
                i32::MAX
            ),
            CudaError::Launch { kernel, error } => write!(f, "CUDA kernel {kernel}: {error}"),
            CudaError::Wrong { kernel } => write!(
                f,
                "CUDA kernel {kernel} computed wrong numbers: `disentangle verify --device cuda` tells which others do"
            ),
            CudaError::NoCublas { missing: None } => f.write_str(
                "no cuBLAS (libcublas) was found: install that of a CUDA 12 toolkit, or name its folder in LD_LIBRARY_PATH",
            ),
            CudaError::NoCublas { missing: Some(name) } => write!(
                f,
                "the cuBLAS (libcublas) that was found has no function {name}: expected that of a CUDA 12 toolkit"
            ),
            CudaError::Call { what, error } => write!(
                f,
                "CUDA, {what}: {error}; if a kernel failed, CUDA_LAUNCH_BLOCKING=1 names it"
            ),
        }
    }
}

impl std::error::Error for CudaError {}
