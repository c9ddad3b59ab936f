//! Axes: how a quantity is laid along one, and where its ticks are.

/// How values are laid along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// In proportion.
    Linear,
    /// By their decimal logarithm.
    Log,
    /// By their decimal logarithm, decreasing: the training error, so that time runs from left to right.
    LogReversed,
}

/// Beyond this a value is treated as not finite, so that no difference of two overflows.
const LARGEST: f64 = 1e150;

impl Scale {
    /// Position of a value along the axis; `None` if it has none (not finite, or not positive on a logarithmic axis).
    pub fn position(self, value: f64) -> Option<f64> {
        let position = match self {
            Self::Linear => value,
            Self::Log => value.log10(),
            Self::LogReversed => -value.log10(),
        };
        (position.abs() < LARGEST).then_some(position)
    }
}

/// A tick: its position along the axis and its label.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// As [`Scale::position`].
    pub position: f64,
    /// The value, for people.
    pub label: String,
}

/// At most about `wanted` ticks at round values between two positions, `low < high`.
pub fn ticks(scale: Scale, low: f64, high: f64, wanted: usize) -> Vec<Tick> {
    match scale {
        Scale::Linear => linear(low, high, wanted),
        Scale::Log => logarithmic(scale, low, high, wanted),
        Scale::LogReversed => logarithmic(scale, -high, -low, wanted),
    }
}

/// Multiples of 1, 2 or 5 times a power of ten.
fn linear(low: f64, high: f64, wanted: usize) -> Vec<Tick> {
    let Some((step, places)) = round_step(high - low, wanted) else {
        return Vec::new();
    };
    // At most 50 ticks whatever the rounding of the bounds.
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    let count = ((last - first).clamp(-1.0, 49.0) + 1.0) as usize;
    (0..count)
        .map(|index| {
            // `+ 0.0` turns a negative zero into zero.
            let position = (first + index as f64) * step + 0.0;
            Tick {
                position,
                label: label(position, places),
            }
        })
        .collect()
}

/// The smallest of 1, 2, 5 times a power of ten that divides `span` into at most `wanted` steps, and the places after
/// the point that its multiples need.
fn round_step(span: f64, wanted: usize) -> Option<(f64, usize)> {
    let rough = span / wanted.max(1) as f64;
    if !(1e-300..LARGEST).contains(&rough) {
        return None;
    }
    let exponent = rough.log10().floor();
    let unit = 10f64.powf(exponent);
    let factor = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|factor| factor * unit >= rough)
        .unwrap_or(10.0);
    let places = if factor == 10.0 { -exponent - 1.0 } else { -exponent };
    Some((factor * unit, places.max(0.0) as usize))
}

/// The densest of three patterns that has at most `wanted` ticks; if it has fewer than three, round values instead.
/// `low` and `high` are decimal logarithms.
fn logarithmic(scale: Scale, low: f64, high: f64, wanted: usize) -> Vec<Tick> {
    let patterns: [&[f64]; 3] = [&[1.0, 2.0, 3.0, 5.0, 7.0], &[1.0, 2.0, 5.0], &[1.0]];
    let (first, last) = (low.floor().max(-300.0) as i32, high.floor().min(300.0) as i32);
    for pattern in patterns {
        let values: Vec<(f64, usize)> = (first..=last)
            .flat_map(|exponent| {
                let places = usize::try_from(-exponent).unwrap_or(0);
                pattern
                    .iter()
                    .map(move |factor| (factor * 10f64.powi(exponent), places))
            })
            .filter(|(value, _)| (low - 1e-9..=high + 1e-9).contains(&value.log10()))
            .collect();
        if values.len() < 3 {
            break;
        }
        if values.len() <= wanted {
            return place(scale, &values);
        }
    }
    if high - low > 2.0 {
        // Many decades: every so many of them.
        let every = (((high - low) / wanted.max(1) as f64).ceil() as i32).max(1);
        let decades: Vec<(f64, usize)> = (first..=last)
            .filter(|exponent| exponent.rem_euclid(every) == 0 && f64::from(*exponent) >= low - 1e-9)
            .map(|exponent| (10f64.powi(exponent), usize::try_from(-exponent).unwrap_or(0)))
            .collect();
        return place(scale, &decades);
    }
    let (smallest, largest) = (10f64.powf(low), 10f64.powf(high));
    let Some((step, places)) = round_step(largest - smallest, wanted) else {
        return Vec::new();
    };
    let (first, last) = (
        (smallest / step - 1e-9).ceil() as i64,
        (largest / step + 1e-9).floor() as i64,
    );
    let values: Vec<(f64, usize)> = (first..=last)
        .take(50)
        .map(|index| (index as f64 * step, places))
        .filter(|(value, _)| *value > 0.0)
        .collect();
    place(scale, &values)
}

fn place(scale: Scale, values: &[(f64, usize)]) -> Vec<Tick> {
    values
        .iter()
        .filter_map(|&(value, places)| {
            scale.position(value).map(|position| Tick {
                position,
                label: label(value, places),
            })
        })
        .collect()
}

fn label(value: f64, places: usize) -> String {
    if value != 0.0 && !(1e-4..1e6).contains(&value.abs()) {
        // Two digits are enough for a round value and hide the rounding of its product.
        let text = format!("{value:.1e}");
        return text.replace(".0e", "e").replace('-', "\u{2212}");
    }
    format!("{value:.places$}").replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale, low: f64, high: f64) -> Vec<String> {
        ticks(scale, low, high, 7).into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn linear_ticks_are_round() {
        assert_eq!(
            labels(Scale::Linear, 0.0, 500.0),
            ["0", "100", "200", "300", "400", "500"]
        );
        assert_eq!(
            labels(Scale::Linear, 0.73, 0.99),
            ["0.75", "0.80", "0.85", "0.90", "0.95"]
        );
        assert_eq!(labels(Scale::Linear, -0.2, 0.2), ["−0.2", "−0.1", "0.0", "0.1", "0.2"]);
        assert!(labels(Scale::Linear, 1.0, 1.0).is_empty());
        assert!(labels(Scale::Linear, 0.0, f64::INFINITY).is_empty());
    }

    #[test]
    fn training_errors_decrease_along_their_axis() {
        let (low, high) = (-(0.5f64.log10()), -(0.026f64.log10()));
        let ticks = ticks(Scale::LogReversed, low, high, 7);
        let labels: Vec<&str> = ticks.iter().map(|tick| tick.label.as_str()).collect();
        assert_eq!(labels, ["0.03", "0.05", "0.07", "0.1", "0.2", "0.3", "0.5"]);
        assert!(ticks.windows(2).all(|pair| pair[0].position > pair[1].position));
        assert!(ticks.iter().all(|tick| (low..=high).contains(&tick.position)));
    }

    #[test]
    fn narrow_and_wide_logarithmic_ranges_have_ticks_too() {
        let narrow = labels(Scale::Log, 0.033f64.log10(), 0.0412f64.log10());
        assert_eq!(narrow, ["0.034", "0.036", "0.038", "0.040"]);
        let wide = labels(Scale::Log, -20.0, 2.0);
        assert!((3..=8).contains(&wide.len()), "{wide:?}");
        for (low, high) in [(0.0, 0.0), (-300.0, 300.0), (-1e-12, 1e-12), (5.0, 4.0)] {
            assert!(ticks(Scale::Log, low, high, 7).len() <= 60);
        }
    }
}
