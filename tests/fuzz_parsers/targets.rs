//! The parsers: files to start from, how a changed file is made consistent again, how it is read, and how much memory
//! that may take.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use disentangle::data::npy::NpyElement;
use disentangle::data::{Array, DataError, Dataset, Npy, Npz, Table, TensorFile, TensorRef, cifar, idx};
use disentangle::data::{write_npy, write_tensors};
use flate2::Compression;
use flate2::write::GzEncoder;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::mutate::Rng;

/// What deflate makes of a byte at most.
const DEFLATE: usize = 1032;

/// A parser under test.
pub struct Target {
    pub name: &'static str,
    /// Reading holds at most `factor * (bytes of the input) + constant` bytes.
    pub factor: usize,
    pub constant: usize,
    /// Good files; with `pack`, what goes into them.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Files that take much memory for their size, read once.
    pub greedy: fn() -> Vec<Vec<u8>>,
    /// Makes a file of a changed seed: lengths and checksums agree with what was changed.
    pub pack: fn(&mut Rng, Vec<u8>) -> Vec<u8>,
    /// Are the seeds whole files, to be changed without being packed too?
    pub seeds_are_files: bool,
    /// Reads the file, whose path is for those that read nothing else, and checks what came out.
    pub read: fn(&[u8], &Path) -> Result<(), DataError>,
}

