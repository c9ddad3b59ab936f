//! Square products in f32 on two threads, interleaved: `products [ROUNDS]` prints a Markdown table. A dense layer's forward
//! pass here (C = A B^T and a bias), C = A B^T in the crates, and the rate of multiply-adds in registers, all in each round.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use disentangle::backend::Cpu;
use disentangle::bench::{Case, cases, median_time, peak::Peak};
use disentangle_benches::peer::{self, Fault, number};

const THREADS: usize = 2;
const TURN: Duration = Duration::from_millis(400);

fn seconds(mut product: impl FnMut()) -> f64 {
    product();
    let (start, mut times) = (Instant::now(), Vec::new());
    while times.len() < 3 || start.elapsed() < TURN {
        let turn = Instant::now();
        product();
        times.push(turn.elapsed().as_secs_f64());
    }
    median(times)
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn find(size: usize) -> Result<Case, Fault> {
    let name = format!("dense {size} x {size} x {size}, R = 1");
    let case = cases::all(THREADS).into_iter().find(|case| case.name() == name);
    Ok(case.ok_or_else(|| format!("no case '{name}'"))?)
}

fn row(size: usize, rounds: usize) -> Result<String, Fault> {
    let cpu = Cpu::new(THREADS)?;
    let mut ours = find(size)?.prepare(&cpu)?;
    let numbers = |seed: usize| (0..size * size).map(|n| ((n * 7 + seed) % 13) as f32 - 6.0).collect::<Vec<f32>>();
    let (a, b, mut c) = (numbers(1), numbers(2), vec![0f32; size * size]);
    let (n, s) = (size, size as isize);
    let (mut percent, mut of_matrixmultiply, mut of_gemm, mut times) = (vec![], vec![], vec![], [vec![], vec![], vec![]]);
    for _ in 0..rounds {
        let own = median_time(&mut ours, Duration::ZERO, TURN)?;
        let peak = Peak::measure(cpu.isa(), THREADS)?.flops;
        // SAFETY: three matrices of n x n.
        let other = seconds(|| unsafe {
            matrixmultiply::sgemm(n, n, n, 1.0, a.as_ptr(), s, 1, b.as_ptr(), 1, s, 0.0, c.as_mut_ptr(), s, 1);
        });
        // SAFETY: as above.
        let third = seconds(|| unsafe {
            let threads = gemm::Parallelism::Rayon(THREADS);
            let (dst, lhs, rhs) = (c.as_mut_ptr(), a.as_ptr(), b.as_ptr());
            gemm::gemm(n, n, n, dst, 1, s, false, lhs, 1, s, rhs, s, 1, 0.0, 1.0, false, false, false, threads);
        });
        percent.push(100.0 * 2.0 * (n as f64).powi(3) / own / peak);
        of_matrixmultiply.push(other / own);
        of_gemm.push(third / own);
        for (times, time) in times.iter_mut().zip([own, other, third]) {
            times.push(time * 1e3);
        }
    }
    let [own, other, third] = times.map(median);
    Ok(format!(
        "| {size}^3 | {own:.2} | {:.0} | {other:.2} | {:.2} | {third:.2} | {:.2} |",
        median(percent),
        median(of_matrixmultiply),
        median(of_gemm)
    ))
}

fn run() -> Result<(), Fault> {
    // SAFETY: no other thread has been started yet.
    unsafe { std::env::set_var("MATMUL_NUM_THREADS", THREADS.to_string()) };
    let rounds = std::env::args().nth(1).map_or(Ok(9), |text| number(&text))?;
    println!("| product | disentangle, ms | % of the multiply-add peak | matrixmultiply, ms | ratio | gemm, ms | ratio |");
    println!("|---|---|---|---|---|---|---|");
    for size in [512, 1024, 2048] {
        println!("{}", row(size, rounds)?);
    }
    println!("\nMedians of {rounds} rounds; ratios are taken within a round.");
    Ok(())
}

fn main() -> ExitCode {
    peer::finish("products", run())
}
