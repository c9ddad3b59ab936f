//! A plane of cells in the colours of their kinds, with the theory's lines and points over it.
//!
//! Neighbours of one kind in a row are one rectangle, so that 40,000 cells take some hundred shapes.

use plotters::backend::SVGBackend;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::report::canvas::{Axis, LETTER, UNIT, WORDS, bold, fill, font, put, stroke, units};
use crate::report::chart::WIDTH;
use crate::report::palette::Paint;
use crate::report::svg::{self, Drawing};
use crate::report::ticks::Scale;
use crate::study::modes::findings::Map;

const TITLE: u32 = 26;
const KEY_LINE: u32 = 20;
const LEFT: u32 = 54;
const RIGHT: u32 = 14;
const BOTTOM: u32 = 44;
const KEY: f64 = 14.0;

/// Paint and opacity of a kind: for many kinds, which are in order, two colours from dark to light and back.
fn paint(map: &Map, kind: usize) -> (Paint, f64) {
    let kinds = map.kinds.len();
    if kinds <= 5 {
        return (Paint::Series(kind), 0.55);
    }
    let half = kinds / 2;
    let (colour, step) = if kind < half {
        (1, half - kind)
    } else {
        (0, kind + 1 - (kinds - half))
    };
    (Paint::Series(colour), 0.75 * step.max(1) as f64 / half as f64)
}

/// Draws it.
///
/// # Errors
/// What plotters says; drawing into memory, it has no reason to.
pub fn draw(map: &Map) -> Result<Drawing, String> {
    let present: Vec<usize> = (0..map.kinds.len())
        .filter(|&kind| map.cells.iter().any(|&cell| usize::from(cell) == kind))
        .collect();
    let places = legend(map, &present);
    let lines = places.last().map_or(0, |place| place.0 + 1);
    let top = TITLE + lines * KEY_LINE + 8;
    let plane = WIDTH - LEFT - RIGHT;
    let (width, height) = (WIDTH * UNIT, (top + plane + BOTTOM) * UNIT);
    let mut plotted = String::new();
    {
        let root = SVGBackend::with_string(&mut plotted, (width, height)).into_drawing_area();
        let range = (-map.reach, map.reach);
        let mut context = ChartBuilder::on(&root)
            .margin_top(top * UNIT)
            .margin_right(RIGHT * UNIT)
            .x_label_area_size(BOTTOM * UNIT)
            .y_label_area_size(LEFT * UNIT)
            .build_cartesian_2d(Axis::new(Scale::Linear, range, 7), Axis::new(Scale::Linear, range, 7))
            .map_err(|cause| cause.to_string())?;
        context
            .configure_mesh()
            .disable_mesh()
            .axis_style(stroke(Paint::Grid, 1.0, 1.0))
            .set_all_tick_mark_size(4 * UNIT)
            .label_style(font(WORDS, Paint::Muted))
            .axis_desc_style(font(WORDS, Paint::Muted))
            .x_desc(format!("{} (up: {})", map.x, map.y))
            .draw()
            .map_err(|cause| cause.to_string())?;
        let inner = context.plotting_area();
        let place = |x: f64, y: f64| inner.map_coordinate(&(x, y));
        let edge = |n: usize| map.reach * (2.0 * n as f64 / map.side.max(1) as f64 - 1.0);
        for (row, cells) in map.cells.chunks(map.side.max(1)).enumerate() {
            let mut from = 0;
            for run in cells.chunk_by(|a, b| a == b) {
                let to = from + run.len();
                let kind = usize::from(run.first().copied().unwrap_or_default());
                let (colour, opacity) = paint(map, kind);
                let corners = [place(edge(from), edge(row + 1)), place(edge(to), edge(row))];
                put(&root, Rectangle::new(corners, fill(colour, opacity)))?;
                from = to;
            }
        }
        for (_, line) in &map.lines {
            let path: Vec<(i32, i32)> = line.iter().map(|&(x, y)| place(x, y)).collect();
            put(&root, PathElement::new(path, stroke(Paint::Ink, 1.6, 1.0)))?;
        }
        for &(kind, x, y) in &map.points {
            if x.abs() <= map.reach && y.abs() <= map.reach {
                let colour = Paint::Series(if kind == 0 { 1 } else { 0 });
                put(&root, Circle::new(place(x, y), units(2.6), fill(Paint::Paper, 1.0)))?;
                put(&root, Circle::new(place(x, y), units(1.9), fill(colour, 1.0)))?;
            }
        }
        let middle_left = Pos::new(HPos::Left, VPos::Center);
        let title = bold(15.0, Paint::Ink).pos(middle_left);
        put(&root, Text::new(map.title.clone(), (units(4.0), units(14.0)), title))?;
        for (line, left, key, label) in &places {
            let middle = units(f64::from(TITLE + line * KEY_LINE) + f64::from(KEY_LINE) / 2.0);
            let half = units(5.0);
            match key {
                Some(kind) => {
                    let (colour, opacity) = paint(map, *kind);
                    let corners = [(units(*left), middle - half), (units(left + KEY), middle + half)];
                    put(&root, Rectangle::new(corners, fill(colour, opacity)))?;
                }
                None => {
                    let path = vec![(units(*left), middle), (units(left + KEY), middle)];
                    put(&root, PathElement::new(path, stroke(Paint::Ink, 1.6, 1.0)))?;
                }
            }
            let style = font(WORDS, Paint::Ink).pos(middle_left);
            put(
                &root,
                Text::new(label.clone(), (units(left + KEY + 6.0), middle), style),
            )?;
        }
        root.present().map_err(|cause| cause.to_string())?;
    }
    let mut drawing = svg::restyle(&plotted, width, height);
    // Edges that are smoothed on their own leave a seam between neighbours.
    drawing.body = drawing.body.replace("<rect ", "<rect shape-rendering=\"crispEdges\" ");
    Ok(drawing)
}

/// Line, left edge, kind (none for the lines) and name of each key.
fn legend(map: &Map, present: &[usize]) -> Vec<(u32, f64, Option<usize>, String)> {
    let kinds = present
        .iter()
        .filter_map(|&kind| Some((Some(kind), map.kinds.get(kind)?.clone())));
    let theory = map.lines.iter().map(|(name, _)| (None, format!("theory: {name}")));
    let (mut line, mut left) = (0, 4.0);
    let mut places = Vec::new();
    for (key, label) in kinds.chain(theory) {
        let width = KEY + 6.0 + label.chars().count() as f64 * WORDS * LETTER;
        if left > 4.0 && left + width > f64::from(WIDTH) - 14.0 {
            (line, left) = (line + 1, 4.0);
        }
        places.push((line, left, key, label));
        left += width + 14.0;
    }
    places
}
