//! Is a backward kernel the gradient of its forward kernel? On the reference, in f64.
//!
//! With y = f(x), a random direction v and the slopes dy the claim is sum dy (y(x + h v) - y(x - h v)) / 2h -> sum dx v. By differences
//! D*(h) = (4 D(h/2) - D(h)) / 3 with D(h) = (y(x + h v) - y(x - h v)) / 2h, number by number of y. The bound follows: a
//! number's truncation error is below |D(h) - D(h/2)|, and the roundings of y reach D* at most 3 / h times.
//!
//! Numbers of y that have a kink on the way get dy = 0, which leaves them out on both sides; the report says how many. A kink
//! shows in D(h) - D(h/2), or, where it is at x itself, in S(h) - 4 S(h/2) with S(h) = y(x + h v) - 2 y(x) + y(x - h v): both
//! vanish with h^2 and h^4 where y is smooth.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::case::{Case, Derivative};
use super::inputs::Inputs;
use super::report::View;
use super::{CaseName, Op, VerifyError, Work};
use crate::backend::BackendError;
use crate::backend::kernel::Write;

/// Step: truncation h^4 and rounding 2^-53 / h meet near it.
const STEP: f64 = 1e-3;
/// A smooth number's two differences are h^2 / 8 of its third derivative apart, which with standard normal operands and directions
/// stays below this; a kink makes them differ by about its jump in slope.
const KINK: f64 = 1e-3;

/// What became of a backward kernel.
#[derive(Clone, Debug)]
pub struct Gradient {
    /// The op.
    pub op: &'static str,
    /// Cases compared.
    pub cases: u64,
    /// Those of them within the bound.
    pub within: u64,
    /// The largest error in units of its bound.
    pub worst: f64,
    /// The case that gave it.
    pub worst_case: Option<CaseName>,
    /// Numbers of y left out for a kink, and all.
    pub kinks: (u64, u64),
}

