//! The command line: one file per subcommand, no science.
//!
//! Exit codes: 0 done; 1 it ran but failed; 2 bad input or an absent device, with one line on standard error.

mod error;
mod facts;
mod guard;
mod inversion;
mod options;
mod progress;

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use error::CliError;

/// Trains dense networks and measures, while they train, how class manifolds disentangle and entangle again.
#[derive(Parser)]
#[command(version, arg_required_else_help = true, disable_help_subcommand = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  disentangle inversion                          on the embedded digits, in seconds
  disentangle inversion --data data/mnist --train-samples 8192 --replicas 16
  disentangle inversion --config runs/inversion-1/config.toml --seed 2

Each run writes a folder with its tables and a report.html. `disentangle inversion --help` lists the options.";

#[derive(Subcommand)]
enum Command {
    /// Train R replicas, follow the geometry each epoch, find the inversion and its stragglers
    Inversion(Box<options::InversionOptions>),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let result = match Cli::try_parse() {
        Ok(cli) => match cli.command {
            Command::Inversion(options) => inversion::run(*options),
        },
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                let _ = error.print();
                return ExitCode::SUCCESS;
            }
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                let _ = error.print();
                return ExitCode::from(2);
            }
            _ => Err(CliError::Input(one_line(&error.to_string()))),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "disentangle: {error}");
            error.exit_code()
        }
    }
}

/// The first paragraph of clap's message, with its continuation lines joined: what, where, what was expected.
fn one_line(message: &str) -> String {
    let paragraph = message.split("\n\n").next().unwrap_or(message);
    let words: Vec<&str> = paragraph.trim_start_matches("error: ").split_whitespace().collect();
    words.join(" ")
}
