//! `disentangle stragglers <study>`: one file per study.

mod desk;
mod find;
mod given;
mod multiclass;
mod progress;
pub mod robustness;
mod sweep_file;

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
    /// A sweep: is the training error at the inversion the same everywhere?
    #[command(allow_negative_numbers = true)]
    Robustness(Box<robustness::Options>),
    /// A radius and an inversion per class; stragglers against class errors
    #[command(allow_negative_numbers = true)]
    Multiclass(Box<Given<multiclass::Options>>),
}

/// Runs the subcommand.
///
/// # Errors
/// As [`inversion`](super::inversion::run).
pub fn run(options: StragglersOptions) -> Result<(), CliError> {
    match options.study {
        Study::Find(given) => find::run(*given),
        Study::Robustness(options) => robustness::run(*options),
        Study::Multiclass(given) => multiclass::run(*given),
    }
}
