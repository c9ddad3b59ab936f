//! The files of what a run keeps: hidden layers as npy, weights as safetensors, each complete or absent.
//!
//! | file | what |
//! |---|---|
//! | `activations/epoch-T.npy` | `[replicas, samples, units]` after T epochs |
//! | `activations/inversion-replica-N.npy` | `[samples, units]` of replica N at its own stop |
//! | `activations/inversion.csv` | `replica,epoch`: when that was, of the replicas that stopped |
//! | `activations/labels.npy`, `sample_index.npy` | `[samples]`, i64: class and row in the training file |
//! | `weights/initial`, `final`, `epoch-T.safetensors` | f32, PyTorch's names, a leading replica axis |
//! | `weights/inversion-replica-N.safetensors` | those of replica N at its own stop, without that axis |
//!
//! Where several layers are followed, names of activations begin with `layer-L-`. Activations are the hidden layer after
//! its activation function, not normalised, of the training samples in the order of `labels.npy`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::keep::{Epochs, Keeps, Kept, What};
use super::outcome::InversionOutcome;
use super::prepare::Prepared;
use crate::data::{DataError, TensorRef, whole_file, write_npy, write_npy_from, write_tensors};
use crate::nn::Architecture;
use crate::nn::network::Parameters;
use crate::train::Recipe;

/// Names of the two folders in a run's folder.
pub const FOLDERS: [&str; 2] = ["activations", "weights"];

/// Writes what a run keeps into its folder.
#[derive(Clone, Debug)]
pub struct Harvest {
    activations: PathBuf,
    weights: PathBuf,
    keeps: Keeps,
    architecture: Architecture,
    layers: Vec<usize>,
    replicas: Vec<u64>,
    samples: usize,
    epochs: usize,
    double: bool,
}

impl Harvest {
    /// Of a run of this recipe on so many training samples, in its folder. Activations are written in f64 if `double`,
    /// else in f32.
    pub fn new(folder: &Path, recipe: &Recipe, samples: usize, keeps: Keeps, double: bool) -> Harvest {
        let [activations, weights] = FOLDERS.map(|name| folder.join(name));
        Harvest {
            activations,
            weights,
            keeps,
            architecture: recipe.architecture.clone(),
            layers: recipe.layers.clone(),
            replicas: recipe.replicas.clone(),
            samples,
            epochs: recipe.epochs,
            double,
        }
    }

    /// What is kept.
    pub fn keeps(&self) -> &Keeps {
        &self.keeps
    }

    /// Files and bytes that the activations will take at most, without headers.
    pub fn activations_size(&self) -> (usize, f64) {
        let units: usize = self
            .layers
            .iter()
            .filter_map(|&layer| self.architecture.hidden.get(layer))
            .sum();
        let (files, epochs) = match self.keeps.activations {
            Epochs::Inversion => (self.replicas.len() * self.layers.len(), 1.0),
            ref listed => {
                let count = listed.count(self.epochs);
                (count.saturating_mul(self.layers.len()), count as f64)
            }
        };
        let width = if self.double { 8.0 } else { 4.0 };
        let one = self.replicas.len() as f64 * self.samples as f64 * units as f64 * width;
        (files, epochs * one)
    }

