//! Vectors of f32 on each instruction set, for kernels that are one text for all of them.
//!
//! A kernel takes a type parameter `S: Simd`, is marked `#[inline(always)]`, and is called from one function per
//! instruction set that enables it (`#[target_feature]`): inlined there, each method is one instruction.

use super::isa::Isa;

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
    /// As many numbers in f64.
    type W: Copy;

    unsafe fn splat(x: f32) -> Self::V;
    /// Asks for a cache line that will be needed soon; any address will do.
    fn prefetch(from: *const f32);
    unsafe fn load(from: *const f32) -> Self::V;
    /// `WIDTH` numbers (4, or 8, or `LANES`), again and again until the register is full.
    unsafe fn load_repeated<const WIDTH: usize>(from: *const f32) -> Self::V;
    /// The first `count <= LANES` numbers; zeros after them.
    unsafe fn load_first(from: *const f32, count: usize) -> Self::V;
    unsafe fn store_first(to: *mut f32, count: usize, v: Self::V);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// a b + c, rounded once where the instruction set can.
    unsafe fn multiply_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The sum of all lanes of each of four registers, in a tree that is the same for each.
    unsafe fn totals_of_four(v: [Self::V; 4]) -> [f32; 4];

    unsafe fn widen(v: Self::V) -> Self::W;
    /// Rounds to f32.
    unsafe fn narrow(w: Self::W) -> Self::V;
    unsafe fn wide_splat(x: f64) -> Self::W;
    unsafe fn wide_load(from: *const f64) -> Self::W;
    unsafe fn wide_store(to: *mut f64, w: Self::W);
    unsafe fn wide_add(a: Self::W, b: Self::W) -> Self::W;
    unsafe fn wide_multiply(a: Self::W, b: Self::W) -> Self::W;
    /// The sum of all lanes, in a fixed tree.
    unsafe fn wide_total(w: Self::W) -> f64;
}

/// A kernel that is one text for all instruction sets: `run` is marked `#[inline(always)]`.
pub(super) trait Vectorized {
    /// What it computes.
    type Result;
    /// Computes it with the vectors of `S`.
    ///
    /// # Safety
    /// The processor has the instruction set of `S`.
    unsafe fn run<S: Simd>(self) -> Self::Result;
}

