//! What plotters is given: units, paints, fonts and axes of a drawing.
//!
//! The drawing is [`UNIT`] times as large as it is meant to be seen, because plotters places everything on whole
//! pixels: a curve is then placed to a quarter of a pixel.

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::element::{Drawable, PointCollection};
use plotters::prelude::*;
use plotters::style::FontDesc;
use plotters::style::text_anchor::Pos;

use super::palette::Paint;
use super::ticks::{Scale, Tick, ticks};

/// Units of the drawing per pixel that it is meant for.
pub const UNIT: u32 = 4;
/// Mean width of a letter as a part of the font size, for laying out words; no font is at hand to ask.
pub const LETTER: f64 = 0.56;
/// Size of all words but the title, in pixels.
pub const WORDS: f64 = 13.0;
/// plotters divides each font size by this.
const FONT_FACTOR: f64 = 1.24;

/// The whole drawing.
pub type Area<'d> = DrawingArea<SVGBackend<'d>, Shift>;

/// Pixels as units of the drawing.
pub fn units(pixels: f64) -> i32 {
    (pixels * f64::from(UNIT)).round() as i32
}

/// A line, `pixels` wide.
pub fn stroke(paint: Paint, pixels: f64, opacity: f64) -> ShapeStyle {
    ShapeStyle {
        color: paint.key().mix(opacity),
        filled: false,
        stroke_width: units(pixels).unsigned_abs(),
    }
}

/// A filled shape.
pub fn fill(paint: Paint, opacity: f64) -> ShapeStyle {
    ShapeStyle {
        color: paint.key().mix(opacity),
        filled: true,
        stroke_width: 0,
    }
}

/// Words, `pixels` high.
pub fn font(pixels: f64, paint: Paint) -> TextStyle<'static> {
    lettered(
        ("sans-serif", pixels * f64::from(UNIT) * FONT_FACTOR).into_font(),
        paint,
    )
}

/// The same in bold.
pub fn bold(pixels: f64, paint: Paint) -> TextStyle<'static> {
    lettered(
        ("sans-serif", pixels * f64::from(UNIT) * FONT_FACTOR, FontStyle::Bold).into_font(),
        paint,
    )
}

fn lettered(font: FontDesc<'static>, paint: Paint) -> TextStyle<'static> {
    TextStyle {
        font,
        color: paint.key().to_backend_color(),
        pos: Pos::default(),
    }
}

/// Draws an element in units of the drawing.
///
/// # Errors
/// What plotters says; drawing into memory, it has no reason to.
pub fn put<'d, E>(root: &Area<'d>, element: E) -> Result<(), String>
where
    for<'e> &'e E: PointCollection<'e, (i32, i32)>,
    E: Drawable<SVGBackend<'d>>,
{
    root.draw(&element).map_err(|cause| cause.to_string())
}

/// An axis as plotters wants it: where its ticks are, and what stands at them.
pub struct Axis {
    span: RangedCoordf64,
    ticks: Vec<Tick>,
}

impl Axis {
    /// Between two positions, with about as many ticks as are wanted.
    pub fn new(scale: Scale, (low, high): (f64, f64), wanted: usize) -> Self {
        Self {
            span: (low..high).into(),
            ticks: ticks(scale, low, high, wanted),
        }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        // What lies outside, the end of an error bar for one, goes to the edge; far outside, plotters' integers overflow.
        let std::ops::Range { start, end } = self.span.range();
        self.span.map(&value.max(start).min(end), limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.ticks.iter().map(|tick| tick.position).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.span.range()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, position: &f64) -> String {
        self.ticks
            .iter()
            .find(|tick| tick.position == *position)
            .map(|tick| tick.label.clone())
            .unwrap_or_default()
    }
}
