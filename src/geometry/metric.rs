//! The list of metrics: every name that a command, a table or an experiment may ask for, and how its values are found.
//!
//! To add one: its page in this room, a row here.

use std::thread;

use super::calinski_harabasz::calinski_harabasz;
use super::centroid_distance::centroid_distance_of;
use super::class_separation::class_separation;
use super::davies_bouldin::davies_bouldin;
use super::energy_distance::energy_distance;
use super::error::{GeometryError, Need};
use super::explained_variance::explained_variance_dimension;
use super::fisher_ratio::fisher_ratio;
use super::generalized_discrimination::generalized_discrimination;
use super::linear_separability::linear_separability;
use super::maximum_likelihood_dimension::maximum_likelihood_dimension;
use super::mean_discrepancy::mean_discrepancy;
use super::nearest_neighbor::nearest_neighbor_error;
use super::neighborhood_overlap::{data_overlap, label_overlap};
use super::neural_collapse::{nearest_mean_mismatch, self_duality, simplex, variability_collapse};
use super::participation_ratio::participation_ratio;
use super::survey::Survey;
use super::two_nn::two_nn_dimension;

/// What a metric's values are.
///
/// ```
/// use disentangle::geometry::Arity;
///
/// let classes = ["cat", "dog", "owl"].map(String::from);
/// assert_eq!(Arity::PerClass.keys(&classes), classes);
/// assert_eq!(Arity::PerPair.keys(&classes), ["cat_dog", "cat_owl", "dog_owl"]);
/// // With the pairs of a class and itself: 3 more.
/// assert_eq!(Arity::PerPairAndClass.keys(&classes).len(), 6);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// One number.
    One,
    /// One per class.
    PerClass,
    /// One per pair of classes a < b: 0 1, 0 2, ..., 1 2, ...
    PerPair,
    /// One per pair of classes a <= b.
    PerPairAndClass,
    /// Numbers with names of their own.
    Named(&'static [&'static str]),
}

impl Arity {
    /// The key of each value beside the metric's name, empty for [`Arity::One`]; a pair of classes is joined by `_`.
    pub fn keys(self, classes: &[String]) -> Vec<String> {
        match self {
            Arity::One => vec![String::new()],
            Arity::PerClass => classes.to_vec(),
            Arity::PerPair => pairs(classes.len(), 1)
                .map(|(a, b)| format!("{}_{}", classes[a], classes[b]))
                .collect(),
            Arity::PerPairAndClass => pairs(classes.len(), 0)
                .map(|(a, b)| format!("{}_{}", classes[a], classes[b]))
                .collect(),
            Arity::Named(names) => names.iter().map(ToString::to_string).collect(),
        }
    }
}

fn pairs(classes: usize, apart: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..classes).flat_map(move |a| (a + apart..classes).map(move |b| (a, b)))
}

/// A metric of labelled rows.
///
/// ```
/// use disentangle::backend::Reference;
/// use disentangle::geometry::{Arity, Cloud, GeometryError, Metric, Settings, Survey, metric::named};
///
/// // On a line: 0 and 2 around 1, 10 and 14 around 12.
/// let cloud = Cloud::new(vec![0.0, 2.0, 10.0, 14.0], 1, vec![0, 0, 1, 1], 2)?;
/// let survey = Survey::new(&cloud, &Reference, Settings::default());
/// let radius: &Metric = named("gyration-radius")?;
/// assert_eq!(radius.arity, Arity::PerClass);
/// assert_eq!(radius.columns(&["even".into(), "odd".into()]), ["gyration_radius_even", "gyration_radius_odd"]);
/// assert_eq!(radius.of(&survey)?, [1.0, 2.0]);
/// # Ok::<(), GeometryError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name, in kebab case.
    pub name: &'static str,
    /// What it is, for lists.
    pub about: &'static str,
    /// Its values.
    pub arity: Arity,
    /// What it takes beside labelled rows.
    pub needs: Option<Need>,
    compute: fn(&Survey) -> Result<Vec<f64>, GeometryError>,
}

impl Metric {
    /// Its values, in the order of [`Arity::keys`].
    ///
    /// # Errors
    /// Whatever the metric's page says.
    pub fn of(&self, survey: &Survey) -> Result<Vec<f64>, GeometryError> {
        (self.compute)(survey)
    }

    /// Names of its values in a table: `silhouette`, `gyration_radius_0`, `nc2_angles`.
    pub fn columns(&self, classes: &[String]) -> Vec<String> {
        let name = self.name.replace('-', "_");
        let of = |key: String| {
            if key.is_empty() {
                name.clone()
            } else {
                format!("{name}_{key}")
            }
        };
        self.arity.keys(classes).into_iter().map(of).collect()
    }
}

