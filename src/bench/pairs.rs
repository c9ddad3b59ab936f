//! The reductions over pairs: 10,000 standard normal points in 10 classes.
//!
//! Operations are counted in slots of the multiply-add units, as two each: a coordinate of an unordered pair takes two slots as a
//! difference (a subtraction and a multiply-add) and one as a product; a gradient takes those of its distances twice and two more
//! for the products of its weights with the points of both sides. Square roots and exponentials are not counted.
//!
//! Points are the host's, and so are results: on a device the copies there and back are in the time.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use super::{BenchError, Case, Ready};
use crate::backend::Backend;
use crate::backend::pairwise::{Form, Metric, PairFunction, Pairwise, PairwiseError, Points};

const ROWS: usize = 10_000;
const CLASSES: usize = 10;
const TEMPERATURE: f64 = 50.0;

/// A reduction, run once.
type Work = fn(&dyn Pairwise, &Points, Form) -> Result<(), PairwiseError>;

/// Name, slots per coordinate as a difference and as a product, work.
const WORKS: [(&str, [f64; 2], Work); 6] = [
    ("pairs: class sums", [2.0, 1.0], |on, points, form| {
        on.class_sums(points, None, PairFunction::Euclidean, form).map(drop)
    }),
    ("pairs: row sums", [2.0, 1.0], |on, points, form| {
        on.row_class_sums(points, None, PairFunction::Euclidean, form).map(drop)
    }),
    ("pairs: soft nearest", [2.0, 1.0], |on, points, form| {
        on.soft_nearest_neighbor(points, TEMPERATURE, form).map(drop)
    }),
    ("pairs: soft nearest, grad", [6.0, 4.0], |on, points, form| {
        on.soft_nearest_neighbor_gradient(points, TEMPERATURE, form).map(drop)
    }),
    ("pairs: 2 nearest", [2.0, 1.0], |on, points, form| {
        on.nearest(points, None, Metric::Euclidean, 2, form).map(drop)
    }),
    ("pairs: 30 nearest", [2.0, 1.0], |on, points, form| {
        on.nearest(points, None, Metric::Euclidean, 30, form).map(drop)
    }),
];

/// Every case.
pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (dim, form) in [(20, Form::Direct), (512, Form::Direct), (512, Form::Centered)] {
        for (kernel, [difference, product], work) in WORKS {
            let slots = if form == Form::Centered { product } else { difference };
            let pairs = (ROWS * (ROWS - 1) / 2) as f64;
            cases.push(Case {
                kernel,
                shape: format!("{ROWS} x {dim}, {}", form.name()),
                flops: Some(2.0 * slots * dim as f64 * pairs),
                bytes: None,
                pause: Duration::ZERO,
                host: false,
                product: None,
                prepare: Box::new(move |backend| prepare(backend, dim, form, work)),
            });
        }
    }
    cases
}

fn prepare(backend: &dyn Backend, dim: usize, form: Form, work: Work) -> Result<Ready<'_>, BenchError> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let normal = |_| {
        let x: f64 = StandardNormal.sample(&mut rng);
        x as f32
    };
    let values: Vec<f32> = (0..ROWS * dim).map(normal).collect();
    let labels: Vec<u32> = (0..ROWS).map(|i| (i % CLASSES) as u32).collect();
    Ok(Box::new(move || {
        let points = Points::new(&values[..], dim)?.labels(&labels, CLASSES)?;
        Ok(work(backend.pairs(), &points, form)?)
    }))
}
