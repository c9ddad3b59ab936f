//! The section of the page that shows the class manifolds frame by frame: its controls, its data, and its script.
//!
//! | key of the data | what |
//! |---|---|
//! | `epochs`, `error` | of each frame; training error of the filmed replica |
//! | `curves` | name and value per frame of up to six metrics |
//! | `classes`, `label`, `words` | names; class of each point (u8); what the training file calls it |
//! | `index`, `replicas`, `straggler` | row in the training file, of how many replicas a straggler, of the filmed one (u8) |
//! | `predicted`, `probability` | per frame and point (u8): class; probability of the true one in 1/254, 255 for none |
//! | `planes` | names, shares of variance, extent, and per frame and point two little-endian u16 across the extent |
//!
//! Arrays of u8 and u16 are in base64.

use serde_json::{Value, json};

use super::exhibits::{Cabinet, thousands};
use super::families::column_name;
use super::sprite::base64;
use super::svg::escape;
use crate::study::movie::{Movie, Plane};
use crate::study::outcome::{InversionOutcome, Turn};

/// The script, as it stands between its tags.
pub(super) const SCRIPT: &str = include_str!("movie.js");

/// Metrics that are drawn above the slider, at most.
const CURVES: usize = 6;

/// The section's body.
pub(super) fn section(outcome: &InversionOutcome, cabinet: &Cabinet, movie: &Movie) -> String {
    let stragglers = movie.points.iter().filter(|point| point.straggler).count();
    let described = format!(
        "Hidden layer {} of replica {} on the unit sphere, in projection: {} of {} training samples, {} of them its \
         stragglers. The planes stay the same over all epochs; the circle is the outline of the sphere.",
        movie.layer + 1,
        movie.replica,
        thousands(movie.points.len()),
        thousands(movie.samples),
        thousands(stragglers)
    );
    let mut planes = String::new();
    for (k, plane) in movie.planes.iter().enumerate() {
        let checked = if k == 0 { " checked" } else { "" };
        planes.push_str(&format!(
            "<input type=\"radio\" name=\"plane\" id=\"plane-{k}\" value=\"{k}\"{checked}><label for=\"plane-{k}\">{}</label>\n",
            escape(&plane.name)
        ));
    }
    let last = movie.frames.len().saturating_sub(1);
    let start = movie.inversion.unwrap_or(last);
    format!(
        "<p>{}</p>\n<noscript><p>It is drawn by a script, which this browser does not run.</p></noscript>\n\
         <div class=\"film\" id=\"film\" hidden=\"\">\n<div class=\"film-main\">\n\
         <fieldset class=\"film-plane\"><legend>Plane</legend><div class=\"switch\">\n{planes}</div></fieldset>\n\
         <canvas id=\"film-stage\" tabindex=\"0\" role=\"img\" aria-label=\"The samples at the epoch of the slider\" \
         aria-describedby=\"film-keys\"></canvas>\n<p class=\"film-axes\" id=\"film-axes\"></p>\n\
         <div class=\"film-controls\"><button type=\"button\" id=\"film-play\">Play</button>\
         <div class=\"film-track\"><svg id=\"film-strip\" aria-hidden=\"true\"></svg>\
         <input type=\"range\" id=\"film-slider\" min=\"0\" max=\"{last}\" value=\"{start}\" aria-label=\"Epoch\"></div></div>\n\
         <p class=\"film-keys muted\" id=\"film-keys\">Above the slider: the curves, each to its own scale; dashed: the stop epoch. Click a point for its picture. Keys: ← → epoch, space plays, Enter on \
         the drawing goes to the next straggler, Shift+Enter back, Escape lets it go.</p>\n</div>\n\
         <div class=\"film-side\">\n<p class=\"film-epoch\">Epoch <output id=\"film-epoch\"></output> <span id=\"film-mark\"></span></p>\n\
         <dl id=\"film-values\"></dl>\n<ul class=\"film-legend\" id=\"film-legend\"></ul>\n\
         <div class=\"film-point\" id=\"film-point\" aria-live=\"polite\"></div>\n</div>\n</div>\n\
         <script type=\"application/json\" id=\"film-data\">{}</script>\n<script>{SCRIPT}</script>\n",
        escape(&described),
        // Inside a script element only this could be read as markup.
        data(outcome, cabinet, movie).to_string().replace('<', "\\u003c")
    )
}

