//! What a command ends with when it does not end well.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

#[cfg(feature = "cuda")]
use disentangle::backend::cuda::CudaError;
use disentangle::data::DataError;
use disentangle::report::ReportError;
use disentangle::study::StudyError;

/// One line, and who is to blame.
pub enum CliError {
    /// Bad input, an absent device, a feature not built in: exit code 2.
    Input(String),
    /// It ran but failed: exit code 1.
    Failed(String),
    /// A signal ended a run of this subcommand; it can go on from this folder: exit code 130.
    Interrupted(String, PathBuf),
}

impl CliError {
    /// 1, 2 or 130
    pub fn exit_code(&self) -> ExitCode {
        match self {
            CliError::Input(_) => ExitCode::from(2),
            CliError::Failed(_) => ExitCode::from(1),
            CliError::Interrupted(..) => ExitCode::from(130),
        }
    }

    /// Bad input that knows its own line.
    pub fn input(error: impl fmt::Display) -> CliError {
        CliError::Input(error.to_string())
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = match self {
            CliError::Input(line) | CliError::Failed(line) => line.clone(),
            CliError::Interrupted(subcommand, folder) => {
                let folder = folder.display();
                format!("interrupted; go on with: disentangle {subcommand} --resume --out {folder}")
            }
        };
        // Whatever a file name or a cause holds, the message stays one line.
        f.write_str(&line.replace(['\n', '\r'], " "))
    }
}

#[cfg(feature = "cuda")]
impl From<CudaError> for CliError {
    fn from(error: CudaError) -> Self {
        CliError::Failed(error.to_string())
    }
}

impl From<DataError> for CliError {
    fn from(error: DataError) -> Self {
        match error {
            DataError::Write { .. } => CliError::Failed(error.to_string()),
            _ => CliError::input(error),
        }
    }
}

impl From<StudyError> for CliError {
    fn from(error: StudyError) -> Self {
        match error {
            StudyError::Data(error) => error.into(),
            StudyError::Theory { .. } => CliError::Failed(error.to_string()),
            _ => CliError::input(error),
        }
    }
}

impl From<ReportError> for CliError {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::FolderNotEmpty { .. } => CliError::input(error),
            _ => CliError::Failed(error.to_string()),
        }
    }
}
