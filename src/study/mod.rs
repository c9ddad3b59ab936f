//! The experiments of the papers, and what they need: prepared data, extrema of curves, outcomes.

pub mod checkpoint;
pub mod consensus;
mod error;
pub mod extremum;
pub mod film;
pub mod follow;
pub mod harvest;
pub mod inversion;
pub mod keep;
pub mod measure;
pub mod movie;
pub mod outcome;
pub mod prepare;
pub mod projection;

pub use error::StudyError;
