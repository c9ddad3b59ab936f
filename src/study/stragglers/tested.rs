//! The error of trained networks on samples.

use rand_distr::{Distribution, StandardNormal};

use super::super::error::StudyError;
use crate::backend::Backend;
use crate::data::streams::{Stream, generator};
use crate::nn::network::Parameters;
use crate::train::{Recipe, Samples, Trainer};

/// Misclassified fraction of each network; NaN without samples. `parameters` are of any number of networks with the
/// recipe's architecture.
///
/// # Errors
/// [`StudyError::Train`]
pub(super) fn test_errors(
    recipe: &Recipe,
    parameters: &Parameters,
    samples: Option<Samples>,
    backend: &dyn Backend,
) -> Result<Vec<f64>, StudyError> {
    let shapes = recipe.architecture.parameters();
    let one = shapes.first().map_or(1, |shape| shape.rows * shape.cols);
    let networks = parameters.first().map_or(0, |(_, values)| values.len() / one);
    let Some(samples) = samples else {
        return Ok(vec![f64::NAN; networks]);
    };
    let measuring = Recipe {
        replicas: (0..networks as u64).collect(),
        layers: Vec::new(),
        ..recipe.clone()
    };
    // What is measured is what a trainer trains on.
    let mut trainer = Trainer::new(measuring, samples, None, parameters, backend)?;
    Ok(trainer.measure()?.error)
}

/// `features` with Gaussian noise of deviation `sigma` on every number, drawn once for a replica.
pub(super) fn noisy(features: &[f64], sigma: f64, seed: u64, replica: u64) -> Vec<f64> {
    let mut rng = generator(seed, Stream::Noise { replica });
    let noise = |x: &f64| {
        let n: f64 = StandardNormal.sample(&mut rng);
        x + sigma * n
    };
    features.iter().map(noise).collect()
}
