//! Where a subcommand leaves its results: a folder, and standard output.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use disentangle::report::create_run_folder;
use disentangle::report::files::create_folder;

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
