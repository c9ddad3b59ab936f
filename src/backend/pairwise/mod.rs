//! Reductions over all pairs of points that never store N x N: what a backend must be able to do, and what it means.
//!
//! | | what is reduced | result |
//! |---|---|---|
//! | A | [`Pairwise::class_sums`]: S_ab = sum over i in a, j in b of f(d_ij); [`Pairwise::class_histograms`] | `[R, C, C']` |
//! | B | [`Pairwise::row_class_sums`]: S_ic = sum over j in c of f(d_ij); [`Pairwise::row_class_log_sums`]: log of it | `[R, N, C']` |
//! | C | [`Pairwise::nearest`]: the k nearest points of each | `[R, N, k]` |
//!
//! i runs over `points`, j over `others`, or over `points` again without them; then a pair of a point with itself (the
//! same index) is left out everywhere, and i and j are ordered: S_aa has each pair twice. R is the replica axis: replicas
//! never meet, and one has the same bits alone as beside others. All results are f64.
//!
//! Where f has no derivative (Euclidean distance of coincident points, equal coordinates in L1, the cosine of a zero row)
//! gradients take the subgradient 0. The soft nearest neighbour loss, on B, is in [`soft_nearest_neighbor`].
//!
//! [`crate::backend::Reference`] computes in f64 with plain loops and is the definition; [`crate::backend::Cpu`] computes
//! in the precision of the [`Form`].
//!
//! ```
//! use disentangle::backend::pairwise::{Form, Metric, PairFunction, Pairwise, Points};
//! use disentangle::backend::Reference;
//!
//! // Three points on a line, the last of a class of its own.
//! let points = Points::new(&[0.0f32, 3.0, 10.0][..], 1)?.labels(&[0, 0, 1], 2)?;
//! let sums = Reference.class_sums(&points, None, PairFunction::Euclidean, Form::Direct)?;
//! assert_eq!(sums.sums, [6.0, 17.0, 17.0, 0.0]);
//! assert_eq!(sums.pairs, [2, 2, 2, 0]);
//! let nearest = Reference.nearest(&points, None, Metric::Euclidean, 1, Form::Direct)?;
//! assert_eq!(nearest.indices, [1, 0, 1]);
//! # Ok::<(), disentangle::backend::pairwise::PairwiseError>(())
//! ```
//!
//! What each result holds, of the same points:
//!
//! ```
//! use disentangle::backend::Reference;
//! use disentangle::backend::pairwise::{
//!     Bins, ClassHistograms, ClassSums, Form, Gradients, Metric, Nearest, PairFunction, Pairwise, Points,
//! };
//!
//! let points = Points::new(&[0.0f32, 3.0, 10.0][..], 1)?.labels(&[0, 0, 1], 2)?;
//! let (distance, form) = (PairFunction::Euclidean, Form::Direct);
//! let ClassSums { sums, pairs } = Reference.class_sums(&points, None, distance, form)?;
//! assert_eq!((sums[1], pairs[1]), (10.0 + 7.0, 2));
//! // Bins [0, 5), [5, 10) and beyond, of the class pairs 00, 01, 10 and 11.
//! let bins = Bins { width: 5.0, count: 2 };
//! let ClassHistograms { counts } = Reference.class_histograms(&points, None, bins, form)?;
//! assert_eq!(counts, [2, 0, 0, 0, 1, 1, 0, 1, 1, 0, 0, 0]);
//! // The two distances from class 0 to class 1 grow as its point moves to the right, and shrink as the others do.
//! let weights = [0.0, 1.0, 0.0, 0.0];
//! let Gradients { points: by, others } = Reference.class_sums_gradient(&points, None, distance, form, &weights)?;
//! assert_eq!((by, others), (vec![-1.0, -1.0, 2.0], vec![]));
//! let Nearest { k, distances, indices, labels } = Reference.nearest(&points, None, Metric::Euclidean, 1, form)?;
//! assert_eq!((k, distances, indices, labels), (1, vec![3.0, 3.0, 7.0], vec![1, 0, 1], vec![0, 0, 0]));
//! # Ok::<(), disentangle::backend::pairwise::PairwiseError>(())
//! ```

