//! One cloud, looked at by several metrics: what they share is computed once, when the first of them asks.

use std::cell::OnceCell;

use super::class_distance::ClassDistances;
use super::class_summary::ClassSummary;
use super::cloud::{Cloud, center_rows, check_rows};
use super::error::{GeometryError, Need};
use super::generalized_discrimination::half_scores;
use super::linear_cka::{LinearCka, Rows, linear_cka};
use super::mean_discrepancy::bandwidth;
use super::nearest_neighbor::{Margins, margins};
use super::neural_collapse::Classifier;
use super::silhouette::silhouettes;
use super::soft_nearest_neighbor::{Optimum, optimum};
use super::spectrum::SecondMoments;
use crate::backend::pairwise::{
    ClassSums, Form, MOST_NEIGHBORS, Metric, Nearest, PairFunction, Pairwise, PairwiseError, Points,
};

/// Neighbours that count unless told.
///
/// ```
/// use disentangle::backend::Reference;
/// use disentangle::geometry::{Cloud, NEIGHBORS, Settings, Survey};
///
/// // Of 40 rows 30 count as neighbours; of 10 rows all 9 others.
/// for (rows, expected) in [(40, NEIGHBORS), (10, 9)] {
///     let cloud = Cloud::new((0..rows).map(f64::from).collect(), 1, vec![0; rows as usize], 1)?;
///     assert_eq!(Survey::new(&cloud, &Reference, Settings::default()).neighbors()?, expected);
/// }
/// # Ok::<(), disentangle::geometry::GeometryError>(())
/// ```
pub const NEIGHBORS: usize = 30;

/// What metrics may be told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Neighbours of overlap and of the maximum-likelihood dimension; [`NEIGHBORS`], or all others if these are fewer.
    pub neighbors: Option<usize>,
    /// Temperature T of the soft nearest neighbour loss, in the rows' units squared.
    pub temperature: f64,
    /// Share of the variance for the explained-variance dimension.
    pub explained: f64,
    /// How a backend of lower precision computes distances.
    pub form: Form,
    /// Threads of what is not the backend's; no result depends on it.
    pub threads: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            neighbors: None,
            temperature: 1.0,
            explained: 0.9,
            form: Form::Direct,
            threads: 1,
        }
    }
}

/// What is shared, or why it is not to be had.
type Shared<T> = OnceCell<Result<T, GeometryError>>;

