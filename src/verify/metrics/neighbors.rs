//! Metrics of neighbours. Distances are decided in f64, so that they err by roundings of f64 alone; neighbours whose distances are nearer to
//! each other than that have no order, and what depends on it may be as many as they are.

use super::distances::Cloud;
use super::estimate::{Estimate, W};
use super::sample::{Sample, centered};

/// The other rows of each, nearest first: row, distance, error.
fn ranked(sample: &Sample) -> Vec<Vec<(usize, f64, f64)>> {
    ranked_of(&Cloud::of(sample), sample.labels.len())
}

fn ranked_of(cloud: &Cloud, rows: usize) -> Vec<Vec<(usize, f64, f64)>> {
    let of_row = |i: usize| {
        let mut others: Vec<(usize, f64, f64)> = (0..rows)
            .filter(|&j| j != i)
            .map(|j| {
                let (distance, error) = cloud.decided(i, j);
                // Coincident rows stay coincident when the same number is subtracted from both.
                (j, distance, if distance == 0.0 { 0.0 } else { error })
            })
            .collect();
        others.sort_by(|a, b| a.1.total_cmp(&b.1));
        others
    };
    (0..rows).map(of_row).collect()
}

fn neighbors_of(sample: &Sample) -> usize {
    let most = sample.labels.len() - 1;
    sample.settings.neighbors.unwrap_or(most).min(most)
}

/// log of a quotient of distances a / b, b > 0.
fn log_ratio((_, a, of_a): (usize, f64, f64), (_, b, of_b): (usize, f64, f64)) -> (f64, f64) {
    let relative = of_a / a + of_b / b;
    let error = if relative < 0.5 {
        relative / (1.0 - relative)
    } else {
        f64::INFINITY
    };
    ((a / b).ln(), error + 4.0 * W)
}

/// The share of the ratios that the fit takes, as in `geometry`.
const KEPT: f64 = 0.9;

/// TwoNN. Sorted ratios err by no more than the largest error of one.
pub(super) fn two_nn(sample: &Sample) -> Option<Vec<Estimate>> {
    let mut ratios: Vec<(f64, f64)> = ranked(sample)
        .into_iter()
        .filter(|row| row[0].1 > 0.0)
        .map(|row| log_ratio(row[1], row[0]))
        .collect();
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    let n = ratios.len() as f64;
    let kept = (n * KEPT) as usize;
    if kept < 2 {
        return None;
    }
    let worst = ratios.iter().map(|(_, error)| *error).fold(0.0, f64::max);
    let term = |i: usize| Estimate::about(ratios[i].0, worst, 1);
    let weight = |i: usize| {
        let value = -(-((i + 1) as f64 / n)).ln_1p();
        Estimate::about(value, 2.0 * W * value, 1)
    };
    let product = Estimate::sum((0..kept).map(|i| term(i) * weight(i)));
    let square = Estimate::sum((0..kept).map(|i| term(i).square()));
    (square.value() > 0.0).then(|| vec![product / square])
}

/// Levina and Bickel's, averaged by the inverses.
pub(super) fn maximum_likelihood(sample: &Sample) -> Option<Vec<Estimate>> {
    let k = neighbors_of(sample);
    let rows: Vec<Vec<(usize, f64, f64)>> = ranked(sample).into_iter().filter(|row| row[0].1 > 0.0).collect();
    let logs = rows.iter().flat_map(|row| {
        row[..k - 1].iter().map(|near| {
            let (value, error) = log_ratio(row[k - 1], *near);
            Estimate::about(value, error, 1)
        })
    });
    let sum = Estimate::sum(logs);
    (k >= 2 && sum.value() > 0.0).then(|| vec![Estimate::given(rows.len() as f64 * (k as f64 - 1.0)) / sum])
}

/// The rows that are among the k nearest whatever the roundings, and those that may be.
fn among(row: &[(usize, f64, f64)], k: usize) -> (Vec<usize>, Vec<usize>) {
    let (_, limit, of_limit) = row[k - 1];
    let open = |&(_, d, e): &(usize, f64, f64)| (d - limit).abs() <= e + of_limit;
    let sure = row
        .iter()
        .filter(|near| near.1 < limit && !open(near))
        .map(|near| near.0);
    let may = row.iter().filter(|near| open(near)).map(|near| near.0);
    (sure.collect(), may.collect())
}

