//! The folder of a run as `watch` shows it: looked at again when its files have changed, from the checkpoint while the
//! run goes on, from its tables when it has ended. Nothing is read through a link that leads out of the folder; only the
//! data are where the run's configuration says.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use disentangle::data::Dataset;
use disentangle::report::document::Live;
use disentangle::report::exhibits_file::FILES as EXHIBITS;
use disentangle::report::page::{page, waiting};
use disentangle::report::record::RUN_JSON;
use disentangle::report::run_folder::{CHECKPOINT, has_ended};
use disentangle::report::serve::Site;
use disentangle::report::{
    EPOCHS_CSV, Exhibits, REPORT_HTML, Run, RunFacts, RunRecord, STRAGGLERS_CSV, SUMMARY_JSON, figures, summary, tables,
};
use disentangle::study::checkpoint::Checkpoint;
use disentangle::study::inversion::{columns, concluded};
use disentangle::study::movie::Movie;
use disentangle::study::outcome::InversionOutcome;
use disentangle::study::prepare::Prepared;
use disentangle::train::Recipe;

use super::error::CliError;
use super::options::InversionOptions;
use super::resume::CONFIG;
use super::{config, facts, resolve};

/// A run that goes on writes a checkpoint every 30 s; after this long without one it may be no more.
const SILENCE: Duration = Duration::from_secs(90);

/// Files that cannot be read are tried again after this long, though they have not changed: the data may have.
const AGAIN: Duration = Duration::from_secs(10);

/// A folder and what was last made of it.
pub struct Watched {
    folder: PathBuf,
    /// Made when the run is first seen going on.
    stage: Option<Stage>,
    version: String,
    site: Arc<Site>,
    /// Version and note that the site tells.
    state: (String, String),
    /// Of which files it failed, when, and why.
    failure: Option<(String, Instant, String)>,
}

/// What a checkpoint is read with.
struct Stage {
    recipe: Recipe,
    dataset: Dataset,
    data: Prepared,
    options: InversionOptions,
}

impl Watched {
    /// A folder that nobody has looked at.
    pub fn new(folder: PathBuf) -> Watched {
        Watched {
            folder,
            stage: None,
            version: String::new(),
            site: Arc::default(),
            state: Default::default(),
            failure: None,
        }
    }

    /// What to show.
    pub fn site(&self) -> Arc<Site> {
        self.site.clone()
    }

    /// Looks whether the files have changed, and makes the page again if so. After an error the site is what it was, with
    /// a note.
    ///
    /// # Errors
    /// [`CliError::Input`] for a run that cannot be read.
    pub fn look(&mut self) -> Result<(), CliError> {
        let version = self.fingerprint();
        let failed_lately = |(tried, when, _): &(String, Instant, String)| *tried == version && when.elapsed() < AGAIN;
        let error = match self.failure.take().filter(failed_lately) {
            _ if version == self.version => None,
            Some(failure) => Some(failure),
            None => match self.make(&version) {
                Ok(()) => None,
                Err(error) => Some((version.clone(), Instant::now(), error.to_string())),
            },
        };
        let note = match &error {
            None => self.silence(),
            Some((_, _, error)) => format!("What is there now cannot be read: {error}."),
        };
        if error.is_none() {
            self.version = version;
        }
        let state = (self.version.clone(), note);
        if state != self.state {
            Arc::make_mut(&mut self.site).set_state(&state.0, &state.1);
            self.state = state;
        }
        self.failure = error;
        self.failure
            .as_ref()
            .map_or(Ok(()), |(_, _, error)| Err(CliError::Input(error.clone())))
    }

    /// Sizes and times of all files that the page depends on, as one word.
    fn fingerprint(&self) -> String {
        let mut hasher = DefaultHasher::new();
        for name in names() {
            let meta = self.folder.join(&name).metadata().ok();
            let seen = meta.map(|meta| (meta.len(), meta.modified().ok()));
            (name, seen).hash(&mut hasher);
        }
        format!("{:016x}", hasher.finish())
    }

    /// Says that a run that has not ended has been silent for long.
    fn silence(&self) -> String {
        let last = [CHECKPOINT, RUN_JSON]
            .iter()
            .find_map(|name| self.folder.join(name).metadata().ok()?.modified().ok());
        let age = last
            .and_then(|last| SystemTime::now().duration_since(last).ok())
            .unwrap_or_default();
        let ended = RunRecord::read(&self.folder).is_ok_and(|record| has_ended(&self.folder, &record));
        if ended || age < SILENCE {
            return String::new();
        }
        let minutes = age.as_secs() / 60;
        format!("It has written nothing for {minutes} min: it may have been interrupted.")
    }

