//! How far is a backend from the reference? Every op, loss, optimiser, reduction and metric, forward and backward, on random
//! operands.
//!
//! An [`Op`] makes a case from a seed: shape, kind of numbers, which operands replicas share, where buffers lie, and a rounding bound
//! whose derivation stands beside it. One list, [`OPS`], serves every question: [`verify`] compares with
//! [`Reference`](crate::backend::Reference), [`gradients`] compares backward kernels with differences of forward ones,
//! [`timed`] makes each ready on a large shape, [`support`] asks whether a backend runs it at all. A new op is one function and one
//! line in the list; a kernel that no op runs fails a test.
//!
//! Both sides get the same f32 numbers, so what is compared are the roundings of the backend alone. `docs/numerics.md` explains the
//! bounds.

mod case;
mod elementwise;
mod gradient;
mod inputs;
mod kernels;
mod losses;
mod metrics;
mod optimizers;
mod pairs;
mod products;
mod report;
mod rows;
mod soft_nearest_neighbor;
mod special;
mod ulps;
mod zeros;

use std::fmt;
use std::ops::Range;

use crate::backend::pairwise::PairwiseError;
use crate::backend::{Backend, BackendError};
use crate::geometry::GeometryError;
use case::{Case, Results};
pub use elementwise::function_error;
pub use gradient::{Gradient, gradients};
pub use report::{CaseName, Check, Report};
use special::Asked;
pub use ulps::Ulps;

/// Compares a case's results with their bounds.
type Judge = Box<dyn Fn(&Case, &Results, &mut Report)>;

/// What is verified: a kernel, or a reduction over pairs, with its backward pass under a name of its own; or a metric.
#[derive(Clone, Copy)]
pub struct Op {
    /// As `--ops` has it.
    pub name: &'static str,
    work: Work,
}

#[derive(Clone, Copy)]
enum Work {
    /// Records kernels, and says how to judge them.
    Program(fn(&mut Case) -> Judge),
    /// NaN, infinities and the ends of f32, once.
    Special(fn(&mut Asked) -> Result<(), BackendError>),
    /// Reduces all pairs.
    Pairs(pairs::Reduction),
    /// Takes a metric of labelled rows.
    Metric(metrics::Measure),
}

impl Op {
    /// Whether it runs as a program of the backend; else it reduces pairs, or is a metric.
    pub fn is_program(&self) -> bool {
        !matches!(self.work, Work::Pairs(_) | Work::Metric(_))
    }
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Why something cannot be verified.
#[derive(Debug)]
pub enum VerifyError {
    /// There is no op of that name.
    UnknownOp {
        /// What was asked for.
        found: String,
    },
    /// The backend refuses a case that it should run.
    Backend {
        /// Which.
        case: CaseName,
        /// Why.
        source: BackendError,
    },
    /// A reduction over pairs refuses a case that it should run.
    Pairs {
        /// Which.
        case: CaseName,
        /// Why.
        source: PairwiseError,
    },
    /// A metric refuses a case in which its formula has a value.
    Metric {
        /// Which.
        case: CaseName,
        /// Why.
        source: GeometryError,
    },
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VerifyError::UnknownOp { found } => {
                let names: Vec<&str> = OPS.iter().map(|op| op.name).collect();
                write!(f, "'{found}' is no op, expected {}", names.join(", "))
            }
            VerifyError::Backend { case, source } => write!(f, "{case}: {source}"),
            VerifyError::Pairs { case, source } => write!(f, "{case}: {source}"),
            VerifyError::Metric { case, source } => write!(f, "{case}: {source}"),
        }
    }
}

impl std::error::Error for VerifyError {}

macro_rules! ops {
    ($kind:ident, $($room:ident: $($name:ident),+;)+) => {
        &[$($(Op { name: stringify!($name), work: Work::$kind($room::$name) },)+)+]
    };
}

/// Every op that is a kernel of programs.
const PROGRAMS: &[Op] = ops! { Program,
    elementwise: fill, add, accumulate, tanh, tanh_grad, relu, relu_grad, gelu, gelu_grad, sigmoid, sigmoid_grad, scale, scale_grad,
        subtract_constant, subtract_constant_grad, logistic, logistic_grad, hinge, hinge_grad, squared_hinge, squared_hinge_grad;
    products: dense, dense_input_grad, dense_weight_grad, dense_weight_and_bias_grad;
    zeros: dense_skipping, dense_weight_grad_skipping;
    rows: row_normalize, row_normalize_grad, row_sum, row_sum_grad, sum_squares, sum_squares_grad, gather, class_moments,
        error_count;
    soft_nearest_neighbor: soft_nearest_neighbor_rows, soft_nearest_neighbor_rows_grad;
    losses: softmax_cross_entropy, softmax_cross_entropy_grad, margin, squared_error, logit_penalty;
    optimizers: sgd, adam, rms_prop;
};

