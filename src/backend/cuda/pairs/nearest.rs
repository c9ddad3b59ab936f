//! Reduction C: the launches of `kernels/nearest.cu`.

use super::super::Cuda;
use super::super::driver::Memory;
use super::super::launch::{Launch, THREADS};
use super::points::{Frame, Order, stride, upload};
use super::sums::number;
use super::{failed, run};
use crate::backend::pairwise::{Metric, Nearest, PairwiseError, Points};

/// Rows of a block: `ROWS` of `kernels/nearest.cu`.
const ROWS: usize = 32;

/// Blocks that occupy a device, and parts at most that columns are cut into for their sake. What is found does not depend on them.
const BLOCKS: usize = 512;
const MOST_PARTS: usize = 16;

impl Cuda {
    /// One replica's neighbours are appended.
    pub(super) fn nearest_of_replica(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        metric: Metric,
        nearest: &mut Nearest,
    ) -> Result<(), PairwiseError> {
        let (context, k) = (&self.context, nearest.k);
        let frame = Frame::exact(metric == Metric::Cosine);
        let set = others.unwrap_or(points);
        let rows = upload::<f64>(context, points, replica, &Order::as_given(points), &frame)?;
        let order = Order::as_given(set);
        let columns = others
            .map(|others| upload::<f64>(context, others, replica, &order, &frame))
            .transpose()?;
        let row_tiles = points.rows().div_ceil(ROWS);
        let wanted = (BLOCKS / row_tiles).clamp(1, MOST_PARTS);
        let part_tiles = order.tiles().div_ceil(wanted);
        let parts = order.tiles().div_ceil(part_tiles);
        let numbers = points.rows() * parts * k;
        let memory = |name, bytes| Memory::new(context, name, bytes).map_err(failed);
        let mut distances = memory("distances of neighbours", 8 * numbers)?;
        let mut indices = memory("neighbours", 4 * numbers)?;
        let kernel = self.kernels.get("nearest_of_part").map_err(failed)?;
        let launch = Launch::on_grid(kernel, (row_tiles * parts) as u64, THREADS)
            .map_err(failed)?
            .pointer(rows.address())
            .pointer(columns.as_ref().unwrap_or(&rows).address())
            .int(stride::<f64>(points, &frame)?)
            .long(points.rows())
            .long(set.rows())
            .int(part_tiles as u32)
            .int(parts as u32)
            .int(k as u32)
            .int(number(metric.function()).0)
            .flag(others.is_none())
            .pointer(distances.address())
            .pointer(indices.address());
        // SAFETY: the points are whole tiles of that stride; k numbers for each row and part.
        unsafe { run(context, launch) }?;
        if parts > 1 {
            let total = memory("distances of neighbours", 8 * points.rows() * k)?;
            let numbers_of_total = memory("neighbours", 4 * points.rows() * k)?;
            let kernel = self.kernels.get("nearest_of_parts").map_err(failed)?;
            let launch = Launch::over(kernel, 32 * points.rows() as u64)
                .map_err(failed)?
                .pointer(distances.address())
                .pointer(indices.address())
                .int(parts as u32)
                .int(k as u32)
                .long(points.rows())
                .pointer(total.address())
                .pointer(numbers_of_total.address());
            // SAFETY: k numbers for each row and part are read, k for each row written.
            unsafe { run(context, launch) }?;
            (distances, indices) = (total, numbers_of_total);
        }
        let indices: Vec<u32> = indices.read(points.rows() * k).map_err(failed)?;
        nearest
            .distances
            .extend(distances.read::<f64>(points.rows() * k).map_err(failed)?);
        for &index in &indices {
            nearest.labels.push(set.label(replica, index as usize) as u32);
        }
        nearest.indices.extend(indices);
        Ok(())
    }
}
