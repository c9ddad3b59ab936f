//! The elementary functions on every instruction set, against f64.

use super::{EXP2_ULP, Isa, LEAST_EXPONENT, Simd, Vectorized, dispatch};

#[derive(Clone, Copy)]
enum Function {
    Exp2,
    SquareRoot,
    ReciprocalRoot,
}

/// The function of 16 numbers.
struct Apply(Function, [f32; 16]);

impl Vectorized for Apply {
    type Result = [f32; 16];

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> [f32; 16] {
        let mut y = [0.0; 16];
        for at in (0..16).step_by(S::LANES) {
            // SAFETY: 16 numbers are whole registers, and `dispatch` has the instruction set.
            unsafe {
                let x = S::load(self.1.as_ptr().add(at));
                let value = match self.0 {
                    Function::Exp2 => S::exp2(x),
                    Function::SquareRoot => S::square_root(x),
                    Function::ReciprocalRoot => S::reciprocal_root(x),
                };
                S::store(y.as_mut_ptr().add(at), value);
            }
        }
        y
    }
}

/// The worst error in units of the last place of the correctly rounded result, over floats from `first` to `last` by
/// their bits, in steps of a prime.
fn worst(isa: Isa, function: Function, first: f32, last: f32, exact: impl Fn(f64) -> f64) -> f64 {
    let bits: Vec<u32> = (first.to_bits()..=last.to_bits()).step_by(1009).collect();
    let mut worst = 0.0f64;
    for bits in bits.chunks(16) {
        let x: [f32; 16] = std::array::from_fn(|l| f32::from_bits(*bits.get(l).unwrap_or(&bits[0])));
        let y = dispatch(isa, Apply(function, x));
        for (x, y) in x.into_iter().zip(y) {
            let exact = exact(f64::from(x));
            let nearest = (exact as f32).abs();
            let ulp = f64::from(f32::from_bits(nearest.to_bits() + 1)) - f64::from(nearest);
            worst = worst.max((f64::from(y) - exact).abs() / ulp);
        }
    }
    worst
}

#[test]
fn functions_are_within_their_ulps_on_grids_of_their_domains() {
    for isa in Isa::available() {
        let exp2 = worst(isa, Function::Exp2, -0.0, LEAST_EXPONENT, f64::exp2);
        let above = worst(isa, Function::Exp2, 0.0, 126.0, f64::exp2);
        let root = worst(isa, Function::SquareRoot, 1e-37, 3e38, f64::sqrt);
        let reciprocal = worst(isa, Function::ReciprocalRoot, 1e-37, 3e38, |x| 1.0 / x.sqrt());
        println!("{isa}: exp2 {exp2:.3} and {above:.3}, root {root:.3}, reciprocal {reciprocal:.3} ulp");
        assert!(exp2.max(above) <= EXP2_ULP && root <= 1.0 && reciprocal <= 2.5);
    }
}

#[test]
fn functions_of_zero_and_of_very_small_numbers_are_as_stated() {
    for isa in Isa::available() {
        let x = [0.0, -126.1, -1e30, f32::NEG_INFINITY, -0.0, -126.0].map(|x: f32| [x; 16]);
        let y = x.map(|x| dispatch(isa, Apply(Function::Exp2, x))[0]);
        assert_eq!(y, [1.0, 0.0, 0.0, 0.0, 1.0, f32::MIN_POSITIVE], "{isa}");
        for function in [Function::SquareRoot, Function::ReciprocalRoot] {
            assert_eq!(dispatch(isa, Apply(function, [0.0; 16])), [0.0; 16], "{isa}");
        }
        for small in [1e-45f32, 1e-40, 1e-38] {
            let root = dispatch(isa, Apply(Function::SquareRoot, [small; 16]))[0];
            assert!((root - small.sqrt()).abs() < 1e-19, "{isa}: {root:e}");
        }
    }
}
