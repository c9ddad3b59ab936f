//! Who computes. A [`Backend`] turns a [`Program`] into an [`Executable`] that replays it; hosts write and read buffers as
//! f64 slices in the order `[replicas, rows, cols]` (one copy if shared), whatever the backend's precision and layout.
//!
//! The program of [`program`], y = 2 x on at most two rows, on the reference:
//!
//! ```
//! use disentangle::backend::{Backend, BufferId, EntryId, Executable, Program, Reference, RowSpace, Step};
//! # use disentangle::backend::kernel::{Kernel, Unary};
//! # use disentangle::backend::program::{Buffer, Domain, Element, Extent, Segment, Storage};
//! # let column = |name: &str| Buffer {
//! #     name: name.into(),
//! #     element: Element::Real,
//! #     replicated: false,
//! #     extent: Extent::Rows(RowSpace(0)),
//! #     cols: 1,
//! #     storage: Storage::Persistent,
//! #     lasting: false,
//! # };
//! # let kernels = vec![Kernel::Unary { function: Unary::Scale(2.0), x: BufferId(0), y: BufferId(1) }];
//! # let program = Program {
//! #     replicas: 1,
//! #     spaces: vec![2],
//! #     buffers: vec![column("x"), column("y")],
//! #     entries: vec![vec![Segment { domain: Domain::Rows(RowSpace(0)), kernels }]],
//! # };
//! let (x, y, mut twice) = (BufferId(0), BufferId(1), [0.0; 2]);
//! let mut executable: Box<dyn Executable> = Reference.load(program)?;
//! executable.write(x, &[1.0, 3.0])?;
//! // Nothing is trained, so the step says nothing.
//! executable.run(EntryId(0), Step { learning_rate: 0.0, number: 1 })?;
//! executable.read(y, &mut twice)?;
//! assert_eq!(twice, [2.0, 6.0]);
//! # Ok::<(), disentangle::backend::BackendError>(())
//! ```

pub mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
mod error;
pub mod kernel;
mod operands;
pub mod pairwise;
pub mod program;
pub mod reference;

pub use cpu::Cpu;
#[cfg(feature = "cuda")]
pub use cuda::Cuda;
pub use error::BackendError;
pub use pairwise::Pairwise;
pub use program::{BufferId, EntryId, Program, RowSpace};
pub use reference::Reference;

/// Something that can execute programs and reduce pairs.
///
/// ```
/// use disentangle::backend::pairwise::{Form, PairFunction, Points};
/// use disentangle::backend::{Backend, Cpu, Program, Reference};
///
/// // Two points at distance 3, in both orders; and a program with nothing in it.
/// let points = Points::new(&[0.0, 3.0][..], 1)?;
/// let cpu = Cpu::new(1)?;
/// let backends: [&dyn Backend; 2] = [&Reference, &cpu];
/// for backend in backends {
///     let sums = backend.pairs().class_sums(&points, None, PairFunction::SquaredEuclidean, Form::Direct)?;
///     assert_eq!(sums.sums, [18.0]);
///     let empty = Program { replicas: 1, spaces: vec![], buffers: vec![], entries: vec![] };
///     assert_eq!(*backend.load(empty.clone())?.program(), empty);
/// }
/// assert_eq!(backends.map(|backend| backend.name()), ["reference", "cpu"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Backend {
    /// Short name: `reference`, `cpu`, `cuda`.
    fn name(&self) -> &'static str;

    /// Prepares a program: allocates its buffers (all zero) and whatever else a run needs.
    ///
    /// # Errors
    /// [`BackendError::TooLarge`] if a buffer's size overflows, [`BackendError::OutOfMemory`] if its memory is not to be had,
    /// [`BackendError::Feature`] for a kernel that this build lacks; on a device, its own.
    fn load(&self, program: Program) -> Result<Box<dyn Executable>, BackendError>;

    /// Who reduces pairs for it: itself, or the reference.
    fn pairs(&self) -> &dyn Pairwise;
}

/// The two numbers that change from step to step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// 1 in the first step: Adam's bias correction counts with it.
    pub number: u64,
}

