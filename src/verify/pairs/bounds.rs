//! How far a reduction over pairs may be from the reference.
//!
//! Summed pair by pair in f64 from these errors, with u = 2^-24 and c the roundings of a squared distance:
//!
//! | what | error |
//! |---|---|
//! | d^2 as differences | c u d^2, c = min(d, 128) + ceil(d / 128) + 3 |
//! | d^2 as products of centred points | (c + 13) u (|x|^2 + |y|^2) |
//! | d | that of d^2 over d, and not more than its root; one rounding |
//! | cosine distance | 4 (c + 13) u |
//! | L1 distance | (d + 3) u of itself |
//! | e^(-d^2 / T) | itself times e^(error / T) - 1, and 4 u of itself |
//! | a pair within r | 1 if its distance is within the error of r |
//! | a sum | [`SUM_ROUNDINGS`] u sum |f| |
//! | a gradient | [`GRADIENT_ROUNDINGS`] u sum |w| (|x_i - mean| + |x_j - mean|), and the slopes' own errors |
//!
//! Neighbours, histograms in f64, and whole numbers are exact; so is the order of neighbours but for cosine distances that
//! roundings of f64 could exchange.

use super::{Function, Pair, Pairs, Reduction, Set};
use super::{Function as F, Reduction as R};
use crate::backend::cpu::{GRADIENT_ROUNDINGS, SUM_ROUNDINGS};
use crate::backend::pairwise::{Form, Metric};
use crate::verify::case::U;
use crate::verify::inputs::Inputs;

/// What a bound is made of: numbers that do not change from pair to pair.
#[derive(Clone, Copy)]
pub(in crate::verify) struct Errors {
    form: Form,
    /// Roundings of a squared distance, times u.
    direct: f64,
    /// The error of a squared distance as products.
    centered: f64,
    l1: f64,
    /// By how much two points together are moved before they are compared; 0 for f32 points.
    moved: f64,
    pub(in crate::verify) temperature: f64,
}

/// An underflow of f32 loses at most this of a number of order 1.
const TINY: f64 = f32::MIN_POSITIVE as f64;

/// f64 throughout: some hundred roundings.
pub(in crate::verify) const IN_F64: f64 = 1e-13;

/// Roundings of a squared distance as differences.
pub(super) fn roundings(dim: usize) -> f64 {
    (dim.min(128) + dim.div_ceil(128) + 3) as f64
}

impl Errors {
    fn new(pairs: &Pairs) -> Errors {
        Errors::of(pairs.form, pairs.dim, pairs.spread(), pairs.temperature)
    }

    /// Of points of `dim` f32 coordinates, none of which is farther than sqrt `spread` from their mean.
    pub(in crate::verify) fn of(form: Form, dim: usize, spread: f64, temperature: f64) -> Errors {
        let roundings = roundings(dim);
        Errors {
            form,
            direct: roundings * U,
            centered: (roundings + 13.0) * U * 2.0 * spread,
            l1: (dim as f64 + 3.0) * U,
            moved: 0.0,
            temperature,
        }
    }

    /// The same for a pair whose points are moved by so much together.
    pub(in crate::verify) fn moved(self, moved: f64) -> Errors {
        Errors { moved, ..self }
    }

    /// Whether all is computed in f64.
    pub(in crate::verify) fn is_f64(&self) -> bool {
        self.form == Form::F64
    }

    /// The error of a squared distance: of its computation, and |(d + m)^2 - d^2|.
    pub(in crate::verify) fn squared(&self, pair: &Pair) -> f64 {
        let distance = pair.squared.sqrt();
        let computed = match self.form {
            Form::Direct => self.direct * (distance + self.moved) * (distance + self.moved) + TINY,
            Form::Centered => self.centered + TINY,
            Form::F64 => IN_F64 * pair.squared,
        };
        computed + self.moved * (2.0 * distance + self.moved)
    }

