//! The rules of the house that a compiler does not check: rooms import only from rooms below, files are one idea each.

use std::path::{Path, PathBuf};

/// From the roof to the ground.
const ROOMS: [&str; 11] = [
    "cli", "report", "verify", "bench", "study", "train", "geometry", "nn", "autograd", "backend", "data",
];

fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    assert!(files.len() > 50, "{} files: the walk lost its way", files.len());
    files
}

/// The room of a source file, by its first folder under src.
fn room(path: &Path) -> Option<usize> {
    let inside = path
        .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .unwrap();
    let first = inside.components().next()?.as_os_str().to_str()?.to_string();
    ROOMS.iter().position(|room| *room == first)
}

/// The code of a file without comments and without its tests, which may look anywhere.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn no_room_imports_from_a_room_above_it() {
    let mut climbs = Vec::new();
    for path in sources() {
        let Some(own) = room(&path) else { continue };
        let code = code(&path);
        for above in &ROOMS[..own] {
            if code.contains(&format!("crate::{above}::")) || code.contains(&format!("disentangle::{above}::")) {
                climbs.push(format!("{} imports from {above}", path.display()));
            }
        }
    }
    assert!(climbs.is_empty(), "{}", climbs.join("\n"));
}

#[test]
fn the_reference_shares_nothing_with_the_cpu() {
    for path in sources() {
        if path.to_string_lossy().contains("/backend/reference/") {
            assert!(!code(&path).contains("cpu"), "{}", path.display());
        }
    }
}

#[test]
fn no_file_is_two_ideas() {
    for path in sources() {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 600, "{} has {lines} lines", path.display());
    }
}
