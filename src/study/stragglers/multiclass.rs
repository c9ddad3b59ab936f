//! Ten-way networks: a radius per class, each with an inversion of its own, and the stragglers of each class against the
//! error of the class.
//!
//! The stragglers of class c are its samples that are misclassified at the first lasting minimum of R_c. The third-party
//! replication of the released recipe counts, by mistake, those at the last inversion of any class for all of them; both
//! are here, and those at the stop of the recipe (first t >= 20 with R_0(t) >= R_0(t - 1)) beside them.

use super::super::correlation::{pearson, spearman};
use super::super::course::kept;
use super::super::error::StudyError;
use super::super::extremum::extremum;
use super::super::findings::{Across, Curve, Findings, Plot, Point, Table, cell};
use super::super::follow::Follow;
use super::super::inversion::{leading, misclassified, turning_columns};
use super::super::number::{DASH, Spread, significant};
use super::super::outcome::Turn;
use super::super::parts::list;
use super::{Bench, Progress, Training, follow};
use crate::nn::Schedule;
use crate::train::{Recipe, Samples, Trainer};

/// What the study has measured. Arrays are `[replicas, classes]`, row-major, unless said otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Multiclass {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Training samples of each class.
    pub samples: Vec<usize>,
    /// Replica numbers.
    pub replicas: Vec<u64>,
    /// `[replicas, classes, epochs + 1]`: the radius of each class.
    pub radii: Vec<f64>,
    /// `[replicas, epochs + 1]`: the training error.
    pub errors: Vec<f64>,
    /// Epoch of the inversion of each class.
    pub turns: Vec<Option<usize>>,
    /// Samples of each class that are misclassified at its own inversion.
    pub own: Vec<Option<f64>>,
    /// Those misclassified at the last inversion of any class of the replica.
    pub last: Vec<Option<f64>>,
    /// Those misclassified at the stop of the recipe.
    pub stop: Vec<Option<f64>>,
    /// Fraction of each class' training samples misclassified at the end.
    pub train_error: Vec<f64>,
    /// Fraction of each class' test samples misclassified at the end; NaN for a class without any.
    pub test_error: Vec<f64>,
}

impl Multiclass {
    fn epochs(&self) -> usize {
        self.errors.len() / self.replicas.len().max(1)
    }

    fn radius(&self, replica: usize, class: usize) -> &[f64] {
        let start = (replica * self.classes.len() + class) * self.epochs();
        &self.radii[start..start + self.epochs()]
    }

    fn of_class<T: Copy>(&self, values: &[T], class: usize) -> Vec<T> {
        values
            .iter()
            .skip(class)
            .step_by(self.classes.len().max(1))
            .copied()
            .collect()
    }
}

