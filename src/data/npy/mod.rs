//! Arrays in npy files, NumPy's own format.
//!
//! | offset | what |
//! |---|---|
//! | 0 | `\x93NUMPY` |
//! | 6 | the version: 1.0, 2.0 or 3.0, a byte each |
//! | 8 | the header's length, little-endian: `u16` in version 1.0, else `u32` |
//! | 10 or 12 | the header: type, order and sizes as a Python dictionary |
//! | then | the values, in the order that the header says |
//!
//! All three versions, both byte orders and both index orders are read, and nothing may follow the values. A header is
//! a claim, not a reason to reserve memory: the buffer grows with the bytes that come.
//!
//! Source: `numpy.lib.format` of NumPy. Why not a crate: those that exist parse the header by a general parser of
//! Python literals, which compiles assembly to guard its own recursion.

mod element;
mod header;
#[cfg(feature = "data")]
mod mapped;
mod write;

use std::convert::Infallible;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

#[cfg(feature = "data")]
pub(super) use self::element::half;
use self::element::{Element, Kind};
use super::error::DataError;
use super::format_fault::FormatFault;
use super::idx::read_growing;
#[cfg(feature = "data")]
pub use mapped::MappedRows;
pub use write::{NpyElement, write_npy, write_npy_from};

/// How every npy file starts.
const MAGIC: [u8; 6] = *b"\x93NUMPY";

/// Numbers in a shape.
///
/// ```
/// use disentangle::data::{Array, Npy, write_npy};
///
/// // A single number has no sizes.
/// let path = std::env::temp_dir().join(format!("disentangle-number-{}.npy", std::process::id()));
/// write_npy(&path, &[], &[0.5])?;
/// assert_eq!(Npy::open(&path)?.to_array(), Array { shape: vec![], values: vec![0.5] });
/// std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its sizes, slowest first; none for a single number.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f64>,
}

/// An array as it was read, its elements still of the file's type.
///
/// ```
/// use std::path::Path;
///
/// use disentangle::data::{Npy, write_npy};
///
/// let path = std::env::temp_dir().join(format!("disentangle-bytes-{}.npy", std::process::id()));
/// write_npy(&path, &[2, 2], &[1u8, 2, 3, 4])?;
/// let bytes = Npy::open(&path)?;
/// assert_eq!((bytes.shape(), bytes.element().as_str()), (&[2, 2][..], "|u1"));
/// assert_eq!(bytes.to_array().values, [1.0, 2.0, 3.0, 4.0]);
/// assert_eq!(bytes.into_bytes()?, [1, 2, 3, 4]);
/// // Numbers that are not all whole, out of memory.
/// write_npy(&path, &[2], &[3.0, 0.5])?;
/// let floats = Npy::read(&std::fs::read(&path)?[..], Path::new("floats"))?;
/// let wrong = floats.to_integers().map_err(|error| error.to_string());
/// assert_eq!(wrong, Err("floats: value 1 is 0.5; expected an integer of 64 bits".into()));
/// std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Npy {
    /// The name used in errors.
    path: PathBuf,
    element: Element,
    shape: Vec<usize>,
    /// Row-major, in the file's byte order.
    bytes: Vec<u8>,
}

