//! Is the inversion the moment at which the network is the best linear predictor?
//!
//! Two linear predictors of the same samples, logistic regression and the support vector machine with squared hinge loss,
//! are trained until their gradient is small. After every epoch each network is compared with them: the fraction of the
//! training samples to which both give the same class (*agreement*), and the overlap 2C / (K1 + K2) of what they misclassify.

mod fit;

pub use fit::{Fitted, Problem, fit};

use crate::nn::Loss;
use crate::study::StudyError;
use crate::study::course;
use crate::study::extremum::{extremum, stops};
use crate::study::findings::{Across, Curve, Findings, Plot, Point, Table, cell};
use crate::study::inversion::misclassified;
use crate::study::number::{DASH, Spread, significant};
use crate::study::outcome::Turn;
use crate::study::parts::{Part, list};

use super::outputs::{Seen, each_epoch, said};
use super::{Bench, Progress};

/// The predictors: name, words, loss.
pub const PREDICTORS: [(&str, &str, Loss); 2] = [
    ("logistic", "logistic regression", Loss::Logistic),
    (
        "svm",
        "linear SVM (squared hinge)",
        Loss::SquaredHinge { threshold: 1.0 },
    ),
];
/// Evaluations after which a predictor that has not converged is given up.
const MOST: usize = 20_000;

/// How the predictors are trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fitting {
    /// Of the decay (lambda / 2) |w|^2.
    pub lambda: f64,
    /// The norm of the gradient at which they are done.
    pub gradient_norm: f64,
}

/// A linear predictor.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictor {
    /// Norm of the gradient that was reached.
    pub gradient_norm: f64,
    /// Evaluations of loss and gradient.
    pub evaluations: usize,
    /// Fraction of the training samples misclassified.
    pub train_error: f64,
    /// Of the test samples; NaN without any.
    pub test_error: f64,
    /// Places of the training samples misclassified.
    pub wrong: Vec<usize>,
}

/// What the study has measured. Curves are `[networks, epochs + 1]`, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// How the predictors were trained.
    pub fitting: Fitting,
    /// In the order of [`PREDICTORS`].
    pub predictors: Vec<Predictor>,
    /// Replica numbers.
    pub replicas: Vec<u64>,
    /// Epochs + 1.
    pub times: usize,
    /// Training error.
    pub error: Vec<f64>,
    /// Radius of class 0.
    pub radius: Vec<f64>,
    /// Agreement with each predictor.
    pub agreement: Vec<Vec<f64>>,
    /// Overlap of the misclassified samples with those of each predictor.
    pub overlap: Vec<Vec<f64>>,
    /// Training samples.
    pub samples: usize,
}

/// Fits the predictors and trains the networks.
///
/// # Errors
/// [`StudyError::Interrupted`]; [`StudyError::Train`].
pub fn run(bench: &mut Bench, fitting: Fitting) -> Result<Linear, StudyError> {
    let (recipe, data) = (bench.recipe, bench.data);
    let parts = PREDICTORS.len() + 1;
    let (mut predictors, mut classes) = (Vec::new(), Vec::new());
    for (n, (name, words, loss)) in PREDICTORS.into_iter().enumerate() {
        let part = bench.parts.part(name, || {
            let mut tell = |evaluations: usize, norm: f64| {
                bench.watcher.epoch(Progress {
                    doing: words,
                    part: n,
                    parts,
                    epoch: evaluations,
                    epochs: MOST,
                    train_error: norm,
                })
            };
            let problem = Problem {
                inputs: data.inputs,
                classes: data.classes.len(),
                train: data.train(),
                test: data.test(),
                loss,
                lambda: fitting.lambda,
            };
            let fitted = fit(&problem, fitting.gradient_norm, MOST, &mut tell)?;
            let of = |outputs: &[f64]| -> Vec<f64> {
                let rows = outputs.chunks_exact(loss.outputs(data.classes.len()));
                rows.map(|row| said(row).map_or(f64::NAN, f64::from)).collect()
            };
            Ok(vec![
                list(
                    "norm",
                    vec![fitted.minimum.gradient_norm, fitted.minimum.evaluations as f64],
                ),
                list("train", of(&fitted.train)),
                list("test", of(&fitted.test)),
            ])
        })?;
        let norm = part.values("norm", Some(2))?;
        let train = part.values("train", Some(data.train_labels.len()))?.to_vec();
        let test = part.values("test", Some(data.test_labels.len()))?;
        let wrong = wrong(&train, &data.train_labels);
        predictors.push(Predictor {
            gradient_norm: norm[0],
            evaluations: norm[1] as usize,
            train_error: wrong.len() as f64 / train.len() as f64,
            test_error: self::wrong(test, &data.test_labels).len() as f64 / test.len() as f64,
            wrong,
        });
        classes.push(train);
    }
    let (count, times) = (recipe.replicas.len(), recipe.epochs + 1);
    let part = networks(bench, &predictors, &classes, parts)?;
    let followed = bench.courses.read(&part, count)?;
    bench.courses.add_replicas(&recipe.replicas, followed);
    let size = Some(count * times);
    let of = |name: &str| -> Result<Vec<Vec<f64>>, StudyError> {
        let each = PREDICTORS.iter().map(|(predictor, ..)| format!("{name}/{predictor}"));
        each.map(|name| Ok(part.values(&name, size)?.to_vec())).collect()
    };
    Ok(Linear {
        fitting,
        predictors,
        replicas: recipe.replicas.clone(),
        times,
        error: part.values("error", size)?.to_vec(),
        radius: part.values("radius", size)?.to_vec(),
        agreement: of("agreement")?,
        overlap: of("overlap")?,
        samples: data.train_labels.len(),
    })
}

