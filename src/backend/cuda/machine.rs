//! A program on a device: its buffers, and the launches of each entry for the rows that are now active.

use std::sync::Arc;

use super::driver::{Context, Memory};
use super::error::CudaError;
use super::graph::Entry;
use super::kernels::Kernels;
use super::lower::{Lowering, constants};
use crate::backend::program::{BufferId, Element, EntryId, Program, RowSpace};
use crate::backend::{BackendError, Executable, Step, check_access, check_indices, check_rows};

/// See the [module](self).
pub(super) struct Machine {
    program: Program,
    active: Vec<usize>,
    entries: Vec<Entry>,
    // What their launches point to is dropped after them.
    buffers: Vec<Memory>,
    constants: Vec<Memory>,
    workspace: Memory,
    kernels: Arc<Kernels>,
    context: Arc<Context>,
}

impl Machine {
    pub(super) fn new(program: Program, context: Arc<Context>, kernels: Arc<Kernels>) -> Result<Machine, CudaError> {
        let active = program.spaces.clone();
        let buffer = |id: BufferId| {
            let bytes = match program.buffer(id).element {
                Element::Wide => 8,
                Element::Real | Element::Index { .. } => 4,
            };
            Memory::new(&context, &program.buffer(id).name, bytes * program.len(id, &active))
        };
        let buffers = (0..program.buffers.len()).map(|id| buffer(BufferId(id)));
        let buffers = buffers.collect::<Result<Vec<Memory>, CudaError>>()?;
        let constant = |values: &[f64]| {
            let memory = Memory::new(&context, "constants", 8 * values.len())?;
            memory.write(values)?;
            Ok(memory)
        };
        let constants = constants(&program).into_iter().map(constant);
        let constants = constants.collect::<Result<Vec<Memory>, CudaError>>()?;
        let mut machine = Machine {
            entries: Vec::new(),
            buffers,
            constants,
            workspace: Memory::new(&context, "sums of parts", 1)?,
            kernels,
            context,
            active,
            program,
        };
        // Sums over fewer rows have no more parts, so what full spaces take is enough for all.
        let bytes = machine.lower()?;
        machine.workspace = Memory::new(&machine.context, "sums of parts", bytes)?;
        machine.lower()?;
        Ok(machine)
    }

    /// Writes down the launches anew; returns the bytes of workspace that they take.
    fn lower(&mut self) -> Result<usize, CudaError> {
        let mut lowering = Lowering {
            program: &self.program,
            active: &self.active,
            buffers: &self.buffers,
            kernels: &self.kernels,
            constants: &self.constants,
            workspace: self.workspace.address(),
            workspace_bytes: 0,
            used: 0,
            launches: Vec::new(),
        };
        let mut entries = Vec::new();
        for segments in &self.program.entries {
            lowering.entry(segments)?;
            entries.push(Entry::new(std::mem::take(&mut lowering.launches)));
        }
        let bytes = lowering.workspace_bytes;
        self.entries = entries;
        Ok(bytes)
    }
}

impl Executable for Machine {
    fn program(&self) -> &Program {
        &self.program
    }

    fn set_rows(&mut self, space: RowSpace, rows: usize) -> Result<(), BackendError> {
        check_rows(&self.program, space, rows)?;
        let before = std::mem::replace(&mut self.active[space.0], rows);
        if before != rows
            && let Err(error) = self.lower()
        {
            // The launches are still those for the rows before.
            self.active[space.0] = before;
            return Err(error.into());
        }
        Ok(())
    }

    fn rows(&self, space: RowSpace) -> usize {
        self.active[space.0]
    }

    fn write(&mut self, buffer: BufferId, values: &[f64]) -> Result<(), BackendError> {
        check_access(&self.program, &self.active, buffer, values.len(), false)?;
        let memory = &self.buffers[buffer.0];
        if self.program.buffer(buffer).element == Element::Wide {
            memory.write(values)?;
        } else {
            let rounded: Vec<f32> = values.iter().map(|&value| value as f32).collect();
            memory.write(&rounded)?;
        }
        Ok(())
    }

    fn write_index(&mut self, buffer: BufferId, values: &[u32]) -> Result<(), BackendError> {
        check_access(&self.program, &self.active, buffer, values.len(), true)?;
        check_indices(&self.program, buffer, values)?;
        self.buffers[buffer.0].write(values)?;
        Ok(())
    }

    fn read(&self, buffer: BufferId, values: &mut [f64]) -> Result<(), BackendError> {
        check_access(&self.program, &self.active, buffer, values.len(), false)?;
        let memory = &self.buffers[buffer.0];
        if self.program.buffer(buffer).element == Element::Wide {
            values.copy_from_slice(&memory.read::<f64>(values.len())?);
        } else {
            let got = memory.read::<f32>(values.len())?;
            values
                .iter_mut()
                .zip(got)
                .for_each(|(value, got)| *value = f64::from(got));
        }
        Ok(())
    }

    fn read_index(&self, buffer: BufferId, values: &mut [u32]) -> Result<(), BackendError> {
        check_access(&self.program, &self.active, buffer, values.len(), true)?;
        values.copy_from_slice(&self.buffers[buffer.0].read::<u32>(values.len())?);
        Ok(())
    }

    fn run(&mut self, entry: EntryId, step: Step) -> Result<(), BackendError> {
        let Some(entry) = self.entries.get_mut(entry.0) else {
            return Err(BackendError::UnknownEntry { id: entry.0 });
        };
        // SAFETY: `lower` wrote the parameters for these buffers, whose sizes are the program's at full capacity, and for the
        // rows now active; index buffers hold checked indices; buffers and kernels live as long as the machine, and memory is
        // freed by a call that waits for the kernels.
        unsafe { entry.run(&self.context, step) }?;
        Ok(())
    }
}
