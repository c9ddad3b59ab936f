//! Gradients of log sums: the launches of `kernels/pair_gradient.cu`.

use super::super::Cuda;
use super::super::driver::Memory;
use super::super::launch::{Launch, THREADS};
use super::points::{Frame, Number, Order, TILE, list, stride, upload};
use super::sums::is_wide;
use super::{failed, run};
use crate::backend::pairwise::{Form, PairFunction, PairwiseError, Points, Target};

/// Blocks that occupy a device, and parts at most that columns are cut into for their sake.
const BLOCKS: usize = 512;
const MOST_PARTS: usize = 8;

/// Coordinates of a block: those of `kernels/pair_gradient.cu`.
const COORDINATES: usize = 32;

/// Which terms of a pair a kernel adds: that of the row's own sum, that of the column's.
const OWN: u32 = 1;
const PARTNER: u32 = 2;

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
        let wide = is_wide(PairFunction::Gaussian { temperature }, form);
        let sums = (temperature, logs, weights);
        if wide {
            self.log_slopes_of::<f64>(points, others, replica, &Frame::exact(false), sums, to)
        } else {
            let frame = Frame::rounded(points, others, replica, false, form)?;
            self.log_slopes_of::<f32>(points, others, replica, &frame, sums, to)
        }
    }

    fn log_slopes_of<T: Number>(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        frame: &Frame,
        (temperature, logs, weights): (f64, &[f64], &[f64]),
        to: Target,
    ) -> Result<(), PairwiseError> {
        let first = self.side::<T>(points, replica, frame)?;
        let second = others
            .map(|others| self.side::<T>(others, replica, frame))
            .transpose()?;
        let classes = others.unwrap_or(points).classes();
        let by_class = |values: &[f64]| {
            let positions = first.order.positions();
            let mut all = vec![0.0; classes * positions];
            for (position, row) in first.order.rows.iter().enumerate() {
                let Some(row) = row else { continue };
                (0..classes).for_each(|c| all[c * positions + position] = values[row * classes + c]);
            }
            list(&self.context, "sums of pairs", &all)
        };
        let sums = (
            temperature,
            &by_class(logs)?,
            &by_class(weights)?,
            first.order.positions(),
        );
        let stride = stride::<T>(points.dim(), frame)?;
        match &second {
            None => self.slopes_of_side::<T>(&first, &first, stride, sums, OWN | PARTNER, points.dim(), to.points),
            Some(second) => {
                self.slopes_of_side::<T>(&first, second, stride, sums, OWN, points.dim(), to.points)?;
                self.slopes_of_side::<T>(second, &first, stride, sums, PARTNER, points.dim(), to.others)
            }
        }
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

    #[allow(clippy::too_many_arguments)]
    fn slopes_of_side<T: Number>(
        &self,
        rows: &Side,
        columns: &Side,
        stride: u32,
        (temperature, logs, weights, positions): (f64, &Memory, &Memory, usize),
        terms: u32,
        dim: usize,
        to: &mut [f64],
    ) -> Result<(), PairwiseError> {
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
        let kernel = self
            .kernels
            .get(&format!("pair_log_gradient_{}", T::NAME))
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
            .int(slabs as u32)
            .double(temperature)
            .pointer(logs.address())
            .pointer(weights.address())
            .long(positions)
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
