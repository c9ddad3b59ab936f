//! Points, reductions over them, and the parts of the CPU backend that anybody can reach.

use disentangle::backend::cpu::gemm::{Workspace, chain_length, gemm_slices};
use disentangle::backend::cpu::isa::Isa;
use disentangle::backend::cpu::pool::Pool;
use disentangle::backend::pairwise::{Bins, Form, Metric, PairFunction, Points, RowSource};
use disentangle::backend::{Backend, Cpu, Pairwise, Reference};

use super::Attack;

/// Rows that say they are many, and are not.
struct Liar;

impl RowSource for Liar {
    fn replicas(&self) -> usize {
        usize::MAX
    }

    fn rows(&self) -> usize {
        usize::MAX
    }

    fn dim(&self) -> usize {
        2
    }

    fn is_f32(&self) -> bool {
        false
    }

    fn read(&self, _: usize, _: usize, _: &mut [f64]) -> Result<(), String> {
        Err("there are none".into())
    }
}

pub fn attack(attack: &mut Attack) {
    let six = [1.0f64, 2.0, f64::NAN, 4.0, 5.0, f64::MAX];
    for dim in [0, 4, usize::MAX] {
        attack.refused("Points::new", "a width that does not fit", || {
            Points::new(&six[..], dim)
        });
    }
    attack.refused("Points::from_source", "more rows than there can be", || {
        Points::from_source(&Liar)
    });
    let Ok(points) = Points::new(&six[..], 2) else { return };
    attack.refused("Points::replicas", "none", || points.replicas(0));
    attack.refused("Points::replicas", "too many", || points.replicas(usize::MAX));
    for (labels, classes) in [
        (&[][..], 1),
        (&[0, 1, 2][..], 2),
        (&[0, 0, 0][..], 0),
        (&[0, 0, 0][..], usize::MAX),
    ] {
        attack.refused("Points::labels", "labels that are none", || {
            points.labels(labels, classes)
        });
    }
    let Ok(cpu) = Cpu::new(1) else { return };
    let fine = [1.0f64, 2.0, 3.0, 4.0, 5.0, 6.0];
    let others = [1.0f64; 3];
    let sets = [
        (Points::new(&six[..], 2), None),
        (Points::new(&fine[..], 2), Points::new(&others[..], 3).ok()),
        (Points::new(&fine[..], 6), None),
    ];
    for backend in [cpu.pairs(), &Reference as &dyn Pairwise] {
        for (points, others) in &sets {
            let Ok(points) = points else { continue };
            reductions(attack, backend, points, others.as_ref());
        }
    }
    for threads in [0, usize::MAX] {
        attack.refused("Cpu::new", "no number of threads", || Cpu::new(threads).map(drop));
        attack.refused("Pool::new", "no number of threads", || Pool::new(threads).map(drop));
    }
    attack.call("Cpu::skip_zeros", "either", || {
        Cpu::new(1).map(|cpu| cpu.skip_zeros(false))
    });
    attack.refused("Isa::from_name", "no name", || Isa::from_name("sse\u{0}"));
    let mut workspace = Workspace::default();
    for shape in [(usize::MAX, 2, 2), (2, usize::MAX, 2), (1, 1, 1)] {
        attack.refused("gemm::gemm_slices", "matrices of other sizes", || {
            gemm_slices(Isa::Portable, shape, &[], &[f32::NAN], &mut [], true, &mut workspace)
        });
    }
    for k in [0, 1, usize::MAX] {
        attack.call("gemm::chain_length", "any depth", || chain_length(k));
        attack.call("cpu::is_wide", "any widths", || {
            disentangle::backend::cpu::is_wide(k, usize::MAX)
        });
    }
    for x in [f32::NAN, f32::INFINITY, f32::MIN, 1e-45] {
        attack.call("math::tanh", "any number", || disentangle::backend::cpu::math::tanh(x));
    }
}

/// Every reduction of a set with a NaN, of two sets of other widths, and of one row, with parameters that are none.
fn reductions(attack: &mut Attack, backend: &dyn Pairwise, points: &Points, others: Option<&Points>) {
    for number in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300] {
        let functions = [
            PairFunction::Gaussian { temperature: number },
            PairFunction::Within { radius: number },
            PairFunction::Cosine,
        ];
        attack.call("Points::check", "any limit", || points.check(number));
        for form in [Form::Direct, Form::Centered, Form::F64] {
            for function in functions {
                attack.call("PairFunction::check", "anything", || function.check(form));
                attack.call("PairFunction::check_gradient", "anything", || {
                    function.check_gradient(form)
                });
                attack.call("Pairwise::class_sums", "anything", || {
                    backend.class_sums(points, others, function, form)
                });
                attack.call("Pairwise::row_class_sums", "anything", || {
                    backend.row_class_sums(points, others, function, form)
                });
                for weights in [&[][..], &[f64::NAN][..], &[number; 3][..]] {
                    attack.call("Pairwise::class_sums_gradient", "anything", || {
                        backend.class_sums_gradient(points, others, function, form, weights)
                    });
                    attack.call("Pairwise::row_class_sums_gradient", "anything", || {
                        backend.row_class_sums_gradient(points, others, function, form, weights)
                    });
                    attack.call("Pairwise::row_class_log_sums_gradient", "anything", || {
                        backend.row_class_log_sums_gradient(points, others, number, form, weights)
                    });
                }
            }
            attack.call("Pairwise::row_class_log_sums", "anything", || {
                backend.row_class_log_sums(points, others, number, form)
            });
            for count in [0, 1, usize::MAX] {
                attack.call("Pairwise::class_histograms", "anything", || {
                    backend.class_histograms(points, others, Bins { width: number, count }, form)
                });
                attack.call("Pairwise::nearest", "anything", || {
                    backend.nearest(points, others, Metric::Cosine, count, form)
                });
            }
            attack.call("Pairwise::soft_nearest_neighbor", "anything", || {
                backend.soft_nearest_neighbor(points, number, form)
            });
            attack.call("Pairwise::soft_nearest_neighbor_gradient", "anything", || {
                backend.soft_nearest_neighbor_gradient(points, number, form)
            });
        }
    }
}
