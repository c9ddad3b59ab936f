//! A fully connected network: dense layers with an activation after each but the last.
//!
//! Parameters have the names that PyTorch's `nn.Sequential(Linear, Activation, Linear, ...)` gives them: `0.weight`,
//! `0.bias`, `2.weight`, `2.bias`, ...

use super::activation::Activation;
use super::error::NnError;
use super::init::Initializer;
use crate::autograd::{Graph, Value};
use crate::data::streams::{Stream, generator};

/// What a network looks like.
///
/// ```
/// use disentangle::nn::network::ParameterShape;
/// use disentangle::nn::{Activation, Architecture, Initializer};
///
/// let network = Architecture { inputs: 4, hidden: vec![3], outputs: 2, activation: Activation::Tanh, bias: true };
/// let shapes = network.parameters();
/// let names: Vec<&str> = shapes.iter().map(|shape| shape.name.as_str()).collect();
/// assert_eq!(names, ["0.weight", "0.bias", "2.weight", "2.bias"]);
/// assert_eq!(shapes[2], ParameterShape { name: "2.weight".into(), rows: 2, cols: 3 });
/// // A replica has the same numbers alone as beside others.
/// let both = network.initial(Initializer::Pytorch, 7, &[0, 1]);
/// let alone = network.initial(Initializer::Pytorch, 7, &[1]);
/// assert_eq!(both[0].1[12..], alone[0].1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Architecture {
    /// Width of the data.
    pub inputs: usize,
    /// Width of each hidden layer; empty for a linear classifier.
    pub hidden: Vec<usize>,
    /// Width of the output.
    pub outputs: usize,
    /// After each hidden layer.
    pub activation: Activation,
    /// Whether layers have biases.
    pub bias: bool,
}

/// A parameter of an architecture.
///
/// ```
/// use disentangle::nn::network::ParameterShape;
/// use disentangle::nn::{Activation, Architecture};
///
/// // A linear classifier: as many rows as outputs, as many columns as inputs.
/// let network = Architecture { inputs: 4, hidden: vec![], outputs: 2, activation: Activation::Tanh, bias: false };
/// assert_eq!(network.parameters(), [ParameterShape { name: "0.weight".into(), rows: 2, cols: 4 }]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterShape {
    /// PyTorch's name.
    pub name: String,
    /// Rows: units of a weight, 1 for a bias.
    pub rows: usize,
    /// Columns: inputs of a weight, units for a bias.
    pub cols: usize,
}

/// Initial parameters: name and values `[replicas, rows, cols]`, in the order of [`Architecture::parameters`].
pub type Parameters = Vec<(String, Vec<f64>)>;

impl Architecture {
    /// (inputs, units) of each layer.
    fn layers(&self) -> Vec<(usize, usize)> {
        let widths: Vec<usize> = [self.inputs]
            .iter()
            .chain(&self.hidden)
            .chain([&self.outputs])
            .copied()
            .collect();
        widths.iter().copied().zip(widths.iter().copied().skip(1)).collect()
    }

    /// The parameters, layer by layer, each layer's weight first.
    pub fn parameters(&self) -> Vec<ParameterShape> {
        let mut shapes = Vec::new();
        for (n, (inputs, units)) in self.layers().into_iter().enumerate() {
            shapes.push(ParameterShape {
                name: format!("{}.weight", 2 * n),
                rows: units,
                cols: inputs,
            });
            if self.bias {
                shapes.push(ParameterShape {
                    name: format!("{}.bias", 2 * n),
                    rows: 1,
                    cols: units,
                });
            }
        }
        shapes
    }

    /// Draws initial parameters for these replicas: each from its own stream, layer by layer.
    pub fn initial(&self, initializer: Initializer, seed: u64, replicas: &[u64]) -> Parameters {
        let mut all: Parameters = self
            .parameters()
            .into_iter()
            .map(|shape| (shape.name, Vec::new()))
            .collect();
        for &replica in replicas {
            let mut rng = generator(seed, Stream::Initialization { replica });
            let mut drawn = Vec::new();
            for (inputs, units) in self.layers() {
                drawn.push(initializer.weights(&mut rng, units, inputs));
                if self.bias {
                    drawn.push(initializer.biases(&mut rng, units, inputs));
                }
            }
            for ((_, values), new) in all.iter_mut().zip(drawn) {
                values.extend(new);
            }
        }
        all
    }

