//! Two moons with and without spectral decoupling, as in Fig. 1 to 3 of Pezeshki et al. (2021).
//!
//! 300 points on two half circles with noise 0.1 are shifted and mirrored so that their first coordinate separates the
//! classes with a gap of 2 Delta or overlaps by as much, while the second curves: the recipe of the authors' script. A network
//! 2-500-1 (ReLU, PyTorch's initial weights) learns them by full-batch descent with learning rate 0.01 and momentum 0.9.
//! A gap makes the first coordinate enough for most of the gradient: the boundary is nearly a vertical line. With the penalty
//! every logit goes to the same size, s(-m) = 2 coefficient m, and the boundary bends.

use rand_distr::{Distribution, StandardNormal};

use super::descent::{Descent, Objective, Problem, Rows};
use super::findings::{Distance, Findings, Map, Source, Table};
use super::theory::decoupling::decoupled_margin;
use crate::backend::Backend;
use crate::data::streams::{Stream, generator};
use crate::nn::{Activation, Architecture, Initializer, Loss, Optimizer};
use crate::study::StudyError;
use crate::train::{Samples, TrainError};

/// Points of a data set.
pub const POINTS: usize = 300;
/// The plane that is looked at is [-REACH, REACH] in both directions.
const REACH: f64 = 2.0;
/// Cells of it along a side.
const SIDE: usize = 100;
/// Half of the noise of the two coordinates.
const NOISE: f64 = 0.1;

/// What to train.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Data sets, each with a network of its own.
    pub replicas: u64,
    /// Epochs: steps on all points.
    pub epochs: u64,
    /// Coefficient of the penalty mean y^2.
    pub penalty: f64,
    /// Hidden units.
    pub width: usize,
    /// Seed.
    pub seed: u64,
}

/// One way to train.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arm {
    /// Name in tables.
    pub name: &'static str,
    /// Delta: half the gap of the first coordinate.
    pub gap: f64,
    /// With the penalty.
    pub decoupled: bool,
}

/// The arms.
pub const ARMS: [Arm; 3] = [
    Arm {
        name: "overlap",
        gap: -0.1,
        decoupled: false,
    },
    Arm {
        name: "gap",
        gap: 0.1,
        decoupled: false,
    },
    Arm {
        name: "gap-decoupled",
        gap: 0.1,
        decoupled: true,
    },
];

/// What became of an arm.
#[derive(Clone, Debug, PartialEq)]
pub struct Moons {
    /// `[replicas, POINTS]`: margins on the training points.
    pub margins: Vec<f64>,
    /// `[SIDE, SIDE]`, from the bottom: logits averaged over the replicas.
    pub plane: Vec<f64>,
    /// Points of the first data set: label, x, y.
    pub points: Vec<(u8, f64, f64)>,
}

/// The points `[POINTS, 2]` and labels of a replica.
pub fn moons(gap: f64, seed: u64, replica: u64) -> (Vec<f64>, Vec<u32>) {
    let mut rng = generator(seed, Stream::TwoMoons { replica });
    let half = POINTS / 2;
    let mut noise = || -> f64 {
        let z: f64 = StandardNormal.sample(&mut rng);
        NOISE * z
    };
    let mut rows = Vec::with_capacity(POINTS);
    for n in 0..POINTS {
        let angle = std::f64::consts::PI * (n % half) as f64 / (half - 1) as f64;
        let (a, b, y) = if n < half {
            (angle.cos(), angle.sin(), -1.0)
        } else {
            (1.0 - angle.cos(), 0.5 - angle.sin(), 1.0)
        };
        rows.push((a + noise() - 0.5, b + noise() - 0.3 * y, y));
    }
    let mean = rows.iter().map(|row| row.1).sum::<f64>() / POINTS as f64;
    let (mut features, mut labels) = (Vec::new(), Vec::new());
    for (a, b, y) in rows {
        let b = b - mean;
        let b = b * (-b * y).signum() - y * gap;
        features.extend([b, a]);
        labels.push(u32::from(y > 0.0));
    }
    (features, labels)
}

