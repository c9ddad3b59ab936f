//! The pairwise reductions on the CPU.

mod candidates;
mod functions;
mod gradient;
mod histogram;
mod narrow;
mod nearest;
mod order;
mod packed;
mod reduce;
mod rounds;
mod slopes;
mod soft_nearest_neighbor;
mod stage;
mod sums;
mod tile;
mod wide;

use super::Cpu;
use crate::backend::BackendError;
use crate::backend::pairwise::{
    Bins, ClassHistograms, ClassSums, Form, Gradients, Metric, Nearest, PairFunction, Pairwise, PairwiseError, Points,
    SoftNearestNeighbor, SoftNearestNeighborGradient, check_neighbors, check_sets, check_weights, class_pairs, targets,
    zeros,
};
pub use gradient::GRADIENT_ROUNDINGS;
use slopes::Weights;
pub use sums::SUM_ROUNDINGS;

/// Memory that is not to be had.
fn memory(error: BackendError) -> PairwiseError {
    let bytes = match error {
        BackendError::OutOfMemory { bytes, .. } => bytes,
        _ => 0,
    };
    PairwiseError::OutOfMemory {
        what: "pairwise reduction",
        bytes,
    }
}

impl Pairwise for Cpu {
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
        for (replica, target) in targets(&mut gradients, points, others) {
            let weights = &weights[replica * size..(replica + 1) * size];
            let of = |i: usize, b: usize| {
                let a = points.label(replica, i);
                let reversed = if others.is_none() { weights[b * second + a] } else { 0.0 };
                weights[a * second + b] + reversed
            };
            let weights = Weights { of: &of, mutual: false };
            self.slopes(points, others, replica, (function, form), weights, target)?;
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
            sums.extend(self.row_sums(points, others, replica, (function, form), true)?);
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
        for (replica, target) in targets(&mut gradients, points, others) {
            let weights = &weights[replica * size..(replica + 1) * size];
            let of = |i: usize, c: usize| weights[i * classes + c];
            let mutual = others.is_none();
            let weights = Weights { of: &of, mutual };
            self.slopes(points, others, replica, (function, form), weights, target)?;
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
            logs.extend(self.log_sums(points, others, replica, (temperature, form))?.values);
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
        for (replica, target) in targets(&mut gradients, points, others) {
            let logs = self.log_sums(points, others, replica, (temperature, form))?;
            let weights = &weights[replica * size..(replica + 1) * size];
            self.log_slopes(points, others, replica, (temperature, form), &logs, weights, target)?;
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
        let size = points.replica_count() * points.rows() * k;
        let mut nearest = Nearest {
            k,
            distances: Vec::with_capacity(size),
            indices: Vec::with_capacity(size),
            labels: Vec::with_capacity(size),
        };
        for replica in 0..points.replica_count() {
            self.nearest_of_replica(points, others, replica, (metric, form), &mut nearest)?;
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
            self.forward(points, replica, (temperature, form), &mut value)?;
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
        let mut gradient = SoftNearestNeighborGradient {
            value: SoftNearestNeighbor::default(),
            points: vec![0.0; points.replica_count() * points.rows() * points.dim()],
            temperature: vec![],
        };
        let parts = gradient.points.chunks_exact_mut(points.rows() * points.dim());
        for (replica, to) in parts.enumerate() {
            let forward = self.forward(points, replica, (temperature, form), &mut gradient.value)?;
            let slope = self.backward(points, replica, (temperature, form), &forward, to)?;
            gradient.temperature.push(slope);
        }
        Ok(gradient)
    }
}
