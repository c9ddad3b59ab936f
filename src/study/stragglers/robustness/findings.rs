//! The tables, the figures and the words of a robustness sweep.

use super::followed::{self, is_followed};
use super::{Difference, Row, RunLeft, STOP, Verdict, rows};
use crate::study::findings::{Findings, Forest, Group, Line, Marks, Table, cell};
use crate::study::number::{Spread, significant};
use crate::study::sweep::Sweep;

/// Most quantities that a figure shows at a point.
const SHOWN: usize = 3;

/// What became of a run: what it left, or why it failed.
pub type Ended = Result<RunLeft, String>;

/// What a sweep has found. `ended` and `commands` have an entry per run of it; `tolerance` is a part of the base's error.
pub fn findings(sweep: &Sweep, ended: &[Ended], commands: &[String], tolerance: f64) -> Findings {
    let left: Vec<Option<RunLeft>> = ended.iter().map(|ended| ended.as_ref().ok().cloned()).collect();
    let rows = rows(sweep, &left, tolerance);
    let points = points(&rows);
    Findings {
        paragraphs: paragraphs(&points, &rows, ended, tolerance),
        numbers: numbers(&points, &rows),
        forests: vec![
            forest(sweep, &rows, Axis::Error, tolerance),
            forest(sweep, &rows, Axis::Epoch, tolerance),
        ],
        shown: std::iter::once(shown(&points)).chain(followed::shown(&rows)).collect(),
        tables: vec![
            summary(&rows),
            replicas(sweep, &rows, &left),
            runs(sweep, ended, commands),
        ],
        ..Findings::default()
    }
}

/// The rows of one layer of one point.
struct Place<'r> {
    name: String,
    axis: &'r str,
    rows: &'r [Row],
    verdict: Verdict,
}

impl Place<'_> {
    /// Radii and distances, without the stop and what is followed beside them.
    fn metrics(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| is_papers(row))
    }

    fn partly(&self) -> bool {
        self.metrics()
            .any(|row| !row.turned.is_empty() && row.turned.len() < row.networks)
    }

    /// Error, with the largest difference from the base if there is one.
    fn told(&self) -> String {
        let Some(first) = self.metrics().find(|row| !row.turned.is_empty()) else {
            return self.name.clone();
        };
        let relative = |row: &Row| -> Option<f64> {
            let Difference { mean, .. } = row.difference?;
            Some(mean / (row.error.mean? - mean))
        };
        let largest = self
            .metrics()
            .filter_map(relative)
            .fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
        let error = first.error.plus_minus();
        let symbol = symbol(&first.quantity);
        match self.metrics().any(|row| row.difference.is_some()) {
            true => format!(
                "{} ({symbol} at {error}; largest difference {:+.0} %)",
                self.name,
                100.0 * largest
            ),
            false => format!("{} ({symbol} at {error})", self.name),
        }
    }
}

/// Whether the papers follow it.
fn is_papers(row: &Row) -> bool {
    row.quantity != STOP && !is_followed(row)
}

fn points(rows: &[Row]) -> Vec<Place<'_>> {
    let key = |row: &Row| (row.axis.clone(), row.point.clone(), row.layer);
    rows.chunk_by(|a, b| key(a) == key(b))
        .filter_map(|rows| {
            let first = rows.first()?;
            let verdicts = || rows.iter().filter(|row| is_papers(row)).map(|row| row.verdict);
            // The worst of them is the point's.
            let order = [
                Verdict::NoInversion,
                Verdict::Differs,
                Verdict::Undecided,
                Verdict::Holds,
                Verdict::Base,
            ];
            let verdict = order
                .into_iter()
                .find(|&worst| verdicts().any(|verdict| verdict == worst));
            Some(Place {
                name: named(first),
                axis: &first.axis,
                rows,
                verdict: verdict.unwrap_or(Verdict::NotCompared),
            })
        })
        .collect()
}

