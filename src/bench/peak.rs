//! What this machine can do, measured now: multiply-adds per second and bytes copied per second.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::BenchError;
use crate::backend::BackendError;
use crate::backend::cpu::isa::Isa;
use crate::backend::cpu::peak::multiply_adds;
use crate::backend::cpu::pool::{Pool, PoolError};

/// The machine's limits with a number of threads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// Threads.
    pub threads: usize,
    /// Floating-point operations per second of multiply-adds in registers, each counted as two.
    pub flops: f64,
    /// Bytes per second of a copy of 128 MB, read and written bytes together.
    pub bytes: f64,
}

/// Numbers copied by all threads together: 128 MB, beyond the caches of most machines.
const COPIED: usize = 32 << 20;
/// Rounds of a sample: some milliseconds.
const ROUNDS: u64 = 1 << 20;
/// Samples at least, of which the best counts: a limit is what was reached once.
const SAMPLES: usize = 7;
/// Seconds of samples at least. A system may have woken both threads on one processor, and needs tens of milliseconds to see it.
const SECONDS: f64 = 0.25;

impl Peak {
    /// Measures: about a second.
    ///
    /// # Errors
    /// [`BenchError::Backend`] for threads that cannot be had.
    pub fn measure(isa: Isa, threads: usize) -> Result<Peak, BenchError> {
        let reason = |error: PoolError| BackendError::Threads {
            reason: error.to_string(),
        };
        let pool = Pool::new(threads).map_err(reason)?;
        let copy = || {
            let numbers = COPIED / threads;
            let (from, mut to) = (vec![1f32; numbers], vec![0f32; numbers]);
            move || {
                to.copy_from_slice(std::hint::black_box(&from));
                std::hint::black_box(&to);
                2.0 * size_of_val(from.as_slice()) as f64
            }
        };
        Ok(Peak {
            threads,
            flops: best_rate(&pool, || move || multiply_adds(isa, ROUNDS)),
            bytes: best_rate(&pool, copy),
        })
    }
}

/// The best rate of all threads of a pool together, in several samples. Each has work of its own, made by `prepare`; a run of
/// it returns how much it did.
fn best_rate<W: FnMut() -> f64 + Send>(pool: &Pool, prepare: impl Fn() -> W) -> f64 {
    let threads = pool.threads();
    let works: Vec<Mutex<W>> = (0..threads).map(|_| Mutex::new(prepare())).collect();
    let sample = || {
        let (arrived, done) = (AtomicUsize::new(0), Mutex::new(0.0));
        let start = Instant::now();
        pool.run(threads, &|_, task| {
            // Nobody goes on before all have a task: no thread takes two.
            arrived.fetch_add(1, SeqCst);
            while arrived.load(SeqCst) < threads {
                std::thread::yield_now();
            }
            let own = works[task].lock().unwrap_or_else(PoisonError::into_inner)();
            *done.lock().unwrap_or_else(PoisonError::into_inner) += own;
        });
        done.into_inner().unwrap_or_else(PoisonError::into_inner) / start.elapsed().as_secs_f64()
    };
    // The first touches memory for the first time and wakes the processor up.
    sample();
    let (start, mut best) = (Instant::now(), 0.0);
    for taken in 1.. {
        best = sample().max(best);
        if taken >= SAMPLES && start.elapsed().as_secs_f64() >= SECONDS {
            break;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_has_a_peak_and_wider_ones_are_not_slower() {
        let peaks: Vec<Peak> = Isa::available()
            .into_iter()
            .map(|isa| Peak::measure(isa, 1).unwrap())
            .collect();
        for peak in &peaks {
            assert_eq!(peak.threads, 1);
            assert!(peak.flops > 1e8 && peak.flops.is_finite(), "{peak:?}");
            assert!(peak.bytes > 1e7 && peak.bytes.is_finite(), "{peak:?}");
        }
        // Eight lanes and fused against four and not: a factor of four on paper, of which a busy machine takes some.
        if let [portable, .., widest] = peaks.as_slice() {
            assert!(widest.flops > portable.flops, "{peaks:?}");
        }
    }
}
