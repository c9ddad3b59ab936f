//! The toy of two coupled features, with weight decay and with spectral decoupling, as the authors' script trains it: 5,000
//! steps with learning rate 0.05.

use super::descent::{Descent, Objective, Problem, Rows};
use super::findings::{Axis, Curve, Distance, Figure, Findings, Table, largest};
use super::theory::decoupling::Toy;
use crate::backend::Backend;
use crate::nn::{Activation, Architecture, Loss, Optimizer};
use crate::study::StudyError;
use crate::train::TrainError;

/// A strength of the first feature, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coupled {
    /// s_1
    pub strength: f64,
    /// z by the theory, by arm.
    pub theory: [[f64; 2]; 2],
    /// z after training, by arm.
    pub trained: [[f64; 2]; 2],
}

/// The arms.
pub const ARMS: [&str; 2] = ["weight decay", "spectral decoupling"];
/// Strengths of the first feature; the second has 2.
pub const STRENGTHS: [f64; 5] = [2.0, 3.0, 4.0, 5.0, 6.0];
/// Weight decay of the first arm, lambda.
const DECAY: f64 = 0.01;
/// Penalty of the second arm on the squared outputs, per example; the fixed point has twice as much.
const PENALTY: f64 = 1e-3;
const STEPS: u64 = 5000;
const LEARNING_RATE: f64 = 0.05;

/// Trains both arms, a replica per strength.
///
/// # Errors
/// Those of training and of the theory's fixed point.
pub fn train(strengths: &[f64], backend: &dyn Backend) -> Result<Vec<Coupled>, StudyError> {
    let toys: Vec<Toy> = strengths
        .iter()
        .map(|&s| Toy {
            sine: 0.5,
            strengths: [s, 2.0],
        })
        .collect();
    let features: Vec<f64> = toys.iter().flat_map(Toy::features).collect();
    let arm = |decay: f64, penalty: f64| -> Result<Vec<[f64; 2]>, StudyError> {
        let problem = Problem {
            architecture: Architecture {
                inputs: 2,
                hidden: vec![],
                outputs: 1,
                activation: Activation::Identity,
                bias: false,
            },
            loss: Loss::Logistic,
            classes: 2,
            rule: Optimizer::Sgd.rule(0.0, decay).map_err(TrainError::from)?,
            replicas: toys.len(),
            objectives: vec![Objective::decoupled(1.0, penalty, 2, 1)],
        };
        let rows = Rows {
            features: &features,
            labels: &[1, 1],
            frequencies: Some(&[1.0, 1.0]),
        };
        let initial = vec![("0.weight".into(), vec![0.0; 2 * toys.len()])];
        let mut descent = Descent::new(&problem, rows, &[], &initial, backend)?;
        for _ in 0..STEPS {
            descent.step(0, LEARNING_RATE)?;
        }
        let margins = descent.outputs(0)?;
        let pairs = margins.chunks_exact(2).zip(&toys);
        Ok(pairs.map(|(m, toy)| toy.rotated([m[0], m[1]])).collect())
    };
    let (decayed, decoupled) = (arm(DECAY, 0.0)?, arm(0.0, PENALTY)?);
    let trained = decayed.into_iter().zip(decoupled);
    toys.iter()
        .zip(trained)
        .map(|(toy, (decayed, decoupled))| {
            Ok(Coupled {
                strength: toy.strengths[0],
                theory: [toy.decayed(DECAY)?, toy.decoupled(2.0 * PENALTY)],
                trained: [decayed, decoupled],
            })
        })
        .collect()
}

/// Adds both arms.
///
/// # Errors
/// As [`train`].
pub fn findings(findings: &mut Findings, backend: &dyn Backend) -> Result<(), StudyError> {
    let all = train(&STRENGTHS, backend)?;
    let columns = ["s1", "arm", "z1", "z1_theory", "z2", "z2_theory"];
    let mut table = Table::new("coupled-features", &columns, true);
    let mut curves = Vec::new();
    for (arm, name) in ARMS.into_iter().enumerate() {
        for row in &all {
            let (theory, trained) = (row.theory[arm], row.trained[arm]);
            table.rows.push(vec![
                row.strength.into(),
                name.into(),
                trained[0].into(),
                theory[0].into(),
                trained[1].into(),
                theory[1].into(),
            ]);
        }
        for z in 0..2 {
            let theory: Vec<f64> = all.iter().map(|row| row.theory[arm][z]).collect();
            let trained: Vec<f64> = all.iter().map(|row| row.trained[arm][z]).collect();
            let label = format!("z{}, {name}", z + 1);
            findings.distances.push(Distance::derived(
                format!("two coupled features, {name}: z{}", z + 1),
                format!("largest difference after {STEPS} steps"),
                largest(&trained, &theory, false),
                0.01,
            ));
            curves.push(Curve::compared(label, &STRENGTHS, &theory, &trained));
        }
    }
    findings.tables.push(table);
    findings.figures.push(Figure {
        name: "coupled-features".into(),
        title: "A stronger first feature starves the second".into(),
        caption: format!(
            "Lines: fixed points (derived). Points: the toy of Pezeshki et al., U turned by 30 degrees, s2 = 2, weight decay \
             {DECAY} or penalty {PENALTY} on the squared outputs, learning rate {LEARNING_RATE}, {STEPS} steps, {}.",
            backend.name()
        ),
        x: Axis::linear("strength s1 of the first feature"),
        y: Axis::linear("z"),
        residual: Some("trained - theory".into()),
        curves,
    });
    Ok(())
}
