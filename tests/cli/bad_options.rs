//! Options that cannot be: exit code 2, one line that says what, where, and what was expected, and no folder.

use super::{Place, stderr, stdout};

/// Words of the command line after `inversion`, and what the line must hold.
const CASES: &[(&str, &[&str])] = &[
    // Options there are not.
    ("--foo", &["'--foo'", "expected an option"]),
    ("--epoch 3", &["'--epoch'", "'--epochs'"]),
    ("digits", &["'digits'"]),
    ("--lr 1 --lr 2", &["--lr", "multiple times"]),
    ("--quiet=1", &["--quiet"]),
    // Values that are missing or no numbers.
    ("--lr", &["--lr", "value is required"]),
    ("--lr --quiet", &["'--quiet'", "--lr", "expected a number"]),
    ("--lr abc", &["'abc'", "--lr", "expected a number"]),
    ("--lr 1,5", &["'1,5'", "--lr"]),
    ("--epochs ten", &["'ten'", "--epochs", "whole number"]),
    ("--epochs -1", &["'-1'", "--epochs", "whole number from 0"]),
    ("--epochs 1.5", &["'1.5'", "--epochs", "whole number"]),
    ("--epochs 99999999999999999999", &["--epochs", "9223372036854775807"]),
    ("--seed -1", &["'-1'", "--seed", "whole number from 0"]),
    ("--seed 18446744073709551615", &["--seed", "9223372036854775807"]),
    ("--test-every -1", &["'-1'", "--test-every"]),
    ("--train-samples x", &["'x'", "--train-samples"]),
    // Numbers out of range.
    ("--lr 0", &["--lr 0", "expected a positive number"]),
    ("--lr -1", &["--lr -1", "expected a positive number"]),
    ("--lr -inf", &["--lr -inf", "expected a positive number"]),
    ("--lr nan", &["--lr NaN", "expected a positive number"]),
    ("--lr inf", &["--lr inf", "expected a positive number"]),
    ("--lr 1e999", &["--lr inf", "expected a positive number"]),
    ("--momentum 1", &["--momentum 1", "below 1"]),
    ("--momentum -0.5", &["--momentum -0.5", "at least 0"]),
    ("--momentum nan", &["--momentum NaN"]),
    ("--weight-decay -1e-3", &["--weight-decay -0.001", "at least 0"]),
    ("--l2 -1", &["--l2 -1", "at least 0"]),
    ("--l2 inf", &["--l2 inf"]),
    ("--snnl-weight nan", &["--snnl-weight NaN", "expected a number"]),
    ("--snnl-weight -inf", &["--snnl-weight -inf", "expected a number"]),
    ("--snnl-weight x", &["'x'", "--snnl-weight"]),
    (
        "--snnl-layer last",
        &["--snnl-layer last", "expected --snnl-weight too"],
    ),
    (
        "--snnl-temperature 2",
        &["--snnl-temperature 2", "expected --snnl-weight too"],
    ),
    (
        "--snnl-weight 1 --snnl-layer 2",
        &["--snnl-layer '2'", "of which there is 1, or last"],
    ),
    (
        "--snnl-weight 1 --snnl-layer all",
        &["--snnl-layer 'all'", "the number of a hidden layer"],
    ),
    (
        "--snnl-weight 1 --snnl-temperature 0",
        &["--snnl-temperature 0", "from 1e-30 to 1e30"],
    ),
    (
        "--snnl-weight -1 --snnl-temperature=-1",
        &["--snnl-temperature -1", "from 1e-30 to 1e30"],
    ),
    ("--replicas 0", &["--replicas 0", "at least 1"]),
    ("--threads 0", &["--threads 0", "expected 1 to"]),
    ("--threads 100000", &["--threads 100000", "expected 1 to"]),
    ("--train-samples 0", &["--train-samples", "0", "3823"]),
    ("--train-samples 3824", &["3824", "3823"]),
    ("--data-offset 3823", &["--data-offset", "less than 3823"]),
    (
        "--data-offset 9223372036854775807 --train-samples 9223372036854775807",
        &["9223372036854775807", "3823"],
    ),
    ("--data-offset 3800 --train-samples 24", &["3800", "24", "3823"]),
    (
        "--first-replica 9223372036854775807 --replicas 9223372036854775807",
        &["GB"],
    ),
    // Networks that cannot be.
    ("--hidden 0", &["--hidden '0'", "positive widths"]),
    ("--hidden=", &["--hidden ''", "positive widths"]),
    ("--hidden 20,,3", &["--hidden '20,,3'", "positive widths"]),
    ("--hidden 20,", &["--hidden '20,'"]),
    ("--hidden -20", &["--hidden '-20'", "positive widths"]),
    ("--hidden 2.5", &["--hidden '2.5'"]),
    ("--hidden 99999999999999999999999", &["--hidden", "positive widths"]),
    ("--layer 0", &["--layer '0'", "is 1", "last or all"]),
    ("--layer 3", &["--layer '3'", "is 1"]),
    ("--hidden 5,5 --layer 3", &["--layer '3'", "are 2"]),
    ("--layer x", &["--layer 'x'"]),
    ("--layer -1", &["--layer '-1'"]),
    ("--batch 0", &["--batch '0'", "full or a positive number"]),
    ("--batch -5", &["--batch '-5'"]),
    ("--batch half", &["--batch 'half'"]),
    // More memory than there is: said at once, not by the allocator.
    ("--hidden 1000000000000", &["--hidden 1000000000000", "GB"]),
    ("--hidden 9223372036854775807,9223372036854775807", &["--hidden", "GB"]),
    ("--hidden 18446744073709551615", &["--hidden", "GB"]),
    ("--hidden 3000000,3000000", &["--hidden", "GB"]),
    ("--replicas 1000000000", &["--replicas 1000000000", "GB"]),
    ("--replicas 9223372036854775807", &["--replicas", "GB"]),
    // Names that stand for nothing.
    ("--loss l1", &["--loss 'l1'", "cross-entropy", "mse"]),
    ("--loss mse:2", &["--loss 'mse:2'"]),
    ("--loss hinge:-1", &["--loss", "threshold", "-1", "positive"]),
    ("--loss hinge:nan", &["--loss", "threshold", "positive"]),
    ("--loss hinge:x", &["--loss 'hinge:x'"]),
    ("--optimizer sdg", &["--optimizer 'sdg'", "rmsprop"]),
    ("--schedule linear", &["--schedule 'linear'", "cosine"]),
    (
        "--schedule step:0:0.5",
        &["--schedule 'step:0:0.5'", "step:EPOCHS:FACTOR"],
    ),
    ("--schedule step:3:-1", &["--schedule", "positive"]),
    ("--activation swish", &["--activation 'swish'", "tanh"]),
    ("--initializer he", &["--initializer 'he'", "kaiming-normal"]),
    ("--initializer normal:0", &["--initializer", "positive"]),
    ("--labels odd", &["--labels 'odd'", "parity"]),
    ("--labels 3", &["--labels '3'", "two different labels"]),
    ("--labels 3,3", &["--labels '3,3'"]),
    ("--labels 3,300", &["--labels '3,300'", "255"]),
    (
        "--standardize zscore",
        &["--standardize 'zscore'", "pixel, global or none"],
    ),
    ("--dead-pixels drop", &["--dead-pixels 'drop'", "formula or zero"]),
    ("--device cuda", &["--device 'cuda'", "no CUDA", "cpu or reference"]),
    ("--device cuda:1", &["--device 'cuda:1'", "no CUDA"]),
    ("--device gpu", &["--device 'gpu'", "cpu or reference"]),
    ("--device=", &["--device ''", "cpu or reference"]),
    // A rule that leaves a class empty.
    ("--labels below:0", &["--labels below:0", "at least one in each class"]),
    ("--labels below:10", &["below:10", "at least one in each class"]),
    (
        "--labels one-vs-rest:77",
        &["one-vs-rest:77", "at least one in each class"],
    ),
    ("--labels 3,77", &["77", "at least one in each class"]),
    ("--train-samples 1", &["at least one in each class"]),
    // Options that do not go together.
    ("--optimizer adam --momentum 0.9", &["--momentum 0.9", "adam"]),
    ("--optimizer adamw --momentum 0.9", &["--momentum 0.9", "adamw"]),
    ("--optimizer nesterov", &["--momentum 0", "nesterov"]),
    (
        "--init w.safetensors --initializer pytorch",
        &["--initializer", "--init"],
    ),
];

