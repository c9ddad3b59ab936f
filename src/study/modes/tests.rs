//! The predictions of the theory as tests, by the numbers of the notes (B: Tachet des Combes et al., C: Pezeshki et al.). The
//! halves that need no network stand beside the theory. What takes minutes stands in `repro/`.

use std::num::NonZeroUsize;

use super::findings::{Findings, largest};
use super::theory::decoupling::{decoupled_margin, decoupled_margin_around};
use super::theory::depth::DeepMode;
use super::theory::phase::{failure_rate, failure_rate_stepping_over};
use super::theory::scalar::{PULLS, Pull};
use super::*;
use crate::backend::{Backend, Cpu, Reference};
use crate::study::StudyError;

fn cpu() -> Cpu {
    Cpu::new(1).unwrap()
}

/// Every distance of these findings whose name has `part` is within what it promises; there are `count` of them.
fn hold(findings: &Findings, part: &str, count: usize) {
    let own: Vec<_> = findings.distances.iter().filter(|d| d.what.contains(part)).collect();
    assert_eq!(own.len(), count, "{part}: {own:?}");
    for distance in own {
        assert_eq!(distance.holds(), Some(true), "{distance:?}");
    }
}

fn curves_plan() -> curves::Plan {
    curves::Plan {
        frequencies: [0.7, 0.3],
        norms: [1.3, 0.7],
        width: 8,
        scale: 0.05,
        classes: vec![],
        depths: vec![],
        sweep_frequencies: vec![],
        sweep_norms: vec![],
        dt: 1e-3,
        time: 40.0,
        seed: 0,
    }
}

/// B-T1, B-T2 and B-T3: two classes, cross-entropy and hinge, unbalanced and balanced, against two scalar equations; signs;
/// cross-talk; the implicit solution; the hinge's finishing time.
#[test]
fn two_classes_follow_two_scalar_equations() {
    for pull in PULLS {
        let plan = curves_plan();
        let found = curves::two_classes::train(&plan, pull, &cpu()).unwrap();
        for variant in 0..2 {
            for class in 0..2 {
                let trained = &found.margins[variant][class];
                let off = largest(trained, &found.theory[variant][class], false);
                assert!(off <= 2e-3, "{pull:?} {variant} {class}: {off}");
                // Every class must have been learnt, or nothing was compared.
                let last = *trained.last().unwrap();
                assert!(last > 0.95, "{pull:?} {variant} {class}: {trained:?}");
            }
        }
        assert_eq!(found.flips, 0);
        assert_eq!(
            found.alone, found.margins[0][0],
            "{pull:?}: a class that is deleted is missed"
        );
        let mut findings = Findings::default();
        curves::two_classes::findings(&mut findings, &plan, pull, &found, "cpu");
        hold(&findings, "u(t) of class", 4);
        hold(&findings, "finishing time", if pull == Pull::Hinge { 4 } else { 0 });
        hold(&findings, "Ei(u)", if pull == Pull::Hinge { 0 } else { 2 });
        assert_eq!(findings.failures(), 0);
    }
}

/// B-T5: times go as 1 / p at equal weights and as 1 / (p rho) at equal u0, and they are the theory's.
#[test]
fn times_go_as_the_inverse_of_frequency_and_norm() {
    let plan = curves::Plan {
        sweep_frequencies: vec![0.1, 0.25, 0.5, 0.75, 0.9],
        sweep_norms: vec![0.5, 1.0, 2.0],
        ..curves_plan()
    };
    let sweep = curves::sweep::train(&plan, &cpu()).unwrap();
    assert_eq!(sweep.points.len(), 15);
    let product = |n: usize| sweep.points[n].0 * sweep.points[n].1;
    let scaled: Vec<f64> = (0..15).map(|n| sweep.equal_output[n] * product(n)).collect();
    for value in &scaled {
        assert!((value / scaled[0] - 1.0).abs() <= 0.01, "{scaled:?}");
    }
    for own in (0..15).collect::<Vec<_>>().chunks(5) {
        let scaled: Vec<f64> = own
            .iter()
            .map(|&n| sweep.equal_weights[n] * sweep.points[n].0)
            .collect();
        assert!(scaled.iter().all(|t| (t / scaled[0] - 1.0).abs() <= 0.01), "{scaled:?}");
    }
    assert!(largest(&sweep.equal_weights, &sweep.equal_weights_theory, true) <= 0.01);
    assert!(largest(&sweep.equal_output, &sweep.equal_output_theory, true) <= 0.01);
}

