//! The inversion experiment of Ciceri et al. (Nat. Mach. Intell. 2024), as in the authors' released recipe.
//!
//! R networks learn a two-class (or C-class) problem. After every epoch the hidden activations of the training set,
//! projected on the unit sphere, give a gyration radius per class and a centroid distance per pair of classes. Radii fall
//! and distances rise, until at the *inversion* both turn back. The stragglers of a replica are the training samples that
//! it still misclassifies at the first epoch t >= 20 with R_0(t) >= R_0(t - 1).

use super::checkpoint::Checkpoint;
use super::error::StudyError;
use super::extremum::{GUARD, extremum, stops};
use super::film::Film;
use super::follow::{Follow, Own};
use super::keep::{Epochs, Keeps, Kept, What};
use super::outcome::{EpochRecord, Extremum, InversionOutcome, MetricColumn, ReplicaOutcome, Stop, Turn};
use super::prepare::Prepared;
use crate::backend::Backend;
use crate::geometry::{centroid_distance, gyration_radius};
use crate::nn::network::Parameters;
use crate::train::{Measurement, Recipe, Trainer};

/// What the experiment runs on.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// How to train.
    pub recipe: &'a Recipe,
    /// On what.
    pub data: &'a Prepared,
    /// From where.
    pub initial: &'a Parameters,
    /// The test error is taken every so many epochs, and at the end; 0 for never.
    pub test_every: usize,
}

/// What an observer is told after each epoch.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The epoch that was measured.
    pub epoch: usize,
    /// Epochs in all.
    pub epochs: usize,
    /// Mean training error of the replicas.
    pub train_error: f64,
    /// Replicas whose stop has come.
    pub stopped: usize,
}

/// What a run leaves beside its outcome.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The curves, extrema and stragglers.
    pub outcome: InversionOutcome,
    /// The parameters at the end.
    pub parameters: Parameters,
    /// Most rows of zeros that a measured hidden layer had at any time in any replica.
    pub zero_rows: usize,
    /// Parameters of the first replica on the way, if the watcher films; else empty.
    pub film: Film,
}

/// What names of columns begin with, layer by layer: several layers are told apart by `layer_1_`.
fn prefixes(layers: &[usize]) -> Vec<String> {
    let prefix = |layer: &usize| match layers {
        [_] => String::new(),
        _ => format!("layer_{}_", layer + 1),
    };
    layers.iter().map(prefix).collect()
}

/// The metric columns for `classes` classes and these hidden layers: radii, then distances, layer by layer; then those that are followed
/// beside them.
pub fn columns(classes: usize, layers: &[usize], follow: &Follow) -> Vec<MetricColumn> {
    let prefixes = prefixes(layers);
    let mut columns = turning_columns(classes, layers);
    columns.extend(follow.columns(classes, &prefixes));
    columns
}

/// The columns whose extrema are looked for.
pub(super) fn turning_columns(classes: usize, layers: &[usize]) -> Vec<MetricColumn> {
    let mut columns = Vec::new();
    for prefix in &prefixes(layers) {
        for c in 0..classes {
            columns.push(MetricColumn {
                name: format!("{prefix}gyration_radius_{c}"),
                turn: Turn::Minimum,
            });
        }
        for (a, b) in pairs(classes) {
            columns.push(MetricColumn {
                name: format!("{prefix}centroid_distance_{a}_{b}"),
                turn: Turn::Maximum,
            });
        }
    }
    columns
}

fn pairs(classes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..classes).flat_map(move |a| (a + 1..classes).map(move |b| (a, b)))
}

/// The metrics of one replica, in the order of [`columns`].
pub(super) fn metrics(measurement: &Measurement, replica: usize) -> Vec<f64> {
    let mut values = Vec::new();
    for layer in &measurement.moments {
        let classes = &layer[replica];
        values.extend(classes.iter().map(gyration_radius));
        values.extend(pairs(classes.len()).map(|(a, b)| centroid_distance(&classes[a], &classes[b])));
    }
    values
}

