//! Sweeps that are killed, cut into shards and merged leave the same tables; what does not fit is one line.

#![cfg(all(feature = "cli", unix))]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Eight short runs of small networks on 300 digits.
const SWEEP: &str = r#"
tolerance = 0.2
guard = 5

[base]
train-samples = 300
hidden = 6
replicas = 3
epochs = 60
seed = 2

[[axis]]
name = "learning rate"
option = "lr"
values = [0.25, 0.5, 1.0]

[[axis]]
name = "optimizer"
points = [{ label = "nesterov", optimizer = "nesterov", momentum = 0.5, lr = 0.2, hidden = "6,5", layer = "all" }]

[[axis]]
name = "random subset"
set = { subset = "random" }
pool = { seed = [1, 2] }
option = "train-samples"
values = [200, 300]
"#;

/// Runs of the sweep: the base is the learning rate 0.5 too.
const RUNS: usize = 1 + 2 + 1 + 4;

fn disentangle() -> Command {
    Command::new(env!("CARGO_BIN_EXE_disentangle"))
}

fn robustness(place: &Path) -> Command {
    let mut command = disentangle();
    command.current_dir(place).args(["stragglers", "robustness", "--quiet"]);
    command
}

/// The tables, figures and words of a sweep, by name.
fn results(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = [
        "robustness.csv",
        "networks.csv",
        "runs.csv",
        "summary.json",
        "findings.json",
    ];
    let figures = ["figures/robustness-error.svg", "figures/robustness-epoch.svg"];
    let read = |name: &str| (name.to_owned(), std::fs::read(folder.join(name)).unwrap());
    names.into_iter().chain(figures).map(read).collect()
}

fn assert_same(found: &Path, expected: &BTreeMap<String, Vec<u8>>, what: &str) {
    for (name, bytes) in results(found) {
        assert!(bytes == expected[&name], "{what}: {name} differs");
    }
}

fn one_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

