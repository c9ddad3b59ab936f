//! Initial weights and biases of a dense layer with `fan_in` inputs and `fan_out` units.
//!
//! | name | weights | biases | source |
//! |---|---|---|---|
//! | `pytorch` | U(-a, a), a = 1 / sqrt(fan_in) | the same | default of `torch.nn.Linear` |
//! | `kaiming-uniform` | U(-a, a), a = sqrt(6 / fan_in) | 0 | He et al. 2015, gain sqrt 2 |
//! | `kaiming-normal` | N(0, 2 / fan_in) | 0 | the same |
//! | `xavier-uniform` | U(-a, a), a = sqrt(6 / (fan_in + fan_out)) | 0 | Glorot and Bengio 2010 |
//! | `xavier-normal` | N(0, 2 / (fan_in + fan_out)) | 0 | the same |
//! | `orthogonal` | rows or columns orthonormal, whichever are fewer; Haar distributed | 0 | Saxe et al. 2014 |
//! | `normal:s` | N(0, s^2 / fan_in) | 0 | the scaled normal of mean-field theory |

use std::fmt;
use std::str::FromStr;

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal, StandardUniform};

use super::error::{NnError, check};

/// How a layer starts.
///
/// ```
/// use disentangle::data::streams::{Stream, generator};
/// use disentangle::nn::Initializer;
///
/// let mut rng = generator(0, Stream::Initialization { replica: 0 });
/// // 2 units of 3 inputs: the rows are of length 1 and at right angles.
/// let w = Initializer::Orthogonal.weights(&mut rng, 2, 3);
/// let product = |a: usize, b: usize| (0..3).map(|k| w[3 * a + k] * w[3 * b + k]).sum::<f64>();
/// assert!((product(0, 0) - 1.0).abs() < 1e-12 && product(0, 1).abs() < 1e-12);
/// // Only PyTorch's default draws biases: those of 4 inputs lie within 1 / sqrt(4).
/// assert_eq!(Initializer::Orthogonal.biases(&mut rng, 2, 3), [0.0, 0.0]);
/// assert!(Initializer::Pytorch.biases(&mut rng, 100, 4).iter().all(|b| b.abs() <= 0.5));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Initializer {
    /// PyTorch's default for linear layers.
    #[default]
    Pytorch,
    /// He et al., uniform.
    KaimingUniform,
    /// He et al., normal.
    KaimingNormal,
    /// Glorot and Bengio, uniform.
    XavierUniform,
    /// Glorot and Bengio, normal.
    XavierNormal,
    /// A random orthogonal matrix, cut to size.
    Orthogonal,
    /// Normal with variance scale^2 / fan_in.
    Normal {
        /// The scale, positive.
        scale: f64,
    },
}

impl Initializer {
    /// Weights `[fan_out, fan_in]`, row-major, drawn in that order.
    pub fn weights(self, rng: &mut ChaCha8Rng, fan_out: usize, fan_in: usize) -> Vec<f64> {
        let (inputs, outputs) = (fan_in as f64, fan_out as f64);
        let count = fan_out * fan_in;
        match self {
            Initializer::Pytorch => uniform(rng, count, 1.0 / inputs.sqrt()),
            Initializer::KaimingUniform => uniform(rng, count, (6.0 / inputs).sqrt()),
            Initializer::KaimingNormal => normal(rng, count, (2.0 / inputs).sqrt()),
            Initializer::XavierUniform => uniform(rng, count, (6.0 / (inputs + outputs)).sqrt()),
            Initializer::XavierNormal => normal(rng, count, (2.0 / (inputs + outputs)).sqrt()),
            Initializer::Orthogonal => orthogonal(rng, fan_out, fan_in),
            Initializer::Normal { scale } => normal(rng, count, scale / inputs.sqrt()),
        }
    }

    /// Biases `[fan_out]`, drawn after the weights.
    pub fn biases(self, rng: &mut ChaCha8Rng, fan_out: usize, fan_in: usize) -> Vec<f64> {
        match self {
            Initializer::Pytorch => uniform(rng, fan_out, 1.0 / (fan_in as f64).sqrt()),
            _ => vec![0.0; fan_out],
        }
    }
}

/// `count` numbers from U(-a, a).
fn uniform(rng: &mut ChaCha8Rng, count: usize, a: f64) -> Vec<f64> {
    let unit = |rng: &mut ChaCha8Rng| -> f64 { StandardUniform.sample(rng) };
    (0..count).map(|_| a * (2.0 * unit(rng) - 1.0)).collect()
}

/// `count` numbers from N(0, deviation^2).
fn normal(rng: &mut ChaCha8Rng, count: usize, deviation: f64) -> Vec<f64> {
    let unit = |rng: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
    (0..count).map(|_| deviation * unit(rng)).collect()
}

/// The Q of a Gaussian matrix by Gram-Schmidt, done twice so that it is orthogonal to rounding ("twice is enough", Kahan
/// and Parlett). R has a positive diagonal, so Q is Haar distributed (Mezzadri 2007).
fn orthogonal(rng: &mut ChaCha8Rng, rows: usize, cols: usize) -> Vec<f64> {
    let (few, many) = (rows.min(cols), rows.max(cols));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(few);
    while basis.len() < few {
        let mut v = normal(rng, many, 1.0);
        for _ in 0..2 {
            for q in &basis {
                let along: f64 = q.iter().zip(&v).map(|(a, b)| a * b).sum();
                v.iter_mut().zip(q).for_each(|(v, q)| *v -= along * q);
            }
        }
        let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        if length > 0.0 {
            basis.push(v.iter().map(|x| x / length).collect());
        }
    }
    if rows <= cols {
        return basis.concat();
    }
    let row = |i: usize| basis.iter().filter_map(move |column| column.get(i));
    (0..rows).flat_map(row).copied().collect()
}

