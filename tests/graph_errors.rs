//! What can be wrong with a recording, a plan or a write, each matched exactly.

use disentangle::autograd::{AutogradError, Entry, Graph, Plan, Session, Training, Value};
use disentangle::backend::{BackendError, EntryId, Reference, RowSpace, Step};

/// A graph of 2 replicas with operands of every kind.
struct World {
    graph: Graph,
    /// 4 rows.
    space: RowSpace,
    /// Shared rows `[4, 3]`.
    shared: Value,
    /// Rows of each replica `[4, 3]`.
    own: Value,
    /// Shared rows `[4, 1]`, and of each replica.
    column: Value,
    own_column: Value,
    /// Shared rows `[5, 3]` of another space.
    other: Value,
    /// Labels below 3 in the first space, shared and of each replica, and in the other space.
    labels: Value,
    own_labels: Value,
    other_labels: Value,
    /// Weight `[2, 3]`, bias `[1, 2]`.
    weight: Value,
    bias: Value,
    /// The dense layer of the shared rows: `[4, 2]`, depends on parameters.
    hidden: Value,
    /// The class moments of the shared rows.
    moments: Value,
    /// A value that the graph does not have.
    foreign: Value,
}

fn world() -> Result<World, AutogradError> {
    let mut graph = Graph::new(2)?;
    let (space, another) = (graph.rows(4)?, graph.rows(5)?);
    let shared = graph.input("shared", space, 3, false)?;
    let own = graph.input("own", space, 3, true)?;
    let column = graph.input("column", space, 1, false)?;
    let own_column = graph.input("own column", space, 1, true)?;
    let other = graph.input("other", another, 3, false)?;
    let labels = graph.index("labels", space, 3, false)?;
    let own_labels = graph.index("own labels", space, 3, true)?;
    let other_labels = graph.index("other labels", another, 3, false)?;
    let (weight, bias) = (graph.parameter("weight", 2, 3)?, graph.parameter("bias", 1, 2)?);
    let hidden = graph.dense(shared, weight, Some(bias))?;
    let moments = graph.class_moments(shared, labels, 3, None)?;
    let mut larger = Graph::new(1)?;
    let mut foreign = Err(AutogradError::Empty { what: String::new() });
    for n in 0..20 {
        foreign = larger.parameter(&n.to_string(), 1, 1);
    }
    Ok(World {
        graph,
        space,
        shared,
        own,
        column,
        own_column,
        other,
        labels,
        own_labels,
        other_labels,
        weight,
        bias,
        hidden,
        moments,
        foreign: foreign?,
    })
}

type Record = fn(&mut World) -> Result<Value, AutogradError>;

fn neighbors(
    w: &mut World,
    x: Value,
    labels: Value,
    weights: Option<Value>,
    temperature: f64,
) -> Result<Value, AutogradError> {
    let (losses, _) = w.graph.soft_nearest_neighbor(x, labels, weights, temperature)?;
    Ok(losses)
}

fn empty(what: &str) -> AutogradError {
    AutogradError::Empty { what: what.into() }
}

fn shape(op: &'static str, detail: &str) -> AutogradError {
    AutogradError::Shape {
        op,
        detail: detail.into(),
    }
}

fn no_derivative(op: &'static str, operand: &'static str) -> AutogradError {
    AutogradError::NoDerivative { op, operand }
}

fn constant(op: &'static str, number: &str) -> AutogradError {
    AutogradError::Constant {
        op,
        detail: format!("constant {number}, expected a finite number"),
    }
}

fn unknown(expected: &'static str) -> AutogradError {
    AutogradError::UnknownValue { expected }
}

/// Records each of a list on a fresh world and compares the error.
fn check(list: Vec<(Record, AutogradError)>) {
    for (n, (record, expected)) in list.into_iter().enumerate() {
        assert_eq!(record(&mut world().unwrap()), Err(expected), "number {n}");
    }
}

