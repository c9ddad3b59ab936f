//! Where a curve turns of which neither direction nor scale is known, seen at some epochs only.
//!
//! The rule is that of [`extremum`](super::extremum) with what is missing put in its place. The turn is the first look at an
//! epoch t >= 20 whose value v(t) is extreme, a minimum or a maximum, among the looks within [t - 10, t + 10], and from which
//! the curve moves away by at least h on *both* sides before it passes v(t) again: of a curve without a known direction
//! coming back is not enough, it must have gone there. And
//!
//! h = max( 0.002 max |v|, 8 s, 1e-6 ),
//!
//! over the looks from epoch 20 on. The first is the 0.002 of radii and distances, which are near 1. The second keeps noise from
//! being a turn: s is the noise of single looks, from third differences, of which a parabola has none: for white noise their
//! variance is 20 s^2, and the median of the absolute values of a normal sample is 0.6745 deviations. Were s known, two of n
//! looks at nothing but such noise would be 8 s apart with a probability below n^2 8e-9 (a pair: 2 Phi(-8 / sqrt 2)). It is
//! estimated from few looks: of curves of white noise alone, drawn at random, 0.1 % turn by this rule with 181 looks, 0.5 %
//! with 49, 1 % with 17 and 2 % with 9 (4,000 to 20,000 curves each).
//!
//! The third is for what is zero but for roundings, as the angles of two class means: rows are numbers of f32 on the unit
//! sphere, of which a metric knows no more than 16 units of rounding, 16 x 2^-24 = 1e-6.
//!
//! Looks whose value is not finite are passed over, as if nobody had looked. A constant curve has no turn, nor has a monotonic
//! one. Of looks every E epochs a turn is known to within E: the curve may turn anywhere between the neighbours of the look.

use super::extremum::{RETURN, WINDOW};

/// How far a curve must move away, in deviations of its noise.
const NOISE: f64 = 8.0;
/// How far at least: what is less may be roundings of f32.
const ROUNDING: f64 = 1e-6;
/// The median of |x| of a normal x, in deviations.
const MEDIAN: f64 = 0.674_489_750_196_081_7;

/// The epoch of the first lasting turn of a series whose element t belongs to epoch t, NaN where nobody looked; the first
/// `guard` epochs are exempt.
pub fn turning(series: &[f64], guard: usize) -> Option<usize> {
    let looks: Vec<(usize, f64)> = series
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, v)| v.is_finite())
        .collect();
    let own = looks.iter().position(|(epoch, _)| *epoch >= guard)?;
    let after: Vec<f64> = looks[own..].iter().map(|(_, v)| *v).collect();
    let size = after.iter().fold(0.0f64, |most, v| most.max(v.abs()));
    let far = (RETURN * size).max(NOISE * noise(&after)).max(ROUNDING);
    let turns = |at: usize, sign: f64| {
        let (epoch, value) = looks[at];
        let rise = |look: &(usize, f64)| sign * (look.1 - value);
        let near = |look: &&(usize, f64)| look.0.abs_diff(epoch) <= WINDOW;
        looks.iter().filter(near).all(|look| rise(look) >= 0.0)
            && leaves(looks[at + 1..].iter().map(rise), far)
            && leaves(looks[..at].iter().rev().map(rise), far)
    };
    let at = (own..looks.len()).find(|&at| turns(at, 1.0) || turns(at, -1.0))?;
    Some(looks[at].0)
}

/// Whether a curve goes far enough before it passes the value again that its rises are counted from.
fn leaves(mut rises: impl Iterator<Item = f64>, far: f64) -> bool {
    rises
        .find(|rise| !(0.0..far).contains(rise))
        .is_some_and(|rise| rise >= far)
}

/// Whether the turn of a series at an epoch is a minimum: the next other value is larger.
pub fn is_minimum(series: &[f64], epoch: usize) -> bool {
    let Some((&value, after)) = series.get(epoch..).and_then(<[f64]>::split_first) else {
        return false;
    };
    let next = after.iter().find(|v| v.is_finite() && **v != value);
    next.is_some_and(|&next| next > value)
}

