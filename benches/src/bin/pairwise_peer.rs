//! Our side of `peers/pairwise.py`: reduces pairs on request and says how long it took.
//!
//! `pairwise_peer WORK FORM FOLDER THREADS`: `x.npy` and `y.npy` are in the folder, FORM is `direct`, `centered` or `f64`.
//! Then one line in, one line out, until the input ends:
//!
//! ```text
//! run N     the work N times: the wall time of all of them in nanoseconds
//! state     numbers that the peers must arrive at too
//! peak      multiply-adds of this machine with so many threads, in floating-point operations per second
//! ```

use std::io::{BufRead, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use disentangle::backend::pairwise::{Form, Metric, PairFunction, PairwiseError, Points};
use disentangle::backend::{Cpu, Pairwise};
use disentangle::bench::peak::Peak;
use disentangle::data::Npy;
use disentangle_benches::WorkError;

const USAGE: &str = "usage: pairwise_peer WORK FORM FOLDER THREADS";
const TEMPERATURE: f64 = 50.0;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pairwise_peer: {error}");
            ExitCode::from(2)
        }
    }
}

fn serve() -> Result<(), WorkError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [work, form, folder, threads] = arguments.as_slice() else {
        return Err(WorkError::Usage(USAGE.into()));
    };
    let forms = [Form::Direct, Form::Centered, Form::F64];
    let form = forms.into_iter().find(|f| f.name() == form);
    let form = form.ok_or_else(|| WorkError::Usage(format!("no such form; {USAGE}")))?;
    let threads = threads.parse().map_err(|_| WorkError::Usage(USAGE.into()))?;
    let cpu = Cpu::new(threads).map_err(|error| WorkError::Backend(error.to_string()))?;
    let x = Npy::open(&Path::new(folder).join("x.npy"))?.to_array();
    let labels = Npy::open(&Path::new(folder).join("y.npy"))?.to_integers()?;
    let labels: Vec<u32> = labels.into_iter().map(|label| label as u32).collect();
    let classes = labels.iter().max().map_or(1, |&label| label as usize + 1);
    let values: Vec<f32> = x.values.iter().map(|&v| v as f32).collect();
    let dim = x.shape.last().copied().unwrap_or(0);
    let all = Points::new(&values, dim).map_err(refused)?;
    let points = all.labels(&labels, classes).map_err(refused)?;
    let closed = |error: std::io::Error| WorkError::Usage(format!("standard streams: {error}"));
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(closed)?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words.as_slice() {
            ["run", count] => {
                let count: u32 = count.parse().map_err(|_| WorkError::Usage(line.clone()))?;
                let start = Instant::now();
                for _ in 0..count {
                    std::hint::black_box(run(work, &cpu, &points, &all, form)?);
                }
                start.elapsed().as_nanos().to_string()
            }
            ["state"] => {
                let numbers = run(work, &cpu, &points, &all, form)?;
                numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(" ")
            }
            ["peak"] => {
                let peak = Peak::measure(cpu.isa(), threads).map_err(|error| WorkError::Backend(error.to_string()))?;
                peak.flops.to_string()
            }
            _ => {
                return Err(WorkError::Usage(format!(
                    "'{line}': expected 'run N', 'state' or 'peak'"
                )));
            }
        };
        writeln!(output, "{answer}")
            .and_then(|()| output.flush())
            .map_err(closed)?;
    }
    Ok(())
}

fn refused(error: PairwiseError) -> WorkError {
    WorkError::Usage(error.to_string())
}

/// Does the work; the numbers sum it up.
fn run(work: &str, cpu: &Cpu, points: &Points, all: &Points, form: Form) -> Result<Vec<f64>, WorkError> {
    let n = points.rows() as f64;
    let numbers = match work {
        "class-sums" => cpu
            .class_sums(points, None, PairFunction::Euclidean, form)
            .map(|result| {
                vec![
                    result.sums.iter().sum::<f64>() / (n * n),
                    result.sums[1] / result.pairs[1] as f64,
                ]
            }),
        "snn" => cpu
            .soft_nearest_neighbor(points, TEMPERATURE, form)
            .map(|result| result.loss),
        "snn-gradient" => cpu
            .soft_nearest_neighbor_gradient(points, TEMPERATURE, form)
            .map(|result| {
                let squares: f64 = result.points.iter().map(|g| g * g).sum();
                vec![result.value.loss[0], 100.0 * squares.sqrt()]
            }),
        "log-sums" => cpu
            .row_class_log_sums(all, None, TEMPERATURE, form)
            .map(|logs| vec![logs.iter().sum::<f64>() / n]),
        "nearest-2" | "nearest-30" => {
            let k = if work == "nearest-2" { 2 } else { 30 };
            cpu.nearest(all, None, Metric::Euclidean, k, form)
                .map(|result| vec![result.distances.iter().sum::<f64>() / (n * k as f64)])
        }
        "silhouette" => cpu
            .row_class_sums(points, None, PairFunction::Euclidean, form)
            .map(|sums| vec![silhouette(points, &sums)]),
        _ => return Err(WorkError::Usage(format!("'{work}': no such work; {USAGE}"))),
    };
    numbers.map_err(refused)
}

/// Mean of (b - a) / max(a, b) with a the mean distance to the own class and b the smallest mean distance to another.
fn silhouette(points: &Points, sums: &[f64]) -> f64 {
    let sizes = points.class_sizes(0);
    let mut total = 0.0;
    for (i, sums) in sums.chunks_exact(sizes.len()).enumerate() {
        let own = points.label(0, i);
        if sizes[own] < 2 {
            continue;
        }
        let a = sums[own] / (sizes[own] - 1) as f64;
        let others = (0..sizes.len()).filter(|&c| c != own && sizes[c] > 0);
        let b = others.map(|c| sums[c] / sizes[c] as f64).fold(f64::INFINITY, f64::min);
        total += (b - a) / a.max(b);
    }
    total / points.rows() as f64
}
