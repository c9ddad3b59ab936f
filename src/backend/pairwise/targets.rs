//! Gradients of all replicas, and the part of each.

use super::{Gradients, Points};

/// One replica of a gradient that is added to.
pub(crate) struct Target<'a> {
    /// `[N, d]`
    pub(crate) points: &'a mut [f64],
    /// `[N', d]`, empty without a second set.
    pub(crate) others: &'a mut [f64],
}

/// Zeros for the gradients of all replicas.
pub(crate) fn zeros(points: &Points, others: Option<&Points>) -> Gradients {
    let size = |set: &Points| set.replica_count() * set.rows() * set.dim();
    Gradients {
        points: vec![0.0; size(points)],
        others: vec![0.0; others.map_or(0, size)],
    }
}

/// Each replica's part of the gradients.
pub(crate) fn targets<'a>(
    gradients: &'a mut Gradients,
    points: &Points,
    others: Option<&Points>,
) -> impl Iterator<Item = (usize, Target<'a>)> {
    let size = others.map_or(0, |others| others.rows() * others.dim());
    let mut rest = gradients.others.as_mut_slice();
    let parts = gradients.points.chunks_exact_mut(points.rows() * points.dim());
    parts.enumerate().map(move |(replica, points)| {
        let (others, after) = std::mem::take(&mut rest).split_at_mut(size);
        rest = after;
        (replica, Target { points, others })
    })
}
