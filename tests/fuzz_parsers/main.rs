//! Every parser on changed files: no panic, no more memory than the file accounts for, and one line for what is wrong.
//!
//!     FUZZ_ITERATIONS=1000000 cargo test --release --no-default-features --features data --test fuzz_parsers -- --nocapture
//!
//! gives every parser so many changed files; without the variable it is a few seconds of them. `FUZZ_SEED` starts another
//! sequence, and `FUZZ_CORPUS=1` adds to tests/corpus the shortest file found of every kind of outcome that the files
//! there do not have. What breaks a parser is left in target/fuzz.
//!
//! A file is changed by bit flips, awkward numbers in binary and text headers, truncation, extension, and parts of other
//! files. Half of the files are then packed again, so that their lengths and checksums agree with the change. A file
//! whose outcome has not been seen becomes one to start from.
#![cfg(feature = "data")]

#[path = "../counting_allocator/mod.rs"]
mod counting_allocator;
mod mutate;
mod targets;

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use counting_allocator::peak_bytes;
use mutate::{Rng, mutated};
use targets::{TARGETS, Target};

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A folder for files that live for a moment, in memory where the system has such a place.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name}={value}; expected a number")),
    )
}

/// What became of a file: `ok`, or its error without the place and what else differs between files of a kind.
fn kind(outcome: &Result<(), String>) -> String {
    let Err(line) = outcome else {
        return "ok".to_owned();
    };
    let (_place, line) = line.split_once(": ").unwrap_or(("", line));
    let (found, expected) = line.split_once("; expected ").unwrap_or((line, ""));
    // From here on come words out of the file.
    const FROM_THE_FILE: [&str; 7] = [
        "`",
        "\"",
        "elements of type",
        "array of",
        "header says",
        "starts with",
        "among",
    ];
    let words = [found, expected].map(|part| {
        let ends = FROM_THE_FILE
            .iter()
            .filter_map(|word| Some(part.find(word)? + word.len()));
        &part[..ends.min().unwrap_or(part.len())]
    });
    let words = words.join("-");
    let words = words
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| word.parse::<f64>().is_err());
    words
        .filter(|word| !word.is_empty())
        .take(25)
        .collect::<Vec<_>>()
        .join("-")
}

#[derive(Default)]
struct Tally {
    inputs: u64,
    read: u64,
    /// Most bytes held beyond the constant, per byte of the input.
    factor: f64,
    slowest: Duration,
}

struct Run {
    target: &'static Target,
    folder: tempfile::TempDir,
    tally: Tally,
}

impl Run {
    fn new(name: &str) -> Self {
        Self {
            target: TARGETS.iter().find(|target| target.name == name).unwrap(),
            folder: scratch(),
            tally: Tally::default(),
        }
    }

    /// Reads a file and checks what must hold for every one; returns the kind of outcome.
    fn check(&mut self, bytes: &[u8]) -> String {
        let target = self.target;
        let path = self.folder.path().join("f");
        // Only these two open files.
        if ["gz", "npz"].contains(&target.name) {
            fs::write(&path, bytes).unwrap();
        }
        let start = Instant::now();
        let work = || {
            catch_unwind(AssertUnwindSafe(|| {
                (target.read)(bytes, &path).map_err(|e| e.to_string())
            }))
        };
        let (result, peak) = peak_bytes(work);
        let took = start.elapsed();
        let Ok(outcome) = result else {
            self.broken(bytes, "panic");
        };
        let over = (peak - target.constant as isize).max(0) as usize;
        if over > target.factor * bytes.len() {
            self.broken(bytes, &format!("{peak} bytes held for {}", bytes.len()));
        }
        if let Err(line) = &outcome
            && (line.chars().any(char::is_control) || line.len() > 20_000)
        {
            self.broken(bytes, &format!("not one line: {line:?}"));
        }
        // Far beyond what a busy machine does to a reader that is linear in 16 KiB.
        if took > Duration::from_secs(20) {
            self.broken(bytes, &format!("{took:?}"));
        }
        self.tally.inputs += 1;
        self.tally.read += u64::from(outcome.is_ok());
        self.tally.factor = self.tally.factor.max(over as f64 / bytes.len().max(1) as f64);
        self.tally.slowest = self.tally.slowest.max(took);
        kind(&outcome)
    }

