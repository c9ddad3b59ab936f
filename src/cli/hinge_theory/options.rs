//! The options of `hinge-theory`, as the command line and a configuration file name them.

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::cli::config::number;
use crate::cli::options::{count, whole, words};

const FIGURE: &str = "\
Parameters of a figure of the paper, or as near as they are known:
1 nodes, gamma, satisfaction times | 2 sweep of alpha | 3 sweep of
the number of samples | 4 label noise | 5 real images";

/// Options as given: what is `None` was not.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct HingeOptions {
    /// Parameters of a figure
    #[arg(long, value_name = "N", help = FIGURE, value_parser = whole, help_heading = "Experiment")]
    pub figure: Option<u64>,

    /// equations: the theory alone | frozen-nodes: networks put at a gamma, untrained
    #[arg(long, value_name = "NAME", help_heading = "Experiment")]
    pub study: Option<String>,
    /// frozen-nodes: where the networks are put [0.3,0.6,1,1.5,2,2.5]
    #[arg(long, value_name = "G,...", help_heading = "Experiment", allow_hyphen_values = true)]
    #[serde(deserialize_with = "number")]
    pub gammas: Option<String>,

    /// alpha, or several: 0.1,1,10 [1]
    #[arg(long, value_name = "A,...", help_heading = "Model", allow_hyphen_values = true)]
    #[serde(deserialize_with = "number")]
    pub alpha: Option<String>,
    /// h: margin from which on an example is satisfied [1]
    #[arg(long, value_name = "H", help_heading = "Model", allow_hyphen_values = true)]
    #[serde(deserialize_with = "number")]
    pub threshold: Option<String>,
    /// beta: learning rate per node, or auto: gamma grows by 0.05 at most in a step
    #[arg(long, value_name = "B", help_heading = "Model", allow_hyphen_values = true)]
    #[serde(deserialize_with = "number")]
    pub beta: Option<String>,
    /// relu | linear [relu]
    #[arg(long, value_name = "F", help_heading = "Model")]
    pub unit: Option<String>,
    /// M: nodes [400]
    #[arg(long, value_name = "M", help_heading = "Model", value_parser = count)]
    pub nodes: Option<usize>,
    /// plain | antithetic (pairs that cancel) | reflected (fours) [plain]
    #[arg(long, value_name = "HOW", help_heading = "Model")]
    pub initial: Option<String>,
    /// keep | subtract: train f or f - f(0) [keep]
    #[arg(long, value_name = "HOW", help_heading = "Model")]
    pub initial_output: Option<String>,

    /// gaussian | sphere (uniform on the unit sphere) | gaussian,sphere [gaussian]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub distribution: Option<String>,
    /// d [20]
    #[arg(long, value_name = "D", help_heading = "Data", value_parser = count)]
    pub dimension: Option<usize>,
    /// N: training examples, or several: 250,500,1000 [4000]
    #[arg(long, value_name = "N,...", help_heading = "Data")]
    #[serde(deserialize_with = "number")]
    pub samples: Option<String>,
    /// fixed | fresh: new ones in each step [fixed]
    #[arg(long, value_name = "HOW", help_heading = "Data")]
    pub examples: Option<String>,
    /// eta: fraction of flipped labels, or several: 0,0.01,0.05 [0]
    #[arg(long, value_name = "E,...", help_heading = "Data", allow_hyphen_values = true)]
    #[serde(deserialize_with = "number")]
    pub noise: Option<String>,
    /// Fresh examples for the test error, 0 for none [10000]
    #[arg(long, value_name = "N", help_heading = "Data", value_parser = count)]
    pub test_samples: Option<usize>,
    /// Images for --figure 5: a folder as of inversion [the embedded digits]
    #[arg(long, value_name = "DIR", help_heading = "Data")]
    pub data: Option<PathBuf>,
    /// Label rule with two classes for --figure 5 [parity]
    #[arg(long, value_name = "RULE", help_heading = "Data")]
    #[serde(deserialize_with = "number")]
    pub labels: Option<String>,

    /// Steps of gradient descent [1000]
    #[arg(long, value_name = "T", help_heading = "Run", value_parser = count)]
    pub steps: Option<usize>,
    /// States that are recorded, spaced by equal factors [60]
    #[arg(long, value_name = "N", help_heading = "Run", value_parser = count)]
    pub records: Option<usize>,
    /// Moments the theory begins from: measured | population [measured]
    #[arg(long, value_name = "WHICH", help_heading = "Run")]
    pub moments: Option<String>,
    /// Networks of each case, one after the other, each with data of its own [1]
    #[arg(long, value_name = "R", help_heading = "Run", value_parser = count)]
    pub replicas: Option<usize>,
    /// Seed of every random stream [0]
    #[arg(long, value_name = "S", help_heading = "Run", value_parser = whole)]
    pub seed: Option<u64>,
    /// cpu | cuda | cuda:N | reference [cpu]
    #[arg(long, value_name = "NAME", help_heading = "Run")]
    pub device: Option<String>,
    /// Threads; results do not depend on it [all]
    #[arg(long, value_name = "N", help_heading = "Run", value_parser = count)]
    pub threads: Option<usize>,
    /// Folder for the results, absent or empty [runs/hinge-theory-N]
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
    /// No progress
    #[arg(long, help_heading = "Run")]
    #[serde(skip)]
    pub quiet: bool,
    /// Only the summary, as JSON, on standard output
    #[arg(long, help_heading = "Run")]
    #[serde(skip)]
    pub json: bool,
}

impl HingeOptions {
    /// Name and value of each option that is given, as a command line takes them.
    pub fn given(&self) -> Vec<(String, String)> {
        words(self)
    }

    /// These options, and those of `other` where these have none.
    pub fn or(self, other: HingeOptions) -> HingeOptions {
        macro_rules! or {
            ($($field:ident),* $(,)?) => {
                HingeOptions { $($field: self.$field.or(other.$field),)* ..self }
            };
        }
        or!(
            figure,
            study,
            gammas,
            alpha,
            threshold,
            beta,
            unit,
            nodes,
            initial,
            initial_output,
            distribution,
            dimension,
            samples,
            examples,
            noise,
            test_samples,
            data,
            labels,
            steps,
            records,
            moments,
            replicas,
            seed,
            device,
            threads,
        )
    }
}