/// The networks, compared after every epoch.
fn networks(
    bench: &mut Bench,
    predictors: &[Predictor],
    classes: &[Vec<f64>],
    parts: usize,
) -> Result<Part, StudyError> {
    let (recipe, data, kept) = (bench.recipe, bench.data, bench.parts);
    let size = recipe.replicas.len() * (recipe.epochs + 1);
    kept.part("networks", || {
        let mut error = vec![0.0; size];
        let mut radius = vec![0.0; size];
        let mut agreement = vec![vec![0.0; size]; predictors.len()];
        let mut overlap = agreement.clone();
        let mut see = |seen: Seen| {
            let at = seen.network * (recipe.epochs + 1) + seen.epoch;
            (error[at], radius[at]) = (seen.error, seen.radius);
            let cols = recipe.architecture.outputs;
            let own: Vec<Option<u32>> = seen.outputs.chunks_exact(cols).map(said).collect();
            let missed = misclassified(seen.outputs, cols, &data.train_labels);
            for (n, (predictor, classes)) in predictors.iter().zip(classes).enumerate() {
                let same = own
                    .iter()
                    .zip(classes)
                    .filter(|(own, class)| own.map(f64::from) == Some(**class));
                agreement[n][at] = same.count() as f64 / own.len() as f64;
                overlap[n][at] = super::dice(
                    missed.len(),
                    predictor.wrong.len(),
                    super::common(&missed, &predictor.wrong),
                );
            }
        };
        let followed = each_epoch(bench, ("networks", parts - 1, parts), &mut see)?;
        let mut tensors = vec![list("error", error), list("radius", radius)];
        for (n, (name, ..)) in PREDICTORS.iter().enumerate() {
            tensors.push(list(&format!("agreement/{name}"), agreement[n].clone()));
            tensors.push(list(&format!("overlap/{name}"), overlap[n].clone()));
        }
        tensors.extend(course::kept(&followed));
        Ok(tensors)
    })
}

/// Places at which the class is not the label.
fn wrong(classes: &[f64], labels: &[u32]) -> Vec<usize> {
    let rows = classes.iter().zip(labels).enumerate();
    rows.filter(|(_, (class, label))| **class != f64::from(**label))
        .map(|(place, _)| place)
        .collect()
}

/// One network against one predictor.
struct Compared {
    /// Epoch of the minimum of R_0, if it has one.
    turn: Option<usize>,
    /// Epoch of the largest agreement, the first of equals.
    best: usize,
    /// Agreement there.
    most: f64,
    /// Agreement, overlap and network's error at the turn.
    at_turn: Option<(f64, f64, f64)>,
}

impl Linear {
    fn own<'l>(&self, values: &'l [f64], network: usize) -> &'l [f64] {
        &values[network * self.times..(network + 1) * self.times]
    }

    fn compared(&self, predictor: usize, network: usize) -> Compared {
        let turn = extremum(self.own(&self.radius, network), Turn::Minimum);
        let agreement = self.own(&self.agreement[predictor], network);
        let most = agreement.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let overlap = self.own(&self.overlap[predictor], network);
        let error = self.own(&self.error, network);
        Compared {
            turn,
            best: agreement.iter().position(|&v| v == most).unwrap_or(0),
            most,
            at_turn: turn.map(|t| (agreement[t], overlap[t], error[t])),
        }
    }

    fn stop(&self, network: usize) -> Option<usize> {
        let radius = self.own(&self.radius, network);
        (0..radius.len()).find(|&t| stops(radius, t))
    }
}

