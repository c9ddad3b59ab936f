//! `summary.json`: what an inversion run found, per replica, with mean and deviation over the replicas.
//!
//! A number that is not finite, and a value that is absent, is `null`.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::files::ReportError;
use super::number::Spread;
use super::tables;
use crate::study::inversion::series;
use crate::study::outcome::{InversionOutcome, ReplicaOutcome, Turn};
use crate::study::turning::is_minimum;

/// The whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// One entry per replica, in the order of the outcome.
    pub replicas: Vec<ReplicaSummary>,
    /// Means over the replicas that have a value.
    pub mean: Aggregate,
    /// Unbiased standard deviations over the replicas that have a value; `null` with fewer than two.
    pub sd: Aggregate,
}

/// One replica.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplicaSummary {
    /// The epoch at which the released recipe stops.
    pub stop_epoch: Option<usize>,
    /// Training error there, a fraction.
    pub stop_error: Option<f64>,
    /// How many training samples are misclassified there; absent without a stop epoch.
    pub stragglers: Option<usize>,
    /// The first lasting extremum of each metric column, in the order of the columns.
    pub extrema: ByColumn<Option<ExtremumSummary>>,
}

/// Where a metric turns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExtremumSummary {
    /// Epoch at which it is extreme.
    pub epoch: usize,
    /// Training error there, a fraction.
    pub error: Option<f64>,
    /// The metric's value there.
    pub value: Option<f64>,
    /// Which way it turns; absent for radii and distances, which turn one way only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Way>,
}

/// Which way a metric turns that may turn either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// It falls, then rises.
    Minimum,
    /// It rises, then falls.
    Maximum,
}

impl Way {
    /// Of metric `m` of a replica, whose extremum is at an epoch.
    fn of(replica: &ReplicaOutcome, m: usize, epoch: usize) -> Way {
        if is_minimum(&series(replica, m), epoch) {
            Way::Minimum
        } else {
            Way::Maximum
        }
    }
}

/// A mean or a deviation of each quantity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Aggregate {
    /// Of the stop epochs.
    pub stop_epoch: Option<f64>,
    /// Of the training errors at the stop epochs.
    pub stop_error: Option<f64>,
    /// Of the numbers of stragglers.
    pub stragglers: Option<f64>,
    /// Of the training errors after the last epoch.
    pub final_train_error: Option<f64>,
    /// Of the test errors after the last epoch, where they were measured.
    pub final_test_error: Option<f64>,
    /// Of the extrema of each metric column.
    pub extrema: ByColumn<ExtremumAggregate>,
}

/// A mean or a deviation of the extrema of one column.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExtremumAggregate {
    /// Of their epochs.
    pub epoch: Option<f64>,
    /// Of the training errors there.
    pub error: Option<f64>,
    /// Of the values there.
    pub value: Option<f64>,
    /// How many replicas have one.
    pub count: usize,
}

/// A JSON object with one entry per metric column, in the order of the columns.
#[derive(Clone, Debug, PartialEq)]
pub struct ByColumn<T>(pub Vec<(String, T)>);

impl<T> ByColumn<T> {
    /// The entry of a column.
    pub fn get(&self, column: &str) -> Option<&T> {
        self.0.iter().find(|(name, _)| name == column).map(|(_, entry)| entry)
    }
}

impl<T: Serialize> Serialize for ByColumn<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, entry) in &self.0 {
            map.serialize_entry(name, entry)?;
        }
        map.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ByColumn<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = ByColumn<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with one entry per metric column")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(ByColumn(entries))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

/// The spreads from which [`Summary::mean`], [`Summary::sd`] and the page are made.
#[derive(Clone, Debug, PartialEq)]
pub struct Spreads {
    /// Of the stop epochs.
    pub stop_epoch: Spread,
    /// Of the training errors at the stop epochs.
    pub stop_error: Spread,
    /// Of the numbers of stragglers.
    pub stragglers: Spread,
    /// Of the training errors after the last epoch.
    pub final_train_error: Spread,
    /// Of the test errors after the last epoch.
    pub final_test_error: Spread,
    /// Of epoch, training error and value at the extrema, one entry per metric column.
    pub extrema: Vec<ExtremumSpread>,
}

