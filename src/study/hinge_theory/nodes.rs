//! The initial nodes and their trajectories.
//!
//! a_i ~ N(0, 1) and w_i ~ N(0, 1) in each dimension (the paper's initialisation). Under the mean field every node moves on a
//! hyperbola that gamma parametrises (paper: eqs. 10, 13 and 14 of one version; derived here too):
//!
//! a(t) = a(0) cosh gamma + w_par(0) sinh gamma, w_par(t) = w_par(0) cosh gamma + a(0) sinh gamma, w_perp(t) = w_perp(0).
//!
//! Invariants: a^2 - w_par^2 under the mean field, and a^2 - |w|^2 on any data, since sigma is homogeneous.

use rand_distr::{Distribution as _, StandardNormal};

use crate::data::streams::{Stream, generator};
use crate::study::projection::dot;

/// How the nodes start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initial {
    /// All independent.
    Plain,
    /// Pairs (a, w), (-a, w): the initial output is 0.
    Antithetic,
    /// Fours (a, w), (-a, -w), (a, Rw), (-a, -Rw) with R w = w_par - w_perp: what a finite number of nodes adds to the force
    /// along w* and across it cancels at all times.
    Reflected,
}

impl Initial {
    /// Nodes that belong together.
    pub fn group(self) -> usize {
        match self {
            Initial::Plain => 1,
            Initial::Antithetic => 2,
            Initial::Reflected => 4,
        }
    }

    /// Its name as options say it.
    pub fn name(self) -> &'static str {
        match self {
            Initial::Plain => "plain",
            Initial::Antithetic => "antithetic",
            Initial::Reflected => "reflected",
        }
    }
}

/// M nodes with their weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Nodes {
    /// a, `[M]`
    pub a: Vec<f64>,
    /// w, `[M, d]`
    pub w: Vec<f64>,
}

impl Nodes {
    /// Draws `count` nodes in `direction.len()` dimensions; `count` is a multiple of [`Initial::group`]. `direction` is w*.
    pub fn draw(initial: Initial, count: usize, direction: &[f64], seed: u64, replica: u64) -> Nodes {
        let mut rng = generator(seed, Stream::Initialization { replica });
        let d = direction.len();
        let (mut a, mut w) = (Vec::with_capacity(count), Vec::with_capacity(count * d));
        while a.len() < count {
            let weight: f64 = StandardNormal.sample(&mut rng);
            let inputs: Vec<f64> = (0..d).map(|_| StandardNormal.sample(&mut rng)).collect();
            let along = 2.0 * dot(&inputs, direction);
            let reflected = || inputs.iter().zip(direction).map(|(w, u)| along * u - w);
            match initial {
                Initial::Plain => {
                    a.push(weight);
                    w.extend(&inputs);
                }
                Initial::Antithetic => {
                    a.extend([weight, -weight]);
                    w.extend(inputs.iter().chain(&inputs));
                }
                Initial::Reflected => {
                    a.extend([weight, -weight, weight, -weight]);
                    w.extend(inputs.iter().copied().chain(inputs.iter().map(|w| -w)));
                    w.extend(reflected().chain(reflected().map(|w| -w)));
                }
            }
        }
        // What the engine computes with; the theory begins from the same numbers.
        for value in a.iter_mut().chain(&mut w) {
            *value = f64::from(*value as f32);
        }
        Nodes { a, w }
    }

    /// (a_i, w_par,i) of every node.
    pub fn plane(&self, direction: &[f64]) -> Vec<(f64, f64)> {
        let along = self.w.chunks_exact(direction.len()).map(|w| dot(w, direction));
        self.a.iter().copied().zip(along).collect()
    }

    /// |w_i|^2 of every node.
    pub fn squared_norms(&self, d: usize) -> Vec<f64> {
        self.w.chunks_exact(d).map(|w| dot(w, w)).collect()
    }

