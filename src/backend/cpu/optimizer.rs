//! One optimiser step in one pass over a parameter. The formulas and their sources stand in `nn/optimizer.rs`.

use super::isa::Isa;
use super::math::vectorize;
use crate::backend::Step;
use crate::backend::kernel::UpdateRule;

/// Moves `w` against its gradient `g`; `states` are the rule's own buffers, as many as it has.
pub(super) fn update(isa: Isa, rule: UpdateRule, step: Step, w: &mut [f32], g: &[f32], states: [&mut [f32]; 2]) {
    let lr = step.learning_rate as f32;
    let [first, second] = states;
    match rule {
        UpdateRule::Sgd {
            momentum,
            nesterov,
            weight_decay,
        } => {
            let (momentum, decay) = (momentum as f32, weight_decay as f32);
            if momentum == 0.0 {
                vectorize(
                    isa,
                    #[inline(always)]
                    || w.iter_mut().zip(g).for_each(|(w, &g)| *w -= lr * (g + decay * *w)),
                );
                return;
            }
            vectorize(
                isa,
                #[inline(always)]
                || {
                    for ((w, &g), v) in w.iter_mut().zip(g).zip(first) {
                        let g = g + decay * *w;
                        *v = momentum * *v + g;
                        *w -= lr * if nesterov { g + momentum * *v } else { *v };
                    }
                },
            );
        }
        UpdateRule::Adam {
            beta1,
            beta2,
            epsilon,
            weight_decay,
            decoupled,
        } => {
            // The corrections are computed in f64: 1 - beta^t cancels in the first steps.
            let t = i32::try_from(step.number).unwrap_or(i32::MAX);
            let (c1, c2) = ((1.0 - beta1.powi(t)) as f32, (1.0 - beta2.powi(t)) as f32);
            let (b1, b2, n1, n2) = (beta1 as f32, beta2 as f32, (1.0 - beta1) as f32, (1.0 - beta2) as f32);
            let (epsilon, decay) = (epsilon as f32, weight_decay as f32);
            vectorize(
                isa,
                #[inline(always)]
                || {
                    for (((w, &g), m), v) in w.iter_mut().zip(g).zip(first).zip(second) {
                        let g = if decoupled { g } else { g + decay * *w };
                        let shrunk = if decoupled { *w - lr * decay * *w } else { *w };
                        *m = b1 * *m + n1 * g;
                        *v = b2 * *v + n2 * g * g;
                        *w = shrunk - lr * (*m / c1) / ((*v / c2).sqrt() + epsilon);
                    }
                },
            );
        }
        UpdateRule::RmsProp {
            alpha,
            epsilon,
            momentum,
            weight_decay,
        } => {
            let (a, n, momentum) = (alpha as f32, (1.0 - alpha) as f32, momentum as f32);
            let (epsilon, decay) = (epsilon as f32, weight_decay as f32);
            let scaled = |w: f32, g: f32, v: &mut f32| {
                let g = g + decay * w;
                *v = a * *v + n * g * g;
                g / (v.sqrt() + epsilon)
            };
            if momentum == 0.0 {
                vectorize(
                    isa,
                    #[inline(always)]
                    || {
                        w.iter_mut()
                            .zip(g)
                            .zip(first)
                            .for_each(|((w, &g), v)| *w -= lr * scaled(*w, g, v))
                    },
                );
                return;
            }
            vectorize(
                isa,
                #[inline(always)]
                || {
                    for (((w, &g), v), b) in w.iter_mut().zip(g).zip(first).zip(second) {
                        *b = momentum * *b + scaled(*w, g, v);
                        *w -= lr * *b;
                    }
                },
            );
        }
    }
}
