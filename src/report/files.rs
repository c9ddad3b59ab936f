//! Writing files so that a reader never sees half of one, and what can go wrong while a run is written or read.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::data::{DataError, whole_file};

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
    /// A file of numbers or pictures that cannot be written or read.
    Data(DataError),
    /// The folder holds no run.
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds a study's run where one of `inversion` is wanted.
    NotInversion {
        /// The folder.
        path: PathBuf,
        /// The study.
        study: String,
    },
    /// The run in the folder has not come to its end.
    Unfinished {
        /// The folder.
        path: PathBuf,
        /// The subcommand that goes on with it.
        subcommand: String,
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
            Self::Data(error) => error.fmt(f),
            Self::NoRun { path } => {
                let what = if path.is_dir() {
                    "no run in this folder"
                } else {
                    "no such folder"
                };
                write!(
                    f,
                    "{}: {what}; expected one that `disentangle inversion` wrote",
                    path.display()
                )
            }
            Self::NotInversion { path, study } => {
                write!(f, "{}: a run of `{study}`, expected one of `inversion`", path.display())
            }
            Self::Unfinished { path, subcommand } => {
                let path = path.display();
                write!(
                    f,
                    "{path}: the run has not ended; expected one that has (`disentangle {subcommand} --resume --out {path}` goes \
                     on with it"
                )?;
                if subcommand == "inversion" {
                    write!(f, ", `disentangle watch {path}` shows it")?;
                }
                f.write_str(")")
            }
            Self::Inconsistent { what } => write!(f, "the outcome contradicts itself: {what}"),
            Self::Figure { name, cause } => write!(f, "cannot draw the figure {name}: {cause}"),
        }
    }
}

impl std::error::Error for ReportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { cause, .. } => Some(cause),
            Self::Data(error) => Some(error),
            _ => None,
        }
    }
}

impl From<DataError> for ReportError {
    fn from(error: DataError) -> Self {
        ReportError::Data(error)
    }
}

/// Writes `bytes` to `path` so that at every moment `path` holds either what it held before or all of `bytes`.
///
/// # Errors
/// [`ReportError::Io`] that names `path`.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    whole_file::write(path, |file| file.write_all(bytes)).map_err(|cause| ReportError::Io {
        doing: "write",
        path: path.to_owned(),
        cause,
    })
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

    #[test]
    fn a_failed_write_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent").join("table.csv");
        let line = write_atomic(&path, b"x").unwrap_err().to_string();
        assert!(
            line.starts_with("cannot write ") && line.contains("table.csv") && !line.contains('\n'),
            "{line}"
        );
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
