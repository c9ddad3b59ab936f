//! `disentangle stragglers stability`.

use clap::Args;
use disentangle::study::stragglers::stability;
use serde::{Deserialize, Serialize};

use super::super::config::text;
use super::super::error::CliError;
use super::super::options::{InversionOptions, count};
use super::desk::Desk;
use super::given::{Given, Own};

/// The released recipe's epochs.
const EPOCHS: &str = "5,10,15,20,25,30,35,40,45,50,55,60,65";

/// Pairs of networks at some epochs.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// Pairs of independent networks [50 on the digits, 500 with --data]
    #[arg(long, value_name = "N", help_heading = "Study", value_parser = count)]
    pub pairs: Option<usize>,
    /// Epochs at which they are compared [5,10,...,65]
    #[arg(long, value_name = "T,...", help_heading = "Study")]
    #[serde(deserialize_with = "text")]
    pub at: Option<String>,
    /// Resamples for error bars [1000]
    #[arg(long, value_name = "N", help_heading = "Study", value_parser = count)]
    pub resamples: Option<usize>,
}

impl Options {
    /// The epochs at which pairs are compared.
    fn epochs(&self) -> Result<Vec<usize>, CliError> {
        let text = self.at.as_deref().unwrap_or(EPOCHS);
        let epochs: Option<Vec<usize>> = text.split(',').map(|word| word.trim().parse().ok()).collect();
        epochs
            .filter(|epochs| epochs.is_sorted_by(|a, b| a < b))
            .ok_or_else(|| CliError::Input(format!("--at '{text}': expected ascending epochs separated by commas")))
    }
}

impl Own for Options {
    const STUDY: &'static str = "stability";

    fn complete(self, common: InversionOptions) -> Result<(Options, InversionOptions), CliError> {
        let embedded = common.data.is_none();
        let pairs = self.pairs.unwrap_or(if embedded { 50 } else { 500 });
        let own = Options {
            pairs: Some(pairs),
            at: Some(self.at.unwrap_or_else(|| EPOCHS.into())),
            resamples: Some(self.resamples.unwrap_or(1000)),
        };
        let last = own.epochs()?.last().copied().unwrap_or_default();
        if let Some(epochs) = common.epochs.filter(|&epochs| epochs < last) {
            return Err(CliError::Input(format!(
                "--epochs {epochs}: expected at least {last}, the last epoch of --at"
            )));
        }
        if pairs < 2 {
            return Err(CliError::Input(format!("--pairs {pairs}: expected at least 2")));
        }
        // The outermost fortieths of the resamples are cut off.
        if let Some(resamples) = own.resamples.filter(|&resamples| resamples < 100) {
            return Err(CliError::Input(format!(
                "--resamples {resamples}: expected at least 100"
            )));
        }
        let networks = pairs.saturating_mul(2);
        if let Some(replicas) = common.replicas.filter(|&replicas| replicas != networks) {
            return Err(CliError::Input(format!(
                "--replicas {replicas}: expected none, --pairs {pairs} are {networks} replicas"
            )));
        }
        let common = InversionOptions {
            replicas: Some(networks),
            epochs: Some(common.epochs.unwrap_or(last)),
            lr: common.lr.or((!embedded).then_some(0.2)),
            ..common
        };
        Ok((own, common))
    }
}

/// Runs the study.
///
/// # Errors
/// As [`inversion`](super::super::inversion::run).
pub fn run(given: Given<Options>) -> Result<(), CliError> {
    let (mut desk, own) = Desk::open(given)?;
    let epochs = own.epochs()?;
    let found = desk.work(|bench| stability::run(bench, &epochs))?;
    let scores = stability::scores(&found, own.resamples.unwrap_or_default(), desk.recipe.seed);
    desk.close(&stability::findings(&found, &scores))
}
