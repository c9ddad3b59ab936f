//! Linear separability of a pair of classes: the distance between their convex hulls.
//!
//! ```text
//!   delta_ab = min { |p - q| : p in conv a, q in conv b } = 2 / |w|,   w: the hard-margin support vector machine
//! ```
//! Positive exactly if a hyperplane separates the classes, and then the width of the widest gap between them (K. Bennett and
//! E. Bredensteiner, ICML 2000). In the units of the rows; 0 if the hulls meet. Translations and rotations change nothing. One member: its
//! hull is a point.
//!
//! The nearest point to the origin of the hull of all differences x - y is found by Wolfe's algorithm (P. Wolfe, Math. Program. 11,
//! 128 (1976)), which ends after finitely many steps: it keeps few differences (at most D + 1), the nearest point of whose
//! affine hull is a small linear system, and adds the difference that is farthest down. A step costs O((n_a + n_b) D), no
//! difference is stored but those few. It stops when the lower bound that the present hyperplane proves is within 1e-12 of the squared
//! distance; a distance below 1e-8 of the largest difference seen counts as 0.

use super::cloud::{Cloud, center_rows};
use super::eigen::dot;
use super::error::GeometryError;

/// Relative gap of the squared distance at which the search ends.
const GAP: f64 = 1e-12;
/// A distance that counts as zero, in units of the largest difference.
const ZERO: f64 = 1e-8;

/// delta of two classes of a cloud.
///
/// # Errors
/// [`GeometryError::ClassSize`] for a class that is not there; [`GeometryError::Diverged`] after 1000 + 20 D steps.
///
/// ```
/// use disentangle::geometry::Cloud;
/// use disentangle::geometry::linear_separability::linear_separability;
///
/// // Two segments, 3 apart; a class is not apart from itself.
/// let cloud = Cloud::new(vec![0.0, 0.0, 0.0, 2.0, 3.0, 1.0, 5.0, 1.0], 2, vec![0, 0, 1, 1], 2)?;
/// assert!((linear_separability(&cloud, 0, 1)? - 3.0).abs() < 1e-9);
/// assert_eq!(linear_separability(&cloud, 0, 0)?, 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn linear_separability(cloud: &Cloud, a: usize, b: usize) -> Result<f64, GeometryError> {
    let cols = cloud.cols();
    if let Some(&class) = [a, b].iter().find(|class| **class >= cloud.classes()) {
        return Err(GeometryError::ClassSize {
            class,
            members: 0,
            expected: 1,
        });
    }
    // Centred, so that products lose nothing to a far origin.
    let mut rows: Vec<f64> = cloud.members(a).chain(cloud.members(b)).flatten().copied().collect();
    center_rows(&mut rows, cols);
    let (first, second) = rows.split_at(cloud.counts()[a] * cols);
    hull_distance(first, second, cols)
}

/// A difference x - y, with the places of x and y.
struct Corner {
    pair: (usize, usize),
    point: Vec<f64>,
    weight: f64,
}

/// Distance of the hulls of two sets of rows `[n, cols]`.
fn hull_distance(a: &[f64], b: &[f64], cols: usize) -> Result<f64, GeometryError> {
    let lowest = |x: &[f64]| {
        let down = extreme(a, cols, x, 1.0);
        let up = extreme(b, cols, x, -1.0);
        let point: Vec<f64> = row(a, cols, down)
            .iter()
            .zip(row(b, cols, up))
            .map(|(p, q)| p - q)
            .collect();
        ((down, up), point)
    };
    // Begin where the hulls face each other: along the difference of the means.
    let mean = |rows: &[f64]| super::cloud::mean_row(rows, cols);
    let towards: Vec<f64> = mean(a).iter().zip(mean(b)).map(|(p, q)| p - q).collect();
    let (pair, point) = lowest(&towards);
    let mut x = point.clone();
    let mut largest = dot(&x, &x);
    let mut corners = vec![Corner {
        pair,
        point,
        weight: 1.0,
    }];
    let steps = 1000 + 20 * cols;
    let mut last = f64::INFINITY;
    for _ in 0..steps {
        let square = dot(&x, &x);
        // Each step comes nearer; one that does not is all rounding.
        if square >= last {
            return Ok(if last <= ZERO * ZERO * largest {
                0.0
            } else {
                last.sqrt()
            });
        }
        last = square;
        let (pair, point) = lowest(&x);
        largest = largest.max(dot(&point, &point));
        if square <= ZERO * ZERO * largest {
            return Ok(0.0);
        }
        // The hyperplane through x proves |distance|^2 >= (x point)^2 / |x|^2. A corner that is kept already cannot lead down: what is
        // left of the gap is rounding.
        let bound = dot(&x, &point);
        if square - bound <= GAP * square || corners.iter().any(|corner| corner.pair == pair) {
            return Ok(square.sqrt());
        }
        corners.push(Corner {
            pair,
            point,
            weight: 0.0,
        });
        descend(&mut corners);
        x.fill(0.0);
        for corner in &corners {
            x.iter_mut()
                .zip(&corner.point)
                .for_each(|(x, p)| *x += corner.weight * p);
        }
    }
    Err(GeometryError::Diverged {
        detail: format!("the distance of two hulls is not found after {steps} steps"),
    })
}

