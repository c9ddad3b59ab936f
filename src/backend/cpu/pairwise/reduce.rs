//! Reductions A and B: sums per row and class, and of them sums per class pair and logarithms.

use super::super::Cpu;
use super::super::isa::Isa;
use super::super::math::{ln, vectorize};
use super::super::slab::Slab;
use super::functions::sum;
use super::memory;
use super::stage::{Needs, Stage};
use super::sums::Totals;
use super::wide::{self, Side};
use crate::backend::pairwise::{Form, PairFunction, PairwiseError, Points, add_other_order};

/// A Gaussian sum of `members` terms below this is computed anew: terms that vanished in f32 (those below 2^-126) could
/// be more than a rounding of it.
pub(super) fn tiny(members: usize) -> f64 {
    members as f64 * 2f64.powi(-102)
}

/// The numbers from 0 to `rows`.
pub(super) fn all(rows: usize) -> Vec<usize> {
    (0..rows).collect()
}

impl Cpu {
    /// S_ic of one replica, `[N, C']`, without factor; without `both` each unordered pair of one set counts for one of its points only.
    pub(super) fn row_sums(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        (function, form): (PairFunction, Form),
        both: bool,
    ) -> Result<Vec<f64>, PairwiseError> {
        let classes = others.unwrap_or(points).classes();
        let mut sums = vec![0.0; points.rows() * classes];
        if form == Form::F64 {
            self.wide_row_sums(points, others, replica, function, &mut sums)?;
            return Ok(sums);
        }
        let needs = Needs {
            form,
            cosine: function == PairFunction::Cosine,
            by_class: true,
            gradient: false,
        };
        let stage = Stage::new((self.isa, &self.pool), points, others, replica, needs)?;
        let positions = stage.rows().positions();
        let totals = Totals {
            sums: Slab::new("sums per row and class", classes * positions).map_err(memory)?,
            positions,
        };
        let columns = (both && others.is_none()).then_some(&totals);
        stage.visit(|pairs| sum(pairs, function, form, &totals, columns))?;
        for (c, totals) in totals.sums.all().chunks_exact(positions).enumerate() {
            for (position, row) in stage.rows().rows() {
                sums[row * classes + c] = totals[position] * function.factor();
            }
        }
        Ok(sums)
    }

    fn wide_row_sums(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        function: PairFunction,
        sums: &mut [f64],
    ) -> Result<(), PairwiseError> {
        let set = others.unwrap_or(points);
        let (rows, columns) = (all(points.rows()), all(set.rows()));
        let cosine = function == PairFunction::Cosine;
        let (first, second) = (
            side(points, replica, &rows, cosine),
            side(set, replica, &columns, cosine),
        );
        let classes = set.classes();
        let totals: Slab<f64> = Slab::new("sums per row and class", sums.len()).map_err(memory)?;
        let absolute = function == PairFunction::L1;
        wide::scan((self.isa, &self.pool), first, second, absolute, &|few| {
            // SAFETY: calls for one row do not overlap.
            let sums = unsafe { totals.part_mut(few.place * classes, classes) };
            for (&j, &d) in few.columns.iter().zip(few.distances) {
                if others.is_some() || j != few.place {
                    sums[set.label(replica, j)] += wide::value(function, d);
                }
            }
        })?;
        sums.copy_from_slice(totals.all());
        Ok(())
    }

    /// S_ab of one replica, `[C, C']`.
    pub(super) fn class_pair_sums(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        (function, form): (PairFunction, Form),
    ) -> Result<Vec<f64>, PairwiseError> {
        let (first, second) = (points.classes(), others.unwrap_or(points).classes());
        let rows = self.row_sums(points, others, replica, (function, form), false)?;
        let mut sums = vec![0.0; first * second];
        for (i, row) in rows.chunks_exact(second).enumerate() {
            let a = points.label(replica, i);
            (0..second).for_each(|b| sums[a * second + b] += row[b]);
        }
        if others.is_none() && form != Form::F64 {
            add_other_order(&mut sums, first, 1);
        }
        Ok(sums)
    }

