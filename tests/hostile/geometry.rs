//! Metrics, and what they are made of.

use disentangle::backend::pairwise::{ClassSums, Form};
use disentangle::backend::{Backend, Cpu, Reference};
use disentangle::geometry::class_distance::ClassDistances;
use disentangle::geometry::linear_cka::linear_cka;
use disentangle::geometry::metric::{listed, named};
use disentangle::geometry::*;

use super::Attack;

/// Sizes that fit nowhere, and some that do.
const SIZES: [usize; 5] = [0, 1, 2, 7, usize::MAX];

/// Numbers that are none, and the largest.
const NUMBERS: [f64; 6] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, f64::MAX];

fn moments(values: &[f64], count: f64) -> ClassMoments {
    ClassMoments {
        count,
        square_sum: values.iter().sum(),
        sum: values.to_vec(),
    }
}

fn summary(mean: &[f64], count: f64, variance: f64) -> ClassSummary {
    ClassSummary {
        count,
        mean: mean.to_vec(),
        variance,
    }
}

pub fn attack(attack: &mut Attack) {
    clouds(attack);
    of_moments(attack);
    of_summaries(attack);
    of_distances(attack);
    of_neighbors(attack);
    of_matrices(attack);
    lists(attack);
}

fn clouds(attack: &mut Attack) {
    for (rows, cols, labels, classes) in [
        (vec![], 0, vec![], 0),
        (vec![], 3, vec![], 1),
        (vec![1.0; 6], 0, vec![0, 0], 1),
        (vec![1.0; 6], 4, vec![0, 0], 1),
        (vec![1.0; 6], usize::MAX, vec![0, 0], 1),
        (vec![1.0; 6], 3, vec![0, 1], 1),
        (vec![1.0; 6], 3, vec![0, u32::MAX], 2),
        (vec![1.0; 6], 3, vec![0, 0], 2),
        (vec![1.0, f64::NAN], 1, vec![0, 0], 1),
        (vec![1.0, f64::NEG_INFINITY], 1, vec![0, 0], 1),
    ] {
        attack.refused("Cloud::new", "rows that are none", || {
            Cloud::new(rows, cols, labels, classes)
        });
    }
    attack.refused("cloud::check_rows", "usize::MAX columns", || {
        cloud::check_rows("x", &[], 1, usize::MAX)
    });
    for cols in SIZES {
        let mut rows = vec![1.0, f64::NAN, 3.0];
        attack.call("cloud::mean_row", "any width", || cloud::mean_row(&rows, cols.min(9)));
        attack.call("cloud::normalize_rows", "any width", || {
            cloud::normalize_rows(&mut rows, cols)
        });
        attack.call("cloud::center_rows", "any width", || {
            cloud::center_rows(&mut rows, cols.min(9))
        });
    }
    attack.call("geometry::normalize_rows", "nothing", || normalize_rows(&mut [], 0));
    // Clouds that are clouds, but hardly: one row; one class; one point in two classes; the largest numbers; the smallest.
    let hardly = [
        Cloud::new(vec![5.0], 1, vec![0], 1),
        Cloud::new(vec![5.0, 5.0], 1, vec![0, 1], 2),
        Cloud::new(vec![f64::MAX, -f64::MAX, f64::MAX, f64::MAX], 2, vec![0, 1], 2),
        Cloud::new(
            vec![1e-320, -1e-320, 0.0, 1e-320, 0.0, 0.0],
            1,
            vec![0, 0, 1, 1, 2, 2],
            3,
        ),
        Cloud::new([0.0; 30].to_vec(), 3, (0..10).map(|i| i % 2).collect(), 2),
    ];
    for cloud in hardly.into_iter().flatten() {
        attack.refused("Cloud::with_rows", "no rows", || cloud.with_rows(vec![], 1));
        attack.call("Cloud::members", "a class that is not there", || {
            cloud.members(usize::MAX).count()
        });
        attack.call("Cloud::members_at_least", "more than there are", || {
            cloud.members_at_least(usize::MAX)
        });
        attack.call("ClassSummary::of", "hardly a cloud", || ClassSummary::of(&cloud));
        attack.call("class_separation::class_separation", "hardly a cloud", || {
            class_separation::class_separation(&cloud)
        });
        attack.call("generalized_discrimination::half_scores", "hardly a cloud", || {
            generalized_discrimination::half_scores(&cloud)
        });
        for threads in [0, 1, 1000] {
            let moments = attack.call("SecondMoments::of", "hardly a cloud", || {
                SecondMoments::of(&cloud, threads)
            });
            if let Some(Ok(moments)) = moments {
                attack.call("participation_ratio::participation_ratio", "hardly a cloud", || {
                    participation_ratio::participation_ratio(&moments)
                });
            }
        }
        let none = Classifier {
            weight: vec![],
            bias: Some(vec![f64::NAN]),
        };
        attack.refused("Classifier::check", "no weights", || none.check(&cloud));
        for (a, b) in [(0, usize::MAX), (usize::MAX, 0)] {
            attack.refused(
                "linear_separability::linear_separability",
                "a class that is not there",
                || linear_separability::linear_separability(&cloud, a, b),
            );
        }
        for summaries in [
            vec![],
            vec![summary(&[], 0.0, f64::NAN); 2],
            vec![summary(&[1.0; 9], 1.0, 1.0); 9],
        ] {
            attack.refused("davies_bouldin::davies_bouldin", "summaries of others", || {
                davies_bouldin::davies_bouldin(&cloud, &summaries)
            });
            attack.refused("neural_collapse::variability_collapse", "summaries of others", || {
                neural_collapse::variability_collapse(&cloud, &summaries)
            });
            attack.refused("neural_collapse::self_duality", "summaries of others", || {
                neural_collapse::self_duality(&cloud, &summaries, &none)
            });
            attack.refused("neural_collapse::nearest_mean_mismatch", "summaries of others", || {
                neural_collapse::nearest_mean_mismatch(&cloud, &summaries, &none)
            });
            attack.call("class_summary::check_summaries", "summaries of others", || {
                class_summary::check_summaries(&cloud, &summaries)
            });
        }
        attack.refused("nearest_neighbor::margins", "no coordinates", || {
            nearest_neighbor::margins(&cloud, &[], &Reference, Form::Direct)
        });
        surveys(attack, &cloud);
    }
}

