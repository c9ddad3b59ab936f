//! Elementary functions that the compiler can turn into vector code: no branches, no calls.
//!
//! Results are the same on every instruction set: only products and sums of f32 in a fixed order, no contraction.
//!
//! ```
//! use disentangle::backend::cpu::math::{TANH_ULP, tanh};
//!
//! // Near 0 it is x, far from it 1; between 1/2 and 1 numbers of f32 are 2^-24 apart.
//! assert_eq!((tanh(1e-6), tanh(-20.0)), (1e-6, -1.0));
//! let error = f64::from(tanh(1.0)) - 1f64.tanh();
//! assert!(error.abs() <= TANH_ULP * 2f64.powi(-24));
//! ```
//!
//! The loss of two outputs is log(1 + e^-m) of their difference m, and errs by what its two functions do:
//!
//! ```
//! use disentangle::autograd::{Entry, Graph, Plan};
//! use disentangle::backend::cpu::math::{EXP_ULP, LN_1P_ULP};
//! use disentangle::backend::{Cpu, EntryId};
//!
//! let mut graph = Graph::new(1)?;
//! let rows = graph.rows(1)?;
//! let x = graph.input("x", rows, 2, false)?;
//! let labels = graph.index("labels", rows, 2, false)?;
//! let loss = graph.softmax_cross_entropy(x, labels)?;
//! let mut session = Plan::new(&graph, &[Entry { outputs: vec![loss], training: None }])?.start(&Cpu::new(1)?)?;
//! session.write(x, &[3.0, 0.0])?;
//! session.write_index(labels, &[0])?;
//! session.evaluate(EntryId(0))?;
//! // A unit in the last place is at most 2^-23 of a number, and the logarithm magnifies no relative error.
//! let exact = (-3f64).exp().ln_1p();
//! let relative = (session.read(loss)?[0] - exact) / exact;
//! assert!(relative.abs() <= (EXP_ULP + LN_1P_ULP) * 2f64.powi(-23));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::isa::Isa;

/// Runs `f` compiled for an instruction set. `f` must be marked `#[inline(always)]`: it is compiled anew inside.
#[inline]
pub(super) fn vectorize<R>(isa: Isa, f: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx2,fma,popcnt")]
        unsafe fn on_avx512<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        #[target_feature(enable = "avx2,fma,popcnt")]
        unsafe fn on_avx2<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        match isa {
            // SAFETY: an `Isa` exists only where the processor has it.
            Isa::Avx512 => return unsafe { on_avx512(f) },
            // SAFETY: as above.
            Isa::Avx2 => return unsafe { on_avx2(f) },
            Isa::Portable => {}
        }
    }
    f()
}

/// e^x = m 2^n as (m, n), relative error of m below 2 u: x = n log 2 + r, abs r <= log(2) / 2, and a polynomial in r
/// (coefficients of Cephes' `expf`, S. Moshier). For abs x up to 2^20 or NaN; then m is NaN.
#[inline(always)]
fn exp_parts(x: f32) -> (f32, i32) {
    const SHIFT: f32 = 12_582_912.0; // 1.5 * 2^23: adding and subtracting it rounds to the nearest integer
    const LOG2_HIGH: f32 = 0.693_359_4;
    const LOG2_LOW: f32 = -2.121_944_4e-4;
    let shifted = x * std::f32::consts::LOG2_E + SHIFT;
    let n = shifted - SHIFT;
    let r = (x - n * LOG2_HIGH) - n * LOG2_LOW;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    // The low bits of `shifted` are n.
    let n = shifted.to_bits().wrapping_sub(SHIFT.to_bits()) as i32;
    (p * r * r + r + 1.0, n)
}

/// 2^n for n in -126..=127, by its exponent.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// e^x for x in [0, 40], relative error below 2 u.
#[inline(always)]
fn exp_of_moderate(x: f32) -> f32 {
    let (m, n) = exp_parts(x);
    m * power_of_two(n)
}

/// Largest error of [`tanh`] in units in the last place, over all f32 (tested on a grid, see `tests`).
pub const TANH_ULP: f64 = 2.5;

