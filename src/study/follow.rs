//! Metrics that a run follows on the way, beside radii and distances: which, when, and a layer's values at one time.
//!
//! They are taken of the same rows as the radii, the hidden layer on the training samples with every row divided by its norm, so that
//! `measure --normalize unit` on saved activations gives the same numbers. Each replica is measured by itself. A metric that cannot be
//! computed is NaN. Where a replica is trained without some of the samples, or under other labels, they are taken of the samples that it is
//! trained on, under its labels. The classifier of nc3 and nc4 is the output layer, and it too is given the divided rows: its bias weighs more or less on them
//! than in the network.

use std::borrow::Cow;

use super::error::StudyError;
use super::outcome::{MetricColumn, Turn};
use crate::backend::{Backend, Pairwise};
use crate::geometry::{Classifier, Cloud, GeometryError, Metric, Need, Settings, Survey, metric, normalize_rows};
use crate::nn::Architecture;
use crate::nn::network::Parameters;
use crate::train::Trainer;

/// Names of the metrics that every run has.
const ALWAYS: [&str; 2] = ["gyration-radius", "centroid-distance"];

/// The training samples as each replica has them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own<'a> {
    /// The labels of all samples.
    pub labels: &'a [u32],
    /// As [`Extras::weights`](crate::train::Extras::weights).
    pub weights: Option<&'a [f64]>,
    /// As [`Extras::labels`](crate::train::Extras::labels).
    pub relabelled: Option<&'a [u32]>,
}

/// What is followed.
#[derive(Clone, Debug, Default)]
pub struct Follow {
    metrics: Vec<&'static Metric>,
    every: usize,
    settings: Settings,
}

impl Follow {
    /// The metrics of a list (see [`metric::listed`]; all: those that a run has what they need for), every so many epochs.
    ///
    /// # Errors
    /// [`StudyError::Option`] for an unknown metric, one that needs a second representation, or 0 epochs.
    pub fn new(list: &str, every: usize, settings: Settings) -> Result<Follow, StudyError> {
        let refused = |detail: String| StudyError::Option { detail };
        let mut metrics = metric::listed(list).map_err(|error| refused(error.to_string()))?;
        let lacks = |metric: &Metric| metric.needs == Some(Need::Second);
        if list.trim() == "all" {
            metrics.retain(|metric| !lacks(metric));
        }
        if let Some(metric) = metrics.iter().find(|metric| lacks(metric)) {
            let detail = format!("{} compares two representations, expected metrics of one", metric.name);
            return Err(refused(detail));
        }
        if every == 0 {
            return Err(refused("every 0 epochs, expected at least 1".into()));
        }
        metrics.retain(|metric| !ALWAYS.contains(&metric.name));
        Ok(Follow {
            metrics,
            every,
            settings,
        })
    }

    /// Whether nothing is followed.
    pub fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }

    /// Epochs between two looks.
    pub fn every(&self) -> usize {
        self.every
    }

    /// Whether metrics are taken after so many of all epochs: every so many, and at the end.
    pub fn is_due(&self, epoch: usize, epochs: usize) -> bool {
        !self.is_empty() && (epoch == epochs || epoch.is_multiple_of(self.every))
    }

    /// Whether some take the classifier's weights.
    pub fn needs_parameters(&self) -> bool {
        self.metrics.iter().any(|metric| metric.needs == Some(Need::Weights))
    }

    /// The columns, layer by layer, each name after the layer's prefix.
    pub fn columns(&self, classes: usize, prefixes: &[String]) -> Vec<MetricColumn> {
        let classes: Vec<String> = (0..classes).map(|class| class.to_string()).collect();
        let of_layer = |prefix: &String| {
            let names = self
                .metrics
                .iter()
                .flat_map(|metric| metric.columns(&classes))
                .collect::<Vec<_>>();
            let column = |name| MetricColumn {
                name: format!("{prefix}{name}"),
                turn: Turn::Either,
            };
            names.into_iter().map(column).collect::<Vec<_>>()
        };
        prefixes.iter().flat_map(of_layer).collect()
    }

    /// The values of one replica's layer, `[labels.len(), units]`, in the order of [`Follow::columns`].
    pub fn values(
        &self,
        layer: &[f64],
        labels: &[u32],
        classes: usize,
        classifier: Option<&Classifier>,
        pairs: &dyn Pairwise,
    ) -> Vec<f64> {
        let units = layer.len() / labels.len().max(1);
        let mut rows = layer.to_vec();
        normalize_rows(&mut rows, units);
        let cloud = Cloud::new(rows, units, labels.to_vec(), classes);
        let survey = cloud
            .as_ref()
            .map(|cloud| Survey::new(cloud, pairs, self.settings).with_classifier(classifier));
        let names: Vec<String> = (0..classes).map(|class| class.to_string()).collect();
        let of = |metric: &&Metric| -> Vec<f64> {
            let values = match &survey {
                Ok(survey) => metric.of(survey),
                Err(error) => Err(GeometryError::clone(error)),
            };
            values.unwrap_or_else(|_| vec![f64::NAN; metric.arity.keys(&names).len()])
        };
        self.metrics.iter().flat_map(of).collect()
    }

    /// The values of each replica at a trainer's last measurement, layer by layer; `parameters` are those that were measured.
    pub(super) fn look(
        &self,
        trainer: &Trainer,
        own: Own,
        parameters: Option<&Parameters>,
        backend: &dyn Backend,
    ) -> Result<Vec<Vec<f64>>, StudyError> {
        let recipe = trainer.recipe();
        let replicas = recipe.replicas.len();
        let mut values = vec![Vec::new(); replicas];
        for (n, &layer) in recipe.layers.iter().enumerate() {
            let hidden = trainer.hidden(n)?;
            // The output layer reads the last hidden one.
            let reads = parameters.filter(|_| layer + 1 == recipe.architecture.hidden.len());
            let layers = hidden.chunks_exact((hidden.len() / replicas).max(1));
            for (r, (values, rows)) in values.iter_mut().zip(layers).enumerate() {
                let classifier = reads.and_then(|p| classifier(p, &recipe.architecture, recipe.classes, r, replicas));
                let (rows, labels) = own.of(r, rows);
                values.extend(self.values(&rows, &labels, recipe.classes, classifier.as_ref(), backend.pairs()));
            }
        }
        Ok(values)
    }
}

