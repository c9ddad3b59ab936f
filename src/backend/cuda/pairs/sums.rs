//! Reductions A and B: the launches of `kernels/pairs.cu`.

use super::super::Cuda;
use super::super::driver::Memory;
use super::super::launch::{Launch, THREADS};
use super::points::{Frame, Number, Order, list, stride, upload};
use super::{failed, run};
use crate::backend::pairwise::{Form, PairFunction, PairwiseError, Points, add_other_order};

/// Who is compared: `enum Relation` of `kernels/pairs.cu`.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Relation {
    TwoSets = 0,
    EachOrder = 1,
    Once = 2,
}

impl Relation {
    /// Of a set with another, or with itself: both orders of a pair.
    pub(super) fn of(others: Option<&Points>) -> Relation {
        if others.is_some() {
            Relation::TwoSets
        } else {
            Relation::EachOrder
        }
    }
}

/// Temperatures whose inverse f32 holds with room around it; what is outside is computed in f64.
const TEMPERATURES: std::ops::RangeInclusive<f64> = 1e-30..=1e30;

/// Number and parameter of a function: `enum PairFunction` of `kernels/pairs.cu`.
pub(super) fn number(function: PairFunction) -> (u32, f64) {
    match function {
        PairFunction::SquaredEuclidean | PairFunction::Cosine => (0, 1.0),
        PairFunction::Euclidean => (1, 1.0),
        PairFunction::L1 => (2, 1.0),
        PairFunction::Gaussian { temperature } => (3, temperature),
        PairFunction::Within { radius } => (4, radius),
    }
}

/// Whether a function is computed in f64.
pub(super) fn is_wide(function: PairFunction, form: Form) -> bool {
    match function {
        PairFunction::Gaussian { temperature } => form == Form::F64 || !TEMPERATURES.contains(&temperature),
        _ => form == Form::F64,
    }
}

/// How columns are cut: tiles firsts[p]..firsts[p + 1] are part p, parts of_class[c]..of_class[c + 1] are class c.
struct Parts {
    firsts: Vec<u32>,
    of_class: Vec<u32>,
}

impl Parts {
    /// Parts of 4 tiles or more, so many that they occupy a device with the rows' tiles and yet are no more than some 64 beside one per class.
    fn new(columns: &Order, row_tiles: usize) -> Parts {
        let tiles = columns.tiles();
        let each = (row_tiles * tiles / 2048).clamp(4, 64).max(tiles.div_ceil(64));
        let (mut firsts, mut of_class, mut tile) = (vec![0], vec![0], 0);
        for &size in &columns.sizes {
            let end = tile + (size as usize).div_ceil(super::points::TILE);
            while tile < end {
                tile = (tile + each).min(end);
                firsts.push(tile as u32);
            }
            of_class.push(firsts.len() as u32 - 1);
        }
        Parts { firsts, of_class }
    }

    fn count(&self) -> usize {
        self.firsts.len() - 1
    }
}

/// Numbers per class of the columns and position of the rows, on the device.
pub(super) struct Totals {
    values: Memory,
    rows: Order,
    classes: usize,
}

impl Totals {
    /// `[N, C']`, in the order of the rows.
    fn by_row(&self, count: usize) -> Result<Vec<f64>, PairwiseError> {
        let positions = self.rows.positions();
        let values: Vec<f64> = self.values.read(self.classes * positions).map_err(failed)?;
        let mut all = vec![0.0; count * self.classes];
        for (position, row) in self.rows.rows.iter().enumerate() {
            let Some(row) = row else { continue };
            for c in 0..self.classes {
                all[row * self.classes + c] = values[c * positions + position];
            }
        }
        Ok(all)
    }
}

impl Cuda {
    /// S_ic of one replica, `[N, C']`.
    pub(super) fn row_sums(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        (function, form): (PairFunction, Form),
    ) -> Result<Vec<f64>, PairwiseError> {
        let totals = self.totals(points, others, replica, (function, form), Relation::of(others))?;
        let mut sums = totals.by_row(points.rows())?;
        sums.iter_mut().for_each(|sum| *sum *= function.factor());
        Ok(sums)
    }

