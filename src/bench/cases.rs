//! The list: kernels on the shapes of dense networks, whole steps, and the thread pool.

use std::time::{Duration, Instant};

use super::pairs;
use super::product::{Kind, Product};
use super::single::{Operands, set};
use super::step::step;
use super::{BenchError, Case};
use crate::backend::BackendError;
use crate::backend::cpu::pool::{Pool, SPIN};
use crate::backend::kernel::{Kernel, Unary, UpdateRule};

/// Every case for a backend with so many threads, in the order of the table.
pub fn all(threads: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    // rows, inputs, units, replicas
    for shape in [
        (8192, 784, 20, 1),
        (8192, 784, 20, 16),
        (8192, 20, 2, 1),
        (64, 784, 512, 1),
        (512, 512, 512, 1),
        (1024, 1024, 1024, 1),
        (2048, 2048, 2048, 1),
    ] {
        cases.push(dense(shape, false));
    }
    for shape in [(8192, 784, 20, 1), (8192, 784, 20, 16)] {
        cases.push(dense(shape, true));
    }
    for shape in [
        (8192, 784, 20, 1),
        (8192, 784, 20, 16),
        (64, 784, 512, 1),
        (512, 2048, 2048, 1),
    ] {
        cases.push(dense_weight_grad(shape, false));
    }
    for shape in [(8192, 784, 20, 1), (8192, 784, 20, 16)] {
        cases.push(dense_weight_grad(shape, true));
    }
    for shape in [(8192, 20, 2, 1), (64, 512, 512, 1), (512, 2048, 2048, 1)] {
        cases.push(dense_input_grad(shape));
    }
    for (name, function) in [
        ("tanh", Unary::Tanh),
        ("relu", Unary::Relu),
        ("gelu", Unary::Gelu),
        ("sigmoid", Unary::Sigmoid),
    ] {
        cases.push(unary(name, function));
    }
    cases.push(tanh_grad());
    cases.extend([row_normalize(), class_moments(), error_count()]);
    for classes in [2, 10] {
        cases.extend([cross_entropy(classes), cross_entropy_grad(classes)]);
    }
    cases.extend([sgd(), adam()]);
    cases.extend([
        step(&[784, 20, 2], 8192, 1, false),
        step(&[784, 20, 2], 8192, 1, true),
        step(&[784, 20, 2], 8192, 16, false),
        step(&[784, 20, 2], 8192, 16, true),
        step(&[784, 20, 20, 2], 32, 1, false),
        step(&[784, 20, 20, 2], 32, 16, false),
        step(&[784, 512, 512, 10], 64, 1, false),
        step(&[784, 2048, 2048, 10], 512, 1, false),
    ]);
    cases.extend(pairs::all());
    cases.extend([
        region("parallel region, hot", threads, Duration::ZERO),
        region("parallel region, parked", threads, PAUSE),
    ]);
    cases
}

/// A case of one kernel: its operands are made anew for each run of the list.
fn single(
    kernel: &'static str,
    shape: String,
    flops: Option<f64>,
    (replicas, rows): (usize, usize),
    record: impl Fn(&mut Operands) -> Kernel + 'static,
) -> Case {
    // Sizes alone, for the bytes; the numbers are drawn when the case runs.
    let bytes = {
        let mut operands = Operands::sizes(replicas, rows);
        record(&mut operands);
        operands.bytes()
    };
    Case {
        kernel,
        shape,
        flops,
        bytes: Some(bytes),
        pause: Duration::ZERO,
        host: false,
        product: None,
        prepare: Box::new(move |backend| {
            let mut operands = Operands::new(replicas, rows);
            let kernel = record(&mut operands);
            operands.ready(backend, kernel)
        }),
    }
}

type Shape = (usize, usize, usize, usize);

fn words((rows, inputs, units, replicas): Shape) -> String {
    format!("{rows} x {inputs} x {units}, R = {replicas}")
}

fn product_flops((rows, inputs, units, replicas): Shape) -> f64 {
    2.0 * (rows * inputs * units * replicas) as f64
}

