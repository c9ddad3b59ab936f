//! `disentangle stragglers generalisation`.

use clap::Args;
use disentangle::study::stragglers::generalisation::{self, Arm, Question};
use serde::{Deserialize, Serialize};

use super::super::config::text;
use super::super::error::CliError;
use super::super::options::{InversionOptions, count, real};
use super::desk::Desk;
use super::given::{Given, Own};

const ARMS: &str = "\
Of removed, random, kept, kept-random, relabelled, separated by
commas [all]";

/// Which networks are trained and how they are tested.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// Which networks are trained
    #[arg(long, value_name = "ARM,...", help_heading = "Study", help = ARMS)]
    #[serde(deserialize_with = "text")]
    pub arms: Option<String>,
    /// Deviation of the noise on the standardised test samples [1]
    #[arg(long, value_name = "S", help_heading = "Study", value_parser = real, allow_hyphen_values = true)]
    pub noise: Option<f64>,
    /// Epochs of the training that gives the sets [50 on the digits, 300 with --data]
    #[arg(long, value_name = "N", help_heading = "Study", value_parser = count)]
    pub identify_epochs: Option<usize>,
}

impl Options {
    fn question(&self) -> Result<Question, CliError> {
        let text = self.arms.as_deref().unwrap_or_default();
        let arms: Result<Vec<Arm>, _> = text.split(',').map(|word| word.trim().parse()).collect();
        let arms = arms.map_err(|error| CliError::Input(format!("--arms: {error}")))?;
        if let Some(arm) = arms
            .iter()
            .enumerate()
            .find(|(n, arm)| arms.iter().take(*n).any(|before| before == *arm))
        {
            return Err(CliError::Input(format!(
                "--arms '{text}': {} twice, expected once",
                arm.1
            )));
        }
        let noise = self.noise.unwrap_or_default();
        if !(noise.is_finite() && noise >= 0.0) {
            return Err(CliError::Input(format!("--noise {noise}: expected at least 0")));
        }
        let identify_epochs = self.identify_epochs.unwrap_or_default();
        if identify_epochs < 2 {
            return Err(CliError::Input(format!(
                "--identify-epochs {identify_epochs}: expected at least 2"
            )));
        }
        Ok(Question {
            identify_epochs,
            noise,
            arms,
        })
    }
}

impl Own for Options {
    const STUDY: &'static str = "generalisation";

    fn complete(self, common: InversionOptions) -> Result<(Options, InversionOptions), CliError> {
        let embedded = common.data.is_none();
        let all = || Arm::ALL.map(|arm| arm.to_string()).join(",");
        let own = Options {
            arms: Some(self.arms.unwrap_or_else(all)),
            noise: Some(self.noise.unwrap_or(1.0)),
            identify_epochs: Some(self.identify_epochs.unwrap_or(if embedded { 50 } else { 300 })),
        };
        own.question()?;
        let common = InversionOptions {
            replicas: Some(common.replicas.unwrap_or(if embedded { 2 } else { 10 })),
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
    let question = own.question()?;
    let found = desk.work(|bench| generalisation::run(bench, &question))?;
    desk.close(&generalisation::findings(&found))
}
