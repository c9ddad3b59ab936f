//! `disentangle stragglers robustness`: a sweep of runs of `inversion`, each kept as it ends.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use disentangle::data::{Dataset, whole_file};
use disentangle::report::files::create_folder;
use disentangle::report::record::DataRecord;
use disentangle::report::sweep_folder::{
    PLAN_JSON, Plan, RUNS, SWEEP_TOML, SweepFolder, read_plan, read_runs, write_plan,
};
use disentangle::report::{FIGURES, RunRecord, study, write_atomic};
use disentangle::study::checkpoint::Checkpoint;
use disentangle::study::follow::Follow;
use disentangle::study::inversion::{self, Setup, Wish, columns};
use disentangle::study::prepare::{Preparation, Prepared, select_rows};
use disentangle::study::stragglers::robustness::RunLeft;
use disentangle::study::stragglers::robustness::findings::findings;
use disentangle::study::stragglers::{Progress, Watcher};
use disentangle::study::sweep::{Shard, Sweep, SweepAxis, SweepPoint, carry_out};
use disentangle::study::{StudyError, inversion::Watcher as RunWatcher};
use serde_json::{Value, json};

use super::super::error::CliError;
use super::super::inversion::description;
use super::super::options::{InversionOptions, quoted};
use super::super::output::{new_folder, print};
use super::super::{config, facts, guard, resolve};
use super::progress::Guard;
use super::sweep_file::{FOREIGN, FileRun, Place, SweepFile};

/// The sweep that is done if none is given.
const SMALL: &str = include_str!("robustness.toml");
/// The study's name.
pub const STUDY: &str = "stragglers robustness";

/// The options of `stragglers robustness`.
#[derive(Args)]
pub struct Options {
    /// The sweep, in TOML: a base, and axes of points [a small one]
    #[arg(long, value_name = "FILE", help_heading = "Sweep")]
    sweep: Option<PathBuf>,
    /// Only shard i of n of the runs; `merge` puts shards together
    #[arg(long, value_name = "I/N", help_heading = "Sweep")]
    shard: Option<String>,
    /// With --resume: try again what has failed
    #[arg(long, requires = "resume", help_heading = "Sweep")]
    retry: bool,
    /// Options here are those of the base; points and `set` win over them.
    #[command(flatten)]
    common: InversionOptions,
}

/// A run of the sweep with its defaults.
struct Planned {
    id: String,
    options: InversionOptions,
    guard: usize,
}

