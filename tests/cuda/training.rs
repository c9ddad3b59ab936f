//! Networks in training: the numbers of the reference, and the same bits alone and beside others.

use disentangle::backend::Reference;
use disentangle::backend::kernel::UpdateRule;
use disentangle::nn::{Activation, Loss};

use crate::cuda;
use crate::network_support::{Net, Rows, Setup};

const CLASSES: usize = 3;
const HIDDEN: [usize; 2] = [19, 11];
/// Three lanes of a weight gradient.
const TOTAL: usize = 600;

fn setup(loss: Loss, activation: Activation, rule: UpdateRule, rows: Rows) -> Setup {
    Setup {
        loss,
        activation,
        rule,
        classes: CLASSES,
        inputs: 37,
        hidden: HIDDEN,
        total: TOTAL,
        rows,
        entangled: false,
    }
}

const SGD: UpdateRule = UpdateRule::Sgd {
    momentum: 0.9,
    nesterov: true,
    weight_decay: 1e-3,
};
const ADAM: UpdateRule = UpdateRule::Adam {
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weight_decay: 1e-2,
    decoupled: true,
};

/// 50 steps: loss and class moments (per row: means and squares of unit vectors) within 5e-6 of the reference's, which is what
/// a run's loss and radii are held to.
pub fn follows_the_reference() {
    const STEPS: usize = 50;
    // Objective, loss, errors and rows, moments, rows of norm zero.
    let width = 2 + 2 + CLASSES * (2 + HIDDEN[1]) + 1;
    for (activation, rows) in [
        (Activation::Tanh, Rows::Shared),
        (Activation::Sigmoid, Rows::Gathered(450)),
    ] {
        let setup = setup(Loss::CrossEntropy, activation, SGD, rows);
        let got = Net::new(&setup, &[0, 1], cuda()).train(STEPS);
        let exact = Net::new(&setup, &[0, 1], &Reference).train(STEPS);
        let (mut worst_loss, mut worst_moment) = (0.0f64, 0.0f64);
        for (got, exact) in got.iter().zip(&exact) {
            for n in 0..STEPS * width {
                let (got, exact) = (f64::from_bits(got[n]), f64::from_bits(exact[n]));
                match n % width {
                    0 | 1 => worst_loss = worst_loss.max((got - exact).abs()),
                    // A batch's last rows are 150.
                    k if k >= 4 && k < width - 1 => worst_moment = worst_moment.max((got - exact).abs() / 150.0),
                    _ => {}
                }
            }
        }
        println!("{activation:?}, {rows:?}: loss within {worst_loss:e}, moments within {worst_moment:e}");
        assert!(worst_loss <= 5e-6 && worst_moment <= 5e-6);
    }
}

/// Replica r has the same bits alone, beside others, and in any order.
pub fn same_bits_alone_and_beside_others() {
    let setups = [
        setup(Loss::CrossEntropy, Activation::Tanh, SGD, Rows::Shared),
        setup(Loss::Logistic, Activation::Gelu, ADAM, Rows::Own),
        setup(
            Loss::Hinge { threshold: 1.0 },
            Activation::Relu,
            SGD,
            Rows::Gathered(450),
        ),
        Setup {
            entangled: true,
            ..setup(Loss::SquaredError, Activation::Sigmoid, ADAM, Rows::Written(250))
        },
    ];
    for setup in setups {
        let together = Net::new(&setup, &[0, 1, 2], cuda()).train(4);
        let alone = Net::new(&setup, &[2], cuda()).train(4);
        let turned = Net::new(&setup, &[1, 0], cuda()).train(4);
        assert!(
            together[2] == alone[0] && together[1] == turned[0] && together[0] == turned[1],
            "{setup:?}"
        );
        assert!(together[0] != together[1], "{setup:?}: replicas differ");
    }
}
