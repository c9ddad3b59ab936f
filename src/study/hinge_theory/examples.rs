//! The teacher's examples: x, y = sign(w* . x) with w* the first axis, some labels flipped.
//!
//! Both distributions are isotropic, so that no direction is special.

use rand_distr::{Distribution as _, StandardNormal, StandardUniform};

use super::model::{Distribution, Model};
use crate::data::streams::{Stream, generator};

/// Examples with labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Examples {
    /// `[N, d]`
    pub x: Vec<f64>,
    /// 1 for y = +1, 0 for y = -1.
    pub labels: Vec<u32>,
}

/// w*: the first axis.
pub fn teacher(d: usize) -> Vec<f64> {
    let mut direction = vec![0.0; d];
    if let Some(first) = direction.first_mut() {
        *first = 1.0;
    }
    direction
}

impl Examples {
    /// The training examples of a step; with fixed data all steps have those of step 0.
    pub fn of_step(model: &Model, count: usize, seed: u64, replica: u64, step: u64) -> Examples {
        let mut examples = draw(model, count, seed, Stream::TeacherExamples { replica, step });
        if model.noise > 0.0 {
            let mut rng = generator(seed, Stream::TeacherNoise { replica, step });
            for label in &mut examples.labels {
                let toss: f64 = StandardUniform.sample(&mut rng);
                if toss < model.noise {
                    *label = 1 - *label;
                }
            }
        }
        examples
    }

    /// Test examples, whose labels are right.
    pub fn for_test(model: &Model, count: usize, seed: u64, replica: u64) -> Examples {
        draw(model, count, seed, Stream::TeacherTest { replica })
    }
}

fn draw(model: &Model, count: usize, seed: u64, stream: Stream) -> Examples {
    let mut rng = generator(seed, stream);
    let d = model.dimension;
    let mut x: Vec<f64> = Vec::with_capacity(count * d);
    let mut labels = Vec::with_capacity(count);
    for _ in 0..count {
        let start = x.len();
        x.extend((0..d).map(|_| -> f64 { StandardNormal.sample(&mut rng) }));
        let row = &mut x[start..];
        if model.distribution == Distribution::Sphere {
            let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            row.iter_mut().for_each(|x| *x /= norm);
        }
        // What the engine computes with, so that labels and projections are those of the rounded example.
        row.iter_mut().for_each(|x| *x = f64::from(*x as f32));
        labels.push(u32::from(row.first().is_some_and(|&x| x >= 0.0)));
    }
    Examples { x, labels }
}
