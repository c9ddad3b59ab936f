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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn images(width: usize, pixels: Vec<u8>) -> Images {
        let count = pixels.len() / width;
        Images {
            labels: vec![0; count],
            pixels,
            count,
            height: 1,
            width,
            channels: 1,
        }
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for word in ["pixel", "global", "none"] {
            assert_eq!(word.parse::<Standardize>().unwrap().to_string(), word);
        }
        for word in ["grey-sum", "flat"] {
            assert_eq!(word.parse::<Channels>().unwrap().to_string(), word);
        }
        for word in ["formula", "zero"] {
            assert_eq!(word.parse::<DeadPixels>().unwrap().to_string(), word);
        }
        assert_eq!(
            "pixels".parse::<Standardize>().unwrap_err().to_string(),
            "standardize: `pixels`; expected pixel, global or none"
        );
        assert!("".parse::<DeadPixels>().is_err());
    }

    #[test]
    fn a_constant_pixel_is_dead_whatever_its_value() {
        for byte in 0..=255u8 {
            for rows in [2, 3, 7, 1000] {
                let train = images(2, (0..rows).flat_map(|i| [byte, i as u8]).collect());
                let rows: Vec<usize> = (0..rows).collect();
                let fitted = Standardizer::fit(Standardize::Pixel, Channels::Flat, &train, &rows, 255).unwrap();
                assert_eq!((fitted.deviation[0], fitted.dead.as_slice()), (0.0, &[0][..]));
                let x = fitted.apply(&train, &rows, DeadPixels::Formula).unwrap();
                assert!(x.iter().step_by(2).all(|&value| value == 0.0));
                assert_eq!(fitted.lit_dead_rows(&train, &rows).unwrap(), 0);
            }
        }
    }

    #[test]
    fn a_lit_dead_pixel_follows_the_formula_or_is_zero() {
        let train = images(2, vec![0, 10, 0, 20]);
        let test = images(2, vec![51, 10, 0, 30]);
        let fitted = Standardizer::fit(Standardize::Pixel, Channels::Flat, &train, &[0, 1], 255).unwrap();
        assert_eq!(fitted.lit_dead_rows(&test, &[0, 1]).unwrap(), 1);
        let formula = fitted.apply(&test, &[0, 1], DeadPixels::Formula).unwrap();
        assert_eq!(formula[0], 51.0 / 255.0 / 1e-9);
        let zero = fitted.apply(&test, &[0, 1], DeadPixels::Zero).unwrap();
        assert_eq!((zero[0], &zero[1..]), (0.0, &formula[1..]));
        let f32s = fitted.apply_f32(&test, &[0, 1], DeadPixels::Formula).unwrap();
        assert!(
            f32s.iter()
                .zip(&formula)
                .all(|(&single, &double)| single == double as f32)
        );
    }

    #[test]
    fn what_cannot_be_fitted_or_applied_is_an_error() {
        let train = images(2, vec![0, 10, 0, 20]);
        let line = |result: Result<Standardizer, DataError>| result.unwrap_err().to_string();
        assert_eq!(
            line(Standardizer::fit(Standardize::Pixel, Channels::Flat, &train, &[1], 255)),
            "standardisation pixel: a deviation of 1 value(s); expected at least 2 (n - 1 is its divisor)"
        );
        assert!(matches!(
            Standardizer::fit(Standardize::Global, Channels::Flat, &train, &[], 255),
            Err(DataError::TooFewValues { found: 0, .. })
        ));
        assert_eq!(
            line(Standardizer::fit(
                Standardize::Pixel,
                Channels::Flat,
                &train,
                &[0, 2],
                255
            )),
            "images: row 2; expected less than 2"
        );
        let fitted = Standardizer::fit(Standardize::None, Channels::Flat, &train, &[1], 255).unwrap();
        assert_eq!(
            fitted.apply(&train, &[1], DeadPixels::Formula).unwrap(),
            [0.0, 20.0 / 255.0]
        );
        assert!(matches!(
            fitted.apply(&images(3, vec![1, 2, 3]), &[0], DeadPixels::Formula),
            Err(DataError::PixelMismatch { found: 3, expected: 2 })
        ));
    }

    /// Two colour images of two pixels: channels 10 and 20, 30 and 20, ...
    fn colour() -> Images {
        Images {
            pixels: vec![10, 7, 30, 7, 20, 7, 40, 7, 60, 7, 50, 7],
            labels: vec![0; 2],
            count: 2,
            height: 1,
            width: 2,
            channels: 3,
        }
    }

    #[test]
    fn grey_sum_adds_channels_that_were_standardised_together() {
        let mut images = colour();
        let fit =
            |images: &Images, scheme, channels| Standardizer::fit(scheme, channels, images, &[0, 1], 100).unwrap();
        let fitted = fit(&images, Standardize::Pixel, Channels::GreySum);
        // The first pixel: 10, 30, 20 and 40, 60, 50 around 35, with squares 1750 over 5; the second is always 7.
        assert_eq!((fitted.inputs(), fitted.mean.as_slice()), (2, &[0.35, 0.07][..]));
        assert!((fitted.deviation[0] - 3.5f64.sqrt() / 10.0).abs() <= 3.0 * f64::EPSILON);
        assert_eq!(fitted.dead, [1]);
        let x = fitted.apply(&images, &[0, 1], DeadPixels::Formula).unwrap();
        let s = fitted.deviation[0] + EPSILON;
        let sum = |bytes: [f64; 3]| {
            bytes
                .iter()
                .map(|q| (q / 100.0 - 0.35) / s)
                .reduce(|a, b| a + b)
                .unwrap()
        };
        assert_eq!(x, [sum([10.0, 30.0, 20.0]), 0.0, sum([40.0, 60.0, 50.0]), 0.0]);

        // A lit dead pixel, in the last channel only.
        images.pixels[11] = 8;
        assert_eq!(fitted.lit_dead_rows(&images, &[0, 1]).unwrap(), 1);
        let lit = fitted.apply(&images, &[1], DeadPixels::Formula).unwrap();
        assert_eq!(lit[1], (0.08 - 0.07) / EPSILON);
        assert_eq!(fitted.apply(&images, &[1], DeadPixels::Zero).unwrap()[1], 0.0);

        let none = fit(&colour(), Standardize::None, Channels::GreySum);
        let sums = none.apply(&colour(), &[0], DeadPixels::Formula).unwrap();
        assert_eq!(sums, [0.1 + 0.3 + 0.2, 0.07 + 0.07 + 0.07]);
        // All twelve values around 21, whatever becomes of the channels.
        for channels in [Channels::GreySum, Channels::Flat] {
            let global = fit(&colour(), Standardize::Global, channels);
            assert_eq!(
                (global.mean[0], global.inputs()),
                (0.21, if channels == Channels::Flat { 6 } else { 2 })
            );
        }
    }

    #[test]
    fn flat_channels_are_so_many_pixels_and_grey_images_have_one() {
        let flat = Standardizer::fit(Standardize::Pixel, Channels::Flat, &colour(), &[0, 1], 100).unwrap();
        assert_eq!((flat.inputs(), flat.dead.as_slice()), (6, &[1, 3, 5][..]));
        assert_eq!(flat.mean[2], 0.45);
        let long = Images {
            channels: 1,
            width: 6,
            ..colour()
        };
        for channels in [Channels::GreySum, Channels::Flat] {
            let grey = Standardizer::fit(Standardize::Pixel, channels, &long, &[0, 1], 100).unwrap();
            assert_eq!(grey, flat);
        }
        let grey_sum = Standardizer::fit(Standardize::Pixel, Channels::GreySum, &colour(), &[0, 1], 100).unwrap();
        assert!(matches!(
            grey_sum.apply(&images(2, vec![1, 2]), &[0], DeadPixels::Formula),
            Err(DataError::PixelMismatch { found: 2, expected: 6 })
        ));
    }

    proptest! {
        /// Against the textbook's two passes over the scaled values.
        #[test]
        fn it_agrees_with_two_passes(
            pixels in prop::collection::vec(0u8..=16, 4..400), width in 1usize..5, global in any::<bool>(),
        ) {
            let train = images(width, pixels[..pixels.len() / width * width].to_vec());
            let rows: Vec<usize> = (0..train.count).step_by(2).collect();
            prop_assume!(rows.len() > 1);
            let scheme = if global { Standardize::Global } else { Standardize::Pixel };
            let fitted = Standardizer::fit(scheme, Channels::Flat, &train, &rows, 16).unwrap();
            for p in 0..width {
                let x: Vec<f64> = rows.iter()
                    .flat_map(|&row| (0..width).map(move |q| (row, q)))
                    .filter(|&(_, q)| global || q == p)
                    .map(|(row, q)| f64::from(train.pixels[row * width + q]) / 16.0)
                    .collect();
                let n = x.len() as f64;
                let mean = x.iter().sum::<f64>() / n;
                let deviation = (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
                // Multiples of 1/16 up to 1: their sum is exact, so the plain mean has one rounding, like ours.
                prop_assert_eq!(fitted.mean[p], mean);
                // The plain sum of squares has a relative error of (n + 3) u (its mean is off by at most u, which
                // enters squared), its quotient and root 3 u / 2 more, ours 5 u: in all less than (n / 2 + 8) 2u.
                let bound = (n / 2.0 + 8.0) * f64::EPSILON * deviation;
                prop_assert!((fitted.deviation[p] - deviation).abs() <= bound);
                prop_assert_eq!(fitted.dead.contains(&p), x.iter().all(|&value| value == x[0]));
            }
        }
    }
}
