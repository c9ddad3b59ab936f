//! What the metrics of many networks did: the table of all looks, where each metric turns in each network, and which of them
//! invert, and when, in words and numbers. Every study that follows metrics shows them by this page.
//!
//! | table | a row |
//! |---|---|
//! | `metrics.csv` | a network at an epoch at which it was looked at: its key, epoch, training error, every column |
//! | `turns.csv` | a network and a column: its key, which way it turns, epoch, training error and value there; empty if it does not |

use super::course::{Course, Turned};
use super::error::StudyError;
use super::families::column_name;
use super::findings::{Findings, Table, cell};
use super::follow::Follow;
use super::inversion::columns;
use super::number::Spread;
use super::outcome::{InversionOutcome, MetricColumn, ReplicaOutcome, Turn};
use super::parts::Part;

/// A network: its key, a cell per [`Courses::keys`], the group that it is counted in, and what its metrics did.
#[derive(Clone, Debug, PartialEq)]
struct Network {
    key: Vec<String>,
    group: &'static str,
    course: Course,
}

/// The networks of a study. Empty if nothing is followed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Courses {
    every: usize,
    classes: Vec<String>,
    columns: Vec<MetricColumn>,
    keys: Vec<&'static str>,
    networks: Vec<Network>,
}

impl Courses {
    /// Without networks yet: what is followed, the names of the classes, the hidden layers that are measured.
    pub fn new(follow: &Follow, classes: &[String], layers: &[usize]) -> Courses {
        if follow.is_empty() {
            return Courses::default();
        }
        Courses {
            every: follow.every(),
            classes: classes.to_vec(),
            columns: columns(classes.len(), layers, follow),
            ..Courses::default()
        }
    }

    /// Of the replicas of an outcome.
    pub fn of(outcome: &InversionOutcome) -> Courses {
        let followed = |m: &usize| outcome.columns[*m].turn == Turn::Either;
        let places: Vec<usize> = (0..outcome.columns.len()).filter(followed).collect();
        if places.is_empty() {
            return Courses::default();
        }
        // A table does not say when nobody looked, only that there is no number.
        let seen = |replica: &ReplicaOutcome, epoch: usize| {
            let record = replica.records.iter().find(|record| record.epoch == epoch);
            record.is_some_and(|record| places.iter().any(|&m| !record.metrics[m].is_nan()))
        };
        let mut courses = Courses {
            classes: outcome.classes.clone(),
            columns: outcome.columns.clone(),
            ..Courses::default()
        };
        let each = outcome.replicas.iter().map(|replica| {
            let epochs: Vec<usize> = (replica.records.iter().map(|record| record.epoch))
                .filter(|&epoch| seen(replica, epoch))
                .collect();
            Course::of(replica, &outcome.columns, |epoch| epochs.binary_search(&epoch).is_ok())
        });
        let each: Vec<Course> = each.collect();
        let gaps = each
            .iter()
            .flat_map(|course| course.looks.windows(2).map(|two| two[1].epoch - two[0].epoch));
        courses.every = gaps.min().unwrap_or(1);
        let numbers: Vec<u64> = outcome.replicas.iter().map(|replica| replica.replica).collect();
        courses.add_replicas(&numbers, each);
        courses
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }

    /// The courses that a part keeps of so many networks; none if nothing is followed.
    pub(super) fn read(&self, part: &Part, networks: usize) -> Result<Vec<Course>, StudyError> {
        let of = if self.columns.is_empty() { 0 } else { networks };
        (0..of)
            .map(|network| Course::read(part, network, self.columns.len()))
            .collect()
    }

    /// Adds networks that differ in their replica number alone.
    pub(super) fn add_replicas(&mut self, replicas: &[u64], courses: Vec<Course>) {
        for (replica, course) in replicas.iter().zip(courses) {
            self.add(&["replica"], vec![replica.to_string()], "all samples", course);
        }
    }

