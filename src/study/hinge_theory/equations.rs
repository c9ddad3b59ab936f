//! The equations alone: reference numbers, limits and exponents of gamma(t), for ReLU, Gaussian data, d = 100, h = 1.
//!
//! The reference numbers were integrated by other programs. The limits are those of [`asymptotics`](super::asymptotics); their
//! windows come from the next term of each:
//! ```text
//!   rich: d gamma / d ln t = (1 + C X^2) / 4 and d ln X / d ln t = -(1 + C X^2) / 2, C = asinh k + ..., 4.4 at k = 20: within
//!         0.005 of 1/4 for X < 0.068 and of -1/2 for X < 0.047
//!   lazy: 1 / F = (2 / X^2) (1 + X^2 / 4) makes d ln X / d ln t = -(1 + X^2 / 2 + ...) / 3: within 0.005 of -1/3 for X < 0.16
//! ```

use super::asymptotics::{late, lazy};
use super::clock::Clock;
use super::model::{Distribution, Model, Unit};
use crate::study::StudyError;
use crate::study::modes::findings::{Axis, Curve, Distance, Figure, Findings, Table};

/// Places, and the values there.
pub type Values = &'static [(f64, f64)];

/// gamma at times: alpha, beta, (t, gamma).
pub const GAMMA: [(f64, f64, Values); 6] = [
    (
        1.0,
        2.5,
        &[
            (1.0, 0.0997),
            (10.0, 0.9974),
            (100.0, 2.5385),
            (1000.0, 3.1626),
            (2000.0, 3.3387),
        ],
    ),
    (1.0, 0.25, &[(1e4, 3.1626), (1e5, 3.7434), (1e6, 4.3196), (1e7, 4.8953)]),
    (
        10.0,
        0.25,
        &[(1e4, 2.0153), (1e5, 2.5925), (1e6, 3.1683), (1e7, 3.7440)],
    ),
    (
        100.0,
        0.25,
        &[(1e4, 0.9167), (1e5, 1.4502), (1e6, 2.0183), (1e7, 2.5929)],
    ),
    (
        1000.0,
        0.25,
        &[(1e4, 0.2425), (1e5, 0.4971), (1e6, 0.9177), (1e7, 1.4503)],
    ),
    (1e4, 0.25, &[(1e4, 0.0530), (1e5, 0.1140), (1e6, 0.2426), (1e7, 0.4972)]),
];

/// Satisfaction times: alpha, (s, t_sat) at beta = 2.5.
pub const SATISFIED: [(f64, Values); 2] = [
    (
        1.0,
        &[
            (3.0, 13.019),
            (2.0, 15.163),
            (1.0, 20.951),
            (0.5, 37.796),
            (0.3, 74.737),
            (0.2, 145.38),
            (0.1, 523.11),
            (0.05, 2028.8),
            (0.03, 5595.1),
        ],
    ),
    (1000.0, &[(3.0, 0.0335), (1.0, 0.1389), (0.1, 66.58), (0.03, 2208.5)]),
];

/// What a number of a thousandth's precision is compared with at least: half of its last digit is 5e-5.
const LEAST: f64 = 0.05;
/// Below these X the exponents are within [`EXPONENT`] of their limits.
const RICH_X: f64 = 0.047;
const RICH_GAMMA: f64 = 0.068;
const LAZY_X: f64 = 0.16;
/// The plateau ends where gamma is no longer small.
const LAZY_GAMMA: f64 = 0.05;
const EXPONENT: f64 = 0.005;

/// The model of the reference numbers.
pub fn reference_model(alpha: f64, beta: f64) -> Model {
    Model {
        unit: Unit::Relu,
        distribution: Distribution::Gaussian,
        dimension: 100,
        alpha,
        threshold: 1.0,
        beta,
        noise: 0.0,
    }
}

/// Its clock.
pub fn reference(alpha: f64, beta: f64) -> Clock {
    Clock::population(reference_model(alpha, beta))
}

/// A state of the flow with its exponents, which are exact: d gamma / d ln t = t v and d ln X / d gamma = -2 coth 2 gamma.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    /// Time.
    pub t: f64,
    /// gamma
    pub gamma: f64,
    /// X
    pub projection: f64,
    /// d gamma / d ln t
    pub gamma_slope: f64,
    /// d ln X / d ln t
    pub projection_slope: f64,
}