/// The metric of that name.
///
/// ```
/// use disentangle::geometry::metric::named;
///
/// assert_eq!(named("nc1")?.about, "neural collapse: variability within classes");
/// // The message goes on with every name there is.
/// let line = named("nc5").map(|_| ()).map_err(|error| error.to_string());
/// assert!(line.is_err_and(|line| line.starts_with("no metric 'nc5', expected all or some of gyration-radius, ")));
/// # Ok::<(), disentangle::geometry::GeometryError>(())
/// ```
///
/// # Errors
/// [`GeometryError::Unknown`]
pub fn named(name: &str) -> Result<&'static Metric, GeometryError> {
    let found = METRICS.iter().find(|metric| metric.name == name);
    found.ok_or_else(|| GeometryError::Unknown { found: name.into() })
}

/// The metrics of a list: names separated by commas, or `all`. In the order of [`METRICS`], each once.
///
/// ```
/// use disentangle::geometry::metric::{METRICS, listed};
///
/// // The order is that of the table, whatever was asked for first or twice.
/// let names: Vec<&str> = listed("nc1, fisher-ratio,nc1")?.iter().map(|metric| metric.name).collect();
/// assert_eq!(names, ["fisher-ratio", "nc1"]);
/// assert_eq!(listed("all")?.len(), METRICS.len());
/// # Ok::<(), disentangle::geometry::GeometryError>(())
/// ```
///
/// # Errors
/// [`GeometryError::Unknown`]
pub fn listed(list: &str) -> Result<Vec<&'static Metric>, GeometryError> {
    if list.trim() == "all" {
        return Ok(METRICS.iter().collect());
    }
    let asked = list
        .split(',')
        .map(|name| named(name.trim()))
        .collect::<Result<Vec<_>, _>>()?;
    let is_asked = |metric: &&Metric| asked.iter().any(|other| other.name == metric.name);
    Ok(METRICS.iter().filter(is_asked).collect())
}

/// One value.
fn one(value: f64) -> Result<Vec<f64>, GeometryError> {
    Ok(vec![value])
}

/// A value per pair of classes; one class has none.
fn per_pair(
    survey: &Survey,
    value: impl Fn(usize, usize) -> Result<f64, GeometryError>,
) -> Result<Vec<f64>, GeometryError> {
    survey.cloud().several_classes()?;
    pairs(survey.cloud().classes(), 1).map(|(a, b)| value(a, b)).collect()
}

/// As [`per_pair`], where each value takes long: shared by threads, and the same for any number of them.
fn per_pair_in_parallel(survey: &Survey) -> Result<Vec<f64>, GeometryError> {
    let cloud = survey.cloud();
    cloud.several_classes()?;
    let all: Vec<(usize, usize)> = pairs(cloud.classes(), 1).collect();
    let mut values: Vec<Result<f64, GeometryError>> = all.iter().map(|_| Ok(f64::NAN)).collect();
    let each = all.len().div_ceil(survey.settings().threads.max(1));
    thread::scope(|scope| {
        for (part, results) in all.chunks(each).zip(values.chunks_mut(each)) {
            scope.spawn(move || {
                for (&(a, b), result) in part.iter().zip(results) {
                    *result = linear_separability(cloud, a, b);
                }
            });
        }
    });
    values.into_iter().collect()
}

macro_rules! metric {
    ($name:literal, $about:literal, $arity:expr, $compute:expr) => {
        metric!($name, $about, $arity, None, $compute)
    };
    ($name:literal, $about:literal, $arity:expr, $needs:expr, $compute:expr) => {
        Metric {
            name: $name,
            about: $about,
            arity: $arity,
            needs: $needs,
            compute: $compute,
        }
    };
}

