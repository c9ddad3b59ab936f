//! From options to what runs: defaults, then each option read and checked under its own name.

use std::fmt;
use std::str::FromStr;

use disentangle::autograd::TEMPERATURES;
#[cfg(feature = "cuda")]
use disentangle::backend::Cuda;
#[cfg(feature = "cuda")]
use disentangle::backend::cuda::CudaError;
use disentangle::backend::{Backend, BackendError, Cpu, Reference};
use disentangle::data::{Channels, DataError, DeadPixels, LabelRule, Standardize, Subset, TensorFile};
use disentangle::geometry::Settings;
use disentangle::nn::network::Parameters;
use disentangle::nn::{Activation, Architecture, Initializer, Loss, NnError, Optimizer, Schedule};
use disentangle::study::StudyError;
use disentangle::study::follow::Follow;
use disentangle::study::keep::{Epochs, Keeps};
use disentangle::study::prepare::{Preparation, Prepared};
use disentangle::train::{Batch, Entanglement, Recipe};

use super::error::CliError;
use super::memory;
use super::options::InversionOptions;

/// The first and the last weights, and no others.
const FINAL: &str = "final";

/// Epochs between two looks at metrics that are followed.
const MEASURE_EVERY: usize = 10;

/// Puts the defaults where nothing was given.
pub fn defaults(given: InversionOptions) -> InversionOptions {
    let embedded = given.data.is_none();
    let word = |given: Option<String>, default: &str| Some(given.unwrap_or_else(|| default.into()));
    InversionOptions {
        data_offset: Some(given.data_offset.unwrap_or(0)),
        subset: word(given.subset, "consecutive"),
        labels: word(given.labels, "parity"),
        standardize: word(given.standardize, "pixel"),
        dead_pixels: word(given.dead_pixels, "formula"),
        channels: word(given.channels, "grey-sum"),
        hidden: word(given.hidden, "20"),
        activation: word(given.activation, "tanh"),
        // Weights from a file are not drawn.
        initializer: match given.init {
            Some(_) => given.initializer,
            None => word(given.initializer, "pytorch"),
        },
        loss: word(given.loss, "cross-entropy"),
        optimizer: word(given.optimizer, "sgd"),
        lr: Some(given.lr.unwrap_or(if embedded { 0.5 } else { 0.1 })),
        schedule: word(given.schedule, "constant"),
        momentum: Some(given.momentum.unwrap_or(0.0)),
        weight_decay: Some(given.weight_decay.unwrap_or(0.0)),
        l2: Some(given.l2.unwrap_or(0.0)),
        snnl_layer: given.snnl_layer.or(given.snnl_weight.map(|_| "last".into())),
        snnl_temperature: given.snnl_temperature.or(given.snnl_weight.map(|_| 1.0)),
        batch: word(given.batch, "full"),
        epochs: Some(given.epochs.unwrap_or(if embedded { 100 } else { 500 })),
        replicas: Some(given.replicas.unwrap_or(16)),
        first_replica: Some(given.first_replica.unwrap_or(0)),
        seed: Some(given.seed.unwrap_or(0)),
        layer: word(given.layer, "last"),
        test_every: Some(given.test_every.unwrap_or(1)),
        measure_every: given.measure_every.or(given.metrics.is_some().then_some(MEASURE_EVERY)),
        save_activations: word(given.save_activations, "none"),
        save_weights: word(given.save_weights, FINAL),
        device: word(given.device, "cpu"),
        threads: given
            .threads
            .or_else(|| std::thread::available_parallelism().ok().map(usize::from)),
        ..given
    }
}

/// An error about the value of an option, as one line that begins with the option's name.
trait OfOption: fmt::Display {
    /// `--name 'value': expected ...`
    fn line(&self, name: &str) -> String;
}

impl OfOption for NnError {
    fn line(&self, name: &str) -> String {
        match self {
            NnError::Unknown { found, expected, .. } => format!("--{name} '{found}': expected {expected}"),
            other => format!("--{name}: {other}"),
        }
    }
}

