//! Networks, losses, optimisers, and training with them.

use disentangle::autograd::Graph;
use disentangle::backend::{Cpu, RowSpace};
use disentangle::nn::loss::Truth;
use disentangle::nn::{Activation, Architecture, Initializer, Loss, Network, Optimizer, Schedule};
use disentangle::train::{Extras, Recipe, Samples, Trainer};

use super::Attack;

const LOSSES: [Loss; 5] = [
    Loss::CrossEntropy,
    Loss::SquaredError,
    Loss::Logistic,
    Loss::Hinge { threshold: f64::NAN },
    Loss::SquaredHinge {
        threshold: f64::INFINITY,
    },
];

pub fn attack(attack: &mut Attack) {
    networks(attack);
    for loss in LOSSES {
        for classes in [0, 1, 2, 3, usize::MAX] {
            attack.call("Loss::outputs", "any number of classes", || loss.outputs(classes));
            attack.call("Loss::targets", "labels beyond the classes", || {
                loss.targets(&[u32::MAX, 0], classes.min(9))
            });
        }
    }
    for optimizer in [Optimizer::Sgd, Optimizer::Adam, Optimizer::RmsProp] {
        for number in [f64::NAN, f64::INFINITY, -1.0, 2.0] {
            attack.call("Optimizer::rule", "numbers out of range", || {
                optimizer.rule(number, number)
            });
        }
        attack.refused("Optimizer::rule", "NaN", || optimizer.rule(f64::NAN, 0.0));
    }
    for schedule in [
        Schedule::Constant,
        Schedule::Cosine,
        Schedule::Step {
            every: 0,
            factor: f64::NAN,
        },
    ] {
        for (epoch, epochs) in [(0, 0), (usize::MAX, 1), (usize::MAX, usize::MAX)] {
            attack.call("Schedule::rate", "any epoch", || schedule.rate(f64::NAN, epoch, epochs));
        }
    }
    training(attack);
}

fn networks(attack: &mut Attack) {
    let architecture = |inputs: usize, hidden: &[usize]| Architecture {
        inputs,
        hidden: hidden.to_vec(),
        outputs: 2,
        activation: Activation::Tanh,
        bias: true,
    };
    for (inputs, hidden) in [(0, &[][..]), (3, &[0][..]), (3, &[4, 0][..])] {
        attack.refused("Network::record", "a width of 0", || {
            let mut graph = Graph::new(1).map_err(|error| error.to_string())?;
            Network::record(&mut graph, &architecture(inputs, hidden)).map_err(|error| error.to_string())
        });
    }
    let small = architecture(1, &[]);
    for (name, shape, values) in [
        ("0.weight", vec![], vec![]),
        ("0.weight", vec![2, 1], vec![f64::NAN; 2]),
        ("0.weight", vec![usize::MAX, usize::MAX], vec![1.0]),
        ("another", vec![2, 1], vec![1.0; 2]),
    ] {
        for replicas in [0, 1] {
            let given = [(name.to_string(), shape.clone(), values.clone())];
            attack.refused("Architecture::adopt", "parameters that do not fit", || {
                small.adopt(&given, replicas)
            });
        }
    }
    let Ok(mut graph) = Graph::new(1) else { return };
    let (Ok(network), Ok(rows)) = (Network::record(&mut graph, &small), graph.rows(3)) else {
        return;
    };
    let (Ok(x), Ok(labels)) = (graph.input("x", rows, 9, false), graph.index("labels", rows, 2, false)) else {
        return;
    };
    attack.refused("Network::forward", "another width", || network.forward(&mut graph, x));
    attack.refused("Network::forward", "labels", || network.forward(&mut graph, labels));
    for activation in [Activation::Tanh, Activation::Gelu, Activation::Identity] {
        attack.call("Activation::record", "labels", || activation.record(&mut graph, labels));
    }
    for loss in LOSSES {
        attack.call("Loss::truth", "another graph's rows", || {
            loss.truth(&mut graph, "t", RowSpace(99), labels, 0)
        });
        attack.refused("Loss::of_rows", "labels as outputs", || {
            loss.of_rows(&mut graph, labels, Truth::Labels(x))
        });
        attack.refused("Loss::of_rows", "labels as targets", || {
            loss.of_rows(&mut graph, x, Truth::Targets(labels))
        });
    }
}

