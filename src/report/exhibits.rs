//! What a page shows beside curves: pictures of samples, and the movie.

use super::sprite::{Sprite, sprite};
use crate::data::Images;
use crate::study::consensus::{Agreed, agreed};
use crate::study::movie::{GALLERY, Movie, Point};
use crate::study::outcome::InversionOutcome;

/// Bytes of the page that the movie and its pictures may take; with the figures it stays below 3 MB.
const BYTES: usize = 1_600_000;

/// Most points of a movie: more hide each other.
const POINTS: usize = 1500;

/// What the sections on stragglers and manifolds are made from.
#[derive(Clone, Copy, Debug)]
pub struct Exhibits<'a> {
    /// The movie, if the run was filmed.
    pub movie: Option<&'a Movie>,
    /// The training file's images, by row.
    pub images: &'a Images,
    /// The byte that stands for white.
    pub pixel_max: u32,
    /// Training samples that were used.
    pub samples: usize,
}

impl Exhibits<'_> {
    /// How many points a movie of so many frames may have for the page to stay below 3 MB.
    pub fn points(images: &Images, frames: usize) -> usize {
        // In base64, four letters stand for three bytes. A point has two planes of two u16 and two bytes per frame, and a
        // picture that packs to about half its bytes, drawn in grey.
        let own = frames * 10 + images.pixels_per_image() / if images.channels == 1 { 2 } else { 1 };
        (BYTES * 3 / 4 / own.max(1)).clamp(100, POINTS)
    }
}

/// The samples of a page and their pictures: the movie's points first, then stragglers that it does not have.
pub(super) struct Cabinet {
    /// The pictures, if the data are such.
    pub sprite: Option<Sprite>,
    /// The stragglers to show and where their pictures are.
    pub stragglers: Vec<(Agreed, usize)>,
    /// How many samples are a straggler of any replica.
    pub found: usize,
}

impl Cabinet {
    /// Puts the pictures of an outcome in order.
    pub fn of(outcome: &InversionOutcome, exhibits: &Exhibits) -> Cabinet {
        let points: &[Point] = exhibits.movie.map(|movie| movie.points.as_slice()).unwrap_or_default();
        let mut rows: Vec<usize> = points.iter().map(|point| point.sample_index).collect();
        let all = agreed(outcome);
        let found = all.len();
        let mut stragglers = Vec::new();
        for agreed in all.into_iter().take(GALLERY) {
            let row = agreed.straggler.sample_index;
            let place = rows.iter().position(|&other| other == row).unwrap_or_else(|| {
                rows.push(row);
                rows.len() - 1
            });
            stragglers.push((agreed, place));
        }
        let sprite = sprite(exhibits.images, exhibits.pixel_max, &rows);
        Cabinet {
            sprite,
            stragglers,
            found,
        }
    }
}

/// What the training file calls a sample, with its class if that is another word: `4, even`.
pub(super) fn label(images: &Images, row: usize, class: &str) -> String {
    match images.labels.get(row).map(u8::to_string) {
        Some(own) if own != class => format!("{own}, {class}"),
        _ => class.to_owned(),
    }
}

/// A number with commas between thousands.
pub(super) fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (k, digit) in digits.chars().enumerate() {
        if k > 0 && (digits.len() - k).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(thousands),
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
