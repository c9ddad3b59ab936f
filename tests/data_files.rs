//! Files as they come: whole, damaged and hostile. Every wrong one is a typed error of one line, none is a panic, and
//! none makes the reader hold more memory than its own bytes account for.

mod counting_allocator;

use std::fs;
use std::path::Path;

use counting_allocator::peak_bytes;
use disentangle::data::{DataError, Dataset, idx};
use proptest::prelude::*;

/// Room for file buffers, the state of a gzip stream and messages.
const OVERHEAD: isize = 256 << 10;

fn images_file(count: usize, height: usize, width: usize) -> Vec<u8> {
    let pixels = (0..count * height * width).map(|i| (i * 7 % 251) as u8);
    idx::images_header(count, height, width)
        .unwrap()
        .into_iter()
        .chain(pixels)
        .collect()
}

fn labels_file(count: usize) -> Vec<u8> {
    idx::labels_header(count)
        .unwrap()
        .into_iter()
        .chain((0..count).map(|i| (i % 10) as u8))
        .collect()
}

fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn whole() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("train-images-idx3-ubyte", images_file(6, 2, 3)),
        ("train-labels.idx1-ubyte", labels_file(6)),
        ("t10k-images.idx3-ubyte", images_file(4, 2, 3)),
        ("t10k-labels-idx1-ubyte", labels_file(4)),
    ]
}

fn refusal(files: &[(&str, Vec<u8>)]) -> String {
    let folder = folder(files);
    let line = Dataset::open(folder.path()).unwrap_err().to_string();
    assert!(!line.contains('\n'), "{line}");
    let place = folder.path().display().to_string();
    assert!(line.starts_with(&place), "{line}");
    line[place.len()..].to_owned()
}

#[test]
fn a_folder_of_four_files_is_a_data_set() {
    let folder = folder(&whole());
    let data = Dataset::open(folder.path()).unwrap();
    assert_eq!(data.name, folder.path().file_name().unwrap().to_string_lossy());
    assert_eq!((data.train.count, data.test.count, data.pixel_max), (6, 4, 255));
    assert_eq!((data.train.height, data.train.width, data.train.channels), (2, 3, 1));
    assert_eq!(data.train.labels, [0, 1, 2, 3, 4, 5]);
    assert_eq!(data.test.image(3).unwrap(), &images_file(4, 2, 3)[16 + 18..]);
    assert!(matches!(
        data.test.image(4),
        Err(DataError::RowOutOfRange { row: 4, count: 4 })
    ));
    assert!(matches!(
        data.test.image(usize::MAX),
        Err(DataError::RowOutOfRange { .. })
    ));
}

#[test]
fn a_folder_that_is_not_one_is_refused() {
    assert!(matches!(
        Dataset::open(Path::new("/no/such/folder")),
        Err(DataError::NoFolder { .. })
    ));
    let folder = folder(&[("notes.txt", vec![1])]);
    assert!(matches!(
        Dataset::open(&folder.path().join("notes.txt")),
        Err(DataError::NotAFolder { .. })
    ));
    let line = Dataset::open(folder.path()).unwrap_err().to_string();
    assert!(
        line.contains("no data set; expected train-images-idx3-ubyte, train-labels-idx1-ubyte"),
        "{line}"
    );
    let mut files = whole();
    files.remove(1);
    assert_eq!(
        refusal(&files),
        ": a file is missing; expected one of train-labels-idx1-ubyte, train-labels.idx1-ubyte, \
         train-labels-idx1-ubyte.gz, train-labels.idx1-ubyte.gz"
    );
}

/// CIFAR-10's six files, two records each, whose labels count up.
fn cifar() -> Vec<(&'static str, Vec<u8>)> {
    let names = [
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
        "test_batch.bin",
    ];
    let record = |label: usize| std::iter::once(label as u8).chain((0..3072).map(move |i| (i * label % 256) as u8));
    let batch = |i: usize| record(2 * i % 10).chain(record((2 * i + 1) % 10)).collect();
    names
        .into_iter()
        .enumerate()
        .map(|(i, name)| (name, batch(i)))
        .collect()
}

