//! An inversion run between two epochs, as one safetensors file in f64, so that what follows a resume has the same bits.
//!
//! | tensor | shape | what |
//! |---|---|---|
//! | `progress` | `[3]` | epochs done, optimiser steps done, most zero rows so far |
//! | `parameter/NAME` | `[n]` | a parameter of all replicas |
//! | `state/NAME/K` | `[n]` | the optimiser's k-th buffer for it |
//! | `records` | `[R, epochs, 3 + metrics]` | train loss, train error, test error (NaN: not taken), metrics |
//! | `stops` | `[R, 2]` | epoch and error of the released recipe's stop, NaN before it has come |
//! | `stragglers/R` | `[n, 2]` | row in the training file, label |
//! | `film/epochs` | `[frames]` | epochs that the movie has so far; absent if the run is not filmed |
//! | `film/parameters` | `[frames, n]` | the first replica's parameters there |
//!
//! The file is written to a temporary name, synced and renamed: there is always one complete checkpoint.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

use std::path::Path;

use super::error::StudyError;
use super::film::Film;
use super::outcome::{EpochRecord, ReplicaOutcome, Stop, Straggler};
use crate::data::{NamedTensor, TensorFile, write_named};
use crate::train::{Recipe, Snapshot};

/// Everything that the rest of a run depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The trainer.
    pub snapshot: Snapshot,
    /// Records and stops so far; extrema are found at the end.
    pub replicas: Vec<ReplicaOutcome>,
    /// Most rows of zeros that a measured hidden layer had so far.
    pub zero_rows: usize,
    /// Frames of the movie so far.
    pub film: Film,
}

/// Columns of a record before the metrics.
const FIXED: usize = 3;

