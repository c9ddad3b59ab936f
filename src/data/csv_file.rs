//! Rows of numbers with a label, from a CSV file with a header.
//!
//! One column, found by its name, holds the labels, as any text; all others hold numbers. Fields are separated by
//! commas, may be quoted, and lose the white space around them; empty lines are passed over.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use csv::{ByteRecord, ErrorKind, ReaderBuilder, Trim};

use super::error::DataError;
use super::format_fault::{FormatFault, one_line};
use super::npy::Array;

/// Rows of numbers, each with a class.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Names of the columns of numbers, in the order of the file.
    pub columns: Vec<String>,
    /// `[rows, columns]`.
    pub features: Array,
    /// The different labels: in ascending order if all are numbers, else in alphabetical order.
    pub classes: Vec<String>,
    /// `[rows]`, indices into `classes`.
    pub labels: Vec<u32>,
}

impl Table {
    /// Reads a file, whose column `label` holds the labels.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub fn open(path: &Path, label: &str) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|source| DataError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::read(file, label, path)
    }

    /// Reads to the end of `reader`; `path` is the name used in errors.
    ///
    /// # Errors
    /// [`DataError::Read`], [`DataError::Empty`]; [`FormatFault::NoColumn`], [`FormatFault::ColumnTwice`],
    /// [`FormatFault::NoFeatureColumn`], [`FormatFault::NoRows`], [`FormatFault::Fields`], [`FormatFault::Field`].
    ///
    /// ```
    /// use disentangle::data::Table;
    ///
    /// let text = "x,y,class\n1,2,cat\n3,4,dog\n5,6,cat\n";
    /// let table = Table::read(text.as_bytes(), "class", "pets.csv".as_ref())?;
    /// assert_eq!(table.classes, ["cat", "dog"]);
    /// assert_eq!(table.labels, [0, 1, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(reader: impl Read, label: &str, path: &Path) -> Result<Self, DataError> {
        let fault = |fault| DataError::Format {
            path: path.to_owned(),
            fault,
        };
        let mut reader = ReaderBuilder::new().trim(Trim::Headers).from_reader(reader);
        let header = reader.byte_headers().map_err(|error| refused(path, error))?;
        if header.is_empty() {
            return Err(DataError::Empty {
                path: path.to_owned(),
                expected: "a CSV header",
            });
        }
        let mut columns: Vec<String> = header.iter().map(text).collect();
        if let Some(name) = repeated(&columns) {
            return Err(fault(FormatFault::ColumnTwice { name }));
        }
        let Some(label) = columns.iter().position(|name| name == label) else {
            return Err(fault(FormatFault::NoColumn {
                name: label.to_owned(),
                present: columns,
            }));
        };
        let label_column = columns.remove(label);
        if columns.is_empty() {
            return Err(fault(FormatFault::NoFeatureColumn));
        }

        let (mut values, mut labels) = (Vec::new(), Vec::new());
        let mut classes = BTreeMap::new();
        let mut record = ByteRecord::new();
        while reader
            .read_byte_record(&mut record)
            .map_err(|error| refused(path, error))?
        {
            let field = |column: &str, value: &[u8], expected| {
                fault(FormatFault::Field {
                    line: record.position().map_or(0, csv::Position::line),
                    column: column.to_owned(),
                    value: text(value),
                    expected,
                })
            };
            let class = record.get(label).unwrap_or_default().trim_ascii();
            let class = str::from_utf8(class)
                .ok()
                .filter(|name| !name.is_empty())
                .ok_or_else(|| field(&label_column, class, "a label"))?;
            labels.push(match classes.get(class) {
                Some(&class) => class,
                None => {
                    let new = u32::try_from(classes.len())
                        .map_err(|_| field(&label_column, class.as_bytes(), "fewer than 2^32 different labels"))?;
                    classes.insert(class.to_owned(), new);
                    new
                }
            });
            let numbers = record.iter().enumerate().filter(|&(column, _)| column != label);
            for ((_, value), column) in numbers.zip(&columns) {
                let value = value.trim_ascii();
                let number = str::from_utf8(value).ok().and_then(|value| value.parse::<f64>().ok());
                values.push(number.ok_or_else(|| field(column, value, "a number"))?);
            }
        }
        if labels.is_empty() {
            return Err(fault(FormatFault::NoRows));
        }
        let (classes, labels) = sorted(classes, &labels);
        Ok(Self {
            features: Array {
                shape: vec![labels.len(), columns.len()],
                values,
            },
            columns,
            classes,
            labels,
        })
    }
}