    fn make(&mut self, version: &str) -> Result<(), CliError> {
        let folder = self.folder.clone();
        refuse_links(&folder)?;
        let record = RunRecord::of_inversion(&folder).map_err(CliError::input)?;
        let live = Live {
            version: version.to_owned(),
        };
        let mut site = Site::default();
        if has_ended(&folder, &record) {
            let run = Run::read(&folder).map_err(CliError::input)?;
            show(
                &mut site,
                &run.outcome,
                &run.record.facts(),
                run.exhibits.as_ref(),
                live,
            )?;
        } else {
            let mut facts = record.facts();
            let stage = match self.stage.take() {
                Some(stage) => stage,
                None => Stage::of(&folder, &record)?,
            };
            facts.underway = Some((0, stage.recipe.epochs));
            match stage.look(&folder)? {
                Some((outcome, exhibits, done)) => {
                    facts.underway = Some((done, stage.recipe.epochs));
                    show(&mut site, &outcome, &facts, Some(&exhibits), live)?;
                }
                None => site.add(REPORT_HTML, waiting(&facts, live).as_bytes()),
            }
            self.stage = Some(stage);
        }
        for name in [RUN_JSON, CONFIG] {
            if let Ok(bytes) = std::fs::read(folder.join(name)) {
                site.add(name, &bytes);
            }
        }
        self.site = Arc::new(site);
        self.state = Default::default();
        Ok(())
    }
}

/// Every file of a run's folder that is read.
fn names() -> Vec<String> {
    let own = [CONFIG, RUN_JSON, CHECKPOINT, EPOCHS_CSV, STRAGGLERS_CSV, SUMMARY_JSON];
    own.iter().chain(&EXHIBITS).map(|name| (*name).to_owned()).collect()
}

fn refuse_links(folder: &Path) -> Result<(), CliError> {
    let own = folder.canonicalize().ok();
    for name in names() {
        let path = folder.join(name);
        if let (Ok(target), Some(own)) = (path.canonicalize(), &own)
            && !target.starts_with(own)
        {
            return Err(CliError::Input(format!(
                "{}: a link that leads out of the folder, expected a file in it",
                path.display()
            )));
        }
    }
    Ok(())
}

/// Adds the page of an outcome, its tables and its figures.
fn show(
    site: &mut Site,
    outcome: &InversionOutcome,
    facts: &RunFacts,
    exhibits: Option<&Exhibits>,
    live: Live,
) -> Result<(), CliError> {
    let drawn = figures::figures(outcome)?;
    site.add(
        REPORT_HTML,
        page(outcome, facts, &drawn, exhibits, Some(live)).as_bytes(),
    );
    site.add(EPOCHS_CSV, tables::epochs_csv(outcome)?.as_bytes());
    site.add(STRAGGLERS_CSV, tables::stragglers_csv(outcome).as_bytes());
    site.add(SUMMARY_JSON, summary::summary_json(outcome)?.as_bytes());
    for figure in &drawn {
        site.add(&format!("figures/{}.svg", figure.name), figure.file.as_bytes());
    }
    Ok(())
}

impl Stage {
    /// From the configuration in the folder, on the data that it names.
    fn of(folder: &Path, record: &RunRecord) -> Result<Stage, CliError> {
        let mut options = config::read(&folder.join(CONFIG))?;
        // The run needs the others.
        options.threads = Some(1);
        let dataset = match &options.data {
            Some(data) => Dataset::open(data)?,
            None => Dataset::digits()?,
        };
        if facts::data_hashes(&dataset) != record.data.sha256 {
            return Err(CliError::Input(format!(
                "{}: the data are not those the run began with, expected the same files",
                folder.display()
            )));
        }
        let data = Prepared::new(&dataset, &resolve::preparation(&options)?)?;
        Ok(Stage {
            recipe: resolve::training(&options)?.recipe(&data)?,
            dataset,
            data,
            options,
        })
    }

    /// What the run has so far, and after how many epochs; `None` before its first checkpoint.
    fn look(&self, folder: &Path) -> Result<Option<(InversionOutcome, Exhibits, usize)>, CliError> {
        let path = folder.join(CHECKPOINT);
        if !path.exists() {
            return Ok(None);
        }
        let Stage {
            recipe,
            dataset,
            data,
            options,
        } = self;
        let (backend, _) = resolve::backend(options)?;
        let columns = columns(recipe.classes, &recipe.layers, &resolve::follow(options)?);
        let checkpoint = Checkpoint::load(&path, recipe, columns.len())?;
        let done = checkpoint.snapshot.epoch.saturating_sub(1);
        let outcome = concluded(data.classes.clone(), columns, checkpoint.replicas);
        let most = Exhibits::points(&dataset.train, checkpoint.film.epochs.len());
        let movie = Movie::of(&checkpoint.film, recipe, data, &outcome, backend.as_ref(), most)?;
        let samples = data.train_labels.len();
        let exhibits = Exhibits::of(&outcome, movie, &dataset.train, dataset.pixel_max, samples);
        Ok(Some((outcome, exhibits, done)))
    }
}
