//! From a kernel to the function that computes it on a tile.

use std::ops::Range;

use super::blocks::BLOCK_ROWS;
use super::machine::Machine;
use super::soft_nearest_neighbor::Points;
use super::tile::{Partials, Scratch, Tile, TileStorage};
use super::{dense, elementwise, loss, probe, rows, soft_nearest_neighbor};
use crate::backend::kernel::{Kernel, Write};
use crate::backend::program::{BufferId, Element, Extent};

impl Machine {
    /// A kernel's surroundings on these rows.
    pub(super) fn tile<'a>(&'a self, rows: Range<usize>, own: &'a TileStorage) -> Tile<'a> {
        Tile {
            program: &self.program,
            places: &self.places,
            active: &self.active,
            first_of_block: rows.start / BLOCK_ROWS * BLOCK_ROWS,
            rows,
            own,
            block: &self.block,
        }
    }

    /// Runs one kernel on a tile (or, for a whole kernel, on everything).
    pub(super) fn execute(&self, kernel: &Kernel, rows: Range<usize>, scratch: &mut Scratch, sums: &mut Partials) {
        let first = rows.start;
        let Scratch {
            tile: storage,
            numbers,
            workspace,
            skipped,
            pairs,
        } = scratch;
        let t = self.tile(rows, storage);
        let isa = self.isa;
        match kernel {
            Kernel::Fill { y, value } => t.write(*y).fill(*value as f32),
            Kernel::Add { a, b, factor, y } => elementwise::add(isa, t.real(*a), t.real(*b), *factor, t.write(*y)),
            Kernel::Accumulate { x, factor, y } => {
                elementwise::accumulate(isa, t.real(*x).data, *factor, t.write(y.buffer), y.write);
            }
            Kernel::Unary { function, x, y } => elementwise::unary(isa, *function, t.real(*x).data, t.write(*y)),
            Kernel::UnaryGrad { function, x, y, dy, dx } => {
                let (x, y, dy) = (t.real(*x).data, t.real(*y).data, t.real(*dy).data);
                elementwise::unary_grad(isa, *function, x, y, dy, t.write(dx.buffer), dx.write);
            }
            Kernel::Dense { x, weight, bias, y }
                if let Some(skipping) = &self.skipping[x.0]
                    && let Some(layer) = skipping.layer(*weight, *bias) =>
            {
                skipping.dense(isa, layer, first, t.write(*y), skipped.all_mut());
            }
            Kernel::Dense { x, weight, bias, y } => {
                let bias = bias.map(|b| t.real(b).data);
                dense::dense(isa, workspace, t.real(*x), t.real(*weight), bias, t.write(*y));
            }
            Kernel::DenseInputGrad { dy, weight, dx } => {
                let (dy, weight) = (t.real(*dy), t.real(*weight).data);
                dense::dense_input_grad(isa, workspace, dy, weight, t.write(dx.buffer), dx.write);
            }
            Kernel::DenseWeightGrad {
                dy,
                x: samples,
                dweight,
                dbias,
            } => {
                let (dy, x) = (t.real(*dy), t.real(*samples));
                let write = |fresh| if fresh { Write::Set } else { Write::Add };
                if let Some(dweight) = dweight {
                    if let Some(skipping) = &self.skipping[samples.0]
                        && sums.may_skip(dweight.buffer)
                    {
                        let (sum, fresh) = sums.skipped(dweight.buffer, dy.copies * dy.cols);
                        skipping.weight_grad(isa, first, dy, sum, write(fresh), skipped.all_mut());
                    } else {
                        let (sum, fresh) = sums.real(dweight.buffer);
                        dense::dense_weight_grad(isa, workspace, dy, x, sum, write(fresh));
                    }
                }
                if let Some(dbias) = dbias {
                    let (sum, fresh) = sums.real(dbias.buffer);
                    dense::dense_bias_grad(isa, dy, sum, write(fresh), numbers);
                }
            }
            Kernel::RowNormalize { x, y, norms } => {
                rows::row_normalize(isa, t.real(*x), t.write(*y), t.write(*norms));
            }
            Kernel::RowNormalizeGrad { y, norms, dy, dx } => {
                let (y, norms, dy) = (t.real(*y), t.real(*norms), t.real(*dy));
                rows::row_normalize_grad(y, norms, dy, t.write(dx.buffer), dx.write);
            }
            Kernel::SoftmaxCrossEntropy { x, labels, y } => {
                loss::softmax_cross_entropy(isa, t.real(*x), t.index(*labels), t.write(*y), numbers);
            }
            Kernel::SoftmaxCrossEntropyGrad { x, labels, dy, dx } => {
                let (x, labels, dy) = (t.real(*x), t.index(*labels), t.real(*dy));
                loss::softmax_cross_entropy_grad(isa, x, labels, dy, t.write(dx.buffer), dx.write, numbers);
            }
            Kernel::Margin { x, labels, y } => loss::margin(t.real(*x), t.index(*labels), t.write(*y)),
            Kernel::MarginGrad { x, labels, dy, dx } => {
                loss::margin_grad(t.real(*x), t.index(*labels), t.real(*dy), t.write(dx.buffer), dx.write);
            }
            Kernel::SquaredError { x, target, y } => loss::squared_error(t.real(*x), t.real(*target), t.write(*y)),
            Kernel::SquaredErrorGrad { x, target, dy, dx } => {
                let (x, target, dy) = (t.real(*x), t.real(*target), t.real(*dy));
                loss::squared_error_grad(x, target, dy, t.write(dx.buffer), dx.write);
            }
            Kernel::LogitPenalty { x, labels, centres, y } => {
                loss::logit_penalty(t.real(*x), t.index(*labels), centres, t.write(*y));
            }
            Kernel::LogitPenaltyGrad {
                x,
                labels,
                centres,
                dy,
                dx,
            } => {
                let (x, labels, dy) = (t.real(*x), t.index(*labels), t.real(*dy));
                loss::logit_penalty_grad(x, labels, centres, dy, t.write(dx.buffer), dx.write);
            }
            Kernel::SoftNearestNeighbor {
                x,
                labels,
                weights,
                temperature,
                y,
                counts,
                slopes,
            } if cfg!(feature = "soft-nearest-neighbor") => {
                let points = t.points((*x, *labels, *weights), *temperature);
                let results = (t.write(*y), t.write(*counts), t.write_wide(*slopes));
                soft_nearest_neighbor::losses(isa, points, first, results, pairs.all_mut());
            }
            Kernel::SoftNearestNeighborGrad {
                x,
                labels,
                weights,
                temperature,
                slopes,
                dy,
                dx,
            } if cfg!(feature = "soft-nearest-neighbor") => {
                let points = t.points((*x, *labels, *weights), *temperature);
                let given = (t.wide_table(*slopes), t.table(*dy));
                let target = (t.write(dx.buffer), dx.write);
                soft_nearest_neighbor::gradient(isa, points, first, given, target, pairs.all_mut());
            }
            Kernel::RowSum { x, weights, y, .. } => {
                rows::row_sum(t.real(*x), weights.map(|w| t.real(w)), sums.wide(*y));
            }
            Kernel::RowSumGrad {
                dy,
                weights,
                divisor,
                dx,
            } => {
                let (dy, active) = (t.real(*dy), t.active_rows(dx.buffer));
                let scale = |r: usize| {
                    let divisor = self.divisor(*divisor, r, active);
                    if divisor == 0.0 {
                        0.0
                    } else {
                        f64::from(dy.at(0, r)[0]) / divisor
                    }
                };
                let copies = self.program.copies(dx.buffer);
                rows::row_sum_grad(scale, weights.map(|w| t.real(w)), copies, t.write(dx.buffer), dx.write);
            }
            Kernel::SumSquares { x, y } => rows::sum_squares(t.real(*x).data, t.write(*y)),
            Kernel::SumSquaresGrad { x, dy, dx } => {
                rows::sum_squares_grad(t.real(*x).data, t.real(*dy).data, t.write(dx.buffer), dx.write);
            }
            Kernel::Gather { table, index, y } => match self.program.buffer(*y).element {
                Element::Index { .. } => rows::gather(t.index_table(*table), t.index(*index), t.write_index(*y)),
                _ => rows::gather(t.table(*table), t.index(*index), t.write(*y)),
            },
            Kernel::ClassMoments {
                x,
                labels,
                weights,
                moments,
            } => {
                let Extent::Whole { rows: classes } = self.program.buffer(*moments).extent else {
                    unreachable!("moments are a whole buffer")
                };
                let weights = weights.map(|w| t.real(w));
                probe::class_moments(isa, t.real(*x), t.index(*labels), weights, classes, sums.wide(*moments));
            }
            Kernel::ErrorCount {
                x,
                labels,
                weights,
                counts,
            } => {
                let weights = weights.map(|w| t.real(w));
                probe::error_count(t.real(*x), t.index(*labels), weights, sums.wide(*counts));
            }
            Kernel::ZeroRows { norms, count } => probe::zero_rows(t.real(*norms), sums.wide(*count)),
            Kernel::SoftNearestNeighbor { .. } | Kernel::SoftNearestNeighborGrad { .. } => {
                unreachable!("`Cpu::load` refuses it without the feature")
            }
            Kernel::Update { .. } => {
                unreachable!("an update has no rows, and `Machine::run_whole` cuts it into pieces")
            }
        }
    }
}

impl<'a> Tile<'a> {
    /// All active rows as points with a class each.
    fn points(&self, (x, labels, weights): (BufferId, BufferId, Option<BufferId>), temperature: f64) -> Points<'a> {
        let rows = self.active_rows(x);
        Points {
            x: self.table(x).first(rows),
            labels: self.index_table(labels).first(rows),
            weights: weights.map(|w| self.table(w).first(rows)),
            temperature,
        }
    }
}
