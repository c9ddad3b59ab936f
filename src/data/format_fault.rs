//! What can be wrong inside a CIFAR-10, npy, npz or CSV file: one variant per mistake.
//!
//! A fault is told as `found; expected`; [`DataError::Format`](super::DataError::Format) puts the file before it.

use std::fmt;

use super::error::{Listed, Sizes};

/// A mistake in a file, or in an array to be written to one.
///
/// ```
/// use std::path::Path;
///
/// use disentangle::data::{DataError, FormatFault, Npy};
///
/// // The start of a zip archive under the name of an array.
/// let wrong = Npy::read(&b"PK\x03\x04 and so on"[..], Path::new("rows.npy"));
/// assert!(matches!(&wrong, Err(DataError::Format { fault: FormatFault::NotNpy, .. })));
/// let line = wrong.map(|_| ()).map_err(|error| error.to_string());
/// assert_eq!(line, Err("rows.npy: not an npy file; expected one that starts with \\x93NUMPY".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormatFault {
    /// A CIFAR-10 batch that ends inside a record.
    PartialRecord {
        /// Whole records before the end.
        records: usize,
        /// Bytes of the last one.
        found: usize,
    },
    /// A CIFAR-10 record whose label is none of the ten.
    CifarLabel {
        /// The record, from 0.
        record: usize,
        /// The label.
        label: u8,
    },
    /// The first six bytes are not those of an npy file.
    NotNpy,
    /// A version of the npy format that does not exist.
    NpyVersion {
        /// Its two numbers.
        version: [u8; 2],
    },
    /// An npy header that ends early or is not a Python dictionary of `descr`, `fortran_order` and `shape`.
    NpyHeader {
        /// What was expected in it.
        expected: &'static str,
    },
    /// Elements of a type that cannot be read, or not for this use.
    ArrayType {
        /// The type as NumPy writes it.
        found: String,
        /// The types that can be.
        expected: &'static str,
    },
    /// Sizes that do not fit the use.
    ArrayShape {
        /// The sizes.
        shape: Vec<usize>,
        /// Those that do.
        expected: &'static str,
    },
    /// The sizes of an array multiply to more bytes than this machine can address.
    ArrayTooLarge {
        /// The sizes.
        shape: Vec<usize>,
    },
    /// Fewer bytes than the sizes of an array say.
    ArrayTruncated {
        /// The sizes.
        shape: Vec<usize>,
        /// Bytes after the header, by the header.
        expected: u64,
        /// Bytes after the header that were there.
        found: u64,
    },
    /// More bytes than the sizes of an array say.
    ArrayTrailing {
        /// The sizes.
        shape: Vec<usize>,
        /// Bytes after the header, by the header.
        expected: u64,
    },
    /// An array to be written whose values do not fill its shape.
    ArrayValues {
        /// The sizes.
        shape: Vec<usize>,
        /// Number of values given.
        values: usize,
    },
    /// A value that is not allowed there.
    Value {
        /// Its place, in row-major order.
        index: usize,
        /// The value.
        value: String,
        /// Those allowed.
        expected: &'static str,
    },
    /// A zip archive that cannot be read, or one of its members.
    Archive {
        /// What the zip reader says.
        reason: String,
    },
    /// An npz file without the array asked for.
    NoArray {
        /// The name asked for.
        name: String,
        /// The names it has.
        present: Vec<String>,
    },
    /// The file is an npz and this build has no zip.
    NpzNotBuilt,
    /// A CSV file without the label column asked for.
    NoColumn {
        /// The name asked for.
        name: String,
        /// The names it has.
        present: Vec<String>,
    },
    /// Two columns of a CSV file with one name.
    ColumnTwice {
        /// The name.
        name: String,
    },
    /// A CSV file whose only column is that of the labels.
    NoFeatureColumn,
    /// A CSV file with a header and nothing after it.
    NoRows,
    /// A CSV row that is longer or shorter than the header.
    Fields {
        /// Its line, from 1 (or that of an empty one just before it).
        line: u64,
        /// Fields found.
        found: u64,
        /// Fields of the header.
        expected: u64,
    },
    /// A CSV field that is not what its column holds.
    Field {
        /// Its line, from 1 (or that of an empty one just before it).
        line: u64,
        /// Name of its column.
        column: String,
        /// The field.
        value: String,
        /// What the column holds.
        expected: &'static str,
    },
}

impl fmt::Display for FormatFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PartialRecord { records, found } => write!(
                f,
                "{found} bytes after {records} records; expected records of 3073 (a label and 3 x 32 x 32 pixels)"
            ),
            Self::CifarLabel { record, label } => write!(f, "record {record} has the label {label}; expected 0 to 9"),
            Self::NotNpy => f.write_str("not an npy file; expected one that starts with \\x93NUMPY"),
            Self::NpyVersion {
                version: [major, minor],
            } => {
                write!(f, "npy version {major}.{minor}; expected 1.0, 2.0 or 3.0")
            }
            Self::NpyHeader { expected } => write!(f, "damaged npy header; expected {expected}"),
            Self::ArrayType { found, expected } => write!(f, "elements of type {found}; expected {expected}"),
            Self::ArrayShape { shape, expected } => write!(f, "an array of {}; expected {expected}", Sizes(shape)),
            Self::ArrayTooLarge { shape } => write!(
                f,
                "the header says {}; expected a product that this machine can address",
                Sizes(shape)
            ),
            Self::ArrayTruncated { shape, expected, found } => write!(
                f,
                "the header says {}, so {expected} bytes were expected after it; found {found}",
                Sizes(shape)
            ),
            Self::ArrayTrailing { shape, expected } => write!(
                f,
                "the header says {}, so {expected} bytes were expected after it; found more",
                Sizes(shape)
            ),
            Self::ArrayValues { shape, values } => {
                write!(f, "{values} values; expected those of the shape {}", Sizes(shape))
            }
            Self::Value { index, value, expected } => write!(f, "value {index} is {value}; expected {expected}"),
            Self::Archive { reason } => write!(f, "{reason}; expected a whole npz (zip) archive"),
            Self::NoArray { name, present } => write!(f, "no array `{name}`; expected it among {}", Present(present)),
            Self::NpzNotBuilt => f.write_str("an npz archive; expected a build with the feature `data`"),
            Self::NoColumn { name, present } => {
                write!(f, "no column `{name}`; expected it among {}", Present(present))
            }
            Self::ColumnTwice { name } => {
                write!(f, "two columns named `{name}`; expected a name of its own for each")
            }
            Self::NoFeatureColumn => {
                f.write_str("no column beside that of the labels; expected at least one of numbers")
            }
            Self::NoRows => f.write_str("no rows; expected at least one after the header"),
            Self::Fields { line, found, expected } => {
                write!(f, "line {line}: {found} fields; expected {expected}, as in the header")
            }
            Self::Field {
                line,
                column,
                value,
                expected,
            } => write!(f, "line {line}, column `{column}`: `{value}`; expected {expected}"),
        }
    }
}

/// Names that a file has; of many, the first.
struct Present<'a>(&'a [String]);

impl fmt::Display for Present<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        match self.0 {
            [] => f.write_str("its names, of which there are none"),
            names => {
                write!(f, "{}", Listed(names.get(..SHOWN).unwrap_or(names)))?;
                match names.len().checked_sub(SHOWN) {
                    Some(more @ 1..) => write!(f, " and {more} more"),
                    _ => Ok(()),
                }
            }
        }
    }
}

/// Text out of a file, which may hold anything, as part of a line.
pub(super) fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect()
}