/// Trains an arm, all replicas side by side.
///
/// # Errors
/// Those of training.
pub fn train(arm: Arm, plan: &Plan, backend: &dyn Backend) -> Result<Moons, StudyError> {
    let replicas: Vec<u64> = (0..plan.replicas).collect();
    let data: Vec<(Vec<f64>, Vec<u32>)> = replicas.iter().map(|&r| moons(arm.gap, plan.seed, r)).collect();
    let features: Vec<f64> = data.iter().flat_map(|(x, _)| x).copied().collect();
    // The labels of all replicas are the same: the first half, the second half.
    let labels = data.first().map_or(&[][..], |(_, labels)| labels.as_slice());
    let problem = Problem {
        architecture: Architecture {
            inputs: 2,
            hidden: vec![plan.width],
            outputs: 1,
            activation: Activation::Relu,
            bias: true,
        },
        loss: Loss::Logistic,
        classes: 2,
        rule: Optimizer::Sgd.rule(0.9, 0.0).map_err(TrainError::from)?,
        replicas: replicas.len(),
        objectives: vec![Objective::decoupled(
            1.0,
            if arm.decoupled { plan.penalty } else { 0.0 },
            2,
            1,
        )],
    };
    let initial = problem.architecture.initial(Initializer::Pytorch, plan.seed, &replicas);
    let at = |n: usize| REACH * ((2 * n + 1) as f64 / SIDE as f64 - 1.0);
    let grid: Vec<f64> = (0..SIDE * SIDE).flat_map(|n| [at(n % SIDE), at(n / SIDE)]).collect();
    let grid_labels = vec![0; SIDE * SIDE];
    let plane = Samples {
        features: &grid,
        labels: &grid_labels,
    };
    let rows = Rows {
        features: &features,
        labels,
        frequencies: None,
    };
    let mut descent = Descent::new(&problem, rows, &[plane], &initial, backend)?;
    for _ in 0..plan.epochs {
        descent.step(0, 0.01)?;
    }
    let signed = descent.outputs(0)?;
    let sign = |n: usize| if labels.get(n % POINTS) == Some(&1) { 1.0 } else { -1.0 };
    let logits = descent.outputs(1)?;
    let mut mean = vec![0.0; SIDE * SIDE];
    for replica in logits.chunks_exact(SIDE * SIDE) {
        mean.iter_mut()
            .zip(replica)
            .for_each(|(m, v)| *m += v / replicas.len() as f64);
    }
    let first = data.first().map_or(&[][..], |(x, _)| x.as_slice());
    Ok(Moons {
        margins: signed.iter().enumerate().map(|(n, u)| sign(n) * u).collect(),
        plane: mean,
        points: first
            .chunks_exact(2)
            .zip(labels)
            .map(|(x, &label)| (label as u8, x[0], x[1]))
            .collect(),
    })
}

impl Moons {
    /// Quartiles of |logit| over all replicas: lower, median, upper.
    pub fn quartiles(&self) -> [f64; 3] {
        let mut sizes: Vec<f64> = self.margins.iter().map(|m| m.abs()).collect();
        sizes.sort_by(f64::total_cmp);
        [1, 2, 3].map(|q| sizes.get(q * sizes.len() / 4).copied().unwrap_or(f64::NAN))
    }

