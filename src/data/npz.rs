//! Several arrays in one npz file: a zip archive with an npy file for each, stored or deflated.
//!
//! A member is unpacked only as far as its npy header asks, its checksum is compared, and no member may grow out of
//! proportion to the archive (the bound of gzip files).

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::result::ZipError;

use super::dataset::Images;
use super::error::DataError;
use super::format_fault::{FormatFault, one_line};
use super::gzip::{allowed, grows_too_large};
use super::npy::Npy;

/// An npz file whose list of arrays was read.
#[derive(Debug)]
pub struct Npz<R> {
    path: PathBuf,
    archive: ZipArchive<R>,
    /// Bytes of the archive.
    len: u64,
}

impl Npz<BufReader<File>> {
    /// Opens a file.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|source| DataError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::read(BufReader::new(file), path)
    }
}

impl<R: Read + Seek> Npz<R> {
    /// Reads the list of arrays; `path` is the name used in errors.
    ///
    /// # Errors
    /// [`DataError::Read`], [`DataError::Empty`], [`FormatFault::Archive`].
    pub fn read(mut reader: R, path: &Path) -> Result<Self, DataError> {
        let path = path.to_owned();
        let len = match reader
            .seek(SeekFrom::End(0))
            .and_then(|len| reader.rewind().map(|()| len))
        {
            Ok(len) => len,
            Err(source) => return Err(DataError::Read { path, source }),
        };
        if len == 0 {
            return Err(DataError::Empty {
                path,
                expected: "an npz archive",
            });
        }
        match ZipArchive::new(reader) {
            Ok(archive) => Ok(Self { path, archive, len }),
            Err(error) => Err(refused(&path, error)),
        }
    }

    /// The names of its arrays: those of its members without `.npy`.
    pub fn names(&self) -> Vec<String> {
        let members = self.archive.file_names().flatten();
        members
            .map(|name| one_line(name.strip_suffix(".npy").unwrap_or(&name)))
            .collect()
    }

    /// One array.
    ///
    /// # Errors
    /// [`FormatFault::NoArray`], [`FormatFault::Archive`], and those of [`Npy::read`]; for a damaged member or one that
    /// grows out of proportion, [`DataError::Read`].
    pub fn array(&mut self, name: &str) -> Result<Npy, DataError> {
        let place = PathBuf::from(format!("{}, {name}", self.path.display()));
        let member = self
            .archive
            .index_for_name(&format!("{name}.npy"))
            .or_else(|| self.archive.index_for_name(name));
        let Some(member) = member else {
            return Err(DataError::Format {
                path: self.path.clone(),
                fault: FormatFault::NoArray {
                    name: name.to_owned(),
                    present: self.names(),
                },
            });
        };
        let reader = self.archive.by_index(member).map_err(|error| refused(&place, error))?;
        let bounded = Bounded {
            reader,
            left: allowed(self.len),
        };
        Npy::read(bounded, &place)
    }

    /// The images of one split, `train` or `test`: pixels `x_train` as `uint8` `[n, height, width]`,
    /// `[n, height, width, channels]` or `[n, width]`, labels `y_train` as integers `[n]` or `[n, 1]`.
    ///
    /// # Errors
    /// Those of [`array`](Self::array) and [`Images::new`]; [`FormatFault::ArrayType`], [`FormatFault::ArrayShape`],
    /// [`FormatFault::Value`].
    pub fn images(&mut self, split: &str) -> Result<Images, DataError> {
        let place = format!("{}, {split}", self.path.display());
        let x = self.array(&format!("x_{split}"))?;
        let (size, channels_last) = match *x.shape() {
            [_, width] => ([1, 1, width], false),
            [_, height, width] => ([1, height, width], false),
            [_, height, width, channels @ (1 | 3)] => ([channels, height, width], true),
            _ => {
                return Err(x.fault(FormatFault::ArrayShape {
                    shape: x.shape().to_vec(),
                    expected: "images x height x width, images x height x width x 1 or 3 channels, or images x values",
                }));
            }
        };
        if x.shape().contains(&0) {
            return Err(x.fault(FormatFault::ArrayShape {
                shape: x.shape().to_vec(),
                expected: "sizes of at least 1",
            }));
        }
        let pixels = x.into_bytes()?;
        let pixels = if channels_last { planes(&pixels, size) } else { pixels };

        let y = self.array(&format!("y_{split}"))?;
        if !matches!(y.shape(), [_] | [_, 1]) {
            return Err(y.fault(FormatFault::ArrayShape {
                shape: y.shape().to_vec(),
                expected: "labels, or labels x 1",
            }));
        }
        let labels = y.to_integers()?.into_iter().enumerate().map(|(index, label)| {
            u8::try_from(label).map_err(|_| {
                y.fault(FormatFault::Value {
                    index,
                    value: label.to_string(),
                    expected: "a label from 0 to 255",
                })
            })
        });
        Images::new(pixels, labels.collect::<Result<_, _>>()?, size, &place)
    }
}

/// Images `[height, width, channels]` as `[channels, height, width]`.
fn planes(pixels: &[u8], [channels, height, width]: [usize; 3]) -> Vec<u8> {
    let mut planes = Vec::with_capacity(pixels.len());
    for image in pixels.chunks_exact((channels * height * width).max(1)) {
        for channel in 0..channels {
            planes.extend(image.iter().skip(channel).step_by(channels));
        }
    }
    planes
}

fn refused(path: &Path, error: ZipError) -> DataError {
    let path = path.to_owned();
    match error {
        ZipError::Io(source) if source.kind() != io::ErrorKind::UnexpectedEof => DataError::Read { path, source },
        error => DataError::Format {
            path,
            fault: FormatFault::Archive {
                reason: one_line(&error.to_string()),
            },
        },
    }
}

