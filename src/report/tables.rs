//! The tables of an inversion run: `epochs.csv` and `stragglers.csv`.
//!
//! Numbers are in the shortest decimal form that reads back to the same bits. A value that is not finite is `NaN`,
//! `inf` or `-inf`, which NumPy and Rust both read; a test error that was not measured is an empty field, as is a metric that is followed at other
//! epochs only.

use std::fmt::Write as _;

use super::files::ReportError;
use crate::study::outcome::{InversionOutcome, Straggler, Turn};

/// The columns of `epochs.csv` before the metrics.
pub const EPOCH_COLUMNS: [&str; 5] = ["replica", "epoch", "train_loss", "train_error", "test_error"];

/// The columns of `stragglers.csv`.
pub const STRAGGLER_COLUMNS: [&str; 3] = ["replica", "sample_index", "label"];

/// Checks what every table relies on: one value and one extremum per column, column names that need no quotes and
/// differ, replica numbers that differ.
///
/// # Errors
/// [`ReportError::Inconsistent`].
pub fn check(outcome: &InversionOutcome) -> Result<(), ReportError> {
    let inconsistent = |what: String| Err(ReportError::Inconsistent { what });
    let columns = outcome.columns.len();
    for (at, column) in outcome.columns.iter().enumerate() {
        let name = column.name.as_str();
        if name.is_empty() || name.trim() != name || name.contains([',', '"', '\n', '\r']) {
            return inconsistent(format!("metric column {name:?} has a name that a table cannot hold"));
        }
        let taken = outcome.columns.iter().take(at).any(|earlier| earlier.name == name);
        if taken || EPOCH_COLUMNS.contains(&name) {
            return inconsistent(format!("two columns are named {name:?}"));
        }
    }
    for (at, replica) in outcome.replicas.iter().enumerate() {
        let number = replica.replica;
        if outcome
            .replicas
            .iter()
            .take(at)
            .any(|earlier| earlier.replica == number)
        {
            return inconsistent(format!("two replicas have the number {number}"));
        }
        if replica.extrema.len() != columns {
            return inconsistent(format!(
                "replica {number} has {} extrema for {columns} metric columns",
                replica.extrema.len()
            ));
        }
        if let Some(record) = replica.records.iter().find(|record| record.metrics.len() != columns) {
            return inconsistent(format!(
                "replica {number}, epoch {} has {} values for {columns} metric columns",
                record.epoch,
                record.metrics.len()
            ));
        }
    }
    Ok(())
}

/// `epochs.csv`: one line per replica and epoch, replicas in the order given, the metric columns last.
///
/// # Errors
/// [`ReportError::Inconsistent`] as [`check`] finds it.
pub fn epochs_csv(outcome: &InversionOutcome) -> Result<String, ReportError> {
    check(outcome)?;
    let mut table = EPOCH_COLUMNS.join(",");
    for column in &outcome.columns {
        table.push(',');
        table.push_str(&column.name);
    }
    table.push('\n');
    for replica in &outcome.replicas {
        for record in &replica.records {
            // Writing to a `String` cannot fail.
            let _ = write!(
                table,
                "{},{},{},{},",
                replica.replica, record.epoch, record.train_loss, record.train_error
            );
            if let Some(error) = record.test_error {
                let _ = write!(table, "{error}");
            }
            for (value, column) in record.metrics.iter().zip(&outcome.columns) {
                table.push(',');
                // What is followed at some epochs only has nothing at the others.
                if column.turn != Turn::Either || !value.is_nan() {
                    let _ = write!(table, "{value}");
                }
            }
            table.push('\n');
        }
    }
    Ok(table)
}

/// `stragglers.csv`: the samples that each replica still misclassifies at its stop epoch.
pub fn stragglers_csv(outcome: &InversionOutcome) -> String {
    let mut table = STRAGGLER_COLUMNS.join(",");
    table.push('\n');
    for replica in &outcome.replicas {
        for Straggler { sample_index, label } in replica.stop.iter().flat_map(|stop| &stop.stragglers) {
            let _ = writeln!(table, "{},{sample_index},{label}", replica.replica);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::outcome::{EpochRecord, Extremum, MetricColumn, ReplicaOutcome, Stop};

    fn small() -> InversionOutcome {
        let record = |epoch, train_error, test_error, radius| EpochRecord {
            epoch,
            train_loss: 0.1 + 0.2,
            train_error,
            test_error,
            metrics: vec![radius],
        };
        InversionOutcome {
            classes: vec!["even".into(), "odd".into()],
            columns: vec![MetricColumn {
                name: "gyration_radius_0".into(),
                turn: Turn::Minimum,
            }],
            replicas: vec![
                ReplicaOutcome {
                    replica: 7,
                    records: vec![record(0, 0.5, Some(0.25), 1.0), record(1, 1e-7, None, f64::NAN)],
                    stop: Some(Stop {
                        epoch: 1,
                        error: 1e-7,
                        stragglers: vec![
                            Straggler {
                                sample_index: 3,
                                label: 1,
                            },
                            Straggler {
                                sample_index: 8191,
                                label: 0,
                            },
                        ],
                    }),
                    extrema: vec![Some(Extremum {
                        epoch: 1,
                        error: 1e-7,
                        value: 0.75,
                    })],
                },
                ReplicaOutcome {
                    replica: 2,
                    records: vec![record(0, -0.0, None, f64::NEG_INFINITY)],
                    stop: None,
                    extrema: vec![None],
                },
            ],
        }
    }

    #[test]
    fn the_tables_of_a_small_outcome() {
        assert_eq!(
            epochs_csv(&small()).unwrap(),
            "replica,epoch,train_loss,train_error,test_error,gyration_radius_0\n\
             7,0,0.30000000000000004,0.5,0.25,1\n\
             7,1,0.30000000000000004,0.0000001,,NaN\n\
             2,0,0.30000000000000004,-0,,-inf\n"
        );
        assert_eq!(
            stragglers_csv(&small()),
            "replica,sample_index,label\n7,3,1\n7,8191,0\n"
        );
    }

    #[test]
    fn an_outcome_that_contradicts_itself_is_refused() {
        let line = |outcome: &InversionOutcome| epochs_csv(outcome).unwrap_err().to_string();

        let mut outcome = small();
        outcome.replicas[1].records[0].metrics.clear();
        assert!(
            line(&outcome).contains("replica 2, epoch 0 has 0 values for 1"),
            "{}",
            line(&outcome)
        );

        let mut outcome = small();
        outcome.replicas[1].extrema.clear();
        assert!(line(&outcome).contains("replica 2 has 0 extrema"), "{}", line(&outcome));

        let mut outcome = small();
        outcome.replicas[1].replica = 7;
        assert!(
            line(&outcome).contains("two replicas have the number 7"),
            "{}",
            line(&outcome)
        );

        for name in ["a,b", "", " radius", "epoch", "two\nlines"] {
            let mut outcome = small();
            outcome.columns[0].name = name.into();
            assert!(
                matches!(epochs_csv(&outcome), Err(ReportError::Inconsistent { .. })),
                "{name:?}"
            );
        }
    }
}
