//! Rows by number: y_i = table[index_i]. Mini-batches are gathers, each replica with rows of its own.
//!
//! It has no derivative by the table: a table that depends on a parameter is an error. Indices are checked against the
//! table's capacity when they are written; where fewer of its rows are active, the host keeps them below that.

use crate::autograd::error::AutogradError;
use crate::autograd::graph::{Graph, Op, Shape, Value};
use crate::autograd::lowering::Lowering;
use crate::backend::kernel::Kernel;
use crate::backend::program::{Element, Extent};

#[derive(Debug)]
struct Gather {
    table: Value,
    index: Value,
}

impl Op for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn inputs(&self) -> Vec<Value> {
        vec![self.table, self.index]
    }

    fn forward(&self, y: Value, lowering: &mut Lowering) {
        let (table, index, y) = (
            lowering.value(self.table),
            lowering.value(self.index),
            lowering.value(y),
        );
        lowering.push(Kernel::Gather { table, index, y });
    }

    fn backward(&self, _: Value, _: &mut Lowering) {}
}

impl Graph {
    /// `[rows of the index, cols]` from a shared table `[its rows, cols]` of reals or indices.
    ///
    /// ```
    /// use disentangle::autograd::{Entry, Graph, Plan};
    /// use disentangle::backend::{EntryId, Reference};
    ///
    /// let mut graph = Graph::new(1)?;
    /// let (table, batch) = (graph.rows(3)?, graph.rows(2)?);
    /// let x = graph.samples("x", table, 2)?;
    /// let index = graph.index("index", batch, 3, false)?;
    /// let y = graph.gather(x, index)?;
    /// let entry = Entry { outputs: vec![y], training: None };
    /// let mut session = Plan::new(&graph, &[entry])?.start(&Reference)?;
    /// session.write(x, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
    /// session.write_index(index, &[2, 0])?;
    /// session.evaluate(EntryId(0))?;
    /// // Rows 2 and 0 of three rows of two numbers.
    /// assert_eq!(session.read(y)?, [5.0, 6.0, 1.0, 2.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AutogradError::NoDerivative`] for a table that depends on a parameter; [`AutogradError::Shape`] for a table that
    /// is not shared or an index whose bound exceeds its rows.
    pub fn gather(&mut self, table: Value, index: Value) -> Result<Value, AutogradError> {
        const OP: &str = "gather";
        let (st, si) = (self.shape(table)?, self.shape(index)?);
        if self.differentiable(table) {
            return Err(AutogradError::NoDerivative {
                op: OP,
                operand: "table",
            });
        }
        let Extent::Rows(space) = st.extent else {
            return Err(AutogradError::Shape {
                op: OP,
                detail: format!("table {st}, expected rows of data"),
            });
        };
        let rows = self.spaces[space.0];
        let fits = matches!(si.element, Element::Index { bound } if bound as usize <= rows);
        if st.replicated || st.element == Element::Wide || si.extent == st.extent || !fits {
            let detail = format!("table {st} by index {si}: expected a shared table and indices below its {rows} rows");
            return Err(AutogradError::Shape { op: OP, detail });
        }
        let shape = Shape {
            element: st.element,
            replicated: si.replicated,
            extent: si.extent,
            cols: st.cols,
        };
        Ok(self.push(shape, Gather { table, index }))
    }
}
