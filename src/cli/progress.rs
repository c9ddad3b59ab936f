//! Progress on standard error: a bar on a terminal, a plain line every tenth of the way elsewhere.

use std::io::{IsTerminal, Write};

use disentangle::study::inversion::Progress;
use indicatif::{ProgressBar, ProgressStyle};

/// Shows how far a run is.
pub struct Reporter {
    form: Form,
    /// `epoch`, `step`
    unit: &'static str,
}

enum Form {
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
        Reporter::of("epoch", epochs, quiet)
    }

    /// A reporter for a run of so many units.
    pub fn of(unit: &'static str, length: usize, quiet: bool) -> Reporter {
        let form = if quiet {
            Form::Silent
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(length as u64);
            let template = format!("{{wide_bar}} {unit} {{pos}}/{{len}}  {{msg}}  {{eta}} left");
            if let Ok(style) = ProgressStyle::with_template(&template) {
                bar.set_style(style);
            }
            Form::Bar(bar)
        } else {
            Form::Lines(0)
        };
        Reporter { form, unit }
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
        self.show(epoch, epochs, &message);
    }

    /// Tells that `done` of `length` are done.
    pub fn show(&mut self, done: usize, length: usize, message: &str) {
        match &mut self.form {
            Form::Bar(bar) => {
                bar.set_position(done as u64);
                bar.set_message(message.to_string());
                if done == length {
                    bar.finish_and_clear();
                }
            }
            Form::Lines(told) => {
                let tenths = (10 * done).checked_div(length).unwrap_or(10);
                if tenths > *told || done == 0 {
                    *told = tenths;
                    let _ = writeln!(std::io::stderr(), "{} {done}/{length}  {message}", self.unit);
                }
            }
            Form::Silent => {}
        }
    }
}
