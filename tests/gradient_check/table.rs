//! Every op, every loss and their combinations in odd and degenerate shapes, and faults planted in each.

use disentangle::autograd::{Entry, Plan, Training, Value};
use disentangle::backend::kernel::UpdateRule;

use crate::cut::assert_sound;
use crate::net::{Net, Recorded};

/// rows, cols, replicas.
const SHAPES: [(usize, usize, usize); 6] = [(1, 1, 1), (1, 5, 1), (7, 1, 2), (5, 3, 1), (6, 4, 3), (1, 1, 3)];

/// A row of the table: its name, the op whose kinks may be met, and how it is recorded.
type Case = (&'static str, Option<&'static str>, fn(&mut Net) -> Recorded);

const OPS: &[Case] = &[
    ("dense", None, |n| {
        let y = n.hidden()?;
        n.error(y)
    }),
    ("dense without bias", None, |n| {
        let x = n.rows("x", n.cols, false)?;
        let w = n.parameter("w", 3, n.cols)?;
        let y = n.graph.dense(x, w, None)?;
        n.error(y)
    }),
    ("dense on rows of each replica", None, |n| {
        let x = n.rows("x", n.cols, true)?;
        let y = n.layer("w", x, 2)?;
        n.error(y)
    }),
    ("dense after dense", None, |n| {
        let h = n.outputs(3)?;
        let y = n.layer("v", h, 2)?;
        n.error(y)
    }),
    ("add", None, |n| {
        let (a, x) = (n.hidden()?, n.rows("z", n.cols, true)?);
        let b = n.layer("v", x, n.cols)?;
        let y = n.graph.add(a, b)?;
        n.error(y)
    }),
    ("add a value to itself", None, |n| {
        let h = n.hidden()?;
        let y = n.graph.add(h, h)?;
        n.error(y)
    }),
    ("subtract", None, |n| {
        let (a, x) = (n.hidden()?, n.rows("z", n.cols, true)?);
        let b = n.layer("v", x, n.cols)?;
        let y = n.graph.subtract(a, b)?;
        n.error(y)
    }),
    ("subtract shared rows", None, |n| {
        let (h, constant) = (n.hidden()?, n.rows("constant", n.cols, false)?);
        let y = n.graph.subtract(h, constant)?;
        n.error(y)
    }),
    ("subtract from shared rows", None, |n| {
        let (h, constant) = (n.hidden()?, n.rows("constant", n.cols, false)?);
        let y = n.graph.subtract(constant, h)?;
        n.error(y)
    }),
    ("scale", None, |n| {
        let h = n.hidden()?;
        let y = n.graph.scale(h, -1.75)?;
        n.error(y)
    }),
    ("subtract_constant", None, |n| {
        let h = n.hidden()?;
        let y = n.graph.subtract_constant(h, 0.3)?;
        n.error(y)
    }),
    ("tanh", None, |n| {
        let h = n.hidden()?;
        let y = n.graph.tanh(h)?;
        n.error(y)
    }),
    ("relu", Some("relu"), |n| {
        let h = n.hidden()?;
        let y = n.graph.relu(h)?;
        n.error(y)
    }),
    ("gelu", None, |n| {
        let h = n.hidden()?;
        let y = n.graph.gelu(h)?;
        n.error(y)
    }),
    ("sigmoid", None, |n| {
        let h = n.hidden()?;
        let y = n.graph.sigmoid(h)?;
        n.error(y)
    }),
    ("identity", None, |n| {
        let h = n.hidden()?;
        let y = n.graph.identity(h)?;
        n.error(y)
    }),
    ("row_normalize", Some("row_normalize"), |n| {
        let h = n.hidden()?;
        let y = n.graph.row_normalize(h)?;
        n.error(y)
    }),
];