/// Every metric of a cloud that hardly is one, with settings that are none.
fn surveys(attack: &mut Attack, cloud: &Cloud) {
    let Ok(cpu) = Cpu::new(1) else { return };
    let second = Rows {
        values: &[f64::NAN],
        cols: 0,
    };
    let classifier = Classifier {
        weight: vec![f64::INFINITY; 4],
        bias: None,
    };
    for neighbors in [None, Some(0), Some(usize::MAX)] {
        for temperature in NUMBERS {
            let settings = Settings {
                neighbors,
                temperature,
                explained: temperature,
                form: Form::Direct,
                threads: 0,
            };
            let survey = attack.call("Survey::new", "settings that are none", || {
                Survey::new(cloud, cpu.pairs(), settings)
            });
            let survey = survey.and_then(|s| attack.call("Survey::with_second", "NaN", || s.with_second(Some(second))));
            let survey = survey.and_then(|s| {
                attack.call("Survey::with_classifier", "others'", || {
                    s.with_classifier(Some(&classifier))
                })
            });
            let Some(survey) = survey else { continue };
            for metric in METRICS {
                attack.call("Metric::of", &format!("{} at {temperature}", metric.name), || {
                    metric.of(&survey)
                });
            }
        }
    }
}

fn of_moments(attack: &mut Attack) {
    for cols in SIZES {
        attack.call("ClassMoments::from_probe", "any width", || {
            ClassMoments::from_probe(&[f64::NAN; 5], cols)
        });
        attack.call("ClassMoments::of_class", "any width", || {
            ClassMoments::of_class(&[f64::NAN; 5], cols.min(9), &[0, u32::MAX], u32::MAX)
        });
    }
    for number in NUMBERS {
        let (a, b) = (moments(&[number, 1.0], number), moments(&[], 0.0));
        attack.call("gyration_radius::gyration_radius", "numbers that are none", || {
            gyration_radius(&a)
        });
        attack.call("geometry::gyration_radius", "nothing", || gyration_radius(&b));
        attack.call("centroid_distance::centroid_distance", "other widths", || {
            centroid_distance(&a, &b)
        });
        attack.call("geometry::centroid_distance", "numbers that are none", || {
            centroid_distance(&a, &a)
        });
    }
}

