//! From options to what runs: defaults, then each option read and checked under its own name.

use std::str::FromStr;

use disentangle::study::modes::theory::scalar::Pull;
use disentangle::study::modes::{brightness, curves, phase, race, starvation, two_moons};

use super::options::{Experiment, ModesOptions};
use crate::cli::error::CliError;
use crate::cli::memory;

/// What is asked for.
pub enum Plan {
    Curves(curves::Plan),
    Phase(phase::Plan),
    Race(race::Plan),
    Starvation(starvation::Plan),
    TwoMoons(two_moons::Plan),
    Brightness(brightness::Plan),
    ColouredMnist { restarts: u64 },
}

const STUDIES: [&str; 3] = ["two-moons", "coloured-mnist", "brightness"];

/// Options of every experiment.
const COMMON: [&str; 3] = ["seed", "device", "threads"];

/// The options that an experiment knows beside the common ones.
fn known(experiment: Experiment, study: Option<&str>) -> &'static [&'static str] {
    match (experiment, study) {
        (Experiment::Curves, _) => &[
            "frequencies",
            "norms",
            "scale",
            "width",
            "classes",
            "depths",
            "sweep-frequencies",
            "sweep-norms",
            "dt",
            "time",
        ],
        (Experiment::Phase, _) => &["grid", "reach", "samples", "widths", "networks", "loss", "dt", "time"],
        (Experiment::Race, _) => &["initial", "dt"],
        (Experiment::Starvation, None) => &["lambda", "delta", "norms", "width", "scale", "dt"],
        (Experiment::Starvation, Some("two-moons")) => &["study", "replicas", "epochs", "penalty", "centres", "width"],
        (Experiment::Starvation, Some("brightness")) => &[
            "study",
            "pair",
            "fractions",
            "samples",
            "replicas",
            "epochs",
            "penalty",
            "data",
        ],
        (Experiment::Starvation, Some(_)) => &["study", "data", "restarts"],
    }
}

/// Puts the defaults where nothing was given; refuses what the experiment does not know.
///
/// # Errors
/// [`CliError::Input`]
pub fn defaults(experiment: Experiment, given: ModesOptions) -> Result<ModesOptions, CliError> {
    let study = given.study.clone();
    if experiment == Experiment::Starvation
        && let Some(study) = &study
        && !STUDIES.contains(&study.as_str())
    {
        return Err(CliError::Input(format!(
            "--study '{study}': expected {}",
            STUDIES.join(", ")
        )));
    }
    let known = known(experiment, study.as_deref());
    if let Some((name, _)) = given
        .given()
        .iter()
        .find(|(name, _)| !COMMON.contains(&name.as_str()) && !known.contains(&name.as_str()))
    {
        let of = study.map_or(String::new(), |study| format!(" --study {study}"));
        let list: Vec<String> = known.iter().map(|name| format!("--{name}")).collect();
        return Err(CliError::Input(format!(
            "--{name}: `modes {}{of}` does not know it; expected {}",
            experiment.name(),
            list.join(", ")
        )));
    }
    let word = |default: &str| Some(default.to_string());
    let mut defaults = ModesOptions {
        seed: Some(0),
        device: word("cpu"),
        threads: std::thread::available_parallelism().ok().map(usize::from),
        ..ModesOptions::default()
    };
    match (experiment, study.as_deref()) {
        (Experiment::Curves, _) => {
            defaults.frequencies = word("0.7,0.3");
            defaults.norms = word("1.3,0.7");
            defaults.scale = word("0.05");
            defaults.width = Some(8);
            defaults.classes = word("2,3,10");
            defaults.depths = word("2,3,4");
            defaults.sweep_frequencies = word("0.1,0.25,0.5,0.75,0.9");
            defaults.sweep_norms = word("0.5,1,2");
            defaults.dt = word("0.001");
            defaults.time = word("40");
        }
        (Experiment::Phase, _) => {
            defaults.grid = Some(200);
            defaults.reach = word("1");
            defaults.samples = Some(200_000);
            defaults.widths = word("1,2,4,8");
            defaults.networks = Some(20_000);
            defaults.loss = word("cross-entropy");
            defaults.dt = word("0.1");
            defaults.time = word("20");
        }
        (Experiment::Race, _) => {
            defaults.initial = word("1e-1,1e-2,1e-3,1e-4,1e-5,1e-6");
            defaults.dt = word("0.0005");
        }
        (Experiment::Starvation, None) => {
            defaults.lambda = word("0.01,0.05,0.1,0.3,0.5,0.9");
            defaults.delta = word("0.1,0.01,0.001");
            defaults.norms = word("1,1");
            defaults.width = Some(4);
            defaults.scale = word("0.0001");
            defaults.dt = word("0.01");
        }
        (Experiment::Starvation, Some("two-moons")) => {
            defaults.replicas = Some(2);
            defaults.epochs = Some(3000);
            defaults.penalty = word("0.003");
            defaults.centres = word("0,0");
            defaults.width = Some(500);
        }
        (Experiment::Starvation, Some("brightness")) => {
            defaults.pair = word("3,5");
            defaults.fractions = word("0,0.25,0.5,0.75,0.9,1");
            defaults.samples = Some(2000);
            defaults.replicas = Some(4);
            defaults.epochs = Some(150);
            defaults.penalty = word("0.01");
        }
        (Experiment::Starvation, Some(_)) => defaults.restarts = Some(10),
    }
    Ok(given.or(defaults))
}