/// A program with its buffers.
///
/// ```
/// use disentangle::autograd::{Graph, Plan};
/// use disentangle::backend::{Backend, BackendError, BufferId, EntryId, Executable, Reference, Step};
///
/// // The program of an index below 10 for each of at most three rows, with no entry point.
/// let mut graph = Graph::new(1)?;
/// let rows = graph.rows(3)?;
/// graph.index("labels", rows, 10, false)?;
/// let mut executable: Box<dyn Executable> = Reference.load(Plan::new(&graph, &[])?.program().clone())?;
/// let (labels, step) = (BufferId(0), Step { learning_rate: 0.0, number: 1 });
/// assert_eq!(executable.program().buffer(labels).name, "labels");
/// executable.set_rows(rows, 2)?;
/// assert_eq!(executable.rows(rows), 2);
/// executable.write_index(labels, &[7, 9])?;
/// let mut read = [0; 2];
/// executable.read_index(labels, &mut read)?;
/// assert_eq!(read, [7, 9]);
/// // Indices are no reals, and there is nothing to run.
/// let element = BackendError::Element { buffer: "labels".into(), index: true };
/// assert_eq!(executable.write(labels, &[7.0, 9.0]), Err(element.clone()));
/// assert_eq!(executable.read(labels, &mut [0.0; 2]), Err(element));
/// assert_eq!(executable.run(EntryId(0), step), Err(BackendError::UnknownEntry { id: 0 }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Executable: Send {
    /// The program.
    fn program(&self) -> &Program;

    /// Sets how many rows of a space are active: 1 to its capacity. What was written into its row buffers is then void.
    ///
    /// # Errors
    /// [`BackendError::Rows`] outside that range.
    fn set_rows(&mut self, space: RowSpace, rows: usize) -> Result<(), BackendError>;

    /// Rows now active in a space.
    fn rows(&self, space: RowSpace) -> usize;

    /// Writes a Real or Wide buffer, rounding once to the backend's precision.
    ///
    /// # Errors
    /// [`BackendError::Length`], [`BackendError::Element`], [`BackendError::NotVisible`] for a buffer of tile storage.
    fn write(&mut self, buffer: BufferId, values: &[f64]) -> Result<(), BackendError>;

    /// Writes an Index buffer.
    ///
    /// # Errors
    /// As [`Executable::write`], and [`BackendError::IndexRange`] for an element that reaches the buffer's bound.
    fn write_index(&mut self, buffer: BufferId, values: &[u32]) -> Result<(), BackendError>;

    /// Reads a Real or Wide buffer into a slice of exactly its length.
    ///
    /// # Errors
    /// As [`Executable::write`].
    fn read(&self, buffer: BufferId, values: &mut [f64]) -> Result<(), BackendError>;

    /// Reads an Index buffer.
    ///
    /// # Errors
    /// As [`Executable::write`].
    fn read_index(&self, buffer: BufferId, values: &mut [u32]) -> Result<(), BackendError>;

    /// Runs an entry point once. Allocates nothing. A device may still be at it when this returns; reading waits for it.
    ///
    /// # Errors
    /// [`BackendError::UnknownEntry`]; on a device, a kernel that could not be launched, or an earlier one that failed.
    fn run(&mut self, entry: EntryId, step: Step) -> Result<(), BackendError>;
}

/// What [`Executable::write`], `write_index` and `read` check before they touch a buffer.
///
/// # Errors
/// See there.
pub(crate) fn check_access(
    program: &Program,
    active: &[usize],
    id: BufferId,
    length: usize,
    index: bool,
) -> Result<(), BackendError> {
    let Some(buffer) = program.buffers.get(id.0) else {
        return Err(BackendError::UnknownBuffer { id: id.0 });
    };
    if buffer.storage == program::Storage::Tile {
        return Err(BackendError::NotVisible {
            buffer: buffer.name.clone(),
        });
    }
    if matches!(buffer.element, program::Element::Index { .. }) != index {
        return Err(BackendError::Element {
            buffer: buffer.name.clone(),
            index: !index,
        });
    }
    let expected = program.len(id, active);
    if length != expected {
        return Err(BackendError::Length {
            buffer: buffer.name.clone(),
            found: length,
            expected,
        });
    }
    Ok(())
}

/// The range check of [`Executable::write_index`].
///
/// # Errors
/// [`BackendError::IndexRange`]
pub(crate) fn check_indices(program: &Program, id: BufferId, values: &[u32]) -> Result<(), BackendError> {
    let program::Element::Index { bound } = program.buffer(id).element else {
        return Ok(());
    };
    match values.iter().position(|&v| v >= bound) {
        None => Ok(()),
        Some(position) => Err(BackendError::IndexRange {
            buffer: program.buffer(id).name.clone(),
            position,
            found: values[position],
            bound,
        }),
    }
}

/// The check of [`Executable::set_rows`].
///
/// # Errors
/// [`BackendError::Rows`]
pub(crate) fn check_rows(program: &Program, space: RowSpace, rows: usize) -> Result<(), BackendError> {
    match program.spaces.get(space.0) {
        Some(&capacity) if (1..=capacity).contains(&rows) => Ok(()),
        Some(&capacity) => Err(BackendError::Rows { rows, capacity }),
        None => Err(BackendError::Rows { rows, capacity: 0 }),
    }
}

/// Elements of every buffer at full capacity, or an error if one cannot be addressed.
///
/// # Errors
/// [`BackendError::TooLarge`]
pub(crate) fn check_sizes(program: &Program) -> Result<(), BackendError> {
    for buffer in &program.buffers {
        let rows = match buffer.extent {
            program::Extent::Rows(space) => program.spaces[space.0],
            program::Extent::Whole { rows } => rows,
        };
        let copies = if buffer.replicated { program.replicas } else { 1 };
        let bytes = rows
            .checked_mul(copies)
            .and_then(|n| n.checked_mul(buffer.cols))
            .and_then(|n| n.checked_mul(8));
        if bytes.is_none_or(|n| n > isize::MAX as usize) {
            return Err(BackendError::TooLarge {
                buffer: buffer.name.clone(),
                rows,
                cols: buffer.cols,
                copies,
            });
        }
    }
    Ok(())
}
