//! Times by the device's own clock: two events around what is sent to the default stream, after the second-level cache was overwritten.
//!
//! What overwrites the cache also keeps the device busy while the host sends the first event, the work and the second one: so the time from
//! event to event has none of the host's in it, unless the work itself waits for the host.

use std::sync::Arc;

use cudarc::driver::result;
use cudarc::driver::sys::{self, CUevent_flags};

use super::super::driver::{Context, Memory, call};
use super::super::error::CudaError;

/// What a device that does not tell the size of its cache gets overwritten, in bytes: more than any has had.
const UNKNOWN: usize = 256 << 20;

/// A place in the default stream, whose time the device notes when it gets there.
struct Event {
    context: Arc<Context>,
    handle: sys::CUevent,
}

// SAFETY: a handle that the driver's calls use from any thread that has entered the context.
unsafe impl Send for Event {}

impl Event {
    fn new(context: &Arc<Context>) -> Result<Event, CudaError> {
        let failed = call("making an event");
        context.enter().map_err(&failed)?;
        let handle = result::event::create(CUevent_flags::CU_EVENT_DEFAULT).map_err(&failed)?;
        Ok(Event {
            context: context.clone(),
            handle,
        })
    }

    fn record(&self) -> Result<(), CudaError> {
        let failed = call("recording an event");
        self.context.enter().map_err(&failed)?;
        // SAFETY: the event is live, the stream is the default one.
        unsafe { result::event::record(self.handle, std::ptr::null_mut()) }.map_err(&failed)
    }

    /// Waits until the device has been there.
    fn wait(&self) -> Result<(), CudaError> {
        let failed = call("waiting for an event");
        self.context.enter().map_err(&failed)?;
        // SAFETY: the event is live.
        unsafe { result::event::synchronize(self.handle) }.map_err(&failed)
    }

    /// Seconds since an earlier one; both have been waited for.
    fn since(&self, earlier: &Event) -> Result<f64, CudaError> {
        let failed = call("asking for the time between events");
        self.context.enter().map_err(&failed)?;
        // SAFETY: both events are live.
        let milliseconds = unsafe { result::event::elapsed(earlier.handle, self.handle) }.map_err(&failed)?;
        Ok(f64::from(milliseconds) * 1e-3)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        if self.context.enter().is_ok() {
            // SAFETY: made in `new`, destroyed only here; the driver lets what waits for it end.
            let _ = unsafe { result::event::destroy(self.handle) };
        }
    }
}

/// See the [module](self).
pub(crate) struct Stopwatch {
    start: Event,
    end: Event,
    /// Twice the size of the second-level cache.
    flushed: Memory,
}

impl Stopwatch {
    /// # Errors
    /// [`CudaError::OutOfMemory`], [`CudaError::Call`].
    pub(super) fn new(context: &Arc<Context>) -> Result<Stopwatch, CudaError> {
        let bytes = match context.described.cache_bytes {
            0 => UNKNOWN,
            bytes => 2 * bytes,
        };
        Ok(Stopwatch {
            start: Event::new(context)?,
            end: Event::new(context)?,
            flushed: Memory::new(context, "what overwrites the cache", bytes)?,
        })
    }

    /// Seconds that the device takes for what `work` sends to the default stream, with a cache that holds nothing of it. It returns when
    /// the device is done.
    ///
    /// # Errors
    /// Those of the work, and [`CudaError::Call`].
    pub(crate) fn time<E: From<CudaError>>(&mut self, work: impl FnOnce() -> Result<(), E>) -> Result<f64, E> {
        self.flushed.overwrite(0)?;
        self.start.record()?;
        work()?;
        self.end.record()?;
        self.end.wait()?;
        Ok(self.end.since(&self.start)?)
    }
}