    /// L_ic of some rows of one replica, `[place, C']`, in f64: with the largest term taken out, nothing underflows.
    pub(super) fn wide_log_sums(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        temperature: f64,
        rows: &[usize],
    ) -> Result<Vec<f64>, PairwiseError> {
        let set = others.unwrap_or(points);
        let columns = all(set.rows());
        let (first, second) = (side(points, replica, rows, false), side(set, replica, &columns, false));
        let classes = set.classes();
        // Per row and class the smallest distance so far and the sum of e^((smallest - d^2) / T).
        let mut sums: Slab<f64> = Slab::new("logarithms of sums", 2 * rows.len() * classes).map_err(memory)?;
        sums.all_mut().as_chunks_mut::<2>().0.fill([f64::INFINITY, 0.0]);
        wide::scan((self.isa, &self.pool), first, second, false, &|few| {
            // SAFETY: calls for one row do not overlap.
            let sums = unsafe { sums.part_mut(2 * few.place * classes, 2 * classes) };
            for (&j, &d) in few.columns.iter().zip(few.distances) {
                if others.is_none() && j == rows[few.place] {
                    continue;
                }
                let [least, sum] = &mut sums.as_chunks_mut::<2>().0[set.label(replica, j)];
                if d < *least {
                    *sum = *sum * libm::exp((d - *least) / temperature) + 1.0;
                    *least = d;
                } else {
                    *sum += libm::exp((*least - d) / temperature);
                }
            }
        })?;
        let log = |[least, sum]: &[f64; 2]| {
            if *sum == 0.0 {
                f64::NEG_INFINITY
            } else {
                libm::log(*sum) - least / temperature
            }
        };
        Ok(sums.all().as_chunks::<2>().0.iter().map(log).collect())
    }

    /// L_ic of one replica, `[N, C']`, and for which sums f32 is not enough.
    pub(super) fn log_sums(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        (temperature, form): (f64, Form),
    ) -> Result<Logs, PairwiseError> {
        let set = others.unwrap_or(points);
        let classes = set.classes();
        if form == Form::F64 {
            let values = self.wide_log_sums(points, others, replica, temperature, &all(points.rows()))?;
            let rows = if values.is_empty() { vec![] } else { all(points.rows()) };
            let vanishing = vec![true; values.len()];
            return Ok(Logs {
                values,
                rows,
                vanishing,
            });
        }
        let function = PairFunction::Gaussian { temperature };
        let mut values = self.row_sums(points, others, replica, (function, form), true)?;
        let sizes = set.class_sizes(replica);
        let mut vanishing = vec![false; values.len()];
        let mut rows = Vec::new();
        for (i, (values, flags)) in values
            .chunks_exact(classes)
            .zip(vanishing.chunks_exact_mut(classes))
            .enumerate()
        {
            for (c, (value, flag)) in values.iter().zip(&mut *flags).enumerate() {
                let itself = others.is_none() && points.label(replica, i) == c;
                let members = sizes[c] - usize::from(itself);
                *flag = members > 0 && *value < tiny(members);
            }
            if flags.contains(&true) {
                rows.push(i);
            }
        }
        logarithms(self.isa, &mut values);
        if !rows.is_empty() {
            let anew = self.wide_log_sums(points, others, replica, temperature, &rows)?;
            for (&i, anew) in rows.iter().zip(anew.chunks_exact(classes)) {
                let row = i * classes..(i + 1) * classes;
                for ((value, anew), _) in values[row.clone()]
                    .iter_mut()
                    .zip(anew)
                    .zip(&vanishing[row])
                    .filter(|(_, f)| **f)
                {
                    *value = *anew;
                }
            }
        }
        Ok(Logs {
            values,
            rows,
            vanishing,
        })
    }
}

/// Takes the logarithm of each.
pub(super) fn logarithms(isa: Isa, values: &mut [f64]) {
    vectorize(
        isa,
        #[inline(always)]
        || values.iter_mut().for_each(|value| *value = ln(*value)),
    );
}

/// Logarithms of Gaussian sums.
pub(super) struct Logs {
    /// L_ic, `[N, C']`.
    pub(super) values: Vec<f64>,
    /// Rows with a sum that f32 does not hold.
    pub(super) rows: Vec<usize>,
    /// Which sums these are, `[N, C']`.
    pub(super) vanishing: Vec<bool>,
}

pub(super) fn side<'a>(points: &'a Points<'a>, replica: usize, list: &'a [usize], cosine: bool) -> Side<'a> {
    Side {
        points,
        replica,
        list,
        cosine,
    }
}
