//! The most multiply-adds that a processor core can do: chains in registers, nothing from memory.

use super::isa::Isa;
use super::simd::{Simd, Vectorized, dispatch};

/// Independent chains: two units with a latency of four cycles need eight, and sixteen registers hold twelve and the factors.
const CHAINS: usize = 12;

/// Does `rounds` rounds of multiply-adds and returns how many floating-point operations that were. The instruction set must be
/// available ([`Isa::is_available`]), else none are done.
///
/// ```
/// use disentangle::backend::cpu::isa::Isa;
/// use disentangle::backend::cpu::peak::multiply_adds;
///
/// // As many operations in every round; over the time that they take they are the rate no kernel can beat.
/// let isa = Isa::detect();
/// let begin = std::time::Instant::now();
/// let operations = multiply_adds(isa, 1000);
/// let rate = operations / begin.elapsed().as_secs_f64();
/// assert_eq!(operations, 1000.0 * multiply_adds(isa, 1));
/// assert!(rate > 0.0);
/// ```
pub fn multiply_adds(isa: Isa, rounds: u64) -> f64 {
    if !isa.is_available() {
        return 0.0;
    }
    dispatch(isa, Chains { rounds })
}

struct Chains {
    rounds: u64,
}

impl Vectorized for Chains {
    type Result = f64;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> f64 {
        // x = x a + b stays near 1: no denormal and no infinity slows it down.
        // SAFETY: the instruction set is the caller's promise, and the store is into an array of a register's length.
        unsafe {
            let a = S::splat(std::hint::black_box(0.5));
            let b = S::splat(std::hint::black_box(0.5));
            let mut chains = [S::splat(1.0); CHAINS];
            for _ in 0..self.rounds {
                for chain in &mut chains {
                    *chain = S::multiply_add(*chain, a, b);
                }
            }
            let mut total = chains[0];
            for chain in &chains[1..] {
                total = S::add(total, *chain);
            }
            let mut numbers = [0.0; 16];
            S::store_first(numbers.as_mut_ptr(), S::LANES, total);
            std::hint::black_box(numbers);
        }
        2.0 * (CHAINS * S::LANES) as f64 * self.rounds as f64
    }
}
