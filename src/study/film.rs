//! What the movie of a run is made from: the parameters of its first replica at some epochs, kept while it trains.
//!
//! Epochs are dense at the beginning, where much happens, and thin out in proportion to the epoch; the epoch of the
//! released recipe's stop is there too. Parameters are kept as f32, which is all that a CPU or GPU run has of them.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

use std::path::Path;

use super::error::StudyError;
use crate::data::{NamedTensor, TensorFile, write_named};
use crate::nn::Architecture;
use crate::nn::network::Parameters;

/// Most epochs that are kept, without the stop's.
const FRAMES: usize = 60;

/// Most numbers that are kept: as many as take 64 MB in a checkpoint.
const NUMBERS: usize = 8 << 20;

const EPOCHS: &str = "film/epochs";
const PARAMETERS: &str = "film/parameters";

/// The parameters of one replica at some epochs, in the order of the epochs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Film {
    /// Epochs done.
    pub epochs: Vec<usize>,
    /// Per epoch, all parameters in the order of [`Architecture::parameters`], one after the other.
    pub parameters: Vec<Vec<f32>>,
}

impl Film {
    /// The epochs to keep of a run of `epochs` epochs of this network, the first and the last among them: steps of one
    /// epoch, then of a fixed percentage of the epochs done, the least with which they are few enough. Empty for a
    /// network so large that not even two fit.
    pub fn schedule(epochs: usize, architecture: &Architecture) -> Vec<usize> {
        let most = (NUMBERS / numbers(architecture).max(1)).min(FRAMES);
        if most < 2 {
            return Vec::new();
        }
        let steps = |percent: usize| {
            let next = move |t: &usize| {
                Some(t.saturating_add((t.saturating_mul(percent) / 100).max(1)).min(epochs)).filter(|n| n > t)
            };
            std::iter::successors(Some(0), next)
        };
        (0..)
            .map(|k: usize| if k < 100 { k } else { 100 << (k - 100).min(50) })
            .take(150)
            .find(|&percent| steps(percent).take(most + 1).count() <= most)
            .map_or_else(|| vec![0, epochs], |percent| steps(percent).collect())
    }

    /// Keeps the first of `replicas` replicas.
    pub(super) fn keep(&mut self, epoch: usize, parameters: &Parameters, replicas: usize) {
        let own = |values: &Vec<f64>| values.split_at(values.len() / replicas).0.to_vec();
        let frame = parameters.iter().flat_map(|(_, values)| own(values)).map(|v| v as f32);
        self.epochs.push(epoch);
        self.parameters.push(frame.collect());
    }

    /// The parameters of frame `k`, by name.
    pub(super) fn frame(&self, k: usize, architecture: &Architecture) -> Parameters {
        let mut rest = self.parameters.get(k).map(Vec::as_slice).unwrap_or_default();
        let take = |shape: crate::nn::network::ParameterShape| {
            let (own, after) = rest.split_at((shape.rows * shape.cols).min(rest.len()));
            rest = after;
            (shape.name, own.iter().map(|&v| f64::from(v)).collect())
        };
        architecture.parameters().into_iter().map(take).collect()
    }

    /// The tensors of a file that holds it: `film/epochs` `[frames]` and `film/parameters` `[frames, parameters]`; none
    /// of an empty one.
    pub(super) fn tensors(&self) -> Vec<NamedTensor> {
        let Some(width) = self.parameters.first().map(Vec::len) else {
            return Vec::new();
        };
        let frames = self.epochs.len();
        let values = self.parameters.iter().flatten().map(|&v| f64::from(v)).collect();
        vec![
            NamedTensor {
                name: EPOCHS.into(),
                shape: vec![frames],
                values: self.epochs.iter().map(|&epoch| epoch as f64).collect(),
            },
            NamedTensor {
                name: PARAMETERS.into(),
                shape: vec![frames, width],
                values,
            },
        ]
    }