/// Compares each op that has a backward kernel with differences, on standard normal operands of all these seeds.
///
/// # Errors
/// [`VerifyError::Backend`] for what the reference refuses.
pub fn gradients(ops: &[&'static Op], seeds: std::ops::Range<u64>) -> Result<Vec<Gradient>, VerifyError> {
    let mut found = Vec::new();
    for op in ops {
        let Work::Program(record) = &op.work else { continue };
        let mut gradient = Gradient {
            op: op.name,
            cases: 0,
            within: 0,
            worst: 0.0,
            worst_case: None,
            kinks: (0, 0),
        };
        for seed in seeds.clone() {
            let name = CaseName { op: op.name, seed };
            let mut case = Case::smooth(seed);
            drop(record(&mut case));
            let Some(claim) = case.claim().cloned() else { continue };
            let ratio = compare(case, &claim, &mut gradient.kinks)
                .map_err(|source| VerifyError::Backend { case: name, source })?;
            gradient.cases += 1;
            gradient.within += u64::from(ratio <= 1.0);
            if ratio > gradient.worst {
                (gradient.worst, gradient.worst_case) = (ratio, Some(name));
            }
        }
        if gradient.cases > 0 {
            found.push(gradient);
        }
    }
    Ok(found)
}

/// The error in units of the bound.
fn compare(case: Case, claim: &Derivative, kinks: &mut (u64, u64)) -> Result<f64, BackendError> {
    let x = case.given(claim.by);
    let mut rng = ChaCha8Rng::seed_from_u64(case.seed);
    let direction = Inputs::Normal.draw(&mut rng, x.values.len(), x.cols);
    let forward = case.only(&claim.forward);
    let at = |step: f64| -> Result<View, BackendError> {
        let mut moved = forward.clone();
        moved.map(claim.by, |n, x| x + step * direction[n]);
        Ok(moved.exactly()?.swap_remove(claim.y.0))
    };
    let y = at(0.0)?;
    // D and S of every number.
    let differences = |step: f64| -> Result<(Vec<f64>, Vec<f64>), BackendError> {
        let (up, down) = (at(step)?.values, at(-step)?.values);
        let first = up.iter().zip(&down).map(|(up, down)| (up - down) / (2.0 * step));
        let second = (0..up.len()).map(|n| up[n] - 2.0 * y.values[n] + down[n]);
        Ok((first.collect(), second.collect()))
    };
    let ((coarse, bend), (fine, half_bend)) = (differences(STEP)?, differences(0.5 * STEP)?);
    let smooth: Vec<bool> = (0..y.values.len())
        .map(|n| {
            let differ = (coarse[n] - fine[n])
                .abs()
                .max((bend[n] - 4.0 * half_bend[n]).abs() / STEP);
            differ <= KINK * (1.0 + fine[n].abs())
        })
        .collect();
    kinks.0 += smooth.iter().filter(|smooth| !**smooth).count() as u64;
    kinks.1 += smooth.len() as u64;
    let mut case = case;
    case.map(claim.dy, |n, dy| if smooth[n % smooth.len()] { dy } else { 0.0 });
    let dy = case.given(claim.dy).values;
    let gradient = &case.exactly()?[claim.gradient.buffer.0];
    let old = case.given(claim.gradient.buffer).values;
    let along = |n: usize| {
        let old = if claim.gradient.write == Write::Add {
            old[n]
        } else {
            0.0
        };
        (gradient.values[n] - old) * direction[n]
    };
    let slope: f64 = (0..direction.len()).map(along).sum();
    let (mut by_differences, mut truncation, mut size) = (0.0, 0.0, 0.0);
    for n in 0..y.values.len() {
        by_differences += dy[n] * (4.0 * fine[n] - coarse[n]) / 3.0;
        truncation += (dy[n] * (fine[n] - coarse[n])).abs();
        size += dy[n].abs() * (1.0 + y.values[n].abs());
    }
    let magnitude: f64 = (0..direction.len()).map(|n| along(n).abs()).sum();
    // Sums of a row's columns come before; those of all numbers are here.
    let roundings = f64::EPSILON * (x.cols.max(case.rows) + 8) as f64;
    let bound = truncation + roundings * (3.0 * size / STEP + magnitude);
    Ok((slope - by_differences).abs() / bound)
}

#[cfg(test)]
mod tests {
    use super::super::listed;
    use super::*;

    #[test]
    fn every_backward_kernel_is_the_gradient_of_its_forward_kernel() {
        let found = gradients(&listed("all").unwrap(), 0..12).unwrap();
        for gradient in &found {
            assert_eq!(gradient.within, gradient.cases, "{gradient:?}");
            assert!(gradient.cases >= 6, "{gradient:?}");
            // Kinks are rare where there are any: 2 h of a standard normal number's density.
            assert!(gradient.kinks.0 * 100 <= gradient.kinks.1, "{gradient:?}");
        }
        let names: Vec<&str> = found.iter().map(|gradient| gradient.op).collect();
        for op in [
            "tanh_grad",
            "hinge_grad",
            "dense_input_grad",
            "dense_weight_grad",
            "margin",
            "row_sum_grad",
        ] {
            assert!(names.contains(&op), "{op} was not compared");
        }
    }

    /// A gradient of half the size is no gradient.
    #[test]
    fn a_wrong_gradient_is_found() {
        let ops = listed("tanh_grad,dense_weight_grad").unwrap();
        for op in ops {
            let Work::Program(record) = &op.work else { continue };
            let cases = (0..9).map(|seed| {
                let mut case = Case::smooth(seed);
                drop(record(&mut case));
                case
            });
            let mut case = cases.into_iter().find(|case| case.claim().is_some()).unwrap();
            let claim = case.claim().cloned().unwrap();
            assert!(compare(case.clone(), &claim, &mut (0, 0)).unwrap() <= 1.0);
            let (dy, mut wrong) = (claim.dy, claim.clone());
            // The slopes of the differences are not those of the backward kernel.
            wrong.dy = case.spare(case.given(dy).cols);
            case.map(wrong.dy, |n, _| 1.0 + n as f64);
            assert!(compare(case, &wrong, &mut (0, 0)).unwrap() > 1.0, "{}", op.name);
        }
    }
}
