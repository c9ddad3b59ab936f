//! Timings of every kernel of a backend, as percent of what this machine can do.
//!
//! A [`Case`] is a piece of work that can be run again and again: one kernel on one shape, or a whole training step. The
//! list is [`cases::all`]; the command `disentangle bench` prints it as a table, and the criterion benches run it too.
//! What the machine can do is measured on the spot by [`peak`]: multiply-adds and copied bytes per second.
//!
//! A time is the median of samples, each long enough to be read off a clock; other programs make a sample longer, never
//! shorter, and a median forgives them half of the time.

pub mod cases;
mod pairs;
pub mod peak;
mod single;
mod step;

use std::fmt;
use std::time::{Duration, Instant};

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

/// Work that is ready to run.
pub type Ready = Box<dyn FnMut() -> Result<(), BenchError>>;

/// Loads work into a backend.
type Prepare = Box<dyn Fn(&dyn Backend) -> Result<Ready, BenchError>>;

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
    prepare: Prepare,
}

impl Case {
    /// Allocates and fills the operands.
    ///
    /// # Errors
    /// [`BenchError`]
    pub fn prepare(&self, backend: &dyn Backend) -> Result<Ready, BenchError> {
        (self.prepare)(backend)
    }

    /// Kernel and shape: unique in the list.
    pub fn name(&self) -> String {
        format!("{} {}", self.kernel, self.shape)
    }
}

/// A sample is at least this long, or one run.
const SAMPLE: Duration = Duration::from_millis(1);
/// Fewest samples.
const FEWEST: usize = 5;

/// The median time of one run without its `pause`, in seconds, from samples that take about `budget` together (at least
/// five).
///
/// # Errors
/// Those of the work.
pub fn median_time<E>(work: &mut impl FnMut() -> Result<(), E>, pause: Duration, budget: Duration) -> Result<f64, E> {
    let mut run = |times: u32| -> Result<Duration, E> {
        let start = Instant::now();
        for _ in 0..times {
            work()?;
        }
        Ok(start.elapsed())
    };
    // The first run touches memory for the first time; the second says how many make a sample.
    run(1)?;
    let once = run(1)?.max(Duration::from_nanos(1));
    let times = (SAMPLE.as_secs_f64() / once.as_secs_f64()).ceil().clamp(1.0, 1e6) as u32;
    let mut samples = Vec::new();
    let start = Instant::now();
    while samples.len() < FEWEST || start.elapsed() < budget {
        samples.push(run(times)?.as_secs_f64() / f64::from(times));
    }
    samples.sort_unstable_by(f64::total_cmp);
    Ok(samples[samples.len() / 2] - pause.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_time_is_that_of_the_work() {
        let mut sleeps: Ready = Box::new(|| {
            std::thread::sleep(Duration::from_millis(3));
            Ok(())
        });
        let time = median_time(&mut sleeps, Duration::from_millis(1), Duration::ZERO).unwrap();
        // Sleeping never takes less.
        assert!(time >= 2e-3, "{time}");
        let mut fails: Ready = Box::new(|| Err(BenchError::Backend(BackendError::UnknownEntry { id: 7 })));
        assert!(median_time(&mut fails, Duration::ZERO, Duration::ZERO).is_err());
    }
}
