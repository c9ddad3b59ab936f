//! quick smoke (placeholder while building)
use disentangle::autograd::*;
use disentangle::backend::{Backend, Cpu, Reference, kernel::UpdateRule};
use disentangle::data::synthetic::gaussian_classes;
use disentangle::nn::*;
use disentangle::train::*;

#[test]
fn smoke() {
    let (x, y) = gaussian_classes(1, 2, 700, 30, 2.0);
    for batch in [Batch::Full, Batch::Size(96)] {
        let recipe = Recipe {
            architecture: Architecture {
                inputs: 30,
                hidden: vec![20, 7],
                outputs: 2,
                activation: Activation::Tanh,
                bias: true,
            },
            classes: 2,
            loss: Loss::CrossEntropy,
            l2: 1e-3,
            rule: UpdateRule::Sgd {
                momentum: 0.5,
                nesterov: false,
                weight_decay: 0.0,
            },
            learning_rate: 0.1,
            schedule: Schedule::Constant,
            epochs: 20,
            batch,
            seed: 3,
            replicas: vec![0, 1, 2],
            layers: vec![0, 1],
        };
        let initial = recipe.architecture.initial(Initializer::Pytorch, 3, &recipe.replicas);
        let run = |b: &dyn Backend| {
            let mut t = Trainer::new(
                recipe.clone(),
                Samples {
                    features: &x,
                    labels: &y,
                },
                None,
                &initial,
                b,
            )
            .unwrap();
            let mut last = None;
            for _ in 0..20 {
                last = Some(t.advance().unwrap());
            }
            let m = last.unwrap();
            println!("{:?} {:?}", m.loss, m.error);
            m
        };
        let a = run(&Reference);
        let b = run(&Cpu::new(2).unwrap());
        for (a, b) in a.loss.iter().zip(&b.loss) {
            assert!((a - b).abs() < 1e-5 * a, "{a} {b}");
        }
    }
}
