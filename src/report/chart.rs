//! One figure drawn with plotters: replicas as thin lines behind their mean with its band, extrema marked.

use plotters::backend::SVGBackend;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{Area, Axis, LETTER, UNIT, WORDS, fill, font, put, stroke, units};
use super::legend::Legend;
use super::number::Spread;
use super::palette::Paint;
use super::svg::{self, Drawing};
use super::thin::{Pixel, thin};
use super::ticks::Scale;
use crate::study::outcome::Turn;

/// Width that a figure is meant for, in pixels: one column of the page, and not much more than a phone.
pub const WIDTH: u32 = 440;

const PLOT_HEIGHT: u32 = 250;
const LEFT: u32 = 46;
const RIGHT: u32 = 14;
const BOTTOM: u32 = 44;
/// The tolerance of [`thin`] for lines that must not visibly differ, in pixels.
pub const FINE: f64 = 0.2;

/// A figure to draw.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What is drawn: stands above the figure, with ", logarithmic" if the vertical axis is.
    pub title: String,
    /// What is on the horizontal axis, and in which direction it runs.
    pub x_label: String,
    /// How it is laid along the axis.
    pub x_scale: Scale,
    /// How the vertical axis is laid out.
    pub y_scale: Scale,
    /// The curves.
    pub series: Vec<Series>,
    /// The range on the horizontal axis in which the replicas stop (mean and deviation), and its name in the legend.
    pub stop: Option<(Spread, String)>,
}

/// One quantity: its curve in each replica and their mean.
#[derive(Clone, Debug)]
pub struct Series {
    /// Name in the legend.
    pub label: String,
    /// Which of the series colours.
    pub paint: usize,
    /// One curve per replica, or none where the mean is the only one.
    pub replicas: Vec<Vec<(f64, f64)>>,
    /// Their mean.
    pub mean: Vec<MeanPoint>,
    /// Where each replica has its extremum.
    pub turns: Vec<(f64, f64)>,
    /// The mean extremum.
    pub mark: Option<Mark>,
}

/// A point of a mean curve.
#[derive(Clone, Copy, Debug)]
pub struct MeanPoint {
    /// Epoch or mean training error.
    pub x: f64,
    /// The mean.
    pub y: f64,
    /// Half the width of its band, if it has one.
    pub half: Option<f64>,
}

/// A marked mean extremum.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Its place on the horizontal axis.
    pub x: Spread,
    /// Its value.
    pub y: Spread,
    /// Which side of the curve is free for a label.
    pub turn: Turn,
    /// The label; empty for none.
    pub label: String,
}

type Drawn = Result<(), String>;

/// Draws a figure. Curves of replicas are thinned to `tolerance` pixels, means to [`FINE`].
///
/// # Errors
/// What plotters says; drawing into memory, it has no reason to.
pub fn draw(chart: &Chart, tolerance: f64) -> Result<Drawing, String> {
    let legend = Legend::of(chart);
    let top = legend.height() + 8;
    let height = top + PLOT_HEIGHT + BOTTOM;
    let (width, height) = (WIDTH * UNIT, height * UNIT);

    let mut plotted = String::new();
    {
        let root = SVGBackend::with_string(&mut plotted, (width, height)).into_drawing_area();
        let (x_range, y_range) = ranges(chart);
        let mut context = ChartBuilder::on(&root)
            .margin_top(top * UNIT)
            .margin_right(RIGHT * UNIT)
            .x_label_area_size(BOTTOM * UNIT)
            .y_label_area_size(LEFT * UNIT)
            .build_cartesian_2d(
                Axis::new(chart.x_scale, x_range, 7),
                Axis::new(chart.y_scale, y_range, 7),
            )
            .map_err(|cause| cause.to_string())?;
        context
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(stroke(Paint::Grid, 1.0, 1.0))
            .axis_style(stroke(Paint::Grid, 1.0, 1.0))
            .set_all_tick_mark_size(4 * UNIT)
            .label_style(font(WORDS, Paint::Muted))
            .axis_desc_style(font(WORDS, Paint::Muted))
            .x_desc(chart.x_label.as_str())
            .draw()
            .map_err(|cause| cause.to_string())?;

        let area = context.plotting_area();
        let place = |x: f64, y: f64| {
            let (x, y) = (chart.x_scale.position(x)?, chart.y_scale.position(y)?);
            Some(area.map_coordinate(&(x, y)))
        };
        // plotters says the range of pixels on each axis as (left..right, top..bottom).
        let (x_pixels, y_pixels) = area.get_pixel_range();
        let frame = Frame {
            left: x_pixels.start,
            right: x_pixels.end,
            top: y_pixels.start,
            bottom: y_pixels.end,
        };

        draw_stop(&root, chart, &frame, |x| {
            let x = chart.x_scale.position(x)?;
            Some(area.map_coordinate(&(x, y_range.0)).0)
        })?;
        for series in &chart.series {
            draw_replicas(&root, series, tolerance, &place)?;
        }
        for series in &chart.series {
            draw_mean(&root, series, &place)?;
        }
        let marked: Vec<f64> = chart
            .series
            .iter()
            .filter_map(|series| series.mark.as_ref())
            .filter_map(|mark| mark.y.mean)
            .collect();
        for series in &chart.series {
            draw_extrema(&root, series, &marked, &frame, &place)?;
        }
        legend.draw(&root)?;
        root.present().map_err(|cause| cause.to_string())?;
    }
    Ok(svg::restyle(&plotted, width, height))
}

