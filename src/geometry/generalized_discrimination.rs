//! Generalised discrimination value: mean distances within classes against those between, of standardised rows.
//!
//! ```text
//!   s_id = (x_id - mean_d) / (2 sd_d)
//!   GDV = 1/sqrt(D) [ 1/C sum_c intra_c - 2/(C(C-1)) sum_{a<b} inter_ab ]
//!   intra_c: mean of |s_i - s_j| over the pairs i < j of c;   inter_ab: over all pairs of a and b
//! ```
//! A. Schilling et al., Neural Networks 139, 278 (2021), eq. 1 to 6. sd with 1/N. No unit; about 0 without structure, -1 for perfectly
//! separated points; translations and a scale of each coordinate change nothing. A coordinate that never changes is 0 in every s.
//! A class of one member has no pairs: an error, as is one class.

use super::class_distance::ClassDistances;
use super::cloud::{Cloud, center_rows};
use super::error::GeometryError;

/// s: the rows of a cloud, standardised and halved.
///
/// # Errors
/// Those of [`Cloud::new`].
pub fn half_scores(cloud: &Cloud) -> Result<Cloud, GeometryError> {
    let cols = cloud.cols();
    let mut rows = cloud.rows().to_vec();
    center_rows(&mut rows, cols);
    let mut squares = vec![0.0; cols];
    for row in rows.chunks_exact(cols) {
        squares.iter_mut().zip(row).for_each(|(s, v)| *s += v * v);
    }
    let scale: Vec<f64> = squares
        .iter()
        .map(|square| {
            let deviation = (square / cloud.len() as f64).sqrt();
            if deviation > 0.0 { 0.5 / deviation } else { 0.0 }
        })
        .collect();
    for row in rows.chunks_exact_mut(cols) {
        row.iter_mut().zip(&scale).for_each(|(v, s)| *v *= s);
    }
    cloud.with_rows(rows, cols)
}

/// GDV by the mean distances of the standardised rows of `cols` coordinates.
///
/// # Errors
/// [`GeometryError::OneClass`]; [`GeometryError::ClassSize`] for a class of one member.
pub fn generalized_discrimination(distances: &ClassDistances, cols: usize) -> Result<f64, GeometryError> {
    let c = distances.classes();
    if c < 2 {
        return Err(GeometryError::OneClass);
    }
    let mut within = 0.0;
    for class in 0..c {
        within += distances.within(class)?;
    }
    let pairs = (0..c).flat_map(|a| (a + 1..c).map(move |b| (a, b)));
    let between: f64 = pairs.map(|(a, b)| distances.between(a, b)).sum();
    let c = c as f64;
    Ok((within / c - 2.0 * between / (c * (c - 1.0))) / (cols as f64).sqrt())
}
