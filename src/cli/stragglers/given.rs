//! The options of a study: its own beside those of `inversion`, on the command line and in a configuration file.

use std::path::Path;

use clap::{Args, Command};
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::super::config::malformed;
use super::super::error::CliError;
use super::super::options::{InversionOptions, quoted};
use super::super::resolve;
use super::super::resume::CONFIG;

/// Options of `inversion` that mean nothing to a study.
const FOREIGN: [&str; 3] = ["save-activations", "save-weights", "test-every"];

/// The options of one study alone; what is `None` was not given.
pub trait Own: Args + Default + Serialize + DeserializeOwned {
    /// Its name on the command line.
    const STUDY: &'static str;

    /// Puts the study's defaults where nothing was given, also those of common options that are not `inversion`'s.
    ///
    /// # Errors
    /// [`CliError::Input`] for what it cannot work with.
    fn complete(self, common: InversionOptions) -> Result<(Self, InversionOptions), CliError>;
}

/// What was given.
#[derive(Args)]
pub struct Given<O: Args> {
    #[command(flatten)]
    own: O,
    #[command(flatten)]
    common: InversionOptions,
}

/// Options with their defaults.
pub struct Settled<O> {
    /// Of this study.
    pub own: O,
    /// Of every study and of `inversion`.
    pub common: InversionOptions,
    /// `config.toml`: all of them.
    pub config: String,
    /// Name and value of each.
    pub named: Vec<(String, String)>,
    /// The command that gives them.
    pub command: String,
}

impl<O: Own> Given<O> {
    /// Those of the command line over those of `--config`, or with `--resume` those of the folder; then the defaults.
    ///
    /// # Errors
    /// [`CliError::Input`] for a file that cannot be read or is no configuration, and for options that mean nothing here.
    pub fn settle(self) -> Result<Settled<O>, CliError> {
        let Given { own, common } = self;
        let here = joined(&own, &common)?;
        if let Some(name) = FOREIGN.iter().find(|&&name| here.contains_key(name)) {
            return Err(CliError::Input(format!(
                "--{name}: it means nothing to `stragglers {}`, expected no --{name}",
                O::STUDY
            )));
        }
        if common.checkpoint_every.is_some() {
            return Err(CliError::Input(format!(
                "--checkpoint-every: `stragglers {}` keeps each part when it is trained, expected no --checkpoint-every",
                O::STUDY
            )));
        }
        let mut table = match (&common.config, common.resume) {
            (_, true) => {
                if let Some(name) = here.keys().find(|&name| name != "threads") {
                    return Err(CliError::Input(format!(
                        "--{name}: --resume takes it from the folder's {CONFIG}, expected no --{name}"
                    )));
                }
                read(&common.out.clone().unwrap_or_default().join(CONFIG))?
            }
            (Some(path), _) => read(path)?,
            _ => Table::new(),
        };
        // Each of these two replaces the other.
        for (name, other) in [("init", "initializer"), ("initializer", "init")] {
            if here.contains_key(name) {
                table.remove(other);
            }
        }
        table.extend(here);
        let path = common
            .config
            .clone()
            .or_else(|| common.out.clone().map(|out| out.join(CONFIG)));
        let (own, shared) = parted::<O>(table, path.as_deref())?;
        let (own, shared) = own.complete(shared)?;
        let shared = InversionOptions {
            save_activations: None,
            save_weights: None,
            test_every: None,
            ..resolve::defaults(shared)
        };
        let table = joined(&own, &shared)?;
        let word = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let named: Vec<(String, String)> = table.iter().map(|(name, value)| (name.clone(), word(value))).collect();
        let mut command = format!("disentangle stragglers {}", O::STUDY);
        for (name, value) in &named {
            // A word that looks like an option must not be taken for one.
            let between = if value.starts_with('-') { '=' } else { ' ' };
            command.push_str(&format!(" --{name}{between}{}", quoted(value)));
        }
        Ok(Settled {
            own,
            common: InversionOptions {
                out: common.out,
                resume: common.resume,
                quiet: common.quiet,
                json: common.json,
                ..shared
            },
            config: table.to_string(),
            named,
            command,
        })
    }
}

/// Both kinds of options that are there, by their long names.
fn joined<O: Own>(own: &O, common: &InversionOptions) -> Result<Table, CliError> {
    let failed = |cause| CliError::Input(format!("an option that {CONFIG} cannot hold: {cause}"));
    let mut table = Table::try_from(common).map_err(failed)?;
    table.extend(Table::try_from(own).map_err(failed)?);
    Ok(table)
}

fn read(path: &Path) -> Result<Table, CliError> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| CliError::Input(format!("{}: cannot read the configuration: {cause}", path.display())))?;
    text.parse().map_err(|error| malformed(path, &text, &error))
}

/// The options by whom they belong to. An unknown one is an error that names the file.
fn parted<O: Own>(table: Table, path: Option<&Path>) -> Result<(O, InversionOptions), CliError> {
    let command = O::augment_args(Command::new(""));
    let is_own = |name: &str| {
        command
            .get_arguments()
            .any(|argument| argument.get_long() == Some(name))
    };
    let (own, common): (Table, Table) = table.into_iter().partition(|(name, _)| is_own(name));
    let named = |error: toml::de::Error| {
        let file = path.map(|path| format!("{}: ", path.display())).unwrap_or_default();
        CliError::Input(format!("{file}{}", error.message()))
    };
    Ok((own.try_into().map_err(named)?, common.try_into().map_err(named)?))
}
