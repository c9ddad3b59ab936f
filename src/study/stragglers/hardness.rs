//! Stragglers against other measures of how hard a sample is: rank correlations, and overlap at equal size.
//!
//! | score | what it is, larger for harder samples | source |
//! |---|---|---|
//! | `straggler` | fraction of the networks that stop of which it is a straggler | Ciceri et al. 2024 |
//! | `forgetting` | how often it goes from classified to misclassified; epochs + 1 if it is never classified | Toneva et al., ICLR 2019 |
//! | `el2n` | norm of (probabilities - unit vector of the label), early in training | Paul et al., NeurIPS 2021 |
//! | `area` | minus its margin, averaged over all epochs | Pleiss et al., NeurIPS 2020 |
//! | `margin` | minus its margin at the end: output of its class minus the largest other | |
//! | `loss` | minus the log of its class' probability at the end | |
//! | `neighbor` | 1 if its nearest other sample (Euclid) has another label | Cover and Hart 1967 |
//!
//! Each but the last is averaged over the networks. Spearman's correlation is over all samples. For the overlap, as many
//! samples as stragglers (of at least half of the networks that stop) are taken by score; a sample that ties with the last
//! counts for the part of the tied ones that is taken, so that no order among equals decides.

use super::super::correlation::spearman;
use super::super::course;
use super::super::error::StudyError;
use super::super::extremum::stops;
use super::super::findings::{Across, Card, Curve, Findings, Plot, Point, Table, cell};
use super::super::inversion::misclassified;
use super::super::number::{DASH, Spread, significant};
use super::super::parts::list;
use super::Bench;
use super::outputs::{Seen, each_epoch, margin, probabilities};

/// The scores, and their words.
pub const SCORES: [(&str, &str); 7] = [
    ("straggler", "straggler of so many networks"),
    ("forgetting", "forgetting events"),
    ("el2n", "EL2N early in training"),
    ("area", "minus the margin over all epochs"),
    ("margin", "minus the margin at the end"),
    ("loss", "loss at the end"),
    ("neighbor", "nearest neighbor of another class"),
];
/// Pictures on the page.
const CARDS: usize = 60;

/// What the study has measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Hardness {
    /// Row in the training file, class of each sample.
    pub samples: Vec<(usize, u32)>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// In the order of [`SCORES`], a number per sample.
    pub scores: Vec<Vec<f64>>,
    /// Networks, and those of them that stop.
    pub networks: (usize, usize),
    /// Stragglers of each network that stops.
    pub counts: Vec<f64>,
    /// The epoch of EL2N.
    pub early: usize,
}

