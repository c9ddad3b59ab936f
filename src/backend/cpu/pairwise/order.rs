//! In which order rows lie: class after class, each padded to whole panels, so that a tile of pairs has one class per
//! side and no label is looked at in a loop.
//!
//! ```text
//!   class 0                    class 1
//!   | panel | panel | pan..... | panel | pa...... |      dots: positions without a row
//! ```

use crate::backend::pairwise::Points;

/// A position without a row.
const NONE: u32 = u32::MAX;

/// A panel's class, and how many of its first positions have a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Panel {
    pub(super) class: u32,
    pub(super) valid: u32,
}

/// From positions to rows.
#[derive(Default)]
pub(super) struct Order {
    pub(super) width: usize,
    pub(super) panels: Vec<Panel>,
    rows: Vec<u32>,
    /// Next position of each class while rows are dealt out.
    next: Vec<usize>,
}

impl Order {
    /// Room for `rows` rows in `classes` classes.
    pub(super) fn with_capacity(rows: usize, classes: usize, width: usize) -> Order {
        let panels = rows.div_ceil(width) + classes;
        Order {
            width,
            panels: Vec::with_capacity(panels),
            rows: Vec::with_capacity(panels * width),
            next: Vec::with_capacity(classes),
        }
    }

    /// The rows of a replica by class.
    pub(super) fn by_class(points: &Points, replica: usize, width: usize) -> Order {
        let mut order = Order::with_capacity(points.rows(), points.classes(), width);
        order.arrange(points.rows(), points.classes(), |row| points.label(replica, row));
        order
    }

    /// The rows as they are, as one class.
    pub(super) fn plain(rows: usize, width: usize) -> Order {
        let mut order = Order::with_capacity(rows, 1, width);
        order.arrange(rows, 1, |_| 0);
        order
    }

    /// Deals out rows by class; within a class they keep their order. It allocates nothing within its capacity.
    pub(super) fn arrange(&mut self, rows: usize, classes: usize, label: impl Fn(usize) -> usize) {
        self.next.clear();
        self.next.resize(classes, 0);
        (0..rows).for_each(|row| self.next[label(row)] += 1);
        self.panels.clear();
        for (class, size) in self.next.iter_mut().enumerate() {
            let first = self.panels.len() * self.width;
            for start in (0..*size).step_by(self.width) {
                self.panels.push(Panel {
                    class: class as u32,
                    valid: (*size - start).min(self.width) as u32,
                });
            }
            *size = first;
        }
        self.rows.clear();
        self.rows.resize(self.panels.len() * self.width, NONE);
        for row in 0..rows {
            let position = &mut self.next[label(row)];
            self.rows[*position] = row as u32;
            *position += 1;
        }
    }

    /// Positions, those without a row included.
    pub(super) fn positions(&self) -> usize {
        self.rows.len()
    }

    /// The row at a position.
    pub(super) fn row(&self, position: usize) -> Option<usize> {
        match self.rows[position] {
            NONE => None,
            row => Some(row as usize),
        }
    }

    /// Positions with their rows, in order.
    pub(super) fn rows(&self) -> impl Iterator<Item = (usize, usize)> {
        let rows = self.rows.iter().enumerate();
        rows.filter(|(_, row)| **row != NONE)
            .map(|(position, &row)| (position, row as usize))
    }
}
