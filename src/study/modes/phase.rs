//! The phase diagram by training: one neuron per point of the plane (v0, z0), all of them replicas of one network.

use std::num::NonZeroUsize;

use super::descent::{Descent, Rows};
use super::findings::{Axis, Cell, Curve, Distance, Figure, Findings, Map, Table};
use super::neurons::{isotropic, isotropic_points, loss_of, problem, two_layers};
use super::theory::phase::{FATES, Fate, SUCCESS, dead_weight, failure_rate, failure_rate_stepping_over};
use super::theory::scalar::Pull;
use crate::backend::Backend;
use crate::nn::network::Parameters;
use crate::study::StudyError;

/// Replicas that are trained together: their parameters, gradients and outputs fit a second-level cache.
const BLOCK: usize = 4096;

/// What to train.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Points along a side of the plane.
    pub grid: usize,
    /// The plane is [-reach, reach] in both directions.
    pub reach: f64,
    /// Neurons with a random direction, for the fraction that learns.
    pub samples: usize,
    /// Widths of networks with random weights.
    pub widths: Vec<usize>,
    /// Networks of each width.
    pub networks: usize,
    /// The loss.
    pub pull: Pull,
    /// Learning rate.
    pub dt: f64,
    /// Length of the training, in units of 1 / (p rho).
    pub time: f64,
    /// Seed of the random points and networks.
    pub seed: u64,
}

/// Makes a backend for a thread.
pub type Backends<'a> = &'a (dyn Fn() -> Result<Box<dyn Backend>, StudyError> + Sync);

/// Calls `f` on consecutive parts of `items`, on so many threads; the results are in order, and do not depend on the
/// number of threads because a replica's numbers do not depend on its neighbours.
fn in_blocks<T: Sync, U: Send>(
    items: &[T],
    threads: NonZeroUsize,
    f: impl Fn(&[T]) -> Result<Vec<U>, StudyError> + Sync,
) -> Result<Vec<U>, StudyError> {
    let blocks: Vec<&[T]> = items.chunks(BLOCK).collect();
    let threads = threads.get().min(blocks.len()).max(1);
    let shares: Vec<Result<Vec<Vec<U>>, StudyError>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                let (blocks, f) = (&blocks, &f);
                scope.spawn(move || blocks.iter().skip(worker).step_by(threads).map(|b| f(b)).collect())
            })
            .collect();
        let failed = || StudyError::Option {
            detail: "a thread of the phase diagram ended early".into(),
        };
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| Err(failed())))
            .collect()
    });
    let mut shares: Vec<_> = shares
        .into_iter()
        .map(|share| share.map(Vec::into_iter))
        .collect::<Result<_, _>>()?;
    let mut all = Vec::with_capacity(items.len());
    for n in 0..blocks.len() {
        all.extend(shares[n % threads].next().into_iter().flatten());
    }
    Ok(all)
}

/// (v, z) of single neurons after training from (v0, z0), on x = 1 with label 1.
///
/// # Errors
/// Those of training.
pub fn neurons(
    points: &[(f64, f64)],
    plan: &Plan,
    threads: NonZeroUsize,
    backends: Backends,
) -> Result<Vec<(f64, f64)>, StudyError> {
    in_blocks(points, threads, |block| {
        let problem = problem(1, &[1], 1, loss_of(plan.pull), 2, block.len());
        let initial = two_layers(
            block.iter().map(|&(v, _)| v).collect(),
            block.iter().map(|&(_, z)| z).collect(),
        );
        let rows = Rows {
            features: &[1.0],
            labels: &[1],
            frequencies: None,
        };
        let mut descent = Descent::new(&problem, rows, &[], &initial, backends()?.as_ref())?;
        for _ in 0..steps(plan) {
            descent.step(0, plan.dt)?;
        }
        let parameters = descent.parameters()?;
        let of = |n: usize| parameters.get(n).map_or(&[][..], |(_, values)| values.as_slice());
        Ok(of(0).iter().copied().zip(of(1).iter().copied()).collect())
    })
}

/// What happens to a neuron whose v a step takes to the other side of 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtZero {
    /// It is set to v = 0, where nothing moves it: the end that the flow's theory sees there.
    Ends,
    /// It goes on, active on the other class: plain descent.
    StepsOver,
}

