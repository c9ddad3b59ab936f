//! Every kernel of the CUDA backend against the reference: the cases, bounds and special values of `tests/cpu_reference`, on the
//! stand-in for the driver, which runs the very sources of the kernels on the CPU. On a card: `DISENTANGLE_CUDA=real`.
//!
//! The sums are the CPU's, rounding by rounding (blocks of k, tiles of 256 rows, lanes, the tree over the lanes), so the chains of
//! roundings in the bounds are too; layers never run on blocks of rows.

#[expect(dead_code, reason = "samples that last are for layers that skip zeros, which are the CPU's")]
#[path = "../cpu_reference/case.rs"]
mod case;
#[path = "../cpu_reference/data.rs"]
mod data;
#[path = "../cpu_reference/elementwise.rs"]
mod elementwise;
mod errors;
#[path = "../cpu_reference/judge.rs"]
mod judge;
#[path = "../cpu_reference/kernels.rs"]
mod kernels;
#[path = "../cpu_reference/losses.rs"]
mod losses;
#[path = "../network_support/mod.rs"]
mod network_support;
#[path = "../cpu_reference/optimizers.rs"]
mod optimizers;
#[path = "../cpu_reference/products.rs"]
mod products;
#[path = "../cpu_reference/rows.rs"]
mod rows;
#[path = "../cpu_reference/special.rs"]
mod special;
mod stand_in;
mod training;

use case::Case;
use disentangle::backend::{Backend, Cuda};
use judge::Report;
use kernels::KERNELS;
use std::sync::OnceLock;

type Check = fn(&mut Case, &dyn Backend, &mut Report);

const CHECKS: [Check; 26] = [
    elementwise::fill,
    elementwise::add,
    elementwise::accumulate,
    elementwise::unary,
    elementwise::unary_grad,
    products::dense,
    products::dense_input_grad,
    products::dense_weight_grad,
    products::weight_and_bias_in_one,
    rows::row_normalize,
    rows::row_normalize_grad,
    rows::row_sum,
    rows::row_sum_grad,
    rows::sum_squares,
    rows::sum_squares_grad,
    rows::gather,
    rows::class_moments,
    rows::error_count_and_zero_rows,
    losses::softmax_cross_entropy,
    losses::softmax_cross_entropy_grad,
    losses::margin,
    losses::squared_error,
    losses::logit_penalty,
    optimizers::sgd,
    optimizers::adam,
    optimizers::rms_prop,
];

/// Layers never run on blocks of rows.
const HAS_BLOCKS: bool = false;

/// Cases of each check, unless `DISENTANGLE_CUDA_CASES` says otherwise; every eighth has the same kind of data, every tenth
/// thousands of rows.
const CASES: u64 = 40;

/// The backend on device 0: a card's, or the stand-in's.
fn cuda() -> &'static Cuda {
    static CUDA: OnceLock<Cuda> = OnceLock::new();
    CUDA.get_or_init(|| match Cuda::new(0, 1) {
        Ok(cuda) => cuda,
        Err(error) => panic!("{error}"),
    })
}

/// Calls `f` with a backend whose results are to be judged.
fn with_tested<R>(f: impl FnOnce(&dyn Backend) -> R) -> R {
    f(cuda())
}

fn within_bounds() {
    let cases = std::env::var("DISENTANGLE_CUDA_CASES").map_or(CASES, |n| n.parse().unwrap());
    let mut report = Report::default();
    for check in CHECKS {
        for seed in 0..cases {
            check(&mut Case::new(seed), cuda(), &mut report);
        }
    }
    assert_eq!(
        report.kernels.len(),
        KERNELS,
        "a kernel without a check: {:?}",
        report.kernels
    );
    report.finish();
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
    functions_of_one_number: special::functions_of_one_number;
    losses_and_error_counts_of_any_row_and_label: special::losses_and_error_counts_of_any_row_and_label;
    rows_of_any_size_are_normalised: special::rows_of_any_size_are_normalised;
    masked_rows_may_hold_anything: special::masked_rows_may_hold_anything_and_a_total_of_zero_gives_zero;
    follows_the_reference: training::follows_the_reference;
    same_bits_alone_and_beside_others: training::same_bits_alone_and_beside_others;
    a_gradient_that_is_no_number: special::a_gradient_that_is_no_number_reaches_its_parameter;
}
