//! Pairs row by row in f64: the f64 form, gradients that are no products of matrices (L1), and the few rows whose sums of
//! exponentials vanish in f32. Each row is one task's own, so nothing but the order of the columns decides its bits.

use super::super::isa::Isa;
use super::super::math::vectorize;
use super::super::pool::Pool;
use super::super::slab::Slab;
use super::memory;
use crate::backend::pairwise::{PairFunction, PairwiseError, Points, normalize};

/// Columns of a panel: several registers, so that their sums do not wait for each other.
pub(super) const WIDTH: usize = 32;

/// Bytes of columns that are held at a time.
const PART: usize = 64 << 20;

/// Partial sums of each coordinate of a gradient.
const LANES: usize = 8;

/// A set of points as it is compared: a list of its rows, divided by their norms for cosines.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    pub(super) points: &'a Points<'a>,
    pub(super) replica: usize,
    pub(super) list: &'a [usize],
    pub(super) cosine: bool,
}

impl Side<'_> {
    pub(super) fn dim(&self) -> usize {
        self.points.dim() + usize::from(self.cosine)
    }

    pub(super) fn fetch(&self, row: usize, to: &mut [f64]) -> Result<(), PairwiseError> {
        let raw = self.points.dim();
        self.points.row(self.replica, row, &mut to[..raw])?;
        if self.cosine {
            normalize(to, raw);
        }
        Ok(())
    }
}

/// Some columns of one row: what a visitor sees.
pub(super) struct Few<'a> {
    /// Who computes.
    pub(super) worker: usize,
    /// The row's place in its list.
    pub(super) place: usize,
    /// Its coordinates.
    pub(super) x: &'a [f64],
    /// The columns' rows in their set.
    pub(super) columns: &'a [usize],
    /// Squared distances (or L1 distances).
    pub(super) distances: &'a [f64; WIDTH],
    /// Coordinates `[dim][WIDTH]`.
    pub(super) panel: &'a [f64],
}

/// Calls `visit` for each row of `rows` and all columns, in order, a panel at a time. Calls for one row do not overlap.
pub(super) fn scan(
    (isa, pool): (Isa, &Pool),
    rows: Side,
    columns: Side,
    absolute: bool,
    visit: &(dyn Fn(Few) + Sync),
) -> Result<(), PairwiseError> {
    let dim = rows.dim();
    let panels = (PART / (8 * dim * WIDTH)).clamp(1, columns.list.len().div_ceil(WIDTH).max(1));
    let mut packed: Slab<f64> = Slab::new("points in f64", panels * WIDTH * dim).map_err(memory)?;
    let rooms: Slab<f64> = Slab::new("a row in f64", pool.threads() * dim).map_err(memory)?;
    let failed = std::sync::Mutex::new(None);
    let mut row = vec![0.0; dim];
    for part in columns.list.chunks(panels * WIDTH) {
        for (n, &j) in part.iter().enumerate() {
            columns.fetch(j, &mut row)?;
            let panel = &mut packed.all_mut()[n / WIDTH * WIDTH * dim..];
            row.iter()
                .enumerate()
                .for_each(|(k, x)| panel[k * WIDTH + n % WIDTH] = *x);
        }
        let packed = &packed;
        pool.run(rows.list.len(), &|worker, place| {
            // SAFETY: one thread at a time has a worker's number.
            let x = unsafe { rooms.part_mut(worker * dim, dim) };
            if let Err(error) = rows.fetch(rows.list[place], x) {
                if let Ok(mut failed) = failed.lock() {
                    failed.get_or_insert(error);
                }
                return;
            }
            for (panel, columns) in packed.all().chunks_exact(WIDTH * dim).zip(part.chunks(WIDTH)) {
                let distances = &vectorize(
                    isa,
                    #[inline(always)]
                    || distances(x, panel, absolute),
                );
                visit(Few {
                    worker,
                    place,
                    x,
                    columns,
                    distances,
                    panel,
                });
            }
        });
    }
    match failed.into_inner() {
        Ok(Some(error)) => Err(error),
        _ => Ok(()),
    }
}

#[inline(always)]
fn distances(x: &[f64], panel: &[f64], absolute: bool) -> [f64; WIDTH] {
    let mut sums = [0.0; WIDTH];
    for (x, columns) in x.iter().zip(panel.as_chunks::<WIDTH>().0) {
        for (sum, y) in sums.iter_mut().zip(columns) {
            let difference = x - y;
            *sum += if absolute {
                difference.abs()
            } else {
                difference * difference
            };
        }
    }
    sums
}

/// f of a squared distance (or of an L1 distance).
pub(super) fn value(function: PairFunction, distance: f64) -> f64 {
    match function {
        PairFunction::SquaredEuclidean | PairFunction::L1 => distance,
        PairFunction::Cosine => distance / 2.0,
        PairFunction::Euclidean => distance.sqrt(),
        PairFunction::Gaussian { temperature } => libm::exp(-distance / temperature),
        PairFunction::Within { radius } => f64::from(distance.sqrt() < radius),
    }
}

/// k where k (x - y) is the gradient of f(x, y) by x; for L1 it multiplies the signs.
pub(super) fn slope(function: PairFunction, distance: f64) -> f64 {
    match function {
        PairFunction::SquaredEuclidean => 2.0,
        PairFunction::L1 | PairFunction::Cosine => 1.0,
        PairFunction::Euclidean if distance == 0.0 => 0.0,
        PairFunction::Euclidean => 1.0 / distance.sqrt(),
        PairFunction::Gaussian { temperature } => -2.0 / temperature * libm::exp(-distance / temperature),
        PairFunction::Within { .. } => 0.0,
    }
}

/// Adds to `[row's place][dim]` the sum over the columns of `weight(place, column, distance)` times (x - y), or times its sign.
pub(super) fn add_gradients(
    (isa, pool): (Isa, &Pool),
    rows: Side,
    columns: Side,
    absolute: bool,
    weight: &(dyn Fn(usize, usize, f64) -> f64 + Sync),
    to: &mut [f64],
) -> Result<(), PairwiseError> {
    let dim = rows.dim();
    let lanes: Slab<f64> = Slab::new("lanes of a gradient", rows.list.len() * dim).map_err(memory)?;
    scan((isa, pool), rows, columns, absolute, &|few| {
        let mut weights = [0.0; WIDTH];
        for ((w, &j), &d) in weights.iter_mut().zip(few.columns).zip(few.distances) {
            *w = weight(few.place, j, d);
        }
        // SAFETY: calls for one row do not overlap.
        let sums = unsafe { lanes.part_mut(few.place * dim, dim) };
        vectorize(
            isa,
            #[inline(always)]
            || {
                for ((sum, x), columns) in sums.iter_mut().zip(few.x).zip(few.panel.as_chunks::<WIDTH>().0) {
                    let mut parts = [0.0; LANES];
                    for (w, y) in weights
                        .as_chunks::<LANES>()
                        .0
                        .iter()
                        .zip(columns.as_chunks::<LANES>().0)
                    {
                        for l in 0..LANES {
                            let difference = x - y[l];
                            let slope = if !absolute {
                                difference
                            } else if difference == 0.0 {
                                0.0
                            } else {
                                1.0f64.copysign(difference)
                            };
                            parts[l] += w[l] * slope;
                        }
                    }
                    *sum += parts.iter().sum::<f64>();
                }
            },
        );
    })?;
    to.iter_mut().zip(lanes.all()).for_each(|(t, s)| *t += s);
    Ok(())
}
