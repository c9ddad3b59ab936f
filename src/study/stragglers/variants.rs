//! Networks that differ in where they start, in which samples they are trained on and in what those are called: replicas of
//! one training as far as the memory goes.
//!
//! They are trained in groups, each a part that is kept as it finishes. A network has the same bits in any group.

use super::super::course::{Course, kept};
use super::super::error::StudyError;
use super::super::follow::Follow;
use super::super::parts::Part;
use super::follow::{Followed, Training, follow};
use super::{Bench, Progress};
use crate::data::NamedTensor;
use crate::data::streams::{Stream, below, generator};
use crate::nn::network::Parameters;
use crate::train::Recipe;

/// Work of one part, in multiply-add operations: some 30 s on two cores.
const PART: f64 = 3e12;
/// Most networks of a part.
const MOST: usize = 64;

/// A network to train: a replica of the bench with changed data.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Variant {
    /// Place among the recipe's replicas: it fixes initial parameters and the order of samples.
    pub replica: usize,
    /// Places of the training samples that it does without.
    pub removed: Vec<usize>,
    /// Places and labels of the training samples that have another label.
    pub relabelled: Vec<(usize, u32)>,
}

impl Variant {
    /// A replica with the data as they are.
    pub fn plain(replica: usize) -> Variant {
        Variant {
            replica,
            ..Variant::default()
        }
    }
}

/// How to train variants.
pub(super) struct Run<'r> {
    /// What is being done, and the name of the parts.
    pub name: &'r str,
    /// How; its replicas are those that the variants refer to.
    pub recipe: &'r Recipe,
    /// Where those start.
    pub initial: &'r Parameters,
    /// As [`Training::sets_at`].
    pub sets_at: &'r [usize],
    /// As [`Training::records`].
    pub records: bool,
    /// Variants that must be in the same part: the size of a part is a multiple of it.
    pub together: usize,
    /// Whether variants may have samples removed. Said beforehand, so that no bit of a network depends on the others.
    pub removes: bool,
    /// Whether variants may have samples relabelled.
    pub relabels: bool,
    /// Which metrics are followed.
    pub follow: &'r Follow,
}

/// How many networks of a recipe make a part, so that what a kill loses stays small: a multiple of `together`.
fn group(recipe: &Recipe, rows: usize, together: usize) -> usize {
    let parameters = recipe.architecture.parameters();
    let weights: f64 = parameters.iter().map(|p| p.rows as f64 * p.cols as f64).sum();
    let each = 3.0 * weights * rows as f64 * recipe.epochs as f64;
    let most = (PART / each.max(1.0)).clamp(1.0, MOST as f64) as usize;
    // Four networks side by side fill the widest products.
    let most = if most >= 4 { most / 4 * 4 } else { most };
    most.next_multiple_of(together.max(1))
}

/// What is kept of the variants of a part once it is trained.
pub(super) type Keep<'a> = dyn FnMut(&[Variant], &Followed) -> Result<Vec<NamedTensor>, StudyError> + 'a;

/// Trains the variants and hands each part, once it is trained, to `keep`: the variants of the part, and what came of them.
/// Returns the parts with how many variants each has, in order.
///
/// # Errors
/// Those of training and of `keep`; [`StudyError::Interrupted`].
pub(super) fn train(
    bench: &mut Bench,
    run: &Run,
    variants: &[Variant],
    keep: &mut Keep,
) -> Result<Vec<(usize, Part)>, StudyError> {
    let rows = bench.data.train_labels.len();
    let size = group(run.recipe, rows, run.together);
    let parts = variants.len().div_ceil(size);
    let mut all = Vec::with_capacity(parts);
    for (part, variants) in variants.chunks(size).enumerate() {
        let Bench {
            data, backend, watcher, ..
        } = bench;
        let kept = bench.parts.part(&format!("{}-{part}", run.name), || {
            let own = Recipe {
                replicas: variants.iter().map(|v| run.recipe.replicas[v.replica]).collect(),
                ..run.recipe.clone()
            };
            let initial = initial_of(run, variants);
            let weights = run.removes.then(|| weights(variants, rows));
            let labels = run.relabels.then(|| labels(variants, &data.train_labels));
            let training = Training {
                recipe: &own,
                data,
                initial: &initial,
                weights: weights.as_deref(),
                labels: labels.as_deref(),
                sets_at: run.sets_at,
                records: run.records,
                follow: run.follow,
            };
            let mut tell = |epoch, train_error| {
                watcher.epoch(Progress {
                    doing: run.name,
                    part,
                    parts,
                    epoch,
                    epochs: own.epochs,
                    train_error,
                })
            };
            let followed = follow(training, *backend, &mut tell)?;
            let mut tensors = keep(variants, &followed)?;
            tensors.extend(kept(&followed.courses));
            Ok(tensors)
        })?;
        all.push((variants.len(), kept));
    }
    Ok(all)
}