#[test]
fn sizes_of_zero() {
    assert_eq!(Graph::new(0).unwrap_err(), empty("replicas"));
    assert_eq!(world().unwrap().graph.rows(0), Err(empty("row space")));
    check(vec![
        (|w| w.graph.input("z", w.space, 0, false), empty("width of 'z'")),
        (|w| w.graph.index("z", w.space, 0, true), empty("bound of 'z'")),
        (|w| w.graph.parameter("z", 0, 3), empty("rows of 'z'")),
        (|w| w.graph.parameter("z", 3, 0), empty("width of 'z'")),
        (|w| w.graph.frozen_parameter("z", 0, 3), empty("rows of 'z'")),
        (|w| w.graph.l2_decay(&[], 0.1), empty("parameters of l2_decay")),
    ]);
}

#[test]
fn names_are_given_once() {
    let twice = |name: &str| AutogradError::DuplicateName { name: name.into() };
    check(vec![
        (|w| w.graph.input("shared", w.space, 1, true), twice("shared")),
        (|w| w.graph.index("shared", w.space, 2, false), twice("shared")),
        (|w| w.graph.parameter("weight", 1, 1), twice("weight")),
        (|w| w.graph.frozen_parameter("labels", 1, 1), twice("labels")),
    ]);
    // The name of an op is no leaf's name.
    assert!(world().unwrap().graph.parameter("dense", 1, 1).is_ok());
}

#[test]
fn shapes_of_dense_and_sums() {
    check(vec![
        (
            |w| w.graph.dense(w.weight, w.weight, None),
            shape("dense", "[R, 2, 3] has no row space, expected rows of data"),
        ),
        (
            |w| w.graph.dense(w.labels, w.weight, None),
            shape("dense", "[1, rows of space 0, 1] holds no reals of working precision"),
        ),
        (
            |w| w.graph.dense(w.shared, w.own, None),
            shape(
                "dense",
                "weight [R, rows of space 0, 3] has rows of data, expected [R, out, in]",
            ),
        ),
        (
            |w| w.graph.dense(w.hidden, w.weight, None),
            shape(
                "dense",
                "weight [R, 2, 3] for [R, rows of space 0, 2]: expected [R, out, 2]",
            ),
        ),
        (
            |w| w.graph.dense(w.shared, w.weight, Some(w.weight)),
            shape("dense", "bias [R, 2, 3], expected [R, 1, 2]"),
        ),
        (
            |w| w.graph.add(w.shared, w.column),
            shape(
                "add",
                "[1, rows of space 0, 3] and [1, rows of space 0, 1]: expected operands of one shape",
            ),
        ),
        (
            |w| w.graph.subtract(w.shared, w.other),
            shape(
                "subtract",
                "[1, rows of space 0, 3] and [1, rows of space 1, 3]: expected operands of one shape",
            ),
        ),
        (
            |w| w.graph.add(w.weight, w.bias),
            shape("add", "[R, 2, 3] and [R, 1, 2]: expected operands of one shape"),
        ),
        (
            |w| w.graph.sum_squares(w.own),
            shape(
                "sum_squares",
                "[R, rows of space 0, 3] has rows of data, expected a parameter",
            ),
        ),
        (
            |w| w.graph.l2_decay(&[w.weight, w.own], 0.1),
            shape(
                "sum_squares",
                "[R, rows of space 0, 3] has rows of data, expected a parameter",
            ),
        ),
        (
            |w| w.graph.mean_over_rows(w.shared, None),
            shape("mean_over_rows", "[1, rows of space 0, 3], expected one number per row"),
        ),
        (
            |w| w.graph.sum_over_rows(w.bias, None),
            shape("sum_over_rows", "[R, 1, 2] has no row space, expected rows of data"),
        ),
        (
            |w| w.graph.mean_over_rows(w.own_column, Some(w.shared)),
            shape(
                "mean_over_rows",
                "weights [1, rows of space 0, 3] for [R, rows of space 0, 1]: expected one per row",
            ),
        ),
        (
            |w| w.graph.sum_over_rows(w.column, Some(w.own_column)),
            shape(
                "sum_over_rows",
                "weights [R, rows of space 0, 1] for [1, rows of space 0, 1]: expected one per row",
            ),
        ),
        (
            |w| w.graph.row_normalize(w.weight),
            shape("row_normalize", "[R, 2, 3] has no row space, expected rows of data"),
        ),
    ]);
}

