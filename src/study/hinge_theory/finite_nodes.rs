//! Finitely many nodes (derived).
//!
//! With M nodes the output at a fixed x fluctuates around the mean field's by sd_f = sqrt(n_c cosh(2 gamma) / M) / c per unit of
//! |x| / sqrt d: from w_perp, and with ReLU also from the even part |w . x| (n_c = 2 for ReLU, 1 for linear units). The signal is
//! sinh(2 gamma) x_par / (c sqrt d). Hence, before the noise is learned away,
//!
//! - the test error eps(gamma) = (1 / pi) arctan( sqrt(n_c d cosh(2 gamma) / M) / sinh(2 gamma) ), for any isotropic data;
//! - the band of projections that are satisfied at one time, s = X +- dX, dX = sd(x) sqrt(n_c d cosh(2 gamma) / M) / sinh(2 gamma)
//!   with sd(x) = 1 for Gaussian data and 1 / sqrt d on the unit sphere.
//!
//! Once X is about 1 gradient descent begins to learn the noise away, and eps is an upper envelope. The paper draws a band "due
//! to the finite number of nodes" in its Fig. 1d; whether by this formula is not known to us.

use std::f64::consts::PI;

use super::model::{Model, Unit};

/// n_c: how many independent parts the noise of the output has.
fn parts(unit: Unit) -> f64 {
    match unit {
        Unit::Relu => 2.0,
        Unit::Linear => 1.0,
    }
}

/// sqrt(n_c d cosh(2 gamma) / M) / sinh(2 gamma): noise over signal at x_par = 1, |x_perp| = sqrt d.
fn noise_over_signal(model: &Model, nodes: usize, gamma: f64) -> f64 {
    let variance = parts(model.unit) * model.dimension as f64 * (2.0 * gamma).cosh() / nodes as f64;
    variance.sqrt() / (2.0 * gamma).sinh()
}

/// eps(gamma): mean test error over initial nodes; 1/2 at gamma = 0.
pub fn test_error(model: &Model, nodes: usize, gamma: f64) -> f64 {
    noise_over_signal(model, nodes, gamma).atan() / PI
}

/// dX: half the width of the band of projections that are satisfied at one time; infinite at gamma = 0.
pub fn band(model: &Model, nodes: usize, gamma: f64) -> f64 {
    noise_over_signal(model, nodes, gamma) * model.distribution.variance(model.dimension).sqrt()
}