pub(super) fn named(row: &Row) -> String {
    match row.axis == row.point {
        true => labelled(row),
        false => format!("{} {}", row.axis, labelled(row)),
    }
}

/// The point, with the layer where there are several.
fn labelled(row: &Row) -> String {
    match row.layers {
        true => format!("{}, layer {}", row.point, row.layer),
        false => row.point.clone(),
    }
}

/// `R_0` for `gyration_radius_0`, `D` for the distance of the first two classes, else the name.
pub fn symbol(quantity: &str) -> String {
    if let Some(class) = quantity.strip_prefix("gyration_radius_") {
        format!("R_{class}")
    } else if quantity == "centroid_distance_0_1" {
        "D".into()
    } else if let Some(pair) = quantity.strip_prefix("centroid_distance_") {
        format!("D_{pair}")
    } else {
        quantity.into()
    }
}

fn paragraphs(points: &[Place], rows: &[Row], ended: &[Ended], tolerance: f64) -> Vec<String> {
    let percent = format!("{} %", significant(100.0 * tolerance, 3));
    let mut first = match points.first() {
        None => "No run of the base ended well, so nothing can be compared with it.".to_owned(),
        Some(base) => of_base(base),
    };
    let compared: Vec<&Place> = points
        .iter()
        .skip(1)
        .filter(|place| !matches!(place.verdict, Verdict::NotCompared | Verdict::Base))
        .collect();
    let of = |verdict: Verdict| compared.iter().filter(move |place| place.verdict == verdict);
    let list = |verdict: Verdict| {
        let told = |place: &&Place| match verdict {
            Verdict::NoInversion => counted(place),
            _ => place.told(),
        };
        let all: Vec<String> = of(verdict).map(told).collect();
        all.join("; ")
    };
    if !compared.is_empty() {
        first.push_str(&format!(
            " Were this error a property of the data alone, it would be the same everywhere. Of {} other places, at a \
             tolerance of {percent} of it, {} hold (the 95 % interval of every difference lies within it), {} differ, {} are \
             undecided, and in {} a quantity turns in no network.",
            compared.len(),
            of(Verdict::Holds).count(),
            of(Verdict::Differs).count(),
            of(Verdict::Undecided).count(),
            of(Verdict::NoInversion).count(),
        ));
    }
    let mut all = vec![first];
    for (verdict, words) in [
        (Verdict::Differs, "Differ"),
        (Verdict::NoInversion, "Without an inversion in at least one quantity"),
        (Verdict::Undecided, "Undecided with so many networks"),
        (Verdict::Holds, "Hold"),
    ] {
        if of(verdict).next().is_some() {
            all.push(format!("{words}: {}.", list(verdict)));
        }
    }
    // Those of which a quantity turns nowhere have been told.
    let partly: Vec<String> = points
        .iter()
        .filter(|place| place.partly() && place.verdict != Verdict::NoInversion)
        .map(counted)
        .collect();
    if !partly.is_empty() {
        all.push(format!("Only some networks turn: {}.", partly.join("; ")));
    }
    let apart: Vec<String> = points
        .iter()
        .filter(|place| place.verdict == Verdict::NotCompared)
        .map(Place::told)
        .collect();
    if !apart.is_empty() {
        all.push(format!("Not compared with the base: {}.", apart.join("; ")));
    }
    all.extend(ranges(rows));
    all.extend(followed::words(rows));
    let failed = ended.iter().filter(|ended| ended.is_err()).count();
    if failed > 0 {
        all.push(format!(
            "{failed} of {} runs failed; runs.csv has the reasons.",
            ended.len()
        ));
    }
    let infinite: usize = ended
        .iter()
        .flatten()
        .map(|left| left.networks.iter().filter(|network| !network.finite).count())
        .sum();
    if infinite > 0 {
        all.push(format!("The loss of {infinite} networks was not finite at some epoch."));
    }
    all
}

