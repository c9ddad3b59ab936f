//! The section of the page that shows the stragglers: how many, how alike in the replicas, and their pictures.

use std::fmt::Write as _;

use super::document::table;
use super::exhibits::{Cabinet, Exhibits, thousands};
use super::number::{Spread, significant};
use super::sprite::{Sprite, base64};
use super::svg::escape;
use crate::study::consensus::{Agreed, overlap};
use crate::study::movie::Movie;
use crate::study::outcome::InversionOutcome;

/// Cards that are seen at once; the others are folded away.
const SHOWN: usize = 60;

/// Side of a picture in the gallery, in CSS pixels, about.
const SIDE: usize = 56;

/// The section's body.
pub(super) fn section(outcome: &InversionOutcome, exhibits: &Exhibits, cabinet: &Cabinet) -> String {
    let stopped = outcome.replicas.iter().filter(|replica| replica.stop.is_some()).count();
    if stopped == 0 {
        return "<p>None: the stop epoch, at which they are taken, has not come in any replica.</p>\n".to_owned();
    }
    if cabinet.found == 0 {
        return "<p>None: every training sample is classified right at the stop epoch.</p>\n".to_owned();
    }
    let mut html = counts(outcome, exhibits, cabinet, stopped);
    let says = match exhibits.movie.as_ref().filter(|movie| movie.inversion.is_some()) {
        Some(movie) => format!(
            "what replica {} says of it at its stop epoch and how surely, ",
            movie.replica
        ),
        None => String::new(),
    };
    let _ = writeln!(
        html,
        "<p class=\"muted\">Those of the most replicas first. Below each picture: its label, how many replicas misclassify \
         it, {says}and its row in the training file.</p>"
    );
    let (first, rest) = cabinet.stragglers.split_at(cabinet.stragglers.len().min(SHOWN));
    html.push_str(&cards(outcome, exhibits, cabinet, first, stopped));
    if !rest.is_empty() {
        let _ = writeln!(
            html,
            "<details class=\"more\"><summary>Show {} more</summary>",
            rest.len()
        );
        html.push_str(&cards(outcome, exhibits, cabinet, rest, stopped));
        html.push_str("</details>\n");
    }
    if cabinet.found > cabinet.stragglers.len() {
        let _ = writeln!(
            html,
            "<p class=\"muted\">{} of {}; all are in stragglers.csv.</p>",
            cabinet.stragglers.len(),
            thousands(cabinet.found)
        );
    }
    html
}

/// How many there are, in all and per class, and how alike.
fn counts(outcome: &InversionOutcome, exhibits: &Exhibits, cabinet: &Cabinet, stopped: usize) -> String {
    let all = crate::study::consensus::agreed(outcome);
    let unanimous = all.iter().filter(|agreed| agreed.replicas == stopped).count();
    let mut html = String::from("<p>Training samples that a replica still misclassifies at its stop epoch. ");
    if stopped > 1 {
        let _ = write!(
            html,
            "{} of {} samples are stragglers of at least one of {stopped} replicas, {} of all of them. ",
            thousands(cabinet.found),
            thousands(exhibits.samples),
            thousands(unanimous)
        );
    }
    if let Some(overlap) = overlap(outcome, exhibits.samples) {
        let _ = write!(
            html,
            "Two replicas share a fraction 2C/(K<sub>1</sub>+K<sub>2</sub>) = {} of theirs ({}); \
             sets drawn at random would share {}.",
            significant(overlap.mean, 3),
            if overlap.pairs == 1 {
                "one pair".to_owned()
            } else {
                format!("mean of {} pairs", overlap.pairs)
            },
            significant(overlap.by_chance, 2)
        );
    }
    html.push_str("</p>\n");
    let row = |(class, name): (usize, &String)| {
        let own = |label: u32| label as usize == class;
        let each = outcome.replicas.iter().filter_map(|replica| replica.stop.as_ref());
        let each = each.map(|stop| stop.stragglers.iter().filter(|s| own(s.label)).count() as f64);
        let any = all.iter().filter(|agreed| own(agreed.straggler.label));
        let unanimous = any.clone().filter(|agreed| agreed.replicas == stopped).count();
        let mut row = vec![name.clone(), Spread::of(each).plus_minus()];
        if stopped > 1 {
            row.extend([thousands(any.count()), thousands(unanimous)]);
        }
        row
    };
    let mut head = vec!["Class".to_owned(), "Stragglers of a replica".to_owned()];
    if stopped > 1 {
        head.extend(["Of any".to_owned(), format!("Of all {stopped}")]);
    }
    let rows: Vec<Vec<String>> = outcome.classes.iter().enumerate().map(row).collect();
    html.push_str(&table("", "Stragglers per class", &head, &rows));
    html
}

