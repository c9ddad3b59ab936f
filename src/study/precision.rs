//! Does a run depend on precision? The same training on a backend and on the reference, epoch by epoch.
//!
//! Both start from the same f32 weights and take the same batches. The reference works in f64 on data that were never rounded to f32,
//! so what grows from epoch to epoch is everything that f32 does. At epochs on a logarithmic grid:
//!
//! ```text
//! weights   |w - w'| / |w'|, over all parameters of a replica
//! loss      |L - L'| / L'
//! radii     max |v - v'| over gyration radii and centroid distances
//! ```
//!
//! and per replica the stop epoch, and the samples by which the two sets of stragglers differ. Two runs of one precision have the
//! same bits, so all of it is precision.

use super::checkpoint::Checkpoint;
use super::error::StudyError;
use super::inversion::{Progress, Setup, Watcher, Wish, run};
use super::keep::{Epochs, Keeps, Kept, What};
use super::outcome::{EpochRecord, ReplicaOutcome};
use crate::backend::{Backend, Reference};
use crate::nn::network::Parameters;

/// How far apart the two runs of a replica are after so many epochs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distance {
    /// Epochs done.
    pub epoch: usize,
    /// Of the parameters, relative.
    pub weights: f64,
    /// Of the training loss, relative.
    pub loss: f64,
    /// Of radii and centroid distances, absolute (they are of unit vectors).
    pub radii: f64,
}

/// What precision changed in one replica.
#[derive(Clone, Debug, PartialEq)]
pub struct Replica {
    /// Its number.
    pub replica: u64,
    /// On the grid of epochs.
    pub distances: Vec<Distance>,
    /// The stop epochs on the backend and on the reference.
    pub stops: [Option<usize>; 2],
    /// The sizes of the two sets of stragglers.
    pub stragglers: [usize; 2],
    /// Samples that are in one of them only.
    pub differing: usize,
}

impl Replica {
    /// Whether the stop or the stragglers depend on precision.
    pub fn depends(&self) -> bool {
        self.stops[0] != self.stops[1] || self.differing > 0
    }
}

/// Epochs 0, 1, 2, 3, 4, 6, 8, 11, 16, ... (a factor of the square root of 2 apart) and the last.
pub fn grid(last: usize) -> Vec<usize> {
    let mut epochs = vec![0];
    epochs.extend(
        (0..)
            .map(|k| 2f64.powf(0.5 * f64::from(k)).round() as usize)
            .take_while(|&e| e < last),
    );
    epochs.push(last);
    epochs.dedup();
    epochs
}

/// Keeps the parameters on the grid.
struct Keeper {
    epochs: Epochs,
    parameters: Vec<Parameters>,
}

impl Watcher for Keeper {
    fn epoch(&mut self, _: Progress) -> Wish {
        Wish::Continue
    }

    fn keeps(&self) -> Keeps {
        Keeps {
            activations: Epochs::Never,
            weights: self.epochs.clone(),
        }
    }

    fn keep(&mut self, kept: Kept) -> Result<(), StudyError> {
        if let What::Weights(parameters) = kept.what {
            self.parameters.push(parameters.clone());
        }
        Ok(())
    }

    fn save(&mut self, _: &Checkpoint) -> Result<(), StudyError> {
        Ok(())
    }
}

/// Trains on both and compares.
///
/// # Errors
/// Those of [`run`].
pub fn compare(setup: Setup, backend: &dyn Backend) -> Result<Vec<Replica>, StudyError> {
    let epochs = grid(setup.recipe.epochs);
    // Drawn in f64; a backend of f32 would round them.
    let rounded = |values: &Vec<f64>| values.iter().map(|&w| f64::from(w as f32)).collect();
    let initial: Parameters = setup
        .initial
        .iter()
        .map(|(name, w)| (name.clone(), rounded(w)))
        .collect();
    let setup = Setup {
        initial: &initial,
        ..setup
    };
    let trained = |backend: &dyn Backend| -> Result<(Vec<ReplicaOutcome>, Vec<Parameters>), StudyError> {
        let mut keeper = Keeper {
            epochs: Epochs::Listed(epochs.iter().map(|&epoch| epoch..=epoch).collect()),
            parameters: vec![],
        };
        let finished = run(setup, backend, None, &mut keeper)?;
        // The keeper never interrupts.
        let replicas = finished.map(|finished| finished.outcome.replicas).unwrap_or_default();
        Ok((replicas, keeper.parameters))
    };
    let (got, got_parameters) = trained(backend)?;
    let (exact, exact_parameters) = trained(&Reference)?;
    let count = exact.len();
    let pair = |(r, (got, exact)): (usize, (&ReplicaOutcome, &ReplicaOutcome))| {
        let at = |(&epoch, (a, b)): (&usize, (&Parameters, &Parameters))| {
            let (a_record, b_record) = (&got.records[epoch], &exact.records[epoch]);
            Distance {
                epoch,
                weights: apart(a, b, r, count),
                loss: (a_record.train_loss - b_record.train_loss).abs()
                    / b_record.train_loss.abs().max(f64::MIN_POSITIVE),
                radii: farthest(a_record, b_record),
            }
        };
        let sets = got_parameters.iter().zip(&exact_parameters);
        let samples = |replica: &ReplicaOutcome| -> Vec<usize> {
            let stragglers = replica.stop.iter().flat_map(|stop| &stop.stragglers);
            stragglers.map(|straggler| straggler.sample_index).collect()
        };
        let (a, b) = (samples(got), samples(exact));
        Replica {
            replica: exact.replica,
            distances: epochs.iter().zip(sets).map(at).collect(),
            stops: [got, exact].map(|replica| replica.stop.as_ref().map(|stop| stop.epoch)),
            stragglers: [a.len(), b.len()],
            differing: missing(&a, &b) + missing(&b, &a),
        }
    };
    Ok(got.iter().zip(&exact).enumerate().map(pair).collect())
}