/// States at `per_decade` times a decade from t = 1 to 10^decades.
///
/// # Errors
/// [`StudyError::Theory`] if the solver gives up.
pub fn states(clock: &Clock, per_decade: u32, decades: u32) -> Result<Vec<State>, StudyError> {
    let times: Vec<f64> = (0..=per_decade * decades)
        .map(|n| 10f64.powf(f64::from(n) / f64::from(per_decade)))
        .collect();
    let gammas = clock.gamma(&times)?;
    let state = |(t, gamma): (f64, f64)| {
        let gamma_slope = t * clock.speed(gamma);
        State {
            t,
            gamma,
            projection: clock.satisfied_from(gamma),
            gamma_slope,
            projection_slope: -2.0 * gamma_slope / (2.0 * gamma).tanh(),
        }
    };
    Ok(times.into_iter().zip(gammas).map(state).collect())
}

/// The largest of a distance over the states of a window, and how many there are.
fn farthest(states: &[State], inside: impl Fn(&State) -> bool, distance: impl Fn(&State) -> f64) -> (f64, usize) {
    let own: Vec<f64> = states.iter().filter(|s| inside(s)).map(distance).collect();
    (own.iter().copied().fold(0.0, super::comparison::largest), own.len())
}

/// Compares the integrated equations with the reference numbers and with their limits.
///
/// # Errors
/// [`StudyError::Theory`] if the solver gives up.
pub fn run() -> Result<Findings, StudyError> {
    let mut findings = Findings {
        title: "Hinge loss: the equations alone".into(),
        papers: super::PAPER,
        ..Findings::default()
    };
    let mut numbers = Table::new(
        "reference",
        &["quantity", "alpha", "beta", "at", "reference", "integrated"],
        true,
    );
    for (alpha, beta, expected) in GAMMA {
        let times: Vec<f64> = expected.iter().map(|e| e.0).collect();
        let found = reference(alpha, beta).gamma(&times)?;
        let mut worst = 0.0;
        for (&(t, gamma), found) in expected.iter().zip(found) {
            worst = super::comparison::largest(worst, (found - gamma).abs());
            numbers.rows.push(vec![
                "gamma(t)".into(),
                alpha.into(),
                beta.into(),
                t.into(),
                gamma.into(),
                found.into(),
            ]);
        }
        let what = format!("gamma at {} times, alpha = {alpha}, beta = {beta}", expected.len());
        let measure = "largest difference to the reference numbers".into();
        findings.distances.push(Distance::derived(what, measure, worst, 1e-3));
    }
    for (alpha, expected) in SATISFIED {
        let projections: Vec<f64> = expected.iter().map(|e| e.0).collect();
        let found = reference(alpha, 2.5).satisfaction_times(&projections)?;
        let mut worst = 0.0;
        for (&(s, t), found) in expected.iter().zip(found) {
            worst = super::comparison::largest(worst, (found - t).abs() / t.max(LEAST));
            numbers.rows.push(vec![
                "t_sat(s)".into(),
                alpha.into(),
                2.5.into(),
                s.into(),
                t.into(),
                found.into(),
            ]);
        }
        let what = format!("t_sat of {} projections, alpha = {alpha}, beta = 2.5", expected.len());
        let measure = format!("largest difference, relative to t or to {LEAST}");
        findings.distances.push(Distance::derived(what, measure, worst, 1e-3));
    }
    findings.tables.push(numbers);

    let rich = states(&reference(1.0, 2.5), 40, 8)?;
    let plateau = states(&reference(1e4, 0.25), 40, 8)?;
    let rich_model = reference(1.0, 2.5).model;
    let windows = [
        (
            format!("rich, alpha = 1: d ln X / d ln t = -1/2 for X < {RICH_X}"),
            farthest(&rich, |s| s.projection < RICH_X, |s| (s.projection_slope + 0.5).abs()),
            EXPONENT,
        ),
        (
            format!("rich, alpha = 1: d gamma / d ln t = 1/4 for X < {RICH_GAMMA}"),
            farthest(&rich, |s| s.projection < RICH_GAMMA, |s| (s.gamma_slope - 0.25).abs()),
            EXPONENT,
        ),
        (
            "rich, alpha = 1: gamma = (1/4) ln(8 r k^2 t) for X < 0.08".into(),
            farthest(
                &rich,
                |s| s.projection < 0.08,
                |s| (s.gamma - late(&rich_model, s.t)).abs(),
            ),
            0.01,
        ),
        (
            format!("lazy, alpha = 1e4: d ln X / d ln t = -1/3 for gamma < {LAZY_GAMMA}, X < {LAZY_X}"),
            farthest(
                &plateau,
                |s| s.gamma < LAZY_GAMMA && s.projection < LAZY_X,
                |s| (s.projection_slope + 1.0 / 3.0).abs(),
            ),
            EXPONENT,
        ),
    ];
    for (what, (value, count), tolerance) in windows {
        let measure = format!("largest difference over {count} times");
        // A window without a state would hold whatever the equations say.
        let value = if count == 0 { f64::NAN } else { value };
        findings
            .distances
            .push(Distance::derived(what, measure, value, tolerance));
    }

    let mut table = Table::new(
        "equations",
        &["alpha", "t", "gamma", "X", "d_gamma_d_ln_t", "d_ln_X_d_ln_t"],
        false,
    );
    let (mut gammas, mut slopes) = (Vec::new(), Vec::new());
    for alpha in [1.0, 10.0, 100.0, 1000.0, 1e4] {
        let clock = reference(alpha, 0.25);
        let states = states(&clock, 20, 8)?;
        for s in &states {
            let row = [alpha, s.t, s.gamma, s.projection, s.gamma_slope, s.projection_slope];
            table.rows.push(row.into_iter().map(Into::into).collect());
        }
        let label = format!("alpha = {alpha}");
        gammas.push(Curve {
            label: label.clone(),
            theory: states.iter().map(|s| (s.t, s.gamma)).collect(),
            // The limits as points: late where it is rich, the third root on the lazy plateau.
            simulation: limits(&clock.model, &states),
            ..Curve::default()
        });
        slopes.push(Curve {
            label,
            theory: states.iter().map(|s| (s.t, s.projection_slope)).collect(),
            ..Curve::default()
        });
    }
    findings.tables.push(table);
    let caption = "ReLU, Gaussian data, d = 100, h = 1, beta = 0.25, all derived";
    let figure = |name: &str, title: &str, caption: String, y: Axis, curves| Figure {
        name: name.into(),
        title: title.into(),
        caption,
        x: Axis::log("t"),
        y,
        residual: None,
        curves,
    };
    findings.figures.push(figure(
        "gamma",
        "gamma(t) from rich to lazy",
        format!(
            "Lines: the equation integrated. Points: (1/4) ln(8 r k^2 t) for X < 0.08, ((3/8) r k^2 t)^(1/3) for gamma < {LAZY_GAMMA} \
             and X < {LAZY_X}. {caption}."
        ),
        Axis::log("gamma"),
        gammas,
    ));
    findings.figures.push(figure(
        "exponents",
        "Exponent of X",
        format!("Lines: -2 coth(2 gamma) t d gamma / dt, -1/3 on the lazy plateau and -1/2 in the end. {caption}."),
        Axis::linear("d ln X / d ln t"),
        slopes,
    ));
    let judged = findings.distances.len();
    findings.headline = format!(
        "{} of {judged} numbers of the integrated equations are what they should be.",
        judged - findings.failures()
    );
    Ok(findings)
}

/// The limits of gamma where they hold, every tenth state.
fn limits(model: &Model, states: &[State]) -> Vec<(f64, f64)> {
    let of = |s: &State| {
        if s.gamma < LAZY_GAMMA && s.projection < LAZY_X {
            Some((s.t, lazy(model, s.t)))
        } else if s.gamma > 1.0 && s.projection < 0.08 {
            Some((s.t, late(model, s.t)))
        } else {
            None
        }
    };
    states.iter().step_by(4).filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A-T3 and A-T4: the reference numbers, the limits and their exponents.
    #[test]
    fn the_equations_have_their_reference_numbers_and_exponents() {
        let found = run().unwrap();
        assert_eq!(found.distances.len(), 12);
        for distance in &found.distances {
            assert_eq!(distance.holds(), Some(true), "{distance:?}");
        }
    }
}
