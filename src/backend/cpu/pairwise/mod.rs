//! The pairwise reductions on the CPU.

mod functions;
mod order;
mod packed;
mod rounds;
mod stage;
mod sums;
mod tile;

use super::Cpu;
use super::slab::Slab;
use crate::backend::Reference;
use crate::backend::pairwise::{
    Bins, ClassHistograms, ClassSums, Form, Gradients, Metric, Nearest, PairFunction, Pairwise, PairwiseError, Points,
    SoftNearestNeighbor, SoftNearestNeighborGradient, check_sets, class_pairs,
};
use functions::{factor, sum};
use packed::memory;
use stage::{Needs, Stage};
use sums::Totals;

/// Zeros for `classes` x `positions` sums.
fn totals(classes: usize, positions: usize) -> Result<Totals, PairwiseError> {
    let sums = Slab::new("sums per row and class", classes * positions).map_err(memory)?;
    Ok(Totals { sums, positions })
}

impl Cpu {
    /// The sums per row and class of one replica, `[class][position]`; without `columns` each unordered pair of one set counts
    /// for one of its points only.
    fn row_totals<'a>(
        &'a self,
        points: &'a Points<'a>,
        others: Option<&'a Points<'a>>,
        replica: usize,
        (function, form): (PairFunction, Form),
        both: bool,
    ) -> Result<(Stage<'a>, Totals), PairwiseError> {
        let needs = Needs {
            form,
            cosine: function == PairFunction::Cosine,
            by_class: true,
            gradient: false,
        };
        let stage = Stage::new((self.isa, &self.pool), points, others, replica, needs)?;
        let totals = totals(others.unwrap_or(points).classes(), stage.rows().positions())?;
        let columns = (both && others.is_none()).then_some(&totals);
        stage.visit(|pairs| sum(pairs, function, form, &totals, columns))?;
        Ok((stage, totals))
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
        if form == Form::F64 {
            return Reference.class_sums(points, others, function, form);
        }
        check_sets(points, others, f64::from(f32::MAX))?;
        let (first, second) = (points.classes(), others.unwrap_or(points).classes());
        let mut all = vec![0.0; points.replica_count() * first * second];
        for (replica, sums) in all.chunks_exact_mut(first * second).enumerate() {
            let (stage, totals) = self.row_totals(points, others, replica, (function, form), false)?;
            for (b, totals) in totals.sums.all().chunks_exact(totals.positions.max(1)).enumerate() {
                for (position, row) in stage.rows().rows() {
                    sums[points.label(replica, row) * second + b] += totals[position];
                }
            }
            if others.is_none() {
                // Each pair was visited once; the other order is the same.
                let once = sums.to_vec();
                for a in 0..first {
                    (0..first).for_each(|b| sums[a * first + b] += once[b * first + a]);
                }
            }
            sums.iter_mut().for_each(|sum| *sum *= factor(function));
        }
        Ok(ClassSums {
            sums: all,
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
        Reference.class_sums_gradient(points, others, function, form, weights)
    }

    fn class_histograms(
        &self,
        points: &Points,
        others: Option<&Points>,
        bins: Bins,
        form: Form,
    ) -> Result<ClassHistograms, PairwiseError> {
        Reference.class_histograms(points, others, bins, form)
    }

    fn row_class_sums(
        &self,
        points: &Points,
        others: Option<&Points>,
        function: PairFunction,
        form: Form,
    ) -> Result<Vec<f64>, PairwiseError> {
        function.check(form)?;
        if form == Form::F64 {
            return Reference.row_class_sums(points, others, function, form);
        }
        check_sets(points, others, f64::from(f32::MAX))?;
        let classes = others.unwrap_or(points).classes();
        let mut all = vec![0.0; points.replica_count() * points.rows() * classes];
        for (replica, sums) in all.chunks_exact_mut(points.rows() * classes).enumerate() {
            let (stage, totals) = self.row_totals(points, others, replica, (function, form), true)?;
            for (c, totals) in totals.sums.all().chunks_exact(totals.positions).enumerate() {
                for (position, row) in stage.rows().rows() {
                    sums[row * classes + c] = totals[position] * factor(function);
                }
            }
        }
        Ok(all)
    }

    fn row_class_sums_gradient(
        &self,
        points: &Points,
        others: Option<&Points>,
        function: PairFunction,
        form: Form,
        weights: &[f64],
    ) -> Result<Gradients, PairwiseError> {
        Reference.row_class_sums_gradient(points, others, function, form, weights)
    }

    fn row_class_log_sums(
        &self,
        points: &Points,
        others: Option<&Points>,
        temperature: f64,
        form: Form,
    ) -> Result<Vec<f64>, PairwiseError> {
        Reference.row_class_log_sums(points, others, temperature, form)
    }

    fn row_class_log_sums_gradient(
        &self,
        points: &Points,
        others: Option<&Points>,
        temperature: f64,
        form: Form,
        weights: &[f64],
    ) -> Result<Gradients, PairwiseError> {
        Reference.row_class_log_sums_gradient(points, others, temperature, form, weights)
    }

    fn nearest(
        &self,
        points: &Points,
        others: Option<&Points>,
        metric: Metric,
        k: usize,
        form: Form,
    ) -> Result<Nearest, PairwiseError> {
        Reference.nearest(points, others, metric, k, form)
    }

    fn soft_nearest_neighbor(
        &self,
        points: &Points,
        temperature: f64,
        form: Form,
    ) -> Result<SoftNearestNeighbor, PairwiseError> {
        Reference.soft_nearest_neighbor(points, temperature, form)
    }

    fn soft_nearest_neighbor_gradient(
        &self,
        points: &Points,
        temperature: f64,
        form: Form,
    ) -> Result<SoftNearestNeighborGradient, PairwiseError> {
        Reference.soft_nearest_neighbor_gradient(points, temperature, form)
    }
}
