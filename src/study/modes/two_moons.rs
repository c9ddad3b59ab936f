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
use super::moons_logits::{Moons, OfSet};
use super::theory::decoupling::{decoupled_margin, decoupled_margin_around};
use crate::backend::Backend;
use crate::data::streams::{Stream, generator};
use crate::nn::{Activation, Architecture, Initializer, Loss, Optimizer};
use crate::study::StudyError;
use crate::study::number::Spread;
use crate::train::{Samples, TrainError};

/// Points of a data set.
pub const POINTS: usize = 300;
/// The plane that is looked at is [-REACH, REACH] in both directions.
pub const REACH: f64 = 2.0;
/// Cells of it along a side.
pub const SIDE: usize = 100;
/// Half of the noise of the two coordinates.
const NOISE: f64 = 0.1;

/// What to train.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Data sets, each with a network of its own.
    pub replicas: u64,
    /// Epochs: steps on all points.
    pub epochs: u64,
    /// Coefficient of the penalty mean (y - centre)^2.
    pub penalty: f64,
    /// Centres of the logits of class 0 and of class 1.
    pub centres: [f64; 2],
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
        objectives: vec![Objective {
            loss: 1.0,
            penalty: if arm.decoupled { plan.penalty } else { 0.0 },
            centres: plan.centres.to_vec(),
        }],
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
    let first = data.first().map_or(&[][..], |(x, _)| x.as_slice());
    Ok(Moons {
        margins: signed.iter().enumerate().map(|(n, u)| sign(n) * u).collect(),
        planes: descent.outputs(1)?,
        points: first
            .chunks_exact(2)
            .zip(labels)
            .map(|(x, &label)| (label as u8, x[0], x[1]))
            .collect(),
    })
}

/// The bounds of the shades of the plane, in logits.
const SHADES: [f64; 7] = [-6.0, -3.0, -1.0, 0.0, 1.0, 3.0, 6.0];

/// Epochs from which on the logits are near their fixed points.
const SETTLED: u64 = 10_000;

/// Medians with the penalty beside the fixed points: of all |logit|, or of each class around its own centre.
fn fixed_points(plan: &Plan, moons: &Moons) -> Vec<Distance> {
    let lambda = 2.0 * plan.penalty;
    let distance = |what: String, median: f64, target: f64| Distance {
        what,
        measure: format!("relative difference of {median:.4}"),
        source: Source::Derived,
        value: (median / target - 1.0).abs(),
        tolerance: (plan.epochs >= SETTLED).then_some(0.1),
    };
    if plan.centres == [0.0, 0.0] {
        let target = decoupled_margin(lambda);
        let what = format!("median |logit| with the penalty, {target:.4}");
        return vec![distance(what, moons.quartiles()[1], target)];
    }
    // Logits of class 0 are negative where they are right.
    let centres = [-plan.centres[0], plan.centres[1]];
    let of = |class: usize| {
        let target = decoupled_margin_around(centres[class], lambda);
        let what = format!(
            "median margin of class {class} with the penalty around {}, {target:.4}",
            plan.centres[class]
        );
        distance(what, moons.median_of_class(class), target)
    };
    vec![of(0), of(1)]
}

/// The whole experiment.
///
/// # Errors
/// Those of training.
pub fn run(plan: &Plan, backend: &dyn Backend, tell: &mut dyn FnMut(&str)) -> Result<Findings, StudyError> {
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
    let columns = [
        "arm",
        "data_set",
        "lower_quartile",
        "median_abs_logit",
        "upper_quartile",
        "boundary_spread",
        "train_accuracy",
    ];
    let mut sets = Table::new("two-moons-sets", &columns, false);
    let columns = [
        "arm",
        "data_sets",
        "median_mean",
        "median_sd",
        "quartiles_apart_mean",
        "quartiles_apart_sd",
        "boundary_spread_mean",
        "boundary_spread_sd",
    ];
    let mut over_sets = Table::new("two-moons-over-sets", &columns, true);
    let mut spreads = Vec::new();
    for arm in ARMS {
        tell(&format!(
            "{}: {} networks, {} epochs",
            arm.name, plan.replicas, plan.epochs
        ));
        let moons = train(arm, plan, backend)?;
        let quartiles = moons.quartiles();
        table.rows.push(vec![
            arm.name.into(),
            arm.gap.into(),
            (if arm.decoupled { plan.penalty } else { 0.0 }).into(),
            quartiles[0].into(),
            quartiles[1].into(),
            quartiles[2].into(),
            moons.boundary_spread().into(),
            moons.accuracy().into(),
        ]);
        let of_sets = moons.sets();
        for (n, set) in of_sets.iter().enumerate() {
            let mut row = vec![arm.name.into(), (n as u64).into()];
            row.extend(set.quartiles.map(Into::into));
            row.extend([set.boundary_spread.into(), set.accuracy.into()]);
            sets.rows.push(row);
        }
        let mut row = vec![arm.name.into(), plan.replicas.into()];
        for value in [
            |set: &OfSet| set.quartiles[1],
            |set: &OfSet| set.quartiles[2] - set.quartiles[0],
            |set: &OfSet| set.boundary_spread,
        ] {
            let spread = Spread::of(of_sets.iter().map(value));
            row.extend([spread.mean.into(), spread.sd.into()]);
        }
        over_sets.rows.push(row);
        spreads.push((quartiles[2] - quartiles[0], quartiles[1], moons.boundary_spread()));
        if arm.decoupled {
            findings.distances.extend(fixed_points(plan, &moons));
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
            cells: moons.plane().iter().map(shade).collect(),
            kinds,
            lines: Vec::new(),
            points: moons.points,
        });
    }
    if let [_, (plain, middle, straight), (decoupled, centre, bent)] = spreads[..] {
        findings.headline = format!(
            "With a gap the boundary strays by {straight:.3}, with the penalty by {bent:.3}; the logits' quartiles are {:.2} and \
             {:.2} of their median apart.",
            plain / middle,
            decoupled / centre
        );
        for (what, measure, value) in [
            (
                "spread of |logit| with the penalty",
                "quartiles apart, over that without it",
                decoupled / plain,
            ),
            (
                "how far the boundary strays without the penalty",
                "over that with it",
                straight / bent,
            ),
        ] {
            findings.distances.push(Distance {
                what: what.into(),
                measure: measure.into(),
                source: Source::Paper,
                value,
                // "Much smaller", "nearly vertical": a half is this project's reading.
                tolerance: (plan.epochs >= SETTLED).then_some(0.5),
            });
        }
    }
    findings.tables.extend([table, over_sets, sets]);
    Ok(findings)
}
