//! What a device can do, measured now: multiply-adds per second and bytes copied per second (`kernels/peak.cu`).

use std::sync::Arc;

use super::super::driver::{Context, Memory};
use super::super::error::CudaError;
use super::super::kernels::Kernels;
use super::super::launch::{Launch, THREADS};
use super::events::Stopwatch;

/// The limits of a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DevicePeak {
    /// Floating-point operations per second of f32 multiply-adds in registers, each counted as two.
    pub flops: f64,
    /// Bytes per second of a copy in device memory, read and written bytes together.
    pub bytes: f64,
}

/// Blocks per multiprocessor: as many threads as one can have.
const BLOCKS: u64 = 8;
/// Chains of multiply-adds of a thread, those of the kernel.
const CHAINS: u32 = 8;
/// Rounds are doubled until a sample takes so many seconds, beside which a launch is nothing, or there are so many: up to here
/// every number is a whole one that f32 holds.
const LONG: f64 = 1e-3;
const MOST_ROUNDS: u32 = 1 << 20;
/// Samples, of which the best counts: a limit is what was reached once.
const SAMPLES: usize = 7;

impl DevicePeak {
    /// Measures, and looks whether the numbers are right: a rate of wrong ones is none.
    ///
    /// # Errors
    /// [`CudaError::OutOfMemory`], [`CudaError::Call`], [`CudaError::Launch`]; [`CudaError::Wrong`] for numbers that are not what they
    /// must be.
    pub(super) fn measure(
        context: &Arc<Context>,
        kernels: &Kernels,
        watch: &mut Stopwatch,
    ) -> Result<DevicePeak, CudaError> {
        Ok(DevicePeak {
            flops: multiply_adds(context, kernels, watch)?,
            bytes: copy(context, kernels, watch)?,
        })
    }
}

/// Seconds of the best sample.
///
/// # Safety
/// As [`Launch::run`].
unsafe fn best(context: &Context, launch: &mut Launch, watch: &mut Stopwatch) -> Result<f64, CudaError> {
    let mut best = f64::INFINITY;
    for _ in 0..SAMPLES {
        // SAFETY: the caller's promise.
        let seconds = watch.time(|| unsafe { launch.run(context) })?;
        best = best.min(seconds);
    }
    Ok(best)
}

fn multiply_adds(context: &Arc<Context>, kernels: &Kernels, watch: &mut Stopwatch) -> Result<f64, CudaError> {
    let blocks = BLOCKS * context.described.multiprocessors.max(1) as u64;
    let threads = blocks * u64::from(THREADS);
    let sums = Memory::new(context, "sums of multiply-adds", 4 * threads as usize)?;
    let kernel = kernels.get("peak_multiply_adds")?;
    let mut rounds = 64;
    loop {
        // x = 1 x + 1: whole numbers, so that what must come out is known.
        let launch = Launch::on_grid(kernel, blocks, THREADS)?;
        let mut launch = launch.float(1.0).float(1.0).int(rounds).pointer(sums.address());
        // SAFETY: the kernel's four parameters; a thread writes one number, and there is room for as many as threads.
        let seconds = unsafe { best(context, &mut launch, watch) }?;
        if seconds >= LONG || rounds >= MOST_ROUNDS {
            let right = |(n, &sum): (usize, &f32)| {
                let start = n as u32 % THREADS;
                // The sum of (start + chain + rounds) over the chains.
                sum == (CHAINS * (start + rounds) + CHAINS * (CHAINS - 1) / 2) as f32
            };
            if !sums.read::<f32>(threads as usize)?.iter().enumerate().all(right) {
                return Err(CudaError::Wrong {
                    kernel: "peak_multiply_adds",
                });
            }
            return Ok(2.0 * f64::from(CHAINS) * f64::from(rounds) * threads as f64 / seconds);
        }
        rounds *= 2;
    }
}

fn copy(context: &Arc<Context>, kernels: &Kernels, watch: &mut Stopwatch) -> Result<f64, CudaError> {
    // Each side is four times the cache, or what is a lot for any.
    let fours = (4 * context.described.cache_bytes).max(1 << 20) / 16;
    let bytes = 16 * fours;
    let (from, to) = (
        Memory::new(context, "numbers to copy", bytes)?,
        Memory::new(context, "copied numbers", bytes)?,
    );
    let numbers: Vec<u32> = (0..4 * fours as u32).collect();
    from.write(&numbers)?;
    let blocks = BLOCKS * context.described.multiprocessors.max(1) as u64;
    let launch = Launch::on_grid(kernels.get("peak_copy")?, blocks, THREADS)?;
    let mut launch = launch.pointer(from.address()).pointer(to.address()).long(fours);
    // SAFETY: the kernel's three parameters; both sides have that many times four numbers, on addresses of allocations.
    let seconds = unsafe { best(context, &mut launch, watch) }?;
    if to.read::<u32>(numbers.len())? != numbers {
        return Err(CudaError::Wrong { kernel: "peak_copy" });
    }
    Ok(2.0 * bytes as f64 / seconds)
}
