//! How a recorded step is cut: what can stay in cache from the data to the gradients, does.

use disentangle::autograd::{AutogradError, Entry, Graph, Plan, Session, Training, Value};
use disentangle::backend::kernel::UpdateRule;
use disentangle::backend::program::Storage;
use disentangle::backend::{EntryId, Reference, Step};

/// A network of two layers and what is made of its losses.
struct Net {
    graph: Graph,
    x: Value,
    weight: Value,
    labels: Value,
    weights: Value,
    rows: Value,
}

fn net() -> Result<Net, AutogradError> {
    let mut graph = Graph::new(2)?;
    let space = graph.rows(4)?;
    let (x, labels) = (
        graph.input("x", space, 3, false)?,
        graph.index("labels", space, 2, false)?,
    );
    let weights = graph.input("weights", space, 1, false)?;
    let (w, v) = (graph.parameter("w", 5, 3)?, graph.parameter("v", 2, 5)?);
    let h = graph.dense(x, w, None)?;
    let h = graph.tanh(h)?;
    let y = graph.dense(h, v, None)?;
    let rows = graph.softmax_cross_entropy(y, labels)?;
    Ok(Net {
        graph,
        x,
        weight: w,
        labels,
        weights,
        rows,
    })
}

type Record = fn(&mut Net) -> Result<Value, AutogradError>;

const OBJECTIVES: [(&str, usize, Record); 7] = [
    ("mean", 1, |n| n.graph.mean_over_rows(n.rows, None)),
    ("sum", 1, |n| n.graph.sum_over_rows(n.rows, None)),
    ("weighted sum", 1, |n| n.graph.sum_over_rows(n.rows, Some(n.weights))),
    ("scaled mean + decay", 1, |n| {
        let mean = n.graph.mean_over_rows(n.rows, None)?;
        let (mean, decay) = (n.graph.scale(mean, 2.0)?, n.graph.l2_decay(&[n.weight], 0.1)?);
        n.graph.add(mean, decay)
    }),
    // The sum of the weights is a pass over rows of its own.
    ("weighted mean", 2, |n| n.graph.mean_over_rows(n.rows, Some(n.weights))),
    ("tanh of the mean", 2, |n| {
        let mean = n.graph.mean_over_rows(n.rows, None)?;
        n.graph.tanh(mean)
    }),
    ("tanh of the weighted mean", 3, |n| {
        let mean = n.graph.mean_over_rows(n.rows, Some(n.weights))?;
        n.graph.tanh(mean)
    }),
];

fn plan(net: &Net, objective: Value) -> Plan {
    let rule = UpdateRule::Sgd {
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
    };
    let train = Entry {
        outputs: vec![],
        training: Some(Training {
            objective,
            rule: Some(rule),
        }),
    };
    Plan::new(&net.graph, &[train]).unwrap()
}

#[test]
fn a_loss_whose_gradient_is_known_beforehand_is_one_row_segment() {
    for (name, expected, record) in OBJECTIVES {
        let mut net = net().unwrap();
        let objective = record(&mut net).unwrap();
        let (rows, _) = plan(&net, objective).segments(EntryId(0));
        assert_eq!(rows, expected, "{name}");
    }
    let mut net = net().unwrap();
    let objective = net.graph.mean_over_rows(net.rows, None).unwrap();
    assert_eq!(
        plan(&net, objective).segments(EntryId(1)),
        (0, 0),
        "an entry that is not there"
    );
}

#[test]
fn within_one_segment_every_intermediate_is_a_tile() {
    let tiles = |record: Record| {
        let mut net = net().unwrap();
        let objective = record(&mut net).unwrap();
        let plan = plan(&net, objective);
        let buffers = plan.program().buffers.iter();
        buffers
            .filter(|b| b.storage == Storage::Tile)
            .map(|b| b.name.clone())
            .collect::<Vec<_>>()
    };
    let mut mean = tiles(OBJECTIVES[0].2);
    mean.sort();
    let mut all = vec!["dense", "dense", "tanh", "softmax_cross_entropy"];
    all.extend([
        "gradient of dense",
        "gradient of dense",
        "gradient of softmax_cross_entropy",
        "gradient of tanh",
    ]);
    all.sort();
    assert_eq!(mean, all);
    // The weighted mean runs the network after the sum of the weights, so it keeps as much in cache.
    let mut weighted = tiles(OBJECTIVES[4].2);
    weighted.sort();
    assert_eq!(weighted, all);
}

/// One step of descent gives the same numbers however the step is cut: tanh(mean) against its chain rule by hand.
#[test]
fn the_cut_does_not_change_the_numbers() {
    let run = |record: Record| -> (f64, Vec<f64>) {
        let mut net = net().unwrap();
        let objective = record(&mut net).unwrap();
        let mut session: Session = plan(&net, objective).start(&Reference).unwrap();
        let wave = |n: usize| (0..n).map(|i| (1.3 * i as f64 + 0.4).sin()).collect::<Vec<f64>>();
        session.write(net.x, &wave(12)).unwrap();
        session.write(net.weight, &wave(30)).unwrap();
        let v = session.parameters()[1].1;
        session.write(v, &wave(20)).unwrap();
        session.write_index(net.labels, &[0, 1, 1, 0]).unwrap();
        session.write(net.weights, &[1.0; 4]).unwrap();
        let step = Step {
            learning_rate: 0.1,
            number: 1,
        };
        session.run(EntryId(0), step).unwrap();
        (
            session.read(objective).unwrap()[0],
            session.gradient(net.weight).unwrap(),
        )
    };
    let (mean, gradient) = run(OBJECTIVES[0].2);
    let (weighted, weighted_gradient) = run(OBJECTIVES[4].2);
    assert_eq!((weighted, &weighted_gradient), (mean, &gradient));
    let (bent, bent_gradient) = run(OBJECTIVES[5].2);
    assert_eq!(bent, mean.tanh());
    // Replica 0's share of the gradient, each element a product of at most 30 rounded factors and sums.
    let slope = 1.0 - mean.tanh().powi(2);
    for (g, b) in gradient[..15].iter().zip(&bent_gradient) {
        assert!(
            (g * slope - b).abs() <= 30.0 * f64::EPSILON * g.abs().max(1e-3),
            "{g} {b}"
        );
    }
}
