//! The restarts of Coloured MNIST, one after the other: a run of hours that may be interrupted.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use disentangle::backend::Backend;
use disentangle::data::Dataset;
use disentangle::study::modes::coloured_mnist::{self, ARMS, RECORD_EVERY, TRAIN_IMAGES, environments};
use disentangle::study::modes::findings::Findings;
use disentangle::study::modes::restarts::{finish, finished, halt, halted};

use crate::cli::error::CliError;
use crate::cli::guard;

/// Time between checkpoints.
const INTERVAL: Duration = Duration::from_secs(30);

/// Checks that the data are MNIST's in size.
///
/// # Errors
/// [`CliError::Input`]
pub fn check(dataset: &Dataset) -> Result<(), CliError> {
    let images = &dataset.train;
    if images.count > TRAIN_IMAGES && (images.channels, images.height, images.width) == (1, 28, 28) {
        return Ok(());
    }
    Err(CliError::Input(format!(
        "--data: {} training images of {} x {} pixels, expected MNIST's 60000 of 28 x 28",
        images.count, images.height, images.width
    )))
}

/// Trains what the folder lacks, and reads the rest.
///
/// # Errors
/// [`CliError::Interrupted`] after a signal, with a checkpoint; those of training and writing.
pub fn run(
    restarts: u64,
    seed: u64,
    dataset: &Dataset,
    backend: &dyn Backend,
    folder: &Path,
    tell: &mut dyn FnMut(&str),
) -> Result<Findings, CliError> {
    let signal = guard::signals()?;
    let mut curves = Vec::new();
    for restart in 0..restarts {
        let mut environments_of = None;
        for arm in ARMS {
            if let Some(curve) = finished(folder, arm, restart, arm.steps())? {
                curves.push((arm, restart, curve));
                continue;
            }
            let (train, test) = match &mut environments_of {
                Some(made) => made,
                none => none.insert(environments(&dataset.train, TRAIN_IMAGES, seed, restart)?),
            };
            let from = halted(folder, arm, restart)?;
            let mut last = Instant::now();
            let mut told = 0;
            let curve = coloured_mnist::run(
                arm,
                (train, test),
                arm.steps(),
                (seed, restart),
                from,
                backend,
                &mut |descent, curve| {
                    let steps = descent.steps();
                    if let Some(point) = curve
                        .last()
                        .filter(|p| p.step == steps && steps.is_multiple_of(2 * RECORD_EVERY))
                        && told != steps
                    {
                        told = steps;
                        tell(&format!(
                            "{} {restart}  step {steps}/{}  train {:.4}  test {:.4}",
                            arm.name(),
                            arm.steps(),
                            point.train_accuracy,
                            point.test_accuracy
                        ));
                    }
                    let stopping = signal.load(Ordering::Relaxed);
                    if stopping || last.elapsed() >= INTERVAL {
                        halt(folder, arm, restart, descent, curve)?;
                        last = Instant::now();
                    }
                    Ok(!stopping)
                },
            )?;
            if signal.load(Ordering::Relaxed) && curve.last().is_none_or(|p| p.step < arm.steps()) {
                return Err(CliError::Interrupted("modes starvation".into(), folder.to_owned()));
            }
            finish(folder, arm, restart, &curve)?;
            curves.push((arm, restart, curve));
        }
    }
    Ok(coloured_mnist::findings(&curves, &dataset.name))
}
