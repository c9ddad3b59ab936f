//! The model and what its theory needs of it.
//!
//! f(x) = (1/M) sum_i a_i sigma(w_i . x / sqrt d), sigma(z) = max(z, 0) or z, without biases. Labels y = sign(w* . x) with
//! |w*| = 1. Full batches descend L = (1/N) sum_k (1/alpha) max(0, h - alpha y_k f(x_k)) with learning rate beta M, and one
//! step is one unit of time. Only h / alpha enters, and the unit of time does not depend on alpha.
//!
//! Source: F. Pellegrini and G. Biroli, "An analytic theory of shallow networks dynamics for hinge loss classification",
//! NeurIPS 33 (2020) 5356, arXiv:2006.11209: the model, the data, the initialisation and the linear hinge with threshold.
//! The factor 1/alpha, the prefactors and everything below this line of the module are derived here.
//!
//! | symbol | meaning | Gaussian data | on the unit sphere |
//! |---|---|---|---|
//! | c | 2 for ReLU, 1 for linear units | | |
//! | G | mean of the projection s = abs(w* . x) | sqrt(2 / pi) | Gamma(d/2) / (sqrt(pi) Gamma((d+1)/2)) |
//! | r | rate of gamma while nothing is satisfied, beta G / (c sqrt d) | beta sqrt(2 / pi) / (c sqrt d) | |
//! | k | c h sqrt(d) / alpha: rich for k >> typical s, lazy for k << it | | |
//! | F(X) | share of G from projections below X | 1 - exp(-X^2 / 2) | 1 - (1 - X^2)^((d-1)/2) |
//! | P(X) | probability of a projection below X | erf(X / sqrt 2) | I_{X^2}(1/2, (d-1)/2) |

use std::f64::consts::PI;

use statrs::function::beta::beta_reg;
use statrs::function::erf::erf;
use statrs::function::gamma::ln_gamma;

use crate::study::StudyError;

/// What a node does with its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// max(z, 0)
    Relu,
    /// z
    Linear,
}

impl Unit {
    /// c: only one in c examples reaches a node.
    pub fn c(self) -> f64 {
        match self {
            Unit::Relu => 2.0,
            Unit::Linear => 1.0,
        }
    }

    /// Its name as options say it.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Relu => "relu",
            Unit::Linear => "linear",
        }
    }
}

/// From where the examples come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// N(0, 1) in each dimension.
    Gaussian,
    /// Uniform on the unit sphere.
    Sphere,
}

impl Distribution {
    /// Its name as options say it.
    pub fn name(self) -> &'static str {
        match self {
            Distribution::Gaussian => "gaussian",
            Distribution::Sphere => "sphere",
        }
    }

    /// G: the mean projection.
    pub fn mean_projection(self, d: usize) -> f64 {
        let half = d as f64 / 2.0;
        match self {
            Distribution::Gaussian => (2.0 / PI).sqrt(),
            Distribution::Sphere => (ln_gamma(half) - ln_gamma(half + 0.5)).exp() / PI.sqrt(),
        }
    }

    /// F(X): the share of the mean projection that comes from projections below `x`.
    pub fn share_below(self, d: usize, x: f64) -> f64 {
        match self {
            Distribution::Gaussian => -(-x * x / 2.0).exp_m1(),
            Distribution::Sphere => {
                let inside = -(x.min(1.0) * x.min(1.0));
                // (1 - X^2)^n as a power of the logarithm keeps its digits where X is small.
                -((d as f64 - 1.0) / 2.0 * inside.ln_1p()).exp_m1()
            }
        }
    }

    /// P(X): the probability of a projection below `x`.
    pub fn below(self, d: usize, x: f64) -> f64 {
        match self {
            Distribution::Gaussian => erf(x / 2f64.sqrt()),
            Distribution::Sphere if x >= 1.0 => 1.0,
            Distribution::Sphere => beta_reg(0.5, (d as f64 - 1.0) / 2.0, x * x),
        }
    }

    /// Variance of one coordinate.
    pub fn variance(self, d: usize) -> f64 {
        match self {
            Distribution::Gaussian => 1.0,
            Distribution::Sphere => 1.0 / d as f64,
        }
    }
}

/// The parameters that the mean-field theory knows: those of nodes and examples without number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Model {
    /// What a node does.
    pub unit: Unit,
    /// What the examples are.
    pub distribution: Distribution,
    /// d, at least 2.
    pub dimension: usize,
    /// alpha, positive.
    pub alpha: f64,
    /// h, positive: without a threshold nothing that begins at f = 0 is ever learned.
    pub threshold: f64,
    /// beta: learning rate per node, positive.
    pub beta: f64,
    /// eta: fraction of labels that are flipped, 0 to below 1/2.
    pub noise: f64,
}

