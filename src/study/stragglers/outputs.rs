//! Training with the outputs on all training samples seen after every epoch.

use super::super::course::Course;
use super::super::error::StudyError;
use super::super::follow::Own;
use super::super::inversion::{leading, metrics, turning_columns};
use super::lookout::{Lookout, step};
use super::{Bench, Progress};
use crate::train::{Extras, Trainer};

/// What is seen after an epoch.
pub(super) struct Seen<'a> {
    /// The epoch.
    pub epoch: usize,
    /// Place of the network among the recipe's.
    pub network: usize,
    /// Its outputs, `[samples, outputs]`.
    pub outputs: &'a [f64],
    /// Its training error.
    pub error: f64,
    /// The radius of class 0, by which the released recipe stops.
    pub radius: f64,
}

/// Trains the bench's networks; `see` sees each of them after each epoch. Returns what the metrics of each did, if any are
/// followed.
///
/// # Errors
/// [`StudyError::Interrupted`] if the watcher wishes so; [`StudyError::Train`].
pub(super) fn each_epoch(
    bench: &mut Bench,
    (doing, part, parts): (&str, usize, usize),
    see: &mut dyn FnMut(Seen),
) -> Result<Vec<Course>, StudyError> {
    let Bench {
        recipe,
        data,
        initial,
        backend,
        watcher,
        follow,
        ..
    } = bench;
    let extras = Extras {
        holds_hidden: !follow.is_empty(),
        ..Extras::default()
    };
    let mut trainer = Trainer::with((*recipe).clone(), data.train(), initial, *backend, extras)?;
    let own = Own {
        labels: &data.train_labels,
        weights: None,
        relabelled: None,
    };
    let mut lookout = Lookout::on(follow, recipe, own);
    let leading = leading(&turning_columns(recipe.classes, &recipe.layers), &recipe.layers);
    let count = recipe.replicas.len();
    for epoch in 0..=recipe.epochs {
        let measurement = step(&mut lookout, &mut trainer, epoch, *backend)?;
        let outputs = trainer.outputs()?;
        for (network, own) in outputs.chunks_exact((outputs.len() / count).max(1)).enumerate() {
            see(Seen {
                epoch,
                network,
                outputs: own,
                error: measurement.error[network],
                radius: metrics(&measurement, network).get(leading).copied().unwrap_or(f64::NAN),
            });
        }
        let train_error = measurement.error.iter().sum::<f64>() / count as f64;
        let goes_on = watcher.epoch(Progress {
            doing,
            part,
            parts,
            epoch,
            epochs: recipe.epochs,
            train_error,
        });
        if !goes_on && epoch < recipe.epochs {
            return Err(StudyError::Interrupted);
        }
    }
    Ok(lookout.map(Lookout::courses).unwrap_or_default())
}

/// The class of the largest output, the first of equals; with one output, 1 if it is positive. `None` for a row that is
/// not a number, which agrees with nobody.
pub(super) fn said(row: &[f64]) -> Option<u32> {
    if row.iter().any(|v| v.is_nan()) {
        return None;
    }
    match row {
        [only] => Some(u32::from(*only > 0.0)),
        row => {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            row.iter().position(|&v| v == largest).map(|class| class as u32)
        }
    }
}

/// The margin of a row: the output of its class minus the largest of the others; of one output y, y or -y.
pub(super) fn margin(row: &[f64], label: u32) -> f64 {
    match row {
        [only] => {
            if label == 1 {
                *only
            } else {
                -only
            }
        }
        row => {
            let own = row.get(label as usize).copied().unwrap_or(f64::NAN);
            let others = row.iter().enumerate().filter(|(class, _)| *class != label as usize);
            own - others.map(|(_, &v)| v).fold(f64::NEG_INFINITY, f64::max)
        }
    }
}

/// Probabilities of the classes: softmax, or (1 - p, p) of one output with p = 1 / (1 + e^-y).
pub(super) fn probabilities(row: &[f64]) -> Vec<f64> {
    match row {
        [only] => {
            let p = 1.0 / (1.0 + (-only).exp());
            vec![1.0 - p, p]
        }
        row => {
            // Shifted by the largest, so that nothing overflows.
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let powers: Vec<f64> = row.iter().map(|v| (v - largest).exp()).collect();
            let sum: f64 = powers.iter().sum();
            powers.into_iter().map(|p| p / sum).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_margins_and_probabilities_of_one_and_more_outputs() {
        assert_eq!(
            (said(&[0.1]), said(&[0.0]), said(&[1.0, 1.0]), said(&[0.0, f64::NAN])),
            (Some(1), Some(0), Some(0), None)
        );
        assert_eq!((margin(&[2.0], 1), margin(&[2.0], 0)), (2.0, -2.0));
        assert_eq!(margin(&[1.0, 4.0, 2.0], 2), -2.0);
        assert_eq!(probabilities(&[0.0]), [0.5, 0.5]);
        // Differences of 1000 leave 1 and e^-1000 = 0.
        assert_eq!(probabilities(&[1000.0, 0.0]), [1.0, 0.0]);
        let p = probabilities(&[2f64.ln(), 0.0]);
        assert!((p[0] - 2.0 / 3.0).abs() < 1e-15);
    }
}