/// A cloud and what is known of it. Sums over pairs and neighbours come from a backend, on rows from which their mean has been
/// subtracted in f64: a cloud far from the origin loses nothing in f32. All else is computed in f64.
///
/// What several metrics share, of 0 and 2 against 10 and 12 on a line: moments and neighbours,
///
/// ```
/// use disentangle::backend::Reference;
/// use disentangle::geometry::{Cloud, Settings, Survey};
///
/// let cloud = Cloud::new(vec![0.0, 2.0, 10.0, 12.0], 1, vec![0, 0, 1, 1], 2)?;
/// let survey = Survey::new(&cloud, &Reference, Settings::default());
/// assert_eq!((survey.cloud().len(), survey.settings().temperature), (4, 1.0));
/// assert_eq!(survey.classes()[1].mean, [11.0]);
/// // The mean of all is 6: (36 + 16 + 16 + 36) / 4, along the one axis there is.
/// assert_eq!((survey.moments()?.trace(), survey.variances()?), (26.0, &[26.0][..]));
/// // All three others are neighbours; the margins are (10 - 2) / 2 and (8 - 2) / 2.
/// assert_eq!((survey.neighbors()?, &survey.nearest()?.indices[..3]), (3, &[1, 2, 3][..]));
/// assert_eq!(survey.margins()?.mean(), 3.5);
/// # Ok::<(), disentangle::geometry::GeometryError>(())
/// ```
///
/// sums over pairs,
///
/// ```
/// use disentangle::backend::Reference;
/// use disentangle::geometry::{Cloud, Settings, Survey};
///
/// let cloud = Cloud::new(vec![0.0, 2.0, 10.0, 12.0], 1, vec![0, 0, 1, 1], 2)?;
/// let survey = Survey::new(&cloud, &Reference, Settings::default());
/// // The mean distance of the classes is 10, and 10 / (2 sqrt(26)) in halved z-scores.
/// assert_eq!(survey.distances()?.between(0, 1), 10.0);
/// assert!((survey.score_distances()?.between(0, 1) - 5.0 / 26.0f64.sqrt()).abs() < 1e-12);
/// // The Gaussian kernel, T = 2 * 26, of the two ordered pairs in class 0.
/// assert!((survey.kernels()?.sums[0] - 2.0 * (-4.0f64 / 52.0).exp()).abs() < 1e-12);
/// // The first point is 2 from its class and 11 from the other.
/// assert_eq!(survey.silhouettes()?[0], (11.0 - 2.0) / 11.0);
/// // At T = 1 the most that another class has is e^(-8^2), against e^(-2^2) of the own: next to nothing.
/// assert!(survey.soft_nearest_neighbor_loss()? < 1e-20 && survey.optimum()?.loss < 1e-20);
/// # Ok::<(), disentangle::geometry::GeometryError>(())
/// ```
///
/// and what it may be given beside, a classifier and the same samples halved:
///
/// ```
/// use disentangle::backend::Reference;
/// use disentangle::geometry::{Classifier, Cloud, GeometryError, Need, Rows, Settings, Survey};
///
/// let cloud = Cloud::new(vec![0.0, 2.0, 10.0, 12.0], 1, vec![0, 0, 1, 1], 2)?;
/// let alone = Survey::new(&cloud, &Reference, Settings::default());
/// assert_eq!(alone.classifier(), Err(GeometryError::Needs { what: Need::Weights }));
/// let classifier = Classifier { weight: vec![-1.0, 1.0], bias: Some(vec![6.0, -6.0]) };
/// let halved = Rows { values: &[0.0, 1.0, 5.0, 6.0], cols: 1 };
/// let survey = alone.with_classifier(Some(&classifier)).with_second(Some(halved));
/// assert_eq!(survey.classifier()?.weight, [-1.0, 1.0]);
/// // A scale changes neither neighbours nor the alignment.
/// assert_eq!(survey.nearest_in_second()?.indices, survey.nearest()?.indices);
/// assert!((survey.cka()?.biased - 1.0).abs() < 1e-12);
/// # Ok::<(), GeometryError>(())
/// ```
pub struct Survey<'a> {
    cloud: &'a Cloud,
    pairs: &'a dyn Pairwise,
    settings: Settings,
    classifier: Option<&'a Classifier>,
    second: Option<Rows<'a>>,
    centered: OnceCell<Vec<f64>>,
    classes: OnceCell<Vec<ClassSummary>>,
    moments: Shared<SecondMoments>,
    variances: Shared<Vec<f64>>,
    distances: Shared<ClassDistances>,
    score_distances: Shared<ClassDistances>,
    kernels: Shared<ClassSums>,
    optimum: Shared<Optimum>,
    silhouettes: Shared<Vec<f64>>,
    nearest: Shared<Nearest>,
    margins: Shared<Margins>,
    cka: Shared<LinearCka>,
}

fn shared<T>(cell: &Shared<T>, compute: impl FnOnce() -> Result<T, GeometryError>) -> Result<&T, GeometryError> {
    cell.get_or_init(compute).as_ref().map_err(Clone::clone)
}

fn failed(error: PairwiseError) -> GeometryError {
    GeometryError::Pairs {
        detail: error.to_string(),
    }
}

