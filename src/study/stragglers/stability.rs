//! `stability`: how far two independent networks misclassify the same samples, epoch by epoch.
//!
//! Two networks misclassify K_1 and K_2 of P samples at epoch t, C of them in common; sets drawn at random would share
//! E = K_1 K_2 / P on average. Over many pairs of independent initialisations
//!
//! z(t) = (mean C - mean E) / sd C,
//!
//! with the population deviation, as in the released recipe (which computes E from distributions cut at 200, exact only
//! while E < 160 or so). Its error bars come from resampling pairs with replacement, the same pairs at all epochs.

use rand_chacha::ChaCha8Rng;

use super::super::error::StudyError;
use super::super::findings::{Across, Curve, Findings, Plot, Point, Table, cell};
use super::super::number::{Spread, significant};
use super::super::parts::list;
use super::follow::{Followed, Halt};
use super::identify::{kept_stops, stops};
use super::variants::{Run, Variant, courses, train};
use super::{Bench, common, dice};
use crate::data::streams::{Stream, below, generator};

/// What two networks misclassify at one epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Samples that the first misclassifies.
    pub first: usize,
    /// Those of the second.
    pub second: usize,
    /// Those of both.
    pub common: usize,
}

impl Pair {
    /// What random sets of these sizes share on average, out of `samples`.
    fn by_chance(&self, samples: usize) -> f64 {
        self.first as f64 * self.second as f64 / samples as f64
    }
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Stability {
    /// The epochs.
    pub epochs: Vec<usize>,
    /// At each epoch, every pair.
    pub pairs: Vec<Vec<Pair>>,
    /// The stop of each network, if it came by the last epoch.
    pub stops: Vec<Option<Halt>>,
    /// Training samples.
    pub samples: usize,
}

/// Trains the bench's replicas, an even number: the first two are a pair, the next two, and so on. They are compared at
/// `epochs` (ascending, none beyond the recipe's).
///
/// # Errors
/// Those of training; [`StudyError::Interrupted`].
pub fn run(bench: &mut Bench, epochs: &[usize]) -> Result<Stability, StudyError> {
    let run = Run {
        name: "stability",
        recipe: bench.recipe,
        initial: bench.initial,
        sets_at: epochs,
        records: false,
        together: 2,
        removes: false,
        relabels: false,
        follow: bench.follow,
    };
    let variants: Vec<Variant> = (0..bench.recipe.replicas.len() / 2 * 2).map(Variant::plain).collect();
    let parts = train(bench, &run, &variants, &mut |_, followed| {
        let mut tensors = kept_stops(followed);
        let counted = (0..epochs.len()).map(|t| list(&format!("pairs/{t}"), pairs_at(followed, t)));
        tensors.extend(counted);
        Ok(tensors)
    })?;
    let followed = courses(bench, &parts)?;
    bench.courses.add_replicas(&bench.recipe.replicas, followed);
    let samples = bench.data.train_labels.len();
    let mut found = Stability {
        epochs: epochs.to_vec(),
        pairs: vec![Vec::new(); epochs.len()],
        stops: Vec::new(),
        samples,
    };
    for (networks, part) in &parts {
        found.stops.extend(stops(part, *networks, samples)?);
        for (t, pairs) in found.pairs.iter_mut().enumerate() {
            let numbers = part.values(&format!("pairs/{t}"), Some(networks / 2 * 3))?;
            pairs.extend(numbers.chunks_exact(3).map(|n| Pair {
                first: n[0] as usize,
                second: n[1] as usize,
                common: n[2] as usize,
            }));
        }
    }
    Ok(found)
}

/// Sizes and common size of every pair at the t-th epoch.
fn pairs_at(followed: &Followed, t: usize) -> Vec<f64> {
    let places = |set: &[(usize, u32)]| -> Vec<usize> { set.iter().map(|&(place, _)| place).collect() };
    let pair = |sets: &[Vec<(usize, u32)>]| {
        let (a, b) = (places(&sets[0]), places(&sets[1]));
        [a.len() as f64, b.len() as f64, common(&a, &b) as f64]
    };
    followed.sets[t].chunks_exact(2).flat_map(pair).collect()
}

/// z at one epoch, of pairs given by their numbers; NaN where all pairs share equally many.
fn z(pairs: &[Pair], samples: usize, which: &[usize]) -> f64 {
    let n = which.len() as f64;
    let common = || which.iter().map(|&p| pairs[p].common as f64);
    let mean = common().sum::<f64>() / n;
    let chance = which.iter().map(|&p| pairs[p].by_chance(samples)).sum::<f64>() / n;
    let variance = common().map(|c| (c - mean).powi(2)).sum::<f64>() / n;
    (mean - chance) / variance.sqrt()
}

/// As many numbers below `n` as there are, drawn with replacement.
fn resampled(rng: &mut ChaCha8Rng, n: usize) -> Vec<usize> {
    (0..n).map(|_| below(rng, n)).collect()
}

/// z with its error bars, at every epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// z at each epoch.
    pub z: Vec<f64>,
    /// Its standard error, by resampling.
    pub error: Vec<f64>,
    /// The 2.5 % and 97.5 % points of the resampled values.
    pub interval: Vec<(f64, f64)>,
    /// The epoch (its place) of the largest z.
    pub best: Option<usize>,
    /// Whether z at an epoch cannot be told from the largest: in more than 2.5 % of the resamples it is not below it.
    pub tied: Vec<bool>,
}

