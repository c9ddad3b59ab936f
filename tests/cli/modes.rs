//! `disentangle modes` as a user meets it.

use super::{Place, stderr, stdout};

/// The folder of a run, which must succeed.
fn run(place: &Place, words: &str) -> String {
    let args: Vec<&str> = words.split_whitespace().collect();
    let output = place.run(&args);
    assert_eq!(output.status.code(), Some(0), "{words}: {}", stderr(&output));
    stdout(&output)
}

#[test]
fn an_experiment_leaves_its_folder_and_repeats() {
    let place = Place::new();
    let race = "modes race --initial 0.1,0.01 --dt 0.01 --quiet";
    let said = run(&place, &format!("{race} --out a"));
    assert!(
        said.contains("report.html") && said.contains("ratio of the times"),
        "{said}"
    );
    for file in [
        "race.csv",
        "distances.csv",
        "summary.json",
        "config.toml",
        "run.json",
        "report.html",
    ] {
        assert!(place.path(&format!("a/{file}")).is_file(), "{file}");
    }
    assert!(place.path("a/figures/race.svg").is_file());
    let page = place.read("a/report.html");
    assert!(page.contains("derived") && page.contains("trained - theory"), "{page}");
    run(&place, "modes race --config a/config.toml --threads 1 --out b --quiet");
    for file in ["race.csv", "distances.csv", "summary.json", "figures/race.svg"] {
        assert_eq!(
            place.read(&format!("a/{file}")),
            place.read(&format!("b/{file}")),
            "{file}"
        );
    }
    let json: serde_json::Value = serde_json::from_str(&run(&place, &format!("{race} --json --out c"))).unwrap();
    assert_eq!(json["tables"]["race"].as_array().unwrap().len(), 2);
    assert_eq!(json["beyond_expected"], 0, "{json}");
}

#[test]
fn the_phase_diagram_does_not_depend_on_threads() {
    let place = Place::new();
    let phase = "modes phase --grid 70 --samples 5000 --networks 300 --widths 1,3 --quiet";
    for (threads, out) in [(1, "one"), (2, "two")] {
        run(&place, &format!("{phase} --threads {threads} --out {out}"));
    }
    for file in ["phase.csv", "failure-rate.csv", "distances.csv"] {
        assert_eq!(
            place.read(&format!("one/{file}")),
            place.read(&format!("two/{file}")),
            "{file}"
        );
    }
    let table = place.read("one/phase.csv");
    assert_eq!(table.lines().count(), 1 + 70 * 70);
    assert!(table.contains("dies") && table.contains("learns") && table.contains("silent"));
}

#[test]
fn bad_input_is_one_line() {
    let place = Place::new();
    for (words, part) in [
        ("modes", "curves, phase, race or starvation"),
        ("modes rase", "rase"),
        (
            "modes race --initial 2",
            "--initial '2': expected numbers from 1e-12 to 0.9",
        ),
        ("modes race --initial 0.1,0.1", "each once"),
        ("modes race --grid 5", "`modes race` does not know it"),
        (
            "modes curves --frequencies 0.5",
            "--frequencies '0.5': expected two numbers",
        ),
        ("modes curves --dt 7", "--dt '7'"),
        ("modes curves --dt 1e-9", "steps, expected 1 to"),
        ("modes curves --depths 1", "--depths '1'"),
        (
            "modes phase --loss mse",
            "--loss 'mse': expected cross-entropy or hinge",
        ),
        ("modes phase --reach -1", "--reach '-1'"),
        ("modes phase --grid 1", "--grid 1: expected 2 to 4096"),
        ("modes starvation --lambda 1", "--lambda '1'"),
        ("modes starvation --delta 0.5", "--delta '0.5'"),
        ("modes starvation --study moons", "--study 'moons': expected two-moons"),
        ("modes starvation --study coloured-mnist", "expected --data"),
        ("modes starvation --study coloured-mnist --data absent", "absent"),
        (
            "modes starvation --study two-moons --centres 1",
            "--centres '1': expected two numbers from -100 to 100",
        ),
        ("modes starvation --study brightness --pair 3", "expected two labels"),
        ("modes starvation --study brightness --pair 3,77", "77"),
        ("modes starvation --study two-moons --lambda 0.1", "does not know it"),
        ("modes race --resume --out nowhere", "nowhere"),
        ("modes race --device tpu", "tpu"),
    ] {
        let args: Vec<&str> = words.split_whitespace().collect();
        let line = place.refused_args(&args);
        assert!(line.contains(part), "{words}: {line}");
    }
    place.write("bad.toml", "grid = 5\nnonsense = 1\n");
    let line = place.refused_args(&["modes", "phase", "--config", "bad.toml"]);
    assert!(line.contains("bad.toml, line 2"), "{line}");
}
