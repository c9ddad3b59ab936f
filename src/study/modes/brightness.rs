//! Light and dark pictures: what a network learns of two alike classes when brightness tells them apart for a fraction q of
//! the training pictures. A stand-in for the paper's experiment on cats and dogs, whose numbers are not at hand; nothing here
//! is promised, only reported.
//!
//! For a fraction q of the pictures those of the first class are darkened (x / 2), those of the second lightened
//! (x / 2 + 1/2). The network is tested on pictures as they are, on shifted ones and on ones with the brightness swapped.
//! At q = 1 brightness alone would do.

use super::descent::{Descent, Objective, Problem, Rows};
use super::findings::{Axis, Curve, Figure, Findings, Table};
use crate::backend::Backend;
use crate::data::streams::{Stream, generator, shuffle};
use crate::data::{DataError, Dataset, Images};
use crate::nn::{Activation, Architecture, Initializer, Loss, Optimizer};
use crate::study::StudyError;
use crate::study::number::Spread;
use crate::train::{Samples, TrainError};

/// What to train.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Labels of the two classes in the files.
    pub pair: [u8; 2],
    /// Fractions of the training pictures that are shifted, in [0, 1].
    pub fractions: Vec<f64>,
    /// Training pictures at most.
    pub samples: usize,
    /// Networks for each fraction.
    pub replicas: u64,
    /// Epochs: steps on all pictures.
    pub epochs: u64,
    /// Coefficient of the penalty of the second arm.
    pub penalty: f64,
    /// Seed.
    pub seed: u64,
}

/// Hidden units.
const WIDTH: usize = 64;
const LEARNING_RATE: f64 = 0.1;

/// Pixels in [0, 1] and classes of two labels.
fn pictures(images: &Images, plan: &Plan, most: usize, pixel_max: u32) -> Result<(Vec<f64>, Vec<u32>), DataError> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for row in 0..images.count {
        let label = images.labels.get(row).copied().unwrap_or_default();
        let Some(class) = plan.pair.iter().position(|&own| own == label) else {
            continue;
        };
        if labels.len() == most {
            break;
        }
        labels.push(class as u32);
        pixels.extend(images.image(row)?.iter().map(|&p| f64::from(p) / f64::from(pixel_max)));
    }
    Ok((pixels, labels))
}

/// Darkens class 0 and lightens class 1, or the other way round if `swapped`, where `chosen` says so.
fn shifted(pixels: &[f64], labels: &[u32], swapped: bool, chosen: impl Fn(usize) -> bool) -> Vec<f64> {
    let inputs = pixels.len() / labels.len().max(1);
    let mut all = pixels.to_vec();
    for (row, (picture, &label)) in all.chunks_exact_mut(inputs.max(1)).zip(labels).enumerate() {
        if chosen(row) {
            let light = if (label == 1) != swapped { 0.5 } else { 0.0 };
            picture.iter_mut().for_each(|p| *p = 0.5 * *p + light);
        }
    }
    all
}

/// Pixels around 0: brightness stays in them, large common inputs go.
fn centred(mut pixels: Vec<f64>) -> Vec<f64> {
    pixels.iter_mut().for_each(|p| *p -= 0.5);
    pixels
}

/// Checks that both classes have pictures to train and to test on.
///
/// # Errors
/// [`StudyError::Option`] for a label without.
pub fn check(plan: &Plan, dataset: &Dataset) -> Result<(), StudyError> {
    let parts = [
        (&dataset.train, plan.samples, "training"),
        (&dataset.test, usize::MAX, "test"),
    ];
    for (images, most, part) in parts {
        let (_, labels) = pictures(images, plan, most, dataset.pixel_max)?;
        for (class, label) in plan.pair.into_iter().enumerate() {
            if !labels.contains(&(class as u32)) {
                return Err(StudyError::Option {
                    detail: format!("--pair: no {part} picture that is taken has the label {label}"),
                });
            }
        }
    }
    Ok(())
}

