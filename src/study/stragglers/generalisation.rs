//! `generalisation`: what the samples that are misclassified at epoch t do for the test error.
//!
//! Every replica is trained on all samples, which gives S(t) on a grid of epochs. Then, for every t of the grid and from the
//! same initial parameters, networks are trained to the last epoch on
//!
//! | arm | samples |
//! |---|---|
//! | `removed` | all but S(t) |
//! | `random` | all but as many of each class, drawn at random |
//! | `kept` | S(t) and as many others of each class |
//! | `kept-random` | twice as many of each class, drawn at random |
//! | `relabelled` | all, S(t) with the class that the network at t takes them for |
//!
//! and tested on the test samples, clean and with Gaussian noise on the standardised numbers (one draw per replica). The
//! arms `random` and `kept-random` tell what is due to the number of samples alone.

use std::fmt;
use std::str::FromStr;

use super::super::error::StudyError;
use super::super::findings::{Across, Curve, Findings, Plot, Point, Table, cell};
use super::super::number::{Spread, significant};
use super::super::parts::list;
use super::Bench;
use super::follow::Followed;
use super::identify::{Identified, identify};
use super::tested::{noisy, test_errors};
use super::variants::{Run, Variant, drawn_like, others, train};
use crate::data::NamedTensor;
use crate::data::streams::Stream;
use crate::train::{Recipe, Samples};

/// Which samples a network is trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// All but S(t).
    Removed,
    /// All but as many at random.
    Random,
    /// S(t) and as many others.
    Kept,
    /// Twice as many at random.
    KeptRandom,
    /// All, S(t) under the labels that the network at t gives them.
    Relabelled,
}

impl Arm {
    /// All of them.
    pub const ALL: [Arm; 5] = [Arm::Removed, Arm::Random, Arm::Kept, Arm::KeptRandom, Arm::Relabelled];

