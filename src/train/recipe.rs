//! What is trained on what.

use super::error::TrainError;
use super::passes::Extras;
use crate::backend::kernel::UpdateRule;
use crate::nn::network::Parameters;
use crate::nn::{Activation, Architecture, Initializer, Loss, Schedule};

/// Rows of data with a class each.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    /// `[labels.len(), inputs]`, row-major.
    pub features: &'a [f64],
    /// One per row, below the number of classes.
    pub labels: &'a [u32],
}

/// How many samples make a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// All of them: an epoch is one step.
    Full,
    /// So many, drawn anew without replacement in every epoch, for every replica in an order of its own. A last short
    /// batch is trained on.
    Size(usize),
}

/// The soft nearest neighbour loss of a hidden layer as a term of what is minimised: its weight times the loss of the layer's rows on the
/// unit sphere, over the samples of a step ([`Graph::soft_nearest_neighbor`](crate::autograd::Graph::soft_nearest_neighbor) has the formula).
/// A positive weight disentangles the classes there, a negative one entangles them, as N. Frosst, N. Papernot and G. Hinton do (ICML
/// 2019; they take cosine distances, which are half the squared distances on the sphere).
///
/// ```
/// use disentangle::nn::{Activation, Loss};
/// use disentangle::train::{Entanglement, Recipe};
///
/// let mut recipe = Recipe::new(10, &[20, 20], 2, Activation::Tanh, Loss::CrossEntropy);
/// // Entangles the classes in the second hidden layer; there is no third one.
/// recipe.entanglement = Some(Entanglement { weight: -0.1, layer: 1, temperature: 0.5 });
/// recipe.check()?;
/// recipe.entanglement = Some(Entanglement { weight: -0.1, layer: 2, temperature: 0.5 });
/// let wrong = recipe.check().map_err(|error| error.to_string());
/// let expected = "recipe: soft nearest neighbour loss of hidden layer 3, but the network has 2";
/// assert_eq!(wrong, Err(expected.into()));
/// # Ok::<(), disentangle::train::TrainError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entanglement {
    /// Factor of the term.
    pub weight: f64,
    /// Hidden layer, from 0.
    pub layer: usize,
    /// Temperature T, in units of squared distance on the unit sphere.
    pub temperature: f64,
}

/// How R networks are trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// The network.
    pub architecture: Architecture,
    /// Classes that the labels tell apart.
    pub classes: usize,
    /// What is minimised: its mean over the samples.
    pub loss: Loss,
    /// Lambda of an L2 decay (lambda / 2) sum w^2 over the weights, 0 for none.
    pub l2: f64,
    /// A soft nearest neighbour loss of a hidden layer, added to what is minimised.
    pub entanglement: Option<Entanglement>,
    /// How the parameters follow their gradients.
    pub rule: UpdateRule,
    /// Base learning rate.
    pub learning_rate: f64,
    /// How it changes.
    pub schedule: Schedule,
    /// Epochs in all: the schedule needs to know.
    pub epochs: usize,
    /// Samples of a step.
    pub batch: Batch,
    /// Seed of every random stream.
    pub seed: u64,
    /// Replica numbers: with the seed they fix each replica's streams.
    pub replicas: Vec<u64>,
    /// Hidden layers whose geometry is measured, from 0.
    pub layers: Vec<usize>,
}

impl Recipe {
    /// One replica of a network with these widths, trained by plain gradient descent on all samples at once: learning
    /// rate 0.1, 100 epochs, seed 0, the last hidden layer measured. Every field may be changed.
    pub fn new(inputs: usize, hidden: &[usize], classes: usize, activation: Activation, loss: Loss) -> Recipe {
        Recipe {
            architecture: Architecture {
                inputs,
                hidden: hidden.to_vec(),
                outputs: loss.outputs(classes),
                activation,
                bias: true,
            },
            classes,
            loss,
            l2: 0.0,
            entanglement: None,
            rule: UpdateRule::Sgd {
                momentum: 0.0,
                nesterov: false,
                weight_decay: 0.0,
            },
            learning_rate: 0.1,
            schedule: Schedule::Constant,
            epochs: 100,
            batch: Batch::Full,
            seed: 0,
            replicas: vec![0],
            layers: hidden.len().checked_sub(1).into_iter().collect(),
        }
    }

    /// Initial parameters of every replica, each drawn from its own stream of the seed.
    pub fn initial(&self, initializer: Initializer) -> Parameters {
        self.architecture.initial(initializer, self.seed, &self.replicas)
    }