#[test]
fn every_function_of_one_number_wants_reals() {
    let message = "[1, rows of space 0, 1] holds no reals of working precision";
    check(vec![
        (|w| w.graph.tanh(w.labels), shape("tanh", message)),
        (|w| w.graph.relu(w.labels), shape("relu", message)),
        (|w| w.graph.gelu(w.labels), shape("gelu", message)),
        (|w| w.graph.sigmoid(w.labels), shape("sigmoid", message)),
        (|w| w.graph.identity(w.labels), shape("identity", message)),
        (|w| w.graph.scale(w.labels, 2.0), shape("scale", message)),
        (
            |w| w.graph.subtract_constant(w.labels, 2.0),
            shape("subtract_constant", message),
        ),
        (|w| w.graph.logistic(w.labels), shape("logistic", message)),
        (|w| w.graph.hinge(w.labels, 1.0), shape("hinge", message)),
        (
            |w| w.graph.squared_hinge(w.labels, 1.0),
            shape("squared_hinge", message),
        ),
        // What a probe gives is for reading, not for computing on.
        (
            |w| w.graph.tanh(w.moments),
            shape("tanh", "[1, 3, 5] holds no reals of working precision"),
        ),
    ]);
}

#[test]
fn shapes_of_losses_probes_and_gathers() {
    check(vec![
        (
            |w| w.graph.softmax_cross_entropy(w.column, w.labels),
            shape(
                "softmax_cross_entropy",
                "logits [1, rows of space 0, 1], expected at least 2 classes",
            ),
        ),
        // Labels below 3 for two outputs.
        (
            |w| w.graph.softmax_cross_entropy(w.hidden, w.labels),
            shape(
                "softmax_cross_entropy",
                "labels [1, rows of space 0, 1] below 3 for [R, rows of space 0, 2]: expected one per row, below 2",
            ),
        ),
        (
            |w| w.graph.margin(w.column, w.labels),
            shape(
                "margin",
                "labels [1, rows of space 0, 1] below 3 for [1, rows of space 0, 1]: expected one per row, below 2",
            ),
        ),
        (
            |w| w.graph.error_count(w.hidden, w.labels, None),
            shape(
                "error_count",
                "labels [1, rows of space 0, 1] below 3 for [R, rows of space 0, 2]: expected one per row, below 2",
            ),
        ),
        (
            |w| w.graph.class_moments(w.shared, w.labels, 2, None),
            shape(
                "class_moments",
                "labels [1, rows of space 0, 1] below 3 for [1, rows of space 0, 3]: expected one per row, below 2",
            ),
        ),
        (
            |w| w.graph.margin(w.shared, w.own_labels),
            shape(
                "margin",
                "labels [R, rows of space 0, 1] below 3 for [1, rows of space 0, 3]: expected one per row, below 3",
            ),
        ),
        (
            |w| w.graph.margin(w.own, w.other_labels),
            shape(
                "margin",
                "labels [1, rows of space 1, 1] below 3 for [R, rows of space 0, 3]: expected one per row, below 3",
            ),
        ),
        (
            |w| neighbors(w, w.weight, w.labels, None, 1.0),
            shape(
                "soft_nearest_neighbor",
                "[R, 2, 3] has no row space, expected rows of data",
            ),
        ),
        (
            |w| neighbors(w, w.shared, w.own_labels, None, 1.0),
            shape(
                "soft_nearest_neighbor",
                "labels [R, rows of space 0, 1] below 3 for [1, rows of space 0, 3]: expected one per row, below 4294967295",
            ),
        ),
        (
            |w| neighbors(w, w.own, w.labels, Some(w.other), 1.0),
            shape(
                "soft_nearest_neighbor",
                "weights [1, rows of space 1, 3] for [R, rows of space 0, 3]: expected one per row",
            ),
        ),
        (
            |w| w.graph.softmax_cross_entropy(w.own, w.column),
            shape(
                "softmax_cross_entropy",
                "labels [1, rows of space 0, 1] are not indices",
            ),
        ),
        (
            |w| w.graph.error_count(w.own, w.labels, Some(w.other)),
            shape(
                "error_count",
                "weights [1, rows of space 1, 3] for [R, rows of space 0, 3]: expected one per row",
            ),
        ),
        (
            |w| w.graph.squared_error(w.hidden, w.shared),
            shape(
                "squared_error",
                "targets [1, rows of space 0, 3] for outputs [R, rows of space 0, 2]: expected one shape",
            ),
        ),
        (
            |w| w.graph.squared_error(w.shared, w.own),
            shape(
                "squared_error",
                "targets [R, rows of space 0, 3] for outputs [1, rows of space 0, 3]: expected one shape",
            ),
        ),
        (
            |w| w.graph.logit_penalty(w.hidden, w.labels, &[]),
            shape(
                "logit_penalty",
                "0 centres for outputs [R, rows of space 0, 2]: expected 2 per class",
            ),
        ),
        (
            |w| w.graph.logit_penalty(w.hidden, w.labels, &[0.0; 5]),
            shape(
                "logit_penalty",
                "5 centres for outputs [R, rows of space 0, 2]: expected 2 per class",
            ),
        ),
        (
            |w| w.graph.logit_penalty(w.hidden, w.labels, &[0.0; 2]),
            shape(
                "logit_penalty",
                "labels [1, rows of space 0, 1] below 3 for [R, rows of space 0, 2]: expected one per row, below 1",
            ),
        ),
        (
            |w| w.graph.gather(w.own, w.other_labels),
            shape(
                "gather",
                "table [R, rows of space 0, 3] by index [1, rows of space 1, 1]: expected a shared table and indices below its 4 rows",
            ),
        ),
        (
            |w| w.graph.gather(w.shared, w.labels),
            shape(
                "gather",
                "table [1, rows of space 0, 3] by index [1, rows of space 0, 1]: expected a shared table and indices below its 4 rows",
            ),
        ),
        (
            |w| {
                let space = w.graph.rows(2)?;
                let far = w.graph.index("far", space, 5, true)?;
                w.graph.gather(w.shared, far)
            },
            shape(
                "gather",
                "table [1, rows of space 0, 3] by index [R, rows of space 2, 1]: expected a shared table and indices below its 4 rows",
            ),
        ),
        (
            |w| {
                let frozen = w.graph.frozen_parameter("frozen", 4, 3)?;
                w.graph.gather(frozen, w.other_labels)
            },
            shape("gather", "table [R, 4, 3], expected rows of data"),
        ),
        (|w| w.graph.zero_rows(w.own), unknown("the result of row_normalize")),
    ]);
}