    /// Adds a network: the names of its key's columns, which are the same for all, the key, and the group it is counted in.
    pub(super) fn add(&mut self, keys: &[&'static str], key: Vec<String>, group: &'static str, course: Course) {
        self.keys = keys.to_vec();
        self.networks.push(Network { key, group, course });
    }

    /// What a study has found, with what its metrics did beside it.
    pub fn beside(&self, mut findings: Findings) -> Findings {
        if self.is_empty() {
            return findings;
        }
        findings.paragraphs.push(self.words());
        findings.numbers.extend(self.numbers());
        findings.shown.push(self.shown());
        findings.tables.extend(self.tables());
        findings
    }

    /// Groups in the order in which they came.
    fn groups(&self) -> Vec<&'static str> {
        let mut groups = Vec::new();
        for network in &self.networks {
            if !groups.contains(&network.group) {
                groups.push(network.group);
            }
        }
        groups
    }

    fn counted(&self, group: &str, m: usize) -> Counted {
        let own = self.networks.iter().filter(|network| network.group == group);
        let turns: Vec<Option<Turned>> = own.map(|network| *network.course.turns.get(m)?).collect();
        let some = || turns.iter().flatten();
        Counted {
            networks: turns.len(),
            minima: some().filter(|turned| turned.minimum).count(),
            maxima: some().filter(|turned| !turned.minimum).count(),
            epoch: Spread::of(some().map(|turned| turned.at.epoch as f64)),
            error: Spread::of(some().map(|turned| turned.at.error)),
        }
    }

    fn looks(&self) -> String {
        match self.every {
            1 => "every epoch".into(),
            every => format!("every {every} epochs"),
        }
    }

    /// A sentence or two: which turn in all networks, in some, in none, and when; of the first group.
    pub fn words(&self) -> String {
        let groups = self.groups();
        let Some(group) = groups.first() else {
            return String::new();
        };
        let counted = |m: usize| (self.name(m), self.counted(group, m));
        let (papers, others): (Vec<usize>, Vec<usize>) =
            (0..self.columns.len()).partition(|&m| self.columns[m].turn != Turn::Either);
        let mut all: Vec<(String, Counted)> = others.into_iter().map(counted).collect();
        // The earliest first; those that never turn keep their order.
        let when = |counted: &Counted| counted.epoch.mean.unwrap_or(f64::INFINITY);
        all.sort_by(|a, b| when(&a.1).total_cmp(&when(&b.1)));
        let networks = all.first().map_or(0, |(_, counted)| counted.networks);
        let listed = |wanted: &dyn Fn(usize) -> bool| {
            let of = all.iter().filter(|(_, counted)| wanted(counted.turned()));
            let told = of.map(|(name, counted)| format!("{name}{}", counted.told()));
            told.collect::<Vec<_>>().join("; ")
        };
        let sets = [
            ("in every network", listed(&|n| n == networks)),
            ("in some", listed(&|n| n > 0 && n < networks)),
            ("in none", listed(&|n| n == 0)),
        ];
        let told: Vec<String> = sets
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(which, list)| format!("{which}: {list}"))
            .collect();
        let beside: Vec<String> = papers
            .into_iter()
            .map(counted)
            .map(|(name, counted)| format!("{name}{}", counted.told()))
            .collect();
        let trained = match groups.len() {
            1 => String::new(),
            _ => format!(" trained on {group}"),
        };
        let plural = if networks == 1 { "" } else { "s" };
        let within = match self.every {
            1 => String::new(),
            every => format!(" A turn between two looks is known to within {every} epochs."),
        };
        format!(
            "Which metrics invert, of {} columns followed by looks at {} in {networks} network{plural}{trained}: {}. Beside \
             them: {}.{within}",
            all.len(),
            self.looks(),
            told.join(". "),
            beside.join("; ")
        )
    }

    /// For people: a line per column and group.
    pub fn shown(&self) -> Table {
        let groups = self.groups();
        let within = match self.every {
            1 => "looks at every epoch".to_owned(),
            every => format!(
                "looks at every {every} epochs: metrics that are followed turn within {every} of the epoch told"
            ),
        };
        let mut head = vec!["Metric", "Inverts", "Turn", "at epoch", "at training error"];
        if groups.len() > 1 {
            head.insert(1, "Trained on");
        }
        let mut table = Table::new(&format!("Which metrics invert ({within})"), &head);
        for m in 0..self.columns.len() {
            for group in &groups {
                let counted = self.counted(group, m);
                let mut row = vec![
                    self.name(m),
                    format!("{} of {}", counted.turned(), counted.networks),
                    counted.kind(),
                    counted.epoch.plus_minus(),
                    counted.error.plus_minus(),
                ];
                if groups.len() > 1 {
                    row.insert(1, (*group).to_owned());
                }
                table.rows.push(row);
            }
        }
        table
    }

    fn numbers(&self) -> Vec<(String, f64)> {
        let groups = self.groups();
        let mut numbers = Vec::new();
        for group in &groups {
            let group_of = match groups.len() {
                1 => String::new(),
                _ => format!(".{}", group.replace(' ', "_")),
            };
            for (m, column) in self.columns.iter().enumerate() {
                let counted = self.counted(group, m);
                let mut add = |name: &str, value: Option<f64>| {
                    let name = format!("turns{group_of}.{}.{name}", column.name);
                    numbers.push((name, value.unwrap_or(f64::NAN)));
                };
                add("networks", Some(counted.turned() as f64));
                add("epoch", counted.epoch.mean);
                add("epoch_sd", counted.epoch.sd);
                add("error", counted.error.mean);
                add("error_sd", counted.error.sd);
            }
        }
        numbers
    }

    /// `metrics.csv` and `turns.csv`.
    fn tables(&self) -> [Table; 2] {
        let names = self.columns.iter().map(|column| column.name.as_str());
        let keys = || self.keys.iter().copied();
        let head: Vec<&str> = keys().chain(["epoch", "train_error"]).chain(names).collect();
        let mut metrics = Table::new("metrics", &head);
        let head: Vec<&str> = keys()
            .chain(["metric", "turn", "epoch", "train_error", "value"])
            .collect();
        let mut turns = Table::new("turns", &head);
        for network in &self.networks {
            for look in &network.course.looks {
                let mut row = network.key.clone();
                row.extend([look.epoch.to_string(), cell(look.error)]);
                let value = |(value, column): (&f64, &MetricColumn)| {
                    // As in the table of a run: empty for what could not be computed.
                    let none = column.turn == Turn::Either && value.is_nan();
                    cell((!none).then_some(*value))
                };
                row.extend(look.values.iter().zip(&self.columns).map(value));
                metrics.rows.push(row);
            }
            for (column, turned) in self.columns.iter().zip(&network.course.turns) {
                let mut row = network.key.clone();
                row.push(column.name.clone());
                row.push(turned.map_or("", |turned| word(turned.minimum)).into());
                row.push(turned.map_or(String::new(), |turned| turned.at.epoch.to_string()));
                row.push(cell(turned.map(|turned| turned.at.error)));
                row.push(cell(turned.map(|turned| turned.at.value)));
                turns.rows.push(row);
            }
        }
        [metrics, turns]
    }

    fn name(&self, m: usize) -> String {
        column_name(&self.columns[m].name, &self.classes)
    }
}

