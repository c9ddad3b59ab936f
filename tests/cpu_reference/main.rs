//! Every kernel of the CPU backend against the reference, on the same f32 numbers, within a componentwise rounding bound
//! whose derivation stands beside each check; integers with zero tolerance. The worst ratios: `--nocapture`.

mod case;
mod data;
mod elementwise;
mod judge;
mod kernels;
mod losses;
mod optimizers;
mod products;
mod rows;
mod special;
mod zeros;

use case::Case;
use disentangle::backend::{Backend, Cpu};
use judge::Report;
use kernels::KERNELS;

type Check = fn(&mut Case, &dyn Backend, &mut Report);

const CHECKS: [Check; 28] = [
    elementwise::fill,
    elementwise::add,
    elementwise::accumulate,
    elementwise::unary,
    elementwise::unary_grad,
    products::dense,
    products::dense_input_grad,
    products::dense_weight_grad,
    products::weight_and_bias_in_one,
    zeros::dense,
    zeros::dense_weight_grad,
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

/// Cases of each check; every eighth has the same kind of data, every tenth thousands of rows.
const CASES: u64 = 80;

/// Wide layers and small batches run on blocks of rows.
const HAS_BLOCKS: bool = true;

/// Calls `f` with a backend whose results are to be judged.
fn with_tested<R>(f: impl FnOnce(&dyn Backend) -> R) -> R {
    f(&Cpu::new(1).unwrap())
}

#[test]
fn every_kernel_is_within_its_bound_of_the_reference() {
    let cpu = Cpu::new(2).unwrap();
    let mut report = Report::default();
    for check in CHECKS {
        for seed in 0..CASES {
            check(&mut Case::new(seed), &cpu, &mut report);
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

/// Tests that other backends run too, in their own way.
macro_rules! special_values {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            special::$name();
        })*
    };
}

special_values! {
    functions_of_one_number
    losses_and_error_counts_of_any_row_and_label
    rows_of_any_size_are_normalised
    masked_rows_may_hold_anything_and_a_total_of_zero_gives_zero
    a_gradient_that_is_no_number_reaches_its_parameter
}
