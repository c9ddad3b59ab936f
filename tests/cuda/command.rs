//! The command with `--device cuda`: the embedded digits beside the CPU.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::stand_in;

fn disentangle(device: &str, words: &str, out: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_disentangle"));
    command
        .args(words.split_whitespace())
        .args(["--quiet", "--device", device, "--out"])
        .arg(out);
    if device == "cuda" {
        stand_in::on_it(&mut command);
    }
    command
}

/// Runs it to its end; what the stand-in has to say is a fault.
fn run(mut command: Command) {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !error.contains("stand-in:"), "{error}");
}

/// Rows of `epochs.csv` and the names of its columns.
fn epochs(folder: &Path) -> (Vec<String>, Vec<Vec<f64>>) {
    let text = std::fs::read_to_string(folder.join("epochs.csv")).unwrap();
    let mut lines = text.lines();
    let names = lines.next().unwrap().split(',').map(String::from).collect();
    let row = |line: &str| line.split(',').map(|value| value.parse().unwrap()).collect();
    (names, lines.map(row).collect())
}

/// What a run's loss and radii are held to.
const TOLERANCE: f64 = 5e-6;

/// 50 epochs from the same weights: the loss, every gyration radius and every distance of centroids within 5e-6 of the CPU's.
#[test]
fn digits_are_those_of_the_cpu() {
    let folders = tempfile::tempdir().unwrap();
    let words = "inversion --epochs 50 --replicas 2 --seed 1 --threads 2";
    let (cpu, cuda) = (folders.path().join("cpu"), folders.path().join("cuda"));
    run(disentangle("cpu", words, &cpu));
    let started = Instant::now();
    run(disentangle("cuda", words, &cuda));
    let seconds = started.elapsed().as_secs_f64();
    let ((names, expected), (also, found)) = (epochs(&cpu), epochs(&cuda));
    assert_eq!(names, also);
    assert_eq!((found.len(), expected.len()), (2 * 51, 2 * 51));
    let (mut loss, mut radii, mut distances) = (0.0f64, 0.0f64, 0.0f64);
    let mut compared = 0;
    for (found, expected) in found.iter().zip(&expected) {
        for ((name, found), expected) in names.iter().zip(found).zip(expected) {
            let apart = (found - expected).abs();
            let worst = match name.as_str() {
                "train_loss" => &mut loss,
                name if name.starts_with("gyration_radius_") => &mut radii,
                name if name.starts_with("centroid_distance_") => &mut distances,
                _ => continue,
            };
            *worst = worst.max(apart);
            compared += 1;
        }
    }
    println!(
        "loss within {loss:e}, radii within {radii:e}, distances within {distances:e}, {seconds:.1} s on the device"
    );
    // The loss, two radii and a distance of each row.
    assert_eq!(compared, 4 * 2 * 51);
    assert!(loss <= TOLERANCE && radii <= TOLERANCE && distances <= TOLERANCE);
}

/// What a run asks of the driver, by call: work that is sent, copies to the device and from it.
fn calls(epochs: usize, more: &str) -> BTreeMap<String, u64> {
    let folder = tempfile::tempdir().unwrap();
    let counts = folder.path().join("calls");
    let words = format!("inversion --epochs {epochs} --replicas 2 --test-every 0 --threads 1 {more}");
    let mut command = disentangle("cuda", &words, &folder.path().join("run"));
    command.env("DISENTANGLE_STAND_IN_CALLS", &counts);
    run(command);
    let text = std::fs::read_to_string(counts).unwrap();
    let count = |line: &str| {
        line.split_once(' ')
            .map(|(call, times)| (call.to_string(), times.parse().unwrap()))
    };
    text.lines().filter_map(count).collect()
}

/// An epoch of one batch is one graph, whatever its kernels are, and nothing goes to the device for it; afterwards the film has a frame
/// of each epoch, for which the parameters of its layers go there and one graph is launched.
#[test]
fn a_step_is_one_graph() {
    if stand_in::real() {
        return;
    }
    for (layers, more) in [(2.0, "--hidden 20"), (4.0, "--hidden 30,20,10 --optimizer adam")] {
        let (short, long) = (calls(2, more), calls(5, more));
        let of_an_epoch = |call: &str| {
            let count = |calls: &BTreeMap<String, u64>| calls.get(call).copied().unwrap_or(0);
            (count(&long) - count(&short)) as f64 / 3.0
        };
        let (step, frame) = (1.0, 1.0);
        assert_eq!(
            of_an_epoch("cuGraphLaunch"),
            step + frame,
            "{more}: {short:?}, {long:?}"
        );
        assert_eq!(of_an_epoch("cuLaunchKernel"), 0.0, "{more}: {short:?}, {long:?}");
        let weights_and_biases = 2.0 * layers;
        assert_eq!(
            of_an_epoch("cuMemcpyHtoD"),
            weights_and_biases,
            "{more}: {short:?}, {long:?}"
        );
    }
}

/// `CUDA_LAUNCH_BLOCKING=1` launches no graph, so that an error names its kernel; nothing else differs.
#[test]
fn kernel_by_kernel_has_the_same_bytes() {
    let folders = tempfile::tempdir().unwrap();
    let words = "inversion --epochs 5 --replicas 2 --seed 1 --threads 1 --optimizer adam --batch 256";
    let rows = |name: &str, blocking: &str| {
        let (folder, counts) = (folders.path().join(name), folders.path().join("calls"));
        let mut command = disentangle("cuda", words, &folder);
        command.env("CUDA_LAUNCH_BLOCKING", blocking);
        command.env("DISENTANGLE_STAND_IN_CALLS", &counts);
        run(command);
        if !stand_in::real() {
            let other = ["cuLaunchKernel", "cuGraphLaunch"][usize::from(blocking == "1")];
            assert!(!std::fs::read_to_string(counts).unwrap().contains(other), "{other}");
        }
        std::fs::read(folder.join("epochs.csv")).unwrap()
    };
    assert_eq!(rows("graphs", "0"), rows("kernels", "1"));
}

/// A run that is killed and resumed on the device ends in the bytes of one that never stopped.
#[test]
fn a_killed_run_is_resumed_to_the_same_bytes() {
    let folders = tempfile::tempdir().unwrap();
    let words = "inversion --epochs 60 --replicas 2 --seed 3 --threads 1 --optimizer adam --batch 256";
    let (whole, killed) = (folders.path().join("whole"), folders.path().join("killed"));
    run(disentangle("cuda", words, &whole));
    let mut child = disentangle("cuda", &format!("{words} --checkpoint-every 0.01"), &killed)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !killed.join("checkpoint.safetensors").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended without a checkpoint");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    // By the signal, not by itself.
    assert_eq!(child.wait().unwrap().code(), None);
    let rows = |folder: &Path| std::fs::read(folder.join("epochs.csv")).unwrap();
    let mut resumed = Command::new(env!("CARGO_BIN_EXE_disentangle"));
    resumed.args(["inversion", "--resume", "--quiet", "--out"]).arg(&killed);
    stand_in::on_it(&mut resumed);
    run(resumed);
    assert_eq!(rows(&killed), rows(&whole));
}
