//! Several runs on one page: their mean curves in one figure per quantity, a colour per run; what came out of each; and
//! the options in which they differ. Runs need not have the same network, classes or length: a run is in the figures of
//! the quantities that it has.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::chart::Series;
use super::compared::{Curve, Pool, Quantity, pools, quantities};
use super::document::{Document, Section, table};
use super::figures::{self, Against, FIGURE_BYTES, Figure, PAGE_BYTES, Planned, Sheet, y_scale};
use super::files::ReportError;
use super::number::{DASH, Spread};
use super::page::{drawings, headline};
use super::palette::{self, COLOURS, SERIES};
use super::run_folder::Run;
use super::summary::{ExtremumSpread, Spreads};
use super::svg::escape;
use super::ticks::Scale;
use super::{REPORT_HTML, write_atomic};
use crate::study::outcome::EpochRecord;

/// Most runs that can be told apart.
pub const MOST: usize = SERIES;

/// Of more metric columns than this, their extrema are folded away.
const OPEN_COLUMNS: usize = 6;

/// A run under the name that it has on the page.
pub(super) struct Entry<'r> {
    pub name: String,
    pub run: &'r Run,
    pub spreads: Spreads,
}

/// Names for folders: the last part of each path, with as many parts before it as tell them all apart.
pub fn names(folders: &[PathBuf]) -> Vec<String> {
    let parts: Vec<Vec<String>> = folders
        .iter()
        .map(|folder| {
            let whole = folder.canonicalize().unwrap_or_else(|_| folder.clone());
            whole.iter().map(|part| part.to_string_lossy().into_owned()).collect()
        })
        .collect();
    let longest = parts.iter().map(Vec::len).max().unwrap_or(0);
    let with = |count: usize| -> Vec<String> {
        let name = |parts: &Vec<String>| {
            parts
                .get(parts.len().saturating_sub(count)..)
                .unwrap_or_default()
                .join("/")
        };
        parts.iter().map(name).collect()
    };
    let differ = |names: &Vec<String>| names.iter().collect::<BTreeSet<_>>().len() == names.len();
    (1..=longest).map(with).find(differ).unwrap_or_else(|| with(longest))
}

/// Writes `report.html` and `figures/*.svg` of a comparison into a folder, which is made if it is absent. Returns the path
/// of the page. `runs` have these names; more than [`MOST`] cannot be told apart.
///
/// # Errors
/// [`ReportError`] for a file that cannot be written or a figure that cannot be drawn.
pub fn write(folder: &Path, runs: &[Run], names: &[String]) -> Result<PathBuf, ReportError> {
    let entries: Vec<Entry> = runs
        .iter()
        .zip(names)
        .map(|(run, name)| Entry {
            name: name.clone(),
            run,
            spreads: Spreads::of(&run.outcome),
        })
        .collect();
    let pools = pools(&entries);
    let figures = draw(&entries, &quantities(&entries, &pools))?;
    let html = page(&entries, &pools, &figures);
    figures::write(folder, &figures)?;
    let path = folder.join(REPORT_HTML);
    write_atomic(&path, html.as_bytes())?;
    Ok(path)
}

/// A figure per quantity and axis, those of one quantity side by side. The training error against itself is left out.
fn draw(entries: &[Entry], quantities: &[Quantity]) -> Result<Vec<Figure>, ReportError> {
    let budget = FIGURE_BYTES.min(PAGE_BYTES / (2 * quantities.len()).max(1));
    let mut figures = Vec::new();
    for quantity in quantities {
        for against in [Against::Epoch, Against::Error] {
            if against == Against::Error && quantity.is_training_error() {
                continue;
            }
            let series: Vec<Series> = entries
                .iter()
                .zip(&quantity.curves)
                .enumerate()
                .filter_map(|(paint, (entry, curve))| Some(line(entry, paint, curve.as_ref()?, against)))
                .collect();
            let scale = if quantity.is_metric() {
                Scale::Linear
            } else {
                y_scale(&series)
            };
            let Some(first) = entries.first() else { continue };
            let mut chart = first.sheet(against).chart(quantity.title.clone(), scale, series);
            // Each run has its own stop.
            chart.stop = None;
            let notes = quantity.note.iter().cloned().collect();
            figures.push(Planned { chart, notes }.render(&quantity.name, against, budget)?);
        }
    }
    Ok(figures)
}

