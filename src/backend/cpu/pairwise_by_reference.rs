//! The pairwise reductions without the feature `pairwise`: what the reference computes, in f64 and on one thread. The kernels
//! take a third of the core's build.

use super::Cpu;
use crate::backend::Reference;
use crate::backend::pairwise::delegate_pairs;

impl Cpu {
    fn pairs(&self) -> &Reference {
        &Reference
    }
}

delegate_pairs!(Cpu);