/// Scores with error bars from so many resamples.
pub fn scores(found: &Stability, resamples: usize, seed: u64) -> Scores {
    let pairs = found.pairs.first().map_or(0, Vec::len);
    let all: Vec<usize> = (0..pairs).collect();
    let at = |t: usize, which: &[usize]| z(&found.pairs[t], found.samples, which);
    let epochs = found.epochs.len();
    let values: Vec<f64> = (0..epochs).map(|t| at(t, &all)).collect();
    let finite = (0..epochs).filter(|&t| values[t].is_finite());
    let best = finite.max_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut rng = generator(seed, Stream::Bootstrap);
    let mut again: Vec<Vec<f64>> = vec![Vec::with_capacity(resamples); epochs];
    let mut not_below = vec![0usize; epochs];
    for _ in 0..resamples {
        let which = resampled(&mut rng, pairs);
        let drawn: Vec<f64> = (0..epochs).map(|t| at(t, &which)).collect();
        for t in 0..epochs {
            again[t].push(drawn[t]);
            not_below[t] += usize::from(best.is_some_and(|best| drawn[t] >= drawn[best]));
        }
    }
    let quantile = |values: &[f64], part: f64| {
        let place = (part * (values.len().saturating_sub(1)) as f64).round() as usize;
        values.get(place).copied().unwrap_or(f64::NAN)
    };
    let interval = again.iter().map(|values| {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        (quantile(&sorted, 0.025), quantile(&sorted, 0.975))
    });
    Scores {
        interval: interval.collect(),
        error: again
            .iter()
            .map(|v| Spread::of(v.iter().copied()).sd.unwrap_or(f64::NAN))
            .collect(),
        tied: not_below.iter().map(|&n| n as f64 > 0.025 * resamples as f64).collect(),
        z: values,
        best,
    }
}

/// What `found` says, with scores from [`scores`].
pub fn findings(found: &Stability, scores: &Scores) -> Findings {
    let at: Vec<AtEpoch> = (0..found.epochs.len()).map(|t| AtEpoch::of(found, t)).collect();
    let stops: Vec<&Halt> = found.stops.iter().flatten().collect();
    let stop_error = Spread::of(stops.iter().map(|stop| stop.error));
    let stop_epoch = Spread::of(stops.iter().map(|stop| stop.epoch as f64));
    let mut numbers: Vec<(String, f64)> = vec![
        ("pairs".into(), found.pairs.first().map_or(0, Vec::len) as f64),
        ("networks_that_stop".into(), stops.len() as f64),
        ("stop_epoch".into(), stop_epoch.mean.unwrap_or(f64::NAN)),
        ("stop_error".into(), stop_error.mean.unwrap_or(f64::NAN)),
    ];
    for (t, epoch) in found.epochs.iter().enumerate() {
        numbers.push((format!("z_{epoch}"), scores.z[t]));
        numbers.push((format!("z_{epoch}_error"), scores.error[t]));
    }
    Findings {
        paragraphs: vec![words(found, scores, &at, stop_error, stop_epoch, stops.len())],
        numbers,
        plots: vec![
            score_plot(found, scores, &at, stop_error),
            overlap_plot(found, &at, stop_error),
        ],
        shown: vec![shown(found, scores, &at)],
        tables: vec![table(found, scores, &at), pairs_table(found)],
        ..Findings::default()
    }
}