/// Trains, and trains again to the inversions, which are known only afterwards.
///
/// # Errors
/// Those of the trainer; [`StudyError::Interrupted`].
pub fn run(bench: &mut Bench) -> Result<Multiclass, StudyError> {
    let (recipe, data) = (bench.recipe, bench.data);
    let (count, classes) = (recipe.replicas.len(), data.classes.len());
    let times = recipe.epochs + 1;
    let first = bench.parts.part("curves", || {
        let mut tell = |epoch, train_error| {
            bench.watcher.epoch(Progress {
                doing: "training",
                part: 0,
                parts: 2,
                epoch,
                epochs: recipe.epochs,
                train_error,
            })
        };
        let training = Training {
            recipe,
            data,
            initial: bench.initial,
            weights: None,
            labels: None,
            sets_at: &[recipe.epochs],
            records: true,
            follow: bench.follow,
        };
        let followed = follow(training, bench.backend, &mut tell)?;
        let offset = leading(&turning_columns(classes, &recipe.layers), &recipe.layers);
        let mut radii = Vec::with_capacity(count * classes * times);
        for records in &followed.records {
            for class in 0..classes {
                radii.extend(records.iter().map(|record| record.metrics[offset + class]));
            }
        }
        let errors = followed
            .records
            .iter()
            .flatten()
            .map(|record| record.train_error)
            .collect();
        let mut stop = Vec::new();
        for halt in &followed.stops {
            match halt {
                Some(halt) => stop.extend(per_class(&halt.set, &data.train_labels, classes)),
                None => stop.extend(vec![f64::NAN; classes]),
            }
        }
        let mut train = Vec::new();
        for set in followed.sets.iter().flatten() {
            train.extend(fractions(&places(set), &data.train_labels, classes));
        }
        let test = match data.test() {
            None => vec![f64::NAN; count * classes],
            Some(samples) => {
                let mut trainer = Trainer::new(recipe.clone(), samples, None, &followed.parameters, bench.backend)?;
                class_errors(&mut trainer, samples, recipe, classes)?
            }
        };
        let mut tensors = vec![
            list("radii", radii),
            list("errors", errors),
            list("stop", stop),
            list("train", train),
            list("test", test),
        ];
        tensors.extend(kept(&followed.courses));
        Ok(tensors)
    })?;
    let courses = bench.courses.read(&first, count)?;
    bench.courses.add_replicas(&recipe.replicas, courses);
    let radii = first.values("radii", Some(count * classes * times))?.to_vec();
    let turns: Vec<Option<usize>> = radii
        .chunks_exact(times)
        .map(|radius| extremum(radius, Turn::Minimum))
        .collect();
    let mut wanted: Vec<usize> = turns.iter().flatten().copied().collect();
    wanted.sort_unstable();
    wanted.dedup();
    let second = bench.parts.part("sets", || {
        let mut recipe: Recipe = recipe.clone();
        // What the learning rate does at an epoch may depend on how many there are.
        if recipe.schedule == Schedule::Constant {
            recipe.epochs = wanted.last().copied().unwrap_or(0);
        }
        let mut tell = |epoch, train_error| {
            bench.watcher.epoch(Progress {
                doing: "the same again, up to the inversions",
                part: 1,
                parts: 2,
                epoch,
                epochs: recipe.epochs,
                train_error,
            })
        };
        let training = Training {
            recipe: &recipe,
            data,
            initial: bench.initial,
            weights: None,
            labels: None,
            sets_at: &wanted,
            records: false,
            follow: &Follow::default(),
        };
        let followed = follow(training, bench.backend, &mut tell)?;
        let (mut own, mut last) = (Vec::new(), Vec::new());
        for (replica, turns) in turns.chunks_exact(classes.max(1)).enumerate() {
            let counts = |epoch: usize| -> Vec<f64> {
                let at = wanted.binary_search(&epoch).unwrap_or_default();
                let set = followed.sets.get(at).and_then(|sets| sets.get(replica));
                let set = set.map_or(Vec::new(), |set| places(set));
                per_class(&set, &data.train_labels, classes)
            };
            let at_class = |(class, turn): (usize, &Option<usize>)| turn.map_or(f64::NAN, |epoch| counts(epoch)[class]);
            own.extend(turns.iter().enumerate().map(at_class));
            match turns.iter().flatten().max() {
                Some(&epoch) => last.extend(counts(epoch)),
                None => last.extend(vec![f64::NAN; classes]),
            }
        }
        Ok(vec![list("own", own), list("last", last)])
    })?;
    let per_replica = Some(count * classes);
    let optional = |values: &[f64]| values.iter().map(|&v| (!v.is_nan()).then_some(v)).collect::<Vec<_>>();
    Ok(Multiclass {
        classes: data.classes.clone(),
        samples: (0..classes)
            .map(|class| {
                data.train_labels
                    .iter()
                    .filter(|&&label| label as usize == class)
                    .count()
            })
            .collect(),
        replicas: recipe.replicas.clone(),
        errors: first.values("errors", Some(count * times))?.to_vec(),
        turns,
        own: optional(second.values("own", per_replica)?),
        last: optional(second.values("last", per_replica)?),
        stop: optional(first.values("stop", per_replica)?),
        train_error: first.values("train", per_replica)?.to_vec(),
        test_error: first.values("test", per_replica)?.to_vec(),
        radii,
    })
}

/// The places of a set, without what the network calls them.
fn places(set: &[(usize, u32)]) -> Vec<usize> {
    set.iter().map(|&(place, _)| place).collect()
}

/// How many of the samples at these places each class has.
fn per_class(places: &[usize], labels: &[u32], classes: usize) -> Vec<f64> {
    let mut counts = vec![0.0; classes];
    for count in places.iter().filter_map(|&place| labels.get(place)) {
        counts[*count as usize] += 1.0;
    }
    counts
}

