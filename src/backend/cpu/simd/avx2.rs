//! AVX2 with fused multiply-add.

#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "each block is a few instructions, and its caller's promise is the trait's"
)]

use super::{EXP2, LEAST_EXPONENT, Simd};
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
    const PAIR_ROWS: usize = 4;
    const PAIR_COLUMNS: usize = 2;

    #[inline(always)]
    unsafe fn splat(x: f32) -> __m256 {
        unsafe { _mm256_set1_ps(x) }
    }

    #[inline(always)]
    fn prefetch(from: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }

    #[inline(always)]
    fn prefetch_far(from: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T1>(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m256 {
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn repeat_four(from: *const f32) -> __m256 {
        unsafe { _mm256_broadcast_ps(&_mm_loadu_ps(from)) }
    }

    #[inline(always)]
    unsafe fn four_of_each(from: *const f32) -> __m256 {
        unsafe { _mm256_setr_m128(_mm_set1_ps(*from), _mm_set1_ps(*from.add(1))) }
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
    unsafe fn subtract(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_sub_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn multiply(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn minimum(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_min_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn maximum(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_max_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, v: __m256) {
        unsafe { _mm256_storeu_ps(to, v) }
    }

    #[inline(always)]
    unsafe fn absolute(a: __m256) -> __m256 {
        unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), a) }
    }

    #[inline(always)]
    unsafe fn at_most(a: __m256, b: __m256) -> u32 {
        unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LE_OQ>(a, b)) as u32 }
    }

    #[inline(always)]
    unsafe fn below(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_and_ps(_mm256_cmp_ps::<_CMP_LT_OQ>(a, b), _mm256_set1_ps(1.0)) }
    }

    #[inline(always)]
    unsafe fn square_root(a: __m256) -> __m256 {
        unsafe { _mm256_sqrt_ps(a) }
    }

    #[inline(always)]
    unsafe fn reciprocal_root(a: __m256) -> __m256 {
        unsafe {
            let y = _mm256_div_ps(_mm256_set1_ps(1.0), _mm256_sqrt_ps(a));
            _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(a, _mm256_setzero_ps()), y)
        }
    }

    #[inline(always)]
    unsafe fn exp2(a: __m256) -> __m256 {
        unsafe {
            let least = _mm256_set1_ps(LEAST_EXPONENT);
            let kept = _mm256_max_ps(a, least);
            let n = _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(kept);
            let f = _mm256_sub_ps(kept, n);
            let mut p = _mm256_set1_ps(EXP2[0]);
            for c in &EXP2[1..] {
                p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(*c));
            }
            let p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(1.0));
            let exponent = _mm256_slli_epi32::<23>(_mm256_cvtps_epi32(n));
            let y = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), exponent));
            _mm256_and_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(a, least), y)
        }
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
