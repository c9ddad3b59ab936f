//! `disentangle measure`, and metrics that `inversion` follows.

use std::fs;

use disentangle::data::{TensorRef, write_npy, write_npy_from, write_tensors};
use serde_json::{Value, json};

use super::{Place, stderr, stdout};

/// Two squares of the plane: labels 3 and 8, radius 1, 4 apart.
const ROWS: [f32; 16] = [
    1.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0, -1.0, 5.0, 0.0, 4.0, 1.0, 3.0, 0.0, 4.0, -1.0,
];
const LABELS: [i64; 8] = [3, 3, 3, 3, 8, 8, 8, 8];

fn place() -> Place {
    let place = Place::new();
    write_npy(&place.path("h.npy"), &[8, 2], &ROWS).unwrap();
    write_npy(&place.path("y.npy"), &[8], &LABELS).unwrap();
    place
}

fn json_of(place: &Place, words: &str) -> Value {
    let args: Vec<&str> = ["measure", "--json"]
        .into_iter()
        .chain(words.split_whitespace())
        .collect();
    let output = place.run(&args);
    assert_eq!(output.status.code(), Some(0), "{words}: {}", stderr(&output));
    assert_eq!(stderr(&output), "");
    serde_json::from_str(&stdout(&output)).unwrap()
}

fn refused(place: &Place, words: &str) -> String {
    let args: Vec<&str> = ["measure"].into_iter().chain(words.split_whitespace()).collect();
    place.refused_args(&args)
}

#[test]
fn the_command_of_the_contract() {
    let place = place();
    let found = json_of(
        &place,
        "--activations h.npy --labels y.npy --metrics gyration-radius,soft-nearest-neighbor-loss",
    );
    assert_eq!(found["gyration-radius"], json!({"3": 1.0, "8": 1.0}));
    let loss = found["soft-nearest-neighbor-loss"].as_f64().unwrap();
    assert!(loss > 0.0 && loss < 0.1, "{loss}");
    assert_eq!(found["skipped"], json!({}));
    assert_eq!(found.as_object().unwrap().len(), 3);

    let all = json_of(&place, "--activations h.npy --labels y.npy --metrics all");
    assert_eq!(all["centroid-distance"], json!({"3_8": 4.0}));
    // S_B = 8 * 4, S_W = 8.
    assert_eq!(
        (all["fisher-ratio"].as_f64(), all["linear-separability"]["3_8"].as_f64()),
        (Some(4.0), Some(2.0))
    );
    assert_eq!(all["skipped"]["nc3"], "needs --weights");
    assert_eq!(all["skipped"]["linear-cka"], "needs --second");
    for value in all.as_object().unwrap().values() {
        assert!(!value.is_array());
    }
}

#[test]
fn all_kinds_of_files_hold_the_same_numbers() {
    let place = place();
    let expected = json_of(&place, "--activations h.npy --labels y.npy");
    place.write("y.csv", "label\n3\n3\n3\n3\n8\n8\n8\n8\n");
    assert_eq!(json_of(&place, "--activations h.npy --labels y.csv"), expected);
    let tensor = TensorRef {
        name: "fc1",
        shape: &[8, 2],
        values: &ROWS,
    };
    write_tensors(&place.path("h.safetensors"), &[tensor]).unwrap();
    assert_eq!(json_of(&place, "--activations h.safetensors --labels y.npy"), expected);
    let wide = ROWS.map(f64::from);
    write_npy(&place.path("wide.npy"), &[8, 2, 1], &wide).unwrap();
    assert_eq!(
        json_of(&place, "--activations wide.npy --labels y.npy --threads 1"),
        expected
    );
    // Labels that lie beside the activations need not be named.
    fs::copy(place.path("y.npy"), place.path("labels.npy")).unwrap();
    assert_eq!(json_of(&place, "--activations h.npy"), expected);

    let unit = json_of(&place, "--activations h.npy --normalize unit --metrics gyration-radius");
    assert_eq!(unit["gyration-radius"]["3"], 1.0);
    assert!(unit["gyration-radius"]["8"].as_f64().unwrap() < 0.2);
    for precision in ["f32", "f64"] {
        let found = json_of(
            &place,
            &format!("--activations h.npy --precision {precision} --metrics silhouette"),
        );
        assert!((found["silhouette"].as_f64().unwrap() - 0.6).abs() < 0.1);
    }
}

