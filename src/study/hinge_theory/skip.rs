//! Which satisfied examples need no look: a bound on how far an output can have moved.
//!
//! An example whose margin m = alpha y (f - f_0) was above h by b when it was last looked at is satisfied for as long as f
//! has not moved by b / alpha. Between two steps, with sigma Lipschitz and sigma(0) = 0,
//!
//! |f'(x) - f(x)| M sqrt d = |sum_i (a'_i - a_i) sigma(w_i . x) + a'_i (sigma(w'_i . x) - sigma(w_i . x))|
//!   <= |a' - a| |W x| + |a'| |(W' - W) x|
//!   <= (|a' - a| |w_par| + |a'| |w'_par - w_par|) |x_par| + (|a' - a| |W_perp|_2 + |a'| |W'_perp - W_perp|_F) |x_perp|
//!
//! where w_par is the vector of the nodes' components along w*, |.|_2 the largest singular value and |.|_F the Frobenius norm.
//! The first term is of the size of what really happens, which is why it is split off. |W_perp|_2 is bounded by
//! |(W_perp^T W_perp)^2|_F^{1/4} at some step and by what Frobenius norms have been added since.
//!
//! A look at the other examples is then all that a step needs, and their gradient is the whole gradient: skipping is exact up to
//! roundings, for which the bound is widened.

use crate::study::projection::dot;

/// Roundings of an output in f32 at both ends of a budget, as a share of the sum of the moduli of what is added: chains of at most
/// 300 roundings of 2^-24.
const ROUNDINGS: f64 = 4e-5;
/// The norm of W_perp is bounded anew when what was added to it exceeds this share of it.
const STALE: f64 = 0.05;

/// Weights as the bound sees them.
#[derive(Clone, Debug)]
struct Weights {
    a: Vec<f64>,
    along: Vec<f64>,
    across: Vec<f64>,
}

impl Weights {
    fn of(a: &[f64], w: &[f64], direction: &[f64]) -> Weights {
        let d = direction.len();
        let along: Vec<f64> = w.chunks_exact(d).map(|w| dot(w, direction)).collect();
        let mut across = w.to_vec();
        for (row, along) in across.chunks_exact_mut(d).zip(&along) {
            row.iter_mut().zip(direction).for_each(|(w, u)| *w -= along * u);
        }
        Weights {
            a: a.to_vec(),
            along,
            across,
        }
    }
}

/// Keeps account of every example.
#[derive(Clone, Debug)]
pub struct Skip {
    /// alpha / (M sqrt d)
    scale: f64,
    /// |x_par|, |x_perp| of each example.
    projections: Vec<(f64, f64)>,
    /// What each margin can still lose before it may be below h; 0 or less: due for a look.
    budget: Vec<f64>,
    last: Option<Weights>,
    /// Bound on |W_perp|_2, and what has been added to it since it was computed.
    norm: (f64, f64),
    /// The sum of the moduli in a margin is at most the first times |x_par| plus the second times |x_perp|.
    moduli: (f64, f64),
}

impl Skip {
    /// All examples `x` `[N, d]` are due. `scale` is alpha / (M sqrt d).
    pub fn new(x: &[f64], direction: &[f64], scale: f64) -> Skip {
        let rows = x.chunks_exact(direction.len());
        let projections: Vec<(f64, f64)> = rows
            .map(|x| {
                let along = dot(x, direction);
                (along.abs(), (dot(x, x) - along * along).max(0.0).sqrt())
            })
            .collect();
        Skip {
            scale,
            budget: vec![0.0; projections.len()],
            projections,
            last: None,
            norm: (0.0, f64::INFINITY),
            moduli: (0.0, 0.0),
        }
    }

    /// |x_par| of each example.
    pub fn projection(&self, example: usize) -> f64 {
        self.projections.get(example).map_or(f64::NAN, |p| p.0)
    }

    /// The state, for a checkpoint: the budgets, the two numbers of the norm, then the weights that they were taken at.
    pub fn state(&self) -> Vec<f64> {
        let mut state = self.budget.clone();
        state.extend([self.norm.0, self.norm.1]);
        if let Some(last) = &self.last {
            state.extend(last.a.iter().chain(&last.along).chain(&last.across));
        }
        state
    }

    /// Goes on from a state of an account of as many examples, and of `nodes` nodes in `d` dimensions. What is not such a state
    /// leaves all examples due.
    pub fn restore(&mut self, state: &[f64], nodes: usize, d: usize) {
        let n = self.budget.len();
        if state.len() != n + 2 + nodes * (d + 2) {
            return;
        }
        let (budget, rest) = state.split_at(n);
        let (norm, rest) = rest.split_at(2);
        let (a, rest) = rest.split_at(nodes);
        let (along, across) = rest.split_at(nodes);
        self.budget.copy_from_slice(budget);
        self.norm = (norm[0], norm[1]);
        self.last = Some(Weights {
            a: a.to_vec(),
            along: along.to_vec(),
            across: across.to_vec(),
        });
    }

