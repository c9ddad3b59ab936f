//! What is computed on: image files, the embedded digits, label rules, standardisation, weights, synthetic clouds.
//!
//! The way from a folder to numbers: [`Dataset::open`] or [`Dataset::digits`] reads bytes, a [`LabelRule`] turns the
//! file's labels into class indices and keeps the rows that have one, [`select`] takes consecutive rows of those, and a
//! [`Standardizer`] fitted on exactly those rows turns bytes into `f64`.

pub mod dataset;
#[cfg(feature = "data")]
mod digits;
pub mod error;
mod gzip;
pub mod idx;
pub mod labels;
#[cfg(feature = "data")]
pub mod safetensors_file;
pub mod selection;
pub mod standardize;
pub mod streams;
pub mod synthetic;

pub use dataset::{Dataset, Images};
pub use error::DataError;
pub use labels::{Classes, LabelRule, Labelled};
#[cfg(feature = "data")]
pub use safetensors_file::{NamedTensor, TensorFile, TensorRef, write_tensors};
pub use selection::select;
pub use standardize::{DeadPixels, Standardize, Standardizer};