/// A list of numbers, each of which `fits`; `none` is the empty one.
fn list<T: FromStr + Copy>(
    name: &str,
    given: &Option<String>,
    expected: &str,
    fits: impl Fn(T) -> bool,
) -> Result<Vec<T>, CliError> {
    let text = given.as_deref().unwrap_or_default();
    if text == "none" {
        return Ok(Vec::new());
    }
    let one = |word: &str| word.trim().parse::<T>().ok().filter(|&value| fits(value));
    text.split(',')
        .map(one)
        .collect::<Option<Vec<T>>>()
        .ok_or_else(|| CliError::Input(format!("--{name} '{text}': expected {expected}")))
}

/// As [`list`], with at least one entry and no two alike.
fn some<T: FromStr + Copy + PartialEq>(
    name: &str,
    given: &Option<String>,
    expected: &str,
    fits: impl Fn(T) -> bool,
) -> Result<Vec<T>, CliError> {
    let values = list(name, given, expected, fits)?;
    let before = |n: usize, value: &T| values.iter().take(n).any(|earlier| earlier == value);
    let twice = values.iter().enumerate().any(|(n, value)| before(n, value));
    if values.is_empty() || twice {
        let text = given.as_deref().unwrap_or_default();
        return Err(CliError::Input(format!(
            "--{name} '{text}': expected {expected}, each once"
        )));
    }
    Ok(values)
}

fn pair(name: &str, given: &Option<String>, expected: &str, fits: impl Fn(f64) -> bool) -> Result<[f64; 2], CliError> {
    let values = list(name, given, expected, fits)?;
    <[f64; 2]>::try_from(values).map_err(|_| {
        let text = given.as_deref().unwrap_or_default();
        CliError::Input(format!("--{name} '{text}': expected {expected}"))
    })
}

fn number(name: &str, given: &Option<String>, expected: &str, fits: impl Fn(f64) -> bool) -> Result<f64, CliError> {
    match list(name, given, expected, fits)?[..] {
        [value] => Ok(value),
        _ => {
            let text = given.as_deref().unwrap_or_default();
            Err(CliError::Input(format!("--{name} '{text}': expected {expected}")))
        }
    }
}

/// A whole number that is within bounds.
fn size(name: &str, given: Option<usize>, low: usize, high: usize) -> Result<usize, CliError> {
    match given {
        Some(value) if (low..=high).contains(&value) => Ok(value),
        other => Err(CliError::Input(format!(
            "--{name} {}: expected {low} to {high}",
            other.unwrap_or_default()
        ))),
    }
}

const STEPS: f64 = 1e8;

/// Checks that a run of `time` in steps of `dt` comes to an end.
fn steps(time: f64, dt: f64) -> Result<(), CliError> {
    if time / dt > STEPS || time < dt {
        return Err(CliError::Input(format!(
            "--time {time}, --dt {dt}: {:.0} steps, expected 1 to {STEPS:.0}",
            time / dt
        )));
    }
    Ok(())
}

