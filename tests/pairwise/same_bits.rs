//! The same bits for any number of threads, and for a replica alone or beside others, on the instruction set in use (`tests/run.sh` goes through them).

use disentangle::backend::pairwise::{Bins, Form, Metric, PairFunction, Points};
use disentangle::backend::{Cpu, Pairwise};

use crate::data::{FORMS, functions, labels, normal};

const CLASSES: usize = 4;

/// Everything that is computed, one replica after the other, as bits.
fn everything(cpu: &Cpu, points: &Points, form: Form) -> Vec<Vec<u64>> {
    let replicas = points.replica_count();
    let mut parts = vec![Vec::new(); replicas];
    let mut add = |values: &[f64]| {
        for (part, values) in parts.iter_mut().zip(values.chunks_exact(values.len() / replicas)) {
            part.extend(values.iter().map(|v| v.to_bits()));
        }
    };
    for function in functions(points.dim(), form) {
        add(&cpu.class_sums(points, None, function, form).unwrap().sums);
        add(&cpu.row_class_sums(points, None, function, form).unwrap());
    }
    add(&cpu.row_class_log_sums(points, None, 1.0, form).unwrap());
    let weights = vec![0.5; replicas * CLASSES * CLASSES];
    let function = PairFunction::Euclidean;
    add(&cpu
        .class_sums_gradient(points, None, function, form, &weights)
        .unwrap()
        .points);
    let loss = cpu.soft_nearest_neighbor_gradient(points, 1.5, form).unwrap();
    add(&loss.points);
    add(&loss.value.rows);
    let nearest = cpu.nearest(points, None, Metric::Euclidean, 9, form).unwrap();
    add(&nearest.distances);
    add(&nearest.indices.iter().map(|&j| f64::from(j)).collect::<Vec<_>>());
    let bins = Bins { width: 0.7, count: 12 };
    let counts = cpu.class_histograms(points, None, bins, form).unwrap().counts;
    add(&counts.iter().map(|&count| count as f64).collect::<Vec<_>>());
    parts
}

#[test]
fn for_any_number_of_threads_and_of_replicas() {
    for (rows, dim) in [(410, 5), (300, 70)] {
        let (x, a) = (normal(8, 3 * rows * dim), labels(rows, CLASSES + 1));
        let all = Points::new(&x, dim)
            .unwrap()
            .replicas(3)
            .unwrap()
            .labels(&a, CLASSES)
            .unwrap();
        for form in FORMS {
            let expected = everything(&Cpu::new(1).unwrap(), &all, form);
            for threads in [2, 3] {
                assert_eq!(
                    everything(&Cpu::new(threads).unwrap(), &all, form),
                    expected,
                    "{threads} threads"
                );
            }
            let cpu = Cpu::new(2).unwrap();
            for (replica, expected) in expected.iter().enumerate() {
                let rows = &x[replica * rows * dim..(replica + 1) * rows * dim];
                let alone = Points::new(rows, dim).unwrap().labels(&a, CLASSES).unwrap();
                assert_eq!(everything(&cpu, &alone, form)[0], *expected, "replica {replica}");
            }
        }
    }
}