/// What the pairs have at one epoch.
struct AtEpoch {
    /// Training error of the networks.
    error: Spread,
    /// Misclassified samples of a network.
    wrong: Spread,
    common: Spread,
    by_chance: Spread,
    /// 2 C / (K_1 + K_2)
    overlap: Spread,
}

impl AtEpoch {
    fn of(found: &Stability, t: usize) -> AtEpoch {
        let pairs = &found.pairs[t];
        let wrong = || pairs.iter().flat_map(|p| [p.first, p.second]).map(|k| k as f64);
        AtEpoch {
            error: Spread::of(wrong().map(|k| k / found.samples as f64)),
            wrong: Spread::of(wrong()),
            common: Spread::of(pairs.iter().map(|p| p.common as f64)),
            by_chance: Spread::of(pairs.iter().map(|p| p.by_chance(found.samples))),
            overlap: Spread::of(pairs.iter().map(|p| dice(p.first, p.second, p.common))),
        }
    }
}

fn words(
    found: &Stability,
    scores: &Scores,
    at: &[AtEpoch],
    stop_error: Spread,
    stop_epoch: Spread,
    stopped: usize,
) -> String {
    let pairs = found.pairs.first().map_or(0, Vec::len);
    let Some(best) = scores.best else {
        return format!(
            "No score could be computed from {pairs} pairs: at every epoch all pairs share equally many samples."
        );
    };
    let error = |t: usize| at[t].error.mean.unwrap_or(f64::NAN);
    let mut words = format!(
        "Over {pairs} pairs the sets of misclassified samples are most stable at epoch {}, training error {}: z = {} ± {} \
         (standard error by resampling).",
        found.epochs[best],
        significant(error(best), 3),
        significant(scores.z[best], 3),
        significant(scores.error[best], 2),
    );
    let tied: Vec<usize> = (0..at.len()).filter(|&t| scores.tied[t]).collect();
    if let (Some(&first), Some(&last)) = (tied.first(), tied.last())
        && tied.len() > 1
    {
        words.push_str(&format!(
            " {} of {} epochs cannot be told from it, between training errors {} and {}.",
            tied.len(),
            at.len(),
            significant(error(first), 3),
            significant(error(last), 3)
        ));
    }
    let Some(mean) = stop_error.mean else {
        words.push_str(" No network came to the stop of the released recipe by the last epoch.");
        return words;
    };
    words.push_str(&format!(
        " The inversion (stop of the released recipe, {stopped} of {} networks) is at epoch {} and training error {}.",
        found.stops.len(),
        stop_epoch.plus_minus(),
        stop_error.plus_minus()
    ));
    let nearest = (0..at.len()).min_by(|&a, &b| (error(a) - mean).abs().total_cmp(&(error(b) - mean).abs()));
    if let Some(nearest) = nearest {
        let (z, epoch) = (significant(scores.z[nearest], 3), found.epochs[nearest]);
        words.push_str(&if nearest == best {
            " It is the epoch at hand where the set is most stable.".to_owned()
        } else if scores.tied[nearest] {
            format!(" There (epoch {epoch}) z = {z}: the stragglers are among the most stable sets.")
        } else {
            format!(" There (epoch {epoch}) z = {z}, significantly below the largest: the stragglers are not the most stable set.")
        });
    }
    words
}

