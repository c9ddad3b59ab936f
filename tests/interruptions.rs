//! Interrupted runs: kills at random moments, resumed until they end, leave the same bytes; what goes wrong with the folder
//! gives one line and loses nothing that was complete.

#![cfg(all(feature = "cli", unix))]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// A run of about a second and a half with momentum, so that the optimiser has a state to lose.
const RUN: [&str; 15] = [
    "inversion",
    "--quiet",
    "--replicas",
    "6",
    "--epochs",
    "150",
    "--hidden",
    "20,10",
    "--optimizer",
    "nesterov",
    "--momentum",
    "0.5",
    "--lr",
    "0.2",
    "--seed=4",
];

fn disentangle() -> Command {
    Command::new(env!("CARGO_BIN_EXE_disentangle"))
}

/// Everything that must not depend on interruptions, by name.
fn results(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let names = [
        "epochs.csv",
        "stragglers.csv",
        "summary.json",
        "config.toml",
        "weights/initial.safetensors",
        "weights/final.safetensors",
    ];
    names
        .iter()
        .map(|name| (name.to_string(), std::fs::read(folder.join(name)).unwrap()))
        .collect()
}

fn assert_same(found: &Path, expected: &[(String, Vec<u8>)], what: &str) {
    for ((name, found), (_, expected)) in results(found).iter().zip(expected) {
        assert!(found == expected, "{what}: {name} differs");
    }
}

/// Exactly one line on standard error, and no panic.
fn one_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

fn resume(folder: &Path) -> Output {
    disentangle()
        .args(["inversion", "--resume", "--quiet", "--out"])
        .arg(folder)
        .output()
        .unwrap()
}

/// Starts a run, or resumes it, and kills it after a while. Returns its exit code if it ended by itself or on the signal.
fn start_and_kill(folder: &Path, resumed: bool, signal: &str, after: Duration) -> Option<i32> {
    let mut command = disentangle();
    if resumed {
        command.args(["inversion", "--resume", "--quiet"]);
    } else {
        command.args(RUN);
    }
    let mut child = command
        .args(["--checkpoint-every", "0.1", "--threads", "2", "--out"])
        .arg(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(after);
    let _ = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .stderr(Stdio::null())
        .status();
    child.wait().unwrap().code()
}

#[test]
fn ten_kills_at_random_moments_end_in_the_same_bytes() {
    let folders = tempfile::tempdir().unwrap();
    let whole = folders.path().join("whole");
    let started = std::time::Instant::now();
    assert!(
        disentangle()
            .args(RUN)
            .arg("--out")
            .arg(&whole)
            .output()
            .unwrap()
            .status
            .success()
    );
    let length = started.elapsed();
    let expected = results(&whole);
    // A small generator of its own: the moments differ from kill to kill, the test is the same every time.
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut moment = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        length.mul_f64((state >> 11) as f64 / (1u64 << 53) as f64)
    };
    let (mut kills, mut interrupted, mut number) = (0, 0, 0);
    while kills < 10 {
        let folder = folders.path().join(format!("run-{number}"));
        number += 1;
        let mut resumed = false;
        // Each run is killed until it ends before the kill comes.
        loop {
            let signal = if kills % 2 == 0 { "-TERM" } else { "-KILL" };
            let code = start_and_kill(&folder, resumed, signal, moment());
            match code {
                Some(0) => break,
                Some(130) => interrupted += 1,
                // Killed outright; or by SIGTERM before the handler was in place, when there is nothing to save.
                None => {}
                other => panic!("{signal}: exit code {other:?}"),
            }
            kills += 1;
            resumed = folder.join("config.toml").exists();
            if !resumed {
                let _ = std::fs::remove_dir_all(&folder);
            }
            if kills >= 10 {
                let output = if resumed {
                    resume(&folder)
                } else {
                    disentangle().args(RUN).arg("--out").arg(&folder).output().unwrap()
                };
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                break;
            }
        }
        assert_same(&folder, &expected, &format!("run {number} after {kills} kills"));
        assert!(!folder.join("checkpoint.safetensors").exists());
    }
    println!("{kills} kills in {number} runs, {interrupted} of them ended by SIGTERM with a checkpoint");
    assert!(interrupted > 0, "no SIGTERM met a running training");
}

/// A folder with a run that was interrupted half-way.
fn interrupted(parent: &Path) -> std::path::PathBuf {
    let folder = parent.join("run");
    for wait in [600, 300, 150, 75, 40, 20] {
        let code = start_and_kill(&folder, false, "-TERM", Duration::from_millis(wait));
        if code == Some(130) {
            return folder;
        }
        let _ = std::fs::remove_dir_all(&folder);
    }
    panic!("no run could be interrupted while it trained");
}

#[test]
fn a_damaged_checkpoint_is_one_line_and_stays_as_it_is() {
    let parent = tempfile::tempdir().unwrap();
    let folder = interrupted(parent.path());
    let path = folder.join("checkpoint.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let half = &bytes[..bytes.len() / 2];
    std::fs::write(&path, half).unwrap();
    let output = resume(&folder);
    assert_eq!(output.status.code(), Some(2));
    assert!(one_line(&output).contains("checkpoint.safetensors"));
    assert_eq!(std::fs::read(&path).unwrap(), half);
    // With the whole file back the run goes on.
    std::fs::write(&path, &bytes).unwrap();
    assert!(resume(&folder).status.success());
    let again = resume(&folder);
    assert_eq!(again.status.code(), Some(2));
    assert!(one_line(&again).contains("complete"));
}

#[test]
fn a_full_disk_is_one_line_and_the_checkpoint_before_it_stays() {
    let parent = tempfile::tempdir().unwrap();
    let folder = interrupted(parent.path());
    let before = std::fs::read(folder.join("checkpoint.safetensors")).unwrap();
    // No file may grow beyond 8 KiB, as on a disk that is full; the signal that comes with it is ignored.
    let output = Command::new("bash")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"",
            env!("CARGO_BIN_EXE_disentangle"),
        ])
        .args([
            "inversion",
            "--resume",
            "--quiet",
            "--checkpoint-every",
            "0.05",
            "--out",
        ])
        .arg(&folder)
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    one_line(&output);
    assert!(std::fs::read(folder.join("checkpoint.safetensors")).unwrap() == before);
    assert!(resume(&folder).status.success());
}

#[test]
fn a_deleted_folder_is_one_line() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("run");
    let mut child = disentangle()
        .args([
            "inversion",
            "--quiet",
            "--epochs",
            "20000",
            "--checkpoint-every",
            "0.1",
            "--out",
        ])
        .arg(&folder)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !folder.join("config.toml").exists() {
        std::thread::sleep(Duration::from_millis(5));
        assert!(child.try_wait().unwrap().is_none(), "it ended before it began");
    }
    std::thread::sleep(Duration::from_millis(50));
    std::fs::remove_dir_all(&folder).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    one_line(&output);
}

#[test]
fn resume_takes_nothing_but_threads() {
    let parent = tempfile::tempdir().unwrap();
    let folder = interrupted(parent.path());
    let output = disentangle()
        .args(["inversion", "--resume", "--lr", "0.3", "--out"])
        .arg(&folder)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(one_line(&output).contains("--lr"));
    let empty = parent.path().join("empty");
    let output = resume(&empty);
    assert_eq!(output.status.code(), Some(2));
    assert!(one_line(&output).contains("config.toml"));
}
