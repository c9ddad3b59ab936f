//! Metrics: each against its formula, evaluated in twice the precision, with a bound from running error analysis.
//!
//! A case has 2 to 60 rows of 1 to 40 columns in two to five classes of every kind of numbers, a classifier, and a second
//! representation. What a metric does in f64 is followed operation by operation ([`estimate`]); what it takes from a backend's reductions
//! over pairs has the errors of `pairs::bounds`; what counts (neighbours, axes, rows that two classifiers put into different
//! classes) may differ by as many as are within these errors of a tie.
//!
//! | file | metrics |
//! |---|---|
//! | `moments` | radii, distances of means, ratios of scatter, class separation |
//! | `collapse` | neural collapse |
//! | `spectra` | participation ratio, explained variance, linear CKA |
//! | `distances` | sums over pairs: mean distances, energy, discrepancy, silhouette, soft nearest neighbour loss |
//! | `neighbors` | neighbours: dimensions, overlaps, error, margin |
//! | `hulls` | linear separability |
//!
//! A case in which a metric is not defined, or in which a divisor may be 0 within its error, is not compared.

mod collapse;
mod distances;
mod estimate;
mod hulls;
mod moments;
mod neighbors;
mod sample;
mod spectra;

use super::report::{CaseName, Report};
use super::{Op, Work};
use crate::backend::Backend;
use crate::geometry::metric::named;
use crate::geometry::{ClassMoments, GeometryError, centroid_distance, gyration_radius};
use estimate::Estimate;
use sample::Sample;

/// A metric, by its name in `geometry`, and its formula.
#[derive(Clone, Copy)]
pub(super) struct Measure {
    source: Source,
    /// The values; none where the metric is not defined.
    formula: fn(&Sample) -> Option<Vec<Estimate>>,
}

