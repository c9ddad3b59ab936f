//! Which samples are misclassified, when, by which replica: what every straggler study begins with.
//!
//! The replicas are trained in groups, each a part that is kept. A replica has the same bits in any group.

use super::super::error::StudyError;
use super::super::parts::{Part, list};
use super::follow::{Followed, Halt, Training, follow};
use super::{Bench, Progress, of_replicas};
use crate::data::NamedTensor;
use crate::train::Recipe;

/// Work of one part, in multiply-add operations: some 30 s on two cores.
const PART: f64 = 3e12;
/// Most networks of a part.
const MOST: usize = 64;

/// How many networks of a recipe make a part, so that what a kill loses stays small.
pub(super) fn group(recipe: &Recipe, rows: usize) -> usize {
    let parameters = recipe.architecture.parameters();
    let weights: f64 = parameters.iter().map(|p| p.rows as f64 * p.cols as f64).sum();
    let each = 3.0 * weights * rows as f64 * recipe.epochs as f64;
    let most = (PART / each.max(1.0)).clamp(1.0, MOST as f64) as usize;
    // Four networks side by side fill the widest products.
    if most >= 4 { most / 4 * 4 } else { most }
}

/// What is known of the replicas, in the order of the recipe.
pub(super) struct Identified {
    /// Of each its stop, if it came.
    pub stops: Vec<Option<Halt>>,
    /// For each wanted epoch and replica: the misclassified samples, by place.
    pub sets: Vec<Vec<Vec<usize>>>,
    /// For each wanted epoch and replica: the training error.
    pub errors: Vec<Vec<f64>>,
}

/// Trains the bench's replicas, and finds their stops and what they misclassify at the epochs `sets_at` (ascending).
/// Parts are named `NAME-0`, `NAME-1`, ...
///
/// # Errors
/// Those of training; [`StudyError::Interrupted`].
pub(super) fn identify(bench: &mut Bench, name: &str, sets_at: &[usize]) -> Result<Identified, StudyError> {
    let recipe = bench.recipe;
    let count = recipe.replicas.len();
    let group = group(recipe, bench.data.train_labels.len());
    let parts = count.div_ceil(group);
    let mut identified = Identified {
        stops: Vec::new(),
        sets: vec![Vec::new(); sets_at.len()],
        errors: vec![Vec::new(); sets_at.len()],
    };
    for (part, first) in (0..count).step_by(group).enumerate() {
        let range = first..(first + group).min(count);
        let own = Recipe {
            replicas: recipe.replicas[range.clone()].to_vec(),
            ..recipe.clone()
        };
        let initial = of_replicas(bench.initial, range, count);
        let Bench {
            data, backend, watcher, ..
        } = bench;
        let kept = bench.parts.part(&format!("{name}-{part}"), || {
            let training = Training {
                recipe: &own,
                data,
                initial: &initial,
                weights: None,
                labels: None,
                sets_at,
                records: false,
            };
            let mut tell = |epoch, train_error| {
                watcher.epoch(Progress {
                    doing: name,
                    part,
                    parts,
                    epoch,
                    epochs: own.epochs,
                    train_error,
                })
            };
            Ok(tensors(&follow(training, *backend, &mut tell)?))
        })?;
        read(
            &kept,
            own.replicas.len(),
            bench.data.train_labels.len(),
            &mut identified,
        )?;
    }
    Ok(identified)
}

/// What a part keeps: per replica the stop's epoch, error (NaN for none) and set, and the wanted sets with their errors.
fn tensors(followed: &Followed) -> Vec<NamedTensor> {
    let mut all = Vec::new();
    for (r, stop) in followed.stops.iter().enumerate() {
        let (epoch, error, set) = match stop {
            Some(Halt { epoch, error, set }) => (*epoch as f64, *error, set.as_slice()),
            None => (f64::NAN, f64::NAN, [].as_slice()),
        };
        all.push(list(&format!("stop/{r}"), vec![epoch, error]));
        all.push(places(&format!("stragglers/{r}"), set));
    }
    for (t, (sets, errors)) in followed.sets.iter().zip(&followed.errors).enumerate() {
        all.push(list(&format!("errors/{t}"), errors.clone()));
        let named = sets.iter().enumerate();
        all.extend(named.map(|(r, set)| places(&format!("set/{t}/{r}"), set)));
    }
    all
}

fn places(name: &str, set: &[usize]) -> NamedTensor {
    list(name, set.iter().map(|&place| place as f64).collect())
}

/// Adds what a part of so many replicas keeps, of `rows` training samples.
fn read(part: &Part, replicas: usize, rows: usize, identified: &mut Identified) -> Result<(), StudyError> {
    let set = |name: &str| -> Result<Vec<usize>, StudyError> {
        let places = part.values(name, None)?.iter().map(|&place| place as usize);
        places
            .map(|place| {
                if place < rows {
                    Ok(place)
                } else {
                    Err(part.foreign(name))
                }
            })
            .collect()
    };
    for r in 0..replicas {
        let stop = part.values(&format!("stop/{r}"), Some(2))?;
        let halt = Halt {
            epoch: stop[0] as usize,
            error: stop[1],
            set: set(&format!("stragglers/{r}"))?,
        };
        identified.stops.push((!stop[0].is_nan()).then_some(halt));
    }
    let wanted = identified.sets.iter_mut().zip(&mut identified.errors);
    for (t, (sets, errors)) in wanted.enumerate() {
        errors.extend(part.values(&format!("errors/{t}"), Some(replicas))?);
        for r in 0..replicas {
            sets.push(set(&format!("set/{t}/{r}"))?);
        }
    }
    Ok(())
}