fn score_plot(found: &Stability, scores: &Scores, at: &[AtEpoch], stop: Spread) -> Plot {
    let mean = (0..at.len()).filter_map(|t| {
        let (low, high) = scores.interval[t];
        Some(Point {
            x: at[t].error.mean?,
            y: scores.z[t],
            half: Some((high - low) / 2.0).filter(|half| half.is_finite()),
        })
    });
    // The mean of (C - E) / sd C over the pairs is z.
    let pair = |p: usize| {
        let point = |t: usize| {
            let (pair, sd) = (found.pairs[t][p], deviation(&found.pairs[t]));
            let error = (pair.first + pair.second) as f64 / (2 * found.samples) as f64;
            (error, (pair.common as f64 - pair.by_chance(found.samples)) / sd)
        };
        (0..at.len()).map(point).collect()
    };
    let pairs = found.pairs.first().map_or(0, Vec::len);
    Plot {
        name: "stability".into(),
        title: "z of what two networks misclassify in common".into(),
        across: Across::Error,
        logarithmic: false,
        curves: vec![Curve {
            label: "z, 95 % by resampling".into(),
            replicas: (0..pairs).map(pair).collect(),
            mean: mean.collect(),
        }],
        range: stop.mean.map(|_| (stop, "inversion, mean ± sd".into())),
        note: "Thin: each pair's (C − K₁K₂/P) / sd C, whose mean is z.".into(),
    }
}

/// The population deviation of C.
fn deviation(pairs: &[Pair]) -> f64 {
    let spread = Spread::of(pairs.iter().map(|pair| pair.common as f64));
    let n = pairs.len() as f64;
    spread.sd.map_or(0.0, |sd| sd * ((n - 1.0) / n).sqrt())
}

fn overlap_plot(found: &Stability, at: &[AtEpoch], stop: Spread) -> Plot {
    let pairs = found.pairs.first().map_or(0, Vec::len);
    let curve = |value: &dyn Fn(&Pair) -> f64| -> Vec<Vec<(f64, f64)>> {
        let point = |t: usize, p: usize| (at[t].error.mean.unwrap_or(f64::NAN), value(&found.pairs[t][p]));
        (0..pairs)
            .map(|p| (0..at.len()).map(|t| point(t, p)).collect())
            .collect()
    };
    let shared = curve(&|pair| dice(pair.first, pair.second, pair.common));
    let chance = |pair: &Pair| 2.0 * pair.by_chance(found.samples) / (pair.first + pair.second) as f64;
    Plot {
        name: "overlap".into(),
        title: "Overlap 2C/(K₁+K₂) of two networks".into(),
        across: Across::Error,
        logarithmic: false,
        curves: vec![
            Curve::of("two networks", shared),
            Curve::of("by chance", curve(&chance)),
        ],
        range: stop.mean.map(|_| (stop, "inversion, mean ± sd".into())),
        note: String::new(),
    }
}

fn shown(found: &Stability, scores: &Scores, at: &[AtEpoch]) -> Table {
    let head = [
        "Epoch",
        "Training error",
        "Misclassified",
        "In common",
        "By chance",
        "Overlap",
        "z",
        "Standard error",
    ];
    let mut table = Table::new("Stability by epoch", &head);
    for (t, at) in at.iter().enumerate() {
        table.rows.push(vec![
            found.epochs[t].to_string(),
            at.error.plus_minus(),
            at.wrong.plus_minus(),
            at.common.plus_minus(),
            at.by_chance.mean_only(),
            at.overlap.plus_minus(),
            significant(scores.z[t], 3),
            significant(scores.error[t], 2),
        ]);
    }
    table
}

/// `stability.csv`
fn table(found: &Stability, scores: &Scores, at: &[AtEpoch]) -> Table {
    let head = [
        "epoch",
        "train_error",
        "train_error_sd",
        "misclassified",
        "misclassified_sd",
        "common",
        "common_sd",
        "by_chance",
        "overlap",
        "overlap_sd",
        "z",
        "z_standard_error",
        "z_low",
        "z_high",
        "tied_with_largest",
    ];
    let mut table = Table::new("stability", &head);
    for (t, at) in at.iter().enumerate() {
        let (low, high) = scores.interval[t];
        table.rows.push(vec![
            found.epochs[t].to_string(),
            cell(at.error.mean),
            cell(at.error.sd),
            cell(at.wrong.mean),
            cell(at.wrong.sd),
            cell(at.common.mean),
            cell(at.common.sd),
            cell(at.by_chance.mean),
            cell(at.overlap.mean),
            cell(at.overlap.sd),
            cell(scores.z[t]),
            cell(scores.error[t]),
            cell(low),
            cell(high),
            u8::from(scores.tied[t]).to_string(),
        ]);
    }
    table
}

