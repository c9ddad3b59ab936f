//! `study::prepare` on small random data sets, against a plain computation row by row.
#![cfg(feature = "study")]

use disentangle::data::streams::{Stream, generator};
use disentangle::data::{Channels, Dataset, DeadPixels, Images, LabelRule, Standardize, Subset};
use disentangle::study::prepare::{Preparation, Prepared};
use proptest::prelude::*;
use rand_chacha::rand_core::Rng;

/// `count` images of 1 x 3 from what proptest drew; the last pixel takes few values, so that it is often dead.
fn images(bytes: &[u8], labels: &[u8]) -> Images {
    let pixels = bytes.chunks_exact(3).flat_map(|p| [p[0], p[1] % 16, p[2] % 2]);
    Images {
        pixels: pixels.collect(),
        labels: labels.to_vec(),
        count: labels.len(),
        height: 1,
        width: 3,
        channels: 1,
    }
}

/// Class of each row under a rule, `None` where it is dropped.
fn plain_classes(rule: &LabelRule, labels: &[u8], training: &[u8], seed: u64, stream: Stream) -> Vec<Option<u32>> {
    let mut rng = generator(seed, stream);
    let mut known: Vec<u8> = training.to_vec();
    known.sort_unstable();
    known.dedup();
    let place = |list: &[u8], label: u8| list.iter().position(|&l| l == label).map(|i| i as u32);
    labels
        .iter()
        .map(|&label| match rule {
            LabelRule::Parity => Some(u32::from(label % 2 == 1)),
            LabelRule::All => place(&known, label),
            LabelRule::Listed(list) => place(list, label),
            LabelRule::Below(k) => Some(if label < *k { 0 } else { 1 }),
            LabelRule::OneVsRest(k) => Some(if label == *k { 1 } else { 0 }),
            LabelRule::Random => Some(u32::from(rng.next_u32() >= 1 << 31)),
        })
        .collect()
}

/// Mean and unbiased deviation by the textbook's two passes.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let square = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    (mean, (square / (n - 1.0)).sqrt())
}

fn rules() -> impl Strategy<Value = LabelRule> {
    prop_oneof![
        Just(LabelRule::Parity),
        Just(LabelRule::All),
        Just(LabelRule::Random),
        Just(LabelRule::Listed(vec![3, 0, 2])),
        Just(LabelRule::Listed(vec![1, 4])),
        (0u8..6).prop_map(LabelRule::Below),
        (0u8..6).prop_map(LabelRule::OneVsRest),
    ]
}