fn of_base(base: &Place) -> String {
    let turns: Vec<String> = base
        .metrics()
        .map(|row| {
            let (symbol, turned) = (symbol(&row.quantity), row.turned.len());
            if turned == 0 {
                return format!("{symbol} turns in none of {} networks", row.networks);
            }
            format!(
                "{symbol} turns in {turned} of {} networks at training error {} (epoch {})",
                row.networks,
                row.error.plus_minus(),
                row.epoch.plus_minus()
            )
        })
        .collect();
    format!(
        "In the base {} (mean ± standard deviation over networks).",
        turns.join(", ")
    )
}

fn counted(place: &Place) -> String {
    let counts: Vec<String> = place
        .metrics()
        .filter(|row| row.turned.len() < row.networks)
        .map(|row| format!("{} in {} of {}", symbol(&row.quantity), row.turned.len(), row.networks))
        .collect();
    format!("{} ({})", place.name, counts.join(", "))
}

/// Over each axis, the range of the mean error at which the first quantity turns.
fn ranges(rows: &[Row]) -> Option<String> {
    let quantity = &rows.first()?.quantity;
    let base = rows.first()?.error.mean;
    let mut lines = Vec::new();
    for rows in rows.chunk_by(|a, b| a.axis == b.axis).skip(1) {
        let axis = &rows.first()?.axis;
        let errors: Vec<f64> = rows
            .iter()
            .filter(|row| row.quantity == *quantity && row.verdict != Verdict::NotCompared)
            .filter_map(|row| row.error.mean)
            .chain(base)
            .collect();
        let (low, high) = (
            errors.iter().copied().reduce(f64::min)?,
            errors.iter().copied().reduce(f64::max)?,
        );
        if errors.len() > 1 {
            lines.push(format!("{axis} {} to {}", significant(low, 3), significant(high, 3)));
        }
    }
    (!lines.is_empty()).then(|| {
        format!(
            "Range of the mean training error at which {} turns, over each axis and with the base: {}.",
            symbol(quantity),
            lines.join("; ")
        )
    })
}

fn numbers(points: &[Place], rows: &[Row]) -> Vec<(String, f64)> {
    let mut numbers = Vec::new();
    for row in points.first().map(|base| base.rows).unwrap_or_default() {
        for (part, spread) in [("error", &row.error), ("epoch", &row.epoch)] {
            let value = |value: Option<f64>| value.unwrap_or(f64::NAN);
            numbers.push((format!("base_{}_{part}_mean", row.quantity), value(spread.mean)));
            numbers.push((format!("base_{}_{part}_sd", row.quantity), value(spread.sd)));
        }
    }
    for verdict in [
        Verdict::Holds,
        Verdict::Differs,
        Verdict::Undecided,
        Verdict::NoInversion,
        Verdict::NotCompared,
    ] {
        let count = points.iter().filter(|place| place.verdict == verdict).count();
        numbers.push((format!("places_{}", verdict.word().replace(' ', "_")), count as f64));
    }
    let turned = rows.iter().filter(|row| is_papers(row));
    let (all, of) = turned.fold((0, 0), |(n, of), row| (n + row.turned.len(), of + row.networks));
    numbers.push(("curves_that_turn".into(), all as f64));
    numbers.push(("curves".into(), of as f64));
    numbers
}

