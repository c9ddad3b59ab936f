//! What the cases of `verify` do not reach in the reductions over pairs: more bins than a block counts, and weights past the range of f32.

use disentangle::backend::Reference;
use disentangle::backend::pairwise::{Bins, Form, PairFunction, Pairwise, Points};

use crate::cuda;

/// Rows on a line at the squares of whole numbers, in three classes, the second empty: all distances are whole numbers.
fn squares(count: u32) -> (Vec<f32>, Vec<u32>) {
    (
        (0..count).map(|n| (n * n) as f32).collect(),
        (0..count).map(|n| 2 * (n % 2)).collect(),
    )
}

pub fn histograms_of_more_bins_than_a_window() {
    let (rows, labels) = squares(150);
    let points = Points::new(&rows[..], 1).unwrap().labels(&labels, 3).unwrap();
    let others = Points::new(&rows[..70], 1).unwrap();
    // Distances up to 22,201; a window has 4096 bins.
    for (count, width) in [(4095, 1.0), (4096, 1.0), (20_000, 1.0), (65_536, 0.5), (1, 4.0)] {
        let bins = Bins { width, count };
        for others in [None, Some(&others)] {
            for form in [Form::Direct, Form::F64] {
                let found = cuda().class_histograms(&points, others, bins, form).unwrap();
                assert_eq!(
                    found,
                    Reference.class_histograms(&points, others, bins, form).unwrap(),
                    "{bins:?}"
                );
            }
        }
    }
}

/// In f32 a weight of 1e200 would be infinite, and so would 1e30 times the inverse of a distance of 1e-15.
pub fn gradients_of_huge_weights() {
    let rows: Vec<f32> = (0..90).map(|n| ((n * 7919) % 89) as f32 * 1e-15).collect();
    let labels: Vec<u32> = (0..30).map(|n| n % 3).collect();
    let points = Points::new(&rows[..], 3).unwrap().labels(&labels, 3).unwrap();
    for size in [1e16, 1e30, 1e200] {
        let weights: Vec<f64> = (0..9).map(|n| size / f64::from(n + 1)).collect();
        for function in [PairFunction::Euclidean, PairFunction::L1, PairFunction::Cosine] {
            let form = Form::Direct;
            let found = cuda()
                .class_sums_gradient(&points, None, function, form, &weights)
                .unwrap();
            let exact = Reference
                .class_sums_gradient(&points, None, function, form, &weights)
                .unwrap();
            // A slope is at most 1, that of a cosine at most 2 over the norm; a row's 29 pairs have two weights of at most `size` each, and
            // err by less than 428 roundings (GRADIENT_ROUNDINGS).
            let norm = rows
                .chunks_exact(3)
                .map(|x| x.iter().map(|x| x * x).sum::<f32>().sqrt());
            let slope = match function {
                PairFunction::Cosine => 2.0 / f64::from(norm.fold(f32::MAX, f32::min)),
                _ => 1.0,
            };
            let bound = 29.0 * 2.0 * size * slope * 428.0 * f64::powi(2.0, -24);
            for (found, exact) in found.points.iter().zip(&exact.points) {
                assert!(
                    (found - exact).abs() <= bound,
                    "{function:?}, {size:e}: {found:e}, expected {exact:e}"
                );
            }
            assert!(
                exact.points.iter().any(|slope| slope.abs() > 10.0 * bound),
                "the bound says nothing"
            );
        }
    }
}
