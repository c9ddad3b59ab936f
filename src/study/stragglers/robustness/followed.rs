//! Which metrics that are followed beside radii and distances invert at the points of a sweep, and when.

use super::Row;
use super::findings::{named, symbol};
use crate::study::findings::Table;
use crate::study::outcome::Turn;

/// Whether nobody knows which way a quantity turns.
pub(super) fn is_followed(row: &Row) -> bool {
    row.quantity != super::STOP && Turn::usual(&row.quantity) == Turn::Either
}

/// A sentence on the base; `None` if nothing is followed.
pub(super) fn words(rows: &[Row]) -> Option<String> {
    let base = &rows.first()?.axis;
    let own = || rows.iter().filter(|row| row.axis == *base && is_followed(row));
    let told = |row: &Row| {
        let place = if row.layers {
            format!(" of layer {}", row.layer)
        } else {
            String::new()
        };
        let turned = format!("{}{place} in {} of {}", row.quantity, row.turned.len(), row.networks);
        if row.turned.is_empty() {
            return turned;
        }
        let (epoch, error) = (row.epoch.plus_minus(), row.error.plus_minus());
        format!("{turned} (epoch {epoch}, training error {error})")
    };
    let list: Vec<String> = own().map(told).collect();
    (!list.is_empty()).then(|| {
        format!(
            "Metrics that are followed turn in the base: {}. A turn is known to within the epochs between two looks \
             (measure-every).",
            list.join("; ")
        )
    })
}

/// A line per place and metric; `None` if nothing is followed.
pub(super) fn shown(rows: &[Row]) -> Option<Table> {
    let mut table = Table::new(
        "Which metrics invert (known to within the epochs between two looks)",
        &[
            "place",
            "metric",
            "inverts",
            "at epoch",
            "at training error",
            "against the base",
        ],
    );
    for row in rows.iter().filter(|row| is_followed(row)) {
        table.rows.push(vec![
            named(row),
            symbol(&row.quantity),
            format!("{} of {}", row.turned.len(), row.networks),
            row.epoch.plus_minus(),
            row.error.plus_minus(),
            row.verdict.word().into(),
        ]);
    }
    (!table.rows.is_empty()).then_some(table)
}