/// A place with the sweep and its results in `whole`, and how long they took.
fn place() -> (tempfile::TempDir, BTreeMap<String, Vec<u8>>, Duration) {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("sweep.toml"), SWEEP).unwrap();
    let started = Instant::now();
    let output = robustness(place.path())
        .args(["--sweep", "sweep.toml", "--out", "whole"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expected = results(&place.path().join("whole"));
    (place, expected, started.elapsed())
}

#[test]
fn ten_kills_and_three_shards_leave_the_same_bytes() {
    let (place, expected, length) = place();
    let runs = String::from_utf8(expected["runs.csv"].clone()).unwrap();
    assert_eq!(runs.lines().count(), 1 + RUNS);
    assert!(runs.lines().skip(1).all(|line| line.contains(",done,,")), "{runs}");
    let table = String::from_utf8(expected["robustness.csv"].clone()).unwrap();
    // The base, and the point of the same configuration, have the same numbers.
    let row = |start: &str| {
        let line = table.lines().find(|line| line.starts_with(start)).unwrap();
        line.split(',').skip(2).take(13).collect::<Vec<_>>().join(",")
    };
    assert_eq!(row("base,base,"), row("learning rate,0.5,"));

    // A small generator of its own: the moments differ from kill to kill, the test is the same every time.
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut moment = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        length.mul_f64((state >> 11) as f64 / (1u64 << 53) as f64 * 0.8)
    };
    let (mut kills, mut number, mut mid_way) = (0, 0, 0);
    while kills < 10 {
        let folder = place.path().join(format!("run-{number}"));
        number += 1;
        loop {
            let mut command = robustness(place.path());
            if folder.join("plan.json").exists() {
                command.args(["--resume", "--threads", "2"]);
            } else {
                let _ = std::fs::remove_dir_all(&folder);
                command.args(["--sweep", "sweep.toml"]);
            }
            command
                .arg("--out")
                .arg(&folder)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            if kills >= 10 {
                assert!(command.status().unwrap().success());
                break;
            }
            let signal = if kills % 2 == 0 { "-TERM" } else { "-KILL" };
            let mut child = command.spawn().unwrap();
            std::thread::sleep(moment());
            let _ = Command::new("kill")
                .args([signal, &child.id().to_string()])
                .stderr(Stdio::null())
                .status();
            match child.wait().unwrap().code() {
                Some(0) => break,
                // By SIGTERM while it ran, or killed outright.
                Some(130) | None => kills += 1,
                other => panic!("{signal}: exit code {other:?}"),
            }
            let finished = std::fs::read_dir(folder.join("runs")).into_iter().flatten().count();
            mid_way += usize::from((1..RUNS).contains(&finished));
        }
        assert_same(&folder, &expected, &format!("run {number} after {kills} kills"));
        let left = std::fs::read_dir(folder.join("runs")).unwrap();
        let left: Vec<String> = left
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(
            left.len() == RUNS && left.iter().all(|name| name.ends_with(".json")),
            "{left:?}"
        );
    }
    println!("{kills} kills in {number} runs, {mid_way} of them between two runs of the sweep");
    assert!(mid_way > 0, "no kill met a sweep half-way");

    for number in 1..=3 {
        let output = robustness(place.path())
            .args([
                "--sweep",
                "sweep.toml",
                "--shard",
                &format!("{number}/3"),
                "--out",
                &format!("s{number}"),
            ])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let merge = |folders: &[&str]| {
        let mut command = disentangle();
        command.current_dir(place.path()).arg("merge").args(folders);
        command
    };
    let output = merge(&["s3", "s1", "s2", "--out", "merged"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_same(&place.path().join("merged"), &expected, "merged");
    assert!(place.path().join("merged/report.html").exists());

    // What does not fit.
    std::fs::create_dir_all(place.path().join("half/runs")).unwrap();
    for file in ["plan.json", "run.json", "sweep.toml"] {
        std::fs::copy(place.path().join("s2").join(file), place.path().join("half").join(file)).unwrap();
    }
    let other = SWEEP.replace("epochs = 60", "epochs = 20");
    std::fs::write(place.path().join("other.toml"), other).unwrap();
    let foreign = robustness(place.path())
        .args(["--sweep", "other.toml", "--shard", "2/3", "--out", "foreign"])
        .output()
        .unwrap();
    assert!(foreign.status.success());
    for (folders, expected) in [
        (&["s1", "s2"][..], "shard 3/3 is missing, expected all 3"),
        (&["s1", "s2", "s2"], "s2: shard 2/3 as s2 is; expected each shard once"),
        (&["s1", "s2", "s3", "whole"], "whole: shard 1/1, but s1 is shard 1/3"),
        (&["s1", "foreign", "s3"], "foreign: another sweep than s1"),
        (&["s1", "half", "s3"], "half: 3 of its runs have not ended"),
        (&["s1", "nowhere"], "nowhere: no such folder"),
        (&["s1", "."], ".: no sweep in this folder"),
    ] {
        let output = merge(folders).args(["--out", "never"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{folders:?}");
        assert!(one_line(&output).contains(expected), "{}", one_line(&output));
        assert!(!place.path().join("never").exists());
    }

    // A point more does one run more.
    let more = SWEEP.replace("values = [0.25, 0.5, 1.0]", "values = [0.25, 0.5, 1.0, 0.75]");
    std::fs::write(place.path().join("more.toml"), more).unwrap();
    let files = || std::fs::read_dir(place.path().join("merged/runs")).unwrap().count();
    let count = files();
    let output = robustness(place.path())
        .args(["--resume", "--sweep", "more.toml", "--out", "merged"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(files(), count + 1);
}

#[test]
fn a_run_that_fails_is_told_with_its_reason_and_may_be_tried_again() {
    let place = tempfile::tempdir().unwrap();
    let sweep = "[base]\ntrain-samples = 100\nepochs = 3\nreplicas = 2\n[[axis]]\nname = \"width\"\n\
                 option = \"hidden\"\nvalues = [2000000000, 3]\n";
    std::fs::write(place.path().join("sweep.toml"), sweep).unwrap();
    let failed = |args: &[&str]| {
        let output = robustness(place.path())
            .args(args)
            .args(["--out", "out"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(one_line(&output).contains("1 of 3 runs failed, the others are complete: out/runs.csv"));
        let text = std::fs::read_to_string(place.path().join("out/runs.csv")).unwrap();
        assert_eq!(text.matches(",done,").count(), 2, "{text}");
        assert!(text.contains("GB of memory at least"), "{text}");
        assert!(place.path().join("out/report.html").exists());
        let failure = std::fs::read_dir(place.path().join("out/runs"))
            .unwrap()
            .find_map(|entry| {
                let path = entry.unwrap().path();
                let is_it = std::fs::read_to_string(&path).unwrap().contains("\"failed\"");
                is_it.then(|| path.metadata().unwrap().modified().unwrap())
            });
        failure.unwrap()
    };
    let first = failed(&["--sweep", "sweep.toml"]);
    // Only if it is asked for.
    assert_eq!(failed(&["--resume"]), first);
    assert!(failed(&["--resume", "--retry"]) > first);
}

#[test]
fn a_sweep_that_is_none_is_one_line_with_its_key_and_line() {
    let place = tempfile::tempdir().unwrap();
    let ok = "[[axis]]\nname = \"a\"\n";
    for (text, expected) in [
        ("tolerance = ", "line 1: "),
        ("tolerance = -1", "line 1: tolerance: expected a positive number"),
        ("\nguard = 0", "line 2: guard: expected a whole number"),
        ("[base]\n\nlrr = 1", "line 3: lrr: no option of `disentangle inversion`"),
        ("[base]\nlr = \"fast\"", "line 2: lr: "),
        ("[base]\nthreads = 2", "line 2: threads: it means nothing in a sweep"),
        (
            "[base]\nactivation = \"swish\"",
            "line 2: --activation 'swish': expected ",
        ),
        ("[base]\ndata = \"nowhere\"", "line 2: --data: nowhere"),
        (
            "[base]\ntrain-samples = 9999",
            "line 2: --train-samples, --data-offset: ",
        ),
        ("axis = 3", "line 1: axis: expected [[axis]]"),
        ("[[axis]]\nvalues = [1]", "line 1: an axis without a name"),
        (
            ok,
            "line 1: axis 'a': expected one of values (with option), points and grid",
        ),
        (
            "[[axis]]\nname = \"a\"\nvalues = [1]",
            "line 3: values: expected option",
        ),
        (
            "[[axis]]\nname = \"a\"\noption = \"speed\"\nvalues = [1]",
            "line 3: option: 'speed' is no option",
        ),
        (
            "[[axis]]\nname = \"a\"\noption = \"lr\"\nvalues = [0.1, -2]",
            "line 4: --lr -2: expected a positive number",
        ),
        (
            "[[axis]]\nname = \"a\"\npoints = [\n  { lr = 0.1 },\n  { lr = 0.1, momentum = 2 },\n]",
            "line 5: --momentum 2: expected at least 0 and below 1",
        ),
        (
            "[[axis]]\nname = \"a\"\ngrid = { lr = 3 }",
            "line 3: lr: expected a list of values",
        ),
        (
            "[[axis]]\nname = \"a\"\noption = \"lr\"\nvalues = [0.1, 0.1]",
            "axis 'a' has two points '0.1'",
        ),
        (
            "[[axis]]\nname = \"a\"\ncolour = 1\noption = \"lr\"\nvalues = [0.1]",
            "line 3: colour: an unknown key, expected name, compare, guard,",
        ),
        (
            "[[axis]]\nname = \"a\"\noption = \"lr\"\nvalues = [0.1]\n[[axis]]\nname = \"a\"\noption = \"lr\"\nvalues = [0.2]",
            "line 6: name: 'a' is the name of another axis",
        ),
    ] {
        std::fs::write(place.path().join("sweep.toml"), text).unwrap();
        let output = robustness(place.path())
            .args(["--sweep", "sweep.toml", "--out", "out"])
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(2),
            "{text}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let line = one_line(&output);
        assert!(
            line.contains(&format!("sweep.toml, {expected}")) || line.contains(expected),
            "{text}: {line}"
        );
        assert!(line.starts_with("disentangle: sweep.toml, line "), "{line}");
        assert!(!place.path().join("out").exists());
    }
    for (args, expected) in [
        (&["--shard", "4/3"][..], "--shard '4/3': expected i/n"),
        (&["--sweep", "absent.toml"], "absent.toml: cannot read the sweep"),
        (
            &["--save-weights", "all"],
            "--save-weights: it means nothing in a sweep",
        ),
        (&["--lr", "0"], "--lr 0: expected a positive number"),
        (&["--retry"], "--resume"),
    ] {
        let output = robustness(place.path()).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(one_line(&output).contains(expected), "{}", one_line(&output));
        assert!(!place.path().join("runs").exists());
    }
}

#[test]
fn a_sweep_follows_metrics_and_the_verdicts_stay() {
    let (place, plain, length) = place();
    let metrics = "silhouette,nc4,class-distance";
    let options = ["--metrics", metrics, "--measure-every", "5"];
    let output = robustness(place.path())
        .args(["--sweep", "sweep.toml", "--out", "followed", "--threads", "2"])
        .args(options)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let followed = results(&place.path().join("followed"));
    let rows = |results: &BTreeMap<String, Vec<u8>>, papers: bool| -> Vec<String> {
        let text = String::from_utf8(results["robustness.csv"].clone()).unwrap();
        let is_papers = |line: &&str| {
            let quantity = ["gyration_radius", "centroid_distance", "stop", "quantity"];
            quantity.iter().any(|start| line.contains(&format!(",{start}")))
        };
        let lines = text.lines().filter(|line| is_papers(line) == papers);
        lines.map(str::to_owned).collect()
    };
    // Those of the papers are what they were, and each place has its metrics beside them: three class distances, two others;
    // the point with two layers has them twice.
    assert_eq!(rows(&plain, true), rows(&followed, true));
    assert_eq!(rows(&plain, false).len(), 0);
    assert_eq!(rows(&followed, false).len(), (1 + 3 + 2 + 2) * 5);
    let of_layer = |layer: &str| {
        let start = format!("optimizer,nesterov,{layer},silhouette,");
        rows(&followed, false)
            .iter()
            .filter(|row| row.starts_with(&start))
            .count()
    };
    assert_eq!((of_layer("1"), of_layer("2")), (1, 1));
    let numbers = |results: &BTreeMap<String, Vec<u8>>| -> serde_json::Value {
        let summary: serde_json::Value = serde_json::from_slice(&results["summary.json"]).unwrap();
        summary["numbers"].clone()
    };
    let (before, after) = (numbers(&plain), numbers(&followed));
    for (name, number) in before.as_object().unwrap() {
        assert_eq!(&after[name], number, "{name}");
    }
    assert!(after.as_object().unwrap().contains_key("base_silhouette_epoch_mean"));
    let words = String::from_utf8(followed["summary.json"].clone()).unwrap();
    assert!(
        words.contains("Metrics that are followed turn in the base: class_distance_0_0 in "),
        "{words}"
    );
    // Forests show what they showed.
    for name in ["figures/robustness-error.svg", "figures/robustness-epoch.svg"] {
        assert!(plain[name] == followed[name], "{name}");
    }

    // Killed half way, and begun again with other threads.
    let mut child = robustness(place.path())
        .args(["--sweep", "sweep.toml", "--out", "cut"])
        .args(options)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(length / 2);
    let _ = child.kill();
    child.wait().unwrap();
    if !place.path().join("cut/plan.json").exists() {
        let _ = std::fs::remove_dir_all(place.path().join("cut"));
    }
    let mut command = robustness(place.path());
    match place.path().join("cut").exists() {
        true => command.args(["--resume", "--threads", "1"]),
        false => command.args(["--sweep", "sweep.toml"]).args(options),
    };
    let output = command.args(["--out", "cut"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_same(&place.path().join("cut"), &followed, "killed");
}
