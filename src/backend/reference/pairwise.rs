//! The pairwise reductions by their definitions: every pair, in order, in f64.

use super::Reference;
use crate::backend::pairwise::{
    Bins, ClassHistograms, ClassSums, Form, Gradients, Metric, Nearest, PairFunction, Pairwise, PairwiseError, Points,
    SoftNearestNeighbor, SoftNearestNeighborGradient, check_neighbors, check_sets, check_weights, class_pairs,
    soft_nearest_neighbor,
};

/// The rows and classes of one replica.
struct Set {
    rows: Vec<Vec<f64>>,
    labels: Vec<usize>,
    classes: usize,
}

impl Set {
    fn new(points: &Points, replica: usize) -> Result<Set, PairwiseError> {
        let mut rows = vec![vec![0.0; points.dim()]; points.rows()];
        for (i, row) in rows.iter_mut().enumerate() {
            points.row(replica, i, row)?;
        }
        Ok(Set {
            rows,
            labels: (0..points.rows()).map(|i| points.label(replica, i)).collect(),
            classes: points.classes(),
        })
    }
}

/// Two sets of one replica, the second perhaps the first again.
struct Sets {
    first: Set,
    second: Option<Set>,
}

impl Sets {
    fn new(points: &Points, others: Option<&Points>, replica: usize) -> Result<Sets, PairwiseError> {
        Ok(Sets {
            first: Set::new(points, replica)?,
            second: others.map(|others| Set::new(others, replica)).transpose()?,
        })
    }

    fn second(&self) -> &Set {
        self.second.as_ref().unwrap_or(&self.first)
    }

    /// The partners of row i.
    fn partners(&self, i: usize) -> impl Iterator<Item = usize> {
        let same = self.second.is_none();
        (0..self.second().rows.len()).filter(move |&j| !(same && i == j))
    }

    /// Calls `f(i, j, x, y)` for every ordered pair.
    fn each(&self, mut f: impl FnMut(usize, usize, &[f64], &[f64])) {
        for (i, x) in self.first.rows.iter().enumerate() {
            for j in self.partners(i) {
                f(i, j, x, &self.second().rows[j]);
            }
        }
    }

    /// Class of i, class of j, number of classes of the second.
    fn classes(&self, i: usize, j: usize) -> (usize, usize, usize) {
        let second = self.second();
        (self.first.labels[i], second.labels[j], second.classes)
    }

    /// Adds `weight(i, j)` times the gradient of `function` for every pair.
    fn gradients(&self, function: PairFunction, weight: impl Fn(usize, usize) -> f64, to: &mut Gradients) {
        let dim = self.first.rows[0].len();
        let (first, second) = (to.points.len(), to.others.len());
        to.points.resize(first + self.first.rows.len() * dim, 0.0);
        if self.second.is_some() {
            to.others.resize(second + self.second().rows.len() * dim, 0.0);
        }
        let mut slope = vec![0.0; dim];
        self.each(|i, j, x, y| {
            let w = weight(i, j);
            by_first(function, x, y, &mut slope);
            for (k, s) in slope.iter().enumerate() {
                to.points[first + i * dim + k] += w * s;
            }
            by_first(function, y, x, &mut slope);
            for (k, s) in slope.iter().enumerate() {
                if self.second.is_some() {
                    to.others[second + j * dim + k] += w * s;
                } else {
                    to.points[first + j * dim + k] += w * s;
                }
            }
        });
    }
}

fn squared(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum()
}

/// |x|, of rows of any size: squares of numbers below 1e-154 would be lost.
fn norm(x: &[f64]) -> f64 {
    let top = x.iter().fold(0.0f64, |top, x| top.max(x.abs()));
    if top == 0.0 {
        return 0.0;
    }
    top * x.iter().map(|x| (x / top) * (x / top)).sum::<f64>().sqrt()
}

/// |x/|x| - y/|y||^2 / 2, which keeps the digits of small angles.
fn cosine(x: &[f64], y: &[f64]) -> f64 {
    match (norm(x), norm(y)) {
        (0.0, 0.0) => 0.0,
        (0.0, _) | (_, 0.0) => 1.0,
        (a, b) => x.iter().zip(y).map(|(x, y)| (x / a - y / b).powi(2)).sum::<f64>() / 2.0,
    }
}

