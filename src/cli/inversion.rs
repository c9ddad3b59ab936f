//! `disentangle inversion`: options to a recipe, run, folder.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use disentangle::data::{Dataset, TensorRef, write_tensors};
use disentangle::nn::network::Parameters;
use disentangle::report::files::create_folder;
use disentangle::report::page::headline;
use disentangle::report::{self, Exhibits, RunFacts, create_run_folder, write_atomic};
use disentangle::study::inversion::{Finished, Setup, run as run_study};
use disentangle::study::movie::Movie;
use disentangle::study::outcome::{InversionOutcome, ReplicaOutcome};
use disentangle::study::prepare::Prepared;
use disentangle::train::Recipe;
use serde_json::json;

use super::error::CliError;
use super::guard::{self, CHECKPOINT, Guard};
use super::options::InversionOptions;
use super::progress::Reporter;
use super::resume::{self, CONFIG, RUN_JSON};
use super::{config, facts, resolve};

/// Runs the subcommand. Whatever can be wrong with the input is found before the folder is made.
///
/// # Errors
/// [`CliError::Input`] for options, data and weights that do not fit; [`CliError::Failed`] for a folder that cannot be
/// written.
pub fn run(given: InversionOptions) -> Result<(), CliError> {
    let (out, quiet, json, resume) = (given.out.clone(), given.quiet, given.json, given.resume);
    let interval = guard::interval(given.checkpoint_every)?;
    let options = if resume {
        resume::options(given)?
    } else {
        resolve::defaults(config::merge(given)?)
    };
    let config = toml::to_string(&options)
        .map_err(|cause| CliError::Input(format!("an option that config.toml cannot hold: {cause}")))?;
    let preparation = resolve::preparation(&options)?;
    let training = resolve::training(&options)?;
    let (backend, device) = resolve::backend(&options)?;
    let dataset = match &options.data {
        Some(folder) => Dataset::open(folder)?,
        None => Dataset::digits()?,
    };
    let data = Prepared::new(&dataset, &preparation).map_err(resolve::of_preparation)?;
    let recipe = training.recipe(&data)?;
    let initial = training.initial(&options, &recipe)?;
    let hashes = facts::data_hashes(&dataset);
    let (folder, from) = match out {
        Some(folder) if resume => {
            let from = resume::checkpoint(&folder, &recipe, &hashes)?;
            (folder, from)
        }
        out => {
            let folder = new_folder(out)?;
            write_atomic(&folder.join(CONFIG), config.as_bytes())?;
            (folder, None)
        }
    };
    let mut run = json!({
        "disentangle": env!("CARGO_PKG_VERSION"),
        "command": options.command(),
        "device": device,
        "processor": facts::processor(),
        "data": {
            "name": dataset.name,
            "sha256": hashes,
            "train_samples": data.train_labels.len(),
            "test_samples": data.test_labels.len(),
            "dead_pixels": data.dead_pixels,
            "test_samples_lighting_dead_pixels": data.lit_test_rows,
        },
        "started_unix_seconds": facts::unix_seconds(),
    });
    write_run_json(&folder, &run)?;
    if !(quiet || json) {
        warn_of_dead_pixels(&options, &data);
    }

    let started = Instant::now();
    let reporter = Reporter::new(recipe.epochs, quiet || json);
    let mut guard = Guard::new(reporter, recipe.replicas.len(), folder.join(CHECKPOINT), interval)?;
    let setup = Setup {
        recipe: &recipe,
        data: &data,
        initial: &initial,
        test_every: options.test_every.unwrap_or_default(),
    };
    let Some(finished) = run_study(setup, backend.as_ref(), from, &mut guard)? else {
        return Err(CliError::Interrupted(folder));
    };
    let seconds = started.elapsed().as_secs_f64();
    if !(quiet || json) {
        warn_of_divergence(&finished.outcome);
    }

    let weights = folder.join("weights");
    create_folder(&weights)?;
    save_weights(&weights.join("initial.safetensors"), &recipe, &initial)?;
    save_weights(&weights.join("final.safetensors"), &recipe, &finished.parameters)?;
    run["largest_number_of_zero_rows"] = json!(finished.zero_rows);
    run["training_seconds"] = json!(seconds);
    write_run_json(&folder, &run)?;
    let facts = RunFacts {
        title: format!("Inversion on {}", dataset.name),
        command: options.command(),
        configuration: options.given(),
        data: description(&options, &dataset, &data),
        device: format!("{device}, {}", facts::processor()),
        seconds,
    };
    let most = Exhibits::points(&dataset.train, finished.film.epochs.len());
    let movie = Movie::of(
        &finished.film,
        &recipe,
        &data,
        &finished.outcome,
        backend.as_ref(),
        most,
    )?;
    let exhibits = Exhibits {
        movie: movie.as_ref(),
        images: &dataset.train,
        pixel_max: dataset.pixel_max,
        samples: data.train_labels.len(),
    };
    let page = report::write_run_with(&folder, &finished.outcome, &facts, Some(&exhibits))?;
    // Only now is there nothing left to resume.
    resume::discard(&folder)?;
    print(&finished, &folder, &page, json, seconds)
}

