//! The engine against NumPy, and metrics against scikit-learn and scikit-dimension too: golden gradients, losses, a whole run and the metrics of
//! three data sets, made in f64 by `tests/golden/*.py`, which know nothing of this crate. `tests/run.sh` makes them; without them these tests fail.

#![cfg(feature = "cli")]

use std::path::{Path, PathBuf};
use std::process::Command;

use disentangle::autograd::{Entry, Graph, Plan, Session, Training, Value};
use disentangle::backend::kernel::{Kernel, Unary, UpdateRule};
use disentangle::backend::program::{Buffer, Domain, Element, Extent, Program, Segment, Storage};
use disentangle::backend::{Backend, BufferId, Cpu, EntryId, Reference, RowSpace, Step};
use disentangle::verify::function_error;
use serde_json::Value as Json;

fn golden(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/golden").join(name);
    assert!(path.exists(), "{} is missing: tests/run.sh makes it", path.display());
    path
}

/// All numbers of nested JSON arrays, in order.
fn numbers(json: &Json) -> Vec<f64> {
    match json {
        Json::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().expect("a number")],
    }
}

fn integers(json: &Json) -> Vec<u32> {
    numbers(json).into_iter().map(|n| n as u32).collect()
}

/// The network of `three_layer.py`, with entry 0 for a step and entry 1 for its losses alone.
struct ThreeLayer {
    session: Session,
    parameters: Vec<(String, Value)>,
    cross_entropy: Value,
    loss: Value,
}

impl ThreeLayer {
    fn new(file: &Json, backend: &dyn Backend) -> ThreeLayer {
        let sizes = integers(&file["sizes"]);
        let labels = integers(&file["labels"]);
        let mut graph = Graph::new(2).unwrap();
        let space = graph.rows(labels.len()).unwrap();
        let x = graph.input("x", space, sizes[0] as usize, false).unwrap();
        let y = graph.index("y", space, sizes[3] as usize, false).unwrap();
        let weights = graph.input("weights", space, 1, false).unwrap();
        let (mut parameters, mut matrices, mut rows) = (Vec::new(), Vec::new(), x);
        for (layer, pair) in sizes.windows(2).enumerate() {
            let (inputs, units) = (pair[0] as usize, pair[1] as usize);
            let names = (format!("{}.weight", 2 * layer), format!("{}.bias", 2 * layer));
            let weight = graph.parameter(&names.0, units, inputs).unwrap();
            let bias = graph.parameter(&names.1, 1, units).unwrap();
            rows = graph.dense(rows, weight, Some(bias)).unwrap();
            rows = match layer {
                0 => graph.tanh(rows).unwrap(),
                1 => graph.gelu(rows).unwrap(),
                _ => rows,
            };
            matrices.push(weight);
            parameters.extend([(names.0, weight), (names.1, bias)]);
        }
        let losses = graph.softmax_cross_entropy(rows, y).unwrap();
        let cross_entropy = graph.mean_over_rows(losses, Some(weights)).unwrap();
        let decay = graph.l2_decay(&matrices, file["l2"].as_f64().unwrap()).unwrap();
        let loss = graph.add(cross_entropy, decay).unwrap();
        let momentum = file["momentum"].as_f64().unwrap();
        let rule = UpdateRule::Sgd {
            momentum,
            nesterov: false,
            weight_decay: 0.0,
        };
        let step = Entry {
            outputs: vec![],
            training: Some(Training {
                objective: loss,
                rule: Some(rule),
            }),
        };
        let look = Entry {
            outputs: vec![cross_entropy, loss],
            training: None,
        };
        let mut session = Plan::new(&graph, &[step, look]).unwrap().start(backend).unwrap();
        session.write(x, &numbers(&file["inputs"])).unwrap();
        session.write_index(y, &labels).unwrap();
        session.write(weights, &numbers(&file["sample_weights"])).unwrap();
        for (name, value) in &parameters {
            let both = file["replicas"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|r| numbers(&r["parameters"][name]));
            session.write(*value, &both.collect::<Vec<f64>>()).unwrap();
        }
        ThreeLayer {
            session,
            parameters,
            cross_entropy,
            loss,
        }
    }
}

/// Largest difference between `found` and the two replicas' `expected`, relative to the largest of the expected numbers.
fn worst(found: &[f64], file: &Json, expected: impl Fn(&Json) -> Vec<f64>) -> f64 {
    let expected: Vec<f64> = file["replicas"].as_array().unwrap().iter().flat_map(expected).collect();
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f64, |m, e| m.max(e.abs()));
    found
        .iter()
        .zip(&expected)
        .fold(0.0f64, |m, (f, e)| m.max((f - e).abs()))
        / largest
}

