//! A run's folder read back: `epochs.csv`, `stragglers.csv` and `summary.json` make the outcome that wrote them.
//!
//! The tables do not hold two things, which the caller knows from the run's configuration: the names of the classes,
//! and which way each metric turns. `NaN` is read back as a `NaN`, not necessarily with the same payload.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::files::{self, ReportError};
use super::summary::{ReplicaSummary, Summary};
use super::tables::{EPOCH_COLUMNS, STRAGGLER_COLUMNS};
use super::{EPOCHS_CSV, STRAGGLERS_CSV, SUMMARY_JSON};
use crate::study::outcome::{
    EpochRecord, Extremum, InversionOutcome, MetricColumn, ReplicaOutcome, Stop, Straggler, Turn,
};

/// Reads the outcome of a run from its folder. `classes` are the names of the classes by index; which way a metric
/// turns is told by its name ([`Turn::usual`]).
///
/// # Errors
/// [`ReportError::Io`] if a file cannot be read, [`ReportError::Malformed`] with file and line if it is not what
/// [`super::write_run`] writes. A replica without a single record cannot be read back.
pub fn read_outcome(folder: &Path, classes: Vec<String>) -> Result<InversionOutcome, ReportError> {
    let (columns, mut replicas) = read_epochs(Table::open(folder.join(EPOCHS_CSV))?)?;
    let mut stragglers = read_stragglers(Table::open(folder.join(STRAGGLERS_CSV))?)?;

    let path = folder.join(SUMMARY_JSON);
    let malformed = |line, expected: String| ReportError::Malformed {
        path: path.clone(),
        line,
        expected,
    };
    let summary: Summary = serde_json::from_str(&files::read_text(&path)?).map_err(|cause| {
        malformed(
            Some(cause.line()),
            format!("a summary of an inversion run, not: {cause}"),
        )
    })?;
    if summary.replicas.len() != replicas.len() {
        let (found, expected) = (summary.replicas.len(), replicas.len());
        return Err(malformed(
            None,
            format!("{expected} replicas as in {EPOCHS_CSV}, not {found}"),
        ));
    }
    for (replica, summary) in replicas.iter_mut().zip(summary.replicas) {
        let mine = stragglers.remove(&replica.replica).unwrap_or_default();
        let number = replica.replica;
        let counted = summary.stragglers.unwrap_or(0);
        if mine.len() != counted {
            let found = mine.len();
            return Err(malformed(
                None,
                format!("{found} stragglers of replica {number} as in {STRAGGLERS_CSV}, not {counted}"),
            ));
        }
        let Some(extrema) = extrema_of(&columns, &summary) else {
            return Err(malformed(
                None,
                format!("one extremum or null per metric column for replica {number}"),
            ));
        };
        replica.extrema = extrema;
        replica.stop = summary.stop_epoch.map(|epoch| Stop {
            epoch,
            error: summary.stop_error.unwrap_or(f64::NAN),
            stragglers: mine,
        });
    }
    if let Some(number) = stragglers.keys().min() {
        let path = folder.join(STRAGGLERS_CSV);
        let expected = format!("the replicas of {EPOCHS_CSV}, not replica {number}");
        return Err(ReportError::Malformed {
            path,
            line: None,
            expected,
        });
    }
    Ok(InversionOutcome {
        classes,
        columns,
        replicas,
    })
}

fn extrema_of(columns: &[MetricColumn], summary: &ReplicaSummary) -> Option<Vec<Option<Extremum>>> {
    let read = |column: &MetricColumn| {
        summary.extrema.get(&column.name).map(|entry| {
            entry.map(|extremum| Extremum {
                epoch: extremum.epoch,
                error: extremum.error.unwrap_or(f64::NAN),
                value: extremum.value.unwrap_or(f64::NAN),
            })
        })
    };
    columns.iter().map(read).collect()
}

