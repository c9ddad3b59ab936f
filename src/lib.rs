//! A small, exact and fast numeric engine that trains dense networks and measures, while they train, how class
//! manifolds disentangle and entangle again.
//!
//! The rooms of the house, each of which imports only from those after it: [`report`] (files and pages), [`verify`]
//! (a backend against the reference), [`mod@bench`] (timings of kernels), [`study`] (experiments), [`train`] (epochs, batches, replicas), [`geometry`] (manifold metrics), [`nn`] (layers, losses,
//! optimisers), [`autograd`] (record once, plan, replay), [`backend`] (who computes) and [`data`] (what is computed on).

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod autograd;
pub mod backend;
#[cfg(feature = "verify")]
pub mod bench;
pub mod data;
pub mod geometry;
pub mod nn;
#[cfg(feature = "cli")]
pub mod report;
#[cfg(feature = "study")]
pub mod study;
pub mod train;
#[cfg(feature = "verify")]
pub mod verify;
