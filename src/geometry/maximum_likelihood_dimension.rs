//! Maximum-likelihood intrinsic dimension: how fast the number of neighbours grows with the radius.
//!
//! ```text
//!   1/d = 1/N sum_i 1/d_i = 1/(N (k - 1)) sum_i sum_{j < k} log( r_k(i) / r_j(i) )
//! ```
//! E. Levina and P. Bickel, NIPS 2004, eq. 8, averaged as D. MacKay and Z. Ghahramani (comment of 2005) derive it, by the inverses; this is
//! scikit-dimension's `MLE` with `comb="mle"`. No unit; k neighbours, at least 2. Points that have a duplicate (r_1 = 0) have no d_i and are
//! left out (there d becomes 0). No point left, or all k neighbours of every point equally far: an error.

use super::error::GeometryError;

/// d from the distances to the k nearest neighbours, `[N, stored]`, nearest first, 2 <= k <= stored.
///
/// ```
/// use disentangle::geometry::maximum_likelihood_dimension::maximum_likelihood_dimension;
///
/// // Two points whose second neighbour is sqrt(e) times as far as the first: log(r_2 / r_1) = 1/2 for both.
/// let ratio = std::f64::consts::E.sqrt();
/// let d = maximum_likelihood_dimension(&[1.0, ratio, 3.0, 3.0 * ratio], 2, 2)?;
/// assert!((d - 2.0).abs() < 1e-12);
/// # Ok::<(), disentangle::geometry::GeometryError>(())
/// ```
///
/// # Errors
/// [`GeometryError::Setting`] for another k; [`GeometryError::Undefined`]
pub fn maximum_likelihood_dimension(distances: &[f64], stored: usize, k: usize) -> Result<f64, GeometryError> {
    if !(2..=stored).contains(&k) {
        return Err(GeometryError::Setting {
            detail: format!("{k} neighbours, expected 2 to {stored}"),
        });
    }
    let (mut sum, mut points) = (0.0, 0usize);
    for row in distances.chunks_exact(stored).filter(|row| row[0] > 0.0) {
        let last = row[k - 1];
        sum += row[..k - 1].iter().map(|r| (last / r).ln()).sum::<f64>();
        points += 1;
    }
    if sum == 0.0 {
        return Err(GeometryError::Undefined {
            detail: "no point without a duplicate has neighbours at different distances",
        });
    }
    Ok(points as f64 * (k as f64 - 1.0) / sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_inverse_estimates_says_the_same() {
        let rows = [[1.0f64, 2.0, 4.0, 8.0], [3.0, 3.0, 5.0, 9.0], [0.5, 0.7, 0.9, 1.0]];
        let inverse: Vec<f64> = rows
            .iter()
            .map(|r| r[..2].iter().map(|x| r[2].log2() - x.log2()).sum::<f64>() / 2.0 * 2f64.ln())
            .collect();
        let expected = 1.0 / (inverse.iter().sum::<f64>() / 3.0);
        let found = maximum_likelihood_dimension(&rows.concat(), 4, 3).unwrap();
        assert!((found / expected - 1.0).abs() < 1e-14, "{found} {expected}");
        let with = [rows.concat(), vec![0.0, 1.0, 2.0, 3.0]].concat();
        assert_eq!(maximum_likelihood_dimension(&with, 4, 3), Ok(found));
    }

    #[test]
    fn what_has_no_dimension_is_an_error() {
        let of = |rows: &[f64], k| maximum_likelihood_dimension(rows, 2, k);
        assert!(matches!(of(&[0.0, 1.0], 2), Err(GeometryError::Undefined { .. })));
        assert!(matches!(of(&[1.0, 1.0], 2), Err(GeometryError::Undefined { .. })));
        assert!(matches!(of(&[1.0, 2.0], 1), Err(GeometryError::Setting { .. })));
        assert!(matches!(of(&[1.0, 2.0], 3), Err(GeometryError::Setting { .. })));
    }
}