    /// Standard deviation, over the rows of the plane with |y| <= 1, of where the boundary of the mean logit crosses: 0 for
    /// a vertical line.
    pub fn boundary_spread(&self) -> f64 {
        let at = |n: usize| REACH * ((2 * n + 1) as f64 / SIDE as f64 - 1.0);
        let mut places = Vec::new();
        for (n, row) in self.plane.chunks_exact(SIDE).enumerate() {
            if at(n).abs() > 1.0 {
                continue;
            }
            let crossing = row.windows(2).position(|pair| (pair[0] > 0.0) != (pair[1] > 0.0));
            if let Some(k) = crossing {
                places.push(at(k) + (at(k + 1) - at(k)) * row[k] / (row[k] - row[k + 1]));
            }
        }
        let n = places.len() as f64;
        let mean = places.iter().sum::<f64>() / n;
        (places.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt()
    }
}

/// The bounds of the shades of the plane, in logits.
const SHADES: [f64; 7] = [-6.0, -3.0, -1.0, 0.0, 1.0, 3.0, 6.0];

/// The whole experiment.
///
/// # Errors
/// Those of training.
pub fn run(plan: &Plan, backend: &dyn Backend, tell: &mut dyn FnMut(&str)) -> Result<Findings, StudyError> {
    let target = decoupled_margin(2.0 * plan.penalty);
    let mut findings = Findings {
        title: "Two moons".into(),
        ..Findings::default()
    };
    let mut table = Table::new(
        "two-moons",
        &[
            "arm",
            "gap",
            "penalty",
            "lower_quartile",
            "median_abs_logit",
            "upper_quartile",
            "boundary_spread",
            "train_accuracy",
        ],
        true,
    );
    let mut spreads = Vec::new();
    for arm in ARMS {
        tell(&format!(
            "{}: {} networks, {} epochs",
            arm.name, plan.replicas, plan.epochs
        ));
        let moons = train(arm, plan, backend)?;
        let quartiles = moons.quartiles();
        let right = moons.margins.iter().filter(|&&m| m > 0.0).count() as f64 / moons.margins.len().max(1) as f64;
        table.rows.push(vec![
            arm.name.into(),
            arm.gap.into(),
            (if arm.decoupled { plan.penalty } else { 0.0 }).into(),
            quartiles[0].into(),
            quartiles[1].into(),
            quartiles[2].into(),
            moons.boundary_spread().into(),
            right.into(),
        ]);
        spreads.push(((quartiles[2] - quartiles[0]) / quartiles[1], moons.boundary_spread()));
        if arm.decoupled {
            findings.distances.push(Distance {
                what: format!("median |logit| with the penalty, {target:.4}"),
                measure: "relative difference".into(),
                source: Source::Derived,
                value: (quartiles[1] / target - 1.0).abs(),
                tolerance: (plan.epochs >= 10_000).then_some(0.1),
            });
        }
        let shade = |&logit: &f64| SHADES.iter().filter(|&&bound| logit > bound).count() as u8;
        let mut kinds: Vec<String> = SHADES
            .windows(2)
            .map(|w| format!("logit {} to {}", w[0], w[1]))
            .collect();
        kinds.insert(0, format!("logit below {}", SHADES[0]));
        kinds.push(format!("logit above {}", SHADES[SHADES.len() - 1]));
        findings.maps.push(Map {
            name: format!("two-moons-{}", arm.name),
            title: match arm.name {
                "overlap" => "Overlap: the boundary bends".into(),
                "gap" => "Gap: the second coordinate is starved".into(),
                _ => "Gap, with the penalty on the logits".into(),
            },
            caption: format!(
                "Mean logit of {} networks 2-{}-1 after {} epochs, Delta = {}, penalty {}. Points: the first data set.",
                plan.replicas,
                plan.width,
                plan.epochs,
                arm.gap,
                if arm.decoupled { plan.penalty } else { 0.0 }
            ),
            x: "first coordinate".into(),
            y: "second coordinate".into(),
            reach: REACH,
            side: SIDE,
            cells: moons.plane.iter().map(shade).collect(),
            kinds,
            lines: Vec::new(),
            points: moons.points,
        });
    }
    if let [_, (plain, straight), (decoupled, bent)] = spreads[..] {
        findings.headline = format!(
            "With a gap the boundary strays by {straight:.3}, with the penalty by {bent:.3}; the logits' quartiles are {plain:.2} \
             and {decoupled:.2} of their median apart."
        );
    }
    findings.tables.push(table);
    Ok(findings)
}
