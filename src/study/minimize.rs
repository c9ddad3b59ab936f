//! A minimum of a smooth function, to a stated norm of its gradient: L-BFGS (J. Nocedal, Math. Comp. 35, 1980).
//!
//! The direction is -H g, with H built from the last differences s of points and y of gradients by the two-loop recursion;
//! the step is halved until f falls by at least 1e-4 of what the slope promises (Armijo). A pair with s y <= 0 is not used,
//! so that H stays positive definite.

use std::collections::VecDeque;

use super::error::StudyError;
use super::projection::dot;

/// Pairs that are remembered.
const MEMORY: usize = 20;
/// Part of the promised decrease that is asked for.
const DECREASE: f64 = 1e-4;

/// Where the search ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Minimum {
    /// The point.
    pub point: Vec<f64>,
    /// The function's value there.
    pub value: f64,
    /// The Euclidean norm of its gradient there.
    pub gradient_norm: f64,
    /// How often the function was evaluated.
    pub evaluations: usize,
}

/// Value and gradient of a function at a point.
pub type Evaluate<'a> = dyn FnMut(&[f64]) -> Result<(f64, Vec<f64>), StudyError> + 'a;

/// Searches from `start` until the gradient's norm is at most `tolerance`, no step leads down any more (the accuracy of
/// the function is exhausted), or after `most` evaluations. `evaluate` returns value and gradient; `tell` is told the
/// evaluations and the norm, and says whether to go on.
///
/// # Errors
/// Those of `evaluate`; [`StudyError::Interrupted`].
pub fn minimize(
    start: Vec<f64>,
    tolerance: f64,
    most: usize,
    evaluate: &mut Evaluate,
    tell: &mut dyn FnMut(usize, f64) -> bool,
) -> Result<Minimum, StudyError> {
    let mut point = start;
    let (mut value, mut gradient) = evaluate(&point)?;
    let mut evaluations = 1;
    let mut pairs: VecDeque<(Vec<f64>, Vec<f64>, f64)> = VecDeque::new();
    loop {
        let norm = dot(&gradient, &gradient).sqrt();
        if !tell(evaluations, norm) {
            return Err(StudyError::Interrupted);
        }
        let here = |point, value, evaluations| Minimum {
            point,
            value,
            gradient_norm: norm,
            evaluations,
        };
        // A gradient that is not a number ends the search too.
        if norm.is_nan() || norm <= tolerance || evaluations >= most {
            return Ok(here(point, value, evaluations));
        }
        let direction = direction(&gradient, &pairs);
        let slope = dot(&direction, &gradient);
        // Before anything is known of the curvature, a step of length one at most.
        let mut step = if pairs.is_empty() { (1.0 / norm).min(1.0) } else { 1.0 };
        let next = loop {
            let there: Vec<f64> = point.iter().zip(&direction).map(|(x, d)| x + step * d).collect();
            let (found, slopes) = evaluate(&there)?;
            evaluations += 1;
            if found <= value + DECREASE * step * slope {
                break Some((there, found, slopes));
            }
            step /= 2.0;
            if step < 1e-12 || evaluations >= most {
                break None;
            }
        };
        let Some((there, found, slopes)) = next else {
            if pairs.is_empty() {
                return Ok(here(point, value, evaluations));
            }
            // Perhaps what is remembered misleads: once more downhill.
            pairs.clear();
            continue;
        };
        let s: Vec<f64> = there.iter().zip(&point).map(|(a, b)| a - b).collect();
        let y: Vec<f64> = slopes.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        let sy = dot(&s, &y);
        if sy > 0.0 {
            if pairs.len() == MEMORY {
                pairs.pop_front();
            }
            pairs.push_back((s, y, sy));
        }
        (point, value, gradient) = (there, found, slopes);
    }
}

/// -H g by the two-loop recursion.
fn direction(gradient: &[f64], pairs: &VecDeque<(Vec<f64>, Vec<f64>, f64)>) -> Vec<f64> {
    let mut q = gradient.to_vec();
    let mut alphas = Vec::with_capacity(pairs.len());
    for (s, y, sy) in pairs.iter().rev() {
        let alpha = dot(s, &q) / sy;
        q.iter_mut().zip(y).for_each(|(q, y)| *q -= alpha * y);
        alphas.push(alpha);
    }
    if let Some((_, y, sy)) = pairs.back() {
        let scale = sy / dot(y, y);
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for ((s, y, sy), alpha) in pairs.iter().zip(alphas.iter().rev()) {
        let beta = dot(y, &q) / sy;
        q.iter_mut().zip(s).for_each(|(q, s)| *q += (alpha - beta) * s);
    }
    q.iter_mut().for_each(|q| *q = -*q);
    q
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_badly_scaled_quadratic_and_rosenbrocks_valley() {
        // f = sum a (x - i)^2 / 2 with curvatures 1 to 1e6.
        let curvature = |i: usize| 10f64.powf(i as f64 * 6.0 / 29.0);
        let mut quadratic = |x: &[f64]| {
            let value = (0..30).map(|i| curvature(i) * (x[i] - i as f64).powi(2) / 2.0).sum();
            Ok((value, (0..30).map(|i| curvature(i) * (x[i] - i as f64)).collect()))
        };
        let found = minimize(vec![0.0; 30], 1e-6, 5000, &mut quadratic, &mut |_, _| true).unwrap();
        assert!(found.gradient_norm <= 1e-6, "{found:?}");
        // |x - x*| <= |g| / smallest curvature.
        let worst = (0..30).map(|i| (found.point[i] - i as f64).abs()).fold(0.0, f64::max);
        assert!(worst <= 1e-6, "{worst}");

        let mut valley = |x: &[f64]| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            Ok((a * a + 100.0 * b * b, vec![-2.0 * a - 400.0 * x[0] * b, 200.0 * b]))
        };
        let found = minimize(vec![-1.2, 1.0], 1e-8, 1000, &mut valley, &mut |_, _| true).unwrap();
        assert!(found.gradient_norm <= 1e-8 && found.evaluations < 100, "{found:?}");
        // The smallest eigenvalue of the Hessian at (1, 1) is 0.3994.
        assert!(
            (found.point[0] - 1.0).hypot(found.point[1] - 1.0) <= 1e-8 / 0.39,
            "{found:?}"
        );
    }

    #[test]
    fn it_ends_where_it_must() {
        let mut line = |x: &[f64]| Ok((x[0], vec![1.0]));
        assert_eq!(
            minimize(vec![0.0], 1e-3, 7, &mut line, &mut |_, _| true)
                .unwrap()
                .evaluations,
            7
        );
        let mut broken = |_: &[f64]| Ok((f64::NAN, vec![f64::NAN]));
        assert_eq!(
            minimize(vec![0.0], 1e-3, 7, &mut broken, &mut |_, _| true)
                .unwrap()
                .evaluations,
            1
        );
        let interrupted = minimize(vec![0.0], 1e-3, 7, &mut line, &mut |_, _| false);
        assert!(matches!(interrupted, Err(StudyError::Interrupted)));
    }
}
