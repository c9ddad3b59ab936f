//! Is a gradient right? Directional differences on the reference backend.
//!
//! For a parameter w and a random direction v the derivative of the objective along v is g . v by the gradient g, and by
//! differences D*(h) = (4 D(h) - D(2h)) / 3 with D(h) = (L(w + hv) - L(w - hv)) / 2h. One direction sees every element of
//! g, so a few suffice at any size (the idea is that of HIPS autograd's `check_grads`).
//!
//! The bound is not chosen, it follows: the truncation error of D*(h) is about |D*(2h) - D*(h)| / 15, of which the
//! numerator is taken; rounding errors of L reach D*(h) at most 1.5 / h times, and L carries at most c u S, with u = 2^-53,
//! c the number of roundings on the longest path (every sum counted as long as its longest side) and S = 1 + max |L|.
//! Intermediate results are taken to be no worse conditioned than L, which holds for networks of a few layers.
//!
//! Where an op has a kink between w - 4hv and w + 4hv, or on the spot, there is no derivative to compare with: such a
//! direction is left out, and the report names the op.
//!
//! ```
//! use disentangle::autograd::gradient_check::{Options, Report, Worst, compare, gradients};
//! use disentangle::autograd::{Graph, Session};
//!
//! // The slope of w^2 at w = 3 is 6, and one that is 1 % too steep is found out.
//! let mut graph = Graph::new(1)?;
//! let w = graph.parameter("w", 1, 1)?;
//! let square = graph.sum_squares(w)?;
//! let feed = |session: &mut Session| session.write(w, &[3.0]);
//! let right = gradients(&graph, square, feed)?;
//! assert_eq!(right, [(w, vec![6.0])]);
//! let report: Report = compare(&graph, square, &right, feed, Options::default())?;
//! assert!(report.passes() && report.compared == 4);
//! let wrong = compare(&graph, square, &[(w, vec![6.06])], feed, Options { directions: 1, ..Options::default() })?;
//! let worst: Worst = wrong.worst.ok_or("nothing was compared")?;
//! assert!(worst.ratio() > 1.0 && (worst.by_gradient / worst.by_differences - 1.01).abs() < 1e-9);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use super::error::AutogradError;
use super::graph::{Graph, Kink, Source, Value};
use super::plan::{Entry, Plan, Training, ancestors, check_objective};
use super::session::Session;
use crate::backend::program::{Element, Extent};
use crate::backend::{EntryId, Reference};

/// How to check.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Seed of the directions.
    pub seed: u64,
    /// Directions per parameter.
    pub directions: usize,
    /// Step length h along a direction whose elements are standard normal.
    pub step: f64,
}

impl Default for Options {
    fn default() -> Self {
        // h near u^(1/5), where truncation and rounding of D* meet.
        Options {
            seed: 0,
            directions: 4,
            step: 1e-3,
        }
    }
}

/// The comparison that came out worst.
#[derive(Clone, Debug, PartialEq)]
pub struct Worst {
    /// The parameter.
    pub parameter: String,
    /// The replica.
    pub replica: usize,
    /// Derivative along the direction by the gradient.
    pub by_gradient: f64,
    /// And by differences.
    pub by_differences: f64,
    /// How far apart they may be.
    pub bound: f64,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Comparisons made: directions times replicas.
    pub compared: usize,
    /// The largest error in units of its bound.
    pub worst: Option<Worst>,
    /// Directions left out: parameter and op with a kink on the way.
    pub kinks: Vec<(String, &'static str)>,
}

impl Worst {
    /// Error in units of the bound: the gradient is right if this is at most 1. Infinite if anything is not finite.
    pub fn ratio(&self) -> f64 {
        let ratio = (self.by_gradient - self.by_differences).abs() / self.bound;
        // Where something is not finite nothing is shown to be right, least of all by an infinite bound.
        if ratio.is_finite() && self.bound.is_finite() {
            ratio
        } else {
            f64::INFINITY
        }
    }
}

impl Report {
    /// True if something was compared and all of it is within its bound.
    pub fn passes(&self) -> bool {
        self.compared > 0 && self.worst.as_ref().is_some_and(|w| w.ratio() <= 1.0)
    }

