//! Which samples are misclassified, when, by which replica: what most straggler studies begin with.

use super::super::course::Course;
use super::super::error::StudyError;
use super::super::follow::Follow;
use super::super::parts::{Part, list};
use super::Bench;
use super::follow::{Followed, Halt};
use super::variants::{Run, Variant, courses, train};
use crate::data::NamedTensor;
use crate::train::Recipe;

/// What is known of the replicas, in the order of the recipe.
pub(super) struct Identified {
    /// Of each its stop, if it came.
    pub stops: Vec<Option<Halt>>,
    /// For each wanted epoch and replica: the misclassified samples, by place.
    pub sets: Vec<Vec<Vec<usize>>>,
    /// For each wanted epoch and replica: what its network calls each of them.
    pub said: Vec<Vec<Vec<u32>>>,
    /// For each wanted epoch and replica: the training error.
    pub errors: Vec<Vec<f64>>,
    /// Of each what its metrics did, if any are followed.
    pub courses: Vec<Course>,
}

/// Trains the bench's replicas by `recipe`, and finds their stops and what they misclassify at the epochs `sets_at`
/// (ascending); `follow` says which metrics are followed.
///
/// # Errors
/// Those of training; [`StudyError::Interrupted`].
pub(super) fn identify(
    bench: &mut Bench,
    name: &str,
    recipe: &Recipe,
    sets_at: &[usize],
    follow: &Follow,
) -> Result<Identified, StudyError> {
    let initial = bench.initial;
    let run = Run {
        name,
        recipe,
        initial,
        sets_at,
        records: false,
        together: 1,
        removes: false,
        relabels: false,
        follow,
    };
    let variants: Vec<Variant> = (0..recipe.replicas.len()).map(Variant::plain).collect();
    let parts = train(bench, &run, &variants, &mut |_, followed| Ok(tensors(followed)))?;
    let mut identified = Identified {
        stops: Vec::new(),
        sets: vec![Vec::new(); sets_at.len()],
        said: vec![Vec::new(); sets_at.len()],
        errors: vec![Vec::new(); sets_at.len()],
        courses: if follow.is_empty() {
            Vec::new()
        } else {
            courses(bench, &parts)?
        },
    };
    let rows = bench.data.train_labels.len();
    for (replicas, part) in &parts {
        identified.stops.extend(stops(part, *replicas, rows)?);
        for t in 0..sets_at.len() {
            identified.errors[t].extend(part.values(&format!("errors/{t}"), Some(*replicas))?);
            for r in 0..*replicas {
                let set = part.places(&format!("set/{t}/{r}"), rows)?;
                let said = part.values(&format!("said/{t}/{r}"), Some(set.len()))?;
                identified.sets[t].push(set);
                identified.said[t].push(said.iter().map(|&label| label as u32).collect());
            }
        }
    }
    Ok(identified)
}

/// The stops, as a part keeps them: epoch and error (NaN for none) and set of each replica.
pub(super) fn kept_stops(followed: &Followed) -> Vec<NamedTensor> {
    let mut all = Vec::new();
    for (r, stop) in followed.stops.iter().enumerate() {
        let (epoch, error, set) = match stop {
            Some(Halt { epoch, error, set }) => (*epoch as f64, *error, set.as_slice()),
            None => (f64::NAN, f64::NAN, [].as_slice()),
        };
        all.push(list(&format!("stop/{r}"), vec![epoch, error]));
        all.push(places(&format!("stragglers/{r}"), set));
    }
    all
}

/// The stops that a part of so many replicas keeps, of `rows` training samples.
///
/// # Errors
/// [`StudyError::Option`] for a part of another study.
pub(super) fn stops(part: &Part, replicas: usize, rows: usize) -> Result<Vec<Option<Halt>>, StudyError> {
    let stop = |r: usize| {
        let stop = part.values(&format!("stop/{r}"), Some(2))?;
        let halt = Halt {
            epoch: stop[0] as usize,
            error: stop[1],
            set: part.places(&format!("stragglers/{r}"), rows)?,
        };
        Ok((!stop[0].is_nan()).then_some(halt))
    };
    (0..replicas).map(stop).collect()
}

/// The stops, and the wanted sets with their errors.
fn tensors(followed: &Followed) -> Vec<NamedTensor> {
    let mut all = kept_stops(followed);
    for (t, (sets, errors)) in followed.sets.iter().zip(&followed.errors).enumerate() {
        all.push(list(&format!("errors/{t}"), errors.clone()));
        for (r, set) in sets.iter().enumerate() {
            let (set, said): (Vec<usize>, Vec<f64>) = set.iter().map(|&(place, said)| (place, f64::from(said))).unzip();
            all.push(places(&format!("set/{t}/{r}"), &set));
            all.push(list(&format!("said/{t}/{r}"), said));
        }
    }
    all
}

fn places(name: &str, set: &[usize]) -> NamedTensor {
    list(name, set.iter().map(|&place| place as f64).collect())
}
