//! What the test errors of [`generalisation`](super::generalisation) say: words, figures and tables.

use super::super::bends::{Bend, bends};
use super::super::findings::{Across, Curve, Findings, Plot, Point, Table, cell};
use super::super::number::{Spread, significant};
use super::generalisation::{Arm, Generalisation, Tested};

/// Which of the two test errors.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Clean,
    Noisy,
}

impl Kind {
    fn of(self, tested: &Tested) -> f64 {
        match self {
            Kind::Clean => tested.test_error,
            Kind::Noisy => tested.noisy_error,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Clean => "clean",
            Kind::Noisy => "noisy",
        }
    }
}

impl Generalisation {
    /// Training error at the t-th epoch over the replicas.
    fn error(&self, t: usize) -> Spread {
        Spread::of(self.identified.iter().map(|own| own[t].0))
    }

    fn arm(&self, wanted: Arm) -> Option<&Vec<Vec<Tested>>> {
        self.arms
            .iter()
            .find(|(arm, _)| *arm == wanted)
            .map(|(_, tested)| tested)
    }

    /// Of each t, the test error over the replicas.
    fn curve(&self, tested: &[Vec<Tested>], kind: Kind) -> Vec<Spread> {
        let at = |t: usize| Spread::of(tested.iter().map(|own| kind.of(&own[t])));
        (0..self.epochs.len()).map(at).collect()
    }

    fn whole(&self, kind: Kind) -> Spread {
        Spread::of(self.whole.iter().map(|tested| kind.of(tested)))
    }

    /// The place of the grid nearest to the mean training error at the inversion.
    fn inversion(&self) -> Option<usize> {
        let mean = Spread::of(self.stops.iter().flatten().map(|stop| stop.1)).mean?;
        let off = |t: &usize| (self.error(*t).mean.unwrap_or(f64::INFINITY) - mean).abs();
        (0..self.epochs.len()).min_by(|a, b| off(a).total_cmp(&off(b)))
    }
}

/// What `found` says.
pub fn findings(found: &Generalisation) -> Findings {
    let mut numbers = vec![];
    for kind in [Kind::Clean, Kind::Noisy] {
        let mut add = |name: String, spread: Spread| {
            numbers.push((name.clone(), spread.mean.unwrap_or(f64::NAN)));
            numbers.push((format!("{name}.sd"), spread.sd.unwrap_or(f64::NAN)));
        };
        add(format!("whole.{}", kind.name()), found.whole(kind));
        for (arm, tested) in &found.arms {
            let curve = found.curve(tested, kind);
            if let Some(t) = found.inversion() {
                add(format!("{arm}.{}.at_inversion", kind.name()), curve[t]);
            }
            if let Some(t) = lowest(&curve) {
                add(format!("{arm}.{}.lowest", kind.name()), curve[t]);
                add(format!("{arm}.{}.lowest_at_error", kind.name()), found.error(t));
            }
        }
    }
    let mut plots = Vec::new();
    for kind in [Kind::Clean, Kind::Noisy] {
        let (near, far): (Vec<Arm>, Vec<Arm>) = found
            .arms
            .iter()
            .map(|(arm, _)| *arm)
            .partition(|arm| matches!(arm, Arm::Removed | Arm::Random | Arm::Relabelled));
        plots.extend(
            [("", near), ("-kept", far)]
                .into_iter()
                .filter_map(|(suffix, arms)| plot(found, kind, suffix, &arms)),
        );
    }
    Findings {
        paragraphs: words(found),
        numbers,
        plots,
        shown: [Kind::Clean, Kind::Noisy].map(|kind| shown(found, kind)).into(),
        tables: vec![table(found), sets(found)],
        cards: Vec::new(),
        ..Findings::default()
    }
}

/// The place of the smallest mean.
fn lowest(curve: &[Spread]) -> Option<usize> {
    let mean = |t: &usize| curve[*t].mean.unwrap_or(f64::INFINITY);
    (0..curve.len())
        .filter(|t| mean(t).is_finite())
        .min_by(|a, b| mean(a).total_cmp(&mean(b)))
}

