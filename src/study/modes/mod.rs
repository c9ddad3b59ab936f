//! Independent modes, the phase diagram of initialisation, gradient starvation and spectral decoupling: the theory of
//! Tachet des Combes et al. (2018, arXiv:1809.06848) and of Pezeshki et al. (2021, arXiv:2011.09468) beside networks that
//! the engine trains.
//!
//! The formulas are derived from the papers' setting, not copied from their text; each file says what it rests on.

pub mod brightness;
pub mod coloured_mnist;
pub mod curves;
pub mod decoupling;
pub mod depth;
pub mod descent;
pub mod exponential_integral;
pub mod findings;
pub mod multiclass;
pub mod neurons;
pub mod phase;
pub mod phase_plane;
pub mod race;
pub mod races;
pub mod restarts;
pub mod scalar;
pub mod starvation;
pub mod starving;
pub mod two_moons;

#[cfg(test)]
mod tests;
