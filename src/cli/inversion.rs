//! `disentangle inversion`: options to a recipe, run, folder.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

use disentangle::backend::{Backend, Cpu, Reference};
use disentangle::data::{Dataset, DeadPixels, LabelRule, Standardize, TensorFile, TensorRef, write_tensors};
use disentangle::nn::network::Parameters;
use disentangle::nn::{Activation, Architecture, Initializer, Loss, Optimizer, Schedule};
use disentangle::report::page::headline;
use disentangle::report::{self, RunFacts, create_run_folder, write_atomic};
use disentangle::study::inversion::{Finished, Setup, run as run_study};
use disentangle::study::prepare::{Preparation, Prepared};
use disentangle::train::{Batch, Recipe};
use serde_json::json;

use super::error::CliError;
use super::facts;
use super::guard::{CHECKPOINT, Guard};
use super::options::InversionOptions;
use super::progress::Reporter;

/// Runs the subcommand.
///
/// # Errors
/// [`CliError::Input`] for options, data and weights that do not fit; [`CliError::Failed`] for a folder that cannot be
/// written.
pub fn run(given: InversionOptions) -> Result<(), CliError> {
    let (out, quiet, json) = (given.out.clone(), given.quiet, given.json);
    let options = resolve(given.with_config()?);
    let dataset = match &options.data {
        Some(folder) => Dataset::open(folder)?,
        None => Dataset::digits()?,
    };
    let data = Prepared::new(&dataset, &preparation(&options)?)?;
    let recipe = recipe(&options, &data)?;
    let initial = initial(&options, &recipe)?;
    let (backend, device) = backend(&options)?;
    let folder = folder(out)?;
    create_run_folder(&folder)?;
    let config = toml::to_string(&options).map_err(|e| CliError::Failed(format!("config.toml: {e}")))?;
    write_atomic(&folder.join("config.toml"), config.as_bytes())?;
    warn_of_dead_pixels(&options, &data, quiet);

    let started = (Instant::now(), facts::unix_seconds());
    let reporter = Reporter::new(recipe.epochs, quiet || json);
    let mut guard = Guard::new(reporter, recipe.replicas.len(), folder.join(CHECKPOINT))?;
    let setup = Setup {
        recipe: &recipe,
        data: &data,
        initial: &initial,
        test_every: options.test_every.unwrap_or_default(),
    };
    let Some(finished) = run_study(setup, backend.as_ref(), None, &mut guard)? else {
        return Err(CliError::Interrupted(folder));
    };
    let seconds = started.0.elapsed().as_secs_f64();

    let weights = folder.join("weights");
    std::fs::create_dir_all(&weights)
        .map_err(|cause| CliError::Failed(format!("{}: cannot create the folder: {cause}", weights.display())))?;
    save_weights(&weights.join("initial.safetensors"), &recipe, &initial)?;
    save_weights(&weights.join("final.safetensors"), &recipe, &finished.parameters)?;
    let run = json!({
        "disentangle": env!("CARGO_PKG_VERSION"),
        "command": options.command(),
        "device": device,
        "processor": facts::processor(),
        "data": {
            "name": dataset.name,
            "sha256": facts::data_hashes(&dataset),
            "train_samples": data.train_labels.len(),
            "test_samples": data.test_labels.len(),
            "dead_pixels": data.dead_pixels,
            "test_samples_lighting_dead_pixels": data.lit_test_rows,
        },
        "largest_number_of_zero_rows": finished.zero_rows,
        "started_unix_seconds": started.1,
        "training_seconds": seconds,
    });
    write_atomic(&folder.join("run.json"), format!("{run:#}\n").as_bytes())?;
    let configuration = match toml::Value::try_from(&options) {
        Ok(toml::Value::Table(table)) => table
            .into_iter()
            .map(|(name, value)| (name, value.to_string().trim_matches('"').to_string()))
            .collect(),
        _ => Vec::new(),
    };
    let facts = RunFacts {
        title: format!("Inversion on {}", dataset.name),
        command: options.command(),
        configuration,
        data: description(&options, &dataset, &data),
        device: format!("{device}, {}", facts::processor()),
        seconds,
    };
    let page = report::write_run(&folder, &finished.outcome, &facts)?;
    print(&finished, &folder, &page, json, seconds)
}

