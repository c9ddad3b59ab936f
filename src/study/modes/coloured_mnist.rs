//! Coloured MNIST with empirical risk and with spectral decoupling, as Pezeshki et al. (2021) report it in their Table 1.
//! The data are those of Arjovsky et al. (2019, arXiv:1907.02893); the numbers are those of the authors' published scripts.
//!
//! Of each image every second row and column is taken (14 x 14, bytes / 255). Its label is 1 for the digits 0 to 4, flipped
//! for a quarter of the images; its colour is the label, flipped with probability e; it stands in the channel of its colour,
//! the other one is 0. The first 50,000 training images are shuffled and dealt in turn to two environments with e = 0.2 and
//! 0.1; the last 10,000 are the test environment with e = 0.9, where the colour points the wrong way.
//!
//! A network 392-300-300-1 (ReLU, Glorot's uniform weights, biases 0) learns both training environments at once by Adam
//! with learning rate 1e-4:
//!
//! | arm | steps | objective |
//! |---|---|---|
//! | `erm` | 1,000 | mean logistic loss |
//! | `sd` | 2,000 | mean logistic loss + c mean y^2 for 450 steps, then c (mean loss + mean y^2); c = 2e-5 |
//!
//! (The scripts count 1,001 and 2,001 steps and score before the last; so does this.) Reported there, 10 restarts, mean and
//! deviation in percent: ERM train 91.08 +- 0.43, test 23.70 +- 0.76; SD train 70.04 +- 0.91, test 68.40 +- 1.24.

use rand_chacha::rand_core::Rng;

use super::descent::{Descent, Objective, Problem, Rows, Score};
use super::findings::{Axis, Curve, Distance, Figure, Findings, Source, Table};
use crate::autograd::OptimizerStates;
use crate::backend::Backend;
use crate::data::streams::{Stream, generator, shuffle};
use crate::data::{DataError, Images};
use crate::nn::network::Parameters;
use crate::nn::{Activation, Architecture, Initializer, Loss, Optimizer};
use crate::study::StudyError;
use crate::study::number::Spread;
use crate::train::{Samples, TrainError};

/// Images of the two training environments together.
pub const TRAIN_IMAGES: usize = 50_000;
/// Steps between two records of a curve.
pub const RECORD_EVERY: u64 = 50;

const LABEL_NOISE: f64 = 0.25;
const TEST_FLIPS: f64 = 0.9;
const LEARNING_RATE: f64 = 1e-4;

/// What is minimised, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// Empirical risk minimisation: the loss alone.
    Erm,
    /// Spectral decoupling.
    Sd,
}

/// Both arms.
pub const ARMS: [Arm; 2] = [Arm::Erm, Arm::Sd];

impl Arm {
    /// `erm` or `sd`.
    pub fn name(self) -> &'static str {
        match self {
            Arm::Erm => "erm",
            Arm::Sd => "sd",
        }
    }

    /// Steps that the authors' scripts take.
    pub fn steps(self) -> u64 {
        match self {
            Arm::Erm => 1000,
            Arm::Sd => 2000,
        }
    }

    /// Mean and deviation in the authors' Table 1: train and test accuracy.
    pub fn reported(self) -> [(f64, f64); 2] {
        match self {
            Arm::Erm => [(0.9108, 0.0043), (0.2370, 0.0076)],
            Arm::Sd => [(0.7004, 0.0091), (0.6840, 0.0124)],
        }
    }

    fn objectives(self) -> Vec<Objective> {
        const COEFFICIENT: f64 = 2e-5;
        match self {
            Arm::Erm => vec![Objective::loss()],
            Arm::Sd => vec![
                Objective::decoupled(1.0, COEFFICIENT, 2, 1),
                Objective::decoupled(COEFFICIENT, 1.0, 2, 1),
            ],
        }
    }

    /// Which of the objectives holds at a step, counted from 0.
    fn objective(self, step: u64) -> usize {
        const DELAY: u64 = 450;
        usize::from(self == Arm::Sd && step >= DELAY)
    }
}

/// Images as rows with their labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Coloured {
    /// `[labels.len(), 2 * pixels]`: the channel of colour 0, then that of colour 1.
    pub features: Vec<f64>,
    /// 1 for the digits 0 to 4 before the flips.
    pub labels: Vec<u32>,
}

/// A point of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Steps done.
    pub step: u64,
    /// Mean logistic loss on the training environments.
    pub train_loss: f64,
    /// Right fraction of them.
    pub train_accuracy: f64,
    /// Right fraction of the test environment.
    pub test_accuracy: f64,
}

