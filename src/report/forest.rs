//! A figure of many groups, a line each: networks as faint dots, their mean with its interval, for a few series.

use plotters::backend::SVGBackend;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{Area, LETTER, UNIT, WORDS, bold, fill, font, put, stroke, units};
use super::chart::WIDTH;
use super::figures::{Against, Figure};
use super::files::ReportError;
use super::legend::shortened;
use super::number::significant;
use super::palette::Paint;
use super::svg;
use super::ticks::{Scale, Tick, ticks};
use crate::study::findings::{Forest, Line};

const TITLE: f64 = 26.0;
const KEYS: f64 = 22.0;
const LINE: f64 = 22.0;
const HEADING: f64 = 24.0;
const BOTTOM: f64 = 30.0;
/// The widest that labels may be, and what stands at the right of the lines.
const LABELS: f64 = 168.0;
const NOTES: f64 = 42.0;
const FILE_WIDTH: u32 = 720;

/// Where things are, in pixels.
struct Layout {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    scale: Scale,
    low: f64,
    high: f64,
}

impl Layout {
    fn of(forest: &Forest) -> Layout {
        let scale = if forest.logarithmic { Scale::Log } else { Scale::Linear };
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let mut include = |value: f64| {
            if let Some(position) = scale.position(value) {
                low = low.min(position);
                high = high.max(position);
            }
        };
        let (mut letters, mut height) = (0, TITLE + KEYS);
        for group in &forest.groups {
            height += if group.heading.is_empty() { 4.0 } else { HEADING };
            for line in &group.lines {
                height += LINE;
                letters = letters.max(line.label.chars().count());
                for marks in &line.marks {
                    marks
                        .replicas
                        .iter()
                        .chain(&marks.mean)
                        .for_each(|&value| include(value));
                }
            }
        }
        if let Some((from, to, _)) = &forest.band {
            include(*from);
            include(*to);
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        let margin = if high > low {
            0.04 * (high - low)
        } else {
            (0.1 * low.abs()).max(1e-3)
        };
        Layout {
            left: (10.0 + letters as f64 * WORDS * LETTER).min(LABELS),
            right: f64::from(WIDTH) - NOTES,
            top: TITLE + KEYS,
            bottom: height + 4.0,
            scale,
            low: low - margin,
            high: high + margin,
        }
    }

    /// A value's place, in units of the drawing; intervals that leave the figure end at its edge.
    fn x(&self, value: f64) -> Option<i32> {
        let position = self.scale.position(value)?.max(self.low).min(self.high);
        let part = (position - self.low) / (self.high - self.low);
        Some(units(self.left + part * (self.right - self.left)))
    }
}

/// Draws it.
///
/// # Errors
/// [`ReportError::Figure`] if plotters refuses; drawing into memory, it has no reason to.
pub fn draw(forest: &Forest) -> Result<Figure, ReportError> {
    let layout = Layout::of(forest);
    let (width, height) = (WIDTH * UNIT, units(layout.bottom + BOTTOM).unsigned_abs());
    let mut plotted = String::new();
    drawn(forest, &layout, &mut plotted, (width, height)).map_err(|cause| ReportError::Figure {
        name: forest.name.clone(),
        cause,
    })?;
    let drawing = svg::restyle(&plotted, width, height);
    let described = described(forest);
    Ok(Figure {
        against: Against::Epoch,
        note: forest.note.clone(),
        inline: svg::inline(&drawing, &described),
        file: svg::file(&drawing, &described, FILE_WIDTH),
        name: forest.name.clone(),
    })
}

fn drawn(forest: &Forest, layout: &Layout, plotted: &mut String, size: (u32, u32)) -> Result<(), String> {
    let root = SVGBackend::with_string(plotted, size).into_drawing_area();
    heading(&root, forest, layout)?;
    axis(&root, forest, layout)?;
    let mut y = layout.top;
    for group in &forest.groups {
        if group.heading.is_empty() {
            y += 4.0;
        } else {
            let style = bold(WORDS, Paint::Ink).pos(Pos::new(HPos::Left, VPos::Center));
            let words = shortened(&group.heading, 40);
            put(
                &root,
                Text::new(words, (units(4.0), units(y + HEADING / 2.0 + 2.0)), style),
            )?;
            y += HEADING;
        }
        for line in &group.lines {
            draw_line(&root, line, layout, y + LINE / 2.0)?;
            y += LINE;
        }
    }
    root.present().map_err(|cause| cause.to_string())
}

/// Title, keys of the series and of the band.
fn heading(root: &Area, forest: &Forest, layout: &Layout) -> Result<(), String> {
    let middle = Pos::new(HPos::Left, VPos::Center);
    let title = if forest.logarithmic {
        format!("{}, logarithmic", forest.title)
    } else {
        forest.title.clone()
    };
    put(
        root,
        Text::new(title, (units(4.0), units(14.0)), bold(15.0, Paint::Ink).pos(middle)),
    )?;
    let mut left = 4.0;
    let y = units(TITLE + KEYS / 2.0);
    for (paint, name) in forest.series.iter().enumerate() {
        put(
            root,
            Circle::new((units(left + 5.0), y), units(4.0), fill(Paint::Series(paint), 1.0)),
        )?;
        let style = font(WORDS, Paint::Ink).pos(middle);
        put(root, Text::new(name.clone(), (units(left + 14.0), y), style))?;
        left += 14.0 + name.chars().count() as f64 * WORDS * LETTER + 16.0;
    }
    let Some((from, to, name)) = &forest.band else {
        return Ok(());
    };
    let corners = [(units(left), y - units(6.0)), (units(left + 18.0), y + units(6.0))];
    put(root, Rectangle::new(corners, fill(Paint::Stop, 0.14)))?;
    let style = font(WORDS, Paint::Ink).pos(middle);
    put(root, Text::new(name.clone(), (units(left + 24.0), y), style))?;
    if let (Some(from), Some(to)) = (layout.x(*from), layout.x(*to)) {
        let corners = [(from, units(layout.top)), (to, units(layout.bottom))];
        put(root, Rectangle::new(corners, fill(Paint::Stop, 0.14)))?;
    }
    Ok(())
}

fn axis(root: &Area, forest: &Forest, layout: &Layout) -> Result<(), String> {
    let (top, bottom) = (units(layout.top), units(layout.bottom));
    for Tick { position, label } in ticks(layout.scale, layout.low, layout.high, 6) {
        let part = (position - layout.low) / (layout.high - layout.low);
        let x = units(layout.left + part * (layout.right - layout.left));
        put(
            root,
            PathElement::new(vec![(x, top), (x, bottom)], stroke(Paint::Grid, 1.0, 1.0)),
        )?;
        let style = font(WORDS, Paint::Muted).pos(Pos::new(HPos::Center, VPos::Top));
        put(root, Text::new(label, (x, bottom + units(4.0)), style))?;
    }
    let empty = forest.groups.iter().all(|group| group.lines.is_empty());
    if empty {
        let style = font(WORDS, Paint::Muted).pos(Pos::new(HPos::Center, VPos::Center));
        let centre = (units(layout.left.midpoint(layout.right)), units(layout.top + 2.0));
        put(root, Text::new("nothing to show", centre, style))?;
    }
    Ok(())
}

fn draw_line(root: &Area, line: &Line, layout: &Layout, y: f64) -> Result<(), String> {
    let letters = ((layout.left - 10.0) / (WORDS * LETTER)).round().max(1.0) as usize;
    let style = font(WORDS, Paint::Ink).pos(Pos::new(HPos::Right, VPos::Center));
    let label = shortened(&line.label, letters);
    put(root, Text::new(label, (units(layout.left - 6.0), units(y)), style))?;
    if !line.note.is_empty() {
        let style = font(WORDS, Paint::Muted).pos(Pos::new(HPos::Left, VPos::Center));
        put(
            root,
            Text::new(line.note.clone(), (units(layout.right + 4.0), units(y)), style),
        )?;
    }
    let count = line.marks.len() as f64;
    for (series, marks) in line.marks.iter().enumerate() {
        // Side by side in the line's height, so that no mark hides another.
        let at = units(y + (series as f64 - (count - 1.0) / 2.0) * (LINE - 6.0) / count.max(1.0));
        let paint = Paint::Series(series);
        for x in marks.replicas.iter().filter_map(|&value| layout.x(value)) {
            put(root, Circle::new((x, at), units(1.75), fill(paint, 0.35)))?;
        }
        if let Some((from, to)) = marks.interval.and_then(|(a, b)| {
            // On a logarithmic axis an end that is not positive lies beyond the figure.
            Some((layout.x(a).unwrap_or(units(layout.left)), layout.x(b)?))
        }) {
            put(
                root,
                PathElement::new(vec![(from, at), (to, at)], stroke(paint, 1.5, 1.0)),
            )?;
        }
        if let Some(x) = marks.mean.and_then(|mean| layout.x(mean)) {
            put(root, Circle::new((x, at), units(3.25), fill(Paint::Paper, 1.0)))?;
            put(root, Circle::new((x, at), units(2.5), fill(paint, 1.0)))?;
        }
    }
    Ok(())
}

/// The figure in words, for those who cannot see it.
fn described(forest: &Forest) -> String {
    let mut words = format!("{}.", forest.title);
    for group in &forest.groups {
        for line in &group.lines {
            let means: Vec<String> = forest
                .series
                .iter()
                .zip(&line.marks)
                .filter_map(|(name, marks)| Some(format!("{name} {}", significant(marks.mean?, 3))))
                .collect();
            let told = if means.is_empty() {
                "none".to_owned()
            } else {
                means.join(", ")
            };
            let gap = if group.heading.is_empty() { "" } else { " " };
            words.push_str(&format!(" {}{gap}{}: {told}.", group.heading, line.label));
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::findings::{Group, Marks};

    fn forest(lines: Vec<Line>) -> Forest {
        Forest {
            name: "f".into(),
            title: "A <title>".into(),
            logarithmic: true,
            series: vec!["R_0".into(), "D".into()],
            groups: vec![Group {
                heading: "axis & more".into(),
                lines,
            }],
            band: Some((0.08, 0.1, "band".into())),
            note: String::new(),
        }
    }

    #[test]
    fn each_network_mean_and_interval_is_drawn_and_the_file_is_xml() {
        let marks = |mean: f64| Marks {
            replicas: vec![mean * 0.9, mean, mean * 1.1],
            mean: Some(mean),
            // An end below zero has no place on a logarithmic axis.
            interval: Some((-1.0, mean * 1.2)),
        };
        let line = |label: &str, marks| Line {
            label: label.into(),
            marks,
            note: "2/3".into(),
        };
        let figure = draw(&forest(vec![
            line("one", vec![marks(0.09), marks(0.1)]),
            line(
                "a label that is far too long for the room that it has in the figure",
                vec![Marks::default(); 2],
            ),
        ]))
        .unwrap();
        let document = roxmltree::Document::parse(&figure.file).unwrap();
        let circles = document
            .descendants()
            .filter(|node| node.has_tag_name("circle"))
            .count();
        // Two keys; three networks and two circles of the mean in each of two series.
        assert_eq!(circles, 2 + 2 * (3 + 2));
        assert!(figure.file.contains("axis &amp; more one: R_0 0.09, D 0.1."));
        assert!(figure.file.contains("one: R_0 0.09") && figure.file.contains("…"));
    }

    #[test]
    fn nothing_to_show_is_said() {
        let figure = draw(&forest(vec![])).unwrap();
        assert!(figure.file.contains("nothing to show"));
    }
}