impl<'a> Survey<'a> {
    /// Of a cloud, with a backend for its pairs.
    pub fn new(cloud: &'a Cloud, pairs: &'a dyn Pairwise, settings: Settings) -> Survey<'a> {
        Survey {
            cloud,
            pairs,
            settings,
            classifier: None,
            second: None,
            centered: OnceCell::new(),
            classes: OnceCell::new(),
            moments: OnceCell::new(),
            variances: OnceCell::new(),
            distances: OnceCell::new(),
            score_distances: OnceCell::new(),
            kernels: OnceCell::new(),
            optimum: OnceCell::new(),
            silhouettes: OnceCell::new(),
            nearest: OnceCell::new(),
            margins: OnceCell::new(),
            cka: OnceCell::new(),
        }
    }

    /// With the classifier that reads the rows.
    #[must_use]
    pub fn with_classifier(mut self, classifier: Option<&'a Classifier>) -> Survey<'a> {
        self.classifier = classifier;
        self
    }

    /// With another representation of the same samples.
    #[must_use]
    pub fn with_second(mut self, second: Option<Rows<'a>>) -> Survey<'a> {
        self.second = second;
        self
    }

    /// The rows and their classes.
    pub fn cloud(&self) -> &Cloud {
        self.cloud
    }

    /// What was told.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The classifier.
    ///
    /// # Errors
    /// [`GeometryError::Needs`] if none was given.
    pub fn classifier(&self) -> Result<&Classifier, GeometryError> {
        self.classifier.ok_or(GeometryError::Needs { what: Need::Weights })
    }

    fn second(&self) -> Result<Rows<'a>, GeometryError> {
        let second = self.second.ok_or(GeometryError::Needs { what: Need::Second })?;
        check_rows("second representation", second.values, self.cloud.len(), second.cols)?;
        Ok(second)
    }

    /// Mean and spread of each class.
    pub fn classes(&self) -> &[ClassSummary] {
        self.classes.get_or_init(|| ClassSummary::of(self.cloud))
    }

    fn centered(&self) -> &[f64] {
        self.centered.get_or_init(|| {
            let mut rows = self.cloud.rows().to_vec();
            center_rows(&mut rows, self.cloud.cols());
            rows
        })
    }

    /// Rows as points with their classes.
    fn points<'s>(&'s self, rows: &'s [f64]) -> Result<Points<'s>, GeometryError> {
        let points = Points::new(rows, self.cloud.cols()).map_err(failed)?;
        points.labels(self.cloud.labels(), self.cloud.classes()).map_err(failed)
    }

    fn class_sums(&self, rows: &[f64], function: PairFunction) -> Result<ClassSums, GeometryError> {
        let points = self.points(rows)?;
        self.pairs
            .class_sums(&points, None, function, self.settings.form)
            .map_err(failed)
    }

    /// Covariance of all rows.
    ///
    /// # Errors
    /// [`GeometryError::TooLarge`]
    pub fn moments(&self) -> Result<&SecondMoments, GeometryError> {
        shared(&self.moments, || SecondMoments::of(self.cloud, self.settings.threads))
    }

    /// Variances along the principal axes, largest first.
    ///
    /// # Errors
    /// Those of [`Survey::moments`]; [`GeometryError::Diverged`]
    pub fn variances(&self) -> Result<&[f64], GeometryError> {
        shared(&self.variances, || self.moments()?.variances()).map(Vec::as_slice)
    }

    /// Mean distances of classes.
    ///
    /// # Errors
    /// [`GeometryError::Pairs`]
    pub fn distances(&self) -> Result<&ClassDistances, GeometryError> {
        shared(&self.distances, || {
            let sums = self.class_sums(self.centered(), PairFunction::Euclidean)?;
            Ok(ClassDistances::new(sums, self.cloud.counts()))
        })
    }

    /// Mean distances of classes of halved z-scores.
    ///
    /// # Errors
    /// [`GeometryError::Pairs`]
    pub fn score_distances(&self) -> Result<&ClassDistances, GeometryError> {
        shared(&self.score_distances, || {
            let scores = half_scores(self.cloud)?;
            let sums = self.class_sums(scores.rows(), PairFunction::Euclidean)?;
            Ok(ClassDistances::new(sums, self.cloud.counts()))
        })
    }

    /// Sums of the Gaussian kernel of the maximum mean discrepancy.
    ///
    /// # Errors
    /// [`GeometryError::Pairs`]
    pub fn kernels(&self) -> Result<&ClassSums, GeometryError> {
        shared(&self.kernels, || {
            let temperature = bandwidth(self.classes());
            // Coincident points: any T gives 1.
            let temperature = if temperature > 0.0 { temperature } else { 1.0 };
            self.class_sums(self.centered(), PairFunction::Gaussian { temperature })
        })
    }

    /// Soft nearest neighbour loss at the temperature that was told.
    ///
    /// # Errors
    /// [`GeometryError::Setting`] for a temperature that is none; [`GeometryError::Pairs`]
    pub fn soft_nearest_neighbor_loss(&self) -> Result<f64, GeometryError> {
        let (temperature, form) = (self.settings.temperature, self.settings.form);
        if !(temperature > 0.0 && temperature.is_finite()) {
            return Err(GeometryError::Setting {
                detail: format!("temperature {temperature}, expected a positive number"),
            });
        }
        let points = self.points(self.centered())?;
        let found = self
            .pairs
            .soft_nearest_neighbor(&points, temperature, form)
            .map_err(failed)?;
        Ok(found.loss.first().copied().unwrap_or(f64::NAN))
    }

    /// The smallest soft nearest neighbour loss over all temperatures.
    ///
    /// # Errors
    /// [`GeometryError::Undefined`] for points that all coincide; [`GeometryError::Pairs`]
    pub fn optimum(&self) -> Result<&Optimum, GeometryError> {
        shared(&self.optimum, || {
            let points = self.points(self.centered())?;
            optimum(bandwidth(self.classes()), |temperature| {
                let found = self
                    .pairs
                    .soft_nearest_neighbor_gradient(&points, temperature, self.settings.form);
                let found = found.map_err(failed)?;
                let first = |values: &[f64]| values.first().copied().unwrap_or(f64::NAN);
                Ok((first(&found.value.loss), first(&found.temperature)))
            })
        })
    }

    /// Silhouette of each row.
    ///
    /// # Errors
    /// [`GeometryError::OneClass`], [`GeometryError::Pairs`]
    pub fn silhouettes(&self) -> Result<&[f64], GeometryError> {
        let silhouettes = shared(&self.silhouettes, || {
            self.cloud.several_classes()?;
            let points = self.points(self.centered())?;
            let sums = self
                .pairs
                .row_class_sums(&points, None, PairFunction::Euclidean, self.settings.form);
            silhouettes(&sums.map_err(failed)?, self.cloud.labels(), self.cloud.counts())
        });
        silhouettes.map(Vec::as_slice)
    }

    /// Neighbours that count.
    ///
    /// # Errors
    /// [`GeometryError::Setting`] for more than there are, more than 64, or none.
    pub fn neighbors(&self) -> Result<usize, GeometryError> {
        let most = MOST_NEIGHBORS.min(self.cloud.len() - 1);
        let asked = self.settings.neighbors.unwrap_or(NEIGHBORS.min(most));
        if (1..=most).contains(&asked) {
            return Ok(asked);
        }
        Err(GeometryError::Setting {
            detail: match most {
                0 => "one row has no neighbours, expected at least 2 rows".into(),
                _ => format!("{asked} neighbours, expected 1 to {most} for {} rows", self.cloud.len()),
            },
        })
    }

    /// The nearest rows of each, at least two where there are, and as many as count.
    ///
    /// # Errors
    /// Those of [`Survey::neighbors`]; [`GeometryError::Pairs`]
    pub fn nearest(&self) -> Result<&Nearest, GeometryError> {
        shared(&self.nearest, || self.nearest_of(self.points(self.centered())?))
    }

    fn nearest_of(&self, points: Points) -> Result<Nearest, GeometryError> {
        let k = self.neighbors()?.max(2).min(self.cloud.len() - 1);
        let found = self
            .pairs
            .nearest(&points, None, Metric::Euclidean, k, self.settings.form);
        found.map_err(failed)
    }

    /// The nearest rows in the second representation.
    ///
    /// # Errors
    /// [`GeometryError::Needs`], and those of [`Survey::nearest`].
    pub fn nearest_in_second(&self) -> Result<Nearest, GeometryError> {
        let second = self.second()?;
        let mut rows = second.values.to_vec();
        center_rows(&mut rows, second.cols);
        self.nearest_of(Points::new(&rows, second.cols).map_err(failed)?)
    }

    /// Hypothesis margin of each row.
    ///
    /// # Errors
    /// [`GeometryError::OneClass`], [`GeometryError::Pairs`]
    pub fn margins(&self) -> Result<&Margins, GeometryError> {
        shared(&self.margins, || {
            margins(self.cloud, self.centered(), self.pairs, self.settings.form)
        })
    }

    /// Linear centred kernel alignment with the second representation.
    ///
    /// # Errors
    /// [`GeometryError::Needs`], and those of [`linear_cka`].
    pub fn cka(&self) -> Result<&LinearCka, GeometryError> {
        shared(&self.cka, || {
            let own = Rows {
                values: self.cloud.rows(),
                cols: self.cloud.cols(),
            };
            linear_cka(own, self.second()?, self.settings.threads)
        })
    }
}
