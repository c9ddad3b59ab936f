//! The class manifolds of one replica on fixed planes, frame by frame.
//!
//! Of every frame of a [`Film`] the unit-normalised activations of the last measured hidden layer are computed for a part
//! of the training samples, and projected on planes that do not change with time: the two principal axes of all frames
//! together, and the plane of the class centroids at the inversion. Stragglers come first among the samples and are more
//! than their share; the axes are those of all samples all the same, as each sample counts for those it stands for.

use std::collections::{BTreeMap, BTreeSet};

use super::consensus::{Agreed, agreed};
use super::error::StudyError;
use super::film::Film;
use super::outcome::InversionOutcome;
use super::prepare::Prepared;
use super::projection::{deflated, direction, dot, mean, moments, principal_axes, share};
use crate::autograd::{Entry, Graph, Plan};
use crate::backend::{Backend, EntryId};
use crate::nn::Loss;
use crate::nn::network::Network;
use crate::train::{Recipe, TrainError};

/// Most stragglers by agreement that are among the points, whether they are the filmed replica's or not.
pub const GALLERY: usize = 240;

/// Hidden layers wider than this get no movie: their covariance would take more than 32 MB.
const WIDEST: usize = 2048;

/// Activations that are held at a time, at most.
const ACTIVATIONS: usize = 24 << 20;

/// A training sample of the movie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Row in the training file.
    pub sample_index: usize,
    /// Class index under the label rule.
    pub label: u32,
    /// Whether it is a straggler of the filmed replica.
    pub straggler: bool,
    /// Of how many replicas it is a straggler.
    pub replicas: usize,
}

/// What the filmed replica makes of the points at an epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Epochs done.
    pub epoch: usize,
    /// Predicted class of each point.
    pub predicted: Vec<u32>,
    /// Probability of each point's true class; NaN for losses that give none.
    pub probability: Vec<f32>,
}

/// An axis of a plane.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// In words.
    pub name: String,
    /// Share of the variance of all frames along it, 0 to 1.
    pub share: f64,
}

/// Points on a plane through the origin.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// In words.
    pub name: String,
    /// Across and up.
    pub axes: [Axis; 2],
    /// Per frame and point, across and up, each in [-1, 1].
    pub positions: Vec<Vec<[f32; 2]>>,
}

/// The movie of one replica.
#[derive(Clone, Debug, PartialEq)]
pub struct Movie {
    /// Number of the replica.
    pub replica: u64,
    /// The hidden layer, from 0.
    pub layer: usize,
    /// Training samples of which the points are a part.
    pub samples: usize,
    /// The samples that are shown.
    pub points: Vec<Point>,
    /// The epochs.
    pub frames: Vec<Frame>,
    /// One or two planes.
    pub planes: Vec<Plane>,
    /// The frame at the stop of the released recipe.
    pub inversion: Option<usize>,
}

impl Movie {
    /// Develops a film with at most `most` points. `None` for an empty film and for a hidden layer that is too wide.
    ///
    /// # Errors
    /// [`StudyError::Train`] from the backend, or for a film of another network.
    pub fn of(
        film: &Film,
        recipe: &Recipe,
        data: &Prepared,
        outcome: &InversionOutcome,
        backend: &dyn Backend,
        most: usize,
    ) -> Result<Option<Movie>, StudyError> {
        let (Some(&layer), Some(filmed)) = (recipe.layers.last(), outcome.replicas.first()) else {
            return Ok(None);
        };
        let Some(&width) = recipe.architecture.hidden.get(layer).filter(|&&width| width <= WIDEST) else {
            return Ok(None);
        };
        if film.epochs.is_empty() {
            return Ok(None);
        }
        let most = most.min(ACTIVATIONS / (width * film.epochs.len())).max(recipe.classes);
        let cast = Cast::choose(data, outcome, most);
        let shown = develop(film, recipe, data, backend, layer, &cast.rows)?;
        let stop = filmed.stop.as_ref().map(|stop| stop.epoch);
        let inversion = film.epochs.iter().position(|&epoch| Some(epoch) == stop);
        let labels: Vec<u32> = cast.points.iter().map(|point| point.label).collect();
        let frames = film.epochs.iter().zip(&shown).map(|(&epoch, exposure)| {
            let (predicted, probability) = says(&exposure.outputs, &labels, recipe);
            Frame {
                epoch,
                predicted,
                probability,
            }
        });
        let frames = frames.collect();
        let reference = shown.get(inversion.unwrap_or(film.epochs.len() - 1));
        let reference = reference.map(|exposure| exposure.hidden.as_slice()).unwrap_or_default();
        Ok(Some(Movie {
            replica: filmed.replica,
            layer,
            samples: data.train_labels.len(),
            frames,
            planes: planes(&shown, reference, width, &cast, &data.classes),
            points: cast.points,
            inversion,
        }))
    }
}

