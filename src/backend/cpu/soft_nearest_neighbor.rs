//! The soft nearest neighbour loss of each row of a tile among all rows, and its gradient.
//!
//! Up to sixteen rows of the tile lie in the lanes of a vector, their coordinates transposed once; then come all rows as partners, in their
//! order, four at a time:
//!
//! ```text
//!   own      [cols][lanes]      partners   [4][cols], negated
//!   d^2      [4][lanes]         sums over cols, in f64
//!   e        2^((m - d^2) log2(e) / T), the exponent in f64 and rounded, the power in f32
//!   sums     [lanes] in f64, or gradients [cols][lanes] in f64, partner after partner
//! ```
//!
//! A lane sees the partners in the same order whatever tile it is in and whoever its neighbours are, so no bit depends on threads or
//! replicas. Distances in f64 are exact but for 2^-53, however large they are beside T; what is left is the rounding of an exponent,
//! which counts where it is small, the power's ([`EXP2_ULP`](super::EXP2_ULP)) and one rounding of the result.
//!
//! Sums are relative to a reference m that moves when a term is more than twice it, by a power in f64; a gradient's terms are relative to the
//! reference of their row's sum. So no sum overflows, and what vanishes is less than 2^-126 of a sum.

use super::isa::Isa;
use super::simd::{Simd, Vectorized, dispatch};
use super::tile::Rows;
use crate::backend::kernel::Write;

/// Lanes of the widest instruction set.
const MOST_LANES: usize = 16;

/// Partners whose distances are computed together.
const PARTNERS: usize = 4;

/// A reference moves for terms above 2^SLACK of it.
const SLACK: f64 = 1.0;

/// A number per lane; those past the instruction set's are not used.
type Lanes<T> = [T; MOST_LANES];

/// Numbers that the kernels need room for.
pub(super) fn room(cols: usize) -> usize {
    (2 * MOST_LANES + PARTNERS) * stride(cols)
}

/// From a partner's coordinates to the next one's: whole vectors.
fn stride(cols: usize) -> usize {
    cols.next_multiple_of(MOST_LANES)
}

/// All active rows.
#[derive(Clone, Copy)]
pub(super) struct Points<'a> {
    pub(super) x: Rows<'a, f32>,
    pub(super) labels: Rows<'a, u32>,
    pub(super) weights: Option<Rows<'a, f32>>,
    pub(super) temperature: f64,
}

impl Points<'_> {
    #[inline(always)]
    fn present(&self, i: usize, r: usize) -> bool {
        self.weights.is_none_or(|weights| weights.at(i, r)[0] != 0.0)
    }

    /// By what a difference of squared distances is an exponent of 2.
    #[inline(always)]
    fn scale(&self) -> f64 {
        std::f64::consts::LOG2_E / self.temperature
    }
}

/// Loss, count and slopes of the rows from `first` on, as many as `y` has, with [`room`].
pub(super) fn losses(
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

/// dx (=, +=) the gradient of the rows from `first` on, as many as `dx` has, with [`room`].
pub(super) fn gradient(
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

/// Some rows of a replica, a lane each.
struct Group<'a> {
    points: Points<'a>,
    replica: usize,
    rows: std::ops::Range<usize>,
    labels: Lanes<u32>,
    /// `[cols, lanes]`
    own: &'a mut [f64],
    /// `[PARTNERS, stride]`, negated.
    partners: &'a mut [f64],
}

/// What a group meets next.
struct Met {
    /// The partners' rows, and how many there are.
    rows: [usize; PARTNERS],
    count: usize,
    /// Squared distances, infinite from a row to itself.
    squared: [Lanes<f64>; PARTNERS],
}

impl<'a> Group<'a> {
    /// Rows of a replica, at most as many as there are lanes; `own` and `partners` are room.
    #[inline(always)]
    fn new<S: Simd>(
        points: Points<'a>,
        replica: usize,
        rows: std::ops::Range<usize>,
        own: &'a mut [f64],
        partners: &'a mut [f64],
    ) -> Group<'a> {
        let mut labels = [0; MOST_LANES];
        for (l, i) in rows.clone().enumerate() {
            labels[l] = points.labels.at(i, replica)[0];
            let row = points.x.at(i, replica);
            own[l..]
                .iter_mut()
                .step_by(S::LANES)
                .zip(row)
                .for_each(|(o, x)| *o = f64::from(*x));
        }
        Group {
            points,
            replica,
            rows,
            labels,
            own,
            partners,
        }
    }

    /// Which lanes are of the class of row j.
    #[inline(always)]
    fn of_class(&self, j: usize) -> Lanes<bool> {
        let label = self.points.labels.at(j, self.replica)[0];
        std::array::from_fn(|l| self.labels[l] == label)
    }

    /// The next partners from row `j` on, and the row after them.
    ///
    /// # Safety
    /// The processor has the instruction set of `S`.
    #[inline(always)]
    unsafe fn meet<S: Simd>(&mut self, mut j: usize) -> (Met, usize) {
        let cols = self.points.x.cols;
        let stride = stride(cols);
        let mut met = Met {
            rows: [0; PARTNERS],
            count: 0,
            squared: [[0.0; MOST_LANES]; PARTNERS],
        };
        while j < self.points.x.rows() && met.count < PARTNERS {
            if self.points.present(j, self.replica) {
                let (row, to) = (
                    self.points.x.at(j, self.replica),
                    &mut self.partners[met.count * stride..][..stride],
                );
                for start in (0..cols).step_by(S::LANES) {
                    // SAFETY: the instruction set is the caller's promise; a vector begins within the row, and the room has whole ones.
                    unsafe {
                        let part = S::load_first(row.as_ptr().add(start), (cols - start).min(S::LANES));
                        let part = S::widen(S::subtract(S::splat(0.0), part));
                        S::wide_store(to.as_mut_ptr().add(start), part);
                    }
                }
                met.rows[met.count] = j;
                met.count += 1;
            }
            j += 1;
        }
        assert!(self.own.len() >= cols * S::LANES && self.partners.len() >= PARTNERS * stride && cols <= stride);
        // SAFETY: the instruction set is the caller's promise; the lengths were checked; past the last partner lie numbers of an earlier one,
        // or zeros.
        unsafe {
            let mut sums = [S::wide_splat(0.0); PARTNERS];
            for k in 0..cols {
                let x = S::wide_load(self.own.as_ptr().add(k * S::LANES));
                for (n, sum) in sums.iter_mut().enumerate() {
                    let d = S::wide_add(x, S::wide_splat(*self.partners.as_ptr().add(n * stride + k)));
                    *sum = S::wide_add(*sum, S::wide_multiply(d, d));
                }
            }
            for (sum, squared) in sums.into_iter().zip(&mut met.squared) {
                S::wide_store(squared.as_mut_ptr(), sum);
            }
        }
        (met, j)
    }
}

/// 2^a of each lane, from exponents in f64.
///
/// # Safety
/// The processor has the instruction set of `S`.
#[inline(always)]
unsafe fn powers<S: Simd>(exponents: &Lanes<f64>) -> Lanes<f64> {
    let mut powers = [0.0; MOST_LANES];
    // SAFETY: the instruction set is the caller's promise; arrays have the lanes of the widest.
    unsafe {
        let power = S::exp2(S::narrow(S::wide_load(exponents.as_ptr())));
        S::wide_store(powers.as_mut_ptr(), S::widen(power));
    }
    powers
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
