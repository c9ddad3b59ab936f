//! `disentangle bench`: every kernel's time, as a table or as JSON.

use std::time::Duration;

use clap::Args;
use disentangle::backend::Cpu;
use disentangle::bench::peak::Peak;
use disentangle::bench::{BenchError, Case, cases, median_time};
use serde::Serialize;

use super::error::CliError;
use super::output::print;

/// The options of `bench`.
#[derive(Args, Clone, Debug)]
pub struct BenchOptions {
    /// cpu | cuda[:n]
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    pub device: String,
    /// Threads [all that the machine has]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Only kernels whose name and shape contain this
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Seconds for the samples of each kernel
    #[arg(long, value_name = "S", default_value_t = 0.2)]
    pub seconds: f64,
    /// One JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Table {
    isa: &'static str,
    threads: usize,
    /// What the machine can do, with one thread and with all.
    peaks: Vec<Limit>,
    kernels: Vec<Line>,
}

#[derive(Serialize)]
struct Limit {
    threads: usize,
    gflops: f64,
    copied_gbytes_per_second: f64,
}

/// A line of the table.
#[derive(Serialize)]
pub struct Line {
    kernel: &'static str,
    shape: String,
    median_seconds: f64,
    gflops: Option<f64>,
    gbytes_per_second: Option<f64>,
    percent_of_multiply_add_peak: Option<f64>,
    percent_of_copy_bandwidth: Option<f64>,
}

/// What is timed, and how.
pub struct Plan {
    /// Threads of the host.
    pub threads: usize,
    /// The cases.
    pub cases: Vec<Case>,
    /// For the samples of each.
    pub budget: Duration,
    /// JSON instead of a table.
    pub json: bool,
}

/// Runs the subcommand.
///
/// # Errors
/// [`CliError::Input`] for options out of range, a device that is not there or a filter that nothing passes; [`CliError::Failed`] if
/// memory is not to be had.
pub fn run(options: BenchOptions) -> Result<(), CliError> {
    let BenchOptions {
        device,
        threads,
        filter,
        seconds,
        json,
    } = options;
    if !(0.0..=3600.0).contains(&seconds) {
        return Err(CliError::Input(format!("--seconds {seconds}: expected 0 to 3600")));
    }
    let present = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.unwrap_or(present);
    let on_the_cpu = device == "cpu";
    let mut cases = cases::all(threads);
    // What is the host's own says nothing about another device.
    cases.retain(|case| on_the_cpu || !case.host);
    if let Some(filter) = &filter {
        cases.retain(|case| case.name().contains(filter.as_str()));
    }
    if cases.is_empty() {
        let filter = filter.unwrap_or_default();
        return Err(CliError::Input(format!(
            "--filter {filter}: no kernel has this in its name or shape; `disentangle bench` lists them"
        )));
    }
    let plan = Plan {
        threads,
        cases,
        budget: Duration::from_secs_f64(seconds),
        json,
    };
    if on_the_cpu {
        return cpu(plan);
    }
    if device == "reference" {
        return Err(CliError::Input(
            "--device 'reference': it is what others are compared with, not timed; expected cpu or cuda[:n]".into(),
        ));
    }
    other(&device, plan)
}

#[cfg(feature = "cuda")]
fn other(device: &str, plan: Plan) -> Result<(), CliError> {
    // Names that are no device's are refused as other commands do.
    if !super::resolve::names_cuda(device) {
        return super::resolve::backend_named(device, plan.threads).map(drop);
    }
    let cuda = super::resolve::cuda_device(device)?;
    super::bench_device::run(&cuda, &plan)
}

/// There is no other in this build, and the error says so.
#[cfg(not(feature = "cuda"))]
fn other(device: &str, plan: Plan) -> Result<(), CliError> {
    super::resolve::backend_named(device, plan.threads).map(drop)
}

