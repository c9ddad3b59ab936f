//! What NumPy and the Python package safetensors write is read to the bit, they read what is written here, and colour
//! images are standardised as NumPy does it.
#![cfg(feature = "data")]

use std::fs;
use std::path::Path;
use std::process::Command;

use disentangle::data::npy::NpyElement;
use disentangle::data::{
    Channels, Dataset, DeadPixels, Npy, Npz, Standardize, Standardizer, Table, TensorFile, TensorRef, write_npy,
    write_tensors,
};

fn python(mode: &str, folder: &Path) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let interpreter = root.join(".venv/bin/python");
    assert!(
        interpreter.is_file(),
        "no .venv with NumPy and safetensors; expected it to be made by tests/python_env.sh"
    );
    let output = Command::new(interpreter)
        .arg(root.join("tests/golden/formats.py"))
        .arg(mode)
        .arg(folder)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "formats.py {mode}: {words}");
    String::from_utf8(output.stdout).unwrap()
}

fn f64s(path: &Path) -> Vec<f64> {
    let bytes = fs::read(path).unwrap();
    bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect()
}

/// To the bit, but one NaN is as good as another.
fn same(found: &[f64], expected: &[f64]) -> bool {
    let same = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
    found.len() == expected.len() && found.iter().zip(expected).all(same)
}

#[test]
fn what_python_writes_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    python("write", folder);

    let index = fs::read_to_string(folder.join("index.txt")).unwrap();
    // 12 types, 2 byte orders, 2 index orders, 3 versions, 6 shapes; and all halves.
    assert_eq!(index.lines().count(), 12 * 2 * 2 * 3 * 6 + 1);
    for line in index.lines() {
        let mut words = line.split(' ');
        let name = words.next().unwrap();
        let shape: Vec<usize> = words.map(|size| size.parse().unwrap()).collect();
        let npy = Npy::open(&folder.join(format!("{name}.npy"))).unwrap();
        let array = npy.to_array();
        assert_eq!((npy.shape(), &array.shape), (shape.as_slice(), &shape), "{line}");
        assert!(
            same(&array.values, &f64s(&folder.join(format!("{name}.f64")))),
            "{line}, {}: {:?}",
            npy.element(),
            array.values
        );
        if let Ok(bytes) = fs::read(folder.join(format!("{name}.i64"))) {
            let integers: Vec<i64> = bytes.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b)).collect();
            assert_eq!(npy.to_integers().unwrap(), integers, "{line}");
        }
    }

    let features = f64s(&folder.join("features.f64"));
    for name in ["stored", "deflated"] {
        let path = folder.join(format!("{name}.npz"));
        let mut npz = Npz::open(&path).unwrap();
        assert_eq!(npz.names(), ["x_train", "y_train", "x_test", "y_test", "features"]);
        assert!(same(&npz.array("features").unwrap().to_array().values, &features));
        let data = Dataset::open(&path).unwrap();
        assert_eq!((data.name.as_str(), data.pixel_max), (name, 255));
        for (images, split) in [(&data.train, "train"), (&data.test, "test")] {
            assert_eq!((images.channels, images.height, images.width), (3, 4, 3));
            assert_eq!(images.pixels, fs::read(folder.join(format!("x_{split}.raw"))).unwrap());
            assert_eq!(images.labels, fs::read(folder.join(format!("y_{split}.raw"))).unwrap());
        }
    }

    let weights = TensorFile::open(&folder.join("weights.safetensors")).unwrap();
    let weight = weights.tensor("0.weight").unwrap();
    assert_eq!(weight.shape, [3, 2]);
    assert!(same(&weight.values, &f64s(&folder.join("weight.f64"))));
    assert!(same(&weights.tensor("0.bias").unwrap().values, &features));

    let table = Table::open(&folder.join("table.csv"), "label").unwrap();
    assert_eq!(
        (table.features.shape, table.columns.concat().as_str()),
        (vec![6, 5], "abcde")
    );
    assert!(same(&table.features.values, &features));
    assert_eq!(
        (table.classes, table.labels),
        (["0", "1", "2"].map(String::from).to_vec(), vec![0, 1, 2, 0, 1, 2])
    );
}

