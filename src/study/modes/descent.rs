//! Networks under gradient descent on a few weighted rows: what the theory of gradient flow is compared with.
//!
//! The objective is that of the papers, a sum over the rows x of the data set with their frequencies p_x,
//! ```text
//!   L = sum_x p_x [ a l(x) + b |output(x) - centre of x's class|^2 ],
//! ```
//! with a loss l, and a = 1, b = 0 unless an [`Objective`] says otherwise. A step of plain descent with learning rate dt is
//! Euler's step of the gradient flow. Frequencies and rows may differ from replica to replica, so that a sweep over them is
//! one network with as many replicas.

use crate::autograd::{AutogradError, Entry, Graph, Plan, Session, Training, Value};
use crate::backend::kernel::UpdateRule;
use crate::backend::{Backend, EntryId, Step};
use crate::nn::loss::Truth;
use crate::nn::network::{Network, Parameters};
use crate::nn::{Architecture, Loss};
use crate::train::{Samples, TrainError};

/// Plain gradient descent.
pub const PLAIN: UpdateRule = UpdateRule::Sgd {
    momentum: 0.0,
    nesterov: false,
    weight_decay: 0.0,
};

/// What is minimised: `loss * l + penalty * |output - centre|^2`, per row.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// a, the factor of the loss.
    pub loss: f64,
    /// b, the factor of the penalty on the outputs; 0 for none.
    pub penalty: f64,
    /// `[classes, outputs]`, read if there is a penalty.
    pub centres: Vec<f64>,
}

impl Objective {
    /// The loss alone.
    pub fn loss() -> Objective {
        Objective {
            loss: 1.0,
            penalty: 0.0,
            centres: Vec::new(),
        }
    }

    /// `factor * (loss + penalty * outputs^2)`: spectral decoupling around 0.
    pub fn decoupled(factor: f64, penalty: f64, classes: usize, outputs: usize) -> Objective {
        Objective {
            loss: factor,
            penalty: factor * penalty,
            centres: vec![0.0; classes * outputs],
        }
    }
}

/// Rows to train on.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// `[rows, inputs]` for all replicas, or `[replicas, rows, inputs]`.
    pub features: &'a [f64],
    /// Class of each row.
    pub labels: &'a [u32],
    /// p_x: `[rows]` for all replicas, or `[replicas, rows]`. `None` takes 1 / rows.
    pub frequencies: Option<&'a [f64]>,
}

/// What is trained.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The network; its outputs are those that the loss wants.
    pub architecture: Architecture,
    /// The loss l.
    pub loss: Loss,
    /// Classes that the labels tell apart.
    pub classes: usize,
    /// How parameters follow their gradients.
    pub rule: UpdateRule,
    /// Networks side by side.
    pub replicas: usize,
    /// One entry point each; [`Descent::step`] takes its place in the list.
    pub objectives: Vec<Objective>,
}

/// What is recorded on a set of rows.
struct Pass {
    outputs: Value,
    loss: Value,
    errors: Value,
}

/// Means over a set of rows, one per replica.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// sum_x p_x l(x) on the training rows, the plain mean elsewhere.
    pub loss: Vec<f64>,
    /// Fraction of the rows that are right, every row counting the same.
    pub accuracy: Vec<f64>,
}

/// Networks in training.
pub struct Descent {
    session: Session,
    passes: Vec<Pass>,
    steps: u64,
}

impl Descent {
    /// Records, loads and writes everything. Further sets of rows, shared by the replicas, are only looked at.
    ///
    /// # Errors
    /// [`TrainError::Samples`] for arrays that do not fit each other; those of recording and of the backend.
    pub fn new(
        problem: &Problem,
        rows: Rows,
        others: &[Samples],
        initial: &Parameters,
        backend: &dyn Backend,
    ) -> Result<Descent, TrainError> {
        let inputs = problem.architecture.inputs;
        let count = rows.labels.len();
        let own = shared(rows.features.len(), count * inputs, problem.replicas, "features")?;
        let mut graph = Graph::new(problem.replicas)?;
        let network = Network::record(&mut graph, &problem.architecture)?;

        let space = graph.rows(count)?;
        let x = match own {
            false => graph.samples("samples", space, inputs)?,
            true => graph.input("samples", space, inputs, true)?,
        };
        let labels = graph.index("labels", space, problem.classes, false)?;
        let weights = match rows.frequencies {
            None => None,
            Some(values) => {
                let own = shared(values.len(), count, problem.replicas, "frequencies")?;
                Some((graph.input("frequencies", space, 1, own)?, values))
            }
        };
        let truth = problem
            .loss
            .truth(&mut graph, "targets", space, labels, problem.classes)?;
        let outputs = network.forward(&mut graph, x)?.outputs;
        let losses = problem.loss.of_rows(&mut graph, outputs, truth)?;
        let mean = |graph: &mut Graph, losses| match weights {
            None => graph.mean_over_rows(losses, None),
            Some((weights, _)) => graph.sum_over_rows(losses, Some(weights)),
        };
        let loss = mean(&mut graph, losses)?;
        let errors = graph.error_count(outputs, labels, None)?;
        let mut passes = vec![Pass { outputs, loss, errors }];
        let mut entries = Vec::new();
        for objective in &problem.objectives {
            let mut total = graph.scale(losses, objective.loss)?;
            if objective.penalty != 0.0 {
                let penalty = graph.logit_penalty(outputs, labels, &objective.centres)?;
                let penalty = graph.scale(penalty, objective.penalty)?;
                total = graph.add(total, penalty)?;
            }
            let objective = mean(&mut graph, total)?;
            entries.push(Entry {
                outputs: vec![],
                training: Some(Training {
                    objective,
                    rule: Some(problem.rule),
                }),
            });
        }
        let mut written = vec![(x, labels, truth, rows.features, rows.labels)];
        for (n, samples) in others.iter().enumerate() {
            if samples.labels.len().checked_mul(inputs) != Some(samples.features.len()) {
                return Err(misfit(
                    samples.features.len(),
                    samples.labels.len() * inputs,
                    "features",
                ));
            }
            let space = graph.rows(samples.labels.len())?;
            let x = graph.samples(&format!("samples {n}"), space, inputs)?;
            let labels = graph.index(&format!("labels {n}"), space, problem.classes, false)?;
            let truth = problem
                .loss
                .truth(&mut graph, &format!("targets {n}"), space, labels, problem.classes)?;
            let outputs = network.forward(&mut graph, x)?.outputs;
            let losses = problem.loss.of_rows(&mut graph, outputs, truth)?;
            let loss = graph.mean_over_rows(losses, None)?;
            let errors = graph.error_count(outputs, labels, None)?;
            passes.push(Pass { outputs, loss, errors });
            written.push((x, labels, truth, samples.features, samples.labels));
        }
        for pass in &passes {
            entries.push(Entry {
                outputs: vec![pass.outputs, pass.loss, pass.errors],
                training: None,
            });
        }

        let mut session = Plan::new(&graph, &entries)?.start(backend)?;
        for (x, labels, truth, features, classes) in written {
            session.write(x, features)?;
            session.write_index(labels, classes)?;
            if let Truth::Targets(targets) = truth {
                session.write(targets, &problem.loss.targets(classes, problem.classes))?;
            }
        }
        if let Some((value, values)) = weights {
            session.write(value, values)?;
        }
        let mut descent = Descent {
            session,
            passes,
            steps: 0,
        };
        descent.write_parameters(initial)?;
        Ok(descent)
    }

