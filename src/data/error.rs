//! What can be wrong with data: one variant per mistake, one line per message (what, where, what was expected).

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::format_fault::FormatFault;

/// An input that cannot be used, or a file that cannot be written.
///
/// ```
/// use std::path::Path;
///
/// use disentangle::data::{DataError, Dataset, Images};
///
/// // A path with a slip of the pen.
/// let wrong = Dataset::open(Path::new("data/fashoin"));
/// assert!(matches!(wrong, Err(DataError::NoFolder { path }) if path == Path::new("data/fashoin")));
/// // Labels of another split.
/// let line = Images::new(vec![0; 6], vec![1, 2, 3], [1, 1, 3], "test").map_err(|error| error.to_string());
/// assert_eq!(line, Err("test: 2 images and 3 labels; expected one label for each image".into()));
/// ```
#[derive(Debug)]
pub enum DataError {
    /// The folder named for the data does not exist.
    NoFolder {
        /// That folder.
        path: PathBuf,
    },
    /// The path named for the data is neither a folder nor an npz file.
    NotAFolder {
        /// That path.
        path: PathBuf,
    },
    /// The folder holds none of the four IDX files and none of CIFAR-10's batches.
    NoDataFiles {
        /// That folder.
        folder: PathBuf,
    },
    /// The folder holds some files of a data set, but not this one.
    MissingFile {
        /// That folder.
        folder: PathBuf,
        /// The names under which the file was looked for.
        names: Vec<String>,
    },
    /// The operating system refused to open or read a file.
    Read {
        /// That file.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// The operating system refused to write or rename a file.
    Write {
        /// That file.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// The file is compressed and this build has no gzip.
    GzipNotBuilt {
        /// That file.
        path: PathBuf,
    },
    /// The file, or what it unpacks to, has no bytes.
    Empty {
        /// That file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
    },
    /// The first four bytes are not those of the kind of IDX file that was expected.
    Magic {
        /// That file.
        path: PathBuf,
        /// The number found.
        found: u32,
        /// The number expected.
        expected: u32,
    },
    /// The file ends inside its IDX header.
    ShortHeader {
        /// That file.
        path: PathBuf,
        /// Bytes found.
        found: usize,
        /// Bytes of a header.
        expected: usize,
    },
    /// The IDX header names a size of zero.
    NoItems {
        /// That file.
        path: PathBuf,
        /// The sizes in the header.
        shape: Vec<u32>,
    },
    /// The sizes in the IDX header multiply to more bytes than this machine can address.
    TooLarge {
        /// That file.
        path: PathBuf,
        /// The sizes in the header.
        shape: Vec<u32>,
    },
    /// The file has fewer bytes than its IDX header says.
    Truncated {
        /// That file.
        path: PathBuf,
        /// The sizes in the header.
        shape: Vec<u32>,
        /// Bytes after the header, by the header.
        expected: u64,
        /// Bytes after the header that were there.
        found: u64,
    },
    /// The file goes on after the bytes that its IDX header says.
    TrailingBytes {
        /// That file.
        path: PathBuf,
        /// The sizes in the header.
        shape: Vec<u32>,
        /// Bytes after the header, by the header.
        expected: u64,
    },
    /// Reading stopped amid the items of an IDX file: a damaged gzip stream, or a failing disk.
    Damaged {
        /// That file.
        path: PathBuf,
        /// The sizes in the header.
        shape: Vec<u32>,
        /// Bytes after the header, by the header.
        expected: u64,
        /// Bytes after the header that could be read.
        found: u64,
        /// The reason.
        source: io::Error,
    },
    /// A CIFAR-10, npy, npz or CSV file that is not right, or an array that cannot be one.
    Format {
        /// The file; for an array of an npz file, with the array's name.
        path: PathBuf,
        /// What is wrong.
        fault: FormatFault,
    },
    /// The number of images is not the number of labels.
    CountMismatch {
        /// Where: a folder and a split.
        place: String,
        /// Images found.
        images: usize,
        /// Labels found.
        labels: usize,
    },
    /// The number of pixel values is not count * channels * height * width.
    PixelCount {
        /// Values found.
        found: usize,
        /// The sizes `[count, channels, height, width]`.
        shape: [usize; 4],
    },
    /// Training and test images differ in size.
    ShapeMismatch {
        /// The folder.
        place: String,
        /// `[channels, height, width]` of the training images.
        train: [usize; 3],
        /// `[channels, height, width]` of the test images.
        test: [usize; 3],
    },
    /// A word given for an option has no meaning there.
    Option {
        /// The option in words.
        option: &'static str,
        /// The word.
        value: String,
        /// The words that have one.
        expected: &'static str,
    },
    /// No training row belongs to a class of the label rule.
    EmptyClass {
        /// The rule.
        rule: String,
        /// Name of the class.
        class: String,
        /// Training rows that were looked at.
        rows: usize,
    },
    /// A label that the training file does not have, under the rule `all`.
    UnknownLabel {
        /// The label.
        label: u8,
        /// The row that has it.
        row: usize,
        /// The labels that the training file has.
        known: Vec<u8>,
    },
    /// The training rows asked for are not all there.
    Selection {
        /// First row asked for.
        offset: usize,
        /// Number of rows asked for; `None`: all from the offset on.
        samples: Option<usize>,
        /// Rows that the label rule keeps.
        available: usize,
    },
    /// A row index that the images do not have.
    RowOutOfRange {
        /// The index.
        row: usize,
        /// Number of images.
        count: usize,
    },
    /// Too few values for an unbiased deviation.
    TooFewValues {
        /// The standardisation asked for.
        scheme: &'static str,
        /// Values found.
        found: usize,
    },
    /// Images of another size than those that the standardisation was fitted on.
    PixelMismatch {
        /// Pixels per image found.
        found: usize,
        /// Pixels per image of the fit.
        expected: usize,
    },
    /// A safetensors file whose header or length is not right.
    TensorFile {
        /// That file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A safetensors file without the tensor asked for.
    NoTensor {
        /// That file.
        path: PathBuf,
        /// The name asked for.
        name: String,
        /// The names it has.
        present: Vec<String>,
    },
    /// A tensor of numbers that are neither `f16`, `f32` nor `f64`.
    TensorType {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// A folder or file without any array.
    NoArrays {
        /// That path.
        path: PathBuf,
    },
    /// A file that holds no arrays of numbers, by its name.
    ArrayFile {
        /// That file.
        path: PathBuf,
    },
    /// A file that holds no labels, by its name.
    LabelFile {
        /// That file.
        path: PathBuf,
    },
    /// Two tensors to be written under one name.
    TensorName {
        /// That name.
        name: String,
    },
    /// A tensor to be written whose values do not fill its shape.
    TensorShape {
        /// Name of the tensor.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Number of values given.
        values: usize,
    },
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFolder { path } => {
                write!(
                    f,
                    "{}: no such folder or file; expected a folder with the files of a data set, or an npz file",
                    path.display()
                )
            }
            Self::NotAFolder { path } => {
                write!(
                    f,
                    "{}: neither a folder nor an npz file; expected a folder with the files of a data set, or an npz file",
                    path.display()
                )
            }
            Self::NoDataFiles { folder } => write!(
                f,
                "{}: no data set; expected train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte \
                 and t10k-labels-idx1-ubyte, raw or .gz, or CIFAR-10's data_batch_1.bin to data_batch_5.bin and \
                 test_batch.bin",
                folder.display()
            ),
            Self::MissingFile { folder, names } => {
                write!(
                    f,
                    "{}: a file is missing; expected one of {}",
                    folder.display(),
                    names.join(", ")
                )
            }
            Self::Read { path, source } => {
                write!(
                    f,
                    "{}: cannot be read ({source}); expected a readable file",
                    path.display()
                )
            }
            Self::Write { path, source } => {
                write!(
                    f,
                    "{}: cannot be written ({source}); expected a writable folder with room",
                    path.display()
                )
            }
            Self::GzipNotBuilt { path } => write!(
                f,
                "{}: gzip data; expected the unpacked file, or a build with the feature `data`",
                path.display()
            ),
            Self::Empty { path, expected } => write!(f, "{}: empty; expected {expected}", path.display()),
            Self::Magic { path, found, expected } => write!(
                f,
                "{}: starts with {found:#010x}; expected {expected:#010x} ({})",
                path.display(),
                if *expected == super::idx::IMAGES_MAGIC {
                    "IDX images of bytes"
                } else {
                    "IDX labels of bytes"
                }
            ),
            Self::ShortHeader { path, found, expected } => {
                write!(
                    f,
                    "{}: ends after {found} bytes; expected an IDX header of {expected}",
                    path.display()
                )
            }
            Self::NoItems { path, shape } => {
                write!(
                    f,
                    "{}: the header says {}; expected sizes of at least 1",
                    path.display(),
                    Sizes(shape)
                )
            }
            Self::TooLarge { path, shape } => write!(
                f,
                "{}: the header says {}; expected a product that this machine can address",
                path.display(),
                Sizes(shape)
            ),
            Self::Truncated {
                path,
                shape,
                expected,
                found,
            } => write!(
                f,
                "{}: the header says {}, so {expected} bytes were expected after it; found {found}",
                path.display(),
                Sizes(shape)
            ),
            Self::TrailingBytes { path, shape, expected } => write!(
                f,
                "{}: the header says {}, so {expected} bytes were expected after it; found more",
                path.display(),
                Sizes(shape)
            ),
            Self::Damaged {
                path,
                shape,
                expected,
                found,
                source,
            } => write!(
                f,
                "{}: the header says {}, so {expected} bytes were expected after it; reading failed after {found} \
                 ({source})",
                path.display(),
                Sizes(shape)
            ),
            Self::Format { path, fault } => write!(f, "{}: {fault}", path.display()),
            Self::CountMismatch { place, images, labels } => {
                write!(
                    f,
                    "{place}: {images} images and {labels} labels; expected one label for each image"
                )
            }
            Self::PixelCount {
                found,
                shape: [count, channels, height, width],
            } => write!(
                f,
                "images: {found} pixel values; expected {count} images x {channels} channels x {height} x {width}"
            ),
            Self::ShapeMismatch { place, train, test } => write!(
                f,
                "{place}: test images are {}; expected the size of the training images, {}",
                Sizes(test),
                Sizes(train)
            ),
            Self::Option {
                option,
                value,
                expected,
            } => write!(f, "{option}: `{value}`; expected {expected}"),
            Self::EmptyClass { rule, class, rows } => write!(
                f,
                "labels {rule}: class `{class}` has none of the {rows} training rows; expected at least one in each \
                 class"
            ),
            Self::UnknownLabel { label, row, known } => write!(
                f,
                "labels all: row {row} has the label {label}; expected a label of the training file ({})",
                Listed(known)
            ),
            Self::Selection {
                offset,
                samples: Some(samples),
                available,
            } => write!(
                f,
                "training rows: {samples} from row {offset} on were asked for; expected at least 1 of the {available} \
                 rows that the label rule keeps"
            ),
            Self::Selection {
                offset,
                samples: None,
                available,
            } => write!(
                f,
                "training rows: offset {offset}; expected less than {available}, the number of rows that the label \
                 rule keeps"
            ),
            Self::RowOutOfRange { row, count } => write!(f, "images: row {row}; expected less than {count}"),
            Self::TooFewValues { scheme, found } => write!(
                f,
                "standardisation {scheme}: a deviation of {found} value(s); expected at least 2 (n - 1 is its divisor)"
            ),
            Self::PixelMismatch { found, expected } => {
                write!(
                    f,
                    "standardisation: images of {found} pixels; expected {expected}, as in the rows it was fitted on"
                )
            }
            Self::TensorFile { path, reason } => {
                write!(f, "{}: {reason}; expected a whole safetensors file", path.display())
            }
            Self::NoTensor { path, name, present } => write!(
                f,
                "{}: no tensor `{name}`; expected it among {}",
                path.display(),
                if present.is_empty() {
                    "the tensors, of which there are none".to_owned()
                } else {
                    present.join(", ")
                }
            ),
            Self::TensorType { path, name, found } => {
                write!(
                    f,
                    "{}: tensor `{name}` holds {found}; expected F16, F32 or F64",
                    path.display()
                )
            }
            Self::NoArrays { path } => write!(
                f,
                "{}: no arrays; expected .npy, .npz or .safetensors files",
                path.display()
            ),
            Self::ArrayFile { path } => write!(
                f,
                "{}: expected a folder, or an .npy, .npz or .safetensors file",
                path.display()
            ),
            Self::LabelFile { path } => {
                write!(f, "{}: expected labels in an .npy, .npz or .csv file", path.display())
            }
            Self::TensorName { name } => write!(
                f,
                "tensor `{name}`: named twice; expected a name of its own for each tensor"
            ),
            Self::TensorShape { name, shape, values } => {
                write!(
                    f,
                    "tensor `{name}`: {values} values; expected those of the shape {shape:?}"
                )
            }
        }
    }
}

impl std::error::Error for DataError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } | Self::Damaged { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Sizes as `60000 x 28 x 28`; an array without sizes is one value.
pub(super) struct Sizes<'a, T>(pub(super) &'a [T]);

impl<T: fmt::Display> fmt::Display for Sizes<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("a single value");
        }
        separated(f, self.0, " x ")
    }
}

/// Values as `0, 1, 2`.
pub(super) struct Listed<'a, T>(pub(super) &'a [T]);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        separated(f, self.0, ", ")
    }
}

fn separated<T: fmt::Display>(f: &mut fmt::Formatter<'_>, values: &[T], separator: &str) -> fmt::Result {
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            f.write_str(separator)?;
        }
        write!(f, "{value}")?;
    }
    Ok(())
}
