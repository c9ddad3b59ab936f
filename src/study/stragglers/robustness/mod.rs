//! Is the inversion a property of the data? The training error and the epoch at which radii and distances turn, over
//! everything else: initialisations, learning rates, optimisers, batch sizes, widths, activations, depths, layers,
//! standardisations, label rules, blocks and subsamples of the data.
//!
//! A point *holds* if the 95 % interval of its difference from the base lies within a tolerance of the base's training
//! error, *differs* if it lies outside, and is *undecided* else. The interval is Welch's: d +- t sqrt(s_p^2 / n_p + s_b^2
//! / n_b), with t the 97.5 % quantile of Student's distribution of as many degrees of freedom as Welch and Satterthwaite
//! give (B. L. Welch, Biometrika 34, 1947). Units are networks; where a point pools several runs, on several samples say,
//! networks of one run are not independent, and the units are the means of the runs.

pub mod findings;
mod followed;

use crate::study::extremum::{extremum_from, stops_from};
use crate::study::inversion::{leading, series};
use crate::study::number::{Spread, student};
use crate::study::outcome::{Extremum, InversionOutcome, MetricColumn};
use crate::study::sweep::Sweep;

/// What one run of a sweep leaves.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct RunLeft {
    /// Training samples.
    pub samples: usize,
    /// What was followed in which hidden layer, counted from 1.
    pub followed: Vec<(usize, String)>,
    /// The networks.
    pub networks: Vec<NetworkLeft>,
}

/// What one network leaves.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct NetworkLeft {
    /// Its replica number.
    pub replica: u64,
    /// Training error at the end.
    pub train_error: f64,
    /// Test error at the end, if there are test samples.
    pub test_error: Option<f64>,
    /// Whether the loss was finite at all times.
    pub finite: bool,
    /// Epoch and training error at the stop of the released recipe.
    pub stop: Option<(usize, f64)>,
    /// For each quantity followed: where it turns.
    pub turns: Vec<Option<Extremum>>,
    /// For each quantity followed: its value at the end, if it is finite.
    pub last: Vec<Option<f64>>,
}

impl RunLeft {
    /// What is kept of an outcome measured in these hidden layers (from 0), with `guard` epochs exempt.
    pub fn of(outcome: &InversionOutcome, layers: &[usize], samples: usize, guard: usize) -> RunLeft {
        // Columns of several layers say theirs.
        let of_layer = |name: &str| {
            let own = |layer: &&usize| name.starts_with(&format!("layer_{}_", *layer + 1));
            let layer = layers.iter().find(own).or(layers.first());
            layer.map_or(0, |layer| layer + 1)
        };
        let followed = outcome.columns.iter().map(|column| {
            let layer = of_layer(&column.name);
            let prefix = format!("layer_{layer}_");
            let name = column.name.strip_prefix(&prefix).unwrap_or(&column.name);
            (layer, name.to_owned())
        });
        let first_radius = leading(&outcome.columns, layers);
        let networks = outcome.replicas.iter().map(|replica| {
            let error = |epoch: usize| replica.records.get(epoch).map_or(f64::NAN, |record| record.train_error);
            let radius = series(replica, first_radius);
            let stop = (0..radius.len()).find(|&t| stops_from(&radius, t, guard));
            let curves: Vec<Vec<f64>> = (0..outcome.columns.len()).map(|m| series(replica, m)).collect();
            let turn = |(curve, column): (&Vec<f64>, &MetricColumn)| {
                let epoch = extremum_from(curve, column.turn, guard)?;
                let value = curve.get(epoch).copied().filter(|value| value.is_finite())?;
                Some(Extremum {
                    epoch,
                    error: error(epoch),
                    value,
                })
            };
            let last = replica.records.last();
            NetworkLeft {
                replica: replica.replica,
                train_error: last.map_or(f64::NAN, |record| record.train_error),
                test_error: last.and_then(|record| record.test_error),
                finite: replica.records.iter().all(|record| record.train_loss.is_finite()),
                stop: stop.map(|epoch| (epoch, error(epoch))),
                turns: curves.iter().zip(&outcome.columns).map(turn).collect(),
                last: curves
                    .iter()
                    .map(|curve| curve.last().copied().filter(|v| v.is_finite()))
                    .collect(),
            }
        });
        RunLeft {
            samples,
            followed: followed.collect(),
            networks: networks.collect(),
        }
    }
}