    fn add(&mut self, candidate: Worst) {
        self.compared += 1;
        if self.worst.as_ref().is_none_or(|w| candidate.ratio() > w.ratio()) {
            self.worst = Some(candidate);
        }
    }
}

/// Checks the gradient of `objective` by every trainable parameter. `feed` writes the inputs and the parameters.
///
/// # Errors
/// Those of [`gradients`] and [`compare`].
///
/// ```
/// use disentangle::autograd::Graph;
/// use disentangle::autograd::gradient_check::{Options, gradient_check};
///
/// // The mean of tanh(w x) over three rows.
/// let mut graph = Graph::new(1)?;
/// let rows = graph.rows(3)?;
/// let x = graph.input("x", rows, 2, false)?;
/// let w = graph.parameter("w", 1, 2)?;
/// let y = graph.dense(x, w, None)?;
/// let y = graph.tanh(y)?;
/// let mean = graph.mean_over_rows(y, None)?;
/// let report = gradient_check(
///     &graph,
///     mean,
///     |session| {
///         session.write(x, &[1.0, 0.5, -2.0, 1.0, 0.3, 0.7])?;
///         session.write(w, &[0.4, -0.9])
///     },
///     Options::default(),
/// )?;
/// assert!(report.passes());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn gradient_check(
    graph: &Graph,
    objective: Value,
    feed: impl Fn(&mut Session) -> Result<(), AutogradError>,
    options: Options,
) -> Result<Report, AutogradError> {
    let gradients = gradients(graph, objective, &feed)?;
    compare(graph, objective, &gradients, feed, options)
}

/// The gradient of `objective` by every trainable parameter, `[replicas, rows, cols]`, on the reference backend.
///
/// # Errors
/// Those of planning ([`AutogradError::NoGradient`] for a parameter without gradient), of the backend and of `feed`.
pub fn gradients(
    graph: &Graph,
    objective: Value,
    feed: impl Fn(&mut Session) -> Result<(), AutogradError>,
) -> Result<Vec<(Value, Vec<f64>)>, AutogradError> {
    let entry = Entry {
        outputs: vec![],
        training: Some(Training { objective, rule: None }),
    };
    let mut session = Plan::new(graph, &[entry])?.start(&Reference)?;
    feed(&mut session)?;
    session.evaluate(EntryId(0))?;
    let parameters = graph.parameters();
    parameters.map(|(p, _)| Ok((p, session.gradient(p)?))).collect()
}

/// Compares gradients from anywhere (another backend, another program) with differences of `objective`: parameter and
/// gradient, `[replicas, rows, cols]`. `feed` writes the inputs and the parameters.
///
/// # Errors
/// [`AutogradError::Constant`] for a step that is not positive and finite; [`AutogradError::NotScalar`];
/// [`AutogradError::UnknownValue`] for a gradient by something that is no parameter; [`AutogradError::Shape`] for one of
/// another length than its parameter; and those of the backend and of `feed`.
pub fn compare(
    graph: &Graph,
    objective: Value,
    gradients: &[(Value, Vec<f64>)],
    feed: impl Fn(&mut Session) -> Result<(), AutogradError>,
    options: Options,
) -> Result<Report, AutogradError> {
    if !(options.step > 0.0 && options.step.is_finite()) {
        return Err(AutogradError::Constant {
            op: "gradient_check",
            detail: format!("step {}, expected a positive finite number", options.step),
        });
    }
    check_objective(graph, objective)?;
    let kinks = kinks(graph, objective);
    let decisive = kinks.iter().flat_map(|(_, kink)| [Some(kink.input), kink.labels]);
    let forward = Entry {
        outputs: decisive.flatten().chain([objective]).collect(),
        training: None,
    };
    let mut session = Plan::new(graph, &[forward])?.start(&Reference)?;
    feed(&mut session)?;

    let roundings = roundings(graph) as f64;
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let mut report = Report::default();
    for (parameter, gradient) in gradients {
        let (parameter, name) = (*parameter, parameter_name(graph, *parameter)?);
        let start = session.read(parameter)?;
        if gradient.len() != start.len() {
            let detail = format!("{} values for '{name}', expected {}", gradient.len(), start.len());
            return Err(AutogradError::Shape {
                op: "gradient_check",
                detail,
            });
        }
        let per_replica = start.len() / graph.replicas;
        for _ in 0..options.directions {
            let direction: Vec<f64> = (0..start.len()).map(|_| StandardNormal.sample(&mut rng)).collect();
            // Losses and pieces at w + m h v for m = 0 and the six points of D*(h) and D*(2h).
            let mut losses = Vec::new();
            let mut pieces = Vec::new();
            for m in [0.0, 1.0, -1.0, 2.0, -2.0, 4.0, -4.0] {
                let moved: Vec<f64> = start
                    .iter()
                    .zip(&direction)
                    .map(|(w, v)| w + m * options.step * v)
                    .collect();
                session.write(parameter, &moved)?;
                session.evaluate(EntryId(0))?;
                losses.push(session.read(objective)?);
                let at = |(_, kink): &(_, Kink)| pieces_at(&session, graph, kink);
                pieces.push(kinks.iter().map(at).collect::<Result<Vec<_>, AutogradError>>()?);
            }
            session.write(parameter, &start)?;
            let bent = (0..kinks.len())
                .find(|&k| pieces[0][k].iter().any(Option::is_none) || pieces.iter().any(|p| p[k] != pieces[0][k]));
            if let Some(k) = bent {
                report.kinks.push((name.to_string(), kinks[k].0));
                continue;
            }
            for replica in 0..graph.replicas {
                let own = replica * per_replica..(replica + 1) * per_replica;
                let products = gradient[own.clone()].iter().zip(&direction[own]).map(|(g, v)| g * v);
                // An objective that depends on no parameter is one number for all replicas.
                let loss = |point: usize| losses[point][replica % losses[point].len()];
                let slope = |point: usize, m: f64| (loss(point) - loss(point + 1)) / (2.0 * m * options.step);
                let (d1, d2, d4) = (slope(1, 1.0), slope(3, 2.0), slope(5, 4.0));
                let (fine, coarse) = ((4.0 * d1 - d2) / 3.0, (4.0 * d2 - d4) / 3.0);
                let size = 1.0 + (0..losses.len()).map(|p| loss(p).abs()).fold(0.0, f64::max);
                let rounding = 1.5 / options.step * roundings * 0.5 * f64::EPSILON * size;
                report.add(Worst {
                    parameter: name.to_string(),
                    replica,
                    by_gradient: products.sum(),
                    by_differences: fine,
                    bound: (coarse - fine).abs() + rounding,
                });
            }
        }
    }
    Ok(report)
}

