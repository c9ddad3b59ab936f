//! The straggler experiments of Ciceri et al. (Nat. Mach. Intell. 2024), as in the authors' released recipe, with
//! controls. One file per study; each trains in parts that are kept as they finish, and leaves [`Findings`](super::findings::Findings).
//!
//! S(t) are the training samples that a network misclassifies after t epochs; its stragglers are S(t*) at the stop of the
//! released recipe, the first t* >= 20 with R_0(t*) >= R_0(t* - 1).

pub mod find;
mod follow;
pub mod generalisation;
pub mod hardness;
mod identify;
pub mod linear;
mod lookout;
pub mod multiclass;
mod outputs;
pub mod removal;
pub mod robustness;
pub mod stability;
mod tested;
mod tested_findings;
mod variants;

pub use follow::{Followed, Halt, Training, follow};

use super::courses::Courses;
use super::follow::Follow;
use super::parts::Parts;
use super::prepare::Prepared;
use crate::backend::Backend;
use crate::nn::network::Parameters;
use crate::train::Recipe;

/// How far a study is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress<'a> {
    /// What is being done.
    pub doing: &'a str,
    /// The part at hand, from 0.
    pub part: usize,
    /// Parts in all.
    pub parts: usize,
    /// Epochs of it that are done.
    pub epoch: usize,
    /// Epochs of it in all.
    pub epochs: usize,
    /// Mean training error of the networks at hand.
    pub train_error: f64,
}

/// Who watches a study.
pub trait Watcher {
    /// Told after each epoch; whether to go on.
    fn epoch(&mut self, progress: Progress) -> bool;
}

/// A watcher that lets a study be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watcher for Unwatched {
    fn epoch(&mut self, _: Progress) -> bool {
        true
    }
}

/// What every study runs on.
pub struct Bench<'a> {
    /// How to train: architecture, loss, rule, learning rate, epochs, seed, replica numbers, measured layers.
    pub recipe: &'a Recipe,
    /// On what.
    pub data: &'a Prepared,
    /// From where, every replica of the recipe.
    pub initial: &'a Parameters,
    /// Who computes.
    pub backend: &'a dyn Backend,
    /// What has been computed before.
    pub parts: &'a Parts,
    /// Which metrics are followed beside what the study asks for, and when.
    pub follow: &'a Follow,
    /// Where it leaves what they did: made by [`Courses::new`] of the same.
    pub courses: &'a mut Courses,
    /// Who watches.
    pub watcher: &'a mut dyn Watcher,
}

/// How many elements two ascending lists have in common.
fn common(a: &[usize], b: &[usize]) -> usize {
    a.iter().filter(|element| b.binary_search(element).is_ok()).count()
}

/// The overlap 2 C / (K_a + K_b) of two sets; NaN for two empty ones.
fn dice(a: usize, b: usize, common: usize) -> f64 {
    2.0 * common as f64 / (a + b) as f64
}

#[cfg(test)]
mod tests {
    use super::generalisation::{Arm, Question};
    use super::*;
    use crate::backend::Cpu;
    use crate::data::synthetic::gaussian_classes;
    use crate::geometry::Settings;
    use crate::nn::{Activation, Initializer, Loss};
    use crate::study::findings::{Findings, Table};
    use crate::study::parts::Parts;
    use crate::study::{StudyError, stragglers};

    /// Overlapping classes, of which a network never gets all right.
    fn data() -> Prepared {
        let (train_features, train_labels) = gaussian_classes(2, 2, 150, 6, 1.2);
        let (test_features, test_labels) = gaussian_classes(3, 2, 50, 6, 1.2);
        Prepared {
            inputs: 6,
            classes: vec!["a".into(), "b".into()],
            train_rows: (100..400).collect(),
            train_features,
            train_labels,
            test_features,
            test_labels,
            dead_pixels: 0,
            lit_test_rows: 0,
        }
    }

    fn recipe(replicas: &[u64]) -> Recipe {
        Recipe {
            replicas: replicas.to_vec(),
            epochs: 60,
            learning_rate: 0.5,
            seed: 5,
            ..Recipe::new(6, &[5], 2, Activation::Tanh, Loss::CrossEntropy)
        }
    }

    /// Interrupts in the n-th epoch that it is told of.
    struct Interrupt(usize);

    impl Watcher for Interrupt {
        fn epoch(&mut self, _: Progress) -> bool {
            self.0 = self.0.saturating_sub(1);
            self.0 > 0
        }
    }

    type Work<'w> = &'w dyn Fn(&mut Bench) -> Result<Vec<Table>, StudyError>;

    fn done(replicas: &[u64], parts: &Parts, watcher: &mut dyn Watcher, work: Work) -> Result<Vec<Table>, StudyError> {
        followed(&Follow::default(), replicas, parts, watcher, work)
    }

