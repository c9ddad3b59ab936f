//! The reference kernels against numbers that were computed without them: closed forms, and literals of 17 digits from
//! arithmetic with 60 and more. If the reference is the definition of every op, this is where the definition is checked.

// The literals stand as the other arithmetic printed them.
#![allow(clippy::excessive_precision)]

use disentangle::autograd::{AutogradError, Entry, Graph, Plan, Session, Training, Value};
use disentangle::backend::kernel::UpdateRule;
use disentangle::backend::pairwise::{Form, Points};
use disentangle::backend::{EntryId, Pairwise, Reference, Step};

const U: f64 = 0.5 * f64::EPSILON;

/// Asserts that `got` is within `roundings` relative roundings of `want` (or one subnormal step).
fn near(got: f64, want: f64, roundings: f64, what: &str) {
    let bound = roundings * U * want.abs() + 5e-324;
    assert!(
        (got - want).abs() <= bound,
        "{what}: {got:e}, expected {want:e} within {bound:e}"
    );
}

fn all_near(got: &[f64], want: &[f64], roundings: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (g, w) in got.iter().zip(want) {
        near(*g, *w, roundings, what);
    }
}

type Record<'a> = &'a dyn Fn(&mut Graph, Value, Value) -> Result<Value, AutogradError>;

/// The op's result on one row x with one label, and the gradient of the sum of that result by x.
///
/// x is a weight under the input 1, and the sum a product with ones, so both are exact.
fn row(x: &[f64], label: u32, record: Record) -> (Vec<f64>, Vec<f64>) {
    let mut g = Graph::new(1).unwrap();
    let space = g.rows(1).unwrap();
    let one = g.input("one", space, 1, false).unwrap();
    let labels = g.index("label", space, x.len().max(2), false).unwrap();
    let weight = g.parameter("x", x.len(), 1).unwrap();
    let x_row = g.dense(one, weight, None).unwrap();
    let y = record(&mut g, x_row, labels).unwrap();
    let width = g.shape(y).unwrap().cols;
    let ones = g.frozen_parameter("ones", 1, width).unwrap();
    let sum = g.dense(y, ones, None).unwrap();
    let objective = g.sum_over_rows(sum, None).unwrap();
    let entry = Entry {
        outputs: vec![y],
        training: Some(Training { objective, rule: None }),
    };
    let mut s = Plan::new(&g, &[entry]).unwrap().start(&Reference).unwrap();
    s.write(one, &[1.0]).unwrap();
    s.write(weight, x).unwrap();
    s.write(ones, &vec![1.0; width]).unwrap();
    s.write_index(labels, &[label]).unwrap();
    s.evaluate(EntryId(0)).unwrap();
    (s.read(y).unwrap(), s.gradient(weight).unwrap())
}

