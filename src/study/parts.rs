//! The finished parts of a study. A part is written whole as soon as it is there, so a study that is killed and begun
//! again computes only what is missing.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

use std::path::{Path, PathBuf};

use super::error::StudyError;
use crate::data::{NamedTensor, TensorFile, write_named};

/// Where finished parts are kept.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    folder: Option<PathBuf>,
}

impl Parts {
    /// Parts that are not kept: each is computed.
    pub fn none() -> Parts {
        Parts::default()
    }

    /// Parts in a folder that exists.
    pub fn in_folder(folder: &Path) -> Parts {
        Parts {
            folder: Some(folder.to_owned()),
        }
    }

    /// The part of this name: read if it is there, else computed and written. Tensors come back in the order of
    /// their names, in f64, bit for bit.
    ///
    /// # Errors
    /// What `compute` returns; [`StudyError::Data`] for a file that cannot be read or written.
    pub fn part(
        &self,
        name: &str,
        compute: impl FnOnce() -> Result<Vec<NamedTensor>, StudyError>,
    ) -> Result<Part, StudyError> {
        let path = self
            .folder
            .as_ref()
            .map(|folder| folder.join(format!("{name}.safetensors")));
        let mut tensors = match &path {
            Some(path) if path.exists() => {
                let file = TensorFile::open(path)?;
                let names = file.names();
                names.iter().map(|name| file.tensor(name)).collect::<Result<_, _>>()?
            }
            _ => {
                let tensors = compute()?;
                if let Some(path) = &path {
                    write_named(path, &tensors)?;
                }
                tensors
            }
        };
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Part {
            name: name.to_owned(),
            tensors,
        })
    }
}

/// What a part has left.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    name: String,
    tensors: Vec<NamedTensor>,
}

impl Part {
    /// The numbers under a name, of which there must be `length`; any number for `None`.
    ///
    /// # Errors
    /// [`StudyError::Option`] for a part of another study.
    pub fn values(&self, name: &str, length: Option<usize>) -> Result<&[f64], StudyError> {
        let found = self.tensors.iter().find(|tensor| tensor.name == name);
        let values = found.map(|tensor| tensor.values.as_slice());
        values
            .filter(|values| length.is_none_or(|length| values.len() == length))
            .ok_or_else(|| self.foreign(name))
    }

    /// The places under a name, all below `rows`.
    ///
    /// # Errors
    /// As [`Part::values`].
    pub fn places(&self, name: &str, rows: usize) -> Result<Vec<usize>, StudyError> {
        let places = self.values(name, None)?.iter().map(|&place| place as usize);
        places
            .map(|place| {
                if place < rows {
                    Ok(place)
                } else {
                    Err(self.foreign(name))
                }
            })
            .collect()
    }

    /// The error of a part whose `name` is not what this study would have written.
    fn foreign(&self, name: &str) -> StudyError {
        StudyError::Option {
            detail: format!(
                "part '{}', '{name}': not as expected, it is of a study with another configuration",
                self.name
            ),
        }
    }
}

/// A list of numbers under a name.
pub fn list(name: &str, values: Vec<f64>) -> NamedTensor {
    NamedTensor {
        name: name.into(),
        shape: vec![values.len()],
        values,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_computed_once_and_comes_back_with_its_bits() {
        let folder = tempfile::tempdir().unwrap();
        let parts = Parts::in_folder(folder.path());
        let values = vec![0.1, -0.0, f64::NAN, 1e300];
        let made = parts
            .part("a", || Ok(vec![list("z", values.clone()), list("e", vec![])]))
            .unwrap();
        let failed = || {
            Err(StudyError::Option {
                detail: "not again".into(),
            })
        };
        let read = parts.part("a", failed).unwrap();
        let bits = |part: &Part| -> Vec<u64> {
            let values = part.values("z", Some(4)).unwrap();
            values.iter().map(|v| v.to_bits()).collect()
        };
        assert_eq!(bits(&made), bits(&read));
        assert_eq!(read.values("e", None).unwrap(), [0.0; 0]);
        assert!(Parts::none().part("a", failed).is_err());
        let line = read.values("z", Some(5)).unwrap_err().to_string();
        assert!(line.contains("part 'a'"), "{line}");
    }
}
