//! `removal`: is there an inversion without the stragglers?
//!
//! Every replica is trained on all samples, which gives its stragglers S(t*); then again from the same initial parameters
//! on the samples without them; and, as a control, without as many of each class drawn at random, several times. The data
//! are not standardised again. A quantity is monotonic if after the first 20 epochs, which the recipe exempts, every step
//! leads in its first direction: radii fall strictly, distances rise strictly.

use std::cmp::Ordering;

use super::super::error::StudyError;
use super::super::extremum::{GUARD, extremum};
use super::super::families::column_name;
use super::super::findings::{Across, Curve, Findings, Plot, Table, cell};
use super::super::inversion::turning_columns;
use super::super::number::Spread;
use super::super::outcome::{EpochRecord, Extremum, MetricColumn, Turn};
use super::super::parts::{Part, list};
use super::Bench;
use super::follow::{Followed, Halt};
use super::identify::{kept_stops, stops};
use super::tested::test_errors;
use super::variants::{Run, Variant, courses, drawn_like, train};
use crate::data::NamedTensor;
use crate::data::streams::Stream;

/// Of more metric columns than this there are no figures.
const FIGURES: usize = 12;

/// What a replica was trained without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// Nothing.
    All,
    /// Its stragglers.
    Stragglers,
    /// As many of each class, drawn at random: which draw, from 1.
    Random(usize),
}

impl Arm {
    fn words(self) -> &'static str {
        match self {
            Arm::All => "all",
            Arm::Stragglers => "without_stragglers",
            Arm::Random(_) => "without_random",
        }
    }

    /// The networks that are counted together.
    fn group(self) -> &'static str {
        match self {
            Arm::All => "all samples",
            Arm::Stragglers => "without stragglers",
            Arm::Random(_) => "without as many at random",
        }
    }

    fn draw(self) -> String {
        match self {
            Arm::Random(draw) => draw.to_string(),
            _ => String::new(),
        }
    }
}

/// One training.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The replica's number.
    pub replica: u64,
    /// Without what.
    pub arm: Arm,
    /// Samples removed, per class.
    pub removed: Vec<usize>,
    /// A record per epoch.
    pub records: Vec<EpochRecord>,
    /// Test error at the end; NaN without test samples.
    pub test_error: f64,
    /// What came of each metric column.
    pub metrics: Vec<Shape>,
}

/// What a curve does after the guard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// The first epoch whose step leads back, or nowhere; `None` for a monotonic curve.
    pub breaks: Option<usize>,
    /// Its first lasting extremum.
    pub extremum: Option<Extremum>,
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Removal {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The metric columns.
    pub columns: Vec<MetricColumn>,
    /// Each replica's stop.
    pub stops: Vec<Option<Halt>>,
    /// Every training: on all samples, then the other arms of the replicas that stop.
    pub trained: Vec<Trained>,
}