#[test]
fn activations_and_losses_of_one_number() {
    /// x, f(x), f'(x), roundings of f and f'.
    type Points<'a> = &'a [(f64, f64, f64, f64)];
    // sigmoid and logistic: one exponential, a sum and a quotient, 4 roundings of u, the derivative has two of them.
    let sigmoid: Points = &[
        (0.5, 0.62245933120185456, 0.23500371220159449, 8.0),
        (-3.0, 0.047425873177566781, 0.045176659730912133, 8.0),
        (40.0, 1.0, 4.248354255291589e-18, 8.0),
        (-700.0, 9.8596765437597709e-305, 9.8596765437597709e-305, 8.0),
        // Below -709 exp(-x) overflows while the result is still a (subnormal) number.
        (-720.0, 2.0322308024242932e-313, 2.0322308024242932e-313, 8.0),
        (-745.0, 5e-324, 5e-324, 8.0),
        (-1e3, 0.0, 0.0, 0.0),
        (1e3, 1.0, 0.0, 0.0),
    ];
    let logistic: Points = &[
        (0.25, 0.57593941987884356, -0.4378234991142019, 8.0),
        (-3.0, 3.0485873515737421, -0.95257412682243322, 8.0),
        (40.0, 4.248354255291589e-18, -4.248354255291589e-18, 8.0),
        (-40.0, 40.0, -1.0, 8.0),
        (700.0, 9.8596765437597709e-305, -9.8596765437597709e-305, 8.0),
        (1e3, 0.0, 0.0, 0.0),
        (-1e3, 1e3, -1.0, 0.0),
    ];
    // gelu: erfc and exp magnify the rounding of their argument by x^2; f'(-1) is a difference that loses two bits.
    let gelu: Points = &[
        (0.0, 0.0, 0.5, 2.0),
        (1.0, 0.84134474606854295, 1.0833154705876863, 8.0),
        (-1.0, -0.15865525393145705, -0.083315470587686298, 32.0),
        (-8.0, -4.9767684594174273e-15, -3.979607261086796e-14, 8.0 + 2.0 * 64.0),
        (
            -30.0,
            -1.4720141781444561e-196,
            -4.4160316907084944e-195,
            8.0 + 2.0 * 900.0,
        ),
        (30.0, 30.0, 1.0, 2.0),
        (-40.0, 0.0, 0.0, 0.0),
    ];
    // tanh: f' is 1 - y^2, so it keeps absolute digits only: 1 / f' units of its last place.
    let tanh: Points = &[
        (0.5, 0.46211715726000976, 0.78644773296592741, 4.0),
        (-3.0, -0.99505475368673045, 0.0098660371654401913, 4.0 / 0.0098),
        (1e-8, 1e-8, 1.0, 4.0),
        (1e3, 1.0, 0.0, 0.0),
        (-1e3, -1.0, 0.0, 0.0),
    ];
    let exact: [(&str, Record, Points); 6] = [
        (
            "relu",
            &|g, x, _| g.relu(x),
            &[(2.5, 2.5, 1.0, 0.0), (-2.5, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0)],
        ),
        ("identity", &|g, x, _| g.identity(x), &[(-2.5, -2.5, 1.0, 0.0)]),
        ("scale", &|g, x, _| g.scale(x, -0.5), &[(3.0, -1.5, -0.5, 0.0)]),
        (
            "subtract_constant",
            &|g, x, _| g.subtract_constant(x, 0.25),
            &[(3.0, 2.75, 1.0, 0.0)],
        ),
        (
            "hinge",
            &|g, x, _| g.hinge(x, 0.25),
            &[(-1.0, 1.25, -1.0, 0.0), (0.25, 0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0)],
        ),
        (
            "squared_hinge",
            &|g, x, _| g.squared_hinge(x, 0.25),
            &[(-1.0, 1.5625, -2.5, 0.0), (0.25, 0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0)],
        ),
    ];
    let smooth: [(&str, Record, Points); 4] = [
        ("sigmoid", &|g, x, _| g.sigmoid(x), sigmoid),
        ("logistic", &|g, x, _| g.logistic(x), logistic),
        ("gelu", &|g, x, _| g.gelu(x), gelu),
        ("tanh", &|g, x, _| g.tanh(x), tanh),
    ];
    for (name, record, points) in smooth.into_iter().chain(exact) {
        for &(x, value, slope, roundings) in points {
            let (y, dx) = row(&[x], 0, record);
            near(y[0], value, roundings, &format!("{name}({x})"));
            near(dx[0], slope, roundings, &format!("{name}'({x})"));
        }
        // A network that diverged must show it.
        let (y, _) = row(&[f64::NAN], 0, record);
        assert!(y[0].is_nan(), "{name}(NaN) = {}", y[0]);
    }
}

#[test]
fn softmax_cross_entropy_keeps_its_digits_in_the_tails() {
    type Case<'a> = (&'a [f64], u32, f64, &'a [f64]);
    let cases: &[Case] = &[
        (
            &[1.0, 2.0, 3.0],
            0,
            2.4076059644443803,
            &[-0.90996942682961954, 0.24472847105479765, 0.66524095577482189],
        ),
        (&[0.0; 4], 2, 1.3862943611198906, &[0.25, 0.25, -0.75, 0.25]),
        (
            &[0.5, -0.25],
            1,
            1.1368710061148999,
            &[0.67917869917539297, -0.67917869917539297],
        ),
        // e^-1600 is no f64: exactly 0, and no NaN.
        (&[800.0, -800.0], 0, 0.0, &[0.0, 0.0]),
        (&[800.0, -800.0], 1, 1600.0, &[1.0, -1.0]),
        (&[-800.0, 800.0, 800.0], 1, std::f64::consts::LN_2, &[0.0, -0.5, 0.5]),
        (
            &[40.0, 0.0],
            0,
            4.248354255291589e-18,
            &[-4.248354255291589e-18, 4.248354255291589e-18],
        ),
        (
            &[700.0, 0.0],
            0,
            9.8596765437597709e-305,
            &[-9.8596765437597709e-305, 9.8596765437597709e-305],
        ),
        (
            &[-30.0, 10.0, -20.0],
            1,
            9.3580478042652659e-14,
            &[4.2483542552911914e-18, -9.358047804264828e-14, 9.3576229688392989e-14],
        ),
    ];
    for (x, label, loss, gradient) in cases {
        let (y, dx) = row(x, *label, &|g, x, labels| g.softmax_cross_entropy(x, labels));
        // An exponential per class, their sum, a logarithm.
        let roundings = 6.0 + 2.0 * x.len() as f64;
        near(y[0], *loss, roundings, &format!("{x:?}"));
        all_near(&dx, gradient, roundings, &format!("gradient at {x:?}"));
    }
    let (y, _) = row(&[1.0, f64::NAN, 0.0], 0, &|g, x, labels| {
        g.softmax_cross_entropy(x, labels)
    });
    assert!(y[0].is_nan());
}

