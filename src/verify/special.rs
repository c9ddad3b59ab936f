//! NaN, infinities and the ends of f32: a backend must say what the reference says.

use crate::backend::kernel::{Divisor, Kernel, Target, Unary, UpdateRule, Write};
use crate::backend::{Backend, BackendError, BufferId};

use super::case::{Case, ETA, U};
use super::report::Report;

/// The same kind of number: NaN for NaN, an infinity (or what rounds to it) for that infinity, else near it. How near is
/// judged elsewhere, on ordinary numbers; here the argument's size x may magnify a rounding x^2 times, and `absolute` is
/// allowed on top.
fn same(got: f64, want: f64, x: f64, absolute: f64) -> bool {
    let rounded = f64::from(want as f32);
    if !rounded.is_finite() {
        return got.is_nan() == rounded.is_nan() && (rounded.is_nan() || got == rounded);
    }
    let x = if x.is_finite() { x.abs().min(20.0) } else { 0.0 };
    (got - want).abs() <= 16.0 * U * (1.0 + x * x) * want.abs() + 4.0 * ETA * (1.0 + x) + absolute.max(0.0)
}

/// Who is compared, and who is told.
pub(super) struct Asked<'a> {
    pub(super) backend: &'a dyn Backend,
    pub(super) report: &'a mut Report,
    /// The op's name.
    pub(super) op: &'static str,
}

impl Asked<'_> {
    /// Runs the case and compares each result with the reference's; `x` shows the operand that led to it.
    fn compare(&mut self, what: &str, case: &Case, results: &[BufferId], x: BufferId) -> Result<(), BackendError> {
        self.compare_within(0.0, what, case, results, x)
    }

    fn compare_within(
        &mut self,
        absolute: f64,
        what: &str,
        case: &Case,
        results: &[BufferId],
        x: BufferId,
    ) -> Result<(), BackendError> {
        let outcome = case.results(self.backend)?;
        let x = case.given(x);
        for &id in results {
            let (got, want) = (outcome.got(id), outcome.exact(id));
            let own = |n: usize| {
                let (r, i, j) = (n / (got.rows * got.cols), n / got.cols % got.rows, n % got.cols);
                let row = if x.rows == got.rows { x.row(r, i) } else { &x.values[..] };
                (r, row, j, row.get(j).copied().unwrap_or(0.0))
            };
            self.report.hold(
                self.op,
                (&got.values, &want.values),
                |n, g, w| same(g, w, own(n).3, absolute),
                |n| {
                    let (r, row, j, _) = own(n);
                    format!("{what}: replica {r}, {row:?} column {j}")
                },
            );
        }
        Ok(())
    }
}

fn rows(case: &mut Case, cols: usize, values: &[f64]) -> BufferId {
    case.rows_of(cols, true, |_, n| {
        (0..n).map(|i| f64::from(values[i % values.len()] as f32)).collect()
    })
}

fn set(buffer: BufferId) -> Target {
    Target {
        buffer,
        write: Write::Set,
    }
}