/// What becomes of numbers that are none, and of the largest and smallest.
const SPECIALS: &[Op] = ops! { Special,
    special: special_functions, special_losses, special_norms, special_masks, special_updates;
};

/// Every op.
pub static OPS: &[Op] = &all();

const COUNT: usize = PROGRAMS.len() + SPECIALS.len() + pairs::REDUCTIONS.len() + metrics::MEASURES.len();

const fn all() -> [Op; COUNT] {
    let lists: [&[Op]; 4] = [PROGRAMS, SPECIALS, &pairs::REDUCTIONS, &metrics::MEASURES];
    let mut ops = [PROGRAMS[0]; COUNT];
    let (mut n, mut list) = (0, 0);
    while list < lists.len() {
        let mut place = 0;
        while place < lists[list].len() {
            ops[n] = lists[list][place];
            (n, place) = (n + 1, place + 1);
        }
        list += 1;
    }
    ops
}

/// The ops of a list of names separated by commas, or `all`; in the order of [`OPS`]. A name stands for its gradient too if it
/// ends with a star: `tanh*`.
///
/// # Errors
/// [`VerifyError::UnknownOp`]
pub fn listed(list: &str) -> Result<Vec<&'static Op>, VerifyError> {
    if list.trim() == "all" {
        return Ok(OPS.iter().collect());
    }
    let mut asked = vec![false; OPS.len()];
    for name in list.split(',').map(str::trim) {
        let fits = |op: &Op| match name.strip_suffix('*') {
            Some(start) => op.name.starts_with(start),
            None => op.name == name,
        };
        let mut found = false;
        for (op, asked) in OPS.iter().zip(&mut asked) {
            (*asked, found) = (*asked || fits(op), found || fits(op));
        }
        if !found {
            return Err(VerifyError::UnknownOp { found: name.into() });
        }
    }
    Ok(OPS
        .iter()
        .zip(asked)
        .filter(|(_, asked)| *asked)
        .map(|(op, _)| op)
        .collect())
}

/// Runs every op on the cases of all these seeds, on the backend and on the reference, and compares. Eight seeds in a row have all kinds of numbers, ten have a case of thousands of rows.
///
/// # Errors
/// [`VerifyError::Backend`], [`VerifyError::Pairs`], [`VerifyError::Metric`] for a case that the backend or a metric refuses.
///
/// ```
/// use disentangle::backend::Cpu;
/// use disentangle::verify::{listed, verify};
///
/// let report = verify(&Cpu::new(1)?, &listed("tanh,dense")?, 0..8)?;
/// assert_eq!(report.within(), report.cases());
/// // The worst error of each result, in units of its bound.
/// assert!(report.checks.iter().all(|check| check.worst <= 1.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn verify(backend: &dyn Backend, ops: &[&'static Op], seeds: Range<u64>) -> Result<Report, VerifyError> {
    let mut report = Report::default();
    for op in ops {
        for seed in seeds.clone() {
            let name = CaseName { op: op.name, seed };
            report.begin(name);
            match &op.work {
                Work::Program(record) => {
                    let mut case = Case::new(seed);
                    let judge = record(&mut case);
                    let refused = |source| VerifyError::Backend { case: name, source };
                    judge(&case, &case.results(backend).map_err(refused)?, &mut report);
                }
                Work::Special(ask) => {
                    let mut asked = Asked {
                        backend,
                        report: &mut report,
                        op: op.name,
                    };
                    ask(&mut asked).map_err(|source| VerifyError::Backend { case: name, source })?;
                    // Nothing of it is random.
                    break;
                }
                Work::Pairs(reduction) => {
                    let refused = |source| VerifyError::Pairs { case: name, source };
                    pairs::judge(*reduction, backend, name, &mut report).map_err(refused)?;
                }
                Work::Metric(measure) => {
                    let refused = |source| VerifyError::Metric { case: name, source };
                    metrics::judge(measure, backend, name, &mut report).map_err(refused)?;
                }
            }
        }
    }
    Ok(report)
}

