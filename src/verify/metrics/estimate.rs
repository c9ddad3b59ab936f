//! A number in twice the precision of f64, and how far a computation of it in f64 may be off.
//!
//! Running error analysis (N. Higham, Accuracy and Stability of Numerical Algorithms, ch. 3.3): the metric's formula is evaluated with
//! operands v in double-double arithmetic (T. Dekker, Numer. Math. 18, 224 (1971)), and beside each goes a bound e of what the same
//! operation in f64 errs by, with w = 2^-53:
//!
//! | operation | e |
//! |---|---|
//! | a + b, a - b | e_a + e_b, and one rounding |
//! | a b | |a| e_b + |b| e_a + e_a e_b, and one rounding |
//! | a / b | (e_a + |q| e_b) / (|b| - e_b), and one rounding; infinite if b may be 0 |
//! | sqrt a | the smaller of e_a / sqrt a and sqrt e_a, and one rounding |
//! | a sum of n terms, in any order | sum e + n w sum (|v| + e) |
//! | the largest of several | the largest e |
//!
//! The longest chain of roundings goes along, to be printed.

use std::ops::{Add, Div, Mul, Sub};

/// Unit roundoff of f64.
pub(super) const W: f64 = 1.0 / (1u64 << 53) as f64;

/// See the [module](self).
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    high: f64,
    low: f64,
    /// Of the computation.
    pub(super) error: f64,
    /// Its longest chain of roundings.
    pub(super) chain: usize,
}

/// a + b without error, as two numbers.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let back = sum - a;
    (sum, (a - (sum - back)) + (b - back))
}

impl Estimate {
    /// A number that is given.
    pub(super) fn given(value: f64) -> Estimate {
        Estimate::about(value, 0.0, 0)
    }

    /// A number that is computed with an error of at most `error` in a chain of so many roundings.
    pub(super) fn about(value: f64, error: f64, chain: usize) -> Estimate {
        Estimate {
            high: value,
            low: 0.0,
            error,
            chain,
        }
    }

    /// The value without its error.
    pub(super) fn exact(self) -> Estimate {
        Estimate {
            error: 0.0,
            chain: 0,
            ..self
        }
    }

    /// The same value with another error.
    pub(super) fn with_error(self, error: f64, chain: usize) -> Estimate {
        Estimate { error, chain, ..self }
    }

    pub(super) fn value(self) -> f64 {
        self.high
    }

    /// How far a computed number may be from [`Estimate::value`], which is rounded too.
    pub(super) fn bound(self) -> f64 {
        self.error + self.low.abs()
    }

    fn size(self) -> f64 {
        self.high.abs()
    }

    /// Rounds the result of an operation whose operands have these errors.
    fn rounded((high, low): (f64, f64), error: f64, chain: usize) -> Estimate {
        let (high, low) = two_sum(high, low);
        let error = error + W * (high.abs() + error) + f64::from_bits(1);
        Estimate {
            high,
            low,
            error: if error.is_nan() { f64::INFINITY } else { error },
            chain: chain + 1,
        }
    }

    pub(super) fn square(self) -> Estimate {
        self * self
    }

    pub(super) fn sqrt(self) -> Estimate {
        let root = self.high.max(0.0).sqrt();
        let low = if root > 0.0 {
            (self.exact() - Estimate::given(root) * Estimate::given(root))
                .exact()
                .high
                / (2.0 * root)
        } else {
            0.0
        };
        let error = if root > 0.0 {
            (self.error / root).min(self.error.sqrt())
        } else {
            self.error.sqrt()
        };
        Estimate::rounded((root, low), error, self.chain)
    }

    pub(super) fn abs(self) -> Estimate {
        if self.high < 0.0 {
            Estimate::given(0.0).minus_exactly(self)
        } else {
            self
        }
    }

    /// 0 - x, which is no rounding.
    fn minus_exactly(self, other: Estimate) -> Estimate {
        Estimate {
            high: self.high - other.high,
            low: self.low - other.low,
            ..other
        }
    }

    /// The largest; the errors of all count, since any may be taken for it.
    pub(super) fn largest(all: impl Iterator<Item = Estimate>) -> Estimate {
        all.fold(Estimate::about(f64::NEG_INFINITY, 0.0, 0), |best, next| Estimate {
            error: best.error.max(next.error),
            chain: best.chain.max(next.chain),
            ..if next.high > best.high { next } else { best }
        })
    }

