//! Fixed points with weight decay and with spectral decoupling (Pezeshki et al. 2021; derived where nothing is said).
//!
//! A linear model with margins m_i = y_i yhat_i and features U S V^T, y Phi = U S V^T, has under
//! L = sum log(1 + e^-m_i) + (lambda / 2) |theta|^2 the margins
//! ```text
//!   m = (1 / lambda) U S^2 U^T a,   a_i = s(-m_i) = 1 / (1 + e^m_i),
//! ```
//! so the features z = U^T m share what is left to learn: raising the strength s_1 of one lowers z_2 (starvation). Uncoupled
//! (U = 1), s^2 s(-z) = lambda z, close to z = W(s^2 / lambda) with Lambert's W (it drops the 1 of 1 + e^z).
//!
//! With spectral decoupling, (lambda / 2) |yhat|^2 in place of the decay of the weights, every margin solves
//! s(-m) = lambda m by itself, whatever the features: nothing starves. Where the penalty is coefficient * mean yhat^2 beside
//! a mean loss, lambda = 2 coefficient.

use crate::study::StudyError;

/// s(-m) = 1 / (1 + e^m)
pub fn slope(m: f64) -> f64 {
    1.0 / (1.0 + m.exp())
}

/// The root of a decreasing function between `low`, where it is positive, and `high`: bisected to the last bit.
fn root(mut low: f64, mut high: f64, f: impl Fn(f64) -> f64) -> f64 {
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return middle;
        }
        if f(middle) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// The margin of spectral decoupling, s(-m) = lambda m, for lambda > 0.
pub fn decoupled_margin(lambda: f64) -> f64 {
    // s(-m) <= 1/2, so m <= 1 / (2 lambda).
    root(0.0, 0.5 / lambda, |m| slope(m) - lambda * m)
}

/// The same around a centre of the margins, s(-m) = lambda (m - c): the penalty pulls towards c, the loss beyond it.
pub fn decoupled_margin_around(centre: f64, lambda: f64) -> f64 {
    root(centre, centre + 1.0 / lambda, |m| slope(m) - lambda * (m - centre))
}

/// The logit of an example whose label is right with probability p in [1/2, 1]: p s(-m) - (1 - p) s(m) = lambda m.
pub fn decoupled_margin_with_noise(p: f64, lambda: f64) -> f64 {
    root(0.0, 0.5 / lambda, |m| p * slope(m) - (1.0 - p) * slope(-m) - lambda * m)
}

/// z of an uncoupled feature of strength s under weight decay: s^2 s(-z) = lambda z.
pub fn uncoupled(strength: f64, lambda: f64) -> f64 {
    decoupled_margin(lambda / (strength * strength))
}

/// Lambert's W of x > 0: W e^W = x.
pub fn lambert_w(x: f64) -> f64 {
    // W <= ln(1 + x); in the form W + ln W = ln x nothing overflows.
    root(0.0, x.ln_1p(), |w| x.ln() - w - w.ln())
}

/// The toy of two features: U = [[cos, -sin], [sin, cos]], S = diag(s_1, s_2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Toy {
    /// The sine of U's angle, in [0, 1).
    pub sine: f64,
    /// S
    pub strengths: [f64; 2],
}

impl Toy {
    fn cosine(&self) -> f64 {
        (1.0 - self.sine * self.sine).sqrt()
    }

    /// U S, `[2, 2]`: the rows are examples with label +1 (V = 1).
    pub fn features(&self) -> [f64; 4] {
        let ([a, b], c) = (self.strengths, self.cosine());
        [c * a, -self.sine * b, self.sine * a, c * b]
    }

    /// z = U^T m.
    pub fn rotated(&self, m: [f64; 2]) -> [f64; 2] {
        let c = self.cosine();
        [c * m[0] + self.sine * m[1], c * m[1] - self.sine * m[0]]
    }

