//! The experiments of the papers.

pub mod outcome;
