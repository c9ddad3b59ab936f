//! Bad input is a typed error with one clear line, never a panic.

use disentangle::backend::pairwise::{Bins, Form, Metric, PairFunction, PairwiseError, Points, RowSource};
use disentangle::backend::{Cpu, Pairwise, Reference};

fn backends() -> [Box<dyn Pairwise>; 2] {
    [Box::new(Reference), Box::new(Cpu::new(2).unwrap())]
}

#[test]
fn sets_that_are_no_sets() {
    let x = [1.0f32; 6];
    let empty: [f32; 0] = [];
    assert!(matches!(Points::new(&x[..], 0), Err(PairwiseError::Empty { .. })));
    assert!(matches!(Points::new(&empty[..], 3), Err(PairwiseError::Empty { .. })));
    assert!(matches!(Points::new(&x[..], 4), Err(PairwiseError::Length { .. })));
    let points = Points::new(&x[..], 2).unwrap();
    assert!(matches!(points.replicas(2), Err(PairwiseError::Length { .. })));
    assert!(matches!(points.replicas(0), Err(PairwiseError::Empty { .. })));
    assert!(matches!(points.labels(&[0, 1], 2), Err(PairwiseError::Length { .. })));
    assert!(matches!(
        points.labels(&[0, 1, 2], 2),
        Err(PairwiseError::Label { position: 2, .. })
    ));
    assert!(matches!(points.labels(&[0, 0, 0], 0), Err(PairwiseError::Empty { .. })));
    assert!(matches!(
        points.labels(&[0, 0, 0], usize::MAX),
        Err(PairwiseError::Classes { found: usize::MAX })
    ));
    // Labels of one set of two are not those of both in one.
    let six = [1.0f64, 2.0, 3.0, 4.0, 5.0, 6.0];
    let of_one = Points::new(&six[..], 1).unwrap().replicas(2).unwrap();
    let of_one = of_one.labels(&[0, 1, 0], 2).unwrap();
    assert!(matches!(of_one.replicas(1), Err(PairwiseError::Length { .. })));
}

#[test]
fn numbers_that_are_none_or_too_large() {
    for backend in backends() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for (dim, place) in [(2, 0), (2, 5), (2, 7), (3, 0), (3, 4), (3, 11)] {
                let mut x = [1.0f32; 12];
                x[place] = bad;
                let points = Points::new(&x[..], dim).unwrap();
                let error = backend
                    .class_sums(&points, None, PairFunction::Euclidean, Form::Direct)
                    .unwrap_err();
                let at = (0, place / dim, place % dim);
                assert!(
                    matches!(&error, PairwiseError::NotFinite { at: found, .. } if *found == at),
                    "{error}"
                );
                assert!(!error.to_string().contains('\n'));
                let error = backend
                    .nearest(&points, None, Metric::Euclidean, 1, Form::Centered)
                    .unwrap_err();
                assert!(matches!(error, PairwiseError::NotFinite { .. }));
                let error = backend.soft_nearest_neighbor(&points, 1.0, Form::F64).unwrap_err();
                assert!(matches!(error, PairwiseError::NotFinite { .. }));
            }
        }
        let huge = [1e300f64, 0.0, 1.0];
        let points = Points::new(&huge[..], 1).unwrap();
        let sums = backend.class_sums(&points, None, PairFunction::Euclidean, Form::Direct);
        assert!(matches!(sums, Err(PairwiseError::Magnitude { at: (0, 0, 0), .. })));
    }
}