mod error;
#[cfg(feature = "data")]
mod mapped;
mod points;
pub mod soft_nearest_neighbor;
#[cfg(any(feature = "pairwise", feature = "cuda"))]
mod targets;

pub use error::PairwiseError;
#[cfg(any(feature = "pairwise", feature = "cuda"))]
pub(crate) use points::normalize;
pub use points::{Points, RowSource, Values};
pub use soft_nearest_neighbor::{SoftNearestNeighbor, SoftNearestNeighborGradient};
#[cfg(any(feature = "pairwise", feature = "cuda"))]
pub(crate) use targets::{Target, targets, through_unit_rows, zeros};

/// Most neighbours that [`Pairwise::nearest`] finds.
///
/// ```
/// use disentangle::backend::Reference;
/// use disentangle::backend::pairwise::{Form, MOST_NEIGHBORS, Metric, Pairwise, PairwiseError, Points};
///
/// // 100 points on a line, 1 apart: the first is 64 away from its 64th neighbour. It has 99, but that is too many.
/// let values: Vec<f64> = (0..100).map(f64::from).collect();
/// let points = Points::new(&values, 1)?;
/// let found = Reference.nearest(&points, None, Metric::L1, MOST_NEIGHBORS, Form::Direct)?;
/// assert_eq!(found.distances[MOST_NEIGHBORS - 1], 64.0);
/// let error = Reference.nearest(&points, None, Metric::L1, 99, Form::Direct);
/// assert_eq!(error, Err(PairwiseError::Neighbors { k: 99, most: 64 }));
/// # Ok::<(), PairwiseError>(())
/// ```
pub const MOST_NEIGHBORS: usize = 64;

/// A function of a pair, d the Euclidean distance.
///
/// ```
/// use disentangle::backend::pairwise::{Form, PairFunction, PairwiseError};
///
/// // A temperature is above 0, a number of neighbours has no gradient, and L1 distances are no squares.
/// let (gaussian, within) = (PairFunction::Gaussian { temperature: -1.0 }, PairFunction::Within { radius: 1.0 });
/// let what = "temperature";
/// assert_eq!(gaussian.check(Form::Direct), Err(PairwiseError::Parameter { what, found: -1.0 }));
/// let function = within.name();
/// assert_eq!(function, "number within a radius");
/// assert_eq!(within.check(Form::Direct), Ok(()));
/// assert_eq!(within.check_gradient(Form::Direct), Err(PairwiseError::NoDerivative { function }));
/// let error = PairwiseError::Form { form: "centered", function: "L1 distance" };
/// assert_eq!(PairFunction::L1.check(Form::Centered), Err(error));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PairFunction {
    /// d^2
    SquaredEuclidean,
    /// d
    Euclidean,
    /// 1 - cos(x, y) = |x/|x| - y/|y||^2 / 2. A zero row is at distance 1 from every other row and 0 from a zero row.
    Cosine,
    /// sum_k |x_k - y_k|
    L1,
    /// e^(-d^2 / temperature)
    Gaussian {
        /// In units of squared distance.
        temperature: f64,
    },
    /// 1 if d < radius, else 0.
    Within {
        /// In units of distance.
        radius: f64,
    },
}

impl PairFunction {
    /// For messages.
    pub fn name(self) -> &'static str {
        match self {
            PairFunction::SquaredEuclidean => "squared Euclidean distance",
            PairFunction::Euclidean => "Euclidean distance",
            PairFunction::Cosine => "cosine distance",
            PairFunction::L1 => "L1 distance",
            PairFunction::Gaussian { .. } => "Gaussian kernel",
            PairFunction::Within { .. } => "number within a radius",
        }
    }

    /// By what sums are multiplied where squared distances of unit vectors stand for the cosine distance.
    #[cfg(any(feature = "pairwise", feature = "cuda"))]
    pub(crate) fn factor(self) -> f64 {
        if self == PairFunction::Cosine { 0.5 } else { 1.0 }
    }

    /// Checks the function's parameter and that it has the form.
    ///
    /// # Errors
    /// [`PairwiseError::Parameter`], [`PairwiseError::Form`].
    pub fn check(self, form: Form) -> Result<(), PairwiseError> {
        match self {
            PairFunction::Gaussian { temperature } => positive("temperature", temperature)?,
            PairFunction::Within { radius } => positive("radius", radius)?,
            PairFunction::L1 if form == Form::Centered => {
                return Err(PairwiseError::Form {
                    form: form.name(),
                    function: self.name(),
                });
            }
            _ => {}
        }
        Ok(())
    }

    /// As [`PairFunction::check`], for a gradient.
    ///
    /// # Errors
    /// [`PairwiseError::NoDerivative`] too.
    pub fn check_gradient(self, form: Form) -> Result<(), PairwiseError> {
        match self {
            PairFunction::Within { .. } => Err(PairwiseError::NoDerivative { function: self.name() }),
            _ => self.check(form),
        }
    }
}