    /// z at the fixed point of the loss with weight decay, by Newton's method on m = K a(m) / lambda with K = U S^2 U^T.
    ///
    /// # Errors
    /// [`StudyError::Theory`] if it does not converge.
    pub fn decayed(&self, lambda: f64) -> Result<[f64; 2], StudyError> {
        let f = self.features();
        let kernel = |i: usize, j: usize| (f[2 * i] * f[2 * j] + f[2 * i + 1] * f[2 * j + 1]) / lambda;
        let mut m = [1.0, 1.0];
        for _ in 0..200 {
            let a = m.map(slope);
            let residual = [0, 1].map(|i| m[i] - kernel(i, 0) * a[0] - kernel(i, 1) * a[1]);
            // a' = -a (1 - a), so the Jacobian 1 + K a (1 - a) has a determinant above 1.
            let d = a.map(|a| a * (1.0 - a));
            let jacobian = |i: usize, j: usize| f64::from(u8::from(i == j)) + kernel(i, j) * d[j];
            let determinant = jacobian(0, 0) * jacobian(1, 1) - jacobian(0, 1) * jacobian(1, 0);
            let step = [
                (jacobian(1, 1) * residual[0] - jacobian(0, 1) * residual[1]) / determinant,
                (jacobian(0, 0) * residual[1] - jacobian(1, 0) * residual[0]) / determinant,
            ];
            // Long steps from far away are cut, so that the exponentials keep their slope.
            let longest = step[0].abs().max(step[1].abs());
            let cut = (1.0 / longest).min(1.0);
            m = [m[0] - cut * step[0], m[1] - cut * step[1]];
            if longest < 1e-13 {
                return Ok(self.rotated(m));
            }
        }
        Err(StudyError::Theory {
            detail: format!("no fixed point of {self:?} with weight decay {lambda}"),
        })
    }

    /// z at the fixed point of spectral decoupling.
    pub fn decoupled(&self, lambda: f64) -> [f64; 2] {
        let m = decoupled_margin(lambda);
        self.rotated([m, m])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C-T1, the theory's half: the note's fixed points to their four places.
    #[test]
    fn fixed_points_of_the_note() {
        let known = [
            (2.0, [6.1204, 1.6400]),
            (3.0, [7.0681, 1.5831]),
            (4.0, [7.8120, 1.4668]),
            (5.0, [8.4652, 1.3290]),
            (6.0, [9.0710, 1.1853]),
        ];
        let mut last = f64::INFINITY;
        for (strength, want) in known {
            let toy = Toy {
                sine: 0.5,
                strengths: [strength, 2.0],
            };
            let got = toy.decayed(0.01).unwrap();
            for (got, want) in got.into_iter().zip(want) {
                assert!((got - want).abs() <= 6e-5, "{strength}: {got} {want}");
            }
            assert!(got[1] < last, "{strength}");
            last = got[1];
            let free = toy.decoupled(2e-3);
            assert!(
                (free[0] - 6.3727).abs() <= 6e-5 && (free[1] - 1.7076).abs() <= 6e-5,
                "{free:?}"
            );
        }
    }

    /// C-T3: Lambert's W within 1 % of the exact fixed point where s^2 / lambda >= 100, and the note's numbers.
    #[test]
    fn lambert_is_close_to_an_uncoupled_feature() {
        let known = [
            (1.0, 3.3593, 3.3856),
            (2.0, 4.4805, 4.4897),
            (4.0, 5.6437, 5.6467),
            (8.0, 6.8402, 6.8411),
        ];
        for (strength, exact, approximate) in known {
            assert!((uncoupled(strength, 0.01) - exact).abs() <= 6e-5, "{strength}");
            assert!(
                (lambert_w(strength * strength / 0.01) - approximate).abs() <= 6e-5,
                "{strength}"
            );
        }
        for n in 0..60 {
            let x = 100.0 * 1.5f64.powi(n);
            let (exact, approximate) = (uncoupled(x.sqrt(), 1.0), lambert_w(x));
            assert!((approximate / exact - 1.0).abs() <= 0.01, "{x}: {exact} {approximate}");
        }
    }

    #[test]
    fn margins_of_the_note() {
        assert!((decoupled_margin(0.006) - 3.7669).abs() <= 6e-5);
        assert!((decoupled_margin(0.2) - 1.1775).abs() <= 6e-5);
        for (p, m) in [(0.75, 0.1111), (0.9, 0.1778), (1.0, 0.2223)] {
            assert!((decoupled_margin_with_noise(p, 2.0) - m).abs() <= 6e-5, "{p}");
        }
    }
}