fn words(found: &Generalisation) -> Vec<String> {
    let replicas = found.replicas.len();
    if found.whole(Kind::Clean).count == 0 {
        return vec!["There are no test samples, so nothing can be said of generalisation.".into()];
    }
    let mut all = vec![format!(
        "Trained on all samples, {replicas} replica{} misclassify {} of the test samples, and {} of them with noise of \
         deviation {} on every standardised number.",
        if replicas == 1 { "" } else { "s" },
        found.whole(Kind::Clean).plus_minus(),
        found.whole(Kind::Noisy).plus_minus(),
        found.noise
    )];
    if let Some(t) = found.inversion() {
        let mut words = format!(
            "At the inversion (epoch {}, training error {}):",
            found.epochs[t],
            found.error(t).plus_minus()
        );
        let each = found.arms.iter().map(|(arm, tested)| {
            let [clean, noisy] = [Kind::Clean, Kind::Noisy].map(|kind| found.curve(tested, kind)[t].plus_minus());
            format!(" {}: {clean} clean, {noisy} noisy", arm.words())
        });
        words.push_str(&each.collect::<Vec<_>>().join(";"));
        words.push('.');
        all.push(words);
    }
    if let (Some(removed), Some(random)) = (found.arm(Arm::Removed), found.arm(Arm::Random))
        && let Some(t) = found.inversion()
    {
        let differences = [Kind::Clean, Kind::Noisy].map(|kind| {
            let pairs = removed.iter().zip(random);
            let spread = Spread::of(pairs.map(|(a, b)| kind.of(&a[t]) - kind.of(&b[t])));
            let Some((mean, half)) = spread.mean.zip(spread.half_width()) else {
                return format!("on {} test samples one replica cannot tell", kind.name());
            };
            let verdict = match (mean, half) {
                (mean, half) if mean > half => "hurts",
                (mean, half) if mean < -half => "helps",
                _ => "makes no difference that these replicas can tell",
            };
            format!(
                "on {} test samples removing the stragglers rather than random ones {verdict} ({} ± {}, 95 % of the mean)",
                kind.name(),
                significant(mean, 3),
                significant(half, 2)
            )
        });
        all.push(format!("There, {}.", differences.join("; ")));
    }
    for kind in [Kind::Clean, Kind::Noisy] {
        let Some(tested) = found.arm(Arm::Removed) else {
            continue;
        };
        let curve = found.curve(tested, kind);
        let Some(best) = lowest(&curve) else { continue };
        // Twice the largest standard error of a mean on the curve; of one replica no bend is told from a ripple.
        let error = |spread: &Spread| 2.0 * spread.standard_error().unwrap_or(f64::INFINITY);
        let threshold = curve.iter().map(error).fold(0.0, f64::max);
        let means: Vec<f64> = curve.iter().map(|spread| spread.mean.unwrap_or(f64::NAN)).collect();
        let bend = |bend: Bend| {
            format!(
                "a {} of {} at training error {}",
                if bend.minimum { "minimum" } else { "maximum" },
                curve[bend.at].plus_minus(),
                found.error(bend.at).plus_minus()
            )
        };
        let bends: Vec<String> = bends(&means, threshold).into_iter().map(bend).collect();
        all.push(format!(
            "Without S(t) the {} test error is lowest, {}, for the set at training error {} (epoch {}); {}.",
            kind.name(),
            curve[best].plus_minus(),
            found.error(best).plus_minus(),
            found.epochs[best],
            if bends.is_empty() {
                "between the ends of the grid the curve does not turn by more than its error".to_owned()
            } else {
                format!("it turns at {}", bends.join(", "))
            }
        ));
    }
    all
}