/// The integers of a file with one column, or of its column `label` or `labels`. A first line that is no number is the header, which a file
/// with several columns must have.
///
/// # Errors
/// [`DataError::Read`], [`DataError::Empty`]; [`FormatFault::NoColumn`], [`FormatFault::NoRows`], [`FormatFault::Fields`],
/// [`FormatFault::Field`].
pub fn integer_column(path: &Path) -> Result<Vec<i64>, DataError> {
    let file = File::open(path).map_err(|source| DataError::Read {
        path: path.to_owned(),
        source,
    })?;
    read_integer_column(file, path)
}

fn read_integer_column(reader: impl Read, path: &Path) -> Result<Vec<i64>, DataError> {
    let fault = |fault| DataError::Format {
        path: path.to_owned(),
        fault,
    };
    let mut reader = ReaderBuilder::new().has_headers(false).from_reader(reader);
    let mut record = ByteRecord::new();
    let mut values = Vec::new();
    let mut column = None;
    let mut name = String::from("label");
    while reader
        .read_byte_record(&mut record)
        .map_err(|error| refused(path, error))?
    {
        let number = |field: &[u8]| {
            str::from_utf8(field)
                .ok()
                .and_then(|text| text.trim().parse::<i64>().ok())
        };
        let Some(place) = column else {
            // The first line.
            let only = record.get(0).filter(|_| record.len() == 1);
            // Spreadsheets put a byte order mark before the first field.
            let only = only.map(|field| field.strip_prefix(b"\xef\xbb\xbf").unwrap_or(field));
            column = Some(0);
            if let Some(first) = only {
                match number(first) {
                    Some(value) => values.push(value),
                    None => name = text(first),
                }
                continue;
            }
            let names: Vec<String> = record.iter().map(|field| text(field).trim().to_owned()).collect();
            column = names
                .iter()
                .position(|name| ["label", "labels"].contains(&name.as_str()));
            if column.is_none() {
                return Err(fault(FormatFault::NoColumn { name, present: names }));
            }
            continue;
        };
        let field = record.get(place).unwrap_or_default();
        values.push(number(field).ok_or_else(|| {
            fault(FormatFault::Field {
                line: record.position().map_or(0, csv::Position::line),
                column: name.clone(),
                value: text(field),
                expected: "an integer",
            })
        })?);
    }
    match (column, values.is_empty()) {
        (None, _) => Err(DataError::Empty {
            path: path.to_owned(),
            expected: "a column of labels",
        }),
        (_, true) => Err(fault(FormatFault::NoRows)),
        _ => Ok(values),
    }
}

/// The names in their order, and `labels` renumbered to it.
fn sorted(classes: BTreeMap<String, u32>, labels: &[u32]) -> (Vec<String>, Vec<u32>) {
    let mut classes: Vec<(String, u32)> = classes.into_iter().collect();
    let number = |name: &str| name.parse::<f64>().ok();
    if classes.iter().all(|(name, _)| number(name).is_some()) {
        classes.sort_by(|(a, _), (b, _)| {
            let (a, b) = (number(a).unwrap_or_default(), number(b).unwrap_or_default());
            a.total_cmp(&b)
        });
    }
    let mut rank = vec![0; classes.len()];
    for (new, &(_, old)) in (0u32..).zip(&classes) {
        if let Some(rank) = rank.get_mut(old as usize) {
            *rank = new;
        }
    }
    let labels = labels
        .iter()
        .filter_map(|&old| rank.get(old as usize).copied())
        .collect();
    (classes.into_iter().map(|(name, _)| name).collect(), labels)
}

/// A name that comes twice.
fn repeated(names: &[String]) -> Option<String> {
    let mut names: Vec<&String> = names.iter().collect();
    names.sort_unstable();
    let pair = names.array_windows().find(|[a, b]| a == b);
    pair.map(|[name, _]| (*name).clone())
}

fn text(field: &[u8]) -> String {
    one_line(&String::from_utf8_lossy(field))
}