const LOSSES: &[Case] = &[
    ("softmax_cross_entropy", None, |n| {
        let (y, labels) = (n.outputs(n.cols.max(2))?, n.labels(n.cols.max(2), false)?);
        let rows = n.graph.softmax_cross_entropy(y, labels)?;
        n.graph.mean_over_rows(rows, None)
    }),
    ("softmax_cross_entropy, labels of each replica", None, |n| {
        let (y, labels) = (n.outputs(10)?, n.labels(10, true)?);
        let rows = n.graph.softmax_cross_entropy(y, labels)?;
        n.graph.mean_over_rows(rows, None)
    }),
    ("margin of 1 output", None, |n| {
        let m = n.margin(1)?;
        n.error(m)
    }),
    ("margin of 2 outputs", None, |n| {
        let m = n.margin(2)?;
        n.error(m)
    }),
    ("margin of 4 outputs", Some("margin"), |n| {
        let m = n.margin(4)?;
        n.error(m)
    }),
    ("logistic", None, |n| {
        let m = n.margin(1)?;
        let rows = n.graph.logistic(m)?;
        n.graph.mean_over_rows(rows, None)
    }),
    ("hinge at 1", Some("hinge"), |n| {
        let m = n.margin(1)?;
        let rows = n.graph.hinge(m, 1.0)?;
        n.graph.mean_over_rows(rows, None)
    }),
    ("hinge at 0.3", Some("hinge"), |n| {
        let m = n.margin(2)?;
        let rows = n.graph.hinge(m, 0.3)?;
        n.graph.mean_over_rows(rows, None)
    }),
    ("squared_hinge", Some("squared_hinge"), |n| {
        let m = n.margin(2)?;
        let rows = n.graph.squared_hinge(m, 1.0)?;
        n.graph.mean_over_rows(rows, None)
    }),
    ("squared_error, shared targets", None, |n| {
        let (y, target) = (n.hidden()?, n.rows("target", n.cols, false)?);
        let rows = n.graph.squared_error(y, target)?;
        n.graph.mean_over_rows(rows, None)
    }),
    ("soft_nearest_neighbor", None, |n| {
        let (h, labels) = (n.hidden()?, n.labels(2, false)?);
        let (rows, counts) = n.graph.soft_nearest_neighbor(h, labels, None, 1.5)?;
        n.graph.mean_over_rows(rows, Some(counts))
    }),
    (
        "soft_nearest_neighbor of rows on the sphere beside the cross-entropy, labels and weights of each replica",
        Some("row_normalize"),
        |n| {
            let (y, labels, weights) = (n.outputs(3)?, n.labels(3, true)?, n.weights(true)?);
            let losses = n.graph.softmax_cross_entropy(y, labels)?;
            let loss = n.graph.mean_over_rows(losses, Some(weights))?;
            let unit = n.graph.row_normalize(y)?;
            let (rows, _) = n.graph.soft_nearest_neighbor(unit, labels, Some(weights), 0.3)?;
            let entangled = n.graph.sum_over_rows(rows, None)?;
            let entangled = n.graph.scale(entangled, -0.2)?;
            n.graph.add(loss, entangled)
        },
    ),
    ("logit_penalty of 1 output", None, |n| {
        let (y, labels) = (n.outputs(1)?, n.labels(2, false)?);
        let rows = n.graph.logit_penalty(y, labels, &[0.44, 2.5])?;
        n.graph.mean_over_rows(rows, None)
    }),
    (
        "logit_penalty of 2 outputs beside the cross-entropy, labels of each replica",
        None,
        |n| {
            let (y, labels) = (n.outputs(2)?, n.labels(2, true)?);
            let rows = n.graph.softmax_cross_entropy(y, labels)?;
            let penalty = n.graph.logit_penalty(y, labels, &[0.0, -0.3, 1.0, 0.7])?;
            let penalty = n.graph.scale(penalty, 0.1)?;
            let rows = n.graph.add(rows, penalty)?;
            n.graph.mean_over_rows(rows, None)
        },
    ),
];

/// mean_over_rows and sum_over_rows of a column, with which weights.
fn reduce(n: &mut Net, mean: bool, weights: Option<bool>) -> Recorded {
    let h = n.outputs(1)?;
    let rows = n.graph.sigmoid(h)?;
    let weights = weights.map(|replicated| n.weights(replicated)).transpose()?;
    if mean {
        n.graph.mean_over_rows(rows, weights)
    } else {
        n.graph.sum_over_rows(rows, weights)
    }
}

