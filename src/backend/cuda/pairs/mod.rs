//! Reductions over pairs on the device: sums and histograms per class pair, sums per row and class (also in logarithms), the k nearest, and
//! the soft nearest neighbour loss; sums, logarithms and the loss with gradients. Replica after replica.
//!
//! | file | what it does |
//! |---|---|
//! | `points` | points as the kernels read them, class after class |
//! | `sums` | reductions A and B |
//! | `nearest` | reduction C |
//! | `histograms` | reduction A with a histogram |
//! | `gradient` | gradients of A and B, of B in logarithms and of the loss |
//!
//! Squared distances are sums of differences in every form; the centred form is no faster here, and as exact as the direct one.

mod gradient;
mod histograms;
mod nearest;
mod points;
mod sums;

use super::Cuda;
use super::driver::Context;
use super::error::CudaError;
use super::launch::Launch;
use crate::backend::pairwise::soft_nearest_neighbor::counted;
use crate::backend::pairwise::{
    Bins, ClassHistograms, ClassSums, Form, Gradients, Metric, Nearest, PairFunction, Pairwise, PairwiseError, Points,
    SoftNearestNeighbor, SoftNearestNeighborGradient, Target, check_neighbors, check_sets, check_weights, class_pairs,
    targets, zeros,
};

fn failed(error: CudaError) -> PairwiseError {
    PairwiseError::Device {
        reason: error.to_string(),
    }
}

/// Launches a kernel whose parameters no step changes.
///
/// # Safety
/// As [`super::driver::launch`]; memory is freed by a call that waits for the kernel.
unsafe fn run(context: &Context, mut launch: Launch) -> Result<(), PairwiseError> {
    // SAFETY: the caller's promise.
    unsafe { launch.run(context) }.map_err(failed)
}

impl Pairwise for Cuda {
    fn class_sums(
        &self,
        points: &Points,
        others: Option<&Points>,
        function: PairFunction,
        form: Form,
    ) -> Result<ClassSums, PairwiseError> {
        function.check(form)?;
        check_sets(points, others, form.largest())?;
        let mut sums = Vec::new();
        for replica in 0..points.replica_count() {
            sums.extend(self.class_pair_sums(points, others, replica, (function, form))?);
        }
        Ok(ClassSums {
            sums,
            pairs: class_pairs(points, others),
        })
    }

    fn class_sums_gradient(
        &self,
        points: &Points,
        others: Option<&Points>,
        function: PairFunction,
        form: Form,
        weights: &[f64],
    ) -> Result<Gradients, PairwiseError> {
        function.check_gradient(form)?;
        check_sets(points, others, form.largest())?;
        let second = others.unwrap_or(points).classes();
        let size = points.classes() * second;
        check_weights(weights, points.replica_count() * size)?;
        let mut gradients = zeros(points, others);
        for ((replica, target), weights) in targets(&mut gradients, points, others).zip(weights.chunks_exact(size)) {
            let weight = |i: usize, b: usize| weights[points.label(replica, i) * second + b];
            self.slopes(points, others, replica, (function, form), &weight, target)?;
        }
        Ok(gradients)
    }

    fn class_histograms(
        &self,
        points: &Points,
        others: Option<&Points>,
        bins: Bins,
        form: Form,
    ) -> Result<ClassHistograms, PairwiseError> {
        bins.check()?;
        check_sets(points, others, form.largest())?;
        let mut counts = Vec::new();
        for replica in 0..points.replica_count() {
            counts.extend(self.histograms(points, others, replica, bins, form)?);
        }
        Ok(ClassHistograms { counts })
    }

    fn row_class_sums(
        &self,
        points: &Points,
        others: Option<&Points>,
        function: PairFunction,
        form: Form,
    ) -> Result<Vec<f64>, PairwiseError> {
        function.check(form)?;
        check_sets(points, others, form.largest())?;
        let mut sums = Vec::new();
        for replica in 0..points.replica_count() {
            sums.extend(self.row_sums(points, others, replica, (function, form))?);
        }
        Ok(sums)
    }

    fn row_class_sums_gradient(
        &self,
        points: &Points,
        others: Option<&Points>,
        function: PairFunction,
        form: Form,
        weights: &[f64],
    ) -> Result<Gradients, PairwiseError> {
        function.check_gradient(form)?;
        check_sets(points, others, form.largest())?;
        let classes = others.unwrap_or(points).classes();
        let size = points.rows() * classes;
        check_weights(weights, points.replica_count() * size)?;
        let mut gradients = zeros(points, others);
        for ((replica, target), weights) in targets(&mut gradients, points, others).zip(weights.chunks_exact(size)) {
            let weight = |i: usize, c: usize| weights[i * classes + c];
            self.slopes(points, others, replica, (function, form), &weight, target)?;
        }
        Ok(gradients)
    }

    fn row_class_log_sums(
        &self,
        points: &Points,
        others: Option<&Points>,
        temperature: f64,
        form: Form,
    ) -> Result<Vec<f64>, PairwiseError> {
        PairFunction::Gaussian { temperature }.check(form)?;
        check_sets(points, others, form.largest())?;
        let mut logs = Vec::new();
        for replica in 0..points.replica_count() {
            logs.extend(self.log_sums(points, others, replica, (temperature, form))?);
        }
        Ok(logs)
    }

