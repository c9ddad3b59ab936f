//! The folder of a study: its tables, figures and page, all made from [`Findings`].
//!
//! | file | what |
//! |---|---|
//! | `NAME.csv` | a table |
//! | `figures/NAME.svg` | a figure |
//! | `summary.json` | what was found, in words and numbers |
//! | `findings.json` | all that the page shows, so that it can be made again |
//! | `pictures.png` | the pictures of the page, if there are any |
//! | `report.html` | the page, written last |

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::document::{Document, Section, table};
use super::figures::{self, Against, FIGURE_BYTES, Figure, LINES, PAGE_BYTES, Planned};
use super::files::{self, ReportError};
use super::page::run_section;
use super::record::RunRecord;
use super::sprite::Sprite;
use super::svg::escape;
use super::{REPORT_HTML, SUMMARY_JSON, chart, forest, gallery, number, ticks, write_atomic};
use crate::study::findings::{Across, Card, Curve, Findings, Forest, Plot, Table};

/// Name of the file that the page is made from.
pub const FINDINGS_JSON: &str = "findings.json";
const PICTURES: &str = "pictures.png";
/// Cards that are seen at once.
const SHOWN: usize = 60;

/// What the page is made from.
#[derive(Serialize, Deserialize)]
struct Shown {
    paragraphs: Vec<String>,
    plots: Vec<Plot>,
    #[serde(default)]
    forests: Vec<Forest>,
    tables: Vec<Table>,
    cards: Vec<Card>,
    /// Columns, rows, width and height of the pictures, and whether they are grey.
    pictures: Option<(usize, usize, usize, usize, bool)>,
}

/// `summary.json`: the study, what was found in words, and its numbers by name, null for one that is not finite.
///
/// # Errors
/// [`ReportError::Inconsistent`]; it has no reason to.
pub fn summary_json(study: &str, findings: &Findings) -> Result<String, ReportError> {
    let numbers: Map<String, Value> = findings
        .numbers
        .iter()
        .map(|(name, v)| (name.clone(), json!(v)))
        .collect();
    let summary = json!({ "study": study, "found": findings.paragraphs, "numbers": numbers });
    let text = serde_json::to_string_pretty(&summary).map_err(|cause| ReportError::Inconsistent {
        what: format!("{SUMMARY_JSON}: {cause}"),
    })?;
    Ok(format!("{text}\n"))
}

/// Writes everything but the page, for which [`write_page`] then needs only the folder. `pictures` are of the cards, in
/// their order.
///
/// # Errors
/// [`ReportError::Io`]; [`ReportError::Figure`] if plotters refuses.
pub fn write(folder: &Path, study: &str, findings: &Findings, pictures: Option<&Sprite>) -> Result<(), ReportError> {
    for table in &findings.tables {
        write_atomic(&folder.join(format!("{}.csv", table.name)), table.csv().as_bytes())?;
    }
    write_atomic(&folder.join(SUMMARY_JSON), summary_json(study, findings)?.as_bytes())?;
    if let Some(sprite) = pictures {
        write_atomic(&folder.join(PICTURES), &sprite.png)?;
    }
    let shown = Shown {
        paragraphs: findings.paragraphs.clone(),
        plots: findings.plots.iter().map(finite).collect(),
        forests: findings.forests.clone(),
        tables: findings.shown.clone(),
        cards: findings.cards.clone(),
        pictures: pictures.map(|s| (s.columns, s.rows, s.width, s.height, s.grey)),
    };
    let text = serde_json::to_string(&shown).map_err(|cause| ReportError::Inconsistent {
        what: format!("{FINDINGS_JSON}: {cause}"),
    })?;
    write_atomic(&folder.join(FINDINGS_JSON), format!("{text}\n").as_bytes())
}

/// The plot without points that no axis can hold, which JSON cannot hold either.
fn finite(plot: &Plot) -> Plot {
    let mut plot = plot.clone();
    for curve in &mut plot.curves {
        curve.mean.retain(|p| p.x.is_finite() && p.y.is_finite());
        for replica in &mut curve.replicas {
            replica.retain(|p| p.0.is_finite() && p.1.is_finite());
        }
    }
    plot
}