    /// A sum in any order.
    pub(super) fn sum(all: impl Iterator<Item = Estimate>) -> Estimate {
        let (mut total, mut error, mut size, mut n, mut chain) = (Estimate::given(0.0), 0.0, 0.0, 0, 0);
        for term in all {
            total = (total + term.exact()).exact();
            error += term.error;
            size += term.size() + term.error;
            chain = chain.max(term.chain);
            n += 1;
        }
        total.with_error(error + n as f64 * W * size, chain + n)
    }
}

impl Add for Estimate {
    type Output = Estimate;

    fn add(self, other: Estimate) -> Estimate {
        let (sum, rest) = two_sum(self.high, other.high);
        Estimate::rounded(
            (sum, rest + self.low + other.low),
            self.error + other.error,
            self.chain.max(other.chain),
        )
    }
}

impl Sub for Estimate {
    type Output = Estimate;

    fn sub(self, other: Estimate) -> Estimate {
        Add::add(self, Estimate::given(0.0).minus_exactly(other))
    }
}

impl Mul for Estimate {
    type Output = Estimate;

    fn mul(self, other: Estimate) -> Estimate {
        let product = self.high * other.high;
        let rest = self.high.mul_add(other.high, -product) + (self.high * other.low + self.low * other.high);
        let error = self.size() * other.error + other.size() * self.error + self.error * other.error;
        Estimate::rounded((product, rest), error, self.chain.max(other.chain))
    }
}

impl Div for Estimate {
    type Output = Estimate;

    fn div(self, other: Estimate) -> Estimate {
        let first = self.high / other.high;
        let rest = self.exact() - (Estimate::given(first) * other.exact()).exact();
        let quotient = (first, rest.high / other.high);
        // A divisor that may be 0 leaves nothing to compare.
        let error = if other.size() > 2.0 * other.error {
            (self.error + first.abs() * other.error) / (other.size() - other.error)
        } else {
            f64::INFINITY
        };
        Estimate::rounded(quotient, error, self.chain.max(other.chain))
    }
}

impl Mul<f64> for Estimate {
    type Output = Estimate;

    fn mul(self, other: f64) -> Estimate {
        self * Estimate::given(other)
    }
}

impl Div<f64> for Estimate {
    type Output = Estimate;

    fn div(self, other: f64) -> Estimate {
        self / Estimate::given(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_the_precision() {
        let third = Estimate::given(1.0) / 3.0;
        assert_eq!(third.high, 1.0 / 3.0);
        // 1/3 - fl(1/3) = 2^-54 / 3.
        assert!((third.low * 3.0 - 2f64.powi(-54)).abs() < 1e-32, "{}", third.low);
        let root = Estimate::given(2.0).sqrt();
        let back = (root * root).exact() - Estimate::given(2.0);
        assert!(back.value().abs() < 1e-31, "{}", back.value());
        let sum = Estimate::sum([1e16, 1.0, -1e16].into_iter().map(Estimate::given));
        assert_eq!((sum.value(), sum.chain), (1.0, 3));
        assert!(sum.error >= 1.0, "f64 may lose the 1: {}", sum.error);
    }

    /// The computation in f64 is within the error, over many sums that cancel.
    #[test]
    fn errors_are_bounds() {
        let mut worst: f64 = 0.0;
        for n in 1..200u32 {
            let terms = || (1..=n).map(|k| f64::from(k).sin() * 10f64.powi((k % 7) as i32));
            let in_f64 = (terms().map(|x| x * x).sum::<f64>() - terms().sum::<f64>()) / f64::from(n);
            let sums = [
                Estimate::sum(terms().map(|x| Estimate::given(x).square())),
                Estimate::sum(terms().map(Estimate::given)),
            ];
            let estimate = (sums[0] - sums[1]) / f64::from(n);
            let error = (estimate.value() - in_f64).abs();
            assert!(error <= estimate.error, "{n}: {error:e} above {:e}", estimate.error);
            worst = worst.max(error / estimate.error);
        }
        assert!(worst > 0.001, "bounds a thousand times too wide: {worst}");
    }

    #[test]
    fn what_may_be_zero_divides_nothing() {
        let small = Estimate::about(1e-17, 1e-16, 1);
        assert_eq!((Estimate::given(1.0) / small).error, f64::INFINITY);
        assert_eq!((Estimate::given(0.0) / Estimate::given(0.0)).error, f64::INFINITY);
    }
}
