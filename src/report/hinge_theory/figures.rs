//! The figures of a `hinge-theory` run.
//!
//! One case: the four panels of the paper's Fig. 1 (nodes a and w_par, gamma with its limits, first satisfaction times), the
//! plane, errors, unsatisfied fraction and loss. Several: the same curves of all of them side by side, a plane each, and those whose
//! nodes begin alike in one plane.

use super::one_curve::one_curve;
use crate::report::drawn::Drawn;
use crate::report::files::ReportError;
use crate::report::theory_chart::{Mark, Set, TheoryChart, draw};
use crate::report::ticks::Scale;
use crate::study::hinge_theory::asymptotics::{early, late, lazy};
use crate::study::hinge_theory::comparison::{Case, FOLLOWED, Row};
use crate::study::hinge_theory::finite_nodes::band;
use crate::study::hinge_theory::nodes::trajectory;
use crate::study::hinge_theory::simulation::Record;

/// Points of a theory's curve.
const FINE: usize = 160;

/// A set of a chart.
pub(super) fn set(label: impl Into<String>, paint: usize, mark: Mark, points: Vec<(f64, f64)>) -> Set {
    Set {
        label: label.into(),
        paint,
        mark,
        points,
    }
}

/// The parameters of a case in words.
pub fn parameters(case: &Case) -> String {
    let setting = &case.outcome.setting;
    let model = &setting.model;
    format!(
        "{} units, {} data, M = {}, N = {}{}, d = {}, alpha = {}, h = {}, beta = {}, eta = {}, {} nodes{}, seed {}, replica {}",
        model.unit.name(),
        model.distribution.name(),
        setting.nodes,
        setting.examples,
        if setting.fresh { " new ones in each step" } else { "" },
        model.dimension,
        model.alpha,
        model.threshold,
        crate::report::number::significant(model.beta, 4),
        model.noise,
        setting.initial.name(),
        if setting.subtract {
            ", initial output subtracted"
        } else {
            ""
        },
        setting.seed,
        setting.replica
    )
}

/// Draws a chart.
pub(super) fn drawn(name: &str, caption: String, chart: &TheoryChart) -> Result<Drawn, ReportError> {
    let drawing = draw(chart).map_err(|cause| ReportError::Figure {
        name: name.into(),
        cause,
    })?;
    let labels: Vec<&str> = chart
        .sets
        .iter()
        .map(|set| set.label.as_str())
        .filter(|l| !l.is_empty())
        .collect();
    let described = format!("{} against {}: {}.", chart.title, chart.x_label, labels.join(", "));
    Ok(Drawn::new(name, caption, &drawing, &described))
}

/// Times at which the theory's curve is drawn: the recorded ones and more between them.
fn fine_times(case: &Case) -> Vec<f64> {
    let last = case.outcome.setting.steps as f64;
    let from = 0.5f64.min(last / 2.0);
    (0..FINE)
        .map(|i| from * (last / from).powf(i as f64 / (FINE - 1) as f64))
        .collect()
}

/// What the network shows of each case at each recorded time, and the theory's curve.
struct Compared<'c> {
    title: &'c str,
    name: &'c str,
    y_scale: Scale,
    residual: &'c str,
    caption: &'c str,
    network: &'c dyn Fn(&Record) -> f64,
    theory: &'c dyn Fn(&Case, f64) -> f64,
    at_rows: &'c dyn Fn(&Row) -> f64,
    difference: &'c dyn Fn(f64, f64) -> f64,
}

impl Compared<'_> {
    /// Lines and points of all cases, residuals underneath.
    fn figure(&self, cases: &[Case], caption: &str) -> Result<Drawn, ReportError> {
        let (mut sets, mut residuals) = (Vec::new(), Vec::new());
        for (c, case) in cases.iter().enumerate() {
            let name = if case.label.is_empty() { "theory" } else { &case.label };
            // Where no mean field is known, as on real images after the first stage, the solver has no curve.
            let times = fine_times(case);
            let gammas = case.comparison.gamma(&times).unwrap_or_default();
            let curve = times.iter().zip(&gammas).map(|(&t, &g)| (t, (self.theory)(case, g)));
            sets.push(set(name, c, Mark::Line, curve.collect()));
        }
        for (c, case) in cases.iter().enumerate() {
            let label = if case.label.is_empty() { "network" } else { "" };
            let pairs = || case.outcome.records.iter().zip(&case.comparison.rows).skip(1);
            let points = pairs().map(|(record, _)| (record.step as f64, (self.network)(record)));
            sets.push(set(label, c, Mark::Points(2.2), points.collect()));
            let apart = pairs().map(|(record, row)| {
                let apart = (self.difference)((self.network)(record), (self.at_rows)(row));
                (record.step as f64, apart)
            });
            residuals.push(set("", c, Mark::Points(1.8), apart.collect()));
        }
        let chart = TheoryChart {
            title: self.title.into(),
            x_label: "t, steps".into(),
            x_scale: Scale::Log,
            y_scale: self.y_scale,
            sets,
            residuals: Some((self.residual.into(), residuals)),
        };
        drawn(self.name, format!("{} {caption}", self.caption), &chart)
    }
}

