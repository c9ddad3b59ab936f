//! Times on a CUDA device, by its own clock, beside cuBLAS.
//!
//! A sample: what overwrites the second-level cache, an event, one run, an event; the time from event to event is the device's. Nothing of it is
//! the host's, but in a case that waits for the host itself (reductions over pairs, whose points come from there). Ours and cuBLAS's take turns,
//! so that a clock that the device changes is the same for both. A case's time is the median of its samples.

use std::fmt;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use super::clock::{FEWEST, median};
use super::product::Product;
use super::{BenchError, Case};
use crate::backend::cuda::timing::{Cublas, Peer, Stopwatch};
use crate::backend::cuda::{CudaError, DevicePeak};
use crate::backend::{BackendError, Cuda};

/// A device's own clock.
pub struct DeviceClock {
    watch: Stopwatch,
}

/// Work that is timed.
type Work<'a, E> = &'a mut dyn FnMut() -> Result<(), E>;

impl DeviceClock {
    /// # Errors
    /// [`CudaError::OutOfMemory`], [`CudaError::Call`].
    pub fn new(cuda: &Cuda) -> Result<DeviceClock, CudaError> {
        Ok(DeviceClock {
            watch: cuda.stopwatch()?,
        })
    }

    /// The median time of what is sent to the device, in seconds, from samples that take about `budget` together (at least five).
    ///
    /// # Errors
    /// Those of the work, and what the device refuses.
    pub fn median<E: From<CudaError>>(
        &mut self,
        work: &mut impl FnMut() -> Result<(), E>,
        budget: Duration,
    ) -> Result<f64, E> {
        let [seconds] = self.medians([work], budget)?;
        Ok(seconds)
    }

    /// Those of several, which take turns.
    fn medians<E: From<CudaError>, const N: usize>(
        &mut self,
        mut works: [Work<E>; N],
        budget: Duration,
    ) -> Result<[f64; N], E> {
        let mut samples = [const { Vec::new() }; N];
        // The first of each touches memory, and what is compiled on first use, and does not count.
        for work in &mut works {
            self.watch.time(work)?;
        }
        // The host's clock says when there are enough, and is in no sample.
        let (start, mut turns) = (Instant::now(), 0);
        while turns < FEWEST || start.elapsed() < budget {
            for (work, samples) in works.iter_mut().zip(&mut samples) {
                samples.push(self.watch.time(work)?);
            }
            turns += 1;
        }
        Ok(samples.map(median))
    }
}

/// What times the cases on a device.
pub struct DeviceBench<'a> {
    cuda: &'a Cuda,
    clock: DeviceClock,
    peak: DevicePeak,
    cublas: Result<Cublas, CudaError>,
}

/// The times of a case, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeviceTimes {
    /// Ours.
    pub seconds: f64,
    /// cuBLAS's for the same product; `None` where it is no product, or there is no cuBLAS.
    pub cublas: Option<f64>,
}

/// The version of a cuBLAS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CublasVersion {
    /// Major, minor, patch.
    pub parts: (i32, i32, i32),
}

impl fmt::Display for CublasVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor, patch) = self.parts;
        write!(f, "{major}.{minor}.{patch}")
    }
}

impl From<CudaError> for BenchError {
    fn from(error: CudaError) -> Self {
        BenchError::Backend(BackendError::Cuda(error))
    }
}

impl<'a> DeviceBench<'a> {
    /// Measures what the device can do, and looks for cuBLAS.
    ///
    /// # Errors
    /// [`BenchError::Backend`] for memory that is not to be had, and for a device that computes wrong numbers. A cuBLAS that is not there
    /// is none.
    pub fn new(cuda: &'a Cuda) -> Result<DeviceBench<'a>, BenchError> {
        let mut clock = DeviceClock::new(cuda)?;
        Ok(DeviceBench {
            peak: cuda.peak(&mut clock.watch)?,
            cublas: cuda.cublas(),
            clock,
            cuda,
        })
    }

    /// What the device can do.
    pub fn peak(&self) -> DevicePeak {
        self.peak
    }

    /// The version of cuBLAS.
    ///
    /// # Errors
    /// Why there is none.
    pub fn cublas(&self) -> Result<CublasVersion, &CudaError> {
        let version = |cublas: &Cublas| CublasVersion { parts: cublas.version };
        self.cublas.as_ref().map(version)
    }

    /// The times of a case, from samples that take about `budget` together (at least five of each).
    ///
    /// # Errors
    /// Those of the case; [`BenchError::Backend`] for what cuBLAS refuses.
    pub fn time(&mut self, case: &Case, budget: Duration) -> Result<DeviceTimes, BenchError> {
        let mut work = case.prepare(self.cuda)?;
        let peer = match (&self.cublas, case.product) {
            (Ok(cublas), Some(product)) => Some(peer(cublas, product)?),
            _ => None,
        };
        let Some(peer) = peer else {
            let seconds = self.clock.median(&mut work, budget)?;
            return Ok(DeviceTimes { seconds, cublas: None });
        };
        let [seconds, cublas] = self.clock.medians([&mut work, &mut || Ok(peer.run()?)], budget)?;
        Ok(DeviceTimes {
            seconds,
            cublas: Some(cublas),
        })
    }
}

/// A product of cuBLAS on standard normal numbers, as ours has.
fn peer(cublas: &Cublas, product: Product) -> Result<Peer<'_>, CudaError> {
    let product = product.row_major();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut numbers = |count: usize| -> Vec<f32> {
        let normal = |_| {
            let x: f64 = StandardNormal.sample(&mut rng);
            x as f32
        };
        (0..count).map(normal).collect()
    };
    let [a, b, _] = product.lengths();
    let (a, b) = (numbers(a), numbers(b));
    cublas.peer(product, &a, &b)
}