fn cpu(plan: Plan) -> Result<(), CliError> {
    let Plan {
        threads,
        cases,
        budget,
        json,
    } = plan;
    let cpu = Cpu::new(threads).map_err(CliError::input)?;
    let peaks: Vec<Peak> = if threads == 1 { vec![1] } else { vec![1, threads] }
        .into_iter()
        .map(|threads| Peak::measure(cpu.isa(), threads).map_err(CliError::input))
        .collect::<Result<_, _>>()?;
    let Some(&peak) = peaks.last() else {
        return Ok(());
    };
    if !json {
        print(&heading(&cpu, &peaks))?;
    }
    let mut lines = Vec::new();
    for case in &cases {
        let line = time(case, &cpu, peak, budget).map_err(failed)?;
        if !json {
            print(&format!("{}\n", row(&line)))?;
        }
        lines.push(line);
    }
    if json {
        let table = Table {
            isa: cpu.isa().name(),
            threads,
            peaks: peaks.iter().map(limit).collect(),
            kernels: lines,
        };
        let text = serde_json::to_string_pretty(&table).map_err(|error| CliError::Failed(error.to_string()))?;
        print(&format!("{text}\n"))?;
    }
    Ok(())
}

/// A case that could not be timed.
pub fn failed(error: BenchError) -> CliError {
    CliError::Failed(error.to_string())
}

fn limit(peak: &Peak) -> Limit {
    Limit {
        threads: peak.threads,
        gflops: peak.flops / 1e9,
        copied_gbytes_per_second: peak.bytes / 1e9,
    }
}

fn time(case: &Case, cpu: &Cpu, peak: Peak, budget: Duration) -> Result<Line, BenchError> {
    let mut work = case.prepare(cpu)?;
    let seconds = median_time(&mut work, case.pause, budget)?;
    Ok(Line::new(case, seconds, (peak.flops, peak.bytes)))
}

impl Line {
    /// A case that takes so long, on what does so many operations and copies so many bytes per second.
    pub fn new(case: &Case, seconds: f64, (most_flops, most_bytes): (f64, f64)) -> Line {
        let flops = case.flops.map(|flops| flops / seconds);
        let bytes = case.bytes.map(|bytes| bytes / seconds);
        Line {
            kernel: case.kernel,
            shape: case.shape.clone(),
            median_seconds: seconds,
            gflops: flops.map(|flops| flops / 1e9),
            gbytes_per_second: bytes.map(|bytes| bytes / 1e9),
            percent_of_multiply_add_peak: flops.map(|flops| 100.0 * flops / most_flops),
            percent_of_copy_bandwidth: bytes.map(|bytes| 100.0 * bytes / most_bytes),
        }
    }
}

fn heading(cpu: &Cpu, peaks: &[Peak]) -> String {
    let mut text = format!("{} kernels. What this machine can do:\n", cpu.isa());
    for peak in peaks.iter().map(limit) {
        let threads = match peak.threads {
            1 => "1 thread".to_string(),
            n => format!("{n} threads"),
        };
        let (flops, bytes) = (peak.gflops, peak.copied_gbytes_per_second);
        text.push_str(&format!(
            "  {threads}: {flops:.0} GFLOP/s of multiply-adds, {bytes:.1} GB/s copied\n"
        ));
    }
    text.push_str(&format!("\n{}\n", columns()));
    text
}

/// The names of the columns.
pub fn columns() -> String {
    let (kernel, shape, time) = ("kernel", "shape", "median");
    format!(
        "{kernel:<27} {shape:<36} {time:>10} {:>8} {:>5} {:>7} {:>6}",
        "GFLOP/s", "%", "GB/s", "%"
    )
}

/// What stands under them.
pub fn row(line: &Line) -> String {
    let number = |value: Option<f64>, digits: usize| value.map_or(String::new(), |v| format!("{v:.digits$}"));
    format!(
        "{:<27} {:<36} {:>10} {:>8} {:>5} {:>7} {:>6}",
        line.kernel,
        line.shape,
        duration(line.median_seconds),
        number(line.gflops, 1),
        number(line.percent_of_multiply_add_peak, 0),
        number(line.gbytes_per_second, 1),
        number(line.percent_of_copy_bandwidth, 0),
    )
}

/// Three digits and a unit.
pub fn duration(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 1e-6 => (s * 1e9, "ns"),
        s if s < 1e-3 => (s * 1e6, "us"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_three_digits() {
        let expected = [
            (3.456e-9, "3.46 ns"),
            (1.25e-5, "12.5 us"),
            (0.1234, "123 ms"),
            (2.0, "2.00 s"),
        ];
        for (seconds, text) in expected {
            assert_eq!(duration(seconds), text);
        }
    }
}
