//! What every study does before and after its work: options to a recipe, the folder with its parts, the page.

use std::path::PathBuf;
use std::time::Instant;

use disentangle::backend::Backend;
use disentangle::data::{Dataset, whole_file};
use disentangle::nn::network::Parameters;
use disentangle::report::files::create_folder;
use disentangle::report::record::{DataRecord, RUN_JSON};
use disentangle::report::sprite::sprite;
use disentangle::report::{FIGURES, REPORT_HTML, RunRecord, study, write_atomic};
use disentangle::study::StudyError;
use disentangle::study::courses::Courses;
use disentangle::study::findings::Findings;
use disentangle::study::follow::Follow;
use disentangle::study::parts::Parts;
use disentangle::study::prepare::Prepared;
use disentangle::study::stragglers::Bench;
use disentangle::train::Recipe;
use serde_json::Value;

use super::super::error::CliError;
use super::super::inversion::{description, warn_of_dead_pixels};
use super::super::output::{new_folder, print};
use super::super::resume::CONFIG;
use super::super::{facts, resolve};
use super::given::{Given, Own, Settled};
use super::progress::Guard;

/// Name of the folder of finished parts in a study's folder.
const PARTS: &str = "parts";

/// A study under way.
pub struct Desk {
    /// How to train.
    pub recipe: Recipe,
    /// On what.
    pub data: Prepared,
    dataset: Dataset,
    initial: Parameters,
    follow: Follow,
    courses: Courses,
    backend: Box<dyn Backend>,
    folder: PathBuf,
    record: RunRecord,
    guard: Guard,
    json: bool,
    started: Instant,
}

impl Desk {
    /// Opens a study: whatever can be wrong with the input is found before the folder is made. Returns the study's own
    /// options too.
    ///
    /// # Errors
    /// As [`inversion`](super::super::inversion::run).
    pub fn open<O: Own>(given: Given<O>) -> Result<(Desk, O), CliError> {
        let Settled {
            own,
            common: options,
            config,
            named,
            command,
        } = given.settle()?;
        let preparation = resolve::preparation(&options)?;
        let training = resolve::training(&options)?;
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
        let study = format!("stragglers {}", O::STUDY);
        let folder = match (options.out.clone(), options.resume) {
            (Some(folder), true) => {
                resumable(&folder, &study, &hashes)?;
                folder
            }
            (out, _) => {
                let folder = new_folder(out, &study.replace(' ', "-"))?;
                write_atomic(&folder.join(CONFIG), config.as_bytes())?;
                folder
            }
        };
        let record = RunRecord {
            study: Some(study),
            disentangle: env!("CARGO_PKG_VERSION").into(),
            command,
            configuration: named.into_iter().collect(),
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
        create_folder(&folder.join(PARTS))?;
        let silent = options.quiet || options.json;
        if !silent {
            warn_of_dead_pixels(&options, &data);
        }
        let desk = Desk {
            courses: Courses::new(&follow, &data.classes, &recipe.layers),
            follow,
            recipe,
            data,
            dataset,
            initial,
            backend,
            folder,
            record,
            guard: Guard::new(silent)?,
            json: options.json,
            started: Instant::now(),
        };
        Ok((desk, own))
    }

    /// Does the study's work, with the parts that the folder has.
    ///
    /// # Errors
    /// [`CliError::Interrupted`] by a signal; as the work.
    pub fn work<T>(&mut self, work: impl FnOnce(&mut Bench) -> Result<T, StudyError>) -> Result<T, CliError> {
        let parts = Parts::in_folder(&self.folder.join(PARTS));
        let mut bench = Bench {
            recipe: &self.recipe,
            data: &self.data,
            initial: &self.initial,
            backend: self.backend.as_ref(),
            parts: &parts,
            follow: &self.follow,
            courses: &mut self.courses,
            watcher: &mut self.guard,
        };
        let result = work(&mut bench);
        self.guard.clear();
        match result {
            Err(StudyError::Interrupted) => {
                let study = self.record.study.clone().unwrap_or_default();
                Err(CliError::Interrupted(study, self.folder.clone()))
            }
            result => Ok(result?),
        }
    }

    /// Writes what was found, and what the metrics that were followed did, makes the page, and says so. Then there is nothing left to resume.
    ///
    /// # Errors
    /// [`CliError::Failed`] for a file that cannot be written.
    pub fn close(mut self, findings: &Findings) -> Result<(), CliError> {
        let name = self.record.study.clone().unwrap_or_default();
        let findings = &self.courses.beside(findings.clone());
        let rows: Vec<usize> = findings.cards.iter().map(|card| card.sample_index).collect();
        let pictures = sprite(&self.dataset.train, self.dataset.pixel_max, &rows);
        study::write(&self.folder, &name, findings, pictures.as_ref())?;
        let seconds = self.started.elapsed().as_secs_f64();
        self.record.training_seconds = Some(seconds);
        self.record.write(&self.folder)?;
        let page = study::write_page(&self.folder)?;
        let parts = self.folder.join(PARTS);
        std::fs::remove_dir_all(&parts)
            .map_err(|cause| CliError::Failed(format!("{}: cannot remove it: {cause}", parts.display())))?;
        if self.json {
            return print(&study::summary_json(&name, findings)?);
        }
        print(&format!(
            "{}\n{seconds:.1} s; tables in {}\n{}\n",
            findings.paragraphs.join("\n"),
            self.folder.display(),
            page.display()
        ))
    }
}

/// Checks that a folder holds this study, with these data and without an end.
fn resumable(folder: &std::path::Path, study: &str, hashes: &Value) -> Result<(), CliError> {
    let wrong = |what: &str| Err(CliError::Input(format!("{}: {what}", folder.display())));
    let before = std::fs::read(folder.join(RUN_JSON)).ok();
    let before = before.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    if let Some(run) = before {
        match run.get("study").and_then(Value::as_str) {
            Some(of) if of == study => {}
            of => {
                let of = of.unwrap_or("inversion");
                return wrong(&format!("a run of `{of}`, expected one of `{study}`"));
            }
        }
        if run.pointer("/data/sha256") != Some(hashes) {
            return wrong("the data are not those the run began with, expected the same files");
        }
    }
    if folder.join(REPORT_HTML).exists() && !folder.join(PARTS).exists() {
        return wrong("this run is complete, there is nothing to resume");
    }
    // What a killed process was writing.
    for part in ["", FIGURES, PARTS] {
        whole_file::sweep(&folder.join(part));
    }
    Ok(())
}
