//! AVX-512F.

#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "each block is a few instructions, and its caller's promise is the trait's"
)]

use super::{EXP2, LEAST_EXPONENT, Simd};
use std::arch::x86_64::*;

/// 16 lanes, 32 registers.
pub struct Avx512;

impl Simd for Avx512 {
    type V = __m512;
    const LANES: usize = 16;
    const SUMS: usize = 20;
    const PAIR_ROWS: usize = 8;
    const PAIR_COLUMNS: usize = 3;

    #[inline(always)]
    unsafe fn splat(x: f32) -> __m512 {
        unsafe { _mm512_set1_ps(x) }
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
    unsafe fn load(from: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn repeat_four(from: *const f32) -> __m512 {
        unsafe { _mm512_broadcast_f32x4(_mm_loadu_ps(from)) }
    }

    #[inline(always)]
    unsafe fn four_of_each(from: *const f32) -> __m512 {
        unsafe {
            let each = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
            _mm512_permutexvar_ps(each, _mm512_castps128_ps512(_mm_loadu_ps(from)))
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
    unsafe fn subtract(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn multiply(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn minimum(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_min_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn maximum(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_max_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, v: __m512) {
        unsafe { _mm512_storeu_ps(to, v) }
    }

    #[inline(always)]
    unsafe fn absolute(a: __m512) -> __m512 {
        unsafe { _mm512_abs_ps(a) }
    }

    #[inline(always)]
    unsafe fn at_most(a: __m512, b: __m512) -> u32 {
        unsafe { u32::from(_mm512_cmp_ps_mask::<_CMP_LE_OQ>(a, b)) }
    }

    #[inline(always)]
    unsafe fn below(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), _mm512_set1_ps(1.0)) }
    }

    /// An estimate of 14 bits and one step of Newton's for the root itself: s + (x - s^2) / (2 s).
    #[inline(always)]
    unsafe fn square_root(a: __m512) -> __m512 {
        unsafe {
            // Of 0 the estimate would be infinite.
            let y = _mm512_rsqrt14_ps(_mm512_max_ps(a, _mm512_set1_ps(f32::MIN_POSITIVE)));
            let s = _mm512_mul_ps(a, y);
            let half = _mm512_mul_ps(y, _mm512_set1_ps(0.5));
            _mm512_fmadd_ps(_mm512_fnmadd_ps(s, s, a), half, s)
        }
    }

    /// An estimate of 14 bits and one step of Newton's: y + y (1 - x y^2) / 2.
    #[inline(always)]
    unsafe fn reciprocal_root(a: __m512) -> __m512 {
        unsafe {
            let positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, _mm512_setzero_ps());
            let y = _mm512_maskz_rsqrt14_ps(positive, _mm512_max_ps(a, _mm512_set1_ps(f32::MIN_POSITIVE)));
            let rest = _mm512_fnmadd_ps(_mm512_mul_ps(a, y), y, _mm512_set1_ps(1.0));
            _mm512_fmadd_ps(_mm512_mul_ps(y, _mm512_set1_ps(0.5)), rest, y)
        }
    }

    #[inline(always)]
    unsafe fn exp2(a: __m512) -> __m512 {
        unsafe {
            let n = _mm512_roundscale_ps::<0>(a);
            let f = _mm512_sub_ps(a, n);
            let mut p = _mm512_set1_ps(EXP2[0]);
            for c in &EXP2[1..] {
                p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(*c));
            }
            let p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0));
            let normal = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(a, _mm512_set1_ps(LEAST_EXPONENT));
            _mm512_maskz_scalef_ps(normal, p, n)
        }
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
