//! What must hold whatever the numbers are: moved, padded, permuted, turned, scaled and repeated points.

use disentangle::backend::cpu::SUM_ROUNDINGS;
use disentangle::backend::pairwise::{Form, Metric, PairFunction, Points};
use disentangle::backend::{Cpu, Pairwise, Reference};
use proptest::prelude::*;

use crate::data::{FORMS, U, assert_close, labels, normal, top};

const CLASSES: usize = 3;

fn class_sums(x: &[f32], dim: usize, labels: &[u32], form: Form) -> Vec<f64> {
    let points = Points::new(x, dim).unwrap().labels(labels, CLASSES).unwrap();
    let sums = Cpu::new(2)
        .unwrap()
        .class_sums(&points, None, PairFunction::Euclidean, form);
    sums.unwrap().sums
}

#[test]
fn a_cloud_far_from_the_origin_keeps_four_digits() {
    // In f32 and in f64 given; the coordinates themselves are rounded at 1e4 in f32, so the truth is of the rounded ones.
    let (rows, dim) = (200, 20);
    let far: Vec<f32> = normal(1, rows * dim).into_iter().map(|x| x + 1e4).collect();
    let exact: Vec<f64> = normal(1, rows * dim).into_iter().map(|x| f64::from(x) + 1e4).collect();
    let a = labels(rows, CLASSES + 1);
    let cpu = Cpu::new(2).unwrap();
    for form in FORMS {
        let given = [Points::new(&far, dim).unwrap(), Points::new(&exact, dim).unwrap()];
        for points in given.map(|points| points.labels(&a, CLASSES).unwrap()) {
            for function in [PairFunction::Euclidean, PairFunction::Gaussian { temperature: 40.0 }] {
                let got = cpu.class_sums(&points, None, function, form).unwrap().sums;
                let expected = Reference.class_sums(&points, None, function, form).unwrap().sums;
                assert_close(
                    &got,
                    &expected,
                    1e-4 * top(&expected),
                    &format!("{function:?} {form:?}"),
                );
            }
            let got = cpu.soft_nearest_neighbor_gradient(&points, 40.0, form).unwrap();
            let expected = Reference.soft_nearest_neighbor_gradient(&points, 40.0, form).unwrap();
            assert_close(&got.value.rows, &expected.value.rows, 1e-4, "loss");
            assert_close(&got.points, &expected.points, 1e-4 * top(&expected.points), "gradient");
            assert_close(
                &got.temperature,
                &expected.temperature,
                1e-3 * top(&expected.temperature),
                "temperature",
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn zero_columns_change_no_bit(rows in 2usize..70, dim in 1usize..30, more in 1usize..30, seed in 0u64..1000) {
        let (x, a) = (normal(seed, rows * dim), labels(rows, CLASSES + 1));
        let mut padded = Vec::new();
        for row in x.chunks_exact(dim) {
            padded.extend_from_slice(row);
            padded.extend(vec![0.0f32; more]);
        }
        prop_assert_eq!(class_sums(&x, dim, &a, Form::Direct), class_sums(&padded, dim + more, &a, Form::Direct));
    }

    #[test]
    fn permuted_rows_permute_the_results(rows in 2usize..70, dim in 1usize..30, seed in 0u64..1000) {
        let (x, a) = (normal(seed, rows * dim), labels(rows, CLASSES + 1));
        let reversed: Vec<f32> = x.chunks_exact(dim).rev().flatten().copied().collect();
        let b: Vec<u32> = a.iter().rev().copied().collect();
        let (first, second) = (
            Points::new(&x, dim).unwrap().labels(&a, CLASSES).unwrap(),
            Points::new(&reversed, dim).unwrap().labels(&b, CLASSES).unwrap(),
        );
        let cpu = Cpu::new(2).unwrap();
        let sums = |points: &Points| cpu.row_class_sums(points, None, PairFunction::Euclidean, Form::Direct).unwrap();
        let (expected, got) = (sums(&first), sums(&second));
        let turned: Vec<f64> = got.chunks_exact(CLASSES).rev().flatten().copied().collect();
        // The same terms in another order: `SUM_ROUNDINGS` each way.
        assert_close(&turned, &expected, 2.0 * SUM_ROUNDINGS as f64 * U * top(&expected), "row sums");
        let k = 3.min(rows - 1);
        let nearest = |points: &Points| cpu.nearest(points, None, Metric::Euclidean, k, Form::Direct).unwrap();
        let (expected, got) = (nearest(&first), nearest(&second));
        let turned: Vec<f64> = got.distances.chunks_exact(k).rev().flatten().copied().collect();
        prop_assert_eq!(turned, expected.distances);
    }

    #[test]
    fn turned_points_have_the_same_distances(rows in 2usize..70, dim in 2usize..30, angle in 0.1f64..3.0, seed in 0u64..1000) {
        let (x, a) = (normal(seed, rows * dim), labels(rows, CLASSES + 1));
        let (sin, cos) = angle.sin_cos();
        let turned: Vec<f32> = x
            .chunks_exact(dim)
            .flat_map(|row| {
                let mut row: Vec<f64> = row.iter().map(|&v| f64::from(v)).collect();
                for k in 1..dim {
                    let (p, q) = (row[k - 1], row[k]);
                    (row[k - 1], row[k]) = (cos * p - sin * q, sin * p + cos * q);
                }
                row.into_iter().map(|v| v as f32)
            })
            .collect();
        let expected = class_sums(&x, dim, &a, Form::Direct);
        // Each coordinate is rounded once more, by u of at most 6: 6 sqrt(2 d) u for a distance.
        let pairs = (rows * rows) as f64;
        let bound = pairs * 6.0 * (2.0 * dim as f64).sqrt() * U + 3.0 * SUM_ROUNDINGS as f64 * U * top(&expected);
        assert_close(&class_sums(&turned, dim, &a, Form::Direct), &expected, bound, "turned");
    }

    #[test]
    fn scaling_by_a_power_of_two_scales_every_bit(rows in 2usize..70, dim in 1usize..30, power in -20i32..20, seed in 0u64..1000) {
        let (x, a) = (normal(seed, rows * dim), labels(rows, CLASSES + 1));
        let scale = 2f32.powi(power);
        let scaled: Vec<f32> = x.iter().map(|v| v * scale).collect();
        let expected: Vec<f64> = class_sums(&x, dim, &a, Form::Direct).into_iter().map(|s| s * f64::from(scale)).collect();
        // The estimate of a root depends on whether the exponent is even: squares have even ones only.
        assert_close(&class_sums(&scaled, dim, &a, Form::Direct), &expected, 2.0 * U * top(&expected), "scaled");
    }

    #[test]
    fn repeated_points_are_at_distance_zero(rows in 1usize..40, dim in 1usize..30, seed in 0u64..1000) {
        let once = normal(seed, rows * dim);
        let x = [once.clone(), once].concat();
        let points = Points::new(&x, dim).unwrap();
        for backend in [&Reference as &dyn Pairwise, &Cpu::new(2).unwrap()] {
            for form in FORMS {
                let nearest = backend.nearest(&points, None, Metric::Euclidean, 1, form).unwrap();
                for (i, (&d, &j)) in nearest.distances.iter().zip(&nearest.indices).enumerate() {
                    prop_assert!(d == 0.0 && j as usize == (i + rows) % (2 * rows), "{:?}: {} at {}", form, j, d);
                }
            }
        }
    }
}
