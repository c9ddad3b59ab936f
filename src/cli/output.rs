//! Where a subcommand leaves its results: a folder, and standard output.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use disentangle::report::create_run_folder;
use disentangle::report::files::{create_folder, write_atomic};
use disentangle::report::record::RUN_JSON;
use serde_json::Value;

use super::error::CliError;

/// Makes the folder asked for, or the first free `runs/KIND-N`.
///
/// # Errors
/// [`CliError::Input`] for a folder that cannot be made or is not empty.
pub fn new_folder(out: Option<PathBuf>, kind: &str) -> Result<PathBuf, CliError> {
    if let Some(out) = out {
        // Before anything ran, a folder that cannot be made is a wrong option.
        create_run_folder(&out).map_err(|cause| CliError::Input(format!("--out: {cause}")))?;
        return Ok(out);
    }
    let parent = Path::new("runs");
    let refused = |cause| CliError::Input(format!("{cause}; --out names another folder"));
    create_folder(parent).map_err(|cause| refused(cause.to_string()))?;
    for n in 1u64.. {
        let path = parent.join(format!("{kind}-{n}"));
        // Making it is also what claims it: two runs that start together must not share a folder.
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {}
            Err(cause) => return Err(refused(format!("cannot create the folder {}: {cause}", path.display()))),
        }
    }
    Err(refused("runs: no free name left".into()))
}

/// Adds an entry to a JSON object.
pub fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(entries) = object.as_object_mut() {
        entries.insert(name.into(), value);
    }
}

/// Writes the record of a run that has no [`RunRecord`](disentangle::report::record::RunRecord) of its own.
///
/// # Errors
/// [`CliError::Failed`] for a file that cannot be written.
pub fn write_record(folder: &Path, record: &Value) -> Result<(), CliError> {
    let text = format!("{record:#}\n");
    Ok(write_atomic(&folder.join(RUN_JSON), text.as_bytes())?)
}

/// Writes text to standard output, all of it at once.
///
/// # Errors
/// [`CliError::Failed`] if it takes nothing; a reader that has seen enough is no failure.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(cause) if cause.kind() != ErrorKind::BrokenPipe => {
            Err(CliError::Failed(format!("standard output: {cause}")))
        }
        _ => Ok(()),
    }
}