/// Who plays: some of the training samples, with the number that each stands for.
struct Cast {
    points: Vec<Point>,
    /// Row of each in the training samples (not in the file).
    rows: Vec<usize>,
    weights: Vec<f64>,
}

impl Cast {
    /// Stragglers of the first replica, then those that most replicas agree on, at most two thirds; then of every class
    /// the same share of the rest, evenly spaced.
    fn choose(data: &Prepared, outcome: &InversionOutcome, most: usize) -> Cast {
        let rows: BTreeMap<usize, usize> = data
            .train_rows
            .iter()
            .enumerate()
            .map(|(row, &index)| (index, row))
            .collect();
        let stop = outcome.replicas.first().and_then(|replica| replica.stop.as_ref());
        let own: BTreeSet<usize> = stop
            .iter()
            .flat_map(|s| &s.stragglers)
            .map(|s| s.sample_index)
            .collect();
        let mut cast = Cast {
            points: Vec::new(),
            rows: Vec::new(),
            weights: Vec::new(),
        };
        let mut all: Vec<(usize, Agreed)> = agreed(outcome).into_iter().enumerate().collect();
        let counts: BTreeMap<usize, usize> = all
            .iter()
            .map(|(_, a)| (a.straggler.sample_index, a.replicas))
            .collect();
        // Stable: within its own and the others', the most agreed come first.
        all.sort_by_key(|(_, agreed)| !own.contains(&agreed.straggler.sample_index));
        for (rank, agreed) in all {
            let index = agreed.straggler.sample_index;
            if (rank < GALLERY || own.contains(&index))
                && cast.rows.len() < most * 2 / 3
                && let Some(&row) = rows.get(&index)
            {
                cast.add(data, row, own.contains(&index), agreed.replicas, 1.0);
            }
        }
        let chosen: BTreeSet<usize> = cast.rows.iter().copied().collect();
        let mut rest: Vec<Vec<usize>> = vec![Vec::new(); data.classes.len()];
        for (row, &label) in data.train_labels.iter().enumerate() {
            if !chosen.contains(&row)
                && let Some(class) = rest.get_mut(label as usize)
            {
                class.push(row);
            }
        }
        let (left, all) = (
            most.saturating_sub(chosen.len()),
            data.train_labels.len() - chosen.len(),
        );
        for class in rest.iter().filter(|class| !class.is_empty()) {
            let count = (left * class.len() / all).clamp(1, class.len());
            for row in (0..count).filter_map(|k| class.get(k * class.len() / count)) {
                let index = data.train_rows.get(*row).copied().unwrap_or_default();
                let replicas = counts.get(&index).copied().unwrap_or(0);
                cast.add(
                    data,
                    *row,
                    own.contains(&index),
                    replicas,
                    class.len() as f64 / count as f64,
                );
            }
        }
        cast
    }

    fn add(&mut self, data: &Prepared, row: usize, straggler: bool, replicas: usize, weight: f64) {
        if let (Some(&sample_index), Some(&label)) = (data.train_rows.get(row), data.train_labels.get(row)) {
            self.points.push(Point {
                sample_index,
                label,
                straggler,
                replicas,
            });
            self.rows.push(row);
            self.weights.push(weight);
        }
    }
}

/// What the network has of the cast in a frame.
struct Exposure {
    /// `[points, width]` on the unit sphere.
    hidden: Vec<f32>,
    /// `[points, outputs]`
    outputs: Vec<f64>,
}

