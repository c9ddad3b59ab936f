//! The command line: one file per subcommand, no science.
//!
//! Exit codes: 0 done; 1 it ran but failed; 2 bad input or an absent device, with one line on standard error.

mod bench;
#[cfg(feature = "cuda")]
mod bench_device;
mod config;
mod devices;
mod error;
mod facts;
mod findings;
mod guard;
mod hinge_theory;
mod inversion;
mod measure;
mod memory;
mod merge;
mod modes;
mod options;
mod output;
mod progress;
mod report;
mod resolve;
mod resume;
mod stragglers;
mod verify;
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
To begin: `disentangle inversion`, on the embedded digits, in seconds.
Each run writes a folder with a report.html. `disentangle NAME --help`: options.";

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
    Measure(Box<measure::MeasureOptions>),
    /// Independent modes and gradient starvation beside the networks
    #[command(allow_negative_numbers = true)]
    Modes(Box<modes::ModesOptions>),
    /// Experiments on stragglers: find, stability, removal, ...
    Stragglers(Box<stragglers::StragglersOptions>),
    /// Put the shards of a sweep together
    Merge(merge::MergeOptions),
    /// Make a run's page again, or compare several runs on one page
    Report(report::ReportOptions),
    /// Time every kernel, as percent of what this machine can do
    #[command(allow_negative_numbers = true)]
    Bench(bench::BenchOptions),
    /// Compare every op of a device with the reference
    #[command(allow_negative_numbers = true)]
    Verify(verify::VerifyOptions),
    /// What can compute here, and why what cannot cannot
    Devices(devices::DevicesOptions),
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
            Command::Measure(options) => measure::run(*options),
            Command::Modes(options) => modes::run(*options),
            Command::Stragglers(options) => stragglers::run(*options),
            Command::Merge(options) => merge::run(options),
            Command::Report(options) => report::run(options),
            Command::Watch(options) => watch::run(options),
            Command::Bench(options) => bench::run(options),
            Command::Verify(options) => verify::run(options),
            Command::Devices(options) => devices::run(options),
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
    let words: Vec<String> = std::env::args()
        .skip(1)
        .take_while(|word| !word.starts_with('-'))
        .collect();
    let (command, known) = place(&words);
    let of: String = known.iter().map(|word| format!(" {word}")).collect();
    let mut paragraphs = message.split("\n\n");
    let mut line = match error.kind() {
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            format!("disentangle{of}: a subcommand is missing")
        }
        _ => joined(paragraphs.next().unwrap_or_default().trim_start_matches("error: ")),
    };
    if let Some(tip) = paragraphs.find_map(|p| p.trim_start().strip_prefix("tip: ")) {
        line.push_str(&format!(" ({})", joined(tip)));
    } else if matches!(error.kind(), ErrorKind::UnknownArgument) {
        line.push_str(&format!("; expected an option of `disentangle{of} --help`"));
    } else if matches!(
        error.kind(),
        ErrorKind::InvalidSubcommand
            | ErrorKind::MissingSubcommand
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        let (last, others) = names.split_last().unwrap_or((&"", &[]));
        line.push_str(&format!("; expected {} or {last}", others.join(", ")));
    }
    line
}

/// The subcommand that words lead to, as far as they name one, and those words.
fn place(words: &[String]) -> (clap::Command, Vec<&str>) {
    let mut command = Cli::command();
    let mut known = Vec::new();
    for word in words {
        let Some(next) = command.find_subcommand(word) else {
            break;
        };
        command = next.clone();
        known.push(word.as_str());
    }
    (command, known)
}