pub const TARGETS: [Target; 7] = [
    Target {
        name: "idx",
        // A vector that grows holds its old and its doubled self.
        factor: 3,
        constant: 4 << 10,
        seeds: idx_files,
        greedy: || vec![[&idx::images_header(1, 1000, 1049).unwrap()[..], &[1; 1_049_000]].concat()],
        pack: |_, bytes| bytes,
        seeds_are_files: true,
        read: |bytes, path| {
            if let Ok(labels) = idx::read_labels(bytes, path) {
                assert_eq!(labels, &bytes[8..]);
            }
            idx::read_images(bytes, path).map(|images| {
                assert_eq!(images.count * images.height * images.width, images.pixels.len());
            })
        },
    },
    Target {
        name: "gz",
        factor: 3 * DEFLATE,
        // File buffer, the state of the unpacking, and 64 KiB for an extra field that a member's header may announce.
        constant: 160 << 10,
        seeds: idx_files,
        greedy: || {
            vec![gzip(
                &[&idx::images_header(1, 2000, 2098).unwrap()[..], &[0; 4_196_000]].concat(),
                9,
            )]
        },
        pack: |rng, bytes| {
            let parts = if rng.chance(4) { bytes.len() / 2 } else { 0 };
            let (head, tail) = bytes.split_at(parts);
            let members = [head, tail].map(|part| gzip(part, *rng.pick(&[0, 1, 6])));
            if parts == 0 {
                members[1].clone()
            } else {
                members.concat()
            }
        },
        seeds_are_files: false,
        read: |_, path| {
            idx::open_images(path).map(|images| {
                assert_eq!(images.count * images.height * images.width, images.pixels.len());
            })
        },
    },
    Target {
        name: "cifar",
        factor: 3,
        // A record.
        constant: 8 << 10,
        seeds: || {
            let record = |label: u8| [vec![label], (0..3072).map(|i| (i % 251) as u8).collect()].concat();
            vec![record(0), [record(9), record(3)].concat()]
        },
        greedy: || vec![vec![1; 342 * cifar::RECORD]],
        pack: |rng, mut bytes| {
            // Whole records, to which few changes lead.
            bytes.resize(bytes.len().next_multiple_of(cifar::RECORD), rng.next() as u8);
            bytes
        },
        seeds_are_files: true,
        read: |bytes, path| {
            cifar::read(bytes, path).map(|images| {
                assert_eq!(images.count * cifar::RECORD, bytes.len());
                assert_eq!(
                    (images.count * 3072, images.count),
                    (images.pixels.len(), images.labels.len())
                );
                assert!(images.labels.iter().all(|&label| label < 10));
            })
        },
    },
    Target {
        name: "npy",
        // Elements of one byte beside their values in f64.
        factor: 9,
        constant: 4 << 10,
        seeds: npy_files,
        greedy: || vec![npy(&[1_000_000], &[1u8; 1_000_000])],
        pack: |_, bytes| with_npy_length(bytes),
        seeds_are_files: true,
        read: |bytes, path| Npy::read(bytes, path).map(check_npy),
    },
    Target {
        name: "npz",
        // A deflated array of one-byte elements beside its values in f64.
        factor: 9 * DEFLATE,
        constant: 96 << 10,
        seeds: npy_files,
        greedy: || {
            let zeros = npy(&[4_000_000], &[0u8; 4_000_000]);
            let empty: Vec<(String, Vec<u8>)> = (0..2000).map(|i| (i.to_string(), Vec::new())).collect();
            let empty: Vec<(&str, Vec<u8>)> = empty
                .iter()
                .map(|(name, bytes)| (name.as_str(), bytes.clone()))
                .collect();
            vec![
                zip(&[("zeros.npy", zeros)], CompressionMethod::Deflated),
                zip(&empty, CompressionMethod::Stored),
            ]
        },
        pack: |rng, bytes| {
            let method = *rng.pick(&[CompressionMethod::Stored, CompressionMethod::Deflated]);
            let bytes = if rng.chance(2) { with_npy_length(bytes) } else { bytes };
            let mut members = vec![
                ("x_train.npy", npy(&[2, 2, 3], &[1u8; 12])),
                ("y_train.npy", npy(&[2], &[1u8, 0])),
                ("x_test.npy", npy(&[1, 2, 3], &[1u8; 6])),
                ("y_test.npy", npy(&[1], &[1i64])),
            ];
            match members.get_mut(rng.below(8)) {
                Some(member) => member.1 = bytes,
                None => members.push(("more.npy", bytes)),
            }
            zip(&members, method)
        },
        seeds_are_files: false,
        read: |bytes, path| {
            let mut npz = Npz::read(Cursor::new(bytes), path)?;
            for name in npz.names() {
                if let Ok(array) = npz.array(&name) {
                    check_npy(array);
                }
            }
            drop(npz);
            Dataset::open(path).map(|data| {
                for images in [data.train, data.test] {
                    assert_eq!(images.count * images.pixels_per_image(), images.pixels.len());
                    assert_eq!(images.count, images.labels.len());
                }
            })
        },
    },
    Target {
        name: "csv",
        factor: 64,
        constant: 32 << 10,
        seeds: || {
            let files = [
                "a,b,label\n1,2,x\n-0.5,1e300,y\n",
                "label,\"a, b\"\r\n7,nan\r\n10,inf\r\n",
                "\u{feff}a,label\n\"1\",\"two\nlines\"\n\n 3 , 4 \n",
                "label,a,b,c,d,e,f,g,h,i,j,k\n0,1,2,3,4,5,6,7,8,9,10,11\n",
            ];
            files.map(|file| file.as_bytes().to_vec()).to_vec()
        },
        greedy: || {
            let columns: String = (0..20_000).map(|i| format!(",{i}")).collect();
            vec![
                format!("label{}\n", ",".repeat(100_000)).into_bytes(),
                format!("label{columns}\n").into_bytes(),
                format!("label,a\n{}", "1,1\n".repeat(100_000)).into_bytes(),
                (0..100_000)
                    .fold("label,a\n".to_owned(), |file, i| file + &format!("{i},1\n"))
                    .into_bytes(),
            ]
        },
        pack: |_, bytes| bytes,
        seeds_are_files: true,
        read: |bytes, path| {
            Table::read(bytes, "label", path).map(|table| {
                let (rows, columns) = (table.labels.len(), table.columns.len());
                assert_eq!(
                    (&table.features.shape, table.features.values.len()),
                    (&vec![rows, columns], rows * columns)
                );
                assert!(table.labels.iter().all(|&label| (label as usize) < table.classes.len()));
            })
        },
    },
    Target {
        name: "safetensors",
        factor: 64,
        constant: 16 << 10,
        seeds: || {
            let tensor = |name, shape, values| TensorRef { name, shape, values };
            let weight: Vec<f32> = (0..12).map(|i| i as f32).collect();
            vec![
                safetensors(&[tensor("0.weight", &[4, 3], &weight), tensor("0.bias", &[4], &[0.5; 4])]),
                safetensors(&[tensor("a", &[], &[1.0]), tensor("b", &[0, 2], &[])]),
                safetensors(&[]),
            ]
        },
        greedy: || {
            let names: Vec<String> = (0..2000).map(|i| i.to_string()).collect();
            let empty: Vec<TensorRef> = names
                .iter()
                .map(|name| TensorRef {
                    name,
                    shape: &[0],
                    values: &[],
                })
                .collect();
            let long = TensorRef {
                name: "a",
                shape: &[1; 100_000],
                values: &[1.0],
            };
            vec![safetensors(&empty), safetensors(&[long])]
        },
        pack: |_, bytes| consistent_tensors(bytes),
        seeds_are_files: true,
        read: |bytes, path| {
            let file = TensorFile::parse(bytes.to_vec(), path)?;
            for name in file.names() {
                let tensor = file.tensor(&name)?;
                assert_eq!(tensor.shape.iter().product::<usize>(), tensor.values.len());
            }
            Ok(())
        },
    },
];

