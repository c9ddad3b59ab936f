//! `disentangle report`: the page of one run made again, or several runs on one page.

use std::path::PathBuf;

use clap::Args;
use disentangle::report::{Run, RunRecord, comparison, study};

use super::error::CliError;
use super::output::{new_folder, print};

/// The options of `report`.
#[derive(Args, Clone, Debug)]
pub struct ReportOptions {
    /// Folder of a run that has ended; of several, a page that compares them
    #[arg(required = true, value_name = "DIR")]
    pub folders: Vec<PathBuf>,
    /// Folder for a comparison, absent or empty [runs/comparison-N]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Runs the subcommand. The last line on standard output is the path of the page.
///
/// # Errors
/// [`CliError::Input`] for folders that hold no complete run; [`CliError::Failed`] for a page that cannot be written.
pub fn run(options: ReportOptions) -> Result<(), CliError> {
    let ReportOptions { folders, out } = options;
    if let ([folder], Some(out)) = (folders.as_slice(), &out) {
        return Err(CliError::Input(format!(
            "--out {}: expected two or more folders to compare; the page of {} alone is written into it",
            out.display(),
            folder.display()
        )));
    }
    if folders.len() > comparison::MOST {
        return Err(CliError::Input(format!(
            "{} folders: expected at most {}, as many as can be told apart by colour",
            folders.len(),
            comparison::MOST
        )));
    }
    for (n, folder) in folders.iter().enumerate() {
        let same = |other: &&PathBuf| match (folder.canonicalize(), other.canonicalize()) {
            (Ok(a), Ok(b)) => a == b,
            _ => false,
        };
        if folders.iter().take(n).any(|other| same(&other)) {
            return Err(CliError::Input(format!(
                "{}: given twice, expected different runs",
                folder.display()
            )));
        }
    }
    if let [folder] = folders.as_slice()
        && RunRecord::read(folder).is_ok_and(|record| record.study.is_some())
    {
        let page = study::write_page(folder).map_err(CliError::input)?;
        return print(&format!("{}\n", page.display()));
    }
    let runs: Vec<Run> = folders
        .iter()
        .map(|folder| Run::open(folder).map_err(CliError::input))
        .collect::<Result<_, _>>()?;
    let page = match runs.as_slice() {
        [run] => run.write_page()?,
        runs => {
            let folder = new_folder(out, "comparison")?;
            comparison::write(&folder, runs, &comparison::names(&folders))?
        }
    };
    print(&format!("{}\n", page.display()))
}
