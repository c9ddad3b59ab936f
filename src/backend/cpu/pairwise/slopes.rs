//! Gradients of reductions A and B and of logarithms of B, from their weights.

use super::super::Cpu;
use super::functions::rate;
use super::gradient::{Coefficients, Rooms, Sink, Weighing, add_gradients};
use super::reduce::{Logs, all, side};
use super::stage::{Needs, Stage};
use super::sums::Pairs;
use super::tile::{Differences, Exponential, One, Products, ReciprocalRoot};
use super::wide;
use crate::backend::pairwise::{Form, PairFunction, PairwiseError, Points, Target, through_unit_rows};

/// Coefficients from here on are divided by the largest, so that they stay in the range of f32.
const LARGE: f64 = 1e30;

/// How the pairs of one replica are weighed: df/dx is multiplied by `of(i, class of j)`, and if it is `mutual` by that plus
/// `of(j, class of i)`, since each point of a set is once the first and once the second.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    pub(super) of: &'a (dyn Fn(usize, usize) -> f64 + Sync),
    pub(super) mutual: bool,
}

impl Cpu {
    /// Adds the gradient of a weighed sum of f over the pairs of one replica.
    pub(super) fn slopes(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        (function, form): (PairFunction, Form),
        weights: Weights,
        target: Target,
    ) -> Result<(), PairwiseError> {
        if function == PairFunction::Cosine {
            return through_unit_rows(points, others, replica, target, |unit| {
                self.slopes_of_packed(points, others, replica, (function, form), weights, unit)
            });
        }
        self.slopes_of_packed(points, others, replica, (function, form), weights, target)
    }

    fn slopes_of_packed(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        (function, form): (PairFunction, Form),
        weights: Weights,
        target: Target,
    ) -> Result<(), PairwiseError> {
        if form == Form::F64 || function == PairFunction::L1 {
            return self.wide_slopes(points, others, replica, function, weights, target);
        }
        let cosine = function == PairFunction::Cosine;
        let needs = Needs {
            form,
            cosine,
            by_class: true,
            gradient: true,
        };
        let stage = Stage::new((self.isa, &self.pool), points, others, replica, needs)?;
        let (classes, dim) = (others.unwrap_or(points).classes(), stage.dim());
        let mut rows = Coefficients::new(classes, stage.rows().positions())?;
        let scale = rows.fill(stage.rows(), classes, weights.of);
        let rooms = Rooms::new(self.pool.threads(), dim)?;
        let row_sink = Sink::new(target.points, dim, stage.rows());
        let second = others.map(|_| Sink::new(target.others, dim, stage.columns()));
        let (factor, map) = match function {
            PairFunction::SquaredEuclidean => (2.0, None),
            PairFunction::Gaussian { temperature } => (-2.0 / temperature, Some(rate(temperature))),
            _ => (1.0, None),
        };
        let weighing = Weighing {
            rows: &rows,
            columns: weights.mutual.then_some(&rows),
            factor: factor * scale,
            row_sink: &row_sink,
            column_sink: second.as_ref().unwrap_or(&row_sink),
            rooms: &rooms,
        };
        stage.visit(|pairs: Pairs| {
            macro_rules! squares {
                ($map:expr) => {
                    match form {
                        Form::Centered => add_gradients(pairs, Products, $map, &weighing),
                        Form::Direct | Form::F64 => add_gradients(pairs, Differences, $map, &weighing),
                    }
                };
            }
            match (function, map) {
                (_, Some(rate)) => squares!(Exponential { rate }),
                (PairFunction::Euclidean, _) => squares!(ReciprocalRoot),
                _ => squares!(One),
            }
        })
    }

    fn wide_slopes(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        function: PairFunction,
        weights: Weights,
        target: Target,
    ) -> Result<(), PairwiseError> {
        let set = others.unwrap_or(points);
        let (rows, columns) = (all(points.rows()), all(set.rows()));
        let cosine = function == PairFunction::Cosine;
        let (first, second) = (
            side(points, replica, &rows, cosine),
            side(set, replica, &columns, cosine),
        );
        let (machine, absolute) = ((self.isa, &*self.pool), function == PairFunction::L1);
        let weight = |i: usize, j: usize, d: f64| {
            if others.is_none() && i == j {
                return 0.0;
            }
            let mut w = (weights.of)(i, set.label(replica, j));
            if weights.mutual {
                w += (weights.of)(j, points.label(replica, i));
            }
            w * wide::slope(function, d)
        };
        wide::add_gradients(machine, first, second, absolute, &weight, target.points)?;
        if others.is_some() {
            let weight = |j, i, d| weight(i, j, d);
            wide::add_gradients(machine, second, first, absolute, &weight, target.others)?;
        }
        Ok(())
    }

