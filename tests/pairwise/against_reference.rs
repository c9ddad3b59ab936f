//! The CPU against the reference.
//!
//! Bounds, with u = 2^-24: a squared distance of the direct form is wrong by (min(d, 128) + d / 128 + 3) u of itself at most, one of
//! the centred form by (min(d, 128) + d / 128 + 16) u (|x|^2 + |y|^2); both are below the latter times 2. A sum adds at most `SUM_ROUNDINGS` roundings of f32 to its terms' (`sums.rs`), which are of one sign.

use disentangle::backend::cpu::SUM_ROUNDINGS;
use disentangle::backend::pairwise::{Bins, Form, Metric, PairFunction, Points};
use disentangle::backend::{Cpu, Pairwise, Reference};
use proptest::prelude::*;

use crate::data::{FORMS, U, assert_close, functions, integers, labels, normal, top};

/// Roundings of a squared distance.
fn roundings(dim: usize) -> f64 {
    (dim.min(128) + dim.div_ceil(128) + 16) as f64
}

/// By how much f of one pair may be wrong: the error of the squared distance through f, and f's own.
fn error(function: PairFunction, form: Form, dim: usize, norm: f64) -> f64 {
    if form == Form::F64 {
        return 1e-13 * norm.max(1.0);
    }
    // |x|^2 + |y|^2 bounds the squared distance within a factor of 2, and so the error of either form.
    let squared = roundings(dim) * U * 4.0 * norm;
    match function {
        PairFunction::SquaredEuclidean => squared,
        // |sqrt(a) - sqrt(b)| <= sqrt(|a - b|): for points close to each other in the centred form.
        PairFunction::Euclidean if form == Form::Centered => squared.sqrt(),
        // e / (2 d) with e relative to d^2.
        PairFunction::Euclidean => roundings(dim) * U * 2.0 * norm.sqrt() * 2.0,
        PairFunction::Cosine => roundings(dim) * U * 4.0,
        PairFunction::L1 => (dim as f64 + 3.0) * U * 2.0 * (dim as f64 * norm).sqrt(),
        PairFunction::Gaussian { temperature } => squared / temperature + 4.0 * U,
        PairFunction::Within { .. } => 0.0,
    }
}

fn largest_norm(values: &[f32], dim: usize) -> f64 {
    let norms = values
        .chunks_exact(dim)
        .map(|row| row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>());
    norms.fold(1.0, f64::max)
}