fn write_run_json(folder: &Path, run: &serde_json::Value) -> Result<(), CliError> {
    Ok(write_atomic(&folder.join(RUN_JSON), format!("{run:#}\n").as_bytes())?)
}

/// Makes the folder asked for, or the first free `runs/inversion-N`.
fn new_folder(out: Option<PathBuf>) -> Result<PathBuf, CliError> {
    if let Some(out) = out {
        // Before anything ran, a folder that cannot be made is a wrong option.
        create_run_folder(&out).map_err(|cause| CliError::Input(format!("--out: {cause}")))?;
        return Ok(out);
    }
    let parent = Path::new("runs");
    let refused = |cause| CliError::Input(format!("{cause}; --out names another folder"));
    create_folder(parent).map_err(|cause| refused(cause.to_string()))?;
    for n in 1u64.. {
        let path = parent.join(format!("inversion-{n}"));
        // Making it is also what claims it: two runs that start together must not share a folder.
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {}
            Err(cause) => return Err(refused(format!("cannot create the folder {}: {cause}", path.display()))),
        }
    }
    Err(refused("runs: no free name left".into()))
}

fn warn_of_dead_pixels(options: &InversionOptions, data: &Prepared) {
    let formula = options.dead_pixels.as_deref() == Some("formula") && options.standardize.as_deref() == Some("pixel");
    if data.lit_test_rows > 0 && formula {
        let _ = writeln!(
            std::io::stderr(),
            "warning: {} pixels are the same in all {} training samples, and {} of {} test samples light one: divided by \
             1e-9 it becomes huge (--dead-pixels zero sets it to 0)",
            data.dead_pixels,
            data.train_labels.len(),
            data.lit_test_rows,
            data.test_labels.len()
        );
    }
}

fn warn_of_divergence(outcome: &InversionOutcome) {
    let diverged = |replica: &&ReplicaOutcome| replica.records.iter().any(|record| !record.train_loss.is_finite());
    let count = outcome.replicas.iter().filter(diverged).count();
    if count > 0 {
        let _ = writeln!(
            std::io::stderr(),
            "warning: the loss of {count} of {} replicas is not finite at some epoch (a smaller --lr may help)",
            outcome.replicas.len()
        );
    }
}

/// Writes parameters in f32, each with its leading replica axis, under PyTorch's names.
fn save_weights(path: &Path, recipe: &Recipe, parameters: &Parameters) -> Result<(), CliError> {
    let replicas = recipe.replicas.len();
    let shapes: Vec<Vec<usize>> = recipe
        .architecture
        .parameters()
        .iter()
        .map(|p| {
            if p.name.ends_with("bias") {
                vec![replicas, p.cols]
            } else {
                vec![replicas, p.rows, p.cols]
            }
        })
        .collect();
    let values: Vec<Vec<f32>> = parameters
        .iter()
        .map(|(_, values)| values.iter().map(|&v| v as f32).collect())
        .collect();
    let tensors: Vec<TensorRef> = parameters
        .iter()
        .zip(&shapes)
        .zip(&values)
        .map(|(((name, _), shape), values)| TensorRef { name, shape, values })
        .collect();
    write_tensors(path, &tensors).map_err(|error| CliError::Failed(error.to_string()))
}

fn description(options: &InversionOptions, dataset: &Dataset, data: &Prepared) -> String {
    let source = match options.data {
        Some(_) => dataset.name.clone(),
        None => "UCI optical digits, 8 x 8 (E. Alpaydin and C. Kaynak, 1998, doi:10.24432/C50P49, CC BY 4.0)".into(),
    };
    format!(
        "{source}: {} training samples from row {}, {} test samples, classes {}",
        data.train_labels.len(),
        data.train_rows.first().copied().unwrap_or_default(),
        data.test_labels.len(),
        data.classes.join(" and ")
    )
}

/// What the user sees at the end.
fn print(finished: &Finished, folder: &Path, page: &Path, json: bool, seconds: f64) -> Result<(), CliError> {
    let text = if json {
        report::summary::summary_json(&finished.outcome)?
    } else {
        format!(
            "{}\n{seconds:.1} s of training; tables in {}\n{}\n",
            headline(&finished.outcome),
            folder.display(),
            page.display()
        )
    };
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // A reader that has seen enough is no failure.
        Err(cause) if cause.kind() != ErrorKind::BrokenPipe => {
            Err(CliError::Failed(format!("standard output: {cause}")))
        }
        _ => Ok(()),
    }
}
