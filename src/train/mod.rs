//! The trainer: R networks side by side, epoch by epoch, measured on the way.

mod error;
mod passes;
mod recipe;
mod trainer;

pub use error::TrainError;
pub use passes::Extras;
pub use recipe::{Batch, Entanglement, Recipe, Samples};
pub use trainer::{Measurement, Snapshot, Trainer};
