//! Arrays of one's own: in an npy file, an npz archive, a safetensors file, or a folder of these.
//!
//! `FILE.npz:NAME` and `FILE.safetensors:NAME` mean one array of several. A folder's arrays come in the natural order of their names
//! (`epoch-2` before `epoch-10`), each named by its file without extension, and by `file/array` where a file has several. `labels.npy` and
//! `sample_index.npy`, which lie beside saved activations, are not among them; a run's folder stands for the `activations` in it.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use super::csv_file::integer_column;
use super::error::DataError;
use super::format_fault::FormatFault;
use super::npy::{Array, Npy};
use super::npz::Npz;
use super::safetensors_file::TensorFile;

/// Names of files, and of arrays in an npz, that hold labels.
const LABELS: [&str; 3] = ["labels", "y", "label"];
/// The other file beside saved activations.
const SAMPLE_INDEX: &str = "sample_index";
/// What files with arrays are called.
const EXTENSIONS: [&str; 3] = ["npy", "npz", "safetensors"];
/// Where in a run's folder its hidden layers are.
const ACTIVATIONS: &str = "activations";

/// Where one array is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrayPlace {
    /// What to call it.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// Its name in the file, if that can hold several.
    member: Option<String>,
}

impl ArrayPlace {
    /// Reads it, whatever its numbers' type, to f64.
    ///
    /// # Errors
    /// Those of [`Npy::open`], [`Npz::array`] and [`TensorFile::tensor`].
    pub fn read(&self) -> Result<Array, DataError> {
        match (&self.member, extension(&self.path).as_str()) {
            (Some(member), "npz") => Ok(Npz::open(&self.path)?.array(member)?.to_array()),
            (Some(member), _) => {
                let tensor = TensorFile::open(&self.path)?.tensor(member)?;
                Ok(Array {
                    shape: tensor.shape,
                    values: tensor.values,
                })
            }
            (None, _) => Ok(Npy::open(&self.path)?.to_array()),
        }
    }

    /// The file, and the array in it, for messages.
    pub fn place(&self) -> String {
        match &self.member {
            Some(member) => format!("{}, {member}", self.path.display()),
            None => self.path.display().to_string(),
        }
    }

    /// Its name in a file that can hold several.
    pub fn member(&self) -> Option<&str> {
        self.member.as_deref()
    }
}

/// The arrays at a path, in order; at least one.
///
/// # Errors
/// [`DataError::Read`] for what is not there; [`DataError::NoArrays`]; [`DataError::ArrayFile`] for a file of another kind;
/// [`FormatFault::NoArray`]; those of opening an archive.
pub fn arrays(path: &Path) -> Result<Vec<ArrayPlace>, DataError> {
    if path.is_dir() {
        return in_folder(path);
    }
    let (file, member) = split(path);
    // Before labels are looked for beside it.
    std::fs::metadata(&file).map_err(|source| DataError::Read {
        path: file.clone(),
        source,
    })?;
    let mut found = in_file(&file, &stem(&file), member.is_some())?;
    if let Some(member) = member {
        let present: Vec<String> = found.iter().filter_map(|place| place.member.clone()).collect();
        found.retain(|place| place.member.as_ref() == Some(&member));
        if found.is_empty() {
            return Err(DataError::Format {
                path: file,
                fault: FormatFault::NoArray { name: member, present },
            });
        }
    }
    if found.is_empty() {
        return Err(DataError::NoArrays { path: file });
    }
    Ok(found)
}

fn in_folder(folder: &Path) -> Result<Vec<ArrayPlace>, DataError> {
    let refused = |source| DataError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(refused)? {
        let path = entry.map_err(refused)?.path();
        let reserved = LABELS.contains(&stem(&path).as_str()) || stem(&path) == SAMPLE_INDEX;
        if path.is_file() && EXTENSIONS.contains(&extension(&path).as_str()) && !reserved {
            files.push(path);
        }
    }
    let inner = folder.join(ACTIVATIONS);
    if files.is_empty() && inner.is_dir() {
        return in_folder(&inner);
    }
    if files.is_empty() {
        return Err(DataError::NoArrays { path: folder.into() });
    }
    files.sort_by(|a, b| natural(&stem(a), &stem(b)).then_with(|| a.cmp(b)));
    let mut places = Vec::new();
    for (n, file) in files.iter().enumerate() {
        // Files that differ in their kind alone are told apart by it.
        let twin = |(m, other): (usize, &PathBuf)| m != n && stem(other) == stem(file);
        let name = match files.iter().enumerate().any(twin) {
            true => format!("{}.{}", stem(file), extension(file)),
            false => stem(file),
        };
        places.extend(in_file(file, &name, false)?);
    }
    Ok(places)
}