fn refused(path: &Path, error: csv::Error) -> DataError {
    let path = path.to_owned();
    match error.into_kind() {
        ErrorKind::UnequalLengths { pos, expected_len, len } => DataError::Format {
            path,
            fault: FormatFault::Fields {
                line: pos.map_or(0, |pos| pos.line()),
                found: len,
                expected: expected_len,
            },
        },
        ErrorKind::Io(source) => DataError::Read { path, source },
        other => DataError::Read {
            path,
            source: io::Error::other(one_line(&format!("{other:?}"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Table, DataError> {
        Table::read(text.as_bytes(), "species", Path::new("f.csv"))
    }

    #[test]
    fn numbers_and_labels_are_told_apart_by_name() {
        let table = read("\u{feff}a, species ,\"b, c\"\n1.5,wolf,-2e-3\r\n\n inf , a cat ,+0.1\n7,wolf,nan").unwrap();
        assert_eq!(table.columns, ["a", "b, c"]);
        assert_eq!(table.features.shape, [3, 2]);
        assert_eq!(table.features.values[..5], [1.5, -2e-3, f64::INFINITY, 0.1, 7.0]);
        assert!(table.features.values[5].is_nan());
        assert_eq!(
            (table.classes, table.labels),
            (vec!["a cat".into(), "wolf".into()], vec![1, 0, 1])
        );
    }

    #[test]
    fn labels_that_are_numbers_are_in_their_order() {
        let table = read("x,species\n0,10\n0,9\n0,-1\n0,10").unwrap();
        assert_eq!(
            (table.classes, table.labels),
            (["-1", "9", "10"].map(String::from).to_vec(), vec![2, 1, 0, 2])
        );
    }

    #[test]
    fn a_column_of_integers_has_a_header_or_none() {
        let read = |text: &str| read_integer_column(text.as_bytes(), Path::new("y.csv"));
        assert_eq!(read("1\n -2\n3\n").unwrap(), [1, -2, 3]);
        assert_eq!(read("digit\r\n1\r\n2").unwrap(), [1, 2]);
        assert_eq!(read("\u{feff}5\n6").unwrap(), [5, 6]);
        assert_eq!(read("index,label\n0,4\n1,5").unwrap(), [4, 5]);
        let line = |text: &str| read(text).unwrap_err().to_string();
        assert_eq!(line(""), "y.csv: empty; expected a column of labels");
        assert_eq!(line("digit"), "y.csv: no rows; expected at least one after the header");
        assert_eq!(line("a,b\n1,2"), "y.csv: no column `label`; expected it among a, b");
        assert_eq!(
            line("y\n1\n2.5"),
            "y.csv: line 3, column `y`: `2.5`; expected an integer"
        );
        assert_eq!(line("1\n2,3"), "y.csv: line 2: 2 fields; expected 1, as in the header");
    }

    #[test]
    fn each_mistake_has_its_own_line() {
        let line = |text: &str| read(text).unwrap_err().to_string();
        assert_eq!(line(""), "f.csv: empty; expected a CSV header");
        assert_eq!(line("a,b\n1,2"), "f.csv: no column `species`; expected it among a, b");
        assert!(
            line(&format!("{}z", (0..30).map(|i| format!("{i},")).collect::<String>())).ends_with("19 and 11 more")
        );
        assert_eq!(
            line("a,a,species"),
            "f.csv: two columns named `a`; expected a name of its own for each"
        );
        assert_eq!(
            line("species\nx"),
            "f.csv: no column beside that of the labels; expected at least one of numbers"
        );
        assert_eq!(
            line("a,species\n"),
            "f.csv: no rows; expected at least one after the header"
        );
        assert_eq!(
            line("a,species\n1,x\n2"),
            "f.csv: line 3: 1 fields; expected 2, as in the header"
        );
        assert_eq!(
            line("a,species\n1,x\n2;5,x"),
            "f.csv: line 3, column `a`: `2;5`; expected a number"
        );
        assert_eq!(
            line("a,species\n,x"),
            "f.csv: line 2, column `a`: ``; expected a number"
        );
        assert_eq!(
            line("a,species\n1,"),
            "f.csv: line 2, column `species`: ``; expected a label"
        );
        assert_eq!(
            line("a,species\n\"1\n2\",x"),
            "f.csv: line 2, column `a`: `1 2`; expected a number"
        );
    }
}
