//! A network in training beside which the theory is laid.
//!
//! Full-batch gradient descent, one step per unit of time. Time t is the state after t steps; it is measured by the forward pass
//! of step t + 1. With fixed data, examples that are certainly satisfied are not looked at ([`skip`](super::skip)).

use super::examples::{Examples, teacher};
use super::model::{Model, Moments};
use super::network::Network;
use super::nodes::{Initial, Nodes, measured_gamma};
use super::skip::Skip;
use crate::backend::Backend;
use crate::study::StudyError;
use crate::study::inversion::Wish;

/// One network and its data.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// What the theory knows.
    pub model: Model,
    /// M
    pub nodes: usize,
    /// N
    pub examples: usize,
    /// Fresh examples that the test error is taken on; 0 for none.
    pub test_examples: usize,
    /// Steps.
    pub steps: usize,
    /// How the nodes start.
    pub initial: Initial,
    /// Whether f - f_0 is trained instead of f.
    pub subtract: bool,
    /// Whether every step has new examples.
    pub fresh: bool,
    /// Seed of every stream.
    pub seed: u64,
    /// The replica's number.
    pub replica: u64,
    /// About how many states are recorded, spaced by equal factors.
    pub records: usize,
}

impl Setting {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`StudyError::Option`] that names what is out of range.
    pub fn check(&self) -> Result<(), StudyError> {
        self.model.check()?;
        let wrong = |detail: String| Err(StudyError::Option { detail });
        let group = self.initial.group();
        if self.nodes == 0 || !self.nodes.is_multiple_of(group) {
            let name = self.initial.name();
            let expected = if group == 1 {
                "at least 1".to_string()
            } else {
                format!("a multiple of {group} with --initial {name}")
            };
            return wrong(format!("--nodes {}: expected {expected}", self.nodes));
        }
        if self.examples == 0 {
            return wrong("--samples 0: expected at least 1".into());
        }
        let numbers = (self.examples.max(self.test_examples) as f64) * self.model.dimension as f64;
        if u32::try_from(self.examples).is_err() || numbers > MOST_NUMBERS {
            return wrong(format!(
                "--samples {} in {} dimensions: expected at most {MOST_NUMBERS:.0e} numbers",
                self.examples, self.model.dimension
            ));
        }
        if self.steps == 0 || self.steps > MOST_STEPS {
            return wrong(format!("--steps {}: expected 1 to {MOST_STEPS}", self.steps));
        }
        if !(2..=MOST_RECORDS).contains(&self.records) {
            return wrong(format!("--records {}: expected 2 to {MOST_RECORDS}", self.records));
        }
        Ok(())
    }

    /// 1 / (M sqrt d)
    pub fn output_scale(&self) -> f64 {
        1.0 / (self.nodes as f64 * (self.model.dimension as f64).sqrt())
    }

    /// The steps at which the state is recorded: 0, the last, and about [`Setting::records`] between them.
    pub fn record_steps(&self) -> Vec<usize> {
        let last = self.steps as f64;
        let count = self.records.max(2);
        let of = |i: usize| last.powf(i as f64 / (count - 1) as f64).round() as usize;
        let mut steps: Vec<usize> = std::iter::once(0).chain((0..count).map(of)).collect();
        steps.push(self.steps);
        steps.dedup();
        steps
    }

    /// Floating-point operations of a look at one example with its gradient.
    pub fn flops_per_look(&self) -> f64 {
        let (m, d) = (self.nodes as f64, self.model.dimension as f64);
        4.0 * m * d + 7.0 * m
    }
}

/// Numbers of a data set: 16 GB as the host holds them.
const MOST_NUMBERS: f64 = 2e9;
/// States of a run.
const MOST_RECORDS: usize = 10_000;
/// Steps of a run.
const MOST_STEPS: usize = 100_000_000;

/// The state after some steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Steps done.
    pub step: usize,
    /// Median over the nodes ([`measured_gamma`]).
    pub gamma: f64,
    /// Fraction of the training examples below the threshold.
    pub unsatisfied: f64,
    /// Training loss.
    pub loss: f64,
    /// Misclassified fraction of the training examples, by their given labels.
    pub train_error: f64,
    /// Misclassified fraction of the test examples; NaN if there are none.
    pub test_error: f64,
    /// Fraction of the training examples that was looked at in this step.
    pub looked: f64,
    /// (a_i, w_par,i) of every node.
    pub plane: Vec<(f64, f64)>,
    /// |w_i|^2 of every node.
    pub squared_norms: Vec<f64>,
}

/// What a run leaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The network and its data.
    pub setting: Setting,
    /// Moments of its initial nodes.
    pub moments: Moments,
    /// States, in order.
    pub records: Vec<Record>,
    /// Projection of each training example, and the first time at which it was satisfied; NaN: never. Empty for fresh data.
    pub satisfied: Vec<(f64, f64)>,
    /// Looks at an example with its gradient, in all steps.
    pub looks: f64,
}

/// A run between two steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Steps done.
    pub step: usize,
    /// The nodes.
    pub nodes: Nodes,
    /// The state of [`Skip`]; empty for fresh data.
    pub skip: Vec<f64>,
    /// First time at which each example was satisfied.
    pub first: Vec<f64>,
    /// States so far.
    pub records: Vec<Record>,
    /// Looks so far.
    pub looks: f64,
}

