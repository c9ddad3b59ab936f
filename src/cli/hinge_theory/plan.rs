//! From options to cases: the parameters of the figures, then the defaults, then each option read under its own name.

use std::str::FromStr;

use disentangle::data::{Channels, Dataset, DeadPixels, LabelRule, Standardize, Subset};
use disentangle::study::hinge_theory::comparison::From;
use disentangle::study::hinge_theory::model::{Distribution, Model, Unit};
use disentangle::study::hinge_theory::nodes::Initial;
use disentangle::study::hinge_theory::realistic;
use disentangle::study::hinge_theory::simulation::{Data, Setting};
use disentangle::study::prepare::{Preparation, Prepared};

use super::options::HingeOptions;
use crate::cli::error::CliError;
use crate::cli::{memory, resolve};

/// The most cases of one experiment.
const CASES: usize = 64;
/// What gamma grows by in a step at most, with `--beta auto`.
const STEP: f64 = 0.05;

/// A network to train.
pub struct Planned {
    /// What tells it from the others.
    pub label: String,
    /// Its parameters.
    pub setting: Setting,
}

/// Images and what the first stage's theory needs of them.
pub struct Images {
    /// Samples and direction.
    pub data: Data,
    /// |<y x>|
    pub length: f64,
    /// Where they come from, in words.
    pub description: String,
}

/// Everything that is trained.
pub struct Plan {
    /// In order.
    pub cases: Vec<Planned>,
    /// From which moments the theory begins.
    pub moments: From,
    /// For the realistic case.
    pub images: Option<Images>,
}

/// The parameters of a figure where nothing was given, then the defaults.
///
/// # Errors
/// [`CliError::Input`] for a figure that the paper does not have.
pub fn defaults(given: HingeOptions) -> Result<HingeOptions, CliError> {
    let word = |text: &str| Some(text.to_string());
    let of_figure = match given.figure {
        None => HingeOptions::default(),
        Some(1) => HingeOptions {
            dimension: Some(100),
            samples: word("100000"),
            test_samples: Some(100_000),
            beta: word("2.5"),
            steps: Some(2000),
            ..HingeOptions::default()
        },
        Some(2) => HingeOptions {
            alpha: word("0.1,1,10,100,1000"),
            samples: word("8000"),
            initial_output: word("subtract"),
            ..HingeOptions::default()
        },
        Some(3) => HingeOptions {
            samples: word("250,500,1000,2000,4000,8000"),
            beta: word("1"),
            steps: Some(3000),
            test_samples: Some(20_000),
            ..HingeOptions::default()
        },
        Some(4) => HingeOptions {
            noise: word("0,0.01,0.05,0.1"),
            samples: word("8000"),
            steps: Some(2000),
            ..HingeOptions::default()
        },
        Some(5) => HingeOptions {
            steps: Some(300),
            ..HingeOptions::default()
        },
        Some(other) => {
            return Err(CliError::Input(format!(
                "--figure {other}: expected 1 (nodes), 2 (alpha), 3 (samples), 4 (label noise) or 5 (images)"
            )));
        }
    };
    let images = given.figure == Some(5);
    let mut all = given.or(of_figure).or(HingeOptions {
        alpha: word("1"),
        threshold: word("1"),
        beta: word("auto"),
        unit: word("relu"),
        nodes: Some(400),
        initial: word("plain"),
        initial_output: word("keep"),
        steps: Some(1000),
        records: Some(60),
        replicas: Some(1),
        seed: Some(0),
        device: word("cpu"),
        threads: std::thread::available_parallelism().ok().map(usize::from),
        ..HingeOptions::default()
    });
    all = if images {
        all.or(HingeOptions {
            labels: word("parity"),
            ..HingeOptions::default()
        })
    } else {
        all.or(HingeOptions {
            distribution: word("gaussian"),
            dimension: Some(20),
            samples: word("4000"),
            examples: word("fixed"),
            noise: word("0"),
            test_samples: Some(10_000),
            moments: word("measured"),
            ..HingeOptions::default()
        })
    };
    Ok(all)
}

/// One of several words.
fn one_of<T: Copy>(name: &str, given: &Option<String>, words: &[(&str, T)]) -> Result<T, CliError> {
    let text = given.as_deref().unwrap_or_default();
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let expected: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    Err(CliError::Input(format!(
        "--{name} '{text}': expected {}",
        expected.join(" or ")
    )))
}

/// Numbers between commas.
pub fn list<T: FromStr>(name: &str, given: &Option<String>, expected: &str) -> Result<Vec<T>, CliError> {
    let text = given.as_deref().unwrap_or_default();
    let wrong = |part: &str| CliError::Input(format!("--{name} '{text}': '{part}' is none, expected {expected}"));
    text.split(',')
        .map(|part| part.trim().parse().map_err(|_| wrong(part)))
        .collect()
}

