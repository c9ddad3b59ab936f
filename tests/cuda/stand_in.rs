//! Runs a test of this binary again, as a process that finds the stand-in where it looks for the driver.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Set in the process that finds the stand-in.
const INSIDE: &str = "DISENTANGLE_INSIDE_STAND_IN";

/// The folder of the stand-in's library, built if its sources have changed: that which `DISENTANGLE_STAND_IN` names, or `fast`.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let kind = std::env::var("DISENTANGLE_STAND_IN").unwrap_or_else(|_| "fast".into());
        let built = Command::new(root.join("tests/stand_in.sh"))
            .arg(&kind)
            .status()
            .unwrap();
        assert!(built.success(), "tests/stand_in.sh {kind}: {built}");
        root.join("target/stand_in").join(kind)
    })
}

/// Has a program find the stand-in, and the address sanitizer's library where the stand-in was built with it; nothing for a card.
pub fn on_it(command: &mut Command) -> &mut Command {
    if real() {
        return command;
    }
    command.env("LD_LIBRARY_PATH", folder());
    if folder().ends_with("address") {
        let found = Command::new("g++").arg("-print-file-name=libasan.so").output().unwrap();
        command
            .env("LD_PRELOAD", String::from_utf8(found.stdout).unwrap().trim())
            // The program and the driver end while the backend still holds memory.
            .env("ASAN_OPTIONS", "detect_leaks=0");
    }
    command
}

/// Whether `DISENTANGLE_CUDA=real` asks for a card.
pub fn real() -> bool {
    std::env::var("DISENTANGLE_CUDA").is_ok_and(|word| word == "real")
}

/// Runs `test`, which is the test `name` of this binary: on a card, or again in a process of its own on the stand-in.
pub fn with(name: &str, test: fn()) {
    with_environment(name, &[], test);
}

/// As [`with`], with variables for the stand-in; without one the test is not run on a card.
pub fn with_environment(name: &str, variables: &[(&str, &str)], test: fn()) {
    if std::env::var_os(INSIDE).is_some() || real() {
        return test();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture"]);
    on_it(&mut command).env(INSIDE, "1").envs(variables.iter().copied());
    let output = command.output().unwrap();
    let (out, error) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    print!("{out}");
    assert!(
        output.status.success() && out.contains("1 passed"),
        "{name} on the stand-in:\n{out}{error}"
    );
    // What the stand-in has to say is a fault, whatever the test says.
    assert!(!error.contains("stand-in:"), "{name}:\n{error}");
}
