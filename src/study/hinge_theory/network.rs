//! The model on the engine: one graph with four entry points.
//!
//! margin = y alpha (f - f_0), f = (1/(M sqrt d)) a . sigma(W x); objective = (1/(alpha N)) sum max(0, h - margin) over the
//! examples that are looked at, which are all that are not certainly satisfied. 1 / sqrt d stands outside sigma, which is
//! homogeneous. f_0 is a number per example, 0 unless the initial output is subtracted.

use super::examples::Examples;
use super::model::Unit;
use super::nodes::Nodes;
use super::simulation::Setting;
use crate::autograd::{AutogradError, Entry, Graph, Plan, Session, Training, Value};
use crate::backend::kernel::UpdateRule;
use crate::backend::{Backend, EntryId, RowSpace, Step};
use crate::study::StudyError;
use crate::train::TrainError;

/// Looks and learns.
const LEARN: EntryId = EntryId(0);
/// Looks.
const LOOK: EntryId = EntryId(1);
/// The initial output of all training examples.
const START: EntryId = EntryId(2);
/// The output of the test examples.
const TEST: EntryId = EntryId(3);

/// The network with its data.
pub struct Network {
    session: Session,
    looked: RowSpace,
    rows: Value,
    samples: Value,
    labels: Value,
    /// f_0 of the training examples.
    offset: Value,
    /// f_0 as the initial weights give it.
    start: Value,
    margin: Value,
    test: Value,
    w: Value,
    a: Value,
    /// f_0 of the test examples; empty: 0.
    test_offset: Vec<f64>,
    test_labels: Vec<u32>,
    learning_rate: f64,
    subtract: bool,
    steps: u64,
}

/// Records f(x).
fn output(graph: &mut Graph, x: Value, (w, a): (Value, Value), setting: &Setting) -> Result<Value, AutogradError> {
    let z = graph.dense(x, w, None)?;
    let z = match setting.model.unit {
        Unit::Relu => graph.relu(z)?,
        Unit::Linear => z,
    };
    let sum = graph.dense(z, a, None)?;
    graph.scale(sum, setting.output_scale())
}

impl Network {
    /// Records and loads the model and writes nodes and data.
    ///
    /// # Errors
    /// [`StudyError::Train`] from the engine.
    pub fn new(
        setting: &Setting,
        start: &Nodes,
        train: &Examples,
        test: &Examples,
        backend: &dyn Backend,
    ) -> Result<Network, StudyError> {
        let model = &setting.model;
        let (d, m, n) = (model.dimension, setting.nodes, train.labels.len());
        let record = || -> Result<Network, AutogradError> {
            let mut graph = Graph::new(1)?;
            let all = graph.rows(n)?;
            let looked = graph.rows(n)?;
            let tested = graph.rows(test.labels.len().max(1))?;
            let samples = graph.input("samples", all, d, false)?;
            let labels = graph.index("labels", all, 2, false)?;
            let offset = graph.input("initial output", all, 1, false)?;
            let test_samples = graph.input("test samples", tested, d, false)?;
            let rows = graph.index("rows", looked, n, false)?;
            let w = graph.parameter("w", m, d)?;
            let a = graph.parameter("a", 1, m)?;
            let w0 = graph.frozen_parameter("initial w", m, d)?;
            let a0 = graph.frozen_parameter("initial a", 1, m)?;

            let x = graph.gather(samples, rows)?;
            let y = graph.gather(labels, rows)?;
            let f0 = graph.gather(offset, rows)?;
            let f = output(&mut graph, x, (w, a), setting)?;
            let moved = graph.subtract(f, f0)?;
            let scaled = graph.scale(moved, model.alpha)?;
            let margin = graph.margin(scaled, y)?;
            let loss = graph.hinge(margin, model.threshold)?;
            let sum = graph.sum_over_rows(loss, None)?;
            let objective = graph.scale(sum, 1.0 / (model.alpha * n as f64))?;
            let start_output = output(&mut graph, samples, (w0, a0), setting)?;
            let test_output = output(&mut graph, test_samples, (w, a), setting)?;
            let rule = UpdateRule::Sgd {
                momentum: 0.0,
                nesterov: false,
                weight_decay: 0.0,
            };
            let entry = |output, training| Entry {
                outputs: vec![output],
                training,
            };
            let training = Training {
                objective,
                rule: Some(rule),
            };
            let entries = [
                entry(margin, Some(training)),
                entry(margin, None),
                entry(start_output, None),
                entry(test_output, None),
            ];
            let mut session = Plan::new(&graph, &entries)?.start(backend)?;
            for (value, numbers) in [(w, &start.w), (w0, &start.w), (a, &start.a), (a0, &start.a)] {
                session.write(value, numbers)?;
            }
            if !test.labels.is_empty() {
                session.write(test_samples, &test.x)?;
            }
            Ok(Network {
                session,
                looked,
                rows,
                samples,
                labels,
                offset,
                start: start_output,
                margin,
                test: test_output,
                w,
                a,
                test_offset: Vec::new(),
                test_labels: test.labels.clone(),
                learning_rate: model.beta * m as f64,
                subtract: setting.subtract,
                steps: 0,
            })
        };
        let mut network = record().map_err(TrainError::from)?;
        if setting.subtract && !network.test_labels.is_empty() {
            network.test_offset = network.test_outputs()?;
        }
        network.write_examples(train)?;
        Ok(network)
    }

