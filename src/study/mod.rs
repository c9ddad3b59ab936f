//! The experiments of the papers, and what they need: prepared data, extrema of curves, outcomes.

pub mod beside;
pub mod checkpoint;
pub mod consensus;
mod error;
pub mod extremum;
pub mod film;
pub mod follow;
pub mod harvest;
pub mod hinge_theory;
pub mod inversion;
pub mod keep;
pub mod measure;
pub mod modes;
pub mod movie;
pub mod ode;
pub mod outcome;
pub mod prepare;
pub mod projection;

pub use error::StudyError;
