//! Files that are not there, not whole, or not what they should be: one line that names them, exit code 2, no folder.

use super::{Place, write_idx_folder};

const LABELS: &[u8] = &[0, 1, 2, 3, 4, 5, 6, 7];
const TRAIN_IMAGES: &str = "d/train-images-idx3-ubyte";
const TRAIN_LABELS: &str = "d/train-labels-idx1-ubyte";
const TEST_IMAGES: &str = "d/t10k-images-idx3-ubyte";

/// A good folder `d`, one of whose files is replaced.
fn spoilt(file: &str, spoil: impl Fn(Vec<u8>) -> Vec<u8>) -> String {
    let place = Place::new();
    write_idx_folder(&place.path("d"), LABELS, LABELS);
    let bytes = std::fs::read(place.path(file)).unwrap();
    place.write(file, spoil(bytes));
    let line = place.refused("--data d --epochs 1");
    assert!(!place.path("runs").exists(), "{line}");
    line
}

#[test]
fn a_good_folder_runs() {
    let place = Place::new();
    write_idx_folder(&place.path("d"), LABELS, LABELS);
    place.inversion("--data d --epochs 2 --out o");
    assert_eq!(place.table("o").rows.len(), 16 * 3);
}

#[test]
fn folders_of_data_that_cannot_be() {
    let place = Place::new();
    place.write("file", "x");
    std::fs::create_dir(place.path("empty")).unwrap();
    for (data, part) in [
        ("nowhere", "nowhere: no such folder"),
        ("file", "file"),
        ("empty", "train-images-idx3-ubyte"),
    ] {
        let line = place.refused(&format!("--data {data}"));
        assert!(line.contains(part) && line.contains("expected"), "{line}");
    }
    write_idx_folder(&place.path("d"), LABELS, LABELS);
    std::fs::remove_file(place.path(TRAIN_LABELS)).unwrap();
    let line = place.refused("--data d");
    assert!(line.contains("train-labels-idx1-ubyte"), "{line}");
}

#[test]
fn idx_files_that_are_not_what_they_say() {
    let cut = |n: usize| {
        move |mut bytes: Vec<u8>| {
            bytes.truncate(n);
            bytes
        }
    };
    let set = |at: usize, new: &'static [u8]| {
        move |mut bytes: Vec<u8>| {
            bytes[at..at + new.len()].copy_from_slice(new);
            bytes
        }
    };
    for file in [TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES] {
        let name = file.rsplit('/').next().unwrap();
        for line in [
            spoilt(file, cut(0)),
            spoilt(file, cut(3)),
            spoilt(file, cut(9)),
            spoilt(file, |mut bytes| {
                bytes.pop();
                bytes
            }),
            spoilt(file, |mut bytes| {
                bytes.push(0);
                bytes
            }),
            // Wrong magic number, wrong element type.
            spoilt(file, set(0, b"PNG\n")),
            spoilt(file, set(2, &[0x0d])),
            // A header that asks for 4 G items; one whose product overflows.
            spoilt(file, set(4, &[0xff; 4])),
        ] {
            assert!(line.contains(name) && line.contains("expected"), "{line}");
        }
    }
    let hostile = spoilt(TRAIN_IMAGES, set(4, &[0xff; 12]));
    assert!(hostile.contains("train-images"), "{hostile}");
    // Files that are whole but do not fit each other.
    let fewer = |count: u8, size: usize| {
        move |mut bytes: Vec<u8>| {
            bytes[7] = count;
            bytes.truncate(bytes.len() - size);
            bytes
        }
    };
    let line = spoilt(TRAIN_LABELS, fewer(7, 1));
    assert!(line.contains('7') && line.contains('8'), "{line}");
    let line = spoilt(TEST_IMAGES, fewer(7, 4));
    assert!(line.contains('7') && line.contains('8'), "{line}");
    let line = spoilt(TEST_IMAGES, set(8, &[0, 0, 0, 4, 0, 0, 0, 1]));
    assert!(line.contains('4') && line.contains('2'), "{line}");
}

#[test]
fn packed_files_that_are_not_whole() {
    let place = Place::new();
    write_idx_folder(&place.path("d"), LABELS, LABELS);
    std::fs::remove_file(place.path(TRAIN_IMAGES)).unwrap();
    let packed = format!("{TRAIN_IMAGES}.gz");
    // Not gzip; the beginning of gzip.
    for bytes in [&b"not packed"[..], &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1], b""] {
        place.write(&packed, bytes);
        let line = place.refused("--data d");
        assert!(line.contains("train-images-idx3-ubyte.gz"), "{line}");
    }
}

