//! What can go wrong between a host and a backend.

use std::fmt;

use super::cpu::isa::IsaError;
#[cfg(feature = "cuda")]
use super::cuda::CudaError;

/// An error of a backend, one line each.
///
/// ```
/// use disentangle::autograd::{AutogradError, Graph, Plan};
/// use disentangle::backend::{BackendError, Reference};
///
/// // Two rows of three numbers are six numbers.
/// let mut graph = Graph::new(1)?;
/// let rows = graph.rows(2)?;
/// let x = graph.input("x", rows, 3, false)?;
/// let mut session = Plan::new(&graph, &[])?.start(&Reference)?;
/// let error = BackendError::Length { buffer: "x".into(), found: 3, expected: 6 };
/// assert_eq!(error.to_string(), "buffer 'x': 3 values, expected 6");
/// assert_eq!(session.write(x, &[1.0, 2.0, 3.0]), Err(AutogradError::Backend(error)));
/// # Ok::<(), AutogradError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendError {
    /// A buffer id that the program does not have.
    UnknownBuffer {
        /// The id.
        id: usize,
    },
    /// An entry id that the program does not have.
    UnknownEntry {
        /// The id.
        id: usize,
    },
    /// A buffer that exists only inside a segment: it was not asked for as an output.
    NotVisible {
        /// Its name.
        buffer: String,
    },
    /// Integers for a buffer of reals, or the other way round.
    Element {
        /// Its name.
        buffer: String,
        /// True if the buffer holds indices.
        index: bool,
    },
    /// A slice of the wrong length.
    Length {
        /// The buffer's name.
        buffer: String,
        /// The slice's length.
        found: usize,
        /// The buffer's.
        expected: usize,
    },
    /// An index that is too large.
    IndexRange {
        /// The buffer's name.
        buffer: String,
        /// Where in the slice.
        position: usize,
        /// The element.
        found: u32,
        /// What it must be below.
        bound: u32,
    },
    /// More rows than a space has room for, or none.
    Rows {
        /// Asked for.
        rows: usize,
        /// The space's capacity.
        capacity: usize,
    },
    /// A buffer that no memory can hold.
    TooLarge {
        /// Its name.
        buffer: String,
        /// Its rows.
        rows: usize,
        /// Its columns.
        cols: usize,
        /// Its copies along the replica axis.
        copies: usize,
    },
    /// Memory that the system does not give.
    OutOfMemory {
        /// What it is for.
        buffer: String,
        /// How much.
        bytes: usize,
    },
    /// `DISENTANGLE_ISA` names an instruction set that does not exist or that this processor lacks.
    Isa(IsaError),
    /// The thread pool could not be made, with the reason.
    Threads {
        /// In one line.
        reason: String,
    },
    /// What this build of the backend has left out.
    Feature {
        /// What a program asks for.
        what: &'static str,
        /// The cargo feature that has it.
        feature: &'static str,
    },
    /// The CUDA driver or device says no.
    #[cfg(feature = "cuda")]
    Cuda(CudaError),
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackendError::UnknownBuffer { id } => write!(f, "buffer {id}: no such buffer in this program"),
            BackendError::UnknownEntry { id } => write!(f, "entry {id}: no such entry point in this program"),
            BackendError::NotVisible { buffer } => {
                write!(
                    f,
                    "buffer '{buffer}' lives only inside a segment: ask for it as an output of an entry point"
                )
            }
            BackendError::Element { buffer, index: true } => {
                write!(f, "buffer '{buffer}' holds indices: expected integers, not reals")
            }
            BackendError::Element { buffer, index: false } => {
                write!(f, "buffer '{buffer}' holds reals: expected reals, not integers")
            }
            BackendError::Length {
                buffer,
                found,
                expected,
            } => {
                write!(f, "buffer '{buffer}': {found} values, expected {expected}")
            }
            BackendError::IndexRange {
                buffer,
                position,
                found,
                bound,
            } => {
                write!(
                    f,
                    "buffer '{buffer}': index {found} at position {position}, expected below {bound}"
                )
            }
            BackendError::Rows { rows, capacity } => {
                write!(f, "{rows} active rows: expected 1 to {capacity}")
            }
            BackendError::TooLarge {
                buffer,
                rows,
                cols,
                copies,
            } => {
                write!(
                    f,
                    "buffer '{buffer}': {copies} x {rows} x {cols} elements are more than memory can hold"
                )
            }
            BackendError::OutOfMemory { buffer, bytes } => {
                write!(f, "'{buffer}': {bytes} bytes of memory are not to be had")
            }
            BackendError::Feature { what, feature } => {
                write!(f, "{what}: expected a build with the feature `{feature}`")
            }
            BackendError::Isa(error) => error.fmt(f),
            BackendError::Threads { reason } => f.write_str(reason),
            #[cfg(feature = "cuda")]
            BackendError::Cuda(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BackendError {}

#[cfg(feature = "cuda")]
impl From<CudaError> for BackendError {
    fn from(error: CudaError) -> BackendError {
        BackendError::Cuda(error)
    }
}
