//! What a `modes` run leaves behind: tables, summary, figures and the page, made from its
//! [`Findings`] alone.

mod figures;
mod map;
mod page;
pub mod tables;

use std::path::{Path, PathBuf};

use super::drawn;
use super::files::{ReportError, write_atomic};
use super::page::RunFacts;
use super::{REPORT_HTML, SUMMARY_JSON};
use crate::study::modes::findings::Findings;

pub use page::distance_rows;

/// Writes everything into the folder, the page last. Returns the path of the page.
///
/// # Errors
/// [`ReportError`] for a file that cannot be written or a figure that cannot be drawn.
pub fn write(folder: &Path, findings: &Findings, facts: &RunFacts) -> Result<PathBuf, ReportError> {
    let figures = figures::all(findings)?;
    let page = page::page(findings, facts, &figures);
    for table in &findings.tables {
        let path = folder.join(format!("{}.csv", table.name));
        write_atomic(&path, tables::csv(table).as_bytes())?;
    }
    let path = folder.join("distances.csv");
    write_atomic(&path, tables::csv(&tables::distances(findings)).as_bytes())?;
    write_atomic(&folder.join(SUMMARY_JSON), tables::summary_text(findings).as_bytes())?;
    drawn::write(folder, &figures)?;
    let path = folder.join(REPORT_HTML);
    write_atomic(&path, page.as_bytes())?;
    Ok(path)
}