/// Where one network turned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turned {
    /// Place of its run in the sweep.
    pub run: usize,
    /// Its replica number.
    pub replica: u64,
    /// Epoch.
    pub epoch: f64,
    /// Training error there.
    pub error: f64,
    /// Value there; `None` for the stop, which is of no quantity alone.
    pub value: Option<f64>,
}

/// How a point compares with the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the base.
    Base,
    /// Within the tolerance.
    Holds,
    /// Beyond it.
    Differs,
    /// The interval reaches over the tolerance.
    Undecided,
    /// No network turns.
    NoInversion,
    /// Not asked for, or without a counterpart in the base.
    NotCompared,
}

impl Verdict {
    /// The word in tables.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Base => "base",
            Verdict::Holds => "holds",
            Verdict::Differs => "differs",
            Verdict::Undecided => "undecided",
            Verdict::NoInversion => "no inversion",
            Verdict::NotCompared => "not compared",
        }
    }
}

/// A difference of means with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Point minus base.
    pub mean: f64,
    /// Lower and upper end; `None` with too few units.
    pub interval: Option<(f64, f64)>,
}

/// A quantity at a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Which axis.
    pub axis: String,
    /// Which point on it.
    pub point: String,
    /// Hidden layer, from 1.
    pub layer: usize,
    /// Whether the point has more than one.
    pub layers: bool,
    /// `gyration_radius_0`, ..., or `stop`.
    pub quantity: String,
    /// Runs that ended well.
    pub runs: usize,
    /// Their networks.
    pub networks: usize,
    /// Those that turn.
    pub turned: Vec<Turned>,
    /// Epochs, errors and values of these.
    pub epoch: Spread,
    /// As above.
    pub error: Spread,
    /// As above.
    pub value: Spread,
    /// 95 % interval of the mean error.
    pub interval: Option<(f64, f64)>,
    /// Error here minus error at the base.
    pub difference: Option<Difference>,
    /// What follows.
    pub verdict: Verdict,
}

/// Name of the quantity that is the stop of the released recipe.
pub const STOP: &str = "stop";

/// The rows of a sweep: points in order, at each its layers, at each its quantities. `left` has what each run of the sweep
/// left, `None` where it failed. `tolerance` is a part of the base's error.
pub fn rows(sweep: &Sweep, left: &[Option<RunLeft>], tolerance: f64) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut base = 0;
    for (a, axis) in sweep.axes.iter().enumerate() {
        for point in &axis.points {
            let runs: Vec<(usize, &RunLeft)> = point
                .runs
                .iter()
                .filter_map(|&run| Some((run, left.get(run)?.as_ref()?)))
                .collect();
            for (layer, quantity) in followed(&runs) {
                let mut row = row(&runs, layer, &quantity);
                (row.axis, row.point) = (axis.name.clone(), point.label.clone());
                // The base has the same layer as its counterpart; of several it is the last that is compared with.
                let counterpart = rows[..base].iter().rev().find(|row| row.quantity == quantity);
                (row.difference, row.verdict) = match counterpart {
                    _ if a == 0 => (
                        None,
                        if row.turned.is_empty() {
                            Verdict::NoInversion
                        } else {
                            Verdict::Base
                        },
                    ),
                    Some(base) if point.compared => compare(&row, base, tolerance),
                    _ if row.turned.is_empty() => (None, Verdict::NoInversion),
                    _ => (None, Verdict::NotCompared),
                };
                rows.push(row);
            }
        }
        if a == 0 {
            base = rows.len();
        }
    }
    rows
}

/// Layers and quantities of runs, the stop at the end of each layer's: it is that of the last layer.
fn followed(runs: &[(usize, &RunLeft)]) -> Vec<(usize, String)> {
    let mut all: Vec<(usize, String)> = Vec::new();
    for (_, run) in runs {
        for followed in &run.followed {
            if !all.contains(followed) {
                all.push(followed.clone());
            }
        }
    }
    // Of several layers, what is followed comes after the radii and distances of all.
    let layers: Vec<usize> = all.iter().map(|(layer, _)| *layer).collect();
    all.sort_by_key(|(layer, _)| layers.iter().position(|first| first == layer));
    if let Some(last) = all.last().map(|(layer, _)| *layer) {
        all.push((last, STOP.into()));
    }
    all
}

