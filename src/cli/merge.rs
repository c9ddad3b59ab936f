//! `disentangle merge`: the shards of a sweep in one folder, as if it had been done in one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use disentangle::report::files::create_folder;
use disentangle::report::sweep_folder::{
    EndedRun, PLAN_JSON, Plan, RUNS, SWEEP_TOML, SweepFolder, read_plan, read_runs, write_plan,
};
use disentangle::report::{RunRecord, write_atomic};
use disentangle::study::sweep::{Brought, Shard, assemble};

use super::error::CliError;
use super::options::quoted;
use super::output::new_folder;
use super::stragglers::robustness::conclude;

/// The options of `merge`.
#[derive(Args)]
pub struct MergeOptions {
    /// The folders of all shards of one sweep
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Folder for the results, absent or empty [runs/merge-N]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Only the summary, as JSON, on standard output
    #[arg(long)]
    json: bool,
}

/// A folder with what is in it.
struct Given {
    folder: PathBuf,
    plan: Plan,
    shard: Shard,
    ended: Vec<Option<EndedRun>>,
}

impl Given {
    fn open(folder: &Path) -> Result<Given, CliError> {
        if !folder.join(PLAN_JSON).is_file() {
            let what = if folder.is_dir() {
                "no sweep in this folder"
            } else {
                "no such folder"
            };
            return Err(CliError::Input(format!(
                "{}: {what}; expected one that `disentangle stragglers robustness --shard i/n` wrote",
                folder.display()
            )));
        }
        let plan = read_plan(folder).map_err(CliError::input)?;
        let shard = plan
            .shard
            .parse()
            .map_err(|error| CliError::Input(format!("{}: shard {error}", folder.display())))?;
        let ended = read_runs(folder, &plan.sweep).map_err(CliError::input)?;
        Ok(Given {
            folder: folder.to_owned(),
            plan,
            shard,
            ended,
        })
    }
}

/// Runs the subcommand. Folders that do not fit are found before anything is written.
///
/// # Errors
/// [`CliError::Input`] for folders that are no shards, are of different sweeps, overlap, or lack runs;
/// [`CliError::Failed`] for a file that cannot be written, and at the end if a run has failed.
pub fn run(options: MergeOptions) -> Result<(), CliError> {
    let MergeOptions { folders, out, json } = options;
    let given = folders
        .iter()
        .map(|folder| Given::open(folder))
        .collect::<Result<Vec<_>, _>>()?;
    let Some(first) = given.first() else {
        return Err(CliError::Input("merge: expected the folders of shards".into()));
    };
    let brought: Vec<Brought> = given
        .iter()
        .map(|given| Brought {
            name: given.folder.display().to_string(),
            sweep: &given.plan.sweep,
            shard: given.shard,
            ended: given
                .ended
                .iter()
                .flatten()
                .map(|run| run.run.as_str())
                .collect::<BTreeSet<_>>(),
        })
        .collect();
    let sources = assemble(&brought).map_err(CliError::input)?;
    if let Some(other) = given.iter().find(|other| other.plan.tolerance != first.plan.tolerance) {
        return Err(CliError::Input(format!(
            "{}: tolerance {}, but {} has {}; expected shards of one sweep",
            other.folder.display(),
            other.plan.tolerance,
            first.folder.display(),
            first.plan.tolerance
        )));
    }
    let mut record = RunRecord::read(&first.folder).map_err(CliError::input)?;
    let text = |path: &Path| {
        std::fs::read(path).map_err(|cause| CliError::Input(format!("{}: cannot read it: {cause}", path.display())))
    };
    let sweep = text(&first.folder.join(SWEEP_TOML))?;

    let folder = new_folder(out, "merge")?;
    create_folder(&folder.join(RUNS))?;
    let target = SweepFolder::new(&folder, "", "");
    let (mut seconds, mut machines) = (0.0, BTreeSet::new());
    for (place, (id, source)) in first.plan.sweep.runs.iter().zip(sources).enumerate() {
        let Some(from) = given.get(source) else { continue };
        let bytes = text(&SweepFolder::new(&from.folder, "", "").run_path(id))?;
        write_atomic(&target.run_path(id), &bytes)?;
        if let Some(Some(run)) = from.ended.get(place) {
            seconds += run.seconds;
            machines.insert((run.processor.clone(), run.device.clone()));
        }
    }
    let plan = Plan {
        shard: Shard::WHOLE.to_string(),
        ..first.plan.clone()
    };
    write_atomic(&folder.join(SWEEP_TOML), &sweep)?;
    write_plan(&folder, &plan)?;
    let names: Vec<String> = folders.iter().map(|folder| quoted(&folder.to_string_lossy())).collect();
    let joined = |part: fn(&(String, String)) -> &String| {
        let parts: BTreeSet<&String> = machines.iter().map(part).collect();
        parts.into_iter().cloned().collect::<Vec<_>>().join("; ")
    };
    record.command = format!("disentangle merge {}", names.join(" "));
    record.processor = joined(|machine| &machine.0);
    record.device = joined(|machine| &machine.1);
    record.training_seconds = Some(seconds);
    conclude(&folder, &plan, &record, json)
}