/// Trains all arms, with so many random draws.
///
/// # Errors
/// Those of training; [`StudyError::Interrupted`].
pub fn run(bench: &mut Bench, draws: usize) -> Result<Removal, StudyError> {
    let (recipe, initial, follow) = (bench.recipe, bench.initial, bench.follow);
    let labels = bench.data.train_labels.clone();
    let columns = turning_columns(recipe.classes, &recipe.layers);
    let part = |name, removes| Run {
        name,
        recipe,
        initial,
        sets_at: &[],
        records: true,
        together: 1,
        removes,
        relabels: false,
        follow,
    };
    let count = recipe.replicas.len();
    let plain: Vec<Variant> = (0..count).map(Variant::plain).collect();
    let (data, backend) = (bench.data, bench.backend);
    let mut keep = |_: &[Variant], followed: &Followed| -> Result<Vec<NamedTensor>, StudyError> {
        let mut tensors = kept_stops(followed);
        tensors.push(list(
            "test_error",
            test_errors(recipe, &followed.parameters, data.test(), backend)?,
        ));
        let records = followed.records.iter().enumerate();
        tensors.extend(records.map(|(r, records)| list(&format!("records/{r}"), flat(records))));
        Ok(tensors)
    };
    let width = FIXED + columns.len();
    let mut trained = Vec::new();
    let mut halts = Vec::new();
    let mut arms: Vec<(usize, Arm)> = (0..count).map(|r| (r, Arm::All)).collect();
    let on_all = train(bench, &part("all samples", false), &plain, &mut keep)?;
    for (networks, part) in &on_all {
        halts.extend(stops(part, *networks, labels.len())?);
        read(part, *networks, width, &mut trained)?;
    }
    let everything: Vec<usize> = (0..labels.len()).collect();
    let mut variants = Vec::new();
    for (r, halt) in halts.iter().enumerate() {
        let Some(halt) = halt else { continue };
        let mut add = |arm, removed| {
            arms.push((r, arm));
            variants.push(Variant {
                replica: r,
                removed,
                relabelled: Vec::new(),
            });
        };
        add(Arm::Stragglers, halt.set.clone());
        for draw in 1..=draws {
            let stream = Stream::Control {
                replica: recipe.replicas[r],
                draw: draw as u64,
            };
            let drawn = drawn_like(&halt.set, &everything, &labels, recipe.seed, stream);
            add(Arm::Random(draw), drawn);
        }
    }
    let without = train(bench, &part("removed", true), &variants, &mut keep)?;
    for (networks, part) in &without {
        read(part, *networks, width, &mut trained)?;
    }
    let followed = [courses(bench, &on_all)?, courses(bench, &without)?].concat();
    for ((r, arm), course) in arms.iter().zip(followed) {
        let key = vec![recipe.replicas[*r].to_string(), arm.words().to_owned(), arm.draw()];
        bench.courses.add(&["replica", "arm", "draw"], key, arm.group(), course);
    }
    let removed = plain.iter().chain(&variants).map(|variant| {
        let mut counts = vec![0; bench.data.classes.len()];
        variant
            .removed
            .iter()
            .for_each(|&place| counts[labels[place] as usize] += 1);
        counts
    });
    let trained = trained.into_iter().zip(arms).zip(removed);
    Ok(Removal {
        classes: bench.data.classes.clone(),
        trained: trained
            .map(|(((records, test_error), (r, arm)), removed)| Trained {
                replica: recipe.replicas[r],
                arm,
                removed,
                metrics: shapes(&records, &columns),
                records,
                test_error,
            })
            .collect(),
        columns,
        stops: halts,
    })
}

/// Numbers of a record before its metrics.
const FIXED: usize = 2;

fn flat(records: &[EpochRecord]) -> Vec<f64> {
    let numbers = |r: &EpochRecord| {
        let fixed = [r.train_loss, r.train_error];
        fixed.into_iter().chain(r.metrics.clone())
    };
    records.iter().flat_map(numbers).collect()
}

/// Adds records and test error of each network of a part.
fn read(
    part: &Part,
    networks: usize,
    width: usize,
    trained: &mut Vec<(Vec<EpochRecord>, f64)>,
) -> Result<(), StudyError> {
    let test_errors = part.values("test_error", Some(networks))?;
    for (r, &test_error) in test_errors.iter().enumerate() {
        let rows = part.values(&format!("records/{r}"), None)?.chunks_exact(width);
        let record = |(epoch, row): (usize, &[f64])| EpochRecord {
            epoch,
            train_loss: row[0],
            train_error: row[1],
            test_error: None,
            metrics: row[FIXED..].to_vec(),
        };
        trained.push((rows.enumerate().map(record).collect(), test_error));
    }
    Ok(())
}

fn shapes(records: &[EpochRecord], columns: &[MetricColumn]) -> Vec<Shape> {
    let shape = |(m, column): (usize, &MetricColumn)| {
        let series: Vec<f64> = records.iter().map(|record| record.metrics[m]).collect();
        Shape {
            breaks: breaks(&series, column.turn),
            extremum: extremum(&series, column.turn).map(|epoch| Extremum {
                epoch,
                error: records[epoch].train_error,
                value: series[epoch],
            }),
        }
    };
    columns.iter().enumerate().map(shape).collect()
}

