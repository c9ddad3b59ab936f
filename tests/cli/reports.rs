//! `disentangle report`: a page made again from the files of a run, and several runs on one page.

use std::fs;
use std::path::Path;

use super::{Place, stdout, write_idx_folder};

/// Name and bytes of every file below a folder.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn a_page_is_made_again_to_the_same_bytes() {
    let place = Place::new();
    let labels: Vec<u8> = (0..80).map(|k| k % 5).collect();
    for (n, words) in [
        "--replicas 3 --epochs 45 --train-samples 900",
        "--replicas 2 --epochs 30 --train-samples 500 --hidden 6,4 --layer all --loss hinge:0.3 --labels 3,5,8",
        "--replicas 1 --epochs 25 --train-samples 300 --device reference --test-every 0",
        "--replicas 2 --epochs 25 --data d --hidden 4",
        "--replicas 2 --epochs 0 --train-samples 300",
        "--replicas 2 --epochs 4 --train-samples 300 --activation identity --loss mse --lr 1e30",
    ]
    .into_iter()
    .enumerate()
    {
        write_idx_folder(&place.path("d"), &labels, &labels);
        let run = format!("r{n}");
        place.inversion(&format!("{words} --quiet --out {run}"));
        let folder = place.path(&run);
        let before = files(&folder);
        assert!(
            before
                .iter()
                .any(|(name, _)| name.ends_with("exhibits/movie.safetensors")),
            "{words}"
        );
        fs::remove_dir_all(folder.join("figures")).unwrap();
        fs::write(folder.join("report.html"), "spoilt").unwrap();
        // Neither the data nor the place in which it ran are needed.
        fs::remove_dir_all(place.path("d")).unwrap();
        let moved = place.path("moved");
        fs::rename(&folder, &moved).unwrap();
        let output = place.run(&["report", "moved"]);
        assert_eq!(
            (output.status.code(), stdout(&output).as_str()),
            (Some(0), "moved/report.html\n")
        );
        fs::rename(&moved, &folder).unwrap();
        for ((name, new), (_, old)) in files(&folder).iter().zip(&before) {
            assert!(new == old, "{words}: {name} differs");
        }
        assert_eq!(files(&folder).len(), before.len(), "{words}");
    }
    let page = place.read("r0/report.html");
    assert!(page.contains("id=\"film-data\"") && page.contains("class=\"cards\""));
}

#[test]
fn several_runs_are_compared_whatever_their_networks_and_classes() {
    let place = Place::new();
    place.inversion("--replicas 3 --epochs 50 --train-samples 900 --quiet --out x/run");
    place.inversion("--replicas 2 --epochs 30 --train-samples 900 --hidden 40,7 --seed 3 --quiet --out y/run");
    place.inversion("--replicas 2 --epochs 25 --train-samples 700 --labels all --test-every 0 --quiet --out ten");
    let page = |args: &[&str]| -> String {
        let output = place.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", super::stderr(&output));
        let text = stdout(&output);
        place.read(text.strip_suffix('\n').unwrap())
    };
    let two = page(&["report", "x/run", "y/run"]);
    assert!(
        place
            .path("runs/comparison-1/figures/gyration-radius-even-by-error.svg")
            .exists()
    );
    assert!(
        two.contains("<h1>Comparison of 2 runs</h1>") && two.contains("<b>x/run</b>") && two.contains("<b>y/run</b>")
    );
    // The table says what summary.json says.
    let summary: serde_json::Value = serde_json::from_str(&place.read("x/run/summary.json")).unwrap();
    let stop = summary["mean"]["stop_epoch"].as_f64().unwrap();
    let row = two.split("<th scope=\"row\">Stop epoch</th><td>").nth(1).unwrap();
    let told: f64 = row.split([' ', '<']).next().unwrap().parse().unwrap();
    // It is rounded to the place of its deviation, which has two digits.
    assert!((told - stop).abs() <= 0.5, "{told} {stop}");
    // What differs is in its table, what does not is not.
    let differences = two
        .split("id=\"differences-title\"")
        .nth(1)
        .unwrap()
        .split("<details>")
        .next()
        .unwrap();
    for (option, differs) in [
        ("hidden", true),
        ("seed", true),
        ("epochs", true),
        ("loss", false),
        ("labels", false),
    ] {
        assert_eq!(
            differences.contains(&format!("<th scope=\"row\">{option}</th>")),
            differs,
            "{option}"
        );
    }
    let three = page(&["report", "x/run", "y/run", "ten", "--out", "c"]);
    assert!(three.contains("mean of all classes") && three.contains("mean of all pairs of classes"));
    for loading in ["http:", "https:", "src=", "<script", "@import", "url(", "<link", "<img"] {
        assert!(!three.contains(loading), "{loading}");
    }
    assert!(three.len() < 1_000_000);
    let before = files(&place.path("c"));
    let line = place.refused_args(&["report", "x/run", "ten", "--out", "c"]);
    assert!(line.contains("c: the folder is not empty"), "{line}");
    assert_eq!(files(&place.path("c")), before);
    // A comparison is no run.
    let line = place.refused_args(&["report", "c"]);
    assert!(line.contains("c: no run in this folder; expected one"), "{line}");
}

