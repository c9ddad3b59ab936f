//! Functions of one number and their derivatives, sums, multiples.
//!
//! What the library functions err by: exp and ln_1p at most 1 ulp, which is at most 2 u of the result, erfcf at most 2 ulp
//! (4 u), tanh `TANH_ULP` ulps. An error e of an argument t becomes |t f'(t) / f(t)| e / |t| of the result.

use disentangle::backend::Backend;
use disentangle::backend::cpu::math::{EXP_ULP, TANH_ULP};
use disentangle::backend::kernel::{Kernel, Unary, Write};

use crate::case::{Case, ETA, U};
use crate::data::Data;
use crate::judge::{Report, finite};

/// The constant is rounded.
pub fn fill(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
    let value = case.pick(&[0.0, 1.0, -2.5, 0.1, 1e-40]);
    let replicated = case.flag();
    let y = case.result(case.cols, replicated);
    case.push(Kernel::Fill { y, value });
    report.judge("fill", &case.results(tested), case, y, |_, _, _| {
        U * value.abs() + 0.5 * ETA
    });
}

/// The factor, the product, the sum: 3 roundings.
pub fn add(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
    let exact = case.data == Data::Integers;
    let factor = if exact {
        -2.0
    } else {
        case.pick(&[1.0, -1.0, 0.3, -7.1])
    };
    let (a_own, b_own) = (case.flag(), case.flag());
    let cols = case.cols;
    let (a, b) = (case.x(cols, a_own), case.x(cols, b_own));
    let y = case.result(cols, a_own || b_own);
    case.push(Kernel::Add { a, b, factor, y });
    report.sum("add", &case.results(tested), case, y, 3, 1);
}

/// The factor, the product, the old value: 3 roundings.
pub fn accumulate(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
    let exact = case.data == Data::Integers;
    let factor = if exact {
        -2.0
    } else {
        case.pick(&[1.0, -1.0, 0.3, -7.1])
    };
    let x = case.x(case.cols, true);
    let y = case.target(case.cols);
    case.push(Kernel::Accumulate { x, factor, y });
    report.sum("accumulate", &case.results(tested), case, y.buffer, 3, 1);
}

fn function(case: &mut Case) -> Unary {
    // Thresholds that f32 has: the kink is then at the same place.
    let h = case.pick(&[1.0, 0.75, 0.0, -0.5, 2.5]);
    // Other constants are rounded to f32.
    let a = if case.data == Data::Integers {
        -3.0
    } else {
        case.pick(&[0.1, -2.0, 3.7])
    };
    case.pick(&[
        Unary::Tanh,
        Unary::Relu,
        Unary::Gelu,
        Unary::Sigmoid,
        Unary::Scale(a),
        Unary::SubtractConstant(a),
        Unary::Logistic,
        Unary::Hinge(h),
        Unary::SquaredHinge(h),
    ])
}

fn name(function: Unary) -> String {
    let name = format!("{function:?}").to_lowercase();
    name.split('(').next().unwrap_or_default().to_string()
}

/// Bound of f(x) as computed, given its exact value.
fn value_error(function: Unary, x: f64, y: f64) -> f64 {
    let (u, size) = (U, y.abs());
    match function {
        Unary::Relu => 0.0,
        Unary::Tanh => TANH_ULP * 2.0 * u * size + ETA,
        // -x / sqrt 2 has two roundings (the constant's and its own), and erfc magnifies them by at most x^2 + 1: 2 u each
        // time; erfcf itself, and the product with x. A subnormal erfcf errs by 2 steps.
        Unary::Gelu => u * size * (2.0 * (x * x + 1.0) + 4.0 + 1.0) + 2.0 * ETA * (x.abs() + 1.0),
        Unary::Sigmoid => SIGMOID * u * size + 2.0 * ETA,
        Unary::Scale(_) => 2.0 * u * size + ETA,
        Unary::SubtractConstant(c) => u * (c.abs() + size) * (1.0 + u),
        // exp 2 u (ln_1p damps it), ln_1p 2 u, the sum.
        Unary::Logistic => 6.0 * u * size + 2.0 * ETA,
        Unary::Hinge(_) => u * size,
        // The difference's rounding counts twice, the square's once.
        Unary::SquaredHinge(_) => 3.0 * u * size * (1.0 + u) + ETA,
    }
}