/// The mean curve of a run with its band and its mean extremum.
fn line(entry: &Entry, paint: usize, curve: &Curve, against: Against) -> Series {
    let sheet = entry.sheet(against);
    let of_column = |column: usize| {
        let value = |record: &EpochRecord| record.metrics.get(column).copied();
        let mut series = sheet.series(entry.name.clone(), paint, &value);
        sheet.mark(&mut series, column, false);
        series
    };
    let mut series = match curve {
        Curve::Column(column) => of_column(*column),
        Curve::Mean(columns) => {
            let value = |record: &EpochRecord| {
                let values: Option<Vec<f64>> = columns
                    .iter()
                    .map(|&column| record.metrics.get(column).copied())
                    .collect();
                values.map(|values| values.iter().sum::<f64>() / values.len() as f64)
            };
            sheet.series(entry.name.clone(), paint, &value)
        }
        Curve::TrainError => sheet.series(entry.name.clone(), paint, &|record| Some(record.train_error)),
        Curve::TestError => sheet.series(entry.name.clone(), paint, &|record| record.test_error),
        Curve::Loss => sheet.series(entry.name.clone(), paint, &|record| Some(record.train_loss)),
    };
    series.label = super::legend::shortened(&entry.name, 24);
    series.replicas.clear();
    series.turns.clear();
    series
}

impl Entry<'_> {
    fn sheet(&self, against: Against) -> Sheet<'_> {
        Sheet {
            outcome: &self.run.outcome,
            spreads: &self.spreads,
            against,
        }
    }
}

fn page(entries: &[Entry], pools: &[Pool], figures: &[Figure]) -> String {
    let mut runs = String::from("<ul class=\"runs\">\n");
    for (paint, entry) in entries.iter().enumerate() {
        let dashed = if paint < COLOURS { "" } else { " dashed" };
        let found = escape(&headline(&entry.run.outcome).replace(" ± ", "\u{a0}±\u{a0}"));
        let _ = writeln!(
            runs,
            "<li class=\"k{}{dashed}\"><b>{}</b> <span>{found}</span></li>",
            paint % COLOURS,
            escape(&entry.name)
        );
    }
    runs.push_str("</ul>\n");
    let mut curves = drawings(figures);
    curves.push_str(
        "<p class=\"muted\">Each curve: the mean over the replicas of a run with its 95 % band. Dots with bars: mean and \
         standard deviation of where it turns. The training error is on a logarithmic axis; points at which it is zero are \
         not drawn.</p>\n",
    );
    let section = |id, title, body| Section { id, title, body };
    Document {
        title: format!("Comparison of {} runs", entries.len()),
        header: runs,
        sections: vec![
            section("curves", "Curves", curves),
            section("results", "What came out", results(entries, pools)),
            section("differences", "In what the runs differ", differences(entries)),
            section("commands", "The commands", commands(entries)),
        ],
        footer: format!(
            "Made by disentangle {}. The same curves are in figures/*.svg, the numbers in the folders of the runs.",
            env!("CARGO_PKG_VERSION")
        ),
        rules: format!("{}{}", include_str!("comparison.css"), palette::variables()),
        policy: Vec::new(),
        scripts: Vec::new(),
        live: None,
    }
    .html()
}

/// A table with a column per run.
fn compared(label: &str, entries: &[Entry], rows: &[Vec<String>]) -> String {
    let names = entries.iter().map(|entry| entry.name.clone());
    let head: Vec<String> = std::iter::once(String::new()).chain(names).collect();
    table("", label, &head, rows).replacen("class=\"wide\"", "class=\"wide compared\"", 1)
}

fn results(entries: &[Entry], pools: &[Pool]) -> String {
    let row = |name: &str, value: &dyn Fn(&Entry) -> String| -> Vec<String> {
        std::iter::once(name.to_owned())
            .chain(entries.iter().map(value))
            .collect()
    };
    let spread = |name: &str, of: fn(&Spreads) -> Spread| row(name, &|entry| of(&entry.spreads).plus_minus());
    let total = |entry: &Entry| entry.run.outcome.replicas.len();
    let mut rows = vec![
        row("Replicas", &|entry| total(entry).to_string()),
        row("Epochs", &|entry| {
            let last = entry
                .run
                .outcome
                .replicas
                .first()
                .and_then(|replica| replica.records.last());
            last.map_or(DASH.to_owned(), |record| record.epoch.to_string())
        }),
        row("Replicas that stop", &|entry| {
            format!("{} of {}", entry.spreads.stop_epoch.count, total(entry))
        }),
        spread("Stop epoch", |spreads| spreads.stop_epoch),
        spread("Training error there", |spreads| spreads.stop_error),
        spread("Stragglers", |spreads| spreads.stragglers),
        spread("Final training error", |spreads| spreads.final_train_error),
        spread("Final test error", |spreads| spreads.final_test_error),
    ];
    let mut turns = Vec::new();
    for (title, columns) in pools.iter().flat_map(Pool::columns) {
        let part = |name: &str, of: &dyn Fn(&Entry, ExtremumSpread) -> String| -> Vec<String> {
            let cells = entries.iter().zip(columns).map(|(entry, column)| {
                let spread = column.and_then(|column| entry.spreads.extrema.get(column).copied());
                spread.map_or(DASH.to_owned(), |spread| of(entry, spread))
            });
            std::iter::once(format!("{title}: {name}")).chain(cells).collect()
        };
        turns.push(part("turns in", &|entry, at| {
            format!("{} of {}", at.count, total(entry))
        }));
        turns.push(part("epoch", &|_, at| at.epoch.plus_minus()));
        turns.push(part("training error", &|_, at| at.error.plus_minus()));
        turns.push(part("value", &|_, at| at.value.plus_minus()));
    }
    let few = turns.len() <= 4 * OPEN_COLUMNS;
    if few {
        rows.append(&mut turns);
    }
    let mut html = compared("Results", entries, &rows);
    if !turns.is_empty() {
        let _ = writeln!(
            html,
            "<details><summary>Where each quantity turns: {} lines</summary>",
            turns.len()
        );
        html.push_str(&compared("Where each quantity turns", entries, &turns));
        html.push_str("</details>\n");
    }
    html.push_str("<p class=\"muted\">Mean ± standard deviation (n − 1) over the replicas that have a value.");
    html.push_str("</p>\n");
    html
}

