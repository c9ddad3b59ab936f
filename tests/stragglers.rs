//! `disentangle stragglers`: each study as a user meets it, its tables checked against each other by other arithmetic,
//! interruptions, and the released recipe on MNIST in short.
//!
//! The anchors on MNIST are an independent NumPy replication of the recipe. What a short run may differ by follows from
//! its own number of networks, and is said beside each number.

#![cfg(all(feature = "cli", unix))]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value as Json;

fn disentangle() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_disentangle"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command
}

/// Runs a study into a folder; it must succeed. Returns its summary.
fn study(words: &str, out: &Path) -> Json {
    let output = disentangle()
        .arg("stragglers")
        .args(words.split_whitespace())
        .args(["--json", "--out"])
        .arg(out)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{words}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let written: Json = serde_json::from_slice(&std::fs::read(out.join("summary.json")).unwrap()).unwrap();
    assert_eq!(written, serde_json::from_slice::<Json>(&output.stdout).unwrap());
    written
}

fn number(summary: &Json, name: &str) -> f64 {
    summary["numbers"][name]
        .as_f64()
        .unwrap_or_else(|| panic!("{name} in {summary}"))
}

/// A table of cells without commas.
struct Table(Vec<Vec<String>>);

impl Table {
    fn read(folder: &Path, name: &str) -> Table {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let rows: Vec<Vec<String>> = text
            .lines()
            .map(|line| line.split(',').map(String::from).collect())
            .collect();
        assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{name}");
        Table(rows)
    }

    fn column(&self, name: &str) -> Vec<&str> {
        let at = self.0[0].iter().position(|column| column == name);
        let at = at.unwrap_or_else(|| panic!("no {name} in {:?}", self.0[0]));
        self.0[1..].iter().map(|row| row[at].as_str()).collect()
    }

    fn numbers(&self, name: &str) -> Vec<f64> {
        self.column(name).iter().map(|cell| cell.parse().unwrap()).collect()
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Everything that must not depend on threads and interruptions, by name.
fn results(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let files = |folder: &Path| -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_file()).collect()
    };
    let mut paths = [files(folder), files(&folder.join("figures"))].concat();
    // These two tell times and threads.
    paths.retain(|path| {
        !["run.json", "report.html", "config.toml"].contains(&path.file_name().unwrap().to_str().unwrap())
    });
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            (
                path.display().to_string().replace(folder.to_str().unwrap(), ""),
                std::fs::read(path).unwrap(),
            )
        })
        .collect()
}

/// Small enough for a second, large enough that replicas stop.
const SMALL: [&str; 4] = [
    "find --replicas 4 --epochs 60 --train-samples 1000",
    "stability --pairs 4 --at 3,20,40 --train-samples 1000",
    "removal --replicas 2 --draws 1 --epochs 60 --train-samples 1000",
    "generalisation --replicas 2 --epochs 30 --identify-epochs 20 --train-samples 1000",
];

#[test]
fn a_study_leaves_tables_figures_and_a_page_that_can_be_made_again() {
    for words in SMALL {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("run");
        let summary = study(words, &out);
        assert!(!summary["found"][0].as_str().unwrap().is_empty());
        let page = std::fs::read(out.join("report.html")).unwrap();
        let text = String::from_utf8(page.clone()).unwrap();
        assert!(
            text.contains("<svg") && text.contains("disentangle stragglers"),
            "{words}"
        );
        assert!(std::fs::read_dir(out.join("figures")).unwrap().count() > 0, "{words}");
        assert!(!out.join("parts").exists(), "{words}");
        for file in ["report.html", "figures"] {
            let path = out.join(file);
            let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path));
        }
        let output = disentangle().arg("report").arg(&out).output().unwrap();
        assert!(
            output.status.success(),
            "{words}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(std::fs::read(out.join("report.html")).unwrap(), page, "{words}");
        // The configuration repeats the run, to the same tables.
        let again = place.path().join("again");
        let config = out.join("config.toml");
        let name = words.split_whitespace().next().unwrap();
        study(&format!("{name} --config {} --threads 1", config.display()), &again);
        assert_eq!(results(&out), results(&again), "{words}");
    }
}

