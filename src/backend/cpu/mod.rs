//! The CPU backend: f32, row tiles, threads.
//!
//! A row segment runs tile by tile: all its kernels on rows [a, b), then the next tile, so that a tile of the data stays
//! in cache from the forward pass to the gradients. Tiles are grouped into *lanes*, contiguous and fixed by the number of
//! rows alone; a lane sums what it reduces over its rows, lanes are summed pairwise in a fixed tree, threads take whole
//! lanes. So no bit depends on the number of threads, nor on how many replicas run side by side.
//!
//! Wide layers and small batches run kernel by kernel on blocks of rows instead (`blocks.rs`).
//!
//! One file per group of kernels, on slices; `machine.rs` is the loop around them, `dispatch.rs` calls them, `tile.rs` finds
//! their operands, `sums.rs` adds up the lanes.
//!
//! ```
//! use disentangle::backend::cpu::{BLOCK_ROWS, MAX_LANES, TILE_ROWS, is_wide};
//!
//! // 60,000 rows are 235 tiles, so more than there are lanes; 1,000 rows are four tiles, each a lane.
//! assert_eq!(60_000usize.div_ceil(TILE_ROWS), 235);
//! assert_eq!(60_000usize.div_ceil(TILE_ROWS).min(MAX_LANES), 16);
//! assert_eq!(1_000usize.div_ceil(TILE_ROWS).min(MAX_LANES), 4);
//! // A wide layer sees a block at a time: each lane a tile of it.
//! assert!(is_wide(784, 512) && !is_wide(784, 20));
//! assert_eq!(BLOCK_ROWS, 16 * 256);
//! ```

mod blocks;
mod dense;
mod dispatch;
mod elementwise;
pub mod gemm;
pub mod isa;
mod loss;
mod machine;
pub mod math;
mod optimizer;
mod order;
#[cfg(feature = "pairwise")]
mod pairwise;
pub mod peak;
pub mod pool;
mod probe;
mod products;
mod rows;
#[cfg_attr(not(feature = "pairwise"), allow(dead_code, reason = "what only pairs need"))]
mod simd;
mod skinny;
mod slab;
mod soft_nearest_neighbor;
mod sparse;
mod sums;
mod tile;

use std::sync::Arc;

use super::kernel::Kernel;
use super::program::Program;
use super::{Backend, BackendError, Executable, Pairwise, check_sizes};
pub use blocks::{BLOCK_ROWS, is_wide};
use isa::Isa;
pub use machine::{MAX_LANES, TILE_ROWS};
#[cfg(feature = "pairwise")]
pub use pairwise::{GRADIENT_ROUNDINGS, SUM_ROUNDINGS};
use pool::Pool;
#[cfg(feature = "verify")]
pub(crate) use simd::EXP2_ULP;

/// The f32 backend. Its programs share one thread pool.
///
/// ```
/// use disentangle::autograd::{Entry, Graph, Plan};
/// use disentangle::backend::{Cpu, EntryId};
///
/// // tanh of 1000 rows of zeros on two threads: four tiles of at most 256 rows, each a task.
/// let cpu = Cpu::new(2)?.skip_zeros(false);
/// assert!(cpu.isa().is_available());
/// assert_eq!(cpu.tasks_done(), [0, 0]);
/// let mut graph = Graph::new(1)?;
/// let rows = graph.rows(1000)?;
/// let x = graph.input("x", rows, 1, false)?;
/// let y = graph.tanh(x)?;
/// let mut session = Plan::new(&graph, &[Entry { outputs: vec![y], training: None }])?.start(&cpu)?;
/// session.evaluate(EntryId(0))?;
/// assert_eq!(session.read(y)?, [0.0; 1000]);
/// assert_eq!(cpu.tasks_done().iter().sum::<u64>(), 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Cpu {
    isa: Isa,
    pool: Arc<Pool>,
    skip_zeros: bool,
}

impl Cpu {
    /// A backend with `threads` threads (the caller's is one of them) and the best instruction set of this processor, or
    /// the one that `DISENTANGLE_ISA` names.
    ///
    /// # Errors
    /// [`BackendError::Isa`], [`BackendError::Threads`].
    pub fn new(threads: usize) -> Result<Cpu, BackendError> {
        let isa = Isa::from_environment().map_err(BackendError::Isa)?;
        let pool = Arc::new(Pool::new(threads).map_err(|e| BackendError::Threads { reason: e.to_string() })?);
        Ok(Cpu {
            isa,
            pool,
            skip_zeros: true,
        })
    }

    /// Whether dense layers may skip the commonest number of each column of their samples (the default), as they do where
    /// it pays. Without it they read every number; results then differ by roundings.
    pub fn skip_zeros(self, skip_zeros: bool) -> Cpu {
        Cpu { skip_zeros, ..self }
    }

    /// The instruction set in use.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Tasks each thread has done so far, the caller's first: the proof that several worked.
    pub fn tasks_done(&self) -> Vec<u64> {
        self.pool.tasks_done()
    }
}

impl Backend for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn load(&self, program: Program) -> Result<Box<dyn Executable>, BackendError> {
        check_sizes(&program)?;
        let of_pairs = |kernel: &Kernel| {
            matches!(
                kernel,
                Kernel::SoftNearestNeighbor { .. } | Kernel::SoftNearestNeighborGrad { .. }
            )
        };
        let mut kernels = program.entries.iter().flatten().flat_map(|segment| &segment.kernels);
        if !cfg!(feature = "soft-nearest-neighbor") && kernels.any(of_pairs) {
            return Err(BackendError::Feature {
                what: "the soft nearest neighbour loss",
                feature: "soft-nearest-neighbor",
            });
        }
        Ok(Box::new(machine::Machine::new(
            program,
            self.isa,
            self.pool.clone(),
            self.skip_zeros,
        )?))
    }

    #[cfg(feature = "pairwise")]
    fn pairs(&self) -> &dyn Pairwise {
        self
    }

    /// The kernels take a third of the core's build: without the feature the reference reduces pairs.
    #[cfg(not(feature = "pairwise"))]
    fn pairs(&self) -> &dyn Pairwise {
        &super::Reference
    }
}
