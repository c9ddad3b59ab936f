//! The words above a figure: its title, and the key to its curves.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{Area, LETTER, WORDS, bold, fill, font, put, stroke, units};
use super::chart::{Chart, WIDTH};
use super::palette::Paint;
use super::ticks::Scale;

/// Heights of the title and of a line of the legend, in pixels.
const TITLE: u32 = 26;
const LINE: u32 = 20;
/// Where a line of the legend ends at the latest, in pixels.
const WIDEST: f64 = WIDTH as f64 - 14.0;
const KEY_WIDTH: f64 = 20.0;

/// Title and legend of a figure, laid out.
pub struct Legend {
    title: String,
    places: Vec<Place>,
}

/// Where an entry of the legend stands.
struct Place {
    line: u32,
    left: f64,
    label: String,
    key: Key,
}

enum Key {
    Line(usize),
    Range,
}

impl Legend {
    /// Lays out the entries from left to right, in as many lines as they need.
    pub fn of(chart: &Chart) -> Self {
        let series = chart
            .series
            .iter()
            .map(|series| (series.label.as_str(), Key::Line(series.paint)));
        let stop = chart.stop.iter().map(|(_, label)| (label.as_str(), Key::Range));
        let (mut line, mut left) = (0, 4.0);
        let mut places = Vec::new();
        for (label, key) in series.chain(stop) {
            let label = shortened(label, 48);
            let width = KEY_WIDTH + 6.0 + label.chars().count() as f64 * WORDS * LETTER;
            if left > 4.0 && left + width > WIDEST {
                (line, left) = (line + 1, 4.0);
            }
            places.push(Place { line, left, label, key });
            left += width + 16.0;
        }
        let title = match chart.y_scale {
            Scale::Linear => chart.title.clone(),
            Scale::Log | Scale::LogReversed => format!("{}, logarithmic", chart.title),
        };
        Self { title, places }
    }

    /// Height of title and legend, in pixels.
    pub fn height(&self) -> u32 {
        TITLE + self.places.last().map_or(0, |entry| entry.line + 1) * LINE
    }

    /// Draws both at the top of the drawing.
    ///
    /// # Errors
    /// As [`put`].
    pub fn draw(&self, root: &Area) -> Result<(), String> {
        let middle_left = Pos::new(HPos::Left, VPos::Center);
        let title = bold(15.0, Paint::Ink).pos(middle_left);
        put(root, Text::new(self.title.clone(), (units(4.0), units(14.0)), title))?;
        for entry in &self.places {
            let middle = units(f64::from(TITLE) + f64::from(entry.line * LINE) + f64::from(LINE) / 2.0);
            let (left, right) = (units(entry.left), units(entry.left + KEY_WIDTH));
            match entry.key {
                Key::Line(paint) => {
                    put(
                        root,
                        PathElement::new(
                            vec![(left, middle), (right, middle)],
                            stroke(Paint::Series(paint), 2.5, 1.0),
                        ),
                    )?;
                }
                Key::Range => {
                    let corners = [(left, middle - units(6.0)), (right, middle + units(6.0))];
                    put(root, Rectangle::new(corners, fill(Paint::Stop, 0.14)))?;
                    let across = left.midpoint(right);
                    let line = vec![(across, middle - units(6.0)), (across, middle + units(6.0))];
                    put(root, PathElement::new(line, stroke(Paint::Stop, 1.0, 0.55)))?;
                }
            }
            let style = font(WORDS, Paint::Ink).pos(middle_left);
            put(
                root,
                Text::new(
                    entry.label.clone(),
                    (units(entry.left + KEY_WIDTH + 6.0), middle),
                    style,
                ),
            )?;
        }
        Ok(())
    }
}

/// The first `letters` letters, with an ellipsis if there are more.
pub fn shortened(text: &str, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text).trim_end()),
        None => text.to_owned(),
    }
}
