//! Networks: layers, initialisers, activations, losses, optimisers, learning-rate schedules.

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
