//! Sums over rows: what each lane adds up, and the tree that adds up the lanes.

use std::ops::Range;

use super::blocks::work_of_row;
use super::isa::Isa;
use super::machine::{MAX_LANES, Machine, Prepared};
use super::math::vectorize;
use super::slab::{Plain, Slab};
use super::sparse::Skipping;
use super::tile::{Place, Reduction};
use crate::backend::kernel::{Divisor, Kernel, Write};
use crate::backend::program::{Domain, Extent, Program, Segment};

/// Elements of a sum that one task adds up over the lanes.
const PIECE: usize = 2048;

/// Elements that are added up over the lanes before the next ones.
const BLOCK: usize = 32;

/// Numbers in a cache line.
const LINE: usize = 16;

impl Machine {
    /// Sums the lanes in a fixed tree and writes the result; long sums (gradients) in pieces, a task each.
    pub(super) fn combine(&self, segment: &Prepared, lanes: usize, rows: usize) {
        for (number, reduction) in segment.reductions.iter().enumerate() {
            if self.is_direct(segment, reduction.target.buffer) {
                continue;
            }
            debug_assert!((0..lanes).all(|l| self.fresh.all()[l * segment.reductions.len() + number] == 0));
            let length = reduction.length;
            let piece = |start: usize| start..(start + PIECE).min(length);
            if reduction.wide {
                for start in (0..length).step_by(PIECE) {
                    self.combine_wide(segment, reduction, lanes, rows, piece(start));
                }
            } else if let Some(skipping) = self.skipping(reduction) {
                self.combine_skipped(segment, reduction, lanes, skipping);
            } else {
                self.pool.run(length.div_ceil(PIECE), &|_, task| {
                    self.combine_real(segment, reduction, lanes, piece(task * PIECE));
                });
            }
        }
    }

    /// A piece of a gradient: the sum of all lanes goes to its buffer.
    fn combine_real(&self, segment: &Prepared, reduction: &Reduction, lanes: usize, piece: Range<usize>) {
        let Place::Real(slab) = &self.places[reduction.target.buffer.0] else {
            unreachable!("gradients are real")
        };
        // SAFETY: the lanes' tasks have ended; this task alone touches this piece of the sums and of the target.
        let (total, y) = unsafe {
            let start = reduction.offset + piece.start;
            let total = sum_lanes(self.isa, &self.real_sums, lanes, segment.real_sums, start, piece.len());
            (total, slab.part_mut(piece.start, piece.len()))
        };
        match reduction.target.write {
            Write::Set => y.copy_from_slice(total),
            Write::Add => y.iter_mut().zip(total).for_each(|(y, s)| *y += *s),
        }
    }

    /// The samples that a gradient's layer skips zeros of.
    pub(super) fn skipping(&self, reduction: &Reduction) -> Option<&Skipping> {
        self.skipping[reduction.samples?.0].as_ref()
    }

    /// The gradient of a layer that skips zeros: its sums are `[in, units]`, and after them sum_i dz_iu.
    fn combine_skipped(&self, segment: &Prepared, reduction: &Reduction, lanes: usize, skipping: &Skipping) {
        let (cols, stride) = (skipping.offsets().len(), segment.real_sums);
        let units = reduction.length / cols;
        let Place::Real(slab) = &self.places[reduction.target.buffer.0] else {
            unreachable!("gradients are real")
        };
        // SAFETY: the lanes' tasks have ended, and nobody else uses the totals.
        let totals = unsafe {
            sum_lanes(
                self.isa,
                &self.real_sums,
                lanes,
                stride,
                reduction.offset + reduction.length,
                units,
            )
        };
        // Whole cache lines of each row of the gradient to a task.
        let columns = (PIECE / units).next_multiple_of(LINE).max(LINE);
        self.pool.run(cols.div_ceil(columns), &|_, task| {
            let first = task * columns;
            let columns = columns.min(cols - first);
            let start = reduction.offset + first * units;
            // SAFETY: as above; this task alone uses these columns' sums.
            let sums = unsafe { sum_lanes(self.isa, &self.real_sums, lanes, stride, start, columns * units) };
            let (scales, offsets) = (&skipping.scales()[first..], &skipping.offsets()[first..]);
            for (u, &total) in totals.iter().enumerate() {
                // SAFETY: this task alone uses these columns of the gradient.
                let y = unsafe { slab.part_mut(u * cols + first, columns) };
                for (j, (y, (s, c))) in y.iter_mut().zip(scales.iter().zip(offsets)).enumerate() {
                    let value = (s * f64::from(sums[j * units + u]) + c * f64::from(total)) as f32;
                    match reduction.target.write {
                        Write::Set => *y = value,
                        Write::Add => *y += value,
                    }
                }
            }
        });
    }

    /// A piece of a loss or a probe: the sum of all lanes goes to its buffer, divided if it is a mean.
    fn combine_wide(&self, segment: &Prepared, reduction: &Reduction, lanes: usize, rows: usize, piece: Range<usize>) {
        let start = reduction.offset + piece.start;
        // SAFETY: as in `combine_real`.
        let total = unsafe { sum_lanes(self.isa, &self.wide_sums, lanes, segment.wide_sums, start, piece.len()) };
        match &self.places[reduction.target.buffer.0] {
            Place::Wide(slab) => {
                // SAFETY: as in `combine_real`.
                unsafe { slab.part_mut(piece.start, piece.len()) }.copy_from_slice(total);
            }
            Place::Real(slab) => {
                // SAFETY: as in `combine_real`.
                let y = unsafe { slab.part_mut(piece.start, piece.len()) };
                for ((r, y), sum) in piece.zip(y).zip(total) {
                    let divisor = self.divisor(reduction.divisor, r, rows);
                    *y = if divisor == 0.0 { 0.0 } else { (*sum / divisor) as f32 };
                }
            }
            _ => unreachable!("sums over rows are real or wide and persistent"),
        }
    }

