//! The `disentangle` command as a user meets it: exit codes, standard output, one line on standard error, the folder.

mod bad_files;
mod bad_options;
mod configuration;
mod help;
mod hinge_theory;
mod keeping;
mod measuring;
mod modes;
mod reports;
mod runs;
mod timings;
mod verifying;
mod watching;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A run of the binary in a folder of its own.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_disentangle"));
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        checked(self.command(args).output().unwrap())
    }

    /// Runs `inversion` with words separated by blanks; it must succeed.
    fn inversion(&self, words: &str) -> Output {
        let args: Vec<&str> = std::iter::once("inversion").chain(words.split_whitespace()).collect();
        let output = self.run(&args);
        assert_eq!(output.status.code(), Some(0), "{words}: {}", stderr(&output));
        output
    }

    /// Runs `inversion` with words separated by blanks; it must be refused. Returns the line.
    fn refused(&self, words: &str) -> String {
        let args: Vec<&str> = std::iter::once("inversion").chain(words.split_whitespace()).collect();
        self.refused_args(&args)
    }

    fn refused_args(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{args:?}: {}", stdout(&output));
        let text = stderr(&output);
        let line = text
            .strip_prefix("disentangle: ")
            .unwrap_or_else(|| panic!("{args:?}: {text}"));
        let line = line.strip_suffix('\n').unwrap();
        assert!(!line.contains('\n') && !line.is_empty(), "{args:?}: {text}");
        line.into()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    fn table(&self, run: &str) -> Table {
        Table::parse(&self.read(&format!("{run}/epochs.csv")))
    }
}

/// No output of this program ever shows a panic.
fn checked(output: Output) -> Output {
    for text in [stderr(&output), stdout(&output)] {
        assert!(!text.contains("panicked") && !text.contains("backtrace"), "{text}");
    }
    output
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// `epochs.csv`, taken apart by nothing but commas.
#[derive(Clone, Debug, PartialEq)]
struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn parse(text: &str) -> Table {
        let mut lines = text
            .lines()
            .map(|line| line.split(',').map(String::from).collect::<Vec<_>>());
        let columns = lines.next().unwrap();
        let rows: Vec<_> = lines.collect();
        assert!(rows.iter().all(|row| row.len() == columns.len()));
        Table { columns, rows }
    }

    fn column(&self, name: &str) -> Vec<&str> {
        let at = self.columns.iter().position(|c| c == name);
        let at = at.unwrap_or_else(|| panic!("no column {name} in {:?}", self.columns));
        self.rows.iter().map(|row| row[at].as_str()).collect()
    }

    fn numbers(&self, name: &str) -> Vec<f64> {
        self.column(name).iter().map(|text| text.parse().unwrap()).collect()
    }

    /// Every field but an unmeasured test error is a finite number.
    fn assert_finite(&self, what: &str) {
        for (name, row) in self.rows.iter().flat_map(|row| self.columns.iter().zip(row)) {
            let finite = row.parse::<f64>().is_ok_and(f64::is_finite);
            assert!(
                finite || (name == "test_error" && row.is_empty()),
                "{what}: {name} = {row}"
            );
        }
    }
}

/// Four raw IDX files: `train` and `test` images of 2 x 2 with these labels, pixels a function of row and place.
fn write_idx_folder(folder: &Path, train: &[u8], test: &[u8]) {
    fs::create_dir_all(folder).unwrap();
    for (split, labels) in [("train", train), ("t10k", test)] {
        let count = u32::try_from(labels.len()).unwrap().to_be_bytes();
        let pixels = (0..labels.len() * 4).map(|i| (i * 37 % 251) as u8);
        let images: Vec<u8> = [0, 0, 8, 3]
            .into_iter()
            .chain(count)
            .chain([0, 0, 0, 2, 0, 0, 0, 2])
            .chain(pixels)
            .collect();
        let labels: Vec<u8> = [0, 0, 8, 1]
            .into_iter()
            .chain(count)
            .chain(labels.iter().copied())
            .collect();
        fs::write(folder.join(format!("{split}-images-idx3-ubyte")), images).unwrap();
        fs::write(folder.join(format!("{split}-labels-idx1-ubyte")), labels).unwrap();
    }
}
