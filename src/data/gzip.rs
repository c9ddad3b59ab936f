//! Opening a file that may be compressed.
//!
//! Whether it is decides its content (the two bytes 1f 8b), not its name: a browser that unpacks `.gz` files on the fly
//! and keeps their names is a common way to get a data set.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::error::DataError;

/// The first two bytes of a gzip file (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Opens `path` for reading its unpacked bytes.
///
/// # Errors
/// [`DataError::Read`] if the operating system refuses; [`DataError::GzipNotBuilt`] without the feature `data`.
pub(super) fn open(path: &Path) -> Result<Box<dyn Read>, DataError> {
    let refused = |source| DataError::Read {
        path: path.to_owned(),
        source,
    };
    let mut file = BufReader::new(File::open(path).map_err(refused)?);
    if file.fill_buf().map_err(refused)?.starts_with(&GZIP_MAGIC) {
        unpack(file, path)
    } else {
        Ok(Box::new(file))
    }
}

#[cfg(not(feature = "data"))]
fn unpack(_file: BufReader<File>, path: &Path) -> Result<Box<dyn Read>, DataError> {
    Err(DataError::GzipNotBuilt { path: path.to_owned() })
}

#[cfg(feature = "data")]
fn unpack(file: BufReader<File>, _path: &Path) -> Result<Box<dyn Read>, DataError> {
    Ok(Box::new(bounded::Gunzip::new(file)))
}

#[cfg(feature = "data")]
pub(super) use bounded::{Gunzip, allowed, grows_too_large};

#[cfg(feature = "data")]
mod bounded {
    use std::io::{self, Read};

    use flate2::read::MultiGzDecoder;

    /// Bytes that any file may unpack to, whatever its own size.
    const FREE_BYTES: u64 = 16 << 20;
    /// Beyond those, unpacked bytes per compressed byte. Deflate reaches 1032, images about 5.
    const MAX_EXPANSION: u64 = 256;

    /// As many bytes as may come out of `compressed` ones.
    pub(in crate::data) fn allowed(compressed: u64) -> u64 {
        FREE_BYTES.saturating_add(compressed.saturating_mul(MAX_EXPANSION))
    }

    /// The error beyond that.
    pub(in crate::data) fn grows_too_large() -> io::Error {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("it unpacks to more than {MAX_EXPANSION} times its size"),
        )
    }

    /// Unpacks a gzip stream (of one or more members, with nothing after them) and stops with an error when it grows
    /// out of proportion to the bytes that it came from.
    pub(in crate::data) struct Gunzip<R> {
        decoder: MultiGzDecoder<Counted<R>>,
        unpacked: u64,
    }

    impl<R: Read> Gunzip<R> {
        pub(in crate::data) fn new(compressed: R) -> Self {
            Self {
                decoder: MultiGzDecoder::new(Counted {
                    reader: compressed,
                    bytes: 0,
                }),
                unpacked: 0,
            }
        }
    }

    impl<R: Read> Read for Gunzip<R> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.decoder.read(buffer)?;
            self.unpacked += n as u64;
            if self.unpacked > allowed(self.decoder.get_ref().bytes) {
                return Err(grows_too_large());
            }
            Ok(n)
        }
    }

    /// Counts the bytes read through it.
    struct Counted<R> {
        reader: R,
        bytes: u64,
    }

    impl<R: Read> Read for Counted<R> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.reader.read(buffer)?;
            self.bytes += n as u64;
            Ok(n)
        }
    }
}
