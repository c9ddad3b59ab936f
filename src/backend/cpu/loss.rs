//! Losses per row on a tile: softmax cross-entropy, the margin of the label over the others, squared error, penalty on the outputs.

use super::isa::Isa;
use super::math::{exp_of_negative, ln_1p_of_fraction, vectorize};
use super::tile::Rows;
use crate::backend::kernel::Write;

/// Calls `f(row, replica, element)` for every row and replica of a result with one number per row.
fn each(y: &mut [f32], copies: usize, mut f: impl FnMut(usize, usize) -> f32) {
    for (n, y) in y.iter_mut().enumerate() {
        *y = f(n / copies, n % copies);
    }
}

/// Replicas of a result that is replicated if any operand is.
fn copies(x: Rows<f32>, labels: usize) -> usize {
    x.copies.max(labels)
}

fn put(dx: &mut f32, value: f32, write: Write) {
    match write {
        Write::Set => *dx = value,
        Write::Add => *dx += value,
    }
}

fn largest(row: &[f32]) -> f32 {
    row.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

/// Index of the largest element outside `skip`, lowest index on ties. NaN counts as largest, so that a margin over it is
/// NaN.
fn best_other(row: &[f32], skip: usize) -> Option<usize> {
    (0..row.len())
        .filter(|&j| j != skip)
        .reduce(|best, j| if row[j] > row[best] || row[j].is_nan() { j } else { best })
}

/// Sum of all but one, in f64: no error grows with the number of classes.
fn sum_without(exponentials: &[f32], skip: usize) -> f64 {
    let (before, after) = exponentials.split_at(skip);
    before.iter().chain(&after[1..]).map(|&e| f64::from(e)).sum()
}

/// Numbers whose exponentials are computed together, if a row has no more: rows are short, vectors are not.
pub(super) const EXPONENTIALS: usize = 1024;

/// Calls `f(n, row, exponentials)` for every row n of x, replicas in turn, with e^(x_j - largest) for each j of it. `room`
/// holds at least a row.
fn each_exponentials(isa: Isa, x: Rows<f32>, room: &mut [f32], mut f: impl FnMut(usize, &[f32], &[f32])) {
    let rows = EXPONENTIALS.min(room.len()).max(x.cols) / x.cols;
    for (block, values) in x.data.chunks(rows * x.cols).enumerate() {
        let exponentials = &mut room[..values.len()];
        for (row, shifted) in values.chunks_exact(x.cols).zip(exponentials.chunks_exact_mut(x.cols)) {
            let top = largest(row);
            shifted.iter_mut().zip(row).for_each(|(s, v)| *s = v - top);
        }
        vectorize(
            isa,
            #[inline(always)]
            || exponentials.iter_mut().for_each(|e| *e = exp_of_negative(*e)),
        );
        let pairs = values.chunks_exact(x.cols).zip(exponentials.chunks_exact(x.cols));
        for (n, (row, exponentials)) in (block * rows..).zip(pairs) {
            f(n, row, exponentials);
        }
    }
}

/// Label 1 wants a positive output, label 0 a negative one.
fn sign(label: usize) -> f32 {
    if label == 1 { 1.0 } else { -1.0 }
}

/// Calls `f(y, outputs, label)` for every row and replica of two outputs; `width` numbers of `y` belong to each. The
/// labels are the replicas' own or shared.
#[inline(always)]
fn of_two(x: Rows<f32>, labels: Rows<u32>, y: &mut [f32], width: usize, f: impl Fn(&mut [f32], [f32; 2], u32)) {
    let pairs = x.data.as_chunks::<2>().0;
    if labels.copies == x.copies {
        for ((y, &pair), &label) in y.chunks_exact_mut(width).zip(pairs).zip(labels.data) {
            f(y, pair, label);
        }
        return;
    }
    let rows = y.chunks_exact_mut(width * x.copies).zip(pairs.chunks_exact(x.copies));
    for ((y, pairs), &label) in rows.zip(labels.data) {
        for (y, &pair) in y.chunks_exact_mut(width).zip(pairs) {
            f(y, pair, label);
        }
    }
}

/// By how much the other output is above the label's.
#[inline(always)]
fn excess([first, second]: [f32; 2], label: u32) -> f32 {
    if label == 0 { second - first } else { first - second }
}

/// NaN for +infinity, else 0: the reference subtracts the largest output from itself.
#[inline(always)]
fn nan_if_infinite(x: f32) -> f32 {
    0.0 * x.max(0.0)
}

/// Whether [`of_two`] applies.
fn two_classes(x: Rows<f32>, labels: Rows<u32>) -> bool {
    x.cols == 2 && (labels.copies == 1 || labels.copies == x.copies)
}

/// y_i = log sum_j exp x_ij - x_i,label, with `room` for a row and more; of two outputs max(d, 0) + log(1 + e^-|d|) with d = other - label's.
pub(super) fn softmax_cross_entropy(isa: Isa, x: Rows<f32>, labels: Rows<u32>, y: &mut [f32], room: &mut [f32]) {
    if two_classes(x, labels) {
        return vectorize(
            isa,
            #[inline(always)]
            || {
                of_two(
                    x,
                    labels,
                    y,
                    1,
                    #[inline(always)]
                    |y, pair, label| {
                        let own = if label == 0 { pair[0] } else { pair[1] };
                        let d = excess(pair, label) + nan_if_infinite(own);
                        let linear = if d < 0.0 { 0.0 } else { d };
                        y[0] = linear + ln_1p_of_fraction(exp_of_negative(-d.abs()));
                    },
                );
            },
        );
    }
    let copies = copies(x, labels.copies);
    each_exponentials(isa, x, room, |n, row, exponentials| {
        let top = largest(row);
        // The largest term is exactly 1: taking it out keeps the digits of a small loss (ln_1p).
        let at_top = row.iter().position(|&v| v == top).unwrap_or(0);
        let rest = sum_without(exponentials, at_top) as f32;
        // Outputs that are shared have a loss for every replica whose labels are its own.
        for r in if copies == x.copies { 0..1 } else { 0..copies } {
            let (i, r) = if copies == x.copies {
                (n / copies, n % copies)
            } else {
                (n, r)
            };
            y[i * copies + r] = rest.ln_1p() + (top - row[labels.at(i, r)[0] as usize]);
        }
    });
}

/// dx_ij (=, +=) dy_i (softmax(x_i)_j - [j = label]), with `room` for a row and more; of two outputs +-dy_i / (1 + e^-d).
pub(super) fn softmax_cross_entropy_grad(
    isa: Isa,
    x: Rows<f32>,
    labels: Rows<u32>,
    dy: Rows<f32>,
    dx: &mut [f32],
    write: Write,
    room: &mut [f32],
) {
    if two_classes(x, labels) && write == Write::Set {
        // The slope of the other output first, then both outputs' gradients in its place.
        vectorize(
            isa,
            #[inline(always)]
            || {
                of_two(
                    x,
                    labels,
                    dx,
                    2,
                    #[inline(always)]
                    |dx, pair, label| {
                        let d = excess(pair, label) + nan_if_infinite(pair[0].max(pair[1]));
                        let small = exp_of_negative(-d.abs());
                        let slope = (if d < 0.0 { small } else { 1.0 }) / (1.0 + small);
                        let up = if label == 0 { -slope } else { slope };
                        dx[0] = up;
                        dx[1] = -up;
                    },
                );
                for (dx, dy) in dx.as_chunks_mut::<2>().0.iter_mut().zip(dy.data) {
                    dx.iter_mut().for_each(|dx| *dx *= dy);
                }
            },
        );
        return;
    }
    each_exponentials(isa, x, room, |n, _, exponentials| {
        let (i, r) = (n / x.copies, n % x.copies);
        let (label, dy) = (labels.at(i, r)[0] as usize, f64::from(dy.at(i, r)[0]));
        let others = sum_without(exponentials, label);
        let total = others + f64::from(exponentials[label]);
        let dx = &mut dx[n * x.cols..][..x.cols];
        for (j, (dx, e)) in dx.iter_mut().zip(exponentials).enumerate() {
            // softmax - 1 as minus the sum of the others: no cancellation when the row is learnt.
            let slope = if j == label {
                -others / total
            } else {
                f64::from(*e) / total
            };
            put(dx, (dy * slope) as f32, write);
        }
    });
}

/// y_i = the margin of the label.
pub(super) fn margin(x: Rows<f32>, labels: Rows<u32>, y: &mut [f32]) {
    let copies = copies(x, labels.copies);
    each(y, copies, |i, r| {
        let (row, label) = (x.at(i, r), labels.at(i, r)[0] as usize);
        match best_other(row, label) {
            _ if x.cols == 1 => row[0] * sign(label),
            Some(other) => row[label] - row[other],
            None => row[label],
        }
    });
}

/// dx (=, +=) dy on the label's column, -dy on the best other one's.
pub(super) fn margin_grad(x: Rows<f32>, labels: Rows<u32>, dy: Rows<f32>, dx: &mut [f32], write: Write) {
    for (n, dx) in dx.chunks_exact_mut(x.cols).enumerate() {
        let (i, r) = (n / x.copies, n % x.copies);
        let (row, label, dy) = (x.at(i, r), labels.at(i, r)[0] as usize, dy.at(i, r)[0]);
        let other = best_other(row, label);
        for (j, dx) in dx.iter_mut().enumerate() {
            let slope = if x.cols == 1 {
                dy * sign(label)
            } else if j == label {
                dy
            } else if Some(j) == other {
                -dy
            } else {
                0.0
            };
            put(dx, slope, write);
        }
    }
}

/// y_i = sum_j (x_ij - t_ij)^2 / cols, in f64: differences of f32 are exact there and squares neither overflow nor vanish.
pub(super) fn squared_error(x: Rows<f32>, target: Rows<f32>, y: &mut [f32]) {
    each(y, x.copies, |i, r| {
        let differences = x.at(i, r).iter().zip(target.at(i, r));
        let sum: f64 = differences.map(|(&x, &t)| (f64::from(x) - f64::from(t)).powi(2)).sum();
        (sum / x.cols as f64) as f32
    });
}

/// dx_ij (=, +=) 2 dy_i (x_ij - t_ij) / cols
pub(super) fn squared_error_grad(x: Rows<f32>, target: Rows<f32>, dy: Rows<f32>, dx: &mut [f32], write: Write) {
    for (n, dx) in dx.chunks_exact_mut(x.cols).enumerate() {
        let (i, r) = (n / x.copies, n % x.copies);
        let factor = 2.0 * f64::from(dy.at(i, r)[0]) / x.cols as f64;
        for ((dx, &x), &t) in dx.iter_mut().zip(x.at(i, r)).zip(target.at(i, r)) {
            put(dx, (factor * (f64::from(x) - f64::from(t))) as f32, write);
        }
    }
}

/// The centre of a row's class.
fn centre(centres: &[f64], label: u32, cols: usize) -> &[f64] {
    &centres[label as usize * cols..][..cols]
}

/// y_i = sum_j (x_ij - c_label,j)^2, in f64 and rounded once.
pub(super) fn logit_penalty(x: Rows<f32>, labels: Rows<u32>, centres: &[f64], y: &mut [f32]) {
    each(y, copies(x, labels.copies), |i, r| {
        let differences = x.at(i, r).iter().zip(centre(centres, labels.at(i, r)[0], x.cols));
        let sum: f64 = differences.map(|(&x, c)| (f64::from(x) - c).powi(2)).sum();
        sum as f32
    });
}

/// dx_ij (=, +=) 2 dy_i (x_ij - c_label,j)
pub(super) fn logit_penalty_grad(
    x: Rows<f32>,
    labels: Rows<u32>,
    centres: &[f64],
    dy: Rows<f32>,
    dx: &mut [f32],
    write: Write,
) {
    for (n, dx) in dx.chunks_exact_mut(x.cols).enumerate() {
        let (i, r) = (n / x.copies, n % x.copies);
        let factor = 2.0 * f64::from(dy.at(i, r)[0]);
        let centre = centre(centres, labels.at(i, r)[0], x.cols);
        for ((dx, &x), c) in dx.iter_mut().zip(x.at(i, r)).zip(centre) {
            put(dx, (factor * (f64::from(x) - c)) as f32, write);
        }
    }
}
