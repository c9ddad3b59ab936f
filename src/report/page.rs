//! `report.html`: one self-contained page of an inversion run. Only the movie needs a script.

use std::fmt::Write as _;

use super::document::{Document, Live, SWITCH, Section, table};
use super::exhibits::{Cabinet, Exhibits};
use super::families::{Family, column_name, families};
use super::figures::{Against, Figure};
use super::number::{DASH, duration, significant};
use super::palette;
use super::summary::Spreads;
use super::svg::escape;
use super::{gallery, meaning, movie};
use crate::study::courses::Courses;
use crate::study::outcome::{InversionOutcome, ReplicaOutcome, Turn};

/// What the page says of a run beside its outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFacts {
    /// Heading of the page.
    pub title: String,
    /// The command that repeats the run.
    pub command: String,
    /// Every option and its value, in the order to be shown.
    pub configuration: Vec<(String, String)>,
    /// Which data, in words, with their attribution.
    pub data: String,
    /// Which processor, in words.
    pub device: String,
    /// How long the run took, in seconds; NaN if that is not known.
    pub seconds: f64,
    /// Epochs done and in all, of a run that goes on.
    pub underway: Option<(usize, usize)>,
}

/// Of more metric columns than this, the table of replicas shows none.
const REPLICA_COLUMNS: usize = 6;

/// Of more columns than this, the extrema of a family are folded away.
const EXTREMA_ROWS: usize = 12;

/// The whole page. `figures` and `exhibits` are those of the same outcome; `live` of a page that is watched.
pub fn page(
    outcome: &InversionOutcome,
    facts: &RunFacts,
    figures: &[Figure],
    exhibits: Option<&Exhibits>,
    live: Option<Live>,
) -> String {
    let spreads = Spreads::of(outcome);
    let families = families(outcome);
    let shown = exhibits.map(|exhibits| (exhibits, Cabinet::of(outcome, exhibits)));
    let mut sections = vec![
        Section {
            id: "curves",
            title: "Curves",
            body: curves(outcome, figures),
        },
        Section {
            id: "extrema",
            title: "Where the quantities turn",
            body: extrema(outcome, &spreads, &families),
        },
    ];
    let (mut rules, mut policy, mut scripts) = (String::new(), Vec::new(), Vec::new());
    if let Some((exhibits, cabinet)) = &shown {
        rules.push_str(include_str!("exhibits.css"));
        rules.push_str(&palette::variables());
        if let Some(sprite) = cabinet.sprite {
            rules.push_str(&gallery::css(sprite));
            policy.push("img-src data:".to_owned());
        }
        if let Some(filmed) = &exhibits.movie {
            scripts.push(movie::SCRIPT);
            sections.push(Section {
                id: "manifolds",
                title: "The class manifolds, epoch by epoch",
                body: movie::section(outcome, cabinet, filmed),
            });
        }
        sections.push(Section {
            id: "stragglers",
            title: "Stragglers",
            body: gallery::section(outcome, exhibits, cabinet),
        });
    }
    sections.extend([
        Section {
            id: "replicas",
            title: "Replicas",
            body: replicas(outcome, &families),
        },
        Section {
            id: "meaning",
            title: "What the quantities mean",
            body: meaning::meaning(outcome, &families),
        },
        Section {
            id: "run",
            title: "This run",
            body: run_section(facts),
        },
    ]);
    let footer = match facts.underway {
        None => "The same curves are in figures/*.svg, the numbers in epochs.csv, stragglers.csv and summary.json.",
        Some(_) => "Tables, figures and the page are written when the run ends.",
    };
    Document {
        title: facts.title.clone(),
        header: header(outcome, facts, &spreads, live.is_some()),
        sections,
        footer: format!("Made by disentangle {}. {footer}", env!("CARGO_PKG_VERSION")),
        rules,
        policy,
        scripts,
        live,
    }
    .html()
}

/// The page of a run that is watched before there is anything to show.
pub fn waiting(facts: &RunFacts, live: Live) -> String {
    let words = "The run has begun. Its first checkpoint, at most 30 s after, is the first that this page shows; it comes by itself.";
    Document {
        title: facts.title.clone(),
        header: format!("<p class=\"live\" id=\"live\" role=\"status\">{words}</p>\n"),
        sections: vec![Section {
            id: "run",
            title: "This run",
            body: run_section(facts),
        }],
        footer: format!("Made by disentangle {}.", env!("CARGO_PKG_VERSION")),
        rules: String::new(),
        policy: Vec::new(),
        scripts: Vec::new(),
        live: Some(live),
    }
    .html()
}

