//! `disentangle hinge-theory --study NAME`: what needs no training, the equations alone and networks frozen at a gamma.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Instant;

use disentangle::report::page::RunFacts;
use disentangle::report::{self, write_atomic};
use disentangle::study::hinge_theory::{equations, frozen};
use serde_json::json;

use super::options::HingeOptions;
use super::plan::list;
use crate::cli::error::CliError;
use crate::cli::findings::conclude;
use crate::cli::options::command_line;
use crate::cli::output::{new_folder, write_record};
use crate::cli::resume::CONFIG;
use crate::cli::{facts, resolve};

/// The studies, and the options that each knows beside its own name.
const STUDIES: [(&str, &[&str]); 2] = [
    ("equations", &[]),
    (
        "frozen-nodes",
        &[
            "gammas",
            "nodes",
            "dimension",
            "test-samples",
            "replicas",
            "seed",
            "device",
            "threads",
        ],
    ),
];

/// Runs a study.
///
/// # Errors
/// [`CliError::Input`] for options that do not fit; [`CliError::Failed`] for a folder that cannot be written.
pub fn run(study: &str, given: HingeOptions) -> Result<(), CliError> {
    let Some((_, known)) = STUDIES.iter().find(|(name, _)| *name == study) else {
        let expected = STUDIES.map(|(name, _)| name).join(" or ");
        return Err(CliError::Input(format!("--study '{study}': expected {expected}")));
    };
    let unknown = |name: &String| name != "study" && !known.contains(&name.as_str());
    if let Some((name, _)) = given.given().iter().find(|(name, _)| unknown(name)) {
        return Err(CliError::Input(format!("--{name}: not an option of --study {study}")));
    }
    let (out, quiet, json) = (given.out.clone(), given.quiet, given.json);
    let options = if known.is_empty() {
        given
    } else {
        given.or(frozen_defaults())
    };
    let config = toml::to_string(&options)
        .map_err(|cause| CliError::Input(format!("an option that config.toml cannot hold: {cause}")))?;
    let device = options.device.as_deref().unwrap_or("cpu");
    let (backend, device) = resolve::backend_named(device, options.threads.unwrap_or(1))?;
    let plan = match study {
        "frozen-nodes" => Some(plan(&options)?),
        _ => None,
    };
    let folder = new_folder(out, &format!("hinge-theory-{study}"))?;
    write_atomic(&folder.join(CONFIG), config.as_bytes())?;
    let command = command_line("hinge-theory", &options.given());
    let started = Instant::now();
    let mut tell = |words: &str| {
        if !quiet && !json {
            let _ = writeln!(std::io::stderr(), "{words}");
        }
    };
    let found = match &plan {
        Some(plan) => frozen::run(plan, backend.as_ref(), &mut tell)?,
        None => equations::run()?,
    };
    let seconds = started.elapsed().as_secs_f64();
    let record = json!({
        "disentangle": env!("CARGO_PKG_VERSION"),
        "experiment": format!("hinge-theory {study}"),
        "command": command,
        "configuration": options.given().into_iter().collect::<BTreeMap<_, _>>(),
        "device": device,
        "processor": facts::processor(),
        "started_unix_seconds": facts::unix_seconds(),
        "seconds": seconds,
    });
    write_record(&folder, &record)?;
    let facts = RunFacts {
        title: found.title.clone(),
        command,
        configuration: options.given(),
        data: "drawn from the seed: a teacher's examples".into(),
        device: format!("{device}, {}", facts::processor()),
        seconds,
        underway: None,
    };
    let page = report::modes::write(&folder, &found, &facts)?;
    conclude(&found, (&folder, &page), seconds, json)
}

/// M and d of the paper's Fig. 1, enough networks to judge by.
fn frozen_defaults() -> HingeOptions {
    HingeOptions {
        gammas: Some("0.3,0.6,1,1.5,2,2.5".into()),
        nodes: Some(400),
        dimension: Some(100),
        test_samples: Some(10_000),
        replicas: Some(24),
        seed: Some(0),
        device: Some("cpu".into()),
        threads: std::thread::available_parallelism().ok().map(usize::from),
        ..HingeOptions::default()
    }
}

fn plan(options: &HingeOptions) -> Result<frozen::Plan, CliError> {
    let gammas = list::<f64>("gammas", &options.gammas, "numbers between commas")?;
    // Beyond 20 the weights leave what f32 can add up.
    if let Some(gamma) = gammas.iter().find(|g| !(**g > 0.0 && **g <= 20.0)) {
        return Err(CliError::Input(format!(
            "--gammas {gamma}: expected numbers above 0 and at most 20"
        )));
    }
    let positive = |name: &str, value: Option<usize>| match value {
        Some(value @ 1..=100_000) => Ok(value),
        other => Err(CliError::Input(format!(
            "--{name} {}: expected 1 to 100000",
            other.unwrap_or_default()
        ))),
    };
    let plan = frozen::Plan {
        nodes: positive("nodes", options.nodes)?,
        dimension: options.dimension.unwrap_or_default(),
        test_examples: positive("test-samples", options.test_samples)?,
        replicas: positive("replicas", options.replicas)? as u64,
        gammas,
        seed: options.seed.unwrap_or_default(),
    };
    frozen::check(&plan)?;
    Ok(plan)
}
