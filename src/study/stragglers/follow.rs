//! Training of replicas side by side, each perhaps on samples and labels of its own, with their records, their stops, and
//! what they misclassify at wanted epochs.

use super::super::course::Course;
use super::super::error::StudyError;
use super::super::extremum::stops;
use super::super::follow::{Follow, Own};
use super::super::inversion::{leading, metrics, misclassified, turning_columns};
use super::super::outcome::EpochRecord;
use super::super::prepare::Prepared;
use super::lookout::{Lookout, step};
use crate::backend::Backend;
use crate::nn::network::Parameters;
use crate::train::{Extras, Measurement, Recipe, Trainer};

/// What to train.
#[derive(Clone, Copy, Debug)]
pub struct Training<'a> {
    /// How.
    pub recipe: &'a Recipe,
    /// On what.
    pub data: &'a Prepared,
    /// From where.
    pub initial: &'a Parameters,
    /// As [`Extras::weights`].
    pub weights: Option<&'a [f64]>,
    /// As [`Extras::labels`].
    pub labels: Option<&'a [u32]>,
    /// Epochs, ascending, at which the misclassified samples are wanted.
    pub sets_at: &'a [usize],
    /// Whether the records of all epochs are wanted.
    pub records: bool,
    /// Which metrics are followed, of the samples that each replica is trained on and under its labels.
    pub follow: &'a Follow,
}

/// The stop of a replica by the released recipe.
#[derive(Clone, Debug, PartialEq)]
pub struct Halt {
    /// The epoch t*.
    pub epoch: usize,
    /// The training error there.
    pub error: f64,
    /// The stragglers S(t*), by their places among the training samples, ascending.
    pub set: Vec<usize>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Followed {
    /// Of each replica: a record per epoch if they are wanted, else that of the last alone.
    pub records: Vec<Vec<EpochRecord>>,
    /// Of each replica: its stop, if it came.
    pub stops: Vec<Option<Halt>>,
    /// For each wanted epoch and replica: the training samples that are misclassified, by their places among the
    /// training samples, ascending, and what the network calls each. Samples of weight 0 are not among them.
    pub sets: Vec<Vec<Vec<(usize, u32)>>>,
    /// For each wanted epoch and replica: the training error.
    pub errors: Vec<Vec<f64>>,
    /// The parameters at the end.
    pub parameters: Parameters,
    /// What the metrics of each replica did, if any are followed.
    pub courses: Vec<Course>,
}

/// Trains. `tell` is told the epoch and the mean training error after each epoch and says whether to go on.
///
/// # Errors
/// [`StudyError::Interrupted`] if it does not; [`StudyError::Train`].
pub fn follow(
    training: Training,
    backend: &dyn Backend,
    tell: &mut dyn FnMut(usize, f64) -> bool,
) -> Result<Followed, StudyError> {
    let Training {
        recipe,
        data,
        initial,
        weights,
        labels,
        sets_at,
        records,
        follow,
    } = training;
    let extras = Extras {
        weights,
        labels,
        holds_hidden: !follow.is_empty(),
        ..Extras::default()
    };
    let mut trainer = Trainer::with(recipe.clone(), data.train(), initial, backend, extras)?;
    let leading = leading(&turning_columns(recipe.classes, &recipe.layers), &recipe.layers);
    let count = recipe.replicas.len();
    let mut radii: Vec<Vec<f64>> = vec![Vec::new(); count];
    let mut kept: Vec<Vec<EpochRecord>> = vec![Vec::new(); count];
    let mut halts: Vec<Option<Halt>> = vec![None; count];
    let (mut sets, mut errors) = (Vec::new(), Vec::new());
    let own = Own {
        labels: &data.train_labels,
        weights,
        relabelled: labels,
    };
    let mut lookout = Lookout::on(follow, recipe, own);
    for epoch in 0..=recipe.epochs {
        let measurement = step(&mut lookout, &mut trainer, epoch, backend)?;
        let mut outputs = None;
        let mut wrong = |trainer: &Trainer, r: usize| -> Result<Vec<(usize, u32)>, StudyError> {
            if outputs.is_none() {
                outputs = Some(trainer.outputs()?);
            }
            let all = outputs.as_deref().unwrap_or_default();
            let own = all.len() / count;
            Ok(own_set(&all[r * own..(r + 1) * own], r, &training))
        };
        for r in 0..count {
            let record = record(&measurement, r, epoch);
            radii[r].extend(record.metrics.get(leading));
            if !records {
                kept[r].clear();
            }
            kept[r].push(record);
            if halts[r].is_none() && stops(&radii[r], epoch) {
                halts[r] = Some(Halt {
                    epoch,
                    error: measurement.error[r],
                    set: wrong(&trainer, r)?.into_iter().map(|(place, _)| place).collect(),
                });
            }
        }
        if sets_at.binary_search(&epoch).is_ok() {
            let of_replicas: Result<_, _> = (0..count).map(|r| wrong(&trainer, r)).collect();
            sets.push(of_replicas?);
            errors.push(measurement.error.clone());
        }
        let mean = measurement.error.iter().sum::<f64>() / measurement.error.len() as f64;
        if !tell(epoch, mean) && epoch < recipe.epochs {
            return Err(StudyError::Interrupted);
        }
    }
    Ok(Followed {
        records: kept,
        stops: halts,
        sets,
        errors,
        parameters: trainer.parameters()?,
        courses: lookout.map(Lookout::courses).unwrap_or_default(),
    })
}

fn record(measurement: &Measurement, r: usize, epoch: usize) -> EpochRecord {
    EpochRecord {
        epoch,
        train_loss: measurement.loss[r],
        train_error: measurement.error[r],
        test_error: None,
        metrics: metrics(measurement, r),
    }
}

/// What a replica's outputs misclassify among the samples that count in it, and as what.
fn own_set(outputs: &[f64], r: usize, training: &Training) -> Vec<(usize, u32)> {
    let cols = training.recipe.architecture.outputs;
    let rows = training.data.train_labels.len();
    let own = r * rows..(r + 1) * rows;
    let labels = training
        .labels
        .map_or(training.data.train_labels.as_slice(), |all| &all[own.clone()]);
    let mut wrong = misclassified(outputs, cols, labels);
    if let Some(weights) = training.weights.map(|all| &all[own]) {
        wrong.retain(|&place| weights[place] > 0.0);
    }
    let said = |place| (place, said(&outputs[place * cols..(place + 1) * cols]));
    wrong.into_iter().map(said).collect()
}

/// The class of the largest output, the first of equals; with one output, 1 if it is positive.
fn said(row: &[f64]) -> u32 {
    match row {
        [only] => u32::from(*only > 0.0),
        row => {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            row.iter().position(|&v| v == largest).unwrap_or(0) as u32
        }
    }
}
