//! Reductions over all pairs: every function of a pair, in every form that it has, forward and backward.
//!
//! A case has one set of points or two, of 1 to 120 rows and 1 to 90 columns in up to five classes, one of them empty. Its
//! bound is summed pair by pair in f64 from these errors, with u = 2^-24 and c the roundings of a squared distance:
//!
//! | what | error |
//! |---|---|
//! | d^2 as differences | c u d^2, c = min(d, 256) + ceil(d / 256) + 3 |
//! | d^2 as products of centred points | (c + 13) u (|x|^2 + |y|^2) |
//! | d | that of d^2 over d, and not more than its root; one rounding |
//! | cosine distance | 4 (c + 13) u |
//! | L1 distance | (d + 3) u of itself |
//! | e^(-d^2 / T) | itself times e^(error / T) - 1, and 4 u of itself |
//! | a pair within r | 1 if its distance is within the error of r |
//! | a sum | [`SUM_ROUNDINGS`] u sum |f| |
//! | a gradient | 300 u sum |w| (|x_i - mean| + |x_j - mean|), and the slopes' own errors |
//!
//! Neighbours, histograms in f64, and whole numbers are exact; so is the order of neighbours but for cosine distances that
//! roundings of f64 could exchange.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::case::U;
use super::inputs::Inputs;
use super::report::{CaseName, Report};
use super::{Op, Work};
use crate::backend::Backend;
use crate::backend::cpu::SUM_ROUNDINGS;
use crate::backend::pairwise::{Bins, Form, Metric, PairFunction, Pairwise, PairwiseError, Points};
use crate::backend::reference::Reference;

/// What is reduced.
#[derive(Clone, Copy)]
pub(super) enum Reduction {
    /// A: per class pair.
    Classes(Function),
    /// Its gradient.
    ClassesGradient(Function),
    /// B: per row and class.
    Rows(Function),
    /// Its gradient.
    RowsGradient(Function),
    /// B of the Gaussian kernel in logarithms.
    Logs,
    /// Its gradient.
    LogsGradient,
    /// A with a histogram of distance.
    Histograms,
    /// C: the nearest.
    Nearest(Metric),
    /// The soft nearest neighbour loss.
    SoftNearest,
    /// Its gradient.
    SoftNearestGradient,
}

/// Of a pair, with a parameter that suits the points.
#[derive(Clone, Copy)]
pub(super) enum Function {
    SquaredEuclidean,
    Euclidean,
    Cosine,
    L1,
    Gaussian,
    Within,
}

macro_rules! reductions {
    ($($name:ident: $reduction:expr),+ $(,)?) => {
        [$(Op { name: stringify!($name), work: Work::Pairs($reduction) }),+]
    };
}

use Function as F;
use Reduction as R;

/// Every reduction, as ops.
pub(super) const REDUCTIONS: [Op; 29] = reductions! {
    class_sums_squared_euclidean: R::Classes(F::SquaredEuclidean),
    class_sums_squared_euclidean_grad: R::ClassesGradient(F::SquaredEuclidean),
    class_sums_euclidean: R::Classes(F::Euclidean),
    class_sums_euclidean_grad: R::ClassesGradient(F::Euclidean),
    class_sums_cosine: R::Classes(F::Cosine),
    class_sums_cosine_grad: R::ClassesGradient(F::Cosine),
    class_sums_l1: R::Classes(F::L1),
    class_sums_l1_grad: R::ClassesGradient(F::L1),
    class_sums_gaussian: R::Classes(F::Gaussian),
    class_sums_gaussian_grad: R::ClassesGradient(F::Gaussian),
    class_sums_within: R::Classes(F::Within),
    row_sums_squared_euclidean: R::Rows(F::SquaredEuclidean),
    row_sums_squared_euclidean_grad: R::RowsGradient(F::SquaredEuclidean),
    row_sums_euclidean: R::Rows(F::Euclidean),
    row_sums_euclidean_grad: R::RowsGradient(F::Euclidean),
    row_sums_cosine: R::Rows(F::Cosine),
    row_sums_cosine_grad: R::RowsGradient(F::Cosine),
    row_sums_l1: R::Rows(F::L1),
    row_sums_l1_grad: R::RowsGradient(F::L1),
    row_sums_gaussian: R::Rows(F::Gaussian),
    row_sums_gaussian_grad: R::RowsGradient(F::Gaussian),
    row_log_sums: R::Logs,
    row_log_sums_grad: R::LogsGradient,
    class_histograms: R::Histograms,
    nearest_euclidean: R::Nearest(Metric::Euclidean),
    nearest_cosine: R::Nearest(Metric::Cosine),
    nearest_l1: R::Nearest(Metric::L1),
    soft_nearest_neighbor: R::SoftNearest,
    soft_nearest_neighbor_grad: R::SoftNearestGradient,
};

