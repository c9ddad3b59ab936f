//! A backend whose reductions over pairs are another's.

/// Gives a type the reductions of what its own method `pairs` returns.
macro_rules! delegate_pairs {
    ($backend:ty) => {
        const _: () = {
            use $crate::backend::pairwise::{
                Bins, ClassHistograms, ClassSums, Form, Gradients, Metric, Nearest, PairFunction, Pairwise,
                PairwiseError, Points, SoftNearestNeighbor, SoftNearestNeighborGradient,
            };

            impl Pairwise for $backend {
                fn class_sums(
                    &self,
                    points: &Points,
                    others: Option<&Points>,
                    function: PairFunction,
                    form: Form,
                ) -> Result<ClassSums, PairwiseError> {
                    self.pairs().class_sums(points, others, function, form)
                }

                fn class_sums_gradient(
                    &self,
                    points: &Points,
                    others: Option<&Points>,
                    function: PairFunction,
                    form: Form,
                    weights: &[f64],
                ) -> Result<Gradients, PairwiseError> {
                    self.pairs()
                        .class_sums_gradient(points, others, function, form, weights)
                }

                fn class_histograms(
                    &self,
                    points: &Points,
                    others: Option<&Points>,
                    bins: Bins,
                    form: Form,
                ) -> Result<ClassHistograms, PairwiseError> {
                    self.pairs().class_histograms(points, others, bins, form)
                }

                fn row_class_sums(
                    &self,
                    points: &Points,
                    others: Option<&Points>,
                    function: PairFunction,
                    form: Form,
                ) -> Result<Vec<f64>, PairwiseError> {
                    self.pairs().row_class_sums(points, others, function, form)
                }

                fn row_class_sums_gradient(
                    &self,
                    points: &Points,
                    others: Option<&Points>,
                    function: PairFunction,
                    form: Form,
                    weights: &[f64],
                ) -> Result<Gradients, PairwiseError> {
                    self.pairs()
                        .row_class_sums_gradient(points, others, function, form, weights)
                }

                fn row_class_log_sums(
                    &self,
                    points: &Points,
                    others: Option<&Points>,
                    temperature: f64,
                    form: Form,
                ) -> Result<Vec<f64>, PairwiseError> {
                    self.pairs().row_class_log_sums(points, others, temperature, form)
                }

                fn row_class_log_sums_gradient(
                    &self,
                    points: &Points,
                    others: Option<&Points>,
                    temperature: f64,
                    form: Form,
                    weights: &[f64],
                ) -> Result<Gradients, PairwiseError> {
                    self.pairs()
                        .row_class_log_sums_gradient(points, others, temperature, form, weights)
                }

                fn nearest(
                    &self,
                    points: &Points,
                    others: Option<&Points>,
                    metric: Metric,
                    k: usize,
                    form: Form,
                ) -> Result<Nearest, PairwiseError> {
                    self.pairs().nearest(points, others, metric, k, form)
                }

                fn soft_nearest_neighbor(
                    &self,
                    points: &Points,
                    temperature: f64,
                    form: Form,
                ) -> Result<SoftNearestNeighbor, PairwiseError> {
                    self.pairs().soft_nearest_neighbor(points, temperature, form)
                }

                fn soft_nearest_neighbor_gradient(
                    &self,
                    points: &Points,
                    temperature: f64,
                    form: Form,
                ) -> Result<SoftNearestNeighborGradient, PairwiseError> {
                    self.pairs()
                        .soft_nearest_neighbor_gradient(points, temperature, form)
                }
            }
        };
    };
}

pub(crate) use delegate_pairs;
