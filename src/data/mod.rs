//! What is computed on: image files, the embedded digits, label rules, standardisation, arrays, weights, synthetic clouds.
//!
//! The way from files to numbers: [`Dataset::open`] or [`Dataset::digits`] reads bytes, a [`LabelRule`] turns the
//! file's labels into class indices and keeps the rows that have one, [`select`] takes consecutive or random rows of those, and a
//! [`Standardizer`] fitted on exactly those rows turns bytes into `f64`.

// Whatever a file holds comes here first: no index is taken on trust.
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

#[cfg(feature = "data")]
pub mod arrays;
pub mod cifar;
#[cfg(feature = "data")]
pub mod csv_file;
pub mod dataset;
#[cfg(feature = "data")]
mod digits;
pub mod error;
pub mod format_fault;
mod gzip;
pub mod idx;
pub mod labels;
pub mod npy;
#[cfg(feature = "data")]
pub mod npz;
#[cfg(feature = "data")]
pub mod safetensors_file;
pub mod selection;
pub mod standardize;
pub mod streams;
pub mod synthetic;
pub mod whole_file;

#[cfg(feature = "data")]
pub use csv_file::Table;
pub use dataset::{Dataset, Images};
pub use error::DataError;
pub use format_fault::FormatFault;
pub use labels::{Classes, LabelRule, Labelled};
#[cfg(feature = "data")]
pub use npy::MappedRows;
pub use npy::{Array, Npy, write_npy, write_npy_from};
#[cfg(feature = "data")]
pub use npz::Npz;
#[cfg(feature = "data")]
pub use safetensors_file::{NamedTensor, TensorFile, TensorRef, write_named, write_tensors};
pub use selection::{Subset, select};
pub use standardize::{Channels, DeadPixels, Standardize, Standardizer};
