//! `--save-activations` and `--save-weights`: which files, what is in them, and that they change nothing else.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Place, stderr};

/// With steps so large that radii rise now and then: each replica has a stop.
const RUN: &str = "--replicas 3 --epochs 60 --train-samples 900 --hidden 8,6 --layer all --lr 2 --quiet";

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Epochs kept, replicas with a stop, type of the numbers, largest difference in units of its bound.
fn python(run: &Path) -> (usize, usize, String, f64) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let interpreter = root.join(".venv/bin/python");
    assert!(
        interpreter.is_file(),
        "no .venv with NumPy and safetensors; expected it to be made by tests/python_env.sh"
    );
    let output = Command::new(interpreter)
        .arg(root.join("tests/golden/kept.py"))
        .arg(run)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let text = super::stdout(&output);
    let words: Vec<&str> = text.split_whitespace().collect();
    (
        words[0].parse().unwrap(),
        words[1].parse().unwrap(),
        words[2].into(),
        words[3].parse().unwrap(),
    )
}

#[test]
fn numpy_reads_layers_and_weights_that_belong_together() {
    let place = Place::new();
    place.inversion(&format!("{RUN} --out plain"));
    let kept = names(&place.path("plain/weights"));
    assert_eq!(kept, ["final.safetensors", "initial.safetensors"]);
    assert!(!place.path("plain/activations").exists());

    place.inversion(&format!("{RUN} --save-activations all --save-weights all --out all"));
    place.inversion(&format!(
        "{RUN} --save-activations inversion --save-weights inversion --out stops"
    ));
    place.inversion(&format!(
        "{RUN} --save-activations 0,10,58-60 --save-weights none --out some"
    ));
    place.inversion(&format!(
        "{RUN} --save-activations 0-60 --save-weights 0-60 --device reference --out reference"
    ));
    for run in ["all", "stops", "some"] {
        for file in ["epochs.csv", "summary.json", "stragglers.csv"] {
            assert_eq!(
                place.read(&format!("{run}/{file}")),
                place.read(&format!("plain/{file}")),
                "{run}/{file}"
            );
        }
    }
    let (epochs, stops, kind, worst) = python(&place.path("all"));
    assert_eq!((epochs, stops, kind.as_str()), (61, 0, "float32"));
    assert!(worst <= 1.0, "{worst}");
    let (epochs, stops, _, worst) = python(&place.path("stops"));
    assert!(
        epochs == 0 && (1..=3).contains(&stops) && worst <= 1.0,
        "{stops} {worst}"
    );
    let (epochs, _, kind, worst) = python(&place.path("reference"));
    assert_eq!((epochs, kind.as_str()), (61, "float64"));
    assert!(worst <= 1.0, "{worst}");

    // The files of a stop are the slices of all.
    let table = place.read("stops/activations/inversion.csv");
    assert_eq!(place.read("stops/weights/inversion.csv"), table);
    for line in table.lines().skip(1) {
        let (replica, epoch) = line.split_once(',').unwrap();
        let all = npy(&place.path(&format!("all/activations/layer-2-epoch-{epoch}.npy")));
        let own = npy(&place.path(&format!("stops/activations/layer-2-inversion-replica-{replica}.npy")));
        let place: usize = replica.parse().unwrap();
        assert_eq!((all.0.as_slice(), own.0.as_slice()), (&[3, 900, 6][..], &[900, 6][..]));
        assert!(all.1[place * 5400..(place + 1) * 5400] == own.1, "replica {replica}");
    }
    let mut expected: Vec<String> = [0, 10, 58, 59, 60]
        .iter()
        .flat_map(|t| [1, 2].map(|layer| format!("layer-{layer}-epoch-{t}.npy")))
        .chain(["labels.npy".into(), "sample_index.npy".into()])
        .collect();
    expected.sort();
    assert_eq!(names(&place.path("some/activations")), expected);
    assert!(!place.path("some/weights").exists());
    for t in [0, 10, 58, 60] {
        let file = format!("activations/layer-1-epoch-{t}.npy");
        assert!(
            fs::read(place.path(&format!("some/{file}"))).unwrap()
                == fs::read(place.path(&format!("all/{file}"))).unwrap()
        );
    }
    // Weights of an epoch are where a run may begin, those of one replica too.
    let first = format!("{RUN} --init all/weights/epoch-0.safetensors --out again");
    place.inversion(&first);
    assert_eq!(place.read("again/epochs.csv"), place.read("plain/epochs.csv"));
    let ends = |name: &str| fs::read(place.path(name)).unwrap();
    assert!(ends("all/weights/epoch-60.safetensors") == ends("all/weights/final.safetensors"));
    assert!(ends("all/weights/final.safetensors") == ends("plain/weights/final.safetensors"));
}