#[test]
fn operands_without_a_derivative() {
    /// A column that depends on the parameters.
    fn learnt(w: &mut World) -> Result<Value, AutogradError> {
        let row = w.graph.parameter("row", 1, 3)?;
        w.graph.dense(w.shared, row, None)
    }
    check(vec![
        (
            |w| {
                let weights = learnt(w)?;
                w.graph.mean_over_rows(weights, Some(weights))
            },
            no_derivative("mean_over_rows", "weights"),
        ),
        (
            |w| {
                let weights = learnt(w)?;
                w.graph.sum_over_rows(w.own_column, Some(weights))
            },
            no_derivative("sum_over_rows", "weights"),
        ),
        (
            |w| {
                let weights = learnt(w)?;
                w.graph.class_moments(w.own, w.labels, 3, Some(weights))
            },
            no_derivative("class_moments", "weights"),
        ),
        (
            |w| w.graph.squared_error(w.hidden, w.hidden),
            no_derivative("squared_error", "targets"),
        ),
        (|w| w.graph.gather(w.hidden, w.labels), no_derivative("gather", "table")),
        (|w| w.graph.gather(w.bias, w.labels), no_derivative("gather", "table")),
    ]);
}

#[test]
fn constants_are_finite() {
    check(vec![
        (|w| w.graph.scale(w.own, f64::NAN), constant("scale", "NaN")),
        (
            |w| w.graph.subtract_constant(w.own, f64::INFINITY),
            constant("subtract_constant", "inf"),
        ),
        (|w| w.graph.hinge(w.own, f64::NEG_INFINITY), constant("hinge", "-inf")),
        (
            |w| w.graph.squared_hinge(w.own, f64::NAN),
            constant("squared_hinge", "NaN"),
        ),
        (
            |w| {
                w.graph
                    .logit_penalty(w.hidden, w.labels, &[0.0, 0.0, 0.0, 0.0, f64::NAN, 0.0])
            },
            AutogradError::Constant {
                op: "logit_penalty",
                detail: "centre NaN, expected a finite number".into(),
            },
        ),
        (
            |w| neighbors(w, w.own, w.labels, None, 0.0),
            AutogradError::Constant {
                op: "soft_nearest_neighbor",
                detail: "temperature 0, expected a number from 1e-30 to 1e30".into(),
            },
        ),
        (
            |w| neighbors(w, w.own, w.labels, None, f64::NAN),
            AutogradError::Constant {
                op: "soft_nearest_neighbor",
                detail: "temperature NaN, expected a number from 1e-30 to 1e30".into(),
            },
        ),
        (
            |w| w.graph.l2_decay(&[w.weight], f64::INFINITY),
            constant("l2_decay", "inf"),
        ),
    ]);
}

