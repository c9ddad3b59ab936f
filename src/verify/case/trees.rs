//! The longest chains of roundings in the trees by which the CPU sums over rows (`backend/cpu/machine.rs`, `blocks.rs`). CUDA has the
//! same trees; another backend's chains may be shorter.

use super::{Case, SPACE};
use crate::backend::cpu::{MAX_LANES, TILE_ROWS};
use crate::backend::kernel::Kernel;
use crate::backend::program::{Buffer, BufferId, Domain, Element, Extent, Segment, Storage};

/// Rows of a block.
const BLOCK_ROWS: usize = TILE_ROWS * MAX_LANES;

impl Case {
    /// Roundings of a sum over the rows after those inside a tile: the tiles of a lane, and the tree over the lanes.
    pub(in crate::verify) fn lane_chain(&self) -> usize {
        let tiles = self.rows.div_ceil(TILE_ROWS);
        let (each, lanes) = if self.in_blocks() {
            (self.rows.div_ceil(BLOCK_ROWS), MAX_LANES)
        } else {
            let lanes = tiles.min(MAX_LANES);
            (tiles.div_ceil(lanes), lanes)
        };
        each + lanes.next_power_of_two().ilog2() as usize
    }

    /// Rows of the largest tile.
    pub(in crate::verify) fn tile_rows(&self) -> usize {
        self.rows.min(TILE_ROWS)
    }

    /// Whether it runs on blocks of rows: a wide layer, or room for few rows.
    fn in_blocks(&self) -> bool {
        self.wide || self.program.spaces[SPACE.0] <= TILE_ROWS
    }

    /// Rows that one product sums over.
    pub(in crate::verify) fn product_rows(&self) -> usize {
        self.rows.min(if self.in_blocks() { BLOCK_ROWS } else { TILE_ROWS })
    }
}

/// An entry that is never run: a layer of 256 units on 256 inputs.
pub(super) fn wide_layer(buffers: &mut Vec<Buffer>) -> Segment {
    let mut buffer = |extent, storage| {
        buffers.push(Buffer {
            name: "wide layer".to_string(),
            element: Element::Real,
            replicated: false,
            extent,
            cols: 256,
            storage,
            lasting: false,
        });
        BufferId(buffers.len() - 1)
    };
    let kernel = Kernel::Dense {
        x: buffer(Extent::Rows(SPACE), Storage::Tile),
        weight: buffer(Extent::Whole { rows: 256 }, Storage::Persistent),
        bias: None,
        y: buffer(Extent::Rows(SPACE), Storage::Tile),
    };
    Segment {
        domain: Domain::Rows(SPACE),
        kernels: vec![kernel],
    }
}