/// Trains, and scores every sample. EL2N is taken at epoch `early`.
///
/// # Errors
/// [`StudyError::Interrupted`]; [`StudyError::Train`].
pub fn run(bench: &mut Bench, early: usize) -> Result<Hardness, StudyError> {
    let (recipe, data, kept) = (bench.recipe, bench.data, bench.parts);
    let rows = data.train_labels.len();
    let count = recipe.replicas.len();
    let part = kept.part("scores", || {
        let mut sums = vec![vec![0.0; rows]; SCORES.len() - 1];
        // Of each network: whether a sample was classified last time and ever; its forgetting events; the radii.
        let mut right = vec![vec![false; rows]; count];
        let mut ever = right.clone();
        let mut events = vec![vec![0.0; rows]; count];
        let mut radii: Vec<Vec<f64>> = vec![Vec::new(); count];
        let mut stragglers: Vec<Option<f64>> = vec![None; count];
        let cols = recipe.architecture.outputs;
        let mut see = |seen: Seen| {
            let network = seen.network;
            let mut now = vec![true; rows];
            for place in misclassified(seen.outputs, cols, &data.train_labels) {
                now[place] = false;
            }
            for place in 0..rows {
                if right[network][place] && !now[place] {
                    events[network][place] += 1.0;
                }
                ever[network][place] |= now[place];
            }
            radii[network].push(seen.radius);
            if stragglers[network].is_none() && stops(&radii[network], seen.epoch) {
                let missed = now.iter().filter(|right| !**right).count();
                stragglers[network] = Some(missed as f64);
                sums[0]
                    .iter_mut()
                    .zip(&now)
                    .for_each(|(sum, right)| *sum += f64::from(u8::from(!right)));
            }
            right[network] = now;
            let last = seen.epoch == recipe.epochs;
            for (place, (row, &label)) in seen.outputs.chunks_exact(cols).zip(&data.train_labels).enumerate() {
                let margin = margin(row, label);
                sums[3][place] -= margin / (recipe.epochs + 1) as f64;
                if seen.epoch == early {
                    sums[2][place] += el2n(row, label);
                }
                if last {
                    sums[4][place] -= margin;
                    let p = probabilities(row).get(label as usize).copied().unwrap_or(f64::NAN);
                    // The least positive number, where it underflows: the loss stays finite and the order holds.
                    sums[5][place] -= p.max(f64::MIN_POSITIVE).ln();
                }
            }
        };
        let followed = each_epoch(bench, ("training", 0, 1), &mut see)?;
        for (events, ever) in events.iter().zip(&ever) {
            for (place, sum) in sums[1].iter_mut().enumerate() {
                *sum += if ever[place] {
                    events[place]
                } else {
                    (recipe.epochs + 1) as f64
                };
            }
        }
        let stopped = stragglers.iter().flatten().count();
        for (n, sums) in sums.iter_mut().enumerate() {
            let of = if n == 0 { stopped } else { count };
            sums.iter_mut().for_each(|sum| *sum /= of.max(1) as f64);
        }
        let mut tensors = vec![list(
            "stragglers",
            stragglers.iter().map(|s| s.unwrap_or(f64::NAN)).collect(),
        )];
        tensors.extend(SCORES.iter().zip(sums).map(|((name, _), sums)| list(name, sums)));
        tensors.extend(course::kept(&followed));
        Ok(tensors)
    })?;
    let followed = bench.courses.read(&part, count)?;
    bench.courses.add_replicas(&recipe.replicas, followed);
    let counts = part.values("stragglers", Some(count))?;
    let counts: Vec<f64> = counts.iter().copied().filter(|count| !count.is_nan()).collect();
    let mut scores = Vec::new();
    for (name, _) in &SCORES[..SCORES.len() - 1] {
        scores.push(part.values(name, Some(rows))?.to_vec());
    }
    let neighbors = kept.part("neighbors", || {
        let found = nearest(&data.train_features, data.inputs);
        let other = |(place, &neighbor): (usize, &usize)| {
            f64::from(u8::from(data.train_labels[place] != data.train_labels[neighbor]))
        };
        Ok(vec![list("neighbor", found.iter().enumerate().map(other).collect())])
    })?;
    scores.push(neighbors.values("neighbor", Some(rows))?.to_vec());
    Ok(Hardness {
        samples: data
            .train_rows
            .iter()
            .copied()
            .zip(data.train_labels.iter().copied())
            .collect(),
        classes: data.classes.clone(),
        scores,
        networks: (count, counts.len()),
        counts,
        early,
    })
}

fn el2n(row: &[f64], label: u32) -> f64 {
    let terms = probabilities(row).into_iter().enumerate().map(|(class, p)| {
        let target = if class == label as usize { 1.0 } else { 0.0 };
        (p - target) * (p - target)
    });
    terms.sum::<f64>().sqrt()
}

/// The nearest other row of each row of `[n, width]` by sum (x - y)^2, the first of equals; the row itself if it is alone.
fn nearest(rows: &[f64], width: usize) -> Vec<usize> {
    let rows: Vec<&[f64]> = rows.chunks_exact(width.max(1)).collect();
    let mut best: Vec<(f64, usize)> = (0..rows.len()).map(|n| (f64::INFINITY, n)).collect();
    for (a, x) in rows.iter().enumerate() {
        for (b, y) in rows.iter().enumerate().skip(a + 1) {
            let distance = distance(x, y);
            // In ascending order on both sides, so the first of equals stays.
            if distance < best[a].0 {
                best[a] = (distance, b);
            }
            if distance < best[b].0 {
                best[b] = (distance, a);
            }
        }
    }
    best.into_iter().map(|(_, neighbor)| neighbor).collect()
}

