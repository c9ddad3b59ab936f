//! What `measure` found, as a JSON object, a table for people, and CSV files.
//!
//! JSON: `{"silhouette": 0.27, "gyration-radius": {"0": 1.8, "1": 2.7}, "skipped": {"nc3": "needs --weights"}}`, keys the labels' values, and of several
//! representations one such object each under its name. Numbers that are not finite are null. CSV: empty where a metric has no value.

use std::fmt::Write as _;
use std::path::Path;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::files::{ReportError, write_atomic};
use super::summary::ByColumn;
use crate::geometry::{Arity, Metric};
use crate::study::measure::{LabelClasses, Measured};

/// Name of the table with a line per representation.
pub const METRICS_CSV: &str = "metrics.csv";
/// Name of the JSON object.
pub const METRICS_JSON: &str = "metrics.json";
/// Name of the table with a line per row of each representation.
pub const SAMPLES_CSV: &str = "samples.csv";

/// Everything that was measured.
#[derive(Clone, Copy, Debug)]
pub struct Findings<'a> {
    /// Which metrics.
    pub metrics: &'a [&'static Metric],
    /// The classes.
    pub classes: &'a LabelClasses,
    /// One per representation.
    pub entries: &'a [Measured],
}

/// What to call a representation among several.
fn title(entry: &Measured) -> String {
    match entry.replica {
        Some(replica) => format!("{}/replica-{replica}", entry.name),
        None => entry.name.clone(),
    }
}

/// One representation's object.
struct Object<'a>(&'a Findings<'a>, &'a Measured);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Object(findings, entry) = self;
        let mut map = serializer.serialize_map(None)?;
        let mut skipped = Vec::new();
        for (metric, reading) in findings.metrics.iter().zip(&entry.readings) {
            match reading {
                Err(reason) => skipped.push((metric.name.to_owned(), reason.as_str())),
                Ok(values) if metric.arity == Arity::One => map.serialize_entry(metric.name, &values.first())?,
                Ok(values) => {
                    let keys = metric.arity.keys(&findings.classes.names);
                    let values = keys.into_iter().zip(values.iter().copied()).collect();
                    map.serialize_entry(metric.name, &ByColumn(values))?;
                }
            }
        }
        map.serialize_entry("skipped", &ByColumn(skipped))?;
        map.end()
    }
}