/// f of a pair.
fn value(function: PairFunction, x: &[f64], y: &[f64]) -> f64 {
    match function {
        PairFunction::SquaredEuclidean => squared(x, y),
        PairFunction::Euclidean => squared(x, y).sqrt(),
        PairFunction::Cosine => cosine(x, y),
        PairFunction::L1 => x.iter().zip(y).map(|(x, y)| (x - y).abs()).sum(),
        PairFunction::Gaussian { temperature } => (-squared(x, y) / temperature).exp(),
        PairFunction::Within { radius } => f64::from(squared(x, y).sqrt() < radius),
    }
}

/// df/dx of a pair; f is symmetric, so that df/dy is this with the points exchanged.
fn by_first(function: PairFunction, x: &[f64], y: &[f64], slope: &mut [f64]) {
    let differences = x.iter().zip(y).map(|(x, y)| x - y);
    let pairs = slope.iter_mut().zip(differences);
    match function {
        PairFunction::SquaredEuclidean => pairs.for_each(|(s, d)| *s = 2.0 * d),
        PairFunction::Euclidean => {
            let d = squared(x, y).sqrt();
            pairs.for_each(|(s, difference)| *s = if d == 0.0 { 0.0 } else { difference / d });
        }
        PairFunction::Cosine => {
            // d/dx (1 - x.y / (|x| |y|)) = (c x/|x| - y/|y|) / |x| with c the cosine; 0 for zero rows.
            let (a, b) = (norm(x), norm(y));
            let c = 1.0 - cosine(x, y);
            for ((s, x), y) in slope.iter_mut().zip(x).zip(y) {
                *s = if a == 0.0 || b == 0.0 {
                    0.0
                } else {
                    (c * x / a - y / b) / a
                };
            }
        }
        PairFunction::L1 => pairs.for_each(|(s, d)| *s = if d == 0.0 { 0.0 } else { d.signum() }),
        PairFunction::Gaussian { temperature } => {
            let e = (-squared(x, y) / temperature).exp();
            pairs.for_each(|(s, d)| *s = -2.0 * e * d / temperature);
        }
        PairFunction::Within { .. } => slope.fill(0.0),
    }
}

/// log sum exp, minus infinity for no terms.
fn log_sum(terms: &[f64]) -> f64 {
    let top = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return top;
    }
    top + terms.iter().map(|t| (t - top).exp()).sum::<f64>().ln()
}

/// L_ic of one replica, `[N, C']`.
fn log_sums(sets: &Sets, temperature: f64) -> Vec<f64> {
    let mut logs = Vec::new();
    for (i, x) in sets.first.rows.iter().enumerate() {
        let second = sets.second();
        for c in 0..second.classes {
            let members = sets.partners(i).filter(|&j| second.labels[j] == c);
            let exponents: Vec<f64> = members.map(|j| -squared(x, &second.rows[j]) / temperature).collect();
            logs.push(log_sum(&exponents));
        }
    }
    logs
}

/// The gradient of sum_ic weights_ic L_ic of one replica: dL_ic / d(-d_ij^2 / T) = e^(-d_ij^2 / T - L_ic).
fn log_gradients(sets: &Sets, temperature: f64, logs: &[f64], weights: &[f64], to: &mut Gradients) {
    let weight = |i: usize, j: usize| {
        let (_, c, classes) = sets.classes(i, j);
        let exponent = -squared(&sets.first.rows[i], &sets.second().rows[j]) / temperature;
        -weights[i * classes + c] * (exponent - logs[i * classes + c]).exp() / temperature
    };
    sets.gradients(PairFunction::SquaredEuclidean, weight, to);
}

fn none() -> Gradients {
    Gradients {
        points: vec![],
        others: vec![],
    }
}

/// The loss of one replica and dloss/dL_ic.
fn soft_nearest_neighbor(
    points: &Points,
    replica: usize,
    sets: &Sets,
    logs: &[f64],
    value: &mut SoftNearestNeighbor,
) -> Result<Vec<f64>, PairwiseError> {
    let (counts, counted) = soft_nearest_neighbor::counted(points, replica)?;
    let classes = sets.first.classes;
    let (mut sum, mut weights) = (0.0, vec![0.0; logs.len()]);
    for (i, counts) in counts.into_iter().enumerate() {
        let row = &logs[i * classes..(i + 1) * classes];
        let (own, all) = (sets.first.labels[i], log_sum(row));
        let loss = if counts { all - row[own] } else { 0.0 };
        value.rows.push(loss);
        sum += loss;
        if counts {
            for (c, w) in weights[i * classes..(i + 1) * classes].iter_mut().enumerate() {
                *w = ((row[c] - all).exp() - f64::from(c == own)) / counted as f64;
            }
        }
    }
    value.loss.push(sum / counted as f64);
    value.counted.push(counted);
    Ok(weights)
}