impl Npy {
    /// Reads a file.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|source| DataError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::read(file, path)
    }

    /// Reads to the end of `reader`; `path` is the name used in errors.
    ///
    /// # Errors
    /// [`DataError::Empty`], [`DataError::Read`]; [`FormatFault::NotNpy`], [`FormatFault::NpyVersion`],
    /// [`FormatFault::NpyHeader`], [`FormatFault::ArrayType`], [`FormatFault::ArrayTooLarge`],
    /// [`FormatFault::ArrayTruncated`], [`FormatFault::ArrayTrailing`].
    pub fn read(mut reader: impl Read, path: &Path) -> Result<Self, DataError> {
        let fault = |fault| DataError::Format {
            path: path.to_owned(),
            fault,
        };
        let header = read_header(&mut reader, path)?;
        let size = header.element.size();
        let len = header
            .shape
            .iter()
            .try_fold(size, |product, &size| product.checked_mul(size))
            // A slice never holds more than isize::MAX bytes.
            .filter(|&len| isize::try_from(len).is_ok());
        let Some(len) = len else {
            return Err(fault(FormatFault::ArrayTooLarge { shape: header.shape }));
        };
        let mut bytes = Vec::new();
        let expected = len as u64;
        read_growing(&mut reader, expected + 1, &mut bytes).map_err(|source| DataError::Read {
            path: path.to_owned(),
            source,
        })?;
        match bytes.len().cmp(&len) {
            std::cmp::Ordering::Less => Err(fault(FormatFault::ArrayTruncated {
                shape: header.shape,
                expected,
                found: bytes.len() as u64,
            })),
            std::cmp::Ordering::Greater => Err(fault(FormatFault::ArrayTrailing {
                shape: header.shape,
                expected,
            })),
            std::cmp::Ordering::Equal => Ok(Self {
                path: path.to_owned(),
                element: header.element,
                bytes: if header.fortran_order && header.shape.len() > 1 {
                    row_major(&bytes, &header.shape, size)
                } else {
                    bytes
                },
                shape: header.shape,
            }),
        }
    }

    /// Its sizes, slowest first; none for a single number.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The type of its elements as NumPy writes it: `<f4`, `|u1`.
    pub fn element(&self) -> String {
        self.element.name()
    }

    /// The numbers, whatever their type: floats and integers up to 2^53 exactly, larger ones rounded once, `False` and
    /// `True` as 0 and 1.
    pub fn to_array(&self) -> Array {
        let Ok(values) = self
            .element
            .decode(&self.bytes, |number| Ok::<_, Infallible>(number.to_f64()));
        Array {
            shape: self.shape.clone(),
            values,
        }
    }

    /// The numbers as integers, row-major: those of any type that are whole.
    ///
    /// # Errors
    /// [`FormatFault::Value`].
    pub fn to_integers(&self) -> Result<Vec<i64>, DataError> {
        let integers = self.element.decode(&self.bytes, |number| number.to_i64().ok_or(number));
        integers.map_err(|(index, number)| {
            self.fault(FormatFault::Value {
                index,
                value: number.to_string(),
                expected: "an integer of 64 bits",
            })
        })
    }

    /// The bytes of an array of bytes, row-major.
    ///
    /// # Errors
    /// [`FormatFault::ArrayType`] for another type than `|u1`.
    pub fn into_bytes(self) -> Result<Vec<u8>, DataError> {
        match self.element.kind {
            Kind::U8 => Ok(self.bytes),
            _ => Err(self.fault(FormatFault::ArrayType {
                found: self.element.name(),
                expected: "|u1 (uint8)",
            })),
        }
    }

    /// `fault` in this array.
    pub(super) fn fault(&self, fault: FormatFault) -> DataError {
        DataError::Format {
            path: self.path.clone(),
            fault,
        }
    }
}

fn read_header(reader: &mut impl Read, path: &Path) -> Result<header::Header, DataError> {
    let fault = |fault| DataError::Format {
        path: path.to_owned(),
        fault,
    };
    let mut next = |count: u64| {
        let mut bytes = Vec::new();
        let read = read_growing(reader, count, &mut bytes);
        read.map(|()| bytes).map_err(|source| DataError::Read {
            path: path.to_owned(),
            source,
        })
    };
    let start = next(8)?;
    if start.is_empty() {
        return Err(DataError::Empty {
            path: path.to_owned(),
            expected: "an npy array",
        });
    }
    let version = match start.strip_prefix(&MAGIC) {
        Some(&[major, minor]) => [major, minor],
        Some(_) => return Err(fault(FormatFault::NpyHeader { expected: "a version" })),
        None => return Err(fault(FormatFault::NotNpy)),
    };
    let digits = match version {
        [1, 0] => 2,
        [2 | 3, 0] => 4,
        _ => return Err(fault(FormatFault::NpyVersion { version })),
    };
    let length = next(digits)?;
    let whole = length.len() as u64 == digits;
    let length = length.iter().rev().fold(0, |n, &byte| n << 8 | u64::from(byte));
    let text = next(length)?;
    if !whole || text.len() as u64 != length {
        return Err(fault(FormatFault::NpyHeader {
            expected: "as many bytes as its length says",
        }));
    }
    header::parse(&text).map_err(fault)
}