/// What is nearest.
///
/// ```
/// use disentangle::backend::pairwise::{Metric, PairFunction};
///
/// assert_eq!(Metric::Cosine.function(), PairFunction::Cosine);
/// // Not squared.
/// assert_eq!(Metric::Euclidean.function(), PairFunction::Euclidean);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// By Euclidean distance.
    Euclidean,
    /// By [`PairFunction::Cosine`].
    Cosine,
    /// By [`PairFunction::L1`].
    L1,
}

impl Metric {
    /// The distance as a function of a pair.
    pub fn function(self) -> PairFunction {
        match self {
            Metric::Euclidean => PairFunction::Euclidean,
            Metric::Cosine => PairFunction::Cosine,
            Metric::L1 => PairFunction::L1,
        }
    }
}

/// How a backend of lower precision computes d^2. It is never chosen by size.
///
/// ```
/// use disentangle::backend::pairwise::Form;
///
/// assert_eq!([Form::Direct, Form::Centered, Form::F64].map(|form| form.name()), ["direct", "centered", "f64"]);
/// assert_eq!(Form::default(), Form::Direct);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// sum_k (x_k - y_k)^2 in the backend's precision: relative error about d u, whatever the position of the points.
    #[default]
    Direct,
    /// |x|^2 + |y|^2 - 2 x.y of points from which their mean has been subtracted: about twice as fast in many
    /// dimensions, with an absolute error of at most (min(d, 128) + d / 128 + 16) u (|x|^2 + |y|^2), u = 2^-24. So it is
    /// no form for clusters much tighter than the cloud, nor for gradients of the Euclidean distance of points that
    /// (nearly) coincide. Neighbours that the error could exchange are computed anew.
    Centered,
    /// Direct, in f64 throughout.
    F64,
}

impl Form {
    /// `direct`, `centered`, `f64`.
    pub fn name(self) -> &'static str {
        match self {
            Form::Direct => "direct",
            Form::Centered => "centered",
            Form::F64 => "f64",
        }
    }

    /// The largest number of the precision in which such a backend computes distances.
    #[cfg(any(feature = "pairwise", feature = "cuda"))]
    pub(crate) fn largest(self) -> f64 {
        match self {
            Form::Direct | Form::Centered => f64::from(f32::MAX),
            Form::F64 => f64::MAX,
        }
    }
}

/// Sums per class pair.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassSums {
    /// `[R, C, C']`
    pub sums: Vec<f64>,
    /// Pairs in each sum, `[R, C, C']`: n_a n_b, and n_a (n_a - 1) within a class of one set.
    pub pairs: Vec<u64>,
}

/// Equal bins of Euclidean distance: bin b holds [b width, (b + 1) width), and one more bin all that is beyond.
///
/// ```
/// use disentangle::backend::pairwise::{Bins, PairwiseError};
///
/// // From 0 to 10, and beyond; no bins at all, or bins of no width, hold nothing.
/// assert_eq!(Bins { width: 2.5, count: 4 }.check(), Ok(()));
/// assert_eq!(Bins { width: 2.5, count: 0 }.check(), Err(PairwiseError::Empty { what: "bins" }));
/// let error = PairwiseError::Parameter { what: "bin width", found: 0.0 };
/// assert_eq!(Bins { width: 0.0, count: 4 }.check(), Err(error));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bins {
    /// In units of distance.
    pub width: f64,
    /// Bins without the last, 1 to 65,536.
    pub count: usize,
}

