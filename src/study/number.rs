//! Means with their spread, and how numbers are written for people.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// Mean and standard deviation of the finite values of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct Spread {
    /// How many finite values there were.
    pub count: usize,
    /// Their mean; `None` if there were none.
    pub mean: Option<f64>,
    /// Their unbiased (n - 1) standard deviation; `None` if there were fewer than two.
    pub sd: Option<f64>,
}

impl Spread {
    /// Two passes: the mean, then the squared deviations from it. Values that are not finite do not count.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        let count = values.len();
        let n = count as f64;
        let mean = (count > 0).then(|| values.iter().sum::<f64>() / n);
        let sd = mean.filter(|_| count > 1).map(|mean| {
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            (squares / (n - 1.0)).sqrt()
        });
        Self { count, mean, sd }
    }

    /// The standard error of the mean, sd / sqrt(n).
    pub fn standard_error(&self) -> Option<f64> {
        self.sd.map(|sd| sd / (self.count as f64).sqrt())
    }

    /// Half the width of the 95 % confidence interval of the mean, t(n - 1) sd / sqrt(n) with [`student`]'s t.
    pub fn half_width(&self) -> Option<f64> {
        Some(student(self.count as f64 - 1.0) * self.standard_error()?)
    }

    /// The 95 % confidence interval of the mean.
    pub fn interval(&self) -> Option<(f64, f64)> {
        let (mean, half) = self.mean.zip(self.half_width())?;
        Some((mean - half, mean + half))
    }

    /// The mean alone, to the place to which [`Self::plus_minus`] writes it.
    pub fn mean_only(&self) -> String {
        let text = self.plus_minus();
        text.split_once(" ± ").map_or(text.clone(), |(mean, _)| mean.to_owned())
    }

    /// `0.0895 ± 0.0019`: the standard deviation to two significant digits, the mean to the same place. Without a
    /// deviation the mean alone, to four significant digits; without a mean a dash.
    pub fn plus_minus(&self) -> String {
        match (self.mean, self.sd) {
            (None, _) => DASH.to_owned(),
            (Some(mean), Some(sd)) if sd > 0.0 && sd.is_finite() => {
                let places = places_for(sd, 2);
                format!("{mean:.places$} ± {sd:.places$}")
            }
            (Some(mean), _) => significant(mean, 4),
        }
    }
}

/// The 97.5 % quantile of Student's distribution: 12.71 for one degree of freedom, 2.13 for 15, 1.96 for many.
pub fn student(freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::INFINITY, |t| t.inverse_cdf(0.975))
}

/// Stands where there is no number.
pub const DASH: &str = "–";

/// How many places after the point show `digits` significant digits of `value`; never fewer than none.
fn places_for(value: f64, digits: i32) -> usize {
    // `{:e}` has rounded already, so that 0.0999 counts as 0.10.
    let scientific = format!("{:.*e}", usize::try_from(digits - 1).unwrap_or(0), value.abs());
    let exponent: i32 = scientific
        .split_once('e')
        .and_then(|(_, e)| e.parse().ok())
        .unwrap_or(0);
    usize::try_from(digits - 1 - exponent).unwrap_or(0).min(12)
}

/// A number to `digits` significant digits, without trailing zeros after the point; a dash if it is not finite.
/// Beyond 1e-5 and 1e9 in scientific notation.
pub fn significant(value: f64, digits: i32) -> String {
    if !value.is_finite() {
        return DASH.to_owned();
    }
    if value != 0.0 && !(1e-5..1e9).contains(&value.abs()) {
        return format!("{value:.*e}", usize::try_from(digits - 1).unwrap_or(0));
    }
    let text = format!("{value:.*}", places_for(value, digits));
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A duration as people say it: `0.42 s`, `12.3 s`, `4 min 05 s`, `2 h 03 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return DASH.to_owned();
    }
    if seconds < 60.0 {
        return format!("{} s", significant(seconds, 3));
    }
    let whole = seconds.round() as u64;
    if whole < 3600 {
        format!("{} min {:02} s", whole / 60, whole % 60)
    } else {
        format!("{} h {:02} min", whole / 3600, whole % 3600 / 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_unbiased_and_needs_two_values() {
        // Mean 5 and squared deviations 9 + 1 + 1 + 9: all exact in binary; the root of 20 / 3 is one rounding away.
        let spread = Spread::of([2.0, 4.0, 6.0, 8.0, f64::NAN, f64::INFINITY]);
        assert_eq!(
            (spread.count, spread.mean, spread.sd),
            (4, Some(5.0), Some((20.0f64 / 3.0).sqrt()))
        );
        assert_eq!(
            Spread::of([3.0]),
            Spread {
                count: 1,
                mean: Some(3.0),
                sd: None
            }
        );
        assert_eq!(
            Spread::of([]),
            Spread {
                count: 0,
                mean: None,
                sd: None
            }
        );
    }

    #[test]
    fn means_are_written_to_the_place_of_their_deviation() {
        let text = |mean, sd| {
            Spread {
                count: 9,
                mean: Some(mean),
                sd,
            }
            .plus_minus()
        };
        assert_eq!(text(0.08951, Some(0.00191)), "0.0895 ± 0.0019");
        assert_eq!(text(84.04, Some(7.21)), "84.0 ± 7.2");
        assert_eq!(text(730.4, Some(18.6)), "730 ± 19");
        assert_eq!(text(730.4, Some(186.0)), "730 ± 186");
        assert_eq!(text(1.0, Some(0.0999)), "1.00 ± 0.10");
        assert_eq!(text(0.5, Some(0.0)), "0.5");
        assert_eq!(text(0.123456, None), "0.1235");
        assert_eq!(Spread::of([]).plus_minus(), "–");
        assert_eq!(
            Spread {
                count: 9,
                mean: Some(84.04),
                sd: Some(7.21)
            }
            .mean_only(),
            "84.0"
        );
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(significant(0.0895, 3), "0.0895");
        assert_eq!(significant(0.9996, 3), "1");
        assert_eq!(significant(120.0, 2), "120");
        assert_eq!(significant(3.2e-9, 2), "3.2e-9");
        assert_eq!(significant(f64::NAN, 2), "–");
        assert_eq!(duration(12.34), "12.3 s");
        assert_eq!(duration(59.99), "60 s");
        assert_eq!(duration(245.0), "4 min 05 s");
        assert_eq!(duration(7380.0), "2 h 03 min");
    }
}