/// Whether the backend runs an op, asked with one small case; why not, where it does not.
pub fn support(backend: &dyn Backend, ops: &[&'static Op]) -> Vec<(&'static str, Result<(), VerifyError>)> {
    let ask = |op: &'static Op| {
        let name = CaseName { op: op.name, seed: 0 };
        let refused = |source| VerifyError::Backend { case: name, source };
        match &op.work {
            Work::Program(record) => {
                let mut case = Case::shaped(33, 5, 2);
                drop(record(&mut case));
                let mut run = case.ready(backend).map_err(refused)?;
                run().map_err(refused)
            }
            Work::Special(ask) => {
                let mut asked = Asked {
                    backend,
                    report: &mut Report::default(),
                    op: op.name,
                };
                ask(&mut asked).map_err(refused)
            }
            Work::Pairs(reduction) => {
                pairs::runs(*reduction, backend).map_err(|source| VerifyError::Pairs { case: name, source })
            }
            Work::Metric(measure) => {
                metrics::runs(measure, backend).map_err(|source| VerifyError::Metric { case: name, source })
            }
        }
    };
    ops.iter().map(|op| (op.name, ask(op))).collect()
}

/// An op on a size worth timing, ready to run.
pub struct Timed<'a> {
    /// The op.
    pub op: &'static str,
    /// On what, in words.
    pub shape: String,
    /// One run.
    pub run: Box<dyn FnMut() -> Result<(), VerifyError> + 'a>,
}