impl Pairwise for Reference {
    fn class_sums(
        &self,
        points: &Points,
        others: Option<&Points>,
        function: PairFunction,
        form: Form,
    ) -> Result<ClassSums, PairwiseError> {
        function.check(form)?;
        check_sets(points, others, f64::MAX)?;
        let mut all = Vec::new();
        for replica in 0..points.replica_count() {
            let sets = Sets::new(points, others, replica)?;
            let mut sums = vec![0.0; sets.first.classes * sets.second().classes];
            sets.each(|i, j, x, y| {
                let (a, b, classes) = sets.classes(i, j);
                sums[a * classes + b] += value(function, x, y);
            });
            all.extend(sums);
        }
        Ok(ClassSums {
            sums: all,
            pairs: class_pairs(points, others),
        })
    }

    fn class_sums_gradient(
        &self,
        points: &Points,
        others: Option<&Points>,
        function: PairFunction,
        form: Form,
        weights: &[f64],
    ) -> Result<Gradients, PairwiseError> {
        function.check_gradient(form)?;
        check_sets(points, others, f64::MAX)?;
        let size = points.classes() * others.unwrap_or(points).classes();
        check_weights(weights, points.replica_count() * size)?;
        let mut gradients = none();
        for (replica, weights) in weights.chunks_exact(size).enumerate() {
            let sets = Sets::new(points, others, replica)?;
            let weight = |i, j| {
                let (a, b, classes) = sets.classes(i, j);
                weights[a * classes + b]
            };
            sets.gradients(function, weight, &mut gradients);
        }
        Ok(gradients)
    }

    fn class_histograms(
        &self,
        points: &Points,
        others: Option<&Points>,
        bins: Bins,
        _form: Form,
    ) -> Result<ClassHistograms, PairwiseError> {
        bins.check()?;
        check_sets(points, others, f64::MAX)?;
        let mut all = Vec::new();
        for replica in 0..points.replica_count() {
            let sets = Sets::new(points, others, replica)?;
            let mut counts = vec![0; sets.first.classes * sets.second().classes * (bins.count + 1)];
            sets.each(|i, j, x, y| {
                let (a, b, classes) = sets.classes(i, j);
                // The cast saturates: beyond all bins is the last.
                let bin = ((squared(x, y).sqrt() / bins.width) as usize).min(bins.count);
                counts[(a * classes + b) * (bins.count + 1) + bin] += 1;
            });
            all.extend(counts);
        }
        Ok(ClassHistograms { counts: all })
    }

    fn row_class_sums(
        &self,
        points: &Points,
        others: Option<&Points>,
        function: PairFunction,
        form: Form,
    ) -> Result<Vec<f64>, PairwiseError> {
        function.check(form)?;
        check_sets(points, others, f64::MAX)?;
        let mut all = Vec::new();
        for replica in 0..points.replica_count() {
            let sets = Sets::new(points, others, replica)?;
            let mut sums = vec![0.0; sets.first.rows.len() * sets.second().classes];
            sets.each(|i, j, x, y| {
                let (_, c, classes) = sets.classes(i, j);
                sums[i * classes + c] += value(function, x, y);
            });
            all.extend(sums);
        }
        Ok(all)
    }

    fn row_class_sums_gradient(
        &self,
        points: &Points,
        others: Option<&Points>,
        function: PairFunction,
        form: Form,
        weights: &[f64],
    ) -> Result<Gradients, PairwiseError> {
        function.check_gradient(form)?;
        check_sets(points, others, f64::MAX)?;
        let size = points.rows() * others.unwrap_or(points).classes();
        check_weights(weights, points.replica_count() * size)?;
        let mut gradients = none();
        for (replica, weights) in weights.chunks_exact(size).enumerate() {
            let sets = Sets::new(points, others, replica)?;
            let weight = |i, j| {
                let (_, c, classes) = sets.classes(i, j);
                weights[i * classes + c]
            };
            sets.gradients(function, weight, &mut gradients);
        }
        Ok(gradients)
    }