#[test]
fn three_layers_have_numpys_gradients_and_ten_losses() {
    let file: Json = serde_json::from_slice(&std::fs::read(golden("three_layer.json")).unwrap()).unwrap();
    let steps = file["replicas"][0]["losses"].as_array().unwrap().len() - 1;
    let learning_rate = file["learning_rate"].as_f64().unwrap();
    // A gradient is a sum over 13 rows of products along at most 7 + 5 + 4 + 3 terms and four elementary functions: 60
    // roundings of numbers no larger than the largest. Ten steps with momentum 0.9 repeat and accumulate that: the sum of
    // the momentum's weights is below 10, so 600 per step and 6,000 in all.
    for (backend, u) in [
        (Box::new(Reference) as Box<dyn Backend>, 0.5 * f64::EPSILON),
        (Box::new(Cpu::new(2).unwrap()), 0.5 * f64::from(f32::EPSILON)),
    ] {
        let mut net = ThreeLayer::new(&file, backend.as_ref());
        for t in 0..=steps {
            net.session.evaluate(EntryId(1)).unwrap();
            let bound = 60.0 * u * (1.0 + 10.0 * t as f64);
            for (value, key) in [(net.cross_entropy, "cross_entropies"), (net.loss, "losses")] {
                let error = worst(&net.session.read(value).unwrap(), &file, |r| vec![numbers(&r[key])[t]]);
                assert!(
                    error <= bound,
                    "{}: {key} after {t} steps off by {error:e}",
                    backend.name()
                );
            }
            if t == steps {
                break;
            }
            net.session
                .run(
                    EntryId(0),
                    Step {
                        learning_rate,
                        number: t as u64 + 1,
                    },
                )
                .unwrap();
            for (name, value) in net.parameters.iter().filter(|_| t == 0) {
                let error = worst(&net.session.gradient(*value).unwrap(), &file, |r| {
                    numbers(&r["gradients"][name])
                });
                assert!(
                    error <= 60.0 * u,
                    "{}: gradient of {name} off by {error:e}",
                    backend.name()
                );
            }
        }
        for (name, value) in &net.parameters {
            let error = worst(&net.session.read(*value).unwrap(), &file, |r| {
                numbers(&r["final_parameters"][name])
            });
            assert!(error <= 6000.0 * u, "{}: final {name} off by {error:e}", backend.name());
        }
    }
}

/// The columns of `epochs.csv`: header and rows, empty fields as NaN.
fn table(path: &Path) -> (Vec<String>, Vec<Vec<f64>>) {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let header = lines.next().unwrap().split(',').map(String::from).collect();
    let number = |field: &str| {
        if field.is_empty() {
            f64::NAN
        } else {
            field.parse().unwrap()
        }
    };
    (
        header,
        lines.map(|line| line.split(',').map(number).collect()).collect(),
    )
}

/// Runs 200 epochs from the golden weights and compares with the golden run: relative error of the loss and absolute
/// error of radii and distance within `bound`, training and test errors equal (the test error where it was taken).
fn follows_the_golden_run(device: &str, test_every: &str, bound: f64) {
    let folder = tempfile::tempdir().unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist");
    let status = Command::new(env!("CARGO_BIN_EXE_disentangle"))
        .args([
            "inversion",
            "--quiet",
            "--train-samples",
            "8192",
            "--lr",
            "0.1",
            "--epochs",
            "200",
            "--replicas",
            "2",
        ])
        .args(["--device", device, "--test-every", test_every, "--threads", "2"])
        .arg("--data")
        .arg(data)
        .arg("--init")
        .arg(golden("inversion/weights.safetensors"))
        .arg("--out")
        .arg(folder.path())
        .status()
        .unwrap();
    assert!(status.success(), "{device}: {status}");
    let (header, expected) = table(&golden("inversion/epochs.csv"));
    let (own_header, found) = table(&folder.path().join("epochs.csv"));
    assert_eq!(header, own_header);
    assert_eq!((expected.len(), found.len()), (402, 402));
    let mut worst = vec![0.0f64; header.len()];
    for (e, f) in expected.iter().zip(&found) {
        for (column, name) in header.iter().enumerate() {
            let difference = (e[column] - f[column]).abs();
            match name.as_str() {
                "replica" | "epoch" | "train_error" => assert_eq!(e[column], f[column], "{device}: {name} in {e:?}"),
                "test_error" if f[column].is_nan() => {}
                "test_error" => assert_eq!(e[column], f[column], "{device}: {name} in {e:?}"),
                "train_loss" => worst[column] = worst[column].max(difference / e[column]),
                _ => worst[column] = worst[column].max(difference),
            }
        }
    }
    println!("{device}: {header:?} {worst:?}");
    for (name, error) in header.iter().zip(&worst) {
        assert!(*error <= bound, "{device}: {name} off by {error:e}");
    }
}