/// A row per quantity of each place.
fn summary(rows: &[Row]) -> Table {
    let mut table = Table::new(
        "robustness",
        &[
            "axis",
            "point",
            "layer",
            "quantity",
            "runs",
            "networks",
            "turned",
            "error_mean",
            "error_sd",
            "error_low",
            "error_high",
            "epoch_mean",
            "epoch_sd",
            "value_mean",
            "value_sd",
            "difference",
            "difference_low",
            "difference_high",
            "verdict",
        ],
    );
    for row in rows {
        let interval = |interval: Option<(f64, f64)>| {
            [
                cell(interval.map(|interval| interval.0)),
                cell(interval.map(|interval| interval.1)),
            ]
        };
        let spread = |spread: &Spread| [cell(spread.mean), cell(spread.sd)];
        let mut cells = vec![
            row.axis.clone(),
            row.point.clone(),
            row.layer.to_string(),
            row.quantity.clone(),
            row.runs.to_string(),
            row.networks.to_string(),
            row.turned.len().to_string(),
        ];
        cells.extend(spread(&row.error));
        cells.extend(interval(row.interval));
        cells.extend(spread(&row.epoch));
        cells.extend(spread(&row.value));
        cells.push(cell(row.difference.map(|difference| difference.mean)));
        cells.extend(interval(row.difference.and_then(|difference| difference.interval)));
        cells.push(row.verdict.word().into());
        table.rows.push(cells);
    }
    table
}

/// A row per network and quantity of each place.
fn replicas(sweep: &Sweep, rows: &[Row], left: &[Option<RunLeft>]) -> Table {
    let mut table = Table::new(
        "networks",
        &[
            "axis",
            "point",
            "layer",
            "quantity",
            "run",
            "replica",
            "epoch",
            "error",
            "value",
            "last_value",
            "last_train_error",
            "last_test_error",
        ],
    );
    let points = sweep
        .axes
        .iter()
        .flat_map(|axis| axis.points.iter().map(move |point| (&axis.name, point)));
    for (axis, point) in points {
        let of_point = rows.iter().filter(|row| row.axis == *axis && row.point == point.label);
        for row in of_point {
            for &run in &point.runs {
                let (Some(Some(left)), Some(id)) = (left.get(run), sweep.runs.get(run)) else {
                    continue;
                };
                let column = left
                    .followed
                    .iter()
                    .position(|(l, q)| *l == row.layer && *q == row.quantity);
                for network in &left.networks {
                    let turned = row
                        .turned
                        .iter()
                        .find(|turned| turned.run == run && turned.replica == network.replica);
                    table.rows.push(vec![
                        axis.clone(),
                        point.label.clone(),
                        row.layer.to_string(),
                        row.quantity.clone(),
                        id.clone(),
                        network.replica.to_string(),
                        cell(turned.map(|turned| turned.epoch)),
                        cell(turned.map(|turned| turned.error)),
                        cell(turned.and_then(|turned| turned.value)),
                        cell(column.and_then(|column| network.last.get(column).copied().flatten())),
                        cell(network.train_error),
                        cell(network.test_error),
                    ]);
                }
            }
        }
    }
    table
}

/// A row per run: what it was and what became of it.
fn runs(sweep: &Sweep, ended: &[Ended], commands: &[String]) -> Table {
    let mut table = Table::new("runs", &["run", "status", "reason", "command"]);
    for ((id, ended), command) in sweep.runs.iter().zip(ended).zip(commands) {
        let (status, reason) = match ended {
            Ok(_) => ("done", String::new()),
            Err(reason) => ("failed", reason.clone()),
        };
        table
            .rows
            .push(vec![id.clone(), status.into(), reason, command.clone()]);
    }
    table
}

/// For people: a row per place, errors of its first quantities.
fn shown(points: &[Place]) -> Table {
    let quantities = quantities(points.first().map(|base| base.rows).unwrap_or_default());
    let mut columns = vec!["place".to_owned()];
    for quantity in &quantities {
        columns.push(format!("error at {}", symbol(quantity)));
    }
    columns.push("epoch".into());
    columns.push("networks that turn".into());
    columns.push("against the base".into());
    let mut table = Table {
        name: "Training error at the inversion".into(),
        columns,
        rows: Vec::new(),
    };
    for place in points {
        let row = |quantity: &String| place.rows.iter().find(|row| row.quantity == *quantity);
        let first = place.metrics().next();
        let fewest = place.metrics().map(|row| row.turned.len()).min().unwrap_or(0);
        let mut cells = vec![place.name.clone()];
        cells.extend(
            quantities
                .iter()
                .map(|quantity| row(quantity).map_or(String::new(), |row| row.error.plus_minus())),
        );
        cells.push(first.map_or(String::new(), |row| row.epoch.plus_minus()));
        cells.push(first.map_or(String::new(), |row| format!("{fewest} of {}", row.networks)));
        cells.push(place.verdict.word().into());
        table.rows.push(cells);
    }
    table
}