impl Findings<'_> {
    /// The JSON object, ended by a newline.
    ///
    /// # Errors
    /// [`ReportError::Inconsistent`] if it cannot be put into words.
    pub fn json(&self) -> Result<String, ReportError> {
        let text = match self.entries {
            [only] => serde_json::to_string_pretty(&Object(self, only)),
            all => serde_json::to_string_pretty(&ByColumn(
                all.iter().map(|entry| (title(entry), Object(self, entry))).collect(),
            )),
        };
        let text = text.map_err(|error| ReportError::Inconsistent {
            what: error.to_string(),
        })?;
        Ok(text + "\n")
    }

    /// The table for people: of one representation a line per value, of several a line each with means over classes and over pairs.
    pub fn text(&self) -> String {
        let mut rows = Vec::new();
        let number = |value: f64| format!("{value:.6}");
        match self.entries {
            [only] => {
                for (metric, reading) in self.metrics.iter().zip(&only.readings) {
                    match reading {
                        Err(reason) => rows.push(vec![metric.name.to_owned(), format!("skipped: {reason}")]),
                        Ok(values) => {
                            for (key, value) in metric.arity.keys(&self.classes.names).iter().zip(values) {
                                rows.push(vec![
                                    format!("{} {key}", metric.name).trim_end().to_owned(),
                                    number(*value),
                                ]);
                            }
                        }
                    }
                }
            }
            all => {
                // Metrics that no representation has are told once, below.
                let present = |n: &usize| {
                    all.iter()
                        .any(|entry| entry.readings.get(*n).is_some_and(Result::is_ok))
                };
                let shown: Vec<usize> = (0..self.metrics.len()).filter(present).collect();
                let mut head = vec![String::new()];
                for metric in shown.iter().filter_map(|&n| self.metrics.get(n)) {
                    match metric.arity {
                        Arity::Named(names) => head.extend(names.iter().map(|name| format!("{} {name}", metric.name))),
                        Arity::One => head.push(metric.name.into()),
                        _ => head.push(format!("{} (mean)", metric.name)),
                    }
                }
                rows.push(head);
                for entry in all {
                    let mut row = vec![title(entry)];
                    for &n in &shown {
                        let Some((metric, reading)) = self.metrics.get(n).zip(entry.readings.get(n)) else {
                            continue;
                        };
                        match (metric.arity, reading) {
                            (Arity::Named(names), Err(_)) => row.extend(names.iter().map(|_| "-".to_owned())),
                            (_, Err(_)) => row.push("-".into()),
                            (Arity::One | Arity::Named(_), Ok(values)) => row.extend(values.iter().map(|v| number(*v))),
                            (_, Ok(values)) => row.push(number(values.iter().sum::<f64>() / values.len() as f64)),
                        }
                    }
                    rows.push(row);
                }
            }
        }
        let mut text = aligned(&rows);
        if self.entries.len() > 1 {
            for (n, metric) in self.metrics.iter().enumerate() {
                let reasons: Vec<(String, &str)> = self
                    .entries
                    .iter()
                    .filter_map(|entry| Some((title(entry), entry.readings.get(n)?.as_ref().err()?.as_str())))
                    .collect();
                if let Some((first, reason)) = reasons.first() {
                    let of = if reasons.len() == self.entries.len() {
                        String::new()
                    } else {
                        format!(" of {first}{}", if reasons.len() > 1 { " and others" } else { "" })
                    };
                    // Writing to a `String` cannot fail.
                    let _ = writeln!(text, "skipped: {}{of}: {reason}", metric.name);
                }
            }
        }
        text
    }

    /// `metrics.csv`: a line per representation.
    pub fn metrics_csv(&self) -> String {
        let mut table = String::from("name,replica");
        for metric in self.metrics {
            for column in metric.columns(&self.classes.names) {
                table.push(',');
                table.push_str(&column);
            }
        }
        table.push('\n');
        for entry in self.entries {
            table.push_str(&identity(entry));
            for (metric, reading) in self.metrics.iter().zip(&entry.readings) {
                match reading {
                    Ok(values) => values.iter().for_each(|value| {
                        let _ = write!(table, ",{value}");
                    }),
                    Err(_) => metric
                        .arity
                        .keys(&self.classes.names)
                        .iter()
                        .for_each(|_| table.push(',')),
                }
            }
            table.push('\n');
        }
        table
    }

    /// `samples.csv`: a line per row of each representation with what is known of it; `None` if nothing was asked for.
    pub fn samples_csv(&self) -> Option<String> {
        let first = self.entries.iter().find(|entry| !entry.samples.is_empty())?;
        let columns: Vec<&str> = first.samples.iter().map(|(name, _)| *name).collect();
        let mut table = format!("name,replica,row,label,{}\n", columns.join(","));
        for entry in self.entries {
            let identity = identity(entry);
            for (row, &class) in self.classes.indices.iter().enumerate() {
                let label = self.classes.names.get(class as usize).map_or("", String::as_str);
                let _ = write!(table, "{identity},{row},{label}");
                for column in &columns {
                    let known = entry.samples.iter().find(|(name, _)| name == column);
                    match known
                        .and_then(|(_, values)| values.get(row))
                        .filter(|value| !value.is_nan())
                    {
                        Some(value) => drop(write!(table, ",{value}")),
                        None => table.push(','),
                    }
                }
                table.push('\n');
            }
        }
        Some(table)
    }

    /// Writes the three files into a folder that exists.
    ///
    /// # Errors
    /// [`ReportError`] of writing.
    pub fn write(&self, folder: &Path) -> Result<(), ReportError> {
        write_atomic(&folder.join(METRICS_CSV), self.metrics_csv().as_bytes())?;
        if let Some(samples) = self.samples_csv() {
            write_atomic(&folder.join(SAMPLES_CSV), samples.as_bytes())?;
        }
        write_atomic(&folder.join(METRICS_JSON), self.json()?.as_bytes())
    }
}

