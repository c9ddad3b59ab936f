//! The trainer: R networks side by side, epoch by epoch, measured on the way.

mod error;
mod recipe;
mod trainer;

pub use error::TrainError;
pub use recipe::{Batch, Recipe, Samples};
pub use trainer::{Measurement, Snapshot, Trainer};
