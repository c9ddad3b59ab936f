//! A block of memory that several threads write at once, each its own part.
//!
//! A `Vec` cannot be lent out in parts that are not known when it is borrowed. A slab can: it owns zeroed, cache-line
//! aligned memory that is never moved or resized, and hands out slices of it. The host side (`all`, `all_mut`) is safe by
//! borrowing; the kernel side (`part`, `part_mut`) is `unsafe` and its callers state who else may be there.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

use crate::backend::BackendError;

const CACHE_LINE: usize = 64;

/// A page of x86-64 and of most others beside the usual one of 4 KB.
const HUGE_PAGE: usize = 2 << 20;

/// From here on a slab lies on huge pages, if the system has them. The rows of a tile of samples are on as many pages as
/// there are rows, more than the processor's first table of pages holds.
const LARGE: usize = 2 * HUGE_PAGE;

/// Zeroed memory on huge pages, straight from the system: it is cleared page by page by who touches it first, so by all threads of
/// a kernel that fills it, where an allocator would clear it before.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod pages {
    use std::alloc::Layout;
    use std::ffi::{c_int, c_long, c_void};

    // The C library is linked by std; this is all that a crate would be for.
    unsafe extern "C" {
        fn mmap(at: *mut c_void, length: usize, access: c_int, kind: c_int, file: c_int, offset: c_long)
        -> *mut c_void;
        fn munmap(start: *mut c_void, length: usize) -> c_int;
        fn madvise(start: *mut c_void, length: usize, advice: c_int) -> c_int;
    }
    const READ_AND_WRITE: c_int = 1 | 2;
    const PRIVATE_AND_ANONYMOUS: c_int = 0x02 | 0x20;
    const MADV_HUGEPAGE: c_int = 14;

    /// Null if there is none.
    ///
    /// # Safety
    /// The layout's size is a multiple of its alignment, which is one of whole pages.
    pub(super) unsafe fn map(layout: Layout) -> *mut u8 {
        let Some(length) = layout.size().checked_add(layout.align()) else {
            return std::ptr::null_mut();
        };
        // SAFETY: memory that nobody has is asked for.
        let all = unsafe {
            mmap(
                std::ptr::null_mut(),
                length,
                READ_AND_WRITE,
                PRIVATE_AND_ANONYMOUS,
                -1,
                0,
            )
        };
        if all.addr() == usize::MAX {
            return std::ptr::null_mut();
        }
        let before = all.addr().wrapping_neg() % layout.align();
        let start = all.wrapping_byte_add(before);
        // SAFETY: whole pages of what was mapped: those before and after the aligned part go back. The advice is a hint, whose failure
        // changes nothing but the speed.
        unsafe {
            if before > 0 {
                munmap(all, before);
            }
            if before < layout.align() {
                munmap(start.wrapping_byte_add(layout.size()), layout.align() - before);
            }
            madvise(start, layout.size(), MADV_HUGEPAGE);
        }
        start.cast()
    }

    /// # Safety
    /// `start` comes from `map` with this layout, and nobody uses it any more.
    pub(super) unsafe fn unmap(start: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { munmap(start.cast(), layout.size()) };
    }
}

/// The allocator's memory, where the system's pages are not asked for.
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod pages {
    pub(super) use std::alloc::{alloc_zeroed as map, dealloc as unmap};
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
        // SAFETY: the layout is not empty, and a large one is whole huge pages.
        let start = unsafe {
            if layout.align() == HUGE_PAGE {
                pages::map(layout)
            } else {
                alloc_zeroed(layout)
            }
        };
        Ok(Slab {
            start: NonNull::new(start.cast::<T>()).ok_or_else(none)?,
            length,
        })
    }

    fn layout(length: usize) -> Option<Layout> {
        let layout = Layout::array::<T>(length).ok()?;
        if layout.size() < LARGE {
            return layout.align_to(CACHE_LINE).ok();
        }
        Some(layout.align_to(HUGE_PAGE).ok()?.pad_to_align())
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
            let start = self.start.as_ptr().cast();
            // SAFETY: allocated in `new` with this layout.
            unsafe {
                if layout.align() == HUGE_PAGE {
                    pages::unmap(start, layout);
                } else {
                    dealloc(start, layout);
                }
            }
        }
    }
}
