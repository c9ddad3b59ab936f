//! A launch, written down once and replayed: the kernel, its grid, its parameters, and which of them a step changes.

use cudarc::driver::result::DriverError;
use cudarc::driver::sys::CUDA_KERNEL_NODE_PARAMS;

use super::driver::{self, Context, Function, MOST_PARAMETERS};
use super::error::CudaError;
use crate::backend::Step;

/// Threads of a block where a kernel does not ask for fewer.
pub(super) const THREADS: u32 = 256;

/// Blocks at most of a loop over elements: enough for every device, and small beside what a launch may have.
const MOST_BLOCKS: u64 = 1 << 20;

/// What of the parameters the step decides.
#[derive(Clone, Copy, Debug)]
pub(super) enum Changes {
    /// Nothing.
    Nothing,
    /// The parameter of that number is the learning rate.
    Rate(usize),
    /// Adam's: the learning rate, then 1 - b1^t and 1 - b2^t from the given betas.
    Adam {
        rate: usize,
        corrections: usize,
        betas: (f64, f64),
    },
}

/// See the [module](self).
pub(super) struct Launch {
    function: Function,
    blocks: u32,
    threads: u32,
    words: Vec<u64>,
    starts: Vec<usize>,
    changes: Changes,
}

impl Launch {
    /// A kernel without parameters yet, on a grid of its own.
    pub(super) fn on_grid(function: Function, blocks: u64, threads: u32) -> Result<Launch, CudaError> {
        let Some(fits) = u32::try_from(blocks).ok().filter(|&blocks| blocks <= i32::MAX as u32) else {
            return Err(CudaError::Grid {
                kernel: function.name,
                blocks,
            });
        };
        Ok(Launch {
            function,
            blocks: fits,
            threads,
            words: Vec::new(),
            starts: Vec::new(),
            changes: Changes::Nothing,
        })
    }

    /// A kernel without parameters yet, that loops over `count` elements or rows.
    pub(super) fn over(function: Function, count: u64) -> Result<Launch, CudaError> {
        Launch::on_grid(
            function,
            count.div_ceil(u64::from(THREADS)).clamp(1, MOST_BLOCKS),
            THREADS,
        )
    }

    fn word(mut self, word: u64) -> Launch {
        self.starts.push(self.words.len());
        self.words.push(word);
        self
    }

    /// A pointer, null for none.
    pub(super) fn pointer(self, address: impl Into<Option<u64>>) -> Launch {
        self.word(address.into().unwrap_or(0))
    }

    /// An unsigned number of eight bytes.
    pub(super) fn long(self, value: usize) -> Launch {
        self.word(value as u64)
    }

    /// An unsigned number of four bytes.
    pub(super) fn int(self, value: u32) -> Launch {
        self.word(u64::from(value))
    }

    /// True or false, as four bytes.
    pub(super) fn flag(self, value: bool) -> Launch {
        self.int(u32::from(value))
    }

    /// A float, from a number that is rounded to it.
    pub(super) fn float(self, value: f64) -> Launch {
        self.word(float_word(value))
    }

    /// A double.
    pub(super) fn double(self, value: f64) -> Launch {
        self.word(value.to_bits())
    }

    /// A structure.
    pub(super) fn structure(mut self, words: &[u64]) -> Launch {
        self.starts.push(self.words.len());
        self.words.extend_from_slice(words);
        self
    }

    /// Says which parameters a step changes.
    pub(super) fn changing(mut self, changes: Changes) -> Launch {
        self.changes = changes;
        self
    }

    /// Writes a step's numbers into the parameters: whether one of them is another than before.
    pub(super) fn change(&mut self, step: Step) -> bool {
        match self.changes {
            Changes::Nothing => false,
            Changes::Rate(rate) => self.set(rate, step.learning_rate),
            Changes::Adam {
                rate,
                corrections,
                betas: (beta1, beta2),
            } => {
                // In f64: 1 - beta^t cancels in the first steps.
                let t = i32::try_from(step.number).unwrap_or(i32::MAX);
                let rate = self.set(rate, step.learning_rate);
                let first = self.set(corrections, 1.0 - beta1.powi(t));
                self.set(corrections + 1, 1.0 - beta2.powi(t)) || first || rate
            }
        }
    }

    fn set(&mut self, parameter: usize, value: f64) -> bool {
        let word = &mut self.words[self.starts[parameter]];
        std::mem::replace(word, float_word(value)) != *word
    }

    /// Launches it as it is now.
    ///
    /// # Safety
    /// As [`driver::launch`].
    pub(super) unsafe fn run(&mut self, context: &Context) -> Result<(), CudaError> {
        let failed = self.failed();
        // SAFETY: the caller's promise.
        self.with_parameters(|parameters| unsafe { driver::launch(context, parameters) })
            .map_err(failed)
    }

    /// What the driver is to be told of it.
    pub(super) fn with_parameters<T>(&mut self, f: impl FnOnce(&CUDA_KERNEL_NODE_PARAMS) -> T) -> T {
        debug_assert!(self.starts.len() <= MOST_PARAMETERS);
        let grid = (self.blocks, self.threads);
        driver::with_parameters(self.function, grid, &mut self.words, &self.starts, f)
    }

    /// The error of a call for this kernel.
    pub(super) fn failed(&self) -> impl Fn(DriverError) -> CudaError + use<> {
        let kernel = self.function.name;
        move |error| CudaError::Launch {
            kernel,
            error: driver::words(error),
        }
    }
}

/// A float in the lower half of a word.
fn float_word(value: f64) -> u64 {
    u64::from((value as f32).to_bits())
}
