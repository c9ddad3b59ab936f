//! `disentangle inversion`: options to a recipe, run, folder.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use disentangle::data::Dataset;
use disentangle::report::page::headline;
use disentangle::report::record::DataRecord;
use disentangle::report::run_folder::CHECKPOINT;
use disentangle::report::{self, Exhibits, Run, RunRecord, write_atomic};
use disentangle::study::harvest::{FOLDERS, Harvest};
use disentangle::study::inversion::{Finished, Setup, run as run_study};
use disentangle::study::keep::Epochs;
use disentangle::study::movie::Movie;
use disentangle::study::outcome::{InversionOutcome, ReplicaOutcome};
use disentangle::study::prepare::Prepared;

use super::error::CliError;
use super::guard::{self, Guard};
use super::options::InversionOptions;
use super::output::{new_folder, print};
use super::progress::Reporter;
use super::resume::{self, CONFIG};
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
    let (keeps, keeps_ends) = resolve::keeps(&options)?;
    let follow = resolve::follow(&options)?;
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
            let from = resume::checkpoint(&folder, &recipe, &follow, &hashes)?;
            (folder, from)
        }
        out => {
            let folder = new_folder(out, "inversion")?;
            write_atomic(&folder.join(CONFIG), config.as_bytes())?;
            (folder, None)
        }
    };
    let mut record = RunRecord {
        study: None,
        disentangle: env!("CARGO_PKG_VERSION").into(),
        command: options.command(),
        configuration: options.given().into_iter().collect(),
        device,
        processor: facts::processor(),
        data: DataRecord {
            name: dataset.name.clone(),
            description: description(&options, &dataset, &data),
            classes: data.classes.clone(),
            sha256: hashes,
            train_samples: data.train_labels.len(),
            test_samples: data.test_labels.len(),
            dead_pixels: data.dead_pixels,
            test_samples_lighting_dead_pixels: data.lit_test_rows,
        },
        started_unix_seconds: facts::unix_seconds(),
        largest_number_of_zero_rows: None,
        training_seconds: None,
    };
    record.write(&folder)?;
    let double = options.device.as_deref() == Some("reference");
    let harvest = Harvest::new(&folder, &recipe, data.train_labels.len(), keeps, double);
    harvest.begin(&data)?;
    if !(quiet || json) {
        warn_of_dead_pixels(&options, &data);
        tell_size(&harvest, &folder);
    }

    let started = Instant::now();
    let reporter = Reporter::new(recipe.epochs, quiet || json);
    let checkpoint = folder.join(CHECKPOINT);
    let mut guard = Guard::new(reporter, recipe.replicas.len(), checkpoint, interval, &harvest, follow)?;
    let setup = Setup {
        recipe: &recipe,
        data: &data,
        initial: &initial,
        test_every: options.test_every.unwrap_or_default(),
    };
    let Some(finished) = run_study(setup, backend.as_ref(), from, &mut guard)? else {
        return Err(CliError::Interrupted("inversion".into(), folder));
    };
    let seconds = started.elapsed().as_secs_f64();
    if !(quiet || json) {
        warn_of_divergence(&finished.outcome);
    }

    if keeps_ends {
        harvest.ends(&initial, &finished.parameters)?;
    }
    harvest.stops(&finished.outcome)?;
    report::write_tables(&folder, &finished.outcome)?;
    let most = Exhibits::points(&dataset.train, finished.film.epochs.len());
    let movie = Movie::of(
        &finished.film,
        &recipe,
        &data,
        &finished.outcome,
        backend.as_ref(),
        most,
    )?;
    let samples = data.train_labels.len();
    Exhibits::of(&finished.outcome, movie, &dataset.train, dataset.pixel_max, samples).write(&folder)?;
    record.largest_number_of_zero_rows = Some(finished.zero_rows);
    record.training_seconds = Some(seconds);
    record.write(&folder)?;
    // From the files alone, as `report` makes it again.
    let page = Run::read(&folder)?.write_page()?;
    // Only now is there nothing left to resume.
    resume::discard(&folder)?;
    tell(&finished, &folder, &page, json, seconds)
}

/// Warns of dead pixels that a test sample lights.
pub fn warn_of_dead_pixels(options: &InversionOptions, data: &Prepared) {
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

/// Says what the activations will take, before they are written.
fn tell_size(harvest: &Harvest, folder: &Path) {
    let (files, bytes) = harvest.activations_size();
    if files > 0 {
        let at_most = if harvest.keeps().activations == Epochs::Inversion {
            "at most "
        } else {
            ""
        };
        let folder = folder.join(FOLDERS[0]);
        let _ = writeln!(
            std::io::stderr(),
            "activations: {at_most}{files} files, {} in {}",
            size(bytes),
            folder.display()
        );
    }
}

/// A number of bytes as people say it.
fn size(bytes: f64) -> String {
    match bytes {
        b if b < 1e6 => format!("{:.1} kB", b / 1e3),
        b if b < 1e9 => format!("{:.1} MB", b / 1e6),
        b => format!("{:.1} GB", b / 1e9),
    }
}

/// The data in words.
pub fn description(options: &InversionOptions, dataset: &Dataset, data: &Prepared) -> String {
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
fn tell(finished: &Finished, folder: &Path, page: &Path, json: bool, seconds: f64) -> Result<(), CliError> {
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
    print(&text)
}