    /// By what a sum over rows is divided in replica `r`.
    pub(super) fn divisor(&self, divisor: Divisor, r: usize, rows: usize) -> f64 {
        match divisor {
            Divisor::One => 1.0,
            Divisor::Rows => rows as f64,
            Divisor::Total(total) => {
                let Place::Real(slab) = &self.places[total.0] else {
                    unreachable!("sums of weights are real")
                };
                let copies = self.program.copies(total);
                f64::from(slab.all()[if copies == 1 { 0 } else { r }])
            }
        }
    }
}

/// `sums` is `[lanes, stride]`; adds the lanes' elements `start..start + length` in a fixed tree, writes the totals to lane
/// 0 and returns them.
///
/// # Safety
/// Nobody else touches these elements of any lane while the slice lives.
unsafe fn sum_lanes<T: Plain + Default + std::ops::Add<Output = T>>(
    isa: Isa,
    sums: &Slab<T>,
    lanes: usize,
    stride: usize,
    start: usize,
    length: usize,
) -> &[T] {
    if lanes > 1 {
        vectorize(
            isa,
            #[inline(always)]
            || {
                let (end, whole) = (start + length, length / BLOCK * BLOCK);
                let mut parts = [[T::default(); BLOCK]; MAX_LANES];
                for first in (start..start + whole).step_by(BLOCK) {
                    // SAFETY: the caller's promise.
                    unsafe { add_lanes(sums, lanes, stride, first, &mut parts) };
                }
                let mut parts = [[T::default(); 1]; MAX_LANES];
                for first in start + whole..end {
                    // SAFETY: the caller's promise.
                    unsafe { add_lanes(sums, lanes, stride, first, &mut parts) };
                }
            },
        );
    }
    // SAFETY: the caller's promise.
    unsafe { sums.part(start, length) }
}

/// ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)) + ... of the lanes' `N` elements from `first` on, into lane 0.
///
/// # Safety
/// Nobody else touches these elements meanwhile.
#[inline(always)]
unsafe fn add_lanes<T: Plain + std::ops::Add<Output = T>, const N: usize>(
    sums: &Slab<T>,
    lanes: usize,
    stride: usize,
    first: usize,
    parts: &mut [[T; N]; MAX_LANES],
) {
    for (lane, part) in parts[..lanes].iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        let from = unsafe { sums.part(lane * stride + first, N) };
        part.copy_from_slice(from);
    }
    let mut gap = 1;
    while gap < lanes {
        for lane in (0..lanes - gap).step_by(2 * gap) {
            // Of values, not of places, the compiler makes vectors.
            let (a, b) = (parts[lane], parts[lane + gap]);
            parts[lane] = std::array::from_fn(|n| a[n] + b[n]);
        }
        gap *= 2;
    }
    // SAFETY: the caller's promise.
    unsafe { sums.part_mut(first, N) }.copy_from_slice(&parts[0]);
}

/// Lists what a segment reduces over rows.
pub(super) fn prepare(program: &Program, may_skip: &[bool], in_blocks: &[bool], segment: &Segment) -> Prepared {
    let mut prepared = Prepared {
        domain: segment.domain,
        kernels: segment.kernels.clone(),
        work: segment
            .kernels
            .iter()
            .map(|kernel| work_of_row(program, kernel))
            .collect(),
        reductions: Vec::new(),
        real_sums: 0,
        wide_sums: 0,
    };
    if segment.domain == Domain::Whole {
        return prepared;
    }
    for kernel in &segment.kernels {
        for target in kernel.operands().writes {
            let whole = matches!(program.buffer(target.buffer).extent, Extent::Whole { .. });
            if !whole || prepared.reductions.iter().any(|r| r.target.buffer == target.buffer) {
                continue;
            }
            let length = program.len(target.buffer, &program.spaces);
            let wide = !matches!(kernel, Kernel::DenseWeightGrad { .. });
            let total = if wide {
                &mut prepared.wide_sums
            } else {
                &mut prepared.real_sums
            };
            let samples = match kernel {
                Kernel::DenseWeightGrad { dweight, x, .. } if may_skip[x.0] && *dweight == Some(target) => {
                    // Two layers that share a weight add to the same sums, which therefore keep the weight's own order.
                    let writers = segment.kernels.iter().flat_map(|k| k.operands().writes);
                    (writers.filter(|w| w.buffer == target.buffer).count() == 1).then_some(*x)
                }
                _ => None,
            };
            let divisor = match kernel {
                Kernel::RowSum { divisor, .. } => *divisor,
                _ => Divisor::One,
            };
            // A parameter may be one layer's weight and another's bias, which is summed in lanes.
            let of_products = matches!(segment.domain, Domain::Rows(space) if in_blocks[space.0])
                && segment.kernels.iter().all(|kernel| match kernel {
                    Kernel::DenseWeightGrad { dbias, .. } => dbias.is_none_or(|bias| bias.buffer != target.buffer),
                    other => other
                        .operands()
                        .writes
                        .iter()
                        .all(|write| write.buffer != target.buffer),
                });
            prepared.reductions.push(Reduction {
                target,
                offset: *total,
                length,
                wide,
                of_products,
                divisor,
                samples,
            });
            if of_products && samples.is_none() {
                continue;
            }
            // Without its zeros a layer's gradient has a total per unit beside it.
            *total += length + samples.map_or(0, |x| length / program.buffer(x).cols);
        }
    }
    prepared
}
