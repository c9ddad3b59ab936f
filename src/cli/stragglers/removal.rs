//! `disentangle stragglers removal`.

use clap::Args;
use disentangle::study::stragglers::removal;
use serde::{Deserialize, Serialize};

use super::super::error::CliError;
use super::super::options::{InversionOptions, count};
use super::desk::Desk;
use super::given::{Given, Own};

/// Controls.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// Random removals per replica, as a control [3]
    #[arg(long, value_name = "N", help_heading = "Study", value_parser = count)]
    pub draws: Option<usize>,
}

impl Own for Options {
    const STUDY: &'static str = "removal";

    fn complete(self, common: InversionOptions) -> Result<(Options, InversionOptions), CliError> {
        let embedded = common.data.is_none();
        let own = Options {
            draws: Some(self.draws.unwrap_or(3)),
        };
        let common = InversionOptions {
            replicas: Some(common.replicas.unwrap_or(10)),
            epochs: common.epochs.or((!embedded).then_some(300)),
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
    let found = desk.work(|bench| removal::run(bench, own.draws.unwrap_or_default()))?;
    desk.close(&removal::findings(&found))
}
