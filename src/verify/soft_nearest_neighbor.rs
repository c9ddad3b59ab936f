//! The soft nearest neighbour loss of each row, and its gradient.

use crate::backend::BufferId;
use crate::backend::cpu::EXP2_ULP;
use crate::backend::kernel::{Kernel, Write};

use super::Judge;
use super::case::{Case, ETA, U};
use super::report::{View, finite};

/// The power's error in u, as half a unit in the last place is at most 1 u, and that of an exponent in which a term is twice its
/// reference.
const POWER: f64 = 2.0 * EXP2_ULP + std::f64::consts::LN_2;

/// Powers below it are 0.
const VANISHING: f64 = 1.0 / (1u128 << 125) as f64;

/// Rows at most: every pair is looked at some times.
const MOST_ROWS: usize = 300;

/// The operands of both kernels.
#[derive(Clone, Copy)]
struct Operands {
    x: BufferId,
    labels: BufferId,
    weights: Option<BufferId>,
    temperature: f64,
}

fn operands(case: &mut Case, own: bool) -> Operands {
    case.at_most(MOST_ROWS);
    let (cols, classes, inputs) = (case.cols, case.between(1, 5), case.inputs);
    let x = case.given_rows(cols, own, |rng, n| inputs.draw(rng, n, cols));
    let labels_own = own && case.flag();
    let labels = case.index(classes, labels_own);
    let weights_own = own && case.flag();
    let weights = case.flag().then(|| {
        case.given_rows(1, weights_own, |_, n| {
            (0..n).map(|i| f64::from(u8::from(i % 3 != 1))).collect()
        })
    });
    if let Some(weights) = weights {
        // An absent row may hold anything.
        let mask = case.given(weights);
        let rows = case.rows;
        case.map(x, |n, v| {
            let row = n / cols;
            if mask.at(row / rows, row % rows, 0) == 0.0 {
                f64::NAN
            } else {
                v
            }
        });
    }
    let temperature = case.pick(&[0.5, 1.0, 2.0 * cols as f64, 1e3]);
    Operands {
        x,
        labels,
        weights,
        temperature,
    }
}

/// A row's sums, from the definition: those of its own class and of the others.
struct Row {
    /// The smallest squared distance of each.
    near: [f64; 2],
    /// The relative errors of the sums, in u.
    errors: [f64; 2],
    /// log O / S and O / (S + O).
    z: f64,
    h: f64,
}

/// What a judge looks at.
struct Seen {
    x: View,
    labels: View,
    weights: Option<View>,
    temperature: f64,
}

impl Seen {
    fn new(case: &Case, of: Operands) -> Seen {
        Seen {
            x: case.given(of.x),
            labels: case.given_index(of.labels),
            weights: of.weights.map(|w| case.given(w)),
            temperature: of.temperature,
        }
    }

    /// The other rows that are there, with the place of their class (0: the row's own) and squared distance.
    fn others(&self, r: usize, i: usize) -> impl Iterator<Item = (usize, usize, f64)> {
        let present = move |j: usize| self.weights.as_ref().is_none_or(|w| w.at(r, j, 0) != 0.0);
        let there = (0..self.x.rows).filter(move |&j| present(i) && present(j) && i != j);
        there.map(move |j| {
            let place = usize::from(self.labels.at(r, i, 0) != self.labels.at(r, j, 0));
            let pairs = self.x.row(r, i).iter().zip(self.x.row(r, j));
            (j, place, pairs.map(|(x, y)| (x - y).powi(2)).sum())
        })
    }

    /// The error of a term of exponent -e below its sum's largest, in u: the exponent's rounding and the power's.
    fn error(&self, exponent: f64) -> f64 {
        exponent + POWER
    }

    /// `None` if the loss is 0 whatever the rows.
    fn row(&self, r: usize, i: usize) -> Option<Row> {
        let mut near = [f64::INFINITY; 2];
        for (_, place, squared) in self.others(r, i) {
            near[place] = near[place].min(squared);
        }
        if near.contains(&f64::INFINITY) {
            return None;
        }
        let (mut sums, mut errors) = ([0.0; 2], [0.0; 2]);
        for (_, place, squared) in self.others(r, i) {
            let exponent = (squared - near[place]) / self.temperature;
            sums[place] += (-exponent).exp();
            errors[place] += if exponent < 700.0 {
                (-exponent).exp() * self.error(exponent)
            } else {
                0.0
            };
        }
        let z = (near[0] - near[1]) / self.temperature + (sums[1] / sums[0]).ln();
        Some(Row {
            near,
            errors: [errors[0] / sums[0], errors[1] / sums[1]],
            z,
            h: if z < 0.0 {
                z.exp() / (1.0 + z.exp())
            } else {
                1.0 / (1.0 + (-z).exp())
            },
        })
    }

    /// Roundings in f64: those of a sum of all rows, and some that z magnifies.
    fn wide(&self, row: &Row) -> f64 {
        f64::EPSILON * (self.x.rows as f64 + 8.0 + 2.0 * row.z.abs())
    }
}