/// The first epoch after the guard at which a curve does not go on in its first direction: down before a minimum, up
/// before a maximum.
pub fn breaks(series: &[f64], turn: Turn) -> Option<usize> {
    (GUARD + 1..series.len()).find(|&t| match turn {
        // Written so that NaN breaks.
        Turn::Minimum => series[t].partial_cmp(&series[t - 1]) != Some(Ordering::Less),
        Turn::Maximum => series[t].partial_cmp(&series[t - 1]) != Some(Ordering::Greater),
        Turn::Either => false,
    })
}

/// What `found` says.
pub fn findings(found: &Removal) -> Findings {
    let of = |wanted: fn(Arm) -> bool| -> Vec<&Trained> { found.trained.iter().filter(|t| wanted(t.arm)).collect() };
    let arms = [
        (Arm::All.group(), of(|arm| arm == Arm::All)),
        (Arm::Stragglers.group(), of(|arm| arm == Arm::Stragglers)),
        (Arm::Random(1).group(), of(|arm| matches!(arm, Arm::Random(_)))),
    ];
    let mut numbers = vec![("replicas_that_stop".into(), found.stops.iter().flatten().count() as f64)];
    let size = Spread::of(found.stops.iter().flatten().map(|halt| halt.set.len() as f64));
    numbers.push(("stragglers".into(), size.mean.unwrap_or(f64::NAN)));
    for ((_, trained), short) in arms.iter().zip(["all", "without_stragglers", "without_random"]) {
        numbers.push((format!("{short}.trainings"), trained.len() as f64));
        numbers.push((format!("{short}.monotonic"), monotonic(trained) as f64));
        numbers.push((format!("{short}.inverts"), inverts(trained) as f64));
        let end =
            |value: &dyn Fn(&Trained) -> f64| Spread::of(trained.iter().map(|t| value(t))).mean.unwrap_or(f64::NAN);
        numbers.push((format!("{short}.train_error"), end(&last_error)));
        numbers.push((format!("{short}.test_error"), end(&|t| t.test_error)));
        for (m, column) in found.columns.iter().enumerate() {
            numbers.push((format!("{short}.{}", column.name), end(&|t| last_metric(t, m))));
        }
    }
    let few = found.columns.len() <= FIGURES;
    Findings {
        paragraphs: vec![words(found, &arms, size)],
        numbers,
        plots: if few {
            (0..found.columns.len()).map(|m| plot(found, &arms, m)).collect()
        } else {
            Vec::new()
        },
        shown: vec![quantities(found, &arms), ends(&arms)],
        tables: vec![table(found), trainings(found), epochs(found)],
        ..Findings::default()
    }
}

type Arms<'a> = [(&'static str, Vec<&'a Trained>); 3];

/// Trainings of which every quantity is monotonic.
fn monotonic(trained: &[&Trained]) -> usize {
    trained
        .iter()
        .filter(|t| t.metrics.iter().all(|shape| shape.breaks.is_none()))
        .count()
}

/// Trainings of which every quantity has an extremum.
fn inverts(trained: &[&Trained]) -> usize {
    trained
        .iter()
        .filter(|t| t.metrics.iter().all(|shape| shape.extremum.is_some()))
        .count()
}

fn last_error(trained: &Trained) -> f64 {
    trained.records.last().map_or(f64::NAN, |record| record.train_error)
}

fn last_metric(trained: &Trained, m: usize) -> f64 {
    let last = trained.records.last().and_then(|record| record.metrics.get(m));
    last.copied().unwrap_or(f64::NAN)
}