/// The plotting area in units of the drawing.
struct Frame {
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
}

/// Lowest and highest position on each axis, with a margin; never empty.
fn ranges(chart: &Chart) -> ((f64, f64), (f64, f64)) {
    let (mut xs, mut ys) = (Extent::empty(), Extent::empty());
    let mut include = |x: f64, y: f64| {
        if let (Some(x), Some(y)) = (chart.x_scale.position(x), chart.y_scale.position(y)) {
            xs.include(x);
            ys.include(y);
        }
    };
    for series in &chart.series {
        series
            .replicas
            .iter()
            .flatten()
            .chain(&series.turns)
            .for_each(|&(x, y)| include(x, y));
        for point in &series.mean {
            let half = point.half.unwrap_or(0.0);
            include(point.x, point.y - half);
            include(point.x, point.y + half);
        }
        if let Some((x, y)) = series.mark.as_ref().and_then(|mark| mark.x.mean.zip(mark.y.mean)) {
            include(x, y);
        }
    }
    // A label above or below an extremum needs room inside the figure.
    let labelled = chart
        .series
        .iter()
        .filter_map(|series| series.mark.as_ref())
        .any(|mark| !mark.label.is_empty());
    (xs.padded(0.01), ys.padded(if labelled { 0.12 } else { 0.06 }))
}

struct Extent {
    low: f64,
    high: f64,
}

impl Extent {
    fn empty() -> Self {
        Self {
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
        }
    }

    fn include(&mut self, position: f64) {
        self.low = self.low.min(position);
        self.high = self.high.max(position);
    }

    fn padded(&self, part: f64) -> (f64, f64) {
        if self.low > self.high {
            return (0.0, 1.0);
        }
        let span = self.high - self.low;
        // A curve that never changes still gets a height: a tenth of its value.
        let margin = if span > 0.0 {
            part * span
        } else {
            (0.1 * self.low.abs()).max(1e-3)
        };
        (self.low - margin, self.high + margin)
    }
}

/// Runs of points that have a place, as pixels of the drawing: a value that is not finite breaks the curve.
fn pieces(
    points: impl Iterator<Item = (f64, f64)>,
    tolerance: f64,
    place: &impl Fn(f64, f64) -> Option<(i32, i32)>,
) -> Vec<Vec<(i32, i32)>> {
    let mut pieces: Vec<Vec<Pixel>> = vec![Vec::new()];
    for (x, y) in points {
        match (place(x, y), pieces.last_mut()) {
            (Some((x, y)), Some(piece)) => piece.push((f64::from(x), f64::from(y))),
            (None, Some(piece)) if !piece.is_empty() => pieces.push(Vec::new()),
            _ => {}
        }
    }
    let whole = |piece: Vec<Pixel>| {
        thin(&piece, tolerance * f64::from(UNIT))
            .into_iter()
            .map(|(x, y)| (x as i32, y as i32))
            .collect()
    };
    pieces
        .into_iter()
        .filter(|piece| !piece.is_empty())
        .map(whole)
        .collect()
}

fn draw_stop(root: &Area, chart: &Chart, frame: &Frame, place: impl Fn(f64) -> Option<i32>) -> Drawn {
    let Some((
        Spread {
            mean: Some(mean), sd, ..
        },
        _,
    )) = chart.stop
    else {
        return Ok(());
    };
    if let Some((from, to)) = sd.and_then(|sd| place(mean - sd).zip(place(mean + sd))) {
        let corners = [(from.min(to), frame.top), (from.max(to), frame.bottom)];
        put(root, Rectangle::new(corners, fill(Paint::Stop, 0.14)))?;
    }
    if let Some(x) = place(mean) {
        put(
            root,
            PathElement::new(vec![(x, frame.top), (x, frame.bottom)], stroke(Paint::Stop, 1.0, 0.55)),
        )?;
    }
    Ok(())
}