/// A set of labelled rows.
struct Set {
    values: Vec<f32>,
    labels: Vec<u32>,
    rows: usize,
}

/// One case.
struct Pairs {
    dim: usize,
    classes: usize,
    inputs: Inputs,
    form: Form,
    first: Set,
    second: Option<Set>,
    temperature: f64,
    weights: Vec<f64>,
    k: usize,
}

impl Pairs {
    fn new(reduction: Reduction, seed: u64) -> Pairs {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut between = |low: usize, high: usize| low + (rng.next_u64() % (high - low + 1) as u64) as usize;
        let (rows, others, dim) = (between(2, 120), between(1, 120), between(1, 90));
        let (classes, two, k) = (between(1, 5), between(0, 1) == 1, between(1, 64));
        // Some class has two members.
        let rows = rows.max(classes);
        let forms = [Form::Direct, Form::Centered, Form::F64];
        let form = forms[seed as usize % 3];
        Pairs::of(
            reduction,
            rng,
            [rows, if two { others } else { 0 }, dim, classes, k],
            seed,
            form,
        )
    }

    fn of(
        reduction: Reduction,
        mut rng: ChaCha8Rng,
        [rows, others, dim, classes, k]: [usize; 5],
        seed: u64,
        form: Form,
    ) -> Pairs {
        let inputs = Inputs::ALL[seed as usize % Inputs::ALL.len()];
        // The loss is one of one set.
        let others = match reduction {
            R::SoftNearest | R::SoftNearestGradient => 0,
            _ => others,
        };
        let mut set = |rows: usize| {
            let values = inputs.draw(&mut rng, rows * dim, dim);
            // Squares of the whole range would be no f32.
            let narrow = |v: f64| if inputs == Inputs::HugeRange { v.cbrt() } else { v };
            let used = classes.max(2) - 1;
            Set {
                values: values.into_iter().map(|v| narrow(v) as f32).collect(),
                // In no order; of several classes the last stays empty.
                labels: (0..rows).map(|i| (i * 7919 % 104_729 % used) as u32).collect(),
                rows,
            }
        };
        let (first, second) = (set(rows), (others > 0).then(|| set(others)));
        let form = match reduction {
            R::Classes(F::L1)
            | R::ClassesGradient(F::L1)
            | R::Rows(F::L1)
            | R::RowsGradient(F::L1)
            | R::Nearest(Metric::L1)
                if form == Form::Centered =>
            {
                Form::Direct
            }
            _ => form,
        };
        let weights = Inputs::Normal.draw(&mut rng, rows.max(classes) * classes, classes);
        let mut pairs = Pairs {
            dim,
            classes,
            inputs,
            form,
            first,
            second,
            temperature: 1.0,
            weights,
            k: k.min(if others > 0 { others } else { rows - 1 }),
        };
        let (mut total, mut n) = (0.0, 0.0);
        pairs.each(|_, _, pair| {
            total += pair.squared;
            n += 1.0;
        });
        // The mean squared distance; subnormal points have none.
        let mean: f64 = total / n;
        pairs.temperature = if mean > 1e-30 { mean } else { 1.0 };
        pairs
    }

