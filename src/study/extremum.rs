//! Where a curve turns.
//!
//! The extremum of a series v is the first t >= 20 at which v is extreme within [t - 10, t + 10] and from which it later
//! moves back by at least 0.002 before it passes v(t) again; if there is none, the curve has no extremum. The first 20
//! epochs are exempt as in the released recipe. A global extremum will not do: deeper networks pass a first one, turn
//! back, and go on.
//!
//! A metric of which nobody knows which way it turns has a rule of its own, [`turning`](super::turning).
//!
//! The stop of the released recipe is another thing: the first t >= 20 with R_0(t) >= R_0(t - 1), no matter what follows.

use super::outcome::Turn;
use super::turning::turning;

/// Epochs exempt at the beginning.
pub const GUARD: usize = 20;
/// Half width of the window in which the extremum must be extreme, in epochs.
pub const WINDOW: usize = 10;
/// How far the curve must move back, in the units of the metric.
pub const RETURN: f64 = 0.002;

/// The index of the extremum of a series whose element t belongs to epoch t. NaN is never extreme and ends a return; of
/// [`Turn::Either`] it is passed over.
pub fn extremum(series: &[f64], turn: Turn) -> Option<usize> {
    extremum_from(series, turn, GUARD)
}

/// [`extremum`] with another number of exempt epochs: where learning is fast, the turn may come before the 20th.
pub fn extremum_from(series: &[f64], turn: Turn, guard: usize) -> Option<usize> {
    if turn == Turn::Either {
        return turning(series, guard);
    }
    // A maximum is a minimum of the negated series.
    let v = |t: usize| match turn {
        Turn::Maximum => -series[t],
        Turn::Minimum | Turn::Either => series[t],
    };
    (guard..series.len()).find(|&t| {
        let window = t.saturating_sub(WINDOW)..(t + WINDOW + 1).min(series.len());
        let extreme = window.clone().all(|s| v(t) <= v(s));
        let returns = (t + 1..series.len())
            .map(|s| v(s) - v(t))
            // Until it comes back by RETURN or passes v(t) again.
            .find(|&rise| !(0.0..RETURN).contains(&rise))
            .is_some_and(|rise| rise >= RETURN);
        extreme && returns
    })
}

/// Whether the released recipe stops at epoch t of the radius of class 0.
pub fn stops(radius: &[f64], t: usize) -> bool {
    stops_from(radius, t, GUARD)
}

/// [`stops`] with another number of exempt epochs, at least one.
pub fn stops_from(radius: &[f64], t: usize, guard: usize) -> bool {
    t >= guard.max(1) && t < radius.len() && radius[t] >= radius[t - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(n: usize, f: impl Fn(f64) -> f64) -> Vec<f64> {
        (0..n).map(|t| f(t as f64)).collect()
    }

    #[test]
    fn a_parabola_turns_at_its_vertex_and_its_mirror_too() {
        let valley = curve(200, |t| (t - 84.0).powi(2) * 1e-5);
        assert_eq!(extremum(&valley, Turn::Minimum), Some(84));
        assert_eq!(extremum(&valley, Turn::Maximum), None);
        let hill: Vec<f64> = valley.iter().map(|v| -v).collect();
        assert_eq!(extremum(&hill, Turn::Maximum), Some(84));
    }

    #[test]
    fn monotonic_and_flat_curves_have_none() {
        assert_eq!(extremum(&curve(500, |t| 1.0 / (1.0 + t)), Turn::Minimum), None);
        assert_eq!(extremum(&curve(500, |t| -t), Turn::Minimum), None);
        assert_eq!(extremum(&curve(500, |_| 0.5), Turn::Minimum), None);
        assert_eq!(extremum(&[], Turn::Minimum), None);
        assert_eq!(extremum(&curve(21, |t| (t - 20.0).abs()), Turn::Minimum), None);
    }

    #[test]
    fn a_turn_in_the_first_epochs_is_exempt_and_ends_nothing() {
        let dip = curve(300, |t| {
            if t < 15.0 {
                1.0 - 0.05 * t
            } else {
                1.0 + (t - 100.0).powi(2) * 1e-4
            }
        });
        assert_eq!(extremum(&dip, Turn::Minimum), Some(100));
        // The lowest of the dip is at 14; who exempts fewer epochs finds it.
        assert_eq!(extremum_from(&dip, Turn::Minimum, 10), Some(14));
        assert_eq!((0..300).find(|&t| stops_from(&dip, t, 10)), Some(15));
    }

    #[test]
    fn a_ripple_is_passed_over_until_the_curve_really_comes_back() {
        // Falls by 0.001 per epoch with a dent of 0.0015 at 40, then rises from 100 on.
        let falling = |t: f64| {
            if t <= 100.0 {
                1.0 - 0.001 * t
            } else {
                0.9 + 0.001 * (t - 100.0)
            }
        };
        let series = curve(200, |t| falling(t) - if t == 40.0 { 0.0115 } else { 0.0 });
        // At 40 the value is extreme in the window (falling(50) is larger), and it comes back by 0.0105: a turn by the
        // definition. With a dent of 0.0015 it is not extreme in its window.
        assert_eq!(extremum(&series, Turn::Minimum), Some(40));
        let series = curve(200, |t| falling(t) - if t == 40.0 { 0.0015 } else { 0.0 });
        assert_eq!(extremum(&series, Turn::Minimum), Some(100));
    }

    #[test]
    fn the_first_of_two_turns_counts_even_if_the_second_is_deeper() {
        let series = curve(400, |t| (0.01 * t - 1.0).powi(2) * if t < 200.0 { 1.0 } else { -1.0 });
        assert_eq!(extremum(&series, Turn::Minimum), Some(100));
    }

    #[test]
    fn a_return_that_is_passed_again_before_it_is_long_enough_does_not_count() {
        // Minimum at 50, up by 0.0015 until 65, then down for good.
        let series = curve(300, |t| {
            if t <= 50.0 {
                1.0 - 0.001 * t
            } else if t <= 65.0 {
                0.95 + 0.0001 * (t - 50.0)
            } else {
                0.9515 - 0.001 * (t - 65.0)
            }
        });
        assert_eq!(extremum(&series, Turn::Minimum), None);
    }

    #[test]
    fn the_recipe_stops_at_the_first_step_up_after_the_guard() {
        let mut radius = curve(60, |t| 1.0 - 0.01 * t);
        radius[10] = 2.0;
        radius[30] = radius[29];
        assert_eq!((0..60).find(|&t| stops(&radius, t)), Some(30));
        assert!(!stops(&radius, 60));
    }
}
