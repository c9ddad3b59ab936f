//! Vectors of f32 on each instruction set, for kernels that are one text for all of them.
//!
//! A kernel takes a type parameter `S: Simd`, is marked `#[inline(always)]`, and is called from one function per
//! instruction set that enables it (`#[target_feature]`): inlined there, each method is one instruction.

/// The vectors of an instruction set.
///
/// # Safety of its functions
/// The processor has the instruction set, and pointers are good for what is read or written.
pub(super) trait Simd {
    /// A register.
    type V: Copy;
    /// Numbers in it.
    const LANES: usize;
    /// Registers of sums a kernel may keep beside its operands.
    const SUMS: usize;

    unsafe fn splat(x: f32) -> Self::V;
    unsafe fn load(from: *const f32) -> Self::V;
    /// `WIDTH` numbers (4, or 8, or `LANES`), again and again until the register is full.
    unsafe fn load_repeated<const WIDTH: usize>(from: *const f32) -> Self::V;
    /// The first `count <= LANES` numbers; zeros after them.
    unsafe fn load_first(from: *const f32, count: usize) -> Self::V;
    unsafe fn store_first(to: *mut f32, count: usize, v: Self::V);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// a b + c, rounded once where the instruction set can.
    unsafe fn multiply_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
}

/// Plain Rust on four lanes, which any compiler vectorises; products are rounded.
pub(super) struct Portable;

impl Simd for Portable {
    type V = [f32; 4];
    const LANES: usize = 4;
    const SUMS: usize = 12;

    #[inline(always)]
    unsafe fn splat(x: f32) -> [f32; 4] {
        [x; 4]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> [f32; 4] {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<[f32; 4]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn load_repeated<const WIDTH: usize>(from: *const f32) -> [f32; 4] {
        // SAFETY: the caller's promise; four is the only width that fits.
        unsafe { Self::load(from) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> [f32; 4] {
        // SAFETY: the caller's promise.
        std::array::from_fn(|l| if l < count { unsafe { *from.add(l) } } else { 0.0 })
    }

    #[inline(always)]
    unsafe fn store_first(to: *mut f32, count: usize, v: [f32; 4]) {
        for (l, v) in v.into_iter().enumerate().take(count) {
            // SAFETY: the caller's promise.
            unsafe { *to.add(l) = v };
        }
    }

    #[inline(always)]
    unsafe fn add(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|l| a[l] + b[l])
    }

    #[inline(always)]
    unsafe fn multiply_add(a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|l| a[l] * b[l] + c[l])
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    #![expect(
        clippy::undocumented_unsafe_blocks,
        reason = "each block is one instruction, and its caller's promise is the trait's"
    )]
    use super::Simd;
    use std::arch::x86_64::*;

    /// 8 lanes, 16 registers.
    pub struct Avx2;

    /// Lanes below `count`: all bits set.
    #[inline(always)]
    unsafe fn first(count: usize) -> __m256i {
        unsafe {
            let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), lanes)
        }
    }

    impl Simd for Avx2 {
        type V = __m256;
        const LANES: usize = 8;
        const SUMS: usize = 12;

        #[inline(always)]
        unsafe fn splat(x: f32) -> __m256 {
            unsafe { _mm256_set1_ps(x) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> __m256 {
            unsafe { _mm256_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn load_repeated<const WIDTH: usize>(from: *const f32) -> __m256 {
            unsafe {
                match WIDTH {
                    4 => _mm256_broadcast_ps(&*from.cast()),
                    _ => _mm256_loadu_ps(from),
                }
            }
        }

        #[inline(always)]
        unsafe fn load_first(from: *const f32, count: usize) -> __m256 {
            unsafe { _mm256_maskload_ps(from, first(count)) }
        }

        #[inline(always)]
        unsafe fn store_first(to: *mut f32, count: usize, v: __m256) {
            unsafe { _mm256_maskstore_ps(to, first(count), v) }
        }

        #[inline(always)]
        unsafe fn add(a: __m256, b: __m256) -> __m256 {
            unsafe { _mm256_add_ps(a, b) }
        }

        #[inline(always)]
        unsafe fn multiply_add(a: __m256, b: __m256, c: __m256) -> __m256 {
            unsafe { _mm256_fmadd_ps(a, b, c) }
        }
    }

    /// 16 lanes, 32 registers.
    pub struct Avx512;

    impl Simd for Avx512 {
        type V = __m512;
        const LANES: usize = 16;
        const SUMS: usize = 20;

        #[inline(always)]
        unsafe fn splat(x: f32) -> __m512 {
            unsafe { _mm512_set1_ps(x) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> __m512 {
            unsafe { _mm512_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn load_repeated<const WIDTH: usize>(from: *const f32) -> __m512 {
            unsafe {
                match WIDTH {
                    4 => _mm512_broadcast_f32x4(_mm_loadu_ps(from)),
                    8 => _mm512_castpd_ps(_mm512_broadcast_f64x4(_mm256_loadu_pd(from.cast()))),
                    _ => _mm512_loadu_ps(from),
                }
            }
        }

        #[inline(always)]
        unsafe fn load_first(from: *const f32, count: usize) -> __m512 {
            unsafe { _mm512_maskz_loadu_ps(((1u32 << count) - 1) as __mmask16, from) }
        }

        #[inline(always)]
        unsafe fn store_first(to: *mut f32, count: usize, v: __m512) {
            unsafe { _mm512_mask_storeu_ps(to, ((1u32 << count) - 1) as __mmask16, v) }
        }

        #[inline(always)]
        unsafe fn add(a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_add_ps(a, b) }
        }

        #[inline(always)]
        unsafe fn multiply_add(a: __m512, b: __m512, c: __m512) -> __m512 {
            unsafe { _mm512_fmadd_ps(a, b, c) }
        }
    }
}
