//! Time and memory of the reductions over pairs as the number of points grows: prints a Markdown table.
//!
//! `pairwise_scaling DIM THREADS N... [NAME]`: for every reduction, or those whose name has NAME, the seconds at each N (the best run
//! of two turns of 10 s), the exponent between the first N and the last, and the most memory held above the points themselves, as
//! the system saw it (`VmHWM`).

use std::process::ExitCode;
use std::time::Instant;

use disentangle::backend::pairwise::{Bins, Form, Metric, PairFunction, PairwiseError, Points};
use disentangle::backend::{Cpu, Pairwise};

type Work = fn(&Cpu, &Points) -> Result<(), PairwiseError>;

const CLASSES: usize = 10;

/// How often the sizes take turns, and the seconds that a turn lasts at least.
const ROUNDS: usize = 2;
const AT_LEAST: f64 = 10.0;

const WORKS: [(&str, Work); 7] = [
    ("class sums", |cpu, p| {
        cpu.class_sums(p, None, PairFunction::Euclidean, Form::Direct).map(drop)
    }),
    ("histograms", |cpu, p| {
        cpu.class_histograms(p, None, Bins { width: 1.0, count: 64 }, Form::Direct)
            .map(drop)
    }),
    ("row sums", |cpu, p| {
        cpu.row_class_sums(p, None, PairFunction::Euclidean, Form::Direct)
            .map(drop)
    }),
    ("logarithms of row sums", |cpu, p| {
        cpu.row_class_log_sums(p, None, 2.0 * p.dim() as f64, Form::Direct)
            .map(drop)
    }),
    ("soft nearest neighbours", |cpu, p| {
        cpu.soft_nearest_neighbor(p, 2.0 * p.dim() as f64, Form::Direct)
            .map(drop)
    }),
    ("the same with gradient", |cpu, p| {
        cpu.soft_nearest_neighbor_gradient(p, 2.0 * p.dim() as f64, Form::Direct)
            .map(drop)
    }),
    ("30 nearest", |cpu, p| {
        cpu.nearest(p, None, Metric::Euclidean, 30, Form::Direct).map(drop)
    }),
];

fn main() -> ExitCode {
    match table() {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => {
            eprintln!("pairwise_scaling: {line}");
            ExitCode::from(2)
        }
    }
}

fn table() -> Result<(), String> {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let only = words.pop_if(|word| word.parse::<usize>().is_err());
    let numbers: Result<Vec<usize>, _> = words.iter().map(|word| word.parse()).collect();
    let numbers = numbers.map_err(|error| error.to_string())?;
    let [dim, threads, sizes @ ..] = numbers.as_slice() else {
        return Err("usage: pairwise_scaling DIM THREADS N... [NAME]".into());
    };
    let (Some(&first), Some(&last)) = (sizes.first(), sizes.last()) else {
        return Err("expected one number of points at least".into());
    };
    let cpu = Cpu::new(*threads).map_err(|error| error.to_string())?;
    let headings: Vec<String> = sizes.iter().map(|n| format!("N = {n}, s")).collect();
    println!(
        "| reduction, d = {dim} | {} | exponent | MiB above the points |",
        headings.join(" | ")
    );
    println!("|---|{}", "---|".repeat(sizes.len() + 2));
    let is_asked_for = |name: &str| only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    for (name, work) in WORKS.into_iter().filter(|(name, _)| is_asked_for(name)) {
        let (mut seconds, mut above) = (vec![f64::INFINITY; sizes.len()], 0.0);
        // Sizes take turns, and the best counts: a machine's speed changes.
        for _ in 0..ROUNDS {
            for (&n, best) in sizes.iter().zip(&mut seconds) {
                // Deterministic numbers without structure; how they are distributed matters little for the time.
                let x: Vec<f32> = (0..n * dim)
                    .map(|i| ((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32 / 8_388_608.0 - 1.0)
                    .collect();
                let labels: Vec<u32> = (0..n).map(|i| (i % CLASSES) as u32).collect();
                let points = Points::new(&x, *dim).and_then(|points| points.labels(&labels, CLASSES));
                let points = points.map_err(|error| error.to_string())?;
                let before = memory(true)?;
                let mut all = 0.0;
                while all < AT_LEAST {
                    let start = Instant::now();
                    work(&cpu, &points).map_err(|error| error.to_string())?;
                    let taken = start.elapsed().as_secs_f64();
                    (*best, all) = (best.min(taken), all + taken);
                }
                above = (memory(false)? - before) / 1024.0;
            }
        }
        let ratio = |values: &[f64]| values.last().copied().unwrap_or(1.0) / values.first().copied().unwrap_or(1.0);
        let exponent = ratio(&seconds).ln() / (last as f64 / first as f64).ln();
        let seconds: Vec<String> = seconds.iter().map(|s| format!("{s:.2}")).collect();
        println!("| {name} | {} | {exponent:.2} | {above:.0} |", seconds.join(" | "));
    }
    Ok(())
}

/// The most memory held so far in KiB, or, to begin anew, what is held now.
fn memory(begin: bool) -> Result<f64, String> {
    if begin {
        std::fs::write("/proc/self/clear_refs", "5").map_err(|error| format!("/proc/self/clear_refs: {error}"))?;
    }
    let status = std::fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line
        .and_then(|line| line.split_whitespace().next())
        .and_then(|word| word.parse().ok());
    number.ok_or_else(|| "/proc/self/status has no VmHWM".into())
}
