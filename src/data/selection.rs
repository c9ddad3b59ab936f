//! Which of the kept training rows are trained on: consecutive ones, or a random subset, in file order either way.

use std::fmt;
use std::str::FromStr;

use super::error::DataError;
use super::labels::{Classes, Labelled};
use super::streams::{Stream, below, generator};

/// How so many rows are chosen out of more.
///
/// ```
/// use disentangle::data::Subset;
///
/// let subset: Subset = "random".parse()?;
/// assert_eq!(subset, Subset::Random);
/// let wrong = "first".parse::<Subset>().map_err(|error| error.to_string());
/// assert_eq!(wrong, Err("subset: `first`; expected consecutive or random".into()));
/// # Ok::<(), disentangle::data::DataError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subset {
    /// The first ones.
    Consecutive,
    /// Drawn without replacement, from the stream [`Stream::Subset`] of the seed, and put back into file order.
    Random,
}

impl Subset {
    fn word(self) -> &'static str {
        match self {
            Self::Consecutive => "consecutive",
            Self::Random => "random",
        }
    }
}

impl fmt::Display for Subset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Subset {
    type Err = DataError;

    fn from_str(word: &str) -> Result<Self, DataError> {
        [Self::Consecutive, Self::Random]
            .into_iter()
            .find(|choice| choice.word() == word)
            .ok_or_else(|| DataError::Option {
                option: "subset",
                value: word.to_owned(),
                expected: "consecutive or random",
            })
    }
}

/// `samples` of the rows that the label rule keeps, from the kept row `offset` on: the first ones, or as many random
/// ones. All from `offset` on without `samples`.
///
/// The rows returned are rows of the training file, ascending.
///
/// ```
/// use disentangle::data::streams::Stream;
/// use disentangle::data::{DataError, LabelRule, Subset, select};
///
/// // Rows 0, 2, 3 and 5 are a 1 or a 7.
/// let labels = [1, 8, 7, 7, 0, 1];
/// let classes = LabelRule::Listed(vec![1, 7]).classes(&labels);
/// let kept = classes.apply(&labels, 0, Stream::TrainLabels)?;
/// // Two of them from the second on: both are a 7.
/// let two = select(&kept, &classes, 1, Some(2), Subset::Consecutive, 0);
/// assert!(matches!(two, Err(DataError::EmptyClass { class, rows: 2, .. }) if class == "1"));
/// let three = select(&kept, &classes, 1, Some(3), Subset::Consecutive, 0)?;
/// assert_eq!((three.rows, three.labels), (vec![2, 3, 5], vec![1, 1, 0]));
/// // As many random ones as there are: all, in file order.
/// assert_eq!(select(&kept, &classes, 0, Some(4), Subset::Random, 0)?, kept);
/// # Ok::<(), DataError>(())
/// ```
///
/// # Errors
/// [`DataError::Selection`] if there are not as many, or none; [`DataError::EmptyClass`] if a class has no row among
/// them.
pub fn select(
    kept: &Labelled,
    classes: &Classes,
    offset: usize,
    samples: Option<usize>,
    subset: Subset,
    seed: u64,
) -> Result<Labelled, DataError> {
    let available = kept.rows.len().min(kept.labels.len());
    let wrong = || DataError::Selection {
        offset,
        samples,
        available,
    };
    let from = available.checked_sub(offset).ok_or_else(wrong)?;
    let count = samples.unwrap_or(from);
    if count == 0 || count > from {
        return Err(wrong());
    }
    let chosen: Vec<usize> = match subset {
        Subset::Consecutive => (offset..offset + count).collect(),
        Subset::Random => draw(from, count, seed).into_iter().map(|n| offset + n).collect(),
    };
    let rows = chosen.iter().filter_map(|&n| kept.rows.get(n).copied()).collect();
    let labels: Vec<u32> = chosen.iter().filter_map(|&n| kept.labels.get(n).copied()).collect();
    classes.check_present(&labels)?;
    Ok(Labelled { rows, labels })
}

/// `count` of the numbers below `from`, ascending: the first `count` steps of Fisher and Yates.
fn draw(from: usize, count: usize, seed: u64) -> Vec<usize> {
    let mut rng = generator(seed, Stream::Subset);
    let mut numbers: Vec<usize> = (0..from).collect();
    for i in 0..count {
        numbers.swap(i, i + below(&mut rng, from - i));
    }
    numbers.truncate(count);
    numbers.sort_unstable();
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::LabelRule;
    use crate::data::streams::Stream;

    fn consecutive(
        kept: &Labelled,
        classes: &Classes,
        offset: usize,
        samples: Option<usize>,
    ) -> Result<Labelled, DataError> {
        select(kept, classes, offset, samples, Subset::Consecutive, 0)
    }

    #[test]
    fn consecutive_kept_rows_are_taken_in_file_order() {
        let file = [3, 1, 8, 3, 8, 8, 0, 3];
        let classes = "8,3".parse::<LabelRule>().unwrap().classes(&file);
        let kept = classes.apply(&file, 0, Stream::TrainLabels).unwrap();
        assert_eq!(kept.rows, [0, 2, 3, 4, 5, 7]);
        let block = consecutive(&kept, &classes, 1, Some(3)).unwrap();
        assert_eq!((block.rows, block.labels), (vec![2, 3, 4], vec![0, 1, 0]));
        assert_eq!(consecutive(&kept, &classes, 0, None).unwrap(), kept);
        assert_eq!(consecutive(&kept, &classes, 4, None).unwrap().rows, [5, 7]);
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
            let line = consecutive(&kept, &classes, offset, samples).unwrap_err().to_string();
            assert!(line.contains("of the 3 rows that the label rule keeps"), "{line}");
        }
        assert_eq!(
            consecutive(&kept, &classes, 3, None).unwrap_err().to_string(),
            "training rows: offset 3; expected less than 3, the number of rows that the label rule keeps"
        );
        assert!(matches!(
            consecutive(&kept, &classes, 0, Some(1)),
            Err(DataError::EmptyClass { .. })
        ));
    }

    #[test]
    fn a_random_subset_is_a_fair_draw_without_replacement_in_file_order() {
        let file: Vec<u8> = (0..60).collect();
        let classes = LabelRule::Parity.classes(&file);
        let kept = classes.apply(&file, 0, Stream::TrainLabels).unwrap();
        let random = |samples, seed| select(&kept, &classes, 20, Some(samples), Subset::Random, seed).unwrap();
        let drawn = random(10, 1);
        assert_eq!(drawn, random(10, 1));
        assert_ne!(drawn.rows, random(10, 2).rows);
        assert!(drawn.rows.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(drawn.rows.iter().all(|row| (20..60).contains(row)));
        assert!(
            drawn
                .rows
                .iter()
                .zip(&drawn.labels)
                .all(|(row, label)| *row as u32 % 2 == *label)
        );
        assert_eq!(random(40, 3).rows, (20..60).collect::<Vec<_>>());
        // Each of 40 numbers is in a quarter of 2,000 draws: 500 +- sqrt(2000 * 3 / 16) = 19.4; six deviations.
        let mut counts = [0u32; 40];
        for seed in 0..2000 {
            draw(40, 10, seed).iter().for_each(|&n| counts[n] += 1);
        }
        assert!(counts.iter().all(|&count| count.abs_diff(500) < 117), "{counts:?}");
        assert!(select(&kept, &classes, 20, Some(41), Subset::Random, 0).is_err());
    }
}