#[test]
fn margins_and_squared_errors_are_exact_on_integers() {
    type Case<'a> = (&'a [f64], u32, f64, &'a [f64]);
    let cases: &[Case] = &[
        (&[3.0], 1, 3.0, &[1.0]),
        (&[3.0], 0, -3.0, &[-1.0]),
        (&[3.0, 5.0], 0, -2.0, &[1.0, -1.0]),
        (&[3.0, 5.0], 1, 2.0, &[-1.0, 1.0]),
        (&[1.0, 7.0, 4.0, 2.0], 2, -3.0, &[0.0, -1.0, 1.0, 0.0]),
        // The best other one twice: the lowest index.
        (&[5.0, 9.0, 2.0, 5.0], 1, 4.0, &[-1.0, 1.0, 0.0, 0.0]),
        (&[6.0, 6.0, 6.0], 0, 0.0, &[1.0, -1.0, 0.0]),
    ];
    for (x, label, margin, gradient) in cases {
        let (y, dx) = row(x, *label, &|g, x, labels| g.margin(x, labels));
        assert_eq!((y, dx), (vec![*margin], gradient.to_vec()), "{x:?} {label}");
    }
    for x in [[f64::NAN, 1.0, 2.0], [1.0, f64::NAN, 2.0], [1.0, 2.0, f64::NAN]] {
        let (y, _) = row(&x, 0, &|g, x, labels| g.margin(x, labels));
        assert!(y[0].is_nan(), "{x:?}");
    }
    // Targets 0: (1 + 4 + 9 + 16) / 4 and 2 x / 4.
    let zero_target = |g: &mut Graph, x: Value, _| {
        let zero = g.input("zero", disentangle::backend::RowSpace(0), 4, false)?;
        g.squared_error(x, zero)
    };
    let (y, dx) = row(&[1.0, -2.0, 3.0, -4.0], 0, &zero_target);
    assert_eq!((y, dx), (vec![7.5], vec![0.5, -1.0, 1.5, -2.0]));
    // From the centre (2, -3) of class 1: 1 + 9, and 2 (x - c).
    let centres = [7.0, 7.0, 2.0, -3.0];
    let (y, dx) = row(&[3.0, 0.0], 1, &|g, x, labels| g.logit_penalty(x, labels, &centres));
    assert_eq!((y, dx), (vec![10.0], vec![2.0, 6.0]));
}

#[test]
fn row_normalize_neither_overflows_nor_underflows() {
    let normalize: Record = &|g, x, _| g.row_normalize(x);
    for size in [1.0, 1e-200, 1e200, 1e-307, 1e307] {
        let (y, dx) = row(&[3.0 * size, 4.0 * size], 0, normalize);
        all_near(&y, &[0.6, 0.8], 4.0, &format!("size {size:e}"));
        // (1 - 0.6 1.4) / 5 and (1 - 0.8 1.4) / 5: differences that lose three and four bits of some 6 roundings.
        all_near(
            &dx,
            &[0.032 / size, -0.024 / size],
            100.0,
            &format!("gradient at size {size:e}"),
        );
    }
    let half = std::f64::consts::FRAC_1_SQRT_2;
    assert_eq!(row(&[-5e-324], 0, normalize).0, [-1.0]);
    all_near(
        &row(&[5e-324, 5e-324], 0, normalize).0,
        &[half, half],
        4.0,
        "the smallest numbers",
    );
    all_near(
        &row(&[f64::MAX, -f64::MAX], 0, normalize).0,
        &[half, -half],
        4.0,
        "the largest numbers",
    );
    all_near(&row(&[1e300, 1e-300], 0, normalize).0, &[1.0, 0.0], 4.0, "far apart");
    assert_eq!(row(&[0.0, -0.0], 0, normalize), (vec![0.0, 0.0], vec![0.0, 0.0]));
    assert!(row(&[f64::NAN, 1.0], 0, normalize).0.iter().all(|y| y.is_nan()));
}