    fn name(self) -> &'static str {
        match self {
            Arm::Removed => "removed",
            Arm::Random => "random",
            Arm::Kept => "kept",
            Arm::KeptRandom => "kept-random",
            Arm::Relabelled => "relabelled",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Arm::Removed => "without S(t)",
            Arm::Random => "without as many at random",
            Arm::Kept => "S(t) and as many others",
            Arm::KeptRandom => "as many as these at random",
            Arm::Relabelled => "S(t) relabelled",
        }
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Arm {
    type Err = StudyError;

    fn from_str(text: &str) -> Result<Arm, StudyError> {
        Arm::ALL
            .into_iter()
            .find(|arm| arm.name() == text)
            .ok_or_else(|| StudyError::Option {
                detail: format!("arm '{text}', expected {}", Arm::ALL.map(Arm::name).join(", ")),
            })
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Epochs of the training that gives S(t).
    pub identify_epochs: usize,
    /// Deviation of the noise on the test samples.
    pub noise: f64,
    /// The arms, none twice.
    pub arms: Vec<Arm>,
}

/// The released recipe's epochs t: e + 1 epochs for every e from 0 on whose ln(e + 1) is more than 0.1 above that of the
/// one taken before (0 at first), as long as e is below `epochs`.
pub fn grid(epochs: usize) -> Vec<usize> {
    let mut last = 0.0;
    let far = |&t: &usize| {
        let place = (t as f64).ln();
        let far = place - last > 0.1;
        if far {
            last = place;
        }
        far
    };
    (1..=epochs).filter(far).collect()
}

/// A network at its last epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tested {
    /// Samples it was trained on.
    pub samples: usize,
    /// Error on these, with the labels it was trained with. NaN without samples, as all that follows.
    pub train_error: f64,
    /// Error on the test samples.
    pub test_error: f64,
    /// Error on the noisy test samples.
    pub noisy_error: f64,
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Generalisation {
    /// Numbers of the replicas.
    pub replicas: Vec<u64>,
    /// The epochs t.
    pub epochs: Vec<usize>,
    /// Training error at t of each replica, and |S(t)|.
    pub identified: Vec<Vec<(f64, usize)>>,
    /// Epoch and training error of each replica's stop.
    pub stops: Vec<Option<(usize, f64)>>,
    /// Each replica trained on all samples.
    pub whole: Vec<Tested>,
    /// Of each arm, replica and t.
    pub arms: Vec<(Arm, Vec<Vec<Tested>>)>,
    /// Deviation of the noise.
    pub noise: f64,
}

/// Trains everything. The recipe's epochs are those of the networks that are tested.
///
/// # Errors
/// Those of training; [`StudyError::Interrupted`].
pub fn run(bench: &mut Bench, question: &Question) -> Result<Generalisation, StudyError> {
    let recipe = bench.recipe;
    let grid = grid(question.identify_epochs);
    let first = Recipe {
        epochs: question.identify_epochs,
        ..recipe.clone()
    };
    let identified = identify(bench, "identify", &first, &grid)?;
    let unmeasured = Recipe {
        layers: Vec::new(),
        ..recipe.clone()
    };
    let variants = variants(bench, question, &identified, grid.len());
    let run = Run {
        name: "train",
        recipe: &unmeasured,
        initial: bench.initial,
        sets_at: &[],
        records: false,
        together: 1,
    };
    let (data, backend) = (bench.data, bench.backend);
    let mut keep = |variants: &[Variant], followed: &Followed| -> Result<Vec<NamedTensor>, StudyError> {
        let clean = test_errors(&unmeasured, &followed.parameters, data.test(), backend)?;
        let mut with_noise = Vec::new();
        // The variants of a replica stand side by side.
        for own in variants.chunk_by(|a, b| a.replica == b.replica) {
            let first = with_noise.len();
            let parameters = part_of(&followed.parameters, first, own.len(), variants.len());
            let replica = unmeasured.replicas[own[0].replica];
            let features = noisy(&data.test_features, question.noise, unmeasured.seed, replica);
            let samples = data.test().map(|test| Samples {
                features: &features,
                ..test
            });
            with_noise.extend(test_errors(&unmeasured, &parameters, samples, backend)?);
        }
        let train = followed.records.iter().filter_map(|records| records.last());
        Ok(vec![
            list("train_error", train.map(|record| record.train_error).collect()),
            list("test_error", clean),
            list("noisy_error", with_noise),
        ])
    };
    let rows = data.train_labels.len();
    let mut tested = Vec::with_capacity(variants.len());
    for (networks, part) in train(bench, &run, &variants, &mut keep)? {
        let column = |name: &str| part.values(name, Some(networks));
        let (train, clean, noisy) = (column("train_error")?, column("test_error")?, column("noisy_error")?);
        for n in 0..networks {
            let samples = rows - variants[tested.len()].removed.len();
            let of = |values: &[f64]| if samples == 0 { f64::NAN } else { values[n] };
            tested.push(Tested {
                samples,
                train_error: of(train),
                test_error: of(clean),
                noisy_error: of(noisy),
            });
        }
    }
    Ok(sorted(recipe, question, &identified, grid, &tested))
}

/// All networks: for each replica that on all samples, then arm by arm and t by t.
fn variants(bench: &Bench, question: &Question, identified: &Identified, times: usize) -> Vec<Variant> {
    let recipe = bench.recipe;
    let labels = &bench.data.train_labels;
    let rows = labels.len();
    let everything: Vec<usize> = (0..rows).collect();
    let mut variants = Vec::new();
    for (r, &replica) in recipe.replicas.iter().enumerate() {
        variants.push(Variant::plain(r));
        for &arm in &question.arms {
            for t in 0..times {
                let (set, said) = (&identified.sets[t][r], &identified.said[t][r]);
                let draw = |like: &[usize], among: &[usize], which: u64| {
                    let draw = (t as u64) * 8 + which;
                    drawn_like(like, among, labels, recipe.seed, Stream::Control { replica, draw })
                };
                let mut variant = Variant::plain(r);
                match arm {
                    Arm::Removed => variant.removed = set.clone(),
                    Arm::Random => variant.removed = draw(set, &everything, 1),
                    Arm::Kept | Arm::KeptRandom => {
                        let more = draw(set, &others(set, rows), 2);
                        let mut kept: Vec<usize> = set.iter().chain(&more).copied().collect();
                        kept.sort_unstable();
                        if arm == Arm::KeptRandom {
                            kept = draw(&kept, &everything, 3);
                        }
                        variant.removed = others(&kept, rows);
                    }
                    Arm::Relabelled => variant.relabelled = set.iter().copied().zip(said.iter().copied()).collect(),
                }
                variants.push(variant);
            }
        }
    }
    variants
}

/// The parameters of `count` networks from `first` on, of `all`.
fn part_of(
    parameters: &crate::nn::network::Parameters,
    first: usize,
    count: usize,
    all: usize,
) -> crate::nn::network::Parameters {
    let own = |(name, values): &(String, Vec<f64>)| {
        let size = values.len() / all;
        (name.clone(), values[first * size..(first + count) * size].to_vec())
    };
    parameters.iter().map(own).collect()
}

fn sorted(
    recipe: &Recipe,
    question: &Question,
    identified: &Identified,
    grid: Vec<usize>,
    tested: &[Tested],
) -> Generalisation {
    let times = grid.len();
    let replicas = recipe.replicas.len();
    let each = 1 + question.arms.len() * times;
    let arm = |(a, &arm): (usize, &Arm)| {
        let of = |r: usize| {
            let start = r * each + 1 + a * times;
            tested[start..start + times].to_vec()
        };
        (arm, (0..replicas).map(of).collect())
    };
    let at = |r: usize| {
        (0..times)
            .map(|t| (identified.errors[t][r], identified.sets[t][r].len()))
            .collect()
    };
    Generalisation {
        replicas: recipe.replicas.clone(),
        epochs: grid,
        identified: (0..replicas).map(at).collect(),
        stops: identified
            .stops
            .iter()
            .map(|stop| stop.as_ref().map(|halt| (halt.epoch, halt.error)))
            .collect(),
        whole: (0..replicas).map(|r| tested[r * each]).collect(),
        arms: question.arms.iter().enumerate().map(arm).collect(),
        noise: question.noise,
    }
}

/// Which of the two test errors.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Clean,
    Noisy,
}

impl Kind {
    fn of(self, tested: &Tested) -> f64 {
        match self {
            Kind::Clean => tested.test_error,
            Kind::Noisy => tested.noisy_error,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Clean => "clean",
            Kind::Noisy => "noisy",
        }
    }
}

impl Generalisation {
    /// Training error at the t-th epoch over the replicas.
    fn error(&self, t: usize) -> Spread {
        Spread::of(self.identified.iter().map(|own| own[t].0))
    }

