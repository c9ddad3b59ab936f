//! A figure of a theory and what is compared with it: lines, points, and under them the residuals on the same horizontal axis.

use plotters::backend::SVGBackend;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{Area, Axis, LETTER, UNIT, WORDS, bold, fill, font, put, stroke, units};
use super::chart::{FINE, WIDTH};
use super::legend::shortened;
use super::palette::Paint;
use super::svg::{self, Drawing};
use super::thin::thin;
use super::ticks::Scale;

const TITLE: u32 = 26;
const KEY_LINE: u32 = 20;
const PLOT_HEIGHT: u32 = 240;
const RESIDUAL_HEIGHT: u32 = 96;
const LEFT: u32 = 62;
const RIGHT: u32 = 14;
const BOTTOM: u32 = 44;
const KEY_WIDTH: f64 = 20.0;
const WIDEST: f64 = WIDTH as f64 - 14.0;
/// Of more points than this in one set, evenly chosen ones are drawn.
const MOST_POINTS: usize = 1500;

/// What a set of numbers is drawn as.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mark {
    /// A line.
    Line,
    /// A thin, pale line.
    Faint,
    /// Circles, so many pixels in radius.
    Points(f64),
}

/// A curve or a cloud.
#[derive(Clone, Debug)]
pub struct Set {
    /// Name in the legend; empty for none.
    pub label: String,
    /// Which of the series colours.
    pub paint: usize,
    /// How it is drawn.
    pub mark: Mark,
    /// The numbers.
    pub points: Vec<(f64, f64)>,
}

/// A figure to draw.
#[derive(Clone, Debug)]
pub struct TheoryChart {
    /// Above the figure.
    pub title: String,
    /// Under the horizontal axis.
    pub x_label: String,
    /// How it is laid out.
    pub x_scale: Scale,
    /// How the vertical axis is laid out.
    pub y_scale: Scale,
    /// Drawn in order.
    pub sets: Vec<Set>,
    /// What the residuals are, and they; no panel without.
    pub residuals: Option<(String, Vec<Set>)>,
}

/// Pixels of the drawing, in its units.
type Place = (i32, i32);

/// Draws a figure.
///
/// # Errors
/// What plotters says; drawing into memory, it has no reason to.
pub fn draw(chart: &TheoryChart) -> Result<Drawing, String> {
    let places = legend(chart);
    let lines = places.last().map_or(0, |(line, ..)| line + 1);
    let top = TITLE + lines * KEY_LINE + 8;
    let below = if chart.residuals.is_some() { RESIDUAL_HEIGHT } else { 0 };
    let height = top + PLOT_HEIGHT + below + BOTTOM;
    let (width, height) = (WIDTH * UNIT, height * UNIT);
    let mut plotted = String::new();
    {
        let root = SVGBackend::with_string(&mut plotted, (width, height)).into_drawing_area();
        let x_range = range(chart, |(x, _)| chart.x_scale.position(x), 0.01, &chart.sets);
        let y_range = range(chart, |(_, y)| chart.y_scale.position(y), 0.06, &chart.sets);
        let (upper, lower) = root.split_vertically((top + PLOT_HEIGHT + if below == 0 { BOTTOM } else { 0 }) * UNIT);
        let main = Panel {
            x: (chart.x_scale, x_range),
            y: (chart.y_scale, y_range),
            label: if below == 0 { Some(chart.x_label.as_str()) } else { None },
            ticks: 7,
            top,
        };
        main.draw(&upper, &chart.sets)?;
        if let Some((what, sets)) = &chart.residuals {
            let y_range = range(chart, |(_, y)| Scale::Linear.position(y), 0.12, sets);
            let panel = Panel {
                x: (chart.x_scale, x_range),
                y: (Scale::Linear, (y_range.0.min(0.0), y_range.1.max(0.0))),
                label: Some(chart.x_label.as_str()),
                ticks: 3,
                top: 26,
            };
            panel.draw(&lower, sets)?;
            let style = font(WORDS - 1.0, Paint::Muted).pos(Pos::new(HPos::Left, VPos::Center));
            put(&lower, Text::new(what.clone(), (units(4.0), units(13.0)), style))?;
        }
        let middle_left = Pos::new(HPos::Left, VPos::Center);
        let title = bold(15.0, Paint::Ink).pos(middle_left);
        put(&root, Text::new(chart.title.clone(), (units(4.0), units(14.0)), title))?;
        for (line, left, set) in &places {
            let middle = units(f64::from(TITLE + line * KEY_LINE) + f64::from(KEY_LINE) / 2.0);
            let (from, to) = (units(*left), units(left + KEY_WIDTH));
            let paint = Paint::Series(set.paint);
            match set.mark {
                Mark::Line => put(
                    &root,
                    PathElement::new(vec![(from, middle), (to, middle)], stroke(paint, 2.0, 1.0)),
                )?,
                Mark::Faint => put(
                    &root,
                    PathElement::new(vec![(from, middle), (to, middle)], stroke(paint, 1.0, 0.6)),
                )?,
                Mark::Points(_) => put(
                    &root,
                    Circle::new((from.midpoint(to), middle), units(2.8), fill(paint, 0.8)),
                )?,
            }
            let style = font(WORDS, Paint::Ink).pos(middle_left);
            let place = (units(left + KEY_WIDTH + 6.0), middle);
            put(&root, Text::new(shortened(&set.label, 52), place, style))?;
        }
        root.present().map_err(|cause| cause.to_string())?;
    }
    Ok(svg::restyle(&plotted, width, height))
}

