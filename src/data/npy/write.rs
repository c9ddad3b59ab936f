//! Writing arrays as npy files of version 1.0, row-major and little-endian.

use std::io::{self, Write};
use std::path::Path;

use super::header;
use crate::data::error::DataError;
use crate::data::format_fault::FormatFault;
use crate::data::whole_file;

mod sealed {
    pub trait Sealed {}
}

/// A type of elements that can be written.
///
/// ```
/// use disentangle::data::npy::NpyElement;
///
/// // Little-endian, the lowest byte first.
/// let mut bytes = Vec::new();
/// 0x01020304u32.write_to(&mut bytes)?;
/// assert_eq!((u32::DESCR, bytes), ("<u4", vec![4, 3, 2, 1]));
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait NpyElement: Copy + sealed::Sealed {
    /// Its name in the header.
    const DESCR: &'static str;

    /// Writes the bytes of one.
    ///
    /// # Errors
    /// Those of `out`.
    fn write_to(self, out: &mut impl Write) -> io::Result<()>;
}

macro_rules! element {
    ($($type:ty: $descr:literal),*) => {$(
        impl sealed::Sealed for $type {}

        impl NpyElement for $type {
            const DESCR: &'static str = $descr;

            fn write_to(self, out: &mut impl Write) -> io::Result<()> {
                out.write_all(&self.to_le_bytes())
            }
        }
    )*};
}

element!(f32: "<f4", f64: "<f8", u8: "|u1", u32: "<u4", i64: "<i8");

/// Writes the row-major `values` of an array of `shape`, to a temporary name that is renamed. The file is byte for byte
/// the one that `numpy.save` of NumPy 2 writes.
///
/// # Errors
/// [`FormatFault::ArrayValues`], [`FormatFault::ArrayShape`] (more sizes than a header has room for),
/// [`DataError::Write`].
///
/// ```
/// use disentangle::data::{Npy, write_npy};
///
/// let path = std::env::temp_dir().join(format!("disentangle-{}.npy", std::process::id()));
/// write_npy(&path, &[2, 3], &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// let file = Npy::open(&path)?;
/// assert_eq!((file.shape(), file.element().as_str()), (&[2, 3][..], "<f4"));
/// assert_eq!(file.to_array().values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
/// std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_npy<T: NpyElement>(path: &Path, shape: &[usize], values: &[T]) -> Result<(), DataError> {
    write_npy_from(path, shape, values.iter().copied())
}

/// [`write_npy`] of values that are made on the way, so that they need not all be held as `T`.
///
/// ```
/// use disentangle::data::{Npy, write_npy_from};
///
/// // Squares of 0 to 3, of which there is never an array in memory.
/// let path = std::env::temp_dir().join(format!("disentangle-squares-{}.npy", std::process::id()));
/// write_npy_from(&path, &[2, 2], (0..4u32).map(|n| n * n))?;
/// assert_eq!(Npy::open(&path)?.to_integers()?, [0, 1, 4, 9]);
/// // Four values are not those of three rows of two.
/// let wrong = write_npy_from(&path, &[3, 2], 0..4u32).map_err(|error| error.to_string());
/// assert!(wrong.is_err_and(|line| line.ends_with(": 4 values; expected those of the shape 3 x 2")));
/// std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`write_npy`].
pub fn write_npy_from<T: NpyElement>(
    path: &Path,
    shape: &[usize],
    mut values: impl ExactSizeIterator<Item = T>,
) -> Result<(), DataError> {
    let fault = |fault| DataError::Format {
        path: path.to_owned(),
        fault,
    };
    let product = shape
        .iter()
        .try_fold(1usize, |product, &size| product.checked_mul(size));
    if product != Some(values.len()) {
        return Err(fault(FormatFault::ArrayValues {
            shape: shape.to_vec(),
            values: values.len(),
        }));
    }
    let Some(prefix) = header::prefix(T::DESCR, shape).filter(|_| shape.len() <= header::MAX_DIMENSIONS) else {
        return Err(fault(FormatFault::ArrayShape {
            shape: shape.to_vec(),
            expected: "at most 64 sizes",
        }));
    };
    whole_file::write(path, |file| {
        file.write_all(&prefix)?;
        values.try_for_each(|value| value.write_to(file))
    })
    .map_err(|source| DataError::Write {
        path: path.to_owned(),
        source,
    })
}