/// B-T6: networks of two, three and four layers under both losses, within 1e-3 relative of their equation, and the note's
/// outputs of the chain with dt = 1e-3 at t = 12, to the four places it gives.
#[test]
fn depth_follows_its_equation() {
    let s = curves::depth::SINGULAR_VALUE;
    for (layers, at_12) in [(2, 3.4515), (3, 3.5561), (4, 0.2660)] {
        let mode = DeepMode::of_singular_value(layers, 0.5, 1.5, s);
        for pull in PULLS {
            let deep = curves::depth::train((mode, s), pull, (12.0, 2.5e-4), &cpu()).unwrap();
            assert!(
                (deep.times.last().unwrap() - 12.0).abs() < 1e-9,
                "{:?}",
                deep.times.last()
            );
            let off = largest(&deep.trained, &deep.theory, true);
            assert!(off <= 1e-3, "{layers}, {pull:?}: {off}");
        }
        let coarse = curves::depth::train((mode, s), Pull::CrossEntropy, (12.0, 1e-3), &Reference).unwrap();
        let last = coarse.trained.last().unwrap();
        assert!((last - at_12).abs() <= 6e-5, "{layers}: {last}");
    }
}

/// B-T10: softmax with 2, 3 and 10 classes, balanced and not, within 1e-3 relative; the hinge within what its step allows, each
/// class at rest at its time.
#[test]
fn classes_follow_their_equation() {
    for k in [2, 3, 10] {
        for balanced in [true, false] {
            let found = curves::classes::train(k, Pull::CrossEntropy, balanced, &curves_plan(), &cpu()).unwrap();
            assert_eq!(found.margins.len(), k);
            for (class, (trained, theory)) in found.margins.iter().enumerate() {
                let off = largest(trained, theory, true);
                assert!(off <= 1e-3, "K = {k}, class {class}: {off}");
                assert!(theory.last().unwrap() > &3.0, "{k} {class}: {theory:?}");
            }
            let found = curves::classes::train(k, Pull::Hinge, balanced, &curves_plan(), &cpu()).unwrap();
            let [(margins, expected), (times, in_time)] = found.distances();
            // x = p rho q dt = 2.5e-4 times some units: tau, 2 and the initial v / s = 2 at most.
            assert!(
                margins <= expected && expected < 2.5e-3,
                "K = {k}: {margins} {expected}"
            );
            assert!(times <= in_time, "K = {k}: {times} {in_time}");
            for (trained, _) in &found.margins {
                let (first, last) = (trained[0], *trained.last().unwrap());
                assert!(first < 0.3 && (last - 1.0).abs() <= expected, "K = {k}: {first} {last}");
            }
        }
    }
}

fn phase_plan() -> phase::Plan {
    phase::Plan {
        grid: 60,
        reach: 1.0,
        samples: 40_000,
        widths: vec![1, 2, 4, 8],
        networks: 4000,
        pull: Pull::CrossEntropy,
        dt: 0.1,
        time: 20.0,
        seed: 0,
    }
}

fn cpus() -> Result<Box<dyn Backend>, StudyError> {
    Ok(Box::new(cpu()))
}

