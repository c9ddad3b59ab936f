//! Networks that are put where the mean field has them at a gamma, without training: the test error of finitely many nodes
//! alone, beside eps(gamma) of [`finite_nodes`](super::finite_nodes).

use super::finite_nodes::test_error;
use super::model::{Distribution, Model, Unit};
use super::network::Network;
use super::nodes::{Initial, Nodes};
use super::simulation::{Data, Setting};
use crate::backend::Backend;
use crate::study::StudyError;
use crate::study::modes::findings::{Axis, Curve, Distance, Figure, Findings, Source, Table};
use crate::study::number::Spread;

/// What is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// M
    pub nodes: usize,
    /// d
    pub dimension: usize,
    /// Examples that each network's error is taken on.
    pub test_examples: usize,
    /// Networks at each gamma.
    pub replicas: u64,
    /// gamma, positive.
    pub gammas: Vec<f64>,
    /// Seed.
    pub seed: u64,
}

/// Fewer networks than this leave the mean of ReLU, whose spread is a third, to luck.
const ENOUGH: u64 = 20;

/// What is expected of |mean error / eps - 1|, from [`ENOUGH`] networks on.
fn tolerance(unit: Unit) -> f64 {
    match unit {
        Unit::Linear => 0.08,
        Unit::Relu => 0.10,
    }
}

fn setting(plan: &Plan, unit: Unit, replica: u64) -> Setting {
    Setting {
        model: Model {
            unit,
            distribution: Distribution::Gaussian,
            dimension: plan.dimension,
            alpha: 1.0,
            threshold: 1.0,
            beta: 1.0,
            noise: 0.0,
        },
        nodes: plan.nodes,
        examples: 1,
        test_examples: plan.test_examples,
        steps: 1,
        initial: Initial::Plain,
        subtract: false,
        fresh: false,
        seed: plan.seed,
        replica,
        records: 2,
    }
}

/// Checks the ranges.
///
/// # Errors
/// [`StudyError::Option`] for one that is not.
pub fn check(plan: &Plan) -> Result<(), StudyError> {
    setting(plan, Unit::Relu, 0).check()
}

/// The test error of each network at `gamma`.
///
/// # Errors
/// Those of [`check`] and of the engine.
pub fn errors(plan: &Plan, unit: Unit, gamma: f64, backend: &dyn Backend) -> Result<Vec<f64>, StudyError> {
    let of = |replica: u64| {
        let setting = setting(plan, unit, replica);
        setting.check()?;
        let data = Data::of_teacher(&setting);
        let nodes = Nodes::draw(setting.initial, setting.nodes, &data.direction, setting.seed, replica);
        let nodes = nodes.moved(&data.direction, gamma);
        Network::new(&setting, &nodes, &data.train, &data.test, backend)?.test_error()
    };
    (0..plan.replicas).map(of).collect()
}

/// Both units at every gamma.
///
/// # Errors
/// Those of [`errors`].
pub fn run(plan: &Plan, backend: &dyn Backend, tell: &mut dyn FnMut(&str)) -> Result<Findings, StudyError> {
    let mut findings = Findings {
        title: "Hinge loss: finitely many nodes".into(),
        papers: super::PAPER,
        ..Findings::default()
    };
    let columns = ["unit", "gamma", "networks", "test_error", "standard_error", "derived"];
    let mut table = Table::new("frozen-nodes", &columns, true);
    let mut curves = Vec::new();
    for unit in [Unit::Linear, Unit::Relu] {
        let model = setting(plan, unit, 0).model;
        let mut curve = Curve {
            label: unit.name().into(),
            ..Curve::default()
        };
        for &gamma in &plan.gammas {
            tell(&format!("{} units, gamma = {gamma}", unit.name()));
            let spread = Spread::of(errors(plan, unit, gamma, backend)?);
            let (mean, derived) = (spread.mean.unwrap_or(f64::NAN), test_error(&model, plan.nodes, gamma));
            table.rows.push(vec![
                unit.name().into(),
                gamma.into(),
                plan.replicas.into(),
                mean.into(),
                spread.standard_error().into(),
                derived.into(),
            ]);
            curve.simulation.push((gamma, mean));
            curve.residual.push((gamma, mean / derived - 1.0));
            findings.distances.push(Distance {
                what: format!("{} units, test error at gamma = {gamma}: {derived:.4}", unit.name()),
                measure: format!("relative difference of the mean of {} networks", plan.replicas),
                source: Source::Derived,
                value: (mean / derived - 1.0).abs(),
                tolerance: (plan.replicas >= ENOUGH).then(|| tolerance(unit)),
            });
        }
        let last = plan.gammas.iter().copied().fold(0.0, f64::max);
        curve.theory = (1..=120)
            .map(|n| last * f64::from(n) / 120.0)
            .map(|gamma| (gamma, test_error(&model, plan.nodes, gamma)))
            .collect();
        curves.push(curve);
    }
    findings.tables.push(table);
    let judged = findings.distances.iter().filter(|d| d.tolerance.is_some()).count();
    findings.headline = match judged {
        0 => format!("{} networks are too few to judge by, expected {ENOUGH}.", plan.replicas),
        _ => format!(
            "{} of {judged} mean test errors are within what is expected.",
            judged - findings.failures()
        ),
    };
    findings.figures.push(Figure {
        name: "frozen-nodes".into(),
        title: "Test error of finitely many nodes".into(),
        caption: format!(
            "Lines: (1/pi) arctan( sqrt(n_c d cosh 2g / M) / sinh 2g ) (derived). Points: means over {} untrained networks on {} fresh \
             examples each; M = {}, d = {}, seed {}, {}.",
            plan.replicas,
            plan.test_examples,
            plan.nodes,
            plan.dimension,
            plan.seed,
            backend.name()
        ),
        x: Axis::linear("gamma"),
        y: Axis::log("test error"),
        residual: Some("mean / derived - 1".into()),
        curves,
    });
    Ok(findings)
}
