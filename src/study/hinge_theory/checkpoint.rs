//! A run between two steps as one safetensors file in f64, so that what follows a resume has the same bits.
//!
//! | tensor | shape | what |
//! |---|---|---|
//! | `progress` | `[2]` | steps done, looks so far |
//! | `a`, `w` | `[M]`, `[M, d]` | the nodes |
//! | `skip` | `[n]` | what is known of each example; empty for fresh data |
//! | `first` | `[N]` | first satisfaction times, NaN for none; empty for fresh data |
//! | `records` | `[n, 7 + 3 M]` | states so far: step, gamma, unsatisfied, loss, train error, test error, looked, then a, w_par and squared norm per node |

use std::path::Path;

use super::nodes::Nodes;
use super::simulation::{Record, Setting, Snapshot};
use crate::data::{NamedTensor, TensorFile, write_named};
use crate::study::StudyError;

/// Numbers of a record before those of the nodes.
const FIXED: usize = 7;

impl Snapshot {
    /// Writes the file.
    ///
    /// # Errors
    /// [`StudyError::Data`] if it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), StudyError> {
        let m = self.nodes.a.len();
        let tensor = |name: &str, shape: Vec<usize>, values: Vec<f64>| NamedTensor {
            name: name.into(),
            shape,
            values,
        };
        let records: Vec<f64> = self.records.iter().flat_map(numbers).collect();
        let tensors = [
            tensor("progress", vec![2], vec![self.step as f64, self.looks]),
            tensor("a", vec![m], self.nodes.a.clone()),
            tensor("w", vec![m, self.nodes.w.len() / m.max(1)], self.nodes.w.clone()),
            tensor("skip", vec![self.skip.len()], self.skip.clone()),
            tensor("first", vec![self.first.len()], self.first.clone()),
            tensor("records", vec![self.records.len(), FIXED + 3 * m], records),
        ];
        Ok(write_named(path, &tensors)?)
    }

    /// Reads the file of a run of this setting.
    ///
    /// # Errors
    /// [`StudyError::Data`] for a file that cannot be read, [`StudyError::Option`] for one of another run.
    pub fn load(path: &Path, setting: &Setting) -> Result<Snapshot, StudyError> {
        let file = TensorFile::open(path)?;
        let (m, d) = (setting.nodes, setting.model.dimension);
        let n = if setting.fresh { 0 } else { setting.examples };
        let misfit = |what: String| StudyError::Option {
            detail: format!(
                "{}: {what}, expected the checkpoint of a run with this configuration",
                path.display()
            ),
        };
        let read = |name: &str, length: usize| -> Result<Vec<f64>, StudyError> {
            let values = file.tensor(name)?.values;
            if values.len() != length {
                return Err(misfit(format!(
                    "'{name}' has {} numbers instead of {length}",
                    values.len()
                )));
            }
            Ok(values)
        };
        let progress = read("progress", 2)?;
        let step = progress[0] as usize;
        if step > setting.steps {
            return Err(misfit(format!("{step} steps done of {}", setting.steps)));
        }
        let records = file.tensor("records")?.values;
        let width = FIXED + 3 * m;
        if records.len() % width != 0 {
            return Err(misfit(format!(
                "'records' has {} numbers, no multiple of {width}",
                records.len()
            )));
        }
        Ok(Snapshot {
            step,
            nodes: Nodes {
                a: read("a", m)?,
                w: read("w", m * d)?,
            },
            skip: if setting.fresh {
                file.tensor("skip")?.values
            } else {
                read("skip", n + 2 + m * (d + 2))?
            },
            first: read("first", n)?,
            records: records.chunks_exact(width).map(|row| record(row, m)).collect(),
            looks: progress[1],
        })
    }
}

fn numbers(record: &Record) -> Vec<f64> {
    let mut row = vec![
        record.step as f64,
        record.gamma,
        record.unsatisfied,
        record.loss,
        record.train_error,
        record.test_error,
        record.looked,
    ];
    row.extend(record.plane.iter().flat_map(|&(a, w)| [a, w]));
    row.extend(&record.squared_norms);
    row
}

fn record(row: &[f64], m: usize) -> Record {
    let (fixed, rest) = row.split_at(FIXED);
    let (plane, squared_norms) = rest.split_at(2 * m);
    Record {
        step: fixed[0] as usize,
        gamma: fixed[1],
        unsatisfied: fixed[2],
        loss: fixed[3],
        train_error: fixed[4],
        test_error: fixed[5],
        looked: fixed[6],
        plane: plane.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect(),
        squared_norms: squared_norms.to_vec(),
    }
}