/// Two rows, two weights: L = mean (w . x - t)^2.
fn descend(rule: UpdateRule) -> Vec<f64> {
    let mut g = Graph::new(1).unwrap();
    let space = g.rows(2).unwrap();
    let (x, t) = (
        g.input("x", space, 2, false).unwrap(),
        g.input("t", space, 1, false).unwrap(),
    );
    let w = g.parameter("w", 1, 2).unwrap();
    let y = g.dense(x, w, None).unwrap();
    let errors = g.squared_error(y, t).unwrap();
    let objective = g.mean_over_rows(errors, None).unwrap();
    let entry = Entry {
        outputs: vec![],
        training: Some(Training {
            objective,
            rule: Some(rule),
        }),
    };
    let mut s = Plan::new(&g, &[entry]).unwrap().start(&Reference).unwrap();
    s.write(x, &[1.0, -2.0, 0.5, 3.0]).unwrap();
    s.write(t, &[1.0, -1.0]).unwrap();
    s.write(w, &[0.3, -0.7]).unwrap();
    for (number, learning_rate) in (1..).zip([0.05, 0.05, 0.02, 0.01, 0.03]) {
        s.run(EntryId(0), Step { learning_rate, number }).unwrap();
    }
    s.read(w).unwrap()
}

#[test]
fn five_steps_of_every_optimizer() {
    let sgd = |momentum, nesterov, weight_decay| UpdateRule::Sgd {
        momentum,
        nesterov,
        weight_decay,
    };
    let adam = |beta1, beta2, epsilon, weight_decay, decoupled| UpdateRule::Adam {
        beta1,
        beta2,
        epsilon,
        weight_decay,
        decoupled,
    };
    let rms_prop = |alpha, epsilon, momentum, weight_decay| UpdateRule::RmsProp {
        alpha,
        epsilon,
        momentum,
        weight_decay,
    };
    // PyTorch's documented update rules in 60 digits, from the same f64 constants.
    let expected = [
        (sgd(0.0, false, 0.0), [0.28019487127978515, -0.38933021896191406]),
        (sgd(0.0, false, 0.1), [0.27610639380324796, -0.38612303870951218]),
        (sgd(0.9, false, 0.0), [0.26661098173486328, -0.25345378254394533]),
        (sgd(0.9, false, 0.1), [0.25795538724140109, -0.25173121446534345]),
        (sgd(0.9, true, 0.1), [0.25728133041189983, -0.37562065116850271]),
        (
            adam(0.9, 0.999, 1e-8, 0.0, false),
            [0.15822848948141831, -0.54271203621471539],
        ),
        (
            adam(0.8, 0.99, 1e-3, 0.1, false),
            [0.16006043423555695, -0.54417677579465831],
        ),
        (
            adam(0.9, 0.999, 1e-8, 0.1, true),
            [0.15616954791455971, -0.53285272035974643],
        ),
        (
            rms_prop(0.99, 1e-8, 0.0, 0.0),
            [0.24370201955441542, -0.38107216503550728],
        ),
        (
            rms_prop(0.99, 1e-8, 0.5, 0.0),
            [0.32145160737742117, -0.42728345410189779],
        ),
        (
            rms_prop(0.9, 1e-3, 0.9, 0.1),
            [0.17439801290685207, -0.22435219352512619],
        ),
    ];
    for (rule, want) in expected {
        let got = descend(rule);
        // 1 - beta2^t has a relative error of at most u / (1 - beta2) = 1.2e-13, and five steps sum to at most 0.2; the
        // other rules have some 20 roundings per step of numbers below 3.
        for (g, w) in got.iter().zip(want) {
            assert!((g - w).abs() <= 3e-14, "{rule:?}: {g:.17}, expected {w:.17}");
        }
    }
}

