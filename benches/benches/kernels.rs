//! The list of `disentangle bench` under criterion: `cargo bench -p disentangle-benches --bench kernels -- tanh`.

use std::error::Error;
use std::thread::available_parallelism;

use criterion::{Criterion, Throughput};
use disentangle::backend::cpu::Cpu;
use disentangle::bench::cases;

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    let threads = available_parallelism()?.get();
    let cpu = Cpu::new(threads)?;
    for case in cases::all(threads) {
        let mut group = criterion.benchmark_group(case.kernel);
        match (case.flops, case.bytes) {
            (Some(flops), _) => group.throughput(Throughput::Elements(flops as u64)),
            (None, Some(bytes)) => group.throughput(Throughput::Bytes(bytes as u64)),
            (None, None) => &mut group,
        };
        // Prepared by the first run, which criterion leaves out if the filter does not name the case.
        let mut ready = None;
        group.bench_function(&case.shape, |bencher| {
            let work = ready.get_or_insert_with(|| case.prepare(&cpu));
            bencher.iter(|| match work {
                Ok(work) => work().map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            });
        });
        if let Some(Err(error)) = ready {
            return Err(error.into());
        }
        group.finish();
    }
    criterion.final_summary();
    Ok(())
}
