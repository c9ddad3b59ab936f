//! What a trainer records: a pass over samples, and the loss on a mini-batch of them. Replicas may differ in what each
//! sample counts and in what it is called.

use super::error::TrainError;
use super::recipe::{Entanglement, Recipe, Samples};
use crate::autograd::{Graph, Session, Value};
use crate::backend::RowSpace;
use crate::nn::loss::Truth;
use crate::nn::network::Network;

/// What a trainer may have beside its recipe, samples and initial parameters.
///
/// ```
/// use disentangle::backend::Reference;
/// use disentangle::nn::{Activation, Initializer, Loss};
/// use disentangle::train::{Extras, Recipe, Samples, Trainer};
///
/// // One sample on each side of 0, two replicas of one linear network. In the second the first sample does not count.
/// let samples = Samples { features: &[-1.0, 1.0], labels: &[0, 1] };
/// let mut recipe = Recipe::new(1, &[], 2, Activation::Identity, Loss::Logistic);
/// recipe.replicas = vec![0, 0];
/// recipe.architecture.bias = false;
/// let extras = Extras { weights: Some(&[1.0, 1.0, 0.0, 1.0]), labels: Some(&[0, 1, 1, 1]), ..Extras::default() };
/// // Weight 1 in both: outputs -1 and 1.
/// let initial = vec![("0.weight".to_string(), vec![1.0, 1.0])];
/// let mut trainer = Trainer::with(recipe, samples, &initial, &Reference, extras)?;
/// // There the first sample is of class 1, which the network gets wrong, but only the second is measured.
/// assert_eq!(trainer.measure()?.error, [0.0, 0.0]);
/// # Ok::<(), disentangle::train::TrainError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras<'a> {
    /// Samples to test on.
    pub test: Option<Samples<'a>>,
    /// Whether it holds the measured hidden layers of all training samples for `Trainer::hidden`.
    pub holds_hidden: bool,
    /// What each training sample counts in each replica, `[replicas, rows]`: a sample of weight 0 is neither trained on nor
    /// measured there. With mini-batches the samples of a batch are weighted, so that a batch holds fewer that count.
    pub weights: Option<&'a [f64]>,
    /// The class of each training sample in each replica, `[replicas, rows]`, in place of the samples' own labels.
    pub labels: Option<&'a [u32]>,
}

/// What is recorded on one set of rows.
pub(super) struct Pass {
    pub(super) x: Value,
    pub(super) labels: Value,
    pub(super) weights: Option<Value>,
    pub(super) truth: Truth,
    pub(super) outputs: Value,
    pub(super) loss: Value,
    pub(super) errors: Value,
}

/// The values that a mini-batch step reads its rows by.
pub(super) struct MiniBatch {
    pub(super) space: RowSpace,
    pub(super) index: Value,
    pub(super) size: usize,
    pub(super) own: Own,
}

/// What a mini-batch's samples have of their replica's own, written with each batch.
pub(super) struct Own {
    weights: Option<(Value, Vec<f64>)>,
    labels: Option<(Value, Vec<u32>)>,
    /// Targets of those labels, if the loss has targets, and how many a sample has.
    targets: Option<(Value, Vec<f64>, usize)>,
}

impl Own {
    /// Writes what belongs to `batch`, `[replicas, size]` sample numbers below `rows`.
    pub(super) fn write(&self, session: &mut Session, batch: &[u32], rows: usize) -> Result<(), TrainError> {
        fn picked<T: Copy>(all: &[T], batch: &[u32], rows: usize, width: usize) -> Vec<T> {
            let size = batch.len() / (all.len() / (rows * width)).max(1);
            #[expect(clippy::indexing_slicing, reason = "samples are rows of these values")]
            let of = |(n, &sample): (usize, &u32)| {
                let start = (n / size.max(1) * rows + sample as usize) * width;
                &all[start..start + width]
            };
            batch.iter().enumerate().flat_map(of).copied().collect()
        }
        if let Some((value, weights)) = &self.weights {
            session.write(*value, &picked(weights, batch, rows, 1))?;
        }
        if let Some((value, labels)) = &self.labels {
            session.write_index(*value, &picked(labels, batch, rows, 1))?;
        }
        if let Some((value, targets, width)) = &self.targets {
            session.write(*value, &picked(targets, batch, rows, *width))?;
        }
        Ok(())
    }
}

