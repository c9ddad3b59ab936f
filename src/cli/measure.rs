//! `disentangle measure`: the metrics of arrays of one's own.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use disentangle::backend::cpu::pool::MAX_THREADS;
use disentangle::backend::pairwise::Form;
use disentangle::data::arrays::{ArrayPlace, arrays, labels, natural};
use disentangle::geometry::{Classifier, METRICS, Metric, NEIGHBORS, Settings, metric};
use disentangle::report::measured::Findings;
use disentangle::study::measure::{LabelClasses, Measured, Measurer, Representation};

use super::error::CliError;
use super::output::{new_folder, print};
use super::resolve::backend_named;

const AFTER_HELP: &str = "\
Arrays are .npy, .npz or .safetensors of f16, f32 or f64; FILE.npz:NAME is one
of several. [N, ...] is one representation of N samples, [R, N, D] R replicas.
A folder gives a line for each of its arrays; `inversion --save-activations all`
writes one, labels included.";

/// The options of `measure`.
#[derive(Args, Clone, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct MeasureOptions {
    /// Rows to measure: a file, or a folder of layers or epochs
    #[arg(long, value_name = "PATH", required_unless_present = "list")]
    pub activations: Option<PathBuf>,
    /// Integers, one per row: .npy, .npz or .csv [labels.npy beside the activations]
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Metrics separated by commas, or all
    #[arg(long, value_name = "LIST", default_value = "all")]
    pub metrics: String,
    /// Classifier [classes, columns], for nc3 and nc4: an array, PyTorch's
    /// names (the last layer counts), or a folder of such files
    #[arg(long, value_name = "PATH")]
    pub weights: Option<PathBuf>,
    /// Another representation of the samples: one, or one of each name
    #[arg(long, value_name = "PATH")]
    pub second: Option<PathBuf>,
    /// Rows as they are, or each divided by its norm: none | unit
    #[arg(long, value_name = "HOW", default_value = "none")]
    pub normalize: String,
    /// Neighbours of overlap and maximum-likelihood dimension [30]
    #[arg(long, value_name = "K")]
    pub k: Option<usize>,
    /// Temperature of the soft nearest neighbour loss
    #[arg(long, value_name = "T", default_value_t = 1.0, allow_hyphen_values = true)]
    pub temperature: f64,
    /// Share of the variance for the explained-variance dimension
    #[arg(long, value_name = "F", default_value_t = 0.9, allow_hyphen_values = true)]
    pub explained: f64,
    /// Of distances: f32 | f64; all else is f64
    #[arg(long, value_name = "P", default_value = "f32")]
    pub precision: String,
    /// cpu | cuda[:n] | reference, which is slow and plain, in f64
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    pub device: String,
    /// Threads; results do not depend on it [all]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Folder for metrics.csv, samples.csv and metrics.json, absent or empty
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// One JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// No progress
    #[arg(long)]
    pub quiet: bool,
    /// List the metrics, and what each is
    #[arg(long)]
    pub list: bool,
}

/// Runs the subcommand.
///
/// # Errors
/// [`CliError::Input`] for options and arrays that do not fit each other, or if no metric could be computed; [`CliError::Failed`] for a folder
/// that cannot be written.
pub fn run(options: MeasureOptions) -> Result<(), CliError> {
    if options.list {
        return print(&list());
    }
    let path = options.activations.clone().unwrap_or_default();
    let metrics = metric::listed(&options.metrics).map_err(|error| CliError::Input(format!("--metrics: {error}")))?;
    let unit = match options.normalize.as_str() {
        "none" => false,
        "unit" => true,
        other => return Err(CliError::Input(format!("--normalize '{other}': expected none or unit"))),
    };
    let settings = settings(&options)?;
    let (backend, _) = backend_named(&options.device, settings.threads)?;
    let places = arrays(&path).map_err(|error| CliError::Input(format!("--activations: {error}")))?;
    let given = labels(options.labels.as_deref(), &path);
    let given = given.map_err(|error| CliError::Input(format!("--labels: {error}")))?;
    let Some(given) = given else {
        return Err(CliError::Input(format!(
            "--labels: none given, and no labels.npy beside {}; expected a file with an integer per row",
            path.display()
        )));
    };
    let classes = LabelClasses::new(&given).map_err(|error| CliError::Input(format!("--labels: {error}")))?;
    let second = options
        .second
        .as_deref()
        .map(|path| Second::open(path, given.len(), unit))
        .transpose()?;
    let weights = options.weights.as_deref().map(Weights::open).transpose()?;
    let folder = options
        .out
        .clone()
        .map(|out| new_folder(Some(out), "measure"))
        .transpose()?;

    let measurer = Measurer {
        metrics: &metrics,
        classes: &classes,
        pairs: backend.pairs(),
        settings,
    };
    let quiet = options.quiet || options.json;
    let mut entries = Vec::new();
    for (n, place) in places.iter().enumerate() {
        if places.len() > 1 && !quiet {
            let _ = writeln!(std::io::stderr(), "{} ({} of {})", place.name, n + 1, places.len());
        }
        entries.extend(measured(
            place,
            &measurer,
            unit,
            second.as_ref(),
            weights.as_ref(),
            quiet,
        )?);
    }
    let findings = Findings {
        metrics: &metrics,
        classes: &classes,
        entries: &entries,
    };
    let mut readings = entries.iter().flat_map(|entry| entry.readings.iter().zip(&metrics));
    if let Some((Err(reason), metric)) = readings.clone().next()
        && readings.all(|(reading, _)| reading.is_err())
    {
        return Err(CliError::Input(format!(
            "{}: {}: {reason}",
            path.display(),
            metric.name
        )));
    }
    if let Some(folder) = &folder {
        findings.write(folder)?;
    }
    if options.json {
        return print(&findings.json()?);
    }
    let mut text = findings.text();
    if let Some(folder) = &folder {
        text.push_str(&format!("tables in {}\n", folder.display()));
    }
    print(&text)
}

