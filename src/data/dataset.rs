//! A data set: training and test images with their labels, from a folder, from an npz file or from the binary itself.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::cifar;
use super::error::DataError;
use super::idx;

/// Images of one split, with one label each.
///
/// ```
/// use disentangle::data::{Images, idx::IdxImages};
///
/// // Two grey images of 1 x 3 pixels.
/// let images = Images::new(vec![0, 1, 2, 10, 11, 12], vec![7, 9], [1, 1, 3], "made here")?;
/// assert_eq!((images.count, images.pixels_per_image()), (2, 3));
/// assert_eq!(images.image(1)?, [10, 11, 12]);
/// let beyond = images.image(2).map_err(|error| error.to_string());
/// assert_eq!(beyond, Err("images: row 2; expected less than 2".into()));
/// // The same out of what an IDX file holds.
/// let file = IdxImages { count: 2, height: 1, width: 3, pixels: images.pixels.clone() };
/// assert_eq!(Images::from_idx(file, vec![7, 9], "made here")?, images);
/// # Ok::<(), disentangle::data::DataError>(())
/// ```
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
    /// 1 for grey images, 3 for red, green and blue.
    pub channels: usize,
}

impl Images {
    /// Images of `[channels, height, width]` with their labels; `place` names them in errors.
    ///
    /// # Errors
    /// [`DataError::CountMismatch`], [`DataError::PixelCount`].
    pub fn new(pixels: Vec<u8>, labels: Vec<u8>, size: [usize; 3], place: &str) -> Result<Self, DataError> {
        let [channels, height, width] = size;
        let mut images = Self {
            pixels,
            labels,
            count: 0,
            height,
            width,
            channels,
        };
        let per_image = images.pixels_per_image();
        images.count = images.pixels.len().checked_div(per_image).unwrap_or(0);
        if images.count.checked_mul(per_image) != Some(images.pixels.len()) {
            return Err(DataError::PixelCount {
                found: images.pixels.len(),
                shape: [images.labels.len(), channels, height, width],
            });
        }
        if images.count != images.labels.len() {
            return Err(DataError::CountMismatch {
                place: place.to_owned(),
                images: images.count,
                labels: images.labels.len(),
            });
        }
        Ok(images)
    }

    /// Grey images out of an image file and a label file; `place` names them in errors.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn from_idx(images: idx::IdxImages, labels: Vec<u8>, place: &str) -> Result<Self, DataError> {
        let size = [1, images.height, images.width];
        Self::new(images.pixels, labels, size, place)
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
///
/// ```
/// use disentangle::data::Dataset;
/// use disentangle::data::idx::{images_header, labels_header};
///
/// // A folder with one training and one test image of 1 x 2 pixels, in MNIST's four files.
/// let folder = std::env::temp_dir().join(format!("disentangle-tiny-{}", std::process::id()));
/// std::fs::create_dir_all(&folder)?;
/// let images = images_header(1, 1, 2).into_iter().flatten();
/// let labels = labels_header(1).into_iter().flatten().chain([3]).collect::<Vec<u8>>();
/// for (split, pixels) in [("train", [0, 255]), ("t10k", [255, 0])] {
///     let file = images.clone().chain(pixels).collect::<Vec<u8>>();
///     std::fs::write(folder.join(format!("{split}-images-idx3-ubyte")), file)?;
///     std::fs::write(folder.join(format!("{split}-labels-idx1-ubyte")), &labels)?;
/// }
/// let tiny = Dataset::open(&folder)?;
/// assert_eq!((tiny.train.pixels, tiny.test.pixels), (vec![0, 255], vec![255, 0]));
/// assert_eq!((tiny.train.labels, tiny.pixel_max), (vec![3], 255));
/// std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// What to call it: the name of the folder or of the npz file, or `digits`.
    pub name: String,
    /// The training images.
    pub train: Images,
    /// The test images.
    pub test: Images,
    /// The byte that stands for 1, at least 1: 255, or 16 for the digits.
    pub pixel_max: u32,
}