    /// Reads what [`Film::tensors`] made for a network; an empty film where a file has none.
    ///
    /// # Errors
    /// [`StudyError::Data`] for a file that is damaged; [`StudyError::Option`] for the film of another network.
    pub(super) fn of_file(file: &TensorFile, path: &Path, architecture: &Architecture) -> Result<Film, StudyError> {
        if !file.names().iter().any(|name| name == EPOCHS) {
            return Ok(Film::default());
        }
        let (epochs, parameters) = (file.tensor(EPOCHS)?, file.tensor(PARAMETERS)?);
        let width = numbers(architecture);
        let shape = [epochs.values.len(), width];
        if parameters.shape != shape {
            return Err(StudyError::Option {
                detail: format!(
                    "{}: '{PARAMETERS}' has shape {:?} instead of {shape:?}, expected the film of a run with this \
                     configuration",
                    path.display(),
                    parameters.shape
                ),
            });
        }
        let frames = parameters.values.chunks_exact(width.max(1));
        Ok(Film {
            epochs: epochs.values.iter().map(|&epoch| epoch as usize).collect(),
            parameters: frames.map(|frame| frame.iter().map(|&v| v as f32).collect()).collect(),
        })
    }

    /// Writes it in f64, in which f32 is exact.
    ///
    /// # Errors
    /// [`StudyError::Data`] if the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), StudyError> {
        Ok(write_named(path, &self.tensors())?)
    }

    /// Reads what [`Film::save`] wrote for this network.
    ///
    /// # Errors
    /// [`StudyError::Data`] for a file that cannot be read or is damaged; [`StudyError::Option`] for the film of another
    /// network.
    pub fn load(path: &Path, architecture: &Architecture) -> Result<Film, StudyError> {
        Film::of_file(&TensorFile::open(path)?, path, architecture)
    }
}

/// Parameters of one replica.
fn numbers(architecture: &Architecture) -> usize {
    architecture
        .parameters()
        .iter()
        .map(|shape| shape.rows * shape.cols)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Activation;

    fn network(inputs: usize, hidden: usize) -> Architecture {
        Architecture {
            inputs,
            hidden: vec![hidden],
            outputs: 2,
            activation: Activation::Tanh,
            bias: true,
        }
    }

    #[test]
    fn epochs_are_dense_at_first_and_reach_the_end() {
        let small = network(64, 20);
        for epochs in [0, 1, 2, 59, 60, 100, 500, 10_000, usize::MAX / 200] {
            let schedule = Film::schedule(epochs, &small);
            assert!(schedule.len() <= FRAMES, "{epochs}: {}", schedule.len());
            assert!(
                schedule.len() > FRAMES / 2 || schedule.len() == epochs + 1,
                "{epochs}: {schedule:?}"
            );
            assert_eq!((schedule.first(), schedule.last()), (Some(&0), Some(&epochs)));
            assert!(schedule.windows(2).all(|pair| pair[0] < pair[1]));
        }
        assert_eq!(
            Film::schedule(500, &small)[..12],
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
        );
        // 1 M parameters: eight frames at most; 9 M: none.
        assert!((2..=8).contains(&Film::schedule(500, &network(1000, 1000)).len()));
        assert!(Film::schedule(500, &network(3000, 3000)).is_empty());
    }

    #[test]
    fn a_film_reads_back_and_one_of_another_network_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film.safetensors");
        let network_ = network(3, 2);
        let parameters = network_.initial(crate::nn::Initializer::Pytorch, 1, &[4, 5]);
        let mut film = Film::default();
        film.keep(0, &parameters, 2);
        film.keep(7, &parameters, 2);
        film.save(&path).unwrap();
        assert_eq!(Film::load(&path, &network_).unwrap(), film);
        for ((name, kept), (_, given)) in film.frame(1, &network_).iter().zip(&parameters) {
            assert_eq!(kept.len() * 2, given.len(), "{name}");
            assert!(
                kept.iter().zip(given).all(|(a, b)| *a == f64::from(*b as f32)),
                "{name}"
            );
        }
        let line = Film::load(&path, &network(3, 4)).unwrap_err().to_string();
        assert!(
            line.contains("'film/parameters' has shape [2, 14] instead of [2, 26]"),
            "{line}"
        );
        assert!(!line.contains('\n'));
        Film::default().save(&path).unwrap();
        assert_eq!(Film::load(&path, &network_).unwrap(), Film::default());
    }
}