/// Runs a kernel with the vectors of an instruction set, compiled for it.
pub(super) fn dispatch<K: Vectorized>(isa: Isa, kernel: K) -> K::Result {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx2,fma")]
        unsafe fn on_avx512<K: Vectorized>(kernel: K) -> K::Result {
            // SAFETY: the features are enabled here.
            unsafe { kernel.run::<Avx512>() }
        }
        #[target_feature(enable = "avx2,fma")]
        unsafe fn on_avx2<K: Vectorized>(kernel: K) -> K::Result {
            // SAFETY: the features are enabled here.
            unsafe { kernel.run::<Avx2>() }
        }
        match isa {
            // SAFETY: an `Isa` exists only where the processor has it.
            Isa::Avx512 => return unsafe { on_avx512(kernel) },
            // SAFETY: as above.
            Isa::Avx2 => return unsafe { on_avx2(kernel) },
            Isa::Portable => {}
        }
    }
    let _ = isa;
    // SAFETY: every processor has it.
    unsafe { kernel.run::<Portable>() }
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
    fn prefetch(_: *const f32) {}

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

    #[inline(always)]
    unsafe fn totals_of_four(v: [[f32; 4]; 4]) -> [f32; 4] {
        v.map(|[a, b, c, d]| (a + c) + (b + d))
    }

    type W = [f64; 4];

    #[inline(always)]
    unsafe fn widen(v: [f32; 4]) -> [f64; 4] {
        v.map(f64::from)
    }

    #[inline(always)]
    unsafe fn narrow(w: [f64; 4]) -> [f32; 4] {
        w.map(|x| x as f32)
    }

    #[inline(always)]
    unsafe fn wide_splat(x: f64) -> [f64; 4] {
        [x; 4]
    }

    #[inline(always)]
    unsafe fn wide_load(from: *const f64) -> [f64; 4] {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<[f64; 4]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn wide_store(to: *mut f64, w: [f64; 4]) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[f64; 4]>().write_unaligned(w) }
    }

    #[inline(always)]
    unsafe fn wide_add(a: [f64; 4], b: [f64; 4]) -> [f64; 4] {
        std::array::from_fn(|l| a[l] + b[l])
    }

    #[inline(always)]
    unsafe fn wide_multiply(a: [f64; 4], b: [f64; 4]) -> [f64; 4] {
        std::array::from_fn(|l| a[l] * b[l])
    }

    #[inline(always)]
    unsafe fn wide_total([a, b, c, d]: [f64; 4]) -> f64 {
        (a + c) + (b + d)
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
        fn prefetch(from: *const f32) {
            unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
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

        /// Halves, then neighbours, then neighbours again.
        #[inline(always)]
        unsafe fn totals_of_four([a, b, c, d]: [__m256; 4]) -> [f32; 4] {
            unsafe {
                // [a0+a4 .. a3+a7, c0+c4 ..], likewise b and d.
                let ac = _mm256_add_ps(
                    _mm256_permute2f128_ps::<0x20>(a, c),
                    _mm256_permute2f128_ps::<0x31>(a, c),
                );
                let bd = _mm256_add_ps(
                    _mm256_permute2f128_ps::<0x20>(b, d),
                    _mm256_permute2f128_ps::<0x31>(b, d),
                );
                // [a, a, b, b, c, c, d, d]
                let pairs = _mm256_hadd_ps(ac, bd);
                let totals = _mm256_hadd_ps(pairs, pairs);
                let (ab, cd) = (_mm256_castps256_ps128(totals), _mm256_extractf128_ps::<1>(totals));
                std::mem::transmute::<__m128, [f32; 4]>(_mm_movelh_ps(ab, cd))
            }
        }

        type W = [__m256d; 2];

        #[inline(always)]
        unsafe fn widen(v: __m256) -> [__m256d; 2] {
            unsafe {
                let (low, high) = (_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
                [_mm256_cvtps_pd(low), _mm256_cvtps_pd(high)]
            }
        }

        #[inline(always)]
        unsafe fn narrow([low, high]: [__m256d; 2]) -> __m256 {
            unsafe { _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low)) }
        }

        #[inline(always)]
        unsafe fn wide_splat(x: f64) -> [__m256d; 2] {
            unsafe { [_mm256_set1_pd(x); 2] }
        }

        #[inline(always)]
        unsafe fn wide_load(from: *const f64) -> [__m256d; 2] {
            unsafe { [_mm256_loadu_pd(from), _mm256_loadu_pd(from.add(4))] }
        }

        #[inline(always)]
        unsafe fn wide_store(to: *mut f64, [low, high]: [__m256d; 2]) {
            unsafe {
                _mm256_storeu_pd(to, low);
                _mm256_storeu_pd(to.add(4), high);
            }
        }

        #[inline(always)]
        unsafe fn wide_add(a: [__m256d; 2], b: [__m256d; 2]) -> [__m256d; 2] {
            unsafe { [_mm256_add_pd(a[0], b[0]), _mm256_add_pd(a[1], b[1])] }
        }

        #[inline(always)]
        unsafe fn wide_multiply(a: [__m256d; 2], b: [__m256d; 2]) -> [__m256d; 2] {
            unsafe { [_mm256_mul_pd(a[0], b[0]), _mm256_mul_pd(a[1], b[1])] }
        }

        #[inline(always)]
        unsafe fn wide_total([low, high]: [__m256d; 2]) -> f64 {
            unsafe {
                let four = _mm256_add_pd(low, high);
                let two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd::<1>(four));
                _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
            }
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
        fn prefetch(from: *const f32) {
            unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
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

        /// Quarters, then the quarter's halves, then neighbours.
        #[inline(always)]
        unsafe fn totals_of_four([a, b, c, d]: [__m512; 4]) -> [f32; 4] {
            unsafe {
                let evens = |a, b| _mm512_shuffle_f32x4::<0b10_00_10_00>(a, b);
                let odds = |a, b| _mm512_shuffle_f32x4::<0b11_01_11_01>(a, b);
                // Quarters: [a, a, b, b], [c, c, d, d], then [a, b, c, d].
                let ab = _mm512_add_ps(evens(a, b), odds(a, b));
                let cd = _mm512_add_ps(evens(c, d), odds(c, d));
                let quarters = _mm512_add_ps(evens(ab, cd), odds(ab, cd));
                let halves = _mm512_add_ps(quarters, _mm512_permute_ps::<0b01_00_11_10>(quarters));
                let totals = _mm512_add_ps(halves, _mm512_permute_ps::<0b10_11_00_01>(halves));
                let first = _mm512_setr_epi32(0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
                let totals = _mm512_castps512_ps128(_mm512_permutexvar_ps(first, totals));
                std::mem::transmute::<__m128, [f32; 4]>(totals)
            }
        }

        type W = [__m512d; 2];

        #[inline(always)]
        unsafe fn widen(v: __m512) -> [__m512d; 2] {
            unsafe {
                let high = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(v));
                [
                    _mm512_cvtps_pd(_mm512_castps512_ps256(v)),
                    _mm512_cvtps_pd(_mm256_castpd_ps(high)),
                ]
            }
        }

        #[inline(always)]
        unsafe fn narrow([low, high]: [__m512d; 2]) -> __m512 {
            unsafe {
                let (low, high) = (_mm512_cvtpd_ps(low), _mm512_cvtpd_ps(high));
                let low = _mm512_castpd256_pd512(_mm256_castps_pd(low));
                _mm512_castpd_ps(_mm512_insertf64x4::<1>(low, _mm256_castps_pd(high)))
            }
        }

        #[inline(always)]
        unsafe fn wide_splat(x: f64) -> [__m512d; 2] {
            unsafe { [_mm512_set1_pd(x); 2] }
        }

        #[inline(always)]
        unsafe fn wide_load(from: *const f64) -> [__m512d; 2] {
            unsafe { [_mm512_loadu_pd(from), _mm512_loadu_pd(from.add(8))] }
        }

        #[inline(always)]
        unsafe fn wide_store(to: *mut f64, [low, high]: [__m512d; 2]) {
            unsafe {
                _mm512_storeu_pd(to, low);
                _mm512_storeu_pd(to.add(8), high);
            }
        }

        #[inline(always)]
        unsafe fn wide_add(a: [__m512d; 2], b: [__m512d; 2]) -> [__m512d; 2] {
            unsafe { [_mm512_add_pd(a[0], b[0]), _mm512_add_pd(a[1], b[1])] }
        }

        #[inline(always)]
        unsafe fn wide_multiply(a: [__m512d; 2], b: [__m512d; 2]) -> [__m512d; 2] {
            unsafe { [_mm512_mul_pd(a[0], b[0]), _mm512_mul_pd(a[1], b[1])] }
        }

        #[inline(always)]
        unsafe fn wide_total([low, high]: [__m512d; 2]) -> f64 {
            unsafe { _mm512_reduce_add_pd(_mm512_add_pd(low, high)) }
        }
    }
}
