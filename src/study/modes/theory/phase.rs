//! The phase diagram of initialisation (derived): what becomes of one neuron that starts at v0 = w . x / rho, z0.
//!
//! The class wants u > 0. The flow keeps the signs of z + v, which grows, and of z - v, which decays:
//!
//! | where | what happens |
//! |---|---|
//! | v0 <= 0 | the neuron is not active and never moves: dead |
//! | v0 > 0, z0 > -v0 | learns; z approaches v |
//! | v0 > 0, z0 < -v0 | v falls to 0 at tau = artanh(v0 / abs z0); dead with z = -sqrt(z0^2 - v0^2) |
//! | v0 > 0, z0 = -v0 | falls into the origin, a saddle |
//!
//! Directions of (v0, z0) that are uniform on the circle learn with probability 3/8, die while active with 1/8 and never
//! were active with 1/2. A network of h such neurons and two classes x_2 = -x_1, where a neuron is active on exactly one,
//! fails on one class or both with probability 2 (5/8)^h - (1/4)^h.
//!
//! That law takes v = 0 for the end of a neuron, as the flow with a ReLU whose slope at 0 is 0 does. Steps of any size go
//! over v = 0, and there the neuron is active on the other class, with z of that class's sign: it learns that one. If all
//! such neurons arrive, each network fails whose neurons are for one class all, with probability 2 (1/2)^h.

/// What becomes of a neuron.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Inactive from the start.
    Silent,
    /// It ends with u > 0.
    Learns,
    /// Active at first, then not.
    Dies,
    /// On the separatrix, or not decided yet.
    Saddle,
}

/// All, in the order of their codes in tables.
pub const FATES: [Fate; 4] = [Fate::Silent, Fate::Learns, Fate::Dies, Fate::Saddle];

impl Fate {
    /// By the theory.
    pub fn predicted(v: f64, z: f64) -> Fate {
        if v <= 0.0 {
            Fate::Silent
        } else if z > -v {
            Fate::Learns
        } else if z < -v {
            Fate::Dies
        } else {
            Fate::Saddle
        }
    }

    /// From where a trained neuron started and where it is.
    pub fn observed(v0: f64, v: f64, z: f64) -> Fate {
        if v0 <= 0.0 {
            Fate::Silent
        } else if v <= 0.0 {
            Fate::Dies
        } else if z > 0.0 {
            Fate::Learns
        } else {
            Fate::Saddle
        }
    }

    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Fate::Silent => "silent",
            Fate::Learns => "learns",
            Fate::Dies => "dies",
            Fate::Saddle => "saddle",
        }
    }
}

/// z of a neuron that has died, -sqrt(z0^2 - v0^2).
pub fn dead_weight(v0: f64, z0: f64) -> f64 {
    -(z0 * z0 - v0 * v0).max(0.0).sqrt()
}

/// Probability that a neuron with a uniform direction of (v0, z0) learns.
pub const SUCCESS: f64 = 3.0 / 8.0;

/// Probability that a network of h neurons fails on at least one of two opposite classes, if v = 0 is a neuron's end.
pub fn failure_rate(h: u32) -> f64 {
    2.0 * (5.0f64 / 8.0).powi(h as i32) - 0.25f64.powi(h as i32)
}

/// The same if neurons go over v = 0 and on for the other class, and all of them arrive.
pub fn failure_rate_stepping_over(h: u32) -> f64 {
    2.0 * 0.5f64.powi(h as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_of_the_note() {
        for (h, rate) in [(1, 1.0), (2, 0.71875), (4, 0.30127), (8, 0.04655)] {
            assert!((failure_rate(h) - rate).abs() <= 5e-6, "{h}: {}", failure_rate(h));
        }
    }
}