impl OfOption for DataError {
    fn line(&self, name: &str) -> String {
        match self {
            DataError::Option { value, expected, .. } => format!("--{name} '{value}': expected {expected}"),
            other => format!("--{name}: {other}"),
        }
    }
}

/// Parses an option that [`defaults`] has filled.
fn parse<T: FromStr<Err: OfOption>>(name: &str, given: &Option<String>) -> Result<T, CliError> {
    let text = given.as_deref().unwrap_or_default();
    text.parse().map_err(|error: T::Err| CliError::Input(error.line(name)))
}

/// A number that satisfies `fits`.
fn number(name: &str, given: Option<f64>, expected: &str, fits: fn(f64) -> bool) -> Result<f64, CliError> {
    let value = given.unwrap_or_default();
    if value.is_finite() && fits(value) {
        Ok(value)
    } else {
        Err(CliError::Input(format!("--{name} {value}: expected {expected}")))
    }
}

/// What to make of the data.
///
/// # Errors
/// [`CliError::Input`]
pub fn preparation(options: &InversionOptions) -> Result<Preparation, CliError> {
    Ok(Preparation {
        labels: parse::<LabelRule>("labels", &options.labels)?,
        train_samples: options.train_samples,
        data_offset: options.data_offset.unwrap_or_default(),
        subset: parse::<Subset>("subset", &options.subset)?,
        standardize: parse::<Standardize>("standardize", &options.standardize)?,
        dead_pixels: parse::<DeadPixels>("dead-pixels", &options.dead_pixels)?,
        channels: parse::<Channels>("channels", &options.channels)?,
        seed: options.seed.unwrap_or_default(),
    })
}

/// An error of preparing the data, under the options that it is about.
pub fn of_preparation(error: StudyError) -> CliError {
    match error {
        StudyError::Data(DataError::Selection { .. }) => {
            CliError::Input(format!("--train-samples, --data-offset: {error}"))
        }
        StudyError::Data(DataError::EmptyClass { .. } | DataError::UnknownLabel { .. }) => {
            CliError::Input(format!("--{error}"))
        }
        other => other.into(),
    }
}

/// Options that are read before the data are: what is wrong with them is told at once.
pub struct Training {
    hidden: Vec<usize>,
    activation: Activation,
    initializer: Option<Initializer>,
    loss: Loss,
    optimizer: Optimizer,
    momentum: f64,
    weight_decay: f64,
    l2: f64,
    entanglement: Option<Entanglement>,
    learning_rate: f64,
    schedule: Schedule,
    batch: Batch,
    layers: Vec<usize>,
    holds_layers: bool,
    epochs: usize,
    seed: u64,
    first_replica: u64,
    replicas: usize,
}

/// What to keep on the way, and whether to keep the first and the last weights.
///
/// # Errors
/// [`CliError::Input`] for what are no epochs, or epochs that the run does not come to.
pub fn keeps(options: &InversionOptions) -> Result<(Keeps, bool), CliError> {
    let last = options.epochs.unwrap_or_default();
    let read = |name: &str, text: &str, also: &str| -> Result<Epochs, CliError> {
        let named = |error| CliError::Input(format!("--{name} '{text}': {error}{also}"));
        let epochs: Epochs = text.parse().map_err(named)?;
        let named = |error| CliError::Input(format!("--{name} '{text}': {error}"));
        epochs.check(last).map_err(named)?;
        Ok(epochs)
    };
    let activations = options.save_activations.as_deref().unwrap_or("none");
    let weights = options.save_weights.as_deref().unwrap_or(FINAL);
    let keeps = Keeps {
        activations: read("save-activations", activations, "")?,
        weights: match weights {
            FINAL => Epochs::Never,
            other => read("save-weights", other, ", or final")?,
        },
    };
    Ok((keeps, weights != "none"))
}

