//! Networks of two and more layers by hand: architectures and initial weights that the theory can speak of.

use rand_distr::{Distribution, StandardNormal, StandardUniform};

use super::descent::{Descent, Objective, PLAIN, Problem};
use super::theory::scalar::Pull;
use crate::data::streams::{Stream, generator};
use crate::nn::network::Parameters;
use crate::nn::{Activation, Architecture, Loss};
use crate::study::StudyError;

/// A problem of plain descent on the loss of a pull, without biases, with ReLU.
pub fn problem(
    inputs: usize,
    hidden: &[usize],
    outputs: usize,
    loss: Loss,
    classes: usize,
    replicas: usize,
) -> Problem {
    Problem {
        architecture: Architecture {
            inputs,
            hidden: hidden.to_vec(),
            outputs,
            activation: Activation::Relu,
            bias: false,
        },
        loss,
        classes,
        rule: PLAIN,
        replicas,
        objectives: vec![Objective::loss()],
    }
}

/// The loss of one output with label 1 for its positive side.
pub fn loss_of(pull: Pull) -> Loss {
    match pull {
        Pull::CrossEntropy => Loss::Logistic,
        Pull::Hinge => Loss::Hinge { threshold: 1.0 },
    }
}

/// Two groups of `width / 2` neurons on inputs e_1 and e_2: projections on the own and on the other direction, and output
/// weights with the sign of the group.
#[derive(Clone, Debug, PartialEq)]
pub struct TwoGroups {
    /// W `[width, 2]`
    pub weights: Vec<f64>,
    /// Z `[1, width]`
    pub outputs: Vec<f64>,
}

impl TwoGroups {
    /// Sizes are drawn from scale * U(0.5, 1.5) of the replica's stream. Balanced neurons have z = v.
    pub fn draw(width: usize, scale: f64, balanced: bool, seed: u64) -> TwoGroups {
        let mut rng = generator(seed, Stream::Initialization { replica: 0 });
        let mut size = || -> f64 {
            let unit: f64 = StandardUniform.sample(&mut rng);
            scale * (0.5 + unit)
        };
        let (mut weights, mut outputs) = (Vec::new(), Vec::new());
        for n in 0..width {
            let (own, other, z) = (size(), size(), size());
            let z = if balanced { own } else { z };
            if n < width / 2 {
                weights.extend([own, -other]);
                outputs.push(z);
            } else {
                weights.extend([-other, own]);
                outputs.push(-z);
            }
        }
        TwoGroups { weights, outputs }
    }

    /// (z, v) of the neurons of a group, z counted towards its class.
    pub fn group(&self, group: usize) -> Vec<(f64, f64)> {
        let width = self.outputs.len();
        let members = if group == 0 { 0..width / 2 } else { width / 2..width };
        members
            .map(|n| (self.outputs[n].abs(), self.weights[2 * n + group]))
            .collect()
    }
}

/// Standard normal weights of a network of h neurons on one input, (W `[h, 1]`, Z `[1, h]`), from the network's own stream.
pub fn isotropic(h: usize, seed: u64, network: u64) -> (Vec<f64>, Vec<f64>) {
    let mut rng = generator(seed, Stream::Initialization { replica: network });
    let mut normals = |n| -> Vec<f64> { (0..n).map(|_| StandardNormal.sample(&mut rng)).collect() };
    (normals(h), normals(h))
}

/// Points of the plane with a uniform direction: standard normal (v0, z0).
pub fn isotropic_points(count: usize, seed: u64) -> Vec<(f64, f64)> {
    let mut rng = generator(seed, Stream::InitialPlane);
    (0..count)
        .map(|_| (StandardNormal.sample(&mut rng), StandardNormal.sample(&mut rng)))
        .collect()
}

/// W and Z under the names of a network with one hidden layer.
pub fn two_layers(weights: Vec<f64>, outputs: Vec<f64>) -> Parameters {
    vec![("0.weight".into(), weights), ("2.weight".into(), outputs)]
}

/// Descends objective 0 and calls `see(t, descent)` before the first and after every `every` steps, until `steps` are done
/// or `see` answers `false`.
///
/// # Errors
/// Those of training and of `see`.
pub fn follow(
    descent: &mut Descent,
    dt: f64,
    (steps, every): (u64, u64),
    mut see: impl FnMut(f64, &mut Descent) -> Result<bool, StudyError>,
) -> Result<(), StudyError> {
    for n in 0..=steps {
        if (n.is_multiple_of(every) || n == steps) && !see(n as f64 * dt, descent)? {
            return Ok(());
        }
        if n < steps {
            descent.step(0, dt)?;
        }
    }
    Ok(())
}

/// The first times at which curves, seen at increasing times, reach their levels; between two times on a straight line.
#[derive(Clone, Debug)]
pub struct Crossings {
    levels: Vec<f64>,
    last: Option<(f64, Vec<f64>)>,
    times: Vec<Option<f64>>,
}

impl Crossings {
    /// One level per curve.
    pub fn new(levels: Vec<f64>) -> Crossings {
        Crossings {
            times: vec![None; levels.len()],
            levels,
            last: None,
        }
    }

    /// Takes the curves' values at a time. Answers whether some have not arrived.
    pub fn see(&mut self, t: f64, values: Vec<f64>) -> bool {
        for (n, (&level, &value)) in self.levels.iter().zip(&values).enumerate() {
            if self.times[n].is_none() && value >= level {
                let before = self.last.as_ref().map(|(t, values)| (*t, values[n]));
                self.times[n] = Some(match before {
                    Some((from, low)) if value > low => from + (t - from) * (level - low) / (value - low),
                    _ => t,
                });
            }
        }
        self.last = Some((t, values));
        self.times.iter().any(Option::is_none)
    }

    /// The times; NaN for a curve that has not arrived.
    pub fn times(&self) -> Vec<f64> {
        self.times.iter().map(|t| t.unwrap_or(f64::NAN)).collect()
    }
}