#[test]
fn values_and_spaces_the_graph_does_not_have() {
    let value = || unknown("a value of this graph");
    check(vec![
        (|w| w.graph.tanh(w.foreign), value()),
        (|w| w.graph.add(w.own, w.foreign), value()),
        (|w| w.graph.dense(w.own, w.weight, Some(w.foreign)), value()),
        (|w| w.graph.dense(w.own, w.foreign, None), value()),
        (|w| w.graph.softmax_cross_entropy(w.own, w.foreign), value()),
        (|w| w.graph.squared_error(w.own, w.foreign), value()),
        (|w| neighbors(w, w.foreign, w.labels, None, 1.0), value()),
        (|w| w.graph.mean_over_rows(w.column, Some(w.foreign)), value()),
        (|w| w.graph.gather(w.foreign, w.labels), value()),
        (|w| w.graph.gather(w.shared, w.foreign), value()),
        (|w| w.graph.l2_decay(&[w.foreign], 0.1), value()),
        (|w| w.graph.zero_rows(w.foreign), value()),
        (
            |w| w.graph.input("z", RowSpace(2), 1, false),
            unknown("a row space of this graph"),
        ),
        (
            |w| w.graph.index("z", RowSpace(9), 1, false),
            unknown("a row space of this graph"),
        ),
    ]);
}

fn train(objective: Value) -> Entry {
    Entry {
        outputs: vec![],
        training: Some(Training { objective, rule: None }),
    }
}

