//! Interruptions and checkpoints: SIGINT and SIGTERM end a run after the epoch at hand with a checkpoint, and one is
//! written every 30 s besides, so that even SIGKILL loses no more.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use disentangle::study::StudyError;
use disentangle::study::checkpoint::Checkpoint;
use disentangle::study::follow::Follow;
use disentangle::study::harvest::Harvest;
use disentangle::study::inversion::{Progress, Watcher, Wish};
use disentangle::study::keep::{Keeps, Kept};

use super::error::CliError;
use super::progress::Reporter;

/// Longest time between checkpoints, in seconds.
const LONGEST_INTERVAL: f64 = 30.0;

/// The time between checkpoints that was asked for.
///
/// # Errors
/// [`CliError::Input`] unless it is positive and at most 30 s.
pub fn interval(seconds: Option<f64>) -> Result<Duration, CliError> {
    match seconds.unwrap_or(LONGEST_INTERVAL) {
        seconds if seconds > 0.0 && seconds <= LONGEST_INTERVAL => Ok(Duration::from_secs_f64(seconds)),
        seconds => Err(CliError::Input(format!(
            "--checkpoint-every {seconds}: expected above 0 and at most 30 seconds"
        ))),
    }
}

/// A flag that SIGINT and SIGTERM set from now on.
///
/// # Errors
/// [`CliError::Failed`] if the signals cannot be caught.
pub fn signals() -> Result<Arc<AtomicBool>, CliError> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = interrupted.clone();
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))
        .map_err(|cause| CliError::Failed(format!("cannot catch signals: {cause}")))?;
    Ok(interrupted)
}

/// Watches a run: progress, signals, checkpoints, what is kept.
pub struct Guard<'a> {
    harvest: &'a Harvest,
    follow: Follow,
    reporter: Reporter,
    replicas: usize,
    path: PathBuf,
    interrupted: Arc<AtomicBool>,
    interval: Duration,
    last: Instant,
}

impl<'a> Guard<'a> {
    /// A guard that writes checkpoints to `path`, what is kept by `harvest`, and follows metrics.
    ///
    /// # Errors
    /// [`CliError::Failed`] if the signals cannot be caught.
    pub fn new(
        reporter: Reporter,
        replicas: usize,
        path: PathBuf,
        interval: Duration,
        harvest: &'a Harvest,
        follow: Follow,
    ) -> Result<Guard<'a>, CliError> {
        Ok(Guard {
            harvest,
            follow,
            reporter,
            replicas,
            path,
            interrupted: signals()?,
            interval,
            last: Instant::now(),
        })
    }
}

impl Watcher for Guard<'_> {
    fn epoch(&mut self, progress: Progress) -> Wish {
        self.reporter.tell(progress, self.replicas);
        if self.interrupted.load(Ordering::Relaxed) {
            Wish::Interrupt
        } else if self.last.elapsed() >= self.interval {
            Wish::Checkpoint
        } else {
            Wish::Continue
        }
    }

    fn films(&self) -> bool {
        true
    }

    fn keeps(&self) -> Keeps {
        self.harvest.keeps().clone()
    }

    fn follows(&self) -> Follow {
        self.follow.clone()
    }

    fn keep(&mut self, kept: Kept) -> Result<(), StudyError> {
        Ok(self.harvest.keep(kept)?)
    }

    fn save(&mut self, checkpoint: &Checkpoint) -> Result<(), StudyError> {
        self.last = Instant::now();
        checkpoint.save(&self.path)
    }
}