#[test]
fn a_folder_of_six_batches_is_a_data_set() {
    let files = folder(&cifar());
    let data = Dataset::open(files.path()).unwrap();
    assert_eq!((data.train.count, data.test.count, data.pixel_max), (10, 2, 255));
    assert_eq!((data.train.channels, data.train.height, data.train.width), (3, 32, 32));
    assert_eq!(data.train.labels, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(data.test.image(1).unwrap()[..3], [0, 1, 2]);

    let mut missing = cifar();
    missing.remove(3);
    assert_eq!(
        refusal(&missing),
        ": a file is missing; expected one of data_batch_4.bin"
    );
    let mut short = cifar();
    short[4].1.truncate(4000);
    assert_eq!(
        refusal(&short),
        "/data_batch_5.bin: 927 bytes after 1 records; expected records of 3073 (a label and 3 x 32 x 32 pixels)"
    );
}

#[test]
fn an_npz_file_is_known_by_its_name_or_its_first_bytes() {
    let files = folder(&[("a.npz", b"no zip".to_vec()), ("b", b"PK\x03\x04".to_vec())]);
    for name in ["a.npz", "b"] {
        let line = Dataset::open(&files.path().join(name)).unwrap_err().to_string();
        let expected = if cfg!(feature = "data") {
            "; expected a whole npz (zip) archive"
        } else {
            ": an npz archive; expected a build with the feature `data`"
        };
        assert!(line.ends_with(expected), "{line}");
    }
}

#[test]
fn files_that_do_not_fit_together_are_refused() {
    let mut files = whole();
    files[1].1 = labels_file(5);
    assert_eq!(
        refusal(&files),
        ", training files: 6 images and 5 labels; expected one label for each image"
    );
    let mut files = whole();
    files[2].1 = images_file(4, 3, 2);
    assert_eq!(
        refusal(&files),
        ": test images are 1 x 3 x 2; expected the size of the training images, 1 x 2 x 3"
    );
    let mut files = whole();
    files.swap(2, 3);
    (files[2].0, files[3].0) = (files[3].0, files[2].0);
    assert_eq!(
        refusal(&files),
        "/t10k-images.idx3-ubyte: starts with 0x00000801; expected 0x00000803 (IDX images of bytes)"
    );
}

#[test]
fn a_header_is_no_reason_to_reserve_memory() {
    for sizes in [
        [4_000_000_000u32, 1, 1],
        [u32::MAX, 100, 100],
        [1, u32::MAX, 1],
        [u32::MAX; 3],
    ] {
        let mut bytes = idx::IMAGES_MAGIC.to_be_bytes().to_vec();
        bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
        bytes.extend([1, 2, 3, 4]);
        let folder = folder(&[("f", bytes)]);
        let (result, peak) = peak_bytes(|| idx::open_images(&folder.path().join("f")));
        assert!(matches!(
            result,
            Err(DataError::Truncated { found: 4, .. } | DataError::TooLarge { .. })
        ));
        assert!(peak < OVERHEAD, "{peak}");
    }
}

/// One change to a file: another byte, an end that is missing, bytes put in.
fn mutated(mut bytes: Vec<u8>, changes: &[(u8, u16, u8)]) -> Vec<u8> {
    for &(kind, place, byte) in changes {
        let place = usize::from(place) % (bytes.len() + 1);
        match kind {
            // Headers are where it hurts: half of the changes of a byte go to the first 24.
            0 | 1 => {
                let place = if kind == 0 { place % 24 } else { place };
                if let Some(old) = bytes.get_mut(place) {
                    *old = byte;
                }
            }
            2 => bytes.truncate(place),
            _ => bytes.insert(place, byte),
        }
    }
    bytes
}

fn changes() -> impl Strategy<Value = Vec<(u8, u16, u8)>> {
    prop::collection::vec((0u8..4, any::<u16>(), any::<u8>()), 0..6)
}

/// A file that was read is as large as its sizes say, and neither it nor one that was refused took more memory than the
/// `available` bytes account for (a growing vector holds its old and its doubled self for a moment).
fn check_images(bytes: &[u8], available: usize) -> Result<(), TestCaseError> {
    let folder = folder(&[("f", bytes.to_vec())]);
    let path = folder.path().join("f");
    let (result, peak) = peak_bytes(|| idx::open_images(&path));
    prop_assert!(peak < OVERHEAD + 4 * available as isize, "{}", peak);
    match result {
        Ok(images) => prop_assert_eq!(images.count * images.height * images.width, images.pixels.len()),
        Err(error) => prop_assert!(!error.to_string().contains('\n')),
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_mutated_raw_file_is_read_or_refused(
        count in 1usize..9, height in 1usize..9, width in 1usize..9, changes in changes(),
    ) {
        let bytes = mutated(images_file(count, height, width), &changes);
        check_images(&bytes, bytes.len())?;
        let labels = mutated(labels_file(count), &changes);
        if let Ok(read) = idx::read_labels(labels.as_slice(), Path::new("f")) {
            prop_assert_eq!(read, &labels[8..]);
        }
    }
}

#[cfg(not(feature = "data"))]
#[test]
fn a_gzip_file_needs_the_feature() {
    let line = refusal(&[("train-images-idx3-ubyte.gz", vec![0x1f, 0x8b, 8])]);
    assert!(line.starts_with(": a file is missing"), "{line}");
    let mut files = whole();
    files[0].1 = vec![0x1f, 0x8b, 8, 0];
    assert_eq!(
        refusal(&files),
        "/train-images-idx3-ubyte: gzip data; expected the unpacked file, or a build with the feature `data`"
    );
}

#[cfg(feature = "data")]
mod packed {
    use std::io::Write;

    use disentangle::data::{TensorFile, TensorRef, write_tensors};
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn open(bytes: Vec<u8>) -> Result<idx::IdxImages, DataError> {
        let folder = folder(&[("f", bytes)]);
        idx::open_images(&folder.path().join("f"))
    }

    #[test]
    fn packed_and_raw_files_are_equal_and_raw_ones_come_first() {
        let raw = folder(&whole());
        let packed: Vec<_> = whole()
            .into_iter()
            .map(|(name, bytes)| (format!("{name}.gz"), gzip(&bytes)))
            .collect();
        let packed: Vec<_> = packed
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.clone()))
            .collect();
        let packed = folder(&packed);
        let (from_raw, from_packed) = (
            Dataset::open(raw.path()).unwrap(),
            Dataset::open(packed.path()).unwrap(),
        );
        assert_eq!(
            (&from_raw.train, &from_raw.test),
            (&from_packed.train, &from_packed.test)
        );
        // The name does not decide what is packed, and a raw file is preferred to a damaged packed one.
        fs::write(packed.path().join("t10k-labels-idx1-ubyte"), gzip(&labels_file(4))).unwrap();
        fs::write(packed.path().join("t10k-labels-idx1-ubyte.gz"), b"damaged").unwrap();
        assert_eq!(Dataset::open(packed.path()).unwrap().test, from_raw.test);
    }

    #[test]
    fn damaged_packed_files_are_refused() {
        let good = gzip(&images_file(5, 4, 3));
        assert!(open(good.clone()).is_ok());
        // Members one after the other are one stream.
        let (head, tail) = (gzip(&images_file(5, 4, 3)[..20]), gzip(&images_file(5, 4, 3)[20..]));
        assert_eq!(open([head, tail].concat()).unwrap(), open(good.clone()).unwrap());

        let garbage = open([&good[..], b"garbage that is no gzip member"].concat()).unwrap_err();
        assert!(
            matches!(
                garbage,
                DataError::Damaged {
                    expected: 60,
                    found: 60,
                    ..
                }
            ),
            "{garbage}"
        );
        let more = open([&good[..], &gzip(b"!")].concat()).unwrap_err();
        assert!(matches!(more, DataError::TrailingBytes { expected: 60, .. }), "{more}");
        let mut checksum = good.clone();
        let at = checksum.len() - 6;
        checksum[at] ^= 1;
        assert!(matches!(open(checksum), Err(DataError::Damaged { .. })));
        assert!(open(good[..good.len() - 20].to_vec()).is_err());
        assert!(matches!(open(gzip(b"")), Err(DataError::Empty { .. })));
    }

    #[test]
    fn a_bomb_does_not_go_off() {
        let zeros = gzip(&vec![0; 1 << 20]);
        // Small by its header: one byte too many is enough.
        let small = [gzip(&images_file(1, 2, 2)), zeros.repeat(100)].concat();
        let (result, peak) = peak_bytes(|| open(small.clone()));
        assert!(matches!(result, Err(DataError::TrailingBytes { .. })));
        assert!(peak < OVERHEAD + small.len() as isize, "{peak}");
        // Honest by its header, and a thousand times its own size.
        let header = idx::images_header(1000, 1 << 10, 1 << 10).unwrap();
        let honest = [gzip(&header), zeros.repeat(1000)].concat();
        let (result, peak) = peak_bytes(|| open(honest));
        let line = result.unwrap_err().to_string();
        assert!(line.ends_with("(it unpacks to more than 256 times its size)"), "{line}");
        // It stops at some 22 MiB, in a vector of 32 MiB that grew from one of 16.
        assert!(peak < 64 << 20, "{peak}");
    }

    fn weights() -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w");
        let (weight, bias): (Vec<f32>, Vec<f32>) = ((0..12).map(|i| i as f32).collect(), vec![0.5; 4]);
        write_tensors(
            &path,
            &[
                TensorRef {
                    name: "0.weight",
                    shape: &[4, 3],
                    values: &weight,
                },
                TensorRef {
                    name: "0.bias",
                    shape: &[4],
                    values: &bias,
                },
            ],
        )
        .unwrap();
        fs::read(&path).unwrap()
    }

    /// Reads all tensors; each has the values of its shape. Parsed JSON takes room beside the file, some hundred bytes
    /// for the shortest entry.
    fn check_tensors(bytes: Vec<u8>) -> Result<(), TestCaseError> {
        let len = bytes.len() as isize;
        let (result, peak) = peak_bytes(|| {
            let file = TensorFile::parse(bytes, Path::new("f"))?;
            file.names()
                .iter()
                .map(|name| file.tensor(name))
                .collect::<Result<Vec<_>, DataError>>()
        });
        prop_assert!(peak < OVERHEAD + 100 * len, "{}", peak);
        match result {
            Ok(tensors) => {
                for tensor in tensors {
                    prop_assert_eq!(tensor.shape.iter().product::<usize>(), tensor.values.len());
                }
            }
            Err(error) => prop_assert!(!error.to_string().contains('\n')),
        }
        Ok(())
    }

    #[test]
    fn hostile_lengths_of_a_tensor_header_are_refused() {
        for length in [0, 1, 7, 100, 99_999_999, 100_000_001, u64::MAX - 7, u64::MAX] {
            let mut bytes = weights();
            bytes[..8].copy_from_slice(&length.to_le_bytes());
            let (result, peak) = peak_bytes(|| TensorFile::parse(bytes, Path::new("f")));
            assert!(matches!(result, Err(DataError::TensorFile { .. })), "{length}");
            assert!(peak < OVERHEAD, "{peak}");
        }
        assert!(matches!(
            TensorFile::parse(Vec::new(), Path::new("f")),
            Err(DataError::Empty { .. })
        ));
    }

    proptest! {
        #[test]
        fn a_mutated_gzip_file_is_read_or_refused(count in 1usize..9, changes in changes()) {
            let raw = images_file(count, 5, 6);
            check_images(&mutated(gzip(&raw), &changes), 1032 * raw.len())?;
            let inner = mutated(raw, &changes);
            check_images(&gzip(&inner), inner.len())?;
        }

        #[test]
        fn a_mutated_tensor_file_is_read_or_refused(changes in changes()) {
            check_tensors(mutated(weights(), &changes))?;
        }

        /// Other digits in the header: still JSON, but with other shapes and offsets.
        #[test]
        fn other_numbers_in_a_tensor_header_are_read_or_refused(
            changes in prop::collection::vec((any::<u16>(), b'0'..=b'9'), 1..8),
        ) {
            let mut bytes = weights();
            let header = 8 + usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
            let digits: Vec<usize> = (8..header).filter(|&i| bytes[i].is_ascii_digit()).collect();
            for (place, digit) in changes {
                bytes[digits[usize::from(place) % digits.len()]] = digit;
            }
            check_tensors(bytes)?;
        }
    }
}