fn plot(found: &Generalisation, kind: Kind, suffix: &str, arms: &[Arm]) -> Option<Plot> {
    let tested: Vec<(Arm, &Vec<Vec<Tested>>)> = arms.iter().filter_map(|&arm| Some((arm, found.arm(arm)?))).collect();
    if tested.is_empty() || found.whole(kind).count == 0 {
        return None;
    }
    let curve = |(arm, tested): &(Arm, &Vec<Vec<Tested>>)| {
        let replica = |(own, identified): (&Vec<Tested>, &Vec<(f64, usize)>)| {
            let point = |(tested, at): (&Tested, &(f64, usize))| (at.0, kind.of(tested));
            own.iter().zip(identified).map(point).collect()
        };
        Curve::of(arm.words(), tested.iter().zip(&found.identified).map(replica).collect())
    };
    let mut curves: Vec<Curve> = tested.iter().map(curve).collect();
    let ends = [0, found.epochs.len().saturating_sub(1)].map(|t| found.error(t).mean);
    let whole = found.whole(kind);
    if let ([Some(from), Some(to)], Some(y)) = (ends, whole.mean) {
        let half = whole.half_width();
        curves.push(Curve {
            label: "all samples".into(),
            replicas: Vec::new(),
            mean: [from, to].map(|x| Point { x, y, half }).into(),
        });
    }
    let stop = Spread::of(found.stops.iter().flatten().map(|stop| stop.1));
    Some(Plot {
        name: format!("test-error-{}{suffix}", kind.name()),
        title: match kind {
            Kind::Clean => "Test error".into(),
            Kind::Noisy => format!("Test error, noise {} on the test samples", found.noise),
        },
        across: Across::Error,
        logarithmic: false,
        curves,
        range: stop.mean.map(|_| (stop, "inversion, mean ± sd".into())),
        note: "Across: the training error at t of the network that gave S(t).".into(),
    })
}

fn shown(found: &Generalisation, kind: Kind) -> Table {
    let head: Vec<&str> = ["t", "Training error", "|S(t)|"]
        .into_iter()
        .chain(found.arms.iter().map(|(arm, _)| arm.words()))
        .collect();
    let name = match kind {
        Kind::Clean => "Test error, clean",
        Kind::Noisy => "Test error, noisy",
    };
    let mut table = Table::new(name, &head);
    for (t, epoch) in found.epochs.iter().enumerate() {
        let size = Spread::of(found.identified.iter().map(|own| own[t].1 as f64));
        let mut row = vec![epoch.to_string(), found.error(t).plus_minus(), size.plus_minus()];
        row.extend(
            found
                .arms
                .iter()
                .map(|(_, tested)| found.curve(tested, kind)[t].plus_minus()),
        );
        table.rows.push(row);
    }
    table
}

/// `generalisation.csv`: a line per network.
fn table(found: &Generalisation) -> Table {
    let head = [
        "replica",
        "arm",
        "epoch",
        "error_at_epoch",
        "set_size",
        "trained_on",
        "train_error",
        "test_error",
        "noisy_error",
    ];
    let mut table = Table::new("generalisation", &head);
    let some = |value: f64| cell(Some(value).filter(|value| !value.is_nan()));
    let numbers = |tested: &Tested| {
        let errors = [tested.train_error, tested.test_error, tested.noisy_error].map(some);
        [tested.samples.to_string()].into_iter().chain(errors)
    };
    for (r, replica) in found.replicas.iter().enumerate() {
        let mut row = vec![
            replica.to_string(),
            "all".to_owned(),
            String::new(),
            String::new(),
            "0".to_owned(),
        ];
        row.extend(numbers(&found.whole[r]));
        table.rows.push(row);
        for (arm, tested) in &found.arms {
            for (t, tested) in tested[r].iter().enumerate() {
                let (error, size) = found.identified[r][t];
                let mut row = vec![replica.to_string(), arm.to_string(), found.epochs[t].to_string()];
                row.extend([cell(error), size.to_string()]);
                row.extend(numbers(tested));
                table.rows.push(row);
            }
        }
    }
    table
}

/// `stops.csv`
fn sets(found: &Generalisation) -> Table {
    let mut table = Table::new("stops", &["replica", "stop_epoch", "stop_error"]);
    for (replica, stop) in found.replicas.iter().zip(&found.stops) {
        let epoch = stop.map_or_else(String::new, |stop| stop.0.to_string());
        table
            .rows
            .push(vec![replica.to_string(), epoch, cell(stop.map(|stop| stop.1))]);
    }
    table
}
