//! Ordinary differential equations of a theory, solved to where the solver's error is far below every tolerance.

use differential_equations::error::Error;
use differential_equations::prelude::{ExplicitRungeKutta, IVP};

use super::error::StudyError;

/// Relative tolerance of a step.
const RELATIVE: f64 = 1e-11;
/// Its absolute tolerance: initial outputs of 1e-6 keep eight digits.
const ABSOLUTE: f64 = 1e-14;
/// Steps of an integration, beyond which something is wrong.
const STEPS: usize = 1_000_000;

/// Of a time, what a last step may leave of the way to it: some roundings.
const NEAR: f64 = 1e-13;

/// Integrates dy/dt = `speed(t, y)` from y = `start` at t = 0 (Dormand and Prince's pair of order 8) and returns y at each
/// of `times`, which must not decrease.
///
/// # Errors
/// [`StudyError::Theory`] for times that are not finite, negative or not in order, and if the solver gives up.
pub fn integrate<const N: usize>(
    speed: impl Fn(f64, &[f64; N]) -> [f64; N],
    start: [f64; N],
    times: &[f64],
) -> Result<Vec<[f64; N]>, StudyError> {
    let wrong = |detail: String| StudyError::Theory { detail };
    if times.iter().any(|t| !t.is_finite() || *t < 0.0) || times.windows(2).any(|pair| pair[1] < pair[0]) {
        return Err(wrong("times that are not finite, negative or not in order".into()));
    }
    let mut wanted: Vec<f64> = times.iter().copied().filter(|&t| t > 0.0).collect();
    wanted.dedup();
    // From one time to the next: the solver's interpolation between its steps is far less exact than the steps are.
    let (mut at, mut y, mut reached) = (0.0, start, Vec::with_capacity(wanted.len()));
    for &t in &wanted {
        let derivative = |t: f64, y: &[f64; N], dy: &mut [f64; N]| *dy = speed(t, y);
        let method = ExplicitRungeKutta::dop853()
            .rtol(RELATIVE)
            .atol(ABSOLUTE)
            .max_steps(STEPS);
        let solved = IVP::ode_from_fn(derivative, at, t, y).method(method).solve();
        let last = match solved {
            Ok(solution) => solution.y.last().copied(),
            // The steps came so near to t that what is left is no step any more: this is the value at t.
            Err(Error::StepSize { t: here, y }) if (t - here).abs() <= NEAR * t => Some(y),
            Err(cause) => return Err(wrong(format!("{cause:?}"))),
        };
        let Some(last) = last else {
            return Err(wrong(format!("the solver gave no value at {t}")));
        };
        (at, y) = (t, last);
        reached.push(y);
    }
    let mut solved = wanted.iter().zip(&reached).peekable();
    let mut last = start;
    let mut values = Vec::with_capacity(times.len());
    for &t in times {
        while let Some((_, &y)) = solved.next_if(|(at, _)| **at <= t) {
            last = y;
        }
        values.push(last);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_comes_round() {
        let times = [0.0, 0.5, 0.5, 1.0, std::f64::consts::TAU];
        let states = integrate(|_, y| [y[1], -y[0]], [1.0, 0.0], &times).unwrap();
        for (t, y) in times.iter().zip(&states) {
            // Some ten steps of relative error 1e-11.
            assert!(
                (y[0] - t.cos()).abs() < 1e-9 && (y[1] + t.sin()).abs() < 1e-9,
                "{t}: {y:?}"
            );
        }
        assert_eq!(states[1], states[2]);
    }

    /// A target that the last step misses by a rounding, as found with 200 classes.
    #[test]
    fn a_last_step_of_a_rounding_is_no_failure() {
        let mut missed = 0;
        for n in 1..400 {
            let t = 29.92490601489 * (1.0 + f64::from(n) * 1e-3);
            let states = integrate(|_, y: &[f64; 1]| [0.01 * y[0]], [1.0], &[t]);
            missed += usize::from(states.is_err());
        }
        assert_eq!(missed, 0);
    }

    #[test]
    fn times_that_cannot_be_are_refused() {
        for times in [[1.0, 0.5], [f64::NAN, 1.0], [-1.0, 1.0]] {
            assert!(matches!(
                integrate(|_, y| [y[0]], [1.0], &times),
                Err(StudyError::Theory { .. })
            ));
        }
    }
}