fn row(runs: &[(usize, &RunLeft)], layer: usize, quantity: &str) -> Row {
    let mut turned = Vec::new();
    for &(place, run) in runs {
        let column = run.followed.iter().position(|(l, q)| *l == layer && q == quantity);
        for network in &run.networks {
            let (epoch, error, value) = if quantity == STOP {
                let Some((epoch, error)) = network.stop else { continue };
                (epoch, error, None)
            } else {
                let turn = column.and_then(|column| *network.turns.get(column)?);
                let Some(turn) = turn else { continue };
                (turn.epoch, turn.error, Some(turn.value))
            };
            turned.push(Turned {
                run: place,
                replica: network.replica,
                epoch: epoch as f64,
                error,
                value,
            });
        }
    }
    let layers = runs
        .iter()
        .any(|(_, run)| run.followed.iter().any(|(other, _)| *other != layer));
    let mut row = Row {
        axis: String::new(),
        point: String::new(),
        layer,
        layers,
        quantity: quantity.into(),
        runs: runs.len(),
        networks: runs.iter().map(|(_, run)| run.networks.len()).sum(),
        epoch: Spread::of(turned.iter().map(|t| t.epoch)),
        error: Spread::of(turned.iter().map(|t| t.error)),
        value: Spread::of(turned.iter().filter_map(|t| t.value)),
        turned,
        interval: None,
        difference: None,
        verdict: Verdict::NotCompared,
    };
    row.interval = units(&row).interval();
    row
}

/// The errors that are independent of each other: the networks', or the means of several runs.
fn units(row: &Row) -> Spread {
    if row.runs < 2 {
        return row.error;
    }
    let mut runs: Vec<usize> = row.turned.iter().map(|t| t.run).collect();
    runs.dedup();
    let mean = |run: &usize| Spread::of(row.turned.iter().filter(|t| t.run == *run).map(|t| t.error)).mean;
    Spread::of(runs.iter().filter_map(mean))
}

