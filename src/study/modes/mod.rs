//! Independent modes, the phase diagram of initialisation, gradient starvation and spectral decoupling: the theory of
//! Tachet des Combes et al. (2018, arXiv:1809.06848) and of Pezeshki et al. (2021, arXiv:2011.09468) beside networks that
//! the engine trains.
//!
//! `theory` holds the equations. Every other file of its name trains what an equation speaks of, by `descent` from the
//! weights of `neurons`, and hands [`findings::Findings`] to the report. The formulas are derived from the papers' setting,
//! not copied from their text; each file says what it rests on.

pub mod brightness;
pub mod coloured_mnist;
pub mod coupled;
pub mod curves;
pub mod descent;
pub mod findings;
pub mod moons_logits;
pub mod neurons;
pub mod phase;
pub mod race;
pub mod restarts;
pub mod starvation;
pub mod theory;
pub mod two_moons;

/// The papers, for a page's head.
pub const PAPERS: &str = "R. Tachet des Combes et al., On the learning dynamics of deep neural networks (2018); M. Pezeshki et al., \
                          Gradient starvation (2021).";

#[cfg(test)]
mod tests;