    /// The tables of a study, and those of what is followed.
    fn followed(
        follow: &Follow,
        replicas: &[u64],
        parts: &Parts,
        watcher: &mut dyn Watcher,
        work: Work,
    ) -> Result<Vec<Table>, StudyError> {
        let (data, recipe, backend) = (data(), recipe(replicas), Cpu::new(1).unwrap());
        let initial = recipe.initial(Initializer::Pytorch);
        let mut courses = Courses::new(follow, &data.classes, &recipe.layers);
        let mut bench = Bench {
            recipe: &recipe,
            data: &data,
            initial: &initial,
            backend: &backend,
            parts,
            follow,
            courses: &mut courses,
            watcher,
        };
        let tables = work(&mut bench)?;
        let beside = courses.beside(Findings::default()).tables;
        Ok([tables, beside].concat())
    }

    /// What a study leaves that is cut in its first part, and then so often that every attempt finishes a part or two.
    fn resumed(name: &str, cut: &dyn Fn(usize) -> Result<Vec<Table>, StudyError>) -> Vec<Table> {
        assert!(matches!(cut(5), Err(StudyError::Interrupted)), "{name}");
        // A part has at most 61 epochs.
        for _ in 0..100 {
            match cut(80) {
                Err(StudyError::Interrupted) => {}
                other => return other.unwrap(),
            }
        }
        panic!("{name}: a hundred attempts were not enough");
    }

    type Study = Box<dyn Fn(&mut Bench) -> Result<Vec<Table>, StudyError>>;