fn of_summaries(attack: &mut Attack) {
    let lists = [
        vec![],
        vec![summary(&[], 0.0, 0.0)],
        vec![summary(&[], 0.0, 0.0), summary(&[1.0, 2.0], 3.0, f64::NAN)],
        vec![summary(&[f64::INFINITY], f64::NAN, f64::MAX); 3],
    ];
    for list in &lists {
        attack.call("fisher_ratio::fisher_ratio", "summaries that are none", || {
            fisher_ratio::fisher_ratio(list)
        });
        attack.call(
            "calinski_harabasz::calinski_harabasz",
            "summaries that are none",
            || calinski_harabasz::calinski_harabasz(list),
        );
        attack.call("neural_collapse::simplex", "summaries that are none", || {
            neural_collapse::simplex(list)
        });
        attack.call("mean_discrepancy::bandwidth", "summaries that are none", || {
            mean_discrepancy::bandwidth(list)
        });
        attack.call("class_summary::scatter", "summaries that are none", || {
            class_summary::scatter(list)
        });
        attack.call("class_summary::total_mean", "summaries that are none", || {
            class_summary::total_mean(list)
        });
        attack.call("class_summary::mean_of_means", "summaries that are none", || {
            class_summary::mean_of_means(list)
        });
    }
    let (a, b) = (summary(&[], 0.0, 0.0), summary(&[f64::NAN; 3], 1.0, 1.0));
    attack.call("centroid_distance::centroid_distance_of", "other widths", || {
        centroid_distance::centroid_distance_of(&a, &b)
    });
    attack.call("class_summary::squared_distance", "other widths", || {
        class_summary::squared_distance(&[], &[1.0])
    });
}

fn of_distances(attack: &mut Attack) {
    let sums = |n: usize| ClassSums {
        sums: vec![f64::NAN; n],
        pairs: vec![],
    };
    for n in [0, 1, 4] {
        for sizes in [&[][..], &[0], &[1, 2], &[usize::MAX, usize::MAX]] {
            let made = attack.call("ClassDistances::new", "other sizes", || {
                ClassDistances::new(sums(n), sizes)
            });
            let Some(distances) = made else { continue };
            for class in [0, 1, 2, usize::MAX] {
                attack.call("ClassDistances::between", "any class", || distances.between(class, 0));
                attack.call("ClassDistances::within", "any class", || distances.within(class));
                attack.call("ClassDistances::within_with_itself", "any class", || {
                    distances.within_with_itself(class)
                });
                attack.call("energy_distance::energy_distance", "any class", || {
                    energy_distance::energy_distance(&distances, class, 0)
                });
                attack.call("mean_discrepancy::mean_discrepancy", "any class", || {
                    mean_discrepancy::mean_discrepancy(&sums(n), sizes, class, 0)
                });
            }
            for cols in SIZES {
                attack.call(
                    "generalized_discrimination::generalized_discrimination",
                    "any width",
                    || generalized_discrimination::generalized_discrimination(&distances, cols),
                );
            }
            attack.call("silhouette::silhouettes", "other labels", || {
                silhouette::silhouettes(&[f64::NAN; 4], &[0, u32::MAX], sizes)
            });
        }
    }
    for scale in NUMBERS {
        attack.call("soft_nearest_neighbor::optimum", "a loss that is none", || {
            soft_nearest_neighbor::optimum(scale, |_| Ok((f64::NAN, f64::NAN)))
        });
        attack.call("soft_nearest_neighbor::optimum", "a loss that falls for ever", || {
            soft_nearest_neighbor::optimum(scale, |t| Ok((-t, -1.0)))
        });
    }
}