/// Records data, forward pass, mean loss and error count on rows of their own; the training pass has the extras.
pub(super) fn record_pass(
    graph: &mut Graph,
    network: &Network,
    recipe: &Recipe,
    name: &str,
    rows: usize,
    extras: Option<&Extras>,
) -> Result<(Pass, Vec<Value>), TrainError> {
    let space = graph.rows(rows)?;
    let x = graph.samples(&format!("{name} samples"), space, recipe.architecture.inputs)?;
    let own_labels = extras.is_some_and(|extras| extras.labels.is_some());
    let labels = graph.index(&format!("{name} labels"), space, recipe.classes, own_labels)?;
    let weights = extras
        .and_then(|extras| extras.weights)
        .map(|_| graph.input(&format!("{name} weights"), space, 1, true))
        .transpose()?;
    let truth = recipe
        .loss
        .truth(graph, &format!("{name} targets"), space, labels, recipe.classes)?;
    let forward = network.forward(graph, x)?;
    let losses = recipe.loss.of_rows(graph, forward.outputs, truth)?;
    let loss = graph.mean_over_rows(losses, weights)?;
    let errors = graph.error_count(forward.outputs, labels, weights)?;
    Ok((
        Pass {
            x,
            labels,
            weights,
            truth,
            outputs: forward.outputs,
            loss,
            errors,
        },
        forward.hidden,
    ))
}

/// Records the loss on rows gathered from the training pass's, every replica's own.
pub(super) fn record_batch(
    graph: &mut Graph,
    network: &Network,
    recipe: &Recipe,
    pass: &Pass,
    rows: usize,
    size: usize,
    extras: &Extras,
) -> Result<(MiniBatch, Value), TrainError> {
    let space = graph.rows(size)?;
    let index = graph.index("batch", space, rows, true)?;
    let x = graph.gather(pass.x, index)?;
    let weights = match extras.weights {
        Some(weights) => Some((graph.input("batch weights", space, 1, true)?, weights.to_vec())),
        None => None,
    };
    let mut own = Own {
        weights,
        labels: None,
        targets: None,
    };
    let is_entangled = recipe.entanglement.is_some();
    let labels = match (pass.truth, extras.labels) {
        (Truth::Targets(_), _) if !is_entangled => None,
        (_, None) => Some(graph.gather(pass.labels, index)?),
        (_, Some(labels)) => {
            let value = graph.index("batch labels", space, recipe.classes, true)?;
            own.labels = Some((value, labels.to_vec()));
            Some(value)
        }
    };
    let truth = match (pass.truth, extras.labels) {
        (Truth::Labels(all), _) => Truth::Labels(labels.unwrap_or(all)),
        (Truth::Targets(targets), None) => Truth::Targets(graph.gather(targets, index)?),
        (Truth::Targets(_), Some(labels)) => {
            let width = recipe.loss.outputs(recipe.classes);
            let value = graph.input("batch targets", space, width, true)?;
            own.targets = Some((value, recipe.loss.targets(labels, recipe.classes), width));
            Truth::Targets(value)
        }
    };
    let forward = network.forward(graph, x)?;
    let losses = recipe.loss.of_rows(graph, forward.outputs, truth)?;
    let weights = own.weights.as_ref().map(|(value, _)| *value);
    let loss = graph.mean_over_rows(losses, weights)?;
    let loss = match labels {
        Some(labels) => with_entanglement(graph, recipe, loss, &forward.hidden, (labels, weights))?,
        None => loss,
    };
    Ok((
        MiniBatch {
            space,
            index,
            size,
            own,
        },
        loss,
    ))
}

