//! Writing a file whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::DataError;

/// What `fill` writes goes to a temporary file beside `path`, which is synced and renamed: at every moment `path` is
/// what it was or all of the new. A failure removes the temporary file.
///
/// # Errors
/// [`DataError::Write`].
pub(super) fn write(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), DataError> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    let unique = COUNTER.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".{}-{unique}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = || {
        let mut file = BufWriter::new(File::create(&temporary)?);
        fill(&mut file)?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&temporary, path)
    };
    written().map_err(|source| {
        // The first failure is the one worth telling.
        let _ = fs::remove_file(&temporary);
        DataError::Write {
            path: path.to_owned(),
            source,
        }
    })
}