/// An op on 8192 rows of 64 columns (of pairs: 2048 rows, of pairs in a program fewer); none for what is no work but a question.
///
/// # Errors
/// [`VerifyError::Backend`], [`VerifyError::Pairs`], [`VerifyError::Metric`] for an op that the backend refuses, here or when it runs.
pub fn timed<'a>(backend: &'a dyn Backend, op: &'static Op) -> Result<Option<Timed<'a>>, VerifyError> {
    let name = CaseName { op: op.name, seed: 0 };
    let (shape, run): (String, Box<dyn FnMut() -> Result<(), VerifyError> + 'a>) = match &op.work {
        Work::Program(record) => {
            let refused = move |source| VerifyError::Backend { case: name, source };
            let mut case = Case::shaped(8192, 64, 1);
            drop(record(&mut case));
            let mut run = case.ready(backend).map_err(refused)?;
            let shape = format!("{} x {}", case.rows, case.cols);
            (shape, Box::new(move || run().map_err(refused)))
        }
        Work::Special(_) => return Ok(None),
        Work::Pairs(reduction) => {
            let refused = move |source| VerifyError::Pairs { case: name, source };
            let (shape, mut run) = pairs::timed(*reduction, backend);
            (shape, Box::new(move || run().map_err(refused)))
        }
        Work::Metric(measure) => {
            let refused = move |source| VerifyError::Metric { case: name, source };
            let (shape, mut run) = metrics::timed(measure, backend).map_err(refused)?;
            (shape, Box::new(move || run().map_err(refused)))
        }
    };
    Ok(Some(Timed {
        op: op.name,
        shape,
        run,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::program::{BufferId, EntryId, Program, RowSpace};
    use crate::backend::{Cpu, Executable, Pairwise, Reference, Step};

    /// Cases of each op; every eighth has the same kind of numbers, every tenth thousands of rows.
    const CASES: u64 = 80;

    /// The ops of a list on the CPU: every case within its bound, and none without a comparison.
    fn hold(ops: &[&'static Op]) -> Report {
        let report = verify(&Cpu::new(2).unwrap(), ops, 0..CASES).unwrap();
        let failures: Vec<&String> = report.checks.iter().flat_map(|check| &check.failures).collect();
        assert!(failures.is_empty(), "{failures:#?}");
        for op in ops {
            let compared = report
                .checks
                .iter()
                .any(|check| check.what.starts_with(op.name) && check.judged > 0);
            assert!(compared, "{}: nothing was compared", op.name);
        }
        assert_eq!(report.within(), report.cases());
        report
    }

    /// A test for each part of the list, so that one can be asked for; together they have every op, once.
    macro_rules! parts {
        ($($name:ident: $which:expr),+ $(,)?) => {
            const PARTS: &[(&str, fn(&Op) -> bool)] = &[$((stringify!($name), $which)),+];

            mod cpu_is_within_its_bounds {
                $(#[test]
                fn $name() {
                    let (_, which) = super::PARTS.iter().find(|(name, _)| *name == stringify!($name)).unwrap();
                    super::hold(&super::OPS.iter().filter(|op| which(op)).collect::<Vec<_>>());
                })+
            }
        };
    }

    fn starts_with(op: &Op, with: &[&str]) -> bool {
        with.iter().any(|start| op.name.starts_with(start))
    }

    parts! {
        dense_layers: |op| starts_with(op, &["dense"]) && !op.name.contains("skipping"),
        skipping: |op| starts_with(op, &["dense"]) && op.name.contains("skipping"),
        rows: |op| starts_with(op, &["row_normalize", "row_sum", "sum_squares", "gather", "class_moments", "error_count"])
            && op.is_program(),
        losses: |op| starts_with(op, &["softmax", "margin", "squared_error", "logit"]),
        soft_nearest_neighbor_of_rows: |op| starts_with(op, &["soft_nearest_neighbor_rows"]),
        optimizers: |op| starts_with(op, &["sgd", "adam", "rms_prop"]),
        special: |op| starts_with(op, &["special"]),
        class_sums: |op| starts_with(op, &["class_"]) && !op.is_program() && !op.name.ends_with("grad"),
        row_sums: |op| starts_with(op, &["row_"]) && !op.is_program() && !op.name.ends_with("grad"),
        gradients_of_sums: |op| starts_with(op, &["class_", "row_"]) && !op.is_program() && op.name.ends_with("grad"),
        neighbors: |op| starts_with(op, &["nearest"]),
        soft_nearest_neighbor: |op| starts_with(op, &["soft_nearest_neighbor"]) && !op.is_program(),
        metrics: |op| starts_with(op, &["metric_"]),
        elementwise: |op| starts_with(op, &["fill", "add", "accumulate", "tanh", "relu", "gelu", "sigmoid", "scale", "subtract",
            "logistic", "hinge", "squared_hinge"]),
    }

    #[test]
    fn every_op_has_its_part_and_every_kernel_an_op() {
        for op in OPS {
            let parts: Vec<&str> = PARTS
                .iter()
                .filter(|(_, which)| which(op))
                .map(|(name, _)| *name)
                .collect();
            assert_eq!(parts.len(), 1, "{op:?}: {parts:?}");
        }
        let programs: Vec<&'static Op> = OPS.iter().filter(|op| op.is_program()).collect();
        let report = verify(&Cpu::new(1).unwrap(), &programs, 0..3).unwrap();
        assert_eq!(
            report.kernels().len(),
            kernels::KERNELS,
            "a kernel without an op: {:?}",
            report.kernels()
        );
    }

    #[test]
    fn a_list_of_ops_by_name() {
        let names = |list: &str| listed(list).unwrap().iter().map(|op| op.name).collect::<Vec<_>>();
        assert_eq!(names("tanh_grad, tanh"), ["tanh", "tanh_grad"]);
        assert_eq!(names("hinge*"), ["hinge", "hinge_grad"]);
        assert_eq!(names("all").len(), OPS.len());
        assert!(matches!(listed("tanh,"), Err(VerifyError::UnknownOp { .. })));
    }

    /// The reference, but for the last number of what it computes.
    struct Slip;

    struct Slipping(Box<dyn Executable>);

    impl Backend for Slip {
        fn name(&self) -> &'static str {
            "slip"
        }

        fn load(&self, program: Program) -> Result<Box<dyn Executable>, BackendError> {
            Ok(Box::new(Slipping(Reference.load(program)?)))
        }

        fn pairs(&self) -> &dyn Pairwise {
            &Reference
        }
    }

    impl Executable for Slipping {
        fn program(&self) -> &Program {
            self.0.program()
        }

        fn set_rows(&mut self, space: RowSpace, rows: usize) -> Result<(), BackendError> {
            self.0.set_rows(space, rows)
        }

        fn rows(&self, space: RowSpace) -> usize {
            self.0.rows(space)
        }

        fn write(&mut self, buffer: BufferId, values: &[f64]) -> Result<(), BackendError> {
            self.0.write(buffer, values)
        }

        fn write_index(&mut self, buffer: BufferId, values: &[u32]) -> Result<(), BackendError> {
            self.0.write_index(buffer, values)
        }

        fn read(&self, buffer: BufferId, values: &mut [f64]) -> Result<(), BackendError> {
            self.0.read(buffer, values)?;
            if let Some(last) = values.last_mut() {
                *last += 1e-3;
            }
            Ok(())
        }

        fn read_index(&self, buffer: BufferId, values: &mut [u32]) -> Result<(), BackendError> {
            self.0.read_index(buffer, values)
        }

        fn run(&mut self, entry: EntryId, step: Step) -> Result<(), BackendError> {
            self.0.run(entry, step)
        }
    }

    #[test]
    fn the_reference_agrees_with_itself_and_one_wrong_number_is_found() {
        let ops = listed("tanh,dense").unwrap();
        let report = verify(&Reference, &ops, 0..8).unwrap();
        assert!(
            report
                .checks
                .iter()
                .all(|check| check.worst == 0.0 && check.within == check.cases)
        );
        assert_eq!(report.cases(), 16);
        let report = verify(&Slip, &ops, 0..2).unwrap();
        for check in &report.checks {
            assert_eq!((check.within, check.cases), (0, 2), "{check:?}");
            assert_eq!(check.failures.len(), 2);
            assert!(check.worst > 1.0 && check.worst_case.is_some());
        }
        assert!(support(&Slip, &ops).iter().all(|(_, runs)| runs.is_ok()));
    }
}