/// Runs a study that is killed, begun again, ended by a signal and begun again.
fn cut_twice(words: &str, cut: &Path) {
    let mut child = disentangle()
        .arg("stragglers")
        .args(words.split_whitespace())
        .args(["--quiet", "--out"])
        .arg(cut)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let name = words.split_whitespace().next().unwrap();
    // Early, late, or after the end: each must do. The first two end by SIGKILL and by SIGTERM.
    for (milliseconds, signal) in [(150, "-KILL"), (150, "-TERM")] {
        std::thread::sleep(Duration::from_millis(milliseconds));
        let _ = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .output()
            .unwrap();
        let code = child.wait().unwrap().code();
        // 2: it was complete already.
        assert!([None, Some(0), Some(2), Some(130)].contains(&code), "{words}: {code:?}");
        if !cut.join("run.json").exists() {
            // Before there was anything to go on from.
            let _ = std::fs::remove_dir_all(cut);
            study(words, cut);
        }
        child = disentangle()
            .args(["stragglers", name, "--resume", "--quiet", "--out"])
            .arg(cut)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
    }
    let code = child.wait().unwrap().code();
    // 2: it was complete already.
    assert!([Some(0), Some(2)].contains(&code), "{words}: {code:?}");
}

#[test]
fn a_study_that_is_interrupted_goes_on_where_it_was() {
    for words in SMALL {
        let place = tempfile::tempdir().unwrap();
        let (whole, cut) = (place.path().join("whole"), place.path().join("cut"));
        study(words, &whole);
        cut_twice(words, &cut);
        assert_eq!(results(&whole), results(&cut), "{words}");
    }
}

/// Studies that follow metrics; in the last column what `inversion` is told to train the networks of its plain arm.
const FOLLOWED: [(&str, &str, &str); 7] = [
    ("find", "--replicas 3 --epochs 45 --train-samples 500", ""),
    (
        "stability",
        "--replicas 4 --epochs 45 --train-samples 500",
        "--pairs 2 --at 3,40",
    ),
    ("removal", "--replicas 2 --epochs 60 --train-samples 1000", "--draws 1"),
    (
        "generalisation",
        "--replicas 2 --epochs 30 --train-samples 500",
        "--identify-epochs 12 --arms removed,relabelled",
    ),
    (
        "multiclass",
        "--replicas 2 --epochs 45 --train-samples 500 --labels all",
        "",
    ),
    (
        "linear",
        "--replicas 2 --epochs 45 --train-samples 300",
        "--lambda 0.01 --gradient-norm 1e-3",
    ),
    ("hardness", "--replicas 2 --epochs 45 --train-samples 500", ""),
];

/// Of all rows, of classes, with the classifier's weights, of neighbours.
const METRICS: &str = "--metrics silhouette,class-distance,nc4,nearest-neighbor-error --measure-every 10";