    /// Adds the gradient of sum_ic g_ic L_ic of one replica, g = `weights`, `[N, C']`.
    #[expect(
        clippy::too_many_arguments,
        reason = "two sets, a temperature, what was computed of them, and a target"
    )]
    pub(super) fn log_slopes(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        (temperature, form): (f64, Form),
        logs: &Logs,
        weights: &[f64],
        target: Target,
    ) -> Result<(), PairwiseError> {
        let classes = others.unwrap_or(points).classes();
        let of = |i: usize, c: usize| {
            let n = i * classes + c;
            let none = logs.vanishing[n] || logs.values[n] == f64::NEG_INFINITY;
            if none {
                0.0
            } else {
                weights[n] * libm::exp(-logs.values[n])
            }
        };
        let mutual = others.is_none();
        let Target {
            points: to,
            others: and,
        } = target;
        let function = PairFunction::Gaussian { temperature };
        if form != Form::F64 {
            let target = Target {
                points: &mut *to,
                others: &mut *and,
            };
            self.slopes(
                points,
                others,
                replica,
                (function, form),
                Weights { of: &of, mutual },
                target,
            )?;
        }
        let vanishing = |i: usize, c: usize, d: f64| {
            let n = i * classes + c;
            let none = !logs.vanishing[n] || logs.values[n] == f64::NEG_INFINITY;
            if none {
                0.0
            } else {
                weights[n] * libm::exp(-d / temperature - logs.values[n])
            }
        };
        let target = Target {
            points: to,
            others: and,
        };
        self.vanishing_slopes(points, others, replica, temperature, &logs.rows, &vanishing, target)
    }

    /// Adds what pairs with `rows` as first points give, in f64: `weight(i, class of j, d^2)` times the gradient of -d^2 / T.
    #[expect(
        clippy::too_many_arguments,
        reason = "two sets, a temperature, a list with its weights, and a target"
    )]
    pub(super) fn vanishing_slopes(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        temperature: f64,
        rows: &[usize],
        weight: &(dyn Fn(usize, usize, f64) -> f64 + Sync),
        target: Target,
    ) -> Result<(), PairwiseError> {
        if rows.is_empty() {
            return Ok(());
        }
        let (set, dim) = (others.unwrap_or(points), points.dim());
        let columns = all(set.rows());
        let (first, second) = (side(points, replica, rows, false), side(set, replica, &columns, false));
        let machine = (self.isa, &*self.pool);
        let weight = |i: usize, j: usize, d: f64| {
            let itself = others.is_none() && i == j;
            if itself {
                0.0
            } else {
                -2.0 / temperature * weight(i, set.label(replica, j), d)
            }
        };
        let mut few = vec![0.0; rows.len() * dim];
        let by_place = |place: usize, j, d| weight(rows[place], j, d);
        wide::add_gradients(machine, first, second, false, &by_place, &mut few)?;
        for (&i, few) in rows.iter().zip(few.chunks_exact(dim)) {
            target.points[i * dim..].iter_mut().zip(few).for_each(|(t, f)| *t += f);
        }
        let to = if others.is_some() { target.others } else { target.points };
        let reversed = |j, i, d| weight(i, j, d);
        wide::add_gradients(machine, second, first, false, &reversed, to)
    }
}

impl Coefficients {
    /// Fills the table with `of(row, class)` over the scale that is returned.
    fn fill(&mut self, order: &super::order::Order, classes: usize, of: &(dyn Fn(usize, usize) -> f64 + Sync)) -> f64 {
        let mut top = 0.0f64;
        for class in 0..classes {
            for (_, row) in order.rows() {
                top = top.max(of(row, class).abs());
            }
        }
        let scale = if top > LARGE { top } else { 1.0 };
        let positions = self.positions;
        for (class, table) in self.values.all_mut().chunks_exact_mut(positions).enumerate() {
            for (position, row) in order.rows() {
                table[position] = (of(row, class) / scale) as f32;
            }
        }
        scale
    }
}
