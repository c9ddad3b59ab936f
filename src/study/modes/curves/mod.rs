//! Learning curves of networks beside the theory's: two classes, K classes, depth, and the sweep of norm and frequency.

pub mod classes;
pub mod depth;
pub mod sweep;
pub mod two_classes;

use super::findings::{Findings, Table};
use super::theory::scalar::PULLS;
use crate::backend::Backend;
use crate::study::StudyError;

/// What to train.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// p of the two classes.
    pub frequencies: [f64; 2],
    /// rho of the two classes.
    pub norms: [f64; 2],
    /// Hidden neurons, half for each class.
    pub width: usize,
    /// Size of the initial weights: U(0.5, 1.5) times this.
    pub scale: f64,
    /// Numbers of classes.
    pub classes: Vec<usize>,
    /// Numbers of layers.
    pub depths: Vec<u32>,
    /// p of the sweep.
    pub sweep_frequencies: Vec<f64>,
    /// rho of the sweep.
    pub sweep_norms: Vec<f64>,
    /// Learning rate: the step of Euler's method in time.
    pub dt: f64,
    /// How long the curves of two classes are followed.
    pub time: f64,
    /// Seed of the initial weights.
    pub seed: u64,
}

/// Points of a curve that a figure shows.
const POINTS: u64 = 60;
/// A crossing is looked for at every so many steps.
const LOOK: u64 = 10;

/// Records of a run of `time`: steps, and steps between two records, of which both are multiples of [`LOOK`].
fn schedule(time: f64, dt: f64) -> (u64, u64) {
    let steps = (time / dt).round().max(1.0) as u64;
    let every = steps.div_ceil(POINTS).next_multiple_of(LOOK);
    (steps.next_multiple_of(every), every)
}

/// The whole experiment.
///
/// # Errors
/// Those of training and of the theory's solver.
pub fn run(plan: &Plan, backend: &dyn Backend, tell: &mut dyn FnMut(&str)) -> Result<Findings, StudyError> {
    let mut findings = Findings {
        title: "Independent modes".into(),
        ..Findings::default()
    };
    for pull in PULLS {
        tell(&format!("two classes, {}", pull.name()));
        let found = two_classes::train(plan, pull, backend)?;
        two_classes::findings(&mut findings, plan, pull, &found, backend.name());
    }
    if !plan.classes.is_empty() {
        classes::findings(&mut findings, plan, backend, tell)?;
    }
    if !plan.depths.is_empty() {
        depth::findings(&mut findings, plan, backend, tell)?;
    }
    if !plan.sweep_frequencies.is_empty() && !plan.sweep_norms.is_empty() {
        tell("norm and frequency");
        sweep::findings(&mut findings, &sweep::train(plan, backend)?);
    }
    let judged = findings.distances.iter().filter(|d| d.tolerance.is_some()).count();
    findings.headline = format!(
        "{} of {judged} distances between networks and theory are within what is expected.",
        judged - findings.failures()
    );
    let tables: Vec<Table> = findings.figures.iter().map(Table::of_figure).collect();
    findings.tables.extend(tables);
    Ok(findings)
}