/// The whole experiment.
///
/// # Errors
/// Those of [`check`] and of training.
pub fn run(
    plan: &Plan,
    dataset: &Dataset,
    backend: &dyn Backend,
    tell: &mut dyn FnMut(&str),
) -> Result<Findings, StudyError> {
    check(plan, dataset)?;
    let (train, train_labels) = pictures(&dataset.train, plan, plan.samples, dataset.pixel_max)?;
    let (test, test_labels) = pictures(&dataset.test, plan, usize::MAX, dataset.pixel_max)?;
    let inputs = train.len() / train_labels.len().max(1);
    let tests = [
        centred(test.clone()),
        centred(shifted(&test, &test_labels, false, |_| true)),
        centred(shifted(&test, &test_labels, true, |_| true)),
    ];
    let names = ["as they are", "shifted", "swapped"];
    let replicas: Vec<u64> = (0..plan.replicas).collect();
    // Which pictures are shifted: the first q of one order, so that more q means the same pictures and further ones.
    let mut rank: Vec<usize> = (0..train_labels.len()).collect();
    shuffle(&mut rank, &mut generator(plan.seed, Stream::Brightness { replica: 0 }));
    let mut place = vec![0; rank.len()];
    rank.iter()
        .enumerate()
        .for_each(|(place_of, &row)| place[row] = place_of);

    let mut table = Table::new(
        "brightness",
        &["arm", "q", "tested_on", "accuracy", "sd", "replicas"],
        true,
    );
    let mut curves = Vec::new();
    for (arm, penalty) in [("erm", 0.0), ("decoupled", plan.penalty)] {
        let mut points: [Vec<(f64, f64)>; 3] = Default::default();
        for &q in &plan.fractions {
            tell(&format!("{arm}, q = {q}"));
            let count = (q * train_labels.len() as f64).round() as usize;
            let features = centred(shifted(&train, &train_labels, false, |row| place[row] < count));
            let problem = Problem {
                architecture: Architecture {
                    inputs,
                    hidden: vec![WIDTH],
                    outputs: 1,
                    activation: Activation::Relu,
                    bias: true,
                },
                loss: Loss::Logistic,
                classes: 2,
                rule: Optimizer::Sgd.rule(0.9, 0.0).map_err(TrainError::from)?,
                replicas: replicas.len(),
                objectives: vec![Objective::decoupled(1.0, penalty, 2, 1)],
            };
            let initial = problem.architecture.initial(Initializer::Pytorch, plan.seed, &replicas);
            let rows = Rows {
                features: &features,
                labels: &train_labels,
                frequencies: None,
            };
            let others = tests.each_ref().map(|features| Samples {
                features,
                labels: &test_labels,
            });
            let mut descent = Descent::new(&problem, rows, &others, &initial, backend)?;
            for _ in 0..plan.epochs {
                descent.step(0, LEARNING_RATE)?;
            }
            for (n, name) in names.into_iter().enumerate() {
                let accuracy = descent.score(n + 1)?.accuracy;
                let spread = Spread::of(accuracy);
                let mean = spread.mean.unwrap_or(f64::NAN);
                points[n].push((q, mean));
                table.rows.push(vec![
                    arm.into(),
                    q.into(),
                    name.into(),
                    mean.into(),
                    spread.sd.into(),
                    plan.replicas.into(),
                ]);
            }
        }
        for (name, simulation) in names.into_iter().zip(points) {
            curves.push(Curve {
                label: format!("{name}, {arm}"),
                simulation,
                ..Curve::default()
            });
        }
    }
    let caption = format!(
        "{}: classes {} and {}, {} training pictures, network {inputs}-{WIDTH}-1, {} epochs, {} networks each; penalty {} in the \
         arm \"decoupled\". No theory, and nothing is promised.",
        dataset.name,
        plan.pair[0],
        plan.pair[1],
        train_labels.len(),
        plan.epochs,
        plan.replicas,
        plan.penalty
    );
    let at_all = curves.iter().filter(|c| c.label.starts_with("swapped"));
    let last: Vec<String> = at_all
        .filter_map(|c| {
            c.simulation
                .last()
                .map(|&(q, a)| format!("{a:.3} ({}, q = {q})", c.label))
        })
        .collect();
    Ok(Findings {
        title: "Light and dark pictures".into(),
        headline: format!("Right on pictures with the brightness swapped: {}.", last.join(", ")),
        figures: vec![Figure {
            name: "brightness".into(),
            title: "Right fraction of the test pictures".into(),
            caption,
            x: Axis::linear("fraction q of shifted training pictures"),
            y: Axis::linear("accuracy"),
            residual: None,
            curves,
        }],
        tables: vec![table],
        ..Findings::default()
    })
}
