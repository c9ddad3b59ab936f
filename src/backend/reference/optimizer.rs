//! One optimiser step, element by element. The formulas and their sources stand in `nn/optimizer.rs`.

use super::Machine;
use crate::backend::kernel::UpdateRule;
use crate::backend::program::BufferId;

impl Machine {
    pub(super) fn update(&mut self, rule: UpdateRule, parameter: BufferId, gradient: BufferId, states: &[BufferId]) {
        let lr = self.step.learning_rate;
        let t = i32::try_from(self.step.number).unwrap_or(i32::MAX);
        for n in 0..self.reals[parameter.0].len() {
            let w = self.reals[parameter.0][n];
            let g = self.reals[gradient.0][n];
            let state = |k: usize| self.reals[states[k].0][n];
            let (w, fresh) = match rule {
                UpdateRule::Sgd {
                    momentum,
                    nesterov,
                    weight_decay,
                } => {
                    let g = g + weight_decay * w;
                    if momentum == 0.0 {
                        (w - lr * g, [0.0, 0.0])
                    } else {
                        let v = momentum * state(0) + g;
                        (w - lr * if nesterov { g + momentum * v } else { v }, [v, 0.0])
                    }
                }
                UpdateRule::Adam {
                    beta1,
                    beta2,
                    epsilon,
                    weight_decay,
                    decoupled,
                } => {
                    let (w, g) = if decoupled {
                        (w - lr * weight_decay * w, g)
                    } else {
                        (w, g + weight_decay * w)
                    };
                    let m = beta1 * state(0) + (1.0 - beta1) * g;
                    let v = beta2 * state(1) + (1.0 - beta2) * g * g;
                    let (m_hat, v_hat) = (m / (1.0 - beta1.powi(t)), v / (1.0 - beta2.powi(t)));
                    (w - lr * m_hat / (v_hat.sqrt() + epsilon), [m, v])
                }
                UpdateRule::RmsProp {
                    alpha,
                    epsilon,
                    momentum,
                    weight_decay,
                } => {
                    let g = g + weight_decay * w;
                    let v = alpha * state(0) + (1.0 - alpha) * g * g;
                    let step = g / (v.sqrt() + epsilon);
                    if momentum == 0.0 {
                        (w - lr * step, [v, 0.0])
                    } else {
                        let b = momentum * state(1) + step;
                        (w - lr * b, [v, b])
                    }
                }
            };
            self.reals[parameter.0][n] = w;
            for (state, value) in states.iter().zip(fresh) {
                self.reals[state.0][n] = value;
            }
        }
    }
}
