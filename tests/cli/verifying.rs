//! `disentangle verify`.

use super::{Place, stderr, stdout};

#[test]
fn the_table_ends_with_how_many_cases_hold() {
    let place = Place::new();
    let output = place.run(&[
        "verify",
        "--ops",
        "tanh*,dense,nearest_l1",
        "--trials",
        "8",
        "--threads",
        "2",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("cpu (f32), ") && lines[0].ends_with("against reference (f64)"),
        "{text}"
    );
    for op in ["tanh ", "tanh_grad ", "dense ", "nearest_l1 "] {
        let row = lines.iter().find(|line| line.starts_with(op));
        assert!(row.is_some_and(|row| row.ends_with(" yes")), "{op}: {text}");
    }
    assert_eq!(
        lines.last(),
        Some(&"verify: 32 of 32 cases within their bound"),
        "{text}"
    );
}

/// The worst case of the table, alone: the same error.
#[test]
fn the_worst_case_is_reproduced_by_its_name() {
    let place = Place::new();
    let json = |args: &[&str]| -> serde_json::Value {
        let output = place.run(args);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        serde_json::from_str(&stdout(&output)).unwrap()
    };
    let all = json(&["verify", "--ops", "sigmoid", "--trials", "9", "--seed", "40", "--json"]);
    let check = &all["checks"]["sigmoid"];
    assert_eq!((&all["cases"], &all["within"]), (&9.into(), &9.into()));
    let name = check["worst_case"].as_str().unwrap();
    let alone = json(&["verify", "--case", name, "--json"]);
    assert_eq!(alone["cases"], 1);
    for key in ["worst_in_bounds", "worst_ulp", "worst_case"] {
        assert_eq!(alone["checks"]["sigmoid"][key], check[key], "{key}");
    }
    let worst = check["worst_in_bounds"].as_f64().unwrap();
    assert!(worst > 0.0 && worst <= 1.0, "{worst}");
    assert!(check["ulp_999"].as_f64().unwrap() <= check["worst_ulp"].as_f64().unwrap());
}

#[test]
fn the_same_list_is_differentiated_timed_and_asked_for() {
    let place = Place::new();
    let last = |mode: &str| {
        let ops = "tanh_grad,dense_input_grad,row_log_sums";
        let output = place.run(&["verify", "--mode", mode, "--ops", ops, "--trials", "4"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output).lines().last().unwrap_or_default().to_string()
    };
    assert_eq!(last("gradient"), "verify: 8 of 8 gradients within their bound");
    assert_eq!(last("support"), "verify: 3 of 3 ops run");
    assert!(last("bench").starts_with("row_log_sums "));
}

#[test]
fn two_precisions_side_by_side() {
    let place = Place::new();
    let output = place.run(&[
        "verify",
        "--trajectory",
        "--epochs",
        "25",
        "--replicas",
        "2",
        "--lr",
        "0.5",
        "--loss",
        "hinge",
        "--json",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let found: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(
        (&found["runs"], found["arms"].as_array().unwrap().len()),
        (&2.into(), 1)
    );
    let arm = &found["arms"][0];
    assert_eq!((&arm["loss"], &arm["learning_rate"]), (&"hinge".into(), &0.5.into()));
    for replica in arm["replicas"].as_array().unwrap() {
        let distances = replica["distances"].as_array().unwrap();
        assert_eq!(
            (&distances[0]["epoch"], &distances[0]["weights"]),
            (&0.into(), &0.0.into())
        );
        assert_eq!(distances.last().unwrap()["epoch"], 25);
        assert!(distances.last().unwrap()["weights"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn what_cannot_be_verified_is_one_line() {
    let place = Place::new();
    for (args, line) in [
        (
            &["verify", "--ops", "quantum"][..],
            "--ops: 'quantum' is no op, expected fill, add, ",
        ),
        (
            &["verify", "--case", "tanh"],
            "--case 'tanh': expected OP:SEED, such as tanh:3",
        ),
        (
            &["verify", "--case", "tanh:-1"],
            "--case 'tanh:-1': expected OP:SEED, such as tanh:3",
        ),
        (
            &["verify", "--case", "quantum:1"],
            "--case 'quantum:1': 'quantum' is no op",
        ),
        (&["verify", "--trials", "0"], "--trials 0: expected 1 to 1000000"),
        (
            &["verify", "--seed", "18446744073709551615"],
            "--seed 18446744073709551615: too large",
        ),
        (
            &["verify", "--device", "reference"],
            "--device 'reference': it is what others are compared with",
        ),
        (&["verify", "--device", "tpu"], "--device 'tpu': expected c"),
        (&["verify", "--threads", "0"], "0 threads, expected 1 to 1024"),
        (
            &["verify", "--mode", "gradient", "--ops", "fill"],
            "--ops: none of these is a backward kernel",
        ),
    ] {
        let said = place.refused_args(args);
        assert!(said.contains(line), "{said}");
    }
}
