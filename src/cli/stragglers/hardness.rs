//! `disentangle stragglers hardness`.

use clap::Args;
use disentangle::study::stragglers::hardness;
use serde::{Deserialize, Serialize};

use super::super::error::CliError;
use super::super::options::InversionOptions;
use super::super::resolve;
use super::desk::Desk;
use super::given::{Given, Own};

/// When EL2N is taken.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// Epoch at which EL2N is taken [10]
    #[arg(long, value_name = "T", help_heading = "Scores")]
    pub early: Option<usize>,
}

impl Own for Options {
    const STUDY: &'static str = "hardness";

    fn complete(self, common: InversionOptions) -> Result<(Options, InversionOptions), CliError> {
        let early = self.early.unwrap_or(10);
        let epochs = resolve::defaults(common.clone()).epochs.unwrap_or_default();
        if early > epochs {
            let line = format!("--early {early}: expected an epoch up to --epochs {epochs}");
            return Err(CliError::Input(line));
        }
        Ok((Options { early: Some(early) }, common))
    }
}

/// Runs the study.
///
/// # Errors
/// As [`inversion`](super::super::inversion::run).
pub fn run(given: Given<Options>) -> Result<(), CliError> {
    let (mut desk, own) = Desk::open(given)?;
    let early = own.early.unwrap_or_default();
    let study = desk.work(|bench| hardness::run(bench, early))?;
    desk.close(&hardness::findings(&study))
}