    fn points(set: &Set, dim: usize, classes: usize) -> Result<Points<'_>, PairwiseError> {
        Points::new(&set.values[..], dim)?.labels(&set.labels, classes)
    }

    /// Calls `f` with the two sets.
    fn with<T>(
        &self,
        f: impl FnOnce(&Points, Option<&Points>) -> Result<T, PairwiseError>,
    ) -> Result<T, PairwiseError> {
        let first = Pairs::points(&self.first, self.dim, self.classes)?;
        match &self.second {
            None => f(&first, None),
            Some(second) => f(&first, Some(&Pairs::points(second, self.dim, self.classes)?)),
        }
    }

    fn others(&self) -> &Set {
        self.second.as_ref().unwrap_or(&self.first)
    }

    fn function(&self, function: Function) -> PairFunction {
        match function {
            F::SquaredEuclidean => PairFunction::SquaredEuclidean,
            F::Euclidean => PairFunction::Euclidean,
            F::Cosine => PairFunction::Cosine,
            F::L1 => PairFunction::L1,
            F::Gaussian => PairFunction::Gaussian {
                temperature: self.temperature,
            },
            F::Within => PairFunction::Within {
                radius: self.temperature.sqrt(),
            },
        }
    }

    /// Every ordered pair i, j of different points.
    fn each(&self, mut f: impl FnMut(usize, usize, Pair)) {
        for i in 0..self.first.rows {
            for j in 0..self.others().rows {
                if self.second.is_some() || i != j {
                    f(i, j, self.pair(i, j));
                }
            }
        }
    }

    fn pair(&self, i: usize, j: usize) -> Pair {
        let dim = self.dim;
        Pair::of(
            &self.first.values[i * dim..][..dim],
            &self.others().values[j * dim..][..dim],
        )
    }

    /// Roundings of a squared distance as differences.
    fn roundings(&self) -> f64 {
        (self.dim.min(256) + self.dim.div_ceil(256) + 3) as f64
    }

    /// The largest |x - mean|^2; the mean of either set is in the box of the points.
    fn spread(&self) -> f64 {
        let spans = self.spans();
        spans.iter().map(|span| span * span).sum()
    }

    /// Of each coordinate, the difference of the largest and the smallest number: no less than |x - mean|.
    fn spans(&self) -> Vec<f64> {
        let mut ends = vec![(f64::INFINITY, f64::NEG_INFINITY); self.dim];
        for (n, &x) in self.first.values.iter().chain(&self.others().values).enumerate() {
            let (low, high) = &mut ends[n % self.dim];
            (*low, *high) = (low.min(f64::from(x)), high.max(f64::from(x)));
        }
        ends.into_iter().map(|(low, high)| high - low).collect()
    }
}

/// Two points as far as the bounds need them.
struct Pair {
    squared: f64,
    l1: f64,
    norms: [f64; 2],
    product: f64,
}

impl Pair {
    fn of(x: &[f32], y: &[f32]) -> Pair {
        let (mut squared, mut l1, mut squares, mut product) = (0.0, 0.0, [0.0; 2], 0.0);
        for (&x, &y) in x.iter().zip(y) {
            let (x, y) = (f64::from(x), f64::from(y));
            squared += (x - y) * (x - y);
            l1 += (x - y).abs();
            squares[0] += x * x;
            squares[1] += y * y;
            product += x * y;
        }
        Pair {
            squared,
            l1,
            norms: squares.map(f64::sqrt),
            product,
        }
    }
}

/// What a bound is made of: numbers that do not change from pair to pair.
struct Errors {
    form: Form,
    /// Roundings of a squared distance, times u.
    direct: f64,
    /// The error of a squared distance as products.
    centered: f64,
    l1: f64,
    temperature: f64,
}

/// An underflow of f32 loses at most this of a number of order 1.
const TINY: f64 = f32::MIN_POSITIVE as f64;

/// f64 throughout: some hundred roundings.
const IN_F64: f64 = 1e-13;

impl Errors {
    fn new(pairs: &Pairs) -> Errors {
        Errors {
            form: pairs.form,
            direct: pairs.roundings() * U,
            centered: (pairs.roundings() + 13.0) * U * 2.0 * pairs.spread(),
            l1: (pairs.dim as f64 + 3.0) * U,
            temperature: pairs.temperature,
        }
    }

    /// The error of a squared distance.
    fn squared(&self, pair: &Pair) -> f64 {
        match self.form {
            Form::Direct => self.direct * pair.squared + TINY,
            Form::Centered => self.centered + TINY,
            Form::F64 => IN_F64 * pair.squared,
        }
    }

