//! Explained-variance dimension: how many principal axes hold a given share of the variance.
//!
//! ```text
//!   k = min { k : sum_{i <= k} w_i >= f sum_i w_i },   w: variances along the principal axes, largest first
//! ```
//! I. Jolliffe, Principal Component Analysis, ch. 6.1.1 (cumulative percentage of variation). A whole number from 1 to the
//! rank; f is 0.9 unless told. Rows that all coincide: 0.

use super::error::GeometryError;

/// k for the share `fraction`, 0 < f <= 1, of `variances`, largest first.
///
/// ```
/// use disentangle::geometry::explained_variance::explained_variance_dimension;
///
/// // The first axis holds 6 of 10, the first two 9 of 10.
/// assert_eq!(explained_variance_dimension(&[6.0, 3.0, 1.0], 0.5)?, 1.0);
/// assert_eq!(explained_variance_dimension(&[6.0, 3.0, 1.0], 0.8)?, 2.0);
/// // A share is no percentage.
/// let wrong = explained_variance_dimension(&[6.0, 3.0, 1.0], 80.0).map_err(|error| error.to_string());
/// assert_eq!(wrong, Err("a share 80 of the variance, expected above 0 and at most 1".into()));
/// # Ok::<(), disentangle::geometry::GeometryError>(())
/// ```
///
/// # Errors
/// [`GeometryError::Setting`]
pub fn explained_variance_dimension(variances: &[f64], fraction: f64) -> Result<f64, GeometryError> {
    if !(fraction > 0.0 && fraction <= 1.0) {
        return Err(GeometryError::Setting {
            detail: format!("a share {fraction} of the variance, expected above 0 and at most 1"),
        });
    }
    let total: f64 = variances.iter().sum();
    if total == 0.0 {
        return Ok(0.0);
    }
    let mut sum = 0.0;
    let enough = variances.iter().position(|w| {
        sum += w;
        sum >= fraction * total
    });
    Ok(enough.map_or(variances.len(), |k| k + 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_cases_by_hand() {
        let of = |fraction| explained_variance_dimension(&[4.0, 3.0, 2.0, 1.0], fraction);
        assert_eq!(of(0.4), Ok(1.0));
        assert_eq!(of(0.41), Ok(2.0));
        assert_eq!(of(0.9), Ok(3.0));
        assert_eq!(of(1.0), Ok(4.0));
        assert_eq!(explained_variance_dimension(&[0.0, 0.0], 0.9), Ok(0.0));
        for bad in [0.0, -1.0, 1.1, f64::NAN] {
            assert!(of(bad).is_err());
        }
    }
}