    /// Checks the numbers that recording does not.
    ///
    /// ```
    /// use disentangle::nn::{Activation, Loss};
    /// use disentangle::train::Recipe;
    ///
    /// let mut recipe = Recipe::new(10, &[20], 2, Activation::Tanh, Loss::CrossEntropy);
    /// recipe.check()?;
    /// recipe.learning_rate = -0.1;
    /// let wrong = recipe.check().map_err(|error| error.to_string());
    /// assert_eq!(wrong, Err("recipe: learning rate -0.1, expected a positive number".into()));
    /// # Ok::<(), disentangle::train::TrainError>(())
    /// ```
    ///
    /// # Errors
    /// [`TrainError::Recipe`]
    pub fn check(&self) -> Result<(), TrainError> {
        let wrong = |detail: String| Err(TrainError::Recipe { detail });
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return wrong(format!(
                "learning rate {}, expected a positive number",
                self.learning_rate
            ));
        }
        if !(self.l2.is_finite() && self.l2 >= 0.0) {
            return wrong(format!("l2 {}, expected at least 0", self.l2));
        }
        if self.classes < 2 {
            return wrong(format!("{} classes, expected at least 2", self.classes));
        }
        if self.batch == Batch::Size(0) {
            return wrong("batch of 0 samples, expected at least 1".into());
        }
        if let Some(layer) = self.layers.iter().find(|&&l| l >= self.architecture.hidden.len()) {
            let hidden = self.architecture.hidden.len();
            let layer = layer.saturating_add(1);
            return wrong(format!("hidden layer {layer}, but the network has {hidden}"));
        }
        if let Some(term) = self.entanglement {
            let hidden = self.architecture.hidden.len();
            if !term.weight.is_finite() {
                let weight = term.weight;
                return wrong(format!(
                    "weight {weight} of the soft nearest neighbour loss, expected a number"
                ));
            }
            if term.layer >= hidden {
                let layer = term.layer.saturating_add(1);
                return wrong(format!(
                    "soft nearest neighbour loss of hidden layer {layer}, but the network has {hidden}"
                ));
            }
        }
        let widths = [
            &[self.architecture.inputs],
            &self.architecture.hidden[..],
            &[self.architecture.outputs],
        ]
        .concat();
        let bytes = |layer: &[usize; 2]| {
            let copies = layer
                .iter()
                .try_fold(8 * self.replicas.len().max(1), |n, width| n.checked_mul(*width));
            copies.is_some_and(|n| n <= isize::MAX as usize)
        };
        if let Some([inputs, units]) = widths.array_windows().find(|layer| !bytes(layer)) {
            return wrong(format!(
                "a layer of {inputs} inputs and {units} units, expected weights that fit into memory"
            ));
        }
        let outputs = self.loss.outputs(self.classes);
        let found = self.architecture.outputs;
        if found != outputs && !(found == 2 && outputs == 1) {
            return wrong(format!(
                "{found} outputs, expected {outputs} for {} classes and {}",
                self.classes, self.loss
            ));
        }
        Ok(())
    }

    /// Checks that samples fit the recipe.
    ///
    /// # Errors
    /// [`TrainError::Samples`]
    pub(super) fn check_samples(&self, samples: Samples) -> Result<(), TrainError> {
        let (rows, inputs) = (samples.labels.len(), self.architecture.inputs);
        let wrong = |detail: String| Err(TrainError::Samples { detail });
        if rows == 0 {
            return wrong("none, expected at least one".into());
        }
        if rows.checked_mul(inputs) != Some(samples.features.len()) {
            return wrong(format!(
                "{} numbers for {rows} samples of {inputs} inputs",
                samples.features.len()
            ));
        }
        if let Some(label) = samples.labels.iter().find(|&&l| l as usize >= self.classes) {
            return wrong(format!("label {label}, expected below {}", self.classes));
        }
        Ok(())
    }

    /// Checks that what the replicas have of their own fits the samples.
    ///
    /// # Errors
    /// [`TrainError::Samples`]
    pub(super) fn check_extras(&self, samples: Samples, extras: &Extras) -> Result<(), TrainError> {
        let wrong = |detail: String| Err(TrainError::Samples { detail });
        let (replicas, rows) = (self.replicas.len(), samples.labels.len());
        let expected = replicas.checked_mul(rows);
        if let Some(weights) = extras.weights {
            if expected != Some(weights.len()) {
                return wrong(format!(
                    "{} weights for {replicas} replicas of {rows} samples",
                    weights.len()
                ));
            }
            if let Some(weight) = weights.iter().find(|w| !(w.is_finite() && **w >= 0.0)) {
                return wrong(format!("weight {weight}, expected at least 0"));
            }
        }
        if let Some(labels) = extras.labels {
            if expected != Some(labels.len()) {
                return wrong(format!(
                    "{} labels for {replicas} replicas of {rows} samples",
                    labels.len()
                ));
            }
            if let Some(label) = labels.iter().find(|&&l| l as usize >= self.classes) {
                return wrong(format!("label {label}, expected below {}", self.classes));
            }
        }
        Ok(())
    }
}