    fn arm(&self, wanted: Arm) -> Option<&Vec<Vec<Tested>>> {
        self.arms
            .iter()
            .find(|(arm, _)| *arm == wanted)
            .map(|(_, tested)| tested)
    }

    /// Of each t, the test error over the replicas.
    fn curve(&self, tested: &[Vec<Tested>], kind: Kind) -> Vec<Spread> {
        let at = |t: usize| Spread::of(tested.iter().map(|own| kind.of(&own[t])));
        (0..self.epochs.len()).map(at).collect()
    }

    fn whole(&self, kind: Kind) -> Spread {
        Spread::of(self.whole.iter().map(|tested| kind.of(tested)))
    }

    /// The place of the grid nearest to the mean training error at the inversion.
    fn inversion(&self) -> Option<usize> {
        let mean = Spread::of(self.stops.iter().flatten().map(|stop| stop.1)).mean?;
        let off = |t: &usize| (self.error(*t).mean.unwrap_or(f64::INFINITY) - mean).abs();
        (0..self.epochs.len()).min_by(|a, b| off(a).total_cmp(&off(b)))
    }
}

/// A place where a curve turns: its index, and whether it is a minimum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bend {
    /// Index.
    pub at: usize,
    /// Or a maximum.
    pub minimum: bool,
}