/// `pairs.csv`
fn pairs_table(found: &Stability) -> Table {
    let mut table = Table::new(
        "pairs",
        &[
            "pair",
            "epoch",
            "misclassified_1",
            "misclassified_2",
            "common",
            "by_chance",
        ],
    );
    for p in 0..found.pairs.first().map_or(0, Vec::len) {
        for (epoch, pairs) in found.epochs.iter().zip(&found.pairs) {
            table.rows.push(vec![
                p.to_string(),
                epoch.to_string(),
                pairs[p].first.to_string(),
                pairs[p].second.to_string(),
                pairs[p].common.to_string(),
                cell(pairs[p].by_chance(found.samples)),
            ]);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pairs: Vec<Vec<Pair>>) -> Stability {
        Stability {
            epochs: (1..=pairs.len()).collect(),
            stops: Vec::new(),
            samples: 100,
            pairs,
        }
    }

    #[test]
    fn the_score_is_the_formula_and_its_pairs_average_to_it() {
        let pair = |first, second, common| Pair { first, second, common };
        let found = found(vec![vec![pair(10, 20, 8), pair(20, 20, 12), pair(10, 10, 7)]]);
        let scores = scores(&found, 10, 1);
        // mean C = 9, E = (2 + 4 + 1) / 3, population variance (1 + 9 + 4) / 3.
        let expected = (9.0 - 7.0 / 3.0) / (14.0f64 / 3.0).sqrt();
        assert!((scores.z[0] - expected).abs() < 1e-14);
        let plot = score_plot(&found, &scores, &[AtEpoch::of(&found, 0)], Spread::of([]));
        let mean = plot.curves[0].replicas.iter().map(|r| r[0].1).sum::<f64>() / 3.0;
        assert!((mean - expected).abs() < 1e-14);
    }

    #[test]
    fn the_standard_error_is_that_of_independent_pairs() {
        // C normal with mean 60 and deviation 4, as near as whole numbers are; K fixed, E = 4. Then z = 56 / 4 = 14, and
        // by the delta method var z = (1 + z^2 / 2) / n for a normal C: 0.705 for n = 200.
        let mut rng = generator(5, Stream::GaussianClasses);
        let mut draw = || {
            let sum: f64 = (0..12)
                .map(|_| below(&mut rng, 1 << 20) as f64 / f64::from(1 << 20))
                .sum();
            Pair {
                first: 20,
                second: 20,
                common: (60.0 + 4.0 * (sum - 6.0)).round() as usize,
            }
        };
        let found = found(vec![(0..200).map(|_| draw()).collect()]);
        let scores = scores(&found, 1000, 1);
        let expected = ((1.0 + 14.0f64.powi(2) / 2.0) / 200.0).sqrt();
        // The bootstrap's own error is that of a variance of a variance from 200 pairs: some 10 %; three of them.
        assert!(
            (scores.error[0] / expected - 1.0).abs() < 0.3,
            "{} {expected}",
            scores.error[0]
        );
        assert!((scores.z[0] - 14.0).abs() < 4.0 * expected, "{}", scores.z[0]);
        let (low, high) = scores.interval[0];
        assert!(low < scores.z[0] && scores.z[0] < high);
    }

    #[test]
    fn pairs_that_all_share_equally_many_have_no_score() {
        let found = found(vec![
            vec![
                Pair {
                    first: 5,
                    second: 5,
                    common: 5
                };
                4
            ];
            2
        ]);
        let scores = scores(&found, 20, 1);
        assert!(scores.z.iter().all(|z| !z.is_finite()) && scores.best.is_none());
        let words = &findings(&found, &scores).paragraphs[0];
        assert!(words.starts_with("No score"), "{words}");
    }
}
