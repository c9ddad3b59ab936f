//! The options of `modes`, as the command line and a configuration file name them: one set of words for all experiments, of
//! which each takes those that it knows.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::cli::config::number;
use crate::cli::options::{count, whole, words};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Experiment {
    /// Learning curves of networks beside the scalar equations
    Curves,
    /// The plane of initial weights by 40,000 neurons
    Phase,
    /// Cross-entropy against hinge from ever smaller outputs
    Race,
    /// How a rarer feature starves; --study for the rest
    Starvation,
}

impl Experiment {
    /// Its word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Experiment::Curves => "curves",
            Experiment::Phase => "phase",
            Experiment::Race => "race",
            Experiment::Starvation => "starvation",
        }
    }
}

/// Options as given: what is `None` was not.
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ModesOptions {
    /// What is done
    #[arg(value_enum, value_name = "EXPERIMENT")]
    #[serde(skip)]
    pub experiment: Option<Experiment>,

    /// p of the two classes [0.7,0.3]
    #[arg(long, value_name = "P,P", help_heading = "Curves")]
    #[serde(deserialize_with = "number")]
    pub frequencies: Option<String>,
    /// Norms: of the two classes [1.3,0.7], of the two features [1,1]
    #[arg(long, value_name = "R,R", help_heading = "Curves")]
    #[serde(deserialize_with = "number")]
    pub norms: Option<String>,
    /// Size of the initial weights [0.05; starvation: 0.0001]
    #[arg(long, value_name = "S", help_heading = "Curves")]
    #[serde(deserialize_with = "number")]
    pub scale: Option<String>,
    /// Hidden units [8; starvation: 4; two-moons: 500]
    #[arg(long, value_name = "H", help_heading = "Curves", value_parser = count)]
    pub width: Option<usize>,
    /// Numbers of classes K, or none [2,3,10]
    #[arg(long, value_name = "K,...", help_heading = "Curves")]
    #[serde(deserialize_with = "number")]
    pub classes: Option<String>,
    /// Numbers of layers, or none [2,3,4]
    #[arg(long, value_name = "N,...", help_heading = "Curves")]
    #[serde(deserialize_with = "number")]
    pub depths: Option<String>,
    /// p of the sweep of norm and frequency, or none [0.1,0.25,0.5,0.75,0.9]
    #[arg(long, value_name = "P,...", help_heading = "Curves")]
    #[serde(deserialize_with = "number")]
    pub sweep_frequencies: Option<String>,
    /// rho of the sweep, or none [0.5,1,2]
    #[arg(long, value_name = "R,...", help_heading = "Curves")]
    #[serde(deserialize_with = "number")]
    pub sweep_norms: Option<String>,

    /// Neurons along a side of the plane [200]
    #[arg(long, value_name = "N", help_heading = "Phase", value_parser = count)]
    pub grid: Option<usize>,
    /// The plane is [-REACH, REACH] in v0 and z0 [1]
    #[arg(long, value_name = "REACH", help_heading = "Phase")]
    #[serde(deserialize_with = "number")]
    pub reach: Option<String>,
    /// Neurons with a random direction [200000]; brightness: training pictures at most [2000]
    #[arg(long, value_name = "N", help_heading = "Phase", value_parser = count)]
    pub samples: Option<usize>,
    /// Widths of the networks with random weights, or none [1,2,4,8]
    #[arg(long, value_name = "H,...", help_heading = "Phase")]
    #[serde(deserialize_with = "number")]
    pub widths: Option<String>,
    /// Networks of each width [20000]
    #[arg(long, value_name = "N", help_heading = "Phase", value_parser = count)]
    pub networks: Option<usize>,
    /// cross-entropy | hinge [cross-entropy]
    #[arg(long, value_name = "LOSS", help_heading = "Phase")]
    pub loss: Option<String>,

    /// u0 of each pair [1e-1,1e-2,1e-3,1e-4,1e-5,1e-6]
    #[arg(long, value_name = "U,...", help_heading = "Race")]
    #[serde(deserialize_with = "number")]
    pub initial: Option<String>,

    /// two-moons | coloured-mnist | brightness
    #[arg(long, value_name = "NAME", help_heading = "Starvation")]
    pub study: Option<String>,
    /// lambda: fractions of the class that have the second feature [0.01,0.05,0.1,0.3,0.5,0.9]
    #[arg(long, value_name = "L,...", help_heading = "Starvation")]
    #[serde(deserialize_with = "number")]
    pub lambda: Option<String>,
    /// delta: training stops at P = 1 - delta [0.1,0.01,0.001]
    #[arg(long, value_name = "D,...", help_heading = "Starvation")]
    #[serde(deserialize_with = "number")]
    pub delta: Option<String>,
    /// Coefficient of the penalty on the squared outputs [two-moons: 0.003; brightness: 0.01]
    #[arg(long, value_name = "C", help_heading = "Starvation")]
    #[serde(deserialize_with = "number")]
    pub penalty: Option<String>,
    /// two-moons: centres of the penalty, of class 0 and of class 1 [0,0]
    #[arg(long, value_name = "C,C", help_heading = "Starvation", allow_hyphen_values = true)]
    #[serde(deserialize_with = "number")]
    pub centres: Option<String>,
    /// Networks side by side [two-moons: 2; brightness: 4]
    #[arg(long, value_name = "R", help_heading = "Starvation", value_parser = count)]
    pub replicas: Option<usize>,
    /// Epochs [two-moons: 3000; brightness: 150]
    #[arg(long, value_name = "N", help_heading = "Starvation", value_parser = count)]
    pub epochs: Option<usize>,
    /// brightness: fractions of shifted pictures [0,0.25,0.5,0.75,0.9,1]
    #[arg(long, value_name = "Q,...", help_heading = "Starvation")]
    #[serde(deserialize_with = "number")]
    pub fractions: Option<String>,
    /// brightness: labels of the two classes [3,5]
    #[arg(long, value_name = "A,B", help_heading = "Starvation")]
    #[serde(deserialize_with = "number")]
    pub pair: Option<String>,
    /// Folder with image files [brightness: the embedded digits]; coloured-mnist needs MNIST's
    #[arg(long, value_name = "DIR", help_heading = "Starvation")]
    pub data: Option<PathBuf>,
    /// coloured-mnist: restarts of both arms [10]
    #[arg(long, value_name = "N", help_heading = "Starvation", value_parser = whole)]
    pub restarts: Option<u64>,

    /// Euler's step in time [curves: 0.001; phase: 0.1; race: 0.0005; starvation: 0.01]
    #[arg(long, value_name = "DT", help_heading = "Run")]
    #[serde(deserialize_with = "number")]
    pub dt: Option<String>,
    /// Length in time [curves: 40; phase: 20]
    #[arg(long, value_name = "T", help_heading = "Run")]
    #[serde(deserialize_with = "number")]
    pub time: Option<String>,
    /// Seed of every random stream [0]
    #[arg(long, value_name = "S", help_heading = "Run", value_parser = whole)]
    pub seed: Option<u64>,
    /// cpu | reference [cpu]
    #[arg(long, value_name = "NAME", help_heading = "Run")]
    pub device: Option<String>,
    /// Threads; results do not depend on it [all]
    #[arg(long, value_name = "N", help_heading = "Run", value_parser = count)]
    pub threads: Option<usize>,
    /// Folder for the results, absent or empty [runs/modes-NAME-N]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    #[serde(skip)]
    pub out: Option<PathBuf>,
    /// Options by their long names, in TOML; the command line wins
    #[arg(long, value_name = "FILE", help_heading = "Run")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// coloured-mnist: go on with the interrupted run in --out, whose configuration is taken
    #[arg(long, requires = "out", conflicts_with = "config", help_heading = "Run")]
    #[serde(skip)]
    pub resume: bool,
    /// No progress
    #[arg(long, help_heading = "Run")]
    #[serde(skip)]
    pub quiet: bool,
    /// Only the summary, as JSON, on standard output
    #[arg(long, help_heading = "Run")]
    #[serde(skip)]
    pub json: bool,
}

impl ModesOptions {
    /// Name and value of each option that is given, as a command line takes them.
    pub fn given(&self) -> Vec<(String, String)> {
        words(self)
    }

    /// These options, and those of `other` where these have none.
    pub fn or(self, other: ModesOptions) -> ModesOptions {
        macro_rules! or {
            ($($field:ident),* $(,)?) => {
                ModesOptions { $($field: self.$field.or(other.$field),)* ..self }
            };
        }
        or!(
            frequencies,
            norms,
            scale,
            width,
            classes,
            depths,
            sweep_frequencies,
            sweep_norms,
            grid,
            reach,
            samples,
            widths,
            networks,
            loss,
            initial,
            study,
            lambda,
            delta,
            penalty,
            centres,
            replicas,
            epochs,
            fractions,
            pair,
            data,
            restarts,
            dt,
            time,
            seed,
            device,
            threads,
        )
    }
}