    /// Orders given parameters as [`Architecture::parameters`] and checks that they fit. Each is `[rows, cols]` (a bias
    /// `[units]`), taken by every replica, or has a leading replica axis.
    ///
    /// ```
    /// use disentangle::nn::{Activation, Architecture};
    ///
    /// // A linear classifier of two inputs, and weights from elsewhere for both replicas.
    /// let network = Architecture { inputs: 2, hidden: vec![], outputs: 2, activation: Activation::Tanh, bias: true };
    /// let weight = ("0.weight".to_string(), vec![2, 2], vec![1.0, 2.0, 3.0, 4.0]);
    /// let bias = ("0.bias".to_string(), vec![2], vec![0.5, -0.5]);
    /// let adopted = network.adopt(&[bias, weight.clone()], 2)?;
    /// assert_eq!(adopted[0], ("0.weight".into(), vec![1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0]));
    /// assert_eq!(adopted[1], ("0.bias".into(), vec![0.5, -0.5, 0.5, -0.5]));
    /// let missing = network.adopt(&[weight], 2).map_err(|error| error.to_string());
    /// assert_eq!(missing, Err("initial parameters: '0.bias' is missing".into()));
    /// # Ok::<(), disentangle::nn::NnError>(())
    /// ```
    ///
    /// # Errors
    /// [`NnError::Parameters`] for one that is missing, unknown, of another shape or not finite.
    pub fn adopt(&self, given: &[(String, Vec<usize>, Vec<f64>)], replicas: usize) -> Result<Parameters, NnError> {
        let wrong = |detail: String| Err(NnError::Parameters { detail });
        let shapes = self.parameters();
        if let Some((name, ..)) = given.iter().find(|(name, ..)| shapes.iter().all(|s| s.name != *name)) {
            let names: Vec<&str> = shapes.iter().map(|s| s.name.as_str()).collect();
            return wrong(format!(
                "'{name}' is no parameter of this network, expected {}",
                names.join(", ")
            ));
        }
        let mut adopted = Vec::new();
        for ParameterShape { name, rows, cols } in shapes {
            let Some((_, shape, values)) = given.iter().find(|(given, ..)| *given == name) else {
                return wrong(format!("'{name}' is missing"));
            };
            let own = if name.ends_with("bias") {
                vec![cols]
            } else {
                vec![rows, cols]
            };
            let with_replicas: Vec<usize> = [replicas].into_iter().chain(own.iter().copied()).collect();
            let copies = if *shape == own {
                replicas
            } else if *shape == with_replicas {
                1
            } else {
                return wrong(format!(
                    "'{name}' has shape {shape:?}, expected {own:?} or {with_replicas:?}"
                ));
            };
            if let Some(value) = values.iter().find(|v| !v.is_finite()) {
                return wrong(format!("'{name}' holds {value}, expected finite numbers"));
            }
            adopted.push((name, values.repeat(copies)));
        }
        Ok(adopted)
    }
}

/// A recorded network.
///
/// ```
/// use disentangle::autograd::{Entry, Graph, Plan};
/// use disentangle::backend::{EntryId, Reference};
/// use disentangle::nn::network::Forward;
/// use disentangle::nn::{Activation, Architecture, Network};
///
/// // Two hidden units: one reads the sum of the inputs, the other its negative, which relu cuts off.
/// let layers = Architecture { inputs: 2, hidden: vec![2], outputs: 1, activation: Activation::Relu, bias: false };
/// let mut graph = Graph::new(1)?;
/// let network = Network::record(&mut graph, &layers)?;
/// let rows = graph.rows(1)?;
/// let x = graph.input("x", rows, 2, false)?;
/// let Forward { hidden, outputs } = network.forward(&mut graph, x)?;
/// let entry = Entry { outputs: vec![hidden[0], outputs], training: None };
/// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
/// session.write(x, &[1.0, 2.0])?;
/// session.write(network.weights()[0], &[1.0, 1.0, -1.0, -1.0])?;
/// session.write(network.weights()[1], &[5.0, 7.0])?;
/// session.evaluate(EntryId(0))?;
/// assert_eq!(session.read(hidden[0])?, [3.0, 0.0]);
/// assert_eq!(session.read(outputs)?, [15.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Network {
    activation: Activation,
    /// Weight and bias of each layer.
    layers: Vec<(Value, Option<Value>)>,
}

