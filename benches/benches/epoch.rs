//! The straggler epoch at R = 1 and R = 16 on synthetic rows, by threads. The time is that of all R networks together;
//! the throughput counts replicas, so that its inverse is the time per network.

use std::error::Error;
use std::thread::available_parallelism;

use criterion::{Criterion, Throughput};
use disentangle::backend::cpu::Cpu;
use disentangle::nn::Initializer;
use disentangle::train::Samples;
use disentangle_benches::{Work, clouds, recipe};

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    let (features, labels) = clouds();
    let samples = Samples {
        features: &features,
        labels: &labels,
    };
    let all = available_parallelism()?.get();
    let mut group = criterion.benchmark_group("epoch");
    for threads in [1, all] {
        for replicas in [1, 16] {
            let recipe = recipe(replicas)?;
            let initial = recipe
                .architecture
                .initial(Initializer::Pytorch, recipe.seed, &recipe.replicas);
            let mut work = Work::new(recipe, samples, &initial, &Cpu::new(threads)?)?;
            work.epoch()?;
            group.throughput(Throughput::Elements(replicas as u64));
            group.bench_function(format!("replicas={replicas}/threads={threads}"), |bencher| {
                bencher.iter(|| work.epoch().map_err(|error| error.to_string()));
            });
        }
        if all == 1 {
            break;
        }
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}