impl Bins {
    /// Refuses a width that is not positive and finite, and a number of bins that is not among those above.
    ///
    /// # Errors
    /// [`PairwiseError::Parameter`], [`PairwiseError::Empty`], [`PairwiseError::Length`] for too many.
    pub fn check(self) -> Result<(), PairwiseError> {
        positive("bin width", self.width)?;
        match self.count {
            0 => Err(PairwiseError::Empty { what: "bins" }),
            1..=65_536 => Ok(()),
            found => Err(PairwiseError::Length {
                what: "bins",
                found,
                expected: 65_536,
            }),
        }
    }
}

/// Histograms of distance per class pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassHistograms {
    /// `[R, C, C', bins + 1]`
    pub counts: Vec<u64>,
}

/// Gradients by the points.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// `[R, N, d]`
    pub points: Vec<f64>,
    /// `[R, N', d]`, empty without a second set.
    pub others: Vec<f64>,
}

/// The k nearest of each row, nearest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Nearest {
    /// Per row.
    pub k: usize,
    /// `[R, N, k]`, in the metric's own unit (Euclidean: not squared).
    pub distances: Vec<f64>,
    /// `[R, N, k]`: rows of the other set (or of the same).
    pub indices: Vec<u32>,
    /// `[R, N, k]`: their classes.
    pub labels: Vec<u32>,
}

/// The three reductions. Every function checks all its input first: [`PairwiseError`] for points that are not finite or
/// so large that squared distances overflow, parameters out of range, sets that do not fit.
///
/// A and C, from one set to another, where no pair is left out:
///
/// ```
/// use disentangle::backend::Reference;
/// use disentangle::backend::pairwise::{Bins, Form, Metric, PairFunction, Pairwise, Points};
///
/// let (points, others) = (Points::new(&[0.0, 1.0][..], 1)?, Points::new(&[1.0, 5.0][..], 1)?);
/// let (others, squared, form) = (Some(&others), PairFunction::SquaredEuclidean, Form::Direct);
/// assert_eq!(Reference.class_sums(&points, others, squared, form)?.sums, [1.0 + 25.0 + 0.0 + 16.0]);
/// // 2 (x_i - y_j), summed over j and, with the other sign, over i.
/// let slopes = Reference.class_sums_gradient(&points, others, squared, form, &[1.0])?;
/// assert_eq!((slopes.points, slopes.others), (vec![-2.0 - 10.0, 0.0 - 8.0], vec![2.0 + 0.0, 10.0 + 8.0]));
/// // Two distances below 2, two not.
/// let bins = Bins { width: 2.0, count: 1 };
/// assert_eq!(Reference.class_histograms(&points, others, bins, form)?.counts, [2, 2]);
/// let nearest = Reference.nearest(&points, others, Metric::Euclidean, 1, form)?;
/// assert_eq!((nearest.distances, nearest.indices), (vec![1.0, 0.0], vec![0, 0]));
/// # Ok::<(), disentangle::backend::pairwise::PairwiseError>(())
/// ```
///
/// B, within one set, where a point and itself are no pair:
///
/// ```
/// use disentangle::backend::Reference;
/// use disentangle::backend::pairwise::{Form, PairFunction, Pairwise, Points};
///
/// let points = Points::new(&[0.0, 1.0, 5.0][..], 1)?.labels(&[0, 0, 1], 2)?;
/// let (distance, form) = (PairFunction::Euclidean, Form::Direct);
/// // A row for each point: to class 0, to class 1.
/// assert_eq!(Reference.row_class_sums(&points, None, distance, form)?, [1.0, 5.0, 1.0, 4.0, 5.0 + 4.0, 0.0]);
/// // The third point's distances to class 0 grow as it moves to the right, and shrink as the others do.
/// let weights = [0.0, 0.0, 0.0, 0.0, 1.0, 0.0];
/// let slopes = Reference.row_class_sums_gradient(&points, None, distance, form, &weights)?;
/// assert_eq!(slopes.points, [-1.0, -1.0, 2.0]);
/// # Ok::<(), disentangle::backend::pairwise::PairwiseError>(())
/// ```
///
/// B in logarithms, and the loss on it, of two points of a class with one of another class between them:
///
/// ```
/// use disentangle::backend::Reference;
/// use disentangle::backend::pairwise::{Form, Pairwise, Points};
///
/// let points = Points::new(&[0.0, 1.0, 2.0][..], 1)?.labels(&[0, 1, 0], 2)?;
/// let (temperature, form) = (1e-3, Form::Direct);
/// // log e^(-d^2 / T) = -d^2 / T, also where the power is 0 in f64; the middle point has no other of its class.
/// let logs = Reference.row_class_log_sums(&points, None, temperature, form)?;
/// let expected = [-4000.0, -1000.0, 2f64.ln() - 1000.0, f64::NEG_INFINITY, -4000.0, -1000.0];
/// assert!(logs.iter().zip(expected).all(|(&l, e)| l == e || (l - e).abs() < 1e-9));
/// // d(-(x_0 - x_2)^2 / T)/dx_0 = -2 (x_0 - x_2) / T
/// let weights = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
/// let slopes = Reference.row_class_log_sums_gradient(&points, None, temperature, form, &weights)?;
/// assert!((slopes.points[0] - 4000.0).abs() < 1e-9 && (slopes.points[2] + 4000.0).abs() < 1e-9);
/// // l_0 = log(e^-4000 + e^-1000) + 4000, and the same of the last point.
/// let loss = Reference.soft_nearest_neighbor(&points, temperature, form)?;
/// assert!((loss.loss[0] - 3000.0).abs() < 1e-9 && loss.counted == [2]);
/// let slopes = Reference.soft_nearest_neighbor_gradient(&points, temperature, form)?;
/// assert_eq!(slopes.value, loss);
/// // e^-4000 is nothing beside e^-1000, so the loss is 3 / T and its slope -3 / T^2.
/// assert!((slopes.temperature[0] * temperature * temperature + 3.0).abs() < 1e-9);
/// # Ok::<(), disentangle::backend::pairwise::PairwiseError>(())
/// ```
///
/// # Errors
/// Of every function: [`PairwiseError`].
pub trait Pairwise {
    /// A: S_ab = sum_{i in a, j in b} f(d_ij), `[R, C, C']`.
    fn class_sums(
        &self,
        points: &Points,
        others: Option<&Points>,
        function: PairFunction,
        form: Form,
    ) -> Result<ClassSums, PairwiseError>;

