//! `disentangle verify`: every op of a backend against the reference, as a table or as JSON.

mod trajectory;

use std::ops::Range;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use disentangle::backend::Backend;
#[cfg(feature = "cuda")]
use disentangle::bench::device::DeviceClock;
use disentangle::bench::median_time;
use disentangle::verify::{self, Check, Gradient, Op, Timed, VerifyError};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::bench;
use super::error::CliError;
use super::output::print;
use super::resolve::backend_named;
#[cfg(feature = "cuda")]
use super::resolve::{cuda_described, cuda_device, names_cuda};

/// The options of `verify`.
#[derive(Args, Clone, Debug)]
pub struct VerifyOptions {
    /// cpu, or cuda[:n]
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: String,
    /// Threads [all that the machine has]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Names separated by commas, with * for all that begin so, or all
    #[arg(long, value_name = "NAMES", default_value = "all")]
    pub ops: String,
    /// Cases of each op
    #[arg(long, value_name = "N", default_value_t = 80, conflicts_with = "case")]
    pub trials: u64,
    /// The first case's seed
    #[arg(long, value_name = "S", default_value_t = 0, conflicts_with = "case")]
    pub seed: u64,
    /// One case alone, as the table names it
    #[arg(long, value_name = "OP:SEED", conflicts_with = "ops")]
    pub case: Option<String>,
    /// What to ask of each op
    #[arg(long, value_enum, default_value_t = Mode::Test)]
    pub mode: Mode,
    /// Train in both precisions and follow how they part
    #[arg(long, conflicts_with_all = ["ops", "case", "mode", "trials"])]
    pub trajectory: bool,
    #[command(flatten)]
    pub training: trajectory::TrainingOptions,
    /// One JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// What is asked of each op.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// is it within its bound of the reference?
    Test,
    /// is its backward pass the gradient of its forward pass?
    Gradient,
    /// how long does it take?
    Bench,
    /// does the device run it?
    Support,
}

/// Most cases of an op: seeds are not to run out.
const MOST_TRIALS: u64 = 1_000_000;

/// Runs the subcommand.
///
/// # Errors
/// [`CliError::Input`] for options out of range, an absent device, an unknown op; [`CliError::Failed`] if something is not
/// within its bound.
pub fn run(options: VerifyOptions) -> Result<(), CliError> {
    let (ops, seeds) = asked(&options)?;
    if !options.trajectory
        && let Some(name) = options.training.given()
    {
        return Err(CliError::Input(format!("--{name}: expected --trajectory too")));
    }
    if options.device == "reference" {
        return Err(CliError::Input(
            "--device 'reference': it is what others are compared with, expected cpu".into(),
        ));
    }
    let threads = options
        .threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    #[cfg(feature = "cuda")]
    if matches!(options.mode, Mode::Bench) && !options.trajectory && names_cuda(&options.device) {
        return bench_on_cuda(&options.device, &ops, options.json);
    }
    let (backend, device) = backend_named(&options.device, threads)?;
    if options.trajectory {
        return trajectory::run(&*backend, &device, &options.training, options.seed, options.json);
    }
    match options.mode {
        Mode::Test => test(&*backend, &device, &ops, seeds, options.json),
        Mode::Gradient => gradient(&ops, seeds, options.json),
        Mode::Bench => bench(&*backend, &device, &ops, options.json, &mut |timed| {
            median_time(&mut timed.run, Duration::ZERO, BUDGET).map_err(failed)
        }),
        Mode::Support => support(&*backend, &device, &ops, options.json),
    }
}

/// The ops and the seeds.
fn asked(options: &VerifyOptions) -> Result<(Vec<&'static Op>, Range<u64>), CliError> {
    if let Some(case) = &options.case {
        let refused = || CliError::Input(format!("--case '{case}': expected OP:SEED, such as tanh:3"));
        let (op, seed) = case.rsplit_once(':').ok_or_else(refused)?;
        let seed: u64 = seed.parse().map_err(|_| refused())?;
        let end = seed.checked_add(1).ok_or_else(refused)?;
        let ops = verify::listed(op).map_err(|error| CliError::Input(format!("--case '{case}': {error}")))?;
        return Ok((ops, seed..end));
    }
    let ops = verify::listed(&options.ops).map_err(|error| CliError::Input(format!("--ops: {error}")))?;
    if !(1..=MOST_TRIALS).contains(&options.trials) {
        let trials = options.trials;
        return Err(CliError::Input(format!(
            "--trials {trials}: expected 1 to {MOST_TRIALS}"
        )));
    }
    let seed = options.seed;
    let end = seed.checked_add(options.trials);
    let end = end.ok_or_else(|| CliError::Input(format!("--seed {seed}: too large for so many trials")))?;
    Ok((ops, seed..end))
}