#[test]
fn the_cpu_follows_the_golden_run() {
    // The project's own demand. A step's rounding is about 1e-7 and there is no chaos: 200 steps measured 6e-8 in the loss.
    follows_the_golden_run("cpu", "1", 5e-6);
}

#[test]
fn the_reference_follows_the_golden_run() {
    follows_the_golden_run("reference", "100", 1e-10);
}

/// What `measure` prints for a golden data set.
fn measured(name: &str, temperature: f64, how: &[&str], out: Option<&Path>) -> Json {
    let folder = golden("metrics");
    let file = |suffix: &str| folder.join(format!("{name}{suffix}"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_disentangle"));
    command
        .args(["measure", "--json", "--k", "30", "--threads", "2", "--temperature"])
        .arg(temperature.to_string())
        .args(how)
        .arg("--activations")
        .arg(file(".npz"))
        .arg("--second")
        .arg(file("-second.npy"))
        .arg("--weights")
        .arg(file("-weights.npz"));
    if let Some(out) = out {
        command.arg("--out").arg(out);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Name and value of each number in nested objects, in one order.
fn leaves(prefix: &str, json: &Json) -> Vec<(String, f64)> {
    match json {
        Json::Object(map) => map
            .iter()
            .flat_map(|(key, value)| leaves(&format!("{prefix} {key}"), value))
            .collect(),
        other => vec![(prefix.to_owned(), other.as_f64().unwrap_or(f64::NAN))],
    }
}

/// Metrics that are counts: they must be equal.
const COUNTED: [&str; 5] = [
    "nc4",
    "explained-variance-dimension",
    "neighborhood-overlap",
    "nearest-neighbor-error",
    "data-overlap",
];

/// Compares every metric of the golden file, and three numbers per sample, relative to their size (the samples: to the largest). The gap
/// between hulls comes from a solver with a tolerance of its own: 1e-6, and whether there is one must be equal.
fn agrees(name: &str, how: &[&str], bound: f64) {
    let file: Json =
        serde_json::from_slice(&std::fs::read(golden("metrics").join(format!("{name}.json"))).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let temperature = file["temperature"].as_f64().unwrap();
    let found = measured(name, temperature, how, Some(&folder.path().join("out")));
    assert_eq!(found["skipped"], serde_json::json!({}), "{name}");
    let mut worst = (0.0, String::new());
    for (metric, expected) in file["metrics"].as_object().unwrap() {
        for (key, expected) in leaves("", expected) {
            let place = key.split_whitespace().next();
            let value = match place {
                None => found[metric].as_f64(),
                Some(key) => found[metric][key].as_f64(),
            };
            let value = value.unwrap_or_else(|| panic!("{name}: {metric}{key} is missing"));
            let label = format!("{name}: {metric}{key} is {value}, expected {expected}");
            if COUNTED.contains(&metric.as_str()) {
                // Counts over the same number: a division may round differently.
                assert!(
                    (value - expected).abs() <= 4.0 * f64::EPSILON * expected.abs(),
                    "{label}"
                );
                continue;
            }
            let error = (value - expected).abs() / expected.abs().max(f64::MIN_POSITIVE);
            if metric == "linear-separability" {
                assert_eq!(value > 0.0, expected > 0.0, "{label}");
                assert!(expected == 0.0 || error < 1e-6, "{label}");
                continue;
            }
            assert!(error <= bound, "{label}: off by {error:e}");
            if error > worst.0 {
                worst = (error, format!("{metric}{key}"));
            }
        }
    }
    let table = std::fs::read_to_string(folder.path().join("out/samples.csv")).unwrap();
    let mut lines = table.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    for (column, expected) in file["samples"].as_object().unwrap() {
        let at = header.iter().position(|name| name == column).unwrap();
        let expected = numbers(expected);
        assert_eq!(rows.len(), expected.len());
        let size = expected.iter().fold(0.0f64, |most, value| most.max(value.abs()));
        for (row, expected) in rows.iter().zip(expected) {
            let value: f64 = row[at].parse().unwrap();
            let allowed = if column == "nearest" { 0.0 } else { bound * size };
            assert!(
                (value - expected).abs() <= allowed,
                "{name}: {column} of row {}: {value} {expected}",
                row[2]
            );
        }
    }
    println!("{name} {how:?}: worst {worst:?}");
}

#[test]
fn metrics_agree_with_scikit_learn_in_f32() {
    // The project's own demand. A distance in D dimensions has D + 2 roundings of 6e-8 at most, and sums are in f64.
    for name in ["mnist", "digits", "clouds"] {
        agrees(name, &["--precision", "f32"], 1e-5);
    }
}

/// All but the optimum of the loss: 40 passes over all pairs, which f32 has made.
const WITHOUT_OPTIMUM: &str = "gyration-radius,centroid-distance,class-distance,energy-distance,mmd,soft-nearest-neighbor-loss,\
    generalized-discrimination-value,silhouette,class-separation,fisher-ratio,calinski-harabasz,davies-bouldin,nc1,nc2,nc3,nc4,\
    participation-ratio,explained-variance-dimension,two-nn-dimension,maximum-likelihood-dimension,neighborhood-overlap,\
    data-overlap,nearest-neighbor-error,nearest-neighbor-margin,linear-cka,linear-cka-unbiased,linear-separability";

#[test]
fn metrics_agree_with_scikit_learn_in_f64() {
    for name in ["mnist", "digits", "clouds"] {
        agrees(name, &["--precision", "f64", "--metrics", WITHOUT_OPTIMUM], 1e-10);
    }
}

#[test]
fn metrics_agree_with_scikit_learn_on_the_reference() {
    for name in ["mnist", "digits", "clouds"] {
        agrees(name, &["--device", "reference", "--metrics", WITHOUT_OPTIMUM], 1e-10);
    }
}

/// Runs one kernel of x, `[x.len(), 1]`, that writes y.
fn run_on(
    backend: &dyn Backend,
    x: &[f64],
    kernel: impl Fn(BufferId, BufferId, BufferId) -> Kernel,
    cols: usize,
) -> Vec<f64> {
    let rows = x.len() / cols;
    let buffer = |name: &str, element: Element, cols: usize| Buffer {
        name: name.into(),
        element,
        replicated: false,
        extent: Extent::Rows(RowSpace(0)),
        cols,
        storage: Storage::Persistent,
        lasting: false,
    };
    let [own, labels, y] = [BufferId(0), BufferId(1), BufferId(2)];
    let kernel = kernel(own, labels, y);
    let width = if matches!(kernel, Kernel::Unary { .. }) {
        cols
    } else {
        1
    };
    let program = Program {
        replicas: 1,
        spaces: vec![rows],
        buffers: vec![
            buffer("x", Element::Real, cols),
            buffer("labels", Element::Index { bound: 2 }, 1),
            buffer("y", Element::Real, width),
        ],
        entries: vec![vec![Segment {
            domain: Domain::Rows(RowSpace(0)),
            kernels: vec![kernel],
        }]],
    };
    let mut executable = backend.load(program).unwrap();
    executable.write(own, x).unwrap();
    // Row [x, 0] with label 1: log(e^x + 1) - 0.
    executable.write_index(labels, &vec![1; rows]).unwrap();
    let step = Step {
        learning_rate: 0.0,
        number: 1,
    };
    executable.run(EntryId(0), step).unwrap();
    let mut values = vec![0.0; rows * width];
    executable.read(y, &mut values).unwrap();
    values
}

/// Activations and losses over the whole range of f32 against mpmath, whose 40 digits are rounded once to f64.
#[test]
fn elementary_functions_agree_with_mpmath_over_all_of_f32() {
    let file: Json = serde_json::from_slice(&std::fs::read(golden("elementary.json")).unwrap()).unwrap();
    let x = numbers(&file["x"]);
    assert!(x.len() > 2_000);
    let functions = [
        ("tanh", Unary::Tanh),
        ("gelu", Unary::Gelu),
        ("sigmoid", Unary::Sigmoid),
        ("logistic", Unary::Logistic),
    ];
    // What remains of the bound in f64, and some of its smallest numbers.
    let narrow = (0.5f64.powi(29), 1e-300);
    for (backend, (scale, tiny)) in [
        (&Cpu::new(1).unwrap() as &dyn Backend, (1.0, 0.0)),
        (&Reference, narrow),
    ] {
        let compare = |what: &str, got: &[f64], exact: &[f64], function: Unary| {
            for (n, (got, exact)) in got.iter().zip(exact).enumerate() {
                let bound = function_error(function, x[n], *exact) * scale + tiny;
                let equal = got == exact || f64::from(*exact as f32) == *got;
                assert!(
                    equal || (got - exact).abs() <= bound,
                    "{what} of {:e} on {}: {got:e}, expected {exact:e} within {bound:e}",
                    x[n],
                    backend.name()
                );
            }
        };
        for (name, function) in functions {
            let got = run_on(backend, &x, |x, _, y| Kernel::Unary { function, x, y }, 1);
            compare(name, &got, &numbers(&file[name]), function);
        }
        // log(e^x + e^0) is the logistic loss of -x, computed another way: the same roundings, and a difference.
        let rows: Vec<f64> = x.iter().flat_map(|&x| [x, 0.0]).collect();
        let got = run_on(
            backend,
            &rows,
            |x, labels, y| Kernel::SoftmaxCrossEntropy { x, labels, y },
            2,
        );
        compare("log-sum-exp", &got, &numbers(&file["log_sum_exp"]), Unary::Logistic);
    }
}
