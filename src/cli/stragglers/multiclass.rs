//! `disentangle stragglers multiclass`.

use clap::Args;
use disentangle::study::stragglers::multiclass;
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
    const STUDY: &'static str = "multiclass";

    fn complete(self, common: InversionOptions) -> Result<(Options, InversionOptions), CliError> {
        let labels = common.labels.or_else(|| Some("all".into()));
        Ok((self, InversionOptions { labels, ..common }))
    }
}

/// Runs the study.
///
/// # Errors
/// As [`inversion`](super::super::inversion::run).
pub fn run(given: Given<Options>) -> Result<(), CliError> {
    let (mut desk, _) = Desk::open(given)?;
    let study = desk.work(multiclass::run)?;
    desk.close(&multiclass::findings(&study))
}