fn words(found: &Removal, [all, without, random]: &Arms, size: Spread) -> String {
    let stopped = found.stops.iter().flatten().count();
    if stopped == 0 {
        return format!(
            "None of {} replicas comes to the stop of the released recipe: there are no stragglers to remove.",
            found.stops.len()
        );
    }
    let (of_without, of_random) = (without.1.len(), random.1.len());
    let (plain, turning) = (monotonic(&without.1), inverts(&without.1));
    let mut words = format!(
        "{stopped} of {} replicas stop, with {} stragglers. Trained without them from the same start, {plain} of \
         {of_without} replicas are monotonic in all {} quantities after epoch {GUARD}, and {turning} invert in all; trained \
         on all samples, {} of {} invert.",
        found.stops.len(),
        size.plus_minus(),
        found.columns.len(),
        inverts(&all.1),
        all.1.len()
    );
    if of_random > 0 {
        let inverting = inverts(&random.1);
        words.push_str(&format!(
            " Without as many random samples of each class, {inverting} of {of_random} trainings invert and {} are monotonic.",
            monotonic(&random.1)
        ));
        words.push_str(if plain == of_without && inverting == of_random {
            " Removing the stragglers removes the inversion, removing random samples does not."
        } else if 2 * plain > of_without && 2 * inverting > of_random {
            " For most trainings, removing the stragglers removes the inversion and removing random samples does not."
        } else {
            " That the stragglers alone carry the inversion does not hold here."
        });
    }
    let test = |arm: &[&Trained]| Spread::of(arm.iter().map(|t| t.test_error));
    if test(&all.1).count > 0 {
        words.push_str(&format!(
            " Test error at the end: {} on all samples, {} without stragglers",
            test(&all.1).plus_minus(),
            test(&without.1).plus_minus()
        ));
        if of_random > 0 {
            words.push_str(&format!(", {} without random samples", test(&random.1).plus_minus()));
        }
        words.push('.');
    }
    words
}

fn plot(found: &Removal, arms: &Arms, m: usize) -> Plot {
    let column = &found.columns[m];
    let curve = |(name, trained): &(&'static str, Vec<&Trained>)| {
        let series =
            |t: &&Trained| -> Vec<(f64, f64)> { t.records.iter().map(|r| (r.epoch as f64, r.metrics[m])).collect() };
        Curve::of(name, trained.iter().map(series).collect())
    };
    let stop = Spread::of(found.stops.iter().flatten().map(|halt| halt.epoch as f64));
    let title = column_name(&column.name, &found.classes);
    let mut letters = title.chars();
    Plot {
        name: column.name.replace('_', "-"),
        title: letters
            .next()
            .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect()),
        across: Across::Epoch,
        logarithmic: false,
        curves: arms
            .iter()
            .filter(|(_, trained)| !trained.is_empty())
            .map(curve)
            .collect(),
        range: stop.mean.map(|_| (stop, "stop on all samples, mean ± sd".into())),
        note: String::new(),
    }
}

fn quantities(found: &Removal, arms: &Arms) -> Table {
    let head = [
        "Quantity",
        "Trained on",
        "Monotonic",
        "Inverts",
        "at epoch",
        "at training error",
        "Value at the end",
    ];
    let mut table = Table::new("Quantities", &head);
    for (m, column) in found.columns.iter().enumerate() {
        for (name, trained) in arms.iter().filter(|(_, trained)| !trained.is_empty()) {
            let count = |wanted: fn(&Shape) -> bool| trained.iter().filter(|t| wanted(&t.metrics[m])).count();
            let at = |value: fn(Extremum) -> f64| {
                Spread::of(trained.iter().filter_map(|t| t.metrics[m].extremum).map(value)).plus_minus()
            };
            table.rows.push(vec![
                column_name(&column.name, &found.classes),
                (*name).to_owned(),
                format!("{} of {}", count(|shape| shape.breaks.is_none()), trained.len()),
                format!("{} of {}", count(|shape| shape.extremum.is_some()), trained.len()),
                at(|extremum| extremum.epoch as f64),
                at(|extremum| extremum.error),
                Spread::of(trained.iter().map(|t| last_metric(t, m))).plus_minus(),
            ]);
        }
    }
    table
}

