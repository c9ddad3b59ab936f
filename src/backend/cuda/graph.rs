//! An entry as one CUDA graph: its kernels in a chain, in the order in which they were written down. However many they are, a step is
//! one call to the driver, and the device starts each as soon as the one before has ended.
//!
//! What a step decides (the learning rate, Adam's corrections) are parameters of some nodes. They are given to the driver before
//! the launch, if they have changed; the graph keeps a copy of all the others.
//!
//! `CUDA_LAUNCH_BLOCKING=1` launches kernel by kernel instead: a graph that fails does not say which of its kernels did.

use std::sync::Arc;

use cudarc::driver::sys::{self, CUgraph, CUgraphExec, CUgraphNode};

use super::driver::{Context, call};
use super::error::CudaError;
use super::launch::Launch;
use crate::backend::Step;

/// The launches of an entry and, once it has run, the graph of them.
pub(super) struct Entry {
    launches: Vec<Launch>,
    graph: Option<Graph>,
}

impl Entry {
    pub(super) fn new(launches: Vec<Launch>) -> Entry {
        Entry { launches, graph: None }
    }

    /// Launches all of them with a step's numbers.
    ///
    /// # Safety
    /// As [`super::driver::launch`], for each.
    pub(super) unsafe fn run(&mut self, context: &Arc<Context>, step: Step) -> Result<(), CudaError> {
        if context.blocking {
            for launch in &mut self.launches {
                launch.change(step);
                // SAFETY: the caller's promise.
                unsafe { launch.run(context) }?;
            }
            return Ok(());
        }
        let graph = match self.graph.take() {
            Some(graph) => graph,
            None => Graph::chain(context, &mut self.launches)?,
        };
        for (launch, &node) in self.launches.iter_mut().zip(&graph.nodes) {
            if launch.change(step) {
                graph.set(node, launch)?;
            }
        }
        // SAFETY: the caller's promise.
        unsafe { graph.launch() }?;
        // A graph that an error has left half changed is not kept.
        self.graph = Some(graph);
        Ok(())
    }
}

/// A graph of kernels, each after the one before, ready to be launched.
struct Graph {
    context: Arc<Context>,
    /// Nodes are named by those of the graph that was instantiated.
    graph: CUgraph,
    nodes: Vec<CUgraphNode>,
    ready: CUgraphExec,
}

// SAFETY: handles that the driver's calls use from any thread that has entered the context.
unsafe impl Send for Graph {}

impl Graph {
    fn chain(context: &Arc<Context>, launches: &mut [Launch]) -> Result<Graph, CudaError> {
        let failed = call("making a graph of kernels");
        context.enter().map_err(&failed)?;
        let mut graph = Graph {
            context: context.clone(),
            graph: std::ptr::null_mut(),
            nodes: Vec::with_capacity(launches.len()),
            ready: std::ptr::null_mut(),
        };
        // SAFETY: it writes one handle, which is given back when `graph` is dropped.
        unsafe { sys::cuGraphCreate(&mut graph.graph, 0) }
            .result()
            .map_err(&failed)?;
        for launch in launches {
            let before = graph.nodes.last().copied();
            let mut node = std::ptr::null_mut();
            let of_launch = launch.failed();
            launch.with_parameters(|parameters| {
                // SAFETY: the graph is live and so is the node before; the driver copies the parameters, which are the kernel's.
                unsafe {
                    sys::cuGraphAddKernelNode_v2(
                        &mut node,
                        graph.graph,
                        before.as_ref().map_or(std::ptr::null(), |node| node),
                        usize::from(before.is_some()),
                        parameters,
                    )
                }
                .result()
                .map_err(of_launch)
            })?;
            graph.nodes.push(node);
        }
        // SAFETY: the graph is live; the handle is given back when `graph` is dropped.
        unsafe { sys::cuGraphInstantiateWithFlags(&mut graph.ready, graph.graph, 0) }
            .result()
            .map_err(&failed)?;
        Ok(graph)
    }

    /// Gives the node of a launch its parameters anew, for the launches to come.
    fn set(&self, node: CUgraphNode, launch: &mut Launch) -> Result<(), CudaError> {
        let of_launch = launch.failed();
        self.context.enter().map_err(&of_launch)?;
        launch.with_parameters(|parameters| {
            // SAFETY: the node is one of the graph that `ready` was made of; the driver copies the parameters.
            unsafe { sys::cuGraphExecKernelNodeSetParams_v2(self.ready, node, parameters) }
                .result()
                .map_err(of_launch)
        })
    }

    /// # Safety
    /// As [`super::driver::launch`], for each of its kernels.
    unsafe fn launch(&self) -> Result<(), CudaError> {
        let failed = call("launching a graph of kernels");
        self.context.enter().map_err(&failed)?;
        // SAFETY: the caller's promise; the graph is live, and the stream is the context's default one.
        unsafe { sys::cuGraphLaunch(self.ready, std::ptr::null_mut()) }
            .result()
            .map_err(failed)
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        if self.context.enter().is_err() {
            return;
        }
        // SAFETY: made in `chain`, destroyed only here; the driver lets a graph that is running end.
        unsafe {
            if !self.ready.is_null() {
                let _ = sys::cuGraphExecDestroy(self.ready);
            }
            if !self.graph.is_null() {
                let _ = sys::cuGraphDestroy(self.graph);
            }
        }
    }
}