    /// The gradient of sum_ab weights_ab S_ab, weights `[R, C, C']`.
    fn class_sums_gradient(
        &self,
        points: &Points,
        others: Option<&Points>,
        function: PairFunction,
        form: Form,
        weights: &[f64],
    ) -> Result<Gradients, PairwiseError>;

    /// A with a histogram of Euclidean distance for f.
    fn class_histograms(
        &self,
        points: &Points,
        others: Option<&Points>,
        bins: Bins,
        form: Form,
    ) -> Result<ClassHistograms, PairwiseError>;

    /// B: S_ic = sum_{j in c} f(d_ij), `[R, N, C']`.
    fn row_class_sums(
        &self,
        points: &Points,
        others: Option<&Points>,
        function: PairFunction,
        form: Form,
    ) -> Result<Vec<f64>, PairwiseError>;

    /// The gradient of sum_ic weights_ic S_ic, weights `[R, N, C']`.
    fn row_class_sums_gradient(
        &self,
        points: &Points,
        others: Option<&Points>,
        function: PairFunction,
        form: Form,
        weights: &[f64],
    ) -> Result<Gradients, PairwiseError>;

    /// B of the Gaussian kernel in logarithms: L_ic = log sum_{j in c} e^(-d_ij^2 / temperature), `[R, N, C']`. It
    /// underflows nowhere; where there is no pair it is minus infinity.
    fn row_class_log_sums(
        &self,
        points: &Points,
        others: Option<&Points>,
        temperature: f64,
        form: Form,
    ) -> Result<Vec<f64>, PairwiseError>;

    /// The gradient of sum_ic weights_ic L_ic, weights `[R, N, C']`; those of sums without a pair do not count.
    fn row_class_log_sums_gradient(
        &self,
        points: &Points,
        others: Option<&Points>,
        temperature: f64,
        form: Form,
        weights: &[f64],
    ) -> Result<Gradients, PairwiseError>;