/// What the one who watches a run wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Go on.
    Continue,
    /// Save a checkpoint and go on.
    Checkpoint,
    /// Save a checkpoint and end.
    Interrupt,
}

/// Who watches a run.
pub trait Watcher {
    /// Told after each epoch.
    fn epoch(&mut self, progress: Progress) -> Wish;

    /// Whether parameters of the first replica are to be kept on the way, for a movie.
    fn films(&self) -> bool {
        false
    }

    /// What of the hidden layers and weights is to be kept, and when.
    fn keeps(&self) -> Keeps {
        Keeps::default()
    }

    /// Which metrics are to be followed beside radii and distances, and when.
    fn follows(&self) -> Follow {
        Follow::default()
    }

    /// Given what it wished to keep.
    ///
    /// # Errors
    /// Ends the run.
    fn keep(&mut self, _: Kept) -> Result<(), StudyError> {
        Ok(())
    }

    /// Given a checkpoint when it wished for one.
    ///
    /// # Errors
    /// Ends the run.
    fn save(&mut self, checkpoint: &Checkpoint) -> Result<(), StudyError>;
}

/// A watcher that lets a run be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watcher for Unwatched {
    fn epoch(&mut self, _: Progress) -> Wish {
        Wish::Continue
    }

    fn save(&mut self, _: &Checkpoint) -> Result<(), StudyError> {
        Ok(())
    }
}

