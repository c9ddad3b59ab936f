//! Metrics of means and squared deviations.

use super::estimate::Estimate;
use super::sample::{Sample, mean};

/// A class: members, mean, and mean squared deviation from it.
pub(super) struct Class {
    pub(super) count: f64,
    pub(super) mean: Vec<Estimate>,
    pub(super) variance: Estimate,
}

/// |a - b|^2
pub(super) fn squared_distance(a: &[Estimate], b: &[Estimate]) -> Estimate {
    Estimate::sum(a.iter().zip(b).map(|(a, b)| (*a - *b).square()))
}

/// Of rows of `cols`, each of a class.
pub(super) fn classes_of(rows: &[Vec<Estimate>], labels: &[u32], classes: usize) -> Vec<Class> {
    let of_class = |class: usize| {
        let members: Vec<&Vec<Estimate>> = rows
            .iter()
            .zip(labels)
            .filter(|(_, label)| **label as usize == class)
            .map(|(row, _)| row)
            .collect();
        let column = |j: usize| members.iter().map(|row| row[j]).collect::<Vec<_>>();
        let middle: Vec<Estimate> = (0..members[0].len()).map(|j| mean(&column(j))).collect();
        let square = Estimate::sum(members.iter().map(|row| squared_distance(row, &middle)));
        Class {
            count: members.len() as f64,
            variance: square / members.len() as f64,
            mean: middle,
        }
    };
    (0..classes).map(of_class).collect()
}

/// The cloud's rows as they are given.
pub(super) fn rows(sample: &Sample) -> Vec<Vec<Estimate>> {
    let given = |row: &[f64]| row.iter().map(|&x| Estimate::given(x)).collect();
    sample.rows.chunks_exact(sample.cols).map(given).collect()
}

/// The cloud's classes.
pub(super) fn classes(sample: &Sample) -> Vec<Class> {
    classes_of(&rows(sample), &sample.labels, sample.classes)
}

/// The mean of the class means with weights.
pub(super) fn mean_of_means(classes: &[Class], weight: impl Fn(&Class) -> f64) -> Vec<Estimate> {
    let total: f64 = classes.iter().map(&weight).sum();
    let base = &classes[0].mean;
    let column = |j: usize| {
        let parts = classes
            .iter()
            .map(|class| (class.mean[j] - base[j]) * (Estimate::given(weight(class)) / total));
        // The base's own error is one of the mean's, and not one more for each difference to it.
        Estimate::sum(std::iter::once(base[j]).chain(parts))
    };
    (0..base.len()).map(column).collect()
}

/// Scatter between and within classes.
pub(super) fn scatter(classes: &[Class]) -> (Estimate, Estimate) {
    let middle = mean_of_means(classes, |class| class.count);
    let between = classes
        .iter()
        .map(|class| squared_distance(&class.mean, &middle) * class.count);
    (
        Estimate::sum(between),
        Estimate::sum(classes.iter().map(|class| class.variance * class.count)),
    )
}

/// R_c of every class.
pub(super) fn gyration_radius(sample: &Sample) -> Option<Vec<Estimate>> {
    Some(classes(sample).iter().map(|class| class.variance.sqrt()).collect())
}

/// D_ab of every pair.
pub(super) fn centroid_distance(sample: &Sample) -> Option<Vec<Estimate>> {
    let classes = classes(sample);
    let distance = |(a, b): (usize, usize)| squared_distance(&classes[a].mean, &classes[b].mean).sqrt();
    Some(sample.class_pairs().map(distance).collect())
}

/// Means of a class as they come from sums about the origin, and its mean square.
fn about_the_origin(sample: &Sample) -> Vec<(Vec<Estimate>, Estimate)> {
    let of_class = |class: usize| {
        let members = || (0..sample.labels.len()).filter(move |&i| sample.label(i) == class);
        let count = members().count() as f64;
        let column = |j: usize| Estimate::sum(members().map(|i| Estimate::given(sample.row(i)[j]))) / count;
        let square = |i: usize| Estimate::sum(sample.row(i).iter().map(|&x| Estimate::given(x).square()));
        (
            (0..sample.cols).map(column).collect(),
            Estimate::sum(members().map(square)) / count,
        )
    };
    (0..sample.classes).map(of_class).collect()
}