/// Reads every option.
///
/// # Errors
/// [`CliError::Input`]
pub fn plan(experiment: Experiment, options: &ModesOptions) -> Result<Plan, CliError> {
    let positive = |x: f64| x.is_finite() && x > 0.0;
    // Beyond this a step is no small step of the flow.
    let step = |x: f64| positive(x) && x <= 0.5;
    let within = |x: f64| x > 0.0 && x < 1.0;
    let seed = options.seed.unwrap_or_default();
    let dt = || number("dt", &options.dt, "a number above 0 and at most 0.5", step);
    let time = || number("time", &options.time, "a positive number", positive);
    Ok(match (experiment, options.study.as_deref()) {
        (Experiment::Curves, _) => {
            let plan = curves::Plan {
                frequencies: pair("frequencies", &options.frequencies, "two numbers in (0, 1]", |p| {
                    within(p) || p == 1.0
                })?,
                norms: pair("norms", &options.norms, "two positive numbers", positive)?,
                width: size("width", options.width, 2, 4096)?,
                scale: number("scale", &options.scale, "a positive number", positive)?,
                classes: list(
                    "classes",
                    &options.classes,
                    "whole numbers from 2 to 200, or none",
                    |k: usize| (2..=200).contains(&k),
                )?,
                depths: list(
                    "depths",
                    &options.depths,
                    "whole numbers from 2 to 20, or none",
                    |n: u32| (2..=20).contains(&n),
                )?,
                sweep_frequencies: list(
                    "sweep-frequencies",
                    &options.sweep_frequencies,
                    "numbers from 0.01 to 1, or none",
                    |p| (0.01..=1.0).contains(&p),
                )?,
                sweep_norms: list(
                    "sweep-norms",
                    &options.sweep_norms,
                    "numbers from 0.05 to 20, or none",
                    |r| (0.05..=20.0).contains(&r),
                )?,
                dt: dt()?,
                time: time()?,
                seed,
            };
            steps(plan.time, plan.dt)?;
            Plan::Curves(plan)
        }
        (Experiment::Phase, _) => {
            let plan = phase::Plan {
                grid: size("grid", options.grid, 2, 4096)?,
                reach: number("reach", &options.reach, "a number above 0 and at most 3", |x| {
                    positive(x) && x <= 3.0
                })?,
                samples: size("samples", options.samples, 1, 100_000_000)?,
                widths: list(
                    "widths",
                    &options.widths,
                    "whole numbers from 1 to 1024, or none",
                    |h: usize| (1..=1024).contains(&h),
                )?,
                networks: size("networks", options.networks, 1, 10_000_000)?,
                pull: match options.loss.as_deref() {
                    Some("cross-entropy") => Pull::CrossEntropy,
                    Some("hinge") => Pull::Hinge,
                    other => {
                        let other = other.unwrap_or_default();
                        return Err(CliError::Input(format!(
                            "--loss '{other}': expected cross-entropy or hinge"
                        )));
                    }
                },
                dt: dt()?,
                time: time()?,
                seed,
            };
            steps(plan.time, plan.dt)?;
            let points = (plan.grid * plan.grid).max(plan.samples) as f64;
            memory::check_bytes("grid, --samples", 200.0 * points)?;
            Plan::Phase(plan)
        }
        (Experiment::Race, _) => Plan::Race(race::Plan {
            initial: some("initial", &options.initial, "numbers from 1e-12 to 0.9", |u: f64| {
                (1e-12..=0.9).contains(&u)
            })?,
            dt: dt()?,
        }),
        (Experiment::Starvation, None) => Plan::Starvation(starvation::Plan {
            frequencies: some("lambda", &options.lambda, "numbers from 0.0001 to 0.999", |l: f64| {
                (1e-4..=0.999).contains(&l)
            })?,
            tolerances: some("delta", &options.delta, "numbers from 1e-4 to 0.4", |d: f64| {
                (1e-4..=0.4).contains(&d)
            })?,
            norms: pair("norms", &options.norms, "two numbers from 0.1 to 10", |r| {
                (0.1..=10.0).contains(&r)
            })?,
            width: size("width", options.width, 1, 4096)?,
            scale: number("scale", &options.scale, "a number from 1e-6 to 0.1", |s| {
                (1e-6..=0.1).contains(&s)
            })?,
            dt: dt()?,
        }),
        (Experiment::Starvation, Some("two-moons")) => Plan::TwoMoons(two_moons::Plan {
            replicas: size("replicas", options.replicas, 1, 1000)? as u64,
            epochs: size("epochs", options.epochs, 1, 10_000_000)? as u64,
            penalty: number("penalty", &options.penalty, "a positive number", positive)?,
            centres: pair("centres", &options.centres, "two numbers from -100 to 100", |c| {
                c.abs() <= 100.0
            })?,
            width: size("width", options.width, 1, 100_000)?,
            seed,
        }),
        (Experiment::Starvation, Some("brightness")) => {
            let labels = some("pair", &options.pair, "two labels from 0 to 255", |_: u8| true)?;
            let pair = <[u8; 2]>::try_from(labels)
                .map_err(|_| CliError::Input("--pair: expected two labels from 0 to 255".into()))?;
            Plan::Brightness(brightness::Plan {
                pair,
                fractions: some("fractions", &options.fractions, "numbers from 0 to 1", |q: f64| {
                    (0.0..=1.0).contains(&q)
                })?,
                samples: size("samples", options.samples, 2, 10_000_000)?,
                replicas: size("replicas", options.replicas, 1, 1000)? as u64,
                epochs: size("epochs", options.epochs, 1, 10_000_000)? as u64,
                penalty: number("penalty", &options.penalty, "a positive number", positive)?,
                seed,
            })
        }
        (Experiment::Starvation, Some(_)) => {
            if options.data.is_none() {
                return Err(CliError::Input(
                    "--study coloured-mnist: expected --data with a folder that holds MNIST".into(),
                ));
            }
            let restarts = options.restarts.unwrap_or_default();
            if !(1..=10_000).contains(&restarts) {
                return Err(CliError::Input(format!("--restarts {restarts}: expected 1 to 10000")));
            }
            Plan::ColouredMnist { restarts }
        }
    })
}
