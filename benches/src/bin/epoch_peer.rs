//! Our side of `peers/epoch.py`: trains on request and says how long it took.
//!
//! `epoch_peer DATA REPLICAS THREADS WEIGHTS [dense]`: a folder of IDX files, of which the first 8,192 training rows are used
//! (parity labels, standardised per pixel), and a safetensors file with `0.weight [R, 20, 784]`, `0.bias`, `2.weight`,
//! `2.bias`; with `dense` no zeros are skipped. Then one line in, one line out, until the input ends:
//!
//! ```text
//! run N     N epochs: the wall time of all of them in nanoseconds
//! state     mean over the replicas of loss, error, R_0 and R_1, of the state after the epochs so far
//! ```

use std::io::{BufRead, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use disentangle::backend::cpu::Cpu;
use disentangle::data::{Channels, Dataset, DeadPixels, LabelRule, Standardize, Subset, TensorFile};
use disentangle::study::prepare::{Preparation, Prepared};
use disentangle_benches::{ROWS, Work, WorkError, recipe};

const USAGE: &str = "usage: epoch_peer DATA REPLICAS THREADS WEIGHTS [dense]";

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("epoch_peer: {error}");
            ExitCode::from(2)
        }
    }
}

fn serve() -> Result<(), WorkError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (data, replicas, threads, weights, skip_zeros) = match arguments.as_slice() {
        [data, replicas, threads, weights] => (data, replicas, threads, weights, true),
        [data, replicas, threads, weights, way] if way == "dense" => (data, replicas, threads, weights, false),
        _ => return Err(WorkError::Usage(USAGE.into())),
    };
    let backend = Cpu::new(number(threads)?).map_err(|error| WorkError::Backend(error.to_string()))?;
    let backend = backend.skip_zeros(skip_zeros);
    let mut work = prepare(Path::new(data), number(replicas)?, &backend, Path::new(weights))?;
    let closed = |error: std::io::Error| WorkError::Usage(format!("standard streams: {error}"));
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(closed)?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words.as_slice() {
            ["run", epochs] => run(&mut work, number(epochs)?)?,
            ["state"] => state(&mut work)?,
            _ => return Err(WorkError::Usage(format!("'{line}': expected 'run N' or 'state'"))),
        };
        writeln!(output, "{answer}")
            .and_then(|()| output.flush())
            .map_err(closed)?;
    }
    Ok(())
}

fn number(text: &str) -> Result<usize, WorkError> {
    let positive = text.parse().ok().filter(|&n| n > 0);
    positive.ok_or_else(|| WorkError::Usage(format!("'{text}': expected a positive number; {USAGE}")))
}

fn prepare(data: &Path, replicas: usize, backend: &Cpu, weights: &Path) -> Result<Work, WorkError> {
    let preparation = Preparation {
        labels: LabelRule::Parity,
        train_samples: Some(ROWS),
        data_offset: 0,
        subset: Subset::Consecutive,
        standardize: Standardize::Pixel,
        dead_pixels: DeadPixels::Formula,
        channels: Channels::GreySum,
        seed: 0,
    };
    let data = Prepared::new(&Dataset::open(data)?, &preparation)?;
    let file = TensorFile::open(weights)?;
    let mut given = Vec::new();
    for name in file.names() {
        let tensor = file.tensor(&name)?;
        given.push((tensor.name, tensor.shape, tensor.values));
    }
    let recipe = recipe(replicas)?;
    let initial = recipe.architecture.adopt(&given, replicas)?;
    Work::new(recipe, data.train(), &initial, backend)
}

fn run(work: &mut Work, epochs: usize) -> Result<String, WorkError> {
    let start = Instant::now();
    for _ in 0..epochs {
        std::hint::black_box(work.epoch()?);
    }
    Ok(start.elapsed().as_nanos().to_string())
}

fn state(work: &mut Work) -> Result<String, WorkError> {
    let states = work.measure()?;
    let mean = |of: fn(&disentangle_benches::State) -> f64| states.iter().map(of).sum::<f64>() / states.len() as f64;
    let numbers = [
        mean(|s| s.loss),
        mean(|s| s.error),
        mean(|s| s.radii[0]),
        mean(|s| s.radii[1]),
    ];
    Ok(numbers.map(|n| n.to_string()).join(" "))
}
