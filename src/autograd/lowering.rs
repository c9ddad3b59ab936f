//! From nodes to kernels: which buffer a value, its gradient and what an op saves live in.

use std::collections::HashMap;

use super::graph::{Graph, Shape, Source, Value};
use crate::backend::kernel::{Kernel, Target, Write};
use crate::backend::program::{Buffer, BufferId, Storage};

/// Collects the kernels of one entry point. Buffers are shared by the entry points of a plan.
pub(crate) struct Lowering<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) buffers: Vec<Buffer>,
    pub(crate) kernels: Vec<Kernel>,
    values: HashMap<Value, BufferId>,
    gradients: HashMap<Value, BufferId>,
    saved: HashMap<Value, BufferId>,
    /// Gradients that have been written in this entry point: the first writer sets, the others add.
    written: Vec<Value>,
}

impl<'a> Lowering<'a> {
    pub(crate) fn new(graph: &'a Graph) -> Self {
        Lowering {
            graph,
            buffers: Vec::new(),
            kernels: Vec::new(),
            values: HashMap::new(),
            gradients: HashMap::new(),
            saved: HashMap::new(),
            written: Vec::new(),
        }
    }

    /// A new buffer of a shape. Storage is decided when all segments are known.
    pub(crate) fn allocate(&mut self, name: String, shape: Shape) -> BufferId {
        self.buffers.push(Buffer {
            name,
            element: shape.element,
            replicated: shape.replicated,
            extent: shape.extent,
            cols: shape.cols,
            storage: Storage::Persistent,
            lasting: false,
        });
        BufferId(self.buffers.len() - 1)
    }

    /// Appends a kernel.
    pub(crate) fn push(&mut self, kernel: Kernel) {
        self.kernels.push(kernel);
    }

    /// The buffer of a value.
    pub(crate) fn value(&mut self, value: Value) -> BufferId {
        if let Some(&id) = self.values.get(&value) {
            return id;
        }
        let node = &self.graph.nodes[value.0];
        let id = self.allocate(node.name.clone(), node.shape);
        self.buffers[id.0].lasting = matches!(node.source, Source::Samples);
        self.values.insert(value, id);
        id
    }

    /// What op `value` saves for its backward pass beside its inputs and result: one buffer of a shape of its choice.
    pub(crate) fn saved(&mut self, value: Value, shape: Shape) -> BufferId {
        if let Some(&id) = self.saved.get(&value) {
            return id;
        }
        let id = self.allocate(format!("saved by {}", self.graph.nodes[value.0].name), shape);
        self.saved.insert(value, id);
        id
    }

    /// The gradient that has arrived at a value.
    pub(crate) fn gradient(&mut self, value: Value) -> BufferId {
        if let Some(&id) = self.gradients.get(&value) {
            return id;
        }
        let node = &self.graph.nodes[value.0];
        let id = self.allocate(format!("gradient of {}", node.name), node.shape);
        self.gradients.insert(value, id);
        id
    }

    /// Where an op puts the gradient of one of its inputs, or `None` if nobody wants it.
    pub(crate) fn sink(&mut self, value: Value) -> Option<Target> {
        if !self.graph.differentiable(value) {
            return None;
        }
        let write = if self.written.contains(&value) {
            Write::Add
        } else {
            Write::Set
        };
        if write == Write::Set {
            self.written.push(value);
        }
        Some(Target {
            buffer: self.gradient(value),
            write,
        })
    }

    /// Whether a gradient has arrived at a value in this entry point.
    pub(crate) fn has_gradient(&self, value: Value) -> bool {
        self.written.contains(&value)
    }

    /// Hands out the kernels of the entry point and starts the next one.
    pub(crate) fn finish(&mut self) -> Vec<Kernel> {
        self.written.clear();
        std::mem::take(&mut self.kernels)
    }
}
