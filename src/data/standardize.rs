//! From bytes to standardised pixels, all in `f64`.
//!
//! A pixel q becomes x = q / pixel_max and then (x - m) / (s + 1e-9), where m is the mean and s the unbiased deviation
//! of the training rows used, per pixel or over all pixels.
//!
//! Both come from the exact integers A = sum q and B = sum q^2 over n values: m = A / (n pixel_max) and s = sqrt((n B -
//! A^2) / (n (n - 1))) / pixel_max. So m carries one rounding, s at most five, and s is 0 exactly when all values are
//! equal: such a *dead* pixel is found by integers, never by the luck of a float sum.
//!
//! A dead pixel is 0 in every training row. A test row that differs there becomes up to 1e9 by the formula; see
//! [`DeadPixels`] and [`Standardizer::lit_dead_rows`].
//!
//! Colour images become inputs in one of two ways, see [`Channels`]. Summing them to grey comes after standardising, with
//! statistics in which the channels of an image are as many samples of its pixels (the recipe of the inversion's
//! released code for CIFAR-10). Of an image with one channel both ways make the same.

use std::fmt;
use std::str::FromStr;

use super::dataset::Images;
use super::error::DataError;

/// Added to a deviation before dividing by it, as in the released recipe of the inversion.
const EPSILON: f64 = 1e-9;

/// Over what means and deviations are taken.
///
/// ```
/// use disentangle::data::{Channels, Images, Standardize, Standardizer};
///
/// // Two images of two pixels: the means are 2 and 4 per pixel, 3 over all, 0 for none.
/// let images = Images::new(vec![1, 3, 3, 5], vec![0, 1], [1, 1, 2], "made here")?;
/// let mean = |scheme| Standardizer::fit(scheme, Channels::Flat, &images, &[0, 1], 1).map(|fitted| fitted.mean);
/// assert_eq!(mean(Standardize::Pixel)?, [2.0, 4.0]);
/// assert_eq!(mean(Standardize::Global)?, [3.0, 3.0]);
/// assert_eq!(mean(Standardize::None)?, [0.0, 0.0]);
/// # Ok::<(), disentangle::data::DataError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standardize {
    /// One mean and deviation per pixel position.
    Pixel,
    /// One mean and deviation of all pixels.
    Global,
    /// None: the pixels divided by `pixel_max`.
    None,
}

impl Standardize {
    fn word(self) -> &'static str {
        match self {
            Self::Pixel => "pixel",
            Self::Global => "global",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Standardize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Standardize {
    type Err = DataError;

    fn from_str(word: &str) -> Result<Self, DataError> {
        [Self::Pixel, Self::Global, Self::None]
            .into_iter()
            .find(|scheme| scheme.word() == word)
            .ok_or_else(|| DataError::Option {
                option: "standardize",
                value: word.to_owned(),
                expected: "pixel, global or none",
            })
    }
}

/// What becomes of a pixel whose deviation is 0.
///
/// ```
/// use disentangle::data::{Channels, DeadPixels, Images, Standardize, Standardizer};
///
/// // One pixel that is 0 in both training images, and 1 in a third one: 1 / (0 + 1e-9) by the formula.
/// let images = Images::new(vec![0, 0, 1], vec![0, 1, 0], [1, 1, 1], "made here")?;
/// let fitted = Standardizer::fit(Standardize::Pixel, Channels::Flat, &images, &[0, 1], 1)?;
/// assert_eq!(fitted.apply(&images, &[2], DeadPixels::Formula)?, [1.0 / 1e-9]);
/// assert_eq!(fitted.apply(&images, &[2], DeadPixels::Zero)?, [0.0]);
/// # Ok::<(), disentangle::data::DataError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadPixels {
    /// It follows the formula.
    Formula,
    /// It is set to 0.
    Zero,
}

impl DeadPixels {
    fn word(self) -> &'static str {
        match self {
            Self::Formula => "formula",
            Self::Zero => "zero",
        }
    }
}

impl fmt::Display for DeadPixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for DeadPixels {
    type Err = DataError;

    fn from_str(word: &str) -> Result<Self, DataError> {
        [Self::Formula, Self::Zero]
            .into_iter()
            .find(|choice| choice.word() == word)
            .ok_or_else(|| DataError::Option {
                option: "dead pixels",
                value: word.to_owned(),
                expected: "formula or zero",
            })
    }
}

