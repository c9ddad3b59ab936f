//! Kinks, zero rows, masks, and what the check refuses or does not let pass.

use disentangle::autograd::gradient_check::{Options, Report, compare, gradient_check};
use disentangle::autograd::{AutogradError, Graph, Session, Value};

use crate::net::{Net, Recorded, options};

#[test]
fn the_gradient_of_another_objective_is_caught() {
    // Two objectives of one network that differ by 1e-6, relatively.
    let mut net = Net::new((6, 4, 3));
    let y = net.hidden().unwrap();
    let h = net.graph.tanh(y).unwrap();
    let loss = net.error(h).unwrap();
    let nearly = net.graph.scale(loss, 1.0 + 1e-6).unwrap();
    assert!(net.compare(loss, &net.gradients(loss)).passes());
    assert!(net.compare(nearly, &net.gradients(nearly)).passes());
    let report = net.compare(nearly, &net.gradients(loss));
    assert!(!report.passes(), "{:?}", report.worst);
    assert!(report.worst.unwrap().ratio() > 100.0);
}

/// A parameter of one number, alone, and an objective made of it.
fn one_number(value: f64, record: fn(&mut Graph, Value) -> Recorded) -> (Net, Value) {
    let mut net = Net::new((1, 1, 1));
    let p = net.parameter("p", 1, 1).unwrap();
    net.set(p, vec![value]);
    let objective = record(&mut net.graph, p).unwrap();
    (net, objective)
}

