//! Outcomes for the tests of the report: curves like those of the paper's network, and a monotonic run.

use disentangle::report::RunFacts;
use disentangle::study::outcome::{
    EpochRecord, Extremum, InversionOutcome, MetricColumn, ReplicaOutcome, Stop, Straggler, Turn,
};

/// Epoch, training error, radius of either class and distance of the centroids: the mean of 20 runs on 8,192 images
/// of MNIST, 784-20-2, tanh, full batch, learning rate 0.1.
const INVERTING: [[f64; 5]; 14] = [
    [0.0, 0.5, 0.985, 0.98, 0.24],
    [1.0, 0.263, 0.978, 0.949, 0.504],
    [5.0, 0.168, 0.924, 0.856, 0.891],
    [10.0, 0.141, 0.884, 0.807, 1.052],
    [20.0, 0.1205, 0.842, 0.769, 1.174],
    [40.0, 0.1046, 0.808, 0.747, 1.251],
    [60.0, 0.0969, 0.795, 0.742, 1.273],
    [80.0, 0.0905, 0.791, 0.743, 1.276],
    [100.0, 0.0854, 0.793, 0.748, 1.269],
    [150.0, 0.0758, 0.807, 0.770, 1.223],
    [200.0, 0.0654, 0.828, 0.795, 1.161],
    [300.0, 0.0473, 0.864, 0.833, 1.048],
    [400.0, 0.0347, 0.885, 0.854, 0.976],
    [500.0, 0.0259, 0.897, 0.866, 0.929],
];

/// The same network without the stragglers: nothing turns.
const MONOTONIC: [[f64; 5]; 8] = [
    [0.0, 0.5, 0.985, 0.98, 0.24],
    [1.0, 0.21, 0.97, 0.94, 0.55],
    [5.0, 0.11, 0.90, 0.83, 0.95],
    [10.0, 0.078, 0.85, 0.77, 1.14],
    [20.0, 0.052, 0.78, 0.71, 1.31],
    [50.0, 0.021, 0.68, 0.62, 1.52],
    [100.0, 0.008, 0.60, 0.55, 1.64],
    [300.0, 0.0014, 0.508, 0.468, 1.744],
];