/// Rows `[2 replicas, 4 rows, 2]` through a gather, with everything that is measured on them.
struct Bench {
    session: Session,
    space: disentangle::backend::RowSpace,
    inputs: [Value; 4],
    outputs: [Value; 6],
}

fn bench() -> Result<Bench, AutogradError> {
    let mut g = Graph::new(2)?;
    let (data, space) = (g.rows(5)?, g.rows(4)?);
    let (table, table_labels) = (g.input("table", data, 2, false)?, g.index("labels", data, 2, false)?);
    let index = g.index("index", space, 5, true)?;
    let weights = g.input("weights", space, 1, true)?;
    let (x, labels) = (g.gather(table, index)?, g.gather(table_labels, index)?);
    let moments = g.class_moments(x, labels, 3, Some(weights))?;
    let errors = g.error_count(x, labels, Some(weights))?;
    let unit = g.row_normalize(x)?;
    let zeros = g.zero_rows(unit)?;
    let margin = g.margin(x, labels)?;
    let mean = g.mean_over_rows(margin, Some(weights))?;
    let outputs = [x, labels, moments, errors, zeros, mean];
    let entry = Entry {
        outputs: outputs.to_vec(),
        training: None,
    };
    Ok(Bench {
        session: Plan::new(&g, &[entry])?.start(&Reference)?,
        space,
        inputs: [table, table_labels, index, weights],
        outputs,
    })
}