    /// The nodes as the mean field moves them from here to `gamma`.
    pub fn moved(&self, direction: &[f64], gamma: f64) -> Nodes {
        let mut moved = self.clone();
        let plane = self.plane(direction);
        let rows = moved.w.chunks_exact_mut(direction.len());
        for ((a, w), &(a0, w0)) in moved.a.iter_mut().zip(rows).zip(&plane) {
            let (to_a, to_w) = trajectory((a0, w0), gamma);
            *a = to_a;
            w.iter_mut().zip(direction).for_each(|(w, u)| *w += (to_w - w0) * u);
        }
        moved
    }
}

/// (a, w_par) at `gamma` of a node that starts at `(a0, w0)`.
pub fn trajectory((a, w): (f64, f64), gamma: f64) -> (f64, f64) {
    let (cosh, sinh) = (gamma.cosh(), gamma.sinh());
    (a * cosh + w * sinh, w * cosh + a * sinh)
}

/// gamma as a network shows it: the median over nodes of ln((a + w_par) / (a(0) + w_par(0))), since a + w_par grows as e^gamma.
/// NaN if no node has such a number.
pub fn measured_gamma(start: &[(f64, f64)], now: &[(f64, f64)]) -> f64 {
    let ratios = start.iter().zip(now).map(|(s, n)| ((n.0 + n.1) / (s.0 + s.1)).ln());
    let mut all: Vec<f64> = ratios.filter(|ratio| ratio.is_finite()).collect();
    all.sort_by(f64::total_cmp);
    match (all.len(), all.get(all.len() / 2)) {
        (n, Some(&upper)) if n % 2 == 0 => 0.5 * (all[n / 2 - 1] + upper),
        (_, Some(&middle)) => middle,
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(d: usize) -> Vec<f64> {
        let mut direction = vec![0.6, 0.8];
        direction.resize(d, 0.0);
        direction
    }

    #[test]
    fn symmetric_nodes_cancel_what_they_should() {
        let direction = unit(7);
        let x: Vec<f64> = (0..7).map(|i| f64::from(i) - 2.3).collect();
        let relu = |z: f64| z.max(0.0);
        let output = |nodes: &Nodes| -> f64 {
            let rows = nodes.w.chunks_exact(7);
            nodes.a.iter().zip(rows).map(|(a, w)| a * relu(dot(w, &x))).sum()
        };
        assert_eq!(output(&Nodes::draw(Initial::Antithetic, 20, &direction, 3, 0)), 0.0);
        let nodes = Nodes::draw(Initial::Reflected, 20, &direction, 3, 0);
        let odd: f64 = nodes.plane(&direction).iter().map(|(a, w)| a * w).sum::<f64>() * dot(&x, &direction) / 2.0;
        // Sums of 20 products of order 10, rounded to f32: 20 * 10 * 2^-24 = 1e-5.
        assert!((output(&nodes) - odd).abs() < 1e-5);
        let plain = Nodes::draw(Initial::Plain, 20, &direction, 3, 0);
        assert_ne!(plain, Nodes::draw(Initial::Plain, 20, &direction, 3, 1));
        assert_eq!((plain.a.len(), plain.w.len()), (20, 140));
    }

    #[test]
    fn trajectories_keep_their_invariants_and_show_their_gamma() {
        let direction = unit(5);
        let start = Nodes::draw(Initial::Plain, 31, &direction, 1, 0);
        for gamma in [0.0, 1e-3, 0.5, 2.0] {
            let moved = start.moved(&direction, gamma);
            let (before, after) = (start.plane(&direction), moved.plane(&direction));
            // Some roundings of numbers below 50.
            assert!((measured_gamma(&before, &after) - gamma).abs() < 1e-12);
            for (b, a) in before.iter().zip(&after) {
                assert!(((b.0 * b.0 - b.1 * b.1) - (a.0 * a.0 - a.1 * a.1)).abs() < 1e-11);
            }
            let across = |nodes: &Nodes| nodes.w.iter().map(|w| w * w).sum::<f64>();
            let along = |plane: &[(f64, f64)]| plane.iter().map(|n| n.1 * n.1).sum::<f64>();
            let left = across(&moved) - along(&after) - across(&start) + along(&before);
            assert!(left.abs() < 1e-9, "{left}");
        }
        assert!(measured_gamma(&[], &[]).is_nan());
    }
}
