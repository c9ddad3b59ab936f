//! What a trainer records: a pass over samples, and the loss on a mini-batch of them. Replicas may differ in what each
//! sample counts and in what it is called.

use super::error::TrainError;
use super::recipe::{Recipe, Samples};
use crate::autograd::{Graph, Session, Value};
use crate::backend::RowSpace;
use crate::nn::loss::Truth;
use crate::nn::network::Network;

/// What a trainer may have beside its recipe, samples and initial parameters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras<'a> {
    /// Samples to test on.
    pub test: Option<Samples<'a>>,
    /// Whether it holds the measured hidden layers of all training samples for [`Trainer::hidden`].
    pub holds_hidden: bool,
    /// What each training sample counts in each replica, `[replicas, rows]`: a sample of weight 0 is neither trained on nor
    /// measured there. With mini-batches the samples of a batch are weighted, so that a batch holds fewer that count.
    pub weights: Option<&'a [f64]>,
    /// The class of each training sample in each replica, `[replicas, rows]`, in place of the samples' own labels.
    pub labels: Option<&'a [u32]>,
}

/// What is recorded on one set of rows.
pub(super) struct Pass {
    pub(super) x: Value,
    pub(super) labels: Value,
    pub(super) weights: Option<Value>,
    pub(super) truth: Truth,
    pub(super) outputs: Value,
    pub(super) loss: Value,
    pub(super) errors: Value,
}

/// The values that a mini-batch step reads its rows by.
pub(super) struct MiniBatch {
    pub(super) space: RowSpace,
    pub(super) index: Value,
    pub(super) size: usize,
    pub(super) own: Own,
}

/// What a mini-batch's samples have of their replica's own, written with each batch.
pub(super) struct Own {
    weights: Option<(Value, Vec<f64>)>,
    labels: Option<(Value, Vec<u32>)>,
    /// Targets of those labels, if the loss has targets, and how many a sample has.
    targets: Option<(Value, Vec<f64>, usize)>,
}

impl Own {
    /// Writes what belongs to `batch`, `[replicas, size]` sample numbers below `rows`.
    pub(super) fn write(&self, session: &mut Session, batch: &[u32], rows: usize) -> Result<(), TrainError> {
        fn picked<T: Copy>(all: &[T], batch: &[u32], rows: usize, width: usize) -> Vec<T> {
            let size = batch.len() / (all.len() / (rows * width)).max(1);
            let of = |(n, &sample): (usize, &u32)| {
                let start = (n / size.max(1) * rows + sample as usize) * width;
                &all[start..start + width]
            };
            batch.iter().enumerate().flat_map(of).copied().collect()
        }
        if let Some((value, weights)) = &self.weights {
            session.write(*value, &picked(weights, batch, rows, 1))?;
        }
        if let Some((value, labels)) = &self.labels {
            session.write_index(*value, &picked(labels, batch, rows, 1))?;
        }
        if let Some((value, targets, width)) = &self.targets {
            session.write(*value, &picked(targets, batch, rows, *width))?;
        }
        Ok(())
    }
}

/// Records data, forward pass, mean loss and error count on rows of their own; the training pass has the extras.
pub(super) fn record_pass(
    graph: &mut Graph,
    network: &Network,
    recipe: &Recipe,
    name: &str,
    rows: usize,
    extras: Option<&Extras>,
) -> Result<(Pass, Vec<Value>), TrainError> {
    let space = graph.rows(rows)?;
    let x = graph.samples(&format!("{name} samples"), space, recipe.architecture.inputs)?;
    let own_labels = extras.is_some_and(|extras| extras.labels.is_some());
    let labels = graph.index(&format!("{name} labels"), space, recipe.classes, own_labels)?;
    let weights = extras
        .and_then(|extras| extras.weights)
        .map(|_| graph.input(&format!("{name} weights"), space, 1, true))
        .transpose()?;
    let truth = recipe
        .loss
        .truth(graph, &format!("{name} targets"), space, labels, recipe.classes)?;
    let forward = network.forward(graph, x)?;
    let losses = recipe.loss.of_rows(graph, forward.outputs, truth)?;
    let loss = graph.mean_over_rows(losses, weights)?;
    let errors = graph.error_count(forward.outputs, labels, weights)?;
    Ok((
        Pass {
            x,
            labels,
            weights,
            truth,
            outputs: forward.outputs,
            loss,
            errors,
        },
        forward.hidden,
    ))
}

/// Records the loss on rows gathered from the training pass's, every replica's own.
pub(super) fn record_batch(
    graph: &mut Graph,
    network: &Network,
    recipe: &Recipe,
    pass: &Pass,
    rows: usize,
    size: usize,
    extras: &Extras,
) -> Result<(MiniBatch, Value), TrainError> {
    let space = graph.rows(size)?;
    let index = graph.index("batch", space, rows, true)?;
    let x = graph.gather(pass.x, index)?;
    let weights = match extras.weights {
        Some(weights) => Some((graph.input("batch weights", space, 1, true)?, weights.to_vec())),
        None => None,
    };
    let mut own = Own {
        weights,
        labels: None,
        targets: None,
    };
    let truth = match (pass.truth, extras.labels) {
        (Truth::Labels(labels), None) => Truth::Labels(graph.gather(labels, index)?),
        (Truth::Targets(targets), None) => Truth::Targets(graph.gather(targets, index)?),
        (Truth::Labels(_), Some(labels)) => {
            let value = graph.index("batch labels", space, recipe.classes, true)?;
            own.labels = Some((value, labels.to_vec()));
            Truth::Labels(value)
        }
        (Truth::Targets(_), Some(labels)) => {
            let width = recipe.loss.outputs(recipe.classes);
            let value = graph.input("batch targets", space, width, true)?;
            own.targets = Some((value, recipe.loss.targets(labels, recipe.classes), width));
            Truth::Targets(value)
        }
    };
    let forward = network.forward(graph, x)?;
    let losses = recipe.loss.of_rows(graph, forward.outputs, truth)?;
    let weights = own.weights.as_ref().map(|(value, _)| *value);
    let loss = graph.mean_over_rows(losses, weights)?;
    Ok((
        MiniBatch {
            space,
            index,
            size,
            own,
        },
        loss,
    ))
}

/// Adds the L2 decay to the loss.
pub(super) fn with_decay(
    graph: &mut Graph,
    network: &Network,
    recipe: &Recipe,
    loss: Value,
) -> Result<Value, TrainError> {
    if recipe.l2 == 0.0 {
        return Ok(loss);
    }
    let decay = graph.l2_decay(&network.weights(), recipe.l2)?;
    Ok(graph.add(loss, decay)?)
}
