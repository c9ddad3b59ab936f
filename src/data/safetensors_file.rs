//! Weights in safetensors files, under the names and shapes that PyTorch gives them (`0.weight` `[out, in]`, `0.bias`
//! `[out]`).
//!
//! `F16`, `F32` and `F64` tensors are read, values widened exactly; `f32` and `f64` are written. The crate `safetensors` checks
//! that the tensors cover the file without gap or overlap, so a header cannot ask for more than the file has.

use std::borrow::Cow;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, Metadata, SafeTensors, View, serialize};

use super::error::DataError;
use super::format_fault::one_line;
use super::npy::half;
use super::whole_file;

/// A tensor with its name.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Its name in the file.
    pub name: String,
    /// Its sizes, slowest first.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f64>,
}

/// A safetensors file that was read and checked.
#[derive(Debug)]
pub struct TensorFile {
    path: PathBuf,
    metadata: Metadata,
    /// The file, from the first tensor on.
    data: Vec<u8>,
}

impl TensorFile {
    /// Reads the file.
    ///
    /// # Errors
    /// [`DataError::Read`], [`DataError::Empty`], [`DataError::TensorFile`].
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let bytes = fs::read(path).map_err(|source| DataError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(bytes, path)
    }

    /// Reads the bytes of a file; `path` is the name used in errors.
    ///
    /// # Errors
    /// [`DataError::Empty`], [`DataError::TensorFile`].
    pub fn parse(mut bytes: Vec<u8>, path: &Path) -> Result<Self, DataError> {
        let path = path.to_owned();
        if bytes.is_empty() {
            return Err(DataError::Empty {
                path,
                expected: "a safetensors file",
            });
        }
        match SafeTensors::read_metadata(&bytes) {
            Ok((header, metadata)) => {
                // The header's length itself takes the first 8 bytes.
                bytes.drain(..header.saturating_add(8).min(bytes.len()));
                Ok(Self {
                    path,
                    metadata,
                    data: bytes,
                })
            }
            Err(error) => Err(DataError::TensorFile {
                path,
                reason: one_line(&error.to_string()),
            }),
        }
    }

    /// The names of its tensors, in the order of their bytes.
    pub fn names(&self) -> Vec<String> {
        self.metadata.offset_keys()
    }

    /// One tensor.
    ///
    /// # Errors
    /// [`DataError::NoTensor`], [`DataError::TensorType`].
    pub fn tensor(&self, name: &str) -> Result<NamedTensor, DataError> {
        let info = self.metadata.info(name).ok_or_else(|| DataError::NoTensor {
            path: self.path.clone(),
            name: name.to_owned(),
            present: self.names(),
        })?;
        let (start, end) = info.data_offsets;
        let bytes = self.data.get(start..end).unwrap_or_default();
        let values = match info.dtype {
            Dtype::F32 => bytes
                .as_chunks::<4>()
                .0
                .iter()
                .map(|&b| f64::from(f32::from_le_bytes(b)))
                .collect(),
            Dtype::F64 => bytes
                .as_chunks::<8>()
                .0
                .iter()
                .map(|&b| f64::from_le_bytes(b))
                .collect(),
            Dtype::F16 => bytes
                .as_chunks::<2>()
                .0
                .iter()
                .map(|&b| half(u16::from_le_bytes(b)))
                .collect(),
            other => {
                return Err(DataError::TensorType {
                    path: self.path.clone(),
                    name: name.to_owned(),
                    found: other.to_string(),
                });
            }
        };
        Ok(NamedTensor {
            name: name.to_owned(),
            shape: info.shape.clone(),
            values,
        })
    }
}

/// A number type of tensors that are written: f32 for weights, f64 where every bit of a reference counts.
pub trait TensorElement: Copy {
    /// The format's name of it.
    const DTYPE: Dtype;
    /// Its bytes in the file.
    fn bytes(self) -> impl Iterator<Item = u8>;
}

impl TensorElement for f32 {
    const DTYPE: Dtype = Dtype::F32;
    fn bytes(self) -> impl Iterator<Item = u8> {
        self.to_le_bytes().into_iter()
    }
}

impl TensorElement for f64 {
    const DTYPE: Dtype = Dtype::F64;
    fn bytes(self) -> impl Iterator<Item = u8> {
        self.to_le_bytes().into_iter()
    }
}

/// A tensor to be written.
#[derive(Clone, Copy, Debug)]
pub struct TensorRef<'a, T = f32> {
    /// Its name in the file.
    pub name: &'a str,
    /// Its sizes, slowest first.
    pub shape: &'a [usize],
    /// Row-major.
    pub values: &'a [T],
}

impl<T: TensorElement> View for TensorRef<'_, T> {
    fn dtype(&self) -> Dtype {
        T::DTYPE
    }

    fn shape(&self) -> &[usize] {
        self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.values
            .iter()
            .flat_map(|value| value.bytes())
            .collect::<Vec<u8>>()
            .into()
    }

    fn data_len(&self) -> usize {
        size_of_val(self.values)
    }
}

/// Writes the tensors, ordered by name, to a temporary file beside `path` and renames it. Equal tensors give equal
/// files.
///
/// # Errors
/// [`DataError::TensorShape`], [`DataError::TensorName`], [`DataError::Write`].
pub fn write_tensors<T: TensorElement>(path: &Path, tensors: &[TensorRef<T>]) -> Result<(), DataError> {
    for TensorRef { name, shape, values } in tensors {
        let product = shape
            .iter()
            .try_fold(1usize, |product, &size| product.checked_mul(size));
        if product != Some(values.len()) {
            return Err(DataError::TensorShape {
                name: (*name).to_owned(),
                shape: shape.to_vec(),
                values: values.len(),
            });
        }
        if tensors.iter().filter(|other| other.name == *name).count() > 1 {
            return Err(DataError::TensorName {
                name: (*name).to_owned(),
            });
        }
    }
    let bytes = serialize(tensors.iter().map(|tensor| (tensor.name, *tensor)), None).map_err(|error| {
        DataError::TensorFile {
            path: path.to_owned(),
            reason: one_line(&error.to_string()),
        }
    })?;
    whole_file::write(path, |file| file.write_all(&bytes)).map_err(|source| DataError::Write {
        path: path.to_owned(),
        source,
    })
}

