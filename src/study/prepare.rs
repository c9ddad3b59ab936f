//! From a dataset to samples: label rule, block of training rows, standardisation.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

use super::error::StudyError;
use super::outcome::Straggler;
use crate::data::streams::Stream;
use crate::data::{
    Channels, Classes, Dataset, DeadPixels, LabelRule, Labelled, Standardize, Standardizer, Subset, select,
};
use crate::train::Samples;

/// How a dataset becomes samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Preparation {
    /// Which class a label belongs to.
    pub labels: LabelRule,
    /// So many training rows; all if `None`.
    pub train_samples: Option<usize>,
    /// The first of them, or of those that they are drawn from.
    pub data_offset: usize,
    /// Which ones.
    pub subset: Subset,
    /// How pixels become numbers.
    pub standardize: Standardize,
    /// How the channels of colour images become inputs; grey images do not care.
    pub channels: Channels,
    /// What becomes of pixels that never change.
    pub dead_pixels: DeadPixels,
    /// Seed of random labels and random subsets.
    pub seed: u64,
}

/// Samples, with where they come from.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Width of a sample.
    pub inputs: usize,
    /// Names of the classes, by class index.
    pub classes: Vec<String>,
    /// `[train_labels.len(), inputs]`
    pub train_features: Vec<f64>,
    /// Class of each training sample.
    pub train_labels: Vec<u32>,
    /// Row of each training sample in the training file.
    pub train_rows: Vec<usize>,
    /// `[test_labels.len(), inputs]`
    pub test_features: Vec<f64>,
    /// Class of each test sample.
    pub test_labels: Vec<u32>,
    /// Inputs that are the same in all training samples.
    pub dead_pixels: usize,
    /// Test samples that light one of them.
    pub lit_test_rows: usize,
}

/// Which rows of a dataset a preparation takes.
#[derive(Clone, Debug)]
pub struct Rows {
    /// The classes of the label rule.
    pub classes: Classes,
    /// The training rows.
    pub train: Labelled,
    /// The test rows.
    pub test: Labelled,
}

/// The rows that a preparation takes, without their features: soon told.
///
/// # Errors
/// As [`Prepared::new`].
pub fn select_rows(dataset: &Dataset, how: &Preparation) -> Result<Rows, StudyError> {
    let classes = how.labels.classes(&dataset.train.labels);
    let kept = classes.apply(&dataset.train.labels, how.seed, Stream::TrainLabels)?;
    let train = select(
        &kept,
        &classes,
        how.data_offset,
        how.train_samples,
        how.subset,
        how.seed,
    )?;
    let test = classes.apply(&dataset.test.labels, how.seed, Stream::TestLabels)?;
    Ok(Rows { classes, train, test })
}

impl Prepared {
    /// Applies a preparation to a dataset.
    ///
    /// # Errors
    /// [`StudyError::Data`] for rules, rows or statistics that the dataset does not allow.
    pub fn new(dataset: &Dataset, how: &Preparation) -> Result<Prepared, StudyError> {
        let classes = how.labels.classes(&dataset.train.labels);
        let kept = classes.apply(&dataset.train.labels, how.seed, Stream::TrainLabels)?;
        let train = select(
            &kept,
            &classes,
            how.data_offset,
            how.train_samples,
            how.subset,
            how.seed,
        )?;
        let test = classes.apply(&dataset.test.labels, how.seed, Stream::TestLabels)?;
        let pixel_max = dataset.pixel_max;
        let standardizer = Standardizer::fit(how.standardize, how.channels, &dataset.train, &train.rows, pixel_max)?;
        Ok(Prepared {
            inputs: standardizer.inputs(),
            classes: classes.names().to_vec(),
            train_features: standardizer.apply(&dataset.train, &train.rows, how.dead_pixels)?,
            test_features: standardizer.apply(&dataset.test, &test.rows, how.dead_pixels)?,
            dead_pixels: standardizer.dead.len(),
            lit_test_rows: standardizer.lit_dead_rows(&dataset.test, &test.rows)?,
            train_labels: train.labels,
            train_rows: train.rows,
            test_labels: test.labels,
        })
    }

    /// The training samples.
    pub fn train(&self) -> Samples<'_> {
        Samples {
            features: &self.train_features,
            labels: &self.train_labels,
        }
    }

    /// A training sample, named by its place among them, as a straggler.
    ///
    /// # Panics
    /// For a place that is not among the training samples.
    #[allow(
        clippy::indexing_slicing,
        reason = "documented; places are those of a network's errors on these samples"
    )]
    pub fn straggler(&self, place: usize) -> Straggler {
        Straggler {
            sample_index: self.train_rows[place],
            label: self.train_labels[place],
        }
    }

    /// The test samples; `None` if the label rule keeps none.
    pub fn test(&self) -> Option<Samples<'_>> {
        (!self.test_labels.is_empty()).then_some(Samples {
            features: &self.test_features,
            labels: &self.test_labels,
        })
    }
}