#[test]
fn folders_that_cannot_be_compared() {
    let place = Place::new();
    place.inversion("--replicas 1 --epochs 1 --train-samples 60 --quiet --out a");
    for (args, part) in [
        (&["report"][..], "DIR"),
        (&["report", "a", "a/../a"], "a/../a: given twice"),
        (&["report", "a", "--out", "b"], "--out b: expected two or more folders"),
        (
            &["report", "a", "nowhere"],
            "nowhere: no such folder; expected one that",
        ),
        (&["report", "a/run.json"], "a/run.json: no such folder"),
        (&["report", "a", "--force"], "unexpected argument '--force'"),
        (
            &[
                "report", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m",
            ],
            "13 folders: expected at most 12",
        ),
    ] {
        let line = place.refused_args(args);
        assert!(line.contains(part), "{args:?}: {part:?} is not in {line:?}");
    }
    assert!(!place.path("runs").exists() && !place.path("b").exists());
}

#[test]
fn a_damaged_or_unfinished_run_is_one_line() {
    let place = Place::new();
    place.inversion("--replicas 2 --epochs 45 --train-samples 900 --quiet --out a");
    let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    type Spoil<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;
    let text = |spoil: fn(&str) -> String| move |bytes: &[u8]| spoil(std::str::from_utf8(bytes).unwrap()).into_bytes();
    let cases: [(&str, Spoil, &[&str]); 14] = [
        (
            "run.json",
            &half,
            &["a/run.json, line ", "expected the record of an inversion run"],
        ),
        (
            "run.json",
            &text(|t| t.replace("\"classes\"", "\"klasses\"")),
            &["a/run.json", "missing field `classes`"],
        ),
        (
            "run.json",
            &text(|t| t.replace("training_seconds", "seconds")),
            &["a: the run has not ended", "--resume --out a"],
        ),
        (
            "epochs.csv",
            &|b| b[..b.len() - 3].to_vec(),
            &["a/epochs.csv, line 93: expected a newline", "cut off"],
        ),
        (
            "epochs.csv",
            &text(|t| t.lines().take(60).map(|line| format!("{line}\n")).collect()),
            &["a/epochs.csv: expected 46 rows of each replica, not 13 of replica 1"],
        ),
        (
            "epochs.csv",
            &text(|t| t.replacen(",0.", ",zero.", 1)),
            &["a/epochs.csv, line 2: expected a"],
        ),
        ("epochs.csv", &|_| vec![0xff, 0xfe], &["a/epochs.csv"]),
        (
            "stragglers.csv",
            &text(|t| t.replace("replica,", "r,")),
            &["a/stragglers.csv, line 1: expected a header"],
        ),
        (
            "summary.json",
            &|_| Vec::new(),
            &["a/summary.json, line 1", "expected a summary"],
        ),
        (
            "exhibits/index.json",
            &half,
            &["a/exhibits/index.json, line 1: expected the index of exhibits"],
        ),
        (
            "exhibits/index.json",
            &text(|t| t.replacen("\"columns\":", "\"columns\":0,\"were\":", 1)),
            &["expected a layout that holds all pictures"],
        ),
        (
            "exhibits/index.json",
            &text(|t| t.replacen("\"inversion\":", "\"inversion\":9", 1)),
            &["expected an inversion that is one of the frames"],
        ),
        ("exhibits/movie.safetensors", &half, &["a/exhibits/movie.safetensors"]),
        (
            "exhibits/movie.safetensors",
            &|_| Vec::new(),
            &["a/exhibits/movie.safetensors: empty"],
        ),
    ];
    for (file, spoil, parts) in cases {
        let path = place.path(&format!("a/{file}"));
        let good = fs::read(&path).unwrap();
        fs::write(&path, spoil(&good)).unwrap();
        let line = place.refused_args(&["report", "a"]);
        for part in parts {
            assert!(line.contains(part), "{file}: {part:?} is not in {line:?}");
        }
        fs::write(&path, good).unwrap();
    }
    for file in [
        "epochs.csv",
        "summary.json",
        "exhibits/index.json",
        "exhibits/pictures.png",
        "exhibits/movie.safetensors",
    ] {
        let path = place.path(&format!("a/{file}"));
        let good = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(place.refused_args(&["report", "a"]).contains(&format!("a/{file}")));
        fs::write(&path, good).unwrap();
    }
    fs::write(place.path("a/checkpoint.safetensors"), "x").unwrap();
    assert!(
        place
            .refused_args(&["report", "a"])
            .contains("a: the run has not ended")
    );
    fs::remove_file(place.path("a/checkpoint.safetensors")).unwrap();
    assert_eq!(place.run(&["report", "a"]).status.code(), Some(0));
}
