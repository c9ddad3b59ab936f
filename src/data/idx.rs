//! The IDX format of MNIST: a magic number, the sizes, the bytes.
//!
//! | offset | images | labels |
//! |---|---|---|
//! | 0 | 0x00000803 (bytes, 3 sizes) | 0x00000801 (bytes, 1 size) |
//! | 4 | count, height, width | count |
//! | then | count * height * width bytes, row by row | count bytes |
//!
//! All numbers are big-endian `u32`. A header is a claim, not a reason to reserve memory: the buffer grows with the
//! bytes that come, and one byte more than the header says is enough to call the file wrong.
//!
//! Two images of 1 x 2 pixels, and a file that ends early:
//!
//! ```
//! use std::path::Path;
//!
//! use disentangle::data::DataError;
//! use disentangle::data::idx::{IMAGES_MAGIC, IdxImages, images_header, open_images, read_images};
//!
//! let mut file = images_header(2, 1, 2).map_or(Vec::new(), Vec::from);
//! assert_eq!(file[..4], IMAGES_MAGIC.to_be_bytes());
//! file.extend([10, 20, 30, 40]);
//! let images = read_images(&file[..], Path::new("two images"))?;
//! assert_eq!(images, IdxImages { count: 2, height: 1, width: 2, pixels: vec![10, 20, 30, 40] });
//! let short = read_images(&file[..19], Path::new("two images"));
//! assert!(matches!(short, Err(DataError::Truncated { expected: 4, found: 3, .. })));
//! let path = std::env::temp_dir().join(format!("disentangle-images-{}", std::process::id()));
//! std::fs::write(&path, &file)?;
//! assert_eq!(open_images(&path)?, images);
//! std::fs::remove_file(&path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Their labels, and images where labels were expected:
//!
//! ```
//! use std::path::Path;
//!
//! use disentangle::data::DataError;
//! use disentangle::data::idx::{IMAGES_MAGIC, LABELS_MAGIC, images_header, labels_header, open_labels, read_labels};
//!
//! let file: Vec<u8> = labels_header(2).into_iter().flatten().chain([7, 9]).collect();
//! assert_eq!(file[..4], LABELS_MAGIC.to_be_bytes());
//! assert_eq!(read_labels(&file[..], Path::new("two labels"))?, [7, 9]);
//! let images: Vec<u8> = images_header(2, 1, 2).into_iter().flatten().collect();
//! let wrong = read_labels(&images[..], Path::new("two images"));
//! assert!(matches!(wrong, Err(DataError::Magic { found: IMAGES_MAGIC, expected: LABELS_MAGIC, .. })));
//! let path = std::env::temp_dir().join(format!("disentangle-labels-{}", std::process::id()));
//! std::fs::write(&path, &file)?;
//! assert_eq!(open_labels(&path)?, [7, 9]);
//! std::fs::remove_file(&path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::io::{self, Read};
use std::path::Path;

use super::error::DataError;
use super::gzip;

/// First four bytes of an image file.
pub const IMAGES_MAGIC: u32 = 0x0000_0803;
/// First four bytes of a label file.
pub const LABELS_MAGIC: u32 = 0x0000_0801;

/// The content of an image file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdxImages {
    /// Number of images.
    pub count: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// `[count, height, width]`.
    pub pixels: Vec<u8>,
}

/// Reads an image file, raw or gzip.
///
/// # Errors
/// Those of [`read_images`], and [`DataError::GzipNotBuilt`] for a gzip file without the feature `data`.
pub fn open_images(path: &Path) -> Result<IdxImages, DataError> {
    read_images(gzip::open(path)?, path)
}

/// Reads a label file, raw or gzip.
///
/// # Errors
/// Those of [`read_labels`], and [`DataError::GzipNotBuilt`] for a gzip file without the feature `data`.
pub fn open_labels(path: &Path) -> Result<Vec<u8>, DataError> {
    read_labels(gzip::open(path)?, path)
}

/// Reads unpacked IDX images to the end of `reader`; `path` is the name used in errors.
///
/// # Errors
/// [`DataError::Empty`], [`DataError::ShortHeader`], [`DataError::Magic`], [`DataError::NoItems`],
/// [`DataError::TooLarge`], [`DataError::Truncated`], [`DataError::TrailingBytes`], [`DataError::Damaged`],
/// [`DataError::Read`].
pub fn read_images(reader: impl Read, path: &Path) -> Result<IdxImages, DataError> {
    let ([count, height, width], pixels) = read_idx::<3>(reader, path, IMAGES_MAGIC, "IDX images")?;
    Ok(IdxImages {
        count,
        height,
        width,
        pixels,
    })
}

/// Reads unpacked IDX labels to the end of `reader`; `path` is the name used in errors.
///
/// # Errors
/// Those of [`read_images`].
pub fn read_labels(reader: impl Read, path: &Path) -> Result<Vec<u8>, DataError> {
    let (_, labels) = read_idx::<1>(reader, path, LABELS_MAGIC, "IDX labels")?;
    Ok(labels)
}

