//! What can be wrong with a training run.

use std::fmt;

use crate::autograd::AutogradError;
use crate::backend::BackendError;
use crate::nn::NnError;

/// An error of this room, one line each.
///
/// ```
/// use disentangle::backend::Reference;
/// use disentangle::nn::{Activation, Initializer, Loss};
/// use disentangle::train::{Recipe, Samples, TrainError, Trainer};
///
/// // Two samples of three numbers for a network of two inputs.
/// let samples = Samples { features: &[0.0; 6], labels: &[0, 1] };
/// let recipe = Recipe::new(2, &[4], 2, Activation::Tanh, Loss::CrossEntropy);
/// let initial = recipe.initial(Initializer::Pytorch);
/// let error = Trainer::new(recipe, samples, None, &initial, &Reference).err();
/// assert!(matches!(error, Some(TrainError::Samples { .. })));
/// let line = error.map(|error| error.to_string());
/// assert_eq!(line, Some("samples: 6 numbers for 2 samples of 2 inputs".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrainError {
    /// Samples whose arrays do not fit each other or the network.
    Samples {
        /// What was found and what was expected.
        detail: String,
    },
    /// A number of the recipe outside its range.
    Recipe {
        /// What was found and what was expected.
        detail: String,
    },
    /// From the network.
    Nn(NnError),
}

impl fmt::Display for TrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrainError::Samples { detail } => write!(f, "samples: {detail}"),
            TrainError::Recipe { detail } => write!(f, "recipe: {detail}"),
            TrainError::Nn(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TrainError {}

impl From<NnError> for TrainError {
    fn from(error: NnError) -> Self {
        TrainError::Nn(error)
    }
}

impl From<AutogradError> for TrainError {
    fn from(error: AutogradError) -> Self {
        TrainError::Nn(NnError::Autograd(error))
    }
}

impl From<BackendError> for TrainError {
    fn from(error: BackendError) -> Self {
        AutogradError::from(error).into()
    }
}
