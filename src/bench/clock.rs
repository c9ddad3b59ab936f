//! Times by the host's clock: the median of samples, each long enough to be read off it. Other programs make a sample longer, never
//! shorter, and a median forgives them half of the time.

use std::time::{Duration, Instant};

/// A sample is at least this long, or one run.
const SAMPLE: Duration = Duration::from_millis(1);
/// Fewest samples.
pub(super) const FEWEST: usize = 5;

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
    Ok(median(samples) - pause.as_secs_f64())
}

/// The one in the middle; NaN of none.
pub(super) fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::BackendError;
    use crate::bench::{BenchError, Ready};

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
