//! `run.json`: what a run is and was made with, for people, for `--resume` and for the page.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::files::{self, ReportError};
use super::page::{RunFacts, capitalised};

/// Name of the file in a run's folder.
pub const RUN_JSON: &str = "run.json";

/// The whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Version of this crate.
    pub disentangle: String,
    /// The study that the run is, `stragglers find` for one; absent for an inversion run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub study: Option<String>,
    /// The command that repeats the run.
    pub command: String,
    /// Every option with its value, by name.
    pub configuration: BTreeMap<String, String>,
    /// Backend, its numbers and threads, in words.
    pub device: String,
    /// Name of the processor.
    pub processor: String,
    /// What it was trained on.
    pub data: DataRecord,
    /// When it was started or resumed, in seconds since 1970.
    pub started_unix_seconds: u64,
    /// Most rows of zeros that a measured hidden layer had at any time in any replica; absent while the run goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_number_of_zero_rows: Option<usize>,
    /// How long it trained since then; absent while the run goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training_seconds: Option<f64>,
}

/// The data of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataRecord {
    /// What they are called.
    pub name: String,
    /// In words, with their attribution.
    pub description: String,
    /// Names of the classes, by class index.
    pub classes: Vec<String>,
    /// Hashes of the files.
    pub sha256: Value,
    /// Training samples that were used.
    pub train_samples: usize,
    /// Test samples.
    pub test_samples: usize,
    /// Inputs that are the same in all training samples.
    pub dead_pixels: usize,
    /// Test samples that light one of them.
    pub test_samples_lighting_dead_pixels: usize,
}

impl RunRecord {
    /// Reads it from a run's folder.
    ///
    /// # Errors
    /// [`ReportError::NoRun`] for a folder that is none, [`ReportError::Malformed`] for a damaged file.
    pub fn read(folder: &Path) -> Result<RunRecord, ReportError> {
        let path = folder.join(RUN_JSON);
        if !path.is_file() {
            return Err(ReportError::NoRun {
                path: folder.to_owned(),
            });
        }
        serde_json::from_str(&files::read_text(&path)?).map_err(|cause| ReportError::Malformed {
            path,
            line: Some(cause.line()),
            expected: format!("the record of an inversion run, not: {cause}"),
        })
    }

    /// Reads it from the folder of an inversion run.
    ///
    /// # Errors
    /// Those of [`RunRecord::read`]; [`ReportError::NotInversion`] for a study's.
    pub fn of_inversion(folder: &Path) -> Result<RunRecord, ReportError> {
        let record = RunRecord::read(folder)?;
        match record.study {
            None => Ok(record),
            Some(study) => Err(ReportError::NotInversion {
                path: folder.to_owned(),
                study,
            }),
        }
    }

    /// Writes it into a run's folder.
    ///
    /// # Errors
    /// [`ReportError::Io`].
    pub fn write(&self, folder: &Path) -> Result<(), ReportError> {
        let path = folder.join(RUN_JSON);
        let text = serde_json::to_string_pretty(self).map_err(|cause| ReportError::Inconsistent {
            what: format!("{RUN_JSON}: {cause}"),
        })?;
        files::write_atomic(&path, format!("{text}\n").as_bytes())
    }

    /// What the page says of the run.
    pub fn facts(&self) -> RunFacts {
        RunFacts {
            title: match &self.study {
                None => format!("Inversion on {}", self.data.name),
                Some(study) => format!("{} on {}", capitalised(study), self.data.name),
            },
            command: self.command.clone(),
            configuration: self.configuration.clone().into_iter().collect(),
            data: self.data.description.clone(),
            device: format!("{}, {}", self.device, self.processor),
            seconds: self.training_seconds.unwrap_or(f64::NAN),
            underway: None,
        }
    }
}