impl Own<'_> {
    /// Rows and labels of the samples that replica `r` is trained on, of the rows of all.
    fn of<'r>(&self, r: usize, rows: &'r [f64]) -> (Cow<'r, [f64]>, Cow<'_, [u32]>) {
        let samples = self.labels.len();
        let here = r * samples..(r + 1) * samples;
        let labels = self.relabelled.map_or(self.labels, |all| &all[here.clone()]);
        let Some(weights) = self.weights.map(|all| &all[here]) else {
            return (rows.into(), labels.into());
        };
        let units = rows.len() / samples.max(1);
        let counts = |place: &usize| weights[*place] > 0.0;
        let places = || (0..samples).filter(counts);
        let rows: Vec<f64> = places()
            .flat_map(|place| &rows[place * units..(place + 1) * units])
            .copied()
            .collect();
        let labels: Vec<u32> = places().map(|place| labels[place]).collect();
        (rows.into(), labels.into())
    }
}

/// The output layer of one replica, at its place among several; `None` if it has not an output per class.
pub fn classifier(
    parameters: &Parameters,
    architecture: &Architecture,
    classes: usize,
    place: usize,
    replicas: usize,
) -> Option<Classifier> {
    let last = architecture.hidden.len();
    let own = |name: String| {
        let (_, values) = parameters.iter().find(|(other, _)| *other == name)?;
        let size = values.len() / replicas.max(1);
        values.get(place * size..(place + 1) * size).map(<[f64]>::to_vec)
    };
    let weight = own(format!("{}.weight", 2 * last))?;
    (architecture.outputs == classes).then(|| Classifier {
        weight,
        bias: own(format!("{}.bias", 2 * last)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Reference;

    #[test]
    fn lists_name_columns_and_times() {
        let follow = Follow::new("silhouette,gyration-radius,nc2", 10, Settings::default()).unwrap();
        let names: Vec<String> = follow
            .columns(2, &["".into(), "b_".into()])
            .into_iter()
            .map(|c| c.name)
            .collect();
        assert_eq!(
            names,
            [
                "silhouette",
                "nc2_norms",
                "nc2_angles",
                "b_silhouette",
                "b_nc2_norms",
                "b_nc2_angles"
            ]
        );
        let due: Vec<usize> = (0..=25).filter(|&epoch| follow.is_due(epoch, 25)).collect();
        assert_eq!(due, [0, 10, 20, 25]);
        assert!(
            Follow::new("gyration-radius", 1, Settings::default())
                .unwrap()
                .is_empty()
        );
        assert!(!Follow::default().is_due(0, 1));
        let line = |list, every| Follow::new(list, every, Settings::default()).unwrap_err().to_string();
        assert!(line("linear-cka", 1).contains("compares two representations"));
        assert!(line("silhouete", 1).contains("no metric 'silhouete'"));
        assert!(line("silhouette", 0).contains("every 0 epochs"));
        assert!(Follow::new("all", 1, Settings::default()).unwrap().needs_parameters());
    }

    #[test]
    fn rows_are_on_the_sphere_and_what_fails_is_not_a_number() {
        let follow = Follow::new("fisher-ratio,class-distance,nc3", 1, Settings::default()).unwrap();
        let layer = [3.0, 0.0, 0.5, 0.0, 0.0, 2.0, 0.0, 7.0];
        let values = follow.values(&layer, &[0, 0, 1, 1], 2, None, &Reference);
        // Two points on the circle, each twice: class distances 0, sqrt 2, 0, then S_B / S_W; no weights.
        assert_eq!(values[0], 0.0);
        assert!((values[1] - 2f64.sqrt()).abs() < 1e-15 && values[2] == 0.0);
        assert!(values[3].is_infinite() && values[4].is_nan());
        let broken = follow.values(&[f64::NAN; 8], &[0, 0, 1, 1], 2, None, &Reference);
        assert!(broken.len() == 5 && broken.iter().all(|v| v.is_nan()));
    }
    #[test]
    fn a_replica_has_the_samples_it_is_trained_on_under_its_labels() {
        let weights = [1.0, 1.0, 1.0, 0.0, 1.0, 0.0];
        let relabelled = [0, 1, 1, 1, 0, 1];
        let own = Own {
            labels: &[0, 0, 1],
            weights: Some(&weights),
            relabelled: Some(&relabelled),
        };
        let rows = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(own.of(0, &rows), (rows[..].into(), [0, 1, 1][..].into()));
        assert_eq!(own.of(1, &rows), ([3.0, 4.0][..].into(), [0][..].into()));
        let plain = Own {
            weights: None,
            relabelled: None,
            ..own
        };
        assert_eq!(plain.of(1, &rows), (rows[..].into(), [0, 0, 1][..].into()));
        let none = Own {
            weights: Some(&[0.0; 3]),
            relabelled: None,
            ..own
        };
        assert_eq!(none.of(0, &rows).1.len(), 0);
        let follow = Follow::new("silhouette,class-distance", 1, Settings::default()).unwrap();
        let values = follow.values(&[], &[], 2, None, &Reference);
        assert!(values.len() == 4 && values.iter().all(|v| v.is_nan()));
    }
}