/// Runs the experiment from the beginning or from a checkpoint. `None` if the watcher interrupted it.
///
/// # Errors
/// [`StudyError::Train`] for a recipe that does not fit the data, or from the backend; what the watcher's `save` returns.
pub fn run(
    setup: Setup,
    backend: &dyn Backend,
    from: Option<Checkpoint>,
    watcher: &mut dyn Watcher,
) -> Result<Option<Finished>, StudyError> {
    let Setup {
        recipe,
        data,
        initial,
        test_every,
    } = setup;
    let test = if test_every == 0 { None } else { data.test() };
    let keeps = watcher.keeps();
    let follow = watcher.follows();
    let mut trainer = if keeps.activations == Epochs::Never && follow.is_empty() {
        Trainer::new(recipe.clone(), data.train(), test, initial, backend)?
    } else {
        Trainer::with_hidden(recipe.clone(), data.train(), test, initial, backend)?
    };
    let columns = columns(recipe.classes, &recipe.layers, &follow);
    // The recipe's rule looks at class 0 of the last measured layer.
    let turning = turning_columns(recipe.classes, &recipe.layers);
    let first_radius = leading(&turning, &recipe.layers);
    let own = Own {
        labels: &data.train_labels,
        weights: None,
        relabelled: None,
    };
    let unmeasured = vec![f64::NAN; columns.len() - turning.len()];
    let (mut replicas, mut zero_rows, mut film) = match from {
        Some(checkpoint) => {
            trainer.restore(&checkpoint.snapshot)?;
            (checkpoint.replicas, checkpoint.zero_rows, checkpoint.film)
        }
        None => {
            let fresh = |&replica| ReplicaOutcome {
                replica,
                records: vec![],
                stop: None,
                extrema: vec![],
            };
            (recipe.replicas.iter().map(fresh).collect(), 0, Film::default())
        }
    };
    let frames = if watcher.films() {
        Film::schedule(recipe.epochs, &recipe.architecture)
    } else {
        Vec::new()
    };

    for epoch in trainer.epoch()..=recipe.epochs {
        let tested = test_every > 0 && (epoch % test_every == 0 || epoch == recipe.epochs);
        let test_error = if tested { trainer.test_error()? } else { None };
        // Only the measurement tells whether an epoch is the stop's, and by then the parameters have gone on.
        let due = frames.binary_search(&epoch).is_ok();
        let films_stop = !frames.is_empty() && replicas.first().is_some_and(|r| r.stop.is_none());
        let keeps_stops = keeps.weights == Epochs::Inversion && replicas.iter().any(|r| r.stop.is_none());
        let may_stop = epoch >= GUARD && (films_stop || keeps_stops);
        let follows = follow.is_due(epoch, recipe.epochs);
        let reads = follows && follow.needs_parameters();
        let needed = due || may_stop || reads || keeps.weights.include(epoch);
        let parameters = needed.then(|| trainer.parameters()).transpose()?;
        let measurement = if epoch < recipe.epochs {
            trainer.advance()?
        } else {
            trainer.measure()?
        };
        zero_rows = measurement
            .zero_rows
            .iter()
            .flatten()
            .fold(zero_rows, |most, &rows| most.max(rows as usize));
        let followed = if follows {
            follow.look(&trainer, own, parameters.as_ref(), backend)?
        } else {
            vec![unmeasured.clone(); recipe.replicas.len()]
        };
        let mut outputs = None;
        for (r, replica) in replicas.iter_mut().enumerate() {
            replica.records.push(EpochRecord {
                epoch,
                train_loss: measurement.loss[r],
                train_error: measurement.error[r],
                test_error: test_error.as_ref().map(|errors| errors[r]),
                metrics: [metrics(&measurement, r), followed[r].clone()].concat(),
            });
            if replica.stop.is_none() && stops(&series(replica, first_radius), epoch) {
                if outputs.is_none() {
                    outputs = Some(trainer.outputs()?);
                }
                let all = outputs.as_deref().unwrap_or_default();
                let own = all.len() / recipe.replicas.len();
                let outputs = &all[r * own..(r + 1) * own];
                let wrong = misclassified(outputs, recipe.architecture.outputs, &data.train_labels);
                let stragglers = wrong.into_iter().map(|row| data.straggler(row)).collect();
                replica.stop = Some(Stop {
                    epoch,
                    error: measurement.error[r],
                    stragglers,
                });
            }
        }
        let stops_here = |r: &ReplicaOutcome| r.stop.as_ref().is_some_and(|stop| stop.epoch == epoch);
        if let Some(parameters) = &parameters
            && (due || replicas.first().is_some_and(stops_here))
        {
            film.keep(epoch, parameters, recipe.replicas.len());
        }
        let stopped: Vec<usize> = (0..replicas.len()).filter(|&r| stops_here(&replicas[r])).collect();
        keep(&trainer, epoch, &keeps, parameters.as_ref(), &stopped, watcher)?;
        let train_error = measurement.error.iter().sum::<f64>() / measurement.error.len() as f64;
        let stopped = replicas.iter().filter(|replica| replica.stop.is_some()).count();
        let wish = watcher.epoch(Progress {
            epoch,
            epochs: recipe.epochs,
            train_error,
            stopped,
        });
        // After the last epoch there is nothing to come back to.
        if wish != Wish::Continue && epoch < recipe.epochs {
            let checkpoint = Checkpoint {
                snapshot: trainer.snapshot()?,
                replicas,
                zero_rows,
                film,
            };
            watcher.save(&checkpoint)?;
            if wish == Wish::Interrupt {
                return Ok(None);
            }
            (replicas, film) = (checkpoint.replicas, checkpoint.film);
        }
    }
    Ok(Some(Finished {
        outcome: concluded(data.classes.clone(), columns, replicas),
        parameters: trainer.parameters()?,
        zero_rows,
        film,
    }))
}

/// The outcome of replicas whose records are there: finds their extrema.
pub fn concluded(
    classes: Vec<String>,
    columns: Vec<MetricColumn>,
    mut replicas: Vec<ReplicaOutcome>,
) -> InversionOutcome {
    for replica in &mut replicas {
        replica.extrema = columns
            .iter()
            .enumerate()
            .map(|(m, column)| turning_point(replica, m, column.turn))
            .collect();
    }
    InversionOutcome {
        classes,
        columns,
        replicas,
    }
}