/// A number between -1 and 1 that looks random: enough for a picture, and the same everywhere.
fn noise(a: u64, b: u64) -> f64 {
    let mut x = a.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ b.wrapping_mul(0xD1B5_4A32_D192_ED03);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

/// Cubic Hermite curve through the anchors over ln(1 + epoch), flat where they turn, as a curve has to be that does
/// not overshoot them.
fn interpolate(anchors: &[[f64; 5]], column: usize, epoch: f64) -> f64 {
    let t = |i: usize| (1.0 + anchors[i][0]).ln();
    let slope = |i: usize| (anchors[i + 1][column] - anchors[i][column]) / (t(i + 1) - t(i));
    let tangent = |i: usize| {
        if i == 0 {
            return slope(0);
        }
        if i + 1 == anchors.len() {
            return slope(i - 1);
        }
        let (a, b) = (slope(i - 1), slope(i));
        if a * b <= 0.0 { 0.0 } else { 2.0 * a * b / (a + b) }
    };
    let at = (1.0 + epoch).ln();
    let i = (0..anchors.len() - 2)
        .find(|i| at <= t(i + 1))
        .unwrap_or(anchors.len() - 2);
    let (h, s) = (t(i + 1) - t(i), (at - t(i)) / (t(i + 1) - t(i)));
    let (s2, s3) = (s * s, s * s * s);
    (2.0 * s3 - 3.0 * s2 + 1.0) * anchors[i][column]
        + (s3 - 2.0 * s2 + s) * h * tangent(i)
        + (3.0 * s2 - 2.0 * s3) * anchors[i + 1][column]
        + (s3 - s2) * h * tangent(i + 1)
}

fn replica(anchors: &[[f64; 5]], number: u64, epochs: usize) -> ReplicaOutcome {
    let last = anchors[anchors.len() - 1][0];
    let (pace, offset) = (1.0 + 0.09 * noise(number, 1), |k| 0.012 * noise(number, k));
    let records: Vec<EpochRecord> = (0..=epochs)
        .map(|epoch| {
            let then = (epoch as f64 * pace).min(last);
            let value = |column| interpolate(anchors, column, then);
            let settled = 1.0 - (-(epoch as f64) / 4.0).exp();
            let sampling = |scale: f64, salt: u64| scale * noise(number.wrapping_mul(7919) + salt, epoch as u64);
            // An error is a fraction of 8,192 samples.
            let train = value(1) * (1.0 + 0.02 * settled * noise(number, 9)) + sampling(0.0006, 2) * settled;
            let train_error = (train * 8192.0).round() / 8192.0;
            let test = train * 0.82 + 0.037 + sampling(0.0008, 3);
            EpochRecord {
                epoch,
                train_loss: 2.35 * value(1).powf(0.93) + 0.02,
                train_error,
                test_error: Some((test * 10_000.0).round() / 10_000.0),
                metrics: vec![
                    value(2) + settled * offset(4),
                    value(3) + settled * offset(5),
                    value(4) + settled * offset(6),
                ],
            }
        })
        .collect();
    ReplicaOutcome {
        replica: number,
        records,
        stop: None,
        extrema: vec![None; 3],
    }
}

fn outcome(anchors: &[[f64; 5]], replicas: u64, epochs: usize) -> InversionOutcome {
    let column = |name: &str, turn| MetricColumn {
        name: name.into(),
        turn,
    };
    InversionOutcome {
        classes: vec!["even".into(), "odd".into()],
        columns: vec![
            column("gyration_radius_0", Turn::Minimum),
            column("gyration_radius_1", Turn::Minimum),
            column("centroid_distance_0_1", Turn::Maximum),
        ],
        replicas: (0..replicas).map(|number| replica(anchors, number, epochs)).collect(),
    }
}

/// Curves that invert, with extrema and stragglers.
pub fn inverting(replicas: u64, epochs: usize) -> InversionOutcome {
    let mut outcome = outcome(&INVERTING, replicas, epochs);
    let turns: Vec<f64> = outcome
        .columns
        .iter()
        .map(|column| if column.turn == Turn::Minimum { 1.0 } else { -1.0 })
        .collect();
    for replica in &mut outcome.replicas {
        for (column, sign) in turns.iter().enumerate() {
            let best = replica
                .records
                .iter()
                .skip(20)
                .min_by(|a, b| (sign * a.metrics[column]).total_cmp(&(sign * b.metrics[column])));
            replica.extrema[column] = best.map(|record| Extremum {
                epoch: record.epoch,
                error: record.train_error,
                value: record.metrics[column],
            });
        }
        let turn = replica.extrema[0].map_or(0, |extremum| extremum.epoch + 1);
        replica.stop = replica.records.get(turn).map(|record| Stop {
            epoch: record.epoch,
            error: record.train_error,
            stragglers: (0..(record.train_error * 8192.0).round() as usize)
                .map(|index| Straggler {
                    sample_index: 11 * index,
                    label: (index % 2) as u32,
                })
                .collect(),
        });
    }
    outcome
}

/// Curves that never turn.
pub fn monotonic(replicas: u64, epochs: usize) -> InversionOutcome {
    outcome(&MONOTONIC, replicas, epochs)
}

/// What the page says beside the outcome.
pub fn facts() -> RunFacts {
    let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    RunFacts {
        title: "Inversion of class manifolds".into(),
        command: "disentangle inversion --data data/mnist --train-samples 8192 --labels parity --standardize pixel \
                  --hidden 20 --activation tanh --loss cross-entropy --optimizer sgd --lr 0.1 --batch full --epochs 500 \
                  --replicas 16 --seed 1 --device cpu --threads 2 --out runs/mnist"
            .into(),
        configuration: vec![
            option("labels", "parity"),
            option("standardize", "pixel"),
            option("hidden", "20"),
            option("activation", "tanh"),
            option("loss", "cross-entropy"),
            option("optimizer", "sgd"),
            option("lr", "0.1"),
            option("batch", "full"),
            option("epochs", "500"),
            option("replicas", "16"),
            option("seed", "1"),
        ],
        data: "MNIST, 8,192 training and 10,000 test images".into(),
        device: "cpu, 2 threads".into(),
        seconds: 94.2,
        underway: None,
    }
}