/// B-T7 and B-T8, reduced: 3,600 neurons on the plane, all as the theory says; 40,000 random directions and 4,000 networks
/// of each width within three deviations of a binomial. The whole runs are the defaults of `modes phase`.
#[test]
fn neurons_do_as_the_phase_diagram_says() {
    for pull in PULLS {
        let plan = phase::Plan { pull, ..phase_plan() };
        let found = phase::run(&plan, NonZeroUsize::MIN, &cpus, &mut |_| ()).unwrap();
        hold(&found, "fate of a neuron", 1);
        hold(&found, "neurons that die", 1);
        hold(&found, "3/8", 1);
        hold(&found, "failure rate", 4);
        assert_eq!(found.maps[0].cells.len(), 3600);
    }
}

/// Plain descent steps over v = 0, so that fewer networks fail than where v = 0 is a neuron's end, and no fewer than if all
/// neurons arrived: by more than three deviations from the one, and within three of being above the other.
#[test]
fn a_neuron_that_steps_over_zero_goes_on_for_the_other_class() {
    let plan = phase_plan();
    for h in [2u32, 4] {
        let failed = phase::failures(h as usize, phase::AtZero::StepsOver, &plan, NonZeroUsize::MIN, &cpus).unwrap();
        let n = failed.len() as f64;
        let rate = failed.iter().filter(|&&failed| failed).count() as f64 / n;
        let deviation = |p: f64| (p * (1.0 - p) / n).sqrt();
        let (end, limit) = (failure_rate(h), failure_rate_stepping_over(h));
        assert!(rate < end - 3.0 * deviation(end), "{h}: {rate} {end}");
        assert!(rate > limit - 3.0 * deviation(limit), "{h}: {rate} {limit}");
    }
}

/// A replica's numbers depend neither on its neighbours nor on the number of threads.
#[test]
fn neurons_are_the_same_in_other_company() {
    let plan = phase_plan();
    let points: Vec<(f64, f64)> = neurons::isotropic_points(9001, 3);
    let all = phase::neurons(&points, &plan, NonZeroUsize::MIN, &cpus).unwrap();
    let two = phase::neurons(&points, &plan, NonZeroUsize::new(2).unwrap(), &cpus).unwrap();
    assert_eq!(all, two);
    let some = phase::neurons(&points[4000..4500], &plan, NonZeroUsize::MIN, &cpus).unwrap();
    assert_eq!(all[4000..4500], some);
}

/// B-T4: the race from u0 = 1e-1 to 1e-6.
#[test]
fn the_cross_entropy_takes_twice_as_long() {
    let plan = race::Plan {
        initial: vec![1e-1, 1e-2, 1e-3, 1e-4, 1e-6],
        dt: 5e-4,
    };
    let found = race::run(&plan, &cpu(), &mut |_| ()).unwrap();
    hold(&found, "finishing time", 5);
    hold(&found, "ratio of the times", 5);
    hold(&found, "sqrt(u0)", 5);
}

/// B-T9 and C-T1: the starvation table within 0.002, the bound never violated, the hinge within 5e-4; the toy's fixed
/// points within 0.01, its z2 strictly decreasing with weight decay and the same to 1e-4 with decoupling.
#[test]
fn the_rarer_feature_starves() {
    let plan = starvation::Plan {
        frequencies: vec![0.01, 0.05, 0.1, 0.3, 0.5, 0.9],
        tolerances: vec![0.1, 0.01, 0.001],
        norms: [1.0, 1.0],
        width: 4,
        scale: 1e-4,
        dt: 0.01,
    };
    let found = starvation::run(&plan, &cpu(), &mut |_| ()).unwrap();
    hold(&found, "P(x_2) at the stop", 2);
    hold(&found, "bound on P(x_2)", 1);
    hold(&found, "hinge", 1);
    hold(&found, "two coupled features", 4);
    let toy = coupled::train(&coupled::STRENGTHS, &Reference).unwrap();
    for pair in toy.windows(2) {
        let change = |arm: usize| pair[1].trained[arm][1] - pair[0].trained[arm][1];
        assert!(change(0) < 0.0 && change(1).abs() <= 1e-4, "{pair:?}");
    }
}

