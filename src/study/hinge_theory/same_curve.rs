//! Two networks from the same nodes in the plane of (a, w_par), whatever their clocks (derived).
//!
//! All that distribution, alpha, N and noise change in the mean field is the clock gamma(t). So two networks whose nodes begin
//! alike draw the same curve, and one can be plotted against the other without a word about time: at each state of the one, how
//! far are its nodes from where the other has its nodes at the same gamma?
//!
//! gamma is what each network shows itself ([`measured_gamma`](super::nodes::measured_gamma)). Between two of its states at
//! gamma_1 and gamma_2 a network's nodes P are those of the solution of P'' = P through both,
//! ```text
//!   P(gamma) = [ sinh(gamma_2 - gamma) P_1 + sinh(gamma - gamma_1) P_2 ] / sinh(gamma_2 - gamma_1),
//! ```
//! which is exact on hyperbolas and goes through both states on any curve.

use super::comparison::Case;
use super::simulation::Record;

/// A state of one network beside the curve of the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Apart {
    /// Steps done.
    pub t: f64,
    /// The network's gamma.
    pub gamma: f64,
    /// L2 norm of the differences of all (a_i, w_par,i), over that of the other network's (a_i, w_par,i).
    pub nodes: f64,
    /// The largest distance of a single node, over the root mean square of |(a_i, w_par,i)| of the other network.
    pub worst: f64,
}

/// Whether the nodes of two networks begin alike.
pub fn begin_alike(one: &Case, other: &Case) -> bool {
    let first = |case: &Case| case.outcome.records.first().map(|record| record.plane.clone());
    first(one).is_some() && first(one) == first(other)
}

/// States of a case whose time is between 0 and t_c.
fn early(case: &Case) -> impl Iterator<Item = &Record> {
    let end = case.comparison.overfits_from;
    let records = case.outcome.records.iter();
    records.filter(move |record| record.step as f64 <= end && record.gamma.is_finite())
}

/// The nodes (a_i, w_par,i) of a network where it shows `gamma`; `None` if it has not come there before t_c.
pub fn nodes_at(case: &Case, gamma: f64) -> Option<Vec<(f64, f64)>> {
    let states: Vec<&Record> = early(case).collect();
    let pair = states
        .windows(2)
        .find(|pair| pair[0].gamma <= gamma && gamma <= pair[1].gamma);
    let &[from, to] = pair? else { return None };
    let whole = to.gamma - from.gamma;
    let (one, two) = if whole > 0.0 {
        let part = |distance: f64| distance.sinh() / whole.sinh();
        (part(to.gamma - gamma), part(gamma - from.gamma))
    } else {
        (1.0, 0.0)
    };
    let between = |a: f64, b: f64| one * a + two * b;
    let pairs = from.plane.iter().zip(&to.plane);
    Some(pairs.map(|(a, b)| (between(a.0, b.0), between(a.1, b.1))).collect())
}

/// The states of `other` after its first and before its t_c, where `first` has come to the same gamma before its own.
pub fn apart(first: &Case, other: &Case) -> Vec<Apart> {
    let states = early(other).filter(|record| record.step > 0);
    let beside = states.filter_map(|record| {
        let there = nodes_at(first, record.gamma)?;
        let (mut sum, mut length, mut worst) = (0.0, 0.0, 0.0f64);
        for (now, there) in record.plane.iter().zip(&there) {
            let squared = (now.0 - there.0).powi(2) + (now.1 - there.1).powi(2);
            sum += squared;
            worst = worst.max(squared);
            length += there.0.powi(2) + there.1.powi(2);
        }
        Some(Apart {
            t: record.step as f64,
            gamma: record.gamma,
            nodes: (sum / length).sqrt(),
            worst: (worst * there.len() as f64 / length).sqrt(),
        })
    });
    beside.collect()
}

/// The largest distances of a network from the curve of another, and how many states were compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Farthest {
    /// Of all nodes together.
    pub nodes: f64,
    /// Of a single node.
    pub worst: f64,
    /// The largest gamma at which both have been.
    pub gamma: f64,
    /// States.
    pub states: usize,
}

/// The farthest of [`apart`]; `None` where nothing could be compared.
pub fn farthest(all: &[Apart]) -> Option<Farthest> {
    let largest = |of: fn(&Apart) -> f64| all.iter().map(of).fold(0.0, super::comparison::largest);
    (!all.is_empty()).then(|| Farthest {
        nodes: largest(|a| a.nodes),
        worst: largest(|a| a.worst),
        gamma: largest(|a| a.gamma),
        states: all.len(),
    })
}