#[test]
fn every_study_follows_metrics_and_nothing_else_changes() {
    for (name, training, own) in FOLLOWED {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        let words = format!("{name} {training} {own}");
        study(&words, &path("plain"));
        let summary = study(&format!("{words} {METRICS} --threads 2"), &path("followed"));
        // The study's own tables, to the byte.
        let [plain, followed] = ["plain", "followed"].map(|run| results(&path(run)));
        let told = ["/metrics.csv", "/turns.csv", "/summary.json", "/findings.json"];
        let own_of = |run: &[(String, Vec<u8>)]| -> Vec<(String, Vec<u8>)> {
            let own = run.iter().filter(|(file, _)| !told.contains(&file.as_str()));
            own.cloned().collect()
        };
        assert!(own_of(&plain) == own_of(&followed), "{name}");
        assert_eq!(plain.len() + 2, followed.len(), "{name}");

        // Other threads, and two cuts.
        study(&format!("{words} {METRICS} --threads 1"), &path("single"));
        assert!(results(&path("single")) == followed, "{name}");
        cut_twice(&format!("{words} {METRICS}"), &path("cut"));
        assert!(results(&path("cut")) == followed, "{name}");

        // The networks of the plain arm are those of `inversion`, to the last digit.
        let output = disentangle()
            .arg("inversion")
            .args(training.split_whitespace())
            .args(METRICS.split_whitespace())
            .args(["--quiet", "--out"])
            .arg(path("inversion"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (table, run) = (
            Table::read(&path("followed"), "metrics.csv"),
            Table::read(&path("inversion"), "epochs.csv"),
        );
        let key = |table: &Table, row: usize| {
            [
                table.column("replica")[row].to_owned(),
                table.column("epoch")[row].into(),
            ]
        };
        let keys: Vec<[String; 2]> = (0..run.0.len() - 1).map(|row| key(&run, row)).collect();
        let columns: Vec<&String> = table.0[0]
            .iter()
            .skip_while(|column| *column != "train_error")
            .collect();
        assert_eq!(columns[1..], run.0[0][5..].iter().collect::<Vec<_>>(), "{name}");
        let mut compared = 0;
        for row in 0..table.0.len() - 1 {
            if table.0[0].contains(&"arm".to_owned()) && table.column("arm")[row] != "all" {
                continue;
            }
            let at = keys.iter().position(|other| *other == key(&table, row)).unwrap();
            for column in &columns {
                assert_eq!(table.column(column)[row], run.column(column)[at], "{name}: {column}");
                compared += 1;
            }
        }
        let replicas: usize = training.split_whitespace().nth(1).unwrap().parse().unwrap();
        let epochs: usize = training.split_whitespace().nth(3).unwrap().parse().unwrap();
        assert_eq!(compared, replicas * (epochs.div_ceil(10) + 1) * columns.len(), "{name}");

        // Where they turn is where `inversion` says, and is counted.
        let json: Json = serde_json::from_slice(&std::fs::read(path("inversion/summary.json")).unwrap()).unwrap();
        let turns = Table::read(&path("followed"), "turns.csv");
        for row in 0..turns.0.len() - 1 {
            let cell = |column: &str| turns.column(column)[row];
            if turns.0[0].contains(&"arm".to_owned()) && cell("arm") != "all" {
                continue;
            }
            let replica: usize = cell("replica").parse().unwrap();
            let there = &json["replicas"][replica]["extrema"][cell("metric")];
            let told = there["epoch"].as_u64().map_or(String::new(), |epoch| epoch.to_string());
            assert_eq!(cell("epoch"), told, "{name}: {} of {replica}", cell("metric"));
            if let Some(way) = there["turn"].as_str() {
                assert_eq!(cell("turn"), way);
            }
        }
        let found = summary["found"].to_string();
        assert!(
            found.contains("Which metrics invert") && found.contains("gyration radius"),
            "{found}"
        );
    }
}

#[test]
fn find_counts_what_its_list_of_stragglers_says() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("run");
    let summary = study("find --replicas 6 --epochs 60", &out);
    let list = Table::read(&out, "stragglers.csv");
    let replicas: Vec<&str> = list.column("replica");
    let sets: Vec<BTreeSet<&str>> = ["0", "1", "2", "3", "4", "5"]
        .map(|replica| {
            let own = replicas.iter().zip(list.column("sample_index"));
            own.filter(|(of, _)| **of == replica)
                .map(|(_, sample)| sample)
                .collect()
        })
        .into();
    let overlaps = Table::read(&out, "overlaps.csv");
    assert_eq!(overlaps.0.len() - 1, 15);
    let mut sum = 0.0;
    for row in 0..15 {
        let cell = |name: &str| overlaps.numbers(name)[row];
        let (a, b) = (&sets[cell("replica_a") as usize], &sets[cell("replica_b") as usize]);
        let common = a.intersection(b).count() as f64;
        assert_eq!(cell("common"), common);
        let expected = 2.0 * common / (a.len() + b.len()) as f64;
        assert_eq!(cell("overlap"), expected);
        assert_eq!(cell("by_chance"), a.len() as f64 * b.len() as f64 / 3823.0);
        sum += expected;
    }
    // A sum of 15 numbers in another order.
    assert!((number(&summary, "overlap") - sum / 15.0).abs() < 1e-14);
    // Independent networks agree far better than by chance, on these data too.
    assert!(number(&summary, "overlap") > 5.0 * number(&summary, "overlap_by_chance"));
    let consensus = Table::read(&out, "consensus.csv");
    for (sample, replicas) in consensus
        .column("sample_index")
        .iter()
        .zip(consensus.numbers("replicas"))
    {
        assert_eq!(sets.iter().filter(|set| set.contains(sample)).count() as f64, replicas);
    }
    let all: BTreeSet<&str> = sets.iter().flatten().copied().collect();
    assert_eq!(consensus.0.len() - 1, all.len());
}

#[test]
fn stability_is_the_formula_of_its_pairs() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("run");
    let summary = study("stability --pairs 10 --at 5,30", &out);
    let (pairs, table) = (Table::read(&out, "pairs.csv"), Table::read(&out, "stability.csv"));
    for (row, epoch) in ["5", "30"].into_iter().enumerate() {
        let of = |name: &str| -> Vec<f64> {
            let values = pairs.column("epoch").into_iter().zip(pairs.numbers(name));
            values.filter(|(at, _)| *at == epoch).map(|(_, value)| value).collect()
        };
        let (first, second, common) = (of("misclassified_1"), of("misclassified_2"), of("common"));
        let chance: Vec<f64> = first.iter().zip(&second).map(|(a, b)| a * b / 3823.0).collect();
        let squares: Vec<f64> = common.iter().map(|c| c * c).collect();
        let sd = (mean(&squares) - mean(&common).powi(2)).sqrt();
        let z = (mean(&common) - mean(&chance)) / sd;
        // The difference of squares loses some five digits.
        assert!((table.numbers("z")[row] / z - 1.0).abs() < 1e-9, "{z}");
        assert_eq!(table.numbers("z")[row], number(&summary, &format!("z_{epoch}")));
        assert!(table.numbers("z_standard_error")[row] > 0.0);
        let errors: Vec<f64> = first.iter().chain(&second).map(|k| k / 3823.0).collect();
        assert!((table.numbers("train_error")[row] - mean(&errors)).abs() < 1e-15);
    }
}