/// Puts the defaults where nothing was given.
fn resolve(given: InversionOptions) -> InversionOptions {
    let embedded = given.data.is_none();
    let word = |given: Option<String>, default: &str| Some(given.unwrap_or_else(|| default.into()));
    InversionOptions {
        data_offset: Some(given.data_offset.unwrap_or(0)),
        labels: word(given.labels, "parity"),
        standardize: word(given.standardize, "pixel"),
        dead_pixels: word(given.dead_pixels, "formula"),
        hidden: word(given.hidden, "20"),
        activation: word(given.activation, "tanh"),
        initializer: word(given.initializer, "pytorch"),
        loss: word(given.loss, "cross-entropy"),
        optimizer: word(given.optimizer, "sgd"),
        lr: Some(given.lr.unwrap_or(if embedded { 0.5 } else { 0.1 })),
        schedule: word(given.schedule, "constant"),
        momentum: Some(given.momentum.unwrap_or(0.0)),
        weight_decay: Some(given.weight_decay.unwrap_or(0.0)),
        l2: Some(given.l2.unwrap_or(0.0)),
        batch: word(given.batch, "full"),
        epochs: Some(given.epochs.unwrap_or(if embedded { 100 } else { 500 })),
        replicas: Some(given.replicas.unwrap_or(16)),
        first_replica: Some(given.first_replica.unwrap_or(0)),
        seed: Some(given.seed.unwrap_or(0)),
        layer: word(given.layer, "last"),
        test_every: Some(given.test_every.unwrap_or(1)),
        device: word(given.device, "cpu"),
        threads: given
            .threads
            .or_else(|| std::thread::available_parallelism().ok().map(usize::from)),
        ..given
    }
}

/// Parses an option that `resolve` has filled, naming it in the error.
fn parse<T: FromStr<Err: std::fmt::Display>>(name: &str, given: &Option<String>) -> Result<T, CliError> {
    let text = given.as_deref().unwrap_or_default();
    text.parse()
        .map_err(|error| CliError::Input(format!("--{name}: {error}")))
}

fn preparation(options: &InversionOptions) -> Result<Preparation, CliError> {
    Ok(Preparation {
        labels: parse::<LabelRule>("labels", &options.labels)?,
        train_samples: options.train_samples,
        data_offset: options.data_offset.unwrap_or_default(),
        standardize: parse::<Standardize>("standardize", &options.standardize)?,
        dead_pixels: parse::<DeadPixels>("dead-pixels", &options.dead_pixels)?,
        seed: options.seed.unwrap_or_default(),
    })
}

fn recipe(options: &InversionOptions, data: &Prepared) -> Result<Recipe, CliError> {
    let bad = |line: String| CliError::Input(line);
    let loss: Loss = parse("loss", &options.loss)?;
    let optimizer: Optimizer = parse("optimizer", &options.optimizer)?;
    let hidden = options.hidden.as_deref().unwrap_or_default();
    let hidden: Vec<usize> = hidden
        .split(',')
        .map(|width| width.trim().parse().ok().filter(|&w| w > 0))
        .collect::<Option<_>>()
        .ok_or_else(|| {
            bad(format!(
                "--hidden '{hidden}': expected positive widths separated by commas"
            ))
        })?;
    let batch = match options.batch.as_deref().unwrap_or_default() {
        "full" => Batch::Full,
        text => match text.parse() {
            Ok(size) if size > 0 => Batch::Size(size),
            _ => return Err(bad(format!("--batch '{text}': expected full or a positive number"))),
        },
    };
    let layers = match options.layer.as_deref().unwrap_or_default() {
        "last" => vec![hidden.len() - 1],
        "all" => (0..hidden.len()).collect(),
        text => match text.parse::<usize>() {
            Ok(n) if (1..=hidden.len()).contains(&n) => vec![n - 1],
            _ => {
                return Err(bad(format!(
                    "--layer '{text}': expected 1 to {}, last or all",
                    hidden.len()
                )));
            }
        },
    };
    let (replicas, first) = (
        options.replicas.unwrap_or_default(),
        options.first_replica.unwrap_or_default(),
    );
    if replicas == 0 {
        return Err(bad("--replicas 0: expected at least 1".into()));
    }
    let end = first.checked_add(replicas as u64);
    let end = end.ok_or_else(|| bad(format!("--first-replica {first}: too large for {replicas} replicas")))?;
    let classes = data.classes.len();
    Ok(Recipe {
        architecture: Architecture {
            inputs: data.inputs,
            hidden,
            outputs: loss.outputs(classes),
            activation: parse::<Activation>("activation", &options.activation)?,
            bias: true,
        },
        classes,
        loss,
        l2: options.l2.unwrap_or_default(),
        rule: optimizer
            .rule(
                options.momentum.unwrap_or_default(),
                options.weight_decay.unwrap_or_default(),
            )
            .map_err(CliError::input)?,
        learning_rate: options.lr.unwrap_or_default(),
        schedule: parse::<Schedule>("schedule", &options.schedule)?,
        epochs: options.epochs.unwrap_or_default(),
        batch,
        seed: options.seed.unwrap_or_default(),
        replicas: (first..end).collect(),
        layers,
    })
}