/// Draws all figures.
///
/// # Errors
/// [`ReportError::Figure`].
pub fn figures(cases: &[Case]) -> Result<Vec<Drawn>, ReportError> {
    let mut all = Vec::new();
    let caption = match cases.first() {
        Some(first) if cases.len() == 1 => format!("{}.", parameters(first)),
        Some(first) => format!("First of {} cases: {}.", cases.len(), parameters(first)),
        None => return Ok(all),
    };
    if let [case] = cases {
        all.push(node_curves(case, false, &caption)?);
        all.push(node_curves(case, true, &caption)?);
        all.push(gamma_with_limits(case, &caption)?);
        if !case.outcome.satisfied.is_empty() && case.comparison.mean_field {
            all.push(satisfaction(case, &caption)?);
        }
    } else {
        let gamma = Compared {
            title: "gamma",
            name: "gamma",
            y_scale: Scale::Linear,
            residual: "network - theory",
            caption: "Lines: mean field with the networks' initial moments. Points: networks.",
            network: &|record| record.gamma,
            theory: &|_, gamma| gamma,
            at_rows: &|row| row.gamma,
            difference: &|network, theory| network - theory,
        };
        all.push(gamma.figure(cases, &caption)?);
    }
    for (c, case) in cases.iter().enumerate() {
        all.push(plane(case, c)?);
    }
    all.extend(one_curve(cases)?);
    if cases.iter().all(|case| case.comparison.mean_field) {
        let unsatisfied = Compared {
            title: "Unsatisfied fraction, logarithmic",
            name: "unsatisfied",
            y_scale: Scale::Log,
            residual: "network - theory",
            caption: "Lines: p_u of the mean field (derived). Points: networks.",
            network: &|record| record.unsatisfied,
            theory: &|case, gamma| case.comparison.clock.observables(gamma).unsatisfied,
            at_rows: &|row| row.observables.unsatisfied,
            difference: &|network, theory| network - theory,
        };
        all.push(unsatisfied.figure(cases, &caption)?);
        let loss = Compared {
            title: "Loss, logarithmic",
            name: "loss",
            y_scale: Scale::Log,
            residual: "ln(network / theory)",
            caption: "Lines: L of the mean field (derived). Points: networks.",
            network: &|record| record.loss,
            theory: &|case, gamma| case.comparison.clock.observables(gamma).loss,
            at_rows: &|row| row.observables.loss,
            difference: &|network, theory| (network / theory).ln(),
        };
        all.push(loss.figure(cases, &caption)?);
    }
    all.push(errors(cases, &caption)?);
    Ok(all)
}

/// Fig. 1a or 1b: a_i(t) or w_par,i(t) of the followed nodes.
fn node_curves(case: &Case, along: bool, caption: &str) -> Result<Drawn, ReportError> {
    let pick = |(a, w): (f64, f64)| if along { w } else { a };
    let times = fine_times(case);
    let gammas = case.comparison.gamma(&times).unwrap_or_default();
    let (mut sets, mut residuals) = (Vec::new(), Vec::new());
    let start: &[(f64, f64)] = case.outcome.records.first().map_or(&[], |record| &record.plane);
    for (node, &start) in start.iter().take(FOLLOWED).enumerate() {
        let curve = times
            .iter()
            .zip(&gammas)
            .map(|(&t, &g)| (t, pick(trajectory(start, g))));
        let label = if node == 0 { "theory" } else { "" };
        sets.push(set(label, node % 6, Mark::Line, curve.collect()));
        let pairs = || case.outcome.records.iter().zip(&case.comparison.rows).skip(1);
        let of = |record: &Record| record.plane.get(node).map_or(f64::NAN, |&n| pick(n));
        let points = pairs().map(|(record, _)| (record.step as f64, of(record)));
        let label = if node == 0 { "network" } else { "" };
        sets.push(set(label, node % 6, Mark::Points(1.8), points.collect()));
        let apart = pairs().map(|(record, row)| (record.step as f64, of(record) - pick(trajectory(start, row.gamma))));
        residuals.push(set("", node % 6, Mark::Points(1.5), apart.collect()));
    }
    let (name, title) = if along {
        ("nodes-w-par", "w_par of ten nodes")
    } else {
        ("nodes-a", "a of ten nodes")
    };
    let chart = TheoryChart {
        title: title.into(),
        x_label: "t, steps".into(),
        x_scale: Scale::Log,
        y_scale: Scale::Linear,
        sets,
        residuals: Some(("network - theory".into(), residuals)),
    };
    let panel = if along { "1b" } else { "1a" };
    let caption = format!(
        "The paper's Fig. {panel}. Lines: hyperbolas at gamma(t). Points: the network's first ten nodes. {caption}"
    );
    drawn(name, caption, &chart)
}