    fn broken(&self, bytes: &[u8], what: &str) -> ! {
        let folder = root("target/fuzz");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(self.target.name);
        fs::write(&path, bytes).unwrap();
        panic!("{}: {what}; the input is {}", self.target.name, path.display());
    }
}

fn fuzz(name: &str, short: u64) {
    let iterations = variable("FUZZ_ITERATIONS").unwrap_or(short);
    let mut rng = Rng(variable("FUZZ_SEED").unwrap_or(1));
    let mut run = Run::new(name);
    let target = run.target;
    let start = Instant::now();

    // Files, and contents to be packed into one.
    let contents = (target.seeds)();
    let mut files: Vec<Vec<u8>> = contents
        .iter()
        .map(|seed| (target.pack)(&mut rng, seed.clone()))
        .collect();
    if target.seeds_are_files {
        files.extend(contents.iter().cloned());
    }
    for file in (target.greedy)() {
        run.check(&file);
    }
    let corpus = root("tests/corpus").join(name);
    let mut kinds = BTreeMap::new();
    let mut known: Vec<PathBuf> = fs::read_dir(&corpus).map_or(Vec::new(), |entries| {
        entries.map(|entry| entry.unwrap().path()).collect()
    });
    known.sort();
    for path in &known {
        let bytes = fs::read(path).unwrap();
        let kind = run.check(&bytes);
        let was_read = path.file_name().unwrap().to_string_lossy().starts_with("ok");
        assert_eq!(kind == "ok", was_read, "{}: {kind}", path.display());
        kinds.insert(kind, None);
        files.push(bytes);
    }
    for file in files.clone() {
        kinds.entry(run.check(&file)).or_insert(None);
    }

    for _ in 0..iterations {
        let bytes = if rng.chance(2) {
            let (content, other) = (rng.pick(&contents).clone(), rng.pick(&contents).clone());
            let content = mutated(&mut rng, content, &other);
            (target.pack)(&mut rng, content)
        } else {
            let (file, other) = (rng.pick(&files).clone(), rng.pick(&files).clone());
            let file = mutated(&mut rng, file, &other);
            if target.seeds_are_files && rng.chance(2) {
                (target.pack)(&mut rng, file)
            } else {
                file
            }
        };
        let kind = run.check(&bytes);
        match kinds.get_mut(&kind) {
            None => {
                files.push(bytes.clone());
                kinds.insert(kind, Some(bytes));
            }
            Some(Some(shortest)) if bytes.len() < shortest.len() => *shortest = bytes,
            Some(_) => {}
        }
    }

    if variable("FUZZ_CORPUS").is_some() {
        fs::create_dir_all(&corpus).unwrap();
        for (kind, bytes) in &kinds {
            if let Some(bytes) = bytes {
                let state = if kind == "ok" { "ok" } else { "refused" };
                let short: String = kind.chars().take(60).collect();
                fs::write(corpus.join(format!("{state}-{short}")), bytes).unwrap();
            }
        }
    }
    let Tally {
        inputs,
        read,
        factor,
        slowest,
    } = run.tally;
    // Changes that are all refused at the door test nothing behind it.
    assert!(read > inputs / 100, "{name}: {read} of {inputs} files were read");
    println!(
        "| {name} | {inputs} | {read} | {} | {:.1} | {} | {} | {slowest:.1?} | {:.0?} |",
        kinds.len(),
        factor,
        target.factor,
        target.constant,
        start.elapsed()
    );
}

macro_rules! fuzz_tests {
    ($($name:ident: $short:literal),*) => {$(
        #[test]
        fn $name() {
            fuzz(stringify!($name), $short);
        }
    )*};
}

fuzz_tests!(idx: 100_000, gz: 20_000, cifar: 30_000, npy: 60_000, npz: 10_000, csv: 60_000, safetensors: 60_000);

#[test]
fn the_corpus_is_small() {
    let mut bytes = 0;
    for folder in fs::read_dir(root("tests/corpus")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            bytes += file.unwrap().metadata().unwrap().len();
        }
    }
    assert!(bytes < 200_000, "{bytes} bytes");
}
