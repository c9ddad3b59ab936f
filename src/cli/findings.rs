//! What a command that compares theory and networks says at its end.

use std::path::Path;

use disentangle::report;
use disentangle::study::modes::findings::Findings;

use super::error::CliError;
use super::output::print;

/// Prints the distances, the headline and where tables and page are; with `json` the summary alone.
///
/// # Errors
/// [`CliError::Failed`] if standard output cannot be written.
pub fn conclude(found: &Findings, (folder, page): (&Path, &Path), seconds: f64, json: bool) -> Result<(), CliError> {
    if json {
        return print(&report::modes::tables::summary_text(found));
    }
    print(&format!(
        "{}{}\n{seconds:.1} s; tables in {}\n{}\n",
        aligned(found),
        found.headline,
        folder.display(),
        page.display()
    ))
}

/// The table of distances for a terminal.
fn aligned(found: &Findings) -> String {
    let (_, rows) = report::modes::distance_rows(found);
    let width = rows
        .iter()
        .filter_map(|row| row.first())
        .map(|what| what.chars().count())
        .max()
        .unwrap_or(0);
    rows.iter()
        .map(|row| {
            let [what, _, _, distance, expected, holds] = &row[..] else {
                return String::new();
            };
            format!("{what:<width$}  {distance:>9}  {expected:<16}  {holds}\n")
        })
        .collect()
}