/// Fig. 1c: gamma(t) with its early, lazy and late limits.
fn gamma_with_limits(case: &Case, caption: &str) -> Result<Drawn, ReportError> {
    let model = &case.outcome.setting.model;
    let times = fine_times(case);
    let gammas = case.comparison.gamma(&times).unwrap_or_default();
    let top = gammas.last().copied().unwrap_or(1.0) * 1.1;
    let curve = |f: &dyn Fn(f64) -> f64| -> Vec<(f64, f64)> {
        let points = times.iter().map(|&t| (t, f(t)));
        points.filter(|&(_, g)| g > 0.0 && g < top).collect()
    };
    let mut sets = vec![set(
        "theory",
        0,
        Mark::Line,
        times.iter().copied().zip(gammas).collect(),
    )];
    if case.comparison.mean_field && model.noise == 0.0 {
        sets.push(set("early: r t", 1, Mark::Faint, curve(&|t| early(model, t))));
        sets.push(set(
            "late: ln(8 r k² t)/4, derived",
            2,
            Mark::Faint,
            curve(&|t| late(model, t)),
        ));
        if model.crossover() < 1.0 {
            sets.push(set(
                "lazy: t^(1/3), derived",
                3,
                Mark::Faint,
                curve(&|t| lazy(model, t)),
            ));
        }
    }
    let pairs = || case.outcome.records.iter().zip(&case.comparison.rows).skip(1);
    let points = pairs().map(|(record, _)| (record.step as f64, record.gamma)).collect();
    sets.push(set("network", 4, Mark::Points(2.2), points));
    let apart = pairs()
        .map(|(record, row)| (record.step as f64, record.gamma - row.gamma))
        .collect();
    let chart = TheoryChart {
        title: "gamma, of which all trajectories are functions".into(),
        x_label: "t, steps".into(),
        x_scale: Scale::Log,
        y_scale: Scale::Linear,
        sets,
        residuals: Some(("network - theory".into(), vec![set("", 4, Mark::Points(1.8), apart)])),
    };
    let caption = format!(
        "The paper's Fig. 1c. Line: gamma integrated. Points: median over the nodes of ln((a + w_par) / (a(0) + w_par(0))). {caption}"
    );
    drawn("gamma", caption, &chart)
}

/// Fig. 1d: projection against first satisfaction time.
fn satisfaction(case: &Case, caption: &str) -> Result<Drawn, ReportError> {
    let setting = &case.outcome.setting;
    let times = fine_times(case);
    let gammas = case.comparison.gamma(&times).unwrap_or_default();
    let clock = &case.comparison.clock;
    let largest = case.outcome.satisfied.iter().map(|e| e.0).fold(0.0, f64::max);
    let curve = |side: f64| -> Vec<(f64, f64)> {
        let points = times.iter().zip(&gammas).map(|(&t, &gamma)| {
            let width = if side == 0.0 {
                0.0
            } else {
                side * band(&setting.model, setting.nodes, gamma)
            };
            (t, clock.satisfied_from(gamma) + width)
        });
        points.filter(|&(_, x)| x > 0.0 && x < 1.2 * largest).collect()
    };
    let clouds = case
        .outcome
        .satisfied
        .iter()
        .filter(|(_, t)| *t > 0.0)
        .map(|&(s, t)| (t, s));
    let clouds: Vec<(f64, f64)> = clouds.collect();
    let medians = &case.comparison.satisfaction;
    let apart = medians
        .iter()
        .filter(|bin| bin.quantiles[1] > 0.0)
        .map(|bin| (bin.quantiles[1], (bin.quantiles[1] / bin.theory).ln()));
    let sets = vec![
        set("examples", 5, Mark::Points(0.9), clouds),
        set("theory: X(t)", 1, Mark::Line, curve(0.0)),
        set("X ± dX of so many nodes, derived", 1, Mark::Faint, curve(1.0)),
        set("", 1, Mark::Faint, curve(-1.0)),
        set(
            "median at one projection",
            0,
            Mark::Points(3.0),
            medians.iter().map(|bin| (bin.quantiles[1], bin.projection)).collect(),
        ),
    ];
    let apart = apart.collect();
    let chart = TheoryChart {
        title: "|x_par| at the first satisfied time, logarithmic".into(),
        x_label: "t_sat, steps".into(),
        x_scale: Scale::Log,
        y_scale: Scale::Log,
        sets,
        residuals: Some(("ln(median / theory)".into(), vec![set("", 0, Mark::Points(2.5), apart)])),
    };
    let crossing = crate::study::hinge_theory::finite_examples::overfits_below(&setting.model, setting.examples);
    let crossing = crossing.map_or(String::new(), |x| {
        format!(" Below X_c = {x:.3} (derived) examples are satisfied early, since they are overfitted.")
    });
    let caption = format!("The paper's Fig. 1d.{crossing} {caption}");
    drawn("satisfaction", caption, &chart)
}