/// How the channels of an image become inputs.
///
/// ```
/// use disentangle::data::{Channels, DeadPixels, Images, Standardize, Standardizer};
///
/// // One image of one pixel in red, green and blue, not standardised.
/// let images = Images::new(vec![1, 2, 4], vec![0], [3, 1, 1], "made here")?;
/// for (channels, expected) in [(Channels::Flat, vec![1.0, 2.0, 4.0]), (Channels::GreySum, vec![7.0])] {
///     let fitted = Standardizer::fit(Standardize::None, channels, &images, &[0], 1)?;
///     assert_eq!(fitted.apply(&images, &[0], DeadPixels::Zero)?, expected);
/// }
/// # Ok::<(), disentangle::data::DataError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// Each pixel's standardised channels are added up, to `height * width` inputs that are not standardised again. A
    /// pixel's statistics are over all its channels.
    GreySum,
    /// Each channel of a pixel is an input of its own, with its own statistics: `channels * height * width` inputs.
    Flat,
}

impl Channels {
    fn word(self) -> &'static str {
        match self {
            Self::GreySum => "grey-sum",
            Self::Flat => "flat",
        }
    }
}

impl fmt::Display for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Channels {
    type Err = DataError;

    fn from_str(word: &str) -> Result<Self, DataError> {
        [Self::GreySum, Self::Flat]
            .into_iter()
            .find(|choice| choice.word() == word)
            .ok_or_else(|| DataError::Option {
                option: "channels",
                value: word.to_owned(),
                expected: "grey-sum or flat",
            })
    }
}

/// A standardisation fitted on training rows.
///
/// ```
/// use disentangle::data::{Channels, DeadPixels, Images, Standardize, Standardizer};
///
/// // The first pixel is 1 and 3: mean 2, deviation sqrt(2) with n - 1. The second is always 7, but in the third image.
/// let images = Images::new(vec![1, 7, 3, 7, 2, 8], vec![0, 1, 0], [1, 1, 2], "made here")?;
/// let fitted = Standardizer::fit(Standardize::Pixel, Channels::Flat, &images, &[0, 1], 1)?;
/// assert_eq!((fitted.inputs(), fitted.mean[0], fitted.deviation[0]), (2, 2.0, 2f64.sqrt()));
/// assert_eq!((fitted.dead.as_slice(), fitted.lit_dead_rows(&images, &[0, 1, 2])?), (&[1][..], 1));
/// let rows = fitted.apply(&images, &[1], DeadPixels::Zero)?;
/// assert_eq!(rows, [1.0 / (2f64.sqrt() + 1e-9), 0.0]);
/// assert_eq!(fitted.apply_f32(&images, &[1], DeadPixels::Zero)?, [rows[0] as f32, 0.0]);
/// # Ok::<(), disentangle::data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Standardizer {
    /// m, one per input (all the same for `global`, 0 for `none`).
    pub mean: Vec<f64>,
    /// s, one per input (all the same for `global`, 1 for `none`).
    pub deviation: Vec<f64>,
    /// The inputs with s = 0, ascending.
    pub dead: Vec<usize>,
    /// The byte that each dead input has in all training rows.
    dead_bytes: Vec<u8>,
    /// Channels that are added up: all, or 1 for [`Channels::Flat`].
    planes: usize,
    scheme: Standardize,
    pixel_max: f64,
}

/// Exact sums over bytes.
#[derive(Clone, Copy, Default)]
struct Sums {
    count: u128,
    linear: u128,
    square: u128,
}

impl Sums {
    fn add(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            linear: self.linear + other.linear,
            square: self.square + other.square,
        }
    }

    fn mean(self, pixel_max: f64) -> f64 {
        self.linear as f64 / (self.count as f64 * pixel_max)
    }

    fn deviation(self, pixel_max: f64) -> f64 {
        let scatter = self.count * self.square - self.linear * self.linear;
        (scatter as f64 / (self.count * (self.count - 1)) as f64).sqrt() / pixel_max
    }
}