/// y = f(x)
pub fn unary(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
    let (function, own) = (function(case), case.flag());
    let x = case.x(case.cols, own);
    let y = case.result(case.cols, own);
    case.push(Kernel::Unary { function, x, y });
    let results = case.results(tested);
    let (given, exact) = (case.given(x), results.exact(y));
    let rational = !matches!(function, Unary::Tanh | Unary::Gelu | Unary::Sigmoid | Unary::Logistic);
    report.judge(&name(function), &results, case, y, |r, i, j| {
        if rational && case.data == Data::Integers {
            return 0.0;
        }
        let (x, y) = (given.at(r, i, j), exact.at(r, i, j));
        finite(value_error(function, x, y), y.abs())
    });
}

/// Error of a sigmoid in u: the exponential (an ulp is at most 2 u), which the sum damps, the sum, the quotient.
const SIGMOID: f64 = 2.0 * EXP_ULP + 2.0;

/// The exact derivative and the error of the computed one.
fn slope(function: Unary, x: f64) -> (f64, f64) {
    let sigmoid = |x: f64| {
        if x < 0.0 {
            x.exp() / (1.0 + x.exp())
        } else {
            1.0 / (1.0 + (-x).exp())
        }
    };
    match function {
        Unary::Relu | Unary::SubtractConstant(_) | Unary::Hinge(_) => (1.0, 0.0),
        // From y = tanh x: y's error counts 2 |y| times, then 1 - y, 1 + y and their product; the reference's own 1 - y^2
        // has an absolute rounding of f64.
        Unary::Tanh => {
            let y = x.tanh().abs();
            let own = TANH_ULP * 2.0 * U * y;
            let slope = (1.0 - y) * (1.0 + y);
            (slope, 2.0 * y * own + own * own + 3.0 * U * slope + 4.0 * f64::EPSILON)
        }
        // Two sigmoids and their product.
        Unary::Sigmoid => {
            let slope = sigmoid(x) * sigmoid(-x);
            (slope, (2.0 * SIGMOID + 1.0) * U * slope + 4.0 * ETA)
        }
        Unary::Logistic => (sigmoid(-x), SIGMOID * U * sigmoid(-x) + 2.0 * ETA),
        // cdf as above; x density: the square's rounding counts x^2 / 2 times, exp 2 u, the constant's and two products; the
        // sum of the two may cancel.
        Unary::Gelu => {
            let cdf = 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
            let density = x.abs() * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let errors = cdf * (2.0 * (x * x + 1.0) + 4.0) + density * (0.5 * x * x + 6.0) + cdf + density;
            (cdf + density, U * errors + 2.0 * ETA * (x.abs() + 2.0))
        }
        Unary::Scale(a) => (a.abs(), U * a.abs()),
        Unary::SquaredHinge(h) => (2.0 * (h - x).max(0.0), 2.0 * U * (h - x).max(0.0)),
    }
}

/// dx (=, +=) f'(x) dy: the slope's error, the product, the old value.
pub fn unary_grad(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
    let (function, cols) = (function(case), case.cols);
    let x = case.x(cols, true);
    let dy = case.x(cols, true);
    let y = case.result(cols, true);
    let dx = case.target(cols);
    case.push(Kernel::Unary { function, x, y });
    case.push(Kernel::UnaryGrad { function, x, y, dy, dx });
    let results = case.results(tested);
    let (x, dy, old) = (case.given(x), case.given(dy), case.given(dx.buffer));
    let rational = !matches!(function, Unary::Tanh | Unary::Gelu | Unary::Sigmoid | Unary::Logistic);
    report.judge(
        &format!("{} grad", name(function)),
        &results,
        case,
        dx.buffer,
        |r, i, j| {
            if rational && case.data == Data::Integers {
                return 0.0;
            }
            let (slope, error) = slope(function, x.at(r, i, j));
            let dy = dy.at(r, i, j).abs();
            let product = slope * dy;
            let set = error * dy + U * product + ETA;
            match dx.write {
                Write::Set => finite(set, product),
                Write::Add => {
                    let magnitude = old.at(r, i, j).abs() + product;
                    finite(set + U * magnitude * (1.0 + 8.0 * U), magnitude)
                }
            }
        },
    );
}