/// Where a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Steps done.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// Fraction of unsatisfied examples.
    pub unsatisfied: f64,
}

/// Who watches a run.
pub trait Watcher {
    /// Told after each step.
    fn step(&mut self, progress: Progress) -> Wish;

    /// Given a snapshot when it wished for one.
    ///
    /// # Errors
    /// Ends the run.
    fn save(&mut self, snapshot: &Snapshot) -> Result<(), StudyError>;
}

/// A watcher that lets a run be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watcher for Unwatched {
    fn step(&mut self, _: Progress) -> Wish {
        Wish::Continue
    }

    fn save(&mut self, _: &Snapshot) -> Result<(), StudyError> {
        Ok(())
    }
}

/// The data of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    /// To learn.
    pub train: Examples,
    /// To test.
    pub test: Examples,
    /// w*, of length 1.
    pub direction: Vec<f64>,
}

impl Data {
    /// The teacher's.
    pub fn of_teacher(setting: &Setting) -> Data {
        let Setting {
            model, seed, replica, ..
        } = setting;
        Data {
            train: Examples::of_step(model, setting.examples, *seed, *replica, 0),
            test: Examples::for_test(model, setting.test_examples, *seed, *replica),
            direction: teacher(model.dimension),
        }
    }
}

/// Runs a teacher's setting. `None` if the watcher interrupted it.
///
/// # Errors
/// [`StudyError::Option`] for a setting out of range, [`StudyError::Train`] from the engine, and what `save` returns.
pub fn run(
    setting: &Setting,
    backend: &dyn Backend,
    from: Option<Snapshot>,
    watcher: &mut dyn Watcher,
) -> Result<Option<Outcome>, StudyError> {
    setting.check()?;
    run_on(setting, &Data::of_teacher(setting), backend, from, watcher)
}

/// [`run`] on data of one's own, which stay the same in all steps.
///
/// # Errors
/// As [`run`].
pub fn run_on(
    setting: &Setting,
    data: &Data,
    backend: &dyn Backend,
    from: Option<Snapshot>,
    watcher: &mut dyn Watcher,
) -> Result<Option<Outcome>, StudyError> {
    setting.check()?;
    let Data { train, test, direction } = data;
    let model = &setting.model;
    let n = train.labels.len();
    let start = Nodes::draw(setting.initial, setting.nodes, direction, setting.seed, setting.replica);
    let plane = start.plane(direction);
    let mut network = Network::new(setting, &start, train, test, backend)?;
    let mut skip = Skip::new(&train.x, direction, model.alpha * setting.output_scale());
    let mut state = match from {
        Some(snapshot) => {
            network.write_nodes(&snapshot.nodes)?;
            skip.restore(&snapshot.skip, setting.nodes, direction.len());
            snapshot
        }
        None => Snapshot {
            step: 0,
            nodes: start,
            skip: Vec::new(),
            first: vec![f64::NAN; if setting.fresh { 0 } else { n }],
            records: Vec::new(),
            looks: 0.0,
        },
    };
    let everything: Vec<u32> = (0..n as u32).collect();
    let record_steps = setting.record_steps();
    loop {
        let t = state.step;
        let records = record_steps.binary_search(&t).is_ok();
        let test_error = if records { network.test_error()? } else { f64::NAN };
        let due = if setting.fresh {
            if t > 0 {
                network.write_examples(&Examples::of_step(model, n, setting.seed, setting.replica, t as u64))?;
            }
            everything.clone()
        } else {
            skip.due(&state.nodes.a, &state.nodes.w, direction)
        };
        let margins = network.look(&due, t < setting.steps)?;
        state.looks += due.len() as f64;
        let (mut unsatisfied, mut wrong, mut loss) = (0usize, 0usize, 0.0);
        for (&example, &margin) in due.iter().zip(&margins) {
            let above = margin - model.threshold;
            wrong += usize::from(margin <= 0.0 || margin.is_nan());
            if above >= 0.0 {
                skip.looked(example as usize, above);
                if let Some(first) = state.first.get_mut(example as usize)
                    && first.is_nan()
                {
                    *first = t as f64;
                }
            } else {
                unsatisfied += 1;
                loss -= above;
            }
        }
        let unsatisfied = unsatisfied as f64 / n as f64;
        if records {
            let now = state.nodes.plane(direction);
            state.records.push(Record {
                step: t,
                gamma: measured_gamma(&plane, &now),
                unsatisfied,
                loss: loss / (model.alpha * n as f64),
                train_error: wrong as f64 / n as f64,
                test_error,
                looked: due.len() as f64 / n as f64,
                plane: now,
                squared_norms: state.nodes.squared_norms(direction.len()),
            });
        }
        let wish = watcher.step(Progress {
            step: t,
            steps: setting.steps,
            unsatisfied,
        });
        if t == setting.steps {
            break;
        }
        state.nodes = network.nodes()?;
        state.step = t + 1;
        if wish != Wish::Continue {
            state.skip = skip.state();
            watcher.save(&state)?;
            if wish == Wish::Interrupt {
                return Ok(None);
            }
        }
    }
    let satisfied = state
        .first
        .iter()
        .enumerate()
        .map(|(k, &first)| (skip.projection(k), first));
    Ok(Some(Outcome {
        setting: setting.clone(),
        moments: Moments::of(&plane),
        satisfied: satisfied.collect(),
        records: state.records,
        looks: state.looks,
    }))
}
