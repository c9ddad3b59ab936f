//! Independent modes, the phase diagram of initialisation, gradient starvation and spectral decoupling: the theory of
//! Tachet des Combes et al. (2018, arXiv:1809.06848) and of Pezeshki et al. (2021, arXiv:2011.09468) beside networks that
//! the engine trains.
//!
//! The formulas are derived in this crate's own notes from the papers' setting, not copied from their text; each file says
//! what it rests on.

pub mod coloured_mnist;
pub mod descent;
pub mod restarts;
