//! The committed PTX is that of the committed sources: `kernels/MANIFEST` has the hashes of both. No toolkit is needed; what the
//! compiler makes of the sources is compared by `tests/cuda_ptx.sh`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels")
}

fn sha256<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    parts.into_iter().for_each(|part| hasher.update(part));
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Files of an extension, in the order of their names.
fn files(extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries
        .filter(|path| path.extension().is_some_and(|own| own == extension))
        .collect();
    files.sort();
    files
}

#[test]
fn ptx_and_sources_have_the_hashes_of_the_manifest() {
    let manifest = fs::read_to_string(folder().join("MANIFEST")).unwrap();
    let headers: Vec<Vec<u8>> = files("cuh").iter().map(|path| fs::read(path).unwrap()).collect();
    let mut lines: Vec<String> = manifest.lines().take(2).map(String::from).collect();
    assert_eq!(lines[0], "compiler nvrtc 12.0");
    assert_eq!(lines[1], "flags --gpu-architecture=compute_80 --std=c++17 --fmad=false");
    for path in files("cu") {
        let source = fs::read(&path).unwrap();
        let ptx = fs::read(path.with_extension("ptx")).unwrap();
        let made_from = std::iter::once(source.as_slice()).chain(headers.iter().map(Vec::as_slice));
        let name = path.file_stem().unwrap().to_str().unwrap();
        lines.push(format!(
            "{name} ptx {} source {}",
            sha256([ptx.as_slice()]),
            sha256(made_from)
        ));
    }
    assert!(lines.len() > 6, "{lines:?}");
    assert_eq!(
        manifest.lines().collect::<Vec<_>>(),
        lines,
        "run tests/cuda_ptx.sh --write"
    );
    assert_eq!(files("cu").len(), files("ptx").len(), "PTX without a source");
}

/// Kernels by file, from the lines `KERNEL(256) name(` of the sources and `.entry name(` of the PTX.
fn names(extension: &str, before: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in files(extension) {
        for line in fs::read_to_string(path).unwrap().lines() {
            if let Some(rest) = line.strip_prefix(before) {
                let name = rest.split_once('(').map_or("", |(name, _)| name);
                assert!(names.insert(name.to_string()), "two kernels of the name '{name}'");
            }
        }
    }
    names
}

#[test]
fn every_kernel_is_in_the_ptx_in_the_backend_and_in_the_budget() {
    let sources = names("cu", "KERNEL(256) ");
    assert!(sources.len() > 30, "{sources:?}");
    assert_eq!(sources, names("ptx", ".visible .entry "));
    let backend = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/backend/cuda/kernels.rs");
    let backend = fs::read_to_string(backend).unwrap();
    let listed = backend
        .split("sources! {")
        .nth(1)
        .and_then(|rest| rest.split('}').next());
    let words = listed.unwrap().split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let listed: BTreeSet<String> = words.map(String::from).collect();
    let budget = fs::read_to_string(folder().join("BUDGET")).unwrap();
    for kernel in sources {
        assert!(
            listed.contains(&kernel),
            "{kernel} is not in src/backend/cuda/kernels.rs"
        );
        for architecture in ["sm_80", "sm_90", "sm_120"] {
            let start = format!("{kernel} {architecture} ");
            assert!(
                budget.lines().any(|line| line.starts_with(&start)),
                "{start}has no budget"
            );
        }
    }
}
