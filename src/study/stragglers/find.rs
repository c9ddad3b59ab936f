//! `find`: the stragglers of each replica, and how far the replicas agree on them.
//!
//! For replicas a and b with K_a and K_b stragglers, C of them in common, the overlap is 2 C / (K_a + K_b); sets drawn at
//! random from P samples have C = K_a K_b / P on average. The consensus frequency of a sample is the fraction of the
//! replicas (of those that stop) whose straggler it is.

use super::super::consensus::{Agreed, agreed, overlap};
use super::super::error::StudyError;
use super::super::findings::{Across, Card, Curve, Findings, Plot, Table, cell};
use super::super::number::{Spread, significant};
use super::super::outcome::{InversionOutcome, ReplicaOutcome, Stop};
use super::super::prepare::Prepared;
use super::follow::Halt;
use super::identify::identify;
use super::{Bench, common, dice};

/// Samples shown as pictures.
const CARDS: usize = 120;

/// Trains the replicas and collects their stragglers. There are no records and no metrics in the outcome.
///
/// # Errors
/// Those of training; [`StudyError::Interrupted`].
pub fn run(bench: &mut Bench) -> Result<InversionOutcome, StudyError> {
    let recipe = bench.recipe;
    let identified = identify(bench, "find", recipe, &[], bench.follow)?;
    bench.courses.add_replicas(&recipe.replicas, identified.courses);
    let stop = |halt: Halt| Stop {
        epoch: halt.epoch,
        error: halt.error,
        stragglers: halt.set.into_iter().map(|place| bench.data.straggler(place)).collect(),
    };
    let replica = |(&replica, halt): (&u64, Option<Halt>)| ReplicaOutcome {
        replica,
        records: Vec::new(),
        stop: halt.map(stop),
        extrema: Vec::new(),
    };
    Ok(InversionOutcome {
        classes: bench.data.classes.clone(),
        columns: Vec::new(),
        replicas: bench
            .recipe
            .replicas
            .iter()
            .zip(identified.stops)
            .map(replica)
            .collect(),
    })
}

/// What the stragglers of `outcome`, found by [`run`] on `data`, say.
pub fn findings(outcome: &InversionOutcome, data: &Prepared) -> Findings {
    let samples = data.train_labels.len();
    let stopped: Vec<&ReplicaOutcome> = outcome.replicas.iter().filter(|r| r.stop.is_some()).collect();
    let all = agreed(outcome);
    let unanimous = all.iter().filter(|agreed| agreed.replicas == stopped.len()).count();
    let stops = || stopped.iter().filter_map(|replica| replica.stop.as_ref());
    let count = Spread::of(stops().map(|stop| stop.stragglers.len() as f64));
    let error = Spread::of(stops().map(|stop| stop.error));
    let epoch = Spread::of(stops().map(|stop| stop.epoch as f64));
    let shared = overlap(outcome, samples);
    let replicas = outcome.replicas.len();
    let mut words = if stopped.is_empty() {
        format!("No stragglers were found: none of {replicas} replicas comes to the stop of the released recipe.")
    } else {
        format!(
            "{} of {replicas} replicas stop, at epoch {} and training error {}, with {} stragglers of {samples} samples.",
            stopped.len(),
            epoch.plus_minus(),
            error.plus_minus(),
            count.plus_minus()
        )
    };
    if let Some(shared) = shared {
        words.push_str(&format!(
            " Two replicas share 2C/(K1+K2) = {} of theirs on average ({} {}; random sets would share {}). {} samples are a \
             straggler of at least one replica, {unanimous} of all that stop.",
            significant(shared.mean, 3),
            shared.pairs,
            if shared.pairs == 1 { "pair" } else { "pairs" },
            significant(shared.by_chance, 2),
            all.len()
        ));
    }
    Findings {
        paragraphs: vec![words],
        numbers: vec![
            ("replicas_that_stop".into(), stopped.len() as f64),
            ("stragglers".into(), count.mean.unwrap_or(f64::NAN)),
            ("stragglers_sd".into(), count.sd.unwrap_or(f64::NAN)),
            ("stop_epoch".into(), epoch.mean.unwrap_or(f64::NAN)),
            ("stop_error".into(), error.mean.unwrap_or(f64::NAN)),
            ("overlap".into(), shared.map_or(f64::NAN, |shared| shared.mean)),
            (
                "overlap_by_chance".into(),
                shared.map_or(f64::NAN, |shared| shared.by_chance),
            ),
            ("of_any".into(), all.len() as f64),
            ("of_all".into(), unanimous as f64),
        ],
        plots: vec![sharing(&stopped, &all)],
        shown: vec![classes(outcome, &stopped, &all, data)],
        tables: vec![
            stragglers(outcome),
            consensus(outcome, &all, stopped.len()),
            overlaps(&stopped, samples),
        ],
        cards: cards(outcome, &all, stopped.len()),
        ..Findings::default()
    }
}