impl Model {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`StudyError::Option`] that names what is out of range.
    pub fn check(&self) -> Result<(), StudyError> {
        let of = |name: &str, value: f64, expected: &str, fits: bool| {
            if fits && value.is_finite() {
                return Ok(());
            }
            Err(StudyError::Option {
                detail: format!("--{name} {value}: expected {expected}"),
            })
        };
        let positive = "a positive number";
        of("dimension", self.dimension as f64, "at least 2", self.dimension >= 2)?;
        of("alpha", self.alpha, positive, self.alpha > 0.0)?;
        of("threshold", self.threshold, positive, self.threshold > 0.0)?;
        of("beta", self.beta, positive, self.beta > 0.0)?;
        let fits = (0.0..0.5).contains(&self.noise);
        of("noise", self.noise, "at least 0 and below 0.5", fits)
    }

    /// G.
    pub fn mean_projection(&self) -> f64 {
        self.distribution.mean_projection(self.dimension)
    }

    /// r: what gamma grows by in a step while nothing is satisfied and no label is flipped.
    pub fn rate(&self) -> f64 {
        self.beta * self.mean_projection() / (self.unit.c() * (self.dimension as f64).sqrt())
    }

    /// k = c h sqrt(d) / alpha.
    pub fn crossover(&self) -> f64 {
        self.unit.c() * self.threshold * (self.dimension as f64).sqrt() / self.alpha
    }

    /// F(X).
    pub fn share_below(&self, x: f64) -> f64 {
        self.distribution.share_below(self.dimension, x)
    }

    /// P(X).
    pub fn below(&self, x: f64) -> f64 {
        self.distribution.below(self.dimension, x)
    }
}

/// Second moments of the initial nodes, which a finite network has its own of: A0 = ⟨a^2⟩, B0 = ⟨w_par^2⟩, C0 = ⟨a w_par⟩.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// A0
    pub a: f64,
    /// B0
    pub b: f64,
    /// C0
    pub c: f64,
}

impl Moments {
    /// Those of the distribution that nodes are drawn from.
    pub const POPULATION: Moments = Moments { a: 1.0, b: 1.0, c: 0.0 };

    /// Those of nodes (a_i, w_par,i).
    pub fn of(nodes: &[(f64, f64)]) -> Moments {
        let mean = |f: fn(&(f64, f64)) -> f64| nodes.iter().map(f).sum::<f64>() / nodes.len().max(1) as f64;
        Moments {
            a: mean(|n| n.0 * n.0),
            b: mean(|n| n.1 * n.1),
            c: mean(|n| n.0 * n.1),
        }
    }
}

/// From the parameter gamma of the trajectory to what the network outputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Amplitude {
    /// Moments of the initial nodes.
    pub moments: Moments,
    /// Whether the initial output is subtracted from the output.
    pub subtracted: bool,
}

impl Amplitude {
    /// Infinitely many nodes: f = sinh(2 gamma) x_par / (c sqrt d), with or without subtraction.
    pub const POPULATION: Amplitude = Amplitude {
        moments: Moments::POPULATION,
        subtracted: false,
    };

    /// q(gamma) = C0 cosh 2 gamma + (A0 + B0) / 2 sinh 2 gamma, minus C0 if the initial output is subtracted. The output is
    /// f = q x_par / (c sqrt d).
    pub fn at(&self, gamma: f64) -> f64 {
        let Moments { a, b, c } = self.moments;
        // cosh 2g - 1 = 2 sinh^2 g keeps its digits where gamma is small.
        let even = 2.0 * gamma.sinh().powi(2) + if self.subtracted { 0.0 } else { 1.0 };
        c * even + (a + b) / 2.0 * (2.0 * gamma).sinh()
    }

    /// The smallest gamma >= 0 at which q reaches `q`, for q >= 0. In v = e^{2 gamma}, q is a quadratic:
    /// (C0 + S) v^2 - 2 (q + C0 \[subtracted\]) v + (C0 - S) = 0 with S = (A0 + B0) / 2 >= |C0|. 0 if q is reached at the start.
    pub fn inverse(&self, q: f64) -> f64 {
        let Moments { a, b, c } = self.moments;
        let s = (a + b) / 2.0;
        let shift = q + if self.subtracted { c } else { 0.0 };
        if shift <= c {
            return 0.0;
        }
        // (shift - c) (shift + c) + s^2: positive since s >= |c|.
        let root = (shift * shift - c * c + s * s).max(0.0).sqrt();
        // v - 1 without the cancellation of two numbers near 1.
        let v = (shift + root) / (c + s);
        let excess = (shift - c) + (root - s);
        if v < 2.0 {
            0.5 * (excess / (c + s)).ln_1p()
        } else {
            0.5 * v.ln()
        }
    }
}

