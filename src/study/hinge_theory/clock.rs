//! gamma(t): the one function of time that the trajectories of all nodes share.
//!
//! d gamma / dt = r ((1 - eta) F(X(gamma)) - eta), gamma(0) = 0, with X(gamma) = c h sqrt(d) / (alpha q(gamma)).
//!
//! For Gaussian data, ReLU and eta = 0 this is the equation that Fig. 1 of the paper calls eq. 13; its constants, the
//! sphere, linear units and label noise are derived here: by oddness of f and y the force on every node is
//! <u theta(w . x) y x> = (1/c) <u |x_par|> w*, a flipped label pulls with the opposite sign and is never satisfied.

use super::model::{Amplitude, Model};
use crate::study::StudyError;
use crate::study::ode::integrate;

/// Below this distance from where label noise stops gamma, times are counted as infinite.
const NEAR_STOP: f64 = 1e-6;

/// A model with the amplitude of its output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clock {
    /// The parameters.
    pub model: Model,
    /// The nodes' part in it.
    pub amplitude: Amplitude,
}

impl Clock {
    /// The theory of infinitely many nodes.
    pub fn population(model: Model) -> Clock {
        Clock {
            model,
            amplitude: Amplitude::POPULATION,
        }
    }

    /// X(gamma).
    pub fn satisfied_from(&self, gamma: f64) -> f64 {
        self.model.satisfied_from(&self.amplitude, gamma)
    }

    /// d gamma / dt.
    pub fn speed(&self, gamma: f64) -> f64 {
        let Model { noise, .. } = self.model;
        let share = self.model.share_below(self.satisfied_from(gamma));
        self.model.rate() * ((1.0 - noise) * share - noise)
    }

    /// gamma at each of `times`, which must not decrease.
    ///
    /// # Errors
    /// [`StudyError::Theory`] if the solver gives up.
    pub fn gamma(&self, times: &[f64]) -> Result<Vec<f64>, StudyError> {
        let gamma = integrate(|_, &[gamma]| [self.speed(gamma)], [0.0], times)?;
        Ok(gamma.into_iter().map(|[gamma]| gamma).collect())
    }

    /// gamma after each number of unit steps of Euler's method, which is what gradient descent does: its first steps multiply
    /// by 1 + r where the flow has e^r.
    pub fn gamma_of_steps(&self, steps: usize) -> Vec<f64> {
        let mut gamma = 0.0;
        let mut all = vec![0.0];
        for _ in 0..steps {
            gamma += self.speed(gamma);
            all.push(gamma);
        }
        all
    }

    /// The time at which examples of each projection are satisfied: t_sat(s) = int_0^{gamma_s} d gamma / (d gamma / dt) with
    /// X(gamma_s) = s (derived). Infinite where label noise stops gamma before.
    ///
    /// # Errors
    /// As [`Clock::gamma`].
    pub fn satisfaction_times(&self, projections: &[f64]) -> Result<Vec<f64>, StudyError> {
        let limit = self.final_gamma().map_or(f64::INFINITY, |stop| stop - NEAR_STOP);
        let targets: Vec<f64> = projections
            .iter()
            .map(|&s| self.model.gamma_of(&self.amplitude, s))
            .collect();
        let mut sorted: Vec<f64> = targets.iter().copied().filter(|&gamma| gamma < limit).collect();
        sorted.sort_by(f64::total_cmp);
        sorted.dedup();
        let times = integrate(|gamma, _| [1.0 / self.speed(gamma)], [0.0], &sorted)?;
        let time = |gamma: &f64| {
            let place = sorted.binary_search_by(|other| other.total_cmp(gamma)).ok();
            place
                .and_then(|place| times.get(place))
                .map_or(f64::INFINITY, |[time]| *time)
        };
        Ok(targets.iter().map(time).collect())
    }

    /// Where label noise stops gamma; `None` without noise.
    pub fn final_gamma(&self) -> Option<f64> {
        super::label_noise::final_projection(&self.model).map(|x| self.model.gamma_of(&self.amplitude, x))
    }
}