/// The fraction of a replica's stragglers that at least k replicas share, against k.
fn sharing(stopped: &[&ReplicaOutcome], all: &[Agreed]) -> Plot {
    let of_sample: std::collections::HashMap<usize, usize> =
        all.iter().map(|a| (a.straggler.sample_index, a.replicas)).collect();
    let curve = |replica: &&ReplicaOutcome| -> Option<Vec<(f64, f64)>> {
        let own = &replica.stop.as_ref()?.stragglers;
        let shared = |k: usize| {
            own.iter()
                .filter(|s| of_sample.get(&s.sample_index).is_some_and(|&n| n >= k))
                .count()
        };
        let points = (1..=stopped.len()).map(|k| (k as f64, shared(k) as f64 / own.len() as f64));
        (!own.is_empty()).then(|| points.collect())
    };
    Plot {
        name: "sharing".into(),
        title: "Part of the stragglers that k or more share".into(),
        across: Across::Linear("k replicas".into()),
        logarithmic: false,
        curves: vec![Curve::of("stragglers", stopped.iter().filter_map(curve).collect())],
        range: None,
        note: String::new(),
    }
}

/// Per class: samples, stragglers of a replica, of any, of all.
fn classes(outcome: &InversionOutcome, stopped: &[&ReplicaOutcome], all: &[Agreed], data: &Prepared) -> Table {
    let head = ["Class", "Samples", "Stragglers of a replica", "Of any", "Of all"];
    let mut table = Table::new("Stragglers per class", &head);
    for (class, name) in outcome.classes.iter().enumerate() {
        let own = |label: u32| label as usize == class;
        let each = stopped.iter().filter_map(|replica| replica.stop.as_ref());
        let each = each.map(|stop| stop.stragglers.iter().filter(|s| own(s.label)).count() as f64);
        let any = all.iter().filter(|agreed| own(agreed.straggler.label));
        table.rows.push(vec![
            name.clone(),
            data.train_labels
                .iter()
                .filter(|&&label| own(label))
                .count()
                .to_string(),
            Spread::of(each).plus_minus(),
            any.clone().count().to_string(),
            any.filter(|agreed| agreed.replicas == stopped.len())
                .count()
                .to_string(),
        ]);
    }
    table
}

/// `stragglers.csv`
fn stragglers(outcome: &InversionOutcome) -> Table {
    let mut table = Table::new("stragglers", &["replica", "sample_index", "label"]);
    for replica in &outcome.replicas {
        for straggler in replica.stop.iter().flat_map(|stop| &stop.stragglers) {
            let row = [
                replica.replica.to_string(),
                straggler.sample_index.to_string(),
                straggler.label.to_string(),
            ];
            table.rows.push(row.into());
        }
    }
    table
}

/// `consensus.csv`: every sample that is a straggler of some replica, those of the most replicas first.
fn consensus(outcome: &InversionOutcome, all: &[Agreed], stopped: usize) -> Table {
    let mut table = Table::new(
        "consensus",
        &["sample_index", "label", "class", "replicas", "frequency"],
    );
    for Agreed { straggler, replicas } in all {
        table.rows.push(vec![
            straggler.sample_index.to_string(),
            straggler.label.to_string(),
            outcome
                .classes
                .get(straggler.label as usize)
                .cloned()
                .unwrap_or_default(),
            replicas.to_string(),
            cell(*replicas as f64 / stopped as f64),
        ]);
    }
    table
}

/// `overlaps.csv`: every pair of replicas that stop.
fn overlaps(stopped: &[&ReplicaOutcome], samples: usize) -> Table {
    let head = [
        "replica_a",
        "replica_b",
        "stragglers_a",
        "stragglers_b",
        "common",
        "by_chance",
        "overlap",
    ];
    let mut table = Table::new("overlaps", &head);
    let rows = |replica: &ReplicaOutcome| -> Vec<usize> {
        let all = replica.stop.iter().flat_map(|stop| &stop.stragglers);
        all.map(|s| s.sample_index).collect()
    };
    for (n, a) in stopped.iter().enumerate() {
        let of_a = rows(a);
        for b in &stopped[n + 1..] {
            let of_b = rows(b);
            let common = common(&of_a, &of_b);
            table.rows.push(vec![
                a.replica.to_string(),
                b.replica.to_string(),
                of_a.len().to_string(),
                of_b.len().to_string(),
                common.to_string(),
                cell(of_a.len() as f64 * of_b.len() as f64 / samples as f64),
                cell(dice(of_a.len(), of_b.len(), common)),
            ]);
        }
    }
    table
}

fn cards(outcome: &InversionOutcome, all: &[Agreed], stopped: usize) -> Vec<Card> {
    let card = |agreed: &Agreed| Card {
        sample_index: agreed.straggler.sample_index,
        lines: vec![
            outcome
                .classes
                .get(agreed.straggler.label as usize)
                .cloned()
                .unwrap_or_default(),
            format!("{} of {stopped}", agreed.replicas),
        ],
    };
    all.iter().take(CARDS).map(card).collect()
}