fn header(outcome: &InversionOutcome, facts: &RunFacts, spreads: &Spreads, live: bool) -> String {
    let mut html = String::new();
    if live {
        let words = match facts.underway {
            Some((done, all)) => format!("The run goes on: epoch {done} of {all}. This page follows it."),
            None => "The run has ended.".to_owned(),
        };
        let _ = writeln!(html, "<p class=\"live\" id=\"live\" role=\"status\">{words}</p>");
    }
    let so_far = if facts.underway.is_some() { "So far: " } else { "" };
    let mut below = vec![facts.data.clone(), facts.device.clone()];
    if facts.seconds.is_finite() {
        below.push(duration(facts.seconds));
    }
    let _ = write!(
        html,
        "<p class=\"found\">{so_far}{}</p>\n<p class=\"muted\">{}</p>\n{}",
        escape(&headline(outcome).replace(" ± ", "\u{a0}±\u{a0}")),
        escape(&below.join(" · ")),
        tiles(outcome, spreads),
    );
    html
}

/// What was found, in one or two sentences.
///
/// A replica inverts if the leading quantity, the first metric column, has a lasting extremum.
pub fn headline(outcome: &InversionOutcome) -> String {
    let spreads = Spreads::of(outcome);
    let total = outcome.replicas.len();
    let replicas = |count: usize| format!("{count} replica{}", if count == 1 { "" } else { "s" });
    let (Some(leading), Some(spread)) = (outcome.columns.first(), spreads.extrema.first()) else {
        return format!("{} trained; no metric was followed.", replicas(total));
    };
    // Those of the papers; what is followed beside them is told apart.
    let sought: Vec<bool> = outcome
        .columns
        .iter()
        .map(|column| column.turn != Turn::Either)
        .collect();
    let quantities = sought.iter().filter(|sought| **sought).count();
    let turning = sought
        .iter()
        .zip(&spreads.extrema)
        .filter(|(sought, spread)| **sought && spread.count > 0)
        .count();
    if turning == 0 {
        let which = if total == 1 {
            "in its one replica".to_owned()
        } else {
            format!("in any of {}", replicas(total))
        };
        return format!("No inversion was found: no quantity turns and comes back {which}.");
    }
    let name = column_name(&leading.name, &outcome.classes);
    if spread.count == 0 {
        return format!(
            "No inversion was found in the {name}, but {turning} of {quantities} quantities turn in some replica."
        );
    }
    let mut words = match total {
        1 => "The replica inverts; ".to_owned(),
        _ => format!("{} of {} invert; ", spread.count, replicas(total)),
    };
    let error = spread.error.plus_minus();
    if spread.count == 1 {
        let _ = write!(words, "training error at the inversion {error}");
    } else {
        let _ = write!(words, "mean training error at the inversion {error} (sd)");
    }
    if let Some(stragglers) = spreads.stragglers.mean {
        let each = if spreads.stragglers.count > 1 { " each" } else { "" };
        let _ = write!(words, ", {stragglers:.0} stragglers{each}");
    }
    words.push('.');
    if quantities > 1 && total == 1 {
        let _ = write!(words, " {turning} of {quantities} quantities turn.");
    } else if quantities > 1 {
        let all = outcome
            .replicas
            .iter()
            .filter(|replica| {
                replica
                    .extrema
                    .iter()
                    .zip(&sought)
                    .all(|(extremum, sought)| extremum.is_some() || !sought)
            })
            .count();
        let _ = write!(words, " All {quantities} quantities turn in {all} of {total}.");
    }
    words
}

