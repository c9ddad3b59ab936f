//! What can be wrong with an experiment.

use std::fmt;

use crate::autograd::AutogradError;
use crate::backend::BackendError;
use crate::data::DataError;
use crate::nn::NnError;
use crate::train::TrainError;

/// An error of this room, one line each.
#[derive(Debug)]
pub enum StudyError {
    /// An option that does not fit the others.
    Option {
        /// What was found and what was expected.
        detail: String,
    },
    /// Whoever watches wished for the end.
    Interrupted,
    /// From the data.
    Data(DataError),
    /// From training.
    Train(TrainError),
    /// The equations of a theory that could not be solved.
    Theory {
        /// What the solver said.
        detail: String,
    },
}

impl fmt::Display for StudyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StudyError::Option { detail } => f.write_str(detail),
            StudyError::Interrupted => f.write_str("interrupted"),
            StudyError::Data(error) => error.fmt(f),
            StudyError::Train(error) => error.fmt(f),
            StudyError::Theory { detail } => write!(f, "the theory's equations cannot be solved: {detail}"),
        }
    }
}

impl std::error::Error for StudyError {}

impl From<DataError> for StudyError {
    fn from(error: DataError) -> Self {
        StudyError::Data(error)
    }
}

impl From<TrainError> for StudyError {
    fn from(error: TrainError) -> Self {
        StudyError::Train(error)
    }
}

impl From<AutogradError> for StudyError {
    fn from(error: AutogradError) -> Self {
        StudyError::Train(error.into())
    }
}

impl From<BackendError> for StudyError {
    fn from(error: BackendError) -> Self {
        StudyError::Train(error.into())
    }
}

impl From<NnError> for StudyError {
    fn from(error: NnError) -> Self {
        StudyError::Train(error.into())
    }
}
