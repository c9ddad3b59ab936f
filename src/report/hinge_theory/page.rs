//! The page of a `hinge-theory` run.

use super::figures::parameters;
use crate::report::document::{Document, Section, table};
use crate::report::drawn::{self, Drawn};
use crate::report::number::significant;
use crate::report::page::{RunFacts, run_section};
use crate::report::svg::escape;
use crate::study::hinge_theory::PAPER;
use crate::study::hinge_theory::comparison::{Case, Distances};

/// What came out, in a sentence.
pub fn headline(cases: &[Case]) -> String {
    let mean_field = cases.iter().all(|case| case.comparison.mean_field);
    let until = match mean_field {
        _ if cases.iter().all(|case| case.comparison.overfits_from.is_infinite()) => "at all times",
        true => "until overfitting sets in",
        false => "in the first stage",
    };
    let early: Option<Vec<Distances>> = cases.iter().map(|case| case.comparison.until_overfitting).collect();
    let Some(early) = early else {
        let end = if mean_field {
            "overfitting sets in"
        } else {
            "the first stage ends"
        };
        return format!("The theory says nothing here: {end} before the first recorded step.");
    };
    let worst = early.into_iter().fold(Distances::default(), |mut worst, here| {
        worst.include(here);
        worst
    });
    let of = if cases.len() == 1 {
        "the network follows"
    } else {
        "all networks follow"
    };
    format!(
        "Within {:.2} % of all (a, w_par) and {:.2} % of gamma, {of} the theory {until}.",
        100.0 * worst.nodes,
        100.0 * worst.gamma
    )
}

const HEAD: [&str; 12] = [
    "case",
    "k",
    "t_c",
    "gamma, until t_c",
    "nodes, until t_c",
    "curve, until t_c",
    "unsatisfied, until t_c",
    "gamma, until the end",
    "nodes, until the end",
    "gamma at the end",
    "train error",
    "test error",
];

/// The table of distances: head and rows.
pub fn table_rows(cases: &[Case]) -> (Vec<String>, Vec<Vec<String>>) {
    let head = HEAD.iter().map(|name| (*name).to_string()).collect();
    let percent = |x: f64| format!("{:.2} %", 100.0 * x);
    let row = |case: &Case| {
        let comparison = &case.comparison;
        let (last, end) = (case.outcome.records.last(), &comparison.until_end);
        let until = comparison.until_overfitting;
        vec![
            if case.label.is_empty() {
                "network".into()
            } else {
                case.label.clone()
            },
            significant(case.outcome.setting.model.crossover(), 3),
            significant(comparison.overfits_from, 3),
            until.map_or(String::new(), |until| percent(until.gamma)),
            until.map_or(String::new(), |until| percent(until.nodes)),
            until.map_or(String::new(), |until| percent(until.curve)),
            until.map_or(String::new(), |until| significant(until.unsatisfied, 2)),
            percent(end.gamma),
            percent(end.nodes),
            last.map_or(String::new(), |r| significant(r.gamma, 4)),
            last.map_or(String::new(), |r| significant(r.train_error, 3)),
            last.map_or(String::new(), |r| significant(r.test_error, 3)),
        ]
    };
    (head, cases.iter().map(row).collect())
}

/// The HTML.
pub fn page(cases: &[Case], facts: &RunFacts, figures: &[Drawn]) -> String {
    let (head, rows) = table_rows(cases);
    let mut distances = table("distances", "Distances between theory and network", &head, &rows);
    distances.push_str(
        "<p class=\"muted\">Largest over the recorded times t > 0. gamma: relative. Nodes: L2 norm of all (a, w_par), relative. \
         Curve: the same at equal gamma instead of equal time. Unsatisfied: difference of the fractions. t_c: from when on finitely many examples are overfitted (derived), which the mean field \
         does not know.</p>\n",
    );
    let bins: Vec<Vec<String>> = cases
        .iter()
        .flat_map(|case| case.comparison.satisfaction.iter().map(move |bin| (case, bin)))
        .map(|(case, bin)| {
            let [low, median, high] = bin.quantiles;
            let numbers = [bin.theory, low, median, high].map(|t| significant(t, 4));
            let name = if case.label.is_empty() { "network" } else { &case.label };
            [
                name.to_string(),
                significant(bin.projection, 3),
                bin.examples.to_string(),
            ]
            .into_iter()
            .chain(numbers)
            .collect()
        })
        .collect();
    let mut sections = vec![
        Section {
            id: "curves",
            title: "Theory and network",
            body: drawn::html(figures),
        },
        Section {
            id: "distances",
            title: "Distances",
            body: distances,
        },
    ];
    if !bins.is_empty() {
        let head = ["case", "|x_par|", "examples", "theory", "16 %", "median", "84 %"].map(String::from);
        sections.push(Section {
            id: "satisfaction-times",
            title: "First satisfaction times",
            body: table("satisfaction", "First satisfaction times by projection", &head, &bins),
        });
    }
    let cases_in_words: String = cases
        .iter()
        .map(|case| format!("<li>{}</li>\n", escape(&parameters(case))))
        .collect();
    sections.push(Section {
        id: "run",
        title: "This run",
        body: format!("<ul>\n{cases_in_words}</ul>\n{}", run_section(facts)),
    });
    Document {
        title: facts.title.clone(),
        header: format!(
            "<p class=\"found\">{}</p>\n<p class=\"muted\">{}</p>\n",
            escape(&headline(cases)),
            escape(PAPER)
        ),
        sections,
        footer: format!(
            "Made by disentangle {}. The figures are in figures/*.svg, the numbers in states.csv, nodes.csv, satisfaction.csv, examples.csv and \
             summary.json.",
            env!("CARGO_PKG_VERSION")
        ),
        rules: String::new(),
        policy: Vec::new(),
        scripts: Vec::new(),
        live: None,
    }
    .html()
}