#[test]
fn parameters_out_of_range() {
    let x = [1.0f32, 2.0, 4.0, 8.0];
    let points = Points::new(&x[..], 1).unwrap();
    let other = Points::new(&x[..], 2).unwrap();
    for backend in backends() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let gaussian = PairFunction::Gaussian { temperature: bad };
            let within = PairFunction::Within { radius: bad };
            for function in [gaussian, within] {
                let sums = backend.row_class_sums(&points, None, function, Form::Direct);
                assert!(matches!(sums, Err(PairwiseError::Parameter { .. })));
            }
            let bins = Bins { width: bad, count: 3 };
            let counts = backend.class_histograms(&points, None, bins, Form::Direct);
            assert!(matches!(counts, Err(PairwiseError::Parameter { .. })));
            let loss = backend.soft_nearest_neighbor(&points, bad, Form::Direct);
            assert!(matches!(loss, Err(PairwiseError::Parameter { .. })));
        }
        for k in [0, 4, 65] {
            let nearest = backend.nearest(&points, None, Metric::Euclidean, k, Form::Direct);
            assert!(matches!(nearest, Err(PairwiseError::Neighbors { most: 3, .. })));
        }
        let sums = backend.class_sums(&points, Some(&other), PairFunction::Euclidean, Form::Direct);
        assert!(matches!(sums, Err(PairwiseError::Mismatch { .. })));
        let sums = backend.class_sums(&points, None, PairFunction::L1, Form::Centered);
        assert!(matches!(sums, Err(PairwiseError::Form { .. })));
        let weights = [1.0, 2.0];
        let slopes = backend.class_sums_gradient(&points, None, PairFunction::Euclidean, Form::Direct, &weights);
        assert!(matches!(slopes, Err(PairwiseError::Length { .. })));
    }
}

#[test]
fn a_loss_without_pairs() {
    let x = [1.0f32, 2.0];
    let points = Points::new(&x[..], 1).unwrap().labels(&[0, 1], 2).unwrap();
    for backend in backends() {
        let loss = backend.soft_nearest_neighbor(&points, 1.0, Form::Direct);
        assert_eq!(loss, Err(PairwiseError::NoPairs));
    }
}

/// Rows from nowhere: row i is (i, i^2), and one cannot be read.
struct Computed {
    broken: Option<usize>,
}

impl RowSource for Computed {
    fn replicas(&self) -> usize {
        1
    }

    fn rows(&self) -> usize {
        90
    }

    fn dim(&self) -> usize {
        2
    }

    fn is_f32(&self) -> bool {
        false
    }

    fn read(&self, _: usize, row: usize, to: &mut [f64]) -> Result<(), String> {
        if self.broken == Some(row) {
            return Err("the disk is gone".into());
        }
        to.copy_from_slice(&[row as f64, (row * row) as f64]);
        Ok(())
    }
}

#[test]
fn rows_come_from_a_source_or_the_source_is_to_blame() {
    let x: Vec<f64> = (0..90).flat_map(|row| [f64::from(row), f64::from(row * row)]).collect();
    let expected = Points::new(&x, 2).unwrap();
    let (whole, broken) = (Computed { broken: None }, Computed { broken: Some(77) });
    let points = Points::from_source(&whole).unwrap();
    for backend in backends() {
        let sums = |points: &Points| backend.class_sums(points, None, PairFunction::Euclidean, Form::Direct);
        assert_eq!(sums(&points), sums(&expected));
        let error = sums(&Points::from_source(&broken).unwrap()).unwrap_err();
        assert!(matches!(error, PairwiseError::Source { at: (0, 77), .. }), "{error}");
    }
}

#[test]
fn replicas_that_rows_and_labels_do_not_have() {
    let x = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0];
    // Labels for one replica are labels for all, before and after they are told apart again.
    let labelled = Points::new(&x[..], 1)
        .unwrap()
        .replicas(3)
        .unwrap()
        .labels(&[0, 1], 2)
        .unwrap();
    assert_eq!(labelled.replicas(3).unwrap().replica_count(), 3);
    for replicas in [1, 2] {
        let error = labelled.replicas(replicas).err().unwrap();
        assert!(
            matches!(
                error,
                PairwiseError::Length {
                    what: "labels",
                    found: 2,
                    ..
                }
            ),
            "{error}"
        );
    }
    // A source says itself how many it has.
    let whole = Computed { broken: None };
    let points = Points::from_source(&whole).unwrap();
    assert_eq!(points.replicas(1).unwrap().rows(), 90);
    let error = points.replicas(3).err().unwrap();
    assert!(matches!(error, PairwiseError::Length { found: 90, .. }), "{error}");
}