#[test]
fn what_cannot_be_is_one_line() {
    let place = tempfile::tempdir().unwrap();
    let line = |words: &str| {
        let output: Output = disentangle()
            .current_dir(place.path())
            .arg("stragglers")
            .args(words.split_whitespace())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{words}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(
            text.lines().count() == 1 && text.starts_with("disentangle: "),
            "{words}: {text}"
        );
        text
    };
    let cases: &[(&str, &[&str])] = &[
        ("", &["expected find, stability, removal"]),
        ("fnd", &["'fnd'", "find"]),
        ("find --foo", &["'--foo'", "`disentangle stragglers find --help`"]),
        ("find --pairs 3", &["'--pairs'"]),
        ("find --save-weights all", &["--save-weights", "means nothing"]),
        ("find --test-every 2", &["--test-every", "means nothing"]),
        ("find --metrics silhouete", &["--metrics", "no metric 'silhouete'"]),
        (
            "hardness --metrics linear-cka",
            &["--metrics", "compares two representations"],
        ),
        (
            "removal --measure-every 5",
            &["--measure-every 5", "expected --metrics too"],
        ),
        (
            "linear --metrics silhouette --measure-every 0",
            &["--measure-every 0", "at least 1"],
        ),
        (
            "robustness --metrics silhouete",
            &["--metrics", "no metric 'silhouete'"],
        ),
        ("find --lr 0", &["--lr 0", "positive"]),
        ("find --data absent", &["absent"]),
        ("find --config absent.toml", &["absent.toml"]),
        ("find --resume --out absent", &["absent"]),
        ("stability --pairs 1", &["--pairs 1", "at least 2"]),
        ("stability --at 5,3", &["--at '5,3'", "ascending"]),
        ("stability --at", &["--at"]),
        ("stability --at 5,x", &["--at '5,x'"]),
        ("stability --epochs 20", &["--epochs 20", "at least 65"]),
        ("stability --replicas 3 --pairs 4", &["--replicas 3", "8 replicas"]),
        ("removal --draws -1", &["'-1'", "--draws"]),
        ("generalisation --noise -1", &["--noise -1", "at least 0"]),
        ("generalisation --noise nan", &["--noise NaN"]),
        ("generalisation --arms removed,x", &["--arms", "'x'", "removed, random"]),
        ("generalisation --arms kept,kept", &["--arms", "kept twice"]),
        ("generalisation --identify-epochs 1", &["--identify-epochs 1"]),
    ];
    for (words, expected) in cases {
        let line = line(words);
        assert!(expected.iter().all(|part| line.contains(part)), "{words}: {line}");
    }
    assert!(!place.path().join("runs").exists());
    std::fs::write(place.path().join("c.toml"), "pairs = 5\nfoo = 1\n").unwrap();
    let text = line("stability --config c.toml");
    assert!(text.contains("c.toml") && text.contains("foo"), "{text}");
    // A folder of another study, and of one that is complete.
    study(
        "find --replicas 1 --epochs 3 --train-samples 50",
        &place.path().join("done"),
    );
    assert!(line("removal --resume --out done").contains("stragglers find"));
    assert!(line("find --resume --out done").contains("nothing to resume"));
    assert!(line("find --resume --out done --lr 1").contains("--lr"));
}

