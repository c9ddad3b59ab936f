//! The theory alone: equations, closed forms and fixed points. Nothing here trains a network.

pub mod decoupling;
pub mod depth;
pub mod exponential_integral;
pub mod multiclass;
pub mod phase;
pub mod race;
pub mod scalar;
pub mod starvation;
