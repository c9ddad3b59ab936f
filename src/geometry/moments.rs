//! Moments of a class: n, sum |x|^2 and sum x over its members, in f64.
//!
//! Everything that needs only means and squared distances to them follows from these: centroid c = sum x / n, mean square
//! distance to it = sum |x|^2 / n - |c|^2. The difference cancels when a class is much tighter than it is far from the
//! origin; for rows on the unit sphere the lost digits are those of 1 - R^2, so that R is good to about 1e-8 / R in f64.

/// Moments of one class.
///
/// ```
/// use disentangle::geometry::ClassMoments;
///
/// // (1, 0) and (3, 2) of class 0, and a point of class 1.
/// let moments = ClassMoments::of_class(&[1.0, 0.0, 9.0, 9.0, 3.0, 2.0], 2, &[0, 1, 0], 0);
/// assert_eq!(moments, ClassMoments { count: 2.0, square_sum: 1.0 + 13.0, sum: vec![4.0, 2.0] });
/// assert!(moments.centroid().eq([2.0, 1.0]));
/// // A probe of a network has the same numbers in a row, class after class.
/// let probed = ClassMoments::from_probe(&[2.0, 14.0, 4.0, 2.0, 1.0, 162.0, 9.0, 9.0], 2);
/// assert_eq!(probed[0], moments);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ClassMoments {
    /// Members.
    pub count: f64,
    /// Sum of the squared norms of the members.
    pub square_sum: f64,
    /// Sum of the members.
    pub sum: Vec<f64>,
}

impl ClassMoments {
    /// Moments of the members of `class` among `rows` `[labels.len(), cols]`, row-major.
    pub fn of_class(rows: &[f64], cols: usize, labels: &[u32], class: u32) -> ClassMoments {
        let mut moments = ClassMoments {
            count: 0.0,
            square_sum: 0.0,
            sum: vec![0.0; cols],
        };
        for (row, _) in rows
            .chunks_exact(cols.max(1))
            .zip(labels)
            .filter(|(_, label)| **label == class)
        {
            moments.count += 1.0;
            moments.square_sum += row.iter().map(|v| v * v).sum::<f64>();
            moments.sum.iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
        }
        moments
    }

    /// Reads what the probe `class_moments` wrote for one replica: `[classes, 2 + cols]`; what is left of a last class is not read.
    pub fn from_probe(values: &[f64], cols: usize) -> Vec<ClassMoments> {
        let class = |m: &[f64]| ClassMoments {
            count: m[0],
            square_sum: m[1],
            sum: m[2..].to_vec(),
        };
        values.chunks_exact(cols.saturating_add(2)).map(class).collect()
    }

    /// Mean of the members; NaN for a class without members.
    pub fn centroid(&self) -> impl Iterator<Item = f64> + '_ {
        self.sum.iter().map(|s| s / self.count)
    }
}
