//! `disentangle hinge-theory`: options to cases, networks one after the other, the theory beside them, folder.

mod options;
mod plan;
mod studies;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use disentangle::backend::Backend;
use disentangle::backend::cpu::isa::Isa;
use disentangle::bench::peak::Peak;
use disentangle::data::whole_file;
use disentangle::report::page::RunFacts;
use disentangle::report::{self, REPORT_HTML, write_atomic};
use disentangle::study::StudyError;
use disentangle::study::hinge_theory::comparison::{Case, compare};
use disentangle::study::hinge_theory::realistic;
use disentangle::study::hinge_theory::simulation::{Outcome, Progress, Snapshot, Watcher, run as simulate, run_on};
use disentangle::study::inversion::Wish;
use serde_json::json;

use super::error::CliError;
use super::options::command_line;
use super::output::{new_folder, print, put, write_record};
use super::progress::Reporter;
use super::resume::CONFIG;
use super::{config, facts, guard, resolve};
pub use options::HingeOptions;
use plan::{Plan, Planned};

/// A percentage of peak is told of runs that are longer than this, in seconds.
const LONG: f64 = 5.0;

/// Runs the subcommand. Whatever can be wrong with the input is found before the folder is made.
///
/// # Errors
/// [`CliError::Input`] for options and data that do not fit; [`CliError::Failed`] for a folder that cannot be written.
pub fn run(given: HingeOptions) -> Result<(), CliError> {
    let (out, quiet, json, resume) = (given.out.clone(), given.quiet, given.json, given.resume);
    let interval = guard::interval(given.checkpoint_every)?;
    let options = if resume {
        resumed(given)?
    } else {
        let given = merged(given)?;
        if let Some(study) = given.study.clone() {
            return studies::run(&study, given);
        }
        if given.gammas.is_some() {
            return Err(CliError::Input(
                "--gammas: not an option of anything but --study frozen-nodes".into(),
            ));
        }
        plan::defaults(given)?
    };
    let config = toml::to_string(&options)
        .map_err(|cause| CliError::Input(format!("an option that config.toml cannot hold: {cause}")))?;
    let device = options.device.as_deref().unwrap_or_default();
    let threads = options.threads.unwrap_or(1);
    let (backend, device) = resolve::backend_named(device, threads)?;
    let plan = plan::plan(&options)?;
    let folder = match out {
        Some(folder) if resume => {
            whole_file::sweep(&folder);
            folder
        }
        out => {
            let folder = new_folder(out, "hinge-theory")?;
            write_atomic(&folder.join(CONFIG), config.as_bytes())?;
            folder
        }
    };
    let command = command_line("hinge-theory", &options.given());
    let mut record = json!({
        "disentangle": env!("CARGO_PKG_VERSION"),
        "experiment": "hinge-theory",
        "command": command,
        "configuration": options.given().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "device": device,
        "processor": facts::processor(),
        "started_unix_seconds": facts::unix_seconds(),
    });
    write_record(&folder, &record)?;

    let interrupted = guard::signals()?;
    let (mut cases, mut seconds, mut flops) = (Vec::new(), 0.0, 0.0);
    for (number, planned) in plan.cases.iter().enumerate() {
        let started = Instant::now();
        let path = folder.join(format!("checkpoint-{number}.safetensors"));
        let words = progress_words(planned, number, plan.cases.len());
        let mut guard = Guard {
            reporter: Reporter::of("step", planned.setting.steps, quiet || json),
            words,
            path: path.clone(),
            interrupted: interrupted.clone(),
            interval,
            last: Instant::now(),
            several: plan.cases.len() > 1,
        };
        let from = if path.exists() {
            Some(Snapshot::load(&path, &planned.setting)?)
        } else {
            None
        };
        let before = from.as_ref().map_or(0.0, |snapshot| snapshot.looks);
        let Some(outcome) = trained(&plan, planned, backend.as_ref(), from, &mut guard)? else {
            return Err(CliError::Interrupted("hinge-theory".into(), folder));
        };
        seconds += started.elapsed().as_secs_f64();
        flops += (outcome.looks - before) * planned.setting.flops_per_look();
        let comparison = match &plan.images {
            Some(images) => {
                let model = &planned.setting.model;
                let rate = model.beta * images.length / (model.unit.c() * (model.dimension as f64).sqrt());
                realistic::compare(&outcome, rate)
            }
            None => compare(&outcome, plan.moments)?,
        };
        cases.push(Case {
            label: planned.label.clone(),
            outcome,
            comparison,
        });
    }
    let speed = speed(seconds, flops, options.device.as_deref() == Some("cpu"), threads)?;
    put(&mut record, "training_seconds", json!(seconds));
    put(&mut record, "gflops", json!(flops / seconds / 1e9));
    let data = plan.images.as_ref().map_or_else(
        || "drawn from the seed: a teacher's examples".to_string(),
        |images| images.description.clone(),
    );
    let facts = RunFacts {
        title: options.figure.map_or_else(
            || "Hinge loss: theory and network".to_string(),
            |figure| format!("Hinge loss: theory and network, as in Fig. {figure}"),
        ),
        command,
        configuration: options.given(),
        data,
        device: format!("{device}, {}{speed}", facts::processor()),
        seconds,
        underway: None,
    };
    let page = report::hinge_theory::write(&folder, &cases, &facts)?;
    write_record(&folder, &record)?;
    for number in 0..plan.cases.len() {
        let path = folder.join(format!("checkpoint-{number}.safetensors"));
        match std::fs::remove_file(&path) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                let path = path.display();
                return Err(CliError::Failed(format!(
                    "{path}: cannot remove the checkpoint: {cause}"
                )));
            }
            _ => {}
        }
    }
    if json {
        return print(&format!("{:#}\n", report::hinge_theory::tables::summary(&cases)));
    }
    print(&format!(
        "{}{}\n{seconds:.1} s of training{speed}; tables in {}\n{}\n",
        aligned(&cases),
        report::hinge_theory::headline(&cases),
        folder.display(),
        page.display()
    ))
}

