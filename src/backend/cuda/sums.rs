//! Sums over rows, in two stages: each part of a replica's rows is a block's, whose sums wait in the workspace for their total.

use super::error::CudaError;
use super::launch::{Launch, THREADS};
use super::lower::{Lowered, Lowering, View};
use crate::backend::kernel::Divisor;
use crate::backend::program::BufferId;

/// Rows of a part of a sum over rows, and parts at most.
const PART_ROWS: usize = 1024;
const MOST_PARTS: usize = 64;

/// Of class moments: rows of a part, and numbers that the parts of one replica may have together.
const MOMENT_PART_ROWS: usize = 128;
const MOST_MOMENT_SUMS: usize = 1 << 20;

/// Parts of a sum over so many rows, by that number alone.
fn parts(rows: usize, each: usize) -> usize {
    rows.div_ceil(each).clamp(1, MOST_PARTS)
}

impl Lowering<'_> {
    /// A divisor of `rows` rows: the number, and the buffer that has it instead with whether the replicas share it.
    pub(super) fn divisor(&self, divisor: Divisor, rows: usize) -> (f64, u64, bool) {
        match divisor {
            Divisor::One => (1.0, 0, false),
            Divisor::Rows => (rows as f64, 0, false),
            Divisor::Total(total) => {
                let total = self.view(total);
                (1.0, total.address, !total.own)
            }
        }
    }

    /// A block for each part of each replica's rows, whose sums of `bytes` go into the workspace.
    fn by_parts(&mut self, kernel: &str, copies: usize, parts: usize, bytes: usize) -> Result<Launch, CudaError> {
        self.reserve(copies * parts * bytes);
        Launch::on_grid(self.kernel(kernel)?, (copies * parts) as u64, THREADS)
    }

    fn sum_of_parts(&mut self, parts: usize, (number, total, shared): (f64, u64, bool), y: View) -> Lowered {
        let launch = self
            .over("sum_of_parts", y.copies)?
            .pointer(self.workspace)
            .int(parts as u32)
            .double(number)
            .pointer(total)
            .flag(shared)
            .pointer(y.address)
            .long(y.copies);
        self.push(launch);
        Ok(())
    }

    pub(super) fn row_sum(&mut self, x: BufferId, weights: Option<BufferId>, divisor: Divisor, y: BufferId) -> Lowered {
        let (x, y, weights) = (self.view(x), self.view(y), weights.map(|id| self.view(id)));
        let parts = parts(x.rows, PART_ROWS);
        let launch = self
            .by_parts("row_sum_parts", y.copies, parts, 8)?
            .pointer(x.address)
            .long(x.stride())
            .pointer(weights.map(|w| w.address))
            .long(weights.map_or(0, View::stride))
            .long(x.rows)
            .int(parts as u32)
            .pointer(self.workspace);
        self.push(launch);
        self.sum_of_parts(parts, self.divisor(divisor, x.rows), y)
    }

    pub(super) fn sum_squares(&mut self, x: BufferId, y: BufferId) -> Lowered {
        let (x, y) = (self.view(x), self.view(y));
        let each = x.rows * x.cols;
        let parts = parts(each, PART_ROWS);
        let launch = self
            .by_parts("sum_squares_parts", y.copies, parts, 8)?
            .pointer(x.address)
            .long(each)
            .int(parts as u32)
            .pointer(self.workspace);
        self.push(launch);
        self.sum_of_parts(parts, (1.0, 0, false), y)
    }

    pub(super) fn class_moments(
        &mut self,
        x: BufferId,
        labels: BufferId,
        weights: Option<BufferId>,
        moments: BufferId,
    ) -> Lowered {
        let [x, labels, moments] = [x, labels, moments].map(|id| self.view(id));
        let weights = weights.map(|id| self.view(id));
        let (cols, classes) = (x.cols, moments.rows);
        let sums = classes * (1 + 2 * cols);
        let parts = parts(x.rows, MOMENT_PART_ROWS).min((MOST_MOMENT_SUMS / sums).max(1));
        let threads = (cols.next_multiple_of(32) as u32).min(THREADS);
        let column_blocks = cols.div_ceil(threads as usize);
        self.reserve(8 * moments.copies * parts * sums);
        let blocks = (moments.copies * parts * column_blocks) as u64;
        let launch = Launch::on_grid(self.kernel("class_moments_parts")?, blocks, threads)?
            .pointer(x.address)
            .long(x.stride())
            .int(cols as u32)
            .pointer(labels.address)
            .long(labels.stride())
            .pointer(weights.map(|w| w.address))
            .long(weights.map_or(0, View::stride))
            .long(x.rows)
            .int(classes as u32)
            .int(parts as u32)
            .int(column_blocks as u32)
            .pointer(self.workspace);
        self.push(launch);
        let blocks = (moments.copies * classes) as u64;
        let launch = Launch::on_grid(self.kernel("class_moments_of_parts")?, blocks, THREADS)?
            .pointer(self.workspace)
            .int(cols as u32)
            .int(classes as u32)
            .int(parts as u32)
            .pointer(moments.address);
        self.push(launch);
        Ok(())
    }

    /// The second stage of counts.
    fn counts_of_parts(&mut self, parts: usize, to: View) -> Lowered {
        let launch = self
            .over("counts_of_parts", to.elements())?
            .pointer(self.workspace)
            .int(parts as u32)
            .int(to.cols as u32)
            .pointer(to.address)
            .long(to.elements());
        self.push(launch);
        Ok(())
    }

    pub(super) fn error_count(
        &mut self,
        x: BufferId,
        labels: BufferId,
        weights: Option<BufferId>,
        counts: BufferId,
    ) -> Lowered {
        let [x, labels, counts] = [x, labels, counts].map(|id| self.view(id));
        let weights = weights.map(|id| self.view(id));
        let parts = parts(x.rows, PART_ROWS);
        let launch = self
            .by_parts("error_count_parts", counts.copies, parts, 16)?
            .pointer(x.address)
            .long(x.stride())
            .int(x.cols as u32)
            .pointer(labels.address)
            .long(labels.stride())
            .pointer(weights.map(|w| w.address))
            .long(weights.map_or(0, View::stride))
            .long(x.rows)
            .int(parts as u32)
            .pointer(self.workspace);
        self.push(launch);
        self.counts_of_parts(parts, counts)
    }

    pub(super) fn zero_rows(&mut self, norms: BufferId, count: BufferId) -> Lowered {
        let (norms, count) = (self.view(norms), self.view(count));
        let parts = parts(norms.rows, PART_ROWS);
        let launch = self
            .by_parts("zero_rows_parts", count.copies, parts, 8)?
            .pointer(norms.address)
            .long(norms.rows)
            .int(parts as u32)
            .pointer(self.workspace);
        self.push(launch);
        self.counts_of_parts(parts, count)
    }
}
