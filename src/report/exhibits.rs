//! What a page shows beside curves: pictures of samples, and the movie.

use std::collections::{HashMap, HashSet};

use super::sprite::{Sprite, sprite};
use crate::data::Images;
use crate::study::consensus::{Agreed, agreed};
use crate::study::movie::{GALLERY, Movie};
use crate::study::outcome::InversionOutcome;

/// Bytes of the page that the movie and its pictures may take; with the figures it stays below 3 MB.
const BYTES: usize = 1_600_000;

/// Most points of a movie: more hide each other.
const POINTS: usize = 1500;

/// What the sections on stragglers and manifolds are made from. A run keeps it in its folder (`exhibits_file`).
#[derive(Clone, Debug, PartialEq)]
pub struct Exhibits {
    /// The movie, if the run was filmed.
    pub movie: Option<Movie>,
    /// Pictures of the movie's points and of the stragglers.
    pub pictures: Pictures,
    /// Training samples that were used.
    pub samples: usize,
}

/// Some samples of the training file.
#[derive(Clone, Debug, PartialEq)]
pub struct Pictures {
    /// Row of each in the training file.
    pub rows: Vec<usize>,
    /// What the training file calls each, as far as it has a label.
    pub labels: Vec<Option<u8>>,
    /// Their pictures in this order, if the data are such.
    pub sprite: Option<Sprite>,
}

impl Exhibits {
    /// How many points a movie of so many frames may have for the page to stay below 3 MB.
    pub fn points(images: &Images, frames: usize) -> usize {
        // In base64, four letters stand for three bytes. A point has two planes of two u16 and two bytes per frame, and a
        // picture that packs to about half its bytes, drawn in grey.
        let own = frames * 10 + images.pixels_per_image() / if images.channels == 1 { 2 } else { 1 };
        (BYTES * 3 / 4 / own.max(1)).clamp(100, POINTS)
    }

    /// Of an outcome on training images (of which `pixel_max` is white), `samples` of which were used: pictures of the
    /// movie's points, then of the stragglers that it does not have.
    pub fn of(
        outcome: &InversionOutcome,
        movie: Option<Movie>,
        images: &Images,
        pixel_max: u32,
        samples: usize,
    ) -> Exhibits {
        let points = movie.iter().flat_map(|movie| &movie.points);
        let stragglers = agreed(outcome).into_iter().take(GALLERY);
        let wanted = points
            .map(|point| point.sample_index)
            .chain(stragglers.map(|agreed| agreed.straggler.sample_index));
        let (mut rows, mut seen) = (Vec::new(), HashSet::new());
        for (n, row) in wanted.enumerate() {
            // Each point has a place of its own; only a straggler may be there already.
            let is_point = movie.as_ref().is_some_and(|movie| n < movie.points.len());
            if seen.insert(row) || is_point {
                rows.push(row);
            }
        }
        let pictures = Pictures {
            labels: rows.iter().map(|&row| images.labels.get(row).copied()).collect(),
            sprite: sprite(images, pixel_max, &rows),
            rows,
        };
        Exhibits {
            movie,
            pictures,
            samples,
        }
    }
}

/// The stragglers of a page and where their pictures are.
pub(super) struct Cabinet<'a> {
    /// The pictures, if the data are such.
    pub sprite: Option<&'a Sprite>,
    /// The stragglers to show and their places among the pictures.
    pub stragglers: Vec<(Agreed, usize)>,
    /// How many samples are a straggler of any replica.
    pub found: usize,
    /// Label of each picture.
    labels: &'a [Option<u8>],
}

impl Cabinet<'_> {
    /// Puts the stragglers of an outcome in order.
    pub fn of<'a>(outcome: &InversionOutcome, exhibits: &'a Exhibits) -> Cabinet<'a> {
        let Pictures { rows, labels, sprite } = &exhibits.pictures;
        let mut places = HashMap::new();
        for (place, &row) in rows.iter().enumerate() {
            places.entry(row).or_insert(place);
        }
        let all = agreed(outcome);
        let found = all.len();
        let place = |agreed: Agreed| Some((agreed, *places.get(&agreed.straggler.sample_index)?));
        Cabinet {
            sprite: sprite.as_ref(),
            stragglers: all.into_iter().take(GALLERY).filter_map(place).collect(),
            found,
            labels,
        }
    }

    /// What the training file calls the sample at a place, with its class if that is another word: `4, even`.
    pub fn words(&self, place: usize, class: &str) -> String {
        match self.labels.get(place).copied().flatten().map(|label| label.to_string()) {
            Some(own) if own != class => format!("{own}, {class}"),
            _ => class.to_owned(),
        }
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