/// The product of a case whose numbers are all computed.
fn product(kind: Kind, (rows, inputs, units, replicas): Shape) -> Option<Product> {
    Some(Product {
        kind,
        rows,
        inputs,
        units,
        replicas,
    })
}

fn dense(shape: Shape, zeros: bool) -> Case {
    let (rows, inputs, units, replicas) = shape;
    let record = move |o: &mut Operands| Kernel::Dense {
        x: o.samples(inputs, zeros),
        weight: o.parameter(units, inputs),
        bias: Some(o.parameter(1, units)),
        y: o.rows(units, true),
    };
    let kernel = if zeros { "dense, zeros" } else { "dense" };
    // Skipped products are none.
    let flops = (!zeros).then_some(product_flops(shape));
    Case {
        product: flops.and(product(Kind::Forward, shape)),
        ..single(kernel, words(shape), flops, (replicas, rows), record)
    }
}

fn dense_weight_grad(shape: Shape, zeros: bool) -> Case {
    let (rows, inputs, units, replicas) = shape;
    let record = move |o: &mut Operands| Kernel::DenseWeightGrad {
        dy: o.rows(units, true),
        x: o.samples(inputs, zeros),
        dweight: Some(set(o.parameter(units, inputs))),
        dbias: Some(set(o.parameter(1, units))),
    };
    let kernel = if zeros {
        "dense_weight_grad, zeros"
    } else {
        "dense_weight_grad"
    };
    let flops = (!zeros).then_some(product_flops(shape));
    Case {
        product: flops.and(product(Kind::WeightGrad, shape)),
        ..single(kernel, words(shape), flops, (replicas, rows), record)
    }
}

fn dense_input_grad(shape: Shape) -> Case {
    let (rows, inputs, units, replicas) = shape;
    let record = move |o: &mut Operands| Kernel::DenseInputGrad {
        dy: o.rows(units, true),
        weight: o.parameter(units, inputs),
        dx: set(o.rows(inputs, true)),
    };
    let flops = Some(product_flops(shape));
    Case {
        product: product(Kind::InputGrad, shape),
        ..single("dense_input_grad", words(shape), flops, (replicas, rows), record)
    }
}

/// Rows and columns of what is computed number by number: the hidden layer of 16 networks.
const HIDDEN: (usize, usize, usize) = (8192, 20, 16);

fn hidden() -> String {
    let (rows, cols, replicas) = HIDDEN;
    format!("{rows} x {cols}, R = {replicas}")
}

fn unary(name: &'static str, function: Unary) -> Case {
    let (rows, cols, replicas) = HIDDEN;
    single(name, hidden(), None, (replicas, rows), move |o| Kernel::Unary {
        function,
        x: o.rows(cols, true),
        y: o.rows(cols, true),
    })
}

fn tanh_grad() -> Case {
    let (rows, cols, replicas) = HIDDEN;
    single("tanh_grad", hidden(), None, (replicas, rows), move |o| {
        Kernel::UnaryGrad {
            function: Unary::Tanh,
            x: o.rows(cols, true),
            y: o.rows(cols, true),
            dy: o.rows(cols, true),
            dx: set(o.rows(cols, true)),
        }
    })
}

fn row_normalize() -> Case {
    let (rows, cols, replicas) = HIDDEN;
    single("row_normalize", hidden(), None, (replicas, rows), move |o| {
        Kernel::RowNormalize {
            x: o.rows(cols, true),
            y: o.rows(cols, true),
            norms: o.rows(1, true),
        }
    })
}

fn class_moments() -> Case {
    let (rows, cols, replicas) = HIDDEN;
    single("class_moments", hidden(), None, (replicas, rows), move |o| {
        Kernel::ClassMoments {
            x: o.rows(cols, true),
            labels: o.labels(2),
            weights: None,
            moments: o.wide(2, 2 + cols),
        }
    })
}

fn error_count() -> Case {
    let (rows, _, replicas) = HIDDEN;
    let shape = format!("{rows} x 2, R = {replicas}");
    single("error_count", shape, None, (replicas, rows), move |o| {
        Kernel::ErrorCount {
            x: o.rows(2, true),
            labels: o.labels(2),
            weights: None,
            counts: o.wide(1, 2),
        }
    })
}