fn training(attack: &mut Attack) {
    let Ok(cpu) = Cpu::new(1) else { return };
    let good = attack.call("Recipe::new", "any widths", || {
        Recipe::new(2, &[3], 2, Activation::Relu, Loss::CrossEntropy)
    });
    attack.call("Recipe::new", "any widths", || {
        Recipe::new(0, &[0, usize::MAX], 0, Activation::Relu, Loss::Logistic)
    });
    let Some(good) = good else { return };
    let initial = good.initial(Initializer::Pytorch);
    let (features, labels) = ([0.5f64; 8], [0u32, 1, 0, 1]);
    let fine = Samples {
        features: &features,
        labels: &labels,
    };
    let none = Samples {
        features: &[],
        labels: &[],
    };
    let nan = Samples {
        features: &[f64::NAN; 8],
        labels: &labels,
    };
    let short = Samples {
        features: &features[..7],
        labels: &labels,
    };
    let unknown = Samples {
        features: &features,
        labels: &[0, 1, 2, u32::MAX],
    };
    for (with, samples) in [
        ("none", none),
        ("too few numbers", short),
        ("labels beyond the classes", unknown),
    ] {
        attack.refused("Trainer::new", with, || {
            Trainer::new(good.clone(), samples, None, &initial, &cpu).map(drop)
        });
        attack.refused("Trainer::with_hidden", with, || {
            Trainer::with_hidden(good.clone(), fine, Some(samples), &initial, &cpu).map(drop)
        });
    }
    // NaN is a number that stays NaN.
    if let Some(Ok(mut trainer)) = attack.call("Trainer::new", "NaN", || {
        Trainer::new(good.clone(), nan, None, &initial, &cpu)
    }) {
        attack.call("Trainer::advance", "NaN", || trainer.advance());
    }
    attack.refused("Trainer::new", "no parameters", || {
        Trainer::new(good.clone(), fine, None, &vec![], &cpu).map(drop)
    });
    for (weights, labels) in [
        (Some(&[][..]), None),
        (Some(&[f64::NAN; 4][..]), None),
        (Some(&[-1.0; 4][..]), None),
        (None, Some(&[][..])),
        (None, Some(&[u32::MAX; 4][..])),
    ] {
        let extras = Extras {
            weights,
            labels,
            ..Extras::default()
        };
        attack.refused("Trainer::with", "weights or labels that do not fit", || {
            Trainer::with(good.clone(), fine, &initial, &cpu, extras).map(drop)
        });
    }
    let wrong: [fn(&mut Recipe); 8] = [
        |r| r.learning_rate = f64::NAN,
        |r| r.l2 = f64::NEG_INFINITY,
        |r| r.replicas = vec![],
        |r| r.layers = vec![usize::MAX],
        |r| r.classes = 0,
        |r| r.architecture.inputs = usize::MAX,
        |r| r.architecture.hidden = vec![usize::MAX],
        |r| r.architecture.outputs = 0,
    ];
    for change in wrong {
        let mut recipe = good.clone();
        change(&mut recipe);
        attack.refused("Trainer::new", "a recipe that is none", || {
            Trainer::new(recipe, fine, None, &initial, &cpu).map(drop)
        });
    }
    let Ok(mut trainer) = Trainer::new(good, fine, None, &initial, &cpu) else {
        return;
    };
    attack.refused("Trainer::hidden", "a layer that is not held", || {
        trainer.hidden(usize::MAX)
    });
    if let Some(Ok(snapshot)) = attack.call("Trainer::snapshot", "a trainer", || trainer.snapshot()) {
        let mut others = snapshot.clone();
        others.parameters = vec![("0.weight".to_string(), vec![1.0])];
        attack.refused("Trainer::restore", "another network's", || trainer.restore(&others));
    }
}