/// Runs the network of every frame on the rows.
fn develop(
    film: &Film,
    recipe: &Recipe,
    data: &Prepared,
    backend: &dyn Backend,
    layer: usize,
    rows: &[usize],
) -> Result<Vec<Exposure>, TrainError> {
    let mut graph = Graph::new(1)?;
    let network = Network::record(&mut graph, &recipe.architecture)?;
    let space = graph.rows(rows.len())?;
    let x = graph.input("samples", space, data.inputs, false)?;
    let forward = network.forward(&mut graph, x)?;
    let Some(&hidden) = forward.hidden.get(layer) else {
        return Ok(Vec::new());
    };
    let unit = graph.row_normalize(hidden)?;
    let entry = Entry {
        outputs: vec![unit, forward.outputs],
        training: None,
    };
    let mut session = Plan::new(&graph, &[entry])?.start(backend)?;
    let samples = rows
        .iter()
        .filter_map(|row| data.train_features.get(row * data.inputs..(row + 1) * data.inputs));
    session.write(x, &samples.flatten().copied().collect::<Vec<f64>>())?;
    let parameters = session.parameters().to_vec();
    let expose = |k: usize| {
        // Both are in the order of the architecture.
        for ((_, value), (_, values)) in parameters.iter().zip(film.frame(k, &recipe.architecture)) {
            session.write(*value, &values)?;
        }
        session.evaluate(EntryId(0))?;
        Ok(Exposure {
            hidden: session.read(unit)?.into_iter().map(|v| v as f32).collect(),
            outputs: session.read(forward.outputs)?,
        })
    };
    (0..film.epochs.len()).map(expose).collect()
}

/// Predicted class and probability of the true one, from outputs `[points, outputs]`.
fn says(outputs: &[f64], labels: &[u32], recipe: &Recipe) -> (Vec<u32>, Vec<f32>) {
    let cols = recipe.architecture.outputs;
    let gives = match recipe.loss {
        Loss::CrossEntropy => true,
        // The margin of several outputs is no logarithm of odds.
        Loss::Logistic => recipe.classes == 2,
        _ => false,
    };
    let of_row = |(row, &label): (&[f64], &u32)| {
        // One output is the second class's, against nought.
        let logits: Vec<f64> = if cols == 1 { vec![0.0, row[0]] } else { row.to_vec() };
        let best = (0..logits.len()).fold(0, |best, j| if logits[j] > logits[best] { j } else { best });
        let sum: f64 = logits.iter().map(|v| (v - logits[best]).exp()).sum();
        let own = logits
            .get(label as usize)
            .map_or(f64::NAN, |v| (v - logits[best]).exp() / sum);
        (best as u32, if gives { own as f32 } else { f32::NAN })
    };
    outputs.chunks_exact(cols).zip(labels).map(of_row).unzip()
}

/// The plane of the principal axes of all frames, and that of the class centroids in a reference frame.
fn planes(shown: &[Exposure], reference: &[f32], width: usize, cast: &Cast, classes: &[String]) -> Vec<Plane> {
    let weighted = |hidden| <[f32]>::chunks_exact(hidden, width).zip(cast.weights.iter().copied());
    let pooled = shown.iter().flat_map(|exposure| weighted(&exposure.hidden));
    let pool = shown.len() * cast.rows.len();
    // Of wide layers a part of the rows will do.
    let stride = (pool * width * width / 2_000_000_000 + 1).min((pool / 256).max(1));
    let covariance = moments(pooled.step_by(stride), width).covariance;
    let plane = |name: &str, axes: [(Vec<f64>, String); 2]| Plane {
        name: name.into(),
        positions: shown
            .iter()
            .map(|exposure| {
                exposure
                    .hidden
                    .chunks_exact(width)
                    .map(|row| axes.each_ref().map(|(v, _)| along(row, v)))
            })
            .map(Iterator::collect)
            .collect(),
        axes: axes.map(|(v, name)| Axis {
            name,
            share: share(&covariance, &v),
        }),
    };
    let leading = |matrix: &[f64]| {
        let mut axes = principal_axes(matrix, width, 2).into_iter();
        let mut next = || axes.next().unwrap_or_else(|| vec![0.0; width]);
        [next(), next()]
    };
    let centroids: Vec<Vec<f64>> = (0..classes.len())
        .map(|class| {
            let members = weighted(reference)
                .zip(&cast.points)
                .filter(|(_, point)| point.label as usize == class);
            mean(members.map(|(row, _)| row), width).1
        })
        .filter(|centroid| centroid.iter().all(|v| v.is_finite()))
        .collect();
    let [mut first, second] = leading(&covariance);
    // The first class is on the left, on every plane.
    if let [a, .., b] = centroids.as_slice()
        && dot(&first, b) < dot(&first, a)
    {
        first.iter_mut().for_each(|v| *v = -*v);
    }
    let mut planes = vec![plane(
        "principal axes",
        [(first, "principal axis 1".into()), (second, "principal axis 2".into())],
    )];
    match (centroids.as_slice(), classes) {
        ([a, b], [name_a, name_b]) => {
            if let Some(apart) = direction(a, b) {
                let [across, _] = leading(&deflated(&covariance, &apart));
                let axes = [
                    (apart, format!("from the centroid of {name_a} to that of {name_b}")),
                    (across, "the first principal axis at right angles to it".into()),
                ];
                planes.push(plane("class centroids", axes));
            }
        }
        ([_, _, _, ..], _) => {
            let single: Vec<Vec<f32>> = centroids
                .iter()
                .map(|c| c.iter().map(|&v| v as f32).collect())
                .collect();
            let between = moments(single.iter().map(|c| (c.as_slice(), 1.0)), width).covariance;
            let [first, second] = leading(&between);
            let axes = [
                (first, "principal axis 1 of the class centroids".into()),
                (second, "principal axis 2 of the class centroids".into()),
            ];
            planes.push(plane("class centroids", axes));
        }
        _ => {}
    }
    planes
}

