//! Who meets whom when: pairs of blocks in rounds, no block twice in a round.
//!
//! A task may then add to what belongs to either of its blocks: nobody else touches it in this round, and what is added
//! to a block comes in the order of the rounds, whatever the threads do. Blocks of one set meet as in a round-robin
//! tournament (the circle method); those of two sets in cyclic shifts.

use std::ops::Range;

use super::super::pool::Pool;

/// Most positions of a block: its panels of 784 numbers stay in a second-level cache of 1 MB.
pub(super) const BLOCK: usize = 256;

/// Fewest: a task should be longer than what it costs to hand it out.
const SMALLEST: usize = 128;

/// Blocks into which small sets are cut, so that threads share them.
const FEW: usize = 16;

/// How two packed sets meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meeting {
    /// A set with itself: each unordered pair once, for both its points.
    Itself,
    /// Two parts of a set: all pairs, each for both its points.
    Parts,
    /// Two sets: all pairs.
    Sets,
}

/// Panels cut into blocks of equal size.
#[derive(Clone, Copy)]
pub(super) struct Blocks {
    panels: usize,
    size: usize,
}

impl Blocks {
    pub(super) fn new(panels: usize, width: usize) -> Blocks {
        let size = panels.div_ceil(FEW).clamp(SMALLEST / width, BLOCK / width);
        Blocks { panels, size }
    }

    pub(super) fn count(self) -> usize {
        self.panels.div_ceil(self.size)
    }

    pub(super) fn panels(self, block: usize) -> Range<usize> {
        block * self.size..((block + 1) * self.size).min(self.panels)
    }
}

/// Calls `task(worker, first block, second block)` for every pair of blocks that must meet.
pub(super) fn meet(
    pool: &Pool,
    meeting: Meeting,
    rows: usize,
    columns: usize,
    task: &(dyn Fn(usize, usize, usize) + Sync),
) {
    if meeting == Meeting::Itself {
        pool.run(rows, &|worker, block| task(worker, block, block));
        let even = rows.next_multiple_of(2);
        for round in 0..even.saturating_sub(1) {
            pool.run(even / 2, &|worker, slot| {
                let (a, b) = circle(even, round, slot);
                let (first, second) = (a.min(b), a.max(b));
                if second < rows {
                    task(worker, first, second);
                }
            });
        }
        return;
    }
    let (fewer, more) = (rows.min(columns), rows.max(columns));
    for round in 0..more {
        pool.run(fewer, &|worker, slot| {
            let shifted = (slot + round) % more;
            if rows <= columns {
                task(worker, slot, shifted);
            } else {
                task(worker, shifted, slot);
            }
        });
    }
}

/// The pair that meets in a slot of a round among an even number of players: one stays, the others go round.
fn circle(players: usize, round: usize, slot: usize) -> (usize, usize) {
    let ring = players - 1;
    if slot == 0 {
        (ring, round)
    } else {
        ((round + slot) % ring, (round + ring - slot) % ring)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_pair_meets_once_and_nobody_twice_in_a_round() {
        for players in (2..=20).step_by(2) {
            let mut met = HashSet::new();
            for round in 0..players - 1 {
                let mut busy = HashSet::new();
                for slot in 0..players / 2 {
                    let (a, b) = circle(players, round, slot);
                    assert!(a != b && busy.insert(a) && busy.insert(b));
                    assert!(met.insert((a.min(b), a.max(b))));
                }
            }
            assert_eq!(met.len(), players * (players - 1) / 2);
        }
    }

    #[test]
    fn blocks_meet_as_asked() {
        let pool = Pool::new(2).unwrap();
        for (rows, columns) in [(1, 1), (1, 5), (5, 1), (3, 4), (7, 7)] {
            for meeting in [Meeting::Itself, Meeting::Parts, Meeting::Sets] {
                let met = std::sync::Mutex::new(Vec::new());
                let columns = if meeting == Meeting::Itself { rows } else { columns };
                meet(&pool, meeting, rows, columns, &|_, a, b| {
                    met.lock().unwrap().push((a, b))
                });
                let mut met = met.into_inner().unwrap();
                met.sort_unstable();
                let all = (0..rows).flat_map(|a| (0..columns).map(move |b| (a, b)));
                let expected: Vec<_> = all.filter(|(a, b)| meeting != Meeting::Itself || a <= b).collect();
                assert_eq!(met, expected);
            }
        }
    }
}
