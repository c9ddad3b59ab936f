//! Metrics of sums over pairs.
//!
//! A backend gets rows about their mean, which it may round to f32 about an origin of its own: in the direct form the first row. Each
//! such rounding moves a point by u times its distance to the origin. What a squared distance errs by from there on, and sums of
//! functions of it, is `pairs::bounds`.

use super::super::case::U;
use super::super::pairs::bounds::{Errors, IN_F64};
use super::super::pairs::{Function, Pair};
use super::estimate::{Estimate, W};
use super::moments;
use super::sample::Sample;
use crate::backend::pairwise::Form;

/// Points whose pairs are summed up.
pub(super) struct Cloud {
    rows: Vec<Vec<f64>>,
    /// By how much a point moves before distances are taken.
    moved: Vec<f64>,
    errors: Errors,
    labels: Vec<usize>,
    counts: Vec<usize>,
}

impl Cloud {
    /// Of coordinates with errors.
    pub(super) fn new(sample: &Sample, coordinates: &[Estimate]) -> Cloud {
        let (cols, form) = (sample.cols, sample.settings.form);
        let rows: Vec<Vec<f64>> = coordinates
            .chunks_exact(cols)
            .map(|row| row.iter().map(|x| x.value()).collect())
            .collect();
        let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
        let moved = coordinates.chunks_exact(cols).zip(&rows).map(|(own, row)| {
            let computed = norm(&mut own.iter().map(|x| x.error + W * x.value().abs()));
            let rounded = match form {
                Form::Direct => {
                    U * norm(&mut row.iter().zip(&rows[0]).map(|(x, o)| x - o)) + (cols as f64).sqrt() * TINY
                }
                Form::Centered => U * norm(&mut row.iter().copied()) + (cols as f64).sqrt() * TINY,
                Form::F64 => 0.0,
            };
            computed + rounded
        });
        let spread = |j: usize| {
            let column = || rows.iter().map(|row| row[j]);
            let (low, high) = (
                column().fold(f64::INFINITY, f64::min),
                column().fold(f64::NEG_INFINITY, f64::max),
            );
            (high - low) * (high - low)
        };
        let spread = (0..cols).map(spread).sum();
        Cloud {
            moved: moved.collect(),
            errors: Errors::of(form, cols, spread, sample.settings.temperature),
            labels: sample.labels.iter().map(|&label| label as usize).collect(),
            counts: sample.counts().to_vec(),
            rows,
        }
    }

    /// Of a sample's rows about their mean.
    pub(super) fn of(sample: &Sample) -> Cloud {
        Cloud::new(sample, &sample.centered())
    }

    fn with_temperature(mut self, temperature: f64) -> Cloud {
        self.errors.temperature = temperature;
        self
    }

    /// A pair, with what moves its points.
    fn pair(&self, i: usize, j: usize) -> (Pair, f64) {
        let squared = self.rows[i]
            .iter()
            .zip(&self.rows[j])
            .map(|(x, y)| (x - y) * (x - y))
            .sum();
        (Pair::at(squared), self.moved[i] + self.moved[j])
    }

    /// A distance as neighbours are told apart by: decided in f64.
    pub(super) fn decided(&self, i: usize, j: usize) -> (f64, f64) {
        let (pair, moved) = self.pair(i, j);
        let moved = if self.errors.is_f64() {
            moved
        } else {
            moved.min(self.exact_moves(i, j))
        };
        (pair.squared.sqrt(), moved + IN_F64 * pair.squared.sqrt())
    }

    /// The roundings in f64 of what a backend gets.
    fn exact_moves(&self, i: usize, j: usize) -> f64 {
        let norm = |row: &[f64]| row.iter().map(|x| x * x).sum::<f64>().sqrt();
        let size = norm(&self.rows[i]) + norm(&self.rows[j]);
        4.0 * (self.rows.len() as f64 + 4.0) * W * size
    }

    /// f of a pair and its error; `moved` adds to the distance.
    fn value(&self, function: Function, i: usize, j: usize) -> (f64, f64) {
        let (pair, moved) = self.pair(i, j);
        self.errors.moved(moved).value(function, &pair)
    }

    /// The sum of f over the ordered pairs of different rows of classes a and b.
    fn sum(&self, function: Function, a: usize, b: usize) -> Estimate {
        let (mut sum, mut error) = (0.0, 0.0);
        for i in (0..self.rows.len()).filter(|&i| self.labels[i] == a) {
            let (of_row, own) = self.row_sum(function, i, b);
            sum += of_row;
            error += own;
        }
        Estimate::about(sum, error, super::super::pairs::SUM_ROUNDINGS)
    }

