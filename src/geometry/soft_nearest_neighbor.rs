//! The temperature at which the soft nearest neighbour loss is smallest.
//!
//! The loss itself, l(T), with formula, source, gradient and the rows that count, is [`crate::backend::pairwise::soft_nearest_neighbor`].
//! As T falls only nearest neighbours count, as it grows l tends to the log of the odds of a class by numbers alone. Frosst, Papernot and
//! Hinton (ICML 2019, section 2) take the minimum over T, which they find by steps along dl/d(1/T): a number that does not depend on the
//! scale of the rows.
//!
//! Here l is taken on a grid, T = s 10^(-3 .. 3) in steps of sqrt(10) with s the mean squared distance of all points, and the zero of
//! dl/d(log T) next to the smallest is found by bisecting and interpolating in turn to 1e-9 of T. A loss that falls towards an end of the
//! grid (classes that are points: 0 as T falls; classes that are mixed: T grows) gives that end. In f32 the slope's rounding leaves T good to about 1e-5.
//!
//! ```
//! use disentangle::geometry::GeometryError;
//! use disentangle::geometry::soft_nearest_neighbor::{Optimum, optimum};
//!
//! // A loss whose smallest value is known: (log T)^2, which is 0 at T = 1, with its derivative 2 log(T) / T.
//! let Optimum { loss, temperature } = optimum(5.0, |t| Ok((t.ln() * t.ln(), 2.0 * t.ln() / t)))?;
//! assert!((temperature - 1.0).abs() < 1e-8 && loss < 1e-16);
//! // Points that all coincide have no scale.
//! assert!(matches!(optimum(0.0, |t| Ok((t, 1.0))), Err(GeometryError::Undefined { .. })));
//! # Ok::<(), GeometryError>(())
//! ```

use super::error::GeometryError;

/// Decades on either side of the scale.
const DECADES: f64 = 3.0;
/// Points of the grid per decade.
const PER_DECADE: f64 = 2.0;

/// The smallest loss, and where.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Optimum {
    /// l(T)
    pub loss: f64,
    /// T, in the rows' units squared.
    pub temperature: f64,
}

/// Minimises `loss`, which returns l(T) and dl/dT, around the `scale`.
///
/// # Errors
/// Those of `loss`; [`GeometryError::Undefined`] for points that all coincide.
pub fn optimum(scale: f64, loss: impl Fn(f64) -> Result<(f64, f64), GeometryError>) -> Result<Optimum, GeometryError> {
    const STEPS: usize = 60;
    if !(scale > 0.0 && scale.is_finite()) {
        return Err(GeometryError::Undefined {
            detail: "all points coincide: no temperature is better than another",
        });
    }
    let last = (2.0 * DECADES * PER_DECADE) as i32;
    let at = |n: i32| scale * 10f64.powf(f64::from(n) / PER_DECADE - DECADES);
    let mut best = (0, f64::INFINITY);
    let mut slopes = Vec::new();
    for n in 0..=last {
        let (value, slope) = loss(at(n))?;
        slopes.push(slope * at(n));
        // Plateaus, where e^(-d^2/T) has vanished, are left to the right.
        if value < best.1 {
            best = (n, value);
        }
    }
    let (n, value) = best;
    let slope = slopes[n as usize];
    // The zero of the slope lies on the side to which l falls.
    let side = if slope > 0.0 { n - 1 } else { n + 1 };
    let end = Optimum {
        loss: value,
        temperature: at(n),
    };
    if slope == 0.0 || !(0..=last).contains(&side) || slopes[side as usize] * slope >= 0.0 {
        return Ok(end);
    }
    let (mut low, mut high) = (at(n.min(side)).ln(), at(n.max(side)).ln());
    let (mut below, mut above) = (slopes[n.min(side) as usize], slopes[n.max(side) as usize]);
    let mut found = end;
    for step in 0..STEPS {
        let middle = if step % 2 == 0 {
            low - below * (high - low) / (above - below)
        } else {
            0.5 * (low + high)
        };
        let temperature = middle.exp();
        let (value, slope) = loss(temperature)?;
        let slope = slope * temperature;
        found = Optimum {
            loss: value,
            temperature,
        };
        if slope < 0.0 {
            (low, below) = (middle, slope);
        } else {
            (high, above) = (middle, slope);
        }
        if slope == 0.0 || high - low < 1e-9 {
            break;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Reference;
    use crate::data::synthetic::gaussian_classes;
    use crate::geometry::{Cloud, Settings, Survey, metric};

    fn found(rows: &[f64], cols: usize, labels: &[u32]) -> Vec<f64> {
        let cloud = Cloud::new(rows.to_vec(), cols, labels.to_vec(), 2).unwrap();
        let survey = Survey::new(&cloud, &Reference, Settings::default());
        let optimum = metric::named("soft-nearest-neighbor-optimum").unwrap();
        optimum.of(&survey).unwrap()
    }

    /// l(T) by plain loops, and the smallest of 4,000 temperatures.
    #[test]
    fn a_fine_search_by_plain_loops_finds_no_smaller_loss() {
        let (rows, labels) = gaussian_classes(6, 2, 15, 3, 2.5);
        let loss = |t: f64| {
            let term = |i: usize, j: usize| {
                let square: f64 = (0..3).map(|k| (rows[3 * i + k] - rows[3 * j + k]).powi(2)).sum();
                (-square / t).exp()
            };
            let of_row = |i: usize| {
                let others = (0..30).filter(|&j| j != i);
                let all: f64 = others.clone().map(|j| term(i, j)).sum();
                let own: f64 = others.filter(|&j| labels[j] == labels[i]).map(|j| term(i, j)).sum();
                (all / own).ln()
            };
            (0..30).map(of_row).sum::<f64>() / 30.0
        };
        let best_found = found(&rows, 3, &labels);
        let found = best_found;
        let best = (0..4000)
            .map(|n| 10f64.powf(f64::from(n) / 1000.0 - 2.0))
            .map(|t| (loss(t), t))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .unwrap();
        assert!((loss(found[1]) - found[0]).abs() < 1e-12, "{found:?}");
        assert!(
            found[0] <= best.0 + 1e-14 && best.0 - found[0] < 1e-4,
            "{found:?} {best:?}"
        );
        assert!((found[1] / best.1 - 1.0).abs() < 0.01, "{found:?} {best:?}");
        // Its scale is the rows'.
        let twice: Vec<f64> = rows.iter().map(|v| 2.0 * v).collect();
        let scaled = self::found(&twice, 3, &labels);
        assert!((scaled[0] - found[0]).abs() < 1e-12 && (scaled[1] / found[1] - 4.0).abs() < 1e-6);
    }

    #[test]
    fn ends_of_the_grid_are_given() {
        // Two points per class, the classes far apart: the loss falls to 0 with T.
        let tight = found(&[0.0, 0.1, 5.0, 5.1], 1, &[0, 0, 1, 1]);
        assert!(tight[0] < 1e-12, "{tight:?}");
        let cloud = Cloud::new(vec![1.0; 4], 1, vec![0, 0, 1, 1], 2).unwrap();
        let survey = Survey::new(&cloud, &Reference, Settings::default());
        let result = metric::named("soft-nearest-neighbor-optimum").unwrap().of(&survey);
        assert!(matches!(result, Err(GeometryError::Undefined { .. })));
    }
}