/// Stops with an error after so many bytes.
struct Bounded<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buffer)?;
        self.left = self.left.checked_sub(n as u64).ok_or_else(grows_too_large)?;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    use super::*;

    fn npy(descr: &str, shape: &str, values: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}");
        let length = (header.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), values].concat()
    }

    fn npz(members: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in members {
            let options = SimpleFileOptions::default().compression_method(method);
            zip.start_file(format!("{name}.npy"), options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn open(bytes: Vec<u8>) -> Result<Npz<Cursor<Vec<u8>>>, DataError> {
        Npz::read(Cursor::new(bytes), Path::new("f.npz"))
    }

    fn images(x: (&str, &str, &[u8]), y: (&str, &str, &[u8])) -> Result<Images, DataError> {
        let members = [("x_test", npy(x.0, x.1, x.2)), ("y_test", npy(y.0, y.1, y.2))];
        open(npz(&members, CompressionMethod::Deflated)).unwrap().images("test")
    }

    #[test]
    fn arrays_are_found_by_name_stored_and_deflated() {
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let a = npy("|u1", "(2, 500)", &[7; 1000]);
            let mut npz = open(npz(&[("a", a), ("b", npy("<i2", "()", &[1, 1]))], method)).unwrap();
            assert_eq!(npz.names(), ["a", "b"]);
            assert_eq!(npz.array("b").unwrap().to_integers().unwrap(), [257]);
            assert_eq!(npz.array("a").unwrap().into_bytes().unwrap(), [7; 1000]);
            assert_eq!(
                npz.array("c").unwrap_err().to_string(),
                "f.npz: no array `c`; expected it among a, b"
            );
        }
    }

    #[test]
    fn damage_is_noticed() {
        let whole = npz(&[("a", npy("|u1", "(900,)", &[7; 900]))], CompressionMethod::Stored);
        let mut damaged = whole.clone();
        damaged[500] ^= 1;
        let line = open(damaged).unwrap().array("a").unwrap_err().to_string();
        assert!(line.starts_with("f.npz, a: cannot be read (Invalid checksum"), "{line}");
        assert!(matches!(
            open(whole[..whole.len() - 30].to_vec()),
            Err(DataError::Format {
                fault: FormatFault::Archive { .. },
                ..
            })
        ));
        assert!(matches!(open(Vec::new()), Err(DataError::Empty { .. })));
        let claims = npz(
            &[("a", npy("<f8", "(1000000000000,)", &[0; 9]))],
            CompressionMethod::Deflated,
        );
        assert_eq!(
            open(claims).unwrap().array("a").unwrap_err().to_string(),
            "f.npz, a: the header says 1000000000000, so 8000000000000 bytes were expected after it; found 9"
        );
    }

    #[test]
    fn a_bomb_does_not_go_off() {
        let zeros = npy("|u1", "(100000000,)", &vec![0; 100_000_000]);
        let line = open(npz(&[("a", zeros)], CompressionMethod::Deflated))
            .unwrap()
            .array("a");
        let line = line.unwrap_err().to_string();
        assert!(line.contains("(it unpacks to more than 256 times its size)"), "{line}");
    }

    #[test]
    fn images_come_in_three_shapes() {
        let y = ("<i8", "(2, 1)", &[5i64, 3].map(i64::to_le_bytes).concat()[..]);
        let bytes: Vec<u8> = (0..24).collect();
        let flat = images(("|u1", "(2, 12)", &bytes), y).unwrap();
        assert_eq!((flat.channels, flat.height, flat.width, flat.count), (1, 1, 12, 2));
        assert_eq!((flat.labels.as_slice(), &flat.pixels), (&[5, 3][..], &bytes));
        let grey = images(("|u1", "(2, 3, 4)", &bytes), y).unwrap();
        assert_eq!(
            (grey.channels, grey.height, grey.width, &grey.pixels),
            (1, 3, 4, &bytes)
        );
        let colour = images(("|u1", "(2, 2, 2, 3)", &bytes), y).unwrap();
        assert_eq!((colour.channels, colour.height, colour.width), (3, 2, 2));
        assert_eq!(colour.image(0).unwrap(), [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]);
    }

    #[test]
    fn other_arrays_are_refused() {
        let labels = ("|u1", "(2,)", &[0, 1][..]);
        let line = |x, y| images(x, y).unwrap_err().to_string();
        assert_eq!(
            line(("<f4", "(2, 1)", &[0; 8]), labels),
            "f.npz, x_test: elements of type <f4; expected |u1 (uint8)"
        );
        assert_eq!(
            line(("|u1", "(2, 3, 2, 2)", &[0; 24]), labels),
            "f.npz, x_test: an array of 2 x 3 x 2 x 2; expected images x height x width, images x height x width x 1 \
             or 3 channels, or images x values"
        );
        let x = ("|u1", "(2, 1)", &[0, 0][..]);
        assert_eq!(
            line(x, ("|u1", "(3,)", &[0, 1, 2])),
            "f.npz, test: 2 images and 3 labels; expected one label for each image"
        );
        assert_eq!(
            line(x, ("<i2", "(2,)", &[0, 0, 0, 1])),
            "f.npz, y_test: value 1 is 256; expected a label from 0 to 255"
        );
        assert_eq!(
            line(("|u1", "(0, 4)", &[]), ("|u1", "(0,)", &[])),
            "f.npz, x_test: an array of 0 x 4; expected sizes of at least 1"
        );
    }
}
