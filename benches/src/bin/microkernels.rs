//! How fast a tile of C = A B can be when both operands lie in the first-level cache, by its shape: `microkernels [ROUNDS]` prints a
//! Markdown table of the share of the multiply-add peak on one thread. AVX-512 only.
//!
//! ```text
//!                    V registers of B's row p
//!                 +------+------+
//!   a_0p, spread  | s_00 | s_01 |    R x V multiply-adds, V loads of B, and for each row
//!   a_1p          | s_10 | s_11 |      an instruction that spreads a_ip over a register, or
//!     ...         |  ...        |      none, if each of its V multiply-adds spreads it while reading it
//!                 +------+------+
//! ```
//!
//! The peak does nothing but multiply-adds. What a tile loses beside it, before any operand comes from further away, goes to other
//! instructions and to loads.

#![expect(
    clippy::needless_range_loop,
    reason = "an index that names the register is clearer, and unrolls"
)]

use std::process::ExitCode;

use disentangle_benches::peer::{self, Fault, number};

fn main() -> ExitCode {
    peer::finish("microkernels", run())
}

fn run() -> Result<(), Fault> {
    let rounds = std::env::args().nth(1).map_or(Ok(60), |text| number(&text))?;
    #[cfg(target_arch = "x86_64")]
    if disentangle::backend::cpu::isa::Isa::Avx512.is_available() {
        avx512::table(rounds);
        return Ok(());
    }
    let _: usize = rounds;
    Err("this processor has no AVX-512".into())
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;
    use std::hint::black_box;
    use std::time::Instant;

    use disentangle::backend::cpu::isa::Isa;
    use disentangle::backend::cpu::peak::multiply_adds;

    const LANES: usize = 16;
    /// Products of a sum, as many as a block of k has in the engine.
    const DEPTH: usize = 256;
    /// Tiles of a measurement, and rounds of multiply-adds of one of the peak: about a millisecond each.
    const TILES: usize = 1000;
    const PEAK_ROUNDS: u64 = 1 << 17;
    /// Numbers of the largest operand: 28 rows of A, or 4 registers of B.
    const ROOM: usize = DEPTH * 64;

    type Kernel = unsafe fn(&[f32; ROOM], &[f32; ROOM], &mut [f32; 512]);

    struct Shape {
        rows: usize,
        registers: usize,
        within: usize,
        kernel: Kernel,
    }

    const fn shape<const R: usize, const V: usize, const WITHIN: usize>() -> Shape {
        Shape {
            rows: R,
            registers: V,
            within: WITHIN,
            kernel: tile::<R, V, WITHIN>,
        }
    }

    static SHAPES: [Shape; 8] = [
        shape::<14, 2, 0>(),
        shape::<14, 2, 7>(),
        shape::<14, 2, 9>(),
        shape::<14, 2, 14>(),
        shape::<28, 1, 28>(),
        shape::<6, 4, 0>(),
        shape::<8, 3, 0>(),
        shape::<9, 3, 0>(),
    ];

    /// R rows by V registers, the first `WITHIN` rows spread within their multiply-adds: for that they are read at as many addresses as
    /// there are registers, of which the compiler cannot know that they are the same.
    #[target_feature(enable = "avx512f")]
    unsafe fn tile<const R: usize, const V: usize, const WITHIN: usize>(
        a: &[f32; ROOM],
        b: &[f32; ROOM],
        c: &mut [f32; 512],
    ) {
        let addresses: [(*const f32, usize); V] = std::array::from_fn(|_| black_box((a.as_ptr(), R)));
        let mut again = addresses;
        let mut b = b.as_ptr();
        let mut sums = [[_mm512_setzero_ps(); V]; R];
        for _ in 0..DEPTH {
            let mut row = [_mm512_setzero_ps(); V];
            for v in 0..V {
                // SAFETY: row p of B, of V registers.
                row[v] = unsafe { _mm512_loadu_ps(b.add(v * LANES)) };
            }
            for i in 0..R {
                for v in 0..V {
                    let place = if i < WITHIN { v } else { 0 };
                    // SAFETY: column p of A, of R numbers.
                    let spread = _mm512_set1_ps(unsafe { *again[place].0.add(i) });
                    sums[i][v] = _mm512_fmadd_ps(spread, row[v], sums[i][v]);
                }
            }
            for (address, stride) in &mut again {
                *address = address.wrapping_add(*stride);
            }
            b = b.wrapping_add(V * LANES);
        }
        for i in 0..R {
            for v in 0..V {
                // SAFETY: R V registers are at most 512 numbers.
                unsafe { _mm512_storeu_ps(c.as_mut_ptr().add((i * V + v) * LANES), sums[i][v]) };
            }
        }
    }

    fn peak() -> f64 {
        let begin = Instant::now();
        multiply_adds(Isa::Avx512, PEAK_ROUNDS) / begin.elapsed().as_secs_f64()
    }

    fn rate(shape: &Shape, a: &[f32; ROOM], b: &[f32; ROOM], c: &mut [f32; 512]) -> f64 {
        let begin = Instant::now();
        for _ in 0..TILES {
            // SAFETY: the caller has AVX-512.
            unsafe { (shape.kernel)(a, b, c) };
            black_box(&*c);
        }
        let operations = 2 * shape.rows * shape.registers * LANES * DEPTH * TILES;
        operations as f64 / begin.elapsed().as_secs_f64()
    }

    pub fn table(rounds: usize) {
        let (a, b) = (Box::new([1.0; ROOM]), Box::new([1.0; ROOM]));
        let mut c = [0.0; 512];
        let mut shares = SHAPES.each_ref().map(|_| Vec::new());
        for _ in 0..rounds.max(1) {
            for (shape, shares) in SHAPES.iter().zip(&mut shares) {
                let before = peak();
                let rate = rate(shape, &a, &b, &mut c);
                shares.push(200.0 * rate / (before + peak()));
            }
        }
        println!(
            "| tile | rows spread within | multiply-adds, spreads and loads for 28 multiply-adds | % of the peak, median (quartiles) |"
        );
        println!("|---|---|---|---|");
        for (shape, shares) in SHAPES.iter().zip(&mut shares) {
            shares.sort_by(f64::total_cmp);
            let at = |quarter: usize| shares[(shares.len() - 1) * quarter / 4];
            let multiply_adds = shape.rows * shape.registers;
            let instructions = multiply_adds + shape.rows - shape.within + shape.registers;
            println!(
                "| {} x {} | {} | {:.0} | {:.0} ({:.0} to {:.0}) |",
                shape.rows,
                shape.registers * LANES,
                shape.within,
                28.0 * instructions as f64 / multiply_adds as f64,
                at(2),
                at(1),
                at(3),
            );
        }
        println!("\nOne thread, {rounds} rounds, each tile between two measurements of the peak.");
    }
}