#[test]
fn gathers_masks_moments_and_short_batches() {
    let mut b = bench().unwrap();
    let s = &mut b.session;
    let [table, table_labels, index, weights] = b.inputs;
    let [x, labels, moments, errors, zeros, mean] = b.outputs;
    s.write(table, &[3.0, 4.0, 0.0, 0.0, 5.0, 1.0, 2.0, 2.0, -1.0, 6.0])
        .unwrap();
    s.write_index(table_labels, &[0, 1, 0, 1, 1]).unwrap();
    s.write_index(index, &[4, 0, 1, 1, 2, 2, 3, 0]).unwrap();
    s.write(weights, &[1.0, 2.0, 0.0, 1.0, 0.5, 0.0, 1.5, 0.0]).unwrap();
    s.evaluate(EntryId(0)).unwrap();
    let rows = [
        -1.0, 6.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0, 5.0, 1.0, 5.0, 1.0, 2.0, 2.0, 3.0, 4.0,
    ];
    assert_eq!(s.read(x).unwrap(), rows);
    assert_eq!(s.read_index(labels).unwrap(), [1, 0, 1, 1, 0, 0, 1, 0]);
    // Class by class: rows, sum of squares, sum; unweighted, but without the rows of weight 0.
    let first = [1.0, 25.0, 3.0, 4.0, 2.0, 37.0, -1.0, 6.0, 0.0, 0.0, 0.0, 0.0];
    let second = [1.0, 26.0, 5.0, 1.0, 1.0, 8.0, 2.0, 2.0, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(s.read(moments).unwrap(), [first, second].concat());
    // Ties go to class 0: the zero row and (2, 2), both of class 1, are wrong; so is (3, 4) of class 0.
    assert_eq!(s.read(errors).unwrap(), [2.0, 3.0, 1.0, 2.0]);
    assert_eq!(s.read(zeros).unwrap(), [2.0, 0.0]);
    assert_eq!(s.read(mean).unwrap(), [(7.0 - 2.0) / 4.0, (0.5 * 4.0) / 2.0]);

    // Three rows of each replica: what stood behind them plays no part.
    s.set_rows(b.space, 3).unwrap();
    s.write_index(index, &[4, 0, 1, 2, 3, 3]).unwrap();
    s.write(weights, &[1.0, 2.0, 1.0, 0.0, 0.0, 0.0]).unwrap();
    s.evaluate(EntryId(0)).unwrap();
    assert_eq!(
        s.read(x).unwrap(),
        [-1.0, 6.0, 3.0, 4.0, 0.0, 0.0, 5.0, 1.0, 2.0, 2.0, 2.0, 2.0]
    );
    let first = [1.0, 25.0, 3.0, 4.0, 2.0, 37.0, -1.0, 6.0, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(s.read(moments).unwrap(), [first, [0.0; 12]].concat());
    assert_eq!(s.read(errors).unwrap(), [2.0, 3.0, 0.0, 0.0]);
    assert_eq!(s.read(zeros).unwrap(), [1.0, 0.0]);
    assert_eq!(s.read(mean).unwrap(), [(7.0 - 2.0) / 4.0, 0.0]);
}

/// A step that is asked for its measurements alone computes what they are of.
#[test]
fn what_is_gathered_and_measured_is_computed_first() {
    let mut g = Graph::new(1).unwrap();
    let (data, space) = (g.rows(3).unwrap(), g.rows(2).unwrap());
    let (table, table_labels) = (
        g.input("table", data, 2, false).unwrap(),
        g.index("labels", data, 2, false).unwrap(),
    );
    let index = g.index("index", space, 3, false).unwrap();
    let doubled = g.scale(table, 2.0).unwrap();
    let (x, labels) = (
        g.gather(doubled, index).unwrap(),
        g.gather(table_labels, index).unwrap(),
    );
    let moments = g.class_moments(x, labels, 2, None).unwrap();
    let errors = g.error_count(x, labels, None).unwrap();
    let entry = Entry {
        outputs: vec![moments, errors],
        training: None,
    };
    let mut s = Plan::new(&g, &[entry]).unwrap().start(&Reference).unwrap();
    s.write(table, &[1.0, 2.0, 9.0, 9.0, 4.0, 3.0]).unwrap();
    s.write_index(table_labels, &[1, 0, 1]).unwrap();
    s.write_index(index, &[2, 0]).unwrap();
    s.evaluate(EntryId(0)).unwrap();
    // The rows (8, 6) and (2, 4), both of class 1, of which the first is wrong.
    assert_eq!(s.read(moments).unwrap(), [0.0, 0.0, 0.0, 0.0, 2.0, 120.0, 10.0, 10.0]);
    assert_eq!(s.read(errors).unwrap(), [1.0, 2.0]);
}

#[test]
fn error_count_of_one_output_and_of_nan() {
    // Outputs, label, misclassified.
    let cases: [(&[f64], u32, f64); 12] = [
        (&[0.5], 1, 0.0),
        (&[0.5], 0, 1.0),
        (&[-0.5], 0, 0.0),
        (&[-0.5], 1, 1.0),
        // Undecided is wrong either way.
        (&[0.0], 0, 1.0),
        (&[-0.0], 1, 1.0),
        (&[f64::NAN], 0, 1.0),
        (&[2.0, 1.0, 2.0], 0, 0.0),
        (&[2.0, 1.0, 2.0], 2, 1.0),
        (&[f64::NAN, 1.0, 0.0], 0, 1.0),
        (&[1.0, 0.0, f64::NAN], 0, 1.0),
        (&[f64::NAN, 1.0, 0.0], 1, 1.0),
    ];
    for (x, label, wrong) in cases {
        let mut g = Graph::new(1).unwrap();
        let space = g.rows(1).unwrap();
        let input = g.input("x", space, x.len(), false).unwrap();
        let labels = g.index("label", space, x.len().max(2), false).unwrap();
        let counts = g.error_count(input, labels, None).unwrap();
        let entry = Entry {
            outputs: vec![counts],
            training: None,
        };
        let mut s = Plan::new(&g, &[entry]).unwrap().start(&Reference).unwrap();
        s.write(input, x).unwrap();
        s.write_index(labels, &[label]).unwrap();
        s.evaluate(EntryId(0)).unwrap();
        assert_eq!(s.read(counts).unwrap(), [wrong, 1.0], "{x:?} {label}");
    }
}

/// Training on a last short batch, or on the whole batch with the other rows masked, is the same step, in bits here
/// because a masked row adds exact zeros at the end of every sum.
#[test]
fn a_short_batch_is_a_masked_one() {
    let step = |active: usize| -> Vec<f64> {
        let mut g = Graph::new(2).unwrap();
        let space = g.rows(4).unwrap();
        let (x, t) = (
            g.input("x", space, 2, true).unwrap(),
            g.input("t", space, 3, false).unwrap(),
        );
        let weights = g.input("weights", space, 1, false).unwrap();
        let (w, b) = (g.parameter("w", 3, 2).unwrap(), g.parameter("b", 1, 3).unwrap());
        let h = g.dense(x, w, Some(b)).unwrap();
        let y = g.tanh(h).unwrap();
        let errors = g.squared_error(y, t).unwrap();
        let objective = g.mean_over_rows(errors, Some(weights)).unwrap();
        let entry = Entry {
            outputs: vec![],
            training: Some(Training { objective, rule: None }),
        };
        let mut s = Plan::new(&g, &[entry]).unwrap().start(&Reference).unwrap();
        s.set_rows(space, active).unwrap();
        let wave = |i: usize| (1.7 * i as f64 + 0.2).sin();
        let own = |r: usize| (0..2 * active).map(move |i| wave(20 * r + i));
        s.write(x, &own(0).chain(own(1)).collect::<Vec<_>>()).unwrap();
        s.write(t, &(0..3 * active).map(|i| wave(i + 50)).collect::<Vec<_>>())
            .unwrap();
        s.write(weights, &[1.0, 1.0, 1.0, 0.0][..active]).unwrap();
        s.write(w, &(0..12).map(|i| wave(i + 90)).collect::<Vec<_>>()).unwrap();
        s.write(b, &(0..6).map(|i| wave(i + 70)).collect::<Vec<_>>()).unwrap();
        s.evaluate(EntryId(0)).unwrap();
        let all = [s.read(objective), s.gradient(w), s.gradient(b)];
        all.into_iter().flat_map(Result::unwrap).collect()
    };
    assert_eq!(step(3), step(4));
}

/// The loss of rows as an op, and as a reduction over stored points: two texts of one formula. A row is a column of a weight under the
/// unit vectors, so its gradient is the weight's.
#[test]
fn soft_nearest_neighbors_of_rows_and_of_stored_points() {
    const ROWS: usize = 12;
    const COLS: usize = 3;
    let x: Vec<f64> = (0..ROWS * COLS)
        .map(|n| (1.7 * n as f64).sin() + 0.2 * (n % 5) as f64)
        .collect();
    // Class 2 has one row.
    let labels: Vec<u32> = (0..ROWS as u32)
        .map(|i| if i == 7 { 2 } else { i * i % 3 % 2 })
        .collect();
    for temperature in [0.05, 1.0, 40.0] {
        let points = Points::new(&x, COLS).unwrap().labels(&labels, 3).unwrap();
        let want = Reference
            .soft_nearest_neighbor_gradient(&points, temperature, Form::F64)
            .unwrap();
        let mut g = Graph::new(1).unwrap();
        let space = g.rows(ROWS).unwrap();
        let unit = g.input("unit vectors", space, ROWS, false).unwrap();
        let classes = g.index("labels", space, 3, false).unwrap();
        let weight = g.parameter("x", COLS, ROWS).unwrap();
        let rows = g.dense(unit, weight, None).unwrap();
        let (losses, counts) = g.soft_nearest_neighbor(rows, classes, None, temperature).unwrap();
        let objective = g.mean_over_rows(losses, Some(counts)).unwrap();
        let entry = Entry {
            outputs: vec![losses, counts],
            training: Some(Training { objective, rule: None }),
        };
        let mut s = Plan::new(&g, &[entry]).unwrap().start(&Reference).unwrap();
        let identity: Vec<f64> = (0..ROWS * ROWS)
            .map(|n| f64::from(u8::from(n / ROWS == n % ROWS)))
            .collect();
        s.write(unit, &identity).unwrap();
        let transposed: Vec<f64> = (0..COLS * ROWS).map(|n| x[n % ROWS * COLS + n / ROWS]).collect();
        s.write(weight, &transposed).unwrap();
        s.write_index(classes, &labels).unwrap();
        s.evaluate(EntryId(0)).unwrap();
        let counted: f64 = s.read(counts).unwrap().iter().sum();
        assert_eq!(counted as usize, want.value.counted[0]);
        // Some dozen roundings of f64, of numbers up to d^2 / T.
        let bound = 1e3 * U * (1.0 + 20.0 / temperature);
        let close =
            |got: f64, want: f64| assert!((got - want).abs() <= bound, "{got:e} and {want:e} at T = {temperature}");
        close(s.read(objective).unwrap()[0], want.value.loss[0]);
        for (got, want) in s.read(losses).unwrap().into_iter().zip(&want.value.rows) {
            close(got, *want);
        }
        for (n, got) in s.gradient(weight).unwrap().into_iter().enumerate() {
            close(got, want.points[n % ROWS * COLS + n / ROWS]);
        }
    }
}
