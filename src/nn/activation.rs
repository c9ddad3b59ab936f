//! Activation functions by name; the formulas stand in `autograd/ops/activations.rs`.

use std::fmt;
use std::str::FromStr;

use super::error::NnError;
use crate::autograd::{AutogradError, Graph, Value};

/// The activation of the hidden layers.
///
/// ```
/// use disentangle::autograd::{Entry, Graph, Plan};
/// use disentangle::backend::{EntryId, Reference};
/// use disentangle::nn::Activation;
///
/// let activation: Activation = "relu".parse()?;
/// assert_eq!((activation, activation.to_string().as_str()), (Activation::Relu, "relu"));
/// // max(x, 0) of two rows.
/// let mut graph = Graph::new(1)?;
/// let rows = graph.rows(2)?;
/// let x = graph.input("x", rows, 1, false)?;
/// let y = activation.record(&mut graph, x)?;
/// let mut session = Plan::new(&graph, &[Entry { outputs: vec![y], training: None }])?.start(&Reference)?;
/// session.write(x, &[-2.0, 3.0])?;
/// session.evaluate(EntryId(0))?;
/// assert_eq!(session.read(y)?, [0.0, 3.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// Hyperbolic tangent.
    #[default]
    Tanh,
    /// max(x, 0)
    Relu,
    /// The exact GELU, with erf.
    Gelu,
    /// 1 / (1 + e^-x)
    Sigmoid,
    /// None: a linear network.
    Identity,
}

const ALL: [(&str, Activation); 5] = [
    ("tanh", Activation::Tanh),
    ("relu", Activation::Relu),
    ("gelu", Activation::Gelu),
    ("sigmoid", Activation::Sigmoid),
    ("identity", Activation::Identity),
];

impl Activation {
    /// Records the activation of every element of `x`.
    ///
    /// # Errors
    /// Those of the op.
    pub fn record(self, graph: &mut Graph, x: Value) -> Result<Value, AutogradError> {
        match self {
            Activation::Tanh => graph.tanh(x),
            Activation::Relu => graph.relu(x),
            Activation::Gelu => graph.gelu(x),
            Activation::Sigmoid => graph.sigmoid(x),
            Activation::Identity => graph.identity(x),
        }
    }
}

impl FromStr for Activation {
    type Err = NnError;

    fn from_str(text: &str) -> Result<Self, NnError> {
        let unknown = NnError::Unknown {
            what: "activation",
            found: text.into(),
            expected: "tanh, relu, gelu, sigmoid or identity",
        };
        ALL.iter()
            .find(|(name, _)| *name == text)
            .map(|(_, activation)| *activation)
            .ok_or(unknown)
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ALL.iter().find(|(_, a)| a == self).map_or("", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_that_of_one_activation() {
        for (name, activation) in ALL {
            assert_eq!(name.parse::<Activation>().unwrap(), activation);
            assert_eq!(activation.to_string(), name);
        }
        assert_eq!(
            "Tanh".parse::<Activation>().unwrap_err().to_string(),
            "activation 'Tanh': expected tanh, relu, gelu, sigmoid or identity"
        );
    }
}