fn check_npy(npy: Npy) {
    let len = npy.shape().iter().product::<usize>();
    let Array { shape, values } = npy.to_array();
    assert_eq!((shape.as_slice(), values.len()), (npy.shape(), len));
    drop(values);
    if let Ok(integers) = npy.to_integers() {
        assert_eq!(integers.len(), len);
    }
    if let Ok(bytes) = npy.into_bytes() {
        assert_eq!(bytes.len(), len);
    }
}

fn idx_files() -> Vec<Vec<u8>> {
    let images = |count: usize, height: usize, width: usize| {
        let pixels = (0..count * height * width).map(|i| (i * 7 % 251) as u8);
        let header = idx::images_header(count, height, width).unwrap();
        header.into_iter().chain(pixels).collect::<Vec<u8>>()
    };
    let labels = [&idx::labels_header(5).unwrap()[..], &[1, 2, 3, 4, 5]].concat();
    vec![images(1, 1, 1), images(3, 4, 5), images(40, 5, 5), labels]
}

fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What `write` puts into a file.
fn file(write: impl FnOnce(&Path) -> Result<(), DataError>) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    write(&path).unwrap();
    fs::read(path).unwrap()
}

fn npy<T: NpyElement>(shape: &[usize], values: &[T]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{}', 'fortran_order': False, 'shape': (", T::DESCR);
    shape.iter().for_each(|size| header += &format!("{size},"));
    header += ")}\n";
    let mut bytes = [
        b"\x93NUMPY\x01\0",
        &(header.len() as u16).to_le_bytes()[..],
        header.as_bytes(),
    ]
    .concat();
    values.iter().for_each(|value| value.write_to(&mut bytes).unwrap());
    bytes
}

fn npy_files() -> Vec<Vec<u8>> {
    let dressed = |version: u8, descr: &str, order: &str, shape: &str, values: usize| {
        let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}   \n");
        let length = (header.len() as u32).to_le_bytes();
        let length = &length[..if version == 1 { 2 } else { 4 }];
        let values: Vec<u8> = (0..values).map(|i| (i * 5) as u8).collect();
        [b"\x93NUMPY", &[version, 0][..], length, header.as_bytes(), &values].concat()
    };
    vec![
        file(|path| write_npy(path, &[3, 4], &[1.5f32; 12])),
        npy(&[2, 2, 3], &[7u8; 12]),
        npy(&[600], &[0u8; 600]),
        dressed(1, ">i8", "False", "(5,)", 40),
        dressed(2, "<f2", "True", "(2, 3, 4)", 48),
        dressed(3, "|b1", "True", "(4, 0)", 0),
        dressed(1, "<u4", "False", "()", 4),
        dressed(1, "|u1", "True", "(2, 2, 2, 3)", 24),
        dressed(1, "<f8", "True", "(3, 3)", 72),
    ]
}

/// The header's length as it is, up to the first end of a line.
fn with_npy_length(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes
        .iter()
        .skip(10)
        .position(|&byte| byte == b'\n')
        .map_or(bytes.len(), |at| at + 11);
    let (prefix, digits) = if bytes.get(6) == Some(&1) { (10, 2) } else { (12, 4) };
    let length = (end.saturating_sub(prefix) as u32).to_le_bytes();
    bytes
        .iter_mut()
        .skip(8)
        .zip(&length[..digits])
        .for_each(|(byte, &new)| *byte = new);
    bytes
}

fn zip(members: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in members {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn safetensors(tensors: &[TensorRef]) -> Vec<u8> {
    file(|path| write_tensors(path, tensors))
}

/// The header's length as it is, up to its last brace and the padding after it, and as many bytes of values as it says.
fn consistent_tensors(mut bytes: Vec<u8>) -> Vec<u8> {
    let brace = bytes.iter().rposition(|&byte| byte == b'}').unwrap_or(bytes.len());
    let padding = bytes.iter().skip(brace + 1).take_while(|&&byte| byte == b' ').count();
    let end = (brace + 1 + padding).min(bytes.len());
    let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let ends = text.split("\"data_offsets\":[").skip(1).filter_map(|rest| {
        let (_, end) = rest.split_once(']')?.0.split_once(',')?;
        end.parse::<usize>().ok()
    });
    bytes.resize(end + ends.max().unwrap_or(0).min(4096), 7);
    let length = (end.saturating_sub(8) as u64).to_le_bytes();
    bytes.iter_mut().zip(length).for_each(|(byte, new)| *byte = new);
    bytes
}