/// With `all` also labels, which are no layer among others.
fn in_file(file: &Path, name: &str, all: bool) -> Result<Vec<ArrayPlace>, DataError> {
    let mut members = match extension(file).as_str() {
        "npy" => {
            return Ok(vec![ArrayPlace {
                name: name.into(),
                path: file.into(),
                member: None,
            }]);
        }
        "npz" => Npz::open(file)?.names(),
        "safetensors" => {
            let mut names = TensorFile::open(file)?.names();
            names.sort_by(|a, b| natural(a, b));
            names
        }
        _ => return Err(DataError::ArrayFile { path: file.into() }),
    };
    if !all && members.len() > 1 {
        members.retain(|member| !LABELS.contains(&member.as_str()));
    }
    let several = members.len() > 1;
    let place = |member: String| ArrayPlace {
        name: if several {
            format!("{name}/{member}")
        } else {
            name.into()
        },
        path: file.into(),
        member: Some(member),
    };
    Ok(members.into_iter().map(place).collect())
}

/// Labels for the arrays at `beside`, from `given` if there is one, else from where they are expected: `labels.npy` in the folder, or `labels`
/// or `y` in the same npz. `None` if there are none.
///
/// # Errors
/// Those of reading a file; [`FormatFault::ArrayShape`] for labels that are no column; [`FormatFault::Value`] for fractions.
pub fn labels(given: Option<&Path>, beside: &Path) -> Result<Option<Vec<i64>>, DataError> {
    if let Some(path) = given {
        let (file, member) = split(path);
        return match extension(&file).as_str() {
            "npy" => column(Npy::open(&file)?).map(Some),
            "csv" | "txt" => integer_column(&file).map(Some),
            "npz" => {
                let mut archive = Npz::open(&file)?;
                let names = archive.names();
                let usual = LABELS.iter().find(|usual| names.iter().any(|name| name == *usual));
                let only = names.first().filter(|_| names.len() == 1).cloned();
                let name = member.or_else(|| usual.map(ToString::to_string)).or(only);
                let name = name.unwrap_or_else(|| LABELS[0].to_owned());
                column(archive.array(&name)?).map(Some)
            }
            _ => Err(DataError::LabelFile { path: file }),
        };
    }
    let (file, _) = split(beside);
    if extension(&file) == "npz" && file.is_file() {
        let mut archive = Npz::open(&file)?;
        let names = archive.names();
        if let Some(name) = LABELS.iter().find(|usual| names.iter().any(|name| name == *usual)) {
            return column(archive.array(name)?).map(Some);
        }
    }
    let folder = if beside.is_dir() { Some(beside) } else { file.parent() };
    let folder = folder.unwrap_or(Path::new("."));
    for folder in [folder.to_owned(), folder.join(ACTIVATIONS)] {
        let path = folder.join("labels.npy");
        if path.is_file() {
            return column(Npy::open(&path)?).map(Some);
        }
    }
    Ok(None)
}

/// Integers of an array `[n]`, `[n, 1]` or `[1, n]`.
fn column(array: Npy) -> Result<Vec<i64>, DataError> {
    match *array.shape() {
        [_] | [_, 1] | [1, _] => array.to_integers(),
        _ => Err(array.fault(FormatFault::ArrayShape {
            shape: array.shape().to_vec(),
            expected: "one label per row",
        })),
    }
}

