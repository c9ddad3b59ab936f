//! A network in training on a plan of its own: three dense layers, a loss with L2 decay, everything that is measured on the
//! way. Every number of a replica is a function of the replica's number alone.

// Each of the tests that share this uses its part of it.
#![allow(dead_code)]

use disentangle::autograd::{Entry, Graph, Plan, Session, Training, Value};
use disentangle::backend::kernel::UpdateRule;
use disentangle::backend::{Backend, EntryId, RowSpace, Step};
use disentangle::nn::loss::Truth;
use disentangle::nn::{Activation, Architecture, Initializer, Loss, Network};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// Whose rows a network learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// All rows, the same for all replicas.
    Shared,
    /// All rows, which the replicas share and which last; four numbers of five are their column's own.
    Lasting,
    /// All rows, every replica its own, with weights of its own.
    Own,
    /// So many rows of those that the replicas share, gathered by indices of every replica's own.
    Gathered(usize),
    /// So many rows of every replica's own, written before each step, with weights of its own.
    Written(usize),
}

/// How to train.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub loss: Loss,
    pub activation: Activation,
    pub rule: UpdateRule,
    pub classes: usize,
    pub inputs: usize,
    pub hidden: [usize; 2],
    pub total: usize,
    pub rows: Rows,
    /// Whether the first hidden layer has a soft nearest neighbour loss.
    pub entangled: bool,
}

/// What is written before a step.
#[derive(Default)]
struct Batch {
    rows: usize,
    reals: Vec<(Value, Vec<f64>)>,
    indices: Vec<(Value, Vec<u32>)>,
}

pub struct Net {
    session: Session,
    replicas: usize,
    space: RowSpace,
    batches: Vec<Batch>,
    /// What a step leaves: objective, probes.
    results: Vec<Value>,
    parameters: Vec<Value>,
    steps: u64,
}

fn rng(replica: u64, purpose: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(1000 * purpose + replica)
}

/// Rows with labels that depend on them, as f32.
fn samples(setup: &Setup, rows: usize, rng: &mut ChaCha8Rng) -> (Vec<f64>, Vec<u32>) {
    let mut x = Vec::with_capacity(rows * setup.inputs);
    let mut labels = Vec::with_capacity(rows);
    for _ in 0..rows {
        let label = rng.next_u32() % setup.classes as u32;
        x.extend((0..setup.inputs).map(|j| {
            let z: f64 = StandardNormal.sample(rng);
            let common = setup.rows == Rows::Lasting && !rng.next_u32().is_multiple_of(5);
            if common {
                0.1 * (j % 3) as f64
            } else {
                z + 0.7 * f64::from(label) * (1.3 * j as f64).sin()
            }
        }));
        labels.push(label);
    }
    (x, labels)
}

