//! `--resume`: the configuration, the data and the checkpoint of a run that did not end.

use std::path::Path;

use disentangle::data::whole_file;
use disentangle::report::FIGURES;
use disentangle::report::exhibits_file::EXHIBITS;
use disentangle::report::record::RUN_JSON;
use disentangle::report::run_folder::CHECKPOINT;
use disentangle::study::checkpoint::Checkpoint;
use disentangle::study::follow::Follow;
use disentangle::study::harvest::FOLDERS;
use disentangle::study::inversion::columns;
use disentangle::train::Recipe;
use serde_json::Value;

use super::config;
use super::error::CliError;
use super::options::InversionOptions;

/// Name of the configuration in a run's folder.
pub const CONFIG: &str = "config.toml";

/// The options of the run in `--out`. Of those on the command line only the number of threads counts: results do not
/// depend on it.
///
/// # Errors
/// [`CliError::Input`] for a folder without configuration, and for options that would change the run.
pub fn options(given: InversionOptions) -> Result<InversionOptions, CliError> {
    if let Some((name, _)) = given.given().iter().find(|(name, _)| name != "threads") {
        return Err(CliError::Input(format!(
            "--{name}: --resume takes it from the folder's {CONFIG}, expected no --{name}"
        )));
    }
    let folder = given.out.unwrap_or_default();
    let mut options = config::read(&folder.join(CONFIG))?;
    options.threads = given.threads.or(options.threads);
    Ok(options)
}

/// The checkpoint in a folder; `None` if the run was ended before it wrote one, and begins again.
///
/// # Errors
/// [`CliError::Input`] if the run is complete, if the data have changed since, or for a damaged checkpoint.
pub fn checkpoint(
    folder: &Path,
    recipe: &Recipe,
    follow: &Follow,
    hashes: &Value,
) -> Result<Option<Checkpoint>, CliError> {
    let path = folder.join(CHECKPOINT);
    let exists = path.exists();
    if !exists && folder.join(disentangle::report::REPORT_HTML).exists() {
        return Err(CliError::Input(format!(
            "{}: this run is complete, there is nothing to resume",
            folder.display()
        )));
    }
    let before = std::fs::read(folder.join(RUN_JSON))
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    if before.is_some_and(|run| run.pointer("/data/sha256") != Some(hashes)) {
        let folder = folder.display();
        return Err(CliError::Input(format!(
            "{folder}: the data are not those the run began with, expected the same files"
        )));
    }
    // What a killed process was writing.
    for part in ["", FIGURES, EXHIBITS].into_iter().chain(FOLDERS) {
        whole_file::sweep(&folder.join(part));
    }
    if !exists {
        return Ok(None);
    }
    let metrics = columns(recipe.classes, &recipe.layers, follow).len();
    Ok(Some(Checkpoint::load(&path, recipe, metrics)?))
}

/// Removes the checkpoint of a run that is complete.
///
/// # Errors
/// [`CliError::Failed`] if it cannot be removed.
pub fn discard(folder: &Path) -> Result<(), CliError> {
    let path = folder.join(CHECKPOINT);
    match std::fs::remove_file(&path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(CliError::Failed(format!(
            "{}: cannot remove the checkpoint: {cause}",
            path.display()
        ))),
        _ => Ok(()),
    }
}