/// Which part of each class' samples is at these places; NaN for a class without samples.
fn fractions(places: &[usize], labels: &[u32], classes: usize) -> Vec<f64> {
    let all: Vec<usize> = (0..labels.len()).collect();
    let of = per_class(&all, labels, classes);
    per_class(places, labels, classes)
        .iter()
        .zip(of)
        .map(|(n, of)| n / of)
        .collect()
}

/// The error of each class on a trainer's samples, `[replicas, classes]`.
fn class_errors(
    trainer: &mut Trainer,
    samples: Samples,
    recipe: &Recipe,
    classes: usize,
) -> Result<Vec<f64>, StudyError> {
    trainer.measure()?;
    let outputs = trainer.outputs()?;
    let own = outputs.len() / recipe.replicas.len().max(1);
    let of_replica = |outputs: &[f64]| {
        let wrong = misclassified(outputs, recipe.architecture.outputs, samples.labels);
        fractions(&wrong, samples.labels, classes)
    };
    Ok(outputs.chunks_exact(own.max(1)).flat_map(of_replica).collect())
}

/// A way of counting the stragglers of each class.
struct Count<'m> {
    name: &'static str,
    words: &'static str,
    values: &'m [Option<f64>],
}

fn counts(study: &Multiclass) -> [Count<'_>; 3] {
    [
        Count {
            name: "own",
            words: "at the inversion of the class",
            values: &study.own,
        },
        Count {
            name: "last",
            words: "at the last inversion of any class",
            values: &study.last,
        },
        Count {
            name: "stop",
            words: "at the stop of the recipe",
            values: &study.stop,
        },
    ]
}

/// Correlation of counts and test errors: over the classes' means, and in each replica.
struct Correlated {
    pearson: Option<f64>,
    spearman: Option<f64>,
    each: Spread,
    /// Classes that have both.
    classes: usize,
}

fn correlated(study: &Multiclass, counts: &[Option<f64>]) -> Correlated {
    let classes = study.classes.len();
    let mean = |values: Vec<Option<f64>>| Spread::of(values.into_iter().flatten()).mean;
    let means: Vec<(f64, f64)> = (0..classes)
        .filter_map(|class| {
            let error = Spread::of(study.of_class(&study.test_error, class)).mean?;
            Some((mean(study.of_class(counts, class))?, error))
        })
        .collect();
    let (x, y): (Vec<f64>, Vec<f64>) = means.into_iter().unzip();
    let in_replica = |(counts, errors): (&[Option<f64>], &[f64])| {
        let both = counts
            .iter()
            .zip(errors)
            .filter_map(|(count, error)| Some(((*count)?, *error)));
        let (x, y): (Vec<f64>, Vec<f64>) = both.filter(|(_, error)| error.is_finite()).unzip();
        // Two points always lie on a line.
        if x.len() > 2 { pearson(&x, &y) } else { None }
    };
    let replicas = counts
        .chunks_exact(classes.max(1))
        .zip(study.test_error.chunks_exact(classes.max(1)));
    Correlated {
        pearson: if x.len() > 2 { pearson(&x, &y) } else { None },
        spearman: if x.len() > 2 { spearman(&x, &y) } else { None },
        each: Spread::of(replicas.filter_map(in_replica)),
        classes: x.len(),
    }
}