/// Adds the soft nearest neighbour loss of a hidden layer of rows with these labels and weights.
pub(super) fn with_entanglement(
    graph: &mut Graph,
    recipe: &Recipe,
    loss: Value,
    hidden: &[Value],
    (labels, weights): (Value, Option<Value>),
) -> Result<Value, TrainError> {
    let Some(Entanglement {
        weight,
        layer,
        temperature,
    }) = recipe.entanglement
    else {
        return Ok(loss);
    };
    #[expect(
        clippy::indexing_slicing,
        reason = "`Recipe::check` has refused a layer that is not there"
    )]
    let layer = hidden[layer];
    let unit = graph.row_normalize(layer)?;
    let (losses, counts) = graph.soft_nearest_neighbor(unit, labels, weights, temperature)?;
    let mean = graph.mean_over_rows(losses, Some(counts))?;
    let term = graph.scale(mean, weight)?;
    Ok(graph.add(loss, term)?)
}

/// Adds the L2 decay to the loss.
pub(super) fn with_decay(
    graph: &mut Graph,
    network: &Network,
    recipe: &Recipe,
    loss: Value,
) -> Result<Value, TrainError> {
    if recipe.l2 == 0.0 {
        return Ok(loss);
    }
    let decay = graph.l2_decay(&network.weights(), recipe.l2)?;
    Ok(graph.add(loss, decay)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Backend, Cpu, Reference};
    use crate::data::synthetic::gaussian_classes;
    use crate::nn::network::Parameters;
    use crate::nn::{Activation, Initializer, Loss};
    use crate::train::{Batch, Entanglement, Measurement, Trainer};

    const ROWS: usize = 60;

    fn recipe(replicas: &[u64], loss: Loss, batch: Batch) -> Recipe {
        Recipe {
            replicas: replicas.to_vec(),
            epochs: 12,
            batch,
            seed: 3,
            ..Recipe::new(5, &[4], 2, Activation::Tanh, loss)
        }
    }

    /// With the soft nearest neighbour loss of the hidden layer.
    fn entangled(recipe: Recipe) -> Recipe {
        let entanglement = Some(Entanglement {
            weight: -0.3,
            layer: 0,
            temperature: 0.5,
        });
        Recipe { entanglement, ..recipe }
    }

    /// The last measurement and the parameters.
    fn trained(recipe: &Recipe, samples: Samples, backend: &dyn Backend, extras: Extras) -> (Measurement, Parameters) {
        let initial = recipe.initial(Initializer::Pytorch);
        let mut trainer = Trainer::with(recipe.clone(), samples, &initial, backend, extras).unwrap();
        for _ in 0..recipe.epochs {
            trainer.advance().unwrap();
        }
        (trainer.measure().unwrap(), trainer.parameters().unwrap())
    }

    #[test]
    fn a_sample_of_weight_zero_is_as_good_as_absent() {
        let (features, labels) = gaussian_classes(1, 2, ROWS / 2, 5, 1.0);
        let keeps = |n: usize| n % 3 != 1;
        let weights: Vec<f64> = (0..ROWS).map(|n| f64::from(u8::from(keeps(n)))).collect();
        let kept = |n: &usize| keeps(*n);
        let some: Vec<f64> = (0..ROWS)
            .filter(kept)
            .flat_map(|n| features[5 * n..5 * (n + 1)].to_vec())
            .collect();
        let named: Vec<u32> = (0..ROWS).filter(kept).map(|n| labels[n]).collect();
        for recipe in [
            recipe(&[0], Loss::CrossEntropy, Batch::Full),
            recipe(&[0], Loss::SquaredError, Batch::Full),
            entangled(recipe(&[0], Loss::SquaredError, Batch::Full)),
        ] {
            let all = Samples {
                features: &features,
                labels: &labels,
            };
            let extras = Extras {
                weights: Some(&weights),
                ..Extras::default()
            };
            let (masked, p) = trained(&recipe, all, &Reference, extras);
            let few = Samples {
                features: &some,
                labels: &named,
            };
            let (removed, q) = trained(&recipe, few, &Reference, Extras::default());
            assert_eq!(masked.error, removed.error);
            // In f64 only the order of sums differs, over 12 steps of sums of 40 terms.
            assert!((masked.loss[0] - removed.loss[0]).abs() < 1e-12);
            let (a, b) = (&masked.moments[0][0][1], &removed.moments[0][0][1]);
            assert!((crate::geometry::gyration_radius(a) - crate::geometry::gyration_radius(b)).abs() < 1e-12);
            for ((_, p), (_, q)) in p.iter().zip(&q) {
                assert!(p.iter().zip(q).all(|(p, q)| (p - q).abs() < 1e-12));
            }
        }
    }

    #[test]
    fn what_a_replica_has_of_its_own_depends_on_no_other() {
        let (features, labels) = gaussian_classes(2, 2, ROWS / 2, 5, 1.0);
        let samples = Samples {
            features: &features,
            labels: &labels,
        };
        let flipped: Vec<u32> = labels
            .iter()
            .enumerate()
            .map(|(n, l)| if n % 7 == 0 { 1 - l } else { *l })
            .collect();
        let own_labels = [labels.clone(), flipped.clone(), flipped].concat();
        let own_weights: Vec<f64> = (0..3 * ROWS).map(|n| f64::from(u8::from(n % 5 != n / ROWS))).collect();
        let cpu = Cpu::new(2).unwrap();
        let plain: fn(Recipe) -> Recipe = |recipe| recipe;
        for (loss, batch, with) in [
            (Loss::CrossEntropy, Batch::Full, plain),
            (Loss::CrossEntropy, Batch::Size(16), plain),
            (Loss::SquaredError, Batch::Size(16), plain),
            (Loss::CrossEntropy, Batch::Full, entangled),
            (Loss::Hinge { threshold: 1.0 }, Batch::Size(16), entangled),
            (Loss::SquaredError, Batch::Size(16), entangled),
        ] {
            let extras = Extras {
                weights: Some(&own_weights),
                labels: Some(&own_labels),
                ..Extras::default()
            };
            let (together, p) = trained(&with(recipe(&[4, 4, 9], loss, batch)), samples, &cpu, extras);
            for (r, replica) in [4, 4, 9].into_iter().enumerate() {
                let range = r * ROWS..(r + 1) * ROWS;
                let extras = Extras {
                    weights: Some(&own_weights[range.clone()]),
                    labels: Some(&own_labels[range]),
                    ..Extras::default()
                };
                let (alone, q) = trained(&with(recipe(&[replica], loss, batch)), samples, &cpu, extras);
                assert_eq!((together.loss[r], together.error[r]), (alone.loss[0], alone.error[0]));
                for ((_, p), (_, q)) in p.iter().zip(&q) {
                    assert_eq!(&p[r * q.len()..(r + 1) * q.len()], q.as_slice());
                }
            }
            assert_ne!(together.loss[0], together.loss[1], "other labels");
        }
    }

    /// The term changes what is learnt, alike in both precisions, and goes on after a snapshot to the same bits.
    #[test]
    fn entangled_training_on_both_backends_and_after_a_snapshot() {
        let (features, labels) = gaussian_classes(5, 3, ROWS / 3, 5, 1.0);
        let samples = Samples {
            features: &features,
            labels: &labels,
        };
        let cpu = Cpu::new(2).unwrap();
        for (loss, batch) in [
            (Loss::CrossEntropy, Batch::Full),
            (Loss::CrossEntropy, Batch::Size(25)),
            (Loss::SquaredError, Batch::Size(25)),
        ] {
            let plain = Recipe {
                replicas: vec![2, 8],
                epochs: 12,
                batch,
                ..Recipe::new(5, &[4], 3, Activation::Tanh, loss)
            };
            let recipe = entangled(plain.clone());
            let without = trained(&plain, samples, &Reference, Extras::default()).1;
            let (exact, got) = (
                trained(&recipe, samples, &Reference, Extras::default()).1,
                trained(&recipe, samples, &cpu, Extras::default()).1,
            );
            let distance = |a: &Parameters, b: &Parameters| -> f64 {
                let pairs = a.iter().zip(b).flat_map(|((_, a), (_, b))| a.iter().zip(b));
                pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
            };
            // At most 36 steps of some hundred roundings of f32 of numbers about 1, which a smooth step hardly stretches.
            let (apart, moved) = (distance(&exact, &got), distance(&exact, &without));
            assert!(apart < 3600.0 * f64::from(f32::EPSILON), "{loss} {batch:?}: {apart:e}");
            assert!(moved > 1e-2, "{loss} {batch:?}: the term moved parameters by {moved:e}");

            let initial = recipe.initial(Initializer::Pytorch);
            let make = || Trainer::new(recipe.clone(), samples, None, &initial, &cpu).unwrap();
            let mut first = make();
            for _ in 0..5 {
                first.advance().unwrap();
            }
            let snapshot = first.snapshot().unwrap();
            let mut second = make();
            second.restore(&snapshot).unwrap();
            for _ in 5..recipe.epochs {
                second.advance().unwrap();
            }
            assert_eq!(second.parameters().unwrap(), got);
        }
    }

    #[test]
    fn labels_of_ones_own_are_as_good_as_the_samples() {
        let (features, labels) = gaussian_classes(4, 2, ROWS / 2, 5, 1.0);
        let other: Vec<u32> = labels.iter().map(|label| 1 - label).collect();
        for (loss, batch) in [(Loss::SquaredError, Batch::Full), (Loss::Logistic, Batch::Size(25))] {
            let recipe = recipe(&[1], loss, batch);
            let given = Samples {
                features: &features,
                labels: &labels,
            };
            let extras = Extras {
                labels: Some(&other),
                ..Extras::default()
            };
            let own = trained(&recipe, given, &Reference, extras);
            let named = Samples {
                features: &features,
                labels: &other,
            };
            assert_eq!(own, trained(&recipe, named, &Reference, Extras::default()));
        }
    }

    #[test]
    fn extras_that_do_not_fit_are_one_line() {
        let (features, labels) = gaussian_classes(1, 2, 3, 5, 1.0);
        let samples = Samples {
            features: &features,
            labels: &labels,
        };
        let recipe = recipe(&[0, 1], Loss::CrossEntropy, Batch::Full);
        let initial = recipe.initial(Initializer::Pytorch);
        let line = |extras: Extras| {
            let made = Trainer::with(recipe.clone(), samples, &initial, &Reference, extras);
            made.map(|_| ()).unwrap_err().to_string()
        };
        let weights = |weights: &[f64]| {
            line(Extras {
                weights: Some(weights),
                ..Extras::default()
            })
        };
        assert!(weights(&[1.0; 6]).contains("6 weights for 2 replicas of 6 samples"));
        assert!(weights(&[[1.0; 11].as_slice(), &[-1.0]].concat()).contains("weight -1, expected at least 0"));
        assert!(weights(&[f64::NAN; 12]).contains("weight NaN"));
        let labels = |labels| {
            line(Extras {
                labels: Some(labels),
                ..Extras::default()
            })
        };
        assert!(labels(&[0; 5]).contains("5 labels for 2 replicas of 6 samples"));
        assert!(labels(&[2; 12]).contains("label 2, expected below 2"));
    }
}