#[test]
fn data_with_one_class_or_too_few_rows() {
    let place = Place::new();
    write_idx_folder(&place.path("d"), &[4, 4, 4], &[4]);
    for words in ["--labels all", "--labels parity"] {
        let line = place.refused(&format!("--data d {words}"));
        assert!(line.contains("class"), "{line}");
    }
    // A label in the test file that no training row has.
    write_idx_folder(&place.path("d"), &[4, 5, 4], &[4, 9]);
    let line = place.refused("--data d --labels all");
    assert!(line.contains('9') && line.contains("expected"), "{line}");
    // No image at all.
    write_idx_folder(&place.path("d"), &[], &[4]);
    let line = place.refused("--data d");
    assert!(line.contains("expected"), "{line}");
}

/// A safetensors file of f32 tensors of ones.
fn tensors(tensors: &[(&str, &[usize])], value: f32) -> Vec<u8> {
    let (mut header, mut data) = (Vec::new(), Vec::new());
    for (name, shape) in tensors {
        let start = data.len();
        let count: usize = shape.iter().product();
        data.extend(value.to_le_bytes().repeat(count));
        let offsets = format!("[{start},{}]", data.len());
        header.push(format!(
            r#""{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":{offsets}}}"#
        ));
    }
    let header = format!("{{{}}}", header.join(","));
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header.as_bytes(), &data].concat()
}

#[test]
fn initial_weights_that_do_not_fit() {
    let place = Place::new();
    let good: &[(&str, &[usize])] = &[
        ("0.weight", &[20, 64]),
        ("0.bias", &[20]),
        ("2.weight", &[2, 20]),
        ("2.bias", &[2]),
    ];
    let with = |changes: &[(usize, (&'static str, &'static [usize]))]| {
        let mut all = good.to_vec();
        changes.iter().for_each(|&(at, tensor)| all[at] = tensor);
        tensors(&all, 0.5)
    };
    place.write("w", with(&[]));
    place.inversion("--init w --epochs 1 --replicas 3 --train-samples 100 --out good");
    // Without a replica axis every replica starts alike, and with full batches stays so.
    let losses = place.table("good").numbers("train_loss");
    assert_eq!((losses[0], losses[1]), (losses[2], losses[3]));

    let whole = with(&[]);
    let truncated = whole[..whole.len() - 1].to_vec();
    let longer = [&whole[..], &[0]].concat();
    let hostile = [&[0xff; 7][..], &[0x7f], b"{}"].concat();
    let half = String::from_utf8_lossy(&whole[8..]).into_owned();
    for (bytes, parts) in [
        (vec![], &["empty"][..]),
        (truncated, &["safetensors"]),
        (longer, &["safetensors"]),
        (hostile, &["safetensors"]),
        (whole[..8].to_vec(), &["safetensors"]),
        (half.into_bytes(), &["safetensors"]),
        (b"0 0 0 not weights".to_vec(), &["safetensors"]),
        (tensors(&good[..3], 0.5), &["'2.bias' is missing"]),
        (
            with(&[(0, ("0.weight", &[64, 20]))]),
            &["'0.weight'", "[64, 20]", "[20, 64]"],
        ),
        (
            with(&[(0, ("fc.weight", &[20, 64]))]),
            &["'fc.weight'", "expected 0.weight"],
        ),
        (
            with(&[(0, ("0.weight", &[16, 20, 64]))]),
            &["[16, 20, 64]", "[3, 20, 64]"],
        ),
        (with(&[(1, ("0.bias", &[3, 1, 20]))]), &["'0.bias'", "[3, 20]"]),
        (with(&[(3, ("2.bias", &[1]))]), &["'2.bias'", "[2]"]),
        (tensors(good, f32::NAN), &["'0.weight'", "NaN", "finite"]),
        (tensors(good, f32::INFINITY), &["'0.weight'", "inf"]),
    ] {
        place.write("w", bytes);
        let line = place.refused("--init w --replicas 3 --epochs 1 --train-samples 100");
        assert!(line.starts_with("w: "), "{line}");
        for part in parts {
            assert!(line.contains(part), "{part:?} is not in {line:?}");
        }
    }
    let line = place.refused("--init nowhere.safetensors");
    assert!(line.contains("nowhere.safetensors"), "{line}");
    let line = place.refused("--init .");
    assert!(line.starts_with(". ") || line.starts_with(".: "), "{line}");
    assert!(!place.path("runs").exists());
}
