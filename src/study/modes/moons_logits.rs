//! Logits of networks that learned two moons, in numbers: their quartiles, and how far the boundary strays from a vertical line,
//! of all data sets together and of each by itself.

use super::two_moons::{POINTS, REACH, SIDE};

/// What became of an arm.
#[derive(Clone, Debug, PartialEq)]
pub struct Moons {
    /// `[replicas, POINTS]`: margins on the training points, the first half of them of class 0.
    pub margins: Vec<f64>,
    /// `[replicas, SIDE, SIDE]`, from the bottom: logits on the plane.
    pub planes: Vec<f64>,
    /// Points of the first data set: label, x, y.
    pub points: Vec<(u8, f64, f64)>,
}

/// Quartiles: lower, median, upper.
fn quartiles(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    [1, 2, 3].map(|q| sorted.get(q * sorted.len() / 4).copied().unwrap_or(f64::NAN))
}

/// Standard deviation, over the rows of a plane with |y| <= 1, of where the logit's boundary crosses: 0 for a vertical line.
fn boundary_spread(plane: &[f64]) -> f64 {
    let at = |n: usize| REACH * ((2 * n + 1) as f64 / SIDE as f64 - 1.0);
    let mut places = Vec::new();
    for (n, row) in plane.chunks_exact(SIDE).enumerate() {
        if at(n).abs() > 1.0 {
            continue;
        }
        let crossing = row.windows(2).position(|pair| (pair[0] > 0.0) != (pair[1] > 0.0));
        if let Some(k) = crossing {
            places.push(at(k) + (at(k + 1) - at(k)) * row[k] / (row[k] - row[k + 1]));
        }
    }
    let n = places.len() as f64;
    let mean = places.iter().sum::<f64>() / n;
    (places.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt()
}

/// A data set's network in numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OfSet {
    /// Of |logit| on its points.
    pub quartiles: [f64; 3],
    /// How far its boundary strays from a vertical line.
    pub boundary_spread: f64,
    /// Right fraction of its points.
    pub accuracy: f64,
}

impl Moons {
    /// `[SIDE, SIDE]`: logits averaged over the replicas.
    pub fn plane(&self) -> Vec<f64> {
        let count = (self.planes.len() / (SIDE * SIDE)).max(1) as f64;
        let mut mean = vec![0.0; SIDE * SIDE];
        for replica in self.planes.chunks_exact(SIDE * SIDE) {
            mean.iter_mut().zip(replica).for_each(|(m, v)| *m += v / count);
        }
        mean
    }

    /// Quartiles of |logit| over all replicas.
    pub fn quartiles(&self) -> [f64; 3] {
        quartiles(self.margins.iter().map(|m| m.abs()))
    }

    /// Median margin of a class over all replicas.
    pub fn median_of_class(&self, class: usize) -> f64 {
        let own = |n: usize| n % POINTS / (POINTS / 2) == class;
        let margins = self.margins.iter().enumerate().filter(|&(n, _)| own(n));
        quartiles(margins.map(|(_, &m)| m))[1]
    }

    /// How far the boundary of the mean logit strays from a vertical line.
    pub fn boundary_spread(&self) -> f64 {
        boundary_spread(&self.plane())
    }

    /// Right fraction of all points.
    pub fn accuracy(&self) -> f64 {
        right(&self.margins)
    }

    /// Every data set by itself.
    pub fn sets(&self) -> Vec<OfSet> {
        let planes = self.planes.chunks_exact(SIDE * SIDE);
        let of = |(margins, plane): (&[f64], &[f64])| OfSet {
            quartiles: quartiles(margins.iter().map(|m| m.abs())),
            boundary_spread: boundary_spread(plane),
            accuracy: right(margins),
        };
        self.margins.chunks_exact(POINTS).zip(planes).map(of).collect()
    }
}

/// Fraction of margins that are positive.
fn right(margins: &[f64]) -> f64 {
    margins.iter().filter(|&&m| m > 0.0).count() as f64 / margins.len().max(1) as f64
}
