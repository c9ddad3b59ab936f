//! Interrupted runs: kills at random moments, resumed until they end, leave the same bytes; what goes wrong with the folder
//! gives one line and loses nothing that was complete.

#![cfg(all(feature = "cli", unix))]

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
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

/// What is kept on the way must come through as well: before a kill, after it, and at the stops.
const KEEPING: [&str; 8] = [
    "--layer",
    "1",
    "--save-activations",
    "0,3,40-45,150",
    "--save-weights",
    "inversion",
    "--threads",
    "2",
];

fn disentangle() -> Command {
    Command::new(env!("CARGO_BIN_EXE_disentangle"))
}

/// Everything that must not depend on interruptions, by name.
fn results(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut names: Vec<String> = ["epochs.csv", "stragglers.csv", "summary.json", "config.toml"]
        .map(String::from)
        .to_vec();
    for part in ["activations", "weights", "exhibits", "figures"] {
        let entries = std::fs::read_dir(folder.join(part)).into_iter().flatten();
        names.extend(entries.map(|entry| format!("{part}/{}", entry.unwrap().file_name().display())));
    }
    names.sort();
    let read = |name: String| {
        let bytes = std::fs::read(folder.join(&name)).unwrap();
        (name, bytes)
    };
    names.into_iter().map(read).collect()
}

fn assert_same(found: &Path, expected: &[(String, Vec<u8>)], what: &str) {
    let found = results(found);
    let names = |results: &[(String, Vec<u8>)]| results.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&found), names(expected), "{what}");
    for ((name, found), (_, expected)) in found.iter().zip(expected) {
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
        command.args(["inversion", "--resume", "--quiet", "--threads", "2"]);
    } else {
        command.args(RUN).args(KEEPING);
    }
    let mut child = command
        .args(["--checkpoint-every", "0.1", "--out"])
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
            .args(KEEPING)
            .arg("--out")
            .arg(&whole)
            .output()
            .unwrap()
            .status
            .success()
    );
    let length = started.elapsed();
    let expected = results(&whole);
    assert!(expected.iter().any(|(name, _)| name == "activations/epoch-45.npy"));
    assert!(
        expected
            .iter()
            .any(|(name, _)| name.starts_with("weights/inversion-replica-"))
    );
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
                    disentangle()
                        .args(RUN)
                        .args(KEEPING)
                        .arg("--out")
                        .arg(&folder)
                        .output()
                        .unwrap()
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
    let args = ["inversion", "--resume", "--quiet", "--checkpoint-every", "0.05"];
    // Enough for the labels beside the activations, too little for a checkpoint.
    let output = limited(40, &args, &folder);
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

/// Runs with at most so many KiB in a file, as on a disk that is full; the signal that comes with it is ignored.
fn limited(kibibytes: usize, args: &[&str], folder: &Path) -> Output {
    let limit = format!("trap '' XFSZ; ulimit -f {kibibytes}; exec \"$0\" \"$@\"");
    Command::new("bash")
        .args(["-c", &limit, env!("CARGO_BIN_EXE_disentangle")])
        .args(args)
        .arg("--out")
        .arg(folder)
        .output()
        .unwrap()
}

#[test]
fn a_disk_that_is_full_for_activations_is_one_line_and_what_was_complete_stays() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("run");
    // Labels and rows take 31 KB, an epoch 459 KB.
    let args = [&RUN[..], &["--save-activations", "0-2"]].concat();
    let output = limited(100, &args, &folder);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        one_line(&output).contains("activations/epoch-0.npy"),
        "{}",
        one_line(&output)
    );
    let mut names: Vec<String> = std::fs::read_dir(folder.join("activations"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["labels.npy", "sample_index.npy"]);
    assert!(resume(&folder).status.success());
    assert!(folder.join("activations/epoch-2.npy").exists());
}

#[test]
fn a_folder_that_can_never_be_written_is_one_line_before_anything_runs() {
    let parent = tempfile::tempdir().unwrap();
    std::fs::write(parent.path().join("file"), "kept").unwrap();
    let mut folders = vec![parent.path().join("file/run")];
    if cfg!(target_os = "linux") {
        // Nobody makes a folder there, not even root, whom permissions do not bind.
        folders.push("/proc/disentangle-run".into());
    }
    let closed = parent.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o555)).unwrap();
    if std::fs::write(closed.join("probe"), "").is_err() {
        folders.extend([closed.clone(), closed.join("run")]);
    }
    for folder in &folders {
        let output = disentangle().args(RUN).arg("--out").arg(folder).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", folder.display());
        assert!(one_line(&output).contains(&folder.display().to_string()));
    }
}

/// Starts a run that would take long, and waits until a file of it is there.
fn long_run(folder: &Path, file: &str) -> Child {
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
        .arg(folder)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !folder.join(file).exists() {
        std::thread::sleep(Duration::from_millis(5));
        assert!(child.try_wait().unwrap().is_none(), "it ended before it began");
    }
    child
}

/// As a folder that loses its permission to be written does for those whom permissions bind: the next file cannot be made.
#[test]
fn a_folder_that_becomes_a_file_while_it_runs_is_one_line() {
    let parent = tempfile::tempdir().unwrap();
    let (folder, aside) = (parent.path().join("run"), parent.path().join("aside"));
    let child = long_run(&folder, "checkpoint.safetensors");
    std::fs::rename(&folder, &aside).unwrap();
    std::fs::write(&folder, "in the way").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(one_line(&output).contains("checkpoint.safetensors"));
    // What was complete is there; nothing else was touched.
    assert!(aside.join("checkpoint.safetensors").exists() && aside.join("config.toml").exists());
    assert_eq!(std::fs::read(&folder).unwrap(), b"in the way");
}

#[test]
fn a_deleted_folder_is_one_line() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("run");
    let child = long_run(&folder, "config.toml");
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
