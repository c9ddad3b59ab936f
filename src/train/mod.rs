//! The trainer: R networks side by side, epoch by epoch, measured on the way.
//!
//! A training that is cut in two ends in the bits of one that is not:
//!
//! ```
//! use disentangle::backend::Cpu;
//! use disentangle::data::synthetic::gaussian_classes;
//! use disentangle::nn::{Activation, Initializer, Loss};
//! use disentangle::train::{Batch, Recipe, Samples, Trainer};
//!
//! let (features, labels) = gaussian_classes(1, 2, 50, 10, 4.0);
//! let samples = Samples { features: &features, labels: &labels };
//! let mut recipe = Recipe::new(10, &[20], 2, Activation::Tanh, Loss::CrossEntropy);
//! // Two networks, by their own initial weights and orders of batches.
//! (recipe.epochs, recipe.batch, recipe.replicas) = (6, Batch::Size(16), vec![0, 1]);
//! let initial = recipe.initial(Initializer::Pytorch);
//! let backend = Cpu::new(1)?;
//! let mut first = Trainer::new(recipe.clone(), samples, None, &initial, &backend)?;
//! for _ in 0..3 {
//!     first.advance()?;
//! }
//! let mut second = Trainer::new(recipe, samples, None, &initial, &backend)?;
//! second.restore(&first.snapshot()?)?;
//! for _ in 3..6 {
//!     assert_eq!(first.advance()?, second.advance()?);
//! }
//! assert_eq!(first.parameters()?, second.parameters()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod error;
mod passes;
mod recipe;
mod trainer;

pub use error::TrainError;
pub use passes::Extras;
pub use recipe::{Batch, Entanglement, Recipe, Samples};
pub use trainer::{Measurement, Snapshot, Trainer};