    /// Writes training examples, as many as there were.
    ///
    /// # Errors
    /// [`StudyError::Train`] from the engine.
    pub fn write_examples(&mut self, train: &Examples) -> Result<(), StudyError> {
        let mut write = || -> Result<(), AutogradError> {
            self.session.write(self.samples, &train.x)?;
            self.session.write_index(self.labels, &train.labels)?;
            if self.subtract {
                self.session.evaluate(START)?;
                let offset = self.session.read(self.start)?;
                self.session.write(self.offset, &offset)?;
            }
            Ok(())
        };
        Ok(write().map_err(TrainError::from)?)
    }

    /// The margins of these examples, and a step along their gradient if `learn`.
    ///
    /// # Errors
    /// [`StudyError::Train`] from the engine.
    pub fn look(&mut self, examples: &[u32], learn: bool) -> Result<Vec<f64>, StudyError> {
        if examples.is_empty() {
            return Ok(Vec::new());
        }
        let mut run = || -> Result<Vec<f64>, AutogradError> {
            self.session.set_rows(self.looked, examples.len())?;
            self.session.write_index(self.rows, examples)?;
            if learn {
                self.steps += 1;
                let step = Step {
                    learning_rate: self.learning_rate,
                    number: self.steps,
                };
                self.session.run(LEARN, step)?;
            } else {
                self.session.evaluate(LOOK)?;
            }
            self.session.read(self.margin)
        };
        Ok(run().map_err(TrainError::from)?)
    }

    /// The nodes as they are.
    ///
    /// # Errors
    /// [`StudyError::Train`] from the engine.
    pub fn nodes(&self) -> Result<Nodes, StudyError> {
        let read = |value| self.session.read(value).map_err(TrainError::from);
        Ok(Nodes {
            a: read(self.a)?,
            w: read(self.w)?,
        })
    }

    /// Goes on from these nodes.
    ///
    /// # Errors
    /// [`StudyError::Train`] from the engine.
    pub fn write_nodes(&mut self, nodes: &Nodes) -> Result<(), StudyError> {
        self.session.write(self.w, &nodes.w).map_err(TrainError::from)?;
        Ok(self.session.write(self.a, &nodes.a).map_err(TrainError::from)?)
    }

    fn test_outputs(&mut self) -> Result<Vec<f64>, StudyError> {
        self.session.evaluate(TEST).map_err(TrainError::from)?;
        Ok(self.session.read(self.test).map_err(TrainError::from)?)
    }

    /// Misclassified fraction of the test examples; an output of 0 is misclassified. NaN without test examples.
    ///
    /// # Errors
    /// [`StudyError::Train`] from the engine.
    pub fn test_error(&mut self) -> Result<f64, StudyError> {
        if self.test_labels.is_empty() {
            return Ok(f64::NAN);
        }
        let outputs = self.test_outputs()?;
        let offsets = self.test_offset.iter().copied().chain(std::iter::repeat(0.0));
        let wrong = outputs
            .iter()
            .zip(offsets)
            .zip(&self.test_labels)
            .filter(|((f, f0), y)| {
                let moved = *f - f0;
                !(if **y == 1 { moved > 0.0 } else { moved < 0.0 })
            });
        Ok(wrong.count() as f64 / self.test_labels.len() as f64)
    }
}
