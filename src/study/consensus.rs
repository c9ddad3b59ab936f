//! Which stragglers the replicas agree on.
//!
//! For replicas a and b with K_a and K_b stragglers, C of them in common, the overlap is 2 C / (K_a + K_b): 1 for the same
//! set, 0 for disjoint ones (the Dice coefficient). Sets drawn at random from N samples have C = K_a K_b / N on average.

use std::collections::{BTreeMap, BTreeSet};

use super::outcome::{InversionOutcome, ReplicaOutcome, Straggler};

/// A sample that is a straggler of at least one replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Which sample.
    pub straggler: Straggler,
    /// Of how many replicas.
    pub replicas: usize,
}

/// How alike the stragglers of two replicas are, averaged over the pairs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlap {
    /// Mean of 2 C / (K_a + K_b).
    pub mean: f64,
    /// The mean of it that random sets of the same sizes have.
    pub by_chance: f64,
    /// Pairs of replicas that have a stop and, together, at least one straggler.
    pub pairs: usize,
}

/// All stragglers, those of the most replicas first, then by row in the training file.
pub fn agreed(outcome: &InversionOutcome) -> Vec<Agreed> {
    let mut found: BTreeMap<usize, Agreed> = BTreeMap::new();
    for stop in outcome.replicas.iter().filter_map(|replica| replica.stop.as_ref()) {
        for &straggler in &stop.stragglers {
            let fresh = Agreed { straggler, replicas: 0 };
            found.entry(straggler.sample_index).or_insert(fresh).replicas += 1;
        }
    }
    let mut all: Vec<Agreed> = found.into_values().collect();
    // Stable: rows stay in order.
    all.sort_by_key(|agreed| std::cmp::Reverse(agreed.replicas));
    all
}

/// The mean overlap of the replicas that have a stop, out of `samples` training samples; `None` without a pair.
pub fn overlap(outcome: &InversionOutcome, samples: usize) -> Option<Overlap> {
    let rows = |replica: &ReplicaOutcome| {
        let stop = replica.stop.as_ref()?;
        Some(
            stop.stragglers
                .iter()
                .map(|s| s.sample_index)
                .collect::<BTreeSet<usize>>(),
        )
    };
    let sets: Vec<BTreeSet<usize>> = outcome.replicas.iter().filter_map(rows).collect();
    let (mut sum, mut chance, mut pairs) = (0.0, 0.0, 0);
    for (n, a) in sets.iter().enumerate() {
        for b in &sets[n + 1..] {
            let both = (a.len() + b.len()) as f64;
            if both > 0.0 {
                sum += 2.0 * a.intersection(b).count() as f64 / both;
                chance += 2.0 * (a.len() as f64 * b.len() as f64 / samples as f64) / both;
                pairs += 1;
            }
        }
    }
    (pairs > 0).then(|| Overlap {
        mean: sum / pairs as f64,
        by_chance: chance / pairs as f64,
        pairs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::outcome::Stop;

    fn outcome(sets: &[Option<&[usize]>]) -> InversionOutcome {
        let stop = |rows: &[usize]| Stop {
            epoch: 20,
            error: 0.1,
            stragglers: rows
                .iter()
                .map(|&sample_index| Straggler { sample_index, label: 0 })
                .collect(),
        };
        let replica = |(n, rows): (usize, &Option<&[usize]>)| ReplicaOutcome {
            replica: n as u64,
            records: Vec::new(),
            stop: rows.map(stop),
            extrema: Vec::new(),
        };
        InversionOutcome {
            classes: vec!["a".into(), "b".into()],
            columns: Vec::new(),
            replicas: sets.iter().enumerate().map(replica).collect(),
        }
    }

    #[test]
    fn the_most_agreed_come_first_and_ties_in_their_order() {
        let outcome = outcome(&[Some(&[7, 3, 9]), None, Some(&[9, 2]), Some(&[9, 3])]);
        let found: Vec<(usize, usize)> = agreed(&outcome)
            .iter()
            .map(|a| (a.straggler.sample_index, a.replicas))
            .collect();
        assert_eq!(found, [(9, 3), (3, 2), (2, 1), (7, 1)]);
    }

    #[test]
    fn the_overlap_is_the_mean_over_pairs() {
        let outcome = outcome(&[Some(&[7, 3, 9]), None, Some(&[9]), Some(&[9, 3, 1])]);
        // Pairs (3, 1): 2 * 1 / 4; (3, 3): 2 * 2 / 6; (1, 3): 2 * 1 / 4. By chance of 12: 2 * 3 / 12 / 4, 2 * 9 / 12 / 6,
        // 2 * 3 / 12 / 4. A few roundings each.
        let found = overlap(&outcome, 12).unwrap();
        assert_eq!(found.pairs, 3);
        assert!((found.mean - (0.5 + 2.0 / 3.0 + 0.5) / 3.0).abs() < 1e-15);
        assert!((found.by_chance - (0.125 + 0.25 + 0.125) / 3.0).abs() < 1e-15);
        assert_eq!(overlap(&super::tests::outcome(&[Some(&[1]), None]), 5), None);
    }
}