    fn row_sum(&self, function: Function, i: usize, class: usize) -> (f64, f64) {
        let (mut sum, mut error) = (0.0, 0.0);
        for j in (0..self.rows.len()).filter(|&j| j != i && self.labels[j] == class) {
            let (value, own) = self.value(function, i, j);
            sum += value;
            error += own + (self.errors.sums() + self.rows.len() as f64 * W) * value;
        }
        (sum, error)
    }

    /// Mean over all pairs of two classes, or over the pairs of different rows of one.
    fn mean(&self, function: Function, a: usize, b: usize) -> Estimate {
        let (n, m) = (self.counts[a] as f64, self.counts[b] as f64);
        self.sum(function, a, b) / (n * if a == b { m - 1.0 } else { m })
    }

    fn classes(&self) -> usize {
        self.counts.len()
    }
}

/// An underflow of f32.
const TINY: f64 = f32::MIN_POSITIVE as f64;

/// Mean distances of classes, also within them.
pub(super) fn class_distance(sample: &Sample) -> Option<Vec<Estimate>> {
    let cloud = Cloud::of(sample);
    let pairs = (0..sample.classes).flat_map(|a| (a..sample.classes).map(move |b| (a, b)));
    Some(pairs.map(|(a, b)| cloud.mean(Function::Euclidean, a, b)).collect())
}

/// 2 m_ab - v_a - v_b
pub(super) fn energy_distance(sample: &Sample) -> Option<Vec<Estimate>> {
    let cloud = Cloud::of(sample);
    let within = |a: usize| {
        let n = cloud.counts[a] as f64;
        cloud.sum(Function::Euclidean, a, a) / (n * n)
    };
    let energy = |(a, b)| cloud.mean(Function::Euclidean, a, b) * 2.0 - within(a) - within(b);
    Some(sample.class_pairs().map(energy).collect())
}

/// T of the maximum mean discrepancy.
fn bandwidth(sample: &Sample) -> Estimate {
    let (between, within) = moments::scatter(&moments::classes(sample));
    (between + within) * 2.0 / sample.labels.len() as f64
}

/// k_aa + k_bb - 2 k_ab
pub(super) fn mean_discrepancy(sample: &Sample) -> Option<Vec<Estimate>> {
    let temperature = bandwidth(sample);
    // Any temperature serves where all points coincide, and a rounding of nothing may be one.
    let spread = temperature.value() > 4.0 * temperature.error;
    if !spread {
        return None;
    }
    let relative = temperature.error / temperature.value();
    let cloud = Cloud::of(sample).with_temperature(temperature.value());
    let mean = |a: usize, b: usize| {
        let mean = cloud.mean(Function::Gaussian, a, b);
        // d/dT of e^(-s/T) times dT is s/T e^(-s/T) dT/T, and x e^-x < 0.37.
        mean.with_error(mean.error + 0.4 * relative, mean.chain)
    };
    let discrepancy = |(a, b): (usize, usize)| mean(a, a) + mean(b, b) - mean(a, b) * 2.0;
    Some(sample.class_pairs().map(discrepancy).collect())
}

/// Of standardised rows, within against between.
pub(super) fn generalized_discrimination(sample: &Sample) -> Option<Vec<Estimate>> {
    let (mut scores, cols) = (sample.centered(), sample.cols);
    let rows = sample.labels.len();
    for j in 0..cols {
        let square = Estimate::sum(scores.iter().skip(j).step_by(cols).map(|x| x.square()));
        let deviation = (square / rows as f64).sqrt();
        for x in scores.iter_mut().skip(j).step_by(cols) {
            *x = if deviation.value() == 0.0 {
                Estimate::given(0.0)
            } else {
                *x * (Estimate::given(0.5) / deviation)
            };
        }
    }
    if scores.iter().any(|x| !x.error.is_finite()) {
        return None;
    }
    let cloud = Cloud::new(sample, &scores);
    let within = Estimate::sum((0..cloud.classes()).map(|a| cloud.mean(Function::Euclidean, a, a)));
    let between = Estimate::sum(sample.class_pairs().map(|(a, b)| cloud.mean(Function::Euclidean, a, b)));
    let c = sample.classes as f64;
    let value = (within / c - between * 2.0 / (c * (c - 1.0))) / Estimate::given(cols as f64).sqrt();
    Some(vec![value])
}

