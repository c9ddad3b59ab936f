//! Writing files so that a reader never sees half of one, and what can go wrong while a run is written or read.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a run could not be written, drawn or read back. Each is one line: what, where, and the cause or what was
/// expected.
#[derive(Debug)]
pub enum ReportError {
    /// The operating system refused.
    Io {
        /// What was being done, as a verb phrase: `write`, `create the folder`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// A run would mix its files with those already in the folder.
    FolderNotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A file that is read back is not what this crate writes.
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line in it, counted from 1, where one can be named.
        line: Option<usize>,
        /// What was expected there.
        expected: String,
    },
    /// The outcome contradicts itself, for example a record with fewer values than there are columns.
    Inconsistent {
        /// What and where in the outcome.
        what: String,
    },
    /// A figure could not be drawn.
    Figure {
        /// The figure's name.
        name: String,
        /// What the drawing library said.
        cause: String,
    },
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, path, cause } => write!(f, "cannot {doing} {}: {cause}", path.display()),
            Self::FolderNotEmpty { path } => {
                write!(
                    f,
                    "{}: the folder is not empty; a new run needs an empty or absent one",
                    path.display()
                )
            }
            Self::Malformed {
                path,
                line: Some(line),
                expected,
            } => {
                write!(f, "{}, line {line}: expected {expected}", path.display())
            }
            Self::Malformed {
                path,
                line: None,
                expected,
            } => write!(f, "{}: expected {expected}", path.display()),
            Self::Inconsistent { what } => write!(f, "the outcome contradicts itself: {what}"),
            Self::Figure { name, cause } => write!(f, "cannot draw the figure {name}: {cause}"),
        }
    }
}

impl std::error::Error for ReportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

/// Writes `bytes` to `path` so that at every moment `path` holds either what it held before or all of `bytes`.
///
/// The bytes go to a temporary name in the same folder (a rename is atomic only within one file system), are flushed
/// to the disk, and the temporary file is renamed. A failed write removes it.
///
/// # Errors
/// [`ReportError::Io`] that names `path`.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    let failed = |cause| ReportError::Io {
        doing: "write",
        path: path.to_owned(),
        cause,
    };
    let temporary = temporary_name(path).map_err(failed)?;
    let written = write_through(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if let Err(cause) = written {
        // Nothing more can be done if the removal fails too, and the first cause is the one to tell.
        let _ = fs::remove_file(&temporary);
        return Err(failed(cause));
    }
    sync_folder_of(path);
    Ok(())
}

/// A name beside `path` that no other thread or process of ours uses.
fn temporary_name(path: &Path) -> io::Result<PathBuf> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path has no file name"));
    };
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(
        ".{}-{}.tmp",
        std::process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    ));
    Ok(path.with_file_name(hidden))
}

fn write_through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Not `create_new`: a file of this name can only be left by a killed process that had our process id.
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
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

/// Creates the folder of a run, with its parents. An empty folder that exists is taken as it is.
///
/// # Errors
/// [`ReportError::FolderNotEmpty`] if something is in it, [`ReportError::Io`] if it cannot be made or looked into, or
/// if `path` is a file.
pub fn create_run_folder(path: &Path) -> Result<(), ReportError> {
    create_folder(path)?;
    let failed = |cause| ReportError::Io {
        doing: "look into the folder",
        path: path.to_owned(),
        cause,
    };
    match fs::read_dir(path).map_err(failed)?.next() {
        None => Ok(()),
        Some(Ok(_)) => Err(ReportError::FolderNotEmpty { path: path.to_owned() }),
        Some(Err(cause)) => Err(failed(cause)),
    }
}

/// Creates a folder and its parents; one that exists is left as it is.
///
/// # Errors
/// [`ReportError::Io`] that names `path`.
pub fn create_folder(path: &Path) -> Result<(), ReportError> {
    fs::create_dir_all(path).map_err(|cause| ReportError::Io {
        doing: "create the folder",
        path: path.to_owned(),
        cause,
    })
}

/// Reads a text file whole.
///
/// # Errors
/// [`ReportError::Io`] that names `path`; text that is not UTF-8 is reported so too.
pub fn read_text(path: &Path) -> Result<String, ReportError> {
    fs::read_to_string(path).map_err(|cause| ReportError::Io {
        doing: "read",
        path: path.to_owned(),
        cause,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
        write_atomic(&path, b"a much longer first text").unwrap();
        write_atomic(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(names_in(folder.path()), ["table.csv"]);
    }

    #[test]
    fn a_failed_write_names_the_file_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent").join("table.csv");
        let line = write_atomic(&path, b"x").unwrap_err().to_string();
        assert!(
            line.starts_with("cannot write ") && line.contains("table.csv") && !line.contains('\n'),
            "{line}"
        );

        // The target is a folder with something in it: the rename fails after the bytes were written.
        let target = folder.path().join("target");
        fs::create_dir(&target).unwrap();
        fs::write(target.join("kept"), b"kept").unwrap();
        assert!(write_atomic(&target, b"x").is_err());
        assert_eq!(names_in(folder.path()), ["target"]);
        assert!(write_atomic(Path::new("/"), b"x").is_err());
    }

    #[test]
    fn only_an_empty_folder_takes_a_run() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("runs/first");
        create_run_folder(&run).unwrap();
        create_run_folder(&run).unwrap();
        fs::write(run.join("epochs.csv"), b"").unwrap();
        let error = create_run_folder(&run).unwrap_err();
        assert!(matches!(error, ReportError::FolderNotEmpty { .. }));
        assert!(error.to_string().contains("not empty"));
        assert!(matches!(
            create_run_folder(&run.join("epochs.csv")).unwrap_err(),
            ReportError::Io { .. }
        ));
    }
}
