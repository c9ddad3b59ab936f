//! Reduction A with a histogram of distance: the launches of `kernels/histograms.cu`.

use super::super::Cuda;
use super::super::driver::Memory;
use super::super::launch::{Launch, THREADS};
use super::points::{Frame, Number, Order, TILE, list, stride, upload};
use super::sums::Relation;
use super::{failed, run};
use crate::backend::pairwise::{Bins, Form, PairwiseError, Points, add_other_order};

/// Bins of a block: `WINDOW` of the kernels.
const WINDOW: usize = 4096;

/// Blocks that occupy a device, and bytes of their counts at most.
const BLOCKS: usize = 2048;
const MOST_BYTES: usize = 256 << 20;

/// A set on the device, class c in tiles firsts[c]..firsts[c + 1].
struct Side {
    order: Order,
    points: Memory,
    firsts: Memory,
    valid: Memory,
}

impl Cuda {
    /// The histograms of one replica, `[C, C', bins + 1]`.
    pub(super) fn histograms(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        bins: Bins,
        form: Form,
    ) -> Result<Vec<u64>, PairwiseError> {
        if form == Form::F64 {
            self.histograms_of::<f64>(points, others, replica, bins, &Frame::exact(false))
        } else {
            let frame = Frame::rounded(points, others, replica, false, form)?;
            self.histograms_of::<f32>(points, others, replica, bins, &frame)
        }
    }

    fn histograms_of<T: Number>(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        bins: Bins,
        frame: &Frame,
    ) -> Result<Vec<u64>, PairwiseError> {
        let first = self.counted_side::<T>(points, replica, frame)?;
        let second = others
            .map(|others| self.counted_side::<T>(others, replica, frame))
            .transpose()?;
        let columns = second.as_ref().unwrap_or(&first);
        let relation = match others {
            Some(_) => Relation::TwoSets,
            None => Relation::Once,
        };
        let (classes, slots) = (columns.order.sizes.len(), bins.count + 1);
        let count = points.classes() * classes * slots;
        let windows = slots.div_ceil(WINDOW);
        let most = largest_class(&first.order) * largest_class(&columns.order);
        let splits = (BLOCKS / (points.classes() * classes * windows))
            .min(MOST_BYTES / (8 * count))
            .clamp(1, most);
        let counts = Memory::new(&self.context, "histograms of parts", 8 * splits * count).map_err(failed)?;
        let kernel = self
            .kernels
            .get(&format!("pair_histogram_{}", T::NAME))
            .map_err(failed)?;
        let launch = Launch::on_grid(kernel, (points.classes() * classes * windows * splits) as u64, THREADS)
            .map_err(failed)?
            .pointer(first.points.address())
            .pointer(columns.points.address())
            .int(stride::<T>(points, frame)?)
            .pointer(first.firsts.address())
            .pointer(first.valid.address())
            .pointer(columns.firsts.address())
            .pointer(columns.valid.address())
            .int(classes as u32)
            .int(splits as u32)
            .int(windows as u32)
            .double(bins.width)
            .int(slots as u32)
            .int(relation as u32)
            .pointer(counts.address());
        // SAFETY: both sets are whole tiles of that stride, classes lie within them; a number for each pair of classes, split and slot.
        unsafe { run(&self.context, launch) }?;
        let totals = Memory::new(&self.context, "histograms", 8 * count).map_err(failed)?;
        let kernel = self.kernels.get("pair_histogram_totals").map_err(failed)?;
        let launch = Launch::over(kernel, count as u64)
            .map_err(failed)?
            .pointer(counts.address())
            .int(slots as u32)
            .int(splits as u32)
            .pointer(totals.address())
            .long(count);
        // SAFETY: the numbers of the first stage, and one for each pair of classes and slot.
        unsafe { run(&self.context, launch) }?;
        let mut totals: Vec<u64> = totals.read(count).map_err(failed)?;
        if relation == Relation::Once {
            add_other_order(&mut totals, classes, slots);
        }
        Ok(totals)
    }

    fn counted_side<T: Number>(&self, points: &Points, replica: usize, frame: &Frame) -> Result<Side, PairwiseError> {
        let order = Order::by_class(points, replica);
        let mut firsts = vec![0];
        for &size in &order.sizes {
            firsts.push(firsts[firsts.len() - 1] + size.div_ceil(TILE as u32));
        }
        Ok(Side {
            points: upload::<T>(&self.context, points, replica, &order, frame)?,
            firsts: list(&self.context, "tiles of classes", &firsts)?,
            valid: list(&self.context, "rows of tiles", &order.valid)?,
            order,
        })
    }
}

/// Tiles of the largest class; one at least.
fn largest_class(order: &Order) -> usize {
    let size = order.sizes.iter().copied().max().unwrap_or(0);
    (size as usize).div_ceil(TILE).max(1)
}