/// The numbers that most people look for.
fn tiles(outcome: &InversionOutcome, spreads: &Spreads) -> String {
    let mut tiles: Vec<(String, String)> = Vec::new();
    if let Some(first) = spreads.extrema.first() {
        tiles.push((
            "Replicas that invert".into(),
            format!("{} of {}", first.count, outcome.replicas.len()),
        ));
        if first.count > 0 {
            tiles.push(("Training error at the inversion".into(), first.error.plus_minus()));
            tiles.push(("Epoch of the inversion".into(), first.epoch.plus_minus()));
        }
    }
    if spreads.stragglers.count > 0 {
        tiles.push(("Stragglers".into(), spreads.stragglers.plus_minus()));
    }
    tiles.push(("Final training error".into(), spreads.final_train_error.plus_minus()));
    if spreads.final_test_error.count > 0 {
        tiles.push(("Final test error".into(), spreads.final_test_error.plus_minus()));
    }
    let mut html = String::from("<dl class=\"tiles\">\n");
    for (name, value) in tiles {
        let _ = writeln!(html, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    html.push_str("</dl>\n");
    html
}

/// The figures of a page, behind the switch between their axes.
pub(super) fn drawings(figures: &[Figure]) -> String {
    let mut html = format!("{SWITCH}<div class=\"figures\">\n");
    for figure in figures {
        let class = match figure.against {
            Against::Epoch => "by-epoch",
            Against::Error => "by-error",
        };
        let _ = write!(
            html,
            "<figure class=\"{class}\" id=\"{}\">\n{}",
            escape(&figure.name),
            figure.inline
        );
        if !figure.note.is_empty() {
            let _ = writeln!(html, "<figcaption>{}</figcaption>", escape(&figure.note));
        }
        html.push_str("</figure>\n");
    }
    html.push_str("</div>\n");
    html
}

fn curves(outcome: &InversionOutcome, figures: &[Figure]) -> String {
    let mut html = drawings(figures);
    html.push_str("<p class=\"muted\">");
    html.push_str(if outcome.replicas.len() > 1 {
        "Thick: the mean over replicas with its 95 % band; thin: the replicas. Large dots with bars: mean and standard \
         deviation of where a quantity turns; small dots: the replicas."
    } else {
        "Dots: where a quantity turns."
    });
    html.push_str(" The training error is on a logarithmic axis; points at which it is zero are not drawn.</p>\n");
    html
}

fn extrema(outcome: &InversionOutcome, spreads: &Spreads, families: &[Family]) -> String {
    let total = outcome.replicas.len();
    if outcome.columns.is_empty() {
        return "<p>No metric was followed.</p>\n".to_owned();
    }
    let mut html = String::new();
    let stopped = spreads.stop_epoch.count;
    let none_turns = (outcome.columns.iter().zip(&spreads.extrema))
        .all(|(column, spread)| spread.count == 0 || column.turn == Turn::Either);
    if none_turns {
        html.push_str("<p>None does: each changes in one direction, or comes back too little or too briefly to count.");
        if stopped > 0 {
            html.push_str(" The rule of the stop epoch was met all the same, by a fluctuation of the first radius.");
        }
        html.push_str("</p>\n");
    }
    let row = |(column, _): &(usize, String)| {
        let (described, spread) = (outcome.columns.get(*column)?, spreads.extrema.get(*column)?);
        let turn = match described.turn {
            Turn::Minimum => "minimum",
            Turn::Maximum => "maximum",
            Turn::Either => return None,
        };
        Some(vec![
            capitalised(&column_name(&described.name, &outcome.classes)),
            turn.to_owned(),
            spread.epoch.plus_minus(),
            spread.error.plus_minus(),
            spread.value.plus_minus(),
            format!("{} of {total}", spread.count),
        ])
    };
    let (few, many): (Vec<&Family>, Vec<&Family>) =
        families.iter().partition(|family| family.columns.len() <= EXTREMA_ROWS);
    let mut rows: Vec<Vec<String>> = few.iter().flat_map(|family| &family.columns).filter_map(row).collect();
    if stopped > 0 {
        rows.push(vec![
            "Stop epoch".to_owned(),
            DASH.to_owned(),
            spreads.stop_epoch.plus_minus(),
            spreads.stop_error.plus_minus(),
            DASH.to_owned(),
            format!("{stopped} of {total}"),
        ]);
    }
    let head = ["Quantity", "Turn", "Epoch", "Training error", "Value", "Replicas"].map(str::to_owned);
    html.push_str(&table("", "Extrema of the metrics", &head, &rows));
    for family in many {
        let rows: Vec<Vec<String>> = family.columns.iter().filter_map(row).collect();
        if !rows.is_empty() {
            html.push_str(&folded(&family.title, &head, &rows));
        }
    }
    if total > 1 && !(none_turns && stopped == 0) {
        html.push_str("<p class=\"muted\">Mean ± standard deviation (n − 1) over the replicas that have one.</p>\n");
    }
    html.push_str(&followed(outcome));
    html
}

/// A table behind its title.
fn folded(title: &str, head: &[String], rows: &[Vec<String>]) -> String {
    let title = format!("{title}: {} lines", rows.len());
    format!(
        "<details><summary>{}</summary>\n{}</details>\n",
        escape(&title),
        table("", &title, head, rows)
    )
}

/// Which of the metrics that are followed beside the papers' invert; nothing if none are.
fn followed(outcome: &InversionOutcome) -> String {
    let courses = Courses::of(outcome);
    if courses.is_empty() {
        return String::new();
    }
    let shown = courses.shown();
    let words = escape(&courses.words().replace(" ± ", "\u{a0}±\u{a0}"));
    let drawn = if shown.rows.len() > EXTREMA_ROWS {
        folded(&shown.name, &shown.columns, &shown.rows)
    } else {
        table("", &shown.name, &shown.columns, &shown.rows)
    };
    format!("<p>{words}</p>\n{drawn}")
}

fn replicas(outcome: &InversionOutcome, families: &[Family]) -> String {
    let shown: Vec<usize> = families
        .iter()
        .flat_map(|family| &family.columns)
        .map(|(column, _)| *column)
        .collect();
    let shown = if shown.len() > REPLICA_COLUMNS {
        Vec::new()
    } else {
        shown
    };
    let mut head: Vec<String> = ["Replica", "Stop epoch", "Error there", "Stragglers"]
        .into_iter()
        .map(str::to_owned)
        .collect();
    for column in shown.iter().filter_map(|column| outcome.columns.get(*column)) {
        head.push(format!(
            "{}: epoch (error)",
            capitalised(&column_name(&column.name, &outcome.classes))
        ));
    }
    head.extend(["Final training error", "Final test error"].map(str::to_owned));
    let row = |replica: &ReplicaOutcome| {
        let or_dash = |value: Option<String>| value.unwrap_or_else(|| DASH.to_owned());
        let stop = replica.stop.as_ref();
        let mut row = vec![
            replica.replica.to_string(),
            or_dash(stop.map(|stop| stop.epoch.to_string())),
            or_dash(stop.map(|stop| fraction(stop.error))),
            or_dash(stop.map(|stop| stop.stragglers.len().to_string())),
        ];
        for column in &shown {
            let extremum = replica.extrema.get(*column).copied().flatten();
            row.push(or_dash(
                extremum.map(|at| format!("{} ({})", at.epoch, fraction(at.error))),
            ));
        }
        let last = replica.records.last();
        row.push(or_dash(last.map(|record| fraction(record.train_error))));
        row.push(or_dash(last.and_then(|record| record.test_error).map(fraction)));
        row
    };
    let rows: Vec<Vec<String>> = outcome.replicas.iter().map(row).collect();
    format!(
        "<details><summary>{} replica{}, one per line</summary>\n{}</details>\n",
        rows.len(),
        if rows.len() == 1 { "" } else { "s" },
        table("", "One line per replica", &head, &rows)
    )
}

/// How the run was made, and what repeats it.
pub(super) fn run_section(facts: &RunFacts) -> String {
    let mut rows = vec![
        vec!["data".to_owned(), facts.data.clone()],
        vec!["device".to_owned(), facts.device.clone()],
    ];
    if facts.seconds.is_finite() {
        rows.push(vec!["time".to_owned(), duration(facts.seconds)]);
    }
    let options: Vec<Vec<String>> = facts
        .configuration
        .iter()
        .map(|(name, value)| vec![name.clone(), value.clone()])
        .collect();
    // A line breaks between options, not at the hyphens within one.
    let command = escape(&facts.command).replace(" --", "</span> <span>--");
    format!(
        "<p>This command repeats it:</p>\n<pre tabindex=\"0\"><code><span>{command}</span></code></pre>\n{}\
         <details>\n<summary>All {} options, as in config.toml</summary>\n{}</details>\n",
        table("configuration", "This run", &[], &rows),
        options.len(),
        table("configuration", "Configuration", &[], &options)
    )
}

/// The first letter as a capital.
pub(super) fn capitalised(words: &str) -> String {
    let mut letters = words.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// An error, which is a fraction of some thousand samples.
fn fraction(error: f64) -> String {
    if error >= 1e-4 && error.is_finite() {
        format!("{error:.4}")
    } else {
        significant(error, 2)
    }
}
