//! `disentangle verify --trajectory`: the inversion in the device's precision and in f64, side by side.

use std::path::PathBuf;

use clap::Args;
use disentangle::backend::Backend;
use disentangle::data::Dataset;
use disentangle::study::inversion::Setup;
use disentangle::study::precision::{Distance, Replica, compare, grid};
use disentangle::study::prepare::Prepared;
use serde_json::{Value, json};

use super::{number, print_json};
use crate::cli::error::CliError;
use crate::cli::options::InversionOptions;
use crate::cli::output::print;
use crate::cli::resolve;

/// What is trained.
#[derive(Args, Clone, Debug)]
pub struct TrainingOptions {
    /// With --trajectory: a folder or file as `inversion` takes [the embedded digits]
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// With --trajectory: the first so many training samples [all]
    #[arg(long, value_name = "N")]
    pub train_samples: Option<usize>,
    /// With --trajectory: networks of each setting [4]
    #[arg(long, value_name = "R")]
    pub replicas: Option<usize>,
    /// With --trajectory: epochs [100]
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// With --trajectory: learning rates [0.1,0.5]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub lr: Vec<f64>,
    /// With --trajectory: losses [cross-entropy,hinge,mse]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub loss: Vec<String>,
}

impl TrainingOptions {
    /// The first of them that was given.
    pub fn given(&self) -> Option<&'static str> {
        let given = [
            (self.data.is_some(), "data"),
            (self.train_samples.is_some(), "train-samples"),
            (self.replicas.is_some(), "replicas"),
            (self.epochs.is_some(), "epochs"),
            (!self.lr.is_empty(), "lr"),
            (!self.loss.is_empty(), "loss"),
        ];
        given.into_iter().find(|(is, _)| *is).map(|(_, name)| name)
    }
}

const EPOCHS: usize = 100;
const REPLICAS: usize = 4;
const RATES: [f64; 2] = [0.1, 0.5];
const LOSSES: [&str; 3] = ["cross-entropy", "hinge", "mse"];

/// The runs of one loss and learning rate.
struct Arm {
    loss: String,
    learning_rate: f64,
    replicas: Vec<Replica>,
}

/// Trains every loss with every learning rate and tells how the precisions part.
///
/// # Errors
/// [`CliError::Input`] for options and data that do not fit.
pub fn run(
    backend: &dyn Backend,
    device: &str,
    options: &TrainingOptions,
    seed: u64,
    json: bool,
) -> Result<(), CliError> {
    let dataset = match &options.data {
        Some(path) => Dataset::open(path)?,
        None => Dataset::digits()?,
    };
    let rates = if options.lr.is_empty() {
        &RATES[..]
    } else {
        &options.lr[..]
    };
    let losses: Vec<String> = match options.loss.is_empty() {
        true => LOSSES.map(String::from).to_vec(),
        false => options.loss.clone(),
    };
    let epochs = options.epochs.unwrap_or(EPOCHS);
    let settings = |loss: &String, &rate: &f64| {
        let given = InversionOptions {
            data: options.data.clone(),
            train_samples: options.train_samples,
            loss: Some(loss.clone()),
            lr: Some(rate),
            epochs: Some(epochs),
            replicas: Some(options.replicas.unwrap_or(REPLICAS)),
            seed: Some(seed),
            test_every: Some(0),
            ..InversionOptions::default()
        };
        resolve::defaults(given)
    };
    let all: Vec<InversionOptions> = losses
        .iter()
        .flat_map(|loss| rates.iter().map(move |rate| settings(loss, rate)))
        .collect();
    // Whatever is wrong with one of them is told before the first is trained.
    for options in &all {
        resolve::training(options)?;
    }
    if !json {
        print(&format!("{device} beside reference (f64), {}\n", dataset.name))?;
    }
    let mut arms = Vec::new();
    for options in &all {
        let data = Prepared::new(&dataset, &resolve::preparation(options)?).map_err(resolve::of_preparation)?;
        let training = resolve::training(options)?;
        let recipe = training.recipe(&data)?;
        let initial = training.initial(options, &recipe)?;
        let setup = Setup {
            recipe: &recipe,
            data: &data,
            initial: &initial,
            test_every: 0,
        };
        let arm = Arm {
            loss: options.loss.clone().unwrap_or_default(),
            learning_rate: recipe.learning_rate,
            replicas: compare(setup, backend)?,
        };
        if !json {
            print(&table(&arm, epochs))?;
        }
        arms.push(arm);
    }
    let runs = arms.iter().map(|arm| arm.replicas.len()).sum::<usize>();
    let depend = arms
        .iter()
        .flat_map(|arm| &arm.replicas)
        .filter(|r| r.depends())
        .count();
    if json {
        return print_json(&json!({
            "device": device,
            "data": dataset.name,
            "runs": runs,
            "depend_on_precision": depend,
            "arms": arms.iter().map(value).collect::<Vec<Value>>(),
        }));
    }
    print(&format!(
        "\nverify: stop epoch or stragglers depend on precision in {depend} of {runs} runs\n"
    ))
}

/// The worst replica at each epoch, and what came out.
fn table(arm: &Arm, epochs: usize) -> String {
    let mut text = format!(
        "\n{}, learning rate {}: largest distance of {} replicas\n{:>7} {:>12} {:>12} {:>12}\n",
        arm.loss,
        arm.learning_rate,
        arm.replicas.len(),
        "epoch",
        "weights",
        "loss",
        "radii"
    );
    for (n, epoch) in grid(epochs).into_iter().enumerate() {
        let worst = |of: fn(&Distance) -> f64| {
            let each = arm
                .replicas
                .iter()
                .filter_map(|replica| replica.distances.get(n))
                .map(of);
            each.fold(0.0, |top: f64, d| if d.is_nan() { d } else { top.max(d) })
        };
        let (weights, loss, radii) = (worst(|d| d.weights), worst(|d| d.loss), worst(|d| d.radii));
        text.push_str(&format!("{epoch:>7} {weights:>12.2e} {loss:>12.2e} {radii:>12.2e}\n"));
    }
    for replica in &arm.replicas {
        let [stop, exact] = replica
            .stops
            .map(|stop| stop.map_or("none".into(), |epoch| epoch.to_string()));
        let [own, other] = replica.stragglers;
        text.push_str(&format!(
            "replica {}: stop {stop} and {exact}, stragglers {own} and {other}, {} in one set only\n",
            replica.replica, replica.differing
        ));
    }
    text
}

fn value(arm: &Arm) -> Value {
    let distance = |d: &Distance| json!({ "epoch": d.epoch, "weights": number(d.weights), "loss": number(d.loss), "radii": number(d.radii) });
    let replica = |r: &Replica| {
        json!({
            "replica": r.replica,
            "stop_epochs": r.stops,
            "stragglers": r.stragglers,
            "in_one_set_only": r.differing,
            "distances": r.distances.iter().map(distance).collect::<Vec<Value>>(),
        })
    };
    json!({
        "loss": arm.loss,
        "learning_rate": arm.learning_rate,
        "replicas": arm.replicas.iter().map(replica).collect::<Vec<Value>>(),
    })
}