fn compare(row: &Row, base: &Row, tolerance: f64) -> (Option<Difference>, Verdict) {
    let (of_point, of_base) = (units(row), units(base));
    if row.turned.is_empty() {
        return (None, Verdict::NoInversion);
    }
    let Some((here, there)) = of_point.mean.zip(of_base.mean) else {
        return (None, Verdict::NotCompared);
    };
    let mean = here - there;
    let interval = of_point.sd.zip(of_base.sd).map(|(s, b)| {
        let (n, m) = (of_point.count as f64, of_base.count as f64);
        let (s, b) = (s * s / n, b * b / m);
        let square = s * s / (n - 1.0) + b * b / (m - 1.0);
        // Of two samples without any spread the difference is known.
        let half = if square > 0.0 {
            student((s + b).powi(2) / square) * (s + b).sqrt()
        } else {
            0.0
        };
        (mean - half, mean + half)
    });
    let most = tolerance * there;
    let verdict = match interval {
        Some((low, high)) if low >= -most && high <= most => Verdict::Holds,
        Some((low, high)) if low > most || high < -most => Verdict::Differs,
        _ => Verdict::Undecided,
    };
    (Some(Difference { mean, interval }), verdict)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::outcome::{EpochRecord, ReplicaOutcome, Turn};
    use crate::study::sweep::{SweepAxis, SweepPoint};

    fn run(errors: &[Option<f64>]) -> Option<RunLeft> {
        let network = |(replica, error): (usize, &Option<f64>)| NetworkLeft {
            replica: replica as u64,
            train_error: 0.01,
            test_error: None,
            finite: true,
            stop: None,
            turns: vec![error.map(|error| Extremum {
                epoch: 80,
                error,
                value: 0.8,
            })],
            last: vec![Some(0.9)],
        };
        Some(RunLeft {
            samples: 100,
            followed: vec![(1, "gyration_radius_0".into())],
            networks: errors.iter().enumerate().map(network).collect(),
        })
    }

    fn sweep(points: &[(&[usize], bool)]) -> Sweep {
        let point = |(runs, compared): &(&[usize], bool)| SweepPoint {
            label: format!("{runs:?}"),
            runs: runs.to_vec(),
            compared: *compared,
        };
        let axis = |points: &[(&[usize], bool)]| SweepAxis {
            name: "a".into(),
            points: points.iter().map(point).collect(),
        };
        Sweep {
            runs: (0..9).map(|n| n.to_string()).collect(),
            axes: vec![axis(&points[..1]), axis(&points[1..])],
        }
    }

    #[test]
    fn welchs_interval_decides_what_holds() {
        let base = [Some(0.09), Some(0.10), Some(0.11)];
        let left = [
            run(&base),
            run(&[Some(0.099), Some(0.1), Some(0.101)]),
            run(&[Some(0.159), Some(0.16), Some(0.161)]),
            run(&[Some(0.1)]),
            run(&[None, None]),
            None,
        ];
        let points: [(&[usize], bool); 7] = [
            (&[0], true),
            (&[1], true),
            (&[2], true),
            (&[3], true),
            (&[4], true),
            (&[2], false),
            (&[5], true),
        ];
        let all = rows(&sweep(&points), &left, 0.3);
        let of_radius: Vec<&Row> = all.iter().filter(|row| row.quantity != STOP).collect();
        let verdicts: Vec<Verdict> = of_radius.iter().map(|row| row.verdict).collect();
        use Verdict::*;
        assert_eq!(verdicts, [Base, Holds, Differs, Undecided, NoInversion, NotCompared]);
        // s_p^2 / n = 1e-6 / 3, s_b^2 / n = 1e-4 / 3: nu = (1.01e-4 / 3)^2 / ((1e-12 + 1e-8) / 9 / 2) = 2.0400, whose
        // quantile, by Simpson's rule on the density, is 4.2228; half = 4.2228 sqrt(1.01e-4 / 3) = 0.024502.
        let (low, high) = of_radius[1].difference.unwrap().interval.unwrap();
        assert!((high - low - 2.0 * 0.024502).abs() < 2e-6, "{low} {high}");
        // t(2) = 4.3027 and 0.01 / sqrt(3).
        let (low, high) = of_radius[0].interval.unwrap();
        assert!((high - low - 2.0 * 4.302_653 * 0.01 / 3f64.sqrt()).abs() < 1e-7);
        // A narrower tolerance asks for more networks.
        let strict = rows(&sweep(&points), &left, 0.1);
        assert_eq!(strict[2].verdict, Undecided);
    }

    #[test]
    fn networks_of_one_run_are_not_independent_where_runs_are_pooled() {
        let left = [
            run(&[Some(0.1), Some(0.12)]),
            run(&[Some(0.1), Some(0.1)]),
            run(&[Some(0.2), Some(0.2)]),
        ];
        let points: [(&[usize], bool); 2] = [(&[0], true), (&[1, 2], true)];
        let pooled = &rows(&sweep(&points), &left, 0.1)[2];
        assert_eq!((pooled.runs, pooled.networks, pooled.error.count), (2, 4, 4));
        // Two means 0.1 and 0.2: sd = 0.1 / sqrt(2), half = t(1) sd / sqrt(2) = 12.7062 * 0.05.
        let (low, high) = pooled.interval.unwrap();
        assert!((high - low - 2.0 * 12.706_205 * 0.05).abs() < 1e-6, "{low} {high}");
    }

    #[test]
    fn what_is_kept_of_an_outcome_knows_layers_and_the_guard() {
        let column = |name: &str, turn| MetricColumn {
            name: name.into(),
            turn,
        };
        let columns = vec![
            column("layer_1_gyration_radius_0", Turn::Minimum),
            column("layer_3_gyration_radius_0", Turn::Minimum),
        ];
        let record = |epoch: usize| EpochRecord {
            epoch,
            train_loss: 0.5,
            train_error: 1.0 / (1.0 + epoch as f64),
            test_error: Some(0.25),
            metrics: vec![(epoch as f64 - 12.0).abs() * 0.01, (epoch as f64 - 40.0).abs() * 0.01],
        };
        let outcome = InversionOutcome {
            classes: vec!["0".into(), "1".into()],
            columns,
            replicas: vec![ReplicaOutcome {
                replica: 7,
                records: (0..=60).map(record).collect(),
                stop: None,
                extrema: vec![],
            }],
        };
        let left = RunLeft::of(&outcome, &[0, 2], 50, 20);
        let names = [
            (1, "gyration_radius_0".to_string()),
            (3, "gyration_radius_0".to_string()),
        ];
        assert_eq!(left.followed, names);
        let network = &left.networks[0];
        assert_eq!(
            (network.replica, network.test_error, network.finite),
            (7, Some(0.25), true)
        );
        let epochs = |left: &RunLeft| -> Vec<Option<usize>> {
            left.networks[0]
                .turns
                .iter()
                .map(|turn| turn.map(|turn| turn.epoch))
                .collect()
        };
        assert_eq!(epochs(&left), [None, Some(40)]);
        assert_eq!(network.stop, Some((41, 1.0 / 42.0)));
        assert_eq!(epochs(&RunLeft::of(&outcome, &[0, 2], 50, 5)), [Some(12), Some(40)]);
    }
}
