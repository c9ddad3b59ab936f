//! `generalisation`: what the samples that are misclassified at epoch t do for the test error.
//!
//! Every replica is trained on all samples, which gives S(t) on a grid of epochs. Then, for every t of the grid and from the
//! same initial parameters, networks are trained to the last epoch on
//!
//! | arm | samples |
//! |---|---|
//! | `removed` | all but S(t) |
//! | `random` | all but as many of each class, drawn at random |
//! | `kept` | S(t) and as many others of each class |
//! | `kept-random` | twice as many of each class, drawn at random |
//! | `relabelled` | all, S(t) with the class that the network at t takes them for |
//!
//! and tested on the test samples, clean and with Gaussian noise on the standardised numbers (one draw per replica). The
//! arms `random` and `kept-random` tell what is due to the number of samples alone.

pub use super::tested_findings::findings;

use std::fmt;
use std::str::FromStr;

use super::super::course::Course;
use super::super::error::StudyError;
use super::super::follow::Follow;
use super::super::parts::list;
use super::Bench;
use super::follow::Followed;
use super::identify::{Identified, identify};
use super::tested::{noisy, test_errors};
use super::variants::{Run, Variant, courses, drawn_like, others, train};
use crate::data::NamedTensor;
use crate::data::streams::Stream;
use crate::nn::network::Parameters;
use crate::train::{Recipe, Samples};

/// Which samples a network is trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// All but S(t).
    Removed,
    /// All but as many at random.
    Random,
    /// S(t) and as many others.
    Kept,
    /// Twice as many at random.
    KeptRandom,
    /// All, S(t) under the labels that the network at t gives them.
    Relabelled,
}

impl Arm {
    /// All of them.
    pub const ALL: [Arm; 5] = [Arm::Removed, Arm::Random, Arm::Kept, Arm::KeptRandom, Arm::Relabelled];

