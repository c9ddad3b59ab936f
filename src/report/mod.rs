//! What a run leaves behind: tables, JSON, figures and the page that shows them.
//!
//! [`write_run`] writes all of it; [`read::read_outcome`] reads the tables back. Every file is complete or absent
//! ([`files::write_atomic`]).

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod canvas;
pub mod chart;
mod compared;
pub mod comparison;
pub mod document;
pub mod drawn;
pub mod exhibits;
pub mod exhibits_file;
pub mod figures;
pub mod files;
pub mod forest;
pub mod gallery;
pub mod hinge_theory;
pub mod legend;
pub mod meaning;
pub mod measured;
pub mod modes;
pub mod movie;
pub mod page;
pub mod palette;
pub mod read;
pub mod record;
pub mod run_folder;
pub mod serve;
pub mod sprite;
pub mod study;
pub mod summary;
pub mod svg;
pub mod sweep_folder;
pub mod tables;
pub mod theory_chart;
pub mod thin;
pub mod ticks;

use std::path::{Path, PathBuf};

pub use crate::study::{families, number};
pub use exhibits::Exhibits;
pub use files::{ReportError, create_run_folder, write_atomic};
pub use page::RunFacts;
pub use read::read_outcome;
pub use record::RunRecord;
pub use run_folder::Run;

use crate::study::outcome::InversionOutcome;

/// Name of the table of epochs in a run's folder.
pub const EPOCHS_CSV: &str = "epochs.csv";
/// Name of the table of stragglers.
pub const STRAGGLERS_CSV: &str = "stragglers.csv";
/// Name of the summary.
pub const SUMMARY_JSON: &str = "summary.json";
/// Name of the folder of figures.
pub const FIGURES: &str = "figures";
/// Name of the page.
pub const REPORT_HTML: &str = "report.html";

/// Writes `epochs.csv`, `stragglers.csv`, `summary.json`, `figures/*.svg` and, last, `report.html` into a run's folder,
/// which is made if it is absent. Returns the path of the page.
///
/// # Errors
/// [`ReportError`]: a folder or file that cannot be written, or an outcome that contradicts itself. Everything is
/// made before the first file is written.
pub fn write_run(folder: &Path, outcome: &InversionOutcome, facts: &RunFacts) -> Result<PathBuf, ReportError> {
    write_run_with(folder, outcome, facts, None)
}

/// [`write_run`], with pictures of the stragglers and the movie on the page.
///
/// # Errors
/// Those of [`write_run`].
pub fn write_run_with(
    folder: &Path,
    outcome: &InversionOutcome,
    facts: &RunFacts,
    exhibits: Option<&Exhibits>,
) -> Result<PathBuf, ReportError> {
    let figures = figures::figures(outcome)?;
    let page = page::page(outcome, facts, &figures, exhibits, None);
    write_tables(folder, outcome)?;
    figures::write(folder, &figures)?;
    let path = folder.join(REPORT_HTML);
    write_atomic(&path, page.as_bytes())?;
    Ok(path)
}

/// Writes `epochs.csv`, `stragglers.csv` and `summary.json` into a run's folder, which is made if it is absent.
///
/// # Errors
/// As [`write_run`].
pub fn write_tables(folder: &Path, outcome: &InversionOutcome) -> Result<(), ReportError> {
    let epochs = tables::epochs_csv(outcome)?;
    let stragglers = tables::stragglers_csv(outcome);
    let summary = summary::summary_json(outcome)?;
    files::create_folder(folder)?;
    write_atomic(&folder.join(EPOCHS_CSV), epochs.as_bytes())?;
    write_atomic(&folder.join(STRAGGLERS_CSV), stragglers.as_bytes())?;
    write_atomic(&folder.join(SUMMARY_JSON), summary.as_bytes())
}
