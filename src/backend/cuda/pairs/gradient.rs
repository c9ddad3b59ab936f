//! Gradients of sums over pairs and of their logarithms: the launches of `kernels/pair_gradient.cu`.

use super::super::Cuda;
use super::super::driver::Memory;
use super::super::launch::{Launch, THREADS};
use super::points::{Frame, Number, Order, TILE, list, stride, upload};
use super::sums::{is_wide, number};
use super::{failed, run};
use crate::backend::pairwise::{Form, PairFunction, PairwiseError, Points, Target, through_unit_rows};

/// Blocks that occupy a device, and parts at most that columns are cut into for their sake.
const BLOCKS: usize = 512;
const MOST_PARTS: usize = 8;

/// Coordinates of a block: those of `kernels/pair_gradient.cu`.
const COORDINATES: usize = 32;

/// Which terms of a pair a kernel adds: that of the row's own sum, that of the column's.
const OWN: u32 = 1;
const PARTNER: u32 = 2;

/// Weights from here on are divided by the largest, so that they and what they multiply stay in the range of f32: times a coordinate's
/// difference, or the inverse of the smallest distance.
const LARGE: f64 = 1e15;

/// w of a row of the first set and a class of the second.
type Weight<'a> = &'a dyn Fn(usize, usize) -> f64;

/// What is differentiated: the kernel and the parameters of its own.
#[derive(Clone, Copy)]
enum Of<'a> {
    /// Logarithms of sums of e^(-d^2 / temperature), `[N, C']`.
    Logs {
        temperature: f64,
        logs: &'a [f64],
    },
    Sums(PairFunction),
}

impl Of<'_> {
    /// By what the kernel's numbers are multiplied: it leaves out what all pairs share.
    fn factor(self) -> f64 {
        match self {
            Of::Logs { .. } => 1.0,
            Of::Sums(function) => match function {
                PairFunction::SquaredEuclidean | PairFunction::Cosine => 2.0 * function.factor(),
                PairFunction::Gaussian { temperature } => -2.0 / temperature,
                _ => 1.0,
            },
        }
    }
}

/// The same with logarithms on the device, and what else both sides are asked: `struct Asked` of the kernels. Logarithms and weights have a
/// number for each class and position of the first set.
struct Asked {
    of: Terms,
    weights: Memory,
    positions: usize,
    stride: u32,
    dim: usize,
}

enum Terms {
    Logs { temperature: f64, logs: Memory },
    Sums(PairFunction),
}

/// A set on the device.
struct Side {
    order: Order,
    classes: Memory,
    points: Memory,
}

impl Cuda {
    /// The gradient of sum_ic weights_ic L_ic of one replica, from L; both `[N, C']`.
    pub(super) fn log_slopes(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        (temperature, form): (f64, Form),
        (logs, weights): (&[f64], &[f64]),
        to: Target,
    ) -> Result<(), PairwiseError> {
        let classes = others.unwrap_or(points).classes();
        let weight = |i: usize, c: usize| weights[i * classes + c];
        let of = Of::Logs { temperature, logs };
        if is_wide(PairFunction::Gaussian { temperature }, form) {
            self.slopes_of::<f64>(points, others, replica, &Frame::exact(false), of, &weight, to)
        } else {
            let frame = Frame::rounded(points, others, replica, false, form)?;
            self.slopes_of::<f32>(points, others, replica, &frame, of, &weight, to)
        }
    }

    /// The gradient of the sum of weight(i, class of j) f(d_ij) over the pairs of one replica.
    pub(super) fn slopes(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        (function, form): (PairFunction, Form),
        weight: Weight,
        to: Target,
    ) -> Result<(), PairwiseError> {
        let of = Of::Sums(function);
        let unit = function == PairFunction::Cosine;
        // The sign of a difference does not survive that its points are rounded.
        let signs = function == PairFunction::L1 && !(points.is_f32() && others.is_none_or(Points::is_f32));
        let run = |to: Target| {
            if signs || is_wide(function, form) {
                return self.slopes_of::<f64>(points, others, replica, &Frame::exact(unit), of, weight, to);
            }
            let frame = Frame::rounded(points, others, replica, unit, form)?;
            let rows = (0..points.rows()).flat_map(|i| (0..others.unwrap_or(points).classes()).map(move |c| (i, c)));
            let top = rows.map(|(i, c)| weight(i, c).abs()).fold(0.0, f64::max);
            if top <= LARGE {
                return self.slopes_of::<f32>(points, others, replica, &frame, of, weight, to);
            }
            let Target {
                points: first,
                others: second,
            } = to;
            let target = Target {
                points: &mut *first,
                others: &mut *second,
            };
            self.slopes_of::<f32>(points, others, replica, &frame, of, &|i, c| weight(i, c) / top, target)?;
            first.iter_mut().chain(second).for_each(|slope| *slope *= top);
            Ok(())
        };
        if unit {
            through_unit_rows(points, others, replica, to, run)
        } else {
            run(to)
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "two sets, how they are rounded, what is differentiated, its weights, and a target"
    )]
    fn slopes_of<T: Number>(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        frame: &Frame,
        of: Of,
        weight: Weight,
        to: Target,
    ) -> Result<(), PairwiseError> {
        let first = self.side::<T>(points, replica, frame)?;
        let second = others
            .map(|others| self.side::<T>(others, replica, frame))
            .transpose()?;
        let classes = others.unwrap_or(points).classes();
        let positions = first.order.positions();
        let by_class = |value: Weight| {
            let mut all = vec![0.0; classes * positions];
            for (position, row) in first.order.rows.iter().enumerate() {
                let Some(row) = row else { continue };
                (0..classes).for_each(|c| all[c * positions + position] = value(*row, c));
            }
            list(&self.context, "weights of pairs", &all)
        };
        let asked = Asked {
            of: match of {
                Of::Logs { temperature, logs } => Terms::Logs {
                    temperature,
                    logs: by_class(&|i, c| logs[i * classes + c])?,
                },
                Of::Sums(function) => Terms::Sums(function),
            },
            weights: by_class(weight)?,
            positions,
            stride: stride::<T>(points, frame)?,
            dim: frame.dim(points),
        };
        match &second {
            None => self.slopes_of_side::<T>(&first, &first, &asked, OWN | PARTNER, to.points)?,
            Some(second) => {
                self.slopes_of_side::<T>(&first, second, &asked, OWN, to.points)?;
                self.slopes_of_side::<T>(second, &first, &asked, PARTNER, to.others)?;
            }
        }
        let factor = of.factor();
        to.points.iter_mut().chain(to.others).for_each(|slope| *slope *= factor);
        Ok(())
    }

