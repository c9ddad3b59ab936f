//! Which lists of a tile share one list of indices: four at a time, with as many indices in common as can be found.
//!
//! Lists in a group are as long as their union, so a good group has lists that are alike. Greedily: the longest list that is
//! left begins a group, and three times the list joins it that brings few new indices and is long itself, by the least
//! `2 (new indices) - (length)`. Pictures are alike when they show the same digit, columns when they are neighbours.

use super::super::isa::Isa;
use super::super::math::vectorize;

/// Lists in a group.
pub(super) const GROUP: usize = 4;

/// Sets of indices, one for each list.
pub(super) struct Sets {
    /// Words per set.
    words: usize,
    bits: Vec<u64>,
}

impl Sets {
    /// `count` empty sets of indices below `length`.
    pub fn new(count: usize, length: usize) -> Sets {
        let words = length.div_ceil(64).max(1);
        Sets {
            words,
            bits: vec![0; count * words],
        }
    }

    pub fn insert(&mut self, list: usize, index: usize) {
        self.bits[list * self.words + index / 64] |= 1 << (index % 64);
    }

    fn of(&self, list: usize) -> &[u64] {
        &self.bits[list * self.words..][..self.words]
    }

    /// The union of some sets, in increasing order.
    pub fn union(&self, lists: &[u16]) -> Vec<usize> {
        let mut union = vec![0; self.words];
        for &list in lists {
            join(&mut union, self.of(usize::from(list)));
        }
        let indices = |(w, &word): (usize, &u64)| (0..64).filter(move |b| word >> b & 1 == 1).map(move |b| w * 64 + b);
        union.iter().enumerate().flat_map(indices).collect()
    }

    /// All lists, group after group; fewer in the last group if need be.
    pub fn groups(&self, isa: Isa) -> Vec<u16> {
        vectorize(
            isa,
            #[inline(always)]
            || self.greedy(),
        )
    }

    #[inline(always)]
    fn greedy(&self) -> Vec<u16> {
        let lengths: Vec<i32> = self
            .bits
            .chunks_exact(self.words)
            .map(|set| set.iter().map(ones).sum())
            .collect();
        let mut left: Vec<u16> = (0..lengths.len() as u16).collect();
        let mut order = Vec::with_capacity(left.len());
        let mut union = vec![0; self.words];
        while !left.is_empty() {
            if order.len() % GROUP == 0 {
                union.fill(0);
            }
            // Of an empty union every index is new: the first one is the longest.
            let sign = if order.len() % GROUP == 0 { -1 } else { 1 };
            let price = |&list: &u16| {
                let list = usize::from(list);
                let new: i32 = union.iter().zip(self.of(list)).map(|(u, s)| ones(&(s & !u))).sum();
                sign * (2 * new - lengths[list])
            };
            let next = (0..left.len()).min_by_key(|&n| price(&left[n])).unwrap_or(0);
            // In their order, so that the first of equals is the first list.
            let list = left.remove(next);
            join(&mut union, self.of(usize::from(list)));
            order.push(list);
        }
        order
    }
}

#[inline(always)]
fn ones(word: &u64) -> i32 {
    word.count_ones() as i32
}

fn join(union: &mut [u64], set: &[u64]) {
    union.iter_mut().zip(set).for_each(|(u, s)| *u |= s);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(lists: &[&[usize]]) -> Sets {
        let mut sets = Sets::new(lists.len(), 130);
        for (list, indices) in lists.iter().enumerate() {
            indices.iter().for_each(|&index| sets.insert(list, index));
        }
        sets
    }

    /// Two kinds of lists, in turn, and one that is like neither.
    #[test]
    fn lists_that_are_alike_come_together() {
        let (a, b): (&[usize], &[usize]) = (&[0, 1, 2, 128], &[64, 65, 66]);
        let sets = sets(&[b, a, b, &[7], a, &a[..3], b, &a[1..], &b[1..]]);
        let order = sets.groups(Isa::detect());
        assert_eq!(order, [1, 4, 5, 7, 0, 2, 6, 8, 3]);
        assert_eq!(sets.union(&order[..4]), a);
        assert_eq!(sets.union(&order[4..8]), b);
        assert_eq!(sets.union(&order[8..]), [7]);
        assert!(sets.union(&[]).is_empty());
    }

    #[test]
    fn every_list_is_in_one_group() {
        let lists: Vec<Vec<usize>> = (0..57)
            .map(|l| (0..130).filter(|i| (l * i) % 7 == l % 5).collect())
            .collect();
        let lists: Vec<&[usize]> = lists.iter().map(Vec::as_slice).collect();
        let sets = sets(&lists);
        let mut all = sets.groups(Isa::Portable);
        assert!(Isa::available().iter().all(|&isa| sets.groups(isa) == all));
        all.sort_unstable();
        assert!(all.into_iter().eq(0..57));
    }
}