impl Checkpoint {
    /// Writes the file.
    ///
    /// # Errors
    /// [`StudyError::Data`] if it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), StudyError> {
        let Checkpoint {
            snapshot,
            replicas,
            zero_rows,
            film,
        } = self;
        let mut tensors: Vec<NamedTensor> = Vec::new();
        let mut add =
            |name: String, shape: Vec<usize>, values: Vec<f64>| tensors.push(NamedTensor { name, shape, values });
        add(
            "progress".into(),
            vec![3],
            vec![snapshot.epoch as f64, snapshot.steps as f64, *zero_rows as f64],
        );
        for (name, values) in &snapshot.parameters {
            add(format!("parameter/{name}"), vec![values.len()], values.clone());
        }
        for (name, states) in &snapshot.states {
            for (k, values) in states.iter().enumerate() {
                add(format!("state/{name}/{k}"), vec![values.len()], values.clone());
            }
        }
        let metrics = replicas
            .iter()
            .flat_map(|r| &r.records)
            .map(|r| r.metrics.len())
            .next()
            .unwrap_or(0);
        let rows: Vec<f64> = replicas
            .iter()
            .flat_map(|replica| &replica.records)
            .flat_map(|r| {
                let fixed = [r.train_loss, r.train_error, r.test_error.unwrap_or(f64::NAN)];
                fixed.into_iter().chain(r.metrics.iter().copied())
            })
            .collect();
        add(
            "records".into(),
            vec![replicas.len(), snapshot.epoch, FIXED + metrics],
            rows,
        );
        let stop = |r: &ReplicaOutcome| r.stop.as_ref().map_or([f64::NAN; 2], |s| [s.epoch as f64, s.error]);
        add(
            "stops".into(),
            vec![replicas.len(), 2],
            replicas.iter().flat_map(stop).collect(),
        );
        for (r, replica) in replicas.iter().enumerate() {
            let stragglers = replica.stop.iter().flat_map(|stop| &stop.stragglers);
            let pairs: Vec<f64> = stragglers
                .flat_map(|s| [s.sample_index as f64, f64::from(s.label)])
                .collect();
            add(format!("stragglers/{r}"), vec![pairs.len() / 2, 2], pairs);
        }
        tensors.extend(film.tensors());
        Ok(write_named(path, &tensors)?)
    }

    /// Reads the file of a run of this recipe with so many metrics.
    ///
    /// # Errors
    /// [`StudyError::Data`] for a file that cannot be read or is damaged; [`StudyError::Option`] for one of another run.
    pub fn load(path: &Path, recipe: &Recipe, metrics: usize) -> Result<Checkpoint, StudyError> {
        let file = TensorFile::open(path)?;
        let misfit = |what: &str| StudyError::Option {
            detail: format!(
                "{}: {what}, expected the checkpoint of a run with this configuration",
                path.display()
            ),
        };
        let read = |name: &str, shape: &[usize]| -> Result<Vec<f64>, StudyError> {
            let tensor = file.tensor(name)?;
            if tensor.shape != shape {
                return Err(misfit(&format!(
                    "'{name}' has shape {:?} instead of {shape:?}",
                    tensor.shape
                )));
            }
            Ok(tensor.values)
        };
        let count = recipe.replicas.len();
        let progress = read("progress", &[3])?;
        let &[epoch, steps, zero_rows] = &progress[..] else {
            return Err(misfit("'progress' has no three numbers"));
        };
        let (epoch, steps, zero_rows) = (epoch as usize, steps as u64, zero_rows as usize);
        if epoch > recipe.epochs {
            return Err(misfit(&format!("{epoch} epochs done of {}", recipe.epochs)));
        }
        let (mut parameters, mut states) = (Vec::new(), Vec::new());
        for shape in recipe.architecture.parameters() {
            let length = count * shape.rows * shape.cols;
            parameters.push((
                shape.name.clone(),
                read(&format!("parameter/{}", shape.name), &[length])?,
            ));
            let of_state = |k: usize| read(&format!("state/{}/{k}", shape.name), &[length]);
            let buffers = (0..recipe.rule.states()).map(of_state).collect::<Result<Vec<_>, _>>()?;
            states.push((shape.name, buffers));
        }
        let width = FIXED + metrics;
        let rows = read("records", &[count, epoch, width])?;
        let stops = read("stops", &[count, 2])?;
        let mut replicas = Vec::new();
        let (stops, _) = stops.as_chunks();
        for (r, (&replica, &[stop, error])) in recipe.replicas.iter().zip(stops).enumerate() {
            let own = rows.chunks_exact(width).skip(r * epoch).take(epoch);
            let records = own
                .filter_map(<[f64]>::split_first_chunk)
                .enumerate()
                .map(record)
                .collect();
            let stragglers = file.tensor(&format!("stragglers/{r}"))?.values;
            let (stragglers, _) = stragglers.as_chunks();
            let straggler = |&[sample, label]: &[f64; 2]| Straggler {
                sample_index: sample as usize,
                label: label as u32,
            };
            let stop = (!stop.is_nan()).then(|| Stop {
                epoch: stop as usize,
                error,
                stragglers: stragglers.iter().map(straggler).collect(),
            });
            replicas.push(ReplicaOutcome {
                replica,
                records,
                stop,
                extrema: Vec::new(),
            });
        }
        Ok(Checkpoint {
            snapshot: Snapshot {
                epoch,
                steps,
                parameters,
                states,
            },
            replicas,
            zero_rows,
            film: Film::of_file(&file, path, &recipe.architecture)?,
        })
    }
}

