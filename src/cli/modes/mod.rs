//! `disentangle modes`: options to an experiment, networks and theory, folder.

mod coloured;
mod options;
mod plan;

use std::collections::BTreeMap;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Instant;

use disentangle::backend::{Backend, Cpu, Reference};
use disentangle::data::{Dataset, whole_file};
use disentangle::report::page::RunFacts;
use disentangle::report::{self, REPORT_HTML, write_atomic};
use disentangle::study::StudyError;
use disentangle::study::modes::findings::Findings;
use disentangle::study::modes::{brightness, curves, phase, race, starvation, two_moons};
use disentangle::train::TrainError;
use serde_json::json;

use super::error::CliError;
use super::findings::conclude;
use super::options::command_line;
use super::output::{new_folder, put, write_record};
use super::resume::CONFIG;
use super::{config, facts, resolve};
pub use options::ModesOptions;
use plan::Plan;

/// Runs the subcommand. Whatever can be wrong with the input is found before the folder is made.
///
/// # Errors
/// [`CliError::Input`] for options and data that do not fit; [`CliError::Failed`] for a folder that cannot be written.
pub fn run(mut given: ModesOptions) -> Result<(), CliError> {
    let expected = "modes: expected curves, phase, race or starvation";
    let experiment = given.experiment.ok_or_else(|| CliError::Input(expected.into()))?;
    let (out, quiet, json, resume) = (given.out.take(), given.quiet, given.json, given.resume);
    let given = match (resume, &out) {
        (true, Some(folder)) => resumed(given, folder)?,
        _ => match given.config.take() {
            None => given,
            Some(path) => given.or(config::read_as(&path)?),
        },
    };
    let options = plan::defaults(experiment, given)?;
    let plan = plan::plan(experiment, &options)?;
    if resume && !matches!(plan, Plan::ColouredMnist { .. }) {
        return Err(CliError::Input(
            "--resume: expected a run of --study coloured-mnist; the others take seconds".into(),
        ));
    }
    let device = options.device.clone().unwrap_or_default();
    let threads = options.threads.unwrap_or(1);
    if matches!(plan, Plan::Phase(_)) && device.starts_with("cuda") {
        return Err(CliError::Input(format!(
            "--device '{device}': `modes phase` gives each thread a backend of its own, expected cpu or reference"
        )));
    }
    // A handful of rows is one lane, which threads do not share out: more than one would only wait.
    let few_rows = matches!(plan, Plan::Curves(_) | Plan::Race(_) | Plan::Starvation(_));
    let (backend, device_words) = resolve::backend_named(&device, if few_rows { 1 } else { threads })?;
    let dataset = match (&plan, &options.data) {
        (Plan::ColouredMnist { .. } | Plan::Brightness(_), Some(folder)) => Some(Dataset::open(folder)?),
        (Plan::Brightness(_), None) => Some(Dataset::digits()?),
        _ => None,
    };
    if let (Plan::ColouredMnist { .. }, Some(dataset)) = (&plan, &dataset) {
        coloured::check(dataset)?;
    }
    if let (Plan::Brightness(plan), Some(dataset)) = (&plan, &dataset) {
        brightness::check(plan, dataset)?;
    }
    let kind = options.study.as_deref().unwrap_or_else(|| experiment.name());
    let config = toml::to_string(&options)
        .map_err(|cause| CliError::Input(format!("an option that config.toml cannot hold: {cause}")))?;
    let folder = match out {
        Some(folder) if resume => {
            whole_file::sweep(&folder);
            folder
        }
        out => {
            let folder = new_folder(out, &format!("modes-{kind}"))?;
            write_atomic(&folder.join(CONFIG), config.as_bytes())?;
            folder
        }
    };
    let command = command_line(&format!("modes {}", experiment.name()), &options.given());
    let mut record = json!({
        "disentangle": env!("CARGO_PKG_VERSION"),
        "experiment": format!("modes {kind}"),
        "command": command,
        "configuration": options.given().into_iter().collect::<BTreeMap<_, _>>(),
        "device": device_words,
        "processor": facts::processor(),
        "started_unix_seconds": facts::unix_seconds(),
    });
    if let Some(dataset) = &dataset {
        put(
            &mut record,
            "data",
            json!({ "name": dataset.name, "sha256": facts::data_hashes(dataset) }),
        );
    }
    write_record(&folder, &record)?;

    let started = Instant::now();
    let silent = quiet || json;
    let mut tell = |words: &str| {
        if !silent {
            let _ = writeln!(std::io::stderr(), "{words}");
        }
    };
    let found = match &plan {
        Plan::Curves(plan) => curves::run(plan, backend.as_ref(), &mut tell)?,
        Plan::Phase(plan) => {
            // Each thread has blocks of replicas of its own: one row makes one lane, which a backend does not share out.
            let make = || one_thread(&device);
            let threads = NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN);
            phase::run(plan, threads, &make, &mut tell)?
        }
        Plan::Race(plan) => race::run(plan, backend.as_ref(), &mut tell)?,
        Plan::Starvation(plan) => starvation::run(plan, backend.as_ref(), &mut tell)?,
        Plan::TwoMoons(plan) => two_moons::run(plan, backend.as_ref(), &mut tell)?,
        Plan::Brightness(plan) => match &dataset {
            Some(dataset) => brightness::run(plan, dataset, backend.as_ref(), &mut tell)?,
            None => Findings::default(),
        },
        Plan::ColouredMnist { restarts } => match &dataset {
            Some(dataset) => {
                let seed = options.seed.unwrap_or_default();
                coloured::run(*restarts, seed, dataset, backend.as_ref(), &folder, &mut tell)?
            }
            None => Findings::default(),
        },
    };
    let seconds = started.elapsed().as_secs_f64();
    put(&mut record, "seconds", json!(seconds));
    let facts = RunFacts {
        title: found.title.clone(),
        command,
        configuration: options.given(),
        data: dataset.map_or_else(|| "drawn from the seed".into(), |dataset| dataset.name),
        device: format!("{device_words}, {}", facts::processor()),
        seconds,
        underway: None,
    };
    let page = report::modes::write(&folder, &found, &facts)?;
    write_record(&folder, &record)?;
    conclude(&found, (&folder, &page), seconds, json)
}

/// The options of the run in `--out`; of those on the command line only the number of threads counts.
fn resumed(given: ModesOptions, folder: &Path) -> Result<ModesOptions, CliError> {
    if let Some((name, _)) = given
        .given()
        .iter()
        .find(|(name, _)| name != "threads" && name != "study" && name != "restarts")
    {
        return Err(CliError::Input(format!(
            "--{name}: --resume takes it from the folder's {CONFIG}, expected no --{name}"
        )));
    }
    if folder.join(REPORT_HTML).exists() && given.restarts.is_none() {
        return Err(CliError::Input(format!(
            "{}: this run is complete; --restarts adds to it",
            folder.display()
        )));
    }
    let options: ModesOptions = config::read_as(&folder.join(CONFIG))?;
    Ok(given.or(options))
}

/// A backend for one of several threads.
fn one_thread(device: &str) -> Result<Box<dyn Backend>, StudyError> {
    Ok(match device {
        "reference" => Box::new(Reference),
        _ => Box::new(Cpu::new(1).map_err(TrainError::from)?),
    })
}