/// What a network makes of its input.
///
/// ```
/// use disentangle::autograd::Graph;
/// use disentangle::nn::network::Forward;
/// use disentangle::nn::{Activation, Architecture, Network};
///
/// // Two hidden layers: the last is half as wide, and the outputs have no activation.
/// let layers = Architecture { inputs: 4, hidden: vec![6, 3], outputs: 2, activation: Activation::Tanh, bias: true };
/// let mut graph = Graph::new(1)?;
/// let network = Network::record(&mut graph, &layers)?;
/// let rows = graph.rows(5)?;
/// let x = graph.samples("x", rows, 4)?;
/// let forward: Forward = network.forward(&mut graph, x)?;
/// assert_eq!(forward.hidden.len(), 2);
/// assert_eq!((graph.shape(forward.hidden[1])?.cols, graph.shape(forward.outputs)?.cols), (3, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Forward {
    /// Output of each hidden layer after its activation: `[rows, width]`.
    pub hidden: Vec<Value>,
    /// `[rows, outputs]`
    pub outputs: Value,
}

impl Network {
    /// Records the parameters of an architecture.
    ///
    /// # Errors
    /// [`NnError::Autograd`] for a width of 0 or names taken.
    pub fn record(graph: &mut Graph, architecture: &Architecture) -> Result<Network, NnError> {
        let mut layers = Vec::new();
        for ParameterShape { name, rows, cols } in architecture.parameters() {
            let value = graph.parameter(&name, rows, cols)?;
            match layers.last_mut() {
                Some((_, bias)) if name.ends_with("bias") => *bias = Some(value),
                _ => layers.push((value, None)),
            }
        }
        Ok(Network {
            activation: architecture.activation,
            layers,
        })
    }

    /// Records a forward pass on rows `x`; several share the parameters.
    ///
    /// # Errors
    /// [`NnError::Autograd`] for data of another width.
    pub fn forward(&self, graph: &mut Graph, x: Value) -> Result<Forward, NnError> {
        let mut hidden = Vec::new();
        let mut rows = x;
        for (n, &(weight, bias)) in self.layers.iter().enumerate() {
            rows = graph.dense(rows, weight, bias)?;
            if n + 1 < self.layers.len() {
                rows = self.activation.record(graph, rows)?;
                hidden.push(rows);
            }
        }
        Ok(Forward { hidden, outputs: rows })
    }

    /// The weights of all layers, without biases: what L2 decay takes.
    pub fn weights(&self) -> Vec<Value> {
        self.layers.iter().map(|&(weight, _)| weight).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::autograd::{Entry, Plan};
    use crate::backend::{EntryId, Reference};

    #[test]
    fn every_layer_but_the_last_is_activated() {
        let architecture = Architecture {
            inputs: 1,
            hidden: vec![1, 1],
            outputs: 1,
            activation: Activation::Relu,
            bias: false,
        };
        let mut graph = Graph::new(1).unwrap();
        let space = graph.rows(2).unwrap();
        let x = graph.input("x", space, 1, false).unwrap();
        let network = Network::record(&mut graph, &architecture).unwrap();
        let forward = network.forward(&mut graph, x).unwrap();
        let [first, second] = forward.hidden[..] else {
            panic!("{} hidden layers", forward.hidden.len())
        };
        let entry = Entry {
            outputs: vec![first, second, forward.outputs],
            training: None,
        };
        let mut session = Plan::new(&graph, &[entry]).unwrap().start(&Reference).unwrap();
        session.write(x, &[3.0, -3.0]).unwrap();
        for (weight, value) in network.weights().into_iter().zip([2.0, 1.0, -1.0]) {
            session.write(weight, &[value]).unwrap();
        }
        session.evaluate(EntryId(0)).unwrap();
        assert_eq!(session.read(first).unwrap(), [6.0, 0.0]);
        assert_eq!(session.read(second).unwrap(), [6.0, 0.0]);
        assert_eq!(session.read(forward.outputs).unwrap(), [-6.0, 0.0]);
    }
}