    fn side<T: Number>(&self, points: &Points, replica: usize, frame: &Frame) -> Result<Side, PairwiseError> {
        let order = Order::by_class(points, replica);
        let tiles = order.sizes.iter().enumerate();
        let classes: Vec<u32> = tiles
            .flat_map(|(class, &size)| vec![class as u32; (size as usize).div_ceil(TILE)])
            .collect();
        Ok(Side {
            classes: list(&self.context, "classes of tiles", &classes)?,
            points: upload::<T>(&self.context, points, replica, &order, frame)?,
            order,
        })
    }

    /// Writes what `rows` get, `[N, dim]`.
    fn slopes_of_side<T: Number>(
        &self,
        rows: &Side,
        columns: &Side,
        asked: &Asked,
        terms: u32,
        to: &mut [f64],
    ) -> Result<(), PairwiseError> {
        let (stride, dim) = (asked.stride, asked.dim);
        let own = rows.order.positions();
        // A block of f64 has half a tile of rows.
        let row_tiles = own / TILE * (size_of::<T>() / 4);
        let slabs = (stride as usize).div_ceil(COORDINATES);
        let tiles = columns.order.tiles();
        let part_tiles = tiles.div_ceil((BLOCKS / (row_tiles * slabs)).clamp(1, MOST_PARTS));
        let parts = tiles.div_ceil(part_tiles);
        let count = own * stride as usize;
        let valid = list(&self.context, "rows of tiles", &columns.order.valid)?;
        let slopes = Memory::new(&self.context, "gradients of pairs", 8 * parts * count).map_err(failed)?;
        let name = match asked.of {
            Terms::Logs { .. } => "log",
            Terms::Sums(PairFunction::Euclidean | PairFunction::Gaussian { .. }) => "sum",
            Terms::Sums(_) => "difference",
        };
        let kernel = self
            .kernels
            .get(&format!("pair_{name}_gradient_{}", T::NAME))
            .map_err(failed)?;
        let launch = Launch::on_grid(kernel, (row_tiles * slabs * parts) as u64, THREADS)
            .map_err(failed)?
            .pointer(rows.points.address())
            .pointer(columns.points.address())
            .int(stride)
            .pointer(rows.classes.address())
            .pointer(valid.address())
            .pointer(columns.classes.address())
            .int(tiles as u32)
            .int(part_tiles as u32)
            .int(slabs as u32);
        let launch = match &asked.of {
            Terms::Logs { temperature, logs } => launch.double(*temperature).pointer(logs.address()),
            Terms::Sums(function @ (PairFunction::Euclidean | PairFunction::Gaussian { .. })) => {
                let (number, parameter) = number(*function);
                launch.int(number).double(parameter)
            }
            Terms::Sums(function) => launch.flag(*function == PairFunction::L1),
        };
        let launch = launch
            .pointer(asked.weights.address())
            .long(asked.positions)
            .int(terms)
            .pointer(slopes.address())
            .long(own);
        // SAFETY: both sets are whole tiles of that stride, with a class each; logarithms and weights have a number for each class and position
        // of the set that `terms` says; a number for each part, position and coordinate is written.
        unsafe { run(&self.context, launch) }?;
        if parts > 1 {
            let kernel = self.kernels.get("pair_gradient_total").map_err(failed)?;
            let launch = Launch::over(kernel, count as u64)
                .map_err(failed)?
                .pointer(slopes.address())
                .int(parts as u32)
                .long(count);
            // SAFETY: `count` numbers for each part.
            unsafe { run(&self.context, launch) }?;
        }
        let found: Vec<f64> = slopes.read(count).map_err(failed)?;
        for (from, row) in found.chunks_exact(stride as usize).zip(&rows.order.rows) {
            let Some(row) = row else { continue };
            to[row * dim..(row + 1) * dim].copy_from_slice(&from[..dim]);
        }
        Ok(())
    }
}