/// Hands the watcher what it keeps of an epoch: of all replicas if the epoch was asked for, else of those that stop here.
fn keep(
    trainer: &Trainer,
    epoch: usize,
    keeps: &Keeps,
    parameters: Option<&Parameters>,
    stopped: &[usize],
    watcher: &mut dyn Watcher,
) -> Result<(), StudyError> {
    let replicas = |epochs: &Epochs| -> Vec<Option<usize>> {
        match epochs {
            Epochs::Inversion => stopped.iter().copied().map(Some).collect(),
            _ if epochs.include(epoch) => vec![None],
            _ => Vec::new(),
        }
    };
    if let Some(parameters) = parameters {
        for replica in replicas(&keeps.weights) {
            let what = What::Weights(parameters);
            watcher.keep(Kept { epoch, replica, what })?;
        }
    }
    let replicas = replicas(&keeps.activations);
    if replicas.is_empty() {
        return Ok(());
    }
    for (n, &layer) in trainer.recipe().layers.iter().enumerate() {
        let values = trainer.hidden(n)?;
        for &replica in &replicas {
            let what = What::Activations { layer, values: &values };
            watcher.keep(Kept { epoch, replica, what })?;
        }
    }
    Ok(())
}

/// The curve of metric `m` in a replica's records.
pub(crate) fn series(replica: &ReplicaOutcome, m: usize) -> Vec<f64> {
    replica
        .records
        .iter()
        .filter_map(|record| record.metrics.get(m).copied())
        .collect()
}

/// The extremum of metric `m` in a replica's records.
fn turning_point(replica: &ReplicaOutcome, m: usize, turn: Turn) -> Option<Extremum> {
    let series = series(replica, m);
    let epoch = extremum(&series, turn)?;
    Some(Extremum {
        epoch,
        error: replica.records[epoch].train_error,
        value: series[epoch],
    })
}

/// The metric that the released recipe's rule looks at: the radius of class 0 in the last measured layer.
pub(super) fn leading(columns: &[MetricColumn], layers: &[usize]) -> usize {
    // What is followed comes after the columns of all layers.
    let turning = columns.iter().filter(|column| column.turn != Turn::Either).count();
    turning.saturating_sub(turning / layers.len().max(1))
}

/// The rows that outputs `[rows, cols]` misclassify, as `error_count` does: ties go to the lowest index, and a row with
/// NaN is misclassified.
pub(super) fn misclassified(outputs: &[f64], cols: usize, labels: &[u32]) -> Vec<usize> {
    let right = |row: &[f64], label: u32| match (cols, label) {
        (1, 1) => row[0] > 0.0,
        (1, _) => row[0] < 0.0,
        _ => row.get(label as usize).is_some_and(|own| {
            let (before, after) = row.split_at(label as usize);
            before.iter().all(|v| own > v) && after.iter().all(|v| own >= v)
        }),
    };
    let rows = outputs.chunks_exact(cols).zip(labels).enumerate();
    rows.filter(|(_, (row, label))| !right(row, **label))
        .map(|(n, _)| n)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stragglers_are_what_error_count_counts() {
        let nan = f64::NAN;
        let two = [[1.0, 0.0], [0.0, 1.0], [2.0, 2.0], [2.0, 2.0], [nan, 1.0], [1.0, nan]];
        assert_eq!(misclassified(&two.concat(), 2, &[0, 0, 0, 1, 1, 0]), [1, 3, 4, 5]);
        assert_eq!(misclassified(&[1.0, 2.0, nan], 3, &[1]), [0]);
        let one = [0.5, 0.5, -0.5, 0.0, -0.0, nan];
        assert_eq!(misclassified(&one, 1, &[1, 0, 0, 0, 1, 0]), [1, 3, 4, 5]);
    }
}
