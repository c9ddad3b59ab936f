//! `disentangle stragglers find`.

use clap::Args;
use disentangle::study::stragglers::find;
use serde::{Deserialize, Serialize};

use super::super::error::CliError;
use super::super::options::InversionOptions;
use super::desk::Desk;
use super::given::{Given, Own};

/// It has no options of its own.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {}

impl Own for Options {
    const STUDY: &'static str = "find";

    fn complete(self, common: InversionOptions) -> Result<(Options, InversionOptions), CliError> {
        Ok((self, common))
    }
}

/// Runs the study.
///
/// # Errors
/// As [`inversion`](super::super::inversion::run).
pub fn run(given: Given<Options>) -> Result<(), CliError> {
    let (mut desk, _) = Desk::open(given)?;
    let outcome = desk.work(find::run)?;
    let findings = find::findings(&outcome, &desk.data);
    desk.close(&findings)
}
