//! Values as bytes: pixels are whole numbers up to 255, and standardising them is affine.
//!
//! ```text
//! x_ij = (p_ij - m_j) / sd_j      so      r_ij = x_ij - c_j = k_ij s_j,      k_ij = 1 ... 255, or 0 where x_ij = c_j
//! ```
//!
//! The scale s_j goes into the table of the weights (forward: `s_j w_uj`) and onto the sum (gradient: `s_j sum_i dz_iu k_ij`),
//! and of the samples k is left, a byte where r is four: a network alone waits for memory more than for products. Whether samples are of
//! this kind is found out from the numbers: s_j is the greatest common divisor of a column's r by Euclid's algorithm, up to the roundings
//! of the standardising, and every `|r - k s|` must be below 2^-30 |r|, a sixty-fourth of the rounding of r to f32 that it
//! replaces. If one r of all is not, all values stay f32 and every s_j is 1.

use std::ops::Range;

use super::super::isa::Isa;
use super::super::math::vectorize;
use super::grouping::GROUP;

/// Largest code.
const MOST: f64 = 255.0;

/// What `|r - k s|` may be, as a share of |r|.
const EXACT: f64 = 1.0 / (1u64 << 30) as f64;

/// The values of groups of lists: one for each list of the group.
pub(super) enum Values {
    Codes(Vec<[u8; GROUP]>),
    Numbers(Vec<[f32; GROUP]>),
}

impl Values {
    /// Of entries that are codes or any numbers.
    pub fn new(codes: bool, entries: impl Iterator<Item = [f64; GROUP]>) -> Values {
        if codes {
            Values::Codes(entries.map(|entry| entry.map(|k| k as u8)).collect())
        } else {
            Values::Numbers(entries.map(|entry| entry.map(|r| r as f32)).collect())
        }
    }

    /// Some entries as the kernel reads them; `room` is for at least as many.
    pub fn decode<'a>(&'a self, isa: Isa, entries: Range<usize>, room: &'a mut [[f32; GROUP]]) -> &'a [[f32; GROUP]] {
        match self {
            Values::Codes(codes) => {
                let codes = &codes[entries];
                let room = &mut room[..codes.len()];
                vectorize(
                    isa,
                    #[inline(always)]
                    || {
                        let each = room.as_flattened_mut().iter_mut().zip(codes.as_flattened());
                        each.for_each(|(number, &code)| *number = f32::from(code));
                    },
                );
                room
            }
            Values::Numbers(numbers) => &numbers[entries],
        }
    }
}

/// s of every column of samples `[rows, cols]`, if every number that is not c is c and a code times s; 1 where all are c.
pub(super) fn scales(values: &[f64], offsets: &[f64]) -> Option<Vec<f64>> {
    let mut scales = vec![0.0; offsets.len()];
    let rows = || values.chunks_exact(offsets.len());
    let kept = |x: &f64, c: &f64| (x != c).then_some(x - c);
    for row in rows() {
        for ((x, c), scale) in row.iter().zip(offsets).zip(&mut scales) {
            let Some(r) = kept(x, c).filter(|&r| !is_code(r, *scale)) else {
                continue;
            };
            let k = (r / common_divisor(*scale, r)).round();
            // Euclid's remainders have the roundings of larger numbers; r has its own.
            *scale = r / k;
            if !is_code(r, *scale) {
                return None;
            }
        }
    }
    let all = |row: &[f64]| {
        let mut columns = row.iter().zip(offsets).zip(&scales);
        columns.all(|((x, c), scale)| kept(x, c).is_none_or(|r| is_code(r, *scale)))
    };
    rows().all(all).then(|| {
        scales
            .iter()
            .map(|&scale| if scale == 0.0 { 1.0 } else { scale })
            .collect()
    })
}

/// Whether r is a code times the scale; NaN is not.
fn is_code(r: f64, scale: f64) -> bool {
    let k = (r / scale).round();
    (1.0..=MOST).contains(&k) && (r - k * scale).abs() <= EXACT * r.abs()
}

/// With the sign of r. What is below a part in 2^30 of them is a rounding.
fn common_divisor(scale: f64, r: f64) -> f64 {
    let least = EXACT * scale.abs().max(r.abs());
    let (mut a, mut b) = (r.abs(), scale.abs());
    while b > least {
        (a, b) = (b, (a - b * (a / b).round()).abs());
    }
    a.copysign(r)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Standardised bytes: three columns with other means and deviations, one of them mostly 255, and one that is always 9.
    fn samples() -> (Vec<f64>, [f64; 4]) {
        let pixel = |i: u32, j: usize| match j {
            0 => f64::from([0, 17, 0, 255, 0, 3][i as usize % 6]),
            1 => f64::from([255, 255, 0, 255, 254][i as usize % 5]),
            // Neither a step alone nor a difference of two neighbours.
            2 => f64::from([0, 6, 0, 10, 0, 15][i as usize % 6]),
            _ => 9.0,
        };
        let affine = [(33.4, 78.9), (190.0, 1e-3), (0.1307, 0.3081), (9.0, 1.0)];
        let of = |i: u32| (0..4).map(move |j| (pixel(i, j) - affine[j].0) / affine[j].1);
        let commonest = [0.0, 255.0, 0.0, 9.0];
        (
            (0..60).flat_map(of).collect(),
            std::array::from_fn(|j| (commonest[j] - affine[j].0) / affine[j].1),
        )
    }

    #[test]
    fn standardised_bytes_have_their_deviations_as_scales() {
        let (values, offsets) = samples();
        let scales = scales(&values, &offsets).unwrap();
        for (scale, exact) in scales.iter().zip([1.0 / 78.9, -1.0 / 1e-3, 1.0 / 0.3081, 1.0]) {
            // Two roundings of numbers up to 255 times larger, as a share of the scale.
            assert!(
                (scale - exact).abs() <= 2.0 * 255.0 * f64::EPSILON * f64::abs(exact),
                "{scale}, not {exact}"
            );
        }
    }

    #[test]
    fn other_numbers_are_no_codes() {
        let (values, offsets) = samples();
        let with = |index: usize, value: f64| {
            let mut values = values.clone();
            values[index] = value;
            scales(&values, &offsets)
        };
        // Another sign than the column's others, more than 255 steps, a broken step, and what is no number.
        assert!(with(0, offsets[0] + 1.0 / 78.9).is_some());
        for r in [-1.0, 256.0, 3.001, f64::NAN, f64::INFINITY] {
            assert!(with(0, offsets[0] + r / 78.9).is_none(), "{r}");
        }
        // Of a scale that is found late, the first number was too many.
        assert!(scales(&[0.0, 0.0, 51.0, 0.0, 52.0, 0.25], &[0.0]).is_some());
        assert!(scales(&[0.0, 0.0, 51.0, 0.0, 64.0, 0.25], &[0.0]).is_none());
    }

    #[test]
    fn entries_are_decoded() {
        let entries = || (0..70u32).map(|e| std::array::from_fn(|q| f64::from((e * 31 + q as u32 * 77) % 256)));
        for codes in [true, false] {
            let values = Values::new(codes, entries());
            for isa in Isa::available() {
                for range in [0..70, 1..2, 6..69, 70..70, 67..70] {
                    let mut room = [[f32::NAN; GROUP]; 70];
                    let decoded = values.decode(isa, range.clone(), &mut room);
                    assert!(
                        decoded
                            .iter()
                            .map(|entry| entry.map(f64::from))
                            .eq(entries().take(range.end).skip(range.start))
                    );
                }
            }
        }
    }
}
