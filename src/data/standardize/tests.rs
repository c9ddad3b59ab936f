//! Standardisation against its formula, and what it refuses.

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
    let fit = |images: &Images, scheme, channels| Standardizer::fit(scheme, channels, images, &[0, 1], 100).unwrap();
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
