//! The folder of a sweep: the plan, and a file per finished run, each complete or absent.
//!
//! | file | what |
//! |---|---|
//! | `plan.json` | the runs in order, the axes, the shard that is done here |
//! | `sweep.toml` | the sweep as its file tells it |
//! | `runs/ID.json` | what a run left, or why it failed |

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::files::{self, ReportError};
use crate::data::{DataError, whole_file};
use crate::study::StudyError;
use crate::study::stragglers::robustness::RunLeft;
use crate::study::sweep::{Keeper, Sweep};

/// Name of the plan in a sweep's folder.
pub const PLAN_JSON: &str = "plan.json";
/// Name of the sweep's own file there.
pub const SWEEP_TOML: &str = "sweep.toml";
/// Name of the folder of finished runs there.
pub const RUNS: &str = "runs";

/// What is to be done in a folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The study: `stragglers robustness`.
    pub study: String,
    /// A part of the base's error.
    pub tolerance: f64,
    /// All runs and axes.
    pub sweep: Sweep,
    /// The command that is each run, alone.
    pub commands: Vec<String>,
    /// The shard that is done here, as `i/n`.
    pub shard: String,
}

/// A run that has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndedRun {
    /// Its id.
    pub run: String,
    /// Version of this crate.
    pub disentangle: String,
    /// Backend, element type, instruction set and threads.
    pub device: String,
    /// Name of the processor.
    pub processor: String,
    /// Seconds since the run before it ended.
    pub seconds: f64,
    /// What it left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<RunLeft>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// The folder.
#[derive(Clone, Debug)]
pub struct SweepFolder {
    path: PathBuf,
    device: String,
    processor: String,
    since: Instant,
}

impl SweepFolder {
    /// A folder, and who computes there.
    pub fn new(path: &Path, device: &str, processor: &str) -> SweepFolder {
        SweepFolder {
            path: path.to_owned(),
            device: device.into(),
            processor: processor.into(),
            since: Instant::now(),
        }
    }

    /// Where the run of an id is, or will be.
    pub fn run_path(&self, id: &str) -> PathBuf {
        run_path(&self.path, id)
    }
}

fn run_path(folder: &Path, id: &str) -> PathBuf {
    folder.join(RUNS).join(format!("{id}.json"))
}

impl Keeper<RunLeft> for SweepFolder {
    fn has(&self, id: &str) -> bool {
        self.run_path(id).is_file()
    }

    fn keep(&mut self, id: &str, left: Result<RunLeft, String>) -> Result<(), StudyError> {
        let seconds = self.since.elapsed().as_secs_f64();
        self.since = Instant::now();
        let (left, failed) = match left {
            Ok(left) => (Some(left), None),
            Err(reason) => (None, Some(reason)),
        };
        let ended = EndedRun {
            run: id.into(),
            disentangle: env!("CARGO_PKG_VERSION").into(),
            device: self.device.clone(),
            processor: self.processor.clone(),
            seconds,
            left,
            failed,
        };
        let path = self.run_path(id);
        whole_file::write(&path, |file| {
            serde_json::to_writer(&mut *file, &ended)?;
            file.write_all(b"\n")
        })
        .map_err(|source| StudyError::Data(DataError::Write { path, source }))
    }
}

/// Writes the plan.
///
/// # Errors
/// [`ReportError::Io`].
pub fn write_plan(folder: &Path, plan: &Plan) -> Result<(), ReportError> {
    let text = serde_json::to_string_pretty(plan).map_err(|cause| ReportError::Inconsistent {
        what: format!("{PLAN_JSON}: {cause}"),
    })?;
    files::write_atomic(&folder.join(PLAN_JSON), format!("{text}\n").as_bytes())
}

/// Reads the plan.
///
/// # Errors
/// [`ReportError::Io`] without one; [`ReportError::Malformed`].
pub fn read_plan(folder: &Path) -> Result<Plan, ReportError> {
    let plan: Plan = read(&folder.join(PLAN_JSON), "the plan of a sweep")?;
    let runs = plan.sweep.runs.len();
    let of_points = || {
        plan.sweep
            .axes
            .iter()
            .flat_map(|axis| &axis.points)
            .flat_map(|point| &point.runs)
    };
    if plan.commands.len() != runs || of_points().any(|&run| run >= runs) {
        return Err(ReportError::Malformed {
            path: folder.join(PLAN_JSON),
            line: None,
            expected: "a command for each run, and points of these runs".into(),
        });
    }
    Ok(plan)
}

/// What became of each run of a plan; `None` for one that has not ended.
///
/// # Errors
/// [`ReportError::Malformed`] for a damaged file; [`ReportError::Io`].
pub fn read_runs(folder: &Path, sweep: &Sweep) -> Result<Vec<Option<EndedRun>>, ReportError> {
    let read = |id: &String| {
        let path = run_path(folder, id);
        if !path.is_file() {
            return Ok(None);
        }
        let ended: EndedRun = read(&path, "a finished run of a sweep")?;
        let whole = ended.run == *id && ended.left.is_some() != ended.failed.is_some();
        if whole {
            Ok(Some(ended))
        } else {
            Err(ReportError::Malformed {
                path,
                line: None,
                expected: format!("what run {id} left, or why it failed"),
            })
        }
    };
    sweep.runs.iter().map(read).collect()
}

fn read<T: DeserializeOwned>(path: &Path, what: &str) -> Result<T, ReportError> {
    let text = files::read_text(path)?;
    serde_json::from_str(&text).map_err(|cause| ReportError::Malformed {
        path: path.to_owned(),
        line: Some(cause.line()),
        expected: format!("{what}, not: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::stragglers::robustness::NetworkLeft;

    #[test]
    fn a_run_comes_back_with_its_bits_and_a_damaged_file_is_told() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(RUNS)).unwrap();
        let mut keeper = SweepFolder::new(folder.path(), "cpu", "x");
        let network = NetworkLeft {
            replica: u64::MAX,
            train_error: 0.1 + 0.2,
            test_error: None,
            finite: false,
            stop: Some((20, 1e-300)),
            turns: vec![None],
            last: vec![None, Some(-0.0)],
        };
        let left = RunLeft {
            samples: 3,
            followed: vec![(1, "gyration_radius_0".into())],
            networks: vec![network],
        };
        keeper.keep("a", Ok(left.clone())).unwrap();
        keeper.keep("b", Err("no \"memory\"\n".into())).unwrap();
        assert!(keeper.has("a") && keeper.has("b") && !keeper.has("c"));
        let sweep = Sweep {
            runs: ["a", "b", "c"].map(String::from).to_vec(),
            axes: vec![],
        };
        let runs = read_runs(folder.path(), &sweep).unwrap();
        assert_eq!(runs[0].as_ref().unwrap().left, Some(left));
        assert_eq!(runs[1].as_ref().unwrap().failed.as_deref(), Some("no \"memory\"\n"));
        assert!(runs[2].is_none());
        std::fs::write(keeper.run_path("c"), "{\"run\":\"b\"").unwrap();
        let line = read_runs(folder.path(), &sweep).unwrap_err().to_string();
        assert!(line.contains("c.json, line 1: expected a finished run"), "{line}");
        std::fs::copy(keeper.run_path("b"), keeper.run_path("c")).unwrap();
        let line = read_runs(folder.path(), &sweep).unwrap_err().to_string();
        assert!(line.contains("what run c left"), "{line}");
    }
}
