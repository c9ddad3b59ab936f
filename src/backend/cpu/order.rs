//! From the order in which hosts see a buffer to the layout in which it lies, and back.

use crate::backend::program::{BufferId, Extent, Program};

/// From the host's order `[copies, rows, cols]` to the layout of a row buffer, `[rows, copies, cols]`, and back.
pub(super) struct Order {
    copies: usize,
    rows: usize,
    cols: usize,
}

impl Order {
    pub(super) fn of(program: &Program, active: &[usize], id: BufferId) -> Order {
        let buffer = program.buffer(id);
        match buffer.extent {
            Extent::Rows(space) => Order {
                copies: program.copies(id),
                rows: active[space.0],
                cols: buffer.cols,
            },
            // A whole buffer has the host's own order: one copy of everything.
            Extent::Whole { .. } => Order {
                copies: 1,
                rows: 1,
                cols: program.len(id, active),
            },
        }
    }

    pub(super) fn scatter<A: Copy, B>(&self, host: &[A], device: &mut [B], convert: impl Fn(A) -> B) {
        for (n, row) in host.chunks_exact(self.cols).enumerate() {
            let (copy, i) = (n / self.rows, n % self.rows);
            let place = &mut device[(i * self.copies + copy) * self.cols..][..self.cols];
            place.iter_mut().zip(row).for_each(|(d, &h)| *d = convert(h));
        }
    }

    pub(super) fn collect<A, B: Copy>(&self, device: &[B], host: &mut [A], convert: impl Fn(B) -> A) {
        for (n, row) in host.chunks_exact_mut(self.cols).enumerate() {
            let (copy, i) = (n / self.rows, n % self.rows);
            let place = &device[(i * self.copies + copy) * self.cols..][..self.cols];
            row.iter_mut().zip(place).for_each(|(h, &d)| *h = convert(d));
        }
    }
}
