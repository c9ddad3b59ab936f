//! The theory beside networks: reduced versions of the runs in `repro/hinge-theory`, each tolerance with its reason.

use super::comparison::{Comparison, From, compare};
use super::model::{Distribution, Model, Unit};
use super::nodes::Initial;
use super::simulation::{Outcome, Setting, Unwatched, run};
use crate::backend::Cpu;

fn simulate(setting: &Setting) -> Outcome {
    let cpu = Cpu::new(1).unwrap();
    run(setting, &cpu, None, &mut Unwatched).unwrap().unwrap()
}

fn compared(setting: &Setting) -> (Outcome, Comparison) {
    let outcome = simulate(setting);
    let comparison = compare(&outcome, From::Measured).unwrap();
    (outcome, comparison)
}

fn fresh(unit: Unit, alpha: f64, rate: f64, steps: usize) -> Setting {
    let d = 20;
    let mut model = Model {
        unit,
        distribution: Distribution::Gaussian,
        dimension: d,
        alpha,
        threshold: 1.0,
        beta: 1.0,
        noise: 0.0,
    };
    model.beta = rate / model.rate();
    Setting {
        model,
        nodes: 400,
        examples: 4000,
        test_examples: 0,
        steps,
        initial: Initial::Reflected,
        subtract: true,
        fresh: true,
        seed: 1,
        replica: 0,
        records: 30,
    }
}

#[test]
fn scratch() {
    for unit in [Unit::Relu, Unit::Linear] {
        for (alpha, rate, steps) in [(0.1, 0.01, 400), (1.0, 0.01, 400), (300.0, 1e-4, 400)] {
            let start = std::time::Instant::now();
            let (_, c) = compared(&fresh(unit, alpha, rate, steps));
            println!(
                "{unit:?} {alpha} {:?} {:?} {:.3} {:?}",
                c.until_end,
                c.plane_invariant,
                c.norm_invariant,
                start.elapsed()
            );
        }
    }
}