/// Who is asked for the values.
#[derive(Clone, Copy)]
enum Source {
    /// The list of metrics.
    Listed(&'static str),
    /// Functions of the moments that a probe sums up.
    Moments(fn(&[ClassMoments]) -> Vec<f64>),
    /// dl/dT of the soft nearest neighbour loss.
    TemperatureSlope,
}

use Source::{Listed, Moments, TemperatureSlope};

macro_rules! measures {
    ($($name:ident: $source:expr, $formula:expr);+ $(;)?) => {
        [$(Op {
            name: stringify!($name),
            work: Work::Metric(Measure { source: $source, formula: $formula }),
        }),+]
    };
}

/// Every metric, as ops.
pub(super) const MEASURES: [Op; 31] = measures! {
    metric_gyration_radius: Listed("gyration-radius"), moments::gyration_radius;
    metric_gyration_radius_of_moments: Moments(|classes| classes.iter().map(gyration_radius).collect()), moments::radius_of_moments;
    metric_centroid_distance: Listed("centroid-distance"), moments::centroid_distance;
    metric_centroid_distance_of_moments: Moments(distances_of_moments), moments::distance_of_moments;
    metric_class_distance: Listed("class-distance"), distances::class_distance;
    metric_energy_distance: Listed("energy-distance"), distances::energy_distance;
    metric_mmd: Listed("mmd"), distances::mean_discrepancy;
    metric_soft_nearest_neighbor_loss: Listed("soft-nearest-neighbor-loss"), distances::soft_nearest_neighbor_loss;
    metric_soft_nearest_neighbor_slope: TemperatureSlope, distances::soft_nearest_neighbor_slope;
    metric_soft_nearest_neighbor_optimum: Listed("soft-nearest-neighbor-optimum"), distances::soft_nearest_neighbor_optimum;
    metric_generalized_discrimination_value: Listed("generalized-discrimination-value"), distances::generalized_discrimination;
    metric_silhouette: Listed("silhouette"), distances::silhouette;
    metric_class_separation: Listed("class-separation"), moments::class_separation;
    metric_fisher_ratio: Listed("fisher-ratio"), moments::fisher_ratio;
    metric_calinski_harabasz: Listed("calinski-harabasz"), moments::calinski_harabasz;
    metric_davies_bouldin: Listed("davies-bouldin"), moments::davies_bouldin;
    metric_nc1: Listed("nc1"), collapse::variability;
    metric_nc2: Listed("nc2"), collapse::simplex;
    metric_nc3: Listed("nc3"), collapse::self_duality;
    metric_nc4: Listed("nc4"), collapse::mismatch;
    metric_participation_ratio: Listed("participation-ratio"), spectra::participation_ratio;
    metric_explained_variance_dimension: Listed("explained-variance-dimension"), spectra::explained_variance;
    metric_two_nn_dimension: Listed("two-nn-dimension"), neighbors::two_nn;
    metric_maximum_likelihood_dimension: Listed("maximum-likelihood-dimension"), neighbors::maximum_likelihood;
    metric_neighborhood_overlap: Listed("neighborhood-overlap"), neighbors::label_overlap;
    metric_data_overlap: Listed("data-overlap"), neighbors::data_overlap;
    metric_nearest_neighbor_error: Listed("nearest-neighbor-error"), neighbors::error;
    metric_nearest_neighbor_margin: Listed("nearest-neighbor-margin"), neighbors::margin;
    metric_linear_cka: Listed("linear-cka"), spectra::linear_cka;
    metric_linear_cka_unbiased: Listed("linear-cka-unbiased"), spectra::linear_cka_unbiased;
    metric_linear_separability: Listed("linear-separability"), hulls::linear_separability;
};

fn distances_of_moments(classes: &[ClassMoments]) -> Vec<f64> {
    let pairs = (0..classes.len()).flat_map(|a| (a + 1..classes.len()).map(move |b| (a, b)));
    pairs
        .map(|(a, b)| centroid_distance(&classes[a], &classes[b]))
        .collect()
}

impl Measure {
    fn values(&self, sample: &Sample, backend: &dyn Backend) -> Result<Vec<f64>, GeometryError> {
        match self.source {
            Listed(name) => named(name)?.of(&sample.survey(backend)),
            Moments(values) => {
                let of_class = |class| ClassMoments::of_class(&sample.rows, sample.cols, &sample.labels, class as u32);
                Ok(values(&(0..sample.classes).map(of_class).collect::<Vec<_>>()))
            }
            TemperatureSlope => Ok(vec![sample.temperature_slope(backend)?]),
        }
    }
}

/// Compares a metric of a case with its formula.
///
/// # Errors
/// What the metric refuses although its formula has a value.
pub(super) fn judge(
    measure: &Measure,
    backend: &dyn Backend,
    name: CaseName,
    report: &mut Report,
) -> Result<(), GeometryError> {
    let mut sample = Sample::new(name.seed)?;
    let got = measure.values(&sample, backend);
    if let (Listed("soft-nearest-neighbor-optimum"), Ok(found)) = (&measure.source, &got) {
        sample.found_temperature = found.get(1).copied();
    }
    let Some(exact) = (measure.formula)(&sample) else {
        return Ok(());
    };
    let got = got?;
    let values: Vec<f64> = exact.iter().map(|value| value.value()).collect();
    let (rows, cols, classes) = (sample.labels.len(), sample.cols, sample.classes);
    let (form, inputs) = (sample.settings.form.name(), sample.inputs.name());
    report.compare(
        name.op,
        (&got, &values),
        |n| exact[n].bound(),
        |n| format!("({rows} rows, {cols} columns, {classes} classes, {form}, {inputs}) at value {n}"),
    );
    let compared = exact.iter().filter(|value| value.error.is_finite());
    if let Some(chain) = compared.map(|value| value.chain).max().filter(|chain| *chain > 0) {
        report.chain(name.op, chain);
    }
    if got.len() != exact.len() {
        return Err(GeometryError::Shape {
            detail: format!("{} values, expected {}", got.len(), exact.len()),
        });
    }
    Ok(())
}

/// Runs one small case.
///
/// # Errors
/// What the metric refuses.
pub(super) fn runs(measure: &Measure, backend: &dyn Backend) -> Result<(), GeometryError> {
    measure.values(&Sample::new(0)?, backend).map(drop)
}

/// 512 rows of 64 columns, in words, and what runs on them.
///
/// # Errors
/// What the metric refuses.
pub(super) fn timed<'a>(
    measure: &'a Measure,
    backend: &'a dyn Backend,
) -> Result<(String, impl FnMut() -> Result<(), GeometryError> + 'a), GeometryError> {
    let sample = Sample::shaped(512, 64, 5)?;
    let run = move || measure.values(&sample, backend).map(drop);
    Ok(("512 x 64, 5 classes".into(), run))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::METRICS;

    #[test]
    fn every_metric_of_the_list_is_verified() {
        let verified: Vec<&str> = MEASURES
            .iter()
            .filter_map(|op| match op.work {
                Work::Metric(Measure {
                    source: Listed(name), ..
                }) => Some(name),
                _ => None,
            })
            .collect();
        for metric in METRICS {
            assert!(verified.contains(&metric.name), "{}", metric.name);
        }
        assert_eq!(verified.len(), METRICS.len());
    }
}
