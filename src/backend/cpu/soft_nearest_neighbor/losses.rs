//! The loss of each row: sums of exponentials relative to references that move.
//!
//! A reference m moves when a term is more than twice it, by a power in f64. So no sum overflows, and what vanishes is less than
//! 2^-126 of a sum.

use super::super::isa::Isa;
use super::super::simd::{Simd, Vectorized, dispatch};
use super::{Group, Lanes, MOST_LANES, Points, powers, stride};

/// A reference moves for terms above 2^SLACK of it.
const SLACK: f64 = 1.0;

/// Loss, count and slopes of the rows from `first` on, as many as `y` has, with [`room`].
pub(in crate::backend::cpu) fn losses(
    isa: Isa,
    points: Points,
    first: usize,
    (y, counts, slopes): (&mut [f32], &mut [f32], &mut [f64]),
    room: &mut [f64],
) {
    dispatch(
        isa,
        Losses {
            points,
            first,
            y,
            counts,
            slopes,
            room,
        },
    );
}

struct Losses<'a> {
    points: Points<'a>,
    first: usize,
    y: &'a mut [f32],
    counts: &'a mut [f32],
    slopes: &'a mut [f64],
    room: &'a mut [f64],
}

/// Sums of exponentials of a lane, relative to a reference: those of the row's own class and of the others.
struct Sums {
    near: [Lanes<f64>; 2],
    sums: [Lanes<f64>; 2],
}

impl Vectorized for Losses<'_> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (points, copies) = (self.points, self.points.x.copies);
        let rows = self.y.len() / copies;
        let (own, partners) = self.room.split_at_mut(MOST_LANES * stride(points.x.cols));
        for (r, start) in (0..copies).flat_map(|r| (0..rows).step_by(S::LANES).map(move |start| (r, start))) {
            let lanes = (rows - start).min(S::LANES);
            let first = self.first + start;
            let mut group = Group::new::<S>(points, r, first..first + lanes, own, partners);
            // SAFETY: the instruction set is the caller's promise.
            let found = unsafe { row_losses::<S>(&mut group) };
            for (l, (loss, counts, slopes)) in found.into_iter().enumerate().take(lanes) {
                let n = (start + l) * copies + r;
                (self.y[n], self.counts[n]) = (loss as f32, counts);
                self.slopes[4 * n..4 * n + 4].copy_from_slice(&slopes);
            }
        }
    }
}

/// Loss, count and slopes of each row of a group.
///
/// # Safety
/// The processor has the instruction set of `S`.
#[inline(always)]
unsafe fn row_losses<S: Simd>(group: &mut Group) -> Lanes<(f64, f32, [f64; 4])> {
    let scale = group.points.scale();
    let mut sums = Sums {
        near: [[f64::MAX; MOST_LANES]; 2],
        sums: [[0.0; MOST_LANES]; 2],
    };
    // Sums of all squared distances, which show what is no number; rows of the own class, the row itself among them; all rows.
    let (mut totals, mut own, mut all) = ([0.0; MOST_LANES], [0u32; MOST_LANES], 0u32);
    let mut next = 0;
    while next < group.points.x.rows() {
        // SAFETY: the caller's promise.
        let (mut met, after) = unsafe { group.meet::<S>(next) };
        next = after;
        for (&j, squared) in met.rows.iter().zip(&mut met.squared).take(met.count) {
            let same = group.of_class(j);
            all += 1;
            for l in 0..S::LANES {
                totals[l] += squared[l];
                own[l] += u32::from(same[l]);
            }
            if group.rows.contains(&j) {
                squared[j - group.rows.start] = f64::INFINITY;
            }
            // SAFETY: the caller's promise.
            unsafe { sums.add::<S>(squared, &same, scale) };
        }
    }
    let temperature = group.points.temperature;
    std::array::from_fn(|l| {
        if l >= group.rows.len() || !group.points.present(group.rows.start + l, group.replica) {
            return (0.0, 0.0, [0.0; 4]);
        }
        let no_number = 0.0 * totals[l];
        if own[l] < 2 {
            return (no_number, 0.0, [0.0; 4]);
        }
        if own[l] == all {
            return (no_number, 1.0, [0.0; 4]);
        }
        let ([m, n], [s, o]) = (sums.near.map(|near| near[l]), sums.sums.map(|sum| sum[l]));
        // z = log O - log S; the loss is log(1 + e^z), and h = 1 / (1 + e^-z).
        let z = (m - n) / temperature + libm::log(o / s);
        let small = libm::exp(-z.abs());
        let loss = z.max(0.0) + libm::log1p(small);
        let h = if z < 0.0 { small } else { 1.0 } / (1.0 + small);
        (loss + no_number, 1.0, [m, h / s, n, h / o].map(|v| v + no_number))
    })
}

impl Sums {
    /// Adds a partner.
    ///
    /// # Safety
    /// The processor has the instruction set of `S`.
    #[inline(always)]
    unsafe fn add<S: Simd>(&mut self, squared: &Lanes<f64>, same: &Lanes<bool>, scale: f64) {
        let [own, other] = &mut self.near;
        let mut exponents = [0.0; MOST_LANES];
        let mut moves = false;
        for l in 0..S::LANES {
            exponents[l] = (if same[l] { own[l] } else { other[l] } - squared[l]) * scale;
            moves |= exponents[l] > SLACK;
        }
        if moves {
            for (l, exponent) in exponents.iter_mut().enumerate().take(S::LANES) {
                if *exponent > SLACK {
                    let place = usize::from(!same[l]);
                    self.sums[place][l] *= libm::exp2(-*exponent);
                    self.near[place][l] = squared[l];
                    *exponent = 0.0;
                }
            }
        }
        // SAFETY: the caller's promise.
        let powers = unsafe { powers::<S>(&exponents) };
        let [own, other] = &mut self.sums;
        for l in 0..S::LANES {
            own[l] += if same[l] { powers[l] } else { 0.0 };
            other[l] += if same[l] { 0.0 } else { powers[l] };
        }
    }
}