#[test]
fn a_kink_is_named_and_not_compared() {
    type Kinked = (&'static str, f64, fn(&mut Graph, Value) -> Recorded);
    let kinks: [Kinked; 4] = [
        ("relu", 0.0, |g, p| g.relu(p)),
        ("hinge", 1.0, |g, p| g.hinge(p, 1.0)),
        ("hinge", 0.3, |g, p| g.hinge(p, 0.3)),
        ("squared_hinge", 0.3, |g, p| g.squared_hinge(p, 0.3)),
    ];
    for (op, at, record) in kinks {
        // On the kink, and so near that the step crosses it.
        for value in [at, at + 1e-9, at - 1e-9] {
            let (net, objective) = one_number(value, record);
            let report = net.check(objective);
            assert_eq!(report.kinks, vec![("p".to_string(), op); 8], "{op} at {value}");
            assert_eq!((report.compared, report.worst.clone()), (0, None), "{op} at {value}");
            assert!(!report.passes(), "{op} at {value}: nothing was compared");
        }
        for value in [at - 0.5, at + 0.5] {
            let (net, objective) = one_number(value, record);
            let report = net.check(objective);
            assert!(
                report.passes() && report.kinks.is_empty() && report.compared == 8,
                "{op}: {report:?}"
            );
        }
    }
}

/// The unit vector of one column is the sign.
#[test]
fn a_row_of_one_column_has_a_kink_at_zero() {
    let mut net = Net::new((1, 1, 1));
    let p = net.parameter("p", 1, 1).unwrap();
    net.set(p, vec![1e-9]);
    let x = net.rows("x", 1, false).unwrap();
    let y = net.graph.dense(x, p, None).unwrap();
    let unit = net.graph.row_normalize(y).unwrap();
    let objective = net.graph.mean_over_rows(unit, None).unwrap();
    let report = net.check(objective);
    assert_eq!(report.kinks, vec![("p".to_string(), "row_normalize"); 8]);
    assert_eq!(report.compared, 0);
}

#[test]
fn a_tie_of_the_best_others_is_a_kink() {
    let mut net = Net::new((2, 1, 1));
    let m = net.margin(4).unwrap();
    let objective = net.error(m).unwrap();
    let parameters: Vec<Value> = net.graph.parameters().map(|(p, _)| p).collect();
    for parameter in parameters {
        net.set(parameter, vec![0.0; 4]);
    }
    let report = net.check(objective);
    assert_eq!((report.compared, report.kinks.len()), (0, 16));
    assert!(report.kinks.iter().all(|(_, op)| *op == "margin"));
}

#[test]
fn a_kink_beside_the_way_is_no_obstacle() {
    let mut net = Net::new((4, 3, 2));
    let x = net.rows("x", 3, false).unwrap();
    net.set(x, vec![0.0, 1.0, -1.0, 0.0, 2.0, 0.5, 0.0, -2.0, 1.5, 0.0, 0.7, 3.0]);
    // The data sits on the kink but does not move; the other ReLU does not lead to the objective.
    let positive = net.graph.relu(x).unwrap();
    let y = net.layer("w", positive, 2).unwrap();
    net.graph.relu(y).unwrap();
    let objective = net.error(y).unwrap();
    let report = net.check(objective);
    assert!(report.passes() && report.kinks.is_empty(), "{report:?}");
}

#[test]
fn row_normalize_gives_a_zero_row_the_gradient_zero() {
    // Row 1 of x is 0 and there is no bias, so row 1 of W x is 0 for every W: the others decide, and all is smooth.
    let mut net = Net::new((3, 4, 2));
    let (x, w) = (net.rows("x", 4, false).unwrap(), net.parameter("w", 3, 4).unwrap());
    let mut values = net.normal(12);
    values[4..8].fill(0.0);
    net.set(x, values);
    let h = net.graph.dense(x, w, None).unwrap();
    let y = net.graph.row_normalize(h).unwrap();
    let objective = net.error(y).unwrap();
    let report = net.check(objective);
    assert!(
        report.passes() && report.kinks.is_empty() && report.compared == 16,
        "{report:?}"
    );
    // A row that leaves zero with the parameter has no derivative there; the gradient is 0 by definition.
    net.set(w, vec![0.0; 24]);
    let report = net.check(objective);
    assert_eq!(
        (report.compared, report.kinks),
        (0, vec![("w".to_string(), "row_normalize"); 8])
    );
    assert_eq!(net.gradients(objective), vec![(w, vec![0.0; 24])]);
}

#[test]
fn masked_rows_do_not_matter_as_long_as_they_are_finite() {
    let mut net = Net::new((6, 3, 2));
    let x = net.rows("x", 3, false).unwrap();
    let (y, labels) = (net.layer("w", x, 3).unwrap(), net.labels(3, false).unwrap());
    let weights = net.weights(false).unwrap();
    let rows = net.graph.softmax_cross_entropy(y, labels).unwrap();
    let objective = net.graph.mean_over_rows(rows, Some(weights)).unwrap();
    let ordinary = net.gradients(objective);
    let original = net.reals[0].1.clone();
    let mut with_masked = |value: f64| {
        let mut values = original.clone();
        for row in [1, 4] {
            values[3 * row..3 * row + 3].fill(value);
        }
        net.set(x, values);
        (net.check(objective), net.gradients(objective))
    };
    for finite in [0.0, 1e3, -1e200] {
        let (report, gradients) = with_masked(finite);
        assert!(report.passes(), "{finite}: {report:?}");
        assert_eq!(gradients, ordinary, "{finite}");
    }
    // NaN there: the loss does not see it, the weight gradients do (0 * NaN), and so the check fails, as documented.
    let (report, gradients) = with_masked(f64::NAN);
    assert!(!report.passes());
    let worst = report.worst.unwrap();
    assert!(worst.by_differences.is_finite() && worst.by_gradient.is_nan() && worst.ratio() == f64::INFINITY);
    assert!(gradients[0].1.iter().all(|g| g.is_nan()));
}

#[test]
fn a_replica_whose_weights_sum_to_zero_learns_nothing() {
    let mut net = Net::new((2, 3, 2));
    let y = net.outputs(1).unwrap();
    let weights = net.weights(true).unwrap();
    net.set(weights, vec![0.0, 0.0, 1.0, 3.0]);
    let objective = net.graph.mean_over_rows(y, Some(weights)).unwrap();
    assert!(net.check(objective).passes());
    let gradients = net.gradients(objective);
    assert_eq!(gradients[0].1[..3], [0.0; 3]);
    assert_eq!(gradients[1].1, [0.0, 1.0]);
}

#[test]
fn nothing_passes_that_was_not_compared_or_is_not_finite() {
    let (net, objective) = one_number(0.5, |g, p| g.tanh(p));
    let feed = |s: &mut Session| net.feed(s);
    let none = Options {
        directions: 0,
        ..options()
    };
    let report = gradient_check(&net.graph, objective, feed, none).unwrap();
    assert_eq!(report, Report::default());
    assert!(!report.passes());
    // p^2 overflows at some points of the differences but not at all: an infinite bound would let anything through.
    let edge = f64::MAX.sqrt();
    let (net, objective) = one_number(edge, |g, p| g.sum_squares(p));
    let wide = Options {
        step: edge / 1e3,
        ..options()
    };
    let report = gradient_check(&net.graph, objective, |s| net.feed(s), wide).unwrap();
    assert_eq!(report.worst.as_ref().map(|w| w.ratio()), Some(f64::INFINITY));
    assert!(!report.passes());
}

#[test]
fn what_cannot_be_compared_is_a_typed_error() {
    let (mut net, objective) = one_number(0.5, |g, p| g.tanh(p));
    let p = net.graph.parameters().next().unwrap().0;
    let x = net.rows("x", 1, false).unwrap();
    let check = |gradients: &[(Value, Vec<f64>)], objective, step| {
        let options = Options { step, ..options() };
        compare(&net.graph, objective, gradients, |s| net.feed(s), options).unwrap_err()
    };
    for (step, shown) in [(0.0, "0"), (-1e-3, "-0.001"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let detail = format!("step {shown}, expected a positive finite number");
        let op = "gradient_check";
        assert_eq!(check(&[], objective, step), AutogradError::Constant { op, detail });
    }
    let (op, detail) = ("gradient_check", "2 values for 'p', expected 1".to_string());
    assert_eq!(
        check(&[(p, vec![0.0; 2])], objective, 1e-3),
        AutogradError::Shape { op, detail }
    );
    let expected = "a parameter of this graph";
    assert_eq!(
        check(&[(x, vec![0.0])], objective, 1e-3),
        AutogradError::UnknownValue { expected }
    );
    let found = "[1, rows of space 0, 1]".to_string();
    assert_eq!(check(&[], x, 1e-3), AutogradError::NotScalar { found });
}