/// The first quantities of the base, without the stop.
fn quantities(base: &[Row]) -> Vec<String> {
    let metrics = base.iter().filter(|row| is_papers(row));
    metrics.take(SHOWN).map(|row| row.quantity.clone()).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Axis {
    Error,
    Epoch,
}

fn forest(sweep: &Sweep, rows: &[Row], axis: Axis, tolerance: f64) -> Forest {
    let points = points(rows);
    let base = points.first().map(|base| base.rows).unwrap_or_default();
    let quantities = quantities(base);
    let groups = sweep.axes.iter().map(|swept| Group {
        // The base needs no heading.
        heading: match swept.points.first() {
            Some(point) if point.label == swept.name => String::new(),
            _ => swept.name.clone(),
        },
        lines: points
            .iter()
            .filter(|place| place.axis == swept.name)
            .map(|place| line(place, &quantities, axis))
            .collect(),
    });
    let errors = base
        .iter()
        .filter(|row| quantities.contains(&row.quantity))
        .filter_map(|row| row.error.mean);
    let (low, high) = errors.fold((f64::INFINITY, 0.0f64), |(low, high), e| (low.min(e), high.max(e)));
    let band = (axis == Axis::Error && low <= high).then(|| {
        let percent = significant(100.0 * tolerance, 3);
        (
            low * (1.0 - tolerance),
            high * (1.0 + tolerance),
            format!("base ± {percent} %"),
        )
    });
    let (name, title) = match axis {
        Axis::Error => ("robustness-error", "Training error at the inversion"),
        Axis::Epoch => ("robustness-epoch", "Epoch of the inversion"),
    };
    Forest {
        name: name.into(),
        title: title.into(),
        logarithmic: axis == Axis::Epoch,
        series: quantities.iter().map(|quantity| symbol(quantity)).collect(),
        groups: groups.filter(|group| !group.lines.is_empty()).collect(),
        band,
        note: "Faint dots: networks. Dot with bar: their mean with its 95 % interval. At the right: in how many networks all \
               of these turn, where it is not all."
            .into(),
    }
}

fn line(place: &Place, quantities: &[String], axis: Axis) -> Line {
    let row = |quantity: &String| place.rows.iter().find(|row| row.quantity == *quantity);
    let marks = quantities.iter().map(|quantity| {
        let Some(row) = row(quantity) else {
            return Marks::default();
        };
        let replicas: Vec<f64> = match axis {
            Axis::Error => row.turned.iter().map(|turned| turned.error).collect(),
            Axis::Epoch => row.turned.iter().map(|turned| turned.epoch).collect(),
        };
        let (mean, interval) = match axis {
            Axis::Error => (row.error.mean, row.interval),
            Axis::Epoch => {
                let half = row.epoch.half_width();
                (row.epoch.mean, row.epoch.mean.zip(half).map(|(m, h)| (m - h, m + h)))
            }
        };
        Marks {
            replicas,
            mean,
            interval,
        }
    });
    let counts = || quantities.iter().filter_map(row);
    let turned = counts().map(|row| row.turned.len()).min().unwrap_or(0);
    let of = counts().map(|row| row.networks).max().unwrap_or(0);
    let first = place.rows.first();
    Line {
        label: first.map_or(String::new(), labelled),
        marks: marks.collect(),
        note: if turned < of {
            format!("{turned}/{of}")
        } else {
            String::new()
        },
    }
}
