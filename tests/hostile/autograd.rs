//! Graphs with values of other graphs, widths that do not fit, numbers that are none; plans and sessions of them.

use disentangle::autograd::{Entry, Graph, Plan, Training, Value};
use disentangle::backend::kernel::UpdateRule;
use disentangle::backend::{Cpu, EntryId, RowSpace, Step};

use super::Attack;

type Recorded = Result<Value, disentangle::autograd::AutogradError>;

pub fn attack(attack: &mut Attack) {
    attack.refused("Graph::new", "no replicas", || Graph::new(0).map(drop));
    let Ok(mut graph) = Graph::new(2) else { return };
    attack.refused("Graph::rows", "none", || graph.rows(0));
    let Ok(rows) = graph.rows(3) else { return };
    let space = RowSpace(usize::MAX);
    attack.refused("Graph::input", "another graph's rows", || {
        graph.input("a", space, 1, true)
    });
    attack.refused("Graph::input", "no columns", || graph.input("b", rows, 0, true));
    attack.refused("Graph::samples", "another graph's rows", || {
        graph.samples("c", space, 1)
    });
    attack.refused("Graph::index", "another graph's rows", || {
        graph.index("d", space, 2, false)
    });
    attack.refused("Graph::index", "no classes", || graph.index("e", rows, 0, false));
    attack.refused("Graph::parameter", "no rows", || graph.parameter("f", 0, 1));
    attack.refused("Graph::frozen_parameter", "no columns", || {
        graph.frozen_parameter("g", 1, 0)
    });
    // Values of every kind, and one that only a larger graph has.
    let (x, labels, weight) = (
        graph.input("x", rows, 4, true),
        graph.index("labels", rows, 3, false),
        graph.parameter("weight", 5, 7),
    );
    let (Ok(x), Ok(labels), Ok(weight)) = (x, labels, weight) else {
        return;
    };
    let Some(foreign) = foreign() else { return };
    attack.refused("Graph::shape", "another graph's value", || graph.shape(foreign));
    let values = [x, labels, weight, foreign];
    for &a in &values {
        let mut one = |name: &'static str, record: &dyn Fn(&mut Graph) -> Recorded| {
            attack.call(name, "a value of any kind", || record(&mut graph));
            if a == foreign {
                attack.refused(name, "another graph's value", || record(&mut graph));
            }
        };
        one("Graph::tanh", &|g| g.tanh(a));
        one("Graph::relu", &|g| g.relu(a));
        one("Graph::gelu", &|g| g.gelu(a));
        one("Graph::sigmoid", &|g| g.sigmoid(a));
        one("Graph::identity", &|g| g.identity(a));
        one("Graph::logistic", &|g| g.logistic(a));
        one("Graph::row_normalize", &|g| g.row_normalize(a));
        one("Graph::sum_squares", &|g| g.sum_squares(a));
        one("Graph::zero_rows", &|g| g.zero_rows(a));
        for number in [f64::NAN, f64::INFINITY, 0.0] {
            one("Graph::hinge", &|g| g.hinge(a, number));
            one("Graph::squared_hinge", &|g| g.squared_hinge(a, number));
            one("Graph::scale", &|g| g.scale(a, number));
            one("Graph::subtract_constant", &|g| g.subtract_constant(a, number));
            one("Graph::l2_decay", &|g| g.l2_decay(&[a, a], number));
        }
        for &b in &values {
            one("Graph::add", &|g| g.add(a, b));
            one("Graph::subtract", &|g| g.subtract(a, b));
            one("Graph::gather", &|g| g.gather(a, b));
            one("Graph::margin", &|g| g.margin(a, b));
            one("Graph::softmax_cross_entropy", &|g| g.softmax_cross_entropy(a, b));
            one("Graph::squared_error", &|g| g.squared_error(a, b));
            for centres in [&[][..], &[f64::NAN][..], &[1.0; 9][..]] {
                one("Graph::logit_penalty", &|g| g.logit_penalty(a, b, centres));
            }
            one("Graph::mean_over_rows", &|g| g.mean_over_rows(a, Some(b)));
            one("Graph::sum_over_rows", &|g| g.sum_over_rows(a, Some(b)));
            for &c in &values {
                one("Graph::dense", &|g| g.dense(a, b, Some(c)));
                one("Graph::error_count", &|g| g.error_count(a, b, Some(c)));
                for classes in [0, usize::MAX] {
                    one("Graph::class_moments", &|g| g.class_moments(a, b, classes, Some(c)));
                }
                for temperature in [f64::NAN, 0.0, -1.0, f64::INFINITY] {
                    one("Graph::soft_nearest_neighbor", &|g| {
                        g.soft_nearest_neighbor(a, b, Some(c), temperature)
                            .map(|(loss, _)| loss)
                    });
                }
            }
        }
    }
    plans(attack);
}