#[test]
fn weights_and_a_second_representation() {
    let place = place();
    let weight = [-1.0f32, 0.0, 1.0, 0.0];
    let (bias, hidden) = ([2.0f32, -2.0], [0.0f32; 4]);
    let tensors = [
        ("0.weight", &[2usize, 2][..], &hidden[..]),
        ("2.weight", &[1, 2, 2][..], &weight[..]),
        ("2.bias", &[1, 2][..], &bias[..]),
    ];
    let tensors = tensors.map(|(name, shape, values)| TensorRef { name, shape, values });
    write_tensors(&place.path("w.safetensors"), &tensors).unwrap();
    let words = "--activations h.npy --labels y.npy --weights w.safetensors --second h.npy --k 3";
    let found = json_of(&place, words);
    // On two squares the first two neighbours of every point are equally far.
    let skipped: Vec<&String> = found["skipped"].as_object().unwrap().keys().collect();
    assert_eq!(skipped, ["two-nn-dimension"]);
    assert!(found["nc3"].as_f64().unwrap() < 1e-15);
    assert_eq!(
        (found["nc4"].as_f64(), found["data-overlap"].as_f64()),
        (Some(0.0), Some(1.0))
    );
    assert!((found["linear-cka"].as_f64().unwrap() - 1.0).abs() < 1e-14);

    write_npy(&place.path("w.npy"), &[3, 2], &[0.0f32; 6]).unwrap();
    let line = refused(&place, "--activations h.npy --labels y.npy --weights w.npy");
    assert!(
        line.contains("w.npy: shape [3, 2], expected 2 rows (one per class)"),
        "{line}"
    );
    write_npy(&place.path("short.npy"), &[7, 2], &[0.0f32; 14]).unwrap();
    let line = refused(&place, "--activations h.npy --labels y.npy --second short.npy");
    assert!(
        line.starts_with("--second: short.npy: an array of shape [7, 2], expected 8 rows"),
        "{line}"
    );
}

#[test]
fn a_run_followed_and_its_saved_layers_measured_agree() {
    let place = Place::new();
    let run = "--replicas 2 --epochs 25 --train-samples 200 --hidden 6,5 --layer all --quiet --seed 3";
    let follow = "--metrics silhouette,gyration-radius,class-distance,two-nn-dimension,nc4 --measure-every 10";
    place.inversion(&format!(
        "{run} {follow} --save-activations all --save-weights all --out a --threads 2"
    ));
    let table = place.table("a");
    let plain = [
        "layer_1_gyration_radius_0",
        "layer_1_gyration_radius_1",
        "layer_1_centroid_distance_0_1",
    ];
    assert_eq!(table.columns[5..8], plain);
    let names = |layer: usize| {
        [
            "class_distance_0_0",
            "class_distance_0_1",
            "class_distance_1_1",
            "silhouette",
            "nc4",
            "two_nn_dimension",
        ]
        .map(|name| format!("layer_{layer}_{name}"))
    };
    assert_eq!(table.columns[11..17], names(1));
    assert_eq!(table.columns[17..], names(2));
    let epochs = table.numbers("epoch");
    for (epoch, value) in epochs.iter().zip(table.column("layer_2_silhouette")) {
        assert_eq!(
            value.is_empty(),
            ![0.0, 10.0, 20.0, 25.0].contains(epoch),
            "{epoch}: {value}"
        );
    }
    // The classifier reads the last layer only.
    assert!(table.column("layer_1_nc4").iter().all(|value| value.is_empty()));
    assert!(table.column("layer_2_nc4")[10].parse::<f64>().is_ok());

    // The files that the run kept, as a folder: the same numbers to the last digit.
    let words = "measure --activations a --weights a/weights --normalize unit --quiet \
                 --metrics silhouette,class-distance,two-nn-dimension,nc4 --out c --threads 1";
    let output = place.run(&words.split_whitespace().collect::<Vec<_>>());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        stdout(&output)
            .contains("skipped: nc4 of layer-1-epoch-0/replica-0 and others: weights of 5 columns, expected 6")
    );
    let measured = super::Table::parse(&place.read("c/metrics.csv"));
    assert_eq!(measured.rows.len(), 2 * 26 * 2);
    let mut compared = 0;
    for (n, name) in measured.column("name").iter().enumerate() {
        let (layer, epoch) = name.strip_prefix("layer-").unwrap().split_once("-epoch-").unwrap();
        let epoch: f64 = epoch.parse().unwrap();
        let replica: f64 = measured.column("replica")[n].parse().unwrap();
        let same = |i: &usize| epochs[*i] == epoch && table.numbers("replica")[*i] == replica;
        let i = (0..epochs.len()).find(same).unwrap();
        for column in ["silhouette", "class_distance_0_1", "two_nn_dimension", "nc4"] {
            let followed = table.column(&format!("layer_{layer}_{column}"))[i];
            if !followed.is_empty() {
                assert_eq!(followed, measured.column(column)[n], "{name}: {column}");
                compared += 1;
            }
        }
    }
    // Four epochs of two replicas; nc4 of the second layer only.
    assert_eq!(compared, 4 * 2 * (4 + 3));
    // Neither threads nor the other replica change a bit.
    place.inversion(&format!(
        "{} {follow} --out d --threads 1",
        run.replace("--replicas 2", "--replicas 1 --first-replica 1")
    ));
    let alone = place.table("d");
    assert!(alone.rows.iter().zip(&table.rows[26..]).all(|(a, b)| a == b));
    let page = place.read("a/report.html");
    assert!(page.contains("lass distance") && page.contains("ilhouette"));
}