const WHOLES: &[Case] = &[
    ("mean_over_rows", None, |n| reduce(n, true, None)),
    ("mean_over_rows, shared weights", None, |n| reduce(n, true, Some(false))),
    ("mean_over_rows, weights of each replica", None, |n| {
        reduce(n, true, Some(true))
    }),
    ("sum_over_rows", None, |n| reduce(n, false, None)),
    ("sum_over_rows, shared weights", None, |n| reduce(n, false, Some(false))),
    ("sum_over_rows, weights of each replica", None, |n| {
        reduce(n, false, Some(true))
    }),
    ("sum_squares", None, |n| {
        let w = n.parameter("w", n.rows, n.cols)?;
        n.graph.sum_squares(w)
    }),
    ("l2_decay", None, |n| {
        let (v, w) = (n.parameter("v", n.rows, n.cols)?, n.parameter("w", 1, n.cols)?);
        n.graph.l2_decay(&[v, w], 0.1)
    }),
    ("tied weights", None, |n| {
        let (x, w) = (n.rows("x", n.cols, false)?, n.parameter("w", n.cols, n.cols)?);
        let h = n.graph.dense(x, w, None)?;
        let h = n.graph.tanh(h)?;
        let y = n.graph.dense(h, w, None)?;
        n.error(y)
    }),
    ("a value used twice", None, |n| {
        let h = n.hidden()?;
        let (a, b) = (n.graph.tanh(h)?, n.graph.sigmoid(h)?);
        let b = n.layer("v", b, n.cols)?;
        let y = n.graph.subtract(a, b)?;
        n.error(y)
    }),
    ("a frozen layer below a trained one", None, |n| {
        let (x, w) = (
            n.rows("x", n.cols, false)?,
            n.graph.frozen_parameter("frozen", 3, n.cols)?,
        );
        let values = n.normal(n.graph.replicas() * 3 * n.cols);
        n.reals.push((w, values));
        let h = n.graph.dense(x, w, None)?;
        let y = n.layer("w", h, 2)?;
        n.error(y)
    }),
    ("tanh of the mean", None, |n| {
        let y = n.hidden()?;
        let mean = n.error(y)?;
        n.graph.tanh(mean)
    }),
    ("a function of two sums", None, |n| {
        let h = n.outputs(1)?;
        let a = n.graph.sigmoid(h)?;
        let (mean, sum) = (n.graph.mean_over_rows(a, None)?, n.graph.sum_over_rows(h, None)?);
        let (mean, sum) = (n.graph.gelu(mean)?, n.graph.tanh(sum)?);
        n.graph.subtract(mean, sum)
    }),
    ("weighted loss + decay", None, |n| {
        let (y, labels, weights) = (n.outputs(3)?, n.labels(3, false)?, n.weights(true)?);
        let rows = n.graph.softmax_cross_entropy(y, labels)?;
        let loss = n.graph.mean_over_rows(rows, Some(weights))?;
        let parameters: Vec<Value> = n.graph.parameters().map(|(p, _)| p).collect();
        let decay = n.graph.l2_decay(&parameters, 0.01)?;
        n.graph.add(loss, decay)
    }),
    ("batches gathered by each replica", None, |n| {
        let rows = n.rows;
        let x = n.rows("x", n.cols, false)?;
        let labels = n.labels(2, false)?;
        n.space = n.graph.rows(2 * rows)?;
        n.rows = 2 * rows;
        let batch = n.graph.index("batch", n.space, rows, true)?;
        let picks = (0..n.graph.replicas() * n.rows)
            .map(|i| (i * i % rows) as u32)
            .collect();
        n.indices.push((batch, picks));
        let (x, labels) = (n.graph.gather(x, batch)?, n.graph.gather(labels, batch)?);
        let y = n.layer("w", x, 2)?;
        let rows = n.graph.softmax_cross_entropy(y, labels)?;
        n.graph.mean_over_rows(rows, None)
    }),
];

fn check_all(cases: &[Case]) {
    for (name, kink, record) in cases {
        let mut compared = 0;
        for shape in SHAPES {
            let mut net = Net::new(shape);
            let objective = record(&mut net).unwrap();
            let report = net.check(objective);
            let foreign: Vec<_> = report.kinks.iter().filter(|(_, op)| Some(*op) != *kink).collect();
            assert!(foreign.is_empty(), "{name} {shape:?}: kinks {foreign:?}");
            compared += report.compared;
            // Where every direction meets a kink there is nothing to compare, in this shape.
            let ratio = report.worst.as_ref().map(|w| w.ratio());
            assert!(
                report.passes() || report.compared == 0,
                "{name} {shape:?}: {ratio:?} of {:?}",
                report.worst
            );
            assert!(kink.is_some() || report.passes(), "{name} {shape:?}: nothing compared");
            let rule = Some(UpdateRule::RmsProp {
                alpha: 0.9,
                epsilon: 1e-8,
                momentum: 0.5,
                weight_decay: 0.0,
            });
            let training = Some(Training { objective, rule });
            let entry = Entry {
                outputs: vec![],
                training,
            };
            let plan = Plan::new(&net.graph, &[entry]).unwrap();
            assert_sound(plan.program(), name);
            for parameter in 0..net.gradients(objective).len() {
                planted_faults_are_caught(&net, objective, parameter, &format!("{name} {shape:?}"));
            }
        }
        // Kinks may spoil directions, but not all of the evidence.
        assert!(compared >= 2 * SHAPES.len(), "{name}: only {compared} comparisons");
    }
}

/// The same comparison with one element of one gradient off by 1e-6 must fail.
fn planted_faults_are_caught(net: &Net, objective: Value, parameter: usize, what: &str) {
    let mut gradients = vec![net.gradients(objective).swap_remove(parameter)];
    if net.compare(objective, &gradients).compared == 0 {
        return;
    }
    for element in [0, gradients[0].1.len() - 1] {
        let right = gradients[0].1[element];
        gradients[0].1[element] += 1e-6 * (1.0 + right.abs());
        let report = net.compare(objective, &gradients);
        let ratio = report.worst.as_ref().map(|w| w.ratio());
        assert!(
            !report.passes(),
            "{what}: a fault in element {element} went by with {ratio:?} of {:?}",
            report.worst
        );
        gradients[0].1[element] = right;
    }
}

#[test]
fn every_op_passes_and_its_faults_do_not() {
    check_all(OPS);
}

#[test]
fn every_loss_passes_and_its_faults_do_not() {
    check_all(LOSSES);
}

#[test]
fn every_sum_and_combination_passes_and_its_faults_do_not() {
    check_all(WHOLES);
}
