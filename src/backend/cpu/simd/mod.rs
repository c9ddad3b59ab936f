//! Vectors of f32 on each instruction set, for kernels that are one text for all of them.
//!
//! A kernel takes a type parameter `S: Simd`, is marked `#[inline(always)]`, and is called from one function per
//! instruction set that enables it (`#[target_feature]`): inlined there, each method is one instruction.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;
#[cfg(test)]
mod tests;

use super::isa::Isa;
#[cfg(target_arch = "x86_64")]
use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use avx512::Avx512;
use portable::Portable;

/// Largest error of `Simd::exp2` in units in the last place.
#[cfg(any(test, feature = "verify"))]
pub(crate) const EXP2_ULP: f64 = 1.5;

/// 2^f for f in [-1/2, 1/2] is 1 + f P(f): coefficients of P, highest first (Cephes' `exp2f`, S. Moshier).
const EXP2: [f32; 6] = [
    1.535_336_2e-4,
    1.339_887_5e-3,
    9.618_437e-3,
    5.550_332_5e-2,
    2.402_264_8e-1,
    6.931_472e-1,
];

/// Below it 2^a is denormal.
const LEAST_EXPONENT: f32 = -126.0;

/// The vectors of an instruction set.
///
/// # Safety of its functions
/// The processor has the instruction set, and pointers are good for what is read or written.
pub(super) trait Simd {
    /// A register.
    type V: Copy;
    /// Numbers in it.
    const LANES: usize;
    /// Registers of sums a kernel may keep beside its operands.
    const SUMS: usize;
    /// Rows of a tile of pairs, and registers of each: they and their operands fit into the registers.
    const PAIR_ROWS: usize;
    const PAIR_COLUMNS: usize;
    /// As many numbers in f64.
    type W: Copy;

    unsafe fn splat(x: f32) -> Self::V;
    /// Asks for a cache line that will be needed soon; any address will do.
    fn prefetch(from: *const f32);
    /// The same, for one that can wait in the second-level cache.
    fn prefetch_far(from: *const f32);
    unsafe fn load(from: *const f32) -> Self::V;
    /// Four numbers, again and again until the register is full.
    unsafe fn repeat_four(from: *const f32) -> Self::V;
    /// The first `LANES / 4` numbers, each four times.
    unsafe fn four_of_each(from: *const f32) -> Self::V;
    /// The first `count <= LANES` numbers; zeros after them.
    unsafe fn load_first(from: *const f32, count: usize) -> Self::V;
    unsafe fn store_first(to: *mut f32, count: usize, v: Self::V);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn subtract(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn multiply(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn absolute(a: Self::V) -> Self::V;
    /// The smaller of two numbers, neither of them NaN.
    unsafe fn minimum(a: Self::V, b: Self::V) -> Self::V;
    /// The larger of two numbers, neither of them NaN.
    unsafe fn maximum(a: Self::V, b: Self::V) -> Self::V;
    /// Stores `LANES` numbers.
    unsafe fn store(to: *mut f32, v: Self::V);
    /// Bit l is set where a <= b in lane l.
    unsafe fn at_most(a: Self::V, b: Self::V) -> u32;
    /// 1 where a < b, else 0.
    unsafe fn below(a: Self::V, b: Self::V) -> Self::V;
    /// The square root of numbers >= 0, within 1 unit in the last place from 1e-37 on; below that the absolute error is below 1e-19.
    unsafe fn square_root(a: Self::V) -> Self::V;
    /// 1 over the square root, within 2.5 units in the last place; 0 for 0.
    unsafe fn reciprocal_root(a: Self::V) -> Self::V;
    /// 2^a for a <= 127, within 1.5 units in the last place (`EXP2_ULP`); 0 for a < -126, where results would be denormal and slow. 2^0 is 1.
    unsafe fn exp2(a: Self::V) -> Self::V;
    /// a b + c, rounded once where the instruction set can.
    unsafe fn multiply_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The sum of all lanes of each of four registers, in a tree that is the same for each.
    unsafe fn totals_of_four(v: [Self::V; 4]) -> [f32; 4];

    unsafe fn widen(v: Self::V) -> Self::W;
    /// Rounds to f32.
    unsafe fn narrow(w: Self::W) -> Self::V;
    unsafe fn wide_splat(x: f64) -> Self::W;
    unsafe fn wide_load(from: *const f64) -> Self::W;
    unsafe fn wide_store(to: *mut f64, w: Self::W);
    unsafe fn wide_add(a: Self::W, b: Self::W) -> Self::W;
    unsafe fn wide_multiply(a: Self::W, b: Self::W) -> Self::W;
    /// The sum of all lanes, in a fixed tree.
    unsafe fn wide_total(w: Self::W) -> f64;
}

/// A kernel that is one text for all instruction sets: `run` is marked `#[inline(always)]`.
pub(super) trait Vectorized {
    /// What it computes.
    type Result;
    /// Computes it with the vectors of `S`.
    ///
    /// # Safety
    /// The processor has the instruction set of `S`.
    unsafe fn run<S: Simd>(self) -> Self::Result;
}

/// Numbers in a register of an instruction set, and registers of sums that a kernel may keep beside its operands.
pub(super) fn registers(isa: Isa) -> (usize, usize) {
    struct Registers;
    impl Vectorized for Registers {
        type Result = (usize, usize);
        #[inline(always)]
        unsafe fn run<S: Simd>(self) -> (usize, usize) {
            (S::LANES, S::SUMS)
        }
    }
    dispatch(isa, Registers)
}

/// Runs a kernel with the vectors of an instruction set, compiled for it.
pub(super) fn dispatch<K: Vectorized>(isa: Isa, kernel: K) -> K::Result {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx2,fma,bmi1,popcnt")]
        unsafe fn on_avx512<K: Vectorized>(kernel: K) -> K::Result {
            // SAFETY: the features are enabled here.
            unsafe { kernel.run::<Avx512>() }
        }
        #[target_feature(enable = "avx2,fma,bmi1,popcnt")]
        unsafe fn on_avx2<K: Vectorized>(kernel: K) -> K::Result {
            // SAFETY: the features are enabled here.
            unsafe { kernel.run::<Avx2>() }
        }
        match isa {
            // SAFETY: an `Isa` exists only where the processor has it.
            Isa::Avx512 => return unsafe { on_avx512(kernel) },
            // SAFETY: as above.
            Isa::Avx2 => return unsafe { on_avx2(kernel) },
            Isa::Portable => {}
        }
    }
    let _ = isa;
    // SAFETY: every processor has it.
    unsafe { kernel.run::<Portable>() }
}
