//! One step of every optimiser, on parameters, gradients and states of any size.

use disentangle::backend::kernel::{Kernel, UpdateRule};
use disentangle::backend::{Backend, BufferId};

use crate::case::{Case, ETA, Results, U};
use crate::data::Data;
use crate::judge::{Report, finite};

/// Parameter, gradient and states; states that are means of squares must not be negative.
fn operands(case: &mut Case, states: usize, squares: Option<usize>) -> (BufferId, BufferId, Vec<BufferId>) {
    let (rows, cols) = (case.between(1, 30), case.cols);
    let parameter = case.parameter(rows, cols);
    let gradient = case.parameter(rows, cols);
    let states: Vec<BufferId> = (0..states).map(|_| case.parameter(rows, cols)).collect();
    if let Some(k) = squares {
        case.map(states[k], |_, v| v.abs());
    }
    (parameter, gradient, states)
}

fn push(case: &mut Case, rule: UpdateRule, parameter: BufferId, gradient: BufferId, states: &[BufferId]) {
    case.push(Kernel::Update {
        rule,
        parameter,
        gradient,
        states: states.to_vec(),
    });
}

/// g + decay w: the decay, its product, the sum (3); v = momentum v + g: one more (4), or the momentum's own path (3);
/// nesterov's g + momentum v: the momentum and its product on top of v's, the sum (7); the rate, its product, the
/// difference (3): 10 at most. With dyadic constants and integers all is exact.
pub fn sgd(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
    let integers = case.data == Data::Integers;
    let (momentum, weight_decay) = if integers {
        (case.pick(&[0.0, 0.5]), case.pick(&[0.0, 0.25]))
    } else {
        (case.pick(&[0.0, 0.9]), case.pick(&[0.0, 0.01]))
    };
    let rule = UpdateRule::Sgd {
        momentum,
        nesterov: momentum != 0.0 && case.flag(),
        weight_decay,
    };
    case.step.learning_rate = if integers { 0.125 } else { 0.1 };
    let (parameter, gradient, states) = operands(case, rule.states(), None);
    push(case, rule, parameter, gradient, &states);
    let results = case.results(tested);
    report.sum("sgd", &results, case, parameter, 10, 10);
    for state in states {
        report.sum("sgd: velocity", &results, case, state, 4, 3);
    }
}

/// Errors of an adaptive rule's parts, from the operands of one element.
struct Adaptive {
    /// The gradient that enters: exact size and error.
    gradient: (f64, f64),
    /// The mean square: value and error.
    square: (f64, f64),
}

/// g + decay w with 3 roundings (of |g| + decay |w|), and v = a v + n g^2: a, n and three products are rounded, and g's
/// error counts 2 |g|. Squares below the smallest number are lost.
fn adaptive(g: f64, w: f64, v: f64, decay: f64, alpha: f64) -> Adaptive {
    let size = g.abs() + decay * w.abs();
    let error = 3.0 * U * size + ETA;
    let sum = g + decay * w;
    let keep = alpha * v;
    let add = (1.0 - alpha) * sum * sum;
    let square_error =
        3.0 * U * keep + 5.0 * U * add + (1.0 - alpha) * (2.0 * sum.abs() * error + error * error) + 3.0 * ETA;
    Adaptive {
        gradient: (size, error),
        square: (keep + add, square_error),
    }
}

/// The error of sqrt(v) + epsilon: |sqrt(v + e) - sqrt(v)| <= min(sqrt e, e / sqrt v), the root's rounding, epsilon's, the
/// sum's.
fn denominator((v, error): (f64, f64), epsilon: f64) -> (f64, f64) {
    let root = v.sqrt();
    let moved = if root > 0.0 {
        error.sqrt().min(error / root)
    } else {
        error.sqrt()
    };
    let value = root + epsilon;
    (value, moved + U * root + U * epsilon + U * value)
}

/// The error of n / d, with both in error, rounded.
fn quotient((n, n_error): (f64, f64), (d, d_error): (f64, f64)) -> f64 {
    let d_low = (d - d_error).max(d * 0.5);
    n_error / d_low + n * d_error / (d * d_low) + U * n / d + ETA
}

fn judge(
    report: &mut Report,
    what: &str,
    results: &Results,
    case: &Case,
    id: BufferId,
    bound: impl Fn(usize, usize, usize) -> (f64, f64),
) {
    report.judge(what, results, case, id, |r, i, j| {
        let (error, size) = bound(r, i, j);
        // Terms of second order.
        finite(error * (1.0 + 64.0 * U), size)
    });
}

