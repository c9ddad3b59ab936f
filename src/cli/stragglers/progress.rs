//! Progress of a study on standard error, and the signals that end it.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use disentangle::study::stragglers::{Progress, Watcher};
use indicatif::{ProgressBar, ProgressStyle};

use super::super::error::CliError;

/// Where there is no terminal: at least this long between lines, unless a part ends.
const QUIET: Duration = Duration::from_secs(10);

/// Watches a study.
pub struct Guard {
    bar: Option<ProgressBar>,
    silent: bool,
    last: Instant,
    interrupted: Arc<AtomicBool>,
}

impl Guard {
    /// Catches SIGINT and SIGTERM from now on.
    ///
    /// # Errors
    /// [`CliError::Failed`] if they cannot be caught.
    pub fn new(silent: bool) -> Result<Guard, CliError> {
        let interrupted = Arc::new(AtomicBool::new(false));
        let flag = interrupted.clone();
        ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))
            .map_err(|cause| CliError::Failed(format!("cannot catch signals: {cause}")))?;
        let bar = (!silent && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(0);
            if let Ok(style) = ProgressStyle::with_template("{wide_bar} epoch {pos}/{len}  {msg}") {
                bar.set_style(style);
            }
            bar
        });
        Ok(Guard {
            bar,
            silent,
            last: Instant::now(),
            interrupted,
        })
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Watcher for Guard {
    fn epoch(&mut self, progress: Progress) -> bool {
        let Progress {
            doing,
            part,
            parts,
            epoch,
            epochs,
            train_error,
        } = progress;
        let part = part + 1;
        if let Some(bar) = &self.bar {
            bar.set_length(epochs as u64);
            bar.set_position(epoch as u64);
            bar.set_message(format!("{doing}, part {part} of {parts}  train error {train_error:.4}"));
        } else if !self.silent && (epoch == epochs || self.last.elapsed() >= QUIET) {
            self.last = Instant::now();
            let _ = writeln!(
                std::io::stderr(),
                "{doing}, part {part} of {parts}: epoch {epoch}/{epochs}  train error {train_error:.4}"
            );
        }
        !self.interrupted.load(Ordering::Relaxed)
    }
}
