//! The figure in which the nodes of all cases lie on one curve, whatever their clocks.

use super::figures::{drawn, parameters, set};
use crate::report::drawn::Drawn;
use crate::report::files::ReportError;
use crate::report::number::significant;
use crate::report::theory_chart::{Mark, TheoryChart};
use crate::report::ticks::Scale;
use crate::study::hinge_theory::comparison::{Case, FOLLOWED};
use crate::study::hinge_theory::same_curve::{Apart, apart, begin_alike, farthest, nodes_at};

/// The nodes of the cases that begin like the first one, plotted against the first one's; `None` if no other does.
pub(super) fn one_curve(cases: &[Case]) -> Result<Option<Drawn>, ReportError> {
    let Some((first, others)) = cases.split_first() else {
        return Ok(None);
    };
    let compared: Vec<(usize, &Case, Vec<Apart>)> = others
        .iter()
        .enumerate()
        .filter(|(_, case)| begin_alike(first, case))
        .map(|(c, case)| (c + 1, case, apart(first, case)))
        .filter(|(.., states)| !states.is_empty())
        .collect();
    let last = compared
        .iter()
        .flat_map(|(.., states)| states)
        .map(|s| s.gamma)
        .fold(0.0, f64::max);
    let (mut sets, mut residuals) = (Vec::new(), Vec::new());
    let along: Vec<Vec<(f64, f64)>> = (0..=120)
        .filter_map(|i| nodes_at(first, last * f64::from(i) / 120.0))
        .collect();
    for node in 0..FOLLOWED {
        let curve = along.iter().filter_map(|nodes| nodes.get(node).copied()).collect();
        let label = if node == 0 { &first.label } else { "" };
        sets.push(set(label, 0, Mark::Line, curve));
    }
    let (mut words, mut cloud) = (String::new(), Vec::new());
    for (c, case, states) in &compared {
        if let Some(far) = farthest(states) {
            words.push_str(&format!(
                " {}: within {} % of all nodes, each within {} % of their root mean square, up to gamma = {}.",
                case.label,
                significant(100.0 * far.nodes, 3),
                significant(100.0 * far.worst, 3),
                significant(far.gamma, 3)
            ));
        }
        let (mut points, mut distances) = (Vec::new(), Vec::new());
        for state in states {
            let record = case.outcome.records.iter().find(|record| record.step as f64 == state.t);
            let Some((record, there)) = record.zip(nodes_at(first, state.gamma)) else {
                continue;
            };
            for (&(a, w), (to_a, to_w)) in record.plane.iter().zip(there).take(FOLLOWED) {
                points.push((a, w));
                distances.push((a, (a - to_a).hypot(w - to_w)));
            }
        }
        cloud.push(set(&case.label, *c, Mark::Points(2.0), points));
        residuals.push(set("", *c, Mark::Points(1.5), distances));
    }
    if cloud.is_empty() {
        return Ok(None);
    }
    sets.extend(cloud);
    let chart = TheoryChart {
        title: "The same nodes of all cases in one plane".into(),
        x_label: "a".into(),
        x_scale: Scale::Linear,
        y_scale: Scale::Linear,
        sets,
        residuals: Some(("distance from the line at equal gamma".into(), residuals)),
    };
    let caption = format!(
        "Vertical axis w_par. Lines: ten nodes of the first network. Points: the same nodes of the others, until t_c. Whatever the clock, \
         the curve is one (derived). Largest distances at equal gamma, relative in L2:{words} {}.",
        parameters(first)
    );
    drawn("one-curve", caption, &chart).map(Some)
}
