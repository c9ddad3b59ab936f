//! `disentangle stragglers <study>`: one file per study.

mod desk;
mod find;
mod generalisation;
mod given;
mod hardness;
mod linear;
mod multiclass;
mod progress;
mod removal;
pub mod robustness;
mod stability;
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
    /// How stable the misclassified samples are between initialisations
    #[command(allow_negative_numbers = true)]
    Stability(Box<Given<stability::Options>>),
    /// Train again without the stragglers: is there an inversion?
    #[command(allow_negative_numbers = true)]
    Removal(Box<Given<removal::Options>>),
    /// Train again without what is misclassified at epoch t: what becomes
    /// of the test error, clean and with noise?
    #[command(allow_negative_numbers = true)]
    Generalisation(Box<Given<generalisation::Options>>),
    /// A sweep: is the training error at the inversion the same everywhere?
    #[command(allow_negative_numbers = true)]
    Robustness(Box<robustness::Options>),
    /// A radius and an inversion per class; stragglers against class errors
    #[command(allow_negative_numbers = true)]
    Multiclass(Box<Given<multiclass::Options>>),
    /// Is the inversion where the network is the best linear predictor?
    #[command(allow_negative_numbers = true)]
    Linear(Box<Given<linear::Options>>),
    /// Stragglers against forgetting, EL2N, margin, loss and 1-NN error
    #[command(allow_negative_numbers = true)]
    Hardness(Box<Given<hardness::Options>>),
}

/// Runs the subcommand.
///
/// # Errors
/// As [`inversion`](super::inversion::run).
pub fn run(options: StragglersOptions) -> Result<(), CliError> {
    match options.study {
        Study::Find(given) => find::run(*given),
        Study::Stability(given) => stability::run(*given),
        Study::Removal(given) => removal::run(*given),
        Study::Generalisation(given) => generalisation::run(*given),
        Study::Robustness(options) => robustness::run(*options),
        Study::Multiclass(given) => multiclass::run(*given),
        Study::Linear(given) => linear::run(*given),
        Study::Hardness(given) => hardness::run(*given),
    }
}