/// Every metric.
///
/// ```
/// use disentangle::geometry::{METRICS, Need};
///
/// // Those that compare with another representation of the same samples.
/// let of_two = METRICS.iter().filter(|metric| metric.needs == Some(Need::Second));
/// let names: Vec<&str> = of_two.map(|metric| metric.name).collect();
/// assert_eq!(names, ["data-overlap", "linear-cka", "linear-cka-unbiased"]);
/// ```
pub const METRICS: &[Metric] = &[
    metric!(
        "gyration-radius",
        "root mean square distance of a class from its mean",
        Arity::PerClass,
        |s| { Ok(s.classes().iter().map(|class| class.variance.sqrt()).collect()) }
    ),
    metric!(
        "centroid-distance",
        "distance of the means of two classes",
        Arity::PerPair,
        |s| { per_pair(s, |a, b| Ok(centroid_distance_of(&s.classes()[a], &s.classes()[b]))) }
    ),
    metric!(
        "class-distance",
        "mean distance of members of two classes, or of one",
        Arity::PerPairAndClass,
        |s| {
            let distances = s.distances()?;
            let value = |(a, b)| {
                if a == b {
                    distances.within(a).unwrap_or(f64::NAN)
                } else {
                    distances.between(a, b)
                }
            };
            Ok(pairs(distances.classes(), 0).map(value).collect())
        }
    ),
    metric!(
        "energy-distance",
        "energy distance of two classes",
        Arity::PerPair,
        |s| { per_pair(s, |a, b| Ok(energy_distance(s.distances()?, a, b))) }
    ),
    metric!(
        "mmd",
        "squared maximum mean discrepancy of two classes, unbiased",
        Arity::PerPair,
        |s| { per_pair(s, |a, b| mean_discrepancy(s.kernels()?, s.cloud().counts(), a, b)) }
    ),
    metric!(
        "soft-nearest-neighbor-loss",
        "entanglement of classes at a temperature",
        Arity::One,
        |s| { one(s.soft_nearest_neighbor_loss()?) }
    ),
    metric!(
        "soft-nearest-neighbor-optimum",
        "the smallest such loss, and its temperature",
        Arity::Named(&["loss", "temperature"]),
        |s| s.optimum().map(|best| vec![best.loss, best.temperature])
    ),
    metric!(
        "generalized-discrimination-value",
        "distances within against between, standardised",
        Arity::One,
        |s| {
            s.cloud().several_classes()?;
            one(generalized_discrimination(s.score_distances()?, s.cloud().cols())?)
        }
    ),
    metric!("silhouette", "mean silhouette", Arity::One, |s| {
        let all = s.silhouettes()?;
        one(all.iter().sum::<f64>() / all.len() as f64)
    }),
    metric!(
        "class-separation",
        "share of the spread of directions that is between classes (R2)",
        Arity::One,
        |s| { one(class_separation(s.cloud())?) }
    ),
    metric!(
        "fisher-ratio",
        "scatter between classes over scatter within",
        Arity::One,
        |s| { one(fisher_ratio(s.classes())?) }
    ),
    metric!("calinski-harabasz", "the same by degrees of freedom", Arity::One, |s| {
        one(calinski_harabasz(s.classes())?)
    }),
    metric!(
        "davies-bouldin",
        "widths over distance, of each class and its worst neighbour",
        Arity::One,
        |s| { one(davies_bouldin(s.cloud(), s.classes())?) }
    ),
    metric!("nc1", "neural collapse: variability within classes", Arity::One, |s| {
        one(variability_collapse(s.cloud(), s.classes())?)
    }),
    metric!(
        "nc2",
        "neural collapse: means form a simplex",
        Arity::Named(&["norms", "angles"]),
        |s| { Ok(simplex(s.classes())?.to_vec()) }
    ),
    metric!(
        "nc3",
        "neural collapse: classifier and means agree",
        Arity::One,
        Some(Need::Weights),
        |s| { one(self_duality(s.cloud(), s.classes(), s.classifier()?)?) }
    ),
    metric!(
        "nc4",
        "neural collapse: classifier and nearest mean disagree",
        Arity::One,
        Some(Need::Weights),
        |s| { one(nearest_mean_mismatch(s.cloud(), s.classes(), s.classifier()?)?) }
    ),
    metric!(
        "participation-ratio",
        "directions over which the variance is spread",
        Arity::One,
        |s| { one(participation_ratio(s.moments()?)) }
    ),
    metric!(
        "explained-variance-dimension",
        "principal axes that hold a share of the variance",
        Arity::One,
        |s| { one(explained_variance_dimension(s.variances()?, s.settings().explained)?) }
    ),
    metric!(
        "two-nn-dimension",
        "intrinsic dimension by two neighbours",
        Arity::One,
        |s| {
            let nearest = s.nearest()?;
            if nearest.k < 2 {
                return Err(GeometryError::Rows {
                    found: s.cloud().len(),
                    expected: 3,
                });
            }
            one(two_nn_dimension(&nearest.distances, nearest.k)?)
        }
    ),
    metric!(
        "maximum-likelihood-dimension",
        "intrinsic dimension by k neighbours",
        Arity::One,
        |s| {
            let nearest = s.nearest()?;
            one(maximum_likelihood_dimension(
                &nearest.distances,
                nearest.k,
                s.neighbors()?,
            )?)
        }
    ),
    metric!(
        "neighborhood-overlap",
        "share of k neighbours that are of the class",
        Arity::One,
        |s| {
            let nearest = s.nearest()?;
            one(label_overlap(
                &nearest.labels,
                nearest.k,
                s.neighbors()?,
                s.cloud().labels(),
            ))
        }
    ),
    metric!(
        "data-overlap",
        "share of k neighbours that are the same in --second",
        Arity::One,
        Some(Need::Second),
        |s| {
            let second = s.nearest_in_second()?;
            one(data_overlap(
                &s.nearest()?.indices,
                &second.indices,
                second.k,
                s.neighbors()?,
            ))
        }
    ),
    metric!(
        "nearest-neighbor-error",
        "error of the nearest neighbour, leaving one out",
        Arity::One,
        |s| {
            let nearest = s.nearest()?;
            one(nearest_neighbor_error(&nearest.labels, nearest.k, s.cloud().labels()))
        }
    ),
    metric!(
        "nearest-neighbor-margin",
        "mean hypothesis margin of the nearest neighbour",
        Arity::One,
        |s| { one(s.margins()?.mean()) }
    ),
    metric!(
        "linear-cka",
        "linear centred kernel alignment with --second",
        Arity::One,
        Some(Need::Second),
        |s| { one(s.cka()?.biased) }
    ),
    metric!(
        "linear-cka-unbiased",
        "the same, unbiased",
        Arity::One,
        Some(Need::Second),
        |s| { one(s.cka()?.unbiased) }
    ),
    metric!(
        "linear-separability",
        "gap between the hulls of two classes, 0 if they meet",
        Arity::PerPair,
        |s| { per_pair_in_parallel(s) }
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Reference;
    use crate::data::synthetic::gaussian_classes;
    use crate::geometry::{Classifier, Cloud, Rows, Settings};

    #[test]
    fn every_metric_gives_as_many_numbers_as_it_says() {
        let (rows, labels) = gaussian_classes(5, 3, 12, 4, 3.0);
        let cloud = Cloud::new(rows.clone(), 4, labels, 3).unwrap();
        let classifier = Classifier {
            weight: rows[..12].to_vec(),
            bias: None,
        };
        let names = ["0", "1", "2"].map(String::from);
        for threads in [1, 3] {
            let settings = Settings {
                threads,
                ..Settings::default()
            };
            let survey = Survey::new(&cloud, &Reference, settings)
                .with_classifier(Some(&classifier))
                .with_second(Some(Rows {
                    values: &rows[..36],
                    cols: 1,
                }));
            for metric in METRICS {
                let values = metric.of(&survey).unwrap();
                assert_eq!(values.len(), metric.arity.keys(&names).len(), "{}", metric.name);
                assert!(values.iter().all(|v| v.is_finite()), "{}: {values:?}", metric.name);
            }
        }
        let bare = Survey::new(&cloud, &Reference, Settings::default());
        for metric in METRICS {
            match (metric.needs, metric.of(&bare)) {
                (None, result) => assert!(result.is_ok(), "{}", metric.name),
                (Some(what), result) => assert_eq!(result, Err(GeometryError::Needs { what }), "{}", metric.name),
            }
        }
    }

    #[test]
    fn one_row_or_one_class_is_a_value_or_an_error_and_never_a_panic() {
        for (rows, cols, labels, classes) in [
            (vec![1.0, 2.0], 2, vec![0], 1),
            (vec![1.0, 2.0], 1, vec![0, 0], 1),
            (vec![1.0, 2.0], 1, vec![0, 1], 2),
            (vec![0.0; 9], 3, vec![0, 1, 1], 2),
            (vec![0.0, 0.0, 1.0, 1.0, 2.0], 1, vec![0, 1, 0, 1, 1], 2),
        ] {
            let n = labels.len();
            let cloud = Cloud::new(rows, cols, labels, classes).unwrap();
            let second = vec![1.0; n];
            let classifier = Classifier {
                weight: vec![1.0; classes * cols],
                bias: None,
            };
            let survey = Survey::new(&cloud, &Reference, Settings::default())
                .with_classifier(Some(&classifier))
                .with_second(Some(Rows {
                    values: &second,
                    cols: 1,
                }));
            for metric in METRICS {
                if let Err(error) = metric.of(&survey) {
                    assert!(!error.to_string().is_empty() && !error.to_string().contains('\n'));
                }
            }
        }
    }

    #[test]
    fn lists_are_read_in_one_order() {
        let names = |list: &str| listed(list).map(|found| found.iter().map(|m| m.name).collect::<Vec<_>>());
        assert_eq!(names("all").unwrap().len(), METRICS.len());
        assert_eq!(
            names("silhouette, gyration-radius,silhouette").unwrap(),
            ["gyration-radius", "silhouette"]
        );
        let line = names("silhouete").unwrap_err().to_string();
        assert!(
            line.starts_with("no metric 'silhouete', expected all or some of gyration-radius, "),
            "{line}"
        );
        assert!(names("").is_err());
        let classes = ["a".to_string(), "b".to_string()];
        assert_eq!(named("nc2").unwrap().columns(&classes), ["nc2_norms", "nc2_angles"]);
        assert_eq!(
            named("class-distance").unwrap().columns(&classes),
            ["class_distance_a_a", "class_distance_a_b", "class_distance_b_b"]
        );
    }
}
