//! `--config`: what a run wrote runs it again, the command line wins, and what is wrong is told with its line.

use super::{Place, stdout};

#[test]
fn a_configuration_that_cannot_be() {
    let place = Place::new();
    for (text, parts) in [
        ("lr = ", &["line 1"][..]),
        (
            "epochs = 3\nlearning-rate = 1",
            &["line 2", "learning-rate", "expected"],
        ),
        ("epochs = 3\n\nreplicas = \"ten\"", &["line 3", "string", "expected"]),
        ("epochs = 1.5", &["line 1", "expected"]),
        ("epochs = -1", &["line 1", "-1"]),
        ("lr = \"0.1\"", &["line 1", "string"]),
        ("hidden = [20, 20]", &["line 1", "expected a string or a whole number"]),
        ("hidden = 2.5", &["line 1", "expected a string or a whole number"]),
        ("lr = 0.0", &["--lr 0", "positive"]),
        ("lr = nan", &["--lr NaN", "positive"]),
        ("loss = \"l1\"", &["--loss 'l1'", "expected"]),
        ("batch = 0", &["--batch '0'"]),
        ("[inversion]\nlr = 1", &["line 1", "inversion"]),
        ("lr = 1.0\nlr = 2.0", &["line 2", "duplicate"]),
        ("out = \"elsewhere\"", &["line 1", "out"]),
        ("\u{0}", &["line 1"]),
    ] {
        place.write("c.toml", text);
        let line = place.refused("--config c.toml");
        for part in parts {
            assert!(line.contains(part), "{text:?}: {part:?} is not in {line:?}");
        }
    }
    place.write("c.toml", b"lr = \xff");
    for path in ["c.toml", "nowhere.toml", "."] {
        let line = place.refused(&format!("--config {path}"));
        assert!(
            line.contains(path) && line.contains("cannot read the configuration"),
            "{line}"
        );
    }
    assert!(!place.path("runs").exists());
}

#[test]
fn what_a_run_wrote_runs_it_again_to_the_same_bits() {
    let place = Place::new();
    let words = "--replicas 2 --epochs 8 --train-samples 300 --data-offset 7 --subset random --labels 3,5 --hidden 6,5 --layer all \
                 --activation gelu --loss squared-hinge:0.3 --optimizer nesterov --momentum 0.9 --lr 1e-3 --l2 1e-7 \
                 --weight-decay 0.00012345678901234567 --batch 64 --schedule step:3:0.5 --seed 9223372036854775807 \
                 --first-replica 5 --standardize global --initializer normal:1.5 --test-every 3 \
                 --snnl-weight 0.25 --snnl-layer 1 --snnl-temperature 0.7";
    place.inversion(&format!("{words} --out a"));
    place.inversion("--config a/config.toml --out b");
    // The command that the run wrote down, word for word.
    let run: serde_json::Value = serde_json::from_str(&place.read("a/run.json")).unwrap();
    let command = run["command"].as_str().unwrap();
    let again = command.strip_prefix("disentangle inversion ").unwrap();
    place.inversion(&format!("{again} --out c"));
    for other in ["b", "c"] {
        for file in ["epochs.csv", "summary.json", "stragglers.csv", "config.toml"] {
            assert_eq!(
                place.read(&format!("a/{file}")),
                place.read(&format!("{other}/{file}")),
                "{other}/{file}"
            );
        }
    }
    for option in words.split_whitespace().filter(|word| word.starts_with("--")) {
        assert!(command.contains(&format!("{option} ")), "{option} is not in {command}");
    }
    assert!(place.read("a/report.html").contains("--schedule step:3:0.5"));
}

#[test]
fn the_command_line_wins_over_the_file() {
    let place = Place::new();
    place.write(
        "c.toml",
        "epochs = 3\nreplicas = 2\nhidden = 4\ntrain-samples = 60\nlabels = \"3,5\"\n",
    );
    place.inversion("--config c.toml --epochs 5 --labels parity --out a");
    let table = place.table("a");
    assert_eq!(table.rows.len(), 2 * 6);
    let config: toml::Table = place.read("a/config.toml").parse().unwrap();
    assert_eq!(config["epochs"].as_integer(), Some(5));
    assert_eq!(config["labels"].as_str(), Some("parity"));
    assert_eq!(config["hidden"].as_str(), Some("4"));

    // Weights from a file replace an initialiser, and the other way round, whichever is on the command line.
    place.inversion("--config a/config.toml --init a/weights/final.safetensors --out b");
    assert!(!place.read("b/config.toml").contains("initializer"));
    place.inversion("--config b/config.toml --initializer orthogonal --out c");
    assert!(!place.read("c/config.toml").contains("init = "));
}

#[test]
fn a_path_with_blanks_and_quotes_is_written_so_that_a_shell_takes_it() {
    let place = Place::new();
    super::write_idx_folder(&place.path("it's my data"), &[0, 1, 2, 3], &[1]);
    let out = place.run(&[
        "inversion",
        "--data",
        "it's my data",
        "--epochs",
        "1",
        "--json",
        "--out",
        "a",
    ]);
    assert_eq!(out.status.code(), Some(0));
    let run: serde_json::Value = serde_json::from_str(&place.read("a/run.json")).unwrap();
    let line = run["command"].as_str().unwrap();
    assert!(line.contains(r"--data 'it'\''s my data'"), "{line}");
    let line = line.replacen("disentangle", env!("CARGO_BIN_EXE_disentangle"), 1);
    let mut shell = std::process::Command::new("sh");
    let again = shell.args(["-c", &format!("{line} --json --out b")]);
    let again = super::checked(again.current_dir(place.folder.path()).output().unwrap());
    assert_eq!((again.status.code(), stdout(&again)), (Some(0), stdout(&out)));
    assert_eq!(place.read("a/epochs.csv"), place.read("b/epochs.csv"));
}