/// The metrics, one a line.
fn list() -> String {
    let width = METRICS.iter().map(|metric| metric.name.len()).max().unwrap_or(0);
    let line = |metric: &Metric| {
        let needs = metric.needs.map_or(String::new(), |need| format!(" (needs {need})"));
        format!("{:<width$}  {}{needs}\n", metric.name, metric.about)
    };
    METRICS.iter().map(line).collect()
}

fn settings(options: &MeasureOptions) -> Result<Settings, CliError> {
    let form = match options.precision.as_str() {
        "f32" => Form::Direct,
        "f64" => Form::F64,
        other => return Err(CliError::Input(format!("--precision '{other}': expected f32 or f64"))),
    };
    let (temperature, explained) = (options.temperature, options.explained);
    if !(temperature.is_finite() && temperature > 0.0) {
        return Err(CliError::Input(format!(
            "--temperature {temperature}: expected a positive number"
        )));
    }
    if !(explained > 0.0 && explained <= 1.0) {
        return Err(CliError::Input(format!(
            "--explained {explained}: expected above 0 and at most 1"
        )));
    }
    if let Some(k) = options.k.filter(|k| !(1..=64).contains(k)) {
        return Err(CliError::Input(format!(
            "--k {k}: expected 1 to 64 neighbours, or none for {NEIGHBORS}"
        )));
    }
    let present = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = options.threads.unwrap_or(present);
    if !(1..=MAX_THREADS).contains(&threads) {
        return Err(CliError::Input(format!(
            "--threads {threads}: expected 1 to {MAX_THREADS}"
        )));
    }
    Ok(Settings {
        neighbors: options.k,
        temperature,
        explained,
        form,
        threads,
    })
}

/// Measures what is at a place: one representation, or one per replica.
fn measured(
    place: &ArrayPlace,
    measurer: &Measurer,
    unit: bool,
    second: Option<&Second>,
    weights: Option<&Weights>,
    quiet: bool,
) -> Result<Vec<Measured>, CliError> {
    let samples = measurer.classes.indices.len();
    let wrong = |error: &dyn std::fmt::Display| CliError::Input(format!("{}: {error}", place.place()));
    let array = place.read().map_err(CliError::input)?;
    let mut entries = Vec::new();
    let mut zeros = 0;
    for mut representation in Representation::of(array, samples).map_err(|error| wrong(&error))? {
        if unit {
            zeros += representation.normalize();
        }
        let other = second
            .map(|second| second.of(place, representation.replica))
            .transpose()?;
        let classes = measurer.classes.names.len();
        let classifier = weights
            .map(|weights| weights.of(place, representation.replica, classes))
            .transpose()?;
        let name = place.name.clone();
        let entry = measurer.measure(name, representation, classifier.as_ref(), other.as_ref());
        entries.push(entry);
    }
    if zeros > 0 && !quiet {
        let _ = writeln!(
            std::io::stderr(),
            "warning: {}: {zeros} rows of zeros have no direction and stay zero",
            place.name
        );
    }
    Ok(entries)
}

/// The second representations.
struct Second {
    places: Vec<ArrayPlace>,
    path: PathBuf,
    samples: usize,
    unit: bool,
}

impl Second {
    fn open(path: &Path, samples: usize, unit: bool) -> Result<Second, CliError> {
        let places = arrays(path).map_err(|error| CliError::Input(format!("--{}: {error}", "second")))?;
        Ok(Second {
            places,
            path: path.to_owned(),
            samples,
            unit,
        })
    }

