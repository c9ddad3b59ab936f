//! The digits in the binary: four IDX files, compressed; where they come from is told in `digits/README.md`.

use std::path::Path;

use super::dataset::Images;
use super::error::DataError;
use super::gzip::Gunzip;
use super::idx;

/// Their pixels count set points of a 4 x 4 block, so they go up to 16.
pub(super) const PIXEL_MAX: u32 = 16;

const TRAIN_IMAGES: &[u8] = include_bytes!("digits/train-images-idx3-ubyte.gz");
const TRAIN_LABELS: &[u8] = include_bytes!("digits/train-labels-idx1-ubyte.gz");
const TEST_IMAGES: &[u8] = include_bytes!("digits/t10k-images-idx3-ubyte.gz");
const TEST_LABELS: &[u8] = include_bytes!("digits/t10k-labels-idx1-ubyte.gz");

/// Training and test images.
pub(super) fn images() -> Result<(Images, Images), DataError> {
    let split = |images, labels, place| {
        let path = Path::new(place);
        let images = idx::read_images(Gunzip::new(images), path)?;
        Images::from_idx(images, idx::read_labels(Gunzip::new(labels), path)?, place)
    };
    Ok((
        split(TRAIN_IMAGES, TRAIN_LABELS, "embedded digits, training files")?,
        split(TEST_IMAGES, TEST_LABELS, "embedded digits, test files")?,
    ))
}

#[cfg(test)]
mod tests {
    use crate::data::Dataset;

    #[test]
    fn the_digits_are_those_of_the_repository() {
        let digits = Dataset::digits().unwrap();
        // Class counts as the data set's own description gives them.
        for (images, classes) in [
            (&digits.train, [376, 389, 380, 389, 387, 376, 377, 387, 380, 382]),
            (&digits.test, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]),
        ] {
            assert_eq!((images.height, images.width, images.channels), (8, 8, 1));
            assert_eq!(images.count, classes.iter().sum::<usize>());
            assert_eq!(images.pixels.iter().copied().min(), Some(0));
            assert_eq!(images.pixels.iter().copied().max(), Some(16));
            for (class, count) in classes.into_iter().enumerate() {
                assert_eq!(
                    images
                        .labels
                        .iter()
                        .filter(|&&label| usize::from(label) == class)
                        .count(),
                    count
                );
            }
        }
        assert_eq!(
            (digits.train.count, digits.test.count, digits.pixel_max),
            (3823, 1797, 16)
        );
    }

    #[cfg(feature = "cli")]
    #[test]
    fn the_uncompressed_bytes_have_their_hashes() {
        use super::*;
        use std::io::Read;

        use sha2::{Digest, Sha256};

        for (packed, expected) in [
            (
                TRAIN_IMAGES,
                "4c1b3e001c617c49df662e212afe65f228fbfbe6197a817adc776ec71de11707",
            ),
            (
                TRAIN_LABELS,
                "8efd46ba523e1ce034de771c7712183a9dab51767844532c1e8d194f48bd300c",
            ),
            (
                TEST_IMAGES,
                "359cd13f0f514122884198b78a131df597421cbf5e93a76678fa96fc548f0d96",
            ),
            (
                TEST_LABELS,
                "ce71631c1f31ce56fa54f31d1d498fafacff59b001e6c30c4a5e29508aa277ad",
            ),
        ] {
            let mut bytes = Vec::new();
            Gunzip::new(packed).read_to_end(&mut bytes).unwrap();
            let hash: String = Sha256::digest(&bytes)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!(hash, expected);
        }
    }
}