fn of_neighbors(attack: &mut Attack) {
    for stored in [0, 1, 2, 3, 100] {
        for k in [0, 1, 2, 3, 100, usize::MAX] {
            let (distances, neighbors) = ([0.0, f64::NAN, f64::INFINITY, 1.0], [0, u32::MAX, 1, 2]);
            attack.call("two_nn::two_nn_dimension", "any k", || {
                two_nn::two_nn_dimension(&distances, k)
            });
            attack.call(
                "maximum_likelihood_dimension::maximum_likelihood_dimension",
                "any k",
                || maximum_likelihood_dimension::maximum_likelihood_dimension(&distances, stored, k),
            );
            attack.call("neighborhood_overlap::label_overlap", "any k", || {
                neighborhood_overlap::label_overlap(&neighbors, stored, k, &[0, 1])
            });
            attack.call("neighborhood_overlap::data_overlap", "any k", || {
                neighborhood_overlap::data_overlap(&neighbors, &neighbors[..1], stored, k)
            });
            attack.call("nearest_neighbor::nearest_neighbor_error", "any number", || {
                nearest_neighbor::nearest_neighbor_error(&neighbors, stored, &[])
            });
        }
    }
    for fraction in NUMBERS {
        attack.call("explained_variance::explained_variance_dimension", "any share", || {
            explained_variance::explained_variance_dimension(&[f64::NAN, fraction], fraction)
        });
    }
}

fn of_matrices(attack: &mut Attack) {
    for n in SIZES {
        attack.call("eigen::eigenvalues", "any order", || {
            eigen::eigenvalues(vec![f64::NAN; 4], n)
        });
        attack.call("eigen::eigenvectors", "any order", || {
            eigen::eigenvectors(vec![f64::INFINITY; 4], n)
        });
        for threads in [0, 3] {
            let n = n.min(9);
            attack.call("products::transposed_product", "any widths", || {
                products::transposed_product(&[1.0; 6], n, &[f64::NAN; 5], 2, threads)
            });
            attack.call("products::transposed_product", "any widths", || {
                products::transposed_product(&[1.0; 6], 2, &[f64::NAN; 40], n, threads)
            });
            attack.call("products::row_products", "any width", || {
                products::row_products(&[1.0; 6], n, threads)
            });
        }
        let (some, none) = (
            Rows {
                values: &[1.0; 6],
                cols: 2,
            },
            Rows {
                values: &[f64::NAN; 3],
                cols: n,
            },
        );
        attack.call("linear_cka::linear_cka", "others", || linear_cka(some, none, 0));
        attack.call("linear_cka::linear_cka", "others", || linear_cka(none, some, 0));
    }
    attack.call("products::square_sum", "nothing", || products::square_sum(&[]));
}

fn lists(attack: &mut Attack) {
    for name in ["", ",", "all,", "gyration radius", "\u{0}"] {
        attack.refused("metric::named", name, || named(name).map(|metric| metric.name));
        attack.refused("metric::listed", name, || listed(name).map(|metrics| metrics.len()));
    }
    for metric in METRICS {
        attack.call("Metric::columns", "no classes", || metric.columns(&[]));
        attack.call("Arity::keys", "one class", || metric.arity.keys(&["a".to_string()]));
    }
}