/// The component of a row along an axis, both of length 1 at most.
fn along(row: &[f32], axis: &[f64]) -> f32 {
    let sum: f64 = row.iter().zip(axis).map(|(&x, a)| f64::from(x) * a).sum();
    sum.clamp(-1.0, 1.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Reference;
    use crate::backend::kernel::UpdateRule;
    use crate::data::synthetic::gaussian_classes;
    use crate::geometry::{ClassMoments, centroid_distance};
    use crate::nn::{Activation, Architecture, Initializer, Schedule};
    use crate::study::checkpoint::Checkpoint;
    use crate::study::inversion::{Progress, Setup, Watcher, Wish, run};
    use crate::train::Batch;

    struct Camera;

    impl Watcher for Camera {
        fn epoch(&mut self, _: Progress) -> Wish {
            Wish::Continue
        }

        fn films(&self) -> bool {
            true
        }

        fn save(&mut self, _: &Checkpoint) -> Result<(), StudyError> {
            Ok(())
        }
    }

    fn data(classes: usize) -> Prepared {
        let (train_features, mut train_labels) = gaussian_classes(2, classes as u32, 40, 6, 1.5);
        // Samples of a wrong label are learnt late: the classes entangle again.
        for label in train_labels.iter_mut().step_by(7) {
            *label = (*label + 1) % classes as u32;
        }
        Prepared {
            inputs: 6,
            classes: (0..classes).map(|c| format!("class {c}")).collect(),
            train_rows: (100..100 + 40 * classes).collect(),
            train_features,
            train_labels,
            test_features: vec![],
            test_labels: vec![],
            dead_pixels: 0,
            lit_test_rows: 0,
        }
    }

    fn recipe(classes: usize) -> Recipe {
        Recipe {
            architecture: Architecture {
                inputs: 6,
                hidden: vec![5],
                outputs: classes,
                activation: Activation::Tanh,
                bias: true,
            },
            classes,
            loss: Loss::CrossEntropy,
            l2: 0.0,
            entanglement: None,
            rule: UpdateRule::Sgd {
                momentum: 0.0,
                nesterov: false,
                weight_decay: 0.0,
            },
            learning_rate: 1.0,
            schedule: Schedule::Constant,
            epochs: 300,
            batch: Batch::Full,
            seed: 5,
            replicas: vec![3, 7],
            layers: vec![0],
        }
    }

    fn shoot(classes: usize, most: usize) -> (Movie, InversionOutcome, Prepared) {
        let (data, recipe) = (data(classes), recipe(classes));
        let initial = recipe.architecture.initial(Initializer::Pytorch, 5, &recipe.replicas);
        let setup = Setup {
            recipe: &recipe,
            data: &data,
            initial: &initial,
            test_every: 0,
        };
        let finished = run(setup, &Reference, None, &mut Camera).unwrap().unwrap();
        let movie = Movie::of(&finished.film, &recipe, &data, &finished.outcome, &Reference, most);
        (movie.unwrap().unwrap(), finished.outcome, data)
    }

    #[test]
    fn with_all_samples_it_says_what_the_run_measured() {
        let (movie, outcome, data) = shoot(2, 1000);
        assert_eq!((movie.points.len(), movie.replica, movie.samples), (80, 3, 80));
        assert!(movie.frames.len() > 30);
        for frame in &movie.frames {
            let wrong = frame
                .predicted
                .iter()
                .zip(&movie.points)
                .filter(|(p, point)| **p != point.label)
                .count();
            assert_eq!(
                wrong as f64 / 80.0,
                outcome.replicas[0].records[frame.epoch].train_error,
                "{}",
                frame.epoch
            );
            let sure = frame.probability.iter().zip(frame.predicted.iter().zip(&movie.points));
            assert!(
                sure.into_iter()
                    .all(|(p, (predicted, point))| (*p >= 0.5) == (*predicted == point.label))
            );
        }
        // The stragglers are those that the filmed replica misclassifies at its stop.
        let stop = outcome.replicas[0].stop.as_ref().expect("a radius that turns");
        let frame = &movie.frames[movie.inversion.unwrap()];
        assert_eq!(frame.epoch, stop.epoch);
        for (predicted, point) in frame.predicted.iter().zip(&movie.points) {
            assert_eq!(point.straggler, *predicted != point.label);
            assert_eq!(data.train_labels[point.sample_index - 100], point.label);
        }
        assert!(
            movie
                .points
                .windows(2)
                .all(|pair| pair[0].straggler >= pair[1].straggler || pair[0].replicas > 0)
        );
        // Between the centroids of the plane of centroids, across, lies their whole distance.
        let across = &movie.planes[1].positions[movie.inversion.unwrap()];
        let rows: Vec<f64> = across.iter().map(|at| f64::from(at[0])).collect();
        let labels: Vec<u32> = movie.points.iter().map(|point| point.label).collect();
        let moments = [0, 1].map(|class| ClassMoments::of_class(&rows, 1, &labels, class));
        let column = outcome
            .columns
            .iter()
            .position(|c| c.name == "centroid_distance_0_1")
            .unwrap();
        let measured = outcome.replicas[0].records[stop.epoch].metrics[column];
        // Parameters, activations and positions are each rounded to f32, of numbers of the order of 1.
        assert!((centroid_distance(&moments[0], &moments[1]) - measured).abs() < 1e-5);
        let up = |class: usize| moments_of(&movie.planes[1].positions[movie.inversion.unwrap()], &labels, class);
        assert!(
            (up(0) - up(1)).abs() < 1e-5,
            "the other axis does not part the centroids"
        );
    }

    /// Mean height of a class.
    fn moments_of(positions: &[[f32; 2]], labels: &[u32], class: usize) -> f64 {
        let own = positions
            .iter()
            .zip(labels)
            .filter(|(_, label)| **label as usize == class);
        let (sum, n) = own.fold((0.0, 0), |(sum, n), (at, _)| (sum + f64::from(at[1]), n + 1));
        sum / f64::from(n)
    }

    #[test]
    fn a_part_of_the_samples_stands_for_all() {
        let (movie, outcome, _) = shoot(3, 60);
        assert!(
            movie.points.len() <= 60 && movie.points.len() > 50,
            "{}",
            movie.points.len()
        );
        let own = outcome.replicas[0]
            .stop
            .as_ref()
            .map_or(0, |stop| stop.stragglers.len());
        // Two thirds are kept for them; more may be among the rest.
        assert!(own > 0 && movie.points.iter().take(own.min(40)).all(|point| point.straggler));
        for class in 0..3 {
            assert!(movie.points.iter().any(|point| point.label == class));
        }
        assert_eq!(movie.planes.len(), 2);
        for plane in &movie.planes {
            assert_eq!(plane.positions.len(), movie.frames.len());
            assert!(plane.axes.iter().all(|axis| (0.0..=1.0).contains(&axis.share)));
            assert!(plane.positions.iter().flatten().flatten().all(|x| x.abs() <= 1.0));
        }
        let shares = &movie.planes[0].axes;
        assert!(shares[0].share >= shares[1].share);
        assert_eq!(movie, shoot(3, 60).0);
    }
}
