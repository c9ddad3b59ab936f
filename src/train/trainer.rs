//! Training with measurements on the way.
//!
//! With full batches the forward pass of step t + 1 is the measurement after t epochs, so measuring costs no second pass;
//! only the last row needs one of its own. With mini-batches every epoch begins with a measuring pass over all samples.

use super::error::TrainError;
use super::passes::{Extras, MiniBatch, Pass, record_batch, record_pass, with_decay, with_entanglement};
use super::recipe::{Batch, Recipe, Samples};
use crate::autograd::{AutogradError, Entry, Graph, OptimizerStates, Plan, Session, Training, Value};
use crate::backend::{Backend, EntryId, Step};
use crate::data::streams::{Stream, generator, shuffle};
use crate::geometry::ClassMoments;
use crate::nn::loss::Truth;
use crate::nn::network::{Network, Parameters};

/// The state of the replicas at one time, measured on all training samples.
///
/// ```
/// use disentangle::backend::Reference;
/// use disentangle::nn::{Activation, Loss};
/// use disentangle::train::{Measurement, Recipe, Samples, Trainer};
///
/// // Two linear hidden units that copy two inputs, and outputs that are 0 whatever they read.
/// let mut recipe = Recipe::new(2, &[2], 2, Activation::Identity, Loss::CrossEntropy);
/// recipe.architecture.bias = false;
/// let samples = Samples { features: &[3.0, 4.0, 0.0, 0.0], labels: &[0, 1] };
/// let copy = vec![1.0, 0.0, 0.0, 1.0];
/// let initial = vec![("0.weight".to_string(), copy), ("2.weight".to_string(), vec![0.0; 4])];
/// let mut trainer = Trainer::new(recipe, samples, None, &initial, &Reference)?;
/// let Measurement { loss, error, moments, zero_rows } = trainer.measure()?;
/// // Both classes are as likely, and ties go to the first.
/// assert!((loss[0] - 2f64.ln()).abs() < 1e-12);
/// assert_eq!(error, [0.5]);
/// // (3, 4) / 5 is the one member of class 0; the other row has no direction.
/// assert!((moments[0][0][0].sum[0] - 0.6).abs() < 1e-12);
/// assert_eq!(zero_rows, [[1.0]]);
/// # Ok::<(), disentangle::train::TrainError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// Mean loss of each replica, without L2 decay and the soft nearest neighbour loss.
    pub loss: Vec<f64>,
    /// Misclassified fraction of each replica.
    pub error: Vec<f64>,
    /// Per measured layer, replica and class: moments of the rows on the unit sphere.
    pub moments: Vec<Vec<Vec<ClassMoments>>>,
    /// Per measured layer and replica: rows that are zero and stay so on the sphere.
    pub zero_rows: Vec<Vec<f64>>,
}

/// A trainer between two epochs.
///
/// ```
/// use disentangle::backend::Reference;
/// use disentangle::nn::{Activation, Loss};
/// use disentangle::train::{Recipe, Samples, Snapshot, Trainer};
///
/// // One weight and one sample: the step is -0.1 dl/dw = 0.1 / (1 + e^0) of l = log(1 + e^-w) at w = 0.
/// let mut recipe = Recipe::new(1, &[], 2, Activation::Identity, Loss::Logistic);
/// recipe.architecture.bias = false;
/// let samples = Samples { features: &[1.0], labels: &[1] };
/// let initial = vec![("0.weight".to_string(), vec![0.0])];
/// let mut trainer = Trainer::new(recipe, samples, None, &initial, &Reference)?;
/// trainer.advance()?;
/// let Snapshot { epoch, steps, parameters, .. } = trainer.snapshot()?;
/// assert_eq!((epoch, steps, parameters[0].0.as_str()), (1, 1, "0.weight"));
/// assert!((parameters[0].1[0] - 0.05).abs() < 1e-12);
/// # Ok::<(), disentangle::train::TrainError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Epochs done.
    pub epoch: usize,
    /// Optimiser steps done.
    pub steps: u64,
    /// The parameters, by name.
    pub parameters: Parameters,
    /// What the optimiser carries from step to step.
    pub states: OptimizerStates,
}

