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
pub mod multiclass;
mod outputs;
pub mod removal;
pub mod robustness;
pub mod stability;
mod tested;
mod variants;

pub use follow::{Followed, Halt, Training, follow};

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