    /// f of a pair and its error.
    pub(in crate::verify) fn value(&self, function: Function, pair: &Pair) -> (f64, f64) {
        let squared = self.squared(pair);
        let distance = pair.squared.sqrt();
        let u = if self.form == Form::F64 { IN_F64 } else { U };
        match function {
            F::SquaredEuclidean => (pair.squared, squared),
            F::Euclidean => (distance, (squared / distance).min(squared.sqrt()) + u * distance),
            F::Cosine => {
                let [x, y] = pair.norms;
                let value = if x * y > 0.0 { 1.0 - pair.product / (x * y) } else { 1.0 };
                (value.abs(), 4.0 * (self.direct / U + 13.0) * u)
            }
            F::L1 => (pair.l1, self.l1 / U * u * pair.l1 + TINY),
            F::Gaussian => {
                let value = (-pair.squared / self.temperature).exp();
                (value, value * ((squared / self.temperature).exp_m1() + 4.0 * u) + TINY)
            }
            F::Within => {
                let radius = self.temperature.sqrt();
                let near = (distance - radius).abs() <= (squared / distance).min(squared.sqrt()) + 2.0 * u * radius;
                (f64::from(u8::from(distance < radius)), f64::from(u8::from(near)))
            }
        }
    }

    /// By how much |df/dx_k| of a pair, and what cancels in it, may be as large: a factor of the coordinate's span, a number
    /// beside it, and the relative error of both.
    fn slope(&self, function: Function, pair: &Pair) -> (f64, f64, f64) {
        let squared = self.squared(pair);
        let relative = |size: f64| if size < 0.5 { size } else { f64::INFINITY };
        match function {
            F::SquaredEuclidean => (2.0, 0.0, 4.0 * U),
            F::Euclidean if pair.squared == 0.0 => (
                0.0,
                if self.form == Form::Centered {
                    f64::INFINITY
                } else {
                    1.0
                },
                U,
            ),
            F::Euclidean => (
                1.0 / pair.squared.sqrt(),
                0.0,
                relative(squared / pair.squared) + 4.0 * U,
            ),
            F::Gaussian => {
                let value = (-pair.squared / self.temperature).exp();
                let error = (squared / self.temperature).exp_m1() + 8.0 * U;
                (2.0 / self.temperature * value, 0.0, error)
            }
            // (y / |y| - cos x / |x|) / |x|, of either point.
            F::Cosine => {
                let [x, y] = pair.norms;
                let least = x.min(y);
                if least == 0.0 {
                    return (0.0, 0.0, 0.0);
                }
                (0.0, 2.0 / least, 4.0 * (self.direct / U + 13.0) * U)
            }
            F::L1 => (0.0, 1.0, U),
            F::Within => (0.0, 0.0, 0.0),
        }
    }

    /// Roundings of the sums, times u.
    pub(in crate::verify) fn sums(&self) -> f64 {
        if self.form == Form::F64 {
            IN_F64
        } else {
            SUM_ROUNDINGS as f64 * U
        }
    }
}