fn word(minimum: bool) -> &'static str {
    if minimum { "minimum" } else { "maximum" }
}

/// The turns of one column in the networks of one group.
struct Counted {
    networks: usize,
    minima: usize,
    maxima: usize,
    epoch: Spread,
    error: Spread,
}

impl Counted {
    fn turned(&self) -> usize {
        self.minima + self.maxima
    }

    /// Which way.
    fn kind(&self) -> String {
        match (self.minima, self.maxima) {
            (0, 0) => super::number::DASH.into(),
            (_, 0) => word(true).into(),
            (0, _) => word(false).into(),
            (minima, maxima) => format!("minimum {minima}, maximum {maxima}"),
        }
    }

    /// ` (maximum, 8 of 8, epoch 31.3 ± 3.5, training error 0.057 ± 0.002)`; nothing if it never turns.
    fn told(&self) -> String {
        if self.turned() == 0 {
            return String::new();
        }
        format!(
            " ({}, {} of {}, epoch {}, training error {})",
            self.kind(),
            self.turned(),
            self.networks,
            self.epoch.plus_minus(),
            self.error.plus_minus()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::course::kept;
    use super::super::inversion::concluded;
    use super::super::outcome::EpochRecord;
    use super::*;
    use crate::geometry::Settings;

    /// Two replicas: R_0 has a minimum at 30 or 34, R_1 and D nothing; the silhouette a maximum at 40 or none.
    fn outcome() -> InversionOutcome {
        let follow = Follow::new("silhouette,fisher-ratio", 10, Settings::default()).unwrap();
        let columns = columns(2, &[0], &follow);
        let replica = |(replica, vertex, peak): (u64, f64, f64)| {
            let record = |epoch: usize| {
                let t = epoch as f64;
                let look = |value: f64| if epoch.is_multiple_of(10) { value } else { f64::NAN };
                EpochRecord {
                    epoch,
                    train_loss: 1.0,
                    train_error: 1.0 / (1.0 + t),
                    test_error: None,
                    metrics: vec![
                        (t - vertex).abs() * 0.01,
                        1.0 - 0.001 * t,
                        0.5 + 0.001 * t,
                        look(1.0 - (t - peak).powi(2) * 1e-4),
                        look(f64::NAN),
                    ],
                }
            };
            ReplicaOutcome {
                replica,
                records: (0..=80).map(record).collect(),
                stop: None,
                extrema: vec![],
            }
        };
        let replicas = [(3, 30.0, 40.0), (4, 34.0, 1000.0)].map(replica);
        concluded(vec!["even".into(), "odd".into()], columns, replicas.into())
    }

    #[test]
    fn who_turns_and_when_is_counted_and_told() {
        let courses = Courses::of(&outcome());
        let shown = courses.shown();
        assert!(shown.name.contains("every 10 epochs"), "{}", shown.name);
        let row = |cells: [&str; 5]| cells.map(String::from).to_vec();
        // Errors 1/31 and 1/35: mean 0.03041, deviation 0.0026.
        assert_eq!(
            shown.rows[0],
            row([
                "gyration radius, even",
                "2 of 2",
                "minimum",
                "32.0 ± 2.8",
                "0.0304 ± 0.0026"
            ])
        );
        assert_eq!(shown.rows[1][1], "0 of 2");
        assert_eq!(shown.rows[3], row(["silhouette", "1 of 2", "maximum", "40", "0.02439"]));
        assert_eq!(shown.rows[4], row(["fisher ratio", "0 of 2", "–", "–", "–"]));
        let words = courses.words();
        for part in [
            "of 2 columns followed by looks at every 10 epochs in 2 networks: in some: silhouette (maximum, 1 of 2, epoch 40, ",
            "in none: fisher ratio. Beside them: gyration radius, even (minimum, 2 of 2, epoch 32.0 ± 2.8, ",
            "known to within 10 epochs",
        ] {
            assert!(words.contains(part), "{words}");
        }
        let findings = courses.beside(Findings::default());
        let number = |name: &str| findings.numbers.iter().find(|(n, _)| n == name).unwrap().1;
        assert_eq!(
            (number("turns.silhouette.networks"), number("turns.silhouette.epoch")),
            (1.0, 40.0)
        );
        assert!(number("turns.fisher_ratio.epoch").is_nan());
        let [metrics, turns] = courses.tables();
        // Nine looks of two networks.
        assert_eq!(metrics.rows.len(), 18);
        assert_eq!(
            metrics.columns[..4],
            ["replica", "epoch", "train_error", "gyration_radius_0"]
        );
        assert_eq!(metrics.rows[1][..2], ["3", "10"]);
        assert_eq!(metrics.rows[1].last().unwrap(), "");
        assert_eq!(
            turns.rows[3],
            ["3", "silhouette", "maximum", "40", &cell(1.0 / 41.0), "1"].map(String::from)
        );
        assert_eq!(turns.rows[8], ["4", "silhouette", "", "", "", ""].map(String::from));
    }

    #[test]
    fn a_part_gives_back_the_bits_and_nothing_followed_shows_nothing() {
        let courses = Courses::of(&outcome());
        let all: Vec<Course> = courses.networks.iter().map(|network| network.course.clone()).collect();
        let folder = tempfile::tempdir().unwrap();
        let parts = super::super::parts::Parts::in_folder(folder.path());
        let made = parts.part("a", || Ok(kept(&all))).unwrap();
        let read = parts.part("a", || Ok(Vec::new())).unwrap();
        // NaN is not equal to itself.
        let words = |part: &Part| format!("{:?}", courses.read(part, 2).unwrap());
        assert_eq!(words(&made), format!("{all:?}"));
        assert_eq!(words(&read), words(&made));
        let line = courses.read(&read, 3).unwrap_err().to_string();
        assert!(line.contains("looks/2"), "{line}");
        let none = Courses::new(&Follow::default(), &[], &[0]);
        assert!(none.is_empty() && none.read(&read, 2).unwrap().is_empty());
        assert_eq!(none.beside(Findings::default()), Findings::default());
    }
}
