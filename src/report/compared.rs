//! Which quantities several runs are compared in, and which curve of each run that is.

use super::comparison::Entry;
use super::families::{CENTROID_DISTANCE, ERROR, GYRATION_RADIUS, LOSS, families};

/// Quantities of so many classes or pairs of classes have a figure each; of more, the runs' means are drawn.
const SINGLE: usize = 4;

/// The curve of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Curve {
    /// A metric column.
    Column(usize),
    /// The mean of several.
    Mean(Vec<usize>),
    TrainError,
    TestError,
    Loss,
}

/// What a figure shows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quantity {
    /// First part of the names of its figures.
    pub name: String,
    /// For people.
    pub title: String,
    /// What is to be said of it.
    pub note: Option<String>,
    /// One per run; `None` where the run does not have it.
    pub curves: Vec<Option<Curve>>,
}

impl Quantity {
    pub fn is_training_error(&self) -> bool {
        self.curves.contains(&Some(Curve::TrainError))
    }

    pub fn is_metric(&self) -> bool {
        let metric = |curve: &Option<Curve>| matches!(curve, Some(Curve::Column(_) | Curve::Mean(_)));
        self.curves.iter().any(metric)
    }
}

/// A family of metrics over all runs.
pub(super) struct Pool {
    name: String,
    title: String,
    /// Label, and the column of each run that has it.
    members: Vec<(String, Vec<Option<usize>>)>,
}

impl Pool {
    /// Title for people, and the column of each run that has it, of each metric.
    pub fn columns(&self) -> impl Iterator<Item = (String, &[Option<usize>])> {
        self.members
            .iter()
            .map(|(label, columns)| (self.titled(label), columns.as_slice()))
    }

    fn titled(&self, label: &str) -> String {
        if self.has_labels() {
            format!("{}, {label}", self.title)
        } else {
            self.title.clone()
        }
    }

    /// The label of any other metric is its title.
    fn has_labels(&self) -> bool {
        [GYRATION_RADIUS, CENTROID_DISTANCE].contains(&self.name.as_str())
    }
}

/// The metrics of all runs, in the order in which the runs have them.
pub(super) fn pools(entries: &[Entry]) -> Vec<Pool> {
    let mut pools: Vec<Pool> = Vec::new();
    for (run, entry) in entries.iter().enumerate() {
        for family in families(&entry.run.outcome) {
            let at = pools
                .iter()
                .position(|pool| pool.name == family.name)
                .unwrap_or_else(|| {
                    pools.push(Pool {
                        name: family.name.clone(),
                        title: family.title.clone(),
                        members: Vec::new(),
                    });
                    pools.len() - 1
                });
            let Some(pool) = pools.get_mut(at) else { continue };
            for (column, label) in family.columns {
                let known = pool.members.iter().position(|(known, _)| *known == label);
                let member = known.unwrap_or_else(|| {
                    pool.members.push((label, vec![None; entries.len()]));
                    pool.members.len() - 1
                });
                if let Some(place) = pool
                    .members
                    .get_mut(member)
                    .and_then(|(_, columns)| columns.get_mut(run))
                {
                    *place = Some(column);
                }
            }
        }
    }
    pools
}

/// What is drawn: metrics, then errors and loss.
pub(super) fn quantities(entries: &[Entry], pools: &[Pool]) -> Vec<Quantity> {
    let mut all: Vec<Quantity> = pools.iter().flat_map(of_pool).collect();
    let everywhere = |curve: Curve| vec![Some(curve); entries.len()];
    let tested = |entry: &Entry| {
        let mut records = entry.run.outcome.replicas.iter().flat_map(|replica| &replica.records);
        records.any(|record| record.test_error.is_some())
    };
    all.push(plain(
        &format!("training-{ERROR}"),
        "Training error",
        everywhere(Curve::TrainError),
    ));
    if entries.iter().any(tested) {
        let curves = entries
            .iter()
            .map(|entry| tested(entry).then_some(Curve::TestError))
            .collect();
        all.push(plain(&format!("test-{ERROR}"), "Test error", curves));
    }
    all.push(plain(LOSS, "Loss", everywhere(Curve::Loss)));
    unique(&mut all);
    all
}

