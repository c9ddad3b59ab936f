//! A small, exact and fast numeric engine that trains dense networks and measures, while they train, how class
//! manifolds disentangle and entangle again.
//!
//! The rooms of the house, each of which imports only from those after it: [`report`] (files and pages), [`verify`]
//! (a backend against the reference), [`mod@bench`] (timings of kernels), [`study`] (experiments), [`train`] (epochs, batches, replicas), [`geometry`] (manifold metrics), [`nn`] (layers, losses,
//! optimisers), [`autograd`] (record once, plan, replay), [`backend`] (who computes) and [`data`] (what is computed on).
//!
//! Two clouds of 50 points in 10 dimensions, a network of 20 hidden units, and how wide each class is there after 20 epochs:
//!
//! ```
//! use disentangle::backend::Cpu;
//! use disentangle::data::synthetic::gaussian_classes;
//! use disentangle::geometry::gyration_radius;
//! use disentangle::nn::{Activation, Initializer, Loss};
//! use disentangle::train::{Recipe, Samples, Trainer};
//!
//! let (features, labels) = gaussian_classes(1, 2, 50, 10, 4.0);
//! let samples = Samples { features: &features, labels: &labels };
//! let mut recipe = Recipe::new(10, &[20], 2, Activation::Tanh, Loss::CrossEntropy);
//! recipe.epochs = 20;
//! let initial = recipe.initial(Initializer::Pytorch);
//! let mut trainer = Trainer::new(recipe, samples, None, &initial, &Cpu::new(1)?)?;
//! for _ in 1..20 {
//!     trainer.advance()?;
//! }
//! // Of the last layer measured: a fraction of misclassified samples, and radii on the unit sphere.
//! let measured = trainer.advance()?;
//! assert!(measured.error[0] < 0.1);
//! assert!(measured.moments[0][0].iter().all(|class| gyration_radius(class) < 1.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