/// Runs the subcommand. Whatever can be wrong with the input is found before the folder is made.
///
/// # Errors
/// As [`inversion`](super::super::inversion::run); [`CliError::Failed`] at the end if a run has failed.
pub fn run(given: Options) -> Result<(), CliError> {
    let Options {
        sweep,
        shard,
        retry,
        common,
    } = given;
    let (out, resume, threads) = (common.out.clone(), common.resume, common.threads);
    let (quiet, json) = (common.quiet, common.json);
    let interval = guard::interval(common.checkpoint_every)?;
    let foreign = |name: &str| name != "threads" && (resume || FOREIGN.contains(&name));
    if let Some((name, _)) = common.given().iter().find(|(name, _)| foreign(name)) {
        let why = if resume {
            "--resume takes it from the folder"
        } else {
            "it means nothing in a sweep"
        };
        return Err(CliError::Input(format!("--{name}: {why}, expected no --{name}")));
    }
    let command = command(sweep.as_deref(), shard.as_deref(), &common);
    let over = InversionOptions {
        threads: None,
        ..config::merge(common)?
    };
    let (path, text) = source(sweep, out.as_deref().filter(|_| resume))?;
    let file = SweepFile::read(&path, &text, &over)?;
    let mut shelf = Shelf::default();
    let (sweep, planned) = plan(&file, &mut shelf)?;
    let device = planned.first().and_then(|run| run.options.device.clone());
    if let Some(other) = planned.iter().find(|run| run.options.device != device) {
        let device = other.options.device.clone().unwrap_or_default();
        return Err(CliError::Input(format!(
            "device '{device}' at some points: expected one device for all"
        )));
    }
    let machine = resolve::defaults(InversionOptions {
        threads,
        device,
        ..InversionOptions::default()
    });
    let (backend, device) = resolve::backend(&machine)?;
    let shard = match &shard {
        None => None,
        Some(text) => Some(
            text.parse::<Shard>()
                .map_err(|error| CliError::Input(format!("--shard {error}")))?,
        ),
    };
    let folder = match (out, resume) {
        (Some(folder), true) => folder,
        (out, _) => new_folder(out, &STUDY.replace(' ', "-"))?,
    };
    let before = if resume { begun(&folder)? } else { None };
    let shard = match (shard, before) {
        (Some(now), Some(before)) if now != before => {
            return Err(CliError::Input(format!(
                "--shard {now}: {} is shard {before}",
                folder.display()
            )));
        }
        (now, before) => now.or(before).unwrap_or(Shard::WHOLE),
    };
    let plan = Plan {
        study: STUDY.into(),
        tolerance: file.tolerance,
        sweep,
        commands: planned.iter().map(|run| run.options.command()).collect(),
        shard: shard.to_string(),
    };
    create_folder(&folder.join(RUNS))?;
    for part in ["", RUNS, FIGURES] {
        whole_file::sweep(&folder.join(part));
    }
    write_atomic(&folder.join(SWEEP_TOML), file.canonical.as_bytes())?;
    write_plan(&folder, &plan)?;
    let mut record = new_record(&planned, &mut shelf, command, &device)?;
    if resume && let Ok(before) = RunRecord::read(&folder) {
        // The sweep may have been edited, and the machine may be another; what began it stays.
        record.command = before.command;
        record.started_unix_seconds = before.started_unix_seconds;
    }
    record.write(&folder)?;
    if retry {
        forget_failures(&folder, &plan)?;
    }

    let mut guard = Guard::new(quiet || json)?;
    let mut keeper = SweepFolder::new(&folder, &device, &facts::processor());
    let mut at = Work {
        planned: &planned,
        plan: &plan,
        folder: &folder,
        shelf: &mut shelf,
        backend: backend.as_ref(),
        threads: machine.threads,
        guard: &mut guard,
        interval,
    };
    let ended = carry_out(&plan.sweep, shard, &mut keeper, &mut |place| at.run(place));
    guard.clear();
    if !ended? {
        return Err(CliError::Interrupted(STUDY.into(), folder));
    }
    if shard != Shard::WHOLE {
        return of_shard(&folder, &plan, shard, json);
    }
    let runs = read_runs(&folder, &plan.sweep)?;
    record.training_seconds = Some(runs.iter().flatten().map(|run| run.seconds).sum());
    conclude(&folder, &plan, &record, json)
}

/// The shard of a sweep that has begun in a folder; `None` if it was killed before it wrote its plan.
fn begun(folder: &Path) -> Result<Option<Shard>, CliError> {
    if folder.join(PLAN_JSON).exists() {
        let plan = read_plan(folder).map_err(CliError::input)?;
        return plan.shard.parse().map(Some).map_err(CliError::input);
    }
    if folder.join(SWEEP_TOML).exists() {
        return Ok(None);
    }
    Err(CliError::Input(format!(
        "{}: no sweep in this folder, there is nothing to resume",
        folder.display()
    )))
}

/// The file of the sweep, and its name in errors: the one given, that of the folder, or the small one.
fn source(given: Option<PathBuf>, resumed: Option<&Path>) -> Result<(PathBuf, String), CliError> {
    let path = match (given, resumed) {
        (Some(path), _) => path,
        (None, Some(folder)) => folder.join(SWEEP_TOML),
        (None, None) => return Ok((PathBuf::from("the built-in sweep"), SMALL.to_owned())),
    };
    let text = std::fs::read_to_string(&path)
        .map_err(|cause| CliError::Input(format!("{}: cannot read the sweep: {cause}", path.display())))?;
    Ok((path, text))
}

/// The command that was given, without what does not change results.
fn command(sweep: Option<&Path>, shard: Option<&str>, common: &InversionOptions) -> String {
    let mut words = format!("disentangle {STUDY}");
    if let Some(path) = sweep {
        words.push_str(&format!(" --sweep {}", quoted(&path.to_string_lossy())));
    }
    if let Some(shard) = shard {
        words.push_str(&format!(" --shard {}", quoted(shard)));
    }
    if let Some(path) = &common.config {
        words.push_str(&format!(" --config {}", quoted(&path.to_string_lossy())));
    }
    // `disentangle inversion` and what follows.
    let rest = common.command();
    let rest = rest.strip_prefix("disentangle inversion").unwrap_or_default();
    words + rest
}