fn plain(name: &str, title: &str, curves: Vec<Option<Curve>>) -> Quantity {
    Quantity {
        name: name.to_owned(),
        title: title.to_owned(),
        note: None,
        curves,
    }
}

fn of_pool(pool: &Pool) -> Vec<Quantity> {
    let Pool { name, title, members } = pool;
    // A figure of one run compares nothing, unless no other run has the like.
    let runs_with = |columns: &[Option<usize>]| columns.iter().flatten().count();
    let has_any = |run: usize| {
        members
            .iter()
            .any(|(_, columns)| columns.get(run).is_some_and(Option::is_some))
    };
    let runs_in_all = members.first().map_or(0, |(_, columns)| columns.len());
    let several = (0..runs_in_all).filter(|&run| has_any(run)).count() > 1;
    let alone = several && members.iter().any(|(_, columns)| runs_with(columns) < 2);
    if members.len() <= SINGLE && !alone {
        let single = |(label, columns): &(String, Vec<Option<usize>>)| Quantity {
            name: if pool.has_labels() {
                format!("{name}-{}", slug(label))
            } else {
                name.clone()
            },
            title: pool.titled(label),
            note: None,
            curves: columns.iter().map(|column| column.map(Curve::Column)).collect(),
        };
        return members.iter().map(single).collect();
    }
    let of_run = |run: usize| {
        let columns: Vec<usize> = members
            .iter()
            .filter_map(|(_, columns)| columns.get(run).copied().flatten())
            .collect();
        (!columns.is_empty()).then_some(Curve::Mean(columns))
    };
    let of = if name.as_str() == CENTROID_DISTANCE {
        "pairs of classes"
    } else {
        "classes"
    };
    vec![Quantity {
        title: format!("{title}, mean of all {of}"),
        note: Some(format!(
            "The mean over the {of} of a run, of which the runs may have different ones."
        )),
        curves: (0..runs_in_all).map(of_run).collect(),
        name: name.clone(),
    }]
}

/// A label as a part of a file's name.
fn slug(label: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    let letters: String = label.chars().map(plain).take(40).collect();
    letters
        .split('-')
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

/// Numbers the names that are there before.
fn unique(quantities: &mut [Quantity]) {
    let names: Vec<String> = quantities.iter().map(|quantity| quantity.name.clone()).collect();
    for (at, quantity) in quantities.iter_mut().enumerate() {
        if names.iter().take(at).any(|earlier| *earlier == quantity.name) {
            quantity.name = format!("{}-{at}", quantity.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(members: usize, shared: bool) -> Pool {
        Pool {
            name: GYRATION_RADIUS.into(),
            title: "Gyration radius".into(),
            members: (0..members)
                .map(|k| (format!("class {k}"), vec![Some(k), (shared || k > 0).then_some(k)]))
                .collect(),
        }
    }

    #[test]
    fn few_classes_that_runs_share_have_a_figure_each() {
        let few = of_pool(&pool(2, true));
        assert_eq!(few.len(), 2);
        let names = (few[0].name.as_str(), few[0].title.as_str());
        assert_eq!(names, ("gyration-radius-class-0", "Gyration radius, class 0"));
        assert_eq!(few[1].curves, [Some(Curve::Column(1)), Some(Curve::Column(1))]);
        assert!(few.iter().all(|quantity| quantity.note.is_none()));
    }

    #[test]
    fn many_classes_or_different_ones_have_one_figure_of_means() {
        for pool in [pool(5, true), pool(3, false)] {
            let one = of_pool(&pool);
            assert_eq!(one.len(), 1);
            assert!(one[0].note.is_some());
            assert!(one[0].curves.iter().all(|curve| matches!(curve, Some(Curve::Mean(_)))));
        }
        let mut of_one = pool(2, true);
        of_one.members.iter_mut().for_each(|(_, columns)| columns[1] = None);
        assert_eq!(of_pool(&of_one).len(), 2, "no other run has the like");
    }

    #[test]
    fn names_of_files_are_plain_and_differ() {
        assert_eq!(slug("even – odd"), "even-odd");
        assert_eq!(slug("../../etc"), "etc");
        let mut quantities = vec![plain("a", "", vec![]), plain("a", "", vec![])];
        unique(&mut quantities);
        assert_ne!(quantities[0].name, quantities[1].name);
    }
}