/// tanh x. Below 0.625 x + x^3 P(x^2), above 1 - 2 / (e^2x + 1) (the split and P of Cephes' `tanhf`, S. Moshier).
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let a = x.abs();
    let z = x * x;
    let mut p = -5.704_988_7e-3;
    p = p * z + 2.063_909e-2;
    p = p * z + -5.373_971_6e-2;
    p = p * z + 1.333_144_2e-1;
    p = p * z + -3.333_328e-1;
    let small = p * z * x + x;
    // tanh rounds to 1 from 9.02 on, so 2a can stop at 20; a NaN passes through `small`.
    let large = 1.0 - 2.0 / (exp_of_moderate((a + a).min(20.0)) + 1.0);
    // The sign is x's in both, and the sign of -0 survives.
    (if a > 0.625 { large } else { small }).copysign(x)
}

/// Largest error of `exp_of_negative` in units in the last place where the result is a normal number.
pub const EXP_ULP: f64 = 2.5;

/// e^x for x <= 0, down to the smallest denormal and to 0; a NaN passes through.
#[inline(always)]
pub(super) fn exp_of_negative(x: f32) -> f32 {
    // e^-105 rounds to 0; the comparison lets a NaN through.
    let (m, n) = exp_parts(if x < -105.0 { -105.0 } else { x });
    // Two factors, since one alone has no denormals.
    m * power_of_two(n >> 1) * power_of_two(n.wrapping_sub(n >> 1))
}

/// Largest error of `ln_1p_of_fraction` in units in the last place.
pub const LN_1P_ULP: f64 = 2.5;

/// log(1 + x) for x in [0, 1]: 2 artanh(s) with s = x / (2 + x) <= 1/3, by its Taylor series; the first term left out
/// is s^16 / 17 < 2e-9 of the result. A NaN passes through.
#[inline(always)]
pub(super) fn ln_1p_of_fraction(x: f32) -> f32 {
    let s = x / (2.0 + x);
    let z = s * s;
    let mut p = 1.0 / 15.0;
    p = p * z + 1.0 / 13.0;
    p = p * z + 1.0 / 11.0;
    p = p * z + 1.0 / 9.0;
    p = p * z + 1.0 / 7.0;
    p = p * z + 1.0 / 5.0;
    p = p * z + 1.0 / 3.0;
    let s = s + s;
    p * z * s + s
}

/// Largest error of `ln` in units in the last place.
#[cfg(feature = "pairwise")]
pub const LN_ULP: f64 = 1.0;