    /// C: the k nearest of each row, 1 <= k <= 64 and no more than there are others. Ties go to the lowest index. In every form
    /// neighbours and distances are those of exact differences in f64.
    fn nearest(
        &self,
        points: &Points,
        others: Option<&Points>,
        metric: Metric,
        k: usize,
        form: Form,
    ) -> Result<Nearest, PairwiseError>;

    /// The soft nearest neighbour loss of one set: formula in [`soft_nearest_neighbor`].
    fn soft_nearest_neighbor(
        &self,
        points: &Points,
        temperature: f64,
        form: Form,
    ) -> Result<SoftNearestNeighbor, PairwiseError>;

    /// The loss and its gradients by the points and by the temperature.
    fn soft_nearest_neighbor_gradient(
        &self,
        points: &Points,
        temperature: f64,
        form: Form,
    ) -> Result<SoftNearestNeighborGradient, PairwiseError>;
}

/// What every reduction checks about its sets; `largest` is the largest number of the precision in use.
///
/// # Errors
/// [`PairwiseError::Mismatch`], and those of [`Points::check`].
pub(crate) fn check_sets(points: &Points, others: Option<&Points>, largest: f64) -> Result<(), PairwiseError> {
    points.check(largest)?;
    if let Some(others) = others {
        let key = |p: &Points| (p.replica_count(), p.dim());
        if key(points) != key(others) {
            return Err(PairwiseError::Mismatch {
                first: key(points),
                second: key(others),
            });
        }
        others.check(largest)?;
    }
    Ok(())
}

/// Checks the weights of a gradient.
///
/// # Errors
/// [`PairwiseError::Length`], [`PairwiseError::Parameter`] for one that is not finite.
pub(crate) fn check_weights(weights: &[f64], expected: usize) -> Result<(), PairwiseError> {
    if weights.len() != expected {
        return Err(PairwiseError::Length {
            what: "weights of the gradient",
            found: weights.len(),
            expected,
        });
    }
    match weights.iter().find(|w| !w.is_finite()) {
        Some(&found) => Err(PairwiseError::Parameter {
            what: "weight of the gradient",
            found,
        }),
        None => Ok(()),
    }
}

/// Checks the number of neighbours.
///
/// # Errors
/// [`PairwiseError::Neighbors`].
pub(crate) fn check_neighbors(points: &Points, others: Option<&Points>, k: usize) -> Result<(), PairwiseError> {
    let most = others.map_or(points.rows() - 1, Points::rows).min(MOST_NEIGHBORS);
    if (1..=most).contains(&k) {
        Ok(())
    } else {
        Err(PairwiseError::Neighbors { k, most })
    }
}

/// Pairs per class pair, `[R, C, C']`.
pub(crate) fn class_pairs(points: &Points, others: Option<&Points>) -> Vec<u64> {
    let mut pairs = Vec::new();
    for replica in 0..points.replica_count() {
        let first = points.class_sizes(replica);
        let second = others.map_or_else(|| first.clone(), |o| o.class_sizes(replica));
        for (a, &n) in first.iter().enumerate() {
            for (b, &m) in second.iter().enumerate() {
                let m = if others.is_none() && a == b {
                    m.saturating_sub(1)
                } else {
                    m
                };
                pairs.push(n as u64 * m as u64);
            }
        }
    }
    pairs
}

fn positive(what: &'static str, found: f64) -> Result<(), PairwiseError> {
    if found.is_finite() && found > 0.0 {
        Ok(())
    } else {
        Err(PairwiseError::Parameter { what, found })
    }
}

/// To what was summed or counted while each pair of one set was visited once, `[C, C, each]`, adds the other order of its classes.
#[cfg(any(feature = "pairwise", feature = "cuda"))]
pub(crate) fn add_other_order<T: Copy + std::ops::AddAssign>(numbers: &mut [T], classes: usize, each: usize) {
    let once = numbers.to_vec();
    for (n, number) in numbers.iter_mut().enumerate() {
        let (pair, place) = (n / each, n % each);
        *number += once[(pair % classes * classes + pair / classes) * each + place];
    }
}