/// See the helpers above; m = b1 m + n1 g: 3 roundings of the first term, 3 of the second beside g's own; the corrections
/// c1, c2 are rounded and divided by (2 more), the rate, its product and the difference 3, the decay of AdamW 4.
pub fn adam(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
    let decoupled = case.flag();
    let (weight_decay, epsilon) = (case.pick(&[0.0, 0.01]), case.pick(&[1e-8, 1e-3]));
    let (beta1, beta2) = case.pick(&[(0.9, 0.999), (0.8, 0.99), (0.0, 0.9)]);
    let rule = UpdateRule::Adam {
        beta1,
        beta2,
        epsilon,
        weight_decay,
        decoupled,
    };
    case.step.learning_rate = 0.01;
    let (parameter, gradient, states) = operands(case, 2, Some(1));
    push(case, rule, parameter, gradient, &states);
    let results = case.results(tested);
    let [w, g, m, v] = [parameter, gradient, states[0], states[1]].map(|id| case.given(id));
    let lr = case.step.learning_rate;
    let t = case.step.number as i32;
    let (c1, c2) = (1.0 - beta1.powi(t), 1.0 - beta2.powi(t));
    let parts = |r, i, j| {
        let (w, g, m, v) = (w.at(r, i, j), g.at(r, i, j), m.at(r, i, j), v.at(r, i, j));
        let a = adaptive(g, w, v, if decoupled { 0.0 } else { weight_decay }, beta2);
        let (keep, add) = (beta1 * m.abs(), (1.0 - beta1) * a.gradient.0);
        let moment = (
            keep + add,
            3.0 * U * (keep + add) + (1.0 - beta1) * a.gradient.1 + 2.0 * ETA,
        );
        (w.abs(), moment, a)
    };
    judge(report, "adam: first moment", &results, case, states[0], |r, i, j| {
        let (_, moment, _) = parts(r, i, j);
        (moment.1, moment.0)
    });
    judge(report, "adam: second moment", &results, case, states[1], |r, i, j| {
        let (_, _, a) = parts(r, i, j);
        (a.square.1, a.square.0)
    });
    judge(report, "adam", &results, case, parameter, |r, i, j| {
        let (w, (m, m_error), a) = parts(r, i, j);
        let (v, v_error) = a.square;
        // Below the normal numbers m / c1 and its product with the rate err by half a step each.
        let m_hat = (m / c1, m_error / c1 + 2.0 * U * m / c1 + 0.5 * ETA + 0.5 * ETA / lr);
        let v_hat = (v / c2, v_error / c2 + 2.0 * U * v / c2 + ETA);
        let d = denominator(v_hat, epsilon);
        let step = lr * m_hat.0 / d.0;
        // lr (m / c1) / d: the rate and its product on top of the quotient.
        let error = lr * quotient(m_hat, d) + 3.0 * U * step;
        let shrink = if decoupled { lr * weight_decay * w } else { 0.0 };
        (
            error + 4.0 * U * shrink + U * (w + shrink) + U * (w + shrink + step),
            v_hat.0 + w + step + m_hat.0,
        )
    });
}

/// See the helpers above; b = momentum b + g / (sqrt v + epsilon): the momentum, its product and the sum, then the rate, its
/// product and the difference.
pub fn rms_prop(case: &mut Case, tested: &dyn Backend, report: &mut Report) {
    let (alpha, epsilon) = (case.pick(&[0.99, 0.9]), case.pick(&[1e-8, 1e-3]));
    let (momentum, weight_decay) = (case.pick(&[0.0, 0.9]), case.pick(&[0.0, 0.01]));
    let rule = UpdateRule::RmsProp {
        alpha,
        epsilon,
        momentum,
        weight_decay,
    };
    case.step.learning_rate = 0.01;
    let (parameter, gradient, states) = operands(case, rule.states(), Some(0));
    push(case, rule, parameter, gradient, &states);
    let results = case.results(tested);
    let [w, g, v] = [parameter, gradient, states[0]].map(|id| case.given(id));
    let b = states.get(1).map(|&b| case.given(b));
    let lr = case.step.learning_rate;
    let scaled = |r, i, j| {
        let a = adaptive(g.at(r, i, j), w.at(r, i, j), v.at(r, i, j), weight_decay, alpha);
        let d = denominator(a.square, epsilon);
        let (value, error) = (a.gradient.0 / d.0, quotient(a.gradient, d));
        let old = b.as_ref().map_or(0.0, |b| momentum * b.at(r, i, j).abs());
        (old + value, error + 2.0 * U * old + U * (old + value) + ETA, a.square)
    };
    judge(report, "rms_prop: mean square", &results, case, states[0], |r, i, j| {
        let (_, _, (square, error)) = scaled(r, i, j);
        (error, square)
    });
    if let Some(&buffer) = states.get(1) {
        judge(report, "rms_prop: buffer", &results, case, buffer, |r, i, j| {
            let (value, error, (square, _)) = scaled(r, i, j);
            (error, value + square)
        });
    }
    judge(report, "rms_prop", &results, case, parameter, |r, i, j| {
        let (value, error, (square, _)) = scaled(r, i, j);
        let (w, step) = (w.at(r, i, j).abs(), lr * value);
        (lr * error + 2.0 * U * step + U * (w + step), w + value + square)
    });
}