/// Makes figures and page from what is in the folder. Returns the path of the page.
///
/// # Errors
/// [`ReportError::Unfinished`] for a study that has not ended; [`ReportError::Malformed`] for a damaged file;
/// [`ReportError::Io`].
pub fn write_page(folder: &Path) -> Result<PathBuf, ReportError> {
    let record = RunRecord::read(folder)?;
    let path = folder.join(FINDINGS_JSON);
    if record.training_seconds.is_none() || !path.is_file() {
        return Err(ReportError::Unfinished {
            path: folder.to_owned(),
            subcommand: record.study.clone().unwrap_or_default(),
        });
    }
    let shown: Shown = serde_json::from_str(&files::read_text(&path)?).map_err(|cause| ReportError::Malformed {
        path: path.clone(),
        line: Some(cause.line()),
        expected: format!("the findings of a study, not: {cause}"),
    })?;
    let sprite = match shown.pictures {
        None => None,
        Some((columns, rows, width, height, grey)) => {
            let path = folder.join(PICTURES);
            let png = std::fs::read(&path).map_err(|cause| ReportError::Io {
                doing: "read",
                path,
                cause,
            })?;
            Some(Sprite {
                png,
                columns: columns.max(1),
                rows,
                width: width.max(1),
                height: height.max(1),
                grey,
            })
        }
    };
    let mut drawn = draw(&shown.plots)?;
    for shown in &shown.forests {
        drawn.push(forest::draw(shown)?);
    }
    figures::write(folder, &drawn)?;
    let page = page(&record, &shown, &drawn, sprite.as_ref());
    let path = folder.join(REPORT_HTML);
    write_atomic(&path, page.as_bytes())?;
    Ok(path)
}

fn draw(plots: &[Plot]) -> Result<Vec<Figure>, ReportError> {
    let budget = FIGURE_BYTES.min(PAGE_BYTES / plots.len().max(1));
    plots
        .iter()
        .map(|plot| planned(plot).drawn(&plot.name, Against::Epoch, axis(plot), budget))
        .collect()
}

/// The horizontal axis in words.
fn axis(plot: &Plot) -> &str {
    match &plot.across {
        Across::Epoch => "epoch",
        Across::Error => "training error",
        Across::Linear(name) | Across::Log(name) => name,
    }
}

fn planned(plot: &Plot) -> Planned {
    let (x_label, x_scale) = match &plot.across {
        Across::Epoch => ("epoch".to_owned(), ticks::Scale::Linear),
        Across::Error => (figures::ERROR_AXIS.to_owned(), ticks::Scale::LogReversed),
        Across::Linear(name) => (name.clone(), ticks::Scale::Linear),
        Across::Log(name) => (name.clone(), ticks::Scale::Log),
    };
    let y_scale = if plot.logarithmic {
        ticks::Scale::Log
    } else {
        ticks::Scale::Linear
    };
    let mut notes: Vec<String> = Vec::new();
    if !plot.note.is_empty() {
        notes.push(plot.note.clone());
    }
    let most = plot.curves.iter().map(|curve| curve.replicas.len()).max().unwrap_or(0);
    if most > LINES {
        notes.push(format!(
            "{LINES} of {most} replicas are drawn; mean and band are over all."
        ));
    }
    let series = |(paint, curve): (usize, &Curve)| chart::Series {
        label: curve.label.clone(),
        paint,
        replicas: {
            let drawn = curve.replicas.len().min(LINES);
            let nth = |line: usize| curve.replicas.get(line * curve.replicas.len() / drawn);
            (0..drawn)
                .filter_map(nth)
                .filter(|replica| !replica.is_empty())
                .cloned()
                .collect()
        },
        mean: {
            let point = |p: &crate::study::findings::Point| chart::MeanPoint {
                x: p.x,
                y: p.y,
                half: p.half,
            };
            curve.mean.iter().map(point).collect()
        },
        turns: Vec::new(),
        mark: None,
    };
    Planned {
        chart: chart::Chart {
            title: plot.title.clone(),
            x_label,
            x_scale,
            y_scale,
            series: plot.curves.iter().enumerate().map(series).collect(),
            stop: plot.range.clone(),
        },
        notes,
    }
}

