//! A run's folder, read back whole: what its page is made from.

use std::path::{Path, PathBuf};

use super::exhibits::Exhibits;
use super::files::ReportError;
use super::read::read_outcome;
use super::record::RunRecord;
use super::{EPOCHS_CSV, REPORT_HTML, figures, page};
use crate::study::outcome::{InversionOutcome, ReplicaOutcome};

/// Name of the checkpoint that a folder has while its run goes on.
pub const CHECKPOINT: &str = "checkpoint.safetensors";

/// A run that has ended.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its folder.
    pub folder: PathBuf,
    /// What it was.
    pub record: RunRecord,
    /// What came out.
    pub outcome: InversionOutcome,
    /// Pictures and movie, if it left them.
    pub exhibits: Option<Exhibits>,
}

/// Whether a run has come to its end; its page may still have to be written.
pub fn has_ended(folder: &Path, record: &RunRecord) -> bool {
    record.training_seconds.is_some() && !folder.join(CHECKPOINT).exists()
}

impl Run {
    /// Reads a folder, whether the run's checkpoint is still there or not.
    ///
    /// # Errors
    /// [`ReportError::NoRun`], [`ReportError::Unfinished`] for a run that never came to its end, and those of
    /// [`RunRecord::read`], [`read_outcome`] and [`Exhibits::read`].
    pub fn read(folder: &Path) -> Result<Run, ReportError> {
        let record = RunRecord::of_inversion(folder)?;
        if record.training_seconds.is_none() {
            return Err(ReportError::Unfinished {
                path: folder.to_owned(),
                subcommand: "inversion".into(),
            });
        }
        let outcome = read_outcome(folder, record.data.classes.clone())?;
        let epochs = |replica: &ReplicaOutcome| replica.records.len();
        let most = outcome.replicas.iter().map(epochs).max().unwrap_or(0);
        if let Some(short) = outcome.replicas.iter().find(|replica| epochs(replica) < most) {
            return Err(ReportError::Malformed {
                path: folder.join(EPOCHS_CSV),
                line: None,
                expected: format!(
                    "{most} rows of each replica, not {} of replica {}",
                    epochs(short),
                    short.replica
                ),
            });
        }
        Ok(Run {
            folder: folder.to_owned(),
            outcome,
            exhibits: Exhibits::read(folder)?,
            record,
        })
    }

    /// [`Run::read`] of a run that has ended.
    ///
    /// # Errors
    /// Those of [`Run::read`]; [`ReportError::Unfinished`] also where there is a checkpoint.
    pub fn open(folder: &Path) -> Result<Run, ReportError> {
        let record = RunRecord::of_inversion(folder)?;
        if has_ended(folder, &record) {
            Run::read(folder)
        } else {
            Err(ReportError::Unfinished {
                path: folder.to_owned(),
                subcommand: "inversion".into(),
            })
        }
    }

    /// Writes `figures/*.svg` and `report.html` into the folder. Returns the path of the page.
    ///
    /// # Errors
    /// [`ReportError::Io`] for a file that cannot be written, and as [`figures::figures`].
    pub fn write_page(&self) -> Result<PathBuf, ReportError> {
        let figures = figures::figures(&self.outcome)?;
        let facts = self.record.facts();
        let page = page::page(&self.outcome, &facts, &figures, self.exhibits.as_ref(), None);
        figures::write(&self.folder, &figures)?;
        let path = self.folder.join(REPORT_HTML);
        super::write_atomic(&path, page.as_bytes())?;
        Ok(path)
    }
}