#[test]
fn plans_that_cannot_be() {
    let mut w = world().unwrap();
    let rows = w.graph.tanh(w.hidden).unwrap();
    let decay = w.graph.l2_decay(&[w.weight], 0.1).unwrap();
    let both = w.graph.l2_decay(&[w.weight, w.bias], 0.1).unwrap();
    let plan = |objective| Plan::new(&w.graph, &[train(objective)]).map(|_| ()).unwrap_err();
    let not_scalar = |found: &str| AutogradError::NotScalar { found: found.into() };
    assert_eq!(plan(rows), not_scalar("[R, rows of space 0, 2]"));
    assert_eq!(plan(w.column), not_scalar("[1, rows of space 0, 1]"));
    assert_eq!(plan(w.bias), not_scalar("[R, 1, 2]"));
    assert_eq!(plan(w.moments), not_scalar("[1, 3, 5]"));
    assert_eq!(plan(w.foreign), unknown("a value of this graph"));
    let parameter = "bias".to_string();
    assert_eq!(plan(decay), AutogradError::NoGradient { parameter });
    assert!(Plan::new(&w.graph, &[train(both)]).is_ok());
    let outputs = Entry {
        outputs: vec![rows, w.foreign],
        training: None,
    };
    assert_eq!(
        Plan::new(&w.graph, &[outputs]).map(|_| ()),
        Err(unknown("a value of this graph"))
    );
    // A parameter beside a loss that only reads data: named, although another one is trained.
    let mut graph = Graph::new(1).unwrap();
    let space = graph.rows(2).unwrap();
    let x = graph.input("x", space, 1, false).unwrap();
    graph.parameter("alone", 1, 1).unwrap();
    let objective = graph.mean_over_rows(x, None).unwrap();
    let parameter = "alone".to_string();
    let error = Plan::new(&graph, &[train(objective)]).map(|_| ()).unwrap_err();
    assert_eq!(error, AutogradError::NoGradient { parameter });
    let line = "parameter 'alone' receives no gradient: expected the objective to depend on every trainable parameter";
    assert_eq!(error.to_string(), line);
}

/// A session of the world whose only entry computes the rows of `hidden`.
fn session(w: &World) -> Session {
    let entry = Entry {
        outputs: vec![w.hidden],
        training: None,
    };
    Plan::new(&w.graph, &[entry]).unwrap().start(&Reference).unwrap()
}

#[test]
fn writes_that_do_not_fit() {
    let w = world().unwrap();
    let mut s = session(&w);
    let length = |buffer: &str, found, expected| {
        let buffer = buffer.into();
        Err(AutogradError::Backend(BackendError::Length {
            buffer,
            found,
            expected,
        }))
    };
    let element = |buffer: &str, index| {
        let buffer = buffer.into();
        Err(AutogradError::Backend(BackendError::Element { buffer, index }))
    };
    assert_eq!(s.write(w.shared, &[0.0; 11]), length("shared", 11, 12));
    assert_eq!(s.write(w.own, &[0.0; 12]), length("own", 12, 24));
    assert_eq!(s.write(w.weight, &[]), length("weight", 0, 12));
    assert_eq!(s.write_index(w.labels, &[0; 5]), length("labels", 5, 4));
    assert_eq!(s.read_into(w.bias, &mut [0.0; 3]), length("bias", 3, 4));
    assert_eq!(s.write(w.labels, &[0.0; 4]), element("labels", true));
    assert_eq!(s.write_index(w.shared, &[0; 12]), element("shared", false));
    assert_eq!(s.read(w.labels), element("labels", true).map(|()| vec![]));
    assert_eq!(s.read_index(w.shared), element("shared", false).map(|()| vec![]));
    let range = BackendError::IndexRange {
        buffer: "own labels".into(),
        position: 5,
        found: 3,
        bound: 3,
    };
    assert_eq!(
        s.write_index(w.own_labels, &[0, 1, 2, 0, 1, 3, 0, 9]),
        Err(AutogradError::Backend(range))
    );
    // A refused write leaves what was there.
    assert_eq!(s.read_index(w.own_labels).unwrap(), [0; 8]);
    let expected = "an input, a parameter or an output of an entry point";
    assert_eq!(s.write(w.foreign, &[0.0]), Err(unknown(expected)));
    assert_eq!(s.read(w.moments), Err(unknown(expected)));
    assert_eq!(
        s.gradient(w.weight),
        Err(unknown("a parameter that an entry point trains"))
    );
}