    fn row_class_log_sums_gradient(
        &self,
        points: &Points,
        others: Option<&Points>,
        temperature: f64,
        form: Form,
        weights: &[f64],
    ) -> Result<Gradients, PairwiseError> {
        PairFunction::Gaussian { temperature }.check(form)?;
        check_sets(points, others, form.largest())?;
        let size = points.rows() * others.unwrap_or(points).classes();
        check_weights(weights, points.replica_count() * size)?;
        let mut gradients = zeros(points, others);
        for ((replica, target), weights) in targets(&mut gradients, points, others).zip(weights.chunks_exact(size)) {
            let logs = self.log_sums(points, others, replica, (temperature, form))?;
            self.log_slopes(points, others, replica, (temperature, form), (&logs, weights), target)?;
        }
        Ok(gradients)
    }

    fn nearest(
        &self,
        points: &Points,
        others: Option<&Points>,
        metric: Metric,
        k: usize,
        form: Form,
    ) -> Result<Nearest, PairwiseError> {
        metric.function().check(form)?;
        check_sets(points, others, form.largest())?;
        check_neighbors(points, others, k)?;
        let mut nearest = Nearest {
            k,
            distances: vec![],
            indices: vec![],
            labels: vec![],
        };
        for replica in 0..points.replica_count() {
            self.nearest_of_replica(points, others, replica, metric, &mut nearest)?;
        }
        Ok(nearest)
    }

    fn soft_nearest_neighbor(
        &self,
        points: &Points,
        temperature: f64,
        form: Form,
    ) -> Result<SoftNearestNeighbor, PairwiseError> {
        PairFunction::Gaussian { temperature }.check(form)?;
        check_sets(points, None, form.largest())?;
        let mut value = SoftNearestNeighbor::default();
        for replica in 0..points.replica_count() {
            self.loss(points, replica, (temperature, form), &mut value)?;
        }
        Ok(value)
    }

    fn soft_nearest_neighbor_gradient(
        &self,
        points: &Points,
        temperature: f64,
        form: Form,
    ) -> Result<SoftNearestNeighborGradient, PairwiseError> {
        PairFunction::Gaussian { temperature }.check(form)?;
        check_sets(points, None, form.largest())?;
        let (rows, dim) = (points.rows(), points.dim());
        let mut gradient = SoftNearestNeighborGradient {
            value: SoftNearestNeighbor::default(),
            points: vec![0.0; points.replica_count() * rows * dim],
            temperature: vec![],
        };
        for (replica, to) in gradient.points.chunks_exact_mut(rows * dim).enumerate() {
            let (logs, weights) = self.loss(points, replica, (temperature, form), &mut gradient.value)?;
            let target = Target {
                points: &mut *to,
                others: &mut [],
            };
            self.log_slopes(points, None, replica, (temperature, form), (&logs, &weights), target)?;
            let along = along(points, replica, to)?;
            gradient.temperature.push(-along / (2.0 * temperature));
        }
        Ok(gradient)
    }
}

/// sum_i x_i . slopes_i. The gradients of a loss of differences add up to 0, so the origin may be any point; the first row is close.
fn along(points: &Points, replica: usize, slopes: &[f64]) -> Result<f64, PairwiseError> {
    let dim = points.dim();
    let (mut row, mut first, mut along) = (vec![0.0; dim], vec![0.0; dim], 0.0);
    points.row(replica, 0, &mut first)?;
    for (i, slopes) in slopes.chunks_exact(dim).enumerate() {
        points.row(replica, i, &mut row)?;
        let differences = row.iter().zip(&first).map(|(x, o)| x - o);
        along += differences.zip(slopes).map(|(x, s)| x * s).sum::<f64>();
    }
    Ok(along)
}

impl Cuda {
    /// One replica's loss is appended; returns L_ic and dloss/dL_ic.
    fn loss(
        &self,
        points: &Points,
        replica: usize,
        (temperature, form): (f64, Form),
        value: &mut SoftNearestNeighbor,
    ) -> Result<(Vec<f64>, Vec<f64>), PairwiseError> {
        let (counts, counted) = counted(points, replica)?;
        let classes = points.classes();
        let logs = self.log_sums(points, None, replica, (temperature, form))?;
        let (mut total, mut weights) = (0.0, vec![0.0; logs.len()]);
        for (i, counts) in counts.into_iter().enumerate() {
            let row = &logs[i * classes..(i + 1) * classes];
            // log D_i - log S_i; where the row counts the largest term is finite.
            let (own, top) = (
                points.label(replica, i),
                row.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            );
            let all = top + libm::log(row.iter().map(|l| libm::exp(l - top)).sum());
            let loss = if counts { all - row[own] } else { 0.0 };
            value.rows.push(loss);
            total += loss;
            for (c, weight) in weights[i * classes..(i + 1) * classes].iter_mut().enumerate() {
                if counts {
                    *weight = (libm::exp(row[c] - all) - f64::from(u8::from(c == own))) / counted as f64;
                }
            }
        }
        value.loss.push(total / counted as f64);
        value.counted.push(counted);
        Ok((logs, weights))
    }
}
