//! Progress on standard error: a bar on a terminal, a plain line every tenth of the way elsewhere.

use std::io::{IsTerminal, Write};

use disentangle::study::inversion::Progress;
use indicatif::{ProgressBar, ProgressStyle};

/// Shows how far a run is.
pub enum Reporter {
    /// On a terminal.
    Bar(ProgressBar),
    /// Elsewhere: how many tenths have been told.
    Lines(usize),
    /// With `--quiet`.
    Silent,
}

impl Reporter {
    /// A reporter for a run of `epochs` epochs.
    pub fn new(epochs: usize, quiet: bool) -> Reporter {
        if quiet {
            return Reporter::Silent;
        }
        if !std::io::stderr().is_terminal() {
            return Reporter::Lines(0);
        }
        let bar = ProgressBar::new(epochs as u64);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} epoch {pos}/{len}  {msg}  {eta} left") {
            bar.set_style(style);
        }
        Reporter::Bar(bar)
    }

    /// Tells of an epoch.
    pub fn tell(&mut self, progress: Progress, replicas: usize) {
        let Progress {
            epoch,
            epochs,
            train_error,
            stopped,
        } = progress;
        let message = format!("train error {train_error:.4}  inverted {stopped}/{replicas}");
        match self {
            Reporter::Bar(bar) => {
                bar.set_position(epoch as u64);
                bar.set_message(message);
                if epoch == epochs {
                    bar.finish_and_clear();
                }
            }
            Reporter::Lines(told) => {
                let tenths = (10 * epoch).checked_div(epochs).unwrap_or(10);
                if tenths > *told || epoch == 0 {
                    *told = tenths;
                    let _ = writeln!(std::io::stderr(), "epoch {epoch}/{epochs}  {message}");
                }
            }
            Reporter::Silent => {}
        }
    }
}