impl Model {
    /// X(gamma) = c h sqrt(d) / (alpha q): examples with a correct label are satisfied from this projection on. Infinite
    /// where the output does not have the right sign yet.
    pub fn satisfied_from(&self, amplitude: &Amplitude, gamma: f64) -> f64 {
        let q = amplitude.at(gamma);
        if q > 0.0 { self.crossover() / q } else { f64::INFINITY }
    }

    /// The gamma at which X(gamma) = `s`.
    pub fn gamma_of(&self, amplitude: &Amplitude, s: f64) -> f64 {
        amplitude.inverse(self.crossover() / s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Midpoint rule on [0, x] for a density proportional to `p` on [0, top]: P and the share of the mean.
    fn by_midpoints(p: impl Fn(f64) -> f64, top: f64, x: f64) -> (f64, f64, f64) {
        // x lies on the edge of a step for the x and tops below.
        let n = 480_000;
        let step = top / f64::from(n);
        let (mut all, mut mean, mut below, mut share) = (0.0, 0.0, 0.0, 0.0);
        for i in 0..n {
            let s = (f64::from(i) + 0.5) * step;
            let density = p(s);
            all += density;
            mean += s * density;
            if s < x {
                below += density;
                share += s * density;
            }
        }
        (mean / all, below / all, share / mean)
    }

    #[test]
    fn projections_of_both_distributions_agree_with_their_densities() {
        // Midpoints err by step^2 / 24 f'', and by half a step's worth if rounding puts the middle at the edge x on the wrong
        // side: below 2e-4 of the values here.
        for d in [3usize, 20, 100] {
            for x in [0.05, 0.3, 0.7] {
                let sphere = |s: f64| (1.0 - s * s).powf((d as f64 - 3.0) / 2.0);
                let gauss = |s: f64| (-s * s / 2.0).exp();
                let cases = [
                    (Distribution::Sphere, by_midpoints(sphere, 1.0, x)),
                    (Distribution::Gaussian, by_midpoints(gauss, 12.0, x)),
                ];
                for (distribution, (mean, below, share)) in cases {
                    let close = |a: f64, b: f64| (a - b).abs() <= 2e-4 * b;
                    assert!(close(distribution.mean_projection(d), mean), "{distribution:?} {d}");
                    assert!(close(distribution.below(d, x), below), "{distribution:?} {d} {x}");
                    assert!(close(distribution.share_below(d, x), share), "{distribution:?} {d} {x}");
                }
            }
            assert_eq!(Distribution::Sphere.below(d, 1.5), 1.0);
            assert_eq!(Distribution::Sphere.share_below(d, f64::INFINITY), 1.0);
            assert_eq!(Distribution::Gaussian.share_below(d, f64::INFINITY), 1.0);
        }
    }

    #[test]
    fn the_amplitude_and_its_inverse_undo_each_other() {
        let moments = Moments {
            a: 1.1,
            b: 0.8,
            c: -0.07,
        };
        for moments in [Moments::POPULATION, moments, Moments { c: 0.2, ..moments }] {
            for subtracted in [false, true] {
                let amplitude = Amplitude { moments, subtracted };
                for gamma in [1e-9, 1e-4, 0.1, 0.7, 2.0, 5.0, 40.0] {
                    let q = amplitude.at(gamma);
                    if q > 0.0 {
                        let back = amplitude.inverse(q);
                        // Where C0 stays in q, a small gamma is a difference of two numbers of order C0.
                        let bound = 1e-12 * gamma + if subtracted { 1e-15 } else { 1e-14 };
                        assert!((back - gamma).abs() <= bound, "{amplitude:?} {gamma} {back}");
                    }
                }
            }
        }
        assert_eq!(Amplitude::POPULATION.inverse(0.0), 0.0);
    }

    #[test]
    fn parameters_out_of_range_are_named() {
        let model = Model {
            unit: Unit::Relu,
            distribution: Distribution::Gaussian,
            dimension: 100,
            alpha: 1.0,
            threshold: 1.0,
            beta: 2.5,
            noise: 0.0,
        };
        assert!(model.check().is_ok());
        let line = |model: Model| model.check().unwrap_err().to_string();
        assert_eq!(
            line(Model { noise: 0.5, ..model }),
            "--noise 0.5: expected at least 0 and below 0.5"
        );
        assert_eq!(
            line(Model { alpha: -1.0, ..model }),
            "--alpha -1: expected a positive number"
        );
        assert_eq!(
            line(Model {
                beta: f64::NAN,
                ..model
            }),
            "--beta NaN: expected a positive number"
        );
        assert_eq!(
            line(Model { dimension: 1, ..model }),
            "--dimension 1: expected at least 2"
        );
        assert!((model.rate() - 0.0997355701).abs() < 1e-9);
        assert_eq!(model.crossover(), 20.0);
    }
}
