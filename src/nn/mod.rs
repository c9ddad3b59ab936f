//! Networks: layers, initialisers, activations, losses, optimisers, learning-rate schedules.
//!
//! ```
//! use disentangle::nn::{Activation, Architecture, Initializer, Optimizer};
//!
//! let network = Architecture { inputs: 4, hidden: vec![3], outputs: 2, activation: Activation::Tanh, bias: true };
//! let parameters = network.initial(Initializer::Pytorch, 7, &[0, 1]);
//! // PyTorch's names; values `[replicas, rows, cols]`.
//! assert_eq!(parameters[0].0, "0.weight");
//! assert_eq!(parameters[0].1.len(), 2 * 3 * 4);
//! // A momentum of 2 is refused in one line.
//! assert!(Optimizer::Sgd.rule(2.0, 0.0).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod activation;
mod error;
pub mod init;
pub mod loss;
pub mod network;
pub mod optimizer;
pub mod schedule;

pub use activation::Activation;
pub use error::NnError;
pub use init::Initializer;
pub use loss::Loss;
pub use network::{Architecture, Network};
pub use optimizer::Optimizer;
pub use schedule::Schedule;
