//! From points to packed sets that meet: the order of the rows, and the parts of what is too large to pack at once.
//!
//! A set of at most 32 MB is one part, which meets itself. A larger one is packed part by part, each meets itself and all
//! later ones, so that no more than two parts are packed at a time, wherever the rows come from.

use std::ops::Range;

use super::super::isa::Isa;
use super::super::pool::Pool;
use super::order::Order;
use super::packed::{Frame, Packed, Wants, part};
use super::rounds::Meeting;
use super::sums::Pairs;
use super::tile::shape;
use crate::backend::pairwise::{Form, PairwiseError, Points};

/// What a reduction needs to know of its sets.
#[derive(Clone, Copy)]
pub(super) struct Needs {
    pub(super) form: Form,
    /// Rows are divided by their norms.
    pub(super) cosine: bool,
    /// Rows lie by class; else as they are given.
    pub(super) by_class: bool,
    /// Gradients follow.
    pub(super) gradient: bool,
}

/// One replica of a set or two, on the way through the kernels.
pub(super) struct Stage<'a> {
    isa: Isa,
    pool: &'a Pool,
    points: &'a Points<'a>,
    others: Option<&'a Points<'a>>,
    replica: usize,
    frame: Frame,
    rows: Order,
    columns: Option<Order>,
    wants: Wants,
}

impl<'a> Stage<'a> {
    pub(super) fn new(
        (isa, pool): (Isa, &'a Pool),
        points: &'a Points<'a>,
        others: Option<&'a Points<'a>>,
        replica: usize,
        needs: Needs,
    ) -> Result<Stage<'a>, PairwiseError> {
        let (_, width) = shape(isa);
        let order = |set: &Points| {
            if needs.by_class {
                Order::by_class(set, replica, width)
            } else {
                Order::plain(set.rows(), width)
            }
        };
        Ok(Stage {
            isa,
            pool,
            points,
            others,
            replica,
            frame: Frame::new(pool, points, others, replica, needs.cosine, needs.form, needs.gradient)?,
            rows: order(points),
            columns: others.map(order),
            wants: Wants {
                norms: needs.form == Form::Centered,
                rows: needs.gradient,
            },
        })
    }

    /// Numbers of a packed row.
    pub(super) fn dim(&self) -> usize {
        self.frame.dim
    }

    /// The largest norm of a row whose coordinates are rounded when it is packed; 0 if none is.
    pub(super) fn largest_norm(&self) -> Result<f64, PairwiseError> {
        self.frame.largest_norm(self.points, self.others, self.replica)
    }

    /// The order of the first set.
    pub(super) fn rows(&self) -> &Order {
        &self.rows
    }

    /// The order of the second set, or of the first again.
    pub(super) fn columns(&self) -> &Order {
        self.columns.as_ref().unwrap_or(&self.rows)
    }

    /// Calls `f` for all parts that must meet.
    pub(super) fn visit(&self, mut f: impl FnMut(Pairs)) -> Result<(), PairwiseError> {
        let threads = self.pool.threads();
        let all = self.rows.panels.len();
        let size = part(self.isa, self.frame.dim, all);
        let mut rows = Packed::new(self.isa, threads, self.frame.dim, size, self.wants)?;
        let (set, order) = (self.others.unwrap_or(self.points), self.columns());
        let across = part(self.isa, self.frame.dim, order.panels.len());
        let needed = self.others.is_some() || size < all;
        let room = if needed { across } else { 0 };
        let mut columns = Packed::new(self.isa, threads, self.frame.dim, room, self.wants)?;
        let mut packed = None;
        for panels in parts(all, size) {
            rows.pack(
                self.pool,
                &self.frame,
                self.points,
                self.replica,
                &self.rows,
                panels.clone(),
            )?;
            if self.others.is_none() {
                f(self.pairs(&rows, &rows, Meeting::Itself));
            }
            let (meeting, first) = if self.others.is_none() {
                (Meeting::Parts, panels.end)
            } else {
                (Meeting::Sets, 0)
            };
            for part in parts(order.panels.len(), across).filter(|part| part.start >= first) {
                if packed.as_ref() != Some(&part) {
                    columns.pack(self.pool, &self.frame, set, self.replica, order, part.clone())?;
                    packed = Some(part);
                }
                f(self.pairs(&rows, &columns, meeting));
            }
        }
        Ok(())
    }

    fn pairs<'b>(&'b self, rows: &'b Packed, columns: &'b Packed, meeting: Meeting) -> Pairs<'b> {
        Pairs {
            isa: self.isa,
            pool: self.pool,
            rows,
            columns,
            meeting,
        }
    }
}

fn parts(panels: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    (0..panels)
        .step_by(size)
        .map(move |start| start..(start + size).min(panels))
}
