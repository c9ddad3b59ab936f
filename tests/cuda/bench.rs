//! `disentangle bench --device cuda`: times by events, the device's peaks, cuBLAS where there is one. What it says about speed is nothing: the
//! stand-in runs on the host.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::stand_in;

/// The small products of a dense layer, as a command that finds no device yet.
fn bench(more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_disentangle"));
    command.args(["bench", "--device", "cuda", "--seconds", "0", "--threads", "1"]);
    command.args(more);
    command
}

const SMALL: [&str; 2] = ["--filter", "8192 x 20 x 2"];

/// The table of a run that must end well; what the stand-in has to say is a fault.
fn table(mut command: Command) -> String {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !error.contains("stand-in:"), "{error}");
    String::from_utf8(output.stdout).unwrap()
}

fn json(mut command: Command) -> Value {
    command.arg("--json");
    serde_json::from_str(&table(command)).unwrap()
}

fn positive(value: &Value) -> bool {
    value.as_f64().is_some_and(|v| v > 0.0 && v.is_finite())
}

/// `verify --mode bench` asks the same clock.
#[test]
fn ops_of_verify_are_timed_by_the_device() {
    let ops = ["tanh", "class_histograms", "metric_silhouette"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_disentangle"));
    command.args(["verify", "--device", "cuda", "--mode", "bench", "--ops", &ops.join(",")]);
    stand_in::on_it(&mut command);
    let times = json(command);
    for op in ops {
        assert!(positive(&times["ops"][op]["median_seconds"]), "{op}: {times}");
    }
}

#[test]
fn json_has_the_device_its_peaks_and_its_times() {
    let mut command = bench(&SMALL);
    stand_in::on_it(&mut command);
    let table = json(command);
    assert_eq!(table["device"], "cuda:0");
    let peaks = table["peaks"].as_array().unwrap();
    assert_eq!(peaks.len(), 1);
    assert!(positive(&peaks[0]["gflops"]) && positive(&peaks[0]["copied_gbytes_per_second"]));
    if !stand_in::real() {
        assert_eq!(table["name"], "CPU stand-in");
        assert_eq!(table["compute_capability"], "8.0");
        assert_eq!(table["driver"], "12.0");
        assert_eq!(table["cublas"], Value::Null);
    }
    let kernels = table["kernels"].as_array().unwrap();
    let names: Vec<&str> = kernels.iter().map(|line| line["kernel"].as_str().unwrap()).collect();
    assert_eq!(names, ["dense", "dense_input_grad"]);
    for line in kernels {
        for key in [
            "median_seconds",
            "gflops",
            "gbytes_per_second",
            "percent_of_multiply_add_peak",
            "percent_of_copy_bandwidth",
        ] {
            assert!(positive(&line[key]), "{key} of {line}");
        }
        // The ratio stands where there is a cuBLAS.
        let has_peer = !table["cublas"].is_null();
        assert_eq!(positive(&line["cublas_over_ours"]), has_peer, "{line}");
        assert_eq!(positive(&line["cublas_median_seconds"]), has_peer, "{line}");
    }
}

/// What runs is one kernel, or a graph, for each sample, and nothing is copied meanwhile.
#[test]
fn a_sample_is_one_run() {
    if stand_in::real() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let calls = |filter: &str| -> Vec<(String, u64)> {
        let counts = folder.path().join("calls");
        let mut command = bench(&["--filter", filter]);
        stand_in::on_it(&mut command).env("DISENTANGLE_STAND_IN_CALLS", &counts);
        table(command);
        let text = std::fs::read_to_string(counts).unwrap();
        let count = |line: &str| {
            line.split_once(' ')
                .map(|(call, n)| (call.to_string(), n.parse().unwrap()))
        };
        text.lines().filter_map(count).collect()
    };
    let of = |calls: &[(String, u64)], name: &str| calls.iter().find(|(call, _)| call == name).map_or(0, |(_, n)| *n);
    let found = calls("dense_input_grad 8192 x 20 x 2, R = 1");
    // One that does not count, and five samples.
    assert_eq!(of(&found, "cuGraphLaunch"), 6, "{found:?}");
}

#[test]
fn the_table_says_that_there_is_no_cublas() {
    if stand_in::real() {
        return;
    }
    let mut command = bench(&["--filter", "tanh"]);
    stand_in::on_it(&mut command);
    let text = table(command);
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(
        lines[0],
        "cuda:0, CPU stand-in, driver for CUDA 12.0. What this device can do:"
    );
    assert!(lines[1].contains("GFLOP/s of multiply-adds in f32, "), "{text}");
    assert!(
        lines[2].starts_with("No column of cuBLAS: no cuBLAS (libcublas) was found"),
        "{text}"
    );
    assert!(lines[3].starts_with("kernel ") && lines[3].contains("median"), "{text}");
    assert!(
        lines[4].starts_with("tanh ") && lines[5].starts_with("tanh_grad ") && lines.len() == 6,
        "{text}"
    );
}

/// A library of this source, in a folder under both names that programs look for.
fn library(folder: &Path, name: &str, source: &str) {
    let file = folder.join("source.cpp");
    std::fs::write(&file, source).unwrap();
    let made = folder.join(format!("{name}.so"));
    let built = Command::new("g++")
        .args(["-std=c++20", "-O1", "-shared", "-fPIC", "-o"])
        .arg(&made)
        .arg(&file)
        .status()
        .unwrap();
    assert!(built.success());
    std::fs::copy(&made, folder.join(format!("{name}.so.1"))).unwrap();
}

/// With the stand-in, and a folder of libraries before it.
fn beside(command: &mut Command, folder: &Path) {
    stand_in::on_it(command);
    let both = std::env::join_paths([folder, stand_in::folder()]).unwrap();
    command.env("LD_LIBRARY_PATH", both);
}

/// On the stand-in device memory is the host's, so a library of a few lines can be cuBLAS.
#[test]
fn cublas_is_timed_beside_products() {
    if stand_in::real() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    library(
        folder.path(),
        "libcublas",
        include_str!("../../kernels/stand_in/cublas.cpp"),
    );
    let log = folder.path().join("log");
    let mut command = bench(&["--filter", "8192 x 20 x 2"]);
    beside(&mut command, folder.path());
    command.env("DISENTANGLE_STAND_IN_CUBLAS", &log);
    let found = json(command);
    assert_eq!(found["cublas"], "12.1.3");
    for line in found["kernels"].as_array().unwrap() {
        let (ours, cublas) = (&line["median_seconds"], &line["cublas_median_seconds"]);
        assert!(positive(ours) && positive(cublas), "{line}");
        let ratio = cublas.as_f64().unwrap() / ours.as_f64().unwrap();
        assert_eq!(line["cublas_over_ours"].as_f64().unwrap(), ratio, "{line}");
    }
    // Mode 0 is full precision; then each product six times, in the words of columns.
    let log = std::fs::read_to_string(log).unwrap();
    let mut lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 1 + 2 * 6, "{log}");
    lines.dedup();
    assert_eq!(
        lines,
        [
            "math mode 0",
            "sgemm T N m 2 n 8192 k 20 ld 20 20 2",
            "sgemm N N m 20 n 8192 k 2 ld 20 2 20"
        ]
    );
}