/// A restart between two steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Halted {
    /// The parameters.
    pub parameters: Parameters,
    /// What Adam carries.
    pub states: OptimizerStates,
    /// Steps done.
    pub steps: u64,
    /// The curve so far.
    pub curve: Vec<Point>,
}

/// Numbers in [0, 1) for coin tosses.
struct Coins<R>(R);

impl<R: Rng> Coins<R> {
    /// True with probability p: 53 random bits are as many as a double has.
    fn toss(&mut self, p: f64) -> bool {
        ((self.0.next_u64() >> 11) as f64) * (1.0 / (1u64 << 53) as f64) < p
    }
}

/// Training and test environments of a restart, out of the training images of MNIST.
///
/// # Errors
/// [`StudyError::Option`] for fewer than 2 images, or for colour images.
pub fn environments(
    images: &Images,
    train: usize,
    seed: u64,
    restart: u64,
) -> Result<(Coloured, Coloured), StudyError> {
    if images.channels != 1 || train < 2 || images.count <= train {
        return Err(StudyError::Option {
            detail: format!(
                "{} images of {} channels: expected grey ones, at least 2 to train on and 1 to test on",
                images.count, images.channels
            ),
        });
    }
    let mut rng = generator(seed, Stream::ColouredImages { restart });
    let mut order: Vec<usize> = (0..train).collect();
    shuffle(&mut order, &mut rng);
    let mut coins = Coins(rng);
    let dealt = order.into_iter().enumerate();
    let flips: Vec<(usize, f64)> = dealt.map(|(n, row)| (row, [0.2, 0.1][n % 2])).collect();
    let last: Vec<(usize, f64)> = (train..images.count).map(|row| (row, TEST_FLIPS)).collect();
    Ok((
        coloured(images, &flips, &mut coins)?,
        coloured(images, &last, &mut coins)?,
    ))
}

/// Images by row, with the probability that the colour is not the label.
fn coloured<R: Rng>(images: &Images, rows: &[(usize, f64)], coins: &mut Coins<R>) -> Result<Coloured, DataError> {
    let (high, wide) = (images.height.div_ceil(2), images.width.div_ceil(2));
    let pixels = high * wide;
    let mut features = vec![0.0; rows.len() * 2 * pixels];
    let mut labels = Vec::with_capacity(rows.len());
    for (&(row, flips), into) in rows.iter().zip(features.chunks_exact_mut(2 * pixels)) {
        let image = images.image(row)?;
        let label = (images.labels.get(row).copied().unwrap_or_default() < 5) ^ coins.toss(LABEL_NOISE);
        let colour = label ^ coins.toss(flips);
        labels.push(u32::from(label));
        let into = &mut into[usize::from(colour) * pixels..][..pixels];
        for (n, value) in into.iter_mut().enumerate() {
            let (y, x) = (2 * (n / wide), 2 * (n % wide));
            *value = f64::from(image[y * images.width + x]) / 255.0;
        }
    }
    Ok(Coloured { features, labels })
}

/// What a restart is asked for after each record: to go on, or to stop with what it has.
pub type Ask<'a> = &'a mut dyn FnMut(&Descent, &[Point]) -> Result<bool, StudyError>;

/// Trains one arm of one restart for `steps` steps and records every [`RECORD_EVERY`]. `ask` is called after each step
/// with the curve so far; when it answers `false` the restart ends early.
///
/// # Errors
/// Those of training and of `ask`.
pub fn run(
    arm: Arm,
    (train, test): (&Coloured, &Coloured),
    steps: u64,
    (seed, restart): (u64, u64),
    from: Option<Halted>,
    backend: &dyn Backend,
    ask: Ask,
) -> Result<Vec<Point>, StudyError> {
    let architecture = Architecture {
        inputs: train.features.len() / train.labels.len().max(1),
        hidden: vec![300, 300],
        outputs: 1,
        activation: Activation::Relu,
        bias: true,
    };
    let initial = match &from {
        Some(halted) => halted.parameters.clone(),
        None => architecture.initial(Initializer::XavierUniform, seed, &[restart]),
    };
    let problem = Problem {
        architecture,
        loss: Loss::Logistic,
        classes: 2,
        rule: Optimizer::Adam.rule(0.0, 0.0).map_err(TrainError::from)?,
        replicas: 1,
        objectives: arm.objectives(),
    };
    let rows = Rows {
        features: &train.features,
        labels: &train.labels,
        frequencies: None,
    };
    let test = Samples {
        features: &test.features,
        labels: &test.labels,
    };
    let mut descent = Descent::new(&problem, rows, &[test], &initial, backend)?;
    let mut curve = Vec::new();
    if let Some(halted) = from {
        descent.write_states(&halted.states, halted.steps)?;
        curve = halted.curve;
    }
    loop {
        let done = descent.steps();
        let recorded = curve.last().is_some_and(|point: &Point| point.step == done);
        if !recorded && (done.is_multiple_of(RECORD_EVERY) || done >= steps) {
            curve.push(point(&mut descent)?);
        }
        if done >= steps || !ask(&descent, &curve)? {
            return Ok(curve);
        }
        descent.step(arm.objective(done), LEARNING_RATE)?;
    }
}

