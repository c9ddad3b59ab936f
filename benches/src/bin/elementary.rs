//! The functions of one number, at every f32 that is a number and at both infinities: 4,278,190,082 of them each.
//!
//! ```text
//! elementary [FUNCTION...]        tanh gelu sigmoid logistic log_sum_exp tanh_slope gelu_slope sigmoid_slope logistic_slope
//! ```
//!
//! The CPU's kernels against the reference, whose f64 the tests compare with mpmath. Prints a Markdown table; takes some minutes per
//! function, on all threads of the machine.

use disentangle::backend::kernel::{Kernel, Target, Unary, Write};
use disentangle::backend::program::{Buffer, Domain, Element, Extent, Program, Segment, Storage};
use disentangle::backend::{Backend, BackendError, BufferId, Cpu, EntryId, Executable, Reference, RowSpace, Step};
use disentangle::verify::{Ulps, function_error};

/// Numbers at a time.
const ROWS: usize = 1 << 18;

const NAMES: [(&str, Unary, What); 9] = [
    ("tanh", Unary::Tanh, What::Value),
    ("gelu", Unary::Gelu, What::Value),
    ("sigmoid", Unary::Sigmoid, What::Value),
    ("logistic", Unary::Logistic, What::Value),
    ("log_sum_exp", Unary::Logistic, What::LogSumExp),
    ("tanh_slope", Unary::Tanh, What::Slope),
    ("gelu_slope", Unary::Gelu, What::Slope),
    ("sigmoid_slope", Unary::Sigmoid, What::Slope),
    ("logistic_slope", Unary::Logistic, What::Slope),
];

#[derive(Clone, Copy, PartialEq)]
enum What {
    /// f(x)
    Value,
    /// f'(x), from x and f(x) of the same backend
    Slope,
    /// log(e^x + 1), the cross-entropy of [x, 0] for the second
    LogSumExp,
}

/// A program of the function, on x.
fn load(backend: &dyn Backend, function: Unary, what: What) -> Result<Box<dyn Executable>, BackendError> {
    let cols = if what == What::LogSumExp { 2 } else { 1 };
    let buffer = |name: &str, element: Element, cols: usize| Buffer {
        name: name.into(),
        element,
        replicated: false,
        extent: Extent::Rows(RowSpace(0)),
        cols,
        storage: Storage::Persistent,
        lasting: false,
    };
    let [x, labels, y, dy, dx] = [0, 1, 2, 3, 4].map(BufferId);
    let kernels = match what {
        What::Value => vec![Kernel::Unary { function, x, y }],
        What::LogSumExp => vec![Kernel::SoftmaxCrossEntropy { x, labels, y }],
        What::Slope => {
            let dx = Target {
                buffer: dx,
                write: Write::Set,
            };
            vec![
                Kernel::Unary { function, x, y },
                Kernel::UnaryGrad { function, x, y, dy, dx },
            ]
        }
    };
    let program = Program {
        replicas: 1,
        spaces: vec![ROWS],
        buffers: vec![
            buffer("x", Element::Real, cols),
            buffer("labels", Element::Index { bound: 2 }, 1),
            buffer("y", Element::Real, 1),
            buffer("dy", Element::Real, 1),
            buffer("dx", Element::Real, 1),
        ],
        entries: vec![vec![Segment {
            domain: Domain::Rows(RowSpace(0)),
            kernels,
        }]],
    };
    let mut executable = backend.load(program)?;
    executable.write_index(labels, &vec![1; ROWS])?;
    executable.write(dy, &vec![1.0; ROWS])?;
    Ok(executable)
}

/// What a range of bits gave.
#[derive(Default)]
struct Found {
    ulps: Ulps,
    numbers: u64,
    /// In steps of f32, and its argument.
    worst: (f64, f32),
    /// In units of the bound, and its argument; only values have one here.
    of_bound: (f64, f32),
}