/// `FILE:NAME` in two, unless a file of the whole name is there.
fn split(path: &Path) -> (PathBuf, Option<String>) {
    let text = path.to_string_lossy();
    if !path.exists()
        && let Some((file, member)) = text.rsplit_once(':')
        && EXTENSIONS.contains(&extension(Path::new(file)).as_str())
    {
        return (file.into(), Some(member.to_owned()));
    }
    (path.to_owned(), None)
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn extension(path: &Path) -> String {
    let extension = path
        .extension()
        .map(|extension| extension.to_string_lossy().to_lowercase());
    extension.unwrap_or_default()
}

/// Order in which runs of digits count as numbers.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (m, n) = (digits(a), digits(b));
        if m > 0 && n > 0 {
            let number = |text: &str| text.trim_start_matches('0').to_owned();
            let (x, y) = (number(&a[..m]), number(&b[..n]));
            let order = x.len().cmp(&y.len()).then_with(|| x.cmp(&y));
            if order != Ordering::Equal {
                return order;
            }
            (a, b) = (&a[m..], &b[n..]);
            continue;
        }
        let (mut left, mut right) = (a.chars(), b.chars());
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (x, y) if x == y => (a, b) = (left.as_str(), right.as_str()),
            (x, y) => return x.cmp(&y),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{TensorRef, write_npy, write_tensors};

    #[test]
    fn numbers_in_names_are_in_their_order() {
        let mut names = ["epoch-10", "epoch-2", "epoch-02b", "layer-1-epoch-3", "epoch", "a"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(
            names,
            ["a", "epoch", "epoch-2", "epoch-02b", "epoch-10", "layer-1-epoch-3"]
        );
    }

    #[test]
    fn a_folder_gives_its_arrays_and_its_labels() {
        let folder = tempfile::tempdir().unwrap();
        let activations = folder.path().join("activations");
        std::fs::create_dir(&activations).unwrap();
        for name in ["epoch-10", "epoch-9", "sample_index"] {
            write_npy(&activations.join(format!("{name}.npy")), &[2, 1], &[1.0f32, 2.0]).unwrap();
        }
        write_npy(&activations.join("labels.npy"), &[2], &[7i64, -1]).unwrap();
        std::fs::write(activations.join("inversion.csv"), "replica,epoch\n").unwrap();
        let tensor = TensorRef {
            name: "0.weight",
            shape: &[1, 2],
            values: &[3.0f32, 4.0],
        };
        let other = TensorRef {
            name: "0.bias",
            ..tensor
        };
        write_tensors(&activations.join("w.safetensors"), &[tensor, other]).unwrap();
        // The run's folder stands for the activations in it.
        for path in [folder.path(), &activations] {
            let found = arrays(path).unwrap();
            let names: Vec<&str> = found.iter().map(|place| place.name.as_str()).collect();
            assert_eq!(names, ["epoch-9", "epoch-10", "w/0.bias", "w/0.weight"]);
            assert_eq!(found[3].read().unwrap().values, [3.0, 4.0]);
            assert_eq!(labels(None, path).unwrap(), Some(vec![7, -1]));
        }
        let one = arrays(&activations.join("w.safetensors:0.weight")).unwrap();
        assert_eq!((one.len(), one[0].member()), (1, Some("0.weight")));
        let line = arrays(&activations.join("w.safetensors:1.weight"))
            .unwrap_err()
            .to_string();
        assert!(
            line.ends_with("no array `1.weight`; expected it among 0.bias, 0.weight"),
            "{line}"
        );
        assert_eq!(
            labels(None, &activations.join("epoch-9.npy")).unwrap(),
            Some(vec![7, -1])
        );
    }

    #[test]
    fn each_mistake_has_its_own_line() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let line = |result: Result<Vec<ArrayPlace>, DataError>| result.unwrap_err().to_string();
        assert!(line(arrays(folder.path())).ends_with("no arrays; expected .npy, .npz or .safetensors files"));
        std::fs::write(at("a.txt"), "1").unwrap();
        assert!(
            line(arrays(&at("a.txt"))).ends_with("a.txt: expected a folder, or an .npy, .npz or .safetensors file")
        );
        assert!(arrays(&at("a.npz")).is_err() && arrays(&at("a.npy")).is_err());
        write_npy(&at("y.npy"), &[2, 2], &[1i64; 4]).unwrap();
        let line = |name: &str| labels(Some(&at(name)), folder.path()).unwrap_err().to_string();
        assert!(
            line("y.npy").ends_with("2 x 2; expected one label per row"),
            "{}",
            line("y.npy")
        );
        assert!(line("y.json").ends_with("expected labels in an .npy, .npz or .csv file"));
        write_npy(&at("f.npy"), &[2], &[1.0f64, 0.5]).unwrap();
        assert!(line("f.npy").ends_with("value 1 is 0.5; expected an integer of 64 bits"));
        assert_eq!(labels(None, &at("x.npy")).unwrap(), None);
        assert_eq!(labels(None, folder.path()).unwrap(), None);
    }
}