fn point(descent: &mut Descent) -> Result<Point, TrainError> {
    let first = |values: &[f64]| values.first().copied().unwrap_or(f64::NAN);
    let (train, test): (Score, Score) = (descent.score(0)?, descent.score(1)?);
    Ok(Point {
        step: descent.steps(),
        train_loss: first(&train.loss),
        train_accuracy: first(&train.accuracy),
        test_accuracy: first(&test.accuracy),
    })
}

/// What the restarts found: the last points against the authors' Table 1, and the curves of all.
pub fn findings(curves: &[(Arm, u64, Vec<Point>)], name: &str) -> Findings {
    let mut table = Table::new(
        "coloured-mnist",
        &["arm", "split", "restarts", "mean", "sd", "reported_mean", "reported_sd"],
        true,
    );
    let mut every = Table::new(
        "restarts",
        &[
            "arm",
            "restart",
            "step",
            "train_loss",
            "train_accuracy",
            "test_accuracy",
        ],
        false,
    );
    let mut found = Findings {
        title: "Coloured MNIST".into(),
        ..Findings::default()
    };
    let mut words = Vec::new();
    let mut drawn = Vec::new();
    for arm in ARMS {
        let own: Vec<&(Arm, u64, Vec<Point>)> = curves.iter().filter(|(of, ..)| *of == arm).collect();
        let whole = own
            .iter()
            .all(|(_, _, c)| c.last().is_some_and(|p| p.step == arm.steps()));
        for (split, (mean, sd)) in ["train", "test"].into_iter().zip(arm.reported()) {
            let of = |p: &Point| {
                if split == "train" {
                    p.train_accuracy
                } else {
                    p.test_accuracy
                }
            };
            let last: Vec<f64> = own.iter().filter_map(|(_, _, curve)| curve.last().map(of)).collect();
            let spread = Spread::of(last.iter().copied());
            let average = spread.mean.unwrap_or(f64::NAN);
            table.rows.push(vec![
                arm.name().into(),
                split.into(),
                (last.len() as u64).into(),
                spread.mean.into(),
                spread.sd.into(),
                mean.into(),
                sd.into(),
            ]);
            if split == "test" && !last.is_empty() {
                words.push(format!(
                    "{} {:.2} % (reported {:.2} %)",
                    arm.name(),
                    100.0 * average,
                    100.0 * mean
                ));
                found.distances.push(Distance {
                    what: format!("{}: mean test accuracy of {} restarts", arm.name(), last.len()),
                    measure: "difference to the authors' table".into(),
                    source: Source::Paper,
                    value: (average - mean).abs(),
                    tolerance: whole.then_some(0.03),
                });
            }
            let mut mean_curve: Vec<(f64, f64)> = Vec::new();
            if let Some((_, _, first)) = own.first() {
                for (n, point) in first.iter().enumerate() {
                    let at: Vec<f64> = own.iter().filter_map(|(_, _, c)| c.get(n).map(of)).collect();
                    mean_curve.push((point.step as f64, at.iter().sum::<f64>() / at.len() as f64));
                }
                drawn.push(Curve {
                    label: format!("{}, {split}", arm.name()),
                    simulation: mean_curve,
                    ..Curve::default()
                });
            }
        }
    }
    for (arm, restart, curve) in curves {
        for p in curve {
            every.rows.push(vec![
                arm.name().into(),
                (*restart).into(),
                p.step.into(),
                p.train_loss.into(),
                p.train_accuracy.into(),
                p.test_accuracy.into(),
            ]);
        }
    }
    found.headline = format!("Test accuracy: {}.", words.join(", "));
    found.figures.push(Figure {
        name: "coloured-mnist".into(),
        title: "Accuracy, mean over the restarts".into(),
        caption: format!(
            "{name}: 50,000 training images in two environments, network 392-300-300-1, Adam with learning rate 1e-4; the \
             penalty of sd rules from step 450 on. No theory: the table compares with the authors' numbers."
        ),
        x: Axis::linear("steps"),
        y: Axis::linear("accuracy"),
        residual: None,
        curves: drawn,
    });
    found.tables = vec![table, every];
    found
}
