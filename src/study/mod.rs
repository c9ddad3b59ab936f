//! The experiments of the papers, and what they need: prepared data, extrema of curves, outcomes.

pub mod checkpoint;
pub mod consensus;
pub mod correlation;
mod error;
pub mod extremum;
pub mod families;
pub mod film;
pub mod findings;
pub mod harvest;
pub mod inversion;
pub mod keep;
pub mod minimize;
pub mod movie;
pub mod number;
pub mod outcome;
pub mod parts;
pub mod prepare;
pub mod projection;
pub mod stragglers;
pub mod sweep;

pub use error::StudyError;
