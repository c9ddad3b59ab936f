//! From a function of a pair to the kernel that sums it.

use super::sums::{Pairs, Totals, add};
use super::tile::{Absolutes, Below, Differences, Exponential, Itself, Products, Root};
use crate::backend::pairwise::{Form, PairFunction};

/// What d^2 / T is multiplied by, so that 2 to it is e^(-d^2 / T). Finite: 0 times it is 0.
pub(super) fn rate(temperature: f64) -> f32 {
    ((-std::f64::consts::LOG2_E / temperature) as f32).max(-f32::MAX)
}

/// Adds a function of all pairs to totals (see [`add`]); the cosine distance is half of what is added.
pub(super) fn sum(pairs: Pairs, function: PairFunction, form: Form, rows: &Totals, columns: Option<&Totals>) {
    macro_rules! squares {
        ($map:expr) => {
            match form {
                Form::Centered => add(pairs, Products, $map, rows, columns),
                Form::Direct | Form::F64 => add(pairs, Differences, $map, rows, columns),
            }
        };
    }
    match function {
        PairFunction::SquaredEuclidean | PairFunction::Cosine => squares!(Itself),
        PairFunction::Euclidean => squares!(Root),
        PairFunction::Gaussian { temperature } => squares!(Exponential {
            rate: rate(temperature)
        }),
        PairFunction::Within { radius } => squares!(Below {
            // Above 0: a point is nearer to itself than any radius.
            square: ((radius * radius) as f32).max(f32::from_bits(1))
        }),
        PairFunction::L1 => add(pairs, Absolutes, Itself, rows, columns),
    }
}
