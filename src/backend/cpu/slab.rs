//! A block of memory that several threads write at once, each its own part.
//!
//! A `Vec` cannot be lent out in parts that are not known when it is borrowed. A slab can: it owns zeroed, cache-line
//! aligned memory that is never moved or resized, and hands out slices of it. The host side (`all`, `all_mut`) is safe by
//! borrowing; the kernel side (`part`, `part_mut`) is `unsafe` and its callers state who else may be there.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use std::ptr::NonNull;

use crate::backend::BackendError;

const CACHE_LINE: usize = 64;

/// A page of x86-64 and of most others beside the usual one of 4 KB.
const HUGE_PAGE: usize = 2 << 20;

/// From here on a slab lies on huge pages, if the system has them. The rows of a tile of samples are on as many pages as
/// there are rows, more than the processor's first table of pages holds.
const LARGE: usize = 2 * HUGE_PAGE;

/// Asks the system for huge pages: a hint, whose failure changes nothing but the speed.
fn huge_pages(start: *mut u8, length: usize) {
    #[cfg(target_os = "linux")]
    {
        use std::ffi::{c_int, c_void};
        // The C library is linked by std; this is all that a crate would be for.
        unsafe extern "C" {
            fn madvise(start: *mut c_void, length: usize, advice: c_int) -> c_int;
        }
        const MADV_HUGEPAGE: c_int = 14;
        // SAFETY: the range has just been allocated, and the advice changes no contents.
        unsafe { madvise(start.cast(), length, MADV_HUGEPAGE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, length);
}

/// A number type whose zero is all zero bits.
pub(super) trait Plain: Copy + Send + Sync {}
impl Plain for f32 {}
impl Plain for f64 {}
impl Plain for u32 {}
impl Plain for u64 {}

/// Zeroed, aligned memory of fixed length.
pub(super) struct Slab<T: Plain> {
    start: NonNull<T>,
    length: usize,
}

// SAFETY: a slab owns its memory like a Vec<T>; shared access to parts goes through unsafe functions whose callers keep
// writers apart.
unsafe impl<T: Plain> Send for Slab<T> {}
// SAFETY: as above.
unsafe impl<T: Plain> Sync for Slab<T> {}

impl<T: Plain> Slab<T> {
    /// Memory for `length` zeros of what `name` says.
    ///
    /// # Errors
    /// [`BackendError::OutOfMemory`] if it is not to be had.
    pub(super) fn new(name: &str, length: usize) -> Result<Slab<T>, BackendError> {
        let none = || BackendError::OutOfMemory {
            buffer: name.into(),
            bytes: length.saturating_mul(size_of::<T>()),
        };
        let layout = Self::layout(length).ok_or_else(none)?;
        if layout.size() == 0 {
            return Ok(Slab {
                start: NonNull::dangling(),
                length,
            });
        }
        let start = if layout.align() == HUGE_PAGE {
            // SAFETY: the layout is not empty.
            let start = unsafe { alloc(layout) };
            if !start.is_null() {
                huge_pages(start, layout.size());
                // SAFETY: that many bytes have been allocated.
                unsafe { start.write_bytes(0, layout.size()) };
            }
            start
        } else {
            // SAFETY: the layout is not empty.
            unsafe { alloc_zeroed(layout) }
        };
        Ok(Slab {
            start: NonNull::new(start.cast::<T>()).ok_or_else(none)?,
            length,
        })
    }

    fn layout(length: usize) -> Option<Layout> {
        let layout = Layout::array::<T>(length).ok()?;
        let large = layout.size() >= LARGE;
        layout.align_to(if large { HUGE_PAGE } else { CACHE_LINE }).ok()
    }

    pub(super) fn all(&self) -> &[T] {
        // SAFETY: start..start + length is owned, initialised memory; writers need `&mut self` or the unsafe `part_mut`,
        // whose callers promise that nobody reads.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }

    pub(super) fn all_mut(&mut self) -> &mut [T] {
        // SAFETY: owned, initialised, and borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }

    /// Elements `start..start + length`.
    ///
    /// # Safety
    /// Nobody writes them while the slice lives.
    pub(super) unsafe fn part(&self, start: usize, length: usize) -> &[T] {
        assert!(start.checked_add(length).is_some_and(|end| end <= self.length));
        // SAFETY: in range (just checked), initialised, and not written by the caller's promise.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().add(start), length) }
    }

    /// Elements `start..start + length`, to be written.
    ///
    /// # Safety
    /// Nobody else reads or writes them while the slice lives.
    #[expect(
        clippy::mut_from_ref,
        reason = "that is what a slab is for; see the module's comment"
    )]
    pub(super) unsafe fn part_mut(&self, start: usize, length: usize) -> &mut [T] {
        assert!(start.checked_add(length).is_some_and(|end| end <= self.length));
        // SAFETY: in range (just checked), initialised, and exclusive by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().add(start), length) }
    }
}

impl<T: Plain> Drop for Slab<T> {
    fn drop(&mut self) {
        if let Some(layout) = Self::layout(self.length).filter(|layout| layout.size() != 0) {
            // SAFETY: allocated in `new` with this layout.
            unsafe { dealloc(self.start.as_ptr().cast(), layout) };
        }
    }
}