/// Fig. 2: nodes in the plane of (a, w_par).
fn plane(case: &Case, index: usize) -> Result<Drawn, ReportError> {
    let records = &case.outcome.records;
    let last = case.comparison.rows.iter().map(|row| row.gamma).fold(0.0, f64::max);
    let (mut sets, mut residuals) = (Vec::new(), Vec::new());
    let start: &[(f64, f64)] = records.first().map_or(&[], |record| &record.plane);
    for (node, &start) in start.iter().take(FOLLOWED).enumerate() {
        let curve = (0..=60).map(|i| trajectory(start, last * f64::from(i) / 60.0));
        let label = if node == 0 { "theory" } else { "" };
        sets.push(set(label, node % 6, Mark::Line, curve.collect()));
        let points = records.iter().filter_map(|record| record.plane.get(node).copied());
        let label = if node == 0 { "network" } else { "" };
        sets.push(set(label, node % 6, Mark::Points(1.8), points.collect()));
        let pairs = records.iter().zip(&case.comparison.rows);
        let apart = pairs.filter_map(|(record, row)| {
            let (a, w) = trajectory(start, row.gamma);
            let &(to_a, to_w) = record.plane.get(node)?;
            Some((to_a, (to_a - a).hypot(to_w - w)))
        });
        residuals.push(set("", node % 6, Mark::Points(1.5), apart.collect()));
    }
    let title = if case.label.is_empty() {
        "Nodes in the plane of a and w_par".to_string()
    } else {
        format!("Nodes in the plane, {}", case.label)
    };
    let chart = TheoryChart {
        title,
        x_label: "a".into(),
        x_scale: Scale::Linear,
        y_scale: Scale::Linear,
        sets,
        residuals: Some(("distance between network and theory at one time".into(), residuals)),
    };
    let k = case.outcome.setting.model.crossover();
    let regime = if k > 1.0 { "rich" } else { "lazy" };
    let of_regime = if case.comparison.mean_field {
        format!(
            " k = c h sqrt d / alpha = {} ({regime}; derived).",
            crate::report::number::significant(k, 3)
        )
    } else {
        String::new()
    };
    let caption = format!(
        "The plane of the paper's Fig. 2, vertical axis w_par. Lines: hyperbolas.{of_regime} {}.",
        parameters(case)
    );
    drawn(&format!("plane-{index}"), caption, &chart)
}

/// Fig. 3: training and test error.
fn errors(cases: &[Case], caption: &str) -> Result<Drawn, ReportError> {
    let mut sets = Vec::new();
    for (c, case) in cases.iter().enumerate() {
        let of = |name: &str| {
            if case.label.is_empty() {
                name.to_string()
            } else if name == "test" {
                case.label.clone()
            } else {
                String::new()
            }
        };
        let series = |value: &dyn Fn(&Record) -> f64| -> Vec<(f64, f64)> {
            let records = case.outcome.records.iter().filter(|record| record.step > 0);
            records.map(|record| (record.step as f64, value(record))).collect()
        };
        sets.push(set(of("test"), c, Mark::Points(2.4), series(&|r| r.test_error)));
        let paint = if cases.len() == 1 { 1 } else { c };
        sets.push(set(of("training"), paint, Mark::Faint, series(&|r| r.train_error)));
        if let [only] = cases
            && only.comparison.mean_field
        {
            let rows = only.comparison.rows.iter().filter(|row| row.t > 0.0);
            let curve = rows.map(|row| (row.t, row.test_error)).collect();
            sets.push(set("test error of so many nodes, derived", 2, Mark::Line, curve));
        }
    }
    let chart = TheoryChart {
        title: "Misclassified fraction, logarithmic".into(),
        x_label: "t, steps".into(),
        x_scale: Scale::Log,
        y_scale: Scale::Log,
        sets,
        residuals: None,
    };
    let caption = format!(
        "Points: test error on fresh examples. Thin lines: training error. The mean field's own error is 0; eps(gamma) is what so many nodes \
         add before gradient descent learns it away (derived). A test error that stops falling while the training error goes on is \
         overfitting. {caption}"
    );
    drawn("errors", caption, &chart)
}