/// Spread over the replicas of where one metric turns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExtremumSpread {
    /// How many replicas have an extremum.
    pub count: usize,
    /// Of its epoch.
    pub epoch: Spread,
    /// Of the training error there.
    pub error: Spread,
    /// Of the value there.
    pub value: Spread,
}

impl Spreads {
    /// Over the replicas of an outcome.
    pub fn of(outcome: &InversionOutcome) -> Self {
        let over =
            |value: &dyn Fn(&ReplicaOutcome) -> Option<f64>| Spread::of(outcome.replicas.iter().filter_map(value));
        let extrema = (0..outcome.columns.len())
            .map(|column| {
                let here = |replica: &ReplicaOutcome| replica.extrema.get(column).copied().flatten();
                ExtremumSpread {
                    count: outcome.replicas.iter().filter_map(here).count(),
                    epoch: over(&|replica| here(replica).map(|extremum| extremum.epoch as f64)),
                    error: over(&|replica| here(replica).map(|extremum| extremum.error)),
                    value: over(&|replica| here(replica).map(|extremum| extremum.value)),
                }
            })
            .collect();
        Self {
            stop_epoch: over(&|replica| replica.stop.as_ref().map(|stop| stop.epoch as f64)),
            stop_error: over(&|replica| replica.stop.as_ref().map(|stop| stop.error)),
            stragglers: over(&|replica| replica.stop.as_ref().map(|stop| stop.stragglers.len() as f64)),
            final_train_error: over(&|replica| replica.records.last().map(|record| record.train_error)),
            final_test_error: over(&|replica| replica.records.last().and_then(|record| record.test_error)),
            extrema,
        }
    }

    fn aggregate(&self, outcome: &InversionOutcome, part: fn(&Spread) -> Option<f64>) -> Aggregate {
        let entry = |(column, spread): (&crate::study::outcome::MetricColumn, &ExtremumSpread)| {
            let aggregate = ExtremumAggregate {
                epoch: part(&spread.epoch),
                error: part(&spread.error),
                value: part(&spread.value),
                count: spread.count,
            };
            (column.name.clone(), aggregate)
        };
        Aggregate {
            stop_epoch: part(&self.stop_epoch),
            stop_error: part(&self.stop_error),
            stragglers: part(&self.stragglers),
            final_train_error: part(&self.final_train_error),
            final_test_error: part(&self.final_test_error),
            extrema: ByColumn(outcome.columns.iter().zip(&self.extrema).map(entry).collect()),
        }
    }
}

/// Summarises an outcome.
///
/// # Errors
/// [`ReportError::Inconsistent`] as [`tables::check`] finds it.
pub fn summarise(outcome: &InversionOutcome) -> Result<Summary, ReportError> {
    tables::check(outcome)?;
    let spreads = Spreads::of(outcome);
    let replica = |replica: &ReplicaOutcome| ReplicaSummary {
        stop_epoch: replica.stop.as_ref().map(|stop| stop.epoch),
        stop_error: replica.stop.as_ref().map(|stop| stop.error),
        stragglers: replica.stop.as_ref().map(|stop| stop.stragglers.len()),
        extrema: ByColumn(
            outcome
                .columns
                .iter()
                .zip(&replica.extrema)
                .enumerate()
                .map(|(m, (column, extremum))| {
                    let either = column.turn == Turn::Either;
                    let summary = extremum.map(|extremum| ExtremumSummary {
                        epoch: extremum.epoch,
                        error: Some(extremum.error),
                        value: Some(extremum.value),
                        turn: either.then(|| Way::of(replica, m, extremum.epoch)),
                    });
                    (column.name.clone(), summary)
                })
                .collect(),
        ),
    };
    Ok(Summary {
        replicas: outcome.replicas.iter().map(replica).collect(),
        mean: spreads.aggregate(outcome, |spread| spread.mean),
        sd: spreads.aggregate(outcome, |spread| spread.sd),
    })
}

/// The text of `summary.json`, indented, with a newline at the end.
///
/// # Errors
/// [`ReportError::Inconsistent`] as [`tables::check`] finds it.
pub fn summary_json(outcome: &InversionOutcome) -> Result<String, ReportError> {
    let summary = summarise(outcome)?;
    let mut text = serde_json::to_string_pretty(&summary).map_err(|cause| ReportError::Inconsistent {
        what: format!("summary.json: {cause}"),
    })?;
    text.push('\n');
    Ok(text)
}
