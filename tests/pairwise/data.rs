//! Points to reduce, and how far results are apart.

use disentangle::backend::pairwise::{Form, PairFunction};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

/// Unit roundoff of f32.
pub const U: f64 = f32::EPSILON as f64 / 2.0;

/// Standard normal f32 numbers.
pub fn normal(seed: u64, length: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..length)
        .map(|_| {
            let x: f64 = StandardNormal.sample(&mut rng);
            x as f32
        })
        .collect()
}

/// Whole numbers from -3 to 3.
pub fn integers(seed: u64, length: usize) -> Vec<f32> {
    normal(seed, length)
        .into_iter()
        .map(|x| (2.0 * x).round().clamp(-3.0, 3.0))
        .collect()
}

/// Labels in no order; with several classes the last one stays empty.
pub fn labels(rows: usize, classes: usize) -> Vec<u32> {
    let used = classes.max(2) - 1;
    (0..rows).map(|i| (i * 7919 % 104_729 % used) as u32).collect()
}

pub const FORMS: [Form; 3] = [Form::Direct, Form::Centered, Form::F64];

/// Every function that a form has, for rows of width `dim` of about unit coordinates.
pub fn functions(dim: usize, form: Form) -> impl Iterator<Item = PairFunction> {
    let all = [
        PairFunction::SquaredEuclidean,
        PairFunction::Euclidean,
        PairFunction::Cosine,
        PairFunction::L1,
        PairFunction::Gaussian {
            temperature: 2.0 * dim as f64,
        },
        PairFunction::Within {
            radius: 1.4 * (dim as f64).sqrt(),
        },
    ];
    all.into_iter().filter(move |function| function.check(form).is_ok())
}

/// The largest |x|.
pub fn top(values: &[f64]) -> f64 {
    values
        .iter()
        .filter(|x| x.is_finite())
        .fold(0.0, |top, x| top.max(x.abs()))
}

/// Checks that two results differ by no more than `bound`, and are infinite at the same places.
pub fn assert_close(got: &[f64], expected: &[f64], bound: f64, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (n, (got, expected)) in got.iter().zip(expected).enumerate() {
        let close = got == expected || (got - expected).abs() <= bound;
        assert!(
            close,
            "{what}: element {n} is {got:e}, expected {expected:e} within {bound:e}"
        );
    }
}
