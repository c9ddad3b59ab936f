//! Cutting a list of kernels into segments.
//!
//! Greedy and in order: first every whole kernel that is ready (they are small), then one row segment with every kernel
//! of one row space that is ready or becomes ready inside it, and so on. A kernel is ready when what it reads is there and
//! what it overwrites is no longer needed. Inside a row segment a row buffer is there as soon as its kernel has run on
//! the tile; what is reduced over rows is there only when the segment has ended.
//!
//! So a loss whose gradient is known beforehand (a mean, a sum of scaled losses) gives one row segment from the data to
//! the gradients, and one that is not (a function of a sum over rows) falls apart into forward and backward by itself.

use crate::backend::kernel::{Kernel, Operands, Write};
use crate::backend::program::{BufferId, Domain, Extent, Program, Segment};

/// How kernel `later` depends on kernel `earlier`, which comes before it in the list.
#[derive(Clone, Copy, PartialEq)]
enum Dependence {
    None,
    /// May run after it on the same tile.
    Tile,
    /// Must wait for the end of its segment.
    Segment,
}

fn dependence(program: &Program, earlier: &Operands, later: &Operands) -> Dependence {
    let is_row = |id: BufferId| matches!(program.buffer(id).extent, Extent::Rows(_));
    let mut strongest = Dependence::None;
    let mut meet = |tile_is_enough: bool| {
        if !tile_is_enough {
            strongest = Dependence::Segment;
        } else if strongest == Dependence::None {
            strongest = Dependence::Tile;
        }
    };
    for write in &earlier.writes {
        if later.reads.contains(&write.buffer) {
            meet(is_row(write.buffer));
        }
        if later.tables.contains(&write.buffer) {
            meet(false);
        }
        for again in later.writes.iter().filter(|w| w.buffer == write.buffer) {
            // Two reductions into one buffer share its partial sums if the second adds to the first.
            meet(is_row(write.buffer) || again.write == Write::Add);
        }
    }
    for write in &later.writes {
        if earlier.reads.contains(&write.buffer) {
            meet(is_row(write.buffer));
        }
        if earlier.tables.contains(&write.buffer) {
            meet(false);
        }
    }
    strongest
}

/// Cuts `kernels` into segments that may run one after the other.
pub(crate) fn schedule(program: &Program, kernels: &[Kernel]) -> Vec<Segment> {
    let operands: Vec<Operands> = kernels.iter().map(Kernel::operands).collect();
    let domains: Vec<Domain> = kernels.iter().map(|kernel| kernel.domain(program)).collect();
    let mut done = vec![false; kernels.len()];
    let mut segments = Vec::new();
    while let Some(first) = done.iter().position(|d| !d) {
        let whole = collect(program, &operands, &domains, &done, Domain::Whole);
        let (domain, members) = if whole.is_empty() {
            // The earliest kernel left has all it needs, so its row segment is not empty.
            (
                domains[first],
                row_segment(program, &operands, &domains, &done, domains[first]),
            )
        } else {
            (Domain::Whole, whole)
        };
        for &member in &members {
            done[member] = true;
        }
        segments.push(Segment {
            domain,
            kernels: members.iter().map(|&n| kernels[n].clone()).collect(),
        });
    }
    segments
}

/// The next row segment: all kernels that can run now, or first the reductions of what is already there (the sum of the
/// sample weights), if with them done the segment that follows reaches further.
fn row_segment(
    program: &Program,
    operands: &[Operands],
    domains: &[Domain],
    done: &[bool],
    domain: Domain,
) -> Vec<usize> {
    let members = collect(program, operands, domains, done, domain);
    let on = |earlier: usize, later: usize| dependence(program, &operands[earlier], &operands[later]);
    let awaited = |m: usize| (m + 1..operands.len()).any(|n| domains[n] == domain && on(m, n) == Dependence::Segment);
    let alone = |m: usize| {
        members
            .iter()
            .take_while(|&&e| e < m)
            .all(|&e| on(e, m) == Dependence::None)
    };
    let first: Vec<usize> = members.iter().copied().filter(|&m| alone(m) && awaited(m)).collect();
    let mut then = done.to_vec();
    for &reduction in &first {
        then[reduction] = true;
    }
    if first.len() + collect(program, operands, domains, &then, domain).len() > members.len() {
        first
    } else {
        members
    }
}