/// Norms that differ: both learners within 0.002 of the integrated equations, below the bound.
#[test]
fn starvation_depends_on_the_norms_as_the_equations_say() {
    let plan = starvation::Plan {
        frequencies: vec![0.4, 0.2],
        tolerances: vec![0.05],
        norms: [0.7, 1.6],
        width: 2,
        scale: 1e-4,
        dt: 0.01,
    };
    let found = starvation::run(&plan, &cpu(), &mut |_| ()).unwrap();
    hold(&found, "P(x_2) at the stop", 2);
    hold(&found, "bound on P(x_2)", 1);
    hold(&found, "hinge", 1);
}

/// C-T2, reduced to one data set: after 10,000 epochs the median |logit| is within 10 % of the fixed point, the logits are
/// closer together than without the penalty, and without it the boundary is straighter.
#[test]
fn the_penalty_brings_all_logits_to_one_size() {
    let plan = two_moons::Plan {
        replicas: 1,
        epochs: 10_000,
        penalty: 0.003,
        centres: [0.0, 0.0],
        width: 100,
        seed: 0,
    };
    let [_, gap, decoupled] = two_moons::ARMS;
    let plain = two_moons::train(gap, &plan, &cpu()).unwrap();
    let free = two_moons::train(decoupled, &plan, &cpu()).unwrap();
    let target = decoupled_margin(0.006);
    let ([low, _, high], [free_low, median, free_high]) = (plain.quartiles(), free.quartiles());
    assert!((median / target - 1.0).abs() <= 0.1, "{median} {target}");
    assert!(
        free_high - free_low < 0.5 * (high - low),
        "{free_low} {free_high}; {low} {high}"
    );
    assert!(plain.boundary_spread() < 0.5 * free.boundary_spread());
    // One data set: it is all there is.
    let [set] = free.sets()[..] else {
        panic!("{:?}", free.sets())
    };
    assert_eq!(
        (set.quartiles, set.boundary_spread),
        (free.quartiles(), free.boundary_spread())
    );
}

/// A centre for each class: the medians go to s(-m) = 2 coefficient (m - centre), within 10 % as without centres.
#[test]
fn each_class_goes_to_its_own_centre() {
    let plan = two_moons::Plan {
        replicas: 1,
        epochs: 10_000,
        penalty: 0.1,
        centres: [0.5, 2.0],
        width: 100,
        seed: 0,
    };
    let [.., decoupled] = two_moons::ARMS;
    let moons = two_moons::train(decoupled, &plan, &cpu()).unwrap();
    for (class, centre) in [(0, -0.5), (1, 2.0)] {
        let (median, target) = (moons.median_of_class(class), decoupled_margin_around(centre, 0.2));
        assert!((median / target - 1.0).abs() <= 0.1, "{class}: {median} {target}");
        assert!(
            (theory::decoupling::slope(target) - 0.2 * (target - centre)).abs() < 1e-12,
            "{target}"
        );
    }
    // Bisected to the last bit of either bracket.
    assert!((decoupled_margin_around(0.0, 0.2) - decoupled_margin(0.2)).abs() < 1e-15);
}

