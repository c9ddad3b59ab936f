//! The tables of a `modes` run as CSV, and its summary as JSON.
//!
//! Numbers are in the shortest decimal form that reads back to the same bits; one that is not finite is `NaN` or `inf` in a
//! table and `null` in the summary.

use serde_json::{Map, Value, json};

use crate::study::findings as words;
use crate::study::modes::findings::{Cell, Findings, Table};

/// A table as CSV.
pub fn csv(table: &Table) -> String {
    let word = |cell: &Cell| match cell {
        Cell::Real(value) => words::cell(*value),
        Cell::Whole(value) => value.to_string(),
        Cell::Word(word) => word.clone(),
    };
    words::Table {
        name: table.name.clone(),
        columns: table.columns.clone(),
        rows: table.rows.iter().map(|row| row.iter().map(word).collect()).collect(),
    }
    .csv()
}

/// The distances between theory and simulation as a table.
pub fn distances(findings: &Findings) -> Table {
    let columns = ["what", "measure", "formula", "distance", "expected", "holds"];
    let mut table = Table::new("distances", &columns, true);
    for distance in &findings.distances {
        let holds = match distance.holds() {
            None => "",
            Some(true) => "yes",
            Some(false) => "no",
        };
        table.rows.push(vec![
            distance.what.as_str().into(),
            distance.measure.as_str().into(),
            distance.source.name().into(),
            distance.value.into(),
            distance.tolerance.into(),
            holds.into(),
        ]);
    }
    table
}

/// `summary.json`: headline, distances, and the tables that people read.
pub fn summary(findings: &Findings) -> Value {
    let records = |table: &Table| -> Value {
        let record = |row: &Vec<Cell>| -> Value {
            let entry = |(name, cell): (&String, &Cell)| {
                let value = match cell {
                    Cell::Real(value) => json!(value),
                    Cell::Whole(value) => json!(value),
                    Cell::Word(word) => json!(word),
                };
                (name.clone(), value)
            };
            Value::Object(table.columns.iter().zip(row).map(entry).collect())
        };
        table.rows.iter().map(record).collect()
    };
    let distances: Vec<Value> = findings
        .distances
        .iter()
        .map(|d| {
            json!({
                "what": d.what,
                "measure": d.measure,
                "formula": d.source.name(),
                "distance": d.value,
                "expected": d.tolerance,
                "holds": d.holds(),
            })
        })
        .collect();
    let tables: Map<String, Value> = findings
        .tables
        .iter()
        .filter(|table| table.shown)
        .map(|table| (table.name.clone(), records(table)))
        .collect();
    json!({
        "title": findings.title,
        "headline": findings.headline,
        "beyond_expected": findings.failures(),
        "distances": distances,
        "tables": tables,
    })
}

/// [`summary`] as the file has it.
pub fn summary_text(findings: &Findings) -> String {
    format!("{:#}\n", summary(findings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::modes::findings::{Distance, Source};

    #[test]
    fn tables_and_summary_hold_every_kind_of_cell() {
        let mut table = Table::new("t", &["a", "b", "c"], true);
        table.rows.push(vec![0.1.into(), 7u64.into(), "x, \"y\"".into()]);
        table.rows.push(vec![f64::NAN.into(), 0u64.into(), "z".into()]);
        assert_eq!(csv(&table), "a,b,c\n0.1,7,\"x, \"\"y\"\"\"\nNaN,0,z\n");
        let distance = |value, tolerance| Distance {
            what: "w".into(),
            measure: "m".into(),
            source: Source::Derived,
            value,
            tolerance,
        };
        let findings = Findings {
            distances: vec![
                distance(1.0, Some(2.0)),
                distance(3.0, Some(2.0)),
                distance(f64::NAN, Some(2.0)),
                distance(9.0, None),
            ],
            tables: vec![table],
            ..Findings::default()
        };
        // A distance that is no number does not hold.
        assert_eq!(findings.failures(), 2);
        let summary = summary(&findings);
        assert_eq!(summary["tables"]["t"][1], json!({"a": null, "b": 0, "c": "z"}));
        assert_eq!(summary["distances"][3]["holds"], Value::Null);
        assert!(csv(&distances_of(&findings)).ends_with("w,m,derived,9,,\n"));
    }

    fn distances_of(findings: &Findings) -> Table {
        super::distances(findings)
    }
}