/// The header of `D` sizes under `magic`, then as many bytes as their product, then the end.
fn read_idx<const D: usize>(
    mut reader: impl Read,
    path: &Path,
    magic: u32,
    expected: &'static str,
) -> Result<([usize; D], Vec<u8>), DataError> {
    let path_buf = || path.to_owned();
    let header_len = 4 + 4 * D;
    let mut header = Vec::new();
    reader
        .by_ref()
        .take(header_len as u64)
        .read_to_end(&mut header)
        .map_err(|source| DataError::Read {
            path: path_buf(),
            source,
        })?;
    let mut words = header
        .chunks_exact(4)
        .map(|b| b.iter().fold(0u32, |word, &byte| word << 8 | u32::from(byte)));

    match words.next() {
        None if header.is_empty() => {
            return Err(DataError::Empty {
                path: path_buf(),
                expected,
            });
        }
        Some(found) if found != magic => {
            return Err(DataError::Magic {
                path: path_buf(),
                found,
                expected: magic,
            });
        }
        _ if header.len() < header_len => {
            return Err(DataError::ShortHeader {
                path: path_buf(),
                found: header.len(),
                expected: header_len,
            });
        }
        _ => {}
    }
    let shape: Vec<u32> = words.collect();
    if shape.contains(&0) {
        return Err(DataError::NoItems {
            path: path_buf(),
            shape,
        });
    }
    let mut sizes = [0usize; D];
    let mut product = Some(1usize);
    for (size, &word) in sizes.iter_mut().zip(&shape) {
        let word = usize::try_from(word).ok();
        product = product.zip(word).and_then(|(p, w)| p.checked_mul(w));
        *size = word.unwrap_or(usize::MAX);
    }
    // A slice never holds more than isize::MAX bytes.
    let Some(len) = product.filter(|&p| isize::try_from(p).is_ok()) else {
        return Err(DataError::TooLarge {
            path: path_buf(),
            shape,
        });
    };

    let expected = len as u64;
    let mut bytes = Vec::new();
    if let Err(source) = read_growing(&mut reader, expected + 1, &mut bytes) {
        return Err(DataError::Damaged {
            path: path_buf(),
            shape,
            expected,
            found: bytes.len() as u64,
            source,
        });
    }
    match bytes.len().cmp(&len) {
        std::cmp::Ordering::Less => Err(DataError::Truncated {
            path: path_buf(),
            shape,
            expected,
            found: bytes.len() as u64,
        }),
        std::cmp::Ordering::Greater => Err(DataError::TrailingBytes {
            path: path_buf(),
            shape,
            expected,
        }),
        std::cmp::Ordering::Equal => Ok((sizes, bytes)),
    }
}

/// Appends up to `limit` bytes; the vector doubles as they come, so it never holds more than twice what was read.
pub(super) fn read_growing(reader: &mut impl Read, limit: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    reader.take(limit).read_to_end(bytes)?;
    bytes.shrink_to_fit();
    Ok(())
}

/// The 16 bytes before the pixels of an image file, or `None` if a size does not fit its `u32`.
///
/// Header and pixels together are the uncompressed file, whose SHA-256 is what data sets publish.
pub fn images_header(count: usize, height: usize, width: usize) -> Option<[u8; 16]> {
    let mut header = [0; 16];
    let words = [
        IMAGES_MAGIC,
        u32::try_from(count).ok()?,
        u32::try_from(height).ok()?,
        u32::try_from(width).ok()?,
    ];
    for (bytes, word) in header.chunks_exact_mut(4).zip(words) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    Some(header)
}

/// The 8 bytes before the labels of a label file, or `None` if the count does not fit its `u32`.
pub fn labels_header(count: usize) -> Option<[u8; 8]> {
    let mut header = [0; 8];
    for (bytes, word) in header
        .chunks_exact_mut(4)
        .zip([LABELS_MAGIC, u32::try_from(count).ok()?])
    {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(words: &[u32], body: usize) -> Result<IdxImages, DataError> {
        let mut bytes: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
        bytes.extend((0..body).map(|i| i as u8));
        read_images(bytes.as_slice(), Path::new("f"))
    }

    #[test]
    fn a_good_file_is_read_as_it_is() {
        let got = images(&[IMAGES_MAGIC, 2, 3, 4], 24).unwrap();
        assert_eq!(
            got,
            IdxImages {
                count: 2,
                height: 3,
                width: 4,
                pixels: (0..24).collect()
            }
        );
        let labels = [&labels_header(3).unwrap()[..], &[7, 0, 9]].concat();
        assert_eq!(read_labels(labels.as_slice(), Path::new("f")).unwrap(), [7, 0, 9]);
        assert_eq!(images_header(2, 3, 4).unwrap()[..8], [0, 0, 8, 3, 0, 0, 0, 2]);
    }

    #[test]
    fn each_mistake_has_its_own_line() {
        let line = |result: Result<IdxImages, DataError>| result.unwrap_err().to_string();
        assert_eq!(line(images(&[], 0)), "f: empty; expected IDX images");
        assert_eq!(
            line(images(&[LABELS_MAGIC, 5], 5)),
            "f: starts with 0x00000801; expected 0x00000803 (IDX images of bytes)"
        );
        assert_eq!(
            line(images(&[IMAGES_MAGIC, 5], 2)),
            "f: ends after 10 bytes; expected an IDX header of 16"
        );
        assert_eq!(
            line(images(&[], 3)),
            "f: ends after 3 bytes; expected an IDX header of 16"
        );
        assert_eq!(
            line(images(&[IMAGES_MAGIC, 0, 28, 28], 0)),
            "f: the header says 0 x 28 x 28; expected sizes of at least 1"
        );
        assert_eq!(
            line(images(&[IMAGES_MAGIC, u32::MAX, u32::MAX, u32::MAX], 4)),
            "f: the header says 4294967295 x 4294967295 x 4294967295; expected a product that this machine can address"
        );
        assert_eq!(
            line(images(&[IMAGES_MAGIC, 4_000_000_000, 28, 28], 4)),
            "f: the header says 4000000000 x 28 x 28, so 3136000000000 bytes were expected after it; found 4"
        );
        assert_eq!(
            line(images(&[IMAGES_MAGIC, 2, 3, 4], 25)),
            "f: the header says 2 x 3 x 4, so 24 bytes were expected after it; found more"
        );
    }
}