/// Squared distances are the same f64 on both sides. An exponent -e below its sum's reference is rounded to f32, which the power
/// magnifies to e u, and at most log 2 more as the reference is within a factor of 2; the power errs by 3 u ([`EXP2_ULP`]). A sum's error
/// is the mean of its terms'; the loss log(1 + O / S) has h = O / (S + O) times those of both sums, and is rounded once.
pub(super) fn soft_nearest_neighbor_rows(case: &mut Case) -> Judge {
    let own = case.flag();
    let of = operands(case, own);
    let (y, counts) = (case.result(1, own), case.result(1, own));
    let slopes = case.wide_rows(4, own);
    case.push(forward(of, y, counts, slopes));
    Box::new(move |case, results, report| {
        let (seen, exact) = (Seen::new(case, of), results.exact(y));
        report.judge("soft_nearest_neighbor_rows", results, case, y, |r, i, _| {
            let Some(row) = seen.row(r, i) else { return 0.0 };
            let loss = exact.at(r, i, 0);
            let sums = U * row.h * (row.errors[0] + row.errors[1]) + seen.wide(&row) * (row.h + loss);
            finite((sums + U * loss) * (1.0 + 8.0 * U) + ETA, loss)
        });
        report.equal("soft_nearest_neighbor_rows: counts", results, case, counts);
    })
}

fn forward(of: Operands, y: BufferId, counts: BufferId, slopes: BufferId) -> Kernel {
    Kernel::SoftNearestNeighbor {
        x: of.x,
        labels: of.labels,
        weights: of.weights,
        temperature: of.temperature,
        y,
        counts,
        slopes,
    }
}

/// A term is dy h / S times a power, with the errors of the power, of the sum, and (1 - h) times those of both sums for h; terms are summed
/// in f64 and rounded once, and then meet the old value.
pub(super) fn soft_nearest_neighbor_rows_grad(case: &mut Case) -> Judge {
    let of = operands(case, true);
    let (cols, inputs) = (case.cols, case.inputs);
    let column = |case: &mut Case| case.given_rows(1, true, |rng, n| inputs.draw(rng, n, 1));
    let (y, counts, dy) = (column(case), column(case), column(case));
    let slopes = case.wide_rows(4, true);
    let dx = case.persistent_target(cols);
    let loss = forward(of, y, counts, slopes);
    case.push(loss.clone());
    case.push(Kernel::SoftNearestNeighborGrad {
        x: of.x,
        labels: of.labels,
        weights: of.weights,
        temperature: of.temperature,
        slopes,
        dy,
        dx,
    });
    case.derivative(loss, y, of.x, dy, dx);
    Box::new(move |case, results, report| {
        let (seen, slopes) = (Seen::new(case, of), results.exact(slopes));
        let (exact, old, dy) = (results.exact(dx.buffer), case.given(dx.buffer), case.given(dy));
        let places = (0..case.replicas).flat_map(|r| (0..case.rows).map(move |i| (r, i)));
        let rows: Vec<Option<Row>> = places.clone().map(|(r, i)| seen.row(r, i)).collect();
        // Error and size of each number.
        let mut bounds = vec![(0.0, 0.0); case.replicas * case.rows * cols];
        for (r, i) in places {
            for (j, place, squared) in seen.others(r, i) {
                let (mut error, mut size) = (0.0, 0.0);
                for n in [i, j] {
                    let Some(row) = &rows[r * case.rows + n] else { continue };
                    let exponent = (squared - row.near[place]) / of.temperature;
                    let slope = 2.0 / of.temperature * dy.at(r, n, 0).abs() * slopes.at(r, n, 2 * place + 1);
                    let term = slope * (-exponent).exp();
                    let both = (1.0 - row.h) * (row.errors[0] + row.errors[1]);
                    if term > 0.0 {
                        error += term * (U * (seen.error(exponent) + row.errors[place] + both) + 2.0 * seen.wide(row));
                    }
                    error += slope * VANISHING;
                    size += term;
                }
                for k in 0..cols {
                    let span = (seen.x.at(r, i, k) - seen.x.at(r, j, k)).abs();
                    let bound = &mut bounds[(r * case.rows + i) * cols + k];
                    bound.0 += span * (error + f64::EPSILON * case.rows as f64 * size);
                    bound.1 += span * size;
                }
            }
        }
        report.judge(
            "soft_nearest_neighbor_rows_grad",
            results,
            case,
            dx.buffer,
            |r, i, k| {
                let (error, size) = bounds[(r * case.rows + i) * cols + k];
                let result = exact.at(r, i, k);
                let (old, adds) = match dx.write {
                    Write::Set => (0.0, 0.0),
                    Write::Add => (old.at(r, i, k), 1.0),
                };
                let roundings = U * ((result - old).abs() + adds * result.abs());
                finite((error + roundings) * (1.0 + 8.0 * U) + ETA, size + old.abs())
            },
        );
    })
}
