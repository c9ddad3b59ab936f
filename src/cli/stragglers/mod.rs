//! `disentangle stragglers <study>`: one file per study.

mod desk;
mod find;
mod given;
mod progress;

use clap::{Args, Subcommand};

use super::error::CliError;
use given::Given;

/// The options of `stragglers`.
#[derive(Args)]
pub struct StragglersOptions {
    #[command(subcommand)]
    study: Study,
}

/// Each takes the options of `inversion` too.
#[derive(Subcommand)]
enum Study {
    /// The stragglers of each replica, and how far the replicas agree
    #[command(allow_negative_numbers = true)]
    Find(Box<Given<find::Options>>),
}

/// Runs the subcommand.
///
/// # Errors
/// As [`inversion`](super::inversion::run).
pub fn run(options: StragglersOptions) -> Result<(), CliError> {
    match options.study {
        Study::Find(given) => find::run(*given),
    }
}
