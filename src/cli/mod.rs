//! The command line: one file per subcommand, no science.
//!
//! Exit codes: 0 done; 1 it ran but failed; 2 bad input or an absent device, with one line on standard error.

mod bench;
mod config;
mod error;
mod facts;
mod guard;
mod hinge_theory;
mod inversion;
mod measure;
mod memory;
mod options;
mod output;
mod progress;
mod report;
mod resolve;
mod resume;
mod watch;
mod watched;

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use error::CliError;

#[derive(Parser)]
#[command(version, about = ABOUT, disable_help_subcommand = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const ABOUT: &str = "\
Trains dense networks and measures, while they train, how class manifolds
disentangle and entangle again";

const AFTER_HELP: &str = "\
Examples:
  disentangle inversion            on the embedded digits, in seconds
  disentangle inversion --data data/mnist --train-samples 8192
  disentangle inversion --config runs/inversion-1/config.toml --seed 2
  disentangle hinge-theory         a network beside its theory
  disentangle measure --activations h.npy --labels y.npy
  disentangle report runs/inversion-1 runs/inversion-2    side by side
  disentangle watch runs/inversion-1          in the browser, as it goes

Each run writes a folder with its tables and a report.html.
`disentangle inversion --help` lists the options.";

#[derive(Subcommand)]
enum Command {
    /// Train networks side by side, find their inversion and stragglers
    #[command(allow_negative_numbers = true)]
    Inversion(Box<options::InversionOptions>),
    /// Mean-field theory of hinge-loss training beside the network
    #[command(allow_negative_numbers = true)]
    HingeTheory(Box<hinge_theory::HingeOptions>),
    /// Take manifold metrics of arrays of your own
    #[command(allow_negative_numbers = true)]
    Measure(measure::MeasureOptions),
    /// Make a run's page again, or compare several runs on one page
    Report(report::ReportOptions),
    /// Time every kernel, as percent of what this machine can do
    #[command(allow_negative_numbers = true)]
    Bench(bench::BenchOptions),
    /// Show a run in the browser while it goes on
    #[command(allow_negative_numbers = true)]
    Watch(watch::WatchOptions),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    if std::env::args_os().len() <= 1 {
        // Standard output may be closed: there is nobody to tell.
        let _ = Cli::command().print_help();
        return ExitCode::SUCCESS;
    }
    let result = match Cli::try_parse() {
        Ok(cli) => match cli.command {
            Command::Inversion(options) => inversion::run(*options),
            Command::HingeTheory(options) => hinge_theory::run(*options),
            Command::Measure(options) => measure::run(options),
            Command::Report(options) => report::run(options),
            Command::Watch(options) => watch::run(options),
            Command::Bench(options) => bench::run(options),
        },
        Err(error) if !error.use_stderr() => {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => Err(CliError::Input(line(&error))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "disentangle: {error}");
            error.exit_code()
        }
    }
}

/// clap's message as one line: what, where, what was expected.
fn line(error: &clap::Error) -> String {
    let message = error.to_string();
    let joined = |paragraph: &str| paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut paragraphs = message.split("\n\n");
    let mut line = joined(paragraphs.next().unwrap_or_default().trim_start_matches("error: "));
    if let Some(tip) = paragraphs.find_map(|p| p.trim_start().strip_prefix("tip: ")) {
        line.push_str(&format!(" ({})", joined(tip)));
    } else if matches!(error.kind(), ErrorKind::UnknownArgument) {
        let command = std::env::args().nth(1).filter(|word| !word.starts_with('-'));
        let of = command.map_or(String::new(), |word| format!(" {word}"));
        line.push_str(&format!("; expected an option of `disentangle{of} --help`"));
    } else if matches!(
        error.kind(),
        ErrorKind::InvalidSubcommand | ErrorKind::MissingSubcommand
    ) {
        line.push_str("; expected inversion, hinge-theory, measure, report, watch or bench");
    }
    line
}