/// The greatest difference between the training images under `grey-sum` and `expected`, and the least deviation.
fn grey_sum(folder: &Path, images: usize, expected: &Path) -> (f64, f64) {
    let data = Dataset::open(folder).unwrap();
    assert_eq!((data.train.channels, data.train.height, data.train.width), (3, 32, 32));
    let rows: Vec<usize> = (0..images).collect();
    let fitted = Standardizer::fit(
        Standardize::Pixel,
        Channels::GreySum,
        &data.train,
        &rows,
        data.pixel_max,
    )
    .unwrap();
    let found = fitted.apply(&data.train, &rows, DeadPixels::Formula).unwrap();
    let expected = f64s(expected);
    assert_eq!((found.len(), expected.len()), (images * 1024, images * 1024));
    let worst = found
        .iter()
        .zip(&expected)
        .fold(0.0f64, |worst, (a, b)| worst.max((a - b).abs()));
    (worst, fitted.deviation.iter().copied().fold(f64::INFINITY, f64::min))
}

#[test]
fn cifar_is_summed_to_grey_as_numpy_does_it() {
    let folder = tempfile::tempdir().unwrap();
    python("write", folder.path());
    let (worst, least) = grey_sum(&folder.path().join("cifar"), 20, &folder.path().join("grey.f64"));
    // NumPy's mean of n = 60 values in [0, 1] is off by at most n u, its deviation by about as much of itself; so a value
    // (x - m) / s with |x - m| <= 1 is off by 2 n u / s and its own few roundings, and the sum of three by that thrice.
    assert!(
        least > 0.1 && worst <= 3.0 * (2.0 * 60.0 + 8.0) * f64::EPSILON / least,
        "{worst}, {least}"
    );
}

#[test]
fn python_reads_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut written = Vec::new();

    fn put<T: NpyElement>(folder: &Path, written: &mut Vec<String>, name: &str, shape: &[usize], values: &[T]) {
        write_npy(&folder.join(format!("{name}.npy")), shape, values).unwrap();
        let mut raw = Vec::new();
        values.iter().for_each(|value| value.write_to(&mut raw).unwrap());
        fs::write(folder.join(format!("{name}.raw")), raw).unwrap();
        let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
        written.push(format!("{name} {} {}", T::DESCR, sizes.join(" ")));
    }

    let bits = (0..24u32).map(|i| i.wrapping_mul(0x9e37_79b9).rotate_left(i));
    let singles: Vec<f32> = bits.clone().map(f32::from_bits).collect();
    let doubles: Vec<f64> = bits
        .clone()
        .map(|b| f64::from_bits(u64::from(b) << 32 | u64::from(!b)))
        .collect();
    let words: Vec<u32> = bits.clone().collect();
    let longs: Vec<i64> = bits.map(|b| i64::from(b as i32) << 31).collect();
    let bytes: Vec<u8> = (0..24).map(|i| i * 11).collect();
    let shapes = [&[][..], &[1], &[24], &[2, 3, 4], &[6, 4], &[5, 0]];
    for (i, shape) in shapes.into_iter().enumerate() {
        let n = shape.iter().product::<usize>();
        put(folder, &mut written, &format!("f32_{i}"), shape, &singles[..n]);
        put(folder, &mut written, &format!("f64_{i}"), shape, &doubles[..n]);
        put(folder, &mut written, &format!("u32_{i}"), shape, &words[..n]);
        put(folder, &mut written, &format!("i64_{i}"), shape, &longs[..n]);
        put(folder, &mut written, &format!("u8_{i}"), shape, &bytes[..n]);
    }
    fs::write(folder.join("written.txt"), written.join("\n")).unwrap();

    let names: Vec<String> = (0..shapes.len()).map(|i| format!("f32_{i}")).collect();
    let tensors: Vec<TensorRef> = names
        .iter()
        .zip(shapes)
        .map(|(name, shape)| TensorRef {
            name,
            shape,
            values: &singles[..shape.iter().product()],
        })
        .collect();
    write_tensors(&folder.join("written.safetensors"), &tensors).unwrap();
    assert_eq!(python("check", folder), "30 arrays are right\n");
}