/// Whether networks of h neurons with standard normal weights fail on x = 1, x = -1 or both.
///
/// # Errors
/// Those of training.
pub fn failures(
    h: usize,
    at_zero: AtZero,
    plan: &Plan,
    threads: NonZeroUsize,
    backends: Backends,
) -> Result<Vec<bool>, StudyError> {
    let networks: Vec<u64> = (0..plan.networks as u64).collect();
    in_blocks(&networks, threads, |block| {
        let problem = problem(1, &[h], 1, loss_of(plan.pull), 2, block.len());
        let (mut weights, mut outputs) = (Vec::new(), Vec::new());
        for &network in block {
            let (w, z) = isotropic(h, plan.seed, network);
            weights.extend(w);
            outputs.extend(z);
        }
        let rows = Rows {
            features: &[1.0, -1.0],
            labels: &[1, 0],
            // Times are in units of 1 / (p rho).
            frequencies: Some(&[1.0, 1.0]),
        };
        let mut parameters = two_layers(weights, outputs);
        let mut descent = Descent::new(&problem, rows, &[], &parameters, backends()?.as_ref())?;
        for _ in 0..steps(plan) {
            descent.step(0, plan.dt)?;
            if at_zero == AtZero::Ends {
                let mut stepped = descent.parameters()?;
                if end_at_zero(&parameters, &mut stepped) {
                    descent.write_parameters(&stepped)?;
                }
                parameters = stepped;
            }
        }
        let outputs = descent.outputs(0)?;
        Ok(outputs
            .chunks_exact(2)
            .map(|pair| !(pair[0] > 0.0 && pair[1] < 0.0))
            .collect())
    })
}

/// Sets the first layer's weights that changed sign to 0. Says whether there was one.
fn end_at_zero(before: &Parameters, after: &mut Parameters) -> bool {
    let (Some((_, from)), Some((_, to))) = (before.first(), after.first_mut()) else {
        return false;
    };
    let mut any = false;
    for (v, _) in to.iter_mut().zip(from).filter(|(v, from)| **v * **from < 0.0) {
        *v = 0.0;
        any = true;
    }
    any
}

fn steps(plan: &Plan) -> u64 {
    (plan.time / plan.dt).ceil() as u64
}

/// The points of the grid: centres of cells, row by row from the bottom.
pub fn grid(plan: &Plan) -> Vec<(f64, f64)> {
    let side = plan.grid;
    let at = |n: usize| plan.reach * ((2 * n + 1) as f64 / side as f64 - 1.0);
    (0..side * side).map(|n| (at(n % side), at(n / side))).collect()
}

