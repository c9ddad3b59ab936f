//! From a graph to a program: buffers, kernels, updates, segments.

use std::collections::HashMap;

use super::error::AutogradError;
use super::graph::{Graph, Source, Value};
use super::lowering::Lowering;
use super::schedule::schedule;
use super::session::Session;
use crate::backend::kernel::{Kernel, UpdateRule};
use crate::backend::program::{BufferId, Domain, Element, Extent, Program, Segment, Storage};
use crate::backend::{Backend, EntryId};

/// What a training step descends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Training {
    /// One number per replica. Every trainable parameter must have a gradient of it.
    pub objective: Value,
    /// How the parameters follow; `None` computes the gradients only.
    pub rule: Option<UpdateRule>,
}

/// An entry point: what one run computes.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// Values the host reads after the run.
    pub outputs: Vec<Value>,
    /// Gradients and updates.
    pub training: Option<Training>,
}

/// A planned graph.
///
/// ```
/// use disentangle::autograd::{Entry, Graph, Plan};
/// use disentangle::backend::EntryId;
///
/// let mut graph = Graph::new(1)?;
/// let rows = graph.rows(1000)?;
/// let x = graph.input("x", rows, 1, false)?;
/// let w = graph.parameter("w", 1, 1)?;
/// let y = graph.tanh(x)?;
/// let mean = graph.mean_over_rows(y, None)?;
/// let decay = graph.l2_decay(&[w], 0.1)?;
/// let plan = Plan::new(&graph, &[mean, decay].map(|y| Entry { outputs: vec![y], training: None }))?;
/// // The mean is one loop over the rows, tanh and sum together; the decay has no rows and runs once.
/// assert_eq!(plan.segments(EntryId(0)), (1, 0));
/// assert_eq!(plan.segments(EntryId(1)), (0, 1));
/// assert_eq!(plan.program().spaces, [1000]);
/// # Ok::<(), disentangle::autograd::AutogradError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) program: Program,
    pub(crate) values: HashMap<Value, BufferId>,
    pub(crate) gradients: HashMap<Value, BufferId>,
    /// Optimiser states by parameter: name, buffers.
    pub(crate) states: Vec<(String, Vec<BufferId>)>,
    /// Trainable and frozen parameters by name, in the order recorded.
    pub(crate) parameters: Vec<(String, Value)>,
}

impl Plan {
    /// Plans a graph with its entry points; [`EntryId`] n is the n-th.
    ///
    /// # Errors
    /// [`AutogradError::NotScalar`], [`AutogradError::NoGradient`] naming the parameter, [`AutogradError::UnknownValue`].
    pub fn new(graph: &Graph, entries: &[Entry]) -> Result<Plan, AutogradError> {
        let mut lowering = Lowering::new(graph);
        let mut visible: Vec<BufferId> = Vec::new();
        let mut states: HashMap<Value, Vec<BufferId>> = HashMap::new();
        let mut gradients = HashMap::new();
        let mut lists = Vec::new();
        for entry in entries {
            let objective = entry.training.map(|t| t.objective);
            let targets: Vec<Value> = entry.outputs.iter().copied().chain(objective).collect();
            for target in &targets {
                graph.shape(*target)?;
            }
            for id in ancestors(graph, &targets) {
                if let Source::Op(op) = &graph.nodes[id.0].source {
                    op.forward(id, &mut lowering);
                }
            }
            visible.extend(targets.iter().map(|t| lowering.value(*t)));
            if let Some(training) = entry.training {
                backward(graph, training.objective, &mut lowering)?;
                for (parameter, name) in graph.parameters() {
                    if !lowering.has_gradient(parameter) {
                        return Err(AutogradError::NoGradient { parameter: name.into() });
                    }
                    let gradient = lowering.gradient(parameter);
                    visible.push(gradient);
                    gradients.insert(parameter, gradient);
                    if let Some(rule) = training.rule {
                        let shape = graph.nodes[parameter.0].shape;
                        let states = states.entry(parameter).or_default();
                        while states.len() < rule.states() {
                            states.push(lowering.allocate(format!("{name}.state{}", states.len()), shape));
                        }
                        let states = states[..rule.states()].to_vec();
                        let parameter = lowering.value(parameter);
                        lowering.push(Kernel::Update {
                            rule,
                            parameter,
                            gradient,
                            states,
                        });
                    }
                }
            }
            lists.push(lowering.finish());
        }

        // Leaves are visible even if no entry point reads them: the host may write them all the same.
        let mut values = HashMap::new();
        for (id, node) in graph.nodes.iter().enumerate() {
            if !matches!(node.source, Source::Op(_)) {
                visible.push(lowering.value(Value(id)));
            }
        }
        for target in entries
            .iter()
            .flat_map(|e| e.outputs.iter().copied().chain(e.training.map(|t| t.objective)))
        {
            values.insert(target, lowering.value(target));
        }
        let named = |name: &str, value: Value| (name.to_string(), value);
        let is_parameter = |source: &Source| matches!(source, Source::Parameter);
        let all = graph.nodes.iter().enumerate();
        let parameters: Vec<(String, Value)> = all
            .clone()
            .filter(|(_, n)| is_parameter(&n.source))
            .map(|(id, n)| named(&n.name, Value(id)))
            .collect();
        for (id, _) in all.filter(|(_, n)| !matches!(n.source, Source::Op(_))) {
            values.insert(Value(id), lowering.value(Value(id)));
        }
        let states = parameters
            .iter()
            .map(|(name, value)| (name.clone(), states.remove(value).unwrap_or_default()))
            .collect();
        let buffers = std::mem::take(&mut lowering.buffers);
        let mut program = Program {
            replicas: graph.replicas,
            spaces: graph.spaces.clone(),
            buffers,
            entries: Vec::new(),
        };
        program.entries = lists.iter().map(|kernels| schedule(&program, kernels)).collect();
        place(&mut program, &visible);
        Ok(Plan {
            program,
            values,
            gradients,
            states,
            parameters,
        })
    }