/// Completes the options of a run and checks what can be checked without its data.
fn complete(run: &FileRun) -> Result<InversionOptions, CliError> {
    let mut options = resolve::defaults(run.options.clone());
    // Only the error at the end is kept.
    options.test_every = options.epochs;
    options.save_activations = None;
    options.save_weights = None;
    options.threads = None;
    resolve::preparation(&options)?;
    resolve::training(&options)?;
    resolve::follow(&options)?;
    Ok(options)
}

/// All runs, each once, and the points that they make.
fn plan(file: &SweepFile, shelf: &mut Shelf) -> Result<(Sweep, Vec<Planned>), CliError> {
    let mut planned: Vec<Planned> = Vec::new();
    let mut axes = Vec::new();
    for axis in &file.axes {
        let mut points = Vec::new();
        for point in &axis.points {
            let mut runs = Vec::new();
            for run in &point.runs {
                let place = |error| Place::error(&run.place, &error);
                let options = complete(run).map_err(place)?;
                let place = |error| Place::error(&run.place, &error);
                let hashes = shelf.check(&options).map_err(place)?;
                let id = id(&options, run.guard, &hashes)?;
                let known = planned.iter().position(|other| other.id == id);
                let nth = known.unwrap_or_else(|| {
                    planned.push(Planned {
                        id,
                        options,
                        guard: run.guard,
                    });
                    planned.len() - 1
                });
                if !runs.contains(&nth) {
                    runs.push(nth);
                }
            }
            points.push(SweepPoint {
                label: point.label.clone(),
                runs,
                compared: axis.compared,
            });
        }
        axes.push(SweepAxis {
            name: axis.name.clone(),
            points,
        });
    }
    let runs = planned.iter().map(|run| run.id.clone()).collect();
    Ok((Sweep { runs, axes }, planned))
}

/// What a run is known by: a function of all that its result depends on. Of the data it is their hashes, not their path.
fn id(options: &InversionOptions, guard: usize, data: &Value) -> Result<String, CliError> {
    let options = InversionOptions {
        data: None,
        threads: None,
        ..options.clone()
    };
    let options: std::collections::BTreeMap<String, String> = options.given().into_iter().collect();
    let version = env!("CARGO_PKG_VERSION");
    let all = json!({ "disentangle": version, "options": options, "guard": guard, "data": data });
    let mut id = facts::sha256(&[all.to_string().as_bytes()]);
    id.truncate(16);
    Ok(id)
}

/// Data sets and samples that are at hand: the last ones, as runs in order mostly share theirs.
#[derive(Default)]
struct Shelf {
    hashes: Vec<(Option<PathBuf>, Value)>,
    dataset: Option<(Option<PathBuf>, Dataset)>,
    prepared: Option<(Option<PathBuf>, Preparation, Prepared)>,
}

impl Shelf {
    fn dataset(&mut self, path: &Option<PathBuf>) -> Result<&Dataset, CliError> {
        let there = self.dataset.as_ref().is_some_and(|(of, _)| of == path);
        if !there {
            // The old one goes before the new one comes.
            (self.dataset, self.prepared) = (None, None);
            let dataset = match path {
                Some(folder) => Dataset::open(folder).map_err(|error| CliError::Input(format!("--data: {error}")))?,
                None => Dataset::digits()?,
            };
            self.dataset = Some((path.clone(), dataset));
        }
        match &self.dataset {
            Some((_, dataset)) => Ok(dataset),
            None => Err(CliError::Failed("no data set".into())),
        }
    }

    /// Checks that there are the rows that a run asks for. Returns the hashes of its data set.
    fn check(&mut self, options: &InversionOptions) -> Result<Value, CliError> {
        let how = resolve::preparation(options)?;
        let dataset = self.dataset(&options.data)?;
        select_rows(dataset, &how).map_err(resolve::of_preparation)?;
        let known = self.hashes.iter().find(|(path, _)| *path == options.data);
        if let Some((_, hashes)) = known {
            return Ok(hashes.clone());
        }
        let hashes = facts::data_hashes(self.dataset(&options.data)?);
        self.hashes.push((options.data.clone(), hashes.clone()));
        Ok(hashes)
    }