#[test]
fn an_option_that_cannot_be_is_one_line_and_exit_code_2() {
    let place = Place::new();
    for (words, parts) in CASES {
        let line = place.refused(words);
        for part in *parts {
            assert!(line.contains(part), "{words}: {part:?} is not in {line:?}");
        }
        let left = std::fs::read_dir(place.folder.path()).unwrap().count();
        assert_eq!(left, 0, "{words}: something was written");
    }
}

#[test]
fn a_subcommand_there_is_not() {
    let place = Place::new();
    for (args, part) in [
        (&["inverse"][..], "inver"),
        (&["frobnicate"], "expected inversion"),
        (&["--seed", "3"], "--seed"),
        (&[""], "expected inversion"),
    ] {
        let line = place.refused_args(args);
        assert!(line.contains(part), "{args:?}: {line}");
    }
}

#[test]
fn the_wish_for_memory_of_the_other_optimisers_counts_their_states() {
    // The same network needs more with Adam than with plain gradient descent, and the line says how much.
    let place = Place::new();
    let gigabytes = |words: &str| -> f64 {
        let line = place.refused(words);
        let number = line.split(": ").nth(1).and_then(|rest| rest.split(' ').next());
        number.unwrap().parse().unwrap()
    };
    let plain = gigabytes("--replicas 1 --hidden 3000000,3000000");
    let adam = gigabytes("--replicas 1 --hidden 3000000,3000000 --optimizer adam");
    // Activations that are kept: 40,000 units of 3,823 rows, 4 bytes where they are and 8 on the way, beside 256 rows of 8.
    let words = "--replicas 1000000 --hidden 40000 --epochs 1";
    let without = gigabytes(words);
    let kept = gigabytes(&format!("{words} --save-activations 1")) - without;
    assert!((kept / 1835e3 - 1.0).abs() < 0.01, "{without} {kept}");
    // 9e12 weights: 16 and 24 bytes each.
    assert!((plain / 144e3 - 1.0).abs() < 0.01, "{plain}");
    assert!((adam / 216e3 - 1.0).abs() < 0.01, "{adam}");
}