/// R_c by the mean square less the square of the mean, which cancel.
pub(super) fn radius_of_moments(sample: &Sample) -> Option<Vec<Estimate>> {
    let radius =
        |(mean, square): &(Vec<Estimate>, Estimate)| (*square - Estimate::sum(mean.iter().map(|m| m.square()))).sqrt();
    Some(about_the_origin(sample).iter().map(radius).collect())
}

/// D_ab of means from sums about the origin.
pub(super) fn distance_of_moments(sample: &Sample) -> Option<Vec<Estimate>> {
    let classes = about_the_origin(sample);
    let distance = |(a, b): (usize, usize)| squared_distance(&classes[a].0, &classes[b].0).sqrt();
    Some(sample.class_pairs().map(distance).collect())
}

/// R^2 of unit rows.
pub(super) fn class_separation(sample: &Sample) -> Option<Vec<Estimate>> {
    let unit = |row: &Vec<Estimate>| {
        let top = row.iter().fold(0.0f64, |top, x| top.max(x.value().abs()));
        if top == 0.0 {
            return row.clone();
        }
        let norm = Estimate::sum(row.iter().map(|x| (*x / top).square())).sqrt() * top;
        row.iter().map(|x| *x / norm).collect()
    };
    let rows: Vec<Vec<Estimate>> = rows(sample).iter().map(unit).collect();
    let classes = classes_of(&rows, &sample.labels, sample.classes);
    let count = sample.classes as f64;
    let lost = |class: usize| {
        let zeros = rows
            .iter()
            .enumerate()
            .filter(|(i, row)| sample.label(*i) == class && row.iter().all(|x| x.value() == 0.0));
        Estimate::given(zeros.count() as f64) / sample.counts()[class] as f64
    };
    let within = Estimate::sum(classes.iter().enumerate().map(|(k, class)| class.variance + lost(k))) / count;
    let middle = mean_of_means(&classes, |_| 1.0);
    let between = Estimate::sum(classes.iter().map(|class| squared_distance(&class.mean, &middle))) / count;
    Some(vec![between / (within + between)])
}

/// tr S_B / tr S_W
pub(super) fn fisher_ratio(sample: &Sample) -> Option<Vec<Estimate>> {
    let (between, within) = scatter(&classes(sample));
    Some(vec![between / within])
}

/// The same by degrees of freedom.
pub(super) fn calinski_harabasz(sample: &Sample) -> Option<Vec<Estimate>> {
    let (between, within) = scatter(&classes(sample));
    let (rows, classes) = (sample.labels.len() as f64, sample.classes as f64);
    Some(vec![(between * (rows - classes)) / (within * (classes - 1.0))])
}

/// Widths over distance, of each class and its worst neighbour.
pub(super) fn davies_bouldin(sample: &Sample) -> Option<Vec<Estimate>> {
    let (rows, classes) = (rows(sample), classes(sample));
    let spread: Vec<Estimate> = (0..sample.classes)
        .map(|class| {
            let members = rows.iter().enumerate().filter(|(i, _)| sample.label(*i) == class);
            let own = members.map(|(_, row)| squared_distance(row, &classes[class].mean).sqrt());
            Estimate::sum(own.map(|d| d / classes[class].count))
        })
        .collect();
    let worst = |a: usize| {
        Estimate::largest(
            (0..sample.classes)
                .filter(|&b| b != a)
                .map(|b| (spread[a] + spread[b]) / squared_distance(&classes[a].mean, &classes[b].mean).sqrt()),
        )
    };
    let all = Estimate::sum((0..sample.classes).map(worst));
    Some(vec![all / sample.classes as f64])
}
