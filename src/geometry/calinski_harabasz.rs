//! Calinski-Harabasz index: the Fisher ratio by degrees of freedom.
//!
//! ```text
//!   CH = (tr S_B / (C - 1)) / (tr S_W / (N - C))
//! ```
//! Calinski and Harabasz, Commun. Stat. 3, 1 (1974). No unit; the larger, the better separated. As scikit-learn has it, points that all
//! lie on their class means give 1. One class, or as many classes as points: an error.

use super::class_summary::{ClassSummary, scatter};
use super::error::GeometryError;

/// CH of at least two classes.
///
/// ```
/// use disentangle::geometry::calinski_harabasz::calinski_harabasz;
/// use disentangle::geometry::{ClassSummary, Cloud};
///
/// // On a line: 0 and 2 around 1, 10 and 12 around 11. The mean of all is 6: tr S_B = 4 * 5^2 and tr S_W = 4 * 1^2.
/// let cloud = Cloud::new(vec![0.0, 2.0, 10.0, 12.0], 1, vec![0, 0, 1, 1], 2)?;
/// // (100 / (2 - 1)) / (4 / (4 - 2))
/// assert_eq!(calinski_harabasz(&ClassSummary::of(&cloud))?, 50.0);
/// # Ok::<(), disentangle::geometry::GeometryError>(())
/// ```
///
/// # Errors
/// [`GeometryError::OneClass`]; [`GeometryError::Rows`] if every class has one member.
pub fn calinski_harabasz(classes: &[ClassSummary]) -> Result<f64, GeometryError> {
    let count = classes.len() as f64;
    let rows: f64 = classes.iter().map(|class| class.count).sum();
    if classes.len() < 2 {
        return Err(GeometryError::OneClass);
    }
    if rows <= count {
        return Err(GeometryError::Rows {
            found: rows as usize,
            expected: classes.len() + 1,
        });
    }
    let (between, within) = scatter(classes);
    Ok(if within == 0.0 {
        1.0
    } else {
        between * (rows - count) / (within * (count - 1.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Cloud;

    #[test]
    fn small_cases_by_hand() {
        let of = |rows: &[f64], labels: &[u32], classes| {
            calinski_harabasz(&ClassSummary::of(
                &Cloud::new(rows.to_vec(), 1, labels.to_vec(), classes).unwrap(),
            ))
        };
        // One-way analysis of variance: S_B = 9 on 1 degree of freedom, S_W = 4 on 2.
        assert_eq!(of(&[0.0, 2.0, 3.0, 5.0], &[0, 0, 1, 1], 2), Ok(4.5));
        assert_eq!(of(&[1.0, 1.0, 3.0], &[0, 0, 1], 2), Ok(1.0));
        assert!(matches!(
            of(&[1.0, 3.0], &[0, 1], 2),
            Err(GeometryError::Rows { expected: 3, .. })
        ));
        assert_eq!(of(&[1.0, 3.0], &[0, 0], 1), Err(GeometryError::OneClass));
    }
}
