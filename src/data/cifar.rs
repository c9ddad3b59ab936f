//! CIFAR-10 in its binary version: five training batches and one test batch of records.
//!
//! A record is 3073 bytes: the label (0 to 9), then 32 x 32 bytes of red, as many of green and as many of blue, each
//! row by row. That is `[channels, height, width]`, as [`Images`] keeps its pixels. A batch has no header: it is as
//! many records as come (the published ones have 10,000).
//!
//! A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
//!
//! ```
//! use std::path::Path;
//!
//! use disentangle::data::cifar::{RECORD, open, read};
//!
//! // Two records: a frog (6) with all bytes 1, and a ship (8) with all bytes 2.
//! let mut batch = vec![1; 2 * RECORD];
//! batch[0] = 6;
//! batch[RECORD..].fill(2);
//! batch[RECORD] = 8;
//! let images = read(&batch[..], Path::new("a batch"))?;
//! assert_eq!((images.labels.as_slice(), images.channels), (&[6, 8][..], 3));
//! assert_eq!(images.image(1)?, [2; 3 * 32 * 32]);
//! // Files of batches, one after the other.
//! let path = std::env::temp_dir().join(format!("disentangle-cifar-{}.bin", std::process::id()));
//! std::fs::write(&path, &batch)?;
//! assert_eq!(open(&[path.clone(), path.clone()])?.labels, [6, 8, 6, 8]);
//! std::fs::remove_file(&path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::io::Read;
use std::path::{Path, PathBuf};

use super::dataset::Images;
use super::error::DataError;
use super::format_fault::FormatFault;
use super::gzip;

/// Red, green, blue.
const CHANNELS: usize = 3;
/// Rows and columns of an image.
const SIZE: usize = 32;
/// Bytes of a record.
pub const RECORD: usize = 1 + CHANNELS * SIZE * SIZE;
/// Labels are below this.
const CLASSES: u8 = 10;

/// The files of the training images, in order.
pub(super) const TRAIN: [&str; 5] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
];
/// The file of the test images.
pub(super) const TEST: &str = "test_batch.bin";

/// Reads batches, raw or gzip, one after the other.
///
/// # Errors
/// Those of [`read`], and [`DataError::GzipNotBuilt`] for a gzip file without the feature `data`.
pub fn open(paths: &[PathBuf]) -> Result<Images, DataError> {
    let mut images = no_images();
    for path in paths {
        append(gzip::open(path)?, path, &mut images)?;
    }
    Ok(images)
}

/// Reads an unpacked batch to the end of `reader`; `path` is the name used in errors.
///
/// # Errors
/// [`DataError::Empty`], [`DataError::Read`], [`FormatFault::PartialRecord`], [`FormatFault::CifarLabel`].
pub fn read(reader: impl Read, path: &Path) -> Result<Images, DataError> {
    let mut images = no_images();
    append(reader, path, &mut images)?;
    Ok(images)
}

fn no_images() -> Images {
    Images {
        pixels: Vec::new(),
        labels: Vec::new(),
        count: 0,
        height: SIZE,
        width: SIZE,
        channels: CHANNELS,
    }
}

fn append(mut reader: impl Read, path: &Path, images: &mut Images) -> Result<(), DataError> {
    let fault = |fault| DataError::Format {
        path: path.to_owned(),
        fault,
    };
    let mut records = 0;
    let mut record = Vec::with_capacity(RECORD);
    loop {
        record.clear();
        reader
            .by_ref()
            .take(RECORD as u64)
            .read_to_end(&mut record)
            .map_err(|source| DataError::Read {
                path: path.to_owned(),
                source,
            })?;
        match record.split_first() {
            Some((&label, pixels)) if record.len() == RECORD => {
                if label >= CLASSES {
                    return Err(fault(FormatFault::CifarLabel { record: records, label }));
                }
                images.labels.push(label);
                images.pixels.extend_from_slice(pixels);
                images.count += 1;
                records += 1;
            }
            Some(_) => {
                return Err(fault(FormatFault::PartialRecord {
                    records,
                    found: record.len(),
                }));
            }
            None if records == 0 => {
                return Err(DataError::Empty {
                    path: path.to_owned(),
                    expected: "CIFAR-10 records",
                });
            }
            None => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(labels: &[u8]) -> Vec<u8> {
        let pixels = |label: u8| (0..RECORD - 1).map(move |i| (i % 251) as u8 ^ label);
        labels
            .iter()
            .flat_map(|&l| std::iter::once(l).chain(pixels(l)))
            .collect()
    }

    #[test]
    fn records_are_labels_and_planes() {
        let images = read(batch(&[3, 9, 0]).as_slice(), Path::new("f")).unwrap();
        assert_eq!((images.count, images.labels.as_slice()), (3, &[3, 9, 0][..]));
        assert_eq!((images.channels, images.height, images.width), (3, 32, 32));
        // Green, second row, third column of the second image.
        let at = 1024 + 32 + 2;
        assert_eq!(images.image(1).unwrap()[at], (at % 251) as u8 ^ 9);
    }

    #[test]
    fn each_mistake_has_its_own_line() {
        let line = |bytes: &[u8]| read(bytes, Path::new("f")).unwrap_err().to_string();
        assert_eq!(line(&[]), "f: empty; expected CIFAR-10 records");
        assert_eq!(
            line(&batch(&[1, 2])[..RECORD + 5]),
            "f: 5 bytes after 1 records; expected records of 3073 (a label and 3 x 32 x 32 pixels)"
        );
        assert_eq!(line(&batch(&[1, 10])), "f: record 1 has the label 10; expected 0 to 9");
    }
}