    fn name(self) -> &'static str {
        match self {
            Arm::Removed => "removed",
            Arm::Random => "random",
            Arm::Kept => "kept",
            Arm::KeptRandom => "kept-random",
            Arm::Relabelled => "relabelled",
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Arm::Removed => "without S(t)",
            Arm::Random => "without as many at random",
            Arm::Kept => "S(t) and as many others",
            Arm::KeptRandom => "as many as these at random",
            Arm::Relabelled => "S(t) relabelled",
        }
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Arm {
    type Err = StudyError;

    fn from_str(text: &str) -> Result<Arm, StudyError> {
        Arm::ALL
            .into_iter()
            .find(|arm| arm.name() == text)
            .ok_or_else(|| StudyError::Option {
                detail: format!("arm '{text}', expected {}", Arm::ALL.map(Arm::name).join(", ")),
            })
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Epochs of the training that gives S(t).
    pub identify_epochs: usize,
    /// Deviation of the noise on the test samples.
    pub noise: f64,
    /// The arms, none twice.
    pub arms: Vec<Arm>,
}

/// The released recipe's epochs t: e + 1 epochs for every e from 0 on whose ln(e + 1) is more than 0.1 above that of the
/// one taken before (0 at first), as long as e is below `epochs`.
pub fn grid(epochs: usize) -> Vec<usize> {
    let mut last = 0.0;
    let far = |&t: &usize| {
        let place = (t as f64).ln();
        let far = place - last > 0.1;
        if far {
            last = place;
        }
        far
    };
    (1..=epochs).filter(far).collect()
}

/// A network at its last epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tested {
    /// Samples it was trained on.
    pub samples: usize,
    /// Error on these, with the labels it was trained with. NaN without samples, as all that follows.
    pub train_error: f64,
    /// Error on the test samples.
    pub test_error: f64,
    /// Error on the noisy test samples.
    pub noisy_error: f64,
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Generalisation {
    /// Numbers of the replicas.
    pub replicas: Vec<u64>,
    /// The epochs t.
    pub epochs: Vec<usize>,
    /// Training error at t of each replica, and |S(t)|.
    pub identified: Vec<Vec<(f64, usize)>>,
    /// Epoch and training error of each replica's stop.
    pub stops: Vec<Option<(usize, f64)>>,
    /// Each replica trained on all samples.
    pub whole: Vec<Tested>,
    /// Of each arm, replica and t.
    pub arms: Vec<(Arm, Vec<Vec<Tested>>)>,
    /// Deviation of the noise.
    pub noise: f64,
}

/// Trains everything. The recipe's epochs are those of the networks that are tested.
///
/// # Errors
/// Those of training; [`StudyError::Interrupted`].
pub fn run(bench: &mut Bench, question: &Question) -> Result<Generalisation, StudyError> {
    let recipe = bench.recipe;
    let grid = grid(question.identify_epochs);
    let first = Recipe {
        epochs: question.identify_epochs,
        ..recipe.clone()
    };
    // Of these networks, the one on all samples below goes the same way, and further.
    let identified = identify(bench, "identify", &first, &grid, &Follow::default())?;
    let unmeasured = Recipe {
        layers: Vec::new(),
        ..recipe.clone()
    };
    let variants = variants(bench, question, &identified, grid.len());
    let run = Run {
        name: "train",
        recipe: if bench.follow.is_empty() { &unmeasured } else { recipe },
        initial: bench.initial,
        sets_at: &[],
        records: false,
        together: 1,
        removes: question.arms.iter().any(|arm| *arm != Arm::Relabelled),
        relabels: question.arms.contains(&Arm::Relabelled),
        follow: bench.follow,
    };
    let (data, backend) = (bench.data, bench.backend);
    let mut keep = |variants: &[Variant], followed: &Followed| -> Result<Vec<NamedTensor>, StudyError> {
        let clean = test_errors(&unmeasured, &followed.parameters, data.test(), backend)?;
        let mut with_noise = Vec::new();
        // The variants of a replica stand side by side.
        for own in variants.chunk_by(|a, b| a.replica == b.replica) {
            let first = with_noise.len();
            let parameters = part_of(&followed.parameters, first, own.len(), variants.len());
            let replica = unmeasured.replicas[own[0].replica];
            let features = noisy(&data.test_features, question.noise, unmeasured.seed, replica);
            let samples = data.test().map(|test| Samples {
                features: &features,
                ..test
            });
            with_noise.extend(test_errors(&unmeasured, &parameters, samples, backend)?);
        }
        let train = followed.records.iter().filter_map(|records| records.last());
        Ok(vec![
            list("train_error", train.map(|record| record.train_error).collect()),
            list("test_error", clean),
            list("noisy_error", with_noise),
        ])
    };
    let rows = data.train_labels.len();
    let mut tested = Vec::with_capacity(variants.len());
    let parts = train(bench, &run, &variants, &mut keep)?;
    let followed = courses(bench, &parts)?;
    add_courses(bench, question, &grid, followed);
    for (networks, part) in parts {
        let column = |name: &str| part.values(name, Some(networks));
        let (train, clean, noisy) = (column("train_error")?, column("test_error")?, column("noisy_error")?);
        for n in 0..networks {
            let samples = rows - variants[tested.len()].removed.len();
            let of = |values: &[f64]| if samples == 0 { f64::NAN } else { values[n] };
            tested.push(Tested {
                samples,
                train_error: of(train),
                test_error: of(clean),
                noisy_error: of(noisy),
            });
        }
    }
    Ok(sorted(recipe, question, &identified, grid, &tested))
}

/// All networks: for each replica that on all samples, then arm by arm and t by t.
fn variants(bench: &Bench, question: &Question, identified: &Identified, times: usize) -> Vec<Variant> {
    let recipe = bench.recipe;
    let labels = &bench.data.train_labels;
    let rows = labels.len();
    let everything: Vec<usize> = (0..rows).collect();
    let mut variants = Vec::new();
    for (r, &replica) in recipe.replicas.iter().enumerate() {
        variants.push(Variant::plain(r));
        for &arm in &question.arms {
            for t in 0..times {
                let (set, said) = (&identified.sets[t][r], &identified.said[t][r]);
                let draw = |like: &[usize], among: &[usize], which: u64| {
                    let draw = (t as u64) * 8 + which;
                    drawn_like(like, among, labels, recipe.seed, Stream::Control { replica, draw })
                };
                let mut variant = Variant::plain(r);
                match arm {
                    Arm::Removed => variant.removed = set.clone(),
                    Arm::Random => variant.removed = draw(set, &everything, 1),
                    Arm::Kept | Arm::KeptRandom => {
                        let more = draw(set, &others(set, rows), 2);
                        let mut kept: Vec<usize> = set.iter().chain(&more).copied().collect();
                        kept.sort_unstable();
                        if arm == Arm::KeptRandom {
                            kept = draw(&kept, &everything, 3);
                        }
                        variant.removed = others(&kept, rows);
                    }
                    Arm::Relabelled => variant.relabelled = set.iter().copied().zip(said.iter().copied()).collect(),
                }
                variants.push(variant);
            }
        }
    }
    variants
}

/// Names the courses of all networks, which are in the order of [`variants`].
fn add_courses(bench: &mut Bench, question: &Question, grid: &[usize], followed: Vec<Course>) {
    let recipe = bench.recipe;
    let arms = question.arms.iter();
    let tested = arms.flat_map(|&arm| grid.iter().map(move |&t| (arm.name(), t.to_string(), arm.words())));
    let each: Vec<_> = std::iter::once(("all", String::new(), "all samples"))
        .chain(tested)
        .collect();
    let networks = recipe
        .replicas
        .iter()
        .flat_map(|replica| each.iter().map(move |arm| (replica, arm)));
    for ((replica, (name, t, group)), course) in networks.zip(followed) {
        let key = vec![replica.to_string(), (*name).to_owned(), t.clone()];
        bench
            .courses
            .add(&["replica", "arm", "identified_at"], key, group, course);
    }
}

/// The parameters of `count` networks from `first` on, of `all`.
fn part_of(parameters: &Parameters, first: usize, count: usize, all: usize) -> Parameters {
    let own = |(name, values): &(String, Vec<f64>)| {
        let size = values.len() / all;
        (name.clone(), values[first * size..(first + count) * size].to_vec())
    };
    parameters.iter().map(own).collect()
}

fn sorted(
    recipe: &Recipe,
    question: &Question,
    identified: &Identified,
    grid: Vec<usize>,
    tested: &[Tested],
) -> Generalisation {
    let times = grid.len();
    let replicas = recipe.replicas.len();
    let each = 1 + question.arms.len() * times;
    let arm = |(a, &arm): (usize, &Arm)| {
        let of = |r: usize| {
            let start = r * each + 1 + a * times;
            tested[start..start + times].to_vec()
        };
        (arm, (0..replicas).map(of).collect())
    };
    let at = |r: usize| {
        (0..times)
            .map(|t| (identified.errors[t][r], identified.sets[t][r].len()))
            .collect()
    };
    Generalisation {
        replicas: recipe.replicas.clone(),
        epochs: grid,
        identified: (0..replicas).map(at).collect(),
        stops: identified
            .stops
            .iter()
            .map(|stop| stop.as_ref().map(|halt| (halt.epoch, halt.error)))
            .collect(),
        whole: (0..replicas).map(|r| tested[r * each]).collect(),
        arms: question.arms.iter().enumerate().map(arm).collect(),
        noise: question.noise,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_is_that_of_the_released_recipe() {
        // As listed in the research note: 38 values for 300 epochs.
        let listed = [
            2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 23, 26, 29, 33, 37, 41, 46, 51, 57, 63, 70, 78, 87, 97,
            108, 120, 133, 147, 163, 181, 201, 223, 247, 273,
        ];
        assert_eq!(grid(300), listed);
        assert_eq!(grid(2), [2]);
        assert!(grid(0).is_empty());
    }

    #[test]
    fn arms_are_read_by_their_names() {
        for arm in Arm::ALL {
            assert_eq!(arm.to_string().parse::<Arm>().unwrap(), arm);
        }
        assert!(
            "stragglers"
                .parse::<Arm>()
                .unwrap_err()
                .to_string()
                .contains("expected removed, random")
        );
    }
}
