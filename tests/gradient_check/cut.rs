//! Whether a program may run tile by tile. The reference runs kernel by kernel over all rows, so it would not notice.

use std::collections::HashSet;

use disentangle::backend::BufferId;
use disentangle::backend::kernel::Write;
use disentangle::backend::program::{Domain, Extent, Program, Segment, Storage};

/// Asserts that every segment is complete on its own tile: no kernel of it needs what another reduces over the rows.
pub fn assert_sound(program: &Program, what: &str) {
    for segment in program.entries.iter().flatten() {
        match segment.domain {
            Domain::Rows(space) => assert_row_segment(program, segment, Extent::Rows(space), what),
            Domain::Whole => assert_whole_segment(program, segment, what),
        }
    }
}

fn assert_row_segment(program: &Program, segment: &Segment, own: Extent, what: &str) {
    let extent = |id: BufferId| program.buffer(id).extent;
    let operands: Vec<_> = segment.kernels.iter().map(|kernel| kernel.operands()).collect();
    let written_anywhere: HashSet<BufferId> = operands.iter().flat_map(|o| &o.writes).map(|w| w.buffer).collect();
    let mut written = HashSet::new();
    for operands in &operands {
        for &id in &operands.reads {
            let buffer = program.buffer(id);
            match buffer.extent {
                Extent::Whole { .. } => assert!(!written_anywhere.contains(&id), "{what}: reads unfinished {buffer:?}"),
                rows => assert_eq!(rows, own, "{what}: reads rows of another space"),
            }
            let there = buffer.storage == Storage::Persistent || written.contains(&id);
            assert!(there, "{what}: reads {buffer:?} before it is made");
        }
        for id in &operands.tables {
            let ready = program.buffer(*id).storage == Storage::Persistent && !written_anywhere.contains(id);
            assert!(ready, "{what}: gathers from {:?}", program.buffer(*id));
        }
        for target in &operands.writes {
            let whole = matches!(extent(target.buffer), Extent::Whole { .. });
            assert!(
                whole || extent(target.buffer) == own,
                "{what}: writes rows of another space"
            );
            let first = written.insert(target.buffer);
            assert!(
                first || target.write == Write::Add,
                "{what}: overwrites what the segment made"
            );
        }
    }
}

fn assert_whole_segment(program: &Program, segment: &Segment, what: &str) {
    for kernel in &segment.kernels {
        let operands = kernel.operands();
        let all = operands.reads.iter().chain(&operands.tables).copied();
        for id in all.chain(operands.writes.iter().map(|w| w.buffer)) {
            let whole = matches!(program.buffer(id).extent, Extent::Whole { .. });
            assert!(whole, "{what}: {kernel:?} runs once but has rows");
        }
    }
}