/// R networks in training.
///
/// ```
/// use disentangle::backend::Reference;
/// use disentangle::nn::{Activation, Loss};
/// use disentangle::train::{Recipe, Samples, Trainer};
///
/// // One hidden unit doubles the one input, and the output is the unit less 3.
/// let recipe = Recipe::new(1, &[1], 2, Activation::Identity, Loss::Logistic);
/// let weights = [("0.weight", 2.0), ("0.bias", 0.0), ("2.weight", 1.0), ("2.bias", -3.0)];
/// let initial = weights.map(|(name, value)| (name.to_string(), vec![value])).to_vec();
/// let train = Samples { features: &[1.0, 2.0], labels: &[0, 1] };
/// // Outputs -1, 3 and 5: class 1 from 1.5 on, so the first test sample is called 0.
/// let test = Samples { features: &[1.0, 3.0, 4.0], labels: &[1, 1, 1] };
/// let mut trainer = Trainer::with_hidden(recipe.clone(), train, Some(test), &initial, &Reference)?;
/// assert_eq!((trainer.epoch(), trainer.recipe()), (0, &recipe));
/// assert_eq!(trainer.measure()?.error, [0.0]);
/// assert_eq!(trainer.test_error()?, Some(vec![1.0 / 3.0]));
/// assert_eq!(trainer.hidden(0)?, [2.0, 4.0]);
/// assert_eq!(trainer.outputs()?, [-1.0, 1.0]);
/// # Ok::<(), disentangle::train::TrainError>(())
/// ```
pub struct Trainer {
    recipe: Recipe,
    session: Session,
    train: Pass,
    test: Option<Pass>,
    batch: Option<MiniBatch>,
    /// Per measured layer: moments, zero rows.
    probes: Vec<(Value, Value)>,
    /// The measured layers.
    hidden: Vec<Value>,
    rows: usize,
    epoch: usize,
    steps: u64,
}

const MEASURE: EntryId = EntryId(0);
const STEP: EntryId = EntryId(1);
const TEST: EntryId = EntryId(2);

impl Trainer {
    /// Records, plans and loads a recipe, and writes the samples and the initial parameters.
    ///
    /// # Errors
    /// [`TrainError`] for a recipe, samples or parameters that do not fit.
    pub fn new(
        recipe: Recipe,
        train: Samples,
        test: Option<Samples>,
        initial: &Parameters,
        backend: &dyn Backend,
    ) -> Result<Trainer, TrainError> {
        let extras = Extras {
            test,
            ..Extras::default()
        };
        Trainer::with(recipe, train, initial, backend, extras)
    }

    /// As [`Trainer::new`], and holds the measured hidden layers of all training samples for [`Trainer::hidden`].
    ///
    /// # Errors
    /// Those of [`Trainer::new`].
    pub fn with_hidden(
        recipe: Recipe,
        train: Samples,
        test: Option<Samples>,
        initial: &Parameters,
        backend: &dyn Backend,
    ) -> Result<Trainer, TrainError> {
        let extras = Extras {
            test,
            holds_hidden: true,
            ..Extras::default()
        };
        Trainer::with(recipe, train, initial, backend, extras)
    }