/// What was found.
pub fn findings(study: &Linear) -> Findings {
    let count = study.replicas.len();
    let mut words = format!(
        "Linear predictors with (lambda / 2) |w|^2, lambda = {}, trained to |gradient| <= {}:",
        study.fitting.lambda, study.fitting.gradient_norm
    );
    let mut numbers = Vec::new();
    let mut paragraphs = Vec::new();
    for (n, (name, said, _)) in PREDICTORS.into_iter().enumerate() {
        let predictor = &study.predictors[n];
        let reached = if predictor.gradient_norm <= study.fitting.gradient_norm {
            String::new()
        } else {
            format!(
                " (NOT converged: |gradient| = {})",
                significant(predictor.gradient_norm, 2)
            )
        };
        words.push_str(&format!(
            "{} {said} misclassifies {} of the training and {} of the test samples{reached}",
            if n > 0 { ";" } else { "" },
            significant(predictor.train_error, 3),
            significant(predictor.test_error, 3)
        ));
        let all: Vec<Compared> = (0..count).map(|network| study.compared(n, network)).collect();
        let with: Vec<&Compared> = all.iter().filter(|compared| compared.turn.is_some()).collect();
        let of = |part: &dyn Fn(&Compared) -> Option<f64>| Spread::of(all.iter().filter_map(part));
        let best = of(&|c| Some(c.best as f64));
        let most = of(&|c| Some(c.most));
        let turn = of(&|c| c.turn.map(|t| t as f64));
        let ahead = of(&|c| c.turn.map(|t| c.best as f64 - t as f64));
        let agreement = of(&|c| c.at_turn.map(|at| at.0));
        let overlap = of(&|c| c.at_turn.map(|at| at.1));
        let error = of(&|c| c.at_turn.map(|at| at.2));
        let mut number = |name: &str, value: Option<f64>| numbers.push((name.to_owned(), value.unwrap_or(f64::NAN)));
        number(&format!("{name}_train_error"), Some(predictor.train_error));
        number(&format!("{name}_test_error"), Some(predictor.test_error));
        number(&format!("{name}_gradient_norm"), Some(predictor.gradient_norm));
        number(&format!("{name}_agreement_most"), most.mean);
        number(&format!("{name}_agreement_most_epoch"), best.mean);
        number(&format!("{name}_agreement_at_inversion"), agreement.mean);
        number(&format!("{name}_overlap_at_inversion"), overlap.mean);
        if n == 0 {
            number("inversion_epoch", turn.mean);
            number("inversion_error", error.mean);
        }
        if with.is_empty() {
            paragraphs.push(format!(
                "No network has an inversion (a lasting minimum of R_0). Networks agree most with {said}, on {} of the training \
                 samples, at epoch {}.",
                most.plus_minus(),
                best.plus_minus()
            ));
            continue;
        }
        let verdict = match ahead.half_width().zip(ahead.mean) {
            Some((half, mean)) if mean.abs() > half => {
                let side = if mean < 0.0 { "before" } else { "after" };
                format!(
                    "the agreement is largest {} epochs {side} the inversion: the two moments are not the same",
                    Spread {
                        mean: Some(mean.abs()),
                        ..ahead
                    }
                    .plus_minus()
                )
            }
            Some(_) => "the moment of largest agreement is that of the inversion, within the 95 % interval".to_owned(),
            None => "with fewer than two such networks nothing is said of the moments".to_owned(),
        };
        paragraphs.push(format!(
            "{}: {} of {count} networks have an inversion, at epoch {} and training error {} (the predictor: {}). There they \
             give the predictor's class to {} of the training samples, and at most to {} (at epoch {}); {verdict}. The \
             misclassified samples at the inversion and the predictor's overlap by 2C/(K1+K2) = {} (random sets: {}).",
            capital(said),
            with.len(),
            turn.plus_minus(),
            error.plus_minus(),
            significant(predictor.train_error, 3),
            agreement.plus_minus(),
            most.plus_minus(),
            best.plus_minus(),
            overlap.plus_minus(),
            error.mean.map_or(DASH.into(), |error| {
                let (k1, k2) = (error, predictor.train_error);
                significant(2.0 * k1 * k2 / (k1 + k2), 2)
            })
        ));
    }
    words.push('.');
    paragraphs.insert(0, words);
    Findings {
        paragraphs,
        numbers,
        plots: plots(study),
        shown: vec![shown(study)],
        tables: vec![epochs(study), summary(study)],
        ..Findings::default()
    }
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters
        .next()
        .map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn plots(study: &Linear) -> Vec<Plot> {
    let count = study.replicas.len();
    let stop = Spread::of((0..count).filter_map(|network| study.stop(network)).map(|t| t as f64));
    let range = stop.mean.map(|_| (stop, "stop of the recipe".to_owned()));
    let curves = |values: &[Vec<f64>]| -> Vec<Curve> {
        let of = |(n, (_, words, _)): (usize, &(&str, &str, Loss))| {
            let line = |network| -> Vec<(f64, f64)> {
                let own = study.own(&values[n], network).iter();
                own.enumerate().map(|(t, &v)| (t as f64, v)).collect()
            };
            Curve::of(words, (0..count).map(line).collect())
        };
        PREDICTORS.iter().enumerate().map(of).collect()
    };
    let plot = |name: &str, title: &str, curves| Plot {
        name: name.into(),
        title: title.into(),
        across: Across::Epoch,
        logarithmic: false,
        curves,
        range: range.clone(),
        note: String::new(),
    };
    let network = |network| -> Vec<(f64, f64)> {
        let own = study.own(&study.error, network).iter();
        own.enumerate().map(|(t, &v)| (t as f64, v)).collect()
    };
    let mut errors = vec![Curve::of("network", (0..count).map(network).collect())];
    for (predictor, (_, words, _)) in study.predictors.iter().zip(PREDICTORS) {
        let point = |x: usize| Point {
            x: x as f64,
            y: predictor.train_error,
            half: None,
        };
        errors.push(Curve {
            label: words.into(),
            replicas: Vec::new(),
            mean: vec![point(0), point(study.times - 1)],
        });
    }
    let mut of_errors = plot("training-error", "Training error", errors);
    of_errors.logarithmic = true;
    vec![
        plot(
            "agreement",
            "Training samples given the same class, fraction",
            curves(&study.agreement),
        ),
        plot(
            "overlap",
            "Overlap of what network and predictor misclassify",
            curves(&study.overlap),
        ),
        of_errors,
    ]
}

fn shown(study: &Linear) -> Table {
    let head = ["Predictor", "Training error", "Test error", "|gradient|", "Evaluations"];
    let mut table = Table::new("Linear predictors", &head);
    for (predictor, (_, words, _)) in study.predictors.iter().zip(PREDICTORS) {
        table.rows.push(vec![
            words.into(),
            significant(predictor.train_error, 4),
            significant(predictor.test_error, 4),
            significant(predictor.gradient_norm, 2),
            predictor.evaluations.to_string(),
        ]);
    }
    table
}

/// `agreement.csv`: a row per network and epoch.
fn epochs(study: &Linear) -> Table {
    let head = [
        "replica",
        "epoch",
        "train_error",
        "gyration_radius_0",
        "agreement_logistic",
        "agreement_svm",
        "overlap_logistic",
        "overlap_svm",
    ];
    let mut table = Table::new("agreement", &head);
    for (network, number) in study.replicas.iter().enumerate() {
        for t in 0..study.times {
            let at = network * study.times + t;
            let mut row = vec![
                number.to_string(),
                t.to_string(),
                cell(study.error[at]),
                cell(study.radius[at]),
            ];
            row.extend(
                study
                    .agreement
                    .iter()
                    .chain(&study.overlap)
                    .map(|values| cell(values[at])),
            );
            table.rows.push(row);
        }
    }
    table
}

/// `linear.csv`: a row per network and predictor.
fn summary(study: &Linear) -> Table {
    let head = [
        "predictor",
        "replica",
        "predictor_train_error",
        "predictor_test_error",
        "inversion_epoch",
        "inversion_error",
        "agreement_at_inversion",
        "overlap_at_inversion",
        "best_epoch",
        "best_agreement",
    ];
    let mut table = Table::new("linear", &head);
    for (n, (name, ..)) in PREDICTORS.iter().enumerate() {
        for (network, number) in study.replicas.iter().enumerate() {
            let compared = study.compared(n, network);
            table.rows.push(vec![
                (*name).into(),
                number.to_string(),
                cell(study.predictors[n].train_error),
                cell(study.predictors[n].test_error),
                compared.turn.map_or(String::new(), |t| t.to_string()),
                cell(compared.at_turn.map(|at| at.2)),
                cell(compared.at_turn.map(|at| at.0)),
                cell(compared.at_turn.map(|at| at.1)),
                compared.best.to_string(),
                cell(compared.most),
            ]);
        }
    }
    table
}
