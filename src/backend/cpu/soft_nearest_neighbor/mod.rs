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
//! which counts where it is small, the power's (1.5 units in the last place) and one rounding of the result.
//!
//! | file | what it has |
//! |---|---|
//! | `losses` | sums of exponentials relative to a reference m, which moves |
//! | `gradient` | what a row and its partners pull at each other, relative to the references of their sums |

mod gradient;
mod losses;

use super::simd::Simd;
use super::tile::Rows;
pub(super) use gradient::gradient;
pub(super) use losses::losses;

/// Lanes of the widest instruction set.
const MOST_LANES: usize = 16;

/// Partners whose distances are computed together.
const PARTNERS: usize = 4;

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
    /// Squared distances, that of a row to itself among them.
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