    fn prepared(&mut self, options: &InversionOptions) -> Result<&Prepared, CliError> {
        let how = resolve::preparation(options)?;
        let there = matches!(&self.prepared, Some((path, of, _)) if *path == options.data && *of == how);
        if !there {
            self.prepared = None;
            let dataset = self.dataset(&options.data)?;
            let prepared = Prepared::new(dataset, &how).map_err(resolve::of_preparation)?;
            self.prepared = Some((options.data.clone(), how, prepared));
        }
        match &self.prepared {
            Some((_, _, prepared)) => Ok(prepared),
            None => Err(CliError::Failed("no samples".into())),
        }
    }
}

/// The record of a new sweep; its data are those of the base.
fn new_record(planned: &[Planned], shelf: &mut Shelf, command: String, device: &str) -> Result<RunRecord, CliError> {
    let Some(base) = planned.first() else {
        return Err(CliError::Failed("a sweep without runs".into()));
    };
    let options = &base.options;
    let hashes = shelf.check(options)?;
    shelf.prepared(options)?;
    let (Some((_, dataset)), Some((_, _, data))) = (&shelf.dataset, &shelf.prepared) else {
        return Err(CliError::Failed("no data".into()));
    };
    Ok(RunRecord {
        study: Some(STUDY.into()),
        disentangle: env!("CARGO_PKG_VERSION").into(),
        command,
        configuration: options.given().into_iter().collect(),
        device: device.into(),
        processor: facts::processor(),
        data: DataRecord {
            name: dataset.name.clone(),
            description: format!("base: {}", description(options, dataset, data)),
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
    })
}

/// Removes the files of runs that failed, so that they are done again.
fn forget_failures(folder: &Path, plan: &Plan) -> Result<(), CliError> {
    let keeper = SweepFolder::new(folder, "", "");
    for ended in read_runs(folder, &plan.sweep)?.into_iter().flatten() {
        if ended.failed.is_some() {
            let path = keeper.run_path(&ended.run);
            std::fs::remove_file(&path)
                .map_err(|cause| CliError::Failed(format!("{}: cannot remove it: {cause}", path.display())))?;
        }
    }
    Ok(())
}

/// Everything that a run needs.
struct Work<'a> {
    planned: &'a [Planned],
    plan: &'a Plan,
    folder: &'a Path,
    shelf: &'a mut Shelf,
    backend: &'a dyn disentangle::backend::Backend,
    threads: Option<usize>,
    guard: &'a mut Guard,
    /// Between checkpoints of a run.
    interval: Duration,
}

impl Work<'_> {
    /// Does one run, from its checkpoint if there is one.
    fn run(&mut self, place: usize) -> Result<RunLeft, StudyError> {
        let failed = |error: CliError| StudyError::Option {
            detail: error.to_string(),
        };
        let Some(Planned { id, options, guard }) = self.planned.get(place) else {
            return Err(failed(CliError::Failed("no such run".into())));
        };
        let training = resolve::training(options).map_err(failed)?;
        let data = self.shelf.prepared(options).map_err(failed)?;
        let recipe = training.recipe(data).map_err(failed)?;
        let initial = training.initial(options, &recipe).map_err(failed)?;
        let checkpoint = self.folder.join(RUNS).join(format!("{id}.safetensors"));
        let follow = resolve::follow(&InversionOptions {
            threads: self.threads,
            ..options.clone()
        });
        let follow = follow.map_err(failed)?;
        let metrics = columns(recipe.classes, &recipe.layers, &follow).len();
        // One that does not load is of a run that was killed otherwise than by us: the run begins again.
        let from = Checkpoint::load(&checkpoint, &recipe, metrics).ok();
        let mut watcher = InSweep {
            guard: &mut *self.guard,
            follow,
            doing: doing(&self.plan.sweep, place),
            part: place,
            parts: self.planned.len(),
            checkpoint: &checkpoint,
            last: Instant::now(),
            interval: self.interval,
        };
        let setup = Setup {
            recipe: &recipe,
            data,
            initial: &initial,
            test_every: options.test_every.unwrap_or_default(),
        };
        let finished = inversion::run(setup, self.backend, from, &mut watcher)?;
        let finished = finished.ok_or(StudyError::Interrupted)?;
        let left = RunLeft::of(&finished.outcome, &recipe.layers, data.train_labels.len(), *guard);
        // It is not needed any more; what cannot be removed does no harm.
        let _ = std::fs::remove_file(&checkpoint);
        Ok(left)
    }
}