/// [`write_tensors`] of tensors that own their values, in f64.
///
/// # Errors
/// Those of [`write_tensors`].
///
/// ```
/// use disentangle::data::{NamedTensor, TensorFile, write_named};
///
/// let path = std::env::temp_dir().join(format!("disentangle-{}.safetensors", std::process::id()));
/// let weight = NamedTensor { name: "0.weight".into(), shape: vec![1, 2], values: vec![0.5, -0.25] };
/// write_named(&path, &[weight])?;
/// let file = TensorFile::open(&path)?;
/// assert_eq!(file.tensor("0.weight")?.values, [0.5, -0.25]);
/// // What is not there is one line.
/// assert!(file.tensor("0.bias").is_err());
/// std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_named(path: &Path, tensors: &[NamedTensor]) -> Result<(), DataError> {
    let refs: Vec<TensorRef<f64>> = tensors
        .iter()
        .map(|tensor| TensorRef {
            name: &tensor.name,
            shape: &tensor.shape,
            values: &tensor.values,
        })
        .collect();
    write_tensors(path, &refs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let weight = [1.5f32, -0.0, f32::MIN_POSITIVE, 1e-45, f32::MAX, 0.1];
        let tensors = [
            TensorRef {
                name: "0.weight",
                shape: &[2, 3],
                values: &weight,
            },
            TensorRef {
                name: "0.bias",
                shape: &[2],
                values: &[3.0, 4.0],
            },
        ];
        write_tensors(&path, &tensors).unwrap();
        let file = TensorFile::open(&path).unwrap();
        assert_eq!(file.names(), ["0.bias", "0.weight"]);
        for tensor in tensors {
            let read = file.tensor(tensor.name).unwrap();
            assert_eq!(read.shape, tensor.shape);
            let bits: Vec<u64> = read.values.iter().map(|value| value.to_bits()).collect();
            assert_eq!(
                bits,
                tensor
                    .values
                    .iter()
                    .map(|&value| f64::from(value).to_bits())
                    .collect::<Vec<_>>()
            );
        }
        let first = fs::read(&path).unwrap();
        write_tensors(&path, &[tensors[1], tensors[0]]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), first);
        // Nothing is left of the temporary file.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn named_tensors_keep_all_bits_of_f64() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("named.safetensors");
        let tensor = NamedTensor {
            name: "a".into(),
            shape: vec![3],
            values: vec![0.1, -1e300, f64::MIN_POSITIVE],
        };
        write_named(&path, std::slice::from_ref(&tensor)).unwrap();
        assert_eq!(TensorFile::open(&path).unwrap().tensor("a").unwrap(), tensor);
    }

    #[test]
    fn a_file_that_another_program_wrote_is_read() {
        let header = r#"{"a":{"dtype":"F64","shape":[2],"data_offsets":[0,16]},
            "b":{"dtype":"I64","shape":[1],"data_offsets":[16,24]}}"#;
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend([0.1f64, -2.0].iter().flat_map(|value| value.to_le_bytes()));
        bytes.extend(7i64.to_le_bytes());
        let file = TensorFile::parse(bytes.clone(), Path::new("f")).unwrap();
        assert_eq!(file.tensor("a").unwrap().values, [0.1, -2.0]);
        assert_eq!(
            file.tensor("b").unwrap_err().to_string(),
            "f: tensor `b` holds I64; expected F16, F32 or F64"
        );
        assert_eq!(
            file.tensor("c").unwrap_err().to_string(),
            "f: no tensor `c`; expected it among a, b"
        );
        let header = r#"{"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}"#;
        let halves = [
            &(header.len() as u64).to_le_bytes()[..],
            header.as_bytes(),
            &[0, 0x3c, 1, 0x80],
        ]
        .concat();
        let halves = TensorFile::parse(halves, Path::new("f")).unwrap();
        assert_eq!(halves.tensor("h").unwrap().values, [1.0, -(2f64.powi(-24))]);
        bytes.pop();
        let line = TensorFile::parse(bytes, Path::new("f")).unwrap_err().to_string();
        assert_eq!(
            line,
            "f: incomplete metadata, file not fully covered; expected a whole safetensors file"
        );
    }

    #[test]
    fn what_cannot_be_written_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let tensor = TensorRef {
            name: "a",
            shape: &[2, 2],
            values: &[0.0; 3],
        };
        assert!(matches!(
            write_tensors(&path, &[tensor]),
            Err(DataError::TensorShape { values: 3, .. })
        ));
        let huge = TensorRef {
            shape: &[usize::MAX, 2],
            ..tensor
        };
        assert!(matches!(
            write_tensors(&path, &[huge]),
            Err(DataError::TensorShape { .. })
        ));
        let one = TensorRef {
            name: "a",
            shape: &[],
            values: &[0.0],
        };
        assert!(matches!(
            write_tensors(&path, &[one, one]),
            Err(DataError::TensorName { .. })
        ));
        assert!(matches!(
            write_tensors(&path.join("x"), &[one]),
            Err(DataError::Write { .. })
        ));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