/// Elements of `size` bytes, stored with the first index running fastest, put into the order in which the last does.
fn row_major(bytes: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let strides: Vec<usize> = shape
        .iter()
        .scan(size, |stride, &n| {
            let own = *stride;
            *stride *= n;
            Some(own)
        })
        .collect();
    let mut index = vec![0; shape.len()];
    let mut offset = 0;
    let mut ordered = Vec::with_capacity(bytes.len());
    for _ in 0..bytes.len() / size {
        ordered.extend_from_slice(bytes.get(offset..offset + size).unwrap_or_default());
        // The next index, as an odometer turns: the last wheel first.
        for ((i, &n), &stride) in index.iter_mut().zip(shape).zip(&strides).rev() {
            *i += 1;
            offset += stride;
            if *i < n {
                break;
            }
            *i = 0;
            offset -= n * stride;
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(version: [u8; 2], header: &str, values: &[u8]) -> Vec<u8> {
        let length = header.len() as u32;
        let length = length.to_le_bytes();
        let length = if version == [1, 0] { &length[..2] } else { &length[..] };
        [&MAGIC[..], &version, length, header.as_bytes(), values].concat()
    }

    fn npy(descr: &str, fortran: &str, shape: &str, values: &[u8]) -> Result<Npy, DataError> {
        let header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}}}");
        Npy::read(file([1, 0], &header, values).as_slice(), Path::new("f"))
    }

    #[test]
    fn all_versions_and_orders_are_read() {
        let header = "{'descr': '>i2', 'fortran_order': False, 'shape': (2,)}";
        for version in [[1, 0], [2, 0], [3, 0]] {
            let read = Npy::read(file(version, header, &[1, 2, 255, 255]).as_slice(), Path::new("f")).unwrap();
            assert_eq!((read.shape(), read.element().as_str()), (&[2][..], ">i2"));
            assert_eq!(read.to_integers().unwrap(), [258, -1]);
        }
        // [i][j][k] = 100 i + 10 j + k, written with i running fastest.
        let (shape, mut fortran, mut expected) = ([2, 3, 4], Vec::new(), Vec::new());
        for k in 0..shape[2] {
            for j in 0..shape[1] {
                fortran.extend((0..shape[0]).flat_map(|i| ((100 * i + 10 * j + k) as i16).to_le_bytes()));
            }
        }
        for i in 0..shape[0] {
            for j in 0..shape[1] {
                expected.extend((0..shape[2]).map(|k| (100 * i + 10 * j + k) as f64));
            }
        }
        let array = npy("<i2", "True", "(2, 3, 4)", &fortran).unwrap().to_array();
        assert_eq!((array.shape.as_slice(), array.values), (&shape[..], expected));
        assert_eq!(npy("|u1", "True", "(3, 0)", &[]).unwrap().to_array().shape, [3, 0]);
        assert_eq!(npy("|u1", "True", "()", &[7]).unwrap().to_array().values, [7.0]);
    }

    #[test]
    fn each_mistake_has_its_own_line() {
        let line = |result: Result<Npy, DataError>| result.unwrap_err().to_string();
        let raw = |bytes: &[u8]| line(Npy::read(bytes, Path::new("f")));
        assert_eq!(raw(b""), "f: empty; expected an npy array");
        assert_eq!(
            raw(b"PK\x03\x04...."),
            "f: not an npy file; expected one that starts with \\x93NUMPY"
        );
        assert_eq!(raw(b"\x93NUMPY\x01"), "f: damaged npy header; expected a version");
        assert_eq!(
            raw(&file([4, 0], "", &[])),
            "f: npy version 4.0; expected 1.0, 2.0 or 3.0"
        );
        let short = "f: damaged npy header; expected as many bytes as its length says";
        assert_eq!(raw(b"\x93NUMPY\x01\x00\x05"), short);
        assert_eq!(raw(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}"), short);
        assert_eq!(
            line(npy("<f4", "False", "(2, 3)", &[0; 23])),
            "f: the header says 2 x 3, so 24 bytes were expected after it; found 23"
        );
        assert_eq!(
            line(npy("<f4", "False", "()", &[0; 5])),
            "f: the header says a single value, so 4 bytes were expected after it; found more"
        );
        assert_eq!(
            line(npy("<f4", "False", "(4611686018427387904,)", &[])),
            "f: the header says 4611686018427387904; expected a product that this machine can address"
        );
        let fraction = npy("<f8", "False", "(2,)", &[1f64, 0.5].map(f64::to_le_bytes).concat()).unwrap();
        assert_eq!(
            fraction.to_integers().unwrap_err().to_string(),
            "f: value 1 is 0.5; expected an integer of 64 bits"
        );
        assert_eq!(
            fraction.into_bytes().unwrap_err().to_string(),
            "f: elements of type <f8; expected |u1 (uint8)"
        );
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let values = [1.5f32, -0.0, f32::MIN_POSITIVE, 1e-45, f32::MAX, f32::NEG_INFINITY];
        write_npy(&path, &[2, 3], &values).unwrap();
        let array = Npy::open(&path).unwrap().to_array();
        assert_eq!(array.shape, [2, 3]);
        assert!(
            array
                .values
                .iter()
                .zip(values)
                .all(|(a, b)| a.to_bits() == f64::from(b).to_bits())
        );
        write_npy(&path, &[3], &[i64::MIN, 0, i64::MAX]).unwrap();
        assert_eq!(
            Npy::open(&path).unwrap().to_integers().unwrap(),
            [i64::MIN, 0, i64::MAX]
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

        let line = |shape: &[usize]| write_npy(&path, shape, &[1u32, 2]).unwrap_err().to_string();
        assert!(line(&[3]).ends_with("a.npy: 2 values; expected those of the shape 3"));
        assert!(line(&[usize::MAX, 2]).contains("2 values; expected those of the shape"));
        let many = [vec![2], vec![1; 64]].concat();
        assert!(line(&many).ends_with("expected at most 64 sizes"));
        assert!(matches!(
            write_npy(&path.join("x"), &[1], &[1u8]),
            Err(DataError::Write { .. })
        ));
    }
}
