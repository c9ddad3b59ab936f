//! Runs that succeed: what they print, what they write, and that the options do what they say.

use super::{Place, Table, stderr, stdout};

const SMALL: &str = "--replicas 2 --epochs 4 --train-samples 300 --hidden 5 --quiet";

#[test]
fn a_run_ends_with_the_path_of_its_report() {
    let place = Place::new();
    let output = place.inversion("--replicas 2 --epochs 30 --train-samples 500 --dead-pixels zero");
    let text = stdout(&output);
    assert_eq!(text.lines().last(), Some("runs/inversion-1/report.html"), "{text}");
    // Not a terminal: plain lines, the first and one per tenth.
    let progress = stderr(&output);
    assert_eq!(progress.lines().count(), 11, "{progress}");
    assert!(
        progress.lines().last().unwrap().starts_with("epoch 30/30 "),
        "{progress}"
    );
    for file in [
        "config.toml",
        "epochs.csv",
        "report.html",
        "run.json",
        "stragglers.csv",
        "summary.json",
        "weights/initial.safetensors",
        "weights/final.safetensors",
    ] {
        assert!(
            !place.read_bytes(&format!("runs/inversion-1/{file}")).is_empty(),
            "{file}"
        );
    }
    let table = place.table("runs/inversion-1");
    let columns = [
        "replica",
        "epoch",
        "train_loss",
        "train_error",
        "test_error",
        "gyration_radius_0",
        "gyration_radius_1",
        "centroid_distance_0_1",
    ];
    assert_eq!(table.columns, columns);
    let expected: Vec<(String, String)> = (0..2)
        .flat_map(|r| (0..=30).map(move |t| (r.to_string(), t.to_string())))
        .collect();
    let found: Vec<(String, String)> = table.rows.iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    assert_eq!(found, expected);
    table.assert_finite("default");
    assert!(
        table
            .numbers("gyration_radius_0")
            .iter()
            .all(|r| (0.0..=1.0).contains(r))
    );
    assert!(
        table
            .numbers("centroid_distance_0_1")
            .iter()
            .all(|d| (0.0..=2.0).contains(d))
    );
    // Fractions of 500 samples.
    assert!(
        table
            .numbers("train_error")
            .iter()
            .all(|e| (e * 500.0).round() / 500.0 == *e)
    );
}

impl Place {
    fn read_bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }
}

#[test]
fn every_number_reads_back_to_the_same_bits() {
    let place = Place::new();
    place.inversion(&format!("{SMALL} --out o"));
    for row in place.table("o").rows {
        for text in row.iter().filter(|text| !text.is_empty()) {
            assert_eq!(text.parse::<f64>().unwrap().to_string(), *text);
        }
    }
}