/// The first two fields of a line: a name of the user's files may need quotes.
fn identity(entry: &Measured) -> String {
    let name = if entry.name.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", entry.name.replace('"', "\"\""))
    } else {
        entry.name.clone()
    };
    let replica = entry.replica.map_or(String::new(), |replica| replica.to_string());
    format!("{name},{replica}")
}

/// Columns of one width each: the first to the left, numbers to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |n: usize| {
        rows.iter()
            .filter_map(|row| row.get(n))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (n, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let reason = cell.starts_with("skipped: ");
            let _ = if n == 0 || reason {
                write!(line, "{}{cell:<width$}", if n == 0 { "" } else { "  " })
            } else {
                write!(line, "  {cell:>width$}")
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::metric;

    fn classes() -> LabelClasses {
        LabelClasses::new(&[3, 3, 8]).unwrap()
    }

    fn entry(name: &str, replica: Option<usize>) -> Measured {
        Measured {
            name: name.into(),
            replica,
            readings: vec![
                Ok(vec![1.5, 0.1 + 0.2]),
                Ok(vec![f64::INFINITY]),
                Err("needs --weights".into()),
            ],
            samples: vec![("margin", vec![0.5, f64::NAN, -1.0])],
        }
    }

    #[test]
    fn one_representation_is_one_object() {
        let (metrics, classes) = (metric::listed("gyration-radius,fisher-ratio,nc3").unwrap(), classes());
        let entries = [entry("h", None)];
        let findings = Findings {
            metrics: &metrics,
            classes: &classes,
            entries: &entries,
        };
        let json: serde_json::Value = serde_json::from_str(&findings.json().unwrap()).unwrap();
        let expected = serde_json::json!({
            "gyration-radius": {"3": 1.5, "8": 0.30000000000000004},
            "fisher-ratio": null,
            "skipped": {"nc3": "needs --weights"},
        });
        assert_eq!(json, expected);
        assert_eq!(
            findings.text(),
            "gyration-radius 3                  1.500000\ngyration-radius 8                  0.300000\n\
             fisher-ratio                            inf\nnc3                skipped: needs --weights\n"
        );
        assert_eq!(
            findings.metrics_csv(),
            "name,replica,gyration_radius_3,gyration_radius_8,fisher_ratio,nc3\nh,,1.5,0.30000000000000004,inf,\n"
        );
        assert_eq!(
            findings.samples_csv().unwrap(),
            "name,replica,row,label,margin\nh,,0,3,0.5\nh,,1,3,\nh,,2,8,-1\n"
        );
    }

    #[test]
    fn several_are_an_object_each_and_a_table() {
        let (metrics, classes) = (metric::listed("gyration-radius,fisher-ratio,nc3").unwrap(), classes());
        let entries = [entry("epoch-0", Some(0)), entry("a, b", None)];
        let findings = Findings {
            metrics: &metrics,
            classes: &classes,
            entries: &entries,
        };
        let json: serde_json::Value = serde_json::from_str(&findings.json().unwrap()).unwrap();
        assert_eq!(json["epoch-0/replica-0"]["gyration-radius"]["3"], 1.5);
        assert_eq!(json["a, b"]["skipped"]["nc3"], "needs --weights");
        assert_eq!(
            findings.text(),
            "                   gyration-radius (mean)  fisher-ratio\n\
             epoch-0/replica-0                0.900000           inf\n\
             a, b                             0.900000           inf\n\
             skipped: nc3: needs --weights\n"
        );
        assert!(findings.metrics_csv().contains("\n\"a, b\",,1.5,"));
    }
}
