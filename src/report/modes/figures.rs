//! The figures of an experiment: theory as lines, networks as points, residuals underneath.

use super::map;
use crate::report::drawn::Drawn;
use crate::report::files::ReportError;
use crate::report::theory_chart::{Mark, Set, TheoryChart, draw};
use crate::report::ticks::Scale;
use crate::study::modes::findings::{Axis, Figure, Findings};

/// Draws maps, then figures.
///
/// # Errors
/// [`ReportError::Figure`].
pub fn all(findings: &Findings) -> Result<Vec<Drawn>, ReportError> {
    let mut all = Vec::new();
    for map in &findings.maps {
        let drawing = map::draw(map).map_err(|cause| failed(&map.name, cause))?;
        let described = format!("{}: {} against {}. {}", map.title, map.y, map.x, map.caption);
        all.push(Drawn::new(&map.name, map.caption.clone(), &drawing, &described));
    }
    for figure in &findings.figures {
        let drawing = draw(&chart(figure)).map_err(|cause| failed(&figure.name, cause))?;
        let labels: Vec<&str> = figure.curves.iter().map(|curve| curve.label.as_str()).collect();
        let described = format!(
            "{}: {} against {}: {}.",
            figure.title,
            figure.y.label,
            figure.x.label,
            labels.join(", ")
        );
        all.push(Drawn::new(&figure.name, figure.caption.clone(), &drawing, &described));
    }
    Ok(all)
}

fn failed(name: &str, cause: String) -> ReportError {
    ReportError::Figure {
        name: name.into(),
        cause,
    }
}

fn scale(axis: &Axis) -> Scale {
    if axis.log { Scale::Log } else { Scale::Linear }
}

fn chart(figure: &Figure) -> TheoryChart {
    let (mut lines, mut points, mut residuals) = (Vec::new(), Vec::new(), Vec::new());
    for (paint, curve) in figure.curves.iter().enumerate() {
        let set = |label: &str, mark, points: &[(f64, f64)]| Set {
            label: label.into(),
            paint,
            mark,
            points: points.to_vec(),
        };
        // One name for the line and its points; where there is no line the points are joined, faintly.
        if curve.theory.is_empty() {
            lines.push(set("", Mark::Faint, &curve.simulation));
            points.push(set(&curve.label, Mark::Points(2.6), &curve.simulation));
        } else {
            lines.push(set(&curve.label, Mark::Line, &curve.theory));
            points.push(set("", Mark::Points(2.6), &curve.simulation));
        }
        residuals.push(set("", Mark::Points(2.0), &curve.residual));
    }
    TheoryChart {
        title: format!("{}: {}", figure.title, figure.y.label),
        x_label: figure.x.label.clone(),
        x_scale: scale(&figure.x),
        y_scale: scale(&figure.y),
        sets: lines.into_iter().chain(points).collect(),
        residuals: figure.residual.clone().map(|what| (what, residuals)),
    }
}