    /// S_ab of one replica, `[C, C']`: no more than that comes back from the device. Pairs of one set are visited once.
    pub(super) fn class_pair_sums(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        (function, form): (PairFunction, Form),
    ) -> Result<Vec<f64>, PairwiseError> {
        let relation = match others {
            Some(_) => Relation::TwoSets,
            None => Relation::Once,
        };
        let totals = self.totals(points, others, replica, (function, form), relation)?;
        let (first, second) = (points.classes(), totals.classes);
        let starts = list(&self.context, "classes of pairs", &totals.rows.starts)?;
        let sizes = list(&self.context, "classes of pairs", &totals.rows.sizes)?;
        let pairs = Memory::new(&self.context, "sums per class pair", 8 * first * second).map_err(failed)?;
        let kernel = self.kernels.get("pair_class_totals").map_err(failed)?;
        let launch = Launch::on_grid(kernel, (first * second) as u64, THREADS)
            .map_err(failed)?
            .pointer(totals.values.address())
            .pointer(starts.address())
            .pointer(sizes.address())
            .int(second as u32)
            .long(totals.rows.positions())
            .pointer(pairs.address());
        // SAFETY: a number for each pair of classes; classes lie within the positions.
        unsafe { run(&self.context, launch) }?;
        let mut sums: Vec<f64> = pairs.read(first * second).map_err(failed)?;
        if relation == Relation::Once {
            add_other_order(&mut sums, second, 1);
        }
        sums.iter_mut().for_each(|sum| *sum *= function.factor());
        Ok(sums)
    }

    /// L_ic of one replica, `[N, C']`.
    pub(super) fn log_sums(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        (temperature, form): (f64, Form),
    ) -> Result<Vec<f64>, PairwiseError> {
        let function = PairFunction::Gaussian { temperature };
        let totals = if is_wide(function, form) {
            self.log_totals::<f64>(points, others, replica, temperature, &Frame::exact(false))?
        } else {
            let frame = Frame::rounded(points, others, replica, false, form)?;
            self.log_totals::<f32>(points, others, replica, temperature, &frame)?
        };
        totals.by_row(points.rows())
    }

    fn totals(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        (function, form): (PairFunction, Form),
        relation: Relation,
    ) -> Result<Totals, PairwiseError> {
        let unit = function == PairFunction::Cosine;
        if is_wide(function, form) {
            let frame = Frame::exact(unit);
            self.totals_of::<f64>(points, others, replica, function, relation, &frame)
        } else {
            let frame = Frame::rounded(points, others, replica, unit, form)?;
            self.totals_of::<f32>(points, others, replica, function, relation, &frame)
        }
    }

    fn totals_of<T: Number>(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        function: PairFunction,
        relation: Relation,
        frame: &Frame,
    ) -> Result<Totals, PairwiseError> {
        let staged = Staged::new::<T>(self, points, others, replica, frame)?;
        let (count, positions) = (staged.parts.count(), staged.rows.positions());
        let sums = Memory::new(&self.context, "sums of parts of pairs", 8 * count * positions).map_err(failed)?;
        let (number, parameter) = number(function);
        let launch = staged
            .launch(self, &format!("pair_sums_{}", T::NAME))?
            .int(number)
            .double(parameter)
            .int(relation as u32)
            .pointer(sums.address())
            .long(positions);
        // SAFETY: the points are whole tiles of that stride; a number for each part and position.
        unsafe { run(&self.context, launch) }?;
        staged.totals(self, "pair_row_totals", &[&sums], &[])
    }