/// The deviation of the noise of single values, from their third differences; 0 of fewer than four.
fn noise(values: &[f64]) -> f64 {
    let third = |w: &[f64]| (w[3] - 3.0 * w[2] + 3.0 * w[1] - w[0]).abs();
    let mut thirds: Vec<f64> = values.windows(4).map(third).collect();
    thirds.sort_by(f64::total_cmp);
    let n = thirds.len();
    match (thirds.get(n / 2), thirds.get(n.saturating_sub(1) / 2)) {
        (Some(above), Some(below)) => (above + below) / 2.0 / (MEDIAN * 20f64.sqrt()),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::extremum::{GUARD, extremum};
    use super::super::outcome::Turn;
    use super::*;
    use crate::data::streams::{Stream, generator};
    use rand_distr::{Distribution, StandardNormal};

    /// Looks every `every` epochs at a curve over `epochs`.
    fn looks(epochs: usize, every: usize, mut f: impl FnMut(f64) -> f64) -> Vec<f64> {
        let at = |t: usize| {
            if t.is_multiple_of(every) || t == epochs {
                f(t as f64)
            } else {
                f64::NAN
            }
        };
        (0..=epochs).map(at).collect()
    }

    /// Falls from 1 to 0.6 at epoch 57 and rises, as a radius does.
    fn radius(t: f64) -> f64 {
        0.6 + 0.4 * ((t - 57.0) / 57.0).powi(2)
    }

    #[test]
    fn a_curve_turns_either_way_at_any_scale_and_is_known_to_within_the_looks() {
        for scale in [1.0, -1.0, 1e-3, -3e6] {
            for every in [1, 2, 5, 7, 10, 20] {
                let series = looks(200, every, |t| scale * radius(t));
                let at = turning(&series, GUARD).unwrap();
                assert!(at.abs_diff(57) <= every, "{scale} {every}: {at}");
                assert_eq!(is_minimum(&series, at), scale > 0.0);
            }
        }
        // Of the radius itself, seen at every epoch, it is the extremum of the papers.
        let series = looks(200, 1, radius);
        assert_eq!(turning(&series, GUARD), extremum(&series, Turn::Minimum));
        assert_eq!(turning(&series, GUARD), Some(57));
    }

    #[test]
    fn monotonic_constant_and_empty_curves_have_none() {
        for every in [1, 10] {
            assert_eq!(turning(&looks(300, every, |t| 1.0 / (1.0 + t)), GUARD), None);
            assert_eq!(turning(&looks(300, every, |t| t * t), GUARD), None);
            assert_eq!(turning(&looks(300, every, |_| 0.5), GUARD), None);
            assert_eq!(turning(&looks(300, every, |_| 0.0), GUARD), None);
            assert_eq!(turning(&looks(300, every, |_| f64::NAN), GUARD), None);
            // A constant with the last bits of its sums.
            let rounded = |t: f64| 0.5 + f64::EPSILON * (t * 7.3).sin();
            assert_eq!(turning(&looks(300, every, rounded), GUARD), None);
            // Zero but for roundings, which look like anything.
            assert_eq!(turning(&looks(300, every, |t| 1e-13 * radius(t)), GUARD), None);
            // Still at first, then it goes: it never came to where it leaves.
            assert_eq!(turning(&looks(300, every, |t| (t - 60.0).max(0.0)), GUARD), None);
        }
        assert_eq!(turning(&[], GUARD), None);
        assert_eq!(turning(&[1.0, 2.0, 1.0], GUARD), None);
        // A look at the beginning and one at the end.
        assert_eq!(turning(&looks(40, 100, radius), GUARD), None);
    }

    #[test]
    fn the_first_epochs_are_exempt() {
        let dip = |t: f64| (t - 12.0).abs() * 0.01;
        for every in [1, 2, 4] {
            assert_eq!(turning(&looks(200, every, dip), GUARD), None);
            assert_eq!(turning(&looks(200, every, dip), 5), Some(12));
        }
    }

    #[test]
    fn looks_without_a_number_are_passed_over() {
        let mut series = looks(200, 5, radius);
        (series[55], series[30], series[60]) = (f64::INFINITY, f64::NAN, f64::NEG_INFINITY);
        // Its neighbours are 50 (7 away) and 65 (8 away).
        assert_eq!(turning(&series, GUARD), Some(50));
    }

    #[test]
    fn too_small_a_return_does_not_count_and_the_first_of_several_turns_does() {
        // 0.002 of the largest value, 1: back by 0.0015, then on; and back by 0.0025.
        let dent = |depth: f64| {
            move |t: f64| match t {
                t if t <= 50.0 => 1.0 - 0.004 * t,
                t if t <= 75.0 => 0.8 + depth * (t - 50.0) / 25.0,
                _ => 0.8 + depth - 0.004 * (t - 75.0),
            }
        };
        // From epoch 20 on the largest value is 0.92: 0.002 of it are 0.00184.
        assert_eq!(turning(&looks(200, 1, dent(0.0017)), GUARD), None);
        assert_eq!(turning(&looks(200, 1, dent(0.0020)), GUARD), Some(50));
        let wave = |t: f64| (t / 30.0).cos();
        let first = 30.0 * std::f64::consts::PI;
        for every in [1, 5] {
            let at = turning(&looks(600, every, wave), GUARD).unwrap();
            assert!((at as f64 - first).abs() <= every as f64);
        }
    }

    #[test]
    fn noise_is_no_turn_and_a_turn_under_noise_is_found() {
        let mut rng = generator(3, Stream::GaussianClasses);
        let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
        let mut found = 0;
        for _ in 0..200 {
            let series: Vec<f64> = (0..=200).map(|_| 1.0 + 0.05 * normal()).collect();
            found += usize::from(turning(&series, GUARD).is_some());
            let falling: Vec<f64> = (0..=200).map(|t| -0.01 * f64::from(t) + 0.02 * normal()).collect();
            found += usize::from(turning(&falling, GUARD).is_some());
        }
        // The first with probability 0.001 each (4 of 4,000 that were drawn by another program), the second more rarely: of a
        // mean of 0.4 more than 3 come with probability 0.0008.
        assert!(found <= 3, "{found}");
        let few = (0..1000).filter(|_| turning(&looks(100, 10, |_| 1.0 + 0.05 * normal()), GUARD).is_some());
        // 378 of 20,000 there: of 1,000 it is 19 with a deviation of 4.3, and four of these.
        let few = few.count();
        assert!(few <= 37, "{few}");
        // A turn of depth 0.4 under noise of 0.01: within 20 epochs, where the curve is 0.05 above its minimum.
        for _ in 0..50 {
            let series: Vec<f64> = (0..=200).map(|t| radius(f64::from(t)) + 0.01 * normal()).collect();
            let at = turning(&series, GUARD).unwrap();
            assert!(at.abs_diff(57) <= 20, "{at}");
        }
    }

    #[test]
    fn the_noise_is_that_of_the_values_and_a_parabola_has_none() {
        let mut rng = generator(4, Stream::GaussianClasses);
        let values: Vec<f64> = (0..4000)
            .map(|t| {
                let n: f64 = StandardNormal.sample(&mut rng);
                1e-6 * f64::from(t * t) + 0.3 * n
            })
            .collect();
        // A median of n normal values has a relative error of 1.17 / sqrt(n), some three times that as neighbouring third
        // differences go together: 6 %.
        assert!((noise(&values) / 0.3 - 1.0).abs() < 0.06, "{}", noise(&values));
        let parabola: Vec<f64> = (0..20).map(|t| f64::from(t * t)).collect();
        assert_eq!(noise(&parabola), 0.0);
        assert_eq!(noise(&[1.0, 5.0, 2.0]), 0.0);
    }
}
