//! The soft nearest neighbour loss of each row and its gradient, pair by pair.

use super::{Machine, View};
use crate::backend::kernel::Target;
use crate::backend::program::BufferId;

/// Rows, their labels and which of them are there.
struct Points<'a> {
    x: View<'a, f64>,
    labels: View<'a, u32>,
    weights: Option<View<'a, f64>>,
}

impl Points<'_> {
    fn present(&self, r: usize, i: usize) -> bool {
        self.weights.is_none_or(|weights| weights.row(r, i)[0] != 0.0)
    }

    fn others(&self, r: usize, i: usize) -> impl Iterator<Item = usize> {
        (0..self.x.rows).filter(move |&j| j != i && self.present(r, j))
    }

    fn of_a_class(&self, r: usize, i: usize, j: usize) -> bool {
        self.labels.row(r, i) == self.labels.row(r, j)
    }

    /// |x_i - x_j|^2, NaN unless finite.
    fn squared_distance(&self, r: usize, i: usize, j: usize) -> f64 {
        let pairs = self.x.row(r, i).iter().zip(self.x.row(r, j));
        let sum: f64 = pairs.map(|(x, y)| (x - y) * (x - y)).sum();
        if sum.is_finite() { sum } else { f64::NAN }
    }

    /// The smallest of these, and the sum of e^((smallest - d^2) / T): `None` of no distances.
    fn sum(distances: &[f64], temperature: f64) -> Option<(f64, f64)> {
        let least = distances.iter().copied().reduce(f64::min)?;
        let sum = distances.iter().map(|d| ((least - d) / temperature).exp()).sum();
        Some((least, sum))
    }

    /// (loss, whether it counts, slopes) of a row.
    fn row(&self, r: usize, i: usize, temperature: f64) -> (f64, f64, [f64; 4]) {
        if !self.present(r, i) {
            return (0.0, 0.0, [0.0; 4]);
        }
        let distances = |own: bool| -> Vec<f64> {
            let others = self.others(r, i).filter(|&j| self.of_a_class(r, i, j) == own);
            others.map(|j| self.squared_distance(r, i, j)).collect()
        };
        let (own, other) = (distances(true), distances(false));
        let all = own.iter().chain(&other).sum::<f64>() + self.squared_distance(r, i, i);
        // Sums of squares of f32 are finite in f64.
        let no_number = 0.0 * all;
        match (Points::sum(&own, temperature), Points::sum(&other, temperature)) {
            (None, _) => (no_number, 0.0, [0.0; 4]),
            (Some(_), None) => (no_number, 1.0, [0.0; 4]),
            (Some((m, s)), Some((n, o))) => {
                // log O / S
                let z = (m - n) / temperature + (o / s).ln();
                let loss = z.max(0.0) + (-z.abs()).exp().ln_1p();
                let h = if z < 0.0 {
                    z.exp() / (1.0 + z.exp())
                } else {
                    1.0 / (1.0 + (-z).exp())
                };
                (loss + no_number, 1.0, [m, h / s, n, h / o].map(|v| v + no_number))
            }
        }
    }
}

impl Machine {
    fn points(&self, (x, labels, weights): (BufferId, BufferId, Option<BufferId>)) -> Points<'_> {
        Points {
            x: self.real(x),
            labels: self.index(labels),
            weights: weights.map(|w| self.real(w)),
        }
    }

    pub(super) fn soft_nearest_neighbor(
        &mut self,
        of: (BufferId, BufferId, Option<BufferId>),
        temperature: f64,
        [y, counts, slopes]: [BufferId; 3],
    ) {
        let points = self.points(of);
        let rows = points.x.rows;
        let places = (0..self.copies(y)).flat_map(|r| (0..rows).map(move |i| (r, i)));
        let found: Vec<_> = places.map(|(r, i)| points.row(r, i, temperature)).collect();
        self.fill(y, |_, values| {
            values.iter_mut().zip(&found).for_each(|(v, row)| *v = row.0)
        });
        self.fill(counts, |_, values| {
            values.iter_mut().zip(&found).for_each(|(v, row)| *v = row.1);
        });
        self.fill(slopes, |_, values| {
            values
                .chunks_exact_mut(4)
                .zip(&found)
                .for_each(|(v, row)| v.copy_from_slice(&row.2));
        });
    }

    pub(super) fn soft_nearest_neighbor_grad(
        &mut self,
        of: (BufferId, BufferId, Option<BufferId>),
        temperature: f64,
        slopes: BufferId,
        dy: BufferId,
        dx: Target,
    ) {
        self.fill_target(dx, |m, values| {
            let (points, slopes, dy) = (m.points(of), m.real(slopes), m.real(dy));
            let (rows, cols) = (points.x.rows, points.x.cols);
            for (r, i) in (0..m.copies(dx.buffer)).flat_map(|r| (0..rows).map(move |i| (r, i))) {
                if !points.present(r, i) {
                    continue;
                }
                let to = &mut values[(r * rows + i) * cols..][..cols];
                for j in points.others(r, i) {
                    let squared = points.squared_distance(r, i, j);
                    let (at, sign) = if points.of_a_class(r, i, j) {
                        (0, 1.0)
                    } else {
                        (2, -1.0)
                    };
                    let share = |row: usize| {
                        let slopes = slopes.row(r, row);
                        dy.row(r, row)[0] * slopes[at + 1] * ((slopes[at] - squared) / temperature).exp()
                    };
                    let factor = 2.0 / temperature * sign * (share(i) + share(j));
                    for (k, to) in to.iter_mut().enumerate() {
                        *to += factor * (points.x.row(r, i)[k] - points.x.row(r, j)[k]);
                    }
                }
            }
        });
    }
}