    /// The examples to look at with these weights, in order.
    pub fn due(&mut self, a: &[f64], w: &[f64], direction: &[f64]) -> Vec<u32> {
        let now = Weights::of(a, w, direction);
        let length = |a: &[f64]| dot(a, a).sqrt();
        if let Some(last) = &self.last {
            let difference = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
            let step_a = difference(&now.a, &last.a);
            let step_across = difference(&now.across, &last.across);
            let along = step_a * length(&last.along) + length(&now.a) * difference(&now.along, &last.along);
            let across = step_a * (self.norm.0 + self.norm.1) + length(&now.a) * step_across;
            self.norm.1 += step_across;
            let (along, across) = (self.scale * along, self.scale * across);
            for (budget, &(par, perp)) in self.budget.iter_mut().zip(&self.projections) {
                *budget -= along * par + across * perp;
            }
        }
        if self.norm.1 > STALE * self.norm.0 {
            self.norm = (largest_singular_value(&now.across, direction.len()), 0.0);
        }
        let outer = self.scale * length(&now.a);
        self.moduli = (outer * length(&now.along), outer * (self.norm.0 + self.norm.1));
        self.last = Some(now);
        let spent = |budget: f64| budget <= 0.0 || budget.is_nan();
        let due = self.budget.iter().enumerate().filter(|(_, budget)| spent(**budget));
        due.map(|(k, _)| k as u32).collect()
    }

    /// Takes note of a look: an example's margin lies above h by `above`.
    pub fn looked(&mut self, example: usize, above: f64) {
        if let (Some(budget), Some(&(par, perp))) = (self.budget.get_mut(example), self.projections.get(example)) {
            let moduli = self.moduli.0 * par + self.moduli.1 * perp;
            *budget = (above - ROUNDINGS * moduli).max(0.0);
        }
    }
}

/// Dimensions above which |W|_F has to do: W^T W would be large, and its square slow.
const MANY: usize = 1024;

/// An upper bound of the largest singular value of `[rows, d]`: |(W^T W)^2|_F^{1/4}, which is at most d^{1/8} too large.
fn largest_singular_value(w: &[f64], d: usize) -> f64 {
    if d > MANY {
        return dot(w, w).sqrt() * (1.0 + 1e-9);
    }
    let mut gram = vec![0.0; d * d];
    for row in w.chunks_exact(d) {
        for (line, &wi) in gram.chunks_exact_mut(d).zip(row) {
            line.iter_mut().zip(row).for_each(|(g, wj)| *g += wi * wj);
        }
    }
    let mut squares = 0.0;
    for i in gram.chunks_exact(d) {
        for j in gram.chunks_exact(d) {
            squares += dot(i, j).powi(2);
        }
    }
    // Some 1e-13 of roundings, of d^2 sums.
    squares.powf(1.0 / 8.0) * (1.0 + 1e-9)
}

#[cfg(test)]
mod tests {
    use super::super::examples::teacher;
    use super::super::nodes::{Initial, Nodes};
    use super::*;

    #[test]
    fn the_norm_is_bounded_from_above_and_not_by_far() {
        let nodes = Nodes::draw(Initial::Plain, 60, &teacher(9), 5, 0);
        let bound = largest_singular_value(&nodes.w, 9);
        // Power iteration comes from below.
        let mut v = vec![1.0; 9];
        let mut reached = 0.0;
        for _ in 0..200 {
            let mut next = vec![0.0; 9];
            for row in nodes.w.chunks_exact(9) {
                let along = dot(row, &v);
                next.iter_mut().zip(row).for_each(|(n, w)| *n += along * w);
            }
            let length = dot(&next, &next).sqrt();
            reached = length.sqrt();
            v = next.iter().map(|n| n / length).collect();
        }
        assert!(
            bound >= reached && bound <= 9f64.powf(0.125) * reached,
            "{bound} {reached}"
        );
    }

    #[test]
    fn no_output_moves_farther_than_it_is_charged() {
        let (d, m) = (6, 16);
        let direction = teacher(d);
        let x: Vec<f64> = Nodes::draw(Initial::Plain, 40, &direction, 8, 0).w;
        let output = |nodes: &Nodes, x: &[f64]| -> f64 {
            let rows = nodes.w.chunks_exact(d);
            let sum: f64 = nodes.a.iter().zip(rows).map(|(a, w)| a * dot(w, x).max(0.0)).sum();
            sum / (m as f64 * (d as f64).sqrt())
        };
        let mut nodes = Nodes::draw(Initial::Plain, m, &direction, 9, 0);
        let mut skip = Skip::new(&x, &direction, 1.0 / (m as f64 * (d as f64).sqrt()));
        assert_eq!(skip.due(&nodes.a, &nodes.w, &direction).len(), 40);
        let start: Vec<f64> = x.chunks_exact(d).map(|x| output(&nodes, x)).collect();
        (0..40).for_each(|k| skip.looked(k, 1e3));
        let full = skip.budget.clone();
        let mut tightest = 0f64;
        for step in 0..30 {
            let kicks = Nodes::draw(Initial::Plain, m, &direction, 10, step);
            nodes.a.iter_mut().zip(&kicks.a).for_each(|(a, k)| *a += 0.01 * k);
            nodes.w.iter_mut().zip(&kicks.w).for_each(|(w, k)| *w += 0.01 * k);
            let moved = nodes.moved(&direction, 0.1);
            nodes = moved;
            assert!(skip.due(&nodes.a, &nodes.w, &direction).is_empty());
            for (k, x) in x.chunks_exact(d).enumerate() {
                let charged = full[k] - skip.budget[k];
                let went = (output(&nodes, x) - start[k]).abs();
                assert!(went <= charged, "step {step}, example {k}: {went} of {charged}");
                tightest = tightest.max(went / charged);
            }
        }
        // And the bound is of the size of what happens.
        assert!(tightest > 0.1, "{tightest}");
    }
}
