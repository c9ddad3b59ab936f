//! The same bits for any number of threads, and for a replica alone or beside others, on the instruction set in use (`tests/run.sh` goes through them).

use disentangle::backend::pairwise::{Bins, Form, Metric, PairFunction, Points};
use disentangle::backend::{Cpu, Pairwise};

use crate::data::{FORMS, functions, labels, normal};

const CLASSES: usize = 4;

/// Everything that is computed, one replica after the other, as bits.
fn everything(cpu: &Cpu, points: &Points, form: Form, weights: &[f64]) -> Vec<Vec<u64>> {
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
    let function = PairFunction::Euclidean;
    add(&cpu
        .class_sums_gradient(points, None, function, form, weights)
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
        // Of each replica its own, so that one with another's is not the same.
        let weights: Vec<f64> = normal(9, 3 * CLASSES * CLASSES).iter().map(|&w| f64::from(w)).collect();
        for form in FORMS {
            let expected = everything(&Cpu::new(1).unwrap(), &all, form, &weights);
            for threads in [2, 3] {
                assert_eq!(
                    everything(&Cpu::new(threads).unwrap(), &all, form, &weights),
                    expected,
                    "{threads} threads"
                );
            }
            let cpu = Cpu::new(2).unwrap();
            let weights = weights.chunks_exact(CLASSES * CLASSES);
            for (replica, (expected, weights)) in expected.iter().zip(weights).enumerate() {
                let rows = &x[replica * rows * dim..(replica + 1) * rows * dim];
                let alone = Points::new(rows, dim).unwrap().labels(&a, CLASSES).unwrap();
                assert_eq!(
                    everything(&cpu, &alone, form, weights)[0],
                    *expected,
                    "replica {replica}"
                );
            }
        }
    }
}

/// Blocks as large as they can be: what a thread has for itself is full, and would run into another's.
#[test]
fn gradients_of_whole_blocks_for_any_number_of_threads() {
    for (rows, dim) in [(6400, 3), (6400, 64)] {
        let x = normal(8, rows * dim);
        let points = Points::new(&x, dim).unwrap();
        let gradient = |threads: usize| {
            let cpu = Cpu::new(threads).unwrap();
            let function = PairFunction::SquaredEuclidean;
            let gradients = cpu.class_sums_gradient(&points, None, function, Form::Centered, &[1.0]);
            gradients.unwrap().points
        };
        let expected = gradient(1);
        for threads in [2, 3] {
            assert!(gradient(threads) == expected, "{dim} columns, {threads} threads");
        }
    }
}
