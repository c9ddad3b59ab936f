//! Neural collapse, by formulas that share nothing with `geometry`'s but the definition.

use super::estimate::{Estimate, W};
use super::moments::{Class, classes, mean_of_means, rows, squared_distance};
use super::sample::Sample;
use super::spectra::{eigenvalues, frobenius};

/// m_c, the class means about the mean of them all.
fn centered_means(classes: &[Class]) -> Vec<Vec<Estimate>> {
    let middle = mean_of_means(classes, |_| 1.0);
    let centered = |class: &Class| class.mean.iter().zip(&middle).map(|(m, g)| *m - *g).collect();
    classes.iter().map(centered).collect()
}

fn dot(a: &[Estimate], b: &[Estimate]) -> Estimate {
    Estimate::sum(a.iter().zip(b).map(|(a, b)| *a * *b))
}

/// Roundings of an eigenvalue of a matrix of order n, in units of its norm: a modest multiple of n^2 (J. Wilkinson, The Algebraic
/// Eigenvalue Problem, ch. 3.45 and 5.45).
pub(super) fn eigenvalue_roundings(n: usize) -> f64 {
    10.0 * (n * n) as f64
}

/// Means that are worse conditioned leave no digits.
const WORST_CONDITION: f64 = 1e6;

/// NC1 = 1/N sum_i d_i^T (M^T M)^+ d_i with d_i = x_i - mu_y, without eigenvalues: with P the differences of the first C - 1 means to the
/// last, M = E P, E^T E = 1 - 1/C and (M^T M)^+ = P^T (P P^T)^-1 (1 + 1 1^T) (P P^T)^-1 P, a linear system of order C - 1.
///
/// What is computed goes by the eigenvectors of G = M M^T, which are those of G + F with |F| <= p w |G|: so w^T G^+^2 w errs by 2 |F| |w|^2 / g^3,
/// g the smallest eigenvalue. Beside it are the errors of the means, of G and of products along an axis.
pub(super) fn variability(sample: &Sample) -> Option<Vec<Estimate>> {
    let (count, cols) = (sample.classes, sample.cols);
    let (rows, classes) = (rows(sample), classes(sample));
    let last = &classes[count - 1].mean;
    let differences: Vec<Vec<Estimate>> = classes[..count - 1]
        .iter()
        .map(|class| class.mean.iter().zip(last).map(|(m, l)| (*m - *l).exact()).collect())
        .collect();
    let inverse = inverse(&differences)?;
    let means = centered_means(&classes);
    let values = |means: &[Vec<Estimate>]| -> Vec<f64> {
        let products = means.iter().flat_map(|a| means.iter().map(move |b| dot(a, b).value()));
        eigenvalues(products.collect(), count)
    };
    let spectrum = values(&means);
    let (largest, smallest) = (spectrum[0], spectrum[count - 2]);
    let conditioned = smallest > largest / WORST_CONDITION;
    if !conditioned {
        return None;
    }
    // An error of the means, coordinate by coordinate, as one of G.
    let mean_error = means.iter().flatten().map(|m| m.error * m.error).sum::<f64>().sqrt();
    let perturbation =
        (eigenvalue_roundings(count) + 2.0 * cols as f64) * W * largest + 2.0 * largest.sqrt() * mean_error;
    // Along an axis u = sum v m / sqrt g, |u| = 1: the axis errs by its own sum, the product by that of its terms.
    let axis = (count as f64 + 4.0) * W * count as f64 * (largest / smallest).sqrt() + mean_error / smallest.sqrt();
    let (mut total, mut error) = (Vec::new(), 0.0);
    for (i, row) in rows.iter().enumerate() {
        let own = &classes[sample.label(i)].mean;
        let deviation: Vec<Estimate> = row.iter().zip(own).map(|(x, m)| *x - *m).collect();
        let exact: Vec<Estimate> = deviation.iter().map(|d| d.exact()).collect();
        let along: Vec<Estimate> = differences.iter().map(|p| dot(p, &exact).exact()).collect();
        let solved: Vec<Estimate> = inverse.iter().map(|row| dot(row, &along).exact()).collect();
        let sum = Estimate::sum(solved.iter().copied()).exact();
        total.push((dot(&solved, &solved) + sum.square()).exact());
        let length = dot(&exact, &exact).value().sqrt();
        let by_mean: f64 = means.iter().map(|m| dot(m, &exact).value().powi(2)).sum();
        error += 2.0 * perturbation * by_mean / smallest.powi(3);
        let product =
            length * (axis + (cols as f64 + 1.0) * W) + deviation.iter().map(|d| d.error * d.error).sum::<f64>().sqrt();
        let each = 2.0 * (by_mean.sqrt() / smallest.sqrt()) * product + product * product;
        error += (count - 1) as f64 * each / smallest;
    }
    let n = rows.len() as f64;
    let value = Estimate::sum(total.into_iter()) / n;
    let chain = cols + rows.len() + sample.labels.len();
    Some(vec![value.with_error(value.error + error / n, chain)])
}