/// A value of a graph that has many.
fn foreign() -> Option<Value> {
    let mut other = Graph::new(1).ok()?;
    (0..3000).map(|n| other.parameter(&n.to_string(), 1, 1).ok()).last()?
}

fn plans(attack: &mut Attack) {
    let Ok(mut graph) = Graph::new(1) else { return };
    let (Ok(rows), Some(foreign)) = (graph.rows(3), foreign()) else {
        return;
    };
    let (Ok(x), Ok(w)) = (graph.input("x", rows, 2, false), graph.parameter("w", 1, 2)) else {
        return;
    };
    let Ok(y) = graph.dense(x, w, None) else { return };
    let Ok(loss) = graph.mean_over_rows(y, None) else {
        return;
    };
    let rule = UpdateRule::Sgd {
        momentum: 0.0,
        nesterov: false,
        weight_decay: 0.0,
    };
    let training = |objective| Entry {
        outputs: vec![],
        training: Some(Training {
            objective,
            rule: Some(rule),
        }),
    };
    attack.refused("Plan::new", "another graph's value", || {
        Plan::new(&graph, &[training(foreign)])
    });
    attack.refused("Plan::new", "rows as an objective", || {
        Plan::new(&graph, &[training(y)])
    });
    let Ok(cpu) = Cpu::new(1) else { return };
    // A parameter that fits nowhere.
    let huge = attack.call("Graph::parameter", "more elements than memory", || {
        let mut graph = Graph::new(2)?;
        let w = graph.parameter("w", usize::MAX / 4, usize::MAX / 4)?;
        let y = graph.sum_squares(w)?;
        Plan::new(
            &graph,
            &[Entry {
                outputs: vec![y],
                training: None,
            }],
        )
    });
    if let Some(Ok(plan)) = huge {
        attack.refused("Plan::start", "more elements than memory", || {
            plan.start(&cpu).map(drop)
        });
    }
    let plan = Plan::new(
        &graph,
        &[
            Entry {
                outputs: vec![loss],
                training: None,
            },
            training(loss),
        ],
    );
    let Some(Ok(mut session)) = plan
        .ok()
        .and_then(|plan| attack.call("Plan::start", "a plan", || plan.start(&cpu)))
    else {
        return;
    };
    for rows_now in [0, 4, usize::MAX] {
        attack.refused("Session::set_rows", "other rows than there is room for", || {
            session.set_rows(rows, rows_now)
        });
    }
    attack.refused("Session::set_rows", "another graph's rows", || {
        session.set_rows(RowSpace(9), 1)
    });
    for entry in [EntryId(2), EntryId(usize::MAX)] {
        let step = Step {
            learning_rate: f64::NAN,
            number: 0,
        };
        attack.refused("Session::run", "another plan's entry", || session.run(entry, step));
        attack.refused("Session::evaluate", "another plan's entry", || session.evaluate(entry));
    }
    attack.refused("Session::write", "another graph's value", || {
        session.write(foreign, &[])
    });
    attack.refused("Session::write", "too few numbers", || session.write(x, &[f64::NAN]));
    attack.refused("Session::write_index", "numbers for indices", || {
        session.write_index(x, &[u32::MAX])
    });
    attack.refused("Session::read", "another graph's value", || session.read(foreign));
    attack.refused("Session::read_index", "a value of numbers", || session.read_index(loss));
    attack.refused("Session::read_into", "too little room", || {
        session.read_into(loss, &mut [])
    });
    attack.refused("Session::gradient", "what has none", || session.gradient(x));
    attack.refused("Session::write_states", "states of others", || {
        session.write_states(&[("v".to_string(), vec![vec![f64::NAN]])])
    });
    attack.call("Session::write", "NaN", || session.write(x, &[f64::NAN; 6]));
    attack.call("Session::run", "NaN", || {
        session.run(
            EntryId(1),
            Step {
                learning_rate: f64::INFINITY,
                number: u64::MAX,
            },
        )
    });
}