impl Standardizer {
    /// Fits on the given rows of `images`, whose byte `pixel_max` stands for 1.
    ///
    /// # Errors
    /// [`DataError::RowOutOfRange`]; [`DataError::TooFewValues`] if a deviation would be of fewer than two values.
    pub fn fit(
        scheme: Standardize,
        channels: Channels,
        images: &Images,
        rows: &[usize],
        pixel_max: u32,
    ) -> Result<Self, DataError> {
        let planes = match channels {
            Channels::GreySum => images.channels.max(1),
            Channels::Flat => 1,
        };
        let inputs = images.pixels_per_image() / planes;
        let (mean, deviation) = (vec![0.0; inputs], vec![1.0; inputs]);
        let pixel_max = f64::from(pixel_max);
        let mut fitted = Self {
            mean,
            deviation,
            dead: Vec::new(),
            dead_bytes: Vec::new(),
            planes,
            scheme,
            pixel_max,
        };
        if scheme == Standardize::None {
            return Ok(fitted);
        }
        let mut sums = vec![(0u64, 0u64); inputs];
        for &row in rows {
            for plane in images.image(row)?.chunks_exact(inputs.max(1)) {
                for ((linear, square), &byte) in sums.iter_mut().zip(plane) {
                    *linear += u64::from(byte);
                    *square += u64::from(byte) * u64::from(byte);
                }
            }
        }
        let mut sums: Vec<Sums> = sums
            .into_iter()
            .map(|(a, b)| Sums {
                count: rows.len() as u128 * planes as u128,
                linear: a.into(),
                square: b.into(),
            })
            .collect();
        if scheme == Standardize::Global {
            let total = sums.iter().copied().fold(Sums::default(), Sums::add);
            sums.fill(total);
        }
        if let Some(first) = sums.first().filter(|first| first.count < 2) {
            return Err(DataError::TooFewValues {
                scheme: scheme.word(),
                found: first.count as usize,
            });
        }
        for (input, (sums, (mean, deviation))) in sums
            .iter()
            .zip(fitted.mean.iter_mut().zip(&mut fitted.deviation))
            .enumerate()
        {
            *mean = sums.mean(pixel_max);
            *deviation = sums.deviation(pixel_max);
            if *deviation == 0.0 {
                fitted.dead.push(input);
                // All values are equal, so their mean is one of them.
                fitted.dead_bytes.push((sums.linear / sums.count) as u8);
            }
        }
        Ok(fitted)
    }

    /// Inputs made of an image.
    pub fn inputs(&self) -> usize {
        self.mean.len()
    }

    /// The inputs made of the given rows, `[rows, inputs]`.
    ///
    /// # Errors
    /// [`DataError::RowOutOfRange`]; [`DataError::PixelMismatch`] for images of another size.
    pub fn apply(&self, images: &Images, rows: &[usize], dead_pixels: DeadPixels) -> Result<Vec<f64>, DataError> {
        self.apply_as(images, rows, dead_pixels, |x| x)
    }

    /// [`apply`](Self::apply), each value rounded once to `f32`.
    ///
    /// # Errors
    /// Those of [`apply`](Self::apply).
    pub fn apply_f32(&self, images: &Images, rows: &[usize], dead_pixels: DeadPixels) -> Result<Vec<f32>, DataError> {
        self.apply_as(images, rows, dead_pixels, |x| x as f32)
    }

    fn apply_as<T: Copy>(
        &self,
        images: &Images,
        rows: &[usize],
        dead_pixels: DeadPixels,
        round: impl Fn(f64) -> T,
    ) -> Result<Vec<T>, DataError> {
        self.check_size(images)?;
        let scale = |byte: u8| f64::from(byte) / self.pixel_max;
        let mut out = Vec::new();
        for &row in rows {
            let image = images.image(row)?;
            let start = out.len();
            for (input, (m, s)) in self.mean.iter().zip(&self.deviation).enumerate() {
                let channels = image.iter().skip(input).step_by(self.inputs());
                let standardised = channels.map(|&byte| match self.scheme {
                    Standardize::None => scale(byte),
                    Standardize::Pixel | Standardize::Global => (scale(byte) - m) / (s + EPSILON),
                });
                out.push(round(standardised.reduce(|a, b| a + b).unwrap_or_default()));
            }
            if dead_pixels == DeadPixels::Zero {
                for value in self.dead.iter().filter_map(|&input| start.checked_add(input)) {
                    if let Some(value) = out.get_mut(value) {
                        *value = round(0.0);
                    }
                }
            }
        }
        Ok(out)
    }

    /// How many of the rows differ from the training rows in a dead pixel, which the formula sends to up to 1e9.
    ///
    /// # Errors
    /// Those of [`apply`](Self::apply).
    pub fn lit_dead_rows(&self, images: &Images, rows: &[usize]) -> Result<usize, DataError> {
        self.check_size(images)?;
        let mut lit = 0;
        for &row in rows {
            let image = images.image(row)?;
            lit += usize::from(self.dead.iter().zip(&self.dead_bytes).any(|(&input, &byte)| {
                let mut channels = image.iter().skip(input).step_by(self.inputs());
                channels.any(|&found| found != byte)
            }));
        }
        Ok(lit)
    }

    fn check_size(&self, images: &Images) -> Result<(), DataError> {
        let (found, expected) = (images.pixels_per_image(), self.mean.len() * self.planes);
        if found == expected {
            Ok(())
        } else {
            Err(DataError::PixelMismatch { found, expected })
        }
    }
}

#[cfg(test)]
mod tests;
