//! What this machine can do, measured now: multiply-adds per second and bytes copied per second.

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use crate::backend::cpu::isa::Isa;
use crate::backend::cpu::peak::multiply_adds;

/// The machine's limits with a number of threads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// Threads.
    pub threads: usize,
    /// Floating-point operations per second of multiply-adds in registers, each counted as two.
    pub flops: f64,
    /// Bytes per second of a copy of 32 MB per thread: read and written bytes together.
    pub bytes: f64,
}

/// Numbers that one thread copies: 32 MB, beyond the caches that belong to one core.
const COPIED: usize = 8 << 20;
/// Rounds of a sample: some milliseconds.
const ROUNDS: u64 = 1 << 20;
/// Samples, of which the best counts: a limit is what was reached once.
const SAMPLES: usize = 7;

impl Peak {
    /// Measures: about a tenth of a second. Threads that cannot be started are left out, and `threads` says how many ran.
    pub fn measure(isa: Isa, threads: usize) -> Peak {
        // The first run touches memory for the first time and wakes the processor up.
        let copy = || {
            let (from, mut to) = (vec![1f32; COPIED], vec![0f32; COPIED]);
            move || {
                to.copy_from_slice(std::hint::black_box(&from));
                std::hint::black_box(&to);
                2.0 * size_of_val(from.as_slice()) as f64
            }
        };
        let (threads, flops) = best_rate(threads, || move || multiply_adds(isa, ROUNDS));
        let (_, bytes) = best_rate(threads, copy);
        Peak { threads, flops, bytes }
    }
}

/// Runs `work` on so many threads at once, several times: the threads that ran, and the best rate of all together. Each
/// thread makes its work by `prepare`, and a run of it returns how much it did.
fn best_rate<W: FnMut() -> f64>(threads: usize, prepare: impl Fn() -> W + Sync) -> (usize, f64) {
    let threads = threads.max(1);
    // Threads wait for one another before and after each sample, so that the slowest ends it.
    let barrier = Barrier::new(threads);
    let run = || {
        let mut work = prepare();
        let mut samples = Vec::with_capacity(SAMPLES + 1);
        for _ in 0..=SAMPLES {
            barrier.wait();
            let start = Instant::now();
            let done = work();
            barrier.wait();
            samples.push((done, start.elapsed().as_secs_f64()));
        }
        samples
    };
    let samples = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut all = vec![run()];
        all.extend(others.into_iter().filter_map(|other| other.join().ok()));
        all
    });
    let rate = |n: usize| {
        let done: f64 = samples.iter().map(|thread| thread[n].0).sum();
        done / samples
            .iter()
            .map(|thread| thread[n].1)
            .fold(f64::MIN_POSITIVE, f64::max)
    };
    (threads, (1..=SAMPLES).map(rate).fold(0.0, f64::max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_has_a_peak_and_wider_ones_are_not_slower() {
        let peaks: Vec<Peak> = Isa::available().into_iter().map(|isa| Peak::measure(isa, 1)).collect();
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