    /// As [`Trainer::new`], with all that a trainer can have.
    ///
    /// ```
    /// use disentangle::backend::Reference;
    /// use disentangle::nn::{Activation, Loss};
    /// use disentangle::train::{Extras, Recipe, Samples, Trainer};
    ///
    /// // The output is the input, so that -1 is called class 0 and 2 class 1; in this replica both are of class 1.
    /// let mut recipe = Recipe::new(1, &[], 2, Activation::Identity, Loss::Logistic);
    /// recipe.architecture.bias = false;
    /// let samples = Samples { features: &[-1.0, 2.0], labels: &[0, 1] };
    /// let initial = vec![("0.weight".to_string(), vec![1.0])];
    /// let extras = Extras { labels: Some(&[1, 1]), ..Extras::default() };
    /// let mut trainer = Trainer::with(recipe, samples, &initial, &Reference, extras)?;
    /// assert_eq!(trainer.measure()?.error, [0.5]);
    /// # Ok::<(), disentangle::train::TrainError>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Trainer::new`]; [`TrainError::Samples`] for weights or labels that do not fit.
    pub fn with(
        recipe: Recipe,
        train: Samples,
        initial: &Parameters,
        backend: &dyn Backend,
        extras: Extras,
    ) -> Result<Trainer, TrainError> {
        recipe.check()?;
        recipe.check_samples(train)?;
        recipe.check_extras(train, &extras)?;
        let test = extras.test;
        let mut graph = Graph::new(recipe.replicas.len())?;
        let network = Network::record(&mut graph, &recipe.architecture)?;
        let rows = train.labels.len();
        let (pass, hidden) = record_pass(&mut graph, &network, &recipe, "train", rows, Some(&extras))?;
        #[expect(
            clippy::indexing_slicing,
            reason = "`Recipe::check` has refused layers that are not there"
        )]
        let measured_layers: Vec<Value> = recipe.layers.iter().map(|&layer| hidden[layer]).collect();
        let mut probes = Vec::new();
        for &layer in &measured_layers {
            let unit = graph.row_normalize(layer)?;
            probes.push((
                graph.class_moments(unit, pass.labels, recipe.classes, pass.weights)?,
                graph.zero_rows(unit)?,
            ));
        }
        let measured: Vec<Value> = [pass.loss, pass.errors, pass.outputs]
            .into_iter()
            .chain(probes.iter().flat_map(|&(moments, zero_rows)| [moments, zero_rows]))
            .chain(measured_layers.iter().copied().filter(|_| extras.holds_hidden))
            .collect();
        let measure = Entry {
            outputs: measured.clone(),
            training: None,
        };

        let (batch, step) = match recipe.batch {
            Batch::Size(size) if size < rows => {
                let (batch, loss) = record_batch(&mut graph, &network, &recipe, &pass, rows, size, &extras)?;
                let objective = with_decay(&mut graph, &network, &recipe, loss)?;
                let training = Training {
                    objective,
                    rule: Some(recipe.rule),
                };
                (
                    Some(batch),
                    Entry {
                        outputs: vec![],
                        training: Some(training),
                    },
                )
            }
            _ => {
                let rows = (pass.labels, pass.weights);
                let loss = with_entanglement(&mut graph, &recipe, pass.loss, &hidden, rows)?;
                let objective = with_decay(&mut graph, &network, &recipe, loss)?;
                let training = Training {
                    objective,
                    rule: Some(recipe.rule),
                };
                (
                    None,
                    Entry {
                        outputs: measured,
                        training: Some(training),
                    },
                )
            }
        };
        let mut entries = vec![measure, step];
        let test_pass = match test {
            None => None,
            Some(samples) => {
                recipe.check_samples(samples)?;
                let (pass, _) = record_pass(&mut graph, &network, &recipe, "test", samples.labels.len(), None)?;
                entries.push(Entry {
                    outputs: vec![pass.errors],
                    training: None,
                });
                Some(pass)
            }
        };

        let mut session = Plan::new(&graph, &entries)?.start(backend)?;
        let own = Samples {
            labels: extras.labels.unwrap_or(train.labels),
            ..train
        };
        for (pass, samples) in [(Some(&pass), Some(own)), (test_pass.as_ref(), test)] {
            if let (Some(pass), Some(samples)) = (pass, samples) {
                session.write(pass.x, samples.features)?;
                session.write_index(pass.labels, samples.labels)?;
                if let Truth::Targets(targets) = pass.truth {
                    session.write(targets, &recipe.loss.targets(samples.labels, recipe.classes))?;
                }
            }
        }
        if let (Some(weights), Some(values)) = (pass.weights, extras.weights) {
            session.write(weights, values)?;
        }
        let mut trainer = Trainer {
            recipe,
            session,
            train: pass,
            test: test_pass,
            batch,
            probes,
            hidden: measured_layers,
            rows,
            epoch: 0,
            steps: 0,
        };
        trainer.write_parameters(initial)?;
        Ok(trainer)
    }

    /// Epochs done.
    pub fn epoch(&self) -> usize {
        self.epoch
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Measures the present state.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn measure(&mut self) -> Result<Measurement, TrainError> {
        self.session.evaluate(MEASURE)?;
        self.read_measurement()
    }

    /// Measures the present state and trains one epoch.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn advance(&mut self) -> Result<Measurement, TrainError> {
        let learning_rate = self
            .recipe
            .schedule
            .rate(self.recipe.learning_rate, self.epoch, self.recipe.epochs);
        let measurement = if self.batch.is_some() {
            let measurement = self.measure()?;
            self.run_batches(learning_rate)?;
            measurement
        } else {
            self.steps += 1;
            self.session.run(
                STEP,
                Step {
                    learning_rate,
                    number: self.steps,
                },
            )?;
            self.read_measurement()?
        };
        self.epoch += 1;
        Ok(measurement)
    }

    /// One pass over the samples in batches, each replica in its own order.
    fn run_batches(&mut self, learning_rate: f64) -> Result<(), TrainError> {
        let Some(MiniBatch {
            space,
            index,
            size,
            ref own,
        }) = self.batch
        else {
            return Ok(());
        };
        let orders: Vec<Vec<u32>> = self
            .recipe
            .replicas
            .iter()
            .map(|&replica| shuffled(self.rows, self.recipe.seed, replica, self.epoch as u64))
            .collect();
        let mut rows = Vec::with_capacity(size * orders.len());
        for start in (0..self.rows).step_by(size) {
            let end = (start + size).min(self.rows);
            rows.clear();
            #[expect(clippy::indexing_slicing, reason = "an order has all rows")]
            orders
                .iter()
                .for_each(|order| rows.extend_from_slice(&order[start..end]));
            self.session.set_rows(space, end - start)?;
            self.session.write_index(index, &rows)?;
            own.write(&mut self.session, &rows, self.rows)?;
            self.steps += 1;
            self.session.run(
                STEP,
                Step {
                    learning_rate,
                    number: self.steps,
                },
            )?;
        }
        Ok(())
    }

    fn read_measurement(&self) -> Result<Measurement, TrainError> {
        let classes = self.recipe.classes;
        let replicas = self.recipe.replicas.len();
        let (mut moments, mut zero_rows) = (Vec::new(), Vec::new());
        for (&(of_classes, zeros), &layer) in self.probes.iter().zip(&self.recipe.layers) {
            #[expect(
                clippy::indexing_slicing,
                reason = "`Recipe::check` has refused layers that are not there"
            )]
            let cols = self.recipe.architecture.hidden[layer];
            let values = self.session.read(of_classes)?;
            let per_replica = values.chunks_exact(classes * (cols + 2));
            moments.push(per_replica.map(|v| ClassMoments::from_probe(v, cols)).collect());
            zero_rows.push(self.session.read(zeros)?);
        }
        let error = fractions(&self.session.read(self.train.errors)?);
        debug_assert_eq!(error.len(), replicas);
        Ok(Measurement {
            loss: self.session.read(self.train.loss)?,
            error,
            moments,
            zero_rows,
        })
    }

    /// Misclassified fraction of the test samples in the present state, per replica; `None` without test samples.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn test_error(&mut self) -> Result<Option<Vec<f64>>, TrainError> {
        let Some(test) = &self.test else { return Ok(None) };
        self.session.evaluate(TEST)?;
        Ok(Some(fractions(&self.session.read(test.errors)?)))
    }

    /// Outputs `[replicas, rows, outputs]` on the training samples at the last measurement.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn outputs(&self) -> Result<Vec<f64>, TrainError> {
        Ok(self.session.read(self.train.outputs)?)
    }

    /// Measured hidden layer `n` (a place in [`Recipe::layers`]) on the training samples at the last measurement, after its
    /// activation: `[replicas, rows, units]`.
    ///
    /// # Errors
    /// [`TrainError`] for a trainer that was not made by [`Trainer::with_hidden`], or without such a layer.
    pub fn hidden(&self, n: usize) -> Result<Vec<f64>, TrainError> {
        let expected = "a hidden layer that is measured";
        let value = self.hidden.get(n).ok_or(AutogradError::UnknownValue { expected })?;
        Ok(self.session.read(*value)?)
    }

    /// Everything that the next epochs depend on.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn snapshot(&self) -> Result<Snapshot, TrainError> {
        let (epoch, steps) = (self.epoch, self.steps);
        Ok(Snapshot {
            epoch,
            steps,
            parameters: self.parameters()?,
            states: self.session.states()?,
        })
    }

    /// Goes back (or on) to a snapshot of a trainer of the same recipe: what follows has the same bits.
    ///
    /// # Errors
    /// [`TrainError`] for a snapshot of another network or optimiser.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), TrainError> {
        self.write_parameters(&snapshot.parameters)?;
        self.session.write_states(&snapshot.states)?;
        (self.epoch, self.steps) = (snapshot.epoch, snapshot.steps);
        Ok(())
    }

    /// Writes parameters in the network's order.
    fn write_parameters(&mut self, parameters: &Parameters) -> Result<(), TrainError> {
        let own = self.session.parameters().to_vec();
        if !own
            .iter()
            .map(|(name, _)| name)
            .eq(parameters.iter().map(|(name, _)| name))
        {
            return Err(AutogradError::UnknownValue {
                expected: "the network's parameters in its order",
            }
            .into());
        }
        for ((_, value), (_, values)) in own.iter().zip(parameters) {
            self.session.write(*value, values)?;
        }
        Ok(())
    }

    /// The parameters as they are now, by name, each `[replicas, rows, cols]`.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn parameters(&self) -> Result<Parameters, TrainError> {
        let named = self.session.parameters().iter();
        named
            .map(|(name, value)| Ok((name.clone(), self.session.read(*value)?)))
            .collect()
    }
}

/// (misclassified, rows) per replica to fractions.
fn fractions(counts: &[f64]) -> Vec<f64> {
    let (counts, _) = counts.as_chunks();
    counts.iter().map(|&[wrong, rows]| wrong / rows).collect()
}

/// The order of the samples in a replica's epoch, from the replica's stream of that epoch.
fn shuffled(rows: usize, seed: u64, replica: u64, epoch: u64) -> Vec<u32> {
    let mut rng = generator(seed, Stream::Shuffle { replica, epoch });
    let mut order: Vec<u32> = (0..rows as u32).collect();
    shuffle(&mut order, &mut rng);
    order
}