    /// Makes the folders that will be needed, and writes labels and rows beside activations.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn begin(&self, data: &Prepared) -> Result<(), DataError> {
        if self.keeps.weights != Epochs::Never {
            make(&self.weights)?;
        }
        if self.keeps.activations == Epochs::Never {
            return Ok(());
        }
        make(&self.activations)?;
        let labels: Vec<i64> = data.train_labels.iter().map(|&label| i64::from(label)).collect();
        write_npy(&self.activations.join("labels.npy"), &[labels.len()], &labels)?;
        let rows: Vec<i64> = data.train_rows.iter().map(|&row| row as i64).collect();
        write_npy(&self.activations.join("sample_index.npy"), &[rows.len()], &rows)
    }

    /// Writes a file.
    ///
    /// # Errors
    /// [`DataError::Write`]; [`DataError::Format`] for values of another shape.
    pub fn keep(&self, kept: Kept) -> Result<(), DataError> {
        let when = match kept.replica.and_then(|place| self.replicas.get(place)) {
            Some(replica) => format!("inversion-replica-{replica}"),
            None => format!("epoch-{}", kept.epoch),
        };
        match kept.what {
            What::Activations { layer, values } => {
                let of_layer = if self.layers.len() > 1 {
                    format!("layer-{}-", layer + 1)
                } else {
                    String::new()
                };
                let units = self.architecture.hidden.get(layer).copied().unwrap_or_default();
                let path = self.activations.join(format!("{of_layer}{when}.npy"));
                let (values, shape) = match kept.replica {
                    Some(place) => (own(values, place, self.replicas.len()), vec![self.samples, units]),
                    None => (values, vec![self.replicas.len(), self.samples, units]),
                };
                if self.double {
                    write_npy(&path, &shape, values)
                } else {
                    write_npy_from(&path, &shape, values.iter().map(|&v| v as f32))
                }
            }
            What::Weights(parameters) => self.save(&when, parameters, kept.replica),
        }
    }

    /// Writes `weights/initial.safetensors` and `weights/final.safetensors`.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn ends(&self, initial: &Parameters, last: &Parameters) -> Result<(), DataError> {
        make(&self.weights)?;
        self.save("initial", initial, None)?;
        self.save("final", last, None)
    }

    /// Writes when each replica stopped, if activations or weights were kept there.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn stops(&self, outcome: &InversionOutcome) -> Result<(), DataError> {
        let mut table = String::from("replica,epoch\n");
        for replica in &outcome.replicas {
            if let Some(stop) = &replica.stop {
                // Writing to a `String` cannot fail.
                let _ = writeln!(table, "{},{}", replica.replica, stop.epoch);
            }
        }
        let places = [
            (&self.keeps.activations, &self.activations),
            (&self.keeps.weights, &self.weights),
        ];
        for (_, folder) in places.iter().filter(|(epochs, _)| **epochs == Epochs::Inversion) {
            let path = folder.join("inversion.csv");
            whole_file::write(&path, |file| std::io::Write::write_all(file, table.as_bytes()))
                .map_err(|source| DataError::Write { path, source })?;
        }
        Ok(())
    }

    /// Writes parameters in f32: of all replicas with their axis, or of the one at a place without it.
    fn save(&self, name: &str, parameters: &Parameters, place: Option<usize>) -> Result<(), DataError> {
        let replicas = self.replicas.len();
        let shapes: Vec<Vec<usize>> = self
            .architecture
            .parameters()
            .iter()
            .map(|p| {
                let own = if p.name.ends_with("bias") {
                    vec![p.cols]
                } else {
                    vec![p.rows, p.cols]
                };
                let axis = place.is_none().then_some(replicas);
                axis.into_iter().chain(own).collect()
            })
            .collect();
        let values: Vec<Vec<f32>> = parameters
            .iter()
            .map(|(_, values)| {
                let values = place.map_or(values.as_slice(), |place| own(values, place, replicas));
                values.iter().map(|&v| v as f32).collect()
            })
            .collect();
        let tensors: Vec<TensorRef> = parameters
            .iter()
            .zip(&shapes)
            .zip(&values)
            .map(|(((name, _), shape), values)| TensorRef { name, shape, values })
            .collect();
        write_tensors(&self.weights.join(format!("{name}.safetensors")), &tensors)
    }
}

/// The part of one of `replicas` replicas.
fn own(values: &[f64], place: usize, replicas: usize) -> &[f64] {
    let length = values.len() / replicas.max(1);
    values.get(place * length..(place + 1) * length).unwrap_or_default()
}

fn make(folder: &Path) -> Result<(), DataError> {
    fs::create_dir_all(folder).map_err(|source| DataError::Write {
        path: folder.to_owned(),
        source,
    })
}
