//! The same bits for any number of threads, on a second run, and for a replica alone, beside others, in any order and in
//! any shard.

mod network_support;

use disentangle::backend::Cpu;
use disentangle::backend::kernel::UpdateRule;
use disentangle::nn::{Activation, Loss};
use network_support::{Net, Rows, Setup};

/// 17 tiles in 16 lanes; with batches of 900, 4 of 4 tiles and a short one: 5 steps are an epoch.
const TOTAL: usize = 4200;
const BATCH: usize = 900;
const STEPS: usize = 5;

const SGD: UpdateRule = UpdateRule::Sgd {
    momentum: 0.9,
    nesterov: true,
    weight_decay: 1e-3,
};
const ADAM: UpdateRule = UpdateRule::Adam {
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weight_decay: 1e-2,
    decoupled: true,
};
const RMS_PROP: UpdateRule = UpdateRule::RmsProp {
    alpha: 0.99,
    epsilon: 1e-8,
    momentum: 0.5,
    weight_decay: 0.0,
};

/// Every loss, with one output and with several, every activation and optimiser.
fn setups(rows: Rows) -> Vec<Setup> {
    let hinge = Loss::Hinge { threshold: 1.0 };
    let squared_hinge = Loss::SquaredHinge { threshold: 0.5 };
    [
        (Loss::CrossEntropy, Activation::Tanh, SGD, 3),
        (Loss::Logistic, Activation::Gelu, ADAM, 2),
        (hinge, Activation::Relu, RMS_PROP, 4),
        (squared_hinge, Activation::Sigmoid, SGD, 2),
        (Loss::SquaredError, Activation::Identity, ADAM, 3),
    ]
    .map(|(loss, activation, rule, classes)| Setup {
        loss,
        activation,
        rule,
        classes,
        inputs: 37,
        hidden: [19, 11],
        total: TOTAL,
        rows,
        entangled: false,
    })
    .to_vec()
}

/// Networks with a layer that runs on blocks of rows: 4200 rows are a block and a short one, 900 one.
fn wide_setups() -> Vec<Setup> {
    let rows = [Rows::Lasting, Rows::Own, Rows::Gathered(BATCH)];
    rows.map(|rows| Setup {
        hidden: [270, 260],
        ..setups(rows)[0]
    })
    .to_vec()
}

/// Networks whose first hidden layer has a soft nearest neighbour loss: in tiles, on blocks, in batches of one lane and of several.
fn entangled_setups() -> Vec<Setup> {
    let rows = [Rows::Shared, Rows::Own, Rows::Gathered(130), Rows::Written(300)];
    let narrow = rows.map(|rows| Setup {
        total: 700,
        entangled: true,
        ..setups(rows)[0]
    });
    let wide = Setup {
        hidden: [270, 260],
        ..narrow[0]
    };
    narrow.into_iter().chain([wide]).collect()
}

const ROWS: [Rows; 5] = [
    Rows::Shared,
    Rows::Lasting,
    Rows::Own,
    Rows::Gathered(BATCH),
    Rows::Written(BATCH),
];

fn train(setup: &Setup, replicas: &[u64], cpu: &Cpu) -> Vec<Vec<u64>> {
    let bits = Net::new(setup, replicas, cpu).train(STEPS);
    let numbers = bits.iter().flatten().map(|b| f64::from_bits(*b));
    assert!(
        numbers.clone().all(f64::is_finite) && numbers.clone().any(|v| v != 0.0),
        "{setup:?}"
    );
    bits
}

/// Where two lists of bits part, if they do.
fn difference(a: &[u64], b: &[u64]) -> Option<String> {
    if a.len() != b.len() {
        return Some(format!("{} numbers and {}", a.len(), b.len()));
    }
    let n = a.iter().zip(b).position(|(a, b)| a != b)?;
    Some(format!(
        "number {n}: {:e} and {:e}",
        f64::from_bits(a[n]),
        f64::from_bits(b[n])
    ))
}

fn assert_same(what: &str, setup: &Setup, a: &[u64], b: &[u64]) {
    if let Some(difference) = difference(a, b) {
        panic!("{what}, {setup:?}: {difference}");
    }
}

/// Short, for the sanitizers too.
#[test]
fn two_threads_and_one() {
    let wide = Setup {
        total: 600,
        ..wide_setups()[0]
    };
    for setup in [
        setups(Rows::Gathered(BATCH))[0],
        setups(Rows::Lasting)[0],
        wide,
        entangled_setups()[2],
    ] {
        let [one, two] = [1, 2].map(|threads| train(&setup, &[0, 1], &Cpu::new(threads).unwrap()));
        for (a, b) in one.iter().zip(&two) {
            assert_same("two threads", &setup, a, b);
        }
    }
}

#[test]
fn any_number_of_threads_and_a_second_run() {
    let backends = [1, 2, 3, 7].map(|threads| (threads, Cpu::new(threads).unwrap()));
    for setup in ROWS
        .into_iter()
        .flat_map(setups)
        .chain(wide_setups())
        .chain(entangled_setups())
    {
        let first = train(&setup, &[0, 1, 2], &backends[0].1);
        for (threads, cpu) in &backends {
            let again = train(&setup, &[0, 1, 2], cpu);
            for (a, b) in first.iter().zip(&again) {
                assert_same(&format!("{threads} threads"), &setup, a, b);
            }
        }
    }
    // More than one thread worked. On a busy machine one may take all tasks of a short region, so train until it did not.
    let setup = setups(Rows::Shared)[0];
    let first = train(&setup, &[0, 1, 2], &backends[0].1);
    for (threads, cpu) in &backends[1..] {
        let shared = || cpu.tasks_done().iter().filter(|done| **done > 0).count() > 1;
        for _ in 0..1000 {
            if shared() {
                break;
            }
            assert_same("a run of many", &setup, &first[1], &train(&setup, &[0, 1, 2], cpu)[1]);
        }
        println!("{threads} threads: tasks done {:?}", cpu.tasks_done());
        assert!(shared(), "{threads} threads, but one did all: {:?}", cpu.tasks_done());
    }
}

#[test]
fn a_replica_alone_beside_others_in_any_order_and_shard() {
    let cpu = Cpu::new(2).unwrap();
    for setup in ROWS
        .into_iter()
        .flat_map(setups)
        .chain(wide_setups())
        .chain(entangled_setups())
    {
        let five = train(&setup, &[0, 1, 2, 3, 4], &cpu);
        assert!(
            difference(&five[1], &five[3]).is_some(),
            "replicas that learn the same, {setup:?}"
        );
        let alone = train(&setup, &[3], &cpu);
        assert_same("alone", &setup, &five[3], &alone[0]);
        for (reversed, forward) in train(&setup, &[4, 3, 2, 1, 0], &cpu).iter().rev().zip(&five) {
            assert_same("in reverse order", &setup, forward, reversed);
        }
        let shard = train(&setup, &[9, 3, 17], &cpu);
        assert_same("in another shard", &setup, &five[3], &shard[1]);
    }
}
