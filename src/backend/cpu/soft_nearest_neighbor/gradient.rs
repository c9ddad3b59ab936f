//! The gradient of the losses: what a row and each partner pull at each other.
//!
//! Its terms are relative to the references of their rows' sums, which the loss has saved.

use super::super::isa::Isa;
use super::super::simd::{Simd, Vectorized, dispatch};
use super::super::tile::Rows;
use super::{Group, MOST_LANES, PARTNERS, Points, powers, stride};
use crate::backend::kernel::Write;

/// dx (=, +=) the gradient of the rows from `first` on, as many as `dx` has, with [`room`].
pub(in crate::backend::cpu) fn gradient(
    isa: Isa,
    points: Points,
    first: usize,
    (slopes, dy): (Rows<f64>, Rows<f32>),
    (dx, write): (&mut [f32], Write),
    room: &mut [f64],
) {
    dispatch(
        isa,
        Gradient {
            points,
            first,
            slopes,
            dy,
            dx,
            write,
            room,
        },
    );
}

struct Gradient<'a> {
    points: Points<'a>,
    first: usize,
    slopes: Rows<'a, f64>,
    dy: Rows<'a, f32>,
    dx: &'a mut [f32],
    write: Write,
    room: &'a mut [f64],
}

impl Vectorized for Gradient<'_> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (points, copies, cols) = (self.points, self.points.x.copies, self.points.x.cols);
        let rows = self.dx.len() / (copies * cols);
        let (own, rest) = self.room.split_at_mut(MOST_LANES * stride(cols));
        let (sums, partners) = rest.split_at_mut(MOST_LANES * stride(cols));
        for (r, start) in (0..copies).flat_map(|r| (0..rows).step_by(S::LANES).map(move |start| (r, start))) {
            let lanes = (rows - start).min(S::LANES);
            let first = self.first + start;
            let mut group = Group::new::<S>(points, r, first..first + lanes, own, partners);
            // SAFETY: the instruction set is the caller's promise.
            unsafe { row_gradients::<S>(&mut group, self.slopes, self.dy, sums) };
            for l in 0..lanes {
                let present = points.present(first + l, r);
                let to = &mut self.dx[((start + l) * copies + r) * cols..][..cols];
                for (to, sum) in to.iter_mut().zip(sums[l..].iter().step_by(S::LANES)) {
                    let value = if present { *sum as f32 } else { 0.0 };
                    match self.write {
                        Write::Set => *to = value,
                        Write::Add => *to += value,
                    }
                }
            }
        }
    }
}

/// The gradients `[cols, lanes]` of the rows of a group go to `sums`.
///
/// # Safety
/// The processor has the instruction set of `S`.
#[inline(always)]
unsafe fn row_gradients<S: Simd>(group: &mut Group, slopes: Rows<f64>, dy: Rows<f32>, sums: &mut [f64]) {
    let (scale, r, cols) = (group.points.scale(), group.replica, group.points.x.cols);
    let stride = stride(cols);
    let factor = 2.0 / group.points.temperature;
    // References, and slopes times dy: of the own class, and of the others.
    let of_row = |i: usize| {
        let (slopes, dy) = (slopes.at(i, r), factor * f64::from(dy.at(i, r)[0]));
        ([slopes[0], slopes[2]], [dy * slopes[1], -dy * slopes[3]])
    };
    let (mut near, mut slope) = ([[0.0; MOST_LANES]; 2], [[0.0; MOST_LANES]; 2]);
    for (l, i) in group.rows.clone().enumerate() {
        let row = of_row(i);
        for place in 0..2 {
            (near[place][l], slope[place][l]) = (row.0[place], row.1[place]);
        }
    }
    sums[..cols * S::LANES].fill(0.0);
    let mut next = 0;
    while next < group.points.x.rows() {
        // SAFETY: the caller's promise.
        let (mut met, after) = unsafe { group.meet::<S>(next) };
        next = after;
        // Places past the last partner weigh nothing.
        let mut weights = [[0.0; MOST_LANES]; PARTNERS];
        let partners = met.rows.iter().zip(&mut met.squared).take(met.count);
        for ((&j, squared), weights) in partners.zip(&mut weights) {
            if group.rows.contains(&j) {
                squared[j - group.rows.start] = f64::INFINITY;
            }
            let (same, of_partner) = (group.of_class(j), of_row(j));
            let (mut from_own, mut from_partner) = ([0.0; MOST_LANES], [0.0; MOST_LANES]);
            for l in 0..S::LANES {
                from_own[l] = (if same[l] { near[0][l] } else { near[1][l] } - squared[l]) * scale;
                from_partner[l] = (if same[l] { of_partner.0[0] } else { of_partner.0[1] } - squared[l]) * scale;
            }
            // SAFETY: the caller's promise.
            let (from_own, from_partner) = unsafe { (powers::<S>(&from_own), powers::<S>(&from_partner)) };
            for l in 0..S::LANES {
                let own = if same[l] { slope[0][l] } else { slope[1][l] };
                let partner = if same[l] { of_partner.1[0] } else { of_partner.1[1] };
                weights[l] = own * from_own[l] + partner * from_partner[l];
            }
        }
        assert!(sums.len() >= cols * S::LANES && group.own.len() >= cols * S::LANES);
        assert!(group.partners.len() >= PARTNERS * stride && cols <= stride);
        // SAFETY: the instruction set is the caller's promise; the lengths were checked.
        unsafe {
            let weights: [S::W; PARTNERS] = std::array::from_fn(|n| S::wide_load(weights[n].as_ptr()));
            for k in 0..cols {
                let x = S::wide_load(group.own.as_ptr().add(k * S::LANES));
                let mut sum = S::wide_load(sums.as_ptr().add(k * S::LANES));
                for (n, weight) in weights.iter().enumerate().take(met.count) {
                    let d = S::wide_add(x, S::wide_splat(*group.partners.as_ptr().add(n * stride + k)));
                    sum = S::wide_add(sum, S::wide_multiply(*weight, d));
                }
                S::wide_store(sums.as_mut_ptr().add(k * S::LANES), sum);
            }
        }
    }
}