/// Which metrics to follow.
///
/// # Errors
/// [`CliError::Input`] for an unknown one, or one that a run cannot have.
pub fn follow(options: &InversionOptions) -> Result<Follow, CliError> {
    let Some(list) = &options.metrics else {
        return match options.measure_every {
            None => Ok(Follow::default()),
            Some(every) => Err(CliError::Input(format!(
                "--measure-every {every}: expected --metrics too"
            ))),
        };
    };
    let every = options.measure_every.unwrap_or(MEASURE_EVERY);
    if every == 0 {
        return Err(CliError::Input("--measure-every 0: expected at least 1".into()));
    }
    let settings = Settings {
        threads: options.threads.unwrap_or(1),
        ..Settings::default()
    };
    Follow::new(list, every, settings).map_err(|error| CliError::Input(format!("--metrics: {error}")))
}

/// How to train.
///
/// # Errors
/// [`CliError::Input`]
pub fn training(options: &InversionOptions) -> Result<Training, CliError> {
    let hidden = widths(options.hidden.as_deref().unwrap_or_default())?;
    let optimizer: Optimizer = parse("optimizer", &options.optimizer)?;
    let name = options.optimizer.as_deref().unwrap_or_default();
    let momentum = number("momentum", options.momentum, "at least 0 and below 1", |m| {
        (0.0..1.0).contains(&m)
    })?;
    match optimizer {
        Optimizer::Adam | Optimizer::AdamW if momentum != 0.0 => {
            let line = format!("--momentum {momentum}: expected 0 or none with --optimizer {name}, which has its own");
            return Err(CliError::Input(line));
        }
        Optimizer::Nesterov if momentum == 0.0 => {
            let line = "--momentum 0: expected above 0 with --optimizer nesterov";
            return Err(CliError::Input(line.into()));
        }
        _ => {}
    }
    let (replicas, first_replica) = (
        options.replicas.unwrap_or_default(),
        options.first_replica.unwrap_or_default(),
    );
    if replicas == 0 {
        return Err(CliError::Input("--replicas 0: expected at least 1".into()));
    }
    let initializer = match (&options.init, &options.initializer) {
        (Some(_), Some(_)) => {
            let line = "--initializer with --init: expected one of them, as weights from a file are not drawn";
            return Err(CliError::Input(line.into()));
        }
        (Some(_), None) => None,
        (None, _) => Some(parse::<Initializer>("initializer", &options.initializer)?),
    };
    let hidden_layers = hidden.len();
    Ok(Training {
        holds_layers: options.metrics.is_some()
            || options.save_activations.as_deref().is_some_and(|when| when != "none"),
        layers: layers(options.layer.as_deref().unwrap_or_default(), hidden.len())?,
        hidden,
        activation: parse("activation", &options.activation)?,
        initializer,
        loss: parse("loss", &options.loss)?,
        optimizer,
        momentum,
        weight_decay: number("weight-decay", options.weight_decay, "at least 0", |d| d >= 0.0)?,
        l2: number("l2", options.l2, "at least 0", |l| l >= 0.0)?,
        entanglement: entanglement(options, hidden_layers)?,
        learning_rate: number("lr", options.lr, "a positive number", |e| e > 0.0)?,
        schedule: parse("schedule", &options.schedule)?,
        batch: batch(options.batch.as_deref().unwrap_or_default())?,
        epochs: options.epochs.unwrap_or_default(),
        seed: options.seed.unwrap_or_default(),
        first_replica,
        replicas,
    })
}

fn widths(text: &str) -> Result<Vec<usize>, CliError> {
    let width = |text: &str| text.trim().parse().ok().filter(|&width| width > 0);
    let expected = || {
        CliError::Input(format!(
            "--hidden '{text}': expected positive widths separated by commas"
        ))
    };
    text.split(',').map(width).collect::<Option<_>>().ok_or_else(expected)
}