/// Functions of one number and their derivatives at the ends of f32.
pub(super) fn special_functions(asked: &mut Asked) -> Result<(), BackendError> {
    let values = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        0.0,
        -0.0,
        ETA,
        -ETA,
        1e-40,
        -1e-40,
        1e38,
        -1e38,
        1.0,
        -1.0,
        -5.0,
        -12.0,
        -13.8,
        -15.0,
        15.0,
        // From here on e^-x overflows, while the sigmoid is a subnormal number until -103.97.
        -88.0,
        -89.0,
        -95.0,
        -103.5,
        -104.5,
        88.0,
        95.0,
        103.5,
        200.0,
        -200.0,
    ];
    let functions = [
        Unary::Tanh,
        Unary::Relu,
        Unary::Gelu,
        Unary::Sigmoid,
        Unary::Scale(-3.0),
        Unary::SubtractConstant(0.5),
        Unary::Logistic,
        Unary::Hinge(1.0),
        Unary::SquaredHinge(1.0),
    ];
    for function in functions {
        let smooth = matches!(function, Unary::Tanh | Unary::Gelu | Unary::Sigmoid | Unary::Logistic);
        for slope in [1.0, 0.0, 1e-30, f64::NAN, f64::INFINITY] {
            // Infinity times a derivative that is 0 in f32 and 1e-60 in f64 is another thing.
            if smooth && slope == f64::INFINITY {
                continue;
            }
            let mut case = Case::shaped(values.len(), 1, 1);
            let x = rows(&mut case, 1, &values);
            let dy = rows(&mut case, 1, &[slope]);
            let (y, dx) = (case.result(1, true), case.result(1, true));
            case.push(Kernel::Unary { function, x, y });
            let dx = set(dx);
            case.push(Kernel::UnaryGrad { function, x, y, dy, dx });
            let what = format!("{function:?} with slope {slope}");
            asked.compare(&what, &case, &[y], x)?;
            // tanh' is 1 - y^2 of a rounded y.
            let absolute = if function == Unary::Tanh { 8.0 * U * slope } else { 0.0 };
            asked.compare_within(absolute, &what, &case, &[dx.buffer], x)?;
        }
    }
    Ok(())
}

/// Every row of `cols` of these, each in a replica of its own, so that counts are counts of one row.
fn every_row(cols: usize) -> Vec<f64> {
    let values = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        0.0,
        1.0,
        -2.0,
        3e38,
        -3e38,
        1e-40,
    ];
    let n = values.len();
    (0..n.pow(cols as u32))
        .flat_map(|k| (0..cols).map(move |j| values[k / n.pow(j as u32) % n]))
        .collect()
}

/// Losses, margins and error counts of every row and label of special numbers.
pub(super) fn special_losses(asked: &mut Asked) -> Result<(), BackendError> {
    for cols in 1..=3 {
        let values = every_row(cols);
        let replicas = values.len() / cols;
        for label in 0..cols.max(2) {
            let start = |name: &str| {
                let mut case = Case::shaped(1, cols, replicas);
                let x = rows(&mut case, cols, &values);
                let labels = case.index(if name == "cross-entropy" { cols } else { cols.max(2) }, true);
                case.set_index(labels, vec![label as u32; replicas]);
                let dy = rows(&mut case, 1, &[0.5]);
                let y = case.result(1, true);
                let dx = set(case.result(cols, true));
                (case, x, labels, dy, y, dx)
            };
            if label < cols {
                let (mut case, x, labels, dy, y, dx) = start("cross-entropy");
                case.push(Kernel::SoftmaxCrossEntropy { x, labels, y });
                case.push(Kernel::SoftmaxCrossEntropyGrad { x, labels, dy, dx });
                asked.compare(&format!("cross-entropy of label {label}"), &case, &[y, dx.buffer], x)?;
            }
            let (mut case, x, labels, dy, y, dx) = start("margin");
            case.push(Kernel::Margin { x, labels, y });
            case.push(Kernel::MarginGrad { x, labels, dy, dx });
            let counts = case.wide(1, 2, true);
            case.push(Kernel::ErrorCount {
                x,
                labels,
                weights: None,
                counts,
            });
            asked.compare(&format!("margin of label {label}"), &case, &[y, dx.buffer, counts], x)?;
            let (mut case, x, _, dy, y, dx) = start("squared error");
            let target = rows(&mut case, cols, &[label as f64]);
            case.push(Kernel::SquaredError { x, target, y });
            case.push(Kernel::SquaredErrorGrad { x, target, dy, dx });
            asked.compare(&format!("squared error from {label}"), &case, &[y, dx.buffer], x)?;
        }
    }
    Ok(())
}

