//! Gradients: the reference by directional differences, the CPU by the reference.

use disentangle::backend::pairwise::{Form, Gradients, PairFunction, Pairwise, PairwiseError, Points};
use disentangle::backend::{Cpu, Reference};

use crate::data::{FORMS, assert_close, functions, labels, normal, top};

const CLASSES: usize = 3;

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn set<'a>(values: &'a [f64], dim: usize, labels: &'a [u32]) -> Points<'a> {
    Points::new(values, dim).unwrap().labels(labels, CLASSES).unwrap()
}

/// Checks a gradient along a random direction of both sets: the error of a central difference of step h is of order h^2.
fn directional(
    value: impl Fn(&Points, Option<&Points>) -> f64,
    gradient: impl Fn(&Points, Option<&Points>) -> Gradients,
    two: bool,
    what: &str,
) {
    let (rows, others, dim) = (11, if two { 7 } else { 0 }, 4);
    let (x, y) = (wide(&normal(1, rows * dim)), wide(&normal(2, others * dim)));
    let (u, v) = (wide(&normal(3, rows * dim)), wide(&normal(4, others * dim)));
    let (a, b) = (labels(rows, CLASSES + 1), labels(others, CLASSES + 1));
    let at = |step: f64| {
        let move_by = |x: &[f64], u: &[f64]| x.iter().zip(u).map(|(x, u)| x + step * u).collect::<Vec<f64>>();
        let (x, y) = (move_by(&x, &u), move_by(&y, &v));
        let second = two.then(|| set(&y, dim, &b));
        value(&set(&x, dim, &a), second.as_ref())
    };
    let second = two.then(|| set(&y, dim, &b));
    let gradient = gradient(&set(&x, dim, &a), second.as_ref());
    let slope = dot(&gradient.points, &u) + dot(&gradient.others, &v);
    let h = 1e-5;
    let difference = (at(h) - at(-h)) / (2.0 * h);
    let scale = top(&gradient.points) * (rows * dim) as f64;
    assert!(
        (slope - difference).abs() <= 1e-7 * scale,
        "{what}: {slope} and {difference}"
    );
}

#[test]
fn gradients_of_class_sums_are_their_slopes() {
    let weights = wide(&normal(9, CLASSES * CLASSES));
    for function in functions(4, Form::Direct).filter(|f| f.check_gradient(Form::Direct).is_ok()) {
        for two in [false, true] {
            directional(
                |p, o| {
                    dot(
                        &Reference.class_sums(p, o, function, Form::Direct).unwrap().sums,
                        &weights,
                    )
                },
                |p, o| {
                    Reference
                        .class_sums_gradient(p, o, function, Form::Direct, &weights)
                        .unwrap()
                },
                two,
                &format!("{function:?}"),
            );
        }
    }
}

#[test]
fn gradients_of_row_sums_and_their_logarithms_are_their_slopes() {
    let weights = wide(&normal(9, 11 * CLASSES));
    for two in [false, true] {
        for function in functions(4, Form::Direct).filter(|f| f.check_gradient(Form::Direct).is_ok()) {
            directional(
                |p, o| {
                    dot(
                        &Reference.row_class_sums(p, o, function, Form::Direct).unwrap(),
                        &weights,
                    )
                },
                |p, o| {
                    Reference
                        .row_class_sums_gradient(p, o, function, Form::Direct, &weights)
                        .unwrap()
                },
                two,
                &format!("{function:?}"),
            );
        }
        directional(
            |p, o| {
                dot(
                    &Reference.row_class_log_sums(p, o, 3.0, Form::Direct).unwrap(),
                    &weights,
                )
            },
            |p, o| {
                Reference
                    .row_class_log_sums_gradient(p, o, 3.0, Form::Direct, &weights)
                    .unwrap()
            },
            two,
            "logarithms",
        );
    }
}

#[test]
fn gradients_of_the_soft_nearest_neighbor_loss_are_its_slopes() {
    for temperature in [0.05, 3.0] {
        directional(
            |p, _| {
                Reference
                    .soft_nearest_neighbor(p, temperature, Form::Direct)
                    .unwrap()
                    .loss[0]
            },
            |p, _| Gradients {
                points: Reference
                    .soft_nearest_neighbor_gradient(p, temperature, Form::Direct)
                    .unwrap()
                    .points,
                others: vec![],
            },
            false,
            "soft nearest neighbours",
        );
        let (x, a) = (wide(&normal(1, 44)), labels(11, CLASSES + 1));
        let points = set(&x, 4, &a);
        let slope = Reference
            .soft_nearest_neighbor_gradient(&points, temperature, Form::Direct)
            .unwrap()
            .temperature[0];
        let at = |t: f64| Reference.soft_nearest_neighbor(&points, t, Form::Direct).unwrap().loss[0];
        let h = 1e-5 * temperature;
        let difference = (at(temperature + h) - at(temperature - h)) / (2.0 * h);
        assert!(
            (slope - difference).abs() <= 1e-6 * slope.abs().max(1e-3),
            "{slope} and {difference}"
        );
    }
}

/// Relative to the largest element. The sums behind an element have up to `rows` terms of both signs with about 300 roundings
/// each; that much is lost to cancellation at most in these data.
const TOLERANCE: f64 = 2e-5;

fn close(got: &Gradients, expected: &Gradients, what: &str) {
    let bound = TOLERANCE * top(&expected.points).max(top(&expected.others));
    assert_close(&got.points, &expected.points, bound, what);
    assert_close(&got.others, &expected.others, bound, what);
}

