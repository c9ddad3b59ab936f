//! The figures of an experiment: theory as lines, networks as points, residuals underneath.

use super::map;
use crate::report::files::ReportError;
use crate::report::svg;
use crate::report::theory_chart::{Mark, Set, TheoryChart, draw};
use crate::report::ticks::Scale;
use crate::study::modes::findings::{Axis, Figure, Findings};

/// A figure in the two forms it is shown in.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// Name of its file and of its element in the page.
    pub name: String,
    /// What stands under it.
    pub caption: String,
    /// For the page.
    pub inline: String,
    /// As a file that stands alone.
    pub file: String,
}

/// Width of a figure's file, in pixels.
const FILE_WIDTH: u32 = 720;

/// Draws maps, then figures.
///
/// # Errors
/// [`ReportError::Figure`].
pub fn all(findings: &Findings) -> Result<Vec<Drawn>, ReportError> {
    let mut all = Vec::new();
    for map in &findings.maps {
        let drawing = map::draw(map).map_err(|cause| failed(&map.name, cause))?;
        let described = format!("{}: {} against {}. {}", map.title, map.y, map.x, map.caption);
        all.push(drawn(&map.name, &map.caption, &drawing, &described));
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
        all.push(drawn(&figure.name, &figure.caption, &drawing, &described));
    }
    Ok(all)
}

fn failed(name: &str, cause: String) -> ReportError {
    ReportError::Figure {
        name: name.into(),
        cause,
    }
}

fn drawn(name: &str, caption: &str, drawing: &svg::Drawing, described: &str) -> Drawn {
    Drawn {
        name: name.into(),
        caption: caption.into(),
        inline: svg::inline(drawing, described),
        file: svg::file(drawing, described, FILE_WIDTH),
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
