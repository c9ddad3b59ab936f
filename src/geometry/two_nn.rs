//! TwoNN intrinsic dimension: from the ratio of the distances to the second and the first neighbour.
//!
//! ```text
//!   mu_i = r_2(i) / r_1(i), sorted;      F_i = i / N;      d: slope of -log(1 - F_i) against log mu_i through the origin
//! ```
//! E. Facco, M. d'Errico, A. Rodriguez and A. Laio, Sci. Rep. 7, 12140 (2017): of uniformly spread points mu has the distribution 1 - mu^-d. As
//! there the largest tenth of the ratios is left out of the fit, i = 1 .. floor(0.9 N), as in scikit-dimension 0.5. No unit. Points that have
//! a duplicate (r_1 = 0) say nothing and are left out of N, as there. Fewer than two points left, or ratios that are all 1: an error.

use super::error::GeometryError;

/// Part of the ratios that the fit takes.
const KEPT: f64 = 0.9;

/// d from the distances to the k >= 2 nearest neighbours, `[N, k]`, nearest first.
///
/// ```
/// use disentangle::geometry::two_nn::two_nn_dimension;
///
/// // Ten points with r_1 = 1 and with r_2 at the tenths of 1 - mu^-2, the distribution in the plane.
/// // The last is infinite: it is of the tenth that is left out.
/// let r_2 = (1..=10).map(|i| (1.0 - f64::from(i) / 10.0).powf(-0.5));
/// let distances: Vec<f64> = r_2.flat_map(|r_2| [1.0, r_2]).collect();
/// assert!((two_nn_dimension(&distances, 2)? - 2.0).abs() < 1e-12);
/// # Ok::<(), disentangle::geometry::GeometryError>(())
/// ```
///
/// # Errors
/// [`GeometryError::Setting`] for a smaller k; [`GeometryError::Undefined`]
pub fn two_nn_dimension(distances: &[f64], k: usize) -> Result<f64, GeometryError> {
    if k < 2 {
        return Err(GeometryError::Setting {
            detail: format!("{k} neighbours, expected at least 2"),
        });
    }
    let mut ratios: Vec<f64> = distances
        .chunks_exact(k)
        .filter(|row| row[0] > 0.0)
        .map(|row| row[1] / row[0])
        .collect();
    ratios.sort_by(f64::total_cmp);
    let n = ratios.len() as f64;
    let kept = (n * KEPT) as usize;
    if kept < 2 {
        return Err(GeometryError::Undefined {
            detail: "fewer than 2 points without a duplicate are left for the fit, expected more",
        });
    }
    let (mut product, mut square) = (0.0, 0.0);
    for (i, mu) in ratios[..kept].iter().enumerate() {
        let x = mu.ln();
        product += x * -libm::log1p(-((i + 1) as f64 / n));
        square += x * x;
    }
    if square == 0.0 {
        return Err(GeometryError::Undefined {
            detail: "the first two neighbours of every point are equally far, as on a lattice",
        });
    }
    Ok(product / square)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_of_the_distribution_give_its_dimension() {
        // The quantiles themselves: -log(1 - F_i) = d log mu_i without any deviation. 1000 logs and products.
        let (n, d) = (1000, 3.7);
        let rows: Vec<f64> = (1..=n)
            .flat_map(|i| {
                [
                    0.5,
                    0.5 * (1.0 - (f64::from(i) / f64::from(n)).min(0.9999)).powf(-1.0 / d),
                ]
            })
            .collect();
        let found = two_nn_dimension(&rows, 2).unwrap();
        assert!((found / d - 1.0).abs() < 1e-12, "{found}");
        // Duplicates are left out, whatever lies behind the second neighbour.
        let with: Vec<f64> = rows
            .chunks(2)
            .flat_map(|r| [r[0], r[1], 9.0])
            .chain([0.0, 1.0, 2.0, 0.0, 0.0, 0.0])
            .collect();
        assert_eq!(two_nn_dimension(&with, 3), Ok(found));
    }

    #[test]
    fn what_has_no_dimension_is_an_error() {
        for rows in [
            &[0.0, 1.0, 0.0, 2.0][..],
            &[1.0, 2.0, 0.0, 2.0],
            &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        ] {
            assert!(matches!(
                two_nn_dimension(rows, 2),
                Err(GeometryError::Undefined { .. })
            ));
        }
    }
}