/// The options of the configuration file under those of the command line.
fn merged(mut given: HingeOptions) -> Result<HingeOptions, CliError> {
    match given.config.take() {
        None => Ok(given),
        Some(path) => Ok(given.or(config::read_as(&path)?)),
    }
}

/// The options of the run in `--out`; of those on the command line only the number of threads counts.
fn resumed(given: HingeOptions) -> Result<HingeOptions, CliError> {
    if let Some((name, _)) = given.given().iter().find(|(name, _)| name != "threads") {
        return Err(CliError::Input(format!(
            "--{name}: --resume takes it from the folder's {CONFIG}, expected no --{name}"
        )));
    }
    let folder = given.out.unwrap_or_default();
    if folder.join(REPORT_HTML).exists() {
        return Err(CliError::Input(format!(
            "{}: this run is complete, there is nothing to resume",
            folder.display()
        )));
    }
    let mut options: HingeOptions = config::read_as(&folder.join(CONFIG))?;
    if let Some(study) = &options.study {
        return Err(CliError::Input(format!(
            "--resume: expected a run that trains; --study {study} takes seconds, begin it again"
        )));
    }
    options.threads = given.threads.or(options.threads);
    Ok(options)
}

fn trained(
    plan: &Plan,
    planned: &Planned,
    backend: &dyn Backend,
    from: Option<Snapshot>,
    guard: &mut Guard,
) -> Result<Option<Outcome>, CliError> {
    Ok(match &plan.images {
        Some(images) => run_on(&planned.setting, &images.data, backend, from, guard)?,
        None => simulate(&planned.setting, backend, from, guard)?,
    })
}

fn progress_words(planned: &Planned, number: usize, count: usize) -> String {
    match (count, planned.label.as_str()) {
        (1, _) => String::new(),
        (_, "") => format!("{} of {count}  ", number + 1),
        (_, label) => format!("{label}, {} of {count}  ", number + 1),
    }
}

/// How fast the looks were, for runs long enough to tell.
fn speed(seconds: f64, flops: f64, cpu: bool, threads: usize) -> Result<String, CliError> {
    if !cpu || seconds < LONG || flops <= 0.0 {
        return Ok(String::new());
    }
    let isa = Isa::from_environment().map_err(CliError::input)?;
    let peak = Peak::measure(isa, threads).map_err(CliError::input)?;
    let rate = flops / seconds;
    Ok(format!(
        " ({:.0} GFLOP/s, {:.0} % of the multiply-add peak of {threads} threads)",
        rate / 1e9,
        100.0 * rate / peak.flops
    ))
}

/// The table of distances for a terminal.
fn aligned(cases: &[Case]) -> String {
    let (head, rows) = report::hinge_theory::table_rows(cases);
    let mut text = String::new();
    for (column, name) in head.iter().enumerate().skip(1) {
        text.push_str(&format!("{name}:"));
        for row in &rows {
            let (case, cell) = (row.first(), row.get(column));
            let separator = if rows.len() > 1 {
                format!("  {} ", case.map_or("", String::as_str))
            } else {
                " ".into()
            };
            text.push_str(&format!("{separator}{}", cell.map_or("", String::as_str)));
        }
        text.push('\n');
    }
    text
}

/// Watches a network: progress, signals, checkpoints.
struct Guard {
    reporter: Reporter,
    words: String,
    path: PathBuf,
    interrupted: Arc<AtomicBool>,
    interval: Duration,
    last: Instant,
    /// Other networks come after this one: its end is kept too.
    several: bool,
}

impl Watcher for Guard {
    fn step(&mut self, progress: Progress) -> Wish {
        let Progress {
            step,
            steps,
            unsatisfied,
        } = progress;
        self.reporter
            .show(step, steps, &format!("{}unsatisfied {unsatisfied:.4}", self.words));
        if self.interrupted.load(Ordering::Relaxed) {
            Wish::Interrupt
        } else if self.last.elapsed() >= self.interval || (self.several && step + 1 == steps) {
            Wish::Checkpoint
        } else {
            Wish::Continue
        }
    }

    fn save(&mut self, snapshot: &Snapshot) -> Result<(), StudyError> {
        self.last = Instant::now();
        snapshot.save(&self.path)
    }
}