/// The whole experiment.
///
/// # Errors
/// Those of training.
pub fn run(
    plan: &Plan,
    threads: NonZeroUsize,
    backends: Backends,
    tell: &mut dyn FnMut(&str),
) -> Result<Findings, StudyError> {
    let points = grid(plan);
    tell(&format!("{} neurons on the plane", points.len()));
    let ends = neurons(&points, plan, threads, backends)?;
    let fates: Vec<Fate> = points
        .iter()
        .zip(&ends)
        .map(|(&(v0, _), &(v, z))| Fate::observed(v0, v, z))
        .collect();
    let predicted: Vec<Fate> = points.iter().map(|&(v, z)| Fate::predicted(v, z)).collect();
    // On the separatrix the theory says "saddle", which no rounding leaves: half a cell is left out on either side.
    let half_cell = plan.reach / plan.grid as f64;
    let away = |&(v, z): &(f64, f64)| v <= 0.0 || (v + z).abs() > half_cell;
    let judged: Vec<usize> = (0..points.len()).filter(|&n| away(&points[n])).collect();
    let wrong = judged.iter().filter(|&&n| fates[n] != predicted[n]).count();
    let dead = judged.iter().filter(|&&n| fates[n] == Fate::Dies);
    let dead_error = dead
        .map(|&n| (ends[n].1 - dead_weight(points[n].0, points[n].1)).abs())
        .fold(0.0, f64::max);

    tell(&format!("{} neurons with a random direction", plan.samples));
    let random = isotropic_points(plan.samples, plan.seed);
    let trained = neurons(&random, plan, threads, backends)?;
    let learnt = random
        .iter()
        .zip(&trained)
        .filter(|&(&(v0, _), &(v, z))| Fate::observed(v0, v, z) == Fate::Learns)
        .count();
    let success = learnt as f64 / plan.samples.max(1) as f64;

    let columns = [
        "neurons",
        "networks",
        "failed",
        "rate",
        "theory",
        "sigma",
        "rate_stepping_over",
        "limit_stepping_over",
    ];
    let mut law = Table::new("failure-rate", &columns, true);
    let mut distances = vec![
        Distance::derived(
            "fate of a neuron, away from the separatrix".into(),
            format!("fraction of {} points that differ", judged.len()),
            wrong as f64 / judged.len().max(1) as f64,
            0.0,
        ),
        Distance::derived(
            "z of the neurons that die, -sqrt(z0^2 - v0^2)".into(),
            "largest difference".into(),
            dead_error,
            // Euler's step that passes v = 0 leaves z^2 - v^2 off by dt^2 (z0^2 - v0^2) per step, and v below 0 by dt |z|:
            // z is off by dt |z| at most, |z| <= reach.
            plan.dt * plan.reach,
        ),
        Distance::derived(
            "fraction of random directions that learn, 3/8".into(),
            format!("difference, {} neurons", plan.samples),
            (success - SUCCESS).abs(),
            // Three deviations of a binomial; 0.003 for 2e5 samples.
            3.0 * (SUCCESS * (1.0 - SUCCESS) / plan.samples.max(1) as f64).sqrt(),
        ),
    ];
    let (mut ends_there, mut steps_over) = (Vec::new(), Vec::new());
    for &h in &plan.widths {
        tell(&format!("{} networks of {h} neurons", plan.networks));
        let count = |at_zero| -> Result<usize, StudyError> {
            let failed = failures(h, at_zero, plan, threads, backends)?;
            Ok(failed.into_iter().filter(|&failed| failed).count())
        };
        let networks = plan.networks as f64;
        let (failed, over) = (count(AtZero::Ends)?, count(AtZero::StepsOver)?);
        let (rate, over) = (failed as f64 / networks, over as f64 / networks);
        let (theory, limit) = (failure_rate(h as u32), failure_rate_stepping_over(h as u32));
        let sigma = (theory * (1.0 - theory) / networks).sqrt();
        law.rows.push(vec![
            (h as u64).into(),
            (plan.networks as u64).into(),
            (failed as u64).into(),
            rate.into(),
            theory.into(),
            sigma.into(),
            over.into(),
            limit.into(),
        ]);
        distances.push(Distance::derived(
            format!("failure rate at h = {h}, 2 (5/8)^h - (1/4)^h"),
            "difference".into(),
            (rate - theory).abs(),
            3.0 * sigma,
        ));
        ends_there.push((h as f64, rate, theory));
        steps_over.push((h as f64, over));
    }
    let widest = plan.widths.iter().copied().max().unwrap_or(1);
    let mut table = Table::new("phase", &["v0", "z0", "theory", "trained", "v", "z"], false);
    for (n, &(v0, z0)) in points.iter().enumerate() {
        let word = |fate: Fate| Cell::from(fate.name());
        let row = [v0.into(), z0.into(), word(predicted[n]), word(fates[n])];
        table
            .rows
            .push(row.into_iter().chain([ends[n].0.into(), ends[n].1.into()]).collect());
    }
    let reach = plan.reach;
    let code = |fate: &Fate| FATES.iter().position(|other| other == fate).unwrap_or_default() as u8;
    let described = format!(
        "{0} x {0} single neurons, {1}, learning rate {2}, {3} steps, p rho = 1",
        plan.grid,
        plan.pull.name(),
        plan.dt,
        steps(plan)
    );
    Ok(Findings {
        title: "Phase diagram of initialisation".into(),
        headline: format!(
            "{} of {} neurons away from the separatrix do as the theory says; {success:.4} of random directions learn (3/8).",
            judged.len() - wrong,
            judged.len()
        ),
        figures: vec![Figure {
            name: "failure-rate-of-networks".into(),
            title: "Random networks that fail".into(),
            caption: format!(
                "Classes x and -x. Derived: 2 (5/8)^h - (1/4)^h where v = 0 is a neuron's end; plain descent steps over v = 0, and \
                 the neuron goes on for the other class, with the limit 2 (1/2)^h if all arrive. Points: {} networks each, \
                 standard normal weights, {}, learning rate {}, {} steps, seed {}.",
                plan.networks,
                plan.pull.name(),
                plan.dt,
                steps(plan),
                plan.seed
            ),
            x: Axis::linear("neurons h"),
            y: Axis::linear("rate"),
            residual: Some("trained - theory".into()),
            curves: vec![
                Curve {
                    label: "v = 0 is a neuron's end".into(),
                    theory: (1..=widest).map(|h| (h as f64, failure_rate(h as u32))).collect(),
                    simulation: ends_there.iter().map(|&(h, rate, _)| (h, rate)).collect(),
                    residual: ends_there.iter().map(|&(h, rate, theory)| (h, rate - theory)).collect(),
                },
                Curve {
                    label: "steps go over v = 0 (line: its limit)".into(),
                    theory: (1..=widest)
                        .map(|h| (h as f64, failure_rate_stepping_over(h as u32)))
                        .collect(),
                    simulation: steps_over,
                    residual: Vec::new(),
                },
            ],
        }],
        maps: vec![Map {
            name: "phase-diagram".into(),
            title: "What becomes of a neuron".into(),
            caption: format!("Colours: {described}. Lines, derived: v0 = 0 and z0 = -v0."),
            x: "v0 = w . x / rho".into(),
            y: "z0".into(),
            reach,
            side: plan.grid,
            cells: fates.iter().map(code).collect(),
            kinds: FATES.iter().map(|fate| fate.name().into()).collect(),
            lines: vec![
                ("v0 = 0".into(), vec![(0.0, -reach), (0.0, reach)]),
                ("z0 = -v0".into(), vec![(0.0, 0.0), (reach, -reach)]),
            ],
            points: Vec::new(),
        }],
        distances,
        tables: vec![law, table],
        ..Findings::default()
    })
}