/// |w - w'| / |w'| of replica `r` of `count`.
fn apart(a: &Parameters, b: &Parameters, r: usize, count: usize) -> f64 {
    let (mut difference, mut size) = (0.0, 0.0);
    for ((_, a), (_, b)) in a.iter().zip(b) {
        let each = a.len() / count;
        for (x, y) in a[r * each..][..each].iter().zip(&b[r * each..][..each]) {
            difference += (x - y) * (x - y);
            size += y * y;
        }
    }
    (difference / size.max(f64::MIN_POSITIVE)).sqrt()
}

fn farthest(a: &EpochRecord, b: &EpochRecord) -> f64 {
    let pairs = a.metrics.iter().zip(&b.metrics);
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// How many of the first are not in the second.
fn missing(a: &[usize], b: &[usize]) -> usize {
    a.iter().filter(|sample| !b.contains(sample)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Cpu;
    use crate::data::{Channels, Dataset, DeadPixels, LabelRule, Standardize, Subset};
    use crate::nn::{Activation, Initializer, Loss};
    use crate::study::prepare::{Preparation, Prepared};
    use crate::train::Recipe;

    #[test]
    fn epochs_a_root_of_two_apart() {
        assert_eq!(grid(20), [0, 1, 2, 3, 4, 6, 8, 11, 16, 20]);
        assert_eq!(grid(1), [0, 1]);
        assert_eq!(grid(0), [0]);
    }

    /// One training step differs by roundings, the reference not from itself; the distance grows.
    #[test]
    fn runs_of_two_precisions_part_slowly() {
        let dataset = Dataset::digits().unwrap();
        let how = Preparation {
            labels: LabelRule::Parity,
            train_samples: None,
            data_offset: 0,
            subset: Subset::Consecutive,
            standardize: Standardize::Pixel,
            channels: Channels::GreySum,
            dead_pixels: DeadPixels::Formula,
            seed: 0,
        };
        let data = Prepared::new(&dataset, &how).unwrap();
        let mut recipe = Recipe::new(
            data.inputs,
            &[8],
            data.classes.len(),
            Activation::Tanh,
            Loss::CrossEntropy,
        );
        (recipe.epochs, recipe.learning_rate, recipe.replicas) = (30, 0.5, vec![0, 1]);
        let initial = recipe.initial(Initializer::default());
        let setup = Setup {
            recipe: &recipe,
            data: &data,
            initial: &initial,
            test_every: 0,
        };
        let same = compare(setup, &Reference).unwrap();
        assert!(same.iter().all(|replica| !replica.depends()));
        let zero = |d: &Distance| d.weights == 0.0 && d.loss == 0.0 && d.radii == 0.0;
        assert!(same.iter().flat_map(|replica| &replica.distances).all(zero));
        let found = compare(setup, &Cpu::new(1).unwrap()).unwrap();
        assert_eq!(found.len(), 2);
        for replica in &found {
            let (first, last) = (replica.distances[0], replica.distances[replica.distances.len() - 1]);
            assert_eq!((first.epoch, last.epoch), (0, 30));
            // The weights are f32 numbers: nothing differs before the first step but what is computed from them, whose sums of
            // 64 standardised pixels carry at most some hundred roundings.
            assert_eq!(first.weights, 0.0);
            assert!(first.loss < 300.0 * f64::from(f32::EPSILON), "{first:?}");
            assert!(last.weights > 0.0 && last.weights < 1e-3, "{last:?}");
        }
    }
}