    /// The segments of an entry point: how many loop over rows and how many run once.
    pub fn segments(&self, entry: EntryId) -> (usize, usize) {
        let segments: &[Segment] = self.program.entries.get(entry.0).map_or(&[], Vec::as_slice);
        let whole = segments.iter().filter(|s| s.domain == Domain::Whole).count();
        (segments.len() - whole, whole)
    }

    /// The program a backend gets.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Loads the plan into a backend.
    ///
    /// # Errors
    /// Those of [`Backend::load`].
    pub fn start(self, backend: &dyn Backend) -> Result<Session, AutogradError> {
        Session::new(self, backend)
    }
}

/// The values that `targets` depend on, themselves included, in execution order.
pub(super) fn ancestors(graph: &Graph, targets: &[Value]) -> Vec<Value> {
    let mut needed = vec![false; graph.nodes.len()];
    for target in targets {
        needed[target.0] = true;
    }
    // Inputs of a node have smaller ids, so one sweep from the end suffices.
    for id in (0..graph.nodes.len()).rev() {
        if needed[id]
            && let Source::Op(op) = &graph.nodes[id].source
        {
            for input in op.inputs() {
                needed[input.0] = true;
            }
        }
    }
    (0..graph.nodes.len()).filter(|&id| needed[id]).map(Value).collect()
}

/// Checks that an objective is one real number per replica.
///
/// # Errors
/// [`AutogradError::NotScalar`], [`AutogradError::UnknownValue`].
pub(super) fn check_objective(graph: &Graph, objective: Value) -> Result<(), AutogradError> {
    let shape = graph.shape(objective)?;
    if shape.element != Element::Real || shape.extent != (Extent::Whole { rows: 1 }) || shape.cols != 1 {
        return Err(AutogradError::NotScalar {
            found: shape.to_string(),
        });
    }
    Ok(())
}

/// The same list from the end: seeds the objective with 1 and lets every op pass its gradient on.
fn backward(graph: &Graph, objective: Value, lowering: &mut Lowering) -> Result<(), AutogradError> {
    check_objective(graph, objective)?;
    if let Some(seed) = lowering.sink(objective) {
        lowering.push(Kernel::Fill {
            y: seed.buffer,
            value: 1.0,
        });
    }
    for id in ancestors(graph, &[objective]).into_iter().rev() {
        if let Source::Op(op) = &graph.nodes[id.0].source
            && lowering.has_gradient(id)
        {
            op.backward(id, lowering);
        }
    }
    Ok(())
}

/// Row buffers that one segment alone touches, in every entry point, need no more room than a tile.
fn place(program: &mut Program, visible: &[BufferId]) {
    let mut crossing = vec![false; program.buffers.len()];
    for segments in &program.entries {
        let mut seen: HashMap<BufferId, usize> = HashMap::new();
        for (number, kernel) in segments
            .iter()
            .enumerate()
            .flat_map(|(n, s)| s.kernels.iter().map(move |k| (n, k)))
        {
            let operands = kernel.operands();
            for &table in &operands.tables {
                crossing[table.0] = true;
            }
            let touched = operands
                .reads
                .iter()
                .copied()
                .chain(operands.writes.iter().map(|t| t.buffer));
            for id in touched {
                crossing[id.0] |= *seen.entry(id).or_insert(number) != number;
            }
        }
    }
    for (id, buffer) in program.buffers.iter_mut().enumerate() {
        let row = matches!(buffer.extent, Extent::Rows(_));
        let tile = row && !crossing[id] && !visible.contains(&BufferId(id));
        buffer.storage = if tile { Storage::Tile } else { Storage::Persistent };
    }
}