fn draw_replicas(
    root: &Area,
    series: &Series,
    tolerance: f64,
    place: &impl Fn(f64, f64) -> Option<(i32, i32)>,
) -> Drawn {
    // The more lines lie over each other, the fainter each, so that their mean stays the loudest.
    let opacity = (2.5 / (series.replicas.len() as f64).max(1.0)).clamp(0.12, 0.45);
    let opacity = (opacity * 100.0).round() / 100.0;
    for curve in &series.replicas {
        for piece in pieces(curve.iter().copied(), tolerance, place) {
            put(
                root,
                PathElement::new(piece, stroke(Paint::Series(series.paint), 0.75, opacity)),
            )?;
        }
    }
    Ok(())
}

fn draw_mean(root: &Area, series: &Series, place: &impl Fn(f64, f64) -> Option<(i32, i32)>) -> Drawn {
    let edge = |side: f64| {
        let bounds = series
            .mean
            .iter()
            .filter_map(move |point| Some((point.x, point.y + side * point.half?)));
        pieces(bounds, FINE, place)
    };
    // The two edges may break in different places on a logarithmic axis, where no band can be closed.
    if let ([upper], [lower]) = (edge(1.0).as_slice(), edge(-1.0).as_slice()) {
        let outline: Vec<(i32, i32)> = upper.iter().chain(lower.iter().rev()).copied().collect();
        // The band keeps the plain colour where the line is dashed.
        put(root, Polygon::new(outline, fill(Paint::Series(series.paint), 0.28)))?;
    }
    for piece in pieces(series.mean.iter().map(|point| (point.x, point.y)), FINE, place) {
        put(
            root,
            PathElement::new(piece, stroke(Paint::Series(series.paint), 2.0, 1.0)),
        )?;
    }
    Ok(())
}

fn draw_extrema(
    root: &Area,
    series: &Series,
    marked: &[f64],
    frame: &Frame,
    place: &impl Fn(f64, f64) -> Option<(i32, i32)>,
) -> Drawn {
    let paint = Paint::Series(series.paint);
    for &(x, y) in &series.turns {
        if let Some(centre) = place(x, y) {
            put(root, Circle::new(centre, units(1.75), fill(paint, 0.55)))?;
        }
    }
    let Some(mark) = &series.mark else { return Ok(()) };
    let Some((x, y)) = mark.x.mean.zip(mark.y.mean) else {
        return Ok(());
    };
    let Some(centre) = place(x, y) else { return Ok(()) };
    put(root, Circle::new(centre, units(5.5), fill(Paint::Paper, 1.0)))?;
    put(root, Circle::new(centre, units(4.0), fill(paint, 1.0)))?;
    let bars = mark.x.sd.into_iter().map(|sd| (place(x - sd, y), place(x + sd, y)));
    let bars = bars.chain(mark.y.sd.into_iter().map(|sd| (place(x, y - sd), place(x, y + sd))));
    for bar in bars {
        if let (Some(from), Some(to)) = bar {
            put(root, PathElement::new(vec![from, to], stroke(paint, 1.5, 1.0)))?;
        }
    }
    if !mark.label.is_empty() {
        // Outside the bend of the curve, unless another curve with its mark is on that side.
        let above = match mark.turn {
            Turn::Minimum | Turn::Either => marked.iter().any(|other| *other < y),
            Turn::Maximum => !marked.iter().any(|other| *other > y),
        };
        let (offset, side) = if above {
            (
                -units(if mark.turn == Turn::Minimum { 18.0 } else { 13.0 }),
                VPos::Bottom,
            )
        } else {
            (units(11.0), VPos::Top)
        };
        let half = units(mark.label.chars().count() as f64 * WORDS * LETTER / 2.0);
        // At the edge of the figure the label stays inside; `max` after `min`, as the label may be wider than it.
        let across = centre.0.min(frame.right - half).max(frame.left + half);
        let style = font(WORDS, Paint::Ink).pos(Pos::new(HPos::Center, side));
        put(root, Text::new(mark.label.clone(), (across, centre.1 + offset), style))?;
    }
    Ok(())
}
