//! `disentangle bench`.

use super::{Place, stderr, stdout};

#[test]
fn the_table_of_some_kernels() {
    let place = Place::new();
    let output = place.run(&["bench", "--filter", "tanh", "--seconds", "0", "--threads", "2"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].ends_with("kernels. What this machine can do:"), "{text}");
    assert!(
        lines[1].contains("1 thread: ") && lines[2].contains("2 threads: "),
        "{text}"
    );
    // The heading, then tanh and its gradient.
    let table: Vec<&str> = lines[3..].iter().copied().filter(|line| !line.is_empty()).collect();
    assert!(table[0].starts_with("kernel ") && table[0].contains("median"), "{text}");
    assert!(
        table[1].starts_with("tanh ") && table[2].starts_with("tanh_grad "),
        "{text}"
    );
    assert_eq!(table.len(), 3, "{text}");
}

#[test]
fn json_has_every_number_of_the_table() {
    let place = Place::new();
    let output = place.run(&[
        "bench",
        "--filter",
        "8192 x 20 x 2",
        "--seconds",
        "0",
        "--threads",
        "1",
        "--json",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let table: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let positive = |value: &serde_json::Value| value.as_f64().is_some_and(|v| v > 0.0 && v.is_finite());
    assert_eq!(table["threads"], 1);
    let peaks = table["peaks"].as_array().unwrap();
    assert_eq!(peaks.len(), 1);
    assert!(positive(&peaks[0]["gflops"]) && positive(&peaks[0]["copied_gbytes_per_second"]));
    let kernels = table["kernels"].as_array().unwrap();
    assert_eq!(kernels.len(), 2, "dense and its input gradient");
    for kernel in kernels {
        for key in [
            "median_seconds",
            "gflops",
            "gbytes_per_second",
            "percent_of_multiply_add_peak",
            "percent_of_copy_bandwidth",
        ] {
            assert!(positive(&kernel[key]), "{key} of {kernel}");
        }
        // Two operations per multiply-add, in the time that is printed.
        let flops = kernel["gflops"].as_f64().unwrap() * 1e9 * kernel["median_seconds"].as_f64().unwrap();
        let exact = 2.0 * 8192.0 * 20.0 * 2.0;
        assert!((flops - exact).abs() <= 1e-9 * exact, "{flops}");
    }
}

#[test]
fn what_cannot_be_timed_is_one_line() {
    let place = Place::new();
    for (args, line) in [
        (
            &["bench", "--filter", "quantum"][..],
            "--filter quantum: no kernel has this in its name or shape",
        ),
        (&["bench", "--seconds", "-1"], "--seconds -1: expected 0 to 3600"),
        (&["bench", "--seconds", "NaN"], "--seconds NaN: expected 0 to 3600"),
        (&["bench", "--threads", "0"], "0 threads, expected 1 to 1024"),
        (&["bench", "--device", "gpu"], "--device 'gpu': expected "),
        (&["bench", "--device", "reference"], "expected cpu or cuda[:n]"),
    ] {
        let said = place.refused_args(args);
        assert!(said.contains(line), "{said}");
    }
}
