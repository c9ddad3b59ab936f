//! Every kernel of the CUDA backend against the reference: the cases, bounds and special values of `verify`, on the stand-in for the
//! driver, which runs the very sources of the kernels on the CPU. On a card: `DISENTANGLE_CUDA=real`.
//!
//! The sums are the CPU's, rounding by rounding (blocks of k, tiles of 256 rows, lanes, the tree over the lanes), so the chains of
//! roundings in the bounds are too.

mod bench;
mod command;
mod errors;
#[path = "../network_support/mod.rs"]
mod network_support;
mod pairs;
mod stand_in;
mod training;

use disentangle::backend::Cuda;
use disentangle::verify::{Op, listed, verify};
use std::sync::OnceLock;

/// Cases of each op, unless `DISENTANGLE_CUDA_CASES` says otherwise; every eighth has the same kind of numbers, every tenth
/// thousands of rows.
const CASES: u64 = 24;

/// The backend on device 0: a card's, or the stand-in's.
fn cuda() -> &'static Cuda {
    static CUDA: OnceLock<Cuda> = OnceLock::new();
    CUDA.get_or_init(|| match Cuda::new(0) {
        Ok(cuda) => cuda,
        Err(error) => panic!("{error}"),
    })
}

fn within_bounds() {
    let cases = std::env::var("DISENTANGLE_CUDA_CASES").map_or(CASES, |n| n.parse().unwrap());
    let ops: Vec<&Op> = listed("all").unwrap();
    assert!(ops.len() > 55);
    let report = verify(cuda(), &ops, 0..cases).unwrap();
    let failures: Vec<&String> = report.checks.iter().flat_map(|check| &check.failures).collect();
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(report.checks.iter().all(|check| check.judged > 0));
    assert_eq!(report.within(), report.cases());
}

/// Tests that run on the stand-in or on a card.
macro_rules! on_a_device {
    ($($name:ident: $test:expr;)*) => {
        $(#[test]
        fn $name() {
            stand_in::with(stringify!($name), $test);
        })*
    };
}

on_a_device! {
    every_kernel_is_within_its_bound_of_the_reference: within_bounds;
    follows_the_reference: training::follows_the_reference;
    histograms_of_more_bins_than_a_window: pairs::histograms_of_more_bins_than_a_window;
    gradients_of_huge_weights: pairs::gradients_of_huge_weights;
    same_bits_alone_and_beside_others: training::same_bits_alone_and_beside_others;
}