    fn studies() -> [(&'static str, Study); 7] {
        [
            (
                "find",
                Box::new(|bench| Ok(find::findings(&find::run(bench)?, bench.data).tables)),
            ),
            (
                "stability",
                Box::new(|bench| {
                    let found = stability::run(bench, &[1, 20, 60])?;
                    Ok(stability::findings(&found, &stability::scores(&found, 10, 1)).tables)
                }),
            ),
            (
                "removal",
                Box::new(|bench| Ok(removal::findings(&removal::run(bench, 2)?).tables)),
            ),
            (
                "generalisation",
                Box::new(|bench| {
                    let question = Question {
                        identify_epochs: 30,
                        noise: 1.0,
                        arms: Arm::ALL.to_vec(),
                    };
                    Ok(generalisation::findings(&generalisation::run(bench, &question)?).tables)
                }),
            ),
            (
                "multiclass",
                Box::new(|bench| Ok(multiclass::findings(&multiclass::run(bench)?).tables)),
            ),
            (
                "linear",
                Box::new(|bench| {
                    let fitting = linear::Fitting {
                        lambda: 1e-2,
                        gradient_norm: 1e-3,
                    };
                    Ok(linear::findings(&linear::run(bench, fitting)?).tables)
                }),
            ),
            (
                "hardness",
                Box::new(|bench| Ok(hardness::findings(&hardness::run(bench, 10)?).tables)),
            ),
        ]
    }

    /// One of each kind: of all rows, per class, with weights, of neighbours.
    fn some_metrics() -> Follow {
        Follow::new(
            "silhouette,participation-ratio,nc3,two-nn-dimension",
            15,
            Settings::default(),
        )
        .unwrap()
    }

    #[test]
    fn what_is_followed_changes_nothing_else_and_survives_a_cut_with_its_bits() {
        let follow = some_metrics();
        for (name, work) in studies() {
            // That one trains a hundred networks for each.
            let replicas: &[u64] = if name == "generalisation" {
                &[0, 8]
            } else {
                &[0, 7, 8, 9]
            };
            let plain = done(replicas, &Parts::none(), &mut Unwatched, &work).unwrap();
            let whole = followed(&follow, replicas, &Parts::none(), &mut Unwatched, &work).unwrap();
            let (own, beside) = whole.split_at(plain.len());
            assert_eq!(own, plain, "{name}");
            let names: Vec<&str> = beside.iter().map(|table| table.name.as_str()).collect();
            assert_eq!(names, ["metrics", "turns"], "{name}");
            let folder = tempfile::tempdir().unwrap();
            let parts = Parts::in_folder(folder.path());
            let cut = |epochs| followed(&follow, replicas, &parts, &mut Interrupt(epochs), &work);
            assert_eq!(whole, resumed(name, &cut), "{name}");
            // And a second time, from the parts alone.
            let again = followed(&follow, replicas, &parts, &mut Interrupt(1), &work).unwrap();
            assert_eq!(whole, again, "{name}");
            // A replica has the same lines alone, stability aside, which takes pairs.
            if name != "stability" {
                let alone = followed(&follow, &[8], &Parts::none(), &mut Unwatched, &work).unwrap();
                let of_eight = |tables: &[Table]| -> Vec<Vec<String>> {
                    let rows = tables.iter().rev().take(2).flat_map(|table| &table.rows);
                    rows.filter(|row| row[0] == "8").cloned().collect()
                };
                assert!(!of_eight(&alone).is_empty(), "{name}");
                assert_eq!(of_eight(&whole), of_eight(&alone), "{name}");
            }
        }
    }

    #[test]
    fn metrics_are_of_the_samples_that_a_variant_is_trained_on() {
        let (data, follow) = (data(), some_metrics());
        let recipe = recipe(&[3]);
        let initial = recipe.initial(Initializer::Pytorch);
        let backend = Cpu::new(1).unwrap();
        let course = |data: &Prepared, weights: Option<&[f64]>, labels: Option<&[u32]>| {
            let training = Training {
                recipe: &recipe,
                data,
                initial: &initial,
                weights,
                labels,
                sets_at: &[],
                records: false,
                follow: &follow,
            };
            let followed = stragglers::follow(training, &backend, &mut |_, _| true).unwrap();
            followed.courses[0].looks.clone()
        };
        // Every third sample removed, beside data that never had them. The means of a full batch are sums over the same
        // samples in other blocks, so the trainings part by roundings of f32: only before the first step are they the same.
        let keeps: Vec<bool> = (0..data.train_labels.len()).map(|place| place % 3 != 0).collect();
        let weights: Vec<f64> = keeps.iter().map(|&keeps| f64::from(u8::from(keeps))).collect();
        let kept = |place: &usize| keeps[*place];
        let places: Vec<usize> = (0..keeps.len()).filter(kept).collect();
        let fewer = Prepared {
            train_features: places
                .iter()
                .flat_map(|&place| &data.train_features[place * 6..(place + 1) * 6])
                .copied()
                .collect(),
            train_labels: places.iter().map(|&place| data.train_labels[place]).collect(),
            train_rows: places.clone(),
            ..data.clone()
        };
        let removed = course(&data, Some(&weights), None);
        let never = course(&fewer, None, None);
        // Radii and distances before them are sums of f32 in blocks of rows.
        assert_eq!(removed[0].values[3..], never[0].values[3..]);
        let all = course(&data, None, None);
        assert_ne!(removed[0].values[3..], all[0].values[3..]);
        // Other labels, of one sample in five.
        let flipped: Vec<u32> = (data.train_labels.iter().enumerate())
            .map(|(place, &label)| if place % 5 == 0 { 1 - label } else { label })
            .collect();
        let relabelled = course(&data, None, Some(&flipped));
        let own = Prepared {
            train_labels: flipped.clone(),
            ..data.clone()
        };
        assert_eq!(relabelled[0].values[3..], course(&own, None, None)[0].values[3..]);
        assert_ne!(relabelled[0].values[3..], all[0].values[3..]);
    }

    #[test]
    fn a_study_that_is_cut_and_begun_again_leaves_the_same_tables() {
        for (name, work) in studies() {
            let whole = done(&[0, 7, 8, 9], &Parts::none(), &mut Unwatched, &work).unwrap();
            assert!(whole.iter().all(|table| !table.rows.is_empty()), "{name}");
            let folder = tempfile::tempdir().unwrap();
            let parts = Parts::in_folder(folder.path());
            let cut = |epochs| done(&[0, 7, 8, 9], &parts, &mut Interrupt(epochs), &work);
            assert_eq!(whole, resumed(name, &cut), "{name}");
        }
    }

    #[test]
    fn a_replica_has_the_same_lines_beside_others_and_alone() {
        for (name, work) in studies() {
            // One takes pairs, the other's tables are of samples.
            if ["stability", "hardness"].contains(&name) {
                continue;
            }
            let together = done(&[0, 7], &Parts::none(), &mut Unwatched, &work).unwrap();
            let alone = done(&[7], &Parts::none(), &mut Unwatched, &work).unwrap();
            let of_seven = |tables: &[Table]| -> Vec<Vec<Vec<String>>> {
                let own = tables.iter().filter(|table| table.columns[0] == "replica");
                let rows = own.map(|t| t.rows.iter().filter(|row| row[0] == "7").cloned().collect());
                rows.collect()
            };
            assert!(of_seven(&alone).iter().all(|rows| !rows.is_empty()), "{name}");
            assert_eq!(of_seven(&together), of_seven(&alone), "{name}");
        }
    }

    #[test]
    fn what_is_removed_and_kept_is_what_the_tables_say() {
        let question = Question {
            identify_epochs: 30,
            noise: 0.0,
            arms: Arm::ALL.to_vec(),
        };
        let work = |bench: &mut Bench| {
            let found = generalisation::run(bench, &question)?;
            for (arm, tested) in &found.arms {
                for (own, identified) in tested.iter().zip(&found.identified) {
                    for (tested, &(error, size)) in own.iter().zip(identified) {
                        // An error is a count of 300 over 300: two roundings.
                        assert!((error * 300.0 - size as f64).abs() < 1e-9);
                        let expected = match arm {
                            Arm::Removed | Arm::Random => 300 - size,
                            Arm::Kept | Arm::KeptRandom => 2 * size,
                            Arm::Relabelled => 300,
                        };
                        assert_eq!(tested.samples, expected, "{arm}");
                        assert_eq!(tested.test_error, tested.noisy_error, "noise 0");
                    }
                }
            }
            assert!(found.arms.iter().all(|(_, tested)| tested.len() == 2));
            Ok(Vec::new())
        };
        done(&[0, 1], &Parts::none(), &mut Unwatched, &work).unwrap();
    }

    #[test]
    fn sets_are_compared() {
        assert_eq!(stragglers::common(&[1, 4, 9], &[0, 4, 8, 9]), 2);
        assert_eq!(dice(3, 4, 2), 4.0 / 7.0);
        assert!(dice(0, 0, 0).is_nan());
    }
}