/// Rows of any size are normalised.
pub(super) fn special_norms(asked: &mut Asked) -> Result<(), BackendError> {
    let values = [
        [3e30, 4e30],
        [3e-40, 4e-40],
        [ETA, 0.0],
        [ETA, ETA],
        [2e38, -2e38],
        [1e30, 1e-40],
        [0.0, -0.0],
        [f64::INFINITY, 1.0],
        [f64::NEG_INFINITY, f64::INFINITY],
        [f64::NAN, 1.0],
        [0.0, f64::NAN],
    ];
    let mut case = Case::shaped(1, 2, values.len());
    let x = rows(&mut case, 2, &values.concat());
    // Small enough that the gradient of the smallest row is a number.
    let dy = rows(&mut case, 2, &[1e-20, 0.0]);
    let (y, norms, count) = (case.result(2, true), case.result(1, true), case.wide(1, 1, true));
    let dx = set(case.result(2, true));
    case.push(Kernel::RowNormalize { x, y, norms });
    case.push(Kernel::ZeroRows { norms, count });
    asked.compare("row_normalize", &case, &[y, norms, count], x)?;
    // The norm of a subnormal row is itself subnormal, with as few digits: two rows are beyond comparison.
    case.map(x, |n, v| {
        if v.abs() > 0.0 && v.abs() < 1e-37 && n < 8 {
            1e-30 * (1.0 + n as f64)
        } else {
            v
        }
    });
    case.push(Kernel::RowNormalizeGrad { y, norms, dy, dx });
    asked.compare("row_normalize grad", &case, &[dx.buffer], x)?;
    Ok(())
}

/// Masked rows may hold anything, and a total of zero gives zero.
pub(super) fn special_masks(asked: &mut Asked) -> Result<(), BackendError> {
    let nan = f64::NAN;
    // Numbers, weights, total.
    let cases: [([f64; 3], [f64; 3], f64); 7] = [
        ([1.0, nan, 2.0], [1.0, 0.0, 1.0], 2.0),
        ([1.0, f64::INFINITY, 2.0], [1.0, 0.0, 1.0], 2.0),
        ([1.0, nan, 2.0], [1.0, 1.0, 1.0], 3.0),
        ([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], 0.0),
        ([1.0, 2.0, 3.0], [1.0, nan, 1.0], nan),
        ([1.0, 2.0, 3.0], [1e-40, 2e-40, 0.0], 3e-40),
        ([1e38, 2e38, 3e38], [1.0, 1.0, 1.0], 3.0),
    ];
    for (values, mask, total) in cases {
        let mut case = Case::shaped(3, 1, 1);
        let x = rows(&mut case, 1, &values);
        let weights = Some(rows(&mut case, 1, &mask));
        let total = case.whole(1, 1, true, |_, n| vec![f64::from(total as f32); n]);
        let dy = case.whole(1, 1, true, |_, n| vec![1.0; n]);
        let divisor = Divisor::Total(total);
        let (y, dx) = (case.scalar(true), set(case.result(1, true)));
        case.push(Kernel::RowSum { x, weights, divisor, y });
        case.push(Kernel::RowSumGrad {
            dy,
            weights,
            divisor,
            dx,
        });
        asked.compare(
            &format!("row sum of {values:?} with {mask:?}"),
            &case,
            &[y, dx.buffer],
            x,
        )?;
    }
    Ok(())
}

/// A gradient that is no number reaches its parameter.
pub(super) fn special_updates(asked: &mut Asked) -> Result<(), BackendError> {
    let rules = [
        UpdateRule::Sgd {
            momentum: 0.9,
            nesterov: true,
            weight_decay: 0.0,
        },
        UpdateRule::Adam {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.01,
            decoupled: false,
        },
        UpdateRule::RmsProp {
            alpha: 0.99,
            epsilon: 1e-8,
            momentum: 0.0,
            weight_decay: 0.0,
        },
    ];
    for rule in rules {
        let mut case = Case::shaped(1, 1, 1);
        let given = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, 1.0, 1e-40];
        let gradient = case.whole(1, given.len(), true, |_, _| given.map(|v| f64::from(v as f32)).to_vec());
        let parameter = case.whole(1, given.len(), true, |_, n| vec![1.0; n]);
        let states: Vec<BufferId> = (0..rule.states())
            .map(|_| case.whole(1, given.len(), true, |_, n| vec![0.5; n]))
            .collect();
        case.push(Kernel::Update {
            rule,
            parameter,
            gradient,
            states,
        });
        asked.compare(&format!("{rule:?}"), &case, &[parameter], gradient)?;
    }
    Ok(())
}
