//! Errors in units in the last place of f32.

/// Steps of the histogram per doubling, as bits of a fraction.
const BITS: u32 = 4;
/// Bits of a positive f32 that choose a bin: the exponent's 8 and [`BITS`] of the fraction.
const BINS: usize = 1 << (8 + BITS);

/// Errors |got - exact| / ulp(exact), where ulp is the distance of neighbouring f32 at the exact value. All of them are
/// counted in bins of a sixteenth of a doubling, so quantiles are known to 7 %; the largest is known exactly.
#[derive(Clone, Debug)]
pub struct Ulps {
    counts: Vec<u64>,
    total: u64,
    worst: f64,
}

impl Default for Ulps {
    fn default() -> Ulps {
        Ulps {
            counts: vec![0; BINS],
            total: 0,
            worst: 0.0,
        }
    }
}

/// The distance of neighbouring f32 at x, at least the smallest f32 above 0.
fn ulp(x: f64) -> f64 {
    let size = x.abs();
    if size < f64::from(f32::MIN_POSITIVE) {
        return 2f64.powi(-149);
    }
    // An f64's exponent is that of the f32 below it.
    let exponent = (size.to_bits() >> 52) as i32 - 1023;
    2f64.powi(exponent.min(127) - 23)
}

impl Ulps {
    /// Counts one number, and returns its error. What is not finite on either side counts as infinitely wrong unless both are equal.
    pub fn add(&mut self, got: f64, exact: f64) -> f64 {
        let error = if got == exact {
            0.0
        } else {
            (got - exact).abs() / ulp(exact)
        };
        let error = if error.is_nan() { f64::INFINITY } else { error };
        self.counts[((error as f32).to_bits() >> (23 - BITS)) as usize] += 1;
        self.total += 1;
        self.worst = self.worst.max(error);
        error
    }

    /// Counts what another has counted.
    pub fn merge(&mut self, other: &Ulps) {
        self.counts
            .iter_mut()
            .zip(&other.counts)
            .for_each(|(own, other)| *own += other);
        self.total += other.total;
        self.worst = self.worst.max(other.worst);
    }

    /// The largest error.
    pub fn worst(&self) -> f64 {
        self.worst
    }

    /// The error that a share `q` of all numbers does not exceed: the upper end of its bin, and no more than the largest.
    pub fn quantile(&self, q: f64) -> f64 {
        let rank = (q * self.total as f64).ceil().max(1.0) as u64;
        let mut below = 0;
        for (bin, count) in self.counts.iter().enumerate() {
            below += count;
            if below >= rank {
                let end = match bin {
                    0 => 0.0,
                    _ => f64::from(f32::from_bits(((bin as u32) + 1) << (23 - BITS))),
                };
                return end.min(self.worst);
            }
        }
        self.worst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_f32() {
        for x in [1.0f32, 1.5, 2.0, 3.1e-20, 7e37, 1e-40, 0.0] {
            let next = f32::from_bits(x.to_bits() + 1);
            assert_eq!(ulp(f64::from(x)), f64::from(next) - f64::from(x), "{x}");
        }
        assert_eq!(ulp(-1.0), ulp(1.0));
    }

    #[test]
    fn quantiles_of_known_errors() {
        let mut ulps = Ulps::default();
        // 1,000 errors of 0.001, 0.002, ..., 1 steps.
        for n in 1..=1000 {
            ulps.add(1.0 + f64::from(n) / 1000.0 * ulp(1.0), 1.0);
        }
        for q in [0.1, 0.5, 0.999] {
            let found = ulps.quantile(q);
            assert!(found >= q && found <= q * 1.07, "{q}: {found}");
        }
        assert_eq!(ulps.worst(), ulps.quantile(1.0));
        ulps.add(f64::NAN, 1.0);
        assert_eq!(ulps.worst(), f64::INFINITY);
        let mut equal = Ulps::default();
        equal.add(f64::INFINITY, f64::INFINITY);
        assert_eq!(equal.worst(), 0.0);
    }
}