/// A share of N k, between its least and its most.
fn share(least: usize, most: usize, all: usize) -> Option<Vec<Estimate>> {
    let all = all as f64;
    let (middle, half) = ((least + most) as f64 / 2.0 / all, (most - least) as f64 / 2.0 / all);
    Some(vec![Estimate::about(
        middle,
        if half > 0.0 { half + W } else { 0.0 },
        0,
    )])
}

/// Neighbours of the same class.
pub(super) fn label_overlap(sample: &Sample) -> Option<Vec<Estimate>> {
    let k = neighbors_of(sample);
    let (mut least, mut most) = (0, 0);
    for (i, row) in ranked(sample).iter().enumerate() {
        let same = |rows: &[usize]| rows.iter().filter(|&&j| sample.label(j) == sample.label(i)).count();
        let (sure, may) = among(row, k);
        let (places, like) = (k - sure.len(), same(&may));
        least += same(&sure) + places.saturating_sub(may.len() - like);
        most += same(&sure) + places.min(like);
    }
    share(least, most, k * sample.labels.len())
}

/// Neighbours in both representations.
pub(super) fn data_overlap(sample: &Sample) -> Option<Vec<Estimate>> {
    let k = neighbors_of(sample);
    let other = Sample::like(sample)?;
    let second = ranked_of(
        &Cloud::new(&other, &centered(&other.rows, other.cols)),
        sample.labels.len(),
    );
    let (mut least, mut most) = (0, 0);
    for (a, b) in ranked(sample).iter().zip(&second) {
        let ((sure_a, may_a), (sure_b, may_b)) = (among(a, k), among(b, k));
        let sure = |lists: (&[usize], &[usize])| lists.0.iter().filter(|j| lists.1.contains(j)).count();
        // Whoever has a place for sure in one and may have one in the other, may be shared.
        let certain = sure((&sure_a, &sure_b));
        let exact_a = if may_a.len() == k - sure_a.len() {
            [sure_a.clone(), may_a.clone()].concat()
        } else {
            sure_a.clone()
        };
        let exact_b = if may_b.len() == k - sure_b.len() {
            [sure_b.clone(), may_b.clone()].concat()
        } else {
            sure_b.clone()
        };
        let (any_a, any_b) = ([sure_a, may_a].concat(), [sure_b, may_b].concat());
        least += certain.max(sure((&exact_a, &exact_b)));
        most += sure((&any_a, &any_b)).min(k);
    }
    share(least, most, k * sample.labels.len())
}

/// Rows whose nearest is of another class.
pub(super) fn error(sample: &Sample) -> Option<Vec<Estimate>> {
    let (mut least, mut most) = (0, 0);
    for (i, row) in ranked(sample).iter().enumerate() {
        let (_, may) = among(row, 1);
        let wrong = may.iter().filter(|&&j| sample.label(j) != sample.label(i)).count();
        least += usize::from(wrong == may.len());
        most += usize::from(wrong > 0);
    }
    share(least, most, sample.labels.len())
}

/// Mean hypothesis margin. The smallest of several distances errs by no more than the largest error of one.
pub(super) fn margin(sample: &Sample) -> Option<Vec<Estimate>> {
    let rows = ranked(sample);
    let nearest = |i: usize, own: bool| {
        let mut found = rows[i]
            .iter()
            .filter(|near| (sample.label(near.0) == sample.label(i)) == own);
        let first = found.next()?;
        let reach = |near: &(usize, f64, f64)| near.1 - near.2 <= first.1 + first.2;
        let error = found
            .filter(|near| reach(near))
            .map(|near| near.2)
            .fold(first.2, f64::max);
        Some(Estimate::about(first.1, error, 1))
    };
    let margins: Vec<Estimate> = (0..rows.len())
        .filter_map(|i| Some((nearest(i, false)? - nearest(i, true)?) / 2.0))
        .collect();
    let count = margins.len() as f64;
    Some(vec![Estimate::sum(margins.into_iter()) / count])
}
