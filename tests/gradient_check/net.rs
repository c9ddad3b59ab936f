//! A graph under construction with random numbers for its leaves.

use disentangle::autograd::gradient_check::{Options, Report, compare, gradient_check, gradients};
use disentangle::autograd::{AutogradError, Graph, Session, Value};
use disentangle::backend::RowSpace;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// What recording gives.
pub type Recorded = Result<Value, AutogradError>;

/// A graph under construction with random numbers for its leaves.
pub struct Net {
    pub graph: Graph,
    pub space: RowSpace,
    pub rows: usize,
    pub cols: usize,
    pub reals: Vec<(Value, Vec<f64>)>,
    pub indices: Vec<(Value, Vec<u32>)>,
    rng: ChaCha8Rng,
}

impl Net {
    pub fn new((rows, cols, replicas): (usize, usize, usize)) -> Net {
        let mut graph = Graph::new(replicas).unwrap();
        let space = graph.rows(rows).unwrap();
        Net {
            graph,
            space,
            rows,
            cols,
            reals: vec![],
            indices: vec![],
            rng: ChaCha8Rng::seed_from_u64(7),
        }
    }

    pub fn copies(&self, replicated: bool) -> usize {
        if replicated { self.graph.replicas() } else { 1 }
    }

    pub fn normal(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| StandardNormal.sample(&mut self.rng)).collect()
    }

    /// Standard normal rows, shared by the replicas or not.
    pub fn rows(&mut self, name: &str, cols: usize, replicated: bool) -> Recorded {
        let value = self.graph.input(name, self.space, cols, replicated)?;
        let values = self.normal(self.copies(replicated) * self.rows * cols);
        self.reals.push((value, values));
        Ok(value)
    }

    pub fn parameter(&mut self, name: &str, rows: usize, cols: usize) -> Recorded {
        let value = self.graph.parameter(name, rows, cols)?;
        let values = self.normal(self.graph.replicas() * rows * cols);
        self.reals.push((value, values));
        Ok(value)
    }

    pub fn labels(&mut self, bound: usize, replicated: bool) -> Recorded {
        let value = self.graph.index("labels", self.space, bound, replicated)?;
        let n = self.rows * self.copies(replicated);
        let values = (0..n).map(|_| self.rng.next_u32() % bound as u32).collect();
        self.indices.push((value, values));
        Ok(value)
    }

    /// Sample weights, every third of them 0 (but not those of one row alone).
    pub fn weights(&mut self, replicated: bool) -> Recorded {
        let value = self.graph.input("weights", self.space, 1, replicated)?;
        let normal = self.normal(self.rows * self.copies(replicated));
        let weight = |(i, z): (usize, &f64)| {
            if i % 3 == 1 && self.rows > 1 {
                0.0
            } else {
                0.5 + z.abs()
            }
        };
        let values = normal.iter().enumerate().map(weight).collect();
        self.reals.push((value, values));
        Ok(value)
    }

    /// W x + b
    pub fn layer(&mut self, name: &str, x: Value, out: usize) -> Recorded {
        let cols = self.graph.shape(x)?.cols;
        let weight = self.parameter(&format!("{name}.weight"), out, cols)?;
        let bias = self.parameter(&format!("{name}.bias"), 1, out)?;
        self.graph.dense(x, weight, Some(bias))
    }

    /// The layer `w` on shared rows `x`, `out` wide.
    pub fn outputs(&mut self, out: usize) -> Recorded {
        let x = self.rows("x", self.cols, false)?;
        self.layer("w", x, out)
    }

    /// The layer `w`, as wide as the rows.
    pub fn hidden(&mut self) -> Recorded {
        self.outputs(self.cols)
    }

    /// Mean squared error against random targets of each replica: sees every element of `y`.
    pub fn error(&mut self, y: Value) -> Recorded {
        let cols = self.graph.shape(y)?.cols;
        let target = self.rows("target", cols, true)?;
        let rows = self.graph.squared_error(y, target)?;
        self.graph.mean_over_rows(rows, None)
    }

    /// Margin of `out` outputs over labels of each replica.
    pub fn margin(&mut self, out: usize) -> Recorded {
        let outputs = self.outputs(out)?;
        let labels = self.labels(out.max(2), true)?;
        self.graph.margin(outputs, labels)
    }

    /// Writes every leaf.
    pub fn feed(&self, session: &mut Session) -> Result<(), AutogradError> {
        for (value, values) in &self.reals {
            session.write(*value, values)?;
        }
        for (value, values) in &self.indices {
            session.write_index(*value, values)?;
        }
        Ok(())
    }

    pub fn check(&self, objective: Value) -> Report {
        gradient_check(&self.graph, objective, |s| self.feed(s), options()).unwrap()
    }

    pub fn gradients(&self, objective: Value) -> Vec<(Value, Vec<f64>)> {
        gradients(&self.graph, objective, |s| self.feed(s)).unwrap()
    }

    pub fn compare(&self, objective: Value, gradients: &[(Value, Vec<f64>)]) -> Report {
        compare(&self.graph, objective, gradients, |s| self.feed(s), options()).unwrap()
    }

    /// Overwrites the numbers of a leaf.
    pub fn set(&mut self, value: Value, values: Vec<f64>) {
        for (_, old) in self.reals.iter_mut().filter(|(v, _)| *v == value) {
            old.clone_from(&values);
        }
    }
}

pub fn options() -> Options {
    Options {
        directions: 8,
        ..Options::default()
    }
}