/// The first point that a run makes.
fn doing(sweep: &Sweep, place: usize) -> String {
    let mut points = sweep
        .axes
        .iter()
        .flat_map(|axis| axis.points.iter().map(move |point| (axis, point)));
    match points.find(|(_, point)| point.runs.contains(&place)) {
        Some((axis, point)) if axis.name == point.label => point.label.clone(),
        Some((axis, point)) => format!("{} {}", axis.name, point.label),
        None => String::new(),
    }
}

/// Watches one run of a sweep.
struct InSweep<'a> {
    guard: &'a mut Guard,
    follow: Follow,
    doing: String,
    part: usize,
    parts: usize,
    checkpoint: &'a Path,
    last: Instant,
    interval: Duration,
}

impl RunWatcher for InSweep<'_> {
    fn epoch(&mut self, progress: inversion::Progress) -> Wish {
        let goes_on = self.guard.epoch(Progress {
            doing: &self.doing,
            part: self.part,
            parts: self.parts,
            epoch: progress.epoch,
            epochs: progress.epochs,
            train_error: progress.train_error,
        });
        if !goes_on {
            Wish::Interrupt
        } else if self.last.elapsed() >= self.interval {
            Wish::Checkpoint
        } else {
            Wish::Continue
        }
    }

    fn follows(&self) -> Follow {
        self.follow.clone()
    }

    fn save(&mut self, checkpoint: &Checkpoint) -> Result<(), StudyError> {
        self.last = Instant::now();
        checkpoint.save(self.checkpoint)
    }
}

/// What is said when a shard is done.
fn of_shard(folder: &Path, plan: &Plan, shard: Shard, json: bool) -> Result<(), CliError> {
    let own = read_runs(folder, &plan.sweep)?;
    let own: Vec<_> = (0..).zip(own).filter(|(place, _)| shard.has(*place)).collect();
    let failed = own
        .iter()
        .filter(|(_, run)| run.as_ref().is_some_and(|run| run.failed.is_some()))
        .count();
    let (done, folder) = (own.len(), folder.display());
    if json {
        let summary = json!({ "study": STUDY, "shard": shard.to_string(), "runs": done, "failed": failed });
        print(&format!("{summary}\n"))?;
    } else {
        print(&format!(
            "shard {shard}: {done} runs in {folder}; put all {} together with `disentangle merge`\n",
            shard.of
        ))?;
    }
    fail(failed, done, &format!("{folder}/{RUNS}"))
}

/// Writes tables, figures and page from what the runs left, and says what was found.
///
/// # Errors
/// [`CliError::Failed`] for a file that cannot be written, and at the end if a run has failed.
pub fn conclude(folder: &Path, plan: &Plan, record: &RunRecord, json: bool) -> Result<(), CliError> {
    let mut ended = Vec::new();
    for (run, id) in read_runs(folder, &plan.sweep)?.into_iter().zip(&plan.sweep.runs) {
        ended.push(match run.map(|run| (run.left, run.failed)) {
            Some((Some(left), _)) => Ok(left),
            Some((None, reason)) => Err(reason.unwrap_or_default()),
            None => {
                return Err(CliError::Failed(format!(
                    "{}: run {id} has not ended",
                    folder.display()
                )));
            }
        });
    }
    let failed = ended.iter().filter(|ended| ended.is_err()).count();
    let findings = findings(&plan.sweep, &ended, &plan.commands, plan.tolerance);
    study::write(folder, STUDY, &findings, None)?;
    record.write(folder)?;
    let page = study::write_page(folder)?;
    if json {
        print(&study::summary_json(STUDY, &findings)?)?;
    } else {
        let seconds = record.training_seconds.unwrap_or_default();
        print(&format!(
            "{}\n{} runs, {seconds:.1} s; tables in {}\n{}\n",
            findings.paragraphs.join("\n"),
            ended.len(),
            folder.display(),
            page.display()
        ))?;
    }
    fail(failed, ended.len(), &folder.join("runs.csv").display().to_string())
}

/// An error if runs have failed: the others are complete.
fn fail(failed: usize, of: usize, place: &str) -> Result<(), CliError> {
    if failed == 0 {
        return Ok(());
    }
    Err(CliError::Failed(format!(
        "{failed} of {of} runs failed, the others are complete: {place}"
    )))
}
