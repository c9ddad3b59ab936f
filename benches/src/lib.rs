//! The work that is timed, written once: by the criterion benches and by `epoch_peer`, our side of the comparison with
//! other libraries.
//!
//! The straggler epoch of Ciceri et al. (Nat. Mach. Intell. 2024): one full-batch step of R networks 784-20(tanh)-2 with
//! softmax cross-entropy, and of every network the training loss, the training error and the gyration radius of each
//! class on the unit-normalised hidden layer.

pub mod peer;

use std::fmt;

use disentangle::backend::Backend;
use disentangle::data::DataError;
use disentangle::data::synthetic::gaussian_classes;
use disentangle::geometry::gyration_radius;
use disentangle::nn::network::Parameters;
use disentangle::nn::{Activation, Architecture, Loss, NnError, Optimizer, Schedule};
use disentangle::study::StudyError;
use disentangle::train::{Batch, Measurement, Recipe, Samples, TrainError, Trainer};

/// Rows of the full batch.
pub const ROWS: usize = 8192;
/// Pixels of a row.
pub const INPUTS: usize = 784;
/// Hidden units.
pub const HIDDEN: usize = 20;
/// Classes, and outputs.
pub const CLASSES: usize = 2;

/// Why the work cannot be prepared or done.
#[derive(Debug)]
pub enum WorkError {
    /// The command line or a request is not as expected.
    Usage(String),
    /// Data or weights cannot be read.
    Data(DataError),
    /// Weights do not fit.
    Weights(NnError),
    /// The samples cannot be prepared.
    Study(StudyError),
    /// The trainer refuses.
    Train(TrainError),
    /// The backend cannot start.
    Backend(String),
}

impl fmt::Display for WorkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WorkError::Usage(line) | WorkError::Backend(line) => f.write_str(line),
            WorkError::Data(error) => error.fmt(f),
            WorkError::Weights(error) => error.fmt(f),
            WorkError::Study(error) => error.fmt(f),
            WorkError::Train(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for WorkError {}

impl From<DataError> for WorkError {
    fn from(error: DataError) -> Self {
        WorkError::Data(error)
    }
}

impl From<NnError> for WorkError {
    fn from(error: NnError) -> Self {
        WorkError::Weights(error)
    }
}

impl From<StudyError> for WorkError {
    fn from(error: StudyError) -> Self {
        WorkError::Study(error)
    }
}

impl From<TrainError> for WorkError {
    fn from(error: TrainError) -> Self {
        WorkError::Train(error)
    }
}

/// The recipe of the straggler epoch for replicas 0..R, learning rate 0.1.
///
/// # Errors
/// [`WorkError::Weights`] never in practice: plain SGD has no number that could be out of range.
pub fn recipe(replicas: usize) -> Result<Recipe, WorkError> {
    Ok(Recipe {
        architecture: Architecture {
            inputs: INPUTS,
            hidden: vec![HIDDEN],
            outputs: CLASSES,
            activation: Activation::Tanh,
            bias: true,
        },
        classes: CLASSES,
        loss: Loss::CrossEntropy,
        l2: 0.0,
        entanglement: None,
        rule: Optimizer::Sgd.rule(0.0, 0.0)?,
        learning_rate: 0.1,
        schedule: Schedule::default(),
        epochs: usize::MAX,
        batch: Batch::Full,
        seed: 1,
        replicas: (0..replicas as u64).collect(),
        layers: vec![0],
    })
}

/// Two Gaussian clouds of [`ROWS`] rows in all, in turns, so that no file is needed: features `[ROWS, INPUTS]`, labels.
pub fn clouds() -> (Vec<f64>, Vec<u32>) {
    let (sorted, _) = gaussian_classes(1, CLASSES as u32, ROWS / CLASSES, INPUTS, 3.0);
    let (mut features, mut labels) = (Vec::with_capacity(sorted.len()), Vec::with_capacity(ROWS));
    for row in 0..ROWS {
        let (class, member) = (row % CLASSES, row / CLASSES);
        let start = (class * (ROWS / CLASSES) + member) * INPUTS;
        features.extend_from_slice(&sorted[start..start + INPUTS]);
        labels.push(class as u32);
    }
    (features, labels)
}

/// What an epoch leaves of one replica.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    /// Training loss.
    pub loss: f64,
    /// Misclassified fraction of the training rows.
    pub error: f64,
    /// Gyration radius of each class.
    pub radii: [f64; CLASSES],
}

/// R networks in training.
pub struct Work {
    trainer: Trainer,
}

impl Work {
    /// From samples and initial weights.
    ///
    /// # Errors
    /// [`WorkError::Train`]
    pub fn new(
        recipe: Recipe,
        samples: Samples,
        initial: &Parameters,
        backend: &dyn Backend,
    ) -> Result<Work, WorkError> {
        Ok(Work {
            trainer: Trainer::new(recipe, samples, None, initial, backend)?,
        })
    }

    /// One epoch: the state of each replica before it, and a step.
    ///
    /// # Errors
    /// [`WorkError::Train`]
    pub fn epoch(&mut self) -> Result<Vec<State>, WorkError> {
        Ok(states(&self.trainer.advance()?))
    }

    /// The state of each replica now.
    ///
    /// # Errors
    /// [`WorkError::Train`]
    pub fn measure(&mut self) -> Result<Vec<State>, WorkError> {
        Ok(states(&self.trainer.measure()?))
    }
}

fn states(measurement: &Measurement) -> Vec<State> {
    let layer = measurement.moments.iter().flatten();
    let replicas = layer.zip(&measurement.loss).zip(&measurement.error);
    replicas
        .map(|((classes, &loss), &error)| {
            let mut radii = [f64::NAN; CLASSES];
            radii
                .iter_mut()
                .zip(classes)
                .for_each(|(r, moments)| *r = gyration_radius(moments));
            State { loss, error, radii }
        })
        .collect()
}
