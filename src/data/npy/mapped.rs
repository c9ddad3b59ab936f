//! An npy file of rows that is mapped into memory instead of read: for data larger than memory.

use std::convert::Infallible;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::Path;

use super::element::{Element, Kind};
use super::read_header;
use crate::data::error::DataError;
use crate::data::format_fault::FormatFault;

/// Rows of an npy file, `[rows, dim]` or `[replicas, rows, dim]` in row-major order. The system reads what is asked for and may
/// forget it again.
///
/// The file must not be cut short while it is mapped: the system answers reads past its end with a signal (SIGBUS).
pub struct MappedRows {
    map: memmap2::Mmap,
    /// Where the values begin.
    start: usize,
    element: Element,
    replicas: usize,
    rows: usize,
    dim: usize,
}

impl MappedRows {
    /// Maps a file.
    ///
    /// # Errors
    /// [`DataError::Empty`], [`DataError::Read`]; those of a header as for [`super::Npy::read`];
    /// [`FormatFault::ArrayShape`] for an array that has not two or three dimensions, has none of a size, or whose first
    /// index runs fastest; [`FormatFault::ArrayTruncated`], [`FormatFault::ArrayTrailing`] for a file of another length.
    pub fn open(path: &Path) -> Result<MappedRows, DataError> {
        let read = |source| DataError::Read {
            path: path.to_owned(),
            source,
        };
        let fault = |fault| DataError::Format {
            path: path.to_owned(),
            fault,
        };
        let mut file = File::open(path).map_err(read)?;
        let header = read_header(&mut file, path)?;
        let start = file.stream_position().map_err(read)?;
        let end = file.seek(SeekFrom::End(0)).map_err(read)?;
        let (replicas, rows, dim) = match *header.shape.as_slice() {
            [rows, dim] => (1, rows, dim),
            [replicas, rows, dim] => (replicas, rows, dim),
            _ => (0, 0, 0),
        };
        if replicas == 0 || rows == 0 || dim == 0 || header.fortran_order {
            return Err(fault(FormatFault::ArrayShape {
                shape: header.shape,
                expected: "rows x columns or replicas x rows x columns in row-major order",
            }));
        }
        let size = header.element.size();
        let bytes = [replicas, rows, dim].into_iter().try_fold(size, usize::checked_mul);
        let Some(bytes) = bytes.filter(|&bytes| isize::try_from(bytes).is_ok()) else {
            return Err(fault(FormatFault::ArrayTooLarge { shape: header.shape }));
        };
        let (expected, found) = (bytes as u64, end.saturating_sub(start));
        if found < expected {
            return Err(fault(FormatFault::ArrayTruncated {
                shape: header.shape,
                expected,
                found,
            }));
        }
        if found > expected {
            return Err(fault(FormatFault::ArrayTrailing {
                shape: header.shape,
                expected,
            }));
        }
        // SAFETY: the map is only read; that nobody cuts the file short meanwhile is the caller's part (see the type).
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(read)?;
        Ok(MappedRows {
            map,
            start: start as usize,
            element: header.element,
            replicas,
            rows,
            dim,
        })
    }

    /// Replicas, rows, columns.
    pub fn shape(&self) -> (usize, usize, usize) {
        (self.replicas, self.rows, self.dim)
    }

    /// Whether all numbers are exact in f32.
    pub fn is_f32(&self) -> bool {
        matches!(
            self.element.kind,
            Kind::Bool | Kind::I8 | Kind::I16 | Kind::U8 | Kind::U16 | Kind::F16 | Kind::F32
        )
    }

    /// Writes a row into a slice of as many numbers as there are columns. A row that is not there leaves it as it was.
    pub fn read(&self, replica: usize, row: usize, to: &mut [f64]) {
        let size = self.element.size() * self.dim;
        let start = self.start + (replica * self.rows + row) * size;
        if let Some(bytes) = self.map.get(start..start + size) {
            let Ok(numbers) = self
                .element
                .decode(bytes, |number| Ok::<_, Infallible>(number.to_f64()));
            to.iter_mut().zip(numbers).for_each(|(t, x)| *t = x);
        }
    }
}