fn split(rows: std::ops::Range<usize>) -> impl Strategy<Value = Images> {
    rows.prop_flat_map(|n| {
        let bytes = prop::collection::vec(any::<u8>(), 3 * n);
        let labels = prop::collection::vec(0u8..5, n);
        (bytes, labels).prop_map(|(bytes, labels)| images(&bytes, &labels))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn preparation_agrees_with_a_plain_computation(
        train in split(1..30), test in split(1..12), rule in rules(),
        offset in 0usize..12, samples in prop::option::of(0usize..25), seed in 0u64..4,
        standardize in prop::sample::select(vec![Standardize::Pixel, Standardize::Global, Standardize::None]),
        dead_pixels in prop::sample::select(vec![DeadPixels::Formula, DeadPixels::Zero]),
    ) {
        let dataset = Dataset { name: "drawn".into(), train, test, pixel_max: 16 };
        let (train, test) = (&dataset.train, &dataset.test);
        let how = Preparation { labels: rule.clone(), train_samples: samples, data_offset: offset, subset: Subset::Consecutive, standardize, dead_pixels, channels: Channels::GreySum, seed };
        let got = Prepared::new(&dataset, &how);

        // Which rows, which classes.
        let classes = plain_classes(&rule, &train.labels, &train.labels, seed, Stream::TrainLabels);
        let kept: Vec<(usize, u32)> = (0..train.count).filter_map(|row| Some((row, classes[row]?))).collect();
        let end = samples.map_or(kept.len(), |n| offset + n);
        let block = if offset < end && end <= kept.len() { &kept[offset..end] } else { &[] };
        let of_test = plain_classes(&rule, &test.labels, &train.labels, seed, Stream::TestLabels);
        let unknown = rule == LabelRule::All && of_test.contains(&None);
        let names = match &rule {
            LabelRule::Listed(list) => list.len(),
            LabelRule::All => classes.iter().flatten().max().map_or(0, |&c| c as usize + 1),
            _ => 2,
        };
        let every_class = (0..names as u32).all(|c| block.iter().any(|&(_, class)| class == c));
        // A deviation needs two values: of a pixel that is two rows.
        let enough = standardize != Standardize::Pixel || block.len() >= 2;
        prop_assert_eq!(got.is_ok(), !block.is_empty() && every_class && !unknown && enough, "{:?}", got);
        let Ok(got) = got else { return Ok(()) };

        prop_assert_eq!(got.classes.len(), names);
        prop_assert_eq!(got.inputs, 3);
        let (rows, labels): (Vec<usize>, Vec<u32>) = block.iter().copied().unzip();
        prop_assert_eq!((&got.train_rows, &got.train_labels), (&rows, &labels));
        let test_rows: Vec<usize> = (0..test.count).filter(|&row| of_test[row].is_some()).collect();
        prop_assert_eq!(&got.test_labels, &of_test.iter().flatten().copied().collect::<Vec<u32>>());

        // Which numbers.
        let pixel = |part: &Images, row: usize, p: usize| f64::from(part.pixels[3 * row + p]) / 16.0;
        let column = |p: usize| -> Vec<f64> { rows.iter().map(|&row| pixel(train, row, p)).collect() };
        let all: Vec<f64> = (0..3).flat_map(column).collect();
        let dead: Vec<bool> = (0..3)
            .map(|p| match standardize {
                Standardize::Pixel => column(p).iter().all(|&x| x == column(p)[0]),
                Standardize::Global => all.iter().all(|&x| x == all[0]),
                Standardize::None => false,
            })
            .collect();
        prop_assert_eq!(got.dead_pixels, dead.iter().filter(|&&d| d).count());
        let lights = |&&row: &&usize| (0..3).any(|p| dead[p] && pixel(test, row, p) != pixel(train, rows[0], p));
        prop_assert_eq!(got.lit_test_rows, test_rows.iter().filter(lights).count());
        for (part, rows, found) in [(train, &rows, &got.train_features), (test, &test_rows, &got.test_features)] {
            prop_assert_eq!(found.len(), 3 * rows.len());
            for (i, &row) in rows.iter().enumerate() {
                for p in 0..3 {
                    let x = pixel(part, row, p);
                    let (mean, deviation) = match standardize {
                        Standardize::Pixel => moments(&column(p)),
                        Standardize::Global => moments(&all),
                        Standardize::None => (0.0, 1.0),
                    };
                    let found = found[3 * i + p];
                    if dead[p] {
                        // Equal values standardise to 0, to the bit.
                        prop_assert!(!std::ptr::eq(part, train) || found == 0.0, "{found}");
                        // The deviation is exactly 0 here, whatever two passes make of it.
                        let x0 = pixel(train, got.train_rows[0], p);
                        let expected = if dead_pixels == DeadPixels::Zero { 0.0 } else { (x - x0) / 1e-9 };
                        // The mean is exact up to 1 u of values below 16, divided by 1e-9; the rest a few u.
                        prop_assert!((found - expected).abs() <= 16.0 * f64::EPSILON / 1e-9 + 4.0 * f64::EPSILON * expected.abs());
                        continue;
                    }
                    let expected = if standardize == Standardize::None { x } else { (x - mean) / (deviation + 1e-9) };
                    // Values below 16 and at least 1/16 apart: with n < 90 values the deviation is above 1/16/90. Sums of
                    // 90 terms below 16 have errors below 90 * 16 u, which the division enlarges by at most 1440.
                    let bound = 2.0 * 90.0 * 16.0 * f64::EPSILON * 1440.0 * (1.0 + expected.abs());
                    prop_assert!((found - expected).abs() <= bound, "pixel {p} of row {row}: {found} {expected}");
                }
            }
        }
    }
}