const NAMES: &str =
    "pytorch, kaiming-uniform, kaiming-normal, xavier-uniform, xavier-normal, orthogonal or normal:SCALE";

impl FromStr for Initializer {
    type Err = NnError;

    fn from_str(text: &str) -> Result<Self, NnError> {
        let unknown = || NnError::Unknown {
            what: "initializer",
            found: text.into(),
            expected: NAMES,
        };
        Ok(match text {
            "pytorch" => Initializer::Pytorch,
            "kaiming-uniform" => Initializer::KaimingUniform,
            "kaiming-normal" => Initializer::KaimingNormal,
            "xavier-uniform" => Initializer::XavierUniform,
            "xavier-normal" => Initializer::XavierNormal,
            "orthogonal" => Initializer::Orthogonal,
            _ => {
                let scale = text.strip_prefix("normal:").ok_or_else(unknown)?;
                let scale: f64 = scale.parse().map_err(|_| unknown())?;
                let scale = check("scale of initializer 'normal'", scale, "a positive number", |s| s > 0.0)?;
                Initializer::Normal { scale }
            }
        })
    }
}

impl fmt::Display for Initializer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Initializer::Pytorch => write!(f, "pytorch"),
            Initializer::KaimingUniform => write!(f, "kaiming-uniform"),
            Initializer::KaimingNormal => write!(f, "kaiming-normal"),
            Initializer::XavierUniform => write!(f, "xavier-uniform"),
            Initializer::XavierNormal => write!(f, "xavier-normal"),
            Initializer::Orthogonal => write!(f, "orthogonal"),
            Initializer::Normal { scale } => write!(f, "normal:{scale}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::streams::{Stream, generator};

    /// Largest absolute value and mean square of 200 x 300 weights.
    fn moments(text: &str) -> (f64, f64) {
        let initializer: Initializer = text.parse().unwrap();
        assert_eq!(initializer.to_string(), text);
        let weights = initializer.weights(&mut generator(1, Stream::Initialization { replica: 2 }), 200, 300);
        assert_eq!(weights.len(), 60_000);
        let largest = weights.iter().fold(0.0, |m: f64, w| m.max(w.abs()));
        (largest, weights.iter().map(|w| w * w).sum::<f64>() / 60_000.0)
    }

    #[test]
    fn variances_are_those_of_the_table() {
        // The mean square of n draws has relative deviation sqrt(kurtosis - 1) / sqrt(n): uniform 0.0037, normal 0.0058.
        // Five of them.
        let within = |found: f64, expected: f64, spread: f64| (found / expected - 1.0).abs() < 5.0 * spread;
        for (name, a) in [
            ("pytorch", 1.0f64 / 300.0),
            ("kaiming-uniform", 6.0 / 300.0),
            ("xavier-uniform", 6.0 / 500.0),
        ] {
            let (largest, square) = moments(name);
            assert!(largest <= a.sqrt() && largest > 0.999 * a.sqrt(), "{name}");
            assert!(within(square, a / 3.0, 0.0037), "{name}");
        }
        for (name, variance) in [
            ("kaiming-normal", 2.0 / 300.0),
            ("xavier-normal", 2.0 / 500.0),
            ("normal:3", 9.0 / 300.0),
        ] {
            assert!(within(moments(name).1, variance, 0.0058), "{name}");
        }
    }

    #[test]
    fn biases_of_pytorch_have_the_range_of_its_weights_and_all_others_are_zero() {
        let biases = |text: &str| {
            let initializer: Initializer = text.parse().unwrap();
            initializer.biases(&mut generator(1, Stream::Initialization { replica: 2 }), 10_000, 300)
        };
        // That none of 10,000 draws is in the last thousandth of the range has a chance of e^-10.
        let (largest, a) = (
            biases("pytorch").iter().fold(0.0, |m: f64, b| m.max(b.abs())),
            (1.0f64 / 300.0).sqrt(),
        );
        assert!(largest <= a && largest > 0.999 * a, "{largest}");
        for name in [
            "kaiming-uniform",
            "kaiming-normal",
            "xavier-uniform",
            "xavier-normal",
            "orthogonal",
            "normal:3",
        ] {
            assert_eq!(biases(name), [0.0; 10_000], "{name}");
        }
    }

    #[test]
    fn orthogonal_is_orthogonal_whichever_side_is_longer() {
        for (rows, cols) in [(3, 7), (7, 3), (5, 5), (1, 4), (4, 1)] {
            let w =
                Initializer::Orthogonal.weights(&mut generator(0, Stream::Initialization { replica: 0 }), rows, cols);
            let few = rows.min(cols);
            let vector = |i: usize| -> Vec<f64> {
                if rows <= cols {
                    w[i * cols..][..cols].to_vec()
                } else {
                    (0..rows).map(|j| w[j * cols + i]).collect()
                }
            };
            for (i, j) in (0..few).flat_map(|i| (0..few).map(move |j| (i, j))) {
                let dot: f64 = vector(i).iter().zip(vector(j)).map(|(a, b)| a * b).sum();
                // Two rounds of Gram-Schmidt leave a few u per element of the sum.
                assert!(
                    (dot - f64::from(u8::from(i == j))).abs() < 1e-14,
                    "{rows}x{cols}: {i}.{j} = {dot}"
                );
            }
        }
    }

    #[test]
    fn bad_names_say_what_there_is() {
        for text in ["", "he", "normal", "normal:x", "Pytorch"] {
            let error = text.parse::<Initializer>().unwrap_err().to_string();
            assert_eq!(error, format!("initializer '{text}': expected {NAMES}"));
        }
        assert!("normal:-1".parse::<Initializer>().is_err() && "normal:inf".parse::<Initializer>().is_err());
    }
}