impl Pairs {
    /// The bound of each number.
    pub(super) fn bounds(&self, reduction: Reduction, exact: &[f64]) -> Vec<f64> {
        let errors = Errors::new(self);
        let (rows, classes) = (self.first.rows, self.classes);
        let label = |set: &Set, i: usize| set.labels[i] as usize;
        let mut bounds = vec![0.0; exact.len()];
        let whole = self.inputs == Inputs::Integers && self.form != Form::Centered;
        match reduction {
            R::Classes(F::SquaredEuclidean | F::L1) | R::Rows(F::SquaredEuclidean | F::L1) if whole => {}
            R::Nearest(Metric::Cosine) => self.cosine_bounds(&mut bounds, exact),
            R::Nearest(_) => {}
            R::Classes(f) | R::Rows(f) => self.each(|i, j, pair| {
                let row = if matches!(reduction, R::Classes(_)) {
                    label(&self.first, i)
                } else {
                    i
                };
                let (value, error) = errors.value(f, &pair);
                let chain = if matches!(f, F::Within) { 0.0 } else { errors.sums() };
                bounds[row * classes + label(self.others(), j)] += error + chain * value;
            }),
            R::Histograms => {
                let width = self.bins().width;
                let bins = self.bins().count;
                self.each(|i, j, pair| {
                    let (distance, error) = errors.value(F::Euclidean, &pair);
                    let bin = |d: f64| ((d.max(0.0) / width) as usize).min(bins);
                    let (low, high) = (bin(distance - 2.0 * error), bin(distance + 2.0 * error));
                    if low != high {
                        let at = (label(&self.first, i) * classes + label(self.others(), j)) * (bins + 1);
                        (low..=high).for_each(|bin| bounds[at + bin] += 1.0);
                    }
                });
            }
            R::Logs => {
                let logs = self.log_errors(&errors, exact);
                bounds.copy_from_slice(&logs);
            }
            R::ClassesGradient(f) => self.gradient_bounds(&mut bounds, |i, j, pair| {
                let (a, b) = (label(&self.first, i), label(self.others(), j));
                let weight = self.weights[a * classes + b].abs();
                let (factor, beside, error) = errors.slope(f, pair);
                (weight * factor, weight * beside, error)
            }),
            R::RowsGradient(f) => self.gradient_bounds(&mut bounds, |i, j, pair| {
                let weight = self.weights[i * classes + label(self.others(), j)].abs();
                let (factor, beside, error) = errors.slope(f, pair);
                (weight * factor, weight * beside, error)
            }),
            R::LogsGradient => {
                let logs = self.log_sums();
                let own = self.log_errors(&errors, &logs);
                self.gradient_bounds(&mut bounds, |i, j, pair| {
                    let at = i * classes + label(self.others(), j);
                    let share = (-pair.squared / self.temperature - logs[at]).exp();
                    let error = (errors.squared(pair) / self.temperature).exp_m1() + own[at].exp_m1() + 8.0 * U;
                    (self.weights[at].abs() * share * 2.0 / self.temperature, 0.0, error)
                });
            }
            R::SoftNearest | R::SoftNearestGradient => {
                // l_i = log D_i - log S_i, from the sums of row i per class.
                let logs = self.log_sums();
                let own = self.log_errors(&errors, &logs);
                let all =
                    |of: &dyn Fn(usize) -> f64, i: usize| (0..classes).map(|c| of(i * classes + c)).fold(0.0, f64::max);
                let total = |i: usize| -> f64 {
                    let top = (0..classes)
                        .map(|c| logs[i * classes + c])
                        .fold(f64::NEG_INFINITY, f64::max);
                    top + (0..classes)
                        .map(|c| (logs[i * classes + c] - top).exp())
                        .sum::<f64>()
                        .ln()
                };
                let row = |i: usize| {
                    let same = own[i * classes + label(&self.first, i)];
                    let every = all(&|n| if own[n].is_finite() { own[n] } else { 0.0 }, i);
                    // A row alone in its class has no part in the loss.
                    if same.is_finite() { same + every + 8.0 * U } else { 0.0 }
                };
                if matches!(reduction, R::SoftNearest) {
                    let each: Vec<f64> = (0..rows).map(row).collect();
                    bounds[0] = each.iter().fold(0.0, |top: f64, e| top.max(*e)) + IN_F64;
                    bounds[1..].copy_from_slice(&each);
                    return bounds;
                }
                let counted = (0..rows)
                    .filter(|&i| own[i * classes + label(&self.first, i)].is_finite())
                    .count();
                self.gradient_bounds(&mut bounds, |i, j, pair| {
                    let (a, b) = (label(&self.first, i), label(self.others(), j));
                    let log = -pair.squared / self.temperature;
                    let same = own[i * classes + a];
                    if !same.is_finite() {
                        return (0.0, 0.0, 0.0);
                    }
                    let share = (log - total(i)).exp()
                        + if a == b {
                            (log - logs[i * classes + a]).exp()
                        } else {
                            0.0
                        };
                    let error = (errors.squared(pair) / self.temperature).exp_m1() + row(i).exp_m1() + 8.0 * U;
                    (share * 2.0 / (self.temperature * counted as f64), 0.0, error)
                });
            }
        }
        bounds
    }