/// In eight lanes, so that the compiler can use vectors; the order of the sum is fixed.
fn distance(x: &[f64], y: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (xs, ys) = (x.chunks_exact(8), y.chunks_exact(8));
    let rest: f64 = xs
        .remainder()
        .iter()
        .zip(ys.remainder())
        .map(|(x, y)| (x - y) * (x - y))
        .sum();
    for (x, y) in xs.zip(ys) {
        for lane in 0..8 {
            let d = x[lane] - y[lane];
            lanes[lane] += d * d;
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// How much of the `size` hardest samples by `score` is in `set`: the part of the set's samples that they are. Of the
/// samples that tie with the last, each counts for the part of them that is taken.
fn shared(score: &[f64], set: &[bool], size: usize) -> f64 {
    let mut order: Vec<usize> = (0..score.len()).collect();
    order.sort_by(|&a, &b| score[b].total_cmp(&score[a]));
    let (mut taken, mut shared) = (0usize, 0.0);
    for same in order.chunk_by(|&a, &b| score[a] == score[b]) {
        let room = size - taken;
        if room == 0 {
            break;
        }
        let part = (room as f64 / same.len() as f64).min(1.0);
        shared += part * same.iter().filter(|&&place| set[place]).count() as f64;
        taken += same.len().min(room);
    }
    shared / size as f64
}

impl Hardness {
    /// Whether each sample is a straggler of at least half of the networks that stop.
    fn set(&self) -> Vec<bool> {
        self.scores[0]
            .iter()
            .map(|&frequency| self.networks.1 > 0 && frequency >= 0.5)
            .collect()
    }
}

/// What was found.
pub fn findings(study: &Hardness) -> Findings {
    let rows = study.samples.len();
    let set = study.set();
    let size = set.iter().filter(|straggler| **straggler).count();
    let (networks, stopped) = study.networks;
    let mut numbers = vec![
        ("networks_that_stop".to_owned(), stopped as f64),
        ("stragglers_of_half".to_owned(), size as f64),
        ("samples".to_owned(), rows as f64),
    ];
    let mut compared = Vec::new();
    for (n, (name, words)) in SCORES.into_iter().enumerate().skip(1) {
        let rho = spearman(&study.scores[0], &study.scores[n]);
        let overlap = (size > 0).then(|| shared(&study.scores[n], &set, size));
        numbers.push((format!("spearman_{name}"), rho.unwrap_or(f64::NAN)));
        numbers.push((format!("overlap_{name}"), overlap.unwrap_or(f64::NAN)));
        compared.push((words, rho, overlap));
    }
    let mut words = if stopped == 0 {
        format!("None of {networks} networks stops.")
    } else {
        format!(
            "{stopped} of {networks} networks stop, with {} stragglers each; {size} of {rows} samples are a straggler of at \
             least half of them.",
            Spread::of(study.counts.iter().copied()).plus_minus()
        )
    };
    if size > 0 {
        let mut order: Vec<&(&str, Option<f64>, Option<f64>)> = compared.iter().collect();
        order.sort_by(|a, b| b.2.unwrap_or(0.0).total_cmp(&a.2.unwrap_or(0.0)));
        let told: Vec<String> = order
            .iter()
            .map(|(words, rho, overlap)| {
                let number = |v: &Option<f64>| v.map_or(DASH.into(), |v| significant(v, 2));
                format!("{words} {} (Spearman {})", number(overlap), number(rho))
            })
            .collect();
        words.push_str(&format!(
            " Of as many samples that are the hardest by another measure, this part are these stragglers (at random {}): {}.",
            significant(size as f64 / rows as f64, 2),
            told.join("; ")
        ));
    } else {
        words.push_str(" Without stragglers there is nothing to compare.");
    }
    Findings {
        paragraphs: vec![words],
        numbers,
        plots: vec![by_rank(study, &set)],
        shown: vec![shown(&compared), correlations(study)],
        tables: vec![scores(study)],
        cards: cards(study),
        ..Findings::default()
    }
}

/// For each score, the part of the stragglers found among the k hardest, against k.
fn by_rank(study: &Hardness, set: &[bool]) -> Plot {
    let size = set.iter().filter(|straggler| **straggler).count();
    let curve = |(score, (_, words)): (&Vec<f64>, (&str, &str))| {
        let mut order: Vec<usize> = (0..score.len()).collect();
        order.sort_by(|&a, &b| score[b].total_cmp(&score[a]));
        let mut points = Vec::new();
        let (mut taken, mut found) = (0, 0);
        // Straight lines between the ends of ties: what an order at random among equals gives on average.
        for same in order.chunk_by(|&a, &b| score[a] == score[b]) {
            taken += same.len();
            found += same.iter().filter(|&&place| set[place]).count();
            points.push(Point {
                x: taken as f64,
                y: found as f64 / size as f64,
                half: None,
            });
        }
        Curve {
            label: words.into(),
            replicas: Vec::new(),
            mean: points,
        }
    };
    let all = study.scores.iter().zip(SCORES).skip(1);
    Plot {
        name: "found-by-rank".into(),
        title: "Part of the stragglers among the k hardest samples".into(),
        across: Across::Log("k".into()),
        logarithmic: false,
        curves: if size > 0 { all.map(curve).collect() } else { Vec::new() },
        range: None,
        note: format!("{size} stragglers of at least half of the networks that stop."),
    }
}

fn shown(compared: &[(&str, Option<f64>, Option<f64>)]) -> Table {
    let head = ["Measure", "Spearman with stragglers", "Part in common at equal size"];
    let mut table = Table::new("Against the stragglers", &head);
    for (words, rho, overlap) in compared {
        let number = |v: &Option<f64>| v.map_or(DASH.into(), |v| significant(v, 3));
        table.rows.push(vec![(*words).into(), number(rho), number(overlap)]);
    }
    table
}

/// Spearman's correlation of every pair.
fn correlations(study: &Hardness) -> Table {
    let names: Vec<&str> = SCORES.iter().map(|(name, _)| *name).collect();
    let mut table = Table::new(
        "Spearman's correlation of all measures",
        &[&[""], names.as_slice()].concat(),
    );
    for (a, name) in names.iter().enumerate() {
        let mut row = vec![(*name).to_owned()];
        row.extend(
            (0..names.len())
                .map(|b| spearman(&study.scores[a], &study.scores[b]).map_or(DASH.into(), |rho| significant(rho, 2))),
        );
        table.rows.push(row);
    }
    table
}

/// `hardness.csv`: a row per training sample.
fn scores(study: &Hardness) -> Table {
    let names: Vec<&str> = SCORES.iter().map(|(name, _)| *name).collect();
    let mut table = Table::new(
        "hardness",
        &[&["sample_index", "label", "class"], names.as_slice()].concat(),
    );
    for (place, (index, label)) in study.samples.iter().enumerate() {
        let class = study.classes.get(*label as usize).cloned().unwrap_or_default();
        let mut row = vec![index.to_string(), label.to_string(), class];
        row.extend(study.scores.iter().map(|scores| cell(scores[place])));
        table.rows.push(row);
    }
    table
}

/// The samples that are stragglers of the most networks.
fn cards(study: &Hardness) -> Vec<Card> {
    let mut order: Vec<usize> = (0..study.samples.len())
        .filter(|&place| study.scores[0][place] > 0.0)
        .collect();
    order.sort_by(|&a, &b| {
        study.scores[0][b]
            .total_cmp(&study.scores[0][a])
            .then(study.scores[3][b].total_cmp(&study.scores[3][a]))
    });
    let card = |&place: &usize| {
        let (sample_index, label) = study.samples[place];
        Card {
            sample_index,
            lines: vec![
                study.classes.get(label as usize).cloned().unwrap_or_default(),
                format!("straggler {}", significant(study.scores[0][place], 2)),
                format!("forgotten {}", significant(study.scores[1][place], 2)),
            ],
        }
    };
    order.iter().take(CARDS).map(card).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_for_the_part_that_is_taken() {
        let set = [true, false, true, false];
        // 9 is taken, and one of the three 5s, of which one is in the set.
        let part = shared(&[9.0, 5.0, 5.0, 5.0], &set, 2);
        assert!((part - (1.0 + 1.0 / 3.0) / 2.0).abs() < 1e-15);
        assert_eq!(shared(&[4.0, 3.0, 2.0, 1.0], &set, 2), 0.5);
        assert_eq!(shared(&[1.0; 4], &set, 4), 0.5);
    }

    #[test]
    fn the_nearest_other_row_and_the_first_of_equals() {
        let rows = [0.0, 0.0, 3.0, 0.0, 3.0, 1.0, 3.0, -1.0, 9.0, 9.0];
        assert_eq!(nearest(&rows, 2), [1, 2, 1, 1, 2]);
        assert_eq!(nearest(&[1.0], 1), [0]);
        // Widths around the lanes, against the plain sum: at most n + 1 roundings of terms below n.
        for width in [1, 7, 8, 9, 17] {
            let x: Vec<f64> = (0..width).map(|i| (i as f64).sin()).collect();
            let y: Vec<f64> = (0..width).map(|i| (i as f64).cos()).collect();
            let plain: f64 = x.iter().zip(&y).map(|(x, y)| (x - y).powi(2)).sum();
            let bound = (width + 1) as f64 * f64::EPSILON * plain;
            assert!((distance(&x, &y) - plain).abs() <= bound, "{width}");
        }
    }

    #[test]
    fn el2n_of_a_fair_guess() {
        // (1/2, 1/2) against (1, 0): sqrt(1/4 + 1/4).
        assert!((el2n(&[0.0, 0.0], 0) - 0.5f64.sqrt()).abs() < 1e-15);
        assert!((el2n(&[0.0], 1) - 0.5f64.sqrt()).abs() < 1e-15);
    }
}