fn npy(path: &Path) -> (Vec<usize>, Vec<f64>) {
    let array = disentangle::data::Npy::open(path).unwrap().to_array();
    (array.shape, array.values)
}

#[test]
fn mini_batches_are_kept_as_they_were_measured() {
    let place = Place::new();
    let run = "--replicas 2 --epochs 25 --train-samples 400 --hidden 8,6 --layer all --batch 64 --lr 0.1 --quiet";
    place.inversion(&format!("{run} --out plain"));
    place.inversion(&format!("{run} --save-activations all --save-weights all --out all"));
    assert_eq!(place.read("all/epochs.csv"), place.read("plain/epochs.csv"));
    let (epochs, _, _, worst) = python(&place.path("all"));
    assert!(epochs == 26 && worst <= 1.0, "{epochs} {worst}");
}

#[test]
fn the_size_is_told_before() {
    let place = Place::new();
    let words = "--replicas 2 --epochs 3 --train-samples 100 --hidden 5";
    let told =
        |save: &str, out: &str| stderr(&place.inversion(&format!("{words} --save-activations {save} --out {out}")));
    // 2 replicas, 100 rows, 5 units, 4 bytes: 4 kB an epoch.
    assert!(told("all", "a").contains("activations: 4 files, 16.0 kB in a/activations"));
    assert!(told("1-2", "b").contains("activations: 2 files, 8.0 kB in b/activations"));
    assert!(told("inversion", "c").contains("activations: at most 2 files, 4.0 kB in c/activations"));
    assert!(!told("none", "d").contains("activations"));
    assert!(
        !stderr(&place.inversion(&format!("{words} --quiet --save-activations all --out e"))).contains("activations")
    );
    // No replica came to a stop in 3 epochs.
    assert_eq!(place.read("c/activations/inversion.csv"), "replica,epoch\n");
}

#[test]
fn epochs_that_cannot_be() {
    let place = Place::new();
    for (given, parts) in [
        (
            "--save-activations 5-",
            &["--save-activations '5-': expected none, inversion, all, or epochs such as 0,10,50-60"][..],
        ),
        (
            "--save-activations final",
            &["--save-activations 'final': expected none"],
        ),
        ("--save-activations 1,,2", &["'1,,2': expected"]),
        ("--save-activations 9-3", &["'9-3': expected"]),
        (
            "--save-activations 0,11",
            &["--save-activations '0,11': epoch 11, expected at most 10, the last of the run"],
        ),
        (
            "--save-weights 5-12",
            &["--save-weights '5-12': epoch 12, expected at most 10"],
        ),
        (
            "--save-weights last",
            &["--save-weights 'last': expected none, inversion, all", "or final"],
        ),
        ("--save-weights=-1", &["--save-weights '-1': expected"]),
    ] {
        let line = place.refused(&format!("--epochs 10 {given}"));
        for part in parts {
            assert!(line.contains(part), "{given}: {part:?} is not in {line:?}");
        }
    }
    assert!(!place.path("runs").exists());
    place.write(
        "c.toml",
        "epochs = 4\nsave-activations = 2\nreplicas = 1\ntrain-samples = 60\n",
    );
    place.inversion("--config c.toml --quiet --out o");
    assert!(place.path("o/activations/epoch-2.npy").exists());
    assert!(
        place.read("o/config.toml").contains("save-activations = \"2\"")
            && place.read("o/config.toml").contains("save-weights = \"final\"")
    );
}