fn single(name: &str, given: &Option<String>) -> Result<f64, CliError> {
    match list::<f64>(name, given, "a number")?.as_slice() {
        &[value] => Ok(value),
        _ => Err(CliError::Input(format!("--{name}: expected one number"))),
    }
}

/// The cases of options that [`defaults`] has filled. Opens the images, if there are.
///
/// # Errors
/// [`CliError::Input`] that names the option.
pub fn plan(options: &HingeOptions) -> Result<Plan, CliError> {
    let images = options.figure == Some(5);
    let misplaced = if images {
        let given = [
            ("distribution", options.distribution.is_some()),
            ("dimension", options.dimension.is_some()),
            ("examples", options.examples.is_some()),
            ("noise", options.noise.is_some()),
            ("test-samples", options.test_samples.is_some()),
            ("moments", options.moments.is_some()),
        ];
        given
            .iter()
            .find(|(_, given)| *given)
            .map(|(name, _)| (*name, "--figure 5, whose images are what they are"))
    } else {
        let given = [("data", options.data.is_some()), ("labels", options.labels.is_some())];
        given
            .iter()
            .find(|(_, given)| *given)
            .map(|(name, _)| (*name, "anything but --figure 5"))
    };
    if let Some((name, with)) = misplaced {
        return Err(CliError::Input(format!("--{name}: not an option of {with}")));
    }
    let alphas: Vec<f64> = list("alpha", &options.alpha, "numbers between commas")?;
    let noises: Vec<f64> = match images {
        true => vec![0.0],
        false => list("noise", &options.noise, "numbers between commas")?,
    };
    let images = if images { Some(open(options)?) } else { None };
    let samples: Vec<usize> = match &images {
        Some(images) => vec![images.data.train.labels.len()],
        None => list("samples", &options.samples, "whole numbers between commas")?,
    };
    let gaussian = ("gaussian", Distribution::Gaussian);
    let distributions: Vec<Distribution> = match images {
        Some(_) => vec![Distribution::Gaussian],
        None => {
            let names = list::<String>(
                "distribution",
                &options.distribution,
                "gaussian, sphere or both between commas",
            )?;
            let known = |name: &String| {
                one_of(
                    "distribution",
                    &Some(name.clone()),
                    &[gaussian, ("sphere", Distribution::Sphere)],
                )
            };
            names.iter().map(known).collect::<Result<_, _>>()?
        }
    };
    let several = [
        ("distribution", distributions.len()),
        ("alpha", alphas.len()),
        ("noise", noises.len()),
        ("samples", samples.len()),
    ];
    let swept: Vec<&str> = several.iter().filter(|(_, n)| *n > 1).map(|(name, _)| *name).collect();
    if let [first, second, ..] = swept.as_slice() {
        return Err(CliError::Input(format!(
            "--{first}, --{second}: each has several values, expected one sweep at a time"
        )));
    }
    let replicas = options.replicas.unwrap_or(1);
    let count = distributions.len() * alphas.len() * noises.len() * samples.len() * replicas.min(CASES + 1);
    if count == 0 || count > CASES {
        return Err(CliError::Input(format!(
            "--replicas {replicas}: expected at least 1, and at most {CASES} networks in all"
        )));
    }
    let base = base(options, images.as_ref())?;
    let mut cases = Vec::new();
    let combined = distributions.iter().flat_map(|&distribution| {
        let (noises, samples) = (&noises, &samples);
        alphas.iter().flat_map(move |&alpha| {
            noises.iter().flat_map(move |&noise| {
                samples
                    .iter()
                    .map(move |&examples| (distribution, alpha, noise, examples))
            })
        })
    });
    for (distribution, alpha, noise, examples) in combined {
        for replica in 0..replicas as u64 {
            let mut setting = base.clone();
            setting.model = Model {
                distribution,
                alpha,
                noise,
                ..setting.model
            };
            (setting.examples, setting.replica) = (examples, replica);
            setting.model.beta = beta(options, &setting.model, images.as_ref())?;
            setting.check()?;
            fits(&setting)?;
            let mut label = match swept.first() {
                Some(&"distribution") => distribution.name().to_string(),
                Some(&"alpha") => format!("alpha {alpha}"),
                Some(&"noise") => format!("eta {noise}"),
                Some(_) => format!("N {examples}"),
                None => String::new(),
            };
            if replicas > 1 {
                let gap = if label.is_empty() { "" } else { ", " };
                label.push_str(&format!("{gap}replica {replica}"));
            }
            cases.push(Planned { label, setting });
        }
    }
    let moments = match images {
        Some(_) => From::Population,
        None => one_of(
            "moments",
            &options.moments,
            &[("measured", From::Measured), ("population", From::Population)],
        )?,
    };
    Ok(Plan { cases, moments, images })
}

