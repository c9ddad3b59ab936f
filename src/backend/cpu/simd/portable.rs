//! Plain Rust, for any processor.

use super::{EXP2, LEAST_EXPONENT, Simd};

/// Plain Rust on four lanes, which any compiler vectorises; products are rounded.
pub struct Portable;

impl Simd for Portable {
    type V = [f32; 4];
    const LANES: usize = 4;
    const SUMS: usize = 12;
    const PAIR_ROWS: usize = 4;
    const PAIR_COLUMNS: usize = 2;

    #[inline(always)]
    unsafe fn splat(x: f32) -> [f32; 4] {
        [x; 4]
    }

    #[inline(always)]
    fn prefetch(_: *const f32) {}

    #[inline(always)]
    fn prefetch_far(_: *const f32) {}

    #[inline(always)]
    unsafe fn load(from: *const f32) -> [f32; 4] {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<[f32; 4]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn repeat_four(from: *const f32) -> [f32; 4] {
        // SAFETY: the caller's promise.
        unsafe { Self::load(from) }
    }

    #[inline(always)]
    unsafe fn four_of_each(from: *const f32) -> [f32; 4] {
        // SAFETY: the caller's promise.
        unsafe { Self::splat(*from) }
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
    unsafe fn subtract(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|l| a[l] - b[l])
    }

    #[inline(always)]
    unsafe fn multiply(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|l| a[l] * b[l])
    }

    #[inline(always)]
    unsafe fn absolute(a: [f32; 4]) -> [f32; 4] {
        a.map(f32::abs)
    }

    #[inline(always)]
    unsafe fn minimum(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|l| if a[l] < b[l] { a[l] } else { b[l] })
    }

    #[inline(always)]
    unsafe fn maximum(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|l| if a[l] > b[l] { a[l] } else { b[l] })
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, v: [f32; 4]) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(v) }
    }

    #[inline(always)]
    unsafe fn at_most(a: [f32; 4], b: [f32; 4]) -> u32 {
        (0..4).map(|l| u32::from(a[l] <= b[l]) << l).sum()
    }

    #[inline(always)]
    unsafe fn below(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|l| if a[l] < b[l] { 1.0 } else { 0.0 })
    }

    #[inline(always)]
    unsafe fn square_root(a: [f32; 4]) -> [f32; 4] {
        a.map(f32::sqrt)
    }

    #[inline(always)]
    unsafe fn reciprocal_root(a: [f32; 4]) -> [f32; 4] {
        a.map(|x| if x > 0.0 { 1.0 / x.sqrt() } else { 0.0 })
    }

    #[inline(always)]
    unsafe fn exp2(a: [f32; 4]) -> [f32; 4] {
        const SHIFT: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to the nearest integer
        a.map(|x| {
            let kept = if x > LEAST_EXPONENT { x } else { LEAST_EXPONENT };
            let shifted = kept + SHIFT;
            let f = kept - (shifted - SHIFT);
            let mut p = EXP2[0];
            for c in &EXP2[1..] {
                p = p * f + c;
            }
            let p = p * f + 1.0;
            // The low bits of `shifted` are the integer, which goes to the exponent.
            let n = shifted.to_bits().wrapping_sub(SHIFT.to_bits());
            let y = f32::from_bits(p.to_bits().wrapping_add(n << 23));
            if x >= LEAST_EXPONENT { y } else { 0.0 }
        })
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
