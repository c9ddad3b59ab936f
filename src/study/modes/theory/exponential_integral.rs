//! The exponential integral Ei(x) = pv int_-inf^x e^s / s ds for x > 0 (Abramowitz and Stegun 5.1).
//!
//! Up to 40 by its series, gamma + ln x + sum_k x^k / (k k!), whose terms are all positive; above by the asymptotic series
//! e^x / x sum_k k! / x^k, cut at its smallest term, which is below e^-40 of the sum.

/// Euler's constant.
const GAMMA: f64 = 0.577_215_664_901_532_9;
/// Where the series change over.
const LARGE: f64 = 40.0;

/// Ei(x); NaN for x <= 0, where this crate has no use for it.
pub fn ei(x: f64) -> f64 {
    if x.is_nan() || x <= 0.0 {
        return f64::NAN;
    }
    if x > LARGE {
        let (mut term, mut sum) = (1.0, 1.0);
        for k in 1..LARGE as u32 {
            let next = term * f64::from(k) / x;
            if next >= term {
                break;
            }
            term = next;
            sum += term;
        }
        return x.exp() / x * sum;
    }
    let (mut power, mut sum) = (1.0, 0.0);
    for k in 1..200u32 {
        let k = f64::from(k);
        power *= x / k;
        let term = power / k;
        sum += term;
        if term < f64::EPSILON * sum {
            break;
        }
    }
    GAMMA + x.ln() + sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_tables() {
        // Abramowitz and Stegun, table 5.1, and mpmath with 30 digits; some 60 roundings of the largest term.
        let known = [
            (1e-6, -13.238_293_893_062_49),
            (0.1, -1.622_812_813_969_276_6),
            (0.5, 0.454_219_904_863_173_6),
            (1.0, 1.895_117_816_355_936_8),
            (5.0, 40.185_275_355_803_18),
            (20.0, 25_615_652.664_056_588),
        ];
        for (x, want) in known {
            assert!((ei(x) - want).abs() <= 1e-13 * want.abs().max(1.0), "{x}: {}", ei(x));
        }
        // The two series meet.
        let (below, above) = (ei(LARGE), ei(LARGE * (1.0 + 1e-15)));
        assert!((above / below - 1.0).abs() < 1e-12, "{below} {above}");
        assert!(ei(0.0).is_nan() && ei(-1.0).is_nan() && ei(f64::NAN).is_nan());
    }
}