    fn log_totals<T: Number>(
        &self,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        temperature: f64,
        frame: &Frame,
    ) -> Result<Totals, PairwiseError> {
        let staged = Staged::new::<T>(self, points, others, replica, frame)?;
        let (count, positions) = (staged.parts.count(), staged.rows.positions());
        let of_parts = |name| Memory::new(&self.context, name, 8 * count * positions).map_err(failed);
        let (leasts, sums) = (
            of_parts("least distances of parts")?,
            of_parts("sums of parts of pairs")?,
        );
        let launch = staged
            .launch(self, &format!("pair_log_sums_{}", T::NAME))?
            .double(temperature)
            .int(Relation::of(others) as u32)
            .pointer(leasts.address())
            .pointer(sums.address())
            .long(positions);
        // SAFETY: the points are whole tiles of that stride; two numbers for each part and position.
        unsafe { run(&self.context, launch) }?;
        staged.totals(self, "pair_log_totals", &[&leasts, &sums], &[temperature])
    }
}

/// One replica's points on the device, class after class, and how their columns are cut.
struct Staged {
    rows: Order,
    /// None: the rows again.
    columns: Option<Order>,
    parts: Parts,
    stride: u32,
    row_points: Memory,
    column_points: Option<Memory>,
    valid: Memory,
    firsts: Memory,
    of_class: Memory,
}

impl Staged {
    fn new<T: Number>(
        cuda: &Cuda,
        points: &Points,
        others: Option<&Points>,
        replica: usize,
        frame: &Frame,
    ) -> Result<Staged, PairwiseError> {
        let context = &cuda.context;
        let rows = Order::by_class(points, replica);
        let columns = others.map(|others| Order::by_class(others, replica));
        let of_columns = columns.as_ref().unwrap_or(&rows);
        let parts = Parts::new(of_columns, rows.tiles());
        let column_points = others
            .map(|others| upload::<T>(context, others, replica, of_columns, frame))
            .transpose()?;
        Ok(Staged {
            stride: stride::<T>(points, frame)?,
            row_points: upload::<T>(context, points, replica, &rows, frame)?,
            column_points,
            valid: list(context, "rows of tiles", &of_columns.valid)?,
            firsts: list(context, "parts of tiles", &parts.firsts)?,
            of_class: list(context, "parts of classes", &parts.of_class)?,
            parts,
            columns,
            rows,
        })
    }

    /// A first stage: a block for each tile of rows and part of the columns, with the parameters that all of them begin with.
    fn launch(&self, cuda: &Cuda, kernel: &str) -> Result<Launch, PairwiseError> {
        let columns = self.column_points.as_ref().unwrap_or(&self.row_points);
        let blocks = (self.rows.tiles() * self.parts.count()) as u64;
        let launch = Launch::on_grid(cuda.kernels.get(kernel).map_err(failed)?, blocks, THREADS).map_err(failed)?;
        Ok(launch
            .pointer(self.row_points.address())
            .pointer(columns.address())
            .int(self.stride)
            .pointer(self.valid.address())
            .pointer(self.firsts.address())
            .int(self.parts.count() as u32))
    }

    /// The second stage: of the numbers of the parts, one for each class of the columns and position of the rows.
    fn totals(
        self,
        cuda: &Cuda,
        kernel: &str,
        of_parts: &[&Memory],
        parameters: &[f64],
    ) -> Result<Totals, PairwiseError> {
        let classes = self.columns.as_ref().unwrap_or(&self.rows).sizes.len();
        let positions = self.rows.positions();
        let values = Memory::new(&cuda.context, "sums per row and class", 8 * classes * positions).map_err(failed)?;
        let kernel = cuda.kernels.get(kernel).map_err(failed)?;
        let mut launch = Launch::over(kernel, (classes * positions) as u64).map_err(failed)?;
        for numbers in of_parts {
            launch = launch.pointer(numbers.address());
        }
        launch = launch.pointer(self.of_class.address()).long(positions);
        for &parameter in parameters {
            launch = launch.double(parameter);
        }
        let launch = launch.pointer(values.address()).long(classes * positions);
        // SAFETY: the classes' parts are those of the first stage; a number for each class and position.
        unsafe { run(&cuda.context, launch) }?;
        Ok(Totals {
            values,
            rows: self.rows,
            classes,
        })
    }
}