/// log(x) of an f64; that of 0 is minus infinity, that of a negative number none.
///
/// x = 2^k m with m between the square roots of 1/2 and of 2. With f = m - 1 and s = f / (2 + f),
/// log(m) = f - f^2 / 2 + s (f^2 / 2 + R(s^2)), where R is the minimax polynomial of Sun's fdlibm (`e_log.c`), which states the error.
#[cfg(feature = "pairwise")]
#[inline(always)]
pub(super) fn ln(x: f64) -> f64 {
    const R: [f64; 7] = [
        6.666_666_666_666_735e-1,
        3.999_999_999_940_942e-1,
        2.857_142_874_366_239e-1,
        2.222_219_843_214_978_4e-1,
        1.818_357_216_161_805e-1,
        1.531_383_769_920_937_3e-1,
        1.479_819_860_511_658_6e-1,
    ];
    // The first has so few digits that its product with k is exact.
    const LN_2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
    const ROOT_OF_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    // A whole number added to these bits is added to the number: a conversion that every vector unit has.
    const MAGIC: f64 = 6_755_399_441_055_744.0;
    let is_denormal = x < f64::MIN_POSITIVE;
    let bits = (if is_denormal { x * (1u64 << 54) as f64 } else { x }).to_bits();
    let steps = bits.wrapping_sub(ROOT_OF_HALF).cast_signed() >> 52;
    let f = f64::from_bits(bits.wrapping_sub((steps << 52).cast_unsigned())) - 1.0;
    let k = f64::from_bits(MAGIC.to_bits().wrapping_add(steps.cast_unsigned())) - MAGIC;
    let k = if is_denormal { k - 54.0 } else { k };
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let odd = w * (R[1] + w * (R[3] + w * R[5]));
    let even = z * (R[0] + w * (R[2] + w * (R[4] + w * R[6])));
    let half = 0.5 * f * f;
    let log = k * LN_2[0] - ((half - (s * (half + (odd + even)) + k * LN_2[1])) - f);
    let log = if x == f64::INFINITY { x } else { log };
    let log = if x >= 0.0 { log } else { f64::NAN };
    if x == 0.0 { f64::NEG_INFINITY } else { log }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Error in units of the last place of the correctly rounded result.
    fn ulps(got: f32, exact: f64) -> f64 {
        let nearest = exact as f32;
        let ulp = f64::from(f32::from_bits(nearest.abs().to_bits() + 1)) - f64::from(nearest.abs());
        (f64::from(got) - exact).abs() / ulp
    }

    #[test]
    fn tanh_is_within_its_ulps_on_a_grid_of_all_floats() {
        // 4,099 is prime: the grid visits every exponent with ever other mantissas, a million points in all.
        let mut worst = (0.0, 0.0);
        for bits in (0..=u32::MAX).step_by(4099) {
            let x = f32::from_bits(bits);
            if x.is_nan() {
                assert!(tanh(x).is_nan());
                continue;
            }
            // Below the smallest normal number of f32 products flush in `z`; the result is x itself.
            let error = ulps(tanh(x), f64::from(x).tanh());
            if error > worst.0 {
                worst = (error, x);
            }
        }
        assert!(worst.0 <= TANH_ULP, "{} ulp at {:e}", worst.0, worst.1);
    }

    #[test]
    fn exp_and_ln_1p_are_within_their_ulps_on_grids_of_their_domains() {
        let (mut worst_exp, mut worst_ln) = (0.0f64, 0.0f64);
        // All negative floats down to -87.3, from where on results are denormal; all of 0..=1. Steps are prime.
        for bits in (0x8000_0000..=(-87.3f32).to_bits()).step_by(4099) {
            let x = f32::from_bits(bits);
            worst_exp = worst_exp.max(ulps(exp_of_negative(x), f64::from(x).exp()));
        }
        for bits in (0..=1f32.to_bits()).step_by(4099) {
            let x = f32::from_bits(bits);
            worst_ln = worst_ln.max(ulps(ln_1p_of_fraction(x), f64::from(x).ln_1p()));
        }
        assert!(worst_exp <= EXP_ULP, "{worst_exp} ulp");
        assert!(worst_ln <= LN_1P_ULP, "{worst_ln} ulp");
        // Denormal results: the error of a normal one, and the last product's rounding.
        for x in (873..1060).map(|x| -(x as f32) / 10.0) {
            let error = (f64::from(exp_of_negative(x)) - f64::from(x).exp()).abs();
            let smallest = f64::from(f32::from_bits(1));
            assert!(
                error <= 0.51 * smallest + EXP_ULP * f64::from(f32::EPSILON) * f64::from(x).exp(),
                "{x}"
            );
        }
        assert_eq!([0.0, -105.1, f32::NEG_INFINITY].map(exp_of_negative), [1.0, 0.0, 0.0]);
        assert_eq!(ln_1p_of_fraction(0.0), 0.0);
        assert!(exp_of_negative(f32::NAN).is_nan() && ln_1p_of_fraction(f32::NAN).is_nan());
    }

    #[test]
    #[cfg(feature = "pairwise")]
    fn ln_is_within_its_ulps_of_the_systems_on_a_grid_of_all_positive_numbers() {
        // The step is prime and takes half a million numbers of every magnitude. The system's logarithm is itself within 1 ulp, and
        // one correctly rounded is between the two.
        let (mut worst, mut at) = (0u64, 0.0);
        for bits in (1..f64::INFINITY.to_bits()).step_by(17_592_186_044_423) {
            let x = f64::from_bits(bits);
            let apart = ln(x).to_bits().abs_diff(x.ln().to_bits());
            if apart > worst {
                (worst, at) = (apart, x);
            }
        }
        // Near 1, where the logarithm is small.
        for n in -100_000i64..100_000 {
            let x = f64::from_bits(1f64.to_bits().wrapping_add_signed(n * 4_294_967_291));
            worst = worst.max(ln(x).to_bits().abs_diff(x.ln().to_bits()));
        }
        assert!(worst as f64 <= 1.0 + LN_ULP, "{worst} ulp at {at:e}");
        assert_eq!([0.0, -0.0].map(ln), [f64::NEG_INFINITY; 2]);
        assert_eq!([1.0, f64::INFINITY].map(ln), [0.0, f64::INFINITY]);
        assert!(ln(-1.0).is_nan() && ln(f64::NAN).is_nan());
    }

    #[test]
    fn tanh_is_odd_and_saturates() {
        assert_eq!(tanh(f32::INFINITY), 1.0);
        assert_eq!(tanh(-40.0), -1.0);
        assert_eq!(tanh(-0.0).to_bits(), (-0.0f32).to_bits());
        for x in [1e-30f32, 0.3, 0.624, 0.626, 3.0] {
            assert_eq!(tanh(-x), -tanh(x));
        }
    }
}
