//! Which of the kept training rows are trained on: consecutive ones, in file order.

use super::error::DataError;
use super::labels::{Classes, Labelled};

/// Rows `offset..offset + samples` of those that the label rule keeps, all from `offset` on without `samples`.
///
/// The rows returned are rows of the training file.
///
/// # Errors
/// [`DataError::Selection`] if there are not as many, or none; [`DataError::EmptyClass`] if a class has no row among
/// them.
pub fn select(
    kept: &Labelled,
    classes: &Classes,
    offset: usize,
    samples: Option<usize>,
) -> Result<Labelled, DataError> {
    let available = kept.rows.len();
    let range = match samples {
        None => offset..available,
        Some(samples) => offset..offset.saturating_add(samples),
    };
    match (kept.rows.get(range.clone()), kept.labels.get(range.clone())) {
        (Some(rows), Some(labels)) if !range.is_empty() => {
            classes.check_present(labels)?;
            Ok(Labelled {
                rows: rows.to_vec(),
                labels: labels.to_vec(),
            })
        }
        _ => Err(DataError::Selection {
            offset,
            samples,
            available,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::LabelRule;
    use crate::data::streams::Stream;

    #[test]
    fn consecutive_kept_rows_are_taken_in_file_order() {
        let file = [3, 1, 8, 3, 8, 8, 0, 3];
        let classes = "8,3".parse::<LabelRule>().unwrap().classes(&file);
        let kept = classes.apply(&file, 0, Stream::TrainLabels).unwrap();
        assert_eq!(kept.rows, [0, 2, 3, 4, 5, 7]);
        let block = select(&kept, &classes, 1, Some(3)).unwrap();
        assert_eq!((block.rows, block.labels), (vec![2, 3, 4], vec![0, 1, 0]));
        assert_eq!(select(&kept, &classes, 0, None).unwrap(), kept);
        assert_eq!(select(&kept, &classes, 4, None).unwrap().rows, [5, 7]);
    }

    #[test]
    fn rows_that_are_not_there_are_an_error() {
        let classes = LabelRule::Parity.classes(&[]);
        let kept = classes.apply(&[0, 1, 2], 0, Stream::TrainLabels).unwrap();
        for (offset, samples) in [
            (0, Some(4)),
            (2, Some(2)),
            (0, Some(0)),
            (3, Some(1)),
            (usize::MAX, Some(usize::MAX)),
        ] {
            let line = select(&kept, &classes, offset, samples).unwrap_err().to_string();
            assert!(line.contains("of the 3 rows that the label rule keeps"), "{line}");
        }
        assert_eq!(
            select(&kept, &classes, 3, None).unwrap_err().to_string(),
            "training rows: offset 3; expected less than 3, the number of rows that the label rule keeps"
        );
        assert!(matches!(
            select(&kept, &classes, 0, Some(1)),
            Err(DataError::EmptyClass { .. })
        ));
    }
}
