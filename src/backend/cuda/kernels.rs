//! The kernels by name: the PTX that is committed beside their sources in `kernels/`, compiled by the driver for its device when
//! the backend is made. `kernels/MANIFEST` says what the PTX was made from; `tests/kernels_manifest.rs` checks it.

use std::collections::HashMap;
use std::sync::Arc;

use super::driver::{Context, Function, Module};
use super::error::CudaError;

macro_rules! sources {
    ($($file:literal: $($kernel:ident)*;)*) => {
        /// Every file with its PTX and its kernels.
        const SOURCES: &[(&str, &str, &[&str])] = &[
            $(($file, include_str!(concat!("../../../kernels/", $file, ".ptx")), &[$(stringify!($kernel)),*])),*
        ];
    };
}

sources! {
    "dense": dense_forward dense_forward_narrow dense_input_grad dense_input_grad_narrow dense_weight_grad
        dense_weight_grad_narrow lanes_total;
    "elementwise": fill add accumulate unary unary_grad sum_squares_grad gather;
    "histograms": pair_histogram_f32 pair_histogram_f64 pair_histogram_totals;
    "losses": softmax_cross_entropy softmax_cross_entropy_grad margin margin_grad squared_error squared_error_grad
        logit_penalty logit_penalty_grad;
    "nearest": nearest_of_part nearest_of_parts;
    "optimizers": sgd adam rms_prop;
    "pair_gradient": pair_log_gradient_f32 pair_log_gradient_f64 pair_sum_gradient_f32 pair_sum_gradient_f64 pair_difference_gradient_f32
        pair_difference_gradient_f64 pair_gradient_total;
    "pairs": pair_sums_f32 pair_sums_f64 pair_log_sums_f32 pair_log_sums_f64 pair_row_totals pair_log_totals pair_class_totals;
    "peak": peak_multiply_adds peak_copy;
    "probes": class_moments_parts class_moments_of_parts error_count_parts zero_rows_parts counts_of_parts;
    "rows": row_normalize row_normalize_grad row_sum_parts sum_squares_parts sum_of_parts row_sum_grad;
    "soft_nearest_neighbor": soft_nearest_neighbor soft_nearest_neighbor_grad;
}

/// All kernels on one device.
pub(super) struct Kernels {
    functions: HashMap<&'static str, Function>,
    /// The functions live as long as these.
    _modules: Vec<Module>,
}

impl Kernels {
    pub(super) fn load(context: &Arc<Context>) -> Result<Kernels, CudaError> {
        let mut functions = HashMap::new();
        let mut modules = Vec::new();
        for (file, ptx, names) in SOURCES {
            let module = Module::new(context, file, ptx)?;
            for name in *names {
                functions.insert(*name, module.function(name)?);
            }
            modules.push(module);
        }
        Ok(Kernels {
            functions,
            _modules: modules,
        })
    }

    /// The kernel of that name, one of those above.
    pub(super) fn get(&self, name: &str) -> Result<Function, CudaError> {
        self.functions.get(name).copied().ok_or_else(|| CudaError::Call {
            what: format!("looking for the kernel '{name}'"),
            error: "it is in no module".to_string(),
        })
    }
}