fn cross_entropy(classes: u32) -> Case {
    let (rows, _, replicas) = HIDDEN;
    let shape = format!("{rows} x {classes}, R = {replicas}");
    let record = move |o: &mut Operands| Kernel::SoftmaxCrossEntropy {
        x: o.rows(classes as usize, true),
        labels: o.labels(classes),
        y: o.rows(1, true),
    };
    single("softmax_cross_entropy", shape, None, (replicas, rows), record)
}

fn cross_entropy_grad(classes: u32) -> Case {
    let (rows, _, replicas) = HIDDEN;
    let shape = format!("{rows} x {classes}, R = {replicas}");
    let record = move |o: &mut Operands| Kernel::SoftmaxCrossEntropyGrad {
        x: o.rows(classes as usize, true),
        labels: o.labels(classes),
        dy: o.rows(1, true),
        dx: set(o.rows(classes as usize, true)),
    };
    single("softmax_cross_entropy_grad", shape, None, (replicas, rows), record)
}

fn update(kernel: &'static str, rule: UpdateRule) -> Case {
    let (units, inputs) = (512, 784);
    single(kernel, format!("{units} x {inputs}"), None, (1, 1), move |o| {
        Kernel::Update {
            rule,
            parameter: o.parameter(units, inputs),
            gradient: o.parameter(units, inputs),
            states: (0..rule.states()).map(|_| o.parameter(units, inputs)).collect(),
        }
    })
}

fn sgd() -> Case {
    let rule = UpdateRule::Sgd {
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
    };
    update("sgd with momentum", rule)
}

fn adam() -> Case {
    let rule = UpdateRule::Adam {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.0,
        decoupled: false,
    };
    update("adam", rule)
}

fn pool(threads: usize) -> Result<Pool, BenchError> {
    let reason = |error: crate::backend::cpu::pool::PoolError| BackendError::Threads {
        reason: error.to_string(),
    };
    Ok(Pool::new(threads).map_err(reason)?)
}

/// Longer than the threads look for work before they go to sleep.
const PAUSE: Duration = SPIN.saturating_mul(4);

/// An empty region: right after the last one, and after a pause in which the threads have gone to sleep.
fn region(kernel: &'static str, threads: usize, pause: Duration) -> Case {
    Case {
        kernel,
        shape: format!("{threads} threads"),
        flops: None,
        bytes: None,
        pause,
        host: true,
        product: None,
        prepare: Box::new(move |_| {
            let pool = pool(threads)?;
            Ok(Box::new(move || {
                if !pause.is_zero() {
                    // Not a sleep: its own error is larger than what is timed.
                    let start = Instant::now();
                    while start.elapsed() < pause {
                        std::hint::spin_loop();
                    }
                }
                pool.run(threads, &|_, _| {});
                Ok(())
            }))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Cpu;

    #[test]
    fn names_are_unique_and_sizes_are_those_of_the_formulas() {
        let cases = all(2);
        let mut names: Vec<String> = cases.iter().map(Case::name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), cases.len());
        let find = |name: &str| cases.iter().find(|c| c.name() == name).unwrap();
        let dense = find("dense 64 x 784 x 512, R = 1");
        assert_eq!(dense.flops, Some(2.0 * 64.0 * 784.0 * 512.0));
        assert_eq!(dense.bytes, Some(4.0 * (64 * 784 + 784 * 512 + 512 + 64 * 512) as f64));
        // Forward and weight gradient of both layers, input gradient of the second.
        let step = find("step 784-20-2, 8192 rows, R = 16");
        assert_eq!(
            step.flops,
            Some(2.0 * 8192.0 * 16.0 * (2 * (784 * 20 + 20 * 2) + 20 * 2) as f64)
        );
    }

    #[test]
    fn small_cases_run() {
        let cpu = Cpu::new(2).unwrap();
        for case in all(2) {
            let small = case.bytes.is_none_or(|bytes| bytes < 2e6) && case.flops.is_none_or(|flops| flops < 1e8);
            if small {
                case.prepare(&cpu).unwrap()().unwrap();
            }
        }
    }
}
