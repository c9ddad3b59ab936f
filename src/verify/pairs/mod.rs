//! Reductions over all pairs: every function of a pair, in every form that it has, forward and backward.
//!
//! A case has one set of points or two, of 1 to 120 rows and 1 to 90 columns in up to five classes, one of them empty. `bounds` says
//! how far from the reference its numbers may be.

pub(super) mod bounds;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::inputs::Inputs;
use super::report::{CaseName, Report};
use super::{Op, Work};
use crate::backend::Backend;
pub(super) use crate::backend::cpu::{GRADIENT_ROUNDINGS, SUM_ROUNDINGS};
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
        bounds::roundings(self.dim)
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
pub(super) struct Pair {
    pub(super) squared: f64,
    l1: f64,
    norms: [f64; 2],
    product: f64,
}

impl Pair {
    /// Two points of which only the distance counts.
    pub(super) fn at(squared: f64) -> Pair {
        Pair {
            squared,
            l1: 0.0,
            norms: [0.0; 2],
            product: 0.0,
        }
    }

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
        R::ClassesGradient(_) | R::RowsGradient(_) => report.chain(name.op, GRADIENT_ROUNDINGS),
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
}

/// Runs one small case.
///
/// # Errors
/// What the backend refuses.
pub(super) fn runs(reduction: Reduction, backend: &dyn Backend) -> Result<(), PairwiseError> {
    Pairs::new(reduction, 0).run(reduction, backend.pairs()).map(drop)
}

/// 2,048 rows of 64 columns, in words, and what runs on them, directly.
pub(super) fn timed(
    reduction: Reduction,
    backend: &dyn Backend,
) -> (String, impl FnMut() -> Result<(), PairwiseError> + '_) {
    let rng = ChaCha8Rng::seed_from_u64(0);
    let pairs = Pairs::of(reduction, rng, [2048, 0, 64, 5, 10], 0, Form::Direct);
    let run = move || pairs.run(reduction, backend.pairs()).map(drop);
    ("2048 x 64, 5 classes".into(), run)
}
