//! A plan on a backend: values by name, gradients, replay.

use super::error::AutogradError;
use super::graph::Value;
use super::plan::Plan;
use crate::backend::{Backend, BackendError, BufferId, EntryId, Executable, RowSpace, Step};

/// What an optimiser carries from step to step: parameter name, its buffers' values in order.
pub type OptimizerStates = Vec<(String, Vec<Vec<f64>>)>;

/// A loaded plan. All slices are `[replicas, rows, cols]` (one copy if shared), row-major.
///
/// ```
/// use disentangle::autograd::{Entry, Graph, Plan, Session};
/// use disentangle::backend::{EntryId, Reference};
///
/// // The rows of a table that an index names.
/// let mut graph = Graph::new(1)?;
/// let (table, batch) = (graph.rows(3)?, graph.rows(2)?);
/// let x = graph.samples("x", table, 1)?;
/// let index = graph.index("index", batch, 3, false)?;
/// let y = graph.gather(x, index)?;
/// let plan = Plan::new(&graph, &[Entry { outputs: vec![y], training: None }])?;
/// let mut session: Session = plan.start(&Reference)?;
/// session.write(x, &[10.0, 20.0, 30.0])?;
/// session.write_index(index, &[2, 0])?;
/// session.evaluate(EntryId(0))?;
/// assert_eq!(session.read(y)?, [30.0, 10.0]);
/// // The last batch is short: it is shorter in every slice.
/// session.set_rows(batch, 1)?;
/// session.write_index(index, &[1])?;
/// session.evaluate(EntryId(0))?;
/// let mut row = [0.0];
/// session.read_into(y, &mut row)?;
/// assert_eq!((session.read_index(index)?, row), (vec![1], [20.0]));
/// assert_eq!(session.plan().program().spaces, [3, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Training by momentum, g = 1 throughout, and the same step once more from the same parameters and states:
///
/// ```
/// use disentangle::autograd::{Entry, Graph, Plan, Training};
/// use disentangle::backend::kernel::UpdateRule;
/// use disentangle::backend::{EntryId, Reference, Step};
///
/// let mut graph = Graph::new(1)?;
/// let w = graph.parameter("w", 1, 1)?;
/// let rule = Some(UpdateRule::Sgd { momentum: 0.5, nesterov: false, weight_decay: 0.0 });
/// let entry = Entry { outputs: vec![], training: Some(Training { objective: w, rule }) };
/// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
/// let step = |number| Step { learning_rate: 2.0, number };
/// session.run(EntryId(0), step(1))?;
/// // v = g = 1 and w = 0 - 2 v.
/// let states = session.states()?;
/// assert_eq!(states, [("w".to_string(), vec![vec![1.0]])]);
/// assert_eq!(session.parameters(), [("w".to_string(), w)]);
/// for _ in 0..2 {
///     session.write(w, &[-2.0])?;
///     session.write_states(&states)?;
///     session.run(EntryId(0), step(2))?;
///     // v = 0.5 v + g = 1.5 and w = -2 - 2 v.
///     assert_eq!(session.read(w)?, [-5.0]);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Session {
    plan: Plan,
    executable: Box<dyn Executable>,
}

impl Session {
    pub(crate) fn new(plan: Plan, backend: &dyn Backend) -> Result<Session, AutogradError> {
        let executable = backend.load(plan.program.clone())?;
        Ok(Session { plan, executable })
    }

    fn buffer(&self, value: Value) -> Result<BufferId, AutogradError> {
        let expected = "an input, a parameter or an output of an entry point";
        self.plan
            .values
            .get(&value)
            .copied()
            .ok_or(AutogradError::UnknownValue { expected })
    }

    fn length(&self, id: BufferId) -> usize {
        let program = &self.plan.program;
        let active: Vec<usize> = (0..program.spaces.len())
            .map(|s| self.executable.rows(RowSpace(s)))
            .collect();
        program.len(id, &active)
    }

    fn read_buffer(&self, id: BufferId) -> Result<Vec<f64>, AutogradError> {
        let mut values = vec![0.0; self.length(id)];
        self.executable.read(id, &mut values)?;
        Ok(values)
    }

    /// The plan that is being replayed.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Sets how many rows of a space are active.
    ///
    /// # Errors
    /// [`BackendError::Rows`] outside 1 to the space's capacity.
    pub fn set_rows(&mut self, space: RowSpace, rows: usize) -> Result<(), AutogradError> {
        Ok(self.executable.set_rows(space, rows)?)
    }