/// What was found.
pub fn findings(study: &Multiclass) -> Findings {
    let (classes, count) = (study.classes.len(), study.replicas.len());
    let of = |values: Vec<Option<f64>>| Spread::of(values.into_iter().flatten());
    let turned = study.turns.iter().flatten().count();
    let never: Vec<&str> = (0..classes)
        .filter(|&class| study.of_class(&study.turns, class).iter().all(Option::is_none))
        .map(|class| study.classes[class].as_str())
        .collect();
    let mut words = format!(
        "In {count} networks of {classes} classes, {turned} of the {} radii have an inversion",
        count * classes
    );
    let epochs: Vec<(Spread, &str)> = (0..classes)
        .map(|class| {
            let epochs = study.of_class(&study.turns, class).into_iter();
            let epochs = epochs.map(|turn| turn.map(|epoch| epoch as f64));
            (of(epochs.collect()), study.classes[class].as_str())
        })
        .filter(|(epoch, _)| epoch.mean.is_some())
        .collect();
    let by = |a: &&(Spread, &str), b: &&(Spread, &str)| a.0.mean.unwrap_or(0.0).total_cmp(&b.0.mean.unwrap_or(0.0));
    if let (Some(first), Some(last)) = (epochs.iter().min_by(by), epochs.iter().max_by(by))
        && first.1 != last.1
    {
        words.push_str(&format!(
            ", the earliest that of class {} (epoch {}), the latest that of class {} (epoch {})",
            first.1,
            first.0.plus_minus(),
            last.1,
            last.0.plus_minus()
        ));
    }
    words.push('.');
    if !never.is_empty() {
        words.push_str(&format!(" No network has one in class {}.", never.join(", ")));
    }
    let mut numbers = vec![
        ("radii_that_turn".to_owned(), turned as f64),
        ("radii".to_owned(), (count * classes) as f64),
    ];
    for Count {
        name,
        words: place,
        values,
    } in counts(study)
    {
        let found = correlated(study, values);
        let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
        numbers.push((format!("pearson_{name}"), number(found.pearson)));
        numbers.push((format!("spearman_{name}"), number(found.spearman)));
        if let (Some(r), Some(rho)) = (found.pearson, found.spearman) {
            words.push_str(&format!(
                " Stragglers {place} against the test error of the class: Pearson {}, Spearman {} over the means of {} classes \
                 ({} in single networks).",
                significant(r, 2),
                significant(rho, 2),
                found.classes,
                found.each.plus_minus()
            ));
        } else {
            words.push_str(&format!(
                " Stragglers {place}: too few classes have any to say how they go with the error."
            ));
        }
    }
    Findings {
        paragraphs: vec![words],
        numbers,
        plots: vec![radii(study), against_error(study)],
        shown: vec![shown(study)],
        tables: vec![per_network(study)],
        ..Findings::default()
    }
}

fn radii(study: &Multiclass) -> Plot {
    let curve = |class: usize| {
        let replica = |replica| -> Vec<(f64, f64)> {
            let radius = study.radius(replica, class).iter();
            radius
                .enumerate()
                .map(|(epoch, &value)| (epoch as f64, value))
                .collect()
        };
        Curve::of(&study.classes[class], (0..study.replicas.len()).map(replica).collect())
    };
    Plot {
        name: "radii".into(),
        title: "Gyration radius of each class".into(),
        across: Across::Epoch,
        logarithmic: false,
        curves: (0..study.classes.len()).map(curve).collect(),
        range: None,
        note: String::new(),
    }
}

fn against_error(study: &Multiclass) -> Plot {
    let curve = |class: usize| {
        let counts = study.of_class(&study.own, class).into_iter();
        let points = counts.zip(study.of_class(&study.test_error, class));
        let points: Vec<(f64, f64)> = points
            .filter_map(|(count, error)| Some((count?, error)))
            .filter(|(_, error)| error.is_finite())
            .collect();
        let of = |part: fn(&(f64, f64)) -> f64| Spread::of(points.iter().map(part)).mean;
        let mean = of(|point| point.0).zip(of(|point| point.1));
        Curve {
            label: study.classes[class].clone(),
            // A point alone could hardly be seen.
            replicas: points.iter().filter_map(|&point| Some(vec![mean?, point])).collect(),
            mean: mean.map(|(x, y)| Point { x, y, half: None }).into_iter().collect(),
        }
    };
    Plot {
        name: "stragglers-against-error".into(),
        title: "Test error of each class at the end".into(),
        across: Across::Linear("stragglers of the class at its inversion".into()),
        logarithmic: false,
        curves: (0..study.classes.len()).map(curve).collect(),
        range: None,
        note: "A dot per class: the mean of its networks, with a line to each of them.".into(),
    }
}

fn shown(study: &Multiclass) -> Table {
    let head = [
        "Class",
        "Samples",
        "Networks that turn",
        "Epoch",
        "Stragglers at its inversion",
        "At the last inversion",
        "At the stop",
        "Test error",
    ];
    let mut table = Table::new("Classes", &head);
    for (class, name) in study.classes.iter().enumerate() {
        let turns = study.of_class(&study.turns, class);
        let spread =
            |values: &[Option<f64>]| Spread::of(study.of_class(values, class).into_iter().flatten()).plus_minus();
        let turned: Vec<f64> = turns.iter().flatten().map(|&epoch| epoch as f64).collect();
        table.rows.push(vec![
            name.clone(),
            study.samples.get(class).map_or(DASH.into(), usize::to_string),
            format!("{} of {}", turned.len(), turns.len()),
            Spread::of(turned).plus_minus(),
            spread(&study.own),
            spread(&study.last),
            spread(&study.stop),
            Spread::of(study.of_class(&study.test_error, class)).plus_minus(),
        ]);
    }
    table
}

