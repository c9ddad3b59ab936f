//! The soft nearest neighbour loss on reduction B: the sums of exponentials of one pass, and for the gradient a second one
//! that computes the exponentials again.

use super::super::Cpu;
use super::reduce::{logarithms, tiny};
use super::slopes::Weights;
use crate::backend::pairwise::soft_nearest_neighbor::counted;
use crate::backend::pairwise::{Form, PairFunction, PairwiseError, Points, SoftNearestNeighbor, Target};

/// What the gradient needs of a replica's forward pass.
pub(super) struct Forward {
    /// Rows in the mean.
    pub(super) counts: Vec<bool>,
    pub(super) counted: usize,
    /// log D_i and log S_i.
    logs: Vec<[f64; 2]>,
    /// Rows whose sums f32 does not hold.
    vanishing: Vec<usize>,
    is_vanishing: Vec<bool>,
}

impl Cpu {
    /// One replica's loss is appended.
    pub(super) fn forward(
        &self,
        points: &Points,
        replica: usize,
        (temperature, form): (f64, Form),
        value: &mut SoftNearestNeighbor,
    ) -> Result<Forward, PairwiseError> {
        let (counts, counted) = counted(points, replica)?;
        let (classes, sizes) = (points.classes(), points.class_sizes(replica));
        let own = |i: usize| points.label(replica, i);
        let mut is_vanishing = counts.clone();
        let mut logs = vec![[0.0; 2]; points.rows()];
        if form != Form::F64 {
            let function = PairFunction::Gaussian { temperature };
            let sums = self.row_sums(points, None, replica, (function, form), true)?;
            for (i, sums) in sums.chunks_exact(classes).enumerate() {
                let (all, same) = (sums.iter().sum::<f64>(), sums[own(i)]);
                is_vanishing[i] = counts[i] && (all < tiny(points.rows()) || same < tiny(sizes[own(i)]));
                logs[i] = [all, same];
            }
            logarithms(self.isa, logs.as_flattened_mut());
        }
        let vanishing: Vec<usize> = (0..points.rows()).filter(|&i| is_vanishing[i]).collect();
        if !vanishing.is_empty() {
            let anew = self.wide_log_sums(points, None, replica, temperature, &vanishing)?;
            for (&i, row) in vanishing.iter().zip(anew.chunks_exact(classes)) {
                let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let all = top + libm::log(row.iter().map(|l| libm::exp(l - top)).sum());
                logs[i] = [all, row[own(i)]];
            }
        }
        let rows = value.rows.len();
        value.rows.extend(
            logs.iter()
                .zip(&counts)
                .map(|([all, same], counts)| if *counts { all - same } else { 0.0 }),
        );
        value.loss.push(value.rows[rows..].iter().sum::<f64>() / counted as f64);
        value.counted.push(counted);
        Ok(Forward {
            counts,
            counted,
            logs,
            vanishing,
            is_vanishing,
        })
    }

    /// Adds one replica's gradient and returns the one by the temperature.
    pub(super) fn backward(
        &self,
        points: &Points,
        replica: usize,
        (temperature, form): (f64, Form),
        forward: &Forward,
        to: &mut [f64],
    ) -> Result<f64, PairwiseError> {
        let own = |i: usize| points.label(replica, i);
        let scale = 1.0 / forward.counted as f64;
        // d(log D_i - log S_i) by the exponential of a pair, whose own derivative is that of f.
        let inverses: Vec<[f64; 2]> = (0..points.rows())
            .map(|i| {
                let kept = forward.counts[i] && !forward.is_vanishing[i];
                if kept {
                    forward.logs[i].map(|log| scale * libm::exp(-log))
                } else {
                    [0.0; 2]
                }
            })
            .collect();
        let of = |i: usize, c: usize| {
            let [all, same] = inverses[i];
            if c == own(i) { all - same } else { all }
        };
        let function = PairFunction::Gaussian { temperature };
        let weights = Weights { of: &of, mutual: true };
        if form != Form::F64 {
            let target = Target {
                points: &mut *to,
                others: &mut [],
            };
            self.slopes(points, None, replica, (function, form), weights, target)?;
        }
        let vanishing = |i: usize, c: usize, d: f64| {
            if !forward.is_vanishing[i] {
                return 0.0;
            }
            let [all, same] = forward.logs[i].map(|log| scale * libm::exp(-d / temperature - log));
            if c == own(i) { all - same } else { all }
        };
        let target = Target {
            points: &mut *to,
            others: &mut [],
        };
        self.vanishing_slopes(
            points,
            None,
            replica,
            temperature,
            &forward.vanishing,
            &vanishing,
            target,
        )?;
        // The gradients of a loss of differences add up to 0, so the origin may be any point; the first is close.
        let dim = points.dim();
        let (mut row, mut first, mut along) = (vec![0.0; dim], vec![0.0; dim], 0.0);
        points.row(replica, 0, &mut first)?;
        for (i, slopes) in to.chunks_exact(dim).enumerate() {
            points.row(replica, i, &mut row)?;
            along += row
                .iter()
                .zip(&first)
                .zip(slopes)
                .map(|((x, o), s)| (x - o) * s)
                .sum::<f64>();
        }
        Ok(-along / (2.0 * temperature))
    }
}