fn row(rows: &[f64], cols: usize, i: usize) -> &[f64] {
    &rows[i * cols..(i + 1) * cols]
}

/// The row whose product with `sign * x` is smallest; the first of several.
fn extreme(rows: &[f64], cols: usize, x: &[f64], sign: f64) -> usize {
    let mut best = (0, f64::INFINITY);
    for (i, row) in rows.chunks_exact(cols).enumerate() {
        let value = sign * dot(row, x);
        if value < best.1 {
            best = (i, value);
        }
    }
    best.0
}

/// Moves the weights to the nearest point of the corners' hull, dropping those that it does not need.
fn descend(corners: &mut Vec<Corner>) {
    loop {
        let Some(target) = affine_minimizer(corners) else {
            // Corners that depend on each other: without the one that weighs least they describe the same hull.
            drop_lightest(corners);
            continue;
        };
        if target.iter().all(|&weight| weight > 0.0) {
            corners
                .iter_mut()
                .zip(target)
                .for_each(|(corner, weight)| corner.weight = weight);
            return;
        }
        // As far towards it as all weights stay positive.
        let reach = corners
            .iter()
            .zip(&target)
            .filter(|(_, t)| **t <= 0.0)
            .map(|(corner, t)| corner.weight / (corner.weight - t))
            .fold(1.0f64, f64::min);
        for (corner, t) in corners.iter_mut().zip(&target) {
            corner.weight += reach * (t - corner.weight);
        }
        // At least the one that limited the step goes.
        let before = corners.len();
        let limit = f64::EPSILON;
        corners.retain(|corner| corner.weight > limit);
        if corners.len() == before {
            drop_lightest(corners);
        }
        let total: f64 = corners.iter().map(|corner| corner.weight).sum();
        corners.iter_mut().for_each(|corner| corner.weight /= total);
    }
}

fn drop_lightest(corners: &mut Vec<Corner>) {
    let lightest = (0..corners.len()).min_by(|&i, &j| corners[i].weight.total_cmp(&corners[j].weight));
    if let Some(lightest) = lightest.filter(|_| corners.len() > 1) {
        corners.remove(lightest);
    }
}