fn page(record: &RunRecord, shown: &Shown, drawn: &[Figure], sprite: Option<&Sprite>) -> String {
    let facts = record.facts();
    let mut header = String::new();
    for (n, paragraph) in shown.paragraphs.iter().enumerate() {
        let class = if n == 0 { " class=\"found\"" } else { "" };
        let _ = writeln!(
            header,
            "<p{class}>{}</p>",
            escape(&paragraph.replace(" ± ", "\u{a0}±\u{a0}"))
        );
    }
    let mut below = vec![facts.data.clone(), facts.device.clone()];
    if facts.seconds.is_finite() {
        below.push(number::duration(facts.seconds));
    }
    let _ = writeln!(header, "<p class=\"muted\">{}</p>", escape(&below.join(" · ")));

    let mut curves = String::from("<div class=\"figures\">\n");
    for figure in drawn {
        let _ = write!(curves, "<figure id=\"{}\">\n{}", escape(&figure.name), figure.inline);
        if !figure.note.is_empty() {
            let _ = writeln!(curves, "<figcaption>{}</figcaption>", escape(&figure.note));
        }
        curves.push_str("</figure>\n");
    }
    curves.push_str("</div>\n<p class=\"muted\">Thick: the mean with its 95 % interval; thin: the replicas.</p>\n");
    let mut sections = vec![Section {
        id: "curves",
        title: "Figures",
        body: curves,
    }];
    if !shown.tables.is_empty() {
        let mut body = String::new();
        for Table { name, columns, rows } in &shown.tables {
            let _ = write!(body, "<h3>{}</h3>\n{}", escape(name), table("", name, columns, rows));
        }
        sections.push(Section {
            id: "tables",
            title: "Tables",
            body,
        });
    }
    let (mut rules, mut policy) = (String::new(), Vec::new());
    if !shown.cards.is_empty() {
        rules.push_str(include_str!("exhibits.css"));
        if let Some(sprite) = sprite {
            rules.push_str(&gallery::css(sprite));
            policy.push("img-src data:".to_owned());
        }
        sections.push(Section {
            id: "pictures",
            title: "Pictures",
            body: cards(&shown.cards, sprite),
        });
    }
    sections.push(Section {
        id: "run",
        title: "This run",
        body: run_section(&facts),
    });
    Document {
        title: facts.title,
        header,
        sections,
        footer: format!(
            "Made by disentangle {}. The same curves are in figures/*.svg, the numbers in *.csv and summary.json.",
            env!("CARGO_PKG_VERSION")
        ),
        rules,
        policy,
        scripts: Vec::new(),
        live: None,
    }
    .html()
}

/// Cards with their pictures; all but the first are folded away.
fn cards(cards: &[Card], sprite: Option<&Sprite>) -> String {
    let list = |range: std::ops::Range<usize>| {
        let mut html = String::from("<ol class=\"cards\">\n");
        for (place, card) in cards.iter().enumerate().take(range.end).skip(range.start) {
            html.push_str("<li>");
            let described = format!("sample {}: {}", card.sample_index, card.lines.join(", "));
            if let Some(sprite) = sprite {
                html.push_str(&gallery::picture(sprite, place, &described));
            }
            for (n, line) in card.lines.iter().enumerate() {
                let tag = if n == 0 { "b" } else { "span" };
                let _ = write!(html, "<{tag}>{}</{tag}>", escape(line));
            }
            let _ = writeln!(html, "<span class=\"muted\">#{}</span></li>", card.sample_index);
        }
        html.push_str("</ol>\n");
        html
    };
    let first = cards.len().min(SHOWN);
    let mut html = list(0..first);
    if cards.len() > first {
        let rest = cards.len() - first;
        let _ = write!(
            html,
            "<details class=\"more\"><summary>Show {rest} more</summary>\n{}</details>\n",
            list(first..cards.len())
        );
    }
    html
}