    /// Writes an input or a parameter.
    ///
    /// # Errors
    /// [`AutogradError::UnknownValue`], [`BackendError::Length`], [`BackendError::Element`].
    pub fn write(&mut self, value: Value, values: &[f64]) -> Result<(), AutogradError> {
        Ok(self.executable.write(self.buffer(value)?, values)?)
    }

    /// Writes an index input.
    ///
    /// # Errors
    /// As [`Session::write`], and [`BackendError::IndexRange`].
    pub fn write_index(&mut self, value: Value, values: &[u32]) -> Result<(), AutogradError> {
        Ok(self.executable.write_index(self.buffer(value)?, values)?)
    }

    /// Reads an input, a parameter or an output of an entry point.
    ///
    /// # Errors
    /// [`AutogradError::UnknownValue`], [`BackendError::Element`].
    pub fn read(&self, value: Value) -> Result<Vec<f64>, AutogradError> {
        self.read_buffer(self.buffer(value)?)
    }

    /// Reads an index input.
    ///
    /// # Errors
    /// [`AutogradError::UnknownValue`], [`BackendError::Element`].
    pub fn read_index(&self, value: Value) -> Result<Vec<u32>, AutogradError> {
        let id = self.buffer(value)?;
        let mut values = vec![0; self.length(id)];
        self.executable.read_index(id, &mut values)?;
        Ok(values)
    }

    /// As [`Session::read`] into a slice of exactly its length, without allocating.
    ///
    /// # Errors
    /// As [`Session::read`], and [`BackendError::Length`].
    pub fn read_into(&self, value: Value, values: &mut [f64]) -> Result<(), AutogradError> {
        Ok(self.executable.read(self.buffer(value)?, values)?)
    }

    /// Reads the gradient that the last training run left for a parameter.
    ///
    /// # Errors
    /// [`AutogradError::UnknownValue`] if no entry point trains it.
    pub fn gradient(&self, parameter: Value) -> Result<Vec<f64>, AutogradError> {
        let expected = "a parameter that an entry point trains";
        let id = self
            .plan
            .gradients
            .get(&parameter)
            .ok_or(AutogradError::UnknownValue { expected })?;
        self.read_buffer(*id)
    }

    /// All parameters, frozen ones too: name, value.
    pub fn parameters(&self) -> &[(String, Value)] {
        &self.plan.parameters
    }

    /// Optimiser states: parameter name, its buffers' values in order.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn states(&self) -> Result<OptimizerStates, AutogradError> {
        let read = |ids: &Vec<BufferId>| {
            ids.iter()
                .map(|&id| self.read_buffer(id))
                .collect::<Result<Vec<_>, _>>()
        };
        self.plan
            .states
            .iter()
            .map(|(name, ids)| Ok((name.clone(), read(ids)?)))
            .collect()
    }

    /// Writes what [`Session::states`] gave.
    ///
    /// # Errors
    /// [`AutogradError::UnknownValue`] for a name or count that does not fit, [`BackendError::Length`].
    pub fn write_states(&mut self, states: &[(String, Vec<Vec<f64>>)]) -> Result<(), AutogradError> {
        let expected = "the optimiser states of these parameters";
        if states.len() != self.plan.states.len() {
            return Err(AutogradError::UnknownValue { expected });
        }
        for ((name, values), (own_name, ids)) in states.iter().zip(&self.plan.states) {
            if name != own_name || values.len() != ids.len() {
                return Err(AutogradError::UnknownValue { expected });
            }
            for (values, &id) in values.iter().zip(ids) {
                self.executable.write(id, values)?;
            }
        }
        Ok(())
    }

    /// Runs an entry point once.
    ///
    /// # Errors
    /// [`BackendError::UnknownEntry`].
    pub fn run(&mut self, entry: EntryId, step: Step) -> Result<(), AutogradError> {
        Ok(self.executable.run(entry, step)?)
    }

    /// Runs an entry point that trains nothing.
    ///
    /// # Errors
    /// [`BackendError::UnknownEntry`].
    pub fn evaluate(&mut self, entry: EntryId) -> Result<(), BackendError> {
        self.executable.run(
            entry,
            Step {
                learning_rate: 0.0,
                number: 1,
            },
        )
    }
}
