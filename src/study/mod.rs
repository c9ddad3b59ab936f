//! The experiments of the papers, and what they need: prepared data, extrema of curves, outcomes.

pub mod bends;
pub mod checkpoint;
pub mod consensus;
pub mod correlation;
pub mod course;
pub mod courses;
mod error;
pub mod extremum;
pub mod families;
pub mod film;
pub mod findings;
pub mod follow;
pub mod harvest;
pub mod hinge_theory;
pub mod inversion;
pub mod keep;
pub mod measure;
pub mod minimize;
pub mod modes;
pub mod movie;
pub mod number;
pub mod ode;
pub mod outcome;
pub mod parts;
pub mod precision;
pub mod prepare;
pub mod projection;
pub mod stragglers;
pub mod sweep;
pub mod turning;

pub use error::StudyError;
