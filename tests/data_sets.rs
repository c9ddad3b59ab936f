//! The full MNIST and Fashion-MNIST, which `tests/fetch_data.sh` puts under `data/`: what the experiment's numbers rest on.

use std::path::Path;

use disentangle::data::{
    Channels, Dataset, DeadPixels, LabelRule, Standardize, Standardizer, Subset, select, streams::Stream,
};

fn open(name: &str) -> Dataset {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name);
    Dataset::open(&folder).unwrap_or_else(|error| panic!("{error}; run tests/fetch_data.sh"))
}

/// Even and odd labels among the first 8192 training images, and the standardisation fitted on those.
fn first_block(data: &Dataset) -> (usize, usize, Standardizer) {
    let classes = LabelRule::Parity.classes(&data.train.labels);
    let kept = classes.apply(&data.train.labels, 0, Stream::TrainLabels).unwrap();
    let block = select(&kept, &classes, 0, Some(8192), Subset::Consecutive, 0).unwrap();
    assert_eq!(block.rows, (0..8192).collect::<Vec<_>>());
    let odd = block.labels.iter().filter(|&&label| label == 1).count();
    let fitted = Standardizer::fit(
        Standardize::Pixel,
        Channels::GreySum,
        &data.train,
        &block.rows,
        data.pixel_max,
    )
    .unwrap();
    (8192 - odd, odd, fitted)
}

#[test]
fn mnist_is_whole_and_its_first_block_has_115_dead_pixels() {
    let data = open("mnist");
    assert_eq!(
        (data.train.count, data.test.count, data.pixel_max),
        (60_000, 10_000, 255)
    );
    let (even, odd, fitted) = first_block(&data);
    assert_eq!((even, odd), (4023, 4169));
    assert_eq!(fitted.dead.len(), 115);
    let nearly_dead = fitted.deviation.iter().filter(|&&s| s > 0.0 && s < 1.0 / 255.0).count();
    assert_eq!(nearly_dead, 23);
    let test_rows: Vec<usize> = (0..data.test.count).collect();
    assert_eq!(fitted.lit_dead_rows(&data.test, &test_rows).unwrap(), 13);

    // By the formula a lit dead pixel is at least 1/255/1e-9; set to 0 it is gone, and nothing else is near.
    let huge = |dead_pixels| {
        let x = fitted.apply(&data.test, &test_rows, dead_pixels).unwrap();
        x.chunks(784)
            .filter(|row| row.iter().any(|value| value.abs() > 1e6))
            .count()
    };
    assert_eq!((huge(DeadPixels::Formula), huge(DeadPixels::Zero)), (13, 0));
}

#[test]
fn the_standardised_training_block_has_mean_0_and_deviation_1() {
    let data = open("mnist");
    let (_, _, fitted) = first_block(&data);
    let rows: Vec<usize> = (0..8192).collect();
    let x = fitted.apply(&data.train, &rows, DeadPixels::Formula).unwrap();
    let n = rows.len() as f64;
    for pixel in 0..784 {
        let column = || x.iter().skip(pixel).step_by(784);
        let (sum, largest) = column().fold((0.0, 0.0f64), |(sum, largest), v| (sum + v, largest.max(v.abs())));
        let squares: f64 = column().map(|v| v * v).sum();
        if fitted.dead.contains(&pixel) {
            assert_eq!((sum, squares), (0.0, 0.0));
            continue;
        }
        // n additions, each rounding a partial sum of at most n * largest, and 4 roundings in each value.
        let bound = (n + 4.0) * f64::EPSILON * largest;
        assert!((sum / n).abs() <= bound, "pixel {pixel}: mean {}", sum / n);
        // (s / (s + 1e-9))^2 differs from 1 by 2e-9 / s; the roundings of the sum of squares are far below that.
        let deviation_bound = 2.0 * 1e-9 / fitted.deviation[pixel] + n * f64::EPSILON;
        assert!(
            (squares / (n - 1.0) - 1.0).abs() <= deviation_bound,
            "pixel {pixel}: {}",
            squares / (n - 1.0)
        );
    }
}

#[test]
fn fashion_mnist_is_whole_and_has_no_dead_pixels() {
    let data = open("fashion-mnist");
    assert_eq!((data.train.count, data.test.count), (60_000, 10_000));
    assert!((0..10).all(|class| data.train.labels.iter().filter(|&&label| label == class).count() == 6000));
    assert!((0..10).all(|class| data.test.labels.iter().filter(|&&label| label == class).count() == 1000));
    let (even, odd, fitted) = first_block(&data);
    assert_eq!((even, odd, fitted.dead.len()), (4016, 4176, 0));
}

#[cfg(feature = "cli")]
#[test]
fn header_and_bytes_have_the_published_hash() {
    use disentangle::data::idx;
    use sha2::{Digest, Sha256};

    let data = open("mnist").test;
    let hash = |header: &[u8], body: &[u8]| -> String {
        let digest = Sha256::new().chain_update(header).chain_update(body).finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    assert_eq!(
        hash(
            &idx::images_header(data.count, data.height, data.width).unwrap(),
            &data.pixels
        ),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
    );
    assert_eq!(
        hash(&idx::labels_header(data.count).unwrap(), &data.labels),
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
    );
}
