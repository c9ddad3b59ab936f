//! What a `hinge-theory` run leaves behind: tables, summary, figures and the page.

pub mod figures;
mod one_curve;
mod page;
pub mod tables;

use std::path::{Path, PathBuf};

use super::drawn;
use super::files::{ReportError, write_atomic};
use super::page::RunFacts;
use super::{REPORT_HTML, SUMMARY_JSON};
use crate::study::hinge_theory::comparison::Case;

pub use page::{headline, table_rows};

/// Writes everything into the folder, the page last. Returns the path of the page.
///
/// # Errors
/// [`ReportError`] for a file that cannot be written or a figure that cannot be drawn.
pub fn write(folder: &Path, cases: &[Case], facts: &RunFacts) -> Result<PathBuf, ReportError> {
    let figures = figures::figures(cases)?;
    let page = page::page(cases, facts, &figures);
    let summary = format!("{:#}\n", tables::summary(cases));
    let files = [
        ("states.csv", tables::states(cases)),
        ("nodes.csv", tables::nodes(cases)),
        ("satisfaction.csv", tables::satisfaction(cases)),
        ("examples.csv", tables::examples(cases)),
        ("curves.csv", tables::curves(cases)),
        (SUMMARY_JSON, summary),
    ];
    for (name, text) in &files {
        if text.is_empty() {
            continue;
        }
        write_atomic(&folder.join(name), text.as_bytes())?;
    }
    drawn::write(folder, &figures)?;
    let path = folder.join(REPORT_HTML);
    write_atomic(&path, page.as_bytes())?;
    Ok(path)
}
