//! The soft nearest neighbour loss: how entangled classes are.
//!
//! With D_i = sum_{j != i} e^(-d_ij^2 / T) and S_i the part of it with y_j = y_i,
//!
//! ```text
//! l_i = log D_i - log S_i,      loss = mean of l_i over the rows whose class has another member
//! ```
//!
//! Rows that are alone in their class have no S_i: they are left out of the mean, but they count among the others' D_i.
//! It is 0 if every class is infinitely tighter than the distance to the others, and about log C if classes are mixed.
//!
//! Gradient: dl_i / dd_ij^2 = -e_ij (1 / D_i - [y_j = y_i] / S_i) / T with e_ij recomputed. Since the loss depends on
//! points and temperature by d^2 / T alone, 2 T dloss/dT = - sum_i x_i . dloss/dx_i.
//!
//! Source: N. Frosst, N. Papernot and G. Hinton, Analyzing and improving representations with the soft nearest neighbor
//! loss, ICML 2019 (arXiv 1902.01889), eq. 1; there T is divided as here.
//!
//! ```
//! use disentangle::backend::Reference;
//! use disentangle::backend::pairwise::{Form, Pairwise, Points};
//!
//! // Neighbours of the own class are near, others far: the loss is small, and falls as the temperature does.
//! let points = Points::new(&[0.0, 1.0, 10.0, 11.0][..], 1)?.labels(&[0, 0, 1, 1], 2)?;
//! let found = Reference.soft_nearest_neighbor_gradient(&points, 20.0, Form::Direct)?;
//! assert!(found.value.loss[0] < 0.1 && found.temperature[0] > 0.0);
//! # Ok::<(), disentangle::backend::pairwise::PairwiseError>(())
//! ```

use super::{PairwiseError, Points};

/// The loss of each replica.
///
/// ```
/// use disentangle::backend::Reference;
/// use disentangle::backend::pairwise::{Form, Pairwise, Points, SoftNearestNeighbor};
///
/// // The point at 0 is as near to its class as to the other: log 2. That at 1 has S = e^-1 and O = e^-4.
/// let points = Points::new(&[0.0, 1.0, -1.0][..], 1)?.labels(&[0, 0, 1], 2)?;
/// let SoftNearestNeighbor { loss, rows, counted } = Reference.soft_nearest_neighbor(&points, 1.0, Form::Direct)?;
/// let expected = [2f64.ln(), (-3f64).exp().ln_1p(), 0.0];
/// assert!(rows.iter().zip(expected).all(|(l, e)| (l - e).abs() < 1e-14));
/// // The third is alone in its class and not in the mean.
/// assert_eq!(counted, [2]);
/// assert!((loss[0] - (expected[0] + expected[1]) / 2.0).abs() < 1e-14);
/// # Ok::<(), disentangle::backend::pairwise::PairwiseError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SoftNearestNeighbor {
    /// `[R]`
    pub loss: Vec<f64>,
    /// `[R, N]`: l_i, 0 for the rows that are alone in their class.
    pub rows: Vec<f64>,
    /// `[R]`: rows in the mean.
    pub counted: Vec<usize>,
}

/// The loss and its gradients.
///
/// ```
/// use disentangle::backend::Reference;
/// use disentangle::backend::pairwise::{Form, Pairwise, Points, SoftNearestNeighborGradient};
///
/// let (x, temperature) = ([0.0, 1.0, -1.0, 3.0], 2.0);
/// let points = Points::new(&x[..], 1)?.labels(&[0, 0, 1, 1], 2)?;
/// let SoftNearestNeighborGradient { points: by_points, temperature: by_temperature, .. } =
///     Reference.soft_nearest_neighbor_gradient(&points, temperature, Form::Direct)?;
/// // Points twice as far apart are points at a quarter of the temperature; points moved together change nothing.
/// let dot: f64 = x.iter().zip(&by_points).map(|(x, slope)| x * slope).sum();
/// assert!((2.0 * temperature * by_temperature[0] + dot).abs() < 1e-14);
/// assert!(by_points.iter().sum::<f64>().abs() < 1e-14 && dot != 0.0);
/// # Ok::<(), disentangle::backend::pairwise::PairwiseError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SoftNearestNeighborGradient {
    /// The loss.
    pub value: SoftNearestNeighbor,
    /// dloss/dx, `[R, N, d]`.
    pub points: Vec<f64>,
    /// dloss/dT, `[R]`.
    pub temperature: Vec<f64>,
}

/// Which rows of a replica have another of their class, and how many these are.
///
/// # Errors
/// [`PairwiseError::NoPairs`] if there is none.
pub(crate) fn counted(points: &Points, replica: usize) -> Result<(Vec<bool>, usize), PairwiseError> {
    let sizes = points.class_sizes(replica);
    let rows: Vec<bool> = (0..points.rows())
        .map(|i| sizes[points.label(replica, i)] > 1)
        .collect();
    match rows.iter().filter(|&&counts| counts).count() {
        0 => Err(PairwiseError::NoPairs),
        n => Ok((rows, n)),
    }
}