/// Something of a run beside its options, and its name.
type Part = (&'static str, fn(&Entry) -> String);

/// The options that are not the same in all runs, and the data if those differ.
fn differences(entries: &[Entry]) -> String {
    let keys: BTreeSet<&String> = entries
        .iter()
        .flat_map(|entry| entry.run.record.configuration.keys())
        .collect();
    let value = |entry: &Entry, key: &str| entry.run.record.configuration.get(key).cloned();
    let row =
        |name: &str, cells: Vec<String>| -> Vec<String> { std::iter::once(name.to_owned()).chain(cells).collect() };
    let (mut differ, mut same) = (Vec::new(), Vec::new());
    for key in keys {
        let values: Vec<Option<String>> = entries.iter().map(|entry| value(entry, key)).collect();
        match values.as_slice() {
            [Some(first), rest @ ..] if rest.iter().all(|other| other.as_ref() == Some(first)) => {
                same.push(vec![key.clone(), first.clone()]);
            }
            _ => differ.push(row(
                key,
                values
                    .into_iter()
                    .map(|v| v.unwrap_or_else(|| DASH.to_owned()))
                    .collect(),
            )),
        }
    }
    let parts: [Part; 4] = [
        ("data (SHA-256)", |entry| short_hash(&entry.run.record.data.sha256)),
        ("classes", |entry| entry.run.record.data.classes.join(", ")),
        ("processor", |entry| entry.run.record.processor.clone()),
        ("version", |entry| entry.run.record.disentangle.clone()),
    ];
    for (name, of) in parts {
        let cells: Vec<String> = entries.iter().map(of).collect();
        if cells.iter().any(|cell| Some(cell) != cells.first()) {
            differ.push(row(name, cells));
        }
    }
    let mut html = if differ.is_empty() {
        "<p>In nothing: all options, the data, the processor and the version are the same.</p>\n".to_owned()
    } else {
        compared("Differences", entries, &differ)
    };
    let _ = writeln!(
        html,
        "<details><summary>{} options are the same in all</summary>",
        same.len()
    );
    html.push_str(&table("configuration", "The same in all runs", &[], &same));
    html.push_str("</details>\n");
    html
}

/// The beginnings of the hashes of the training images and labels: enough to tell data apart.
fn short_hash(hashes: &serde_json::Value) -> String {
    let of = |kind: &str| {
        let hash = hashes
            .pointer(&format!("/train/{kind}"))
            .and_then(|hash| hash.as_str())
            .unwrap_or(DASH);
        hash.chars().take(8).collect::<String>()
    };
    format!("{} {}", of("images"), of("labels"))
}

fn commands(entries: &[Entry]) -> String {
    let mut html = String::new();
    for entry in entries {
        // A line breaks between options, not at the hyphens within one.
        let command = escape(&entry.run.record.command).replace(" --", "</span> <span>--");
        let _ = writeln!(
            html,
            "<h3>{}</h3>\n<p class=\"muted\">{}</p>\n<pre tabindex=\"0\"><code><span>{command}</span></code></pre>",
            escape(&entry.name),
            escape(&entry.run.record.facts().device)
        );
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_long_as_they_must_be() {
        let of = |folders: &[&str]| names(&folders.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(of(&["runs/a", "runs/b"]), ["a", "b"]);
        assert_eq!(of(&["x/run", "y/run", "y/other"]), ["x/run", "y/run", "y/other"]);
        assert_eq!(of(&["/p/x/run", "/q/x/run"]), ["p/x/run", "q/x/run"]);
        assert_eq!(of(&["same", "same"]).len(), 2);
    }
}
