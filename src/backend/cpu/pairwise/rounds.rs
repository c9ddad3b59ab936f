//! Who meets whom when: pairs of blocks in rounds, no block twice in a round.
//!
//! A task may then add to what belongs to either of its blocks: nobody else touches it in this round, and what is added
//! to a block comes in the order of the rounds, whatever the threads do. Blocks of one set meet as in a round-robin
//! tournament (the circle method); those of two sets in cyclic shifts.
//!
//! Nobody waits for the end of a round. Tasks are handed out in the order of the rounds, and one begins when both its blocks are
//! through with their earlier tasks, which are done or on the way: mostly they are.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::pool::Pool;

/// Most positions of a block: its panels of 512 numbers stay in a second-level cache of 1 MB. Whole panels of every width.
pub(super) const BLOCK: usize = 384;

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
    let first = Progress::new(rows);
    if meeting == Meeting::Itself {
        let even = rows.next_multiple_of(2);
        pool.run(rows + even.saturating_sub(1) * (even / 2), &|worker, t| {
            let Some(paired) = t.checked_sub(rows) else {
                let _turn = first.turn(t, 0);
                return task(worker, t, t);
            };
            let round = paired / (even / 2);
            let (a, b) = circle(even, round, paired % (even / 2));
            let (a, b) = (a.min(b), a.max(b));
            let _turn = first.turn(a, round + 1);
            if b < rows {
                let _turn = first.turn(b, round + 1);
                task(worker, a, b);
            }
        });
        return;
    }
    let second = Progress::new(columns);
    let (fewer, more) = (rows.min(columns), rows.max(columns));
    pool.run(fewer * more, &|worker, t| {
        let (round, slot) = (t / fewer, t % fewer);
        let shifted = (slot + round) % more;
        let earlier = rounds_before(fewer, more, round, slot);
        let (a, b, of_a, of_b) = if rows <= columns {
            (slot, shifted, round, earlier)
        } else {
            (shifted, slot, earlier, round)
        };
        let (_turn, _other) = (first.turn(a, of_a), second.turn(b, of_b));
        task(worker, a, b);
    });
}

/// In how many earlier rounds a block of the larger set was in a slot, if it is in `slot` now. From round to round it moves to the
/// slot before; as many of `more` slots as there are blocks in the smaller set are played.
fn rounds_before(fewer: usize, more: usize, round: usize, slot: usize) -> usize {
    // Since it came to the last slot that is played, and before it went round.
    round.min(fewer - 1 - slot) + (slot + round + 1).saturating_sub(more).min(fewer)
}

/// So often a block's progress is looked at before another thread may have the processor.
const LOOKS: u32 = 1000;

/// How many tasks of each block are done.
struct Progress(Vec<AtomicUsize>);

/// A block's turn: over when it is dropped, also by a panic, so that nobody waits in vain.
struct Turn<'a>(&'a AtomicUsize);

impl Progress {
    fn new(blocks: usize) -> Progress {
        Progress((0..blocks).map(|_| AtomicUsize::new(0)).collect())
    }

    /// Waits until a block has done its `earlier` tasks, and sees what they wrote.
    fn turn(&self, block: usize, earlier: usize) -> Turn<'_> {
        let done = &self.0[block];
        let mut looks = 0;
        while done.load(Ordering::Acquire) < earlier {
            looks += 1;
            if looks % LOOKS == 0 {
                // There may be more threads than processors.
                std::thread::yield_now();
            }
            std::hint::spin_loop();
        }
        Turn(done)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Release);
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

    #[test]
    fn a_block_has_one_task_at_a_time_in_the_order_of_its_rounds() {
        use std::sync::Mutex;
        let pool = Pool::new(3).unwrap();
        for (rows, columns) in [(1, 1), (1, 7), (7, 1), (3, 4), (5, 3), (8, 8), (13, 6), (9, 9)] {
            for meeting in [Meeting::Itself, Meeting::Parts] {
                let columns = if meeting == Meeting::Itself { rows } else { columns };
                // What each block meets, by side; a lock that is taken says that two tasks have it.
                let lists = |blocks: usize| (0..blocks).map(|_| Mutex::new(vec![])).collect::<Vec<_>>();
                let partners = |pool: &Pool| {
                    let sides = [lists(rows), lists(columns)];
                    meet(pool, meeting, rows, columns, &|_, a, b| {
                        let same = meeting == Meeting::Itself;
                        let mut of_a = sides[0][a].try_lock().unwrap();
                        of_a.push(b);
                        if !(same && a == b) {
                            let side = usize::from(!same);
                            sides[side][b].try_lock().unwrap().push(a);
                        }
                        std::thread::sleep(std::time::Duration::from_micros(20));
                    });
                    sides.map(|side| {
                        side.into_iter()
                            .map(|list| list.into_inner().unwrap())
                            .collect::<Vec<_>>()
                    })
                };
                assert_eq!(
                    partners(&pool),
                    partners(&Pool::new(1).unwrap()),
                    "{rows} {columns} {meeting:?}"
                );
            }
        }
    }
}