/// Weights, of sum 1, of the point of the affine hull that is nearest to the origin: (G + s e e^T) y = e, weights y / sum y, with G the
/// products of the corners and s their scale (Wolfe's own form). `None` if the corners are affinely dependent.
fn affine_minimizer(corners: &[Corner]) -> Option<Vec<f64>> {
    let m = corners.len();
    if m == 1 {
        return Some(vec![1.0]);
    }
    let scale = corners.iter().map(|c| dot(&c.point, &c.point)).fold(0.0, f64::max);
    // Cholesky, in place.
    let mut l = vec![0.0; m * m];
    for i in 0..m {
        for j in 0..=i {
            let g = dot(&corners[i].point, &corners[j].point) + scale;
            let rest = g - dot(&l[i * m..i * m + j], &l[j * m..j * m + j]);
            if i == j {
                if rest <= 1e-14 * scale {
                    return None;
                }
                l[i * m + i] = rest.sqrt();
            } else {
                l[i * m + j] = rest / l[j * m + j];
            }
        }
    }
    let mut y = vec![1.0; m];
    for i in 0..m {
        y[i] = (y[i] - dot(&l[i * m..i * m + i], &y[..i])) / l[i * m + i];
    }
    for i in (0..m).rev() {
        let later: f64 = (i + 1..m).map(|k| l[k * m + i] * y[k]).sum();
        y[i] = (y[i] - later) / l[i * m + i];
    }
    let total: f64 = y.iter().sum();
    y.iter_mut().for_each(|w| *w /= total);
    Some(y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synthetic::gaussian_classes;

    fn distance(rows: &[f64], cols: usize, labels: &[u32]) -> f64 {
        let cloud = Cloud::new(rows.to_vec(), cols, labels.to_vec(), 2).unwrap();
        linear_separability(&cloud, 0, 1).unwrap()
    }

    #[test]
    fn small_cases_by_hand() {
        assert_eq!(distance(&[0.0, 1.0, 4.0, 6.0], 1, &[0, 0, 1, 1]), 3.0);
        assert_eq!(distance(&[0.0, 5.0, 4.0, 6.0], 1, &[0, 0, 1, 1]), 0.0);
        // A segment on x = 0 and a point: the foot is inside the segment.
        let found = distance(&[0.0, -1.0, 0.0, 1.0, 3.0, 0.25], 2, &[0, 0, 1]);
        assert!((found - 3.0).abs() < 1e-14, "{found}");
        // The exclusive or has no gap; two points have their distance.
        assert_eq!(
            distance(&[0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0], 2, &[0, 0, 1, 1]),
            0.0
        );
        assert!((distance(&[0.0, 0.0, 3.0, 4.0], 2, &[0, 1]) - 5.0).abs() < 1e-14);
        assert_eq!(distance(&[2.0, 2.0, 2.0, 2.0], 2, &[0, 1]), 0.0);
    }

    #[test]
    fn small_gaps_are_no_contacts() {
        // Two segments that face each other over a gap far below their length; the search begins at corners that do not.
        for (gap, expected) in [(1e-5, 1e-5), (1e-6, 1e-6), (1e-9, 0.0)] {
            let found = distance(&[0.0, -1.0, 0.0, 1.0, gap, -1.0, gap, 3.0], 2, &[0, 0, 1, 1]);
            assert!(
                (found - expected).abs() <= 1e-9 * expected,
                "{found}, expected {expected}"
            );
        }
    }

    /// The dual by another way: steps of Gilbert's kind with a line search. Its hyperplane proves a lower bound, its point an upper one.
    fn bracket(rows: &[f64], cols: usize, labels: &[u32]) -> (f64, f64) {
        let cloud = Cloud::new(rows.to_vec(), cols, labels.to_vec(), 2).unwrap();
        let members = |c| cloud.members(c).collect::<Vec<_>>();
        let (a, b) = (members(0), members(1));
        let mut x: Vec<f64> = a[0].iter().zip(b[0]).map(|(p, q)| p - q).collect();
        let mut lower = 0.0f64;
        for _ in 0..20_000 {
            let by = |x: &[f64], p: &[f64]| x.iter().zip(p).map(|(x, p)| x * p).sum::<f64>();
            let p = a.iter().min_by(|p, q| by(&x, p).total_cmp(&by(&x, q))).unwrap();
            let q = b.iter().max_by(|p, q| by(&x, p).total_cmp(&by(&x, q))).unwrap();
            let s: Vec<f64> = p.iter().zip(*q).map(|(p, q)| p - q).collect();
            lower = lower.max(by(&x, &s) / by(&x, &x).sqrt());
            let towards: Vec<f64> = s.iter().zip(&x).map(|(s, x)| s - x).collect();
            let step = (-by(&x, &towards) / by(&towards, &towards)).clamp(0.0, 1.0);
            x.iter_mut().zip(&towards).for_each(|(x, t)| *x += step * t);
        }
        (lower, x.iter().map(|x| x * x).sum::<f64>().sqrt())
    }

    #[test]
    fn another_search_brackets_the_distance() {
        let mut apart = 0;
        for seed in 0..6 {
            let (rows, labels) = gaussian_classes(seed, 2, 25, 4, 5.0);
            let found = distance(&rows, 4, &labels);
            let (lower, upper) = bracket(&rows, 4, &labels);
            assert!(
                lower * (1.0 - 1e-9) <= found && found <= upper * (1.0 + 1e-9),
                "{lower} {found} {upper}"
            );
            if lower > 0.0 {
                apart += 1;
                assert!(upper - lower < 0.02 * upper, "{lower} {upper}");
            }
        }
        assert!(apart > 2, "{apart}");
        let (rows, labels) = gaussian_classes(4, 2, 200, 3, 0.5);
        assert_eq!(distance(&rows, 3, &labels), 0.0);
        // More coordinates than points: always separable.
        let (rows, labels) = gaussian_classes(5, 2, 15, 40, 0.0);
        assert!(distance(&rows, 40, &labels) > 0.5);
    }
}