/// Where a curve turns for good: extrema from which it moves back by more than `threshold` on both sides. The ends do not
/// count; NaN is passed over.
pub fn bends(curve: &[f64], threshold: f64) -> Vec<Bend> {
    let mut bends = Vec::new();
    let mut places = (0..curve.len()).filter(|&n| curve[n].is_finite());
    let Some(first) = places.next() else { return bends };
    let (mut low, mut high) = (first, first);
    // Which way the curve is known to go: up, down, or not yet.
    let mut rising = None;
    for n in places {
        if curve[n] < curve[low] {
            low = n;
        }
        if curve[n] > curve[high] {
            high = n;
        }
        if rising != Some(true) && curve[n] > curve[low] + threshold {
            if rising == Some(false) {
                bends.push(Bend { at: low, minimum: true });
            }
            (rising, high) = (Some(true), n);
        } else if rising != Some(false) && curve[n] < curve[high] - threshold {
            if rising == Some(true) {
                bends.push(Bend {
                    at: high,
                    minimum: false,
                });
            }
            (rising, low) = (Some(false), n);
        }
    }
    bends
}

/// What `found` says.
pub fn findings(found: &Generalisation) -> Findings {
    let mut numbers = vec![];
    for kind in [Kind::Clean, Kind::Noisy] {
        let mut add = |name: String, spread: Spread| {
            numbers.push((name.clone(), spread.mean.unwrap_or(f64::NAN)));
            numbers.push((format!("{name}.sd"), spread.sd.unwrap_or(f64::NAN)));
        };
        add(format!("whole.{}", kind.name()), found.whole(kind));
        for (arm, tested) in &found.arms {
            let curve = found.curve(tested, kind);
            if let Some(t) = found.inversion() {
                add(format!("{arm}.{}.at_inversion", kind.name()), curve[t]);
            }
            if let Some(t) = lowest(&curve) {
                add(format!("{arm}.{}.lowest", kind.name()), curve[t]);
                add(format!("{arm}.{}.lowest_at_error", kind.name()), found.error(t));
            }
        }
    }
    let mut plots = Vec::new();
    for kind in [Kind::Clean, Kind::Noisy] {
        let (near, far): (Vec<Arm>, Vec<Arm>) = found
            .arms
            .iter()
            .map(|(arm, _)| *arm)
            .partition(|arm| matches!(arm, Arm::Removed | Arm::Random | Arm::Relabelled));
        plots.extend(
            [("", near), ("-kept", far)]
                .into_iter()
                .filter_map(|(suffix, arms)| plot(found, kind, suffix, &arms)),
        );
    }
    Findings {
        paragraphs: words(found),
        numbers,
        plots,
        shown: [Kind::Clean, Kind::Noisy].map(|kind| shown(found, kind)).into(),
        tables: vec![table(found), sets(found)],
        ..Findings::default()
    }
}

/// The place of the smallest mean.
fn lowest(curve: &[Spread]) -> Option<usize> {
    let mean = |t: &usize| curve[*t].mean.unwrap_or(f64::INFINITY);
    (0..curve.len())
        .filter(|t| mean(t).is_finite())
        .min_by(|a, b| mean(a).total_cmp(&mean(b)))
}