/// What the metrics of each variant did, in order; nothing if none are followed.
///
/// # Errors
/// [`StudyError::Option`] for a part of another study.
pub(super) fn courses(bench: &Bench, parts: &[(usize, Part)]) -> Result<Vec<Course>, StudyError> {
    let mut all = Vec::new();
    for (networks, part) in parts {
        all.extend(bench.courses.read(part, *networks)?);
    }
    Ok(all)
}

/// Where the variants start: `[variants, ...]`.
fn initial_of(run: &Run, variants: &[Variant]) -> Parameters {
    let count = run.recipe.replicas.len();
    let of = |(name, values): &(String, Vec<f64>)| {
        let size = values.len() / count;
        let own = variants
            .iter()
            .flat_map(|v| &values[v.replica * size..(v.replica + 1) * size]);
        (name.clone(), own.copied().collect())
    };
    run.initial.iter().map(of).collect()
}

/// `[variants, rows]`: 1, and 0 for what is removed.
fn weights(variants: &[Variant], rows: usize) -> Vec<f64> {
    let mut weights = vec![1.0; variants.len() * rows];
    for (own, variant) in weights.chunks_exact_mut(rows).zip(variants) {
        variant.removed.iter().for_each(|&place| own[place] = 0.0);
    }
    weights
}

/// `[variants, rows]`: the labels, and others where that is said.
fn labels(variants: &[Variant], labels: &[u32]) -> Vec<u32> {
    let mut all = labels.repeat(variants.len());
    for (own, variant) in all.chunks_exact_mut(labels.len()).zip(variants) {
        variant.relabelled.iter().for_each(|&(place, label)| own[place] = label);
    }
    all
}

/// As many places of each class as `like` has, drawn at random from those of `among`, ascending. A class that has fewer
/// gives all.
pub(super) fn drawn_like(like: &[usize], among: &[usize], labels: &[u32], seed: u64, stream: Stream) -> Vec<usize> {
    let mut rng = generator(seed, stream);
    let classes = labels.iter().max().map_or(0, |&last| last as usize + 1);
    let mut wanted = vec![0usize; classes];
    like.iter().for_each(|&place| wanted[labels[place] as usize] += 1);
    let mut drawn = Vec::new();
    for (class, &wanted) in wanted.iter().enumerate() {
        let mut own: Vec<usize> = among.iter().copied().filter(|&p| labels[p] as usize == class).collect();
        let count = wanted.min(own.len());
        for n in 0..count {
            let other = n + below(&mut rng, own.len() - n);
            own.swap(n, other);
        }
        drawn.extend_from_slice(&own[..count]);
    }
    drawn.sort_unstable();
    drawn
}

/// The places below `rows` that are not in the ascending `set`.
pub(super) fn others(set: &[usize], rows: usize) -> Vec<usize> {
    (0..rows).filter(|place| set.binary_search(place).is_err()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_of_each_class_are_drawn_and_none_twice() {
        let labels = [0, 1, 0, 1, 0, 1, 0, 0, 0, 2];
        let among: Vec<usize> = (0..10).collect();
        let stream = |draw| Stream::Control { replica: 3, draw };
        let mut seen = std::collections::BTreeSet::new();
        for draw in 0..200 {
            let drawn = drawn_like(&[1, 0, 2], &among, &labels, 7, stream(draw));
            let of = |class| drawn.iter().filter(|&&place| labels[place] == class).count();
            assert_eq!((of(0), of(1), of(2)), (2, 1, 0));
            assert!(drawn.is_sorted_by(|a, b| a < b));
            assert_eq!(drawn, drawn_like(&[1, 0, 2], &among, &labels, 7, stream(draw)));
            seen.extend(drawn);
        }
        // Each of the nine is missed by all 200 draws with probability at most (2/3)^200.
        assert_eq!(seen.len(), 9);
        // A class gives what it has.
        assert_eq!(drawn_like(&[1, 3, 5], &[0, 5, 9], &labels, 7, stream(0)), [5]);
        assert_eq!(others(&[0, 2, 3], 5), [1, 4]);
    }

    #[test]
    fn variants_become_weights_and_labels() {
        let variants = [
            Variant::plain(0),
            Variant {
                replica: 0,
                removed: vec![1],
                relabelled: vec![(2, 1)],
            },
        ];
        assert_eq!(weights(&variants, 3), [1.0, 1.0, 1.0, 1.0, 0.0, 1.0]);
        assert_eq!(labels(&variants, &[0, 1, 0]), [0, 1, 0, 0, 1, 1]);
    }
}