#[test]
fn row_counts_entries_and_states_that_do_not_fit() {
    let w = world().unwrap();
    let mut s = session(&w);
    let rows = |rows, capacity| Err(AutogradError::Backend(BackendError::Rows { rows, capacity }));
    assert_eq!(s.set_rows(w.space, 0), rows(0, 4));
    assert_eq!(s.set_rows(w.space, 5), rows(5, 4));
    assert_eq!(s.set_rows(RowSpace(2), 1), rows(1, 0));
    assert_eq!(s.set_rows(w.space, 1), Ok(()));
    assert_eq!(s.set_rows(w.space, 4), Ok(()));
    let step = Step {
        learning_rate: 0.1,
        number: 1,
    };
    assert_eq!(
        s.run(EntryId(1), step),
        Err(AutogradError::Backend(BackendError::UnknownEntry { id: 1 }))
    );
    assert_eq!(s.evaluate(EntryId(7)), Err(BackendError::UnknownEntry { id: 7 }));
    let expected = "the optimiser states of these parameters";
    let mut states = s.states().unwrap();
    assert_eq!(s.write_states(&states), Ok(()));
    states[1].0 = "weight".into();
    assert_eq!(s.write_states(&states), Err(unknown(expected)));
    states.pop();
    assert_eq!(s.write_states(&states), Err(unknown(expected)));
}

#[test]
fn a_buffer_no_memory_can_hold() {
    // Rows that overflow a usize, and rows that no address space of 2^48 bytes has room for.
    for rows in [usize::MAX / 2, 1 << 55] {
        let mut graph = Graph::new(2).unwrap();
        let space = graph.rows(rows).unwrap();
        graph.input("huge", space, 8, true).unwrap();
        let error = Plan::new(&graph, &[]).unwrap().start(&Reference).map(|_| ());
        let (buffer, cols, copies) = ("huge".to_string(), 8, 2);
        let too_large = BackendError::TooLarge {
            buffer,
            rows,
            cols,
            copies,
        };
        assert_eq!(error, Err(AutogradError::Backend(too_large)));
    }
}

#[test]
fn an_error_names_the_op_whose_result_it_is_about() {
    let list: [(&str, Record); 22] = [
        ("dense", |w| Ok(w.hidden)),
        ("class_moments", |w| Ok(w.moments)),
        ("add", |w| w.graph.add(w.shared, w.own)),
        ("subtract", |w| w.graph.subtract(w.shared, w.own)),
        ("scale", |w| w.graph.scale(w.shared, 2.0)),
        ("subtract_constant", |w| w.graph.subtract_constant(w.shared, 2.0)),
        ("tanh", |w| w.graph.tanh(w.shared)),
        ("relu", |w| w.graph.relu(w.shared)),
        ("gelu", |w| w.graph.gelu(w.shared)),
        ("sigmoid", |w| w.graph.sigmoid(w.shared)),
        ("gather", |w| {
            let rows = w.graph.rows(2)?;
            let index = w.graph.index("which", rows, 4, false)?;
            w.graph.gather(w.shared, index)
        }),
        ("margin", |w| w.graph.margin(w.own, w.labels)),
        ("logit_penalty", |w| w.graph.logit_penalty(w.own, w.labels, &[0.5; 9])),
        ("error_count", |w| w.graph.error_count(w.own, w.labels, None)),
        ("row_normalize", |w| w.graph.row_normalize(w.shared)),
        ("zero_rows", |w| {
            let unit = w.graph.row_normalize(w.shared)?;
            w.graph.zero_rows(unit)
        }),
        ("mean_over_rows", |w| w.graph.mean_over_rows(w.column, None)),
        ("sum_over_rows", |w| w.graph.sum_over_rows(w.column, None)),
        ("soft_nearest_neighbor", |w| neighbors(w, w.own, w.labels, None, 1.0)),
        ("softmax_cross_entropy", |w| {
            w.graph.softmax_cross_entropy(w.own, w.labels)
        }),
        ("squared_error", |w| w.graph.squared_error(w.own, w.shared)),
        ("sum_squares", |w| w.graph.sum_squares(w.weight)),
    ];
    for (op, record) in list {
        let mut w = world().unwrap();
        let result = record(&mut w).unwrap();
        let entry = Entry {
            outputs: vec![result],
            training: None,
        };
        let session = Plan::new(&w.graph, &[entry]).unwrap().start(&Reference).unwrap();
        match session.read_into(result, &mut []) {
            Err(AutogradError::Backend(BackendError::Length { buffer, found: 0, .. })) => assert_eq!(buffer, op),
            other => panic!("{op}: {other:?}"),
        }
    }
}