/// The kernels of a domain that can run now, together, in their order.
fn collect(program: &Program, operands: &[Operands], domains: &[Domain], done: &[bool], domain: Domain) -> Vec<usize> {
    let mut members: Vec<usize> = Vec::new();
    for n in 0..operands.len() {
        if done[n] || domains[n] != domain {
            continue;
        }
        let ready = (0..n)
            .filter(|&e| !done[e])
            .all(|e| match dependence(program, &operands[e], &operands[n]) {
                Dependence::None => true,
                Dependence::Tile => members.contains(&e),
                Dependence::Segment => members.contains(&e) && domain == Domain::Whole,
            });
        if ready {
            members.push(n);
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::kernel::{Divisor, Target, Unary};
    use crate::backend::program::{Buffer, Element, RowSpace, Storage};

    fn program(extents: &[Extent]) -> Program {
        let buffer = |extent| Buffer {
            lasting: false,
            name: String::new(),
            element: Element::Real,
            replicated: true,
            extent,
            cols: 1,
            storage: Storage::Persistent,
        };
        Program {
            replicas: 1,
            spaces: vec![8],
            buffers: extents.iter().map(|&e| buffer(e)).collect(),
            entries: vec![],
        }
    }

    const ROWS: Extent = Extent::Rows(RowSpace(0));
    const SCALAR: Extent = Extent::Whole { rows: 1 };

    fn sum(x: usize, y: usize) -> Kernel {
        Kernel::RowSum {
            x: BufferId(x),
            weights: None,
            divisor: Divisor::Rows,
            y: BufferId(y),
        }
    }

    fn spread(dy: usize, dx: usize) -> Kernel {
        let dx = Target {
            buffer: BufferId(dx),
            write: Write::Set,
        };
        Kernel::RowSumGrad {
            dy: BufferId(dy),
            weights: None,
            divisor: Divisor::Rows,
            dx,
        }
    }

    #[test]
    fn a_seed_known_beforehand_gives_one_row_segment() {
        // loss = mean(x); its gradient is a constant, so forward and backward share the segment.
        let program = program(&[ROWS, SCALAR, SCALAR, ROWS]);
        let kernels = vec![
            sum(0, 1),
            Kernel::Fill {
                y: BufferId(2),
                value: 1.0,
            },
            spread(2, 3),
        ];
        let segments = schedule(&program, &kernels);
        let expected = vec![
            Segment {
                domain: Domain::Whole,
                kernels: vec![kernels[1].clone()],
            },
            Segment {
                domain: Domain::Rows(RowSpace(0)),
                kernels: vec![kernels[0].clone(), kernels[2].clone()],
            },
        ];
        assert_eq!(segments, expected);
    }

    #[test]
    fn a_function_of_a_row_sum_cuts_forward_from_backward() {
        // loss = tanh(mean(x)): the gradient of the mean needs the mean of all rows.
        let program = program(&[ROWS, SCALAR, SCALAR, SCALAR, SCALAR, ROWS]);
        let (x, y, dy) = (BufferId(1), BufferId(2), BufferId(3));
        let dx = Target {
            buffer: BufferId(4),
            write: Write::Set,
        };
        let kernels = vec![
            sum(0, 1),
            Kernel::Unary {
                function: Unary::Tanh,
                x,
                y,
            },
            Kernel::Fill { y: dy, value: 1.0 },
            Kernel::UnaryGrad {
                function: Unary::Tanh,
                x,
                y,
                dy,
                dx,
            },
            spread(4, 5),
        ];
        let domains: Vec<Domain> = schedule(&program, &kernels).iter().map(|s| s.domain).collect();
        let rows = Domain::Rows(RowSpace(0));
        assert_eq!(domains, vec![Domain::Whole, rows, Domain::Whole, rows]);
    }

    #[test]
    fn two_reductions_into_one_number_share_a_segment_if_the_second_adds() {
        // The gradient of a weight that two layers have.
        let program = program(&[ROWS, ROWS, SCALAR]);
        let reduce = |dy: usize, write: Write| Kernel::DenseWeightGrad {
            dy: BufferId(dy),
            x: BufferId(0),
            dweight: Some(Target {
                buffer: BufferId(2),
                write,
            }),
            dbias: None,
        };
        for (second, segments) in [(Write::Add, 1), (Write::Set, 2)] {
            let kernels = [reduce(0, Write::Set), reduce(1, second)];
            assert_eq!(schedule(&program, &kernels).len(), segments, "{second:?}");
        }
    }

    #[test]
    fn an_update_waits_for_the_readers_of_its_parameter() {
        // w is read by the row segment that also makes its gradient; the update may not overtake it.
        let program = program(&[ROWS, Extent::Whole { rows: 1 }, ROWS, Extent::Whole { rows: 1 }]);
        let (x, w, y, dw) = (BufferId(0), BufferId(1), BufferId(2), BufferId(3));
        let target = Target {
            buffer: dw,
            write: Write::Set,
        };
        let rule = crate::backend::kernel::UpdateRule::Sgd {
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
        };
        let kernels = vec![
            Kernel::Dense {
                x,
                weight: w,
                bias: None,
                y,
            },
            Kernel::DenseWeightGrad {
                dy: y,
                x,
                dweight: Some(target),
                dbias: None,
            },
            Kernel::Update {
                rule,
                parameter: w,
                gradient: dw,
                states: vec![],
            },
        ];
        let segments = schedule(&program, &kernels);
        assert_eq!(segments.len(), 2);
        assert_eq!(segments[0].kernels.len(), 2);
        assert!(matches!(segments[1].kernels[0], Kernel::Update { .. }));
    }
}
