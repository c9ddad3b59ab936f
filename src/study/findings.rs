//! What a study has found, as data: words, plots and tables. Nothing here is written, drawn or printed.

use std::fmt::Write as _;

use super::number::Spread;

/// The findings of a study, ready to be shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// What was found, with its numbers. The first paragraph is the one that is printed.
    pub paragraphs: Vec<String>,
    /// The numbers that the paragraphs rest on, by name. One that is not finite could not be computed.
    pub numbers: Vec<(String, f64)>,
    /// The figures.
    pub plots: Vec<Plot>,
    /// The figures of many groups.
    pub forests: Vec<Forest>,
    /// Small tables for people to read.
    pub shown: Vec<Table>,
    /// Whole tables, a CSV file each.
    pub tables: Vec<Table>,
    /// Training samples to be seen as pictures.
    pub cards: Vec<Card>,
}

/// A table of words and numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct Table {
    /// Name of its file without the ending, or its caption.
    pub name: String,
    /// Name of each column.
    pub columns: Vec<String>,
    /// Rows, a cell per column.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub fn new(name: &str, columns: &[&str]) -> Table {
        Table {
            name: name.into(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// The table as CSV. Cells that hold a comma, a quote or a line's end are quoted (RFC 4180).
    pub fn csv(&self) -> String {
        let mut text = String::new();
        for row in std::iter::once(&self.columns).chain(&self.rows) {
            for (column, cell) in row.iter().enumerate() {
                let comma = if column > 0 { "," } else { "" };
                // Writing to a `String` cannot fail.
                let _ = if cell.contains([',', '"', '\n', '\r']) {
                    write!(text, "{comma}\"{}\"", cell.replace('"', "\"\""))
                } else {
                    write!(text, "{comma}{cell}")
                };
            }
            text.push('\n');
        }
        text
    }
}

/// A number as a table holds it: the shortest form that reads back to the same bits; empty if there is none.
pub fn cell(value: impl Into<Option<f64>>) -> String {
    value.into().map_or_else(String::new, |value| value.to_string())
}

/// A training sample and what is said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct Card {
    /// Its row in the training file.
    pub sample_index: usize,
    /// What stands below its picture, a line each.
    pub lines: Vec<String>,
}

/// What is on the horizontal axis of a plot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub enum Across {
    /// Epochs.
    Epoch,
    /// Training errors on a logarithmic axis, decreasing: time runs to the right.
    Error,
    /// Something else, in proportion.
    Linear(String),
    /// Something else, by its logarithm.
    Log(String),
}

/// A figure.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct Plot {
    /// Name of its file without the ending.
    pub name: String,
    /// What stands above it.
    pub title: String,
    /// The horizontal axis.
    pub across: Across,
    /// Whether the vertical axis is logarithmic.
    pub logarithmic: bool,
    /// The curves.
    pub curves: Vec<Curve>,
    /// A range on the horizontal axis (mean and deviation), and its name.
    pub range: Option<(Spread, String)>,
    /// What must be said of it.
    pub note: String,
}

/// A quantity: its mean with its interval, and every replica.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct Curve {
    /// Name in the legend.
    pub label: String,
    /// Points (x, y) of each replica; empty where the mean stands alone.
    pub replicas: Vec<Vec<(f64, f64)>>,
    /// The mean.
    pub mean: Vec<Point>,
}

/// A point of a mean curve.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct Point {
    /// Where.
    pub x: f64,
    /// The mean.
    pub y: f64,
    /// Half the width of its 95 % interval, if it has one.
    pub half: Option<f64>,
}

/// A figure of many groups, a line each: networks, their mean and its interval along one axis.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct Forest {
    /// Name of its file without the ending.
    pub name: String,
    /// What stands above it: what the axis is.
    pub title: String,
    /// Whether the axis is logarithmic.
    pub logarithmic: bool,
    /// Names of the series; every line has marks for each.
    pub series: Vec<String>,
    /// The lines, under headings.
    pub groups: Vec<Group>,
    /// A range on the axis and its name.
    pub band: Option<(f64, f64, String)>,
    /// What must be said of it.
    pub note: String,
}

/// Lines under a heading.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct Group {
    /// The heading; empty for none.
    pub heading: String,
    /// The lines.
    pub lines: Vec<Line>,
}

/// A line of a [`Forest`].
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct Line {
    /// What stands at its left.
    pub label: String,
    /// What stands at its right; a word at most.
    pub note: String,
    /// An entry per series.
    pub marks: Vec<Marks>,
}

/// One series on a line. What is not finite is left out.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct Marks {
    /// A value per network.
    pub replicas: Vec<f64>,
    /// Their mean.
    pub mean: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<(f64, f64)>,
}

impl Curve {
    /// A curve of replicas whose n-th points belong together: their mean with its 95 % interval, at the mean of their
    /// places. It ends with the shortest replica.
    pub fn of(label: &str, replicas: Vec<Vec<(f64, f64)>>) -> Curve {
        let points = replicas.iter().map(Vec::len).min().unwrap_or(0);
        let mean = (0..points).filter_map(|n| {
            let of = |part: fn(&(f64, f64)) -> f64| Spread::of(replicas.iter().filter_map(|r| r.get(n)).map(part));
            let y = of(|point| point.1);
            Some(Point {
                x: of(|point| point.0).mean?,
                y: y.mean?,
                half: y.half_width(),
            })
        });
        Curve {
            label: label.into(),
            mean: mean.collect(),
            // A single replica is its own mean.
            replicas: if replicas.len() > 1 { replicas } else { Vec::new() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_quotes_what_would_break_it_and_numbers_keep_their_bits() {
        let mut table = Table::new("t", &["a", "b,c"]);
        table.rows.push(vec![cell(0.1 + 0.2), "say \"no\"".into()]);
        table.rows.push(vec![cell(None), cell(f64::NAN)]);
        assert_eq!(table.csv(), "a,\"b,c\"\n0.30000000000000004,\"say \"\"no\"\"\"\n,NaN\n");
    }

    #[test]
    fn the_mean_of_replicas_has_its_interval_and_ends_with_the_shortest() {
        let curve = Curve::of(
            "y",
            vec![vec![(0.0, 1.0), (2.0, 5.0)], vec![(1.0, 3.0), (4.0, 5.0), (9.0, 9.0)]],
        );
        // Mean 2, deviation sqrt(2), half width t(1) sqrt(2) / sqrt(2), t(1) = tan(0.475 pi).
        assert_eq!(curve.mean.len(), 2);
        assert_eq!((curve.mean[0].x, curve.mean[0].y), (0.5, 2.0));
        assert!((curve.mean[0].half.unwrap() - (0.475 * std::f64::consts::PI).tan()).abs() < 1e-7);
        assert_eq!(curve.mean[1].half, Some(0.0));
        let alone = Curve::of("y", vec![vec![(0.0, 1.0)]]);
        assert_eq!((alone.mean[0].half, alone.replicas.len()), (None, 0));
    }
}