fn record((epoch, (fixed, metrics)): (usize, (&[f64; FIXED], &[f64]))) -> EpochRecord {
    let &[train_loss, train_error, test_error] = fixed;
    EpochRecord {
        epoch,
        train_loss,
        train_error,
        test_error: (!test_error.is_nan()).then_some(test_error),
        metrics: metrics.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Reference;
    use crate::backend::kernel::UpdateRule;
    use crate::data::synthetic::gaussian_classes;
    use crate::nn::{Activation, Architecture, Initializer, Loss, Schedule};
    use crate::study::inversion::{Progress, Setup, Watcher, Wish, run};
    use crate::study::prepare::Prepared;
    use crate::train::Batch;

    fn data() -> Prepared {
        let (train_features, train_labels) = gaussian_classes(2, 2, 40, 6, 2.0);
        let (test_features, test_labels) = gaussian_classes(3, 2, 10, 6, 2.0);
        Prepared {
            inputs: 6,
            classes: vec!["a".into(), "b".into()],
            train_rows: (100..180).collect(),
            train_features,
            train_labels,
            test_features,
            test_labels,
            dead_pixels: 0,
            lit_test_rows: 0,
        }
    }

    fn recipe(batch: Batch, rule: UpdateRule) -> Recipe {
        let activation = Activation::Tanh;
        Recipe {
            architecture: Architecture {
                inputs: 6,
                hidden: vec![5],
                outputs: 2,
                activation,
                bias: true,
            },
            classes: 2,
            loss: Loss::CrossEntropy,
            l2: 0.0,
            entanglement: None,
            rule,
            learning_rate: 0.05,
            schedule: Schedule::Cosine,
            epochs: 40,
            batch,
            seed: 5,
            replicas: vec![0, 7],
            layers: vec![0],
        }
    }

    /// Interrupts after an epoch and keeps the checkpoint on disk.
    struct Interrupt<'a>(usize, &'a Path);

    impl Watcher for Interrupt<'_> {
        fn epoch(&mut self, progress: Progress) -> Wish {
            if progress.epoch == self.0 {
                Wish::Interrupt
            } else {
                Wish::Continue
            }
        }

        fn films(&self) -> bool {
            true
        }

        fn save(&mut self, checkpoint: &Checkpoint) -> Result<(), StudyError> {
            checkpoint.save(self.1)
        }
    }

    #[test]
    fn a_resumed_run_ends_in_the_same_bits_wherever_it_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        let data = data();
        let sgd = UpdateRule::Sgd {
            momentum: 0.9,
            nesterov: false,
            weight_decay: 0.0,
        };
        let adam = UpdateRule::Adam {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.01,
            decoupled: true,
        };
        for (batch, rule) in [(Batch::Full, sgd), (Batch::Size(17), adam)] {
            let recipe = recipe(batch, rule);
            let initial = recipe
                .architecture
                .initial(Initializer::Pytorch, recipe.seed, &recipe.replicas);
            let setup = Setup {
                recipe: &recipe,
                data: &data,
                initial: &initial,
                test_every: 3,
            };
            let never = &mut Interrupt(usize::MAX, &path);
            let whole = run(setup, &Reference, None, never).unwrap().unwrap();
            let stop = whole.outcome.replicas[0].stop.as_ref().map(|stop| stop.epoch);
            assert!(whole.film.epochs.iter().copied().eq(0..=40), "all epochs fit");
            assert!(stop.is_none_or(|stop| whole.film.epochs.contains(&stop)));
            for cut in [0, 1, 19, 20, 25, 39] {
                assert!(
                    run(setup, &Reference, None, &mut Interrupt(cut, &path))
                        .unwrap()
                        .is_none()
                );
                let checkpoint = Checkpoint::load(&path, &recipe, 3).unwrap();
                assert_eq!(checkpoint.snapshot.epoch, cut + 1);
                let resumed = run(setup, &Reference, Some(checkpoint), never).unwrap().unwrap();
                assert_eq!(resumed.outcome, whole.outcome, "cut after epoch {cut}");
                assert_eq!(resumed.parameters, whole.parameters, "cut after epoch {cut}");
                assert_eq!(resumed.film, whole.film, "cut after epoch {cut}");
            }
        }
    }

    #[test]
    fn a_checkpoint_of_another_run_or_a_damaged_one_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        let data = data();
        let sgd = UpdateRule::Sgd {
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
        };
        let recipe = recipe(Batch::Full, sgd);
        let initial = recipe
            .architecture
            .initial(Initializer::Pytorch, recipe.seed, &recipe.replicas);
        let setup = Setup {
            recipe: &recipe,
            data: &data,
            initial: &initial,
            test_every: 0,
        };
        assert!(
            run(setup, &Reference, None, &mut Interrupt(3, &path))
                .unwrap()
                .is_none()
        );
        assert!(Checkpoint::load(&path, &recipe, 3).is_ok());
        let load = |recipe: &Recipe, metrics| Checkpoint::load(&path, recipe, metrics).unwrap_err().to_string();
        let mut other = recipe.clone();
        other.architecture.hidden = vec![4];
        assert!(load(&other, 3).contains("'parameter/0.weight' has shape [60] instead of [48]"));
        assert!(load(&recipe, 4).contains("'records' has shape [2, 4, 6] instead of [2, 4, 7]"));
        let bytes = std::fs::read(&path).unwrap();
        for length in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let line = load(&recipe, 3);
            assert!(
                line.contains("checkpoint.safetensors") && !line.contains('\n'),
                "{line}"
            );
        }
    }
}