/// What all cases have in common.
fn base(options: &HingeOptions, images: Option<&Images>) -> Result<Setting, CliError> {
    Ok(Setting {
        model: Model {
            unit: one_of("unit", &options.unit, &[("relu", Unit::Relu), ("linear", Unit::Linear)])?,
            distribution: Distribution::Gaussian,
            dimension: match images {
                Some(images) => images.data.direction.len(),
                None => options.dimension.unwrap_or_default(),
            },
            alpha: 1.0,
            threshold: single("threshold", &options.threshold)?,
            beta: 1.0,
            noise: 0.0,
        },
        nodes: options.nodes.unwrap_or_default(),
        examples: 1,
        test_examples: match images {
            Some(images) => images.data.test.labels.len(),
            None => options.test_samples.unwrap_or_default(),
        },
        steps: options.steps.unwrap_or_default(),
        initial: one_of(
            "initial",
            &options.initial,
            &[
                ("plain", Initial::Plain),
                ("antithetic", Initial::Antithetic),
                ("reflected", Initial::Reflected),
            ],
        )?,
        subtract: one_of(
            "initial-output",
            &options.initial_output,
            &[("keep", false), ("subtract", true)],
        )?,
        fresh: match images {
            Some(_) => false,
            None => one_of("examples", &options.examples, &[("fixed", false), ("fresh", true)])?,
        },
        seed: options.seed.unwrap_or_default(),
        replica: 0,
        records: options.records.unwrap_or_default(),
    })
}

/// beta, given or such that gamma grows by at most [`STEP`] in a step, and in a lazy run by at most that share of how far it goes.
fn beta(options: &HingeOptions, model: &Model, images: Option<&Images>) -> Result<f64, CliError> {
    if options.beta.as_deref() != Some("auto") {
        return single("beta", &options.beta)
            .map_err(|_| CliError::Input("--beta: expected a positive number or auto".into()));
    }
    let rate = match images {
        Some(images) => images.length / (model.unit.c() * (model.dimension as f64).sqrt()),
        None => Model { beta: 1.0, ..*model }.rate(),
    };
    // How lazy a run is depends on typical projections, which are 1 / sqrt d on the sphere.
    let typical = model.distribution.variance(model.dimension).sqrt();
    Ok(STEP * (model.crossover() / typical).min(1.0) / rate)
}

/// Checks that examples and nodes fit into the free memory: in f64 where they are drawn and in f32 where they are computed with.
fn fits(setting: &Setting) -> Result<(), CliError> {
    let d = setting.model.dimension as f64;
    let examples = (setting.examples + setting.test_examples) as f64;
    let records = setting.record_steps().len() as f64;
    let nodes = setting.nodes as f64;
    let needed = examples * (12.0 * d + 64.0) + nodes * (d * 64.0 + records * 24.0);
    memory::check_bytes("samples, --dimension, --nodes", needed)
}

/// The images of `--figure 5`.
fn open(options: &HingeOptions) -> Result<Images, CliError> {
    let dataset = match &options.data {
        Some(folder) => Dataset::open(folder)?,
        None => Dataset::digits()?,
    };
    let labels = options.labels.as_deref().unwrap_or("parity");
    let train_samples = match &options.samples {
        None => None,
        Some(_) => match list::<usize>("samples", &options.samples, "a whole number")?.as_slice() {
            &[n] => Some(n),
            _ => return Err(CliError::Input("--samples: expected one number with --figure 5".into())),
        },
    };
    let preparation = Preparation {
        labels: labels
            .parse::<LabelRule>()
            .map_err(|error| CliError::Input(format!("--labels '{labels}': {error}")))?,
        train_samples,
        data_offset: 0,
        subset: Subset::Consecutive,
        standardize: Standardize::Pixel,
        channels: Channels::GreySum,
        dead_pixels: DeadPixels::Zero,
        seed: options.seed.unwrap_or_default(),
    };
    let prepared = Prepared::new(&dataset, &preparation).map_err(resolve::of_preparation)?;
    let (data, length) = realistic::data(&prepared)?;
    Ok(Images {
        description: format!(
            "{}, {labels}: {} training and {} test images, standardised per pixel; |<y x>| = {length:.4}",
            dataset.name,
            data.train.labels.len(),
            data.test.labels.len()
        ),
        data,
        length,
    })
}