    /// The only one, or the one of the same name; of several replicas the same.
    fn of(&self, place: &ArrayPlace, replica: Option<usize>) -> Result<Representation, CliError> {
        let named = || self.places.iter().find(|other| other.name == place.name);
        let found = if let [only] = &self.places[..] {
            Some(only)
        } else {
            named()
        };
        let Some(found) = found else {
            return Err(CliError::Input(format!(
                "--second: {} has nothing named '{}', expected one array or one of each name",
                self.path.display(),
                place.name
            )));
        };
        let wrong = |detail: String| CliError::Input(format!("--second: {}: {detail}", found.place()));
        let array = found
            .read()
            .map_err(|error| CliError::Input(format!("--second: {error}")))?;
        let mut all = Representation::of(array, self.samples).map_err(|error| wrong(error.to_string()))?;
        let at = if all.len() == 1 { 0 } else { replica.unwrap_or(0) };
        if at >= all.len() || (all.len() > 1 && replica.is_none()) {
            return Err(wrong(format!(
                "{} replicas, expected one, or as many as the activations",
                all.len()
            )));
        }
        let mut second = all.swap_remove(at);
        if let Some((place, value)) = second.rows.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(wrong(format!(
                "row {} holds {value}, expected finite numbers",
                place / second.cols
            )));
        }
        if self.unit {
            second.normalize();
        }
        Ok(second)
    }
}

/// The classifier's file, or a folder with one for each representation.
struct Weights {
    path: PathBuf,
    folder: bool,
}

impl Weights {
    fn open(path: &Path) -> Result<Weights, CliError> {
        let weights = Weights {
            path: path.to_owned(),
            folder: path.is_dir(),
        };
        if !weights.folder {
            arrays(path).map_err(|error| CliError::Input(format!("--weights: {error}")))?;
        }
        Ok(weights)
    }

    /// The last layer of the file, or of the folder's file named as the array's (`layer-1-epoch-3` also as `epoch-3`).
    fn of(&self, place: &ArrayPlace, replica: Option<usize>, classes: usize) -> Result<Classifier, CliError> {
        let path = if self.folder {
            self.file_for(place)?
        } else {
            self.path.clone()
        };
        let failed = |error: &dyn std::fmt::Display| CliError::Input(format!("--weights: {error}"));
        let mut all = arrays(&path).map_err(|error| failed(&error))?;
        all.sort_by(|a, b| natural(a.member().unwrap_or_default(), b.member().unwrap_or_default()));
        let weight = match &all[..] {
            [only] => Some(only),
            several => several
                .iter()
                .rev()
                .find(|place| place.member().is_some_and(|m| m.ends_with("weight"))),
        };
        let Some(weight) = weight else {
            return Err(CliError::Input(format!(
                "--weights: {}: no array whose name ends in 'weight', expected PyTorch's names",
                path.display()
            )));
        };
        let array = weight.read().map_err(|error| failed(&error))?;
        let values = own(array.shape.as_slice(), 2, array.values, replica);
        let Some((shape, values)) = values.filter(|(shape, _)| shape.first() == Some(&classes)) else {
            return Err(CliError::Input(format!(
                "--weights: {}: shape {:?}, expected {classes} rows (one per class), with or without the activations' replicas before them",
                weight.place(),
                array.shape
            )));
        };
        debug_assert_eq!(shape.len(), 2);
        let name = weight.member().and_then(|name| name.strip_suffix("weight"));
        let bias = name.and_then(|prefix| {
            let bias = format!("{prefix}bias");
            all.iter().find(|place| place.member() == Some(bias.as_str()))
        });
        let bias = match bias {
            None => None,
            Some(bias) => {
                let array = bias.read().map_err(|error| failed(&error))?;
                let values = own(array.shape.as_slice(), 1, array.values, replica);
                let Some((_, values)) = values.filter(|(shape, _)| shape.first() == Some(&classes)) else {
                    return Err(CliError::Input(format!(
                        "--weights: {}: shape {:?}, expected {classes} numbers, one per class",
                        bias.place(),
                        array.shape
                    )));
                };
                Some(values)
            }
        };
        Ok(Classifier { weight: values, bias })
    }

    fn file_for(&self, place: &ArrayPlace) -> Result<PathBuf, CliError> {
        let name = place.name.as_str();
        let layerless = name
            .strip_prefix("layer-")
            .and_then(|rest| rest.split_once('-'))
            .map(|(_, name)| name);
        for name in [Some(name), layerless].into_iter().flatten() {
            for extension in ["safetensors", "npz", "npy"] {
                let path = self.path.join(format!("{name}.{extension}"));
                if path.is_file() {
                    return Ok(path);
                }
            }
        }
        Err(CliError::Input(format!(
            "--weights: {} has no file for '{name}', expected {name}.safetensors, .npz or .npy",
            self.path.display()
        )))
    }
}

/// The sizes and values of an array of `rank` sizes, or of one replica of an array with an axis of them before.
fn own(shape: &[usize], rank: usize, values: Vec<f64>, replica: Option<usize>) -> Option<(Vec<usize>, Vec<f64>)> {
    if shape.len() == rank {
        return Some((shape.to_vec(), values));
    }
    let [replicas, own @ ..] = shape else { return None };
    let place = if *replicas == 1 { 0 } else { replica? };
    if own.len() != rank || place >= *replicas {
        return None;
    }
    let size: usize = own.iter().product();
    Some((own.to_vec(), values.get(place * size..(place + 1) * size)?.to_vec()))
}