fn cards(
    outcome: &InversionOutcome,
    exhibits: &Exhibits,
    cabinet: &Cabinet,
    stragglers: &[(Agreed, usize)],
    stopped: usize,
) -> String {
    let mut html = String::from("<ol class=\"cards\">\n");
    for (agreed, place) in stragglers {
        let (row, class) = (agreed.straggler.sample_index, agreed.straggler.label as usize);
        let name = outcome.classes.get(class).map(String::as_str).unwrap_or_default();
        let words = cabinet.words(*place, name);
        let point = exhibits.movie.as_ref().filter(|movie| *place < movie.points.len());
        let place_in_movie = point.map_or_else(String::new, |_| format!(" data-point=\"{place}\""));
        let _ = write!(html, "<li{place_in_movie}>");
        if let Some(sprite) = &cabinet.sprite {
            html.push_str(&picture(sprite, *place, &format!("sample {row}: {words}")));
        }
        let _ = write!(
            html,
            "<b>{}</b><span>{} of {stopped}</span>",
            escape(&words),
            agreed.replicas
        );
        if let Some(said) = point.and_then(|movie| said(movie, *place, &outcome.classes)) {
            let _ = write!(html, "<span>{}</span>", escape(&said));
        }
        let _ = writeln!(html, "<span class=\"muted\">#{row}</span></li>");
    }
    html.push_str("</ol>\n");
    html
}

/// What the filmed replica says of a point at its inversion.
fn said(movie: &Movie, place: usize, classes: &[String]) -> Option<String> {
    let frame = movie.frames.get(movie.inversion?)?;
    let predicted = *frame.predicted.get(place)?;
    let truth = movie.points.get(place)?.label;
    let own = f64::from(*frame.probability.get(place)?);
    let name = classes.get(predicted as usize)?;
    Some(if own.is_nan() {
        format!("says {name}")
    } else if classes.len() == 2 {
        format!("says {name}, {:.2}", if predicted == truth { own } else { 1.0 - own })
    } else {
        format!("says {name}; true {own:.2}")
    })
}

/// A picture of the sprite.
pub(super) fn picture(sprite: &Sprite, place: usize, described: &str) -> String {
    format!(
        "<i class=\"pic\" role=\"img\" aria-label=\"{}\" style=\"--x:{};--y:{}\"></i>",
        escape(described),
        place % sprite.columns,
        place / sprite.columns
    )
}

/// The rules that show the sprite: an element of class `pic` with its column and row in `--x` and `--y`. Pixels are drawn
/// a whole number of times as large, so that none of a neighbour is seen.
pub(super) fn css(sprite: &Sprite) -> String {
    let zoom = (SIDE / sprite.width.max(sprite.height)).max(1);
    let (width, height) = (sprite.width * zoom, sprite.height * zoom);
    // Ink on paper in the light, light on dark in the dark.
    let ink = if sprite.grey {
        ".pic{filter:invert(1)}@media screen and (prefers-color-scheme:dark){.pic{filter:none}}\n"
    } else {
        ""
    };
    format!(
        ".pic{{--w:{width}px;--h:{height}px;width:calc(var(--w)*var(--z,1));height:calc(var(--h)*var(--z,1));\
         background-image:url(data:image/png;base64,{});background-size:calc(var(--w)*var(--z,1)*{}) \
         calc(var(--h)*var(--z,1)*{});background-position:calc(var(--w)*var(--z,1)*-1*var(--x)) \
         calc(var(--h)*var(--z,1)*-1*var(--y))}}\n{ink}",
        base64(&sprite.png),
        sprite.columns,
        sprite.rows
    )
}