fn initial(options: &InversionOptions, recipe: &Recipe) -> Result<Parameters, CliError> {
    let initializer: Initializer = parse("initializer", &options.initializer)?;
    let Some(path) = &options.init else {
        return Ok(recipe.architecture.initial(initializer, recipe.seed, &recipe.replicas));
    };
    let file = TensorFile::open(path)?;
    let mut given = Vec::new();
    for name in file.names() {
        let tensor = file.tensor(&name)?;
        given.push((tensor.name, tensor.shape, tensor.values));
    }
    recipe
        .architecture
        .adopt(&given, recipe.replicas.len())
        .map_err(|error| CliError::Input(format!("{}: {error}", path.display())))
}

/// The backend and what to call it.
fn backend(options: &InversionOptions) -> Result<(Box<dyn Backend>, String), CliError> {
    match options.device.as_deref().unwrap_or_default() {
        "reference" => Ok((Box::new(Reference), "reference (f64)".into())),
        "cpu" => {
            let threads = options.threads.unwrap_or(1);
            let cpu = Cpu::new(threads).map_err(CliError::input)?;
            let name = format!("cpu (f32), {}, {threads} threads", cpu.isa());
            Ok((Box::new(cpu), name))
        }
        other if other.starts_with("cuda") => Err(CliError::Input(format!(
            "--device '{other}': this build has no CUDA backend, expected cpu or reference"
        ))),
        other => Err(CliError::Input(format!(
            "--device '{other}': expected cpu or reference"
        ))),
    }
}

/// The folder asked for, or the first free `runs/inversion-N`.
fn folder(out: Option<PathBuf>) -> Result<PathBuf, CliError> {
    if let Some(out) = out {
        return Ok(out);
    }
    let free = (1..)
        .map(|n: u64| Path::new("runs").join(format!("inversion-{n}")))
        .find(|path| !path.exists());
    free.ok_or_else(|| CliError::Failed("runs: no free name left".into()))
}

fn warn_of_dead_pixels(options: &InversionOptions, data: &Prepared, quiet: bool) {
    let formula = options.dead_pixels.as_deref() == Some("formula") && options.standardize.as_deref() == Some("pixel");
    if data.lit_test_rows > 0 && formula && !quiet {
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
    let mut out = std::io::stdout().lock();
    let written = if json {
        let summary = report::summary::summary_json(&finished.outcome)?;
        writeln!(out, "{}", summary.trim_end())
    } else {
        writeln!(out, "{}", headline(&finished.outcome))
            .and_then(|()| writeln!(out, "{seconds:.1} s of training; tables in {}", folder.display()))
            .and_then(|()| writeln!(out, "{}", page.display()))
    };
    match written {
        Err(cause) if cause.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CliError::Failed(format!("standard output: {cause}")))
        }
        _ => Ok(()),
    }
}
