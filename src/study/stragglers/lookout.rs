//! Follows metrics beside a training that is done for something else.

use super::super::course::Course;
use super::super::error::StudyError;
use super::super::follow::{Follow, Own};
use super::super::inversion::{columns, concluded, metrics};
use super::super::outcome::{EpochRecord, MetricColumn, ReplicaOutcome};
use crate::backend::Backend;
use crate::nn::network::Parameters;
use crate::train::{Measurement, Recipe, Trainer};

/// Looks at a trainer after every epoch.
pub(super) struct Lookout<'a> {
    follow: &'a Follow,
    own: Own<'a>,
    columns: Vec<MetricColumn>,
    epochs: usize,
    replicas: Vec<ReplicaOutcome>,
}

impl<'a> Lookout<'a> {
    /// On the training of a recipe on samples as the replicas have them; `None` if nothing is followed.
    pub fn on(follow: &'a Follow, recipe: &Recipe, own: Own<'a>) -> Option<Lookout<'a>> {
        let replica = |&replica: &u64| ReplicaOutcome {
            replica,
            records: Vec::new(),
            stop: None,
            extrema: Vec::new(),
        };
        (!follow.is_empty()).then(|| Lookout {
            follow,
            own,
            columns: columns(recipe.classes, &recipe.layers, follow),
            epochs: recipe.epochs,
            replicas: recipe.replicas.iter().map(replica).collect(),
        })
    }

    /// After a measurement: takes radii and distances, and what is followed if it is time. `parameters` are those that were measured.
    fn look(
        &mut self,
        trainer: &Trainer,
        epoch: usize,
        measurement: &Measurement,
        parameters: Option<&Parameters>,
        backend: &dyn Backend,
    ) -> Result<(), StudyError> {
        let followed = if self.follow.is_due(epoch, self.epochs) {
            self.follow.look(trainer, self.own, parameters, backend)?
        } else {
            vec![Vec::new(); self.replicas.len()]
        };
        for (r, (replica, followed)) in self.replicas.iter_mut().zip(followed).enumerate() {
            let mut values = [metrics(measurement, r), followed].concat();
            values.resize(self.columns.len(), f64::NAN);
            replica.records.push(EpochRecord {
                epoch,
                train_loss: measurement.loss[r],
                train_error: measurement.error[r],
                test_error: None,
                metrics: values,
            });
        }
        Ok(())
    }

    /// What the metrics of each replica did.
    pub fn courses(self) -> Vec<Course> {
        let due = |epoch| self.follow.is_due(epoch, self.epochs);
        let outcome = concluded(Vec::new(), self.columns, self.replicas);
        let replicas = outcome.replicas.iter();
        replicas
            .map(|replica| Course::of(replica, &outcome.columns, due))
            .collect()
    }
}

/// Measures a trainer after `epoch` of its epochs, takes the next step unless it was the last, and lets a lookout see it.
///
/// # Errors
/// [`StudyError::Train`]
pub(super) fn step(
    lookout: &mut Option<Lookout>,
    trainer: &mut Trainer,
    epoch: usize,
    backend: &dyn Backend,
) -> Result<Measurement, StudyError> {
    let epochs = trainer.recipe().epochs;
    // The step moves them.
    let reads = |lookout: &Lookout| lookout.follow.is_due(epoch, epochs) && lookout.follow.needs_parameters();
    let parameters = lookout.as_ref().is_some_and(reads).then(|| trainer.parameters());
    let parameters = parameters.transpose()?;
    let measurement = if epoch < epochs {
        trainer.advance()?
    } else {
        trainer.measure()?
    };
    if let Some(lookout) = lookout {
        lookout.look(trainer, epoch, &measurement, parameters.as_ref(), backend)?;
    }
    Ok(measurement)
}
