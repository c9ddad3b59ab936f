//! The ops, a page each.

mod activations;
mod affine;
mod dense;
mod gather;
mod logit_penalty;
mod margin;
mod probes;
mod row_normalize;
mod row_sum;
mod soft_nearest_neighbor;
mod softmax_cross_entropy;
mod squared_error;
mod sum_squares;
mod unary;

pub use soft_nearest_neighbor::TEMPERATURES;
