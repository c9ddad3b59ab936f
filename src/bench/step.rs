//! A whole training step: forward, loss, backward, update by gradient descent.

use std::time::Duration;

use super::single::rings;
use super::{BenchError, Case, Ready};
use crate::autograd::{Entry, Graph, Plan, Training};
use crate::backend::{Backend, EntryId, Step};
use crate::data::synthetic::gaussian_classes;
use crate::nn::loss::Truth;
use crate::nn::network::Network;
use crate::nn::{Activation, Architecture, Initializer, Loss, Optimizer};

/// A step of R networks with these widths, from inputs to outputs, on `rows` shared samples; with `lasting` samples
/// that are [`rings`].
pub(super) fn step(widths: &'static [usize], rows: usize, replicas: usize, lasting: bool) -> Case {
    let products: usize = widths.windows(2).map(|w| w[0] * w[1]).sum();
    // Forward, gradient of the weights, and gradient of the inputs of every layer but the first.
    let multiply_adds = 3 * products - widths[0] * widths[1];
    let names: Vec<String> = widths.iter().map(usize::to_string).collect();
    let zeros = if lasting { ", zeros" } else { "" };
    Case {
        kernel: "step",
        shape: format!("{}, {rows} rows, R = {replicas}{zeros}", names.join("-")),
        // Skipped products are none.
        flops: (!lasting).then_some(2.0 * (multiply_adds * rows * replicas) as f64),
        bytes: None,
        pause: Duration::ZERO,
        host: false,
        product: None,
        prepare: Box::new(move |backend| prepare(widths, rows, replicas, lasting, backend)),
    }
}

fn prepare(
    widths: &[usize],
    rows: usize,
    replicas: usize,
    lasting: bool,
    backend: &dyn Backend,
) -> Result<Ready<'static>, BenchError> {
    let (inputs, outputs) = (widths[0], widths[widths.len() - 1]);
    let architecture = Architecture {
        inputs,
        hidden: widths[1..widths.len() - 1].to_vec(),
        outputs,
        activation: Activation::Tanh,
        bias: true,
    };
    let mut graph = Graph::new(replicas)?;
    let network = Network::record(&mut graph, &architecture)?;
    let space = graph.rows(rows)?;
    let x = if lasting {
        graph.samples("samples", space, inputs)?
    } else {
        graph.input("samples", space, inputs, false)?
    };
    let labels = graph.index("labels", space, outputs, false)?;
    let forward = network.forward(&mut graph, x)?;
    let losses = Loss::CrossEntropy.of_rows(&mut graph, forward.outputs, Truth::Labels(labels))?;
    let objective = graph.mean_over_rows(losses, None)?;
    let parameters: Vec<_> = graph.parameters().map(|(value, _)| value).collect();
    let rule = Optimizer::Sgd.rule(0.0, 0.0)?;
    let entry = Entry {
        outputs: vec![],
        training: Some(Training {
            objective,
            rule: Some(rule),
        }),
    };
    let mut session = Plan::new(&graph, &[entry])?.start(backend)?;
    let ids: Vec<u64> = (0..replicas as u64).collect();
    for (value, (_, values)) in parameters
        .iter()
        .zip(&architecture.initial(Initializer::Pytorch, 1, &ids))
    {
        session.write(*value, values)?;
    }
    let (mut features, mut classes) = gaussian_classes(1, outputs as u32, rows.div_ceil(outputs), inputs, 3.0);
    features.truncate(rows * inputs);
    classes.truncate(rows);
    if lasting {
        rings(&mut features, inputs);
    }
    session.write(x, &features)?;
    session.write_index(labels, &classes)?;
    let mut number = 0;
    Ok(Box::new(move || {
        number += 1;
        let learning_rate = 0.01;
        Ok(session.run(EntryId(0), Step { learning_rate, number })?)
    }))
}