fn data(outcome: &InversionOutcome, cabinet: &Cabinet, movie: &Movie) -> Value {
    let records = outcome
        .replicas
        .first()
        .map(|replica| replica.records.as_slice())
        .unwrap_or_default();
    let at = |epoch: usize| records.iter().find(|record| record.epoch == epoch);
    let prefix = format!("layer_{}_", movie.layer + 1);
    let several = outcome.columns.iter().any(|column| column.name.starts_with(&prefix));
    let own = outcome
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.turn != Turn::Either)
        .filter(|(_, column)| !several || column.name.starts_with(&prefix));
    let curve = |(index, column): (usize, &crate::study::outcome::MetricColumn)| {
        let name = column.name.strip_prefix(&prefix).unwrap_or(&column.name);
        let value = |epoch: usize| at(epoch).and_then(|record| record.metrics.get(index).copied());
        let values: Vec<Option<f64>> = movie.frames.iter().map(|frame| value(frame.epoch)).collect();
        json!({"name": column_name(name, &outcome.classes), "values": values.into_iter().map(short).collect::<Vec<Value>>()})
    };
    let points = &movie.points;
    let byte = |n: u32| u8::try_from(n).unwrap_or(u8::MAX);
    let words = points.iter().enumerate().map(|(place, point)| {
        let class = outcome
            .classes
            .get(point.label as usize)
            .map(String::as_str)
            .unwrap_or_default();
        cabinet.words(place, class)
    });
    let bytes = |values: Vec<u8>| base64(&values);
    json!({
        "replica": movie.replica,
        "of": outcome.replicas.iter().filter(|replica| replica.stop.is_some()).count(),
        "epochs": movie.frames.iter().map(|frame| frame.epoch).collect::<Vec<usize>>(),
        "error": movie.frames.iter().map(|frame| short(at(frame.epoch).map(|r| r.train_error))).collect::<Vec<Value>>(),
        "curves": own.map(curve).take(CURVES).collect::<Vec<Value>>(),
        "inversion": movie.inversion,
        "classes": outcome.classes,
        "label": bytes(points.iter().map(|point| byte(point.label)).collect()),
        "words": words.collect::<Vec<String>>(),
        "index": points.iter().map(|point| point.sample_index).collect::<Vec<usize>>(),
        "replicas": points.iter().map(|point| point.replicas).collect::<Vec<usize>>(),
        "straggler": bytes(points.iter().map(|point| u8::from(point.straggler)).collect()),
        "predicted": bytes(movie.frames.iter().flat_map(|f| &f.predicted).map(|&class| byte(class)).collect()),
        "probability": bytes(movie.frames.iter().flat_map(|f| &f.probability).map(|&p| of_254(p)).collect()),
        "planes": movie.planes.iter().map(plane).collect::<Vec<Value>>(),
        "columns": cabinet.sprite.as_ref().map(|sprite| sprite.columns),
    })
}

/// Five significant digits are what a page needs; null for what is no number.
fn short(value: Option<f64>) -> Value {
    let rounded = value
        .filter(|v| v.is_finite())
        .and_then(|v| format!("{v:.4e}").parse::<f64>().ok());
    rounded.map_or(Value::Null, |v| json!(v))
}

/// A probability in 1/254; 255 for none.
fn of_254(p: f32) -> u8 {
    if p.is_nan() {
        u8::MAX
    } else {
        (p * 254.0).round().clamp(0.0, 254.0) as u8
    }
}

fn plane(plane: &Plane) -> Value {
    // [least, largest] across and up, over all frames.
    let mut extent = [[f32::MAX, f32::MIN]; 2];
    for position in plane.positions.iter().flatten() {
        for ([least, largest], &x) in extent.iter_mut().zip(position) {
            (*least, *largest) = (least.min(x), largest.max(x));
        }
    }
    let extent = extent.map(|[least, largest]| if largest > least { [least, largest] } else { [-1.0, 1.0] });
    let [across, up] = extent;
    let share = |x: f32, [least, largest]: [f32; 2]| ((x - least) / (largest - least) * 65_535.0).round() as u16;
    let quantised = |&[x, y]: &[f32; 2]| [share(x, across), share(y, up)].into_iter().flat_map(u16::to_le_bytes);
    let bytes: Vec<u8> = plane.positions.iter().flatten().flat_map(quantised).collect();
    json!({
        "axes": plane.axes.iter().map(|axis| json!({"name": axis.name, "share": short(Some(axis.share))})).collect::<Vec<Value>>(),
        "extent": extent,
        "at": base64(&bytes),
    })
}