    /// Cosine distances are rounded in f64, so that neighbours nearer to each other than these roundings have no order.
    fn cosine_bounds(&self, bounds: &mut [f64], exact: &[f64]) {
        let errors = Errors::new(self);
        let length = self.first.rows * self.k;
        let mut level = vec![0; length];
        self.each(|i, _, pair| {
            let (distance, _) = errors.value(F::Cosine, &pair);
            for place in i * self.k..(i + 1) * self.k {
                level[place] += usize::from((exact[place] - distance).abs() <= IN_F64);
            }
        });
        for (place, level) in level.into_iter().enumerate() {
            let order = if level == 1 { 0.0 } else { f64::INFINITY };
            (bounds[place], bounds[length + place], bounds[2 * length + place]) = (IN_F64, order, order);
        }
    }

    /// The exact log sum_{j in c} e^(-d^2 / T) of each row and class.
    fn log_sums(&self) -> Vec<f64> {
        let classes = self.classes;
        let mut top = vec![f64::NEG_INFINITY; self.first.rows * classes];
        let place = |i: usize, j: usize| i * classes + self.others().labels[j] as usize;
        self.each(|i, j, pair| top[place(i, j)] = top[place(i, j)].max(-pair.squared / self.temperature));
        let mut sums = vec![0.0; top.len()];
        self.each(|i, j, pair| sums[place(i, j)] += (-pair.squared / self.temperature - top[place(i, j)]).exp());
        top.iter().zip(&sums).map(|(top, sum)| top + sum.ln()).collect()
    }

    /// The errors of these logarithms: those of the terms by their share, and the sum's own. Infinite where there is no pair.
    fn log_errors(&self, errors: &Errors, logs: &[f64]) -> Vec<f64> {
        let classes = self.classes;
        let mut terms = vec![0.0; logs.len()];
        self.each(|i, j, pair| {
            let at = i * classes + self.others().labels[j] as usize;
            let share = (-pair.squared / self.temperature - logs[at]).exp();
            terms[at] += share * (errors.squared(&pair) / self.temperature).exp_m1();
        });
        let own = errors.sums() + if self.form == Form::F64 { IN_F64 } else { 8.0 * U };
        let error = |(log, terms): (&f64, f64)| {
            if log.is_finite() {
                terms + own + 1e-12 * log.abs()
            } else {
                f64::INFINITY
            }
        };
        logs.iter().zip(terms).map(error).collect()
    }

    /// Adds up the errors of a gradient: `slope` gives each pair's factor of the spans, a number beside it, and their relative error.
    fn gradient_bounds(&self, bounds: &mut [f64], slope: impl Fn(usize, usize, &Pair) -> (f64, f64, f64)) {
        let (dim, spans) = (self.dim, self.spans());
        let rows = self.first.rows;
        let own = if self.form == Form::F64 {
            IN_F64
        } else {
            GRADIENT_ROUNDINGS as f64 * U
        };
        self.each(|i, j, pair| {
            let (factor, beside, error) = slope(i, j, &pair);
            let error = if self.form == Form::F64 {
                error.min(IN_F64)
            } else {
                error
            };
            let j = if self.second.is_some() { rows + j } else { j };
            for (k, span) in spans.iter().enumerate() {
                let size = 2.0 * factor * span + beside;
                let bound = if size > 0.0 { size * (own + error) + TINY } else { 0.0 };
                bounds[i * dim + k] += bound;
                bounds[j * dim + k] += bound;
            }
        });
    }
}