/// `classes.csv`: a row per replica and class.
fn per_network(study: &Multiclass) -> Table {
    let head = [
        "replica",
        "class",
        "samples",
        "epoch",
        "error",
        "value",
        "stragglers",
        "stragglers_at_last",
        "stragglers_at_stop",
        "last_train_error",
        "last_test_error",
    ];
    let mut table = Table::new("classes", &head);
    let classes = study.classes.len();
    for (replica, number) in study.replicas.iter().enumerate() {
        for (class, name) in study.classes.iter().enumerate() {
            let at = replica * classes + class;
            let turn = study.turns[at];
            table.rows.push(vec![
                number.to_string(),
                name.clone(),
                study.samples[class].to_string(),
                turn.map_or(String::new(), |epoch| epoch.to_string()),
                cell(turn.map(|epoch| study.errors[replica * study.epochs() + epoch])),
                cell(turn.map(|epoch| study.radius(replica, class)[epoch])),
                cell(study.own[at]),
                cell(study.last[at]),
                cell(study.stop[at]),
                cell(study.train_error[at]),
                cell(study.test_error[at]),
            ]);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two replicas of three classes; the third never turns.
    fn study() -> Multiclass {
        let curve = |turn: usize| (0..=60).map(move |t: usize| t.abs_diff(turn) as f64 * 0.01);
        let falling = || (0..=60).map(|t| 1.0 - t as f64 * 0.01);
        let radii: Vec<f64> = [(25, 30), (27, 31)]
            .into_iter()
            .flat_map(|(a, b)| curve(a).chain(curve(b)).chain(falling()).collect::<Vec<_>>())
            .collect();
        let turns = radii.chunks(61).map(|radius| extremum(radius, Turn::Minimum)).collect();
        Multiclass {
            classes: ["0", "1", "2"].map(String::from).to_vec(),
            samples: vec![10, 10, 12],
            replicas: vec![4, 5],
            radii,
            errors: vec![0.1; 122],
            turns,
            own: vec![Some(3.0), Some(6.0), None, Some(3.0), Some(8.0), None],
            last: vec![Some(2.0), Some(6.0), Some(9.0), Some(2.0), Some(8.0), Some(11.0)],
            stop: vec![None; 6],
            train_error: vec![0.0; 6],
            test_error: vec![0.1, 0.2, 0.3, 0.1, 0.25, 0.3],
        }
    }

    #[test]
    fn each_class_has_its_own_inversion_and_the_means_are_correlated() {
        let study = study();
        assert_eq!(study.turns, [Some(25), Some(30), None, Some(27), Some(31), None]);
        let found = correlated(&study, &study.last);
        assert_eq!((found.classes, found.spearman), (3, Some(1.0)));
        let by_hand = |x: [f64; 3], y: [f64; 3]| {
            let (mx, my) = (x.iter().sum::<f64>() / 3.0, y.iter().sum::<f64>() / 3.0);
            let sum = |f: &dyn Fn(usize) -> f64| (0..3).map(f).sum::<f64>();
            sum(&|i| (x[i] - mx) * (y[i] - my)) / (sum(&|i| (x[i] - mx).powi(2)) * sum(&|i| (y[i] - my).powi(2))).sqrt()
        };
        let expected = by_hand([2.0, 7.0, 10.0], [0.1, 0.225, 0.3]);
        assert!((found.pearson.unwrap() - expected).abs() < 1e-12);
        // Of its own inversion only two classes have one: no correlation is told.
        assert!(correlated(&study, &study.own).pearson.is_none());
        let words = &findings(&study).paragraphs[0];
        assert!(words.contains("4 of the 6 radii"), "{words}");
        assert!(words.contains("No network has one in class 2."), "{words}");
        assert!(words.contains("earliest that of class 0 (epoch 26.0 ± 1.4)"), "{words}");
    }

    #[test]
    fn counts_are_by_class() {
        let labels = [0, 1, 1, 2, 1];
        assert_eq!(per_class(&[1, 2, 3], &labels, 3), [0.0, 2.0, 1.0]);
        assert_eq!(fractions(&[1, 2, 3], &labels, 3), [0.0, 2.0 / 3.0, 1.0]);
    }
}