fn ends(arms: &Arms) -> Table {
    let mut table = Table::new(
        "At the end",
        &["Trained on", "Trainings", "Training error", "Test error"],
    );
    for (name, trained) in arms.iter().filter(|(_, trained)| !trained.is_empty()) {
        table.rows.push(vec![
            (*name).to_owned(),
            trained.len().to_string(),
            Spread::of(trained.iter().map(|t| last_error(t))).plus_minus(),
            Spread::of(trained.iter().map(|t| t.test_error)).plus_minus(),
        ]);
    }
    table
}

/// `removal.csv`: a line per training and quantity.
fn table(found: &Removal) -> Table {
    let head = [
        "replica",
        "arm",
        "draw",
        "quantity",
        "monotonic",
        "first_break",
        "extremum_epoch",
        "extremum_error",
        "extremum_value",
        "final_value",
    ];
    let mut table = Table::new("removal", &head);
    for trained in &found.trained {
        for (m, (column, shape)) in found.columns.iter().zip(&trained.metrics).enumerate() {
            let number = |epoch: Option<usize>| epoch.map_or_else(String::new, |epoch| epoch.to_string());
            table.rows.push(vec![
                trained.replica.to_string(),
                trained.arm.words().to_owned(),
                trained.arm.draw(),
                column.name.clone(),
                u8::from(shape.breaks.is_none()).to_string(),
                number(shape.breaks),
                number(shape.extremum.map(|extremum| extremum.epoch)),
                cell(shape.extremum.map(|extremum| extremum.error)),
                cell(shape.extremum.map(|extremum| extremum.value)),
                cell(last_metric(trained, m)),
            ]);
        }
    }
    table
}

/// `trainings.csv`: a line per training.
fn trainings(found: &Removal) -> Table {
    let removed: Vec<String> = (0..found.classes.len())
        .map(|class| format!("removed_{class}"))
        .collect();
    let head = ["replica", "arm", "draw"]
        .into_iter()
        .chain(removed.iter().map(String::as_str));
    let head: Vec<&str> = head.chain(["final_train_error", "final_test_error"]).collect();
    let mut table = Table::new("trainings", &head);
    for trained in &found.trained {
        let mut row = vec![
            trained.replica.to_string(),
            trained.arm.words().to_owned(),
            trained.arm.draw(),
        ];
        row.extend(trained.removed.iter().map(usize::to_string));
        row.push(cell(last_error(trained)));
        row.push(cell(Some(trained.test_error).filter(|error| !error.is_nan())));
        table.rows.push(row);
    }
    table
}

/// `epochs.csv`: every curve.
fn epochs(found: &Removal) -> Table {
    let head = ["replica", "arm", "draw", "epoch", "train_loss", "train_error"];
    let columns = found.columns.iter().map(|column| column.name.as_str());
    let head: Vec<&str> = head.into_iter().chain(columns).collect();
    let mut table = Table::new("epochs", &head);
    for trained in &found.trained {
        for record in &trained.records {
            let mut row = vec![
                trained.replica.to_string(),
                trained.arm.words().to_owned(),
                trained.arm.draw(),
            ];
            row.push(record.epoch.to_string());
            row.extend([record.train_loss, record.train_error].map(cell));
            row.extend(record.metrics.iter().map(|&value| cell(value)));
            table.rows.push(row);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_breaks_at_its_first_step_back_after_the_guard() {
        let mut falling: Vec<f64> = (0..50).map(|t| -f64::from(t)).collect();
        assert_eq!(breaks(&falling, Turn::Minimum), None);
        assert_eq!(breaks(&falling, Turn::Maximum), Some(21));
        falling[10] = 1.0;
        assert_eq!(breaks(&falling, Turn::Minimum), None, "exempt");
        falling[40] = falling[39];
        assert_eq!(breaks(&falling, Turn::Minimum), Some(40), "a step that leads nowhere");
        falling[30] = f64::NAN;
        assert_eq!(breaks(&falling, Turn::Minimum), Some(30));
        assert_eq!(breaks(&[], Turn::Minimum), None);
    }
}
