//! What kernels of pairs need: rows that are read anywhere, so persistent and written in an earlier segment, and not too many of them.

use super::{Case, SPACE};
use crate::backend::kernel::{Kernel, Target, Write};
use crate::backend::program::{BufferId, Domain, Element, Extent, Segment, Storage};

impl Case {
    /// Fewer rows than drawn, before there are any buffers.
    pub(in crate::verify) fn at_most(&mut self, rows: usize) {
        self.rows = self.rows.min(rows);
        self.program.spaces[SPACE.0] = self.program.spaces[SPACE.0].min(rows);
    }

    /// Real rows in persistent storage that the kernel overwrites or adds to.
    pub(in crate::verify) fn persistent_target(&mut self, cols: usize) -> Target {
        let write = self.pick(&[Write::Set, Write::Add]);
        let inputs = self.inputs;
        let buffer = self.given_rows(cols, true, |rng, n| match write {
            Write::Set => vec![f64::NAN; n],
            Write::Add => inputs.draw(rng, n, cols),
        });
        Target { buffer, write }
    }

    /// Rows of f64 that a kernel writes.
    pub(in crate::verify) fn wide_rows(&mut self, cols: usize, replicated: bool) -> BufferId {
        self.buffer(
            Element::Wide,
            replicated,
            Extent::Rows(SPACE),
            cols,
            Storage::Persistent,
        )
    }
}

/// One segment, or more where a kernel reads at any row what one before it wrote.
pub(super) fn segments(domain: Domain, kernels: Vec<Kernel>) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    for kernel in kernels {
        let tables = kernel.operands().tables;
        let written = |earlier: &Kernel| earlier.operands().writes.iter().any(|w| tables.contains(&w.buffer));
        match segments.last_mut() {
            Some(last) if !last.kernels.iter().any(written) => last.kernels.push(kernel),
            _ => segments.push(Segment {
                domain,
                kernels: vec![kernel],
            }),
        }
    }
    segments
}