/// (P P^T)^-1 by Gauss and Jordan, with the largest pivot of a column; none if the differences are not independent.
fn inverse(differences: &[Vec<Estimate>]) -> Option<Vec<Vec<Estimate>>> {
    let n = differences.len();
    let mut table: Vec<Vec<Estimate>> = differences
        .iter()
        .enumerate()
        .map(|(i, a)| {
            let unit = (0..n).map(|j| Estimate::given(f64::from(u8::from(i == j))));
            differences.iter().map(|b| dot(a, b).exact()).chain(unit).collect()
        })
        .collect();
    let size = frobenius(&table.iter().flatten().map(|x| x.value()).collect::<Vec<_>>());
    for k in 0..n {
        let pivot = (k..n).max_by(|&a, &b| table[a][k].value().abs().total_cmp(&table[b][k].value().abs()))?;
        table.swap(k, pivot);
        if table[k][k].value().abs() <= 1e-13 * size {
            return None;
        }
        let top: Vec<Estimate> = table[k].iter().map(|x| (*x / table[k][k]).exact()).collect();
        for (i, row) in table.iter_mut().enumerate() {
            if i != k {
                let factor = row[k];
                row.iter_mut()
                    .zip(&top)
                    .for_each(|(x, t)| *x = (*x - (factor * *t).exact()).exact());
            }
        }
        table[k] = top;
    }
    Some(table.into_iter().map(|row| row[n..].to_vec()).collect())
}

/// NC2: spread of the lengths, and of the angles.
pub(super) fn simplex(sample: &Sample) -> Option<Vec<Estimate>> {
    let means = centered_means(&classes(sample));
    let count = means.len() as f64;
    let norms: Vec<Estimate> = means.iter().map(|m| dot(m, m).sqrt()).collect();
    let mean = Estimate::sum(norms.iter().copied()) / count;
    let variance = Estimate::sum(norms.iter().map(|n| (*n - mean).square())) / (count - 1.0);
    let ordered = (0..means.len()).flat_map(|a| (0..means.len()).filter(move |&b| b != a).map(move |b| (a, b)));
    let simplex = Estimate::given(1.0) / (count - 1.0);
    let angle = |(a, b): (usize, usize)| (dot(&means[a], &means[b]) / (norms[a] * norms[b]) + simplex).abs();
    let angles = Estimate::sum(ordered.map(angle)) / (count * (count - 1.0));
    Some(vec![variance.sqrt() / mean, angles])
}

/// NC3: the classifier against the means.
pub(super) fn self_duality(sample: &Sample) -> Option<Vec<Estimate>> {
    let means = centered_means(&classes(sample)).concat();
    let weight: Vec<Estimate> = sample.classifier.weight.iter().map(|&w| Estimate::given(w)).collect();
    let (w, m) = (dot(&weight, &weight).sqrt(), dot(&means, &means).sqrt());
    let terms = weight.iter().zip(&means).map(|(a, b)| (*a / w - *b / m).square());
    Some(vec![Estimate::sum(terms)])
}

/// NC4: rows that the classifier and the nearest mean put into different classes. A row counts as open if its best two are nearer than their
/// errors.
pub(super) fn mismatch(sample: &Sample) -> Option<Vec<Estimate>> {
    let (rows, classes) = (rows(sample), classes(sample));
    let bias = |c: usize| sample.classifier.bias.as_ref().map_or(0.0, |bias| bias[c]);
    let (mut differ, mut open) = (0.0, 0.0);
    for row in &rows {
        let weights = sample.classifier.weight.chunks_exact(sample.cols).enumerate();
        let outputs = weights.map(|(c, w)| {
            let product = Estimate::sum(w.iter().zip(row).map(|(w, x)| *x * *w));
            product + Estimate::given(bias(c))
        });
        let nearest = classes
            .iter()
            .map(|class| Estimate::given(0.0) - squared_distance(row, &class.mean));
        let (chosen, first_open) = best(&outputs.collect::<Vec<_>>());
        let (near, second_open) = best(&nearest.collect::<Vec<_>>());
        differ += f64::from(u8::from(chosen != near));
        open += f64::from(u8::from(first_open || second_open));
    }
    let n = rows.len() as f64;
    let error = if open > 0.0 { open / n + W } else { 0.0 };
    Some(vec![Estimate::about(differ / n, error, 0)])
}

/// Where the largest is, the first of several; and whether another may be as large within the errors.
fn best(values: &[Estimate]) -> (usize, bool) {
    let mut place = 0;
    for (n, value) in values.iter().enumerate() {
        if value.value() > values[place].value() {
            place = n;
        }
    }
    let top = values[place];
    let near = |value: &Estimate| top.value() - value.value() <= top.error + value.error;
    let open = values.iter().enumerate().any(|(n, value)| n != place && near(value));
    (place, open)
}