#[test]
fn the_cpu_has_the_gradients_of_the_reference() {
    let cpu = Cpu::new(2).unwrap();
    for (rows, others, dim) in [
        (1, 0, 3),
        (9, 5, 1),
        (70, 33, 20),
        (300, 0, 7),
        (90, 130, 70),
        (40, 0, 300),
    ] {
        let (x, y) = (normal(1, rows * dim), normal(2, others * dim));
        let (a, b) = (labels(rows, CLASSES + 1), labels(others, CLASSES + 1));
        let points = Points::new(&x, dim).unwrap().labels(&a, CLASSES).unwrap();
        let second = (others > 0).then(|| Points::new(&y, dim).unwrap().labels(&b, CLASSES).unwrap());
        let second = second.as_ref();
        let (pairs, each) = (wide(&normal(3, CLASSES * CLASSES)), wide(&normal(4, rows * CLASSES)));
        for form in FORMS {
            for function in functions(dim, form).filter(|f| f.check_gradient(form).is_ok()) {
                // One coordinate: close points and the steep root of their distance.
                if dim == 1 && form == Form::Centered {
                    continue;
                }
                let what = format!("{function:?}, {form:?}, {rows} and {others} x {dim}");
                let got = cpu
                    .class_sums_gradient(&points, second, function, form, &pairs)
                    .unwrap();
                close(
                    &got,
                    &Reference
                        .class_sums_gradient(&points, second, function, form, &pairs)
                        .unwrap(),
                    &what,
                );
                let got = cpu
                    .row_class_sums_gradient(&points, second, function, form, &each)
                    .unwrap();
                close(
                    &got,
                    &Reference
                        .row_class_sums_gradient(&points, second, function, form, &each)
                        .unwrap(),
                    &what,
                );
            }
            // At the low temperature every sum vanishes in f32.
            for temperature in [1e-3, 2.0 * dim as f64] {
                let what = format!("logarithms, {form:?}, {rows} and {others} x {dim}, T = {temperature}");
                let got = cpu
                    .row_class_log_sums_gradient(&points, second, temperature, form, &each)
                    .unwrap();
                let expected = Reference
                    .row_class_log_sums_gradient(&points, second, temperature, form, &each)
                    .unwrap();
                close(&got, &expected, &what);
                let Ok(expected) = Reference.soft_nearest_neighbor_gradient(&points, temperature, form) else {
                    assert_eq!(rows, 1);
                    continue;
                };
                let got = cpu.soft_nearest_neighbor_gradient(&points, temperature, form).unwrap();
                let bound = TOLERANCE * top(&expected.points);
                assert_close(&got.points, &expected.points, bound, &what);
                assert_close(&got.value.rows, &expected.value.rows, 1e-4, &what);
                // It is a sum over all rows of x times the gradient.
                let bound = bound * top(&wide(&x)) * (rows * dim) as f64 / temperature;
                assert_close(&got.temperature, &expected.temperature, bound, &what);
            }
        }
    }
}

/// Weights that f32 does not have: the CPU computes with them over the largest.
#[test]
fn weights_beyond_the_range_of_f32_lose_nothing() {
    let (rows, dim) = (70, 5);
    let (x, a) = (normal(1, rows * dim), labels(rows, CLASSES + 1));
    let points = Points::new(&x, dim).unwrap().labels(&a, CLASSES).unwrap();
    let weights: Vec<f64> = wide(&normal(4, rows * CLASSES)).iter().map(|w| 1e60 * w).collect();
    let cpu = Cpu::new(1).unwrap();
    for form in FORMS {
        for function in functions(dim, form).filter(|f| f.check_gradient(form).is_ok()) {
            let gradient = |backend: &dyn Pairwise| {
                backend
                    .row_class_sums_gradient(&points, None, function, form, &weights)
                    .unwrap()
            };
            close(
                &gradient(&cpu),
                &gradient(&Reference),
                &format!("{function:?}, {form:?}"),
            );
        }
    }
}

#[test]
fn coincident_points_have_the_stated_subgradient() {
    let x = [1.0f64, 2.0, 1.0, 2.0, 1.0, 2.0, 4.0, 6.0];
    let a = [0, 0, 1, 1];
    let points = set(&x, 2, &a);
    for backend in [&Reference as &dyn Pairwise, &Cpu::new(2).unwrap()] {
        for form in FORMS {
            for function in functions(2, form).filter(|f| f.check_gradient(form).is_ok()) {
                let weights = [1.0; CLASSES * CLASSES];
                let got = backend
                    .class_sums_gradient(&points, None, function, form, &weights)
                    .unwrap();
                assert!(got.points.iter().all(|g| g.is_finite()), "{function:?} {form:?}");
                if form == Form::Centered {
                    // Products do not know that two points are one.
                    continue;
                }
                // The three that coincide have the same gradient, that of the fourth point alone, but for the roundings of some
                // f32 terms in another order.
                assert_close(&got.points[2..4], &got.points[0..2], 1e-6, "the second of three");
                assert_close(&got.points[4..6], &got.points[0..2], 1e-6, "the third of three");
                if function == PairFunction::Euclidean {
                    assert_close(&got.points[0..2], &[-1.2, -1.6], 1e-6, "unit vector, twice");
                }
            }
            let loss = backend.soft_nearest_neighbor_gradient(&points, 1.0, form).unwrap();
            assert!(loss.points.iter().chain(&loss.temperature).all(|g| g.is_finite()));
        }
    }
}

#[test]
fn a_step_function_has_no_gradient() {
    let x = [0.0f64, 1.0];
    let function = PairFunction::Within { radius: 1.0 };
    let points = Points::new(&x[..], 1).unwrap();
    let error = Cpu::new(1)
        .unwrap()
        .class_sums_gradient(&points, None, function, Form::Direct, &[1.0]);
    assert!(matches!(error, Err(PairwiseError::NoDerivative { .. })));
}