/// The name of a parameter, trained or frozen.
fn parameter_name(graph: &Graph, parameter: Value) -> Result<&str, AutogradError> {
    match graph.nodes.get(parameter.0) {
        Some(node) if matches!(node.source, Source::Parameter) => Ok(&node.name),
        _ => Err(AutogradError::UnknownValue {
            expected: "a parameter of this graph",
        }),
    }
}

/// The ops with a kink through which the objective may depend on a parameter. (A ReLU of the data bends nothing.)
fn kinks(graph: &Graph, objective: Value) -> Vec<(&'static str, Kink)> {
    let on_the_way = ancestors(graph, &[objective]).into_iter();
    on_the_way
        .filter(|&value| graph.differentiable(value))
        .filter_map(|value| match &graph.nodes[value.0].source {
            Source::Op(op) => op.kink().map(|kink| (op.name(), kink)),
            _ => None,
        })
        .collect()
}

/// The smooth pieces on which the rows of a kink's input lie now.
fn pieces_at(session: &Session, graph: &Graph, kink: &Kink) -> Result<Vec<Option<usize>>, AutogradError> {
    let values = session.read(kink.input)?;
    let shape = graph.shape(kink.input)?;
    let rows = values.len() / shape.cols / if shape.replicated { graph.replicas } else { 1 };
    let labels = match kink.labels {
        Some(labels) => session.read_index(labels)?,
        None => vec![],
    };
    let label = |row: usize| match labels.len() {
        0 => 0,
        n if n == rows => labels[row % rows] as usize,
        _ => labels[row] as usize,
    };
    Ok(values
        .chunks(shape.cols)
        .enumerate()
        .flat_map(|(row, x)| (kink.pieces)(x, label(row)))
        .collect())
}

/// Roundings on the longest path through the graph, generously: every node adds the length of its longest side and the
/// few of an elementary function.
fn roundings(graph: &Graph) -> usize {
    const ELEMENTARY: usize = 8;
    let side = |extent: Extent| match extent {
        Extent::Rows(space) => graph.spaces[space.0],
        Extent::Whole { rows } => rows,
    };
    let reals = graph.nodes.iter().filter(|node| node.shape.element == Element::Real);
    reals
        .map(|node| ELEMENTARY + side(node.shape.extent).max(node.shape.cols))
        .sum()
}
