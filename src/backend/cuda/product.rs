//! The dense layer's three products as launches: which matrices, which tile, how many lanes. The kernels' side, with the order of
//! sums, is `kernels/product.cuh`.
//!
//! | product | C | A | B | summed over |
//! |---|---|---|---|---|
//! | forward | y `[rows, out]` | x | weight | inputs |
//! | input gradient | dx `[rows, in]` | dy | weight | units |
//! | weight gradient | dweight `[out, in]` | dy | x | rows |
//!
//! Where the replicas share x, the units of all of them are one wide matrix: x is read once, and few units fill a tile together.
//! Gradients of weights are summed as on the CPU: tiles of 256 rows, up to 16 lanes of whole tiles, a fixed tree over the lanes.

use super::launch::{Launch, THREADS};
use super::lower::{Lowered, Lowering, View};
use crate::backend::cpu::gemm::block_depth;
use crate::backend::cpu::{MAX_LANES, TILE_ROWS};
use crate::backend::kernel::{Target, Write};
use crate::backend::program::BufferId;

/// Whether a product of so many units takes a tile of 16 of them (and 256 of the other side) instead of 64 by 64. What is left of
/// more than 16 has whole sectors then.
fn narrow(units: usize) -> bool {
    units <= 16 || (units <= 32 && units.is_multiple_of(8))
}

/// Lanes of a sum over so many rows.
fn lanes(rows: usize) -> usize {
    rows.div_ceil(TILE_ROWS).min(MAX_LANES)
}

/// A matrix that is read, as `kernels/product.cuh` has it.
#[derive(Clone, Copy)]
struct Operand {
    data: u64,
    /// Elements from a replica to the next, 0 where they share it.
    batch: usize,
    /// Elements from a group of rows of C to the next.
    outer: usize,
    /// Rows of C in a group.
    group: usize,
    /// Elements from one number along the other axis to the next.
    leading: usize,
}

/// A product, as `kernels/product.cuh` has it.
struct Product {
    a: Operand,
    b: Operand,
    c: u64,
    activated: u64,
    z: u64,
    bias: u64,
    a_sums: u64,
    c_batch: usize,
    c_outer: usize,
    lane_stride: usize,
    c_group: usize,
    c_leading: usize,
    m: usize,
    n: usize,
    k: usize,
    depth: usize,
    lane_tile: usize,
    lanes: usize,
    replicas: usize,
    adds: bool,
    a_sums_add: bool,
    function: u32,
}

/// Two numbers of four bytes in one word, the first in its lower half.
fn pair(first: usize, second: usize) -> u64 {
    first as u64 | (second as u64) << 32
}

impl Operand {
    /// `groups`: whether rows of C come in groups.
    fn words(self, groups: bool) -> [u64; 5] {
        // Strides in whole fours keep every four aligned; where there is one group its size does not matter.
        let fours = [self.batch, self.leading]
            .iter()
            .chain([self.outer, self.group].iter().filter(|_| groups))
            .all(|stride| stride.is_multiple_of(4));
        [
            self.data,
            self.batch as u64,
            self.outer as u64,
            pair(self.group, self.leading),
            if fours { 4 } else { 1 },
        ]
    }
}

impl Product {
    /// The structure, word by word: four bytes each where the kernels have u32.
    fn words(&self) -> [u64; 25] {
        let four = |n: usize| n.is_multiple_of(4);
        let c_groups = self.c_group < self.n;
        let c_aligned = four(self.c_batch)
            && four(self.c_leading)
            && four(self.lane_stride)
            && (!c_groups || four(self.c_outer) && self.c_group.is_multiple_of(8));
        let [a0, a1, a2, a3, a4] = self.a.words(self.a.group < self.m);
        let [b0, b1, b2, b3, b4] = self.b.words(self.b.group < self.n);
        [
            a0,
            a1,
            a2,
            a3,
            a4,
            b0,
            b1,
            b2,
            b3,
            b4,
            self.c,
            self.activated,
            self.z,
            self.bias,
            self.a_sums,
            self.c_batch as u64,
            self.c_outer as u64,
            self.lane_stride as u64,
            pair(self.c_group, self.c_leading),
            pair(self.m, self.n),
            pair(self.k, self.depth),
            pair(self.lane_tile, self.lanes),
            pair(self.replicas, usize::from(self.adds)),
            pair(usize::from(self.a_sums_add), self.function as usize),
            u64::from(c_aligned),
        ]
    }
}