impl Dataset {
    /// Reads a folder with either the four IDX files, each under one of its usual names (`train-images-idx3-ubyte` or
    /// `train-images.idx3-ubyte`, and so on), raw if there is a raw one, else `.gz`; or CIFAR-10's binary batches
    /// (`data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`). Or reads an npz file with the arrays `x_train`,
    /// `y_train`, `x_test` and `y_test`, as [`Npz::images`](super::Npz::images) takes them.
    ///
    /// # Errors
    /// A folder or file that is missing, those of [`idx::read_images`], [`cifar::read`] and
    /// [`Npz::images`](super::Npz::images), [`DataError::CountMismatch`] and [`DataError::ShapeMismatch`].
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let refused = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::NotFound => DataError::NoFolder { path: path.to_owned() },
            _ => DataError::Read {
                path: path.to_owned(),
                source,
            },
        };
        if !path.metadata().map_err(refused)?.is_dir() {
            let mut start = Vec::new();
            let file = File::open(path).map_err(refused)?;
            file.take(4).read_to_end(&mut start).map_err(refused)?;
            let named = path.extension().is_some_and(|extension| extension == "npz");
            return if named || start == *b"PK\x03\x04" || start == *b"PK\x05\x06" {
                Self::open_npz(path)
            } else {
                Err(DataError::NotAFolder { path: path.to_owned() })
            };
        }
        let (train, test) = if holds_any(path, &cifar::TRAIN) || holds_any(path, &[cifar::TEST]) {
            cifar_images(path)?
        } else {
            idx_images(path)?
        };
        let name = path.file_name().map_or_else(
            || path.display().to_string(),
            |name| name.to_string_lossy().into_owned(),
        );
        Self::new(&name, &path.display().to_string(), train, test, 255)
    }

    #[cfg(feature = "data")]
    fn open_npz(path: &Path) -> Result<Self, DataError> {
        let mut npz = super::npz::Npz::open(path)?;
        let (train, test) = (npz.images("train")?, npz.images("test")?);
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Self::new(&name, &path.display().to_string(), train, test, 255)
    }

    #[cfg(not(feature = "data"))]
    fn open_npz(path: &Path) -> Result<Self, DataError> {
        Err(DataError::Format {
            path: path.to_owned(),
            fault: super::format_fault::FormatFault::NpzNotBuilt,
        })
    }

    /// The embedded digits: 3,823 training and 1,797 test images of 8 x 8, values 0 to 16, written by different people.
    ///
    /// E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998,
    /// doi 10.24432/C50P49, licence CC BY 4.0.
    ///
    /// # Errors
    /// None for a build whose embedded files are whole (a test reads them).
    ///
    /// ```
    /// use disentangle::data::streams::Stream;
    /// use disentangle::data::{Channels, Dataset, DeadPixels, LabelRule, Standardize, Standardizer, Subset, select};
    ///
    /// // 100 digits, even against odd, each pixel with mean 0 and deviation 1 over exactly these.
    /// let digits = Dataset::digits()?;
    /// let classes = LabelRule::Parity.classes(&digits.train.labels);
    /// let kept = classes.apply(&digits.train.labels, 0, Stream::TrainLabels)?;
    /// let chosen = select(&kept, &classes, 0, Some(100), Subset::Consecutive, 0)?;
    /// let standardizer = Standardizer::fit(Standardize::Pixel, Channels::Flat, &digits.train, &chosen.rows, digits.pixel_max)?;
    /// let features = standardizer.apply(&digits.train, &chosen.rows, DeadPixels::Zero)?;
    /// assert_eq!(features.len(), 100 * 8 * 8);
    /// assert!(features.iter().sum::<f64>().abs() < 1e-9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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

/// Training and test images out of the four IDX files.
fn idx_images(folder: &Path) -> Result<(Images, Images), DataError> {
    let stems = [
        "train-images-idx3",
        "train-labels-idx1",
        "t10k-images-idx3",
        "t10k-labels-idx1",
    ];
    let [train_images, train_labels, test_images, test_labels] = stems.map(spellings);
    let all = [&train_images, &train_labels, &test_images, &test_labels];
    if all.iter().all(|names| find(folder, names).is_none()) {
        return Err(DataError::NoDataFiles {
            folder: folder.to_owned(),
        });
    }
    let place = |names: Vec<String>| find(folder, &names).ok_or_else(|| missing(folder, names));
    let [train_images, train_labels] = [place(train_images)?, place(train_labels)?];
    let [test_images, test_labels] = [place(test_images)?, place(test_labels)?];
    let split = |images: &Path, labels: &Path, split: &str| {
        let place = format!("{}, {split} files", folder.display());
        Images::from_idx(idx::open_images(images)?, idx::open_labels(labels)?, &place)
    };
    Ok((
        split(&train_images, &train_labels, "training")?,
        split(&test_images, &test_labels, "test")?,
    ))
}

/// Training and test images out of CIFAR-10's six batches.
fn cifar_images(folder: &Path) -> Result<(Images, Images), DataError> {
    let place = |name: &str| {
        let names = [name.to_owned()];
        find(folder, &names).ok_or_else(|| missing(folder, names.to_vec()))
    };
    let train = cifar::TRAIN.map(place).into_iter().collect::<Result<Vec<_>, _>>()?;
    let test = [place(cifar::TEST)?];
    Ok((cifar::open(&train)?, cifar::open(&test)?))
}

fn missing(folder: &Path, names: Vec<String>) -> DataError {
    DataError::MissingFile {
        folder: folder.to_owned(),
        names,
    }
}

fn holds_any(folder: &Path, names: &[&str]) -> bool {
    names.iter().any(|name| folder.join(name).is_file())
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