/// The soft nearest neighbour loss that is added, if it has a weight.
fn entanglement(options: &InversionOptions, hidden: usize) -> Result<Option<Entanglement>, CliError> {
    let Some(weight) = options.snnl_weight else {
        let alone = match (&options.snnl_layer, options.snnl_temperature) {
            (None, None) => return Ok(None),
            (Some(layer), _) => format!("--snnl-layer {layer}"),
            (None, Some(temperature)) => format!("--snnl-temperature {temperature}"),
        };
        return Err(CliError::Input(format!("{alone}: expected --snnl-weight too")));
    };
    let text = options.snnl_layer.as_deref().unwrap_or_default();
    Ok(Some(Entanglement {
        weight: number("snnl-weight", Some(weight), "a number", |_| true)?,
        layer: hidden_layer("snnl-layer", text, hidden, ", or last")?,
        temperature: number(
            "snnl-temperature",
            options.snnl_temperature,
            &format!("a number from {:e} to {:e}", TEMPERATURES.start(), TEMPERATURES.end()),
            |t| TEMPERATURES.contains(&t),
        )?,
    }))
}

fn batch(text: &str) -> Result<Batch, CliError> {
    match (text, text.parse()) {
        ("full", _) => Ok(Batch::Full),
        (_, Ok(size)) if size > 0 => Ok(Batch::Size(size)),
        _ => Err(CliError::Input(format!(
            "--batch '{text}': expected full or a positive number"
        ))),
    }
}

/// Layer numbers, from 1 as the user counts, to indices.
fn layers(text: &str, hidden: usize) -> Result<Vec<usize>, CliError> {
    match text {
        "all" => Ok((0..hidden).collect()),
        _ => Ok(vec![hidden_layer("layer", text, hidden, ", or last or all")?]),
    }
}

/// One layer's number, from 1 as the user counts, to its index; `or` is what else the option may be.
fn hidden_layer(name: &str, text: &str, hidden: usize, or: &str) -> Result<usize, CliError> {
    match (text, text.parse()) {
        ("last", _) => Ok(hidden - 1),
        (_, Ok(n)) if (1..=hidden).contains(&n) => Ok(n - 1),
        _ => Err(CliError::Input(format!(
            "--{name} '{text}': expected the number of a hidden layer, of which there {}{or}",
            if hidden == 1 {
                "is 1".into()
            } else {
                format!("are {hidden}")
            }
        ))),
    }
}

impl Training {
    /// The recipe on prepared data.
    ///
    /// # Errors
    /// [`CliError::Input`] if it does not fit the data or the memory.
    pub fn recipe(&self, data: &Prepared) -> Result<Recipe, CliError> {
        let classes = data.classes.len();
        let architecture = Architecture {
            inputs: data.inputs,
            hidden: self.hidden.clone(),
            outputs: self.loss.outputs(classes),
            activation: self.activation,
            bias: true,
        };
        let rule = self.optimizer.rule(self.momentum, self.weight_decay);
        let rule = rule.map_err(CliError::input)?;
        let held = if self.holds_layers { self.layers.as_slice() } else { &[] };
        memory::check(&architecture, rule, self.replicas, data.train_labels.len(), held)?;
        let (first, count) = (self.first_replica, self.replicas);
        let end = first.checked_add(count as u64).ok_or_else(|| {
            CliError::Input(format!(
                "--first-replica {first}: expected less, the last of {count} replicas has a number above {}",
                u64::MAX
            ))
        })?;
        let recipe = Recipe {
            architecture,
            classes,
            loss: self.loss,
            l2: self.l2,
            entanglement: self.entanglement,
            rule,
            learning_rate: self.learning_rate,
            schedule: self.schedule,
            epochs: self.epochs,
            batch: self.batch,
            seed: self.seed,
            replicas: (first..end).collect(),
            layers: self.layers.clone(),
        };
        recipe.check().map_err(CliError::input)?;
        Ok(recipe)
    }