#[test]
fn each_mistake_is_one_line() {
    let place = place();
    for (words, expected) in [
        ("--activations absent.npy --labels y.npy", "absent.npy"),
        ("--activations h.npy", "--labels: none given"),
        ("--activations h.npy --labels h.npy", "expected one label per row"),
        (
            "--activations h.npy --labels y.npy --metrics silhouete",
            "--metrics: no metric 'silhouete', expected all or",
        ),
        (
            "--activations h.npy --labels y.npy --normalize yes",
            "--normalize 'yes': expected none or unit",
        ),
        (
            "--activations h.npy --labels y.npy --precision f16",
            "--precision 'f16': expected f32 or f64",
        ),
        ("--activations h.npy --labels y.npy --device gpu", "cpu or reference"),
        (
            "--activations h.npy --labels y.npy --temperature 0",
            "--temperature 0: expected a positive number",
        ),
        (
            "--activations h.npy --labels y.npy --temperature -1",
            "--temperature -1: expected a positive number",
        ),
        (
            "--activations h.npy --labels y.npy --explained 1.5",
            "--explained 1.5: expected above 0 and at most 1",
        ),
        ("--activations h.npy --labels y.npy --k 65", "--k 65: expected 1 to 64"),
        (
            "--activations h.npy --labels y.npy --k 9 --metrics neighborhood-overlap",
            "9 neighbours, expected 1 to 7 for 8 rows",
        ),
        ("--activations h.npy --labels y.npy --threads 0", "--threads 0"),
        ("--labels y.npy", "--activations"),
    ] {
        let line = refused(&place, words);
        assert!(line.contains(expected), "{words}: {line}");
    }
    write_npy(&place.path("few.npy"), &[5], &[0i64; 5]).unwrap();
    let line = refused(&place, "--activations h.npy --labels few.npy");
    assert!(
        line.contains("h.npy: an array of shape [8, 2], expected 5 rows (one per label)"),
        "{line}"
    );
    write_npy_from(
        &place.path("nan.npy"),
        &[8, 2],
        (0..16).map(|i| if i == 5 { f32::NAN } else { i as f32 }),
    )
    .unwrap();
    let line = refused(&place, "--activations nan.npy --labels y.npy");
    assert!(
        line.contains("row 2, column 1 is NaN, expected finite numbers"),
        "{line}"
    );
    place.write("y.csv", "label\n1\nx\n");
    let line = refused(&place, "--activations h.npy --labels y.csv");
    assert!(
        line.contains("line 3, column `label`: `x`; expected an integer"),
        "{line}"
    );
    place.write("out/file", "");
    let line = refused(&place, "--activations h.npy --labels y.npy --out out");
    assert!(line.contains("--out"), "{line}");
    let line = place.refused("--metrics linear-cka --epochs 1");
    assert!(
        line.contains("--metrics: ") && line.contains("linear-cka compares two representations"),
        "{line}"
    );
    let line = place.refused("--metrics silhouette --measure-every 0");
    assert!(line.contains("--measure-every 0: expected at least 1"), "{line}");
    let line = place.refused("--measure-every 5");
    assert!(line.contains("--measure-every 5: expected --metrics too"), "{line}");
}

#[test]
fn one_class_or_one_row_skips_what_needs_more() {
    let place = place();
    write_npy(&place.path("one.npy"), &[8], &[5i64; 8]).unwrap();
    let found = json_of(&place, "--activations h.npy --labels one.npy --metrics all");
    assert_eq!(found["skipped"]["silhouette"], "one class, expected at least 2");
    assert!(found["participation-ratio"].is_number() && found["neighborhood-overlap"] == 1.0);
    write_npy(&place.path("row.npy"), &[1, 2], &ROWS[..2]).unwrap();
    write_npy(&place.path("label.npy"), &[1], &[5i64]).unwrap();
    let found = json_of(&place, "--activations row.npy --labels label.npy --metrics all");
    assert_eq!(found["gyration-radius"], json!({"5": 0.0}));
    // Not a number: coincident rows have no participation ratio.
    assert_eq!(found["participation-ratio"], Value::Null);
    let listed = stdout(&place.run(&["measure", "--list"]));
    assert!(listed.lines().count() > 20 && listed.contains("nc3") && listed.contains("(needs --weights)"));
}