/// Compares at all numbers of some blocks of bits.
fn search(name: &str, function: Unary, what: What, blocks: impl Iterator<Item = u32>) -> Result<Found, BackendError> {
    let mut got = load(&Cpu::new(1)?, function, what)?;
    let mut exact = load(&Reference, function, what)?;
    let result = BufferId(if what == What::Slope { 4 } else { 2 });
    let (mut a, mut b) = (vec![0.0; ROWS], vec![0.0; ROWS]);
    let mut found = Found::default();
    let step = Step {
        learning_rate: 0.0,
        number: 1,
    };
    for block in blocks {
        let number = |n: usize| f32::from_bits(block * ROWS as u32 + n as u32);
        let x: Vec<f64> = (0..ROWS)
            .flat_map(|n| {
                let x = f64::from(number(n));
                [x, 0.0].into_iter().take(if what == What::LogSumExp { 2 } else { 1 })
            })
            .collect();
        for (executable, values) in [(&mut got, &mut a), (&mut exact, &mut b)] {
            executable.write(BufferId(0), &x)?;
            executable.run(EntryId(0), step)?;
            executable.read(result, values)?;
        }
        for (n, (&got, &exact)) in a.iter().zip(&b).enumerate() {
            let x = number(n);
            // Of NaN, and where a formula is infinity times nothing.
            if exact.is_nan() {
                assert!(got.is_nan(), "{name} of {x:e} became {got:e}");
                continue;
            }
            found.numbers += 1;
            let error = found
                .ulps
                .add(got, if exact.abs() > f64::from(f32::MAX) { got } else { exact });
            if error > found.worst.0 {
                found.worst = (error, x);
            }
            let argument = if what == What::LogSumExp {
                -f64::from(x)
            } else {
                f64::from(x)
            };
            let bound = function_error(function, argument, exact);
            let ratio = (got - exact).abs() / bound;
            if what != What::Slope && got != exact && ratio > found.of_bound.0 {
                found.of_bound = (ratio, x);
            }
        }
    }
    Ok(found)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let known = |name: &String| NAMES.iter().any(|(known, ..)| known == name);
    if let Some(unknown) = asked.iter().find(|name| !known(name)) {
        let names: Vec<&str> = NAMES.iter().map(|(name, ..)| *name).collect();
        eprintln!("elementary: '{unknown}', expected {}", names.join(", "));
        std::process::exit(2);
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "| function | numbers | worst ulp | at | 99.9 % | worst of its bound | at |\n|---|---|---|---|---|---|---|"
    );
    for (name, function, what) in NAMES {
        if !asked.is_empty() && !asked.iter().any(|asked| asked == name) {
            continue;
        }
        let blocks = (1u64 << 32) / ROWS as u64;
        let parts: Vec<Found> = std::thread::scope(|scope| {
            let start = |thread: usize| {
                scope.spawn(move || search(name, function, what, (thread as u32..blocks as u32).step_by(threads)))
            };
            let started: Vec<_> = (0..threads).map(start).collect();
            started
                .into_iter()
                .map(|thread| {
                    thread
                        .join()
                        .map_err(|_| "a thread panicked")?
                        .map_err(|error| error.to_string())
                })
                .collect::<Result<Vec<Found>, String>>()
        })?;
        let mut all = Found::default();
        for part in parts {
            all.ulps.merge(&part.ulps);
            all.numbers += part.numbers;
            if part.worst.0 > all.worst.0 {
                all.worst = part.worst;
            }
            if part.of_bound.0 > all.of_bound.0 {
                all.of_bound = part.of_bound;
            }
        }
        let bound = match what {
            What::Slope => " | ".to_string(),
            _ => format!("{:.3} | {:e}", all.of_bound.0, all.of_bound.1),
        };
        println!(
            "| {name} | {} | {:.3} | {:e} | {:.3} | {bound} |",
            all.numbers,
            all.worst.0,
            all.worst.1,
            all.ulps.quantile(0.999)
        );
    }
    Ok(())
}
