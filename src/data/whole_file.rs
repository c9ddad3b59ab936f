//! Writing a file whole or not at all.
//!
//! ```
//! use std::io::{Error, Write};
//!
//! use disentangle::data::whole_file::{sweep, write};
//!
//! let folder = std::env::temp_dir().join(format!("disentangle-whole-{}", std::process::id()));
//! std::fs::create_dir_all(&folder)?;
//! let path = folder.join("notes");
//! write(&path, |file| file.write_all(b"one"))?;
//! // What fails half-way leaves the file as it was, and nothing beside it.
//! let failed = write(&path, |file| file.write_all(b"tw").and(Err(Error::other("no more"))));
//! assert_eq!(failed.map_err(|error| error.to_string()), Err("no more".into()));
//! assert_eq!((std::fs::read(&path)?, std::fs::read_dir(&folder)?.count()), (b"one".to_vec(), 1));
//! // What a killed process leaves beside it is swept away.
//! std::fs::write(folder.join(".notes.1-0.tmp"), "tw")?;
//! sweep(&folder);
//! assert_eq!(std::fs::read_dir(&folder)?.count(), 1);
//! std::fs::remove_dir_all(&folder)?;
//! # Ok::<(), Error>(())
//! ```

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What temporary files end with; they begin with a dot.
const SUFFIX: &str = ".tmp";

/// What `fill` writes goes to a temporary file beside `path` (a rename is atomic only within one file system), which is
/// synced and renamed: at every moment `path` is what it was or all of the new. A failure removes the temporary file.
///
/// # Errors
/// What `fill` or the operating system says.
pub fn write(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let temporary = temporary_name(path)?;
    let written = || {
        let mut file = BufWriter::new(File::create(&temporary)?);
        fill(&mut file)?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&temporary, path)
    };
    written().inspect_err(|_| {
        // The first failure is the one worth telling.
        let _ = fs::remove_file(&temporary);
    })?;
    sync_folder_of(path);
    Ok(())
}

/// A name beside `path` that no other thread or process of ours uses.
fn temporary_name(path: &Path) -> io::Result<PathBuf> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path has no file name"));
    };
    let unique = COUNTER.fetch_add(1, Ordering::Relaxed);
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}-{unique}{SUFFIX}", std::process::id()));
    Ok(path.with_file_name(hidden))
}

/// Makes the rename itself durable. Not every file system can sync a folder, and the data are complete either way, so
/// a refusal is not an error.
fn sync_folder_of(path: &Path) {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if let Ok(handle) = File::open(folder) {
        let _ = handle.sync_all();
    }
}

/// Removes the temporary files that killed processes left in a folder, if there is one. Nobody may be writing there.
pub fn sweep(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for name in entries.map(|entry| entry.file_name()) {
        let text = name.to_string_lossy();
        if text.starts_with('.') && text.ends_with(SUFFIX) {
            // What cannot be removed does no harm.
            let _ = fs::remove_file(folder.join(&name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn names_in(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        write(&path, |file| file.write_all(b"a much longer first text")).unwrap();
        write(&path, |file| file.write_all(b"second")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        let failed = write(&path, |file| {
            file.write_all(b"third")?;
            Err(io::Error::other("no more"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "no more");
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(names_in(folder.path()), ["table.csv"]);
    }

    #[test]
    fn what_cannot_be_replaced_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        // The target is a folder with something in it: the rename fails after the bytes were written.
        let target = folder.path().join("target");
        fs::create_dir(&target).unwrap();
        fs::write(target.join("kept"), b"kept").unwrap();
        assert!(write(&target, |file| file.write_all(b"x")).is_err());
        assert!(write(&folder.path().join("absent/x"), |_| Ok(())).is_err());
        assert!(write(Path::new("/"), |_| Ok(())).is_err());
        assert_eq!(names_in(folder.path()), ["target"]);
    }

    #[test]
    fn only_what_a_killed_process_left_is_swept_away() {
        let folder = tempfile::tempdir().unwrap();
        let left = temporary_name(&folder.path().join("epochs.csv")).unwrap();
        for name in [left.as_path(), Path::new("mine.tmp"), Path::new(".hidden")] {
            fs::write(folder.path().join(name), b"x").unwrap();
        }
        sweep(folder.path());
        sweep(&folder.path().join("absent"));
        assert_eq!(names_in(folder.path()), [".hidden", "mine.tmp"]);
    }
}