    /// The parameters to start from: drawn, or those of `--init`.
    ///
    /// # Errors
    /// [`CliError::Input`] for a file that is not there, is none, or does not fit.
    pub fn initial(&self, options: &InversionOptions, recipe: &Recipe) -> Result<Parameters, CliError> {
        let Some(path) = &options.init else {
            return Ok(recipe.initial(self.initializer.unwrap_or_default()));
        };
        let file = TensorFile::open(path)?;
        let mut given = Vec::new();
        for name in file.names() {
            let tensor = file.tensor(&name)?;
            given.push((tensor.name, tensor.shape, tensor.values));
        }
        let adopted = recipe.architecture.adopt(&given, recipe.replicas.len());
        adopted.map_err(|error| CliError::Input(format!("{}: {error}", path.display())))
    }
}

/// Why so many threads are not to be had, under the option's name.
pub fn threads_error(threads: usize, error: &BackendError) -> CliError {
    match error {
        BackendError::Threads { reason } => CliError::Input(format!("--threads {threads}: {reason}")),
        other => CliError::input(other),
    }
}

/// The backend and what to call it.
///
/// # Errors
/// [`CliError::Input`] for one that is not there.
pub fn backend(options: &InversionOptions) -> Result<(Box<dyn Backend>, String), CliError> {
    backend_named(
        options.device.as_deref().unwrap_or_default(),
        options.threads.unwrap_or(1),
    )
}

/// The backend of that name and what to call it.
///
/// # Errors
/// As [`backend`].
pub fn backend_named(device: &str, threads: usize) -> Result<(Box<dyn Backend>, String), CliError> {
    match device {
        "reference" => Ok((Box::new(Reference), "reference (f64)".into())),
        "cpu" => {
            let cpu = Cpu::new(threads).map_err(|error| threads_error(threads, &error))?;
            let name = format!("cpu (f32), {}, {threads} threads", cpu.isa());
            Ok((Box::new(cpu), name))
        }
        _ if names_cuda(device) => cuda(device),
        _ => Err(CliError::Input(format!("--device '{device}': expected {DEVICES}"))),
    }
}

/// Whether a device of this name is a CUDA one.
pub fn names_cuda(device: &str) -> bool {
    device == "cuda" || device.starts_with("cuda:")
}

/// What to call it.
#[cfg(feature = "cuda")]
pub fn cuda_described(cuda: &Cuda) -> String {
    let device = cuda.device();
    format!("cuda:{} (f32), {}", device.ordinal, device.name)
}

/// What `--device` takes in this build.
#[cfg(feature = "cuda")]
const DEVICES: &str = "cuda, cuda:N, cpu or reference";
#[cfg(not(feature = "cuda"))]
const DEVICES: &str = "cpu or reference";

#[cfg(feature = "cuda")]
fn cuda(device: &str) -> Result<(Box<dyn Backend>, String), CliError> {
    let cuda = cuda_device(device)?;
    let name = cuda_described(&cuda);
    Ok((Box::new(cuda), name))
}

/// The device of `cuda` (the first) or `cuda:N`.
///
/// # Errors
/// As [`backend`].
#[cfg(feature = "cuda")]
pub fn cuda_device(device: &str) -> Result<Cuda, CliError> {
    let number = device.strip_prefix("cuda:").unwrap_or("0");
    let wrong = |_| {
        CliError::Input(format!(
            "--device '{device}': expected a number from 0 on after 'cuda:'"
        ))
    };
    let ordinal = number.parse().map_err(wrong)?;
    Cuda::new(ordinal).map_err(|error| match error {
        // Where no device of this kind can be had, another kind is what is left.
        BackendError::Cuda(
            CudaError::NoDriver | CudaError::DriverTooOld { .. } | CudaError::Symbol { .. } | CudaError::NoDevice,
        ) => CliError::Input(format!("--device '{device}': {error}; expected cpu or reference")),
        BackendError::Cuda(_) => CliError::Input(format!("--device '{device}': {error}")),
        other => CliError::input(other),
    })
}

#[cfg(not(feature = "cuda"))]
fn cuda(device: &str) -> Result<(Box<dyn Backend>, String), CliError> {
    Err(CliError::Input(format!(
        "--device '{device}': this build has no CUDA backend (cargo's feature cuda), expected {DEVICES}"
    )))
}