    /// One step down objective `n` of the problem.
    ///
    /// # Errors
    /// [`crate::backend::BackendError::UnknownEntry`] for an objective that there is not.
    pub fn step(&mut self, n: usize, learning_rate: f64) -> Result<(), TrainError> {
        self.steps += 1;
        let number = self.steps;
        Ok(self.session.run(EntryId(n), Step { learning_rate, number })?)
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    fn evaluate(&mut self, set: usize) -> Result<&Pass, TrainError> {
        let expected = "a set of rows of this problem";
        let pass = self.passes.get(set).ok_or(AutogradError::UnknownValue { expected })?;
        let entries = self.session.plan().program().entries.len();
        let entry = EntryId(entries - self.passes.len() + set);
        self.session.evaluate(entry)?;
        Ok(pass)
    }

    /// Outputs `[replicas, rows, outputs]` on set 0, the training rows, or on set n, the n-th of the others.
    ///
    /// # Errors
    /// [`AutogradError::UnknownValue`] for a set that there is not; those of the backend.
    pub fn outputs(&mut self, set: usize) -> Result<Vec<f64>, TrainError> {
        let outputs = self.evaluate(set)?.outputs;
        Ok(self.session.read(outputs)?)
    }

    /// Loss and accuracy on a set of rows.
    ///
    /// # Errors
    /// As [`Descent::outputs`].
    pub fn score(&mut self, set: usize) -> Result<Score, TrainError> {
        let &Pass { loss, errors, .. } = self.evaluate(set)?;
        let counts = self.session.read(errors)?;
        Ok(Score {
            loss: self.session.read(loss)?,
            accuracy: counts.chunks_exact(2).map(|c| 1.0 - c[0] / c[1]).collect(),
        })
    }

    /// The parameters by name, each `[replicas, rows, cols]`.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn parameters(&self) -> Result<Parameters, TrainError> {
        let named = self.session.parameters().iter();
        named
            .map(|(name, value)| Ok((name.clone(), self.session.read(*value)?)))
            .collect()
    }

    /// Writes parameters in the network's order.
    ///
    /// # Errors
    /// [`AutogradError::UnknownValue`] for other names; those of the backend.
    pub fn write_parameters(&mut self, parameters: &Parameters) -> Result<(), TrainError> {
        let own = self.session.parameters().to_vec();
        let names = own.iter().map(|(name, _)| name);
        if !names.eq(parameters.iter().map(|(name, _)| name)) {
            let expected = "the network's parameters in its order";
            return Err(AutogradError::UnknownValue { expected }.into());
        }
        for ((_, value), (_, values)) in own.iter().zip(parameters) {
            self.session.write(*value, values)?;
        }
        Ok(())
    }

    /// What the optimiser carries, and the steps done.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn states(&self) -> Result<(crate::autograd::OptimizerStates, u64), TrainError> {
        Ok((self.session.states()?, self.steps))
    }

    /// Writes what [`Descent::states`] gave.
    ///
    /// # Errors
    /// Those of [`Session::write_states`].
    pub fn write_states(&mut self, states: &crate::autograd::OptimizerStates, steps: u64) -> Result<(), TrainError> {
        self.session.write_states(states)?;
        self.steps = steps;
        Ok(())
    }
}

/// Whether an array is one per replica (`true`) or one for all.
fn shared(found: usize, one: usize, replicas: usize, what: &str) -> Result<bool, TrainError> {
    if found == one {
        Ok(false)
    } else if one.checked_mul(replicas) == Some(found) {
        Ok(true)
    } else {
        Err(misfit(found, one, what))
    }
}

fn misfit(found: usize, one: usize, what: &str) -> TrainError {
    TrainError::Samples {
        detail: format!("{found} numbers of {what}, expected {one}, or as many for each replica"),
    }
}