impl Lowering<'_> {
    /// A product on tiles of `tile_m` by `tile_n`.
    fn product(&mut self, kernel: &str, product: &Product, (tile_m, tile_n): (usize, usize)) -> Lowered {
        // Sizes are of four bytes on the device; buffers of so many rows or columns are refused when they are allocated.
        let largest = [product.m, product.n, product.k].into_iter().max().unwrap_or(0);
        let tiles = product.m.div_ceil(tile_m) * product.n.div_ceil(tile_n).max(1);
        let blocks = if largest > i32::MAX as usize {
            largest as u64
        } else {
            (tiles * product.lanes * product.replicas) as u64
        };
        let launch = Launch::on_grid(self.kernel(kernel)?, blocks, THREADS)?;
        self.push(launch.structure(&product.words()));
        Ok(())
    }

    /// y = x W^T + b, and f(y) into `activated` with the function's number.
    pub(super) fn dense(
        &mut self,
        x: BufferId,
        weight: BufferId,
        bias: Option<BufferId>,
        y: BufferId,
        activated: Option<(u32, BufferId)>,
    ) -> Lowered {
        let (x, weight, y) = (self.view(x), self.view(weight), self.view(y));
        let (rows, inputs, out) = (y.rows, x.cols, weight.rows);
        let wide = !x.own && weight.own && y.own;
        let (replicas, units) = if wide { (1, y.copies * out) } else { (y.copies, out) };
        let product = Product {
            a: whole(x, rows, inputs),
            b: Operand {
                data: weight.address,
                batch: if weight.own && !wide { out * inputs } else { 0 },
                outer: 0,
                group: units,
                leading: inputs,
            },
            c: y.address,
            activated: activated.map_or(0, |(_, id)| self.view(id).address),
            z: 0,
            bias: bias.map_or(0, |id| self.view(id).address),
            a_sums: 0,
            c_batch: if wide { 0 } else { rows * out },
            c_outer: rows * out,
            lane_stride: 0,
            c_group: out,
            c_leading: out,
            m: rows,
            n: units,
            k: inputs,
            depth: block_depth(inputs),
            lane_tile: inputs,
            lanes: 1,
            replicas,
            adds: false,
            a_sums_add: false,
            function: activated.map_or(0, |(function, _)| function),
        };
        if narrow(units) {
            self.product("dense_forward_narrow", &product, (256, 16))
        } else {
            self.product("dense_forward", &product, (64, 64))
        }
    }

    /// dx (=, +=) dy W, and f'(z) dx into the last of `sloped`, which has the function's number and z before it.
    pub(super) fn dense_input_grad(
        &mut self,
        dy: BufferId,
        weight: BufferId,
        dx: Target,
        sloped: Option<(u32, BufferId, BufferId)>,
    ) -> Lowered {
        let (dy, weight, to) = (self.view(dy), self.view(weight), self.view(dx.buffer));
        let (rows, inputs, out) = (to.rows, to.cols, weight.rows);
        let product = Product {
            a: whole(dy, rows, out),
            b: Operand {
                data: weight.address,
                batch: if weight.own { out * inputs } else { 0 },
                outer: 0,
                group: inputs,
                leading: inputs,
            },
            c: to.address,
            activated: sloped.map_or(0, |(_, _, id)| self.view(id).address),
            z: sloped.map_or(0, |(_, z, _)| self.view(z).address),
            bias: 0,
            a_sums: 0,
            c_batch: rows * inputs,
            c_outer: 0,
            lane_stride: 0,
            c_group: inputs,
            c_leading: inputs,
            m: rows,
            n: inputs,
            k: out,
            depth: block_depth(out),
            lane_tile: out,
            lanes: 1,
            replicas: to.copies,
            adds: dx.write == Write::Add,
            a_sums_add: false,
            function: sloped.map_or(0, |(function, ..)| function),
        };
        if narrow(inputs) {
            self.product("dense_input_grad_narrow", &product, (256, 16))
        } else {
            self.product("dense_input_grad", &product, (64, 64))
        }
    }

    /// dweight (=, +=) dy^T x and dbias (=, +=) the sum of dy, in one pass over the rows.
    pub(super) fn dense_weight_grad(
        &mut self,
        dy: BufferId,
        x: BufferId,
        dweight: Option<Target>,
        dbias: Option<Target>,
    ) -> Lowered {
        let Some(copies) = dweight.or(dbias).map(|target| self.view(target.buffer).copies) else {
            return Ok(());
        };
        let (dy, x) = (self.view(dy), self.view(x));
        let (rows, inputs, out) = (dy.rows, x.cols, dy.cols);
        let lanes = lanes(rows);
        let wide = !x.own && dy.own;
        let (replicas, units) = if wide { (1, copies * out) } else { (copies, out) };
        let (weights, biases) = (copies * out * inputs, copies * out);
        // With several lanes each has its sums in the workspace first: all of the weights', then all of the biases'.
        let stride = weights.next_multiple_of(4);
        if lanes > 1 {
            self.reserve(4 * lanes * (stride + biases));
        }
        let at = |target: Option<Target>, offset: usize| {
            target.map_or(0, |target| match lanes {
                1 => self.view(target.buffer).address,
                _ => self.workspace + 4 * offset as u64,
            })
        };
        let adds = |target: Option<Target>| lanes == 1 && target.is_some_and(|target| target.write == Write::Add);
        let columns = if dweight.is_some() { inputs } else { 0 };
        let product = Product {
            a: Operand {
                data: dy.address,
                batch: if dy.own && !wide { rows * out } else { 0 },
                outer: rows * out,
                group: out,
                leading: out,
            },
            b: Operand {
                data: x.address,
                batch: if x.own { rows * inputs } else { 0 },
                outer: 0,
                group: inputs,
                leading: inputs,
            },
            c: at(dweight, 0),
            activated: 0,
            z: 0,
            bias: 0,
            a_sums: at(dbias, lanes * stride),
            c_batch: if wide { 0 } else { out * inputs },
            c_outer: 0,
            lane_stride: stride,
            c_group: inputs,
            c_leading: inputs,
            m: units,
            n: columns,
            k: rows,
            depth: TILE_ROWS,
            lane_tile: TILE_ROWS,
            lanes,
            replicas,
            adds: adds(dweight),
            a_sums_add: adds(dbias),
            function: 0,
        };
        if narrow(units) {
            self.product("dense_weight_grad_narrow", &product, (16, 256))?;
        } else {
            self.product("dense_weight_grad", &product, (64, 64))?;
        }
        if lanes > 1 {
            for (target, from, stride, count) in [
                (dweight, product.c, stride, weights),
                (dbias, product.a_sums, biases, biases),
            ] {
                if let Some(target) = target {
                    self.lanes_total(from, lanes, stride, target, count)?;
                }
            }
        }
        Ok(())
    }

    fn lanes_total(&mut self, sums: u64, lanes: usize, stride: usize, target: Target, count: usize) -> Lowered {
        let launch = Launch::over(self.kernel("lanes_total")?, count as u64)?
            .pointer(sums)
            .int(lanes as u32)
            .long(stride)
            .pointer(self.view(target.buffer).address)
            .flag(target.write == Write::Add)
            .long(count);
        self.push(launch);
        Ok(())
    }
}

/// Rows of a buffer, which lie along k.
fn whole(view: View, rows: usize, cols: usize) -> Operand {
    Operand {
        data: view.address,
        batch: if view.own { rows * cols } else { 0 },
        outer: 0,
        group: rows,
        leading: cols,
    }
}