/// C-T4, reduced: 400 pictures of random pixels make the environments what they should be. The training runs take an hour:
/// `repro/modes_coloured_mnist.md`.
#[test]
fn environments_have_their_noise_and_colours() {
    let count = 6000;
    let pixels: Vec<u8> = (0..count * 16).map(|n| 1 + (n % 255) as u8).collect();
    let labels: Vec<u8> = (0..count).map(|n| (n % 10) as u8).collect();
    let images = crate::data::Images::new(pixels, labels, [1, 4, 4], "test").unwrap();
    let (train, test) = coloured_mnist::environments(&images, 4000, 1, 0).unwrap();
    assert_eq!((train.labels.len(), test.labels.len()), (4000, 2000));
    let coloured = |rows: &coloured_mnist::Coloured| -> f64 {
        let agree = rows.features.chunks_exact(8).zip(&rows.labels).filter(|(x, label)| {
            let second = x[4..].iter().any(|&v| v > 0.0);
            assert_ne!(second, x[..4].iter().any(|&v| v > 0.0), "one channel is empty");
            second == (**label == 1)
        });
        agree.count() as f64 / rows.labels.len() as f64
    };
    // Colour and label differ in 0.15 of the training rows on average and in 0.9 of the test rows: four deviations.
    assert!((coloured(&train) - 0.85).abs() < 4.0 * (0.15f64 * 0.85 / 4000.0).sqrt());
    assert!((coloured(&test) - 0.1).abs() < 4.0 * (0.1f64 * 0.9 / 2000.0).sqrt());
    // Rows 4000.. are in file order, so the label noise can be counted.
    let flipped = test.labels.iter().enumerate();
    let flipped = flipped
        .filter(|&(n, &label)| (label == 1) != ((4000 + n) % 10 < 5))
        .count() as f64
        / 2000.0;
    assert!(
        (flipped - 0.25).abs() < 4.0 * (0.25f64 * 0.75 / 2000.0).sqrt(),
        "{flipped}"
    );
    // Every second pixel of every second row: (0, 0) and (0, 2) of the first test picture.
    let first = test.features[..8]
        .iter()
        .copied()
        .filter(|&v| v > 0.0)
        .collect::<Vec<_>>();
    let at = |k: usize| f64::from(images.image(4000).unwrap()[k]) / 255.0;
    assert_eq!(first, [at(0), at(2), at(8), at(10)]);
    assert!(coloured_mnist::environments(&images, 6000, 1, 0).is_err());
    let again = coloured_mnist::environments(&images, 4000, 1, 1).unwrap().0;
    assert_ne!(again.labels, train.labels);
}

/// A restart that is halted and goes on has the same bits as one that is not.
#[test]
fn a_halted_restart_goes_on_with_the_same_bits() {
    use coloured_mnist::{Arm, run};
    let count = 300;
    let pixels: Vec<u8> = (0..count * 16).map(|n| (n * n % 251) as u8).collect();
    let labels: Vec<u8> = (0..count).map(|n| (n % 10) as u8).collect();
    let images = crate::data::Images::new(pixels, labels, [1, 4, 4], "test").unwrap();
    let (train, test) = coloured_mnist::environments(&images, 200, 1, 0).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (path, arm, steps) = (folder.path(), Arm::Sd, 60);
    let whole = run(arm, (&train, &test), steps, (1, 0), None, &cpu(), &mut |_, _| Ok(true)).unwrap();
    assert_eq!(whole.iter().map(|p| p.step).collect::<Vec<_>>(), [0, 50, 60]);
    for stop in [0, 13, 50] {
        run(
            arm,
            (&train, &test),
            steps,
            (1, 0),
            None,
            &cpu(),
            &mut |descent, curve| {
                let stopping = descent.steps() == stop;
                if stopping {
                    restarts::halt(path, arm, 0, descent, curve)?;
                }
                Ok(!stopping)
            },
        )
        .unwrap();
        let halted = restarts::halted(path, arm, 0).unwrap();
        assert_eq!(halted.as_ref().map(|h| h.steps), Some(stop));
        let rest = run(arm, (&train, &test), steps, (1, 0), halted, &cpu(), &mut |_, _| {
            Ok(true)
        })
        .unwrap();
        assert_eq!(rest, whole, "stopped at {stop}");
    }
    restarts::finish(path, arm, 0, &whole).unwrap();
    assert_eq!(restarts::finished(path, arm, 0, steps).unwrap(), Some(whole));
    assert_eq!(restarts::halted(path, arm, 0).unwrap(), None);
    assert!(
        restarts::finished(path, arm, 0, 61)
            .unwrap_err()
            .to_string()
            .contains("sd-0.csv")
    );
    assert_eq!(restarts::finished(path, arm, 1, steps).unwrap(), None);
}