fn words(found: &Generalisation) -> Vec<String> {
    let replicas = found.replicas.len();
    if found.whole(Kind::Clean).count == 0 {
        return vec!["There are no test samples, so nothing can be said of generalisation.".into()];
    }
    let mut all = vec![format!(
        "Trained on all samples, {replicas} replica{} misclassify {} of the test samples, and {} of them with noise of \
         deviation {} on every standardised number.",
        if replicas == 1 { "" } else { "s" },
        found.whole(Kind::Clean).plus_minus(),
        found.whole(Kind::Noisy).plus_minus(),
        found.noise
    )];
    if let Some(t) = found.inversion() {
        let mut words = format!(
            "At the inversion (epoch {}, training error {}):",
            found.epochs[t],
            found.error(t).plus_minus()
        );
        let each = found.arms.iter().map(|(arm, tested)| {
            let [clean, noisy] = [Kind::Clean, Kind::Noisy].map(|kind| found.curve(tested, kind)[t].plus_minus());
            format!(" {}: {clean} clean, {noisy} noisy", arm.words())
        });
        words.push_str(&each.collect::<Vec<_>>().join(";"));
        words.push('.');
        all.push(words);
    }
    if let (Some(removed), Some(random)) = (found.arm(Arm::Removed), found.arm(Arm::Random))
        && let Some(t) = found.inversion()
    {
        let differences = [Kind::Clean, Kind::Noisy].map(|kind| {
            let pairs = removed.iter().zip(random);
            let spread = Spread::of(pairs.map(|(a, b)| kind.of(&a[t]) - kind.of(&b[t])));
            let (mean, half) = (spread.mean.unwrap_or(f64::NAN), spread.half_width().unwrap_or(f64::NAN));
            let verdict = match (mean, half) {
                (mean, half) if mean > half => "hurts",
                (mean, half) if mean < -half => "helps",
                _ => "makes no difference that these replicas can tell",
            };
            format!(
                "on {} test samples removing the stragglers rather than random ones {verdict} ({} ± {}, 95 % of the mean)",
                kind.name(),
                significant(mean, 3),
                significant(half, 2)
            )
        });
        all.push(format!("There, {}.", differences.join("; ")));
    }
    for kind in [Kind::Clean, Kind::Noisy] {
        let Some(tested) = found.arm(Arm::Removed) else {
            continue;
        };
        let curve = found.curve(tested, kind);
        let Some(best) = lowest(&curve) else { continue };
        // Twice the largest standard error of a mean on the curve.
        let error = |spread: &Spread| spread.half_width().unwrap_or(0.0) * 2.0 / 1.96;
        let threshold = curve.iter().map(error).fold(0.0, f64::max);
        let means: Vec<f64> = curve.iter().map(|spread| spread.mean.unwrap_or(f64::NAN)).collect();
        let bend = |bend: Bend| {
            format!(
                "a {} of {} at training error {}",
                if bend.minimum { "minimum" } else { "maximum" },
                curve[bend.at].plus_minus(),
                found.error(bend.at).plus_minus()
            )
        };
        let bends: Vec<String> = bends(&means, threshold).into_iter().map(bend).collect();
        all.push(format!(
            "Without S(t) the {} test error is lowest, {}, for the set at training error {} (epoch {}); {}.",
            kind.name(),
            curve[best].plus_minus(),
            found.error(best).plus_minus(),
            found.epochs[best],
            if bends.is_empty() {
                "between the ends of the grid the curve does not turn by more than its error".to_owned()
            } else {
                format!("it turns at {}", bends.join(", "))
            }
        ));
    }
    all
}

fn plot(found: &Generalisation, kind: Kind, suffix: &str, arms: &[Arm]) -> Option<Plot> {
    let tested: Vec<(Arm, &Vec<Vec<Tested>>)> = arms.iter().filter_map(|&arm| Some((arm, found.arm(arm)?))).collect();
    if tested.is_empty() || found.whole(kind).count == 0 {
        return None;
    }
    let curve = |(arm, tested): &(Arm, &Vec<Vec<Tested>>)| {
        let replica = |(own, identified): (&Vec<Tested>, &Vec<(f64, usize)>)| {
            let point = |(tested, at): (&Tested, &(f64, usize))| (at.0, kind.of(tested));
            own.iter().zip(identified).map(point).collect()
        };
        Curve::of(arm.words(), tested.iter().zip(&found.identified).map(replica).collect())
    };
    let mut curves: Vec<Curve> = tested.iter().map(curve).collect();
    let ends = [0, found.epochs.len().saturating_sub(1)].map(|t| found.error(t).mean);
    let whole = found.whole(kind);
    if let ([Some(from), Some(to)], Some(y)) = (ends, whole.mean) {
        let half = whole.half_width();
        curves.push(Curve {
            label: "all samples".into(),
            replicas: Vec::new(),
            mean: [from, to].map(|x| Point { x, y, half }).into(),
        });
    }
    let stop = Spread::of(found.stops.iter().flatten().map(|stop| stop.1));
    Some(Plot {
        name: format!("test-error-{}{suffix}", kind.name()),
        title: match kind {
            Kind::Clean => "Test error".into(),
            Kind::Noisy => format!("Test error, noise {} on the test samples", found.noise),
        },
        across: Across::Error,
        logarithmic: false,
        curves,
        range: stop.mean.map(|_| (stop, "inversion, mean ± sd".into())),
        note: "Across: the training error at t of the network that gave S(t).".into(),
    })
}