/// Line and left edge of each set that has a name.
fn legend(chart: &TheoryChart) -> Vec<(u32, f64, &Set)> {
    let (mut line, mut left) = (0, 4.0);
    let mut places = Vec::new();
    for set in chart.sets.iter().filter(|set| !set.label.is_empty()) {
        let width = KEY_WIDTH + 6.0 + shortened(&set.label, 52).chars().count() as f64 * WORDS * LETTER;
        if left > 4.0 && left + width > WIDEST {
            (line, left) = (line + 1, 4.0);
        }
        places.push((line, left, set));
        left += width + 16.0;
    }
    places
}

/// Lowest and highest position of all points that have a place on both axes, with a margin; never empty.
fn range(chart: &TheoryChart, position: impl Fn((f64, f64)) -> Option<f64>, margin: f64, sets: &[Set]) -> (f64, f64) {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    let placed = |&&(x, y): &&(f64, f64)| chart.x_scale.position(x).is_some() && y.is_finite();
    for at in sets
        .iter()
        .flat_map(|set| &set.points)
        .filter(placed)
        .filter_map(|&p| position(p))
    {
        (low, high) = (low.min(at), high.max(at));
    }
    if low > high {
        return (0.0, 1.0);
    }
    let span = high - low;
    let margin = if span > 0.0 {
        margin * span
    } else {
        (0.1 * low.abs()).max(1e-3)
    };
    (low - margin, high + margin)
}

/// One set of axes.
struct Panel<'c> {
    x: (Scale, (f64, f64)),
    y: (Scale, (f64, f64)),
    /// What stands under the horizontal axis, if its numbers do.
    label: Option<&'c str>,
    ticks: usize,
    top: u32,
}

impl Panel<'_> {
    fn draw(&self, area: &Area, sets: &[Set]) -> Result<(), String> {
        let (x_scale, x_range) = self.x;
        let (y_scale, y_range) = self.y;
        let bottom = if self.label.is_some() { BOTTOM } else { 0 };
        let mut context = ChartBuilder::on(area)
            .margin_top(self.top * UNIT)
            .margin_right(RIGHT * UNIT)
            .x_label_area_size(bottom * UNIT)
            .y_label_area_size(LEFT * UNIT)
            .build_cartesian_2d(Axis::new(x_scale, x_range, 7), Axis::new(y_scale, y_range, self.ticks))
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
            .x_desc(self.label.unwrap_or_default())
            .draw()
            .map_err(|cause| cause.to_string())?;
        // In the area's own coordinates, which are what `put` takes: an area that was split off begins lower down.
        let inner = context.plotting_area();
        let base = area.get_base_pixel();
        let place = |(x, y): (f64, f64)| -> Option<Place> {
            let (x, y) = inner.map_coordinate(&(x_scale.position(x)?, y_scale.position(y)?));
            Some((x - base.0, y - base.1))
        };
        for set in sets {
            let paint = Paint::Series(set.paint);
            match set.mark {
                Mark::Points(radius) => {
                    let every = set.points.len().div_ceil(MOST_POINTS).max(1);
                    for centre in set.points.iter().step_by(every).filter_map(|&point| place(point)) {
                        put(area, Circle::new(centre, units(radius), fill(paint, 0.75)))?;
                    }
                }
                Mark::Line | Mark::Faint => {
                    let style = if set.mark == Mark::Line {
                        stroke(paint, 1.8, 1.0)
                    } else {
                        stroke(paint, 1.0, 0.6)
                    };
                    for piece in set.points.split(|&point| place(point).is_none()) {
                        let pixels: Vec<(f64, f64)> = piece
                            .iter()
                            .filter_map(|&point| place(point))
                            .map(|(x, y)| (f64::from(x), f64::from(y)))
                            .collect();
                        let kept = thin(&pixels, FINE * f64::from(UNIT));
                        let kept: Vec<Place> = kept.into_iter().map(|(x, y)| (x as i32, y as i32)).collect();
                        if !kept.is_empty() {
                            put(area, PathElement::new(kept, style))?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}
