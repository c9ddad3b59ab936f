//! The options of `inversion`: from the command line, from a configuration file, by default.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Deserializer, Serialize};

use super::error::CliError;

/// Options as given: what is `None` was not.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct InversionOptions {
    /// Folder with the four IDX files (raw or .gz); the embedded digits if absent
    #[arg(long, value_name = "DIR", help_heading = "Data")]
    pub data: Option<PathBuf>,
    /// So many consecutive training samples [all]
    #[arg(long, value_name = "N", help_heading = "Data")]
    pub train_samples: Option<usize>,
    /// The first of them, among those the label rule keeps [0]
    #[arg(long, value_name = "K", help_heading = "Data")]
    pub data_offset: Option<usize>,
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

    /// Widths of the hidden layers: 20 or 20,20 [20]
    #[arg(long, value_name = "W,...", help_heading = "Network")]
    #[serde(deserialize_with = "text")]
    pub hidden: Option<String>,
    /// tanh | relu | gelu | sigmoid | identity [tanh]
    #[arg(long, value_name = "F", help_heading = "Network")]
    #[serde(deserialize_with = "text")]
    pub activation: Option<String>,
    /// pytorch | kaiming-uniform | kaiming-normal | xavier-uniform | xavier-normal | orthogonal | normal:SCALE [pytorch]
    #[arg(long, value_name = "NAME", help_heading = "Network")]
    #[serde(deserialize_with = "text")]
    pub initializer: Option<String>,
    /// Start from the weights in this safetensors file, named as PyTorch's nn.Sequential names them
    #[arg(long, value_name = "FILE", help_heading = "Network")]
    pub init: Option<PathBuf>,

    /// cross-entropy | logistic | hinge[:H] | squared-hinge[:H] | mse [cross-entropy]
    #[arg(long, value_name = "LOSS", help_heading = "Training")]
    #[serde(deserialize_with = "text")]
    pub loss: Option<String>,
    /// sgd | nesterov | adam | adamw | rmsprop [sgd]
    #[arg(long, value_name = "NAME", help_heading = "Training")]
    #[serde(deserialize_with = "text")]
    pub optimizer: Option<String>,
    /// Learning rate [0.5 on the digits, 0.1 with --data]
    #[arg(long, value_name = "E", help_heading = "Training")]
    pub lr: Option<f64>,
    /// constant | step:EPOCHS:FACTOR | cosine [constant]
    #[arg(long, value_name = "NAME", help_heading = "Training")]
    #[serde(deserialize_with = "text")]
    pub schedule: Option<String>,
    /// Momentum of sgd, nesterov, rmsprop [0]
    #[arg(long, value_name = "M", help_heading = "Training")]
    pub momentum: Option<f64>,
    /// Weight decay of the optimizer [0]
    #[arg(long, value_name = "D", help_heading = "Training")]
    pub weight_decay: Option<f64>,
    /// Lambda of an L2 term (lambda / 2) sum w^2 in the loss [0]
    #[arg(long, value_name = "LAMBDA", help_heading = "Training")]
    pub l2: Option<f64>,
    /// Samples of a step: full or a number [full]
    #[arg(long, value_name = "N", help_heading = "Training")]
    #[serde(deserialize_with = "text")]
    pub batch: Option<String>,
    /// Epochs [100 on the digits, 500 with --data]
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub epochs: Option<usize>,
    /// Networks trained side by side [16]
    #[arg(long, value_name = "R", help_heading = "Training")]
    pub replicas: Option<usize>,
    /// Number of the first: replica r has the same bits in any run [0]
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub first_replica: Option<u64>,
    /// Seed of every random stream [0]
    #[arg(long, value_name = "S", help_heading = "Training")]
    pub seed: Option<u64>,

    /// Hidden layer to measure: 1, 2, ... | last | all [last]
    #[arg(long, value_name = "N", help_heading = "Measurement")]
    #[serde(deserialize_with = "text")]
    pub layer: Option<String>,
    /// Test error every so many epochs, 0 for never [1]
    #[arg(long, value_name = "N", help_heading = "Measurement")]
    pub test_every: Option<usize>,

    /// cpu | reference [cpu]
    #[arg(long, value_name = "NAME", help_heading = "Run")]
    #[serde(deserialize_with = "text")]
    pub device: Option<String>,
    /// Threads; results do not depend on it [all]
    #[arg(long, value_name = "N", help_heading = "Run")]
    pub threads: Option<usize>,
    /// Folder for the results, absent or empty [runs/inversion-N]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    #[serde(skip)]
    pub out: Option<PathBuf>,
    /// Take options from this TOML file, by their long names; the command line wins
    #[arg(long, value_name = "FILE", help_heading = "Run")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// No progress
    #[arg(long, help_heading = "Run")]
    #[serde(skip)]
    pub quiet: bool,
    /// Only the summary, as JSON, on standard output
    #[arg(long, help_heading = "Run")]
    #[serde(skip)]
    pub json: bool,
}

/// A string, or a number where one is more natural (`hidden = 20`).
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Text {
        Word(String),
        Whole(i64),
        Real(f64),
    }
    Ok(Some(match Text::deserialize(deserializer)? {
        Text::Word(word) => word,
        Text::Whole(number) => number.to_string(),
        Text::Real(number) => number.to_string(),
    }))
}

/// Fills what `$given` lacks from `$file`.
macro_rules! fill {
    ($given:ident from $file:ident: $($field:ident),* $(,)?) => {
        $( $given.$field = $given.$field.or($file.$field); )*
    };
}

impl InversionOptions {
    /// Adds the options of the configuration file, if there is one.
    ///
    /// # Errors
    /// [`CliError::Input`] for a file that cannot be read or is no configuration.
    pub fn with_config(mut self) -> Result<InversionOptions, CliError> {
        let Some(path) = self.config.take() else {
            return Ok(self);
        };
        let file = read_config(&path)?;
        let mut given = self;
        fill!(given from file: data, train_samples, data_offset, labels, standardize, dead_pixels, hidden, activation,
            initializer, init, loss, optimizer, lr, schedule, momentum, weight_decay, l2, batch, epochs, replicas,
            first_replica, seed, layer, test_every, device, threads);
        Ok(given)
    }

    /// The command that gives these options.
    pub fn command(&self) -> String {
        let mut words = vec!["disentangle inversion".to_string()];
        if let Ok(toml::Value::Table(table)) = toml::Value::try_from(self) {
            for (name, value) in table {
                let value = match value {
                    toml::Value::String(text) => quoted(&text),
                    other => other.to_string(),
                };
                words.push(format!("--{name} {value}"));
            }
        }
        words.join(" ")
    }
}

/// A word as a shell takes it.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn read_config(path: &Path) -> Result<InversionOptions, CliError> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| CliError::Input(format!("{}: cannot read the configuration: {cause}", path.display())))?;
    toml::from_str(&text).map_err(|error| {
        let line = error
            .span()
            .map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        CliError::Input(format!("{}, line {line}: {}", path.display(), error.message()))
    })
}
