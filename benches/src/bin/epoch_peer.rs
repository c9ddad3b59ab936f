//! Our side of `peers/epoch.py`: trains on request and says how long it took.
//!
//! `epoch_peer DATA REPLICAS THREADS WEIGHTS [dense]`: a folder of IDX files, of which the first 8,192 training rows are used
//! (parity labels, standardised per pixel), and a safetensors file with `0.weight [R, 20, 784]`, `0.bias`, `2.weight`,
//! `2.bias`; with `dense` no zeros are skipped. The work of a `run` is an epoch; the `state` is the mean over the replicas of
//! loss, error, R_0 and R_1 after the epochs so far.

use std::path::Path;
use std::process::ExitCode;

use disentangle::backend::cpu::Cpu;
use disentangle::data::{Channels, Dataset, DeadPixels, LabelRule, Standardize, TensorFile};
use disentangle::study::prepare::{Preparation, Prepared};
use disentangle_benches::peer::{self, Fault, number};
use disentangle_benches::{ROWS, Work, WorkError, recipe};

const USAGE: &str = "usage: epoch_peer DATA REPLICAS THREADS WEIGHTS [dense]";

fn main() -> ExitCode {
    peer::finish("epoch_peer", serve())
}

fn serve() -> Result<(), Fault> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (data, replicas, threads, weights, skip_zeros) = match arguments.as_slice() {
        [data, replicas, threads, weights] => (data, replicas, threads, weights, true),
        [data, replicas, threads, weights, way] if way == "dense" => (data, replicas, threads, weights, false),
        _ => return Err(USAGE.into()),
    };
    let backend = Cpu::new(number(threads)?)?.skip_zeros(skip_zeros);
    let mut work = prepare(Path::new(data), number(replicas)?, &backend, Path::new(weights))?;
    let epoch = |work: &mut Work| {
        std::hint::black_box(work.epoch()?);
        Ok(())
    };
    peer::serve(&mut work, epoch, state)
}

fn prepare(data: &Path, replicas: usize, backend: &Cpu, weights: &Path) -> Result<Work, WorkError> {
    let preparation = Preparation {
        labels: LabelRule::Parity,
        train_samples: Some(ROWS),
        data_offset: 0,
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

fn state(work: &mut Work) -> Result<Vec<f64>, Fault> {
    let states = work.measure()?;
    let mean = |of: fn(&disentangle_benches::State) -> f64| states.iter().map(of).sum::<f64>() / states.len() as f64;
    Ok(vec![
        mean(|s| s.loss),
        mean(|s| s.error),
        mean(|s| s.radii[0]),
        mean(|s| s.radii[1]),
    ])
}
