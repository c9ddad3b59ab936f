//! A data set: training and test images with their labels, from a folder of four IDX files or from the binary itself.

use std::path::{Path, PathBuf};

use super::error::DataError;
use super::idx;

/// Images of one split, with one label each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// `[count, channels, height, width]`, 0 to the data set's `pixel_max`.
    pub pixels: Vec<u8>,
    /// `[count]`, the labels of the file.
    pub labels: Vec<u8>,
    /// Number of images.
    pub count: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// 1 for grey images.
    pub channels: usize,
}

impl Images {
    /// Grey images out of an image file and a label file; `place` names them in errors.
    ///
    /// # Errors
    /// [`DataError::CountMismatch`], [`DataError::PixelCount`].
    pub fn from_idx(images: idx::IdxImages, labels: Vec<u8>, place: &str) -> Result<Self, DataError> {
        let idx::IdxImages {
            count,
            height,
            width,
            pixels,
        } = images;
        if count != labels.len() {
            return Err(DataError::CountMismatch {
                place: place.to_owned(),
                images: count,
                labels: labels.len(),
            });
        }
        let images = Self {
            pixels,
            labels,
            count,
            height,
            width,
            channels: 1,
        };
        if images.pixels_per_image().checked_mul(count) != Some(images.pixels.len()) {
            return Err(DataError::PixelCount {
                found: images.pixels.len(),
                shape: [count, 1, height, width],
            });
        }
        Ok(images)
    }

    /// channels * height * width.
    pub fn pixels_per_image(&self) -> usize {
        self.channels.saturating_mul(self.height).saturating_mul(self.width)
    }

    /// The pixels of one image, `[channels, height, width]`.
    ///
    /// # Errors
    /// [`DataError::RowOutOfRange`].
    pub fn image(&self, row: usize) -> Result<&[u8], DataError> {
        let pixels = self.pixels_per_image();
        row.checked_mul(pixels)
            .and_then(|start| self.pixels.get(start..start.checked_add(pixels)?))
            .ok_or(DataError::RowOutOfRange { row, count: self.count })
    }
}

/// Training and test images of the same size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// What to call it: the folder's name, or `digits`.
    pub name: String,
    /// The training file.
    pub train: Images,
    /// The test file.
    pub test: Images,
    /// The byte that stands for 1, at least 1: 255, or 16 for the digits.
    pub pixel_max: u32,
}

impl Dataset {
    /// Reads the four IDX files in a folder, each under one of its usual names (`train-images-idx3-ubyte` or
    /// `train-images.idx3-ubyte`, and so on), raw if there is a raw one, else `.gz`.
    ///
    /// # Errors
    /// A folder or file that is missing, those of [`idx::read_images`], [`DataError::CountMismatch`] and
    /// [`DataError::ShapeMismatch`].
    pub fn open(dir: &Path) -> Result<Self, DataError> {
        match dir.metadata() {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(DataError::NotAFolder { path: dir.to_owned() }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(DataError::NoFolder { path: dir.to_owned() });
            }
            Err(source) => {
                return Err(DataError::Read {
                    path: dir.to_owned(),
                    source,
                });
            }
        }
        let [train_images, train_labels, test_images, test_labels] = [
            "train-images-idx3",
            "train-labels-idx1",
            "t10k-images-idx3",
            "t10k-labels-idx1",
        ]
        .map(spellings);
        if [&train_images, &train_labels, &test_images, &test_labels]
            .iter()
            .all(|names| find(dir, names).is_none())
        {
            return Err(DataError::NoIdxFiles { folder: dir.to_owned() });
        }
        let place = |names: Vec<String>| {
            find(dir, &names).ok_or_else(|| DataError::MissingFile {
                folder: dir.to_owned(),
                names,
            })
        };
        let [train_images, train_labels] = [place(train_images)?, place(train_labels)?];
        let [test_images, test_labels] = [place(test_images)?, place(test_labels)?];

        let split = |images: &Path, labels: &Path, split: &str| {
            let place = format!("{}, {split} files", dir.display());
            Images::from_idx(idx::open_images(images)?, idx::open_labels(labels)?, &place)
        };
        Self::new(
            &dir.file_name()
                .map_or_else(|| dir.display().to_string(), |name| name.to_string_lossy().into_owned()),
            &dir.display().to_string(),
            split(&train_images, &train_labels, "training")?,
            split(&test_images, &test_labels, "test")?,
            255,
        )
    }

    /// The embedded digits: 3,823 training and 1,797 test images of 8 x 8, values 0 to 16, written by different people.
    ///
    /// E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998,
    /// doi 10.24432/C50P49, licence CC BY 4.0.
    ///
    /// # Errors
    /// None for a build whose embedded files are whole (a test reads them).
    #[cfg(feature = "data")]
    pub fn digits() -> Result<Self, DataError> {
        let (train, test) = super::digits::images()?;
        Self::new("digits", "embedded digits", train, test, super::digits::PIXEL_MAX)
    }

    fn new(name: &str, place: &str, train: Images, test: Images, pixel_max: u32) -> Result<Self, DataError> {
        let size = |images: &Images| [images.channels, images.height, images.width];
        if size(&train) != size(&test) {
            return Err(DataError::ShapeMismatch {
                place: place.to_owned(),
                train: size(&train),
                test: size(&test),
            });
        }
        Ok(Self {
            name: name.to_owned(),
            train,
            test,
            pixel_max,
        })
    }
}

/// The usual names of a file, `train-images-idx3` given, in the order of preference.
fn spellings(stem: &str) -> Vec<String> {
    let hyphen = format!("{stem}-ubyte");
    let dot = hyphen.replace("-idx", ".idx");
    let packed = [format!("{hyphen}.gz"), format!("{dot}.gz")];
    [hyphen, dot].into_iter().chain(packed).collect()
}

fn find(dir: &Path, names: &[String]) -> Option<PathBuf> {
    names.iter().map(|name| dir.join(name)).find(|path| path.is_file())
}