/// All reductions forward on one set or two.
fn compare(cpu: &Cpu, (rows, others, dim, classes): (usize, usize, usize, usize), seed: u64) {
    let (x, y) = (normal(seed, rows * dim), normal(seed + 1, others * dim));
    let (a, b) = (labels(rows, classes), labels(others, classes));
    let points = Points::new(&x, dim).unwrap().labels(&a, classes).unwrap();
    let second = (others > 0).then(|| Points::new(&y, dim).unwrap().labels(&b, classes).unwrap());
    let second = second.as_ref();
    // Centring may double the squared norm of the farthest row at most four times.
    let norm = 4.0 * largest_norm(&x, dim).max(largest_norm(&y, dim));
    let columns = second.unwrap_or(&points).rows() as f64;
    for form in FORMS {
        for function in functions(dim, form) {
            let what = format!("{function:?}, {form:?}, {rows} and {others} x {dim}, {classes} classes");
            let each = error(function, form, dim, norm);
            let expected = Reference.row_class_sums(&points, second, function, form).unwrap();
            let got = cpu.row_class_sums(&points, second, function, form).unwrap();
            if let PairFunction::Within { .. } = function {
                // A pair within its rounding of the radius may fall on either side: none does here, or few.
                let differ = got.iter().zip(&expected).filter(|(g, e)| g != e).count();
                assert!(differ <= 2, "{what}: {differ} counts differ");
                continue;
            }
            let chain = SUM_ROUNDINGS as f64 * U * top(&expected);
            assert_close(&got, &expected, columns * each + chain, &what);
            let expected = Reference.class_sums(&points, second, function, form).unwrap();
            let got = cpu.class_sums(&points, second, function, form).unwrap();
            assert_eq!(got.pairs, expected.pairs);
            let bound = rows as f64 * columns * each + SUM_ROUNDINGS as f64 * U * top(&expected.sums);
            assert_close(&got.sums, &expected.sums, bound, &what);
        }
        for temperature in [0.01, 2.0 * dim as f64] {
            let what = format!("logarithms, {form:?}, {rows} and {others} x {dim}, T = {temperature}");
            let expected = Reference
                .row_class_log_sums(&points, second, temperature, form)
                .unwrap();
            let got = cpu.row_class_log_sums(&points, second, temperature, form).unwrap();
            // The relative error of the sum, which of a tiny sum is computed in f64.
            let squares = error(PairFunction::SquaredEuclidean, form, dim, norm) / temperature;
            let bound = squares.min(1.0) + 80.0 * U + 1e-12 * top(&expected);
            assert_close(&got, &expected, bound, &what);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sums_are_within_their_bounds(
        rows in 1usize..70, others in 0usize..70, dim in 1usize..40, classes in 1usize..5, seed in 0u64..1000,
    ) {
        compare(&Cpu::new(2).unwrap(), (rows, others, dim, classes), seed);
    }

    /// Sums, differences and squares of small whole numbers are exact in f32, so everything made of them must be.
    #[test]
    fn whole_numbers_are_exact(
        rows in 1usize..70, others in 0usize..70, dim in 1usize..40, classes in 1usize..5, seed in 0u64..1000,
    ) {
        let cpu = Cpu::new(2).unwrap();
        let (x, y) = (integers(seed, rows * dim), integers(seed + 1, others * dim));
        let (a, b) = (labels(rows, classes), labels(others, classes));
        let points = Points::new(&x, dim).unwrap().labels(&a, classes).unwrap();
        let second = (others > 0).then(|| Points::new(&y, dim).unwrap().labels(&b, classes).unwrap());
        let second = second.as_ref();
        let radius = (2.0 * dim as f64).sqrt().ceil();
        let functions = [PairFunction::SquaredEuclidean, PairFunction::L1, PairFunction::Within { radius }];
        for function in functions {
            for form in [Form::Direct, Form::F64] {
                let sums = cpu.class_sums(&points, second, function, form).unwrap();
                prop_assert_eq!(&sums, &Reference.class_sums(&points, second, function, form).unwrap());
                let rows = cpu.row_class_sums(&points, second, function, form).unwrap();
                prop_assert_eq!(&rows, &Reference.row_class_sums(&points, second, function, form).unwrap());
            }
        }
        let most = second.map_or(rows - 1, Points::rows).min(64);
        for k in [1, 2, 5, 30, 64].into_iter().filter(|&k| k <= most) {
            for metric in [Metric::Euclidean, Metric::L1] {
                for form in FORMS.into_iter().filter(|&form| metric.function().check(form).is_ok()) {
                    // Many ties: indices and labels too must agree.
                    let nearest = cpu.nearest(&points, second, metric, k, form).unwrap();
                    prop_assert_eq!(&nearest, &Reference.nearest(&points, second, metric, k, form).unwrap());
                }
            }
        }
        let bins = Bins { width: 1.5, count: 7 };
        for form in [Form::Direct, Form::F64] {
            let histograms = cpu.class_histograms(&points, second, bins, form).unwrap();
            prop_assert_eq!(&histograms, &Reference.class_histograms(&points, second, bins, form).unwrap());
        }
    }
}

#[test]
fn several_blocks_and_long_rows_are_within_their_bounds() {
    let cpu = Cpu::new(2).unwrap();
    for (rows, others, dim, classes) in [
        (700, 0, 3, 4),
        (300, 520, 5, 3),
        (70, 40, 300, 3),
        (33, 0, 784, 2),
        (130, 0, 64, 40),
    ] {
        compare(&cpu, (rows, others, dim, classes), 5);
    }
}

#[test]
fn neighbours_are_those_of_the_reference() {
    let cpu = Cpu::new(2).unwrap();
    for (rows, others, dim) in [(700, 0, 20), (300, 520, 7), (400, 0, 300)] {
        let (x, y) = (normal(1, rows * dim), normal(2, others * dim));
        let points = Points::new(&x, dim).unwrap();
        let second = (others > 0).then(|| Points::new(&y, dim).unwrap());
        for form in FORMS {
            for k in [1, 30, 64] {
                let got = cpu
                    .nearest(&points, second.as_ref(), Metric::Euclidean, k, form)
                    .unwrap();
                let expected = Reference
                    .nearest(&points, second.as_ref(), Metric::Euclidean, k, form)
                    .unwrap();
                // f32 only preselects: what is found is found in f64, in the reference's order of summation.
                assert_eq!(got, expected, "{form:?}, k = {k}, d = {dim}");
            }
        }
    }
}

#[test]
fn neighbours_of_long_rows_do_not_depend_on_what_products_tell_apart() {
    // Within a cluster 1e-3, between clusters 1: expanded squares alone would exchange most neighbours. Then rows that are there
    // twice, a row far away from all, and numbers whose squares underflow.
    let (rows, dim) = (300, 50);
    let noise = normal(4, rows * dim);
    let centres = normal(5, 3 * dim);
    let clusters: Vec<f32> = (0..rows * dim)
        .map(|n| centres[n / dim % 3 * dim + n % dim] + 1e-3 * noise[n])
        .collect();
    let twice: Vec<f32> = (0..rows * dim).map(|n| noise[n % (rows / 2 * dim)]).collect();
    let mut far = noise.clone();
    far[7 * dim..8 * dim].fill(1e6);
    let tiny: Vec<f32> = noise.iter().map(|x| x * 1e-21).collect();
    let cpu = Cpu::new(2).unwrap();
    for (what, x) in [("clusters", clusters), ("twice", twice), ("far", far), ("tiny", tiny)] {
        let points = Points::new(&x, dim).unwrap();
        for k in [2, 5, 40] {
            for metric in [Metric::Euclidean, Metric::Cosine] {
                let expected = Reference.nearest(&points, None, metric, k, Form::F64).unwrap();
                for form in [Form::Direct, Form::Centered] {
                    let got = cpu.nearest(&points, None, metric, k, form).unwrap();
                    assert_eq!(got.indices, expected.indices, "{what}, {metric:?}, k = {k}, {form:?}");
                }
            }
        }
    }
}

/// Rows in f64 are rounded when they are packed: here to a few numbers each, by which the neighbours cannot be told.
#[test]
fn neighbours_of_f64_rows_are_those_of_the_rows_before_they_are_rounded() {
    // At 3000 the numbers of f32 are 2.4e-4 apart, and 200 rows share some ten of them.
    let x: Vec<f64> = normal(5, 400)
        .iter()
        .enumerate()
        .map(|(i, &z)| if i % 2 == 0 { 3e3 } else { -3e3 } + 5e-4 * f64::from(z))
        .collect();
    let points = Points::new(&x, 1).unwrap();
    let cpu = Cpu::new(2).unwrap();
    for metric in [Metric::Euclidean, Metric::L1] {
        let got = cpu.nearest(&points, None, metric, 3, Form::Direct).unwrap();
        let expected = Reference.nearest(&points, None, metric, 3, Form::Direct).unwrap();
        assert_eq!(got.indices, expected.indices, "{metric:?}");
    }
}

#[test]
fn the_f64_form_tells_neighbours_apart_that_are_one_point_in_f32() {
    let x: Vec<f64> = (0..60).map(|n| 1.0 + 1e-9 * f64::from(n * 17 % 61)).collect();
    let points = Points::new(&x, 1).unwrap();
    let cpu = Cpu::new(2).unwrap();
    for metric in [Metric::Euclidean, Metric::L1] {
        let got = cpu.nearest(&points, None, metric, 3, Form::F64).unwrap();
        let expected = Reference.nearest(&points, None, metric, 3, Form::F64).unwrap();
        assert_eq!(got.indices, expected.indices, "{metric:?}");
    }
}
