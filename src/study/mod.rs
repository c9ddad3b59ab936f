//! The experiments of the papers, and what they need: prepared data, extrema of curves, outcomes.

pub mod checkpoint;
mod error;
pub mod extremum;
pub mod inversion;
pub mod outcome;
pub mod prepare;

pub use error::StudyError;