    /// f of a pair and its error.
    fn value(&self, function: Function, pair: &Pair) -> (f64, f64) {
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
    fn sums(&self) -> f64 {
        if self.form == Form::F64 {
            IN_F64
        } else {
            SUM_ROUNDINGS as f64 * U
        }
    }
}

/// Roundings of the products behind a gradient.
const GRADIENT_ROUNDINGS: f64 = 300.0;

/// Compares a case of a reduction with the reference.
///
/// # Errors
/// What the backend refuses.
pub(super) fn judge(
    reduction: Reduction,
    backend: &dyn Backend,
    name: CaseName,
    report: &mut Report,
) -> Result<(), PairwiseError> {
    let pairs = Pairs::new(reduction, name.seed);
    let (got, exact) = (
        pairs.run(reduction, backend.pairs())?,
        pairs.run(reduction, &Reference)?,
    );
    let bounds = pairs.bounds(reduction, &exact);
    let (rows, others) = (pairs.first.rows, pairs.second.as_ref().map_or(0, |set| set.rows));
    let (dim, classes, form, inputs) = (pairs.dim, pairs.classes, pairs.form.name(), pairs.inputs.name());
    report.compare(
        name.op,
        (&got, &exact),
        |n| bounds[n],
        |n| format!("({rows} and {others} rows, {dim} columns, {classes} classes, {form}, {inputs}) at number {n}"),
    );
    match reduction {
        R::Classes(_) | R::Rows(_) => report.chain(name.op, SUM_ROUNDINGS + pairs.roundings() as usize),
        R::ClassesGradient(_) | R::RowsGradient(_) => report.chain(name.op, GRADIENT_ROUNDINGS as usize),
        _ => {}
    }
    Ok(())
}

impl Pairs {
    /// All numbers of the result.
    fn run(&self, reduction: Reduction, backend: &dyn Pairwise) -> Result<Vec<f64>, PairwiseError> {
        let (form, t, classes) = (self.form, self.temperature, self.classes);
        let counts = |counts: Vec<u64>| counts.into_iter().map(|n| n as f64).collect::<Vec<f64>>();
        let (pair_weights, row_weights) = (
            &self.weights[..classes * classes],
            &self.weights[..self.first.rows * classes],
        );
        self.with(|first, second| match reduction {
            R::Classes(f) => Ok(backend.class_sums(first, second, self.function(f), form)?.sums),
            R::ClassesGradient(f) => {
                let g = backend.class_sums_gradient(first, second, self.function(f), form, pair_weights)?;
                Ok([g.points, g.others].concat())
            }
            R::Rows(f) => backend.row_class_sums(first, second, self.function(f), form),
            R::RowsGradient(f) => {
                let g = backend.row_class_sums_gradient(first, second, self.function(f), form, row_weights)?;
                Ok([g.points, g.others].concat())
            }
            R::Logs => backend.row_class_log_sums(first, second, t, form),
            R::LogsGradient => {
                let g = backend.row_class_log_sums_gradient(first, second, t, form, row_weights)?;
                Ok([g.points, g.others].concat())
            }
            R::Histograms => {
                let bins = self.bins();
                Ok(counts(backend.class_histograms(first, second, bins, form)?.counts))
            }
            R::Nearest(metric) => {
                let nearest = backend.nearest(first, second, metric, self.k, form)?;
                let whole = |numbers: Vec<u32>| numbers.into_iter().map(f64::from).collect::<Vec<f64>>();
                Ok([nearest.distances, whole(nearest.indices), whole(nearest.labels)].concat())
            }
            R::SoftNearest => {
                let value = backend.soft_nearest_neighbor(first, t, form)?;
                Ok([value.loss, value.rows].concat())
            }
            R::SoftNearestGradient => {
                let gradient = backend.soft_nearest_neighbor_gradient(first, t, form)?;
                Ok(gradient.points)
            }
        })
    }

    fn bins(&self) -> Bins {
        Bins {
            width: 0.21 * self.temperature.sqrt(),
            count: 7,
        }
    }

    /// The bound of each number.
    fn bounds(&self, reduction: Reduction, exact: &[f64]) -> Vec<f64> {
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
            GRADIENT_ROUNDINGS * U
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

/// Runs one small case.
///
/// # Errors
/// What the backend refuses.
pub(super) fn runs(reduction: Reduction, backend: &dyn Backend) -> Result<(), PairwiseError> {
    Pairs::new(reduction, 0).run(reduction, backend.pairs()).map(drop)
}

/// The shape and the median time of one run on 2,048 rows of 64 columns, directly.
///
/// # Errors
/// What the backend refuses.
pub(super) fn time(
    reduction: Reduction,
    backend: &dyn Backend,
    budget: Duration,
) -> Result<(String, f64), PairwiseError> {
    let rng = ChaCha8Rng::seed_from_u64(0);
    let pairs = Pairs::of(reduction, rng, [2048, 0, 64, 5, 10], 0, Form::Direct);
    // The backend is borrowed, work that is timed owns what it needs: the samples are taken here.
    let mut samples = Vec::new();
    let start = std::time::Instant::now();
    while samples.len() < 3 || start.elapsed() < budget {
        let begin = std::time::Instant::now();
        pairs.run(reduction, backend.pairs())?;
        samples.push(begin.elapsed().as_secs_f64());
    }
    samples.sort_unstable_by(f64::total_cmp);
    Ok(("2048 x 64, 5 classes".into(), samples[samples.len() / 2]))
}
