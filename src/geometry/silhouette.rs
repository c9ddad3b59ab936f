//! Silhouette: how much nearer a point is to its own class than to the next one.
//!
//! ```text
//!   s_i = (b_i - a_i) / max(a_i, b_i)
//!   a_i: mean distance to the other members of its class       b_i: the smallest of the mean distances to another class
//! ```
//! P. Rousseeuw, J. Comput. Appl. Math. 20, 53 (1987); as scikit-learn's `silhouette_samples` and `silhouette_score`. Between -1 and 1, no unit.
//! A point alone in its class: 0. Points with a_i = b_i = 0: 0. One class: an error.

use super::error::GeometryError;

/// s of every row, from the sums of its distances to each class `[N, C]`, itself left out.
///
/// ```
/// use disentangle::geometry::silhouette::silhouettes;
///
/// // On a line: 0 and 2 of class 0, 10 and 12 of class 1. The 0 is 2 from its class and 10 + 12 from the other.
/// let sums = [2.0, 22.0, 2.0, 18.0, 18.0, 2.0, 22.0, 2.0];
/// let found = silhouettes(&sums, &[0, 0, 1, 1], &[2, 2])?;
/// assert_eq!(found, [9.0 / 11.0, 7.0 / 9.0, 7.0 / 9.0, 9.0 / 11.0]);
/// # Ok::<(), disentangle::geometry::GeometryError>(())
/// ```
///
/// # Errors
/// [`GeometryError::OneClass`]; [`GeometryError::Label`]
pub fn silhouettes(sums: &[f64], labels: &[u32], sizes: &[usize]) -> Result<Vec<f64>, GeometryError> {
    if sizes.len() < 2 {
        return Err(GeometryError::OneClass);
    }
    let classes = sizes.len();
    if let Some((row, &label)) = labels.iter().enumerate().find(|(_, label)| **label as usize >= classes) {
        return Err(GeometryError::Label { row, label, classes });
    }
    let of = |(row, &label): (&[f64], &u32)| {
        let own = label as usize;
        if sizes[own] < 2 {
            return 0.0;
        }
        let a = row[own] / (sizes[own] as f64 - 1.0);
        let b = (0..sizes.len())
            .filter(|&c| c != own)
            .map(|c| row[c] / sizes[c] as f64)
            .fold(f64::INFINITY, f64::min);
        let larger = a.max(b);
        if larger > 0.0 { (b - a) / larger } else { 0.0 }
    };
    Ok(sums.chunks_exact(sizes.len()).zip(labels).map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Reference;
    use crate::geometry::{Cloud, Settings, Survey};

    fn of(rows: &[f64], labels: &[u32], classes: usize) -> Result<Vec<f64>, GeometryError> {
        let cloud = Cloud::new(rows.to_vec(), 1, labels.to_vec(), classes).unwrap();
        let survey = Survey::new(&cloud, &Reference, Settings::default());
        survey.silhouettes().map(<[f64]>::to_vec)
    }

    #[test]
    fn small_cases_by_hand() {
        // a = 2; b = 4.5 to the class 4, 7 ... and so on.
        let found = of(&[0.0, 2.0, 4.0, 7.0, 20.0], &[0, 0, 1, 1, 2], 3).unwrap();
        let expected = [
            (5.5 - 2.0) / 5.5,
            (3.5 - 2.0) / 3.5,
            (3.0 - 3.0) / 3.0,
            (6.0 - 3.0) / 6.0,
            0.0,
        ];
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() < 10.0 * f64::EPSILON, "{found:?}");
        }
        assert_eq!(of(&[1.0, 1.0, 1.0], &[0, 0, 1], 2), Ok(vec![0.0; 3]));
        assert_eq!(of(&[1.0, 1.0], &[0, 0], 1), Err(GeometryError::OneClass));
    }
}
