//! Mean-field theory of hinge-loss training of shallow networks beside the networks themselves.
//!
//! Source: F. Pellegrini and G. Biroli, "An analytic theory of shallow networks dynamics for hinge loss classification",
//! NeurIPS 33 (2020) 5356, arXiv:2006.11209. What a page calls derived is this project's and not the paper's.

pub mod asymptotics;
pub mod checkpoint;
pub mod clock;
pub mod comparison;
pub mod equations;
pub mod examples;
pub mod finite_examples;
pub mod finite_nodes;
pub mod frozen;
pub mod label_noise;
pub mod model;
pub mod network;
pub mod nodes;
pub mod observables;
pub mod realistic;
pub mod same_curve;
pub mod simulation;
pub mod skip;

/// The paper, for a page's head.
pub const PAPER: &str = "F. Pellegrini and G. Biroli, An analytic theory of shallow networks dynamics for hinge loss classification, \
                         NeurIPS 33 (2020). What is called derived is this project's and not the paper's.";

#[cfg(test)]
mod tests;