fn read_epochs(table: Table) -> Result<(Vec<MetricColumn>, Vec<ReplicaOutcome>), ReportError> {
    let header = table.header(&EPOCH_COLUMNS)?;
    let columns: Vec<MetricColumn> = header
        .iter()
        .skip(EPOCH_COLUMNS.len())
        .map(|name| MetricColumn {
            name: (*name).to_owned(),
            turn: Turn::usual(name),
        })
        .collect();
    let mut replicas: Vec<ReplicaOutcome> = Vec::new();
    let mut position = HashMap::new();
    for (line, fields) in table.rows(header.len()) {
        let mut fields = Fields {
            table: &table,
            line,
            fields: fields?.into_iter(),
        };
        let number: u64 = fields.next("a replica number")?;
        let record = EpochRecord {
            epoch: fields.next("an epoch")?,
            train_loss: fields.next("a loss")?,
            train_error: fields.next("a training error")?,
            test_error: fields.next_or_empty("a test error or nothing")?,
            metrics: columns
                .iter()
                .map(|column| match column.turn {
                    Turn::Either => Ok(fields.next_or_empty("a number or nothing")?.unwrap_or(f64::NAN)),
                    _ => fields.next("a number"),
                })
                .collect::<Result<_, _>>()?,
        };
        let at = *position.entry(number).or_insert(replicas.len());
        match replicas.get_mut(at) {
            Some(replica) => replica.records.push(record),
            None => replicas.push(ReplicaOutcome {
                replica: number,
                records: vec![record],
                stop: None,
                extrema: Vec::new(),
            }),
        }
    }
    Ok((columns, replicas))
}

fn read_stragglers(table: Table) -> Result<HashMap<u64, Vec<Straggler>>, ReportError> {
    let header = table.header(&STRAGGLER_COLUMNS)?;
    let mut stragglers: HashMap<u64, Vec<Straggler>> = HashMap::new();
    for (line, fields) in table.rows(header.len()) {
        let mut fields = Fields {
            table: &table,
            line,
            fields: fields?.into_iter(),
        };
        let replica = fields.next("a replica number")?;
        let straggler = Straggler {
            sample_index: fields.next("a sample index")?,
            label: fields.next("a class index")?,
        };
        stragglers.entry(replica).or_default().push(straggler);
    }
    Ok(stragglers)
}

/// A table of plain fields without quotes: all that this crate writes.
struct Table {
    path: PathBuf,
    text: String,
}

impl Table {
    fn open(path: PathBuf) -> Result<Self, ReportError> {
        let text = files::read_text(&path)?;
        let table = Self { path, text };
        // Half a number is a number too.
        if !table.text.is_empty() && !table.text.ends_with('\n') {
            let last = table.text.lines().count();
            return Err(table.malformed(
                last,
                "a newline at the end of the last line: the file is cut off".into(),
            ));
        }
        Ok(table)
    }

    fn malformed(&self, line: usize, expected: String) -> ReportError {
        ReportError::Malformed {
            path: self.path.clone(),
            line: Some(line),
            expected,
        }
    }

    /// The names in the first line, of which the first must be `first`.
    fn header(&self, first: &[&str]) -> Result<Vec<&str>, ReportError> {
        let names: Vec<&str> = self.text.lines().next().unwrap_or_default().split(',').collect();
        if names.starts_with(first) {
            Ok(names)
        } else {
            Err(self.malformed(1, format!("a header that begins with {}", first.join(","))))
        }
    }

    /// Line number and fields of each line after the header.
    fn rows(&self, width: usize) -> impl Iterator<Item = (usize, Result<Vec<&str>, ReportError>)> {
        self.text.lines().enumerate().skip(1).map(move |(index, text)| {
            let fields: Vec<&str> = text.split(',').collect();
            let found = fields.len();
            let fields = if found == width {
                Ok(fields)
            } else {
                Err(self.malformed(index + 1, format!("{width} fields, not {found}")))
            };
            (index + 1, fields)
        })
    }
}

/// What is left to read of one line.
struct Fields<'t> {
    table: &'t Table,
    line: usize,
    fields: std::vec::IntoIter<&'t str>,
}

impl Fields<'_> {
    fn next<T: FromStr>(&mut self, expected: &str) -> Result<T, ReportError> {
        self.next_or_empty(expected)?
            .ok_or_else(|| self.table.malformed(self.line, format!("{expected}, not nothing")))
    }

    fn next_or_empty<T: FromStr>(&mut self, expected: &str) -> Result<Option<T>, ReportError> {
        match self.fields.next().unwrap_or_default() {
            "" => Ok(None),
            text => match text.parse() {
                Ok(value) => Ok(Some(value)),
                Err(_) => Err(self.table.malformed(self.line, format!("{expected}, not {text:?}"))),
            },
        }
    }
}