fn shown(found: &Generalisation, kind: Kind) -> Table {
    let head: Vec<&str> = ["t", "Training error", "|S(t)|"]
        .into_iter()
        .chain(found.arms.iter().map(|(arm, _)| arm.words()))
        .collect();
    let name = match kind {
        Kind::Clean => "Test error, clean",
        Kind::Noisy => "Test error, noisy",
    };
    let mut table = Table::new(name, &head);
    for (t, epoch) in found.epochs.iter().enumerate() {
        let size = Spread::of(found.identified.iter().map(|own| own[t].1 as f64));
        let mut row = vec![epoch.to_string(), found.error(t).plus_minus(), size.plus_minus()];
        row.extend(
            found
                .arms
                .iter()
                .map(|(_, tested)| found.curve(tested, kind)[t].plus_minus()),
        );
        table.rows.push(row);
    }
    table
}

/// `generalisation.csv`: a line per network.
fn table(found: &Generalisation) -> Table {
    let head = [
        "replica",
        "arm",
        "epoch",
        "error_at_epoch",
        "set_size",
        "trained_on",
        "train_error",
        "test_error",
        "noisy_error",
    ];
    let mut table = Table::new("generalisation", &head);
    let some = |value: f64| cell(Some(value).filter(|value| !value.is_nan()));
    let numbers = |tested: &Tested| {
        let errors = [tested.train_error, tested.test_error, tested.noisy_error].map(some);
        [tested.samples.to_string()].into_iter().chain(errors)
    };
    for (r, replica) in found.replicas.iter().enumerate() {
        let mut row = vec![
            replica.to_string(),
            "all".to_owned(),
            String::new(),
            String::new(),
            "0".to_owned(),
        ];
        row.extend(numbers(&found.whole[r]));
        table.rows.push(row);
        for (arm, tested) in &found.arms {
            for (t, tested) in tested[r].iter().enumerate() {
                let (error, size) = found.identified[r][t];
                let mut row = vec![replica.to_string(), arm.to_string(), found.epochs[t].to_string()];
                row.extend([cell(error), size.to_string()]);
                row.extend(numbers(tested));
                table.rows.push(row);
            }
        }
    }
    table
}

/// `stops.csv`
fn sets(found: &Generalisation) -> Table {
    let mut table = Table::new("stops", &["replica", "stop_epoch", "stop_error"]);
    for (replica, stop) in found.replicas.iter().zip(&found.stops) {
        let epoch = stop.map_or_else(String::new, |stop| stop.0.to_string());
        table
            .rows
            .push(vec![replica.to_string(), epoch, cell(stop.map(|stop| stop.1))]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_is_that_of_the_released_recipe() {
        // As listed in the research note: 38 values for 300 epochs.
        let listed = [
            2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 23, 26, 29, 33, 37, 41, 46, 51, 57, 63, 70, 78, 87, 97,
            108, 120, 133, 147, 163, 181, 201, 223, 247, 273,
        ];
        assert_eq!(grid(300), listed);
        assert_eq!(grid(2), [2]);
        assert!(grid(0).is_empty());
    }

    #[test]
    fn a_curve_turns_where_it_moves_back_by_more_than_its_error() {
        let bend = |at, minimum| Bend { at, minimum };
        let curve = [5.0, 3.0, 1.0, 2.0, 4.0, 3.5, 4.1, 2.0, f64::NAN, 1.5];
        assert_eq!(bends(&curve, 0.9), [bend(2, true), bend(6, false)]);
        assert_eq!(bends(&curve, 10.0), []);
        assert_eq!(bends(&curve, 0.4).len(), 4);
        assert_eq!(bends(&[1.0, 1.0, 1.0], 0.0), []);
        assert_eq!(bends(&[1.0, 2.0, 3.0], 0.0), [], "ends do not count");
        assert_eq!(bends(&[], 0.0), []);
    }

    #[test]
    fn arms_are_read_by_their_names() {
        for arm in Arm::ALL {
            assert_eq!(arm.to_string().parse::<Arm>().unwrap(), arm);
        }
        assert!(
            "stragglers"
                .parse::<Arm>()
                .unwrap_err()
                .to_string()
                .contains("expected removed, random")
        );
    }
}
