//! What a run keeps of its hidden layers and weights on the way, by epoch.
//!
//! "At the inversion" means for each replica by itself: at the epoch of its own stop, the first t >= 20 with
//! R_0(t) >= R_0(t - 1), at which its stragglers are taken. A replica that does not stop keeps nothing there.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

use std::ops::RangeInclusive;
use std::str::FromStr;

use super::error::StudyError;
use crate::nn::network::Parameters;

/// At which epochs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Epochs {
    /// Never.
    #[default]
    Never,
    /// At each replica's own stop.
    Inversion,
    /// After every epoch, and before the first.
    All,
    /// After so many epochs, each range with both its ends.
    Listed(Vec<RangeInclusive<usize>>),
}

/// What [`Epochs`] is parsed from, in words.
const EXPECTED: &str = "none, inversion, all, or epochs such as 0,10,50-60";

impl FromStr for Epochs {
    type Err = StudyError;

    fn from_str(text: &str) -> Result<Epochs, StudyError> {
        let range = |word: &str| -> Option<RangeInclusive<usize>> {
            let (first, last) = word.split_once('-').unwrap_or((word, word));
            let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            (first <= last).then_some(first..=last)
        };
        match text {
            "none" => Ok(Epochs::Never),
            "inversion" => Ok(Epochs::Inversion),
            "all" => Ok(Epochs::All),
            _ => match text.split(',').map(range).collect() {
                Some(ranges) => Ok(Epochs::Listed(ranges)),
                None => Err(StudyError::Option {
                    detail: format!("expected {EXPECTED}"),
                }),
            },
        }
    }
}

impl Epochs {
    /// Whether this epoch is one of them for all replicas.
    pub fn include(&self, epoch: usize) -> bool {
        match self {
            Epochs::Never | Epochs::Inversion => false,
            Epochs::All => true,
            Epochs::Listed(ranges) => ranges.iter().any(|range| range.contains(&epoch)),
        }
    }

    /// How many epochs of a run of `epochs` epochs, with that before the first step, are kept for all replicas.
    pub fn count(&self, epochs: usize) -> usize {
        match self {
            Epochs::Never | Epochs::Inversion => 0,
            Epochs::All => epochs.saturating_add(1),
            Epochs::Listed(_) => (0..=epochs).filter(|&epoch| self.include(epoch)).count(),
        }
    }

    /// Checks that a run of `epochs` epochs comes to all of them.
    ///
    /// # Errors
    /// [`StudyError::Option`] that names the first that is beyond.
    pub fn check(&self, epochs: usize) -> Result<(), StudyError> {
        let Epochs::Listed(ranges) = self else { return Ok(()) };
        match ranges.iter().find(|range| *range.end() > epochs) {
            Some(range) => Err(StudyError::Option {
                detail: format!("epoch {}, expected at most {epochs}, the last of the run", range.end()),
            }),
            None => Ok(()),
        }
    }
}

/// What is kept at which epochs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keeps {
    /// Of the measured hidden layers on the training samples.
    pub activations: Epochs,
    /// Of the parameters.
    pub weights: Epochs,
}

/// Something to be kept, of all replicas or of one.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// Epochs done.
    pub epoch: usize,
    /// Place of the replica whose stop this is; `None` for all of them at an epoch that was asked for.
    pub replica: Option<usize>,
    /// Values of all replicas.
    pub what: What<'a>,
}

/// The values to be kept.
#[derive(Clone, Copy, Debug)]
pub enum What<'a> {
    /// A hidden layer after its activation, not normalised: `[replicas, samples, units]`, samples in their order.
    Activations {
        /// The layer, from 0.
        layer: usize,
        /// Row-major.
        values: &'a [f64],
    },
    /// All parameters.
    Weights(&'a Parameters),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Epochs> {
        text.parse().ok()
    }

    #[test]
    fn words_and_lists_of_epochs() {
        assert_eq!(read("none"), Some(Epochs::Never));
        assert_eq!(read("inversion"), Some(Epochs::Inversion));
        assert_eq!(read("all"), Some(Epochs::All));
        let listed = read("0,10, 50-60,55-57").unwrap();
        let found: Vec<usize> = (0..100).filter(|&epoch| listed.include(epoch)).collect();
        let expected: Vec<usize> = [0, 10].into_iter().chain(50..=60).collect();
        assert_eq!(found, expected);
        // An epoch that is named twice counts once.
        assert_eq!((listed.count(100), listed.count(55), Epochs::All.count(7)), (13, 8, 8));
        for text in [
            "",
            ",",
            "1,",
            "5-",
            "-5",
            "7-3",
            "1.5",
            "ten",
            "1 2",
            "0x1",
            "All",
            "99999999999999999999",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_epoch_beyond_the_run_is_named() {
        let listed = read("3,8-12,20").unwrap();
        assert!(listed.check(20).is_ok());
        let line = listed.check(11).unwrap_err().to_string();
        assert_eq!(line, "epoch 12, expected at most 11, the last of the run");
        assert!(Epochs::All.check(0).is_ok() && Epochs::Inversion.check(0).is_ok());
    }
}
