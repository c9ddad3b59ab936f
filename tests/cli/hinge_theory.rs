//! `hinge-theory` as a user meets it.

use std::fs;
use std::process::Output;

use super::{Place, stderr};

fn hinge(place: &Place, words: &str) -> Output {
    let args: Vec<&str> = std::iter::once("hinge-theory")
        .chain(words.split_whitespace())
        .collect();
    place.run(&args)
}

const SMALL: &str = "--nodes 40 --samples 300 --dimension 10 --steps 60 --test-samples 200 --records 12 --threads 1";

#[test]
fn a_run_leaves_its_tables_figures_and_page() {
    let place = Place::new();
    let output = hinge(&place, &format!("{SMALL} --seed 3 --out run --json"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let case = &summary["cases"][0];
    assert_eq!(case["nodes"], 40);
    // 40 nodes and 300 examples: their noise is some tens of percent, not more.
    let apart = case["distance_until_overfitting"]["nodes_relative_l2"]
        .as_f64()
        .unwrap();
    assert!(apart > 0.0 && apart < 0.5, "{apart}");
    let run = place.path("run");
    let states = fs::read_to_string(run.join("states.csv")).unwrap();
    assert!(states.starts_with("case,t,gamma,gamma_theory,unsatisfied,"), "{states}");
    assert!(states.contains("\n0,60,"), "{states}");
    for (file, rows) in [("nodes.csv", 10), ("satisfaction.csv", 3), ("examples.csv", 300)] {
        let text = fs::read_to_string(run.join(file)).unwrap();
        assert!(text.lines().count() > rows, "{file}");
    }
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    for name in [
        "nodes-a",
        "nodes-w-par",
        "gamma",
        "satisfaction",
        "plane-0",
        "unsatisfied",
        "loss",
        "errors",
    ] {
        assert!(page.contains(&format!("<figure id=\"{name}\">")), "{name}");
        let file = fs::read_to_string(run.join(format!("figures/{name}.svg"))).unwrap();
        roxmltree::Document::parse(&file).unwrap();
    }
    assert!(page.contains("derived") && page.contains("M = 40, N = 300"));
    assert!(!run.join("checkpoint-0.safetensors").exists());
    // Its configuration repeats it, whatever the number of threads.
    let again = hinge(&place, "--config run/config.toml --threads 2 --out again --quiet");
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    for file in [
        "states.csv",
        "nodes.csv",
        "satisfaction.csv",
        "examples.csv",
        "summary.json",
    ] {
        let read = |folder: &str| fs::read(place.path(folder).join(file)).unwrap();
        assert!(read("run") == read("again"), "{file}");
    }
}

#[test]
fn sweeps_and_images_are_drawn_side_by_side() {
    let place = Place::new();
    let output = hinge(
        &place,
        &format!("{SMALL} --alpha 0.5,50 --initial-output subtract --out sweep"),
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("alpha 0.5") && text.contains("alpha 50") && text.contains("report.html"),
        "{text}"
    );
    let page = fs::read_to_string(place.path("sweep/report.html")).unwrap();
    assert!(page.contains("id=\"plane-1\"") && page.contains("lazy") && page.contains("id=\"one-curve\""));
    // The same nodes on the sphere: the curve of the first is there to compare with.
    let output = hinge(
        &place,
        &format!("{SMALL} --distribution gaussian,sphere --initial-output subtract --out clocks --json"),
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(summary["cases"][0]["curve_beside_first"].is_null());
    let beside = &summary["cases"][1]["curve_beside_first"];
    let (nodes, worst) = (
        beside["nodes_relative_l2"].as_f64().unwrap(),
        beside["worst_node"].as_f64().unwrap(),
    );
    assert!(
        nodes > 0.0 && worst >= nodes && beside["states"].as_u64().unwrap() > 2,
        "{beside}"
    );
    let curves = fs::read_to_string(place.path("clocks/curves.csv")).unwrap();
    assert_eq!(
        curves.lines().count() as u64,
        1 + beside["states"].as_u64().unwrap(),
        "{curves}"
    );
    let images = "--figure 5 --nodes 40 --steps 40 --samples 200 --records 10 --threads 1 --out images --quiet";
    let output = hinge(&place, images);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let page = fs::read_to_string(place.path("images/report.html")).unwrap();
    assert!(page.contains("|&lt;y x&gt;|") && page.contains("id=\"gamma\""));
}

#[test]
fn studies_without_training_leave_their_folders() {
    let place = Place::new();
    for (study, options, tables) in [
        ("equations", "", ["equations.csv", "reference.csv"]),
        (
            "frozen-nodes",
            "--gammas 0.5,1 --replicas 3 --nodes 20 --dimension 5 --test-samples 50 --threads 1",
            ["frozen-nodes.csv", "distances.csv"],
        ),
    ] {
        let output = hinge(&place, &format!("--study {study} {options} --out {study} --quiet"));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(
            !String::from_utf8(output.stdout).unwrap().contains("does not hold"),
            "{study}"
        );
        for file in tables {
            assert!(place.path(study).join(file).is_file(), "{study}: {file}");
        }
        let page = fs::read_to_string(place.path(study).join("report.html")).unwrap();
        assert!(page.contains("Pellegrini") && page.contains("derived"), "{study}");
        let again = hinge(
            &place,
            &format!("--config {study}/config.toml --out {study}-again --quiet"),
        );
        assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
        let read = |folder: &str| fs::read(place.path(folder).join(tables[0])).unwrap();
        assert!(read(study) == read(&format!("{study}-again")), "{study}");
    }
}

#[test]
fn what_is_wrong_is_one_line() {
    let place = Place::new();
    for (words, line) in [
        ("--figure 9", "--figure 9: expected 1"),
        (
            "--alpha 1,x",
            "--alpha '1,x': 'x' is none, expected numbers between commas",
        ),
        (
            "--alpha 1,2 --noise 0,0.1",
            "--alpha, --noise: each has several values, expected one sweep at a time",
        ),
        ("--noise 0.6", "--noise 0.6: expected at least 0 and below 0.5"),
        ("--alpha -1", "--alpha -1: expected a positive number"),
        ("--threshold 0", "--threshold 0: expected a positive number"),
        ("--beta fast", "--beta: expected a positive number or auto"),
        ("--beta nan", "--beta NaN: expected a positive number"),
        ("--unit tanh", "--unit 'tanh': expected relu or linear"),
        (
            "--nodes 30 --initial reflected",
            "--nodes 30: expected a multiple of 4 with --initial reflected",
        ),
        ("--nodes 0", "--nodes 0: expected at least 1"),
        ("--samples 0", "--samples 0: expected at least 1"),
        ("--dimension 1", "--dimension 1: expected at least 2"),
        ("--steps 0", "--steps 0: expected 1 to 100000000"),
        ("--samples 4000000000 --dimension 100", "expected at most 2e9 numbers"),
        ("--study all", "--study 'all': expected equations or frozen-nodes"),
        (
            "--study equations --alpha 2",
            "--alpha: not an option of --study equations",
        ),
        (
            "--study frozen-nodes --gammas 0",
            "--gammas 0: expected numbers above 0",
        ),
        ("--study frozen-nodes --gammas 1,x", "--gammas '1,x': 'x' is none"),
        (
            "--study frozen-nodes --dimension 1",
            "--dimension 1: expected at least 2",
        ),
        (
            "--gammas 1",
            "--gammas: not an option of anything but --study frozen-nodes",
        ),
        (
            "--distribution gaussian,cube",
            "--distribution 'cube': expected gaussian or sphere",
        ),
        (
            "--distribution gaussian,sphere --alpha 1,2",
            "--distribution, --alpha: each has several values",
        ),
        ("--data nowhere", "--data: not an option of anything but --figure 5"),
        ("--figure 5 --data nowhere", "nowhere"),
        ("--figure 5 --labels all", "expected a rule with two"),
        ("--figure 5 --dimension 9", "--dimension: not an option of --figure 5"),
        ("--replicas 0", "--replicas 0: expected at least 1"),
        ("--resume", "--out"),
        ("--resume --out nowhere", "nowhere"),
        ("--config nowhere.toml", "nowhere.toml: cannot read the configuration"),
        ("--device cuda", "--device 'cuda'"),
        ("--checkpoint-every 0", "--checkpoint-every 0"),
    ] {
        let output = hinge(&place, words);
        let found = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{words}: {found}");
        assert!(found.contains(line) && found.lines().count() == 1, "{words}: {found}");
        assert!(output.stdout.is_empty() && !place.path("runs").exists(), "{words}");
    }
}
