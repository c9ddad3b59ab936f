//! The page of a `modes` run.

use std::fmt::Write as _;

use crate::report::document::{Document, Section, table};
use crate::report::drawn::{self, Drawn};
use crate::report::number::{DASH, significant};
use crate::report::page::{RunFacts, run_section};
use crate::report::svg::escape;
use crate::study::modes::findings::{Cell, Findings};

/// The table of distances for people: head and rows.
pub fn distance_rows(findings: &Findings) -> (Vec<String>, Vec<Vec<String>>) {
    let head = ["what", "measure", "formula", "distance", "expected", ""];
    let rows = findings.distances.iter().map(|distance| {
        let holds = match distance.holds() {
            None => "",
            Some(true) => "holds",
            Some(false) => "does not hold",
        };
        vec![
            distance.what.clone(),
            distance.measure.clone(),
            distance.source.name().to_owned(),
            significant(distance.value, 3),
            distance
                .tolerance
                .map_or(DASH.to_owned(), |t| format!("at most {}", significant(t, 2))),
            holds.to_owned(),
        ]
    });
    (head.map(String::from).to_vec(), rows.collect())
}

/// The HTML.
pub fn page(findings: &Findings, facts: &RunFacts, figures: &[Drawn]) -> String {
    let mut sections = vec![Section {
        id: "curves",
        title: "Theory and networks",
        body: drawn::html(figures),
    }];
    if !findings.distances.is_empty() {
        let (head, rows) = distance_rows(findings);
        let mut body = table("distances", "Distances between theory and networks", &head, &rows);
        body.push_str(
            "<p class=\"muted\">\u{201c}derived\u{201d}: the formula is this project's, from the paper's setting, and not the \
             paper's own text.</p>\n",
        );
        sections.push(Section {
            id: "distances",
            title: "Distances",
            body,
        });
    }
    let mut numbers = String::new();
    for shown in findings.tables.iter().filter(|table| table.shown) {
        let cell = |cell: &Cell| match cell {
            Cell::Real(value) => significant(*value, 5),
            Cell::Whole(value) => value.to_string(),
            Cell::Word(word) => word.clone(),
        };
        let rows: Vec<Vec<String>> = shown.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
        let _ = writeln!(numbers, "<h3>{}</h3>", escape(&shown.name.replace('-', " ")));
        numbers.push_str(&table("numbers", &shown.name, &shown.columns, &rows));
    }
    if !numbers.is_empty() {
        sections.push(Section {
            id: "numbers",
            title: "Numbers",
            body: numbers,
        });
    }
    sections.push(Section {
        id: "run",
        title: "This run",
        body: run_section(facts),
    });
    Document {
        title: facts.title.clone(),
        header: format!(
            "<p class=\"found\">{}</p>\n<p class=\"muted\">{}</p>\n",
            escape(&findings.headline),
            escape(findings.papers)
        ),
        sections,
        footer: format!(
            "Made by disentangle {}. The figures are in figures/*.svg, the numbers in *.csv and summary.json.",
            env!("CARGO_PKG_VERSION")
        ),
        rules: String::new(),
        policy: Vec::new(),
        scripts: Vec::new(),
        live: None,
    }
    .html()
}