#[test]
fn a_folder_for_results_that_cannot_be() {
    let place = Place::new();
    place.write("full/file", "kept");
    let line = place.refused("--epochs 1 --out full");
    assert!(line.contains("full") && line.contains("not empty"), "{line}");
    assert_eq!(std::fs::read_dir(place.path("full")).unwrap().count(), 1);
    for out in ["full/file", "full/file/below"] {
        let line = place.refused(&format!("--epochs 1 --out {out}"));
        assert!(line.starts_with("--out: ") && line.contains(out), "{line}");
    }
    // The default folder, where `runs` is a file.
    place.write("runs", "");
    let line = place.refused("--epochs 1");
    assert!(line.contains("runs") && line.contains("--out"), "{line}");
    assert_eq!(place.read("full/file"), "kept");
}

#[cfg(unix)]
#[test]
fn words_that_are_no_text() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    for option in ["--data", "--labels", "--lr", "--init"] {
        let mut command = place.command(&["inversion", option]);
        let output = super::checked(command.arg(std::ffi::OsStr::from_bytes(b"a\xffb")).output().unwrap());
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_standard_output_that_takes_nothing() {
    let place = Place::new();
    let binary = env!("CARGO_BIN_EXE_disentangle");
    let shell = |redirection: &str, out: &str| {
        let line =
            format!("{binary} inversion --quiet --epochs 1 --replicas 1 --train-samples 50 --out {out} {redirection}");
        let mut command = std::process::Command::new("sh");
        let output = command.args(["-c", &line]).current_dir(place.folder.path()).output();
        super::checked(output.unwrap())
    };
    // Closed, or read by nobody: the run is in its folder and that is what counts.
    for (redirection, out) in [(">&-", "closed"), ("| true", "pipe"), (">&- 2>&-", "both")] {
        let output = shell(redirection, out);
        assert_eq!(output.status.code(), Some(0), "{redirection}: {}", stderr(&output));
        assert!(place.read(&format!("{out}/report.html")).ends_with("</html>\n"));
    }
    // Full: told, in one line, as a failure.
    let output = shell("--json >/dev/full", "full");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).starts_with("disentangle: standard output: "),
        "{}",
        stderr(&output)
    );
    assert_eq!(stderr(&output).lines().count(), 1);
    assert_eq!(stdout(&output), "");
}