#[test]
fn json_is_the_summary_and_nothing_else() {
    let place = Place::new();
    let output = place.inversion("--replicas 3 --epochs 60 --train-samples 1000 --json --out o");
    assert_eq!(stderr(&output), "");
    assert_eq!(stdout(&output), place.read("o/summary.json"));
    let summary: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let replicas = summary["replicas"].as_array().unwrap();
    assert_eq!(replicas.len(), 3);
    let keys = |value: &serde_json::Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    let table = place.table("o");
    let straggler_lines: Vec<String> = place.read("o/stragglers.csv").lines().map(String::from).collect();
    assert_eq!(straggler_lines[0], "replica,sample_index,label");
    for (r, replica) in replicas.iter().enumerate() {
        assert_eq!(
            sorted(keys(replica)),
            ["extrema", "stop_epoch", "stop_error", "stragglers"]
        );
        let extrema = &replica["extrema"];
        assert_eq!(
            sorted(keys(extrema)),
            ["centroid_distance_0_1", "gyration_radius_0", "gyration_radius_1"]
        );
        // The stop is where the table says.
        let radius = table.numbers("gyration_radius_0")[61 * r..61 * (r + 1)].to_vec();
        let stop = (20..=60).find(|&t| radius[t] >= radius[t - 1]);
        assert_eq!(replica["stop_epoch"].as_u64().map(|t| t as usize), stop);
        let stop = stop.expect("1,000 digits invert within 60 epochs");
        let error = table.numbers("train_error")[61 * r + stop];
        assert_eq!(replica["stop_error"].as_f64(), Some(error));
        // As many stragglers as misclassified samples there, each with its label.
        let own = straggler_lines
            .iter()
            .filter(|line| line.starts_with(&format!("{r},")))
            .count();
        assert_eq!(
            (own as f64, replica["stragglers"].as_u64()),
            ((error * 1000.0).round(), Some(own as u64))
        );
        for (name, extremum) in extrema.as_object().unwrap() {
            if let Some(t) = extremum["epoch"].as_u64() {
                let at = 61 * r + t as usize;
                assert_eq!(sorted(keys(extremum)), ["epoch", "error", "value"]);
                assert_eq!(extremum["value"].as_f64(), Some(table.numbers(name)[at]));
                assert_eq!(extremum["error"].as_f64(), Some(table.numbers("train_error")[at]));
            } else {
                assert!(extremum.is_null());
            }
        }
    }
    let mean: f64 = replicas.iter().map(|r| r["stop_error"].as_f64().unwrap()).sum::<f64>() / 3.0;
    // Sums of three numbers: a few roundings.
    assert!((summary["mean"]["stop_error"].as_f64().unwrap() - mean).abs() <= 1e-15);
    assert!(summary["sd"]["stop_error"].as_f64().unwrap() > 0.0);
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

#[test]
fn no_epochs_are_the_initial_state() {
    let place = Place::new();
    place.inversion("--replicas 2 --epochs 0 --out none");
    place.inversion("--replicas 2 --epochs 1 --out one");
    let (none, one) = (place.table("none"), place.table("one"));
    assert_eq!(none.rows, [one.rows[0].clone(), one.rows[2].clone()]);
    let weights = |name: &str| place.read_bytes(&format!("none/weights/{name}.safetensors"));
    assert_eq!(weights("initial"), weights("final"));
}

#[test]
fn label_rules_give_their_classes() {
    let place = Place::new();
    for (n, (rule, classes)) in [
        ("all", 10),
        ("3,5", 2),
        ("8,0,1", 3),
        ("below:5", 2),
        ("one-vs-rest:0", 2),
        ("random", 2),
    ]
    .into_iter()
    .enumerate()
    {
        place.inversion(&format!("{SMALL} --labels {rule} --out o{n}"));
        let table = place.table(&format!("o{n}"));
        table.assert_finite(rule);
        assert_eq!(table.columns.len(), 5 + classes + classes * (classes - 1) / 2, "{rule}");
        let mut names: Vec<String> = (0..classes).map(|c| format!("gyration_radius_{c}")).collect();
        for a in 0..classes {
            names.extend((a + 1..classes).map(|b| format!("centroid_distance_{a}_{b}")));
        }
        assert_eq!(table.columns[5..], names, "{rule}");
    }
}

#[test]
fn every_name_trains_and_lowers_its_loss() {
    let place = Place::new();
    let axes: [(&str, &[&str]); 5] = [
        (
            "--loss",
            &[
                "cross-entropy",
                "logistic",
                "hinge",
                "hinge:0.3",
                "squared-hinge",
                "squared-hinge:2",
                "mse",
            ],
        ),
        (
            "--optimizer",
            &[
                "sgd",
                "sgd --momentum 0.9",
                "nesterov --momentum 0.9",
                "adam",
                "adamw --weight-decay 0.01",
                "rmsprop",
            ],
        ),
        ("--activation", &["tanh", "relu", "gelu", "sigmoid", "identity"]),
        (
            "--initializer",
            &[
                "pytorch",
                "kaiming-uniform",
                "kaiming-normal",
                "xavier-uniform",
                "xavier-normal",
                "orthogonal",
                "normal:0.5",
            ],
        ),
        ("--schedule", &["constant", "step:2:0.5", "cosine"]),
    ];
    for (axis, values) in axes {
        for (n, value) in values.iter().enumerate() {
            for labels in ["parity", "1,2,3"] {
                let out = format!("{}{n}{labels}", axis.trim_start_matches('-'));
                place.inversion(&format!(
                    "{SMALL} --lr 0.01 {axis} {value} --labels {labels} --out {out}"
                ));
                let table = place.table(&out);
                table.assert_finite(&out);
                let loss = table.numbers("train_loss");
                assert!(loss[4] < loss[0] && loss[9] < loss[5], "{out}: {loss:?}");
            }
        }
    }
}

#[test]
fn mini_batches_with_a_last_short_one() {
    let place = Place::new();
    for (batch, out) in [
        ("300", "whole"),
        ("299", "last1"),
        ("64", "last44"),
        ("1", "one"),
        ("9999", "more"),
    ] {
        place.inversion(&format!("{SMALL} --lr 0.05 --batch {batch} --out {out}"));
        place.table(out).assert_finite(out);
    }
    place.inversion(&format!("{SMALL} --lr 0.05 --out full"));
    // A batch of all samples or more is the full batch.
    for out in ["whole", "more"] {
        assert_eq!(
            place.read(&format!("{out}/epochs.csv")),
            place.read("full/epochs.csv"),
            "{out}"
        );
    }
    // The short batch is a step of its own: leaving it out would give the same as a batch of 299 without it.
    assert_ne!(place.read("last1/epochs.csv"), place.read("full/epochs.csv"));
}

#[test]
fn layers_and_test_epochs() {
    let place = Place::new();
    let base = "--replicas 2 --epochs 15 --train-samples 300 --hidden 6,4 --quiet";
    place.inversion(&format!("{base} --layer all --test-every 7 --out all"));
    place.inversion(&format!("{base} --layer 1 --test-every 0 --out first"));
    place.inversion(&format!("{base} --layer 2 --out second"));
    place.inversion(&format!("{base} --out last"));
    let [all, first, second, last] = ["all", "first", "second", "last"].map(|out| place.table(out));
    assert_eq!(second, last);
    for name in ["gyration_radius_0", "gyration_radius_1", "centroid_distance_0_1"] {
        assert_eq!(all.column(&format!("layer_1_{name}")), first.column(name));
        assert_eq!(all.column(&format!("layer_2_{name}")), second.column(name));
    }
    // Every seventh epoch and the last one; never with 0; the others as with every epoch.
    assert!(first.column("test_error").iter().all(|field| field.is_empty()));
    let every = last.column("test_error");
    for (row, field) in all.column("test_error").iter().enumerate() {
        let tested = [0, 7, 14, 15].contains(&(row % 16));
        assert_eq!(*field, if tested { every[row] } else { "" }, "row {row}");
    }
}

#[test]
fn dead_pixels_are_told_of_and_can_be_set_to_zero() {
    let place = Place::new();
    // The first pixel is 9 in all training rows and 10 in a test row.
    super::write_idx_folder(&place.path("d"), &[0, 1, 2, 3, 4, 5], &[0, 1, 2]);
    for (file, value) in [("train", 9u8), ("t10k", 10)] {
        let path = place.path(&format!("d/{file}-images-idx3-ubyte"));
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[16..].iter_mut().step_by(4).for_each(|pixel| *pixel = value);
        std::fs::write(&path, bytes).unwrap();
    }
    let base = "--data d --replicas 2 --epochs 3 --hidden 4";
    let warned = stderr(&place.inversion(&format!("{base} --out formula")));
    let line = warned.lines().next().unwrap();
    assert!(
        line.starts_with("warning: 1 ") && line.contains("3 of 3 test samples"),
        "{line}"
    );
    for silent in [
        "--dead-pixels zero",
        "--standardize global",
        "--standardize none",
        "--quiet",
        "--json",
    ] {
        let out = silent.replace([' ', '-'], "");
        let told = stderr(&place.inversion(&format!("{base} {silent} --out {out}")));
        assert!(!told.contains("warning"), "{silent}: {told}");
        place.table(&out).assert_finite(silent);
    }
    // Training rows are 0 there either way.
    let losses = |run: &str| {
        place
            .table(run)
            .column("train_loss")
            .iter()
            .map(|s| s.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(losses("formula"), losses("deadpixelszero"));
}

#[test]
fn the_reference_agrees_with_the_cpu() {
    let place = Place::new();
    place.inversion(&format!("{SMALL} --out cpu"));
    place.inversion(&format!("{SMALL} --device reference --out reference"));
    let (cpu, reference) = (place.table("cpu"), place.table("reference"));
    for name in ["train_loss", "gyration_radius_0", "centroid_distance_0_1"] {
        for (a, b) in cpu.numbers(name).iter().zip(reference.numbers(name)) {
            // The contract's 5e-6 over 200 epochs; here are 4.
            assert!((a - b).abs() <= 5e-6 * b.abs(), "{name}: {a} {b}");
        }
    }
    assert_ne!(cpu, reference);
}

#[test]
fn shards_and_threads_give_the_rows_of_the_whole() {
    let place = Place::new();
    for batch in ["full", "77"] {
        let base = format!("--epochs 4 --train-samples 700 --hidden 5 --quiet --lr 0.05 --batch {batch}");
        let run = |words: &str, out: &str| -> Table {
            place.inversion(&format!("{base} {words} --out {batch}{out}"));
            place.table(&format!("{batch}{out}"))
        };
        let whole = run("--replicas 5 --threads 1", "whole");
        let shards = [
            run("--replicas 2 --threads 3", "a"),
            run("--replicas 1 --first-replica 2", "b"),
            run("--replicas 2 --first-replica 3 --threads 7", "c"),
        ];
        let joined: Vec<Vec<String>> = shards.into_iter().flat_map(|table| table.rows).collect();
        assert_eq!(whole.rows, joined);
        assert_ne!(whole.rows, run("--replicas 5 --seed 1", "other").rows);
    }
}

#[test]
fn weights_come_back_as_initial_weights() {
    let place = Place::new();
    place.inversion(&format!("{SMALL} --out a"));
    let again = |init: &str, out: &str| {
        place.inversion(&format!("{SMALL} --init {init} --out {out}"));
        place.table(out)
    };
    // Drawn in f64 and rounded to f32 by this device, or rounded in the file before: the same.
    assert_eq!(again("a/weights/initial.safetensors", "b"), place.table("a"));
    let continued = again("a/weights/final.safetensors", "c");
    let (before, after) = (place.table("a"), continued);
    for replica in 0..2 {
        assert_eq!(before.rows[5 * replica + 4][2..], after.rows[5 * replica][2..]);
    }
}

#[test]
fn runs_that_start_together_have_folders_of_their_own() {
    let place = Place::new();
    let words = [
        "inversion",
        "--replicas",
        "1",
        "--epochs",
        "1",
        "--train-samples",
        "50",
        "--quiet",
    ];
    let children: Vec<_> = (0..6)
        .map(|_| {
            place
                .command(&words)
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut paths: Vec<String> = Vec::new();
    for child in children {
        let output = super::checked(child.wait_with_output().unwrap());
        assert_eq!(output.status.code(), Some(0));
        paths.push(stdout(&output).lines().last().unwrap().into());
    }
    paths.sort();
    let expected: Vec<String> = (1..=6).map(|n| format!("runs/inversion-{n}/report.html")).collect();
    assert_eq!(paths, expected);
}

#[test]
fn a_run_that_diverges_ends_and_says_so() {
    let place = Place::new();
    let output =
        place.inversion(&format!("{SMALL} --activation identity --loss mse --lr 1e30 --out o").replace("--quiet", ""));
    let told = stderr(&output);
    assert!(told.contains("warning: the loss of 2 of 2 replicas"), "{told}");
    let summary: serde_json::Value = serde_json::from_str(&place.read("o/summary.json")).unwrap();
    assert!(summary["replicas"][0]["extrema"]["gyration_radius_0"].is_null());
}
