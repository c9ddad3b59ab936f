//! What must not change a metric, and what changes it in a known way: tried on random clouds with every metric of the list.

use proptest::prelude::*;

use super::metric::METRICS;
use super::{Classifier, Cloud, Rows, Settings, Survey};
use crate::backend::Reference;

const CLASSES: usize = 3;
const COLS: usize = 3;

/// Points with coordinates on a grid of 2^-10, each class with at least three of them, and another representation.
#[derive(Clone, Debug)]
struct Sample {
    rows: Vec<f64>,
    labels: Vec<u32>,
    second: Vec<f64>,
}

fn sample() -> impl Strategy<Value = Sample> {
    let coordinate = || (-4096i32..4096).prop_map(|i| f64::from(i) / 1024.0);
    (12usize..24).prop_flat_map(move |n| {
        let labels = prop::collection::vec(0..CLASSES as u32, n - 9).prop_map(|drawn| {
            let each = (0..CLASSES as u32).flat_map(|class| [class; 3]);
            each.chain(drawn).collect::<Vec<u32>>()
        });
        let values = |width: usize| prop::collection::vec(coordinate(), n * width);
        (values(COLS), labels, values(2)).prop_map(|(rows, labels, second)| Sample { rows, labels, second })
    })
}

/// Every value of every metric, by name.
fn values(sample: &Sample, cols: usize) -> Vec<(&'static str, Vec<f64>)> {
    let cloud = Cloud::new(sample.rows.clone(), cols, sample.labels.clone(), CLASSES).unwrap();
    let classifier = Classifier {
        weight: (0..CLASSES * cols).map(|i| (i as f64).sin()).collect(),
        bias: None,
    };
    let settings = Settings {
        neighbors: Some(3),
        ..Settings::default()
    };
    let survey = Survey::new(&cloud, &Reference, settings)
        .with_classifier(Some(&classifier))
        .with_second(Some(Rows {
            values: &sample.second,
            cols: 2,
        }));
    METRICS
        .iter()
        .map(|metric| (metric.name, metric.of(&survey).unwrap_or_default()))
        .collect()
}

/// Compares all metrics but those `without`, each value times `factor` of its metric, to 1e-9 of the largest number there can be (the diameter, 14
/// units or 200 squared, and 1e3 for ratios): f64 leaves seven digits for what cancels. The best temperature is searched to 1e-9 of itself, before
/// and after.
fn same(
    before: &[(&'static str, Vec<f64>)],
    after: &[(&'static str, Vec<f64>)],
    without: &[&str],
    factor: impl Fn(&str, usize) -> f64,
) -> Result<(), TestCaseError> {
    for ((name, before), (_, after)) in before.iter().zip(after) {
        if without.contains(name) {
            continue;
        }
        prop_assert_eq!(before.len(), after.len(), "{}", name);
        for (place, (b, a)) in before.iter().zip(after).enumerate() {
            let expected = b * factor(name, place);
            let relative = if *name == OPTIMUM && place == 1 { 2e-9 } else { 1e-9 };
            let bound = relative * (1.0 + expected.abs());
            prop_assert!(
                (expected - a).abs() <= bound || expected.is_nan() && a.is_nan(),
                "{name}: {b} became {a}"
            );
        }
    }
    Ok(())
}

/// Metrics of the rows' directions from the origin, or of a classifier that stays where it is.
const FIXED_ORIGIN: [&str; 3] = ["class-separation", "nc3", "nc4"];
/// Where a minimum over temperatures sits on a plateau, its place is not determined.
const OPTIMUM: &str = "soft-nearest-neighbor-optimum";

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_translation_changes_nothing(sample in sample()) {
        // 10^4 and the grid are exact in f64.
        let far = Sample { rows: sample.rows.iter().map(|v| v + 1e4).collect(), ..sample.clone() };
        let without = [&FIXED_ORIGIN[..], &[OPTIMUM]].concat();
        same(&values(&sample, COLS), &values(&far, COLS), &without, |_, _| 1.0)?;
    }

    #[test]
    fn columns_of_zeros_change_nothing(sample in sample()) {
        let padded = sample.rows.chunks(COLS).flat_map(|row| [row, &[0.0, 0.0]].concat()).collect();
        let padded = Sample { rows: padded, ..sample.clone() };
        let gdv = (COLS as f64 / (COLS + 2) as f64).sqrt();
        same(&values(&sample, COLS), &values(&padded, COLS + 2), &["nc3", "nc4", OPTIMUM], |name, _| {
            if name == "generalized-discrimination-value" { gdv } else { 1.0 }
        })?;
    }

    #[test]
    fn the_order_of_the_rows_changes_nothing(sample in sample(), turn in 1usize..12) {
        let rotated = |values: &[f64], width: usize| {
            let mut values = values.to_vec();
            values.rotate_left(turn * width);
            values
        };
        let mut labels = sample.labels.clone();
        labels.rotate_left(turn);
        let turned = Sample { rows: rotated(&sample.rows, COLS), labels, second: rotated(&sample.second, 2) };
        same(&values(&sample, COLS), &values(&turned, COLS), &[OPTIMUM], |_, _| 1.0)?;
    }

    #[test]
    fn a_rotation_changes_nothing(sample in sample(), angle in 0.1f64..3.0) {
        let (s, c) = angle.sin_cos();
        let rotated = sample.rows.chunks(COLS).flat_map(|r| [c * r[0] - s * r[1], s * r[0] + c * r[1], r[2]]).collect();
        let rotated = Sample { rows: rotated, ..sample.clone() };
        let axes = ["generalized-discrimination-value", "nc3", "nc4", OPTIMUM];
        same(&values(&sample, COLS), &values(&rotated, COLS), &axes, |_, _| 1.0)?;
    }

    #[test]
    fn lengths_follow_the_scale_and_ratios_do_not(sample in sample()) {
        let twice = Sample { rows: sample.rows.iter().map(|v| 2.0 * v).collect(), ..sample.clone() };
        let lengths = ["gyration-radius", "centroid-distance", "class-distance", "energy-distance", "nearest-neighbor-margin",
            "linear-separability"];
        // The loss at a fixed temperature is no ratio; the best temperature is a squared length.
        same(&values(&sample, COLS), &values(&twice, COLS), &["soft-nearest-neighbor-loss"], |name, place| {
            match name {
                OPTIMUM if place == 1 => 4.0,
                name if lengths.contains(&name) => 2.0,
                _ => 1.0,
            }
        })?;
    }

    #[test]
    fn each_point_twice_changes_no_distribution(sample in sample()) {
        let twice = Sample {
            rows: sample.rows.repeat(2),
            labels: sample.labels.repeat(2),
            second: sample.second.repeat(2),
        };
        let kept = ["gyration-radius", "centroid-distance", "energy-distance", "class-separation", "fisher-ratio", "davies-bouldin", "nc1",
            "nc2", "nc3", "nc4", "participation-ratio", "explained-variance-dimension", "linear-cka", "linear-separability"];
        let without: Vec<&str> = METRICS.iter().map(|metric| metric.name).filter(|name| !kept.contains(name)).collect();
        let after = values(&twice, COLS);
        same(&values(&sample, COLS), &after, &without, |_, _| 1.0)?;
        // The nearest neighbour of a point is its twin.
        let error = after.iter().find(|(name, _)| *name == "nearest-neighbor-error").unwrap();
        prop_assert_eq!(error.1.as_slice(), &[0.0]);
    }
}