/// The released recipe on block 1 of MNIST.
const MNIST: &str = "--data data/mnist --train-samples 8192 --seed 1";

#[test]
fn removal_on_mnist_is_the_replications() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("run");
    let summary = study(
        &format!("removal {MNIST} --lr 0.1 --epochs 300 --replicas 2 --draws 1"),
        &out,
    );
    assert_eq!(number(&summary, "replicas_that_stop"), 2.0);
    // 701 to 767 in 20 runs, a deviation of some 17 each: a mean of two within four of its errors of 12.
    assert!((number(&summary, "stragglers") - 730.0).abs() < 48.0, "{summary}");
    assert_eq!(number(&summary, "without_stragglers.monotonic"), 2.0, "8 of 8 there");
    assert_eq!(number(&summary, "without_random.inverts"), 2.0, "8 of 8 there");
    // End values over 8 runs with their deviations; a mean of two within four deviations of the difference of the means.
    for (name, expected, sd) in [
        ("without_stragglers.gyration_radius_0", 0.508, 0.018),
        ("without_stragglers.gyration_radius_1", 0.468, 0.008),
        ("without_stragglers.centroid_distance_0_1", 1.744, 0.011),
        ("without_stragglers.train_error", 0.0014, 0.0002),
        ("without_stragglers.test_error", 0.1054, 0.0016),
        ("without_random.gyration_radius_0", 0.863, 0.010),
        ("without_random.centroid_distance_0_1", 1.045, 0.014),
        ("without_random.train_error", 0.0462, 0.0014),
        ("without_random.test_error", 0.0776, 0.0014),
    ] {
        let error = sd * f64::sqrt(1.0 / 2.0 + 1.0 / 8.0);
        assert!(
            (number(&summary, name) - expected).abs() < 4.0 * error,
            "{name}: {summary}"
        );
    }
}

#[test]
fn stability_on_mnist_is_the_replications() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("run");
    let summary = study(&format!("stability {MNIST} --lr 0.2 --pairs 40 --at 5,17,44"), &out);
    let table = Table::read(&out, "stability.csv");
    // Training error and z of 200 pairs. An error's deviation over networks is some 0.002, over 80 of them 0.0003 with the
    // anchor's rounding; z has a relative error of 1 / sqrt(2 n) where it is large: 11 % here and 5 % there, and four times
    // their root of squares is 50 %.
    for (row, (error, z)) in [(0.141, 26.0), (0.108, 67.0), (0.0886, 64.0)].into_iter().enumerate() {
        assert!((table.numbers("train_error")[row] - error).abs() < 0.0015, "{summary}");
        assert!((table.numbers("z")[row] / z - 1.0).abs() < 0.5, "{summary}");
    }
    // At the inversion the overlap is 0.91. (The common samples, 673 of 740 there, are those of each network's own stop, where the
    // training error is larger than at epoch 44.)
    assert!((table.numbers("overlap")[2] - 0.91).abs() < 0.02, "{summary}");
    assert!(
        table.numbers("tied_with_largest")[0] == 0.0,
        "z at epoch 5 is far below the largest"
    );
}
