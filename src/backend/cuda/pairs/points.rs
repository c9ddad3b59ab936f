//! Points as the kernels read them: whole tiles of 64 positions, a row's coordinates and then zeros up to a multiple of 32 bytes.

use std::sync::Arc;

use super::super::driver::{Context, Memory, Plain};
use super::failed;
use crate::backend::pairwise::{Form, PairwiseError, Points, normalize};

/// Positions of a tile: `TILE` of `kernels/pairs.cuh`.
pub(super) const TILE: usize = 64;

/// Which row is where. Classes lie one after the other, each in whole tiles of its own, its rows in their order.
pub(super) struct Order {
    /// The row of each position; none where a tile is not full.
    pub(super) rows: Vec<Option<usize>>,
    /// Rows of each tile.
    pub(super) valid: Vec<u32>,
    /// The first position and the number of rows of each class.
    pub(super) starts: Vec<u32>,
    pub(super) sizes: Vec<u32>,
}

impl Order {
    /// Class after class.
    pub(super) fn by_class(points: &Points, replica: usize) -> Order {
        let mut classes = vec![Vec::new(); points.classes()];
        (0..points.rows()).for_each(|row| classes[points.label(replica, row)].push(row));
        Order::of(&classes)
    }

    /// As the rows come.
    pub(super) fn as_given(points: &Points) -> Order {
        Order::of(&[(0..points.rows()).collect()])
    }

    fn of(classes: &[Vec<usize>]) -> Order {
        let mut order = Order {
            rows: vec![],
            valid: vec![],
            starts: vec![],
            sizes: vec![],
        };
        for class in classes {
            // Numbers of rows and of tiles are u32: `Points` refuses more rows than half of that.
            order.starts.push(order.rows.len() as u32);
            order.sizes.push(class.len() as u32);
            for tile in class.chunks(TILE) {
                order.valid.push(tile.len() as u32);
                order.rows.extend(tile.iter().copied().map(Some));
                order.rows.resize(order.rows.len().next_multiple_of(TILE), None);
            }
        }
        order
    }

    pub(super) fn positions(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn tiles(&self) -> usize {
        self.valid.len()
    }
}

/// What becomes of a row before it is rounded.
pub(super) struct Frame {
    /// Divided by its norm, as [`normalize`] does.
    unit: bool,
    origin: Option<Vec<f64>>,
}

impl Frame {
    /// Rows as they are, or of norm 1.
    pub(super) fn exact(unit: bool) -> Frame {
        Frame { unit, origin: None }
    }

    /// Coordinates of a row: one more for zero rows where rows are divided by their norms.
    pub(super) fn dim(&self, points: &Points) -> usize {
        points.dim() + usize::from(self.unit)
    }

    /// For rows that are rounded to f32. Those that are f32 already stay as they are: the difference of close ones is exact. From others the first
    /// row is subtracted, or in the centred form the mean, so that what a far away origin costs is not lost.
    pub(super) fn rounded(
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        unit: bool,
        form: Form,
    ) -> Result<Frame, PairwiseError> {
        let mut row = vec![0.0; points.dim()];
        if unit || points.is_f32() && others.is_none_or(Points::is_f32) {
            return Ok(Frame::exact(unit));
        }
        if form != Form::Centered {
            points.row(replica, 0, &mut row)?;
            return Ok(Frame {
                unit,
                origin: Some(row),
            });
        }
        let (mut mean, mut count) = (vec![0.0; points.dim()], 0);
        for set in [Some(points), others].into_iter().flatten() {
            for i in 0..set.rows() {
                set.row(replica, i, &mut row)?;
                mean.iter_mut().zip(&row).for_each(|(mean, x)| *mean += x);
            }
            count += set.rows();
        }
        mean.iter_mut().for_each(|m| *m /= count as f64);
        Ok(Frame {
            unit,
            origin: Some(mean),
        })
    }
}

/// A number of the kernels: f32 or f64.
pub(super) trait Number: Plain {
    /// The end of the kernels' names.
    const NAME: &'static str;
    fn rounded(value: f64) -> Self;
}

impl Number for f32 {
    const NAME: &'static str = "f32";
    fn rounded(value: f64) -> f32 {
        value as f32
    }
}

impl Number for f64 {
    const NAME: &'static str = "f64";
    fn rounded(value: f64) -> f64 {
        value
    }
}

/// Numbers from a position to the next.
pub(super) fn stride<T: Number>(points: &Points, frame: &Frame) -> Result<u32, PairwiseError> {
    let numbers = frame.dim(points).next_multiple_of(32 / size_of::<T>());
    let shape = (1, TILE, points.dim());
    u32::try_from(numbers).map_err(|_| PairwiseError::TooLarge { shape })
}

/// Copies points to the device.
pub(super) fn upload<T: Number>(
    context: &Arc<Context>,
    points: &Points,
    replica: usize,
    order: &Order,
    frame: &Frame,
) -> Result<Memory, PairwiseError> {
    let dim = points.dim();
    let stride = stride::<T>(points, frame)? as usize;
    let length = order.positions() * stride;
    let mut numbers = Vec::new();
    numbers
        .try_reserve_exact(length)
        .map_err(|_| PairwiseError::OutOfMemory {
            what: "points for the device",
            bytes: length * size_of::<T>(),
        })?;
    numbers.resize(length, T::default());
    let mut row = vec![0.0; frame.dim(points)];
    for (to, &from) in numbers.chunks_exact_mut(stride).zip(&order.rows) {
        let Some(from) = from else { continue };
        points.row(replica, from, &mut row[..dim])?;
        if frame.unit {
            normalize(&mut row, dim);
        }
        match &frame.origin {
            Some(origin) => {
                let shifted = row.iter().zip(origin).map(|(x, o)| T::rounded(x - o));
                to.iter_mut().zip(shifted).for_each(|(to, x)| *to = x);
            }
            None => to.iter_mut().zip(&row).for_each(|(to, x)| *to = T::rounded(*x)),
        }
    }
    list(context, "points of pairs", &numbers)
}

/// Copies a list to the device.
pub(super) fn list<T: Plain>(context: &Arc<Context>, name: &str, values: &[T]) -> Result<Memory, PairwiseError> {
    let memory = Memory::new(context, name, size_of_val(values)).map_err(failed)?;
    memory.write(values).map_err(failed)?;
    Ok(memory)
}