fn failed(error: VerifyError) -> CliError {
    CliError::Failed(error.to_string())
}

#[derive(Serialize)]
struct Line {
    cases: u64,
    within: u64,
    numbers: u64,
    worst_in_bounds: Option<f64>,
    roundings: Option<usize>,
    worst_ulp: Option<f64>,
    ulp_999: Option<f64>,
    worst_case: Option<String>,
    failures: Vec<String>,
}

/// JSON has no infinity.
pub(super) fn number(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn line(check: &Check) -> Line {
    Line {
        cases: check.cases,
        within: check.within,
        numbers: check.judged,
        worst_in_bounds: number(check.worst),
        roundings: check.chain,
        worst_ulp: number(check.ulps.worst()),
        ulp_999: number(check.ulps.quantile(0.999)),
        worst_case: check.worst_case.map(|case| case.to_string()),
        failures: check.failures.clone(),
    }
}

fn test(
    backend: &dyn Backend,
    device: &str,
    ops: &[&'static Op],
    seeds: Range<u64>,
    json: bool,
) -> Result<(), CliError> {
    let start = Instant::now();
    let mut all: Vec<Check> = Vec::new();
    if !json {
        print(&format!("{device} against reference (f64)\n\n{}", heading()))?;
    }
    for op in ops {
        let report = verify::verify(backend, &[op], seeds.clone()).map_err(failed)?;
        if !json {
            for check in &report.checks {
                print(&row(check))?;
            }
        }
        all.extend(report.checks);
    }
    let (cases, within) = (
        all.iter().map(|c| c.cases).sum::<u64>(),
        all.iter().map(|c| c.within).sum::<u64>(),
    );
    if json {
        let checks: Map<String, Value> = all
            .iter()
            .map(|check| (check.what.clone(), json!(line(check))))
            .collect();
        print_json(&json!({
            "device": device,
            "seconds": start.elapsed().as_secs_f64(),
            "cases": cases,
            "within": within,
            "checks": checks,
        }))?;
    } else {
        let failures: String = all.iter().flat_map(|c| &c.failures).map(|f| format!("{f}\n")).collect();
        print(&format!(
            "\n{failures}verify: {within} of {cases} cases within their bound\n"
        ))?;
    }
    if cases == 0 {
        return Err(CliError::Failed("verify: nothing could be compared".into()));
    }
    if within < cases {
        let beyond = cases - within;
        return Err(CliError::Failed(format!(
            "verify: {beyond} of {cases} cases beyond their bound"
        )));
    }
    Ok(())
}

fn heading() -> String {
    format!(
        "{:<36} {:>6} {:>9} {:>9} {:>10} {:>10}  {:<30} {}\n",
        "op", "cases", "of bound", "roundings", "worst ulp", "99.9 %", "worst case", "within"
    )
}

fn row(check: &Check) -> String {
    let worst = check.worst_case.map_or("exact".to_string(), |case| case.to_string());
    let chain = check.chain.map_or(String::new(), |chain| chain.to_string());
    let verdict = if check.within == check.cases { "yes" } else { "NO" };
    format!(
        "{:<36} {:>6} {:>9.3} {:>9} {:>10} {:>10}  {:<30} {verdict}\n",
        check.what,
        check.cases,
        check.worst,
        chain,
        steps(check.ulps.worst()),
        steps(check.ulps.quantile(0.999)),
        worst,
    )
}

/// Steps of f32: few with two decimals, many as a power.
fn steps(ulps: f64) -> String {
    match ulps {
        0.0 => "0".into(),
        u if u < 1000.0 => format!("{u:.2}"),
        u if u.is_finite() => format!("{u:.1e}"),
        _ => "infinite".into(),
    }
}

fn gradient(ops: &[&'static Op], seeds: Range<u64>, json: bool) -> Result<(), CliError> {
    let found = verify::gradients(ops, seeds).map_err(failed)?;
    let cases: u64 = found.iter().map(|g| g.cases).sum();
    let within: u64 = found.iter().map(|g| g.within).sum();
    if cases == 0 {
        return Err(CliError::Input(
            "--ops: none of these is a backward kernel, expected one such as tanh_grad".into(),
        ));
    }
    let worst_case = |g: &Gradient| g.worst_case.map(|case| case.to_string());
    if json {
        let each = |g: &Gradient| {
            let value = json!({
                "cases": g.cases,
                "within": g.within,
                "worst_in_bounds": number(g.worst),
                "worst_case": worst_case(g),
                "kinks": g.kinks.0,
                "numbers": g.kinks.1,
            });
            (g.op.to_string(), value)
        };
        let gradients: Map<String, Value> = found.iter().map(each).collect();
        print_json(&json!({ "cases": cases, "within": within, "gradients": gradients }))?;
    } else {
        let mut text = String::from("backward kernels against differences, on the reference\n\n");
        text.push_str(&format!(
            "{:<36} {:>6} {:>9} {:>16}  {}\n",
            "op", "cases", "of bound", "kinks left out", "worst case"
        ));
        for g in &found {
            let kinks = format!("{} of {}", g.kinks.0, g.kinks.1);
            let worst = worst_case(g).unwrap_or_default();
            text.push_str(&format!(
                "{:<36} {:>6} {:>9.3} {kinks:>16}  {worst}\n",
                g.op, g.cases, g.worst
            ));
        }
        text.push_str(&format!("\nverify: {within} of {cases} gradients within their bound\n"));
        print(&text)?;
    }
    if within < cases {
        let beyond = cases - within;
        return Err(CliError::Failed(format!(
            "verify: {beyond} of {cases} gradients beyond their bound"
        )));
    }
    Ok(())
}

/// Time for the samples of each op.
const BUDGET: Duration = Duration::from_millis(50);

/// A call returns before a CUDA device is done, so its own clock times it.
#[cfg(feature = "cuda")]
fn bench_on_cuda(named: &str, ops: &[&'static Op], json: bool) -> Result<(), CliError> {
    let cuda = cuda_device(named)?;
    let mut clock = DeviceClock::new(&cuda)?;
    bench(&cuda, &cuda_described(&cuda), ops, json, &mut |timed| {
        clock.median(&mut || (timed.run)().map_err(failed), BUDGET)
    })
}

fn bench(
    backend: &dyn Backend,
    device: &str,
    ops: &[&'static Op],
    json: bool,
    time: &mut dyn FnMut(&mut Timed) -> Result<f64, CliError>,
) -> Result<(), CliError> {
    let mut times = Map::new();
    if !json {
        print(&format!("{device}\n\n{:<36} {:<24} {:>12}\n", "op", "shape", "median"))?;
    }
    for op in ops {
        let Some(mut timed) = verify::timed(backend, op).map_err(failed)? else {
            continue;
        };
        let seconds = time(&mut timed)?;
        if !json {
            let time = bench::duration(seconds);
            print(&format!("{:<36} {:<24} {time:>12}\n", timed.op, timed.shape))?;
        }
        times.insert(
            timed.op.to_string(),
            json!({ "shape": timed.shape, "median_seconds": seconds }),
        );
    }
    if json {
        print_json(&json!({ "device": device, "ops": times }))?;
    }
    Ok(())
}

fn support(backend: &dyn Backend, device: &str, ops: &[&'static Op], json: bool) -> Result<(), CliError> {
    let asked = verify::support(backend, ops);
    if json {
        let ops: Map<String, Value> = asked
            .iter()
            .map(|(op, runs)| (op.to_string(), json!(runs.as_ref().err().map(ToString::to_string))))
            .collect();
        return print_json(&json!({ "device": device, "refused": ops }));
    }
    let runs = asked.iter().filter(|(_, runs)| runs.is_ok()).count();
    let mut text = format!("{device}\n\n");
    for (op, runs) in &asked {
        let answer = runs.as_ref().map_or_else(ToString::to_string, |()| "yes".into());
        text.push_str(&format!("{op:<36} {answer}\n"));
    }
    text.push_str(&format!("\nverify: {runs} of {} ops run\n", asked.len()));
    print(&text)
}

pub(super) fn print_json(value: &Value) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| CliError::Failed(error.to_string()))?;
    print(&format!("{text}\n"))
}
