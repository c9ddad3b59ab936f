//! Gradients of all replicas, and the part of each.

use super::points::normalize;
use super::{Gradients, PairwiseError, Points};

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

/// Adds the gradient of cosine distances: `slopes` gives that by the rows divided by their norms (`[N, d + 1]`, see [`normalize`]), and
/// from there it goes on to the rows.
pub(crate) fn through_unit_rows(
    points: &Points,
    others: Option<&Points>,
    replica: usize,
    to: Target,
    slopes: impl FnOnce(Target) -> Result<(), PairwiseError>,
) -> Result<(), PairwiseError> {
    let dim = points.dim() + 1;
    let mut first = vec![0.0; points.rows() * dim];
    let mut second = vec![0.0; others.map_or(0, Points::rows) * dim];
    slopes(Target {
        points: &mut first,
        others: &mut second,
    })?;
    through_norms(points, replica, &first, to.points)?;
    match others {
        Some(others) => through_norms(others, replica, &second, to.others),
        None => Ok(()),
    }
}

/// Adds to dx = (h - u (u . h)) / |x| with u = x / |x| and h the gradient by u (`[N, d + 1]`); a zero row gets nothing.
fn through_norms(points: &Points, replica: usize, by_unit: &[f64], to: &mut [f64]) -> Result<(), PairwiseError> {
    let dim = points.dim();
    let mut row = vec![0.0; dim + 1];
    for (i, (h, to)) in by_unit.chunks_exact(dim + 1).zip(to.chunks_exact_mut(dim)).enumerate() {
        points.row(replica, i, &mut row[..dim])?;
        let top = row[..dim].iter().fold(0.0f64, |top, x| top.max(x.abs()));
        if top == 0.0 {
            continue;
        }
        let norm = top * row[..dim].iter().map(|x| (x / top).powi(2)).sum::<f64>().sqrt();
        normalize(&mut row, dim);
        let along: f64 = row[..dim].iter().zip(h).map(|(u, h)| u * h).sum();
        for ((to, u), h) in to.iter_mut().zip(&row).zip(h) {
            *to += (h - u * along) / norm;
        }
    }
    Ok(())
}
