//! The options of `inversion`, as the command line and a configuration file name them.

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::config::text;

const INITIALIZERS: &str = "\
pytorch | kaiming-uniform | kaiming-normal | xavier-uniform
| xavier-normal | orthogonal | normal:SCALE [pytorch]";

const LOSSES: &str = "\
cross-entropy | logistic | hinge[:H] | squared-hinge[:H]
| mse [cross-entropy]";

const ACTIVATIONS: &str = "\
Hidden layers of --layer as npy: none | inversion (each replica
at its own stop epoch, a file each) | all | 0,10,50-60 [none]";

const WEIGHTS: &str = "\
Weights as safetensors: none | final (first and last) [final];
inversion, all or epochs, as above, beside those two";

/// A whole number as TOML can hold it.
pub fn whole(text: &str) -> Result<u64, String> {
    let number = text.parse::<i64>().ok().and_then(|n| u64::try_from(n).ok());
    number.ok_or_else(|| format!("expected a whole number from 0 to {}", i64::MAX))
}

/// A number of things.
pub fn count(text: &str) -> Result<usize, String> {
    usize::try_from(whole(text)?).map_err(|_| "expected a number that this machine can count to".into())
}

/// A number.
pub fn real(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| "expected a number".into())
}

/// Options as given: what is `None` was not.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct InversionOptions {
    /// Folder with the four IDX files, raw or .gz [the embedded digits]
    #[arg(long, value_name = "DIR", help_heading = "Data")]
    pub data: Option<PathBuf>,
    /// So many training samples [all]
    #[arg(long, value_name = "N", help_heading = "Data", value_parser = count)]
    pub train_samples: Option<usize>,
    /// The first of them, among those the label rule keeps [0]
    #[arg(long, value_name = "K", help_heading = "Data", value_parser = count)]
    pub data_offset: Option<usize>,
    /// Which of them: consecutive | random, drawn by --seed [consecutive]
    #[arg(long, value_name = "HOW", help_heading = "Data")]
    #[serde(deserialize_with = "text")]
    pub subset: Option<String>,
    /// parity | all | a,b,... | below:k | one-vs-rest:k | random [parity]
    #[arg(long, value_name = "RULE", help_heading = "Data")]
    #[serde(deserialize_with = "text")]
    pub labels: Option<String>,
    /// pixel | global | none [pixel]
    #[arg(long, value_name = "HOW", help_heading = "Data")]
    #[serde(deserialize_with = "text")]
    pub standardize: Option<String>,
    /// Pixels that never change: formula | zero [formula]
    #[arg(long, value_name = "HOW", help_heading = "Data")]
    #[serde(deserialize_with = "text")]
    pub dead_pixels: Option<String>,
    /// Colour images, after standardising: grey-sum | flat [grey-sum]
    #[arg(long, value_name = "HOW", help_heading = "Data")]
    #[serde(deserialize_with = "text")]
    pub channels: Option<String>,

    /// Widths of the hidden layers: 20 or 20,20 [20]
    #[arg(long, value_name = "W,...", help_heading = "Network")]
    #[serde(deserialize_with = "text")]
    pub hidden: Option<String>,
    /// tanh | relu | gelu | sigmoid | identity [tanh]
    #[arg(long, value_name = "F", help_heading = "Network")]
    #[serde(deserialize_with = "text")]
    pub activation: Option<String>,
    /// How the weights start [pytorch]
    #[arg(long, value_name = "NAME", help_heading = "Network", help = INITIALIZERS)]
    #[serde(deserialize_with = "text")]
    pub initializer: Option<String>,
    /// Start from these weights instead: safetensors with PyTorch's names
    #[arg(long, value_name = "FILE", help_heading = "Network")]
    pub init: Option<PathBuf>,

    #[arg(long, value_name = "LOSS", help_heading = "Training", help = LOSSES)]
    #[serde(deserialize_with = "text")]
    pub loss: Option<String>,
    /// sgd | nesterov | adam | adamw | rmsprop [sgd]
    #[arg(long, value_name = "NAME", help_heading = "Training")]
    #[serde(deserialize_with = "text")]
    pub optimizer: Option<String>,
    /// Learning rate [0.5 on the digits, 0.1 with --data]
    #[arg(long, value_name = "E", help_heading = "Training", value_parser = real, allow_hyphen_values = true)]
    pub lr: Option<f64>,
    /// constant | step:EPOCHS:FACTOR | cosine [constant]
    #[arg(long, value_name = "NAME", help_heading = "Training")]
    #[serde(deserialize_with = "text")]
    pub schedule: Option<String>,
    /// Momentum of sgd, nesterov, rmsprop [0]
    #[arg(long, value_name = "M", help_heading = "Training", value_parser = real, allow_hyphen_values = true)]
    pub momentum: Option<f64>,
    /// Weight decay of the optimizer [0]
    #[arg(long, value_name = "D", help_heading = "Training", value_parser = real, allow_hyphen_values = true)]
    pub weight_decay: Option<f64>,
    /// Lambda of an L2 term (lambda / 2) sum w^2 in the loss [0]
    #[arg(long, value_name = "LAMBDA", help_heading = "Training", value_parser = real, allow_hyphen_values = true)]
    pub l2: Option<f64>,
    /// Add W times a hidden layer's soft nearest neighbour loss [none]
    #[arg(long, value_name = "W", help_heading = "Training", value_parser = real, allow_hyphen_values = true)]
    pub snnl_weight: Option<f64>,
    /// Of which hidden layer: 1, 2, ... | last [last]
    #[arg(long, value_name = "N", help_heading = "Training")]
    #[serde(deserialize_with = "text")]
    pub snnl_layer: Option<String>,
    /// Its temperature, of rows divided by their norm [1]
    #[arg(long, value_name = "T", help_heading = "Training", value_parser = real, allow_hyphen_values = true)]
    pub snnl_temperature: Option<f64>,
    /// Samples of a step: full or a number [full]
    #[arg(long, value_name = "N", help_heading = "Training")]
    #[serde(deserialize_with = "text")]
    pub batch: Option<String>,
    /// Epochs [100 on the digits, 500 with --data]
    #[arg(long, value_name = "N", help_heading = "Training", value_parser = count)]
    pub epochs: Option<usize>,
    /// Networks trained side by side [16]
    #[arg(long, value_name = "R", help_heading = "Training", value_parser = count)]
    pub replicas: Option<usize>,
    /// Number of the first: replica r has the same bits in any run [0]
    #[arg(long, value_name = "N", help_heading = "Training", value_parser = whole)]
    pub first_replica: Option<u64>,
    /// Seed of every random stream [0]
    #[arg(long, value_name = "S", help_heading = "Training", value_parser = whole)]
    pub seed: Option<u64>,

    /// Hidden layer to measure: 1, 2, ... | last | all [last]
    #[arg(long, value_name = "N", help_heading = "Measurement")]
    #[serde(deserialize_with = "text")]
    pub layer: Option<String>,
    /// Test error every so many epochs, 0 for never [1]
    #[arg(long, value_name = "N", help_heading = "Measurement", value_parser = count)]
    pub test_every: Option<usize>,

    /// More columns: names as in `disentangle measure --list`, or all
    #[arg(long, value_name = "LIST", help_heading = "Measurement")]
    #[serde(deserialize_with = "text")]
    pub metrics: Option<String>,
    /// Those every so many epochs, and at the end [10]
    #[arg(long, value_name = "E", help_heading = "Measurement", value_parser = count)]
    pub measure_every: Option<usize>,

    /// Hidden layers on the training samples, as npy files
    #[arg(long, value_name = "WHEN", help_heading = "Measurement", help = ACTIVATIONS)]
    #[serde(deserialize_with = "text")]
    pub save_activations: Option<String>,
    /// Parameters, as safetensors files
    #[arg(long, value_name = "WHEN", help_heading = "Measurement", help = WEIGHTS)]
    #[serde(deserialize_with = "text")]
    pub save_weights: Option<String>,

    /// cpu | cuda | cuda:N | reference [cpu]
    #[arg(long, value_name = "NAME", help_heading = "Run")]
    #[serde(deserialize_with = "text")]
    pub device: Option<String>,
    /// Threads; results do not depend on it [all]
    #[arg(long, value_name = "N", help_heading = "Run", value_parser = count)]
    pub threads: Option<usize>,
    /// Folder for the results, absent or empty [runs/inversion-N]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    #[serde(skip)]
    pub out: Option<PathBuf>,
    /// Options by their long names, in TOML; the command line wins
    #[arg(long, value_name = "FILE", help_heading = "Run")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Go on with the interrupted run in --out, whose configuration is taken
    #[arg(long, requires = "out", conflicts_with = "config", help_heading = "Run")]
    #[serde(skip)]
    pub resume: bool,
    /// Seconds between checkpoints, at most 30 [30]
    #[arg(long, value_name = "S", help_heading = "Run")]
    #[serde(skip)]
    pub checkpoint_every: Option<f64>,
    /// No progress, no warnings
    #[arg(long, help_heading = "Run")]
    #[serde(skip)]
    pub quiet: bool,
    /// Only the summary, as JSON, on standard output
    #[arg(long, help_heading = "Run")]
    #[serde(skip)]
    pub json: bool,
}

impl InversionOptions {
    /// The command that gives these options.
    pub fn command(&self) -> String {
        command_line("inversion", &self.given())
    }

    /// Name and value of each option that is given, as a command line takes them.
    pub fn given(&self) -> Vec<(String, String)> {
        words(self)
    }
}

/// Name and value of each option that is given, as a command line takes them.
pub fn words(options: &impl Serialize) -> Vec<(String, String)> {
    let Ok(toml::Value::Table(table)) = toml::Value::try_from(options) else {
        return Vec::new();
    };
    let word = |value| match value {
        toml::Value::String(text) => text,
        other => other.to_string(),
    };
    table.into_iter().map(|(name, value)| (name, word(value))).collect()
}

/// The command line of a subcommand with these options.
pub fn command_line(subcommand: &str, given: &[(String, String)]) -> String {
    let mut words = vec![format!("disentangle {subcommand}")];
    words.extend(given.iter().map(|(name, value)| {
        // A word that looks like an option must not be taken for one.
        let between = if value.starts_with('-') { '=' } else { ' ' };
        format!("--{name}{between}{}", quoted(value))
    }));
    words.join(" ")
}

/// A word as a shell takes it.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