/// A library that lacks what is needed is none, and nothing panics.
#[test]
fn a_cublas_without_its_functions_is_none() {
    if stand_in::real() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    library(folder.path(), "libcublas", "");
    let mut command = bench(&["--filter", "tanh_grad"]);
    beside(&mut command, folder.path());
    let text = table(command);
    assert!(
        text.contains("No column of cuBLAS: the cuBLAS (libcublas) that was found has no function cublasCreate_v2"),
        "{text}"
    );
}

/// The numbers of the peaks' kernels are compared with what they must be: with a fault in one of them there is no table.
#[test]
fn a_device_that_computes_wrong_numbers_has_no_peak() {
    if stand_in::real() {
        return;
    }
    // What is not compiled anew is taken from there.
    if !stand_in::folder().ends_with("fast") {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (right, wrong, kernel) in [
        ("round < rounds;", "round + 1 < rounds;", "peak_multiply_adds"),
        ("n += 2 * step)", "n += 3 * step)", "peak_copy"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(root.join("kernels")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "cu") {
                let text = std::fs::read_to_string(&path).unwrap();
                let name = path.file_name().unwrap();
                let text = if name == "peak.cu" {
                    text.replace(right, wrong)
                } else {
                    text
                };
                std::fs::write(folder.path().join(name), text).unwrap();
            }
        }
        let built = Command::new(root.join("tests/stand_in.sh"))
            .env("KERNELS", folder.path())
            .env("STAND_IN_OUT", folder.path().join("built"))
            .env("CHANGED", "peak")
            .status()
            .unwrap();
        assert!(built.success());
        let mut command = bench(&SMALL);
        command.env("LD_LIBRARY_PATH", folder.path().join("built/fast"));
        let output = command.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(
            error.contains(&format!("CUDA kernel {kernel} computed wrong numbers")) && output.stdout.is_empty(),
            "{error}"
        );
    }
}

/// The one line of a command that ends with 2.
fn refusal(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(output.stdout.is_empty() && error.lines().count() == 1, "{error}");
    error
}

#[test]
fn no_driver_is_one_sentence() {
    let output = bench(&SMALL).output().unwrap();
    // There may be a card.
    if !output.status.success() {
        let line = refusal(&output);
        assert!(line.starts_with("disentangle: --device 'cuda': no CUDA, as "), "{line}");
    }
}

/// A driver's library without a function that is needed is an error, not a panic.
#[test]
fn a_driver_without_its_functions_is_one_sentence() {
    if stand_in::real() {
        return;
    }
    let version = "extern \"C\" int cuDriverGetVersion(int *version) { *version = 12000; return 0; }\n";
    for (source, missing) in [("", "cuDriverGetVersion"), (version, "cuInit")] {
        let folder = tempfile::tempdir().unwrap();
        library(folder.path(), "libcuda", source);
        let mut command = bench(&SMALL);
        command.env("LD_LIBRARY_PATH", folder.path());
        let line = refusal(&command.output().unwrap());
        assert!(
            line.starts_with("disentangle: --device 'cuda': no CUDA, as the NVIDIA driver (libcuda) has no function ")
                && line.contains(missing),
            "{line}"
        );
    }
}

#[test]
fn other_devices_are_refused_in_one_sentence() {
    for (device, says) in [
        ("gpu", "--device 'gpu': expected cuda, cuda:N, cpu or reference"),
        ("cuda:x", "--device 'cuda:x': expected a number from 0 on after 'cuda:'"),
        ("reference", "--device 'reference': it is what others are compared with"),
        ("cuda:7", "--device 'cuda:7': no CUDA device 7"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_disentangle"));
        command.args(["bench", "--device", device, "--filter", "tanh"]);
        stand_in::on_it(&mut command);
        let line = refusal(&command.output().unwrap());
        assert!(line.contains(says), "{line}");
    }
    // What is the host's own is no device's.
    let mut command = bench(&["--filter", "parallel region"]);
    stand_in::on_it(&mut command);
    let line = refusal(&command.output().unwrap());
    assert!(line.contains("no kernel has this in its name or shape"), "{line}");
}