    fn row_class_log_sums(
        &self,
        points: &Points,
        others: Option<&Points>,
        temperature: f64,
        form: Form,
    ) -> Result<Vec<f64>, PairwiseError> {
        PairFunction::Gaussian { temperature }.check(form)?;
        check_sets(points, others, f64::MAX)?;
        let mut all = Vec::new();
        for replica in 0..points.replica_count() {
            all.extend(log_sums(&Sets::new(points, others, replica)?, temperature));
        }
        Ok(all)
    }

    fn row_class_log_sums_gradient(
        &self,
        points: &Points,
        others: Option<&Points>,
        temperature: f64,
        form: Form,
        weights: &[f64],
    ) -> Result<Gradients, PairwiseError> {
        PairFunction::Gaussian { temperature }.check(form)?;
        check_sets(points, others, f64::MAX)?;
        let size = points.rows() * others.unwrap_or(points).classes();
        check_weights(weights, points.replica_count() * size)?;
        let mut gradients = none();
        for (replica, weights) in weights.chunks_exact(size).enumerate() {
            let sets = Sets::new(points, others, replica)?;
            let logs = log_sums(&sets, temperature);
            log_gradients(&sets, temperature, &logs, weights, &mut gradients);
        }
        Ok(gradients)
    }

    fn nearest(
        &self,
        points: &Points,
        others: Option<&Points>,
        metric: Metric,
        k: usize,
        form: Form,
    ) -> Result<Nearest, PairwiseError> {
        metric.function().check(form)?;
        check_sets(points, others, f64::MAX)?;
        check_neighbors(points, others, k)?;
        let mut nearest = Nearest {
            k,
            distances: vec![],
            indices: vec![],
            labels: vec![],
        };
        for replica in 0..points.replica_count() {
            let sets = Sets::new(points, others, replica)?;
            for (i, x) in sets.first.rows.iter().enumerate() {
                let distance = |j: usize| value(metric.function(), x, &sets.second().rows[j]);
                let mut found: Vec<(f64, usize)> = sets.partners(i).map(|j| (distance(j), j)).collect();
                found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                for &(distance, j) in &found[..k] {
                    nearest.distances.push(distance);
                    nearest.indices.push(j as u32);
                    nearest.labels.push(sets.second().labels[j] as u32);
                }
            }
        }
        Ok(nearest)
    }

    fn soft_nearest_neighbor(
        &self,
        points: &Points,
        temperature: f64,
        form: Form,
    ) -> Result<SoftNearestNeighbor, PairwiseError> {
        Ok(loss(points, temperature, form, false)?.value)
    }

    fn soft_nearest_neighbor_gradient(
        &self,
        points: &Points,
        temperature: f64,
        form: Form,
    ) -> Result<SoftNearestNeighborGradient, PairwiseError> {
        loss(points, temperature, form, true)
    }
}

fn loss(
    points: &Points,
    temperature: f64,
    form: Form,
    with_gradient: bool,
) -> Result<SoftNearestNeighborGradient, PairwiseError> {
    PairFunction::Gaussian { temperature }.check(form)?;
    check_sets(points, None, f64::MAX)?;
    let mut value = SoftNearestNeighbor {
        loss: vec![],
        rows: vec![],
        counted: vec![],
    };
    let (mut gradients, mut by_temperature) = (none(), vec![]);
    for replica in 0..points.replica_count() {
        let sets = Sets::new(points, None, replica)?;
        let logs = log_sums(&sets, temperature);
        let weights = soft_nearest_neighbor(points, replica, &sets, &logs, &mut value)?;
        if with_gradient {
            log_gradients(&sets, temperature, &logs, &weights, &mut gradients);
            // d(-d^2 / T)/dT = d^2 / T^2.
            let (mut slope, classes) = (0.0, sets.first.classes);
            sets.each(|i, j, x, y| {
                let n = i * classes + sets.first.labels[j];
                let squared = squared(x, y);
                slope += weights[n] * (-squared / temperature - logs[n]).exp() * squared / temperature.powi(2);
            });
            by_temperature.push(slope);
        }
    }
    Ok(SoftNearestNeighborGradient {
        value,
        points: gradients.points,
        temperature: by_temperature,
    })
}