impl Net {
    pub fn new(setup: &Setup, replicas: &[u64], backend: &dyn Backend) -> Net {
        let mut g = Graph::new(replicas.len()).unwrap();
        let outputs = setup.loss.outputs(setup.classes);
        let architecture = Architecture {
            inputs: setup.inputs,
            hidden: setup.hidden.to_vec(),
            outputs,
            activation: setup.activation,
            bias: true,
        };
        let network = Network::record(&mut g, &architecture).unwrap();
        let own = matches!(setup.rows, Rows::Own | Rows::Written(_));
        let size = match setup.rows {
            Rows::Shared | Rows::Lasting | Rows::Own => setup.total,
            Rows::Gathered(size) | Rows::Written(size) => size,
        };
        let space = g.rows(size).unwrap();
        let mut once = Batch::default();
        let mut index = None;
        let (x, labels, targets, weights) = if let Rows::Gathered(_) = setup.rows {
            let data = g.rows(setup.total).unwrap();
            let x = g.input("x", data, setup.inputs, false).unwrap();
            let labels = g.index("labels", data, setup.classes, false).unwrap();
            let targets = g.input("targets", data, outputs, false).unwrap();
            let (rows, classes) = samples(setup, setup.total, &mut rng(0, 1));
            once.reals = vec![(x, rows), (targets, setup.loss.targets(&classes, setup.classes))];
            once.indices = vec![(labels, classes)];
            let i = g.index("index", space, setup.total, true).unwrap();
            index = Some(i);
            (
                g.gather(x, i).unwrap(),
                g.gather(labels, i).unwrap(),
                g.gather(targets, i).unwrap(),
                None,
            )
        } else {
            let x = match setup.rows {
                Rows::Lasting => g.samples("x", space, setup.inputs).unwrap(),
                _ => g.input("x", space, setup.inputs, own).unwrap(),
            };
            (
                x,
                g.index("labels", space, setup.classes, own).unwrap(),
                g.input("targets", space, outputs, own).unwrap(),
                own.then(|| g.input("weights", space, 1, true).unwrap()),
            )
        };
        let forward = network.forward(&mut g, x).unwrap();
        let truth = match setup.loss {
            Loss::SquaredError => Truth::Targets(targets),
            _ => Truth::Labels(labels),
        };
        let losses = setup.loss.of_rows(&mut g, forward.outputs, truth).unwrap();
        let loss = g.mean_over_rows(losses, weights).unwrap();
        let decay = g.l2_decay(&network.weights(), 1e-3).unwrap();
        let mut objective = g.add(loss, decay).unwrap();
        // A core without the feature refuses it.
        if setup.entangled && cfg!(feature = "soft-nearest-neighbor") {
            let unit = g.row_normalize(forward.hidden[0]).unwrap();
            let (losses, counts) = g.soft_nearest_neighbor(unit, labels, weights, 0.7).unwrap();
            let mean = g.mean_over_rows(losses, Some(counts)).unwrap();
            let term = g.scale(mean, -0.4).unwrap();
            objective = g.add(objective, term).unwrap();
        }
        let unit = g.row_normalize(forward.hidden[1]).unwrap();
        let results = vec![
            objective,
            loss,
            g.error_count(forward.outputs, labels, weights).unwrap(),
            g.class_moments(unit, labels, setup.classes, weights).unwrap(),
            g.zero_rows(unit).unwrap(),
        ];
        let parameters: Vec<Value> = g.parameters().map(|(value, _)| value).collect();
        let entry = Entry {
            outputs: results.clone(),
            training: Some(Training {
                objective,
                rule: Some(setup.rule),
            }),
        };
        let mut session = Plan::new(&g, &[entry]).unwrap().start(backend).unwrap();
        let initial = architecture.initial(Initializer::Pytorch, 5, replicas);
        for (value, (_, values)) in parameters.iter().zip(&initial) {
            session.write(*value, values).unwrap();
        }

        let mut batches = Vec::new();
        // The last batch of an epoch is short.
        let starts: Vec<usize> = (0..setup.total).step_by(size).collect();
        for (k, &start) in starts.iter().enumerate() {
            let rows = size.min(setup.total - start);
            let mut batch = Batch {
                rows,
                ..Batch::default()
            };
            if let Some(index) = index {
                let drawn = |&r: &u64| {
                    let mut rng = rng(r, 2 + k as u64);
                    (0..rows)
                        .map(move |_| rng.next_u32() % setup.total as u32)
                        .collect::<Vec<u32>>()
                };
                batch.indices.push((index, replicas.iter().flat_map(drawn).collect()));
                batches.push(batch);
                continue;
            }
            let sets: &[u64] = if own { replicas } else { &[0] };
            let (mut all_x, mut all_labels, mut all_weights) = (vec![], vec![], vec![]);
            for &r in sets {
                let mut rng = rng(r, 2 + k as u64);
                let (x, labels) = samples(setup, rows, &mut rng);
                all_x.extend(x);
                all_labels.extend(labels);
                all_weights.extend((0..rows).map(|_| f64::from(rng.next_u32() % 4)));
            }
            batch.reals.push((x, all_x));
            batch
                .reals
                .push((targets, setup.loss.targets(&all_labels, setup.classes)));
            batch.reals.extend(weights.map(|w| (w, all_weights)));
            batch.indices.push((labels, all_labels));
            batches.push(batch);
        }
        for (value, values) in &once.reals {
            session.write(*value, values).unwrap();
        }
        for (value, values) in &once.indices {
            session.write_index(*value, values).unwrap();
        }
        Net {
            session,
            replicas: replicas.len(),
            space,
            batches,
            results,
            parameters,
            steps: 0,
        }
    }

    /// Writes the next batch (full batches: the rows, once) and trains a step.
    pub fn step(&mut self) {
        let batch = &self.batches[self.steps as usize % self.batches.len()];
        if self.batches.len() > 1 || self.steps == 0 {
            self.session.set_rows(self.space, batch.rows).unwrap();
            for (value, values) in &batch.reals {
                self.session.write(*value, values).unwrap();
            }
            for (value, values) in &batch.indices {
                self.session.write_index(*value, values).unwrap();
            }
        }
        self.steps += 1;
        let step = Step {
            learning_rate: 0.05,
            number: self.steps,
        };
        self.session.run(EntryId(0), step).unwrap();
    }

    /// The bits of these values, by replica.
    fn split(&self, all: &mut [Vec<u64>], values: &[f64]) {
        let own = values.len() / self.replicas;
        for (bits, values) in all.iter_mut().zip(values.chunks_exact(own)) {
            bits.extend(values.iter().map(|v| v.to_bits()));
        }
    }

    /// Trains so many steps; by replica, the bits of the results of each, then of the gradients, parameters and states.
    pub fn train(mut self, steps: usize) -> Vec<Vec<u64>> {
        let mut bits = vec![Vec::new(); self.replicas];
        for _ in 0..steps {
            self.step();
            for &value in &self.results {
                self.split(&mut bits, &self.session.read(value).unwrap());
            }
        }
        for &value in &self.parameters {
            self.split(&mut bits, &self.session.gradient(value).unwrap());
            self.split(&mut bits, &self.session.read(value).unwrap());
        }
        for values in self.session.states().unwrap().iter().flat_map(|(_, states)| states) {
            self.split(&mut bits, values);
        }
        bits
    }
}