/// The mean silhouette.
pub(super) fn silhouette(sample: &Sample) -> Option<Vec<Estimate>> {
    let cloud = Cloud::of(sample);
    let chain = super::super::pairs::SUM_ROUNDINGS;
    let of = |i: usize| {
        let own = cloud.labels[i];
        let mean = |c: usize| {
            let (sum, error) = cloud.row_sum(Function::Euclidean, i, c);
            Estimate::about(sum, error, chain) / (cloud.counts[c] - usize::from(c == own)) as f64
        };
        let a = mean(own);
        let others = (0..cloud.classes()).filter(|&c| c != own).map(mean);
        let b = Estimate::given(0.0) - Estimate::largest(others.map(|m| Estimate::given(0.0) - m));
        (b - a) / Estimate::largest([a, b].into_iter())
    };
    let rows = sample.labels.len();
    Some(vec![Estimate::sum((0..rows).map(of)) / rows as f64])
}

/// l and dl/dT with their errors.
struct Loss {
    value: Estimate,
    slope: Estimate,
}

/// The loss at T. Terms e^-a with a = d^2/T err by r = e^(error/T) - 1 and the sums by their roundings, relative to each; a logarithm
/// turns relative errors into absolute ones. The slope is the difference of the means of a / T over all rows and over a row's own
/// class, whose weights err twice as much relatively.
fn loss_at(sample: &Sample, temperature: f64) -> Option<Loss> {
    let cloud = Cloud::of(sample).with_temperature(temperature);
    let rows = sample.labels.len();
    let own = if cloud.errors.is_f64() {
        IN_F64
    } else {
        cloud.errors.sums() + 8.0 * U
    };
    let (mut losses, mut slopes) = (Vec::new(), Vec::new());
    for i in 0..rows {
        if cloud.counts[cloud.labels[i]] < 2 {
            continue;
        }
        let terms: Vec<(usize, f64, f64)> = (0..rows)
            .filter(|&j| j != i)
            .map(|j| {
                let (pair, moved) = cloud.pair(i, j);
                let error = cloud.errors.moved(moved).squared(&pair);
                (j, pair.squared / temperature, error / temperature)
            })
            .collect();
        let least = terms.iter().map(|(_, a, _)| *a).fold(f64::INFINITY, f64::min);
        let mut sums = [[0.0; 4]; 2];
        let nearest = terms
            .iter()
            .filter(|(j, ..)| cloud.labels[*j] == cloud.labels[i])
            .map(|(_, a, _)| *a)
            .fold(f64::INFINITY, f64::min);
        for (j, a, error) in &terms {
            let same = cloud.labels[*j] == cloud.labels[i];
            for (place, base) in [(0, least), (1, nearest)] {
                if place == 0 || same {
                    let weight = (base - a).exp();
                    let relative = error.exp_m1() + own;
                    let sum = &mut sums[place];
                    sum[0] += weight;
                    sum[1] += weight * relative;
                    sum[2] += weight * a;
                    sum[3] += weight * (a * (2.0 * relative + 8.0 * W) + error);
                }
            }
        }
        let [all, same] = sums;
        let value = nearest - least + all[0].ln() - same[0].ln();
        let relative = all[1] / all[0] + same[1] / same[0];
        let error = relative / (1.0 - relative.min(0.5)) + 1e-12 * nearest + own;
        losses.push(Estimate::about(value, error, 0));
        let mean = |sum: [f64; 4]| {
            let mean = sum[2] / sum[0];
            let error = (sum[3] + mean * sum[1]) / sum[0];
            Estimate::about(mean / temperature, error / temperature, 0)
        };
        let (all, same) = (mean(all), mean(same));
        // -a/T is d(log e^-a)/dT negated: dl/dT = <a>_all / T - <a>_same / T.
        slopes.push(all - same);
    }
    let n = losses.len() as f64;
    let mean = |each: Vec<Estimate>| Estimate::sum(each.into_iter()) / n;
    (n > 0.0).then(|| Loss {
        value: mean(losses),
        slope: mean(slopes),
    })
}

/// l at the temperature that is asked for.
pub(super) fn soft_nearest_neighbor_loss(sample: &Sample) -> Option<Vec<Estimate>> {
    Some(vec![loss_at(sample, sample.settings.temperature)?.value])
}

/// dl/dT there.
pub(super) fn soft_nearest_neighbor_slope(sample: &Sample) -> Option<Vec<Estimate>> {
    Some(vec![loss_at(sample, sample.settings.temperature)?.slope])
}

/// The loss at the temperature T that was found: it is l(T), and T is the place of no more than this loss on a grid of its own, ten times
/// as fine as that of `geometry` in its three decades. T itself is not compared: near a minimum l does not tell temperatures apart.
pub(super) fn soft_nearest_neighbor_optimum(sample: &Sample) -> Option<Vec<Estimate>> {
    let temperature = sample.found_temperature?;
    let found = loss_at(sample, temperature)?.value;
    Some(vec![found, Estimate::about(temperature, f64::INFINITY, 0)])
}
