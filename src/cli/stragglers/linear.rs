//! `disentangle stragglers linear`.

use clap::Args;
use disentangle::study::stragglers::linear::{self, Fitting};
use serde::{Deserialize, Serialize};

use super::super::error::CliError;
use super::super::options::InversionOptions;
use super::desk::Desk;
use super::given::{Given, Own};

/// How the linear predictors are trained.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// Decay (lambda / 2) |w|^2 of the linear predictors [1e-4]
    #[arg(long, value_name = "L", help_heading = "Linear predictors")]
    pub lambda: Option<f64>,
    /// They are trained until the gradient's norm is at most this [1e-6]
    #[arg(long, value_name = "G", help_heading = "Linear predictors")]
    pub gradient_norm: Option<f64>,
}

impl Own for Options {
    const STUDY: &'static str = "linear";

    fn complete(self, common: InversionOptions) -> Result<(Options, InversionOptions), CliError> {
        let positive = |name: &str, value: f64| {
            let fits = value > 0.0 && value.is_finite();
            let line = || CliError::Input(format!("--{name} {value}: expected a positive number"));
            fits.then_some(Some(value)).ok_or_else(line)
        };
        let own = Options {
            lambda: positive("lambda", self.lambda.unwrap_or(1e-4))?,
            gradient_norm: positive("gradient-norm", self.gradient_norm.unwrap_or(1e-6))?,
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
    let fitting = Fitting {
        lambda: own.lambda.unwrap_or_default(),
        gradient_norm: own.gradient_norm.unwrap_or_default(),
    };
    let study = desk.work(|bench| linear::run(bench, fitting))?;
    desk.close(&linear::findings(&study))
}
